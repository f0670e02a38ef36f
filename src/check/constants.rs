//! Items evaluated once: constants, assumptions, objects without arguments.

use std::rc::Rc;

use super::object::Object;
use super::program::ItemRef;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{Origin, OriginKind};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Arg, ItemKind};

impl<'p> Checker<'p> {
    /// The value of a const or an assumption.
    pub fn constant_item(&mut self, item: ItemRef<'p>) -> Value<'p> {
        self.evaluated_once(item, Self::compute_constant)
    }

    /// The value of an item, computed when first asked for; a circle is reported.
    pub(super) fn evaluated_once(
        &mut self,
        item: ItemRef<'p>,
        compute: fn(&mut Self, ItemRef<'p>) -> Value<'p>,
    ) -> Value<'p> {
        let key = item.item as *const _ as usize;
        if let Some(value) = self.constants.get(&key) {
            return value.clone();
        }
        let path: Rc<[Name]> = [item.item.name.name].into();
        let place = Some(item.name_place());
        if let Some(start) = self.evaluating.iter().position(|(k, _)| *k == (key, path.clone())) {
            self.report_cycle(start, place);
            return Value::Error;
        }
        self.evaluating.push(((key, path), place));
        let value = compute(self, item);
        self.evaluating.pop();
        self.constants.insert(key, value.clone());
        value
    }

    pub(super) fn compute_constant(&mut self, item: ItemRef<'p>) -> Value<'p> {
        let name = item.item.name.name;
        let env = self.item_env(item);
        let kind = item.item.kind;
        // A runtime (or an override) may set what the library assumes.
        if kind == ItemKind::Assume
            && let Some(value) = self.assumption_setting(name)
        {
            // What is wrong is wrong where the runtime or the command line says it.
            let set = self
                .runtime
                .as_ref()
                .and_then(|r| r.entry(&[name]))
                .and_then(|e| e.value.map(|value| e.outer.site().place(value.span)));
            let place = set.unwrap_or(item.name_place());
            if let Some(ty) = &item.item.result
                && let Some(ty) = self.resolve_type(ty, &env)
            {
                return self.expect_type(value, ty, place, &format!("`{name}`"));
            }
            return value;
        }
        let Some(expr) = &item.item.value else {
            self.report(Diagnostic::new(
                codes::MISSING_VALUE,
                format!("`{name}` has no value"),
                item.name_place(),
                "write `= …` after it",
            ));
            return Value::Error;
        };
        let value = self.eval(expr, &env);
        let place = item.place(expr.span);
        let value = match &item.item.result {
            Some(ty) => match self.resolve_type(ty, &env) {
                Some(ty) => self.expect_type(value, ty, place, &format!("`{name}`")),
                None => value,
            },
            None => value,
        };
        if let Value::Num(id) = &value
            && self.graph.value(*id).is_infinite()
        {
            self.report(Diagnostic::new(
                codes::NOT_FINITE,
                format!("`{name}` is larger than can be represented"),
                place,
                "not finite",
            ));
            return Value::Error;
        }
        let place = item.place(item.item.name.span.to(expr.span));
        let kind = match kind {
            ItemKind::Assume => OriginKind::Assumption,
            _ => env.site().kind,
        };
        self.named_value(value, Origin { name, kind, place, rule: None })
    }

    /// What the scenario's runtime (or an override) says of an assumption.
    pub(super) fn assumption_setting(&mut self, name: Name) -> Option<Value<'p>> {
        let runtime = self.runtime.clone()?;
        if !runtime.has(&[name]) {
            return None;
        }
        self.field(&runtime, name)
    }

    /// The object that an item is when it is named without arguments; made once.
    pub fn object_item(&mut self, item: ItemRef<'p>) -> Value<'p> {
        self.evaluated_once(item, |checker, item| checker.instantiate(item, None))
    }

    /// A block called outside of a block: a model.
    pub fn model_of_block(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        self.block_object(ItemKind::Model, item, args, place, env)
    }

    /// A block with values for its parameters, to be called later.
    pub(super) fn block_with_values(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        self.block_object(ItemKind::Block, item, args, place, env)
    }

    fn block_object(
        &mut self,
        kind: ItemKind,
        item: ItemRef<'p>,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        let Some(slots) = self.bind(item, args, env, place) else { return Value::Error };
        let mut object = Object::empty(kind, item.item.name.name, None);
        object.slots = slots;
        object.block = Some(item);
        Value::Object(Rc::new(object))
    }

    /// Reports a circle: every step of it, from where it starts.
    pub(super) fn report_cycle(&mut self, start: usize, place: Option<Place>) {
        let path: Vec<_> = self.evaluating.iter().skip(start).cloned().collect();
        let shown: Vec<String> = path
            .iter()
            .map(|((_, path), _)| path.iter().map(|n| n.text()).collect::<Vec<_>>().join("."))
            .collect();
        let Some(first) = path.first().and_then(|(_, p)| *p).or(place) else { return };
        let name = shown.first().cloned().unwrap_or_default();
        let mut diagnostic = Diagnostic::new(
            codes::CYCLE,
            format!("`{name}` depends on itself"),
            first,
            "the circle starts here",
        );
        for ((_, step), (_, at)) in shown.iter().zip(&path).skip(1).map(|(s, p)| (((), s), p)) {
            if let Some(at) = at {
                diagnostic = diagnostic.and(*at, format!("which needs `{step}`"));
            }
        }
        let circle = format!("{} -> {name}", shown.join(" -> "));
        self.report(diagnostic.note(circle));
    }
}
