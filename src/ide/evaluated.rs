//! What evaluated scenarios say in the text itself: values in hovers, and lenses.
//!
//! In: a view and the [`Facts`] of scenarios. Out: Markdown, and the titles of lenses.

use super::facts::{Facts, TensorFact};
use super::hover::Hover;
use super::resolve::{Target, View, instantiated};
use crate::check::{Checker, show_number};
use crate::diagnostic::Severity;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::reading::explain::Derivation;
use crate::source::{Place, Span};
use crate::syntax::ast::{ExprKind, ItemKind, Stmt, StmtKind};

/// The values of what a hover is about, one line for each scenario.
#[must_use]
pub fn values(view: &View<'_>, hover: &Hover, facts: &[&Facts]) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    let is_scenario = match &hover.target {
        Some(Target::Item(module, name, false)) => {
            super::facts::scenario(view.program, *module, name.text()).is_some()
        }
        _ => false,
    };
    for scenario in facts {
        let value = match &hover.target {
            Some(Target::Result(path)) => result(scenario, path),
            // Of a scenario itself, what its lens says.
            Some(Target::Item(_, name, false)) if is_scenario => {
                (scenario.name == name.text()).then(|| lens(scenario))
            }
            Some(Target::Axis(name)) => axis(scenario, *name),
            Some(Target::Field(ItemKind::Scenario, path)) => {
                input(scenario, path).or_else(|| value_at(view, hover, scenario))
            }
            _ => value_at(view, hover, scenario),
        };
        lines.extend(value.map(|value| (scenario.name.clone(), value)));
    }
    let Some((_, first)) = lines.first().cloned() else { return String::new() };
    if is_scenario {
        return format!("\n\n**{first}**");
    }
    if lines.len() > 1 && lines.iter().all(|(_, value)| *value == first) {
        let names: Vec<String> = lines.iter().map(|(name, _)| format!("`{name}`")).collect();
        return format!("\n\n**{first}** in {}", names.join(", "));
    }
    let lines = lines.iter().map(|(name, value)| format!("- `{name}`: **{value}**"));
    format!("\n\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// How a result of a scenario came about: its formula, and the values that it is made of.
#[must_use]
pub fn derivation(scenario: &str, derivation: &Derivation) -> String {
    if derivation.formula.is_empty() || derivation.steps.is_empty() {
        return String::new();
    }
    let formula = derivation.formula.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = format!("\n\nin `{scenario}`: {} = `{formula}`\n", derivation.figure.human());
    for step in &derivation.steps {
        let alias = step.alias.as_ref().map_or(String::new(), |alias| format!(" (`{alias}`)"));
        let kind = match step.kind {
            "formula" | "inferred" => String::new(),
            kind => format!(", {kind}"),
        };
        let share = step.share.map_or(String::new(), |s| format!(", {:.0} %", s * 100.0));
        let taken = if step.taken == Some(true) { ", decides" } else { "" };
        let figure = step.figure.human();
        out += &format!("\n- `{}`{alias} = {figure}{share}{taken}{kind}", step.name);
    }
    if derivation.more > 0 {
        out += &format!("\n- and {} more", derivation.more);
    }
    out
}

fn result(facts: &Facts, path: &str) -> Option<String> {
    let figure = facts.report()?.results.get(path)?;
    Some(figure.human())
}

/// An input as the scenario has it, whoever set it.
fn input(facts: &Facts, path: &[Name]) -> Option<String> {
    let path = super::resolve::dotted(path);
    Some(facts.report()?.inputs.get(&*path)?.human())
}

/// The length of an axis, and what one device has of it; blocks may have several of this name.
fn axis(facts: &Facts, name: Name) -> Option<String> {
    let mut lengths: Vec<(f64, f64)> = Vec::new();
    for tensor in facts.tensors.values() {
        for (at, (_, size)) in tensor.axes.iter().enumerate().filter(|(_, (n, _))| *n == name) {
            let Some(whole) = *size else { continue };
            let local = tensor.local.as_ref().and_then(|axes| axes.get(at)?.1).unwrap_or(whole);
            match lengths.iter_mut().find(|(known, _)| *known == whole) {
                Some((_, least)) => *least = least.min(local),
                None => lengths.push((whole, local)),
            }
        }
    }
    lengths.sort_by(|a, b| a.0.total_cmp(&b.0));
    let shown = lengths.iter().take(4).map(|(whole, local)| match local < whole {
        true => format!("{}, {} on one device", show_number(*whole), show_number(*local)),
        false => show_number(*whole),
    });
    (!lengths.is_empty()).then(|| shown.collect::<Vec<_>>().join("; "))
}

/// The value of the smallest place that the hover's span stands in, on its own line.
fn value_at(view: &View<'_>, hover: &Hover, facts: &Facts) -> Option<String> {
    let declared = match &hover.target {
        Some(target) => super::describe::about(view, target).place,
        None => None,
    };
    let here = Place { file: view.file, span: hover.span };
    if let Some(tensor) = declared.and_then(|p| tensor_at(facts, p)).or(tensor_at(facts, here)) {
        return Some(shape(&tensor.axes) + &local(tensor));
    }
    let given = match &hover.target {
        Some(Target::Param(module, item, name)) => {
            given(view, Name::new(&facts.name), (*module, *item), *name)
        }
        _ => None,
    };
    let values = candidates(view, here).into_iter().chain(given);
    let values = values.chain(declared.map(|p| whole_setting(view, p)));
    for place in values.chain(declared) {
        if let Some(known) = facts.values.get(&place) {
            let shown: Vec<String> = known.iter().map(|(_, f)| f.human()).collect();
            let mut unique: Vec<String> = Vec::new();
            for value in shown {
                if !unique.contains(&value) {
                    unique.push(value);
                }
            }
            unique.truncate(4);
            return Some(unique.join(", "));
        }
    }
    None
}

/// Where a scenario, or what it amends, gives a parameter of its plan, system or model a value.
fn given(
    view: &View<'_>,
    scenario: Name,
    owner: (crate::check::ModuleId, Name),
    param: Name,
) -> Option<Place> {
    let program = view.program;
    let field = match program.item(owner.0, owner.1)?.item.kind {
        ItemKind::Plan => "plan",
        ItemKind::System => "system",
        ItemKind::Model => "model",
        _ => return None,
    };
    let mut checker = Checker::new(program);
    let mut next = program.item(view.module, scenario);
    for _ in 0..20 {
        let item = next?;
        let with = match item.item.value.as_ref().map(|v| &v.kind) {
            Some(ExprKind::With(_, body)) => Some(body),
            _ => None,
        };
        for stmt in item.item.body.iter().chain(with).flat_map(|b| &b.stmts).rev() {
            let StmtKind::Set { path, value, .. } = &stmt.kind else { continue };
            match (path.as_slice(), &value.kind) {
                ([own, name], _) if own.name == field && name.name == param => {
                    return Some(item.place(value.span));
                }
                ([own], ExprKind::Call { args, .. }) if own.name == field => {
                    let arg = args.iter().find(|a| a.name.is_some_and(|n| n.name == param));
                    return arg.and_then(|a| a.value.as_ref()).map(|v| item.place(v.span));
                }
                ([own], _) if own.name == field => return None,
                _ => {}
            }
        }
        next = instantiated(&mut checker, item);
    }
    None
}

pub(super) fn tensor_at(facts: &Facts, place: Place) -> Option<&TensorFact> {
    facts.tensors.iter().find_map(|(at, tensor)| {
        let same = at.file == place.file && at.span.start == place.span.start;
        same.then_some(tensor)
    })
}

/// The places that a name may have its value at: its own, the right side of its setting, the
/// argument that it names.
fn candidates(view: &View<'_>, here: Place) -> Vec<Place> {
    let mut out = vec![here];
    let Some(item) = view.item_at(here.span.start) else { return out };
    let at = here.span.start.saturating_sub(item.offset);
    let inside = |span: Span| span.start <= at && at < span.end;
    crate::check::each_expr(item.item, &mut |expr| {
        if let crate::syntax::ast::ExprKind::Call { args, .. } = &expr.kind {
            for arg in args.iter().filter(|a| inside(a.span)) {
                if let Some(value) = arg.value.as_ref().filter(|v| !inside(v.span)) {
                    out.push(item.place(value.span));
                }
                out.push(item.place(arg.span));
            }
        }
    });
    out.push(whole_setting(view, here));
    out
}

/// The right side of the setting, parameter or item that a place stands on the left of.
fn whole_setting(view: &View<'_>, place: Place) -> Place {
    let module = view.program.modules().find(|(_, m)| m.file == place.file).map(|(id, _)| id);
    let Some(item) = module.and_then(|m| view.of(m).item_at(place.span.start)) else {
        return place;
    };
    let at = place.span.start.saturating_sub(item.offset);
    if item.item.name.span.start == at {
        return item.item.value.as_ref().map_or(place, |v| item.place(v.span));
    }
    for param in item.item.params.iter().flatten() {
        if param.name.span.start == at {
            return param.default.as_ref().map_or(place, |v| item.place(v.span));
        }
    }
    let mut found = place;
    each_stmt(item.item.body.iter().flat_map(|b| &b.stmts), &mut |stmt| {
        if let StmtKind::Set { path, value, .. } = &stmt.kind
            && path.iter().any(|p| p.span.start <= at && at <= p.span.end)
        {
            found = item.place(value.span);
        }
    });
    found
}

pub(super) fn each_stmt<'a>(
    stmts: impl Iterator<Item = &'a Stmt>,
    visit: &mut dyn FnMut(&'a Stmt),
) {
    for stmt in stmts {
        visit(stmt);
        stmt.each_body(&mut |body| each_stmt(body.stmts.iter(), visit));
    }
}

/// `[batch, seq, hidden 4096]`.
pub(super) fn shape(axes: &[(Name, Option<f64>)]) -> String {
    let axes = axes.iter().map(|(name, size)| match size {
        Some(size) => format!("{name} {}", show_number(*size)),
        None => name.to_string(),
    });
    format!("[{}]", axes.collect::<Vec<_>>().join(", "))
}

pub(super) fn local(tensor: &TensorFact) -> String {
    tensor.local.as_ref().map_or(String::new(), |axes| format!(", on one device {}", shape(axes)))
}

pub(super) fn bytes(value: f64) -> String {
    Figure::number("", value, Dimension::BYTES).human()
}

/// The results that a lens shows or is worded by.
pub(super) const FIGURES: [&str; 13] = [
    "ttft",
    "tpot",
    "latency",
    "throughput.device",
    "step.time",
    "mfu",
    "run.time",
    "memory.total",
    "memory.headroom",
    "memory.capacity",
    "decode.mid.bound",
    "step.bound",
    "prefill.bound",
];

/// The figures of a scenario on one line.
#[must_use]
pub fn lens(facts: &Facts) -> String {
    match facts.report() {
        Some(report) => lens_of(|path| report.results.get(path).cloned()),
        None => unfinished(facts),
    }
}

/// The same of its results by path.
pub(super) fn lens_of(result: impl Fn(&str) -> Option<Figure>) -> String {
    let figure = |path: &str| result(path).map(|figure| figure.human());
    let mut parts = Vec::new();
    let wanted = [
        ("ttft", "TTFT "),
        ("tpot", "TPOT "),
        ("latency", "latency "),
        ("throughput.device", ""),
        ("step.time", "step "),
        ("mfu", "MFU "),
        ("run.time", "run "),
    ];
    let generates = result("tpot").is_some();
    for (path, word) in wanted {
        // Where tokens follow each other, the time of all of them says less than that of each.
        if path == "latency" && generates {
            continue;
        }
        let suffix = if path == "throughput.device" { " a device" } else { "" };
        parts.extend(figure(path).map(|f| format!("{word}{f}{suffix}")));
    }
    if let Some(memory) = figure("memory.total") {
        let headroom = result("memory.headroom");
        let free = match (headroom.as_ref().and_then(Figure::value), figure("memory.capacity")) {
            (Some(free), Some(capacity)) if free < 0.0 => format!(" of {capacity}: does not fit"),
            _ => headroom.map_or(String::new(), |h| format!(", {} free", h.human())),
        };
        parts.push(format!("{memory}{free}"));
    }
    let mut bounds = ["decode.mid.bound", "step.bound", "prefill.bound"].into_iter();
    let bound = bounds.find_map(figure);
    parts.extend(bound.map(|b| format!("bound by {b}")));
    parts.join(" · ")
}

/// Why there are no figures: the first error, and how many there are.
fn unfinished(facts: &Facts) -> String {
    let errors = facts.findings.iter().filter(|d| d.severity == Severity::Error);
    let titles: Vec<&str> = errors.map(|d| d.title.as_str()).collect();
    let Some(first) = titles.first() else { return "no results".to_owned() };
    let more = match titles.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("no results: {first}{more}")
}

/// Where lenses stand: the names of scenarios and measurements.
#[must_use]
pub fn lens_places(view: &View<'_>) -> Vec<(String, Span)> {
    let mut out = Vec::new();
    for kind in [ItemKind::Scenario, ItemKind::Measured] {
        for item in view.program.items_of_kind(view.module, kind) {
            out.push((item.item.name.name.to_string(), item.name_place().span));
        }
    }
    out.sort_by_key(|(_, span)| *span);
    out
}
