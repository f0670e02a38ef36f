//! What a plan may not ask of training: stages, sequences and shares that do not come out even.
//!
//! In: a plan with its workload. Out: findings that name the figures involved and what would do.

use std::rc::Rc;

use super::Workload;
use crate::check::{Checker, Object, show_number};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op};
use crate::graph::Shard;
use crate::lower::phase::Setting;
use crate::name::Name;
use crate::source::Place;

impl<'p> Checker<'p> {
    /// Checks of a plan that only training makes.
    pub(super) fn check_training(
        &mut self,
        setting: &Setting<'_, 'p>,
        plan: Option<&Rc<Object<'p>>>,
        work: &Workload,
    ) -> Option<()> {
        self.check_shares(setting)?;
        self.check_ends(setting, plan, work.pipeline.as_ref())?;
        self.check_pairs(setting, work)?;
        self.check_sequence(setting, plan, work)
    }

    /// Replicas share in one way: what is shared less is shared along with it.
    fn check_shares(&mut self, setting: &Setting<'_, 'p>) -> Option<()> {
        let [first, second, ..] = setting.plan.zero.as_slice() else { return Some(()) };
        if first.over == second.over {
            return Some(());
        }
        let title = "two `zero` share among different devices";
        let label = "and over others here";
        let finding = Diagnostic::new(codes::ZERO_TWICE, title, second.place, label)
            .and(first.place, "shared over these")
            .note("`zero weights` shares gradients and the optimizer too: write one of them");
        self.report(finding);
        None
    }

    /// Layers of the first stage and the last leave some for the others.
    pub(in crate::lower) fn check_ends(
        &mut self,
        setting: &Setting<'_, 'p>,
        plan: Option<&Rc<Object<'p>>>,
        pipeline: Option<&(Shard, ExprId)>,
    ) -> Option<()> {
        let given: Vec<ExprId> = setting.plan.ends.into_iter().flatten().collect();
        let Some(sum) = self.graph.sum(given.clone()) else { return Some(()) };
        let place = field_place(setting, plan, &["first_stage", "last_stage"]);
        let Some((shard, layers)) = pipeline else {
            let title = "stages have layers of their own where no pipeline is";
            let finding = Diagnostic::new(codes::STAGE_LAYERS, title, place, "there are no stages");
            self.report(finding.note("cut the layers: `shard layers over pp`"));
            return None;
        };
        let ends = given.len() as f64;
        let ends = self.counted(ends, "ends", place, "stages with layers of their own");
        let others = self.graph.sub(shard.count, ends);
        let needed = self.graph.add(sum, others);
        let enough = self.graph.binary(Op::Le, needed, *layers);
        let show = |checker: &Self, id| show_number(checker.graph.value(id));
        // Two stages that both have their own share all layers between them.
        let none = self.counted(0.0, "0", place, "no other stage");
        let two = self.graph.binary(Op::Eq, others, none);
        let one = self.counted(1.0, "1", place, "one stage has all layers");
        let single = self.graph.binary(Op::Eq, shard.count, one);
        let all = self.graph.binary(Op::Eq, sum, *layers);
        let left = self.graph.unary(Op::Not, two);
        let dealt = self.graph.binary(Op::Or, left, all);
        let dealt = self.graph.binary(Op::Or, dealt, single);
        if self.decide(enough) != Some(false) && self.decide(dealt) == Some(false) {
            let title = format!(
                "two stages are given {} of {} layers",
                show(self, sum),
                show(self, *layers)
            );
            let finding =
                Diagnostic::new(codes::STAGE_LAYERS, title, place, "and no stage is left");
            self.report(finding.note("give one of them a number, and the other has the rest"));
            return None;
        }
        if self.decide(enough) != Some(false) {
            return Some(());
        }
        let title = format!(
            "{} layers leave none for {} stages when {} are given away",
            show(self, *layers),
            show(self, others),
            show(self, sum)
        );
        self.report(Diagnostic::new(codes::STAGE_LAYERS, title, place, "too many layers here"));
        None
    }

    /// Where micro-batches come from both ends, stages go in pairs.
    fn check_pairs(&mut self, setting: &Setting<'_, 'p>, work: &Workload) -> Option<()> {
        let Some(schedule) = &setting.plan.schedule else { return Some(()) };
        if schedule.name != "dual_pipe" {
            return Some(());
        }
        let two = self.counted(2.0, "2", schedule.place, "one from each end");
        let zero = self.counted(0.0, "0", schedule.place, "no remainder");
        for (n, what) in [(work.stages, "stages"), (work.micro_batches, "micro-batches")] {
            let rest = self.graph.binary(Op::Mod, n, two);
            let even = self.graph.binary(Op::Eq, rest, zero);
            let one = self.counted(1.0, "1", schedule.place, "no pipeline");
            let alone = self.graph.binary(Op::Eq, work.stages, one);
            let good = self.graph.binary(Op::Max, even, alone);
            if self.decide(good) == Some(false) {
                let n = show_number(self.graph.value(n));
                let title = format!("{n} {what} do not go in pairs");
                let label = "`dual_pipe` feeds a pipeline from both ends";
                self.report(Diagnostic::new(codes::BAD_SCHEDULE, title, schedule.place, label));
                return None;
            }
        }
        Some(())
    }

    /// A sequence is cut into as many chunks as devices, or twice as many where they even out.
    fn check_sequence(
        &mut self,
        setting: &Setting<'_, 'p>,
        plan: Option<&Rc<Object<'p>>>,
        work: &Workload,
    ) -> Option<()> {
        let of_seq = |n: &Name| *n == "seq";
        let rule = setting
            .plan
            .rules
            .iter()
            .find(|r| r.within.is_empty() && r.axis.last().is_some_and(of_seq));
        let Some(rule) = rule else {
            let asked = ["context", "sequence"];
            let said = |name: &&str| plan.is_some_and(|p| p.has(&[Name::new(name)]));
            let Some(name) = asked.into_iter().find(|n| said(n)) else { return Some(()) };
            let place = field_place(setting, plan, &[name]);
            let title = format!("`{name}` is set, and the sequence is not cut");
            let finding = Diagnostic::new(codes::SEQUENCE_WHOLE, title, place, "holds nowhere");
            self.report(finding.note("cut it: `shard seq over cp`"));
            return None;
        };
        let sizes: Vec<ExprId> = rule.over.iter().map(|m| setting.plan.mesh[*m].size).collect();
        let n = self.graph.product(sizes)?;
        let each = if setting.plan.contiguous { 1.0 } else { 2.0 };
        let each = self.counted(each, "chunks", rule.place, "chunks of each device");
        let one = self.counted(1.0, "1", rule.place, "one device");
        let chunks = self.graph.mul(n, each);
        let alone = self.graph.binary(Op::Eq, n, one);
        let chunks = self.graph.select(alone, one, chunks);
        let rest = self.graph.binary(Op::Mod, work.seq, chunks);
        let zero = self.counted(0.0, "0", rule.place, "no remainder");
        let even = self.graph.binary(Op::Eq, rest, zero);
        if self.decide(even) != Some(false) {
            return Some(());
        }
        let (seq, parts) = (self.graph.value(work.seq), self.graph.value(chunks));
        let title =
            format!("a sequence of {} has no {} even chunks", show_number(seq), show_number(parts));
        let at = self.graph.origin_of(work.seq).map_or(setting.place, |o| o.place);
        let near = libm::ceil(seq / parts) * parts;
        let why = if setting.plan.contiguous {
            "one chunk for each device"
        } else {
            "two chunks for each device, so that a causal mask leaves all the same"
        };
        let finding = Diagnostic::new(codes::SEQUENCE_CHUNKS, title, at, "the sequence")
            .and(rule.place, why)
            .note(format!("a multiple of {} would do: {}", show_number(parts), show_number(near)))
            .fix(
                format!("write {}", show_number(near)),
                at,
                show_number(near).replace(',', ""),
                crate::diagnostic::Safety::Review,
            );
        self.report(finding);
        None
    }
}

/// Where a plan has the first of these fields, else where the scenario stands.
fn field_place(setting: &Setting<'_, '_>, plan: Option<&Rc<Object<'_>>>, names: &[&str]) -> Place {
    let mut places = names.iter().filter_map(|n| plan?.place_of(&[Name::new(n)]));
    places.next().unwrap_or(setting.place)
}
