//! How a text is laid out and mended, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{CHAT, Client, URI, edited, open, position};
use insta::assert_snapshot;
use serde_json::{Value, json};

#[test]
fn formatting_lays_out_a_file_or_the_items_of_a_range() {
    let messy = "const   a=1\n\nplan P(tp:Count=2){\n mesh tp\n     shard heads over tp\n}\n";
    let mut client = open(messy);
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    let whole = client.request(
        "textDocument/formatting",
        json!({ "textDocument": { "uri": URI }, "options": options }),
    );
    let text = edited(messy, whole.as_array().unwrap());
    assert_eq!(
        text,
        "const a = 1\n\nplan P(tp: Count = 2) {\n  mesh tp\n  shard heads over tp\n}\n"
    );
    let params = json!({ "textDocument": { "uri": URI }, "options": options, "range": {
        "start": { "line": 3, "character": 0 }, "end": { "line": 3, "character": 1 } } });
    let some = client.request("textDocument/rangeFormatting", params);
    let text = edited(messy, some.as_array().unwrap());
    assert_eq!(
        text,
        "const   a=1\n\nplan P(tp: Count = 2) {\n  mesh tp\n  shard heads over tp\n}\n"
    );
    client.replace(URI, "plan P {\n\n}\n");
    let params = json!({ "textDocument": { "uri": URI }, "options": options, "ch": "\n", "position": { "line": 1, "character": 0 } });
    let typed = client.request("textDocument/onTypeFormatting", params);
    assert_eq!(edited("plan P {\n\n}\n", typed.as_array().unwrap()), "plan P {\n  \n}\n");
}

fn titles(client: &mut Client, text: &str, start: &str, end: Value) -> Vec<(String, String)> {
    let start = position(text, start);
    let found = client.request("textDocument/codeAction", json!({
        "textDocument": { "uri": URI }, "range": { "start": start, "end": end }, "context": { "diagnostics": [] },
    }));
    let all = found.as_array().unwrap().iter().map(|a| {
        let edits = a["edit"]["changes"][URI].as_array().unwrap();
        (a["title"].as_str().unwrap().to_owned(), edited(text, edits))
    });
    all.collect()
}

#[test]
fn actions_mend_what_is_wrong() {
    let cases = [
        ("const a = 1\nconst b = c + a\n", "c + a"),
        ("use std.chips.H100_SXM\nconst a = 1\n", "H100_SXM"),
        ("plan Tp(tp: Count) {\n  mesh tp\n}\nscenario s {\n  plan = Tp()\n}\n", "Tp()"),
        ("scenario s {\n  system = DGX_H100\n}\n", "DGX_H100"),
        ("link Wire {\n  bandwidth = 3 GB/s\n  latency = 1 us\n  topology = switch\n}\n", "Wire"),
    ];
    let mut client = open("");
    let mut shown = String::new();
    for (text, at) in cases {
        client.replace(URI, text);
        for (title, after) in titles(&mut client, text, at, position(text, at)) {
            shown += &format!("## {title}\n{after}\n");
        }
    }
    assert_snapshot!(shown);
}

#[test]
fn actions_rewrite_expressions_and_scenarios() {
    let mut client = open("");
    let mut shown = String::new();
    let text = "fn f(x: Number) -> Time = x * (3 ms + 2 ms)\n";
    client.replace(URI, text);
    for (title, after) in titles(&mut client, text, "3 ms + 2 ms", position(text, ")\n")) {
        shown += &format!("## {title}\n{after}\n");
    }
    for (title, after) in titles(&mut client, text, "3 ms", position(text, "3 ms")) {
        shown += &format!("## {title}\n{after}\n");
    }
    let copy = CHAT.split("scenario chat {").nth(1).unwrap().split("\nscenario").next().unwrap();
    let text = format!("{CHAT}\nscenario other {{{}", copy.replace("batch  = 32", "batch  = 64"));
    client.replace(URI, &text);
    for (title, after) in titles(&mut client, &text, "other", position(&text, "other")) {
        if title.starts_with("Amend") {
            shown += &format!("## {title}\n{}\n", after.rsplit("\n\n").next().unwrap());
        }
    }
    assert_snapshot!(shown);
}

/// What every extraction at the given texts makes of a file: its title and the lines that change.
fn extracted(client: &mut Client, text: &str, selections: &[&str]) -> String {
    client.replace(URI, text);
    let before = client.findings(URI).len();
    let mut shown = String::new();
    for selection in selections {
        let at = text.find(selection).unwrap();
        let end = text[..at + selection.len()].to_owned() + "\0";
        let end = position(&format!("{end}{}", &text[at + selection.len()..]), "\0");
        for (title, after) in titles(client, text, selection, end) {
            shown += &format!("## {title}\n");
            let kept: Vec<&str> = text.lines().collect();
            for line in after.lines().filter(|line| !kept.contains(line)) {
                shown += &format!("{line}\n");
            }
            // What is written is laid out and no worse than before.
            client.replace(URI, &after);
            assert!(client.findings(URI).len() <= before, "{title}: {after}");
            let layout = json!({ "textDocument": { "uri": URI }, "options": {} });
            assert_eq!(client.request("textDocument/formatting", layout), json!([]), "{after}");
            client.replace(URI, text);
            client.findings(URI);
        }
    }
    shown
}

#[test]
fn what_is_given_a_name_is_called_after_its_place() {
    let hardware = r#"/// 机器 with 🚀.
chip Foo {
  source = "a note"
  compute matrix { bf16 = 400 TFLOP/s, fp8 = 800 TFLOP/s }
  compute vector { fp32 = 50 TFLOP/s }
  processors = 100
  memory hbm { capacity = 96 GB, bandwidth = 3 TB/s }
  price = 2 USD/h source "on-demand"
}

// An odd one.
fn wait(n: Count) -> Time = n * (2 us + 300 ns) * 0.5

const foo_price = 3

runtime Slow {
  gemm_efficiency = 0.6 source "guess"
}
"#;
    let mut client = open("");
    let mut shown = extracted(
        &mut client,
        hardware,
        &["800 TFLOP/s", "100", "96 GB", "2 USD/h", "2 us + 300 ns", "0.5", "0.6"],
    );
    let chat = CHAT.replace("batch  = 32", "batch  = 4 * 8");
    shown += &extracted(
        &mut client,
        &chat,
        &["4 * 8", "2048", "4 s", "10%", "8) {", "8)\n"]
            .map(|s| s.trim_end_matches([')', ' ', '{', '\n'])),
    );
    assert_snapshot!(shown);
}

#[test]
fn an_amendment_keeps_comments() {
    let copy = CHAT.split("scenario chat {").nth(1).unwrap().split("\nscenario").next().unwrap();
    let copy = copy.replace("batch  = 32", "batch  = 64 // as measured");
    let text = format!("{CHAT}\nscenario other {{{copy}");
    let mut client = open(&text);
    let all = titles(&mut client, &text, "other", position(&text, "other"));
    assert!(all.iter().all(|(title, _)| !title.starts_with("Amend")), "{all:?}");
}

#[test]
fn clients_without_a_picker_find_the_choices_among_the_actions() {
    let mut client = open(CHAT);
    let all = titles(&mut client, CHAT, "chat {", position(CHAT, "chat {"));
    let all: Vec<&str> = all.iter().map(|(title, _)| title.as_str()).collect();
    assert_eq!(
        all,
        [
            "What if `precision.weights = fp8`?",
            "What if `precision.weights = int4_g128`?",
            "What if `precision.cache = fp8`?",
            "What if `serve.batch = 64`?",
            "What if `plan.tp = 4`?",
        ]
    );
    let refused = |client: &mut Client, path: &str, value: &str| {
        let arguments = json!([URI, "chat", path, value]);
        let params = json!({ "command": "mesa.amend", "arguments": arguments });
        client.refused("workspace/executeCommand", params)["message"].as_str().unwrap().to_owned()
    };
    let weights = refused(&mut client, "precision.weights", "fp9");
    assert_eq!(weights, "`fp9` is not known here; did you mean `fp4`?");
    let plan = refused(&mut client, "plan.tpp", "4");
    assert_eq!(plan, "a plan has no field `tpp`; did you mean `tp`?");
    let batch = refused(&mut client, "serve.batch", "64 +");
    assert_eq!(batch, "`}` stands where a value is expected");
}

#[test]
fn a_fix_of_a_split_works_for_every_axis_that_is_split_alike() {
    let text = CHAT.replace("plan   = Tp(tp: 8)", "plan   = Tp(tp: 6)");
    let mut client = open(&text);
    // 28672 `ffn` could be split by 7, 64 `heads` could not.
    let fixes = titles(&mut client, &text, "ffn, vocab", position(&text, "ffn, vocab"));
    let titles: Vec<&str> = fixes.iter().map(|(title, _)| title.as_str()).collect();
    assert_eq!(titles, ["Write 8 in line 16"]);
    assert_eq!(fixes[0].1, CHAT);
}

#[test]
fn edits_have_the_line_ends_of_the_document() {
    let text = "const a = 1\r\n\r\nlink Wire {\r\n  bandwidth = 3 GB/s\r\n  latency   = 1 us\r\n  topology  = switch\r\n}\r\n";
    let mut client = open(text);
    for (title, after) in titles(&mut client, text, "3 GB/s", position(text, "3 GB/s")) {
        assert_eq!(
            after.matches('\n').count(),
            after.matches("\r\n").count(),
            "{title}: {after:?}"
        );
    }
    let layout = json!({ "textDocument": { "uri": URI }, "options": {} });
    assert_eq!(client.request("textDocument/formatting", layout), json!([]));
}
