//! Fields of objects: evaluated when they are asked for, so that what was amended is followed.
//!
//! In: an object and the path of a field. Out: its value, in the scope of the object that the field
//! ended up in, under the name that reports give it.

use std::rc::Rc;

use super::object::{Entry, Given, Object, Slot, is_optional};
use super::value::{Scope, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{Origin, OriginKind};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::ItemKind;

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
        if matches!(value, Value::Object(_) | Value::On(_)) {
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
                // Amended here: what stands around the field is known inside of it too.
                outer: e.outer.inner(Scope::Fields { object: root.clone(), path: path.clone() }),
                ..(*e).clone()
            })
            .collect();
        let base = if let Some(entry) = last.and_then(|i| relevant.get(i)) {
            let scope = Scope::Fields { object: root.clone(), path: path.clone() };
            let env = entry.outer.inner(scope);
            let Some(expr) = entry.value else { return Value::Error };
            let word = super::schema::wants_word(root.kind, path);
            let slot = match &**path {
                [name] => root.slot(*name).filter(|s| super::arguments::wants(s.param, "Block")),
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
        } else if super::schema::is_stray(root, &root.entries, entry) {
            // Told by its name.
            Value::Error
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
