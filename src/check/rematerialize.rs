//! What the backward pass makes once more: inside of fused kernels what never left them, under
//! `recompute` the ops of a block, the core of attention, or the whole body of a repeat.
//!
//! In: the steps of forward. Out: their copies, right before the backward pass of what they copy.
//! What leaves such a part has been kept: what follows it has read it before it is made again.

use rustc_hash::FxHashSet;

use super::Checker;
use super::backward::{Adjoints, only_op};
use super::discard::Discarded;
use super::forward::Forward;
use crate::graph::op_matches;
use crate::ir::{Fuse, Model, OpId, Pass, Recompute, RecomputeLevel, Step, TensorId};
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
    pub(super) fn named_in_backward(
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
        if adjoints.anew {
            op.keeps = None;
        }
        let new = model.ops.push(op);
        model.tensors[result].producer = Some(new);
        self.builder.built.arguments.push(arguments);
        self.builder.push_step(Step::Op(new));
    }

    /// The backward pass of some steps: parts that are recomputed are made again first.
    pub(super) fn backward_parts(
        &mut self,
        steps: &[Step],
        forward: &Forward,
        adjoints: &mut Adjoints,
        repeated: bool,
    ) -> Option<()> {
        let recompute = &forward.recompute;
        let model = &self.builder.built.model;
        let levels = steps.iter().map(|s| recompute.takes(s, model, repeated));
        let levels: Vec<RecomputeLevel> = levels.collect();
        let marks: Vec<bool> = levels.iter().map(|l| *l != RecomputeLevel::None).collect();
        let outer = adjoints.again.clone();
        let mut discarded = Discarded::of(steps, &levels);
        let mut end = steps.len();
        while let Some(last) = end.checked_sub(1) {
            let anew = marks.get(last).copied().unwrap_or(false);
            let same = |mark: &bool| *mark == anew;
            let start = end - marks.iter().take(end).rev().take_while(|m| same(m)).count();
            let part = steps.get(start..end).unwrap_or_default();
            self.discarded_again(part, steps, &mut discarded, forward, adjoints)?;
            if anew {
                let before = (adjoints.again.clone(), adjoints.anew);
                adjoints.anew = true;
                for (step, i) in part.iter().zip(start..) {
                    if discarded.take(i) {
                        self.body_again(std::slice::from_ref(step), adjoints)?;
                    }
                }
                self.backward_steps(part, forward, adjoints)?;
                (adjoints.again, adjoints.anew) = before;
            } else {
                self.backward_steps(part, forward, adjoints)?;
            }
            end = start;
        }
        adjoints.again = outer;
        Some(())
    }

    /// Some steps once more.
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
                Step::Some { count, body, branch } => {
                    self.builder.steps.push(Vec::new());
                    let done = self.body_again(body, adjoints);
                    let body = self.builder.steps.pop().unwrap_or_default();
                    done?;
                    self.builder.push_step(Step::Some { count: *count, body, branch: *branch });
                }
                Step::Join { arms, result } => {
                    let now = |t: &TensorId| adjoints.again.get(t).copied().unwrap_or(*t);
                    let arms = arms.iter().map(now).collect();
                    let model = &mut self.builder.built.model;
                    let new = model.tensors.push(model.tensors[*result].clone());
                    adjoints.again.insert(*result, new);
                    self.builder.push_step(Step::Join { arms, result: new });
                }
            }
        }
        Some(())
    }
}

impl Recompute {
    /// How a step is made again: by the rule of its block, or the one for all layers.
    fn takes(&self, step: &Step, model: &Model, repeated: bool) -> RecomputeLevel {
        let taken = self.rule_of(step, model, repeated);
        taken.unwrap_or(RecomputeLevel::None)
    }

    fn rule_of(&self, step: &Step, model: &Model, repeated: bool) -> Option<RecomputeLevel> {
        let ops: &[OpId] = match step {
            Step::Op(op) => std::slice::from_ref(op),
            Step::Fuse(fuse) => &fuse.ops,
            // A repeat looks into itself.
            Step::Repeat(_) => return None,
            Step::Some { .. } | Step::Join { .. } => {
                let all = repeated && self.general == RecomputeLevel::Full;
                return (all && self.scoped.is_empty()).then_some(self.general);
            }
        };
        let op = &model.ops[*ops.first()?];
        let own = own_names(step, model);
        let rule =
            self.scoped.iter().rev().find(|(within, _)| {
                within.iter().any(|w| op_matches(&op.scope, w, op.residual, &own))
            });
        let level = rule.map_or(self.general, |(_, level)| *level);
        let holds = match level {
            RecomputeLevel::None => false,
            RecomputeLevel::Full | RecomputeLevel::Discard => repeated || rule.is_some(),
            RecomputeLevel::Selective => moves_square(ops, model),
        };
        holds.then_some(level)
    }
}

/// What rules may call a step: the kernel, and what its ops make.
pub(super) fn own_names(step: &Step, model: &Model) -> Vec<Name> {
    let result = |op: &OpId| model.tensors[model.ops[*op].result].name;
    match step {
        Step::Op(op) => vec![result(op)],
        Step::Fuse(fuse) => std::iter::once(fuse.name).chain(fuse.ops.iter().map(result)).collect(),
        _ => Vec::new(),
    }
}

/// Whether ops read or leave behind a tensor with an element for each pair of positions: one with
/// an axis and another that was renamed from it. What stays inside of a kernel does not count.
fn moves_square(ops: &[OpId], model: &Model) -> bool {
    let inside = |t: TensorId| {
        let producer = model.tensors[t].producer;
        ops.len() > 1 && producer.is_some_and(|p| ops.contains(&p))
    };
    let square = |t: TensorId| {
        let axes = &model.tensors[t].axes;
        axes.iter().any(|a| model.axes[*a].renamed_from.is_some_and(|from| axes.contains(&from)))
    };
    let last = ops.last().map(|op| model.ops[*op].result);
    let read = ops.iter().flat_map(|op| model.ops[*op].operands.iter().map(|(_, t)| *t));
    read.filter(|t| !inside(*t)).chain(last).any(square)
}
