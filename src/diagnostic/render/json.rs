//! For programs: one JSON document, versioned.
//!
//! In: findings. Out: `{"version": 1, "diagnostics": […]}`. Lines and columns count from 1, columns
//! in characters; bytes count from 0; ends are exclusive. Fields are added without notice; a change
//! of meaning raises the version.

use serde::Serialize;

use super::region::{self, Point, Region};
use crate::diagnostic::{Diagnostic, Edit, Fix};
use crate::source::{Place, Sources};

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    diagnostics: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    code: &'static str,
    severity: &'static str,
    title: &'a str,
    summary: &'static str,
    labels: Vec<Label<'a>>,
    notes: &'a [String],
    fixes: Vec<FixOut<'a>>,
    help: String,
}

#[derive(Serialize)]
struct Label<'a> {
    #[serde(flatten)]
    at: Range<'a>,
    text: &'a str,
    primary: bool,
}

#[derive(Serialize)]
struct FixOut<'a> {
    title: &'a str,
    safety: &'static str,
    edits: Vec<EditOut<'a>>,
}

#[derive(Serialize)]
struct EditOut<'a> {
    #[serde(flatten)]
    at: Range<'a>,
    text: &'a str,
}

#[derive(Serialize)]
struct Range<'a> {
    file: &'a str,
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Position {
    line: u32,
    column: u32,
    byte: u32,
}

pub(super) fn render(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let diagnostics = diagnostics.iter().map(|d| finding(sources, d)).collect();
    let document = Document { version: VERSION, diagnostics };
    // plain strings and numbers: serialisation has nothing to fail on
    serde_json::to_string_pretty(&document).map_or_else(|_| String::new(), |text| text + "\n")
}

fn finding<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Finding<'a> {
    let label = |(index, label): (usize, &'a crate::diagnostic::Label)| Label {
        at: range(region::shown(sources, label.place)),
        text: &label.text,
        primary: index == 0,
    };
    Finding {
        code: diagnostic.code.id(),
        severity: diagnostic.severity.word(),
        title: &diagnostic.title,
        summary: diagnostic.code.summary(),
        labels: diagnostic.labels.iter().enumerate().map(label).collect(),
        notes: &diagnostic.notes,
        fixes: diagnostic.fixes.iter().map(|f| fix(sources, f)).collect(),
        help: format!("mesa help {}", diagnostic.code.id()),
    }
}

fn fix<'a>(sources: &'a Sources, fix: &'a Fix) -> FixOut<'a> {
    let edit = |edit: &'a Edit| EditOut { at: exact(sources, edit.place), text: &edit.text };
    FixOut {
        title: &fix.title,
        safety: fix.safety.word(),
        edits: fix.edits.iter().map(edit).collect(),
    }
}

fn exact(sources: &Sources, place: Place) -> Range<'_> {
    range(region::exact(sources, place))
}

fn range(region: Region<'_>) -> Range<'_> {
    Range { file: &region.file.name, start: position(region.start), end: position(region.end) }
}

fn position(point: Point) -> Position {
    Position { line: point.line, column: point.column, byte: point.byte }
}
