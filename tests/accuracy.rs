//! The table of `docs/accuracy.md`: every `measured` item of the examples beside its prediction.
//!
//! `MESA_BLESS=1 cargo test --test accuracy` writes it anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEAD: &str = "# Predicted and measured

Every `measured` item of the [examples](../examples), as `mesa eval` prints it. This file is made by
`MESA_BLESS=1 cargo test --test accuracy`.

What was fitted, and on what: `gemm_efficiency` and `elementwise_bandwidth_efficiency` of the A100 on
the 16 steps of `megatron-2021.mesa`. Everything else in these files was held out, the eight steps of
`megatron-2022.mesa` among it; they take the same assumptions. Other machines keep the figures of
their class in `stdlib/runtimes/chips.mesa`, none of which was fitted to a row here.

";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// A measured item of a report.
struct Row {
    item: String,
    path: String,
    measured: String,
    predicted: String,
    error: f64,
}

/// The rows of one example that trains.
fn rows(file: &Path) -> Vec<Row> {
    let output = Command::new(env!("CARGO_BIN_EXE_mesa"))
        .args(["eval", "--format", "json"])
        .arg(file)
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut out = Vec::new();
    for (name, scenario) in json["scenarios"].as_object().unwrap() {
        let list = scenario.get("measurements").and_then(|m| m.as_array());
        for m in list.into_iter().flatten() {
            let number = |key: &str| m[key]["value"].as_f64().unwrap();
            let (a, b) = (number("measured"), number("predicted"));
            out.push(Row {
                item: name.clone(),
                path: m["path"].as_str().unwrap().to_owned(),
                measured: shown(a),
                predicted: shown(b),
                error: b / a - 1.0,
            });
        }
    }
    out
}

fn shown(value: f64) -> String {
    match value {
        v if v < 1.0 => format!("{:.1} %", v * 100.0),
        v if v < 86400.0 => format!("{v:.2} s"),
        v => format!("{:.1} d", v / 86400.0),
    }
}

fn table() -> (String, Vec<(String, Vec<f64>)>) {
    let (mut text, mut all) = (String::from(HEAD), Vec::new());
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root().join("examples")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let source = std::fs::read_to_string(&file).unwrap();
        if !source.contains("\nmeasured ") || !source.contains("train {") {
            continue;
        }
        let rows = rows(&file);
        writeln!(text, "## `{name}`\n").unwrap();
        writeln!(text, "| item | what | measured | predicted | error |").unwrap();
        writeln!(text, "| --- | --- | ---: | ---: | ---: |").unwrap();
        for row in &rows {
            writeln!(
                text,
                "| {} | `{}` | {} | {} | {:+.1} % |",
                row.item,
                row.path,
                row.measured,
                row.predicted,
                row.error * 100.0
            )
            .unwrap();
        }
        let errors: Vec<f64> = rows.iter().map(|r| r.error.abs()).collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let worst = errors.iter().copied().fold(0.0, f64::max);
        let (mean, worst) = (mean * 100.0, worst * 100.0);
        writeln!(text, "\nMean error {mean:.1} %, worst {worst:.1} %.\n").unwrap();
        all.push((name, errors));
    }
    (text, all)
}

#[test]
fn the_table_of_errors_is_current_and_held_out_steps_are_met() {
    let (text, all) = table();
    let path = root().join("docs/accuracy.md");
    if std::env::var_os("MESA_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == text, "docs/accuracy.md is old: MESA_BLESS=1 cargo test --test accuracy");
    let errors = |file: &str| &all.iter().find(|(name, _)| name == file).unwrap().1;
    let held_out = errors("megatron-2022.mesa");
    assert_eq!(held_out.len(), 8);
    assert!(held_out.iter().sum::<f64>() / 8.0 < 0.05, "{held_out:?}");
    assert!(held_out.iter().all(|e| *e < 0.1), "{held_out:?}");
    assert_eq!(errors("megatron-2021.mesa").len(), 16);
}
