//! Pictures of the program's output in documents.
//!
//! `<!-- mesa check docs/mistake.mesa -->` stands before a fenced block that holds exactly what
//! that command prints, run in the root of the repository.

use std::process::{Command, Stdio};

use crate::bless::{current, read, root};

/// What `mesa` prints, standard output and then standard error, without colour.
pub(crate) fn mesa(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesa"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "NO_GRAPHICS", "COLUMNS", "TERM"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// The document with every picture taken again.
fn taken_again(document: &str) -> (String, usize) {
    let mut out = String::new();
    let mut count = 0;
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        out += line;
        out.push('\n');
        let command = line.strip_prefix("<!-- mesa ").and_then(|l| l.strip_suffix(" -->"));
        let Some(command) = command else { continue };
        count += 1;
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "a fenced block follows `{line}`");
        assert!(lines.by_ref().any(|l| l == "```"), "the block after `{line}` is closed");
        let args: Vec<&str> = command.split(' ').collect();
        out += &format!("{fence}\n{}\n```\n", mesa(&args).trim_end());
    }
    (out, count)
}

fn hold(path: &str, at_least: usize) {
    let (text, count) = taken_again(&read(path));
    assert!(count >= at_least, "{path} has {count} pictures");
    current(path, &text);
}

#[test]
fn pictures_of_the_readme_are_current() {
    hold("README.md", 1);
}

#[test]
fn pictures_of_the_language_are_current() {
    hold("docs/language.md", 1);
}

#[test]
fn a_picture_is_taken_again() {
    let old = "a\n<!-- mesa --version -->\n```text\nold\n```\nb\n";
    let new = format!(
        "a\n<!-- mesa --version -->\n```text\nmesa {}\n```\nb\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(taken_again(old), (new, 1));
}
