//! What a scenario comes to, as plain data that outlives its graph.
//!
//! In: a program and the name of a scenario. Out: [`Facts`]: its report, the value of every place
//! that it reads, the shapes of its tensors, its collectives and its expectations.

use std::rc::Rc;

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::resolve::View;
use crate::check::{Checker, ItemRef, ModuleId, Prints, Program};
use crate::diagnostic::{Diagnostic, Severity};
use crate::evaluation::{Changes, Evaluation, evaluate_on, find};
use crate::expr::Graph;
use crate::graph::Laid;
use crate::ir::{AxisSize, Model};
use crate::lower::Lowered;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::reading::explain::{Derivation, Extent, explain as derive};
use crate::report::{self, Look};
use crate::source::{Origin, Place};
use crate::syntax::ast::ItemKind;

/// What a scenario comes to.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its report, of this scenario alone; empty where it has errors.
    pub whole: report::Report,
    /// What is wrong with it.
    pub findings: Vec<Diagnostic>,
    /// The values of places in files of the user, with what they are called.
    pub values: FxHashMap<Place, Vec<(Name, Figure)>>,
    /// Tensors by where they are defined.
    pub tensors: FxHashMap<Place, TensorFact>,
    /// Collectives of more than one device.
    pub collectives: Vec<CollectiveFact>,
    /// What was expected.
    pub expectations: Vec<ExpectFact>,
}

impl Facts {
    /// Its report; none where it has errors.
    #[must_use]
    pub fn report(&self) -> Option<&report::Scenario> {
        self.whole.scenarios.first()
    }
    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        match self.report() {
            Some(_) => report::text(&self.whole, Look { color: false, ascii: false }),
            None => String::new(),
        }
    }
    /// The report as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let json: Value = serde_json::from_str(&report::json(&self.whole)).unwrap_or_default();
        json.pointer(&format!("/scenarios/{}", self.name)).cloned().unwrap_or_default()
    }
}

/// A tensor as one scenario has it.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFact {
    /// Its axes with their sizes; phase axes have none.
    pub axes: Vec<(Name, Option<f64>)>,
    /// The sizes that one device has, where any axis is cut.
    pub local: Option<Vec<(Name, Option<f64>)>>,
    /// Bytes of the whole, for weights.
    pub bytes: Option<f64>,
    /// Bytes on one device, for weights.
    pub local_bytes: Option<f64>,
    /// Its number format.
    pub dtype: Name,
    /// Whether it is a weight.
    pub weight: bool,
}

/// A collective in one phase.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectiveFact {
    /// The phase.
    pub phase: String,
    /// `all-reduce`.
    pub kind: String,
    /// The mesh axes.
    pub axis: String,
    /// The tensor.
    pub tensor: String,
    /// How many devices take part.
    pub devices: f64,
    /// How often in the phase.
    pub count: f64,
    /// The whole message.
    pub message: Figure,
    /// Time of one.
    pub time: Figure,
    /// Time of all in the phase.
    pub total: Figure,
    /// Where the model needs it.
    pub model: Place,
    /// Where the plan causes it.
    pub plan: Place,
}

/// An expectation and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectFact {
    /// Where it stands.
    pub place: Place,
    /// Whether it holds.
    pub holds: bool,
    /// What is compared.
    pub figure: Option<Figure>,
    /// With what.
    pub bound: Option<Figure>,
}

/// The scenarios and measurements of a module that what stands at a byte matters to: those that
/// use its item, in order.
#[must_use]
pub fn scenarios_using(view: &View<'_>, prints: &Prints, byte: u32) -> Vec<Name> {
    let Some(piece) = view.program.module(view.module).cut().piece_at(byte) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for (module, piece) in prints.users(view.module, piece) {
        let part = view.program.module(module).cut().pieces.get(piece);
        let kind = part.and_then(|p| p.piece.kind);
        let scenario = matches!(kind, Some(ItemKind::Scenario | ItemKind::Measured));
        if module == view.module && scenario {
            names.extend(part.and_then(|p| p.piece.name));
        }
    }
    names
}

/// The scenario of a module called so.
#[must_use]
pub fn scenario<'p>(program: &'p Program, module: ModuleId, name: &str) -> Option<ItemRef<'p>> {
    let item = program.item(module, Name::new(name))?;
    let kinds = [ItemKind::Scenario, ItemKind::Measured];
    (kinds.contains(&item.item.kind) && !item.item.broken).then_some(item)
}

pub(super) fn evaluated<'p>(program: &'p Program, item: ItemRef<'p>) -> Evaluation<'p> {
    let mut checker = Checker::new(program);
    for (module, _) in program.modules().filter(|(_, m)| m.std_path.is_none()) {
        let _ = checker.imports_of(module);
    }
    // What is wrong with imports matters to those who need them.
    let imports = std::mem::take(&mut checker.diagnostics);
    let name = item.item.name.name;
    let mut evaluation = evaluate_on(checker, item.module, name, &Changes::default());
    evaluation.findings.append(&mut evaluation.checker.diagnostics);
    let unfinished = evaluation.scenarios.iter().all(|s| s.lowered.is_none());
    if unfinished {
        evaluation.findings.extend(imports);
    }
    crate::diagnostic::sort(&mut evaluation.findings);
    if unfinished {
        // What cannot be read is the first reason.
        let unread = evaluation.checker.in_the_way_of(item);
        evaluation.findings.splice(0..0, unread);
    }
    evaluation
}

/// What a scenario comes to; `None` where there is none of this name.
#[must_use]
pub fn facts(program: &Program, module: ModuleId, name: &str) -> Option<Facts> {
    facts_and(program, module, name, |_, _| {})
}

/// The same; what it was evaluated on is shown before it is forgotten.
pub(super) fn facts_and<'p>(
    program: &'p Program,
    module: ModuleId,
    name: &str,
    look: impl FnOnce(&Evaluation<'p>, ItemRef<'p>),
) -> Option<Facts> {
    let item = scenario(program, module, name)?;
    let mut evaluation = evaluated(program, item);
    look(&evaluation, item);
    let whole = report::build(&mut evaluation);
    let mut facts = Facts { name: name.to_owned(), whole, ..Facts::default() };
    values(&evaluation, &mut facts);
    let lowered = evaluation.scenarios.first().and_then(|s| s.lowered.as_ref());
    if let Some(lowered) = lowered {
        let graph = &evaluation.checker.graph;
        tensors(graph, &lowered.ir, Some(&lowered.laid), &mut facts);
        collectives(&evaluation.checker.graph, lowered, &mut facts);
        let reported = facts.whole.scenarios.iter().flat_map(|r| &r.expectations);
        let both = lowered.expectations.iter().zip(reported);
        facts.expectations = both
            .map(|(e, r)| ExpectFact {
                place: e.place,
                holds: r.holds,
                figure: r.figure.clone(),
                bound: r.bound.clone(),
            })
            .collect();
    } else if let Some(model) = model_alone(&mut evaluation) {
        tensors(&evaluation.checker.graph, &model, None, &mut facts);
    }
    facts.findings = evaluation.findings;
    Some(facts)
}

/// The model of a scenario without results, as far as it can be built: its shapes do not hang on
/// what is wrong elsewhere.
fn model_alone(evaluation: &mut Evaluation<'_>) -> Option<Rc<Model>> {
    let object = evaluation.scenarios.first()?.object.clone()?;
    let found = evaluation.checker.diagnostics.len();
    let model = crate::lower::model_alone(&mut evaluation.checker, &object);
    // What is wrong with it was found before.
    evaluation.checker.diagnostics.truncate(found);
    model
}

fn values(evaluation: &Evaluation<'_>, facts: &mut Facts) {
    let graph = &evaluation.checker.graph;
    let sources = &evaluation.checker.program.sources;
    for id in graph.ids() {
        let Some(origin) = graph.origin_of(id).filter(|o| o.rule.is_none()) else { continue };
        let value = graph.value(id);
        if sources.file(origin.place.file).origin != Origin::User || value.is_nan() {
            continue;
        }
        let figure = Figure::number(origin.name.text(), value, graph.dimension(id));
        let known = facts.values.entry(origin.place).or_default();
        if !known.iter().any(|(name, f)| *name == origin.name && *f == figure) {
            known.push((origin.name, figure));
        }
    }
}

/// The tensors of a model, and what one device holds of each where they are laid out.
fn tensors(graph: &Graph, model: &Model, laid: Option<&Laid>, facts: &mut Facts) {
    for (id, tensor) in model.tensors.iter() {
        let size = |axis: crate::ir::AxisId| {
            let axis = &model.axes[axis];
            match axis.size {
                AxisSize::Fixed(id) | AxisSize::Composite(id) => (axis.name, graph.known(id)),
                AxisSize::Phase(_) => (axis.name, None),
            }
        };
        let written = if tensor.written.is_empty() { &tensor.axes } else { &tensor.written };
        let axes: Vec<(Name, Option<f64>)> = written.iter().map(|a| size(*a)).collect();
        let layout = laid.and_then(|laid| laid.layouts.get(&id));
        let shards = layout.map(|l| l.shards.as_slice()).unwrap_or_default();
        let cut = |axis: crate::ir::AxisId| {
            let atoms: Vec<_> = match model.axes[axis].parts.as_slice() {
                [] => vec![axis],
                parts => parts.to_vec(),
            };
            let counts = shards.iter().filter(|s| atoms.contains(&s.axis));
            counts.map(|s| graph.value(s.count)).product::<f64>()
        };
        let local = shards.iter().any(|s| graph.value(s.count) > 1.0).then(|| {
            let sizes = written.iter().map(|axis| {
                let (name, size) = size(*axis);
                (name, size.map(|s| libm::ceil(s / cut(*axis))))
            });
            sizes.collect::<Vec<_>>()
        });
        let product = |axes: &[(Name, Option<f64>)]| {
            axes.iter().try_fold(1.0, |all, (_, size)| size.map(|s| s * all))
        };
        let width = graph.value(tensor.dtype.width);
        let weight = tensor.role == crate::ir::Role::Weights;
        let bytes =
            |axes: &[(Name, Option<f64>)]| product(axes).map(|n| n * width).filter(|_| weight);
        let fact = TensorFact {
            bytes: bytes(&axes),
            local_bytes: local.as_deref().and_then(bytes),
            axes,
            local,
            dtype: tensor.dtype.name,
            weight,
        };
        facts.tensors.entry(tensor.place).or_insert(fact);
    }
}

fn collectives(graph: &Graph, lowered: &Lowered, facts: &mut Facts) {
    for (phase, uses) in &lowered.collectives {
        for used in uses {
            if graph.value(used.devices) <= 1.0 || graph.value(used.count) <= 0.0 {
                continue;
            }
            let number = |id, dimension| Figure::number("", graph.value(id), dimension);
            facts.collectives.push(CollectiveFact {
                phase: phase.clone(),
                kind: used.kind.to_owned(),
                axis: used.axis.clone(),
                tensor: used.tensor.clone(),
                devices: graph.value(used.devices),
                count: graph.value(used.count),
                message: number(used.message, Dimension::BYTES),
                time: number(used.time, Dimension::TIME),
                total: number(used.total, Dimension::TIME),
                model: used.model_place,
                plan: used.plan_place,
            });
        }
    }
}

/// How a result came about. `path` may begin with the name of the scenario; the first of the file
/// is meant otherwise.
///
/// # Errors
/// Why there is nothing to say, in words for who wrote the path.
pub fn explain(
    program: &Program,
    module: ModuleId,
    path: &str,
    depth: Option<usize>,
) -> Result<Derivation, String> {
    let path = path.trim_matches(['.', ' ']);
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let all = crate::scenarios(program, module);
    if path.is_empty() {
        return Err("the path of a result is missing, such as `ttft`".to_owned());
    }
    let named = all.iter().find(|i| i.item.name.name == first);
    let item = *named.or(all.first()).ok_or("this file has no scenario")?;
    let mut evaluation = evaluated(program, item);
    match find(&mut evaluation, path) {
        Ok(Some(found)) => {
            let graph = &evaluation.checker.graph;
            let extent = Extent { depth, width: None };
            Ok(derive(graph, program, (path, &found.leaf), found.place, extent))
        }
        Ok(None) => Err(unfinished(item, &evaluation.findings)),
        Err(_) if named.is_none() && !rest.is_empty() && near(&all, first) => {
            Err(no_scenario(program, module, first))
        }
        Err(finding) => {
            let mut said = vec![finding.title];
            said.extend(finding.notes);
            if named.is_none() && all.len() > 1 {
                said.push(format!("scenarios of this file: {}", names(&all)));
            }
            Err(said.join("; "))
        }
    }
}

/// Why a scenario has no results.
fn unfinished(item: ItemRef<'_>, findings: &[Diagnostic]) -> String {
    let name = item.item.name.name;
    let first = findings.iter().find(|d| d.severity == Severity::Error);
    let first = first.map_or(String::new(), |d| format!(": {}", d.title));
    format!("`{name}` has no results until its errors are mended{first}")
}

/// Whether a name is likely to mean one of the scenarios.
fn near(all: &[ItemRef<'_>], name: &str) -> bool {
    let known = all.iter().map(|item| item.item.name.name.text());
    crate::diagnostic::closest(name, known).is_some()
}

fn names(all: &[ItemRef<'_>]) -> String {
    let names = all.iter().map(|item| format!("`{}`", item.item.name.name));
    names.collect::<Vec<_>>().join(", ")
}

/// Why [`scenario`] finds none of this name, in words for who wrote it.
#[must_use]
pub fn no_scenario(program: &Program, module: ModuleId, name: &str) -> String {
    if let Some(item) = program.item(module, Name::new(name)) {
        let kind = crate::check::with_article(item.item.kind);
        return match item.item.broken {
            true => format!("`{name}` cannot be read: there is a mistake in how it is written"),
            false => format!("`{name}` is {kind}, not a scenario"),
        };
    }
    let all = crate::scenarios(program, module);
    let known = all.iter().map(|item| item.item.name.name.text());
    match crate::diagnostic::closest(name, known) {
        Some(best) => format!("there is no scenario `{name}`; did you mean `{best}`?"),
        None if all.is_empty() => "this file has no scenario".to_owned(),
        None => format!("there is no scenario `{name}`; there are {}", names(&all)),
    }
}
