//! The tree-sitter grammar of `.mesa`, for editors and for tools that colour code.
//!
//! In: nothing. Out: the compiled language and the queries of `queries/`.

#![allow(unsafe_code)] // the parser is C

use tree_sitter_language::LanguageFn;

unsafe extern "C" {
    fn tree_sitter_mesa() -> *const ();
}

/// The language, to be given to a tree-sitter parser.
// SAFETY: the function is the one that tree-sitter generated; it returns a static table.
pub const LANGUAGE: LanguageFn = unsafe { LanguageFn::from_raw(tree_sitter_mesa) };

/// What gets which colour.
pub const HIGHLIGHTS_QUERY: &str = include_str!("../queries/highlights.scm");
/// What can be folded.
pub const FOLDS_QUERY: &str = include_str!("../queries/folds.scm");
/// What is indented.
pub const INDENTS_QUERY: &str = include_str!("../queries/indents.scm");
/// What defines a name, where, and what refers to it.
pub const LOCALS_QUERY: &str = include_str!("../queries/locals.scm");
