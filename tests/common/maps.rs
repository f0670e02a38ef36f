//! Weight maps of a corpus, each with the model whose weights they name.
#![allow(dead_code)] // each test binary uses its own part

use std::fs;
use std::path::{Path, PathBuf};

use mesa::source::{Origin, SourceFile, Sources};

/// A weight map.
pub struct Map {
    /// The checkpoint, `__` for `/`.
    pub name: String,
    /// The index.
    pub file: PathBuf,
    /// A file with the model.
    pub model: String,
    /// Where the model is from, for people.
    pub from: String,
}

/// Weight maps whose config is not at hand, with the model of the library that has their shape.
const OF_THE_LIBRARY: [(&str, &str); 6] = [
    ("meta-llama__Llama-3.2-3B", "Llama3_3B"),
    ("meta-llama__Llama-3.1-8B-Instruct-bnb4bit", "Llama3_8B"),
    ("lizpreciatior__lzlv_70b_fp16_hf", "Llama2_70B"),
    ("mattshumer__Reflection-Llama-3.1-70B", "Llama3_70B"),
    ("meta-llama__Llama-2-7b-chat-hf", "Llama2_7B"),
    ("google__gemma-2-9b-it", "Gemma2_9B"),
];

/// Weight maps whose config is that of another size of the same model, with other numbers.
type Keys = &'static [(&'static str, u64)];
const OF_A_SISTER: [(&str, &str, Keys); 2] = [
    (
        "Qwen__Qwen-72B",
        "Qwen__Qwen-7B.json",
        &[
            ("hidden_size", 8192),
            ("num_hidden_layers", 80),
            ("num_attention_heads", 64),
            ("intermediate_size", 49152),
            ("vocab_size", 152_064),
        ],
    ),
    (
        "google__gemma-2b-it",
        "google__gemma-7b.json",
        &[
            ("hidden_size", 2048),
            ("num_hidden_layers", 18),
            ("num_attention_heads", 8),
            ("num_key_value_heads", 1),
            ("intermediate_size", 16384),
        ],
    ),
];

/// The maps in `hf-index` whose model is known, in the order of their names.
pub fn maps(shared: &Path) -> Vec<Map> {
    let mut files: Vec<_> =
        fs::read_dir(shared.join("hf-index")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let map = |file: PathBuf| {
        let name = file.file_name()?.to_str()?.to_owned();
        let ends = [".safetensors.index.json", ".bin.index.json"];
        let name = ends.iter().find_map(|e| name.strip_suffix(e))?.to_owned();
        let (model, from) = match config(shared, &name) {
            Some(config) => (imported(&config, &name), "its config".to_owned()),
            None => {
                let (_, model) = OF_THE_LIBRARY.iter().find(|(n, _)| *n == name)?;
                // Stored in 8 bits by bitsandbytes, whatever its name says.
                let format = if name.ends_with("bnb4bit") { "int8" } else { "bf16" };
                let text = format!(
                    "use std.models.{model}\n\nmodel M = {model} {{\n  precision {{ weights = \
                     {format} }}\n}}\n"
                );
                (text, format!("`{model}`"))
            }
        };
        Some(Map { name, file, model, from })
    };
    files.into_iter().filter_map(map).collect()
}

fn config(shared: &Path, name: &str) -> Option<String> {
    let read = |name: &str| fs::read_to_string(shared.join("hf-configs").join(name)).ok();
    let Some((_, like, keys)) = OF_A_SISTER.iter().find(|(n, ..)| *n == name) else {
        return read(&format!("{name}.json"));
    };
    let mut sister: serde_json::Value = serde_json::from_str(&read(like)?).unwrap();
    for (key, value) in *keys {
        sister[*key] = (*value).into();
    }
    Some(sister.to_string())
}

fn imported(config: &str, name: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new("config.json", config, Origin::User));
    mesa::import::import(config, file, name).text.unwrap()
}
