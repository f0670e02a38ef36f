//! Objects: bodies of settings with late-bound amending.
//!
//! In: items with `name = value` bodies, and `with` over them. Out: all settings of an object by
//! path, each with the scope that it was written in. Nothing is evaluated here: `fields.rs` does,
//! when a field is asked for.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::program::ItemRef;
use super::value::{Env, Value, with_article};
use crate::name::Name;
use crate::source::{Place, Span};
use crate::syntax::ast::{Body, Clauses, Expr, Ident, ItemKind, Param, Stmt, StmtKind};

/// Something with fields: an instantiated item, or a section of one.
#[derive(Clone)]
pub struct Object<'p> {
    /// What it is an instance of; a section has the kind of its owner.
    pub kind: ItemKind,
    /// Its name, for people.
    pub name: Name,
    /// The item that declares it, if it has one.
    pub item: Option<ItemRef<'p>>,
    /// All settings, flattened; later ones win.
    pub entries: Vec<Entry<'p>>,
    /// All other statements, in order.
    pub stmts: Vec<Statement<'p>>,
    /// Parameters with what they were given.
    pub slots: Vec<Slot<'p>>,
    /// For a measurement: what was measured, by path of the result.
    pub measurements: Vec<Entry<'p>>,
    /// For a model: the block that it instantiates.
    pub block: Option<ItemRef<'p>>,
    /// For a section: the object it is part of, and where in it.
    pub owner: Option<(Rc<Object<'p>>, Rc<[Name]>)>,
    pub(super) memo: RefCell<FxHashMap<Rc<[Name]>, Value<'p>>>,
}

/// One setting.
#[derive(Clone)]
pub struct Entry<'p> {
    /// The whole path from the object: `[memory, hbm, capacity]`.
    pub path: Rc<[Name]>,
    /// Where the left side stands.
    pub place: Place,
    /// The right side; `None` marks a section that may be empty.
    pub value: Option<&'p Expr>,
    /// What follows it.
    pub clauses: Option<&'p Clauses>,
    /// `within …`.
    pub within: &'p [Vec<Ident>],
    /// The scope around the object where it is written.
    pub outer: Env<'p>,
    /// Whether it amends rather than declares.
    pub amends: bool,
}

/// Objects that remember parts of themselves. A part knows its owner, so this circle is cut when
/// the checker goes: an editor checks a file again and again.
#[derive(Default)]
pub(super) struct Owners<'p>(pub(super) Vec<Rc<Object<'p>>>);

impl Drop for Owners<'_> {
    fn drop(&mut self) {
        for owner in &self.0 {
            owner.memo.take();
        }
    }
}

impl Entry<'_> {
    /// Where the last name of the left side stands, at the end of it.
    pub(super) fn name_place(&self) -> Place {
        let end = self.place.span.end;
        let length = self.path.last().map_or(0, |n| n.text().len() as u32);
        Place { span: Span::new(end.saturating_sub(length), end), ..self.place }
    }
}

/// A statement that is not a setting, with the scope around the object.
#[derive(Clone)]
pub struct Statement<'p> {
    /// The statement.
    pub stmt: &'p Stmt,
    /// The scope around the object where it is written.
    pub outer: Env<'p>,
}

/// A parameter and what it was given.
#[derive(Clone)]
pub struct Slot<'p> {
    /// The declaration.
    pub param: &'p Param,
    /// Where the declaration stands.
    pub site: Env<'p>,
    /// The argument, if given.
    pub given: Option<Given<'p>>,
    /// Whether a value is still to come: the item is checked by itself.
    pub open: bool,
}

impl Slot<'_> {
    /// Whether the parameter got nothing and cannot do without.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.given.is_none() && self.param.default.is_none() && !is_optional(self.param)
    }
}

/// An argument.
#[derive(Clone)]
pub struct Given<'p> {
    /// The expression; `None` for `name:` alone.
    pub expr: Option<&'p Expr>,
    /// The name, for `name:` alone, and where the argument stands.
    pub name: Name,
    /// Where the argument stands.
    pub place: Place,
    /// The caller's scope.
    pub env: Env<'p>,
}

impl<'p> Object<'p> {
    /// An object without anything in it.
    #[must_use]
    pub fn empty(kind: ItemKind, name: Name, item: Option<ItemRef<'p>>) -> Self {
        Self {
            kind,
            name,
            item,
            entries: Vec::new(),
            stmts: Vec::new(),
            slots: Vec::new(),
            measurements: Vec::new(),
            block: None,
            owner: None,
            memo: RefCell::default(),
        }
    }
    /// What it is, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.owner {
            Some((owner, path)) => {
                let path: Vec<_> = path.iter().map(|n| n.text()).collect();
                let whose = match owner.kind {
                    // One finding, whichever scenario it is found with.
                    ItemKind::Scenario | ItemKind::Measured => "a scenario".to_owned(),
                    _ => format!("`{}`", owner.name),
                };
                format!("the section `{}` of {whose}", path.join("."))
            }
            None => with_article(self.kind),
        }
    }
    /// Adds the statements of a body; nested sections become longer paths.
    pub fn extend(&mut self, body: &'p Body, outer: &Env<'p>, amends: bool) {
        self.extend_at(&mut Vec::new(), body, outer, amends);
    }
    fn extend_at(&mut self, prefix: &mut Vec<Name>, body: &'p Body, outer: &Env<'p>, amends: bool) {
        let site = outer.site();
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Set { path, value, clauses, within, axes: None } => {
                    let full: Rc<[Name]> =
                        prefix.iter().copied().chain(path.iter().map(|i| i.name)).collect();
                    let span = path.iter().map(|i| i.span).reduce(|a, b| a.to(b));
                    let place = site.place(span.unwrap_or(stmt.span));
                    self.entries.push(Entry {
                        path: full,
                        place,
                        value: Some(value),
                        clauses: Some(clauses),
                        within,
                        outer: outer.clone(),
                        amends,
                    });
                }
                StmtKind::Section { name, label, body, .. } => {
                    let depth = prefix.len();
                    prefix.push(name.name);
                    prefix.extend(label.map(|l| l.name));
                    let span = label.map_or(name.span, |l| name.span.to(l.span));
                    self.entries.push(Entry {
                        path: prefix.as_slice().into(),
                        place: site.place(span),
                        value: None,
                        clauses: None,
                        within: &[],
                        outer: outer.clone(),
                        amends,
                    });
                    self.stmts.push(Statement { stmt, outer: outer.clone() });
                    self.extend_at(prefix, body, outer, amends);
                    prefix.truncate(depth);
                }
                StmtKind::Error => {}
                _ if prefix.is_empty() => {
                    self.stmts.push(Statement { stmt, outer: outer.clone() });
                }
                _ => self.stmts.push(Statement { stmt, outer: outer.clone() }),
            }
        }
    }
    /// A copy whose settings below `prefix` are amended by `entries` (paths from here on).
    #[must_use]
    pub fn amended(&self, entries: Vec<Entry<'p>>) -> Self {
        let mut copy = match &self.owner {
            None => self.clone(),
            Some((owner, path)) => {
                // A section that is amended becomes an object of its own.
                let mut copy = Self::empty(owner.kind, owner.name, owner.item);
                let inside = owner.entries.iter().filter(|e| e.path.starts_with(path));
                copy.entries = inside
                    .map(|e| Entry {
                        path: e.path.get(path.len()..).unwrap_or_default().into(),
                        ..e.clone()
                    })
                    .collect();
                copy
            }
        };
        for entry in entries {
            copy.amend(entry);
        }
        copy.memo = RefCell::default();
        copy
    }
    /// Adds a setting in place of one of the same path, so that chains of amending stay as long
    /// as what they hold.
    fn amend(&mut self, entry: Entry<'p>) {
        let plain = |e: &Entry<'p>| e.value.is_some() && e.within.is_empty();
        let same = |e: &Entry<'p>| plain(e) && e.path == entry.path;
        let at = self.entries.iter().rposition(same).filter(|_| plain(&entry));
        let Some(at) = at else { return self.entries.push(entry) };
        // What was set inside of it since then is no part of the new value.
        let inside =
            |e: &Entry<'p>| e.path.len() > entry.path.len() && e.path.starts_with(&entry.path);
        if self.entries.iter().skip(at).any(inside) {
            self.entries.remove(at);
            self.entries.push(entry);
        } else if let Some(old) = self.entries.get_mut(at) {
            *old = entry;
        }
    }
    pub(super) fn slot(&self, name: Name) -> Option<&Slot<'p>> {
        self.slots.iter().find(|s| s.param.name.name == name)
    }
    /// Whether the path from the object's root names a setting, a section or a parameter.
    #[must_use]
    pub fn has(&self, path: &[Name]) -> bool {
        if let Some((owner, prefix)) = &self.owner {
            let full: Vec<_> = prefix.iter().chain(path).copied().collect();
            return owner.has(&full);
        }
        // A rule `within` some blocks is no value of its own.
        self.entries.iter().any(|e| e.path.starts_with(path) && e.within.is_empty())
            || matches!(path, [name] if self.slot(*name).is_some())
    }
    /// The names of fields directly below `path`.
    #[must_use]
    pub fn field_names(&self, path: &[Name]) -> Vec<Name> {
        if let Some((owner, prefix)) = &self.owner {
            let full: Vec<_> = prefix.iter().chain(path).copied().collect();
            return owner.field_names(&full);
        }
        let mut names: Vec<Name> = Vec::new();
        for entry in self.entries.iter().filter(|e| e.path.starts_with(path)) {
            names.extend(entry.path.get(path.len()));
        }
        if path.is_empty() {
            names.extend(self.slots.iter().map(|s| s.param.name.name));
        }
        let mut seen = rustc_hash::FxHashSet::default();
        names.retain(|n| seen.insert(*n));
        names
    }
    /// Where a field is last set (its own setting, the section's head, or the parameter).
    #[must_use]
    pub fn place_of(&self, path: &[Name]) -> Option<Place> {
        if let Some((owner, prefix)) = &self.owner {
            let full: Vec<_> = prefix.iter().chain(path).copied().collect();
            return owner.place_of(&full);
        }
        let exact = self.entries.iter().rev().find(|e| &*e.path == path).map(|e| e.place);
        exact.or_else(|| match path {
            [name] => self.slot(*name).map(|s| match &s.given {
                Some(given) => given.place,
                None => s.site.site().place(s.param.span),
            }),
            _ => None,
        })
    }
    /// The last setting of exactly this path (from the owner's root for a section).
    #[must_use]
    pub fn entry(&self, path: &[Name]) -> Option<&Entry<'p>> {
        if let Some((owner, prefix)) = &self.owner {
            let full: Vec<_> = prefix.iter().chain(path).copied().collect();
            return owner.entries.iter().rev().find(|e| *e.path == *full && e.value.is_some());
        }
        self.entries.iter().rev().find(|e| &*e.path == path && e.value.is_some())
    }
}

/// Whether a parameter may be left out without a default: `window: Count?`.
#[must_use]
pub fn is_optional(param: &Param) -> bool {
    param.ty.as_ref().is_some_and(|t| t.optional)
}
