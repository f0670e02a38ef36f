//! A step of training against hand calculations: every expected value is written out here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::training::*;
use common::{Outcome, Run};

/// Saved activations of one layer: the difference that a layer makes.
fn saved_layer(plan: &str, call: &str) -> f64 {
    let at = |layers| run(&megatron(layers), plan, call, 1).get("memory.activations.saved");
    at(3) - at(2)
}

#[test]
fn saved_activations_of_a_layer_are_those_of_the_closed_form() {
    assert_eq!(saved_layer(TP, "dp: 8"), S * H * (34.0 + 5.0 * A * S / H));
}

#[test]
fn tensor_parallel_keeps_ten_of_thirty_four_whole() {
    let t = 8.0;
    let expected = S * H * (10.0 + 24.0 / t + 5.0 * A * S / (H * t));
    assert_eq!(saved_layer(TP, "tp: 8"), expected);
}

#[test]
fn sequence_parallel_divides_all_of_them() {
    let t = 8.0;
    assert_eq!(saved_layer(SP, "tp: 8"), S * H / t * (34.0 + 5.0 * A * S / H));
}

#[test]
fn full_recompute_keeps_the_input_of_each_layer() {
    let full = |plan: &str| format!("{plan}\n  recompute = full");
    assert_eq!(saved_layer(&full(TP), "tp: 8"), 2.0 * S * H);
    assert_eq!(saved_layer(&full(SP), "tp: 8"), 2.0 * S * H / 8.0);
}

/// Selective recompute drops what grows with the square of the sequence, and nothing else.
#[test]
fn selective_recompute_keeps_thirty_four_bytes_a_token_and_nothing_of_the_scores() {
    let selective = |plan: &str| format!("{plan}\n  recompute = selective");
    let t = 8.0;
    assert_eq!(saved_layer(&selective(TP), "dp: 8"), S * H * 34.0);
    assert_eq!(saved_layer(&selective(TP), "tp: 8"), S * H * (10.0 + 24.0 / t));
    assert_eq!(saved_layer(&selective(SP), "tp: 8"), 34.0 * S * H / t);
}

/// Two products of 2 b s² h a layer: scores, and what they weigh.
#[test]
fn selective_recompute_runs_the_core_of_attention_once_more() {
    let o = run(&megatron(4), &format!("{SP}\n  recompute = selective"), "tp: 8", 1);
    let again = o.get("step.flops.hardware") - o.get("step.flops.model");
    assert_eq!(again, 64.0 * 4.0 * (2.0 * 2.0 * S * S * H));
    assert!(o.real("recompute").is_empty(), "heads stay where they are");
}

/// A fused kernel keeps no scores: nothing is left to drop.
#[test]
fn selective_recompute_leaves_fused_attention_alone() {
    let o = run(&llama(4), &format!("{TP}\n  recompute = selective"), "tp: 8", 1);
    let none = run(&llama(4), TP, "tp: 8", 1);
    assert_eq!(o.numbers, none.numbers);
}

/// The block keeps its input only; what is made of its output is kept.
#[test]
fn recompute_of_a_block_keeps_what_goes_into_it() {
    let (t, plan) = (8.0, format!("{TP}\n  recompute within UnfusedMlp = full"));
    // The input of gelu, 8 s b h / t, and its result, 8 s b h / t; the input of the block stays.
    let expected = S * H * (10.0 + (24.0 - 16.0) / t + 5.0 * A * S / (H * t));
    assert_eq!(saved_layer(&plan, "tp: 8"), expected);
    let o = run(&megatron(4), &plan, "tp: 8", 1);
    let again = o.get("step.flops.hardware") - o.get("step.flops.model");
    assert_eq!(again, 64.0 * 4.0 * (2.0 * 2.0 * S * H * 4.0 * H));
    assert!(o.real("recompute").is_empty(), "what leaves the block has been summed before");
    // A rule for a block wins over the one for all layers.
    let but = format!("{TP}\n  recompute = full\n  recompute within UnfusedMlp = none");
    let o = run(&megatron(4), &but, "tp: 8", 1);
    let again = o.get("step.flops.hardware") - o.get("step.flops.model");
    assert_eq!(again, 64.0 * 4.0 * (8.0 * S * H * H + 4.0 * S * S * H));
}

/// The log-sum-exp of attention is kept only where the kernel does not run again.
#[test]
fn recompute_of_fused_attention_keeps_no_log_sum_exp() {
    let plan = format!("{TP}\n  recompute within GroupedQueryAttention = full");
    let at = |layers| run(&llama(layers), &plan, "dp: 8", 1).get("memory.activations.saved");
    let norms = 2.0 * S * (H + H);
    let mlp = 2.0 * S * (H + 3.0 * 4096.0);
    assert_eq!(at(3) - at(2), 2.0 * S * H + norms + mlp);
}

#[test]
fn a_rule_for_recompute_that_holds_nowhere_is_said() {
    let plan = format!("{TP}\n  recompute within UnfusedMpl = full");
    let found = Run::of(&scenario(&megatron(4), &plan, "tp: 8", 1, TRAIN, ""));
    assert!(found.scenarios.is_empty());
    let finding = found.finding("E0505");
    assert_eq!(finding.places, ["UnfusedMpl"]);
    assert_eq!(finding.notes, ["did you mean `UnfusedMlp`?"]);
}

/// What is kept beside the layers: a dropout mask and the token ids before them, after them the
/// inputs of the norm and of the head, exponentials and their sums in fp32, the targets.
#[test]
fn saved_activations_beside_the_layers_are_those_of_the_closed_form() {
    let v = 32000.0;
    let layer = S * H * (34.0 + 5.0 * A * S / H);
    let all = run(&megatron(2), TP, "dp: 8", 1).get("memory.activations.saved");
    let (before, after) = (S * H + 2.0 * S, 4.0 * S * H + 4.0 * S * v + 4.0 * S + 2.0 * S);
    assert_eq!(all - 2.0 * layer, before + after);
}

/// 72 B L s h² (1 + s/6h + V/12hL), Korthikanti et al. 2022, equation 7.
#[test]
fn work_of_a_step_is_that_of_the_closed_form() {
    let (b, l, v) = (64.0, 4.0, 32000.0);
    let model = 72.0 * b * l * S * H * H * (1.0 + S / (6.0 * H) + v / (12.0 * H * l));
    let o = run(&megatron(4), TP, "dp: 2, pp: 2, tp: 2", 1);
    assert_eq!(o.get("step.flops.model"), model);
    assert_eq!(o.get("step.flops.hardware"), model);
    assert_eq!(o.get("step.flops.per_token"), model / (b * S));
    // With full recompute the layers run forward once more: 24 B L s h² (1 + s/6h).
    let full = format!("{TP}\n  recompute = full");
    let o = run(&megatron(4), &full, "dp: 2, pp: 2, tp: 2", 1);
    let again = 24.0 * b * l * S * H * H * (1.0 + S / (6.0 * H));
    assert_eq!(o.get("step.flops.model"), model);
    assert_eq!(o.get("step.flops.hardware"), model + again);
}

/// Scores and their products with values are two products of 2 b s² h forward (half of it where
/// the mask skips); backward makes the scores again and takes four more: 5 instead of 2.
#[test]
fn fused_attention_takes_five_products_back_for_two_forth() {
    let o = run(&llama(2), TP, "dp: 8", 1);
    let forward = 2.0 * (2.0 * 64.0 * S * S * H) * 2.0;
    let again = o.get("step.flops.hardware") - o.get("step.flops.model");
    assert_eq!(again, forward / 4.0 * 2.0);
    assert_eq!(forward * 2.0 + again, forward * 2.5);
    let skipped = o.get("step.flops.model") - o.get("step.flops.causal");
    assert_eq!(skipped, 3.0 * forward * (1.0 - (S + 1.0) / 2.0 / S));
}

/// q, k, v, the output, the inputs of norms and products, gate, up and what they make; of the
/// softmax no more than a log-sum-exp in fp32 for each row and head.
#[test]
fn fused_attention_keeps_no_scores() {
    let at = |layers| run(&llama(layers), TP, "dp: 8", 1).get("memory.activations.saved");
    let kv = H / 2.0;
    let attention = 2.0 * S * (H + H + kv + kv + H) + 4.0 * S * A;
    let norms = 2.0 * S * (H + H);
    let mlp = 2.0 * S * (H + 3.0 * 4096.0);
    assert_eq!(at(3) - at(2), attention + norms + mlp);
}

#[test]
fn tensor_parallel_reduces_twice_in_each_pass_of_a_layer() {
    for model in [megatron(4), llama(4)] {
        let o = run(&model, TP, "tp: 8", 1);
        let each = 2.0 * 7.0 / 8.0 * B;
        for pass in ["forward", "backward"] {
            assert_eq!(in_layers(&o, pass, "all-reduce", 4.0), [each, each], "{pass}");
            assert_eq!(o.count_of(pass, "all-gather"), 0.0);
            assert_eq!(o.count_of(pass, "reduce-scatter"), 0.0);
        }
    }
}

#[test]
fn sequence_parallel_gathers_the_inputs_of_products_twice_more_on_the_way_back() {
    for model in [megatron(4), llama(4)] {
        let o = run(&model, SP, "tp: 8", 1);
        let each = 7.0 / 8.0 * B;
        assert_eq!(in_layers(&o, "forward", "all-gather", 4.0), [each; 2]);
        assert_eq!(in_layers(&o, "forward", "reduce-scatter", 4.0), [each; 2]);
        assert_eq!(in_layers(&o, "backward", "all-gather", 4.0), [each; 4]);
        assert_eq!(in_layers(&o, "backward", "reduce-scatter", 4.0), [each; 2]);
        assert_eq!(in_layers(&o, "forward", "all-reduce", 4.0), [0.0; 0]);
        assert_eq!(in_layers(&o, "backward", "all-reduce", 4.0), [0.0; 0]);
    }
}

#[test]
fn recompute_runs_the_collectives_of_a_layer_again() {
    let o = run(&megatron(4), &format!("{TP}\n  recompute = full"), "tp: 8", 1);
    let each = 2.0 * 7.0 / 8.0 * B;
    assert_eq!(o.of_kind("recompute", "all-reduce"), [(4.0, each), (4.0, each)]);
    assert_eq!(in_layers(&o, "backward", "all-reduce", 4.0), [each, each]);
}

/// Embedding forward, head backward; three reductions of [batch, seq] in fp32 for the loss, and
/// never the logits.
#[test]
fn a_vocabulary_over_devices_never_gathers_logits() {
    let o = run(&llama(4), TP, "tp: 8", 1);
    let all = |pass| {
        let mut once = o.of_kind(pass, "all-reduce");
        once.retain(|(count, _)| *count == 1.0);
        once.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>()
    };
    let (hidden, row) = (2.0 * 7.0 / 8.0 * B, 2.0 * 7.0 / 8.0 * 4.0 * S);
    assert_eq!(all("forward"), [hidden, row, row, row]);
    assert_eq!(all("backward"), [hidden]);
    let o = run(&llama(4), SP, "tp: 8", 1);
    assert_eq!(o.real("backward").iter().filter(|c| c.count == 1.0).count(), 2);
    assert!(o.real("backward").iter().all(|c| c.kind != "all-reduce"), "scattered instead");
}

#[test]
fn one_device_has_no_collectives_and_no_time_for_any() {
    let text = scenario(&llama(2), TP, "", 1, TRAIN, "")
        .replace("DGX_A100(nodes: 1)", "DGX_A100(nodes: 1) with { }");
    let o = Run::of(&text).scenarios.into_values().next().unwrap();
    for phase in ["forward", "recompute", "backward", "step"] {
        assert!(o.real(phase).is_empty(), "{phase}");
    }
    assert_eq!(o.get("step.communication.exposed"), 0.0);
    assert_eq!(o.get("step.communication.bytes"), 0.0);
    assert_eq!(o.get("step.bubble"), 0.0);
}

#[test]
fn gradients_are_reduced_once_in_a_step_over_the_replicas() {
    let o = run(&llama(4), TP, "dp: 8", 1);
    let parameters = o.get("parameters.total");
    assert_eq!(o.of_kind("step", "all-reduce"), [(1.0, 2.0 * 7.0 / 8.0 * 2.0 * parameters)]);
    assert!(o.real("backward").is_empty(), "not in every micro-batch");
    let wide = scenario(&llama(4), TP, "dp: 8", 1, TRAIN, "  precision { gradients = fp32 }");
    let o = Run::one(&wide);
    assert_eq!(o.of_kind("step", "all-reduce"), [(1.0, 2.0 * 7.0 / 8.0 * 4.0 * parameters)]);
}

/// Under sequence parallelism each device has seen only its part of the sequence where norms are.
#[test]
fn gradients_of_norms_are_reduced_over_the_sequence_too() {
    let o = run(&llama(4), SP, "dp: 2, tp: 4", 1);
    let norms = 2.0 * (2.0 * 4.0 + 1.0) * H;
    let over: Vec<_> = o.real("step").iter().map(|c| (c.axis.clone(), c.message)).collect();
    let rest = (o.get("parameters.total") * 2.0 - norms) / 4.0;
    assert_eq!(over, [("dp".to_owned(), rest), ("dp,tp".to_owned(), norms)]);
}

/// Two devices share a key/value head: each adds up what its own query heads say of it.
#[test]
fn gradients_of_replicated_key_value_heads_are_reduced_over_their_copies() {
    let model = llama(4).replace("kv_heads: 8", "kv_heads: 4");
    let o = run(&model, TP, "tp: 8", 1);
    let head = 2.0 * S * 64.0;
    let all = in_layers(&o, "backward", "all-reduce", 4.0);
    let two: Vec<_> = all.into_iter().filter(|b| *b < B).collect();
    assert_eq!(two, [2.0 / 2.0 * head; 2]);
    assert_eq!(o.count_of("backward", "reduce-scatter"), 0.0);
}

#[test]
fn tied_embeddings_are_reduced_between_the_first_and_the_last_stage() {
    let o = run(&megatron(4), TP, "pp: 4, tp: 2", 1);
    let table = 2.0 * 32000.0 * H / 2.0;
    assert_eq!(o.of_kind("step", "all-reduce"), [(1.0, table)]);
    let o = run(&llama(4), TP, "pp: 4, tp: 2", 1);
    assert!(o.real("step").is_empty(), "untied");
}

#[test]
fn mixed_precision_adam_takes_sixteen_bytes_for_a_parameter_or_eighteen() {
    let state = |more: &str| {
        let o = Run::one(&scenario(&llama(4), TP, "dp: 8", 1, TRAIN, more));
        let sum = ["weights", "gradients", "optimizer"].map(|p| o.get(&format!("memory.{p}")));
        sum.iter().sum::<f64>() / o.get("parameters.total")
    };
    assert_eq!(state(""), 16.0);
    assert_eq!(state("  precision { gradients = fp32 }"), 18.0);
    // Weights in fp32 are their own master copy.
    assert_eq!(state("  precision { weights = fp32, gradients = fp32 }"), 16.0);
}

#[test]
fn optimizers_keep_what_their_papers_say() {
    let state = |optimizer: &str| {
        let train = format!("batch = 64, seq = 1024, optimizer = {optimizer}");
        let o = Run::one(&scenario(&llama(4), TP, "dp: 8", 1, &train, ""));
        (o.get("memory.optimizer"), o.get("parameters.total"), o.get("step.optimizer"))
    };
    let (adam, n, adam_time) = state("adam");
    assert_eq!(adam, 12.0 * n);
    assert_eq!(state("sgd").0, 8.0 * n);
    assert_eq!(state("adamw_8bit").0, 2.0 * (1.0 + 4.0 / 2048.0) * n);
    // Matrices of a layer: q, k, v, out, gate, up, down; norms are vectors.
    let matrices = [(H, H), (H, H / 2.0), (H, H / 2.0), (H, H)];
    let all = matrices.iter().chain(&[(H, 4096.0), (H, 4096.0), (4096.0, H)]);
    let inner: f64 = 4.0 * all.clone().map(|(a, b)| a * b).sum::<f64>();
    let (muon, _, muon_time) = state("muon");
    assert_eq!(muon, 8.0 * inner + 12.0 * (n - inner));
    assert!(muon_time > adam_time / 2.0, "products beside less state");
    // Rows and columns: [heads, head_dim, hidden] has the heads as rows.
    let adafactor = state("adafactor").0;
    let (rows, columns) = (H + 4096.0, 7.0 * H);
    assert!(adafactor > 4.0 * n && adafactor < 4.0 * n + 4.0 * 40.0 * (rows + columns + 64000.0));
}

/// Weights that stay have no gradient, and nothing is kept for them.
#[test]
fn frozen_weights_have_no_gradients() {
    let at = |frozen: &str| {
        let train = format!("batch = 64, seq = 1024, optimizer = adam{frozen}");
        Run::one(&scenario(&llama(4), TP, "dp: 8", 1, &train, ""))
    };
    let o = at(", frozen = true, frozen within GroupedQueryAttention = false");
    let attention = 4.0 * 3.0 * H * H;
    assert_eq!(o.get("memory.gradients"), 2.0 * attention);
    assert_eq!(o.get("memory.optimizer"), 12.0 * attention);
    assert_eq!(o.get("memory.weights"), 2.0 * o.get("parameters.total"));
    let all = 2.0 * 7.0 / 8.0 * 2.0 * attention;
    assert_eq!(o.of_kind("step", "all-reduce"), [(1.0, all)]);
    // Gradients of what goes in are wanted all the same: the products of the other weights are
    // made twice and not three times, and the embedding not at all.
    let less = at("").get("step.flops.model") - o.get("step.flops.model");
    assert_eq!(less, 2.0 * 64.0 * S * (4.0 * 3.0 * H * 4096.0 + H * 32000.0));
    let text = scenario(&llama(2), TP, "dp: 8", 1, "batch = 64, seq = 1024, frozen = true", "");
    Run::of(&text).finding("E0518");
}

/// Only the adapters learn: their gradients, their state, their products.
#[test]
fn low_rank_adapters_learn_beside_frozen_matrices() {
    let model = llama(4).replace("Llama(", "LoraLlama(").replace(')', ", rank: 16)");
    let train = "batch = 64, seq = 1024, optimizer = adam, frozen = true, \
                 frozen within down_q, up_q, down_v, up_v = false";
    let text = scenario(&model, TP, "dp: 8", 1, train, "").replace("{Gpt,", "{Gpt, LoraLlama,");
    let o = Run::one(&text);
    // Down and up for queries (1,024) and for values (512), in four layers.
    let adapters = 4.0 * 16.0 * (H + H + H + H / 2.0);
    assert_eq!(o.get("memory.gradients"), 2.0 * adapters);
    assert_eq!(o.get("memory.optimizer"), 12.0 * adapters);
    let whole = run(&llama(4), TP, "dp: 8", 1);
    assert_eq!(o.get("parameters.total"), whole.get("parameters.total") + adapters);
    let volume = 2.0 * 7.0 / 8.0 * 2.0 * adapters;
    assert_eq!(o.of_kind("step", "all-reduce"), [(1.0, volume)]);
    assert!(o.get("step.flops.model") < 0.75 * whole.get("step.flops.model"));
}

#[test]
fn clipping_sums_one_number_over_all_devices() {
    let train = "batch = 64, seq = 1024, optimizer = adam, clip = 1";
    let o = Run::one(&scenario(&llama(4), TP, "dp: 2, pp: 2, tp: 2", 1, train, ""));
    let norm: Vec<_> =
        o.real("step").into_iter().filter(|c| c.tensor == "norm of gradients").cloned().collect();
    assert_eq!(norm.len(), 1);
    assert_eq!((norm[0].devices, norm[0].message, norm[0].count), (8.0, 4.0, 1.0));
}

#[test]
fn what_training_cannot_cost_is_said() {
    let code = |plan: &str, train: &str| {
        let run = Run::of(&scenario(&llama(4), plan, "dp: 8", 1, train, ""));
        assert!(run.scenarios.is_empty());
        run.findings.iter().map(|f| f.code).collect::<Vec<_>>()
    };
    assert_eq!(code(&format!("{TP}\n  zero optimizer over tp"), TRAIN), ["E0517"]);
    let two = "  shard batch over dp, pp\n  zero optimizer over dp, pp\n  zero weights over pp";
    assert_eq!(code(two, TRAIN), ["E0519"]);
    assert_eq!(code(&format!("{TP}\n  first_stage = 9"), TRAIN), ["E0520"]);
    assert_eq!(code("  shard batch over dp\n  last_stage = 2", TRAIN), ["E0520"]);
    assert_eq!(code(&format!("{TP}\n  context = ring"), TRAIN), ["E0521"]);
    let odd = "batch = 64, seq = 1028, optimizer = adam";
    assert_eq!(code("  shard seq over dp", odd), ["E0522"]);
    let dual = TP.replace("over pp", "over pp schedule dual_pipe");
    let text = scenario(&llama(6), &dual, "dp: 2, pp: 3", 1, TRAIN, "");
    let found: Vec<_> = Run::of(&text).findings.iter().map(|f| f.code).collect();
    assert!(found.contains(&"E0515"), "{found:?}");
    assert_eq!(code(TP, "batch = 60, seq = 1024, optimizer = adam"), ["E0514"]);
    assert_eq!(code(TP, "batch = 64, seq = 1024, optimizer = adem"), ["E0201"]);
    assert_eq!(code(TP, "batch = 64, optimizer = adam"), ["E0213"]);
}

#[test]
fn links_without_a_switch_cost_nothing_for_one_device() {
    let text = scenario(&megatron(2), TP, "dp: 1", 1, TRAIN, "");
    let text = text
        .replace("use std.systems.DGX_A100", "use std.systems.V100_SXM_32GB_1")
        .replace("DGX_A100(nodes: 1)", "V100_SXM_32GB_1");
    let text = text.replace(
        "train {",
        "precision { weights = fp16, activations = fp16, gradients = fp16 }\n  train {",
    );
    let out = Run::one(&text);
    assert_eq!(out.get("step.communication.exposed"), 0.0);
    assert!(out.get("step.time") > 0.0);
}

/// Keys and values of a layer for all tokens of a micro-batch.
const KV: f64 = 2.0 * 2.0 * S * 8.0 * 64.0;

#[test]
fn a_window_over_devices_needs_what_is_before_it_and_no_more() {
    let windowed = |window: &str, plan: &str| {
        let model = format!(
            "Llama(layers: 2, hidden: 1024, heads: 16, kv_heads: 8, ffn: 4096, vocab: 32000{window})"
        );
        let plan = format!("  shard batch over dp\n  shard seq over pp\n{plan}");
        run(&model, &plan, "dp: 1, pp: 4", 1)
    };
    let sent = |out: &Outcome, phase: &str, kind: &str| -> f64 {
        let all = out.of_kind(phase, kind);
        all.iter().filter(|(count, _)| *count == 2.0).map(|(_, bytes)| bytes).sum()
    };
    let whole = windowed("", "");
    assert_eq!(sent(&whole, "forward", "all-gather"), 0.75 * KV);
    assert_eq!(sent(&whole, "forward", "halo"), 0.0);
    // Two chunks for each device, with 63 tokens before each.
    let narrow = windowed(", window: 64", "");
    assert_eq!(sent(&narrow, "forward", "all-gather"), 0.0);
    assert_eq!(sent(&narrow, "forward", "halo"), KV * 2.0 * 63.0 / S);
    let back = sent(&narrow, "backward", "halo");
    let gathered =
        sent(&whole, "backward", "all-gather") + sent(&whole, "backward", "reduce-scatter");
    assert!((back / gathered - 2.0 * 63.0 / S / 0.75).abs() < 1e-12, "{back} of {gathered}");
    let contiguous = windowed(", window: 64", "  sequence = contiguous");
    assert_eq!(sent(&contiguous, "forward", "halo"), KV * 63.0 / S);
    // A window as wide as the sequence needs all of it, and takes no longer than a gather.
    let wide = windowed(", window: 1024", "");
    assert_eq!(sent(&wide, "forward", "halo"), 0.75 * KV);
    let exposed = "step.communication.exposed";
    assert!(wide.get(exposed) <= whole.get(exposed) && narrow.get(exposed) < whole.get(exposed));
}
