//! Typing through the protocol, character by character: answers are those of a server that was
//! given the text whole.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::Client;
use serde_json::{Value, json};

const TYPED: [&str; 5] = [
    "\nconst limit = 3 GB // \u{e9}\u{1F600}\n",
    "\nplan Other(tp: Count = 4) {\n  mesh tp\n  shard heads over tp\n}\n",
    "\nuse std.chips.B200\n",
    "\nscenario again = chat with { serve.batch = (64 }\n",
    "\nchip Mine {\n  memory hbm { capacity = 80 G",
];

const METHODS: [&str; 9] = [
    "textDocument/hover",
    "textDocument/completion",
    "textDocument/definition",
    "textDocument/documentSymbol",
    "textDocument/semanticTokens/full",
    "textDocument/foldingRange",
    "textDocument/inlayHint",
    "textDocument/signatureHelp",
    "textDocument/diagnostic",
];

fn params(method: &str, uri: &str, line: usize, column: usize) -> Value {
    let mut params = json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": column } });
    if method.ends_with("inlayHint") {
        params["range"] = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 500, "character": 0 } });
    }
    params
}

/// An answer without what differs between two documents of the same text.
fn plain(answer: Value, uri: &str) -> String {
    let mut answer = answer;
    if let Value::Object(map) = &mut answer {
        map.remove("resultId");
    }
    answer.to_string().replace(uri, "URI")
}

#[test]
fn typed_text_is_answered_like_text_that_was_opened() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "mesa"));
    // The shortest: this is about typing, not about the time that checking takes.
    paths.sort_by_key(|p| (std::fs::metadata(p).unwrap().len(), p.clone()));
    paths.truncate(5);
    let mut client = Client::start();
    let mut count = 0;
    for (number, path) in paths.iter().enumerate() {
        let uri = format!("untitled:typed{number}");
        let mut text = std::fs::read_to_string(path).unwrap();
        client.open(&uri, &text);
        let typed = TYPED[number % TYPED.len()];
        // After the third line.
        let at: usize = text.split_inclusive('\n').take(3).map(str::len).sum();
        let (mut line, mut column, mut byte) = (3, 0, at);
        let mut asked = Vec::new();
        for c in typed.chars() {
            let here = json!({ "line": line, "character": column });
            client.change(
                &uri,
                json!([{ "range": { "start": here, "end": here }, "text": c.to_string() }]),
            );
            text.insert(byte, c);
            byte += c.len_utf8();
            if c == '\n' {
                (line, column) = (line + 1, 0);
            } else {
                column += c.len_utf16();
            }
            count += 1;
            let method = METHODS[count % METHODS.len()];
            // A fast typist does not wait: of every four characters three are followed at once.
            asked.push(client.ask(method, params(method, &uri, line, column)));
            if count % 4 == 0 {
                let mut answer = Value::Null;
                for id in asked.drain(..) {
                    answer = client.answer(id).unwrap();
                }
                let fresh = format!("untitled:fresh{count}");
                client.open(&fresh, &text);
                let expected = client.request(method, params(method, &fresh, line, column));
                assert_eq!(plain(answer, &uri), plain(expected, &fresh), "{method} of {text}");
                client.close(&fresh);
            }
        }
        for id in asked {
            client.answer(id).unwrap();
        }
        client.close(&uri);
    }
    assert!(count > 150);
}

/// Types at the end of a document, each character with its version, in another order.
fn typed_in(order: &[usize], versions: impl Fn(usize) -> usize) -> (Vec<Value>, Vec<Value>) {
    const TYPED: &str = "\nplan Split(tp: Count = 8) {\n  mesh tp\n  shard heads over tp\n}\n";
    let mut client = Client::start();
    client.open("untitled:typed", common::CHAT);
    let (mut line, mut column) = (common::CHAT.lines().count(), 0);
    let mut edits = Vec::new();
    for c in TYPED.chars() {
        let here = json!({ "line": line, "character": column });
        edits.push(json!([{ "range": { "start": here, "end": here }, "text": c.to_string() }]));
        (line, column) = if c == '\n' { (line + 1, 0) } else { (line, column + 1) };
    }
    let rest = order.len()..edits.len();
    for at in order.iter().copied().chain(rest) {
        let document = json!({ "uri": "untitled:typed", "version": versions(at) });
        client.notify(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": edits[at] }),
        );
    }
    client.open("untitled:whole", &format!("{}{TYPED}", common::CHAT));
    let mut ask = |uri: &str| {
        let all = ["textDocument/semanticTokens/full", "textDocument/documentSymbol"];
        all.map(|method| client.request(method, params(method, uri, 0, 0)))
            .map(|answer| answer.get("data").cloned().unwrap_or(answer))
            .to_vec()
    };
    (ask("untitled:typed"), ask("untitled:whole"))
}

#[test]
fn edits_that_were_overtaken_are_made_where_they_belong() {
    let (typed, whole) = typed_in(&[0, 2, 1, 3, 6, 5, 4, 8, 9, 7, 10], |at| at + 2);
    assert_eq!(typed, whole);
}

#[test]
fn versions_may_leave_numbers_out_or_start_anew() {
    let (typed, whole) = typed_in(&[], |at| 2 + at * 3);
    assert_eq!(typed, whole);
    let (typed, whole) = typed_in(&[], |at| if at < 20 { 10 + at } else { at - 20 });
    assert_eq!(typed, whole);
    let (typed, whole) = typed_in(&[], |_| 0);
    assert_eq!(typed, whole);
}
