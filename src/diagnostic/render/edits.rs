//! A fix as a person reads it: the lines it touches, before and after.
//!
//! In: a [`Fix`]. Out: lines such as `3 - weights = f8` and `3 + weights = fp8`, or nothing where
//! the fix is too large to be shown.

use std::fmt::Write as _;

use super::clean::clean;
use crate::diagnostic::{Edit, Fix};
use crate::source::{FileId, SourceFile, Sources, Span};

/// A fix that touches more lines than this is described by its title alone.
const MOST_LINES: usize = 8;
/// Lines longer than this are not repeated.
const LONGEST_LINE: usize = 160;

/// Neighbouring lines that a fix rewrites.
struct Hunk {
    first_line: usize,
    old: String,
    new: String,
}

/// The edits of `fix` as lines with `-` and `+`; empty where they are too many or too long.
/// Files other than `home` are named.
pub(super) fn preview(sources: &Sources, fix: &Fix, home: Option<FileId>) -> String {
    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
    edits.sort_by_key(|e| e.place);
    let mut out = String::new();
    let mut lines = 0;
    for group in edits.chunk_by(|a, b| a.place.file == b.place.file) {
        let Some(id) = group.first().map(|e| e.place.file) else { continue };
        let file = sources.file(id);
        if home != Some(id) {
            let _ = writeln!(out, "{}:", clean(&file.name));
        }
        for hunk in hunks(file, group) {
            lines += hunk.old.lines().count() + hunk.new.lines().count();
            if lines > MOST_LINES || is_long(&hunk.old) || is_long(&hunk.new) {
                return String::new();
            }
            hunk.write(&mut out);
        }
    }
    out
}

fn is_long(text: &str) -> bool {
    text.lines().any(|line| line.len() > LONGEST_LINE)
}

impl Hunk {
    /// Without the lines that stay the same at both ends.
    fn new(first_line: usize, old: &str, new: &str) -> Self {
        let mut old: Vec<&str> = old.lines().collect();
        let mut new: Vec<&str> = new.lines().collect();
        let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        old.drain(..same);
        new.drain(..same);
        while old.last().is_some() && old.last() == new.last() {
            old.pop();
            new.pop();
        }
        Self { first_line: first_line + same, old: old.join("\n"), new: new.join("\n") }
    }

    fn write(&self, out: &mut String) {
        let last = self.first_line + self.old.lines().count().max(self.new.lines().count());
        let width = last.saturating_sub(1).max(1).to_string().len();
        for (sign, text) in [('-', &self.old), ('+', &self.new)] {
            for (offset, line) in text.lines().enumerate() {
                let number = self.first_line + offset;
                let line = line.replace('\t', "    ");
                let line = clean(line.trim_end());
                let _ = writeln!(out, "{number:>width$} {sign} {line}");
            }
        }
    }
}

/// The edits of one file, in order, gathered by the lines they touch.
fn hunks(file: &SourceFile, edits: &[&Edit]) -> Vec<Hunk> {
    let mut hunks: Vec<(usize, u32, Vec<&Edit>)> = Vec::new();
    for edit in edits {
        let start = file.clamp(edit.place.span.start);
        let end = file.clamp(edit.place.span.end).max(start);
        let first = file.line_index(start);
        let last = file.line_index(if end > start { end - 1 } else { end });
        let stop = line_start(file, last + 1).max(end);
        match hunks.last_mut() {
            Some((_, until, list)) if line_start(file, first) < *until => {
                *until = stop.max(*until);
                list.push(edit);
            }
            _ => hunks.push((first, stop, vec![edit])),
        }
    }
    hunks.into_iter().map(|(first, until, list)| hunk(file, first, until, &list)).collect()
}

fn hunk(file: &SourceFile, first: usize, until: u32, edits: &[&Edit]) -> Hunk {
    let start = line_start(file, first);
    let mut new = String::new();
    let mut at = start;
    for edit in edits {
        let span = edit.place.span;
        new.push_str(file.slice(Span::new(at, file.clamp(span.start).max(at))));
        new.push_str(&edit.text);
        at = file.clamp(span.end).max(at);
    }
    new.push_str(file.slice(Span::new(at, until)));
    Hunk::new(first + 1, file.slice(Span::new(start, until)), &new)
}

fn line_start(file: &SourceFile, line: usize) -> u32 {
    let end = u32::try_from(file.text.len()).unwrap_or(u32::MAX);
    file.line_starts().get(line).copied().unwrap_or(end)
}
