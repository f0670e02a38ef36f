//! Mesa: a declarative language for what large language models run on.
//!
//! source → syntax → checked IR → dataflow graph → one symbolic expression graph → readings

pub mod arena;
pub mod check;
pub mod cli;
pub mod diagnostic;
pub mod expr;
pub mod graph;
pub mod ir;
pub mod lower;
pub mod name;
pub mod quantity;
pub mod report;
pub mod source;
pub mod syntax;
