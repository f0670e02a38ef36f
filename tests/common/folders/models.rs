//! The tensors of small models, in the names of real checkpoints.

use super::matrices::{bf16, blocks};
use super::{FFN, HIDDEN, LAYERS, Linear, Tensor, VOCAB, one};

/// A decoder in the names of Llama: 4 heads of 128, of which keys and values have 2.
pub fn llama(linear: Linear, float: &'static str, bias: bool, mlp: bool) -> Vec<Tensor> {
    let mut all = vec![
        one("model.embed_tokens.weight", float, &[VOCAB, HIDDEN]),
        one("model.norm.weight", float, &[HIDDEN]),
        one("lm_head.weight", float, &[VOCAB, HIDDEN]),
    ];
    for i in 0..LAYERS {
        let at = format!("model.layers.{i}");
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            all.push(one(&format!("{at}.{norm}.weight"), float, &[HIDDEN]));
        }
        for (name, outputs) in [("q", 512), ("k", 256), ("v", 256), ("o", 512)] {
            let name = format!("{at}.self_attn.{name}_proj");
            all.extend(linear(&name, outputs, 512));
            if bias && !name.ends_with("o_proj") {
                all.push(one(&format!("{name}.bias"), float, &[outputs]));
            }
        }
        if mlp {
            all.extend(linear(&format!("{at}.mlp.gate_proj"), FFN, HIDDEN));
            all.extend(linear(&format!("{at}.mlp.up_proj"), FFN, HIDDEN));
            all.extend(linear(&format!("{at}.mlp.down_proj"), HIDDEN, FFN));
        }
    }
    all
}

pub fn mixtral(linear: Linear, float: &'static str) -> Vec<Tensor> {
    let mut all = llama(linear, float, false, false);
    for i in 0..LAYERS {
        let at = format!("model.layers.{i}.block_sparse_moe");
        all.push(one(&format!("{at}.gate.weight"), float, &[8, HIDDEN]));
        for e in 0..8 {
            all.extend(linear(&format!("{at}.experts.{e}.w1"), FFN, HIDDEN));
            all.extend(linear(&format!("{at}.experts.{e}.w2"), HIDDEN, FFN));
            all.extend(linear(&format!("{at}.experts.{e}.w3"), FFN, HIDDEN));
        }
    }
    all
}

/// With the layer behind the last one that proposes a further token.
pub fn deepseek() -> Vec<Tensor> {
    let mut all = vec![
        one("model.embed_tokens.weight", "BF16", &[VOCAB, HIDDEN]),
        one("model.norm.weight", "BF16", &[HIDDEN]),
        one("lm_head.weight", "BF16", &[VOCAB, HIDDEN]),
    ];
    for i in 0..=LAYERS {
        let at = format!("model.layers.{i}");
        if i == LAYERS {
            for norm in ["enorm", "hnorm", "shared_head.norm"] {
                all.push(one(&format!("{at}.{norm}.weight"), "BF16", &[HIDDEN]));
            }
            all.push(one(&format!("{at}.eh_proj.weight"), "BF16", &[HIDDEN, 2 * HIDDEN]));
            for table in ["embed_tokens", "shared_head.head"] {
                all.push(one(&format!("{at}.{table}.weight"), "BF16", &[VOCAB, HIDDEN]));
            }
        }
        for (norm, n) in [
            ("input_layernorm", HIDDEN),
            ("post_attention_layernorm", HIDDEN),
            ("self_attn.q_a_layernorm", 256),
            ("self_attn.kv_a_layernorm", 128),
        ] {
            all.push(one(&format!("{at}.{norm}.weight"), "BF16", &[n]));
        }
        // 4 heads of 128 + 64 channels; values of 128.
        for (name, outputs, inputs) in [
            ("q_a_proj", 256, HIDDEN),
            ("q_b_proj", 4 * 192, 256),
            ("kv_a_proj_with_mqa", 128 + 64, HIDDEN),
            ("kv_b_proj", 4 * 256, 128),
            ("o_proj", HIDDEN, 4 * 128),
        ] {
            all.extend(blocks(&format!("{at}.self_attn.{name}"), outputs, inputs));
        }
        let mlp = |name: String, ffn: u64| {
            let up = [format!("{name}.gate_proj"), format!("{name}.up_proj")];
            let up = up.into_iter().flat_map(move |n| blocks(&n, ffn, HIDDEN));
            up.chain(blocks(&format!("{name}.down_proj"), HIDDEN, ffn)).collect::<Vec<_>>()
        };
        if i == 0 {
            all.extend(mlp(format!("{at}.mlp"), FFN));
            continue;
        }
        all.push(one(&format!("{at}.mlp.gate.weight"), "BF16", &[8, HIDDEN]));
        all.push(one(&format!("{at}.mlp.gate.e_score_correction_bias"), "F32", &[8]));
        for e in 0..8 {
            all.extend(mlp(format!("{at}.mlp.experts.{e}"), 256));
        }
        all.extend(mlp(format!("{at}.mlp.shared_experts"), 256));
    }
    all
}

pub fn gpt_oss() -> Vec<Tensor> {
    let mut all = llama(bf16, "BF16", true, false);
    let (experts, ffn) = (4, 512);
    for i in 0..LAYERS {
        let at = format!("model.layers.{i}");
        all.push(one(&format!("{at}.self_attn.o_proj.bias"), "BF16", &[HIDDEN]));
        all.push(one(&format!("{at}.self_attn.sinks"), "BF16", &[4]));
        all.push(one(&format!("{at}.mlp.router.weight"), "BF16", &[experts, HIDDEN]));
        all.push(one(&format!("{at}.mlp.router.bias"), "BF16", &[experts]));
        for (name, outputs, inputs) in
            [("gate_up_proj", 2 * ffn, HIDDEN), ("down_proj", HIDDEN, ffn)]
        {
            let name = format!("{at}.mlp.experts.{name}");
            all.push(one(&format!("{name}_blocks"), "U8", &[experts, outputs, inputs / 32, 16]));
            all.push(one(&format!("{name}_scales"), "U8", &[experts, outputs, inputs / 32]));
            all.push(one(&format!("{name}_bias"), "BF16", &[experts, outputs]));
        }
    }
    all
}

pub fn qwen_vl() -> Vec<Tensor> {
    let mut all = llama(bf16, "BF16", true, true);
    let (width, merged) = (128, 4 * 128);
    all.push(one("visual.patch_embed.proj.weight", "BF16", &[width, 3, 2, 14, 14]));
    let mut linear = |name: String, outputs: u64, inputs: u64| {
        all.push(one(&format!("{name}.weight"), "BF16", &[outputs, inputs]));
        all.push(one(&format!("{name}.bias"), "BF16", &[outputs]));
    };
    for i in 0..2 {
        let at = format!("visual.blocks.{i}");
        linear(format!("{at}.attn.qkv"), 3 * width, width);
        linear(format!("{at}.attn.proj"), width, width);
        linear(format!("{at}.mlp.fc1"), merged, width);
        linear(format!("{at}.mlp.fc2"), width, merged);
    }
    linear("visual.merger.mlp.0".into(), merged, merged);
    linear("visual.merger.mlp.2".into(), HIDDEN, merged);
    let norms = (0..2).flat_map(|i| [1, 2].map(|n| format!("visual.blocks.{i}.norm{n}")));
    for norm in norms.chain(["visual.merger.ln_q".to_owned()]) {
        all.push(one(&format!("{norm}.weight"), "BF16", &[width]));
        all.push(one(&format!("{norm}.bias"), "BF16", &[width]));
    }
    all
}
