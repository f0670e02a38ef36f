//! Memory of training on the fullest device: weights, gradients, optimizer, saved and working
//! activations, buffers, reserve.
//!
//! In: a laid-out model with its backward pass. Out: `memory.*`, with what is saved counted for
//! each micro-batch in flight.

use super::{Away, Cut, Workload};
use crate::check::{Checker, Value};
use crate::diagnostic::{Diagnostic, closest, codes, listed};
use crate::expr::{ExprId, Op, Origin};
use crate::ir::{Kept as Shares, Role, TensorId};
use crate::lower::frame::Frame;
use crate::lower::memory::ByStage;
use crate::lower::offload::OnStages;
use crate::lower::phase::Setting;
use crate::lower::results::Results;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::ItemKind;

/// What one weight has of something.
type Each<'f, 'p> = &'f mut dyn FnMut(&mut Checker<'p>, TensorId) -> Option<ExprId>;

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

impl<'p> Checker<'p> {
    pub(super) fn training_memory(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        results: &mut Results,
    ) -> Option<Kept> {
        let place = setting.place;
        let weights = self.of_weights(setting, Role::Weights, Shares::Weights, &mut |c, w| {
            c.weight_bytes(setting, frame, w)
        });
        let gradients =
            self.of_weights(setting, Role::Gradients, Shares::Gradients, &mut |c, w| {
                c.gradient_bytes(setting, frame, w)
            });
        let of_update = |c: &mut Self, each: Each<'_, 'p>| {
            c.of_weights(setting, Role::Optimizer, Shares::Optimizer, each)
        };
        let state = of_update(self, &mut |c, w| c.state_bytes(setting, work, frame, w));
        let updated = of_update(self, &mut |c, w| c.gradient_bytes(setting, frame, w));
        let updated_weights = of_update(self, &mut |c, w| c.weight_bytes(setting, frame, w));
        let flops = of_update(self, &mut |c, w| c.update_flops(setting, work, frame, w));
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
        let working = self.working_bytes(setting, work, frame);
        // The fullest stage: the first holds most micro-batches, the last the logits.
        let [weights, gradients, optimizer] = model;
        let parts = [weights, gradients, optimizer, kept, working];
        let mut totals = weights;
        for part in parts.into_iter().skip(1) {
            totals = self.add_stages(totals, part);
        }
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
        let fits = self.memory_results("memory", setting.place, capacity, &rows, results)?;
        self.fits_result("memory", setting.place, fits, elsewhere, results);
        if work.shares.is_some() {
            let rest = self.graph.add(buffers, reserve);
            let totals = totals.map(|t| self.graph.add(t, rest));
            self.stage_results(place, &parts, totals, results);
        }
        let flops = self.there(fullest, flops);
        Some(Kept { updated_gradients: ug, state: us, updated_weights: uw, flops, gradients, away })
    }

    /// Something that each weight has, on each kind of stage: of what devices share their part, and
    /// not what lies elsewhere.
    fn of_weights(
        &mut self,
        setting: &Setting<'_, 'p>,
        role: Role,
        shared: Shares,
        each: Each<'_, 'p>,
    ) -> [Option<ExprId>; 3] {
        let sums = self.by_stage(setting, &mut |checker, weight| {
            let all = each(checker, weight)?;
            let own = checker.share_of(setting, weight, all, shared);
            Some(checker.parted(setting, role, weight, own).0)
        });
        [sums.first, sums.layers, sums.last]
    }

    /// `memory.stages.*`: the parts of a device of each stage, and their sum with what all have.
    fn stage_results(
        &mut self,
        place: Place,
        parts: &[OnStages; 5],
        totals: OnStages,
        results: &mut Results,
    ) {
        let names =
            ["weights", "gradients", "optimizer", "activations.saved", "activations.working"];
        let parts = names.into_iter().zip(*parts);
        for (name, stages) in parts.chain([("total", totals)]) {
            for (stage, id) in ["first", "between", "last"].into_iter().zip(stages) {
                let path = format!("memory.stages.{stage}.{name}");
                let rule = "of one device of the stage";
                results.put(&mut self.graph, &path, id, place, rule);
            }
        }
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

    /// The name of an optimizer is the name of a formula of the library.
    pub(in crate::lower) fn known_optimizer(
        &mut self,
        optimizer: Name,
        place: Place,
    ) -> Option<()> {
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

    /// What a stage keeps of one micro-batch, for all that are under way there.
    pub(super) fn in_flight(
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
                let origin = Origin::inferred(
                    Name::new(name),
                    place,
                    "of the stage, as the schedule has it",
                );
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
}
