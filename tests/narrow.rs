//! Training with less: products in eight bits, activations kept in fewer bits or made again,
//! against hand calculations.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};

const S: f64 = 1024.0;
const H: f64 = 1024.0;
const F: f64 = 4096.0;

fn text(layers: u32, plan: &str, precision: &str) -> String {
    format!(
        "use std.layers.Llama\nuse std.systems.DGX_H100\n\
         dtype tile {{\n  bits = 8\n  scale = fp32 per 128\n}}\n\
         model M = Llama(layers: {layers}, hidden: 1024, heads: 16, kv_heads: 8, ffn: 4096, vocab: 32000)\n\
         plan P(dp: Count = 8, pp: Count = 1) {{\n  mesh dp, pp\n  shard batch over dp\n  \
         shard layers over pp schedule {plan}\n}}\n\
         scenario s {{\n  model = M\n  system = DGX_H100\n  plan = P\n  precision {{ {precision} }}\n  \
         train {{ batch = 64, seq = 1024, optimizer = adam }}\n}}\n"
    )
}

fn run(layers: u32, plan: &str, precision: &str) -> Outcome {
    Run::one(&text(layers, plan, precision))
}

/// Saved activations of one layer: the difference that a layer makes.
fn saved(plan: &str, precision: &str) -> f64 {
    let at = |layers| run(layers, plan, precision).get("memory.activations.saved");
    at(3) - at(2)
}

const PLAIN: &str = "one_f_one_b";

/// The result of the gate goes into the last product, whose gradient is made before the gate's.
#[test]
fn discard_keeps_nothing_of_what_a_kernel_hands_on() {
    let all = saved(PLAIN, "");
    let of = |level: &str| saved(&format!("{PLAIN}\n  recompute within gating = {level}"), "");
    assert_eq!(all - of("full"), 0.0);
    assert_eq!(all - of("discard"), 2.0 * S * F);
}

/// Both norms of a layer: their inputs are there anyhow.
#[test]
fn discarded_norms_are_made_again_for_the_products_that_read_them() {
    let plan = format!("{PLAIN}\n  recompute within RmsNorm = discard");
    let o = run(2, &plan, "");
    // The second norm is a part of the kernel that adds to the residual, which is named apart.
    assert_eq!(saved(PLAIN, "") - saved(&plan, ""), 2.0 * S * H);
    assert!(o.get("step.recompute") > 0.0);
    let none = run(2, PLAIN, "").get("step.flops.hardware");
    assert_eq!(o.get("step.flops.hardware"), none, "no product again");
}

#[test]
fn what_only_products_in_eight_bits_read_is_kept_in_eight_bits() {
    let less = saved(PLAIN, "") - saved(PLAIN, "compute = fp8");
    // What goes into the first and last products of attention, and of the layer's other half.
    assert_eq!(less, S * (H + H + H + F));
}

#[test]
fn saved_says_how_activations_are_kept() {
    let less = saved(PLAIN, "") - saved(PLAIN, "saved within gate_up = tile");
    assert_eq!(less, 2.0 * S * F * (2.0 - 1.0 - 4.0 / 128.0));
    // Nothing gets wider.
    assert_eq!(saved(PLAIN, ""), saved(PLAIN, "saved = fp32"));
}

#[test]
fn products_of_activations_stay_in_their_format_unless_a_rule_names_them() {
    let time = |precision: &str| run(2, PLAIN, precision).get("layers.attention.forward.time");
    let weights = time("compute = fp8");
    assert!(weights < time(""));
    assert!(time("compute = fp8, compute within flash_attention = fp8") < weights);
    assert_eq!(time("compute = bf16"), time(""));
    // One block alone, and one weight alone.
    let head = |precision: &str| run(2, PLAIN, precision).get("layers.logits.forward.time");
    assert_eq!(head("compute = fp8, compute within head = bf16"), head(""));
    assert!(head("compute within head = fp8") < head(""));
}

#[test]
fn dual_pipe_has_the_stage_at_the_other_end_on_each_device() {
    let at = |schedule: &str| {
        let text = text(8, schedule, "").replace("plan = P", "plan = P(dp: 2, pp: 4)");
        Run::one(&text)
    };
    let (dual, plain) = (at("dual_pipe"), at("one_f_one_b"));
    for what in ["weights", "gradients", "optimizer"] {
        let stage = |o: &Outcome, stage: &str| o.get(&format!("memory.stages.{stage}.{what}"));
        let ends = stage(&plain, "first") + stage(&plain, "last");
        assert_eq!(stage(&dual, "first"), ends, "{what}");
        assert_eq!(stage(&dual, "last"), ends, "{what}");
        assert_eq!(stage(&dual, "between"), 2.0 * stage(&plain, "between"), "{what}");
    }
    // p of its own and one of the other end: p + 1 in all.
    let saved =
        |o: &Outcome, stage: &str| o.get(&format!("memory.stages.{stage}.activations.saved"));
    assert_eq!(saved(&dual, "first"), saved(&plain, "first") + saved(&plain, "last"));
    assert_eq!(saved(&dual, "between") / saved(&plain, "between"), 5.0 / 3.0);
}
