//! Mesa: a declarative language for what large language models run on.
//!
//! source → syntax → checked IR → dataflow graph → one symbolic expression graph → readings

pub mod arena;
pub mod diagnostic;
pub mod name;
pub mod source;
pub mod syntax;
