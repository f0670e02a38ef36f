//! What enters a block: its inputs and parameters, bound to what the caller gives.

use super::object::Slot;
use super::program::ItemRef;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::Origin;
use crate::ir::{AxisId, AxisSize, Role, TensorId};
use crate::source::Place;
use crate::syntax::ast::{Arg, AxisRef, Body, Clauses, Ident, StmtKind};

impl<'p> Checker<'p> {
    pub(super) fn block_inputs(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Option<BlockInputs<'p>> {
        let stmts = item.item.body.as_ref().map_or(&[][..], |b| &b.stmts);
        let wanted: Vec<Ident> = stmts
            .iter()
            .filter_map(|s| match &s.kind {
                // What has a `from` enters the model itself, wherever the block stands.
                StmtKind::Input { name, clauses, .. } if clauses.from.is_none() => Some(*name),
                _ => None,
            })
            .collect();
        let mut tensors = Vec::new();
        let mut named = Vec::new();
        let mut next = 0;
        let mut good = true;
        for arg in args {
            let ident = match arg.name {
                None => {
                    next += 1;
                    wanted.get(next - 1).copied()
                }
                Some(name) => match wanted.iter().find(|w| w.name == name.name) {
                    Some(found) => Some(*found),
                    None => {
                        named.push(arg);
                        continue;
                    }
                },
            };
            let arg_place = env.site().place(arg.span);
            let Some(ident) = ident else {
                good = false;
                self.report(
                    Diagnostic::new(
                        codes::TOO_MANY_ARGUMENTS,
                        format!(
                            "`{}` takes {} tensor{}",
                            item.item.name.name,
                            wanted.len(),
                            if wanted.len() == 1 { "" } else { "s" }
                        ),
                        arg_place,
                        "one too many",
                    )
                    .note("parameters of a block are given by name: `heads: 32`"),
                );
                continue;
            };
            let value = match (&arg.value, arg.name) {
                (Some(expr), _) => self.eval(expr, env),
                (None, Some(name)) => self.eval_name(name.name, arg_place, env),
                (None, None) => Value::Error,
            };
            match value {
                Value::Tensor(tensor) => tensors.push((ident, tensor)),
                Value::Error => good = false,
                other => {
                    good = false;
                    self.report_not_tensor(&other, arg_place);
                }
            }
        }
        for ident in &wanted {
            if good && !tensors.iter().any(|(i, _)| i == ident) {
                good = false;
                self.report(
                    Diagnostic::new(
                        codes::MISSING_ARGUMENT,
                        format!("`{}` needs the tensor `{}`", item.item.name.name, ident.name),
                        place,
                        "an input is missing",
                    )
                    .and(item.place(ident.span), "this input"),
                );
            }
        }
        good.then_some(BlockInputs { tensors, named })
    }

    pub(super) fn bind_block_params(
        &mut self,
        item: ItemRef<'p>,
        (named, slots): (&[&'p Arg], &[Slot<'p>]),
        place: Place,
        env: &Env<'p>,
        inner: &Env<'p>,
    ) -> bool {
        let (matched, mut good) = self.matched(item, named, env);
        for mut slot in matched {
            // What the block was given before it was called stands where the call says nothing.
            if slot.given.is_none() {
                let before = slots.iter().find(|s| s.param.name.name == slot.param.name.name);
                slot.given = before.and_then(|s| s.given.clone());
            }
            let name = slot.param.name.name;
            if slot.is_missing() {
                inner.bind(name, Value::Error);
                // After a misspelt argument nothing is missing.
                if std::mem::replace(&mut good, false) {
                    self.report_missing_argument(item, slot.param, place);
                }
                continue;
            }
            let value = self.slot_argument(&slot, inner);
            good &= !matches!(value, Value::Error);
            inner.bind(name, value);
        }
        good
    }

    pub(super) fn input(
        &mut self,
        name: Ident,
        axes: &[AxisRef],
        clauses: &Clauses,
        env: &Env<'p>,
    ) {
        let own = clauses.from.is_some();
        if self.builder.inputs_done && self.builder.blocks.len() == 1 && !own {
            return;
        }
        // Those of an adapter are there, with all the axes that they have.
        if self.builder.adapter == Some(self.builder.blocks.len()) && !own {
            return;
        }
        let place = env.site().place(name.span);
        let bound = self.block_inputs_bound.iter().find(|(i, _)| *i == name).map(|(_, t)| *t);
        let bound = bound.filter(|_| !own);
        let Some(tensor) = bound else {
            // An input of the whole model.
            let unknown = axes.iter().find(|a| {
                let at = env.site().place(a.name.span);
                self.find_name(a.name.name, at, env).is_none()
            });
            if let Some(axis) = unknown {
                self.report_open_axis(axis, env);
                self.bind_errors(name, axes, env);
                return;
            }
            let axes: Vec<AxisId> = axes.iter().filter_map(|a| self.axis_named(a, env)).collect();
            let dtype = self.builder.precision.default_dtype();
            let Some(dtype) = dtype else { return };
            let id = self.new_tensor(name.name, axes, Role::Activations, dtype, place);
            self.builder.built.model.inputs.push(id);
            env.bind(name.name, Value::Tensor(id));
            return;
        };
        let have = self.builder.built.model.tensors[tensor].written.clone();
        if have.len() != axes.len() {
            let made = self.builder.built.model.tensors[tensor].place;
            let shown = self.show_axes(&have);
            self.report(
                Diagnostic::new(
                    codes::RANK_MISMATCH,
                    format!(
                        "`{}` has {} axes, and {} were given",
                        name.name,
                        axes.len(),
                        have.len()
                    ),
                    place,
                    format!("wants {} axes", axes.len()),
                )
                .and(made, format!("this tensor is [{shown}]"))
                .and(self.builder.here.scope.place, "passed in here"),
            );
            self.bind_errors(name, axes, env);
            return;
        }
        for (axis, id) in axes.iter().zip(&have) {
            let local = env.local(axis.name.name);
            match local {
                Some(Value::Num(size)) => self.unify_size(axis, *id, size, env),
                Some(Value::Axis(other)) if other != *id => {
                    let (a, b) = (self.axis_size(other), self.axis_size(*id));
                    let other_place = self.builder.built.model.axes[other].place;
                    if a != b {
                        let at = env.site().place(axis.name.span);
                        let shown = self.show_axes(&[*id]);
                        self.report(
                            Diagnostic::new(
                                codes::AXIS_MISMATCH,
                                format!("`{}` stands for two different axes", axis.name.name),
                                at,
                                format!("here it is `{shown}`"),
                            )
                            .and(other_place, "and before it was this one"),
                        );
                    }
                }
                _ => {}
            }
            env.bind(axis.name.name, Value::Axis(*id));
            let path = self.builder.here.scope.path.clone();
            let aliases = &mut self.builder.built.model.axes[*id].aliases;
            // Aliases of one instance stand together at the end.
            let mut own = aliases.iter().rev().take_while(|(_, p)| *p == path);
            if !own.any(|(n, _)| *n == axis.name.name) {
                aliases.push((axis.name.name, path));
            }
        }
        env.bind(name.name, Value::Tensor(tensor));
    }

    /// An input that is wrong, and axes that only it could tell.
    pub(super) fn bind_errors(&mut self, name: Ident, axes: &[AxisRef], env: &Env<'p>) {
        env.bind(name.name, Value::Error);
        for axis in axes {
            let known = env.local(axis.name.name).is_some()
                || self.program.prelude_item(axis.name.name).is_some();
            if !known {
                env.bind(axis.name.name, Value::Error);
            }
        }
    }

    /// A value for a parameter of a block that is checked by itself.
    pub(super) fn block_param(
        &mut self,
        block: ItemRef<'p>,
        param: &'p crate::syntax::ast::Param,
        env: &Env<'p>,
    ) -> Value<'p> {
        if super::object::is_optional(param) {
            return Value::None;
        }
        match (self.unknown_param(block, param), &param.default) {
            (Value::Error, Some(default)) => self.eval(default, env),
            (value, _) => value,
        }
    }

    /// Inputs of a block that is checked by itself have axes of unknown length.
    pub(super) fn declare_inputs(&mut self, body: &'p Body, env: &Env<'p>) {
        for stmt in &body.stmts {
            let StmtKind::Input { name, axes, clauses } = &stmt.kind else { continue };
            // Its axes are the block's own.
            if clauses.from.is_some() {
                continue;
            }
            let mut ids = Vec::new();
            for axis in axes {
                let place = env.site().place(axis.name.span);
                let known = env.local(axis.name.name).is_some()
                    || self.program.prelude_item(axis.name.name).is_some();
                if known {
                    ids.extend(self.axis_named(axis, env));
                    continue;
                }
                let origin = Origin::inferred(axis.name.name, place, "an axis of the caller");
                let size = self.graph.constant(f64::NAN, crate::quantity::Dimension::NONE, origin);
                let id = self.new_axis(axis.name.name, AxisSize::Fixed(size), place);
                env.bind(axis.name.name, Value::Axis(id));
                ids.push(id);
            }
            let place = env.site().place(name.span);
            if let Some(dtype) = self.builder.precision.default_dtype() {
                let id = self.new_tensor(name.name, ids, Role::Activations, dtype, place);
                env.bind(name.name, Value::Tensor(id));
            }
        }
        self.builder.inputs_done = true;
    }
}

pub(super) struct BlockInputs<'p> {
    pub(super) tensors: Vec<(Ident, TensorId)>,
    pub(super) named: Vec<&'p Arg>,
}
