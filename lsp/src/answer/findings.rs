//! Findings for clients that ask for them: of a document, of the whole workspace.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use mesa::ide::workspace::Found;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;

use super::named;
use crate::client::Out;
use crate::convert::Writer;
use crate::pipe::Reply;
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

/// The findings of every file of the workspace, one file after another whenever there is nothing
/// else to do: typing goes before.
pub(crate) struct Tour {
    reply: Reply,
    names: Vec<String>,
    /// The next of them.
    next: usize,
    /// The numbers of what the client has, by document.
    previous: HashMap<String, String>,
    progress: Option<Value>,
    /// Where reports go as soon as they are there; without it they are kept for the answer.
    partial: Option<Value>,
    reports: Vec<Value>,
}

impl Tour {
    pub(crate) fn new(session: &Session, params: &Value, reply: Reply) -> Self {
        let mut names = session.workspace.names();
        for folder in &session.folders {
            files(Path::new(folder), &mut names);
        }
        names.sort();
        names.dedup();
        names.truncate(MOST);
        let known = params.get("previousResultIds").and_then(Value::as_array);
        let known = known.into_iter().flatten();
        let text = |p: &Value, key: &str| Some(p.get(key)?.as_str()?.to_owned());
        let previous = known.filter_map(|p| Some((text(p, "uri")?, text(p, "value")?))).collect();
        let token = |key: &str| params.get(key).filter(|t| !t.is_null()).cloned();
        let (progress, partial) = (token("workDoneToken"), token("partialResultToken"));
        let tour = Self { reply, names, next: 0, previous, progress, partial, reports: Vec::new() };
        let title = "Checking the files of the workspace";
        tour.tell(session, &json!({ "kind": "begin", "title": title, "percentage": 0 }));
        tour
    }

    fn tell(&self, session: &Session, value: &Value) {
        if let Some(token) = &self.progress {
            let message = json!({ "token": token, "value": value });
            let _ = session.outbox.send(Out::Progress(message));
        }
    }

    fn add(&mut self, session: &Session, report: Value) {
        match &self.partial {
            Some(token) => {
                let message = json!({ "token": token, "value": { "items": [report] } });
                let _ = session.outbox.send(Out::Progress(message));
            }
            None => self.reports.push(report),
        }
    }

    /// Passes over the file that comes next.
    pub(crate) fn pass(&mut self) {
        self.next += 1;
    }

    /// Looks at one file; whether it was the last, or nobody waits any more. A file for which there
    /// is no time now is looked at again.
    pub(crate) fn step(&mut self, session: &mut Session, stop: &dyn Fn(Duration) -> bool) -> bool {
        let Some(name) = self.names.get(self.next).filter(|_| !self.reply.is_cancelled()) else {
            return true;
        };
        let name = name.clone();
        let share = self.next * 100 / self.names.len().max(1);
        let open = session.workspace.is_open(&name);
        if open || session.workspace.visit(&name) {
            let done =
                !matches!(session.workspace.findings_unless(&name, stop), Some(Found::Part(_)));
            let version = session.workspace.document(&name).map(|d| d.version);
            let found = done.then(|| of(session, &name));
            if !open {
                session.workspace.leave(&name);
            }
            let Some((items, id)) = found else { return false };
            let uri = session.uris.of(&name);
            let previous = self.previous.remove(&uri);
            let mut one = report(items, &id, previous.as_deref());
            if let Value::Object(map) = &mut one {
                map.insert("uri".into(), json!(uri));
                map.insert("version".into(), json!(version.filter(|_| open)));
            }
            self.add(session, one);
        }
        self.pass();
        self.tell(session, &json!({ "kind": "report", "percentage": share }));
        self.next >= self.names.len()
    }

    /// Answers.
    pub(crate) fn end(mut self, session: &Session) {
        // What was known of files that are gone goes.
        let mut gone: Vec<String> = std::mem::take(&mut self.previous).into_keys().collect();
        gone.sort();
        for uri in gone {
            let none = json!({ "kind": "full", "items": [], "uri": uri, "version": null });
            self.add(session, none);
        }
        self.tell(session, &json!({ "kind": "end" }));
        self.reply.send(Ok(json!({ "items": self.reports })));
    }
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
