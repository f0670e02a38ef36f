//! What a name is and where it is used, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

#[path = "../common/mod.rs"]
mod common;
mod hovers;
mod library;
mod renaming;
mod shape;
mod uses;
