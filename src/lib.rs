//! Mesa: a declarative language for what large language models run on.
//!
//! source → syntax → checked IR → dataflow graph → one symbolic expression graph → readings

pub mod arena;
pub mod cli;
pub mod diagnostic;
pub mod name;
pub mod quantity;
pub mod source;
pub mod syntax;
