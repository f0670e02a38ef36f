//! From lowered scenarios to plain data.

use super::{Collective, Expectation, Override, Report, Scenario, measured};
use crate::arena::Ordered;
use crate::check::{Checker, Value};
use crate::evaluation::{Change, Evaluated, Evaluation};
use crate::expr::{ExprId, Graph, Op};
use crate::lower::{CollectiveUse, Leaf, Lowered};
use crate::name::Name;
use crate::quantity::figure::{Figure, unit_of};
use crate::quantity::format::HumanUnit;
use crate::source::Sources;

/// The report of everything that was evaluated.
pub fn build(evaluation: &mut Evaluation<'_>) -> Report {
    let checker = &mut evaluation.checker;
    let scenarios = evaluation.scenarios.iter().filter_map(|s| scenario(checker, s)).collect();
    Report { scenarios }
}

fn scenario<'p>(checker: &mut Checker<'p>, evaluated: &Evaluated<'p>) -> Option<Scenario> {
    let lowered = evaluated.lowered.as_ref()?;
    let inputs = inputs(checker, evaluated);
    let method = measured::method(checker, evaluated);
    let measurements = measured::measurements(checker, evaluated, lowered);
    let graph = &checker.graph;
    let sources = &checker.program.sources;
    let leaves = &lowered.results.leaves;
    Some(Scenario {
        name: evaluated.name.to_string(),
        model: lowered.model.to_string(),
        system: lowered.system.to_string(),
        plan: lowered.plan.clone(),
        inputs,
        formats: lowered
            .formats
            .iter()
            .map(|(role, names)| ((*role).to_owned(), names.iter().map(Name::to_string).collect()))
            .collect(),
        results: leaves.iter().map(|(p, l)| (p.clone(), figure(graph, p, l))).collect(),
        collectives: collectives(graph, sources, lowered),
        expectations: expectations(graph, sources, lowered),
        method,
        measurements,
        overrides: evaluated.changes.iter().map(changed).collect(),
    })
}

fn changed(change: &Change) -> Override {
    let option = change.kind.option().to_owned();
    Override { option, path: change.path.clone(), value: change.value.clone() }
}

/// A leaf of the tree of results as a figure.
#[must_use]
pub fn figure(graph: &Graph, path: &str, leaf: &Leaf) -> Figure {
    match leaf {
        Leaf::Number(id) => Figure::number(path, graph.value(*id), graph.dimension(*id)),
        Leaf::Flag(id) => Figure::Flag(graph.value(*id) != 0.0),
        Leaf::Text(text) => Figure::Text(text.clone()),
        Leaf::Error => Figure::Missing,
    }
}

/// The workload and the number formats.
fn inputs<'p>(checker: &mut Checker<'p>, evaluated: &Evaluated<'p>) -> Ordered<String, Figure> {
    let mut inputs = Ordered::default();
    let Some(object) = &evaluated.object else { return inputs };
    for root in ["serve", "train", "precision"] {
        let Some(Value::Object(section)) = checker.field_path(object, &[root]) else { continue };
        for name in section.field_names(&[]) {
            let path = format!("{root}.{name}");
            let figure = match checker.field(&section, name) {
                Some(Value::Num(id)) => {
                    let graph = &checker.graph;
                    Figure::number(&path, graph.value(id), graph.dimension(id))
                }
                Some(Value::Object(object)) => Figure::Text(object.name.to_string()),
                Some(Value::Word(word)) => Figure::Text(word.to_string()),
                _ => continue,
            };
            inputs.insert(path, figure);
        }
    }
    inputs
}

/// Collectives of one device cost nothing and are left out.
fn collectives(graph: &Graph, sources: &Sources, lowered: &Lowered) -> Vec<Collective> {
    let mut rows = Vec::new();
    for (phase, uses) in &lowered.collectives {
        let real =
            uses.iter().filter(|u| graph.value(u.devices) > 1.0 && graph.value(u.count) > 0.0);
        rows.extend(real.map(|u| collective(graph, sources, phase, u)));
    }
    rows
}

fn collective(graph: &Graph, sources: &Sources, phase: &str, u: &CollectiveUse) -> Collective {
    Collective {
        phase: phase.to_owned(),
        kind: u.kind.to_owned(),
        axis: u.axis.clone(),
        tensor: u.tensor.clone(),
        size: graph.value(u.devices),
        count: graph.value(u.count),
        bytes: graph.value(u.bytes),
        message: graph.value(u.message),
        link: u.link.clone(),
        algorithm: u.algorithm.clone(),
        time: graph.value(u.time),
        total: graph.value(u.total),
        model: sources.spot(u.model_place),
        plan: sources.spot(u.plan_place),
    }
}

fn expectations(graph: &Graph, sources: &Sources, lowered: &Lowered) -> Vec<Expectation> {
    let row = |e: &crate::lower::Expectation| {
        let (figure, bound) = sides(graph, &e.text, e.holds);
        Expectation {
            text: e.text.clone(),
            holds: graph.value(e.holds) != 0.0,
            figure,
            bound,
            at: sources.spot(e.place),
        }
    };
    lowered.expectations.iter().map(row).collect()
}

/// What a comparison compares, in the order in which it is written.
fn sides(graph: &Graph, text: &str, holds: ExprId) -> (Option<Figure>, Option<Figure>) {
    let id = graph.unnamed(holds);
    let node = graph.node(id);
    let operands: Vec<ExprId> = node.operands().collect();
    let (Op::Lt | Op::Le | Op::Eq | Op::Ne, [a, b]) = (node.op, operands.as_slice()) else {
        return (None, None);
    };
    // `a > b` is `b < a` in the graph.
    let (left, right) = if text.contains('>') { (*b, *a) } else { (*a, *b) };
    let name = |id| graph.origin_of(id).map_or("", |o| o.name.text());
    let is_share = |id| unit_of(name(id), graph.dimension(id)) == HumanUnit::Percent;
    let named = name(left).contains('.') || is_share(left);
    let path = if named { name(left) } else { name(right) };
    let figure = |id| Some(Figure::number(path, graph.value(id), graph.dimension(id)));
    (figure(left), figure(right))
}
