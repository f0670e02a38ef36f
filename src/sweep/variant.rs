//! A scenario at one point, made into code that holds at many.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::check::Guard;
use crate::expr::{ExprId, Graph, Op, Origin, OriginKind};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::reading::batch::Batch;
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
    pub holds: Arc<Batch>,
    /// What comes out.
    pub outcome: Outcome,
}

/// What comes out at the points of a variant.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Results.
    Results {
        /// The code where every column differs from lane to lane.
        each: Arc<Batch>,
        /// The code where only the last column does.
        last: Arc<Batch>,
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
    /// Where notes about the sweep itself stand.
    pub place: Place,
}

impl Columns<'_> {
    fn number(&mut self, value: f64) -> ExprId {
        let origin = Origin {
            name: Name::new("sweep"),
            kind: OriginKind::Inferred,
            place: self.place,
            rule: Some("relied on by a sweep"),
        };
        self.graph.constant(value, Dimension::NONE, origin)
    }

    /// 1 where everything that was relied on is as it was.
    pub fn holds(&mut self, guards: &[Guard]) -> Arc<Batch> {
        let mut all = self.number(1.0);
        let mut seen = FxHashSet::default();
        for guard in guards {
            // Functions rely on the same things again and again.
            let key = (std::mem::discriminant(guard), self.graph.unnamed(guard.node()));
            if !seen.insert(key) {
                continue;
            }
            let node = guard.node();
            let condition = match *guard {
                Guard::Noticed(..) => continue,
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
                Guard::Finite(id) => {
                    let (low, high) = (self.number(f64::NEG_INFINITY), self.number(f64::INFINITY));
                    let above = self.graph.binary(Op::Lt, low, id);
                    let below = self.graph.binary(Op::Lt, id, high);
                    self.graph.binary(Op::And, above, below)
                }
                Guard::Same(id) => {
                    let value = self.graph.value(id);
                    let value = self.number(value);
                    self.graph.binary(Op::Eq, id, value)
                }
            };
            // What held at the point itself holds; what did not is the error that is reported
            // there, and other points of this variant have it too.
            if self.graph.value(condition) == 1.0 || self.graph.value(node).is_nan() {
                all = self.graph.binary(Op::And, all, condition);
            } else {
                let not = self.graph.unary(Op::Not, condition);
                all = self.graph.binary(Op::And, all, not);
            }
        }
        Arc::new(self.batch(&[all], 0))
    }

    /// Results, with every column its own and with the last one alone.
    pub fn results(&mut self, roots: &[ExprId], outputs: Vec<Output>) -> Outcome {
        let each = Arc::new(self.batch(roots, 0));
        let uniform = match self.count {
            0 | 1 => 0,
            n => (1_u64 << (n - 1)) - 1,
        };
        let last = if uniform == 0 { each.clone() } else { Arc::new(self.batch(roots, uniform)) };
        Outcome::Results { each, last, outputs }
    }

    fn batch(&self, roots: &[ExprId], uniform: u64) -> Batch {
        let graph = &*self.graph;
        Batch::compile(graph, roots, self.count, &|id| (self.column)(graph, id), uniform)
    }
}
