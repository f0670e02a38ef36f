//! Source texts and positions: what a place in a file is, and how it is shown.
//!
//! In: texts, from disk, from memory or embedded. Out: [`FileId`]s, [`Place`]s, lines and columns.

mod line_ends;
mod unchanged;

use std::sync::Arc;

pub use line_ends::line_ends;
pub use unchanged::unchanged;

/// A half-open range of bytes in one text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span from `start` to `end`.
    #[must_use]
    pub fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }
    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
    /// The part of a text that it spans; nothing where the text is shorter.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }
    /// The span moved right by `offset` bytes.
    #[must_use]
    pub fn shifted(self, offset: u32) -> Self {
        Self { start: self.start + offset, end: self.end + offset }
    }
}

/// Which file of a [`Sources`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A range of bytes in a known file, absolute.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// The bytes in it.
    pub span: Span,
}

/// Where a text comes from: decides how it is named and whether it may be edited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A user's file (or standard input).
    User,
    /// The embedded standard library.
    Std,
    /// Text given on the command line (`--set`, `-e`).
    Command,
}

/// A text that is cheap to copy: embedded in the program, or counted.
#[derive(Clone, Debug)]
pub enum Shared {
    /// Embedded.
    Embedded(&'static str),
    /// Read while the program runs.
    Counted(Arc<str>),
}

impl std::ops::Deref for Shared {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Embedded(text) => text,
            Self::Counted(text) => text,
        }
    }
}

/// One source text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// What a person calls it: a path as given, `std/ops.mesa`, `<stdin>`.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Shared,
    /// Where it comes from.
    pub origin: Origin,
    line_starts: std::sync::OnceLock<Arc<[u32]>>,
}

/// Line and column of a byte, both from 1; columns count Unicode scalar values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The file as a person calls it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// All texts of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl SourceFile {
    /// A source text.
    #[must_use]
    pub fn new(name: &str, text: &str, origin: Origin) -> Self {
        Self::of(name.into(), Shared::Counted(line_ends(text).into()), origin)
    }
    /// The same file with another text. Lines that are known are not looked for again where the text
    /// is the same.
    #[must_use]
    pub fn edited(&self, text: &str) -> Self {
        let known = self.line_starts.get().is_some();
        let alike = if known { unchanged(&self.text, text) } else { (0, 0) };
        self.edited_beside(text, alike)
    }
    /// The same, where it is known how much at the start and at the end is [`unchanged`].
    #[must_use]
    pub fn edited_beside(&self, text: &str, (front, back): (usize, usize)) -> Self {
        let file = Self::of(self.name.clone(), Shared::Counted(text.into()), self.origin);
        if let Some(before) = self.line_starts.get() {
            let changed = front..text.len() - back;
            let inside = text.get(changed).unwrap_or_default().match_indices('\n');
            let kept = before.iter().take_while(|at| **at as usize <= front);
            let inside = inside.map(|(i, _)| (front + i) as u32 + 1);
            // A line after the change begins after a line break that is the same.
            let until = self.text.len() - back;
            let later = before.partition_point(|at| *at as usize <= until);
            let moved = |at: &u32| (*at as usize + text.len() - self.text.len()) as u32;
            let after = before.iter().skip(later).map(moved);
            let starts = kept.copied().chain(inside).chain(after).collect();
            let _ = file.line_starts.set(starts);
        }
        file
    }
    /// The file of the library at `path`.
    #[must_use]
    pub fn of_library(path: &str, text: &'static str) -> Self {
        Self::of(["std/", path, ".mesa"].concat().into(), Shared::Embedded(text), Origin::Std)
    }
    fn of(name: Arc<str>, text: Shared, origin: Origin) -> Self {
        Self { name, text, origin, line_starts: std::sync::OnceLock::new() }
    }
    /// Byte offsets at which lines start.
    #[must_use]
    pub fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            std::iter::once(0)
                .chain(self.text.match_indices('\n').map(|(i, _)| i as u32 + 1))
                .collect()
        })
    }
    /// Zero-based line that holds `byte`.
    #[must_use]
    pub fn line_index(&self, byte: u32) -> usize {
        self.line_starts().partition_point(|&start| start <= byte).saturating_sub(1)
    }
    /// Line and column of `byte` (clamped to the text).
    #[must_use]
    pub fn line_column(&self, byte: u32) -> LineColumn {
        let byte = self.clamp(byte);
        let line = self.line_index(byte);
        let start = self.line_starts().get(line).copied().unwrap_or(0);
        let column = self.slice(Span::new(start, byte)).chars().count();
        LineColumn { line: line as u32 + 1, column: column as u32 + 1 }
    }
    /// The text of a span; empty where the span lies outside or splits a character.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
    /// `byte` moved left to the nearest character boundary inside the text.
    #[must_use]
    pub fn clamp(&self, byte: u32) -> u32 {
        let mut byte = (byte as usize).min(self.text.len());
        while byte > 0 && !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte as u32
    }
}

impl Sources {
    /// Adds a text.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(file);
        id
    }
    /// The file with this id.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // ids are made by `add` alone
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }
    /// The file called `name`, if it was added.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<FileId> {
        self.files.iter().position(|f| &*f.name == name).map(|i| FileId(i as u32))
    }
    /// All files in the order added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u32), f))
    }
    /// The text at a place.
    #[must_use]
    pub fn text(&self, place: Place) -> &str {
        self.file(place.file).slice(place.span)
    }
    /// The file and line of a place.
    #[must_use]
    pub fn spot(&self, place: Place) -> Spot {
        let file = self.file(place.file);
        let line = file.line_column(place.span.start).line;
        Spot { file: file.name.to_string(), line }
    }
    /// `name:line` of a place, as reports show it.
    #[must_use]
    pub fn line_of(&self, place: Place) -> String {
        let file = self.file(place.file);
        format!("{}:{}", file.name, file.line_column(place.span.start).line)
    }
}
