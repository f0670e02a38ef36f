//! Arguments to the text of a model, as a person would have written it.
//!
//! In: what a config says. Out: a formatted `.mesa` text and the name of its model.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::json::{Kind, Node};
use super::read::Reading;
use crate::source::FileId;

/// A model as text.
pub(super) struct Model {
    /// Its name.
    pub name: String,
    /// The formatted text.
    pub text: String,
}

impl Model {
    /// The line, from 1, on which an argument stands.
    pub fn line_of(&self, argument: &str) -> Option<u32> {
        let start = format!("  {argument}: ");
        let found = self.text.lines().position(|line| line.starts_with(&start))?;
        u32::try_from(found + 1).ok()
    }
}

/// Writes the model.
pub(super) fn write(reading: &Reading, root: &Node, title: &str) -> Model {
    let family = &reading.family;
    let said = match root.member("_name_or_path").map(|m| &m.value.kind) {
        // A path on somebody's machine says less than the file's own name.
        Some(Kind::Text(t)) if t.split('/').count() == 2 && !t.starts_with(['/', '.']) => {
            t.as_str()
        }
        _ => title,
    };
    let title = plain(said);
    let name = name_of(&title, reading);
    let mut text = format!("//! {title}, imported from its config.json.\n\n");
    let values: BTreeSet<&str> = reading.arguments.iter().map(|a| a.value.as_str()).collect();
    let mut imports: BTreeSet<&str> = family.imports.iter().map(String::as_str).collect();
    imports.retain(|i| values.contains(i));
    imports.insert(&family.block);
    let imports: Vec<&str> = imports.into_iter().collect();
    let _ = match imports.as_slice() {
        [one] => writeln!(text, "use std.layers.{one}\n"),
        all => writeln!(text, "use std.layers.{{{}}}\n", all.join(", ")),
    };
    let architecture = reading.architecture.as_deref().map_or_else(
        || format!("A {} model", plain(&reading.model_type)),
        |a| format!("{} ({})", plain(a), plain(&reading.model_type)),
    );
    let _ = writeln!(text, "/// {architecture}.");
    if let Some(names) = &family.names {
        let _ = writeln!(text, "// In the checkpoint {names}.");
    }
    let _ = writeln!(text, "model {name} = {}(", family.block);
    let (fixed, said): (Vec<_>, Vec<_>) =
        reading.arguments.iter().partition(|argument| argument.why.is_empty());
    for argument in said {
        let _ = writeln!(text, "  {}: {}, // {}", argument.name, argument.value, argument.why);
    }
    if !fixed.is_empty() {
        let _ = writeln!(text, "  // As every {} model has it:", plain(&reading.model_type));
    }
    for argument in fixed {
        let _ = writeln!(text, "  {}: {},", argument.name, argument.value);
    }
    let (dtype, why) = &reading.dtype;
    let _ = write!(
        text,
        ") {{\n  source = \"{title}, config.json\"\n  precision {{\n    \
         weights     = {dtype} // {why}\n    activations = {dtype}\n  }}\n}}\n"
    );
    // What is written here has no syntax errors; if it had, the check that follows would say so.
    let text = crate::syntax::format::format(&text, FileId(0)).unwrap_or(text);
    Model { name, text }
}

/// Characters that mean nothing in texts and comments.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '/');
    let kept: String = text.chars().take(80).map(|c| if keep(c) { c } else { '_' }).collect();
    if kept.trim().is_empty() { "model".into() } else { kept.trim().to_owned() }
}

/// An identifier for the model: `Yi_34B`.
fn name_of(title: &str, reading: &Reading) -> String {
    let last = title.rsplit('/').find(|part| !part.is_empty()).unwrap_or(title);
    let mut name = String::new();
    for c in last.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.ends_with('_') || name.is_empty() => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    let mut letters = name.chars();
    let name = match letters.next() {
        None => "Model".into(),
        Some(c) if c.is_ascii_digit() => format!("Model_{name}"),
        Some(c) => format!("{}{}", c.to_ascii_uppercase(), letters.as_str()),
    };
    let family = &reading.family;
    let is_taken = name == family.block || family.imports.contains(&name);
    if is_taken { format!("{name}_Model") } else { name }
}
