//! Predicted steps of training beside published ones, by class of machine.
//!
//! The table reads `measured/training.csv` below the directory that the environment variable
//! `MESA_SHARED_DATA` names, and is skipped without it;
//! `cargo test --test trained -- --nocapture` prints it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::Run;

/// A published run of a dense decoder.
struct Row {
    id: String,
    class: &'static str,
    model: String,
    system: &'static str,
    devices: u64,
    dp: u64,
    micro: u64,
    batch: u64,
    seq: u64,
    level: &'static str,
    full: bool,
    fp8: bool,
    /// Work of the model over the peak of all devices, no mask skipped.
    mfu: f64,
}

const HEAD: &str = "
use std.layers.{Gpt, LayerNormNoBias}
use std.runtimes.{LlmFoundryAmpere, LlmFoundryHopper}
use std.systems.{DGX_A100, DGX_A100_40GB, DGX_H100}
plan Shared(dp: Count, size: Count) {
  mesh dp
  shard batch over dp
  zero weights over dp
  overlap weights, gradients
  micro_batch = size
}
plan SharedFull(dp: Count, size: Count) {
  mesh dp
  shard batch over dp
  zero weights over dp
  overlap weights, gradients
  micro_batch = size
  recompute = full
}
plan Scattered(dp: Count, size: Count) {
  mesh dp
  shard batch over dp
  zero gradients over dp
  overlap weights, gradients
  micro_batch = size
}
";

/// Sizes of MPT: layers, hidden, heads.
const MPT: &[(&str, u64, u64, u64)] = &[
    ("125m", 12, 768, 12),
    ("350m", 24, 1024, 16),
    ("760m", 24, 1536, 12),
    ("1b", 24, 2048, 16),
    ("3b", 32, 2560, 20),
    ("7b", 32, 4096, 32),
    ("13b", 40, 5120, 40),
    ("30b", 48, 7168, 56),
    ("70b", 80, 8192, 64),
];

fn text(rows: &[&Row]) -> String {
    let mut out = String::from(HEAD);
    for (i, row) in rows.iter().enumerate() {
        let (seq, batch) = (row.seq, row.batch);
        let plan = match (row.level, row.full) {
            ("2", _) => "Scattered",
            (_, true) => "SharedFull",
            (_, false) => "Shared",
        };
        let compute = if row.fp8 { ", compute = fp8" } else { "" };
        writeln!(
            out,
            "model M{i} = {}\nscenario s{i} {{\n  model = M{i}\n  system = {}(nodes: {})\n  \
             runtime = {}\n  plan = {plan}(dp: {}, size: {})\n  precision {{ activations = bf16{compute} }}\n  \
             train {{ batch = {batch}, seq = {seq}, optimizer = adam }}\n}}",
            row.model,
            row.system,
            row.devices.div_ceil(8),
            if row.system == "DGX_H100" { "LlmFoundryHopper" } else { "LlmFoundryAmpere" },
            row.dp,
            row.micro,
        )
        .unwrap();
    }
    out
}

/// A row of the table, if it is of a run that is described in full.
fn row(line: &str) -> Option<Row> {
    let f = fields(line);
    let whole = |i: usize| f[i].parse::<u64>().ok();
    if f[16] != "mfu" || !f[0].starts_with("mpt") {
        return None;
    }
    let (_, layers, hidden, heads) =
        MPT.iter().find(|(name, ..)| f[1] == format!("MPT-{name}")).copied()?;
    let (class, system) = match f[3].as_str() {
        "A100-SXM4-80GB" => ("A100 80 GB", "DGX_A100"),
        "A100-SXM4-40GB" => ("A100 40 GB", "DGX_A100_40GB"),
        "H100-SXM5-80GB" => ("H100", "DGX_H100"),
        _ => return None,
    };
    let fp8 = f[13] == "fp8";
    Some(Row {
        id: f[0].clone(),
        class: if fp8 { "H100 fp8" } else { class },
        model: format!(
            "Gpt(layers: {layers}, hidden: {hidden}, heads: {heads}, vocab: 50368, alibi: true, \
             norm: LayerNormNoBias, qkv_bias: false, out_bias: false, mlp_bias: false)"
        ),
        system,
        devices: whole(4)?,
        dp: whole(5)?,
        micro: whole(10)?,
        batch: whole(11)?,
        seq: whole(12)?,
        level: if f[15].starts_with('2') { "2" } else { "3" },
        full: f[14] == "full",
        fp8,
        mfu: f[17].parse().ok()?,
    })
}

/// Fields of a line, quotes taken off.
fn fields(line: &str) -> Vec<String> {
    let (mut out, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    out.push(field);
    out
}

/// Errors of step times by class.
#[test]
fn published_runs_are_met_by_class() {
    let Ok(dir) = std::env::var("MESA_SHARED_DATA") else { return };
    let path = std::path::Path::new(&dir).join("measured/training.csv");
    let Ok(table) = std::fs::read_to_string(path) else { return };
    let rows: Vec<Row> = table.lines().skip(1).filter_map(row).collect();
    assert!(rows.len() > 150, "only {} rows", rows.len());
    let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let mut missing = 0;
    let all: Vec<&Row> = rows.iter().collect();
    for part in all.chunks(40) {
        let run = Run::of(&text(part));
        for (i, row) in part.iter().enumerate() {
            let Some(o) = run.scenarios.get(&format!("s{i}")) else {
                missing += 1;
                let first = run.findings.iter().find(|f| f.error).map(|f| f.title.clone());
                println!("{:10} {:10} none: {}", row.id, row.class, first.unwrap_or_default());
                continue;
            };
            let predicted = o.get("mfu");
            let error = row.mfu / predicted - 1.0;
            println!(
                "{:10} {:11} {:8} n{:<4} b{:<3} s{:<6} {:5} measured {:5.1} % predicted {:5.1} %  step {:+5.1} %",
                row.id,
                row.class,
                &row.model[..32],
                row.devices,
                row.micro,
                row.seq,
                if row.full { "full" } else { "" },
                row.mfu * 100.0,
                predicted * 100.0,
                error * 100.0,
            );
            errors.entry(row.class).or_default().push(error);
        }
    }
    println!("{missing} rows do not fit into memory or are refused");
    for (class, mut list) in errors {
        let mean = list.iter().sum::<f64>() / list.len() as f64;
        list.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let median = list[list.len() / 2].abs();
        println!(
            "== {class}: {} rows, median {:.1} %, mean {:+.1} %, worst {:.1} %",
            list.len(),
            median * 100.0,
            mean * 100.0,
            list[list.len() - 1].abs() * 100.0
        );
        // Three runs with the first library for fp8, which cast in kernels of its own.
        if class != "H100 fp8" {
            assert!(median < 0.12, "{class}: median error {median}");
        }
    }
}
