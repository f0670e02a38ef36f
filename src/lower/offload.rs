//! States that lie outside of the devices: which they are, and what bringing them and putting them
//! back takes.
//!
//! In: the `offload` of a plan and the memories of its machine. Out: what lies where, and what a
//! phase waits for. Rates are those of the library.

use super::memory::ByStage;
use super::phase::{PhaseCost, Setting};
use super::training::Cut;
use crate::check::{Checker, Value, scope_matches};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin};
use crate::graph::LaidStep;
use crate::ir::{Role, TensorId};
use crate::name::Name;
use crate::quantity::Dimension;

/// Bytes that a kernel needs of a memory, and bytes that it leaves there.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Which memory of the machine.
    pub store: usize,
    /// To the device.
    pub up: Option<ExprId>,
    /// From the device.
    pub down: Option<ExprId>,
}

/// A figure on the first stage, on one between, and on the last.
pub(super) type OnStages = [ExprId; 3];

/// Arguments of a formula by name.
type Given = Vec<(&'static str, ExprId)>;

/// What a pass waits for, and what runs behind it.
pub(super) struct Waits {
    pub(super) exposed: OnStages,
    pub(super) hidden: OnStages,
    pub(super) bytes: OnStages,
}

impl Setting<'_, '_> {
    /// The memory where a state of a tensor lies, if not on the devices.
    pub(super) fn lies_at(&self, role: Role, tensor: TensorId) -> Option<usize> {
        let (mut general, mut scoped) = (None, None);
        let t = &self.model.tensors[tensor];
        for rule in self.plan.offload.iter().filter(|r| r.role == role) {
            let holds = |w: &Vec<Name>| scope_matches(&t.scope, w, Some(t.name));
            if rule.within.is_empty() {
                general = Some(rule.to);
            } else if rule.within.iter().any(holds) {
                scoped = Some(rule.to);
            }
        }
        scoped.or(general).flatten()
    }

    /// Whether the plan lets transfers run behind work.
    pub(super) fn hides_transfers(&self) -> bool {
        self.plan.overlap.iter().any(|(what, _)| *what == "offload")
    }
}

impl<'p> Checker<'p> {
    /// What of a state stays on the device, and what lies in a memory.
    pub(super) fn parted(
        &mut self,
        setting: &Setting<'_, 'p>,
        role: Role,
        tensor: TensorId,
        amount: ExprId,
    ) -> (ExprId, Option<(usize, ExprId)>) {
        let Some(at) = setting.lies_at(role, tensor) else { return (amount, None) };
        let place = setting.place;
        let Some(share) = setting.plan.offload_share else {
            let none = self.counted(0.0, "0", place, "all of it lies elsewhere");
            return (self.graph.mul(amount, none), Some((at, amount)));
        };
        let one = self.counted(1.0, "1", place, "all");
        let rest = self.graph.sub(one, share);
        (self.graph.mul(amount, rest), Some((at, self.graph.mul(amount, share))))
    }

    /// The share of a state that lies in a memory.
    pub(super) fn away(&mut self, setting: &Setting<'_, 'p>, amount: ExprId) -> ExprId {
        match setting.plan.offload_share {
            Some(share) => self.graph.mul(amount, share),
            None => amount,
        }
    }

    /// The memories that a plan uses.
    pub(super) fn stores_used(&self, setting: &Setting<'_, 'p>) -> Vec<usize> {
        let mut used: Vec<usize> = setting.plan.offload.iter().filter_map(|o| o.to).collect();
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Rules of `offload` that name what the workload does not have, or nothing in the model.
    pub(super) fn check_offload(&mut self, setting: &Setting<'_, 'p>, trains: bool) -> Option<()> {
        let mut good = Some(());
        for rule in setting.plan.offload.clone() {
            if rule.to.is_none() {
                continue;
            }
            let model = &setting.model;
            let word = rule.role.word();
            let there = match (rule.role, trains) {
                (Role::Weights, _) => true,
                (Role::Cache | Role::State, false) => {
                    model.stored.iter().any(|(t, _)| model.tensors[*t].role == rule.role)
                }
                (Role::Activations | Role::Gradients | Role::Optimizer, true) => true,
                _ => false,
            };
            let stored = model.stored.iter().map(|(t, _)| *t);
            let mut tensors = model.weights.iter().map(|(t, _)| *t).chain(stored);
            let matches = |t: TensorId| {
                let t = &model.tensors[t];
                rule.within.iter().any(|w| scope_matches(&t.scope, w, Some(t.name)))
            };
            let finding = if !there {
                let what = if trains { "training" } else { "serving" };
                let has = match (trains, rule.role) {
                    (true, _) => "training has `weights`, `gradients`, `optimizer`, `activations`",
                    (_, Role::Cache | Role::State) => "this model keeps nothing of the kind",
                    _ => "serving has `weights`, `cache` and `state`",
                };
                let title = format!("there is no `{word}` in {what} this model");
                let title = if trains || !matches!(rule.role, Role::Cache | Role::State) {
                    format!("{what} has no `{word}` to offload")
                } else {
                    title
                };
                Diagnostic::new(codes::OFFLOADS_NOTHING, title, rule.place, "not there").note(has)
            } else if !rule.within.is_empty()
                && rule.role != Role::Activations
                && !tensors.any(matches)
            {
                let within: Vec<String> =
                    rule.within.iter().map(|w| crate::check::show_rule(w)).collect();
                let title = format!("nothing within {} has `{word}`", within.join(", "));
                Diagnostic::new(codes::OFFLOADS_NOTHING, title, rule.place, "holds nowhere")
                    .note("write names of blocks, of their calls, or of weights")
            } else {
                continue;
            };
            good = None;
            self.report(finding);
        }
        good
    }

    /// Time to move so many bytes between a device and a memory, on each kind of stage.
    pub(super) fn transfer_time(
        &mut self,
        setting: &Setting<'_, 'p>,
        at: usize,
        bytes: OnStages,
    ) -> Option<OnStages> {
        self.at_rate(setting, at, "transfer_time", &mut |_, stage| {
            Some(vec![("bytes", *bytes.get(stage)?)])
        })
    }

    /// A time by a formula that knows the memory's figures, on each kind of stage.
    pub(super) fn at_rate(
        &mut self,
        setting: &Setting<'_, 'p>,
        at: usize,
        formula: &str,
        args: &mut dyn FnMut(&mut Self, usize) -> Option<Given>,
    ) -> Option<OnStages> {
        let shelf = self.shelf(setting, at)?;
        let mut out = Vec::new();
        for stage in 0..3 {
            let own = args(self, stage)?;
            let mut all: Vec<(&str, Value<'p>)> =
                own.into_iter().map(|(name, id)| (name, Value::Num(id))).collect();
            all.push(("bandwidth", Value::Num(shelf.bandwidth)));
            all.push(("sharers", Value::Num(shelf.sharers)));
            if formula == "transfer_time" {
                all.push(("link", shelf.link.clone()));
            }
            out.push(self.library_number(formula, &all)?);
        }
        out.try_into().ok()
    }

    /// The layers of a model, those of all its repeats.
    fn all_layers(&mut self, setting: &Setting<'_, 'p>) -> Option<ExprId> {
        let steps = &setting.laid.steps;
        let forward = setting.laid.forward_steps.unwrap_or(steps.len());
        let mut sum = None;
        for step in steps.get(..forward)? {
            if let LaidStep::Repeat { repeat, .. } = step {
                sum = self.plus(sum, Some(repeat.count));
            }
        }
        sum
    }

    /// What a device holds of a state that lies elsewhere while it passes through.
    pub(super) fn passing(
        &mut self,
        setting: &Setting<'_, 'p>,
        away: ByStage,
        cut: Option<Cut>,
    ) -> Option<OnStages> {
        let place = setting.place;
        let none = self.zero(Dimension::BYTES, place, "nothing of this kind passes through");
        let one = self.counted(1.0, "1", place, "no layers are repeated");
        let layers = self.all_layers(setting).unwrap_or(one);
        let all = away.layers.unwrap_or(none);
        let layer = self.graph.div(all, layers);
        let origin = Origin::inferred(
            Name::new("layer"),
            place,
            "what one layer has of it, the mean of all",
        );
        let layer = self.graph.named(layer, origin);
        let own = match cut {
            Some(cut) => cut.shares.map(|s| self.graph.mul(layers, s)),
            None => [layers; 3],
        };
        let (first, last) = (away.first.unwrap_or(none), away.last.unwrap_or(none));
        let beside = match cut {
            Some(_) => [first, none, last],
            None => [self.graph.binary(Op::Max, first, last); 3],
        };
        let mut out = Vec::new();
        for (layers, beside) in own.into_iter().zip(beside) {
            let args = [("layer", layer), ("layers", layers), ("beside", beside)];
            let args = args.map(|(name, id)| (name, Value::Num(id)));
            out.push(self.library_number("passing_bytes", &args)?);
        }
        out.try_into().ok()
    }

    /// What a phase waits for; none where the plan keeps everything on the devices.
    pub(super) fn waits(
        &mut self,
        setting: &Setting<'_, 'p>,
        cost: &PhaseCost,
        cut: Option<Cut>,
        window: OnStages,
    ) -> Option<Option<Waits>> {
        let place = setting.place;
        let mut all: Option<(OnStages, OnStages)> = None;
        for store in self.stores_used(setting) {
            let (mut up, mut down) = ([None; 3], [None; 3]);
            for kernel in &cost.kernels {
                for moved in kernel.moved.iter().filter(|t| t.store == store) {
                    for (sums, part) in [(&mut up, moved.up), (&mut down, moved.down)] {
                        let Some(mut part) = part else { continue };
                        if let Some(rounds) = kernel.rounds {
                            part = self.graph.mul(part, rounds);
                        }
                        if let Some(cell) = sums.get_mut(kernel.stage as usize) {
                            *cell = self.plus(*cell, Some(part));
                        }
                    }
                }
            }
            if up.iter().chain(&down).all(Option::is_none) {
                continue;
            }
            let [up, down] =
                [up, down].map(|parts| self.cut_over(parts, cut, Dimension::BYTES, place));
            let time = self.both_ways(setting, store, up, down)?;
            let bytes = self.add_stages(up, down);
            all = Some(match all {
                None => (time, bytes),
                Some((t, b)) => (self.add_stages(t, time), self.add_stages(b, bytes)),
            });
        }
        let Some((time, bytes)) = all else { return Some(None) };
        let exposed = self.left_waiting(setting, time, window)?;
        let hidden = self.minus_stages(time, exposed);
        Some(Some(Waits { exposed, hidden, bytes }))
    }

    /// Time of both directions at once.
    pub(super) fn both_ways(
        &mut self,
        setting: &Setting<'_, 'p>,
        store: usize,
        up: OnStages,
        down: OnStages,
    ) -> Option<OnStages> {
        let up = self.transfer_time(setting, store, up)?;
        let down = self.transfer_time(setting, store, down)?;
        let mut out = Vec::new();
        for (up, down) in up.into_iter().zip(down) {
            let args = [("up", Value::Num(up)), ("down", Value::Num(down))];
            out.push(self.library_number("both_ways", &args)?);
        }
        out.try_into().ok()
    }

    /// What of a transfer nothing hides.
    pub(super) fn left_waiting(
        &mut self,
        setting: &Setting<'_, 'p>,
        time: OnStages,
        window: OnStages,
    ) -> Option<OnStages> {
        if !setting.hides_transfers() {
            return Some(time);
        }
        let mut out = Vec::new();
        for (time, window) in time.into_iter().zip(window) {
            let args = [("time", Value::Num(time)), ("window", Value::Num(window))];
            out.push(self.library_number("transfer_exposed", &args)?);
        }
        out.try_into().ok()
    }

    pub(super) fn add_stages(&mut self, a: OnStages, b: OnStages) -> OnStages {
        let mut out = a;
        for (sum, part) in out.iter_mut().zip(b) {
            *sum = self.graph.add(*sum, part);
        }
        out
    }

    pub(super) fn minus_stages(&mut self, a: OnStages, b: OnStages) -> OnStages {
        let mut out = a;
        for (rest, part) in out.iter_mut().zip(b) {
            *rest = self.graph.sub(*rest, part);
        }
        out
    }

    /// The sum over all stages of a pipeline; without one, the figure itself.
    pub(super) fn over_all_stages(
        &mut self,
        cut: Option<Cut>,
        [first, between, last]: OnStages,
        setting: &Setting<'_, 'p>,
    ) -> ExprId {
        let Some(cut) = cut else { return first };
        let one = self.counted(1.0, "1", setting.place, "one stage");
        let two = self.counted(2.0, "2", setting.place, "the first stage and the last");
        let others = self.graph.sub(cut.stages, two);
        let middle = self.graph.mul(others, between);
        let ends = self.graph.add(first, last);
        let all = self.graph.add(ends, middle);
        let single = self.graph.binary(Op::Eq, cut.stages, one);
        self.graph.select(single, first, all)
    }
}
