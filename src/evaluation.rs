//! Scenarios of a file, evaluated on one graph.
//!
//! In: a program, the names of scenarios (none: all), and what to change. Out: [`Evaluation`]: the
//! checker with its graph, each scenario's results where it has some, and all findings.

use std::rc::Rc;

use crate::check::{self, Checker, ItemRef, ModuleId, Object, Program};
use crate::diagnostic::{self, Diagnostic, Severity, codes};
use crate::lower::{self, Lowered};
use crate::name::Name;
use crate::source::{Place, Span};

/// Everything that came out.
pub struct Evaluation<'p> {
    /// The graph, and what is needed to evaluate more on it.
    pub checker: Checker<'p>,
    /// The scenarios asked for, in order.
    pub scenarios: Vec<Evaluated<'p>>,
    /// All findings, in source order.
    pub findings: Vec<Diagnostic>,
}

/// One scenario.
pub struct Evaluated<'p> {
    /// Its name.
    pub name: Name,
    /// Its fields, with what was changed; `None` where it cannot be read.
    pub object: Option<Rc<Object<'p>>>,
    /// Its results; `None` where it has errors.
    pub lowered: Option<Lowered>,
}

impl Evaluation<'_> {
    /// Whether anything is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Evaluates scenarios of a module; all of them if none is named.
#[must_use]
pub fn evaluate<'p>(program: &'p Program, module: ModuleId, wanted: &[String]) -> Evaluation<'p> {
    let mut findings = program.load_diagnostics.clone();
    findings.extend(program.syntax_diagnostics(module));
    let mut checker = Checker::new(program);
    check::check_module(&mut checker, module);
    let items = chosen(program, module, wanted, &mut findings);
    let mut scenarios = Vec::new();
    for item in items {
        let object = checker.check_object(item);
        let lowered = object.as_ref().and_then(|o| lower::lower(&mut checker, o, None));
        scenarios.push(Evaluated { name: item.item.name.name, object, lowered });
    }
    findings.append(&mut checker.diagnostics);
    diagnostic::sort(&mut findings);
    Evaluation { checker, scenarios, findings }
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
    match check::closest(name, names.iter().copied()) {
        Some(best) => diagnostic.note(format!("did you mean `{best}`?")),
        None if names.is_empty() => diagnostic,
        None => diagnostic.note(format!("the file has: {}", names.join(", "))),
    }
}
