//! Numbers against hand calculations: every expected value is written out here, from the shapes of
//! the models and the figures of the machines, never by the formulas under test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};

const USES: &str = "
use std.models.{Gpt2, Llama3_70B, Llama3_8B, Mistral_7B, TinyLlama_1B}
use std.systems.{DGX_H100, H100_SXM_1}
plan Tp(tp: Count) {
  mesh tp
  shard heads, ffn, vocab over tp
}
";

fn scenario(model: &str, system: &str, rest: &str) -> String {
    format!("{USES}\nscenario s {{\n  model = {model}\n  system = {system}\n{rest}\n}}\n")
}

/// bf16 throughout, on one H100.
fn on_one(model: &str, batch: u64, prompt: u64, output: u64) -> Outcome {
    let serve = format!("  serve {{ batch = {batch}, prompt = {prompt}, output = {output} }}");
    Run::one(&scenario(model, "H100_SXM_1", &serve))
}

/// Multiplies exactly; the last digit counts.
fn product(list: &[u64]) -> f64 {
    list.iter().product::<u64>() as f64
}

#[test]
fn parameters_are_those_of_the_checkpoints() {
    let models = [
        ("Llama3_8B", 8_030_261_248),
        ("TinyLlama_1B", 1_100_048_384),
        ("Mistral_7B", 7_241_732_096),
        ("Gpt2", 124_439_808_u64),
    ];
    for (model, total) in models {
        let out = on_one(model, 1, 16, 2);
        assert_eq!(out.get("parameters.total"), total as f64, "{model}");
        assert_eq!(out.get("parameters.active"), total as f64, "{model}");
    }
    let big = on("Llama3_70B", 8, 1, 16);
    assert_eq!(big.get("parameters.total"), 70_553_706_496.0);
    // 70B by hand: table, head, final norm; per layer q, k, v, o, three of the MLP, two norms.
    let layer = 2 * 8192 * 64 * 128 + 2 * 8192 * 8 * 128 + 3 * 8192 * 28672 + 2 * 8192_u64;
    assert_eq!(big.get("parameters.total"), (2 * 128_256 * 8192 + 8192 + 80 * layer) as f64);
}

/// A model under `Tp(tp)` on a DGX H100.
fn on(model: &str, tp: u64, batch: u64, prompt: u64) -> Outcome {
    let rest = format!(
        "  plan = Tp(tp: {tp})\n  serve {{ batch = {batch}, prompt = {prompt}, output = 2 }}"
    );
    Run::one(&scenario(model, "DGX_H100", &rest))
}

#[test]
fn matrix_work_of_a_prefill_is_exact_and_does_not_depend_on_the_plan() {
    // Linear layers: 2 flops for each weight of a layer and position, norms aside.
    let weights = 2 * 8192 * 64 * 128 + 2 * 8192 * 8 * 128 + 3 * 8192 * 28672_u64;
    assert_eq!(2 * 80 * 2048 * weights, 280_375_465_082_880);
    // Causal attention: position i sees i keys; 2 flops each for scores and for values.
    let pairs: u64 = (1..=2048).sum();
    assert_eq!(4 * 64 * 128 * 80 * pairs, 5_500_242_493_440);
    // Logits of one position.
    assert_eq!(2_u64 * 8192 * 128_256, 2_101_346_304);
    let expected = 280_375_465_082_880_u64 + 5_500_242_493_440 + 2_101_346_304;
    for tp in [2, 4, 8] {
        let out = on("Llama3_70B", tp, 1, 2048);
        assert_eq!(out.get("prefill.flops.matrix"), expected as f64, "tp {tp}");
        assert_eq!(out.get("prefill.padded.flops.matrix"), 0.0);
        assert_eq!(out.get("prefill.replicated.flops.matrix"), 0.0);
        assert_eq!(out.get("prefill.device.flops.matrix"), expected as f64 / tp as f64);
    }
}

#[test]
fn matrix_work_of_a_decode_step_sees_every_key_of_the_context() {
    // Context 1001 at the first step after a prompt of 1000; batch 3.
    let out = on_one("TinyLlama_1B", 3, 1000, 2);
    let layer = 2 * 2048 * 2048 + 2 * 2048 * 256 + 3 * 2048 * 5632_u64;
    let linear = 2 * 3 * (22 * layer + 2048 * 32000);
    let attention = 4 * 3 * 22 * 32 * 64 * 1001;
    assert_eq!(out.get("decode.first.flops.matrix"), (linear + attention) as f64);
}

#[test]
fn bytes_of_a_decode_step_are_weights_cache_and_activations() {
    // Prompt 2047 and one decode step: the context is 2048.
    let out = on_one("Llama3_8B", 1, 2047, 2);
    let weights = (8_030_261_248_u64 - 128_256 * 4096) * 2; // but for the table of embeddings
    assert_eq!(weights, 15_009_849_344);
    let cache = 32 * 2 * 8 * 128 * 2048 * 2;
    assert_eq!(cache, 268_435_456);
    let (h, kv, ffn, vocab) = (4096, 1024, 14336, 128_256);
    let norm = 2 * h;
    let qkv = h + (h + 2 * kv);
    let rope_cache = (h + 2 * kv) + (h + 2 * kv);
    let attention = h + h;
    let out_projection = h + h;
    let add_norm = 2 * h + 2 * h;
    let gate_up = h + 2 * ffn;
    let silu_mul = 2 * ffn + ffn;
    let down = ffn + h;
    let add = 2 * h + h;
    let layer = norm
        + qkv
        + rope_cache
        + attention
        + out_projection
        + add_norm
        + gate_up
        + silu_mul
        + down
        + add;
    let (embedding, final_norm, last, logits) = (2 * h, 2 * h, 2 * h, h + vocab);
    let activations = 2 * (32 * layer + embedding + final_norm + last + logits);
    assert_eq!(out.get("decode.mid.bytes"), (weights + cache + activations) as f64);
    assert_eq!(out.get("decode.first.bytes"), out.get("decode.last.bytes"));
}

#[test]
fn memory_is_weights_cache_at_the_end_and_the_largest_working_set() {
    let out = on_one("Llama3_8B", 4, 2000, 100);
    assert_eq!(out.get("memory.weights"), 8_030_261_248.0 * 2.0);
    assert_eq!(out.get("memory.cache"), product(&[4, 32, 2, 8, 128, 2100, 2]));
    // The residual stream, gate and up, and their product, all of the prompt.
    let tokens = 4 * 2000;
    assert_eq!(out.get("memory.activations"), (tokens * 2 * (4096 + 3 * 14336)) as f64);
    let gib = 1024.0 * 1024.0 * 1024.0;
    assert_eq!(out.get("memory.buffers"), 64.0 * 1024.0 * 1024.0);
    assert!((out.get("memory.reserve") - 1.8 * gib).abs() < 1.0);
    assert!((out.get("memory.capacity") - 79.2 * gib).abs() < 1.0);
    let parts = ["weights", "cache", "activations", "buffers", "reserve"];
    let sum: f64 = parts.iter().map(|p| out.get(&format!("memory.{p}"))).sum();
    assert_eq!(out.get("memory.total"), sum);
    let left = (out.get("memory.capacity") - sum) / out.get("memory.capacity");
    assert!((out.get("memory.headroom") - left).abs() < 1e-12);
    assert_eq!(out.get("memory.fits"), 1.0);
}

#[test]
fn what_is_gathered_or_reduced_counts_as_an_activation() {
    // Two weights on 4 devices; ffn over tp, seq over tp outside of the block.
    let text = "
use std.systems.DGX_H100
block Norm() {
  input x[batch, seq, hidden]
  y = rms_normalize(x, over: hidden)
  output y
}
block Mlp(ffn: Count) {
  input x[batch, seq, hidden]
  weight a[hidden, ffn]
  weight b[ffn, hidden]
  inner[batch, seq, ffn] = x * a
  y[batch, seq, hidden]  = inner * b
  output y
}
block Net(layers: Count, hidden: Count, ffn: Count, vocab: Count) {
  input tokens[batch, seq]
  weight table[vocab, hidden]
  x[batch, seq, hidden] = lookup(table, tokens)
  repeat i in layers carry x {
    norm = Norm(x)
    mlp  = Mlp(norm, ffn:)
    x    = x + mlp
  }
  last                            = pick(x, rename: seq -> positions)
  weight head[hidden, vocab]
  logits[batch, positions, vocab] = last * head
  output logits
}
model M = Net(layers: 3, hidden: 64, ffn: 128, vocab: 1024)
plan Tp(tp: Count) {
  mesh tp
  shard ffn over tp
}
plan Sp(tp: Count) {
  mesh tp
  shard ffn over tp
  shard seq over tp within Norm, residual
}
scenario plain {
  model = M
  system = DGX_H100
  serve { batch = 1, prompt = 100, output = 2 }
}
scenario tp = plain with { plan = Tp(tp: 4) }
scenario sp = plain with { plan = Sp(tp: 4) }
";
    let run = Run::of(text);
    let get = |name: &str| run.scenarios[name].get("memory.activations");
    let (x, inner) = (100 * 64 * 2, 100 * 128 * 2);
    // x, norm and inner are alive while inner is made; then x, inner and y.
    assert_eq!(get("plain"), (2 * x + inner) as f64);
    // inner is a quarter: x, norm, inner/4; x, inner/4, y; y is reduced in place; x, y, new x.
    assert_eq!(get("tp"), (3 * x) as f64);
    // x is a quarter, norm is gathered: x/4, norm/4, norm; then x/4, norm, inner/4; and
    // x/4, inner/4, y. At the end x is gathered for the last position: x/4 and x. The norm
    // of a quarter: x/4 + x/4 + x is the most, as inner/4 is twice x/4: x/4 + x + inner/4.
    assert_eq!(get("sp"), (x / 4 + x + inner / 4) as f64);
}

#[test]
fn a_sliding_window_bounds_the_cache_and_the_keys_that_a_query_sees() {
    let window = 4096_u64;
    for (prompt, output) in [(100, 2), (4000, 200), (6000, 50)] {
        let out = on_one("Mistral_7B", 2, prompt, output);
        // The cache holds no more than the window.
        let kept = (prompt + output).min(window);
        assert_eq!(out.get("memory.cache"), product(&[2, 32, 2, 8, 128, kept, 2]), "{prompt}");
        // Prefill: position i sees min(i, window) keys, counted one by one.
        let seen: u64 = (1..=prompt).map(|i| i.min(window)).sum();
        let layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336_u64;
        let linear = 2 * 2 * (32 * layer * prompt + 4096 * 32000);
        let attention = 4 * 2 * 32 * 32 * 128 * seen;
        let exact = (linear + attention) as f64;
        let error = (out.get("prefill.flops.matrix") - exact).abs() / exact;
        assert!(error < 1e-12, "{prompt}: {error}");
        // Decode: the first new token sees its window.
        let seen = (prompt + 1).min(window);
        let attention = 4 * 2 * 32 * 32 * 128 * seen;
        let exact = (2 * 2 * (32 * layer + 4096 * 32000) + attention) as f64;
        assert_eq!(out.get("decode.first.flops.matrix"), exact, "{prompt}");
        let cached = 2 * 32 * 2 * 8 * 128 * seen * 2;
        let more = on_one("Mistral_7B", 2, 50, 2);
        let less = 2 * 32 * 2 * 8 * 128 * 51 * 2;
        let growth = out.get("decode.first.bytes") - more.get("decode.first.bytes");
        assert_eq!(growth, (cached - less) as f64, "{prompt}");
    }
}

#[test]
fn four_bit_weights_move_their_scales_and_a_lookup_moves_its_rows() {
    let rest = "  precision { weights = q4_0, activations = fp16, cache = fp16 }
  serve { batch = 1, prompt = 2047, output = 2 }";
    let q4 = Run::one(&scenario("Llama3_8B", "H100_SXM_1", rest));
    let plain = on_one("Llama3_8B", 1, 2047, 2);
    // 4.5 bits: 4, and 16 for each 32. One row of 4096 of the table too.
    let moved = 8_030_261_248_u64 - 128_256 * 4096 + 4096;
    let less = plain.get("decode.mid.bytes") - q4.get("decode.mid.bytes");
    // The embedding row is read as what it becomes: it is counted alike in both.
    assert_eq!(less, (moved - 4096) as f64 * (2.0 - 4.5 / 8.0));
    assert_eq!(q4.get("memory.weights"), 8_030_261_248.0 * 4.5 / 8.0);
}

#[test]
fn serving_results_follow_from_the_phases() {
    let out = on_one("Llama3_8B", 16, 1000, 100);
    let [first, mid, last] = ["first", "mid", "last"].map(|p| out.get(&format!("decode.{p}.time")));
    let tpot = out.get("tpot");
    assert!((tpot - (first + 4.0 * mid + last) / 6.0).abs() < 1e-15);
    assert!(first < mid && mid < last);
    assert!((out.get("ttft") - out.get("prefill.time") - 6e-3).abs() < 1e-12);
    let latency = out.get("ttft") + 99.0 * tpot;
    assert!((out.get("latency") - latency).abs() < 1e-12);
    assert!((out.get("throughput.user") * tpot - 1.0).abs() < 1e-12);
    assert!((out.get("throughput.system") * tpot - 16.0).abs() < 1e-9);
    assert_eq!(out.get("throughput.device"), out.get("throughput.system"));
}

/// The mean over all steps of an output, each evaluated for itself.
fn exact_mean(model: &str, batch: u64, prompt: u64, output: u64) -> f64 {
    let mut text = String::from(USES);
    for step in 1..output {
        let at = prompt + step - 1; // the first decode step after this prompt
        text += &format!(
            "scenario s{step} {{\n  model = {model}\n  system = H100_SXM_1\n  \
             serve {{ batch = {batch}, prompt = {at}, output = 2 }}\n}}\n"
        );
    }
    let run = Run::of(&text);
    let times = run.scenarios.values().map(|s| s.get("decode.first.time"));
    times.sum::<f64>() / (output - 1) as f64
}

#[test]
fn the_mean_decode_step_is_exact_or_within_its_stated_bound() {
    // (model, batch, prompt, output): the second fills Mistral's window after 46 of 60 steps.
    let cases = [
        ("Llama3_8B", 8, 512, 40, true),
        ("Mistral_7B", 32, 4050, 60, false),
        ("Mistral_7B", 4, 4090, 60, false),
        ("TinyLlama_1B", 256, 16, 40, true),
    ];
    for (model, batch, prompt, output, linear) in cases {
        let out = on_one(model, batch, prompt, output);
        let exact = exact_mean(model, batch, prompt, output);
        let error = (out.get("tpot") - exact).abs();
        let ends = (out.get("decode.last.time") - out.get("decode.first.time")).abs();
        assert!(ends > 0.0, "{model}: the context must matter");
        assert!(error <= ends / 6.0 + 1e-12, "{model} {prompt}: {error} of {ends}");
        if linear {
            assert!(error < 1e-12, "{model} {prompt}: {error} of {ends}");
        }
    }
}

#[test]
fn no_result_is_negative_or_beyond_the_machine() {
    let mut seen = 0;
    for model in ["Llama3_8B", "Gpt2", "Mistral_7B", "TinyLlama_1B"] {
        for tp in [1, 2, 4] {
            let out = on(model, tp, 5, 37);
            for (path, value) in &out.numbers {
                assert!(value.is_finite(), "{model} {path} is {value}");
                assert!(*value >= 0.0, "{model} {path} is {value}");
                if path.ends_with(".mfu") || path.ends_with(".mbu") {
                    assert!(*value <= 1.0, "{model} {path} is {value}");
                }
                seen += 1;
            }
            for phase in ["prefill", "decode.first", "decode.mid", "decode.last"] {
                let time = out.get(&format!("{phase}.time"));
                let bytes = out.get(&format!("{phase}.device.bytes"));
                let flops = out.get(&format!("{phase}.device.flops.matrix"));
                assert!(time >= bytes / 3.35e12, "{model} {phase}");
                assert!(time >= flops / 989.4e12, "{model} {phase}");
            }
        }
    }
    assert!(seen > 500);
}

#[test]
fn what_an_amended_field_is_computed_from_follows_later_amendments() {
    let text = "use std.models.Jamba_1_5_Mini
use std.systems.DGX_H100
model Picks = Jamba_1_5_Mini with { experts.top_k = layers / 16 } {
  source = \"a what-if\"
}
scenario one {
  model  = Picks
  system = DGX_H100
  precision { weights = fp8 }
  serve { batch = 1, prompt = 64, output = 4 }
}
scenario wide = one with { serve.batch = 3, model.experts.top_k = serve.batch + 1 }
scenario wider = wide with { serve.batch = 7 }
";
    let run = Run::of(text);
    assert!(run.findings.iter().all(|f| !f.error), "{:#?}", run.findings);
    // Experts of 3 matrices of 4096 by 14336, in every second of 32 layers.
    let expert = product(&[16, 3, 4096, 14336]);
    let active = |name: &str| run.scenarios[name].get("parameters.active");
    assert_eq!(active("wide") - active("one"), 2.0 * expert);
    assert_eq!(active("wider") - active("one"), 6.0 * expert);
}

#[test]
fn a_setting_that_a_part_of_the_machine_does_not_have_leaves_no_results() {
    let of = |system: &str, line: &str| {
        let run = Run::of(&format!(
            "use std.chips.H100_SXM
use std.links.NVLink4
use std.models.Llama3_8B
use std.systems.H100_SXM_1
chip Slow = H100_SXM with {{ memory.hbm.bandwith = 1 TB/s }} {{ source = \"a what-if\" }}
system Ours {{
  source = \"a what-if\"
  chip gpu = Slow
  level alone = 1 of gpu via NVLink4
}}
scenario s {{
  model  = Llama3_8B
  system = {system}
  {line}
  serve {{ batch = 1, prompt = 64, output = 4 }}
}}
"
        ));
        let wrong = run.findings.iter().any(|f| f.error && f.code == "E0202");
        (wrong, run.scenarios.get("s").map(|s| s.get("decode.mid.memory_time")))
    };
    let slower = "system.device.memory.hbm.bandwidth = 1 TB/s";
    let (_, plain) = of("H100_SXM_1", "");
    let (wrong, slow) = of("H100_SXM_1", slower);
    assert!(!wrong && slow.unwrap() > 3.0 * plain.unwrap());
    for (system, line) in [
        ("Ours", ""),
        ("H100_SXM_1", "system.gpu.memory.hbm.bandwidth = 1 TB/s"),
        ("H100_SXM_1", "system.device.memory.hbm.bandwith = 1 TB/s"),
        ("H100_SXM_1", "system.alon.bandwidth = 1 GB/s"),
    ] {
        assert_eq!(of(system, line), (true, None), "{system} {line}");
    }
}
