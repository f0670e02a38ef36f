//! Ops on tensors: operands to axis variables, results to shapes, products by name.

use std::rc::Rc;

use super::object::{Given, Slot};
use super::program::ItemRef;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::ExprId;
use crate::ir::{AxisId, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Arg, AxisRef, ExprKind, Param};

/// An operand with its parameter.
pub(super) struct Operand<'p> {
    pub(super) param: &'p Param,
    pub(super) tensor: TensorId,
}

/// What a call of an op binds before its result is made.
#[derive(Default)]
pub(super) struct Bindings<'p> {
    pub(super) operands: Vec<Operand<'p>>,
    pub(super) axes: Vec<(Name, Rc<[AxisId]>)>,
    pub(super) arguments: Vec<(Name, Value<'p>)>,
}

impl<'p> Bindings<'p> {
    fn axes(&self, name: Name) -> Option<Rc<[AxisId]>> {
        self.axes.iter().find(|(n, _)| *n == name).map(|(_, a)| a.clone())
    }
}

impl<'p> Checker<'p> {
    /// `op(x, over: ctx)` inside of a block.
    pub(super) fn call_op(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        if !self.builder.active {
            self.report(
                Diagnostic::new(
                    codes::STATEMENT_NOT_HERE,
                    format!("`{}` works on tensors, and there are none here", item.item.name.name),
                    place,
                    "called outside of a block",
                )
                .and(item.name_place(), "declared here"),
            );
            return Value::Error;
        }
        let item = self.in_training(item);
        let Some(slots) = self.bind(item, args, env, place) else { return Value::Error };
        let passes = passing_params(item);
        let mut values = Vec::new();
        for slot in &slots {
            let passed = if passes.contains(&slot.param.name.name) { expected } else { None };
            let Some(value) = self.op_argument(slot, passed, item) else { return Value::Error };
            values.push((slot.param, value, slot.given.as_ref().map_or(place, |g| g.place)));
        }
        self.apply_op(item, values, place, expected)
    }

    fn op_argument(
        &mut self,
        slot: &Slot<'p>,
        expected: Option<&[AxisId]>,
        item: ItemRef<'p>,
    ) -> Option<Value<'p>> {
        let is_tensor = is_tensor(slot.param);
        let value = match &slot.given {
            Some(Given { expr: Some(expr), env, .. }) if is_tensor => {
                self.eval_for(expr, env, expected)
            }
            _ => {
                let inner = self.item_env(item).names();
                self.slot_argument(slot, &inner)
            }
        };
        match value {
            Value::Error => None,
            Value::Tensor(_) if is_tensor => Some(value),
            other if is_tensor => {
                let place = slot.given.as_ref().map(|g| g.place);
                if let Some(place) = place {
                    self.report_not_tensor(&other, place);
                }
                None
            }
            other => Some(other),
        }
    }

    /// Makes the op: binds axis variables, finds the result's axes, records the step.
    pub(super) fn apply_op(
        &mut self,
        item: ItemRef<'p>,
        values: Vec<(&'p Param, Value<'p>, Place)>,
        place: Place,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        let tensors: Vec<(TensorId, Place)> = values
            .iter()
            .filter_map(|(_, value, at)| match value {
                Value::Tensor(tensor) => Some((*tensor, *at)),
                _ => None,
            })
            .collect();
        if !self.unify_operands(&tensors) {
            return Value::Error;
        }
        let mut bindings = Bindings::default();
        // Axes that are arguments are known before the tensors that have them.
        let (tensors, others): (Vec<_>, Vec<_>) =
            values.into_iter().partition(|(_, value, _)| matches!(value, Value::Tensor(_)));
        for (param, value, at) in others.into_iter().chain(tensors) {
            match value {
                Value::Tensor(tensor) => {
                    let pattern = param.ty.as_ref().and_then(|t| t.axes.as_deref());
                    if !self.bind_pattern(pattern.unwrap_or_default(), tensor, at, &mut bindings) {
                        return Value::Error;
                    }
                    bindings.operands.push(Operand { param, tensor });
                }
                Value::Axis(axis) => {
                    let atoms: Rc<[AxisId]> = self.atoms(&[axis]).into();
                    bindings.axes.push((param.name.name, atoms));
                    bindings.arguments.push((param.name.name, Value::Axis(axis)));
                }
                Value::List(items) if items.iter().all(|v| matches!(v, Value::Axis(_))) => {
                    let axes: Vec<AxisId> = items
                        .iter()
                        .filter_map(|v| match v {
                            Value::Axis(a) => Some(*a),
                            _ => None,
                        })
                        .collect();
                    let atoms: Rc<[AxisId]> = self.atoms(&axes).into();
                    bindings.arguments.push((param.name.name, Value::Axes(atoms.clone())));
                    bindings.axes.push((param.name.name, atoms));
                }
                other => bindings.arguments.push((param.name.name, other)),
            }
        }
        let Some(result_axes) = self.result_axes(item, &mut bindings, place, expected) else {
            return Value::Error;
        };
        let result_axes = if let Some((from, to)) = bindings.rename() {
            match self.rename_axis(&result_axes, &from, to, &bindings, place) {
                Some(axes) => axes,
                None => return Value::Error,
            }
        } else {
            result_axes
        };
        // What keeps the axes of a product is still a product, for one around it.
        let passing = passing_params(item);
        let product = bindings.operands.iter().any(|o| {
            passing.contains(&o.param.name.name) && self.builder.products.contains(&o.tensor)
        });
        let value = self.record_op(item, bindings, result_axes, place);
        if let (Value::Tensor(tensor), true) = (&value, product) {
            self.builder.products.insert(*tensor);
        }
        value
    }

    /// Binds the names of `Tensor[rows, ..E]` to the axes of an operand.
    fn bind_pattern(
        &mut self,
        pattern: &[AxisRef],
        tensor: TensorId,
        at: Place,
        bindings: &mut Bindings<'p>,
    ) -> bool {
        let axes = self.builder.built.model.tensors[tensor].axes.clone();
        let written = self.builder.built.model.tensors[tensor].written.clone();
        let fixed = pattern.iter().filter(|p| !p.spread).count();
        if written.len() < fixed {
            let shown = self.show_axes(&written);
            self.report(Diagnostic::new(
                codes::RANK_MISMATCH,
                format!("a tensor with at least {fixed} axes is wanted"),
                at,
                format!("this is [{shown}]"),
            ));
            return false;
        }
        let mut rest: Vec<AxisId> = axes.clone();
        // A name that is an argument of the op means that axis; otherwise the next one: from the
        // front, behind `..E` from the back.
        let (front, back) = match pattern.iter().position(|p| p.spread) {
            Some(at) => pattern.split_at(at),
            None => (pattern, [].as_slice()),
        };
        let mut first = written.iter();
        for part in front.iter().chain(back.iter().rev()).filter(|p| !p.spread) {
            if let Some(bound) = bindings.axes(part.name.name) {
                rest.retain(|a| !bound.contains(a));
                continue;
            }
            let behind = back.iter().any(|p| std::ptr::eq(p, part));
            if let Some(axis) = if behind { first.next_back() } else { first.next() } {
                let atoms = self.atoms(&[*axis]);
                rest.retain(|a| !atoms.contains(a));
                bindings.axes.push((part.name.name, atoms.into()));
            }
        }
        if let Some(spread) = pattern.iter().find(|p| p.spread) {
            match bindings.axes(spread.name.name) {
                None => bindings.axes.push((spread.name.name, rest.into())),
                Some(bound) => {
                    let same = bound.len() == rest.len() && rest.iter().all(|a| bound.contains(a));
                    if !same {
                        let (a, b) = (self.show_axes(&bound), self.show_axes(&rest));
                        let mut diagnostic = Diagnostic::new(
                            codes::AXIS_MISMATCH,
                            "the operands have different axes",
                            at,
                            format!("this is [{b}]"),
                        );
                        if let Some(first) = bindings.operands.first() {
                            let made = self.builder.built.model.tensors[first.tensor].place;
                            diagnostic = diagnostic.and(made, format!("and this is [{a}]"));
                        }
                        self.report(diagnostic);
                        return false;
                    }
                }
            }
        }
        true
    }

    fn result_axes(
        &mut self,
        item: ItemRef<'p>,
        bindings: &mut Bindings<'p>,
        place: Place,
        expected: Option<&[AxisId]>,
    ) -> Option<Vec<AxisId>> {
        let pattern = item.item.result.as_ref().and_then(|t| t.axes.as_deref());
        let pattern = pattern.unwrap_or_default();
        let mut axes: Vec<AxisId> = Vec::new();
        for part in pattern {
            match bindings.axes(part.name.name) {
                Some(bound) => {
                    for axis in bound.iter() {
                        if !axes.contains(axis) {
                            axes.push(*axis);
                        }
                    }
                }
                None => {
                    // The left side says it; without one, everything that the operands have.
                    let all = self.operand_axes(bindings);
                    let free = match expected {
                        Some(expected) if self.builder.backward => {
                            self.adjoint_axes(expected, &all, bindings)
                        }
                        Some(expected) => {
                            let unknown: Vec<AxisId> =
                                expected.iter().filter(|a| !all.contains(a)).copied().collect();
                            let free = Self::op_expr(item, "free").is_some();
                            if !unknown.is_empty() && bindings.rename().is_none() && !free {
                                self.report_missing_axes(&unknown, bindings, place);
                                return None;
                            }
                            expected.to_vec()
                        }
                        None => all,
                    };
                    let free = if bindings.rename().is_some() {
                        self.operand_axes(bindings)
                    } else {
                        free
                    };
                    bindings.axes.push((part.name.name, free.clone().into()));
                    axes.extend(free);
                }
            }
        }
        Some(axes)
    }

    /// The op that stands for this one in training.
    fn in_training(&self, item: ItemRef<'p>) -> ItemRef<'p> {
        let named = Self::op_expr(item, "training").filter(|_| self.builder.training);
        let ExprKind::Name(name) = (match named {
            Some(expr) => &expr.kind,
            None => return item,
        }) else {
            return item;
        };
        self.program.item(item.module, *name).unwrap_or(item)
    }

    /// The axes of a gradient: of those that its operand has, the ones that are known here. What
    /// lacks an axis is the same all along it.
    fn adjoint_axes(
        &self,
        expected: &[AxisId],
        all: &[AxisId],
        bindings: &Bindings<'p>,
    ) -> Vec<AxisId> {
        let axes = &self.builder.built.model.axes;
        let known = |a: &&AxisId| {
            all.contains(a)
                || all.iter().any(|b| axes[*b].renamed_from == Some(**a))
                || bindings
                    .arguments
                    .iter()
                    .any(|(n, _)| bindings.axes.iter().any(|(m, axes)| n == m && axes.contains(a)))
        };
        expected.iter().filter(known).copied().collect()
    }

    fn report_missing_axes(&mut self, axes: &[AxisId], bindings: &Bindings<'p>, place: Place) {
        let shown = self.show_axes(axes);
        let mut diagnostic = Diagnostic::new(
            codes::MISSING_AXIS,
            format!("no operand has the axis `{shown}`"),
            place,
            format!("the left side wants [{shown}]"),
        );
        for operand in &bindings.operands {
            let t = &self.builder.built.model.tensors[operand.tensor];
            let (made, axes) = (t.place, t.axes.clone());
            diagnostic = diagnostic.and(made, format!("this is [{}]", self.show_axes(&axes)));
        }
        self.report(diagnostic);
    }

    fn operand_axes(&self, bindings: &Bindings<'p>) -> Vec<AxisId> {
        let mut all = Vec::new();
        for operand in &bindings.operands {
            for axis in &self.builder.built.model.tensors[operand.tensor].axes {
                if !all.contains(axis) {
                    all.push(*axis);
                }
            }
        }
        all
    }

    /// `seq -> ctx`: the same axes with one replaced by a new one.
    fn rename_axis(
        &mut self,
        axes: &[AxisId],
        from: &Value<'p>,
        to: Name,
        bindings: &Bindings<'p>,
        place: Place,
    ) -> Option<Vec<AxisId>> {
        let Value::Axis(from) = from else { return None };
        if !axes.contains(from) {
            let shown = self.show_axes(axes);
            let name = self.builder.built.model.axes[*from].name;
            self.report(Diagnostic::new(
                codes::UNKNOWN_AXIS,
                format!("the tensor has no axis `{name}`"),
                place,
                format!("it is [{shown}]"),
            ));
            return None;
        }
        let given = |name: &str| match bindings.arguments.iter().find(|(n, _)| *n == name) {
            Some((_, Value::Num(id))) => Some(*id),
            _ => None,
        };
        let (window, stride) = (given("window"), given("stride"));
        let prelude = self.program.prelude_item(to)?;
        let target = if window.is_none() && stride.is_none() {
            // What another instance at this place had is not meant.
            self.builder.windowed.remove(&(to, self.builder.here.scope.path.clone()));
            self.phase_axis(to, prelude.name_place())
        } else {
            // A window or a stride makes an axis of its own: fewer elements are kept and seen.
            let axis = self.windowed_axis(to, window, stride).unwrap_or_else(|| {
                let size = crate::ir::AxisSize::Phase(to);
                let axis = self.new_axis(to, size, prelude.name_place());
                self.builder.built.model.axes[axis].window = window;
                self.builder.built.model.axes[axis].stride = stride;
                axis
            });
            self.builder.windowed.insert((to, self.builder.here.scope.path.clone()), axis);
            axis
        };
        self.builder.built.model.axes[target].renamed_from = Some(*from);
        Some(axes.iter().map(|a| if a == from { target } else { *a }).collect())
    }

    fn windowed_axis(
        &self,
        name: Name,
        window: Option<ExprId>,
        stride: Option<ExprId>,
    ) -> Option<AxisId> {
        let path = &self.builder.here.scope.path;
        let mut axes = self.builder.built.model.axes.iter();
        let is_it =
            |a: &crate::ir::Axis| a.name == name && (a.window, a.stride) == (window, stride);
        axes.find(|(_, a)| is_it(a) && a.path == *path).map(|(id, _)| id)
    }
}

impl<'p> Bindings<'p> {
    fn rename(&self) -> Option<(Value<'p>, Name)> {
        self.arguments.iter().find_map(|(_, v)| match v {
            Value::Arrow(arrow) => Some((arrow.0.clone(), arrow.1)),
            _ => None,
        })
    }
}

fn is_tensor(param: &Param) -> bool {
    param.ty.as_ref().is_some_and(|t| t.parts.first().is_some_and(|(n, _)| n.name == "Tensor"))
}

/// Parameters whose axes the result has: `a: Tensor[..A]` in `-> Tensor[..A]`.
fn passing_params(item: ItemRef<'_>) -> Vec<Name> {
    let result = item.item.result.as_ref().and_then(|t| t.axes.as_deref()).unwrap_or_default();
    let result: Vec<Name> = result.iter().filter(|a| a.spread).map(|a| a.name.name).collect();
    let params = item.item.params.as_deref().unwrap_or_default();
    params
        .iter()
        .filter(|p| {
            let axes = p.ty.as_ref().and_then(|t| t.axes.as_deref()).unwrap_or_default();
            matches!(axes, [only] if only.spread && result.contains(&only.name.name))
        })
        .map(|p| p.name.name)
        .collect()
}
