//! The blocks that the models of a file consist of, and where their axes are introduced.
//!
//! In: a view. Out: blocks, those of the models that its scenarios name and that it imports or
//! declares; the places of an axis that a plan shards.

use rustc_hash::FxHashSet;

use super::mentions::{Local, What, base_of, mentions};
use super::resolve::{View, locals, named, set_in};
use crate::check::{Checker, ItemRef, ModuleId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::ItemKind;

/// Blocks of the models of a file, and of what those consist of.
#[must_use]
pub fn blocks<'p>(checker: &mut Checker<'p>, view: &View<'p>) -> Vec<ItemRef<'p>> {
    let program = view.program;
    let is_model = |item: &ItemRef<'_>| matches!(item.item.kind, ItemKind::Model | ItemKind::Block);
    let mut queue: Vec<ItemRef<'p>> = program.items(view.module).filter(is_model).collect();
    let imports = checker.imports_of(view.module);
    let imported = imports.keys().filter_map(|name| named(checker, view.module, *name));
    queue.extend(imported.filter(is_model));
    for scenario in program.items_of_kind(view.module, ItemKind::Scenario) {
        queue.extend(set_in(checker, scenario, Name::new("model")).filter(is_model));
    }
    let mut seen: FxHashSet<(ModuleId, Name)> = FxHashSet::default();
    let mut out = Vec::new();
    while let Some(item) = queue.pop() {
        if !seen.insert((item.module, item.item.name.name)) {
            continue;
        }
        if let Some(base) = item.item.value.as_ref().and_then(base_of)
            && let [base] = base.as_slice()
        {
            queue.extend(named(checker, item.module, *base).filter(is_model));
        }
        for mention in mentions(item.item) {
            if matches!(mention.what, What::Value | What::Callee) {
                queue.extend(named(checker, item.module, mention.name).filter(is_model));
            }
        }
        if item.item.kind == ItemKind::Block {
            out.push(item);
        }
    }
    // Imports come in no order; what is offered first must not hang on it.
    out.sort_by_key(|block| (block.module.0, block.offset));
    out
}

/// Where an axis is introduced that a plan calls `name`: an axis of every model; else in blocks of
/// the models of this file; else in any block.
#[must_use]
pub fn axis_places(view: &View<'_>, name: Name) -> Vec<Place> {
    let program = view.program;
    let every = program.modules().flat_map(|(module, _)| {
        let own = program.items_of_kind(module, ItemKind::Axis).into_iter();
        own.filter(|item| item.item.name.name == name).map(|item| item.name_place())
    });
    let every: Vec<Place> = every.collect();
    if !every.is_empty() {
        return every;
    }
    let mut checker = Checker::new(program);
    let near = blocks(&mut checker, view);
    let found: Vec<Place> = near.iter().flat_map(|block| introduced(*block, name)).collect();
    if !found.is_empty() {
        return sorted(found);
    }
    let layers =
        program.modules().filter(|(_, m)| m.std_path.is_none_or(|p| p.starts_with("layers")));
    let all = layers.flat_map(|(module, _)| program.items_of_kind(module, ItemKind::Block));
    sorted(all.flat_map(|block| introduced(block, name)).collect())
}

fn sorted(mut places: Vec<Place>) -> Vec<Place> {
    places.sort();
    places.dedup();
    places
}

/// The statement of a block that makes an axis, or the size that its tensors have an axis of.
fn introduced(block: ItemRef<'_>, name: Name) -> Vec<Place> {
    let bound = locals(block).into_iter();
    let axes = bound.filter(|(n, local, _)| *n == name && *local == Local::Axis);
    let made: Vec<Place> = axes.map(|(_, _, span)| block.place(span)).collect();
    if !made.is_empty() {
        return made;
    }
    let params = block.item.params.iter().flatten();
    let own = params.filter(|p| p.name.name == name).map(|p| block.place(p.name.span));
    let is_axis = || mentions(block.item).iter().any(|m| m.name == name && m.what == What::Axis);
    own.filter(|_| is_axis()).collect()
}
