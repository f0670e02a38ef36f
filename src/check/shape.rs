//! What an item and everything of a user's files that it uses say, but for their numbers.
//!
//! In: items. Out: a [`Shape`] for each: a key, equal for two items when their texts and those of
//! what they use differ in nothing but numbers, what the things are called, and what only people
//! read; and the numbers.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use super::imports::Imported;
use super::lint;
use super::prints::{Context, Prints, hashed};
use super::program::{ItemRef, Program};
use super::said::said;
use crate::name::Name;
use crate::source::{Place, Span};
use crate::syntax::ast::{ExprKind, ItemKind};

/// A number in a text.
#[derive(Clone, Copy, Debug)]
pub struct Literal {
    /// Where it stands, with its unit.
    pub place: Place,
    /// Its value in base units.
    pub value: f64,
}

/// What an item and what it uses say.
pub struct Shape {
    /// All but the numbers.
    pub key: Box<[u64]>,
    /// The numbers, in the same order for equal keys.
    pub numbers: Vec<Literal>,
}

/// One item as it stands in a shape.
struct Outline<'p> {
    /// Its text without numbers, sources and names of things of the user.
    text: u64,
    /// What those names mean, in their order.
    means: Vec<ItemRef<'p>>,
    numbers: Vec<Literal>,
}

/// Finds shapes; each item is looked at once.
pub struct Shapes<'p, 'k> {
    outlines: FxHashMap<usize, Rc<Outline<'p>>>,
    /// What changes of a program may matter, if shapes are to be compared with those of another
    /// version of it: the prints of its pieces, and a number for all else.
    across: Option<(&'k Prints, u64)>,
}

/// A part of an item's text that is not compared as it stands.
enum Part {
    Name(Name),
    Number {
        value: f64,
        end: u32,
    },
    /// A text that only people read.
    Said,
}

fn address(item: ItemRef<'_>) -> usize {
    std::ptr::from_ref(item.item) as usize
}

impl<'p, 'k> Shapes<'p, 'k> {
    /// Shapes of the items of one program, or with `across` of its versions.
    #[must_use]
    pub fn new(across: Option<(&'k Prints, u64)>) -> Self {
        Self { outlines: FxHashMap::default(), across }
    }

    /// Shapes that are equal in all versions of a program only where everything else that matters
    /// to the items is.
    #[must_use]
    pub fn across(prints: &'k Prints, context: &Context) -> Self {
        Self::new(Some((prints, hashed((context.world, context.metrics)))))
    }

    /// The shape of an item.
    pub fn of(&mut self, checker: &mut Checker<'p>, item: ItemRef<'p>) -> Shape {
        let mut key = Vec::new();
        let mut numbers = Vec::new();
        // Things count in the order in which they are met.
        let mut order: FxHashMap<usize, u64> = FxHashMap::default();
        let mut names: FxHashMap<Name, u64> = FxHashMap::default();
        let mut pieces: FxHashSet<usize> = FxHashSet::default();
        let mut used = Vec::new();
        let mut queue = VecDeque::from([item]);
        order.insert(address(item), 0);
        while let Some(item) = queue.pop_front() {
            let outline = self.outline(checker, item);
            let count = names.len() as u64;
            // Two things of one name may be told apart by nothing else.
            key.extend([outline.text, *names.entry(item.item.name.name).or_insert(count)]);
            numbers.extend_from_slice(&outline.numbers);
            for &meant in &outline.means {
                let next = order.len() as u64;
                let at = *order.entry(address(meant)).or_insert(next);
                if at == next {
                    queue.push_back(meant);
                }
                key.push(at);
            }
            if let Some((prints, _)) = self.across {
                let piece = checker.program.module(item.module).cut().piece_at(item.offset);
                let at = piece.and_then(|piece| prints.position(item.module, piece));
                pieces.extend(at);
                used.extend(at.into_iter().flat_map(|at| prints.used_by(at)).copied());
            }
        }
        if let Some((prints, world)) = self.across {
            // Words that are no names in expressions may mean something all the same.
            used.retain(|at| !pieces.contains(at));
            used.sort_unstable();
            used.dedup();
            key.push(world);
            key.extend(used.into_iter().map(|at| prints.print_at(at)));
        }
        Shape { key: key.into(), numbers }
    }

    fn outline(&mut self, checker: &mut Checker<'p>, item: ItemRef<'p>) -> Rc<Outline<'p>> {
        if let Some(outline) = self.outlines.get(&address(item)) {
            return outline.clone();
        }
        let outline = Rc::new(outlined(checker, item));
        self.outlines.insert(address(item), outline.clone());
        outline
    }
}

/// Whether all that is found out from the numbers of such an item is found out by guards.
fn is_guarded(kind: ItemKind) -> bool {
    !matches!(kind, ItemKind::Unit | ItemKind::Dimension | ItemKind::Dtype)
}

fn outlined<'p>(checker: &mut Checker<'p>, item: ItemRef<'p>) -> Outline<'p> {
    // What is wrong with a text was said when it was read, and not by what looks at the item.
    let cut = checker.program.module(item.module).cut();
    let part = cut.piece_at(item.offset).and_then(|piece| cut.pieces.get(piece));
    let file = checker.program.sources.file(item.file);
    let faulty = part.is_none_or(|part| !part.parsed(&file.text).1.is_empty());
    let blank = is_guarded(item.item.kind) && !faulty;
    let mut parts: Vec<(Span, Part)> = Vec::new();
    lint::each_expr(item.item, &mut |expr| match &expr.kind {
        ExprKind::Name(name) => parts.push((expr.span, Part::Name(*name))),
        ExprKind::Number { value, unit, .. } if blank => {
            let scaled = match unit {
                None => Some(*value),
                Some(u) => checker.program.unit_expr(u).ok().map(|u| u.scale(*value)),
            };
            let value = scaled.unwrap_or(f64::NAN);
            let end = unit.as_ref().map_or(expr.span.end, |u| u.span.start);
            parts.push((expr.span, Part::Number { value, end }));
        }
        _ => {}
    });
    if !faulty {
        parts.extend(said(item.item).into_iter().map(|span| (span, Part::Said)));
    }
    let (mut means, mut numbers, mut called) = (Vec::new(), Vec::new(), Vec::new());
    let spelled = spelled(checker.program, item, parts, |span, part, out| match part {
        Part::Number { value, end } => {
            numbers.push(Literal { place: item.place(span), value });
            out.push('#');
            end
        }
        Part::Said => {
            out.push_str("\"…\"");
            span.end
        }
        Part::Name(name) => {
            match meaning(checker, item, name) {
                Meaning::Own(target) => {
                    out.push('@');
                    means.push(target);
                    called.push(name);
                }
                Meaning::Other(path) => out.push_str(&path),
                Meaning::Word => out.push_str(name.text()),
            }
            span.end
        }
    });
    // A name that is also a word of the text may be a parameter's here.
    called.retain(|name| spelled.contains(name.text()));
    let mut hasher = DefaultHasher::new();
    (item.item.kind as u8, &*file.name, &spelled, faulty).hash(&mut hasher);
    called.iter().for_each(|name| name.text().hash(&mut hasher));
    Outline { text: hasher.finish(), means, numbers }
}

enum Meaning<'p> {
    /// Something in a file of the user.
    Own(ItemRef<'p>),
    /// Something else, by its path.
    Other(String),
    /// A local name.
    Word,
}

fn meaning<'p>(checker: &mut Checker<'p>, item: ItemRef<'p>, name: Name) -> Meaning<'p> {
    if name == item.item.name.name {
        return Meaning::Word;
    }
    match checker.module_name(item.module, name) {
        Some(Imported::Parsed(target)) => match checker.program.module(target.module).std_path {
            None => Meaning::Own(target),
            Some(path) => Meaning::Other(format!("@{path}.{}@", target.item.name.name)),
        },
        Some(Imported::Module(path)) => Meaning::Other(format!("@{path}@")),
        // What is wrong with it was said where it is imported.
        Some(_) => Meaning::Other(format!("@?{name}@")),
        None => Meaning::Word,
    }
}

/// What an item says after its name, with other words for parts of it: `put` writes those for a
/// part, and says where the part ends.
pub(super) fn spelled<'p, T>(
    program: &'p Program,
    item: ItemRef<'p>,
    mut parts: Vec<(Span, T)>,
    mut put: impl FnMut(Span, T, &mut String) -> u32,
) -> String {
    parts.sort_by_key(|(span, _)| span.start);
    parts.dedup_by_key(|(span, _)| span.start);
    let base = item.item.name.span.end;
    let text = program.sources.text(item.place(Span::new(base, item.item.span.end)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, part) in parts {
        let from = span.start.saturating_sub(base) as usize;
        if span.start < base || from < at {
            continue;
        }
        out.push_str(text.get(at..from).unwrap_or_default());
        at = put(span, part, &mut out).saturating_sub(base) as usize;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
