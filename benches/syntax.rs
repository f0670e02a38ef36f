//! How fast a large file is cut, parsed and formatted: `cargo bench --bench syntax`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use mesa::source::FileId;
use mesa::syntax::{format, parse};

/// About `bytes` of items such as people write them.
fn source(bytes: usize) -> String {
    let mut text = String::new();
    let mut n = 0;
    while text.len() < bytes {
        n += 1;
        let _ = write!(
            text,
            r#"/// Attention number {n}: query heads in groups share key/value heads.
block Attention{n}(heads: Count, kv_heads: Count = heads, head_dim: Count, causal: Bool = true) {{
  input x[batch, seq, hidden]                     // hidden is the caller's

  require heads % kv_heads == 0
    else "{{heads}} heads cannot share {{kv_heads}} evenly"
  axis heads = kv_heads * group
  weight wq[hidden, heads, head_dim]    from "q_proj.weight"
  weight wk[hidden, kv_heads, head_dim] from "k_proj.weight"
  q[batch, seq, heads, head_dim]    = rope(x * wq)
  k[batch, seq, kv_heads, head_dim] = rope(x * wk)
  keys = cache(k, rename: seq -> ctx, window:)
  fuse flash_attention {{
    scores[batch, heads, seq, ctx] = q * keys
    p = softmax(scores, over: ctx, causal:)
  }}
  output y
}}

chip Chip{n} {{
  source = "datasheet {n}"
  compute matrix {{ bf16 = 989.4 TFLOP/s, fp8 = 1978.9 TFLOP/s }}
  memory hbm {{ capacity = 80 GB, bandwidth = 3.35 TB/s }}
  price = 2.5 USD/h   source "on demand"
}}

fn ring_{n}(bytes: Bytes, n: Count, link: Link) -> Time =
  2 * (n - 1) / n * bytes / link.bandwidth + 2 * (n - 1) * link.latency

scenario chat{n} {{
  model  = Llama3_70B
  system = DGX_H100(nodes: {n})
  plan   = Tp(tp: 8)
  precision {{ weights = bf16, activations = bf16, cache within Attention{n} = fp8 }}
  serve {{
    batch  = 32
    prompt = 2_048
    output = 256
  }}
  expect ttft < 2 s and memory.headroom > 10%
}}

"#
        );
    }
    text
}

fn measure(name: &str, text: &str, mut run: impl FnMut(&str)) {
    let best = (0..12)
        .map(|_| {
            let start = Instant::now();
            run(black_box(text));
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    let size = text.len() as f64 / 1e6;
    println!("{name:<8} {size:5.2} MB  {:8.2} ms  {:7.1} MB/s", best * 1e3, size / best);
}

fn main() {
    for bytes in [20_000, 1_000_000] {
        let text = source(bytes);
        assert!(parse::parse_file(&text, FileId(0)).diagnostics.is_empty());
        measure("split", &text, |t| drop(black_box(parse::split(t))));
        measure("format", &text, |t| drop(black_box(format::format(t, FileId(0)))));
        measure("parse", &text, |t| drop(black_box(parse::parse_file(t, FileId(0)))));
    }
}
