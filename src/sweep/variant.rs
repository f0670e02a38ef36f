//! A scenario at one point, made into code that holds at many.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::code::Code;
use crate::check::Guard;
use crate::expr::{ExprId, Graph, Op, Origin};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::reading::batch::{Batch, Split};
use crate::source::Place;

/// What a column of results is.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Its path, or the expression as written.
    pub name: String,
    /// What it measures.
    pub dimension: Dimension,
    /// Whether it is a condition.
    pub flag: bool,
    /// Whether there is such a result at all.
    pub known: bool,
}

/// Code for the points of one structure.
#[derive(Clone, Debug)]
pub struct Variant {
    /// One root: 1 at the points for which the code holds.
    pub holds: Code,
    /// What comes out.
    pub outcome: Outcome,
}

/// What comes out at the points of a variant.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Results.
    Results {
        /// How they come out.
        code: Code,
        /// What the roots are.
        outputs: Vec<Output>,
    },
    /// The scenario cannot be at these points, for the reason of this number.
    Broken(u32),
}

/// Which constants of a graph are columns.
pub(super) struct Columns<'a> {
    pub graph: &'a mut Graph,
    /// The column of a constant.
    pub column: &'a dyn Fn(&Graph, ExprId) -> Option<u32>,
    /// How many columns there are.
    pub count: usize,
    /// How many of them are outer ones.
    pub outer: usize,
    /// Where notes about the sweep itself stand.
    pub place: Place,
}

impl Columns<'_> {
    fn number(&mut self, value: f64) -> ExprId {
        let origin = Origin::inferred(Name::new("sweep"), self.place, "relied on by a sweep");
        self.graph.constant(value, Dimension::NONE, origin)
    }

    /// Whether a node depends on a column.
    fn varies(&self, id: ExprId) -> bool {
        let (mut todo, mut seen) = (vec![id], FxHashSet::default());
        while let Some(id) = todo.pop() {
            if (self.column)(self.graph, id).is_some() {
                return true;
            }
            if seen.insert(id) {
                todo.extend(self.graph.node(id).operands());
            }
        }
        false
    }

    /// 1 where a node is a finite number.
    fn finite(&mut self, id: ExprId) -> ExprId {
        let (low, high) = (self.number(f64::NEG_INFINITY), self.number(f64::INFINITY));
        let above = self.graph.binary(Op::Lt, low, id);
        let below = self.graph.binary(Op::Lt, id, high);
        self.graph.binary(Op::And, above, below)
    }

    /// 1 where everything that was relied on is as it was.
    pub fn holds(&mut self, guards: &[Guard]) -> Code {
        let mut all = self.number(1.0);
        let mut seen = FxHashSet::default();
        for guard in guards {
            // What is unknown at every point decides nothing.
            if self.graph.value(guard.node()).is_nan() && !self.varies(guard.node()) {
                continue;
            }
            // Functions rely on the same things again and again.
            let key = (std::mem::discriminant(guard), self.graph.unnamed(guard.node()));
            if !seen.insert(key) {
                continue;
            }
            let node = guard.node();
            let condition = match *guard {
                Guard::Noticed(..) | Guard::Unknown(_) => continue,
                Guard::Holds(id, true) => id,
                Guard::Holds(id, false) => self.graph.unary(Op::Not, id),
                Guard::Whole(id) => {
                    let zero = self.number(0.0);
                    let rounded = self.graph.unary(Op::Floor, id);
                    let whole = self.graph.binary(Op::Eq, rounded, id);
                    let counts = self.graph.binary(Op::Le, zero, id);
                    self.graph.binary(Op::And, whole, counts)
                }
                Guard::AtLeastOne(id) => {
                    let one = self.number(1.0);
                    self.graph.binary(Op::Le, one, id)
                }
                Guard::NotZero(id) => {
                    let zero = self.number(0.0);
                    self.graph.binary(Op::Ne, id, zero)
                }
                Guard::Finite(id) => self.finite(id),
                Guard::Same(id) => {
                    let value = self.graph.value(id);
                    let value = self.number(value);
                    self.graph.binary(Op::Eq, id, value)
                }
            };
            // What held at the point itself holds; what did not is the error that is reported
            // there, and other points of this variant have it too.
            let condition = if self.graph.value(condition) == 1.0 {
                condition
            } else if self.graph.value(node).is_nan() {
                // No number: so at all points of this variant.
                let number = self.finite(node);
                self.graph.unary(Op::Not, number)
            } else {
                self.graph.unary(Op::Not, condition)
            };
            all = self.graph.binary(Op::And, all, condition);
        }
        self.code(&[all])
    }

    /// Results as code.
    pub fn results(&mut self, roots: &[ExprId], outputs: Vec<Output>) -> Outcome {
        Outcome::Results { code: self.code(roots), outputs }
    }

    fn code(&self, roots: &[ExprId]) -> Code {
        let graph = &*self.graph;
        let column = |id| (self.column)(graph, id);
        if self.outer == 0 {
            return Code::Each(Arc::new(Batch::compile(graph, roots, self.count, &column, 0)));
        }
        let split = Split::compile(graph, roots, self.count, &column, self.outer);
        Code::Split(split, Arc::default())
    }
}
