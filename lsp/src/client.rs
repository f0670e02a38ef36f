//! Messages to the editor: answers, notifications and requests, written in the order of sending.

use std::io::{BufWriter, Write};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tower_lsp::jsonrpc::Response;

/// Something to say to the editor.
pub(crate) enum Out {
    Answer(Response),
    /// A whole message.
    Written(Vec<u8>),
    Diagnostics(Value),
    Evaluated(Value),
    Log(Value),
    Progress(Value),
    /// Requests: nothing waits for their answers.
    Register(Value),
    ApplyEdit(Value),
    RefreshDiagnostics,
    RefreshHints,
    RefreshLenses,
    /// Nothing more will be said.
    End,
}

/// Where to put what is to be said.
pub(crate) type Outbox = Sender<Out>;

/// Starts to write.
pub(crate) fn start(output: impl Write + Send + 'static) -> (Outbox, JoinHandle<()>) {
    let (sender, receiver) = channel();
    let writer = std::thread::spawn(move || write(output, &receiver));
    (sender, writer)
}

/// Ends what is being written, and waits until all of it is.
pub(crate) fn finish(pipe: crate::pipe::Pipe, writer: JoinHandle<()>) {
    pipe.end();
    let _ = writer.join();
}

fn write(output: impl Write, messages: &Receiver<Out>) {
    let mut output = BufWriter::with_capacity(1 << 16, output);
    let mut requests = 0u64;
    loop {
        let message = match messages.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                if output.flush().is_err() {
                    return;
                }
                match messages.recv() {
                    Ok(message) => message,
                    Err(_) => break,
                }
            }
        };
        let mut ask = |method: &str, params: Value| {
            requests += 1;
            let id = format!("mesa-{requests}");
            json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
        };
        let tell = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "method": method, "params": params });
        let message = match message {
            Out::End => break,
            Out::Answer(answer) => serde_json::to_vec(&answer),
            Out::Written(message) => Ok(message),
            Out::Diagnostics(v) => serde_json::to_vec(&tell("textDocument/publishDiagnostics", v)),
            Out::Evaluated(v) => serde_json::to_vec(&tell("mesa/evaluated", v)),
            Out::Log(v) => serde_json::to_vec(&tell("window/logMessage", v)),
            Out::Progress(v) => serde_json::to_vec(&tell("$/progress", v)),
            Out::Register(v) => serde_json::to_vec(&ask("client/registerCapability", v)),
            Out::ApplyEdit(v) => serde_json::to_vec(&ask("workspace/applyEdit", v)),
            Out::RefreshDiagnostics => {
                serde_json::to_vec(&ask("workspace/diagnostic/refresh", Value::Null))
            }
            Out::RefreshHints => {
                serde_json::to_vec(&ask("workspace/inlayHint/refresh", Value::Null))
            }
            Out::RefreshLenses => {
                serde_json::to_vec(&ask("workspace/codeLens/refresh", Value::Null))
            }
        };
        let Ok(body) = message else { continue };
        let head = format!("Content-Length: {}\r\n\r\n", body.len());
        if output.write_all(head.as_bytes()).and_then(|()| output.write_all(&body)).is_err() {
            return; // nobody reads any more
        }
    }
    let _ = output.flush();
}
