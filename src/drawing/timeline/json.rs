//! The timeline for programs: every pass, nothing left out.

use serde_json::json;

use super::Chart;
use crate::drawing::json::document;

/// The document; times are seconds.
#[must_use]
pub fn text(chart: &Chart) -> String {
    let p = &chart.pipeline;
    let devices: Vec<_> = chart
        .timeline
        .devices
        .iter()
        .enumerate()
        .map(|(device, slots)| {
            let passes: Vec<_> = slots
                .iter()
                .flat_map(|slot| slot.passes.iter().map(move |pass| (slot, pass)))
                .map(|(slot, pass)| {
                    json!({
                        "kind": pass.kind.word(),
                        "micro_batch": pass.micro_batch % p.micro_batches.max(1),
                        "step": pass.micro_batch / p.micro_batches.max(1),
                        "stage": pass.stage,
                        "chunk": chart.chunk(*pass),
                        "start": slot.start,
                        "end": slot.end,
                    })
                })
                .collect();
            json!({ "device": device, "busy": chart.timeline.busy(device), "passes": passes })
        })
        .collect();
    let own = json!({
        "phase": chart.phase,
        "schedule": chart.schedule,
        "stages": p.devices,
        "chunks": p.chunks,
        "micro_batches": p.micro_batches,
        "send": p.send,
        "time": {
            "played": p.time(&chart.timeline), "formula": chart.formula,
            "end": chart.timeline.end(), "idle_share": chart.idle(),
        },
        "devices": devices,
    });
    document(&chart.about, own, serde_json::to_string)
}
