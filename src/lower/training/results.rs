//! The results of a step of training, and of the run.
//!
//! In: what passes, collectives and memory come to. Out: `step.*`, utilization, and the run.

use super::memory::Kept;
use super::offload::StepWaits;
use super::passes::LeftOpen;
use super::stages::Most;
use super::{Parts, Workload, hides};
use crate::check::{Checker, Value};
use crate::expr::ExprId;
use crate::ir::Pass;
use crate::lower::collective::CollectiveUse;
use crate::lower::offload::OnStages;
use crate::lower::phase::{PhaseCost, Setting};
use crate::lower::pipeline::Pipeline;
use crate::lower::results::Results;
use crate::lower::scenario::Lowered;
use crate::quantity::Dimension;

/// A step, by kind of stage.
struct Step<'s, 'p> {
    setting: &'s Setting<'s, 'p>,
    work: &'s Workload,
    parts: Parts,
    open: LeftOpen,
    waits: Option<StepWaits>,
    /// Passes of one micro-batch: forward, backward, and what of backward makes gradients of weights.
    passes: [OnStages; 3],
    /// The stage whose micro-batch takes longest, and how long that is.
    slowest: Most,
    longest: ExprId,
}

/// What is sent in a step: its time that nothing hides, its time behind compute, and its bytes.
struct Sent {
    exposed: ExprId,
    hidden: ExprId,
    bytes: ExprId,
}

/// What the schedule makes of the passes: all of them, and how long the slowest stage waits.
struct Scheduled {
    time: ExprId,
    bubble: ExprId,
}

impl<'p> Checker<'p> {
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
        let step = self.step(setting, work, costs, kept)?;
        let place = setting.place;
        let busy = self.busy_results(&step, kept, &mut lowered.results)?;
        let mut update = self.update_time(setting, costs, kept)?;
        if let Some(waits) = &step.waits {
            let elsewhere = self.there(step.slowest, waits.update);
            update = self.graph.add(update, elsewhere);
        }
        let rule = "the update of the weights";
        let update = lowered.results.put(&mut self.graph, "step.optimizer", update, place, rule);
        let mut sent = self.sent(&step, reductions)?;
        let scheduled = self.scheduled(&step, &mut sent)?;
        let exposed = self.sent_results(&step, &sent, &mut lowered.results);
        if work.pipeline.is_some() {
            let pipeline = Pipeline {
                schedule: work.schedule,
                stages: work.stages,
                micro_batches: work.micro_batches,
                chunks: work.chunks,
                passes: step.passes,
                send: step.parts.send.map(|s| s.0),
                time: scheduled.time,
                shares: work.shares,
                layers: work.pipeline.as_ref().map(|p| p.1),
            };
            lowered.pipelines.push(("step", pipeline));
        }
        let results = &mut lowered.results;
        let rule = "the slowest stage waits for others";
        let bubble = results.put(&mut self.graph, "step.bubble", scheduled.bubble, place, rule);
        let mut time = self.graph.sum([busy, update, exposed, bubble])?;
        let mut rule =
            "forward + backward + recompute + exposed communication + bubble + optimizer";
        if let Some(waits) = &step.waits {
            let open = self.wait_results_of_step(&step, waits, results);
            time = self.graph.add(time, open);
            rule = "forward + backward + recompute + exposed communication and transfers + bubble \
                    + optimizer";
        }
        let time = results.put(&mut self.graph, "step.time", time, place, rule);
        self.bubble_results(&step, bubble, time, results)?;
        self.utilization(setting, work, costs, time, lowered);
        let busy = self.graph.add(busy, update);
        let busy = self.graph.div(busy, time);
        self.run_results(setting, work, time, busy, lowered)
    }

    /// What a step consists of, before the schedule.
    fn step<'s>(
        &mut self,
        setting: &'s Setting<'s, 'p>,
        work: &'s Workload,
        costs: [&PhaseCost; 2],
        kept: &Kept,
    ) -> Option<Step<'s, 'p>> {
        let parts = self.parts(setting, costs, &work.recompute);
        let place = setting.place;
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
        let each = self.add_stages(forward, backward);
        let each = self.on_devices(work, each)?;
        let slowest = self.most(each);
        let longest = self.there(slowest, each);
        let passes = [forward, backward, of_weights];
        Some(Step { setting, work, parts, open, waits, passes, slowest, longest })
    }

    /// Kernels of each pass on the slowest stage, in all micro-batches; gives their sum.
    fn busy_results(
        &mut self,
        step: &Step<'_, 'p>,
        kept: &Kept,
        results: &mut Results,
    ) -> Option<ExprId> {
        let Step { setting, work, slowest, .. } = *step;
        let mut times = Vec::new();
        for (pass, path, rule) in [
            (Pass::Forward, "step.forward", "kernels of the forward pass on the slowest stage"),
            (Pass::Backward, "step.backward", "kernels of the backward pass on the slowest stage"),
            (Pass::Recompute, "step.recompute", "kernels run once more on the slowest stage"),
        ] {
            let row = step.parts.kernels.get(pass as usize).copied()?;
            let one = self.on_slowest(slowest, row, work, Dimension::TIME, setting)?;
            let mut all = self.graph.mul(one, work.micro_batches);
            if pass == Pass::Backward {
                let gradients = self.there(slowest, kept.gradients);
                let added = self.accumulation(setting, gradients, work.micro_batches)?;
                all = self.graph.add(all, added);
            }
            times.push(results.put(&mut self.graph, path, all, setting.place, rule));
        }
        self.graph.sum(times)
    }

    /// Collectives in the passes and once in a step; not what goes between stages.
    fn sent(&mut self, step: &Step<'_, 'p>, reductions: &[CollectiveUse]) -> Option<Sent> {
        let Step { setting, work, ref parts, ref open, slowest, .. } = *step;
        let m = work.micro_batches;
        let mut comm = [None; 3];
        for row in &parts.comm {
            for (cell, part) in comm.iter_mut().zip(row) {
                *cell = self.plus(*cell, *part);
            }
        }
        let inside = self.on_slowest(slowest, comm, work, Dimension::TIME, setting)?;
        let left = self.add_stages(open.forward, open.backward);
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
        Some(Sent { exposed, hidden, bytes })
    }

    /// The schedule, as if what goes between stages took no time, and with that.
    fn scheduled(&mut self, step: &Step<'_, 'p>, sent: &mut Sent) -> Option<Scheduled> {
        let work = step.work;
        let without = self.passes_time(work, step.passes, None)?;
        let mut time = without;
        if let Some((send, message)) = step.parts.send {
            time = self.passes_time(work, step.passes, Some(send))?;
            let args = [("passes", Value::Num(time)), ("without", Value::Num(without))];
            let sends = self.library_number("pipeline_sends", &args)?;
            sent.exposed = self.graph.add(sent.exposed, sends);
            // Forward and back, for each micro-batch and chunk.
            let both = self.graph.add(message, message);
            let both = self.graph.mul(both, work.micro_batches);
            let both = self.graph.mul(both, work.chunks);
            sent.bytes = self.graph.add(sent.bytes, both);
        }
        let args =
            [("passes", without), ("busy", step.longest), ("micro_batches", work.micro_batches)];
        let args = args.map(|(name, id)| (name, Value::Num(id)));
        let bubble = self.library_number("pipeline_bubble", &args)?;
        Some(Scheduled { time, bubble })
    }

    /// `step.communication.*`; gives what nothing hides.
    fn sent_results(&mut self, step: &Step<'_, 'p>, sent: &Sent, results: &mut Results) -> ExprId {
        let mut put = |name: &str, id, rule| {
            let path = format!("step.communication.{name}");
            results.put(&mut self.graph, &path, id, step.setting.place, rule)
        };
        let exposed = put("exposed", sent.exposed, "collectives that nothing hides");
        put("hidden", sent.hidden, "collectives behind compute");
        put("bytes", sent.bytes, "logical bytes that a device sends");
        exposed
    }

    /// `step.offload.*`; gives what nothing hides.
    fn wait_results_of_step(
        &mut self,
        step: &Step<'_, 'p>,
        waits: &StepWaits,
        results: &mut Results,
    ) -> ExprId {
        let open = self.add_stages(waits.forward, waits.backward);
        let mut put = |name: &str, [each, once]: [OnStages; 2], rule| {
            let [each, once] = [each, once].map(|stages| self.there(step.slowest, stages));
            let each = self.graph.mul(each, step.work.micro_batches);
            let all = self.graph.add(each, once);
            let path = format!("step.offload.{name}");
            results.put(&mut self.graph, &path, all, step.setting.place, rule)
        };
        let exposed = put("exposed", [open, waits.once], "transfers that nothing hides");
        put("hidden", [waits.hidden, waits.once_hidden], "transfers behind other work");
        put("bytes", [waits.bytes, waits.once_bytes], "to and from a device");
        exposed
    }

    /// The bubble beside the work and the step.
    fn bubble_results(
        &mut self,
        step: &Step<'_, 'p>,
        bubble: ExprId,
        time: ExprId,
        results: &mut Results,
    ) -> Option<()> {
        let (place, m) = (step.setting.place, step.work.micro_batches);
        let worked = self.graph.mul(step.longest, m);
        let args = [("bubble", Value::Num(bubble)), ("busy", Value::Num(worked))];
        let overhead = self.library_number("bubble_overhead", &args)?;
        let rule = "the bubble over the work of the slowest stage";
        results.put(&mut self.graph, "step.bubble_overhead", overhead, place, rule);
        let share = self.graph.div(bubble, time);
        let rule = "the bubble over the step";
        results.put(&mut self.graph, "step.bubble_share", share, place, rule);
        let rule = "micro-batches of each replica";
        results.put(&mut self.graph, "step.micro_batches", m, place, rule);
        Some(())
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
            let flops = lowered.results.put(&mut self.graph, path, flops, place, rule);
            let Some(peak) = peak else { continue };
            let args = [
                ("flops", Value::Num(flops)),
                ("time", Value::Num(time)),
                ("devices", Value::Num(devices)),
                ("peak", Value::Num(peak)),
            ];
            if let Some(id) = self.library_number("model_flops_utilization", &args) {
                let rule = "work over what all devices could do";
                lowered.results.put(&mut self.graph, share, id, place, rule);
            }
        }
        if let Some(full) = full {
            let tokens = self.graph.mul(work.batch, work.seq);
            let each = self.graph.div(full, tokens);
            let path = "step.flops.per_token";
            let rule = "the model's work for one token";
            lowered.results.put(&mut self.graph, path, each, place, rule);
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
            lowered.results.put(&mut checker.graph, path, id, place, rule)
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
