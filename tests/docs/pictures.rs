//! Pictures of the program's output in documents.
//!
//! `<!-- mesa check docs/mistake.mesa -->` stands before a fenced block that holds that command and
//! exactly what it prints, run in the root of the repository. Quotes keep blanks in an argument.

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
        let printed = mesa(&arguments(command));
        out += &format!("{fence}\n$ mesa {command}\n{}\n```\n", printed.trim_end());
    }
    (out, count)
}

/// The arguments of a command as a shell would cut it.
fn arguments(command: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    for (i, part) in command.split('\'').enumerate() {
        match i % 2 {
            1 => arguments.push(part),
            _ => arguments.extend(part.split_whitespace()),
        }
    }
    arguments
}

fn hold(path: &str, at_least: usize) {
    let (text, count) = taken_again(&read(path));
    assert!(count >= at_least, "{path} has {count} pictures");
    current(path, &text);
}

#[test]
fn pictures_of_the_readme_are_current() {
    hold("README.md", 3);
}

#[test]
fn pictures_of_the_language_are_current() {
    hold("docs/language.md", 5);
}

#[test]
fn a_picture_is_taken_again() {
    let old = "a\n<!-- mesa --version -->\n```console\nold\n```\nb\n";
    let new = format!(
        "a\n<!-- mesa --version -->\n```console\n$ mesa --version\nmesa {}\n```\nb\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(taken_again(old), (new, 1));
    assert_eq!(arguments("eval -e '2 GB / (1 s)' x"), ["eval", "-e", "2 GB / (1 s)", "x"]);
}
