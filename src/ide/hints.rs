//! Hints between the characters of a text: what evaluated scenarios say of its lines.
//!
//! In: a view, a range, and scenarios that are evaluated only where a hint needs them. Out:
//! [`Hint`]s: shapes, sizes, shards, collectives, margins of expectations.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::evaluated::{bytes, each_stmt, local, shape, tensor_at};
use super::facts::{CollectiveFact, Facts};
use super::resolve::{View, set_in};
use crate::check::{Checker, ItemRef, Value, each_expr, show_number};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::source::{Place, Span};
use crate::syntax::ast::{Body, ExprKind, Item, ItemKind, Stmt, StmtKind};

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

/// Evaluated scenarios, each when a hint needs it; `None` for one that is not known in time.
pub type Evaluate<'a> = &'a mut dyn FnMut(Name) -> Option<Arc<Facts>>;

/// The hints of a range of bytes. Of `scenarios` the first that has what a hint shows is taken;
/// `using` gives those that use the item at a byte.
#[must_use]
pub fn hints(
    view: &View<'_>,
    range: Span,
    scenarios: &[Name],
    using: &dyn Fn(u32) -> Vec<Name>,
    evaluate: Evaluate<'_>,
    wanted: Wanted,
) -> Vec<Hint> {
    let mut out = Vec::new();
    let cut = view.program.module(view.module).cut();
    let first = cut.piece_at(range.start).unwrap_or(0);
    let last = cut.piece_at(range.end).map_or(0, |i| i + 1);
    let mut expecting: Vec<Name> = Vec::new();
    for piece in first..last {
        for item in view.program.items_of_piece(view.module, piece) {
            let users = || {
                let users = using(item.offset);
                scenarios.iter().copied().filter(|name| users.contains(name)).collect::<Vec<_>>()
            };
            if item.item.kind == ItemKind::Block && (wanted.shapes || wanted.shards) {
                block_hints(item, &users(), evaluate, wanted, &mut out);
            }
            if wanted.expectations && expects(item.item) {
                expecting.extend(users());
            }
        }
    }
    if wanted.collectives {
        let rules = rules(view, first..last);
        let mut done = FxHashSet::default();
        let mut lines = FxHashSet::default();
        for name in scenarios {
            // Another scenario has something to add where its plan has a rule that nothing followed
            // from yet, unless one that runs alike was looked at.
            let runs = runs(view, *name);
            let open = |(plan, line): &(Place, u32)| runs.1 == Some(*plan) && !lines.contains(line);
            if (!lines.is_empty() && !rules.iter().any(open)) || !done.insert(runs) {
                continue;
            }
            if let Some(facts) = evaluate(*name) {
                collective_hints(view, &facts, &mut lines, &mut out);
            }
        }
    }
    let expecting = scenarios.iter().filter(|name| expecting.contains(name));
    let expecting: Vec<Arc<Facts>> = expecting.filter_map(|name| evaluate(*name)).collect();
    expect_hints(view, &expecting, &mut out);
    out.retain(|hint| range.start <= hint.at && hint.at <= range.end);
    out.sort_by(|a, b| (a.at, &a.label).cmp(&(b.at, &b.label)));
    out.dedup();
    out
}

/// Whether an item expects something.
fn expects(item: &Item) -> bool {
    let mut found = false;
    let mut look = |body: &Body| {
        each_stmt(body.stmts.iter(), &mut |stmt| {
            found |= matches!(stmt.kind, StmtKind::Expect { .. });
        });
    };
    item.body.iter().for_each(&mut look);
    each_expr(item, &mut |expr| {
        if let ExprKind::With(_, body) = &expr.kind {
            look(body);
        }
    });
    found
}

/// Shapes that definitions do not write, sizes of weights, and what one device holds.
fn block_hints(
    item: ItemRef<'_>,
    scenarios: &[Name],
    evaluate: Evaluate<'_>,
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
        let known = scenarios.iter().filter_map(|name| evaluate(*name));
        let Some((scenario, tensor)) = { known }.find_map(|f| {
            let found = tensor_at(&f, place).or_else(|| tensor_at(&f, item.place(stmt.span)));
            let found = found?.clone();
            Some((f, found))
        }) else {
            continue;
        };
        let more = format!("in `{}`: {}{}", scenario.name, shape(&tensor.axes), local(&tensor));
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

/// What decides where a scenario has collectives: its model and its plan by their places, whether it
/// trains, and which axes of the mesh are more than one device.
type Runs = (Option<Place>, Option<Place>, bool, Vec<bool>);

/// The rules of the plans among some pieces that collectives may follow from: each plan by its place
/// with the end of the rule's line.
fn rules(view: &View<'_>, pieces: Range<usize>) -> Vec<(Place, u32)> {
    let mut out = Vec::new();
    for item in pieces.flat_map(|piece| view.program.items_of_piece(view.module, piece)) {
        let body = item.item.body.iter().filter(|_| item.item.kind == ItemKind::Plan);
        each_stmt(body.flat_map(|body| &body.stmts), &mut |stmt| {
            if matches!(stmt.kind, StmtKind::Shard { .. } | StmtKind::Zero { .. }) {
                let line = line_end(view, item.place(stmt.span).span.start);
                out.push((item.name_place(), line));
            }
        });
    }
    out
}

fn runs(view: &View<'_>, name: Name) -> Runs {
    let mut checker = Checker::new(view.program);
    let Some(item) = view.program.item(view.module, name) else { return Runs::default() };
    let mut set = |name| set_in(&mut checker, item, Name::new(name));
    let (model, plan) = (set("model"), set("plan"));
    let Value::Object(object) = checker.object_item(item) else { return Runs::default() };
    let trains = matches!(checker.field_path(&object, &["train", "batch"]), Some(Value::Num(_)));
    let params = plan.into_iter().flat_map(|plan| plan.item.params.iter().flatten());
    let several = params.map(|param| {
        let value = checker.field_path(&object, &["plan", param.name.name.text()]);
        matches!(value, Some(Value::Num(id)) if checker.graph.value(id) > 1.0)
    });
    let several = several.collect();
    (model.map(|item| item.name_place()), plan.map(|item| item.name_place()), trains, several)
}

/// Collectives at the lines of the model and of the plan that cause them, phases together; `seen`
/// are lines that have theirs.
fn collective_hints(
    view: &View<'_>,
    scenario: &Facts,
    seen: &mut FxHashSet<u32>,
    out: &mut Vec<Hint>,
) {
    let mut lines: Vec<(u32, Vec<&CollectiveFact>)> = Vec::new();
    for collective in &scenario.collectives {
        for place in [collective.model, collective.plan] {
            if place.file != view.file {
                continue;
            }
            let at = line_end(view, place.span.start);
            if seen.contains(&at) {
                continue;
            }
            match lines.iter_mut().find(|(line, _)| *line == at) {
                Some((_, all)) => all.push(collective),
                None => lines.push((at, vec![collective])),
            }
        }
    }
    seen.extend(lines.iter().map(|(at, _)| *at));
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
fn expect_hints(view: &View<'_>, facts: &[Arc<Facts>], out: &mut Vec<Hint>) {
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
    format!(", {:.0}% {word}", share.abs())
}
