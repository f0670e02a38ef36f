//! The parameters of what is being called.
//!
//! In: a view and a byte. Out: the signature of the innermost call, and which parameter is meant.

use super::context::{call, context};
use super::resolve::{Target, View, named, resolve_path};
use crate::check::{Checker, ItemRef};
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::{ItemKind, Param};

/// Parameters that are shown at once, beside those that are needed.
const MOST: usize = 12;

/// A signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// `Tp(tp: Count = 8)`.
    pub label: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where each parameter stands in the label, in bytes, with its documentation.
    pub params: Vec<(Span, Option<String>)>,
    /// The parameter that is being given.
    pub active: Option<usize>,
}

/// The call that a byte stands in.
#[must_use]
pub fn signature(view: &View<'_>, byte: u32) -> Option<Signature> {
    let context = context(view, byte);
    let (path, open) = call(&context)?;
    let mut checker = Checker::new(view.program);
    let named_now = context.has(":").then(|| context.first());
    let Some(item) = callee(&mut checker, view, context.item, &path) else {
        return function(&path, open.commas, named_now);
    };
    let params = item.item.params.as_deref()?;
    let given = |p: &Param| open.given.iter().any(|given| *given == p.name.name.text());
    let active = match named_now {
        Some(name) => params.iter().position(|p| p.name.name == name),
        // Those without a name come first, in order.
        None => {
            let plain = open.commas.saturating_sub(open.given.len());
            let next = params.iter().skip(plain).position(|p| !given(p));
            next.map(|at| at + plain)
        }
    };
    // Of very many those that matter now.
    let few = params.len() <= MOST;
    let shown = |at: usize, p: &Param| few || p.default.is_none() || given(p) || Some(at) == active;
    let mut label = format!("{}(", item.item.name.name);
    let (mut spans, mut now) = (Vec::new(), None);
    for (at, param) in params.iter().enumerate().filter(|(at, p)| shown(*at, p)) {
        if !spans.is_empty() {
            label += ", ";
        }
        let start = label.len() as u32;
        label += view.program.sources.text(item.place(param.span)).trim();
        if Some(at) == active {
            now = Some(spans.len());
        }
        let span = Span::new(start, label.len() as u32);
        spans.push((span, param.docs.as_ref().map(|d| d.to_string())));
    }
    label += if spans.len() < params.len() { ", …)" } else { ")" };
    if let Some(result) = &item.item.result {
        label += " -> ";
        label += view.program.sources.text(item.place(result.span));
    }
    let docs = item.item.docs.as_ref().map(|d| d.to_string());
    Some(Signature { label, docs, params: spans, active: now })
}

/// The call of a function of the language itself.
fn function(path: &[Name], commas: usize, name: Option<&str>) -> Option<Signature> {
    let [callee] = path else { return None };
    let function = super::functions::find(callee.text())?;
    let (label, spans) = function.label();
    let docs = function.params.iter().map(|(_, what)| Some((*what).to_owned()));
    Some(Signature {
        label,
        docs: Some(super::describe::builtin(function.name).to_owned()),
        params: spans.into_iter().zip(docs).collect(),
        active: function.active(commas, name),
    })
}

/// What a path calls, from anywhere in a file; a model passes its arguments to its block.
pub fn callee<'p>(
    checker: &mut Checker<'p>,
    view: &View<'p>,
    within: Option<Name>,
    path: &[Name],
) -> Option<ItemRef<'p>> {
    let program = view.program;
    let here = within.and_then(|name| program.item(view.module, name));
    let target = match (here, path) {
        (_, [name]) => {
            // What is not imported yet may be so in a moment.
            let kinds = [ItemKind::Block, ItemKind::Plan, ItemKind::System, ItemKind::Chip];
            let library = || program.std_item("", *name).filter(|i| kinds.contains(&i.item.kind));
            return named(checker, view.module, *name).or_else(library);
        }
        (Some(item), path) => resolve_path(checker, item, path)?,
        (None, _) => resolve_path(checker, program.items(view.module).next()?, path)?,
    };
    match target {
        Target::Item(module, name, false) => program.item(module, name),
        _ => None,
    }
}
