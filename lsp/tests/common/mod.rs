//! A client that speaks to a real server process over its standard input and output.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long the server may be silent before a test fails, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(15);

/// A spec as people write it.
pub const CHAT: &str = r#"//! A chat.

use std.models.Llama3_70B
use std.systems.DGX_H100

/// Heads over all devices.
plan Tp(tp: Count = 8) {
  mesh tp
  shard heads, ffn, vocab over tp
}

/// 32 conversations.
scenario chat {
  model  = Llama3_70B
  system = DGX_H100
  plan   = Tp(tp: 8)
  precision { weights = bf16, activations = bf16, cache = bf16 }
  serve {
    batch  = 32
    prompt = 2048
    output = 256
  }
  expect ttft < 4 s
  expect memory.headroom > 10%
}

scenario chat_fp8 = chat with { precision.weights = fp8 }
"#;

/// Where the servers of the tests put what they can make again.
pub fn caches() -> &'static std::path::Path {
    std::path::Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/caches"))
}

/// A client with its server.
pub struct Client {
    pub child: Child,
    pub input: ChildStdin,
    messages: Receiver<(Instant, Value)>,
    /// When the message that was found last had come in whole.
    pub arrived: Instant,
    /// Notifications and requests of the server that were not looked at yet.
    pub waiting: Vec<Value>,
    next: i64,
    versions: std::collections::HashMap<String, i32>,
}

/// Where in a text the mark `^` or `|` stands, and the text without it.
pub fn marked(text: &str) -> (String, Value) {
    let at = text.find('‸').expect("a mark");
    let before = &text[..at];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap().encode_utf16().count();
    (text.replacen('‸', "", 1), json!({ "line": line, "character": column }))
}

/// The position of the first character of `needle` in `text`.
pub fn position(text: &str, needle: &str) -> Value {
    let at = text.find(needle).unwrap_or_else(|| panic!("no `{needle}`"));
    let before = &text[..at];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap().encode_utf16().count();
    json!({ "line": line, "character": column })
}

impl Client {
    /// A server that was told nothing yet.
    pub fn process() -> Self {
        Self::process_with(&[])
    }

    /// The same, with other variables in its environment.
    pub fn process_with(variables: &[(&str, &str)]) -> Self {
        let server = std::env::var("MESA_LSP").unwrap_or(env!("CARGO_BIN_EXE_mesa-lsp").to_owned());
        let mut command = Command::new(server);
        // Copies of the library are made here, not in the home of who runs the tests.
        command.env("XDG_CACHE_HOME", caches()).envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(body) = read(&mut output) {
                let arrived = Instant::now();
                let Ok(message) = serde_json::from_slice(&body) else { return };
                if sender.send((arrived, message)).is_err() {
                    return;
                }
            }
        });
        let (arrived, waiting) = (Instant::now(), Vec::new());
        Self { child, input, messages, arrived, waiting, next: 1, versions: Default::default() }
    }

    /// A server in a session with a client that can do everything.
    pub fn start() -> Self {
        Self::with(json!({}), json!({}))
    }

    /// The same, with other capabilities or options on top.
    pub fn with(capabilities: Value, mut options: Value) -> Self {
        if options.get("documents").is_none() {
            options["documents"] = json!(["mesa-std", "mesa-help"]);
        }
        let mut client = Self::process();
        let mut all = json!({
            "textDocument": {
                "publishDiagnostics": { "relatedInformation": true },
                "completion": { "completionItem": { "snippetSupport": true } },
                "hover": { "contentFormat": ["markdown", "plaintext"] },
                "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
                "definition": { "linkSupport": false },
                "codeAction": { "codeActionLiteralSupport": { "codeActionKind": { "valueSet": [] } } },
            },
        });
        merge(&mut all, capabilities);
        client.request("initialize", json!({
            "processId": null, "rootUri": null, "capabilities": all, "initializationOptions": options,
        }));
        client.notify("initialized", json!({}));
        client
    }

    pub fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }
    /// Sends a request and does not wait.
    pub fn ask(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }
    /// The answer to a request: its `result` or its `error`.
    pub fn answer(&mut self, id: i64) -> Result<Value, Value> {
        let message = self.find(&format!("the answer to request {id}"), |m| {
            m.get("id") == Some(&json!(id)) && m.get("method").is_none()
        });
        match message.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(message.get("result").cloned().unwrap_or(Value::Null)),
        }
    }
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id).unwrap_or_else(|error| panic!("{method}: {error}"))
    }
    pub fn refused(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id).expect_err("an error")
    }
    /// The first message, of those not looked at yet, that is as wanted; `what` names it.
    fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&wanted) {
            return self.waiting.remove(at);
        }
        loop {
            let (arrived, message) = match self.messages.recv_timeout(PATIENCE) {
                Ok(arrived) => arrived,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the server said nothing for {PATIENCE:?}; awaited was {what}")
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server has gone; awaited was {what}")
                }
            };
            if wanted(&message) {
                self.arrived = arrived;
                return message;
            }
            self.waiting.push(message);
        }
    }
    /// The next message of the server's own with this method.
    pub fn expect(&mut self, method: &str) -> Value {
        self.find(&format!("`{method}`"), |m| m.get("method") == Some(&json!(method)))
    }
    /// The findings of this version of a document, all of them: those that were published last
    /// before the server said that it had checked everything.
    pub fn findings(&mut self, uri: &str) -> Vec<Value> {
        self.published_until_checked(uri).pop().unwrap()
    }
    /// Every list of findings of this version until the server said that it had checked everything.
    pub fn published_until_checked(&mut self, uri: &str) -> Vec<Vec<Value>> {
        let version = self.versions.get(uri).copied();
        let mut lists = Vec::new();
        loop {
            let message = self.find("findings", |m| {
                let method = m.get("method").and_then(Value::as_str).unwrap_or("");
                ["textDocument/publishDiagnostics", "mesa/evaluated"].contains(&method)
            });
            let params = &message["params"];
            if params["uri"] != uri || params["version"].as_i64() != version.map(i64::from) {
                continue;
            }
            match params["diagnostics"].as_array() {
                Some(list) => lists.push(list.clone()),
                None if lists.is_empty() => {}
                None => return lists,
            }
        }
    }
    /// The findings that are published first for this version of a document: what is certain.
    pub fn first_findings(&mut self, uri: &str) -> Vec<Value> {
        let version = self.versions.get(uri).copied();
        loop {
            let params = self.expect("textDocument/publishDiagnostics")["params"].clone();
            if params["uri"] == uri && params["version"].as_i64() == version.map(i64::from) {
                return params["diagnostics"].as_array().unwrap().clone();
            }
        }
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        self.versions.insert(uri.to_owned(), 1);
        self.notify(
            "textDocument/didOpen",
            json!({ "textDocument": {
            "uri": uri, "languageId": "mesa", "version": 1, "text": text,
        } }),
        );
    }
    /// Replaces the whole text.
    pub fn replace(&mut self, uri: &str, text: &str) {
        self.change(uri, json!([{ "text": text }]));
    }
    pub fn change(&mut self, uri: &str, changes: Value) {
        let version = self.versions.entry(uri.to_owned()).or_insert(0);
        *version += 1;
        let version = *version;
        self.notify(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": uri, "version": version }, "contentChanges": changes,
            }),
        );
    }
    pub fn close(&mut self, uri: &str) {
        self.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    }
    /// A request about a position of a document.
    pub fn at(&mut self, method: &str, uri: &str, position: &Value) -> Value {
        self.request(method, json!({ "textDocument": { "uri": uri }, "position": position }))
    }
    pub fn of(&mut self, method: &str, uri: &str) -> Value {
        self.request(method, json!({ "textDocument": { "uri": uri } }))
    }
    /// The exit code, if the process ends by itself in time; its input stays open.
    pub fn code(&mut self, patience: Duration) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn read(output: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            header => {
                if let Some(value) = header.strip_prefix("Content-Length: ") {
                    length = value.parse().ok()?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    Some(body)
}

/// The document that a test opens.
pub const URI: &str = "untitled:chat.mesa";

/// A block with its shapes.
pub const BLOCK: &str = r#"use std.systems.DGX_H100

const size = 4096

block Tiny(hidden: Count, ffn: Count, vocab: Count) {
  input tokens[batch, seq]
  weight table[vocab, hidden] from "embed.weight"
  x[batch, seq, hidden] = lookup(table, tokens)
  weight up[hidden, ffn]
  weight down[ffn, hidden]
  wide = x * up
  y[batch, seq, hidden] = wide * down
  output y
}
"#;

/// Snapshots that do not hang on where the library has its lines, nor on its figures, which the
/// tests of the cost model hold.
pub fn steady(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(std/[a-z_/]+\.mesa):\d+", "$1:N");
    settings.add_filter(r"\b\d[\d.,]*( ?%| (?:ms|s|us|µs|[kMGT]?B|tok/s|USD/h)\b)", "N$1");
    settings.add_filter(r"\b\d[\d.]* points", "N points");
    settings.bind(check);
}

pub fn open(text: &str) -> Client {
    let mut client = Client::start();
    client.open(URI, text);
    client
}

pub fn place(value: &Value) -> String {
    format!("{}:{}", value["line"], value["character"])
}

pub fn range(value: &Value) -> String {
    format!("{}-{}", place(&value["start"]), place(&value["end"]))
}

pub fn findings(found: &[Value]) -> String {
    let mut out = String::new();
    for d in found {
        let severity = ["", "error", "warning", "note"][d["severity"].as_u64().unwrap() as usize];
        let code = d["code"].as_str().unwrap();
        out += &format!(
            "{} {severity}[{code}] {}\n",
            range(&d["range"]),
            d["message"].as_str().unwrap()
        );
        for related in d["relatedInformation"].as_array().into_iter().flatten() {
            let at = range(&related["location"]["range"]);
            out += &format!("    {at} {}\n", related["message"].as_str().unwrap());
        }
        if let Some(tags) = d.get("tags") {
            out += &format!("    tags {tags}\n");
        }
    }
    out
}

/// A text after edits of the protocol.
pub fn edited(text: &str, edits: &[Value]) -> String {
    let byte = |p: &Value| {
        let line = p["line"].as_u64().unwrap() as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let rest = &text[start..];
        let mut units = p["character"].as_u64().unwrap() as usize;
        let mut at = 0;
        for c in rest.chars() {
            if units == 0 {
                break;
            }
            units = units.saturating_sub(c.len_utf16());
            at += c.len_utf8();
        }
        start + at
    };
    let mut edits: Vec<(usize, usize, &str)> = edits
        .iter()
        .map(|e| {
            (byte(&e["range"]["start"]), byte(&e["range"]["end"]), e["newText"].as_str().unwrap())
        })
        .collect();
    edits.sort();
    let mut out = text.to_owned();
    for (start, end, new) in edits.into_iter().rev() {
        out.replace_range(start..end, new);
    }
    out
}

/// What the editor shows over `needle`.
pub fn hover(client: &mut Client, text: &str, needle: &str) -> String {
    let found = client.at("textDocument/hover", URI, &position(text, needle));
    match found["contents"]["value"].as_str() {
        Some(value) => format!("## {needle}\n{}\n{value}\n\n", range(&found["range"])),
        None => format!("## {needle}\nnothing\n\n"),
    }
}
