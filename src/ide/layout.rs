//! Formatting: of a document, of the items that a range touches, while typing.
//!
//! In: a view and a range. Out: edits, each within a line or between two, so that cursors and marks
//! stay where they are; items that cannot be read are left alone.

use super::resolve::View;
use crate::source::Span;
use crate::syntax::format::{indentation, layout};

/// The edits that lay out the pieces that a range touches.
#[must_use]
pub fn edits(view: &View<'_>, range: Span) -> Vec<(Span, String)> {
    let whole = Span::new(0, view.text.len() as u32);
    let pieces = &view.program.module(view.module).cut().pieces;
    let touched =
        pieces.iter().map(|part| (part, core(view.text, part.piece.start, part.piece.end)));
    let touched = touched.filter(|(_, span)| span.start <= range.end && range.start <= span.end);
    let broken = |index: usize| pieces.get(index).is_some_and(|part| part.is_broken(view.text));
    if (0..pieces.len()).any(broken) {
        let sound = touched.filter(|(part, _)| !part.is_broken(view.text));
        return sound.flat_map(|(_, span)| piece_edits(view.text, span)).collect();
    }
    let mut all = changed(view.text, whole, &layout(view.text));
    if range != whole {
        let spans: Vec<Span> = touched.map(|(_, span)| span).collect();
        all.retain(|(edit, _)| spans.iter().any(|s| s.start <= edit.start && edit.end <= s.end));
    }
    all
}

/// From the first line of a piece with something on it to the end of the last: blank lines between
/// items belong to the file.
fn core(text: &str, start: u32, end: u32) -> Span {
    let piece = text.get(start as usize..end as usize).unwrap_or("");
    let lead = piece.len() - piece.trim_start().len();
    let lead = piece.get(..lead).and_then(|blank| blank.rfind('\n')).map_or(0, |at| at + 1);
    let rest = piece.get(piece.trim_end().len()..).unwrap_or("");
    let blanks = rest.find('\n').unwrap_or(rest.len());
    let blanks = rest.get(..blanks).map_or(0, |b| b.trim_end_matches('\r').len());
    Span::new(start + lead as u32, start + (piece.trim_end().len() + blanks) as u32)
}

/// The edits of one piece alone.
fn piece_edits(text: &str, span: Span) -> Vec<(Span, String)> {
    let old = text.get(span.start as usize..span.end as usize).unwrap_or("");
    changed(text, span, layout(old).trim())
}

/// The lines of a text with something on them: without blanks at their end and line ends.
fn lines(text: &str) -> Vec<Span> {
    let mut at = 0;
    let mut out = Vec::new();
    for line in text.split_inclusive('\n') {
        let end = line.trim_end_matches(['\n', '\r']).len();
        if !line.trim().is_empty() {
            out.push(Span::new(at, at + end as u32));
        }
        at += line.len() as u32;
    }
    out
}

/// What changes from a part of a text to how it is laid out: the formatter changes lines and what
/// stands between them, never which lines there are.
fn changed(text: &str, span: Span, new: &str) -> Vec<(Span, String)> {
    let part = |text: &str, from: u32, to: u32| {
        text.get(from as usize..to as usize).unwrap_or("").to_owned()
    };
    let old = part(text, span.start, span.end);
    if old == new {
        return Vec::new();
    }
    let (before, after) = (lines(&old), lines(new));
    if before.len() != after.len() {
        return vec![(span, new.to_owned())];
    }
    let mut out = Vec::new();
    let mut put = |from: u32, to: u32, text: String| {
        out.push((Span::new(from, to).shifted(span.start), text));
    };
    let (mut from, mut from_new) = (0, 0);
    for (line, line_new) in before.iter().zip(&after) {
        let (gap, now) = (part(&old, from, line.start), part(new, from_new, line_new.start));
        // Line ends are replaced whole.
        if gap != now {
            put(from, line.start, now);
        }
        let (was, now) =
            (part(&old, line.start, line.end), part(new, line_new.start, line_new.end));
        if was != now {
            let same = |(a, b): &(char, char)| a == b;
            let front: usize =
                was.chars().zip(now.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
            let rest = was.get(front..).unwrap_or("").chars().rev();
            let rest = rest.zip(now.get(front..).unwrap_or("").chars().rev());
            let back: usize = rest.take_while(same).map(|(c, _)| c.len_utf8()).sum();
            let kept = now.get(front..now.len() - back).unwrap_or("");
            put(line.start + front as u32, line.end - back as u32, kept.to_owned());
        }
        (from, from_new) = (line.end, line_new.end);
    }
    let (gap, now) = (part(&old, from, old.len() as u32), part(new, from_new, new.len() as u32));
    if gap != now {
        put(from, old.len() as u32, now);
    }
    out
}

/// Edits after a character was typed: the brace that closes an item lays it out, a new line gets the
/// indentation that it should have.
#[must_use]
pub fn typed(view: &View<'_>, byte: u32, typed: &str) -> Vec<(Span, String)> {
    match typed {
        "}" => closed(view, byte),
        "\n" => indent(view, byte).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// After a brace at the start of a line: its item, or its line alone while the item is not whole.
fn closed(view: &View<'_>, byte: u32) -> Vec<(Span, String)> {
    let at = byte.saturating_sub(1);
    let line = view.text.get(..at as usize).and_then(|t| t.rsplit('\n').next()).unwrap_or("");
    let cut = view.program.module(view.module).cut();
    let part = cut.piece_at(at).and_then(|index| cut.pieces.get(index));
    let Some(part) = part.filter(|_| line.trim().is_empty()) else { return Vec::new() };
    if part.is_broken(view.text) {
        return indent(view, at).into_iter().collect();
    }
    piece_edits(view.text, core(view.text, part.piece.start, part.piece.end))
}

fn indent(view: &View<'_>, byte: u32) -> Option<(Span, String)> {
    let start = view.text.get(..byte as usize)?.rfind('\n')? + 1;
    let line = view.text.get(start..)?.split_inclusive('\n').next().unwrap_or("");
    let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
    // The item that goes on here, or the last one: what stands in column 0 would start another.
    let cut = view.program.module(view.module).cut();
    let before = |end: usize| cut.piece_at(end as u32).and_then(|i| cut.pieces.get(i));
    let last = view.text.get(..start)?.trim_end().len().checked_sub(1)?;
    let from = before(last)?.piece.start as usize;
    let wanted = " ".repeat(indentation(view.text.get(from..start)?, line)?);
    let now = view.text.get(start..start + blanks)?;
    (now != wanted).then(|| (Span::new(start as u32, (start + blanks) as u32), wanted))
}
