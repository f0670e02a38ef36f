//! `mesa graph`: what runs, drawn.
//!
//! In: a file and a scenario. Out: the dataflow of a pass, the timeline of its pipeline or the
//! placement on the machine, as a picture, for a terminal, or for other programs.

use std::path::PathBuf;

use clap::ValueEnum;

use super::overrides::Overrides;
use super::screen::Screen;
use super::{Outcome, eval, input};
use crate::diagnostic::Severity;
use crate::diagnostic::miette::Outer;
use crate::drawing::{self, Level, draw, placement, timeline};
use crate::evaluation::{Changes, evaluate};

const EXAMPLES: &str = "\
Examples:
  mesa graph chat.mesa chat -o chat.svg                    a picture of the prefill
  mesa graph chat.mesa chat --phase decode -o chat.svg     of a decode step
  mesa graph chat.mesa chat --level op -o chat.svg         every kernel
  mesa graph chat.mesa chat --format mermaid               for Markdown
  mesa graph chat.mesa chat --format dot | dot -Tpdf -o chat.pdf
  mesa graph chat.mesa chat --format json                  for programs
  mesa graph train.mesa train --timeline                   which stage works when, as text
  mesa graph train.mesa train --timeline -o step.svg       as a picture
  mesa graph chat.mesa chat --placement                    what lies on which device

Exit codes: 0 fine, 1 errors in the file, 2 wrong usage or a file that cannot be read or written.";

/// Draw what runs: kernels, collectives, layouts and times
///
/// Draws the dataflow of a pass: each kernel and collective with its time, its bytes and how its
/// result lies on the mesh; repeated layers once; the longest way through it, what nothing can run
/// beside, and where the mesh lies on the machine. Or the timeline of a pipeline, or what runs and
/// lies on each device.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// Draw when each stage of the pipeline works on which micro-batch
    #[arg(long, conflicts_with_all = ["level", "placement"])]
    timeline: bool,
    /// Draw what runs and lies on each device of the machine
    #[arg(long, conflicts_with_all = ["level", "phase"])]
    placement: bool,
    /// How it is written; by the name of the output if not given, else svg, or text for a timeline or
    /// a placement
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// How much a node stands for
    #[arg(long, value_name = "LEVEL", default_value = "layer")]
    level: Detail,
    /// The pass: prefill or decode (also decode.first, decode.last), in training forward or
    /// backward; the first of them if not given
    #[arg(long, value_name = "PASS")]
    phase: Option<String>,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
}

/// `--format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// A picture that needs nothing else
    Svg,
    /// For a terminal: a timeline or a placement
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// For programs
    Json,
}

/// `--level`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Detail {
    /// Before the layers, the layers, and after them
    Model,
    /// Kinds of layers, and collectives
    Layer,
    /// Kernels
    Op,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let mut loaded = input::load(std::slice::from_ref(&args.file))?;
    let mut program = loaded.program();
    let changes = Changes::add(&mut program, args.overrides.changes());
    let mut findings = std::mem::take(&mut loaded.findings);
    let mut out = None;
    if let Some(&module) = program.roots.first() {
        let wanted = [args.scenario.clone()];
        let mut evaluation = evaluate(&program, module, &wanted, &changes);
        findings.append(&mut evaluation.findings);
        let lowered = evaluation.scenarios.iter().find_map(|s| s.lowered.as_ref());
        if let Some(lowered) = lowered {
            out = Some(written(args, &evaluation.checker.graph, lowered)?);
        }
    }
    eval::complain(screen, &program.sources, &findings);
    match (&out, &args.output) {
        (Some(text), Some(path)) => std::fs::write(path, text).map_err(|error| {
            Outer::new(format!("`{}` cannot be written", input::shown(path))).cause(error)
        })?,
        (Some(text), None) => screen.print(text)?,
        (None, _) => {}
    }
    let is_error = findings.iter().any(|d| d.severity == Severity::Error);
    Ok(if is_error { Outcome::Findings } else { Outcome::Fine })
}

fn written(
    args: &Args,
    graph: &crate::expr::Graph,
    lowered: &crate::lower::Lowered,
) -> Result<String, Outer> {
    if args.timeline || args.placement {
        return laid_out(args, graph, lowered);
    }
    let passes: Vec<&str> = lowered.costs.iter().map(|c| c.0).collect();
    let phase = match args.phase.as_deref() {
        Some("decode") => "decode.mid",
        Some(phase) => phase,
        None => passes.first().copied().unwrap_or_default(),
    };
    let level = match args.level {
        Detail::Model => Level::Model,
        Detail::Layer => Level::Layer,
        Detail::Op => Level::Op,
    };
    let drawing = draw(graph, lowered, phase, level).ok_or_else(|| {
        let title =
            format!("`{}` has no pass `{phase}`; it has {}", lowered.name, passes.join(", "));
        match lowered.results.why_absent(phase) {
            Some(why) => Outer::new(title).help(why),
            None => Outer::new(title),
        }
    })?;
    Ok(match format(args, Format::Svg) {
        Format::Svg => drawing::svg::text(&drawing),
        Format::Text => {
            let title = "the dataflow is not drawn as text".to_owned();
            return Err(Outer::new(title)
                .help("take `--format mermaid` or `dot`, or add `--timeline` or `--placement`"));
        }
        Format::Dot => drawing::dot::text(&drawing),
        Format::Mermaid => drawing::mermaid::text(&drawing),
        Format::Json => drawing::json::text(&drawing),
    })
}

/// The format that is asked for, or that the name of the output stands for.
fn format(args: &Args, usual: Format) -> Format {
    let extension = args.output.as_ref().and_then(|p| p.extension()?.to_str());
    args.format.unwrap_or(match extension {
        Some("dot" | "gv") => Format::Dot,
        Some("mmd" | "mermaid" | "md") => Format::Mermaid,
        Some("json") => Format::Json,
        Some("svg") => Format::Svg,
        Some("txt") => Format::Text,
        _ => usual,
    })
}

/// The timeline, or the placement.
fn laid_out(
    args: &Args,
    graph: &crate::expr::Graph,
    lowered: &crate::lower::Lowered,
) -> Result<String, Outer> {
    let format = format(args, Format::Text);
    if matches!(format, Format::Dot | Format::Mermaid) {
        let what = if args.timeline { "a timeline" } else { "a placement" };
        let title = format!("{what} is written as text, svg or json");
        return Err(Outer::new(title));
    }
    if args.placement {
        let placed = placement::placed(graph, lowered);
        return Ok(match format {
            Format::Svg => placement::svg::text(&placed),
            Format::Json => placement::json::text(&placed),
            _ => placement::text::text(&placed),
        });
    }
    let chart = timeline::chart(graph, lowered, args.phase.as_deref()).map_err(Outer::new)?;
    Ok(match format {
        Format::Svg => timeline::svg::text(&chart),
        Format::Json => timeline::json::text(&chart),
        _ => timeline::text::text(&chart),
    })
}
