//! The command line: one file for each command, thin.
//!
//! In: arguments. Out: what is printed, and an exit code: 0 fine, 1 findings, 2 wrong usage or a
//! file that cannot be read or written. Nothing is done before the arguments are parsed.

mod bind;
mod check;
mod completions;
mod eval;
mod explain;
mod fmt;
mod graph;
mod help;
mod import;
mod input;
mod man;
mod new;
mod output;
mod overrides;
mod plan;
mod screen;
mod size;
mod sweep;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::diagnostic::miette::{Outer, report};
use screen::{ColorWhen, Screen};

const EXAMPLES: &str = "\
Examples:
  mesa new chat                            write a starter spec into chat/
  mesa check chat                          look for mistakes in chat/*.mesa
  mesa eval chat/main.mesa                 print latency, memory and cost
  mesa explain chat/main.mesa chat.tpot    show where a figure comes from
  mesa graph chat/main.mesa chat -o g.svg  draw what runs
  mesa sweep plans.mesa cheapest           try many settings, show the best
  mesa help E0201                          say what a code means

Exit codes: 0 fine, 1 findings, 2 wrong usage or a file that cannot be read or written.";

/// Predict latency, memory and cost of large language models on hardware
///
/// Mesa reads `.mesa` files: a model, a system of chips and links, a plan that maps one onto the
/// other, and a workload. It checks them and computes what comes out, with the derivation of every
/// figure.
#[derive(Debug, Parser)]
#[command(name = "mesa", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    look: Look,
    #[command(subcommand)]
    command: Command,
}

/// How output looks, for every command.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
struct Look {
    /// When to colour; `auto` does on a terminal and respects NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    #[arg(hide_default_value = true)]
    color: ColorWhen,
    /// Say errors in plain sentences, for screen readers (also: NO_GRAPHICS=1)
    #[arg(long, global = true)]
    narrate: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bind(bind::Args),
    Check(check::Args),
    Eval(eval::Args),
    Explain(explain::Args),
    Fmt(fmt::Args),
    Graph(graph::Args),
    Import(import::Args),
    New(new::Args),
    Plan(plan::Args),
    Size(size::Args),
    Sweep(sweep::Args),
    Help(help::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// How a command went when nothing stopped it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// Nothing to complain about: exit code 0.
    Fine,
    /// Errors in a spec, or files that `fmt --check` would change: exit code 1.
    Findings,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match Cli::try_parse_from_colored(&args) {
        Ok(cli) => cli.run(),
        Err(error) => {
            // a reader that went away is no reason to complain
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}

impl Cli {
    /// Parses; what clap itself prints respects `--color` too.
    fn try_parse_from_colored(args: &[OsString]) -> Result<Self, clap::Error> {
        use clap::FromArgMatches as _;
        let color = screen::asked_color(args);
        let matches = Self::command().color(color).try_get_matches_from(args)?;
        Self::from_arg_matches(&matches)
    }

    fn run(self) -> ExitCode {
        let screen = Screen::new(self.look.color, self.look.narrate);
        match self.command.run(&screen) {
            Ok(Outcome::Fine) => ExitCode::SUCCESS,
            Ok(Outcome::Findings) => ExitCode::from(1),
            Err(outer) => {
                screen.complain(&report(&outer, screen.style()));
                ExitCode::from(2)
            }
        }
    }
}

impl Command {
    fn run(self, screen: &Screen) -> Result<Outcome, Outer> {
        match self {
            Self::Bind(args) => bind::run(&args, screen),
            Self::Check(args) => check::run(&args, screen),
            Self::Eval(args) => eval::run(&args, screen),
            Self::Explain(args) => explain::run(&args, screen),
            Self::Fmt(args) => fmt::run(&args, screen),
            Self::Graph(args) => graph::run(&args, screen),
            Self::Import(args) => import::run(&args, screen),
            Self::New(args) => new::run(&args, screen),
            Self::Plan(args) => plan::run(&args, screen),
            Self::Size(args) => size::run(&args, screen),
            Self::Sweep(args) => sweep::run_sweep(&args, screen),
            Self::Help(args) => help::run(&args, screen),
            Self::Completions(args) => completions::run(&args, screen),
            Self::Man(args) => man::run(&args, screen),
        }
    }
}

/// The whole command line as clap describes it: for help, completions and the manual.
fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_are_consistent() {
        super::command().debug_assert();
    }
}
