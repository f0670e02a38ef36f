//! The documents say what is true: examples run, pictures and reference are what the program makes.
//!
//! `MESA_BLESS=1 cargo test --test docs` writes what is generated; read the difference then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// helpers of tests are tests

mod bless;
mod examples;
mod fences;
mod map;
mod pictures;
mod reference;
mod results;
