//! What Mesa says about a mistake: one [`Diagnostic`], many renderers.
//!
//! Every code is declared once, in [`codes`], with a page of its own; renderers only read.

pub mod codes;
mod finding;
pub mod fix;
mod meant;
pub mod miette;
pub mod pages;
pub mod render;

pub use codes::Code;
pub use finding::{Diagnostic, Edit, Fix, Label, MOST_FINDINGS, Safety, Severity, sort};
pub use meant::{closest, listed};
