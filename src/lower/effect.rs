//! What of a plan or a workload has no effect: nothing that is written is silently without one.
//!
//! In: a plan that holds, and its workload. Out: findings at what changes nothing there.

use std::rc::Rc;

use super::collective::CollectiveUse;
use super::memory::stages;
use super::phase::Setting;
use crate::check::{Checker, Object, Value, show_number};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op};
use crate::graph::Kind;
use crate::ir::{AxisSize, Kept, MeshId};
use crate::name::Name;
use crate::source::Place;

/// Settings of a plan that only training reads.
const OF_TRAINING: [&str; 5] = ["micro_batch", "keep_gathered", "context", "sequence", "recompute"];

impl<'p> Checker<'p> {
    /// Reports what of a plan changes nothing; `None` where that cannot be meant.
    pub(super) fn check_effect(
        &mut self,
        plan: Option<&Rc<Object<'p>>>,
        setting: &Setting<'_, 'p>,
        trains: bool,
    ) -> Option<()> {
        self.schedule_of_stages(setting)?;
        self.idle_axes(setting);
        let mut idle: Vec<(String, Place, &str)> = Vec::new();
        if !trains {
            let why = "only training has it";
            let rules = &setting.plan;
            idle.extend(rules.zero.iter().map(|z| ("zero".to_owned(), z.place, why)));
            idle.extend(
                rules.schedule.iter().map(|s| (format!("schedule {}", s.name), s.place, why)),
            );
            let hides = rules.overlap.iter().filter(|(what, _)| *what != "offload");
            let why = "serving shows every collective in the open";
            idle.extend(hides.map(|(what, place)| (format!("overlap {what}"), *place, why)));
            for name in OF_TRAINING {
                let set = plan.and_then(|p| p.place_of(&[Name::new(name)]));
                let why = "only training has it";
                idle.extend(set.map(|place| (name.to_owned(), place, why)));
            }
        } else if setting.plan.keep_gathered
            && setting.plan.zero.iter().all(|z| z.what != Kept::Weights)
            && let Some(place) = plan.and_then(|p| p.place_of(&[Name::new("keep_gathered")]))
        {
            idle.push(("keep_gathered".into(), place, "no weights are gathered: `zero weights`"));
        }
        if setting.plan.offload.is_empty() {
            let hides = setting.plan.overlap.iter().filter(|(what, _)| *what == "offload");
            let why = "nothing is offloaded";
            idle.extend(hides.map(|(_, place)| ("overlap offload".to_owned(), *place, why)));
            let path = ["offload", "share"].map(Name::new);
            let set = plan.and_then(|p| p.place_of(&path));
            idle.extend(set.map(|place| ("offload.share".to_owned(), place, why)));
        }
        let workload = if trains { "training" } else { "serving" };
        for (what, place, why) in idle {
            let title = format!("`{what}` has no effect in {workload}");
            let finding = Diagnostic::new(codes::NO_EFFECT, title, place, why);
            self.report(finding.and(setting.place, "in this scenario"));
        }
        Some(())
    }

    /// What `overlap` hides although no collective of a step moves it.
    pub(super) fn idle_overlap<'c>(
        &mut self,
        setting: &Setting<'_, 'p>,
        collectives: impl Iterator<Item = &'c CollectiveUse>,
    ) {
        let kinds = collectives.filter(|c| c.kind != Kind::Send.word());
        let moved: Vec<&str> = kinds.map(|c| c.moves).collect();
        for (what, place) in &setting.plan.overlap {
            if *what == "offload" || moved.iter().any(|moved| what == moved) {
                continue;
            }
            let title = format!("`overlap {what}` has no effect");
            let label = format!("under this plan no collective moves {what}");
            let finding = Diagnostic::new(codes::NO_EFFECT, title, *place, label);
            self.report(finding.and(setting.place, "in this scenario"));
        }
    }

    /// A schedule belongs to the rule that cuts the layers.
    fn schedule_of_stages(&mut self, setting: &Setting<'_, 'p>) -> Option<()> {
        let Some(schedule) = &setting.plan.schedule else { return Some(()) };
        let pipeline = stages(&setting.laid.steps);
        let rule = pipeline.and_then(|(shard, _)| setting.plan.rules.get(shard.rule));
        let here = |place: Place| {
            place.file == schedule.place.file
                && place.span.start <= schedule.place.span.start
                && schedule.place.span.end <= place.span.end
        };
        if rule.is_some_and(|rule| here(rule.scope_place)) {
            return Some(());
        }
        let title = "a schedule stands at a rule that cuts no layers";
        let finding = Diagnostic::new(codes::BAD_SCHEDULE, title, schedule.place, "no stages here");
        self.report(match rule {
            Some(rule) => finding.and(rule.place, "the layers are cut here"),
            None => finding.note("cut the layers: `shard layers over pp schedule …`"),
        });
        None
    }

    /// How many pictures, sources or clips each request has; said where the model has no use for
    /// them.
    pub(super) fn of_each_request(
        &mut self,
        scenario: &Rc<Object<'p>>,
        setting: &Setting<'_, 'p>,
        (name, why, unsaid): (&'static str, &str, f64),
        all: &[(&'static str, &str, f64)],
    ) -> ExprId {
        let model = &setting.model;
        let has = |name: &str| {
            let size = AxisSize::Phase(Name::new(name));
            let mut own = model.axes.iter().filter(|(_, axis)| axis.size == size);
            own.any(|(id, _)| model.tensors.iter().any(|(_, t)| t.axes.contains(&id)))
        };
        let none = self.counted(0.0, name, setting.place, "the workload has none");
        let Some(Value::Num(count)) = self.field_path(scenario, &["serve", name]) else {
            let rule = "as many as a request has where the workload does not say it";
            return if has(name) { self.counted(unsaid, name, setting.place, rule) } else { none };
        };
        if !has(name) {
            let any = self.graph.binary(Op::Lt, none, count);
            let set = scenario.place_of(&["serve", name].map(Name::new));
            if let (Some(true), Some(place)) = (self.notice(any), set) {
                let title = format!("`serve.{name}` has no effect: the model {why}");
                let finding = Diagnostic::new(codes::NO_EFFECT, title, place, "counted in nothing");
                let finding = finding.and(setting.place, "in this scenario");
                let other = all.iter().map(|(other, ..)| other).find(|other| has(other));
                self.report(match other {
                    Some(other) => {
                        finding.note(format!("what it is given beside text are `{other}`"))
                    }
                    None => finding,
                });
            }
        }
        count
    }

    /// Mesh axes that nothing is cut over: their devices all do the same.
    fn idle_axes(&mut self, setting: &Setting<'_, 'p>) {
        let rules = setting.plan.rules.iter().map(|r| &r.over);
        let mut used: Vec<MeshId> = rules.flat_map(|over| over.iter().copied()).collect();
        used.extend(setting.plan.zero.iter().flat_map(|z| z.over.iter().copied()));
        let idle: Vec<_> = setting.plan.mesh.iter().filter(|(id, _)| !used.contains(id)).collect();
        for (_, axis) in idle {
            let one = self.counted(1.0, "1", axis.place, "one device");
            let single = self.graph.binary(Op::Le, axis.size, one);
            if self.notice(single) != Some(false) {
                continue;
            }
            let n = show_number(self.graph.value(axis.size));
            let title =
                format!("nothing is cut over `{}`: {n} devices do the same work", axis.name);
            let finding = Diagnostic::new(codes::NO_EFFECT, title, axis.place, "of no use");
            let note = format!("give them something: `shard batch over {}`", axis.name);
            self.report(finding.and(setting.place, "in this scenario").note(note));
        }
    }
}
