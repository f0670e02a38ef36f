//! Checking a module again after an edit: pieces whose text and meaning are as before keep their
//! findings.
//!
//! In: a program, a module, and what was [`Kept`] of it. Out: the findings of the whole module,
//! equal to those of a check from nothing. Every piece is checked as if it were the only one, so
//! that its findings depend on nothing but itself and what it uses; what several pieces find is
//! said once.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::cut::{Content, Part};
use super::imports::Imported;
use super::prints::{Key, Prints};
use super::program::{ItemRef, ModuleId, Program};
use super::shape::Shapes;
use super::template::Templates;
use super::twins::Looks;
use super::{Checker, codes};
use crate::diagnostic::{self, Diagnostic};
use crate::name::Name;
use crate::source::{FileId, Origin, Place};
use crate::syntax::ast::ItemKind;

/// What was found out about the pieces of a module.
#[derive(Default)]
pub struct Kept {
    pieces: FxHashMap<usize, Findings>,
    /// What sound models and scenarios relied on.
    templates: Templates,
    /// How long a look at a model or a scenario takes, more or less.
    usual: Duration,
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

/// What a check came to.
pub enum Checked {
    /// Everything that is wrong.
    Whole(Vec<Diagnostic>),
    /// What is certain already; some pieces were not looked at yet.
    Part(Vec<Diagnostic>),
}

/// A piece whose findings are not known.
struct Stale<'p> {
    /// What was edited comes first, then what takes no time.
    rank: (bool, bool),
    index: usize,
    items: Vec<ItemRef<'p>>,
    key: Key,
    /// What was found when it depended on other things.
    old: Option<Findings>,
}

/// Everything that is wrong with the root files of a program. `kept` makes it fast again. As soon
/// as `stop` says that there is no time for what may take so long, what was found so far is kept
/// for the next time.
#[must_use]
pub fn check_again(
    program: &Program,
    module: ModuleId,
    prints: &Prints,
    kept: &mut Kept,
    stop: &dyn Fn(Duration) -> bool,
) -> Checked {
    let mut found = program.load_diagnostics.clone();
    found.extend(program.syntax_diagnostics(module));
    let mut lead = Checker::new(program);
    let _ = lead.imports_of(module);
    super::items::check_imports(&mut lead, module);
    lint_imports(&mut lead, module);
    let context = prints.context(program, module);
    let mut run = Run {
        program,
        module,
        shared: None,
        lead,
        looks: Looks::new(Shapes::across(prints, &context), std::mem::take(&mut kept.templates)),
    };
    let mut seen: FxHashMap<(Name, bool), ItemRef<'_>> = FxHashMap::default();
    let mut fresh = FxHashMap::default();
    let mut by_piece: Vec<(usize, Vec<Diagnostic>)> = Vec::new();
    let mut stale = Vec::new();
    let places = Anchored::of(program);
    let parts = &program.module(module).cut().pieces;
    for (index, part) in parts.iter().enumerate() {
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
        let old = kept.pieces.remove(&at);
        if let Some(known) = &old
            && known.holds(&part.content, key)
            && let Some(restored) = places.restore(known)
        {
            if !restored.is_empty() {
                by_piece.push((index, restored));
            }
            fresh.extend(old.map(|known| (at, known)));
            continue;
        }
        let rank = (old.is_some(), items.iter().any(|i| is_long(i.item.kind)));
        stale.push(Stale { rank, index, items, key, old });
    }
    stale.sort_by_key(|s| (s.rank, s.index));
    let mut left = stale.into_iter();
    for next in left.by_ref() {
        let Some(part) = parts.get(next.index) else { continue };
        let known = run.is_known(&next.items);
        let time = if next.rank.1 && !known { kept.usual } else { Duration::ZERO };
        if stop(time) {
            // What was not looked at yet stays as it was.
            let unseen = std::iter::once(next).chain(left.by_ref()).filter_map(|s| s.old);
            kept.pieces.extend(unseen.map(|old| (address(&old.content), old)));
            kept.pieces.extend(fresh);
            found.append(&mut run.lead.diagnostics);
            found.extend(in_order(by_piece));
            kept.templates = run.looks.templates;
            diagnostic::sort(&mut found);
            return Checked::Part(once(program, found));
        }
        let begun = Instant::now();
        let own = if known { Vec::new() } else { run.check(&next.items) };
        if next.rank.1 && !known {
            // Half of it is the last one: what comes next is likely to be like it.
            kept.usual = (kept.usual + begun.elapsed()) / 2;
        }
        let findings = places.keep(&part.content, next.key, &own);
        fresh.insert(address(&part.content), findings);
        by_piece.push((next.index, own));
    }
    found.append(&mut run.lead.diagnostics);
    found.extend(in_order(by_piece));
    kept.pieces = fresh;
    kept.templates = run.looks.templates;
    diagnostic::sort(&mut found);
    Checked::Whole(once(program, found))
}

/// The findings of pieces in the order of the text, in whatever order they were looked at.
fn in_order(mut by_piece: Vec<(usize, Vec<Diagnostic>)>) -> impl Iterator<Item = Diagnostic> {
    by_piece.sort_by_key(|(index, _)| *index);
    by_piece.into_iter().flat_map(|(_, found)| found)
}

/// Whether looking at an item may take milliseconds.
fn is_long(kind: ItemKind) -> bool {
    matches!(kind, ItemKind::Model | ItemKind::Scenario | ItemKind::Measured)
}

/// One check of a module.
struct Run<'p, 'k> {
    program: &'p Program,
    module: ModuleId,
    /// A checker that has found nothing yet: what it knows is sound.
    shared: Option<Checker<'p>>,
    lead: Checker<'p>,
    looks: Looks<'p, 'k>,
}

impl<'p> Run<'p, '_> {
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

    /// Whether items are sound because others of their shapes were.
    fn is_known(&mut self, items: &[ItemRef<'p>]) -> bool {
        let kinds = [ItemKind::Model, ItemKind::Scenario];
        items.iter().all(|item| {
            kinds.contains(&item.item.kind)
                && !super::twice::says_twice(item.item)
                && self.looks.is_known(&mut self.lead, *item)
        })
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
                ItemKind::Model => self.looks.check(checker, item),
                ItemKind::Scenario => {}
                _ => checker.led_by(item.name_place(), |checker| checker.check_item(item)),
            }
            if matches!(item.item.kind, ItemKind::Scenario | ItemKind::Measured) {
                self.looks.check(checker, item);
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
        // What is wrong with the line is said already.
        let part = cut.piece_at(item.offset).and_then(|at| cut.pieces.get(at));
        if part.is_some_and(|part| part.is_broken(text)) {
            continue;
        }
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
