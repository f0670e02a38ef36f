//! Readings of the expression graph, one file each.
//!
//! In: a [`Graph`](crate::expr::Graph) and nodes of it. Out: numbers ([`number`], and
//! [`batch`] for columns of points), derivations
//! ([`explain`]).

pub mod batch;
mod clauses;
pub mod explain;
pub mod number;
