//! One phase of a workload: every kernel and collective costed, then summed.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::collective::CollectiveUse;
use super::frame::{Frame, View};
use crate::check::{BuiltModel, Checker, Env, Machine, Object, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::graph::{Conversion, Kind, Laid, LaidOp, LaidStep, Layout, Shard};
use crate::ir::model::Instance;
use crate::ir::{Dtype, Model, OpId, Plan, Role, Tensor, TensorId};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::Expr;

/// Which part of a pipeline runs a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    /// Time on the engines.
    pub compute: Option<ExprId>,
    /// Time at the main memory.
    pub memory: Option<ExprId>,
    /// Time of the kernel.
    pub time: ExprId,
    /// The peak that its matrix work runs at.
    pub peak: Option<ExprId>,
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
            compute: k.compute.map(f),
            memory: k.memory.map(f),
            time: f(k.time),
            peak: k.peak.map(f),
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
    /// The format to compute in, if forced.
    pub compute: Option<Rc<Dtype>>,
    /// Where the scenario stands.
    pub place: Place,
    /// Tensors used outside of the fused kernel that makes them.
    pub escaping: FxHashSet<TensorId>,
}

#[derive(Clone, Copy)]
struct At {
    stage: Stage,
    outer: Option<ExprId>,
    rounds: Option<ExprId>,
}

/// Tensors that leave the fused kernel in which they are made.
#[must_use]
pub fn escaping(laid: &[LaidStep], model: &Model) -> FxHashSet<TensorId> {
    let mut inside: FxHashMap<OpId, usize> = FxHashMap::default();
    let mut next = 0;
    number_fuses(laid, &mut inside, &mut next);
    let mut out: FxHashSet<TensorId> = model.outputs.iter().copied().collect();
    for (id, op) in model.ops.iter() {
        for (_, tensor) in &op.operands {
            let producer = model.tensors[*tensor].producer;
            let same = producer
                .is_some_and(|p| inside.get(&p).is_some() && inside.get(&p) == inside.get(&id));
            if !same {
                out.insert(*tensor);
            }
        }
    }
    carried_tensors(laid, &mut out);
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
        let mut cost = PhaseCost::default();
        let at = At { stage: Stage::First, outer: None, rounds: None };
        self.phase_steps(&setting.laid.steps, setting, frame, at, &mut cost);
        if let Some(layers) = cost.layers {
            let args = [("layers", Value::Num(layers))];
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
        for step in steps {
            match step {
                LaidStep::Op(op) => {
                    let instance = &setting.model.ops[op.op];
                    let layer = layer_of(&setting.model, op.op);
                    let name = setting.model.tensors[instance.result].name;
                    self.kernel(&[op.clone()], layer, name, setting, frame, at, cost);
                }
                LaidStep::Fuse(fuse, ops) => {
                    let layer = match fuse.scope.path.first() {
                        Some(first) => *first,
                        None => fuse.name,
                    };
                    self.kernel(ops, layer, fuse.name, setting, frame, at, cost);
                }
                LaidStep::Convert(conversion) => {
                    self.phase_collective(conversion, setting, frame, at, cost);
                }
                LaidStep::Join { .. } => {}
                LaidStep::Repeat { repeat, body, stages, .. } => {
                    let rounds = match at.rounds {
                        None => repeat.count,
                        Some(outer) => self.graph.mul(outer, repeat.count),
                    };
                    let inner = At { stage: Stage::Layers, outer: at.rounds, rounds: Some(rounds) };
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
                    if at.stage == Stage::First {
                        at.stage = Stage::Last;
                    }
                }
                LaidStep::Some { count, body } => {
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

    fn phase_collective(
        &mut self,
        conversion: &Conversion,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        at: At,
        cost: &mut PhaseCost,
    ) {
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
            cost.collectives.push(LayerCollective { layer, stage: at.stage, collective });
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
            rule: stages.rule,
        };
        let one = self.counted(1.0, "1", place, "one border fewer than stages");
        let borders = self.graph.sub(stages.count, one);
        let used = self.collective(&conversion, setting.plan, setting.machine, frame, borders);
        if let Some(collective) = used {
            let layer = Name::new("pipeline");
            cost.collectives.push(LayerCollective { layer, stage: Stage::First, collective });
        }
    }

    /// The scope of an op's formulas.
    fn formula_env(&mut self, setting: &Setting<'_, 'p>, op: OpId) -> Option<Env<'p>> {
        let instance = &setting.model.ops[op];
        let item = *setting.built.declarations.get(instance.declaration)?;
        let env = self.item_env(item).names();
        for (name, axes) in &instance.axes {
            env.bind(*name, Value::Axes(axes.clone()));
        }
        if let Some(arguments) = setting.built.arguments.get(op.index()) {
            for (name, value) in arguments {
                env.bind(*name, value.clone());
            }
        }
        for (name, tensor) in &instance.operands {
            env.bind(*name, Value::Tensor(*tensor));
        }
        env.bind(Name::new("result"), Value::Tensor(instance.result));
        Some(env)
    }

    fn formula(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        name: &str,
        env: &Env<'p>,
    ) -> Option<ExprId> {
        let instance = &setting.model.ops[op];
        let item = *setting.built.declarations.get(instance.declaration)?;
        let expr: &'p Expr = Self::op_expr(item, name)?;
        match self.eval(expr, env) {
            Value::Num(id) => {
                let place = item.place(expr.span);
                let full = format!("{}.{name}", instance.op);
                let origin =
                    Origin { name: Name::new(&full), kind: OriginKind::Formula, place, rule: None };
                let dimension = match name {
                    "flops" => Dimension::FLOP,
                    _ => self.graph.dimension(id),
                };
                Some(self.graph.cast(id, dimension, origin))
            }
            _ => None,
        }
    }

    fn engine(&self, setting: &Setting<'_, 'p>, op: OpId) -> Name {
        let instance = &setting.model.ops[op];
        let item = setting.built.declarations.get(instance.declaration);
        let expr = item.and_then(|i| Self::op_expr(*i, "engine"));
        match expr.map(|e| &e.kind) {
            Some(crate::syntax::ast::ExprKind::Name(name)) => *name,
            _ => Name::new("vector"),
        }
    }

    /// One kernel: a single op, or the ops that a `fuse` keeps together.
    #[allow(clippy::too_many_arguments)]
    fn kernel(
        &mut self,
        ops: &[LaidOp],
        layer: Name,
        name: Name,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        at: At,
        cost: &mut PhaseCost,
    ) {
        let fused = ops.len() > 1;
        let Some(first) = ops.first() else { return };
        let place = setting.model.ops[first.op].place;
        let mask = if fused { self.mask(ops, setting, frame) } else { None };
        let mut work = [[None; 3]; 3];
        let mut traffic = Traffic::default();
        let mut matrix_times = Vec::new();
        let mut vector_times = Vec::new();
        let mut peak = None;
        let views = [View::Whole, View::Even, View::Local].into_iter().enumerate();
        for (v, view) in views.filter(|(_, v)| !self.brief || *v == View::Local).collect::<Vec<_>>()
        {
            let mut entered: Vec<TensorId> = Vec::new();
            for laid in ops {
                let Some(env) = self.formula_env(setting, laid.op) else { continue };
                let inner =
                    Frame { view, shards: laid.shards.clone(), seen: mask, ..frame.clone() };
                let saved = self.frame.replace(inner);
                let flops = self.formula(setting, laid.op, "flops", &env);
                let matrix = self.engine(setting, laid.op) == "matrix";
                let slot = usize::from(!matrix);
                if let Some(row) = work.get_mut(v)
                    && let Some(cell) = row.get_mut(slot)
                {
                    *cell = self.plus(*cell, flops);
                }
                if view == View::Local
                    && let Some(flops) = flops
                {
                    let time = if matrix {
                        let (time, at_peak) =
                            self.matrix_time(setting, laid.op, flops, fused, &env);
                        peak = peak.or(at_peak);
                        matrix_times.extend(time);
                        None
                    } else {
                        self.vector_time(setting, flops)
                    };
                    vector_times.extend(time);
                }
                let moved = &mut Moved { view, entered: &mut entered, traffic: &mut traffic };
                let bytes = self.op_bytes(setting, laid.op, ops, &env, moved);
                if let Some(row) = work.get_mut(v)
                    && let Some(cell) = row.get_mut(2)
                {
                    *cell = self.plus(*cell, bytes);
                }
                self.frame = saved;
            }
        }
        let [useful, even, local] = work;
        let matrix = self.graph.sum(matrix_times);
        let vector = self.graph.sum(vector_times);
        let compute = match (matrix, vector) {
            (Some(m), Some(v)) => Some(self.graph.binary(Op::Max, m, v)),
            (m, v) => m.or(v),
        };
        let memory = self.memory_time(setting, &traffic);
        let mut args = Vec::new();
        args.extend(compute.map(|c| ("compute", Value::Num(c))));
        args.extend(memory.map(|m| ("memory", Value::Num(m))));
        let time = match (compute, memory) {
            (Some(_), Some(_)) => self.library_number("kernel_time", &args),
            (c, m) => c.or(m),
        };
        let Some(time) = time else { return };
        let origin = Origin {
            name: if layer == name { name } else { Name::new(&format!("{layer}.{name}")) },
            kind: OriginKind::Inferred,
            place,
            rule: Some("time of this kernel on the fullest device, once"),
        };
        let time = self.graph.named(time, origin);
        let stage = at.stage;
        let rounds = at.rounds;
        cost.kernels.push(KernelCost {
            layer,
            op: name,
            stage,
            rounds,
            useful,
            even,
            local,
            compute,
            memory,
            time,
            peak,
        });
    }

    pub(crate) fn plus(&mut self, a: Option<ExprId>, b: Option<ExprId>) -> Option<ExprId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.add(a, b)),
            (a, b) => a.or(b),
        }
    }

    /// What a masked op in the group says of the keys that a query sees.
    fn mask(
        &mut self,
        ops: &[LaidOp],
        setting: &Setting<'_, 'p>,
        frame: &Frame,
    ) -> Option<(crate::ir::AxisId, crate::ir::AxisId, ExprId)> {
        for laid in ops {
            let instance = &setting.model.ops[laid.op];
            let Some((_, over)) = instance.axes.iter().find(|(n, _)| *n == "over") else {
                continue;
            };
            let Some(&keys) = over.first() else { continue };
            let Some(queries) = setting.model.axes[keys].renamed_from else { continue };
            let Some(env) = self.formula_env(setting, laid.op) else { continue };
            let inner = Frame { view: View::Whole, seen: None, ..frame.clone() };
            let saved = self.frame.replace(inner);
            let seen = self.formula(setting, laid.op, "seen", &env);
            self.frame = saved;
            if let Some(seen) = seen {
                return Some((queries, keys, seen));
            }
        }
        None
    }

    /// Bytes that an op moves: what its declaration says, but inside of a fused kernel only what
    /// enters it (once) and leaves it.
    fn op_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        ops: &[LaidOp],
        env: &Env<'p>,
        moved: &mut Moved<'_>,
    ) -> Option<ExprId> {
        let instance = &setting.model.ops[op];
        let made_here = |tensor: TensorId| {
            let producer = setting.model.tensors[tensor].producer;
            producer.is_some_and(|p| ops.iter().any(|o| o.op == p))
        };
        let new = |t: &TensorId| !made_here(*t) && !moved.entered.contains(t);
        let mut entering: Vec<TensorId> = Vec::new();
        for (_, tensor) in &instance.operands {
            if new(tensor) && !entering.contains(tensor) {
                entering.push(*tensor);
            }
        }
        let leaves = ops.len() == 1 || setting.escaping.contains(&instance.result);
        // The declaration knows more than the sizes: rows of a table, what is added to a cache.
        let reads = if entering.len() == instance.operands.len() {
            self.formula(setting, op, "reads", env)
        } else {
            let mut sum = None;
            for tensor in &entering {
                let bytes = self.frame_number(*tensor, instance.place);
                sum = self.plus(sum, bytes);
            }
            sum
        };
        let writes = if leaves { self.formula(setting, op, "writes", env) } else { None };
        let all = self.plus(reads, writes);
        moved.entered.extend(&entering);
        if moved.view == View::Local {
            // Weights of few bits and what was cached are read at rates of their own.
            let find = |wanted: &dyn Fn(&Tensor) -> bool| {
                entering.iter().copied().find(|t| wanted(&setting.model.tensors[*t]))
            };
            let cached = find(&|t| t.role == Role::Cache).filter(|_| instance.stores.is_none());
            let narrow = find(&|t| t.role == Role::Weights && t.dtype.bits < 8.0);
            let narrow = narrow.filter(|_| self.engine(setting, op) == "matrix");
            let cached = cached.and_then(|t| self.frame_number(t, instance.place));
            let narrow = narrow.and_then(|t| self.frame_number(t, instance.place));
            let mut rest = all;
            for part in [cached, narrow].into_iter().flatten() {
                rest = rest.map(|r| self.graph.sub(r, part));
            }
            let traffic = &mut *moved.traffic;
            traffic.plain = self.plus(traffic.plain, rest);
            traffic.cached = self.plus(traffic.cached, cached);
            traffic.narrow = self.plus(traffic.narrow, narrow);
        }
        all
    }

    fn frame_number(&mut self, tensor: TensorId, place: Place) -> Option<ExprId> {
        match self.frame_bytes(tensor, place) {
            Value::Num(id) => Some(id),
            _ => None,
        }
    }

    fn matrix_time(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        flops: ExprId,
        fused: bool,
        env: &Env<'p>,
    ) -> (Option<ExprId>, Option<ExprId>) {
        let Some((peak, bits)) = self.matrix_peak(setting, op) else { return (None, None) };
        let mut args = vec![
            ("flops", Value::Num(flops)),
            ("peak", Value::Num(peak)),
            ("bits", Value::Num(bits)),
        ];
        // Inside of a kernel such as flash attention both factors are made on the way.
        let operands = &setting.model.ops[op].operands;
        let weights = operands.iter().any(|(_, t)| setting.model.tensors[*t].role == Role::Weights);
        if fused && !weights {
            return (self.library_number("fused_matrix_time", &args), Some(peak));
        }
        for (arg, name) in [("m", "m"), ("n", "n"), ("k", "k"), ("batches", "batches")] {
            if let Some(id) = self.formula(setting, op, name, env) {
                args.push((arg, Value::Num(id)));
            }
        }
        if let Some(processors) = self.field(&setting.machine.chip, Name::new("processors")) {
            args.push(("processors", processors));
        }
        (self.library_number("matrix_time", &args), Some(peak))
    }

    fn vector_time(&mut self, setting: &Setting<'_, 'p>, flops: ExprId) -> Option<ExprId> {
        let peak = self.vector_peak(&setting.machine.chip)?;
        let args = [("flops", Value::Num(flops)), ("peak", Value::Num(peak))];
        self.library_number("vector_time", &args)
    }

    /// The vector rate: fp32 if the chip lists it, else the first that it lists.
    fn vector_peak(&mut self, chip: &Rc<Object<'p>>) -> Option<ExprId> {
        let Some(Value::Object(section)) = self.field_path(chip, &["compute", "vector"]) else {
            return None;
        };
        let names = section.field_names(&[]);
        let fp32 = Name::new("fp32");
        let name = if names.contains(&fp32) { fp32 } else { *names.first()? };
        match self.field(&section, name)? {
            Value::Num(id) => Some(id),
            _ => None,
        }
    }

    /// The matrix rate for the widest operand: its own row of the chip, or the next wider one.
    fn matrix_peak(&mut self, setting: &Setting<'_, 'p>, op: OpId) -> Option<(ExprId, ExprId)> {
        let instance = &setting.model.ops[op];
        let operands = instance.operands.iter().map(|(_, t)| &setting.model.tensors[*t].dtype);
        let widest = operands.max_by(|a, b| a.bits.total_cmp(&b.bits))?.clone();
        let wanted = setting.compute.clone().unwrap_or(widest);
        let chip = &setting.machine.chip;
        let Some(Value::Object(section)) = self.field_path(chip, &["compute", "matrix"]) else {
            return None;
        };
        let names = section.field_names(&[]);
        let mut best: Option<(f64, Name)> = None;
        if names.contains(&wanted.name) {
            best = Some((wanted.bits, wanted.name));
        } else if setting.compute.is_none() {
            for name in &names {
                let Some(dtype) = self.dtype_named(name.text()) else { continue };
                // A format as wide as the operands holds them; tf32 drops bits of 32.
                let holds = dtype.bits >= wanted.bits && *name != "tf32";
                if holds && best.is_none_or(|(bits, _)| dtype.bits < bits) {
                    best = Some((dtype.bits, *name));
                }
            }
        }
        let Some((_, name)) = best else {
            let listed: Vec<&str> = names.iter().map(|n| n.text()).collect();
            let at = self.dtype_place(setting, &wanted);
            self.report(
                Diagnostic::new(
                    codes::UNSUPPORTED_DTYPE,
                    format!("{} cannot compute in {}", chip.name, wanted.name),
                    at,
                    "this format is wanted",
                )
                .note(format!("its matrix units list: {}", listed.join(", "))),
            );
            return None;
        };
        let peak = match self.field(&section, name)? {
            Value::Num(id) => id,
            _ => return None,
        };
        let dtype = self.dtype_named(name.text())?;
        let bits = self.counted(dtype.bits, "bits", dtype.place, "bits of the format computed in");
        Some((peak, bits))
    }

    fn dtype_place(&self, setting: &Setting<'_, 'p>, _dtype: &Dtype) -> Place {
        setting.place
    }

    fn memory_time(&mut self, setting: &Setting<'_, 'p>, traffic: &Traffic) -> Option<ExprId> {
        let (_, bandwidth) = self.main_memory(&setting.machine.chip)?;
        let place = setting.place;
        let none = || Origin {
            name: Name::new("none"),
            kind: OriginKind::Inferred,
            place,
            rule: Some("nothing of this kind is moved"),
        };
        let mut args = vec![("bandwidth", Value::Num(bandwidth))];
        let parts =
            [("plain", traffic.plain), ("cached", traffic.cached), ("narrow", traffic.narrow)];
        for (name, part) in parts {
            let part =
                part.unwrap_or_else(|| self.graph.constant(0.0, Dimension::BYTES, none()));
            args.push((name, Value::Num(part)));
        }
        self.library_number("memory_time", &args)
    }

    /// Capacity and bandwidth of a chip's main memory: the largest that it lists with both.
    pub(crate) fn main_memory(&mut self, chip: &Rc<Object<'p>>) -> Option<(ExprId, ExprId)> {
        let Some(Value::Object(section)) = self.field_path(chip, &["memory"]) else {
            return None;
        };
        let mut largest: Option<(ExprId, ExprId)> = None;
        for name in section.field_names(&[]) {
            let Some(Value::Object(memory)) = self.field(&section, name) else { continue };
            let capacity = self.field(&memory, Name::new("capacity"));
            let bandwidth = self.field(&memory, Name::new("bandwidth"));
            let (Some(Value::Num(c)), Some(Value::Num(b))) = (capacity, bandwidth) else {
                continue;
            };
            largest = match largest {
                None => Some((c, b)),
                Some(before) => {
                    let larger = self.graph.binary(Op::Lt, before.0, c);
                    if self.decide(larger) == Some(true) { Some((c, b)) } else { Some(before) }
                }
            };
        }
        largest
    }
}

/// What the ops of a kernel have moved so far, in one view.
struct Moved<'a> {
    view: View,
    /// Tensors that have entered: the next op finds them there.
    entered: &'a mut Vec<TensorId>,
    traffic: &'a mut Traffic,
}

/// Bytes of a kernel by the rate at which they are read.
#[derive(Default)]
struct Traffic {
    plain: Option<ExprId>,
    cached: Option<ExprId>,
    narrow: Option<ExprId>,
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
