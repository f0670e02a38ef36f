//! Places as renderers need them: clamped, with lines and columns.
//!
//! In: a [`Place`]. Out: a [`Region`] that lies inside its text, on character boundaries, and does
//! not run over the end of a line it only touches.

use crate::source::{Place, SourceFile, Sources, Span};

/// One end of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Point {
    /// Byte in the text.
    pub byte: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A place inside its text; `end` is exclusive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region<'a> {
    /// The file.
    pub file: &'a SourceFile,
    /// First character.
    pub start: Point,
    /// One past the last.
    pub end: Point,
}

/// `place` as a region, exactly (only clamped): what edits need.
pub(super) fn exact(sources: &Sources, place: Place) -> Region<'_> {
    let file = sources.file(place.file);
    let start = file.clamp(place.span.start);
    let end = file.clamp(place.span.end).max(start);
    region(file, Span::new(start, end))
}

/// `place` as a region to show: without the line break it may end in.
pub(super) fn shown(sources: &Sources, place: Place) -> Region<'_> {
    let file = sources.file(place.file);
    region(file, shown_span(file, place.span))
}

/// `span` clamped to the text, without the line break it may start or end in.
pub(in crate::diagnostic) fn shown_span(file: &SourceFile, span: Span) -> Span {
    let start = before_break(file, file.clamp(span.start));
    let end = file.clamp(span.end).max(start);
    let covered = file.slice(Span::new(start, end));
    let kept = covered.trim_end_matches(['\n', '\r']).len();
    Span::new(start, start + u32::try_from(kept).unwrap_or(0))
}

/// `byte`, moved back to the `\r` where it points at the `\n` of a `\r\n`.
fn before_break(file: &SourceFile, byte: u32) -> u32 {
    let splits = byte > 0 && file.slice(Span::new(byte - 1, byte + 1)) == "\r\n";
    if splits { byte - 1 } else { byte }
}

fn region(file: &SourceFile, span: Span) -> Region<'_> {
    Region { file, start: point(file, span.start), end: point(file, span.end) }
}

fn point(file: &SourceFile, byte: u32) -> Point {
    let at = file.line_column(byte);
    Point { byte, line: at.line, column: at.column }
}
