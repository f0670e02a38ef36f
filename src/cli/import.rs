//! `mesa import`: a model from a `config.json` of Hugging Face.
//!
//! In: a config, a folder with one, or standard input. Out: a new `.mesa` file, or the model on
//! standard output; findings on standard error. A file that exists is left alone unless asked.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::input::{self, STDIN, shown};
use super::screen::Screen;
use super::{Outcome, output};
use crate::diagnostic::miette::{Outer, narrate};
use crate::diagnostic::render::{self, render};
use crate::import::update::update;
use crate::import::{Imported, import_with};

const EXAMPLES: &str = "\
Examples:
  mesa import Llama-3.1-8B                 write Llama_3_1_8B.mesa from Llama-3.1-8B/config.json
  mesa import config.json --print          show the model and write nothing
  mesa import config.json -o mine.mesa     write it there
  mesa import config.json --update         bring a file of before up to the config
  curl -sL URL | mesa import - > m.mesa    from standard input to standard output

Exit codes: 0 fine, 1 a config that cannot be imported, 2 wrong usage or a file that cannot be read
or written.";

/// Write a model from a config of Hugging Face
///
/// Reads the `config.json` of a repository and writes the model as a spec to read and edit: the
/// block of the library with its parameters, each with the key that it is from. Without -o the
/// file is named after the model and lies in the current directory. What is missing, contradictory
/// or not understood is reported, never guessed; no code of a repository is run.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A config.json, a folder that holds one, or - for standard input
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Write the model to standard output (as with -)
    #[arg(long, conflicts_with = "output")]
    print: bool,
    /// Write the model to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// Bring a file that was imported before up to the config; what was edited by hand stays
    #[arg(long, conflicts_with_all = ["force", "print"])]
    update: bool,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let path = config_of(&args.path)?;
    let paths: Vec<PathBuf> = [path.clone()].into_iter().chain(beside(&path)).collect();
    let loaded = input::load(&paths)?;
    let text_of = |id| &*loaded.sources.file(id).text;
    let imported = match loaded.files.first() {
        Some(entry) => {
            let beside = loaded.files.get(1).map(|beside| (text_of(beside.id), beside.id));
            import_with(text_of(entry.id), entry.id, beside, &title_of(&path))
        }
        None => Imported { findings: loaded.findings.clone(), ..Imported::default() },
    };
    let text = if screen.narrate {
        narrate(&loaded.sources, &imported.findings)
    } else {
        let options = screen.error_options();
        render(render::Format::Text, &loaded.sources, &imported.findings, &options)
    };
    screen.complain(&text);
    let Some(model) = imported.text else { return Ok(Outcome::Findings) };
    let is_stdin = path.as_os_str() == "-";
    if args.print || (is_stdin && args.output.is_none()) {
        screen.print(&model)?;
        return Ok(Outcome::Fine);
    }
    let target = match &args.output {
        Some(path) => path.clone(),
        None => PathBuf::from(format!("{}.mesa", imported.name)),
    };
    if args.update && target.exists() {
        return renew(&target, &model, screen);
    }
    save(&target, &model, args.force)?;
    let name = shown(&target);
    screen.print(&format!("Wrote {name}: model {}. Next: mesa check {name}\n", imported.name))?;
    Ok(Outcome::Fine)
}

/// Brings a file up to what import says now, and says what changed.
fn renew(path: &Path, model: &str, screen: &Screen) -> Result<Outcome, Outer> {
    let name = shown(path);
    let old = fs::read_to_string(path)
        .map_err(|e| Outer::new(format!("`{name}` cannot be read")).cause(e))?;
    let Some(updated) = update(&old, model) else {
        return Err(Outer::new(format!("`{name}` holds no model to bring up to date"))
            .help("replace it with --force, or write elsewhere with -o FILE"));
    };
    for change in &updated.changes {
        screen.print(&format!("{change}\n"))?;
    }
    if updated.text == old {
        screen.print(&format!("{name} is up to date\n"))?;
        return Ok(Outcome::Fine);
    }
    output::replace(path, &updated.text)?;
    screen.print(&format!("Updated {name}. Next: mesa check {name}\n"))?;
    Ok(Outcome::Fine)
}

/// The config that a path means.
fn config_of(path: &Path) -> Result<PathBuf, Outer> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let config = path.join("config.json");
    if config.is_file() {
        return Ok(config);
    }
    Err(Outer::new(format!("there is no `config.json` in `{}`", shown(path)))
        .help("name the folder of a repository as it was downloaded"))
}

/// The file beside a config that says how weights are stored.
fn beside(config: &Path) -> Option<PathBuf> {
    let beside = config.with_file_name("hf_quant_config.json");
    let is_there = config.file_name().is_some_and(|n| n == "config.json") && beside.is_file();
    is_there.then_some(beside)
}

/// What a model from this file is called: after its folder, or after the file itself.
fn title_of(path: &Path) -> String {
    let name = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
    if path.as_os_str() == "-" {
        return STDIN.trim_matches(['<', '>']).to_owned();
    }
    if path.file_name().is_some_and(|n| n != "config.json") {
        return name(path.file_stem()).unwrap_or_default();
    }
    let folder = fs::canonicalize(path).ok();
    let folder = folder.as_deref().and_then(Path::parent);
    name(folder.and_then(Path::file_name)).unwrap_or_default()
}

fn save(path: &Path, text: &str, force: bool) -> Result<(), Outer> {
    match fs::File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(|e| cannot_write(path, e)),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(cannot_write(path, error))
        }
        Err(_) if force => output::replace(path, text),
        Err(_) => Err(Outer::new(format!("`{}` exists already", shown(path)))
            .help("write elsewhere with -o FILE, or replace it with --force")),
    }
}

fn cannot_write(path: &Path, error: io::Error) -> Outer {
    Outer::new(format!("`{}` cannot be written", shown(path))).cause(error)
}
