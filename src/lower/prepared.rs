//! The model of a scenario in its number formats, before any plan lays it out.
//!
//! In: a scenario, its model and the rules of training. Out: a [`Prepared`] model, and of each plan
//! on a machine a [`Setting`] for what costs it.

use std::rc::Rc;

use super::formats::{Formats, kept};
use super::phase::{Setting, escaping};
use super::training;
use crate::check::{BuiltModel, Checker, Computing, FormatRules, Machine, Object};
use crate::graph::Laid;
use crate::ir::{Model, Plan, Role, Training};
use crate::name::Name;
use crate::source::Place;

/// A built model with the formats that it is built in.
pub(super) struct Prepared<'p> {
    pub(super) built: BuiltModel<'p>,
    /// Its dataflow, shared with frames.
    pub(super) model: Rc<Model>,
    /// What its tensors are kept in, for people.
    pub(super) kept: Formats,
    /// Formats of what training keeps beside the tensors.
    pub(super) beside: training::Formats,
    compute: Computing,
    saved: FormatRules,
}

impl<'p> Prepared<'p> {
    /// What costs the model under a plan that lays it out.
    pub(super) fn setting<'a>(
        &'a self,
        plan: &'a Plan,
        machine: &'a Machine<'p>,
        laid: &'a Laid,
        place: Place,
    ) -> Setting<'a, 'p> {
        Setting {
            built: &self.built,
            model: self.model.clone(),
            plan,
            machine,
            laid,
            compute: self.compute.clone(),
            saved: self.saved.clone(),
            place,
            escaping: escaping(&laid.steps, &self.model),
        }
    }
}

impl<'p> Checker<'p> {
    /// The dataflow of a scenario's model, as far as it can be built.
    pub(super) fn built_alone(
        &mut self,
        scenario: &Rc<Object<'p>>,
        model: &Rc<Object<'p>>,
    ) -> Option<Rc<Model>> {
        let precision = self.precision_of(Some(scenario), model);
        self.build_for(model, precision, None).map(|built| Rc::new(built.model))
    }
    /// Builds the model of a scenario in its formats; `None` where that cannot be (reported).
    pub(super) fn prepared(
        &mut self,
        scenario: &Rc<Object<'p>>,
        model: &Rc<Object<'p>>,
        training: Option<&Training>,
    ) -> Option<Prepared<'p>> {
        let precision = self.precision_of(Some(scenario), model);
        let beside = training::Formats::of(&precision);
        let (compute, saved) = (precision.compute.clone(), precision.saved.clone());
        let general = Role::ALL.into_iter().filter_map(|r| Some((r, precision.role(r)?.name)));
        let general: Vec<(Role, Name)> = general.collect();
        let before = self.errors();
        let built = self.build_for(model, precision, training)?;
        if built.model.outputs.is_empty() || self.errors() > before {
            return None;
        }
        self.check_precision(&built.model, scenario)?;
        Some(Prepared {
            model: Rc::new(built.model.clone()),
            kept: kept(&built.model, &general),
            built,
            beside,
            compute,
            saved,
        })
    }
}
