//! Declarations of ops, checked by themselves on tensors and axes of unknown size.
//!
//! In: an `op` item. Out: what is wrong with its attributes and adjoints, whether or not a model
//! uses it.

use super::block::Builder;
use super::program::ItemRef;
use super::types::Ty;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::ir::{AxisId, AxisSize, Role};
use crate::lower::Frame;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::{Body, Expr, ExprKind, Ident, StmtKind, Type};

/// What an attribute holds.
#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Number,
    /// A number, or none.
    Maybe,
    Bytes,
    /// One of these words.
    Word(&'static [&'static str]),
    /// The role of what is stored.
    Role,
    /// An axis variable, or a list of them.
    Axes,
    /// A list of operands.
    Tensors,
    /// Another op beside this one.
    Op,
}

const ATTRIBUTES: &[(&str, Holds)] = &[
    ("engine", Holds::Word(&["matrix", "vector"])),
    ("flops", Holds::Number),
    ("reads", Holds::Bytes),
    ("writes", Holds::Bytes),
    ("m", Holds::Number),
    ("n", Holds::Number),
    ("k", Holds::Number),
    ("batches", Holds::Number),
    ("seen", Holds::Number),
    ("present", Holds::Number),
    ("reach", Holds::Maybe),
    ("sparse", Holds::Axes),
    ("local", Holds::Axes),
    ("keeps", Holds::Axes),
    ("view", Holds::Word(&["true", "false"])),
    ("free", Holds::Word(&["true", "false"])),
    ("final", Holds::Word(&["true", "false"])),
    ("training", Holds::Op),
    ("sums", Holds::Axes),
    ("whole", Holds::Axes),
    ("pads", Holds::Axes),
    ("linear", Holds::Tensors),
    ("unread", Holds::Tensors),
    ("stores", Holds::Role),
    ("combine", Holds::Word(&["sum", "max", "logsumexp"])),
];

/// The words that an attribute of an op may be, if it is one of some.
#[must_use]
pub fn op_words(attribute: &str) -> Option<&'static [&'static str]> {
    ATTRIBUTES.iter().find(|(name, _)| *name == attribute).and_then(|(_, holds)| match holds {
        Holds::Word(words) => Some(*words),
        _ => None,
    })
}

impl<'p> Checker<'p> {
    pub(super) fn check_op(&mut self, item: ItemRef<'p>) {
        let Some(body) = &item.item.body else {
            self.report(Diagnostic::new(
                codes::MISSING_VALUE,
                format!("op `{}` has no body", item.item.name.name),
                item.name_place(),
                "write `{ engine = …  flops = … }` after it",
            ));
            return;
        };
        let mut builder = Builder::new();
        builder.active = true;
        let outer = std::mem::replace(&mut self.builder, builder);
        if let Some(env) = self.op_names(item) {
            let frame = self.op_frame(item);
            let saved = self.frame.replace(frame);
            self.op_statements(item, body, &env);
            self.frame = saved;
        }
        self.builder = outer;
    }

    /// A scope with tensors, axis variables and arguments that are not known.
    fn op_names(&mut self, item: ItemRef<'p>) -> Option<Env<'p>> {
        let env = self.item_env(item).names();
        let site = self.item_env(item);
        let dtype = self.dtype_named("bf16")?;
        let result = Ident { name: Name::new("result"), span: item.item.name.span };
        let params = item.item.params.as_deref().unwrap_or_default();
        // Arguments that are axes are known before the tensors that have them.
        for param in params {
            let place = item.place(param.name.span);
            let ty = param.ty.as_ref().and_then(|t| self.resolve_type(t, &site));
            let value = match ty {
                Some(Ty::Axis) => {
                    let axis = self.unknown_axis(param.name.name, place);
                    let from = self.unknown_axis(Name::new("queries"), place);
                    self.builder.built.model.axes[axis].renamed_from = Some(from);
                    Value::Axis(axis)
                }
                Some(ty) if ty != Ty::Tensor => self.unknown_of(ty, param.name.name, place),
                _ => Value::Error,
            };
            env.bind(param.name.name, value);
        }
        let tensors = params.iter().filter_map(|p| Some((p.name, p.ty.as_ref()?)));
        for (name, ty) in tensors.chain(item.item.result.as_ref().map(|ty| (result, ty))) {
            if !matches!(self.resolve_type(ty, &site), Some(Ty::Tensor)) {
                continue;
            }
            let axes = self.pattern_axes(ty, item, &env);
            let place = item.place(name.span);
            let tensor =
                self.new_tensor(name.name, axes.clone(), Role::Activations, dtype.clone(), place);
            env.bind(name.name, Value::Tensor(tensor));
            if name.name == "result" {
                env.bind(Name::new("result_axes"), Value::Axes(axes.into()));
            }
        }
        Some(env)
    }

    fn unknown_axis(&mut self, name: Name, place: Place) -> AxisId {
        let size = self.unknown_number(name, Dimension::NONE, place, "an axis of an operand");
        self.new_axis(name, AxisSize::Fixed(size), place)
    }

    /// The axes of `Tensor[rows, ..E]`, made where they are not known yet.
    fn pattern_axes(&mut self, ty: &Type, item: ItemRef<'p>, env: &Env<'p>) -> Vec<AxisId> {
        let mut axes = Vec::new();
        for part in ty.axes.iter().flatten() {
            match env.local(part.name.name) {
                Some(Value::Axis(axis)) => axes.push(axis),
                Some(Value::Axes(bound)) => axes.extend(bound.iter().copied()),
                _ => {
                    let axis = self.unknown_axis(part.name.name, item.place(part.name.span));
                    env.bind(part.name.name, Value::Axes([axis].into()));
                    axes.push(axis);
                }
            }
        }
        axes
    }

    fn op_frame(&self, item: ItemRef<'p>) -> Frame {
        Frame::whole(&self.builder.built.model, item.name_place())
    }

    fn op_statements(&mut self, item: ItemRef<'p>, body: &'p Body, env: &Env<'p>) {
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Set { path, value, axes: None, .. } => {
                    let [name] = path.as_slice() else {
                        self.report_misplaced(stmt, "an op", env);
                        continue;
                    };
                    self.attribute(item, name, value, env);
                }
                StmtKind::Backward { name, body } => self.backward(item, name, body, env),
                StmtKind::Error => {}
                _ => self.report_misplaced(stmt, "an op", env),
            }
        }
    }

    fn attribute(&mut self, item: ItemRef<'p>, name: &Ident, value: &'p Expr, env: &Env<'p>) {
        let known = ATTRIBUTES.iter().find(|(n, _)| name.name == *n);
        let Some((_, holds)) = known else {
            let place = item.place(name.span);
            let names = ATTRIBUTES.iter().map(|(n, _)| *n);
            let diagnostic = Diagnostic::new(
                codes::UNKNOWN_FIELD,
                format!("an op has no field `{}`", name.name),
                place,
                "not a field",
            );
            let best = closest(name.name.text(), names.clone());
            let names: Vec<&str> = names.collect();
            self.report(diagnostic.meant(best, place, listed("it may hold", &names)));
            return;
        };
        let place = item.place(value.span);
        let what = format!("`{}`", name.name);
        match holds {
            Holds::Number => {
                let value = self.eval(value, env);
                self.expect_type(value, Ty::Quantity(Dimension::NONE), place, &what);
            }
            Holds::Maybe => {
                let value = self.eval(value, env);
                if !matches!(value, Value::None) {
                    self.expect_type(value, Ty::Quantity(Dimension::NONE), place, &what);
                }
            }
            Holds::Bytes => {
                let value = self.eval(value, env);
                self.expect_type(value, Ty::Quantity(Dimension::BYTES), place, &what);
            }
            Holds::Word(words) => self.one_of(value, words, place, &what),
            Holds::Op => {
                let place = item.place(value.span);
                let found = self.eval(value, env);
                let op = |i: &ItemRef<'_>| i.item.kind == crate::syntax::ast::ItemKind::Op;
                if !matches!(&found, Value::Item(i) if op(i)) && !matches!(found, Value::Error) {
                    let title = format!("{what} is an op, and this is {}", found.describe());
                    self.report(Diagnostic::new(codes::WRONG_TYPE, title, place, "not an op"));
                }
            }
            Holds::Role => {
                let roles: Vec<&str> = Role::ALL.iter().map(|r| r.word()).collect();
                self.one_of(value, &roles, place, &what);
            }
            Holds::Axes | Holds::Tensors => {
                let wants_axes = *holds == Holds::Axes;
                let value = self.eval(value, env);
                let items: Vec<Value<'p>> = match &value {
                    Value::List(items) => items.to_vec(),
                    other => vec![other.clone()],
                };
                for value in items {
                    let good = match value {
                        Value::Axis(_) | Value::Axes(_) => wants_axes,
                        Value::Tensor(_) => !wants_axes,
                        Value::Error => true,
                        _ => false,
                    };
                    if !good {
                        let wanted = if wants_axes { "axes" } else { "operands" };
                        self.report(Diagnostic::new(
                            codes::WRONG_TYPE,
                            format!("{what} lists {wanted}, and this is {}", value.describe()),
                            place,
                            format!("{wanted} of the op are wanted here"),
                        ));
                    }
                }
            }
        }
    }

    fn one_of(&mut self, value: &Expr, words: &[&str], place: Place, what: &str) {
        match &value.kind {
            ExprKind::Error => {}
            ExprKind::Bool(b) if words.contains(&if *b { "true" } else { "false" }) => {}
            ExprKind::Name(name) if words.iter().any(|w| *name == *w) => {}
            ExprKind::Name(name) => {
                let diagnostic = Diagnostic::new(
                    codes::WRONG_TYPE,
                    format!("{what} cannot be `{name}`"),
                    place,
                    "not one of the words it may be",
                );
                let best = closest(name.text(), words.iter().copied());
                self.report(diagnostic.meant(best, place, listed("it may be", words)));
            }
            _ => self.report(
                Diagnostic::new(
                    codes::WRONG_TYPE,
                    format!("{what} is a word"),
                    place,
                    "not a word",
                )
                .note(format!("it may be: {}", words.join(", "))),
            ),
        }
    }

    /// `backward dy { grad a = … }`: operands and names that exist.
    fn backward(&mut self, item: ItemRef<'p>, name: &Ident, body: &'p Body, env: &Env<'p>) {
        let inner = env.names();
        inner.bind(name.name, Value::Error);
        let params = item.item.params.as_deref().unwrap_or_default();
        for stmt in &body.stmts {
            let StmtKind::Grad { of, value } = &stmt.kind else {
                if !matches!(stmt.kind, StmtKind::Error) {
                    self.report_misplaced(stmt, "`backward`", env);
                }
                continue;
            };
            if !params.iter().any(|p| p.name.name == of.name) {
                let names: Vec<&str> = params.iter().map(|p| p.name.name.text()).collect();
                self.report_unknown_argument(item, of.name, item.place(of.span), &names);
            }
            super::lint::each_inside(value, &mut |expr| {
                let ExprKind::Name(name) = &expr.kind else { return };
                let builtin = super::call::BUILTINS.iter().any(|b| *name == *b);
                if !builtin && inner.local(*name).is_none() {
                    self.eval_name(*name, item.place(expr.span), &inner);
                }
            });
        }
    }
}
