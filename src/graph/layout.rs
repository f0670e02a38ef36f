//! What layout propagation says: how tensors lie on the mesh, and which collectives that causes.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::rules::{Conflict, Divisor};
use crate::expr::ExprId;
use crate::ir::model::Instance;
use crate::ir::{AxisId, Fuse, Kept, MeshId, OpId, Pass, Repeat, TensorId};
use crate::source::Place;

/// One axis of a tensor cut over mesh axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// The axis (never a composite).
    pub axis: AxisId,
    /// The mesh axes, outermost first.
    pub group: Rc<[MeshId]>,
    /// Into how many shards.
    pub count: ExprId,
    /// The rule of the plan that says so.
    pub rule: usize,
}

/// Partial sums over mesh axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Partial {
    /// The mesh axes.
    pub group: Rc<[MeshId]>,
    /// How many partial sums there are.
    pub count: ExprId,
    /// The rule that sharded what was summed.
    pub rule: usize,
    /// The op that left them.
    pub op: OpId,
}

/// How a tensor lies on the mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Axes that are cut.
    pub shards: Vec<Shard>,
    /// Mesh axes over which the value is partial.
    pub partial: Vec<Partial>,
}

impl Layout {
    /// The mesh axes that cut an axis, outermost first.
    #[must_use]
    pub fn mesh_of(&self, axis: AxisId) -> &[MeshId] {
        self.shards.iter().find(|s| s.axis == axis).map_or(&[], |s| &s.group)
    }
    /// Whether two layouts cut the same axes over the same mesh axes and are partial alike.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let within = |a: &Self, b: &Self| {
            a.shards.iter().all(|s| b.mesh_of(s.axis) == &*s.group)
                && a.partial.iter().all(|p| b.partial.iter().any(|q| q.group == p.group))
        };
        within(self, other) && within(other, self)
    }
}

/// One of the layouts that a tensor has in turn: 0 is as it was made or stored, the others are
/// conversions of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Version {
    /// The tensor.
    pub tensor: TensorId,
    /// Position among its layouts.
    pub index: usize,
}

/// What a conversion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Partial sums, wanted whole everywhere.
    AllReduce,
    /// Partial sums, wanted cut.
    ReduceScatter,
    /// Cut, wanted whole.
    AllGather,
    /// Cut on one axis, wanted cut on another.
    AllToAll,
    /// From one pipeline stage to the next.
    Send,
}

impl Kind {
    /// The field's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AllReduce => "all-reduce",
            Self::ReduceScatter => "reduce-scatter",
            Self::AllGather => "all-gather",
            Self::AllToAll => "all-to-all",
            Self::Send => "send",
        }
    }
    /// The name of the library's functions for it.
    #[must_use]
    pub fn function(self) -> &'static str {
        match self {
            Self::AllReduce => "all_reduce",
            Self::ReduceScatter => "reduce_scatter",
            Self::AllGather => "all_gather",
            Self::AllToAll => "all_to_all",
            Self::Send => "send",
        }
    }
}

/// One collective that a plan causes.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// What it is.
    pub kind: Kind,
    /// The tensor that is converted.
    pub tensor: TensorId,
    /// The version that goes in.
    pub from: usize,
    /// The version that comes out.
    pub to: usize,
    /// The mesh axes that take part.
    pub group: Rc<[MeshId]>,
    /// How many devices take part.
    pub count: ExprId,
    /// The layout whose local size is the message: before it for reductions, after it for gathers.
    pub message: Layout,
    /// Where in the model it is needed (the op or tensor that causes it).
    pub model_place: Place,
    /// The scope of the consumer.
    pub scope: Rc<Instance>,
    /// Whether the consumer is of the residual stream.
    pub residual: bool,
    /// The part of a step of training that needs it.
    pub pass: Pass,
    /// Whether it brings the keys and values of a sequence together, or scatters their gradients.
    pub context: bool,
    /// The rule of the plan that causes it.
    pub rule: usize,
}

/// What brings the gradient of a weight from all micro-batches and replicas to where its weight
/// lies (and, where that is cut further for the update, the weight back).
#[derive(Clone, Debug)]
pub struct Reduction {
    /// The weight.
    pub weight: TensorId,
    /// Its gradient, as the backward pass leaves it.
    pub gradient: TensorId,
    /// The collectives once in a step, in order.
    pub conversions: Vec<Conversion>,
    /// The collectives of each micro-batch.
    pub each: Vec<Conversion>,
    /// What the devices that share the update keep only once, and how many they are.
    pub shared: Option<(Kept, ExprId)>,
}

/// An op with the layout that it runs in.
#[derive(Clone, Debug)]
pub struct LaidOp {
    /// The op.
    pub op: OpId,
    /// Shards of every axis of its operands and result.
    pub shards: Vec<Shard>,
    /// The version of each operand that it reads.
    pub reads: Vec<Version>,
}

/// A step with everything placed.
#[derive(Clone, Debug)]
pub enum LaidStep {
    /// A single op as its own kernel.
    Op(LaidOp),
    /// Ops of one kernel.
    Fuse(Fuse, Vec<LaidOp>),
    /// A collective.
    Convert(Conversion),
    /// A repeated body; the shards of its axis are the pipeline.
    Repeat {
        /// The repeat.
        repeat: Repeat,
        /// What runs in a round.
        body: Vec<LaidStep>,
        /// Set where a plan cuts the rounds into stages.
        stages: Option<Shard>,
        /// The versions that enter and leave the rounds, in the order of what is carried.
        ends: Vec<(Version, Version)>,
    },
    /// A part that runs in some rounds.
    Some {
        /// In how many.
        count: ExprId,
        /// What runs.
        body: Vec<LaidStep>,
        /// Which ways to the same values it is one of: the cheapest in a phase runs.
        way: Option<usize>,
    },
    /// Values that leave the arms of an `if` under one name.
    Join {
        /// One per arm.
        arms: Vec<Version>,
        /// The value after.
        result: TensorId,
    },
}

/// A model laid out over a mesh.
#[derive(Clone, Debug, Default)]
pub struct Laid {
    /// What runs, in order.
    pub steps: Vec<LaidStep>,
    /// In training: how many of the steps are the forward pass; the others are backward.
    pub forward_steps: Option<usize>,
    /// In training: what brings the gradients of weights together, once in a step.
    pub reductions: Vec<Reduction>,
    /// The layout of every tensor, as stored or as made.
    pub layouts: FxHashMap<TensorId, Layout>,
    /// The layouts that conversions give: those of versions 1 and up.
    pub converted: FxHashMap<TensorId, Vec<Layout>>,
    /// Axes that were cut, each once per rule.
    pub divisors: Vec<Divisor>,
    /// Tensors that cannot be laid out as asked.
    pub conflicts: Vec<Conflict>,
    /// Axes that an op needs whole and a rule cuts: op, axis, rule.
    pub whole: Vec<(OpId, AxisId, usize)>,
    /// Rules that name no axis of the model.
    pub unmatched: Vec<usize>,
    /// Scoped rules whose blocks do not exist, or have nothing with that axis.
    pub unscoped: Vec<usize>,
}

impl Laid {
    /// The layout of a version.
    #[must_use]
    pub fn layout(&self, version: Version) -> Option<&Layout> {
        match version.index.checked_sub(1) {
            None => self.layouts.get(&version.tensor),
            Some(i) => self.converted.get(&version.tensor)?.get(i),
        }
    }
}
