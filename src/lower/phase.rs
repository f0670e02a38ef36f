//! One phase of a workload: every kernel and collective costed, then summed.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::collective::CollectiveUse;
use super::frame::Frame;
use super::offload::Transfer;
use crate::check::{BuiltModel, Checker, Computing, FormatRules, Machine, Value};
use crate::expr::{ExprId, Op};
use crate::graph::{Conversion, Kind, Laid, LaidStep, Layout, Shard, Version};
use crate::ir::model::Instance;
use crate::ir::{Model, OpId, Pass, Plan, TensorId};
use crate::name::Name;
use crate::source::Place;

/// Which part of a pipeline runs a step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Before the repeated layers: the first stage.
    First,
    /// The layers: spread over all stages.
    Layers,
    /// After them: the last stage.
    Last,
}

/// One kernel in one phase, run once.
#[derive(Clone, Debug)]
pub struct KernelCost {
    /// The kind of layer.
    pub layer: Name,
    /// The op (or fused kernel) in it.
    pub op: Name,
    /// Which stage.
    pub stage: Stage,
    /// How often it runs in a pass; `None` is once.
    pub rounds: Option<ExprId>,
    /// Useful work of the whole system: matrix, vector, bytes.
    pub useful: [Option<ExprId>; 3],
    /// Work of one device without padding.
    pub even: [Option<ExprId>; 3],
    /// Work of the fullest device.
    pub local: [Option<ExprId>; 3],
    /// Bytes of weights that the whole system reads, each once.
    pub weights: Option<ExprId>,
    /// Time on the engines.
    pub compute: Option<ExprId>,
    /// Time at the main memory.
    pub memory: Option<ExprId>,
    /// Time of the kernel.
    pub time: ExprId,
    /// The peak that its matrix work runs at.
    pub peak: Option<ExprId>,
    /// The number format of that peak.
    pub format: Option<Name>,
    /// The part of a step of training that it belongs to.
    pub pass: Pass,
    /// Whether a mask is skipped in it: attention.
    pub masked: bool,
    /// The part of its time that makes gradients of weights, which nothing else waits for.
    pub of_weight: Option<ExprId>,
    /// The first of its ops.
    pub first: Option<OpId>,
    /// What it brings from memories outside of the devices and puts there.
    pub moved: Vec<Transfer>,
    /// Useful matrix work of the whole system in training: of the model without what is made
    /// again, the same as if no mask were skipped, and all of it as if no mask were skipped.
    pub model: [Option<ExprId>; 3],
}

/// A collective with the layer that it belongs to.
#[derive(Clone, Debug)]
pub struct LayerCollective {
    /// The kind of layer.
    pub layer: Name,
    /// Which stage.
    pub stage: Stage,
    /// The collective; its `count` is that of the whole phase.
    pub collective: CollectiveUse,
    /// What it makes, where it is a step of the dataflow.
    pub makes: Option<Version>,
}

/// Everything costed in one phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseCost {
    /// The kernels in order.
    pub kernels: Vec<KernelCost>,
    /// The collectives in order.
    pub collectives: Vec<LayerCollective>,
    /// Time beside kernels and collectives in a pass.
    pub overhead: Option<ExprId>,
    /// Rounds of repeated layers, for the overhead.
    pub layers: Option<ExprId>,
    /// How often tokens pick from a sparse axis: layers of experts.
    pub expert_layers: Option<ExprId>,
}

impl PhaseCost {
    /// The same phase with other numbers in it.
    #[must_use]
    pub fn map(&self, f: &impl Fn(ExprId) -> ExprId) -> Self {
        let all = |row: [Option<ExprId>; 3]| row.map(|id| id.map(f));
        let kernels = self.kernels.iter().map(|k| KernelCost {
            rounds: k.rounds.map(f),
            useful: all(k.useful),
            even: all(k.even),
            local: all(k.local),
            weights: k.weights.map(f),
            compute: k.compute.map(f),
            memory: k.memory.map(f),
            time: f(k.time),
            of_weight: k.of_weight.map(f),
            peak: k.peak.map(f),
            model: all(k.model),
            moved: k
                .moved
                .iter()
                .map(|t| Transfer { up: t.up.map(f), down: t.down.map(f), ..*t })
                .collect(),
            ..k.clone()
        });
        let collectives = self.collectives.iter().map(|c| LayerCollective {
            collective: CollectiveUse {
                devices: f(c.collective.devices),
                count: f(c.collective.count),
                message: f(c.collective.message),
                bytes: f(c.collective.bytes),
                time: f(c.collective.time),
                total: f(c.collective.total),
                ..c.collective.clone()
            },
            ..c.clone()
        });
        Self {
            kernels: kernels.collect(),
            collectives: collectives.collect(),
            overhead: self.overhead.map(f),
            layers: self.layers.map(f),
            expert_layers: self.expert_layers.map(f),
        }
    }
}

/// What all phases of a scenario share.
pub struct Setting<'a, 'p> {
    /// The model.
    pub built: &'a BuiltModel<'p>,
    /// Its dataflow, shared with frames.
    pub model: Rc<Model>,
    /// The plan.
    pub plan: &'a Plan,
    /// The machine.
    pub machine: &'a Machine<'p>,
    /// The laid-out steps.
    pub laid: &'a Laid,
    /// The formats to compute in, where something says them.
    pub compute: Computing,
    /// The format in which training keeps activations, where it is said.
    pub saved: FormatRules,
    /// Where the scenario stands.
    pub place: Place,
    /// Tensors used outside of the fused kernel that makes them.
    pub escaping: FxHashSet<TensorId>,
}

#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) stage: Stage,
    /// The stage after the repeated layers.
    after: Stage,
    outer: Option<ExprId>,
    pub(super) rounds: Option<ExprId>,
}

/// Tensors that leave the fused kernel in which they are made.
#[must_use]
pub fn escaping(laid: &[LaidStep], model: &Model) -> FxHashSet<TensorId> {
    let mut inside: FxHashMap<OpId, usize> = FxHashMap::default();
    let mut next = 0;
    number_fuses(laid, &mut inside, &mut next);
    let mut out: FxHashSet<TensorId> = model.outputs.iter().copied().collect();
    for (id, op) in model.ops.iter() {
        // What is kept for later steps is written, whoever reads it in this one.
        if op.stores.is_some() {
            out.insert(op.result);
        }
        for (_, tensor) in &op.operands {
            let producer = model.tensors[*tensor].producer;
            let same = producer
                .is_some_and(|p| inside.contains_key(&p) && inside.get(&p) == inside.get(&id));
            if !same {
                out.insert(*tensor);
            }
        }
    }
    carried_tensors(laid, &mut out);
    // What leaves under other axes leaves.
    let views: Vec<(TensorId, TensorId)> = model
        .ops
        .iter()
        .filter(|(_, op)| op.view)
        .filter_map(|(_, op)| Some((op.result, op.operands.first()?.1)))
        .collect();
    for (result, operand) in views.into_iter().rev() {
        if out.contains(&result) {
            out.insert(operand);
        }
    }
    out
}

fn number_fuses(steps: &[LaidStep], inside: &mut FxHashMap<OpId, usize>, next: &mut usize) {
    for step in steps {
        match step {
            LaidStep::Fuse(_, ops) => {
                *next += 1;
                inside.extend(ops.iter().map(|o| (o.op, *next)));
            }
            LaidStep::Repeat { body, .. } | LaidStep::Some { body, .. } => {
                number_fuses(body, inside, next);
            }
            _ => {}
        }
    }
}

fn carried_tensors(steps: &[LaidStep], out: &mut FxHashSet<TensorId>) {
    for step in steps {
        match step {
            LaidStep::Repeat { repeat, body, .. } => {
                out.extend(repeat.carried.iter().flat_map(|c| [c.before, c.end]));
                carried_tensors(body, out);
            }
            LaidStep::Join { arms, .. } => out.extend(arms.iter().map(|v| v.tensor)),
            LaidStep::Some { body, .. } => carried_tensors(body, out),
            _ => {}
        }
    }
}

impl<'p> Checker<'p> {
    /// Costs all steps of one pass in a phase.
    pub(crate) fn phase(&mut self, setting: &Setting<'_, 'p>, frame: &Frame) -> PhaseCost {
        let ends = [Stage::First, Stage::Last];
        self.phase_of(&setting.laid.steps, ends, setting, frame)
    }

    /// Costs some steps of a pass, which start and end at these stages of a pipeline.
    pub(crate) fn phase_of(
        &mut self,
        steps: &[LaidStep],
        [stage, after]: [Stage; 2],
        setting: &Setting<'_, 'p>,
        frame: &Frame,
    ) -> PhaseCost {
        let mut cost = PhaseCost::default();
        let at = At { stage, after, outer: None, rounds: None };
        self.phase_steps(steps, setting, frame, at, &mut cost);
        if let Some(layers) = cost.layers {
            let mut args = vec![("layers", Value::Num(layers))];
            args.extend(cost.expert_layers.map(|n| ("expert_layers", Value::Num(n))));
            cost.overhead = self.library_number("step_overhead", &args);
        }
        cost
    }

    fn phase_steps(
        &mut self,
        steps: &[LaidStep],
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        at: At,
        cost: &mut PhaseCost,
    ) {
        let mut at = at;
        let mut ways: Vec<PhaseCost> = Vec::new();
        for (i, step) in steps.iter().enumerate() {
            match step {
                LaidStep::Op(op) => {
                    let instance = &setting.model.ops[op.op];
                    let layer = layer_of(&setting.model, op.op);
                    let name = setting.model.tensors[instance.result].name;
                    if picks_experts(&setting.model, op.op) {
                        cost.expert_layers = self.plus(cost.expert_layers, at.rounds);
                    }
                    self.kernel(std::slice::from_ref(op), layer, name, setting, frame, at, cost);
                }
                LaidStep::Fuse(fuse, ops) => {
                    let layer = match fuse.scope.path.first() {
                        Some(first) => *first,
                        None => fuse.name,
                    };
                    if ops.iter().any(|o| picks_experts(&setting.model, o.op)) {
                        cost.expert_layers = self.plus(cost.expert_layers, at.rounds);
                    }
                    self.kernel(ops, layer, fuse.name, setting, frame, at, cost);
                }
                LaidStep::Convert(conversion) => {
                    self.phase_collective(conversion, setting, frame, at, cost);
                }
                LaidStep::Join { .. } => {}
                LaidStep::Repeat { repeat, .. }
                    if repeat.carried.iter().any(|c| self.is_empty(frame, c.start)) => {}
                LaidStep::Repeat { repeat, body, stages, .. } => {
                    let rounds = match at.rounds {
                        None => repeat.count,
                        Some(outer) => self.graph.mul(outer, repeat.count),
                    };
                    let inner =
                        At { stage: Stage::Layers, outer: at.rounds, rounds: Some(rounds), ..at };
                    self.phase_steps(body, setting, frame, inner, cost);
                    cost.layers = Some(match cost.layers {
                        None => rounds,
                        Some(sum) => self.graph.add(sum, rounds),
                    });
                    if let (Some(shard), Some(carried)) = (stages, repeat.carried.first()) {
                        self.pipeline_send(
                            shard,
                            carried.start,
                            repeat.place,
                            setting,
                            frame,
                            cost,
                        );
                    }
                    if at.stage != Stage::Layers {
                        at.stage = at.after;
                    }
                }
                LaidStep::Some { way: Some(way), body, .. } => {
                    let mut part = PhaseCost::default();
                    self.phase_steps(body, setting, frame, at, &mut part);
                    ways.push(part);
                    let next = steps.get(i + 1);
                    let more = |s: &LaidStep| matches!(s, LaidStep::Some { way: Some(other), .. } if other == way);
                    if !next.is_some_and(more) {
                        self.cheapest(std::mem::take(&mut ways), setting.place, cost);
                    }
                }
                LaidStep::Some { count, body, .. } => {
                    let rounds = match at.outer {
                        None => *count,
                        Some(outer) => self.graph.mul(outer, *count),
                    };
                    let inner = At { rounds: Some(rounds), ..at };
                    self.phase_steps(body, setting, frame, inner, cost);
                }
            }
        }
    }

    /// Several ways to the same values: each runs as often as no other takes less time, which is
    /// always or never.
    fn cheapest(&mut self, ways: Vec<PhaseCost>, place: Place, cost: &mut PhaseCost) {
        let mut times = Vec::new();
        for way in &ways {
            let mut time = None;
            for kernel in &way.kernels {
                let all = kernel.rounds.map(|r| self.graph.mul(kernel.time, r));
                time = self.plus(time, all.or(Some(kernel.time)));
            }
            for used in &way.collectives {
                time = self.plus(time, Some(used.collective.total));
            }
            times.extend(time);
        }
        let one = self.counted(1.0, "1", place, "the cheapest way runs");
        let none = self.counted(0.0, "0", place, "another way is cheaper");
        let mut left = one;
        for (i, way) in ways.into_iter().enumerate() {
            let Some(time) = times.get(i) else { return };
            let mut taken = left;
            for later in times.get(i + 1..).unwrap_or_default() {
                let cheaper = self.graph.binary(Op::Le, *time, *later);
                taken = self.graph.select(cheaper, taken, none);
            }
            left = self.graph.sub(left, taken);
            for mut kernel in way.kernels {
                let rounds = kernel.rounds.map(|r| self.graph.mul(r, taken));
                kernel.rounds = rounds.or(Some(taken));
                cost.kernels.push(kernel);
            }
            for mut used in way.collectives {
                let c = &mut used.collective;
                c.count = self.graph.mul(c.count, taken);
                c.total = self.graph.mul(c.total, taken);
                cost.collectives.push(used);
            }
        }
    }

    fn phase_collective(
        &mut self,
        conversion: &Conversion,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        at: At,
        cost: &mut PhaseCost,
    ) {
        if self.is_empty(frame, conversion.tensor) {
            return;
        }
        let one = self.counted(1.0, "once", conversion.model_place, "runs once in a pass");
        let count = at.rounds.unwrap_or(one);
        let used = self.collective(conversion, setting.plan, setting.machine, frame, count);
        if let Some(collective) = used {
            let producer = setting.model.tensors[conversion.tensor].producer;
            let layer = match (conversion.scope.path.first(), producer) {
                _ if conversion.residual => {
                    producer.map_or(Name::new("residual"), |p| layer_of(&setting.model, p))
                }
                (Some(first), _) => *first,
                (None, Some(p)) => layer_of(&setting.model, p),
                (None, None) => setting.model.tensors[conversion.tensor].name,
            };
            let makes = Version { tensor: conversion.tensor, index: conversion.to };
            let makes = Some(makes);
            cost.collectives.push(LayerCollective { layer, stage: at.stage, collective, makes });
        }
    }

    /// The hidden states that go from stage to stage.
    fn pipeline_send(
        &mut self,
        stages: &Shard,
        tensor: TensorId,
        place: Place,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        cost: &mut PhaseCost,
    ) {
        let message = setting.laid.layouts.get(&tensor).cloned().unwrap_or_default();
        let root = Instance { path: Rc::new([]), blocks: Rc::new([]), place };
        let conversion = Conversion {
            kind: Kind::Send,
            tensor,
            from: 0,
            to: 0,
            group: stages.group.clone(),
            count: stages.count,
            message: Layout { shards: message.shards, partial: Vec::new() },
            model_place: place,
            scope: Rc::new(root),
            residual: true,
            pass: Pass::Forward,
            context: false,
            rule: stages.rule,
        };
        let one = self.counted(1.0, "1", place, "one border fewer than stages");
        let borders = self.graph.sub(stages.count, one);
        let used = self.collective(&conversion, setting.plan, setting.machine, frame, borders);
        if let Some(collective) = used {
            let layer = Name::new("pipeline");
            let stage = Stage::First;
            cost.collectives.push(LayerCollective { layer, stage, collective, makes: None });
        }
    }
}

/// The kind of layer that an op belongs to: its outermost instance, the residual stream, or the
/// name that it defines.
fn layer_of(model: &Model, op: OpId) -> Name {
    let instance = &model.ops[op];
    match instance.scope.path.first() {
        Some(first) => *first,
        None if instance.residual => Name::new("residual"),
        None => model.tensors[instance.result].name,
    }
}

/// Whether tokens pick from experts here: what they pick from is part of the model.
fn picks_experts(model: &Model, op: OpId) -> bool {
    let sparse = &model.ops[op].sparse;
    sparse.iter().any(|a| model.axes[*a].sparse.as_ref().is_some_and(|s| s.keys.is_none()))
}
