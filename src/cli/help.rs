//! `mesa help`: the page of a code, the help of a command, the list of codes.
//!
//! In: a code such as `E0201`, the name of a command, or `codes`. Out: text for a terminal.

use std::fmt::Write as _;

use super::screen::Screen;
use super::{Outcome, command};
use crate::diagnostic::miette::Outer;
use crate::diagnostic::{Code, codes};

const EXAMPLES: &str = "\
Examples:
  mesa help E0201     what the code means, a wrong example and the right one
  mesa help codes     every code in one line
  mesa help eval      the same as `mesa eval --help`";

/// Explain a code or a command
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A code such as E0201, a command, or `codes`
    #[arg(value_name = "CODE")]
    topic: Option<String>,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let text = match args.topic.as_deref() {
        None => long_help(command(), screen),
        Some("codes") => list(),
        Some(topic) => match Code::find(topic) {
            Some(code) => layout(code.page(), screen.out_color),
            None => command_help(topic, screen)?,
        },
    };
    screen.print(&text)?;
    Ok(Outcome::Fine)
}

fn long_help(mut command: clap::Command, screen: &Screen) -> String {
    let help = command.render_long_help();
    if screen.out_color { help.ansi().to_string() } else { help.to_string() }
}

fn command_help(topic: &str, screen: &Screen) -> Result<String, Outer> {
    let mut command = command();
    command.build();
    match command.find_subcommand(topic) {
        Some(found) => Ok(long_help(found.clone(), screen)),
        None => Err(unknown(topic, &command)),
    }
}

fn unknown(topic: &str, command: &clap::Command) -> Outer {
    let upper = topic.to_uppercase();
    let names = command.get_subcommands().map(|c| c.get_name().to_owned());
    let topics = codes::ALL.iter().map(|(code, _)| code.id().to_owned()).chain(names);
    let close = topics
        .map(|name| (strsim::osa_distance(&upper, &name.to_uppercase()), name))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    let help = match close {
        Some((_, name)) => format!("do you mean `mesa help {name}`? `mesa help codes` lists all"),
        None => "`mesa help codes` lists every code, `mesa --help` every command".to_owned(),
    };
    Outer::new(format!("there is no code and no command `{topic}`")).help(help)
}

fn list() -> String {
    let mut out = String::new();
    for (code, summary) in codes::ALL {
        let _ = writeln!(out, "{}  {summary}", code.id());
    }
    out
}

/// A page for a terminal: examples indented under a heading, instead of fenced.
fn layout(page: &str, color: bool) -> String {
    let paint = |escape: &str, text: &str| {
        if color { format!("\x1b[{escape}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let mut out = String::new();
    let mut is_inside = false;
    for line in page.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            is_inside = !is_inside;
            if is_inside {
                let _ = writeln!(out, "{}\n", heading(fence, paint));
            }
        } else if let Some(title) = line.strip_prefix("# ") {
            let _ = writeln!(out, "{}", paint("1", title));
        } else if is_inside && !line.is_empty() {
            let _ = writeln!(out, "    {line}");
        } else {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

fn heading(fence: &str, paint: impl Fn(&str, &str) -> String) -> String {
    let (language, kind) = fence.split_once(' ').unwrap_or((fence, ""));
    match (kind, kind.strip_prefix("file=")) {
        ("wrong", _) => paint("1;31", "Wrong:"),
        ("right", _) => paint("1;32", "Right:"),
        (_, Some(name)) => paint("1", &format!("with {name}:")),
        _ => paint("1", language),
    }
}
