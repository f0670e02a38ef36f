//! Memory of training on the fullest device: weights, gradients, optimizer, saved and working
//! activations, buffers, reserve.
//!
//! In: a laid-out model with its backward pass. Out: `memory.*`. Saved are the tensors that the
//! backward pass reads and the forward pass made, for each micro-batch in flight; working is the
//! largest set alive at once beside them.

use rustc_hash::{FxHashMap, FxHashSet};

use super::frame::{Frame, View};
use super::liveness::alive_together;
use super::memory::ByStage;
use super::phase::Setting;
use super::results::{Leaf, Results};
use super::training::{Away, Cut, Workload};
use crate::check::{Checker, Value};
use crate::diagnostic::{Diagnostic, closest, codes, listed};
use crate::expr::{ExprId, Op};
use crate::graph::{LaidStep, Version, saved};
use crate::ir::{Kept as Shares, Model, Pass, Role};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::ItemKind;

/// What the update of the weights works on, on the fullest device.
pub(super) struct Kept {
    pub(super) updated_gradients: ExprId,
    pub(super) state: ExprId,
    pub(super) updated_weights: ExprId,
    /// Matrix work of it.
    pub(super) flops: ExprId,
    /// Gradients of the first stage, of one between, and of the last.
    pub(super) gradients: [ExprId; 3],
    /// What lies outside of the devices.
    pub(super) away: Away,
}

/// Saved activations in a memory outside of the devices: of one micro-batch before, in and after
/// the layers, and of all in flight on each kind of stage.
type SavedAway = (usize, [Option<ExprId>; 3], [ExprId; 3]);

/// Where the forward pass makes a version: the stage, and in how many rounds.
type Made = (usize, Option<ExprId>);

impl<'p> Checker<'p> {
    pub(super) fn training_memory(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        results: &mut Results,
    ) -> Option<Kept> {
        let place = setting.place;
        let lists = |s: ByStage| [s.first, s.layers, s.last];
        let weights = lists(self.by_stage(setting, &mut |checker, weight| {
            let bytes = checker.weight_bytes(setting, frame, weight)?;
            let bytes = checker.share_of(setting, weight, bytes, Shares::Weights)?;
            Some(checker.parted(setting, Role::Weights, weight, bytes).0)
        }));
        let gradients = lists(self.by_stage(setting, &mut |checker, weight| {
            let bytes = checker.gradient_bytes(setting, frame, weight)?;
            let bytes = checker.share_of(setting, weight, bytes, Shares::Gradients)?;
            Some(checker.parted(setting, Role::Gradients, weight, bytes).0)
        }));
        let state = lists(self.by_stage(setting, &mut |checker, weight| {
            let bytes = checker.state_bytes(setting, work, frame, weight)?;
            let bytes = checker.share_of(setting, weight, bytes, Shares::Optimizer)?;
            Some(checker.parted(setting, Role::Optimizer, weight, bytes).0)
        }));
        let updated = lists(self.by_stage(setting, &mut |checker, weight| {
            let bytes = checker.gradient_bytes(setting, frame, weight)?;
            let bytes = checker.share_of(setting, weight, bytes, Shares::Optimizer)?;
            Some(checker.parted(setting, Role::Optimizer, weight, bytes).0)
        }));
        let updated_weights = lists(self.by_stage(setting, &mut |checker, weight| {
            let bytes = checker.weight_bytes(setting, frame, weight)?;
            let bytes = checker.share_of(setting, weight, bytes, Shares::Optimizer)?;
            Some(checker.parted(setting, Role::Optimizer, weight, bytes).0)
        }));
        let flops = lists(self.by_stage(setting, &mut |checker, weight| {
            let flops = checker.update_flops(setting, work, frame, weight)?;
            let flops = checker.share_of(setting, weight, flops, Shares::Optimizer)?;
            Some(checker.parted(setting, Role::Optimizer, weight, flops).0)
        }));
        let bytes = Dimension::BYTES;
        let stages = |checker: &mut Self, parts| checker.on_stages(parts, work, bytes, place);
        let mut model = [weights, gradients, state].map(|parts| stages(self, parts));
        // Some schedules run the layers of two stages on each device: its own, and the one at the
        // other end.
        let mirrored = self.mirrored(work, place)?;
        for part in &mut model {
            *part = self.mirror(*part, mirrored);
        }
        let updated = [updated, state, updated_weights].map(|parts| stages(self, parts));
        let flops = self.on_stages(flops, work, Dimension::FLOP, place);
        let (mut away, through) = self.away_in_training(setting, work, frame, mirrored)?;
        for (part, through) in model.iter_mut().zip(through) {
            if let Some(through) = through {
                *part = self.add_stages(*part, through);
            }
        }
        let all_flops = self.all_update_flops(setting, work, frame);
        if let Some(flops) = all_flops {
            self.updates_elsewhere(setting, work, flops);
        }
        let (mut kept, saved_away) = self.saved_bytes(setting, work, frame)?;
        let mut shelves = Vec::new();
        for (store, parts, in_flight) in saved_away {
            let cut = work.shares.map(|shares| Cut { shares, stages: work.stages });
            let [first, layers, last] = parts;
            let passing = self.passing(setting, ByStage { first, layers, last }, cut)?;
            kept = self.add_stages(kept, passing);
            away.saved.push((store, self.on_stages(parts, work, bytes, place)));
            shelves.push((store, in_flight));
        }
        let working = self.working_bytes(setting, work, frame)?;
        // The fullest stage: the first holds most micro-batches, the last the logits.
        let mut totals = [kept; 3];
        for (i, total) in totals.iter_mut().enumerate() {
            let of = |stages: &[ExprId; 3]| stages.get(i).copied();
            let parts = model.iter().chain([&kept, &working]).filter_map(of);
            let sum = self.graph.sum(parts.collect::<Vec<_>>())?;
            *total = [sum; 3];
        }
        let totals = totals.map(|[sum, ..]| sum);
        let fullest = self.most(totals);
        let [w, g, o] = model.map(|stages| self.there(fullest, stages));
        let [ug, us, uw] = updated.map(|stages| self.there(fullest, stages));
        let (saved, works) = (self.there(fullest, kept), self.there(fullest, working));
        let (capacity, _) = self.main_memory(&setting.machine.chip)?;
        let mut buffers = self.library_number("buffer_bytes", &[])?;
        if let Some(unshared) = self.unshared_bytes(setting, work, frame)? {
            buffers = self.graph.add(buffers, unshared);
        }
        let args = [("capacity", Value::Num(capacity))];
        let reserve = self.library_number("reserved_bytes", &args)?;
        let rows = [
            ("weights", w, "weights of the fullest stage on one device"),
            ("gradients", g, "one gradient for each weight, kept over the micro-batches"),
            ("optimizer", o, "what the optimizer keeps for each weight"),
            ("activations.saved", saved, "what backward reads, of all micro-batches in flight"),
            ("activations.working", works, "the largest set of tensors alive at once beside it"),
            (
                "buffers",
                buffers,
                "scratch memory of the libraries, and what is gathered for a while",
            ),
            ("reserve", reserve, "what no tensor can have"),
        ];
        let held = self.held_in_training(&away, shelves);
        let cut = work.shares.map(|shares| Cut { shares, stages: work.stages });
        let elsewhere = self.store_results("memory", setting, &held, cut, results)?;
        self.memory_results(setting, capacity, rows, elsewhere, results)?;
        let [weights, gradients, optimizer] = model;
        if work.shares.is_some() {
            let parts = [
                ("weights", weights),
                ("gradients", gradients),
                ("optimizer", optimizer),
                ("activations.saved", kept),
                ("activations.working", working),
            ];
            let rest = self.graph.add(buffers, reserve);
            let totals = totals.map(|t| self.graph.add(t, rest));
            for (name, stages) in parts.into_iter().chain([("total", totals)]) {
                for (stage, id) in ["first", "between", "last"].into_iter().zip(stages) {
                    let path = format!("memory.stages.{stage}.{name}");
                    let id = self.result_node(&path, id, place, "of one device of the stage");
                    results.number(path, id);
                }
            }
        }
        let flops = self.there(fullest, flops);
        Some(Kept { updated_gradients: ug, state: us, updated_weights: uw, flops, gradients, away })
    }

    /// Matrix work of the update of all weights, if there is any.
    fn all_update_flops(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
    ) -> Option<ExprId> {
        setting.plan.offload.first()?;
        let flops = self.by_stage(setting, &mut |checker, weight| {
            checker.update_flops(setting, work, frame, weight)
        });
        let sum = self.plus(flops.first, flops.layers);
        self.plus(sum, flops.last)
    }

    fn memory_results(
        &mut self,
        setting: &Setting<'_, 'p>,
        capacity: ExprId,
        rows: [(&'static str, ExprId, &'static str); 7],
        elsewhere: Option<ExprId>,
        results: &mut Results,
    ) -> Option<()> {
        let place = setting.place;
        let mut ids = Vec::new();
        for (name, id, rule) in rows {
            let path = format!("memory.{name}");
            let id = self.result_node(&path, id, place, rule);
            results.number(path, id);
            ids.push(id);
        }
        let total = self.graph.sum(ids)?;
        let total = self.result_node("memory.total", total, place, "the sum of all parts");
        results.number("memory.total", total);
        results.number("memory.capacity", capacity);
        let left = self.graph.sub(capacity, total);
        let headroom = self.graph.div(left, capacity);
        let rule = "what is left of the capacity, as a share of it";
        let headroom = self.result_node("memory.headroom", headroom, place, rule);
        results.number("memory.headroom", headroom);
        let mut fits = self.graph.binary(Op::Le, total, capacity);
        if let Some(elsewhere) = elsewhere {
            fits = self.graph.binary(Op::And, fits, elsewhere);
        }
        let fits = self.result_node("memory.fits", fits, place, "total <= capacity");
        results.leaves.insert("memory.fits".into(), Leaf::Flag(fits));
        Some(())
    }

    /// The name of an optimizer is the name of a formula of the library.
    pub(super) fn known_optimizer(&mut self, optimizer: Name, place: Place) -> Option<()> {
        let suffix = "_state_bytes";
        let module = self.program.std_module("cost.training").or_else(|| {
            let item = self.program.std_item("cost", Name::new("adam_state_bytes"))?;
            Some(item.module)
        })?;
        let fns = self.program.items_of_kind(module, ItemKind::Fn);
        let names: Vec<&str> =
            fns.into_iter().filter_map(|f| f.item.name.name.text().strip_suffix(suffix)).collect();
        if names.contains(&optimizer.text()) {
            return Some(());
        }
        let title = format!("there is no optimizer `{optimizer}`");
        let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, title, place, "not an optimizer");
        let best = closest(optimizer.text(), names.iter().copied());
        self.report(diagnostic.meant(best, place, listed("the library has", &names)));
        None
    }

    /// What is kept from forward to backward, on each kind of stage.
    fn saved_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
    ) -> Option<([ExprId; 3], Vec<SavedAway>)> {
        let place = setting.place;
        let mut away: Vec<(usize, [Option<ExprId>; 3])> = Vec::new();
        let mut made = FxHashMap::default();
        let forward = setting.laid.steps.get(..setting.laid.forward_steps?)?;
        note_made(forward, &setting.model, self, &mut 0, [None; 2], &mut made);
        let mut sums = [None; 3];
        let mut seen: FxHashSet<Version> = FxHashSet::default();
        let readers = self.readers(setting);
        for version in saved(setting.laid, &setting.model) {
            let version = root(version, &setting.model);
            if !seen.insert(version) {
                continue;
            }
            let (stage, rounds) = made.get(&version).copied().unwrap_or((0, None));
            let shards = setting.laid.layout(version).map(|l| l.shards.clone());
            let shards = shards.unwrap_or_default();
            let bytes = self.tensor_bytes(frame, version.tensor, &shards, View::Local);
            let Some(mut bytes) = bytes else { continue };
            if let Some(narrow) = Self::saved_format(setting, &readers, version) {
                let own = setting.model.tensors[version.tensor].dtype.width;
                let share = self.graph.div(narrow.width, own);
                bytes = self.graph.mul(bytes, share);
            }
            let (bytes, elsewhere) = self.parted(setting, Role::Activations, version.tensor, bytes);
            self.add_rounds(&mut sums, stage, Some(bytes), rounds);
            let Some((store, bytes)) = elsewhere else { continue };
            if away.iter().all(|(at, _)| *at != store) {
                away.push((store, [None; 3]));
            }
            if let Some((_, sums)) = away.iter_mut().find(|(at, _)| *at == store) {
                self.add_rounds(sums, stage, Some(bytes), rounds);
            }
        }
        let backward = setting.laid.steps.get(setting.laid.forward_steps?..)?;
        self.statistics(backward, setting, work, frame, None, &mut sums);
        let kept = self.on_stages(sums, work, Dimension::BYTES, place);
        let kept = self.in_flight(work, kept, place)?;
        let mut elsewhere = Vec::new();
        for (store, parts) in away {
            let stages = self.on_stages(parts, work, Dimension::BYTES, place);
            elsewhere.push((store, parts, self.in_flight(work, stages, place)?));
        }
        Some((kept, elsewhere))
    }

    /// What a stage keeps of one micro-batch, for all that are under way there.
    fn in_flight(
        &mut self,
        work: &Workload,
        mut stages: [ExprId; 3],
        place: Place,
    ) -> Option<[ExprId; 3]> {
        let one = self.counted(1.0, "1", place, "the stage itself");
        let two = self.counted(2.0, "2", place, "the stage itself and the first");
        let none = self.counted(0.0, "0", place, "none after the last stage");
        let behind = [one, two].map(|n| {
            let rest = self.graph.sub(work.stages, n);
            self.graph.binary(Op::Max, none, rest)
        });
        let [after_first, after_second] = behind;
        let mut opposite = stages;
        opposite.reverse();
        let least = self.graph.binary(Op::Min, one, after_first);
        let counts = [after_first, after_second, none].into_iter().zip([none, least, after_first]);
        for ((stage, other), (behind, before)) in stages.iter_mut().zip(&mut opposite).zip(counts) {
            for (bytes, behind) in [(stage, behind), (other, before)] {
                let count = self.of_schedule(work, "in_flight", behind)?;
                let name = "micro-batches in flight";
                let origin = self.origin(name, place, "of the stage, as the schedule has it");
                let count = self.graph.named(count, origin);
                *bytes = self.graph.mul(*bytes, count);
            }
        }
        let mirrored = self.mirrored(work, place)?;
        Some(self.with_mirrored(stages, opposite, mirrored))
    }

    /// Whether each device has the layers of the stage at the other end too: 1 or 0.
    fn mirrored(&mut self, work: &Workload, place: Place) -> Option<ExprId> {
        let copies = self.of_schedule(work, "copies", work.stages)?;
        let one = self.counted(1.0, "1", place, "its own stage");
        Some(self.graph.sub(copies, one))
    }

    /// What the stages hold, with that of the stage at the other end where it is theirs too.
    pub(super) fn mirror(&mut self, own: [ExprId; 3], mirrored: ExprId) -> [ExprId; 3] {
        let [first, between, last] = own;
        self.with_mirrored(own, [last, between, first], mirrored)
    }

    fn with_mirrored(
        &mut self,
        own: [ExprId; 3],
        opposite: [ExprId; 3],
        mirrored: ExprId,
    ) -> [ExprId; 3] {
        let mut all = own;
        for (all, other) in all.iter_mut().zip(opposite) {
            let more = self.graph.mul(other, mirrored);
            *all = self.graph.add(*all, more);
        }
        all
    }

    /// A figure of the schedule for a stage with so many behind it.
    pub(super) fn of_schedule(
        &mut self,
        work: &Workload,
        what: &str,
        behind: ExprId,
    ) -> Option<ExprId> {
        let args = [
            ("behind", Value::Num(behind)),
            ("stages", Value::Num(work.stages)),
            ("micro_batches", Value::Num(work.micro_batches)),
            ("chunks", Value::Num(work.chunks)),
        ];
        self.library_number(&format!("{}_{what}", work.schedule), &args)
    }

    fn add_rounds(
        &mut self,
        sums: &mut [Option<ExprId>; 3],
        stage: usize,
        bytes: Option<ExprId>,
        rounds: Option<ExprId>,
    ) {
        let bytes = match (bytes, rounds) {
            (Some(bytes), Some(rounds)) => Some(self.graph.mul(bytes, rounds)),
            (bytes, _) => bytes,
        };
        if let Some(cell) = sums.get_mut(stage) {
            *cell = self.plus(*cell, bytes);
        }
    }

    /// What fused kernels keep to make an op again: the log-sum-exp of every row of attention.
    fn statistics(
        &mut self,
        steps: &[LaidStep],
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        rounds: Option<ExprId>,
        sums: &mut [Option<ExprId>; 3],
    ) {
        for step in steps {
            match step {
                LaidStep::Repeat { repeat, body, .. } => {
                    let rounds = match rounds {
                        Some(outer) => self.graph.mul(outer, repeat.count),
                        None => repeat.count,
                    };
                    self.statistics(body, setting, work, frame, Some(rounds), sums);
                }
                LaidStep::Fuse(_, ops) => {
                    for laid in ops {
                        let op = &setting.model.ops[laid.op];
                        let Some(axes) = op.keeps.as_ref().filter(|_| op.pass == Pass::Recompute)
                        else {
                            continue;
                        };
                        let Some(wide) = work.formats.wide.as_ref() else { continue };
                        let shards = laid.shards.clone();
                        let inner =
                            Frame { shards, view: View::Local, seen: None, ..frame.clone() };
                        let outer = self.frame.replace(inner);
                        let size = self.frame_size(axes, false, op.place);
                        self.frame = outer;
                        let Value::Num(size) = size else { continue };
                        let bytes = self.graph.mul(size, wide.width);
                        let stage = if rounds.is_some() { 1 } else { 2 };
                        self.add_rounds(sums, stage, Some(bytes), rounds);
                    }
                }
                _ => {}
            }
        }
    }

    /// The greatest sum of activations alive at once that are not saved, on each kind of stage.
    fn working_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
    ) -> Option<[ExprId; 3]> {
        let all = &setting.laid.steps;
        let is_repeat = |s: &LaidStep| matches!(s, LaidStep::Repeat { .. });
        let (first, last) = (all.iter().position(is_repeat), all.iter().rposition(is_repeat));
        let one = self.counted(1.0, "1", setting.place, "no pipeline, one stage");
        let single = self.graph.binary(crate::expr::Op::Eq, work.stages, one);
        let single = self.decide(single) == Some(true);
        let (Some(first), Some(last), false) = (first, last, single) else {
            let bytes = self.working_of(all, setting, frame);
            return Some([bytes; 3]);
        };
        let before = all.get(..=first).unwrap_or_default();
        let after = all.get(last..).unwrap_or_default();
        let own: Vec<LaidStep> = before.iter().chain(after).cloned().collect();
        let a = self.working_of(&own, setting, frame);
        let b = self.working_of(all.get(first..=last).unwrap_or_default(), setting, frame);
        let middle: Vec<LaidStep> =
            [first, last].iter().filter_map(|i| all.get(*i)).cloned().collect();
        let c = self.working_of(&middle, setting, frame);
        Some([a, c, b])
    }

    fn working_of(
        &mut self,
        steps: &[LaidStep],
        setting: &Setting<'_, 'p>,
        frame: &Frame,
    ) -> ExprId {
        let model = &setting.model;
        let kept: FxHashSet<Version> =
            saved(setting.laid, model).into_iter().map(|v| root(v, model)).collect();
        let mut peaks = Vec::new();
        let mut known = FxHashMap::default();
        for set in alive_together(steps, model, &setting.escaping) {
            let mut sum = None;
            let mut seen: FxHashSet<Version> = FxHashSet::default();
            for version in set {
                let version = root(version, model);
                if kept.contains(&version) || !seen.insert(version) {
                    continue;
                }
                let bytes = self.version_bytes(setting, frame, version, &mut known);
                sum = self.plus(sum, bytes);
            }
            peaks.extend(sum);
        }
        let origin = self.origin("none", setting.place, "nothing beside what is saved");
        let none = self.graph.constant(0.0, Dimension::BYTES, origin);
        self.graph.greatest(peaks).unwrap_or(none)
    }
}

/// A view is what it views.
fn root(version: Version, model: &Model) -> Version {
    let mut version = version;
    while version.index == 0
        && let Some(producer) = model.tensors[version.tensor].producer
        && model.ops[producer].view
        && let Some((_, operand)) = model.ops[producer].operands.first()
    {
        version.tensor = *operand;
    }
    version
}

/// Where every version is made, by the order of forward steps.
fn note_made(
    steps: &[LaidStep],
    model: &Model,
    checker: &mut Checker<'_>,
    stage: &mut usize,
    [outer, rounds]: [Option<ExprId>; 2],
    out: &mut FxHashMap<Version, Made>,
) {
    let original = |tensor| Version { tensor, index: 0 };
    for step in steps {
        let here = (*stage, rounds);
        match step {
            LaidStep::Op(op) => {
                out.insert(original(model.ops[op.op].result), here);
            }
            LaidStep::Fuse(_, ops) => {
                out.extend(ops.iter().map(|o| (original(model.ops[o.op].result), here)));
            }
            LaidStep::Convert(c) => {
                out.insert(Version { tensor: c.tensor, index: c.to }, here);
            }
            LaidStep::Join { result, .. } => {
                out.insert(original(*result), here);
            }
            LaidStep::Some { count, body, .. } => {
                let some = match outer {
                    Some(outer) => checker.graph.mul(outer, *count),
                    None => *count,
                };
                note_made(body, model, checker, stage, [outer, Some(some)], out);
            }
            LaidStep::Repeat { repeat, body, .. } => {
                let inner = match rounds {
                    Some(outer) => checker.graph.mul(outer, repeat.count),
                    None => repeat.count,
                };
                out.extend(repeat.carried.iter().map(|c| (original(c.start), (1, Some(inner)))));
                note_made(body, model, checker, &mut 1, [rounds, Some(inner)], out);
                if rounds.is_none() {
                    *stage = 2;
                }
                out.extend(repeat.carried.iter().map(|c| (original(c.after), (*stage, rounds))));
            }
        }
    }
    let targets = model.inputs.iter().filter(|t| model.tensors[**t].name == "targets");
    out.extend(targets.map(|t| (original(*t), (2, None))));
}
