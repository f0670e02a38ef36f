//! Speed as an editor feels it, through a real process: from sending a message to its answer.
//!
//! `cargo bench -p mesa-lsp` prints one line for each question and size, with the limit it is held
//! to, and fails where the limit is missed by more than five of a hundred. `MESA_LSP` names another
//! server to measure; a word behind `--` picks the parts to run: `cargo bench -p mesa-lsp -- 1MB`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod clock;
#[path = "../../tests/common/mod.rs"]
mod common;
mod texts;

use std::time::{Duration, Instant};

use clock::{Book, Times, memory};
use common::{Client, position};
use serde_json::{Value, json};
use texts::{Kind, spec};

const URI: &str = "untitled:bench.mesa";

/// Limits in milliseconds.
struct Limits {
    findings: f64,
    hover: f64,
    completion: f64,
    tokens: f64,
}

const SMALL: Limits = Limits { findings: 5.0, hover: 1.0, completion: 5.0, tokens: 3.0 };
const LARGE: Limits = Limits { findings: 40.0, hover: 2.0, completion: 10.0, tokens: 60.0 };

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let runs = |part: &str| wanted.is_empty() || wanted.iter().any(|w| part.contains(w.as_str()));
    let mut book = Book::default();
    if runs("start") {
        start_and_end(&mut book);
    }
    for kind in [Kind::Machines, Kind::Models] {
        for (size, name, limits) in [(20_000, "20KB", SMALL), (1_000_000, "1MB", LARGE)] {
            let part = format!("{name} {}", kind.name());
            if runs(&part) {
                typing(&mut book, &part, &spec(kind, size), &limits);
            }
        }
    }
    if runs("import") {
        imports(&mut book);
    }
    if runs("examples") {
        examples(&mut book);
    }
    if runs("beside") {
        beside_evaluation(&mut book);
    }
    if runs("memory") {
        ten_thousand_edits(&mut book);
    }
    if !book.missed.is_empty() {
        println!("missed: {:#?}", book.missed);
        std::process::exit(1);
    }
}

fn start_and_end(book: &mut Book) {
    let measured = |count: usize, one: &dyn Fn()| {
        let each = (0..count).map(|_| {
            let start = Instant::now();
            one();
            start.elapsed()
        });
        Times::alone(each.collect())
    };
    book.enter("start to initialized", &measured(30, &|| drop(Client::start())), 15.0);
    let end = measured(5, &|| {
        let mut client = Client::start();
        client.request("shutdown", Value::Null);
        client.notify("exit", Value::Null);
        client.code(Duration::from_secs(5)).expect("an end");
    });
    book.enter("start to end, by exit", &end, 1000.0);
}

/// What is typed at `at`, and then deleted again, turn by turn.
fn type_at(client: &mut Client, uri: &str, at: &Value, text: &str, turn: usize) {
    let mut end = at.clone();
    let gone = if turn.is_multiple_of(2) { "" } else { text };
    let last = gone.rsplit('\n').next().unwrap();
    let lines = gone.matches('\n').count() as u64;
    let column = if lines > 0 { 0 } else { at["character"].as_u64().unwrap() };
    end["line"] = json!(at["line"].as_u64().unwrap() + lines);
    end["character"] = json!(column + last.encode_utf16().count() as u64);
    let text = if turn.is_multiple_of(2) { text } else { "" };
    client.change(uri, json!([{ "range": { "start": at, "end": end }, "text": text }]));
}

/// The position `skip` characters behind the start of `needle`.
fn behind(text: &str, needle: &str, skip: usize) -> Value {
    let mut at = position(text, needle);
    at["character"] = json!(at["character"].as_u64().unwrap() + skip as u64);
    at
}

fn params(at: &Value) -> Value {
    json!({ "textDocument": { "uri": URI }, "position": at })
}

fn typing(book: &mut Book, part: &str, text: &str, limits: &Limits) {
    let mut client = Client::start();
    let opened = Instant::now();
    client.open(URI, text);
    let some = client.first_findings(URI).len();
    let first = opened.elapsed().as_secs_f64() * 1e3;
    println!("{part}: {some} findings {first:.0} ms after it was opened");
    client.expect("mesa/evaluated");
    println!("{part}: all {:.0} ms after it was opened", opened.elapsed().as_secs_f64() * 1e3);
    client.waiting.clear();
    println!("{part}: {} MB", memory(&client));
    let large = text.len() > 100_000;
    let rounds = if large { 60 } else { 200 };
    let middle = text.matches("\nscenario run").count() / 2;
    let middle = (middle / 2..).find(|n| text.contains(&format!("scenario run{n} {{"))).unwrap();
    // A digit typed into a number, a letter into a comment, a bracket, a line, half a statement.
    let mut places = vec![
        ("a comment", behind(text, "/// Link number", 6), "x"),
        ("a constant", behind(text, &format!("const ratio{middle} = "), 14 + digits(middle)), "7"),
        ("a workload", below(text, &format!("scenario run{middle} {{"), 5, 15), "1"),
        ("the plan of all", behind(text, "plan Tp(tp: Count = 8", 20), "1"),
        ("a statement", below(text, &format!("scenario run{middle} {{"), 4, 0), "  expect tt"),
        ("a bracket", below(text, &format!("scenario run{middle} {{"), 7, 0), "}"),
        ("a name", behind(text, &format!("const ratio{middle} = "), 8), "q"),
    ];
    if text.contains("chip Chip") {
        places.push(("a chip", behind(text, &format!("bf16 = {}.5", 900 + middle), 9), "1"));
    } else {
        places.push(("a block of nine models", behind(text, "h[batch, seq, inner]", 30), "x"));
        places.push(("a model", behind(text, &format!("model Family{middle}"), 40), "2"));
    }
    // What moves every place, changes what names mean, or matters to every scenario.
    let wide =
        ["the plan's text", "a bracket of the plan", "an open string", "a unit", "many items"];
    let more: Vec<String> = (0..100).map(|n| format!("const more{n} = {n} * ratio1\n")).collect();
    let more = more.concat();
    places.extend([
        ("the plan's text", behind(text, "shard heads, ffn", 11), ", kv_heads"),
        ("a bracket of the plan", behind(text, "mesh tp", 7), "{"),
        ("an open string", behind(text, "mesh tp", 7), "\""),
        ("an import", behind(text, "use std.systems.DGX_A100", 0), "use std.chips.B200\n"),
        ("an item above all", behind(text, "plan Tp", 0), "const top = 3\n"),
        ("a unit", behind(text, "plan Tp", 0), "unit foo = 3 GB\n"),
        ("many items", behind(text, "plan Tp", 0), &more),
    ]);
    for (what, at, typed) in &places {
        let mut all = Vec::new();
        let wide = wide.contains(what);
        // In a large file, so does the number in the plan of all.
        let wide = wide || large && *what == "the plan of all";
        let rounds = if wide && large { 6 } else { rounds };
        let times = Times::answered(&mut client, rounds, |client, turn| {
            let start = Instant::now();
            type_at(client, URI, at, typed, turn);
            client.first_findings(URI);
            let first = client.arrived;
            client.expect("mesa/evaluated");
            all.push(client.arrived.saturating_duration_since(start));
            first
        });
        book.enter(&format!("{part}: edit of {what} to findings"), &times, limits.findings);
        // What many scenarios use is followed into all of them later.
        let limit = if wide { f64::INFINITY } else { limits.findings };
        book.enter(&format!("{part}: edit of {what} to all"), &Times::alone(all), limit);
    }
    let number = &places[1].1;
    let hovers = [
        ("a system", behind(text, &format!("scenario run{middle} {{"), 10)),
        ("a batch", below(text, &format!("scenario run{middle} {{"), 5, 6)),
        ("a constant", behind(text, &format!("const ratio{middle} = "), 8)),
        ("a library's name", behind(text, "use std.models.Llama3_70B", 17)),
        ("a plan", below(text, &format!("scenario run{middle} {{"), 3, 12)),
    ];
    for (what, at) in &hovers {
        let times = Times::answered(&mut client, rounds, |client, _| {
            client.request("textDocument/hover", params(at));
            client.arrived
        });
        book.enter(&format!("{part}: hover over {what}"), &times, limits.hover);
        after_edits(
            book,
            &mut client,
            number,
            rounds,
            limits.hover,
            (&format!("{part}: hover over {what} after an edit"), "textDocument/hover", params(at)),
        );
    }
    let completions = [
        ("a value", below(text, &format!("scenario run{middle} {{"), 1, 11)),
        ("a statement", below(text, &format!("scenario run{middle} {{"), 4, 2)),
        ("a result", below(text, "  expect memory.headroom", 0, 9)),
        ("below a name", below(text, "  expect memory.headroom", 0, 16)),
        (
            "a kind of item",
            json!({ "line": position(text, "\nconst ratio2 ")["line"], "character": 0 }),
        ),
    ];
    for (what, at) in &completions {
        let times = Times::answered(&mut client, rounds, |client, _| {
            client.request("textDocument/completion", params(at));
            client.arrived
        });
        book.enter(&format!("{part}: completion of {what}"), &times, limits.completion);
        after_edits(
            book,
            &mut client,
            number,
            rounds,
            limits.completion,
            (
                &format!("{part}: completion of {what} after an edit"),
                "textDocument/completion",
                params(at),
            ),
        );
    }
    let whole = json!({ "textDocument": { "uri": URI } });
    let times = Times::answered(&mut client, rounds.min(40), |client, _| {
        client.request("textDocument/semanticTokens/full", whole.clone());
        client.arrived
    });
    book.enter(&format!("{part}: semantic tokens"), &times, limits.tokens);
    after_edits(
        book,
        &mut client,
        number,
        rounds.min(40),
        limits.tokens,
        (
            &format!("{part}: semantic tokens after an edit"),
            "textDocument/semanticTokens/full",
            whole.clone(),
        ),
    );
    let full = client.request("textDocument/semanticTokens/full", whole.clone());
    let mut id = full["resultId"].clone();
    let mut each = Vec::new();
    for turn in 0..rounds.min(40) {
        type_at(&mut client, URI, number, "7", turn);
        client.findings(URI);
        let mut params = whole.clone();
        params["previousResultId"] = id;
        let asked = Instant::now();
        let delta = client.request("textDocument/semanticTokens/full/delta", params);
        each.push(client.arrived.saturating_duration_since(asked));
        id = delta["resultId"].clone();
    }
    let delta = format!("{part}: change of semantic tokens after an edit");
    book.enter(&delta, &Times::alone(each), limits.tokens);
    println!("{part}: {} MB in the end", memory(&client));
}

/// The time of a question right after an edit whose findings have come.
fn after_edits(
    book: &mut Book,
    client: &mut Client,
    at: &Value,
    rounds: usize,
    limit: f64,
    (what, method, params): (&str, &str, Value),
) {
    let mut each = Vec::new();
    for turn in 0..rounds / 2 * 2 {
        type_at(client, URI, at, "7", turn);
        client.findings(URI);
        let asked = Instant::now();
        client.request(method, params.clone());
        each.push(client.arrived.saturating_duration_since(asked));
    }
    book.enter(what, &Times::alone(each), limit);
}

fn digits(n: usize) -> usize {
    n.to_string().len()
}

/// The position `column` in the line `lines` below the one where `needle` stands.
fn below(text: &str, needle: &str, lines: u64, column: u64) -> Value {
    json!({ "line": position(text, needle)["line"].as_u64().unwrap() + lines, "character": column })
}

/// Typing in a file that other open files import.
fn imports(book: &mut Book) {
    let folder = std::env::temp_dir().join(format!("mesa-bench-{}", std::process::id()));
    let uri = |name: &str| format!("file://{}/{name}", folder.display());
    let mut client = Client::start();
    let parts = uri("parts.mesa");
    let shared = spec(Kind::Machines, 20_000);
    client.open(&parts, &shared);
    client.findings(&parts);
    let users: Vec<String> = (0..10).map(|n| uri(&format!("user{n}.mesa"))).collect();
    for (n, user) in users.iter().enumerate() {
        let own = spec(Kind::Models, 20_000);
        let text = format!("use \"./parts.mesa\".{{System{0}}}\nuse \"./parts.mesa\".{{Chip{0}}}\n{own}
scenario imported = run3 with {{ system = System{0} }}\nchip More = Chip{0} with {{ memory.hbm.capacity = 90 GB }}\n", n + 1);
        client.open(user, &text);
        client.findings(user);
    }
    let at = behind(&shared, "bf16 = 902", 9);
    let times = Times::answered(&mut client, 100, |client, turn| {
        type_at(client, &parts, &at, "1", turn);
        client.findings(&parts);
        client.arrived
    });
    book.enter("20KB imported by ten: edit to its own findings", &times, SMALL.findings);
    client.waiting.clear();
    let times = Times::answered(&mut client, 60, |client, turn| {
        type_at(client, &parts, &at, "1", turn);
        for _ in 0..users.len() + 1 {
            client.expect("mesa/evaluated");
        }
        client.arrived
    });
    book.enter("20KB imported by ten: edit to all findings", &times, 40.0);
}

fn text_of_examples() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let mut all: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "mesa"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// The examples, as an editor asks after every keystroke: every lens, and the hints of the text.
fn examples(book: &mut Book) {
    for (name, text) in text_of_examples() {
        let mut client = Client::start();
        client.open(URI, &text);
        client.findings(URI);
        let lenses = client.of("textDocument/codeLens", URI).as_array().unwrap().clone();
        let at = json!({ "line": 0, "character": 4 });
        let times = Times::answered(&mut client, 20, |client, turn| {
            type_at(client, URI, &at, "x", turn);
            let ids: Vec<i64> = lenses
                .iter()
                .filter(|l| l.get("command").is_none())
                .map(|lens| client.ask("codeLens/resolve", lens.clone()))
                .collect();
            for id in ids {
                client.answer(id).unwrap();
            }
            client.arrived
        });
        book.enter(&format!("{name}: edit to all {} lenses", lenses.len()), &times, 30.0);
        let lines = text.lines().count();
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": lines, "character": 0 } });
        let times = Times::answered(&mut client, 20, |client, turn| {
            type_at(client, URI, &at, "x", turn);
            let params = json!({ "textDocument": { "uri": URI }, "range": range });
            client.request("textDocument/inlayHint", params);
            client.arrived
        });
        book.enter(&format!("{name}: edit to hints"), &times, 30.0);
    }
}

/// Answers to typing while scenarios are evaluated: what is asked for after every keystroke.
fn beside_evaluation(book: &mut Book) {
    let text = spec(Kind::Models, 20_000);
    let mut client = Client::start();
    client.open(URI, &text);
    client.findings(URI);
    let at = behind(&text, "const ratio5 = ", 15);
    let lenses = client.of("textDocument/codeLens", URI).as_array().unwrap().clone();
    let word = below(&text, "scenario run5 {", 1, 11);
    let (mut findings, mut completions) = (Vec::new(), Vec::new());
    for turn in 0..100 {
        for lens in &lenses {
            client.ask("codeLens/resolve", lens.clone());
        }
        let start = Instant::now();
        type_at(&mut client, URI, &at, "7", turn);
        client.findings(URI);
        findings.push(client.arrived - start);
        let start = Instant::now();
        client.request("textDocument/completion", params(&word));
        completions.push(client.arrived - start);
        client.waiting.clear();
    }
    let (findings, completions) = (Times::alone(findings), Times::alone(completions));
    book.enter("beside evaluation, 20KB: edit to findings", &findings, SMALL.findings);
    book.enter("beside evaluation, 20KB: completion", &completions, SMALL.completion);
}

/// Memory, with everything asked for that an editor asks.
fn ten_thousand_edits(book: &mut Book) {
    let text = spec(Kind::Models, 20_000);
    let mut client = Client::start();
    client.open(URI, &text);
    client.findings(URI);
    let at = behind(&text, "const ratio3 = ", 15);
    let hover = below(&text, "scenario run3 {", 3, 12);
    let mut sizes = Vec::new();
    for i in 0..10_000 {
        // Other words each time: what is typed is not what was typed before.
        if i % 2 == 0 {
            type_at(&mut client, URI, &at, &format!(" + {i}"), 0);
        } else {
            type_at(&mut client, URI, &at, &format!(" + {}", i - 1), 1);
        }
        if i % 20 == 19 {
            client.findings(URI);
            client.request("textDocument/hover", params(&hover));
            client.of("textDocument/semanticTokens/full", URI);
            client.waiting.clear();
        }
        if i % 2_500 == 2_499 {
            sizes.push(memory(&client));
        }
    }
    println!("memory after 2500, 5000, 7500, 10000 edits: {sizes:?} MB");
    if sizes[3] > sizes[0] + 8 {
        book.missed.push("memory".into());
    }
}
