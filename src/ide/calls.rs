//! What an item depends on, and what depends on it.
//!
//! In: a view and a byte. Out: items, each with the places where it is named.

use super::mentions::{What, mentions};
use super::references::{references, target_at};
use super::resolve::{Target, View, resolve, target_of};
use crate::check::{Checker, ItemRef};
use crate::source::Place;
use crate::syntax::ast::ItemKind;

/// An item in a hierarchy.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its name.
    pub label: String,
    /// How it is declared.
    pub detail: String,
    /// What it is.
    pub kind: ItemKind,
    /// All of it.
    pub whole: Place,
    /// Its name.
    pub name: Place,
}

fn shown(view: &View<'_>, item: ItemRef<'_>) -> Item {
    let head = super::describe::headline(view.program, item);
    Item {
        label: item.item.name.name.to_string(),
        detail: super::describe::one_line(&head),
        kind: item.item.kind,
        whole: item.place(item.item.span),
        name: item.name_place(),
    }
}

fn item_of<'p>(view: &View<'p>, target: &Target) -> Option<ItemRef<'p>> {
    match target {
        Target::Item(module, name, false) => view.program.item(*module, *name),
        Target::Item(module, name, true) => view.program.unit_item(*module, *name),
        Target::Param(module, item, _) | Target::Local(module, item, _) => {
            view.program.item(*module, *item)
        }
        Target::Result(path) => {
            let root = crate::name::Name::new(path.split('.').next().unwrap_or(path));
            let library = view.program.std_module("metrics");
            let mut modules = std::iter::once(view.module).chain(library);
            modules.find_map(|m| {
                view.program.item(m, root).filter(|i| i.item.kind == ItemKind::Metric)
            })
        }
        _ => None,
    }
}

/// The item that a byte names or stands in.
#[must_use]
pub fn prepare(view: &View<'_>, byte: u32) -> Option<Item> {
    let named = target_at(view, byte).and_then(|(_, target)| item_of(view, &target));
    let item = named.or_else(|| view.item_at(byte))?;
    (item.item.kind != ItemKind::Use).then(|| shown(view, item))
}

/// The items that the item at a byte names, with where it names them.
#[must_use]
pub fn outgoing(view: &View<'_>, byte: u32) -> Vec<(Item, Vec<Place>)> {
    let Some(item) = view.item_at(byte) else { return Vec::new() };
    let mut checker = Checker::new(view.program);
    let mut out: Vec<(Item, Vec<Place>)> = Vec::new();
    // Whatever has a dimension has a unit: no news.
    let named = mentions(item.item).into_iter().filter(|m| m.what != What::Unit);
    for mention in named {
        let Some(target) = resolve(&mut checker, item, &mention) else { continue };
        let Some(other) = item_of(view, &target).filter(|other| *other != item) else { continue };
        let place = item.place(mention.span);
        match out.iter_mut().find(|(known, _)| known.name == other.name_place()) {
            Some((_, places)) => places.push(place),
            None => out.push((shown(view, other), vec![place])),
        }
    }
    out
}

/// The items that name the item at a byte, with where they do.
#[must_use]
pub fn incoming(view: &View<'_>, byte: u32) -> Vec<(Item, Vec<Place>)> {
    let Some(item) = view.item_at(byte) else { return Vec::new() };
    let mut out: Vec<(Item, Vec<Place>)> = Vec::new();
    for (place, _) in references(view, &target_of(item)) {
        let module = view.program.modules().find(|(_, m)| m.file == place.file).map(|(id, _)| id);
        let user = module.and_then(|m| view.of(m).item_at(place.span.start));
        let Some(user) = user.filter(|u| *u != item && u.item.kind != ItemKind::Use) else {
            continue;
        };
        match out.iter_mut().find(|(known, _)| known.name == user.name_place()) {
            Some((_, places)) => places.push(place),
            None => out.push((shown(view, user), vec![place])),
        }
    }
    out
}
