//! Phases with plans of their own: prefill on some devices, decode on others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};

const USES: &str = "
use std.chips.{GB10, M3_Ultra}
use std.links.{Ethernet10G, NVLink4, InfiniBandNdr}
use std.models.{Llama3_70B, Llama3_8B}
use std.systems.{DGX_H100, GB10_1, Spark_And_Mac}
plan Tp(tp: Count) {
  mesh tp
  shard heads, ffn, vocab over tp
}
";

fn text(model: &str, system: &str, plan: &str) -> String {
    format!(
        "{USES}\nscenario s {{\n  model = {model}\n  system = {system}\n  {plan}\n  \
         serve {{ batch = 8, prompt = 1024, output = 64 }}\n}}\n"
    )
}

fn eval(model: &str, system: &str, plan: &str) -> Outcome {
    Run::one(&text(model, system, plan))
}

fn codes(model: &str, system: &str, plan: &str) -> Vec<&'static str> {
    let run = Run::of(&text(model, system, plan));
    let mut codes: Vec<_> = run.findings.iter().filter(|f| f.error).map(|f| f.code).collect();
    codes.dedup();
    codes
}

#[track_caller]
fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{a} and {b}");
}

const NODES: &str = "DGX_H100(nodes: 2)";

#[test]
fn each_phase_costs_what_it_costs_alone_with_its_plan() {
    let apart = eval("Llama3_70B", NODES, "plan { prefill = Tp(tp: 8), decode = Tp(tp: 4) }");
    let eight = eval("Llama3_70B", "DGX_H100", "plan = Tp(tp: 8)");
    let four = eval("Llama3_70B", "DGX_H100", "plan = Tp(tp: 4)");
    close(apart.get("prefill.time"), eight.get("prefill.time"));
    close(apart.get("tpot"), four.get("tpot"));
    close(apart.get("ttft"), eight.get("ttft") + apart.get("handover.time"));
    close(apart.get("devices"), 12.0);
    close(apart.get("throughput.device"), four.get("throughput.system") / 12.0);
    // Each side holds weights; the one that prefills the cache of the prompts, no more.
    close(apart.get("memory.weights"), four.get("memory.weights"));
    close(apart.get("memory.prefill.weights"), eight.get("memory.weights"));
    close(apart.get("memory.prefill.cache"), eight.get("memory.cache") * 1024.0 / 1088.0);
    close(apart.get("memory.prefill.activations"), eight.get("memory.activations"));
    assert!(apart.get("memory.activations") < four.get("memory.activations"));
    // The whole machine is paid for.
    close(apart.get("cost.per_hour"), 2.0 * eight.get("cost.per_hour"));
}

#[test]
fn the_cache_of_the_prompts_goes_over_the_link_between_them() {
    let cache = 8.0 * 1024.0 * 80.0 * 2.0 * 8.0 * 128.0 * 2.0;
    let over = |out: &Outcome| cache / out.get("handover.time");
    let network = eval("Llama3_70B", NODES, "plan { prefill = Tp(tp: 8), decode = Tp(tp: 8) }");
    close(network.get("handover.bytes"), cache);
    // Eight ports of 50 GB/s at most, and close to it for 2.7 GB.
    assert!(over(&network) < 400e9 && over(&network) > 250e9, "{}", over(&network));
    let node = eval("Llama3_70B", "DGX_H100", "plan { prefill = Tp(tp: 4), decode = Tp(tp: 4) }");
    assert!(over(&node) < 4.0 * 450e9 && over(&node) > 2.0 * over(&network), "{}", over(&node));
    let narrow = eval("Llama3_70B", NODES, "plan { prefill = Tp(tp: 8), decode = Tp(tp: 4) }");
    // Four links where one side has four.
    let times = [&narrow, &network].map(|o| o.get("handover.time"));
    assert!(times[0] > 1.9 * times[1] && times[0] < 2.0 * times[1], "{times:?}");
}

#[test]
fn phases_lie_on_chips_of_their_own() {
    let apart = eval(
        "Llama3_8B",
        "Spark_And_Mac",
        "plan { prefill = Tp(tp: 1) on spark, decode = Tp(tp: 1) on mac }",
    );
    let spark = eval("Llama3_8B", "GB10_1", "plan = Tp(tp: 1)");
    close(apart.get("prefill.time"), spark.get("prefill.time"));
    let back = eval(
        "Llama3_8B",
        "Spark_And_Mac",
        "plan { prefill = Tp(tp: 1) on mac, decode = Tp(tp: 1) on spark }",
    );
    close(back.get("tpot"), spark.get("tpot"));
    assert!(apart.get("tpot") < back.get("tpot") && apart.get("ttft") < back.get("ttft"));
    close(apart.get("memory.prefill.capacity"), spark.get("memory.capacity"));
}

#[test]
fn phases_lie_on_levels_of_their_own() {
    let pools = format!(
        "{}\nsystem Pools {{\n  source = \"made for a test\"\n  chip a = GB10\n  chip b = GB10\n  \
         level first = 2 of a via Ethernet10G\n  level second = 4 of b via Ethernet10G\n  \
         level all = [1 of first, 1 of second] via Ethernet10G\n}}\n",
        text(
            "Llama3_8B",
            "Pools",
            "plan { prefill = Tp(tp: 2) on first, decode = Tp(tp: 4) on second }"
        )
    );
    let out = Run::one(&pools);
    close(out.get("devices"), 6.0);
    let codes = |from: &str, to: &str| -> Vec<&'static str> {
        let run = Run::of(&pools.replace(from, to));
        run.findings.iter().filter(|f| f.error).map(|f| f.code).collect()
    };
    assert_eq!(codes("Tp(tp: 2) on first", "Tp(tp: 4) on first"), ["E0502"]);
    assert_eq!(codes("Tp(tp: 4) on second", "Tp(tp: 2) on b"), [""; 0]);
    // Both on one part share it.
    assert_eq!(codes("Tp(tp: 4) on second", "Tp(tp: 1) on first"), ["E0502"]);
}

#[test]
fn parameters_of_a_phase_have_paths_of_their_own() {
    let base = text("Llama3_70B", NODES, "plan { prefill = Tp(tp: 8), decode = Tp(tp: 8) }");
    let run = Run::of(&format!("{base}\nscenario t = s with {{ plan.decode.tp = 4 }}\n"));
    let direct = eval("Llama3_70B", NODES, "plan { prefill = Tp(tp: 8), decode = Tp(tp: 4) }");
    close(run.scenarios["t"].get("tpot"), direct.get("tpot"));
    let on = text(
        "Llama3_8B",
        "Spark_And_Mac",
        "plan { prefill = Tp(tp: 2) on spark, decode = Tp(tp: 1) on mac }",
    );
    let run = Run::of(&format!("{on}\nscenario t = s with {{ plan.prefill.tp = 1 }}\n"));
    assert!(run.scenarios.contains_key("t"), "{:?}", run.findings);
}

#[test]
fn plans_of_phases_that_cannot_be_are_errors() {
    let of = |plan: &str| codes("Llama3_8B", "DGX_H100", plan);
    assert_eq!(of("plan { prefill = Tp(tp: 4) }"), ["E0526"]);
    assert_eq!(of("plan { decode = Tp(tp: 4) }"), ["E0526"]);
    assert_eq!(of("plan { prefill = Tp(tp: 4) on tpu, decode = Tp(tp: 4) }"), ["E0526"]);
    assert_eq!(of("plan { prefill = Tp(tp: 8), decode = Tp(tp: 8) }"), ["E0502"]);
    assert_eq!(of("plan { prefill = Tp(tp: 3), decode = Tp(tp: 4) }"), ["E0501"]);
    assert_eq!(of("plan { prefill = 4, decode = Tp(tp: 4) }"), ["E0304"]);
    assert_eq!(of("plan = Tp(tp: 4) on gpu"), ["E0304"]);
    let train = text("Llama3_8B", "DGX_H100", "plan { prefill = Tp(tp: 4), decode = Tp(tp: 4) }")
        .replace(
            "serve { batch = 8, prompt = 1024, output = 64 }",
            "train { batch = 8, seq = 64 }",
        );
    let run = Run::of(&train);
    let errors: Vec<_> = run.findings.iter().filter(|f| f.error).map(|f| f.code).collect();
    assert_eq!(errors, ["E0526"]);
}
