//! What a sweep varies and asks, checked before anything runs.

use crate::check::{self, Checker, ItemRef, ModuleId, Program, Setting, SweepItem, Values};
use crate::diagnostic::{Diagnostic, codes};
use crate::lower::Workload;
use crate::name::Name;
use crate::source::{Place, Span};
use crate::syntax::ast::{Expr, ItemKind, StmtKind};

/// The most points that a sweep may have: at ten million a second, more than a day.
const MOST_POINTS: f64 = 1e12;

/// What is varied.
#[derive(Clone, Debug)]
pub struct Axis {
    /// `plan.tp`.
    pub path: String,
    /// What it tries.
    pub values: Values,
}

impl Axis {
    /// Whether all values are numbers that can be a column.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        match &self.values {
            Values::List(list) => list.iter().all(|s| s.number.is_some_and(|v| v >= 0.0)),
            Values::Drawn(drawn) => drawn.low >= 0.0,
        }
    }
}

/// What is wanted of one figure.
#[derive(Clone, PartialEq, Debug)]
pub struct Goal {
    /// As written.
    pub text: String,
    /// The more, the better.
    pub maximize: bool,
}

/// A sweep as it stands in its file.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The scenario.
    pub scenario: Name,
    /// What is varied, in order.
    pub axes: Vec<Axis>,
    /// Conditions as written.
    pub conditions: Vec<String>,
    /// What is wanted.
    pub goals: Vec<Goal>,
    /// Results that are shown beside, by path.
    pub columns: Vec<String>,
}

/// What is asked of every point, as expressions of the file.
#[derive(Clone, Copy)]
pub enum Asked<'p> {
    /// `where`.
    Condition(&'p Expr),
    /// `minimize`, `maximize`.
    Goal(&'p Expr, bool),
}

/// What the body of a sweep asks, in order.
pub(super) fn asked<'p>(item: ItemRef<'p>) -> Vec<Asked<'p>> {
    let mut list = Vec::new();
    for stmt in item.item.body.iter().flat_map(|b| &b.stmts) {
        match &stmt.kind {
            StmtKind::Where(cond) => list.push(Asked::Condition(cond)),
            StmtKind::Objective { maximize, exprs } => {
                list.extend(exprs.iter().map(|e| Asked::Goal(e, *maximize)));
            }
            _ => {}
        }
    }
    list
}

/// The sweep of this name in a module.
pub(super) fn find<'p>(program: &'p Program, module: ModuleId, name: &str) -> Option<ItemRef<'p>> {
    let mut items = program.items_of_kind(module, ItemKind::Sweep).into_iter();
    items.find(|i| i.item.name.name == name && !i.item.broken)
}

/// Reads a sweep.
///
/// # Errors
/// Everything that is wrong, in source order.
pub fn define(
    program: &Program,
    module: ModuleId,
    name: Option<&str>,
) -> Result<Definition, Vec<Diagnostic>> {
    let mut found = program.load_diagnostics.clone();
    found.extend(program.syntax_diagnostics(module));
    let mut checker = Checker::new(program);
    check::check_module(&mut checker, module);
    found.append(&mut checker.diagnostics);
    let all: Vec<ItemRef<'_>> = program.items_of_kind(module, ItemKind::Sweep);
    let item = match (name, all.as_slice()) {
        (Some(name), _) => find(program, module, name),
        (None, [only]) => Some(*only),
        (None, _) => None,
    };
    let Some(item) = item else {
        found.push(unknown_sweep(program, module, name, &all));
        return Err(sorted(found));
    };
    let defined = checker.check_sweep(item).map(|sweep| define_item(program, item, sweep));
    let is_error = |d: &Diagnostic| d.severity == crate::diagnostic::Severity::Error;
    if found.iter().any(is_error) {
        return Err(sorted(found));
    }
    match defined {
        Some(definition) => match too_many(&definition, item) {
            Some(diagnostic) => Err(vec![diagnostic]),
            None => Ok(definition),
        },
        None => Err(sorted(checker.diagnostics)),
    }
}

fn sorted(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    crate::diagnostic::sort(&mut found);
    found
}

/// A checked sweep as plain data.
#[must_use]
pub fn define_item(program: &Program, item: ItemRef<'_>, sweep: SweepItem) -> Definition {
    let text = |e: &Expr| program.sources.text(item.place(e.span)).to_owned();
    let (mut conditions, mut goals) = (Vec::new(), Vec::new());
    for asked in asked(item) {
        match asked {
            Asked::Condition(e) => conditions.push(text(e)),
            Asked::Goal(e, maximize) => goals.push(Goal { text: text(e), maximize }),
        }
    }
    let axes = sweep.axes.into_iter().map(|a| Axis { path: a.path, values: a.values });
    let axes: Vec<Axis> = axes.map(plain_numbers).collect();
    let workloads: &[Workload] = match sweep.trains {
        true => &[Workload::Train],
        // Which of these it is hangs on the model of a point.
        false => &[Workload::Generate, Workload::Encode],
    };
    let columns = headline(program, item.module, workloads);
    let columns = columns.into_iter().filter(|c| goals.iter().all(|g| g.text != *c)).collect();
    Definition {
        name: sweep.name.to_string(),
        scenario: sweep.scenario,
        axes,
        conditions,
        goals,
        columns,
    }
}

/// An axis with something that is no column tries its values one after the other.
fn plain_numbers(mut axis: Axis) -> Axis {
    if !axis.is_numeric()
        && let Values::List(list) = &mut axis.values
    {
        list.iter_mut().for_each(|s| *s = Setting { number: None, ..s.clone() });
    }
    axis
}

/// What is shown of a point when nobody says: the metrics of the workloads that it may have, and
/// what it takes.
#[must_use]
pub fn headline(program: &Program, module: ModuleId, workloads: &[Workload]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if workloads.contains(&Workload::Train) {
        names.extend(["step.time", "mfu"].map(str::to_owned));
    }
    let library = program.std_module("metrics").filter(|m| *m != module);
    for module in library.into_iter().chain([module]) {
        for metric in program.items_of_kind(module, ItemKind::Metric) {
            let is_one = |w: &Workload| metric.item.of.is_some_and(|of| w.is(of.name));
            if metric.item.broken || !workloads.iter().any(is_one) {
                continue;
            }
            for (path, _) in Checker::metric_parts(metric) {
                if !names.contains(&path) {
                    names.push(path);
                }
            }
        }
    }
    names.extend(["memory.total", "devices"].map(str::to_owned));
    names
}

fn unknown_sweep(
    program: &Program,
    module: ModuleId,
    name: Option<&str>,
    all: &[ItemRef<'_>],
) -> Diagnostic {
    let place = match all.first() {
        Some(first) => first.name_place(),
        None => Place { file: program.module(module).file, span: Span::default() },
    };
    let label = if all.is_empty() { "no sweep is declared here" } else { "the first one" };
    let title = match name {
        Some(name) => format!("there is no sweep `{name}`"),
        None if all.is_empty() => "the file declares no sweep".to_owned(),
        None => "the file declares several sweeps".to_owned(),
    };
    let diagnostic = Diagnostic::new(codes::UNKNOWN_SWEEP, title, place, label);
    let names: Vec<&str> = all.iter().map(|i| i.item.name.name.text()).collect();
    match name.and_then(|n| check::closest(n, names.iter().copied())) {
        Some(best) => diagnostic.note(format!("did you mean `{best}`?")),
        None if names.is_empty() => diagnostic
            .note("write `sweep NAME of SCENARIO { vary serve.batch in pow2(1 .. 512) }` into it"),
        None => diagnostic.note(format!("the file has: {}", names.join(", "))),
    }
}

/// More points than anybody can wait for.
fn too_many(definition: &Definition, item: ItemRef<'_>) -> Option<Diagnostic> {
    let listed = definition.axes.iter().filter_map(|a| match &a.values {
        Values::List(list) => Some(list.len() as f64),
        Values::Drawn(_) => None,
    });
    let drawn = definition.axes.iter().find_map(|a| match &a.values {
        Values::Drawn(drawn) => Some(drawn.count as f64),
        Values::List(_) => None,
    });
    let points: f64 = listed.product::<f64>() * drawn.unwrap_or(1.0);
    if points <= MOST_POINTS {
        return None;
    }
    let sizes: Vec<String> =
        definition.axes.iter().map(|a| format!("{} of {}", a.values.len(), a.path)).collect();
    let title = format!("sweep `{}` has {points:.1e} points", definition.name);
    Some(
        Diagnostic::new(codes::TOO_MANY_POINTS, title, item.name_place(), "at most 10^12")
            .note(sizes.join(" times "))
            .note("take larger steps, or draw the numbers together: `random(1 .. 512, 1000000)`"),
    )
}
