//! Checking a module again after an edit: pieces whose text and meaning are as before keep their
//! findings.
//!
//! In: a program, a module, and what was [`Kept`] of it. Out: the findings of the whole module,
//! equal to those of a check from nothing. Every piece is checked as if it were the only one, so
//! that its findings depend on nothing but itself and what it uses; what several pieces find is
//! said once.

use std::cell::OnceCell;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::cut::{Content, Part};
use super::names::Imported;
use super::program::{ItemRef, ModuleId, Program};
use super::twins::{Templates, Twins};
use super::{Checker, codes};
use crate::diagnostic::{self, Diagnostic};
use crate::name::Name;
use crate::source::{FileId, Origin, Place};
use crate::syntax::ast::{ImportSource, ItemKind};

/// What was found out about the pieces of a module.
#[derive(Default)]
pub struct Kept {
    pieces: FxHashMap<usize, Findings>,
    prints: Option<Prints>,
}

/// The findings of one piece.
struct Findings {
    /// Keeps the address that it is found by.
    content: Arc<Content>,
    /// What they depend on.
    key: u64,
    /// The findings; files in their places are positions in `anchors`.
    found: Vec<Diagnostic>,
    /// The pieces that places count from.
    anchors: Vec<Arc<Content>>,
}

impl Findings {
    /// Whether they are what a new look would find.
    fn holds(&self, content: &Arc<Content>, key: Key) -> bool {
        let wanted = if self.found.is_empty() { key.sound } else { key.unsound };
        Arc::ptr_eq(&self.content, content) && self.key == wanted
    }
}

fn address(content: &Arc<Content>) -> usize {
    Arc::as_ptr(content) as usize
}

fn hashed(value: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Everything that is wrong with the root files of a program. `kept` makes it fast again. As soon
/// as `stop` says so, what was found so far is kept for the next time, and `None` is given.
#[must_use]
pub fn check_again(
    program: &Program,
    module: ModuleId,
    kept: &mut Kept,
    stop: &dyn Fn() -> bool,
) -> Option<Vec<Diagnostic>> {
    let mut found = program.load_diagnostics.clone();
    found.extend(program.syntax_diagnostics(module));
    let mut lead = Checker::new(program);
    let _ = lead.imports_of(module);
    super::items::check_imports(&mut lead, module);
    lint_imports(&mut lead, module);
    let prints = Prints::again(program, kept.prints.take());
    let context = prints.context(program, module);
    let mut run = Run {
        program,
        module,
        shared: None,
        lead,
        twins: Twins::default(),
        templates: Templates::default(),
    };
    let mut seen: FxHashMap<(Name, bool), ItemRef<'_>> = FxHashMap::default();
    let mut fresh = FxHashMap::default();
    let places = Anchored::of(program);
    for (index, part) in program.module(module).cut().pieces.iter().enumerate() {
        let mut items = Vec::new();
        for item in program.items_of_piece(module, index) {
            if item.item.kind == ItemKind::Use {
                continue;
            }
            let name = (item.item.name.name, item.item.kind == ItemKind::Unit);
            if let Some(first) = seen.get(&name) {
                found.push(super::items::declared_twice(item, *first));
            } else {
                seen.insert(name, item);
                items.extend((!item.item.broken).then_some(item));
            }
        }
        let Some(first) = items.first() else { continue };
        let key = prints.key(module, index, first.item.kind, &context);
        let at = address(&part.content);
        let known = kept.pieces.remove(&at).filter(|known| known.holds(&part.content, key));
        if let Some(known) = known
            && let Some(restored) = places.restore(&known)
        {
            found.extend(restored);
            fresh.insert(at, known);
            continue;
        }
        if stop() {
            // What was not looked at yet stays as it was.
            kept.pieces.extend(fresh);
            kept.prints = Some(prints);
            return None;
        }
        let own = run.check(&items);
        let findings = places.keep(&part.content, key, &own);
        found.extend(own);
        fresh.insert(at, findings);
    }
    kept.pieces = fresh;
    kept.prints = Some(prints);
    found.append(&mut run.lead.diagnostics);
    diagnostic::sort(&mut found);
    Some(once(program, found))
}

/// One check of a module.
struct Run<'p> {
    program: &'p Program,
    module: ModuleId,
    /// A checker that has found nothing yet: what it knows is sound.
    shared: Option<Checker<'p>>,
    lead: Checker<'p>,
    twins: Twins,
    templates: Templates<'p>,
}

impl<'p> Run<'p> {
    fn check(&mut self, items: &[ItemRef<'p>]) -> Vec<Diagnostic> {
        let was_used = self.shared.is_some();
        let mut checker = self.shared.take().unwrap_or_else(|| self.checker());
        self.look(&mut checker, items);
        if checker.diagnostics.is_empty() {
            self.shared = Some(checker);
            return Vec::new();
        }
        if was_used {
            // What was known already was not reported again: look with fresh eyes.
            checker = self.checker();
            self.look(&mut checker, items);
        }
        checker.diagnostics
    }

    /// A checker that knows the imports: what is wrong with them is said once.
    fn checker(&mut self) -> Checker<'p> {
        let mut checker = Checker::new(self.program);
        let imports = self.lead.imports_of(self.module);
        checker.imports.insert(self.module, Rc::clone(&imports));
        checker
    }

    fn look(&mut self, checker: &mut Checker<'p>, items: &[ItemRef<'p>]) {
        for &item in items {
            checker.check_twice(item);
            match item.item.kind {
                ItemKind::Model => self.templates.check(checker, &mut self.twins, item),
                ItemKind::Scenario => {}
                _ => checker.led_by(item.name_place(), |checker| checker.check_item(item)),
            }
            if matches!(item.item.kind, ItemKind::Scenario | ItemKind::Measured) {
                self.templates.check(checker, &mut self.twins, item);
            }
        }
    }
}

/// Imports that nothing in the file mentions.
fn lint_imports(checker: &mut Checker<'_>, module: ModuleId) {
    let program = checker.program;
    let cut = program.module(module).cut();
    let text = &program.sources.file(program.module(module).file).text;
    let uses = program.items_of_kind(module, ItemKind::Use);
    let imports = checker.imports_of(module);
    for item in uses {
        for ident in super::lint::imported(&item) {
            let found = !matches!(imports.get(&ident.name), Some(Imported::Error) | None);
            let found = found && program.item(module, ident.name).is_none();
            let mentioned = || cut.pieces.iter().any(|p| p.mentioned(text).contains(&ident.name));
            if found && !mentioned() {
                checker.report(super::lint::unused_import(item, ident));
            }
        }
    }
}

/// For every piece of a user's file, a number that changes when it or what it uses does.
pub struct Prints {
    first: FxHashMap<ModuleId, usize>,
    prints: Vec<u64>,
    /// For each piece, those that it uses.
    uses: Vec<Vec<usize>>,
    pieces: Vec<(ModuleId, usize)>,
    /// What the first line of each says; with `renamed` this decides what words mean.
    heads: Vec<Head>,
    contents: Vec<Arc<Content>>,
    /// Names that a `use` gives to something else: what they mean.
    renamed: FxHashMap<ModuleId, FxHashMap<Name, Name>>,
    /// Pieces that use each other, after those that they use.
    groups: Vec<Vec<usize>>,
    /// For each piece, those that use it.
    users: OnceCell<Vec<Vec<usize>>>,
}

/// The kind and the name of a piece.
type Head = (Option<ItemKind>, Option<Name>);

fn renamed(program: &Program, id: ModuleId) -> FxHashMap<Name, Name> {
    let uses = program.items_of_kind(id, ItemKind::Use);
    let imports = uses.iter().filter_map(|item| item.item.import.as_ref());
    let mut names = FxHashMap::default();
    for import in imports {
        let listed = import.names.iter().flatten();
        names.extend(listed.filter_map(|(name, alias)| Some((alias.as_ref()?.name, name.name))));
        let (ImportSource::Path(parts) | ImportSource::File(_, parts)) = &import.from;
        names.extend(import.alias.zip(parts.last()).map(|(alias, name)| (alias.name, name.name)));
    }
    names
}

/// What is said once though several pieces find it: something in the library that several lead to,
/// and circles, which have no beginning.
fn once(program: &Program, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let is_theirs = |place: Place| program.sources.file(place.file).origin != Origin::Std;
    let mut seen: Vec<(diagnostic::Code, Vec<Place>)> = Vec::new();
    found.retain(|d| {
        let led = d.labels.iter().any(|l| l.text == super::LEADS);
        if d.code != codes::CYCLE && !led {
            return true;
        }
        let places = d.labels.iter().map(|l| l.place);
        let mut places: Vec<Place> = places.filter(|p| !led || !is_theirs(*p)).collect();
        places.sort_unstable();
        let key = (d.code, places);
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
    found
}

/// What the findings of a piece depend on.
#[derive(Clone, Copy)]
pub struct Key {
    /// As long as there are none.
    pub sound: u64,
    /// If there are some: their words name what else is there.
    pub unsound: u64,
}

/// What all pieces of a module depend on.
pub struct Context {
    world: u64,
    metrics: u64,
    names: u64,
}

impl Prints {
    /// The prints of everything in the files of a user.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        Self::again(program, None)
    }

    /// The same, with what is known from before an edit: as long as the pieces are called as they
    /// were, only what was edited is looked at.
    #[must_use]
    pub fn again(program: &Program, old: Option<Self>) -> Self {
        let mut out = Self {
            first: FxHashMap::default(),
            prints: Vec::new(),
            uses: Vec::new(),
            pieces: Vec::new(),
            heads: Vec::new(),
            contents: Vec::new(),
            renamed: FxHashMap::default(),
            groups: Vec::new(),
            users: OnceCell::new(),
        };
        for (id, module) in program.modules().filter(|(_, m)| m.std_path.is_none()) {
            out.first.insert(id, out.pieces.len());
            let parts = &module.cut().pieces;
            out.pieces.extend((0..parts.len()).map(|piece| (id, piece)));
            out.heads.extend(parts.iter().map(|p| (p.piece.kind, p.piece.name)));
            out.contents.extend(parts.iter().map(|p| p.content.clone()));
            out.renamed.insert(id, renamed(program, id));
        }
        let alike = |old: &Self| {
            old.pieces == out.pieces && old.heads == out.heads && old.renamed == out.renamed
        };
        match old.filter(alike) {
            Some(old) => {
                out.groups = old.groups;
                out.uses = old.uses;
                let mut moved = false;
                for (at, (was, now)) in old.contents.iter().zip(&out.contents).enumerate() {
                    let edited = !Arc::ptr_eq(was, now);
                    let Some((id, piece)) = out.pieces.get(at).copied().filter(|_| edited) else {
                        continue;
                    };
                    let uses = out.used(program, id, piece);
                    if let Some(slot) = out.uses.get_mut(at).filter(|slot| **slot != uses) {
                        *slot = uses;
                        moved = true;
                    }
                }
                if moved {
                    out.group();
                }
            }
            None => {
                out.uses = out.pieces.iter().map(|(m, p)| out.used(program, *m, *p)).collect();
                out.group();
            }
        }
        out.join(program);
        out
    }

    fn part(program: &Program, id: ModuleId, piece: usize) -> Option<(&Part, &str)> {
        let module = program.module(id);
        let text: &str = &program.sources.file(module.file).text;
        module.cut().pieces.get(piece).map(|part| (part, text))
    }

    fn position(&self, id: ModuleId, piece: usize) -> Option<usize> {
        Some(self.first.get(&id)? + piece)
    }

    /// The pieces of a module that declare a name.
    fn declared(&self, program: &Program, id: ModuleId, name: Name, out: &mut Vec<usize>) {
        let cut = program.module(id).cut();
        let found = [cut.names.get(&name), cut.units.get(&name)];
        out.extend(found.into_iter().flatten().filter_map(|piece| self.position(id, *piece)));
    }

    /// The pieces that the words of a piece may mean.
    fn used(&self, program: &Program, id: ModuleId, piece: usize) -> Vec<usize> {
        let Some((part, text)) = Self::part(program, id, piece) else { return Vec::new() };
        let mut out = Vec::new();
        let cut = program.module(id).cut();
        let several = self.first.len() > 1;
        let renamed = self.renamed.get(&id);
        for word in part.words(text) {
            if let Some(meant) = renamed.and_then(|names| names.get(word)) {
                for other in self.first.keys() {
                    self.declared(program, *other, *meant, &mut out);
                }
            }
            if cut.names.contains_key(word) || cut.units.contains_key(word) {
                self.declared(program, id, *word, &mut out);
            }
            if several {
                // A name of another file, by whatever way it is imported.
                for other in self.first.keys().filter(|other| **other != id) {
                    self.declared(program, *other, *word, &mut out);
                }
            }
        }
        out.sort_unstable();
        out.dedup();
        let own = self.position(id, piece);
        out.retain(|other| Some(*other) != own);
        out
    }

    /// Finds the pieces that use each other.
    fn group(&mut self) {
        let edges: usize = self.uses.iter().map(Vec::len).sum();
        let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(self.pieces.len(), edges);
        for _ in &self.pieces {
            graph.add_node(());
        }
        for (from, uses) in self.uses.iter().enumerate() {
            for to in uses {
                graph.add_edge(NodeIndex::new(from), NodeIndex::new(*to), ());
            }
        }
        let groups = petgraph::algo::kosaraju_scc(&graph).into_iter();
        self.groups = groups.map(|g| g.into_iter().map(NodeIndex::index).collect()).collect();
    }

    /// Pieces that use each other have one print; it holds those of all that they use.
    fn join(&mut self, program: &Program) {
        let own = |at: usize| {
            let (id, piece) = *self.pieces.get(at)?;
            Self::part(program, id, piece).map(|(part, text)| part.hash(text))
        };
        let mut prints = vec![0; self.pieces.len()];
        let mut parts: Vec<u64> = Vec::new();
        for group in &self.groups {
            parts.clear();
            for node in group {
                parts.extend(own(*node));
                let uses = self.uses.get(*node).into_iter().flatten();
                // Of the group itself only the texts count.
                let outside = uses.filter(|to| !group.contains(to));
                parts.extend(outside.filter_map(|to| prints.get(*to)));
            }
            parts.sort_unstable();
            let all = hashed(&parts);
            for node in group {
                if let Some(slot) = prints.get_mut(*node) {
                    *slot = hashed((own(*node), all));
                }
            }
        }
        self.prints = prints;
    }

    /// The print of a piece.
    #[must_use]
    pub fn print(&self, id: ModuleId, piece: usize) -> u64 {
        self.position(id, piece).and_then(|at| self.prints.get(at)).copied().unwrap_or(0)
    }

    /// The pieces that use a piece, itself included, as (module, piece).
    #[must_use]
    pub fn users(&self, id: ModuleId, piece: usize) -> Vec<(ModuleId, usize)> {
        let Some(start) = self.position(id, piece) else { return Vec::new() };
        let back = self.users.get_or_init(|| {
            let mut back: Vec<Vec<usize>> = vec![Vec::new(); self.pieces.len()];
            for (from, uses) in self.uses.iter().enumerate() {
                for to in uses {
                    if let Some(list) = back.get_mut(*to) {
                        list.push(from);
                    }
                }
            }
            back
        });
        let mut seen = FxHashSet::default();
        let mut stack = vec![start];
        while let Some(at) = stack.pop() {
            if seen.insert(at) {
                stack.extend(back.get(at).into_iter().flatten());
            }
        }
        let mut all: Vec<usize> = seen.into_iter().collect();
        all.sort_unstable();
        all.into_iter().filter_map(|at| self.pieces.get(at).copied()).collect()
    }

    /// What all pieces of a module depend on.
    #[must_use]
    pub fn context(&self, program: &Program, module: ModuleId) -> Context {
        let mut world = Vec::new();
        let mut metrics = Vec::new();
        let mut names = FxHasher::default();
        for (at, (id, piece)) in self.pieces.iter().enumerate() {
            let Some((part, text)) = Self::part(program, *id, *piece) else { continue };
            (part.piece.kind.map(|k| k as u8), part.piece.name).hash(&mut names);
            let print = self.prints.get(at).copied().unwrap_or(0);
            match part.piece.kind {
                Some(ItemKind::Use) => world.push(part.hash(text)),
                Some(ItemKind::Unit | ItemKind::Dimension) => world.push(print),
                Some(ItemKind::Metric) if *id == module => metrics.push(print),
                _ => {}
            }
        }
        // What a file imports decides what names mean.
        let files = program.modules().filter(|(_, m)| m.std_path.is_none());
        let files: Vec<&str> = files.map(|(_, m)| &*program.sources.file(m.file).name).collect();
        let world = hashed((world, files));
        Context { world, metrics: hashed(metrics), names: names.finish() }
    }

    /// What is known of a piece holds as long as this is the same.
    #[must_use]
    pub fn key(&self, id: ModuleId, piece: usize, kind: ItemKind, context: &Context) -> Key {
        let reads = [ItemKind::Scenario, ItemKind::Measured, ItemKind::Sweep, ItemKind::Metric];
        let metrics = if reads.contains(&kind) { context.metrics } else { 0 };
        let sound = hashed((self.print(id, piece), context.world, metrics));
        Key { sound, unsound: hashed((sound, context.names)) }
    }
}

/// Where pieces stand now.
struct Anchored<'p> {
    program: &'p Program,
    at: OnceCell<FxHashMap<usize, (FileId, u32)>>,
    modules: FxHashMap<FileId, ModuleId>,
}

impl<'p> Anchored<'p> {
    fn of(program: &'p Program) -> Self {
        let modules = program.modules().map(|(id, module)| (module.file, id)).collect();
        Self { program, at: OnceCell::new(), modules }
    }

    /// The findings as they are to be kept: places count from the start of their piece.
    fn keep(&self, content: &Arc<Content>, key: Key, found: &[Diagnostic]) -> Findings {
        let mut anchors: Vec<Arc<Content>> = Vec::new();
        let mut found = found.to_vec();
        for place in found.iter_mut().flat_map(Diagnostic::places_mut) {
            let Some(part) = self.part_at(*place) else { continue };
            let known = anchors.iter().position(|a| Arc::ptr_eq(a, &part.content));
            let index = known.unwrap_or_else(|| {
                anchors.push(part.content.clone());
                anchors.len() - 1
            });
            let start = part.piece.start;
            place.file = FileId(index as u32);
            place.span.start = place.span.start.saturating_sub(start);
            place.span.end = place.span.end.saturating_sub(start);
        }
        let key = if found.is_empty() { key.sound } else { key.unsound };
        Findings { content: content.clone(), key, found, anchors }
    }

    /// The findings where their pieces stand now; `None` where one is gone.
    fn restore(&self, known: &Findings) -> Option<Vec<Diagnostic>> {
        let mut found = known.found.clone();
        for place in found.iter_mut().flat_map(Diagnostic::places_mut) {
            let anchor = known.anchors.get(place.file.0 as usize)?;
            let (file, start) = self.at().get(&address(anchor)).copied()?;
            *place = Place { file, span: place.span.shifted(start) };
        }
        Some(found)
    }

    fn at(&self) -> &FxHashMap<usize, (FileId, u32)> {
        self.at.get_or_init(|| {
            let mut at = FxHashMap::default();
            for (_, module) in self.program.modules() {
                for part in &module.cut().pieces {
                    at.insert(address(&part.content), (module.file, part.piece.start));
                }
            }
            at
        })
    }

    fn part_at(&self, place: Place) -> Option<&'p Part> {
        let cut = self.program.module(*self.modules.get(&place.file)?).cut();
        cut.pieces.get(cut.piece_at(place.span.start)?)
    }
}
