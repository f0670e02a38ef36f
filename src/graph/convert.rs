//! What turns one layout of a tensor into another: collectives, chosen without looking at sizes.
//!
//! In: the layouts that a tensor already has, and the one that is wanted. Out: conversions, each
//! with its message and its devices. Mesh axes are compared one by one, outermost first: what both
//! layouts share at the front of an axis stays where it is.

use std::rc::Rc;

use super::layout::{Conversion, Kind, LaidStep, Layout, Partial, Shard, Version};
use super::walk::Walk;
use crate::expr::ExprId;
use crate::ir::model::Instance;
use crate::ir::{MeshId, TensorId};
use crate::source::Place;

/// Who needs a conversion.
pub(super) struct Need<'a> {
    pub(super) place: Place,
    pub(super) scope: &'a Rc<Instance>,
    pub(super) residual: bool,
}

/// A conversion under way: the layout reached so far, and its version.
struct Way<'n> {
    tensor: TensorId,
    now: Layout,
    version: usize,
    need: &'n Need<'n>,
}

impl Walk<'_> {
    /// The version of a tensor that is cheapest to start from: one that is not partial, if any.
    pub(super) fn best(&self, tensor: TensorId) -> usize {
        let whole = |index: &usize| {
            let layout = self.laid.layout(Version { tensor, index: *index });
            layout.is_none_or(|l| l.partial.is_empty())
        };
        self.versions(tensor).into_iter().rev().find(whole).unwrap_or(0)
    }

    fn versions(&self, tensor: TensorId) -> Vec<usize> {
        let mut list = vec![0];
        list.extend(self.available.get(&tensor).into_iter().flatten());
        list
    }

    /// The version of a tensor that lies as wanted; what it takes to get there is added to `out`.
    pub(super) fn convert(
        &mut self,
        tensor: TensorId,
        wanted: &[Shard],
        need: &Need<'_>,
        out: &mut Vec<LaidStep>,
    ) -> usize {
        let target = Layout { shards: wanted.to_vec(), partial: Vec::new() };
        let versions = self.versions(tensor);
        let layout =
            |index: usize| self.laid.layout(Version { tensor, index }).cloned().unwrap_or_default();
        let exact = versions.iter().find(|v| layout(**v).same(&target));
        let cut = || versions.iter().find(|v| only_cut(&layout(**v), &target));
        if let Some(found) = exact.or_else(cut) {
            return *found;
        }
        let version = self.best(tensor);
        let mut way = Way { tensor, now: layout(version), version, need };
        self.reduce(&mut way, &target, out);
        self.exchange(&mut way, &target, out);
        self.gather(&mut way, &target, out);
        way.version
    }

    /// The same for partial sums that stay partial: they move as they are.
    pub(super) fn exchange_partial(
        &mut self,
        tensor: TensorId,
        wanted: &[Shard],
        need: &Need<'_>,
        out: &mut Vec<LaidStep>,
    ) -> usize {
        let version = self.best(tensor);
        let now = self.laid.layout(Version { tensor, index: version }).cloned();
        let now = now.unwrap_or_default();
        let target = Layout { shards: wanted.to_vec(), partial: now.partial.clone() };
        let mut way = Way { tensor, now, version, need };
        self.exchange(&mut way, &target, out);
        self.gather(&mut way, &target, out);
        way.version
    }

    /// Mesh axes that go from tokens to the sparse axis that they pick from, or back: one
    /// all-to-all, over however many axes. Which element lies on which device does not matter, so
    /// neither does the order of the mesh axes.
    fn exchange(&mut self, way: &mut Way<'_>, target: &Layout, out: &mut Vec<LaidStep>) {
        let sparse = |s: &Shard| self.model.axes[s.axis].sparse.is_some();
        if !way.now.shards.iter().chain(&target.shards).any(sparse) {
            return;
        }
        let gone = |m: &MeshId, from: &Layout, to: &Layout| {
            from.shards.iter().any(|s| s.group.contains(m) && !to.mesh_of(s.axis).contains(m))
        };
        let mut moved: Vec<MeshId> = Vec::new();
        for mesh in way.now.shards.iter().flat_map(|s| s.group.iter()) {
            if gone(mesh, &way.now, target) && gone(mesh, target, &way.now) {
                moved.push(*mesh);
            }
        }
        moved.sort_unstable();
        moved.dedup();
        let Some(count) = self.devices(&moved) else { return };
        let rule = target.shards.iter().chain(&way.now.shards).find(|s| sparse(s));
        let rule = rule.map_or(0, |s| s.rule);
        for shard in way.now.shards.clone() {
            let keep = shard.group.iter().filter(|m| !moved.contains(m)).copied();
            let keep: Vec<MeshId> = keep.collect();
            if keep.len() < shard.group.len() {
                self.cut(way, &shard, &keep);
            }
        }
        let message = way.now.clone();
        for want in &target.shards {
            let have = way.now.mesh_of(want.axis).to_vec();
            let there = |m: &&MeshId| have.contains(m) || moved.contains(m);
            let group: Vec<MeshId> = want.group.iter().filter(there).copied().collect();
            if group.len() > have.len() {
                self.cut(way, want, &group);
            }
        }
        let after = way.now.clone();
        let group: Rc<[MeshId]> = moved.into();
        self.push(way, Kind::AllToAll, group, count, message, rule, after, out);
    }

    /// Partial sums: scattered to where a mesh axis is wanted on some axis, else reduced.
    fn reduce(&mut self, way: &mut Way<'_>, target: &Layout, out: &mut Vec<LaidStep>) {
        let mut left: Vec<Partial> = std::mem::take(&mut way.now.partial);
        for want in &target.shards {
            let have = way.now.mesh_of(want.axis).to_vec();
            if !want.group.starts_with(&have) {
                continue;
            }
            let gained = want.group.get(have.len()..).unwrap_or_default();
            let Some(from) = left.iter().position(|p| gained.iter().any(|m| p.group.contains(m)))
            else {
                continue;
            };
            let partial = left.remove(from);
            let (scattered, free): (Vec<MeshId>, Vec<MeshId>) =
                gained.iter().partition(|m| partial.group.contains(m));
            let rest: Vec<MeshId> =
                partial.group.iter().filter(|m| !scattered.contains(m)).copied().collect();
            // Mesh axes that are not partial cut for nothing, before the message is sent.
            if !free.is_empty() {
                let mesh: Vec<MeshId> = have.iter().chain(&free).copied().collect();
                self.cut(way, want, &mesh);
            }
            let all = rest.is_empty();
            let count = if all { Some(partial.count) } else { self.devices(&scattered) };
            let Some(count) = count else { return };
            let message = way.now.clone();
            way.now.shards.retain(|s| s.axis != want.axis);
            way.now.shards.push(want.clone());
            if let Some(count) = self.devices(&rest) {
                left.push(Partial { group: rest.into(), count, ..partial });
            }
            let group: Rc<[MeshId]> = scattered.into();
            let mut after = way.now.clone();
            after.partial.clone_from(&left);
            self.push(way, Kind::ReduceScatter, group, count, message, partial.rule, after, out);
        }
        let Some(first) = left.first() else { return };
        let rule = first.rule;
        let Some(count) = self.graph.product(left.iter().map(|p| p.count)) else { return };
        let mut group: Vec<MeshId> = left.iter().flat_map(|p| p.group.iter().copied()).collect();
        group.sort_unstable();
        group.dedup();
        let message = way.now.clone();
        let after = message.clone();
        self.push(way, Kind::AllReduce, group.into(), count, message, rule, after, out);
    }

    /// Mesh axes that cut something and should not: gathered, or moved to another axis.
    fn gather(&mut self, way: &mut Way<'_>, target: &Layout, out: &mut Vec<LaidStep>) {
        while let Some(lost) = lost(&way.now, target) {
            let mut counts = Vec::new();
            let mut rule = 0;
            for shard in way.now.shards.clone() {
                let keep = shared(&shard.group, target.mesh_of(shard.axis));
                if shard.group.get(keep..) != Some(&*lost) {
                    continue;
                }
                rule = shard.rule;
                let kept = shard.group.get(..keep).unwrap_or_default().to_vec();
                let whole = self.cut(way, &shard, &kept);
                counts.push(match whole {
                    Some(whole) => self.graph.div(shard.count, whole),
                    None => shard.count,
                });
            }
            let Some(count) = self.graph.product(counts) else { return };
            let message = way.now.clone();
            let gains = target.shards.iter().find(|w| {
                let have = way.now.mesh_of(w.axis);
                w.group.starts_with(have) && w.group.get(have.len()..) == Some(&*lost)
            });
            let kind = if gains.is_some() { Kind::AllToAll } else { Kind::AllGather };
            if let Some(gains) = gains {
                way.now.shards.retain(|s| s.axis != gains.axis);
                way.now.shards.push(gains.clone());
            }
            let after = way.now.clone();
            self.push(way, kind, lost, count, message, rule, after, out);
        }
    }

    /// Cuts an axis over these mesh axes only; the number of shards, if there are any.
    fn cut(&mut self, way: &mut Way<'_>, like: &Shard, mesh: &[MeshId]) -> Option<ExprId> {
        way.now.shards.retain(|s| s.axis != like.axis);
        if mesh.is_empty() {
            return None;
        }
        let count = self.rules.count(like.axis, like.rule, mesh, self.graph)?;
        way.now.shards.push(Shard { group: mesh.into(), count, ..like.clone() });
        Some(count)
    }

    /// How many devices lie along mesh axes; `None` for none.
    pub(super) fn devices(&mut self, mesh: &[MeshId]) -> Option<ExprId> {
        let sizes: Vec<ExprId> = mesh.iter().map(|m| self.rules.plan.mesh[*m].size).collect();
        self.graph.product(sizes)
    }

    #[allow(clippy::too_many_arguments)]
    fn push(
        &mut self,
        way: &mut Way<'_>,
        kind: Kind,
        group: Rc<[MeshId]>,
        count: ExprId,
        message: Layout,
        rule: usize,
        after: Layout,
        out: &mut Vec<LaidStep>,
    ) {
        let layouts = self.laid.converted.entry(way.tensor).or_default();
        layouts.push(after);
        let to = layouts.len();
        self.available.entry(way.tensor).or_default().push(to);
        let passes = matches!(kind, Kind::AllGather | Kind::ReduceScatter);
        let context = passes && self.is_context(way.tensor);
        if kind == Kind::AllToAll {
            self.moved.entry(way.tensor).or_default().push(to);
        }
        out.push(LaidStep::Convert(Conversion {
            kind,
            tensor: way.tensor,
            from: way.version,
            to,
            group,
            count,
            message,
            model_place: way.need.place,
            scope: Rc::clone(way.need.scope),
            residual: way.need.residual,
            pass: self.pass,
            context,
            rule,
        }));
        way.version = to;
    }
}

/// How many mesh axes two lists share at the front.
fn shared(a: &[MeshId], b: &[MeshId]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// Whether a layout needs nothing but local cuts to become the wanted one.
fn only_cut(have: &Layout, want: &Layout) -> bool {
    have.partial.is_empty()
        && have.shards.iter().all(|s| want.mesh_of(s.axis).starts_with(&s.group))
}

/// The mesh axes that the first axis in question is cut over and should not be.
fn lost(have: &Layout, want: &Layout) -> Option<Rc<[MeshId]>> {
    have.shards.iter().find_map(|s| {
        let keep = shared(&s.group, want.mesh_of(s.axis));
        let lost = s.group.get(keep..).unwrap_or_default();
        (!lost.is_empty()).then(|| lost.into())
    })
}
