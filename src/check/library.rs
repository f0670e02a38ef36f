//! The embedded standard library: its files, and which names each part of it holds.

/// Every file of the library: its path below `std/` and its text.
pub const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/library.rs"));

/// The syntax trees of those files, in their order.
pub const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/library.bin"));

/// The names in those trees.
pub const NAMES: &[&str] = &include!(concat!(env!("OUT_DIR"), "/names.rs"));

/// The files whose items need no `use`.
pub const PRELUDE: &[&str] = &["units", "dtypes", "axes", "ops"];
