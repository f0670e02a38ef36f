//! The symbolic expression graph: one hash-consed DAG of scalars, every node with an origin.
//!
//! In: operations asked for by the checker and the cost lowering. Out: [`ExprId`]s, their
//! dimension, the value at the spec's own point, and where each came from. Nodes are 16 bytes in a
//! flat table; everything that only people need stands in side tables.

mod index;
mod op;
mod origin;

pub use op::Op;
pub use origin::{Origin, OriginId, OriginKind};

use index::{Found, Index};

use crate::quantity::Dimension;

/// A node of a [`Graph`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ExprId(u32);

impl ExprId {
    /// The position in the graph; operands always have lower positions than their users.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One node: an operator and up to three operands (or the payload of a leaf).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    a: u32,
    b: u32,
    c: u32,
}

impl Node {
    /// The operands, in order.
    pub fn operands(&self) -> impl Iterator<Item = ExprId> + use<> {
        let count = self.op.arity();
        [self.a, self.b, self.c].into_iter().take(count).map(ExprId)
    }
    /// The value of a constant.
    #[must_use]
    pub fn constant(&self) -> Option<f64> {
        (self.op == Op::Const)
            .then(|| f64::from_bits(u64::from(self.b) | (u64::from(self.c) << 32)))
    }
    /// The origin of a constant, a parameter or a named node.
    #[must_use]
    pub fn origin(&self) -> Option<OriginId> {
        match self.op {
            Op::Const | Op::Param => Some(OriginId(self.a)),
            Op::Named => Some(OriginId(self.b)),
            _ => None,
        }
    }
    /// The position of a parameter among the swept ones.
    #[must_use]
    pub fn param(&self) -> Option<u32> {
        (self.op == Op::Param).then_some(self.b)
    }
}

/// What [`Graph::substitute`] replaced by what.
pub struct Substitution {
    old: ExprId,
    new: ExprId,
    /// The first node that may have changed, and what stands for those from there on.
    from: usize,
    changed: Vec<ExprId>,
}

impl Substitution {
    /// The node that stands for `id` now.
    #[must_use]
    pub fn of(&self, id: ExprId) -> ExprId {
        if id == self.old {
            return self.new;
        }
        let since = id.index().checked_sub(self.from);
        since.and_then(|i| self.changed.get(i)).copied().unwrap_or(id)
    }
}

/// The graph. Values are those at the spec's own point, computed as nodes are made, so that
/// structure (`if`, layouts, checks) can be decided while lowering; an unknown value is NaN.
#[derive(Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    values: Vec<f64>,
    dimensions: Vec<Dimension>,
    origins: Vec<Origin>,
    index: Index,
    origin_index: Index,
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }
    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
    /// All nodes, operands before users.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
    /// All ids, operands before users.
    pub fn ids(&self) -> impl Iterator<Item = ExprId> + use<> {
        (0..self.nodes.len()).map(|i| ExprId(i as u32))
    }
    /// The roots and all that they are computed from, operands before users.
    #[must_use]
    pub fn below(&self, roots: &[ExprId]) -> Vec<ExprId> {
        let mut reached = vec![false; self.len()];
        let mut stack: Vec<ExprId> = roots.to_vec();
        let mut order = Vec::new();
        while let Some(id) = stack.pop() {
            match reached.get_mut(id.index()) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            order.push(id);
            stack.extend(self.node(id).operands());
        }
        // Operands have lower positions than their users.
        order.sort_unstable();
        order
    }
    /// A node.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // ids come from this graph
    pub fn node(&self, id: ExprId) -> Node {
        self.nodes[id.index()]
    }
    /// The value at the spec's own point; NaN where it is unknown.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // ids come from this graph
    pub fn value(&self, id: ExprId) -> f64 {
        self.values[id.index()]
    }
    /// The value, where it is known.
    #[must_use]
    pub fn known(&self, id: ExprId) -> Option<f64> {
        Some(self.value(id)).filter(|v| !v.is_nan())
    }
    /// What a node measures.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // ids come from this graph
    pub fn dimension(&self, id: ExprId) -> Dimension {
        self.dimensions[id.index()]
    }
    /// The origin with this id.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // ids come from this graph
    pub fn origin(&self, id: OriginId) -> &Origin {
        &self.origins[id.0 as usize]
    }
    /// The origin of a node: its own, if it is a leaf or named.
    #[must_use]
    pub fn origin_of(&self, id: ExprId) -> Option<&Origin> {
        self.node(id).origin().map(|o| self.origin(o))
    }
    fn intern(&mut self, origin: Origin) -> OriginId {
        let same = |at: u32| self.origins.get(at as usize) == Some(&origin);
        let slot = match self.origin_index.find(origin.hash(), same) {
            Found::At(at) => return OriginId(at),
            Found::Free(slot) => slot,
        };
        let id = OriginId(self.origins.len() as u32);
        self.origins.push(origin);
        let origins = &self.origins;
        let hash = |at: u32| origins.get(at as usize).map_or(0, Origin::hash);
        self.origin_index.put(slot, id.0, hash);
        id
    }
    fn push(&mut self, node: Node, dimension: Dimension, value: f64) -> ExprId {
        let same = |at: u32| {
            let at = at as usize;
            self.nodes.get(at) == Some(&node) && self.dimensions.get(at) == Some(&dimension)
        };
        let slot = match self.index.find(index::hash(node, dimension), same) {
            Found::At(at) => return ExprId(at),
            Found::Free(slot) => slot,
        };
        let id = ExprId(self.nodes.len() as u32);
        self.nodes.push(node);
        self.values.push(value);
        self.dimensions.push(dimension);
        let (nodes, dimensions) = (&self.nodes, &self.dimensions);
        self.index.put(slot, id.0, |at| {
            match (nodes.get(at as usize), dimensions.get(at as usize)) {
                (Some(node), Some(dimension)) => index::hash(*node, *dimension),
                _ => 0,
            }
        });
        id
    }
    /// A constant with its origin. Equal constants from different places stay different nodes.
    pub fn constant(&mut self, value: f64, dimension: Dimension, origin: Origin) -> ExprId {
        let origin = self.intern(origin);
        let value = value + 0.0; // -0.0 is 0.0
        let bits = value.to_bits();
        let node = Node { op: Op::Const, a: origin.0, b: bits as u32, c: (bits >> 32) as u32 };
        self.push(node, dimension, value)
    }
    /// A parameter: its value is given when the graph is read. `base` is NaN where unknown.
    pub fn param(
        &mut self,
        position: u32,
        base: f64,
        dimension: Dimension,
        origin: Origin,
    ) -> ExprId {
        let origin = self.intern(origin);
        self.push(Node { op: Op::Param, a: origin.0, b: position, c: 0 }, dimension, base)
    }
    /// `id` under a name, with the place that names it: what `explain` shows as one line.
    pub fn named(&mut self, id: ExprId, origin: Origin) -> ExprId {
        self.cast(id, self.dimension(id), origin)
    }
    /// `id` under a name and with another dimension (a count of operations becomes FLOP).
    pub fn cast(&mut self, id: ExprId, dimension: Dimension, origin: Origin) -> ExprId {
        let origin = self.intern(origin);
        let value = self.value(id);
        self.push(Node { op: Op::Named, a: id.0, b: origin.0, c: 0 }, dimension, value)
    }
    fn make(&mut self, op: Op, ids: [ExprId; 3], dimension: Dimension) -> ExprId {
        let [a, b, c] = ids;
        let value = op.apply(self.value(a), self.value(b), self.value(c));
        let (b, c) = match op.arity() {
            1 => (0, 0),
            2 => (b.0, 0),
            _ => (b.0, c.0),
        };
        self.push(Node { op, a: a.0, b, c }, dimension, value)
    }
    /// A unary operation; the dimension is that of the operand (of its root for `Sqrt`).
    pub fn unary(&mut self, op: Op, a: ExprId) -> ExprId {
        let dimension = match op {
            Op::Sqrt => self.dimension(a).root().unwrap_or_default(),
            Op::Log2 | Op::Not => Dimension::NONE,
            _ => self.dimension(a),
        };
        self.make(op, [a, a, a], dimension)
    }
    /// A binary operation. The caller has checked the dimensions; the result's follow from them.
    pub fn binary(&mut self, op: Op, a: ExprId, b: ExprId) -> ExprId {
        let (da, db) = (self.dimension(a), self.dimension(b));
        let dimension = match op {
            Op::Mul => da.times(db),
            Op::Div => da.over(db),
            Op::Pow => self.known(b).map_or(da, |e| da.power(e as i8)),
            Op::Lt | Op::Le | Op::Eq | Op::Ne | Op::And | Op::Or => Dimension::NONE,
            _ => da,
        };
        self.make(op, [a, b, b], dimension)
    }
    /// `a` where `condition` holds, else `b`.
    pub fn select(&mut self, condition: ExprId, a: ExprId, b: ExprId) -> ExprId {
        let dimension = self.dimension(a);
        self.make(Op::Select, [condition, a, b], dimension)
    }
    /// `a + b`.
    pub fn add(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Op::Add, a, b)
    }
    /// `a × b`.
    pub fn mul(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Op::Mul, a, b)
    }
    /// `a ÷ b`.
    pub fn div(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Op::Div, a, b)
    }
    /// `a − b`.
    pub fn sub(&mut self, a: ExprId, b: ExprId) -> ExprId {
        self.binary(Op::Sub, a, b)
    }
    /// The sum of all; `None` for none.
    pub fn sum(&mut self, ids: impl IntoIterator<Item = ExprId>) -> Option<ExprId> {
        let mut ids = ids.into_iter();
        let first = ids.next()?;
        Some(ids.fold(first, |sum, id| self.add(sum, id)))
    }
    /// The product of all; `None` for none.
    pub fn product(&mut self, ids: impl IntoIterator<Item = ExprId>) -> Option<ExprId> {
        let mut ids = ids.into_iter();
        let first = ids.next()?;
        Some(ids.fold(first, |product, id| self.mul(product, id)))
    }
    /// The greatest of all; `None` for none.
    pub fn greatest(&mut self, ids: impl IntoIterator<Item = ExprId>) -> Option<ExprId> {
        let mut ids = ids.into_iter();
        let first = ids.next()?;
        Some(ids.fold(first, |most, id| self.binary(Op::Max, most, id)))
    }
    /// The nodes made since `from` (a length of the graph) with `old` replaced by `new`: what it
    /// would have been to make them with `new` in the first place.
    pub fn substitute(&mut self, from: usize, old: ExprId, new: ExprId) -> Substitution {
        let end = self.nodes.len();
        let mut done = Substitution { old, new, from, changed: Vec::with_capacity(end - from) };
        for index in from..end {
            let id = ExprId(index as u32);
            let node = self.node(id);
            if !node.operands().any(|o| done.of(o) != o) {
                done.changed.push(id);
                continue;
            }
            let mut operands = node.operands().map(|o| done.of(o));
            let mut next = || operands.next().unwrap_or(old);
            let ids = [next(), next(), next()];
            let dimension = self.dimension(id);
            let copy = if node.op == Op::Named {
                let [a, ..] = ids;
                let value = self.value(a);
                self.push(Node { op: Op::Named, a: a.0, b: node.b, c: 0 }, dimension, value)
            } else {
                self.make(node.op, ids, dimension)
            };
            done.changed.push(copy);
        }
        done
    }
    /// Follows names down to the node that computes.
    #[must_use]
    pub fn unnamed(&self, mut id: ExprId) -> ExprId {
        while let Some(inner) = self.named_operand(id) {
            id = inner;
        }
        id
    }
    /// Both operands of a node that computes `op`.
    #[must_use]
    pub fn operands_of(&self, id: ExprId, op: Op) -> Option<(ExprId, ExprId)> {
        let node = self.node(id);
        (node.op == op && op.arity() == 2).then_some((ExprId(node.a), ExprId(node.b)))
    }
    /// What a named node names.
    #[must_use]
    pub fn named_operand(&self, id: ExprId) -> Option<ExprId> {
        let node = self.node(id);
        (node.op == Op::Named).then_some(ExprId(node.a))
    }
}
