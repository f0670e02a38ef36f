//! The parser that pest derives from `grammar/mesa.pest`.
//!
//! In: a piece of text and a rule. Out: pairs, which [`super::lower`] turns into the syntax tree.

#![allow(missing_docs)] // derived: the grammar documents its rules

use pest_derive::Parser;

/// The derived parser.
#[derive(Parser)]
#[grammar = "../grammar/mesa.pest"]
pub struct Grammar;
