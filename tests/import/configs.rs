//! Configs of several kinds of models, small enough to read.

pub const LLAMA: &str = r#"{
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "hidden_act": "silu",
  "hidden_size": 4096,
  "intermediate_size": 14336,
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-05,
  "tie_word_embeddings": false,
  "torch_dtype": "bfloat16",
  "vocab_size": 128256
}
"#;

pub const GEMMA: &str = r#"{
  "_name_or_path": "google/gemma-3-tiny",
  "architectures": ["Gemma3ForCausalLM"],
  "model_type": "gemma3_text",
  "head_dim": 32,
  "hidden_activation": "gelu_pytorch_tanh",
  "hidden_size": 64,
  "intermediate_size": 256,
  "layer_types": ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
  "num_attention_heads": 4,
  "num_hidden_layers": 4,
  "num_key_value_heads": 1,
  "sliding_window": 16,
  "torch_dtype": "bfloat16",
  "vocab_size": 1000
}
"#;

pub const VISION: &str = r#"{
  "architectures": ["Mistral3ForConditionalGeneration"],
  "model_type": "mistral3",
  "image_token_index": 10,
  "multimodal_projector_bias": false,
  "projector_hidden_act": "gelu",
  "spatial_merge_size": 2,
  "text_config": {
    "head_dim": 16,
    "hidden_size": 64,
    "intermediate_size": 128,
    "model_type": "mistral",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "sliding_window": null,
    "vocab_size": 1000
  },
  "torch_dtype": "bfloat16",
  "vision_config": {
    "head_dim": 8,
    "hidden_act": "silu",
    "hidden_size": 32,
    "image_size": 112,
    "intermediate_size": 64,
    "model_type": "pixtral",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "patch_size": 14
  }
}
"#;

pub const HYBRID: &str = r#"{
  "architectures": ["JambaForCausalLM"],
  "model_type": "jamba",
  "attn_layer_offset": 1,
  "attn_layer_period": 4,
  "expert_layer_offset": 1,
  "expert_layer_period": 2,
  "hidden_act": "silu",
  "hidden_size": 64,
  "intermediate_size": 128,
  "mamba_d_conv": 4,
  "mamba_d_state": 16,
  "mamba_dt_rank": "auto",
  "mamba_expand": 2,
  "num_attention_heads": 4,
  "num_experts": 4,
  "num_experts_per_tok": 2,
  "num_hidden_layers": 8,
  "num_key_value_heads": 2,
  "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 64, "modules_to_not_convert": ["mamba"]},
  "torch_dtype": "bfloat16",
  "vocab_size": 1000
}
"#;

pub const FALCON: &str = r#"{
  "architectures": ["FalconForCausalLM"],
  "model_type": "falcon",
  "alibi": false,
  "bias": false,
  "hidden_size": 8192,
  "multi_query": true,
  "new_decoder_architecture": true,
  "num_attention_heads": 128,
  "num_hidden_layers": 60,
  "num_kv_heads": 8,
  "parallel_attn": true,
  "vocab_size": 65024
}
"#;
