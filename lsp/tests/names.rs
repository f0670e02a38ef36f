//! What a name is and where it is used, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{
    BLOCK, CHAT, Client, URI, edited, findings, hover, marked, open, place, position, range, steady,
};
use insta::assert_snapshot;
use serde_json::{Value, json};

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
    for needle in ["chat_fp8", "ttft", "headroom", "tp: Count"] {
        let found = client.at("textDocument/typeDefinition", URI, &position(CHAT, needle));
        let found = found.get(0).map_or("nowhere".into(), |l| line_of(&mut client, l));
        shown += &format!("type of {needle}: {found}\n");
    }
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

/// The file at a URI.
fn file_at(uri: &Value) -> std::path::PathBuf {
    tower_lsp::lsp_types::Url::parse(uri.as_str().unwrap()).unwrap().to_file_path().unwrap()
}

#[test]
fn clients_that_show_files_only_get_files_of_the_library_that_cannot_be_written() {
    let mut client = Client::with(json!({}), json!({ "documents": [] }));
    client.open(URI, CHAT);
    let found = client.at("textDocument/definition", URI, &position(CHAT, "DGX_H100\n  plan"));
    let uri = found[0]["uri"].as_str().unwrap();
    let path = file_at(&found[0]["uri"]);
    let library = common::caches().join(concat!("mesa/", env!("CARGO_PKG_VERSION"), "/std"));
    assert_eq!(path, library.join("systems/nvidia.mesa"));
    assert!(std::fs::metadata(&path).unwrap().permissions().readonly());

    // What is opened from there is the library: not checked as a file of the user's, never edited.
    let text = std::fs::read_to_string(&path).unwrap();
    client.open(uri, &text);
    let found = client.at("textDocument/definition", uri, &position(&text, "H100_SXM"));
    assert!(file_at(&found[0]["uri"]).starts_with(library.join("chips")), "{found}");
    let used = client.request(
        "textDocument/references",
        json!({
            "textDocument": { "uri": URI }, "position": position(CHAT, "DGX_H100\n  plan"),
            "context": { "includeDeclaration": true },
        }),
    );
    assert!(used.as_array().unwrap().iter().any(|place| place["uri"] == uri), "{used}");
    let error = client.refused("textDocument/rename", json!({
        "textDocument": { "uri": uri }, "position": position(&text, "DGX_H100("), "newName": "Other",
    }));
    assert_eq!(error["message"], "`DGX_H100` is declared in the library, which is never edited");
}

#[test]
fn the_page_of_a_code_is_a_file_for_clients_that_show_files_only() {
    let mut client = Client::with(json!({}), json!({ "documents": [] }));
    client.open(URI, "const a = b\n");
    let found = client.findings(URI);
    let page = file_at(&found[0]["codeDescription"]["href"]);
    assert!(page.ends_with("help/E0201.md"), "{found:?}");
    assert!(std::fs::read_to_string(page).unwrap().starts_with("# E0201"));
}

#[test]
fn a_copy_of_the_library_that_someone_changed_is_made_again() {
    let below = concat!("mesa/", env!("CARGO_PKG_VERSION"), "/std/models/llama.mesa");
    let path = common::caches().join(below);
    let _ = std::fs::remove_file(&path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "spoilt").unwrap();
    let mut client = Client::with(json!({}), json!({ "documents": [] }));
    client.open(URI, CHAT);
    let found = client.at("textDocument/definition", URI, &position(CHAT, "Llama3_70B\n  system"));
    assert_eq!(file_at(&found[0]["uri"]), path);
    assert!(std::fs::read_to_string(&path).unwrap().contains("model Llama3_70B"));
}

#[test]
fn without_a_place_for_copies_the_library_keeps_its_own_names() {
    let mut client = Client::process_with(&[("XDG_CACHE_HOME", "/dev/null")]);
    client.request("initialize", json!({ "capabilities": {} }));
    client.notify("initialized", json!({}));
    client.open(URI, CHAT);
    let found = client.at("textDocument/definition", URI, &position(CHAT, "DGX_H100\n  plan"));
    assert_eq!(found[0]["uri"], "mesa-std:/systems/nvidia.mesa");
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
fn references_reach_files_that_import_and_a_use_completes_what_a_file_declares() {
    let folder = std::env::temp_dir().join(format!("mesa-references-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let root = format!("file://{}", folder.display());
    let mut client = Client::process();
    client.request("initialize", json!({ "capabilities": {}, "rootUri": root }));
    client.notify("initialized", json!({}));
    let parts = "const size = 3\nconst other = size\n";
    std::fs::write(folder.join("parts.mesa"), parts).unwrap();
    std::fs::write(folder.join("main.mesa"), "use \"./parts.mesa\".size\nconst twice = size * 2\n")
        .unwrap();
    let uri = format!("{root}/parts.mesa");
    client.open(&uri, parts);
    let mut used = |declaration: bool| {
        let found = client.request(
            "textDocument/references",
            json!({
                "textDocument": { "uri": uri }, "position": { "line": 0, "character": 6 },
                "context": { "includeDeclaration": declaration },
            }),
        );
        let all = found.as_array().unwrap().iter();
        let short = |l: &Value| {
            let file = l["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            format!("{file} {}", range(&l["range"]))
        };
        all.map(short).collect::<Vec<_>>()
    };
    let uses = ["parts.mesa 1:14-1:18", "main.mesa 0:19-0:23", "main.mesa 1:14-1:18"];
    assert_eq!(used(false), uses);
    assert_eq!(used(true)[..2], ["parts.mesa 0:6-0:10", uses[0]]);
    // What is being written reads no file yet.
    for line in ["use \"./parts.mesa\".‸\n", "use \"./parts.mesa\".{‸}\n"] {
        let (text, at) = marked(line);
        let uri = format!("{root}/new.mesa");
        client.open(&uri, &text);
        let found = client.at("textDocument/completion", &uri, &at);
        let labels: Vec<&Value> =
            found["items"].as_array().unwrap().iter().map(|i| &i["label"]).collect();
        assert_eq!(labels, ["other", "size"], "{line}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
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
fn a_name_that_only_one_file_uses_is_renamed_in_that_file_alone() {
    let folder = std::env::temp_dir().join(format!("mesa-alias-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let uri = |file: &str| format!("file://{}/{file}", folder.display());
    let parts = "const size = 3\nconst more = size\n";
    let main = "use \"./parts.mesa\".size as wide\nuse \"./parts.mesa\" as parts\n\
                const a = wide * parts.more\nconst b = parts.size + a\n";
    std::fs::write(folder.join("parts.mesa"), parts).unwrap();
    let mut client = Client::start();
    client.open(&uri("parts.mesa"), parts);
    client.open(&uri("main.mesa"), main);
    let mut rename = |needle: &str, new: &str| {
        let edit = client.request(
            "textDocument/rename",
            json!({ "textDocument": { "uri": uri("main.mesa") },
                    "position": position(main, needle), "newName": new }),
        );
        let changes = edit["changes"].as_object().unwrap();
        assert_eq!(changes.len(), 1, "{changes:?}");
        edited(main, changes[&uri("main.mesa")].as_array().unwrap())
    };
    let wider = main.replace("wide", "width");
    assert_eq!([rename("wide\n", "width"), rename("wide *", "width")], [wider.clone(), wider]);
    let lib = main.replace("as parts", "as lib").replace("parts.more", "lib.more");
    assert_eq!(rename("parts.more", "lib"), lib.replace("parts.size +", "lib.size +"));
    let refused = client.refused(
        "textDocument/rename",
        json!({ "textDocument": { "uri": uri("main.mesa") },
                "position": position(main, "wide *"), "newName": "parts" }),
    );
    assert_eq!(refused["message"], "`parts` is taken here");
    let shown = [
        hover_at(&mut client, &uri("main.mesa"), main, "parts.more"),
        hover_at(&mut client, &uri("main.mesa"), main, "parts.mesa\".size"),
    ];
    assert_eq!(
        shown[0], "```mesa\nparts.mesa\n```\na file, which declares `size`, `more`",
        "of the alias"
    );
    assert_eq!(shown[0], shown[1], "of the path");
    std::fs::remove_dir_all(&folder).unwrap();
}

fn hover_at(client: &mut Client, uri: &str, text: &str, needle: &str) -> String {
    let found = client.at("textDocument/hover", uri, &position(text, needle));
    found["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
}

#[test]
fn results_say_what_they_measure_and_groups_what_they_hold() {
    let mut client = open(CHAT);
    let shown = ["ttft", "memory.headroom"].map(|n| hover(&mut client, CHAT, n));
    let lines: Vec<&str> = shown.iter().map(|s| s.lines().nth(5).unwrap_or("")).collect();
    assert_eq!(lines[0], "a result, Time");
    assert!(lines[1].starts_with("results: `weights`, `cache`, `activations`"), "{}", shown[1]);
}

#[test]
fn hovers_in_plans_and_sweeps_know_the_values_of_scenarios() {
    let text = CHAT.replace("{ precision.weights = fp8 }", "{ plan.tp = 4 }")
        + "\nplan Deep(pp: Count) {\n  mesh pp\n  \
           shard layers over pp schedule interleaved(chunks: 2)\n}\n\
           \nsweep s of chat {\n  vary serve.batch in pow2(1 .. 64)\n  \
           vary plan.recompute in [full]\n  minimize tpot / serve.output\n}\n";
    let mut client = open(&text);
    let needles = [
        "tp: Count",
        "tp\n  shard",
        "over tp",
        "schedule",
        "chunks",
        "batch in",
        "pow2",
        "full]",
        "tpot /",
        "output\n}",
        "with {",
    ];
    let shown: String = needles.iter().map(|n| hover(&mut client, &text, n)).collect();
    steady(|| assert_snapshot!(shown));
}

#[test]
fn symbols_of_the_library_are_found_by_three_letters() {
    let mut client = open(CHAT);
    let mut names = |query: &str| -> Vec<String> {
        let found = client.request("workspace/symbol", json!({ "query": query }));
        let all = found.as_array().unwrap().iter();
        all.map(|s| format!("{} {}", s["name"].as_str().unwrap(), s["location"]["uri"])).collect()
    };
    assert!(names("dgx_h100")[0].starts_with("DGX_H100 \"mesa-std:/systems/"));
    assert!(names("tp").iter().all(|n| n.contains("untitled:")), "few letters mean the own files");
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
fn an_axis_of_a_plan_leads_to_the_blocks_of_the_models_in_use() {
    let text = CHAT
        .replace("heads, ffn, vocab over tp", "heads, ffn, vocab over tp\n  shard batch over tp");
    let mut client = open(&text);
    let mut shown = String::new();
    for axis in ["heads,", "ffn,", "vocab over", "batch over"] {
        let found = client.at("textDocument/definition", URI, &position(&text, axis));
        for location in found.as_array().unwrap() {
            let uri = location["uri"].as_str().unwrap().to_owned();
            shown += &format!("{axis} {uri}: {}\n", line_of(&mut client, location).trim());
        }
    }
    assert_snapshot!(shown);
}
