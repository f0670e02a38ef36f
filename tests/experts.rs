//! Experts and latent attention: what is sent, what is read, what is kept, by hand calculation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};

const USES: &str = "
use std.models.{DeepSeek_V3, DeepSeek_V3_2, GptOss_20B, Mixtral_8x7B}
use std.systems.DGX_H100
plan Ep(ep: Count) {
  mesh ep
  shard batch, expert over ep
}
plan Replicas(dp: Count, ep: Count) {
  mesh dp, ep
  shard batch  over dp, ep
  shard expert over ep
}
plan Outside(ep: Count, dp: Count) {
  mesh ep, dp
  shard batch  over ep, dp
  shard expert over ep
}
plan TpExperts(tp: Count) {
  mesh tp
  shard heads, vocab, expert over tp
}
plan TpEp(tp: Count) {
  mesh tp
  shard heads, vocab, expert over tp
  shard ffn                  over tp within GatedMlp
}
plan Tp(tp: Count) {
  mesh tp
  shard heads, vocab, ffn over tp
}
plan Across(dp: Count, tp: Count) {
  mesh dp, tp
  shard batch        over dp
  shard heads, vocab over tp
  shard expert       over dp, tp
}
plan Sliced(dp: Count, tp: Count) {
  mesh dp, tp
  shard batch  over dp
  shard heads  over tp
  shard expert over dp, tp
  shard seq    over tp within RmsNorm, MixtureOfExperts, residual
}
plan EpTp(ep: Count, tp: Count) {
  mesh ep, tp
  shard batch, expert     over ep
  shard heads, vocab, ffn over tp
}
";

fn text(model: &str, nodes: u64, plan: &str, batch: u64, prompt: u64) -> String {
    format!(
        "{USES}\nscenario s {{\n  model = {model}\n  system = DGX_H100(nodes: {nodes})\n  \
         plan = {plan}\n  precision {{ weights = fp8, activations = bf16, cache = bf16 }}\n  \
         serve {{ batch = {batch}, prompt = {prompt}, output = 2 }}\n}}\n"
    )
}

fn eval(model: &str, nodes: u64, plan: &str, batch: u64, prompt: u64) -> Outcome {
    Run::one(&text(model, nodes, plan, batch, prompt))
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{a} and {b}");
}

/// Volumes of all collectives of a kind in a phase: each must have the same.
#[track_caller]
fn each(out: &Outcome, phase: &str, kind: &str) -> f64 {
    let found = out.of_kind(phase, kind);
    assert!(!found.is_empty(), "no {kind} in {phase}");
    assert!(found.iter().all(|(_, b)| (b - found[0].1).abs() < 1e-6 * b), "{found:?}");
    found[0].1
}

#[test]
fn experts_over_the_axis_of_the_tokens_send_each_pick_there_and_back() {
    let out = eval("Mixtral_8x7B", 1, "Ep(ep: 8)", 64, 1024);
    // Two for each of 32 layers; (n - 1) / n of two copies of 8 x 1024 tokens.
    assert_eq!(out.count_of("prefill", "all-to-all"), 64.0);
    assert_eq!(each(&out, "prefill", "all-to-all"), 7.0 / 8.0 * (8 * 1024 * 2 * 4096 * 2) as f64);
    assert_eq!(out.get("prefill.communication.count"), 64.0);
    assert_eq!(each(&out, "decode.mid", "all-to-all"), 7.0 / 8.0 * (8 * 2 * 4096 * 2) as f64);
    // Every device keeps one expert of each layer, and everything else whole.
    let expert = 3 * 4096 * 14336_u64;
    let others = 46_702_792_704 - 32 * 8 * expert;
    assert_eq!(out.get("memory.weights"), (others + 32 * expert) as f64);
}

#[test]
fn replicas_of_experts_exchange_among_themselves_however_the_mesh_is_ordered() {
    for plan in ["Replicas(dp: 2, ep: 8)", "Outside(dp: 2, ep: 8)"] {
        let out = eval("Mixtral_8x7B", 2, plan, 64, 1024);
        assert_eq!(out.count_of("prefill", "all-to-all"), 64.0, "{plan}");
        let local = (64 / 16 * 1024 * 2 * 4096 * 2) as f64;
        assert_eq!(each(&out, "prefill", "all-to-all"), 7.0 / 8.0 * local, "{plan}");
        assert_eq!(out.get("prefill.communication.count"), 64.0, "{plan}");
    }
}

#[test]
fn what_is_sent_has_the_format_that_its_block_says() {
    let text = text("Mixtral_8x7B", 1, "Ep(ep: 8)", 64, 1024);
    let text = text.replace("cache = bf16", "cache = bf16, activations within Dispatch = fp8");
    let out = Run::one(&text);
    let bf16 = 7.0 / 8.0 * (8 * 1024 * 2 * 4096 * 2) as f64;
    let sent = out.of_kind("prefill", "all-to-all");
    assert_eq!(sent, [(32.0, bf16 / 2.0), (32.0, bf16)]);
}

#[test]
fn tokens_that_all_devices_have_are_not_sent_but_their_sums_are_reduced() {
    for plan in ["TpExperts(tp: 8)", "Tp(tp: 8)"] {
        let out = eval("Mixtral_8x7B", 1, plan, 4, 1024);
        assert_eq!(out.count_of("prefill", "all-to-all"), 0.0, "{plan}");
        // Attention and experts of 32 layers, and the embedding: a token once, not once a pick.
        assert_eq!(out.count_of("prefill", "all-reduce"), 65.0, "{plan}");
        let b = (4 * 1024 * 4096 * 2) as f64;
        assert_eq!(each(&out, "prefill", "all-reduce"), 2.0 * 7.0 / 8.0 * b, "{plan}");
    }
}

#[test]
fn routed_and_shared_experts_are_reduced_together() {
    let out = eval("DeepSeek_V3", 4, "TpEp(tp: 32)", 4, 256);
    assert_eq!(out.count_of("prefill", "all-reduce"), 123.0); // two of 61 layers, the embedding
    assert_eq!(out.count_of("prefill", "all-to-all"), 0.0);
    // A gate on the shared expert weighs what is summed behind it.
    let gated = USES.replacen("DeepSeek_V3,", "Qwen1_5_MoE_A2_7B, DeepSeek_V3,", 1);
    let text = text("Qwen1_5_MoE_A2_7B", 1, "Tp(tp: 8)", 4, 256).replacen(USES, &gated, 1);
    assert_eq!(Run::one(&text).count_of("prefill", "all-reduce"), 49.0); // two of 24 layers
}

#[test]
fn experts_across_both_axes_are_sliced_over_the_one_without_tokens_first() {
    let out = eval("Mixtral_8x7B", 1, "Across(dp: 4, tp: 2)", 64, 1024);
    // Half of the experts are on the same tensor-parallel rank: it sends half of the copies.
    let local = (16 * 1024 * 2 * 4096 * 2) as f64;
    assert_eq!(out.count_of("prefill", "all-to-all"), 64.0);
    assert_eq!(each(&out, "prefill", "all-to-all"), 3.0 / 4.0 * local / 2.0);
    let b = (16 * 1024 * 4096 * 2) as f64;
    assert_eq!(each(&out, "prefill", "all-reduce"), 2.0 / 2.0 * b);
    // With positions cut over that axis one exchange spans both.
    let out = eval("Mixtral_8x7B", 1, "Sliced(dp: 4, tp: 2)", 64, 1024);
    assert_eq!(out.count_of("prefill", "all-to-all"), 64.0);
    assert_eq!(each(&out, "prefill", "all-to-all"), 7.0 / 8.0 * local / 2.0);
}

#[test]
fn experts_cut_inside_are_reduced_after_their_picks_are_added_up() {
    let out = eval("Mixtral_8x7B", 1, "EpTp(ep: 4, tp: 2)", 64, 1024);
    let local = (16 * 1024 * 2 * 4096 * 2) as f64;
    assert_eq!(each(&out, "prefill", "all-to-all"), 3.0 / 4.0 * local);
    let b = (16 * 1024 * 4096 * 2) as f64;
    assert_eq!(out.count_of("prefill", "all-reduce"), 65.0);
    assert_eq!(each(&out, "prefill", "all-reduce"), b);
}

#[test]
fn one_device_sends_nothing() {
    let out = eval("Mixtral_8x7B", 1, "Replicas(dp: 8, ep: 1)", 64, 64);
    assert_eq!(out.get("prefill.communication.count"), 0.0);
    assert_eq!(out.get("prefill.communication.exposed"), 0.0);
}

#[test]
fn a_token_crosses_to_each_node_once() {
    let run = |model: &str, once: u64| {
        let text = format!(
            "use std.models.Llama4_Scout\nruntime Now {{\n  dispatch_once = {once} \
             source \"said so\"\n}}\n{}",
            text(model, 2, "Ep(ep: 16)", 64, 1024).replace("  plan =", "  runtime = Now\n  plan =")
        );
        let out = Run::of(&text).scenarios.remove("s").unwrap();
        let sent: Vec<_> = out.real("prefill").into_iter().cloned().collect();
        let sent: Vec<_> = sent.into_iter().filter(|c| c.kind == "all-to-all").collect();
        (sent[0].time, sent[0].bytes)
    };
    // With one pick for each token there is nothing to save.
    let ((plain, _), (once, _)) = (run("Llama4_Scout", 0), run("Llama4_Scout", 1));
    close(plain, once);
    // Eight picks lie in two nodes: 2 (1 - 1/2^8) copies across instead of eight.
    let ((plain, sent), (once, logical)) = (run("DeepSeek_V3", 0), run("DeepSeek_V3", 1));
    assert_eq!(sent, logical);
    assert!(once < plain * 0.4, "{once} {plain}");
}

#[test]
fn a_token_reads_the_experts_that_it_picks_and_many_tokens_nearly_all() {
    let expert = (3 * 7168 * 2048_u64) as f64;
    let table = (129_280 * 7168_u64) as f64;
    for (batch, nodes) in [(1, 16), (256, 16)] {
        let plan = if batch == 1 { "TpEp(tp: 128)" } else { "Ep(ep: 128)" };
        let out = eval("DeepSeek_V3", nodes, plan, batch, 64);
        assert_eq!(out.get("parameters.total"), 671_026_419_200.0);
        assert_eq!(out.get("parameters.active"), 37_552_297_472.0);
        // Of the table only the rows of the tokens are read, in bytes of weights.
        let tokens = batch as f64;
        let touched = 256.0 * (1.0 - (1.0 - 8.0 / 256.0_f64).powf(tokens));
        let others = 37_552_297_472.0 - 58.0 * 8.0 * expert - table;
        let rows = tokens * 7168.0 * 2.0;
        close(out.get("decode.mid.weights_read"), others + rows + 58.0 * touched * expert);
        // Work follows what is picked.
        let flops = 2.0 * tokens * 58.0 * 8.0 * expert;
        let gate_up = out.get("layers.mlp.gate_up.decode.mid.flops");
        let dense = 2.0 * tokens * 3.0 * 2.0 * (7168 * 18432_u64) as f64;
        let shared = 2.0 * tokens * 58.0 * 2.0 / 3.0 * expert;
        close(gate_up, flops * 2.0 / 3.0 + dense + shared);
    }
}

#[test]
fn the_busiest_device_has_at_least_one_expert_to_read() {
    // 128 devices have two experts each; one token picks eight.
    let one = eval("DeepSeek_V3", 16, "TpEp(tp: 128)", 1, 64);
    let device = one.get("decode.mid.device.bytes");
    let expert = (3 * 7168 * 2048_u64) as f64;
    assert!(device > 58.0 * expert, "{device} and {expert}");
    assert!(one.get("decode.mid.padded.bytes") > 0.0);
}

#[test]
fn latent_attention_keeps_one_vector_for_all_heads_on_every_device() {
    for (plan, nodes) in [("TpEp(tp: 32)", 4), ("TpEp(tp: 128)", 16)] {
        let out = eval("DeepSeek_V3", nodes, plan, 4, 62);
        assert_eq!(out.get("memory.cache"), (4 * 64 * 61 * (512 + 64) * 2) as f64, "{plan}");
        let out = eval("DeepSeek_V3_2", nodes, plan, 4, 62);
        assert_eq!(out.get("memory.cache"), (4 * 64 * 61 * (512 + 64 + 128) * 2) as f64, "{plan}");
    }
}

#[test]
fn each_phase_takes_the_cheaper_form_of_latent_attention() {
    let out = eval("DeepSeek_V3", 4, "Ep(ep: 32)", 32, 8192);
    let time =
        |kernel: &str, phase: &str| out.get(&format!("layers.attention.{kernel}.{phase}.time"));
    assert_eq!(time("latent_attention", "prefill"), 0.0);
    assert!(time("flash_attention", "prefill") > 0.0 && time("expand", "prefill") > 0.0);
    assert_eq!(time("flash_attention", "decode.mid"), 0.0);
    assert!(time("latent_attention", "decode.mid") > 0.0);
    // The scores never leave the kernel: the working set is far below one of them.
    let scores = (8192_u64 * 8192 * 128 * 2) as f64;
    assert!(out.get("memory.activations") < scores, "{}", out.get("memory.activations"));
}

#[test]
fn one_way_alone_is_not_cheaper() {
    let text = "block Alone(rank: Count) {\n  input x[batch, seq, hidden]\n  weight a[hidden, rank]\n  \
                if cheaper {\n    y[batch, seq, rank] = x * a\n  }\n  output y\n}\n";
    let found = mesa::check(&mesa::Program::of_text("test.mesa", text));
    let titles: Vec<_> = found.iter().map(|d| d.title.as_str()).collect();
    assert_eq!(titles, ["`if cheaper` holds two ways to the same values"]);
}

#[test]
fn an_indexer_limits_what_attention_looks_at() {
    let flops = |prompt| {
        let out = eval("DeepSeek_V3_2", 4, "Ep(ep: 32)", 32, prompt);
        let kernel = out.get("layers.attention.sparse_attention.decode.mid.flops");
        let index = out.get("layers.attention.index.decode.mid.flops");
        (kernel, index)
    };
    let ((short, near), (long, far)) = (flops(4096), flops(65_536));
    assert_eq!(short, long); // 2048 keys of each request
    assert!(far > 15.0 * near, "{near} {far}");
    // Queries times keys in the space of latents and positions, and back.
    let products = 2 * 61 * 32 * 128 * 2048 * (512 + 64 + 512_u64);
    assert!(long > products as f64 && long < 1.02 * products as f64, "{long} {products}");
}

#[test]
fn layers_with_a_window_keep_only_that() {
    let out = eval("GptOss_20B", 1, "Tp(tp: 8)", 8, 4094);
    // Eight heads of 64, keys and values: 12 layers keep everything, 12 keep 128 positions.
    assert_eq!(out.get("memory.cache"), (8 * 12 * (4096 + 128) * 2 * 64 * 2) as f64);
}

#[test]
fn experts_that_do_not_divide_are_an_error_of_their_own() {
    let run = Run::of(&text("Mixtral_8x7B", 2, "Ep(ep: 16)", 32, 64));
    let error = run.finding("E0530");
    assert!(
        error.title.contains("8 `expert`") && error.title.contains("ep = 16"),
        "{}",
        error.title
    );
    assert!(error.files.iter().any(|f| f.contains("models/mixtral")), "{:?}", error.files);
    assert!(
        error.notes.iter().any(|n| n == "values that work for ep: 1 2 4 8"),
        "{:?}",
        error.notes
    );
    assert_eq!(error.edits[0], "8");
}

fn train(model: &str, nodes: u64, plan: &str, extra: &str, batch: u64) -> Outcome {
    let text = format!(
        "{USES}\nuse std.models.{{DeepSeek_V2_Lite, Mixtral_8x22B}}\n{extra}\nscenario s {{\n  \
         model = {model}\n  system = DGX_H100(nodes: {nodes})\n  plan = {plan}\n  \
         train {{ batch = {batch}, seq = 1024, tokens = 1e9, optimizer = adam }}\n}}\n"
    );
    Run::of(&text).scenarios.remove("s").unwrap()
}

#[test]
fn training_sends_tokens_to_experts_and_back_on_both_ways() {
    let out = train("Mixtral_8x7B", 2, "Replicas(dp: 2, ep: 8)", "", 16);
    let copies = 7.0 / 8.0 * (1024 * 2 * 4096 * 2) as f64;
    for phase in ["forward", "backward"] {
        assert_eq!(out.count_of(phase, "all-to-all"), 64.0, "{phase}");
        assert_eq!(each(&out, phase, "all-to-all"), copies, "{phase}");
    }
    // Experts are reduced over their replicas only, everything else over all devices.
    let expert = 3 * 4096 * 14336_u64;
    let others = 46_702_792_704 - 32 * 8 * expert;
    let found = out.real("step");
    let volume = |axis: &str| {
        let of = found.iter().filter(|c| c.kind == "all-reduce" && c.axis == axis);
        of.map(|c| c.bytes * c.count).sum::<f64>()
    };
    close(volume("dp"), 2.0 / 2.0 * (32 * expert * 2) as f64);
    close(volume("dp,ep"), 2.0 * 15.0 / 16.0 * (others * 2) as f64);
}

#[test]
fn layers_that_differ_are_trained_as_often_as_they_run() {
    let mixed = train("DeepSeek_V2_Lite", 1, "Ep(ep: 8)", "", 8);
    // 26 of 27 layers have experts; each kind costs two products backward for one forward.
    assert_eq!(mixed.count_of("forward", "all-to-all"), 52.0);
    assert_eq!(mixed.count_of("backward", "all-to-all"), 52.0);
    let more = "model Deeper = DeepSeek_V2_Lite with { layers = 28 }\n\
                model Denser = DeepSeek_V2_Lite with { layers = 28, dense_first = 2 }";
    let deeper = train("Deeper", 1, "Ep(ep: 8)", more, 8);
    let denser = train("Denser", 1, "Ep(ep: 8)", more, 8);
    assert_eq!(deeper.count_of("backward", "all-to-all"), 54.0);
    assert_eq!(denser.count_of("backward", "all-to-all"), 52.0);
    // Work of the step: six operations for each active weight of what was added, and a token.
    let saved = |o: &Outcome| o.get("memory.activations.saved");
    assert!(saved(&deeper) > saved(&denser) && saved(&denser) > saved(&mixed));
    let attention = |o: &Outcome| o.get("layers.attention.backward.flops");
    close((attention(&deeper) - attention(&mixed)) * 27.0, attention(&mixed));
    close(attention(&deeper), attention(&denser));
}

#[test]
fn what_is_made_again_is_sent_again_once() {
    let plan = "plan Again(ep: Count) {\n  mesh ep\n  shard batch, expert over ep\n  \
                recompute = full\n}";
    for (model, experts) in [("Mixtral_8x7B", 32.0), ("DeepSeek_V2_Lite", 26.0)] {
        let out = train(model, 1, "Again(ep: 8)", plan, 8);
        for phase in ["forward", "recompute", "backward"] {
            assert_eq!(out.count_of(phase, "all-to-all"), 2.0 * experts, "{model} {phase}");
        }
    }
}

#[test]
fn a_fold_is_the_product_of_its_axes() {
    let fold = "plan Folded(dp: Count, tp: Count) {\n  mesh dp, tp\n  fold ep = dp * tp\n  \
                shard batch over dp\n  shard heads, vocab over tp\n  shard expert over ep\n}";
    let (one, other) = (
        train("Mixtral_8x7B", 1, "Folded(dp: 4, tp: 2)", fold, 8),
        train("Mixtral_8x7B", 1, "Across(dp: 4, tp: 2)", "", 8),
    );
    assert_eq!(one.get("step.time"), other.get("step.time"));
}

#[test]
fn attention_over_picked_keys_can_be_trained() {
    let out = train("DeepSeek_V3_2", 16, "Ep(ep: 128)", "", 128);
    assert_eq!(out.count_of("backward", "all-to-all"), 116.0);
    // 1024 positions are fewer than the indexer picks: queries see half of them.
    let products = 2 * 61 * 128 * 128 * 1024 * (512 + 64 + 512_u64);
    let flops = out.get("layers.attention.sparse_attention.forward.flops");
    let seen = products as f64 * 1025.0 / 2.0;
    assert!(flops > seen && flops < 1.02 * seen, "{flops} {seen}");
}

#[test]
fn useful_work_does_not_depend_on_the_plan() {
    let plans = [
        "Ep(ep: 8)",
        "Replicas(dp: 2, ep: 4)",
        "Outside(ep: 2, dp: 4)",
        "TpExperts(tp: 8)",
        "Tp(tp: 8)",
        "Across(dp: 4, tp: 2)",
        "Sliced(dp: 2, tp: 4)",
        "EpTp(ep: 2, tp: 4)",
    ];
    let runs: Vec<Outcome> =
        plans.iter().map(|plan| eval("Mixtral_8x7B", 1, plan, 64, 256)).collect();
    for (plan, out) in plans.iter().zip(&runs) {
        for phase in ["prefill", "decode.mid"] {
            for what in ["flops.matrix", "flops.vector", "bytes", "weights_read"] {
                let path = format!("{phase}.{what}");
                close(out.get(&path), runs[0].get(&path));
            }
            // What a device does beyond its share is said apart, and never below nothing.
            for what in ["padded", "replicated"] {
                assert!(out.get(&format!("{phase}.{what}.bytes")) >= 0.0, "{plan}");
            }
        }
    }
}

#[test]
fn the_report_says_how_much_of_a_model_a_token_uses() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mesa"));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/deepseek-v3.mesa");
    let output = command.args(["eval", example, "deepseek"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let line = "671,026,419,200 parameters, of which a token uses 37,552,297,472";
    assert!(shown.contains(line), "{shown}");
}
