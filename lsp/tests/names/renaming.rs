//! Renaming, in one file and in those that import it.

use serde_json::json;

use super::common::{BLOCK, CHAT, Client, URI, edited, open, position, range};
use super::hovers::hover_at;

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
