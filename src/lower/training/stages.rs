//! Stages of a pipeline: the first, those between, and the last.
//!
//! In: figures before, in and after the layers. Out: what each kind of stage has of them. All stages
//! between are alike; the first has what precedes the layers, the last what follows them.

use super::{ByStage, Workload};
use crate::check::Checker;
use crate::expr::{ExprId, Op};
use crate::graph::Shard;
use crate::lower::phase::Setting;
use crate::quantity::Dimension;
use crate::source::Place;

/// Which of the three kinds of stage has most of something.
#[derive(Clone, Copy)]
pub(in crate::lower) struct Most {
    is_last: ExprId,
    is_between: ExprId,
}

/// How the layers are dealt out over the stages of a pipeline.
#[derive(Clone, Copy)]
pub(in crate::lower) struct Cut {
    /// The shares of all layers that the first stage, one between, and the last have.
    pub(in crate::lower) shares: [ExprId; 3],
    /// How many stages there are.
    pub(in crate::lower) stages: ExprId,
}

impl<'p> Checker<'p> {
    /// The shares of all layers on the first stage, on one between, and on the last. What the plan
    /// does not give to the ends is dealt out evenly, rounded up.
    pub(in crate::lower) fn shares(
        &mut self,
        setting: &Setting<'_, 'p>,
        stages: &Shard,
        layers: ExprId,
    ) -> [ExprId; 3] {
        let place = setting.place;
        let one = self.counted(1.0, "1", place, "one stage");
        let (mut rest, mut parts) = (layers, stages.count);
        for own in setting.plan.ends.into_iter().flatten() {
            rest = self.graph.sub(rest, own);
            parts = self.graph.sub(parts, one);
        }
        let parts = self.graph.binary(Op::Max, one, parts);
        let each = self.graph.div(rest, parts);
        let each = self.graph.unary(Op::Ceil, each);
        let [first, last] = setting.plan.ends;
        [first.unwrap_or(each), each, last.unwrap_or(each)].map(|n| self.graph.div(n, layers))
    }

    /// One figure on the first stage, on one between, and on the last; the same where there is but
    /// one.
    pub(in crate::lower) fn on_stages(
        &mut self,
        parts: ByStage,
        work: &Workload,
        dimension: Dimension,
        place: Place,
    ) -> [ExprId; 3] {
        let cut = work.shares.map(|shares| Cut { shares, stages: work.stages });
        self.cut_over(parts, cut, dimension, place)
    }

    /// The same for a pipeline, or without one.
    pub(in crate::lower) fn cut_over(
        &mut self,
        parts: ByStage,
        cut: Option<Cut>,
        dimension: Dimension,
        place: Place,
    ) -> [ExprId; 3] {
        let none = self.zero(dimension, place, "nothing of this kind");
        let [first, layers, last] = parts.map(|p| p.unwrap_or(none));
        let all = self.graph.add(first, layers);
        let all = self.graph.add(all, last);
        let Some(cut) = cut else { return [all; 3] };
        let [a, b, c] = cut.shares.map(|s| self.graph.mul(layers, s));
        let a = self.graph.add(first, a);
        let c = self.graph.add(c, last);
        let one = self.counted(1.0, "1", place, "one stage");
        let single = self.graph.binary(Op::Eq, cut.stages, one);
        [a, b, c].map(|stage| self.graph.select(single, all, stage))
    }

    /// The kind of stage where a figure is greatest.
    pub(in crate::lower) fn most(&mut self, [first, between, last]: [ExprId; 3]) -> Most {
        let is_between = self.graph.binary(Op::Lt, first, between);
        let so_far = self.graph.select(is_between, between, first);
        let is_last = self.graph.binary(Op::Lt, so_far, last);
        Most { is_last, is_between }
    }

    /// A figure on that kind of stage.
    pub(in crate::lower) fn there(
        &mut self,
        most: Most,
        [first, between, last]: [ExprId; 3],
    ) -> ExprId {
        let before = self.graph.select(most.is_between, between, first);
        self.graph.select(most.is_last, last, before)
    }
}
