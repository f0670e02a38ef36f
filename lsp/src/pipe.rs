//! Messages on their way in: tower-lsp reads them, and this hands them on in order.
//!
//! tower-lsp starts handlers in order but lets them race as soon as they wait, and blocks
//! everything behind a few slow ones. So nothing is done in handlers: a message is put into the
//! worker's queue before the next one is read, and the handler waits for the answer alone.
//! Cancelled requests are answered at once.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response, Result};
use tower_lsp::lsp_types::{InitializeParams, InitializeResult};
use tower_lsp::{LanguageServer, LspService, async_trait};
use tower_service::Service;

use crate::capabilities;

/// What tower-lsp itself serves: it keeps track of the beginning and the end of a session.
pub(crate) struct Lifecycle;

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

/// The way back of an answer.
pub(crate) struct Reply {
    sender: oneshot::Sender<Result<Value>>,
    cancelled: Arc<AtomicBool>,
}

impl Reply {
    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
    pub(crate) fn send(self, answer: Result<Value>) {
        let _ = self.sender.send(answer);
    }
}

/// Requests under way, by id: how to cancel them.
type Pending = Arc<Mutex<HashMap<Id, (Arc<AtomicBool>, oneshot::Sender<()>)>>>;

/// How far the session is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Over,
}

/// The service.
pub(crate) struct Pipe {
    inner: LspService<Lifecycle>,
    worker: Sender<Job>,
    pending: Pending,
    stage: Stage,
}

type Answer<E> = Pin<Box<dyn Future<Output = std::result::Result<Option<Response>, E>> + Send>>;

impl Pipe {
    pub(crate) fn new(inner: LspService<Lifecycle>, worker: Sender<Job>) -> Self {
        Self { inner, worker, pending: Pending::default(), stage: Stage::New }
    }

    fn hand_on(&self, method: String, params: Option<Value>, reply: Option<Reply>) -> bool {
        let params = params.unwrap_or(Value::Null);
        self.worker.send(Job { method, params, reply }).is_ok()
    }

    fn cancel(&self, params: Option<Value>) {
        let id = params.and_then(|p| p.get("id").cloned());
        let id: Option<Id> = id.and_then(|id| serde_json::from_value(id).ok());
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((flag, sender)) = id.and_then(|id| pending.remove(&id)) {
            flag.store(true, Ordering::Relaxed);
            let _ = sender.send(());
        }
    }

    fn ask<E>(&self, method: String, id: Id, params: Option<Value>) -> Answer<E> {
        let refused = match self.stage {
            Stage::New => Some((-32002, "the session has not begun")),
            Stage::Over => Some((-32600, "the session is over")),
            Stage::Running => None,
        };
        if let Some((code, message)) = refused {
            let code = ErrorCode::from(code);
            let error = Error { code, message: message.into(), data: None };
            return Box::pin(async move { Ok(Some(Response::from_error(id, error))) });
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        let (answered, answer) = oneshot::channel();
        let (cancel, cancelling) = oneshot::channel();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.insert(id.clone(), (cancelled.clone(), cancel));
        drop(pending);
        self.hand_on(method, params, Some(Reply { sender: answered, cancelled }));
        let pending = self.pending.clone();
        Box::pin(async move {
            let result = tokio::select! {
                biased;
                answer = answer => answer.unwrap_or_else(|_| Err(Error::internal_error())),
                Ok(()) = cancelling => Err(Error::request_cancelled()),
            };
            pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            Ok(Some(Response::from_parts(id, result)))
        })
    }
}

impl Service<Request> for Pipe {
    type Response = Option<Response>;
    type Error = <LspService<Lifecycle> as Service<Request>>::Error;
    type Future = Answer<Self::Error>;

    fn poll_ready(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let method = request.method().to_owned();
        match method.as_str() {
            "initialize" if self.stage == Stage::New => {
                let params = request.params().cloned().unwrap_or(Value::Null);
                let answer = capabilities::initialize(&params);
                self.stage = Stage::Running;
                self.hand_on(method, Some(params), None);
                let inner = self.inner.call(request);
                Box::pin(async move {
                    let response = inner.await?;
                    Ok(response.map(|response| match response.into_parts() {
                        (id, Ok(_)) => Response::from_ok(id, answer),
                        (id, Err(error)) => Response::from_error(id, error),
                    }))
                })
            }
            "initialized" => {
                self.hand_on(method, None, None);
                Box::pin(self.inner.call(request))
            }
            "initialize" | "shutdown" | "exit" => {
                if method == "shutdown" && self.stage == Stage::Running {
                    self.stage = Stage::Over;
                }
                Box::pin(self.inner.call(request))
            }
            _ => {
                let (_, id, params) = request.into_parts();
                match id {
                    Some(id) => self.ask(method, id, params),
                    None => {
                        match method.as_str() {
                            "$/cancelRequest" => self.cancel(params),
                            _ if self.stage == Stage::Running => {
                                self.hand_on(method, params, None);
                            }
                            _ => {}
                        }
                        Box::pin(async { Ok(None) })
                    }
                }
            }
        }
    }
}
