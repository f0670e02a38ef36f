//! Number formats: bits of a weight with its scales, zeros and what blocks have, against what the
//! formats are made of, and sizes of whole models against published ones.
//!
//! The published sizes are not part of the repository: `measured/memory.csv` in the folder that
//! MESA_SHARED_DATA names. The test over them says that it was skipped where that is not set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use std::collections::BTreeMap;

mod common;
#[path = "common/weights.rs"]
mod weights;

use mesa::{Checker, Program};

/// Bits of a weight in a format.
fn bits(name: &str) -> f64 {
    let program = Program::of_text("empty.mesa", "");
    let mut checker = Checker::new(&program);
    let dtype = checker.dtype_named(name).unwrap_or_else(|| panic!("no format {name}"));
    checker.graph.value(dtype.width) * 8.0
}

#[test]
fn formats_take_what_their_blocks_take() {
    // Bytes of a block, and the weights in it.
    let blocks = [
        ("q4_0", 18.0, 32.0),
        ("q4_1", 20.0, 32.0),
        ("q5_0", 22.0, 32.0),
        ("q5_1", 24.0, 32.0),
        ("q8_0", 34.0, 32.0),
        ("q2_k", 84.0, 256.0),
        ("q3_k", 110.0, 256.0),
        ("q4_k", 144.0, 256.0),
        ("q5_k", 176.0, 256.0),
        ("q6_k", 210.0, 256.0),
        ("iq4_nl", 18.0, 32.0),
        ("iq4_xs", 136.0, 256.0),
        // Places in grids, signs and scales of a block of 256 (ggml-common.h).
        ("iq1_s", 50.0, 256.0),
        ("iq1_m", 56.0, 256.0),
        ("iq2_xxs", 66.0, 256.0),
        ("iq2_xs", 74.0, 256.0),
        ("iq2_s", 82.0, 256.0),
        ("iq3_xxs", 98.0, 256.0),
        ("iq3_s", 110.0, 256.0),
        ("tq1_0", 54.0, 256.0),
        ("tq2_0", 66.0, 256.0),
        ("mxfp4", 17.0, 32.0),
        ("mxfp8", 33.0, 32.0),
        ("nvfp4", 9.0, 16.0),
        ("ternary", 1.0, 4.0),
        // 64 of 4 bits and an fp32 number.
        ("nf4", 36.0, 64.0),
        // 128 of 4 bits, an fp16 scale and a 4-bit zero point.
        ("int4_g128", 66.5, 128.0),
        ("int4_g32", 18.5, 32.0),
        // 128 by 128 of a byte and an fp32 number.
        ("fp8_block", 16388.0, 16384.0),
        ("fp8", 1.0, 1.0),
        ("int8", 1.0, 1.0),
        // Two of four values, and two bits for the place of each.
        ("bf16_sparse", 4.5, 4.0),
        ("fp8_sparse", 2.5, 4.0),
    ];
    for (name, bytes, weights) in blocks {
        assert_eq!(bits(name), bytes * 8.0 / weights, "{name}");
    }
    // 64 of 4 bits with an 8-bit scale, and an fp32 number for 256 of these.
    assert!((bits("nf4_double") - (4.0 + 8.0 / 64.0 + 32.0 / 16384.0)).abs() < 1e-12);
}

/// Bytes of the weights of a model in its formats.
fn bytes_of(text: &str) -> f64 {
    let weights = weights::weights(text);
    weights.iter().map(|w| w.elements * w.layers.unwrap_or(1.0) * w.width).sum()
}

fn library(model: &str, format: &str) -> f64 {
    bytes_of(&format!(
        "use std.models.{model}\n\n/// In another format.\nmodel Here = {model} with {{ \
         precision.weights = {format} }} {{\n  source = \"a test\"\n}}\n"
    ))
}

#[test]
fn a_mix_gives_each_weight_its_format() {
    // Llama 3 8B in Q4_K_M: table, head, wq and wo, wk, wv, gate and up, down, norms.
    let half = f64::midpoint(4.5, 6.5625);
    let (hidden, kv, ffn, table) = (4096.0, 1024.0, 14336.0, 128_256.0 * 4096.0);
    let layer = 2.0 * hidden * hidden * 4.5
        + hidden * kv * (4.5 + half)
        + hidden * ffn * (2.0 * 4.5 + half)
        + 2.0 * hidden * 32.0;
    let all = table * (4.5 + 6.5625) + 32.0 * layer + hidden * 32.0;
    assert_eq!(library("Llama3_8B", "q4_k_m"), all / 8.0);
}

#[test]
fn files_of_llama_cpp_have_the_bits_that_it_prints() {
    // llama.cpp, tools/quantize/README.md, bits per weight of Llama 3.1 8B; Q3_K_M by hand, by the
    // rules of its source.
    let printed = [
        ("iq3_s_file", 3.6606),
        ("iq3_m", 3.7628),
        ("iq4_xs_file", 4.4597),
        ("iq4_nl_file", 4.6818),
        ("q2_k_s", 2.9697),
        ("q2_k_file", 3.1593),
        ("q3_k_s", 3.6429),
        ("q3_k_m", 3.9960),
        ("q3_k_l", 4.2979),
        ("q4_k_s", 4.6672),
        ("q4_k_m", 4.8944),
        ("q5_k_s", 5.5704),
        ("q5_k_m", 5.7036),
        ("q6_k_file", 6.5633),
        ("q8_0_file", 8.5008),
    ];
    for (format, bits) in printed {
        let ours = library("Llama3_8B", format) * 8.0 / 8_030_261_248.0;
        // What is printed has four digits, and counts the 64 factors of the rotation.
        assert!((ours - bits).abs() < 1.5e-4, "{format}: {ours}, printed {bits}");
    }
}

#[test]
fn a_model_says_formats_of_its_parts() {
    let text = |rules: &str| {
        format!(
            "use std.layers.Llama\n\n/// Small.\nmodel M = Llama(layers: 2, hidden: 64, heads: 4, \
             ffn: 128, vocab: 1000) {{\n  source = \"a test\"\n  precision {{\n    weights = \
             bf16\n{rules}  }}\n}}\n"
        )
    };
    let plain = bytes_of(&text(""));
    let mlp = 2.0 * 3.0 * 64.0 * 128.0;
    let attention = 2.0 * 4.0 * 64.0 * 64.0;
    let table = 1000.0 * 64.0;
    assert_eq!(bytes_of(&text("    weights within GatedMlp = fp8\n")), plain - mlp);
    assert_eq!(bytes_of(&text("    weights within attention = fp8\n")), plain - attention);
    assert_eq!(bytes_of(&text("    weights within table = fp8\n")), plain - table);
    // The later rule wins.
    let both = "    weights within mlp = fp8\n    weights within w_down = fp32\n";
    assert_eq!(bytes_of(&text(both)), plain - mlp * 2.0 / 3.0 + mlp / 3.0 * 2.0);
}

#[test]
fn sizes_agree_with_published_ones() {
    let Some(shared) = std::env::var_os("MESA_SHARED_DATA").map(std::path::PathBuf::from) else {
        eprintln!("skipped: MESA_SHARED_DATA names no folder with measured/memory.csv");
        return;
    };
    // Rows whose figure is that of weights alone, by model and format of the library.
    let known = BTreeMap::from([
        ("vllm-01", ("Llama3_8B", "bf16")),
        ("vllm-16", ("Qwen3_8B", "bf16")),
        ("gguf-04", ("Llama3_8B", "q4_k_m")),
        ("gguf-05", ("Llama3_8B", "fp16")),
        ("gguf-06", ("Llama3_70B", "q4_k_m")),
        ("gguf-07", ("Llama3_70B", "fp16")),
        ("gguf-08", ("GptOss_20B", "mxfp4_file")),
        ("file-01", ("DeepSeek_R1", "q4_k_m")),
    ]);
    let text = std::fs::read_to_string(shared.join("measured/memory.csv")).unwrap();
    let mut rows = Vec::new();
    for line in text.lines() {
        let id = line.split(',').next().unwrap();
        let Some((model, format)) = known.get(id) else { continue };
        let ours = library(model, format);
        let (unit, at) = ["GiB", "GB"]
            .into_iter()
            .find_map(|u| Some((u, line.find(&format!(",{u},"))?)))
            .unwrap();
        let value: f64 = line[..at].rsplit(',').next().unwrap().parse().unwrap();
        let scale = if unit == "GiB" { 1024f64.powi(3) } else { 1e9 };
        let error = ours / (value * scale) - 1.0;
        let of = line.split(',').nth(1).unwrap();
        println!(
            "{id} {model} {format}: {:.4} {unit}, published {value}, {error:+.4}",
            ours / scale
        );
        assert!(error.abs() < 0.01, "{line}: {ours}");
        rows.push(format!(
            "| {of} | {model} | {format} | {value} {unit} | {:.2} {unit} | {:+.1} % |",
            ours / scale,
            error * 100.0
        ));
    }
    rows.push(proposing(&shared, &text));
    assert_eq!(rows.len(), known.len() + 1);
    let formats: Vec<String> =
        LISTED.iter().map(|f| format!("| `{f}` | {} |", shown(bits(f)))).collect();
    let page = format!(
        "# Sizes of quantized weights\n\nMade by `tests/formats.rs`; do not edit.\n\n## Published sizes \
         of weights\n\nFiles and loaded weights whose own overhead is known to be small. Not compared: peaks \
         (cache and activations are in them), and Qwen3.5-122B-A10B\nin NVFP4 as a whole, of which it is not known \
         what was left in bf16.\n\n| model | here \
         | format | published | by the spec | error |\n|---|---|---|--:|--:|--:|\n{}\n\n## Bits of a \
         weight\n\nScales, zero points, indices and what blocks have are counted. In the formats of a \
         file norms are fp32,\nand some layers have more bits; what stands here is what most weights \
         have.\n\n| format | bits |\n|---|--:|\n{}\n",
        rows.join("\n"),
        formats.join("\n")
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sizes.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        std::fs::write(path, &page).unwrap();
    }
    let current = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        current, page,
        "run this test with INSTA_UPDATE=always to bring the page up to date"
    );
}

/// Every format of the library that weights are stored in.
const LISTED: &[&str] = &[
    "fp32",
    "bf16",
    "fp16",
    "fp8",
    "fp8_block",
    "mxfp8",
    "int8",
    "int8_g128",
    "fp6",
    "mxfp4",
    "nvfp4",
    "int4_g128",
    "int4_g64",
    "int4_g32",
    "nf4",
    "nf4_double",
    "ternary",
    "bf16_sparse",
    "fp8_sparse",
    "int8_sparse",
    "q8_0",
    "q6_k",
    "q5_0",
    "q5_1",
    "q5_k",
    "q4_0",
    "q4_1",
    "q4_k",
    "q3_k",
    "q2_k",
    "iq4_nl",
    "iq4_xs",
    "iq3_s",
    "iq3_xxs",
    "iq2_s",
    "iq2_xs",
    "iq2_xxs",
    "iq1_m",
    "iq1_s",
    "tq2_0",
    "tq1_0",
    "q8_0_file",
    "q6_k_file",
    "q5_k_m",
    "q5_k_s",
    "q4_k_m",
    "q4_k_s",
    "q4_0_file",
    "iq4_nl_file",
    "iq4_xs_file",
    "q3_k_l",
    "q3_k_m",
    "q3_k_s",
    "iq3_m",
    "iq3_s_file",
    "q2_k_file",
    "q2_k_s",
    "mxfp4_file",
];

/// A number without zeros at its end.
/// What vLLM loaded of Qwen3.5-122B with the layer that proposes tokens, and without it: the
/// difference is that layer, which the checkpoint has in bf16 whatever the experts are in.
fn proposing(shared: &std::path::Path, table: &str) -> String {
    let size = |id: &str| -> f64 {
        let line = table.lines().find(|l| l.starts_with(&format!("{id},"))).unwrap();
        line[..line.find(",GiB,").unwrap()].rsplit(',').next().unwrap().parse().unwrap()
    };
    let published = size("vllm-19") - size("vllm-20");
    let path = shared.join("hf-configs/Qwen__Qwen3.5-122B-A10B.json");
    let config = std::fs::read_to_string(path).unwrap();
    let mut sources = mesa::source::Sources::default();
    let origin = mesa::source::Origin::User;
    let file = sources.add(mesa::source::SourceFile::new("config.json", config.as_str(), origin));
    let model = mesa::import::import_with(&config, file, None, "qwen").text.unwrap();
    let held = model.replacen("drafters: 0", "drafters: 1", 1);
    let ours = (bytes_of(&held) - bytes_of(&model)) / 1024f64.powi(3);
    let error = ours / published - 1.0;
    println!("vllm-19 - vllm-20: {ours:.4} GiB, published {published:.2}, {error:+.4}");
    assert!(error.abs() < 0.01, "{ours} against {published}");
    format!(
        "| Qwen3.5-122B-A10B, the layer that proposes tokens | imported | bf16 | {published:.2} GiB | \
         {ours:.2} GiB | {:+.1} % |",
        error * 100.0
    )
}

fn shown(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn bytes_of_the_cache_for_a_token_are_those_of_the_table() {
    let Some(shared) = std::env::var_os("MESA_SHARED_DATA").map(std::path::PathBuf::from) else {
        eprintln!("skipped: MESA_SHARED_DATA names no folder with measured/memory.csv");
        return;
    };
    let models = BTreeMap::from([
        ("kv-01", ("Llama3_8B", 1.0)),
        ("kv-03", ("Llama3_405B", 1.0)),
        ("kv-05", ("Mixtral_8x22B", 1.0)),
        ("kv-06", ("Qwen3_8B", 1.0)),
        ("kv-07", ("Qwen3_32B", 1.0)),
        ("kv-08", ("Qwen3_30B_A3B", 1.0)),
        ("kv-11", ("Kimi_K2", 1.0)),
        // Beyond their window of 128 tokens half of the layers keep no more.
        ("kv-12", ("GptOss_20B", 0.5)),
        ("kv-14", ("MiniMax_M2_5", 1.0)),
    ]);
    let text = std::fs::read_to_string(shared.join("measured/memory.csv")).unwrap();
    let mut compared = 0;
    for line in text.lines() {
        let id = line.split(',').next().unwrap();
        let Some((model, share)) = models.get(id) else { continue };
        let end = line.find(",B,").unwrap();
        let value: f64 = line[..end].rsplit(',').next().unwrap().parse().unwrap();
        let cache = |prompt: u64| {
            let text = format!(
                "use std.models.{model}\nuse std.systems.DGX_H100\n\nscenario s {{\n  model = {model}\n  \
                 system = DGX_H100(nodes: 32)\n  plan = Tp()\n  serve {{ batch = 1, prompt = {prompt}, \
                 output = 2 }}\n}}\n\nplan Tp() {{\n  mesh tp = 1\n  shard vocab over tp\n}}\n"
            );
            common::Run::of(&text).scenarios["s"].get("memory.cache")
        };
        assert_eq!((cache(3000) - cache(2000)) / 1000.0, value * share, "{line}");
        compared += 1;
    }
    assert_eq!(compared, models.len());
}
