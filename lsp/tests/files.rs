//! Files that are renamed and moved: what other files import follows, through a real server process.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use std::path::PathBuf;

use common::{Client, edited};
use serde_json::{Value, json};

/// A folder of files that import each other.
struct Folder {
    path: PathBuf,
}

const MAIN: &str = "use \"./parts.mesa\".size\nuse \"lib/chips.mesa\" as chips\n\
                    const twice = size * chips.many\n";
const CHIPS: &str = "use \"../parts.mesa\".{size}\nconst many = size\n";
const PARTS: &str = "const size = 3\n";

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mesa-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("lib")).unwrap();
        for (file, text) in [("main.mesa", MAIN), ("lib/chips.mesa", CHIPS), ("parts.mesa", PARTS)]
        {
            std::fs::write(path.join(file), text).unwrap();
        }
        Self { path }
    }
    fn uri(&self, file: &str) -> String {
        format!("file://{}/{file}", self.path.display())
    }
    /// A session of a client with these capabilities, and what the server said of itself.
    fn client(&self, workspace: Value) -> (Client, Value) {
        let mut client = Client::process();
        let params = json!({
            "workspaceFolders": [{ "uri": self.uri("").trim_end_matches('/'), "name": "w" }],
            "capabilities": { "workspace": workspace },
        });
        let said = client.request("initialize", params);
        client.notify("initialized", json!({}));
        (client, said["capabilities"]["workspace"]["fileOperations"].clone())
    }
    /// What the server wants to be written as files get other names: the new texts, by file.
    fn renaming(&self, client: &mut Client, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let files: Vec<Value> = pairs
            .iter()
            .map(|(old, new)| json!({ "oldUri": self.uri(old), "newUri": self.uri(new) }))
            .collect();
        let edit = client.request("workspace/willRenameFiles", json!({ "files": files }));
        let changes = edit["changes"].as_object().cloned().unwrap_or_default();
        let mut all: Vec<(String, String)> = changes
            .iter()
            .map(|(uri, edits)| {
                let file = uri.strip_prefix(&self.uri("")).unwrap().to_owned();
                let text = std::fs::read_to_string(self.path.join(&file)).unwrap();
                let new = edited(&text, edits.as_array().unwrap());
                (file, new)
            })
            .collect();
        all.sort();
        all
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn renames() -> Value {
    json!({ "fileOperations": { "willRename": true, "didRename": true } })
}

fn pairs(all: &[(&str, String)]) -> Vec<(String, String)> {
    all.iter().map(|(file, text)| ((*file).to_owned(), text.clone())).collect()
}

#[test]
fn imports_follow_a_file_that_is_renamed_or_moved() {
    let folder = Folder::new("moved");
    let (mut client, said) = folder.client(renames());
    let globs: Vec<&Value> = said["willRename"]["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["pattern"]["glob"])
        .collect();
    assert_eq!(globs, ["**/*.mesa", "**"]);
    assert_eq!(
        folder.renaming(&mut client, &[("parts.mesa", "sizes.mesa")]),
        pairs(&[
            ("lib/chips.mesa", CHIPS.replace("parts", "sizes")),
            ("main.mesa", MAIN.replace("parts", "sizes")),
        ])
    );
    assert_eq!(
        folder.renaming(&mut client, &[("parts.mesa", "lib/parts.mesa")]),
        pairs(&[
            ("lib/chips.mesa", CHIPS.replace("../parts", "./parts")),
            ("main.mesa", MAIN.replace("./parts", "./lib/parts")),
        ])
    );
    // Its own imports follow a file that moves.
    assert_eq!(
        folder.renaming(&mut client, &[("lib/chips.mesa", "chips.mesa")]),
        pairs(&[
            ("lib/chips.mesa", CHIPS.replace("../parts", "./parts")),
            ("main.mesa", MAIN.replace("lib/chips", "chips")),
        ])
    );
    assert_eq!(folder.renaming(&mut client, &[("main.mesa", "other.mesa")]), []);
}

#[test]
fn imports_follow_folders_and_several_files_at_once() {
    let folder = Folder::new("folders");
    let (mut client, _) = folder.client(renames());
    assert_eq!(
        folder.renaming(&mut client, &[("lib", "hardware"), ("parts.mesa", "sizes.mesa")]),
        pairs(&[
            ("lib/chips.mesa", CHIPS.replace("parts", "sizes")),
            ("main.mesa", MAIN.replace("lib", "hardware").replace("parts", "sizes")),
        ])
    );
    // What moves together stays as it is.
    let all =
        [("lib", "new/lib"), ("parts.mesa", "new/parts.mesa"), ("main.mesa", "new/main.mesa")];
    assert_eq!(folder.renaming(&mut client, &all), []);
}

#[test]
fn what_is_not_saved_yet_is_what_changes() {
    let folder = Folder::new("unsaved");
    let (mut client, _) = folder.client(json!({
        "fileOperations": { "willRename": true }, "workspaceEdit": { "documentChanges": true },
    }));
    let uri = folder.uri("main.mesa");
    client.open(&uri, MAIN);
    let typed = format!("// é\n{MAIN}use \"./parts.mesa\".{{si");
    client.replace(&uri, &typed);
    let edit = client.request(
        "workspace/willRenameFiles",
        json!({ "files": [{ "oldUri": folder.uri("parts.mesa"), "newUri": folder.uri("p.mesa") }] }),
    );
    let all = edit["documentChanges"].as_array().unwrap();
    let main = all.iter().find(|d| d["textDocument"]["uri"] == uri).unwrap();
    assert_eq!(main["textDocument"]["version"], 2);
    assert_eq!(
        edited(&typed, main["edits"].as_array().unwrap()),
        typed.replace("parts", "p"),
        "the line that is being typed too"
    );
    let chips = all.iter().find(|d| d["textDocument"]["uri"] == folder.uri("lib/chips.mesa"));
    assert_eq!(chips.unwrap()["textDocument"]["version"], Value::Null);
}

#[test]
fn after_a_renaming_the_files_are_as_sound_as_before() {
    let folder = Folder::new("sound");
    // A client that cannot ask before has nothing promised, and is told what is amiss after.
    for (asks, wanted) in [(true, vec![]), (false, vec!["E0204"])] {
        let (mut client, said) = folder.client(if asks { renames() } else { json!({}) });
        assert_eq!(said["willRename"].is_null(), !asks);
        let uri = folder.uri("main.mesa");
        let mut text = std::fs::read_to_string(folder.path.join("main.mesa")).unwrap();
        client.open(&uri, &text);
        assert_eq!(client.findings(&uri), Vec::<Value>::new());
        let (old, new) = if asks { ("lib", "hardware") } else { ("hardware", "boxes") };
        if asks {
            for (file, after) in folder.renaming(&mut client, &[(old, new)]) {
                if file == "main.mesa" {
                    text = after;
                    client.replace(&uri, &text);
                } else {
                    std::fs::write(folder.path.join(file), after).unwrap();
                }
            }
        }
        std::fs::rename(folder.path.join(old), folder.path.join(new)).unwrap();
        client.notify(
            "workspace/didRenameFiles",
            json!({
                "files": [{ "oldUri": folder.uri(old), "newUri": folder.uri(new) }],
            }),
        );
        // Looked at again, now that the folder has another name.
        client.replace(&uri, &format!("{text}\n"));
        let found = client.findings(&uri);
        let codes: Vec<&Value> = found.iter().map(|d| &d["code"]).collect();
        assert_eq!(codes, wanted, "{found:?}");
        std::fs::write(folder.path.join("main.mesa"), &text).unwrap();
    }
}
