//! Findings for clients that ask for them: of a document, of the whole workspace.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;

use super::named;
use crate::client::Out;
use crate::convert::Writer;
use crate::session::Session;

/// Files of a workspace that are looked at, at most.
const MOST: usize = 2_000;

/// The findings of a document as JSON, with a number for them.
fn of(session: &mut Session, name: &str) -> (Vec<Value>, String) {
    let found = session.workspace.findings(name);
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let Some((program, module)) = session.workspace.program(name) else {
        return (Vec::new(), String::new());
    };
    let writer = Writer { sources: &program.sources, encoding, uris: &uris };
    let own = program.module(module).file;
    let own = found.iter().filter(|d| d.place().is_some_and(|p| p.file == own));
    let items: Vec<Value> = own.map(|d| writer.diagnostic(d, true)).collect();
    let mut hasher = DefaultHasher::new();
    Value::Array(items.clone()).to_string().hash(&mut hasher);
    (items, format!("{:016x}", hasher.finish()))
}

fn report(items: Vec<Value>, id: &str, previous: Option<&str>) -> Value {
    if previous == Some(id) {
        json!({ "kind": "unchanged", "resultId": id })
    } else {
        json!({ "kind": "full", "resultId": id, "items": items })
    }
}

pub(super) fn document(session: &mut Session, params: &Value) -> Result<Value> {
    let name = named(session, params)?;
    let (items, id) = of(session, &name);
    Ok(report(items, &id, params.get("previousResultId").and_then(Value::as_str)))
}

pub(super) fn workspace(session: &mut Session, params: &Value) -> Result<Value> {
    let mut names = session.workspace.names();
    for folder in session.folders.clone() {
        files(Path::new(&folder), &mut names);
    }
    names.sort();
    names.dedup();
    let previous = params.get("previousResultIds").and_then(Value::as_array);
    let previous = |uri: &str| {
        let known = previous.into_iter().flatten();
        let known = known.filter(|p| p.get("uri").and_then(Value::as_str) == Some(uri));
        known.filter_map(|p| p.get("value")?.as_str()).next()
    };
    let mut all = Vec::new();
    let token = params.get("workDoneToken").cloned();
    let progress = |session: &Session, value: Value| {
        if let Some(token) = &token {
            let message = json!({ "token": token, "value": value });
            let _ = session.outbox.send(Out::Progress(message));
        }
    };
    let title = "Checking the files of the workspace";
    progress(session, json!({ "kind": "begin", "title": title, "percentage": 0 }));
    let count = names.len().clamp(1, MOST);
    for (done, name) in names.iter().take(MOST).enumerate() {
        let share = done * 100 / count;
        progress(session, json!({ "kind": "report", "percentage": share }));
        let open = session.workspace.is_open(name);
        if !open && !session.workspace.visit(name) {
            continue;
        }
        let version = session.workspace.document(name).map(|d| d.version);
        let uri = session.uris.get(name).cloned().unwrap_or_else(|| crate::convert::uri_of(name));
        let (items, id) = of(session, name);
        if !open {
            session.workspace.leave(name);
        }
        let mut one = report(items, &id, previous(&uri));
        if let Value::Object(map) = &mut one {
            map.insert("uri".into(), json!(uri));
            map.insert("version".into(), json!(version.filter(|_| open)));
        }
        all.push(one);
    }
    progress(session, json!({ "kind": "end" }));
    Ok(json!({ "items": all }))
}

/// The `*.mesa` files below a folder; hidden folders and those of builds are passed over.
pub(crate) fn files(folder: &Path, names: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(std::result::Result::ok) {
        if names.len() >= MOST {
            return;
        }
        let path = entry.path();
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let is_dir = entry.file_type().is_ok_and(|t| t.is_dir());
        let passed =
            file_name.starts_with('.') || ["target", "node_modules"].contains(&&*file_name);
        if is_dir && !passed {
            files(&path, names);
        } else if !is_dir && file_name.ends_with(".mesa") {
            names.push(path.display().to_string());
        }
    }
}
