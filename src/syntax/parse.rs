//! From text to syntax tree.
//!
//! In: a file, or one [`Piece`] of it. Out: items and diagnostics; parsing never fails as a whole.
//! Spans in the tree are relative to the piece, so that an edit elsewhere leaves it as it is;
//! diagnostics have absolute places.

use std::sync::Arc;

use pest::Parser;

use super::ast::Item;
use super::depth;
use super::grammar::{Grammar, Rule};
use super::lower::{Lower, clean_doc};
pub use super::pieces::{Piece, after_comments, split};
use super::recover;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{FileId, Place, Span, line_ends};

/// What a piece holds.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Its items: one, or none where nothing could be made of it.
    pub items: Vec<Item>,
    /// What is wrong with it, in absolute places.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct ParsedFile {
    /// The pieces, which together are the file.
    pub pieces: Vec<Piece>,
    /// Each item with the index of its piece.
    pub items: Vec<(usize, Item)>,
    /// The `//!` lines, markers removed.
    pub file_docs: Option<Arc<str>>,
    /// What is wrong with the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// The text of a file, without a byte-order mark, with line ends as [`line_ends`] makes them.
///
/// # Errors
/// The offset of the first byte that is not UTF-8.
pub fn decode(bytes: &[u8]) -> Result<String, usize> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.valid_up_to())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(line_ends(text).into_owned())
}

/// Parses a whole file.
#[must_use]
pub fn parse_file(text: &str, file: FileId) -> ParsedFile {
    let pieces = split(text);
    let mut parsed = ParsedFile { file_docs: file_docs(text), ..ParsedFile::default() };
    let mut found = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        let part = parse_piece(piece.text(text), file, piece.start);
        parsed.items.extend(part.items.into_iter().map(|item| (index, item)));
        found.push(part.diagnostics);
    }
    recover::merge_unindented(text, &pieces, &mut found);
    parsed.diagnostics = found.into_iter().flatten().collect();
    parsed.pieces = pieces;
    parsed
}

/// Parses one piece. `text` is the piece alone, `offset` where it starts in its file.
#[must_use]
pub fn parse_piece(text: &str, file: FileId, offset: u32) -> Parsed {
    if let Some(at) = depth::too_deep(text) {
        return Parsed { items: Vec::new(), diagnostics: vec![too_nested(file, offset + at)] };
    }
    let Ok(mut pairs) = Grammar::parse(Rule::piece, text) else {
        return Parsed::default(); // the grammar accepts every text
    };
    let mut lower = Lower::new(text, file, offset);
    let items = pairs.next().map(|piece| lower.piece(piece)).unwrap_or_default();
    Parsed { items, diagnostics: lower.finish() }
}

fn too_nested(file: FileId, at: u32) -> Diagnostic {
    let place = Place { file, span: Span::new(at, at + 1) };
    let limit = depth::MAX_DEPTH;
    Diagnostic::new(
        codes::TOO_NESTED,
        "this is nested too deeply to be read",
        place,
        "one level too many",
    )
    .note(format!(
        "brackets nest at most {limit} deep, and one expression chains at most 500 operators; \
         give parts of it names of their own"
    ))
}

fn file_docs(text: &str) -> Option<Arc<str>> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with("//"))
        .filter_map(|line| line.strip_prefix("//!"))
        .map(clean_doc)
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_nesting_allowed_is_read_on_a_small_stack() {
        let n = depth::MAX_DEPTH - 2;
        for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("f(if a then (", ") else b)")] {
            let n = if open.len() > 2 { n / 2 } else { n };
            let text = format!("const x = {}1{}", open.repeat(n), close.repeat(n));
            let parsed = parse_piece(&text, FileId(0), 0);
            assert_eq!(parsed.diagnostics, []);
        }
        let text = format!("chip X {{\n{}a = 1{}", "a {\n".repeat(n), "}\n".repeat(n + 1));
        assert_eq!(parse_piece(&text, FileId(0), 0).diagnostics, []);
    }

    #[test]
    fn nesting_beyond_the_limit_is_one_diagnostic() {
        for open in ["(", "[", "{", "f(", "if ", "- ", "not ", "a with {", "a.", "1 + "] {
            let text = format!("const x = {}", open.repeat(50_000));
            let found = parse_piece(&text, FileId(0), 0).diagnostics;
            assert!(
                found.iter().all(|d| d.code == codes::TOO_NESTED) && found.len() == 1,
                "{open}"
            );
        }
    }
}
