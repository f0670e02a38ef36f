//! How tensors of small models lie over a mesh, and what is sent where one op wants them otherwise
//! than the last left them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};

const NET: &str = "
use std.systems.DGX_H100
use std.layers.{GroupedQueryAttention, RmsNorm, GatedMlp}
block Head(vocab: Count) {
  input x[batch, seq, hidden]
  last = pick(x, rename: seq -> positions)
  weight head[hidden, vocab]
  logits[batch, positions, vocab] = last * head
  output logits
}
";

/// A model of four layers of 8 heads of 16 and 256 channels around a body.
fn net(body: &str, plan: &str, prompt: u64) -> Run {
    Run::of(&format!(
        "{NET}
block Net(layers: Count, hidden: Count, heads: Count, ffn: Count, vocab: Count) {{
  input tokens[batch, seq]
  weight table[vocab, hidden]
  x[batch, seq, hidden] = lookup(table, tokens)
  repeat i in layers carry x {{
{body}
  }}
  logits = Head(x, vocab:)
  output logits
}}
model M = Net(layers: 4, hidden: 128, heads: 8, ffn: 256, vocab: 1024)
plan P {{
{plan}
}}
scenario s {{
  model = M
  system = DGX_H100
  plan = P
  serve {{ batch = 2, prompt = {prompt}, output = 2 }}
}}
"
    ))
}

const PARALLEL: &str = "
    norm      = RmsNorm(x)
    attention = GroupedQueryAttention(norm, heads:, head_dim: hidden / heads)
    mlp       = GatedMlp(norm, ffn:)
";

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{a} and {b}");
}

#[track_caller]
fn sound(run: &Run) -> &Outcome {
    let errors: Vec<_> = run.findings.iter().filter(|f| f.error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    &run.scenarios["s"]
}

#[test]
fn sums_of_partial_values_are_reduced_once_however_they_are_written() {
    let tp = "  mesh tp = 4\n  shard heads, ffn over tp";
    let sp =
        "  mesh tp = 4\n  shard heads, ffn over tp\n  shard seq over tp within RmsNorm, residual";
    for add in [
        "    x = x + attention + mlp",
        "    x = x + (attention + mlp)",
        "    both = attention + mlp\n    x = x + both",
        "    half = x + attention\n    x = half + mlp",
        "    x = mlp + attention + x",
    ] {
        let body = format!("{PARALLEL}{add}");
        let run = net(&body, tp, 64);
        let out = sound(&run);
        assert_eq!(out.count_of("prefill", "all-reduce"), 4.0, "{add}");
        let each = 2.0 * 3.0 / 4.0 * (2 * 64 * 128 * 2) as f64;
        assert_eq!(out.volume_of("prefill", "all-reduce"), 4.0 * each, "{add}");
        let run = net(&body, sp, 64);
        let out = sound(&run);
        assert_eq!(out.count_of("prefill", "reduce-scatter"), 4.0, "{add}");
        assert_eq!(out.count_of("prefill", "all-reduce"), 0.0, "{add}");
        // One gather for both consumers of the norm, and one before the head.
        assert_eq!(out.count_of("prefill", "all-gather"), 5.0, "{add}");
    }
}

#[test]
fn a_bias_is_added_before_the_reduction() {
    let body = "
    norm      = RmsNorm(x)
    attention = GroupedQueryAttention(norm, heads:, head_dim: hidden / heads, out_bias: true)
    x         = x + attention";
    let sp = "  mesh tp = 4\n  shard heads over tp\n  shard seq over tp within RmsNorm, residual";
    let run = net(body, sp, 64);
    let out = sound(&run);
    assert_eq!(out.count_of("prefill", "reduce-scatter"), 4.0);
    assert_eq!(out.count_of("prefill", "all-reduce"), 0.0);
}

#[test]
fn conversions_compare_mesh_axis_by_mesh_axis() {
    // seq lies over cp everywhere and over cp and tp in norms: only tp is gathered and scattered.
    let plan = "  mesh cp = 2, tp = 4
  shard seq over cp
  shard ffn over tp
  shard seq over cp, tp within RmsNorm, residual";
    let body = "
    norm = RmsNorm(x)
    mlp  = GatedMlp(norm, ffn:)
    x    = x + mlp";
    let run = net(body, plan, 64);
    let out = sound(&run);
    let local = (2 * 32 * 128 * 2) as f64; // the part of one cp rank
    let scatter = out.real("prefill").into_iter().find(|c| c.kind == "reduce-scatter").unwrap();
    assert_eq!((scatter.axis.as_str(), scatter.count), ("tp", 4.0));
    assert_eq!(scatter.message, local);
    let gather = out.real("prefill").into_iter().find(|c| c.kind == "all-gather").unwrap();
    assert_eq!((gather.axis.as_str(), gather.count, gather.message), ("tp", 4.0, local));
    // Before the head both mesh axes give up their part, once.
    let whole: Vec<_> =
        out.real("prefill").into_iter().filter(|c| c.axis == "cp,tp" && c.count == 1.0).collect();
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].bytes, 7.0 / 8.0 * (2 * 64 * 128 * 2) as f64);
}

#[test]
fn two_mesh_axes_on_one_axis_are_one_group() {
    let body = "
    norm = RmsNorm(x)
    mlp  = GatedMlp(norm, ffn:)
    x    = x + mlp";
    let two = net(body, "  mesh a = 2, b = 4\n  shard ffn over a, b", 64);
    let one = net(body, "  mesh a = 8\n  shard ffn over a", 64);
    let (two, one) = (sound(&two), sound(&one));
    let reduce = two.real("prefill")[0].clone();
    assert_eq!((reduce.kind, reduce.axis.as_str(), reduce.devices), ("all-reduce", "a,b", 8.0));
    for (path, value) in &one.numbers {
        close(two.get(path), *value);
    }
    // Partial over both, wanted cut over one of them: scatter that one, reduce the other.
    let plan = "  mesh a = 2, b = 4
  shard ffn over a, b
  shard seq over b within RmsNorm, residual";
    let run = net(body, plan, 64);
    let out = sound(&run);
    let b = (2 * 64 * 128 * 2) as f64;
    let (scatter, reduce) =
        (out.of_kind("prefill", "reduce-scatter"), out.of_kind("prefill", "all-reduce"));
    assert_eq!(scatter, [(4.0, 3.0 / 4.0 * b)]);
    assert_eq!(reduce, [(4.0, 2.0 * 1.0 / 2.0 * b / 4.0)]);
}

#[test]
fn batch_and_sequence_on_mesh_axes_of_their_own() {
    let plan = "  mesh dp = 2, tp = 4
  shard batch over dp
  shard heads, ffn over tp
  shard seq over tp within RmsNorm, residual";
    let body = format!("{PARALLEL}    x = x + attention + mlp");
    let run = net(&body, plan, 64);
    let out = sound(&run);
    let local = (64 * 128 * 2) as f64; // one of two requests
    assert_eq!(out.of_kind("prefill", "reduce-scatter"), [(4.0, 3.0 / 4.0 * local)]);
    assert!(out.real("prefill").iter().all(|c| c.axis == "tp"));
}

#[test]
fn a_mesh_axis_may_mean_batch_in_one_block_and_channels_in_another() {
    // Attention is data parallel, the MLP tensor parallel, on the same devices.
    let plan = "  mesh d = 2
  shard batch over d within GroupedQueryAttention
  shard ffn over d";
    let body = "
    norm      = RmsNorm(x)
    attention = GroupedQueryAttention(norm, heads:, head_dim: hidden / heads)
    x         = x + attention
    mlp_norm  = RmsNorm(x)
    mlp       = GatedMlp(mlp_norm, ffn:)
    x         = x + mlp";
    let run = net(body, plan, 64);
    let out = sound(&run);
    let b = (2 * 64 * 128 * 2) as f64;
    // Cutting the batch is free; its results are gathered; the MLP is reduced.
    assert_eq!(out.of_kind("prefill", "all-gather"), [(4.0, b / 2.0)]);
    assert_eq!(out.of_kind("prefill", "all-reduce"), [(4.0, 2.0 / 2.0 * b)]);
    // The cache lies with the requests.
    assert_eq!(out.get("memory.cache"), (4 * 2 * 8 * 16 * 66 * 2) as f64);
}

#[test]
fn key_value_heads_can_be_cut_by_name() {
    let body = format!("{PARALLEL}    x = x + attention + mlp");
    let by_whole = net(&body, "  mesh tp = 4\n  shard heads, ffn over tp", 64);
    let by_part = net(&body, "  mesh tp = 4\n  shard kv_heads, ffn over tp", 64);
    let both = net(&body, "  mesh tp = 4\n  shard heads, kv_heads, ffn over tp", 64);
    let (whole, part, both) = (sound(&by_whole), sound(&by_part), sound(&both));
    for (path, value) in &whole.numbers {
        close(part.get(path), *value);
        close(both.get(path), *value);
    }
}

#[test]
fn resharding_between_two_axes_is_an_all_to_all() {
    // Ulysses: projections on their part of the positions, the rest on its part of the heads.
    let blocks = "
block Project(heads: Count, head_dim: Count) {
  input x[batch, seq, hidden]
  weight w[hidden, heads, head_dim]
  y[batch, seq, heads, head_dim] = x * w
  output y
}
block Core() {
  input q[batch, seq, heads, head_dim]
  y = rope(q)
  output y
}
";
    let text = format!(
        "{NET}{blocks}
block Net(layers: Count, hidden: Count, heads: Count, vocab: Count) {{
  input tokens[batch, seq]
  weight table[vocab, hidden]
  x[batch, seq, hidden] = lookup(table, tokens)
  repeat i in layers carry x {{
    norm = RmsNorm(x)
    q    = Project(norm, heads:, head_dim: 16)
    core = Core(q)
    x    = x + norm
    side = rope(core)
  }}
  logits = Head(x, vocab:)
  output logits
}}
model M = Net(layers: 4, hidden: 128, heads: 8, vocab: 1024)
plan P {{
  mesh sp = 4
  shard seq over sp within RmsNorm, Project, residual
  shard heads over sp within Core
}}
scenario s {{
  model = M
  system = DGX_H100
  plan = P
  serve {{ batch = 2, prompt = 64, output = 2 }}
}}
"
    );
    let run = Run::of(&text);
    let out = sound(&run);
    let b = (2 * 64 * 8 * 16 * 2) as f64;
    assert_eq!(out.of_kind("prefill", "all-to-all"), [(4.0, 3.0 / 16.0 * b)]);
}

#[test]
fn rules_without_effect_are_errors() {
    let body = format!("{PARALLEL}    x = x + attention + mlp");
    let run = net(&body, "  mesh tp = 4\n  shard ffns over tp", 64);
    assert!(run.findings.iter().any(|f| f.error && f.edits == ["ffn"]), "{:#?}", run.findings);
    let run = net(&body, "  mesh tp = 4\n  shard seq over tp within RmsNrm", 64);
    let error = run.findings.iter().find(|f| f.error).unwrap();
    assert_eq!(error.title, "nothing within RmsNrm has axis `seq`");
    assert!(error.notes[0].contains("did you mean `RmsNorm`"), "{:?}", error.notes);
    let run = net(&body, "  mesh tp = 4\n  shard ffn over tp within RmsNorm", 64);
    let error = run.findings.iter().find(|f| f.error).unwrap();
    assert_eq!(error.title, "nothing within RmsNorm has axis `ffn`");
    let run = net(&body, "  mesh tp = 4\n  shard vision.ffn over tp", 64);
    assert!(run.findings.iter().any(|f| f.error), "a path that leads nowhere");
}

#[test]
fn two_axes_of_a_tensor_on_one_mesh_axis_label_both_rules() {
    let body = format!("{PARALLEL}    x = x + attention + mlp");
    let run = net(&body, "  mesh tp = 4\n  shard batch over tp\n  shard ffn over tp", 64);
    let error = run.findings.iter().find(|f| f.title.contains("two axes")).unwrap();
    assert!(error.places.iter().any(|p| p == "batch"), "{:?}", error.places);
    assert!(error.places.iter().any(|p| p == "ffn"), "{:?}", error.places);
    // The stages of a pipeline count too.
    let run = net(&body, "  mesh tp = 4\n  shard layers over tp\n  shard ffn over tp", 64);
    let error = run.findings.iter().find(|f| f.title.contains("two axes")).unwrap();
    assert!(error.places.iter().any(|p| p == "layers"), "{:?}", error.places);
    let run = net(&body, "  mesh tp = 4\n  shard hidden over tp", 64);
    let error = run.findings.iter().find(|f| f.error).unwrap();
    assert!(error.title.contains("needs axis `hidden` whole"), "{}", error.title);
}
