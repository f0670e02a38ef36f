//! The server as an editor starts and ends it.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server, with its input kept open.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesa-lsp"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }
    fn send(&mut self, message: &str) {
        write!(self.input, "Content-Length: {}\r\n\r\n{message}", message.len()).unwrap();
        self.input.flush().unwrap();
    }
    fn receive(&mut self) -> String {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                header => {
                    if let Some(value) = header.strip_prefix("Content-Length: ") {
                        length = value.parse().unwrap();
                    }
                }
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
    /// The exit code, if the process ends by itself within ten seconds.
    fn code(mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child.kill().unwrap();
        None
    }
}

const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#;
const SHUTDOWN: &str = r#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#;
const EXIT: &str = r#"{"jsonrpc":"2.0","method":"exit"}"#;

#[test]
fn says_who_it_is_and_claims_nothing() {
    let mut server = Server::start();
    server.send(INITIALIZE);
    let answer = server.receive();
    assert!(answer.contains(r#""capabilities":{}"#), "{answer}");
    let info = format!(r#""name":"mesa-lsp","version":"{}""#, env!("CARGO_PKG_VERSION"));
    assert!(answer.contains(&info), "{answer}");
    server.send(EXIT);
    assert_eq!(server.code(), Some(1));
}

#[test]
fn ends_after_shutdown_and_exit_while_its_input_is_open() {
    let mut server = Server::start();
    server.send(INITIALIZE);
    server.receive();
    server.send(SHUTDOWN);
    assert_eq!(server.receive(), r#"{"jsonrpc":"2.0","result":null,"id":2}"#);
    server.send(EXIT);
    assert_eq!(server.code(), Some(0));
}

#[test]
fn ends_with_an_error_when_its_input_ends_without_exit() {
    let mut server = Server::start();
    server.send(INITIALIZE);
    server.receive();
    let Server { mut child, input, .. } = server;
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
