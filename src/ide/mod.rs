//! What an editor asks, one question a file; data in, data out, no protocol.
//!
//! In: texts under edit ([`Workspace`]) and a place in one. Out: plain data: spans, edits, Markdown.
//! The transport is the crate `mesa-lsp`.

pub mod actions;
pub mod broken;
pub mod calls;
pub mod complete;
pub mod context;
pub mod describe;
pub mod document;
pub mod evaluated;
mod extract;
pub mod facts;
pub mod fields;
pub mod functions;
pub mod hints;
pub mod hover;
pub mod layout;
mod lenses;
pub mod mentions;
pub mod moved;
mod naming;
pub mod outline;
pub mod reach;
pub mod references;
pub mod resolve;
pub mod shelf;
pub mod signature;
pub mod symbols;
mod tidy;
pub mod tokens;
pub mod what_if;
pub mod words;
pub mod workspace;

pub use document::{Change, Encoding, Position};
pub use resolve::{Target, View};
pub use workspace::{Loaded, Texts, Workspace};
