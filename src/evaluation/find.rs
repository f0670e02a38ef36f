//! The figure that a path names.

use super::{Evaluation, unknown_scenario};
use crate::check::Value;
use crate::diagnostic::{Diagnostic, closest, codes, listed};
use crate::lower::Leaf;
use crate::name::Name;
use crate::source::{Place, Span};

/// A figure.
#[derive(Clone, Debug)]
pub struct Found {
    /// The scenario.
    pub scenario: String,
    /// The path in it.
    pub path: String,
    /// The figure.
    pub leaf: Leaf,
    /// Where the scenario stands.
    pub place: Place,
}

/// The figure at a path, with or without the scenario's name before it; `None` where that scenario
/// has errors of its own.
///
/// # Errors
/// Says that there is no such scenario or result, and what there is.
pub fn find(evaluation: &mut Evaluation<'_>, path: &str) -> Result<Option<Found>, Box<Diagnostic>> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let position = evaluation.scenarios.iter().position(|s| s.name == first);
    let (position, rest) = match (position, evaluation.scenarios.len()) {
        (Some(position), _) => (position, rest),
        (None, 1) => (0, path),
        (None, 0) => return Ok(None),
        (None, _) => return Err(Box::new(no_scenario(evaluation, first, path))),
    };
    let Some(scenario) = evaluation.scenarios.get(position) else { return Ok(None) };
    let Some(lowered) = &scenario.lowered else { return Ok(None) };
    let (name, place) = (scenario.name, scenario.place);
    let found = |leaf| Found { scenario: name.to_string(), path: rest.to_owned(), leaf, place };
    if let Some(leaf) = lowered.results.get(rest) {
        return Ok(Some(found(leaf.clone())));
    }
    if let Some(object) = &scenario.object {
        let parts: Vec<&str> = rest.split('.').collect();
        match evaluation.checker.field_path(object, &parts) {
            Some(Value::Num(id)) => return Ok(Some(found(Leaf::Number(id)))),
            Some(Value::Object(o)) if o.owner.is_none() => {
                return Ok(Some(found(Leaf::Text(o.name.to_string()))));
            }
            _ => {}
        }
    }
    if lowered.results.is_group(rest) || rest.is_empty() {
        let title = format!("`{path}` is a group of results, not a figure");
        let names = lowered.results.children(rest);
        let names: Vec<&str> = names.iter().map(|n| n.text()).collect();
        let diagnostic =
            Diagnostic::new(codes::UNKNOWN_RESULT, title, scenario.place, "of this scenario");
        return Err(Box::new(diagnostic.note(format!("it has: {}", names.join(", ")))));
    }
    let title = format!("`{name}` has no result `{rest}`");
    let diagnostic =
        Diagnostic::new(codes::UNKNOWN_RESULT, title, scenario.place, "of this scenario");
    let paths = lowered.results.leaves.keys().map(String::as_str);
    let root = Name::new(rest.split('.').next().unwrap_or(rest));
    let possible = evaluation.checker.is_result_root(root, evaluation.module);
    if let Some(why) = lowered.results.why_absent(rest)
        && evaluation.checker.outline_for(evaluation.module).get(rest).is_some()
    {
        return Err(Box::new(diagnostic.note(why)));
    }
    let diagnostic = match crate::lower::unstated(&lowered.results) {
        Some(note) if possible && lowered.results.children(root.text()).is_empty() => {
            return Err(Box::new(diagnostic.note(note)));
        }
        _ => diagnostic,
    };
    let otherwise = match deepest(lowered, rest) {
        Some((group, names)) => format!("`{group}` has: {names}"),
        None => {
            let roots = lowered.results.children("");
            let roots: Vec<&str> = roots.iter().map(|n| n.text()).collect();
            listed("it has", &roots)
        }
    };
    Err(Box::new(diagnostic.meant(closest(rest, paths), None, otherwise)))
}

/// The deepest group that a path passes, with the names in it.
fn deepest(lowered: &crate::lower::Lowered, path: &str) -> Option<(String, String)> {
    let mut group = path;
    while let Some((outer, _)) = group.rsplit_once('.') {
        group = outer;
        if lowered.results.is_group(group) {
            let names = lowered.results.children(group);
            let names: Vec<&str> = names.iter().map(|n| n.text()).collect();
            return Some((group.to_owned(), names.join(", ")));
        }
    }
    None
}

/// A path that does not say which scenario, or says one that is not there.
fn no_scenario(evaluation: &Evaluation<'_>, first: &str, path: &str) -> Diagnostic {
    let has = |s: &super::Evaluated<'_>| {
        let results = s.lowered.as_ref().map(|l| &l.results);
        results.is_some_and(|r| r.get(path).is_some() || r.is_group(path))
    };
    let program = evaluation.checker.program;
    let with: Vec<String> = evaluation
        .scenarios
        .iter()
        .filter(|s| has(s))
        .map(|s| format!("`{}.{path}`", s.name))
        .collect();
    if with.is_empty() {
        return unknown_scenario(program, evaluation.module, first);
    }
    let place = evaluation.scenarios.first().map(|s| s.place);
    let file = program.module(evaluation.module).file;
    let place = place.unwrap_or(Place { file, span: Span::default() });
    let title = format!("`{path}` does not say which scenario is meant");
    Diagnostic::new(codes::UNKNOWN_SCENARIO, title, place, "the first one")
        .note(format!("write {}", with.join(" or ")))
}
