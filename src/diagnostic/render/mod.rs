//! Renderers: one file for each way a finding is shown.
//!
//! In: [`Diagnostic`]s and the [`Sources`] their places lie in. Out: one text, ready to be printed.
//! Renderers only read. Places are clamped to the text (see `region`), so a finding with a wild
//! span is drawn somewhere sensible instead of failing.

mod clean;
mod edits;
mod github;
mod json;
mod region;
mod sarif;
mod short;
mod text;
mod view;

#[cfg(test)]
mod tests;

pub(in crate::diagnostic) use region::shown_span;

use super::Diagnostic;
use crate::source::Sources;

/// How findings are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For people: the lines in question, drawn, with every place involved.
    #[default]
    Text,
    /// One line for each finding: `file:line:column: error[E0201]: title`.
    Short,
    /// For programs: versioned JSON.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For GitHub Actions: workflow commands that become annotations.
    Github,
}

/// How a text for people is laid out. The formats for programs ignore it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether to colour, with ANSI escapes.
    pub color: bool,
    /// Columns that notes are wrapped to; 0 never wraps.
    pub width: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { color: false, width: 100 }
    }
}

/// Renders `diagnostics`, in the order given. Ends with a newline unless it is empty.
#[must_use]
pub fn render(
    format: Format,
    sources: &Sources,
    diagnostics: &[Diagnostic],
    options: &Options,
) -> String {
    match format {
        Format::Text => text::render(sources, diagnostics, options),
        Format::Short => short::render(sources, diagnostics),
        Format::Json => json::render(sources, diagnostics),
        Format::Sarif => sarif::render(sources, diagnostics),
        Format::Github => github::render(sources, diagnostics),
    }
}
