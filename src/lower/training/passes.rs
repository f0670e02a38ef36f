//! Passes of one micro-batch: what they take on each kind of stage, and all of them under the
//! schedule.
//!
//! In: kernels and collectives by pass and stage. Out: times by kind of stage, with what the plan
//! hides taken off, and the time of the schedule.

use super::stages::Most;
use super::{Parts, Workload};
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op};
use crate::ir::Pass;
use crate::lower::phase::Setting;
use crate::quantity::Dimension;
use crate::source::Place;

/// What the plan hides and compute does not cover, in one micro-batch: on the first stage, on one
/// between, and on the last.
pub(super) struct LeftOpen {
    pub(super) forward: [ExprId; 3],
    pub(super) backward: [ExprId; 3],
    pub(super) hidden: [ExprId; 3],
}

impl<'p> Checker<'p> {
    /// Collectives of a pass hide behind the kernels of the same pass on the same stage.
    pub(super) fn left_open(
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

    /// A figure of each kind of stage, on the slowest one.
    pub(super) fn on_slowest(
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
    pub(super) fn passes(
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
    pub(super) fn passes_time(
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
    pub(super) fn on_devices(
        &mut self,
        work: &Workload,
        stages: [ExprId; 3],
    ) -> Option<[ExprId; 3]> {
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
}
