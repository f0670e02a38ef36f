//! The one layout of a `.mesa` file.
//!
//! In: a text without syntax errors. Out: the same text laid out; there are no options. The
//! author decides where lines break, the formatter everything else: indentation by two, blanks
//! round operators, `=` and trailing clauses and comments aligned in runs of lines, at most one
//! empty line, a comma after the last element of a list that has lines of its own. Comments are
//! kept as they are, and so are line ends of `\r\n`. It works on tokens, so what it cannot name it cannot lose.

mod align;
mod lines;
mod spacing;

use super::parse::parse_file;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::FileId;

/// Lays out `text`.
///
/// # Errors
/// The syntax errors of the text; a file that cannot be read is left alone.
pub fn format(text: &str, file: FileId) -> Result<String, Vec<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let found = parse_file(text, file).diagnostics;
    if found.iter().any(|d| d.severity == Severity::Error) {
        return Err(found);
    }
    Ok(layout(text))
}

/// Lays out a text that is known to have no syntax errors. It keeps the line ends of its first line.
pub(crate) fn layout(text: &str) -> String {
    let out = laid_out(text);
    if text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) {
        return out.replace('\n', "\r\n");
    }
    out
}

/// How far a line that follows `before` is indented; `None` where the author decides.
pub(crate) fn indentation(before: &str, line: &str) -> Option<usize> {
    lines::indentation(before, line)
}

fn laid_out(text: &str) -> String {
    let mut lines = lines::lines(text);
    align::align(&mut lines);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in &lines {
        if line.blank_before && !out.is_empty() {
            out.push('\n');
        }
        line.write(&mut out);
    }
    out
}
