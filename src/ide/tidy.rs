//! What an action writes, in the one layout: a file that was laid out stays so.
//!
//! In: a view and edits. Out: the same edits, or those that give the laid out text, for each piece
//! that was laid out before and would not be after.

use super::document::with_ends_of;
use super::resolve::View;
use crate::diagnostic::Edit;
use crate::source::{Place, Span};
use crate::syntax::format::layout;

/// Lays out what edits make of each piece.
pub(super) fn tidy(view: &View<'_>, edits: &mut Vec<Edit>) {
    let file = view.program.sources.file(view.file);
    let pieces = &view.program.module(view.module).cut().pieces;
    for part in pieces {
        let text = part.piece.text(view.text);
        let start = part.piece.start + (text.len() - text.trim_start().len()) as u32;
        let span = Span::new(start, start + text.trim().len() as u32);
        let inside = |e: &Edit| {
            let at = e.place.span;
            e.place.file == view.file && span.start <= at.start && at.end <= span.end
        };
        let mut own: Vec<&Edit> = edits.iter().filter(|e| inside(e)).collect();
        if own.is_empty() || layout(text.trim()).trim_end() != text.trim() {
            continue;
        }
        own.sort_by_key(|e| (e.place.span.start, e.place.span.end));
        let mut new = String::new();
        let mut at = span.start;
        for edit in own {
            let Some(kept) = view.text.get(at as usize..edit.place.span.start as usize) else {
                return; // edits that overlap are nobody's
            };
            new.push_str(kept);
            new.push_str(&with_ends_of(file, &edit.text));
            at = edit.place.span.end;
        }
        new.push_str(view.text.get(at as usize..span.end as usize).unwrap_or(""));
        let laid_out = layout(&new);
        let ends = new.len() - new.trim_end().len();
        let after = new.get(new.len() - ends..).unwrap_or("");
        if laid_out.trim_end() == new.trim_end() {
            continue;
        }
        let text = format!("{}{after}", laid_out.trim_end());
        edits.retain(|e| !inside(e));
        edits.push(Edit { place: Place { file: view.file, span }, text });
    }
}
