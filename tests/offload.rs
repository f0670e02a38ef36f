//! States outside of the devices: what each memory holds, what a pass waits for, by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::training::{llama, scenario};
use common::{Outcome, Run};

/// A chip whose rates are round, and a host that eight of them share.
const MACHINE: &str = "
use std.layers.Llama
use std.links.NVLink4
chip Round {
  source = \"made for a test\"
  compute matrix { bf16 = 1000 TFLOP/s }
  compute vector { fp32 = 50 TFLOP/s }
  memory hbm { capacity = 80 GB, bandwidth = 4 TB/s }
}
link Bus {
  source = \"made for a test\"
  bandwidth = 50 GB/s
  latency = 1 us
  efficiency = 0.8
  topology = tree
}
system Box(gpus: Count = 1) {
  source = \"made for a test\"
  chip gpu = Round
  level box = gpus of gpu via NVLink4
  memory host at box via Bus { capacity = 1 TB, bandwidth = 400 GB/s }
  memory nvme at box via Bus { capacity = 4 TB, bandwidth = 20 GB/s }
}
model M = Llama(layers: 10, hidden: 1024, heads: 16, kv_heads: 8, ffn: 4096, vocab: 32000) {
  source = \"made for a test\"
}
";

fn serve(gpus: u32, plan: &str, workload: &str) -> String {
    format!(
        "{MACHINE}\nplan P(tp: Count = {gpus}) {{\n  mesh tp\n{plan}\n}}\n\
         scenario s {{\n  model = M\n  system = Box(gpus: {gpus})\n  plan = P\n  \
         serve {{ {workload} }}\n}}\n"
    )
}

const CUT: &str = "  shard heads, ffn, vocab over tp";
const LOAD: &str = "batch = 8, prompt = 512, output = 2";

fn run(gpus: u32, offload: &str) -> Outcome {
    Run::one(&serve(gpus, &format!("{CUT}\n{offload}"), LOAD))
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{a} and {b}");
}

/// Elements of the weights of one layer, and of the table or the head.
const LAYER: f64 = 1024.0 * (1024.0 + 2.0 * 512.0 + 1024.0 + 3.0 * 4096.0) + 2.0 * 1024.0;
const TABLE: f64 = 32000.0 * 1024.0;

#[test]
fn weights_on_the_host_pass_through_the_device_and_cost_the_time_of_the_link() {
    let (plain, off) = (run(1, ""), run(1, "  offload { weights = host }"));
    let all = 2.0 * (10.0 * LAYER + 2.0 * TABLE + 1024.0);
    close(plain.get("memory.weights"), all);
    close(off.get("memory.host.weights"), all);
    close(off.get("memory.host.total"), all);
    close(off.get("memory.host.headroom"), 1.0 - all / 1e12);
    // What passes through is two layers, or the head alone: the larger.
    close(off.get("memory.weights"), (2.0 * 2.0 * LAYER).max(2.0 * TABLE));
    // Of the table eight rows are looked up, in all else every weight is read: at 0.8 of 50 GB/s.
    let moved = all - 2.0 * TABLE + 2.0 * 8.0 * 1024.0;
    let moved_at_most = moved + 2.0 * 8.0 * 1024.0 + 8.0 * 8.0;
    let bytes = off.get("decode.mid.offload.bytes");
    assert!(moved <= bytes && bytes <= moved_at_most, "{moved} and {bytes}");
    close(off.get("decode.mid.offload.exposed"), bytes / 40e9);
    close(off.get("decode.mid.time"), plain.get("decode.mid.time") + bytes / 40e9);
    assert_eq!(off.get("decode.mid.offload.hidden"), 0.0);
}

#[test]
fn transfers_hide_behind_work_where_the_plan_says_so() {
    let plain = run(1, "");
    let off = run(1, "  offload { weights = host }");
    let over = run(1, "  offload { weights = host }\n  overlap offload");
    for phase in ["prefill", "decode.mid"] {
        let get = |o: &Outcome, what: &str| o.get(&format!("{phase}.{what}"));
        let all = get(&off, "offload.exposed");
        let exposed = (all - get(&plain, "time")).max(0.0);
        close(get(&over, "offload.exposed"), exposed);
        close(get(&over, "offload.hidden"), all - exposed);
        close(get(&over, "time"), get(&plain, "time").max(all));
    }
}

#[test]
fn devices_share_the_bandwidth_and_the_capacity_of_their_host() {
    let (one, eight) =
        (run(1, "  offload { weights = nvme }"), run(8, "  offload { weights = nvme }"));
    // One device is bound by the drives, 0.8 of 20 GB/s; eight have an eighth of that each.
    let each =
        |o: &Outcome| o.get("decode.mid.offload.bytes") / o.get("decode.mid.offload.exposed");
    close(each(&one), 16e9);
    close(each(&eight), 2e9);
    close(eight.get("memory.nvme.total"), 8.0 * eight.get("memory.nvme.weights") / 8.0);
    // Norms are on every device, all else is cut.
    let norms = 2.0 * 1024.0 * 21.0;
    close(eight.get("memory.nvme.total"), one.get("memory.nvme.total") + 7.0 * norms);
}

#[test]
fn a_cache_on_the_host_is_read_in_decode_and_written_in_prefill() {
    let off = run(1, "  offload { cache = host }");
    let token = 2.0 * 2.0 * 8.0 * 64.0 * 10.0; // keys and values of all layers
    close(off.get("memory.host.cache"), 8.0 * 514.0 * token);
    // Two layers of ten are on the device.
    close(off.get("memory.cache"), 8.0 * 514.0 * token / 5.0);
    close(off.get("prefill.offload.bytes"), 8.0 * 512.0 * token);
    // 513 keys, of which one is made in the step; that one goes down.
    close(off.get("decode.first.offload.bytes"), 8.0 * 513.0 * token);
    close(off.get("decode.first.offload.exposed"), 8.0 * 512.0 * token / 40e9);
}

#[test]
fn a_share_of_a_state_may_lie_elsewhere() {
    let (all, half) = (
        run(1, "  offload { weights = host }"),
        run(1, "  offload { weights = host, share = 50% }"),
    );
    close(half.get("memory.host.weights"), all.get("memory.host.weights") / 2.0);
    close(half.get("decode.mid.offload.bytes"), all.get("decode.mid.offload.bytes") / 2.0);
    let (none, plain) = (run(1, "  offload { weights = host, share = 0% }"), run(1, ""));
    close(none.get("decode.mid.time"), plain.get("decode.mid.time"));
    close(none.get("memory.total"), plain.get("memory.total"));
}

#[test]
fn rules_within_blocks_go_before_the_general_one() {
    let mlp = run(1, "  offload { weights within GatedMlp = host }");
    close(mlp.get("memory.host.weights"), 2.0 * 10.0 * 3.0 * 1024.0 * 4096.0);
    let rest = run(1, "  offload { weights = host, weights within GatedMlp = none }");
    let all = 2.0 * (10.0 * LAYER + 2.0 * TABLE + 1024.0);
    close(rest.get("memory.host.weights") + mlp.get("memory.host.weights"), all);
}

#[test]
fn experts_on_the_host_are_brought_when_a_token_picks_them() {
    let text = |batch: u32| {
        serve(1, "  offload { weights within Experts = host }", &format!("batch = {batch}, prompt = 64, output = 2"))
            .replace(
                "model M = Llama(layers: 10, hidden: 1024, heads: 16, kv_heads: 8, ffn: 4096, vocab: 32000)",
                "use std.layers.SparseDecoder\nmodel M = SparseDecoder(layers: 2, hidden: 1024, heads: 16, kv_heads: 8, expert_ffn: 2048, vocab: 32000, experts: 8, top_k: 2)",
            )
    };
    let one = Run::one(&text(1));
    // Two of eight experts, three matrices each, in two layers.
    close(one.get("decode.mid.offload.bytes"), 2.0 * 2.0 * 2.0 * 3.0 * 1024.0 * 2048.0);
    let many = Run::one(&text(4096));
    assert!(many.get("decode.mid.offload.bytes") <= many.get("memory.host.total"));
}

#[test]
fn what_a_memory_cannot_hold_is_an_error_with_what_lies_there() {
    let text = serve(
        1,
        &format!("{CUT}\n  offload {{ cache = host }}"),
        "batch = 8192, prompt = 8192, output = 2",
    );
    let run = Run::of(&text);
    let found = run.findings.iter().find(|f| f.code == "E0507" && f.title.contains("`host`"));
    let found = found.unwrap_or_else(|| panic!("{:?}", run.findings));
    assert_eq!(found.places, ["s", "cache", "capacity = 1 TB"]);
    assert!(found.notes.iter().any(|n| n.contains("cache 1.375 TB")), "{found:?}");
}

#[test]
fn the_largest_batch_respects_both_memories() {
    let off = run(1, "  offload { cache = host }");
    let token = 2.0 * 2.0 * 8.0 * 64.0 * 10.0;
    let host = f64::floor(1e12 / (514.0 * token));
    assert!(off.get("largest_batch") <= host);
    assert!(off.get("largest_batch") > run(1, "").get("largest_batch"));
}

/// A step on eight devices with round sizes.
fn train(plan: &str) -> Outcome {
    let text =
        scenario(&llama(10), plan, "dp: 8", 1, "batch = 64, seq = 1024, optimizer = adam", "");
    Run::one(&text)
}

const DP: &str = "  shard batch over dp\n";

#[test]
fn an_optimizer_on_the_host_leaves_the_device_and_runs_at_the_rate_of_the_host() {
    let plain = train(&format!("{DP}  zero optimizer over dp"));
    let off = train(&format!("{DP}  zero optimizer over dp\n  offload {{ optimizer = host }}"));
    close(off.get("memory.host.optimizer"), 8.0 * plain.get("memory.optimizer"));
    assert_eq!(off.get("memory.optimizer"), 0.0);
    close(off.get("memory.gradients"), plain.get("memory.gradients"));
    // Gradients go down once, new weights come up once: the share of a device.
    let share = plain.get("memory.weights") / 8.0;
    close(off.get("step.offload.bytes"), 2.0 * share);
    // An eighth of 0.43 of 400 GB/s for gradients, twice the state, and weights.
    let update = (2.0 * share + 2.0 * plain.get("memory.optimizer")) / (400e9 * 0.43 / 8.0);
    close(off.get("step.optimizer"), update);
    // PCIe 4 at 0.8 of 31 GB/s.
    close(off.get("step.offload.exposed"), 2.0 * share / 24.8e9);
    let sum = ["forward", "backward", "recompute", "optimizer", "bubble"];
    let sum: f64 = sum.iter().map(|p| off.get(&format!("step.{p}"))).sum();
    let open = off.get("step.communication.exposed") + off.get("step.offload.exposed");
    close(off.get("step.time"), sum + open);
}

#[test]
fn gradients_on_the_host_go_down_with_every_micro_batch() {
    let plain = train(&format!("{DP}  zero gradients over dp"));
    let plan =
        format!("{DP}  zero gradients over dp\n  offload {{ optimizer = host, gradients = host }}");
    let off = train(&plan);
    let share = plain.get("memory.gradients");
    // Eight micro-batches down; the weights come up once.
    close(off.get("step.offload.bytes"), 8.0 * share + share);
    close(off.get("memory.host.gradients"), 8.0 * share);
    let hidden = train(&format!("{plan}\n  overlap offload"));
    assert!(hidden.get("step.offload.exposed") < off.get("step.offload.exposed"));
    close(
        hidden.get("step.offload.exposed") + hidden.get("step.offload.hidden"),
        off.get("step.offload.exposed"),
    );
}

#[test]
fn saved_activations_on_the_host_go_down_and_come_back() {
    let plain = train(&format!("{DP}  recompute = full"));
    let off = train(&format!("{DP}  recompute = full\n  offload {{ activations = host }}"));
    let saved = plain.get("memory.activations.saved");
    close(off.get("memory.host.activations"), 8.0 * saved);
    assert!(off.get("memory.activations.saved") < saved);
    close(off.get("step.offload.bytes"), 8.0 * 2.0 * saved);
}

#[test]
fn weights_on_the_host_come_up_for_both_passes() {
    let plain = train(&format!("{DP}  zero weights over dp"));
    let off = train(&format!(
        "{DP}  zero weights over dp\n  offload {{ weights = host, optimizer = host }}"
    ));
    let share = plain.get("memory.weights");
    // Twice in each of eight micro-batches; the update has them where they lie, gradients go down.
    close(off.get("step.offload.bytes"), 8.0 * 2.0 * share + share);
    close(off.get("memory.host.weights"), 8.0 * share);
}

#[test]
fn stages_of_a_pipeline_have_memories_of_their_own_on_the_host() {
    let plan = "  shard batch over dp\n  shard layers over pp\n  offload { optimizer = host }";
    let text = scenario(
        &llama(10),
        plan,
        "dp: 1, pp: 2",
        1,
        "batch = 8, seq = 1024, optimizer = adam",
        "",
    );
    let out = Run::of(&text);
    let out = out.scenarios.get("s").unwrap();
    let first = 6.0 * out.get("memory.stages.first.weights");
    let last = 6.0 * out.get("memory.stages.last.weights");
    close(out.get("memory.host.optimizer"), 2.0 * first.max(last));
}

#[test]
fn what_the_workload_does_not_have_cannot_be_offloaded() {
    let codes = |text: &str| -> Vec<&'static str> {
        Run::of(text).findings.iter().filter(|f| f.error).map(|f| f.code).collect()
    };
    let plan = |offload: &str| serve(1, &format!("{CUT}\n  offload {{ {offload} }}"), LOAD);
    assert_eq!(codes(&plan("optimizer = host")), ["E0524"]);
    assert_eq!(codes(&plan("state = host")), ["E0524"]);
    assert_eq!(codes(&plan("weights within Mamba2 = host")), ["E0524"]);
    assert_eq!(codes(&plan("weights = ram")), ["E0523"]);
    assert_eq!(codes(&plan("weights = host, share = 2")), ["E0306"]);
    assert_eq!(codes(&plan("weights = hbm")), ["E0523"]);
    let trained = |offload: &str, optimizer: &str| {
        let plan = format!("{DP}  offload {{ {offload} }}");
        let load = format!("batch = 64, seq = 1024, optimizer = {optimizer}");
        codes(&scenario(&llama(10), &plan, "dp: 8", 1, &load, ""))
    };
    assert_eq!(trained("cache = host", "adam"), ["E0524"]);
    assert_eq!(trained("optimizer = host", "muon"), ["E0524"]);
}

#[test]
fn a_memory_of_a_system_needs_a_level_a_link_and_figures() {
    let code = |from: &str, to: &str| -> Vec<&'static str> {
        let text = serve(1, &format!("{CUT}\n  offload {{ weights = host }}"), LOAD);
        let text = text.replace(from, to);
        Run::of(&text).findings.iter().filter(|f| f.error).map(|f| f.code).collect()
    };
    assert_eq!(code("memory host at box", "memory host at rack"), ["E0512"]);
    assert_eq!(code("memory host at box via Bus", "memory host at box"), ["E0213"]);
    assert_eq!(code("capacity = 1 TB, bandwidth = 400 GB/s", "capacity = 1 TB"), ["E0213"]);
    assert_eq!(code("host at box via Bus", "host at box via Round"), ["E0211"]);
}
