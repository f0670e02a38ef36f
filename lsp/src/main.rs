//! The `mesa-lsp` binary: the language server protocol over standard input and output.
//!
//! In: requests of an editor. Out: answers. `pipe` reads messages in the order in which they come
//! and hands them to one thread, `worker`, that owns the state of the session; `aside` evaluates
//! scenarios on a thread of its own, so that no answer to typing waits for it; `client` writes.
//! What is answered is found in `mesa::ide`; here it is only put as the protocol wants it.
//!
//! tower-lsp knows the protocol: its messages, its errors, and how a session begins and ends. Its
//! own loop is not used: it starts handlers in order but lets them race from their first wait on,
//! blocks everything behind a few slow ones, cannot be cancelled while it does, and waits for more
//! input after `exit`.

mod answer;
mod aside;
mod capabilities;
mod client;
mod convert;
mod pipe;
mod session;
mod worker;

use std::io;
use std::process::ExitCode;

use pipe::Pipe;

fn main() -> ExitCode {
    let (outbox, writer) = client::start(io::stdout());
    let mut pipe = Pipe::new(worker::start(outbox.clone()), outbox);
    let code = pipe.run(&mut io::stdin().lock());
    // Whatever was answered is written; questions that are still open are not waited for.
    client::finish(pipe, writer);
    code
}
