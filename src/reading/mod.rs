//! Readings of the expression graph, one file each.
//!
//! In: a [`Graph`](crate::expr::Graph) and nodes of it. Out: numbers ([`number`]), derivations
//! ([`explain`]).

mod clauses;
pub mod explain;
pub mod number;
