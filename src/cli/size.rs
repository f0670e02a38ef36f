//! `mesa size`: the least hardware that meets what a scenario expects.
//!
//! In: a file, a scenario and systems. Out: for each system the smallest that will do with its best
//! plan, ranked; or what stands in the way.

use std::path::PathBuf;

use clap::ValueEnum;

use super::screen::Screen;
use super::{Outcome, eval, input, plan};
use crate::check::Program;
use crate::diagnostic::miette::Outer;
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::report::{Cell, Table, Tint, ascii};
use crate::sweep::{Layouts, Planned, Searched, Wanted, layouts, search};

const EXAMPLES: &str = "\
Examples:
  mesa size chat.mesa chat                                    how many nodes of its own system
  mesa size chat.mesa chat --system H200_SXM_1 --system DGX_H100
  mesa size chat.mesa chat --by cost                          the cheapest

The systems must be known in the file: `use std.systems.DGX_H100`.

Exit codes: 0 fine, 1 no system will do, 2 wrong usage or a file that cannot be read.";

/// Find the least hardware that meets what a scenario expects
///
/// Tries every plan on each system, with more and more nodes where a system has a number of them,
/// until all of the scenario's `expect` hold. Says what stands in the way where none will do.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// A system to try, with or without its parameters; may be repeated; the scenario's own if
    /// none is given
    #[arg(long = "system", value_name = "SYSTEM")]
    systems: Vec<String>,
    /// What should be least
    #[arg(long, value_name = "WHAT", default_value = "devices")]
    by: By,
    /// The most nodes to try
    #[arg(long, value_name = "N", default_value_t = 32)]
    most: u32,
}

/// `--by`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    /// The fewest devices
    Devices,
    /// The lowest price of an hour, where chips have one
    Cost,
    /// The least power, where chips state it
    Power,
}

/// One system that was tried.
struct Sized {
    system: String,
    layouts: Layouts,
    searched: Searched,
    meets: bool,
}

impl Sized {
    fn of(&self, by: By) -> Option<f64> {
        let devices = self.layouts.devices;
        match by {
            By::Devices => Some(devices),
            By::Cost => self.layouts.price.map(|p| p * devices),
            By::Power => self.layouts.power.map(|p| p * devices),
        }
    }
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let loaded = input::load(std::slice::from_ref(&args.file))?;
    let program = loaded.program();
    if !plan::is_sound(screen, &loaded, &program, &args.scenario) {
        return Ok(Outcome::Findings);
    }
    let mut systems = args.systems.clone();
    if systems.is_empty() {
        match layouts(&program, &args.scenario, Wanted::default()) {
            Some(own) => systems.push(own.system),
            None => {
                let found = crate::check(&program);
                eval::complain(screen, &program.sources, &found);
                return Ok(Outcome::Findings);
            }
        }
    }
    let mut sized = Vec::new();
    for system in &systems {
        match try_system(args, &program, system) {
            Some(found) => sized.push(found),
            None => {
                return Err(Outer::new(format!("`{system}` is no system that this file knows"))
                    .help(format!(
                        "write `use std.systems.{system}` into it, or look at the spelling"
                    )));
            }
        }
    }
    sized.sort_by(|a, b| {
        let key = |s: &Sized| (!s.meets, s.of(args.by).unwrap_or(f64::INFINITY));
        let ((x, y), (v, w)) = (key(a), key(b));
        x.cmp(&v).then(y.total_cmp(&w))
    });
    let out = text(args, screen, &sized);
    screen.print(&if screen.ascii { ascii(&out) } else { out })?;
    let any = sized.iter().any(|s| s.meets);
    Ok(if any { Outcome::Fine } else { Outcome::Findings })
}

/// The smallest of a system that will do; the largest that was tried where none does.
fn try_system(args: &Args, program: &Program, system: &str) -> Option<Sized> {
    let one = |system: &str| {
        let wanted = Wanted { system: Some(system), ..Wanted::default() };
        let layouts = layouts(program, &args.scenario, wanted)?;
        let searched = search(program, &layouts);
        let meets = searched.plans.first().is_some_and(|p| p.missed.is_empty());
        Some(Sized { system: system.to_owned(), layouts, searched, meets })
    };
    if system.contains('(') {
        return one(system);
    }
    let mut last = one(system)?;
    // Without a number of nodes there is only one size.
    let Some(size) = last.layouts.size.clone() else { return Some(last) };
    let nodes = |n: u32| format!("{system}({size}: {n})");
    last = one(&nodes(1))?;
    let (mut low, mut n) = (1, 1);
    while !last.meets && n < args.most {
        low = n;
        n = (n * 2).min(args.most);
        last = one(&nodes(n))?;
    }
    // Between the last that did not and the first that did, the fewest.
    while last.meets && n > low + 1 {
        let middle = low.midpoint(n);
        let tried = one(&nodes(middle))?;
        if tried.meets {
            (last, n) = (tried, middle);
        } else {
            low = middle;
        }
    }
    Some(last)
}

fn text(args: &Args, screen: &Screen, sized: &[Sized]) -> String {
    let by = match args.by {
        By::Devices => "fewest devices",
        By::Cost => "lowest price",
        By::Power => "least power",
    };
    let expectations = sized.first().map_or(0, |s| s.layouts.expectations.len());
    let rows = sized.iter().map(|s| {
        let figure = |value: Option<f64>, dimension| {
            value.map_or_else(|| "—".to_owned(), |v| Figure::number("", v, dimension).human())
        };
        let winner = s.searched.plans.first();
        let plan = winner.map_or_else(String::new, |p| plan::called(&s.layouts, p));
        let verdict = if s.meets {
            Cell::tinted("will do", Tint::Good)
        } else {
            Cell::tinted(in_the_way(s, winner), Tint::Bad)
        };
        vec![
            s.system.as_str().into(),
            figure(s.of(By::Devices), Dimension::NONE).into(),
            figure(s.of(By::Cost), Dimension::PRICE_RATE).into(),
            figure(s.of(By::Power), Dimension::POWER).into(),
            plan.into(),
            verdict,
        ]
    });
    let table = Table {
        title: args.scenario.clone(),
        remark: format!("the {by} that meet all {expectations} expectations"),
        heads: vec!["system", ">devices", ">price", ">power", "plan", ""],
        rows: rows.collect(),
    };
    table.text(screen.out_color)
}

/// What stands in the way of a system.
fn in_the_way(sized: &Sized, winner: Option<&Planned>) -> String {
    match (winner, sized.searched.refused.first()) {
        (Some(winner), _) => format!("misses {}", winner.missed.join(" and ")),
        (None, Some(refused)) => refused.reason.clone(),
        (None, None) => "no plan can be".to_owned(),
    }
}
