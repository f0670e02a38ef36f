//! What can be done with what stands at the cursor: fixes of findings, and small rewrites.
//!
//! In: a view, a range, the findings in it. Out: [`Action`]s with their edits.

use super::extract::{assume, extract, give_range};
use super::resolve::View;
use super::what_if::what_if;
use crate::check::ItemRef;
use crate::diagnostic::{Diagnostic, Edit, Safety, codes};
use crate::source::{Origin, Place, Span};
use crate::syntax::ast::{Body, ItemKind, StmtKind};
use crate::syntax::token::{Kind as Token, tokens};

/// What an action is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Fix,
    Extract,
    Rewrite,
}

/// Something that can be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// What it does, as an imperative.
    pub title: String,
    /// What it is for.
    pub kind: Kind,
    /// The edits.
    pub edits: Vec<Edit>,
    /// The finding that it mends, as a position among those given.
    pub mends: Option<usize>,
    /// Whether it is what a person most likely wants.
    pub preferred: bool,
}

/// What can be done in a range of bytes. `found` are the findings of the document.
#[must_use]
pub fn actions(view: &View<'_>, range: Span, found: &[Diagnostic]) -> Vec<Action> {
    let mut out = Vec::new();
    if view.program.sources.file(view.file).origin != Origin::User {
        return out;
    }
    // Fixes of what stands anywhere in the line: not every editor leads to the exact place.
    let lines = lines(view.text, range);
    for (index, finding) in found.iter().enumerate() {
        let here = finding.labels.iter().any(|l| {
            l.place.file == view.file
                && l.place.span.start <= lines.end
                && lines.start <= l.place.span.end
        });
        if here {
            fixes(view, index, finding, lines, &mut out);
        }
    }
    extract(view, range, &mut out);
    assume(view, range, &mut out);
    give_range(view, range, &mut out);
    if let Some(item) = view.item_at(range.start) {
        amend(view, item, &mut out);
        what_if(view, item, range, &mut out);
    }
    let mut different: Vec<Action> = Vec::new();
    for mut action in out {
        super::tidy::tidy(view, &mut action.edits);
        // Two findings may be mended by the same edit.
        if !different.iter().any(|d| d.title == action.title && d.edits == action.edits) {
            different.push(action);
        }
    }
    different
}

/// The lines that a range of bytes is in, without the end of the last.
pub(super) fn lines(text: &str, range: Span) -> Span {
    let start = text.get(..range.start as usize).and_then(|before| before.rfind('\n'));
    let rest = text.get(range.end as usize..).unwrap_or("");
    let end = range.end + rest.find('\n').unwrap_or(rest.len()) as u32;
    Span::new(start.map_or(0, |at| at as u32 + 1), end)
}

fn fixes(view: &View<'_>, index: usize, finding: &Diagnostic, lines: Span, out: &mut Vec<Action>) {
    let mut add = |title: String, edits: Vec<Edit>, preferred: bool| {
        out.push(Action { title, kind: Kind::Fix, edits, mends: Some(index), preferred });
    };
    for fix in &finding.fixes {
        let mut title = fix.title.clone();
        if let Some(first) = title.get(..1) {
            title = first.to_uppercase() + title.get(1..).unwrap_or("");
        }
        if let [edit] = fix.edits.as_slice() {
            title += &elsewhere(view, edit.place, lines);
        }
        add(title, fix.edits.clone(), fix.safety == Safety::Safe);
    }
    let Some(place) = finding.place().filter(|p| p.file == view.file) else { return };
    if finding.code == codes::NO_SOURCE
        && let Some(item) = view.item_at(place.span.start)
        && let Some(body) = &item.item.body
    {
        let at = item.place(Span::new(body.span.start + 1, body.span.start + 1));
        let edit = Edit { place: at, text: "\n  source = \"\"".into() };
        add("Say where the figures come from".into(), vec![edit], true);
    }
    if finding.code == codes::MISSING_ARGUMENT {
        missing(view, finding, place, &mut add);
    }
    if finding.code == codes::UNUSED_IMPORT
        && finding.fixes.is_empty()
        && let Some(item) = view.item_at(place.span.start)
        && item.item.import.as_ref().is_some_and(|i| i.names.as_ref().is_none_or(|n| n.len() == 1))
    {
        let whole = item.place(item.item.span);
        let rest = view.text.get(whole.span.end as usize..).unwrap_or("");
        let line = rest.find('\n').map_or(rest.len(), |i| i + 1) as u32;
        let span = Span::new(whole.span.start, whole.span.end + line);
        let edit = Edit { place: Place { file: view.file, span }, text: String::new() };
        add("Remove this import".into(), vec![edit], true);
    }
}

/// Where what is replaced stands, for a title; nothing if it is in the lines that are looked at.
fn elsewhere(view: &View<'_>, place: Place, lines: Span) -> String {
    if place.span.start == place.span.end {
        return String::new();
    }
    if place.file != view.file {
        return format!(" in {}", view.program.sources.line_of(place));
    }
    if lines.start <= place.span.start && place.span.start <= lines.end {
        return String::new();
    }
    let before = view.text.get(..place.span.start as usize).unwrap_or("");
    format!(" in line {}", before.matches('\n').count() + 1)
}

/// Names of parameters that the finding labels, put into the call.
fn missing(
    view: &View<'_>,
    finding: &Diagnostic,
    place: Place,
    add: &mut dyn FnMut(String, Vec<Edit>, bool),
) {
    let sources = &view.program.sources;
    let labels = finding.labels.get(1..).unwrap_or_default().iter();
    let params = labels.map(|l| sources.text(l.place));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let params: Vec<&str> =
        params.filter_map(|t| t.split(|c| !is_part(c)).find(|w| !w.is_empty())).collect();
    if params.is_empty() {
        return;
    }
    let text = sources.text(place);
    let (at, before, after) = match text.rfind(')') {
        Some(close) => {
            let inside = text.get(..close).unwrap_or("").trim_end();
            let first = inside.ends_with('(') || inside.ends_with(',');
            let at = place.span.start + inside.len() as u32;
            (at, if first { "" } else { ", " }, "")
        }
        None => (place.span.end, "(", ")"),
    };
    let list: Vec<String> = params.iter().map(|p| format!("{p}: ")).collect();
    let edit = Edit {
        place: Place { file: place.file, span: Span::new(at, at) },
        text: format!("{before}{}{after}", list.join(", ").trim_end()),
    };
    add(format!("Give {}", params.join(" and ")), vec![edit], true);
}

/// The settings of a body by path, as text.
fn settings(
    view: &View<'_>,
    item: ItemRef<'_>,
    body: &Body,
    prefix: &str,
    out: &mut Vec<(String, String)>,
) -> bool {
    body.stmts.iter().all(|stmt| match &stmt.kind {
        StmtKind::Set { path, value, within, .. } if within.is_empty() => {
            let names: Vec<&str> = path.iter().map(|p| p.name.text()).collect();
            let text = view.program.sources.text(item.place(value.span));
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            out.push((format!("{prefix}{}", names.join(".")), text));
            true
        }
        StmtKind::Section { name, label: None, at: None, via: None, body } => {
            settings(view, item, body, &format!("{prefix}{}.", name.name), out)
        }
        StmtKind::Expect { .. } => {
            out.push((
                "expect".into(),
                view.program.sources.text(item.place(stmt.span)).to_owned(),
            ));
            true
        }
        _ => false,
    })
}

/// A scenario that copies another, as an amendment of it.
fn amend(view: &View<'_>, item: ItemRef<'_>, out: &mut Vec<Action>) {
    if item.item.kind != ItemKind::Scenario || item.item.value.is_some() {
        return;
    }
    let Some(body) = &item.item.body else { return };
    let mut own = Vec::new();
    // A comment between the settings would be lost.
    let written = view.program.sources.text(item.place(item.item.span));
    let commented = tokens(written).iter().any(|token| token.kind == Token::Comment);
    if commented || !settings(view, item, body, "", &mut own) {
        return;
    }
    for other in view.program.items_of_kind(view.module, ItemKind::Scenario) {
        let Some(base) =
            other.item.body.as_ref().filter(|_| other != item && other.item.value.is_none())
        else {
            continue;
        };
        if other.offset > item.offset {
            continue;
        }
        let mut theirs = Vec::new();
        if !settings(view, other, base, "", &mut theirs) {
            continue;
        }
        let has = |path: &str| own.iter().any(|(p, _)| p == path);
        let different: Vec<&(String, String)> =
            own.iter().filter(|s| !theirs.contains(s)).collect();
        let complete = theirs.iter().all(|(p, _)| has(p));
        let no_expects = different.iter().all(|(p, _)| p != "expect");
        if !complete || !no_expects || different.is_empty() || different.len() * 2 > own.len() {
            continue;
        }
        let list: Vec<String> = different.iter().map(|(p, v)| format!("{p} = {v}")).collect();
        let name = item.item.name.name;
        let base = other.item.name.name;
        let text = format!("scenario {name} = {base} with {{ {} }}", list.join(", "));
        let edits = vec![Edit { place: item.place(item.item.span), text }];
        out.push(Action {
            title: format!("Amend `{base}` instead of copying it"),
            kind: Kind::Rewrite,
            edits,
            mends: None,
            preferred: false,
        });
        return;
    }
}
