//! A text under edit: lines, positions as editors count them, and edits.
//!
//! In: edits in positions of the client's encoding. Out: the text, and its cut into pieces, kept
//! from one version to the next.

use std::borrow::Cow;
use std::sync::Arc;

use crate::check::Cut;
use crate::source::{Origin, SourceFile, Span, line_ends, unchanged};

/// How a client counts columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// In bytes.
    Utf8,
    /// In units of UTF-16, as the protocol does unless agreed otherwise.
    #[default]
    Utf16,
}

/// A position as editors count: both from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in units of the encoding.
    pub column: u32,
}

/// Where a line ends, without its `\n` or `\r\n`.
fn line_span(file: &SourceFile, line: usize) -> Span {
    let starts = file.line_starts();
    let size = file.text.len() as u32;
    let start = starts.get(line).copied().unwrap_or(size);
    let end = starts.get(line + 1).copied().unwrap_or(size);
    let text = file.slice(Span::new(start, end));
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Span::new(start, start + text.len() as u32)
}

/// The byte at a position; a column beyond the end of its line is that end.
#[must_use]
pub fn byte_of(file: &SourceFile, position: Position, encoding: Encoding) -> u32 {
    let lines = file.line_starts().len();
    if position.line as usize >= lines {
        return file.text.len() as u32;
    }
    let line = line_span(file, position.line as usize);
    let text = file.slice(line);
    let column = position.column as usize;
    let inside = match encoding {
        Encoding::Utf8 => file.clamp(line.start + column.min(text.len()) as u32) - line.start,
        Encoding::Utf16 if text.is_ascii() => column.min(text.len()) as u32,
        Encoding::Utf16 => {
            let mut units = 0;
            let mut bytes = text.len();
            for (at, c) in text.char_indices() {
                if units + c.len_utf16() > column {
                    bytes = at;
                    break;
                }
                units += c.len_utf16();
            }
            bytes as u32
        }
    };
    line.start + inside
}

/// The position of a byte.
#[must_use]
pub fn position_of(file: &SourceFile, byte: u32, encoding: Encoding) -> Position {
    let byte = file.clamp(byte);
    let line = file.line_index(byte);
    let start = file.line_starts().get(line).copied().unwrap_or(0);
    let text = file.slice(Span::new(start, byte));
    let column = match encoding {
        Encoding::Utf8 => text.len(),
        Encoding::Utf16 if text.is_ascii() => text.len(),
        Encoding::Utf16 => text.encode_utf16().count(),
    };
    Position { line: line as u32, column: column as u32 }
}

/// A text with the line ends of a file: those of its first line.
#[must_use]
pub fn with_ends_of(file: &SourceFile, text: &str) -> String {
    let first = file.text.split_inclusive('\n').next().unwrap_or("");
    let text = text.replace("\r\n", "\n");
    if first.ends_with("\r\n") { text.replace('\n', "\r\n") } else { text }
}

/// A text with its pieces.
#[derive(Clone)]
pub struct Text {
    /// The text with its name.
    pub file: SourceFile,
    /// Its pieces.
    pub cut: Arc<Cut>,
    /// The text as the editor has it, where it ends lines otherwise.
    pub raw: Option<Arc<str>>,
}

impl Text {
    /// A text that was not known before.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file = SourceFile::new(name, text, Origin::User);
        let raw = (*file.text != *text).then(|| text.into());
        let cut = Arc::new(Cut::new(&file.text));
        Self { file, cut, raw }
    }
    /// The next version of it.
    #[must_use]
    pub fn with(&self, text: &str) -> Self {
        let clean = line_ends(text);
        let raw = matches!(clean, Cow::Owned(_)).then(|| text.into());
        let alike = unchanged(&self.file.text, &clean);
        let cut = Arc::new(self.cut.again(&self.file.text, &clean, alike));
        Self { file: self.file.edited_beside(&clean, alike), cut, raw }
    }
    /// The text after edits, as the editor has it.
    #[must_use]
    pub fn changed(&self, changes: &[Change], encoding: Encoding) -> String {
        match &self.raw {
            Some(raw) => changed(&self.file, raw, changes, encoding),
            None => changed(&self.file, &self.file.text, changes, encoding),
        }
    }
}

/// An edit: what is replaced (everything, without a range), and by what.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is replaced.
    pub range: Option<(Position, Position)>,
    /// By what.
    pub text: String,
}

/// The text after edits, each made on the result of the one before. `raw` is the text of the file
/// with the line ends of the editor.
fn changed(file: &SourceFile, raw: &str, changes: &[Change], encoding: Encoding) -> String {
    let mut last: Option<String> = None;
    for change in changes {
        let before = last.take();
        let cleaned = before.as_ref().map(|text| file.edited(&line_ends(text)));
        let (now, raw) = (cleaned.as_ref().unwrap_or(file), before.as_deref().unwrap_or(raw));
        last = Some(match change.range {
            None => change.text.strip_prefix('\u{feff}').unwrap_or(&change.text).to_owned(),
            Some((start, end)) => {
                let (start, end) = (byte_of(now, start, encoding), byte_of(now, end, encoding));
                let (start, end) = (start.min(end), end.max(start));
                let mut text = String::with_capacity(now.text.len() + change.text.len());
                text.push_str(raw.get(..start as usize).unwrap_or(""));
                text.push_str(&change.text);
                text.push_str(raw.get(end as usize..).unwrap_or(""));
                text
            }
        });
    }
    last.unwrap_or_else(|| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_in_both_encodings() {
        let file = SourceFile::new("a", "a\u{e9}\u{1F600}b\r\n\u{4e16}x\n", Origin::User);
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for (byte, _) in file.text.char_indices() {
                let position = position_of(&file, byte as u32, encoding);
                let end = line_span(&file, position.line as usize).end;
                assert_eq!(byte_of(&file, position, encoding), (byte as u32).min(end), "{byte}");
            }
        }
        let at = |column| byte_of(&file, Position { line: 0, column }, Encoding::Utf16);
        assert_eq!([at(0), at(1), at(2), at(3), at(4), at(5), at(99)], [0, 1, 3, 3, 7, 8, 8]);
    }

    #[test]
    fn lines_of_an_edited_text_are_those_of_a_new_one() {
        let texts =
            ["", "\n", "a", "a\n", "a\n\nb\r\n", "b\n\na\n", "\n\n\n", "a\nxx\n\nb\r\n", "\r\n"];
        for old in texts {
            let file = SourceFile::new("a", old, Origin::User);
            let _ = file.line_starts();
            for new in texts {
                let fresh = SourceFile::new("a", new, Origin::User);
                let edited = file.edited(new);
                assert_eq!(edited.line_starts(), fresh.line_starts(), "{old:?} became {new:?}");
            }
        }
    }

    #[test]
    fn edits_follow_each_other() {
        let file = SourceFile::new("a", "one\ntwo\n", Origin::User);
        let at = |line, column| Position { line, column };
        let edits = [
            Change { range: Some((at(0, 3), at(1, 0))), text: " ".into() },
            Change { range: Some((at(0, 4), at(0, 7))), text: "2".into() },
        ];
        assert_eq!(changed(&file, &file.text, &edits, Encoding::Utf16), "one 2\n");
    }

    #[test]
    fn a_carriage_return_ends_a_line_and_stays_in_the_text_of_the_editor() {
        let text = Text::new("a", "one\rtwo\r\nx\n");
        assert_eq!(&*text.file.text, "one\ntwo\r\nx\n");
        let at = |line, column| Position { line, column };
        let edits = [
            Change { range: Some((at(1, 3), at(1, 3))), text: "!".into() },
            Change { range: Some((at(2, 0), at(2, 1))), text: String::new() },
            Change { range: Some((at(1, 0), at(1, 4))), text: String::new() },
        ];
        let after = text.changed(&edits, Encoding::Utf16);
        assert_eq!(after, "one\r\r\n\n");
        assert_eq!(&*text.with(&after).file.text, "one\n\r\n\n");
    }
}
