//! Memory of the fullest device: weights, cache, activations by liveness, buffers, reserve.

use rustc_hash::FxHashMap;

use super::frame::{Frame, View};
use super::liveness::alive_together;
use super::offload::OnStages;
use super::phase::Setting;
use super::results::{Leaf, Results};
use super::stores::Held;
use super::training::Cut;
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op, Origin};
use crate::graph::{LaidStep, Shard, Version};
use crate::ir::{OpId, Role, TensorId};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;

/// Bytes by stage of a pipeline.
#[derive(Clone, Copy, Default)]
pub(super) struct ByStage {
    pub(super) first: Option<ExprId>,
    pub(super) layers: Option<ExprId>,
    pub(super) last: Option<ExprId>,
}

impl<'p> Checker<'p> {
    /// `memory.*` for a serving workload. `frame` holds the longest context and all requests.
    pub(super) fn memory(
        &mut self,
        root: &str,
        setting: &Setting<'_, 'p>,
        stored: &Frame,
        prefill: &Frame,
        cut: Option<Cut>,
        results: &mut Results,
    ) -> Option<()> {
        let place = setting.place;
        let (weights, weights_away) = self.weights_of_stages(setting, stored, cut)?;
        let (cache, mut held) = self.cache_of_stages(setting, stored, cut)?;
        held.splice(0..0, weights_away);
        let (weights, cache) = match cut {
            None => (weights.first().copied()?, cache.first().copied()?),
            Some(_) => {
                let both = self.add_stages(weights, cache);
                let fullest = self.most(both);
                (self.there(fullest, weights), self.there(fullest, cache))
            }
        };
        let activations = self.working_set(setting, prefill);
        let none = self.zero(Dimension::BYTES, setting.place, "nothing of this kind is kept");
        let (capacity, _) = self.main_memory(&setting.machine.chip)?;
        let buffers = self.library_number("buffer_bytes", &[])?;
        let args = [("capacity", Value::Num(capacity))];
        let reserve = self.library_number("reserved_bytes", &args)?;
        let parts = [
            ("weights", weights, "weights of the fullest stage on one device"),
            ("cache", cache, "what is kept between steps, at the longest context"),
            (
                "activations",
                activations.unwrap_or(none),
                "the largest set of tensors alive at once",
            ),
            ("buffers", buffers, "scratch memory of the libraries"),
            ("reserve", reserve, "what no tensor can have"),
        ];
        let fits = self.memory_results(root, place, capacity, &parts, results)?;
        let there = self.store_results(root, setting, &held, cut, results)?;
        self.fits_result(root, place, fits, there, results);
        Some(())
    }

    /// The parts of a memory by their names and what they are, their sum, and what is left of its
    /// capacity; gives whether all of it fits.
    pub(super) fn memory_results(
        &mut self,
        root: &str,
        place: Place,
        capacity: ExprId,
        parts: &[(&'static str, ExprId, &'static str)],
        results: &mut Results,
    ) -> Option<ExprId> {
        let mut ids = Vec::new();
        for (name, id, rule) in parts {
            let path = format!("{root}.{name}");
            ids.push(results.put(&mut self.graph, &path, *id, place, rule));
        }
        let total = self.graph.sum(ids)?;
        let path = format!("{root}.total");
        let total = results.put(&mut self.graph, &path, total, place, "the sum of all parts");
        results.number(format!("{root}.capacity"), capacity);
        let left = self.graph.sub(capacity, total);
        let headroom = self.graph.div(left, capacity);
        let rule = "what is left of the capacity, as a share of it";
        let path = format!("{root}.headroom");
        results.put(&mut self.graph, &path, headroom, place, rule);
        Some(self.graph.binary(Op::Le, total, capacity))
    }

    /// Whether everything fits: into this memory, and what lies elsewhere too.
    pub(super) fn fits_result(
        &mut self,
        root: &str,
        place: Place,
        mut fits: ExprId,
        elsewhere: Option<ExprId>,
        results: &mut Results,
    ) {
        if let Some(elsewhere) = elsewhere {
            fits = self.graph.binary(Op::And, fits, elsewhere);
        }
        let path = format!("{root}.fits");
        let fits = self.result_node(&path, fits, place, "total <= capacity");
        results.leaves.insert(path, Leaf::Flag(fits));
    }

    /// Weights on a device of each kind of stage, and those that lie elsewhere.
    fn weights_of_stages(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        cut: Option<Cut>,
    ) -> Option<(OnStages, Held)> {
        let (bytes, place) = (Dimension::BYTES, setting.place);
        let lists = |s: ByStage| [s.first, s.layers, s.last];
        let here = self.by_stage(setting, &mut |checker, tensor| {
            let bytes = checker.local_bytes(setting, frame, tensor)?;
            Some(checker.parted(setting, Role::Weights, tensor, bytes).0)
        });
        let mut here = self.cut_over(lists(here), cut, bytes, place);
        let mut held = Vec::new();
        let away = self.in_stores(setting, Role::Weights, &mut |checker, tensor| {
            checker.local_bytes(setting, frame, tensor)
        });
        for away in away {
            let passing = self.passing(setting, away.largest, cut)?;
            here = self.add_stages(here, passing);
            let all = self.cut_over(lists(away.all), cut, bytes, place);
            held.push((away.store, "weights", all));
        }
        Some((here, held))
    }

    /// The same for what is kept between steps.
    fn cache_of_stages(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        cut: Option<Cut>,
    ) -> Option<(OnStages, Held)> {
        let (mut here, mut away) = (None, Vec::<(usize, &'static str, ExprId)>::new());
        for (tensor, rounds) in &setting.model.stored {
            let Some(mut bytes) = self.local_bytes(setting, frame, *tensor) else { continue };
            if let Some(rounds) = rounds {
                bytes = self.graph.mul(bytes, *rounds);
            }
            let role = setting.model.tensors[*tensor].role;
            let (own, elsewhere) = self.parted(setting, role, *tensor, bytes);
            here = self.plus(here, Some(own));
            let Some((at, bytes)) = elsewhere else { continue };
            match away.iter_mut().find(|(store, part, _)| *store == at && *part == role.word()) {
                Some((_, _, sum)) => *sum = self.graph.add(*sum, bytes),
                None => away.push((at, role.word(), bytes)),
            }
        }
        let (dimension, place) = (Dimension::BYTES, setting.place);
        let mut here = self.cut_over([None, here, None], cut, dimension, place);
        let mut held = Vec::new();
        for (store, part, bytes) in away {
            let layers = ByStage { layers: Some(bytes), ..ByStage::default() };
            let passing = self.passing(setting, layers, cut)?;
            here = self.add_stages(here, passing);
            let bytes = self.cut_over([None, Some(bytes), None], cut, dimension, place);
            held.push((store, part, bytes));
        }
        Some((here, held))
    }

    fn local_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        tensor: TensorId,
    ) -> Option<ExprId> {
        let shards = setting.laid.layouts.get(&tensor).map(|l| l.shards.clone());
        self.tensor_bytes(frame, tensor, &shards.unwrap_or_default(), View::Local)
    }

    /// A result under its path.
    pub(crate) fn result_node(
        &mut self,
        path: &str,
        id: ExprId,
        place: Place,
        rule: &'static str,
    ) -> ExprId {
        let origin = Origin::inferred(Name::new(path), place, rule);
        self.graph.named(id, origin)
    }

    /// What each weight takes on one device, by stage.
    pub(super) fn by_stage(
        &mut self,
        setting: &Setting<'_, 'p>,
        bytes_of: &mut dyn FnMut(&mut Self, TensorId) -> Option<ExprId>,
    ) -> ByStage {
        self.by_stage_with(setting, Op::Add, bytes_of)
    }

    /// The same with another way to put together what stands beside the layers: the largest of it.
    pub(super) fn by_stage_with(
        &mut self,
        setting: &Setting<'_, 'p>,
        beside: Op,
        bytes_of: &mut dyn FnMut(&mut Self, TensorId) -> Option<ExprId>,
    ) -> ByStage {
        let used = weight_stages(setting);
        let mut sums = ByStage::default();
        for (tensor, rounds) in &setting.model.weights {
            let Some(mut bytes) = bytes_of(self, *tensor) else { continue };
            if let Some(rounds) = rounds {
                bytes = self.graph.mul(bytes, *rounds);
                sums.layers = self.plus(sums.layers, Some(bytes));
                continue;
            }
            let [first, _, last] = used.get(tensor).copied().unwrap_or([true, false, false]);
            let pipelined = stages(&setting.laid.steps).is_some();
            let here = [first || !pipelined, last && pipelined];
            for (cell, here) in [&mut sums.first, &mut sums.last].into_iter().zip(here) {
                *cell = match *cell {
                    _ if !here => *cell,
                    None => Some(bytes),
                    Some(so_far) if beside == Op::Max => {
                        Some(self.graph.binary(Op::Max, so_far, bytes))
                    }
                    Some(so_far) => Some(self.graph.add(so_far, bytes)),
                };
            }
        }
        sums
    }

    /// The greatest sum of activations alive at one step of a pass.
    fn working_set(&mut self, setting: &Setting<'_, 'p>, frame: &Frame) -> Option<ExprId> {
        let mut peaks = Vec::new();
        let mut known = FxHashMap::default();
        for set in alive_together(&setting.laid.steps, &setting.model, &setting.escaping) {
            let mut sum = None;
            for version in set {
                let bytes = self.version_bytes(setting, frame, version, &mut known);
                sum = self.plus(sum, bytes);
            }
            peaks.extend(sum);
        }
        self.graph.greatest(peaks)
    }

    /// What a version of a tensor takes on one device; `known` are those asked for before.
    pub(super) fn version_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        version: Version,
        known: &mut FxHashMap<Version, Option<ExprId>>,
    ) -> Option<ExprId> {
        *known.entry(version).or_insert_with(|| {
            let shards = setting.laid.layout(version).map(|l| l.shards.as_slice());
            let shards = shards.unwrap_or_default();
            self.tensor_bytes(frame, version.tensor, shards, View::Local)
        })
    }
}

/// The pipeline of a model: how its layers are cut, and how many there are.
pub fn stages(steps: &[LaidStep]) -> Option<(Shard, ExprId)> {
    steps.iter().find_map(|step| match step {
        LaidStep::Repeat { repeat, stages: Some(shard), .. } => Some((shard.clone(), repeat.count)),
        _ => None,
    })
}

/// Where the weights that stand outside of the layers are used: before them, in them, after them.
pub(super) fn weight_stages(setting: &Setting<'_, '_>) -> FxHashMap<TensorId, [bool; 3]> {
    let mut used: FxHashMap<TensorId, [bool; 3]> = FxHashMap::default();
    let steps = &setting.laid.steps;
    let forward = setting.laid.forward_steps.unwrap_or(steps.len());
    note_stages(steps.get(..forward).unwrap_or_default(), setting, &mut 0, false, &mut used);
    used
}

fn note_stages(
    steps: &[LaidStep],
    setting: &Setting<'_, '_>,
    stage: &mut usize,
    inside: bool,
    used: &mut FxHashMap<TensorId, [bool; 3]>,
) {
    for step in steps {
        let mut ops: Vec<OpId> = Vec::new();
        match step {
            LaidStep::Op(op) => ops.push(op.op),
            LaidStep::Fuse(_, list) => ops.extend(list.iter().map(|o| o.op)),
            LaidStep::Convert(_) | LaidStep::Join { .. } => {}
            LaidStep::Repeat { body, .. } => {
                note_stages(body, setting, &mut 1, true, used);
                if !inside {
                    *stage = 2;
                }
            }
            LaidStep::Some { body, .. } => note_stages(body, setting, stage, inside, used),
        }
        for op in ops {
            for (_, tensor) in &setting.model.ops[op].operands {
                if let Some(flag) = used.entry(*tensor).or_default().get_mut(*stage) {
                    *flag = true;
                }
            }
        }
    }
}
