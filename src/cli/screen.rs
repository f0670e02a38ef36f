//! Where output goes and how it looks.
//!
//! In: `--color`, `--narrate`, the environment and whether there is a terminal. Out: [`Screen`],
//! which prints without ever failing on a reader that went away.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use crate::diagnostic::miette::{Outer, Style};
use crate::diagnostic::render::Options;

/// `--color`. Variants have no doc comments, so that every help text keeps them on one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

/// `--format` of commands that write for people or for programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs, versioned
    Json,
}

/// What the process prints to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// Whether standard output is coloured.
    pub out_color: bool,
    /// Whether standard error is coloured.
    pub err_color: bool,
    /// Whether to say things in plain sentences.
    pub narrate: bool,
    /// Whether the terminal is said to have nothing but ASCII.
    pub ascii: bool,
    width: usize,
}

/// Columns where nobody knows better, and the most that prose is set to.
const WIDTH: usize = 100;

impl Screen {
    pub(super) fn new(when: ColorWhen, narrate: bool) -> Self {
        let graphics = std::env::var_os("NO_GRAPHICS").is_none_or(|v| v.is_empty() || v == "0");
        Self {
            out_color: is_colored(when, io::stdout().is_terminal()),
            err_color: is_colored(when, io::stderr().is_terminal()),
            narrate: narrate || !graphics,
            ascii: std::env::var_os("TERM").is_some_and(|t| t == "dumb"),
            width: width(),
        }
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        self.width
    }

    /// Prints to standard output. A closed pipe ends the output, not the program.
    pub(super) fn print(&self, text: &str) -> Result<(), Outer> {
        self.print_bytes(text.as_bytes())
    }

    /// Prints bytes to standard output.
    pub(super) fn print_bytes(&self, bytes: &[u8]) -> Result<(), Outer> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Outer::new("the output cannot be written").cause(error))
            }
            _ => Ok(()),
        }
    }

    /// Prints to standard error, as well as possible.
    pub(super) fn complain(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// How findings on standard output look.
    pub(super) fn options(&self) -> Options {
        Options { color: self.out_color, width: self.width }
    }

    /// How findings on standard error look.
    pub(super) fn error_options(&self) -> Options {
        Options { color: self.err_color, width: self.width }
    }

    /// How errors at the outer edge look.
    pub(super) fn style(&self) -> Style {
        Style { color: self.err_color, width: self.width, narrate: self.narrate }
    }
}

/// What clap should do before the arguments are parsed: `--color` as it stands among them.
pub(super) fn asked_color(args: &[OsString]) -> clap::ColorChoice {
    let words = args.iter().skip(1).map_while(|a| a.to_str().filter(|a| *a != "--"));
    let mut choice = clap::ColorChoice::Auto;
    let mut is_value = false;
    for word in words {
        let value = if is_value { Some(word) } else { word.strip_prefix("--color=") };
        is_value = word == "--color";
        match value {
            Some("always") => choice = clap::ColorChoice::Always,
            Some("never") => choice = clap::ColorChoice::Never,
            _ => {}
        }
    }
    choice
}

fn is_colored(when: ColorWhen, terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto if set("NO_COLOR").is_some() => false,
        ColorWhen::Auto if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
        ColorWhen::Auto if set("CLICOLOR").is_some_and(|v| v == "0") => false,
        ColorWhen::Auto => terminal && set("TERM").is_none_or(|v| v != "dumb"),
    }
}

fn width() -> usize {
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    terminal().or_else(columns).map_or(WIDTH, |width: usize| width.clamp(40, WIDTH))
}
