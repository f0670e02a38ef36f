//! Batches against the tape, bit by bit, on random graphs and points and on every vector width.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Batch, LANES, Runner, Width};
use crate::expr::{ExprId, Graph, Op, Origin};
use crate::quantity::Dimension;
use crate::reading::number::Tape;
use crate::reading::number::tests::{add, graph_of, number, origin, same};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 10_000, failure_persistence: None, ..Default::default() }
}

/// The columns are the graph's own parameters.
fn batch(graph: &Graph, ids: &[ExprId], columns: usize, uniform: u64) -> Arc<Batch> {
    let column = |id: ExprId| graph.node(id).param();
    Arc::new(Batch::compile(graph, ids, columns, &column, uniform))
}

/// Values of the roots at all points, root by root.
fn run(batch: &Arc<Batch>, width: Width, columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut out = vec![Vec::new(); batch.roots()];
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    Runner::with_width(batch.clone(), width).run(&slices, &mut out);
    out
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_width_equals_the_tape_on_random_graphs_and_points(
        list in proptest::collection::vec(add(), 1..60),
        pool in proptest::collection::vec(number(), 8..24),
        points in 1..(LANES + 9),
    ) {
        let (graph, ids, params) = graph_of(&list);
        let columns = params.len().min(64);
        let value = |point: usize, column: usize| pool[(point * 7 + column * 5) % pool.len()];
        let table: Vec<Vec<f64>> =
            (0..columns).map(|c| (0..points).map(|p| value(p, c)).collect()).collect();
        let tape = Tape::compile(&graph, &ids);
        let wanted: Vec<Vec<f64>> = (0..points)
            .map(|p| tape.run(&(0..columns).map(|c| value(p, c)).collect::<Vec<_>>()))
            .collect();
        let batch = batch(&graph, &ids, columns, 0);
        for width in Width::available() {
            let found = run(&batch, width, &table);
            for (root, column) in found.iter().enumerate() {
                for (point, value) in column.iter().enumerate().take(points) {
                    let wanted = wanted[point][root];
                    prop_assert!(same(*value, wanted), "{width:?}: {value} and {wanted}");
                }
            }
        }
    }

    #[test]
    fn columns_that_stay_in_a_block_change_nothing_but_the_speed(
        list in proptest::collection::vec(add(), 1..60),
        pool in proptest::collection::vec(number(), 8..24),
    ) {
        let (graph, ids, params) = graph_of(&list);
        let columns = params.len().min(64);
        if columns == 0 {
            return Ok(());
        }
        // All but the last stay.
        let uniform = (1_u64 << columns.saturating_sub(1)) - 1;
        let tape = Tape::compile(&graph, &ids);
        let batch = batch(&graph, &ids, columns, uniform);
        let mut runner = Runner::new(batch.clone());
        // Block after block on one runner: what is kept from the last block must still be right.
        for block in 0..4 {
            let value = |point: usize, column: usize| {
                let last = column + 1 == columns;
                let at = if last { point } else { block / (column + 1) };
                pool[(at + column * 5) % pool.len()]
            };
            let points = 20;
            let table: Vec<Vec<f64>> =
                (0..columns).map(|c| (0..points).map(|p| value(p, c)).collect()).collect();
            let slices: Vec<&[f64]> = table.iter().map(Vec::as_slice).collect();
            let mut out = vec![Vec::new(); batch.roots()];
            runner.run(&slices, &mut out);
            for point in 0..points {
                let at: Vec<f64> = (0..columns).map(|c| value(point, c)).collect();
                for (found, wanted) in out.iter().zip(tape.run(&at)) {
                    prop_assert!(same(found[point], wanted), "{} and {wanted}", found[point]);
                }
            }
        }
    }
}

#[test]
fn dead_code_names_and_constants_are_no_steps_and_slots_are_used_again() {
    let mut graph = Graph::new();
    let named = |name: &str| Origin { ..origin(name) };
    let x = graph.param(0, 1.0, Dimension::NONE, named("x"));
    let two = graph.constant(2.0, Dimension::NONE, named("two"));
    let four = graph.mul(two, two);
    let _ = graph.unary(Op::Sqrt, x);
    let mut sum = graph.mul(x, four);
    for _ in 0..100 {
        sum = graph.add(sum, x);
        sum = graph.named(sum, named("sum"));
    }
    let column = |id: ExprId| graph.node(id).param();
    let batch = Batch::compile(&graph, &[sum], 1, &column, 0);
    assert_eq!(batch.len(), 101);
    assert!(batch.registers() <= 3, "{}", batch.registers());
}

#[test]
fn registers_lie_on_cache_lines() {
    assert_eq!(std::mem::align_of::<super::lanes::Lane>(), 64);
    assert_eq!(std::mem::size_of::<super::lanes::Lane>(), LANES * 8);
}
