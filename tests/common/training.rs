//! Scenarios of training for tests: models without remainders anywhere, and common plans.

use super::{Outcome, Run};

/// A model, a plan and a workload; sizes that leave no remainder anywhere.
pub fn scenario(
    model: &str,
    plan: &str,
    call: &str,
    nodes: u32,
    train: &str,
    more: &str,
) -> String {
    format!(
        "use std.layers.{{Gpt, Llama, MegatronGpt}}\nuse std.systems.DGX_A100\n\
         model M = {model}\n\
         plan P(dp: Count = 1, pp: Count = 1, tp: Count = 1) {{\n  mesh dp, pp, tp\n{plan}\n}}\n\
         scenario s {{\n  model = M\n  system = DGX_A100(nodes: {nodes})\n  plan = P({call})\n\
         {more}\n  train {{ {train} }}\n}}\n"
    )
}

pub const TP: &str =
    "  shard batch over dp\n  shard layers over pp\n  shard heads, ffn, vocab over tp";
pub const SP: &str = "  shard batch over dp\n  shard layers over pp\n  shard heads, ffn, vocab over tp\n\
                  \x20 shard seq over tp within LayerNorm, RmsNorm, Dropout, DropoutAdd, residual";
pub const TRAIN: &str = "batch = 64, seq = 1024, tokens = 1e9, optimizer = adam";

pub fn megatron(layers: u32) -> String {
    format!("MegatronGpt(layers: {layers}, hidden: 1024, heads: 16, vocab: 32000, context: 1024)")
}

pub fn run(model: &str, plan: &str, call: &str, nodes: u32) -> Outcome {
    Run::one(&scenario(model, plan, call, nodes, TRAIN, ""))
}

// Tokens of a sequence, channels, heads.
pub const S: f64 = 1024.0;
pub const H: f64 = 1024.0;
pub const A: f64 = 16.0;

pub fn llama(layers: u32) -> String {
    format!(
        "Llama(layers: {layers}, hidden: 1024, heads: 16, kv_heads: 8, ffn: 4096, vocab: 32000)"
    )
}

/// Bytes of hidden states of a micro-batch.
pub const B: f64 = 2.0 * S * H;

pub fn in_layers(o: &Outcome, phase: &str, kind: &str, layers: f64) -> Vec<f64> {
    let all = o.of_kind(phase, kind);
    all.into_iter().filter(|(count, _)| *count == layers).map(|(_, bytes)| bytes).collect()
}
