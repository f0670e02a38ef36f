//! Phases with plans of their own: prefill on some devices, decode on others (disaggregated
//! serving; Zhong et al., DistServe, arXiv 2401.09670; Patel et al., Splitwise, arXiv 2311.18677).
//!
//! In: `plan { prefill = Tp(tp: 4) on spark, decode = Tp(tp: 8) on mac }`. Out: one scenario whose
//! phases are laid out apart, each on its part of the machine, with the way of the cache between
//! them. Without `on` both lie beside each other on the same machine.

use std::rc::Rc;

use super::scenario::Lowered;
use super::serving::Side;
use crate::check::{Checker, ItemRef, Machine, Object, Value, show_number};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op};
use crate::graph::{Laid, lay_out};
use crate::ir::Plan;
use crate::name::Name;
use crate::source::Place;

/// A scenario and what it is made of.
pub(super) struct Scene<'a, 'p> {
    pub(super) scenario: &'a Rc<Object<'p>>,
    pub(super) overrides: Option<&'a Rc<Object<'p>>>,
    pub(super) model: Rc<Object<'p>>,
    pub(super) machine: Machine<'p>,
    pub(super) item: ItemRef<'p>,
    /// Errors before it.
    pub(super) errors: usize,
    /// Whether a field of it is misspelt.
    pub(super) misspelt: bool,
}

/// The plan of one phase.
struct Phase<'p> {
    object: Rc<Object<'p>>,
    on: Option<Name>,
    machine: Machine<'p>,
    plan: Plan,
    place: Place,
}

const PHASES: [&str; 2] = ["prefill", "decode"];

impl<'p> Checker<'p> {
    /// Whether a plan is one for each phase.
    pub(super) fn has_phases(&self, plan: &Rc<Object<'p>>) -> bool {
        PHASES.iter().any(|name| plan.has(&[Name::new(name)]))
    }

    /// The plan of a phase on its part of the machine.
    fn phase_plan(
        &mut self,
        plan: &Rc<Object<'p>>,
        name: &str,
        scene: &Scene<'_, 'p>,
    ) -> Option<Phase<'p>> {
        let here = scene.item.name_place();
        let place = plan.place_of(&[Name::new(name)]).unwrap_or(here);
        let (value, on) = match self.field(plan, Name::new(name)) {
            Some(Value::On(both)) => (both.0.clone(), Some(both.1)),
            Some(value) => (value, None),
            None => {
                let other = PHASES.iter().find(|other| **other != name).copied();
                let at = other.and_then(|other| plan.place_of(&[Name::new(other)]));
                let title = format!("the plan has none for `{name}`");
                let label = "the other phase has one";
                let finding = Diagnostic::new(codes::PHASE_PLANS, title, at.unwrap_or(here), label);
                self.report(finding.note(format!("write `{name} = …` beside it")));
                return None;
            }
        };
        let ty = crate::check::Ty::Kind(crate::syntax::ast::ItemKind::Plan);
        let Value::Object(object) = self.expect_type(value, ty, place, &format!("`{name}`")) else {
            return None;
        };
        if self.has_phases(&object) {
            let title = "a plan of a phase has phases of its own";
            self.report(Diagnostic::new(codes::PHASE_PLANS, title, place, "not a single plan"));
            return None;
        }
        let machine = match on {
            None => scene.machine.clone(),
            Some(part) => self.part_of_machine(&scene.machine, part, place)?,
        };
        let plan = self.plan(&object, Some(&machine))?;
        Some(Phase { object, on, machine, plan, place })
    }

    /// Both phases on one part of the machine share its devices.
    fn share_devices(
        &mut self,
        [prefill, decode]: &mut [Phase<'p>; 2],
        scene: &Scene<'_, 'p>,
        constraints: &mut Vec<(String, ExprId)>,
    ) -> Option<()> {
        if prefill.on != decode.on {
            return Some(());
        }
        let one = self.counted(1.0, "1", prefill.place, "a plan without a mesh is one device");
        let have = prefill.machine.devices;
        let own = [&*prefill, &*decode].map(|p| p.plan.devices.unwrap_or(one));
        let [a, b] = own;
        let both = self.graph.add(a, b);
        let fits = self.graph.binary(Op::Le, both, have);
        constraints.push(("mesh".into(), fits));
        if self.decide(fits) == Some(false) {
            let show = |id| show_number(self.graph.value(id));
            let title = format!(
                "the phases need {} and {} devices, and {} has {}",
                show(a),
                show(b),
                scene.machine.object.name,
                show(have)
            );
            let finding =
                Diagnostic::new(codes::MESH_TOO_LARGE, title, decode.place, "beside the other")
                    .and(prefill.place, "these devices prefill")
                    .and(scene.machine.place, format!("{} devices", show(have)));
            self.report(finding.note("the phases run beside each other, on devices of their own"));
            return None;
        }
        let full = self.graph.binary(Op::Eq, both, have);
        if self.notice(full) == Some(false) {
            let show = |value: f64| show_number(value);
            let [have, used] = [have, both].map(|id| self.graph.value(id));
            let title = format!("{} of {} devices are idle", show(have - used), show(have));
            let label = format!("both phases use {}", show(used));
            let finding = Diagnostic::new(codes::IDLE_DEVICES, title, decode.place, label);
            self.report(finding.and(scene.machine.place, format!("{} devices", show(have))));
        }
        // Each has no more than its own.
        for (phase, own) in [prefill, decode].into_iter().zip(own) {
            phase.machine.devices = own;
        }
        Some(())
    }

    /// A scenario whose phases have plans of their own.
    pub(super) fn lower_phases(
        &mut self,
        scene: &Scene<'_, 'p>,
        plan: &Rc<Object<'p>>,
    ) -> Option<Lowered> {
        let place = scene.item.name_place();
        let scenario = scene.scenario;
        if scenario.has(&[Name::new("train")]) {
            let at = plan.place_of(&[Name::new("prefill")]).unwrap_or(place);
            let title = "training has no phases with plans of their own";
            let finding = Diagnostic::new(codes::PHASE_PLANS, title, at, "a plan for a phase");
            self.report(finding.and(place, "this scenario trains"));
            return None;
        }
        let sides = PHASES.map(|name| self.phase_plan(plan, name, scene));
        let [Some(prefill), Some(decode)] = sides else {
            return self.workload_alone(scenario, scene.misspelt);
        };
        let mut phases = [prefill, decode];
        let mut constraints = Vec::new();
        self.share_devices(&mut phases, scene, &mut constraints)?;
        let runtimes = [0, 1].map(|i| {
            let machine = phases.get(i).map(|p: &Phase<'p>| p.machine.clone());
            machine.and_then(|m| self.runtime_of(scenario, &m, scene.overrides))
        });
        let [first, second] = runtimes;
        self.set_runtime(first.clone());
        self.check_runtime();
        let prepared = self.prepared(scenario, &scene.model, None)?;
        let built = &prepared.built;
        let mut laid: Vec<Laid> = Vec::new();
        let mut sound = true;
        for phase in &phases {
            let own = lay_out(&built.model, &phase.plan, &mut self.graph);
            sound &= !phase.plan.wrong_sizes;
            sound &=
                self.check_plan(built, &phase.plan, &own, &phase.machine, place, &mut constraints);
            laid.push(own);
        }
        if !sound || self.errors() > scene.errors {
            return None;
        }
        let [prefill, decode] = &phases;
        let shown = [prefill, decode].map(|p| self.describe_plan(&p.plan));
        let [a, b] = shown;
        let mut lowered = Lowered {
            name: scenario.name,
            model: scene.model.name,
            system: scene.machine.object.name,
            plan: format!("{a} for prefill, {b} for decode"),
            formats: prepared.kept.clone(),
            constraints,
            ..Lowered::empty(place)
        };
        self.parameters(built, &mut lowered.results, place);
        let [first_setting, second_setting] = [(prefill, laid.first()?), (decode, laid.last()?)]
            .map(|(phase, laid)| prepared.setting(&phase.plan, &phase.machine, laid, place));
        let from = Side { setting: &first_setting, plan: Some(&prefill.object), runtime: first };
        let to = Side { setting: &second_setting, plan: Some(&decode.object), runtime: second };
        self.serving(scenario, &from, Some(&to), &scene.machine, &mut lowered)?;
        if self.errors() > scene.errors {
            return None;
        }
        let settings = [&second_setting, &first_setting];
        self.concluded(scenario, scene.item, &settings, &mut lowered);
        lowered.ir = prepared.model.clone();
        lowered.laid = Rc::new(second_setting.laid.clone());
        lowered.mapping = decode.plan.clone();
        lowered.mapped = Some("decode");
        lowered.machine = decode.machine.system.clone();
        Some(lowered)
    }
}
