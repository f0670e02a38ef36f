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
mod copies;
mod late;
mod pipe;
mod session;
mod uris;
mod worker;

use std::io::{self, Write as _};
use std::process::ExitCode;

use pipe::Pipe;

/// What `--help` says.
const HELP: &str = "\
The language server of Mesa, for editors: it speaks the language server protocol over standard
input and output. An editor starts it; docs/editors.md says how, for each editor.

Usage: mesa-lsp [OPTIONS]

Options:
      --stdio    Speak over standard input and output, as it does anyway
  -h, --help     Print help
  -V, --version  Print version
";

/// What is to be done instead of serving, by the arguments: text to print, whether all is well.
fn instead(arguments: impl Iterator<Item = String>) -> Option<Result<String, String>> {
    for argument in arguments {
        return Some(match argument.as_str() {
            // Some clients always say so.
            "--stdio" => continue,
            "-h" | "--help" => Ok(HELP.to_owned()),
            "-V" | "--version" => Ok(format!("mesa-lsp {}\n", env!("CARGO_PKG_VERSION"))),
            other => Err(format!(
                "mesa-lsp: there is no argument `{other}`; `mesa-lsp --help` lists what there is\n"
            )),
        });
    }
    None
}

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned());
    match instead(arguments) {
        Some(Ok(text)) => {
            // Nobody may read it: `mesa-lsp --help | head -1`.
            let _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Some(Err(text)) => {
            let _ = io::stderr().write_all(text.as_bytes());
            return ExitCode::from(2);
        }
        None => {}
    }
    let (outbox, writer) = client::start(io::stdout());
    let mut pipe = Pipe::new(worker::start(outbox.clone()), outbox);
    let code = pipe.run(&mut io::stdin().lock());
    // Whatever was answered is written; questions that are still open are not waited for.
    client::finish(pipe, writer);
    code
}
