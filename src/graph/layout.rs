//! Layout propagation: one walk over the steps, converting where producer and consumer disagree.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::rules::{Conflict, Divisor, Rules};
use crate::expr::{ExprId, Graph};
use crate::ir::model::Instance;
use crate::ir::{AxisId, AxisSize, Fuse, MeshId, Model, OpId, Plan, Repeat, Step, TensorId};
use crate::name::Name;
use crate::source::Place;

/// One axis of a tensor cut over mesh axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// The axis (never a composite).
    pub axis: AxisId,
    /// The mesh axes, outermost first.
    pub group: Rc<[MeshId]>,
    /// Into how many shards.
    pub count: ExprId,
    /// The rule of the plan that says so.
    pub rule: usize,
}

/// Partial sums over mesh axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Partial {
    /// The mesh axes.
    pub group: Rc<[MeshId]>,
    /// How many partial sums there are.
    pub count: ExprId,
    /// The rule that sharded what was summed.
    pub rule: usize,
    /// The op that left them.
    pub op: OpId,
}

/// How a tensor lies on the mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Axes that are cut.
    pub shards: Vec<Shard>,
    /// Mesh axes over which the value is partial.
    pub partial: Vec<Partial>,
}

/// What a conversion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Partial sums, wanted whole everywhere.
    AllReduce,
    /// Partial sums, wanted cut.
    ReduceScatter,
    /// Cut, wanted whole.
    AllGather,
    /// Cut on one axis, wanted cut on another.
    AllToAll,
    /// From one pipeline stage to the next.
    Send,
}

impl Kind {
    /// The field's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AllReduce => "all-reduce",
            Self::ReduceScatter => "reduce-scatter",
            Self::AllGather => "all-gather",
            Self::AllToAll => "all-to-all",
            Self::Send => "send",
        }
    }
    /// The name of the library's functions for it.
    #[must_use]
    pub fn function(self) -> &'static str {
        match self {
            Self::AllReduce => "all_reduce",
            Self::ReduceScatter => "reduce_scatter",
            Self::AllGather => "all_gather",
            Self::AllToAll => "all_to_all",
            Self::Send => "send",
        }
    }
}

/// One collective that a plan causes.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// What it is.
    pub kind: Kind,
    /// The tensor that is converted.
    pub tensor: TensorId,
    /// The mesh axes that take part.
    pub group: Rc<[MeshId]>,
    /// How many devices take part.
    pub count: ExprId,
    /// The layout whose local size is the message: before it for reductions, after it for gathers.
    pub message: Layout,
    /// Where in the model it is needed (the op or tensor that causes it).
    pub model_place: Place,
    /// The scope of the consumer.
    pub scope: Rc<Instance>,
    /// Whether the consumer is of the residual stream.
    pub residual: bool,
    /// The rule of the plan that causes it.
    pub rule: usize,
}

/// An op with the layout that it runs in.
#[derive(Clone, Debug)]
pub struct LaidOp {
    /// The op.
    pub op: OpId,
    /// Shards of every axis of its operands and result.
    pub shards: Vec<Shard>,
}

/// A step with everything placed.
#[derive(Clone, Debug)]
pub enum LaidStep {
    /// A single op as its own kernel.
    Op(LaidOp),
    /// Ops of one kernel.
    Fuse(Fuse, Vec<LaidOp>),
    /// A collective.
    Convert(Conversion),
    /// A repeated body; the shards of its axis are the pipeline.
    Repeat {
        /// The repeat.
        repeat: Repeat,
        /// What runs in a round.
        body: Vec<LaidStep>,
        /// Set where a plan cuts the rounds into stages.
        stages: Option<Shard>,
    },
    /// A part that runs in some rounds.
    Some {
        /// In how many.
        count: ExprId,
        /// What runs.
        body: Vec<LaidStep>,
    },
}

/// A model laid out over a mesh.
#[derive(Clone, Debug, Default)]
pub struct Laid {
    /// What runs, in order.
    pub steps: Vec<LaidStep>,
    /// The layout of every tensor, as stored or as made.
    pub layouts: FxHashMap<TensorId, Layout>,
    /// Axes that were cut, each once per rule.
    pub divisors: Vec<Divisor>,
    /// Tensors that cannot be laid out as asked.
    pub conflicts: Vec<Conflict>,
    /// Axes that an op needs whole and a rule cuts: op, axis, rule.
    pub whole: Vec<(OpId, AxisId, usize)>,
    /// Rules that match no axis of the model.
    pub unmatched: Vec<usize>,
}

/// Lays a model out over the mesh of a plan.
pub fn lay_out(model: &Model, plan: &Plan, graph: &mut Graph) -> Laid {
    let rules = Rules::new(model, plan);
    let mut walk =
        Walk { model, graph, rules, laid: Laid::default(), converted: FxHashMap::default() };
    let mut steps = Vec::new();
    walk.steps(&model.steps, &mut steps);
    for &output in &model.outputs {
        walk.output(output, &mut steps);
    }
    let mut laid = walk.laid;
    laid.steps = steps;
    laid.divisors = walk.rules.divisors;
    let unmatched = walk.rules.matched.iter().enumerate().filter(|(_, m)| !**m).map(|(i, _)| i);
    laid.unmatched = unmatched.filter(|i| !never_used(model, plan, *i)).collect();
    laid
}

/// Whether the axis of a rule exists although no op of the walk asked for it.
fn never_used(model: &Model, plan: &Plan, rule: usize) -> bool {
    let Some(rule) = plan.rules.get(rule) else { return true };
    let Some(last) = rule.axis.last() else { return true };
    model.axes.iter().any(|(_, a)| a.aliases.iter().any(|(n, _)| n == last))
}

type Key = (TensorId, Vec<(AxisId, Rc<[MeshId]>)>);

struct Walk<'a> {
    model: &'a Model,
    graph: &'a mut Graph,
    rules: Rules<'a>,
    laid: Laid,
    /// Conversions already made: shared by all consumers that want the same.
    converted: FxHashMap<Key, ()>,
}

impl Walk<'_> {
    fn steps(&mut self, steps: &[Step], out: &mut Vec<LaidStep>) {
        for step in steps {
            match step {
                Step::Op(op) => {
                    let laid = self.op(*op, out);
                    out.push(LaidStep::Op(laid));
                }
                Step::Fuse(fuse) => {
                    let ops = fuse.ops.iter().map(|op| self.op(*op, out)).collect();
                    out.push(LaidStep::Fuse(fuse.clone(), ops));
                }
                Step::Repeat(repeat) => self.repeat(repeat, out),
                Step::Some { count, body } => {
                    let mut inner = Vec::new();
                    let saved = self.converted.clone();
                    self.steps(body, &mut inner);
                    self.converted = saved;
                    out.push(LaidStep::Some { count: *count, body: inner });
                }
                Step::Join { arms, result } => {
                    let first = arms.first().and_then(|t| self.laid.layouts.get(t)).cloned();
                    self.laid.layouts.insert(*result, first.unwrap_or_default());
                }
            }
        }
    }

    fn shards_of(&mut self, axes: &[AxisId], scope: &Instance, residual: bool) -> Vec<Shard> {
        let mut shards = Vec::new();
        for &axis in axes {
            if let Some(shard) = self.rules.shard(axis, scope, residual, self.graph) {
                shards.push(shard);
            }
        }
        shards
    }

    fn op(&mut self, id: OpId, out: &mut Vec<LaidStep>) -> LaidOp {
        let op = &self.model.ops[id];
        let mut axes: Vec<AxisId> = Vec::new();
        let operand_axes = op.operands.iter().flat_map(|(_, t)| &self.model.tensors[*t].axes);
        for &axis in operand_axes.chain(&self.model.tensors[op.result].axes) {
            if !axes.contains(&axis) {
                axes.push(axis);
            }
        }
        let mut shards = self.shards_of(&axes, &op.scope, op.residual);
        // An op that renames an axis leaves it laid out as it found it.
        for &axis in &self.model.tensors[op.result].axes {
            let Some(from) = self.model.axes[axis].renamed_from else { continue };
            if !axes.contains(&from) || self.model.tensors[op.result].axes.contains(&from) {
                continue;
            }
            let target = shards.iter().find(|s| s.axis == axis).cloned();
            shards.retain(|s| s.axis != from);
            shards.extend(target.map(|s| Shard { axis: from, ..s }));
        }
        for &axis in &op.whole {
            if let Some(shard) = shards.iter().find(|s| s.axis == axis) {
                self.laid.whole.push((id, axis, shard.rule));
            }
        }
        shards.retain(|s| !op.whole.contains(&s.axis));
        self.find_conflicts(op.result, &shards);
        let keeps_partial = self.keeps_partial(id);
        for (_, tensor) in &op.operands {
            let wanted = restrict(&shards, &self.model.tensors[*tensor].axes);
            self.find_conflicts(*tensor, &wanted);
            if self.model.tensors[*tensor].producer.is_none()
                && !self.laid.layouts.contains_key(tensor)
            {
                // Weights and inputs lie as their first consumer wants them.
                let layout = Layout { shards: wanted.clone(), partial: Vec::new() };
                self.laid.layouts.insert(*tensor, layout);
            }
            if !keeps_partial {
                self.convert(*tensor, &wanted, op.place, &op.scope, op.residual, out);
            }
        }
        let mut partial: Vec<Partial> = if keeps_partial {
            let first = op.operands.first().and_then(|(_, t)| self.laid.layouts.get(t));
            first.map(|l| l.partial.clone()).unwrap_or_default()
        } else {
            Vec::new()
        };
        for shard in shards.iter().filter(|s| op.sums.contains(&s.axis)) {
            match partial.iter_mut().find(|p| p.group == shard.group) {
                Some(p) => p.count = self.graph.mul(p.count, shard.count),
                None => partial.push(Partial {
                    group: shard.group.clone(),
                    count: shard.count,
                    rule: shard.rule,
                    op: id,
                }),
            }
        }
        let result = restrict(&shards, &self.model.tensors[op.result].axes);
        self.laid.layouts.insert(op.result, Layout { shards: result, partial });
        LaidOp { op: id, shards }
    }

    /// Whether all operands are partial over the same mesh axes and the op is linear in them all.
    fn keeps_partial(&self, id: OpId) -> bool {
        let op = &self.model.ops[id];
        let mut groups = op.operands.iter().map(|(_, t)| {
            let layout = self.laid.layouts.get(t);
            layout.map(|l| l.partial.iter().map(|p| p.group.clone()).collect::<Vec<_>>())
        });
        let Some(Some(first)) = groups.next() else { return false };
        !first.is_empty()
            && !op.residual
            && groups.all(|g| g.as_ref() == Some(&first))
            && op.operands.iter().all(|(_, t)| op.linear.contains(t))
    }

    fn find_conflicts(&mut self, tensor: TensorId, shards: &[Shard]) {
        let t = &self.model.tensors[tensor];
        for (i, a) in shards.iter().enumerate() {
            for b in shards.iter().skip(i + 1) {
                let both = t.axes.contains(&a.axis) && t.axes.contains(&b.axis);
                if !both || a.rule == b.rule {
                    continue;
                }
                if let Some(&mesh) = a.group.iter().find(|m| b.group.contains(m)) {
                    self.laid.conflicts.push(Conflict {
                        tensor: t.name,
                        tensor_place: t.place,
                        mesh,
                        axes: [(a.axis, a.rule), (b.axis, b.rule)],
                    });
                }
            }
        }
    }

    /// Inserts what turns the layout of a tensor into the wanted one.
    fn convert(
        &mut self,
        tensor: TensorId,
        wanted: &[Shard],
        place: Place,
        scope: &Rc<Instance>,
        residual: bool,
        out: &mut Vec<LaidStep>,
    ) {
        let have = self.laid.layouts.get(&tensor).cloned().unwrap_or_default();
        let same = |a: &[Shard], b: &[Shard]| {
            a.len() == b.len()
                && a.iter().all(|s| b.iter().any(|w| w.axis == s.axis && w.group == s.group))
        };
        if have.partial.is_empty() && same(&have.shards, wanted) {
            return;
        }
        let mut key: Vec<_> = wanted.iter().map(|s| (s.axis, s.group.clone())).collect();
        key.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        if self.converted.insert((tensor, key), ()).is_some() {
            return;
        }
        let mut now = have;
        let push = |kind, group: &Rc<[MeshId]>, count, message, rule, out: &mut Vec<LaidStep>| {
            out.push(LaidStep::Convert(Conversion {
                kind,
                tensor,
                group: Rc::clone(group),
                count,
                message,
                model_place: place,
                scope: Rc::clone(scope),
                residual,
                rule,
            }));
        };
        for partial in std::mem::take(&mut now.partial) {
            let message = Layout { shards: now.shards.clone(), partial: Vec::new() };
            let scatter = wanted
                .iter()
                .find(|w| w.group == partial.group && !now.shards.iter().any(|s| s.axis == w.axis));
            let kind = if scatter.is_some() { Kind::ReduceScatter } else { Kind::AllReduce };
            push(kind, &partial.group, partial.count, message, partial.rule, out);
            now.shards.extend(scatter.cloned());
        }
        let groups: Vec<Rc<[MeshId]>> = {
            let lost = now
                .shards
                .iter()
                .filter(|s| !wanted.iter().any(|w| w.axis == s.axis && w.group == s.group));
            let mut groups: Vec<Rc<[MeshId]>> = Vec::new();
            for shard in lost {
                if !groups.contains(&shard.group) {
                    groups.push(shard.group.clone());
                }
            }
            groups
        };
        for group in groups {
            let (lost, kept): (Vec<Shard>, Vec<Shard>) =
                now.shards.iter().cloned().partition(|s| {
                    s.group == group
                        && !wanted.iter().any(|w| w.axis == s.axis && w.group == s.group)
                });
            let Some(count) = self.graph.product(lost.iter().map(|s| s.count)) else { continue };
            let rule = lost.first().map_or(0, |s| s.rule);
            let gains = wanted
                .iter()
                .find(|w| w.group == group && !now.shards.iter().any(|s| s.axis == w.axis));
            now.shards = kept;
            let message = Layout { shards: now.shards.clone(), partial: Vec::new() };
            let kind = if gains.is_some() { Kind::AllToAll } else { Kind::AllGather };
            push(kind, &group, count, message, rule, out);
            now.shards.extend(gains.cloned());
        }
        // What is wanted cut and lies whole is a local slice: free.
    }

    fn repeat(&mut self, repeat: &Repeat, out: &mut Vec<LaidStep>) {
        let mut carried = Vec::new();
        for carry in &repeat.carried {
            let axes = &self.model.tensors[carry.start].axes;
            let scope = self.model.tensors[carry.start].scope.clone();
            // One layout at the start and the end of every round, never partial.
            let shards = self.shards_of(axes, &scope, true);
            self.find_conflicts(carry.start, &shards);
            self.convert(carry.before, &shards, repeat.place, &scope, true, out);
            let layout = Layout { shards: shards.clone(), partial: Vec::new() };
            self.laid.layouts.insert(carry.start, layout.clone());
            self.laid.layouts.insert(carry.after, layout);
            carried.push((carry.end, shards, scope));
        }
        let saved = self.converted.clone();
        let mut body = Vec::new();
        self.steps(&repeat.body, &mut body);
        for (end, shards, scope) in carried {
            self.convert(end, &shards, repeat.place, &scope, true, &mut body);
        }
        self.converted = saved;
        let root = Instance { path: Rc::new([]), blocks: Rc::new([]), place: repeat.place };
        let stages = self.rules.shard(repeat.axis, &root, false, self.graph);
        out.push(LaidStep::Repeat { repeat: repeat.clone(), body, stages });
    }

    /// Results leave the model whole, but for the axes that tell requests apart.
    fn output(&mut self, tensor: TensorId, out: &mut Vec<LaidStep>) {
        let t = &self.model.tensors[tensor];
        let have = self.laid.layouts.get(&tensor).cloned().unwrap_or_default();
        let batch = Name::new("batch");
        let keep = |s: &&Shard| self.model.axes[s.axis].size == AxisSize::Phase(batch);
        let wanted: Vec<Shard> = have.shards.iter().filter(keep).cloned().collect();
        let (place, scope) = (t.place, t.scope.clone());
        self.convert(tensor, &wanted, place, &scope, false, out);
    }
}

fn restrict(shards: &[Shard], axes: &[AxisId]) -> Vec<Shard> {
    shards.iter().filter(|s| axes.contains(&s.axis)).cloned().collect()
}
