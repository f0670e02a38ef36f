//! Results in the editor, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{CHAT, Client, URI, edited, open, place, position, range, steady};
use insta::assert_snapshot;
use serde_json::json;

#[test]
fn lenses_show_the_figures_of_scenarios() {
    let mut client =
        Client::with(json!({}), json!({ "commands": ["mesa.showReport", "mesa.whatIf"] }));
    client.open(URI, CHAT);
    let mut shown = String::new();
    for lens in client.of("textDocument/codeLens", URI).as_array().unwrap() {
        let lens = match lens.get("command") {
            Some(_) => lens.clone(),
            None => client.request("codeLens/resolve", lens.clone()),
        };
        let command = &lens["command"];
        shown += &format!(
            "{} {} {}\n",
            range(&lens["range"]),
            command["title"].as_str().unwrap(),
            command["command"]
        );
    }
    let params = json!({ "textDocument": { "uri": URI }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    for hint in client.request("textDocument/inlayHint", params).as_array().unwrap() {
        shown += &format!("{} {}\n", place(&hint["position"]), hint["label"].as_str().unwrap());
    }
    // The figures are those of the report.
    let report = client.request("mesa/report", json!({ "uri": URI, "scenario": "chat" }));
    let first = shown.split("TTFT ").nth(1).and_then(|rest| rest.split(" ·").next()).unwrap();
    let line = report["text"].as_str().unwrap().lines().find(|l| l.contains("ttft")).unwrap();
    assert!(line.contains(first), "{first} in {line}");
    steady(|| assert_snapshot!(shown));
}

#[test]
fn collectives_of_every_kind_of_run_stand_at_the_lines_that_cause_them() {
    let serves =
        CHAT.replace("Tp(tp: Count = 8)", "Tp(dp: Count = 1, pp: Count = 1, tp: Count = 8)");
    let serves = serves.replace(
        "  mesh tp\n",
        "  mesh dp, pp, tp\n  shard batch over dp\n  shard layers over pp\n  zero optimizer over dp\n",
    );
    let text = format!(
        "{serves}
scenario learn {{
  model  = Llama3_70B
  system = DGX_H100(nodes: 4)
  plan   = Tp(dp: 2, pp: 2)
  train {{
    batch  = 64
    seq    = 2048
    tokens = 1e9
  }}
  expect mfu > 99%
}}
"
    );
    let mut client = open(&text);
    let params = json!({ "textDocument": { "uri": URI }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    let mut shown = String::new();
    for hint in client.request("textDocument/inlayHint", params).as_array().unwrap() {
        let line = hint["position"]["line"].as_u64().unwrap() as usize;
        let line = text.lines().nth(line).unwrap().trim();
        shown += &format!("{line}  {}\n", hint["label"].as_str().unwrap());
    }
    steady(|| assert_snapshot!(shown));
}

#[test]
fn what_if_adds_an_amendment() {
    let mut client = open(CHAT);
    let choices = client.request("mesa/choices", json!({ "uri": URI, "scenario": "chat" }));
    assert_eq!(choices[0]["path"], "precision.weights");
    assert_eq!(choices[0]["current"], "bf16");
    // What the library or the plan decides is said too.
    client.replace(URI, &CHAT.replace("  precision {", "  // precision {"));
    let choices = client.request("mesa/choices", json!({ "uri": URI, "scenario": "chat" }));
    for choice in choices.as_array().unwrap() {
        let current = choice["current"].as_str().unwrap();
        assert!(!current.is_empty(), "{choices}");
        assert!(!choice["values"].as_array().unwrap().contains(&json!(current)), "{choices}");
    }
    let tp = choices.as_array().unwrap().iter().find(|c| c["path"] == "plan.tp").unwrap();
    assert_eq!(tp["current"], "8");
    client.replace(URI, CHAT);
    client.request(
        "workspace/executeCommand",
        json!({
            "command": "mesa.amend", "arguments": [URI, "chat", "serve.batch", "64"],
        }),
    );
    let asked = client.expect("workspace/applyEdit");
    let text = edited(CHAT, asked["params"]["edit"]["changes"][URI].as_array().unwrap());
    let added = "scenario chat_batch_64 = chat with { serve.batch = 64 }";
    assert!(text.contains(&format!("}}\n\n{added}\n\nscenario chat_fp8")), "{text}");
}

#[test]
fn reports_and_derivations_are_those_of_the_command_line() {
    let mut client = open(CHAT);
    let report = client.request("mesa/report", json!({ "uri": URI, "scenario": "chat" }));
    assert_eq!(report["version"], 1);
    assert_eq!(report["report"]["results"]["ttft"]["unit"], "s");
    assert!(report["text"].as_str().unwrap().contains("chat"));
    let here =
        client.request("mesa/report", json!({ "uri": URI, "position": position(CHAT, "shard") }));
    assert_eq!(here["scenario"], "chat");
    let explained =
        client.request("mesa/explain", json!({ "uri": URI, "path": "chat.tpot", "depth": 1 }));
    let step = &explained["derivation"];
    assert_eq!(step["uri"], "mesa-std:/cost/serving.mesa");
    assert_eq!(step["steps"].as_array().unwrap().len(), 3);
    client.replace(URI, &CHAT.replace("DGX_H100\n  plan", "Nothing\n  plan"));
    let broken = client.request("mesa/report", json!({ "uri": URI, "scenario": "chat" }));
    assert_eq!(broken["report"], json!(null));
    assert_eq!(broken["findings"][0]["code"], "E0201");
    let all = client.request("mesa/scenarios", json!({ "uri": URI }));
    assert_eq!(all[1]["name"], "chat_fp8");
}

#[test]
fn settings_turn_hints_and_lenses_off() {
    let mut client = Client::with(json!({}), json!({ "lenses": false }));
    client.open(URI, CHAT);
    assert_eq!(client.of("textDocument/codeLens", URI), json!([]));
    client.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": { "mesa": {
        "lenses": true, "hints": { "collectives": false, "expectations": false },
    } } }),
    );
    assert_eq!(client.of("textDocument/codeLens", URI).as_array().unwrap().len(), 2);
    let params = json!({ "textDocument": { "uri": URI }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    assert_eq!(client.request("textDocument/inlayHint", params), json!([]));
}

#[test]
fn a_path_with_a_mistake_is_answered_with_what_there_is() {
    let text =
        CHAT.replace("\nscenario chat_fp8", "\nscenario lost {\n  model = }\n\nscenario chat_fp8");
    let text = format!("{text}\nscenario wrong = chat with {{ system = Nothing }}\n");
    let mut client = open(&text);
    let mut shown = String::new();
    let mut said = |method: &str, key: &str, value: &str| {
        let error = client.refused(method, json!({ "uri": URI, key: value }));
        assert_eq!(error["code"], -32803);
        shown += &format!("{method} {value}: {}\n", error["message"].as_str().unwrap());
    };
    for path in
        ["chat.tpto", "chat.memory", "chta.tpot", "lost.tpot", "wrong.tpot", "Tp", "chat.", ""]
    {
        said("mesa/explain", "path", path);
    }
    for scenario in ["chta", "Tp", "x"] {
        said("mesa/report", "scenario", scenario);
    }
    said("mesa/choices", "scenario", "chta");
    client.replace(URI, "const a = 1\n");
    for (method, key) in [("mesa/explain", "path"), ("mesa/report", "scenario")] {
        let error = client.refused(method, json!({ "uri": URI, key: "chat" }));
        shown += &format!("{method} without: {}\n", error["message"].as_str().unwrap());
    }
    assert_snapshot!(shown);
}
