//! Scenarios of a file, evaluated on one graph, with what was changed on the command line.
//!
//! In: a program, the names of scenarios (none: all), and [`Changes`]. Out: [`Evaluation`]: the
//! checker with its graph, each scenario's results where it has some, and all findings.

mod changes;
mod expression;
mod find;
mod settable;

use std::rc::Rc;

pub use changes::{Change, ChangeKind, Changes};
pub use expression::{Expression, expression};
pub use find::{Found, find};
pub use settable::{Settable, settable};

use crate::check::{self, Checker, ItemRef, ModuleId, Object, Program};
use crate::diagnostic::{self, Diagnostic, Severity, closest, codes, listed};
use crate::lower::{self, Lowered};
use crate::name::Name;
use crate::source::{Place, Span};

/// Everything that came out.
pub struct Evaluation<'p> {
    /// The graph, and what is needed to evaluate more on it.
    pub checker: Checker<'p>,
    /// The module whose scenarios these are.
    pub module: ModuleId,
    /// The scenarios asked for, in order.
    pub scenarios: Vec<Evaluated<'p>>,
    /// All findings, in source order.
    pub findings: Vec<Diagnostic>,
}

/// One scenario.
pub struct Evaluated<'p> {
    /// Its name.
    pub name: Name,
    /// Where its name stands.
    pub place: Place,
    /// Its fields, with what was changed; `None` where it cannot be read.
    pub object: Option<Rc<Object<'p>>>,
    /// Its results; `None` where it has errors.
    pub lowered: Option<Lowered>,
    /// What was changed in it.
    pub changes: Vec<Change>,
    /// How many errors its own fields have.
    errors: usize,
}

impl Evaluation<'_> {
    /// Whether anything is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|d| d.severity == Severity::Error)
    }
    /// Adds what the checker found since, and sorts.
    fn collect(&mut self) {
        self.findings.append(&mut self.checker.diagnostics);
        diagnostic::sort(&mut self.findings);
    }
}

/// Evaluates scenarios of a module; all of them if none is named.
#[must_use]
pub fn evaluate<'p>(
    program: &'p Program,
    module: ModuleId,
    wanted: &[String],
    changes: &Changes,
) -> Evaluation<'p> {
    let mut evaluation = read(program, module, wanted, changes);
    if !changes.syntax_diagnostics(program).is_empty() {
        // Results without the change would answer another question.
        evaluation.collect();
        return evaluation;
    }
    lower_all(&mut evaluation, changes);
    evaluation.collect();
    evaluation
}

/// Evaluates one scenario and nothing else of its module: what a sweep does again and again.
/// Findings stay with the checker, in the order in which they were made.
#[must_use]
pub fn evaluate_one<'p>(
    program: &'p Program,
    module: ModuleId,
    scenario: Name,
    changes: &Changes,
) -> Evaluation<'p> {
    evaluate_on(Checker::new(program), module, scenario, changes)
}

/// The same with what a checker knows already.
#[must_use]
pub fn evaluate_on<'p>(
    mut checker: Checker<'p>,
    module: ModuleId,
    scenario: Name,
    changes: &Changes,
) -> Evaluation<'p> {
    let program = checker.program;
    checker.diagnostics.extend(changes.syntax_diagnostics(program));
    let all = crate::scenarios(program, module);
    let item = all.into_iter().find(|i| i.item.name.name == scenario);
    let scenarios = item.into_iter().map(|item| opened(&mut checker, item)).collect();
    let mut evaluation = Evaluation { checker, module, scenarios, findings: Vec::new() };
    if changes.syntax_diagnostics(program).is_empty() {
        lower_all(&mut evaluation, changes);
    }
    evaluation
}

/// Lowers scenarios with their changes.
fn lower_all(evaluation: &mut Evaluation<'_>, changes: &Changes) {
    let module = evaluation.module;
    let checker = &mut evaluation.checker;
    for scenario in &mut evaluation.scenarios {
        let Some(object) = scenario.object.take() else { continue };
        scenario.object = Some(checker.led_by(scenario.place, |checker| {
            let errors = checker.errors();
            let changed = changes.apply(checker, module, scenario.name, &object);
            scenario.changes = changed.applied;
            if checker.errors() == errors {
                // What is wrong with its own fields stands in the way of its results.
                checker.baseline = Some(errors - scenario.errors);
                let overrides = changed.overrides.as_ref();
                scenario.lowered = lower::lower(checker, &changed.object, overrides);
                if scenario.lowered.is_none() {
                    checker.check_expectations(&changed.object);
                    if checker.errors() == errors
                        && let Some(open) = checker.open_plan(&changed.object)
                    {
                        checker.report(left_open(scenario, &changed.object, &open));
                    }
                }
            }
            changed.object
        }));
    }
}

/// A finding about a plan that nobody chose.
fn left_open(scenario: &Evaluated<'_>, object: &Object<'_>, open: &[Name]) -> Diagnostic {
    let place = object.entry(&[Name::new("plan")]).map_or(scenario.place, |e| e.place);
    let names: Vec<&str> = open.iter().map(|n| n.text()).collect();
    let what = if names.is_empty() { "the plan" } else { "a degree of the plan" };
    let title = format!("{what} of `{}` is left open", scenario.name);
    Diagnostic::new(codes::PLAN_LEFT_OPEN, title, place, listed("open:", &names))
        .note(format!("`mesa plan FILE {}` finds the best one and says why", scenario.name))
}

/// Reads the scenarios without evaluating them: enough to list what can be set.
#[must_use]
pub fn open<'p>(
    program: &'p Program,
    module: ModuleId,
    wanted: &[String],
    changes: &Changes,
) -> Evaluation<'p> {
    let mut evaluation = read(program, module, wanted, changes);
    evaluation.collect();
    evaluation
}

fn read<'p>(
    program: &'p Program,
    module: ModuleId,
    wanted: &[String],
    changes: &Changes,
) -> Evaluation<'p> {
    let mut findings = program.load_diagnostics.clone();
    findings.extend(program.syntax_diagnostics(module));
    findings.extend(changes.syntax_diagnostics(program));
    let mut checker = Checker::new(program);
    check::check_module(&mut checker, module);
    let items = chosen(program, module, wanted, &mut findings);
    let scenarios = items.into_iter().map(|item| opened(&mut checker, item)).collect();
    Evaluation { checker, module, scenarios, findings }
}

fn opened<'p>(checker: &mut Checker<'p>, item: ItemRef<'p>) -> Evaluated<'p> {
    let before = checker.errors();
    let place = item.name_place();
    let object = checker.led_by(place, |checker| checker.check_object(item));
    let errors = checker.errors() - before;
    let name = item.item.name.name;
    Evaluated { name, place, object, errors, lowered: None, changes: Vec::new() }
}

/// The scenarios that are meant; unknown names are reported.
fn chosen<'p>(
    program: &'p Program,
    module: ModuleId,
    wanted: &[String],
    findings: &mut Vec<Diagnostic>,
) -> Vec<ItemRef<'p>> {
    let all = crate::scenarios(program, module);
    if wanted.is_empty() {
        return all;
    }
    let mut items = Vec::new();
    for name in wanted {
        match all.iter().find(|i| i.item.name.name == name.as_str()) {
            Some(item) if !items.contains(item) => items.push(*item),
            Some(_) => {}
            None => findings.push(unknown_scenario(program, module, name)),
        }
    }
    items
}

/// A finding about a scenario that the file does not have.
#[must_use]
pub fn unknown_scenario(program: &Program, module: ModuleId, name: &str) -> Diagnostic {
    let all = crate::scenarios(program, module);
    let place = match all.first() {
        Some(first) => first.name_place(),
        None => Place { file: program.module(module).file, span: Span::default() },
    };
    let names: Vec<&str> = all.iter().map(|i| i.item.name.name.text()).collect();
    let label = if names.is_empty() { "no scenario is declared here" } else { "the first one" };
    let title = format!("there is no scenario `{name}`");
    let diagnostic = Diagnostic::new(codes::UNKNOWN_SCENARIO, title, place, label);
    let best = closest(name, names.iter().copied());
    diagnostic.meant(best, None, listed("the file has", &names))
}

/// A finding about a file that declares no scenario at all.
#[must_use]
pub fn no_scenario(evaluation: &Evaluation<'_>) -> Diagnostic {
    let program = evaluation.checker.program;
    let file = program.module(evaluation.module).file;
    let place = Place { file, span: Span::default() };
    let title = format!("`{}` declares no scenario", program.sources.file(file).name);
    Diagnostic::new(codes::UNKNOWN_SCENARIO, title, place, "nothing to evaluate here")
        .note("`mesa check` says whether the file is sound; `mesa new DIR` writes a starter spec")
}
