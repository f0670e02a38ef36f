//! `mesa explain`: how a figure came about.
//!
//! In: a file and the path of a result. Out: its derivation as a tree, down to lines of the spec
//! and of the library.

use std::path::PathBuf;

use clap::ValueEnum;

use super::overrides::Overrides;
use super::screen::Screen;
use super::{Outcome, input, not_available};
use crate::diagnostic::miette::Outer;

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
    /// How many levels to show; all if not given
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// How the derivation is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    overrides: Overrides,
}

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let loaded = input::load(std::slice::from_ref(&args.file))?;
    explain(&loaded, args, screen)
}

/// Wired later: derives and prints.
fn explain(_loaded: &input::Loaded, _args: &Args, _screen: &Screen) -> Result<Outcome, Outer> {
    Err(not_available("explain"))
}
