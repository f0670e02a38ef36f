//! Text to syntax and back: parsing with recovery, the abstract syntax, the formatter.
//!
//! In: a text. Out: items with spans and diagnostics; never a failure as a whole.

pub mod ast;
mod depth;
pub mod format;
mod grammar;
mod lower;
pub mod packed;
pub mod parse;
pub mod pieces;
mod recover;
pub(crate) mod token;
mod words;

pub use lower::{NO_THOUSANDS, THOUSANDS, WITHOUT_THOUSANDS};
