//! The `mesa-lsp` binary: the language server protocol over standard input and output.
//!
//! In: requests of an editor. Out: answers. `pipe` takes messages in the order in which they come
//! and hands them to one thread, `worker`, that owns the state of the session; `aside` evaluates
//! scenarios on a thread of its own, so that no answer to typing waits for it. What is answered is
//! found in `mesa::ide`; here it is only written as the protocol wants it.

mod answer;
mod aside;
mod capabilities;
mod client;
mod convert;
mod exit;
mod pipe;
mod session;
mod worker;

use std::process::ExitCode;

use tokio::runtime::Builder;
use tower_lsp::{LspService, Server};

use exit::{Exit, UntilExit, Watched};
use pipe::{Lifecycle, Pipe};

fn main() -> ExitCode {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mesa-lsp cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let exit = Exit::default();
    runtime.block_on(serve(exit.clone()));
    // a read of standard input may still be waiting; nobody will answer it
    runtime.shutdown_background();
    exit.code()
}

async fn serve(exit: Exit) {
    let mut client = None;
    let (service, socket) = LspService::new(|c| {
        client = Some(c);
        Lifecycle
    });
    let Some(client) = client else { return };
    let outbox = client::start(client);
    let pipe = Pipe::new(service, worker::start(outbox));
    let input = UntilExit::new(tokio::io::stdin(), exit.clone());
    // Answers wait for the worker, never for each other: any number may be under way.
    let server = Server::new(input, tokio::io::stdout(), socket).concurrency_level(100_000);
    server.serve(Watched::new(pipe, exit)).await;
}
