//! The parameters of what is being called, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{CHAT, URI, marked, open};
use insta::assert_snapshot;

#[test]
fn signatures_follow_the_argument() {
    let (text, at) = marked(&CHAT.replace("Tp(tp: 8)", "Tp(‸)"));
    let mut client = open(&text);
    let found = client.at("textDocument/signatureHelp", URI, &at);
    assert_eq!(found["signatures"][0]["label"], "Tp(tp: Count = 8)");
    assert_eq!(found["activeParameter"], 0);
    let (text, at) = marked("use std.layers.Llama\nmodel M = Llama(hidden: 8, ffn: ‸\n");
    client.replace(URI, &text);
    let found = client.at("textDocument/signatureHelp", URI, &at);
    let active = found["activeParameter"].as_u64().unwrap() as usize;
    let label = found["signatures"][0]["parameters"][active]["label"].as_str().unwrap();
    assert!(label.starts_with("ffn: Count"), "{label}");
}

#[test]
fn signatures_know_functions_of_the_language_and_show_what_matters_of_long_ones() {
    let mut client = open("");
    let places = [
        "const a = max(1, 2, ‸\n",
        "const a = gcd(12, ‸)\n",
        "const a = max(1, ceil(‸))\n",
        "const a = best(ring: 1 s, ‸)\n",
        "scenario a {\n}\nsweep s of a {\n  vary serve.batch in random(1 .. 64, ‸)\n}\n",
        "plan P(pp: Count) {\n  shard layers over pp schedule interleaved(‸\n}\n",
        "block B(n: Count) {\n  input x[batch, n]\n  y = softmax(x, over: n, ‸)\n}\n",
        "model M = Llama(layers: 2, tied: true, ‸)\n",
        "fn f(x: Number, y: Time = 3 s) -> Time = x * y\nconst b = f(y: 3 s, ‸\n",
        "const a = 3 * (‸)\n",
    ];
    let mut shown = String::new();
    for text in places {
        let (text, at) = marked(text);
        client.replace(URI, &text);
        let line = text.lines().nth(at["line"].as_u64().unwrap() as usize).unwrap();
        let found = client.at("textDocument/signatureHelp", URI, &at);
        let active = found["activeParameter"].as_u64().unwrap_or(99) as usize;
        let signature = &found["signatures"][0];
        let param = &signature["parameters"][active];
        let label = signature["label"].as_str().unwrap_or("nothing");
        let docs = param["documentation"].as_str().map_or(String::new(), |d| format!(": {d}"));
        let param = param["label"].as_str().unwrap_or("");
        shown += &format!("{}\n  {label}\n  {param}{docs}\n", line.trim());
    }
    assert_snapshot!(shown);
}
