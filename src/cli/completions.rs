//! `mesa completions`: the script that teaches a shell Mesa's arguments.
//!
//! In: a shell. Out: its script on standard output.

use clap_complete::Shell;

use super::screen::Screen;
use super::{Outcome, command};
use crate::diagnostic::miette::Outer;

const EXAMPLES: &str = "\
Examples:
  mesa completions bash > ~/.local/share/bash-completion/completions/mesa
  mesa completions zsh  > ~/.zfunc/_mesa
  mesa completions fish > ~/.config/fish/completions/mesa.fish";

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "mesa", &mut script);
    screen.print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}
