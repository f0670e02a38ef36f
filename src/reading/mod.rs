//! Readings of the expression graph, one file each.
