//! What a text says that cannot be read, and what must not be said because of it.
//!
//! In: pieces with mistakes in their syntax. Out: the words that stand in unreadable places, whether
//! anything was lost with them, and so which findings would only repeat such a mistake, and which
//! items have no results as long as it stands.

use rustc_hash::FxHashSet;

use super::imports::Imported;
use super::lint::each_expr;
use super::program::{ItemRef, ModuleId, Program};
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Body, ExprKind, Item, Stmt, StmtKind};

/// What a piece says that cannot be read.
#[derive(Default)]
pub struct Unread {
    /// The words that stand there.
    pub words: FxHashSet<Name>,
    /// Whether results could hang on it.
    pub lost: bool,
    /// Whether it has no end: any statement may stand in the wrong place.
    pub open: bool,
}

impl Unread {
    /// Of the items of a piece, with what was found in its syntax and its text.
    #[must_use]
    pub fn of(items: &[Item], found: &[Diagnostic], text: &str) -> Self {
        let mut out = Self::default();
        if found.is_empty() {
            return out;
        }
        for item in items {
            out.lost |= item.broken;
            item.body.iter().for_each(|body| out.body(body, text));
            each_expr(item, &mut |expr| match &expr.kind {
                ExprKind::Error => out.lost = true,
                ExprKind::With(_, body) => out.body(body, text),
                _ => {}
            });
        }
        // What stands behind the end of an item belongs to nothing.
        let end = items.iter().map(|item| item.span.end).max().unwrap_or(0);
        if found.iter().filter_map(Diagnostic::place).any(|place| place.span.start >= end) {
            out.lost = true;
            out.words.extend(words(text.get(end as usize..).unwrap_or("")).map(Name::new));
        }
        out
    }

    fn body(&mut self, body: &Body, text: &str) {
        if !body.closed {
            (self.lost, self.open) = (true, true);
            self.words.extend(words(text).map(Name::new));
        }
        for stmt in &body.stmts {
            if matches!(stmt.kind, StmtKind::Error) {
                let slice = stmt.span.of(text);
                self.lost |= !is_wish(slice);
                self.words.extend(words(slice).map(Name::new));
            }
            stmt.each_body(&mut |body| self.body(body, text));
        }
    }
}

/// The words of a text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(move |c: char| !is_part(c));
    words.filter(|w| !w.is_empty() && !w.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a statement is, or begins to be, an `expect`: no result hangs on it.
fn is_wish(slice: &str) -> bool {
    let first = slice.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    !first.is_empty() && "expect".starts_with(first)
}

/// What an unreadable statement gives a value to: the words before its first sign.
pub(super) fn bound_by(slice: &str) -> impl Iterator<Item = Name> + '_ {
    words(slice.split(['=', '[', '(', '{', '"', ':']).next().unwrap_or("")).map(Name::new)
}

/// The words of a title that stand for names in the text.
fn quoted(title: &str) -> impl Iterator<Item = Name> + '_ {
    title.split('`').skip(1).step_by(2).flat_map(words).map(Name::new)
}

impl Program {
    /// What a piece says that cannot be read.
    fn unread(&self, module: ModuleId, piece: usize) -> Option<&Unread> {
        let module = self.module(module);
        let part = module.cut().pieces.get(piece).filter(|_| module.std_path.is_none())?;
        Some(part.unread(&self.sources.file(module.file).text))
    }

    /// The piece that holds a place in a file of a user.
    fn piece_of(&self, place: Place) -> Option<(ModuleId, usize)> {
        let mut modules = self.modules().filter(|(_, m)| m.std_path.is_none());
        let (id, module) = modules.find(|(_, m)| m.file == place.file)?;
        Some((id, module.cut().piece_at(place.span.start)?))
    }

    /// Whether a word stands where a module cannot be read at all: what is imported or declared
    /// there may be called so.
    fn is_lost_name(&self, id: ModuleId, name: Name) -> bool {
        let module = self.module(id);
        module.cut().lost_names(&self.sources.file(module.file).text).contains(&name)
    }
}

impl<'p> Checker<'p> {
    /// Whether a finding may only say again what cannot be read: it stands in an item of which a
    /// part cannot be read, or is about one, and names what stands there.
    pub(super) fn is_echo(&self, finding: &Diagnostic) -> bool {
        let program = self.program;
        // What is declared twice is, whatever else it says.
        let Some(place) = finding.place().filter(|_| finding.code != codes::DUPLICATE_NAME) else {
            return false;
        };
        let Some((module, piece)) = program.piece_of(place) else { return false };
        let own = program.unread(module, piece);
        if own.is_some_and(|unread| unread.open) {
            return true;
        }
        let text = &program.sources.file(place.file).text;
        let mut names = quoted(&finding.title).chain(words(place.span.of(text)).map(Name::new));
        names.any(|name| {
            own.is_some_and(|unread| unread.words.contains(&name))
                || self.is_about_unread(module, piece, name)
        })
    }

    /// Whether a name in a piece means an item of a user's of which a part was lost, or may mean
    /// one that cannot be read at all.
    fn is_about_unread(&self, module: ModuleId, own: usize, name: Name) -> bool {
        let program = self.program;
        if let Some(at) = program.module(module).cut().names.get(&name) {
            return *at != own && program.unread(module, *at).is_some_and(|unread| unread.lost);
        }
        let imported = self.imports.get(&module).and_then(|imports| imports.get(&name).cloned());
        match imported {
            Some(Imported::Item(from, name)) => {
                let at = program.module(from).cut().names.get(&name);
                at.and_then(|at| program.unread(from, *at)).is_some_and(|unread| unread.lost)
            }
            Some(_) => false,
            None => program.is_lost_name(module, name),
        }
    }

    /// The item of which a part was lost, among an item and everything that it uses: as long as it
    /// is not mended, nothing that is computed from it can be right.
    pub fn unread_beneath(&mut self, item: ItemRef<'p>) -> Option<(ModuleId, usize)> {
        let program = self.program;
        let mut seen: FxHashSet<(ModuleId, usize)> = FxHashSet::default();
        let mut next = vec![(item.module, item.offset)];
        while let Some((module, offset)) = next.pop() {
            let held = program.module(module);
            let Some(piece) = held.cut().piece_at(offset).filter(|_| held.std_path.is_none())
            else {
                continue;
            };
            if !seen.insert((module, piece)) {
                continue;
            }
            if program.unread(module, piece).is_some_and(|unread| unread.lost) {
                return Some((module, piece));
            }
            let text = &program.sources.file(held.file).text;
            let part = held.cut().pieces.get(piece);
            for name in part.into_iter().flat_map(|part| part.mentioned(text)) {
                if let Some(Imported::Parsed(used)) = self.module_name(module, *name) {
                    next.push((used.module, used.offset));
                }
            }
        }
        None
    }

    /// Whether nothing that is computed from an item can be right: see [`Self::unread_beneath`].
    pub(crate) fn rests_on_unread(&mut self, item: ItemRef<'p>) -> bool {
        self.unread_beneath(item).is_some()
    }

    /// What an unreadable statement of a block may give a value to has none that is known.
    pub(super) fn poison(&mut self, stmt: &Stmt, env: &Env<'p>) {
        let place = env.site().place(stmt.span);
        let text = &self.program.sources.file(place.file).text;
        for name in bound_by(place.span.of(text)) {
            env.bind(name, Value::Error);
        }
    }
}
