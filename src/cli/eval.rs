//! `mesa eval`: the report of scenarios, one figure of it, or an expression.
//!
//! In: a file and what to change. Out: the report on standard output; findings on standard error.

use std::path::PathBuf;

use clap::ValueEnum;

use super::overrides::Overrides;
use super::screen::Screen;
use super::{Outcome, input};
use crate::diagnostic::miette::{Outer, narrate};
use crate::diagnostic::render::{self, render};
use crate::diagnostic::{Diagnostic, Severity};
use crate::evaluation::evaluate;
use crate::report::{self, Look, Report};
use crate::source::Sources;

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
    /// Evaluate an expression; with FILE, in the scope of that file
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
    let Some(file) = &args.file else { return Err(Outer::new("no file")) };
    let mut loaded = input::load(std::slice::from_ref(file))?;
    let program = loaded.program();
    let mut findings = std::mem::take(&mut loaded.findings);
    let mut report = Report::default();
    if let Some(&module) = program.roots.first() {
        let mut evaluation = evaluate(&program, module, &args.scenarios);
        findings.append(&mut evaluation.findings);
        report = report::build(&mut evaluation);
    }
    complain(screen, &program.sources, &findings);
    screen.print(&written(args.format, &report, screen))?;
    let is_error = findings.iter().any(|d| d.severity == Severity::Error);
    Ok(if is_error { Outcome::Findings } else { Outcome::Fine })
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
    screen.complain(&(drawn + "\n"));
}
