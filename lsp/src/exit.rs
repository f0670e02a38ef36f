//! The end of the server: `exit` ends it even while standard input stays open.
//!
//! tower-lsp notes `exit` and then waits for more input. So requests are watched on their way to
//! the service, and the input ends as soon as `exit` was among them: the server then returns.

use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tower_lsp::jsonrpc::Request;
use tower_service::Service;

/// What was asked for so far.
#[derive(Clone, Default)]
pub(crate) struct Exit(Arc<Asked>);

#[derive(Default)]
struct Asked {
    shutdown: AtomicBool,
    exit: AtomicBool,
}

impl Exit {
    /// 0 after a proper `shutdown`, 1 otherwise, as the protocol wants it.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(u8::from(!self.0.shutdown.load(Ordering::SeqCst)))
    }
    fn note(&self, method: &str) {
        match method {
            "shutdown" => self.0.shutdown.store(true, Ordering::SeqCst),
            "exit" => self.0.exit.store(true, Ordering::SeqCst),
            _ => {}
        }
    }
    fn is_asked(&self) -> bool {
        self.0.exit.load(Ordering::SeqCst)
    }
}

/// A service whose requests are watched.
pub(crate) struct Watched<S> {
    inner: S,
    exit: Exit,
}

impl<S> Watched<S> {
    pub(crate) fn new(inner: S, exit: Exit) -> Self {
        Self { inner, exit }
    }
}

impl<S: Service<Request>> Service<Request> for Watched<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }
    fn call(&mut self, request: Request) -> S::Future {
        self.exit.note(request.method());
        self.inner.call(request)
    }
}

/// Input that ends once `exit` was asked for.
pub(crate) struct UntilExit<R> {
    inner: R,
    exit: Exit,
}

impl<R> UntilExit<R> {
    pub(crate) fn new(inner: R, exit: Exit) -> Self {
        Self { inner, exit }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for UntilExit<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.exit.is_asked() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}
