//! What replicas share, sequences over devices, and collectives behind compute, by hand calculation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::training::*;
use common::{Outcome, Run};

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
