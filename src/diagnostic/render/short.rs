//! One line for each finding: what editors, `grep` and logs read.
//!
//! In: findings. Out: `file:line:column: error[E0201]: title`; columns count characters.

use super::clean::{clean, one_line};
use super::region;
use crate::diagnostic::Diagnostic;
use crate::source::Sources;

pub(super) fn render(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| line(sources, d)).collect()
}

/// The line for one finding, with its newline.
pub(super) fn line(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let fact = format!(
        "{}[{}]: {}",
        diagnostic.severity.word(),
        diagnostic.code.id(),
        one_line(&diagnostic.title)
    );
    let Some(place) = diagnostic.place() else { return fact + "\n" };
    let at = region::shown(sources, place);
    let name = clean(&at.file.name);
    format!("{name}:{}:{}: {fact}\n", at.start.line, at.start.column)
}
