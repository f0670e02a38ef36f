//! A pass added up: its kernels and collectives over all rounds, for one group of requests.
//!
//! In: the kernels and collectives of a phase, each costed once. Out: [`Sums`], by stage and view.

use super::phase::{PhaseCost, Stage};
use crate::check::Checker;
use crate::expr::{ExprId, Op};
use crate::quantity::Dimension;
use crate::source::Place;

/// What a pass takes, all of it.
#[derive(Default)]
pub(super) struct Sums {
    /// Time before the layers, in them and after them: kernels, collectives and overhead.
    pub(super) time: [Option<ExprId>; 3],
    /// Time on the engines, time at the memory, and bytes of weights.
    pub(super) compute: Option<ExprId>,
    pub(super) memory: Option<ExprId>,
    pub(super) weights: Option<ExprId>,
    /// Matrix work, vector work and bytes: useful, even and local.
    pub(super) work: [[Option<ExprId>; 3]; 3],
    /// Collectives: their time but for what goes between stages, their bytes, how many there are.
    pub(super) communication: Option<ExprId>,
    pub(super) volume: Option<ExprId>,
    pub(super) count: Option<ExprId>,
    /// What goes between stages, which the schedule counts: one transfer, and all of them.
    pub(super) send: Option<ExprId>,
    pub(super) sends: Option<ExprId>,
}

impl Checker<'_> {
    /// Kernels and collectives of a pass over all rounds.
    pub(super) fn added_up(&mut self, cost: &PhaseCost, place: Place) -> Sums {
        let mut sums = Sums::default();
        self.add_kernels(cost, &mut sums);
        self.add_collectives(cost, place, &mut sums);
        if let (Some(overhead), Some(cell)) =
            (cost.overhead, sums.time.get_mut(Stage::Layers as usize))
        {
            *cell = self.plus(*cell, Some(overhead));
        }
        sums
    }

    fn add_kernels(&mut self, cost: &PhaseCost, sums: &mut Sums) {
        for kernel in &cost.kernels {
            let time = sums.time.get_mut(kernel.stage as usize);
            let parts = [
                (Some(kernel.time), time),
                (kernel.compute, Some(&mut sums.compute)),
                (kernel.memory, Some(&mut sums.memory)),
                (kernel.weights, Some(&mut sums.weights)),
            ];
            let views = [kernel.useful, kernel.even, kernel.local];
            let work = sums.work.iter_mut().zip(views);
            let work = work.flat_map(|(row, view)| view.into_iter().zip(row.iter_mut().map(Some)));
            for (part, sum) in parts.into_iter().chain(work) {
                if let (Some(part), Some(sum)) = (part, sum) {
                    let part = match kernel.rounds {
                        Some(rounds) => self.graph.mul(part, rounds),
                        None => part,
                    };
                    *sum = self.plus(*sum, Some(part));
                }
            }
        }
    }

    /// What goes between stages is counted by the schedule.
    fn add_collectives(&mut self, cost: &PhaseCost, place: Place, sums: &mut Sums) {
        for used in &cost.collectives {
            let c = &used.collective;
            let all = self.graph.mul(c.bytes, c.count);
            sums.volume = self.plus(sums.volume, Some(all));
            let one = self.counted(1.0, "1", c.model_place, "a collective of one device is none");
            let real = self.graph.binary(Op::Lt, one, c.devices);
            let none = self.zero(Dimension::NONE, place, "nothing of this kind");
            let real = self.graph.select(real, c.count, none);
            sums.count = self.plus(sums.count, Some(real));
            if c.kind == "send" {
                sums.send = Some(c.time);
                sums.sends = self.plus(sums.sends, Some(c.total));
                continue;
            }
            sums.communication = self.plus(sums.communication, Some(c.total));
            if let Some(cell) = sums.time.get_mut(used.stage as usize) {
                *cell = self.plus(*cell, Some(c.total));
            }
        }
    }

    /// The peak of the kernel with the most work, whichever that is: where kernels differ in it,
    /// the graph chooses.
    pub(super) fn peak_of_largest(&mut self, kernels: &[(ExprId, ExprId)]) -> Option<ExprId> {
        // By what computes a peak: each once, with the most work that any of its kernels has.
        let mut peaks: Vec<(ExprId, ExprId)> = Vec::new();
        for &(peak, size) in kernels {
            let same = |p: ExprId| self.graph.unnamed(p) == self.graph.unnamed(peak);
            match peaks.iter().position(|(p, _)| same(*p)) {
                Some(at) => {
                    if let Some((_, most)) = peaks.get_mut(at) {
                        *most = self.graph.binary(Op::Max, *most, size);
                    }
                }
                None => peaks.push((peak, size)),
            }
        }
        let (first, rest) = peaks.split_first()?;
        if rest.is_empty() {
            return Some(first.0);
        }
        let (mut peak, mut most) = *first;
        for &(other, size) in rest {
            let larger = self.graph.binary(Op::Lt, most, size);
            peak = self.graph.select(larger, other, peak);
            most = self.graph.binary(Op::Max, most, size);
        }
        Some(peak)
    }
}
