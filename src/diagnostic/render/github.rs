//! For GitHub Actions: workflow commands, which become annotations on the changed lines.
//!
//! In: findings. Out: `::error file=…,line=…,col=…,title=…::…`, one line each, escaped as GitHub's
//! runner reads them back.

use std::fmt::Write as _;

use super::clean::one_line;
use super::region;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Origin, Sources};

pub(super) fn render(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| command(sources, d)).collect()
}

fn command(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut out = format!("::{word} ");
    if let Some(place) = diagnostic.place() {
        let at = region::shown(sources, place);
        // a place in the standard library is no file of the repository
        if at.file.origin == Origin::User {
            let (start, end) = (at.start, at.end);
            let name = property(&at.file.name);
            let _ = write!(out, "file={name},line={},endLine={},", start.line, end.line);
            // GitHub accepts columns only where an annotation stays on one line
            if start.line == end.line {
                let _ = write!(out, "col={},endColumn={},", start.column, end.column);
            }
        }
    }
    let title = format!("{}: {}", diagnostic.code.id(), one_line(&diagnostic.title));
    let _ = writeln!(out, "title={}::{}", property(&title), data(&message(sources, diagnostic)));
    out
}

/// What the annotation says under its title.
fn message(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let mut lines = Vec::new();
    for (index, label) in diagnostic.labels.iter().enumerate() {
        if index == 0 {
            lines.push(label.text.clone());
        } else {
            lines.push(format!("{}: {}", sources.line_of(label.place), label.text));
        }
    }
    lines.extend(diagnostic.notes.iter().cloned());
    lines.extend(diagnostic.fixes.iter().map(|fix| format!("help: {}", fix.title)));
    lines.push(format!("For more: mesa help {}", diagnostic.code.id()));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
