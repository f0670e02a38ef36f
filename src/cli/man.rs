//! `mesa man`: the manual as man pages.
//!
//! In: perhaps a directory. Out: the main page on standard output, or every page into
//! the directory.

use std::path::PathBuf;

use super::input::shown;
use super::screen::Screen;
use super::{Outcome, command};
use crate::diagnostic::miette::Outer;

const EXAMPLES: &str = "\
Examples:
  mesa man | man -l -                        read the main page
  mesa man --dir ~/.local/share/man/man1     install all pages";

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Write mesa.1 and a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    if let Some(dir) = &args.dir {
        let failed = |error| {
            Outer::new(format!("man pages cannot be written to `{}`", shown(dir))).cause(error)
        };
        std::fs::create_dir_all(dir).map_err(failed)?;
        clap_mangen::generate_to(command(), dir).map_err(failed)?;
        return Ok(Outcome::Fine);
    }
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command()).render(&mut page);
    rendered.map_err(|error| Outer::new("the manual page cannot be made").cause(error))?;
    screen.print(&String::from_utf8_lossy(&page))?;
    Ok(Outcome::Fine)
}
