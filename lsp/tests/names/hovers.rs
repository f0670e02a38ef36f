//! What is said of a name.

use insta::assert_snapshot;
use serde_json::json;

use super::common::{BLOCK, CHAT, Client, URI, findings, hover, open, place, position, steady};

#[test]
fn hovers_say_what_a_name_is_and_its_value_in_every_scenario() {
    let mut client = open(CHAT);
    let needles = [
        "Llama3_70B\n  sys",
        "DGX_H100\n  plan",
        "tp: 8",
        "heads, ffn",
        "batch  =",
        "ttft",
        "s\n  expect memory",
        "headroom",
        "chat with",
        "weights = fp8",
        "fp8 }",
        "std.models",
        "mesh",
        "chat_fp8",
        "scenario chat {",
    ];
    let shown: String = needles.iter().map(|n| hover(&mut client, CHAT, n)).collect();
    steady(|| assert_snapshot!(shown));
}

#[test]
fn hovers_in_a_block_know_shapes_and_constants() {
    let text = BLOCK.to_owned()
        + "\nmodel Small = Tiny(hidden: size, ffn: 4 * size, vocab: 32000)\n\
           \nplan Tp(tp: Count = 2) {\n  mesh tp\n  shard ffn over tp\n}\n\
           \nscenario run {\n  model = Small\n  system = DGX_H100\n  plan = Tp()\n  \
           serve { batch = 4, prompt = 128, output = 8 }\n}\n";
    let mut client = open(&text);
    let mut shown = findings(&client.findings(URI));
    for needle in [
        "size = 4096",
        "hidden: Count",
        "hidden]",
        "up[",
        "wide =",
        "wide * down",
        "lookup",
        "ffn: 4",
    ] {
        shown += &hover(&mut client, &text, needle);
    }
    let params = json!({ "textDocument": { "uri": URI }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    let hints = client.request("textDocument/inlayHint", params);
    shown += "## hints\n";
    for hint in hints.as_array().unwrap() {
        shown += &format!("{} {}\n", place(&hint["position"]), hint["label"].as_str().unwrap());
    }
    steady(|| assert_snapshot!(shown));
}

pub fn hover_at(client: &mut Client, uri: &str, text: &str, needle: &str) -> String {
    let found = client.at("textDocument/hover", uri, &position(text, needle));
    found["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
}

#[test]
fn results_say_what_they_measure_and_groups_what_they_hold() {
    let mut client = open(CHAT);
    let shown = ["ttft", "memory.headroom"].map(|n| hover(&mut client, CHAT, n));
    let lines: Vec<&str> = shown.iter().map(|s| s.lines().nth(5).unwrap_or("")).collect();
    assert_eq!(lines[0], "a result, Time");
    assert!(lines[1].starts_with("results: `weights`, `cache`, `activations`"), "{}", shown[1]);
}

#[test]
fn hovers_in_plans_and_sweeps_know_the_values_of_scenarios() {
    let text = CHAT.replace("{ precision.weights = fp8 }", "{ plan.tp = 4 }")
        + "\nplan Deep(pp: Count) {\n  mesh pp\n  \
           shard layers over pp schedule interleaved(chunks: 2)\n}\n\
           \nsweep s of chat {\n  vary serve.batch in pow2(1 .. 64)\n  \
           vary plan.recompute in [full]\n  minimize tpot / serve.output\n}\n";
    let mut client = open(&text);
    let needles = [
        "tp: Count",
        "tp\n  shard",
        "over tp",
        "schedule",
        "chunks",
        "batch in",
        "pow2",
        "full]",
        "tpot /",
        "output\n}",
        "with {",
    ];
    let shown: String = needles.iter().map(|n| hover(&mut client, &text, n)).collect();
    steady(|| assert_snapshot!(shown));
}
