//! What evaluated scenarios say in the text itself: values in hovers, hints, lenses.
//!
//! In: a view and the [`Facts`] of scenarios. Out: Markdown, [`Hint`]s, the titles of lenses.

use super::facts::{CollectiveFact, Facts, TensorFact};
use super::hover::Hover;
use super::resolve::{Target, View};
use crate::check::show_number;
use crate::diagnostic::Severity;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::reading::explain::Derivation;
use crate::source::{Place, Span};
use crate::syntax::ast::{ItemKind, Stmt, StmtKind};

/// Which hints are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Wanted {
    pub shapes: bool,
    pub shards: bool,
    pub collectives: bool,
    pub expectations: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { shapes: true, shards: true, collectives: true, expectations: true }
    }
}

/// Something shown between the characters of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// Before which byte.
    pub at: u32,
    /// What is shown.
    pub label: String,
    /// More about it, in Markdown.
    pub more: String,
}

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
    let values = candidates(view, here).into_iter().chain(declared.map(|p| whole_setting(view, p)));
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

fn tensor_at(facts: &Facts, place: Place) -> Option<&TensorFact> {
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

fn each_stmt<'a>(stmts: impl Iterator<Item = &'a Stmt>, visit: &mut dyn FnMut(&'a Stmt)) {
    for stmt in stmts {
        visit(stmt);
        match &stmt.kind {
            StmtKind::Section { body, .. }
            | StmtKind::Fuse { body, .. }
            | StmtKind::Repeat { body, .. }
            | StmtKind::Backward { body, .. } => each_stmt(body.stmts.iter(), visit),
            StmtKind::If { arms, otherwise } => {
                for body in arms.iter().map(|(_, b)| b).chain(otherwise) {
                    each_stmt(body.stmts.iter(), visit);
                }
            }
            _ => {}
        }
    }
}

/// `[batch, seq, hidden 4096]`.
fn shape(axes: &[(Name, Option<f64>)]) -> String {
    let axes = axes.iter().map(|(name, size)| match size {
        Some(size) => format!("{name} {}", show_number(*size)),
        None => name.to_string(),
    });
    format!("[{}]", axes.collect::<Vec<_>>().join(", "))
}

fn local(tensor: &TensorFact) -> String {
    tensor.local.as_ref().map_or(String::new(), |axes| format!(", on one device {}", shape(axes)))
}

fn bytes(value: f64) -> String {
    Figure::number("", value, Dimension::BYTES).human()
}

/// The hints of a range of bytes.
#[must_use]
pub fn hints(view: &View<'_>, range: Span, facts: &[&Facts], wanted: Wanted) -> Vec<Hint> {
    let mut out = Vec::new();
    let cut = view.program.module(view.module).cut();
    let first = cut.piece_at(range.start).unwrap_or(0);
    let last = cut.piece_at(range.end).map_or(0, |i| i + 1);
    for piece in first..last {
        for item in view.program.items_of_piece(view.module, piece) {
            if item.item.kind == ItemKind::Block && (wanted.shapes || wanted.shards) {
                block_hints(item, facts, wanted, &mut out);
            }
        }
    }
    if wanted.collectives {
        collective_hints(view, facts, &mut out);
    }
    if wanted.expectations {
        expect_hints(view, facts, &mut out);
    }
    out.retain(|hint| range.start <= hint.at && hint.at <= range.end);
    out.sort_by(|a, b| (a.at, &a.label).cmp(&(b.at, &b.label)));
    out.dedup();
    out
}

/// Shapes that definitions do not write, sizes of weights, and what one device holds.
fn block_hints(
    item: crate::check::ItemRef<'_>,
    facts: &[&Facts],
    wanted: Wanted,
    out: &mut Vec<Hint>,
) {
    let text = |stmt: &Stmt| match &stmt.kind {
        StmtKind::Set { axes, path, .. } => path.first().map(|p| (*p, axes.is_some(), false)),
        StmtKind::Weight { name, .. } => Some((*name, true, true)),
        _ => None,
    };
    let mut stmts = Vec::new();
    each_stmt(item.item.body.iter().flat_map(|b| &b.stmts), &mut |stmt| stmts.push(stmt));
    for stmt in stmts {
        let Some((name, written, weight)) = text(stmt) else { continue };
        let place = item.place(name.span);
        let Some((scenario, tensor)) = facts.iter().find_map(|f| {
            tensor_at(f, place).or_else(|| tensor_at(f, item.place(stmt.span))).map(|t| (f, t))
        }) else {
            continue;
        };
        let more = format!("in `{}`: {}{}", scenario.name, shape(&tensor.axes), local(tensor));
        if wanted.shapes && !written {
            let names: Vec<&str> = tensor.axes.iter().map(|(n, _)| n.text()).collect();
            let label = format!("[{}]", names.join(", "));
            out.push(Hint { at: place.span.end, label, more: more.clone() });
        }
        let end = item.place(stmt.span).span.end;
        if weight
            && wanted.shapes
            && let Some(size) = tensor.bytes
        {
            let mut label = format!("{} {}", bytes(size), tensor.dtype);
            if let Some(local) = tensor.local_bytes.filter(|_| wanted.shards) {
                label += &format!(", {} a device", bytes(local));
            }
            out.push(Hint { at: end, label, more });
        } else if wanted.shards
            && let Some(local) = &tensor.local
        {
            let label = format!("a device: {}", shape(local));
            out.push(Hint { at: end, label, more });
        }
    }
}

fn line_end(view: &View<'_>, byte: u32) -> u32 {
    let rest = view.text.get(byte as usize..).unwrap_or("");
    let line = rest.split('\n').next().unwrap_or("");
    byte + line.trim_end().len() as u32
}

/// Collectives at the lines of the model and of the plan that cause them, phases together.
fn collective_hints(view: &View<'_>, facts: &[&Facts], out: &mut Vec<Hint>) {
    let Some(scenario) = facts.iter().find(|f| !f.collectives.is_empty()) else { return };
    let mut lines: Vec<(u32, Vec<&CollectiveFact>)> = Vec::new();
    for collective in &scenario.collectives {
        for place in [collective.model, collective.plan] {
            if place.file != view.file {
                continue;
            }
            let at = line_end(view, place.span.start);
            match lines.iter_mut().find(|(line, _)| *line == at) {
                Some((_, all)) => all.push(collective),
                None => lines.push((at, vec![collective])),
            }
        }
    }
    for (at, all) in lines {
        // One phase is enough on the line; the others stand in what is shown on request.
        let phase = all.iter().map(|c| c.phase.as_str()).find(|p| *p == "decode.mid");
        let phase = phase.or(all.first().map(|c| c.phase.as_str())).unwrap_or("");
        let shown: Vec<&&CollectiveFact> = all.iter().filter(|c| c.phase == phase).collect();
        let mut kinds: Vec<(&str, f64, f64, String)> = Vec::new();
        for c in &shown {
            let total = c.total.value().unwrap_or(0.0);
            match kinds.iter_mut().find(|k| k.0 == c.kind && k.3 == c.message.human()) {
                Some(kind) => {
                    kind.1 += c.count;
                    kind.2 += total;
                }
                None => kinds.push((&c.kind, c.count, total, c.message.human())),
            }
        }
        let parts = kinds.iter().map(|(kind, count, total, message)| {
            let time = Figure::number("", *total, Dimension::TIME).human();
            format!("{} × {kind} {message}, {time}", show_number(*count))
        });
        let label = format!("{} ({phase})", parts.collect::<Vec<_>>().join(" · "));
        let rows = all.iter().map(|c| {
            format!(
                "| {} | {} over {} | {} | {} × {} | {} | {} |",
                c.phase,
                c.kind,
                c.axis,
                c.tensor,
                show_number(c.count),
                c.message.human(),
                c.time.human(),
                c.total.human(),
            )
        });
        let head =
            "| phase | collective | tensor | messages | one | all |\n|---|---|---|---|---|---|";
        let more =
            format!("`{}`\n\n{head}\n{}", scenario.name, rows.collect::<Vec<_>>().join("\n"));
        out.push(Hint { at, label, more });
    }
}

/// The figure and the margin of every `expect`.
fn expect_hints(view: &View<'_>, facts: &[&Facts], out: &mut Vec<Hint>) {
    let mut lines: Vec<(u32, Vec<(String, String)>)> = Vec::new();
    for scenario in facts {
        for expect in scenario.expectations.iter().filter(|e| e.place.file == view.file) {
            let at = line_end(view, expect.place.span.start);
            let mark = if expect.holds { "✓" } else { "✗" };
            let label = match (&expect.figure, &expect.bound) {
                (Some(figure), Some(bound)) => {
                    format!("{mark} {}{}", figure.human(), margin(figure, bound))
                }
                _ => mark.to_owned(),
            };
            match lines.iter_mut().find(|(line, _)| *line == at) {
                Some((_, all)) => all.push((scenario.name.clone(), label)),
                None => lines.push((at, vec![(scenario.name.clone(), label)])),
            }
        }
    }
    for (at, all) in lines {
        let more: Vec<String> =
            all.iter().map(|(name, label)| format!("- `{name}`: {label}")).collect();
        // An expectation that is inherited holds in several scenarios: the worst is shown.
        let worst = all.iter().find(|(_, label)| label.starts_with('✗'));
        if let Some((_, label)) = worst.or(all.first()) {
            out.push(Hint { at, label: label.clone(), more: more.join("\n") });
        }
    }
}

fn margin(figure: &Figure, bound: &Figure) -> String {
    let percent = figure.human().ends_with('%');
    let (Some(figure), Some(bound)) = (figure.value(), bound.value()) else { return String::new() };
    if bound == 0.0 || figure == bound {
        return String::new();
    }
    if percent {
        // A share of a share would be read as the share itself.
        let points = (figure - bound) * 100.0;
        let word = if points < 0.0 { "below" } else { "above" };
        return format!(", {:.1} points {word}", points.abs());
    }
    let times = figure / bound;
    if times >= 10.0 {
        return format!(", {times:.0} times the bound");
    }
    let share = (figure - bound) / bound.abs() * 100.0;
    let word = if share < 0.0 { "below" } else { "above" };
    format!(", {:.0} % {word}", share.abs())
}

/// The results that a lens shows or is worded by.
pub(super) const FIGURES: [&str; 11] = [
    "ttft",
    "tpot",
    "throughput.device",
    "step.time",
    "mfu",
    "run.time",
    "memory.total",
    "memory.headroom",
    "memory.capacity",
    "decode.mid.bound",
    "step.bound",
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
        ("throughput.device", ""),
        ("step.time", "step "),
        ("mfu", "MFU "),
        ("run.time", "run "),
    ];
    for (path, word) in wanted {
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
    let bound = figure("decode.mid.bound").or_else(|| figure("step.bound"));
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
