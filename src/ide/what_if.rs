//! What if one input of a scenario were another: what is worth a try, and the scenario that tries it.
//!
//! In: a view, a scenario, its inputs. Out: [`Choice`]s; the edit that adds an amended scenario, or
//! why it would make no sense; the same as actions, for clients without a picker.

use super::actions::{Action, Kind, lines};
use super::naming::free;
use super::resolve::{View, set_in};
use crate::check::{Checker, ItemRef, Value};
use crate::diagnostic::{Edit, Severity};
use crate::name::Name;
use crate::source::{Place, Span};
use crate::syntax::ast::ItemKind;

/// An input of a scenario with values that are worth a try.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The path: `precision.weights`.
    pub path: String,
    /// What it is, in a word.
    pub title: String,
    /// Its value now, as people read it.
    pub current: String,
    /// Values to try.
    pub values: Vec<String>,
}

/// Formats that are worth a try.
const FORMATS: [&str; 4] = ["bf16", "fp8", "int8", "int4_g128"];
/// Numbers of a workload, and what they are called.
const NUMBERS: [(&str, &str); 5] = [
    ("serve.batch", "batch"),
    ("serve.prompt", "prompt"),
    ("serve.output", "output"),
    ("train.batch", "batch"),
    ("train.seq", "sequence"),
];

/// What is worth a try, from the inputs of a scenario as its report has them, or as they are
/// [`written`].
#[must_use]
pub fn choices(view: &View<'_>, item: ItemRef<'_>, inputs: &[(String, String)]) -> Vec<Choice> {
    let mut out = Vec::new();
    let current = |path: &str| inputs.iter().find(|(p, _)| p == path).map(|(_, v)| v.clone());
    let trains = inputs.iter().any(|(path, _)| path.starts_with("train."));
    for role in ["weights", "activations", "cache"] {
        // Training keeps no cache.
        if trains && role == "cache" {
            continue;
        }
        let path = format!("precision.{role}");
        let now = current(&path).unwrap_or_default();
        let values = FORMATS.iter().filter(|f| **f != now).map(|f| (*f).to_owned()).collect();
        out.push(Choice { path, title: format!("{role} in"), current: now, values });
    }
    for (path, title) in NUMBERS {
        let Some(now) = current(path) else { continue };
        let Some(number) = whole(&now) else { continue };
        let values = [number / 2, number.saturating_mul(2), number.saturating_mul(4)];
        let values = values.iter().filter(|v| **v > 0).map(u64::to_string).collect();
        out.push(Choice { path: path.to_owned(), title: title.to_owned(), current: now, values });
    }
    let devices = devices(view, item).unwrap_or(1 << 16);
    for name in plan_params(view, item) {
        let path = format!("plan.{name}");
        let now = current(&path).unwrap_or_default();
        let most = whole(&now).unwrap_or(0).saturating_mul(2).max(8).min(devices);
        let powers = std::iter::successors(Some(1u64), |n| n.checked_mul(2));
        let powers = powers.take_while(|n| *n <= most).map(|n| n.to_string());
        let values = powers.filter(|v| *v != now).collect();
        out.push(Choice { path, title: name.to_string(), current: now, values });
    }
    out
}

fn whole(text: &str) -> Option<u64> {
    text.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
}

/// How many devices the machine of a scenario has.
fn devices(view: &View<'_>, item: ItemRef<'_>) -> Option<u64> {
    let mut checker = Checker::new(view.program);
    let Value::Object(object) = checker.object_item(item) else { return None };
    let Value::Object(system) = checker.field(&object, Name::new("system"))? else { return None };
    let devices = checker.machine(&system)?.devices;
    let count = checker.graph.value(devices);
    (count >= 1.0).then_some(count as u64)
}

fn plan_params(view: &View<'_>, item: ItemRef<'_>) -> Vec<Name> {
    let plan = set_in(&mut Checker::new(view.program), item, Name::new("plan"));
    let params = plan.into_iter().flat_map(|plan| plan.item.params.iter().flatten());
    params.map(|param| param.name.name).collect()
}

/// The inputs of a scenario as it sets them, without evaluating what follows.
#[must_use]
pub fn written(view: &View<'_>, item: ItemRef<'_>) -> Vec<(String, String)> {
    let mut checker = Checker::new(view.program);
    let Value::Object(object) = checker.object_item(item) else { return Vec::new() };
    let roles = ["weights", "activations", "cache"].map(|role| format!("precision.{role}"));
    let plan = plan_params(view, item).into_iter().map(|name| format!("plan.{name}"));
    let numbers = NUMBERS.map(|(path, _)| path.to_owned());
    let mut out = Vec::new();
    for path in roles.into_iter().chain(numbers).chain(plan) {
        let parts: Vec<&str> = path.split('.').collect();
        let value = checker.field_path(&object, &parts);
        let shown = value.map_or_else(String::new, |value| checker.show_value(&value));
        if !matches!(shown.as_str(), "" | "?" | "none") {
            out.push((path, shown));
        }
    }
    out
}

/// The edit that adds a scenario with one setting changed, below the scenario that it amends.
#[must_use]
pub fn amended(view: &View<'_>, item: ItemRef<'_>, path: &str, value: &str) -> Edit {
    let base = item.item.name.name;
    let words = value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    let word = words.collect::<Vec<_>>().join("_");
    let last = path.rsplit('.').next().unwrap_or(path);
    let format = path == "precision.weights" && !word.starts_with(|c: char| c.is_ascii_digit());
    let suffix = if format { word } else { format!("{last}_{}", word.to_lowercase()) };
    let name = free(view, &format!("{base}_{}", suffix.trim_matches('_')));
    let end = item.place(item.item.span).span.end;
    let rest = view.text.get(end as usize..).unwrap_or("");
    let at = end + rest.find(['\n', '\r']).unwrap_or(rest.len()) as u32;
    let place = Place { file: view.file, span: Span::new(at, at) };
    Edit { place, text: format!("\n\nscenario {name} = {base} with {{ {path} = {value} }}") }
}

/// What is wrong with an amended scenario as it is written: a path or a value that nothing has.
/// Whether a plan fits a machine is for its own findings to say.
#[must_use]
pub fn refusal(view: &View<'_>, edit: &Edit) -> Option<String> {
    let program = view.program.with_added(edit.text.trim());
    let module = *program.roots.first()?;
    let held = program.module(module);
    let text = &program.sources.file(held.file).text;
    let broken = held.cut().pieces.last()?.parsed(text).1.iter();
    if let Some(found) = broken.into_iter().find(|d| d.severity == Severity::Error) {
        return Some(found.title.clone());
    }
    let scenarios = program.items_of_kind(module, ItemKind::Scenario);
    let item = *scenarios.last()?;
    let mut checker = Checker::new(&program);
    let _ = checker.check_object(item);
    let span = item.place(item.item.span).span;
    let mut found = checker.diagnostics.into_iter().filter(|d| d.severity == Severity::Error);
    let found = found.find(|d| {
        let place = d.place();
        place.is_some_and(|p| p.file == held.file && span.start <= p.span.start)
    })?;
    let meant = found.notes.iter().find(|note| note.starts_with("did you mean"));
    Some(meant.map_or(found.title.clone(), |meant| format!("{}; {meant}", found.title)))
}

/// The same as actions, for clients without a picker: the first values of each input.
pub(super) fn what_if(view: &View<'_>, item: ItemRef<'_>, range: Span, out: &mut Vec<Action>) {
    let name = item.name_place().span;
    let head = lines(view.text, name);
    let on_head = head.start <= range.start && range.end <= head.end;
    if item.item.kind != ItemKind::Scenario || !on_head {
        return;
    }
    for choice in choices(view, item, &written(view, item)) {
        let number = whole(&choice.current);
        let values: Vec<&String> = match choice.path.split_once('.') {
            Some(("precision", "weights")) => {
                // What nobody set is most likely bf16.
                let dull =
                    |v: &&String| *v != "int8" && (*v != "bf16" || !choice.current.is_empty());
                choice.values.iter().filter(dull).take(2).collect()
            }
            Some(("precision", "cache")) => choice.values.iter().filter(|v| *v == "fp8").collect(),
            Some(("serve" | "train", "batch")) => choice.values.iter().skip(1).take(1).collect(),
            Some(("plan", _)) => {
                // The powers of two round it.
                let now = number.unwrap_or(0);
                let below = choice.values.iter().rfind(|v| whole(v).is_some_and(|v| v < now));
                let above = choice.values.iter().find(|v| whole(v).is_some_and(|v| v > now));
                below.into_iter().chain(above).collect()
            }
            _ => Vec::new(),
        };
        for value in values {
            let edits = vec![amended(view, item, &choice.path, value)];
            let title = format!("What if `{} = {value}`?", choice.path);
            out.push(Action { title, kind: Kind::Rewrite, edits, mends: None, preferred: false });
        }
    }
}
