//! Names in text that cannot be read, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{CHAT, Client, URI, edited, marked, open, position, range, steady};
use insta::assert_snapshot;
use serde_json::json;

#[test]
fn names_in_what_cannot_be_read_are_still_known() {
    let block = "\nblock B(n: Count, wide: Count = 4) {\n  input x[batch, n]\n  weight w[n, wide]\n  \
                 y = x * w\n  output y\n}\n";
    let whole = format!("{CHAT}{block}");
    let places = [
        ("expect ttft < 4 s", "expect ‸ttft <"),
        ("expect ttft < 4 s", "expect memory.‸headroom >"),
        ("expect ttft < 4 s", "expect ttft < 4 ‸ms s"),
        ("shard heads, ffn, vocab", "shard ‸heads, ffn"),
        ("vocab over tp", "vocab over ‸tp within"),
        ("plan   = Tp(tp: 8)", "plan   = ‸Tp(tp: 8"),
        ("plan   = Tp(tp: 8)", "plan   = Tp(‸tp: 8"),
        ("plan   = Tp(tp: 8)", "‸plan = = Tp("),
        ("system = DGX_H100", "system = ‸DGX_H100("),
        ("batch  = 32", "‸batch  = "),
        ("weights = bf16,", "weights = ‸bf16 = ,"),
        ("= chat with {", "= = ‸chat with {"),
        ("plan Tp(tp: Count = 8)", "plan Tp(tp: ‸Count = 8"),
        ("use std.models.Llama3_70B", "use std.models.{‸Llama3_70B, "),
        ("use std.models.Llama3_70B", "use std.‸models."),
        ("y = x * w", "y = x * ‸w +"),
        ("y = x * w", "y[batch, ‸wide] = x *"),
        ("y = x * w", "y = ‸softmax(x, over: "),
        ("y = x * w", "y = x * ‸nothing +"),
    ];
    let mut client = open(&whole);
    let mut shown = String::new();
    for (from, to) in places {
        assert!(whole.contains(from), "{from}");
        let (text, at) = marked(&whole.replacen(from, to, 1));
        client.replace(URI, &text);
        let hover = client.at("textDocument/hover", URI, &at);
        let said = hover["contents"]["value"].as_str().unwrap_or("nothing");
        let said: Vec<&str> = said.lines().filter(|l| !l.starts_with("```")).take(2).collect();
        let found = client.at("textDocument/definition", URI, &at);
        let place = found[0]["uri"].as_str().map_or("nowhere".to_owned(), |uri| {
            if uri == URI { format!("here {}", range(&found[0]["range"])) } else { uri.to_owned() }
        });
        shown += &format!("{to}\n  {}\n  {place}\n", said.join(" | "));
    }
    steady(|| assert_snapshot!(shown));
}

fn renamed(client: &mut Client, text: &str, needle: &str, new: &str) -> String {
    let edit = client.request(
        "textDocument/rename",
        json!({
            "textDocument": { "uri": URI }, "position": position(text, needle), "newName": new,
        }),
    );
    edited(text, edit["changes"][URI].as_array().unwrap())
}

#[test]
fn renaming_reaches_what_cannot_be_read() {
    let text = CHAT
        .replace("expect ttft < 4 s", "expect ttft <")
        .replace("shard heads, ffn, vocab over tp", "shard heads, ffn over tp within");
    let mut client = open(&text);
    let after = renamed(&mut client, &text, "tp: Count", "t");
    assert_eq!(
        after,
        text.replace("tp: ", "t: ").replace("mesh tp", "mesh t").replace("over tp", "over t")
    );
}
