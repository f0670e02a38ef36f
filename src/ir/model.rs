//! A model: axes, tensors and ops in order, built once for all phases. Sizes are symbolic.

use std::rc::Rc;

use crate::arena::{Arena, Id};
use crate::expr::ExprId;
use crate::name::Name;
use crate::source::Place;

/// An axis of a [`Model`].
pub type AxisId = Id<Axis>;
/// A tensor of a [`Model`].
pub type TensorId = Id<Tensor>;
/// An op of a [`Model`].
pub type OpId = Id<OpInstance>;

/// How long an axis is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AxisSize {
    /// Known from the model's parameters.
    Fixed(ExprId),
    /// Set by the phase that runs: `batch`, `seq`, `ctx`, `positions`.
    Phase(Name),
    /// The product of parts.
    Composite(ExprId),
}

/// A named axis of tensors.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The name it was made with.
    pub name: Name,
    /// Every name it goes by in some block, with the instance path that calls it so.
    pub aliases: Vec<(Name, Rc<[Name]>)>,
    /// The instance that made it: binding names from the root.
    pub path: Rc<[Name]>,
    /// How long it is.
    pub size: AxisSize,
    /// For a composite axis its parts, major first (atoms only).
    pub parts: Vec<AxisId>,
    /// Composite axes that this one is a part of.
    pub whole: Vec<AxisId>,
    /// For an axis made by `rename: seq -> ctx`: the axis it was.
    pub renamed_from: Option<AxisId>,
    /// For a cached axis: how many of its elements are ever looked at.
    pub window: Option<ExprId>,
    /// For a cached axis: how many positions become one element.
    pub stride: Option<ExprId>,
    /// For an axis of which only some elements are there: how many of them.
    pub sparse: Option<Sparse>,
    /// For `repeat`: the axis that counts its rounds.
    pub repeats: bool,
    /// Where it is declared.
    pub place: Place,
}

/// An axis that is mostly empty: a token picks a few of many experts. A tensor that has it beside
/// one of `along` holds only what was picked; what has it alone is read only where it was picked.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    /// How many of its elements are there at each place along the others.
    pub present: ExprId,
    /// The axes along which that is so: the tokens.
    pub along: Rc<[AxisId]>,
    /// From how many groups of its elements are picked, where that is limited.
    pub reach: Option<ExprId>,
    /// The axis that is picked from, if its length is set by a phase: keys.
    pub keys: Option<AxisId>,
}

/// What a tensor is for; decides its number format and which memory it is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the words of the language
pub enum Role {
    Weights,
    Activations,
    Cache,
    State,
    Gradients,
    Optimizer,
}

impl Role {
    /// All roles, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Weights,
        Self::Activations,
        Self::Cache,
        Self::State,
        Self::Gradients,
        Self::Optimizer,
    ];
    /// The word of the language.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Activations => "activations",
            Self::Cache => "cache",
            Self::State => "state",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer",
        }
    }
}

/// A number format.
#[derive(Clone, Debug)]
pub struct Dtype {
    /// Its name: `bf16`, `int4_g128`.
    pub name: Name,
    /// Bytes per element, scales and zeros included.
    pub width: ExprId,
    /// Bits of the element itself, for choosing the widest.
    pub bits: f64,
    /// What several elements have together: scales, zero points.
    pub shared: Vec<Sharing>,
    /// For a mix: what the weights within some blocks have instead; later ones win.
    pub parts: Vec<(Vec<Vec<Name>>, Rc<Self>)>,
    /// Where it is declared.
    pub place: Place,
}

/// What several elements of a number format have together.
#[derive(Clone, Debug, PartialEq)]
pub struct Sharing {
    /// What: `scale`, `zero` or `super`.
    pub what: &'static str,
    /// Its bits.
    pub bits: f64,
    /// For how many elements there is one.
    pub per: f64,
    /// The rows and columns of a matrix that it is for, where these are not so many of one row.
    pub block: Option<[f64; 2]>,
}

/// A tensor of the dataflow.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The name it is bound to (or that of the op that made it).
    pub name: Name,
    /// Whether a definition gave it its name.
    pub named: bool,
    /// Its axes, composites expanded.
    pub axes: Vec<AxisId>,
    /// Its axes as written.
    pub written: Vec<AxisId>,
    /// What it is for.
    pub role: Role,
    /// Its number format.
    pub dtype: Rc<Dtype>,
    /// Stored share of the elements (2:4 sparsity: 0.5).
    pub density: Option<ExprId>,
    /// The op that makes it; none for weights and inputs.
    pub producer: Option<OpId>,
    /// Where it is defined.
    pub place: Place,
    /// Names of the weight in a checkpoint, `{i}` for repeats.
    pub from: Option<String>,
    /// The instance it belongs to.
    pub scope: Rc<Instance>,
    /// The rounds of its repeat in which it exists, from 0, where they are not all.
    pub only: Option<Rc<[u32]>>,
    /// The indices of the repeats that it stands in, outermost first, with their rounds.
    pub indices: Rc<[(Name, ExprId)]>,
    /// Shared with another weight (tied embeddings): counted once.
    pub tied: bool,
}

impl Tensor {
    /// Its name with the instances it stands in: `attention.wq`.
    #[must_use]
    pub fn path(&self) -> String {
        let names = self.scope.path.iter().copied().chain([self.name]);
        names.map(|n| n.text()).collect::<Vec<_>>().join(".")
    }
}

/// An instance of a block in the model: where an op stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Binding names from the root: `[attention]`.
    pub path: Rc<[Name]>,
    /// The blocks of the instances from the root: `[Llama, GroupedQueryAttention]`.
    pub blocks: Rc<[Name]>,
    /// Where it was called.
    pub place: Place,
}

/// The part of a step of training that an op runs in; serving knows only the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pass {
    /// The forward pass.
    #[default]
    Forward,
    /// What is made once more because it was not kept.
    Recompute,
    /// Gradients.
    Backward,
}

/// An op applied to tensors.
#[derive(Clone, Debug)]
pub struct OpInstance {
    /// The op: an item of the library or of the user.
    pub op: Name,
    /// Position of its declaration among the ops used (see `check`).
    pub declaration: usize,
    /// Tensor operands with the names of their parameters.
    pub operands: Vec<(Name, TensorId)>,
    /// The result.
    pub result: TensorId,
    /// Axis variables: `A`, `B`, `R`, `over`.
    pub axes: Vec<(Name, Rc<[AxisId]>)>,
    /// Axes that leave partial sums when they are sharded.
    pub sums: Vec<AxisId>,
    /// Axes that must not be sharded.
    pub whole: Vec<AxisId>,
    /// Axes of which only some elements are there from this op on.
    pub sparse: Vec<AxisId>,
    /// Sparse axes that are left whole where what picks from them is cut: nothing is sent yet.
    pub local: Vec<AxisId>,
    /// Operands in which the op is linear, taken together; the others are factors.
    pub linear: Vec<TensorId>,
    /// Operands of which only the axes matter.
    pub unread: Vec<TensorId>,
    /// The block instance that it stands in.
    pub scope: Rc<Instance>,
    /// Whether it defines a carried value: the scope `residual`.
    pub residual: bool,
    /// Where it is written.
    pub place: Place,
    /// The role in which the result is kept between steps (`cache`, `state`).
    pub stores: Option<Role>,
    /// Whether the result is the operand under other axes: nothing moves.
    pub view: bool,
    /// Whether what it makes is said of a whole text: no token follows.
    pub concludes: bool,
    /// Whether parts of it are finished from a greatest value and a sum for each row: the axis that
    /// it needs whole may be cut.
    pub combines: bool,
    /// Axes of what must be kept so that the op can be made again inside of a fused kernel.
    pub keeps: Option<Vec<AxisId>>,
    /// The part of a step of training that it belongs to.
    pub pass: Pass,
}

/// A group of ops that runs as one kernel: inner tensors never travel to memory.
#[derive(Clone, Debug)]
pub struct Fuse {
    /// The kernel's name.
    pub name: Name,
    /// The ops.
    pub ops: Vec<OpId>,
    /// The instance it stands in.
    pub scope: Rc<Instance>,
    /// Where it is written.
    pub place: Place,
}

/// A repeated body.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// The axis that counts its rounds, for `shard layers over pp`.
    pub axis: AxisId,
    /// How many rounds.
    pub count: ExprId,
    /// Carried values: on entry from outside, inside at the start, inside at the end, after.
    pub carried: Vec<Carried>,
    /// The body.
    pub body: Vec<Step>,
    /// Where it is written.
    pub place: Place,
}

/// One carried value of a [`Repeat`].
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// The tensor that enters the first round.
    pub before: TensorId,
    /// The tensor at the start of a round.
    pub start: TensorId,
    /// The tensor at the end of a round.
    pub end: TensorId,
    /// The tensor after the last round.
    pub after: TensorId,
}

/// A step of a model in order.
#[derive(Clone, Debug)]
pub enum Step {
    /// One op.
    Op(OpId),
    /// A fused kernel.
    Fuse(Fuse),
    /// A repeated body.
    Repeat(Repeat),
    /// A part of a repeated body that runs in some rounds only.
    Some {
        /// In how many rounds.
        count: ExprId,
        /// What runs.
        body: Vec<Step>,
        /// Which arm of which `if` it is; arms stand one after another.
        branch: Branch,
    },
    /// Values that leave the arms of an `if` under one name.
    Join {
        /// One per arm.
        arms: Vec<TensorId>,
        /// The value after.
        result: TensorId,
    },
}

/// One arm of an `if`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Tells one `if` from another.
    pub choice: usize,
    /// Which arm, and of how many.
    pub arm: usize,
    /// All arms, those without steps too.
    pub arms: usize,
    /// Whether the arms are ways to the same values, of which the cheapest runs.
    pub cheapest: bool,
}

/// A checked model.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Its name.
    pub name: Option<Name>,
    /// All axes.
    pub axes: Arena<Axis>,
    /// All tensors.
    pub tensors: Arena<Tensor>,
    /// All ops.
    pub ops: Arena<OpInstance>,
    /// What runs, in order.
    pub steps: Vec<Step>,
    /// Weights in order, with how many rounds of repeats each exists in.
    pub weights: Vec<(TensorId, Option<ExprId>)>,
    /// Caches and states in order, with how many rounds each exists in.
    pub stored: Vec<(TensorId, Option<ExprId>)>,
    /// Names in arms of an `if` that these arguments leave out: other ones would have them.
    pub left_out: Vec<Name>,
    /// Inputs of the root block.
    pub inputs: Vec<TensorId>,
    /// Outputs of the root block.
    pub outputs: Vec<TensorId>,
    /// In training: how many of the steps are the forward pass; the others are backward.
    pub forward_steps: Option<usize>,
    /// In training: weights with their gradients, summed over all that reads them.
    pub gradients: Vec<(TensorId, TensorId)>,
}

impl Model {
    /// The axes of an op's operands and result, each once.
    #[must_use]
    pub fn axes_of(&self, op: OpId) -> Vec<AxisId> {
        let op = &self.ops[op];
        let tensors = op.operands.iter().map(|(_, t)| *t).chain([op.result]);
        let mut axes = Vec::new();
        for axis in tensors.flat_map(|t| &self.tensors[t].axes) {
            if !axes.contains(axis) {
                axes.push(*axis);
            }
        }
        axes
    }
}
