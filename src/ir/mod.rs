//! The checked program: plain data without source text, ready for layouts and costs.
//!
//! In: what `check` found to be right. Out: models, systems, plans and workloads with symbolic
//! sizes.

pub mod encodes;
pub mod model;
pub mod plan;
pub mod system;

pub use model::{
    Axis, AxisId, AxisSize, Dtype, Fuse, Model, OpId, OpInstance, Pass, Repeat, Role, Sharing,
    Step, Tensor, TensorId,
};
pub use plan::{
    Kept, MeshAxis, MeshId, Offload, Plan, Recompute, RecomputeLevel, Schedule, ShardRule,
    Training, Zero,
};
pub use system::{Level, System};
