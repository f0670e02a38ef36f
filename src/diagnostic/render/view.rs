//! Our [`Sources`] as codespan-reporting's `Files`: the one place where the two meet.
//!
//! In: sources. Out: names, lines and columns for codespan, with very long lines cut down to the
//! part around their labels, so that a report stays readable whatever the file holds.

use std::ops::Range;

use codespan_reporting::files::{Error, Files};
use rustc_hash::FxHashMap;
use unicode_width::UnicodeWidthChar;

use super::region::shown_span;
use crate::source::{FileId, Place, SourceFile, Sources};

/// Lines longer than this many bytes are cut.
const LONGEST_LINE: usize = 320;
/// Bytes kept before a label in a line that is cut.
const BEFORE_LABEL: usize = 60;
/// A label over more lines than this is drawn at its first line only.
const MOST_LINES: usize = 12;

/// The sources as one diagnostic shows them.
pub(super) struct View<'a> {
    sources: &'a Sources,
    windows: FxHashMap<(FileId, usize), Range<usize>>,
}

impl<'a> View<'a> {
    /// A view of `sources` with whole lines.
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { sources, windows: FxHashMap::default() }
    }

    /// The bytes to draw for `place`; cuts its lines where they are too long.
    pub(super) fn range(&mut self, place: Place) -> Range<usize> {
        let file = self.sources.file(place.file);
        let span = shown_span(file, place.span);
        let (first, last) = (file.line_index(span.start), file.line_index(span.end));
        let start = self.fit(place.file, first, span.start as usize);
        if last - first > MOST_LINES {
            let line = self.line(place.file, first);
            let text = file.text.get(line.clone()).unwrap_or("").trim_end();
            return start..(line.start + text.len()).max(start);
        }
        let end = self.fit(place.file, last, span.end as usize).max(start);
        start..visible_end(file, start, end)
    }

    /// Whether a line of the file is cut.
    pub(super) fn cuts(&self) -> bool {
        !self.windows.is_empty()
    }

    /// `byte` of a line, moved into the part of the line that is shown.
    fn fit(&mut self, file: FileId, line: usize, byte: usize) -> usize {
        let whole = whole_line(self.sources.file(file), line);
        if whole.len() > LONGEST_LINE && !self.windows.contains_key(&(file, line)) {
            let start = byte.saturating_sub(BEFORE_LABEL).max(whole.start);
            let window = window(self.sources.file(file), start, whole.end);
            self.windows.insert((file, line), window);
        }
        let shown = self.line(file, line);
        byte.clamp(shown.start, shown.end)
    }

    fn line(&self, id: FileId, line: usize) -> Range<usize> {
        if let Some(window) = self.windows.get(&(id, line)) {
            return window.clone();
        }
        let file = self.sources.file(id);
        let whole = whole_line(file, line);
        if whole.len() > LONGEST_LINE { window(file, whole.start, whole.end) } else { whole }
    }
}

/// `end`, moved right over the next visible character where everything before it is invisible:
/// a caret needs something to stand under.
fn visible_end(file: &SourceFile, start: usize, end: usize) -> usize {
    let covered = file.text.get(start..end).unwrap_or("");
    if covered.is_empty() || covered.chars().any(is_visible) {
        return end;
    }
    let line = file.text.get(end..).unwrap_or("").split(['\r', '\n']).next().unwrap_or("");
    let next = line.char_indices().find(|(_, c)| is_visible(*c));
    next.map_or(end + line.len(), |(at, c)| end + at + c.len_utf8())
}

fn is_visible(c: char) -> bool {
    matches!(c, '\t' | '\n') || c.width().is_some_and(|width| width > 0)
}

/// At most [`LONGEST_LINE`] bytes from `start`, on character boundaries.
fn window(file: &SourceFile, start: usize, end: usize) -> Range<usize> {
    let clamp = |byte: usize| file.clamp(u32::try_from(byte).unwrap_or(u32::MAX)) as usize;
    clamp(start)..clamp(end.min(start + LONGEST_LINE))
}

fn whole_line(file: &SourceFile, line: usize) -> Range<usize> {
    let starts = file.line_starts();
    let end = file.text.len();
    let start = starts.get(line).map_or(end, |&s| s as usize);
    start..starts.get(line + 1).map_or(end, |&s| s as usize)
}

impl<'a> Files<'a> for View<'_> {
    type FileId = FileId;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, id: FileId) -> Result<&'a str, Error> {
        Ok(&self.sources.file(id).name)
    }
    fn source(&'a self, id: FileId) -> Result<&'a str, Error> {
        Ok(&self.sources.file(id).text)
    }
    fn line_index(&'a self, id: FileId, byte: usize) -> Result<usize, Error> {
        Ok(self.sources.file(id).line_index(u32::try_from(byte).unwrap_or(u32::MAX)))
    }
    fn column_number(&'a self, id: FileId, _line: usize, byte: usize) -> Result<usize, Error> {
        let byte = u32::try_from(byte).unwrap_or(u32::MAX);
        Ok(self.sources.file(id).line_column(byte).column as usize)
    }
    fn line_range(&'a self, id: FileId, line: usize) -> Result<Range<usize>, Error> {
        let max = self.sources.file(id).line_starts().len().saturating_sub(1);
        if line > max {
            return Err(Error::LineTooLarge { given: line, max });
        }
        Ok(self.line(id, line))
    }
}
