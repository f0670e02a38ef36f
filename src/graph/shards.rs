//! The layout that an op runs in: which of its axes the rules cut where it stands.
//!
//! In: an op, the rules of the plan, and how its operands lie. Out: its shards. Axes that an op keeps
//! whole are not cut in it, renamed ones lie as they did, and sparse ones (experts, picked keys) share
//! mesh axes with the tokens that pick from them.

use super::layout::{Shard, Version};
use super::walk::Walk;
use crate::ir::model::Instance;
use crate::ir::{AxisId, MeshId, OpId};

impl Walk<'_> {
    /// The shards that the rules give to axes in a scope.
    pub(super) fn shards_of(
        &mut self,
        axes: &[AxisId],
        scope: &Instance,
        residual: bool,
    ) -> Vec<Shard> {
        let mut shards = Vec::new();
        for &axis in axes {
            shards.extend(self.rules.shard(axis, scope, residual, self.graph));
        }
        shards
    }

    /// The shards of all axes of an op where it stands.
    pub(super) fn op_shards(&mut self, id: OpId) -> Vec<Shard> {
        let op = &self.model.ops[id];
        let mut axes: Vec<AxisId> = Vec::new();
        let result = &self.model.tensors[op.result].axes;
        let operand_axes = op.operands.iter().flat_map(|(_, t)| &self.model.tensors[*t].axes);
        for &axis in operand_axes.chain(result) {
            if !axes.contains(&axis) {
                axes.push(axis);
            }
        }
        let mut shards = self.shards_of(&axes, &op.scope, op.residual);
        // A gradient goes back to where the renamed axis lay.
        for &axis in result.iter().filter(|_| op.view) {
            for (_, tensor) in &op.operands {
                let renamed = |a: &&AxisId| self.model.axes[**a].renamed_from == Some(axis);
                let Some(&old) = self.model.tensors[*tensor].axes.iter().find(renamed) else {
                    continue;
                };
                if result.contains(&old) {
                    continue;
                }
                shards.retain(|s| s.axis != old && s.axis != axis);
                let have = self.laid.layout(Version { tensor: *tensor, index: self.best(*tensor) });
                let have = have.and_then(|l| l.shards.iter().find(|s| s.axis == old)).cloned();
                shards.extend(have.iter().flat_map(|s| [s.clone(), Shard { axis, ..s.clone() }]));
            }
        }
        self.place_sparse(id, &axes, &mut shards);
        // An op that renames an axis leaves it laid out as it found it.
        for &axis in result {
            let Some(from) = self.model.axes[axis].renamed_from else { continue };
            let read = |axis: &AxisId| {
                op.operands.iter().any(|(_, t)| self.model.tensors[*t].axes.contains(axis))
            };
            if !axes.contains(&from) || result.contains(&from) || read(&axis) {
                continue;
            }
            let target = shards.iter().find(|s| s.axis == axis).cloned();
            shards.retain(|s| s.axis != from);
            shards.extend(target.map(|s| Shard { axis: from, ..s }));
        }
        // Serving finishes a softmax over cut keys from what each device has of it.
        if op.combines && self.model.forward_steps.is_none() {
            return shards;
        }
        for &axis in &op.whole {
            if let Some(shard) = shards.iter().find(|s| s.axis == axis) {
                self.laid.whole.push((id, axis, shard.rule));
            }
        }
        shards.retain(|s| !op.whole.contains(&s.axis));
        shards
    }

    /// What a mesh axis cuts where it could cut a sparse axis as well as the tokens that pick from
    /// it: in an op that works on their elements the sparse axis, in one that is `local` the tokens.
    /// The mesh axes that cut no tokens come first: a token finds those elements without a message.
    fn place_sparse(&mut self, id: OpId, axes: &[AxisId], shards: &mut Vec<Shard>) {
        let op = &self.model.ops[id];
        for &axis in axes {
            let Some(sparse) = &self.model.axes[axis].sparse else { continue };
            let Some(at) = shards.iter().position(|s| s.axis == axis) else { continue };
            let tokens = self.shards_of(&sparse.along, &op.scope, op.residual);
            let of_tokens = |m: &MeshId| tokens.iter().any(|t| t.group.contains(m));
            let whole = shards.swap_remove(at);
            let (met, mut group): (Vec<MeshId>, Vec<MeshId>) =
                whole.group.iter().partition(|m| of_tokens(m));
            if !op.local.contains(&axis) {
                group.extend(&met);
                for shard in std::mem::take(shards) {
                    let token = sparse.along.contains(&shard.axis);
                    let overlaps = shard.group.iter().any(|m| met.contains(m));
                    if token && overlaps {
                        let kept = shard.group.iter().filter(|m| !met.contains(m));
                        shards.extend(self.recut(&shard, kept.copied().collect()));
                    } else {
                        shards.push(shard);
                    }
                }
            }
            shards.extend(self.recut(&whole, group));
        }
    }

    /// The same axis over other mesh axes; nothing over none.
    pub(super) fn recut(&mut self, like: &Shard, mesh: Vec<MeshId>) -> Option<Shard> {
        if mesh.is_empty() {
            return None;
        }
        let count = self.rules.count(like.axis, like.rule, &mesh, self.graph)?;
        Some(Shard { group: mesh.into(), count, ..like.clone() })
    }
}
