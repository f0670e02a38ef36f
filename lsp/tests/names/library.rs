//! The library as an editor shows it: declarations, pages, copies for clients that know files only.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::common::{self, CHAT, Client, URI, open, position};

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

/// What a person sees at a location: the document, and the line that the cursor jumps to.
pub fn line_of(client: &mut Client, location: &Value) -> String {
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
