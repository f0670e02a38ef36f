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
