//! Calls: what is called, and what a function of a file or of the library gives for its arguments.

use std::rc::Rc;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::object::Slot;
use super::program::ItemRef;
use super::value::{Env, Value, with_article};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Origin, OriginKind};
use crate::ir::AxisId;
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Arg, Expr, ExprKind, ItemKind, Param};

/// Functions that the language itself has.
pub const BUILTINS: &[&str] = &[
    "min", "max", "ceil", "floor", "sqrt", "log2", "gcd", "size", "bytes", "extent", "window",
    "origin", "best", "among",
];

/// The built-in function of this name.
fn builtin(name: Name) -> Option<&'static str> {
    static NAMES: LazyLock<Vec<(Name, &str)>> =
        LazyLock::new(|| BUILTINS.iter().map(|b| (Name::new(b), *b)).collect());
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, b)| *b)
}

/// An argument as a key: equal keys are the same value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// Not given: the default.
    Missing,
    None,
    Number(ExprId),
    Truth(bool),
    Shared(usize),
}

/// Results of functions by function and arguments.
pub(super) type Calls<'p> = FxHashMap<(usize, Vec<Key>), Value<'p>>;

/// Adds the key of an argument; no key at all where one has none.
fn note_key(keys: &mut Option<Vec<Key>>, value: &Value<'_>) {
    let key = match value {
        Value::None => Key::None,
        Value::Num(id) | Value::Bool(id) => Key::Number(*id),
        Value::Truth(b) => Key::Truth(*b),
        Value::Object(o) => Key::Shared(Rc::as_ptr(o) as usize),
        Value::Record(r) => Key::Shared(Rc::as_ptr(r) as usize),
        _ => {
            *keys = None;
            return;
        }
    };
    if let Some(keys) = keys {
        keys.push(key);
    }
}

impl<'p> Checker<'p> {
    /// `callee(args)`.
    pub fn eval_call(
        &mut self,
        callee: &'p Expr,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        self.led_by(place, |checker| checker.call(callee, args, place, env, expected))
    }

    fn call(
        &mut self,
        callee: &'p Expr,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        let callee_place = env.site().place(callee.span);
        let item = match &callee.kind {
            ExprKind::Name(name) => {
                if let Some(builtin) = builtin(*name)
                    && env.local(*name).is_none()
                {
                    return self.eval_builtin(builtin, args, place, env);
                }
                match self.find_item(*name, env) {
                    Some(item) => item,
                    // A parameter may stand for an op or a block: `activation(x)`.
                    None => match self.eval_name(*name, callee_place, env) {
                        Value::Item(item) => item,
                        // A block that has values for its parameters already.
                        Value::Object(object)
                            if object.kind == ItemKind::Block && self.builder.active =>
                        {
                            let Some(item) = object.block else { return Value::Error };
                            let slots = self.amended_slots(&object);
                            return self.call_block(item, &slots, args, place, env);
                        }
                        // Which block it is nobody knows yet: the caller is checked by itself.
                        Value::Unknown(ItemKind::Block, _) => return Value::Error,
                        value => return self.not_callable(value, callee_place),
                    },
                }
            }
            _ => match self.eval_callee(callee, env) {
                Ok(item) => item,
                Err(value) => return self.not_callable(value, callee_place),
            },
        };
        match item.item.kind {
            ItemKind::Fn => {
                let Some(slots) = self.bind(item, args, env, place) else { return Value::Error };
                self.call_fn(item, &slots, env)
            }
            ItemKind::Op => self.call_op(item, args, place, env, expected),
            ItemKind::Block => self.call_block(item, &[], args, place, env),
            _ if item.item.params.is_some() => {
                let Some(slots) = self.bind(item, args, env, place) else { return Value::Error };
                self.instantiate(item, Some(slots))
            }
            kind => {
                let what = with_article(kind);
                self.report(
                    Diagnostic::new(
                        codes::NOT_CALLABLE,
                        format!("`{}` takes no arguments", item.item.name.name),
                        callee_place,
                        format!("{what} without parameters"),
                    )
                    .and(item.name_place(), "declared here")
                    .note(
                        if kind == ItemKind::Const || kind == ItemKind::Assume {
                            "a value is named without parentheses"
                        } else {
                            "amend it instead: `… with { name = value }`"
                        },
                    ),
                );
                Value::Error
            }
        }
    }

    /// An item reached through a module or a file: `chips.H100_SXM(…)`, `parts.Tp(tp: 8)`.
    fn eval_callee(&mut self, callee: &'p Expr, env: &Env<'p>) -> Result<ItemRef<'p>, Value<'p>> {
        if let ExprKind::Field(base, field) = &callee.kind
            && let Value::Module(path) = self.eval(base, env)
        {
            let program = self.program;
            let mut modules = program.modules_at(&path).into_iter();
            let found = modules.find_map(|m| program.item(m, field.name));
            if let Some(item) = found {
                return Ok(item);
            }
        }
        match self.eval(callee, env) {
            Value::Item(item) => Ok(item),
            other => Err(other),
        }
    }

    fn not_callable(&mut self, value: Value<'p>, place: Place) -> Value<'p> {
        if !matches!(value, Value::Error) {
            let what = value.describe();
            self.report(Diagnostic::new(
                codes::NOT_CALLABLE,
                format!("{what} cannot be called"),
                place,
                "only functions, ops, blocks and items with parameters are called",
            ));
        }
        Value::Error
    }

    fn call_fn(&mut self, item: ItemRef<'p>, slots: &[Slot<'p>], _env: &Env<'p>) -> Value<'p> {
        let inner = self.item_env(item).names();
        let mut keys = Some(Vec::with_capacity(slots.len()));
        for slot in slots {
            let value = self.slot_argument(slot, &inner);
            if matches!(value, Value::Error) {
                // The argument is reported; the call has no value.
                return Value::Error;
            }
            note_key(&mut keys, &value);
            inner.bind(slot.param.name.name, value);
        }
        // A function that is checked by itself relies on what others say of themselves.
        if self.limits.alone
            && let Some(ty) = &item.item.result
        {
            let site = self.item_env(item);
            let Some(ty) = self.resolve_type(ty, &site) else { return Value::Error };
            return self.unknown_of(ty, item.item.name.name, item.name_place());
        }
        self.run_fn_once(item, &inner, keys)
    }

    /// Runs a function, or takes what it gave for the same arguments before.
    fn run_fn_once(
        &mut self,
        item: ItemRef<'p>,
        inner: &Env<'p>,
        keys: Option<Vec<Key>>,
    ) -> Value<'p> {
        let Some(keys) = keys else { return self.run_fn(item, inner) };
        let key = (std::ptr::from_ref(item.item) as usize, keys);
        if let Some(value) = self.calls.get(&key) {
            return value.clone();
        }
        let value = self.run_fn(item, inner);
        // What a key points to must live as long as the key.
        for param in item.item.params.as_deref().unwrap_or_default() {
            let argument = inner.local(param.name.name);
            self.kept.extend(argument.filter(|a| matches!(a, Value::Object(_) | Value::Record(_))));
        }
        self.calls.insert(key, value.clone());
        value
    }

    fn run_fn(&mut self, item: ItemRef<'p>, inner: &Env<'p>) -> Value<'p> {
        let Some(body) = &item.item.value else { return Value::Error };
        let value = self.calling(item, |checker| checker.eval(body, inner));
        let place = item.place(body.span);
        let value = match &item.item.result {
            Some(ty) => {
                let site = self.item_env(item);
                match self.resolve_type(ty, &site) {
                    Some(ty) if ty != super::Ty::Count && self.is_of(&value, ty) => value,
                    Some(ty) => {
                        let what = format!("the result of `{}`", item.item.name.name);
                        self.expect_type(value, ty, place, &what)
                    }
                    None => value,
                }
            }
            None => value,
        };
        let name = item.item.name.name;
        let place = item.place(item.item.name.span.to(body.span));
        self.named_value(value, Origin { name, kind: OriginKind::Formula, place, rule: None })
    }

    /// Calls a function of the library by name, with values made by the compiler.
    pub fn call_library(&mut self, name: &str, args: &[(&str, Value<'p>)]) -> Value<'p> {
        let name = Name::new(name);
        let Some(item) = self.library_fn(name) else {
            self.missing_library(name);
            return Value::Error;
        };
        let params = item.item.params.as_deref().unwrap_or_default();
        let given = |param: &Param| args.iter().find(|(n, _)| param.name.name == *n);
        let mut raw = Some(Vec::with_capacity(params.len()));
        for param in params {
            match (given(param), &mut raw) {
                (Some((_, value)), _) => note_key(&mut raw, value),
                (None, Some(raw)) => raw.push(Key::Missing),
                (None, None) => {}
            }
        }
        let raw = raw.map(|raw| (std::ptr::from_ref(item.item) as usize, raw));
        if let Some(value) = raw.as_ref().and_then(|raw| self.asked.get(raw)) {
            return value.clone();
        }
        let inner = self.item_env(item).names();
        let mut keys = Some(Vec::with_capacity(params.len()));
        for param in params {
            let (value, kind) = match (given(param), &param.default) {
                (Some((_, value)), _) => (value.clone(), OriginKind::Inferred),
                (None, Some(default)) => (self.eval(default, &inner), OriginKind::Default),
                (None, None) => (Value::None, OriginKind::Inferred),
            };
            let place = item.place(param.span);
            let value = self.under_name(value, param.name.name, kind, place);
            note_key(&mut keys, &value);
            inner.bind(param.name.name, value);
        }
        let value = self.run_fn_once(item, &inner, keys);
        // Its arguments are kept with the call itself.
        self.asked.extend(raw.map(|raw| (raw, value.clone())));
        value
    }

    /// A number from [`Checker::call_library`].
    pub fn library_number(&mut self, name: &str, args: &[(&str, Value<'p>)]) -> Option<ExprId> {
        match self.call_library(name, args) {
            Value::Num(id) | Value::Bool(id) => Some(id),
            _ => None,
        }
    }

    fn library_fn(&mut self, name: Name) -> Option<ItemRef<'p>> {
        if let Some(item) = self.library_fns.get(&name) {
            return Some(*item);
        }
        let item = self.program.std_item("cost", name)?;
        self.library_fns.insert(name, item);
        Some(item)
    }

    fn missing_library(&mut self, name: Name) {
        self.broken_library.push(name);
    }
}
