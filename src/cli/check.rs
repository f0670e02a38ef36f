//! `mesa check`: findings, or a line that says what was checked.
//!
//! In: files. Out: findings on standard output in the format asked for; with `--fix`, the files
//! with all safe edits made.

use std::path::PathBuf;

use clap::ValueEnum;

use super::input::{self, Loaded};
use super::screen::Screen;
use super::{Outcome, output};
use crate::diagnostic::miette::{Outer, narrate};
use crate::diagnostic::render::{self, render};
use crate::diagnostic::{Diagnostic, Safety, Severity, fix, sort};

const EXAMPLES: &str = "\
Examples:
  mesa check chat.mesa              one file
  mesa check specs                  every .mesa file below specs/
  mesa check --fix specs            make the edits that are safe, then check
  mesa check --format short specs   one line for each finding
  mesa check - < chat.mesa          standard input

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 wrong usage or a file that cannot be
read. `mesa help CODE` says what a code means.";

/// Rounds of fixing: each may free a fix that had to wait for another.
const ROUNDS: usize = 10;

/// Look for mistakes
///
/// Checks names, dimensions, shapes, plans and everything that the files expect to hold. All
/// findings are reported, in source order, each with every place involved.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Files, directories (searched for *.mesa), or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Make the edits that are safe, and report what is left
    #[arg(long)]
    fix: bool,
}

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people: the lines in question, drawn
    Text,
    /// One line for each finding
    Short,
    /// For programs, versioned
    Json,
    /// For code scanning, SARIF 2.1.0
    Sarif,
    /// For GitHub Actions, as annotations
    Github,
}

impl From<Format> for render::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Short => Self::Short,
            Format::Json => Self::Json,
            Format::Sarif => Self::Sarif,
            Format::Github => Self::Github,
        }
    }
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let mut loaded = input::load(&args.files)?;
    let mut findings = findings(&mut loaded)?;
    if args.fix {
        findings = mend(&mut loaded, findings, &args.files)?;
    }
    show(args, screen, &loaded, &findings)?;
    let is_error = findings.iter().any(|d| d.severity == Severity::Error);
    Ok(if is_error { Outcome::Findings } else { Outcome::Fine })
}

fn findings(loaded: &mut Loaded) -> Result<Vec<Diagnostic>, Outer> {
    let mut findings = std::mem::take(&mut loaded.findings);
    if !loaded.files.is_empty() {
        findings.extend(analyze(loaded));
    }
    sort(&mut findings);
    Ok(findings)
}

/// Everything the compiler finds in the files; the sources of imported modules are added.
fn analyze(loaded: &mut Loaded) -> Vec<Diagnostic> {
    let mut program = loaded.program();
    let findings = crate::check(&program);
    loaded.sources = std::mem::take(&mut program.sources);
    // The process ends soon: what was parsed need not be taken apart before.
    std::mem::forget(program);
    findings
}

/// Makes safe edits until none is left; what remains is returned.
fn mend(
    loaded: &mut Loaded,
    mut findings: Vec<Diagnostic>,
    files: &[PathBuf],
) -> Result<Vec<Diagnostic>, Outer> {
    if loaded.files.iter().any(|f| f.path.is_none()) {
        return Err(Outer::new("`--fix` cannot edit standard input").help("name a file instead"));
    }
    for _ in 0..ROUNDS {
        let fixed = fix::apply(&loaded.sources, &findings);
        let mut wrote = false;
        for entry in &loaded.files {
            if let (Some(path), Some(text)) = (&entry.path, fixed.texts.get(&entry.id)) {
                output::replace(path, text)?;
                wrote = true;
            }
        }
        if !wrote {
            break;
        }
        *loaded = input::load(files)?;
        findings = self::findings(loaded)?;
    }
    Ok(findings)
}

fn show(
    args: &Args,
    screen: &Screen,
    loaded: &Loaded,
    findings: &[Diagnostic],
) -> Result<(), Outer> {
    let sources = &loaded.sources;
    if args.format != Format::Text {
        return screen.print(&render(args.format.into(), sources, findings, &screen.options()));
    }
    let drawn = if screen.narrate {
        narrate(sources, findings)
    } else {
        render(render::Format::Text, sources, findings, &screen.options())
    };
    screen.print(&(drawn + &summary(loaded.count, findings)))
}

/// The last line: how many findings in how many files, and where to read on.
fn summary(files: usize, findings: &[Diagnostic]) -> String {
    let files = counted(files, "file");
    if findings.is_empty() {
        return format!("Checked {files}: no findings.\n");
    }
    let count = |severity| findings.iter().filter(|d| d.severity == severity).count();
    let kinds =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts: Vec<String> = kinds
        .into_iter()
        .filter(|(severity, _)| count(*severity) > 0)
        .map(|(severity, word)| counted(count(severity), word))
        .collect();
    let mut line = format!("Checked {files}: {}.", counts.join(", "));
    let safe = |d: &&Diagnostic| d.fixes.iter().any(|f| f.safety == Safety::Safe);
    match findings.iter().filter(safe).count() {
        0 => {}
        1 => line += " `mesa check --fix` mends 1 of them.",
        n => line += &format!(" `mesa check --fix` mends {n} of them."),
    }
    if let Some(first) = findings.iter().min_by_key(|d| d.severity) {
        line += &format!(" `mesa help {}` says more.", first.code.id());
    }
    line + "\n"
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;
    use crate::source::{FileId, Place, Span};

    #[test]
    fn the_summary_counts() {
        let place = Place { file: FileId(0), span: Span::new(0, 1) };
        let error = Diagnostic::new(codes::UNKNOWN_NAME, "t", place, "l");
        let warning = Diagnostic::new(codes::UNUSED_IMPORT, "t", place, "l");
        let mended = warning.clone().fix("do", place, "", Safety::Safe);
        assert_eq!(summary(2, &[]), "Checked 2 files: no findings.\n");
        assert_eq!(
            summary(1, &[mended, error.clone(), warning, error]),
            "Checked 1 file: 2 errors, 2 warnings. `mesa check --fix` mends 1 of them. \
             `mesa help E0201` says more.\n"
        );
    }
}
