//! The whole library as bytes: where the pieces of each file lie, and their trees.
//!
//! In: the texts of all files, when Mesa is built. Out: bytes and the names in them; from those,
//! the pieces of one file, and the tree of one piece.
//!
//! The bytes start with where each file begins (four bytes each, the lowest first). A file is its
//! number of pieces, then kind, name, length and length of the tree of each, then the trees.

use std::ops::Range;

use super::{Names, Packed, Reader, Writer};
use crate::name::Name;
use crate::source::FileId;
use crate::syntax::ast::Item;
use crate::syntax::parse::parse_piece;
use crate::syntax::pieces::{Piece, split};

/// All files as bytes, with the names that these refer to.
#[must_use]
pub fn pack(texts: &[&str]) -> (Vec<u8>, Vec<Name>) {
    let mut all = Writer::default();
    let mut starts = Vec::new();
    for text in texts {
        starts.push((4 * texts.len() + all.bytes.len()) as u32);
        pack_file(text, &mut all);
    }
    let mut bytes: Vec<u8> = starts.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.extend(all.bytes);
    (bytes, all.names)
}

fn pack_file(text: &str, all: &mut Writer) {
    let pieces = split(text);
    let before = std::mem::take(&mut all.bytes);
    let mut ends = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        let parsed = parse_piece(piece.text(text), FileId(0), piece.start);
        all.last = 0;
        if parsed.diagnostics.is_empty() {
            parsed.items.write(all);
        }
        ends.push(all.bytes.len());
    }
    let trees = std::mem::replace(&mut all.bytes, before);
    all.length(pieces.len());
    let mut start = 0;
    for (piece, end) in pieces.iter().zip(ends) {
        piece.kind.write(all);
        piece.name.write(all);
        all.length((piece.end - piece.start) as usize);
        all.length(end - start);
        start = end;
    }
    all.bytes.extend(trees);
}

/// A piece of a file, and where the bytes of its tree lie; none where it has to be parsed.
pub type PackedPiece = (Piece, Range<usize>);

/// The pieces of the file at this position among those packed.
#[must_use]
pub fn pieces(bytes: &[u8], file: usize, names: &Names) -> Option<Vec<PackedPiece>> {
    let start = u32::from_le_bytes(*bytes.get(4 * file..)?.first_chunk()?) as usize;
    let mut from = Reader::new(bytes.get(start..)?, names);
    let count = from.length()?;
    let mut pieces = Vec::with_capacity(count.min(from.bytes.len()));
    let (mut at, mut tree) = (0, 0);
    for _ in 0..count {
        let (kind, name) = Packed::read(&mut from)?;
        let end = at + u32::try_from(from.number()?).ok()?;
        let tree_end = tree + from.length()?;
        pieces.push((Piece { start: at, end, kind, name }, tree..tree_end));
        (at, tree) = (end, tree_end);
    }
    let trees = bytes.len() - from.bytes.len();
    for (_, range) in &mut pieces {
        *range = range.start + trees..range.end + trees;
    }
    Some(pieces)
}

/// The items of the piece whose tree lies here; nothing where it has to be parsed.
#[must_use]
pub fn items(bytes: &[u8], tree: &Range<usize>, names: &Names) -> Option<Vec<Item>> {
    Packed::read(&mut Reader::new(bytes.get(tree.clone())?, names))
}
