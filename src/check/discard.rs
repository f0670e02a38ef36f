//! Recompute that does not keep what it hands on: an op is made again before the first adjoint that
//! reads its result.
//!
//! In: the steps of a body with those under `recompute … = discard`. Out: their copies, before the
//! backward pass of the steps that need them.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use super::backward::Adjoints;
use super::forward::Forward;
use crate::ir::{OpId, RecomputeLevel, Step, TensorId};

/// Steps of a body that are not kept, until they have been made again.
pub(super) struct Discarded {
    /// For each step: whether it is still to be made again.
    open: Vec<bool>,
    /// For each step: whether what it makes is not kept.
    whole: Vec<bool>,
}

impl Discarded {
    /// Of the steps of a body with what rules say of them.
    pub(super) fn of(steps: &[Step], levels: &[RecomputeLevel]) -> Self {
        let whole = levels.iter().map(|l| *l == RecomputeLevel::Discard).collect();
        Self { open: vec![true; steps.len()], whole }
    }

    /// Whether a step has not been made again yet; from now on it has.
    pub(super) fn take(&mut self, step: usize) -> bool {
        self.open.get_mut(step).is_some_and(std::mem::take)
    }

    fn waits(&self, step: usize) -> bool {
        let at = |list: &[bool]| list.get(step).copied().unwrap_or(false);
        at(&self.open) && at(&self.whole)
    }
}

impl<'p> Checker<'p> {
    /// Makes again what the backward pass of a part reads and nothing has kept.
    pub(super) fn discarded_again(
        &mut self,
        part: &[Step],
        steps: &[Step],
        discarded: &mut Discarded,
        forward: &Forward,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        if !(0..steps.len()).any(|i| discarded.waits(i)) {
            return Some(());
        }
        let mut makers: FxHashMap<TensorId, usize> = FxHashMap::default();
        for (i, step) in steps.iter().enumerate().filter(|(i, _)| discarded.waits(*i)) {
            let model = &self.builder.built.model;
            makers.extend(ops_of(step).iter().map(|op| (model.ops[*op].result, i)));
        }
        let mut wanted: FxHashSet<usize> = FxHashSet::default();
        let mut read: Vec<TensorId> = Vec::new();
        for step in part {
            self.read_on_the_way_back(step, forward, &mut read);
        }
        while let Some(tensor) = read.pop() {
            let Some(&maker) = makers.get(&tensor) else { continue };
            if wanted.insert(maker) {
                let ops = steps.get(maker).map(ops_of).unwrap_or_default();
                let model = &self.builder.built.model;
                read.extend(ops.iter().flat_map(|op| model.ops[*op].operands.iter().map(|o| o.1)));
            }
        }
        let before = adjoints.anew;
        adjoints.anew = true;
        for (i, step) in steps.iter().enumerate() {
            if wanted.contains(&i) && discarded.take(i) {
                self.body_again(std::slice::from_ref(step), adjoints)?;
            }
        }
        adjoints.anew = before;
        Some(())
    }

    /// What the adjoints of a step read of the forward pass.
    fn read_on_the_way_back(&self, step: &Step, forward: &Forward, out: &mut Vec<TensorId>) {
        match step {
            Step::Op(op) => out.extend(self.named_in_backward(*op, forward)),
            Step::Fuse(fuse) => {
                // A fused kernel makes again what never left it, and reads what that is made of.
                let model = &self.builder.built.model;
                let mut needed: FxHashSet<TensorId> = FxHashSet::default();
                for op in fuse.ops.iter().rev() {
                    needed.extend(self.named_in_backward(*op, forward));
                    if needed.contains(&model.ops[*op].result) {
                        needed.extend(model.ops[*op].operands.iter().map(|(_, t)| *t));
                    }
                }
                out.extend(needed);
            }
            Step::Repeat(repeat) => {
                repeat.body.iter().for_each(|s| self.read_on_the_way_back(s, forward, out));
            }
            Step::Some { body, .. } => {
                body.iter().for_each(|s| self.read_on_the_way_back(s, forward, out));
            }
            Step::Join { .. } => {}
        }
    }
}

/// The ops of a step that can be made again.
fn ops_of(step: &Step) -> Vec<OpId> {
    match step {
        Step::Op(op) => vec![*op],
        Step::Fuse(fuse) => fuse.ops.clone(),
        _ => Vec::new(),
    }
}
