//! `mesa import`: configs of all architectures it knows, broken ones, and a corpus of real ones.
//!
//! The corpus is not part of the repository: a folder with `hf-configs`, `hf-index` and
//! `measured/params.csv`, named by MESA_SHARED_DATA. Tests over it say that they were skipped
//! where the variable is not set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

#[path = "../common/weights.rs"]
mod common;
mod configs;
mod corpus;
#[path = "../common/dice.rs"]
mod dice;
mod kin;
mod mistakes;
mod mutated;
mod quantized;
mod written;

use mesa::import::Imported;

/// Codes of the findings, each once, in order.
fn codes(imported: &Imported) -> Vec<&'static str> {
    let mut codes: Vec<_> = imported.findings.iter().map(|d| d.code.id()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// `8,030,261,248`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let parts: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap()).collect();
    parts.join(",")
}
