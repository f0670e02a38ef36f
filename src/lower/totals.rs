//! A phase as results: the leaves `prefill.…`, `decode.…` and `layers.…`.
//!
//! In: the kernels and collectives of a phase, each costed once. Out: sums over all rounds, by view
//! (useful, even, local) and by layer, and the time of the pass through its pipeline.

use super::bound::Bound;
use super::offload::Waits;
use super::phase::{PhaseCost, Setting};
use super::pipeline::Pipeline;
use super::results::{Leaf, Results};
use super::scenario::Lowered;
use super::sums::Sums;
use super::training::Cut;
use crate::arena::Ordered;
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;

/// Where the leaves of a phase go.
struct Leaves<'r> {
    phase: &'static str,
    /// Groups of requests that go through the pipeline one after another.
    groups: Option<ExprId>,
    place: Place,
    results: &'r mut Results,
}

impl Leaves<'_> {
    /// Adds a leaf.
    fn put(
        &mut self,
        checker: &mut Checker<'_>,
        name: &str,
        id: ExprId,
        rule: &'static str,
    ) -> ExprId {
        let path = [self.phase, ".", name].concat();
        self.results.put(&mut checker.graph, &path, id, self.place, rule)
    }

    /// What all groups together have of something that one has.
    fn whole(&self, checker: &mut Checker<'_>, id: Option<ExprId>, dimension: Dimension) -> ExprId {
        let id = id.unwrap_or_else(|| checker.zero(dimension, self.place, NOTHING));
        match self.groups {
            Some(groups) => checker.graph.mul(id, groups),
            None => id,
        }
    }

    /// Adds a leaf for what all groups together have.
    fn put_whole(
        &mut self,
        checker: &mut Checker<'_>,
        name: &str,
        (id, dimension): (Option<ExprId>, Dimension),
        rule: &'static str,
    ) -> ExprId {
        let id = self.whole(checker, id, dimension);
        self.put(checker, name, id, rule)
    }
}

/// Why a sum over nothing is nothing.
const NOTHING: &str = "nothing of this kind";

/// What the shares of a phase are shares of.
struct Shared {
    time: ExprId,
    /// Devices of the mesh, as a bare number.
    devices: ExprId,
    /// Useful matrix work of all devices, and bytes of one.
    matrix: Option<ExprId>,
    bytes: Option<ExprId>,
}

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
        let sums = self.added_up(cost, place);
        let mut pass = self.graph.sum(sums.time.into_iter().flatten())?;
        let mut stages = self.cut_over(sums.time, cut, Dimension::TIME, place);
        let waits = self.waits(setting, cost, cut, stages)?;
        if let Some(waits) = &waits {
            stages = self.add_stages(stages, waits.exposed);
            let waited = self.over_all_stages(cut, waits.exposed, setting);
            pass = self.graph.add(pass, waited);
        }
        let mut total = pass;
        if let (Some(cut), Some(groups)) = (cut, groups) {
            let pipeline = self.piped(phase, (cut, groups), (pass, stages), sums.send, setting)?;
            total = pipeline.time;
            lowered.pipelines.push((phase, pipeline));
        }
        let leaves = &mut Leaves { phase, groups, place, results: &mut lowered.results };
        let rule = "kernels, collectives and overhead, one after another";
        let time = leaves.put(self, "time", total, rule);
        let devices = self.bare_devices(setting);
        // Each step runs on the devices of one stage.
        let each = match cut {
            Some(cut) => self.graph.div(devices, cut.stages),
            None => devices,
        };
        let mut shared = Shared { time, devices, matrix: None, bytes: None };
        if !self.brief {
            self.work_results(&sums, each, &mut shared, leaves);
        }
        self.time_results(&sums, cost, leaves);
        let waiting = waits.map(|waits| self.wait_results(&waits, cut, setting, leaves));
        let count = (sums.count, Dimension::NONE);
        leaves.put_whole(self, "communication.count", count, "collectives of more than one device");
        self.share_results(&shared, cost, setting, leaves);
        let bound = Bound::of(cost, waiting, sums.communication);
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

    /// A pass through a pipeline, by the library's formula: its time on one group of requests is
    /// `pass`, and on each stage that of `stages`.
    fn piped(
        &mut self,
        phase: &'static str,
        (cut, groups): (Cut, ExprId),
        (pass, stages): (ExprId, [ExprId; 3]),
        send: Option<ExprId>,
        setting: &Setting<'_, 'p>,
    ) -> Option<Pipeline> {
        let slowest = self.most(stages);
        let slowest = self.there(slowest, stages);
        let none = self.zero(Dimension::TIME, setting.place, NOTHING);
        let (name, schedule) = match phase {
            "prefill" => ("pipeline_prefill", "prefill"),
            _ => ("pipeline_decode", "decode"),
        };
        let args = [
            ("total", Value::Num(pass)),
            ("slowest", Value::Num(slowest)),
            ("send", Value::Num(send.unwrap_or(none))),
            ("stages", Value::Num(cut.stages)),
            ("groups", Value::Num(groups)),
        ];
        let time = self.library_number(name, &args)?;
        let one = self.counted(1.0, "1", setting.place, "each stage runs all of its layers");
        Some(Pipeline {
            schedule: Name::new(schedule),
            stages: cut.stages,
            micro_batches: groups,
            chunks: one,
            passes: [stages, [none; 3], [none; 3]],
            send,
            time,
            shares: Some(cut.shares),
            layers: super::memory::stages(&setting.laid.steps).map(|(_, n)| n),
        })
    }

    /// Work and bytes: useful, of padding, and done on more than one device. `each` is how many
    /// devices a step runs on.
    fn work_results(
        &mut self,
        sums: &Sums,
        each: ExprId,
        shared: &mut Shared,
        leaves: &mut Leaves<'_>,
    ) {
        let dims = [Dimension::FLOP, Dimension::FLOP, Dimension::BYTES];
        let names = ["flops.matrix", "flops.vector", "bytes"];
        for (i, (name, dimension)) in names.into_iter().zip(dims).enumerate() {
            let parts = sums.work.map(|row| row.get(i).copied().flatten());
            let [useful, even, local] = parts.map(|part| leaves.whole(self, part, dimension));
            let useful = leaves.put(self, name, useful, "useful work of all devices");
            let even = self.graph.mul(even, each);
            let local = self.graph.mul(local, each);
            // Never below nothing, whatever the rounding of shares such as a third.
            let none = self.zero(dimension, leaves.place, NOTHING);
            let padded = self.graph.sub(local, even);
            let padded = self.graph.binary(Op::Max, none, padded);
            let replicated = self.graph.sub(even, useful);
            let replicated = self.graph.binary(Op::Max, none, replicated);
            let rule = "work on padding, all devices";
            leaves.put(self, &format!("padded.{name}"), padded, rule);
            let rule = "work done on more than one device";
            leaves.put(self, &format!("replicated.{name}"), replicated, rule);
            let per = self.graph.div(local, shared.devices);
            let rule = "work of one device, mean over stages";
            let per = leaves.put(self, &format!("device.{name}"), per, rule);
            match name {
                "flops.matrix" => shared.matrix = Some(useful),
                "bytes" => shared.bytes = Some(per),
                _ => {}
            }
        }
        if sums.weights.is_some() {
            let rule =
                "weights that are read, once by each group of requests; of experts the touched";
            leaves.put_whole(self, "weights_read", (sums.weights, Dimension::BYTES), rule);
        }
    }

    /// Times at the engines and the memory, overhead, and collectives.
    fn time_results(&mut self, sums: &Sums, cost: &PhaseCost, leaves: &mut Leaves<'_>) {
        let time = Dimension::TIME;
        let [at_engines, at_memory] = match leaves.groups {
            Some(_) => [
                "time on the engines, stage by stage and group by group",
                "time at the main memory, stage by stage and group by group",
            ],
            None => [
                "time on the engines of the fullest device, if nothing else bound",
                "time at the main memory of the fullest device, if nothing else bound",
            ],
        };
        leaves.put_whole(self, "compute_time", (sums.compute, time), at_engines);
        leaves.put_whole(self, "memory_time", (sums.memory, time), at_memory);
        let rule = "launches and gaps of the layers";
        leaves.put_whole(self, "overhead", (cost.overhead, time), rule);
        let rule = "logical bytes that a device of each stage sends";
        leaves.put_whole(self, "communication.bytes", (sums.volume, Dimension::BYTES), rule);
        let exposed = leaves.whole(self, sums.communication, time);
        let exposed = self.plus(Some(exposed), sums.sends).unwrap_or(exposed);
        leaves.put(self, "communication.exposed", exposed, "collectives that nothing hides");
        let hidden = self.zero(time, leaves.place, NOTHING);
        leaves.put(self, "communication.hidden", hidden, "collectives behind compute");
    }

    /// Transfers of what lies outside of the devices; gives those that nothing hides.
    fn wait_results(
        &mut self,
        waits: &Waits,
        cut: Option<Cut>,
        setting: &Setting<'_, 'p>,
        leaves: &mut Leaves<'_>,
    ) -> ExprId {
        let time = Dimension::TIME;
        let mut put = |name, stages, dimension, rule| {
            let all = self.over_all_stages(cut, stages, setting);
            leaves.put_whole(self, name, (Some(all), dimension), rule)
        };
        let exposed = put("offload.exposed", waits.exposed, time, "transfers that nothing hides");
        put("offload.hidden", waits.hidden, time, "transfers behind other work");
        let rule = "to and from a device of each stage";
        put("offload.bytes", waits.bytes, Dimension::BYTES, rule);
        exposed
    }

    /// Shares of what the hardware could do.
    fn share_results(
        &mut self,
        shared: &Shared,
        cost: &PhaseCost,
        setting: &Setting<'_, 'p>,
        leaves: &mut Leaves<'_>,
    ) {
        let sizes = cost.kernels.iter().map(|k| (k.peak, k.useful.first().copied().flatten()));
        let sizes: Vec<_> = sizes.filter_map(|(peak, size)| Some((peak?, size?))).collect();
        let peak = self.peak_of_largest(&sizes);
        if let (Some(peak), Some(matrix)) = (peak, shared.matrix) {
            let args = [
                ("flops", Value::Num(matrix)),
                ("time", Value::Num(shared.time)),
                ("devices", Value::Num(shared.devices)),
                ("peak", Value::Num(peak)),
            ];
            if let Some(mfu) = self.library_number("model_flops_utilization", &args) {
                let rule = "useful matrix work over what all devices could do";
                leaves.put(self, "mfu", mfu, rule);
            }
        }
        let memory = self.main_memory(&setting.machine.chip);
        if let (Some((_, bandwidth)), Some(bytes)) = (memory, shared.bytes) {
            let args = [
                ("bytes", Value::Num(bytes)),
                ("time", Value::Num(shared.time)),
                ("bandwidth", Value::Num(bandwidth)),
            ];
            if let Some(mbu) = self.library_number("memory_bandwidth_utilization", &args) {
                let rule = "bytes of a device over what its memory could move";
                leaves.put(self, "mbu", mbu, rule);
            }
        }
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
            lowered.results.put(&mut self.graph, &path, id, place, rule);
        }
    }
}
