//! Formatting: of a document, of the items that a range touches, while typing.
//!
//! In: a view and a range. Out: edits, one for each item that changes; items that cannot be read
//! are left alone, and so is everything else in them.

use super::resolve::View;
use crate::diagnostic::Severity;
use crate::source::Span;
use crate::syntax::format::format;

/// The edits that lay out the pieces that a range touches.
#[must_use]
pub fn edits(view: &View<'_>, range: Span) -> Vec<(Span, String)> {
    let whole = Span::new(0, view.text.len() as u32);
    if range == whole
        && let Ok(text) = format(view.text, view.file)
    {
        return smallest(view.text, whole, &text).into_iter().collect();
    }
    let cut = view.program.module(view.module).cut();
    let mut out = Vec::new();
    for part in &cut.pieces {
        let span = Span::new(part.piece.start, part.piece.end);
        let broken = part.parsed(view.text).1.iter().any(|d| d.severity == Severity::Error);
        if broken || span.end <= range.start || span.start > range.end {
            continue;
        }
        let text = part.piece.text(view.text);
        let Ok(new) = format(text, view.file) else { continue };
        // Blank lines between items belong to the file.
        let core = text.trim();
        let start = span.start + (text.len() - text.trim_start().len()) as u32;
        let inner = Span::new(start, start + core.len() as u32);
        out.extend(smallest(view.text, inner, new.trim()));
    }
    out
}

/// The part of `span` that changes, on whole lines.
fn smallest(text: &str, span: Span, new: &str) -> Option<(Span, String)> {
    let old = text.get(span.start as usize..span.end as usize)?;
    if old == new {
        return None;
    }
    let lines = |a: &str, b: &str| {
        let same = a.split_inclusive('\n').zip(b.split_inclusive('\n'));
        same.take_while(|(a, b)| a == b).map(|(a, _)| a.len()).sum::<usize>()
    };
    let front = lines(old, new);
    let (rest_old, rest_new) = (old.get(front..)?, new.get(front..)?);
    let back: usize = {
        let a: Vec<&str> = rest_old.split_inclusive('\n').collect();
        let b: Vec<&str> = rest_new.split_inclusive('\n').collect();
        let same = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b);
        same.map(|(a, _)| a.len()).sum()
    };
    let start = span.start + front as u32;
    let end = span.end - back as u32;
    let text = rest_new.get(..rest_new.len() - back)?;
    Some((Span::new(start, end), text.to_owned()))
}

/// Edits after a character was typed: a closing brace lays out its item, a new line gets the
/// indentation that it should have.
#[must_use]
pub fn typed(view: &View<'_>, byte: u32, typed: &str) -> Vec<(Span, String)> {
    match typed {
        "}" => {
            let at = Span::new(byte.saturating_sub(1), byte.saturating_sub(1));
            edits(view, at)
        }
        "\n" => indent(view, byte).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn indent(view: &View<'_>, byte: u32) -> Option<(Span, String)> {
    let before = view.text.get(..byte as usize)?;
    let start = before.rfind('\n')? + 1;
    let line = view.text.get(start..)?.split('\n').next()?;
    let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
    let context = super::context::context(view, start as u32);
    let closes = line.trim_start().starts_with(['}', ')', ']']);
    let depth = context.open.len() - usize::from(closes && !context.open.is_empty());
    let wanted = "  ".repeat(depth);
    let span = Span::new(start as u32, (start + blanks) as u32);
    let now = view.text.get(start..start + blanks)?;
    (now != wanted).then_some((span, wanted))
}
