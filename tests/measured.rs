//! Predictions beside published measurements.
//!
//! The anchors stand here with their source. The larger table reads `measured/inference.csv` below
//! the directory that the environment variable `MESA_SHARED_DATA` names, and is skipped without it;
//! `cargo test --test measured -- --nocapture` prints it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::{Outcome, Run};

const HEAD: &str = "
use std.layers.Llama
use std.models.{Llama3_70B, Llama3_8B}
model Llama2_7B = Llama(layers: 32, hidden: 4096, heads: 32, ffn: 11008, vocab: 32000)
plan Tp(tp: Count) {
  mesh tp
  shard heads, ffn, vocab over tp
}
";

/// A scenario to evaluate and what was measured of it.
struct Row {
    id: String,
    class: &'static str,
    system: &'static str,
    model: &'static str,
    runtime: Option<&'static str>,
    weights: &'static str,
    devices: u64,
    batch: u64,
    prompt: u64,
    output: u64,
    what: What,
    measured: f64,
}

/// What a measurement is of. All are seconds.
#[derive(Clone, Copy, PartialEq)]
enum What {
    /// One pass over the prompt.
    Prefill,
    /// One token of one stream, all streams decoding.
    Decode,
    /// The same at a steady load: the prefills of the other streams come between.
    Loaded,
    /// Until the first token of an idle server.
    Ttft,
}

fn text(rows: &[Row]) -> String {
    let mut out = String::from(HEAD);
    let mut uses: Vec<String> = Vec::new();
    for row in rows {
        let name = row.system.split('(').next().unwrap_or_default();
        uses.push(format!("use std.systems.{name}"));
        uses.extend(row.runtime.map(|r| format!("use std.runtimes.{r}")));
    }
    uses.sort();
    uses.dedup();
    out = format!("{}\n{out}", uses.join("\n"));
    for (i, row) in rows.iter().enumerate() {
        let plan = if row.devices > 1 {
            format!("plan = Tp(tp: {})\n  ", row.devices)
        } else {
            String::new()
        };
        let runtime = row.runtime.map_or(String::new(), |r| format!("runtime = {r}\n  "));
        for (kind, batch) in [("", row.batch), ("_alone", 1)] {
            writeln!(
                out,
                "scenario s{i}{kind} {{\n  model = {}\n  system = {}\n  {plan}{runtime}  \
                 precision {{ weights = {}, \
                 activations = {act}, cache = {act}{compute} }}\n  serve {{ batch = {batch}, prompt = {}, \
                 output = {} }}\n}}",
                row.model,
                row.system,
                row.weights,
                row.prompt,
                row.output,
                compute = match row.weights {
                    "fp8" => ", compute = fp8",
                    "nvfp4" => ", compute = fp4",
                    _ => "",
                },
                act = if row.weights.starts_with('q') || row.weights == "fp16" { "fp16" } else { "bf16" },
            )
            .unwrap();
        }
    }
    out
}

fn predicted(row: &Row, all: &Outcome, alone: &Outcome) -> f64 {
    match row.what {
        What::Prefill => all.get("prefill.time"),
        What::Decode => all.get("tpot"),
        What::Ttft => alone.get("ttft"),
        What::Loaded => {
            let others = row.batch as f64 - 1.0;
            all.get("tpot") + others / row.output as f64 * alone.get("prefill.time")
        }
    }
}

fn errors(rows: &[Row]) -> Vec<(usize, f64, f64)> {
    let run = Run::of(&text(rows));
    let mut out = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let get = |name: String| run.scenarios.get(&name);
        let (Some(all), Some(alone)) = (get(format!("s{i}")), get(format!("s{i}_alone"))) else {
            println!("{}: not evaluated", row.id);
            continue;
        };
        let value = predicted(row, all, alone);
        out.push((i, value, value / row.measured - 1.0));
    }
    out
}

fn print(rows: &[Row], errors: &[(usize, f64, f64)]) -> BTreeMap<&'static str, (usize, f64, f64)> {
    let mut classes: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (i, value, error) in errors {
        let row = &rows[*i];
        println!(
            "{:12} {:22} {:12} {:10} n{:<2} b{:<4} {:5}/{:<5} measured {:9.2} ms  predicted {:9.2} ms {:+6.1} %",
            row.id,
            row.class,
            row.system,
            row.weights,
            row.devices,
            row.batch,
            row.prompt,
            row.output,
            row.measured * 1e3,
            value * 1e3,
            error * 100.0
        );
        classes.entry(row.class).or_default().push(*error);
    }
    let mut summary = BTreeMap::new();
    for (class, list) in classes {
        let mut sizes: Vec<f64> = list.iter().map(|e| e.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let median = sizes[sizes.len() / 2];
        let mean = list.iter().sum::<f64>() / list.len() as f64;
        let worst = sizes.last().unwrap();
        println!(
            "== {class}: {} rows, median {:.1} %, mean {:+.1} %, worst {:.1} %",
            list.len(),
            median * 100.0,
            mean * 100.0,
            worst * 100.0
        );
        summary.insert(class, (list.len(), median, mean));
    }
    summary
}

/// AIConfigurator, kernel data of an H100 SXM (SILICON mode, 2026-08), bf16, context 2048.
#[test]
fn kernel_data_of_an_h100_is_met_within_fifteen_percent() {
    let row = |id: &str, model, devices, batch, what, ms: f64| Row {
        id: id.into(),
        class: "anchors",
        system: if devices > 1 { "DGX_H100" } else { "H100_SXM_1" },
        model,
        runtime: None,
        weights: "bf16",
        devices,
        batch,
        prompt: 2048,
        output: 2,
        what,
        measured: ms / 1e3,
    };
    let rows = [
        row("8B", "Llama3_8B", 1, 1, What::Prefill, 46.7),
        row("8B", "Llama3_8B", 1, 1, What::Decode, 6.62),
        row("8B", "Llama3_8B", 1, 32, What::Decode, 9.73),
        row("70B", "Llama3_70B", 8, 1, What::Prefill, 93.7),
        row("70B", "Llama3_70B", 8, 1, What::Decode, 9.98),
        row("70B", "Llama3_70B", 8, 32, What::Decode, 13.19),
    ];
    let errors = errors(&rows);
    assert_eq!(errors.len(), rows.len());
    print(&rows, &errors);
    for (i, value, error) in errors {
        assert!(error.abs() < 0.15, "{} {}: {value}", rows[i].id, rows[i].batch);
    }
}

/// Qwen3.5 397B on B300 (InferenceX, SGLang 0.5.10, 2026-04): milliseconds for a token of each of so
/// many streams. In 45 of 60 layers a state is read and written in place of a cache.
#[test]
fn a_model_that_keeps_a_state_is_met_within_a_quarter() {
    let rows = [
        // Devices, streams, prompt, 4-bit experts, measured.
        (8, 4, 1024, false, 6.447),
        (8, 64, 1024, false, 16.745),
        (8, 4, 8192, false, 6.694),
        (8, 64, 8192, false, 21.587),
        (4, 4, 1024, false, 7.561),
        (4, 64, 1024, false, 23.710),
        (4, 4, 8192, false, 7.862),
        (4, 4, 1024, true, 6.155),
        (4, 128, 1024, true, 18.644),
    ];
    let mut errors = Vec::new();
    for (devices, batch, prompt, narrow, measured) in rows {
        let experts = if narrow { "precision.weights within Experts = nvfp4, " } else { "" };
        let text = format!(
            "use std.models.Qwen3_5_397B_A17B\nuse std.chips.B300_SXM\nuse std.links.NVLink5\n\
             system Node {{\n  chip gpu = B300_SXM\n  level node = {devices} of gpu via \
             NVLink5\n}}\nplan Tp(tp: Count) {{\n  mesh tp\n  shard heads, ffn, vocab over \
             tp\n}}\nscenario base {{\n  model = Qwen3_5_397B_A17B\n  system = Node\n  plan = Tp(tp: \
             {devices})\n  serve {{ batch = {batch}, prompt = {prompt}, output = 1024 }}\n}}\n\
             scenario s = base with {{ {experts}serve.batch = {batch} }}\n"
        );
        let ours = Run::of(&text).scenarios["s"].get("tpot") * 1e3;
        let error: f64 = ours / measured - 1.0;
        println!(
            "{devices} {batch} {prompt} {narrow}: {ours:.3}, measured {measured}, {error:+.3}"
        );
        assert!(error.abs() < 0.25, "{devices} {batch} {prompt} {narrow}: {ours}, {measured}");
        errors.push(error.abs());
    }
    errors.sort_by(f64::total_cmp);
    assert!(errors[rows.len() / 2] < 0.1, "{errors:?}");
}

#[test]
fn published_measurements_are_met_by_class() {
    let Ok(dir) = std::env::var("MESA_SHARED_DATA") else { return };
    let path = std::path::Path::new(&dir).join("measured/inference.csv");
    let Ok(table) = std::fs::read_to_string(path) else { return };
    let rows: Vec<Row> = table.lines().skip(1).filter_map(row).collect();
    assert!(rows.len() > 60, "only {} rows", rows.len());
    let errors = errors(&rows);
    let summary = print(&rows, &errors);
    for (class, (count, median, _)) in summary {
        // llama.cpp prefills on cards that it does not fill scatter sixfold among themselves.
        let bound = if class.ends_with("llama.cpp prefill") { 0.35 } else { 0.2 };
        assert!(median < bound, "{class}: {count} rows, median error {median}");
    }
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

const SYSTEMS: &[(&str, &str)] = &[
    ("NVIDIA A100-SXM4-80GB (330W)", "DGX_A100"),
    ("NVIDIA A100 SXM 80GB", "A100_SXM_80GB_1"),
    ("NVIDIA A100 PCIe 80GB", "A100_PCIe_80GB_1"),
    ("NVIDIA H100 80GB SXM", "DGX_H100"),
    ("NVIDIA H100 PCIe 80GB", "H100_PCIe_1"),
    ("NVIDIA H200 141GB SXM", "DGX_H200"),
    ("NVIDIA B200 180GB SXM", "DGX_B200"),
    ("NVIDIA RTX 4090", "RTX_4090_1"),
    ("NVIDIA RTX 4090 24GB", "RTX_4090_1"),
    ("NVIDIA RTX 5090", "RTX_5090_1"),
    ("NVIDIA RTX 3090", "RTX_3090_1"),
    ("NVIDIA RTX 3090 24GB", "RTX_3090_1"),
    ("NVIDIA L40S 48GB", "L40S_1"),
    ("NVIDIA RTX 6000 Ada 48GB", "RTX_6000_Ada_1"),
    ("NVIDIA RTX A6000 48GB", "RTX_A6000_1"),
    ("NVIDIA RTX PRO 6000 Blackwell", "RTX_PRO_6000_1"),
    ("DGX Spark (GB10)", "GB10_1"),
    ("Apple M1 Max 32-Core GPU 64GB", "M1_Max_1"),
    ("Apple M2 10-core GPU", "M2_1"),
    ("Apple M2 Max 38-core GPU", "M2_Max_1"),
    ("Apple M2 Ultra 76-core GPU", "M2_Ultra_1"),
    ("Apple M2 Ultra 76-Core GPU 192GB", "M2_Ultra_1"),
    ("Apple M3 10-core GPU", "M3_1"),
    ("Apple M3 Ultra 80-core GPU", "M3_Ultra_1"),
    ("Apple M4 10-core GPU", "M4_1"),
    ("Apple M4 Pro 20-core GPU", "M4_Pro_1"),
];

/// A line of the table, if its model, machine and software can be said here.
fn row(line: &str) -> Option<Row> {
    let f = fields(line);
    let at = |i: usize| f.get(i).map(String::as_str).unwrap_or_default();
    let (id, hardware, software) = (at(0), at(5), at(13));
    let family = id.split('-').next()?;
    let model = match at(1) {
        m if m.starts_with("Llama-3.3-70B") || m == "Llama-3.1-70B" => "Llama3_70B",
        "Llama-3.1-8B" | "Llama-3.1-8B-Instruct" | "Llama-3-8B" => "Llama3_8B",
        "LLaMA-2-7B" => "Llama2_7B",
        _ => return None,
    };
    let weights = match (at(3), family) {
        ("BF16", _) => "bf16",
        ("F16", _) => "fp16",
        ("FP8", _) => "fp8",
        ("FP4", _) => "nvfp4",
        ("INT8", _) => "int8",
        ("Q8_0", _) => "q8_0",
        ("Q4_0", _) => "q4_0",
        _ => return None,
    };
    let mut system = SYSTEMS.iter().find(|(h, _)| *h == hardware)?.1;
    let devices: u64 = at(6).parse().ok()?;
    let batch: u64 = at(8).parse().ok()?;
    let prompt: u64 = at(9).parse().ok()?;
    let output: u64 = at(10).parse().ok()?;
    let (metric, value): (&str, f64) = (at(11), at(12).parse().ok()?);
    let blackwell = system == "DGX_B200";
    let (class, runtime, what, measured) = match (family, metric) {
        // Few streams: with many, waiting and admission decide. In the first table only.
        ("ifx", "tpot_ms")
            if batch <= 8 && at(14).starts_with("2025-10")
                || family == "ifx"
                    && model == "Llama3_8B"
                    && batch <= 8
                    && prompt == 1024
                    && metric == "tpot_ms" =>
        {
            let trt = software.starts_with("trt");
            let runtime = match (trt, blackwell) {
                (true, true) => "TensorRtLlmBlackwell",
                (true, false) => "TensorRtLlm",
                (false, true) => "VLlmBlackwell",
                (false, false) => "VLlm",
            };
            let class = if blackwell { "B200 decode, loaded" } else { "Hopper decode, loaded" };
            (class, Some(runtime), What::Loaded, value / 1e3)
        }
        ("nim", "tpot_ms") if batch == 1 => ("Hopper NIM decode", None, What::Decode, value / 1e3),
        ("nim", "ttft_ms") if batch == 1 => ("Hopper NIM prefill", None, What::Ttft, value / 1e3),
        ("gptf", "decode_tok_s_user") => {
            ("A100 gpt-fast", Some("GptFast"), What::Decode, 1.0 / value)
        }
        ("apple", "decode_tok_s_user") => ("Apple decode", None, What::Decode, 1.0 / value),
        ("apple", "prefill_tok_s") => ("Apple prefill", None, What::Prefill, prompt as f64 / value),
        ("cuda" | "vulkan" | "xd", "decode_tok_s_user" | "prefill_tok_s") if devices == 1 => {
            let decode = metric == "decode_tok_s_user";
            let hbm = system.starts_with("A100") || system.starts_with("H100");
            let apple = system.starts_with('M');
            let pro =
                ["L40S_1", "RTX_A6000_1", "RTX_6000_Ada_1", "RTX_PRO_6000_1"].contains(&system);
            let class = match (apple, hbm, decode) {
                (true, _, true) => "Apple decode",
                (true, _, false) => "Apple prefill",
                (_, true, true) => "HBM llama.cpp decode",
                (_, true, false) => "HBM llama.cpp prefill",
                (_, _, true) => "GDDR llama.cpp decode",
                (_, _, false) if pro => "RTX pro llama.cpp prefill",
                (_, _, false) => "GeForce llama.cpp prefill",
            };
            let runtime = match (apple, hbm, pro) {
                (true, _, _) => None,
                (_, true, _) => Some("LlamaCppHbm"),
                (_, _, true) => Some("LlamaCppPro"),
                _ if system == "GB10_1" => None,
                _ => Some("LlamaCpp"),
            };
            let time = if decode { 1.0 / value } else { prompt as f64 / value };
            (class, runtime, if decode { What::Decode } else { What::Prefill }, time)
        }
        _ => return None,
    };
    if devices == 1 {
        system = match system {
            "DGX_H100" => "H100_SXM_1",
            "DGX_H200" => "H200_SXM_1",
            "DGX_B200" => "B200_SXM_1",
            "DGX_A100" => "A100_SXM_80GB_1",
            other => other,
        };
    }
    Some(Row {
        id: id.into(),
        class,
        system,
        model,
        runtime,
        weights,
        devices,
        batch,
        prompt: prompt.max(1),
        output: output.max(1),
        what,
        measured,
    })
}
