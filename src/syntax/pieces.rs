//! Cuts a file at what stands in column 0, without parsing it.
//!
//! In: a text. Out: [`Piece`]s that together are the text, each with the kind and name of the one
//! item it holds, so that a library can be indexed before any of it is parsed. A text literal
//! never spans lines, so column 0 is reliable even in a broken file.

use super::ast::ItemKind;
use super::words;
use crate::name::Name;

/// A part of a file: the comments and blank lines before an item, and the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte in the file.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// The kind that its first word names; `None` where the piece holds no item, or none known.
    pub kind: Option<ItemKind>,
    /// The word after the kind; for `use`, the last part of the path.
    pub name: Option<Name>,
}

impl Piece {
    /// The text of the piece in the text it was cut from.
    #[must_use]
    pub fn text<'a>(&self, file: &'a str) -> &'a str {
        file.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

/// Cuts `text` at item starts. The pieces follow each other without gaps.
#[must_use]
pub fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut piece = Piece { start: 0, end: 0, kind: None, name: None };
    let mut has_item = false;
    let mut used = 0; // the end of the last line that is neither blank nor a comment
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if starts_item(line) {
            if has_item {
                piece.end = offset(used);
                pieces.push(piece);
                piece.start = offset(used);
            }
            has_item = true;
            (piece.kind, piece.name) = headline(line);
            used = next;
        } else if !is_trivia(line) {
            used = next;
        }
        at = next;
    }
    if at > 0 {
        piece.end = offset(at);
        pieces.push(piece);
    }
    pieces
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Whatever stands in column 0, except closing brackets and comments.
fn starts_item(line: &str) -> bool {
    match line.as_bytes() {
        [b' ' | b'\t' | b'\r' | b'\n' | b')' | b']' | b'}', ..] | [] | [b'/', b'/', ..] => false,
        [..] => true,
    }
}

/// A text from its first line on that is neither blank nor a comment.
#[must_use]
pub fn after_comments(text: &str) -> &str {
    let trivia = text.split_inclusive('\n').take_while(|line| is_trivia(line));
    text.get(trivia.map(str::len).sum::<usize>()..).unwrap_or_default()
}

fn is_trivia(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', '\r', '\n']);
    line.is_empty() || line.starts_with("//")
}

fn headline(line: &str) -> (Option<ItemKind>, Option<Name>) {
    let (first, rest) = cut_word(line);
    let kind = ItemKind::from_keyword(first).or_else(|| words::foreign_item(first));
    let name = match kind {
        Some(ItemKind::Use) => last_part(rest),
        Some(_) => Some(cut_word(rest).0).filter(|name| !name.is_empty()),
        None => None,
    };
    (kind, name.map(Name::new))
}

/// The last dotted part of a path, which may begin with a file in quotes.
fn last_part(path: &str) -> Option<&str> {
    let path = path.trim_start_matches([' ', '\t']);
    let parts = match path.strip_prefix('"') {
        Some(file) => file.split_once('"').map_or("", |(_, parts)| parts),
        None => path,
    };
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let end = parts.find(|c| !part(c)).unwrap_or(parts.len());
    parts.get(..end)?.split('.').rfind(|part| !part.is_empty())
}

/// The word at the start of `text` (after blanks) and what follows it.
fn cut_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(&str, Option<&'static str>, Option<&'static str>)> {
        split(text)
            .iter()
            .map(|p| (p.text(text), p.kind.map(ItemKind::keyword), p.name.map(Name::text)))
            .collect()
    }

    #[test]
    fn pieces_are_the_file_and_comments_belong_to_what_follows() {
        let text = "//! file\n\n/// doc\naxis a\n\n// c\nchip B {\n  x = 1\n}\n\n// end\n";
        assert_eq!(
            shown(text),
            [
                ("//! file\n\n/// doc\naxis a\n", Some("axis"), Some("a")),
                ("\n// c\nchip B {\n  x = 1\n}\n\n// end\n", Some("chip"), Some("B")),
            ]
        );
    }

    #[test]
    fn what_is_no_item_is_still_a_piece() {
        assert_eq!(shown(""), []);
        assert_eq!(shown("\n// only\n"), [("\n// only\n", None, None)]);
        assert_eq!(shown("x = 3"), [("x = 3", None, None)]);
        let text = "use std.a.B // c\nuse \"./x.mesa\".A.{B}\r\nblok C {";
        let names: Vec<_> = shown(text).into_iter().map(|p| (p.1, p.2)).collect();
        assert_eq!(names, [(Some("use"), Some("B")), (Some("use"), Some("A")), (None, None)]);
    }
}
