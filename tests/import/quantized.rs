//! Quantized checkpoints: the bytes of their weights, and what keeps a format of its own.

use std::fs;

use mesa::source::{Origin, SourceFile, Sources};

use super::common::{corpus, imported, shared, weights};

#[test]
fn a_checkpoint_of_mlx_has_the_size_that_the_model_says() {
    // `total_size` of its weight map: scales and biases of groups too, the tower as it was.
    let (name, bytes) = ("qwen3.5-9b-mlx-8bit", 10_426_433_504.0);
    let path = format!("{}/tests/configs/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let (imported, _) = imported(name, &fs::read_to_string(path).unwrap());
    let all = weights(imported.text.as_deref().unwrap());
    let ours: f64 = all.iter().map(|w| w.elements * w.layers.unwrap_or(1.0) * w.width).sum();
    assert!((ours / bytes - 1.0).abs() < 2e-4, "{ours} against {bytes}");
}

#[test]
fn quantized_checkpoints_have_the_size_that_the_model_says() {
    let Some(shared) = shared() else { return };
    let configs = corpus(&shared);
    // Bytes of all tensors of a checkpoint, its scales and tables too.
    let published = [("allenai__Molmo-7B-D-0924-nf4", 6_661_964_712.0)];
    for (name, bytes) in published {
        let text = &configs[name];
        let beside = fs::read_to_string(shared.join(format!("hf-quant/{name}.json"))).ok();
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new("config.json", text.as_str(), Origin::User));
        let other = beside.as_deref().unwrap_or("{}");
        let other_file = sources.add(SourceFile::new("hf_quant_config.json", other, Origin::User));
        let beside = beside.as_deref().map(|text| (text, other_file));
        let model = mesa::import::import_with(text, file, beside, name).text.unwrap();
        let all = weights(&model);
        let ours: f64 = all.iter().map(|w| w.elements * w.layers.unwrap_or(1.0) * w.width).sum();
        println!("{name}: {ours:.4e} bytes, published {bytes:.4e}, {:+.4}", ours / bytes - 1.0);
        assert!((ours / bytes - 1.0).abs() < 0.01, "{name}: {ours} against {bytes}");
    }
}

#[test]
fn the_layer_that_predicts_keeps_the_format_that_a_config_leaves_it() {
    let config = |left_out: &str| {
        format!(
            r#"{{ "model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"],
              "num_hidden_layers": 4, "hidden_size": 256, "num_attention_heads": 4,
              "vocab_size": 1000, "q_lora_rank": 64, "kv_lora_rank": 64, "qk_nope_head_dim": 32,
              "qk_rope_head_dim": 16, "v_head_dim": 32, "intermediate_size": 512,
              "moe_intermediate_size": 128, "n_routed_experts": 8, "num_experts_per_tok": 2,
              "n_shared_experts": 1, "first_k_dense_replace": 1, "num_nextn_predict_layers": 1,
              "torch_dtype": "bfloat16",
              "quantization_config": {{ "quant_method": "fp8", "fmt": "e4m3",
                "modules_to_not_convert": ["{left_out}"] }} }}"#
        )
    };
    let width = |left_out: &str| {
        let text = imported("tiny", &config(left_out)).0.text.unwrap();
        let held = text.replace("drafters: 0", "drafters: 1");
        assert_ne!(text, held);
        let of = |name: &str| {
            let all = weights(&held);
            all.iter().find(|w| w.from.contains(name)).unwrap().width
        };
        (of("{i}.self_attn.o_proj"), of("{j + 4}.self_attn.o_proj"))
    };
    assert_eq!(width("lm_head"), (1.0, 1.0));
    // Layers behind the last, by their number or by what they are called.
    assert_eq!(width("model.layers.4*"), (1.0, 2.0));
    assert_eq!(width("mtp*"), (1.0, 2.0));
}
