//! Plans that are left open, `plan = auto` or `Tp(tp: auto)`, filled in with the best there is.
//!
//! In: a program and the scenarios that are asked for. Out: changes that fill their plans in, to be
//! made as if a person had written them, and what is said about it.

use super::plans::{Layouts, Wanted, layouts};
use super::search::{Planned, Searched, search};
use crate::check::{AUTO, ModuleId, Program};
use crate::evaluation::{Change, ChangeKind};
use crate::source::Origin;

/// A plan that was left open, filled in.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The scenario.
    pub scenario: String,
    /// What fills it in.
    pub changes: Vec<Change>,
    /// What was tried, and on what.
    pub layouts: Layouts,
    /// What came of it.
    pub searched: Searched,
}

/// Fills in the plans that the wanted scenarios leave open, all of them if none is named; where no
/// plan can be, nothing is changed.
#[must_use]
pub fn fill_in(program: &Program, wanted: &[String], changes: &[Change]) -> Vec<Filled> {
    let Some(&module) = program.roots.first() else { return Vec::new() };
    // Most files leave nothing open: nothing is evaluated for them.
    if !mentions_auto(program, changes) {
        return Vec::new();
    }
    let names = crate::scenarios(program, module).into_iter().map(|s| s.item.name.name.to_string());
    let names = names.filter(|name| wanted.is_empty() || wanted.contains(name));
    names.filter_map(|scenario| filled(program, module, scenario, changes)).collect()
}

fn mentions_auto(program: &Program, changes: &[Change]) -> bool {
    let files = program.sources.iter().filter(|(_, f)| f.origin == Origin::User);
    files.map(|(_, f)| f).any(|f| f.text.contains(AUTO))
        || changes.iter().any(|c| c.value.contains(AUTO))
}

fn filled(
    program: &Program,
    module: ModuleId,
    scenario: String,
    changes: &[Change],
) -> Option<Filled> {
    let tried = layouts(program, &scenario, Wanted { changes, ..Wanted::default() })?;
    if !tried.open {
        return None;
    }
    let searched = search(program, &tried);
    let several = crate::scenarios(program, module).len() > 1;
    let changes = searched.plans.first().map_or_else(Vec::new, |winner| {
        let prefix = if several { format!("{scenario}.") } else { String::new() };
        of_plan(&tried, winner, &prefix)
    });
    Some(Filled { scenario, changes, layouts: tried, searched })
}

/// What to change for a plan.
fn of_plan(layouts: &Layouts, plan: &Planned, prefix: &str) -> Vec<Change> {
    let change = |path: &str, value: &str| Change {
        kind: ChangeKind::Override,
        path: format!("{prefix}{path}"),
        value: value.to_owned(),
    };
    let library = layouts.list.get(plan.layout).filter(|l| l.library.is_some());
    let whole = library.map(|layout| {
        let degrees = plan.settings.iter().filter(|(_, v)| !is_word(v));
        let degrees: Vec<String> = degrees.map(|(n, v)| format!("{n}: {v}")).collect();
        change("plan", &format!("{}({})", layout.name, degrees.join(", ")))
    });
    let rest = plan.settings.iter().filter(|(_, v)| whole.is_none() || is_word(v));
    let rest: Vec<Change> = rest.map(|(n, v)| change(&format!("plan.{n}"), v)).collect();
    whole.into_iter().chain(rest).collect()
}

/// Whether a setting is a word: `full`, not `8`.
#[must_use]
pub fn is_word(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphabetic())
}
