//! Power and price: what follows from a machine's own figures, and what is left out without them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers are tests

mod common;

use common::{Outcome, Run};

fn results_of(text: &str, name: &str) -> Outcome {
    let mut run = Run::of(text);
    run.scenarios.remove(name).unwrap()
}

const HEAD: &str = "\
use std.models.Llama3_8B
use std.chips.H100_SXM
use std.links.NVLink4

/// Round figures.
chip Chip = H100_SXM with { power.tdp = 700 W, power.idle = 100 W, price = 2 USD/h } {
  source = \"made up\"
}

system Box {
  source = \"made up\"
  chip gpu = Chip
  level node = 4 of gpu via NVLink4
  power at node { host = 1200 W, pue = 1.5 }
}

plan Tp(tp: Count) {
  mesh tp
  shard heads, ffn, vocab over tp
}

scenario all {
  model  = Llama3_8B
  system = Box
  plan   = Tp(tp: 4)
  serve { batch = 8, prompt = 1024, output = 128 }
}
";

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs(), "{a} and {b}");
}

#[test]
fn draw_lies_between_idle_and_the_largest_by_the_time_that_kernels_run() {
    let results = results_of(HEAD, "all");
    let at = |path: &str| results.get(path);
    let idle = at("decode.mid.communication.exposed") + at("decode.mid.overhead");
    let busy = 1.0 - idle / at("decode.mid.time");
    assert!(busy > 0.1 && busy < 1.0, "{busy}");
    close(at("power.device"), 100.0 + 600.0 * busy);
    close(at("power.system"), 4.0 * at("power.device") + 1200.0);
    close(at("power.total"), 1.5 * at("power.system"));
    close(at("energy.per_token"), at("power.total") * at("tpot") / 8.0);
    close(at("tokens_per_joule") * at("energy.per_token"), 1.0);
}

#[test]
fn tokens_cost_the_time_of_the_whole_machine() {
    let results = results_of(HEAD, "all");
    let at = |path: &str| results.get(path);
    close(at("cost.per_hour") * 3600.0, 8.0);
    let second = 8.0 / 3600.0;
    close(at("cost.per_million_input"), 1e6 * second * at("prefill.time") / (8.0 * 1024.0));
    close(at("cost.per_million_output"), 1e6 * second * at("tpot") / 8.0);
    let request = at("prefill.time") + 127.0 * at("tpot");
    close(at("cost.per_million_tokens"), 1e6 * second * request / (8.0 * 128.0));
}

#[test]
fn the_price_of_a_system_goes_before_that_of_its_chips_and_idle_chips_draw_too() {
    let text =
        format!("{HEAD}\nscenario half = all with {{ plan.tp = 2, system.price = 20 USD/h }}\n");
    let results = results_of(&text, "half");
    let at = |path: &str| results.get(path);
    close(at("cost.per_hour") * 3600.0, 20.0);
    close(at("power.system"), 2.0 * at("power.device") + 2.0 * 100.0 + 1200.0);
}

#[test]
fn what_nobody_states_is_left_out_and_said_when_asked_for() {
    let text = HEAD
        .replace(", price = 2 USD/h", "")
        .replace("H100_SXM", "B200_SXM")
        .replace("  serve {", "  expect cost.per_hour < 9 USD/h\n  serve {");
    let program = mesa::Program::of_text("spec.mesa", &text);
    let found = mesa::check(&program);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].code.id(), "E0220");
    assert!(found[0].notes[0].contains("`price`"), "{:?}", found[0].notes);
    let silent = text.replace("  expect cost.per_hour < 9 USD/h\n", "");
    let results = results_of(&silent, "all");
    assert!(!results.numbers.contains_key("cost.per_hour") && results.get("power.total") > 0.0);
}

#[test]
fn a_run_of_training_costs_and_takes_its_whole_time() {
    let text = HEAD.replace(
        "serve { batch = 8, prompt = 1024, output = 128 }",
        "train { batch = 8, seq = 512, tokens = 1000000000, optimizer = adam }",
    );
    let results = results_of(&text, "all");
    let at = |path: &str| results.get(path);
    close(at("run.cost"), 8.0 / 3600.0 * at("run.time"));
    let device = 100.0 + 600.0 * at("step.busy_share");
    close(at("run.power"), 1.5 * (4.0 * device + 1200.0));
    close(at("run.energy"), at("run.power") * at("run.time"));
}
