//! The results of a step of training, and of the run.

use super::memory::Kept;
use super::stages::Most;
use super::{Parts, Workload, hides};
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op};
use crate::ir::Pass;
use crate::lower::collective::CollectiveUse;
use crate::lower::offload::OnStages;
use crate::lower::phase::{PhaseCost, Setting};
use crate::lower::pipeline::Pipeline;
use crate::lower::scenario::Lowered;
use crate::quantity::Dimension;
use crate::source::Place;

/// What the plan hides and compute does not cover, in one micro-batch: on the first stage, on one
/// between, and on the last.
struct LeftOpen {
    forward: [ExprId; 3],
    backward: [ExprId; 3],
    hidden: [ExprId; 3],
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
        let none = self.zero(Dimension::TIME, place, "nothing is hidden");
        let (mut before, mut after, mut hidden) = ([none; 3], [none; 3], [none; 3]);
        let [forward, again, backward] =
            [Pass::Forward, Pass::Recompute, Pass::Backward].map(|p| p as usize);
        let (behind, kernels) = (&parts.behind, &parts.kernels);
        let (ring, attention) = (&parts.ring, &parts.attention);
        // Where a device has a forward and a backward pass at a time, each hides behind both.
        let copies = self.of_schedule(work, "copies", work.stages)?;
        let one = self.counted(1.0, "1", place, "one pass at a time");
        let both = self.graph.binary(Op::Lt, one, copies);
        for (passes, all, windows, n) in [
            (&[forward][..], behind, kernels, None),
            (&[again, backward][..], behind, kernels, None),
            (&[forward, again, backward][..], behind, kernels, None),
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
            let open = if passes == [forward] { &mut before } else { &mut after };
            for (((time, window), open), hidden) in
                time.into_iter().zip(window).zip(open).zip(&mut hidden)
            {
                let mut args = vec![("time", Value::Num(time)), ("window", Value::Num(window))];
                args.extend(n.map(|n| ("n", Value::Num(n))));
                let formula = if n.is_some() { "ring_exposed_time" } else { "exposed_time" };
                let left = self.library_number(formula, &args)?;
                let gone = self.graph.sub(time, left);
                let [left, gone] = [left, gone].map(|time| match (n, passes.len() == 3) {
                    (Some(_), _) => time,
                    (None, true) => self.graph.select(both, time, none),
                    (None, false) => self.graph.select(both, none, time),
                });
                *open = self.graph.add(*open, left);
                *hidden = self.graph.add(*hidden, gone);
            }
        }
        Some(LeftOpen { forward: before, backward: after, hidden })
    }

    fn on_slowest(
        &mut self,
        slowest: Most,
        parts: [Option<ExprId>; 3],
        work: &Workload,
        dimension: Dimension,
        setting: &Setting<'_, 'p>,
    ) -> Option<ExprId> {
        let stages = self.on_stages(parts, work, dimension, setting.place);
        let stages = self.on_devices(work, stages)?;
        Some(self.there(slowest, stages))
    }

    /// Kernels, collectives in the open and what is left of hidden ones: each kind of stage, in some
    /// passes of one micro-batch.
    fn passes(
        &mut self,
        parts: &Parts,
        passes: &[Pass],
        open: [ExprId; 3],
        work: &Workload,
        place: Place,
    ) -> [ExprId; 3] {
        let mut sums = [None; 3];
        for pass in passes {
            for table in [&parts.kernels, &parts.comm] {
                let row = table.get(*pass as usize).copied().unwrap_or_default();
                for (sum, part) in sums.iter_mut().zip(row) {
                    *sum = self.plus(*sum, part);
                }
            }
        }
        let mut stages = self.on_stages(sums, work, Dimension::TIME, place);
        for (stage, open) in stages.iter_mut().zip(open) {
            *stage = self.graph.add(*stage, open);
        }
        stages
    }

    /// How long all passes take, by the formula of the schedule.
    fn passes_time(
        &mut self,
        work: &Workload,
        [forward, backward, of_weights]: [[ExprId; 3]; 3],
        send: Option<ExprId>,
    ) -> Option<ExprId> {
        let [forward_first, forward_between, forward_last] = forward;
        let [backward_first, backward_between, backward_last] = backward;
        let [of_weights_first, of_weights_between, of_weights_last] = of_weights;
        let args = [
            ("forward_first", forward_first),
            ("backward_first", backward_first),
            ("forward_between", forward_between),
            ("backward_between", backward_between),
            ("forward_last", forward_last),
            ("backward_last", backward_last),
            ("of_weights_first", of_weights_first),
            ("of_weights_between", of_weights_between),
            ("of_weights_last", of_weights_last),
            ("stages", work.stages),
            ("micro_batches", work.micro_batches),
            ("chunks", work.chunks),
        ];
        let send = send.map(|id| ("send", id));
        let args: Vec<_> =
            args.into_iter().chain(send).map(|(name, id)| (name, Value::Num(id))).collect();
        self.library_number(&format!("{}_time", work.schedule), &args)
    }

    /// What devices have where each is two stages: a share of what the opposite stage has.
    fn on_devices(&mut self, work: &Workload, stages: [ExprId; 3]) -> Option<[ExprId; 3]> {
        let args = [("stages", Value::Num(work.stages))];
        let share = self.library_number(&format!("{}_opposite_share", work.schedule), &args)?;
        if self.graph.known(share) == Some(0.0) {
            return Some(stages);
        }
        let [first, between, last] = stages;
        let mixed = |checker: &mut Self, own, other| {
            let more = checker.graph.sub(other, own);
            let more = checker.graph.mul(more, share);
            checker.graph.add(own, more)
        };
        Some([mixed(self, first, last), between, mixed(self, last, first)])
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
        let mut forward = self.passes(&parts, &[Pass::Forward], open.forward, work, place);
        let back = [Pass::Recompute, Pass::Backward];
        let mut backward = self.passes(&parts, &back, open.backward, work, place);
        let waits = self.step_waits(setting, work, &kept.away, [forward, backward])?;
        if let Some(waits) = &waits {
            forward = self.add_stages(forward, waits.forward);
            backward = self.add_stages(backward, waits.backward);
        }
        let of_weights = self.on_stages(parts.of_weights, work, Dimension::TIME, place);
        let mut each = forward;
        for (sum, part) in each.iter_mut().zip(backward) {
            *sum = self.graph.add(*sum, part);
        }
        let each = self.on_devices(work, each)?;
        let slowest = self.most(each);
        let longest = self.there(slowest, each);
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
            let one = self.on_slowest(slowest, row, work, Dimension::TIME, setting)?;
            let mut all = self.graph.mul(one, m);
            if pass == Pass::Backward {
                let gradients = self.there(slowest, kept.gradients);
                let added = self.accumulation(setting, gradients, m)?;
                all = self.graph.add(all, added);
            }
            times.push(put(self, path, all, rule));
        }
        let busy = self.graph.sum(times.clone())?;
        // The update.
        let mut update = self.update_time(setting, costs, kept)?;
        if let Some(waits) = &waits {
            let elsewhere = self.there(slowest, waits.update);
            update = self.graph.add(update, elsewhere);
        }
        let update = put(self, "step.optimizer", update, "the update of the weights");
        // Collectives in the passes, between stages, and once in a step.
        let mut comm = [None; 3];
        for row in &parts.comm {
            for (cell, part) in comm.iter_mut().zip(row) {
                *cell = self.plus(*cell, *part);
            }
        }
        let inside = self.on_slowest(slowest, comm, work, Dimension::TIME, setting)?;
        let mut left = open.forward;
        for (sum, part) in left.iter_mut().zip(open.backward) {
            *sum = self.graph.add(*sum, part);
        }
        let left = self.on_devices(work, left)?;
        let left = self.there(slowest, left);
        let inside = self.graph.add(inside, left);
        let mut exposed = self.graph.mul(inside, m);
        let gone = self.on_devices(work, open.hidden)?;
        let gone = self.there(slowest, gone);
        let mut hidden = self.graph.mul(gone, m);
        // Once in a step: gradients behind the last backward pass, weights behind the next forward.
        for (what, pass) in [("gradients", Pass::Backward), ("weights", Pass::Forward)] {
            let mut behind = None;
            for c in reductions.iter().filter(|c| c.moves == what) {
                if hides(setting, c) && (c.tensor == what) {
                    behind = self.plus(behind, Some(c.total));
                } else {
                    exposed = self.graph.add(exposed, c.total);
                }
            }
            let Some(time) = behind else { continue };
            let row = parts.kernels.get(pass as usize).copied()?;
            let window = self.on_slowest(slowest, row, work, Dimension::TIME, setting)?;
            let args = [("time", Value::Num(time)), ("window", Value::Num(window))];
            let open = self.library_number("exposed_time", &args)?;
            exposed = self.graph.add(exposed, open);
            let gone = self.graph.sub(time, open);
            hidden = self.graph.add(hidden, gone);
        }
        let mut bytes = self.on_slowest(slowest, parts.bytes, work, Dimension::BYTES, setting)?;
        bytes = self.graph.mul(bytes, m);
        for c in reductions {
            bytes = self.graph.add(bytes, c.bytes);
        }
        // The schedule, as if sends took no time, and with them.
        let stages = [forward, backward, of_weights];
        let without = self.passes_time(work, stages, None)?;
        let mut passes = without;
        if let Some((send, message)) = parts.send {
            passes = self.passes_time(work, stages, Some(send))?;
            let args = [("passes", Value::Num(passes)), ("without", Value::Num(without))];
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
        let args = [("passes", without), ("busy", longest), ("micro_batches", m)];
        let args = args.map(|(name, id)| (name, Value::Num(id)));
        let bubble = self.library_number("pipeline_bubble", &args)?;
        if work.pipeline.is_some() {
            let pipeline = Pipeline {
                schedule: work.schedule,
                stages: work.stages,
                micro_batches: m,
                chunks: work.chunks,
                passes: stages,
                send: parts.send.map(|s| s.0),
                time: passes,
                shares: work.shares,
                layers: work.pipeline.as_ref().map(|p| p.1),
            };
            lowered.pipelines.push(("step", pipeline));
        }
        let bubble = put(self, "step.bubble", bubble, "the slowest stage waits for others");
        let mut time = self.graph.sum([busy, update, exposed, bubble])?;
        let mut rule =
            "forward + backward + recompute + exposed communication + bubble + optimizer";
        if let Some(waits) = waits {
            let open = self.add_stages(waits.forward, waits.backward);
            let mut whole = |checker: &mut Self, path, each: OnStages, once: OnStages, rule| {
                let (each, once) = (checker.there(slowest, each), checker.there(slowest, once));
                let each = checker.graph.mul(each, m);
                let all = checker.graph.add(each, once);
                put(checker, path, all, rule)
            };
            let path = "step.offload.exposed";
            let open = whole(self, path, open, waits.once, "transfers that nothing hides");
            let (hidden, once) = (waits.hidden, waits.once_hidden);
            whole(self, "step.offload.hidden", hidden, once, "transfers behind other work");
            let (bytes, once) = (waits.bytes, waits.once_bytes);
            whole(self, "step.offload.bytes", bytes, once, "to and from a device");
            time = self.graph.add(time, open);
            rule = "forward + backward + recompute + exposed communication and transfers + bubble \
                    + optimizer";
        }
        let time = put(self, "step.time", time, rule);
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

    fn update_time(
        &mut self,
        setting: &Setting<'_, 'p>,
        costs: [&PhaseCost; 2],
        kept: &Kept,
    ) -> Option<ExprId> {
        let mut kernels = costs.into_iter().flat_map(|c| &c.kernels);
        let peak = kernels.find_map(|k| k.peak)?;
        let (_, bandwidth) = self.main_memory(&setting.machine.chip)?;
        let args = [
            ("gradients", Value::Num(kept.updated_gradients)),
            ("state", Value::Num(kept.state)),
            ("weights", Value::Num(kept.updated_weights)),
            ("bandwidth", Value::Num(bandwidth)),
            ("flops", Value::Num(kept.flops)),
            ("peak", Value::Num(peak)),
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
        let devices = self.bare_devices(setting);
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
        let devices = self.bare_devices(setting);
        let each = self.graph.div(rate, devices);
        put(self, "throughput.device", each, "tokens of each device");
        put(self, "step.busy_share", busy, "the share of a step in which kernels run");
        let Some(tokens) = work.tokens else { return Some(()) };
        let args: Vec<_> = batch.into_iter().chain([("tokens", Value::Num(tokens))]).collect();
        let steps = self.library_number("training_steps", &args)?;
        let steps = put(self, "run.steps", steps, "steps that all tokens take");
        let run = self.graph.mul(steps, time);
        put(self, "run.time", run, "all steps");
        Some(())
    }
}
