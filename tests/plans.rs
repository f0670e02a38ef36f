//! What plans cause: collectives, padding, replication, stages, and what they may not ask.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};

const USES: &str = "
use std.models.{Gpt2, Llama3_70B, Llama3_8B}
use std.systems.{DGX_H100, H100_SXM_1}
plan Tp(tp: Count) {
  mesh tp
  shard heads, ffn, vocab over tp
}
plan Sp(tp: Count) {
  mesh tp
  shard heads, ffn, vocab over tp
  shard seq over tp within RmsNorm, residual
}
plan Dp(dp: Count) {
  mesh dp
  shard batch over dp
}
plan Pp(pp: Count) {
  mesh pp
  shard layers over pp
}
plan Mix(dp: Count, pp: Count, tp: Count) {
  mesh dp, pp, tp
  shard batch over dp
  shard layers over pp
  shard heads, ffn, vocab over tp
}
";

fn text(model: &str, system: &str, plan: &str, batch: u64, prompt: u64) -> String {
    format!(
        "{USES}\nscenario s {{\n  model = {model}\n  system = {system}\n  plan = {plan}\n  \
         precision {{ weights = fp8, activations = bf16, cache = bf16 }}\n  \
         serve {{ batch = {batch}, prompt = {prompt}, output = 2 }}\n}}\n"
    )
}

fn eval(model: &str, system: &str, plan: &str, batch: u64, prompt: u64) -> Outcome {
    Run::one(&text(model, system, plan, batch, prompt))
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{a} and {b}");
}

#[test]
fn tensor_parallel_prefill_reduces_twice_a_layer_and_once_for_the_embedding() {
    let out = eval("Llama3_70B", "DGX_H100", "Tp(tp: 8)", 1, 2048);
    let reduces = out.of_kind("prefill", "all-reduce");
    assert_eq!(out.count_of("prefill", "all-reduce"), 161.0);
    let each = 2.0 * 7.0 / 8.0 * (2048 * 8192 * 2) as f64;
    assert!(reduces.iter().all(|(_, bytes)| *bytes == each), "{reduces:?}");
    // The logits of one position are gathered; nothing else moves.
    let gathers = out.of_kind("prefill", "all-gather");
    assert_eq!(gathers, [(1.0, 7.0 / 8.0 * (128_256 * 2) as f64)]);
    assert_eq!(out.get("prefill.communication.count"), 162.0);
    close(out.get("prefill.communication.bytes"), 161.0 * each + gathers[0].1);
    // A decode step does the same for one token of each request.
    assert_eq!(out.count_of("decode.mid", "all-reduce"), 161.0);
    let token = 2.0 * 7.0 / 8.0 * (8192 * 2) as f64;
    assert_eq!(out.volume_of("decode.mid", "all-reduce"), 161.0 * token);
}

#[test]
fn sequence_parallel_norms_turn_each_reduction_into_two_halves() {
    let out = eval("Llama3_70B", "DGX_H100", "Sp(tp: 8)", 1, 2048);
    let half = 7.0 / 8.0 * (2048 * 8192 * 2) as f64;
    assert_eq!(out.count_of("prefill", "all-reduce"), 0.0);
    assert_eq!(out.count_of("prefill", "reduce-scatter"), 161.0);
    assert_eq!(out.volume_of("prefill", "reduce-scatter"), 161.0 * half);
    let logits = 7.0 / 8.0 * (128_256 * 2) as f64;
    assert_eq!(out.count_of("prefill", "all-gather"), 162.0);
    close(out.volume_of("prefill", "all-gather"), 161.0 * half + logits);
    // The same volume as without, and less traffic: norms and adds run on an eighth.
    let plain = eval("Llama3_70B", "DGX_H100", "Tp(tp: 8)", 1, 2048);
    let bytes = |o: &Outcome| o.get("prefill.communication.bytes");
    close(bytes(&out), bytes(&plain));
    assert_eq!(out.get("prefill.replicated.flops.vector"), 0.0);
    assert!(plain.get("prefill.replicated.flops.vector") > 0.0);
    assert!(out.get("memory.activations") < plain.get("memory.activations"));
}

#[test]
fn odd_sequences_are_padded_to_the_next_multiple() {
    let out = eval("Llama3_8B", "DGX_H100", "Sp(tp: 8)", 1, 100);
    // 100 positions over 8: 13 each, 104 in all. Two norms a layer and the last one.
    let norm = |positions: u64| (65 * 5 * 4096 * positions) as f64; // 4 to normalise, 1 to scale
    let add = |positions: u64| (64 * 4096 * positions) as f64;
    let padding = norm(104) + add(104) - norm(100) - add(100);
    assert_eq!(out.get("prefill.padded.flops.vector"), padding);
    let each = 7.0 / 8.0 * (100 * 4096 * 2) as f64;
    assert_eq!(out.of_kind("prefill", "reduce-scatter")[0].1, each);
}

#[test]
fn key_value_heads_beyond_the_mesh_are_replicated_with_a_price() {
    let run = Run::of(&text("Llama3_70B", "DGX_H100(nodes: 2)", "Tp(tp: 16)", 1, 512));
    let warning = run.finding("W0501");
    assert!(!warning.error);
    assert!(warning.title.contains("each is kept 2 times"), "{}", warning.title);
    // Two weights of 8192 x 8 x 128 in 80 layers, one byte: an eighth instead of a sixteenth.
    let weights = 2 * 80 * 8192 * 8 * 128_u64;
    let price = (weights / 8 - weights / 16) as f64;
    assert!((price - 83.9e6).abs() < 1e5);
    assert!(warning.notes.iter().any(|n| n.contains("83.89 MB")), "{:?}", warning.notes);
    let out = &run.scenarios["s"];
    let matrices = 70_553_706_496_u64 - weights - 161 * 8192; // without norms
    let mine = matrices / 16 + weights / 8 + 161 * 8192;
    assert_eq!(out.get("memory.weights"), mine as f64);
    // The keys and values of one head, on each device.
    assert_eq!(out.get("memory.cache"), (80 * 2 * 128 * 514 * 2) as f64);
    // Work on keys and values is done twice: q, o and the rest is not.
    let twice = 2 * 512 * weights;
    assert_eq!(out.get("prefill.replicated.flops.matrix"), twice as f64);
    assert_eq!(out.get("prefill.padded.flops.matrix"), 0.0);
    // Across two nodes the slower link carries it.
    let reduce = out.real("prefill").into_iter().find(|c| c.kind == "all-reduce").unwrap();
    assert_eq!(reduce.link, "InfiniBandNdr");
    assert_eq!(reduce.devices, 16.0);
}

#[test]
fn sizes_that_do_not_divide_name_plan_and_model_and_offer_what_works() {
    for tp in [3, 7] {
        let run = Run::of(&text("Llama3_70B", "DGX_H100", &format!("Tp(tp: {tp})"), 1, 512));
        let error = run.findings.iter().find(|f| f.code == "E0501" && f.title.contains("heads"));
        let error = error.unwrap();
        assert!(error.title.contains(&format!("tp = {tp}")), "{}", error.title);
        assert!(error.files.iter().any(|f| f == "test.mesa"), "{:?}", error.files);
        assert!(error.files.iter().any(|f| f.contains("models/llama")), "{:?}", error.files);
        let list = "values that work for tp: 1 2 4 8 16 32 64";
        assert!(error.notes.iter().any(|n| n == list), "{:?}", error.notes);
        let edit: u64 = error.edits[0].parse().unwrap();
        assert!([2, 4, 8].contains(&edit), "{edit}");
        assert!(error.places.iter().any(|p| *p == tp.to_string()), "{:?}", error.places);
        assert!(run.scenarios.is_empty());
    }
}

#[test]
fn a_mesh_larger_than_the_machine_is_an_error_that_names_both() {
    let run = Run::of(&text("Llama3_70B", "DGX_H100", "Tp(tp: 128)", 1, 512));
    let error = run.finding("E0502");
    assert_eq!(error.title, "the mesh has 128 devices, and DGX_H100 has 8");
    assert!(error.notes.iter().any(|n| n.contains("DGX_H100(nodes: 16)")), "{:?}", error.notes);
}

#[test]
fn what_does_not_fit_says_how_much_is_missing_and_how_many_devices_would_do() {
    let one = format!(
        "{USES}\nscenario s {{\n  model = Llama3_70B\n  system = H100_SXM_1\n  \
         serve {{ batch = 1, prompt = 2048, output = 256 }}\n}}\n"
    );
    let run = Run::of(&one);
    let error = run.finding("E0507");
    // 141.11 GB of weights, 755 MB of cache, some activations and reserve against 85.04 GB.
    let out = &run.scenarios["s"];
    let missing = out.get("memory.total") - out.get("memory.capacity");
    assert!((missing - 59.2e9).abs() < 0.5e9, "{missing}");
    assert!(error.title.contains("59."), "{}", error.title);
    assert!(error.notes[0].starts_with("each device holds weights 141"), "{:?}", error.notes);
    assert!(error.notes.iter().any(|n| n.contains("2 such devices")), "{:?}", error.notes);
    // fp8 on two fits.
    let two = eval("Llama3_70B", "DGX_H100", "Tp(tp: 2)", 1, 2048);
    assert_eq!(two.get("memory.fits"), 1.0);
    assert!(two.get("memory.weights") < 36e9);
}

#[test]
fn replicas_share_requests_and_say_nothing_to_each_other() {
    let dp = eval("Llama3_8B", "DGX_H100", "Dp(dp: 8)", 32, 256);
    let one = eval("Llama3_8B", "H100_SXM_1", "Dp(dp: 1)", 4, 256);
    assert!(dp.real("prefill").is_empty() && dp.real("decode.mid").is_empty());
    assert_eq!(dp.get("prefill.communication.bytes"), 0.0);
    for path in ["prefill.time", "decode.mid.time", "tpot", "memory.total"] {
        close(dp.get(path), one.get(path));
    }
    close(dp.get("throughput.system"), 8.0 * one.get("throughput.system"));
    // Each replica reads the weights for itself: seven times more than needed.
    let replicated = dp.get("decode.mid.replicated.bytes");
    let read = 8_030_261_248.0 - (128_256 * 4096) as f64; // one byte each, but for the table
    close(replicated, 7.0 * read);
}

#[test]
fn requests_that_replicas_cannot_share_are_padded_with_a_warning() {
    let run = Run::of(&text("Llama3_8B", "DGX_H100", "Dp(dp: 8)", 33, 256));
    let warning = run.finding("W0503");
    assert!(warning.title.contains("from 33 to 40"), "{}", warning.title);
    let out = &run.scenarios["s"];
    let useful = out.get("prefill.flops.matrix");
    close(out.get("prefill.padded.flops.matrix"), useful * 7.0 / 33.0);
}

#[test]
fn stages_pass_tokens_on_and_each_serves_every_group() {
    // Four stages, eight requests: four groups of two.
    let out = eval("Llama3_8B", "DGX_H100", "Pp(pp: 4)", 8, 512);
    let small = eval("Llama3_8B", "H100_SXM_1", "Pp(pp: 1)", 2, 512);
    let send = out.real("decode.mid").into_iter().find(|c| c.kind == "send").unwrap();
    assert_eq!(send.message, (2 * 4096 * 2) as f64);
    assert_eq!(send.count, 3.0);
    assert_eq!(out.real("decode.mid").len(), 1);
    assert!(small.real("decode.mid").is_empty());
    // The kernels of two requests on one device, split by where they stand.
    let time = |name: &str| small.get(&format!("layers.{name}.decode.mid.time"));
    let names = ["attention_norm", "attention", "add_norm", "mlp", "residual"];
    let layers: f64 = names.iter().map(|n| time(n)).sum::<f64>() + small.get("decode.mid.overhead");
    let first = time("embedding");
    let last = time("final_norm") + time("last") + time("logits");
    close(small.get("decode.mid.time"), first + layers + last);
    let slowest = layers / 4.0 + f64::max(first, last);
    let latency = first + layers + last + 3.0 * send.time;
    close(out.get("decode.mid.time"), f64::max(latency, 4.0 * slowest));
    // Prefill: the first group passes all stages, the others follow the slowest.
    let time = |name: &str| small.get(&format!("layers.{name}.prefill.time"));
    let layers: f64 = names.iter().map(|n| time(n)).sum::<f64>() + small.get("prefill.overhead");
    let first = time("embedding");
    let last = time("final_norm") + time("last") + time("logits");
    let send = out.real("prefill").into_iter().find(|c| c.kind == "send").unwrap();
    let slowest = layers / 4.0 + f64::max(first, last);
    close(out.get("prefill.time"), first + layers + last + 3.0 * send.time + 3.0 * slowest);
    // Every group reads all weights, of the table its rows: one byte each, but for the table.
    let body = 8_030_261_248.0 - (128_256 * 4096) as f64;
    let rows = |requests: u64| (requests * 4096 * 2) as f64;
    let read = out.get("decode.mid.weights_read");
    close(read, 4.0 * body + rows(8));
    close(read, 4.0 * small.get("decode.mid.weights_read"));
    // Two replicas of a pipeline, with one request each: no group reads what another has read.
    let replicas = eval("Llama3_8B", "DGX_H100", "Mix(dp: 2, pp: 4, tp: 1)", 2, 512);
    let alone = eval("Llama3_8B", "H100_SXM_1", "Pp(pp: 1)", 1, 512);
    let once = alone.get("decode.mid.weights_read") + rows(1);
    close(replicas.get("decode.mid.weights_read"), once);
}

#[test]
fn layers_that_stages_cannot_share_evenly_are_an_error_with_values_that_work() {
    let run = Run::of(&text("Llama3_8B", "DGX_H100", "Pp(pp: 3)", 8, 512));
    let error = run.finding("E0501");
    assert!(error.title.contains("32 `layers`"), "{}", error.title);
    assert!(error.notes.iter().any(|n| n.ends_with("pp: 1 2 4 8 16 32")), "{:?}", error.notes);
}

#[test]
fn memory_of_stages_is_that_of_the_fullest() {
    let out = eval("Llama3_8B", "DGX_H100", "Pp(pp: 4)", 8, 512);
    let layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096_u64;
    // The last stage: its layers, the final norm and the head; the first has only the table.
    assert_eq!(out.get("memory.weights"), (8 * layer + 128_256 * 4096 + 4096) as f64);
    assert_eq!(out.get("memory.cache"), (8 * 8 * 2 * 1024 * 514 * 2_u64) as f64);
}

#[test]
fn stages_between_nodes_send_over_the_network() {
    let inside = eval("Llama3_70B", "DGX_H100", "Mix(dp: 1, pp: 2, tp: 4)", 4, 512);
    let across = eval("Llama3_70B", "DGX_H100(nodes: 2)", "Mix(dp: 1, pp: 2, tp: 8)", 4, 512);
    let send = |o: &Outcome| {
        let all = o.real("prefill");
        all.into_iter().find(|c| c.kind == "send").unwrap().clone()
    };
    assert_eq!(send(&inside).link, "NVLink4");
    assert_eq!(send(&across).link, "InfiniBandNdr");
    // Two groups of two requests; each device of a stage sends the whole hidden states.
    assert_eq!(send(&across).message, (2 * 512 * 8192 * 2) as f64);
    let reduce = across.real("prefill").into_iter().find(|c| c.kind == "all-reduce").unwrap();
    assert_eq!(reduce.link, "NVLink4");
}

#[test]
fn three_ways_of_sharing_work_together() {
    let out = eval("Llama3_70B", "DGX_H100(nodes: 2)", "Mix(dp: 2, pp: 2, tp: 4)", 16, 512);
    // 16 requests: 8 a replica, in two groups of 4.
    let reduce = out.real("decode.mid").into_iter().find(|c| c.kind == "all-reduce").unwrap();
    assert_eq!(reduce.message, (4 * 8192 * 2) as f64);
    assert_eq!(reduce.devices, 4.0);
    // 161 all-reduces, a gather of logits and a send, in each of two groups.
    assert_eq!(out.get("decode.mid.communication.count"), 2.0 * 163.0);
    let alone = eval("Llama3_70B", "DGX_H100", "Tp(tp: 8)", 16, 512);
    assert_eq!(out.get("prefill.flops.matrix"), alone.get("prefill.flops.matrix"));
    assert_eq!(out.get("prefill.device.flops.matrix"), out.get("prefill.flops.matrix") / 16.0);
    assert_eq!(out.get("memory.cache"), (8 * 40 * 2 * 2 * 128 * 514 * 2_u64) as f64);
    assert!(out.get("memory.fits") == 1.0);
}

#[test]
fn a_padded_vocabulary_is_a_warning_with_its_price() {
    let run = Run::of(&text("Gpt2", "DGX_H100", "Tp(tp: 4)", 1, 64));
    let warning = run.finding("W0503");
    assert!(!warning.error);
    assert!(warning.title.contains("from 50257 to 50260"), "{}", warning.title);
    assert!(warning.files.iter().any(|f| f.contains("models/gpt")), "{:?}", warning.files);
    let out = &run.scenarios["s"];
    assert_eq!(out.get("prefill.padded.flops.matrix"), (2 * 768 * 3) as f64);
    assert_eq!(out.get("prefill.replicated.flops.matrix"), 0.0);
    // Twelve heads over eight do not divide: that is an error.
    let run = Run::of(&text("Gpt2", "DGX_H100", "Tp(tp: 8)", 1, 64));
    assert!(run.finding("E0501").title.contains("12 `heads`"));
}

/// Each device has a part of the keys; their weighted sums are put together with the greatest score
/// and the sum of exponentials of each query head: head_dim + 2 values.
#[test]
fn a_cache_over_devices_is_finished_by_a_log_sum_exp() {
    let model = "Llama3_8B";
    let kv = text(model, "DGX_H100", "Kv(cp: 8)", 16, 4096);
    let kv = Run::one(&format!("{kv}plan Kv(cp: Count) {{\n  mesh cp\n  shard ctx over cp\n}}\n"));
    let alone = eval(model, "DGX_H100", "Tp(tp: 1)", 16, 4096);
    let each = 2.0 * 7.0 / 8.0 * 16.0 * 32.0 * (128.0 + 2.0) * 2.0;
    assert_eq!(kv.of_kind("decode.mid", "all-reduce"), [(32.0, each)]);
    assert_eq!(kv.real("decode.mid").len(), 1);
    // Each device holds an eighth of all positions, rounded up.
    let whole = alone.get("memory.cache");
    close(kv.get("memory.cache"), whole / 4098.0 * f64::ceil(4098.0 / 8.0));
    assert_eq!(kv.get("memory.weights"), alone.get("memory.weights"));
    // Useful work is that of one device; the rest of the layer is replicated.
    assert_eq!(kv.get("decode.mid.flops.matrix"), alone.get("decode.mid.flops.matrix"));
}

#[test]
fn one_device_makes_every_collective_exactly_nothing() {
    for plan in ["Tp(tp: 1)", "Sp(tp: 1)", "Dp(dp: 1)", "Pp(pp: 1)", "Mix(dp: 1, pp: 1, tp: 1)"] {
        let out = eval("Llama3_8B", "H100_SXM_1", plan, 4, 128);
        let bare = Run::one(
            &text("Llama3_8B", "H100_SXM_1", plan, 4, 128)
                .replace(&format!("  plan = {plan}\n"), ""),
        );
        for phase in ["prefill", "decode.first", "decode.mid", "decode.last"] {
            for part in ["bytes", "exposed", "hidden", "count"] {
                assert_eq!(out.get(&format!("{phase}.communication.{part}")), 0.0, "{plan}");
            }
            for c in &out.collectives[phase] {
                assert_eq!((c.bytes, c.time), (0.0, 0.0), "{plan} {c:?}");
            }
        }
        for (path, value) in &bare.numbers {
            assert_eq!(out.get(path), *value, "{plan} {path}");
        }
    }
}

#[test]
fn rules_are_held_against_the_model_even_where_a_size_of_the_mesh_is_wrong() {
    let codes = |tp: &str| -> Vec<&'static str> {
        let text = text("Llama3_8B", "DGX_H100", &format!("Wrong(tp: {tp}, dp: 3)"), 8, 512);
        let plan = "plan Wrong(tp: Count, dp: Count) {
  mesh dp, tp
  shard heads over dp
  shard kv_heads, headss over tp
}
scenario s";
        let run = Run::of(&text.replace("scenario s", plan));
        run.findings.iter().filter(|f| f.error).map(|f| f.code).collect()
    };
    // What is wrong with the size, that 32 heads are not cut into three, and the misspelt axis.
    assert_eq!(codes("0"), ["E0306", "E0505", "E0501"]);
    assert_eq!(codes("2.5"), ["E0303", "E0505", "E0501"]);
}

#[test]
fn stages_with_layers_of_their_own_count_in_serving() {
    let plan = |ends: &str| {
        let text = text("Llama3_70B", "DGX_H100", "Ends(pp: 4)", 8, 512);
        Run::of(&text.replace(
            "scenario s",
            &format!(
                "plan Ends(pp: Count) {{\n  mesh pp\n  shard layers over pp\n{ends}\n}}\nscenario s"
            ),
        ))
    };
    let one = |ends: &str| plan(ends).scenarios.remove("s").unwrap();
    let (even, same) = (one(""), one("  first_stage = 20\n  last_stage = 20"));
    for path in ["prefill.time", "tpot", "memory.total"] {
        close(even.get(path), same.get(path));
    }
    let uneven = one("  first_stage = 26\n  last_stage = 14");
    // The fullest stage has 26 of 80 layers and the table.
    let layer = (even.get("memory.cache") / 20.0, uneven.get("memory.cache") / 26.0);
    close(layer.0, layer.1);
    assert!(uneven.get("memory.weights") > even.get("memory.weights") * 1.2);
    assert!(uneven.get("prefill.time") > even.get("prefill.time"));
    let codes = |ends: &str| -> Vec<&'static str> {
        plan(ends).findings.iter().filter(|f| f.error).map(|f| f.code).collect()
    };
    assert_eq!(codes("  first_stage = 79"), ["E0520"]);
    assert_eq!(codes("  first_stage = 21"), ["E0501"]);
    // Two stages have all layers between them.
    let two = text("Llama3_70B", "DGX_H100", "Two(pp: 2)", 8, 512);
    let two = two.replace("scenario s", "plan Two(pp: Count) {\n  mesh pp\n  shard layers over pp\n  first_stage = 30\n  last_stage = 40\n}\nscenario s");
    let two: Vec<_> = Run::of(&two).findings.iter().filter(|f| f.error).map(|f| f.code).collect();
    assert_eq!(two, ["E0520"]);
}
