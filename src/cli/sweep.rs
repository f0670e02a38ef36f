//! `mesa sweep`: a scenario at many points.
//!
//! In: a file and the name of a sweep in it, or parts to merge. Out: the best points and what became
//! of the others, or all points as they come (`sweep/rows.rs`).

mod rows;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;

use super::overrides::Overrides;
use super::screen::Screen;
use super::{Outcome, eval, input};
use crate::diagnostic::miette::Outer;
use crate::report::Look;
use crate::report::sweep::parquet::{Kind, Values, Writer as Parquet};
use crate::report::sweep::rows::{Rows, summary_rows};
use crate::report::sweep::{self as written, Summary};
use crate::sweep::{Compiler, Options, Part, Progress, Ran, Sample, Space, Stop, define, run};

const EXAMPLES: &str = "\
Examples:
  mesa sweep plan.mesa cheapest                     the best points, as a table
  mesa sweep plan.mesa --format html -o plan.html   a page with axes to choose
  mesa sweep plan.mesa --all --format csv > all.csv every point, with why it is left out
  mesa sweep plan.mesa --top 10                     the ten best by the first goal
  mesa sweep plan.mesa --sample 100000              that many points at random
  mesa sweep plan.mesa --shard 1/4 --format json -o 1.json
  mesa sweep --merge 1.json 2.json 3.json 4.json    parts as one result

Exit codes: 0 fine, 1 errors in the file or stopped early, 2 wrong usage or a file that cannot be
read or written.";

/// Try many settings of a scenario
///
/// Evaluates a `sweep` of a file at all of its points: latency, memory and cost for millions of
/// settings. Prints the points that no other beats, or the best ones, and counts by reason what is
/// left out.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file, or - for standard input
    #[arg(required_unless_present = "merge", value_name = "FILE")]
    file: Option<PathBuf>,
    /// The sweep; may be left out where the file has one
    #[arg(value_name = "SWEEP")]
    name: Option<String>,
    /// How the result is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Write every point as it comes, also what is left out, with the reason
    #[arg(long)]
    all: bool,
    /// Keep the best N by the goals in their order, instead of the front
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    top: Option<u32>,
    /// Results to show beside the goals, by path
    #[arg(long, value_name = "PATH,...", value_delimiter = ',')]
    columns: Vec<String>,
    /// Take N points at random instead of all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    sample: Option<u64>,
    /// What decides which points are taken at random
    #[arg(long, value_name = "N", default_value_t = 1, requires = "sample")]
    seed: u64,
    /// Look at the I-th of N parts only, from 1
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Pass over the first N points of the part: they were done before
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
    /// How many threads; as many as there are cores if not given
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Merge parts that were written with --format json
    #[arg(long, value_name = "FILES", num_args = 1.., conflicts_with_all = ["file", "shard", "sample", "all"])]
    merge: Vec<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For spreadsheets
    Csv,
    /// One object on each line
    Jsonl,
    /// One document; parts of it can be merged
    Json,
    /// For data frames; needs --output
    Parquet,
    /// A picture
    Svg,
    /// A page with axes to choose
    Html,
}

/// `--shard`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shard(Part);

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write I/N, such as 1/4 for the first of four parts".to_owned();
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count) = (index.parse::<u64>(), count.parse::<u64>());
        match (index, count) {
            (Ok(index), Ok(count)) if index >= 1 && index <= count => {
                Ok(Self(Part { index: index - 1, count }))
            }
            _ => Err(wrong()),
        }
    }
}

/// Points of a picture beside the best ones.
const CLOUD: usize = 3000;
/// Characters of a line where nobody says which results to show.
const WIDTH: usize = 100;
/// Points that are listed where nothing is best.
const FIRST: usize = 20;

pub(super) fn run_sweep(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    if !args.merge.is_empty() {
        let summary = merged(&args.merge)?;
        put(args, screen, &drawn(args, screen, &summary))?;
        return Ok(Outcome::Fine);
    }
    if args.all && !matches!(args.format, Format::Csv | Format::Jsonl | Format::Parquet) {
        return Err(Outer::new("`--all` writes rows, and this format has none")
            .help("take --format csv, jsonl or parquet"));
    }
    if args.format == Format::Parquet && args.output.is_none() && io::stdout().is_terminal() {
        return Err(Outer::new("Parquet is not for a terminal").help("add `--output FILE`"));
    }
    let file = args.file.clone().unwrap_or_default();
    let mut loaded = input::load(std::slice::from_ref(&file))?;
    let program = loaded.program();
    let mut findings = std::mem::take(&mut loaded.findings);
    let Some(&module) = program.roots.first() else {
        eval::complain(screen, &program.sources, &findings);
        return Ok(Outcome::Findings);
    };
    let mut definition = match define(&program, module, args.name.as_deref()) {
        Ok(definition) => definition,
        Err(mut found) => {
            findings.append(&mut found);
            eval::complain(screen, &program.sources, &findings);
            return Ok(Outcome::Findings);
        }
    };
    if !args.columns.is_empty() {
        definition.columns.clone_from(&args.columns);
    }
    let space = Space::new(&definition);
    let mut compiler = Compiler::new(program, module, definition, args.overrides.changes());
    if let Err(found) = compiler.try_out(&space) {
        eval::complain(screen, &compiler.program().sources, &found);
        return Ok(Outcome::Findings);
    }
    go(args, screen, &mut compiler, &space)
}

fn go(
    args: &Args,
    screen: &Screen,
    compiler: &mut Compiler,
    space: &Space,
) -> Result<Outcome, Outer> {
    let goals = compiler.definition().goals.len();
    let top = match (args.top, goals) {
        (Some(top), _) => Some(top as usize),
        (None, 0) => Some(FIRST),
        (None, _) => None,
    };
    let picture = matches!(args.format, Format::Svg | Format::Html);
    let options = Options {
        threads: args.threads,
        part: args.shard.map_or(Options::default().part, |s| s.0),
        skip: args.skip,
        sample: args.sample.map(|count| Sample { count, seed: args.seed }),
        top,
        cloud: if picture { CLOUD } else { 0 },
    };
    let stop = Stop::default();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without it, the signal ends the process: no worse than before.
        let _ = signal_hook::flag::register(signal, stop.0.clone());
    }
    // A limit on the size of files is a write that fails, not the end.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let started = Instant::now();
    let progress = Line::new();
    let ran = if args.all {
        rows::all_rows(args, compiler, space, &options, &stop, &progress)?
    } else {
        let mut emit = |_: &[u8]| Ok(());
        run(compiler, space, &options, &stop, None, &mut emit, &mut |p| progress.show(p))
    };
    progress.clear();
    let ran = match ran {
        Ok(ran) => ran,
        Err(found) => {
            eval::complain(screen, &compiler.program().sources, &found);
            return Ok(Outcome::Findings);
        }
    };
    let summary = Summary::new(compiler, space, &ran, top);
    if args.all {
        let look = Look { color: screen.err_color, ascii: screen.ascii };
        if io::stderr().is_terminal() {
            let summary = Summary { rows: Vec::new(), ..summary.clone() };
            screen.complain(&written::text(&summary, look, WIDTH));
        }
    } else {
        put(args, screen, &drawn(args, screen, &summary))?;
    }
    if io::stderr().is_terminal() {
        let seconds = started.elapsed().as_secs_f64();
        let points = (ran.to - ran.from) as f64;
        let rate = human_rate(points / seconds.max(1e-9));
        screen.complain(&format!("{points} points in {seconds:.2} s, {rate}\n"));
    }
    ended(args, screen, &ran)
}

/// What is said where a run ended early.
fn ended(args: &Args, screen: &Screen, ran: &Ran) -> Result<Outcome, Outer> {
    let pipe = ran.failed.as_ref().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
    if ran.to >= ran.end && ran.failed.is_none() || pipe {
        return Ok(Outcome::Fine);
    }
    let done = args.skip + (ran.to - ran.from);
    let again = format!(
        "the result so far is whole up to point {}; to go on: the same command with --skip {done}{}",
        ran.to,
        if args.format == Format::Json { ", then `mesa sweep --merge` of both files" } else { "" }
    );
    match &ran.failed {
        Some(error) => {
            let cause = io::Error::new(error.kind(), error.to_string());
            Err(Outer::new("the output cannot be written").help(again).cause(cause))
        }
        None => {
            let of = ran.end - ran.from;
            screen.complain(&format!(
                "stopped after {} of {of} points: {again}\n",
                ran.to - ran.from
            ));
            Ok(Outcome::Findings)
        }
    }
}

/// The result in its format.
fn drawn(args: &Args, screen: &Screen, summary: &Summary) -> Vec<u8> {
    let file = args.output.is_some();
    let look = Look { color: screen.out_color && !file, ascii: screen.ascii };
    let list = |kind| summary_rows(kind, &summary.axes, &summary.outputs, &summary.rows);
    match args.format {
        Format::Text => {
            let most = if args.columns.is_empty() { WIDTH } else { usize::MAX };
            written::text(summary, look, most).into_bytes()
        }
        Format::Csv => list(Rows::Csv).into_bytes(),
        Format::Jsonl => list(Rows::JsonLines).into_bytes(),
        Format::Json => summary.json().into_bytes(),
        Format::Svg => written::chart(summary).into_bytes(),
        Format::Html => written::page(summary).into_bytes(),
        Format::Parquet => {
            let texts = summary.axes.iter().map(|a| (a.clone(), Kind::Text));
            let results = summary.outputs.iter().map(|c| (c.name.clone(), Kind::Double));
            let mut kinds = vec![("point".to_owned(), Kind::Int64)];
            kinds.extend(texts.chain(results));
            kinds.push(("equal".to_owned(), Kind::Int64));
            let mut parquet = Parquet::new(kinds);
            let mut out = parquet.start();
            let rows = &summary.rows;
            let mut columns = vec![Values::Int64(rows.iter().map(|r| r.point as i64).collect())];
            for at in 0..summary.axes.len() {
                let texts = rows.iter().filter_map(|r| r.settings.get(at).cloned());
                columns.push(Values::Text(texts.collect()));
            }
            for at in 0..summary.outputs.len() {
                let values = rows.iter().map(|r| r.values.get(at).copied().flatten());
                columns.push(Values::Double(values.map(|v| v.unwrap_or(f64::NAN)).collect()));
            }
            columns.push(Values::Int64(rows.iter().map(|r| r.equal as i64).collect()));
            out.extend(parquet.group(&columns));
            out.extend(parquet.finish());
            out
        }
    }
}

fn put(args: &Args, screen: &Screen, bytes: &[u8]) -> Result<(), Outer> {
    match &args.output {
        Some(path) => {
            let written = File::create(path).and_then(|mut f| f.write_all(bytes));
            written.map_err(|error| cannot_write(path, error))
        }
        None => screen.print_bytes(bytes),
    }
}

fn cannot_write(path: &Path, error: io::Error) -> Outer {
    Outer::new(format!("`{}` cannot be written", input::shown(path))).cause(error)
}

fn merged(paths: &[PathBuf]) -> Result<Summary, Outer> {
    let mut parts = Vec::new();
    for path in paths {
        let name = input::shown(path);
        let text = std::fs::read_to_string(path)
            .map_err(|error| Outer::new(format!("`{name}` cannot be read")).cause(error))?;
        let part = written::read(&text).map_err(|why| {
            Outer::new(format!("`{name}` is no part of a sweep: {why}"))
                .help("parts are written by `mesa sweep … --shard I/N --format json -o PART`")
        })?;
        parts.push(part);
    }
    written::merge(parts).map_err(|why| Outer::new(format!("the parts cannot be merged: {why}")))
}

/// The line on a terminal that says how far a run is.
struct Line(bool);

impl Line {
    fn new() -> Self {
        Self(io::stderr().is_terminal())
    }
    fn show(&self, progress: Progress) {
        if !self.0 || progress.done == 0 {
            return;
        }
        let seconds = progress.elapsed.as_secs_f64();
        let rate = progress.done as f64 / seconds.max(1e-9);
        let left = (progress.all - progress.done) as f64 / rate;
        let share = progress.done as f64 / progress.all.max(1) as f64 * 100.0;
        let text = format!("\r\x1b[K{share:3.0} %  {}, {left:.0} s left", human_rate(rate));
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
    fn clear(&self) {
        if self.0 {
            let _ = io::stderr().lock().write_all(b"\r\x1b[K");
        }
    }
}

fn human_rate(rate: f64) -> String {
    if rate >= 1e6 {
        format!("{:.1} million points/s", rate / 1e6)
    } else {
        format!("{rate:.0} points/s")
    }
}
