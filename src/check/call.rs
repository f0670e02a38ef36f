//! Calls: arguments to parameters, functions of the library, built-in functions.

use std::rc::Rc;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::object::{Given, Slot};
use super::program::ItemRef;
use super::value::{Env, Value, with_article};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
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

    /// Arguments to parameters, in the order of the parameters.
    pub fn bind(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        env: &Env<'p>,
        place: Place,
    ) -> Option<Vec<Slot<'p>>> {
        let args: Vec<&Arg> = args.iter().collect();
        let (slots, sound) = self.matched(item, &args, env);
        let mut good = sound;
        for slot in slots.iter().filter(|s| s.is_missing()) {
            good = false;
            // After a misspelt argument nothing is missing.
            if sound {
                self.report_missing_argument(item, slot.param, place);
            }
        }
        good.then_some(slots)
    }

    /// Each parameter with the argument that it got, and whether all arguments found a parameter.
    pub(super) fn matched(
        &mut self,
        item: ItemRef<'p>,
        args: &[&'p Arg],
        env: &Env<'p>,
    ) -> (Vec<Slot<'p>>, bool) {
        let params = item.item.params.as_deref().unwrap_or_default();
        let site = self.item_env(item);
        let mut slots: Vec<Slot<'p>> = params
            .iter()
            .map(|param| Slot { param, site: site.clone(), given: None, open: false })
            .collect();
        let mut good = true;
        for (i, arg) in args.iter().enumerate() {
            let place = env.site().place(arg.span);
            let slot = match arg.name {
                None => slots.get_mut(i),
                Some(name) => slots.iter_mut().find(|s| s.param.name.name == name.name),
            };
            match (slot, arg.name) {
                (Some(slot), _) if slot.given.is_none() => {
                    let name = slot.param.name.name;
                    let expr = arg.value.as_ref();
                    slot.given = Some(Given { expr, name, place, env: env.clone() });
                    continue;
                }
                (Some(slot), _) => {
                    let title = format!("`{}` is given twice", slot.param.name.name);
                    let label = "given again here";
                    self.report(Diagnostic::new(codes::DUPLICATE_ARGUMENT, title, place, label));
                }
                (None, Some(name)) => {
                    let given = |p: Name| args.iter().any(|a| a.name.is_some_and(|n| n.name == p));
                    let names = params.iter().map(|p| p.name.name).filter(|p| !given(*p));
                    let names: Vec<&str> = names.map(Name::text).collect();
                    let place = env.site().place(name.span);
                    self.report_unknown_argument(item, name.name, place, &names);
                }
                (None, None) => {
                    let plural = if params.len() == 1 { "" } else { "s" };
                    let name = item.item.name.name;
                    let title = format!("`{name}` takes {} argument{plural}", params.len());
                    self.report(
                        Diagnostic::new(codes::TOO_MANY_ARGUMENTS, title, place, "one too many")
                            .and(item.name_place(), "declared here"),
                    );
                }
            }
            good = false;
        }
        (slots, good)
    }

    pub(super) fn report_missing_argument(
        &mut self,
        item: ItemRef<'p>,
        param: &Param,
        place: Place,
    ) {
        self.report(
            Diagnostic::new(
                codes::MISSING_ARGUMENT,
                format!("`{}` needs a value for `{}`", item.item.name.name, param.name.name),
                place,
                format!("`{}:` is missing", param.name.name),
            )
            .and(item.place(param.span), "this parameter has no default"),
        );
    }

    pub(super) fn report_unknown_argument(
        &mut self,
        item: ItemRef<'p>,
        name: Name,
        place: Place,
        names: &[&str],
    ) {
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_ARGUMENT,
            format!("`{}` has no parameter `{name}`", item.item.name.name),
            place,
            "not a parameter",
        )
        .and(item.name_place(), "declared here");
        let best = closest(name.text(), names.iter().copied());
        self.report(diagnostic.meant(best, place, listed("it also takes", names)));
    }

    /// The value of a slot, evaluated in the caller's scope or (defaults) in `inner`.
    pub fn slot_argument(&mut self, slot: &Slot<'p>, inner: &Env<'p>) -> Value<'p> {
        let name = slot.param.name.name;
        let (value, place, kind) = match &slot.given {
            Some(given) => {
                let value = match given.expr {
                    Some(expr) if wants(slot.param, "Axis") => self.eval_axis(expr, &given.env),
                    Some(expr) => self.eval_argument(slot.param, expr, &given.env),
                    None => self.eval_name(given.name, given.place, &given.env),
                };
                let at = given.expr.map_or(given.place, |e| given.env.site().place(e.span));
                (value, at, given.env.site().kind)
            }
            None => match &slot.param.default {
                Some(default) => {
                    let place = inner.site().place(default.span);
                    (self.eval(default, inner), place, OriginKind::Default)
                }
                None => return Value::None,
            },
        };
        let value = self.check_param_type(slot.param, &slot.site, value, place);
        self.under_name(value, name, kind, place)
    }

    /// An argument; where a block is wanted, a call of one gives values to its parameters:
    /// `vision: VisionTower(layers: 27)`.
    pub(super) fn eval_argument(
        &mut self,
        param: &Param,
        expr: &'p Expr,
        env: &Env<'p>,
    ) -> Value<'p> {
        let outer = std::mem::replace(&mut self.wants_block, wants(param, "Block"));
        let value = self.eval(expr, env);
        self.wants_block = outer;
        value
    }

    /// A block by its name, with default values, or as it is called: `Lora(rank: 16)`.
    pub(super) fn block_value(&mut self, expr: &'p Expr, env: &Env<'p>) -> Value<'p> {
        let outer = std::mem::replace(&mut self.wants_block, true);
        let value = self.eval(expr, env);
        self.wants_block = outer;
        match value {
            Value::Item(item) if item.item.kind == ItemKind::Block => {
                self.block_with_values(item, &[], item.name_place(), env)
            }
            value => value,
        }
    }

    /// An argument where an axis is wanted: a name that is none is an unknown axis.
    fn eval_axis(&mut self, expr: &'p Expr, env: &Env<'p>) -> Value<'p> {
        let ExprKind::Name(name) = &expr.kind else { return self.eval(expr, env) };
        let place = env.site().place(expr.span);
        match self.find_name(*name, place, env) {
            Some(Value::Num(_)) => {
                let ident = crate::syntax::ast::Ident { name: *name, span: expr.span };
                let axis = crate::syntax::ast::AxisRef { name: ident, spread: false };
                self.axis_named(&axis, env).map_or(Value::Error, Value::Axis)
            }
            Some(value) => value,
            None => {
                self.report_unknown_axis(*name, place, env);
                Value::Error
            }
        }
    }

    /// A number under a name, unless it already goes by it.
    pub fn under_name(
        &mut self,
        value: Value<'p>,
        name: Name,
        kind: OriginKind,
        place: Place,
    ) -> Value<'p> {
        if let Value::Num(id) = &value
            && let Some(origin) = self.graph.origin_of(*id)
            && self.graph.named_operand(*id).is_some()
            && (origin.name == name || is_last_part(origin.name.text(), name.text()))
        {
            return value;
        }
        self.named_value(value, Origin { name, kind, place, rule: None })
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

/// Whether `name` is what follows the last point of `path`.
fn is_last_part(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')) && !name.contains('.')
}

/// Whether a parameter is declared with this type.
pub(super) fn wants(param: &Param, ty: &str) -> bool {
    let parts = param.ty.as_ref().map(|ty| ty.parts.as_slice()).unwrap_or_default();
    matches!(parts, [(name, 1)] if name.name == ty)
}
