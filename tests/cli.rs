//! The `mesa` command as a person runs it: arguments, files, exit codes, what goes where.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run gave.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// An empty directory of its own for one test.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
    fn mesa(&self, args: &[&str]) -> Run {
        self.mesa_with(args, "", &[])
    }
    fn mesa_with(&self, args: &[&str], stdin: &str, env: &[(&str, &str)]) -> Run {
        let mut command = mesa();
        command.args(args).current_dir(&self.0).envs(env.iter().copied());
        let mut child = command.spawn().unwrap();
        // a command that does not read may be gone already
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn mesa() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesa"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "NO_GRAPHICS", "COLUMNS", "TERM"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn help_texts() {
    let dir = Dir::new("help_texts");
    let mut all = String::new();
    let commands =
        ["", "check", "eval", "explain", "fmt", "graph", "new", "help", "completions", "man"];
    for command in commands {
        let args: Vec<&str> = [command, "--help"].into_iter().filter(|a| !a.is_empty()).collect();
        let run = dir.mesa(&args);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
        all += &format!("$ mesa {}\n{}\n", args.join(" "), run.out);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn wrong_usage_ends_with_two_and_help_with_zero() {
    let dir = Dir::new("usage");
    for args in [&["chekc"][..], &["check"], &["eval"], &["check", "--format", "xml", "a"], &[]] {
        let run = dir.mesa(args);
        assert_eq!(run.code, Some(2), "{args:?}");
        assert!(run.out.is_empty() && !run.err.is_empty(), "{args:?}");
    }
    assert!(dir.mesa(&["chekc"]).err.contains("'check'"), "a close command is suggested");
    let version = dir.mesa(&["--version"]);
    assert_eq!(version.out, format!("mesa {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(dir.mesa(&["-h"]).code, Some(0));
}

#[test]
fn pages_of_codes() {
    let dir = Dir::new("pages");
    let page = dir.mesa(&["help", "e0301"]);
    assert_eq!(page.code, Some(0));
    insta::assert_snapshot!(page.out);
    let painted = dir.mesa(&["--color", "always", "help", "E0301"]).out;
    assert!(painted.contains("\x1b[1;31mWrong:\x1b[0m"));
    let codes = dir.mesa(&["help", "codes"]).out;
    assert_eq!(codes.lines().count(), mesa::diagnostic::codes::ALL.len());
    assert_eq!(dir.mesa(&["help", "fmt"]).out, dir.mesa(&["fmt", "--help"]).out);
    assert_eq!(dir.mesa(&["help"]).out, dir.mesa(&["--help"]).out);
    let unknown = dir.mesa(&["help", "E0321"]);
    assert_eq!(unknown.code, Some(2));
    insta::assert_snapshot!(unknown.err);
}

#[test]
fn unreadable_files() {
    let dir = Dir::new("unreadable");
    dir.write("binary.mesa", b"const a = 1\n\x89PNG\r\n");
    dir.write("empty/notes.txt", "nothing here");
    let mut all = String::new();
    for args in [
        &["check", "chta.mesa"][..],
        &["--narrate", "check", "chta.mesa"],
        &["check", "binary.mesa"],
        &["check", "--format", "short", "binary.mesa"],
        &["fmt", "binary.mesa"],
        &["check", "empty"],
    ] {
        let run = dir.mesa(args);
        let (code, args) = (run.code.unwrap(), args.join(" "));
        all += &format!("$ mesa {args}\n{}{}exit code {code}\n\n", run.out, run.err);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_file_that_is_far_too_large_is_not_read() {
    let dir = Dir::new("large");
    let file = fs::File::create(dir.0.join("large.mesa")).unwrap();
    file.set_len(70_000_000).unwrap();
    let run = dir.mesa(&["check", "--format", "short", "large.mesa"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(run.out, "large.mesa:1:1: error[E0002]: `large.mesa` is larger than Mesa reads\n");
}

#[cfg(unix)]
#[test]
fn an_endless_file_ends() {
    let dir = Dir::new("endless");
    let run = dir.mesa(&["check", "--format", "short", "/dev/zero"]);
    assert!(run.out.contains("E0002"), "{}", run.out);
}

#[test]
fn an_expression_names_the_library_without_a_file() {
    let dir = Dir::new("expression");
    let value = |text: &str| dir.mesa(&["eval", "-e", text]);
    let plain = value("H100_SXM.memory.hbm.bandwidth").out;
    assert_eq!(plain, "3.35 TB/s  (3350000000000 B/s)\n");
    for path in ["std.chips.H100_SXM", "std.chips.nvidia_hbm.H100_SXM"] {
        assert_eq!(value(&format!("{path}.memory.hbm.bandwidth")).out, plain, "{path}");
    }
    assert!(value("context_first(128, 8) == 129").out.contains("true"));
    let wrong = ["H100_SMX.price", "std.chip.H100_SXM", "tpot", "std.chips"].map(|text| {
        let run = value(text);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{text}");
        run.err
    });
    insta::assert_snapshot!(wrong.join("\n"));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let dir = Dir::new("colours");
    let is_colored = |args: &[&str], env: &[(&str, &str)]| {
        let run = dir.mesa_with(args, "", env);
        (run.out + &run.err).contains('\x1b')
    };
    let page = ["help", "E0101"];
    assert!(!is_colored(&page, &[]), "no terminal");
    assert!(is_colored(&page, &[("CLICOLOR_FORCE", "1")]));
    assert!(!is_colored(&page, &[("CLICOLOR_FORCE", "0")]));
    assert!(!is_colored(&page, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(is_colored(&["help", "E0101", "--color=always"], &[("NO_COLOR", "1")]));
    assert!(!is_colored(&["help", "E0101", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(is_colored(&["check", "nowhere.mesa", "--color", "always"], &[]), "errors too");
    assert!(is_colored(&["chekc", "--color", "always"], &[]), "clap's own messages too");
    assert!(!is_colored(&["chekc", "--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    for args in [&["help", "codes"][..], &["completions", "zsh"], &["--help"]] {
        let mut child = mesa().args(args).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{args:?}");
    }
}

const MESSY: &str = "const a = 1   \nconst b = 2\n\n\n";
const TIDY: &str = "const a = 1\nconst b = 2\n";

#[test]
fn fmt_rewrites_files_in_place() {
    let dir = Dir::new("fmt_in_place");
    dir.write("b.mesa", MESSY);
    dir.write("a/tidy.mesa", TIDY);
    dir.write("a/.hidden/messy.mesa", MESSY);
    dir.write("notes.txt", MESSY);
    let run = dir.mesa(&["fmt", "."]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), ""));
    assert_eq!(run.err, "1 file formatted, 1 file already in shape\n");
    assert_eq!(dir.read("b.mesa"), TIDY);
    assert_eq!(dir.read("a/.hidden/messy.mesa"), MESSY, "hidden directories are passed over");
    assert_eq!(dir.read("notes.txt"), MESSY);
    assert_eq!(dir.names(), ["a", "b.mesa", "notes.txt"], "no temporary file is left");
}

#[test]
fn fmt_check_and_diff_change_nothing() {
    let dir = Dir::new("fmt_dry");
    dir.write("z.mesa", MESSY);
    dir.write("a.mesa", MESSY);
    dir.write("tidy.mesa", TIDY);
    let check = dir.mesa(&["fmt", "--check", "."]);
    assert_eq!(check.code, Some(1));
    assert_eq!(check.out.replace('\\', "/"), "./a.mesa\n./z.mesa\n", "sorted");
    assert_eq!(check.err, "2 files would change, 1 file already in shape\n");
    let diff = dir.mesa(&["fmt", "--diff", "a.mesa", "tidy.mesa", "a.mesa"]);
    assert_eq!(diff.code, Some(1));
    insta::assert_snapshot!(diff.out);
    assert_eq!(dir.read("a.mesa"), MESSY);
    assert_eq!(dir.mesa(&["fmt", "--check", "tidy.mesa"]).code, Some(0));
}

#[test]
fn fmt_reads_standard_input() {
    let dir = Dir::new("fmt_stdin");
    let run = dir.mesa_with(&["fmt", "-"], MESSY, &[]);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), TIDY, ""));
    let check = dir.mesa_with(&["fmt", "--check", "-"], MESSY, &[]);
    assert_eq!((check.code, check.out.as_str()), (Some(1), "<stdin>\n"));
}

#[cfg(unix)]
#[test]
fn fmt_keeps_permissions_and_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = Dir::new("fmt_permissions");
    dir.write("real/a.mesa", MESSY);
    let mode = |name: &str| fs::metadata(dir.0.join(name)).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(dir.0.join("real/a.mesa"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/a.mesa", dir.0.join("link.mesa")).unwrap();
    assert_eq!(dir.mesa(&["fmt", "link.mesa"]).code, Some(0));
    assert_eq!(dir.read("real/a.mesa"), TIDY);
    assert_eq!(mode("real/a.mesa"), 0o640);
    assert!(fs::symlink_metadata(dir.0.join("link.mesa")).unwrap().is_symlink());

    dir.write("fixed.mesa", MESSY);
    fs::set_permissions(dir.0.join("fixed.mesa"), fs::Permissions::from_mode(0o444)).unwrap();
    let run = dir.mesa(&["fmt", "fixed.mesa"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("read-only"), "{}", run.err);
    assert_eq!(dir.read("fixed.mesa"), MESSY);
}

#[test]
fn new_writes_a_starter_and_refuses_a_full_directory() {
    let dir = Dir::new("new");
    let run = dir.mesa(&["new", "chat"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert!(run.out.contains("mesa eval"));
    let starter = dir.read("chat/main.mesa");
    assert!(starter.contains("scenario chat {"));
    let again = dir.mesa(&["new", "chat"]);
    assert_eq!(again.code, Some(2));
    insta::assert_snapshot!(again.err);
    assert_eq!(dir.read("chat/main.mesa"), starter);
    dir.write("file", "");
    assert_eq!(dir.mesa(&["new", "file"]).code, Some(2));
}

#[test]
fn completions_and_man_pages() {
    let dir = Dir::new("man");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = dir.mesa(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{shell}");
        assert!(script.out.contains("explain"), "{shell}");
    }
    let page = dir.mesa(&["man"]);
    assert!(page.out.contains(".TH mesa 1"));
    assert_eq!(dir.mesa(&["man", "--dir", "pages"]).code, Some(0));
    let pages = fs::read_dir(dir.0.join("pages")).unwrap().count();
    assert_eq!(pages, 15, "one for mesa and one for each command");
}

#[test]
fn a_change_without_a_value_is_wrong_usage() {
    let dir = Dir::new("no_value");
    dir.write("a.mesa", TIDY);
    let set = dir.mesa(&["eval", "a.mesa", "--set", "batch"]);
    assert_eq!(set.code, Some(2));
    assert!(set.err.contains("batch=64"), "{}", set.err);
}
