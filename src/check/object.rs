//! Objects: bodies of settings with late-bound amending.
//!
//! In: items with `name = value` bodies, and `with` over them. Out: fields, evaluated when asked
//! for, so that whatever was computed from an amended field follows it.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::program::ItemRef;
use super::value::{Env, Scope, Value, with_article};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{Origin, OriginKind};
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
pub(super) struct Owners<'p>(Vec<Rc<Object<'p>>>);

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
    fn slot(&self, name: Name) -> Option<&Slot<'p>> {
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

impl<'p> Checker<'p> {
    /// The field `name` of an object; `None` where there is none.
    pub fn field(&mut self, object: &Rc<Object<'p>>, name: Name) -> Option<Value<'p>> {
        match &object.owner {
            Some((owner, prefix)) => match **prefix {
                // Most sections stand one or two deep.
                [a] => self.field_at(owner, &[a, name]),
                [a, b] => self.field_at(owner, &[a, b, name]),
                _ => {
                    let path: Vec<Name> = prefix.iter().copied().chain([name]).collect();
                    self.field_at(owner, &path)
                }
            },
            None => self.field_at(object, &[name]),
        }
    }
    /// The field at a dotted path.
    pub fn field_path(&mut self, object: &Rc<Object<'p>>, path: &[&str]) -> Option<Value<'p>> {
        let mut value = Value::Object(object.clone());
        for part in path {
            value = match &value {
                Value::Object(object) => self.field(&object.clone(), Name::new(part))?,
                Value::On(both) => match &both.0 {
                    Value::Object(object) => self.field(&object.clone(), Name::new(part))?,
                    _ => return None,
                },
                _ => return None,
            };
        }
        Some(value)
    }

    fn field_at(&mut self, root: &Rc<Object<'p>>, path: &[Name]) -> Option<Value<'p>> {
        if let Some(value) = root.memo.borrow().get(path) {
            return Some(value.clone());
        }
        if !root.has(path) {
            return None;
        }
        let path: &Rc<[Name]> = &path.into();
        let key = (Rc::as_ptr(root) as usize, path.clone());
        let place = root.place_of(path);
        if let Some(start) = self.evaluating.iter().position(|(k, _)| *k == key) {
            self.report_cycle(start, place);
            return Some(Value::Error);
        }
        self.evaluating.push((key, place));
        let value = self.compute_field(root, path);
        self.evaluating.pop();
        if matches!(value, Value::Object(_)) {
            self.owners.0.push(root.clone());
        }
        root.memo.borrow_mut().insert(path.clone(), value.clone());
        Some(value)
    }

    fn compute_field(&mut self, root: &Rc<Object<'p>>, path: &Rc<[Name]>) -> Value<'p> {
        let relevant: Vec<&Entry<'p>> = root
            .entries
            .iter()
            .filter(|e| e.path.starts_with(path) && e.within.is_empty())
            .collect();
        let last = relevant.iter().rposition(|e| e.path.len() == path.len() && e.value.is_some());
        let below = relevant.get(last.map_or(0, |i| i + 1)..).unwrap_or_default();
        let below: Vec<Entry<'p>> = below
            .iter()
            .filter(|e| e.path.len() > path.len())
            .map(|e| Entry {
                path: e.path.get(path.len()..).unwrap_or_default().into(),
                ..(*e).clone()
            })
            .collect();
        let base = if let Some(entry) = last.and_then(|i| relevant.get(i)) {
            let scope = Scope::Fields { object: root.clone(), path: path.clone() };
            let env = entry.outer.inner(scope);
            let Some(expr) = entry.value else { return Value::Error };
            let word = super::schema::wants_word(root.kind, path);
            let slot = match &**path {
                [name] => root.slot(*name).filter(|s| super::call::wants(s.param, "Block")),
                _ => None,
            };
            let value = match slot {
                Some(slot) => self.eval_argument(slot.param, expr, &env),
                None if super::schema::wants_block(root.kind, path) => self.block_value(expr, &env),
                None => self.eval_setting(expr, &env, word),
            };
            Some(self.name_value(value, root, path, entry))
        } else if let [name] = &**path
            && let Some(slot) = root.slot(*name)
        {
            Some(self.slot_value(root, slot))
        } else {
            None
        };
        match base {
            None => {
                let mut section = Object::empty(root.kind, root.name, root.item);
                section.owner = Some((root.clone(), path.clone()));
                Value::Object(Rc::new(section))
            }
            // A plan on a part of the machine stays there.
            Some(Value::On(both)) if !below.is_empty() => match &both.0 {
                Value::Object(object) => {
                    self.check_amended(object, &below);
                    Value::On(Rc::new((Value::Object(Rc::new(object.amended(below))), both.1)))
                }
                _ => Value::On(both),
            },
            Some(Value::Object(object)) if !below.is_empty() => {
                self.check_amended(&object, &below);
                Value::Object(Rc::new(object.amended(below)))
            }
            Some(value) => {
                if let (Some(entry), false) = (below.first(), matches!(value, Value::Error)) {
                    let (what, place) = (value.describe(), entry.place);
                    self.report(Diagnostic::new(
                        codes::UNKNOWN_FIELD,
                        format!("{what} has no fields"),
                        place,
                        "amended here",
                    ));
                }
                value
            }
        }
    }

    /// The values that a block was given, those in their place that it was amended with:
    /// `with { experts.top_k = 1 }`.
    pub(super) fn amended_slots(&self, block: &Rc<Object<'p>>) -> Vec<Slot<'p>> {
        let mut slots = block.slots.clone();
        for slot in &mut slots {
            let name = slot.param.name.name;
            let amends = |e: &&Entry<'p>| e.path.first() == Some(&name);
            if let Some(entry) = block.entries.iter().rev().find(amends) {
                let (place, env) = (entry.place, self.fields_env(block, &entry.outer));
                slot.given = Some(Given { expr: None, name, place, env });
            }
        }
        slots
    }

    pub(super) fn slot_value(&mut self, root: &Rc<Object<'p>>, slot: &Slot<'p>) -> Value<'p> {
        let name = slot.param.name.name;
        let (value, place, kind) = match &slot.given {
            Some(given) => {
                let value = match given.expr {
                    Some(expr) => self.eval_argument(slot.param, expr, &given.env),
                    None => self.eval_name(given.name, given.place, &given.env),
                };
                let kind = given.env.site().kind;
                let at = given.expr.map_or(given.place, |e| given.env.site().place(e.span));
                (value, at, kind)
            }
            None => {
                let Some(default) = &slot.param.default else {
                    return match root.item.filter(|_| slot.open) {
                        _ if is_optional(slot.param) => Value::None,
                        Some(item) => self.unknown_param(item, slot.param),
                        None => Value::Error,
                    };
                };
                let path: Rc<[Name]> = [name].into();
                let env = slot.site.inner(Scope::Fields { object: root.clone(), path });
                let place = slot.site.site().place(default.span);
                (self.eval(default, &env), place, OriginKind::Default)
            }
        };
        let value = self.check_param_type(slot.param, &slot.site, value, place);
        self.named_value(value, Origin { name, kind, place, rule: None })
    }

    /// A number under the name of its field, so that it can be explained.
    fn name_value(
        &mut self,
        value: Value<'p>,
        root: &Rc<Object<'p>>,
        path: &Rc<[Name]>,
        entry: &Entry<'p>,
    ) -> Value<'p> {
        let site = entry.outer.site();
        let span = entry.value.map(|e| site.place(e.span)).unwrap_or(entry.place);
        let kind = if entry.amends { OriginKind::Override } else { site.kind };
        let is_slot = matches!(&**path, [name] if root.slot(*name).is_some());
        let value = if is_slot {
            value
        } else {
            super::schema::check_field(self, root.kind, path, value, span)
        };
        let value = match (&**path, &value) {
            ([name], Value::Num(_)) => match root.slot(*name) {
                Some(slot) => {
                    let slot = slot.clone();
                    self.check_param_type(slot.param, &slot.site, value, span)
                }
                None => value,
            },
            _ => value,
        };
        let name: Vec<_> = path.iter().map(|n| n.text()).collect();
        let name = match root.kind {
            ItemKind::Chip | ItemKind::Link | ItemKind::System => {
                Name::new(&format!("{}.{}", root.name, name.join(".")))
            }
            _ => Name::new(&name.join(".")),
        };
        let place = Place { file: entry.place.file, span: entry.place.span.to(span.span) };
        self.named_value(value, Origin { name, kind, place, rule: None })
    }

    /// Wraps a number (or condition) into a named node.
    pub fn named_value(&mut self, value: Value<'p>, origin: Origin) -> Value<'p> {
        match value {
            Value::Num(id) => Value::Num(self.graph.named(id, origin)),
            Value::Bool(id) => Value::Bool(self.graph.named(id, origin)),
            other => other,
        }
    }
}

/// Whether a parameter may be left out without a default: `window: Count?`.
#[must_use]
pub fn is_optional(param: &Param) -> bool {
    param.ty.as_ref().is_some_and(|t| t.optional)
}
