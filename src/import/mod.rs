//! Models from the configs of Hugging Face.
//!
//! In: the text of a `config.json`. Out: a formatted `.mesa` model in which every parameter says
//! which key it is from, and what was wrong, missing, not understood or assumed. Nothing of a
//! repository is ever run. The steps:
//!
//! 1. [`json`]: text to values with places
//! 2. [`family`]: what the keys mean, by architecture; `table` reads it from `families/`
//! 3. `read`, `values`: keys to arguments of a block of the library; `quantization`, `schemes`: formats
//! 4. [`write`]: arguments to a model
//!
//! and then the model is checked like one that a person wrote: whatever is found there means that
//! the config contradicts itself.

pub mod family;
pub mod json;
mod layers;
mod limits;
mod quantization;
mod read;
mod schemes;
mod sum;
mod table;
pub mod update;
mod values;
mod write;

use std::collections::BTreeMap;

use crate::check::{Checker, Program};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::name::Name;
use crate::source::{FileId, Place, Span};
use crate::syntax::ast::ItemKind;

/// What became of a config.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The name of the model, where one could be written.
    pub name: String,
    /// The text of the model; `None` where there are errors.
    pub text: Option<String>,
    /// What was found, in the order of the config.
    pub findings: Vec<Diagnostic>,
}

/// Imports the config in `text`, which is `file` in findings. `title` is what the model is called
/// where the config does not say: the name of its folder or file.
#[must_use]
pub fn import(text: &str, file: FileId, title: &str) -> Imported {
    import_with(text, file, None, title)
}

/// The same with the text of an `hf_quant_config.json` that stands beside the config.
#[must_use]
pub fn import_with(
    text: &str,
    file: FileId,
    quantization: Option<(&str, FileId)>,
    title: &str,
) -> Imported {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = match json::read(text) {
        Ok(root) => root,
        Err(broken) => return refused(not_json(&broken, file)),
    };
    if !matches!(root.kind, json::Kind::Object(_)) {
        let place = Place { file, span: first(root.span) };
        let title = "this is not a config: it holds no keys";
        return refused(Diagnostic::new(
            codes::NOT_A_CONFIG,
            title,
            place,
            format!("{}, where `{{` is wanted", root.shown()),
        ));
    }
    let beside = match quantization.map(|(text, file)| (json::read(text), file)) {
        Some((Ok(node), file)) => Some((node, file)),
        Some((Err(broken), file)) => return refused(not_json(&broken, file)),
        None => None,
    };
    let library = Program::of_text("", "");
    let beside = beside.as_ref().map(|(node, file)| (node, *file));
    let (mut reading, mut findings) = read::read(&root, file, beside, &library);
    if let Some(reading) = &mut reading
        && reading.format.is_some()
        && !findings.iter().any(|d| d.severity == Severity::Error)
    {
        let names = names_of_weights(&write::write(reading, &root, title).text);
        if let Some(format) = &mut reading.format {
            findings.extend(format.keep(&names));
        }
    }
    let mut imported = Imported::default();
    if let Some(reading) = reading
        && !findings.iter().any(|d| d.severity == Severity::Error)
    {
        let model = write::write(&reading, &root, title);
        findings.extend(contradictions(&model, &reading, &root, file));
        if !findings.iter().any(|d| d.severity == Severity::Error) {
            imported.name = model.name;
            imported.text = Some(model.text);
        }
    }
    crate::diagnostic::sort(&mut findings);
    imported.findings = findings;
    imported
}

fn refused(finding: Diagnostic) -> Imported {
    Imported { findings: vec![finding], ..Imported::default() }
}

/// The first byte of a span, for findings about a whole object.
fn first(span: Span) -> Span {
    Span::new(span.start, span.end.min(span.start.saturating_add(1)))
}

fn not_json(broken: &json::Broken, file: FileId) -> Diagnostic {
    let place = Place { file, span: broken.span };
    Diagnostic::new(
        codes::NOT_A_CONFIG,
        "this is not JSON",
        place,
        format!("{} is wanted here", broken.expected),
    )
}

/// The names that a rule of precision may mean in a model (weights, calls and blocks), each with
/// the number of layers that have it.
fn names_of_weights(text: &str) -> BTreeMap<String, f64> {
    let program = Program::of_text("imported.mesa", text);
    let mut checker = Checker::new(&program);
    let model = program
        .roots
        .first()
        .and_then(|root| program.items_of_kind(*root, ItemKind::Model).first().copied());
    let built = model.and_then(|item| {
        let object = checker.check_object(item)?;
        let precision = checker.precision_of(None, &object);
        checker.build_model(&object, precision)
    });
    let mut names: BTreeMap<String, f64> = BTreeMap::new();
    let Some(built) = built else { return names };
    for (tensor, rounds) in &built.model.weights {
        let tensor = &built.model.tensors[*tensor];
        let rounds = rounds.map_or(1.0, |rounds| checker.graph.value(rounds));
        let scope = tensor.scope.path.iter().chain(tensor.scope.blocks.iter());
        // What a tower of pictures calls its parts is not what the language model calls them.
        let tower = tensor.scope.blocks.iter().any(|b| *b == "VisionTower");
        let known = |name: &&Name| !tower || **name == "VisionTower" || **name == tensor.name;
        for name in scope.chain([&tensor.name]).filter(known) {
            let layers = names.entry(name.text().to_owned()).or_default();
            *layers = layers.max(rounds);
        }
    }
    // A layer that predicts is there with `drafters: 1`, in the format that the config says for it.
    for name in built.model.left_out.iter().filter(|n| **n == "draft") {
        names.entry(name.text().to_owned()).or_insert(1.0);
    }
    names
}

/// What the checker finds in the model: keys that do not go together.
fn contradictions(
    model: &write::Model,
    reading: &read::Reading,
    root: &json::Node,
    file: FileId,
) -> Vec<Diagnostic> {
    let program = Program::of_text("imported.mesa", &model.text);
    let errors = crate::check(&program).into_iter().filter(|d| d.severity == Severity::Error);
    let explained = errors.map(|error| {
        // The lines of the model that the error is about are keys of the config.
        let mut places: Vec<(Place, String)> = Vec::new();
        for label in &error.labels {
            let source = program.sources.file(label.place.file);
            if &*source.name != "imported.mesa" {
                continue;
            }
            let line = source.line_column(label.place.span.start).line;
            let argument = reading.argument(|a| model.is_on(a, line));
            if let Some((argument, span)) = argument.and_then(|a| Some((a, a.span?))) {
                let text = format!("`{}` is {}", argument.name, argument.value);
                places.push((Place { file, span }, text));
            }
        }
        places.dedup();
        let mut places = places.into_iter();
        let whole = || (Place { file, span: first(root.span) }, "in this config".to_owned());
        let (place, label) = places.next().unwrap_or_else(whole);
        let mut found = Diagnostic::new(codes::CONFIG_CONTRADICTS, error.title, place, label);
        for (place, label) in places {
            found = found.and(place, label);
        }
        found.note(format!("`mesa help {}` says more about what is wrong", error.code.id()))
    });
    explained.collect()
}
