//! Braces that are never closed, and bodies that fall apart in column 0.
//!
//! In: a piece, or the findings of all pieces. Out: where a brace is missing, and fewer findings.

use super::super::lower::Lower;
use super::super::pieces::Piece;
use super::super::token::{Kind, tokens};
use super::indent;
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::source::{FileId, Place, Span};

/// The braces of a piece that are never closed. A closing brace that starts its line belongs to
/// a line indented like it, so an inner brace is found rather than the outermost one.
pub(in crate::syntax) fn unclosed_braces(text: &str) -> Vec<usize> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut lost = Vec::new();
    let mut line_start = true;
    for token in tokens(text) {
        match token.text(text) {
            "{" => open.push((token.start, indent(text, token.start))),
            "}" => {
                let own = indent(text, token.start);
                while line_start
                    && open.len() > 1
                    && open.last().is_some_and(|(_, column)| *column > own)
                {
                    lost.extend(open.pop().map(|(at, _)| at));
                }
                open.pop();
            }
            _ => {}
        }
        line_start = token.kind == Kind::Line;
    }
    lost.extend(open.into_iter().map(|(at, _)| at));
    lost.sort_unstable();
    lost
}

/// An opening bracket without its partner. `open` counts bytes in the text of `lower`.
pub(in crate::syntax) fn unclosed(lower: &Lower<'_>, open: usize, bracket: char) -> Diagnostic {
    let close = match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    let place = lower.place(lower.bytes(open, open + 1));
    let title = format!("this `{bracket}` is never closed");
    let mut diagnostic =
        Diagnostic::new(codes::UNCLOSED, title, place, format!("its `{close}` is missing"));
    if bracket == '{' {
        let (at, text) = missing_brace(lower.text, open);
        let at = lower.place(lower.bytes(at, at));
        diagnostic = diagnostic.fix("close the body", at, text, Safety::Review);
    }
    diagnostic
}

/// Where the closing brace of the body opened at `open` belongs, and how it is written there.
fn missing_brace(text: &str, open: usize) -> (usize, String) {
    let column = indent(text, open);
    let mut at = open;
    let mut last = open + 1;
    for (number, line) in text.get(open..).unwrap_or("").split_inclusive('\n').enumerate() {
        let content = line.trim();
        let width = line.len() - line.trim_start_matches([' ', '\t']).len();
        if number > 0 && !content.is_empty() && width <= column {
            break;
        }
        if !content.is_empty() {
            last = at + line.trim_end().len();
        }
        at += line.len();
    }
    let one_line = !text.get(open..last).unwrap_or("").contains('\n');
    let write = if one_line { " }".to_owned() } else { format!("\n{}}}", " ".repeat(column)) };
    (last, write)
}

/// How many lines in column 0 are looked at for the end of a body.
const MOST_LINES: usize = 30;

/// A body with lines in column 0 falls into pieces: that is said once, at the first such line.
/// `found` holds the findings of each piece.
pub(in crate::syntax) fn merge_unindented(
    text: &str,
    pieces: &[Piece],
    found: &mut [Vec<Diagnostic>],
) {
    for (index, piece) in pieces.iter().enumerate() {
        let opens = |d: &Diagnostic| d.code == codes::UNCLOSED;
        let open = found.get(index).is_some_and(|found| found.iter().any(opens));
        if piece.kind.is_none() || !open {
            continue;
        }
        let balanced = |last: &Piece| {
            let whole = text.get(piece.start as usize..last.end as usize).unwrap_or("");
            unclosed_braces(whole).is_empty()
        };
        let rest = pieces.get(index + 1..).unwrap_or_default();
        let lines = rest.iter().take_while(|p| p.kind.is_none()).take(MOST_LINES);
        let Some(last) = lines.into_iter().position(balanced) else { continue };
        if let Some(found) = found.get_mut(index) {
            found.retain(|d| !opens(d));
        }
        let rest = found.get_mut(index + 1..index + 2 + last).unwrap_or_default();
        let mut kept = false;
        for diagnostics in rest.iter_mut() {
            diagnostics.retain(|_| !std::mem::replace(&mut kept, true));
        }
        if let Some(found) = rest.iter_mut().flatten().next()
            && let Some(first) = pieces.get(index + 1)
            && piece.text(text).trim_end().ends_with('{')
        {
            *found = not_indented(found, first, text);
        }
    }
}

fn not_indented(found: &Diagnostic, first: &Piece, text: &str) -> Diagnostic {
    let line = first.text(text).trim_start();
    let start = first.end.saturating_sub(u32::try_from(line.len()).unwrap_or(0));
    let width = line.lines().next().map_or(0, |line| line.trim_end().len());
    let span = Span::new(start, start + u32::try_from(width).unwrap_or(0));
    let file = found.place().map_or(FileId(0), |p| p.file);
    let place = Place { file, span };
    let title = "the body of this item is not indented";
    Diagnostic::new(codes::UNEXPECTED, title, place, "stands in column 0")
        .note("what stands in column 0 starts an item; indent the body by two blanks")
}
