//! Models that generate nothing: what their scenarios have, what they have not, and why.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use std::path::Path;

use common::{Outcome, Run};
use mesa::source::{Origin, SourceFile, Sources};

const USES: &str = "use std.layers.{Encoder, Llama}\nuse std.models.{Llama3_8B, ModernBert_Base}\n\
                    use std.systems.{DGX_H100, H100_SXM_1}\n";

/// A scenario with a model on eight devices, after items that it may name.
fn scenario(items: &str, model: &str, serve: &str, rest: &str) -> String {
    format!(
        "{USES}{items}\nscenario s {{\n  model = {model}\n  system = H100_SXM_1\n  \
         serve {{ {serve} }}\n{rest}}}\n"
    )
}

const SERVE: &str = "batch = 8, prompt = 512";

/// An encoder, a classifier and an embedder made of a decoder, and that decoder.
const SMALL: &str = r#"
model Bert = Encoder(layers: 2, hidden: 256, heads: 4, ffn: 1024, vocab: 1000) {
  source = "a test"
}
model Chat = Llama(layers: 2, hidden: 256, heads: 4, ffn: 1024, vocab: 1000) {
  source = "a test"
}
model Judge = Chat with { labels = 1 } {
  source = "a test"
}
model Embedder = Chat with { headless = true } {
  source = "a test"
}
/// Attention of a user's own, without a cache; another that keeps what it saw.
block Looks(heads: Count, head_dim: Count, kept: Bool) {
  input x[batch, seq, hidden]
  weight wq[hidden, heads, head_dim]
  weight wo[heads, head_dim, hidden]
  q[batch, seq, heads, head_dim] = x * wq
  if kept {
    keys = cache(q, rename: seq -> ctx)
  } else {
    keys = view(q, rename: seq -> ctx)
  }
  scores[batch, heads, seq, ctx] = q * keys
  p = softmax(scores, over: ctx)
  mixed[batch, seq, heads, head_dim] = p * keys
  y[batch, seq, hidden] = mixed * wo
  output y
}
block Stack(hidden: Count, layers: Count, vocab: Count, kept: Bool) {
  input tokens[batch, seq]
  weight table[vocab, hidden]
  x[batch, seq, hidden] = lookup(table, tokens)
  repeat i in layers carry x {
    seen = Looks(x, heads: 4, head_dim: 64, kept:)
    x    = x + seen
  }
  last = pick(x, rename: seq -> positions)
  logits[batch, positions, vocab] = last * table
  output logits
}
model Forgets = Stack(hidden: 256, layers: 2, vocab: 1000, kept: false) {
  source = "a test"
}
model Keeps = Stack(hidden: 256, layers: 2, vocab: 1000, kept: true) {
  source = "a test"
}
/// Only pictures go through it.
block Sees(width: Count, pixel: Count, patches: Count, labels: Count) {
  input pixels[images, patches, pixel] from "pixel_values"
  weight w[pixel, width]
  weight w_label[width, labels]
  x[images, patches, width]  = pixels * w
  y[images, patches, labels] = x * w_label
  output y
}
model Pictures = Sees(width: 64, pixel: 768, patches: 196, labels: 10) {
  source = "a test"
}
"#;

fn of(model: &str) -> Outcome {
    Run::one(&scenario(SMALL, model, "batch = 8, prompt = 512, output = 1", ""))
}

fn generates(out: &Outcome) -> bool {
    let of_decode = |path: &str| {
        let all = ["decode", "ttft", "tpot", "throughput.user", "cost.per_million_output"];
        all.iter().any(|root| path.starts_with(root)) || path.contains(".decode.")
    };
    let found = out.numbers.keys().chain(out.words.keys()).filter(|p| of_decode(p)).count();
    assert!(found == 0 || found > 20, "{:#?}", out.numbers.keys());
    found > 0
}

#[test]
fn what_a_model_puts_out_and_keeps_says_whether_it_generates() {
    for model in ["Chat", "Keeps", "Llama3_8B"] {
        assert!(generates(&of(model)), "{model}");
    }
    for model in ["Bert", "Judge", "Embedder", "Forgets", "ModernBert_Base"] {
        assert!(!generates(&of(model)), "{model}");
    }
}

#[test]
fn pictures_alone_are_no_tokens() {
    let text = scenario(SMALL, "Pictures", "batch = 8, images = 2", "");
    let out = Run::one(&text);
    assert_eq!(out.get("throughput.requests"), 8.0 / out.get("prefill.time"));
    for path in ["throughput.system", "energy.per_token", "cost.per_million_input"] {
        assert!(!out.numbers.contains_key(path), "{path}");
    }
    let run = Run::of(&scenario(SMALL, "Bert", "batch = 8", ""));
    assert!(run.finding("E0213").title.contains("`prompt`"));
}

#[test]
fn configs_of_encoders_and_of_scores_alone_generate_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let expected = [
        "albert-base-v2",
        "all-mpnet-base",
        "bert-large-ner",
        "bge-m3",
        "bge-reranker-v2-m3",
        "deberta-v3-base-nli",
        "distilbert-sst2",
        "electra-small",
        "gte-reranker-modernbert",
        "internlm2-7b-reward",
        "modernbert-base",
        "oasst-rm-pythia-1.4b",
        "skywork-reward-8b",
    ];
    let others = [
        "bart-base",
        "t5-small",
        "whisper-large-v3",
        "qwen3-0.6b",
        "mamba2-2.7b",
        "deepseek-ocr",
        "gemma-4-e2b",
        "rwkv6-world-7b",
        "qwen2-audio-7b",
        "paligemma-3b",
        "kimi-linear-48b",
    ];
    for (name, encodes) in expected.map(|n| (n, true)).into_iter().chain(others.map(|n| (n, false)))
    {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new("config.json", text.as_str(), Origin::User));
        let model = mesa::import::import(&text, file, "Imported").text.unwrap();
        let text = format!(
            "{model}\nuse std.systems.H200_SXM_1\nscenario s {{\n  model = Imported\n  system = \
             H200_SXM_1\n  serve {{ {SERVE}, output = 1 }}\n}}\n"
        );
        let run = Run::of(&text);
        assert_eq!(generates(&run.scenarios["s"]), !encodes, "{name}");
    }
}

#[test]
fn a_pass_is_all_that_an_encoder_does() {
    let out = of("Bert");
    let at = |path: &str| out.get(path);
    assert_eq!(at("memory.cache"), 0.0);
    assert_eq!(at("throughput.system"), 8.0 * 512.0 / at("prefill.time"));
    assert_eq!(at("throughput.requests"), 8.0 / at("prefill.time"));
    assert!(at("latency") > at("prefill.time"));
    let read = at("power.total") / at("throughput.system");
    assert!((at("energy.per_token") / read - 1.0).abs() < 1e-12);
    assert!(at("power.device") > at("machine.idle") && at("power.device") < at("machine.tdp"));
    assert!(at("cost.per_million_input") > 0.0);
}

#[test]
fn an_output_that_nobody_generates_changes_nothing_and_is_said() {
    let of = |serve: &str| Run::of(&scenario(SMALL, "Bert", serve, ""));
    let [none, one, many] =
        ["", ", output = 1", ", output = 256"].map(|more| of(&format!("{SERVE}{more}")));
    for other in [&one, &many] {
        assert_eq!(other.scenarios["s"].numbers, none.scenarios["s"].numbers);
    }
    assert!(none.findings.is_empty() && one.findings.is_empty(), "{:#?}", one.findings);
    assert_eq!(many.findings.len(), 1, "{:#?}", many.findings);
    assert!(many.finding("W0506").title.contains("generates nothing"));
    // A decoder needs one, whatever else is wrong.
    let wanted = Run::of(&scenario(SMALL, "Chat", SERVE, ""));
    assert!(wanted.finding("E0213").title.contains("`output`"));
    let wrong = scenario(SMALL, "Bert", SERVE, "  plan = Nothing(tp: 2)\n");
    let run = Run::of(&wrong);
    assert_eq!(run.findings.len(), 1, "{:#?}", run.findings);
}

#[test]
fn asking_for_what_follows_generation_says_why_it_is_not_there() {
    for what in [
        "tpot < 1 s",
        "ttft < 1 s",
        "decode.mid.time < 1 s",
        "throughput.user > 1 tok/s",
        "cost.per_million_output < 1 USD",
    ] {
        let run = Run::of(&scenario(SMALL, "Judge", SERVE, &format!("  expect {what}\n")));
        assert_eq!(run.findings.len(), 1, "{what}: {:#?}", run.findings);
        let found = run.finding("E0220");
        assert!(found.notes[0].contains("ends in a score or an embedding"), "{what}: {found:#?}");
    }
    // What the machine does not state is another reason.
    let text = scenario(SMALL, "Bert", SERVE, "  expect cost.per_hour < 1 USD/h\n")
        .replace("H100_SXM_1", "RTX_4090_1");
    let run = Run::of(&text);
    assert!(run.finding("E0220").notes[0].contains("`price`"), "{:#?}", run.findings);
    let measured = scenario(SMALL, "Bert", SERVE, "")
        + "measured m = s with { serve.batch = 1 } {\n  tpot = 1 ms source \"a log\"\n}\n";
    let run = Run::of(&measured);
    assert!(run.finding("E0220").notes[0].contains("generates nothing"), "{:#?}", run.findings);
}

#[test]
fn plans_for_phases_want_a_model_that_has_both() {
    let plan = "plan Tp(tp: Count) {\n  mesh tp\n  shard heads, ffn over tp\n}\n";
    let both = "  plan { prefill = Tp(tp: 4), decode = Tp(tp: 4) }\n";
    let text = scenario(&format!("{SMALL}{plan}"), "Bert", SERVE, both);
    let run = Run::of(&text.replace("H100_SXM_1", "DGX_H100"));
    let found = run.finding("E0526");
    assert!(found.title.contains("generates nothing"), "{found:#?}");
}

#[test]
fn a_metric_is_for_what_serves_what_generates_or_what_encodes() {
    let metrics = "
metric own for generate = 2 * tpot
metric own for encode = 3 * prefill.time
metric both for serve = 5 * own
metric gone for serve = 7 * tpot
";
    let [chat, bert] = ["Chat", "Bert"].map(|model| {
        let items = format!("{SMALL}{metrics}");
        Run::one(&scenario(&items, model, "batch = 8, prompt = 512, output = 4", ""))
    });
    assert_eq!(chat.get("both"), 10.0 * chat.get("tpot"));
    assert_eq!(bert.get("both"), 15.0 * bert.get("prefill.time"));
    assert!(chat.numbers.contains_key("gone") && !bert.numbers.contains_key("gone"));
    let codes = |metrics: &str| -> Vec<&str> {
        let text = scenario(metrics, "Llama3_8B", "batch = 1, prompt = 8, output = 8", "");
        let program = mesa::Program::of_text("test.mesa", &text);
        let found = mesa::check(&program);
        let found = found.iter().filter(|d| d.severity == mesa::diagnostic::Severity::Error);
        found.map(|d| d.code.id()).collect()
    };
    let twice = |a: &str, b: &str| codes(&format!("metric x for {a}\nmetric x for {b}\n"));
    assert!(twice("generate = 1", "encode = 2").is_empty());
    assert!(twice("serve {\n  a = 1\n}", "generate {\n  b = 2\n}").is_empty());
    assert_eq!(twice("serve = 1", "generate = 2"), ["E0205"]);
    assert_eq!(twice("serve {\n  a = 1\n}", "encode {\n  a = 2\n}"), ["E0205"]);
    assert_eq!(twice("encode = 1", "encode = 2"), ["E0205"]);
    assert_eq!(codes("metric x for decode = 1\n"), ["E0201"]);
}

#[test]
fn a_report_of_an_encoder_shows_its_pass_and_no_tokens() {
    let text = scenario(SMALL, "Bert", SERVE, "  expect latency < 1 s\n");
    let program = mesa::Program::of_text("bert.mesa", &text);
    let changes = mesa::evaluation::Changes::default();
    let module = program.roots[0];
    let mut evaluation = mesa::evaluation::evaluate(&program, module, &[], &changes);
    let report = mesa::report::build(&mut evaluation);
    let look = mesa::report::Look { color: false, ascii: false };
    insta::assert_snapshot!(mesa::report::text(&report, look));
}
