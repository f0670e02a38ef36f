//! What is offered while something is typed, as a user sees it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // tests

mod common;

use common::{CHAT, Client, marked, steady};
use insta::assert_snapshot;
use serde_json::{Value, json};

const URI: &str = "untitled:chat.mesa";

fn items(client: &mut Client, text: &str) -> (String, Vec<Value>) {
    let (text, at) = marked(text);
    client.replace(URI, &text);
    let found = client.at("textDocument/completion", URI, &at);
    let line = text.lines().nth(at["line"].as_u64().unwrap() as usize).unwrap_or("");
    (line.to_owned(), found["items"].as_array().cloned().unwrap_or_default())
}

/// What is offered where `‸` stands: those of `wanted`, in the order of the server, the first of
/// them before anything else. What else there is depends on what the library has.
fn offered(client: &mut Client, text: &str, wanted: &str) -> String {
    let (line, items) = items(client, text);
    let mut out = format!("## {line}\n");
    let labels: Vec<&str> = items.iter().map(|i| i["label"].as_str().unwrap()).collect();
    // `…` stands for whatever comes before.
    let first = usize::from(wanted.starts_with('…'));
    let wanted = wanted.trim_start_matches('…');
    for (number, label) in wanted.split_whitespace().enumerate() {
        let at = labels.iter().position(|l| *l == label);
        let at = at.unwrap_or_else(|| panic!("no {label} at {line:?}: {labels:?}"));
        assert!(number + first > 0 || at == 0, "{label} is not the first at {line:?}: {labels:?}");
    }
    for item in items.iter().filter(|i| wanted.split_whitespace().any(|w| i["label"] == w)) {
        let detail = item["detail"].as_str().unwrap_or("");
        let insert = item["textEdit"]["newText"].as_str().unwrap();
        let insert =
            if insert == item["label"] { String::new() } else { format!(" => {insert:?}") };
        let edits = item["additionalTextEdits"][0]["newText"].as_str();
        let edits = edits.map_or(String::new(), |e| format!(" + {e:?}"));
        out += &format!("{} ({detail}){insert}{edits}\n", item["label"].as_str().unwrap());
    }
    out + "\n"
}

#[test]
fn completion_knows_where_it_stands() {
    let mut client = Client::start();
    client.open(URI, CHAT);
    let places = [
        ("shard heads,", "shard he‸", "batch layers seq heads"),
        ("shard heads,", "shard ‸", "batch layers seq ffn heads vocab adapter"),
        ("over tp", "over ‸", "tp"),
        ("over tp", "over tp ‸", "schedule within"),
        ("shard heads, ffn", "shard heads ‸", "over"),
        ("ttft < 4 s", "ttft ‸", "!= < <= == > >="),
        ("chat with", "‸ with", "chat"),
        ("expect ttft < 4 s", "expect ‸", "… cost memory ttft tpot"),
        ("memory.headroom", "memory.‸", "activations capacity headroom weights"),
        ("ttft < 4 s", "ttft < 4 ‸", "… ms s GB"),
        ("Tp(tp: 8)", "‸", "Tp Tensor"),
        ("Tp(tp: 8)", "Tp(‸)", "tp:"),
        ("weights = bf16", "weights = ‸", "… bf16 fp8 int4_g128"),
        ("model  = Llama3_70B", "model  = ‸", "Llama3_70B DeepSeek_V3 Llama3_8B"),
        ("precision.weights = fp8", "precision.‸", "activations cache weights"),
        ("use std.models.Llama3_70B", "use std.models.‸", "… deepseek Llama3_8B"),
        ("use std.models.Llama3_70B", "use std.‸", "… axes chips models systems"),
        ("    batch  = 32\n", "    ‸\n", "batch output prompt"),
        ("/// Heads over", "‸\n/// Heads over", "assume scenario plan"),
        ("  mesh tp\n", "  ‸\n", "context mesh shard zero"),
        ("{ precision.weights = fp8 }", "{ plan.‸ }", "context tp"),
    ];
    let mut shown = String::new();
    for (from, to, wanted) in places {
        shown += &offered(&mut client, &CHAT.replacen(from, to, 1), wanted);
    }
    let further = [
        ("sweep best of ‸\n", "chat chat_fp8"),
        (
            "sweep best of chat {\n  vary ‸\n}\n",
            "plan.tp precision.weights serve.batch serve.prompt",
        ),
        ("sweep best of chat {\n  vary plan.‸\n}\n", "tp"),
        ("sweep best of chat {\n  vary serve.b‸ in [1]\n}\n", "batch"),
        ("measured m \"here\" = chat {\n  ‸\n}\n", "… cost ttft throughput"),
        ("measured m \"here\" = chat {\n  throughput.‸\n}\n", "device user"),
        ("model Half = Llama3_70B with { ‸ }\n", "… activation layers hidden"),
    ];
    for (added, wanted) in further {
        shown += &offered(&mut client, &format!("{CHAT}\n{added}"), wanted);
    }
    assert_snapshot!(shown);
}

#[test]
fn completion_offers_what_can_stand_there() {
    let mut client = Client::start();
    client.open(URI, CHAT);
    let expect = "expect ttft < 4 s";
    let places = [
        // Plans.
        ("mesh tp\n", "mesh tp across ‸\n", "cluster node"),
        ("mesh tp\n", "mesh tp = ‸\n", "… tp rest"),
        ("mesh tp\n", "mesh tp\n  zero ‸\n", "gradients optimizer weights"),
        ("mesh tp\n", "mesh tp\n  zero optimizer ‸\n", "over"),
        ("mesh tp\n", "mesh tp\n  overlap ‸\n", "activations gradients offload weights"),
        ("mesh tp\n", "mesh tp\n  offload { optimizer = ‸ }\n", "host nvme"),
        ("mesh tp\n", "mesh tp\n  micro_batch = ‸\n", "tp"),
        (
            "over tp\n",
            "over tp schedule ‸\n",
            "dual_pipe gpipe interleaved one_f_one_b zero_bubble_h1 zero_bubble_h2",
        ),
        ("over tp\n", "over tp within ‸\n", "GatedMlp GroupedQueryAttention Llama attention wq"),
        // Scenarios.
        ("plan   = Tp(tp: 8)", "plan   = Tp(tp: 8) on ‸", "gpu"),
        ("plan   = Tp(tp: 8)", "plan   = Tp(tp: 8) ‸", "on with"),
        ("model  = Llama3_70B", "model  = Llama3_70B with { ‸ }", "… ffn heads hidden layers"),
        ("weights = bf16, act", "weights ‸, act", "within"),
        ("serve {\n", "train { optimizer = ‸ }\n  serve {\n", "adafactor adam adamw_8bit muon sgd"),
        (expect, "expect ttft < ‸", "latency tpot ttft memory"),
        (expect, "expect ttft < 4 s and ‸", "cost decode tpot"),
        (expect, "expect memory.headroom > 10‸", "%"),
        (expect, "expect cost.per_million_tokens < 3 ‸", "USD"),
        ("chat with {", "chat ‸ {", "with"),
    ];
    let mut shown = String::new();
    for (from, to, wanted) in places {
        assert!(CHAT.contains(from), "{from}");
        shown += &offered(&mut client, &CHAT.replacen(from, to, 1), wanted);
    }
    let further = [
        ("use std.models.{Llama3_8B, ‸}\n", "… Mixtral_8x7B Qwen3_8B"),
        ("use std.chips.B200 ‸\n", "as"),
        ("sweep s of chat {\n  vary precision.weights in [‸]\n}\n", "bf16 fp8"),
        ("sweep s of chat {\n  vary serve.batch in ‸\n}\n", "[] every pow2"),
        ("model M = ‸\n", "Llama3_70B Llama3_8B Llama"),
        ("model M = Llama(‸)\n", "ffn: heads: hidden:"),
        ("model M = Llama3_70B {\n  expect ‸\n}\n", "parameters"),
        ("chip C = H100_SXM with { memory.‸ }\n", "hbm l2"),
        ("chip C = H100_SXM with { memory.hbm.‸ }\n", "bandwidth capacity latency"),
        ("chip C {\n  compute ‸\n}\n", "matrix vector"),
        ("chip C {\n  memory hbm { bandwidth = 3 TB/‸ }\n}\n", "day h min ms s"),
        ("system S {\n  chip gpu = B200\n  level node = 8 ‸\n}\n", "of"),
        ("system S {\n  chip gpu = B200\n  level node = 8 of gpu ‸\n}\n", "via"),
        ("system S {\n  chip gpu = B200\n  memory host at ‸\n}\n", "gpu"),
        ("assume a: ‸\n", "… Count Number Time"),
        ("assume a: Number = 0.5 ‸\n", "% because in source"),
        ("fn f(wide: Number) -> ‸\n", "… Time"),
        ("fn f(wide: Number) -> Time = ‸\n", "wide"),
        ("block B(n: Count) {\n  weight w[‸]\n}\n", "n"),
        ("block B(n: Count) {\n  weight w[n] ‸\n}\n", "density dtype from"),
        ("block B(n: Count) {\n  input x[batch, n]\n  y = softmax(‸)\n}\n", "x a: over:"),
        ("block B(n: Count) {\n  input x[batch, n]\n  y = softmax(x, ‸)\n}\n", "over: causal:"),
        ("block B(n: Count) {\n  input x[batch, n]\n  y = softmax(x, over: ‸)\n}\n", "n batch"),
        ("op o(a: Tensor[..A]) -> Tensor[..A] {\n  engine = ‸\n}\n", "matrix vector"),
    ];
    for (added, wanted) in further {
        shown += &offered(&mut client, &format!("{CHAT}\n{added}"), wanted);
    }
    steady(|| assert_snapshot!(shown));
}

#[test]
fn completion_offers_nothing_that_cannot_stand_there() {
    let mut client = Client::start();
    client.open(URI, CHAT);
    let offers = |client: &mut Client, text: &str| -> Vec<String> {
        let (_, items) = items(client, text);
        items.iter().map(|i| i["label"].as_str().unwrap().to_owned()).collect()
    };
    for new in [
        "scenario ‸\n",
        "metric ‸\n",
        "block B(‸) {\n}\n",
        "plan P(a: Count, ‸) {\n}\n",
        "use std.chips.B200 as ‸\n",
        "system S {\n  level ‸\n}\n",
    ] {
        let text = format!("{CHAT}\n{new}");
        assert_eq!(offers(&mut client, &text), Vec::<String>::new(), "a name that is new: {new}");
    }
    // What trains has no time to the first token, and what serves no steps.
    let serves = offers(&mut client, &CHAT.replacen("ttft < 4 s", "‸", 1));
    assert!(!serves.iter().any(|l| ["step", "run", "hfu"].contains(&l.as_str())), "{serves:?}");
    let trains = CHAT.replace("serve {", "train {").replacen("ttft < 4 s", "‸", 1);
    let trains = offers(&mut client, &trains);
    assert!(trains.iter().any(|l| l == "step"), "{trains:?}");
    assert!(!trains.iter().any(|l| ["ttft", "decode"].contains(&l.as_str())), "{trains:?}");
    // A name that stands in the braces already, a mesh axis where its own name is being typed.
    let import = offers(&mut client, "use std.models.{Llama3_8B, ‸}\n");
    assert!(!import.iter().any(|l| l == "Llama3_8B"));
    let mesh = offers(&mut client, &CHAT.replacen("mesh tp\n", "mesh t‸\n", 1));
    assert_eq!(mesh, ["tp"]);
    // Counts and shares have no unit.
    let batch = offers(&mut client, &CHAT.replacen("batch  = 32", "batch  = 32 ‸", 1));
    assert!(!batch.iter().any(|l| l == "%" || l == "GB"), "{batch:?}");
    let share = offers(&mut client, &CHAT.replacen("headroom > 10%", "headroom > 10‸", 1));
    assert!(!share.iter().any(|l| l == "GB"), "{share:?}");
    // Objects are no numbers.
    let count = offers(&mut client, &CHAT.replacen("tp: 8)", "tp: ‸)", 1));
    assert!(!count.iter().any(|l| l == "DGX_H100" || l == "Llama3_70B"), "{count:?}");
}

#[test]
fn completion_in_hardware_and_blocks() {
    let mut client = Client::start();
    client.open(URI, "");
    let places = [
        ("chip Mine {\n  ‸\n}\n", "… power price processors source"),
        ("chip Mine {\n  compute matrix { ‸ }\n}\n", "… bf16 fp8"),
        ("chip Mine {\n  memory hbm { ‸ }\n}\n", "bandwidth capacity"),
        ("chip Mine {\n  memory hbm { capacity = 80 ‸ }\n}\n", "… GB GiB"),
        ("chip Mine {\n  memory hbm { bandwidth = 3.35 T‸ }\n}\n", "… GB/s TB/s"),
        ("link Wire {\n  topology = ‸\n}\n", "… switch torus"),
        ("system Box {\n  chip gpu = H100_SXM\n  level node = 8 of ‸\n}\n", "gpu"),
        ("system Box {\n  chip gpu = ‸\n}\n", "… A10 H100_SXM"),
        ("block B(n: Count) {\n  input x[batch, ‸]\n}\n", "… n seq"),
        ("block B(n: Count) {\n  input x[batch, seq, n]\n  y = ‸\n}\n", "… n x rope softmax"),
        ("fn f(x: ‸) -> Time = x\n", "… Axis Link Time"),
        ("fn f(wire: Link) -> Time = wire.‸\n", "bandwidth latency"),
        ("metric mine for ‸\n", "serve encode generate train"),
        ("runtime Fast {\n  gemm‸\n}\n", "… gemm_efficiency"),
        ("const a = 3 + ‸\n", "… among ceil"),
    ];
    let shown: String =
        places.iter().map(|(text, wanted)| offered(&mut client, text, wanted)).collect();
    assert_snapshot!(shown);
    assert_eq!(items(&mut client, "// a comm‸ent\n").1, Vec::<Value>::new());
}

#[test]
fn of_thousands_of_names_those_are_offered_that_go_on_from_what_is_typed() {
    let many: String = (0..3000).map(|n| format!("const width{n} = {n}\n")).collect();
    let mut client = Client::start();
    client.open(URI, "");
    let (text, at) = marked(&format!("{many}const all = ‸\n"));
    client.replace(URI, &text);
    let found = client.at("textDocument/completion", URI, &at);
    assert_eq!(found["isIncomplete"], true);
    let all = found["items"].as_array().unwrap();
    assert!(all.len() <= 500, "{}", all.len());
    // The nearest are there before a letter is typed, and whatever fits afterwards.
    assert!(all.iter().any(|i| i["label"] == "width2999"));
    let (_, some) = items(&mut client, &format!("{many}const all = width17‸\n"));
    assert!(some.iter().any(|i| i["label"] == "width17"));
    assert!(some.iter().all(|i| i["label"] != "width2999"));
}

#[test]
fn completion_without_snippets_offers_words_alone() {
    let plain = json!({ "textDocument": { "completion": { "completionItem": { "snippetSupport": false } } } });
    let mut client = Client::with(plain, json!({}));
    client.open(URI, "\n");
    let found = client.at("textDocument/completion", URI, &json!({ "line": 0, "character": 0 }));
    for item in found["items"].as_array().unwrap() {
        assert_eq!(item["textEdit"]["newText"], item["label"]);
    }
}

#[test]
fn a_parenthesis_that_is_not_closed_does_not_swallow_the_next_line() {
    let mut client = Client::start();
    client.open(URI, CHAT);
    for (line, wanted) in [
        ("  serve { ‸ }", "batch"),
        ("  se‸ {", "serve"),
        ("  serve.‸ = 4", "batch"),
        ("  expect ‸", "ttft"),
        ("  expect memory.‸", "headroom"),
    ] {
        let text = CHAT.replace("Tp(tp: 8)\n", &format!("Tp(tp: 8\n{line}\n"));
        let (_, items) = items(&mut client, &text);
        let labels: Vec<&str> = items.iter().map(|i| i["label"].as_str().unwrap()).collect();
        assert!(labels.contains(&wanted), "{line}: {labels:?}");
        assert!(!labels.contains(&"tp:"), "{line}: {labels:?}");
    }
    // An argument may stand on a line of its own.
    let text = CHAT.replace("Tp(tp: 8)\n", "Tp(\n    ‸\n  )\n");
    let (_, items) = items(&mut client, &text);
    assert_eq!(items[0]["label"], "tp:");
}
