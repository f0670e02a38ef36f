//! A step of training: passes of one micro-batch, the schedule over all of them, the gradients
//! brought together, the update, and the run that it is part of.
//!
//! In: a model with its backward pass, laid out. Out: `step.*`, `mfu`, `hfu`, `throughput.*`,
//! `run.*`, `memory.*`. Schedules and updates are formulas of the library; their names are put
//! together from the words of the plan and the scenario.

mod activations;
mod checks;
mod gradients;
mod memory;
mod offload;
mod passes;
mod results;
mod saved;
mod stages;
mod weights;

pub(super) use offload::Away;
pub(super) use stages::Cut;

use std::rc::Rc;

use rustc_hash::FxHashMap;

pub(super) use saved::kernel_of;

use super::collective::CollectiveUse;
use super::frame::Frame;
use super::memory::stages;
use super::phase::{PhaseCost, Setting, Stage};
use super::scenario::Lowered;
use crate::check::{Checker, Guard, Object, Precision, Value, show_number};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin};
use crate::graph::{Kind, Shard};
use crate::ir::{Dtype, Pass, Recompute, RecomputeLevel, Role, Training};
use crate::name::Name;
use crate::source::Place;

/// Number formats that no tensor of the dataflow has.
#[derive(Clone)]
pub(super) struct Formats {
    /// What the optimizer keeps.
    pub(super) optimizer: Option<Rc<Dtype>>,
    /// fp32.
    pub(super) wide: Option<Rc<Dtype>>,
}

impl Formats {
    pub(super) fn of(precision: &Precision<'_>) -> Self {
        Self { optimizer: precision.role(Role::Optimizer), wide: precision.wide.clone() }
    }
}

/// The workload and how the plan cuts it.
pub(super) struct Workload {
    pub(super) batch: ExprId,
    pub(super) seq: ExprId,
    tokens: Option<ExprId>,
    pub(super) optimizer: Name,
    /// Where it is said.
    pub(super) optimizer_place: Place,
    /// Micro-batches of each replica.
    pub(super) micro_batches: ExprId,
    /// Sequences of one micro-batch on all replicas.
    together: ExprId,
    /// The pipeline: how the layers are cut, and how many there are.
    pub(super) pipeline: Option<(Shard, ExprId)>,
    /// The shares of all layers that the first stage, one between, and the last have.
    pub(super) shares: Option<[ExprId; 3]>,
    pub(super) stages: ExprId,
    pub(super) schedule: Name,
    pub(super) chunks: ExprId,
    pub(super) recompute: Recompute,
    pub(super) formats: Formats,
    /// Whether gradients are scaled down by the norm of all of them.
    pub(super) clips: bool,
}

/// A figure before, in and after the layers.
pub(super) type ByStage = [Option<ExprId>; 3];

/// What the parts of a pass take, summed over all stages: forward, made again, backward.
#[derive(Default)]
struct Parts {
    kernels: [ByStage; 3],
    /// Collectives in the open, and those that the plan hides behind compute.
    comm: [ByStage; 3],
    behind: [ByStage; 3],
    /// Keys and values that go round while attention works, how long that takes, and the devices
    /// of a ring.
    ring: [ByStage; 3],
    attention: [ByStage; 3],
    ring_of: Option<ExprId>,
    /// Of the backward pass: gradients of weights.
    of_weights: ByStage,
    bytes: ByStage,
    /// Between stages: time of one, bytes of one.
    send: Option<(ExprId, ExprId)>,
}

impl<'p> Checker<'p> {
    /// The results of `train { … }`.
    pub(super) fn training(
        &mut self,
        scenario: &Rc<Object<'p>>,
        plan: Option<&Rc<Object<'p>>>,
        setting: &Setting<'_, 'p>,
        training: Training,
        formats: Formats,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let recompute = training.recompute;
        let work = self.workload_of_training(scenario, plan, setting, recompute, formats)?;
        let frame = self.training_frame(setting, &work);
        let steps = &setting.laid.steps;
        let (forward, backward) = steps.split_at_checked(setting.laid.forward_steps?)?;
        let ends = [Stage::First, Stage::Last];
        let mut forward = self.phase_of(forward, ends, setting, &frame);
        let ends = [Stage::Last, Stage::First];
        let mut backward = self.phase_of(backward, ends, setting, &frame);
        self.each_micro_batch(setting, &frame, [&mut forward, &mut backward]);
        let reductions = self.reductions(setting, &work, &frame);
        let passes = [&forward, &backward].into_iter().flat_map(|cost| &cost.collectives);
        let collectives = passes.map(|used| &used.collective).chain(&reductions);
        self.idle_overlap(setting, collectives);
        let memory = self.training_memory(setting, &work, &frame, &mut lowered.results)?;
        self.step_results(setting, &work, [&forward, &backward], &reductions, &memory, lowered)?;
        for cost in [&forward, &backward] {
            super::formats::computed(&mut lowered.formats, &self.graph, cost);
        }
        self.pass_details(setting, &work, [forward, backward], reductions, lowered);
        let devices = self.devices(setting);
        lowered.results.number("devices", devices);
        self.machine_figures(setting, setting.machine, &mut lowered.results);
        Some(())
    }

    pub(super) fn train_field(&mut self, scenario: &Rc<Object<'p>>, field: &str) -> Option<ExprId> {
        let place = scenario.place_of(&[Name::new("train")]);
        let place = place.or(scenario.item.map(|i| i.name_place()))?;
        match self.field_path(scenario, &["train", field]) {
            Some(Value::Num(id)) => {
                self.guards.push(Guard::AtLeastOne(id));
                if self.graph.known(id).is_some_and(|v| v < 1.0) {
                    let at = self.graph.origin_of(id).map_or(place, |o| o.place);
                    let title = format!("`train.{field}` is at least 1");
                    self.report(Diagnostic::new(codes::OUT_OF_RANGE, title, at, "less than 1"));
                    return None;
                }
                Some(id)
            }
            Some(_) => None,
            None => {
                self.report_no_field(field, place);
                None
            }
        }
    }

    pub(super) fn workload_of_training(
        &mut self,
        scenario: &Rc<Object<'p>>,
        plan: Option<&Rc<Object<'p>>>,
        setting: &Setting<'_, 'p>,
        recompute: Recompute,
        formats: Formats,
    ) -> Option<Workload> {
        let place = setting.place;
        self.check_recompute(&setting.model, scenario, plan)?;
        self.check_effect(plan, setting, true)?;
        self.check_offload(setting, true)?;
        self.shares_updates(setting)?;
        let (batch, seq) = (self.train_field(scenario, "batch"), self.train_field(scenario, "seq"));
        let tokens = self.field_path(scenario, &["train", "tokens"]).is_some();
        let tokens = tokens.then(|| self.train_field(scenario, "tokens"));
        let optimizer = self.optimizer(scenario);
        let (batch, seq, (optimizer, optimizer_place)) = (batch?, seq?, optimizer?);
        let tokens = match tokens {
            None => None,
            Some(tokens) => Some(tokens?),
        };
        let pipeline = stages(&setting.laid.steps);
        let one = self.counted(1.0, "1", place, "no pipeline, one stage");
        let stages = pipeline.as_ref().map_or(one, |(shard, _)| shard.count);
        let replicas = self.replicas(setting).unwrap_or(one);
        let micro = match plan.map(|p| self.field(p, Name::new("micro_batch"))) {
            Some(Some(Value::Num(id))) => id,
            Some(Some(_)) => return None,
            _ => self.counted(1.0, "micro_batch", place, "one sequence, unless the plan says more"),
        };
        let together = self.graph.mul(replicas, micro);
        let micro_batches = self.graph.div(batch, together);
        let origin =
            Origin::inferred(Name::new("micro_batches"), place, "batch / (replicas * micro_batch)");
        let micro_batches = self.graph.named(micro_batches, origin);
        self.check_micro_batches(micro_batches, [batch, replicas, micro], setting)?;
        let default = Name::new("one_f_one_b");
        let schedule = setting.plan.schedule.as_ref().map_or(default, |s| s.name);
        let chunks = setting.plan.schedule.as_ref().and_then(|s| s.chunks).unwrap_or(one);
        let shares = pipeline.as_ref().map(|(shard, n)| self.shares(setting, shard, *n));
        let clips = self.field_path(scenario, &["train", "clip"]).is_some();
        let work = Workload {
            clips,
            shares,
            batch,
            seq,
            tokens,
            optimizer,
            optimizer_place,
            micro_batches,
            together,
            pipeline,
            stages,
            schedule,
            chunks,
            recompute,
            formats,
        };
        self.check_chunks(&work, setting)?;
        self.check_training(setting, plan, &work)?;
        Some(work)
    }

    /// `zero` shares what devices have alike: those that see other tokens.
    fn shares_updates(&mut self, setting: &Setting<'_, 'p>) -> Option<()> {
        let Some(zero) = setting.plan.zero.first() else { return Some(()) };
        if setting.laid.reductions.iter().any(|r| r.shared.is_some()) {
            return Some(());
        }
        let axes: Vec<&str> = zero.over.iter().map(|m| setting.plan.mesh[*m].name.text()).collect();
        let title = format!("devices along `{}` have no replicas of a weight", axes.join("`, `"));
        let diagnostic =
            Diagnostic::new(codes::ZERO_WITHOUT_REPLICAS, title, zero.place, "nothing to share");
        let batch =
            setting.plan.rules.iter().find(|r| r.axis.last().is_some_and(|n| *n == "batch"));
        let diagnostic = match batch {
            Some(rule) => {
                let over: Vec<&str> =
                    rule.over.iter().map(|m| setting.plan.mesh[*m].name.text()).collect();
                let over = over.join(", ");
                diagnostic
                    .and(rule.place, "the batch is cut here: these devices hold replicas")
                    .note(format!("write `over {over}`"))
            }
            None => {
                diagnostic.note("replicas are made by cutting the batch: `shard batch over dp`")
            }
        };
        self.report(diagnostic);
        None
    }

    fn check_micro_batches(
        &mut self,
        count: ExprId,
        [batch, replicas, micro]: [ExprId; 3],
        setting: &Setting<'_, 'p>,
    ) -> Option<()> {
        self.guards.push(Guard::Whole(count));
        self.guards.push(Guard::AtLeastOne(count));
        let m = self.graph.known(count)?;
        if libm::floor(m) == m && m >= 1.0 {
            return Some(());
        }
        let show = |id| show_number(self.graph.value(id));
        let title = format!(
            "{} sequences are no whole number of micro-batches of {} on {} replicas",
            show(batch),
            show(micro),
            show(replicas)
        );
        let at = |id| self.graph.origin_of(id).map(|o| o.place);
        let place = at(batch).unwrap_or(setting.place);
        let mut diagnostic = Diagnostic::new(
            codes::MICRO_BATCHES,
            title,
            place,
            format!("{} micro-batches for each replica", show(count)),
        );
        let unit = self.graph.value(replicas) * self.graph.value(micro);
        if let Some(at) = at(micro).filter(|p| *p != setting.place) {
            diagnostic = diagnostic.and(at, format!("micro-batches of {}", show(micro)));
        }
        let near = libm::ceil(self.graph.value(batch) / unit).max(1.0) * unit;
        let note = format!("a multiple of {} would do: {}", show_number(unit), show_number(near));
        self.report(diagnostic.note(note));
        None
    }

    /// Interleaving deals whole chunks of layers, and micro-batches in rounds of the stages.
    fn check_chunks(&mut self, work: &Workload, setting: &Setting<'_, 'p>) -> Option<()> {
        let Some(schedule) = &setting.plan.schedule else { return Some(()) };
        let Some((_, layers)) = &work.pipeline else { return Some(()) };
        if schedule.chunks.is_none() {
            return Some(());
        }
        let (mut dealt, mut all) = (self.graph.mul(work.stages, work.chunks), *layers);
        if let (Some([_, between, _]), [Some(_), _] | [_, Some(_)]) =
            (work.shares, setting.plan.ends)
        {
            // The ends have layers of their own: what the others have is cut into chunks.
            // Shares are quotients: their product with the layers is whole but for rounding.
            let half = self.counted(0.5, "0.5", schedule.place, "to the nearest");
            let own = self.graph.mul(all, between);
            let own = self.graph.add(own, half);
            (all, dealt) = (self.graph.unary(Op::Floor, own), work.chunks);
        }
        let zero = self.counted(0.0, "0", schedule.place, "no remainder");
        // Layers that the stages themselves cannot share are told where the plan cuts them.
        let rest = self.graph.binary(Op::Mod, *layers, work.stages);
        let shared = self.graph.binary(Op::Eq, rest, zero);
        if setting.plan.ends == [None, None] && self.decide(shared) == Some(false) {
            return None;
        }
        for (whole, parts, [what, pieces], how) in [
            (all, dealt, ["layers", "chunks"], "each stage has several, all of one size"),
            (
                work.micro_batches,
                work.stages,
                ["micro-batches", "stages"],
                "they go round in turns",
            ),
        ] {
            let rest = self.graph.binary(Op::Mod, whole, parts);
            let even = self.graph.binary(Op::Eq, rest, zero);
            if self.decide(even) == Some(false) {
                let show = |id| show_number(self.graph.value(id));
                let (whole, parts) = (show(whole), show(parts));
                let title = format!("{whole} {what} cannot be dealt out over {parts} {pieces}");
                let label = format!("`interleaved`: {how}");
                self.report(
                    Diagnostic::new(codes::BAD_SCHEDULE, title, schedule.place, label)
                        .and(setting.place, "in this scenario"),
                );
                return None;
            }
        }
        Some(())
    }

    /// One micro-batch of all replicas.
    fn training_frame(&mut self, setting: &Setting<'_, 'p>, work: &Workload) -> Frame {
        let mut phase = FxHashMap::default();
        phase.insert(Name::new("batch"), work.together);
        for axis in ["seq", "ctx", "positions"] {
            phase.insert(Name::new(axis), work.seq);
        }
        let rule = "training reads text alone";
        let none = self.counted(0.0, "images", setting.place, rule);
        for axis in ["images", "pictures", "clips", "sources", "kept_sources", "drafts"] {
            phase.insert(Name::new(axis), none);
        }
        Frame::new(phase, setting.model.clone(), setting.place)
    }

    /// Sums over kernels and collectives, by pass and stage.
    fn parts(
        &mut self,
        setting: &Setting<'_, 'p>,
        costs: [&PhaseCost; 2],
        recompute: &Recompute,
    ) -> Parts {
        let mut parts = Parts::default();
        for (i, cost) in costs.into_iter().enumerate() {
            for kernel in &cost.kernels {
                let time = match kernel.rounds {
                    Some(rounds) => self.graph.mul(kernel.time, rounds),
                    None => kernel.time,
                };
                self.add_to(&mut parts.kernels, kernel.pass, kernel.stage, time);
                if let (Some(part), Some(cell)) =
                    (kernel.of_weight, parts.of_weights.get_mut(kernel.stage as usize))
                {
                    let part = kernel.rounds.map_or(part, |r| self.graph.mul(part, r));
                    *cell = self.plus(*cell, Some(part));
                }
                if kernel.masked {
                    self.add_to(&mut parts.attention, kernel.pass, kernel.stage, time);
                }
            }
            for used in &cost.collectives {
                let c = &used.collective;
                if c.kind == Kind::Send.word() {
                    parts.send = Some((c.time, c.bytes));
                    continue;
                }
                let pass = if i == 0 { Pass::Forward } else { c.pass };
                let rings = setting.plan.ring && c.moves == "context";
                if rings {
                    parts.ring_of = Some(c.devices);
                }
                let mut time = c.total;
                let hides = hides(setting, c);
                if hides && !rings && c.kind == Kind::AllToAll.word() {
                    // What its kernels take from those that it hides behind stays in the open.
                    let args = [("time", Value::Num(time))];
                    if let Some(hidden) = self.library_number("hidden_all_to_all", &args) {
                        let open = self.graph.sub(time, hidden);
                        self.add_to(&mut parts.comm, pass, used.stage, open);
                        time = hidden;
                    }
                }
                let table = match hides {
                    _ if rings => &mut parts.ring,
                    true => &mut parts.behind,
                    false => &mut parts.comm,
                };
                self.add_to(table, pass, used.stage, time);
                let bytes = self.graph.mul(c.bytes, c.count);
                if let Some(cell) = parts.bytes.get_mut(used.stage as usize) {
                    *cell = self.plus(*cell, Some(bytes));
                }
            }
            let Some(overhead) = cost.overhead else { continue };
            let pass = if i == 0 { Pass::Forward } else { Pass::Backward };
            self.add_to(&mut parts.kernels, pass, Stage::Layers, overhead);
            if i == 1 && recompute.general == RecomputeLevel::Full {
                self.add_to(&mut parts.kernels, Pass::Recompute, Stage::Layers, overhead);
            }
        }
        parts
    }

    fn add_to(&mut self, table: &mut [ByStage; 3], pass: Pass, stage: Stage, time: ExprId) {
        let row = table.get_mut(pass as usize).and_then(|row| row.get_mut(stage as usize));
        if let Some(cell) = row {
            *cell = self.plus(*cell, Some(time));
        }
    }

    /// `layers.*` and the collectives of each pass.
    fn pass_details(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        costs: [PhaseCost; 2],
        reductions: Vec<CollectiveUse>,
        lowered: &mut Lowered,
    ) {
        let [forward, backward] = costs;
        let of = |cost: &PhaseCost, pass: Pass| PhaseCost {
            kernels: cost.kernels.iter().filter(|k| k.pass == pass).cloned().collect(),
            collectives: cost
                .collectives
                .iter()
                .filter(|c| c.collective.pass == pass || c.collective.kind == Kind::Send.word())
                .cloned()
                .collect(),
            ..PhaseCost::default()
        };
        let passes = [
            ("forward", of(&forward, Pass::Forward)),
            ("recompute", of(&backward, Pass::Recompute)),
            ("backward", of(&backward, Pass::Backward)),
        ];
        for (name, mut cost) in passes {
            if name == "recompute" {
                cost.collectives.retain(|c| c.collective.kind != Kind::Send.word());
            }
            let times = Some(work.micro_batches);
            self.layer_results(name, &cost, times, setting.place, lowered);
            let list = cost.collectives.into_iter().map(|c| c.collective).collect();
            lowered.collectives.push((name.to_owned(), list));
        }
        lowered.collectives.push(("step".to_owned(), reductions));
        lowered.costs.extend([("forward", forward), ("backward", backward)]);
    }
}

/// Whether a plan hides a collective behind compute.
pub(super) fn hides(setting: &Setting<'_, '_>, collective: &CollectiveUse) -> bool {
    setting.plan.overlap.iter().any(|(what, _)| *what == collective.moves)
}
