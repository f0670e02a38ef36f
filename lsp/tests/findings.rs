//! What the editor says of a text and when, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{CHAT, Client, URI, findings, hover, marked, open, range, steady};
use insta::assert_snapshot;
use serde_json::{Value, json};

#[test]
fn findings_have_places_reasons_and_links() {
    let text = CHAT.replace("mesh tp", "mesh tpp").replace("serve {", "servee {")
        + "use std.chips.B200\nconst a = 1\nconst a = 2\n";
    let mut client = open(&text);
    let found = client.findings(URI);
    assert_eq!(found[0]["codeDescription"]["href"], "mesa-help:/E0201.md");
    assert_snapshot!(findings(&found));
    client.replace(URI, CHAT);
    assert_eq!(client.findings(URI), Vec::<Value>::new());
}

#[test]
fn findings_can_be_pulled_and_come_once() {
    let mut client = Client::with(json!({ "textDocument": { "diagnostic": {} } }), json!({}));
    client.open(URI, "const a = b\n");
    let report = client.of("textDocument/diagnostic", URI);
    assert_eq!(report["kind"], "full");
    assert_eq!(report["items"][0]["code"], "E0201");
    let again = client.request(
        "textDocument/diagnostic",
        json!({
            "textDocument": { "uri": URI }, "previousResultId": report["resultId"],
        }),
    );
    assert_eq!(again, json!({ "kind": "unchanged", "resultId": report["resultId"] }));
    let all = client.request("workspace/diagnostic", json!({ "previousResultIds": [] }));
    assert_eq!(all["items"][0]["items"][0]["code"], "E0201");
    client.expect("mesa/evaluated");
    let published = client.waiting.iter().any(|m| m["method"] == "textDocument/publishDiagnostics");
    assert!(!published, "pushed to a client that pulls");
}

#[test]
fn a_syntax_error_in_one_item_leaves_the_others_alive() {
    let text = CHAT.replace("  mesh tp\n", "  mesh = = (\n");
    let mut client = open(&text);
    let found = client.findings(URI);
    assert!(found.iter().all(|d| d["range"]["start"]["line"].as_u64().unwrap() < 10), "{found:?}");
    let hovered = hover(&mut client, &text, "DGX_H100\n  plan");
    assert!(hovered.contains("system DGX_H100"), "{hovered}");
    for (text, wanted) in [
        (text.replace("expect ttft < 4 s", "expect memory.‸"), "headroom"),
        (CHAT.replace("  mesh tp\n", "  mesh tp 8 8\n  ‸\n"), "shard"),
    ] {
        let (text, at) = marked(&text);
        client.replace(URI, &text);
        let found = client.at("textDocument/completion", URI, &at);
        let mut items = found["items"].as_array().unwrap().iter();
        assert!(items.any(|i| i["label"] == wanted), "{found}");
    }
}

#[test]
fn multi_byte_text_and_carriage_returns_keep_their_places() {
    let text = "// é\u{1F600}\r\nconst a = 1\r\n/* */ const\r\n/// \u{4e16}\u{754c}\r\nconst b = a + missing // \u{1F600}\r\n";
    for utf8 in [false, true] {
        let general =
            if utf8 { json!({ "general": { "positionEncodings": ["utf-8"] } }) } else { json!({}) };
        let mut client = Client::with(general, json!({}));
        client.open(URI, text);
        let found = client.findings(URI);
        let last = found.last().unwrap();
        assert_eq!(range(&last["range"]), "4:14-4:21", "{found:?}");
        // An edit after a character of two units.
        let column = if utf8 { 7 } else { 5 };
        client.change(URI, json!([{
            "range": { "start": { "line": 0, "character": column }, "end": { "line": 0, "character": if utf8 { 9 } else { 6 } } },
            "text": "",
        }]));
        client.change(URI, json!([{
            "range": { "start": { "line": 4, "character": 14 }, "end": { "line": 4, "character": 21 } }, "text": "a",
        }]));
        let hovered = client.at("textDocument/hover", URI, &json!({ "line": 4, "character": 14 }));
        assert!(
            hovered["contents"]["value"].as_str().unwrap().contains("const a = 1"),
            "{hovered}"
        );
    }
}

#[test]
fn files_that_change_on_disk_are_read_again() {
    let folder = std::env::temp_dir().join(format!("mesa-disk-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let parts = folder.join("parts.mesa");
    let (uri, parts_uri) =
        (format!("file://{}/main.mesa", folder.display()), format!("file://{}", parts.display()));
    let mut client = Client::start();
    client.open(&uri, "use \"./parts.mesa\".size\nconst twice = size * 2\n");
    assert_eq!(client.findings(&uri)[0]["code"], "E0204");
    std::fs::write(&parts, "const size = 3\n").unwrap();
    let changed = |kind: u32| json!({ "changes": [{ "uri": parts_uri, "type": kind }] });
    client.notify("workspace/didChangeWatchedFiles", changed(1));
    assert_eq!(client.findings(&uri), Vec::<Value>::new());
    let link = client.of("textDocument/documentLink", &uri);
    assert_eq!(link[0]["target"], parts_uri);
    std::fs::remove_file(&parts).unwrap();
    client.notify("workspace/didChangeWatchedFiles", changed(3));
    assert_eq!(client.findings(&uri)[0]["code"], "E0204");
    // What is typed into the imported file counts before it is saved.
    client.open(&parts_uri, "const size = 3 GB\n");
    assert_eq!(client.findings(&uri), Vec::<Value>::new());
    client.close(&parts_uri);
    assert_eq!(client.findings(&uri)[0]["code"], "E0204");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A block, a model of it, and scenarios with a plan and without.
const OWN: &str = "use std.systems.{DGX_H100, MI300X_1}

block Head(hidden: Count, vocab: Count) {
  input tokens[batch, seq]
  weight table[vocab, hidden]
  x = lookup(table, tokens)
  logits[batch, seq, vocab] = x * table
  output logits
}

model Tiny = Head(hidden: 1024, vocab: 32000) { source = \"made up\" }

plan Tp(tp: Count = 8) {
  mesh tp
  shard vocab over tp
}

scenario split {
  model  = Tiny
  system = DGX_H100
  plan   = Tp
  serve { batch = 8, prompt = 128, output = 16 }
}

scenario whole {
  model  = Tiny
  system = MI300X_1
  serve { batch = 8, prompt = 128, output = 16 }
}
";

#[test]
fn what_rests_on_text_that_cannot_be_read_has_no_figures_and_all_else_keeps_them() {
    let broken = OWN.replace("  shard vocab over tp", "  shard vocab ver tp");
    let mut shown = String::new();
    for (what, text) in [("read", OWN), ("not read", &broken)] {
        let mut client = open(text);
        shown += &format!("{what}\n");
        for found in client.findings(URI) {
            shown += &format!("  {} {}\n", range(&found["range"]), found["message"]);
        }
        for lens in client.of("textDocument/codeLens", URI).as_array().unwrap() {
            if lens.get("command").is_none() {
                let lens = client.request("codeLens/resolve", lens.clone());
                shown += &format!("  lens {}\n", lens["command"]["title"].as_str().unwrap());
            }
        }
        let params = json!({ "textDocument": { "uri": URI }, "range": {
            "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
        for hint in client.request("textDocument/inlayHint", params).as_array().unwrap() {
            let line = hint["position"]["line"].as_u64().unwrap() as usize;
            let line = text.lines().nth(line).unwrap().trim();
            shown += &format!("  hint {line}   {}\n", hint["label"].as_str().unwrap());
        }
    }
    steady(|| assert_snapshot!(shown));
}

#[test]
fn the_findings_of_a_workspace_come_file_by_file() {
    let folder = std::env::temp_dir().join(format!("mesa-tour-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    for (name, text) in
        [("a.mesa", "const a = b\n"), ("b.mesa", "const b = 1\n"), ("deep/c.mesa", "const = 1\n")]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let root = format!("file://{}", folder.display());
    let mut client = Client::process();
    client.request(
        "initialize",
        json!({ "rootUri": root, "capabilities": { "textDocument": { "diagnostic": {} } } }),
    );
    client.notify("initialized", json!({}));
    // What is typed counts, not what is on disk.
    client.open(&format!("{root}/b.mesa"), "const b = c\n");
    let gone = format!("{root}/gone.mesa");
    let found = client.request(
        "workspace/diagnostic",
        json!({ "partialResultToken": "part", "workDoneToken": "work",
                "previousResultIds": [{ "uri": gone, "value": "1" }] }),
    );
    assert_eq!(found, json!({ "items": [] }), "everything was sent before");
    let parts = |client: &Client| -> Vec<Value> {
        let all = client.waiting.iter().filter(|m| m["method"] == "$/progress");
        let own = all.filter(|m| m["params"]["token"] == "part");
        own.flat_map(|m| m["params"]["value"]["items"].as_array().unwrap().clone()).collect()
    };
    let sent = parts(&client);
    let short: Vec<String> = sent
        .iter()
        .map(|one| {
            let file = one["uri"].as_str().unwrap().strip_prefix(&root).unwrap();
            let codes: Vec<&str> = one["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|d| d["code"].as_str().unwrap())
                .collect();
            format!("{file} {} {} {}", one["kind"], one["version"], codes.join(" "))
        })
        .collect();
    assert_eq!(
        short,
        [
            "/a.mesa \"full\" null E0201",
            "/b.mesa \"full\" 1 E0201",
            "/deep/c.mesa \"full\" null E0101",
            "/gone.mesa \"full\" null ",
        ]
    );
    let work: Vec<&Value> = client
        .waiting
        .iter()
        .filter(|m| m["params"]["token"] == "work")
        .map(|m| &m["params"]["value"]["kind"])
        .collect();
    assert_eq!(work, ["begin", "report", "report", "report", "end"]);
    // What the client has already is not sent again.
    let known: Vec<Value> = sent
        .iter()
        .filter(|one| one["resultId"].is_string())
        .map(|one| json!({ "uri": one["uri"], "value": one["resultId"] }))
        .collect();
    std::fs::write(folder.join("a.mesa"), "const a = 1\n").unwrap();
    client.notify(
        "workspace/didChangeWatchedFiles",
        json!({ "changes": [{ "uri": format!("{root}/a.mesa"), "type": 2 }] }),
    );
    let found = client.request("workspace/diagnostic", json!({ "previousResultIds": known }));
    let kinds: Vec<&Value> =
        found["items"].as_array().unwrap().iter().map(|i| &i["kind"]).collect();
    assert_eq!(kinds, ["full", "unchanged", "unchanged"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn typing_goes_before_the_findings_of_a_workspace() {
    let folder = std::env::temp_dir().join(format!("mesa-busy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..40 {
        std::fs::write(folder.join(format!("{number:02}.mesa")), CHAT).unwrap();
    }
    let root = format!("file://{}", folder.display());
    let mut client = Client::process();
    client.request(
        "initialize",
        json!({ "rootUri": root, "capabilities": { "textDocument": { "diagnostic": {} } } }),
    );
    client.notify("initialized", json!({}));
    client.open(URI, CHAT);
    let tour = client
        .ask("workspace/diagnostic", json!({ "previousResultIds": [], "partialResultToken": 1 }));
    let hover = client.at("textDocument/completion", URI, &json!({ "line": 8, "character": 8 }));
    assert!(!hover.is_null());
    let sent = client.waiting.iter().filter(|m| m["method"] == "$/progress").count();
    assert!(sent < 40, "the request waited for all of the workspace");
    client.notify("$/cancelRequest", json!({ "id": tour }));
    assert_eq!(client.answer(tour).unwrap_err()["code"], -32800);
    std::fs::remove_dir_all(&folder).unwrap();
}
