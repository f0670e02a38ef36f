//! `mesa eval`: the report of scenarios, one figure of it, or an expression.
//!
//! In: a file and what to change. Out: the report on standard output; findings on standard error.

use std::path::PathBuf;

use clap::ValueEnum;

use super::Outcome;
use super::input::{self, Loaded};
use super::overrides::Overrides;
use super::screen::Screen;
use crate::check::{ModuleId, Program};
use crate::diagnostic::miette::{Outer, narrate};
use crate::diagnostic::render::{self, render};
use crate::diagnostic::{Diagnostic, Severity};
use crate::evaluation::{
    Changes, Evaluation, Expression, evaluate, expression, find, no_scenario, open, settable,
};
use crate::quantity::figure::Figure;
use crate::report::{self, Look, Report};
use crate::source::Sources;
use crate::sweep::{Filled, fill_in};

const EXAMPLES: &str = "\
Examples:
  mesa eval chat.mesa                           every scenario of the file
  mesa eval chat.mesa chat chat_fp8             these two
  mesa eval chat.mesa --set serve.batch=64      with another batch
  mesa eval chat.mesa --override gemm_efficiency=0.8
  mesa eval chat.mesa --settable                what --set may change
  mesa eval chat.mesa --get chat.tpot           one number, in seconds
  mesa eval chat.mesa --format json             for programs
  mesa eval -e '80 GB / (3.35 TB/s)'            an expression with units
  mesa eval -e 'H100_SXM.compute.matrix.fp8 / H100_SXM.memory.hbm.bandwidth'

Exit codes: 0 fine, 1 errors in the file, 2 wrong usage or a file that cannot be read.";

/// Compute latency, memory and cost
///
/// Evaluates the scenarios of a file and prints a report of each: latency, throughput, memory,
/// communication and price, and what limits them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file, or - for standard input
    #[arg(required_unless_present = "expression", value_name = "FILE")]
    file: Option<PathBuf>,
    /// The scenarios; all of the file if none is named
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Print one number, in base units and nothing else, such as chat.tpot
    #[arg(long, value_name = "PATH", conflicts_with = "settable")]
    get: Option<String>,
    /// List the paths that --set may change, with their values
    #[arg(long)]
    settable: bool,
    /// Evaluate an expression; names of the library are known, with FILE those of that file too
    #[arg(short, long, value_name = "EXPR", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["get", "settable"])]
    expression: Option<String>,
    #[command(flatten)]
    overrides: Overrides,
}

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: values in base units
    Json,
    /// For spreadsheets
    Csv,
    /// For documents
    Markdown,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let mut loaded = match &args.file {
        Some(file) => input::load(std::slice::from_ref(file))?,
        None => Loaded::default(),
    };
    let mut program = loaded.program();
    let mut changes = args.overrides.changes();
    if let (Some(&module), false) = (program.roots.first(), args.settable) {
        let filled = fill_in(&program, &wanted(args, &program, module), &changes);
        for filled in filled {
            screen.complain(&said(&filled));
            changes.extend(filled.changes);
        }
    }
    let changes = Changes::add(&mut program, changes);
    let typed = args.expression.as_deref().map(|text| Expression::add(&mut program, text));
    let mut findings = std::mem::take(&mut loaded.findings);
    let out = match (program.roots.first().copied(), typed) {
        (None, Some(typed)) => {
            let (figure, mut found) = expression(&program, typed, None);
            findings.append(&mut found);
            figure.map_or_else(String::new, |f| both(&f, screen))
        }
        (None, None) => String::new(),
        (Some(module), typed) => {
            let wanted = wanted(args, &program, module);
            let mut evaluation = if args.settable {
                open(&program, module, &wanted, &changes)
            } else {
                evaluate(&program, module, &wanted, &changes)
            };
            let (out, mut found) = answer(args, screen, &mut evaluation, typed);
            findings.append(&mut evaluation.findings);
            findings.append(&mut found);
            // The process ends soon: the graph need not be taken apart before.
            std::mem::forget(evaluation);
            out
        }
    };
    complain(screen, &program.sources, &findings);
    screen.print(&out)?;
    std::mem::forget(program);
    let is_error = findings.iter().any(|d| d.severity == Severity::Error);
    Ok(if is_error { Outcome::Findings } else { Outcome::Fine })
}

/// What fills in a plan that was left open.
fn said(filled: &Filled) -> String {
    let Filled { scenario, layouts, searched, .. } = filled;
    let Some(winner) = searched.plans.first() else {
        let mut out = format!("{scenario}: none of {} plans can be\n", searched.points);
        if let Some(nearest) = &searched.nearest {
            let plan = super::plan::called(layouts, &nearest.plan);
            out += &format!("{scenario}: the nearest, {plan}, {}\n", nearest.needs);
        }
        return out;
    };
    format!(
        "{scenario}: the plan is left open; {} has the {} {} of {} that can be\n",
        super::plan::called(layouts, winner),
        if layouts.maximize { "most" } else { "least" },
        layouts.goal,
        searched.kept,
    )
}

/// The scenarios to evaluate: for one figure only the one that it names.
fn wanted(args: &Args, program: &Program, module: ModuleId) -> Vec<String> {
    let named = args.get.as_ref().and_then(|path| scenario_of(path, program, module));
    match (named, args.scenarios.as_slice()) {
        (Some(name), []) => vec![name],
        (_, given) => given.to_vec(),
    }
}

/// The scenario that a path starts with.
pub(super) fn scenario_of(path: &str, program: &Program, module: ModuleId) -> Option<String> {
    let (first, _) = path.split_once('.')?;
    let all = crate::scenarios(program, module);
    all.iter().any(|i| i.item.name.name == first).then(|| first.to_owned())
}

/// What is printed, and what is wrong with the question.
fn answer<'p>(
    args: &Args,
    screen: &Screen,
    evaluation: &mut Evaluation<'p>,
    typed: Option<Expression>,
) -> (String, Vec<Diagnostic>) {
    if let Some(typed) = typed {
        let program = evaluation.checker.program;
        let (figure, found) = expression(program, typed, Some(evaluation));
        return (figure.map_or_else(String::new, |f| both(&f, screen)), found);
    }
    if evaluation.scenarios.is_empty() && !evaluation.has_errors() {
        return (String::new(), vec![no_scenario(evaluation)]);
    }
    if let Some(path) = &args.get {
        return match find(evaluation, path) {
            Ok(found) => {
                let graph = &evaluation.checker.graph;
                let figure = found.map(|f| report::figure(graph, &f.path, &f.leaf));
                (figure.map_or_else(String::new, |f| f.exact() + "\n"), Vec::new())
            }
            Err(diagnostic) => (String::new(), vec![*diagnostic]),
        };
    }
    if args.settable {
        return (list(evaluation, screen), Vec::new());
    }
    let report = report::build(evaluation);
    (written(args.format, &report, screen), Vec::new())
}

/// As a person reads it, and exactly in base units.
fn both(figure: &Figure, screen: &Screen) -> String {
    let (human, exact, unit) = (figure.human(), figure.exact(), figure.unit());
    let exact = if unit.is_empty() { exact } else { format!("{exact} {unit}") };
    let line = if human == exact { human } else { format!("{human}  ({exact})") };
    (if screen.ascii { report::ascii(&line) } else { line }) + "\n"
}

/// What `--set` may change, scenario by scenario.
fn list(evaluation: &mut Evaluation<'_>, screen: &Screen) -> String {
    let mut tables = Vec::new();
    for scenario in &evaluation.scenarios {
        let Some(object) = &scenario.object else { continue };
        let rows = settable(&mut evaluation.checker, object);
        let sources = &evaluation.checker.program.sources;
        tables.push(report::settable(&scenario.name.to_string(), &rows, sources));
    }
    let drawn: Vec<String> = tables.iter().map(|t| t.text(screen.out_color)).collect();
    let text = drawn.join("\n");
    if screen.ascii { report::ascii(&text) } else { text }
}

fn written(format: Format, report: &Report, screen: &Screen) -> String {
    match format {
        Format::Text => report::text(report, Look { color: screen.out_color, ascii: screen.ascii }),
        Format::Json => report::json(report),
        Format::Csv => report::csv(report),
        Format::Markdown => report::markdown(report),
    }
}

/// Findings, drawn on standard error.
pub(super) fn complain(screen: &Screen, sources: &Sources, findings: &[Diagnostic]) {
    if findings.is_empty() {
        return;
    }
    let drawn = if screen.narrate {
        narrate(sources, findings)
    } else {
        render(render::Format::Text, sources, findings, &screen.error_options())
    };
    screen.complain(&drawn);
}
