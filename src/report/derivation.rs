//! Derivations for people, as a tree, and for programs.

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::table::Tint;
use super::text::Look;
use super::{ascii, leaf};
use crate::reading::explain::Derivation;

/// The tree, each step on a line of its own with its formula below.
#[must_use]
pub fn derivation_text(derivation: &Derivation, look: Look, width: usize) -> String {
    let mut out = String::new();
    step(derivation, "", "", true, &Page { look, width }, &mut out);
    if look.ascii { ascii(&out) } else { out }
}

struct Page {
    look: Look,
    width: usize,
}

impl Page {
    fn paint(&self, text: &str, tint: Tint) -> String {
        tint.paint(text, self.look.color)
    }
}

/// `branch` stands before the step itself, `guide` before everything below it.
fn step(d: &Derivation, branch: &str, guide: &str, root: bool, page: &Page, out: &mut String) {
    let place = format!("{}:{}", d.at.file, d.at.line);
    let name = match &d.alias {
        Some(alias) => format!("{} ({alias})", d.name),
        None => d.name.clone(),
    };
    let value = d.figure.human();
    let marks = marks(d);
    let used = branch.width() + name.width() + 3 + value.width() + marks.width();
    let gap = page.width.saturating_sub(used + place.width()).max(2);
    *out += &page.paint(branch, Tint::Dim);
    *out += &page.paint(&name, if root { Tint::Strong } else { Tint::Plain });
    *out += " = ";
    *out += &page.paint(&value, Tint::Strong);
    let tint = if d.taken == Some(true) { Tint::Good } else { Tint::Dim };
    *out += &page.paint(&marks, tint);
    *out += &" ".repeat(gap);
    *out += &page.paint(&place, Tint::Dim);
    out.push('\n');
    let below = format!("{guide}{}", if d.steps.is_empty() { "  " } else { "│ " });
    for line in details(d) {
        for line in wrapped(&line, page.width.saturating_sub(below.width() + 1).max(30)) {
            *out += &page.paint(&format!("{below} {line}"), Tint::Dim);
            out.push('\n');
        }
    }
    let last = d.steps.len().saturating_sub(1);
    for (i, inner) in d.steps.iter().enumerate() {
        let end = i == last && d.more == 0;
        let (branch, below) = if end { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let (branch, below) = (format!("{guide}{branch}"), format!("{guide}{below}"));
        step(inner, &branch, &below, false, page, out);
    }
    if d.more > 0 && !d.steps.is_empty() {
        *out += &page.paint(&format!("{guide}└─ … {} more", d.more), Tint::Dim);
        out.push('\n');
    }
}

/// Whether a step ends the derivation.
fn is_end(d: &Derivation) -> bool {
    d.steps.is_empty() && d.more == 0 && !d.above
}

/// What is said after the value.
fn marks(d: &Derivation) -> String {
    let mut marks = String::new();
    if let Some(share) = d.share {
        marks += &format!("  {}", super::sections::share(share));
    }
    match d.taken {
        Some(true) => marks += "  ← taken",
        Some(false) => marks += "  not taken",
        None => {}
    }
    if is_end(d) {
        marks += &format!("  {}", d.kind);
    } else if d.above {
        marks += "  … see above";
    } else if d.steps.is_empty() {
        marks += "  …";
    }
    marks
}

/// The formula, and what is said beside the value. A step that is cut off or shown above has one
/// line only.
fn details(d: &Derivation) -> Vec<String> {
    let mut lines = Vec::new();
    let end = is_end(d);
    let literal = end && d.formula.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if !d.formula.is_empty() && !literal && (end || !d.steps.is_empty()) {
        lines.push(d.formula.clone());
    }
    if let (Some(at), false) = (&d.model, d.steps.is_empty()) {
        lines.push(format!("for the model's step at {}:{}", at.file, at.line));
    }
    if end {
        if let Some(because) = &d.because {
            let range = d.range.as_ref().map_or(String::new(), |r| format!("{r}: "));
            lines.push(format!("{range}{because}"));
        }
        lines.extend(d.source.as_ref().map(|s| format!("source: {s}")));
    }
    lines
}

/// Lines of at most `width` columns, broken at blanks.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// One JSON document, with an end of line.
#[must_use]
pub fn derivation_json(derivation: &Derivation) -> String {
    let document = json!({ "mesa": env!("CARGO_PKG_VERSION"), "derivation": object(derivation) });
    // plain texts and finite numbers: serialisation has nothing to fail on
    serde_json::to_string_pretty(&document).map_or_else(|_| String::new(), |text| text + "\n")
}

fn object(d: &Derivation) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(d.name));
    if let Some(alias) = &d.alias {
        out.insert("alias".into(), json!(alias));
    }
    if let Value::Object(figure) = leaf(&d.figure) {
        out.extend(figure);
    }
    out.insert("formula".into(), json!(d.formula));
    out.insert("kind".into(), json!(d.kind));
    out.insert("file".into(), json!(d.at.file));
    out.insert("line".into(), json!(d.at.line));
    if let Some(at) = &d.model {
        out.insert("model".into(), json!({ "file": at.file, "line": at.line }));
    }
    if let Some(share) = d.share {
        out.insert("share".into(), json!(share));
    }
    if let Some(taken) = d.taken {
        out.insert("taken".into(), json!(taken));
    }
    for (name, text) in [("range", &d.range), ("because", &d.because), ("source", &d.source)] {
        if let Some(text) = text {
            out.insert(name.into(), json!(text));
        }
    }
    if d.above {
        out.insert("above".into(), json!(true));
    }
    if d.more > 0 {
        out.insert("more".into(), json!(d.more));
    }
    out.insert("steps".into(), d.steps.iter().map(object).collect());
    Value::Object(out)
}
