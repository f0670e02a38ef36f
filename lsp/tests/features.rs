//! Each feature as a user sees it, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{CHAT, Client, marked, position};
use insta::assert_snapshot;
use serde_json::{Value, json};

const URI: &str = "untitled:chat.mesa";
const BLOCK: &str = r#"use std.systems.DGX_H100

const size = 4096

block Tiny(hidden: Count, ffn: Count, vocab: Count) {
  input tokens[batch, seq]
  weight table[vocab, hidden] from "embed.weight"
  x[batch, seq, hidden] = lookup(table, tokens)
  weight up[hidden, ffn]
  weight down[ffn, hidden]
  wide = x * up
  y[batch, seq, hidden] = wide * down
  output y
}
"#;

/// Snapshots that do not hang on where the library has its lines, nor on its figures, which the
/// tests of the cost model hold.
fn steady(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(std/[a-z_/]+\.mesa):\d+", "$1:N");
    settings.add_filter(r"\b\d[\d.,]*( ?%| (?:ms|s|us|µs|[kMGT]?B|tok/s|USD/h)\b)", "N$1");
    settings.add_filter(r"\b\d[\d.]* points", "N points");
    settings.bind(check);
}

fn open(text: &str) -> Client {
    let mut client = Client::start();
    client.open(URI, text);
    client
}

fn place(value: &Value) -> String {
    format!("{}:{}", value["line"], value["character"])
}

fn range(value: &Value) -> String {
    format!("{}-{}", place(&value["start"]), place(&value["end"]))
}

fn findings(found: &[Value]) -> String {
    let mut out = String::new();
    for d in found {
        let severity = ["", "error", "warning", "note"][d["severity"].as_u64().unwrap() as usize];
        let code = d["code"].as_str().unwrap();
        out += &format!(
            "{} {severity}[{code}] {}\n",
            range(&d["range"]),
            d["message"].as_str().unwrap()
        );
        for related in d["relatedInformation"].as_array().into_iter().flatten() {
            let at = range(&related["location"]["range"]);
            out += &format!("    {at} {}\n", related["message"].as_str().unwrap());
        }
        if let Some(tags) = d.get("tags") {
            out += &format!("    tags {tags}\n");
        }
    }
    out
}

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

fn hover(client: &mut Client, text: &str, needle: &str) -> String {
    let found = client.at("textDocument/hover", URI, &position(text, needle));
    match found["contents"]["value"].as_str() {
        Some(value) => format!("## {needle}\n{}\n{value}\n\n", range(&found["range"])),
        None => format!("## {needle}\nnothing\n\n"),
    }
}

#[test]
fn hovers_say_what_a_name_is_and_its_value_in_every_scenario() {
    let mut client = open(CHAT);
    let needles = [
        "Llama3_70B\n  sys",
        "DGX_H100\n  plan",
        "tp: 8",
        "heads, ffn",
        "batch  =",
        "ttft",
        "s\n  expect memory",
        "headroom",
        "chat with",
        "weights = fp8",
        "fp8 }",
        "std.models",
        "mesh",
        "chat_fp8",
        "scenario chat {",
    ];
    let shown: String = needles.iter().map(|n| hover(&mut client, CHAT, n)).collect();
    steady(|| assert_snapshot!(shown));
}

#[test]
fn hovers_in_a_block_know_shapes_and_constants() {
    let text = BLOCK.to_owned()
        + "\nmodel Small = Tiny(hidden: size, ffn: 4 * size, vocab: 32000)\n\
           \nplan Tp(tp: Count = 2) {\n  mesh tp\n  shard ffn over tp\n}\n\
           \nscenario run {\n  model = Small\n  system = DGX_H100\n  plan = Tp()\n  \
           serve { batch = 4, prompt = 128, output = 8 }\n}\n";
    let mut client = open(&text);
    let mut shown = findings(&client.findings(URI));
    for needle in [
        "size = 4096",
        "hidden: Count",
        "hidden]",
        "up[",
        "wide =",
        "wide * down",
        "lookup",
        "ffn: 4",
    ] {
        shown += &hover(&mut client, &text, needle);
    }
    let params = json!({ "textDocument": { "uri": URI }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    let hints = client.request("textDocument/inlayHint", params);
    shown += "## hints\n";
    for hint in hints.as_array().unwrap() {
        shown += &format!("{} {}\n", place(&hint["position"]), hint["label"].as_str().unwrap());
    }
    steady(|| assert_snapshot!(shown));
}

/// What a person sees at a location: the document, and the line that the cursor jumps to.
fn line_of(client: &mut Client, location: &Value) -> String {
    let uri = location["uri"].as_str().unwrap();
    let text = match uri {
        URI => CHAT.to_owned(),
        _ => client.request("mesa/source", json!({ "uri": uri }))["text"].as_str().unwrap().into(),
    };
    let start = &location["range"]["start"];
    let line = text.lines().nth(start["line"].as_u64().unwrap() as usize).unwrap();
    let (before, after) = line.split_at(start["character"].as_u64().unwrap() as usize);
    format!("{uri} {before}‸{after}")
}

#[test]
fn definitions_lead_into_the_library() {
    let mut client = open(CHAT);
    let mut shown = String::new();
    for needle in [
        "Tp(tp: 8)",
        "DGX_H100\n  plan",
        "tp: 8",
        "tp\n}",
        "ttft",
        "bf16, act",
        "chat with",
        "heads,",
    ] {
        let found = client.at("textDocument/definition", URI, &position(CHAT, needle));
        let all = found.as_array().cloned().unwrap_or_default();
        let mut lines: Vec<String> = all.iter().map(|l| line_of(&mut client, l)).collect();
        // How many blocks have an axis of this name is the library's affair.
        if lines.len() > 2 {
            lines.truncate(1);
            lines.push("and in other blocks".to_owned());
        }
        shown += &format!("{needle:?}:\n  {}\n", lines.join("\n  "));
    }
    let found = client.at("textDocument/typeDefinition", URI, &position(CHAT, "chat_fp8"));
    shown += &format!("type of chat_fp8: {}\n", range(&found[0]["range"]));
    assert_snapshot!(shown);
}

#[test]
fn documents_of_the_library_are_read_only_documents() {
    let mut client = Client::start();
    let uri = "mesa-std:/systems/nvidia.mesa";
    let text =
        client.request("mesa/source", json!({ "uri": uri }))["text"].as_str().unwrap().to_owned();
    client.open(uri, &text);
    let at = position(&text, "H100_SXM");
    let found = client.at("textDocument/definition", uri, &at);
    assert!(found[0]["uri"].as_str().unwrap().starts_with("mesa-std:/chips/"), "{found}");
    let error = client.refused("textDocument/rename", json!({
        "textDocument": { "uri": uri }, "position": position(&text, "DGX_H100("), "newName": "Other",
    }));
    assert_eq!(error["message"], "`DGX_H100` is declared in the library, which is never edited");
    let page = client.request("mesa/source", json!({ "uri": "mesa-help:/E0201.md" }));
    assert!(page["text"].as_str().unwrap().starts_with("# E0201"));
}

/// A text after edits of the protocol.
fn edited(text: &str, edits: &[Value]) -> String {
    let byte = |p: &Value| {
        let line = p["line"].as_u64().unwrap() as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let rest = &text[start..];
        let mut units = p["character"].as_u64().unwrap() as usize;
        let mut at = 0;
        for c in rest.chars() {
            if units == 0 {
                break;
            }
            units = units.saturating_sub(c.len_utf16());
            at += c.len_utf8();
        }
        start + at
    };
    let mut edits: Vec<(usize, usize, &str)> = edits
        .iter()
        .map(|e| {
            (byte(&e["range"]["start"]), byte(&e["range"]["end"]), e["newText"].as_str().unwrap())
        })
        .collect();
    edits.sort();
    let mut out = text.to_owned();
    for (start, end, new) in edits.into_iter().rev() {
        out.replace_range(start..end, new);
    }
    out
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
fn renaming_changes_every_use_and_nothing_else() {
    let mut client = open(CHAT);
    let plan = renamed(&mut client, CHAT, "Tp(tp: 8)", "Tensor");
    assert_eq!(plan, CHAT.replace("Tp(", "Tensor("));
    let param = renamed(&mut client, CHAT, "tp: 8", "ways");
    assert_eq!(
        param,
        CHAT.replace("tp:", "ways:")
            .replace("mesh tp", "mesh ways")
            .replace("over tp", "over ways")
    );
    client.replace(URI, BLOCK);
    let local = renamed(&mut client, BLOCK, "wide =", "inner");
    assert_eq!(local, BLOCK.replace("wide", "inner"));
    let refused = client.refused(
        "textDocument/rename",
        json!({
            "textDocument": { "uri": URI }, "position": position(BLOCK, "wide ="), "newName": "x",
        }),
    );
    assert_eq!(refused["message"], "`x` is taken here");
    let refused = client.refused(
        "textDocument/rename",
        json!({
            "textDocument": { "uri": URI }, "position": position(BLOCK, "wide ="), "newName": "3x",
        }),
    );
    assert!(refused["message"].as_str().unwrap().contains("is not a name"), "{refused}");
}

#[test]
fn renaming_reaches_files_that_import() {
    let folder = std::env::temp_dir().join(format!("mesa-rename-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("main.mesa"), "use \"./parts.mesa\".size\nconst twice = size * 2\n")
        .unwrap();
    let root = format!("file://{}", folder.display());
    let mut client = Client::process();
    let capabilities = json!({ "workspace": { "workspaceEdit": { "documentChanges": true } } });
    client.request("initialize", json!({ "capabilities": capabilities, "rootUri": root }));
    client.notify("initialized", json!({}));
    let uri = format!("{root}/parts.mesa");
    client.open(&uri, "const size = 3\n");
    let edit = client.request("textDocument/rename", json!({
        "textDocument": { "uri": uri }, "position": { "line": 0, "character": 6 }, "newName": "length",
    }));
    std::fs::remove_dir_all(&folder).unwrap();
    let changes = edit["documentChanges"].as_array().unwrap();
    let main =
        changes.iter().find(|c| c["textDocument"]["uri"] == format!("{root}/main.mesa")).unwrap();
    let ranges: Vec<String> =
        main["edits"].as_array().unwrap().iter().map(|e| range(&e["range"])).collect();
    assert_eq!(ranges, ["0:19-0:23", "1:14-1:18"]);
    let own = changes.iter().find(|c| c["textDocument"]["uri"] == uri).unwrap();
    assert_eq!(own["textDocument"]["version"], 1);
}

#[test]
fn references_and_highlights_tell_writing_from_reading() {
    let mut client = open(CHAT);
    let found = client.request("textDocument/references", json!({
        "textDocument": { "uri": URI }, "position": position(CHAT, "tp: 8"), "context": { "includeDeclaration": true },
    }));
    let mut shown: String =
        found.as_array().unwrap().iter().map(|l| range(&l["range"]) + "\n").collect();
    let found = client.at("textDocument/documentHighlight", URI, &position(CHAT, "chat with"));
    for one in found.as_array().unwrap() {
        shown += &format!(
            "{} {}\n",
            range(&one["range"]),
            if one["kind"] == 3 { "written" } else { "read" }
        );
    }
    assert_snapshot!(shown);
}

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

#[test]
fn lenses_show_the_figures_of_scenarios() {
    let mut client =
        Client::with(json!({}), json!({ "commands": ["mesa.showReport", "mesa.whatIf"] }));
    client.open(URI, CHAT);
    let mut shown = String::new();
    for lens in client.of("textDocument/codeLens", URI).as_array().unwrap() {
        let lens = match lens.get("command") {
            Some(_) => lens.clone(),
            None => client.request("codeLens/resolve", lens.clone()),
        };
        let command = &lens["command"];
        shown += &format!(
            "{} {} {}\n",
            range(&lens["range"]),
            command["title"].as_str().unwrap(),
            command["command"]
        );
    }
    let params = json!({ "textDocument": { "uri": URI }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    for hint in client.request("textDocument/inlayHint", params).as_array().unwrap() {
        shown += &format!("{} {}\n", place(&hint["position"]), hint["label"].as_str().unwrap());
    }
    // The figures are those of the report.
    let report = client.request("mesa/report", json!({ "uri": URI, "scenario": "chat" }));
    let first = shown.split("TTFT ").nth(1).and_then(|rest| rest.split(" ·").next()).unwrap();
    let line = report["text"].as_str().unwrap().lines().find(|l| l.contains("ttft")).unwrap();
    assert!(line.contains(first), "{first} in {line}");
    steady(|| assert_snapshot!(shown));
}

#[test]
fn what_if_adds_an_amendment() {
    let mut client = open(CHAT);
    let choices = client.request("mesa/choices", json!({ "uri": URI, "scenario": "chat" }));
    assert_eq!(choices[0]["path"], "precision.weights");
    assert_eq!(choices[0]["current"], "bf16");
    // What the library or the plan decides is said too.
    client.replace(URI, &CHAT.replace("  precision {", "  // precision {"));
    let choices = client.request("mesa/choices", json!({ "uri": URI, "scenario": "chat" }));
    for choice in choices.as_array().unwrap() {
        let current = choice["current"].as_str().unwrap();
        assert!(!current.is_empty(), "{choices}");
        assert!(!choice["values"].as_array().unwrap().contains(&json!(current)), "{choices}");
    }
    let tp = choices.as_array().unwrap().iter().find(|c| c["path"] == "plan.tp").unwrap();
    assert_eq!(tp["current"], "8");
    client.replace(URI, CHAT);
    client.request(
        "workspace/executeCommand",
        json!({
            "command": "mesa.amend", "arguments": [URI, "chat", "serve.batch", "64"],
        }),
    );
    let asked = client.expect("workspace/applyEdit");
    let text = edited(CHAT, asked["params"]["edit"]["changes"][URI].as_array().unwrap());
    let added = "scenario chat_batch_64 = chat with { serve.batch = 64 }";
    assert!(text.contains(&format!("}}\n\n{added}\n\nscenario chat_fp8")), "{text}");
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
fn the_hierarchy_says_what_depends_on_what() {
    let mut client = open(CHAT);
    let item =
        client.at("textDocument/prepareCallHierarchy", URI, &position(CHAT, "chat {"))[0].clone();
    let mut shown = String::new();
    for (method, key) in [("outgoingCalls", "to"), ("incomingCalls", "from")] {
        let found = client.request(&format!("callHierarchy/{method}"), json!({ "item": item }));
        for call in found.as_array().unwrap() {
            let ranges: Vec<String> =
                call["fromRanges"].as_array().unwrap().iter().map(range).collect();
            shown +=
                &format!("{key} {} {}\n", call[key]["name"].as_str().unwrap(), ranges.join(" "));
        }
    }
    assert_snapshot!(shown);
}

#[test]
fn reports_and_derivations_are_those_of_the_command_line() {
    let mut client = open(CHAT);
    let report = client.request("mesa/report", json!({ "uri": URI, "scenario": "chat" }));
    assert_eq!(report["version"], 1);
    assert_eq!(report["report"]["results"]["ttft"]["unit"], "s");
    assert!(report["text"].as_str().unwrap().contains("chat"));
    let here =
        client.request("mesa/report", json!({ "uri": URI, "position": position(CHAT, "shard") }));
    assert_eq!(here["scenario"], "chat");
    let explained =
        client.request("mesa/explain", json!({ "uri": URI, "path": "chat.tpot", "depth": 1 }));
    let step = &explained["derivation"];
    assert_eq!(step["uri"], "mesa-std:/cost/serving.mesa");
    assert_eq!(step["steps"].as_array().unwrap().len(), 3);
    assert_eq!(
        client.request("mesa/explain", json!({ "uri": URI, "path": "chat.nothing" })),
        json!(null)
    );
    client.replace(URI, &CHAT.replace("DGX_H100\n  plan", "Nothing\n  plan"));
    let broken = client.request("mesa/report", json!({ "uri": URI, "scenario": "chat" }));
    assert_eq!(broken["report"], json!(null));
    assert_eq!(broken["findings"][0]["code"], "E0201");
    let all = client.request("mesa/scenarios", json!({ "uri": URI }));
    assert_eq!(all[1]["name"], "chat_fp8");
}

#[test]
fn settings_turn_hints_and_lenses_off() {
    let mut client = Client::with(json!({}), json!({ "lenses": false }));
    client.open(URI, CHAT);
    assert_eq!(client.of("textDocument/codeLens", URI), json!([]));
    client.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": { "mesa": {
        "lenses": true, "hints": { "collectives": false, "expectations": false },
    } } }),
    );
    assert_eq!(client.of("textDocument/codeLens", URI).as_array().unwrap().len(), 2);
    let params = json!({ "textDocument": { "uri": URI }, "range": {
        "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } } });
    assert_eq!(client.request("textDocument/inlayHint", params), json!([]));
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
