//! `mesa plan`: the best plan for a scenario on its machine, and why.
//!
//! In: a file and a scenario. Out: plans, best first, with what each lost on.

use std::path::PathBuf;

use serde_json::json;

use super::screen::{Format, Screen};
use super::{Outcome, eval, input};
use crate::check::{Checker, Program, check_module};
use crate::diagnostic::Severity;
use crate::diagnostic::miette::Outer;
use crate::evaluation::unknown_scenario;
use crate::name::Name;
use crate::quantity::figure::Figure;
use crate::report::{Cell, Look, Table, Tint, ascii};
use crate::sweep::{Layouts, Planned, Searched, Wanted, layouts, search};

const EXAMPLES: &str = "\
Examples:
  mesa plan chat.mesa chat                                    the plan with the least latency
  mesa plan chat.mesa chat --maximize throughput.device       for the most tokens of a device
  mesa plan train.mesa pretrain --minimize 'step.time * devices'
  mesa plan chat.mesa chat --system 'DGX_H100(nodes: 2)'      on another machine

Exit codes: 0 fine, 1 no plan can be, 2 wrong usage or a file that cannot be read.";

/// Find the best plan for a scenario
///
/// Tries the layouts of the library and the scenario's own plan with every degree that the machine
/// can have. What fits comes first, then what meets the scenario's expectations, then the goal.
/// Says what each runner-up lost on.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// What should be least; latency or step.time if nothing is said
    #[arg(long, value_name = "EXPR", conflicts_with = "maximize")]
    minimize: Option<String>,
    /// What should be most
    #[arg(long, value_name = "EXPR")]
    maximize: Option<String>,
    /// Another machine, such as 'DGX_H100(nodes: 2)'
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
    /// How many plans to show
    #[arg(long, value_name = "N", default_value_t = 8)]
    show: usize,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let loaded = input::load(std::slice::from_ref(&args.file))?;
    let goal = match (&args.minimize, &args.maximize) {
        (_, Some(goal)) => Some((goal.as_str(), true)),
        (Some(goal), None) => Some((goal.as_str(), false)),
        (None, None) => None,
    };
    let program = loaded.program();
    if !is_sound(screen, &loaded, &program, &args.scenario) {
        return Ok(Outcome::Findings);
    }
    let wanted = Wanted { system: args.system.as_deref(), goal, changes: &[] };
    let Some(tried) = layouts(&program, &args.scenario, wanted) else {
        let found = crate::check(&program);
        eval::complain(screen, &program.sources, &found);
        return Ok(Outcome::Findings);
    };
    let searched = search(&program, &tried);
    let out = match args.format {
        Format::Text => {
            let look = Look { color: screen.out_color, ascii: screen.ascii };
            text(args, &tried, &searched, look)
        }
        Format::Json => document(args, &tried, &searched),
    };
    screen.print(&out)?;
    Ok(if searched.plans.is_empty() { Outcome::Findings } else { Outcome::Fine })
}

/// Whether the items of a file are sound and a scenario is among them; what is not is said. What is
/// wrong with the scenario's own plan is not asked: others are tried.
pub(super) fn is_sound(
    screen: &Screen,
    loaded: &input::Loaded,
    program: &Program,
    scenario: &str,
) -> bool {
    let mut found = loaded.findings.clone();
    found.extend(program.load_diagnostics.iter().cloned());
    if let Some(&module) = program.roots.first() {
        found.extend(program.syntax_diagnostics(module));
        let mut checker = Checker::new(program);
        check_module(&mut checker, module);
        found.append(&mut checker.diagnostics);
        let known = crate::scenarios(program, module);
        if !known.iter().any(|s| s.item.name.name == scenario) {
            found.push(unknown_scenario(program, module, scenario));
        }
    }
    found.retain(|d| d.severity == Severity::Error);
    eval::complain(screen, &program.sources, &found);
    found.is_empty() && !program.roots.is_empty()
}

/// `Tensor(pp: 2, tp: 8)`: what is 1 is left out.
pub(super) fn called(layouts: &Layouts, plan: &Planned) -> String {
    let name = layouts.list.get(plan.layout).map_or("", |l| l.name.as_str());
    let is_word = |v: &str| v.starts_with(|c: char| c.is_ascii_alphabetic());
    let given = plan.settings.iter().filter(|(_, v)| v != "1" && !is_word(v));
    let given: Vec<String> = given.map(|(n, v)| format!("{n}: {v}")).collect();
    let words = plan.settings.iter().filter(|(_, v)| is_word(v) && v != "none");
    let words: Vec<String> = words.map(|(n, v)| format!(" {n} {v}")).collect();
    format!("{name}({}){}", given.join(", "), words.concat())
}

fn human(plan: &Planned, name: &str) -> String {
    let found = plan.results.iter().find(|(n, ..)| n == name);
    found.map_or_else(|| "—".to_owned(), |(n, v, d)| Figure::number(n, *v, *d).human())
}

/// The part of the time that is the largest, and its share of all parts.
fn largest<'a>(layouts: &'a Layouts, plan: &Planned) -> Option<(&'a str, f64)> {
    let value = |(part, times): &(String, f64)| {
        plan.result(part).filter(|v| v.is_finite()).map(|v| v * times)
    };
    let all: f64 = layouts.parts.iter().filter_map(value).sum();
    let best = layouts.parts.iter().filter_map(|p| Some((p.0.as_str(), value(p)?)));
    let (part, most) = best.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (all > 0.0).then_some((part, most / all))
}

/// What a part of the time is, for a sentence.
fn in_words(part: &str) -> &str {
    match part {
        "prefill.compute_time" => "computing the prompt",
        "prefill.memory_time" => "memory traffic of the prompt",
        "prefill.communication.exposed" => "communication in the prompt",
        "prefill.overhead" => "launches and other overhead in the prompt",
        "decode.mid.compute_time" => "computing tokens",
        "decode.mid.memory_time" => "reading weights and cache for each token",
        "decode.mid.communication.exposed" => "communication for each token",
        "decode.mid.overhead" => "launches and other overhead for each token",
        "step.forward" => "the forward pass",
        "step.backward" => "the backward pass",
        "step.recompute" => "computing activations again",
        "step.communication.exposed" => "communication that nothing hides",
        "step.bubble" => "waiting in the pipeline",
        "step.optimizer" => "the optimizer",
        other => other,
    }
}

/// What a plan lost on against the winner: the part of the time that grew the most.
fn lost_on(layouts: &Layouts, winner: &Planned, plan: &Planned) -> String {
    if !plan.missed.is_empty() && plan.missed != winner.missed {
        return format!("misses {}", plan.missed.join(" and "));
    }
    let goal = |p: &Planned| p.rank.get(1).copied().unwrap_or(f64::NAN);
    if goal(plan) == goal(winner) {
        let devices = |p: &Planned| p.rank.get(2).copied().unwrap_or(f64::NAN);
        return if devices(plan) > devices(winner) {
            "is as good, on more devices".to_owned()
        } else {
            "is as good".to_owned()
        };
    }
    let grew = layouts.parts.iter().filter_map(|(part, times)| {
        let more = plan.result(part)? - winner.result(part)?;
        (more > 0.0).then_some((part, more, more * times))
    });
    match grew.max_by(|a, b| a.2.total_cmp(&b.2)) {
        Some((part, more, _)) => {
            let dimension = crate::quantity::Dimension::TIME;
            format!("{part} +{}", Figure::number(part, more, dimension).human())
        }
        None => String::new(),
    }
}

fn text(args: &Args, layouts: &Layouts, searched: &Searched, look: Look) -> String {
    let word = if layouts.maximize { "most" } else { "least" };
    let title = format!("{}: {} on {}", args.scenario, layouts.model, layouts.system);
    let expected = match layouts.expectations.len() {
        0 => String::new(),
        _ => "what is expected first, then ".to_owned(),
    };
    let remark = format!(
        "{} devices; what fits, {expected}{word} {}",
        crate::check::show_number(layouts.devices),
        layouts.goal
    );
    let Some(winner) = searched.plans.first() else {
        let mut out = format!("{title}\n  no plan can be: ");
        out += &format!("{} were tried\n", searched.points);
        if let Some(nearest) = &searched.nearest {
            let plan = called(layouts, &nearest.plan);
            out += &format!("  the nearest, {plan}, {}\n", nearest.needs);
        }
        out.push('\n');
        out += &refused(searched).text(look.color);
        return if look.ascii { ascii(&out) } else { out };
    };
    let goal = layouts.goal.as_str();
    let mut columns: Vec<&str> = vec![goal];
    let beside =
        ["ttft", "tpot", "throughput.device", "step.time", "mfu", "memory.total", "devices"];
    let has = |name: &&&str| winner.result(name).is_some() && **name != goal;
    columns.extend(beside.iter().filter(has));
    let mut heads: Vec<&'static str> = vec![">", "plan"];
    heads.extend(columns.iter().map(|c| Name::new(&format!(">{c}")).text()));
    heads.extend([">", "lost on"]);
    let of_goal = |p: &Planned| p.rank.get(1).copied().unwrap_or(f64::NAN);
    let rows = searched.plans.iter().take(args.show).enumerate().map(|(i, plan)| {
        let mut cells: Vec<Cell> = vec![
            (i + 1).to_string().into(),
            Cell::tinted(called(layouts, plan), if i == 0 { Tint::Strong } else { Tint::Plain }),
        ];
        cells.extend(columns.iter().map(|c| human(plan, c).into()));
        let share = (of_goal(plan) / of_goal(winner) - 1.0) * 100.0;
        let change = if i == 0 { String::new() } else { format!("{share:+.1}%") };
        let why = if i == 0 { String::new() } else { lost_on(layouts, winner, plan) };
        cells.extend([Cell::tinted(change, Tint::Dim), why.into()]);
        cells
    });
    let table = Table { title, remark, heads, rows: rows.collect() };
    let mut out = table.text(look.color);
    out += &why(layouts, searched, winner);
    out.push('\n');
    out += &refused(searched).text(look.color);
    out += &use_it(layouts, winner);
    if look.ascii { ascii(&out) } else { out }
}

/// Why the winner wins, in a sentence or two.
fn why(layouts: &Layouts, searched: &Searched, winner: &Planned) -> String {
    let mut out = format!("\n{} wins", called(layouts, winner));
    if let Some((part, share)) = largest(layouts, winner) {
        let part = in_words(part);
        out += &format!(": most of its time goes into {part} ({:.0} %)", share * 100.0);
    }
    if let Some(second) = searched.plans.get(1) {
        let lost = lost_on(layouts, winner, second);
        let next = called(layouts, second);
        match lost.split_once(" +") {
            Some((part, more)) => {
                out += &format!("; the next, {next}, spends {more} more on {}", in_words(part));
            }
            None if lost.is_empty() => {}
            None => out += &format!("; the next, {next}, {lost}"),
        }
    }
    out += ".\n";
    if !winner.missed.is_empty() {
        out += &format!(
            "No plan meets all that is expected: it misses {}.\n",
            winner.missed.join(" and ")
        );
    }
    out
}

fn refused(searched: &Searched) -> Table {
    let mut rows: Vec<Vec<Cell>> =
        vec![vec![searched.kept.to_string().into(), "".into(), "can be".into()]];
    rows.extend(searched.refused.iter().map(|r| {
        let code = r.code.clone().unwrap_or_default();
        vec![r.count.to_string().into(), Cell::tinted(code, Tint::Dim), r.reason.clone().into()]
    }));
    let title = format!("{} plans tried", searched.points);
    Table { title, remark: String::new(), heads: vec![">", "", ""], rows }
}

/// What to write to use the winner.
fn use_it(layouts: &Layouts, winner: &Planned) -> String {
    let Some(layout) = layouts.list.get(winner.layout) else { return String::new() };
    let mut out = String::from("\nTo use it:\n");
    if let Some(path) = &layout.library {
        out += &format!("  use std.{}.{}\n", path.replace('/', "."), layout.name);
    }
    let is_word = |v: &str| v.starts_with(|c: char| c.is_ascii_alphabetic());
    let given = winner.settings.iter().filter(|(_, v)| !is_word(v));
    let given: Vec<String> = given.map(|(n, v)| format!("{n}: {v}")).collect();
    let words = winner.settings.iter().filter(|(_, v)| is_word(v));
    let words: Vec<String> = words.map(|(n, v)| format!("{n} = {v}")).collect();
    let with =
        if words.is_empty() { String::new() } else { format!(" with {{ {} }}", words.join(", ")) };
    out + &format!("  plan = {}({}){with}\n", layout.name, given.join(", "))
}

fn document(args: &Args, layouts: &Layouts, searched: &Searched) -> String {
    let plans: Vec<_> = searched
        .plans
        .iter()
        .take(args.show)
        .map(|plan| {
            let results: serde_json::Map<_, _> =
                plan.results.iter().map(|(n, v, _)| (n.clone(), json!(v))).collect();
            let settings: serde_json::Map<_, _> =
                plan.settings.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
            let lost = searched.plans.first().map(|winner| lost_on(layouts, winner, plan));
            json!({
                "plan": called(layouts, plan),
                "layout": layouts.list.get(plan.layout).map(|l| &l.name),
                "settings": settings,
                "results": results,
                "missed": plan.missed,
                "lost_on": lost,
            })
        })
        .collect();
    let refused: Vec<_> = searched
        .refused
        .iter()
        .map(|r| json!({ "code": r.code, "reason": r.reason, "count": r.count }))
        .collect();
    let nearest =
        searched.nearest.as_ref().filter(|_| searched.plans.is_empty()).map(
            |nearest| json!({ "plan": called(layouts, &nearest.plan), "memory": nearest.memory }),
        );
    let document = json!({
        "mesa": env!("CARGO_PKG_VERSION"),
        "scenario": args.scenario,
        "system": layouts.system,
        "devices": layouts.devices,
        "goal": { "text": layouts.goal, "maximize": layouts.maximize },
        "tried": searched.points,
        "plans": plans,
        "refused": refused,
        "nearest": nearest,
    });
    serde_json::to_string_pretty(&document).map_or_else(|_| String::new(), |text| text + "\n")
}
