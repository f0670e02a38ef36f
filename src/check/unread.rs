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
use crate::diagnostic::{Diagnostic, Severity};
use crate::name::Name;
use crate::source::{Place, Span};
use crate::syntax::ast::{Body, ExprKind, Item, Stmt, StmtKind};

/// What a piece says that cannot be read.
#[derive(Default)]
pub struct Unread {
    /// The words that stand there.
    pub words: FxHashSet<Name>,
    /// Those among them that may be given a value there.
    bound: FxHashSet<Name>,
    /// Whether results could hang on it.
    pub lost: bool,
    /// Whether its first line cannot be read: what was to stand there is not known.
    pub headless: bool,
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
            if item.broken {
                (out.lost, out.headless) = (true, true);
                let body = item.body.as_ref().map_or(item.span.end, |body| body.span.start);
                out.slice(Span::new(item.span.start, body).of(text));
            }
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
            out.slice(text.get(end as usize..).unwrap_or(""));
        }
        out
    }

    fn body(&mut self, body: &Body, text: &str) {
        if !body.closed {
            (self.lost, self.open) = (true, true);
            self.slice(text);
        }
        for stmt in &body.stmts {
            if matches!(stmt.kind, StmtKind::Error) {
                let slice = stmt.span.of(text);
                self.lost |= !is_wish(slice);
                self.slice(slice);
            }
            stmt.each_body(&mut |body| self.body(body, text));
        }
    }

    fn slice(&mut self, slice: &str) {
        self.words.extend(words(slice).map(Name::new));
        self.bound.extend(bound_by(slice));
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

/// Statements that give nothing a value.
const BINDING_NOTHING: [&str; 8] =
    ["shard", "zero", "overlap", "output", "require", "expect", "where", "grad"];

/// What unreadable statements may give a value to: the words before the first sign of each.
fn bound_by(slice: &str) -> impl Iterator<Item = Name> + '_ {
    let starts = slice.split(['\n', '{', '}', ';']);
    let starts = starts.map(|stmt| stmt.split(['=', '[', '(', '"', ':']).next().unwrap_or(""));
    let binds = |stmt: &&str| words(stmt).next().is_none_or(|w| !BINDING_NOTHING.contains(&w));
    starts.filter(binds).flat_map(words).map(Name::new)
}

/// The words of a title that stand for names in the text.
fn quoted(title: &str) -> impl Iterator<Item = Name> + '_ {
    title.split('`').skip(1).step_by(2).flat_map(words).map(Name::new)
}

impl Program {
    /// What the parser said of a whole module (parses all of it).
    #[must_use]
    pub fn syntax_diagnostics(&self, id: ModuleId) -> Vec<Diagnostic> {
        self.syntax_findings(id).collect()
    }
    /// The same one by one, parsing a piece when what it says is asked for.
    pub(super) fn syntax_findings(&self, id: ModuleId) -> impl Iterator<Item = Diagnostic> + '_ {
        let pieces = 0..self.module(id).cut().pieces.len();
        pieces.flat_map(move |piece| self.syntax_findings_of(id, piece))
    }
    /// The same of one piece.
    pub(super) fn syntax_findings_of(
        &self,
        id: ModuleId,
        piece: usize,
    ) -> impl Iterator<Item = Diagnostic> + '_ {
        let module = self.module(id);
        let text = &self.sources.file(module.file).text;
        module.cut().pieces.get(piece).into_iter().flat_map(move |part| {
            let found = part.parsed(text).1.iter();
            found.map(move |d| d.clone().moved(module.file, part.piece.start))
        })
    }

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

    /// Whether a word stands where a module does not say what it imports or declares: something may
    /// be called so.
    fn is_lost_name(&self, id: ModuleId, name: Name) -> bool {
        let module = self.module(id);
        module.cut().lost_names(&self.sources.file(module.file).text).contains(&name)
    }
}

impl<'p> Checker<'p> {
    /// Whether a finding may only say again that something cannot be read: it names what may get
    /// its value there, or warns of what may be used there.
    pub(super) fn is_echo(&self, finding: &Diagnostic) -> bool {
        let program = self.program;
        // What is declared twice is, whatever else it says.
        let Some(place) = finding.place().filter(|_| finding.code != codes::DUPLICATE_NAME) else {
            return false;
        };
        let Some((module, piece)) = program.piece_of(place) else { return false };
        let names: Vec<Name> = quoted(&finding.title).collect();
        let own = program.unread(module, piece);
        let own = own.is_some_and(|own| {
            let words = match finding.severity {
                Severity::Error => &own.bound,
                Severity::Warning | Severity::Note => &own.words,
            };
            own.open || names.iter().any(|name| words.contains(name))
        });
        let text = &program.sources.file(place.file).text;
        let here = words(place.span.of(text)).map(Name::new);
        own || here.chain(names.iter().copied()).any(|name| {
            let others = || names.iter().filter(|other| **other != name);
            let unread = self.lost_of(module, piece, name);
            let mut said = others().filter_map(|other| Some(unread?.words.contains(other)));
            unread.is_some() && (others().next().is_none() || said.any(|said| said))
        }) || names.iter().any(|name| self.is_nowhere(module, *name))
    }

    /// What cannot be read of the item of a user's, another than the piece `own`, that a name
    /// means, where a part of it was lost.
    fn lost_of(&self, module: ModuleId, own: usize, name: Name) -> Option<&'p Unread> {
        let program = self.program;
        let unread = match program.module(module).cut().names.get(&name) {
            Some(at) => program.unread(module, *at).filter(|_| *at != own),
            None => match self.imports.get(&module)?.get(&name)? {
                Imported::Item(from, name) => {
                    program.unread(*from, *program.module(*from).cut().names.get(name)?)
                }
                _ => None,
            },
        };
        unread.filter(|unread| unread.lost)
    }

    /// Whether a name means nothing, but an item or an import that cannot be read may have it.
    fn is_nowhere(&self, module: ModuleId, name: Name) -> bool {
        let declared = self.program.module(module).cut().names.contains_key(&name);
        let imported = || self.imports.get(&module).is_some_and(|all| all.get(&name).is_some());
        !declared && !imported() && self.program.is_lost_name(module, name)
    }

    /// The item of which a part was lost, among an item and everything that it uses.
    fn unread_beneath(&mut self, item: ItemRef<'p>) -> Option<(ModuleId, usize)> {
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

    /// What is wrong with the syntax of what an item rests on: why nothing can be computed from it.
    pub fn in_the_way_of(&mut self, item: ItemRef<'p>) -> Vec<Diagnostic> {
        let Some((module, piece)) = self.unread_beneath(item) else { return Vec::new() };
        self.program.syntax_findings_of(module, piece).collect()
    }

    /// Whether nothing that is computed from an item can be right, as a part of what it uses was
    /// lost.
    pub(crate) fn rests_on_unread(&mut self, item: ItemRef<'p>) -> bool {
        let address = std::ptr::from_ref(item.item) as usize;
        if let Some(known) = self.resting.get(&address) {
            return *known;
        }
        let rests = self.unread_beneath(item).is_some();
        self.resting.insert(address, rests);
        rests
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
