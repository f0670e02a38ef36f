//! A phase added up: the leaves `prefill.…`, `decode.…` and `layers.…`.
//!
//! In: the kernels and collectives of a phase, each costed once. Out: sums over all rounds, by view
//! (useful, even, local) and by layer, and the time of the pass through its pipeline.

use super::bound::Bound;
use super::phase::{PhaseCost, Setting, Stage};
use super::pipeline::Pipeline;
use super::results::Leaf;
use super::scenario::Lowered;
use super::training::Cut;
use crate::arena::Ordered;
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;

impl<'p> Checker<'p> {
    /// The leaves of one phase.
    pub(super) fn phase_results(
        &mut self,
        phase: &'static str,
        cost: &PhaseCost,
        setting: &Setting<'_, 'p>,
        groups: Option<ExprId>,
        cut: Option<Cut>,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let place = setting.place;
        super::formats::computed(&mut lowered.formats, &self.graph, cost);
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
        let (mut compute, mut memory, mut weights) = (None, None, None);
        let mut sums: [[Option<ExprId>; 3]; 3] = [[None; 3]; 3];
        for kernel in &cost.kernels {
            let t = per_pass(self, kernel.time, kernel.rounds);
            let slot = kernel.stage as usize;
            if let Some(cell) = time.get_mut(slot) {
                *cell = self.plus(*cell, Some(t));
            }
            let parts = [
                (kernel.compute, &mut compute),
                (kernel.memory, &mut memory),
                (kernel.weights, &mut weights),
            ];
            for (part, sum) in parts {
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
        let mut stages = self.cut_over(time, cut, Dimension::TIME, place);
        let waits = self.waits(setting, cost, cut, stages)?;
        let mut pass = pass;
        if let Some(waits) = &waits {
            stages = self.add_stages(stages, waits.exposed);
            let waited = self.over_all_stages(cut, waits.exposed, setting);
            pass = self.graph.add(pass, waited);
        }
        let total = match (cut, groups) {
            (Some(cut), Some(groups)) => {
                let slowest = self.most(stages);
                let slowest = self.there(slowest, stages);
                let none = zero(self, Dimension::TIME);
                let name = if phase == "prefill" { "pipeline_prefill" } else { "pipeline_decode" };
                let time = self.library_number(
                    name,
                    &[
                        ("total", Value::Num(pass)),
                        ("slowest", Value::Num(slowest)),
                        ("send", Value::Num(send.unwrap_or(none))),
                        ("stages", Value::Num(cut.stages)),
                        ("groups", Value::Num(groups)),
                    ],
                )?;
                let one = self.counted(1.0, "1", place, "each stage runs all of its layers");
                let pipeline = Pipeline {
                    schedule: Name::new(if phase == "prefill" { "prefill" } else { "decode" }),
                    stages: cut.stages,
                    micro_batches: groups,
                    chunks: one,
                    passes: [stages, [none; 3], [none; 3]],
                    send,
                    time,
                    shares: Some(cut.shares),
                    layers: super::memory::stages(&setting.laid.steps).map(|(_, n)| n),
                };
                lowered.pipelines.push((phase, pipeline));
                time
            }
            _ => pass,
        };
        let results = &mut lowered.results;
        let mut put = |checker: &mut Self, name: &str, id: ExprId, rule: &'static str| {
            let path = [phase, ".", name].concat();
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
        let each = match cut {
            Some(cut) => self.graph.div(plain, cut.stages),
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
        if let (Some(weights), false) = (weights, self.brief) {
            let w = whole(self, Some(weights), Dimension::BYTES);
            put(
                self,
                "weights_read",
                w,
                "weights that are read, once by each group of requests; of experts the touched",
            );
        }
        let c = whole(self, compute, Dimension::TIME);
        put(
            self,
            "compute_time",
            c,
            match groups {
                Some(_) => "time on the engines, stage by stage and group by group",
                None => "time on the engines of the fullest device, if nothing else bound",
            },
        );
        let m = whole(self, memory, Dimension::TIME);
        put(
            self,
            "memory_time",
            m,
            match groups {
                Some(_) => "time at the main memory, stage by stage and group by group",
                None => "time at the main memory of the fullest device, if nothing else bound",
            },
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
        let mut waiting = None;
        if let Some(waits) = waits {
            for (name, stages, dimension, rule) in [
                ("exposed", waits.exposed, Dimension::TIME, "transfers that nothing hides"),
                ("hidden", waits.hidden, Dimension::TIME, "transfers behind other work"),
                ("bytes", waits.bytes, Dimension::BYTES, "to and from a device of each stage"),
            ] {
                let all = self.over_all_stages(cut, stages, setting);
                let all = whole(self, Some(all), dimension);
                let id = put(self, &format!("offload.{name}"), all, rule);
                waiting = waiting.or(Some(id));
            }
        }
        let n = whole(self, count, Dimension::NONE);
        put(self, "communication.count", n, "collectives of more than one device");
        // Shares of what the hardware could do.
        let sizes = cost.kernels.iter().map(|k| (k.peak, k.useful.first().copied().flatten()));
        let sizes: Vec<_> = sizes.filter_map(|(peak, size)| Some((peak?, size?))).collect();
        let peak = self.peak_of_largest(&sizes);
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
        let bound = Bound::of(cost, waiting, comm);
        let most = bound.most(|id| self.graph.value(id)).to_owned();
        lowered.results.leaves.insert(format!("{phase}.bound"), Leaf::Text(most));
        lowered.bounds.push((phase, bound));
        if !self.brief {
            self.layer_results(phase, cost, groups, place, lowered);
        }
        let list = cost.collectives.iter().map(|c| c.collective.clone()).collect();
        lowered.collectives.push((phase.to_owned(), list));
        Some(())
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

    /// `layers.NAME.…`: the same for each kind of layer and each op in it.
    pub(super) fn layer_results(
        &mut self,
        phase: &str,
        cost: &PhaseCost,
        groups: Option<ExprId>,
        place: Place,
        lowered: &mut Lowered,
    ) {
        // By layer, op in it, and what is counted.
        type Key = (Name, Option<Name>, &'static str);
        let mut rows: Ordered<Key, Option<ExprId>> = Ordered::default();
        for kernel in &cost.kernels {
            let layer = kernel.layer;
            let op = Some(kernel.op).filter(|op| *op != layer);
            let times = [Some(kernel.time), kernel.compute, kernel.memory];
            let [matrix, vector, bytes] = kernel.useful;
            let flops = self.plus(matrix, vector);
            for op in [None].into_iter().chain(op.map(Some)) {
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
                    let row = rows.entry((layer, op, name)).or_default();
                    *row = self.plus(*row, Some(id));
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
                let row = rows.entry((layer, None, name)).or_default();
                *row = self.plus(*row, Some(id));
            }
        }
        for ((layer, op, name), id) in rows {
            let Some(id) = id else { continue };
            let path = match op {
                None => ["layers.", layer.text(), ".", phase, ".", name].concat(),
                Some(op) => {
                    ["layers.", layer.text(), ".", op.text(), ".", phase, ".", name].concat()
                }
            };
            let rule = "the sum over all rounds of this kind of layer";
            let id = self.result_node(&path, id, place, rule);
            lowered.results.number(path, id);
        }
    }
}
