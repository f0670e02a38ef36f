//! What holds for every model, plan and machine: work is conserved, spelling does not matter, and
//! better machines are not slower.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use common::{Outcome, Run};
use proptest::prelude::*;

/// A small decoder.
#[derive(Clone, Debug)]
struct Shape {
    layers: u64,
    kv_heads: u64,
    group: u64,
    head_dim: u64,
    hidden: u64,
    ffn: u64,
    vocab: u64,
    batch: u64,
    prompt: u64,
}

fn shape() -> impl Strategy<Value = Shape> {
    let sizes = (1..5_u64, 1..5_u32, 0..3_u32, 1..5_u64, 1..9_u64);
    let rest = (1..5_u64, 10..2000_u64, 1..40_u64, 1..300_u64);
    (sizes, rest).prop_map(
        |((layers, kv, group, head_dim, hidden), (ffn, vocab, batch, prompt))| Shape {
            layers,
            kv_heads: [1, 2, 3, 4, 8][kv as usize % 5],
            group: [1, 2, 4][group as usize],
            head_dim: 16 * head_dim,
            hidden: 64 * hidden,
            ffn: 96 * ffn,
            vocab,
            batch,
            prompt,
        },
    )
}

impl Shape {
    fn model(&self) -> String {
        format!(
            "model M = Llama(layers: {}, hidden: {}, heads: {}, kv_heads: {}, head_dim: {}, \
             ffn: {}, vocab: {})\n",
            self.layers,
            self.hidden,
            self.kv_heads * self.group,
            self.kv_heads,
            self.head_dim,
            self.ffn,
            self.vocab
        )
    }
    fn text(&self, plan: &str, system: &str, uses: &str) -> String {
        format!(
            "use std.layers.Llama\n{uses}\n{}plan P {{\n{plan}\n}}\nscenario s {{\n  model = M\n  \
             system = {system}\n  plan = P\n  serve {{ batch = {}, prompt = {}, output = 9 }}\n}}\n",
            self.model(),
            self.batch,
            self.prompt
        )
    }
    /// A tensor-parallel degree that heads, groups and channels allow.
    fn degrees(&self) -> Vec<u64> {
        let heads = self.kv_heads * self.group;
        let fits = |n: &u64| {
            let copies = n / gcd(*n, self.kv_heads);
            heads.is_multiple_of(*n)
                && self.ffn.is_multiple_of(*n)
                && self.group.is_multiple_of(copies)
        };
        [1, 2, 3, 4, 6, 8].into_iter().filter(fits).collect()
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Lengths as one device sees them (or the whole, or exact shares).
#[derive(Clone, Copy)]
struct Local {
    batch: f64,
    kv: f64,
    q: f64,
    ffn: f64,
    vocab: f64,
}

/// Matrix work and bytes of a phase for such lengths, written out kernel by kernel.
fn work(shape: &Shape, l: Local, seq: f64, ctx: f64, seen: f64) -> (f64, f64) {
    let (h, d, layers) = (shape.hidden as f64, shape.head_dim as f64, shape.layers as f64);
    let t = l.batch * seq;
    let (q, kv) = (l.q * d, l.kv * d);
    let linear = q + 2.0 * kv + q + 3.0 * l.ffn; // columns or rows of h weights each
    let matrix = layers * (2.0 * t * h * linear + 4.0 * t * q * seen) + 2.0 * l.batch * h * l.vocab;
    let weights = layers * (h * linear + 2.0 * h) + h + h * l.vocab;
    let cache = layers * 2.0 * l.batch * ctx * kv;
    let per_layer = 2.0 * h                 // norm
        + h + q + 2.0 * kv                  // q, k, v
        + 2.0 * (q + 2.0 * kv)              // rotation and cache
        + 2.0 * q                           // attention
        + q + h                             // output projection
        + 4.0 * h                           // add and norm
        + h + 2.0 * l.ffn                   // gate and up
        + 3.0 * l.ffn                       // their product
        + l.ffn + h                         // down
        + 3.0 * h; // add
    let ends = t * (2.0 * h + 2.0 * h)      // embedding, final norm
        + l.batch * (2.0 * h + h + l.vocab); // last position, logits
    (matrix, 2.0 * (weights + cache + layers * t * per_layer + ends))
}

fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * scale.abs().max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn work_of_all_devices_is_useful_or_padded_or_replicated(
        shape in shape(), pick in 0..6_usize, dp in 1..4_u64,
    ) {
        let degrees = shape.degrees();
        let tp = degrees[pick % degrees.len()];
        let plan = format!(
            "  mesh dp = {dp}, tp = {tp}\n  shard batch over dp\n  \
             shard heads, ffn, vocab over tp"
        );
        let nodes = (dp * tp).div_ceil(8);
        let system = format!("DGX_H100(nodes: {nodes})");
        let run = Run::of(&shape.text(&plan, &system, "use std.systems.DGX_H100"));
        // Uneven nodes are refused; there is nothing to compare then.
        prop_assume!(!run.findings.iter().any(|f| f.error));
        let out = &run.scenarios["s"];
        let s = &shape;
        let (b, k, g) = (s.batch as f64, s.kv_heads as f64, s.group as f64);
        let (f, v) = (s.ffn as f64, s.vocab as f64);
        let (dpf, n) = (dp as f64, tp as f64);
        let kv_shards = gcd(tp, s.kv_heads) as f64;
        let whole = Local { batch: b, kv: k, q: k * g, ffn: f, vocab: v };
        let even = Local {
            batch: b / dpf,
            kv: k / kv_shards,
            q: k * g / n,
            ffn: f / n,
            vocab: v / n,
        };
        let local = Local { batch: (b / dpf).ceil(), vocab: (v / n).ceil(), ..even };
        let devices = dpf * n;
        let p = s.prompt as f64;
        let phases = [
            ("prefill", p, p, (p + 1.0) / 2.0),
            ("decode.first", 1.0, p + 1.0, p + 1.0),
            ("decode.mid", 1.0, p + 4.5, p + 4.5),
            ("decode.last", 1.0, p + 8.0, p + 8.0),
        ];
        for (phase, seq, ctx, seen) in phases {
            let [useful, share, mine] =
                [whole, even, local].map(|l| work(s, l, seq, ctx, seen));
            for (name, [useful, share, mine]) in [
                ("flops.matrix", [useful.0, share.0, mine.0]),
                ("bytes", [useful.1, share.1, mine.1]),
            ] {
                let get = |kind: &str| out.get(&format!("{phase}.{kind}{name}"));
                let all = mine * devices;
                let say = format!("{phase} {name} tp {tp} dp {dp}");
                prop_assert!(close(get(""), useful, all), "{say}: {} {useful}", get(""));
                prop_assert!(close(get("device."), mine, all), "{say}: {} {mine}", get("device."));
                let (padded, replicated) = ((mine - share) * devices, share * devices - useful);
                prop_assert!(close(get("padded."), padded, all), "{say} padded");
                prop_assert!(close(get("replicated."), replicated, all), "{say} replicated");
                let sum = get("") + get("padded.") + get("replicated.");
                prop_assert!(close(sum, get("device.") * devices, all), "{say} sum");
            }
        }
        check_sane(out);
    }

    #[test]
    fn the_same_plan_spelled_differently_costs_the_same(shape in shape(), pick in 0..6_usize) {
        let degrees = shape.degrees();
        let tp = degrees[pick % degrees.len()];
        let spellings = [
            format!("  mesh tp = {tp}\n  shard heads, ffn, vocab over tp"),
            format!("  mesh tp = {tp}\n  shard vocab, ffn, heads over tp"),
            format!(
                "  mesh tp = {tp}\n  shard ffn over tp\n  shard heads over tp\n  \
                 shard vocab over tp"
            ),
            format!(
                "  mesh dp = 1, tp = {tp}, cp = 1\n  shard batch over dp\n  \
                 shard heads, ffn, vocab over tp, cp"
            ),
            format!(
                "  mesh pp = 1, tp = {tp}\n  shard layers over pp\n  \
                 shard heads, ffn, vocab over tp\n  shard seq over pp within RmsNorm"
            ),
        ];
        let outcome = |plan: &String| {
            Run::one(&shape.text(plan, "DGX_H100", "use std.systems.DGX_H100"))
        };
        let first = outcome(&spellings[0]);
        for spelling in &spellings[1..4] {
            let other = outcome(spelling);
            for (path, value) in &first.numbers {
                let (a, b) = (*value, other.get(path));
                prop_assert!(close(a, b, a), "{path}: {a} {b} by\n{spelling}");
            }
        }
        // A mesh axis cannot be stages and positions at once, not even of size one.
        let run = Run::of(&shape.text(&spellings[4], "DGX_H100", "use std.systems.DGX_H100"));
        prop_assert!(run.findings.iter().any(|f| f.error));
    }

    #[test]
    fn a_better_machine_is_never_slower(
        shape in shape(), what in 0..4_usize, by in 1.01..8.0_f64, tp in prop::sample::select(vec![1, 2, 4]),
    ) {
        let tp = if shape.degrees().contains(&tp) { tp } else { 1 };
        let plan = format!(
            "  mesh tp = {tp}\n  shard heads, ffn, vocab over tp\n  \
             shard seq over tp within RmsNorm, residual"
        );
        let machine = |bandwidth: f64, rate: f64, vector: f64, link: f64| {
            format!(
                "use std.chips.H100_SXM\nuse std.links.NVLink4
chip C = H100_SXM with {{
  memory.hbm.bandwidth = {bandwidth} TB/s
  compute.matrix.bf16 = {rate} TFLOP/s
  compute.vector.fp32 = {vector} TFLOP/s
}} {{
  source = \"test\"
}}
link K = NVLink4 with {{ bandwidth = {link} GB/s }} {{
  source = \"test\"
}}
system S {{
  chip gpu = C
  level node = 8 of gpu via K
}}"
            )
        };
        let base = [3.35, 989.4, 66.9, 450.0];
        let mut better = base;
        better[what] *= by;
        let run = |m: [f64; 4]| Run::one(&shape.text(&plan, "S", &machine(m[0], m[1], m[2], m[3])));
        let (a, b) = (run(base), run(better));
        for path in ["prefill.time", "decode.first.time", "decode.last.time", "tpot", "ttft"] {
            prop_assert!(b.get(path) <= a.get(path), "{path}: {} {}", a.get(path), b.get(path));
        }
        prop_assert_eq!(a.get("prefill.flops.matrix"), b.get("prefill.flops.matrix"));
    }

    #[test]
    fn more_requests_and_longer_contexts_take_no_less(
        shape in shape(), more in 1..30_u64, stages in prop::sample::select(vec![1, 2]),
    ) {
        let mut shape = shape;
        shape.layers *= stages;
        let plan = format!("  mesh pp = {stages}\n  shard layers over pp");
        let outcome = |s: &Shape| {
            Run::one(&s.text(&plan, "DGX_H100", "use std.systems.DGX_H100"))
        };
        let base = outcome(&shape);
        let batch = outcome(&Shape { batch: shape.batch + more, ..shape.clone() });
        let context = outcome(&Shape { prompt: shape.prompt + more, ..shape.clone() });
        for other in [&batch, &context] {
            for path in [
                "memory.cache", "memory.activations", "memory.total", "prefill.time",
                "prefill.flops.matrix", "prefill.bytes", "decode.last.bytes",
            ] {
                let (a, b) = (base.get(path), other.get(path));
                prop_assert!(b >= a * (1.0 - 1e-12), "{path}: {a} {b}");
            }
        }
        if stages == 1 {
            for path in ["decode.first.time", "decode.last.time", "tpot"] {
                let (a, b) = (base.get(path), batch.get(path));
                prop_assert!(b >= a, "{path}: {a} {b}");
            }
        }
    }
}

/// Everything is a finite number, nothing is negative, and nothing beats the machine.
fn check_sane(out: &Outcome) {
    for (path, value) in &out.numbers {
        assert!(value.is_finite(), "{path} is {value}");
        let may_be_negative = path == "memory.headroom" || path == "largest_batch";
        assert!(*value >= 0.0 || may_be_negative, "{path} is {value}");
        if path.ends_with(".mfu") || path.ends_with(".mbu") {
            assert!(*value <= 1.0, "{path} is {value}");
        }
    }
}
