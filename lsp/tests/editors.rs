//! Real editors with the real server: what a person sees in them.
//!
//! An editor that is not installed is passed over, and said so. `MESA_NVIM`, `MESA_EMACS` and
//! `MESA_HX` name others than those on the `PATH`, `MESA_LSP` another server than the one built
//! here. Helix has no mode without a screen: it also needs `tmux`, which gives it one, and a C
//! compiler for the parser, as a user does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "editors/terminal.rs"]
mod terminal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use terminal::Terminal;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The editor, if it is installed.
fn editor(variable: &str, program: &str) -> Option<String> {
    let program = std::env::var(variable).unwrap_or_else(|_| program.to_owned());
    has(&program, "--version").then_some(program)
}

fn has(program: &str, flag: &str) -> bool {
    let there = Command::new(program).arg(flag).output().is_ok_and(|o| o.status.success());
    if !there {
        eprintln!("skipped: there is no {program}");
    }
    there
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

/// The environment of someone who never used an editor, with the server on the `PATH`.
fn variables(folder: &Path) -> Vec<(&'static str, String)> {
    let server = server();
    let bin = Path::new(&server).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut all = vec![("PATH", format!("{}:{path}", bin.display()))];
    let homes = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"];
    all.extend(homes.map(|name| (name, folder.join("home").display().to_string())));
    all
}

/// Runs to its end, within two minutes.
fn run(command: &mut Command, folder: &Path) {
    let log = std::fs::File::create(folder.join("editor.log")).unwrap();
    let mut child = command
        .current_dir(folder)
        .envs(variables(folder))
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
    seen.shows("definition", &["models/llama.mesa", "Llama3_8B"]);
    seen.shows("format", &["  serve { batch = 32, prompt = 2048, output = 256 }"]);
}

/// Holds a picture in `docs/editors.md` to the screen; `MESA_BLESS=1` writes it. What editors say
/// below the windows differs between their versions, so it is left out.
fn picture(part: &str, screen: &str) {
    let said = ["change; before", " NOR ", "Loaded 1 file"];
    let below = |line: &&str| {
        !line.starts_with("chat.mesa") && !said.iter().any(|said| line.contains(said))
    };
    let screen = screen.lines().filter(below);
    let shown: String =
        screen.map(|line| line.replacen('~', " ", 1).trim_end().to_owned() + "\n").collect();
    let shown = format!("{}\n", shown.trim_end());
    // One picture is written at a time.
    static BOOK: Mutex<()> = Mutex::new(());
    let _book = BOOK.lock();
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
    seen.shows("definition", &["mesa-std:", "modifiable false"]);
    // From 0.10 on.
    if seen.parts.contains_key("hints") {
        seen.shows("hints", &["64 × all-reduce", "89.2%, 79.2 points above"]);
        seen.shows("hover in the library", &["model Llama3_8B = Llama("]);
        assert_eq!(seen.parts["servers"], "1");
    }
    seen.shows("report", &["chat  Llama3_8B on DGX_H100, plan Tp(tp: 8)", "ttft", "Phases"]);
    seen.shows("screen with the report", &["scenario chat {", "Latency and throughput"]);
    seen.shows("report that follows", &["batch 64"]);
    seen.shows("report of mistakes", &["chat has no figures until this is mended", "`nothing`"]);
    seen.shows("explain", &["chat.memory.weights = "]);
    for part in ["screen with a mistake", "screen with the report"] {
        picture(part, &seen.parts[part]);
    }
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
    seen.shows("definition", &["home/mesa/", "std/models/llama.mesa", "read only t"]);
    seen.shows("report", &["chat  Llama3_8B on DGX_H100, plan Tp(tp: 8)", "ttft", "Phases"]);
    seen.shows("report that follows", &["batch 64"]);
    seen.shows("explain", &["chat.memory.weights = "]);
}

/// Helix as `docs/editors.md` sets it up, with the file to try open.
fn helix(program: &str) -> Terminal {
    let folder = workspace("helix");
    let (ours, theirs) = (here().join("editors/helix"), folder.join("home/helix"));
    for below in ["runtime/queries/mesa", "runtime/grammars"] {
        std::fs::create_dir_all(theirs.join(below)).unwrap();
    }
    for file in ["config.toml", "languages.toml"] {
        std::fs::copy(ours.join(file), theirs.join(file)).unwrap();
    }
    for query in std::fs::read_dir(ours.join("queries/mesa")).unwrap() {
        let query = query.unwrap();
        let to = theirs.join("runtime/queries/mesa").join(query.file_name());
        std::fs::copy(query.path(), to).unwrap();
    }
    let grammar = here().join("../grammar/tree-sitter-mesa/src");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-shared", "-fPIC", "-I"]).arg(&grammar).arg("-o");
    cc.arg(theirs.join("runtime/grammars/mesa.so"));
    cc.args(["parser.c", "scanner.c"].map(|file| grammar.join(file)));
    assert!(cc.status().unwrap().success());
    Terminal::start(&folder, &variables(&folder), &[program, "chat.mesa"])
}

/// The colour of the first place of a word on a screen.
fn colour<'a>(screen: &'a str, word: &str) -> &'a str {
    let at = screen.find(word).unwrap_or_else(|| panic!("no {word}:\n{screen}"));
    let before = screen[..at].rsplit("\u{1b}[38;").next().unwrap();
    before.split('m').next().unwrap()
}

#[test]
fn helix_shows_mistakes_hovers_completions_the_library_and_figures_in_the_text() {
    let Some(program) = editor("MESA_HX", "hx") else { return };
    if !has("tmux", "-V") {
        return;
    }
    let helix = helix(&program);

    // Mistakes as they are made, at their line and in a list.
    let screen = helix.shows(&["shard heads, ffn over tp", "cannot be split evenly over tp = 6"]);
    picture("Helix with a mistake", &screen);
    helix.types(" d");
    helix.shows(&["E0501", "32 `heads` cannot be split"]);
    helix.presses("Escape");
    helix.until("the list closed", |screen| !screen.contains("E0501"));

    // A fix from a list; figures stand in the text when it is mended.
    helix.types("7G a");
    helix.shows(&["Write 8 in line 13"]);
    helix.presses("Enter");
    helix.shows(&["Tp(tp: 8)", "points above", "64 × all-reduce"]);

    // What a name is, and what a result is and comes from.
    helix.types("11Gf_ k");
    helix.shows(&["model Llama3_8B = Llama(", "Meta Llama 3.1 8B, config.json"]);
    helix.presses("Escape");
    helix.types("15Gfh k");
    let screen = helix.shows(&["in chat: 89.2% = ", "datasheet"]);
    picture("Helix with figures", &screen);
    helix.presses("Escape");
    helix.until("the hover closed", |screen| !screen.contains("datasheet"));

    // Completion as it is typed, with steps of indentation.
    helix.types("6Goshard ");
    helix.shows(&["7    shard ", "head_dim      variable", "heads         variable"]);
    helix.presses("Escape");
    helix.until("the list closed", |screen| !screen.contains("variable"));
    helix.presses("Escape");
    helix.shows(&[" NOR "]);
    helix.types("u");
    helix.until("it undone", |screen| screen.matches("shard").count() == 1);

    // The library: a file that cannot be written.
    helix.types("11Gf_gd");
    let copy = concat!("home/mesa/", env!("CARGO_PKG_VERSION"), "/std/models/llama.mesa");
    helix.shows(&["model Llama3_8B = Llama(", copy]);
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helix").join(copy);
    assert!(std::fs::metadata(copy).unwrap().permissions().readonly());
    helix.presses("C-o");
    helix.shows(&["scenario chat {"]);

    // Renaming, formatting, symbols.
    helix.types("5GfT r");
    helix.shows(&["rename-to"]);
    helix.presses("C-u");
    helix.types("Split");
    helix.presses("Enter");
    helix.shows(&["plan Split(tp: Count = 8)", "plan   = Split(tp: 8)"]);
    helix.types("14Gf=a   ");
    helix.presses("Escape");
    helix.shows(&[" NOR ", "batch =    32"]);
    helix.types(":format");
    helix.presses("Enter");
    helix.shows(&["  serve { batch = 32, prompt = 2048, output = 256 }"]);
    helix.types(" s");
    helix.shows(&["kind", "> ", "Split"]);
    helix.presses("Escape");
    helix.until("the list closed", |screen| !screen.contains("kind"));

    // The parser: colours, and what the keys for parts select.
    let screen = helix.coloured();
    assert_eq!(colour(&screen, "use"), colour(&screen, "scenario"));
    assert_ne!(colour(&screen, "scenario"), colour(&screen, "chat"));
    assert_ne!(colour(&screen, "2048"), colour(&screen, "prompt"));
    helix.types("14Gfbmafd");
    helix.until("the section gone", |screen| !screen.contains("serve"));
    helix.types("ummfbmatd");
    helix.until("the scenario gone", |screen| !screen.contains("scenario chat"));
    helix.types("u:q!");
    helix.presses("Enter");
}
