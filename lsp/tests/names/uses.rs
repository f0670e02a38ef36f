//! Where a name is declared and used, and what depends on what.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::common::{CHAT, Client, URI, marked, open, position, range};
use super::library::line_of;

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
