//! `mesa explain`: how a figure came about.
//!
//! In: a file and the path of a result. Out: its derivation as a tree, down to lines of the spec
//! and of the library.

use std::path::PathBuf;
use std::str::FromStr;

use super::overrides::Overrides;
use super::screen::{Format, Screen};
use super::{Outcome, eval, input};
use crate::diagnostic::Severity;
use crate::diagnostic::miette::Outer;
use crate::evaluation::{Changes, Evaluation, Found, evaluate, find};
use crate::reading::explain::{Extent, explain};
use crate::report::{self, Look};

const EXAMPLES: &str = "\
Examples:
  mesa explain chat.mesa chat.tpot                                  a result
  mesa explain chat.mesa chat.memory.weights --depth 2              not all the way down
  mesa explain chat.mesa chat.layers.attention.decode.mid.time      a part of a layer
  mesa explain chat.mesa chat.tpot --format json                    for programs

Exit codes: 0 fine, 1 errors in the file, 2 wrong usage or a file that cannot be read.";

/// Show how a figure came about
///
/// Prints the derivation of a result as a tree: each line has a name, its formula, value and unit,
/// and the file and line where it stands. It ends at lines of the spec, figures with a source, and
/// assumptions.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The result: SCENARIO.PATH, such as chat.tpot
    #[arg(value_name = "PATH")]
    path: String,
    /// How many levels to show below the result: a number, or all; as many as fit a screen if not
    /// given (all in JSON)
    #[arg(long, value_name = "N")]
    depth: Option<Depth>,
    /// How the derivation is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    overrides: Overrides,
}

/// `--depth`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Depth {
    All,
    Levels(usize),
}

impl FromStr for Depth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Levels).map_err(|_| "a number, or `all`".to_owned()),
        }
    }
}

/// Terms of a sum that are shown unless all is asked for.
const TERMS: usize = 10;
/// Lines of a screen, for the depth that nobody chose.
const LINES: usize = 50;
/// The most levels that are tried for it.
const DEEPEST: usize = 6;

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let mut loaded = input::load(std::slice::from_ref(&args.file))?;
    let mut program = loaded.program();
    let changes = Changes::add(&mut program, args.overrides.changes());
    let mut findings = std::mem::take(&mut loaded.findings);
    let mut out = String::new();
    if let Some(&module) = program.roots.first() {
        let wanted =
            eval::scenario_of(&args.path, &program, module).into_iter().collect::<Vec<_>>();
        let mut evaluation = evaluate(&program, module, &wanted, &changes);
        findings.append(&mut evaluation.findings);
        match find(&mut evaluation, &args.path) {
            Ok(Some(found)) => out = written(args, screen, &evaluation, &found),
            Ok(None) => {}
            Err(diagnostic) => findings.push(*diagnostic),
        }
    }
    eval::complain(screen, &program.sources, &findings);
    screen.print(&out)?;
    let is_error = findings.iter().any(|d| d.severity == Severity::Error);
    Ok(if is_error { Outcome::Findings } else { Outcome::Fine })
}

fn written(args: &Args, screen: &Screen, evaluation: &Evaluation<'_>, found: &Found) -> String {
    let derive = |depth: Option<usize>| {
        let graph = &evaluation.checker.graph;
        let program = evaluation.checker.program;
        let extent = Extent { depth, width: depth.map(|_| TERMS) };
        explain(graph, program, (&args.path, &found.leaf), found.place, extent)
    };
    let draw = |depth: Option<usize>| {
        let look = Look { color: screen.out_color, ascii: screen.ascii };
        report::derivation_text(&derive(depth), look, screen.columns())
    };
    match (args.format, args.depth) {
        (Format::Json, None | Some(Depth::All)) => report::derivation_json(&derive(None)),
        (Format::Json, Some(Depth::Levels(n))) => report::derivation_json(&derive(Some(n))),
        (Format::Text, Some(Depth::All)) => draw(None),
        (Format::Text, Some(Depth::Levels(n))) => draw(Some(n)),
        (Format::Text, None) => {
            // As deep as fits a screen, but at least one level.
            let fits =
                (2..=DEEPEST).map(|n| draw(Some(n))).take_while(|t| t.lines().count() <= LINES);
            fits.last().unwrap_or_else(|| draw(Some(1)))
        }
    }
}
