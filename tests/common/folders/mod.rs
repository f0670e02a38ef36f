//! Model folders as tools write them: a config and safetensors with the names, shapes and formats of
//! real checkpoints, at a small size. The data is not written; files are as long as their headers say.

mod matrices;
mod models;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use matrices::{awq, bf16, compressed, gptq, mlx, nf4, nvfp4, rows_of_bytes};
use models::{deepseek, gpt_oss, llama, mixtral, qwen_vl};

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

const HIDDEN: u64 = 512;
const FFN: u64 = 1024;
const VOCAB: u64 = 1000;
const LAYERS: u64 = 2;

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
