//! Training with states outside of the devices: what a step brings and puts back, and the update
//! where the optimizer's state lies.
//!
//! In: what each memory holds, and how long the passes take. Out: what a step waits for. Weights
//! come up for both passes of every micro-batch, saved activations go down and come back, gradients
//! go down; the update runs where its state lies, and new weights come back.

use super::Workload;
use crate::check::{Checker, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op};
use crate::ir::{Kept as Shares, Role, TensorId};
use crate::lower::frame::Frame;
use crate::lower::memory::ByStage;
use crate::lower::offload::OnStages;
use crate::lower::phase::Setting;
use crate::lower::stores::{Held, InStore};
use crate::quantity::Dimension;

/// Bytes in one memory, on each kind of stage.
type InStores = Vec<(usize, OnStages)>;

/// What lies outside of the devices in training.
#[derive(Default)]
pub(in crate::lower) struct Away {
    pub(in crate::lower) weights: InStores,
    pub(in crate::lower) gradients: InStores,
    pub(in crate::lower) state: InStores,
    /// Of one micro-batch.
    pub(in crate::lower) saved: InStores,
    /// What an update elsewhere reads and writes beside the state.
    updated_gradients: InStores,
    updated_weights: InStores,
    /// Weights that the devices update although they lie elsewhere.
    returned: InStores,
}

/// What a step waits for, and the update outside of the devices.
pub(super) struct StepWaits {
    /// In each micro-batch: the forward pass and the backward pass.
    pub(super) forward: OnStages,
    pub(super) backward: OnStages,
    pub(super) hidden: OnStages,
    pub(super) bytes: OnStages,
    /// Once in a step.
    pub(super) once: OnStages,
    pub(super) once_hidden: OnStages,
    pub(super) once_bytes: OnStages,
    pub(super) update: OnStages,
}

impl<'p> Checker<'p> {
    /// A state in each memory that holds some of it: what passes through, and all of it on each kind
    /// of stage.
    fn on_shelves(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        role: Role,
        bytes_of: &mut dyn FnMut(&mut Self, TensorId) -> Option<ExprId>,
    ) -> Vec<(usize, ByStage, OnStages)> {
        let held = self.in_stores(setting, role, bytes_of);
        let lists = |s: ByStage| [s.first, s.layers, s.last];
        let on = |checker: &mut Self, held: InStore| {
            let parts = lists(held.all);
            let stages = checker.on_stages(parts, work, Dimension::BYTES, setting.place);
            (held.store, held.largest, stages)
        };
        held.into_iter().map(|part| on(self, part)).collect()
    }

    /// What lies outside of the devices, and what of it passes through them: weights, gradients.
    pub(in crate::lower) fn away_in_training(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        mirrored: ExprId,
    ) -> Option<(Away, [Option<OnStages>; 2])> {
        let mut away = Away::default();
        let mut through = [None; 2];
        if setting.plan.offload.is_empty() {
            return Some((away, through));
        }
        let cut = work.shares.map(|shares| super::Cut { shares, stages: work.stages });
        let weights = self.on_shelves(setting, work, Role::Weights, &mut |checker, weight| {
            let bytes = checker.weight_bytes(setting, frame, weight)?;
            Some(checker.share_of(setting, weight, bytes, Shares::Weights))
        });
        let gradients = self.on_shelves(setting, work, Role::Gradients, &mut |checker, weight| {
            let bytes = checker.gradient_bytes(setting, frame, weight)?;
            Some(checker.share_of(setting, weight, bytes, Shares::Gradients))
        });
        let lists = [weights, gradients];
        for ((list, into), cell) in
            lists.into_iter().zip([&mut away.weights, &mut away.gradients]).zip(&mut through)
        {
            for (store, parts, stages) in list {
                let passing = self.passing(setting, parts, cut)?;
                *cell = Some(match *cell {
                    None => passing,
                    Some(sum) => self.add_stages(sum, passing),
                });
                into.push((store, self.mirror(stages, mirrored)));
            }
        }
        let optimizer = |what: &mut dyn FnMut(&mut Self, TensorId) -> Option<ExprId>,
                         checker: &mut Self| {
            let all = checker.on_shelves(setting, work, Role::Optimizer, what);
            all.into_iter().map(|(store, _, stages)| (store, stages)).collect::<InStores>()
        };
        let shared = Shares::Optimizer;
        let state = optimizer(
            &mut |c, w| {
                let bytes = c.state_bytes(setting, work, frame, w)?;
                Some(c.share_of(setting, w, bytes, shared))
            },
            self,
        );
        away.state = state.iter().map(|(s, b)| (*s, self.mirror(*b, mirrored))).collect();
        away.updated_gradients = optimizer(
            &mut |c, w| {
                let bytes = c.gradient_bytes(setting, frame, w)?;
                Some(c.share_of(setting, w, bytes, shared))
            },
            self,
        );
        let mut new_weights = |c: &mut Self, w: TensorId| {
            c.gradient_bytes(setting, frame, w)?;
            let bytes = c.weight_bytes(setting, frame, w)?;
            Some(c.share_of(setting, w, bytes, shared))
        };
        away.updated_weights = optimizer(&mut new_weights, self);
        let returned = self.on_shelves(setting, work, Role::Weights, &mut |c, w| {
            let here = c.parted(setting, Role::Optimizer, w, mirrored).1.is_none();
            here.then(|| new_weights(c, w)).flatten()
        });
        away.returned = returned.into_iter().map(|(store, _, stages)| (store, stages)).collect();
        Some((away, through))
    }

    /// What each memory holds, for `memory.MEMORY.…`.
    pub(in crate::lower) fn held_in_training(&self, away: &Away, saved: InStores) -> Held {
        let parts = [
            ("weights", away.weights.clone()),
            ("gradients", away.gradients.clone()),
            ("optimizer", away.state.clone()),
            ("activations", saved),
        ];
        let mut held = Held::new();
        for (name, list) in parts {
            held.extend(list.into_iter().map(|(store, stages)| (store, name, stages)));
        }
        held
    }

    /// Matrix work of an update has no rate outside of the devices.
    pub(in crate::lower) fn updates_elsewhere(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        flops: ExprId,
    ) -> Option<()> {
        let rule = setting.plan.offload.iter().find(|o| o.role == Role::Optimizer)?;
        let (place, elsewhere) = (rule.place, rule.to.is_some());
        let none = self.zero(Dimension::FLOP, setting.place, "no matrix work");
        let plain = self.graph.binary(Op::Le, flops, none);
        if !elsewhere || self.decide(plain) != Some(false) {
            return Some(());
        }
        let title = format!("the update of `{}` cannot run outside of the devices", work.optimizer);
        let label = "its state would lie here";
        let finding = Diagnostic::new(codes::OFFLOADS_NOTHING, title, place, label)
            .and(work.optimizer_place, "multiplies matrices in each update")
            .note("leave the optimizer on the devices, or take one without matrix work: `adam`");
        self.report(finding);
        None
    }

    /// What a step waits for; none where the plan keeps everything on the devices. Both passes of
    /// one micro-batch take so long.
    pub(super) fn step_waits(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        away: &Away,
        [forward, backward]: [OnStages; 2],
    ) -> Option<Option<StepWaits>> {
        if setting.plan.offload.is_empty() {
            return Some(None);
        }
        let place = setting.place;
        let no_bytes = [self.zero(Dimension::BYTES, place, "nothing moves"); 3];
        let no_time = [self.zero(Dimension::TIME, place, "nothing moves"); 3];
        let (mut before, mut after) = (no_time, no_time);
        let (mut bytes, mut once_bytes) = (no_bytes, no_bytes);
        let (mut down_once, mut up_once, mut update) = (no_time, no_time, no_time);
        let mut accumulation = no_time;
        for store in self.stores_used(setting) {
            let of = |list: &InStores| {
                list.iter().find(|(at, _)| *at == store).map_or(no_bytes, |(_, b)| *b)
            };
            let (weights, gradients, saved) =
                (of(&away.weights), of(&away.gradients), of(&away.saved));
            let time = self.both_ways(setting, store, weights, saved)?;
            before = self.add_stages(before, time);
            let up = self.add_stages(weights, saved);
            let time = self.both_ways(setting, store, up, gradients)?;
            after = self.add_stages(after, time);
            for part in [weights, saved, up, gradients] {
                bytes = self.add_stages(bytes, part);
            }
            let added = self.at_rate(setting, store, "shared_accumulation_time", &mut |_, i| {
                let own = [("gradients", *gradients.get(i)?)];
                Some([&own[..], &[("micro_batches", work.micro_batches)]].concat())
            })?;
            accumulation = self.add_stages(accumulation, added);
            // Once: gradients that are not there yet, new weights that belong on the devices, and
            // what devices update of weights that lie here.
            let state = of(&away.state);
            let (mut down, mut up) = (of(&away.updated_gradients), of(&away.updated_weights));
            if !away.gradients.is_empty() {
                down = no_bytes;
            }
            if !away.weights.is_empty() {
                up = no_bytes;
            }
            down = self.add_stages(down, of(&away.returned));
            // Devices update gradients that lie here: they come back for it.
            if away.state.is_empty() {
                up = self.add_stages(up, gradients);
            }
            let (time_down, time_up) = (
                self.transfer_time(setting, store, down)?,
                self.transfer_time(setting, store, up)?,
            );
            down_once = self.add_stages(down_once, time_down);
            up_once = self.add_stages(up_once, time_up);
            once_bytes = self.add_stages(once_bytes, down);
            once_bytes = self.add_stages(once_bytes, up);
            let (read, written) = (of(&away.updated_gradients), of(&away.updated_weights));
            let own = self.at_rate(setting, store, "shared_update_time", &mut |_, i| {
                let at = |list: &OnStages| list.get(i).copied();
                let parts = [("gradients", at(&read)?), ("state", at(&state)?)];
                Some([&parts[..], &[("weights", at(&written)?)]].concat())
            })?;
            update = self.add_stages(update, own);
        }
        let open_before = self.left_waiting(setting, before, forward)?;
        let open_after = self.left_waiting(setting, after, backward)?;
        // The last backward pass hides what it does not need the link for; the update what comes
        // back of what is done.
        let mut rest = backward;
        for (rest, used) in rest.iter_mut().zip(after) {
            let args = [("time", Value::Num(*rest)), ("window", Value::Num(used))];
            *rest = self.library_number("transfer_exposed", &args)?;
        }
        let open_down = self.left_waiting(setting, down_once, rest)?;
        let open_up = self.left_waiting(setting, up_once, update)?;
        // Gradients are added while the next micro-batches run.
        let both = self.add_stages(forward, backward);
        let one = self.counted(1.0, "1", place, "of the last micro-batch nothing is left to run");
        let others = self.graph.sub(work.micro_batches, one);
        let window = both.map(|t| self.graph.mul(t, others));
        let open_added = self.left_waiting(setting, accumulation, window)?;
        let each = self.add_stages(before, after);
        let open = self.add_stages(open_before, open_after);
        let once = self.add_stages(open_down, open_up);
        let once = self.add_stages(once, open_added);
        let all_once = self.add_stages(down_once, up_once);
        let all_once = self.add_stages(all_once, accumulation);
        Some(Some(StepWaits {
            forward: open_before,
            backward: open_after,
            hidden: self.minus_stages(each, open),
            bytes,
            once,
            once_hidden: self.minus_stages(all_once, once),
            once_bytes,
            update,
        }))
    }
}
