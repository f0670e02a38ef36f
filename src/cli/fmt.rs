//! `mesa fmt`: files in the one layout.
//!
//! In: files. Out: the same files formatted, a diff, or only whether they are. A file with syntax
//! errors is left as it is, and its errors are printed.

use std::path::PathBuf;
use std::time::Duration;

use similar::TextDiff;

use super::input::{self, Entry};
use super::screen::Screen;
use super::{Outcome, output};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::miette::{Outer, narrate};
use crate::diagnostic::render::{self, render};
use crate::source::Sources;

const EXAMPLES: &str = "\
Examples:
  mesa fmt chat.mesa            rewrite the file
  mesa fmt specs                every .mesa file below specs/
  mesa fmt --check specs        change nothing; list what would change
  mesa fmt --diff specs         change nothing; show what would change
  mesa fmt - < chat.mesa        from standard input to standard output

Exit codes: 0 fine, 1 syntax errors, or with --check or --diff files that would change, 2 wrong
usage or a file that cannot be read or written.";

/// A diff that takes longer than this is made coarser.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bring files into the one layout
///
/// There is nothing to configure. Comments stay, meaning does not change, and formatting twice
/// gives what formatting once gave. A file is replaced whole or not at all; one with syntax errors
/// is left alone.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Files, directories (searched for *.mesa), or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; list the files that would change
    #[arg(long)]
    check: bool,
    /// Change nothing; show what would change
    #[arg(long)]
    diff: bool,
}

/// What became of the files.
#[derive(Default)]
struct Tally {
    changed: usize,
    unchanged: usize,
    failed: usize,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let loaded = input::load(&args.files)?;
    let mut tally = Tally { failed: loaded.findings.len(), ..Tally::default() };
    complain(screen, &loaded.sources, &loaded.findings);
    for entry in &loaded.files {
        let old = &*loaded.sources.file(entry.id).text;
        match crate::syntax::format::format(old, entry.id) {
            Ok(new) => {
                let is_changed = new != old;
                tally.changed += usize::from(is_changed);
                tally.unchanged += usize::from(!is_changed);
                finish(args, screen, &loaded.sources, entry, &new)?;
            }
            Err(findings) => {
                tally.failed += 1;
                complain(screen, &loaded.sources, &findings);
            }
        }
    }
    if loaded.files.iter().any(|f| f.path.is_some()) && !args.diff {
        screen.complain(&tally.line(args.check));
    }
    let dry = args.check || args.diff;
    let is_fine = tally.failed == 0 && !(dry && tally.changed > 0);
    Ok(if is_fine { Outcome::Fine } else { Outcome::Findings })
}

/// Writes, prints, compares or lists one formatted file.
fn finish(
    args: &Args,
    screen: &Screen,
    sources: &Sources,
    entry: &Entry,
    new: &str,
) -> Result<(), Outer> {
    let file = sources.file(entry.id);
    let is_changed = *file.text != *new;
    if args.diff {
        return screen.print(&diff(&file.name, &file.text, new, screen.out_color));
    }
    match &entry.path {
        _ if args.check && is_changed => screen.print(&format!("{}\n", file.name)),
        _ if args.check => Ok(()),
        None => screen.print(new),
        Some(path) if is_changed => output::replace(path, new),
        Some(_) => Ok(()),
    }
}

fn complain(screen: &Screen, sources: &Sources, findings: &[Diagnostic]) {
    let text = if screen.narrate {
        narrate(sources, findings)
    } else {
        render(render::Format::Text, sources, findings, &screen.error_options())
    };
    screen.complain(&text);
}

/// A unified diff; empty where nothing changes.
fn diff(name: &str, old: &str, new: &str, color: bool) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let (before, after) = (format!("{name} (as it is)"), format!("{name} (formatted)"));
    let text = diff.unified_diff().context_radius(3).header(&before, &after).to_string();
    if !color {
        return text;
    }
    text.split_inclusive('\n').map(paint).collect()
}

/// A line of a diff in its colour.
fn paint(line: &str) -> String {
    let escape = match line.as_bytes().first() {
        _ if line.starts_with("--- ") || line.starts_with("+++ ") => "\x1b[1m",
        Some(b'-') => "\x1b[31m",
        Some(b'+') => "\x1b[32m",
        Some(b'@') => "\x1b[36m",
        _ => return line.to_owned(),
    };
    let body = line.trim_end_matches('\n');
    let end = line.get(body.len()..).unwrap_or("");
    format!("{escape}{body}\x1b[0m{end}")
}

impl Tally {
    fn line(&self, check: bool) -> String {
        let verb = if check { "would change" } else { "formatted" };
        let mut parts = Vec::new();
        for (count, what) in [
            (self.changed, verb),
            (self.unchanged, "already in shape"),
            (self.failed, "left alone because of errors"),
        ] {
            if count > 0 {
                let files = if count == 1 { "file" } else { "files" };
                parts.push(format!("{count} {files} {what}"));
            }
        }
        parts.join(", ") + "\n"
    }
}
