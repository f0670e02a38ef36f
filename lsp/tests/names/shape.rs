//! The outline of a file, and its colours.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::common::{BLOCK, CHAT, URI, open, position, range};

fn outline(symbols: &Value, depth: usize, out: &mut String) {
    for s in symbols.as_array().into_iter().flatten() {
        let name = s["name"].as_str().unwrap();
        *out += &format!(
            "{}{name} ({}) {}\n",
            "  ".repeat(depth),
            s["detail"].as_str().unwrap_or(""),
            range(&s["selectionRange"])
        );
        outline(&s["children"], depth + 1, out);
    }
}

#[test]
fn the_shape_of_a_file() {
    let mut client = open(BLOCK);
    let mut shown = String::new();
    outline(&client.of("textDocument/documentSymbol", URI), 0, &mut shown);
    shown += "## folds\n";
    for fold in client.of("textDocument/foldingRange", URI).as_array().unwrap() {
        shown += &format!(
            "{}-{} {}\n",
            fold["startLine"],
            fold["endLine"],
            fold["kind"].as_str().unwrap_or("")
        );
    }
    shown += "## selections\n";
    let params = json!({ "textDocument": { "uri": URI }, "positions": [position(BLOCK, "up\n")] });
    let mut selection = client.request("textDocument/selectionRange", params)[0].clone();
    while !selection.is_null() {
        shown += &format!("{}\n", range(&selection["range"]));
        selection = selection["parent"].clone();
    }
    shown += "## symbols with `tn`\n";
    for s in client.request("workspace/symbol", json!({ "query": "tn" })).as_array().unwrap() {
        shown += &format!("{}\n", s["name"].as_str().unwrap());
    }
    assert_snapshot!(shown);
}

/// Each token of a text with its kind.
fn colours(text: &str, data: &Value) -> String {
    const KINDS: [&str; 16] = [
        "keyword",
        "comment",
        "string",
        "number",
        "operator",
        "type",
        "function",
        "parameter",
        "variable",
        "property",
        "namespace",
        "enumMember",
        "class",
        "struct",
        "macro",
        "decorator",
    ];
    let lines: Vec<Vec<u16>> = text.lines().map(|l| l.encode_utf16().collect()).collect();
    let (mut line, mut column) = (0, 0);
    let mut out = String::new();
    let numbers: Vec<usize> =
        data.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    for token in numbers.chunks(5) {
        column = if token[0] > 0 { token[1] } else { column + token[1] };
        line += token[0];
        let word = String::from_utf16(&lines[line][column..column + token[2]]).unwrap();
        out += &format!("{} {word} {}\n", line + 1, KINDS[token[3]]);
    }
    out
}

#[test]
fn colours_follow_meaning() {
    let mut client = open(CHAT);
    let full = client.of("textDocument/semanticTokens/full", URI);
    assert_snapshot!(colours(CHAT, &full["data"]));
    let text = CHAT.replace("batch  = 32", "batch  = é64");
    client.replace(URI, &text);
    let delta = client.request(
        "textDocument/semanticTokens/full/delta",
        json!({
            "textDocument": { "uri": URI }, "previousResultId": full["resultId"],
        }),
    );
    let mut data = full["data"].as_array().unwrap().clone();
    for edit in delta["edits"].as_array().unwrap() {
        let start = edit["start"].as_u64().unwrap() as usize;
        let end = start + edit["deleteCount"].as_u64().unwrap() as usize;
        data.splice(start..end, edit["data"].as_array().unwrap().iter().cloned());
    }
    let again = client.of("textDocument/semanticTokens/full", URI);
    assert_eq!(Value::Array(data), again["data"]);
}
