//! Layout propagation: one walk over the steps, converting where producer and consumer disagree.
//!
//! In: a model, the rules of a plan. Out: [`Laid`]. Every op runs in the layout that the rules give
//! to its axes in its scope (`shards.rs`); what it reads is converted to that. Partial sums pass through ops that
//! are linear in everything they read, as long as that saves or moves a reduction.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::convert::Need;
use super::layout::{Laid, LaidOp, LaidStep, Layout, Partial, Shard, Version};
use super::rules::{Conflict, Rules};
use crate::expr::Graph;
use crate::ir::model::Instance;
use crate::ir::{AxisId, AxisSize, Model, OpId, Pass, Plan, Repeat, Step, TensorId};
use crate::name::Name;

/// Lays a model out over the mesh of a plan.
pub fn lay_out(model: &Model, plan: &Plan, graph: &mut Graph) -> Laid {
    let mut walk = Walk {
        model,
        graph,
        rules: Rules::new(model, plan),
        laid: Laid::default(),
        available: FxHashMap::default(),
        moved: FxHashMap::default(),
        consumers: consumers(model),
        leaving: leaving(model),
        pass: Pass::Forward,
    };
    let mut steps = Vec::new();
    match model.forward_steps {
        Some(forward) => walk.training(forward, &mut steps),
        None => {
            walk.steps(&model.steps, &mut steps);
            for &output in &model.outputs {
                walk.output(output, &mut steps);
            }
        }
    }
    walk.find_stage_conflicts(&steps);
    let mut laid = walk.laid;
    laid.steps = steps;
    (laid.unmatched, laid.unscoped) = walk.rules.without_effect();
    laid.divisors = walk.rules.divisors;
    laid
}

/// The ops that read each tensor.
fn consumers(model: &Model) -> FxHashMap<TensorId, Vec<OpId>> {
    let mut map: FxHashMap<TensorId, Vec<OpId>> = FxHashMap::default();
    for (id, op) in model.ops.iter() {
        for (_, tensor) in &op.operands {
            map.entry(*tensor).or_default().push(id);
        }
    }
    map
}

/// Tensors that something else than an op reads: carried ones, arms of an `if`, outputs.
fn leaving(model: &Model) -> FxHashSet<TensorId> {
    fn steps(list: &[Step], out: &mut FxHashSet<TensorId>) {
        for step in list {
            match step {
                Step::Repeat(repeat) => {
                    out.extend(repeat.carried.iter().flat_map(|c| [c.before, c.end]));
                    steps(&repeat.body, out);
                }
                Step::Some { body, .. } => steps(body, out),
                Step::Join { arms, .. } => out.extend(arms),
                Step::Op(_) | Step::Fuse(_) => {}
            }
        }
    }
    let mut out: FxHashSet<TensorId> = model.outputs.iter().copied().collect();
    steps(&model.steps, &mut out);
    out
}

pub(super) struct Walk<'a> {
    pub(super) model: &'a Model,
    pub(super) graph: &'a mut Graph,
    pub(super) rules: Rules<'a>,
    pub(super) laid: Laid,
    /// Conversions that exist where the walk stands: shared by all consumers that want the same.
    pub(super) available: FxHashMap<TensorId, Vec<usize>>,
    /// Versions that an all-to-all has made.
    pub(super) moved: FxHashMap<TensorId, Vec<usize>>,
    /// The part of a step of training where the walk stands.
    pub(super) pass: Pass,
    consumers: FxHashMap<TensorId, Vec<OpId>>,
    leaving: FxHashSet<TensorId>,
}

impl Walk<'_> {
    pub(super) fn steps(&mut self, steps: &[Step], out: &mut Vec<LaidStep>) {
        for step in steps {
            match step {
                Step::Op(op) => {
                    let laid = self.op(*op, out);
                    out.push(LaidStep::Op(laid));
                }
                Step::Fuse(fuse) => {
                    let before = out.len();
                    let ops = fuse.ops.iter().map(|op| self.op(*op, out)).collect();
                    // What a kernel needs belongs where the kernel does, whatever it makes again.
                    for step in out.iter_mut().skip(before) {
                        if let LaidStep::Convert(c) = step {
                            c.pass = self.pass;
                        }
                    }
                    out.push(LaidStep::Fuse(fuse.clone(), ops));
                }
                Step::Repeat(repeat) => self.repeat(repeat, out),
                Step::Some { count, body, branch } => {
                    let mut inner = Vec::new();
                    let saved = self.available.clone();
                    self.steps(body, &mut inner);
                    // What is made in an arm is read there only: on the way back it may be again.
                    let made = |t: &TensorId| {
                        let producer = self.model.tensors[*t].producer;
                        producer.is_some_and(|p| holds(body, p))
                    };
                    let inside = std::mem::replace(&mut self.available, saved);
                    self.available.extend(inside.into_iter().filter(|(t, _)| made(t)));
                    let way = branch.cheapest.then_some(branch.choice);
                    out.push(LaidStep::Some { count: *count, body: inner, way });
                }
                Step::Join { arms, result } => self.join(arms, *result, out),
            }
        }
    }

    fn op(&mut self, id: OpId, out: &mut Vec<LaidStep>) -> LaidOp {
        let op = &self.model.ops[id];
        self.pass = op.pass;
        let mut shards = self.op_shards(id);
        self.find_conflicts(op.result, &shards);
        let mut partial = self.passing(id, &shards);
        if op.view && (!partial.is_empty() || self.makes_keys(id)) {
            return self.view(id);
        }
        // What stays partial over a mesh axis is not cut over it as well.
        let kept = partial.clone();
        shards.retain(|s| !overlaps(s, &kept));
        let mut reads = Vec::new();
        for (_, tensor) in op.operands.iter().filter(|(_, t)| !op.unread.contains(t)) {
            let wanted = restrict(&shards, &self.model.tensors[*tensor].axes);
            self.find_conflicts(*tensor, &wanted);
            if self.model.tensors[*tensor].producer.is_none()
                && !self.laid.layouts.contains_key(tensor)
            {
                // Weights and inputs lie as their first consumer wants them.
                let layout = Layout { shards: wanted.clone(), partial: Vec::new() };
                self.laid.layouts.insert(*tensor, layout);
            }
            let need = Need { place: op.place, scope: &op.scope, residual: op.residual };
            let index = if kept.is_empty() || !op.linear.contains(tensor) {
                self.convert(*tensor, &wanted, &need, out)
            } else if op.local.is_empty() {
                self.best(*tensor)
            } else {
                self.exchange_partial(*tensor, &wanted, &need, out)
            };
            reads.push(Version { tensor: *tensor, index });
        }
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
        LaidOp { op: id, shards, reads }
    }

    /// Whether an op makes keys of a sequence in training: they lie as the sequence does, and who
    /// reads all of them gathers them.
    fn makes_keys(&self, id: OpId) -> bool {
        let op = &self.model.ops[id];
        self.model.forward_steps.is_some()
            && self.model.tensors[op.result].axes.iter().any(|a| {
                let from = self.model.axes[*a].renamed_from;
                let operand = op.operands.first().map(|(_, t)| &self.model.tensors[*t].axes);
                self.rules.keys.contains(a)
                    && from.is_some_and(|o| operand.is_some_and(|axes| axes.contains(&o)))
            })
    }

    /// Whether a tensor is keys or values of attention, or the gradient of them.
    pub(super) fn is_context(&self, tensor: TensorId) -> bool {
        let axes = &self.model.tensors[tensor].axes;
        if axes.iter().any(|a| self.rules.keys.contains(a)) {
            return true;
        }
        let producer = self.model.tensors[tensor].producer.map(|p| &self.model.ops[p]);
        let viewed = producer.filter(|op| op.view).and_then(|op| op.operands.first());
        viewed.is_some_and(|(_, operand)| self.is_context(*operand))
    }

    /// A tensor under other axes: it lies as it did.
    fn view(&mut self, id: OpId) -> LaidOp {
        let op = &self.model.ops[id];
        let mut layout = Layout::default();
        let mut reads = Vec::new();
        if let Some((_, tensor)) = op.operands.first() {
            let version = Version { tensor: *tensor, index: self.best(*tensor) };
            layout = self.laid.layout(version).cloned().unwrap_or_default();
            reads.push(version);
            let old = &self.model.tensors[*tensor].axes;
            let new = &self.model.tensors[op.result].axes;
            for shard in &mut layout.shards {
                let place = old.iter().position(|a| *a == shard.axis);
                if let Some(axis) = place.and_then(|i| new.get(i)) {
                    shard.axis = *axis;
                }
            }
        }
        let shards = layout.shards.clone();
        self.laid.layouts.insert(op.result, layout);
        LaidOp { op: id, shards, reads }
    }

    /// The partial sums that an op passes on. It is linear in some operands, taken together, and the
    /// others are factors. Sums that all of those share stay; others do when only linear ops read the
    /// result: a value that is not partial counts as one of the summands, which costs nothing.
    fn passing(&mut self, id: OpId, shards: &[Shard]) -> Vec<Partial> {
        let op = &self.model.ops[id];
        if op.linear.is_empty() {
            return Vec::new();
        }
        let summands = || op.operands.iter().filter(|(_, t)| op.linear.contains(t));
        let mut groups: Vec<Partial> = Vec::new();
        let mut all = true;
        for (_, tensor) in summands() {
            let index = self.best(*tensor);
            let Some(layout) = self.laid.layout(Version { tensor: *tensor, index }) else {
                all = false;
                continue;
            };
            if layout.partial.is_empty() {
                all = false;
                continue;
            }
            let same = groups.is_empty() || same_groups(&groups, &layout.partial);
            let axes = &self.model.tensors[*tensor].axes;
            let sums = op.operands.len() > 1 && op.linear.len() == op.operands.len();
            // A factor may bring other axes, as the second matrix of an adapter does.
            let factor = op.linear.len() == 1 && op.operands.len() > 1;
            let other = *axes != self.model.tensors[op.result].axes && !factor;
            if !same || (other && !op.view && (sums || op.local.is_empty())) {
                return Vec::new();
            }
            groups = layout.partial.clone();
        }
        let result = op.result;
        let linear = |consumer: &OpId| {
            let next = &self.model.ops[*consumer];
            next.linear.contains(&result)
        };
        let later = !self.leaving.contains(&result)
            && self.consumers.get(&result).is_some_and(|c| c.iter().all(linear));
        if groups.is_empty() || !(all || later) {
            return Vec::new();
        }
        // Beside the partial mesh axes everything must lie as the op wants it.
        let fits = summands().all(|(_, tensor)| {
            let axes = &self.model.tensors[*tensor].axes;
            let index = self.best(*tensor);
            let have = self.laid.layout(Version { tensor: *tensor, index });
            let have = have.map(|l| l.shards.as_slice()).unwrap_or_default();
            let keep = |list: &[Shard]| {
                let list = list.iter().filter(|s| !overlaps(s, &groups)).cloned();
                Layout { shards: list.collect(), partial: Vec::new() }
            };
            let fresh = self.model.tensors[*tensor].producer.is_none()
                && !self.laid.layouts.contains_key(tensor);
            let moves = !op.local.is_empty();
            fresh || moves || keep(have).same(&keep(&restrict(shards, axes)))
        });
        if fits { groups } else { Vec::new() }
    }

    fn find_conflicts(&mut self, tensor: TensorId, shards: &[Shard]) {
        let t = &self.model.tensors[tensor];
        for (i, a) in shards.iter().enumerate() {
            for b in shards.iter().skip(i + 1) {
                let both = t.axes.contains(&a.axis) && t.axes.contains(&b.axis);
                if !both || a.rule == b.rule || self.rules.shares(a, b) {
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

    /// The rounds of a repeat over a mesh axis that also cuts what runs in them.
    fn find_stage_conflicts(&mut self, steps: &[LaidStep]) {
        for step in steps {
            let LaidStep::Repeat { repeat, body, stages: Some(stage), .. } = step else { continue };
            for laid in body {
                let ops: &[LaidOp] = match laid {
                    LaidStep::Op(op) => std::slice::from_ref(op),
                    LaidStep::Fuse(_, ops) => ops,
                    _ => continue,
                };
                for op in ops {
                    for shard in &op.shards {
                        let both = shard.group.iter().find(|m| stage.group.contains(m));
                        let Some(&mesh) = both else { continue };
                        let t = &self.model.tensors[self.model.ops[op.op].result];
                        self.laid.conflicts.push(Conflict {
                            tensor: t.name,
                            tensor_place: t.place,
                            mesh,
                            axes: [(repeat.axis, stage.rule), (shard.axis, shard.rule)],
                        });
                    }
                }
            }
        }
    }

    fn repeat(&mut self, repeat: &Repeat, out: &mut Vec<LaidStep>) {
        let mut carried = Vec::new();
        for carry in &repeat.carried {
            let axes = &self.model.tensors[carry.start].axes;
            let scope = self.model.tensors[carry.start].scope.clone();
            // One layout at the start and the end of every round, never partial.
            let shards = self.shards_of(axes, &scope, true);
            self.find_conflicts(carry.start, &shards);
            let need = Need { place: repeat.place, scope: &scope, residual: true };
            let index = self.convert(carry.before, &shards, &need, out);
            let before = Version { tensor: carry.before, index };
            let layout = Layout { shards: shards.clone(), partial: Vec::new() };
            self.laid.layouts.insert(carry.start, layout.clone());
            self.laid.layouts.insert(carry.after, layout);
            carried.push((before, carry.end, shards, scope));
        }
        let saved = self.available.clone();
        let mut body = Vec::new();
        self.steps(&repeat.body, &mut body);
        let mut ends = Vec::new();
        for (before, end, shards, scope) in carried {
            let need = Need { place: repeat.place, scope: &scope, residual: true };
            let index = self.convert(end, &shards, &need, &mut body);
            ends.push((before, Version { tensor: end, index }));
        }
        self.available = saved;
        let root = Instance { path: Rc::new([]), blocks: Rc::new([]), place: repeat.place };
        let stages = self.rules.shard(repeat.axis, &root, false, self.graph);
        out.push(LaidStep::Repeat { repeat: repeat.clone(), body, stages, ends });
    }

    /// Values of several arms under one name: left alone where all lie alike, else each is
    /// converted in its arm to what the rules say.
    fn join(&mut self, arms: &[TensorId], result: TensorId, out: &mut Vec<LaidStep>) {
        let layouts: Vec<Layout> =
            arms.iter().map(|t| self.laid.layouts.get(t).cloned().unwrap_or_default()).collect();
        let first = layouts.first().cloned().unwrap_or_default();
        let mut versions = Vec::new();
        if layouts.iter().all(|l| l.same(&first)) {
            versions.extend(arms.iter().map(|t| Version { tensor: *t, index: 0 }));
            self.laid.layouts.insert(result, first);
        } else {
            let t = &self.model.tensors[result];
            let scope = t.scope.clone();
            let shards = self.shards_of(&t.axes, &scope, false);
            for &arm in arms {
                let need = Need { place: t.place, scope: &scope, residual: false };
                let mut added = Vec::new();
                let index = self.convert(arm, &shards, &need, &mut added);
                versions.push(Version { tensor: arm, index });
                let producer = self.model.tensors[arm].producer;
                match out.iter_mut().rev().find_map(|s| arm_of(s, producer)) {
                    Some(body) => body.extend(added),
                    None => out.extend(added),
                }
            }
            self.laid.layouts.insert(result, Layout { shards, partial: Vec::new() });
        }
        out.push(LaidStep::Join { arms: versions, result });
    }

    /// Results leave the model whole, but for the axes that tell requests apart.
    fn output(&mut self, tensor: TensorId, out: &mut Vec<LaidStep>) {
        let t = &self.model.tensors[tensor];
        let have = self.laid.layouts.get(&tensor).cloned().unwrap_or_default();
        let batch = Name::new("batch");
        let keep = |s: &&Shard| self.model.axes[s.axis].size == AxisSize::Phase(batch);
        let wanted: Vec<Shard> = have.shards.iter().filter(keep).cloned().collect();
        let scope = t.scope.clone();
        let need = Need { place: t.place, scope: &scope, residual: false };
        self.convert(tensor, &wanted, &need, out);
    }
}

/// Whether an op is among some steps.
fn holds(steps: &[Step], op: OpId) -> bool {
    steps.iter().any(|step| match step {
        Step::Op(id) => *id == op,
        Step::Fuse(fuse) => fuse.ops.contains(&op),
        Step::Repeat(repeat) => holds(&repeat.body, op),
        Step::Some { body, .. } => holds(body, op),
        Step::Join { .. } => false,
    })
}

/// The body of an arm, if it holds the op.
fn arm_of(step: &mut LaidStep, op: Option<OpId>) -> Option<&mut Vec<LaidStep>> {
    let LaidStep::Some { body, .. } = step else { return None };
    let holds = body.iter().any(|s| match s {
        LaidStep::Op(o) => Some(o.op) == op,
        LaidStep::Fuse(_, ops) => ops.iter().any(|o| Some(o.op) == op),
        _ => false,
    });
    holds.then_some(body)
}

fn same_groups(a: &[Partial], b: &[Partial]) -> bool {
    a.len() == b.len() && a.iter().all(|p| b.iter().any(|q| q.group == p.group))
}

fn overlaps(shard: &Shard, partial: &[Partial]) -> bool {
    partial.iter().any(|p| p.group.iter().any(|m| shard.group.contains(m)))
}

pub(super) fn restrict(shards: &[Shard], axes: &[AxisId]) -> Vec<Shard> {
    shards.iter().filter(|s| axes.contains(&s.axis)).cloned().collect()
}
