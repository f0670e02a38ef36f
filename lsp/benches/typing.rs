//! Speed as an editor feels it, through a real process: from sending a message to its answer.
//!
//! `cargo bench -p mesa-lsp` prints one line for each question and size, with the limit it is held to,
//! and fails where the limit is missed. `MESA_LSP` names another server to measure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{Client, position};
use serde_json::{Value, json};

const URI: &str = "untitled:bench.mesa";

/// A file of about `size` bytes: chips, links, systems, plans and scenarios that use each other.
fn spec(size: usize) -> String {
    let mut text = String::from(
        "//! Many machines.\n\nuse std.models.Llama3_70B\nuse std.models.Llama3_8B\nuse std.systems.DGX_H100\n",
    );
    text += "\nplan Tp(tp: Count = 8) {\n  mesh tp\n  shard heads, ffn, vocab over tp\n}\n";
    let mut n = 0;
    while text.len() < size {
        n += 1;
        text += &format!(
            "\n/// Chip number {n}.\nchip Chip{n} {{\n  source = \"made up\"\n  compute matrix {{ bf16 = {}.5 TFLOP/s }}\n  \
             compute vector {{ fp32 = 60 TFLOP/s }}\n  memory hbm {{ capacity = 80 GB, bandwidth = 3.35 TB/s }}\n}}\n\
             \n/// Link number {n}.\nlink Link{n} {{\n  source = \"made up\"\n  bandwidth = 450 GB/s\n  latency = 1 us\n  topology = switch\n}}\n\
             \nsystem System{n} {{\n  source = \"made up\"\n  chip gpu = Chip{n}\n  level node = 8 of gpu via Link{n}\n}}\n\
             \nconst ratio{n} = {n} * 2\n\
             \nscenario run{n} {{\n  model  = Llama3_70B\n  system = System{n}\n  plan   = Tp(tp: 8)\n  serve {{\n    batch  = {}\n    \
             prompt = 2048\n    output = 256\n  }}\n  expect memory.headroom > 1%\n}}\n",
            900 + n,
            16 + n % 16,
        );
    }
    text
}

struct Times(Vec<Duration>);

impl Times {
    fn at(&mut self, share: f64) -> f64 {
        self.0.sort();
        let i = ((self.0.len() as f64 * share) as usize).min(self.0.len() - 1);
        self.0[i].as_secs_f64() * 1e3
    }
}

fn measured(count: usize, mut one: impl FnMut(usize)) -> Times {
    let one = |i| {
        let start = Instant::now();
        one(i);
        start.elapsed()
    };
    Times((0..count).map(one).collect())
}

/// The same until the last message has come in: what a client makes of it is the client's own time.
fn answered(client: &mut Client, count: usize, mut one: impl FnMut(&mut Client)) -> Times {
    let mut one = || {
        let start = Instant::now();
        one(client);
        client.arrived.saturating_duration_since(start)
    };
    Times((0..count).map(|_| one()).collect())
}

fn print(what: &str, times: &mut Times, limit: f64, missed: &mut Vec<String>) {
    let (half, most) = (times.at(0.5), times.at(0.95));
    let mark = if most <= limit { "" } else { "  MISSED" };
    println!("{what:<44} median {half:8.2} ms   p95 {most:8.2} ms   limit {limit:5.0} ms{mark}");
    if most > limit {
        missed.push(what.to_owned());
    }
}

fn memory(client: &Client) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", client.child.id())).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn edit(client: &mut Client, at: &Value, text: &str, length: u64) {
    let mut end = at.clone();
    end["character"] = json!(end["character"].as_u64().unwrap() + length);
    client.change(URI, json!([{ "range": { "start": at, "end": end }, "text": text }]));
}

fn main() {
    let mut missed = Vec::new();
    let mut start = measured(20, |_| drop(Client::start()));
    print("start to initialized", &mut start, 15.0, &mut missed);
    let mut end = measured(5, |_| {
        let mut client = Client::start();
        client.request("shutdown", Value::Null);
        client.notify("exit", Value::Null);
        client.code(Duration::from_secs(5)).expect("an end");
    });
    print("start to end, by exit", &mut end, 1000.0, &mut missed);
    let limits =
        [(20_000, "20 KB", [5.0, 1.0, 5.0, 3.0]), (1_000_000, "1 MB", [40.0, 2.0, 10.0, 60.0])];
    for (size, name, [diagnostics, hover, completion, tokens]) in limits {
        let text = spec(size);
        let mut client = Client::start();
        let opened = Instant::now();
        client.open(URI, &text);
        let found = client.findings(URI);
        assert!(found.is_empty(), "{found:?}");
        println!(
            "{name}: opened in {:.0} ms, {} MB",
            opened.elapsed().as_secs_f64() * 1e3,
            memory(&client) / 1000
        );
        let count = text.matches("scenario ").count();
        let count_edits = if size > 100_000 { 60 } else { 200 };
        // A digit typed into a chip in the middle, into a workload, into a constant, a comment.
        let middle = count / 2;
        for (what, needle, skip) in [
            ("in a comment", format!("/// Link number {middle}."), 4),
            ("in a constant", format!("const ratio{middle} = {middle} * 2"), 0),
            ("in a workload", format!("scenario run{middle} {{"), 0),
            ("in a chip", format!("chip Chip{middle} {{"), 0),
        ] {
            let mut at = position(&text, &needle);
            match what {
                "in a workload" => {
                    at = json!({ "line": at["line"].as_u64().unwrap() + 6, "character": 15 })
                }
                "in a chip" => {
                    at = json!({ "line": at["line"].as_u64().unwrap() + 3, "character": 62 })
                }
                "in a constant" => at["character"] = json!(needle.len()),
                _ => at["character"] = json!(skip),
            }
            let mut times = measured(count_edits, |i| {
                if i % 2 == 0 {
                    edit(&mut client, &at, "1", 0)
                } else {
                    edit(&mut client, &at, "", 1)
                }
                client.findings(URI);
            });
            print(
                &format!("{name}: edit {what} to findings"),
                &mut times,
                diagnostics,
                &mut missed,
            );
        }
        let at = position(&text, &format!("System{middle}\n  plan"));
        client.at("textDocument/hover", URI, &at);
        let mut times = answered(&mut client, 100, |client| {
            client.at("textDocument/hover", URI, &at);
        });
        print(&format!("{name}: hover"), &mut times, hover, &mut missed);
        let line = position(&text, &format!("scenario run{middle} {{"))["line"].as_u64().unwrap();
        let at = json!({ "line": line + 1, "character": 11 });
        let mut times = answered(&mut client, 50, |client| {
            client.at("textDocument/completion", URI, &at);
        });
        print(&format!("{name}: completion"), &mut times, completion, &mut missed);
        let mut times = answered(&mut client, 20, |client| {
            client.of("textDocument/semanticTokens/full", URI);
        });
        print(&format!("{name}: semantic tokens"), &mut times, tokens, &mut missed);
    }
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut client = Client::start();
        client.open(URI, &text);
        client.findings(URI);
        let lenses = client.of("textDocument/codeLens", URI).as_array().unwrap().clone();
        let mut n = 1;
        let mut times = measured(10, |_| {
            n += 1;
            client.replace(URI, &format!("{text}{}", "\n".repeat(n)));
            for lens in &lenses {
                client.request("codeLens/resolve", lens.clone());
            }
        });
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        print(&format!("{name}: edit to all lenses"), &mut times, 30.0, &mut missed);
    }
    let text = spec(20_000);
    let mut client = Client::start();
    client.open(URI, &text);
    client.findings(URI);
    let at = position(&text, "const ratio3 = ");
    let at = json!({ "line": at["line"], "character": 15 });
    let mut sizes = Vec::new();
    for i in 0..10_000 {
        if i % 2 == 0 {
            edit(&mut client, &at, "7", 0)
        } else {
            edit(&mut client, &at, "", 1)
        }
        if i % 100 == 99 {
            client.findings(URI);
            client.waiting.clear();
        }
        if i % 2_500 == 2_499 {
            sizes.push(memory(&client) / 1000);
        }
    }
    println!("memory after 2500, 5000, 7500, 10000 edits: {sizes:?} MB");
    if sizes[3] > sizes[0] + 8 {
        missed.push("memory".into());
    }
    if !missed.is_empty() {
        println!("missed: {missed:?}");
        std::process::exit(1);
    }
}
