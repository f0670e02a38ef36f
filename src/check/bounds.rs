//! Figures that no machine has: a bandwidth of nothing, a latency below it.
//!
//! In: a figure that somebody gave a chip, a link or a system. Out: a finding where results would
//! make no sense with it. A figure that varies is relied on to stay on its side.

use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Op, Origin};
use crate::name::Name;
use crate::quantity::figure::Figure;
use crate::source::Place;

/// What something is divided by.
const DIVIDES: [&str; 6] =
    ["bandwidth", "capacity", "tdp", "efficiency", "reduction_efficiency", "pue"];

impl Checker<'_> {
    /// Whether a figure of a machine is one that something can have (reported): what something is
    /// divided by is more than 0, and nothing is less.
    pub(super) fn within_bounds(&mut self, id: ExprId, path: &[Name], place: Place) -> Option<()> {
        let rate = path.first().is_some_and(|n| *n == "compute");
        let positive = rate || path.last().is_some_and(|n| DIVIDES.iter().any(|d| *n == **d));
        let name: Vec<&str> = path.iter().map(|n| n.text()).collect();
        self.above_zero(id, positive, &name.join("."), place)
    }

    /// Whether a number is more than 0, or at least not less (reported).
    pub(super) fn above_zero(
        &mut self,
        id: ExprId,
        more: bool,
        name: &str,
        place: Place,
    ) -> Option<()> {
        let dimension = self.graph.dimension(id);
        let origin = Origin::inferred(Name::new("0"), place, "nothing is less");
        let zero = self.graph.constant(0.0, dimension, origin);
        let holds = self.graph.binary(if more { Op::Lt } else { Op::Le }, zero, id);
        if self.decide(holds) != Some(false) {
            return Some(());
        }
        let shown = Figure::number("", self.graph.value(id), dimension).human();
        let bound = if more { "more than 0" } else { "0 or more" };
        let title = format!("`{name}` must be {bound}, and this is {shown}");
        self.report(Diagnostic::new(codes::OUT_OF_RANGE, title, place, format!("not {bound}")));
        None
    }
}
