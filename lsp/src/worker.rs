//! The thread that owns the session: messages one after another, findings when there is a pause.
//!
//! In: [`Job`]s in the order of the client. Out: answers, and findings of what was edited. Edits
//! that wait in the queue together are made together and checked once; a check that takes long is
//! put off as soon as another job comes, and goes on from where it was.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use mesa::Diagnostic;
use mesa::ide::Change;
use mesa::ide::workspace::{Found, Told};
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Error;

use crate::answer::{self, Answer, Tour};
use crate::aside::{self, Question};
use crate::capabilities::Peer;
use crate::client::{Out, Outbox};
use crate::convert::{Writer, position};
use crate::pipe::{Job, Jobs};
use crate::session::Session;
use crate::uris::{Uris, name_of};

/// Deep texts need deep stacks.
pub(crate) const STACK: usize = 64 * 1024 * 1024;
/// How long findings may wait behind a queue that never ends.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long they may then keep the queue waiting.
const HASTE: Duration = Duration::from_millis(50);

/// How long findings of a document are looked for before those are sent that are certain already.
/// Long enough that nearly all edits have one list, for clients that take the first for the last.
const BUDGET: Duration = Duration::from_millis(25);

/// Whether there is no time for what may take so long.
type Stop<'a> = &'a dyn Fn(Duration) -> bool;

/// Starts the worker; it ends when its queue does.
pub(crate) fn start(outbox: Outbox) -> Jobs {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let jobs = Jobs { sender, waiting: waiting.clone() };
    let run = move || {
        let session = Session::new(outbox.clone());
        let (later, tours) = (VecDeque::new(), VecDeque::new());
        Worker { aside: aside::start(outbox), session, waiting, later, tours }.run(&receiver);
    };
    if let Err(error) = Builder::new().name("worker".into()).stack_size(STACK).spawn(run) {
        eprintln!("mesa-lsp cannot start its worker: {error}");
    }
    jobs
}

struct Worker {
    session: Session,
    aside: Sender<Question>,
    /// How many jobs are in the queue.
    waiting: Arc<AtomicUsize>,
    /// Requests that need findings which are not known yet, each with the stamp of its document.
    later: VecDeque<(Job, Option<u64>)>,
    /// Requests about the whole workspace, which are answered file by file.
    tours: VecDeque<Tour>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut since: Option<Instant> = None;
        loop {
            let job = match jobs.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    since = None;
                    let waiting = self.waiting.clone();
                    if self.catch_up(&|_| waiting.load(Ordering::Relaxed) > 0) {
                        continue;
                    }
                    match jobs.recv() {
                        Ok(job) => job,
                        Err(_) => return,
                    }
                }
            };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.job(job);
            if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                let start = Instant::now();
                self.catch_up(&|time| start.elapsed() + time > HASTE);
                since = None;
            }
        }
    }

    /// Does one thing that waits for a pause: the findings of one document, or a request that
    /// needs them. Whether there was one, finished or stopped.
    fn catch_up(&mut self, stop: Stop<'_>) -> bool {
        if let Some(name) = self.session.workspace.news() {
            self.publish(&name, stop);
            return true;
        }
        let Some((job, stamp)) = self.later.pop_front() else { return self.go_on(stop) };
        let name = self.session.name(&job.params).unwrap_or_default();
        let done = catch_unwind(AssertUnwindSafe(|| {
            !matches!(self.session.workspace.findings_unless(&name, stop), Some(Found::Part(_)))
        }));
        match done {
            Ok(false) => self.later.push_front((job, stamp)),
            Ok(true) => {
                let now = self.session.workspace.document(&name).map(|d| d.stamp);
                // A place in a text that has changed since is another place.
                if stamp != now && job.method == "textDocument/codeAction" {
                    if let Some(reply) = job.reply {
                        reply.send(Err(Error::content_modified()));
                    }
                } else {
                    self.answer(job);
                }
            }
            Err(_) => {
                self.session.workspace.give_up(&name);
                self.later.push_front((job, stamp));
            }
        }
        true
    }

    /// Looks at one more file of the workspace for who asked for all of them.
    fn go_on(&mut self, stop: Stop<'_>) -> bool {
        let Some(mut tour) = self.tours.pop_front() else { return false };
        match catch_unwind(AssertUnwindSafe(|| tour.step(&mut self.session, stop))) {
            Ok(true) => tour.end(&self.session),
            Ok(false) => self.tours.push_front(tour),
            Err(_) => {
                self.log("a file cannot be checked; this is a mistake of the server");
                tour.pass();
                self.tours.push_front(tour);
            }
        }
        true
    }

    fn job(&mut self, job: Job) {
        if job.method == "workspace/diagnostic" {
            if let Some(reply) = job.reply {
                self.tours.push_back(Tour::new(&self.session, &job.params, reply));
            }
            return;
        }
        let needs_findings =
            matches!(job.method.as_str(), "textDocument/diagnostic" | "textDocument/codeAction");
        if job.reply.is_some()
            && needs_findings
            && let Some(name) = self.session.name(&job.params)
            && !self.session.workspace.is_checked(&name)
        {
            let stamp = self.session.workspace.document(&name).map(|d| d.stamp);
            self.later.push_back((job, stamp));
            return;
        }
        self.answer(job);
    }

    fn answer(&mut self, job: Job) {
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
            Ok(Answer::Written(Ok(answer))) => reply.send_written(&answer),
            Ok(Answer::Written(Err(error))) => reply.send(Err(error)),
            Ok(Answer::Aside(moment, ask)) => {
                let copy = self.session.copy();
                let _ = self.aside.send(Question::Asked { moment, ask, copy, reply });
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
                // Some clients send what is ours without its key.
                let all = params.get("settings").filter(|all| all.is_object());
                if let Some(settings) = all.map(|all| all.get("mesa").unwrap_or(all)) {
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
        let options = params.get("initializationOptions");
        self.session.peer = Peer::of(params);
        self.session.uris = Uris::new(options);
        if let Some(options) = options {
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
        self.session.uris.insert(name.clone(), uri);
        self.session.late.forget(&name);
        self.session.workspace.open(&name, version(params), text);
    }

    fn changed(&mut self, params: &Value) {
        let Some(name) = self.session.name(params) else { return };
        let changes = params.get("contentChanges").and_then(Value::as_array);
        let changes: Vec<Change> = changes
            .into_iter()
            .flatten()
            .filter_map(|change| {
                // Some clients write `null` for the whole document.
                let range = change.get("range").filter(|r| !r.is_null());
                let at = |r: &Value, key: &str| r.get(key).map(position).unwrap_or_default();
                let text = change.get("text")?.as_str()?.to_owned();
                Some(Change { range: range.map(|r| (at(r, "start"), at(r, "end"))), text })
            })
            .collect();
        let encoding = self.session.peer.encoding;
        let workspace = &mut self.session.workspace;
        let (Some(text), Some(document)) = (workspace.text(&name), workspace.document(&name))
        else {
            return;
        };
        let edit = (version(params), changes);
        let (text, version) = self.session.late.edit((text, document.version), edit, encoding);
        workspace.change(&name, version, &text);
    }

    fn closed(&mut self, params: &Value) {
        let Some(name) = self.session.name(params) else { return };
        self.session.late.forget(&name);
        self.session.workspace.close(&name);
        let _ = self.aside.send(Question::Closed(name.clone()));
        self.session.tokens.remove(&name);
        let uri = self.session.uris.remove(&name);
        // Nobody looks at it any more: its findings go.
        let empty = json!({ "uri": uri, "diagnostics": [] });
        let _ = self.session.outbox.send(Out::Diagnostics(empty));
    }

    fn forget<'a>(&mut self, uris: impl Iterator<Item = &'a Value>) {
        for uri in uris.filter_map(Value::as_str) {
            let name = name_of(uri);
            if !self.session.workspace.is_open(&name) {
                self.session.workspace.forget(&name);
                self.session.workspace.forget_below(&name);
            }
        }
        self.refresh();
    }

    /// Sends the findings of a document, unless something else has to be done first.
    fn publish(&mut self, name: &str, stop: Stop<'_>) {
        let done = catch_unwind(AssertUnwindSafe(|| self.publish_one(name, stop)));
        if done.is_err() {
            self.session.workspace.give_up(name);
            self.session.workspace.tell(name, Told::Whole);
            self.log(&format!("`{name}` cannot be checked; this is a mistake of the server"));
        }
    }

    fn publish_one(&mut self, name: &str, stop: Stop<'_>) -> Option<()> {
        // While findings are looked for, scenarios are evaluated.
        if let Some(moment) = answer::moment(&mut self.session, name) {
            let _ = self.aside.send(Question::Edited(moment));
        }
        let document = self.session.workspace.document(name)?;
        let first = document.told == Told::Nothing && !self.session.peer.pulls;
        let (begun, late) = (Instant::now(), Cell::new(false));
        let found = self.session.workspace.findings_unless(name, &|time| {
            late.set(first && begun.elapsed() + time > BUDGET);
            late.get() || stop(time)
        });
        match found {
            Some(Found::Whole(found)) => {
                self.session.workspace.tell(name, Told::Whole);
                let message = self.message(name, &found)?;
                let evaluated =
                    json!({ "uri": message.get("uri"), "version": message.get("version") });
                if !self.session.peer.pulls {
                    let _ = self.session.outbox.send(Out::Diagnostics(message));
                }
                let _ = self.session.outbox.send(Out::Evaluated(evaluated));
            }
            Some(Found::Part(found)) if late.get() => {
                self.session.workspace.tell(name, Told::Part);
                let message = self.message(name, &found)?;
                let _ = self.session.outbox.send(Out::Diagnostics(message));
            }
            _ => {}
        }
        Some(())
    }

    /// The findings of a document as a message.
    fn message(&mut self, name: &str, found: &[Diagnostic]) -> Option<Value> {
        let version = self.session.workspace.document(name)?.version;
        let (encoding, related) = (self.session.peer.encoding, self.session.peer.related);
        let uris = self.session.uris.clone();
        let (program, module) = self.session.workspace.program(name)?;
        let writer = Writer { sources: &program.sources, encoding, uris: &uris };
        let own = program.module(module).file;
        let own = found.iter().filter(|d| d.place().is_some_and(|p| p.file == own));
        let own: Vec<Value> = own.map(|d| writer.diagnostic(d, related)).collect();
        Some(json!({ "uri": writer.uri(name), "version": version, "diagnostics": own }))
    }
}

fn version(params: &Value) -> i32 {
    let version = params.pointer("/textDocument/version").and_then(Value::as_i64);
    version.and_then(|v| i32::try_from(v).ok()).unwrap_or(0)
}
