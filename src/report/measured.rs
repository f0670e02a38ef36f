//! What was measured beside what is predicted.
//!
//! In: a `measured` item and its lowered scenario. Out: its figures, each with the prediction, the
//! error, what the figure means, and where the measurement comes from.

use super::build::figure;
use super::table::{Cell, Table, Tint};
use super::{Measurement, Scenario};
use crate::check::{Checker, Entry, Object, Value};
use crate::evaluation::Evaluated;
use crate::expr::ExprId;
use crate::lower::{Leaf, Lowered, Workload};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::syntax::ast::ItemKind;

/// The figures of a `measured` item; none for a scenario.
pub(super) fn measurements<'p>(
    checker: &mut Checker<'p>,
    evaluated: &Evaluated<'p>,
    lowered: &Lowered,
) -> Vec<Measurement> {
    let Some(object) = evaluated.object.clone() else { return Vec::new() };
    let common = object.measurements.iter().find(|e| is_source(e)).cloned();
    let common = common.and_then(|e| match checker.eval(e.value?, &e.outer) {
        Value::Text(text) => Some(text.to_string()),
        _ => None,
    });
    let entries = object.measurements.iter().filter(|e| !is_source(e));
    entries.filter_map(|e| measurement(checker, &object, e, common.clone(), lowered)).collect()
}

/// What a measured item says of how it was measured: `measured x "llama-bench tg128"`.
pub(super) fn method<'p>(checker: &mut Checker<'p>, evaluated: &Evaluated<'p>) -> Option<String> {
    let item = evaluated.object.as_ref()?.item?;
    let label = item.item.label.as_ref().filter(|_| item.item.kind == ItemKind::Measured)?;
    let env = checker.item_env(item);
    Some(checker.eval_text(label, &env))
}

fn is_source(entry: &Entry<'_>) -> bool {
    matches!(&*entry.path, [name] if *name == "source")
}

fn measurement<'p>(
    checker: &mut Checker<'p>,
    object: &Object<'p>,
    entry: &Entry<'p>,
    common: Option<String>,
    lowered: &Lowered,
) -> Option<Measurement> {
    let Value::Num(measured) = checker.eval(entry.value?, &entry.outer) else { return None };
    let path: Vec<&str> = entry.path.iter().map(|n| n.text()).collect();
    let path = path.join(".");
    let leaf = lowered.results.get(&path)?.clone();
    let Leaf::Number(predicted) = leaf else { return None };
    let source = entry.clauses.and_then(|c| c.source.as_ref());
    let source = match source {
        Some(text) => Some(checker.eval_text(text, &entry.outer)),
        None => common,
    };
    let convention = convention(checker, object, &path, (predicted, lowered.workload()));
    let graph = &checker.graph;
    let (is, was) = (graph.value(predicted), graph.value(measured));
    Some(Measurement {
        measured: figure(graph, &path, &Leaf::Number(measured)),
        predicted: figure(graph, &path, &leaf),
        error: Figure::number("error", is / was - 1.0, Dimension::NONE),
        convention,
        source,
        at: checker.program.sources.spot(entry.place),
        path,
    })
}

/// What a result counts, so that a figure of another kind is not held against it: the rule that
/// made it, or what its metric says of itself.
fn convention<'p>(
    checker: &Checker<'p>,
    object: &Object<'p>,
    path: &str,
    (id, workload): (ExprId, Workload),
) -> Option<String> {
    if let Some(rule) = checker.graph.origin_of(id).and_then(|o| o.rule) {
        return Some(rule.to_owned());
    }
    let program = checker.program;
    let root = Name::new(path.split('.').next().unwrap_or(path));
    let of = |module| {
        let metrics = program.items_of_kind(module, ItemKind::Metric);
        let mut named = metrics.into_iter().filter(|i| i.item.name.name == root);
        named.find(|i| i.item.of.is_none_or(|of| workload.is(of.name)))
    };
    let own = object.item.and_then(|i| of(i.module));
    let metric = own.or_else(|| of(program.std_module("metrics")?))?;
    let docs = metric.item.docs.as_ref()?.replace('\n', " ");
    let first = docs.split_once(". ").map_or(docs.as_str(), |(first, _)| first);
    Some(first.trim_end_matches('.').to_owned())
}

/// The error with its sign: above or below what was measured.
pub(super) fn signed(error: &Figure) -> String {
    match error.value() {
        // Adding nothing turns a negative zero into a plain one.
        Some(share) if share.is_finite() => {
            format!("{:+.1}%", libm::round(share * 1000.0) / 10.0 + 0.0)
        }
        _ => "—".to_owned(),
    }
}

/// The figures of a measured item.
pub(super) fn table(scenario: &Scenario) -> Table {
    let rows = scenario.measurements.iter().map(|m| {
        let place = m.at.file.rsplit(['/', '\\']).next().unwrap_or(&m.at.file);
        let place = format!("{place}:{}", m.at.line);
        vec![
            m.path.as_str().into(),
            Cell::tinted(m.measured.human(), Tint::Strong),
            Cell::tinted(m.predicted.human(), Tint::Strong),
            signed(&m.error).into(),
            Cell::tinted(place, Tint::Dim),
        ]
    });
    let heads = vec!["", ">measured", ">predicted", ">error", ""];
    let remark = scenario.method.clone().unwrap_or_default();
    Table { title: "Measured".into(), remark, heads, rows: rows.collect() }
}

/// Where they come from, and what each of them counts.
pub(super) fn sources(scenario: &Scenario) -> Table {
    let rows = scenario.measurements.iter().map(|m| {
        vec![m.path.as_str().into(), m.source.clone().unwrap_or_else(|| "—".to_owned()).into()]
    });
    let counted = scenario.measurements.iter().filter_map(|m| {
        let convention = m.convention.clone()?;
        Some(vec![m.path.as_str().into(), Cell::tinted(convention, Tint::Dim)])
    });
    let remark = "and what the prediction counts".into();
    let rows = rows.chain(counted).collect();
    Table { title: "Sources".into(), remark, heads: vec!["", ""], rows }
}
