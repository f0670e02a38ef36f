//! What the program itself says: codes and commands.

use std::fmt::Write as _;

use mesa::diagnostic::codes;

use super::markdown::{anchor, table};
use crate::pictures::mesa;

/// What the first digits of a code mean.
const GROUPS: &[(&str, &str)] = &[
    ("E00", "Files and text"),
    ("E01", "Syntax"),
    ("E02", "Names"),
    ("E03", "Quantities and types"),
    ("E04", "Shapes"),
    ("E05", "Plans and machines"),
    ("E06", "What the author asked to hold"),
    ("E07", "The command line"),
    ("E08", "Imported configs"),
    ("E09", "Sweeps"),
    ("N", "Notes"),
    ("W", "Warnings"),
];

/// Every code with its page.
pub(super) fn diagnostics() -> String {
    let mut out = String::from(
        "# Diagnostics\n\nEvery finding has a code. `mesa help CODE` prints its page; here are all \
         of them. Codes with E are errors, those with W warnings, those with N notes.\n\n",
    );
    let rows = codes::ALL.iter().map(|(code, summary)| {
        let to = anchor(&format!("{}: {summary}", code.id()));
        vec![format!("[{}](#{to})", code.id()), (*summary).to_owned()]
    });
    out += &table(&["Code", "Meaning"], rows.collect());
    let mut shown = 0;
    for (prefix, title) in GROUPS {
        let _ = write!(out, "## {title}\n\n");
        for (code, _) in codes::ALL.iter().filter(|(c, _)| c.id().starts_with(prefix)) {
            let _ = writeln!(out, "##{}", page(code.page()));
            shown += 1;
        }
    }
    assert_eq!(shown, codes::ALL.len(), "a code belongs to no group");
    out
}

/// A page of a code with its fences as any reader of Markdown knows them.
fn page(page: &str) -> String {
    let mut out = String::new();
    for line in page.lines() {
        let fence = line.strip_prefix("```").and_then(|info| info.split_once(' '));
        out += &match fence {
            Some((language, "wrong")) => format!("Wrong:\n\n```{language}\n"),
            Some((language, "right")) => format!("Right:\n\n```{language}\n"),
            Some((language, file)) => {
                format!("with `{}`:\n\n```{language}\n", file.trim_start_matches("file="))
            }
            None => format!("{line}\n"),
        };
    }
    out
}

/// The help of every command.
pub(super) fn commands() -> String {
    let mut out =
        String::from("# Commands\n\nWhat `mesa --help` and `mesa COMMAND --help` say.\n\n");
    let general = mesa(&["--help"]);
    let _ = write!(out, "## mesa\n\n```text\n{}\n```\n\n", general.trim_end());
    for command in command_names(&general) {
        let help = mesa(&[&command, "--help"]);
        let _ = write!(out, "## mesa {command}\n\n```text\n{}\n```\n\n", help.trim_end());
    }
    out
}

/// The commands that the general help lists.
fn command_names(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|l| *l != "Commands:").skip(1);
    let list = list.take_while(|l| !l.is_empty());
    let names = list.filter_map(|l| l.strip_prefix("  ")).filter(|l| !l.starts_with(' '));
    let names: Vec<String> =
        names.filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.iter().any(|n| n == "check"), "the help lists commands:\n{help}");
    names
}
