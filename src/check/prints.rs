//! What the pieces of files depend on: a number for each that changes when it or anything that it
//! uses does.
//!
//! In: a program, and the prints of its last version. Out: [`Prints`], and for each piece the
//! [`Key`] under which what is known of it holds.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::cut::{Content, Part};
use super::program::{ModuleId, Program};
use crate::name::Name;
use crate::syntax::ast::{ImportSource, ItemKind};

pub(super) fn hashed(value: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// For every piece of a user's file, a number that changes when it or what it uses does.
pub struct Prints {
    first: FxHashMap<ModuleId, usize>,
    prints: Vec<u64>,
    /// For each piece, those that it uses.
    uses: Arc<Vec<Vec<usize>>>,
    pieces: Vec<(ModuleId, usize)>,
    /// What the first line of each says; with `renamed` this decides what words mean.
    heads: Vec<Head>,
    contents: Vec<Arc<Content>>,
    /// Names that a `use` gives to something else: what they mean.
    renamed: FxHashMap<ModuleId, FxHashMap<Name, Name>>,
    /// What the names that a module imports mean, as numbers.
    imported: FxHashMap<ModuleId, FxHashMap<Name, u64>>,
    /// A number for each piece: for its text, and for what names in it mean that are imported.
    own: Vec<u64>,
    /// Pieces that use each other, after those that they use.
    groups: Arc<Vec<Vec<usize>>>,
    /// For each piece, those that use it.
    users: OnceLock<Arc<Vec<Vec<usize>>>>,
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

/// The names that a module imports, each with a number for what it says that they mean.
fn imported(program: &Program, id: ModuleId) -> FxHashMap<Name, u64> {
    let mut names: FxHashMap<Name, u64> = FxHashMap::default();
    for item in program.items_of_kind(id, ItemKind::Use) {
        let Some(import) = &item.item.import else { continue };
        let (file, parts) = match &import.from {
            ImportSource::Path(parts) => (None, parts),
            ImportSource::File(text, parts) => (Some(text.plain()), parts),
        };
        let path: Vec<&str> = parts.iter().map(|part| part.name.text()).collect();
        let mut means = |name: Name, last: &str| {
            let meaning = hashed((&file, &path, last));
            // Of several the first counts or the last: whatever becomes of them matters.
            names.entry(name).and_modify(|n| *n = hashed((*n, meaning))).or_insert(meaning);
        };
        for (name, alias) in import.names.iter().flatten() {
            means(alias.as_ref().unwrap_or(name).name, name.name.text());
        }
        for name in import.alias.iter().chain(parts.last()) {
            means(name.name, "");
        }
    }
    let module = program.module(id);
    // What may be declared where nothing can be read is not said to be unknown.
    for name in module.cut().lost_names(&program.sources.file(module.file).text) {
        names.entry(*name).and_modify(|n| *n = hashed((*n, LOST))).or_insert(LOST);
    }
    names
}

/// In the place of what a name means that nobody can say.
const LOST: u64 = 1;

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
    pub(super) world: u64,
    pub(super) metrics: u64,
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
    pub fn again(program: &Program, old: Option<&Self>) -> Self {
        let mut out = Self {
            first: FxHashMap::default(),
            prints: Vec::new(),
            uses: Arc::default(),
            pieces: Vec::new(),
            heads: Vec::new(),
            contents: Vec::new(),
            renamed: FxHashMap::default(),
            imported: FxHashMap::default(),
            own: Vec::new(),
            groups: Arc::default(),
            users: OnceLock::new(),
        };
        for (id, module) in program.modules().filter(|(_, m)| m.std_path.is_none()) {
            out.first.insert(id, out.pieces.len());
            let parts = &module.cut().pieces;
            out.pieces.extend((0..parts.len()).map(|piece| (id, piece)));
            out.heads.extend(parts.iter().map(|p| (p.piece.kind, p.piece.name)));
            out.contents.extend(parts.iter().map(|p| p.content.clone()));
            out.renamed.insert(id, renamed(program, id));
            out.imported.insert(id, imported(program, id));
        }
        let alike = |old: &&Self| {
            old.pieces == out.pieces && old.heads == out.heads && old.renamed == out.renamed
        };
        match old.filter(alike) {
            Some(old) => {
                let same = old.imported == out.imported;
                out.groups = old.groups.clone();
                out.uses = old.uses.clone();
                out.own.clone_from(&old.own);
                let mut moved = false;
                for (at, (was, now)) in old.contents.iter().zip(&out.contents).enumerate() {
                    let edited = !Arc::ptr_eq(was, now);
                    let Some((id, piece)) = out.pieces.get(at).copied() else { continue };
                    if edited || !same {
                        let own = out.own_print(program, id, piece);
                        if let Some(slot) = out.own.get_mut(at) {
                            *slot = own;
                        }
                    }
                    if !edited {
                        continue;
                    }
                    let uses = out.used(program, id, piece);
                    if out.uses.get(at).is_some_and(|slot| *slot != uses)
                        && let Some(slot) = Arc::make_mut(&mut out.uses).get_mut(at)
                    {
                        *slot = uses;
                        moved = true;
                    }
                }
                if moved {
                    out.group();
                } else {
                    if let Some(users) = old.users.get() {
                        let _ = out.users.set(users.clone());
                    }
                    out.join_again(old);
                    return out;
                }
            }
            None => {
                let pieces = out.pieces.iter();
                let uses = pieces.clone().map(|(m, p)| out.used(program, *m, *p)).collect();
                out.uses = Arc::new(uses);
                out.own = pieces.map(|(m, p)| out.own_print(program, *m, *p)).collect();
                out.group();
            }
        }
        out.join();
        out
    }

    fn part(program: &Program, id: ModuleId, piece: usize) -> Option<(&Part, &str)> {
        let module = program.module(id);
        let text: &str = &program.sources.file(module.file).text;
        module.cut().pieces.get(piece).map(|part| (part, text))
    }

    /// A number for the text of a piece, and for what its words mean that are imported.
    fn own_print(&self, program: &Program, id: ModuleId, piece: usize) -> u64 {
        let Some((part, text)) = Self::part(program, id, piece) else { return 0 };
        let Some(imported) = self.imported.get(&id).filter(|names| !names.is_empty()) else {
            return part.hash(text);
        };
        let words = part.words(text).iter();
        let means = words.filter_map(|w| Some(hashed((w, imported.get(w)?))));
        hashed((part.hash(text), means.fold(0, u64::wrapping_add)))
    }

    /// The position of a piece among all.
    pub(super) fn position(&self, id: ModuleId, piece: usize) -> Option<usize> {
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
        let groups = groups.map(|g| g.into_iter().map(NodeIndex::index).collect());
        self.groups = Arc::new(groups.collect());
    }

    /// Pieces that use each other have one print; it holds those of all that they use.
    fn join(&mut self) {
        let mut prints = vec![0; self.pieces.len()];
        let mut parts: Vec<u64> = Vec::new();
        for group in &*self.groups {
            self.join_group(group, &mut prints, &mut parts);
        }
        self.prints = prints;
    }

    /// The same where pieces use what they used before: only what hangs on what was edited has
    /// another print.
    fn join_again(&mut self, old: &Self) {
        let mut prints = old.prints.clone();
        let owns = self.own.iter().zip(&old.own);
        let mut changed: Vec<bool> = owns.map(|(now, was)| now != was).collect();
        let mut parts: Vec<u64> = Vec::new();
        for group in &*self.groups {
            let is_changed = |at: &usize| changed.get(*at) == Some(&true);
            let uses = |node: &usize| self.uses.get(*node).into_iter().flatten();
            if !group.iter().any(|node| is_changed(node) || uses(node).any(is_changed)) {
                continue;
            }
            self.join_group(group, &mut prints, &mut parts);
            for node in group {
                let same = prints.get(*node) == old.prints.get(*node);
                if let Some(flag) = changed.get_mut(*node) {
                    *flag = !same;
                }
            }
        }
        self.prints = prints;
    }

    /// The prints of one group, from those of what it uses.
    fn join_group(&self, group: &[usize], prints: &mut [u64], parts: &mut Vec<u64>) {
        let own = |at: usize| self.own.get(at).copied();
        parts.clear();
        for node in group {
            parts.extend(own(*node));
            let uses = self.uses.get(*node).into_iter().flatten();
            // Of the group itself only the texts count.
            let outside = uses.filter(|to| !group.contains(to));
            parts.extend(outside.filter_map(|to| prints.get(*to)));
        }
        parts.sort_unstable();
        let all = hashed(&*parts);
        for node in group {
            if let Some(slot) = prints.get_mut(*node) {
                *slot = hashed((own(*node), all));
            }
        }
    }

    /// The positions of what the piece at a position uses.
    pub(super) fn used_by(&self, at: usize) -> &[usize] {
        self.uses.get(at).map_or(&[], Vec::as_slice)
    }
    /// The print of the piece at a position.
    pub(super) fn print_at(&self, at: usize) -> u64 {
        self.prints.get(at).copied().unwrap_or(0)
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
            Arc::new(back)
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
                // What a file may import is among what else there is; what a name means that it
                // does import is in the prints.
                Some(ItemKind::Use) => part.hash(text).hash(&mut names),
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
