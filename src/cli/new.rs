//! `mesa new`: a starter spec.
//!
//! In: a directory that is empty or does not exist yet. Out: `main.mesa` in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Outcome;
use super::input::shown;
use super::screen::Screen;
use crate::diagnostic::miette::Outer;

const EXAMPLES: &str = "\
Examples:
  mesa new chat                 write chat/main.mesa
  mesa eval chat/main.mesa      and see what comes out";

const STARTER: &str = include_str!("starter.mesa");

/// Write a starter spec
///
/// Makes the directory and writes a small complete spec into it, ready to be evaluated and changed.
/// A directory that holds anything is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The directory; it must be empty or not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    refuse_full(&args.dir)?;
    let path = args.dir.join("main.mesa");
    let write = || -> io::Result<()> {
        fs::create_dir_all(&args.dir)?;
        io::Write::write_all(&mut fs::File::create_new(&path)?, STARTER.as_bytes())
    };
    write().map_err(|error| cannot_write(&path, error))?;
    let name = shown(&path);
    screen.print(&format!("Wrote {name}. Next:\n  mesa check {name}\n  mesa eval {name}\n"))?;
    Ok(Outcome::Fine)
}

fn refuse_full(dir: &Path) -> Result<(), Outer> {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(Outer::new(format!("`{}` is not empty", shown(dir)))
            .help("name a directory that does not exist yet")),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot_write(dir, error)),
    }
}

fn cannot_write(path: &Path, error: io::Error) -> Outer {
    Outer::new(format!("`{}` cannot be written", shown(path))).cause(error)
}
