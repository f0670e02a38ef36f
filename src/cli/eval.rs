//! `mesa eval`: the report of scenarios, one figure of it, or an expression.
//!
//! In: a file and what to change. Out: the report on standard output; findings on standard error.

use std::path::PathBuf;

use clap::ValueEnum;

use super::overrides::Overrides;
use super::screen::Screen;
use super::{Outcome, input, not_available};
use crate::diagnostic::miette::Outer;

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

/// What is evaluated, ready for the library.
#[derive(Debug)]
#[allow(dead_code)] // read once it is wired
struct Request<'a> {
    loaded: Option<input::Loaded>,
    args: &'a Args,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let loaded = args.file.as_ref().map(|f| input::load(std::slice::from_ref(f))).transpose()?;
    evaluate(&Request { loaded, args }, screen)
}

/// Wired later: evaluates and prints.
fn evaluate(_request: &Request<'_>, _screen: &Screen) -> Result<Outcome, Outer> {
    Err(not_available("eval"))
}
