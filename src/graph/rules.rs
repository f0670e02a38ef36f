//! Which shard rule holds for an axis in a scope, and how many shards it gives.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::layout::Shard;
use crate::expr::{ExprId, Graph, Op, Origin};
use crate::ir::model::Instance;
use crate::ir::{AxisId, AxisSize, MeshId, Model, Plan};
use crate::name::Name;
use crate::source::Place;

/// Two axes of one tensor on one mesh axis.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The tensor's name.
    pub tensor: Name,
    /// Where the tensor is defined.
    pub tensor_place: Place,
    /// The mesh axis.
    pub mesh: MeshId,
    /// The two axes with their rules.
    pub axes: [(AxisId, usize); 2],
}

/// An axis cut into parts: the size should divide.
#[derive(Clone, Debug, PartialEq)]
pub struct Divisor {
    /// The rule.
    pub rule: usize,
    /// The axis as the rule names it.
    pub axis: AxisId,
    /// Into how many parts it is cut.
    pub parts: ExprId,
}

/// Whether a `within` path means this scope: a block's name, a binding, or a dotted path of them.
#[must_use]
pub fn scope_matches(scope: &Instance, within: &[Name], residual: bool) -> bool {
    match within {
        [] => true,
        [name] => {
            scope.blocks.contains(name)
                || scope.path.contains(name)
                || (residual && *name == "residual")
        }
        path => scope.path.windows(path.len()).any(|w| w == path),
    }
}

/// Whether a rule `within` holds for an op: for what it stands in, or for its own name or that of its
/// kernel there (`gating`, `mlp.gating`).
#[must_use]
pub fn op_matches(scope: &Instance, within: &[Name], residual: bool, own: &[Name]) -> bool {
    if scope_matches(scope, within, residual) {
        return true;
    }
    let Some((last, before)) = within.split_last() else { return false };
    own.contains(last) && scope_matches(scope, before, false)
}

pub(super) struct Rules<'a> {
    pub(super) model: &'a Model,
    pub(super) plan: &'a Plan,
    pub(super) divisors: Vec<Divisor>,
    pub(super) matched: Vec<bool>,
    /// Axes of keys: some tensor has them beside the axis of queries that they were renamed from.
    pub(super) keys: FxHashSet<AxisId>,
}

/// Renamed axes that stand beside their origin in some tensor, as keys beside queries.
fn keys(model: &Model) -> FxHashSet<AxisId> {
    let mut out = FxHashSet::default();
    for (_, tensor) in model.tensors.iter() {
        let from = |a: &&AxisId| model.axes[**a].renamed_from;
        out.extend(
            tensor.axes.iter().filter(|a| from(a).is_some_and(|o| tensor.axes.contains(&o))),
        );
    }
    out
}

impl<'a> Rules<'a> {
    pub(super) fn new(model: &'a Model, plan: &'a Plan) -> Self {
        let matched = vec![false; plan.rules.len()];
        Self { model, plan, divisors: Vec::new(), matched, keys: keys(model) }
    }

    fn names_axis(&self, rule: &[Name], axis: AxisId) -> bool {
        let Some((last, qualifiers)) = rule.split_last() else { return false };
        // Training wants every position: they lie as the sequence does.
        if self.model.forward_steps.is_some()
            && let Some(from) = self.model.axes[axis].renamed_from
            && !self.keys.contains(&axis)
            && self.names_axis(rule, from)
        {
            return true;
        }
        self.model.axes[axis].aliases.iter().any(|(name, path)| {
            name == last
                && (qualifiers.is_empty()
                    || path.windows(qualifiers.len()).any(|w| w == qualifiers))
        })
    }

    fn rule_for(&self, axis: AxisId, scope: &Instance, residual: bool) -> Option<usize> {
        let mut general = None;
        let mut scoped = None;
        for (i, rule) in self.plan.rules.iter().enumerate() {
            if !self.names_axis(&rule.axis, axis) {
                continue;
            }
            if rule.within.is_empty() {
                general = general.or(Some(i));
            } else if rule.within.iter().any(|w| scope_matches(scope, w, residual)) {
                scoped = Some(i);
            }
        }
        scoped.or(general)
    }

    /// The shards of an atomic axis in a scope, if a rule cuts it.
    pub(super) fn shard(
        &mut self,
        axis: AxisId,
        scope: &Instance,
        residual: bool,
        graph: &mut Graph,
    ) -> Option<Shard> {
        if let Some(rule) = self.rule_for(axis, scope, residual) {
            return self.whole_shard(axis, axis, rule, graph);
        }
        let wholes = self.model.axes[axis].whole.clone();
        let (whole, rule) =
            wholes.into_iter().find_map(|w| Some((w, self.rule_for(w, scope, residual)?)))?;
        self.whole_shard(axis, whole, rule, graph)
    }

    /// How `rule` on `whole` cuts its part `axis`.
    fn whole_shard(
        &mut self,
        axis: AxisId,
        whole: AxisId,
        rule_index: usize,
        graph: &mut Graph,
    ) -> Option<Shard> {
        let rule = self.plan.rules.get(rule_index)?;
        if let Some(flag) = self.matched.get_mut(rule_index) {
            *flag = true;
        }
        let sizes: Vec<ExprId> = rule.over.iter().map(|m| self.plan.mesh[*m].size).collect();
        let n = graph.product(sizes)?;
        let divisor = Divisor { rule: rule_index, axis: whole, parts: n };
        if !self.divisors.contains(&divisor) {
            self.divisors.push(divisor);
        }
        let count = self.count(axis, rule_index, &rule.over, graph)?;
        Some(Shard { axis, group: Rc::clone(&rule.over), count, rule: rule_index })
    }

    /// Into how many shards a rule cuts an axis over these mesh axes. Parts of a composite are cut
    /// major factor first.
    pub(super) fn count(
        &self,
        axis: AxisId,
        rule_index: usize,
        mesh: &[MeshId],
        graph: &mut Graph,
    ) -> Option<ExprId> {
        let rule = self.plan.rules.get(rule_index)?;
        let n = graph.product(mesh.iter().map(|m| self.plan.mesh[*m].size).collect::<Vec<_>>())?;
        if self.names_axis(&rule.axis, axis) {
            return Some(n);
        }
        let wholes = &self.model.axes[axis].whole;
        let whole = *wholes.iter().find(|w| self.names_axis(&rule.axis, **w))?;
        let origin = |rule_text| {
            Origin::inferred(
                Name::new(&format!("shards({})", self.model.axes[axis].name)),
                rule.place,
                rule_text,
            )
        };
        let parts = &self.model.axes[whole].parts;
        let mut rest = n;
        for (i, part) in parts.iter().enumerate() {
            let AxisSize::Fixed(size) = self.model.axes[*part].size else { return None };
            if i + 1 == parts.len() {
                let text = "what the major factors leave of the mesh";
                return (*part == axis).then(|| graph.named(rest, origin(text)));
            }
            let cut = graph.binary(Op::Gcd, rest, size);
            if *part == axis {
                let text = "the greatest common divisor of the mesh and the factor";
                return Some(graph.named(cut, origin(text)));
            }
            rest = graph.div(rest, cut);
        }
        None
    }

    /// Whether two shards of one tensor share their mesh axes by design: a composite axis and one
    /// of its parts, cut by rules of their own.
    pub(super) fn shares(&self, a: &Shard, b: &Shard) -> bool {
        let part = |x: &Shard, y: &Shard| {
            let named = self.plan.rules.get(y.rule).map(|r| &r.axis);
            let wholes = &self.model.axes[x.axis].whole;
            wholes.iter().any(|w| {
                self.model.axes[*w].parts.contains(&y.axis)
                    && named.is_some_and(|n| self.names_axis(n, *w))
            })
        };
        part(a, b) || part(b, a)
    }

    /// Rules without effect: those that name no axis, and scoped ones whose scope has none such.
    pub(super) fn without_effect(&self) -> (Vec<usize>, Vec<usize>) {
        let mut unknown = Vec::new();
        let mut unscoped = Vec::new();
        for (i, rule) in self.plan.rules.iter().enumerate() {
            if !self.model.axes.iter().any(|(a, _)| self.names_axis(&rule.axis, a)) {
                unknown.push(i);
            } else if !rule.within.is_empty() && !self.matched.get(i).copied().unwrap_or(false) {
                unscoped.push(i);
            }
        }
        (unknown, unscoped)
    }
}
