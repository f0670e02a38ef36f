//! Layers that propose tokens: known in a checkpoint whose model leaves them out.

use std::fs;

use super::{folder, mesa, said};

/// A layer that proposes tokens, in a checkpoint of an imported config: what `mesa bind` says of it.
fn with_a_drafter(name: &str, config: &str, more: &[&str]) -> serde_json::Value {
    let folder = folder(name);
    fs::write(folder.join("config.json"), config).unwrap();
    let imported = mesa(&folder, &["import", "config.json", "--print"]);
    let spec = String::from_utf8(imported.stdout.clone()).unwrap();
    assert!(spec.contains("drafters: 0,"), "{}", said(&imported));
    fs::write(folder.join("model.mesa"), &spec).unwrap();
    fs::write(folder.join("held.mesa"), spec.replace("drafters: 0,", "drafters: 1,")).unwrap();
    let index = |names: &[String]| {
        let map: serde_json::Map<_, _> =
            names.iter().map(|n| (n.clone(), serde_json::json!("a.safetensors"))).collect();
        let text = serde_json::json!({ "metadata": {}, "weight_map": map }).to_string();
        fs::write(folder.join("model.safetensors.index.json"), text).unwrap();
    };
    let json = |spec: &str| -> serde_json::Value {
        let args = ["bind", spec, "model.safetensors.index.json", "--format", "json"];
        serde_json::from_slice(&mesa(&folder, &args).stdout).unwrap()
    };
    // All names that the model with that layer wants, and those once more that share a table.
    index(&["nothing".into()]);
    let wanted = json("held.mesa");
    let names =
        wanted["missing"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned());
    let names: Vec<String> = names.chain(more.iter().map(|n| (*n).to_owned())).collect();
    index(&names);
    let held = json("held.mesa");
    assert_eq!(
        (&held["matches"], &held["surplus"]),
        (&true.into(), &serde_json::json!([])),
        "{held}"
    );
    assert_eq!(held["left_out"], serde_json::json!([]));
    json("model.mesa")
}

#[test]
fn a_layer_that_proposes_tokens_is_known_where_the_model_leaves_it_out() {
    let qwen = r#"{ "architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next",
        "num_hidden_layers": 4, "hidden_size": 64, "vocab_size": 96, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "linear_num_key_heads": 2,
        "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16,
        "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32, "partial_rotary_factor": 0.25,
        "tie_word_embeddings": false, "torch_dtype": "bfloat16" }"#;
    let glm = r#"{ "architectures": ["Glm4MoeForCausalLM"], "model_type": "glm4_moe",
        "num_hidden_layers": 3, "hidden_size": 64, "vocab_size": 96, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 128, "use_qk_norm": true,
        "attention_bias": true, "first_k_dense_replace": 1, "n_routed_experts": 4,
        "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "n_group": 1, "topk_group": 1, "num_nextn_predict_layers": 1,
        "tie_word_embeddings": false, "torch_dtype": "bfloat16" }"#;
    let deepseek = r#"{ "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
        "num_hidden_layers": 3, "hidden_size": 64, "vocab_size": 96, "num_attention_heads": 4,
        "num_key_value_heads": 4, "intermediate_size": 128, "first_k_dense_replace": 1,
        "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2,
        "moe_intermediate_size": 32, "n_group": 2, "topk_group": 1, "kv_lora_rank": 16,
        "q_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 16,
        "topk_method": "noaux_tc", "num_nextn_predict_layers": 1, "tie_word_embeddings": false,
        "torch_dtype": "bfloat16" }"#;
    let nemotron = r#"{ "architectures": ["NemotronHForCausalLM"], "model_type": "nemotron_h",
        "num_hidden_layers": 3, "hybrid_override_pattern": "ME*", "hidden_size": 64,
        "vocab_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "mamba_num_heads": 4, "mamba_head_dim": 16, "ssm_state_size": 16, "n_groups": 2,
        "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2,
        "moe_intermediate_size": 32, "moe_shared_expert_intermediate_size": 48,
        "intermediate_size": 128, "mlp_hidden_act": "relu2", "num_nextn_predict_layers": 1,
        "mtp_hybrid_override_pattern": "*E", "tie_word_embeddings": false,
        "torch_dtype": "bfloat16" }"#;
    // Names as vLLM's loaders of these layers read them; tables that a checkpoint has once more.
    let behind = ["model.layers.3.embed_tokens.weight", "model.layers.3.shared_head.head.weight"];
    let cases: [(&str, &str, &[&str], &[&str]); 4] = [
        (
            "mtp-qwen",
            qwen,
            &[],
            &[
                "mtp.fc.weight",
                "mtp.norm.weight",
                "mtp.pre_fc_norm_embedding.weight",
                "mtp.pre_fc_norm_hidden.weight",
                "mtp.layers.0.input_layernorm.weight",
                "mtp.layers.0.self_attn.q_norm.weight",
                "mtp.layers.0.mlp.shared_expert_gate.weight",
                "mtp.layers.0.mlp.experts.3.down_proj.weight",
            ],
        ),
        (
            "mtp-glm",
            glm,
            &behind,
            &[
                "model.layers.3.eh_proj.weight",
                "model.layers.3.enorm.weight",
                "model.layers.3.hnorm.weight",
                "model.layers.3.shared_head.norm.weight",
                "model.layers.3.self_attn.k_norm.weight",
                "model.layers.3.self_attn.q_proj.bias",
                "model.layers.3.mlp.gate.e_score_correction_bias",
                "model.layers.3.mlp.shared_experts.up_proj.weight",
            ],
        ),
        (
            "mtp-deepseek",
            deepseek,
            &behind,
            &[
                "model.layers.3.eh_proj.weight",
                "model.layers.3.self_attn.kv_b_proj.weight",
                "model.layers.3.mlp.experts.0.gate_proj.weight",
            ],
        ),
        (
            "mtp-nemotron",
            nemotron,
            &[],
            &[
                "mtp.layers.0.eh_proj.weight",
                "mtp.layers.0.enorm.weight",
                "mtp.layers.0.norm.weight",
                "mtp.layers.0.mixer.o_proj.weight",
                "mtp.layers.1.norm.weight",
                "mtp.layers.1.mixer.experts.2.up_proj.weight",
                "mtp.layers.1.mixer.shared_experts.down_proj.weight",
                "mtp.layers.1.final_layernorm.weight",
            ],
        ),
    ];
    for (name, config, more, there) in cases {
        let bound = with_a_drafter(name, config, more);
        assert_eq!(bound["matches"], true, "{name}: {bound}");
        assert_eq!(bound["surplus"], serde_json::json!([]), "{name}");
        let left: Vec<&str> =
            bound["left_out"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        for wanted in there {
            assert!(left.contains(wanted), "{name}: no {wanted} in {left:#?}");
        }
    }
}
