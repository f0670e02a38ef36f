//! A parallel plan: a mesh of devices and rules that lay axes over it.

use std::rc::Rc;

use super::Role;
use crate::arena::{Arena, Id};
use crate::expr::ExprId;
use crate::name::Name;
use crate::source::Place;

/// A mesh axis of a [`Plan`].
pub type MeshId = Id<MeshAxis>;

/// One axis of the mesh.
#[derive(Clone, Debug)]
pub struct MeshAxis {
    /// Its name: `tp`.
    pub name: Name,
    /// How many devices.
    pub size: ExprId,
    /// Devices of all axes inside it: how far apart its neighbours are.
    pub stride: ExprId,
    /// Where it is declared.
    pub place: Place,
    /// A level that it may straddle unevenly.
    pub across: Option<Name>,
}

/// `shard a over m within B`.
#[derive(Clone, Debug)]
pub struct ShardRule {
    /// The axis, dotted: `heads`, `vision.heads`.
    pub axis: Vec<Name>,
    /// Over which mesh axes, outermost first.
    pub over: Rc<[MeshId]>,
    /// Blocks or instances where it holds; empty: everywhere.
    pub within: Vec<Vec<Name>>,
    /// The axis in the rule.
    pub place: Place,
    /// The `within` clause, or the axis again.
    pub scope_place: Place,
}

/// `schedule interleaved(chunks: 2)`.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name: `one_f_one_b`, `gpipe`, `interleaved`.
    pub name: Name,
    /// Chunks of layers on each device.
    pub chunks: Option<ExprId>,
    /// Where it is said.
    pub place: Place,
}

/// What replicas keep only once, each what comes before it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// What the optimizer keeps.
    Optimizer,
    /// Gradients.
    Gradients,
    /// Weights.
    Weights,
}

/// `zero optimizer over dp`.
#[derive(Clone, Debug)]
pub struct Zero {
    /// What is kept once.
    pub what: Kept,
    /// Over which mesh axes.
    pub over: Rc<[MeshId]>,
    /// Where it is said.
    pub place: Place,
}

/// `offload { cache = host }`: where a state lies that is not on the devices.
#[derive(Clone, Debug)]
pub struct Offload {
    /// What lies elsewhere.
    pub role: Role,
    /// Blocks, instances or weights where it holds; empty: everywhere.
    pub within: Vec<Vec<Name>>,
    /// A memory of the machine, by its place among them; none: it stays on the devices.
    pub to: Option<usize>,
    /// Where it is said.
    pub place: Place,
}

/// How much is made once more in the backward pass instead of kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecomputeLevel {
    /// Nothing but what never left a fused kernel.
    #[default]
    None,
    /// What grows with the square of the sequence: the core of attention.
    Selective,
    /// Everything: the bodies of repeats.
    Full,
    /// Everything, and what it hands on is not kept either: it is made again where it is read.
    Discard,
}

/// What is made once more in the backward pass: of all layers, and of some blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recompute {
    /// What holds where no rule does.
    pub general: RecomputeLevel,
    /// Rules within blocks or instances; later ones win.
    pub scoped: Vec<(Vec<Vec<Name>>, RecomputeLevel)>,
}

/// What a step of training is made of beside the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// What the backward pass makes once more.
    pub recompute: Recompute,
    /// Whether weights stay as they are: where no rule holds.
    pub frozen: bool,
    /// Rules within blocks or instances; later ones win.
    pub frozen_within: Vec<(Vec<Vec<Name>>, bool)>,
}

/// A checked plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Its name.
    pub name: Option<Name>,
    /// Mesh axes, outermost first.
    pub mesh: Arena<MeshAxis>,
    /// Rules in order.
    pub rules: Vec<ShardRule>,
    /// Whether a size of the mesh is wrong: the rules can still be held against a model.
    pub wrong_sizes: bool,
    /// Devices of the whole mesh; none for a plan without mesh.
    pub devices: Option<ExprId>,
    /// In which order stages of a pipeline work; none: the default.
    pub schedule: Option<Schedule>,
    /// What is kept only once.
    pub zero: Vec<Zero>,
    /// Whether weights that are gathered for the forward pass stay until the backward pass.
    pub keep_gathered: bool,
    /// Layers of the first stage and of the last one, where they differ from those between.
    pub ends: [Option<ExprId>; 2],
    /// Whether keys and values go round in a ring while attention works on what is there.
    pub ring: bool,
    /// Whether each device has one chunk of a causal sequence, not two that even out.
    pub contiguous: bool,
    /// What hides behind compute, with where that is said.
    pub overlap: Vec<(Name, Place)>,
    /// What lies outside of the devices; later ones win, and those within blocks before others.
    pub offload: Vec<Offload>,
    /// The share of it that does; none: all.
    pub offload_share: Option<ExprId>,
}
