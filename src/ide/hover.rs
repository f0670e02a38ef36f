//! What is said about the name under the cursor, before anything is evaluated.
//!
//! In: a view and a byte. Out: Markdown, the span it is about, and what is meant.

use super::describe::{About, about};
use super::mentions::What;
use super::resolve::{Target, View, resolve};
use super::words;
use crate::check::Checker;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::ItemKind;
use crate::syntax::token::Kind as Raw;

/// What to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Hover {
    /// What it is about.
    pub span: Span,
    /// Markdown.
    pub text: String,
    /// What is meant.
    pub target: Option<Target>,
}

/// What the name at a byte is; `None` where there is none.
#[must_use]
pub fn hover(view: &View<'_>, byte: u32) -> Option<Hover> {
    let Some(found) = view.mention_at(byte) else {
        return keyword(view, byte).or_else(|| file(view, byte));
    };
    let span = found.place.span;
    let mut checker = Checker::new(view.program);
    let target = resolve(&mut checker, found.item, &found.mention);
    let Some(target) = target else {
        if let What::Argument(callee, _) = &found.mention.what {
            return argument(callee, found.mention.name).map(|text| Hover { span, text, target });
        }
        if let Some(keyword) = keyword(view, byte) {
            return Some(keyword);
        }
        return word(view, byte, found.mention.name).map(|text| Hover { span, text, target: None });
    };
    let about = about(view, &target);
    let mut text = markdown(&about);
    if let Target::Item(_, name, true) = &target
        && let Some(unit) = view.program.unit(*name)
    {
        let base = unit.dimension.unit();
        if base != name.text() {
            text += &format!("\n\n1 {name} = {} {base}", crate::check::show_number(unit.factor));
        }
    }
    if let (Target::Item(module, name, false), false) = (&target, about.head.is_empty()) {
        text += &value_of(&mut checker, *module, *name).unwrap_or_default();
    }
    if let Some(place) = about.place {
        let here = place.file == view.file;
        let spot = view.program.sources.spot(place);
        if !here && !matches!(target, Target::File(_)) {
            text += &format!("\n\n{}:{}", short(&spot.file), spot.line);
        }
    }
    Some(Hover { span, text, target: Some(target) })
}

/// A parameter of a function of the language: `chunks` of `interleaved(chunks: 2)`.
fn argument(callee: &[crate::name::Name], name: crate::name::Name) -> Option<String> {
    let [callee] = callee else { return None };
    let function = super::functions::find(callee.text())?;
    let named = |(param, _): &&(&str, &str)| param.split([':', ' ']).next() == Some(name.text());
    let (param, what) = function.params.iter().find(named)?;
    Some(format!("```mesa\n{param}\n```\na parameter of `{callee}`\n\n{what}"))
}

/// The file that the text of a `use` reads.
fn file(view: &View<'_>, byte: u32) -> Option<Hover> {
    let item = view.item_at(byte)?;
    let written = super::mentions::file_of(item.item)?;
    let span = item.place(written.span).span;
    if !(span.start <= byte && byte <= span.end) {
        return None;
    }
    let target = Target::File(view.program.imported(view.module, &written.path)?);
    let text = markdown(&about(view, &target));
    Some(Hover { span, text, target: Some(target) })
}

/// What a bare word is where a word is meant: `switch`, `selective`, `adam`.
fn word(view: &View<'_>, byte: u32, name: crate::name::Name) -> Option<String> {
    let context = super::context::context(view, byte);
    let (kind, path) = match context.varied() {
        Some(path) => (ItemKind::Scenario, path),
        None => (context.kind?, context.setting()?),
    };
    let kind = if kind == ItemKind::Measured { ItemKind::Scenario } else { kind };
    let of = super::resolve::dotted(&path);
    match super::describe::words_at(kind, &path) {
        Some(words) if words.contains(&name.text()) => {
            let words: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
            Some(format!("`{name}` — what `{of}` may be: {}", words.join(", ")))
        }
        Some(_) => None,
        None => {
            crate::check::wants_word(kind, &path).then(|| format!("`{name}` — a word of `{of}`"))
        }
    }
}

/// What a word of the language is for.
fn keyword(view: &View<'_>, byte: u32) -> Option<Hover> {
    let cut = view.program.module(view.module).cut();
    let piece = &cut.piece_at(byte).and_then(|i| cut.pieces.get(i))?.piece;
    let text = piece.text(view.text);
    let at = byte.saturating_sub(piece.start) as usize;
    let all = crate::syntax::token::tokens(text);
    let token = all.iter().find(|t| t.start <= at && at <= t.end && t.kind == Raw::Word)?;
    let word = token.text(text);
    let statements = piece.kind.map_or(&[][..], |kind| words::statements(kind, false));
    let known = |(name, _, _): &&words::Word| *name == word;
    let first = statements.iter().find(known).or(words::ITEMS.iter().find(known));
    let what = match first {
        Some((_, what, _)) => what,
        None => words::JOINING.iter().find(|(name, _)| *name == word).map(|(_, what)| what)?,
    };
    let span = Span::new(token.start as u32, token.end as u32).shifted(piece.start);
    Some(Hover { span, text: format!("`{word}` — {what}"), target: None })
}

/// The last part of a path; files of the library keep theirs.
#[must_use]
pub fn short(file: &str) -> &str {
    if file.starts_with("std/") { file } else { file.rsplit('/').next().unwrap_or(file) }
}

/// The value of a constant or an assumption.
fn value_of(
    checker: &mut Checker<'_>,
    module: crate::check::ModuleId,
    name: crate::name::Name,
) -> Option<String> {
    let item = checker.program.item(module, name)?;
    if !matches!(item.item.kind, ItemKind::Const | ItemKind::Assume) {
        return None;
    }
    let crate::check::Value::Num(id) = checker.item_value(item, item.name_place()) else {
        return None;
    };
    let (value, dimension) = (checker.graph.value(id), checker.graph.dimension(id));
    let figure = crate::quantity::figure::Figure::number(name.text(), value, dimension);
    Some(format!("\n\n= **{}**", figure.human()))
}

/// Headline, kind and documentation.
#[must_use]
pub fn markdown(about: &About) -> String {
    let mut text = String::new();
    if !about.head.is_empty() {
        text += &format!("```mesa\n{}\n```\n", about.head);
    }
    text += &about.what;
    if let Some(docs) = &about.docs {
        text += &format!("\n\n{docs}");
    }
    text
}

/// The finding at a byte, if one stands there: its page says more.
#[must_use]
pub fn finding_at<'a>(
    found: &'a [Diagnostic],
    view: &View<'_>,
    byte: u32,
) -> Option<&'a Diagnostic> {
    found.iter().find(|d| {
        d.place().is_some_and(|p| p.file == view.file && p.span.start <= byte && byte <= p.span.end)
    })
}
