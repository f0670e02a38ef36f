//! The placement for programs: every device.

use serde_json::{Value, json};

use super::{Placement, Share};
use crate::drawing::json::document;

/// The document; sizes are bytes, ranges are from and until (exclusive).
#[must_use]
pub fn text(placement: &Placement) -> String {
    let mesh: Vec<_> = placement
        .mesh
        .iter()
        .map(|a| {
            json!({
                "axis": a.name, "size": a.size, "stride": a.stride, "level": a.level,
                "link": a.link, "cuts": a.cuts,
            })
        })
        .collect();
    let levels: Vec<_> = placement
        .levels
        .iter()
        .map(|l| json!({ "level": l.name, "devices": l.devices, "link": l.link }))
        .collect();
    let stages: Vec<_> = placement
        .stages
        .iter()
        .map(|s| json!({ "layers": s.layers, "beside": s.beside, "memory": s.memory }))
        .collect();
    let devices: Vec<_> = (0..placement.devices)
        .map(|number| {
            let d = placement.device(number);
            let at: serde_json::Map<String, Value> = placement
                .mesh
                .iter()
                .zip(&d.at)
                .map(|(axis, at)| (axis.name.clone(), json!(at)))
                .collect();
            json!({
                "device": number, "node": d.node, "at": at, "stage": d.stage,
                "weights": shares(&d.weights), "cache": shares(&d.cache),
                "tokens": shares(&d.tokens), "keeps_alone": shares(&d.kept),
            })
        })
        .collect();
    let own = json!({
        "mesh": mesh,
        "machine": levels,
        "stages": stages,
        "devices": devices,
    });
    document(&placement.about, own, serde_json::to_string)
}

fn shares(shares: &[Share]) -> Vec<Value> {
    let one = |s: &Share| {
        let range = s.range.map(|[from, until, of]| json!([from, until, of]));
        json!({ "axis": s.axis, "part": s.part, "parts": s.parts, "range": range })
    };
    shares.iter().map(one).collect()
}
