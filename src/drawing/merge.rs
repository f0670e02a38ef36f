//! Coarser levels: neighbours in order of execution become one node.
//!
//! In: a drawing of kernels. Out: one of layers, or of the whole model. Only what runs one after
//! another is merged, so that no cycle can come of it.

use rustc_hash::FxHashMap;

use super::{Drawing, Edge, Kind, Level, Node, NodeId};
use crate::arena::Arena;

/// Merges nodes as the level of the drawing asks.
pub(super) fn merge(drawing: &mut Drawing) {
    if drawing.level == Level::Op {
        return;
    }
    let mut nodes: Arena<Node> = Arena::new();
    let mut into: FxHashMap<NodeId, NodeId> = FxHashMap::default();
    let mut open: Option<(Node, Vec<NodeId>)> = None;
    for (id, node) in drawing.nodes.iter() {
        if node.kind == Kind::Input {
            if open.as_ref().is_some_and(|(at, _)| at.group != node.group) {
                close(open.take(), &mut nodes, &mut into);
            }
            // Inputs stand before all of what is merged around them.
            into.insert(id, nodes.push(node.clone()));
            continue;
        }
        match &mut open {
            Some((at, ids)) if together(drawing.level, at, node) => {
                absorb(at, node);
                ids.push(id);
            }
            _ => {
                close(open.take(), &mut nodes, &mut into);
                open = Some((first(drawing.level, node), vec![id]));
            }
        }
    }
    close(open, &mut nodes, &mut into);
    let mut edges: Vec<Edge> = Vec::new();
    for edge in &drawing.edges {
        let (Some(&from), Some(&to)) = (into.get(&edge.from), into.get(&edge.to)) else {
            continue;
        };
        let same = |e: &Edge| e.from == from && e.to == to && e.tensor == edge.tensor;
        if from != to && !edges.iter().any(same) {
            edges.push(Edge { from, to, ..edge.clone() });
        }
    }
    drawing.nodes = nodes;
    drawing.edges = edges;
}

fn close(
    open: Option<(Node, Vec<NodeId>)>,
    nodes: &mut Arena<Node>,
    into: &mut FxHashMap<NodeId, NodeId>,
) {
    let Some((node, ids)) = open else { return };
    let new = nodes.push(node);
    into.extend(ids.into_iter().map(|id| (id, new)));
}

fn together(level: Level, a: &Node, b: &Node) -> bool {
    if a.group != b.group {
        return false;
    }
    let kernels = a.kind == Kind::Kernel && b.kind == Kind::Kernel;
    level == Level::Model || (kernels && a.layer == b.layer)
}

/// The node that others join.
fn first(level: Level, node: &Node) -> Node {
    let mut node = node.clone();
    if level == Level::Layer && node.kind == Kind::Collective {
        return node;
    }
    node.name = node.layer.clone();
    if level == Level::Model {
        if node.kind == Kind::Collective {
            node.communication = node.total;
        }
        if node.group.is_some() {
            node.name = "layers".to_owned();
        }
        node.kind = Kind::Kernel;
        node.exchange = None;
        node.layer = node.name.clone();
    }
    node
}

fn absorb(at: &mut Node, node: &Node) {
    at.total += node.total;
    at.times = at.times.max(node.times);
    at.time = at.total / at.times.max(1.0);
    let share = node.times / at.times.max(1.0);
    if node.kind == Kind::Collective {
        at.communication += node.total;
    } else {
        at.flops += node.flops * share;
        at.bytes += node.bytes * share;
    }
    at.weights.extend(node.weights.iter().cloned());
    at.layout = node.layout.clone();
    if at.group.is_none() && at.layer != node.layer {
        let names = at.name.split(", ");
        if !names.clone().any(|n| n == node.layer) {
            at.name = format!("{}, {}", at.name, node.layer);
        }
    }
}
