//! Ops on tensors: operands to axis variables, results to shapes, products by name.

use std::rc::Rc;

use super::object::{Given, Slot};
use super::program::ItemRef;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::ExprId;
use crate::ir::{AxisId, OpInstance, Pass, Role, Step, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Arg, AxisRef, BinaryOp, Expr, ExprKind, Param, StmtKind};

/// An operand with its parameter.
struct Operand<'p> {
    param: &'p Param,
    tensor: TensorId,
}

/// What a call of an op binds before its result is made.
#[derive(Default)]
struct Bindings<'p> {
    operands: Vec<Operand<'p>>,
    axes: Vec<(Name, Rc<[AxisId]>)>,
    arguments: Vec<(Name, Value<'p>)>,
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
    fn apply_op(
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
        let mut position = 0;
        for part in pattern.iter().filter(|p| !p.spread) {
            // A name that is an argument of the op means that axis; otherwise the next one.
            if let Some(bound) = bindings.axes(part.name.name) {
                rest.retain(|a| !bound.contains(a));
                continue;
            }
            if let Some(axis) = written.get(position) {
                let atoms = self.atoms(&[*axis]);
                rest.retain(|a| !atoms.contains(a));
                bindings.axes.push((part.name.name, atoms.into()));
                position += 1;
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
                            if !unknown.is_empty() && bindings.rename().is_none() {
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
        let window = bindings.arguments.iter().find(|(n, _)| *n == "window");
        let window = match window {
            Some((_, Value::Num(id))) => Some(*id),
            _ => None,
        };
        let prelude = self.program.prelude_item(to)?;
        let target = match window {
            None => self.phase_axis(to, prelude.name_place()),
            // A window makes an axis of its own: fewer elements are kept and seen.
            Some(window) => match self.windowed_axis(to, window) {
                Some(axis) => axis,
                None => {
                    let size = crate::ir::AxisSize::Phase(to);
                    let axis = self.new_axis(to, size, prelude.name_place());
                    self.builder.built.model.axes[axis].window = Some(window);
                    let key = (to, self.builder.scope.path.clone());
                    self.builder.windowed.insert(key, axis);
                    axis
                }
            },
        };
        self.builder.built.model.axes[target].renamed_from = Some(*from);
        Some(axes.iter().map(|a| if a == from { target } else { *a }).collect())
    }

    fn windowed_axis(&self, name: Name, window: ExprId) -> Option<AxisId> {
        let path = &self.builder.scope.path;
        let mut axes = self.builder.built.model.axes.iter();
        axes.find(|(_, a)| a.name == name && a.window == Some(window) && a.path == *path)
            .map(|(id, _)| id)
    }

    fn record_op(
        &mut self,
        item: ItemRef<'p>,
        bindings: Bindings<'p>,
        result_axes: Vec<AxisId>,
        place: Place,
    ) -> Value<'p> {
        let declaration = self.op_declaration(item);
        let env = self.op_env(item, &bindings, &result_axes);
        let stores = match self.op_attribute(item, "stores", &env) {
            Some(Value::Word(word)) => Role::ALL.into_iter().find(|r| word == r.word()),
            _ => None,
        };
        let sums = self.attribute_axes(item, "sums", &env);
        let whole = self.attribute_axes(item, "whole", &env);
        let linear = self.attribute_tensors(item, "linear", &env);
        let unread = self.attribute_tensors(item, "unread", &env);
        let role = stores.unwrap_or(Role::Activations);
        let widest = bindings.operands.iter().map(|o| o.tensor).next();
        let Some(dtype) = self.result_dtype(role, widest) else { return Value::Error };
        let name = item.item.name.name;
        let result = self.new_tensor(name, result_axes, role, dtype, place);
        let op = OpInstance {
            op: name,
            declaration,
            operands: bindings.operands.iter().map(|o| (o.param.name.name, o.tensor)).collect(),
            result,
            axes: bindings.axes,
            sums,
            whole,
            linear,
            unread,
            scope: self.builder.scope.clone(),
            residual: self.builder.residual,
            place,
            stores,
            view: matches!(self.op_attribute(item, "view", &env), Some(Value::Truth(true))),
            keeps: Self::op_expr(item, "keeps").map(|_| self.attribute_axes(item, "keeps", &env)),
            pass: Pass::Forward,
        };
        let id = self.builder.built.model.ops.push(op);
        self.builder.built.model.tensors[result].producer = Some(id);
        self.builder.built.arguments.push(bindings.arguments);
        if stores.is_some() {
            let rounds = self.rounds();
            self.builder.built.model.stored.push((result, rounds));
        }
        self.builder.push_step(Step::Op(id));
        Value::Tensor(result)
    }

    fn op_declaration(&mut self, item: ItemRef<'p>) -> usize {
        let declarations = &mut self.builder.built.declarations;
        if let Some(i) = declarations.iter().position(|d| *d == item) {
            return i;
        }
        declarations.push(item);
        declarations.len() - 1
    }

    fn op_env(
        &mut self,
        item: ItemRef<'p>,
        bindings: &Bindings<'p>,
        result_axes: &[AxisId],
    ) -> Env<'p> {
        let env = self.item_env(item).names();
        for (name, axes) in &bindings.axes {
            env.bind(*name, Value::Axes(axes.clone()));
        }
        for (name, value) in &bindings.arguments {
            env.bind(*name, value.clone());
        }
        for operand in &bindings.operands {
            env.bind(operand.param.name.name, Value::Tensor(operand.tensor));
        }
        env.bind(Name::new("result_axes"), Value::Axes(result_axes.into()));
        env
    }

    /// The right side of a setting in an op's declaration.
    pub(crate) fn op_expr(item: ItemRef<'p>, name: &str) -> Option<&'p Expr> {
        let body = item.item.body.as_ref()?;
        body.stmts.iter().find_map(|s| match &s.kind {
            StmtKind::Set { path, value, .. } if path.len() == 1 => {
                path.first().filter(|p| p.name == name).map(|_| value)
            }
            _ => None,
        })
    }

    fn op_attribute(&mut self, item: ItemRef<'p>, name: &str, env: &Env<'p>) -> Option<Value<'p>> {
        let expr = Self::op_expr(item, name)?;
        if let ExprKind::Name(word) = &expr.kind
            && env.local(*word).is_none()
        {
            return Some(Value::Word(*word));
        }
        Some(self.eval(expr, env))
    }

    fn attribute_axes(&mut self, item: ItemRef<'p>, name: &str, env: &Env<'p>) -> Vec<AxisId> {
        let mut out = Vec::new();
        match self.op_attribute(item, name, env) {
            Some(Value::Axis(a)) => out.push(a),
            Some(Value::Axes(axes)) => out.extend(axes.iter().copied()),
            Some(Value::List(items)) => {
                for value in items.iter() {
                    match value {
                        Value::Axis(a) => out.push(*a),
                        Value::Axes(axes) => out.extend(axes.iter().copied()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        self.atoms(&out)
    }

    fn attribute_tensors(&mut self, item: ItemRef<'p>, name: &str, env: &Env<'p>) -> Vec<TensorId> {
        let one = |v: &Value<'p>| match v {
            Value::Tensor(t) => Some(*t),
            _ => None,
        };
        match self.op_attribute(item, name, env) {
            Some(Value::List(items)) => items.iter().filter_map(one).collect(),
            Some(value) => one(&value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// An operator between tensors, or a tensor and a number.
    pub(super) fn tensor_binary(
        &mut self,
        op: BinaryOp,
        (left, a): (Value<'p>, &'p Expr),
        (right, b): (Value<'p>, &'p Expr),
        place: Place,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        let (pa, pb) = (env.site().place(a.span), env.site().place(b.span));
        let scales = matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div);
        let (x, y) = match (&left, &right) {
            (Value::Tensor(x), Value::Tensor(y)) => (*x, *y),
            (Value::Tensor(_), Value::Num(_) | Value::Axis(_))
            | (Value::Num(_) | Value::Axis(_), Value::Tensor(_))
                if !scales =>
            {
                return self.wrong_operator(op, place);
            }
            (Value::Tensor(_), Value::Num(_) | Value::Axis(_)) => {
                return self.operator_op("scale", vec![(left, pa)], place, expected);
            }
            (Value::Num(_) | Value::Axis(_), Value::Tensor(_)) => {
                return self.operator_op("scale", vec![(right, pb)], place, expected);
            }
            (Value::Tensor(_), other) => {
                self.report_not_tensor(&other.clone(), pb);
                return Value::Error;
            }
            (other, _) => {
                self.report_not_tensor(&other.clone(), pa);
                return Value::Error;
            }
        };
        match op {
            BinaryOp::Mul => {
                for (tensor, at) in [(x, pa), (y, pb)] {
                    if self.builder.products.contains(&tensor) {
                        self.report_nested_product(tensor, at);
                        return Value::Error;
                    }
                }
                let all = {
                    let tensors = &self.builder.built.model.tensors;
                    let mut all = tensors[x].axes.clone();
                    all.extend(tensors[y].axes.iter().filter(|a| !tensors[x].axes.contains(a)));
                    all
                };
                let sums = expected.is_some_and(|e| all.iter().any(|a| !e.contains(a)));
                let lacking = expected.is_some_and(|e| e.iter().any(|a| !all.contains(a)));
                let name = if sums || lacking { "contract" } else { "multiply" };
                let value = self.operator_op(name, vec![(left, pa), (right, pb)], place, expected);
                if let Value::Tensor(t) = value {
                    self.builder.products.insert(t);
                }
                value
            }
            BinaryOp::Add => {
                self.operator_op("add", vec![(left, pa), (right, pb)], place, expected)
            }
            BinaryOp::Sub => {
                self.operator_op("subtract", vec![(left, pa), (right, pb)], place, expected)
            }
            BinaryOp::Div => {
                self.operator_op("divide", vec![(left, pa), (right, pb)], place, expected)
            }
            _ => self.wrong_operator(op, place),
        }
    }

    fn wrong_operator(&mut self, op: BinaryOp, place: Place) -> Value<'p> {
        self.report(
            Diagnostic::new(
                codes::WRONG_TYPE,
                format!("`{}` does not work on tensors", op.symbol()),
                place,
                "an operand is a tensor",
            )
            .note("tensors know `+ - * /` and the ops that are declared with `op`"),
        );
        Value::Error
    }

    fn report_nested_product(&mut self, tensor: TensorId, at: Place) {
        let axes = self.builder.built.model.tensors[tensor].axes.clone();
        let shown: Vec<String> =
            axes.iter().map(|a| self.builder.built.model.axes[*a].name.to_string()).collect();
        self.report(
            Diagnostic::new(
                codes::NESTED_PRODUCT,
                "a product inside of a product leaves open which axes it sums",
                at,
                "this product needs a name and axes of its own",
            )
            .note(format!("define it first: `part[{}] = …`", shown.join(", "))),
        );
    }

    /// An op of the prelude, by name, on operands already evaluated.
    pub(super) fn operator_op(
        &mut self,
        name: &str,
        operands: Vec<(Value<'p>, Place)>,
        place: Place,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        let Some(item) = self.program.prelude_item(Name::new(name)) else {
            self.broken_library.push(Name::new(name));
            return Value::Error;
        };
        let params = item.item.params.as_deref().unwrap_or_default();
        let values =
            params.iter().zip(operands).map(|(param, (value, at))| (param, value, at)).collect();
        self.apply_op(item, values, place, expected)
    }

    /// `A | B`, `A & B`, `A - B`.
    pub(super) fn axis_set(&self, op: BinaryOp, a: &Value<'p>, b: &Value<'p>) -> Value<'p> {
        let set = |v: &Value<'p>| match v {
            Value::Axis(axis) => match self.axis_info(*axis) {
                Some(a) if !a.parts.is_empty() => a.parts,
                _ => vec![*axis],
            },
            Value::Axes(axes) => axes.to_vec(),
            _ => Vec::new(),
        };
        let (a, b) = (set(a), set(b));
        let out: Vec<AxisId> = match op {
            BinaryOp::Union => {
                let new = b.iter().filter(|x| !a.contains(x));
                a.iter().chain(new).copied().collect()
            }
            BinaryOp::Intersect => a.into_iter().filter(|x| b.contains(x)).collect(),
            _ => a.into_iter().filter(|x| !b.contains(x)).collect(),
        };
        Value::Axes(out.into())
    }

    /// `size(A | B)`, `bytes(a)`, `extent(over)`: known where an op is costed.
    pub(super) fn tensor_builtin(
        &mut self,
        builtin: &str,
        values: &[(Option<Name>, Value<'p>, Place)],
        place: Place,
    ) -> Value<'p> {
        let [(_, value, at)] = values else {
            return self.wrong_arity(builtin, 1, values.len(), place);
        };
        match (builtin, value) {
            ("origin", Value::Axis(axis)) => {
                let from = self.axis_info(*axis).and_then(|a| a.renamed_from);
                from.map_or(Value::None, Value::Axis)
            }
            ("origin", Value::Axes(axes)) => match axes.first().copied() {
                Some(axis) => {
                    let from = self.axis_info(axis).and_then(|a| a.renamed_from);
                    from.map_or(Value::None, Value::Axis)
                }
                None => Value::None,
            },
            ("window", Value::Axis(axis)) => {
                let window = self.axis_info(*axis).and_then(|a| a.window);
                window.map_or(Value::None, Value::Num)
            }
            ("window", Value::Axes(axes)) => {
                let window = axes.first().and_then(|a| self.axis_info(*a)?.window);
                window.map_or(Value::None, Value::Num)
            }
            ("size", Value::Axis(axis)) => self.frame_size(&[*axis], false, place),
            ("size", Value::Axes(axes)) => self.frame_size(axes, false, place),
            ("size", Value::Tensor(t)) => {
                let axes = self.tensor_axes(*t);
                self.frame_size(&axes, false, place)
            }
            ("extent", Value::Axis(axis)) => self.frame_size(&[*axis], true, place),
            ("extent", Value::Axes(axes)) => self.frame_size(axes, true, place),
            ("bytes", Value::Tensor(t)) => self.frame_bytes(*t, place),
            (_, Value::Error) => Value::Error,
            (_, other) => {
                let what = other.describe();
                self.report(Diagnostic::new(
                    codes::WRONG_TYPE,
                    format!("`{builtin}` does not take {what}"),
                    *at,
                    "an axis, a set of axes or a tensor of the op is wanted",
                ));
                Value::Error
            }
        }
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
