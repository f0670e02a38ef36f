//! What is said of a target in words: its headline, its documentation, where it stands.

use super::mentions::{Local, What, mentions};
use super::resolve::{Target, View, dotted};
use crate::check::{Checker, ItemRef, Program, schema_type};
use crate::lower::Leaf;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::{Place, Span};
use crate::syntax::ast::{Item, ItemKind, StmtKind};

/// What is known of a target without evaluating anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// How it is declared, as source text.
    pub head: String,
    /// What it is, in a line.
    pub what: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where it is declared.
    pub place: Option<Place>,
}

/// What is known of a target.
#[must_use]
pub fn about(view: &View<'_>, target: &Target) -> About {
    let program = view.program;
    match target {
        Target::Item(module, name, unit) => {
            let found = if *unit {
                program.unit_item(*module, *name)
            } else {
                program.item(*module, *name)
            };
            found.map_or_else(About::default, |item| about_item(program, item))
        }
        Target::Param(module, item, param) => program
            .item(*module, *item)
            .map_or_else(About::default, |i| about_param(program, i, *param)),
        Target::Local(module, item, name) => program
            .item(*module, *item)
            .map_or_else(About::default, |i| about_local(program, i, *name)),
        Target::Field(kind, path) => about_field(*kind, path),
        Target::Result(path) => about_result(view, path),
        Target::Module(path) => About {
            head: format!("std.{}", path.replace('/', ".")).trim_end_matches('.').to_owned(),
            what: "part of the library".into(),
            docs: module_docs(program, path),
            place: program.std_modules(path).next().map(|m| start_of(program, m)),
        },
        Target::File(module) => {
            let file = program.module(*module).file;
            let text = &program.sources.file(file).text;
            let name = program.sources.file(file).name.to_string();
            let names = program.module(*module).cut().pieces.iter();
            let names = names.filter(|p| p.piece.kind != Some(ItemKind::Use));
            let mut names: Vec<String> =
                names.filter_map(|p| p.piece.name).map(|n| format!("`{n}`")).collect();
            let more = names.len().saturating_sub(12);
            names.truncate(12);
            if more > 0 {
                names.push(format!("{more} more"));
            }
            About {
                head: super::hover::short(&name).to_owned(),
                what: match names.is_empty() {
                    true => "a file".into(),
                    false => format!("a file, which declares {}", names.join(", ")),
                },
                docs: file_docs(text),
                place: Some(start_of(program, *module)),
            }
        }
        Target::Builtin(name) => About {
            head: super::functions::find(name.text())
                .map_or_else(|| name.to_string(), |f| f.label().0),
            what: builtin(name.text()).to_owned(),
            ..About::default()
        },
        Target::Axis(name) => About {
            head: name.to_string(),
            what: "an axis of the model: every axis with this name, in every block".into(),
            docs: program
                .std_item("axes", *name)
                .and_then(|axis| axis.item.docs.as_ref().map(|d| d.to_string())),
            ..About::default()
        },
    }
}

fn start_of(program: &Program, module: crate::check::ModuleId) -> Place {
    Place { file: program.module(module).file, span: Span::default() }
}

fn module_docs(program: &Program, path: &str) -> Option<String> {
    let module = program.std_module(path)?;
    file_docs(&program.sources.file(program.module(module).file).text)
}

/// The `//!` lines of a file.
fn file_docs(text: &str) -> Option<String> {
    let lines = text.lines().take_while(|l| l.starts_with("//!"));
    let lines: Vec<&str> = lines.map(|l| l.trim_start_matches("//!").trim()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The text of an item up to its body, on one line where it fits.
#[must_use]
pub fn headline(program: &Program, item: ItemRef<'_>) -> String {
    let start = item.item.span.start;
    let end = match (&item.item.body, &item.item.value) {
        (_, Some(value)) => match &value.kind {
            crate::syntax::ast::ExprKind::With(base, _) => base.span.end,
            _ => value.span.end,
        },
        (Some(body), None) => body.span.start,
        (None, None) => item.item.span.end,
    };
    let text = program.sources.text(item.place(Span::new(start, end.max(start))));
    let line = one_line(text);
    if line.chars().count() <= 100 { line } else { text.trim_end().to_owned() }
}

/// A text on one line, as it would be written there.
#[must_use]
pub fn one_line(text: &str) -> String {
    let joined: Vec<&str> = text.split_whitespace().collect();
    joined.join(" ").replace("( ", "(").replace(", )", ")")
}

fn about_item(program: &Program, item: ItemRef<'_>) -> About {
    let source = source_of(item.item);
    let mut docs: Vec<String> = item.item.docs.iter().map(|d| d.to_string()).collect();
    docs.extend(item.item.clauses.because.iter().map(|t| format!("Because {}", t.plain())));
    docs.extend(source.map(|s| format!("Source: {s}")));
    About {
        head: headline(program, item),
        what: match item.item.kind {
            ItemKind::Const => "a constant".into(),
            ItemKind::Assume => "an assumption".into(),
            ItemKind::Fn => "a function".into(),
            ItemKind::Measured => "a measurement".into(),
            ItemKind::Dtype => "a number format".into(),
            kind => crate::check::with_article(kind),
        },
        docs: (!docs.is_empty()).then(|| docs.join("\n\n")),
        place: Some(item.name_place()),
    }
}

/// Where the figures of an item come from.
fn source_of(item: &Item) -> Option<String> {
    if let Some(text) = &item.clauses.source {
        return Some(text.plain());
    }
    let stmts = item.body.iter().flat_map(|b| &b.stmts);
    stmts
        .filter_map(|s| match &s.kind {
            StmtKind::Set { path, value, .. } if path.iter().all(|p| p.name == "source") => {
                match &value.kind {
                    crate::syntax::ast::ExprKind::Text(text) => Some(text.plain()),
                    _ => None,
                }
            }
            _ => None,
        })
        .next()
}

fn about_param(program: &Program, item: ItemRef<'_>, name: Name) -> About {
    let params = item.item.params.as_deref().unwrap_or_default();
    let Some(param) = params.iter().find(|p| p.name.name == name) else { return About::default() };
    About {
        head: program.sources.text(item.place(param.span)).trim().to_owned(),
        what: format!("a parameter of `{}`", item.item.name.name),
        docs: param.docs.as_ref().map(|d| d.to_string()),
        place: Some(item.place(param.name.span)),
    }
}

fn about_local(program: &Program, item: ItemRef<'_>, name: Name) -> About {
    let all = mentions(item.item);
    let bound = all.iter().find(|m| m.name == name && matches!(m.what, What::Binds(_)));
    let bound = bound.or_else(|| all.iter().find(|m| m.name == name));
    let Some(mention) = bound else { return About::default() };
    let what = match &mention.what {
        What::Binds(local) => local_word(*local),
        _ => "an axis, given by what calls the block",
    };
    let place = item.place(mention.span);
    About {
        head: line_at(program, place).trim().to_owned(),
        what: format!("{what} in `{}`", item.item.name.name),
        docs: None,
        place: Some(place),
    }
}

/// What a local name is, in words.
#[must_use]
pub fn local_word(local: Local) -> &'static str {
    match local {
        Local::Weight => "a weight",
        Local::Input => "an input",
        Local::Value => "a value",
        Local::Index => "the number of the round",
        Local::Axis => "an axis",
        Local::Mesh => "a mesh axis",
        Local::Level => "a level",
        Local::Chip => "a chip",
        Local::Kernel => "a fused kernel",
        Local::Gradient => "a gradient",
    }
}

/// The line that a place starts on.
fn line_at(program: &Program, place: Place) -> &str {
    let file = program.sources.file(place.file);
    let line = file.line_index(place.span.start);
    let start = file.line_starts().get(line).copied().unwrap_or(0);
    file.text.get(start as usize..).unwrap_or("").lines().next().unwrap_or("")
}

fn about_field(kind: ItemKind, path: &[Name]) -> About {
    let what = match schema_type(kind, path) {
        Some(ty) => format!("{}, a field of {}", ty.describe(), crate::check::with_article(kind)),
        None => format!("settings of {}", crate::check::with_article(kind)),
    };
    About { head: dotted(path).to_string(), what, docs: field_docs(kind, path), place: None }
}

/// The words that the field at a path may be, through what it is set to: `plan.recompute`.
#[must_use]
pub fn words_at(kind: ItemKind, path: &[Name]) -> Option<&'static [&'static str]> {
    let words = crate::check::field_words(kind, path);
    words.or_else(|| match (path.split_first()?, schema_type(kind, path.get(..1)?)?) {
        ((_, rest), crate::check::Ty::Kind(inner)) if !rest.is_empty() => words_at(inner, rest),
        _ => None,
    })
}

/// What a field is for, and the words that it may be.
#[must_use]
pub fn field_docs(kind: ItemKind, path: &[Name]) -> Option<String> {
    let docs = super::fields::docs(kind, path).map(str::to_owned);
    let words = crate::check::field_words(kind, path).map(|words| {
        let words: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
        format!("One of {}.", words.join(", "))
    });
    let all: Vec<String> = docs.into_iter().chain(words).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn about_result(view: &View<'_>, path: &str) -> About {
    let found = metric(view, path).map(|item| about_item(view.program, item)).unwrap_or_default();
    About { head: path.to_owned(), what: what_result(view, path), ..found }
}

/// The documentation of a result.
#[must_use]
pub fn result_docs(view: &View<'_>, path: &str) -> Option<String> {
    about_item(view.program, metric(view, path)?).docs
}

/// The metric that a result is of.
fn metric<'p>(view: &View<'p>, path: &str) -> Option<ItemRef<'p>> {
    let root = Name::new(path.split('.').next().unwrap_or(path));
    let program = view.program;
    let library = program.std_module("metrics");
    let mut modules = std::iter::once(view.module).chain(library);
    modules.find_map(|m| program.item(m, root).filter(|i| i.item.kind == ItemKind::Metric))
}

/// What a result measures, or which there are below a path.
fn what_result(view: &View<'_>, path: &str) -> String {
    let mut checker = Checker::new(view.program);
    let outline = checker.outline_for(view.module);
    match outline.get(path) {
        Some(Leaf::Number(id)) => match checker.graph.dimension(*id) {
            Dimension::NONE => "a result, a number".into(),
            dimension => format!("a result, {dimension}"),
        },
        Some(Leaf::Flag(_)) => "a result, a condition".into(),
        Some(_) => "a result".into(),
        None => {
            let below: Vec<String> =
                outline.children(path).iter().map(|name| format!("`{name}`")).collect();
            match below.is_empty() {
                true => "a result".into(),
                false => format!("results: {}", below.join(", ")),
            }
        }
    }
}

/// What a function, type or word of the language is.
#[must_use]
pub fn builtin(name: &str) -> &'static str {
    match name {
        "min" => "the least of its arguments",
        "max" => "the greatest of its arguments",
        "best" => "the least of its arguments, of which reports name the one taken",
        "ceil" => "the next whole number above",
        "floor" => "the next whole number below",
        "sqrt" => "the square root",
        "log2" => "the logarithm to base 2",
        "pow2" => "the powers of two in a range",
        "every" => "values of a range that are one step apart",
        "powers" => "the powers of a number in a range",
        "linear" => "values evenly spread over a range",
        "log" => "values of a range, each the same number of times the last",
        "random" => "values of a range by chance",
        "latin" => "values of a range by chance, one in each of as many parts of it",
        "interleaved" => "a pipeline schedule: each stage has several parts of the layers",
        "gpipe" => "a pipeline schedule: all forward passes, then all backward passes",
        "one_f_one_b" => "a pipeline schedule: each forward pass is followed by a backward pass",
        "size" => "the number of elements along axes",
        "bytes" => "the bytes of a tensor on one device",
        "width" => "the bytes of one element",
        "divides" => "whether one count divides another",
        "zero_bubble_h1" => "a pipeline schedule: gradients of weights fill a part of the bubble",
        "zero_bubble_h2" => {
            "a pipeline schedule: gradients of weights fill the bubble; almost twice the memory"
        }
        "dual_pipe" => "a pipeline schedule: micro-batches go in from both ends",
        "Count" => "a non-negative whole number",
        "Number" => "a number without a dimension",
        "Bool" => "a condition: `true` or `false`",
        "Text" => "a text in quotes",
        "Dtype" => "a number format",
        "Tensor" => "a tensor: `Tensor[batch, seq]`, `Tensor[..A]` for any axes",
        "Axis" => "an axis of tensors",
        "weights" => "the role of weights",
        "activations" => "the role of activations",
        "cache" => "the role of keys and values that are kept",
        "state" => "the role of recurrent state",
        "gradients" => "the role of gradients",
        "optimizer" => "the role of the optimizer's state",
        "serve" => "the workload of answering requests: `batch`, `prompt`, `output`",
        "train" => "the workload of training: `batch`, `seq`, `tokens`, `optimizer`",
        "Chip" => "a device",
        "Link" => "what joins devices",
        "System" => "chips joined by links",
        "Model" => "a block with sizes",
        "Plan" => "how a model is spread over devices",
        "among" => "whether a count is one of a list",
        "gcd" => "the greatest common divisor",
        "extent" => "the length of an axis",
        "window" => "how many positions of an axis are ever looked at",
        "origin" => "the axis that an axis was before it was renamed",
        _ => {
            if Dimension::base(name).is_some() {
                "a dimension of the language"
            } else {
                "a word of the language"
            }
        }
    }
}
