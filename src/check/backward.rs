//! The backward pass: adjoints are ops too, so layouts, collectives and costs follow from them.
//!
//! In: the steps of a forward pass just built. Out: the loss, and steps that make the gradient of
//! every weight, each in the scope of the op that it belongs to. What an op needs again is what its
//! `backward` names; a fused kernel makes again what never left it, and a recomputed repeat its
//! whole body.

use rustc_hash::{FxHashMap, FxHashSet};

use super::arms::{Joined, pass_through};
use super::forward::Forward;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::ir::model::Carried;
use crate::ir::{AxisId, OpId, Pass, Repeat, Role, Step, TensorId, Training};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Expr, Ident, StmtKind};

/// What is known on the way back.
#[derive(Clone, Default)]
pub(super) struct Adjoints {
    /// Gradients found so far, by the tensor that they are the gradient of.
    pub(super) of: FxHashMap<TensorId, TensorId>,
    /// Tensors that were made again, by the forward tensor.
    pub(super) again: FxHashMap<TensorId, TensorId>,
    /// Whether the ops in question were made again as a whole: they kept nothing.
    pub(super) anew: bool,
}

impl<'p> Checker<'p> {
    /// Adds the loss and the backward pass to the model being built. `None` where an op cannot be
    /// differentiated (reported).
    pub(super) fn build_backward(&mut self, training: &Training) -> Option<()> {
        let errors = self.errors();
        let losses = self.losses()?;
        let steps = self.builder.steps.first().cloned().unwrap_or_default();
        self.builder.built.model.forward_steps = Some(steps.len());
        let forward = self.look_at_forward(&steps, &losses, training);
        if forward.active.is_empty() {
            let place = self.builder.here.scope.place;
            let title = "every weight is frozen, so nothing is trained";
            let finding = Diagnostic::new(codes::NOTHING_TRAINED, title, place, "all of this");
            self.report(finding.note(
                "say which blocks learn: `frozen = true`, then `frozen within Block = false`",
            ));
            return None;
        }
        self.builder.backward = true;
        let mut adjoints = Adjoints::default();
        for loss in losses {
            let place = self.builder.built.model.tensors[loss].place;
            self.builder.here.scope = self.builder.built.model.tensors[loss].scope.clone();
            let first = self.builder.built.model.ops.len();
            let operand = vec![(Value::Tensor(loss), place)];
            let seed = self.operator_op("loss_seed", operand, place, None);
            let Value::Tensor(seed) = seed else { return None };
            self.builder.built.model.tensors[seed].dtype =
                self.builder.built.model.tensors[loss].dtype.clone();
            self.mark_backward(first, place);
            adjoints.of.insert(loss, seed);
        }
        self.backward_parts(&steps, &forward, &mut adjoints, false)?;
        for (weight, _) in self.builder.built.model.weights.clone() {
            if let Some(&gradient) = adjoints.of.get(&weight) {
                self.builder.built.model.gradients.push((weight, gradient));
            }
        }
        (self.errors() == errors).then_some(())
    }

    /// Cross entropy between each output and the tokens that go in.
    fn losses(&mut self) -> Option<Vec<TensorId>> {
        let Some(block) = self.program.std_item("layers", Name::new("CrossEntropy")) else {
            self.broken_library.push(Name::new("CrossEntropy"));
            return None;
        };
        let outputs = self.builder.built.model.outputs.clone();
        let mut losses = Vec::new();
        for output in outputs {
            let place = self.builder.built.model.tensors[output].place;
            let targets = self.targets(output, place)?;
            let loss = self.library_block(block, &[output, targets], Name::new("loss"), place)?;
            losses.push(loss);
        }
        Some(losses)
    }

    /// The token that should come next at every position: an input of the step.
    fn targets(&mut self, output: TensorId, place: Place) -> Option<TensorId> {
        let model = &self.builder.built.model;
        let (_, axes) = model.tensors[output].written.split_last()?;
        let (axes, dtype) = (axes.to_vec(), model.tensors[*model.inputs.first()?].dtype.clone());
        let name = Name::new("targets");
        let targets = self.new_tensor(name, axes, Role::Activations, dtype, place);
        self.builder.built.model.inputs.push(targets);
        Some(targets)
    }

    /// `backward dy { grad a = … }` of an op's declaration.
    pub(super) fn declared_backward(&self, id: OpId) -> Option<(Ident, Vec<(Ident, &'p Expr)>)> {
        let op = &self.builder.built.model.ops[id];
        let item = self.builder.built.declarations.get(op.declaration)?;
        let body = item.item.body.as_ref()?;
        body.stmts.iter().find_map(|stmt| match &stmt.kind {
            StmtKind::Backward { name, body } => {
                let grads = body.stmts.iter().filter_map(|s| match &s.kind {
                    StmtKind::Grad { of, value } => Some((*of, value)),
                    _ => None,
                });
                Some((*name, grads.collect()))
            }
            _ => None,
        })
    }

    pub(super) fn backward_steps(
        &mut self,
        steps: &[Step],
        forward: &Forward,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        let mut joins: Vec<Joined<'_>> = Vec::new();
        let mut end = steps.len();
        while let Some(last) = end.checked_sub(1) {
            let Some(step) = steps.get(last) else { break };
            end = last;
            match step {
                Step::Join { arms, result } => {
                    joins.push(Joined { arms, result: *result });
                    continue;
                }
                Step::Some { branch, .. } => {
                    let same = |s: &&Step| matches!(s, Step::Some { branch: b, .. } if b.choice == branch.choice);
                    let before = steps.get(..last).unwrap_or_default();
                    end = last - before.iter().rev().take_while(same).count();
                    let arms = steps.get(end..=last).unwrap_or_default();
                    self.backward_arms(arms, *branch, &joins, forward, adjoints)?;
                    joins.clear();
                    continue;
                }
                _ => pass_through(std::mem::take(&mut joins), adjoints),
            }
            match step {
                Step::Op(op) => self.backward_op(*op, forward, adjoints)?,
                Step::Fuse(fuse) => self.backward_fuse(fuse, forward, adjoints)?,
                Step::Repeat(repeat) => self.backward_repeat(repeat, forward, adjoints)?,
                Step::Some { .. } | Step::Join { .. } => {}
            }
        }
        pass_through(joins, adjoints);
        Some(())
    }

    /// Something that training does not cost yet, said where it stands.
    pub(crate) fn not_yet(&mut self, what: &str, place: Option<Place>) -> Option<()> {
        let place = place.unwrap_or(self.builder.here.scope.place);
        let title = format!("{what} cannot be costed in training yet");
        self.report(Diagnostic::new(codes::NOT_YET, title, place, "used here"));
        None
    }

    /// `grad a = …` of the op's declaration, each under the axes of its operand.
    pub(super) fn backward_op(
        &mut self,
        id: OpId,
        forward: &Forward,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        let op = self.builder.built.model.ops[id].clone();
        let Some(&dy) = adjoints.of.get(&op.result) else { return Some(()) };
        if !forward.active.contains(&op.result) {
            return Some(());
        }
        let Some((dy_name, grads)) = self.declared_backward(id) else {
            self.report_no_backward(id);
            return None;
        };
        let saved_scope = std::mem::replace(&mut self.builder.here.scope, op.scope.clone());
        let saved_residual = std::mem::replace(&mut self.builder.here.residual, op.residual);
        let env = self.adjoint_env(id, dy_name, dy, adjoints)?;
        for (of, value) in grads {
            let operand = op.operands.iter().find(|(n, _)| *n == of.name).map(|(_, t)| *t);
            let Some(operand) = operand.filter(|t| forward.active.contains(t)) else { continue };
            let first = self.builder.built.model.ops.len();
            let axes = self.builder.built.model.tensors[operand].axes.clone();
            let Value::Tensor(gradient) = self.eval_for(value, &env, Some(&axes)) else {
                return None;
            };
            let gradient = self.summed_to(gradient, &axes, op.place)?;
            let gradient = self.gradient_of(gradient, operand, first, op.place)?;
            let sum = self.accumulated(operand, gradient, op.place, adjoints)?;
            adjoints.of.insert(operand, sum);
            self.mark_backward(first, op.place);
        }
        self.builder.here.scope = saved_scope;
        self.builder.here.residual = saved_residual;
        Some(())
    }

    fn report_no_backward(&mut self, id: OpId) {
        let op = &self.builder.built.model.ops[id];
        let Some(item) = self.builder.built.declarations.get(op.declaration) else { return };
        let diagnostic = Diagnostic::new(
            codes::NO_BACKWARD,
            format!("`{}` has no `backward`, so nothing can be trained through it", op.op),
            op.place,
            "used here",
        )
        .and(item.name_place(), "declared here");
        self.report(diagnostic);
    }

    /// Ops made since `first` belong to the backward pass, and are said to stand at `place`.
    pub(super) fn mark_backward(&mut self, first: usize, place: Place) {
        let model = &mut self.builder.built.model;
        let new: Vec<OpId> = model.ops.iter().map(|(id, _)| id).skip(first).collect();
        for id in new {
            let op = &mut model.ops[id];
            op.pass = Pass::Backward;
            op.place = place;
            let result = op.result;
            model.tensors[result].place = place;
        }
    }

    /// A gradient beside what is known of it already.
    pub(super) fn accumulated(
        &mut self,
        operand: TensorId,
        gradient: TensorId,
        place: Place,
        adjoints: &Adjoints,
    ) -> Option<TensorId> {
        let Some(before) = adjoints.of.get(&operand).copied() else { return Some(gradient) };
        let parts = vec![(Value::Tensor(before), place), (Value::Tensor(gradient), place)];
        let first = self.builder.built.model.ops.len();
        match self.operator_op("add", parts, place, None) {
            Value::Tensor(sum) => self.gradient_of(sum, operand, first, place),
            _ => None,
        }
    }

    /// Name, role and number format of a gradient: those of its operand, for weights those of
    /// gradients. What was there before an op is copied where its format differs.
    fn gradient_of(
        &mut self,
        gradient: TensorId,
        operand: TensorId,
        first: usize,
        place: Place,
    ) -> Option<TensorId> {
        let model = &self.builder.built.model;
        let of = &model.tensors[operand];
        let weight = of.role == Role::Weights;
        let dtype = match weight {
            true => self.builder.precision.role(Role::Gradients)?,
            false => of.dtype.clone(),
        };
        let name = Name::new(&format!("d_{}", of.name));
        let producer = model.tensors[gradient].producer;
        let new = producer.is_some_and(|p| p.index() >= first);
        let same = model.tensors[gradient].dtype.name == dtype.name && !weight;
        let gradient = if new || same {
            gradient
        } else {
            let parts = vec![(Value::Tensor(gradient), place)];
            match self.operator_op("cast", parts, place, None) {
                Value::Tensor(copy) => copy,
                _ => return None,
            }
        };
        let tensor = &mut self.builder.built.model.tensors[gradient];
        if !tensor.named {
            tensor.name = name;
            tensor.named = true;
        }
        tensor.dtype = dtype;
        if weight {
            tensor.role = Role::Gradients;
        }
        Some(gradient)
    }

    /// A gradient summed over the axes that its operand does not have (a bias, a scale).
    fn summed_to(&mut self, gradient: TensorId, axes: &[AxisId], place: Place) -> Option<TensorId> {
        let have = &self.builder.built.model.tensors[gradient].axes;
        if have.iter().all(|a| axes.contains(a)) {
            return Some(gradient);
        }
        let parts = vec![(Value::Tensor(gradient), place)];
        match self.operator_op("total", parts, place, Some(axes)) {
            Value::Tensor(t) => Some(t),
            _ => None,
        }
    }

    fn adjoint_env(
        &mut self,
        id: OpId,
        dy_name: Ident,
        dy: TensorId,
        adjoints: &Adjoints,
    ) -> Option<Env<'p>> {
        let built = &self.builder.built;
        let op = built.model.ops[id].clone();
        let item = *built.declarations.get(op.declaration)?;
        let arguments = built.arguments.get(id.index()).cloned().unwrap_or_default();
        let env = self.item_env(item).names();
        for (name, axes) in &op.axes {
            match &**axes {
                [axis] => env.bind(*name, Value::Axis(*axis)),
                _ => env.bind(*name, Value::Axes(axes.clone())),
            }
        }
        for (name, value) in arguments {
            env.bind(name, value);
        }
        let now = |t: TensorId| Value::Tensor(adjoints.again.get(&t).copied().unwrap_or(t));
        for (name, tensor) in &op.operands {
            env.bind(*name, now(*tensor));
        }
        env.bind(Name::new("result"), now(op.result));
        env.bind(dy_name.name, Value::Tensor(dy));
        Some(env)
    }

    fn backward_repeat(
        &mut self,
        repeat: &Repeat,
        forward: &Forward,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        let mut carried = Vec::new();
        let again = adjoints.again.clone();
        let mut inner = Adjoints { of: FxHashMap::default(), again, anew: adjoints.anew };
        for carry in &repeat.carried {
            let Some(&before) = adjoints.of.get(&carry.after) else { continue };
            let start = self.carried_gradient(before, carry.start, repeat.place);
            inner.of.insert(carry.end, start);
            carried.push((carry, before, start));
        }
        self.builder.steps.push(Vec::new());
        let done = self.backward_parts(&repeat.body, forward, &mut inner, true);
        let body = self.builder.steps.pop().unwrap_or_default();
        done?;
        let mut pairs = Vec::new();
        let mut out = Vec::new();
        for (carry, before, start) in carried {
            let Some(&end) = inner.of.get(&carry.start) else { continue };
            let after = self.carried_gradient(end, carry.start, repeat.place);
            pairs.push(Carried { before, start, end, after });
            out.push((carry.before, after));
        }
        self.builder.push_step(Step::Repeat(Repeat { carried: pairs, body, ..repeat.clone() }));
        self.leave_round(repeat, &inner, adjoints)?;
        for (before, after) in out {
            let first = self.builder.built.model.ops.len();
            let sum = self.accumulated(before, after, repeat.place, adjoints)?;
            self.mark_backward(first, repeat.place);
            adjoints.of.insert(before, sum);
        }
        Some(())
    }

    /// A gradient that goes from round to round, laid out as the value that it belongs to.
    fn carried_gradient(&mut self, of: TensorId, value: TensorId, place: Place) -> TensorId {
        let value = &self.builder.built.model.tensors[value];
        let (name, scope) = (value.name, value.scope.clone());
        let copy = self.copy_tensor(of, Name::new(&format!("d_{name}")), place);
        self.builder.built.model.tensors[copy].scope = scope;
        copy
    }

    /// Weights of the rounds have a gradient in each of them. Whatever else comes from outside
    /// would add up over the rounds.
    fn leave_round(
        &mut self,
        repeat: &Repeat,
        inner: &Adjoints,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        let mut ops = FxHashSet::default();
        ops_of(&repeat.body, &mut ops);
        let model = &self.builder.built.model;
        let mut found: Vec<(TensorId, TensorId)> = inner.of.iter().map(|(t, g)| (*t, *g)).collect();
        found.sort_unstable();
        for (tensor, gradient) in found {
            let t = &model.tensors[tensor];
            let carried = repeat.carried.iter().any(|c| c.start == tensor || c.end == tensor);
            if carried || t.producer.is_some_and(|p| ops.contains(&p)) {
                continue;
            }
            let own = model.weights.iter().any(|(w, rounds)| *w == tensor && rounds.is_some());
            if !own {
                let place = t.place;
                return self.not_yet("a tensor that all rounds of a repeat share", Some(place));
            }
            adjoints.of.insert(tensor, gradient);
        }
        Some(())
    }
}

pub(super) fn only_op(step: Step) -> Option<OpId> {
    match step {
        Step::Op(op) => Some(op),
        _ => None,
    }
}

/// The ops of some steps.
pub(super) fn ops_of(steps: &[Step], out: &mut FxHashSet<OpId>) {
    for step in steps {
        match step {
            Step::Op(op) => {
                out.insert(*op);
            }
            Step::Fuse(fuse) => out.extend(&fuse.ops),
            Step::Repeat(repeat) => ops_of(&repeat.body, out),
            Step::Some { body, .. } => ops_of(body, out),
            Step::Join { .. } => {}
        }
    }
}
