//! Axes of one name that meet in one op: the same axis, or a mistake.
//!
//! In: the operands of an op. Out: operands whose axes agree. An axis belongs to the block instance
//! that made it; where two instances made one each, of one name and length, they are one.

use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{Op, Origin};
use crate::ir::{AxisId, AxisSize, TensorId};
use crate::source::Place;

impl<'p> Checker<'p> {
    /// Makes axes of equal names and lengths one; false (reported) where lengths differ.
    pub(super) fn unify_operands(&mut self, operands: &[(TensorId, Place)]) -> bool {
        for (j, &(second, at)) in operands.iter().enumerate() {
            for &(first, _) in operands.iter().take(j) {
                if !self.unify_tensors(first, second, at) {
                    return false;
                }
            }
        }
        true
    }

    fn unify_tensors(&mut self, first: TensorId, second: TensorId, at: Place) -> bool {
        let model = &self.builder.built.model;
        let (left, right) = (model.tensors[first].axes.clone(), model.tensors[second].axes.clone());
        for &b in &right {
            let name = self.builder.built.model.axes[b].name;
            let fixed = |id: AxisId, this: &Self| {
                matches!(this.builder.built.model.axes[id].size, AxisSize::Fixed(_))
            };
            if left.contains(&b) || !fixed(b, self) {
                continue;
            }
            let twin = left
                .iter()
                .copied()
                .find(|a| self.builder.built.model.axes[*a].name == name && !right.contains(a));
            let Some(a) = twin.filter(|a| fixed(*a, self)) else { continue };
            if !self.equal_lengths(a, b) {
                self.report_lengths((first, a), (second, b), at);
                return false;
            }
            self.merge(a, b);
        }
        true
    }

    /// Whether two axes are as long as each other, as far as that is known.
    fn equal_lengths(&mut self, a: AxisId, b: AxisId) -> bool {
        let (Some(x), Some(y)) = (self.axis_size(a), self.axis_size(b)) else { return true };
        if self.graph.unnamed(x) == self.graph.unnamed(y) {
            return true;
        }
        let equal = self.graph.binary(Op::Eq, x, y);
        self.decide(equal) != Some(false)
    }

    fn report_lengths(
        &mut self,
        (first, a): (TensorId, AxisId),
        (second, b): (TensorId, AxisId),
        at: Place,
    ) {
        let name = self.builder.built.model.axes[a].name;
        let (made, other) = (self.seen_from_here(first), self.seen_from_here(second));
        let (x, y) = (self.show_axes(&[a]), self.show_axes(&[b]));
        let mut diagnostic = Diagnostic::new(
            codes::AXIS_MISMATCH,
            format!("`{name}` of one operand is not `{name}` of the other: {x} and {y}"),
            at,
            format!("here {y}"),
        )
        .and(made, format!("this has {x}"));
        if other != at {
            diagnostic = diagnostic.and(other, format!("this has {y}"));
        }
        for (axis, shown) in [(a, x), (b, y)] {
            let origin = self.axis_size(axis).and_then(|id| self.graph.origin_of(id).cloned());
            if let Some(Origin { place, .. }) = origin {
                diagnostic = diagnostic.and(place, format!("{shown} comes from here"));
            }
        }
        self.report(diagnostic);
    }

    /// Where a tensor comes from: where it is made, or the call of the block that makes it.
    fn seen_from_here(&self, tensor: TensorId) -> Place {
        let tensor = &self.builder.built.model.tensors[tensor];
        let inner = tensor.scope.path.len() == self.builder.here.scope.path.len() + 1;
        if inner { tensor.scope.place } else { tensor.place }
    }

    /// One axis in place of two; the one of the outer block stays.
    fn merge(&mut self, a: AxisId, b: AxisId) {
        let model = &mut self.builder.built.model;
        let depth = |id: AxisId| (model.axes[id].path.len(), id);
        let (keep, drop) = if depth(a) <= depth(b) { (a, b) } else { (b, a) };
        let replace = |axes: &mut [AxisId]| {
            axes.iter_mut().filter(|x| **x == drop).for_each(|x| *x = keep);
        };
        for tensor in model.tensors.iter_mut() {
            replace(&mut tensor.axes);
            replace(&mut tensor.written);
        }
        for op in model.ops.iter_mut() {
            replace(&mut op.sums);
            replace(&mut op.whole);
            for (_, axes) in &mut op.axes {
                let mut renamed = axes.to_vec();
                replace(&mut renamed);
                *axes = renamed.into();
            }
        }
        let aliases = std::mem::take(&mut model.axes[drop].aliases);
        let wholes = std::mem::take(&mut model.axes[drop].whole);
        for axis in model.axes.iter_mut() {
            replace(&mut axis.parts);
        }
        let kept = &mut model.axes[keep];
        kept.aliases.extend(aliases);
        kept.whole.extend(wholes);
    }
}
