//! Numbers by the column: the tape specialised to what varies, 64 points at a time.
//!
//! In: a graph, roots, and the leaves that vary, each with its column. Out: a [`Batch`], plain data
//! without names, and its [`Runner`], which fills columns of results bit by bit as [`number`] does.
//!
//! What no column reaches is computed once, when the batch is made. Columns that are the same in
//! all lanes of a block are kept as scalars, and what depends on unchanged columns alone is not
//! computed again: that is how the outer axes of a grid cost nothing.
//!
//! [`number`]: super::number

mod compile;
mod lanes;
mod runner;
#[cfg(test)]
mod tests;

pub use lanes::Width;
pub use runner::{Runner, Source};

use std::sync::Arc;

use crate::expr::{ExprId, Graph, Op};

/// Points that are computed together.
pub const LANES: usize = 64;

/// One operand of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Slot {
    /// The same in all lanes: a position among the scalars.
    Scalar(u32),
    /// A position among the registers.
    Vector(u32),
}

/// One operation.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Step {
    op: Op,
    to: u32,
    operands: [Slot; 3],
}

/// Operations that depend on the same columns.
#[derive(Clone, PartialEq, Debug)]
struct Segment {
    /// The columns, one bit each.
    columns: u64,
    /// Whether all results are scalars.
    scalar: bool,
    steps: Vec<Step>,
}

/// Roots as code over columns.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Batch {
    /// The bit of each column; several may share one.
    masks: Vec<u64>,
    /// Columns that are the same in all lanes of a block.
    uniform: u64,
    /// Scalars at the start: constants, and room for the rest.
    scalars: Vec<f64>,
    /// Where each column goes, if it is read.
    loads: Vec<Option<Slot>>,
    segments: Vec<Segment>,
    registers: usize,
    roots: Vec<Slot>,
}

/// Code in two parts, for columns of which some have few combinations of values.
#[derive(Clone, PartialEq, Debug)]
pub struct Split {
    /// From the outer columns to all that the rest needs of them: once for every combination.
    pub outer: Arc<Batch>,
    /// From the inner columns, and then what the outer part gives, to the roots.
    pub mixed: Arc<Batch>,
    /// The same for blocks in which all points have one combination.
    pub last: Arc<Batch>,
    /// From all columns to the roots.
    pub each: Arc<Batch>,
    /// How many columns are outer ones: the first.
    pub columns: usize,
}

impl Split {
    /// The code for `roots`; the first `outer` columns are the outer ones.
    #[must_use]
    pub fn compile(
        graph: &Graph,
        roots: &[ExprId],
        columns: usize,
        column: &dyn Fn(ExprId) -> Option<u32>,
        outer: usize,
    ) -> Self {
        compile::split(graph, roots, columns, column, outer.min(columns))
    }
}

impl Batch {
    /// The code for `roots`. `column` says of a leaf which column gives its values, if one does;
    /// `uniform` has a bit for each column that will be the same in all lanes of a block.
    /// Columns beyond the 64th share its bit.
    #[must_use]
    pub fn compile(
        graph: &Graph,
        roots: &[ExprId],
        columns: usize,
        column: &dyn Fn(ExprId) -> Option<u32>,
        uniform: u64,
    ) -> Self {
        compile::compile(graph, roots, columns, column, uniform)
    }

    /// How many columns of values it takes.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.masks.len()
    }

    /// How many roots it computes.
    #[must_use]
    pub fn roots(&self) -> usize {
        self.roots.len()
    }

    /// How many operations a block takes at most.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.iter().map(|s| s.steps.len()).sum()
    }

    /// TEMP
    pub fn describe(&self) -> String {
        let mut out = format!(
            "{} steps {} registers {} roots: ",
            self.len(),
            self.registers,
            self.roots.len()
        );
        for s in &self.segments {
            let mut counts = std::collections::BTreeMap::new();
            for x in &s.steps {
                *counts.entry(format!("{:?}", x.op)).or_insert(0) += 1;
            }
            out += &format!(
                "\n    [{:b} scalar {} {} steps {:?}]",
                s.columns,
                s.scalar,
                s.steps.len(),
                counts
            );
        }
        out
    }

    /// Whether nothing has to be computed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// How many registers of 64 lanes it needs.
    #[must_use]
    pub fn registers(&self) -> usize {
        self.registers
    }

    /// Whether a column is read at all.
    #[must_use]
    pub fn reads(&self, column: usize) -> bool {
        self.loads.get(column).is_some_and(Option::is_some)
    }
}
