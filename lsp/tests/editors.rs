//! Real editors with the real server: what a person sees in them.
//!
//! An editor that is not installed is passed over, and said so. `MESA_NVIM` and `MESA_EMACS` name
//! others than those on the `PATH`, `MESA_LSP` another server than the one built here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The editor, if it is installed.
fn editor(variable: &str, program: &str) -> Option<String> {
    let program = std::env::var(variable).unwrap_or_else(|_| program.to_owned());
    let there = Command::new(&program).arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("skipped: there is no {program}");
    }
    there.then_some(program)
}

fn server() -> String {
    std::env::var("MESA_LSP").unwrap_or_else(|_| env!("CARGO_BIN_EXE_mesa-lsp").to_owned())
}

/// A fresh folder with one file, the home of an editor that was never used before.
fn workspace(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("home")).unwrap();
    std::fs::copy(here().join("tests/editors/chat.mesa"), folder.join("chat.mesa")).unwrap();
    folder
}

/// Runs to its end, within two minutes.
fn run(command: &mut Command, folder: &Path) {
    let server = server();
    let bin = Path::new(&server).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let log = std::fs::File::create(folder.join("editor.log")).unwrap();
    let mut child = command
        .current_dir(folder)
        .env("HOME", folder.join("home"))
        .env("XDG_CONFIG_HOME", folder.join("home"))
        .env("XDG_DATA_HOME", folder.join("home"))
        .env("XDG_STATE_HOME", folder.join("home"))
        .env("XDG_CACHE_HOME", folder.join("home"))
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("MESA_OUT", folder.join("out.txt"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(120) {
            let _ = child.kill();
            let _ = child.wait();
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The parts that the editor's script wrote, by name.
struct Seen {
    parts: BTreeMap<String, String>,
    folder: PathBuf,
}

impl Seen {
    fn read(folder: PathBuf) -> Self {
        let text = std::fs::read_to_string(folder.join("out.txt")).unwrap_or_default();
        let parts = text
            .split("## ")
            .skip(1)
            .map(|part| part.split_once('\n').unwrap_or((part, "")))
            .map(|(name, text)| (name.to_owned(), text.trim_end().to_owned()))
            .collect();
        let seen = Self { parts, folder };
        assert!(seen.parts.contains_key("done"), "the editor did not finish:\n{}", seen.all());
        seen
    }

    fn all(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("editor.log")).unwrap_or_default();
        let parts: String =
            self.parts.iter().map(|(name, text)| format!("## {name}\n{text}\n")).collect();
        format!("{parts}## what the editor said\n{log}")
    }

    #[track_caller]
    fn shows(&self, part: &str, wanted: &[&str]) {
        let text = self.parts.get(part).unwrap_or_else(|| panic!("no {part}:\n{}", self.all()));
        for wanted in wanted {
            assert!(text.contains(wanted), "{part} lacks {wanted:?}:\n{text}");
        }
    }
}

/// The file of the tests is the file of the document.
#[test]
fn the_file_to_try_is_the_one_that_was_tried() {
    let document = std::fs::read_to_string(here().join("../docs/editors.md")).unwrap();
    let file = std::fs::read_to_string(here().join("tests/editors/chat.mesa")).unwrap();
    assert!(document.contains(&format!("```mesa\n{file}```")));
}

/// What every editor must show.
fn shows_it_all(seen: &Seen) {
    seen.shows("diagnostics", &["E0501", "32 `heads` cannot be split evenly over tp = 6"]);
    seen.shows("mended", &["tp: 8"]);
    seen.shows("hover", &["Llama3_8B", "model"]);
    seen.shows("completion", &["heads", "ffn", "vocab"]);
    seen.shows("definition", &["mesa-std:", "Llama3_8B"]);
    seen.shows("format", &["  serve { batch = 32, prompt = 2048, output = 256 }"]);
}

/// Holds a picture in `docs/editors.md` to the screen; `MESA_BLESS=1` writes it. What Neovim says
/// below the windows differs between its versions, so it is left out.
fn picture(seen: &Seen, part: &str) {
    let below = |line: &&str| !line.starts_with("chat.mesa") && !line.contains("change; before");
    let screen = seen.parts[part].lines().filter(below);
    let shown: String =
        screen.map(|line| line.replacen('~', " ", 1).trim_end().to_owned() + "\n").collect();
    let shown = format!("{}\n", shown.trim_end());
    let path = here().join("../docs/editors.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let start = format!("<!-- picture: {part} -->\n```text\n");
    let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no picture {part}"));
    let (kept, after) = rest.split_at(rest.find("```").unwrap());
    if std::env::var_os("MESA_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{start}{shown}{after}")).unwrap();
    } else {
        assert_eq!(kept, shown, "docs/editors.md is not current; MESA_BLESS=1 writes it");
    }
}

fn neovim(program: &str, name: &str) -> Seen {
    let folder = workspace(name);
    let config = here().join("editors/neovim");
    let runtime = format!("set runtimepath^={}", config.display());
    let mut command = Command::new(program);
    command
        .args(["--clean", "--headless", "--cmd", &runtime, "--cmd", "filetype plugin indent on"])
        .args(["--cmd", "syntax on", "--cmd", "set columns=132 lines=34 noswapfile"])
        .args(["chat.mesa", "-S"])
        .arg(here().join("tests/editors/neovim.lua"));
    run(&mut command, &folder);
    Seen::read(folder)
}

#[test]
fn neovim_shows_mistakes_hovers_completions_the_library_and_a_live_report() {
    let Some(program) = editor("MESA_NVIM", "nvim") else { return };
    let seen = neovim(&program, "neovim");
    seen.shows("filetype", &["mesa // %s 2"]);
    shows_it_all(&seen);
    seen.shows(
        "screen with a mistake",
        &["cannot be split evenly over tp = 6", "plan   = Tp(tp: 6)"],
    );
    seen.shows("definition", &["modifiable false"]);
    seen.shows("report", &["chat  Llama3_8B on DGX_H100, plan Tp(tp: 8)", "ttft", "Phases"]);
    seen.shows("screen with the report", &["scenario chat {", "Latency and throughput"]);
    seen.shows("report that follows", &["batch 64"]);
    seen.shows("report of mistakes", &["chat has no figures until this is mended", "`nothing`"]);
    seen.shows("explain", &["chat.memory.weights = "]);
    picture(&seen, "screen with a mistake");
    picture(&seen, "screen with the report");
}

#[test]
fn emacs_shows_mistakes_hovers_completions_the_library_and_a_live_report() {
    let Some(program) = editor("MESA_EMACS", "emacs") else { return };
    let eglot = ["--batch", "-l", "package", "--eval", "(package-initialize)"];
    let has = Command::new(&program).args(eglot).args(["--eval", "(require 'eglot)"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {program} has no eglot");
        return;
    }
    let folder = workspace("emacs");
    let mut command = Command::new(&program);
    command.args(eglot).arg("-L").arg(here().join("editors/emacs"));
    command.arg("-l").arg(here().join("tests/editors/emacs.el"));
    run(&mut command, &folder);
    let seen = Seen::read(folder);
    seen.shows("filetype", &["mesa-mode //"]);
    shows_it_all(&seen);
    seen.shows("definition", &["read only t"]);
    seen.shows("report", &["chat  Llama3_8B on DGX_H100, plan Tp(tp: 8)", "ttft", "Phases"]);
    seen.shows("report that follows", &["batch 64"]);
    seen.shows("explain", &["chat.memory.weights = "]);
}
