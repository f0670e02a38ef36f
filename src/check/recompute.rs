//! `recompute` of a plan: what the backward pass makes once more instead of finding it kept.
//!
//! In: the settings `recompute = full` and `recompute within Block = full`. Out: [`Recompute`];
//! findings where a word is not known or a rule holds nowhere.

use std::rc::Rc;

use super::object::Entry;
use super::value::Value;
use super::{Checker, Object, schema};
use crate::ir::{Model, Recompute, RecomputeLevel, Training};
use crate::name::Name;
use crate::syntax::ast::{ExprKind, ItemKind};

fn level(word: Name) -> Option<RecomputeLevel> {
    match word.text() {
        "none" => Some(RecomputeLevel::None),
        "selective" => Some(RecomputeLevel::Selective),
        "full" => Some(RecomputeLevel::Full),
        "discard" => Some(RecomputeLevel::Discard),
        _ => None,
    }
}

impl<'p> Checker<'p> {
    /// `recompute` of a plan.
    pub(crate) fn recompute(&mut self, plan: &Rc<Object<'p>>) -> Option<Recompute> {
        let general = match self.field(plan, Name::new("recompute")) {
            None | Some(Value::None) => RecomputeLevel::None,
            Some(Value::Word(word)) => level(word)?,
            Some(_) => return None,
        };
        let mut recompute = Recompute { general, scoped: Vec::new() };
        for entry in scoped(plan, &["recompute"]) {
            let Some(expr) = entry.value else { continue };
            let word = match &expr.kind {
                ExprKind::Name(word) => Value::Word(*word),
                _ => self.eval(expr, &entry.outer),
            };
            let place = entry.outer.site().place(expr.span);
            let level = match word {
                Value::None => RecomputeLevel::None,
                word => {
                    let word = schema::check_field(self, ItemKind::Plan, &entry.path, word, place);
                    let Value::Word(word) = word else { return None };
                    level(word)?
                }
            };
            let within = entry.within.iter().map(|w| w.iter().map(|i| i.name).collect());
            recompute.scoped.push((within.collect(), level));
        }
        Some(recompute)
    }

    /// What a scenario and its plan say of training beside the workload.
    pub(crate) fn training_rules(
        &mut self,
        scenario: &Rc<Object<'p>>,
        plan: Option<&Rc<Object<'p>>>,
    ) -> Option<Training> {
        let recompute = match plan {
            Some(plan) => self.recompute(plan)?,
            None => Recompute::default(),
        };
        let all = self.field_path(scenario, &["train", "frozen"]);
        let frozen = matches!(all, Some(Value::Truth(true)));
        let mut training = Training { recompute, frozen, frozen_within: Vec::new() };
        for entry in scoped(scenario, &["train", "frozen"]) {
            let Some(expr) = entry.value else { continue };
            let value = self.eval(expr, &entry.outer);
            let place = entry.outer.site().place(expr.span);
            let value = schema::check_field(self, ItemKind::Scenario, &entry.path, value, place);
            let Value::Truth(frozen) = value else { return None };
            let within = entry.within.iter().map(|w| w.iter().map(|i| i.name).collect());
            training.frozen_within.push((within.collect(), frozen));
        }
        Some(training)
    }

    /// Rules within blocks that the model does not have.
    pub(crate) fn check_recompute(
        &mut self,
        model: &Model,
        scenario: &Rc<Object<'p>>,
        plan: Option<&Rc<Object<'p>>>,
    ) -> Option<()> {
        let mut rules = scoped(scenario, &["train", "frozen"]);
        rules.extend(plan.into_iter().flat_map(|p| scoped(p, &["recompute"])));
        self.check_scopes(model, rules)
    }
}

/// The settings under a path that hold within some blocks only.
pub(super) fn scoped<'p>(object: &Rc<Object<'p>>, path: &[&str]) -> Vec<Entry<'p>> {
    let own = |e: &&Entry<'p>| {
        !e.within.is_empty()
            && e.path.len() == path.len()
            && e.path.iter().zip(path).all(|(a, b)| *a == *b)
    };
    object.entries.iter().filter(own).cloned().collect()
}
