//! The results of a step of training, and of the run.

use super::{Parts, Workload, hides};
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op};
use crate::ir::Pass;
use crate::lower::collective::CollectiveUse;
use crate::lower::phase::{PhaseCost, Setting};
use crate::lower::scenario::Lowered;
use crate::lower::training_memory::Kept;
use crate::name::Name;
use crate::quantity::Dimension;

/// The slowest stage.
struct Slowest {
    /// Whether it is the last one.
    is_last: ExprId,
}

/// What the plan hides and compute does not cover, in one micro-batch.
struct LeftOpen {
    first: ExprId,
    last: ExprId,
    hidden_first: ExprId,
    hidden_last: ExprId,
    /// Over all stages.
    total: ExprId,
}

impl<'p> Checker<'p> {
    /// Collectives of a pass hide behind the kernels of the same pass on the same stage.
    fn left_open(
        &mut self,
        parts: &Parts,
        work: &Workload,
        setting: &Setting<'_, 'p>,
    ) -> Option<LeftOpen> {
        let place = setting.place;
        let origin = self.origin("none", place, "nothing is hidden");
        let none = self.graph.constant(0.0, Dimension::TIME, origin);
        let (mut open, mut hidden) = ([none; 3], [none; 3]);
        let [forward, again, backward] =
            [Pass::Forward, Pass::Recompute, Pass::Backward].map(|p| p as usize);
        let (behind, kernels) = (&parts.behind, &parts.kernels);
        let (ring, attention) = (&parts.ring, &parts.attention);
        for (passes, all, windows, n) in [
            (&[forward][..], behind, kernels, None),
            (&[again, backward][..], behind, kernels, None),
            (&[forward][..], ring, attention, parts.ring_of),
            (&[again][..], ring, attention, parts.ring_of),
            (&[backward][..], ring, attention, parts.ring_of),
        ] {
            let (mut time, mut window) = ([None; 3], [None; 3]);
            for pass in passes {
                let rows = [(&mut time, all), (&mut window, windows)];
                for (sums, table) in rows {
                    let row = table.get(*pass).copied().unwrap_or_default();
                    for (sum, part) in sums.iter_mut().zip(row) {
                        *sum = self.plus(*sum, part);
                    }
                }
            }
            if time.iter().all(Option::is_none) {
                continue;
            }
            let time = self.on_stages(time, work, Dimension::TIME, place);
            let window = self.on_stages(window, work, Dimension::TIME, place);
            for (((time, window), open), hidden) in
                time.into_iter().zip(window).zip(&mut open).zip(&mut hidden)
            {
                let mut args = vec![("time", Value::Num(time)), ("window", Value::Num(window))];
                args.extend(n.map(|n| ("n", Value::Num(n))));
                let formula = if n.is_some() { "ring_exposed_time" } else { "exposed_time" };
                let left = self.library_number(formula, &args)?;
                *open = self.graph.add(*open, left);
                let gone = self.graph.sub(time, left);
                *hidden = self.graph.add(*hidden, gone);
            }
        }
        let [first, between, last] = open;
        let [hidden_first, _, hidden_last] = hidden;
        // The first stage and the last, and as many between them as there are.
        let one = self.counted(1.0, "1", place, "a single stage");
        let two = self.counted(2.0, "2", place, "the first stage and the last");
        let others = self.graph.sub(work.stages, two);
        let others = self.graph.mul(between, others);
        let ends = self.graph.add(first, last);
        let several = self.graph.add(ends, others);
        let single = self.graph.binary(Op::Eq, work.stages, one);
        let total = self.graph.select(single, first, several);
        Some(LeftOpen { first, last, hidden_first, hidden_last, total })
    }

    fn on_slowest(
        &mut self,
        slowest: &Slowest,
        parts: [Option<ExprId>; 3],
        work: &Workload,
        dimension: Dimension,
        setting: &Setting<'_, 'p>,
    ) -> ExprId {
        let [first, last] = self.first_and_last(parts, work, dimension, setting.place);
        self.graph.select(slowest.is_last, last, first)
    }

    /// `step.*` and what follows from it.
    pub(super) fn step_results(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        costs: [&PhaseCost; 2],
        reductions: &[CollectiveUse],
        kept: &Kept,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let parts = self.parts(setting, costs, &work.recompute);
        let place = setting.place;
        // The stage whose micro-batch takes longest, and the sum over all stages.
        let open = self.left_open(&parts, work, setting)?;
        let rows = parts.kernels.iter().chain(&parts.comm);
        let mut all = [None; 3];
        for row in rows {
            for (cell, part) in all.iter_mut().zip(row) {
                *cell = self.plus(*cell, *part);
            }
        }
        let total = self.graph.sum(all.into_iter().flatten())?;
        let total = self.graph.add(total, open.total);
        let [first, last] = self.first_and_last(all, work, Dimension::TIME, place);
        let first = self.graph.add(first, open.first);
        let last = self.graph.add(last, open.last);
        let is_last = self.graph.binary(Op::Lt, first, last);
        let slowest = Slowest { is_last };
        let longest = self.graph.select(is_last, last, first);
        let m = work.micro_batches;
        let mut put = |checker: &mut Self, path: &str, id: ExprId, rule: &'static str| {
            let id = checker.result_node(path, id, place, rule);
            lowered.results.number(path, id);
            id
        };
        let mut times = Vec::new();
        let passes = [
            (Pass::Forward, "step.forward", "kernels of the forward pass on the slowest stage"),
            (Pass::Backward, "step.backward", "kernels of the backward pass on the slowest stage"),
            (Pass::Recompute, "step.recompute", "kernels run once more on the slowest stage"),
        ];
        for (pass, path, rule) in passes {
            let row = parts.kernels.get(pass as usize).copied()?;
            let one = self.on_slowest(&slowest, row, work, Dimension::TIME, setting);
            let mut all = self.graph.mul(one, m);
            if pass == Pass::Backward {
                let [first, last] = kept.gradients;
                let gradients = self.graph.select(slowest.is_last, last, first);
                let added = self.accumulation(setting, gradients, m)?;
                all = self.graph.add(all, added);
            }
            times.push(put(self, path, all, rule));
        }
        let busy = self.graph.sum(times.clone())?;
        // The update.
        let update = self.update_time(setting, kept)?;
        let update = put(self, "step.optimizer", update, "the update of the weights");
        // Collectives in the passes, between stages, and once in a step.
        let mut comm = [None; 3];
        for row in &parts.comm {
            for (cell, part) in comm.iter_mut().zip(row) {
                *cell = self.plus(*cell, *part);
            }
        }
        let inside = self.on_slowest(&slowest, comm, work, Dimension::TIME, setting);
        let left = self.graph.select(is_last, open.last, open.first);
        let inside = self.graph.add(inside, left);
        let mut exposed = self.graph.mul(inside, m);
        let gone = self.graph.select(is_last, open.hidden_last, open.hidden_first);
        let mut hidden = self.graph.mul(gone, m);
        // Once in a step: gradients behind the last backward pass, weights behind the next forward.
        for (what, pass) in [("gradients", Pass::Backward), ("weights", Pass::Forward)] {
            let mut behind = None;
            for c in reductions.iter().filter(|c| c.moves == what) {
                if hides(setting, c) && !c.tensor.starts_with("tied") {
                    behind = self.plus(behind, Some(c.total));
                } else {
                    exposed = self.graph.add(exposed, c.total);
                }
            }
            let Some(time) = behind else { continue };
            let row = parts.kernels.get(pass as usize).copied()?;
            let window = self.on_slowest(&slowest, row, work, Dimension::TIME, setting);
            let args = [("time", Value::Num(time)), ("window", Value::Num(window))];
            let open = self.library_number("exposed_time", &args)?;
            exposed = self.graph.add(exposed, open);
            let gone = self.graph.sub(time, open);
            hidden = self.graph.add(hidden, gone);
        }
        let mut bytes = self.on_slowest(&slowest, parts.bytes, work, Dimension::BYTES, setting);
        bytes = self.graph.mul(bytes, m);
        for c in reductions {
            bytes = self.graph.add(bytes, c.bytes);
        }
        let chunks = ("chunks", Value::Num(work.chunks));
        if let Some((send, message)) = parts.send {
            let args =
                [("send", Value::Num(send)), ("stages", Value::Num(work.stages)), chunks.clone()];
            let sends = self.library_number("pipeline_sends", &args)?;
            exposed = self.graph.add(exposed, sends);
            // Forward and back, for each micro-batch and chunk.
            let both = self.graph.add(message, message);
            let both = self.graph.mul(both, m);
            let both = self.graph.mul(both, work.chunks);
            bytes = self.graph.add(bytes, both);
        }
        let exposed =
            put(self, "step.communication.exposed", exposed, "collectives that nothing hides");
        put(self, "step.communication.hidden", hidden, "collectives behind compute");
        put(self, "step.communication.bytes", bytes, "logical bytes that a device sends");
        // The schedule.
        let args = [("total", Value::Num(total)), ("slowest", Value::Num(longest)), chunks];
        let bubble = self.library_number(&format!("{}_bubble", work.schedule), &args)?;
        let bubble = put(self, "step.bubble", bubble, "the slowest stage waits for others");
        let time = self.graph.sum([busy, update, exposed, bubble])?;
        let time = put(
            self,
            "step.time",
            time,
            "forward + backward + recompute + exposed communication + bubble + optimizer",
        );
        let worked = self.graph.mul(longest, m);
        let args = [("bubble", Value::Num(bubble)), ("busy", Value::Num(worked))];
        let overhead = self.library_number("bubble_overhead", &args)?;
        put(
            self,
            "step.bubble_overhead",
            overhead,
            "the bubble over the work of the slowest stage",
        );
        let share = self.graph.div(bubble, time);
        put(self, "step.bubble_share", share, "the bubble over the step");
        put(self, "step.micro_batches", m, "micro-batches of each replica");
        self.utilization(setting, work, costs, time, lowered);
        let busy = self.graph.add(busy, update);
        let busy = self.graph.div(busy, time);
        self.run_results(setting, work, time, busy, lowered)
    }

    fn accumulation(
        &mut self,
        setting: &Setting<'_, 'p>,
        gradients: ExprId,
        micro_batches: ExprId,
    ) -> Option<ExprId> {
        let (_, bandwidth) = self.main_memory(&setting.machine.chip)?;
        let args = [
            ("gradients", Value::Num(gradients)),
            ("micro_batches", Value::Num(micro_batches)),
            ("bandwidth", Value::Num(bandwidth)),
        ];
        self.library_number("accumulation_time", &args)
    }

    fn update_time(&mut self, setting: &Setting<'_, 'p>, kept: &Kept) -> Option<ExprId> {
        let (_, bandwidth) = self.main_memory(&setting.machine.chip)?;
        let args = [
            ("gradients", Value::Num(kept.updated_gradients)),
            ("state", Value::Num(kept.state)),
            ("weights", Value::Num(kept.updated_weights)),
            ("bandwidth", Value::Num(bandwidth)),
        ];
        self.library_number("optimizer_time", &args)
    }

    /// Work of the model, work of the hardware, and both over what all devices could do.
    fn utilization(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        costs: [&PhaseCost; 2],
        time: ExprId,
        lowered: &mut Lowered,
    ) {
        let place = setting.place;
        let mut sums = [None; 3];
        let mut largest = Vec::new();
        for kernel in costs.into_iter().flat_map(|c| &c.kernels) {
            for (cell, part) in sums.iter_mut().zip(kernel.model) {
                let part = part.map(|p| match kernel.rounds {
                    Some(rounds) => self.graph.mul(p, rounds),
                    None => p,
                });
                *cell = self.plus(*cell, part);
            }
            let size = kernel.model.first().copied().flatten();
            largest.extend(kernel.peak.zip(size));
        }
        let peak = self.peak_of_largest(&largest);
        let [masked, full, hardware] =
            sums.map(|s| s.map(|s| self.graph.mul(s, work.micro_batches)));
        let devices = self.devices(setting);
        let origin = self.origin("devices", place, "the devices of the mesh");
        let devices = self.graph.cast(devices, Dimension::NONE, origin);
        let rows = [
            (
                full,
                "step.flops.model",
                "mfu",
                "matrix work of forward and backward, no mask skipped",
            ),
            (masked, "step.flops.causal", "mfu_causal", "the same, with what masks skip left out"),
            (
                hardware,
                "step.flops.hardware",
                "hfu",
                "the same as the model's, with what is made again",
            ),
        ];
        for (flops, path, share, rule) in rows {
            let Some(flops) = flops else { continue };
            let flops = self.result_node(path, flops, place, rule);
            lowered.results.number(path, flops);
            let Some(peak) = peak else { continue };
            let args = [
                ("flops", Value::Num(flops)),
                ("time", Value::Num(time)),
                ("devices", Value::Num(devices)),
                ("peak", Value::Num(peak)),
            ];
            if let Some(id) = self.library_number("model_flops_utilization", &args) {
                let id = self.result_node(share, id, place, "work over what all devices could do");
                lowered.results.number(share, id);
            }
        }
        if let Some(full) = full {
            let tokens = self.graph.mul(work.batch, work.seq);
            let each = self.graph.div(full, tokens);
            let path = "step.flops.per_token";
            let each = self.result_node(path, each, place, "the model's work for one token");
            lowered.results.number(path, each);
        }
    }

    /// `throughput.*` and `run.*`.
    fn run_results(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        time: ExprId,
        busy: ExprId,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let place = setting.place;
        let mut put = |checker: &mut Self, path: &str, id: ExprId, rule: &'static str| {
            let id = checker.result_node(path, id, place, rule);
            lowered.results.number(path, id);
            id
        };
        let batch = [("batch", Value::Num(work.batch)), ("seq", Value::Num(work.seq))];
        let args: Vec<_> = batch.iter().cloned().chain([("step", Value::Num(time))]).collect();
        let rate = self.library_number("training_rate", &args)?;
        let rate = put(self, "throughput.system", rate, "tokens of a step over its time");
        let devices = self.devices(setting);
        let origin = self.origin("devices", place, "the devices of the mesh");
        let devices = self.graph.cast(devices, Dimension::NONE, origin);
        let each = self.graph.div(rate, devices);
        put(self, "throughput.device", each, "tokens of each device");
        let Some(tokens) = work.tokens else { return Some(()) };
        let args: Vec<_> = batch.into_iter().chain([("tokens", Value::Num(tokens))]).collect();
        let steps = self.library_number("training_steps", &args)?;
        let steps = put(self, "run.steps", steps, "steps that all tokens take");
        let run = self.graph.mul(steps, time);
        let run = put(self, "run.time", run, "all steps");
        let chip = setting.machine.chip.clone();
        let with = |more: Vec<(&'static str, Value<'p>)>| {
            let mut args = vec![("devices", Value::Num(devices)), ("time", Value::Num(run))];
            args.extend(more);
            args
        };
        if let Some(price @ Value::Num(_)) = self.field(&chip, Name::new("price")) {
            let cost = self.library_number("run_cost", &with(vec![("price", price)]))?;
            put(self, "run.cost", cost, "the price of the chips for the whole run");
        }
        if let Some(tdp @ Value::Num(_)) = self.field_path(&chip, &["power", "tdp"]) {
            let mut more = vec![("tdp", tdp), ("busy", Value::Num(busy))];
            if let Some(idle @ Value::Num(_)) = self.field_path(&chip, &["power", "idle"]) {
                more.push(("idle", idle));
            }
            let energy = self.library_number("run_energy", &with(more))?;
            put(self, "run.energy", energy, "chips without hosts, and the building around them");
        }
        Some(())
    }
}
