//! The tensors that a model wants.
//!
//! In: a built model. Out: every name that its weights have in a checkpoint, with the weights that
//! are stored under it: one for each layer and expert.

use std::collections::HashMap;

use crate::expr::Graph;
use crate::ir::{AxisSize, Model, Sharing, Tensor, TensorId};
use crate::source::Place;

use super::packed::{grid, groups};
use super::shape::{Shape, partners, sides};

/// At the end of a name: the matrix is stored the other way round.
const TURNED: &str = "^T";

/// No model has more tensors.
const MOST: usize = 4_000_000;

/// A weight of the model.
#[derive(Clone, Debug)]
pub struct Weight {
    /// Its name with the instances it stands in: `attention.wq`.
    pub path: String,
    /// Its axes as written: `hidden, heads, head_dim`.
    pub axes: String,
    /// Its name in a checkpoint: `model.layers.{i}.self_attn.q_proj.weight`.
    pub pattern: String,
    /// Where it is declared.
    pub place: Place,
    /// Its number format.
    pub dtype: String,
    /// Bits of one of its elements, without scales.
    pub bits: f64,
    /// Bytes of one of its elements, scales included.
    pub width: f64,
    /// What several of its elements have together.
    pub shared: Vec<Sharing>,
    /// What one tensor of the checkpoint holds of it.
    pub shape: Shape,
    /// Whether that is a matrix with its inputs first.
    pub turned: bool,
    /// What it is multiplied with.
    pub partners: Vec<TensorId>,
    /// In how many tensors it is.
    pub tensors: u64,
}

/// A tensor that a checkpoint should have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The weights that are stored in it, side by side.
    pub weights: Vec<usize>,
}

/// The shapes that weights may have which are stored as one tensor. Those that are multiplied with
/// the same tensor lie with their outputs side by side.
#[must_use]
pub fn joined(weights: &[&Weight]) -> Vec<Shape> {
    let shapes: Vec<Shape> = weights.iter().map(|w| w.shape.clone()).collect();
    let mut found = Shape::joined(&shapes);
    let Some((first, others)) = weights.split_first() else { return found };
    let common = |t: &&TensorId| others.iter().all(|w| w.partners.contains(t));
    if found.len() == 2 && first.shape.matrix && first.partners.iter().any(|t| common(&t)) {
        found.remove(usize::from(!first.turned));
    }
    found
}

impl Weight {
    /// The bytes of one of its tensors, with all of its scales.
    #[must_use]
    pub fn bytes(&self) -> f64 {
        let Some(elements) = self.shape.elements() else { return f64::NAN };
        if self.shared.is_empty() {
            return elements as f64 * self.width;
        }
        let each: u64 = self.shape.each.iter().product();
        let shared = self.shared.iter().map(|sharing| {
            let count = match (self.shape.rest.as_slice(), sharing.what) {
                (&[a, b], "scale" | "zero") => {
                    let (outputs, inputs) = if self.turned { (b, a) } else { (a, b) };
                    let (rows, columns) = grid(sharing, outputs, inputs);
                    rows.saturating_mul(columns).saturating_mul(each)
                }
                _ => groups(elements, sharing.per),
            };
            count as f64 * sharing.bits
        });
        (elements as f64 * self.bits + shared.sum::<f64>()) / 8.0
    }
}

/// What a model wants of a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// The weights of the model.
    pub weights: Vec<Weight>,
    /// The tensors, in the order of the model.
    pub tensors: Vec<Wanted>,
    /// Weights that have no name in a checkpoint.
    pub nameless: Vec<(String, Place)>,
}

/// Reads the weights of a model.
#[must_use]
pub fn wants(model: &Model, graph: &Graph) -> Wants {
    let mut found = Wants::default();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    for (id, _) in &model.weights {
        let tensor = &model.tensors[*id];
        if tensor.tied {
            continue;
        }
        let Some(from) = &tensor.from else {
            found.nameless.push((tensor.path(), tensor.place));
            continue;
        };
        let (pattern, turned) = match from.strip_suffix(TURNED) {
            Some(pattern) => (pattern, true),
            None => (from.as_str(), false),
        };
        let size = |axis| match model.axes[axis].size {
            AxisSize::Fixed(id) | AxisSize::Composite(id) => whole(graph.value(id)),
            AxisSize::Phase(_) => 0,
        };
        let holes = holes(pattern);
        let in_name = |axis| holes.iter().any(|h| model.axes[axis].name == *h.name);
        let sides = sides(model, *id);
        let each = sides.map_or(0, |s| s.each);
        let mut shape = Shape { matrix: sides.is_some(), ..Shape::default() };
        let leading = tensor.axes.iter().take(each).filter(|a| !in_name(**a));
        shape.each = leading.map(|a| size(*a)).collect();
        let rest: Vec<_> = tensor.axes.iter().skip(each).filter(|a| !in_name(**a)).collect();
        match sides {
            None => shape.rest = rest.iter().map(|a| size(**a)).collect(),
            Some(sides) => {
                let product = |axes: &[&crate::ir::AxisId]| {
                    axes.iter().fold(1u64, |n, a| n.saturating_mul(size(**a)))
                };
                let (inputs, outputs) = rest.split_at(sides.inputs.min(rest.len()));
                shape.rest = vec![product(outputs), product(inputs)];
                if turned {
                    shape.rest.reverse();
                }
            }
        }
        let names = names(pattern, tensor, model, graph);
        let density = tensor.density.map_or(1.0, |d| graph.value(d));
        let written: Vec<String> =
            tensor.written.iter().map(|a| model.axes[*a].name.to_string()).collect();
        let index = found.weights.len();
        found.weights.push(Weight {
            path: tensor.path(),
            axes: written.join(", "),
            pattern: pattern.to_owned(),
            place: tensor.place,
            dtype: tensor.dtype.name.to_string(),
            bits: tensor.dtype.bits,
            width: graph.value(tensor.dtype.width) * density,
            shared: if density == 1.0 { tensor.dtype.shared.clone() } else { Vec::new() },
            shape,
            turned: turned && sides.is_some(),
            partners: partners(model, *id),
            tensors: names.len() as u64,
        });
        for name in names {
            match by_name.get(&name) {
                Some(at) => {
                    if let Some(wanted) = found.tensors.get_mut(*at) {
                        wanted.weights.push(index);
                    }
                }
                None => {
                    by_name.insert(name.clone(), found.tensors.len());
                    found.tensors.push(Wanted { name, weights: vec![index] });
                }
            }
        }
    }
    found
}

/// A hole in a name: `{i}`, `{2 * i + 1}`.
struct Hole<'n> {
    /// What stands before it, from the hole before.
    before: &'n str,
    /// The index or axis.
    name: &'n str,
    times: i64,
    plus: i64,
}

/// The holes of a pattern, as the checker writes them.
fn holes(pattern: &str) -> Vec<Hole<'_>> {
    let mut found = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((hole, after)) = after.split_once('}') else { break };
        let (times, hole) = match hole.split_once(" * ") {
            Some((times, hole)) => (times.parse().unwrap_or(0), hole),
            None => (1, hole),
        };
        let number = |n: &str| n.parse().unwrap_or(0);
        let (name, plus) = match (hole.split_once(" + "), hole.split_once(" - ")) {
            (Some((name, plus)), _) => (name, number(plus)),
            (None, Some((name, minus))) => (name, -number(minus)),
            (None, None) => (hole, 0),
        };
        found.push(Hole { before, name, times, plus });
        rest = after;
    }
    found
}

/// The names of a weight: the holes of its pattern filled with layers and elements of its axes.
fn names(pattern: &str, tensor: &Tensor, model: &Model, graph: &Graph) -> Vec<String> {
    let mut names = vec![String::new()];
    for Hole { before, name: hole, times, plus } in holes(pattern) {
        let of_axis = tensor.axes.iter().map(|a| &model.axes[*a]).find(|a| a.name == hole);
        let innermost = tensor.indices.last().is_some_and(|(name, _)| *name == hole);
        let index = tensor.indices.iter().rev().find(|(name, _)| *name == hole);
        let numbers: Vec<u64> = match (of_axis, index, &tensor.only) {
            (Some(axis), ..) => match axis.size {
                AxisSize::Fixed(id) | AxisSize::Composite(id) => {
                    (0..whole(graph.value(id))).collect()
                }
                AxisSize::Phase(_) => Vec::new(),
            },
            (None, Some(_), Some(only)) if innermost => {
                only.iter().map(|n| u64::from(*n)).collect()
            }
            (None, Some((_, rounds)), _) => (0..whole(graph.value(*rounds))).collect(),
            (None, None, _) => Vec::new(),
        };
        if names.len().saturating_mul(numbers.len()) > MOST {
            return Vec::new();
        }
        let placed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX).saturating_mul(times);
        let filled = |n: &String| -> Vec<String> {
            let numbers = numbers.iter().map(|n| placed(*n).saturating_add(plus));
            numbers.map(|number| format!("{n}{before}{number}")).collect()
        };
        names = names.iter().flat_map(filled).collect();
    }
    let rest = pattern.rsplit_once('}').map_or(pattern, |(_, rest)| rest);
    for name in &mut names {
        name.push_str(rest);
    }
    names
}

/// A size as a whole number; sizes of models were checked to be such.
fn whole(value: f64) -> u64 {
    if value.is_finite() && value > 0.0 { value as u64 } else { 0 }
}
