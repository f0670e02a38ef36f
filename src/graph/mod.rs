//! Model and plan to dataflow: layouts, and the conversions (collectives) between them.
//!
//! In: a checked model and plan. Out: the model's steps with the layout that every op runs in and
//! every conversion that it causes. Sizes stay symbolic; only *which* axes are sharded is decided.

mod convert;
mod layout;
mod rules;
mod shards;
mod training;
mod walk;

pub use layout::{
    Conversion, Kind, Laid, LaidOp, LaidStep, Layout, Partial, Reduction, Shard, Version,
};
pub use rules::{Conflict, Divisor, op_matches, scope_matches};
pub use training::saved;
pub use walk::lay_out;
