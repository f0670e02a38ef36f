//! Messages on their way in: read one after another, and handed on in that order.
//!
//! In: standard input. Out: [`Job`]s in the worker's queue. Nothing else happens on this thread, so
//! that `$/cancelRequest` and `exit` are seen at once, however busy the worker is.

use std::collections::HashMap;
use std::future::Future;
use std::io::BufRead;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response, Result};
use tower_lsp::lsp_types::{InitializeParams, InitializeResult};
use tower_lsp::{LanguageServer, LspService, async_trait};
use tower_service::Service;

use crate::capabilities;
use crate::client::{Out, Outbox};

/// The largest message that is read.
const LARGEST: usize = 256 * 1024 * 1024;

/// What tower-lsp serves: it keeps track of the beginning and the end of a session.
struct Lifecycle;

#[async_trait]
impl LanguageServer for Lifecycle {
    async fn initialize(&self, _: InitializeParams) -> Result<InitializeResult> {
        Ok(InitializeResult::default())
    }
    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }
}

/// A message for the worker.
pub(crate) struct Job {
    pub(crate) method: String,
    pub(crate) params: Value,
    /// Where the answer goes; notifications have none.
    pub(crate) reply: Option<Reply>,
}

/// The way into the worker's queue, with the number of jobs in it.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) sender: Sender<Job>,
    pub(crate) waiting: Arc<AtomicUsize>,
}

/// Requests under way, and whether somebody still waits for them.
type Pending = Arc<Mutex<HashMap<Id, Arc<AtomicBool>>>>;

/// The way back of an answer.
pub(crate) struct Reply {
    id: Id,
    cancelled: Arc<AtomicBool>,
    pending: Pending,
    outbox: Outbox,
}

impl Reply {
    /// Whether the request was answered already: as cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
    pub(crate) fn send(self, answer: Result<Value>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.remove(&self.id).is_some() {
            let _ = self.outbox.send(Out::Answer(Response::from_parts(self.id, answer)));
        }
    }
}

impl Reply {
    /// Sends a result that is JSON already.
    pub(crate) fn send_written(self, result: &str) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.remove(&self.id).is_some() {
            let id = json!(self.id);
            let message = format!("{{\"jsonrpc\":\"2.0\",\"result\":{result},\"id\":{id}}}");
            let _ = self.outbox.send(Out::Written(message.into_bytes()));
        }
    }
}

/// How far the session is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Over,
}

/// The reading end.
pub(crate) struct Pipe {
    lifecycle: LspService<Lifecycle>,
    worker: Jobs,
    outbox: Outbox,
    pending: Pending,
    stage: Stage,
}

/// What a future gives that is known to wait for nothing.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

impl Pipe {
    pub(crate) fn new(worker: Jobs, outbox: Outbox) -> Self {
        let (lifecycle, _) = LspService::new(|_| Lifecycle);
        let pending = Pending::default();
        Self { lifecycle, worker, outbox, pending, stage: Stage::New }
    }

    /// Reads until `exit` or the end of the input: 0 after a proper `shutdown`, else 1.
    pub(crate) fn run(&mut self, input: &mut impl BufRead) -> ExitCode {
        loop {
            let message = match frame(input) {
                Frame::End => break,
                Frame::Astray => None,
                Frame::Body(body) => serde_json::from_slice::<Value>(&body).ok(),
            };
            let Some(message) = message else {
                self.refuse(Id::Null, Error::parse_error());
                continue;
            };
            let id = message.get("id").cloned().and_then(|id| serde_json::from_value(id).ok());
            if message.get("method").is_none() {
                // An answer to a request of ours: nothing waits for it.
                if message.get("result").is_none() && message.get("error").is_none() {
                    self.refuse(id.unwrap_or(Id::Null), Error::invalid_request());
                }
                continue;
            }
            match serde_json::from_value::<Request>(message) {
                Ok(request) if request.method() == "exit" => break,
                Ok(request) => self.take(request),
                Err(_) => self.refuse(id.unwrap_or(Id::Null), Error::invalid_request()),
            }
        }
        ExitCode::from(u8::from(self.stage != Stage::Over))
    }

    /// Nothing more will be said.
    pub(crate) fn end(self) {
        let _ = self.outbox.send(Out::End);
    }

    fn refuse(&self, id: Id, error: Error) {
        let _ = self.outbox.send(Out::Answer(Response::from_error(id, error)));
    }

    fn take(&mut self, request: Request) {
        let method = request.method().to_owned();
        match method.as_str() {
            "initialize" | "initialized" | "shutdown" => self.lifecycle(&method, request),
            _ => {
                let (_, id, params) = request.into_parts();
                let params = params.unwrap_or(Value::Null);
                match id {
                    Some(id) => self.ask(method, id, params),
                    None if method == "$/cancelRequest" => self.cancel(&params),
                    None if self.stage == Stage::Running => self.hand_on(method, params, None),
                    None => {}
                }
            }
        }
    }

    fn hand_on(&self, method: String, params: Value, reply: Option<Reply>) {
        self.worker.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.worker.sender.send(Job { method, params, reply });
    }

    /// The beginning and the end of a session, as tower-lsp has them.
    fn lifecycle(&mut self, method: &str, request: Request) {
        let (_, id, params) = request.into_parts();
        let params = params.unwrap_or(Value::Null);
        // What a client says of itself is read leniently, in `capabilities`.
        let request = Request::build(method.to_owned());
        let request = match id {
            Some(id) => request.id(id),
            None => request,
        };
        let request = match method {
            "shutdown" => request,
            _ => request.params(json!({ "capabilities": {} })),
        };
        let answer = now(self.lifecycle.call(request.finish()));
        let Some(Ok(answer)) = answer else { return };
        let sound = answer.as_ref().is_none_or(Response::is_ok);
        match method {
            "shutdown" if sound => self.stage = Stage::Over,
            "initialize" if sound => self.stage = Stage::Running,
            _ => {}
        }
        let answer = answer.map(|response| match response.into_parts() {
            (id, Ok(_)) if method == "initialize" => {
                Response::from_ok(id, capabilities::initialize(&params))
            }
            (id, result) => Response::from_parts(id, result),
        });
        if let Some(answer) = answer {
            let _ = self.outbox.send(Out::Answer(answer));
        }
        if sound && method != "shutdown" {
            self.hand_on(method.to_owned(), params, None);
        }
    }

    fn ask(&self, method: String, id: Id, params: Value) {
        let refused = match self.stage {
            Stage::New => Some((-32002, "the session has not begun")),
            Stage::Over => Some((-32600, "the session is over")),
            Stage::Running => None,
        };
        if let Some((code, message)) = refused {
            let code = ErrorCode::from(code);
            return self.refuse(id, Error { code, message: message.into(), data: None });
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.insert(id.clone(), cancelled.clone());
        drop(pending);
        let (pending, outbox) = (self.pending.clone(), self.outbox.clone());
        self.hand_on(method, params, Some(Reply { id, cancelled, pending, outbox }));
    }

    /// Answers a request as cancelled, unless it is answered already.
    fn cancel(&self, params: &Value) {
        let id = params.get("id").cloned().and_then(|id| serde_json::from_value::<Id>(id).ok());
        let Some(id) = id else { return };
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flag) = pending.remove(&id) {
            flag.store(true, Ordering::Relaxed);
            self.refuse(id, Error::request_cancelled());
        }
    }
}

/// What comes next in the input.
enum Frame {
    Body(Vec<u8>),
    /// Headers that say no length; or one that nobody means.
    Astray,
    End,
}

/// The header that says how long a body is.
const LENGTH: &str = "content-length:";

/// Reads the next message. Where a length was wrong, the next header stands behind the rest of a
/// body, in the same line: it is found there, so that one bad message does not spoil the others.
fn frame(input: &mut impl BufRead) -> Frame {
    let mut length: Option<usize> = None;
    let mut headers = false;
    loop {
        let mut line = Vec::new();
        match input.read_until(b'\n', &mut line) {
            Ok(1..) => {}
            _ => return Frame::End,
        }
        let line = String::from_utf8_lossy(&line).to_ascii_lowercase();
        let line = line.trim_end();
        if let Some(at) = line.rfind(LENGTH) {
            let value = line.get(at + LENGTH.len()..).unwrap_or("");
            length = value.trim().parse().ok().filter(|n| *n <= LARGEST);
            headers = true;
        } else if !line.is_empty() {
            headers = true;
        } else if length.is_some() {
            break;
        } else if headers {
            return Frame::Astray;
        }
    }
    let mut body = vec![0; length.unwrap_or(0)];
    match input.read_exact(&mut body) {
        Ok(()) => Frame::Body(body),
        Err(_) => Frame::End,
    }
}
