//! Texts of any size that look like what people write, with mistakes in some places.

/// What a large text is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Chips, links, systems and scenarios on them.
    Machines,
    /// Blocks, models, plans, scenarios and what amends them.
    Models,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Machines => "machines",
            Kind::Models => "models",
        }
    }
}

const HEAD: &str = "//! Many things.

use std.models.Llama3_70B
use std.models.Llama3_8B
use std.systems.DGX_H100
use std.systems.DGX_A100

plan Tp(tp: Count = 8) {
  mesh tp
  shard heads, ffn, vocab over tp
}
";

/// A text of about `size` bytes. It has findings as texts under work do: an import that is never
/// used, and here and there a name that does not exist or a sum of bytes and seconds.
pub fn spec(kind: Kind, size: usize) -> String {
    let mut text = String::from(HEAD);
    let mut n = 0;
    while text.len() < size {
        n += 1;
        match kind {
            Kind::Machines => machine(n, &mut text),
            Kind::Models => model(n, &mut text),
        }
        if n % 40 == 1 {
            text += &format!("\nconst wrong{n} = 80 GB + 3 ms\n");
        }
        if n % 40 == 2 {
            text += &format!("\nconst lost{n} = ratio{n}x * 2\n");
        }
    }
    text
}

fn machine(n: usize, text: &mut String) {
    let (rate, batch) = (900 + n, 16 + n % 16);
    *text += &format!(
        "
/// Chip number {n}.
chip Chip{n} {{
  source = \"made up\"
  compute matrix {{ bf16 = {rate}.5 TFLOP/s }}
  compute vector {{ fp32 = 60 TFLOP/s }}
  memory hbm {{ capacity = 80 GB, bandwidth = 3.35 TB/s }}
}}

/// Link number {n}.
link Link{n} {{
  source = \"made up\"
  bandwidth = 450 GB/s
  latency = 1 us
  topology = switch
}}

system System{n} {{
  source = \"made up\"
  chip gpu = Chip{n}
  level node = 8 of gpu via Link{n}
}}

const ratio{n} = {n} * 2

scenario run{n} {{
  model  = Llama3_70B
  system = System{n}
  plan   = Tp(tp: 8)
  serve {{
    batch  = {batch}
    prompt = 2048
    output = 256
  }}
  expect memory.headroom > 1%
}}
"
    );
}

/// Every ninth has a block of its own; the sizes of models differ, as families do.
fn model(n: usize, text: &mut String) {
    let family = n - (n - 1) % 9;
    if family == n {
        *text += &format!(
            "
/// Feed-forward network number {n}.
block Net{n}(inner: Count) {{
  input x[batch, seq, hidden]
  weight up[hidden, inner]   from \"up.weight\"
  weight down[inner, hidden] from \"down.weight\"
  h[batch, seq, inner]  = silu(x * up)
  y[batch, seq, hidden] = h * down
  output y
}}

block Stack{n}(layers: Count, hidden: Count, inner: Count, vocab: Count) {{
  input tokens[batch, seq]
  weight table[vocab, hidden] from \"embed.weight\"
  x[batch, seq, hidden] = lookup(table, tokens)
  repeat i in layers carry x from \"layers.{{i}}\" {{
    h = Net{n}(x, inner:) from \"net\"
    x = x + h
  }}
  logits[batch, seq, vocab] = x * table
  output logits
}}
"
        );
    }
    let (hidden, layers) = (1024 * (1 + n % 8), 12 + n % 40);
    let inner = hidden * 4;
    let batch = 8 + n % 24;
    *text += &format!(
        "
const ratio{n} = {n} * 2

model Family{n} = Stack{family}(layers: {layers}, hidden: {hidden}, inner: {inner}, vocab: 32000) {{
  source = \"made up\"
}}

/// Link number {n}.
plan Spread{n}(dp: Count = 1, tp: Count = 8) {{
  mesh dp, tp
  shard batch over dp
  shard inner, vocab over tp
}}

scenario run{n} {{
  model  = Family{n}
  system = DGX_H100
  plan   = Spread{n}(tp: 8)
  serve {{
    batch  = {batch}
    prompt = 2048
    output = 256
  }}
  expect memory.headroom > 1%
}}

/// With weights in half the bytes.
scenario run{n}_fp8 = run{n} with {{ precision.weights = fp8 }}
"
    );
}
