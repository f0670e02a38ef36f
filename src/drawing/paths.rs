//! The longest way through a pass, what runs alone, and what may run beside what.
//!
//! In: nodes and edges. Out: their marks, and the sums of the drawing.

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Drawing, Kind, NodeId};

/// Marks the longest way, serialization points and concurrency.
pub(super) fn mark(drawing: &mut Drawing) {
    let mut graph: DiGraph<NodeId, ()> = DiGraph::new();
    let mut index: FxHashMap<NodeId, NodeIndex> = FxHashMap::default();
    for (id, _) in drawing.nodes.iter() {
        index.insert(id, graph.add_node(id));
    }
    for edge in &drawing.edges {
        if let (Some(a), Some(b)) = (index.get(&edge.from), index.get(&edge.to)) {
            graph.update_edge(*a, *b, ());
        }
    }
    drawing.total = drawing.nodes.iter().map(|(_, n)| n.total).sum();
    // A dataflow has no cycles; if it had, nothing would be marked.
    let Ok(order) = toposort(&graph, None) else { return };
    longest(drawing, &graph, &order);
    beside(drawing, &graph, &order);
}

fn longest(drawing: &mut Drawing, graph: &DiGraph<NodeId, ()>, order: &[NodeIndex]) {
    let mut ends: FxHashMap<NodeIndex, (f64, Option<NodeIndex>)> = FxHashMap::default();
    for at in order {
        let before = graph
            .edges_directed(*at, petgraph::Direction::Incoming)
            .filter_map(|e| Some((ends.get(&e.source())?.0, Some(e.source()))))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let (time, from) = before.unwrap_or((0.0, None));
        let own = graph.node_weight(*at).map_or(0.0, |id| drawing.nodes[*id].total);
        ends.insert(*at, (time + own, from));
    }
    let time = |at: &&NodeIndex| ends.get(at).map_or(0.0, |e| e.0);
    let mut at = order.iter().max_by(|a, b| time(a).total_cmp(&time(b))).copied();
    drawing.longest = at.map_or(0.0, |a| time(&&a));
    let mut later: Option<NodeId> = None;
    while let Some(here) = at {
        let Some(id) = graph.node_weight(here).copied() else { break };
        drawing.nodes[id].critical = true;
        for edge in &mut drawing.edges {
            edge.critical |= edge.from == id && Some(edge.to) == later;
        }
        later = Some(id);
        at = ends.get(&here).and_then(|e| e.1);
    }
}

fn beside(drawing: &mut Drawing, graph: &DiGraph<NodeId, ()>, order: &[NodeIndex]) {
    let mut before: FxHashMap<NodeId, FxHashSet<NodeId>> = FxHashMap::default();
    for at in order {
        let Some(id) = graph.node_weight(*at) else { continue };
        let mut all: FxHashSet<NodeId> = FxHashSet::default();
        for from in graph.neighbors_directed(*at, petgraph::Direction::Incoming) {
            let Some(from) = graph.node_weight(from) else { continue };
            all.extend(before.get(from).into_iter().flatten().copied());
            all.insert(*from);
        }
        before.insert(*id, all);
    }
    let is_before = |a: NodeId, b: NodeId| before.get(&b).is_some_and(|s| s.contains(&a));
    let runs: Vec<NodeId> =
        drawing.nodes.iter().filter(|(_, n)| n.kind != Kind::Input).map(|(id, _)| id).collect();
    for id in &runs {
        // Before and after a repeat, and in it, run one after another.
        let group = drawing.nodes[*id].group;
        let others = runs.iter().copied().filter(|o| {
            o != id
                && drawing.nodes[*o].group == group
                && !is_before(*o, *id)
                && !is_before(*id, *o)
        });
        let others: Vec<NodeId> = others.collect();
        drawing.nodes[*id].alone = others.is_empty();
        drawing.nodes[*id].beside = others;
    }
}
