//! What a scenario asks for: `serve { … }` or `train { … }`, as it is stated.
//!
//! In: a scenario. Out: its figures, each missing or impossible one reported, whether or not a plan
//! can be followed.

use std::rc::Rc;

use super::memory::stages;
use super::phase::Setting;
use super::training::Formats;
use crate::check::{Checker, Object, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op};
use crate::ir::Training;
use crate::ir::encodes::Encodes;
use crate::name::Name;
use crate::source::Place;

/// What a scenario does, as metrics name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// It serves a model that generates.
    Generate,
    /// It serves a model that generates nothing.
    Encode,
    /// It trains.
    Train,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Generate, Self::Encode, Self::Train];
    /// What a metric may be for; `serve` is for all that serve.
    pub const WORDS: [&str; 4] = ["serve", "generate", "encode", "train"];

    /// Whether a metric for `word` is one for this.
    #[must_use]
    pub fn is(self, word: Name) -> bool {
        let words: &[&str] = match self {
            Self::Generate => &["serve", "generate"],
            Self::Encode => &["serve", "encode"],
            Self::Train => &["train"],
        };
        words.contains(&word.text())
    }
}

/// What `serve` says, on which replicas.
pub(super) struct Serving {
    /// Requests at a time, tokens of a prompt, tokens of an answer.
    pub figures: [ExprId; 3],
    /// Devices or groups of them that share the batch; `None` where all see all of it.
    pub replicas: Option<ExprId>,
}

impl<'p> Checker<'p> {
    /// Reports what is wrong with a workload by itself, where no plan or machine could be read.
    /// After a misspelt field none is missing.
    pub(super) fn workload_alone<T>(
        &mut self,
        scenario: &Rc<Object<'p>>,
        misspelt: bool,
    ) -> Option<T> {
        let before = self.diagnostics.len();
        if scenario.has(&[Name::new("train")]) {
            for field in ["batch", "seq"] {
                let _ = self.train_field(scenario, field);
            }
            let _ = self.optimizer(scenario);
        } else {
            let encodes = self.encoder_of(scenario);
            let _ = self.serve_figures(scenario, encodes.as_ref());
        }
        self.forget_missing(before, misspelt)
    }

    /// Why the model of a scenario without an `output` generates nothing, as far as it can be built.
    fn encoder_of(&mut self, scenario: &Rc<Object<'p>>) -> Option<Encodes> {
        let output = ["serve", "output"].map(Name::new);
        let Some(Value::Object(model)) = self.field(scenario, Name::new("model")) else {
            return None;
        };
        if scenario.has(&output) {
            return None;
        }
        let before = self.diagnostics.len();
        let precision = self.precision_of(None, &model);
        let built = self.build_model(&model, precision);
        self.diagnostics.truncate(before);
        built.and_then(|built| built.model.encodes())
    }

    /// Reports what is wrong with a workload beside a plan that cannot be.
    pub(super) fn workload_beside<T>(
        &mut self,
        (scenario, plan): (&Rc<Object<'p>>, Option<&Rc<Object<'p>>>),
        setting: &Setting<'_, 'p>,
        (training, formats): (Option<Training>, Formats),
        misspelt: bool,
    ) -> Option<T> {
        let before = self.diagnostics.len();
        match training {
            None => drop(self.serving_of(scenario, plan, setting)),
            Some(training) => {
                let recompute = training.recompute;
                drop(self.workload_of_training(scenario, plan, setting, recompute, formats));
            }
        }
        self.forget_missing(before, misspelt)
    }

    fn forget_missing<T>(&mut self, before: usize, misspelt: bool) -> Option<T> {
        let found = self.diagnostics.split_off(before.min(self.diagnostics.len()));
        let is_told = |d: &Diagnostic| !misspelt || d.code != codes::MISSING_FIELD;
        self.diagnostics.extend(found.into_iter().filter(is_told));
        None
    }

    /// `serve { … }` on the replicas of a plan.
    pub(super) fn serving_of(
        &mut self,
        scenario: &Rc<Object<'p>>,
        plan: Option<&Rc<Object<'p>>>,
        setting: &Setting<'_, 'p>,
    ) -> Option<Serving> {
        let encodes = setting.model.encodes();
        let figures = self.serve_figures(scenario, encodes.as_ref())?;
        let [batch, ..] = figures;
        let replicas = self.replicas(setting);
        if let Some(replicas) = replicas {
            self.enough_sequences(setting, replicas, batch)?;
        }
        self.check_batch(setting, batch);
        self.check_effect(plan, setting, false)?;
        self.check_offload(setting, false)?;
        self.check_ends(setting, plan, stages(&setting.laid.steps).as_ref())?;
        Some(Serving { figures, replicas })
    }

    /// Requests at a time, tokens of a prompt, tokens of an answer: none where nothing is generated.
    fn serve_figures(
        &mut self,
        scenario: &Rc<Object<'p>>,
        encodes: Option<&Encodes>,
    ) -> Option<[ExprId; 3]> {
        let mut found = Vec::new();
        let (place, rule) = (scenario.item.map(|i| i.name_place()), "nothing of this kind");
        let needless = |field: &str| match encodes {
            Some(encodes) => field == "output" || field == "prompt" && !encodes.reads,
            None => false,
        };
        for field in ["batch", "prompt", "output"] {
            match self.field_path(scenario, &["serve", field]) {
                Some(Value::Num(id)) => found.push(id),
                Some(_) => {}
                None if needless(field) => found.push(self.counted(0.0, field, place?, rule)),
                None => {
                    let at = scenario
                        .place_of(&[Name::new("serve")])
                        .or(scenario.item.map(|i| i.name_place()))?;
                    self.report_no_field(field, at);
                }
            }
        }
        let figures: [ExprId; 3] = found.try_into().ok()?;
        let (Some(encodes), [batch, prompt, output]) = (encodes, figures) else {
            return Some(figures);
        };
        self.no_output(scenario, output, encodes, place?);
        let none = self.counted(0.0, "output", place?, "nothing is generated");
        Some([batch, prompt, none])
    }

    /// Says that a model generates nothing, where more than one answer for each request is asked.
    fn no_output(
        &mut self,
        scenario: &Rc<Object<'p>>,
        output: ExprId,
        encodes: &Encodes,
        place: Place,
    ) {
        let one = self.counted(1.0, "1", place, "one answer for each request");
        let more = self.graph.binary(Op::Lt, one, output);
        let set = scenario.place_of(&["serve", "output"].map(Name::new));
        if let (Some(true), Some(at)) = (self.notice(more), set) {
            let title = "`serve.output` has no effect: the model generates nothing";
            let label = "counted in nothing: leave it out";
            let finding = Diagnostic::new(codes::NO_EFFECT, title, at, label);
            self.report(finding.and(encodes.place, encodes.why.clone()));
        }
    }

    pub(super) fn report_no_field(&mut self, field: &str, place: Place) {
        let title = format!("the workload has no `{field}`");
        let label = format!("write `{field} = …` into it");
        self.report(Diagnostic::new(codes::MISSING_FIELD, title, place, label));
    }

    /// The optimizer that `train` names, and where; Adam where it names none.
    pub(super) fn optimizer(&mut self, scenario: &Rc<Object<'p>>) -> Option<(Name, Place)> {
        let path = [Name::new("train"), Name::new("optimizer")];
        let place = scenario.place_of(&path).or(scenario.item.map(|i| i.name_place()))?;
        let name = match self.field_path(scenario, &["train", "optimizer"]) {
            Some(Value::Word(word)) => word,
            Some(_) => return None,
            None => Name::new("adam"),
        };
        let written = scenario.entry(&path).and_then(|e| e.value.map(|v| (e, v.span)));
        let at = written.map_or(place, |(entry, span)| entry.outer.site().place(span));
        self.known_optimizer(name, at)?;
        Some((name, place))
    }
}
