//! The thread that owns the session: messages one after another, findings when there is a pause.
//!
//! In: [`Job`]s in the order of the client. Out: answers, and findings of what was edited. Edits
//! that wait in the queue together are made together and checked once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use mesa::ide::Change;
use mesa::ide::document::changed;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error;

use crate::answer::{self, Answer};
use crate::aside::{self, Question};
use crate::capabilities::Peer;
use crate::client::{Out, Outbox};
use crate::convert::{Writer, name_of, position, uri_of};
use crate::pipe::Job;
use crate::session::Session;

/// Deep texts need deep stacks.
pub(crate) const STACK: usize = 64 * 1024 * 1024;
/// How long findings may wait behind a queue that never ends.
const PATIENCE: Duration = Duration::from_millis(100);

/// Starts the worker; it ends when its queue does.
pub(crate) fn start(outbox: Outbox) -> Sender<Job> {
    let (sender, receiver) = channel();
    let run = move || {
        Worker { aside: aside::start(outbox.clone()), session: Session::new(outbox) }.run(&receiver)
    };
    if let Err(error) = Builder::new().name("worker".into()).stack_size(STACK).spawn(run) {
        eprintln!("mesa-lsp cannot start its worker: {error}");
    }
    sender
}

struct Worker {
    session: Session,
    aside: Sender<Question>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut since: Option<Instant> = None;
        loop {
            let job = match jobs.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    self.publish();
                    since = None;
                    match jobs.recv() {
                        Ok(job) => job,
                        Err(_) => return,
                    }
                }
            };
            self.job(job);
            let start = *since.get_or_insert_with(Instant::now);
            if start.elapsed() > PATIENCE {
                self.publish();
                since = None;
            }
        }
    }

    fn job(&mut self, job: Job) {
        let Job { method, params, reply } = job;
        let Some(reply) = reply else {
            let done = catch_unwind(AssertUnwindSafe(|| self.notified(&method, &params)));
            if done.is_err() {
                self.log(&format!("`{method}` failed; this is a mistake of the server"));
            }
            return;
        };
        if reply.is_cancelled() {
            return reply.send(Err(Error::request_cancelled()));
        }
        let answer =
            catch_unwind(AssertUnwindSafe(|| answer::answer(&mut self.session, &method, &params)));
        match answer {
            Ok(Answer::Now(answer)) => reply.send(answer),
            Ok(Answer::Aside(ask)) => {
                let copy = self.session.copy();
                let _ = self.aside.send(Question { ask, copy, reply });
            }
            Err(_) => {
                self.log(&format!("`{method}` failed; this is a mistake of the server"));
                reply.send(Err(Error::internal_error()));
            }
        }
    }

    fn log(&self, message: &str) {
        let _ = self.session.outbox.send(Out::Log(json!({ "type": 1, "message": message })));
    }

    fn notified(&mut self, method: &str, params: &Value) {
        match method {
            "initialize" => self.initialize(params),
            "initialized" => self.initialized(),
            "textDocument/didOpen" => self.opened(params),
            "textDocument/didChange" => self.changed(params),
            "textDocument/didClose" => self.closed(params),
            "textDocument/didSave" => {}
            "workspace/didChangeWatchedFiles" => {
                let files = params.get("changes").and_then(Value::as_array);
                self.forget(files.into_iter().flatten().filter_map(|f| f.get("uri")));
            }
            "workspace/didCreateFiles"
            | "workspace/didDeleteFiles"
            | "workspace/didRenameFiles" => {
                let files = params.get("files").and_then(Value::as_array);
                let uris = |f: &Value| ["uri", "oldUri", "newUri"].map(|key| f.get(key).cloned());
                let uris: Vec<Value> =
                    files.into_iter().flatten().flat_map(uris).flatten().collect();
                self.forget(uris.iter());
            }
            "workspace/didChangeConfiguration" => {
                if let Some(settings) = params.pointer("/settings/mesa") {
                    self.session.settings.read(settings);
                    self.refresh();
                }
            }
            "workspace/didChangeWorkspaceFolders" => {
                let list = |key: &str| {
                    let folders = params.pointer(&format!("/event/{key}"));
                    let folders = folders.and_then(Value::as_array).into_iter().flatten();
                    let uris = folders.filter_map(|f| f.get("uri")?.as_str()).map(name_of);
                    uris.collect::<Vec<_>>()
                };
                let removed = list("removed");
                self.session.folders.retain(|f| !removed.contains(f));
                self.session.folders.extend(list("added"));
            }
            _ => {}
        }
    }

    fn initialize(&mut self, params: &Value) {
        self.session.peer = Peer::of(params);
        if let Some(options) = params.get("initializationOptions") {
            self.session.settings.read(options);
        }
        let folders = params.get("workspaceFolders").and_then(Value::as_array);
        let mut names: Vec<String> = folders
            .into_iter()
            .flatten()
            .filter_map(|f| f.get("uri")?.as_str())
            .map(name_of)
            .collect();
        let root = params.get("rootUri").and_then(Value::as_str).map(name_of);
        if names.is_empty() {
            names.extend(root);
        }
        self.session.folders = names;
    }

    fn initialized(&self) {
        if self.session.peer.watch {
            let _ = self.session.outbox.send(Out::Register(json!({ "registrations": [{
                "id": "files",
                "method": "workspace/didChangeWatchedFiles",
                "registerOptions": { "watchers": [{ "globPattern": "**/*.mesa" }] },
            }] })));
        }
    }

    fn refresh(&self) {
        let peer = &self.session.peer;
        let all = [
            (peer.refresh_hints, Out::RefreshHints),
            (peer.refresh_lenses, Out::RefreshLenses),
            (peer.refresh_diagnostics && peer.pulls, Out::RefreshDiagnostics),
        ];
        for (_, message) in all.into_iter().filter(|(wanted, _)| *wanted) {
            let _ = self.session.outbox.send(message);
        }
    }

    fn opened(&mut self, params: &Value) {
        let Some(name) = self.session.name(params) else { return };
        let text = params.pointer("/textDocument/text").and_then(Value::as_str).unwrap_or("");
        let uri = params.pointer("/textDocument/uri").and_then(Value::as_str).unwrap_or("");
        self.session.uris.insert(name.clone(), uri.to_owned());
        self.session.workspace.open(&name, version(params), text);
    }

    fn changed(&mut self, params: &Value) {
        let Some(name) = self.session.name(params) else { return };
        let changes = params.get("contentChanges").and_then(Value::as_array);
        let changes: Vec<Change> = changes
            .into_iter()
            .flatten()
            .map(|change| {
                let range = change.get("range");
                let at = |r: &Value, key: &str| r.get(key).map(position).unwrap_or_default();
                Change {
                    range: range.map(|r| (at(r, "start"), at(r, "end"))),
                    text: change.get("text").and_then(Value::as_str).unwrap_or("").to_owned(),
                }
            })
            .collect();
        let encoding = self.session.peer.encoding;
        let workspace = &mut self.session.workspace;
        let Some(text) = workspace.text(&name) else { return };
        let text = changed(&text.file, &changes, encoding);
        workspace.change(&name, version(params), &text);
    }

    fn closed(&mut self, params: &Value) {
        let Some(name) = self.session.name(params) else { return };
        self.session.workspace.close(&name);
        self.session.tokens.remove(&name);
        let uri = self.session.uris.remove(&name).unwrap_or_else(|| uri_of(&name));
        // Nobody looks at it any more: its findings go.
        let empty = json!({ "uri": uri, "diagnostics": [] });
        let _ = self.session.outbox.send(Out::Diagnostics(empty));
    }

    fn forget<'a>(&mut self, uris: impl Iterator<Item = &'a Value>) {
        for uri in uris.filter_map(Value::as_str) {
            let name = name_of(uri);
            if !self.session.workspace.is_open(&name) {
                self.session.workspace.forget(&name);
            }
        }
        self.refresh();
    }

    /// Sends the findings of every document that is not as it was.
    fn publish(&mut self) {
        for name in self.session.workspace.news() {
            let done = catch_unwind(AssertUnwindSafe(|| self.publish_one(&name)));
            if done.is_err() {
                self.session.workspace.give_up(&name);
                self.log(&format!("`{name}` cannot be checked; this is a mistake of the server"));
            }
        }
    }

    fn publish_one(&mut self, name: &str) {
        let found = self.session.workspace.findings(name);
        let Some(version) = self.session.workspace.document(name).map(|d| d.version) else {
            return;
        };
        let pulls = self.session.peer.pulls;
        let (encoding, related) = (self.session.peer.encoding, self.session.peer.related);
        let uris = self.session.uris.clone();
        let Some((program, module)) = self.session.workspace.program(name) else { return };
        let writer = Writer { sources: &program.sources, encoding, uris: &uris };
        let uri = writer.uri(name);
        if !pulls {
            let own = program.module(module).file;
            let own = found.iter().filter(|d| d.place().is_some_and(|p| p.file == own));
            let own: Vec<Value> = own.map(|d| writer.diagnostic(d, related)).collect();
            let message = json!({ "uri": uri, "version": version, "diagnostics": own });
            let _ = self.session.outbox.send(Out::Diagnostics(message));
        }
        let evaluated = json!({ "uri": uri, "version": version });
        let _ = self.session.outbox.send(Out::Evaluated(evaluated));
    }
}

fn version(params: &Value) -> i32 {
    let version = params.pointer("/textDocument/version").and_then(Value::as_i64);
    version.and_then(|v| i32::try_from(v).ok()).unwrap_or(0)
}
