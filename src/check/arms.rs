//! The backward pass of layers that differ: each arm of an `if` by itself, then what they share.
//!
//! In: the arms of a forward `if` with the values that leave them. Out: the same arms on the way
//! back, and one gradient for everything outside of them that some arm reads.

use super::Checker;
use super::backward::Adjoints;
use super::forward::Forward;
use crate::ir::model::Branch;
use crate::ir::{Step, TensorId};

/// A value that leaves the arms of an `if` under one name.
pub(super) struct Joined<'s> {
    /// One for each arm.
    pub(super) arms: &'s [TensorId],
    /// The value after.
    pub(super) result: TensorId,
}

/// Values of arms in which nothing runs: the gradient is that of the value after.
pub(super) fn pass_through(joins: Vec<Joined<'_>>, adjoints: &mut Adjoints) {
    for join in joins {
        if let Some(gradient) = adjoints.of.remove(&join.result) {
            adjoints.of.extend(join.arms.iter().map(|arm| (*arm, gradient)));
        }
    }
}

impl Checker<'_> {
    /// The arms in their order, each starting from what is known after the `if`. In a round one of
    /// them runs, so their gradients are joined and not added.
    pub(super) fn backward_arms(
        &mut self,
        arms: &[Step],
        branch: Branch,
        joins: &[Joined<'_>],
        forward: &Forward,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        let mut ends = Vec::new();
        for arm in 0..branch.arms {
            let step = arms.iter().find_map(|step| match step {
                Step::Some { count, body, branch } if branch.arm == arm => Some((*count, body)),
                _ => None,
            });
            let mut inner = adjoints.clone();
            self.builder.steps.push(Vec::new());
            let done = self.backward_arm(arm, step.map(|s| s.1), joins, forward, &mut inner);
            let body = self.builder.steps.pop().unwrap_or_default();
            done?;
            if let Some((count, _)) = step
                && !body.is_empty()
            {
                let branch = Branch { arm, ..branch };
                self.builder.push_step(Step::Some { count, body, branch });
            }
            ends.push(inner);
        }
        for join in joins {
            adjoints.of.remove(&join.result);
        }
        self.join_gradients(arms, &ends, adjoints);
        Some(())
    }

    fn backward_arm(
        &mut self,
        arm: usize,
        body: Option<&Vec<Step>>,
        joins: &[Joined<'_>],
        forward: &Forward,
        adjoints: &mut Adjoints,
    ) -> Option<()> {
        for join in joins {
            let Some(gradient) = adjoints.of.remove(&join.result) else { continue };
            let Some(&value) = join.arms.get(arm) else { continue };
            let place = self.builder.built.model.tensors[value].place;
            let first = self.builder.built.model.ops.len();
            // In an arm without steps the sum is left out: nothing would say how often it runs.
            let sum = match body {
                Some(_) => self.accumulated(value, gradient, place, adjoints)?,
                None => gradient,
            };
            self.mark_backward(first, place);
            adjoints.of.insert(value, sum);
        }
        match body {
            // What is made again as a whole is made again with its arms.
            Some(body) if adjoints.anew => self.backward_steps(body, forward, adjoints),
            Some(body) => self.backward_parts(body, forward, adjoints, true),
            None => Some(()),
        }
    }

    /// One gradient for each tensor from outside that got one, or another one, in some arm.
    fn join_gradients(&mut self, arms: &[Step], ends: &[Adjoints], adjoints: &mut Adjoints) {
        let mut inside = rustc_hash::FxHashSet::default();
        super::backward::ops_of(arms, &mut inside);
        let mut found: Vec<TensorId> = Vec::new();
        for end in ends {
            for (tensor, gradient) in &end.of {
                let producer = self.builder.built.model.tensors[*tensor].producer;
                let local = producer.is_some_and(|p| inside.contains(&p));
                if !local && adjoints.of.get(tensor) != Some(gradient) {
                    found.push(*tensor);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        for tensor in found {
            let each: Vec<Option<TensorId>> =
                ends.iter().map(|e| e.of.get(&tensor).copied()).collect();
            let mut all: Vec<TensorId> = each.iter().flatten().copied().collect();
            let Some(&first) = all.first() else { continue };
            all.dedup();
            if all.len() == 1 {
                adjoints.of.insert(tensor, first);
                continue;
            }
            // An arm that does not read it has nothing to add; it passes on what there is.
            let arms = each.into_iter().map(|g| g.unwrap_or(first)).collect();
            let of = &self.builder.built.model.tensors[tensor];
            let (place, scope) = (of.place, of.scope.clone());
            let name = self.builder.built.model.tensors[first].name;
            let result = self.copy_tensor(first, name, place);
            self.builder.built.model.tensors[result].scope = scope;
            self.builder.push_step(Step::Join { arms, result });
            adjoints.of.insert(tensor, result);
        }
    }
}
