//! The drawing for programs: one JSON document, always in the same order.

use serde_json::{Value, json};

use super::{Drawing, Level, Node, NodeId, Subject};

/// The document; times are seconds, sizes bytes, work floating-point operations.
#[must_use]
pub fn text(drawing: &Drawing) -> String {
    let level = match drawing.level {
        Level::Model => "model",
        Level::Layer => "layer",
        Level::Op => "op",
    };
    let mesh: Vec<_> = drawing
        .mesh
        .iter()
        .map(|m| {
            json!({
                "axis": m.name, "size": m.size, "stride": m.stride,
                "level": m.level, "cuts": m.cuts,
            })
        })
        .collect();
    let machine: Vec<_> = drawing
        .machine
        .iter()
        .map(|l| json!({ "level": l.name, "count": l.count, "devices": l.devices }))
        .collect();
    let groups: Vec<_> = drawing
        .groups
        .iter()
        .map(|g| {
            let stages = g.stages.as_ref().map(|(n, over)| json!({ "count": n, "over": over }));
            json!({ "times": g.times, "stages": stages })
        })
        .collect();
    let nodes: Vec<_> = drawing.nodes.iter().map(|(id, n)| node(id, n)).collect();
    let edges: Vec<_> = drawing
        .edges
        .iter()
        .map(|e| {
            json!({
                "from": name(e.from), "to": name(e.to), "tensor": e.tensor,
                "layout": e.layout, "critical": e.critical,
            })
        })
        .collect();
    let own = json!({
        "phase": drawing.phase,
        "level": level,
        "time": { "serial": drawing.total, "longest": drawing.longest },
        "machine": machine,
        "mesh": mesh,
        "repeats": groups,
        "nodes": nodes,
        "edges": edges,
    });
    document(&drawing.about, own, serde_json::to_string_pretty)
}

/// A document with fields of its own behind those that say what it is about.
pub(super) fn document(
    about: &Subject,
    own: Value,
    write: fn(&Value) -> serde_json::Result<String>,
) -> String {
    let mut all = json!({
        "mesa": env!("CARGO_PKG_VERSION"),
        "scenario": about.scenario,
        "model": about.model,
        "system": about.system,
        "plan": about.plan,
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
        all.extend(own);
    }
    write(&all).map_or_else(|_| String::new(), |text| text + "\n")
}

/// What a node is called in every format.
pub(super) fn name(id: NodeId) -> String {
    format!("n{}", id.index())
}

fn node(id: NodeId, n: &Node) -> Value {
    let exchange = n.exchange.as_ref().map(|e| {
        json!({
            "kind": e.kind, "axis": e.axis, "devices": e.devices, "message": e.message,
            "link": e.link, "algorithm": e.algorithm,
        })
    });
    json!({
        "id": name(id),
        "kind": n.kind.word(),
        "name": n.name,
        "layer": n.layer,
        "repeat": n.group,
        "times": n.times,
        "time": n.time,
        "total": n.total,
        "communication": n.communication,
        "flops": n.flops,
        "bytes": n.bytes,
        "layout": n.layout,
        "weights": n.weights,
        "collective": exchange,
        "critical": n.critical,
        "alone": n.alone,
        "beside": n.beside.iter().map(|b| name(*b)).collect::<Vec<_>>(),
    })
}
