//! The shape that a weight has in a checkpoint.
//!
//! In: the axes of a weight, and what the ops of the model do with it. Out: the dimensions of its
//! tensor. Frameworks store the matrix of a product with its outputs first, so that `w[hidden,
//! ffn]` lies there as `[ffn, hidden]`; axes that stand together may be one dimension, or several.

use std::fmt;

use crate::ir::{Model, Tensor, TensorId};

/// Sizes of axes in a tensor, in the order they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Leading axes that each stand for themselves: experts.
    pub each: Vec<u64>,
    /// The other dimensions: outputs and inputs of a matrix, or the axes as written.
    pub rest: Vec<u64>,
    /// Whether the dimensions of `rest` are the two sides of a matrix, which stay apart.
    pub matrix: bool,
}

impl Shape {
    /// How many elements it has, if that can be counted.
    #[must_use]
    pub fn elements(&self) -> Option<u64> {
        self.each.iter().chain(&self.rest).try_fold(1u64, |n, d| n.checked_mul(*d))
    }

    /// All dimensions.
    fn dimensions(&self) -> Vec<u64> {
        self.each.iter().chain(&self.rest).copied().collect()
    }

    /// The shape of several weights that are stored as one tensor, side by side: along the outputs
    /// or along the inputs, whichever they do not share. Where they share both, both are possible.
    #[must_use]
    pub fn joined(shapes: &[Self]) -> Vec<Self> {
        let Some(first) = shapes.first() else { return Vec::new() };
        if shapes.len() == 1 {
            return vec![first.clone()];
        }
        let mut found = Vec::new();
        for at in 0..first.rest.len() {
            let alike = |s: &Self| {
                let apart = |(i, (a, b)): (usize, (&u64, &u64))| i == at || a == b;
                s.each == first.each
                    && s.rest.len() == first.rest.len()
                    && s.rest.iter().zip(&first.rest).enumerate().all(apart)
            };
            let sum = shapes.iter().map(|s| s.rest.get(at).copied()).sum::<Option<u64>>();
            if let (true, Some(sum)) = (shapes.iter().all(alike), sum) {
                let mut joined = first.clone();
                if let Some(d) = joined.rest.get_mut(at) {
                    *d = sum;
                }
                found.push(joined);
            }
        }
        if found.is_empty() {
            // They differ in more than one dimension: only the elements can be counted.
            let total = shapes.iter().map(Self::elements).sum::<Option<u64>>();
            found.extend(total.map(|n| Self { each: Vec::new(), rest: vec![n], matrix: false }));
        }
        found
    }

    /// Whether a tensor of these dimensions holds it. Dimensions of one element do not count.
    #[must_use]
    pub fn is(&self, stored: &[u64]) -> bool {
        let (wanted, have) = (cuts(&self.dimensions()), cuts(stored));
        let (Some((wanted, n)), Some((have, m))) = (wanted, have) else { return false };
        let within = |a: &[u64], b: &[u64]| a.iter().all(|cut| b.contains(cut));
        n == m && (within(&wanted, &have) || (!self.matrix && within(&have, &wanted)))
    }

    /// Whether it is that of a matrix stored the other way round.
    #[must_use]
    pub fn is_turned(&self, stored: &[u64]) -> bool {
        let turned = Self { rest: self.rest.iter().rev().copied().collect(), ..self.clone() };
        !self.is(stored) && turned.is(stored)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&super::header::shown_shape(&self.dimensions()))
    }
}

/// Where dimensions end, in elements; and how many elements there are.
fn cuts(shape: &[u64]) -> Option<(Vec<u64>, u64)> {
    let mut cuts = Vec::new();
    let mut n = 1u64;
    for d in shape.iter().filter(|d| **d != 1) {
        n = n.checked_mul(*d)?;
        cuts.push(n);
    }
    cuts.pop();
    Some((cuts, n))
}

/// How the axes of a weight are stored: how many leading ones stand for themselves, and how many
/// behind them are inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sides {
    pub each: usize,
    pub inputs: usize,
}

/// The tensors that a weight is multiplied with.
pub(super) fn partners(model: &Model, id: TensorId) -> Vec<TensorId> {
    let ops = model.ops.iter().filter(|(_, op)| op.operands.iter().any(|(_, t)| *t == id));
    ops.flat_map(|(_, op)| op.operands.iter().map(|(_, t)| *t)).filter(|t| *t != id).collect()
}

/// The two sides of a weight that is a matrix of a product; `None` where axes are stored as written.
pub(super) fn sides(model: &Model, id: TensorId) -> Option<Sides> {
    let weight = &model.tensors[id];
    let mut products = 0;
    let mut best: Option<Sides> = None;
    for (_, op) in model.ops.iter() {
        if !op.operands.iter().any(|(_, t)| *t == id) {
            continue;
        }
        let others = op.operands.iter().filter(|(_, t)| *t != id).map(|(_, t)| &model.tensors[*t]);
        let others: Vec<&Tensor> = others.collect();
        let shared = |a: &crate::ir::AxisId| others.iter().any(|t| t.axes.contains(a));
        let summed = |a: &&crate::ir::AxisId| op.sums.contains(a) && shared(a);
        if !weight.axes.iter().any(|a| summed(&a)) {
            if weight.axes.iter().any(|a| op.sums.contains(a)) {
                return None; // rows of a table are looked up
            }
            continue;
        }
        products += 1;
        let result = &model.tensors[op.result];
        let kept = |a: &&crate::ir::AxisId| shared(a) && result.axes.contains(a);
        // Of a convolution the taps too, which are its own.
        let input = |a: &&crate::ir::AxisId| op.sums.contains(a);
        let each = weight.axes.iter().take_while(kept).count();
        let inputs = weight.axes.iter().skip(each).take_while(input).count();
        let total = weight.axes.iter().filter(input).count();
        if inputs == total && best.is_none_or(|b| each < b.each) {
            best = Some(Sides { each, inputs });
        }
    }
    match (products, best) {
        (0, _) => None,
        (_, Some(sides)) => Some(sides),
        // Written for the way in which nothing is expanded: inputs first, as ever.
        (_, None) => Some(Sides { each: 0, inputs: 1 }),
    }
}
