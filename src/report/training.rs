//! Tables of a step of training: its time by part, rates and the run, and where the time goes.

use super::Scenario;
use super::sections::{share, shown, value};
use super::table::{Cell, Table, Tint};
use crate::quantity::format::{HumanUnit, human};

/// Parts of a step, in order; together they are its time.
const PARTS: [(&str, &str); 7] = [
    ("forward", "kernels of the slowest stage"),
    ("backward", "the same"),
    ("recompute", "the same, once more"),
    ("communication.exposed", "collectives that nothing hides"),
    ("offload.exposed", "transfers that nothing hides"),
    ("bubble", "the slowest stage waits"),
    ("optimizer", "the update"),
];
/// Passes of a step.
pub const PASSES: [&str; 3] = ["forward", "recompute", "backward"];
/// Phases of a step whose collectives are shown: of one micro-batch, and once.
pub const COLLECTIVES: [(&str, &str); 4] = [
    ("forward", "the forward pass of a micro-batch"),
    ("recompute", "what is recomputed of a micro-batch"),
    ("backward", "the backward pass of a micro-batch"),
    ("step", "a step, beside its micro-batches"),
];

/// Rates, utilization and the run.
#[must_use]
pub fn rates(scenario: &Scenario) -> Table {
    let rows = [
        ("step.time", "one step", "throughput.system", "all devices"),
        ("mfu", "no mask skipped", "throughput.device", "each device"),
        ("mfu_causal", "what masks skip left out", "run.time", "all tokens"),
        ("hfu", "what is made again counted", "run.cost", "all tokens, the whole machine"),
    ];
    let cell = |path: &str, tint| Cell::tinted(shown(scenario, path), tint);
    let rows = rows.into_iter().filter(|_| scenario.results.contains_key("step.time"));
    let rows = rows.map(|(a, what, b, of)| {
        vec![
            a.into(),
            cell(a, Tint::Strong),
            Cell::tinted(what, Tint::Dim),
            b.into(),
            cell(b, Tint::Strong),
            Cell::tinted(of, Tint::Dim),
        ]
    });
    let heads = vec!["", ">", "", "", ">", ""];
    Table { title: "Training".into(), heads, rows: rows.collect(), ..Table::default() }
}

/// Where the time of a step goes.
#[must_use]
pub fn step(scenario: &Scenario) -> Table {
    let mut table = Table { heads: vec!["", ">", ">", ""], ..Table::default() };
    let Some(time) = value(scenario, "step.time") else { return table };
    table.title = "Step".into();
    let count = value(scenario, "step.micro_batches").unwrap_or(f64::NAN);
    table.remark = format!(
        "{}, {} micro-batches",
        human(time, HumanUnit::Seconds),
        human(count, HumanUnit::Plain)
    );
    for (part, what) in PARTS {
        let Some(amount) = value(scenario, &format!("step.{part}")).filter(|v| *v != 0.0) else {
            continue;
        };
        table.rows.push(vec![
            part.into(),
            human(amount, HumanUnit::Seconds).into(),
            share(amount / time).into(),
            Cell::tinted(what, Tint::Dim),
        ]);
    }
    table
}

/// Time of each kind of layer in a step, over all stages, collectives included.
#[must_use]
pub fn layers(scenario: &Scenario) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for path in scenario.results.keys() {
        let name = path.strip_prefix("layers.").and_then(|r| r.split('.').next());
        names.extend(name.filter(|n| !names.contains(n)));
    }
    let time = |name: &str, pass: &str| {
        let parts = ["time", "communication.exposed"];
        let parts = parts.map(|p| value(scenario, &format!("layers.{name}.{pass}.{p}")));
        parts.into_iter().flatten().reduce(|a, b| a + b).filter(|t| *t != 0.0)
    };
    let all = names.iter().flat_map(|n| PASSES.iter().filter_map(|p| time(n, p)));
    let whole: f64 = all.sum();
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for name in names {
        let times = PASSES.map(|pass| time(name, pass));
        let Some(sum) = times.iter().flatten().copied().reduce(|a, b| a + b) else { continue };
        let mut row: Vec<Cell> = vec![name.into()];
        for time in times {
            row.push(time.map_or(String::new(), |t| human(t, HumanUnit::Seconds)).into());
        }
        row.push(share(sum / whole).into());
        rows.push(row);
    }
    let heads = vec!["", ">forward", ">recompute", ">backward", ">share"];
    let remark = "all stages and micro-batches, collectives included".into();
    Table { title: "Layers".into(), remark, heads, rows }
}
