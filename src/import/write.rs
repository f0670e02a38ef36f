//! Arguments to the text of a model, as a person would have written it.
//!
//! In: what a config says. Out: a formatted `.mesa` text and the name of its model.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::json::{Kind, Node};
use super::read::{Argument, Reading};
use crate::source::FileId;

/// A model as text.
pub(super) struct Model {
    /// Its name.
    pub name: String,
    /// The formatted text.
    pub text: String,
}

impl Model {
    /// Whether an argument stands on a line, from 1.
    pub fn is_on(&self, argument: &Argument, line: u32) -> bool {
        let text = self.text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
        text.trim_start().starts_with(&format!("{}: {}", argument.name, argument.value))
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
    imports.extend(reading.blocks.iter().map(String::as_str));
    let imports: Vec<&str> = imports.into_iter().collect();
    for imports in rows(&imports, 70) {
        let _ = match imports.as_slice() {
            [one] => writeln!(text, "use std.layers.{one}"),
            all => writeln!(text, "use std.layers.{{{}}}", all.join(", ")),
        };
    }
    text.push('\n');
    let architecture = reading.architecture.as_deref().map_or_else(
        || format!("A {} model", plain(&reading.model_type)),
        |a| format!("{} ({})", plain(a), plain(&reading.model_type)),
    );
    for item in reading.format.iter().flat_map(|f| &f.items) {
        let _ = writeln!(text, "/// As the weights are stored.\n{item}");
    }
    let _ = writeln!(text, "/// {architecture}.");
    if let Some(names) = &family.names {
        let _ = writeln!(text, "// In the checkpoint {names}.");
    }
    let _ = writeln!(text, "model {name} = {}(", family.block);
    arguments(&mut text, &reading.arguments, &reading.model_type, 1);
    let (dtype, why) = &reading.dtype;
    let _ = write!(
        text,
        ") {{\n  source = \"{title}, config.json\"\n  precision {{\n    \
         weights     = {dtype} // {why}\n"
    );
    let format = reading.format.clone().unwrap_or_default();
    for (names, format, why) in &format.rules {
        let format = if format.is_empty() { dtype } else { format };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for names in rows(&names, 50) {
            let _ = writeln!(text, "    weights within {} = {format} // {why}", names.join(", "));
        }
    }
    let _ = writeln!(text, "    activations = {dtype}");
    for (names, format, why) in &format.compute {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for names in rows(&names, 50) {
            let _ = writeln!(text, "    compute within {} = {format} // {why}", names.join(", "));
        }
    }
    if let Some((format, why)) = &format.cache {
        let _ = writeln!(text, "    cache = {format} // {why}");
    }
    text += "  }\n}\n";
    // What is written here has no syntax errors; if it had, the check that follows would say so.
    let text = crate::syntax::format::format(&text, FileId(0)).unwrap_or(text);
    Model { name, text }
}

/// Words in rows of about so many characters.
fn rows<'t>(words: &[&'t str], width: usize) -> Vec<Vec<&'t str>> {
    let mut rows: Vec<Vec<&str>> = Vec::new();
    let mut left = 0;
    for word in words {
        match rows.last_mut() {
            Some(row) if word.len() + 2 <= left => row.push(word),
            _ => {
                rows.push(vec![word]);
                left = width;
            }
        }
        left = left.saturating_sub(word.len() + 2);
    }
    rows
}

/// The arguments of a block, one a line; those that the whole family has come last.
fn arguments(text: &mut String, all: &[Argument], model_type: &str, depth: usize) {
    let indent = "  ".repeat(depth);
    let is_fixed = |a: &&Argument| a.why.is_empty() && a.inner.is_none();
    let (fixed, said): (Vec<&Argument>, Vec<&Argument>) = all.iter().partition(is_fixed);
    for argument in said {
        let Argument { name, value, why, .. } = argument;
        match &argument.inner {
            None if value.len() + why.len() > 80 && value.starts_with('[') => {
                let items: Vec<&str> =
                    value.trim_matches(['[', ']']).split(", ").filter(|i| !i.is_empty()).collect();
                let _ = writeln!(text, "{indent}// {why}\n{indent}{name}: [");
                for row in rows(&items, 80) {
                    let _ = writeln!(text, "{indent}  {},", row.join(", "));
                }
                let _ = writeln!(text, "{indent}],");
            }
            None => _ = writeln!(text, "{indent}{name}: {value}, // {why}"),
            Some(inner) if inner.is_empty() => _ = writeln!(text, "{indent}{name}: {value},"),
            Some(inner) => {
                let _ = writeln!(text, "{indent}{name}: {value}(");
                arguments(text, inner, model_type, depth + 1);
                let _ = writeln!(text, "{indent}),");
            }
        }
    }
    if !fixed.is_empty() {
        let _ = writeln!(text, "{indent}// As every {} model has it:", plain(model_type));
    }
    for argument in fixed {
        let _ = writeln!(text, "{indent}{}: {},", argument.name, argument.value);
    }
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
    let is_taken =
        name == family.block || family.imports.contains(&name) || reading.blocks.contains(&name);
    if is_taken { format!("{name}_Model") } else { name }
}
