//! One scenario from its object to its tree of results.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::collective::CollectiveUse;
use super::frame::{Frame, View};
use super::memory::stages;
use super::phase::{PhaseCost, Setting, Stage, escaping};
use super::results::{Leaf, Results};
use crate::check::{BuiltModel, Checker, Env, ItemRef, Machine, Object, Scope, Value, show_number};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::graph::{Laid, lay_out};
use crate::ir::Plan;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::{ItemKind, StmtKind};

/// What was expected of a scenario, and whether it holds.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The condition as written.
    pub text: String,
    /// The condition.
    pub holds: ExprId,
    /// Where it stands.
    pub place: Place,
}

/// A lowered scenario.
#[derive(Clone)]
pub struct Lowered {
    /// Its name.
    pub name: Name,
    /// The model's name.
    pub model: Name,
    /// The system's name.
    pub system: Name,
    /// The plan's name, with its mesh: `Tp(tp: 8)`.
    pub plan: String,
    /// The tree of results.
    pub results: Results,
    /// Collectives of each phase.
    pub collectives: Vec<(String, Vec<CollectiveUse>)>,
    /// What was expected.
    pub expectations: Vec<Expectation>,
    /// What a sweep must respect: a reason, and the condition that it holds.
    pub constraints: Vec<(String, ExprId)>,
    /// Where the scenario is declared.
    pub place: Place,
}

/// What is common to all phases.
struct Shape<'p> {
    built: BuiltModel<'p>,
    machine: Machine<'p>,
    plan: Plan,
    laid: Laid,
}

/// Lowers a scenario; `None` where something essential is missing (reported).
pub fn lower<'p>(
    checker: &mut Checker<'p>,
    scenario: &Rc<Object<'p>>,
    overrides: Option<&Rc<Object<'p>>>,
) -> Option<Lowered> {
    let item = scenario.item?;
    let place = item.name_place();
    checker.set_runtime(None);
    let errors = checker.baseline.take().unwrap_or(checker.errors());
    // A misspelt field is not missing too.
    let misspelt = checker.errors() > errors;
    if checker.missing_fields(scenario, item, misspelt) {
        return None;
    }
    let model = checker.object_field(scenario, "model");
    let system = checker.object_field(scenario, "system");
    let machine = system.as_ref().and_then(|system| checker.machine(system));
    let plan_object = checker.object_field(scenario, "plan");
    let wrong_plan = plan_object.is_none() && scenario.has(&[Name::new("plan")]);
    let plan = match &plan_object {
        Some(object) => checker.plan(object, machine.as_ref()),
        None => Some(Plan::default()),
    };
    let (model, system, machine) = (model?, system?, machine?);
    let plan = plan.filter(|_| !wrong_plan)?;
    let runtime = checker.runtime_of(scenario, &machine, overrides);
    checker.set_runtime(runtime);
    let precision = checker.precision_of(Some(scenario), &model);
    let compute = precision.compute.clone();
    let before = checker.errors();
    let built = checker.build_model(&model, precision)?;
    if built.model.outputs.is_empty() || checker.errors() > before {
        return None;
    }
    let laid = lay_out(&built.model, &plan, &mut checker.graph);
    let shape = Shape { built, machine, plan, laid };
    let mut constraints = Vec::new();
    let sound = checker.check_plan(
        &shape.built,
        &shape.plan,
        &shape.laid,
        &shape.machine,
        place,
        &mut constraints,
    );
    if !sound || checker.errors() > errors {
        return None;
    }
    let mut lowered = Lowered {
        name: scenario.name,
        model: model.name,
        system: system.name,
        plan: checker.describe_plan(&shape.plan),
        results: Results::default(),
        collectives: Vec::new(),
        expectations: Vec::new(),
        constraints,
        place,
    };
    checker.parameters(&shape.built, &mut lowered.results, place);
    let rc_model = Rc::new(shape.built.model.clone());
    let escaping = escaping(&shape.laid.steps, &rc_model);
    let setting = Setting {
        built: &shape.built,
        model: rc_model,
        plan: &shape.plan,
        machine: &shape.machine,
        laid: &shape.laid,
        compute,
        place,
        escaping,
    };
    checker.serving(scenario, &setting, &mut lowered)?;
    if checker.errors() > errors {
        return None;
    }
    checker.metrics(scenario, item, &mut lowered);
    checker.fit(&setting, &mut lowered);
    checker.expectations(scenario, &mut lowered);
    checker.results = None;
    Some(lowered)
}

impl<'p> Checker<'p> {
    /// Whether something essential is not set; reported unless it may be there, misspelt.
    fn missing_fields(
        &mut self,
        scenario: &Rc<Object<'p>>,
        item: ItemRef<'p>,
        misspelt: bool,
    ) -> bool {
        let mut missing = false;
        if misspelt {
            let essential = ["model", "system", "serve"];
            return essential.into_iter().any(|field| !scenario.has(&[Name::new(field)]));
        }
        for field in ["model", "system"] {
            if !scenario.has(&[Name::new(field)]) {
                missing = true;
                self.report(Diagnostic::new(
                    codes::MISSING_FIELD,
                    format!("scenario `{}` has no `{field}`", scenario.name),
                    item.name_place(),
                    format!("write `{field} = …` into its body"),
                ));
            }
        }
        if !scenario.has(&[Name::new("serve")]) {
            missing = true;
            self.report(Diagnostic::new(
                codes::MISSING_FIELD,
                format!("scenario `{}` has no workload", scenario.name),
                item.name_place(),
                "write `serve { batch = …  prompt = …  output = … }` into its body",
            ));
        }
        missing
    }

    fn object_field(&mut self, scenario: &Rc<Object<'p>>, name: &str) -> Option<Rc<Object<'p>>> {
        match self.field(scenario, Name::new(name))? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The runtime in force: the chip's own, amended by the scenario's and by overrides.
    fn runtime_of(
        &mut self,
        scenario: &Rc<Object<'p>>,
        machine: &Machine<'p>,
        overrides: Option<&Rc<Object<'p>>>,
    ) -> Option<Rc<Object<'p>>> {
        let own = match self.field(&machine.chip.clone(), Name::new("runtime")) {
            Some(Value::Object(object)) => Some(object),
            _ => None,
        };
        let chosen = self.object_field(scenario, "runtime");
        let mut layers = [own, chosen, overrides.cloned()].into_iter().flatten();
        let mut merged = Object::clone(&*layers.next()?);
        for layer in layers {
            merged = merged.amended(layer.entries.clone());
        }
        Some(Rc::new(merged))
    }

    fn describe_plan(&self, plan: &Plan) -> String {
        let Some(name) = plan.name else { return "one device".into() };
        let mesh: Vec<String> = plan
            .mesh
            .iter()
            .map(|(_, m)| {
                format!("{}: {}", m.name, crate::check::show_number(self.graph.value(m.size)))
            })
            .collect();
        if mesh.is_empty() { name.to_string() } else { format!("{name}({})", mesh.join(", ")) }
    }

    /// `parameters.*`: every weight once, in every round that has it.
    pub(crate) fn parameters(
        &mut self,
        built: &BuiltModel<'p>,
        results: &mut Results,
        place: Place,
    ) {
        let frame = Frame {
            phase: FxHashMap::default(),
            view: View::Whole,
            shards: Vec::new(),
            seen: None,
            model: Rc::new(built.model.clone()),
            place,
        };
        let saved = self.frame.replace(frame);
        let mut total = None;
        for (tensor, rounds) in &built.model.weights {
            let t = &built.model.tensors[*tensor];
            let Value::Num(size) = self.frame_size(&t.axes, false, t.place) else { continue };
            let name = format!(
                "{}.{}",
                t.scope.path.iter().map(|n| n.text()).collect::<Vec<_>>().join("."),
                t.name
            );
            let origin = Origin {
                name: Name::new(name.trim_start_matches('.')),
                kind: OriginKind::Inferred,
                place: t.place,
                rule: Some("elements of this weight"),
            };
            let size = self.graph.named(size, origin);
            let all = match rounds {
                Some(rounds) => self.graph.mul(size, *rounds),
                None => size,
            };
            total = self.plus(total, Some(all));
        }
        self.frame = saved;
        if let Some(total) = total {
            let total =
                self.result_node("parameters.total", total, place, "the sum over all weights");
            results.number("parameters.total", total);
            results.number("parameters.active", total);
        }
    }

    fn workload(&mut self, scenario: &Rc<Object<'p>>) -> Option<[ExprId; 3]> {
        let mut out = Vec::new();
        for field in ["batch", "prompt", "output"] {
            match self.field_path(scenario, &["serve", field]) {
                Some(Value::Num(id)) => {
                    self.guards.push(crate::check::Guard::AtLeastOne(id));
                    if self.graph.known(id).is_some_and(|v| v < 1.0) {
                        let at = self
                            .graph
                            .origin_of(id)
                            .map_or(scenario.item.map(|i| i.name_place())?, |o| o.place);
                        self.report(Diagnostic::new(
                            codes::OUT_OF_RANGE,
                            format!("`serve.{field}` is at least 1"),
                            at,
                            "less than 1",
                        ));
                        return None;
                    }
                    out.push(id);
                }
                Some(_) => return None,
                None => {
                    let at = scenario
                        .place_of(&[Name::new("serve")])
                        .or(scenario.item.map(|i| i.name_place()))?;
                    self.report(Diagnostic::new(
                        codes::MISSING_FIELD,
                        format!("the workload has no `{field}`"),
                        at,
                        format!("write `{field} = …` into it"),
                    ));
                    return None;
                }
            }
        }
        out.try_into().ok()
    }

    /// The phases of `serve { … }` and what they take.
    fn serving(
        &mut self,
        scenario: &Rc<Object<'p>>,
        setting: &Setting<'_, 'p>,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let [batch, prompt, output] = self.workload(scenario)?;
        let place = setting.place;
        let one = self.counted(1.0, "one", place, "one new token for each sequence");
        let pipeline = stages(&setting.laid.steps);
        let replicas = self.replicas(setting);
        if let Some(replicas) = replicas {
            self.enough_sequences(setting, replicas, batch)?;
        }
        self.check_batch(setting, batch);
        let groups = match &pipeline {
            None => None,
            Some((shard, _)) => {
                let mut args =
                    vec![("stages", Value::Num(shard.count)), ("batch", Value::Num(batch))];
                args.extend(replicas.map(|r| ("replicas", Value::Num(r))));
                self.library_number("pipeline_groups", &args)
            }
        };
        let share = match groups {
            Some(groups) => self.graph.div(batch, groups),
            None => batch,
        };
        let frame = |seq: ExprId, ctx: ExprId, batch: ExprId| {
            let mut phase = FxHashMap::default();
            phase.insert(Name::new("batch"), batch);
            phase.insert(Name::new("seq"), seq);
            phase.insert(Name::new("ctx"), ctx);
            phase.insert(Name::new("positions"), one);
            Frame {
                phase,
                view: View::Local,
                shards: Vec::new(),
                seen: None,
                model: setting.model.clone(),
                place,
            }
        };
        let context = |checker: &mut Self, which: &str| {
            checker.library_number(
                which,
                &[("prompt", Value::Num(prompt)), ("output", Value::Num(output))],
            )
        };
        let prefill = self.phase(setting, &frame(prompt, prompt, share));
        self.phase_results("prefill", &prefill, setting, groups, pipeline.as_ref(), lowered)?;
        // Decode steps differ only in how much they look back on: costed once, then substituted.
        let mut contexts = Vec::new();
        for which in ["context_first", "context_mid", "context_last"] {
            let keys = context(self, which)?;
            contexts.push(self.result_node(
                "ctx",
                keys,
                place,
                "keys that this step looks back on",
            ));
        }
        let from = self.graph.len();
        let first = *contexts.first()?;
        let decode = self.phase(setting, &frame(one, first, share));
        let names = ["decode.first", "decode.mid", "decode.last"];
        for (phase, ctx) in names.into_iter().zip(&contexts) {
            let cost = if *ctx == first {
                decode.clone()
            } else {
                let other = self.graph.substitute(from, first, *ctx);
                let mut cost = decode.map(&|id| other.of(id));
                for used in &mut cost.collectives {
                    used.collective.algorithm = self.chosen(used.collective.time);
                }
                cost
            };
            self.phase_results(phase, &cost, setting, groups, pipeline.as_ref(), lowered)?;
        }
        let longest = context(self, "context_kept")?;
        let stored = frame(one, longest, batch);
        let prefill = frame(prompt, prompt, share);
        self.memory(setting, &stored, &prefill, &mut lowered.results)?;
        let devices = self.devices(setting);
        lowered.results.number("devices", devices);
        lowered.results.number("machine.devices", setting.machine.devices);
        Some(())
    }

    /// Devices of the plan: its mesh, or one.
    pub(crate) fn devices(&mut self, setting: &Setting<'_, 'p>) -> ExprId {
        let one =
            self.counted(1.0, "devices", setting.place, "a plan without a mesh is one device");
        let devices = setting.plan.devices.unwrap_or(one);
        let origin = Origin {
            name: Name::new("devices"),
            kind: OriginKind::Inferred,
            place: setting.place,
            rule: Some("the devices of the mesh"),
        };
        self.graph.cast(devices, Dimension::DEVICES, origin)
    }

    /// Every replica needs a sequence of its own.
    fn enough_sequences(
        &mut self,
        setting: &Setting<'_, 'p>,
        replicas: ExprId,
        batch: ExprId,
    ) -> Option<()> {
        let enough = self.graph.binary(Op::Le, replicas, batch);
        if self.decide(enough) != Some(false) {
            return Some(());
        }
        let (have, want) = (self.graph.value(batch), self.graph.value(replicas));
        let (have, want) = (show_number(have), show_number(want));
        let at = self.graph.origin_of(batch).map_or(setting.place, |o| o.place);
        let mut diagnostic = Diagnostic::new(
            codes::BATCH_TOO_SMALL,
            format!("a batch of {have} cannot be shared by {want} replicas"),
            at,
            format!("{have} sequences"),
        );
        let input = setting.model.inputs.first().and_then(|i| setting.laid.layouts.get(i));
        for shard in input.into_iter().flat_map(|layout| &layout.shards) {
            if let Some(rule) = setting.plan.rules.get(shard.rule) {
                diagnostic = diagnostic.and(rule.place, format!("{want} replicas"));
            }
        }
        self.report(diagnostic.note(format!(
            "take a batch of at least {want}, or fewer replicas: the batch counts all of them \
             together"
        )));
        None
    }

    /// How many groups of devices share the requests: the shards of `batch`.
    fn replicas(&mut self, setting: &Setting<'_, 'p>) -> Option<ExprId> {
        let input = setting.model.inputs.first()?;
        let layout = setting.laid.layouts.get(input)?;
        let batch = Name::new("batch");
        let counts: Vec<ExprId> = layout
            .shards
            .iter()
            .filter(|s| setting.model.axes[s.axis].size == crate::ir::AxisSize::Phase(batch))
            .map(|s| s.count)
            .collect();
        self.graph.product(counts)
    }

    /// The leaves of one phase.
    fn phase_results(
        &mut self,
        phase: &str,
        cost: &PhaseCost,
        setting: &Setting<'_, 'p>,
        groups: Option<ExprId>,
        pipeline: Option<&(crate::graph::Shard, ExprId)>,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let place = setting.place;
        let zero = |checker: &mut Self, dimension| {
            let origin = Origin {
                name: Name::new("none"),
                kind: OriginKind::Inferred,
                place,
                rule: Some("nothing of this kind"),
            };
            checker.graph.constant(0.0, dimension, origin)
        };
        let per_pass = |checker: &mut Self, id: ExprId, rounds: Option<ExprId>| match rounds {
            Some(rounds) => checker.graph.mul(id, rounds),
            None => id,
        };
        // Sums over kernels.
        let mut time: [Option<ExprId>; 3] = [None; 3];
        let (mut compute, mut memory) = (None, None);
        let mut sums: [[Option<ExprId>; 3]; 3] = [[None; 3]; 3];
        for kernel in &cost.kernels {
            let t = per_pass(self, kernel.time, kernel.rounds);
            let slot = kernel.stage as usize;
            if let Some(cell) = time.get_mut(slot) {
                *cell = self.plus(*cell, Some(t));
            }
            for (part, sum) in [(kernel.compute, &mut compute), (kernel.memory, &mut memory)] {
                if let Some(part) = part {
                    let part = per_pass(self, part, kernel.rounds);
                    *sum = self.plus(*sum, Some(part));
                }
            }
            let views = [kernel.useful, kernel.even, kernel.local];
            for (row, view) in sums.iter_mut().zip(views) {
                for (cell, part) in row.iter_mut().zip(view) {
                    if let Some(part) = part {
                        let part = per_pass(self, part, kernel.rounds);
                        *cell = self.plus(*cell, Some(part));
                    }
                }
            }
        }
        let kernels = self.graph.sum(time.into_iter().flatten());
        // Collectives; what goes between stages is counted by the schedule.
        let (mut comm, mut volume, mut count, mut send) = (None, None, None, None);
        let mut sends = None;
        for used in &cost.collectives {
            let c = &used.collective;
            let all = self.graph.mul(c.bytes, c.count);
            volume = self.plus(volume, Some(all));
            let one = self.counted(1.0, "1", c.model_place, "a collective of one device is none");
            let real = self.graph.binary(Op::Lt, one, c.devices);
            let zero_count = zero(self, Dimension::NONE);
            let real = self.graph.select(real, c.count, zero_count);
            count = self.plus(count, Some(real));
            if c.kind == "send" {
                send = Some(c.time);
                sends = self.plus(sends, Some(c.total));
                continue;
            }
            comm = self.plus(comm, Some(c.total));
            if let Some(cell) = time.get_mut(used.stage as usize) {
                *cell = self.plus(*cell, Some(c.total));
            }
        }
        if let (Some(overhead), Some(cell)) = (cost.overhead, time.get_mut(Stage::Layers as usize))
        {
            *cell = self.plus(*cell, Some(overhead));
        }
        let pass = self.graph.sum(time.into_iter().flatten())?;
        let total = match (pipeline, groups) {
            (Some((shard, layers)), Some(groups)) => {
                let share = self.stage_share(shard, *layers);
                let [first, middle, last] = time;
                let middle = middle.map(|m| self.graph.mul(m, share));
                let a = self.plus(first, middle);
                let b = self.plus(middle, last);
                let slowest = match (a, b) {
                    (Some(a), Some(b)) => self.graph.binary(Op::Max, a, b),
                    (a, b) => a.or(b)?,
                };
                let none = zero(self, Dimension::TIME);
                let name = if phase == "prefill" { "pipeline_prefill" } else { "pipeline_decode" };
                self.library_number(
                    name,
                    &[
                        ("total", Value::Num(pass)),
                        ("slowest", Value::Num(slowest)),
                        ("send", Value::Num(send.unwrap_or(none))),
                        ("stages", Value::Num(shard.count)),
                        ("groups", Value::Num(groups)),
                    ],
                )?
            }
            _ => pass,
        };
        let results = &mut lowered.results;
        let mut put = |checker: &mut Self, name: &str, id: ExprId, rule: &'static str| {
            let path = format!("{phase}.{name}");
            let id = checker.result_node(&path, id, place, rule);
            results.number(path, id);
            id
        };
        let time_id =
            put(self, "time", total, "kernels, collectives and overhead, one after another");
        let whole = |checker: &mut Self, id: Option<ExprId>, dimension| {
            let id = id.unwrap_or_else(|| zero(checker, dimension));
            match groups {
                Some(groups) => checker.graph.mul(id, groups),
                None => id,
            }
        };
        let [useful, even, local] = sums;
        let dims = [Dimension::FLOP, Dimension::FLOP, Dimension::BYTES];
        let names = ["flops.matrix", "flops.vector", "bytes"];
        let devices = self.devices(setting);
        let plain = self.graph.cast(
            devices,
            Dimension::NONE,
            Origin {
                name: Name::new("devices"),
                kind: OriginKind::Inferred,
                place,
                rule: Some("the devices of the mesh"),
            },
        );
        // Each step runs on the devices of one stage.
        let each = match pipeline {
            Some((shard, _)) => self.graph.div(plain, shard.count),
            None => plain,
        };
        let mut device_bytes = None;
        let mut matrix = None;
        let tallied = names.into_iter().zip(dims).enumerate();
        for (i, (name, dimension)) in tallied.filter(|_| !self.brief).collect::<Vec<_>>() {
            let get = |row: &[Option<ExprId>; 3]| row.get(i).copied().flatten();
            let u = whole(self, get(&useful), dimension);
            let e = whole(self, get(&even), dimension);
            let l = whole(self, get(&local), dimension);
            let u = put(self, name, u, "useful work of all devices");
            let e = self.graph.mul(e, each);
            let l = self.graph.mul(l, each);
            // Never below nothing, whatever the rounding of shares such as a third.
            let none = zero(self, dimension);
            let padded = self.graph.sub(l, e);
            let padded = self.graph.binary(Op::Max, none, padded);
            let replicated = self.graph.sub(e, u);
            let replicated = self.graph.binary(Op::Max, none, replicated);
            put(self, &format!("padded.{name}"), padded, "work on padding, all devices");
            put(
                self,
                &format!("replicated.{name}"),
                replicated,
                "work done on more than one device",
            );
            let per = self.graph.div(l, plain);
            let per =
                put(self, &format!("device.{name}"), per, "work of one device, mean over stages");
            if i == 2 {
                device_bytes = Some(per);
            }
            if i == 0 {
                matrix = Some(u);
            }
        }
        let c = whole(self, compute, Dimension::TIME);
        put(
            self,
            "compute_time",
            c,
            "time on the engines of the fullest device, if nothing else bound",
        );
        let m = whole(self, memory, Dimension::TIME);
        put(
            self,
            "memory_time",
            m,
            "time at the main memory of the fullest device, if nothing else bound",
        );
        let o = whole(self, cost.overhead, Dimension::TIME);
        put(self, "overhead", o, "launches and gaps of the layers");
        let b = whole(self, volume, Dimension::BYTES);
        put(self, "communication.bytes", b, "logical bytes that a device of each stage sends");
        let x = whole(self, comm, Dimension::TIME);
        let x = self.plus(Some(x), sends).unwrap_or(x);
        put(self, "communication.exposed", x, "collectives that nothing hides");
        let h = zero(self, Dimension::TIME);
        put(self, "communication.hidden", h, "collectives behind compute");
        let n = whole(self, count, Dimension::NONE);
        put(self, "communication.count", n, "collectives of more than one device");
        // Shares of what the hardware could do.
        let peak = cost
            .kernels
            .iter()
            .filter(|k| k.peak.is_some())
            .max_by(|a, b| {
                let v = |k: &super::phase::KernelCost| {
                    k.useful.first().copied().flatten().map_or(0.0, |u| self.graph.value(u))
                };
                v(a).total_cmp(&v(b))
            })
            .and_then(|k| k.peak);
        if let (Some(peak), Some(matrix)) = (peak, matrix) {
            let args = [
                ("flops", Value::Num(matrix)),
                ("time", Value::Num(time_id)),
                ("devices", Value::Num(plain)),
                ("peak", Value::Num(peak)),
            ];
            if let Some(mfu) = self.library_number("model_flops_utilization", &args) {
                put(self, "mfu", mfu, "useful matrix work over what all devices could do");
            }
        }
        if let (Some((_, bandwidth)), Some(bytes)) =
            (self.main_memory(&setting.machine.chip), device_bytes)
        {
            let args = [
                ("bytes", Value::Num(bytes)),
                ("time", Value::Num(time_id)),
                ("bandwidth", Value::Num(bandwidth)),
            ];
            if let Some(mbu) = self.library_number("memory_bandwidth_utilization", &args) {
                put(self, "mbu", mbu, "bytes of a device over what its memory could move");
            }
        }
        let bound = self.bound(cost, kernels, comm);
        lowered.results.leaves.insert(format!("{phase}.bound"), Leaf::Text(bound));
        if !self.brief {
            self.layer_results(phase, cost, groups, place, lowered);
        }
        let list = cost.collectives.iter().map(|c| c.collective.clone()).collect();
        lowered.collectives.push((phase.to_owned(), list));
        Some(())
    }

    /// What takes most of a phase: kernels bound by compute or by memory, collectives, overhead.
    fn bound(&self, cost: &PhaseCost, _kernels: Option<ExprId>, comm: Option<ExprId>) -> String {
        let value = |id: Option<ExprId>| id.map_or(0.0, |id| self.graph.value(id));
        let (mut compute, mut memory) = (0.0, 0.0);
        for kernel in &cost.kernels {
            let rounds = kernel.rounds.map_or(1.0, |r| self.graph.value(r));
            let time = self.graph.value(kernel.time) * rounds;
            if value(kernel.compute) >= value(kernel.memory) {
                compute += time;
            } else {
                memory += time;
            }
        }
        let parts = [
            ("compute", compute),
            ("memory", memory),
            ("communication", value(comm)),
            ("overhead", value(cost.overhead)),
        ];
        let most = parts.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        most.map_or("", |(name, _)| name).to_owned()
    }

    /// `layers.NAME.…`: the same for each kind of layer and each op in it.
    fn layer_results(
        &mut self,
        phase: &str,
        cost: &PhaseCost,
        groups: Option<ExprId>,
        place: Place,
        lowered: &mut Lowered,
    ) {
        type Row = (Option<ExprId>, [Option<ExprId>; 3]);
        let mut rows: indexmap::IndexMap<String, Row> = indexmap::IndexMap::new();
        for kernel in &cost.kernels {
            let layer = kernel.layer;
            let op = kernel.op;
            let mut keys = vec![format!("layers.{layer}")];
            if op != layer {
                keys.push(format!("layers.{layer}.{op}"));
            }
            let times = [Some(kernel.time), kernel.compute, kernel.memory];
            let [matrix, vector, bytes] = kernel.useful;
            let flops = self.plus(matrix, vector);
            for key in keys {
                for (name, id) in ["time", "compute_time", "memory_time"]
                    .into_iter()
                    .zip(times)
                    .chain([("flops", flops), ("bytes", bytes)])
                {
                    let Some(mut id) = id else { continue };
                    if let Some(rounds) = kernel.rounds {
                        id = self.graph.mul(id, rounds);
                    }
                    if let Some(groups) = groups {
                        id = self.graph.mul(id, groups);
                    }
                    let row = rows.entry(format!("{key}.{phase}.{name}")).or_default();
                    row.0 = self.plus(row.0, Some(id));
                }
            }
        }
        for used in &cost.collectives {
            let c = &used.collective;
            let mut total = c.total;
            let mut bytes = self.graph.mul(c.bytes, c.count);
            if let Some(groups) = groups {
                total = self.graph.mul(total, groups);
                bytes = self.graph.mul(bytes, groups);
            }
            let layer = used.layer;
            for (name, id) in [("communication.exposed", total), ("communication.bytes", bytes)] {
                let row = rows.entry(format!("layers.{layer}.{phase}.{name}")).or_default();
                row.0 = self.plus(row.0, Some(id));
            }
        }
        for (path, (id, _)) in rows {
            let Some(id) = id else { continue };
            let rule = "the sum over all rounds of this kind of layer";
            let id = self.result_node(&path, id, place, rule);
            lowered.results.number(path, id);
        }
    }

    /// Metrics: of the library, then of the scenario's own file.
    fn metrics(&mut self, scenario: &Rc<Object<'p>>, item: ItemRef<'p>, lowered: &mut Lowered) {
        let program = self.program;
        let mut items = Vec::new();
        if let Some(module) = program.std_module("metrics") {
            items.extend(program.items_of_kind(module, ItemKind::Metric));
        }
        items.extend(program.items_of_kind(item.module, ItemKind::Metric));
        self.results = Some(lowered.results.clone());
        for metric in items {
            if metric.item.of.is_some_and(|of| of.name != "serve") {
                continue;
            }
            let outer = self.item_env(metric);
            let env = self.fields_env(scenario, &outer).inner(Scope::Results);
            let name = metric.item.name.name;
            let mut found = Vec::new();
            if let Some(value) = &metric.item.value {
                found.push((name.to_string(), value));
            }
            for stmt in metric.item.body.iter().flat_map(|b| &b.stmts) {
                match &stmt.kind {
                    StmtKind::Set { path, value, .. } => {
                        let path: Vec<&str> = path.iter().map(|i| i.name.text()).collect();
                        found.push((format!("{name}.{}", path.join(".")), value));
                    }
                    StmtKind::Error => {}
                    _ => self.report_misplaced(stmt, "a metric", &outer),
                }
            }
            for (path, expr) in found {
                let value = self.eval(expr, &env);
                let place = metric.place(expr.span);
                let kind = OriginKind::Formula;
                let origin = Origin { name: Name::new(&path), kind, place, rule: None };
                let leaf = match self.named_value(value, origin) {
                    Value::Num(id) => Leaf::Number(id),
                    Value::Bool(id) => Leaf::Flag(id),
                    _ => continue,
                };
                lowered.results.leaves.insert(path.clone(), leaf.clone());
                if let Some(results) = self.results.as_mut() {
                    results.leaves.insert(path, leaf);
                }
            }
        }
    }

    /// `expect` statements of the scenario and of its model.
    fn expectations(&mut self, scenario: &Rc<Object<'p>>, lowered: &mut Lowered) {
        self.results = Some(lowered.results.clone());
        for statement in scenario.stmts.clone() {
            let outer = statement.outer.clone();
            match &statement.stmt.kind {
                StmtKind::Expect { cond, clauses } => {
                    let env = self.fields_env(scenario, &outer).inner(Scope::Results);
                    self.expectation(cond, clauses, &env, lowered);
                }
                StmtKind::Require { cond, clauses } => {
                    let env = self.fields_env(scenario, &outer);
                    self.require(cond, clauses, &env);
                }
                StmtKind::Section { .. } => {}
                _ => self.report_misplaced(statement.stmt, "a scenario", &outer),
            }
        }
    }

    fn expectation(
        &mut self,
        cond: &'p crate::syntax::ast::Expr,
        clauses: &'p crate::syntax::ast::Clauses,
        env: &Env<'p>,
        lowered: &mut Lowered,
    ) {
        let place = env.site().place(cond.span);
        let holds = match self.eval(cond, env) {
            Value::Bool(id) => id,
            Value::Truth(b) => {
                let v = if b { 1.0 } else { 0.0 };
                self.counted(v, "expect", place, "decided without numbers")
            }
            other => {
                self.not_a_condition(other, place);
                return;
            }
        };
        let text = self.program.sources.text(place).to_owned();
        if self.decide(holds) == Some(false) {
            self.report_expectation(cond, clauses, env, &text, lowered);
        }
        lowered.expectations.push(Expectation { text, holds, place });
    }
}
