//! What can be set in a scenario, and what can only be overridden.

use std::rc::Rc;

use crate::check::{Checker, Object, Ty, Value, schema_fields, schema_type, show_number};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{ItemKind, StmtKind};

/// An input that `--set` may change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settable {
    /// `serve.batch`, `plan.tp`.
    pub path: String,
    /// Its value as text; empty where it is not set.
    pub value: String,
    /// What it holds: `Count`, `dtype`.
    pub holds: String,
    /// Where it is set; `None` where it is not.
    pub place: Option<Place>,
    /// Whether another value may change the shape of the computation, not only its numbers.
    pub structural: bool,
}

/// The parts of a scenario whose parameters are inputs.
const PARTS: [&str; 3] = ["model", "system", "plan"];
/// Paths of a scenario that are no inputs.
const NO_INPUTS: [&str; 1] = ["source"];

/// Everything that `--set` may change in a scenario, in the order of its schema.
pub fn settable<'p>(checker: &mut Checker<'p>, scenario: &Rc<Object<'p>>) -> Vec<Settable> {
    let mut rows = Vec::new();
    for (path, ty) in schema_fields(ItemKind::Scenario) {
        if NO_INPUTS.contains(&path) {
            continue;
        }
        rows.push(row(checker, scenario, path.to_owned(), ty.map_or_else(String::new, holds)));
        if !PARTS.contains(&path) {
            continue;
        }
        let Some(Value::Object(part)) = checker.field_path(scenario, &[path]) else { continue };
        rows.extend(parameters(checker, scenario, path, &part));
        for phase in ["prefill", "decode"] {
            let own = format!("{path}.{phase}");
            let value = match checker.field_path(scenario, &[path, phase]) {
                Some(Value::On(both)) => Some(both.0.clone()),
                value => value.filter(|_| path == "plan"),
            };
            if let Some(Value::Object(part)) = value {
                rows.extend(parameters(checker, scenario, &own, &part));
            }
        }
        for name in ["micro_batch", "recompute"] {
            if path == "plan" && part.has(&[Name::new(name)]) {
                let ty = schema_type(ItemKind::Plan, &[Name::new(name)]);
                let own = format!("{path}.{name}");
                rows.push(row(checker, scenario, own, ty.map_or_else(String::new, holds)));
            }
        }
    }
    rows.retain(|r| !r.holds.is_empty());
    rows
}

/// The parameters of a part.
fn parameters<'p>(
    checker: &mut Checker<'p>,
    scenario: &Rc<Object<'p>>,
    path: &str,
    part: &Rc<Object<'p>>,
) -> Vec<Settable> {
    let mut rows = Vec::new();
    for slot in &part.slots {
        let name = slot.param.name.name;
        let ty = slot.param.ty.as_ref().map(|t| slot.site.site().place(t.span));
        let ty = ty.map_or(String::new(), |p| checker.program.sources.text(p).to_owned());
        // Which block it is decides what the model is; a command line has no names of blocks.
        if ty.trim_end_matches('?') == "Block" {
            continue;
        }
        rows.push(row(checker, scenario, format!("{path}.{name}"), ty));
    }
    rows
}

fn row<'p>(
    checker: &mut Checker<'p>,
    scenario: &Rc<Object<'p>>,
    path: String,
    holds: String,
) -> Settable {
    let parts: Vec<&str> = path.split('.').collect();
    let value = checker.field_path(scenario, &parts);
    let names: Vec<Name> = parts.iter().map(|p| Name::new(p)).collect();
    let mut place = scenario.place_of(&names);
    if let (None, [part, field]) = (place, parts.as_slice())
        && let Some(Value::Object(part)) = checker.field_path(scenario, &[part])
    {
        place = part.place_of(&[Name::new(field)]);
    }
    let structural = !matches!(holds.trim_end_matches('?'), "Count" | "Number" | "Time" | "Bytes");
    let value = match value {
        Some(Value::Num(id)) => {
            let unit = checker.graph.dimension(id).unit();
            let number = show_number(checker.graph.value(id));
            if unit.is_empty() { number } else { format!("{number} {unit}") }
        }
        // As it is written: `--set` takes it back.
        Some(Value::Text(text)) => format!("\"{text}\""),
        Some(value) => checker.show_value(&value),
        None => String::new(),
    };
    Settable { path, value, holds, place, structural }
}

/// The word for what a field holds; empty for sections.
fn holds(ty: Ty) -> String {
    match ty {
        Ty::Count => "Count".into(),
        Ty::Quantity(d) => d.words(),
        Ty::Bool => "Bool".into(),
        Ty::Text => "Text".into(),
        Ty::Word => "word".into(),
        Ty::Dtype => "dtype".into(),
        Ty::Kind(kind) => kind.keyword().into(),
        _ => "value".into(),
    }
}

/// Paths of figures below a scenario: of its chips, links and memories.
pub(super) fn deep<'p>(checker: &mut Checker<'p>, scenario: &Rc<Object<'p>>) -> Vec<String> {
    let mut paths = Vec::new();
    for part in PARTS {
        let Some(Value::Object(object)) = checker.field_path(scenario, &[part]) else { continue };
        leaves(&object, part, &mut paths);
        for (name, inner) in parts_of(checker, &object) {
            leaves(&inner, &format!("{part}.{name}"), &mut paths);
        }
    }
    paths
}

fn leaves(object: &Object<'_>, prefix: &str, out: &mut Vec<String>) {
    for entry in object.entries.iter().filter(|e| e.value.is_some()) {
        let path: Vec<&str> = entry.path.iter().map(|n| n.text()).collect();
        let path = format!("{prefix}.{}", path.join("."));
        if !path.ends_with(".source") && !out.contains(&path) {
            out.push(path);
        }
    }
}

/// Chips of a system under their local names, and the links of its levels.
fn parts_of<'p>(checker: &mut Checker<'p>, system: &Rc<Object<'p>>) -> Vec<(Name, Rc<Object<'p>>)> {
    let mut parts = Vec::new();
    for statement in system.stmts.clone() {
        let env = checker.fields_env(system, &statement.outer);
        let (name, value) = match &statement.stmt.kind {
            StmtKind::Chip { name, value } => (name.name, value),
            StmtKind::Level { name, via: Some(via), .. } => (name.name, via),
            _ => continue,
        };
        if let Value::Object(object) = checker.eval(value, &env) {
            parts.push((name, object));
        }
    }
    parts
}

/// Whether a figure that is not there may stand at a path: `system.gpu.compute.matrix.fp4`.
pub(super) fn may_be_added<'p>(
    checker: &mut Checker<'p>,
    scenario: &Rc<Object<'p>>,
    path: &[Name],
) -> bool {
    let [system, inside @ ..] = path else { return false };
    let [part, rest @ ..] = inside else { return false };
    if *system == "plan" {
        return schema_type(ItemKind::Plan, inside).is_some(); // micro_batch, offload.weights
    }
    if *system != "system" {
        return false;
    }
    if matches!(schema_type(ItemKind::System, inside), Some(Ty::Quantity(_))) {
        return true; // its price, the draw of its hosts
    }
    let Some(Value::Object(object)) = checker.field_path(scenario, &["system"]) else {
        return false;
    };
    let parts = parts_of(checker, &object);
    let found = parts.iter().find(|(name, _)| name == part);
    found.is_some_and(|(_, inner)| schema_type(inner.kind, rest).is_some())
}

/// Whether a name is that of an assumption, of the library or of the user's own files.
pub(super) fn is_assumption(checker: &Checker<'_>, name: Name) -> bool {
    let program = checker.program;
    program
        .modules()
        .any(|(id, _)| program.names(id).any(|(n, kind)| n == name && kind == ItemKind::Assume))
}

/// The names of all assumptions.
pub(super) fn assumptions(checker: &Checker<'_>) -> Vec<String> {
    let program = checker.program;
    let names = program.modules().flat_map(|(id, _)| program.names(id));
    names.filter(|(_, kind)| *kind == ItemKind::Assume).map(|(n, _)| n.to_string()).collect()
}
