//! What an op declares of itself: attributes evaluated for one call.

use std::rc::Rc;

use super::Checker;
use super::program::ItemRef;
use super::tensor::Bindings;
use super::value::{Env, Value};
use crate::ir::model::Sparse;
use crate::ir::{AxisId, OpInstance, Pass, Role, Step, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Expr, ExprKind, StmtKind};

impl<'p> Checker<'p> {
    pub(super) fn record_op(
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
        let sparse = self.sparse_axes(item, &env, &result_axes);
        let local = self.attribute_axes(item, "local", &env);
        let linear = self.attribute_tensors(item, "linear", &env);
        let unread = self.attribute_tensors(item, "unread", &env);
        let role = stores.unwrap_or(Role::Activations);
        let widest = bindings.operands.iter().map(|o| o.tensor).next();
        let Some(dtype) = self.result_dtype(role, widest) else { return Value::Error };
        let name = item.item.name.name;
        // What has the axes of an operand has them as that one writes them.
        let tensors = &self.builder.built.model.tensors;
        let like = bindings.operands.iter().find(|o| tensors[o.tensor].axes == result_axes);
        let written = like.map_or(result_axes, |o| tensors[o.tensor].written.clone());
        let result = self.new_tensor(name, written, role, dtype, place);
        let op = OpInstance {
            op: name,
            declaration,
            operands: bindings.operands.iter().map(|o| (o.param.name.name, o.tensor)).collect(),
            result,
            axes: bindings.axes,
            sums,
            whole,
            sparse,
            local,
            linear,
            unread,
            scope: self.builder.here.scope.clone(),
            residual: self.builder.here.residual,
            place,
            stores,
            view: matches!(self.op_attribute(item, "view", &env), Some(Value::Truth(true))),
            concludes: matches!(self.op_attribute(item, "final", &env), Some(Value::Truth(true))),
            combines: Self::op_expr(item, "combine").is_some(),
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

    pub(super) fn op_declaration(&mut self, item: ItemRef<'p>) -> usize {
        let declarations = &mut self.builder.built.declarations;
        if let Some(i) = declarations.iter().position(|d| *d == item) {
            return i;
        }
        declarations.push(item);
        declarations.len() - 1
    }

    pub(super) fn op_env(
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

    pub(super) fn op_attribute(
        &mut self,
        item: ItemRef<'p>,
        name: &str,
        env: &Env<'p>,
    ) -> Option<Value<'p>> {
        let expr = Self::op_expr(item, name)?;
        if let ExprKind::Name(word) = &expr.kind
            && env.local(*word).is_none()
        {
            return Some(Value::Word(*word));
        }
        Some(self.eval(expr, env))
    }

    /// `sparse = to` with `present = picks`: of these axes only so many elements are there at each
    /// place along the others of the result.
    fn sparse_axes(
        &mut self,
        item: ItemRef<'p>,
        env: &Env<'p>,
        result_axes: &[AxisId],
    ) -> Vec<AxisId> {
        let sparse = self.attribute_axes(item, "sparse", env);
        if sparse.is_empty() {
            return sparse;
        }
        if let Some(Value::Num(present)) = self.op_attribute(item, "present", env) {
            let atoms = self.atoms(result_axes);
            let along: Rc<[AxisId]> = atoms.into_iter().filter(|a| !sparse.contains(a)).collect();
            let over = match env.local(Name::new("over")) {
                Some(Value::Axis(over)) => self.atoms(&[over]),
                Some(Value::Axes(over)) => over.to_vec(),
                _ => Vec::new(),
            };
            let axes = &self.builder.built.model.axes;
            let keys = over.into_iter().find(|a| axes[*a].renamed_from.is_some());
            let reach = match self.op_attribute(item, "reach", env) {
                Some(Value::Num(reach)) => Some(reach),
                _ => None,
            };
            for &axis in &sparse {
                let found = Sparse { present, along: Rc::clone(&along), reach, keys };
                self.builder.built.model.axes[axis].sparse = Some(found);
            }
        }
        sparse
    }

    pub(super) fn attribute_axes(
        &mut self,
        item: ItemRef<'p>,
        name: &str,
        env: &Env<'p>,
    ) -> Vec<AxisId> {
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

    pub(super) fn attribute_tensors(
        &mut self,
        item: ItemRef<'p>,
        name: &str,
        env: &Env<'p>,
    ) -> Vec<TensorId> {
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
}
