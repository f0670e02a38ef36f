//! Words of other languages, found in the names and the documentation of the library.
//!
//! In: a name that nothing declares. Out: the op or layer that it most likely means, as a note.

use super::Checker;
use super::program::ItemRef;
use super::value::with_article;
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Checker<'p> {
    /// What others call `matmul` or `attention` has another name here: an item whose name holds
    /// the word (one of a file of that name, or the shortest), else the first that speaks of it.
    pub(super) fn spoken_of(&self, word: Name) -> Option<String> {
        let word = plain(word.text());
        if word.len() < 3 {
            return None;
        }
        let modules = ["ops", "layers"]
            .into_iter()
            .flat_map(|at| self.program.std_modules(at).map(move |module| (at, module)));
        let items =
            modules.flat_map(|(at, module)| self.program.items(module).map(move |item| (at, item)));
        let items =
            items.filter(|(_, item)| matches!(item.item.kind, ItemKind::Op | ItemKind::Block));
        let rank = |(at, item): (&'static str, ItemRef<'p>)| {
            let name = plain(item.item.name.name.text());
            let holds = name.contains(&word);
            let speaks = || mentions(item.item.docs.as_deref().unwrap_or_default(), &word);
            let path = self.program.module(item.module).std_path.unwrap_or_default();
            let length = match (holds, path.ends_with(&word)) {
                (true, true) => 0,
                (true, false) => name.len(),
                (false, _) => usize::MAX,
            };
            (holds || speaks()).then_some((length, at, item))
        };
        let (_, at, item) = items.filter_map(rank).min_by_key(|(length, ..)| *length)?;
        let (name, docs) = (item.item.name.name, item.item.docs.as_deref()?);
        let import = if at == "ops" { String::new() } else { format!(" (`use std.{at}.{name}`)") };
        let docs = docs.split("\n\n").next()?.replace('\n', " ");
        Some(format!("the library has {} `{name}`{import}: {docs}", with_article(item.item.kind)))
    }
}

/// A name without what only style decides.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// Whether a text has a word; a hyphenated one is one word.
fn mentions(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '-').any(|said| {
        let said = plain(said);
        said == word || (word.len() > 3 && said.starts_with(word))
    })
}
