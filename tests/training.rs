//! A step of training against hand calculations: every expected value is written out here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use std::collections::BTreeMap;

use common::{Outcome, Run};

/// A model, a plan and a workload; sizes that leave no remainder anywhere.
fn scenario(model: &str, plan: &str, call: &str, nodes: u32, train: &str, more: &str) -> String {
    format!(
        "use std.layers.{{Gpt, Llama, MegatronGpt}}\nuse std.systems.DGX_A100\n\
         model M = {model}\n\
         plan P(dp: Count = 1, pp: Count = 1, tp: Count = 1) {{\n  mesh dp, pp, tp\n{plan}\n}}\n\
         scenario s {{\n  model = M\n  system = DGX_A100(nodes: {nodes})\n  plan = P({call})\n\
         {more}\n  train {{ {train} }}\n}}\n"
    )
}

const TP: &str = "  shard batch over dp\n  shard layers over pp\n  shard heads, ffn, vocab over tp";
const SP: &str = "  shard batch over dp\n  shard layers over pp\n  shard heads, ffn, vocab over tp\n\
                  \x20 shard seq over tp within LayerNorm, RmsNorm, Dropout, DropoutAdd, residual";
const TRAIN: &str = "batch = 64, seq = 1024, tokens = 1e9, optimizer = adam";

fn megatron(layers: u32) -> String {
    format!("MegatronGpt(layers: {layers}, hidden: 1024, heads: 16, vocab: 32000, context: 1024)")
}

fn run(model: &str, plan: &str, call: &str, nodes: u32) -> Outcome {
    Run::one(&scenario(model, plan, call, nodes, TRAIN, ""))
}

/// Saved activations of one layer: the difference that a layer makes.
fn saved_layer(plan: &str, call: &str) -> f64 {
    let at = |layers| run(&megatron(layers), plan, call, 1).get("memory.activations.saved");
    at(3) - at(2)
}

// Korthikanti et al. 2022: s b h (34 + 5 a s / h) and its variants.
const S: f64 = 1024.0;
const H: f64 = 1024.0;
const A: f64 = 16.0;

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

#[test]
fn the_first_stage_holds_as_many_micro_batches_as_stages_or_more_where_interleaved() {
    let layer = S * H * (34.0 + 5.0 * A * S / H);
    let before = S * H + 2.0 * S;
    let first = |schedule: &str| {
        let plan = TP.replace("over pp", &format!("over pp schedule {schedule}"));
        run(&megatron(16), &plan, "dp: 2, pp: 4", 1).get("memory.activations.saved")
    };
    // Four layers on the first of four stages, 32 micro-batches.
    let stage = 4.0 * layer + before;
    assert_eq!(first("one_f_one_b"), 4.0 * stage);
    // The last stage holds as many, and the logits too.
    let after = 4.0 * S * H + 4.0 * S * 32000.0 + 4.0 * S + 2.0 * S;
    assert_eq!(first("gpipe"), 32.0 * (4.0 * layer + after));
    // 1 + (p - 1)/(p v) times as much.
    let interleaved = first("interleaved(chunks: 2)");
    assert_eq!(interleaved, 4.0 * (1.0 + 3.0 / 8.0) * stage);
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

fn llama(layers: u32) -> String {
    format!(
        "Llama(layers: {layers}, hidden: 1024, heads: 16, kv_heads: 8, ffn: 4096, vocab: 32000)"
    )
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

/// Bytes of hidden states of a micro-batch.
const B: f64 = 2.0 * S * H;

fn in_layers(o: &Outcome, phase: &str, kind: &str, layers: f64) -> Vec<f64> {
    let all = o.of_kind(phase, kind);
    all.into_iter().filter(|(count, _)| *count == layers).map(|(_, bytes)| bytes).collect()
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

const CP: &str = "  shard batch over dp\n  shard seq over pp\n  shard heads, ffn, vocab over tp";

/// Keys and values of a micro-batch of `llama`: half as many heads as queries have.
const KV: f64 = B / 2.0;

#[test]
fn a_sequence_over_devices_gathers_keys_and_values_and_scatters_their_gradients() {
    let o = run(&llama(4), CP, "pp: 8", 1);
    let each = 7.0 / 8.0 * KV;
    assert_eq!(in_layers(&o, "forward", "all-gather", 4.0), [each, each]);
    assert_eq!(in_layers(&o, "backward", "all-gather", 4.0), [each, each]);
    assert_eq!(in_layers(&o, "backward", "reduce-scatter", 4.0), [each, each]);
    assert_eq!(o.real("forward").len(), 2, "nothing else is sent");
    assert_eq!(o.real("backward").len(), 4);
    // Each device has seen a part of the tokens: weights are replicas.
    let parameters = o.get("parameters.total");
    assert_eq!(o.of_kind("step", "all-reduce"), [(1.0, 2.0 * 7.0 / 8.0 * 2.0 * parameters)]);
}

#[test]
fn a_sequence_over_devices_divides_what_is_saved() {
    let saved = |call: &str| run(&llama(4), CP, call, 1).get("memory.activations.saved");
    assert_eq!(saved("pp: 8"), saved("dp: 8") / 8.0);
    // As many devices over the batch do the same work each.
    let (cp, dp) = (run(&llama(4), CP, "pp: 8", 1), run(&llama(4), CP, "dp: 8", 1));
    assert_eq!(cp.get("step.flops.hardware"), dp.get("step.flops.hardware"));
}

#[test]
fn context_parallelism_goes_with_tensor_and_sequence_parallelism() {
    let plan = "  shard batch over dp\n  shard seq over pp\n  shard heads, ffn, vocab over tp\n                \x20 shard seq over pp, tp within RmsNorm, residual";
    let o = run(&llama(4), plan, "pp: 4, tp: 2", 1);
    let kv = 3.0 / 4.0 * KV / 2.0;
    let hidden = 1.0 / 2.0 * B / 4.0;
    let mut gathers = in_layers(&o, "forward", "all-gather", 4.0);
    gathers.sort_by(f64::total_cmp);
    let mut expected = [kv, kv, hidden, hidden];
    expected.sort_by(f64::total_cmp);
    assert_eq!(gathers, expected);
    assert_eq!(in_layers(&o, "forward", "reduce-scatter", 4.0), [hidden; 2]);
}

/// The last chunk of eight sees 15/8 of the mean; chunks dealt first with last see the same.
#[test]
fn contiguous_chunks_of_a_causal_sequence_wait_for_the_last() {
    let attention = |more: &str| {
        let train = "batch = 8, seq = 32768, optimizer = adam";
        let plan = format!("{CP}\n{more}");
        let o = Run::one(&scenario(&llama(4), &plan, "pp: 8", 1, train, ""));
        (o.get("layers.attention.forward.time"), o.get("step.flops.hardware"))
    };
    let (even, work) = attention("  sequence = zigzag");
    let (uneven, same) = attention("  sequence = contiguous");
    assert_eq!(work, same, "no more work in all");
    // Attention takes two products of 2 s²/8 h keys seen, at 0.62 of the peak; the rest is alike.
    let mean = 4.0 * 2.0 * 2.0 * (32768.0 / 8.0) * 32769.0 / 2.0 * H / (0.62 * 312e12);
    let more = 8.0 * (15.0 / 8.0 - 1.0) * mean;
    assert!(((uneven - even) / more - 1.0).abs() < 1e-9, "{} is not {more}", uneven - even);
}

/// (n - 1) max(0, send - chunk): what attention does not cover of each send.
#[test]
fn a_ring_hides_sends_behind_attention() {
    let wide = "Llama(layers: 4, hidden: 1024, heads: 8, kv_heads: 1, ffn: 4096, vocab: 32000)";
    let train = "batch = 8, seq = 32768, optimizer = adam";
    let at = |model: &str, train: &str, more: &str| {
        let plan = format!("{CP}\n{more}");
        Run::one(&scenario(model, &plan, "pp: 8", 1, train, ""))
    };
    let step = |o: &Outcome| o.real("step").iter().map(|c| c.time).sum::<f64>();
    // Long sequences cover all, and only the gradients of weights are left.
    let o = at(wide, train, "  context = ring");
    assert!((o.get("step.communication.exposed") / step(&o) - 1.0).abs() < 1e-9);
    assert!(o.get("step.communication.hidden") > 0.0);
    // Short ones do not: what is open and what is hidden are what a gather costs.
    let short = "batch = 8, seq = 1024, optimizer = adam";
    let (ring, gather) = (at(wide, short, "  context = ring"), at(wide, short, ""));
    let sum = ring.get("step.communication.exposed") + ring.get("step.communication.hidden");
    assert!((sum / gather.get("step.communication.exposed") - 1.0).abs() < 1e-9);
    assert!(ring.get("step.communication.exposed") > step(&ring));
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
fn a_shared_update_scatters_gradients_and_gathers_weights() {
    let plan = format!("{TP}\n  zero optimizer over dp");
    let o = run(&llama(4), &plan, "dp: 8", 1);
    let parameters = o.get("parameters.total");
    let each = 7.0 / 8.0 * 2.0 * parameters;
    assert_eq!(o.of_kind("step", "reduce-scatter"), [(1.0, each)]);
    assert_eq!(o.of_kind("step", "all-gather"), [(1.0, each)]);
    assert_eq!(o.count_of("step", "all-reduce"), 0.0);
    assert_eq!(o.get("memory.optimizer"), 12.0 * parameters / 8.0);
    assert_eq!(o.get("memory.gradients"), 2.0 * parameters);
}

/// Weights of a layer of `llama`, and of what stands beside the layers.
fn layer_and_beside(o: &Outcome, layers: f64) -> (f64, f64) {
    let beside = 2.0 * 32000.0 * H + H;
    ((o.get("parameters.total") - beside) / layers, beside)
}

#[test]
fn shared_gradients_are_scattered_in_every_micro_batch() {
    let o = run(&llama(4), &format!("{TP}\n  zero gradients over dp"), "dp: 8", 1);
    let parameters = o.get("parameters.total");
    let all = 7.0 / 8.0 * 2.0 * parameters;
    assert_eq!(o.volume_of("backward", "reduce-scatter"), all);
    assert_eq!(o.of_kind("step", "all-gather"), [(1.0, all)]);
    assert_eq!(o.real("step").len(), 1);
    assert!(o.real("forward").is_empty());
    assert_eq!(o.get("memory.gradients"), 2.0 * parameters / 8.0);
    assert_eq!(o.get("memory.optimizer"), 12.0 * parameters / 8.0);
    assert_eq!(o.get("memory.weights"), 2.0 * parameters);
    // One gradient of a layer before it is scattered.
    let (layer, _) = layer_and_beside(&o, 4.0);
    assert_eq!(o.get("memory.buffers"), 64.0 * 1048576.0 + 2.0 * layer);
}

#[test]
fn shared_weights_are_gathered_for_each_pass_of_every_micro_batch() {
    let o = run(&llama(4), &format!("{TP}\n  zero weights over dp"), "dp: 8", 1);
    let parameters = o.get("parameters.total");
    let all = 7.0 / 8.0 * 2.0 * parameters;
    assert_eq!(o.volume_of("forward", "all-gather"), all);
    assert_eq!(o.volume_of("backward", "all-gather"), all);
    assert_eq!(o.volume_of("backward", "reduce-scatter"), all);
    assert!(o.real("step").is_empty());
    // Layer by layer, not all at once.
    let (layer, beside) = layer_and_beside(&o, 4.0);
    let layers = in_layers(&o, "forward", "all-gather", 4.0);
    assert_eq!(layers, [7.0 / 8.0 * 2.0 * layer]);
    let state = ["weights", "gradients", "optimizer"].map(|p| o.get(&format!("memory.{p}")));
    assert_eq!(state, [2.0, 2.0, 12.0].map(|b| b * parameters / 8.0));
    // The layer that runs and the next one, what stands beside the layers, one gradient.
    let held = 2.0 * (2.0 * layer) + 2.0 * beside + 2.0 * layer;
    assert_eq!(o.get("memory.buffers"), 64.0 * 1048576.0 + held);
    assert_eq!(o.get("step.communication.bytes"), 8.0 * 3.0 * all, "eight micro-batches");
}

#[test]
fn weights_that_stay_gathered_are_gathered_once_in_a_micro_batch() {
    let plan = format!("{TP}\n  zero weights over dp\n  keep_gathered = true");
    let o = run(&llama(4), &plan, "dp: 8", 1);
    let all = 7.0 / 8.0 * 2.0 * o.get("parameters.total");
    assert_eq!(o.volume_of("forward", "all-gather"), all);
    assert_eq!(o.count_of("backward", "all-gather"), 0.0);
    let (layer, beside) = layer_and_beside(&o, 4.0);
    let held = 4.0 * (2.0 * layer) + 2.0 * beside + 2.0 * layer;
    assert_eq!(o.get("memory.buffers"), 64.0 * 1048576.0 + held);
}

/// Shared by the four of a group, replicated over the two groups.
#[test]
fn hybrid_sharing_sums_the_shards_over_the_replicas_once_in_a_step() {
    let plan = "  shard batch over dp, pp\n  zero weights over pp";
    let o = run(&llama(4), plan, "dp: 2, pp: 4", 1);
    let parameters = o.get("parameters.total");
    let all = 3.0 / 4.0 * 2.0 * parameters;
    assert_eq!(o.volume_of("forward", "all-gather"), all);
    assert_eq!(o.volume_of("backward", "reduce-scatter"), all);
    let shard = 2.0 * parameters / 4.0;
    assert_eq!(o.of_kind("step", "all-reduce"), [(1.0, 2.0 / 2.0 * shard)]);
    assert_eq!(o.get("memory.weights"), shard);
}

#[test]
fn overlapped_gathers_leave_in_the_open_what_compute_does_not_cover() {
    let plan = format!("{TP}\n  zero weights over dp");
    let open = run(&llama(4), &plan, "dp: 8", 1);
    let hidden = run(&llama(4), &format!("{plan}\n  overlap weights"), "dp: 8", 1);
    let total = |o: &Outcome, phase: &str, kind: &str| {
        o.real(phase).iter().filter(|c| c.kind == kind).map(|c| c.count * c.time).sum::<f64>()
    };
    let (forward, backward) =
        (total(&open, "forward", "all-gather"), total(&open, "backward", "all-gather"));
    let scatter = total(&open, "backward", "reduce-scatter");
    let comm = open.get("step.communication.exposed");
    assert!((comm / (8.0 * (forward + backward + scatter)) - 1.0).abs() < 1e-12);
    let left = |time: f64, window: f64| f64::max(0.15 * time, time - window);
    let windows = ["forward", "backward"].map(|p| open.get(&format!("step.{p}")) / 8.0);
    let expected = 8.0 * (left(forward, windows[0]) + left(backward, windows[1]) + scatter);
    let exposed = hidden.get("step.communication.exposed");
    assert!((exposed / expected - 1.0).abs() < 1e-12, "{exposed} is not {expected}");
    let gone = hidden.get("step.communication.hidden");
    assert!(((exposed + gone) / comm - 1.0).abs() < 1e-12);
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

/// Stages that are almost equal: a small vocabulary, so that its ends weigh nothing.
fn equal_stages(schedule: &str) -> Outcome {
    let model = "Llama(layers: 16, hidden: 4096, heads: 32, ffn: 16384, vocab: 128)";
    let plan = TP.replace("over pp", &format!("over pp schedule {schedule}"));
    run(model, &plan, "dp: 2, pp: 4", 1)
}

#[test]
fn bubbles_of_equal_stages_are_those_of_the_closed_forms() {
    // Four stages, 32 micro-batches.
    let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 0.01, "{a} is not near {b}");
    for schedule in ["gpipe", "one_f_one_b"] {
        near(equal_stages(schedule).get("step.bubble_overhead"), 3.0 / 32.0);
    }
    let o = equal_stages("interleaved(chunks: 2)");
    near(o.get("step.bubble_overhead"), 3.0 / (32.0 * 2.0));
}

/// Gradients of weights fill waits: (p - 1)(F + B - 2 W), (p - 1)(F + B - 3 W) and
/// (p/2 - 1)(F&B + B - 3 W), where W is half of B in a model of products alone.
#[test]
fn schedules_that_split_the_backward_pass_wait_less() {
    let bubble = |schedule: &str| {
        let o = equal_stages(schedule);
        (o.get("step.bubble"), o.get("step.forward") / 32.0, o.get("step.backward") / 32.0)
    };
    let (plain, f, b) = bubble("one_f_one_b");
    let (h1, ..) = bubble("zero_bubble_h1");
    let (h2, ..) = bubble("zero_bubble_h2");
    let (dual, ..) = bubble("dual_pipe");
    let w = (f + b - h1 / 3.0) / 2.0;
    assert!((0.3 * b..0.55 * b).contains(&w), "{w} of {b}");
    assert!((plain / (3.0 * (f + b)) - 1.0).abs() < 0.01);
    assert!((h2 - f64::max(0.0, 3.0 * (f + b - 3.0 * w))).abs() < 1e-9);
    assert!((dual - f64::max(0.0, f + 2.0 * b - 3.0 * w)).abs() < 1e-9);
}

#[test]
fn micro_batches_in_flight_are_those_of_the_schedule() {
    let saved = |schedule: &str, stage: &str| {
        let path = format!("memory.stages.{stage}.activations.saved");
        equal_stages(schedule).get(&path)
    };
    // On a stage between there is nothing but layers: four of sixteen, 32 micro-batches.
    let one = saved("gpipe", "between") / 32.0;
    for (schedule, second) in
        [("one_f_one_b", 3.0), ("zero_bubble_h1", 3.0), ("zero_bubble_h2", 5.0), ("dual_pipe", 5.0)]
    {
        assert_eq!(saved(schedule, "between"), second * one, "{schedule}");
    }
    assert!(saved("one_f_one_b", "first") > saved("one_f_one_b", "between"));
    let twice = equal_stages("dual_pipe").get("memory.stages.between.weights");
    assert_eq!(twice, 2.0 * equal_stages("gpipe").get("memory.stages.between.weights"));
}

#[test]
fn the_fullest_stage_is_that_of_the_memory() {
    let o = equal_stages("one_f_one_b");
    let stages = ["first", "between", "last"];
    let totals = stages.map(|s| o.get(&format!("memory.stages.{s}.total")));
    assert_eq!(o.get("memory.total"), totals.into_iter().fold(0.0, f64::max));
}

/// The ends may have layers of their own; the others share the rest.
#[test]
fn stages_may_be_uneven() {
    let model = "Llama(layers: 14, hidden: 1024, heads: 16, ffn: 4096, vocab: 128)";
    let plan = format!("{TP}\n  first_stage = 3\n  last_stage = 3");
    let o = run(model, &plan, "dp: 2, pp: 4", 1);
    let layer = 4.0 * H * H + 3.0 * 4096.0 * H + 2.0 * H;
    assert_eq!(o.get("memory.stages.between.weights"), 2.0 * 4.0 * layer);
    assert_eq!(o.get("memory.stages.first.weights"), 2.0 * (3.0 * layer + 128.0 * H));
    // Without that they cannot be dealt out.
    let run = Run::of(&scenario(model, TP, "dp: 2, pp: 4", 1, TRAIN, ""));
    run.finding("E0501");
}

/// One forward, one backward, stage by stage: when does the last backward pass end?
fn simulate(forward: &[f64], backward: &[f64], micro_batches: usize) -> f64 {
    let p = forward.len();
    let order = |stage: usize| -> Vec<(bool, usize)> {
        let ahead = micro_batches.min(p - 1 - stage);
        let mut order: Vec<(bool, usize)> = (0..ahead).map(|k| (true, k)).collect();
        for k in 0..micro_batches {
            if ahead + k < micro_batches {
                order.push((true, ahead + k));
            }
            order.push((false, k));
        }
        order
    };
    let mut waiting: Vec<_> = (0..p).map(|s| order(s).into_iter().peekable()).collect();
    let (mut clock, mut done) = (vec![0.0_f64; p], BTreeMap::new());
    while waiting.iter_mut().any(|w| w.peek().is_some()) {
        for stage in 0..p {
            while let Some(&(ahead, k)) = waiting[stage].peek() {
                let before = match (ahead, stage) {
                    (true, 0) => Some(0.0),
                    (true, s) => done.get(&(true, s - 1, k)).copied(),
                    (false, s) if s + 1 == p => done.get(&(true, s, k)).copied(),
                    (false, s) => done.get(&(false, s + 1, k)).copied(),
                };
                let Some(before) = before else { break };
                let work = if ahead { forward[stage] } else { backward[stage] };
                clock[stage] = clock[stage].max(before) + work;
                done.insert((ahead, stage, k), clock[stage]);
                waiting[stage].next();
            }
        }
    }
    clock.into_iter().fold(0.0, f64::max)
}

/// What the library says of the same.
fn formula(ends: [[f64; 2]; 3], stages: usize, micro_batches: usize) -> String {
    let times: Vec<String> = ends.iter().flatten().map(|t| format!("{t} s")).collect();
    format!("one_f_one_b_time({}, {stages}, {micro_batches})", times.join(", "))
}

#[test]
fn one_forward_one_backward_takes_as_long_as_a_simulation_of_it() {
    let mut seed = 1_u64;
    let mut random = |low: f64, high: f64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((seed >> 33) as f64 / f64::from(1_u32 << 31))
    };
    let mut text = scenario(&llama(2), TP, "dp: 8", 1, TRAIN, "");
    let mut cases = Vec::new();
    for round in 0..60 {
        let stages = 2 + (random(0.0, 11.0) as usize);
        let micro_batches = stages * (2 + random(0.0, 6.0) as usize);
        let equal = round % 6 == 0;
        let mut stage = || {
            let f = if equal { 1.0 } else { random(0.5, 1.5) };
            [f, 2.0 * f]
        };
        let ends = [stage(), stage(), stage()];
        let mut all = vec![ends[0]];
        all.extend(std::iter::repeat_n(ends[1], stages - 2));
        all.push(ends[2]);
        let pass = |i: usize| all.iter().map(|s| s[i]).collect::<Vec<_>>();
        let simulated = simulate(&pass(0), &pass(1), micro_batches);
        if equal {
            let closed = (micro_batches + stages - 1) as f64 * 3.0;
            assert!((simulated / closed - 1.0).abs() < 1e-12);
        }
        let formula = formula(ends, stages, micro_batches);
        text = format!("{text}metric case_{round} for train = {formula}\n");
        cases.push((simulated, equal, formula));
    }
    let o = Run::one(&format!("use std.cost.training.one_f_one_b_time\n{text}"));
    for (i, (simulated, equal, formula)) in cases.into_iter().enumerate() {
        let error = o.get(&format!("case_{i}")) / simulated - 1.0;
        assert!(error.abs() < if equal { 1e-12 } else { 0.01 }, "{formula}: {error}");
    }
}

#[test]
fn the_parts_of_a_step_are_its_time() {
    for o in [equal_stages("one_f_one_b"), run(&megatron(4), SP, "dp: 2, pp: 2, tp: 2", 1)] {
        let parts =
            ["forward", "backward", "recompute", "communication.exposed", "bubble", "optimizer"];
        let sum: f64 = parts.iter().map(|p| o.get(&format!("step.{p}"))).sum();
        assert!((sum / o.get("step.time") - 1.0).abs() < 1e-12);
        let rate = 64.0 * 1024.0 / o.get("step.time");
        assert!((o.get("throughput.system") / rate - 1.0).abs() < 1e-12);
        assert!((o.get("run.time") / (1e9 / rate) - 1.0).abs() < 1e-12);
        let price = 1.5 / 3600.0 * 8.0;
        assert!((o.get("run.cost") / (price * o.get("run.time")) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn overlapped_gradients_hide_behind_the_last_backward_pass() {
    let open = run(&llama(4), TP, "dp: 8", 1);
    let hidden = run(&llama(4), &format!("{TP}\n  overlap gradients"), "dp: 8", 1);
    let comm = open.get("step.communication.exposed");
    let (left, gone) =
        (hidden.get("step.communication.exposed"), hidden.get("step.communication.hidden"));
    assert!(((left + gone) / comm - 1.0).abs() < 1e-12);
    let window = hidden.get("step.backward") / 8.0;
    let expected = f64::max(0.15 * comm, comm - window);
    assert!((left / expected - 1.0).abs() < 1e-12, "{left} is not {expected}");
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

/// Plans at random: the work of a model does not depend on them, nothing is negative, and the same
/// plan in other words costs the same.
#[test]
fn plans_conserve_work_and_cost_the_same_however_they_are_written() {
    let mut seed = 7_u64;
    let mut random = |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for _ in 0..24 {
        let pp = 1 << random(3);
        let tp = 1 << random(if pp == 4 { 2 } else { 3 });
        let dp = 8 / pp / tp;
        let model = if random(2) == 0 { llama(8) } else { megatron(8) };
        let mut rules = vec!["shard batch over dp", "shard heads, ffn, vocab over tp"];
        let schedule = ["", " schedule one_f_one_b", " schedule gpipe", " schedule zero_bubble_h1"];
        let layers = format!("shard layers over pp{}", schedule[random(4) as usize]);
        rules.push(&layers);
        let sequence = "shard seq over tp within LayerNorm, RmsNorm, Dropout, DropoutAdd, residual";
        if random(2) == 0 {
            rules.push(sequence);
        }
        let shared = ["optimizer", "gradients", "weights"][random(3) as usize];
        let zero = format!("zero {shared} over dp");
        if random(2) == 0 {
            rules.push(&zero);
        }
        let more = ["", "recompute = selective", "recompute = full"][random(3) as usize];
        let hidden = ["", "overlap gradients, weights", "overlap activations"][random(3) as usize];
        rules.extend([more, hidden].into_iter().filter(|r| !r.is_empty()));
        let call = format!("dp: {dp}, pp: {pp}, tp: {tp}");
        let plan = rules.iter().map(|r| format!("  {r}")).collect::<Vec<_>>().join("\n");
        let o = run(&model, &plan, &call, 1);
        // In another order, with what holds anyway said.
        rules.reverse();
        if more.is_empty() {
            rules.push("recompute = none");
        }
        rules.extend(["micro_batch = 1", "keep_gathered = false"]);
        let other = rules.iter().map(|r| format!("  {r}")).collect::<Vec<_>>().join("\n");
        let same = run(&model, &other.replace("schedule one_f_one_b", ""), &call, 1);
        for (path, value) in &o.numbers {
            let other = same.get(path);
            let near = (value - other).abs() <= 1e-12 * value.abs();
            assert!(near, "{path}: {value} is not {other} in\n{plan}");
            assert!(*value >= 0.0, "{path} is {value} in\n{plan}");
        }
        let work = if more.is_empty() { "step.flops.hardware" } else { "step.flops.model" };
        let whole = run(&model, "  shard batch over dp", "dp: 8", 1);
        assert_eq!(o.get("step.flops.model"), whole.get("step.flops.model"), "{plan}");
        assert!(o.get(work) >= o.get("step.flops.model"), "{plan}");
        for phase in ["forward", "recompute", "backward", "step"] {
            assert!(o.real(phase).iter().all(|c| c.bytes >= 0.0 && c.time >= 0.0), "{plan}");
        }
        let parts =
            ["forward", "backward", "recompute", "communication.exposed", "bubble", "optimizer"];
        let sum: f64 = parts.iter().map(|p| o.get(&format!("step.{p}"))).sum();
        assert!((sum / o.get("step.time") - 1.0).abs() < 1e-12, "{plan}");
    }
}
