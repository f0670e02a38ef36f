//! The embedded standard library: its files, and which names each part of it holds.

/// Every file of the library: its path below `std/` and its text.
pub const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// The files whose items need no `use`.
pub const PRELUDE: &[&str] = &["units", "dtypes", "axes", "ops"];
