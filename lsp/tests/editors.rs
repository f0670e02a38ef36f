//! Real editors with the real server: what a person sees in them.
//!
//! An editor that is not installed is passed over, and said so. `MESA_NVIM` and `MESA_EMACS` name
//! others than those on the `PATH`.

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
    let bin = Path::new(env!("CARGO_BIN_EXE_mesa-lsp")).parent().unwrap();
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
        if started.elapsed() > Duration::from_mins(2) {
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

/// What every editor must show.
fn shows_it_all(seen: &Seen) {
    seen.shows("diagnostics", &["E0501", "32 `heads` cannot be split evenly over tp = 6"]);
    seen.shows("mended", &["tp: 8"]);
    seen.shows("hover", &["Llama3_8B", "model"]);
    seen.shows("completion", &["heads", "ffn", "vocab"]);
    seen.shows("definition", &["mesa-std:", "Llama3_8B"]);
    seen.shows("format", &["  serve { batch = 32, prompt = 2048, output = 256 }"]);
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
    seen.shows("screen with a mistake", &["32 `heads` cannot be split", "plan   = Tp(tp: 6)"]);
    seen.shows("definition", &["modifiable false"]);
    seen.shows("report", &["chat  Llama3_8B on DGX_H100, plan Tp(tp: 8)", "ttft", "Phases"]);
    seen.shows("screen with the report", &["scenario chat {", "Latency and throughput"]);
    seen.shows("report that follows", &["batch 64"]);
    seen.shows("explain", &["chat.memory.weights = "]);
}
