//! The server as an editor starts and ends it, and what holds of all messages.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use std::io::Write;
use std::time::{Duration, Instant};

use common::Client;
use serde_json::{Value, json};

/// The bench holds the real limits; a machine under load gets more time here.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn says_who_it_is() {
    let mut client = Client::process();
    let id = client.ask("initialize", json!({ "capabilities": {} }));
    let answer = client.answer(id).unwrap();
    assert_eq!(answer["serverInfo"]["name"], "mesa-lsp");
    assert_eq!(answer["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16");
    client.notify("exit", json!(null));
    assert_eq!(client.code(SOON), Some(1));
}

#[test]
fn takes_utf_8_where_it_is_offered() {
    let mut client = Client::process();
    let general = json!({ "general": { "positionEncodings": ["utf-16", "utf-8"] } });
    let answer = client.request("initialize", json!({ "capabilities": general }));
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-8");
}

#[test]
fn ends_upon_exit_while_its_input_is_open() {
    let mut client = Client::start();
    client.open("untitled:a", "const a = 1\n");
    assert_eq!(client.request("shutdown", json!(null)), json!(null));
    client.notify("exit", json!(null));
    assert_eq!(client.code(SOON), Some(0));
}

#[test]
fn ends_with_an_error_when_its_input_ends_without_exit() {
    let mut client = Client::start();
    let input = std::process::Command::new("true").stdin(std::process::Stdio::piped()).spawn();
    let other = input.unwrap().stdin.take().unwrap();
    drop(std::mem::replace(&mut client.input, other));
    assert_eq!(client.code(SOON), Some(1));
}

#[test]
fn refuses_requests_before_the_session_and_after_it() {
    let mut client = Client::process();
    let early = client.refused("textDocument/hover", json!({}));
    assert_eq!(early["code"], -32002);
    client.request("initialize", json!({ "capabilities": {} }));
    client.request("shutdown", json!(null));
    let late = client.refused("textDocument/hover", json!({}));
    assert_eq!(late["code"], -32600);
}

#[test]
fn a_method_that_is_not_known_is_answered_with_an_error() {
    let mut client = Client::start();
    assert_eq!(client.refused("textDocument/magic", json!({}))["code"], -32601);
}

#[test]
fn what_is_no_message_is_refused_and_the_next_message_is_read() {
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"textDocument/hover","params":{}}"#;
    let length = body.len();
    // What is sent, the code of the answer, and the id that it names.
    let cases = [
        ("Content-Length: 5\r\n\r\n{\"a\":".into(), -32700, json!(null)),
        ("Content-Length: 0\r\n\r\n".into(), -32700, json!(null)),
        (format!("Content-Length: many\r\n\r\n{body}"), -32700, json!(null)),
        (format!("Content-Length: -{length}\r\n\r\n{body}"), -32700, json!(null)),
        (format!("Content-Length: 99999999999\r\n\r\n{body}"), -32700, json!(null)),
        (format!("Content-Type: json\r\n\r\n{body}"), -32700, json!(null)),
        (format!("Content-Length: 10\r\n\r\n{body}"), -32700, json!(null)),
        ("Content-Length: 2\r\n\r\n42".into(), -32600, json!(null)),
        ("Content-Length: 2\r\n\r\n[]".into(), -32600, json!(null)),
        ("Content-Length: 24\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":8}".into(), -32600, json!(8)),
        ("Content-Length: 23\r\n\r\n{\"id\":9,\"method\":\"a/b\"}".into(), -32600, json!(9)),
    ];
    for (sent, code, id) in cases {
        let mut client = Client::start();
        client.open("untitled:a", "const a = 1\n");
        client.input.write_all(sent.as_bytes()).unwrap();
        let symbols = client.of("textDocument/documentSymbol", "untitled:a");
        assert_eq!(symbols[0]["name"], "a", "after {sent}");
        let refused: Vec<&Value> =
            client.waiting.iter().filter(|m| m.get("error").is_some()).collect();
        assert_eq!(refused.len(), 1, "{sent}: {refused:?}");
        assert_eq!(
            (&refused[0]["error"]["code"], &refused[0]["id"]),
            (&json!(code), &id),
            "{sent}"
        );
    }
}

#[test]
fn a_length_that_is_too_large_costs_one_message() {
    let mut client = Client::start();
    client.open("untitled:a", "const a = 1\n");
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"textDocument/hover","params":{}}"#;
    write!(client.input, "Content-Length: {}\r\n\r\n{body}", body.len() + 20).unwrap();
    client.notify("$/setTrace", json!({ "value": "off" }));
    let symbols = client.of("textDocument/documentSymbol", "untitled:a");
    assert_eq!(symbols[0]["name"], "a");
}

#[test]
fn edits_that_mean_nothing_change_nothing() {
    let mut client = Client::start();
    let uri = "untitled:a";
    let names = |client: &mut Client| {
        let symbols = client.of("textDocument/documentSymbol", uri);
        let all =
            symbols.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned());
        all.collect::<Vec<_>>()
    };
    client.change(uri, json!([{ "text": "const early = 1\n" }])); // not open yet
    client.close(uri);
    client.open(uri, "const a = 1\nconst b = 2\n");
    assert_eq!(names(&mut client), ["a", "b"]);
    for nothing in [json!([{}]), json!([{ "text": 4 }]), json!(null), json!([])] {
        client.change(uri, nothing);
        assert_eq!(names(&mut client), ["a", "b"]);
    }
    // Places outside of the text are its ends; ends in the wrong order are put right.
    let range =
        json!({ "start": { "line": 90, "character": 9 }, "end": { "line": 2, "character": -1 } });
    client.change(uri, json!([{ "range": range, "text": "const c = 3\n" }]));
    assert_eq!(names(&mut client), ["a", "b", "c"]);
    client.change(uri, json!([{ "range": null, "text": "const whole = 1\n" }]));
    assert_eq!(names(&mut client), ["whole"]);
}

#[test]
fn input_that_ends_after_shutdown_is_a_proper_end() {
    let mut client = Client::start();
    client.request("shutdown", json!(null));
    let input = std::process::Command::new("true").stdin(std::process::Stdio::piped()).spawn();
    let other = input.unwrap().stdin.take().unwrap();
    drop(std::mem::replace(&mut client.input, other));
    assert_eq!(client.code(SOON), Some(0));
}

#[test]
fn cancelled_requests_are_answered_as_cancelled() {
    let mut client = Client::start();
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/chat-70b.mesa"));
    client.open("untitled:a", &text.unwrap());
    let report = json!({ "uri": "untitled:a", "scenario": "chat" });
    let ids: Vec<i64> = (0..20).map(|_| client.ask("mesa/report", report.clone())).collect();
    for id in &ids {
        client.notify("$/cancelRequest", json!({ "id": id }));
    }
    let answers: Vec<_> = ids.into_iter().map(|id| client.answer(id)).collect();
    let cancelled = answers.iter().filter(|a| a.as_ref().is_err_and(|e| e["code"] == -32800));
    // Of the first some may be answered before they are cancelled; the last ones wait behind them.
    assert!(cancelled.count() >= 1, "{answers:?}");
}

#[test]
fn three_hundred_quick_edits_end_with_findings_of_the_last() {
    let mut client = Client::start();
    let uri = "untitled:quick";
    client.open(uri, "const a = 1\n");
    for n in 0..300 {
        let text = if n % 2 == 0 { "const a = missing\n" } else { "const a = 1\n" };
        client.replace(uri, text);
    }
    client.replace(uri, "const a = other\n");
    let found = client.findings(uri);
    assert!(found[0]["message"].as_str().unwrap().contains("`other`"), "{found:?}");
    let mut last = 0;
    for message in
        client.waiting.iter().filter(|m| m["method"] == "textDocument/publishDiagnostics")
    {
        let version = message["params"]["version"].as_i64().unwrap();
        // What is certain may come before the rest, with the same version.
        assert!(version >= last, "{version} after {last}");
        last = version;
    }
}

#[test]
fn answers_keep_the_order_of_edits_and_questions() {
    let mut client = Client::start();
    let uri = "untitled:order";
    client.open(uri, "const a0 = 1\n");
    let mut asked = Vec::new();
    for n in 1..100 {
        client.replace(uri, &format!("const a{n} = 1\n"));
        let params = json!({ "textDocument": { "uri": uri } });
        asked.push((n, client.ask("textDocument/documentSymbol", params)));
    }
    for (n, id) in asked {
        assert_eq!(client.answer(id).unwrap()[0]["name"], format!("a{n}"));
    }
}

#[test]
fn the_session_begins_in_the_blink_of_an_eye() {
    let start = Instant::now();
    let _client = Client::start();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

#[test]
fn says_what_it_is_without_an_editor() {
    let said = |argument: &str| {
        let server = env!("CARGO_BIN_EXE_mesa-lsp");
        std::process::Command::new(server).arg(argument).output().unwrap()
    };
    let help = said("--help");
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: mesa-lsp"), "{help:?}");
    let version = format!("mesa-lsp {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&said("--version").stdout), version);
    let wrong = said("--bogus");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("`--bogus`"), "{wrong:?}");
}
