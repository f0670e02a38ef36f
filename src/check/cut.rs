//! A text cut into pieces, each parsed when it is first looked at.
//!
//! In: a text, and what it was before. Out: [`Cut`]. Pieces that an edit left alone keep what was
//! parsed of them, and programs that hold the same text share it.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};

use super::library;
use super::unread::{self, Unread};
use crate::diagnostic::{Diagnostic, Severity};
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
    unread: OnceLock<Unread>,
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
    pub names: Arc<FxHashMap<Name, usize>>,
    /// The same for units, which have names of their own.
    pub units: Arc<FxHashMap<Name, usize>>,
    lost: OnceLock<FxHashSet<Name>>,
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
    /// Whether something in it is an error of syntax.
    #[must_use]
    pub fn is_broken(&self, file: &str) -> bool {
        self.parsed(file).1.iter().any(|d| d.severity == Severity::Error)
    }
    /// Every word of its text, each once.
    #[must_use]
    pub fn words(&self, file: &str) -> &[Name] {
        self.content.words.get_or_init(|| {
            let unique: FxHashSet<&str> = unread::words(self.piece.text(file)).collect();
            unique.into_iter().map(Name::new).collect()
        })
    }
    /// What it says that cannot be read.
    #[must_use]
    pub fn unread(&self, file: &str) -> &Unread {
        self.content.unread.get_or_init(|| {
            let (items, found) = self.parsed(file);
            Unread::of(items, found, self.piece.text(file))
        })
    }
    /// Every name that its items mention, or may mention where they cannot be read.
    #[must_use]
    pub fn mentioned(&self, file: &str) -> &FxHashSet<Name> {
        self.content.mentioned.get_or_init(|| {
            let mut names = FxHashSet::default();
            for item in self.parsed(file).0.iter().filter(|i| i.kind != ItemKind::Use) {
                super::lint::names_of_item(item, &mut names);
            }
            names.extend(&self.unread(file).words);
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
    /// keep their content, and are not looked at. `alike` is what is [`unchanged`](crate::source::unchanged).
    #[must_use]
    pub fn again(&self, old: &str, text: &str, alike: (usize, usize)) -> Self {
        let (front, back) = self.untouched(old, alike);
        let at = |i: usize| self.pieces.get(i).map_or(old.len(), |part| part.piece.start as usize);
        // What is before `start` and after `end` is the same, and cut at the same lines.
        let (start, end) = (at(front), text.len() + at(back) - old.len());
        let shift = |piece: Piece, from: usize, to: usize| {
            let moved = |at: u32| u32::try_from(at as usize + to - from).unwrap_or(u32::MAX);
            Piece { start: moved(piece.start), end: moved(piece.end), ..piece }
        };
        let pieces = split(text.get(start..end).unwrap_or_default()).into_iter();
        let pieces: Vec<Piece> = pieces.map(|piece| shift(piece, 0, start)).collect();
        let heads = |piece: &Piece| (piece.kind, piece.name);
        let were = self.pieces.get(front..back).unwrap_or_default().iter();
        let named_alike = were.map(|part| heads(&part.piece)).eq(pieces.iter().map(heads));
        let before = self.pieces.get(front..back).unwrap_or_default();
        let same = |a: &Part, b: &Piece| a.piece.text(old) == b.text(text);
        let first = before.iter().zip(&pieces).take_while(|(a, b)| same(a, b)).count();
        let left = before.len().min(pieces.len()) - first;
        let ends = before.iter().rev().zip(pieces.iter().rev()).take(left);
        let last = ends.take_while(|(a, b)| same(a, b)).count();
        let after = pieces.len();
        let part = |(i, piece): (usize, Piece)| {
            let kept = match i {
                _ if i < first => before.get(i),
                _ if i >= after - last => before.get(before.len() + i - after),
                _ => None,
            };
            let content = kept.map_or_else(Arc::default, |part| part.content.clone());
            Part { piece, content, tree: 0..0 }
        };
        let again = |part: &Part, piece| Part { piece, content: part.content.clone(), tree: 0..0 };
        let fronts = self.pieces.iter().take(front).map(|p| again(p, p.piece));
        let middle = pieces.into_iter().enumerate().map(part);
        let ends = self.pieces.iter().skip(back);
        let backs = ends.map(|p| again(p, shift(p.piece, old.len(), text.len())));
        let all: Vec<Part> = fronts.chain(middle).chain(backs).collect();
        if named_alike {
            // Everything is called as it was, and where it was.
            let (names, units) = (self.names.clone(), self.units.clone());
            return Self { pieces: all, names, units, lost: OnceLock::new() };
        }
        Self::of(all)
    }

    /// How many pieces of `old` at its start are cut the same in `text`, and from which piece on
    /// those at its end are. Where a piece ends is decided by its own lines and by the first line of
    /// the next one, so the pieces next to what changed are cut again.
    fn untouched(&self, old: &str, (start, end): (usize, usize)) -> (usize, usize) {
        let front = self.pieces.partition_point(|part| part.piece.end as usize <= start);
        let changed = old.len() - end;
        // The line break before it must be the same as well.
        let back = self.pieces.partition_point(|part| part.piece.start as usize <= changed);
        (front.saturating_sub(1), (back + 1).min(self.pieces.len()))
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
        Self { pieces, names: Arc::new(names), units: Arc::new(units), lost: OnceLock::new() }
    }

    /// The words of imports and first lines that cannot be read, and of what is no item at all.
    pub(super) fn lost_names(&self, file: &str) -> &FxHashSet<Name> {
        self.lost.get_or_init(|| {
            let nameless = |kind| matches!(kind, None | Some(ItemKind::Use));
            let parts = self.pieces.iter().map(|part| (part.piece.kind, part.unread(file)));
            let lost = parts.filter(|(kind, unread)| unread.headless || nameless(*kind));
            lost.flat_map(|(_, unread)| unread.words.iter().copied()).collect()
        })
    }

    /// The piece that holds a byte of the text; the last one at its end.
    #[must_use]
    pub fn piece_at(&self, byte: u32) -> Option<usize> {
        let after = self.pieces.partition_point(|part| part.piece.start <= byte);
        after.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::unchanged;

    const TEXT: &str = "//! of\n\nuse std.a.B\n\n/// doc\nchip A {\n  x = 1\n}\n\n// c\nunit u\n\
        axis a\n/// \u{e9}\nblock B {\n  y = 2 // z\n\n}\nnonsense here\nconst c = 3\n\n// end\n";
    const SNIPPETS: [&str; 14] = [
        "",
        "x",
        "\n",
        "//",
        "// c\n",
        "}",
        "}\n",
        "\nchip Z {\n",
        "axis q",
        " ",
        "\u{e9}",
        "\r\n",
        "\"",
        "const d = 4\n\n",
    ];

    #[test]
    fn after_any_edits_a_text_is_cut_as_if_it_were_new() {
        let mut state = 7_u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % n
        };
        let long = TEXT.repeat(40);
        let (mut text, mut cut) = (String::new(), Cut::new(""));
        for step in 0..20_000 {
            let old = text.clone();
            let boundary = |at: usize| (0..=at).rev().find(|i| old.is_char_boundary(*i)).unwrap();
            match below(40) {
                0 => text = TEXT.to_owned(),
                1 => text.clone_from(&long),
                2 => text.clear(),
                _ => {
                    let from = boundary(below(old.len() + 1));
                    let most = [0, 1, 3, 40][below(4)];
                    let to = boundary((from + below(most + 1)).min(old.len())).max(from);
                    text.replace_range(from..to, SNIPPETS[below(SNIPPETS.len())]);
                }
            }
            let alike = unchanged(&old, &text);
            let (again, new) = (cut.again(&old, &text, alike), Cut::new(&text));
            let pieces = |cut: &Cut| cut.pieces.iter().map(|p| p.piece).collect::<Vec<_>>();
            assert_eq!(pieces(&again), pieces(&new), "step {step}: {old:?} became {text:?}");
            assert_eq!(again.names, new.names);
            assert_eq!(again.units, new.units);
            for (kept, part) in again.pieces.iter().zip(&new.pieces) {
                assert_eq!(kept.hash(&text), part.hash(&text), "step {step}: {text:?}");
            }
            cut = again;
        }
    }

    #[test]
    fn an_edit_leaves_the_content_of_other_pieces_alone() {
        let text = TEXT.repeat(3);
        let cut = Cut::new(&text);
        let at = text.rfind("x = 1").unwrap();
        let mut new = text.clone();
        new.replace_range(at..=at, "long");
        let again = cut.again(&text, &new, unchanged(&text, &new));
        let pairs = cut.pieces.iter().zip(&again.pieces);
        let kept = pairs.filter(|(a, b)| Arc::ptr_eq(&a.content, &b.content)).count();
        assert_eq!(kept, cut.pieces.len() - 1);
    }
}
