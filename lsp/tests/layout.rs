//! What is laid out while typing and by parts, and how texts are counted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{Client, URI, edited, marked, open};
use serde_json::{Value, json};

fn library(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

/// The edits after a character was typed at the mark.
fn typed(client: &mut Client, text: &str, character: &str) -> String {
    let (text, position) = marked(text);
    client.replace(URI, &text);
    let params = json!({ "textDocument": { "uri": URI }, "position": position, "ch": character, "options": {} });
    edited(&text, client.request("textDocument/onTypeFormatting", params).as_array().unwrap())
}

#[test]
fn a_new_line_gets_the_indentation_of_the_formatter() {
    let mut client = open("");
    let cases = [
        ("plan P {\n‸\n}\n", "plan P {\n  \n}\n"),
        ("plan P {\n  mesh tp\n‸}\n", "plan P {\n  mesh tp\n}\n"),
        ("fn f(n: Count) -> Time =\n‸", "fn f(n: Count) -> Time =\n  "),
        ("fn f(n: Count) -> Time =\n‸n * 1 s\n", "fn f(n: Count) -> Time =\n  n * 1 s\n"),
        ("const a = 1 +\n‸\n\nconst b = 2\n", "const a = 1 +\n  \n\nconst b = 2\n"),
        ("const a = max(\n‸)\n", "const a = max(\n)\n"),
        ("const a = max(1,\n‸2)\n", "const a = max(1,\n  2)\n"),
        (
            "assume a: Number = 1 in 1 .. 2\n‸because \"x\"\n",
            "assume a: Number = 1 in 1 .. 2\n  because \"x\"\n",
        ),
        (
            "chip A {\n  price = 1 USD/h\n‸source \"x\"\n}\n",
            "chip A {\n  price = 1 USD/h\n    source \"x\"\n}\n",
        ),
        ("const a = 1\n  ‸const b = 2\n", "const a = 1\nconst b = 2\n"),
        (
            "dtype a { bits = 8 }\n‸dtype b { bits = 8 }\n",
            "dtype a { bits = 8 }\ndtype b { bits = 8 }\n",
        ),
        // Another clause may come here.
        (
            "assume a: Number = 1\n  because \"x\"\n  ‸\n",
            "assume a: Number = 1\n  because \"x\"\n  \n",
        ),
    ];
    for (before, after) in cases {
        assert_eq!(typed(&mut client, before, "\n"), after, "{before:?}");
    }
}

#[test]
fn a_brace_lays_out_the_item_that_it_closes_and_nothing_else() {
    let mut client = open("");
    let closes = "const   a=1\nplan P{\n mesh tp\n  shard heads over tp\n  }‸\n";
    let after = "const   a=1\nplan P {\n  mesh tp\n  shard heads over tp\n}\n";
    assert_eq!(typed(&mut client, closes, "}"), after);
    // In the middle of a line somebody is still at work, and so in a comment or a text.
    for at_work in [
        "scenario s = chat with { serve.batch=1 }‸\n",
        "plan P {\n  mesh   tp // {tp}‸\n}\n",
        "fn f(n: Count) -> Number = n\n\nplan P {\n   require n  > 1 else \"{n}‸\"\n}\n",
    ] {
        assert_eq!(typed(&mut client, at_work, "}"), at_work.replace('‸', ""));
    }
}

#[test]
fn lines_of_the_library_are_where_a_new_line_puts_them() {
    let mut client = open("");
    for path in
        ["stdlib/cost/pipelines.mesa", "stdlib/cost/assumptions.mesa", "stdlib/layers/llama.mesa"]
    {
        let text = library(path);
        client.replace(URI, &text);
        for (line, content) in text.lines().enumerate().filter(|(_, c)| !c.trim().is_empty()) {
            let position =
                json!({ "line": line, "character": content.len() - content.trim_start().len() });
            let params = json!({ "textDocument": { "uri": URI }, "position": position, "ch": "\n", "options": {} });
            let edits = client.request("textDocument/onTypeFormatting", params);
            assert!(edits.as_array().is_none_or(Vec::is_empty), "{path}:{}: {edits}", line + 1);
        }
    }
}

/// A text that is not laid out, of several items.
const MESSY: &str = "//! 机器 🚀.\r\n\r\nconst  a=1 \r\nconst bcd =2\r\n\r\n\r\n\r\nplan P(tp:Count=2){  \r\n\tmesh tp // 🚀\r\n     shard heads over tp\r\n}  \r\nscenario s = chat with {  serve.batch=1 }\r\n";

#[test]
fn the_parts_of_a_layout_are_its_whole() {
    let mut client = open(MESSY);
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    let params = json!({ "textDocument": { "uri": URI }, "options": options });
    let whole = client.request("textDocument/formatting", params);
    let laid_out = edited(MESSY, whole.as_array().unwrap());
    assert_eq!(
        laid_out,
        "//! 机器 🚀.\r\n\r\nconst a   = 1\r\nconst bcd = 2\r\n\r\nplan P(tp: Count = 2) {\r\n  mesh tp // 🚀\r\n  shard heads over tp\r\n}\r\n\r\nscenario s = chat with { serve.batch = 1 }\r\n"
            .replace("mesh tp // 🚀", "mesh tp  // 🚀")
    );
    // No edit is larger than a line.
    for edit in whole.as_array().unwrap() {
        let lines = |at: &str| edit["range"][at]["line"].as_u64().unwrap();
        assert!(lines("end") - lines("start") <= 4, "{edit}");
    }
    let symbols = client.of("textDocument/documentSymbol", URI);
    for symbol in symbols.as_array().unwrap() {
        let params =
            json!({ "textDocument": { "uri": URI }, "options": options, "range": symbol["range"] });
        let part = client.request("textDocument/rangeFormatting", params);
        let all = whole.as_array().unwrap();
        assert!(part.as_array().unwrap().iter().all(|edit| all.contains(edit)), "{symbol}");
        assert!(!part.as_array().unwrap().is_empty(), "{symbol}");
    }
    client.replace(URI, &laid_out);
    let params = json!({ "textDocument": { "uri": URI }, "options": options });
    assert_eq!(client.request("textDocument/formatting", params), json!([]));
}

/// Tokens with their places.
fn unpacked(data: &Value) -> Vec<[u64; 5]> {
    let numbers: Vec<u64> = data.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let (mut line, mut column) = (0, 0);
    let tokens = numbers.chunks(5).map(|t| {
        column = if t[0] == 0 { column + t[1] } else { t[1] };
        line += t[0];
        [line, column, t[2], t[3], t[4]]
    });
    tokens.collect()
}

#[test]
fn tokens_of_a_range_are_part_of_all_and_changes_lead_to_them() {
    let text = library("examples/mixtral.mesa").replace("//! Mixtral", "//! 🚀 机器 Mixtral");
    let mut client = open(&text);
    let full = client.of("textDocument/semanticTokens/full", URI);
    let all = unpacked(&full["data"]);
    for (first, last) in [(0, 3), (4, 4), (10, 30), (0, 999)] {
        let range = json!({ "start": { "line": first, "character": 0 }, "end": { "line": last, "character": 3 } });
        let params = json!({ "textDocument": { "uri": URI }, "range": range });
        let some = client.request("textDocument/semanticTokens/range", params);
        let inside = |t: &&[u64; 5]| (t[0], t[1] + t[2]) > (first, 0) && (t[0], t[1]) < (last, 3);
        let wanted: Vec<[u64; 5]> = all.iter().filter(inside).copied().collect();
        assert_eq!(unpacked(&some["data"]), wanted, "{first} to {last}");
    }
    let mut known = full["data"].as_array().unwrap().clone();
    let mut id = full["resultId"].clone();
    for insertion in ["x", "const é = 1 GB // 🚀\n", "{", "\"", "\r"] {
        let at = json!({ "line": 5, "character": 0 });
        client.change(URI, json!([{ "range": { "start": at, "end": at }, "text": insertion }]));
        let params = json!({ "textDocument": { "uri": URI }, "previousResultId": id });
        let delta = client.request("textDocument/semanticTokens/full/delta", params);
        for edit in delta["edits"].as_array().unwrap() {
            let start = edit["start"].as_u64().unwrap() as usize;
            let end = start + edit["deleteCount"].as_u64().unwrap() as usize;
            known.splice(start..end, edit["data"].as_array().unwrap().iter().cloned());
        }
        id = delta["resultId"].clone();
        let now = client.of("textDocument/semanticTokens/full", URI);
        assert_eq!(now["data"].as_array().unwrap(), &known, "{insertion:?}");
        id = if now["resultId"].is_null() { id } else { now["resultId"].clone() };
    }
}

#[test]
fn a_carriage_return_alone_ends_a_line() {
    let text = "const a = 1\rconst b = a + x\r// 🚀 c\rconst d = y\r";
    let mut client = open(text);
    let found = client.findings(URI);
    let lines: Vec<u64> =
        found.iter().map(|d| d["range"]["start"]["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 3], "{found:#?}");
    // An edit below is found where the editor says it is.
    let at = |line, character| json!({ "line": line, "character": character });
    client.change(URI, json!([{ "range": { "start": at(3, 10), "end": at(3, 11) }, "text": "a" }]));
    client.change(URI, json!([{ "range": { "start": at(1, 14), "end": at(1, 15) }, "text": "2" }]));
    assert_eq!(client.findings(URI), Vec::<Value>::new());
}
