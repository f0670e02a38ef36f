//! What the backward pass makes once more: inside of fused kernels what never left them, under
//! `recompute = full` the whole body of a repeat.

use rustc_hash::FxHashSet;

use super::Checker;
use super::backward::{Adjoints, Forward, first_place, only_op};
use crate::ir::{Fuse, OpId, Pass, Step, TensorId};
use crate::name::Name;

impl<'p> Checker<'p> {
    /// The adjoints of a fused kernel are one kernel too: it makes again what it did not keep.
    pub(super) fn backward_fuse(
        &mut self,
        fuse: &Fuse,
        forward: &Forward,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        let outer = adjoints.again.clone();
        self.builder.steps.push(Vec::new());
        let needed = self.made_again(&fuse.ops, forward, adjoints);
        for id in &fuse.ops {
            let result = self.builder.built.model.ops[*id].result;
            if needed.contains(&result) {
                self.make_again(*id, adjoints);
            }
        }
        let done = fuse
            .ops
            .iter()
            .rev()
            .try_for_each(|id| self.backward_op(*id, forward, adjoints).ok_or(()));
        let steps = self.builder.steps.pop().unwrap_or_default();
        adjoints.again = outer;
        done.ok()?;
        let ops: Vec<OpId> = steps.into_iter().filter_map(only_op).collect();
        if !ops.is_empty() {
            let name = Name::new(&format!("{}_backward", fuse.name));
            self.builder.push_step(Step::Fuse(Fuse { name, ops, ..fuse.clone() }));
        }
        Some(())
    }

    /// Tensors that never left the kernel and that its adjoints name, with what those are made of.
    fn made_again(
        &self,
        ops: &[OpId],
        forward: &Forward,
        adjoints: &Adjoints,
    ) -> FxHashSet<TensorId> {
        let model = &self.builder.built.model;
        let stays = |tensor: &TensorId| {
            let readers = forward.readers.get(tensor).map_or(&[][..], Vec::as_slice);
            !forward.leaving.contains(tensor) && readers.iter().all(|r| ops.contains(r))
        };
        let made = ops.iter().map(|op| model.ops[*op].result);
        let inner: FxHashSet<TensorId> = made.filter(stays).collect();
        let mut needed: FxHashSet<TensorId> = FxHashSet::default();
        for id in ops.iter().rev() {
            let op = &model.ops[*id];
            // A later op of the kernel brings the gradient, if it is not there already.
            let reached = inner.contains(&op.result) || adjoints.of.contains_key(&op.result);
            if reached && forward.active.contains(&op.result) {
                needed.extend(self.named_in_backward(*id, forward).filter(|t| inner.contains(t)));
            }
            if needed.contains(&op.result) {
                let operands = op.operands.iter().map(|(_, t)| *t);
                needed.extend(operands.filter(|t| inner.contains(t)));
            }
        }
        needed
    }

    /// Operands (and the result) that the wanted gradients of an op name.
    fn named_in_backward(
        &self,
        id: OpId,
        forward: &Forward,
    ) -> impl Iterator<Item = TensorId> + use<'p> {
        let op = &self.builder.built.model.ops[id];
        let mut names = Vec::new();
        for (of, value) in self.declared_backward(id).map(|(_, g)| g).unwrap_or_default() {
            let operand = op.operands.iter().find(|(n, _)| *n == of.name);
            if operand.is_some_and(|(_, t)| forward.active.contains(t)) {
                super::lint::names_in(value, &mut names);
            }
        }
        let result = (Name::new("result"), op.result);
        let all: Vec<_> = op.operands.iter().copied().chain([result]).collect();
        all.into_iter().filter(move |(n, _)| names.contains(n)).map(|(_, t)| t)
    }

    /// The same op once more, on what is at hand.
    fn make_again(&mut self, id: OpId, adjoints: &mut Adjoints) {
        let arguments = self.builder.built.arguments.get(id.index()).cloned().unwrap_or_default();
        let model = &mut self.builder.built.model;
        let mut op = model.ops[id].clone();
        let now = |t: TensorId| adjoints.again.get(&t).copied().unwrap_or(t);
        for (_, tensor) in &mut op.operands {
            *tensor = now(*tensor);
        }
        op.linear = op.linear.iter().map(|t| now(*t)).collect();
        op.unread = op.unread.iter().map(|t| now(*t)).collect();
        let forward = op.result;
        let result = model.tensors.push(model.tensors[forward].clone());
        adjoints.again.insert(forward, result);
        op.result = result;
        op.pass = Pass::Recompute;
        let new = model.ops.push(op);
        model.tensors[result].producer = Some(new);
        self.builder.built.arguments.push(arguments);
        self.builder.push_step(Step::Op(new));
    }

    /// A whole body once more.
    pub(super) fn body_again(&mut self, body: &[Step], adjoints: &mut Adjoints) -> Option<()> {
        for step in body {
            match step {
                Step::Op(op) => self.make_again(*op, adjoints),
                Step::Fuse(fuse) => {
                    self.builder.steps.push(Vec::new());
                    for op in &fuse.ops {
                        self.make_again(*op, adjoints);
                    }
                    let steps = self.builder.steps.pop().unwrap_or_default();
                    let ops = steps.into_iter().filter_map(only_op).collect();
                    self.builder.push_step(Step::Fuse(Fuse { ops, ..fuse.clone() }));
                }
                Step::Repeat(inner) => {
                    return self
                        .not_yet("recomputing a repeat inside of a repeat", Some(inner.place));
                }
                Step::Some { body, .. } => {
                    let place = first_place(body, &self.builder.built.model);
                    return self.not_yet("layers that differ", place);
                }
                Step::Join { .. } => {}
            }
        }
        Some(())
    }
}
