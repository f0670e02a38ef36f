//! `mesa bind`: a model held against the tensors of a checkpoint.
//!
//! In: a spec with a model, and a folder, an index or a safetensors file. Out: what was matched, on
//! standard output; what does not fit, on standard error.

use std::path::PathBuf;

use super::Outcome;
use super::input::{self, shown};
use super::screen::{Format, Screen};
use crate::bind::{Bound, bind, bind_beside, checkpoint};
use crate::check::{Checker, Program};
use crate::diagnostic::miette::{Outer, narrate};
use crate::diagnostic::render::{self, render};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::source::Sources;
use crate::syntax::ast::ItemKind;

const EXAMPLES: &str = "\
Examples:
  mesa bind llama.mesa Llama-3.1-8B            a folder as it was downloaded
  mesa bind llama.mesa model.safetensors       one file
  mesa bind llama.mesa model.safetensors.index.json
                                               an index; without its files names alone are compared
  mesa bind models.mesa DIR --model Draft      one of several models of a file
  mesa bind llama.mesa DIR --format json       for programs

Exit codes: 0 everything fits, 1 something does not, 2 wrong usage or a file that cannot be read.";

/// Compare a model with the tensors of a checkpoint
///
/// Every weight of the model is looked for under the name that its layer gives (`from`), with its
/// shape and format. Reported are weights that are missing, tensors that the model does not know,
/// wrong shapes and formats, and exact bytes. Only headers are read, never the data.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A file with a model
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A folder with safetensors, an index (*.index.json) or one file
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The model, where the file has several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// How the report is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<Outcome, Outer> {
    let mut loaded = input::load(std::slice::from_ref(&args.file))?;
    let checkpoint = checkpoint::open(&args.path, &mut loaded.sources).map_err(|error| {
        Outer::new(format!("`{}` cannot be read", shown(&args.path)))
            .code(codes::CANNOT_READ)
            .help("name a folder with safetensors, an index or one file")
            .cause(error)
    })?;
    let program = loaded.program();
    let name = shown(&args.file);
    let mut found = loaded.findings.clone();
    if checkpoint.is_broken() {
        found.extend(checkpoint.findings);
        return complain(&program.sources, &found, screen);
    }
    let bound = match held(&program, &name, args.model.as_deref(), checkpoint)? {
        Ok(bound) => bound,
        Err(findings) => {
            found.extend(findings);
            return complain(&program.sources, &found, screen);
        }
    };
    let outcome = complain(&program.sources, &bound.findings, screen)?;
    match args.format {
        Format::Text => screen.print(&bound.text())?,
        Format::Json => screen.print(&format!("{:#}\n", bound.json()))?,
    }
    Ok(outcome)
}

/// The model that was asked for, held against the checkpoint; or what is wrong with the spec.
fn held(
    program: &Program,
    file: &str,
    model: Option<&str>,
    checkpoint: checkpoint::Checkpoint,
) -> Result<Result<Bound, Vec<Diagnostic>>, Outer> {
    let Some(&root) = program.roots.first() else { return Ok(Err(Vec::new())) };
    let syntax = program.load_diagnostics.iter().cloned().chain(program.syntax_diagnostics(root));
    let mut found: Vec<Diagnostic> = syntax.collect();
    if found.iter().any(|d| d.severity == Severity::Error) {
        return Ok(Err(found));
    }
    let models = program.items_of_kind(root, ItemKind::Model);
    let names = || {
        let names = models.iter().map(|m| m.item.name.name.text());
        names.collect::<Vec<_>>().join(", ")
    };
    let item = match (model, models.as_slice()) {
        (Some(name), _) => models.iter().find(|m| m.item.name.name == name).ok_or_else(|| {
            Outer::new(format!("there is no model `{name}` in `{file}`"))
                .help(format!("it has: {}", names()))
        })?,
        (None, [one]) => one,
        (None, []) => {
            return Err(Outer::new(format!("there is no model in `{file}`"))
                .help("`mesa import` writes one from a config.json"));
        }
        (None, _) => {
            return Err(Outer::new(format!("there are several models in `{file}`"))
                .help(format!("choose one with --model: {}", names())));
        }
    };
    let mut checker = Checker::new(program);
    let object = checker.check_object(*item);
    let built = object.and_then(|object| {
        let precision = checker.precision_of(None, &object);
        checker.build_model(&object, precision)
    });
    let is_error = |d: &Diagnostic| d.severity == Severity::Error;
    let Some(built) = built.filter(|_| !checker.diagnostics.iter().any(is_error)) else {
        found.append(&mut checker.diagnostics);
        return Ok(Err(found));
    };
    let (model, graph, place) = (&built.model, &checker.graph, item.name_place());
    let bound = bind(model, graph, place, checkpoint.clone());
    if bound.has_surplus()
        && let Some(whole) = with_drafters(program, item.item.name.name.text(), &checkpoint)
    {
        return Ok(Ok(bind_beside(model, graph, place, checkpoint, Some(&whole.matched))));
    }
    Ok(Ok(bound))
}

/// The model with the layer that proposes further tokens, where it has a parameter that leaves it
/// out: checkpoints hold it, most servers do not.
fn with_drafters(
    program: &Program,
    model: &str,
    checkpoint: &checkpoint::Checkpoint,
) -> Option<Bound> {
    let name = format!("{model}_with_drafters");
    let program = program.with_added(&format!("model {name} = {model} with {{ drafters = 1 }}\n"));
    let models = program.items_of_kind(*program.roots.first()?, ItemKind::Model);
    let item = *models.iter().find(|m| m.item.name.name == *name)?;
    let mut checker = Checker::new(&program);
    let object = checker.check_object(item)?;
    let precision = checker.precision_of(None, &object);
    let built = checker.build_model(&object, precision)?;
    let wrong = checker.diagnostics.iter().any(|d| d.severity == Severity::Error);
    (!wrong).then(|| bind(&built.model, &checker.graph, item.name_place(), checkpoint.clone()))
}

fn complain(sources: &Sources, found: &[Diagnostic], screen: &Screen) -> Result<Outcome, Outer> {
    let text = if screen.narrate {
        narrate(sources, found)
    } else {
        render(render::Format::Text, sources, found, &screen.error_options())
    };
    screen.complain(&text);
    let errors = found.iter().any(|d| d.severity == Severity::Error);
    Ok(if errors { Outcome::Findings } else { Outcome::Fine })
}
