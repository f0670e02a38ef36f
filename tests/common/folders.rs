//! Model folders as tools write them: a config and safetensors with the names, shapes and formats of
//! real checkpoints, at a small size. The data is not written; files are as long as their headers say.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

/// A tensor: name, format, dimensions.
type Tensor = (String, &'static str, Vec<u64>);

/// How a tool stores the matrix `name` of so many outputs and inputs.
type Linear = fn(&str, u64, u64) -> Vec<Tensor>;

/// A folder to write.
pub struct Folder {
    pub name: &'static str,
    config: Value,
    beside: Option<Value>,
    tensors: Vec<Tensor>,
}

fn bits(dtype: &str) -> u64 {
    match dtype {
        "F32" | "I32" | "U32" => 32,
        "BF16" | "F16" => 16,
        "I64" => 64,
        _ => 8,
    }
}

fn one(name: &str, dtype: &'static str, shape: &[u64]) -> Tensor {
    (name.to_owned(), dtype, shape.to_vec())
}

fn bf16(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![one(&format!("{name}.weight"), "BF16", &[outputs, inputs])]
}

fn awq(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.qweight"), "I32", &[inputs, outputs / 8]),
        one(&format!("{name}.qzeros"), "I32", &[inputs / 128, outputs / 8]),
        one(&format!("{name}.scales"), "F16", &[inputs / 128, outputs]),
    ]
}

fn gptq(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.g_idx"), "I32", &[inputs]),
        one(&format!("{name}.qweight"), "I32", &[inputs / 8, outputs]),
        one(&format!("{name}.qzeros"), "I32", &[inputs / 128, outputs / 8]),
        one(&format!("{name}.scales"), "F16", &[inputs / 128, outputs]),
    ]
}

fn compressed(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight_packed"), "I32", &[outputs, inputs / 8]),
        one(&format!("{name}.weight_scale"), "BF16", &[outputs, inputs / 128]),
        one(&format!("{name}.weight_shape"), "I64", &[2]),
    ]
}

fn rows_of_bytes(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight"), "I8", &[outputs, inputs]),
        one(&format!("{name}.weight_scale"), "BF16", &[outputs, 1]),
    ]
}

fn blocks(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    let scales = [outputs.div_ceil(128), inputs.div_ceil(128)];
    vec![
        one(&format!("{name}.weight"), "F8_E4M3", &[outputs, inputs]),
        one(&format!("{name}.weight_scale_inv"), "F32", &scales),
    ]
}

fn nvfp4(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight"), "U8", &[outputs, inputs / 2]),
        one(&format!("{name}.weight_scale"), "F8_E4M3", &[outputs, inputs / 16]),
        one(&format!("{name}.weight_scale_2"), "F32", &[]),
        one(&format!("{name}.input_scale"), "F32", &[]),
    ]
}

fn mlx(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    vec![
        one(&format!("{name}.weight"), "U32", &[outputs, inputs / 8]),
        one(&format!("{name}.scales"), "BF16", &[outputs, inputs / 64]),
        one(&format!("{name}.biases"), "BF16", &[outputs, inputs / 64]),
    ]
}

fn nf4(name: &str, outputs: u64, inputs: u64) -> Vec<Tensor> {
    let (n, name) = (outputs * inputs, format!("{name}.weight"));
    vec![
        one(&name, "U8", &[n / 2, 1]),
        one(&format!("{name}.absmax"), "U8", &[n / 64]),
        one(&format!("{name}.nested_absmax"), "F32", &[n / 16384]),
        one(&format!("{name}.nested_quant_map"), "F32", &[256]),
        one(&format!("{name}.quant_map"), "F32", &[16]),
        one(&format!("{name}.quant_state.bitsandbytes__nf4"), "U8", &[81]),
    ]
}

const HIDDEN: u64 = 512;
const FFN: u64 = 1024;
const VOCAB: u64 = 1000;
const LAYERS: u64 = 2;

/// A decoder in the names of Llama: 4 heads of 128, of which keys and values have 2.
fn llama(linear: Linear, float: &'static str, bias: bool, mlp: bool) -> Vec<Tensor> {
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

fn mixtral(linear: Linear, float: &'static str) -> Vec<Tensor> {
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
fn deepseek() -> Vec<Tensor> {
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

fn gpt_oss() -> Vec<Tensor> {
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

fn qwen_vl() -> Vec<Tensor> {
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

/// The config of the decoder, with more keys or other values.
fn config(model_type: &str, architecture: &str, more: Value) -> Value {
    let mut config = json!({
        "architectures": [architecture], "model_type": model_type, "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": FFN, "vocab_size": VOCAB, "tie_word_embeddings": false,
        "torch_dtype": "bfloat16", "hidden_act": "silu", "rms_norm_eps": 1e-6,
    });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

fn quantized(quantization: Value) -> Value {
    json!({ "quantization_config": quantization })
}

/// The folders.
pub fn all() -> Vec<Folder> {
    let group = |weights: Value, input: Value| {
        quantized(json!({
            "quant_method": "compressed-tensors", "ignore": ["lm_head"],
            "config_groups": { "group_0": {
                "targets": ["Linear"], "weights": weights, "input_activations": input,
            } },
        }))
    };
    let eight = |strategy: &str| json!({ "num_bits": 8, "type": "int", "strategy": strategy });
    let four = json!({
        "num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": true,
    });
    let folder = |name, config, tensors| Folder { name, config, beside: None, tensors };
    let of_llama = |more| config("llama", "LlamaForCausalLM", more);
    let half = "float16";
    vec![
        folder("llama", of_llama(json!({})), llama(bf16, "BF16", false, true)),
        folder(
            "llama-awq",
            of_llama(json!({
                "torch_dtype": half, "quantization_config": {
                    "quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm",
                    "zero_point": true, "modules_to_not_convert": null,
                },
            })),
            llama(awq, "F16", false, true),
        ),
        folder(
            "llama-w4a16",
            of_llama(group(four, Value::Null)),
            llama(compressed, "BF16", false, true),
        ),
        folder(
            "llama-w8a8",
            of_llama(group(eight("channel"), eight("token"))),
            llama(rows_of_bytes, "BF16", false, true),
        ),
        Folder {
            name: "llama-nvfp4",
            config: of_llama(json!({})),
            beside: Some(json!({
                "producer": { "name": "modelopt" },
                "quantization": {
                    "quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16,
                    "exclude_modules": ["lm_head"],
                },
            })),
            tensors: llama(nvfp4, "BF16", false, true),
        },
        folder(
            "llama-nf4",
            of_llama(quantized(json!({
                "quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_use_double_quant": true, "bnb_4bit_compute_dtype": "bfloat16",
            }))),
            llama(nf4, "BF16", false, true),
        ),
        folder("llama-mlx", of_llama(quantized(json!({ "bits": 4, "group_size": 64 }))), {
            let mut all = llama(mlx, "BF16", false, true);
            all.retain(|t| !t.0.contains("embed_tokens") && !t.0.contains("lm_head"));
            all.extend(mlx("model.embed_tokens", VOCAB, HIDDEN));
            all.extend(mlx("lm_head", VOCAB, HIDDEN));
            all
        }),
        folder(
            "qwen-gptq",
            config(
                "qwen2",
                "Qwen2ForCausalLM",
                json!({
                    "torch_dtype": half, "quantization_config": {
                        "quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false, "sym": true,
                    },
                }),
            ),
            llama(gptq, "F16", true, true),
        ),
        folder(
            "mixtral",
            config(
                "mixtral",
                "MixtralForCausalLM",
                json!({
                    "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": null,
                }),
            ),
            mixtral(bf16, "BF16"),
        ),
        folder(
            "mixtral-awq",
            config(
                "mixtral",
                "MixtralForCausalLM",
                json!({
                    "num_local_experts": 8, "num_experts_per_tok": 2, "torch_dtype": half,
                    "quantization_config": {
                        "quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm",
                        "zero_point": true, "modules_to_not_convert": ["gate"],
                    },
                }),
            ),
            mixtral(awq, "F16"),
        ),
        folder(
            "deepseek-fp8",
            config(
                "deepseek_v3",
                "DeepseekV3ForCausalLM",
                json!({
                    "num_key_value_heads": 4, "q_lora_rank": 256, "kv_lora_rank": 128,
                    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
                    "n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1,
                    "moe_intermediate_size": 256, "first_k_dense_replace": 1, "moe_layer_freq": 1,
                    "n_group": 1, "topk_group": 1, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
                    "norm_topk_prob": true, "num_nextn_predict_layers": 1, "routed_scaling_factor": 2.5, "attention_bias": false,
                    "quantization_config": {
                        "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                        "weight_block_size": [128, 128],
                    },
                }),
            ),
            deepseek(),
        ),
        folder(
            "gpt-oss",
            config(
                "gpt_oss",
                "GptOssForCausalLM",
                json!({
                    "num_local_experts": 4, "num_experts_per_tok": 2, "experts_per_token": 2,
                    "intermediate_size": 512, "head_dim": 128, "attention_bias": true,
                    "sliding_window": 128, "swiglu_limit": 7.0,
                    "layer_types": ["sliding_attention", "full_attention"],
                    "quantization_config": {
                        "quant_method": "mxfp4",
                        "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router",
                            "model.embed_tokens", "lm_head"],
                    },
                }),
            ),
            gpt_oss(),
        ),
        folder(
            "qwen2-vl",
            config(
                "qwen2_vl",
                "Qwen2VLForConditionalGeneration",
                json!({
                    "rope_scaling": { "type": "mrope", "mrope_section": [16, 24, 24] },
                    "use_sliding_window": false,
                    "vision_config": {
                        "model_type": "qwen2_vl", "depth": 2, "embed_dim": 128, "mlp_ratio": 4,
                        "num_heads": 2, "hidden_size": HIDDEN, "in_chans": 3, "patch_size": 14,
                        "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2,
                    },
                }),
            ),
            qwen_vl(),
        ),
    ]
}

impl Folder {
    /// Writes the folder: its files, two of them if that is how many tensors there are, and an index.
    fn write(&self) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("folders").join(self.name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("config.json"), self.config.to_string()).unwrap();
        if let Some(beside) = &self.beside {
            fs::write(path.join("hf_quant_config.json"), beside.to_string()).unwrap();
        }
        let (mut map, mut total) = (serde_json::Map::new(), 0);
        let (first, second) = self.tensors.split_at(self.tensors.len() / 2);
        for (number, tensors) in [first, second].into_iter().enumerate() {
            let name = format!("model-{:05}-of-00002.safetensors", number + 1);
            let (mut header, mut at) = (serde_json::Map::new(), 0);
            for (tensor, dtype, shape) in tensors {
                let end = at + shape.iter().product::<u64>() * bits(dtype) / 8;
                let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, end] });
                assert!(header.insert(tensor.clone(), entry).is_none(), "{tensor} twice");
                map.insert(tensor.clone(), json!(name));
                at = end;
            }
            total += at;
            let header = Value::Object(header).to_string();
            let mut file = (header.len() as u64).to_le_bytes().to_vec();
            file.extend(header.bytes());
            let length = file.len() as u64 + at;
            fs::write(path.join(&name), file).unwrap();
            fs::OpenOptions::new()
                .write(true)
                .open(path.join(&name))
                .unwrap()
                .set_len(length)
                .unwrap();
        }
        let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
        fs::write(path.join("model.safetensors.index.json"), index.to_string()).unwrap();
        path
    }

    /// What a user sees who imports the folder and binds it: formats and bytes.
    pub fn imported_and_bound(&self) -> String {
        let path = self.write();
        let mesa = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mesa"));
            let output = command.current_dir(path.parent().unwrap()).args(args).output().unwrap();
            let text = [output.stderr, output.stdout].concat();
            (output.status.code(), String::from_utf8(text).unwrap())
        };
        let file = format!("{}.mesa", self.name);
        let (code, said) = mesa(&["import", self.name, "-o", &file, "--force"]);
        assert_eq!(code, Some(0), "{said}");
        let mut without = String::new();
        if said.contains("`drafters: 1` holds it") {
            let (code, bound) = mesa(&["bind", &file, self.name]);
            assert_eq!(code, Some(0), "{bound}");
            without = bound;
            let path = path.parent().unwrap().join(&file);
            let model = fs::read_to_string(&path).unwrap();
            fs::write(path, model.replacen("drafters: 0", "drafters: 1", 1)).unwrap();
        }
        let (code, checked) = mesa(&["check", &file]);
        assert_eq!(code, Some(0), "{checked}");
        let (code, bound) = mesa(&["bind", &file, self.name]);
        assert_eq!(code, Some(0), "{bound}");
        let model = fs::read_to_string(path.parent().unwrap().join(&file)).unwrap();
        let precision = &model[model.find("  precision {").unwrap()..];
        format!("{said}{}\n{without}{bound}\n", precision.trim_end_matches("}\n").trim_end())
    }
}
