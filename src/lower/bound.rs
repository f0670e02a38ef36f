//! What takes most of a phase: kernels bound by compute or by memory, collectives, overhead.
//!
//! In: the costs of a phase. Out: a [`Bound`], which says it for any values of them.

use super::phase::PhaseCost;
use crate::expr::ExprId;

/// What the time of a phase is shared by.
#[derive(Clone, Debug)]
pub struct Bound {
    kernels: Vec<Kernel>,
    rest: [(&'static str, Option<ExprId>); 3],
}

#[derive(Clone, Debug)]
struct Kernel {
    time: ExprId,
    rounds: Option<ExprId>,
    compute: Option<ExprId>,
    memory: Option<ExprId>,
}

impl Bound {
    /// Of a phase, with what it waits for and what it sends.
    pub(super) fn of(cost: &PhaseCost, waiting: Option<ExprId>, comm: Option<ExprId>) -> Self {
        let kernels = cost.kernels.iter().map(|kernel| Kernel {
            time: kernel.time,
            rounds: kernel.rounds,
            compute: kernel.compute,
            memory: kernel.memory,
        });
        let rest = [("communication", comm), ("overhead", cost.overhead), ("offload", waiting)];
        Self { kernels: kernels.collect(), rest }
    }

    /// Everything whose value it depends on.
    pub fn nodes(&self) -> impl Iterator<Item = ExprId> + '_ {
        let kernels = self.kernels.iter();
        let kernels = kernels.flat_map(|k| [Some(k.time), k.rounds, k.compute, k.memory]);
        kernels.chain(self.rest.iter().map(|(_, id)| *id)).flatten()
    }

    /// What takes most where nodes have these values.
    pub fn most(&self, value: impl Fn(ExprId) -> f64) -> &'static str {
        let or = |id: Option<ExprId>, none: f64| id.map_or(none, &value);
        let (mut compute, mut memory) = (0.0, 0.0);
        for kernel in &self.kernels {
            let time = value(kernel.time) * or(kernel.rounds, 1.0);
            if or(kernel.compute, 0.0) >= or(kernel.memory, 0.0) {
                compute += time;
            } else {
                memory += time;
            }
        }
        let rest = self.rest.iter().map(|(name, id)| (*name, or(*id, 0.0)));
        let parts = [("compute", compute), ("memory", memory)].into_iter().chain(rest);
        parts.max_by(|a, b| a.1.total_cmp(&b.1)).map_or("", |(name, _)| name)
    }
}
