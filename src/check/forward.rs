//! What a forward pass says to the way back: which tensors depend on a weight that learns, who reads
//! them, and what is to be made again.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use crate::ir::{OpId, Recompute, Step, TensorId, Training};

/// What the forward pass says about its tensors.
pub(super) struct Forward {
    /// Tensors that depend on a weight through ops with gradients.
    pub(super) active: FxHashSet<TensorId>,
    /// Ops that read a tensor.
    pub(super) readers: FxHashMap<TensorId, Vec<OpId>>,
    /// Tensors that something else than an op reads.
    pub(super) leaving: FxHashSet<TensorId>,
    pub(super) recompute: Recompute,
}

impl Checker<'_> {
    pub(super) fn look_at_forward(
        &self,
        steps: &[Step],
        losses: &[TensorId],
        training: &Training,
    ) -> Forward {
        let model = &self.builder.built.model;
        let trains = |weight: TensorId| {
            let t = &model.tensors[weight];
            let mut rules = training.frozen_within.iter().rev();
            let rule = rules.find(|(within, _)| {
                within.iter().any(|w| super::scope_matches(&t.scope, w, Some(t.name)))
            });
            !rule.map_or(training.frozen, |(_, frozen)| *frozen)
        };
        let mut forward = Forward {
            active: model.weights.iter().map(|(t, _)| *t).filter(|t| trains(*t)).collect(),
            readers: FxHashMap::default(),
            leaving: model.outputs.iter().chain(losses).copied().collect(),
            recompute: training.recompute.clone(),
        };
        for (id, op) in model.ops.iter() {
            for (_, tensor) in &op.operands {
                forward.readers.entry(*tensor).or_default().push(id);
            }
        }
        self.note_active(steps, &mut forward);
        forward
    }

    fn note_active(&self, steps: &[Step], forward: &mut Forward) {
        for step in steps {
            match step {
                Step::Op(op) => self.note_active_op(*op, forward),
                Step::Fuse(fuse) => {
                    for op in &fuse.ops {
                        self.note_active_op(*op, forward);
                    }
                }
                Step::Some { body, .. } => self.note_active(body, forward),
                Step::Join { arms, result } => {
                    forward.leaving.extend(arms);
                    if arms.iter().any(|t| forward.active.contains(t)) {
                        forward.active.insert(*result);
                    }
                }
                Step::Repeat(repeat) => {
                    let pass = |forward: &mut Forward, from: TensorId, to: TensorId| {
                        forward.active.contains(&from) && forward.active.insert(to)
                    };
                    for carry in &repeat.carried {
                        forward.leaving.extend([carry.before, carry.end]);
                        pass(forward, carry.before, carry.start);
                    }
                    self.note_active(&repeat.body, forward);
                    let mut again = false;
                    for carry in &repeat.carried {
                        again |= pass(forward, carry.end, carry.start);
                    }
                    if again {
                        self.note_active(&repeat.body, forward);
                    }
                    for carry in &repeat.carried {
                        pass(forward, carry.end, carry.after);
                    }
                }
            }
        }
    }

    fn note_active_op(&self, id: OpId, forward: &mut Forward) {
        let op = &self.builder.built.model.ops[id];
        let Some((_, grads)) = self.declared_backward(id) else {
            // Without adjoints: reported if a gradient ever gets there.
            if op.operands.iter().any(|(_, t)| forward.active.contains(t)) {
                forward.active.insert(op.result);
            }
            return;
        };
        let passes = op.operands.iter().any(|(name, tensor)| {
            forward.active.contains(tensor) && grads.iter().any(|(of, _)| of.name == *name)
        });
        if passes {
            forward.active.insert(op.result);
        }
    }
}
