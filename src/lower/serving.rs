//! Serving: prefill, decode, and what they keep; each phase may have a plan and devices of its own.
//!
//! In: a model laid out, once for both phases or once for each. Out: `prefill.*`, `decode.*`,
//! `memory.*`, and `handover.*` where the cache moves from one to the other.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::frame::{Frame, View};
use super::memory::stages;
use super::phase::Setting;
use super::results::{Leaf, Results};
use super::scenario::Lowered;
use super::training::Cut;
use super::workload::Serving;
use crate::check::{Checker, Machine, Object, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin};
use crate::ir::encodes::Encodes;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;

/// A plan on its devices, and the runtime that holds there.
pub(super) struct Side<'a, 'b, 'p> {
    pub(super) setting: &'a Setting<'b, 'p>,
    pub(super) plan: Option<&'a Rc<Object<'p>>>,
    /// Where the phases are apart.
    pub(super) runtime: Option<Rc<Object<'p>>>,
}

/// What a request may have beside its text, why that may be of no use, and how many it has where
/// nothing says it.
const BESIDE: [(&str, &str, f64); 3] = [
    ("images", "takes no pictures", 0.0),
    ("sources", "has no encoder that reads a source", 1.0),
    ("clips", "takes no clips", 0.0),
];

/// How a plan deals out layers and requests.
struct Dealt {
    cut: Option<Cut>,
    groups: Option<ExprId>,
    /// Requests of one group.
    share: ExprId,
}

impl<'p> Checker<'p> {
    /// The phases of `serve { … }` and what they take.
    pub(super) fn serving(
        &mut self,
        scenario: &Rc<Object<'p>>,
        side: &Side<'_, '_, 'p>,
        other: Option<&Side<'_, '_, 'p>>,
        whole: &Machine<'p>,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let setting = side.setting;
        let Serving { figures: [batch, prompt, output], replicas } =
            self.serving_of(scenario, side.plan, setting)?;
        let place = setting.place;
        let one = self.counted(1.0, "one", place, "one new token for each sequence");
        let encodes = setting.model.encodes();
        if let (Some(encodes), Some(decode)) = (&encodes, other) {
            self.report_no_decode(scenario, decode, encodes);
            return None;
        }
        lowered.results.encodes = encodes.as_ref().map(|encodes| encodes.why.clone());
        lowered.encodes = encodes;
        if other.is_some() {
            self.set_runtime(side.runtime.clone());
        }
        let Dealt { cut, groups, share } = self.dealt(side, batch, replicas);
        let none = self.counted(0.0, "images", place, "no pictures are computed in this step");
        // What each request has beside its text, counted over all requests that run together.
        let each = BESIDE.map(|what| self.of_each_request(scenario, setting, what, &BESIDE));
        let of = |checker: &mut Self, requests| each.map(|each| checker.graph.mul(requests, each));
        // In prefill all are computed; decode looks at those that are kept, and computes none.
        let (computed, kept) = (of(self, share), of(self, batch));
        let frame =
            |seq: ExprId, ctx: ExprId, batch: ExprId, new: [ExprId; 3], there: [ExprId; 3]| {
                let [images, sources, clips] = new;
                let [pictures, kept_sources, _] = there;
                let mut phase = FxHashMap::default();
                phase.insert(Name::new("batch"), batch);
                phase.insert(Name::new("seq"), seq);
                phase.insert(Name::new("ctx"), ctx);
                phase.insert(Name::new("positions"), one);
                phase.insert(Name::new("images"), images);
                phase.insert(Name::new("pictures"), pictures);
                phase.insert(Name::new("sources"), sources);
                phase.insert(Name::new("kept_sources"), kept_sources);
                phase.insert(Name::new("clips"), clips);
                phase.insert(Name::new("drafts"), none);
                Frame::new(phase, setting.model.clone(), place)
            };
        let context = |checker: &mut Self, which: &str| {
            checker.library_number(
                which,
                &[("prompt", Value::Num(prompt)), ("output", Value::Num(output))],
            )
        };
        let prefill = self.phase(setting, &frame(prompt, prompt, share, computed, computed));
        self.phase_results("prefill", &prefill, setting, groups, cut, lowered)?;
        if lowered.encodes.as_ref().is_some_and(|encodes| encodes.reads) {
            let name = Name::new("prefill.tokens");
            let origin = Origin::inferred(name, place, "the tokens of all texts");
            let tokens = self.graph.mul(batch, prompt);
            let tokens = self.graph.cast(tokens, Dimension::TOKENS, origin);
            lowered.results.number("prefill.tokens", tokens);
        }
        lowered.costs.push(("prefill", prefill));
        let prefill = frame(prompt, prompt, share, computed, computed);
        if let Some(decode) = other {
            // What has been prefilled waits for nothing: the cache of the prompts, no more.
            let stored = frame(one, prompt, batch, kept, kept);
            self.memory("memory.prefill", setting, &stored, &prefill, cut, &mut lowered.results)?;
            self.handover(side, decode, whole, &frame(one, prompt, batch, kept, kept), lowered)?;
            self.set_runtime(decode.runtime.clone());
        }
        let [setting, apart] = [other.map_or(setting, |d| d.setting), setting];
        let (mut cut, mut groups, mut share, mut there) = (cut, groups, share, computed);
        if let Some(decode) = other {
            let Serving { replicas, .. } =
                self.serving_of(scenario, decode.plan, decode.setting)?;
            Dealt { cut, groups, share } = self.dealt(decode, batch, replicas);
            there = of(self, share);
        }
        if lowered.encodes.is_none() {
            let mut contexts = Vec::new();
            for which in ["context_first", "context_mid", "context_last"] {
                let keys = context(self, which)?;
                let rule = "keys that this step looks back on";
                contexts.push(self.result_node("ctx", keys, place, rule));
            }
            let step = |ctx| frame(one, ctx, share, [none; 3], there);
            self.decode_steps(setting, &contexts, &step, (groups, cut), lowered)?;
        }
        let longest = context(self, "context_kept")?;
        let stored = frame(one, longest, batch, kept, kept);
        let widest = match other {
            Some(_) => frame(one, longest, share, [none; 3], there),
            None => prefill,
        };
        self.memory("memory", setting, &stored, &widest, cut, &mut lowered.results)?;
        let mut devices = self.devices(setting);
        if other.is_some() {
            let own = self.devices(apart);
            devices = self.graph.add(devices, own);
            self.both_fit(place, &mut lowered.results);
        }
        lowered.results.number("devices", devices);
        if other.is_none() || whole.other_chip.is_none() {
            self.machine_figures(setting, whole, &mut lowered.results);
        }
        Some(())
    }

    /// `decode.first`, `decode.mid` and `decode.last`, which differ only in how much they look back
    /// on: costed once, then substituted.
    fn decode_steps(
        &mut self,
        setting: &Setting<'_, 'p>,
        contexts: &[ExprId],
        step: &dyn Fn(ExprId) -> Frame,
        (groups, cut): (Option<ExprId>, Option<Cut>),
        lowered: &mut Lowered,
    ) -> Option<()> {
        let from = self.graph.len();
        let first = *contexts.first()?;
        let decode = self.phase(setting, &step(first));
        let names = ["decode.first", "decode.mid", "decode.last"];
        for (phase, ctx) in names.into_iter().zip(contexts) {
            let cost = if *ctx == first {
                decode.clone()
            } else {
                let other = self.graph.substitute(from, first, *ctx);
                let mut cost = decode.map(&|id| other.of(id));
                for used in &mut cost.collectives {
                    used.collective.algorithm = self.chosen(used.collective.time);
                }
                cost
            };
            self.phase_results(phase, &cost, setting, groups, cut, lowered)?;
            lowered.costs.push((phase, cost));
        }
        Some(())
    }

    /// A plan for decode of a model that does not.
    fn report_no_decode(
        &mut self,
        scenario: &Rc<Object<'p>>,
        decode: &Side<'_, '_, 'p>,
        encodes: &Encodes,
    ) {
        let set = decode.plan.and_then(|plan| plan.item).map(|item| item.name_place());
        let at = scenario.place_of(&[Name::new("plan")]).or(set).unwrap_or(decode.setting.place);
        let title = "the plan has one for `decode`, and the model generates nothing";
        let finding = Diagnostic::new(codes::PHASE_PLANS, title, at, "plans for two phases");
        let finding = finding.and(encodes.place, encodes.why.clone());
        self.report(finding.note("give it one plan: its prefill is all that it does"));
    }

    /// How a plan deals out layers and requests.
    fn dealt(&mut self, side: &Side<'_, '_, 'p>, batch: ExprId, replicas: Option<ExprId>) -> Dealt {
        let setting = side.setting;
        let pipeline = stages(&setting.laid.steps);
        let cut = match &pipeline {
            None => None,
            Some((shard, layers)) => {
                let shares = self.shares(setting, shard, *layers);
                Some(Cut { shares, stages: shard.count })
            }
        };
        let groups = match &pipeline {
            None => None,
            Some((shard, _)) => {
                let mut args =
                    vec![("stages", Value::Num(shard.count)), ("batch", Value::Num(batch))];
                args.extend(replicas.map(|r| ("replicas", Value::Num(r))));
                self.library_number("pipeline_groups", &args)
            }
        };
        let share = match groups {
            Some(groups) => self.graph.div(batch, groups),
            None => batch,
        };
        Dealt { cut, groups, share }
    }

    /// The cache goes to the devices that decode: `handover.*`.
    fn handover(
        &mut self,
        from: &Side<'_, '_, 'p>,
        to: &Side<'_, '_, 'p>,
        whole: &Machine<'p>,
        frame: &Frame,
        lowered: &mut Lowered,
    ) -> Option<()> {
        let place = frame.place;
        let mut bytes = None;
        for (tensor, rounds) in &from.setting.model.stored {
            let Some(mut own) = self.tensor_bytes(frame, *tensor, &[], View::Whole) else {
                continue;
            };
            if let Some(rounds) = rounds {
                own = self.graph.mul(own, *rounds);
            }
            bytes = self.plus(bytes, Some(own));
        }
        let bytes = bytes?;
        let rule = "the cache of all prompts";
        let bytes = self.result_node("handover.bytes", bytes, place, rule);
        let [senders, receivers] = [from, to].map(|side| side.setting);
        let one = self.counted(1.0, "1", place, "a plan without a mesh is one device");
        let senders = senders.plan.devices.unwrap_or(one);
        let receivers = receivers.plan.devices.unwrap_or(one);
        let both = self.graph.add(senders, receivers);
        // Over the link of the least level that holds them all.
        let mut time = None;
        let levels = whole.system.levels.iter().zip(&whole.links);
        for (level, link) in levels.rev() {
            let args = [
                ("bytes", Value::Num(bytes)),
                ("link", Value::Object(link.clone())),
                ("senders", Value::Num(senders)),
                ("receivers", Value::Num(receivers)),
            ];
            let own = self.library_number("handover_time", &args)?;
            time = Some(match time {
                None => own,
                Some(outer) => {
                    let inside = self.graph.binary(Op::Le, both, level.devices);
                    self.graph.select(inside, own, outer)
                }
            });
        }
        let rule = "the cache goes to the devices that decode";
        let time = self.result_node("handover.time", time?, place, rule);
        lowered.results.number("handover.bytes", bytes);
        lowered.results.number("handover.time", time);
        Some(())
    }

    /// `memory.fits` holds where both sides fit.
    fn both_fit(&mut self, place: Place, results: &mut Results) {
        let flag = |results: &Results, path: &str| match results.get(path) {
            Some(Leaf::Flag(id)) => Some(*id),
            _ => None,
        };
        let sides = ["memory.fits", "memory.prefill.fits"].map(|path| flag(results, path));
        if let [Some(a), Some(b)] = sides {
            let fits = self.graph.binary(Op::And, a, b);
            let fits = self.result_node("memory.fits", fits, place, "both phases fit");
            results.leaves.insert("memory.fits".into(), Leaf::Flag(fits));
        }
    }
}
