//! An edit that matters to many scenarios: what is certain is published soon, the rest later.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use std::fmt::Write as _;

use common::{Client, position};
use serde_json::{Value, json};

/// Scenarios that expect the same, no two of one shape, and a mistake beside them.
fn text() -> String {
    let mut text = String::from(
        "use std.models.Llama3_8B
use std.systems.DGX_H100

plan Tp(tp: Count = 8) {
  mesh tp
  shard heads, ffn, vocab over tp
}

const bar = 1%
const wrong = 80 GB + 3 ms
",
    );
    for n in 0..12 {
        let more = format!("  expect tpot < {} s\n", n + 1).repeat(n);
        write!(
            text,
            "
scenario run{n} {{
  model  = Llama3_8B
  system = DGX_H100
  plan   = Tp
  serve {{
    batch  = 8
    prompt = 512
    output = 16
  }}
  expect memory.headroom > bar
{more}}}
"
        )
        .unwrap();
    }
    text
}

fn sorted(found: &[Value]) -> Vec<String> {
    let mut all: Vec<String> = found.iter().map(Value::to_string).collect();
    all.sort();
    all
}

#[test]
fn what_is_certain_is_published_before_scenarios_are_done() {
    let text = text();
    let mut client = Client::start();
    let uri = "untitled:slices";
    client.open(uri, &text);
    let sound = client.findings(uri);
    assert_eq!(sound.len(), 1, "{sound:?}");
    // Every scenario expects more than there is.
    let at = position(&text, "1%");
    let mut end = at.clone();
    end["character"] = json!(at["character"].as_u64().unwrap() + 1);
    client.change(uri, json!([{ "range": { "start": at, "end": end }, "text": "99" }]));
    let first = client.first_findings(uri);
    let early = client.arrived;
    assert!(first.iter().any(|d| d["code"] == sound[0]["code"]), "{first:?}");
    assert!(first.len() < 13, "everything at once");
    let all = client.findings(uri);
    assert_eq!(all.len(), 13, "{all:#?}");
    assert!(client.arrived > early);
    assert!(sorted(&first).iter().all(|d| sorted(&all).contains(d)));
    // What is no longer true is not shown, not even for a moment.
    end["character"] = json!(at["character"].as_u64().unwrap() + 2);
    client.change(uri, json!([{ "range": { "start": at, "end": end }, "text": "1" }]));
    let shown = client.published_until_checked(uri);
    assert!(!shown.is_empty());
    for list in shown {
        assert!(sorted(&list).iter().all(|d| sorted(&sound).contains(d)), "{list:?}");
    }
}

#[test]
fn the_last_list_is_that_of_a_fresh_server() {
    let text = text();
    let mut client = Client::start();
    let uri = "untitled:slices";
    client.open(uri, &text);
    client.findings(uri);
    let at = position(&text, "1%");
    let mut version = text.clone();
    for (number, with) in ["99", "50", "1", "0", "100", "80", "97"].iter().enumerate() {
        let mut end = at.clone();
        let old = version.find("bar = ").unwrap() + 6;
        let length = version[old..].find('%').unwrap();
        end["character"] = json!(at["character"].as_u64().unwrap() + length as u64);
        version.replace_range(old..old + length, with);
        client.change(uri, json!([{ "range": { "start": at, "end": end }, "text": with }]));
        // At times another edit comes before the first is done.
        if number % 2 == 1 {
            continue;
        }
        let mut fresh = Client::start();
        fresh.open(uri, &version);
        assert_eq!(sorted(&client.findings(uri)), sorted(&fresh.findings(uri)), "{with}");
    }
}

#[test]
fn a_client_that_asks_for_findings_gets_all_of_them() {
    let text = text().replace("1%", "99%");
    let mut client = Client::with(json!({ "textDocument": { "diagnostic": {} } }), json!({}));
    let uri = "untitled:slices";
    client.open(uri, &text);
    let report = client.of("textDocument/diagnostic", uri);
    assert_eq!(report["items"].as_array().unwrap().len(), 13, "{report:#?}");
}

#[test]
fn hints_that_take_long_come_when_the_client_is_told_to_ask_again() {
    let text = text();
    let uri = "untitled:hints";
    let params = json!({ "textDocument": { "uri": uri }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 500, "character": 0 },
    } });
    let mut patient = Client::start();
    patient.open(uri, &text);
    let all = patient.request("textDocument/inlayHint", params.clone());
    assert!(all.as_array().unwrap().len() >= 12, "{all:#?}");
    let refresh = json!({ "workspace": { "inlayHint": { "refreshSupport": true } } });
    let mut client = Client::with(refresh, json!({}));
    client.open(uri, &text);
    let some = client.request("textDocument/inlayHint", params.clone());
    assert!(some.as_array().unwrap().len() < all.as_array().unwrap().len(), "{some:#?}");
    client.expect("workspace/inlayHint/refresh");
    assert_eq!(client.request("textDocument/inlayHint", params), all);
}
