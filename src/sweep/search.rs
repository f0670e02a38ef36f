//! Tries all plans of a scenario and ranks them.
//!
//! In: the layouts, and a way to make the program that has them. Out: the plans, best first: what
//! fits, then what meets the most expectations, then the goal, then the fewest devices.

use super::compile::Compiler;
use super::define::define;
use super::plans::{Layout, Layouts};
use super::run::{Options, Stop, run};
use super::space::Space;
use crate::check::Program;
use crate::diagnostic::Severity;
use crate::quantity::Dimension;

/// A plan and what came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Planned {
    /// The layout's position.
    pub layout: usize,
    /// Its settings: `tp` and `8`.
    pub settings: Vec<(String, String)>,
    /// What is ranked: misses, the goal (the less, the better), devices.
    pub rank: Vec<f64>,
    /// Results by name, with what they measure.
    pub results: Vec<(String, f64, Dimension)>,
    /// Expectations that it misses.
    pub missed: Vec<String>,
}

/// Plans that cannot be, for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The code of what `mesa eval` says of them.
    pub code: Option<String>,
    /// What it says of one of them.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// All plans.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Searched {
    /// Plans that were looked at.
    pub points: u64,
    /// Those that can be, best first; not all, but the best of each layout.
    pub plans: Vec<Planned>,
    /// How many can be.
    pub kept: u64,
    /// The others.
    pub refused: Vec<Refused>,
    /// Of those that do not fit, the one that takes the least memory.
    pub nearest: Option<Nearest>,
}

/// A plan that does not fit.
#[derive(Clone, PartialEq, Debug)]
pub struct Nearest {
    /// The plan; it has no results.
    pub plan: Planned,
    /// What it takes, in bytes on each device.
    pub memory: f64,
    /// The same in words: what it needs, and what there is.
    pub needs: String,
}

/// How many plans of each layout are kept.
const KEPT: usize = 12;

impl Planned {
    /// A result by name.
    #[must_use]
    pub fn result(&self, name: &str) -> Option<f64> {
        self.results.iter().find(|(n, ..)| n == name).map(|(_, v, _)| *v)
    }
}

/// Tries all layouts of a scenario of the program.
#[must_use]
pub fn search(program: &Program, layouts: &Layouts) -> Searched {
    let mut searched = Searched::default();
    for (at, layout) in layouts.list.iter().enumerate() {
        try_layout(program, layouts, at, layout, &mut searched);
    }
    searched.plans.sort_by(|a, b| {
        let order = a.rank.iter().zip(&b.rank).map(|(x, y)| x.total_cmp(y));
        order
            .fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
            .then(a.layout.cmp(&b.layout))
    });
    // One plan under two names, such as two layouts that differ in what is done with tp = 1.
    let mut seen = Vec::new();
    searched.plans.retain(|plan| {
        let degrees = |(name, value): &(String, String)| {
            !["micro", "micro_batch", "chunks"].contains(&name.as_str()) && value != "1"
        };
        let settings: Vec<_> = plan.settings.iter().filter(|s| degrees(s)).cloned().collect();
        let results = plan.results.iter().map(|(_, v, _)| v.to_bits());
        let this = (settings, results.collect::<Vec<u64>>());
        let new = !seen.contains(&this);
        seen.push(this);
        new
    });
    searched.refused.sort_by(|a, b| b.count.cmp(&a.count).then(a.reason.cmp(&b.reason)));
    searched
}

fn try_layout(
    program: &Program,
    layouts: &Layouts,
    at: usize,
    layout: &Layout,
    searched: &mut Searched,
) {
    let program = program.with_added(&layout.text);
    let Some(&module) = program.roots.first() else { return };
    let mut refuse = |code: Option<&str>, reason: String, count: u64| {
        let code = code.map(str::to_owned);
        let same = searched.refused.iter_mut().find(|r| r.code == code && r.reason == reason);
        match same {
            Some(same) => same.count += count,
            None => searched.refused.push(Refused { code, reason, count }),
        }
    };
    let mut definition = match define(&program, module, Some(&layout.sweep)) {
        Ok(definition) => definition,
        Err(found) => {
            let error = found.iter().find(|d| d.severity == Severity::Error);
            if let Some(first) = error {
                refuse(Some(first.code.id()), format!("{}: {}", layout.name, first.title), 1);
            }
            return;
        }
    };
    for (part, _) in &layouts.parts {
        if !definition.columns.contains(part) {
            definition.columns.push(part.clone());
        }
    }
    let space = Space::new(&definition);
    let misses = usize::from(!layouts.expectations.is_empty());
    let mut compiler = Compiler::new(program, module, definition.clone(), layouts.base.clone());
    let options = Options { top: Some(KEPT), ..Options::default() };
    let ran =
        run(&mut compiler, &space, &options, &Stop::default(), None, &mut |_| Ok(()), &mut |_| {});
    let ran = match ran {
        Ok(ran) => ran,
        Err(found) => {
            let error = found.iter().find(|d| d.severity == Severity::Error);
            if let Some(first) = error {
                refuse(Some(first.code.id()), format!("{}: {}", layout.name, first.title), 1);
            }
            return;
        }
    };
    for (reason, broken) in compiler.reasons().iter().zip(&ran.answer.broken) {
        if broken.count > 0 {
            refuse(Some(reason.code.id()), reason.pattern.clone(), broken.count);
        }
    }
    if ran.answer.unfit.count > 0 {
        let code = crate::diagnostic::codes::OUT_OF_MEMORY.id();
        refuse(Some(code), "does not fit into memory".to_owned(), ran.answer.unfit.count);
    }
    let settings = |point: u64| {
        let axes = definition.axes.iter().zip(space.settings(point));
        axes.map(|(axis, value)| (axis.path.trim_start_matches("plan.").to_owned(), value))
            .collect()
    };
    if let Some((memory, point)) = ran.answer.least
        && searched.nearest.as_ref().is_none_or(|n| memory < n.memory)
        && let Some(said) = compiler.too_large(&space, point)
    {
        let needs = said.title.split_once("` ").map_or("", |(_, needs)| needs).to_owned();
        let plan = Planned {
            layout: at,
            settings: settings(point),
            rank: Vec::new(),
            results: Vec::new(),
            missed: Vec::new(),
        };
        searched.nearest = Some(Nearest { plan, memory, needs });
    }
    searched.points += ran.answer.points;
    searched.kept += ran.answer.kept;
    let first_goal = 1 + definition.conditions.len();
    let first_expected = first_goal + definition.goals.len() + definition.columns.len();
    for row in ran.answer.front.sorted() {
        let settings = settings(row.point);
        let mut rank = row.goals.clone();
        if misses == 0 {
            rank.insert(0, 0.0);
        }
        let outputs = ran.outputs.iter().zip(&row.values).enumerate();
        let mut results = Vec::new();
        let mut missed = Vec::new();
        for (i, (output, value)) in outputs {
            if i >= first_expected {
                if *value == 0.0 {
                    missed.push(output.name.clone());
                }
            } else if i >= first_goal + misses && output.known {
                results.push((output.name.clone(), *value, output.dimension));
            }
        }
        searched.plans.push(Planned { layout: at, settings, rank, results, missed });
    }
}
