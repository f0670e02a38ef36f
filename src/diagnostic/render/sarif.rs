//! For code scanning: SARIF 2.1.0.
//!
//! In: findings. Out: one run of the tool `Mesa` with the rules that occur, each with its page, and
//! a result for each finding: where, which other places are involved, and its fixes.

use indexmap::IndexSet;
use serde_json::{Value, json};

use super::region::{self, Region};
use crate::diagnostic::{Code, Diagnostic, Fix, Label, Severity};
use crate::source::{FileId, Origin, Place, SourceFile, Sources};

pub(super) fn render(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let codes: IndexSet<Code> = diagnostics.iter().map(|d| d.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = diagnostics.iter().map(|d| result(sources, &codes, d)).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Mesa",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.id(),
        "shortDescription": { "text": code.summary() },
        "help": { "text": code.page(), "markdown": code.page() },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    severity.word()
}

fn result(sources: &Sources, codes: &IndexSet<Code>, diagnostic: &Diagnostic) -> Value {
    let mut result = json!({
        "ruleId": diagnostic.code.id(),
        "ruleIndex": codes.get_index_of(&diagnostic.code),
        "level": level(diagnostic.severity),
        "message": { "text": message(diagnostic) },
        "locations": labels(sources, diagnostic.labels.get(..1), None),
    });
    if let Some(object) = result.as_object_mut() {
        if diagnostic.labels.len() > 1 {
            let related = labels(sources, diagnostic.labels.get(1..), Some(1));
            object.insert("relatedLocations".into(), related);
        }
        // SARIF wants at least one replacement in a fix
        let fixes: Vec<&Fix> = diagnostic.fixes.iter().filter(|f| !f.edits.is_empty()).collect();
        if !fixes.is_empty() {
            let fixes = fixes.into_iter().map(|f| fix(sources, f)).collect();
            object.insert("fixes".into(), fixes);
        }
    }
    result
}

fn message(diagnostic: &Diagnostic) -> String {
    let mut lines = vec![diagnostic.title.as_str()];
    lines.extend(diagnostic.labels.first().map(|l| l.text.as_str()));
    lines.extend(diagnostic.notes.iter().map(String::as_str));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// Labels as locations, numbered from `first` where the document must tell them apart.
fn labels(sources: &Sources, labels: Option<&[Label]>, first: Option<usize>) -> Value {
    let numbered = labels.unwrap_or_default().iter().enumerate();
    numbered.map(|(n, label)| location(sources, label, first.map(|first| first + n))).collect()
}

fn location(sources: &Sources, label: &Label, id: Option<usize>) -> Value {
    let at = region::shown(sources, label.place);
    let mut location = serde_json::Map::new();
    if let Some(id) = id {
        location.insert("id".into(), id.into());
    }
    let physical = json!({ "artifactLocation": { "uri": uri(at.file) }, "region": region(at) });
    location.insert("physicalLocation".into(), physical);
    if !label.text.is_empty() {
        location.insert("message".into(), json!({ "text": label.text }));
    }
    location.into()
}

fn region(at: Region<'_>) -> Value {
    json!({
        "startLine": at.start.line,
        "startColumn": at.start.column,
        "endLine": at.end.line,
        "endColumn": at.end.column,
        "byteOffset": at.start.byte,
        "byteLength": at.end.byte - at.start.byte,
    })
}

fn fix(sources: &Sources, fix: &Fix) -> Value {
    let files: IndexSet<FileId> = fix.edits.iter().map(|e| e.place.file).collect();
    let change = |file: &FileId| {
        let edits = fix.edits.iter().filter(|e| e.place.file == *file);
        let replacements: Vec<Value> =
            edits.map(|e| replacement(sources, e.place, &e.text)).collect();
        json!({
            "artifactLocation": { "uri": uri(sources.file(*file)) },
            "replacements": replacements,
        })
    };
    json!({
        "description": { "text": fix.title },
        "artifactChanges": files.iter().map(change).collect::<Vec<_>>(),
    })
}

fn replacement(sources: &Sources, place: Place, text: &str) -> Value {
    json!({
        "deletedRegion": region(region::exact(sources, place)),
        "insertedContent": { "text": text },
    })
}

/// The name of a file as a URI reference: paths stay relative, the rest gets a scheme.
fn uri(file: &SourceFile) -> String {
    let path = escape(&file.name.replace('\\', "/"));
    let has_drive = file.name.get(1..3).is_some_and(|s| s == ":\\" || s == ":/");
    match file.origin {
        Origin::User if has_drive => format!("file:///{path}"),
        Origin::User if path.starts_with('/') => format!("file://{path}"),
        Origin::User => path,
        Origin::Std | Origin::Command => format!("mesa:{path}"),
    }
}

/// Percent-encodes what a URI's path may not hold.
fn escape(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
