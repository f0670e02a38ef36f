//! What brings the gradients of all micro-batches and replicas together, once in a step.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::{ByStage, Workload};
use crate::arena::Ordered;
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op, Origin};
use crate::graph::Kind;
use crate::ir::{MeshId, Pass, TensorId};
use crate::lower::collective::CollectiveUse;
use crate::lower::frame::{Frame, View};
use crate::lower::memory::weight_stages;
use crate::lower::phase::{LayerCollective, PhaseCost, Setting, Stage};
use crate::name::Name;
use crate::quantity::Dimension;

impl<'p> Checker<'p> {
    /// What brings gradients (and updated weights) together: one collective for all tensors that
    /// take the same way, as buckets do, on the stage that sends most.
    pub(super) fn reductions(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
    ) -> Vec<CollectiveUse> {
        let place = setting.place;
        type Way = (Kind, Rc<[MeshId]>, ExprId);
        let mut ways: Ordered<Way, (ByStage, usize)> = Ordered::default();
        let used = weight_stages(setting);
        for reduction in &setting.laid.reductions {
            let weights = &setting.model.weights;
            let rounds = weights.iter().find(|(w, _)| *w == reduction.weight).and_then(|w| w.1);
            for c in &reduction.conversions {
                let shards = &c.message.shards;
                let bytes = self.tensor_bytes(frame, c.tensor, shards, View::Local);
                let Some(mut bytes) = bytes else { continue };
                // What is left to sum after a scatter is the share of a device.
                if let (Kind::AllReduce, Some((_, n))) = (c.kind, reduction.shared) {
                    bytes = self.graph.div(bytes, n);
                }
                if let Some(rounds) = rounds {
                    bytes = self.graph.mul(bytes, rounds);
                }
                let way = (c.kind, c.group.clone(), c.count);
                let (sums, _) = ways.entry(way).or_insert(([None; 3], c.rule));
                let stages = used.get(&reduction.weight).copied().unwrap_or_default();
                let slots = if rounds.is_some() { [false, true, false] } else { stages };
                for (cell, here) in sums.iter_mut().zip(slots) {
                    if here {
                        *cell = self.plus(*cell, Some(bytes));
                    }
                }
            }
        }
        let mut out = Vec::new();
        for ((kind, group, n), (sums, rule)) in ways {
            let stages = self.on_stages(sums, work, Dimension::BYTES, place);
            let most = self.most(stages);
            let bytes = self.there(most, stages);
            let name = moved(kind);
            out.extend(self.bucket(setting, kind, &group, n, bytes, name, rule));
        }
        let tied = self.tied_over_stages(setting, work, frame, &used);
        out.extend(tied);
        if work.clips {
            out.extend(self.norm_of_all(setting, work));
        }
        out
    }

    /// What replicas that share weights or gradients send in each micro-batch: those of a layer as
    /// one message, and those before and after the layers.
    pub(super) fn each_micro_batch(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        costs: [&mut PhaseCost; 2],
    ) {
        type Way = (Kind, Rc<[MeshId]>, ExprId, Pass, Stage, Option<ExprId>);
        let mut ways: indexmap::IndexMap<Way, (ExprId, usize)> = indexmap::IndexMap::new();
        let used = weight_stages(setting);
        for reduction in &setting.laid.reductions {
            let weights = &setting.model.weights;
            let rounds = weights.iter().find(|(w, _)| *w == reduction.weight).and_then(|w| w.1);
            let [first, ..] = used.get(&reduction.weight).copied().unwrap_or_default();
            let stage = match (rounds, first) {
                (Some(_), _) => Stage::Layers,
                (None, true) => Stage::First,
                (None, false) => Stage::Last,
            };
            for c in &reduction.each {
                let shards = &c.message.shards;
                let bytes = self.tensor_bytes(frame, c.tensor, shards, View::Local);
                let Some(bytes) = bytes else { continue };
                let way = (c.kind, c.group.clone(), c.count, c.pass, stage, rounds);
                let sum = ways.get(&way).map(|(sum, _)| *sum);
                let Some(sum) = self.plus(sum, Some(bytes)) else { continue };
                ways.insert(way, (sum, c.rule));
            }
        }
        let [forward, backward] = costs;
        for ((kind, group, n, pass, stage, rounds), (bytes, rule)) in ways {
            let name = moved(kind);
            let Some(mut c) = self.bucket(setting, kind, &group, n, bytes, name, rule) else {
                continue;
            };
            if let Some(rounds) = rounds {
                c.count = rounds;
                c.total = self.graph.mul(c.time, rounds);
            }
            c.pass = pass;
            let collective =
                LayerCollective { layer: Name::new(name), stage, collective: c, makes: None };
            let cost = if pass == Pass::Forward { &mut *forward } else { &mut *backward };
            cost.collectives.push(collective);
        }
    }

    /// A weight that the first and the last stage both have: each sums the gradient of the other.
    fn tied_over_stages(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        used: &FxHashMap<TensorId, [bool; 3]>,
    ) -> Option<CollectiveUse> {
        let (shard, _) = work.pipeline.as_ref()?;
        let mut bytes = None;
        for reduction in &setting.laid.reductions {
            if matches!(used.get(&reduction.weight), Some([true, _, true])) {
                let shards = setting.laid.layouts.get(&reduction.weight)?.shards.clone();
                let own = self.tensor_bytes(frame, reduction.gradient, &shards, View::Local);
                bytes = self.plus(bytes, own);
            }
        }
        let place = setting.place;
        let one = self.counted(1.0, "1", place, "one stage has both");
        let two = self.counted(2.0, "2", place, "the first stage and the last");
        let several = self.graph.binary(Op::Lt, one, shard.count);
        let n = self.graph.select(several, two, one);
        let (group, rule) = (shard.group.clone(), shard.rule);
        self.bucket(setting, Kind::AllReduce, &group, n, bytes?, "tied gradients", rule)
    }

    /// One number over all devices: the sum of the squares of all gradients.
    fn norm_of_all(&mut self, setting: &Setting<'_, 'p>, work: &Workload) -> Option<CollectiveUse> {
        let group: Rc<[MeshId]> = setting.plan.mesh.iter().map(|(id, _)| id).collect();
        let n = setting.plan.mesh.iter().map(|(_, axis)| axis.size).collect::<Vec<_>>();
        let n = self.graph.product(n)?;
        let wide = work.formats.wide.as_ref()?.width;
        self.bucket(setting, Kind::AllReduce, &group, n, wide, "norm of gradients", 0)
    }

    #[allow(clippy::too_many_arguments)]
    fn bucket(
        &mut self,
        setting: &Setting<'_, 'p>,
        kind: Kind,
        group: &Rc<[MeshId]>,
        n: ExprId,
        message: ExprId,
        name: &str,
        rule: usize,
    ) -> Option<CollectiveUse> {
        let moves = moved(kind);
        let place = setting.place;
        let plan_place = setting.plan.rules.get(rule)?.place;
        let devices = self.group(setting.plan, setting.machine, group, n)?;
        let args = [("bytes", Value::Num(message)), ("over", devices.value.clone())];
        let time = self.library_number(kind.function(), &args)?;
        let args = [("bytes", Value::Num(message)), ("n", Value::Num(n))];
        let volume = self.library_number(&format!("{}_volume", kind.function()), &args)?;
        let mesh: Vec<&str> = group.iter().map(|m| setting.plan.mesh[*m].name.text()).collect();
        let axis = mesh.join(",");
        let title = |what: &str| format!("{} of {name} over {axis}: {what}", kind.word());
        let origin = Origin::inferred(
            Name::new(&title("time")),
            place,
            "the library's formula, once in a step",
        );
        let time = self.graph.named(time, origin);
        let origin =
            Origin::inferred(Name::new(&title("bytes")), place, "logical bytes sent by a device");
        let bytes = self.graph.named(volume, origin);
        let count = self.counted(1.0, "1", place, "once in a step");
        Some(CollectiveUse {
            kind: kind.word(),
            axis,
            tensor: name.to_owned(),
            devices: n,
            count,
            message,
            bytes,
            time,
            total: time,
            pass: Pass::Backward,
            moves,
            link: self.link_crossed(&devices),
            algorithm: self.chosen(time),
            model_place: place,
            plan_place,
        })
    }
}

/// What a collective over the replicas moves: updated weights, or gradients.
fn moved(kind: Kind) -> &'static str {
    if kind == Kind::AllGather { "weights" } else { "gradients" }
}
