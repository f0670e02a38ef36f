//! Pipelines of training: bubbles, micro-batches in flight, uneven stages, and a simulation.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use std::collections::BTreeMap;

use common::training::*;
use common::{Outcome, Run};

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
    // The ends have an embedding and a head, if small ones.
    let near = |a: f64, b: f64| assert!((a - b).abs() < 0.02 * (f + plain / 3.0), "{a}, not {b}");
    near(h2, f64::max(0.0, 3.0 * (f + b - 3.0 * w)));
    near(dual, f64::max(0.0, f + 2.0 * b - 3.0 * w));
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
