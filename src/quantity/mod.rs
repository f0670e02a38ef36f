//! Quantities: what a number measures, and how it is shown to people.
//!
//! In: numbers in base units (seconds, bytes, FLOP, joules, dollars, tokens, devices). Out: checked
//! dimensions, and texts such as `3.35 TB/s`.

pub mod format;
