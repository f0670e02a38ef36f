//! A text cut into pieces, each parsed when it is first looked at.
//!
//! In: a text, and what it was before. Out: [`Cut`]. Pieces that an edit left alone keep what was
//! parsed of them, and programs that hold the same text share it.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};

use super::library;
use crate::diagnostic::Diagnostic;
use crate::name::Name;
use crate::source::FileId;
use crate::syntax::ast::{Item, ItemKind};
use crate::syntax::packed::{Names, library as packed};
use crate::syntax::parse::{Piece, after_comments, parse_piece, split};

/// The names of the packed trees.
static NAMES: LazyLock<Names> = LazyLock::new(|| Names::new(library::NAMES));

/// What a piece says, wherever it stands: spans in it count from its start.
#[derive(Default)]
pub struct Content {
    parsed: OnceLock<(Vec<Item>, Vec<Diagnostic>)>,
    words: OnceLock<Vec<Name>>,
    mentioned: OnceLock<FxHashSet<Name>>,
    hash: OnceLock<u64>,
}

/// A piece of a file with its content.
#[derive(Clone)]
pub struct Part {
    /// Where it stands, and what its first line says.
    pub piece: Piece,
    /// What it says.
    pub content: Arc<Content>,
    /// Where its tree lies in the library, if it is of the library.
    tree: Range<usize>,
}

/// A text cut at item starts.
#[derive(Default)]
pub struct Cut {
    /// The pieces, which together are the text.
    pub pieces: Vec<Part>,
    /// Name to piece, first declaration wins.
    pub names: FxHashMap<Name, usize>,
    /// The same for units, which have names of their own.
    pub units: FxHashMap<Name, usize>,
}

impl Part {
    /// Its items, and what is wrong with it, in places that count from its start.
    #[must_use]
    pub fn parsed(&self, file: &str) -> &(Vec<Item>, Vec<Diagnostic>) {
        self.content.parsed.get_or_init(|| {
            if let Some(items) = packed::items(library::PACKED, &self.tree, &NAMES) {
                return (items, Vec::new());
            }
            let parsed = parse_piece(self.piece.text(file), FileId(0), 0);
            (parsed.items, parsed.diagnostics)
        })
    }
    /// Every word of its text, each once.
    #[must_use]
    pub fn words(&self, file: &str) -> &[Name] {
        self.content.words.get_or_init(|| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let words = self.piece.text(file).split(|c: char| !is_part(c));
            let words =
                words.filter(|w| !w.is_empty() && !w.starts_with(|c: char| c.is_ascii_digit()));
            let unique: FxHashSet<&str> = words.collect();
            unique.into_iter().map(Name::new).collect()
        })
    }
    /// Every name that its items mention.
    #[must_use]
    pub fn mentioned(&self, file: &str) -> &FxHashSet<Name> {
        self.content.mentioned.get_or_init(|| {
            let mut names = FxHashSet::default();
            for item in self.parsed(file).0.iter().filter(|i| i.kind != ItemKind::Use) {
                super::lint::names_of_item(item, &mut names);
            }
            names
        })
    }
    /// A number for its text from the first line that is more than a comment.
    #[must_use]
    pub fn hash(&self, file: &str) -> u64 {
        *self.content.hash.get_or_init(|| {
            let mut hasher = std::hash::DefaultHasher::new();
            after_comments(self.piece.text(file)).hash(&mut hasher);
            hasher.finish()
        })
    }
}

impl Cut {
    /// Cuts a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let pieces = split(text);
        let part = |piece| Part { piece, content: Arc::default(), tree: 0..0 };
        Self::of(pieces.into_iter().map(part).collect())
    }

    /// The pieces of a file of the library, by its position there.
    #[must_use]
    pub fn of_library(position: usize) -> Self {
        let pieces = packed::pieces(library::PACKED, position, &NAMES);
        let part = |(piece, tree)| Part { piece, content: Arc::default(), tree };
        let pieces = pieces.map(|pieces| Self::of(pieces.into_iter().map(part).collect()));
        let text = library::FILES.get(position).map_or("", |(_, text)| text);
        pieces.unwrap_or_else(|| Self::new(text))
    }

    /// Cuts a text that was `old` before, cut into `self`: pieces before and after what changed
    /// keep their content.
    #[must_use]
    pub fn again(&self, old: &str, text: &str) -> Self {
        let pieces = split(text);
        let same = |a: &Part, b: &Piece| a.piece.text(old) == b.text(text);
        let front = self.pieces.iter().zip(&pieces).take_while(|(a, b)| same(a, b)).count();
        let left = self.pieces.len().min(pieces.len()) - front;
        let ends = self.pieces.iter().rev().zip(pieces.iter().rev()).take(left);
        let back = ends.take_while(|(a, b)| same(a, b)).count();
        let (before, after) = (self.pieces.len(), pieces.len());
        let part = |(i, piece): (usize, Piece)| {
            let kept = match i {
                _ if i < front => self.pieces.get(i),
                _ if i >= after - back => self.pieces.get(before + i - after),
                _ => None,
            };
            let content = kept.map_or_else(Arc::default, |part| part.content.clone());
            Part { piece, content, tree: 0..0 }
        };
        Self::of(pieces.into_iter().enumerate().map(part).collect())
    }

    fn of(pieces: Vec<Part>) -> Self {
        let (mut names, mut units) = (FxHashMap::default(), FxHashMap::default());
        for (i, part) in pieces.iter().enumerate() {
            match (part.piece.name, part.piece.kind) {
                (Some(name), Some(ItemKind::Unit)) => units.entry(name).or_insert(i),
                (Some(name), Some(kind)) if kind != ItemKind::Use => names.entry(name).or_insert(i),
                _ => continue,
            };
        }
        Self { pieces, names, units }
    }

    /// The piece that holds a byte of the text; the last one at its end.
    #[must_use]
    pub fn piece_at(&self, byte: u32) -> Option<usize> {
        let after = self.pieces.partition_point(|part| part.piece.start <= byte);
        after.checked_sub(1)
    }
}
