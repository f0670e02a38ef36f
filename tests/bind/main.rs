//! `mesa bind`: models held against checkpoints, whole ones, changed ones, broken ones, and the
//! weight maps of a corpus (a folder named by MESA_SHARED_DATA; skipped where that is not set).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

mod corpus;
mod drafters;
mod files;
mod fits;
#[path = "../common/library.rs"]
mod library;
#[path = "../common/maps.rs"]
mod maps;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TINY: &str = "use std.layers.Llama\n\nmodel Tiny = Llama(layers: 2, hidden: 8, heads: 4, \
                    kv_heads: 2, ffn: 24, vocab: 32)\n";

/// A tensor to write: name, format, bits, shape.
type Tensor = (String, &'static str, u64, Vec<u64>);

/// A folder of this test, empty, with the model in it.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bind").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("tiny.mesa"), TINY).unwrap();
    path
}

fn mesa(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesa"));
    command.current_dir(folder).args(args).env_remove("NO_COLOR").output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [output.stderr.as_slice(), &output.stdout].concat();
    library::without_lines_of_the_library(&String::from_utf8(text).unwrap())
}

/// The tensors of the model as Hugging Face stores them.
fn tensors() -> Vec<Tensor> {
    let tensor = |name: &str, shape: &[u64]| (name.to_owned(), "BF16", 16, shape.to_vec());
    let mut all = vec![tensor("model.embed_tokens.weight", &[32, 8])];
    for i in 0..2 {
        for (name, shape) in [
            ("input_layernorm", &[8][..]),
            ("self_attn.q_proj", &[8, 8]),
            ("self_attn.k_proj", &[4, 8]),
            ("self_attn.v_proj", &[4, 8]),
            ("self_attn.o_proj", &[8, 8]),
            ("post_attention_layernorm", &[8]),
            ("mlp.gate_proj", &[24, 8]),
            ("mlp.up_proj", &[24, 8]),
            ("mlp.down_proj", &[8, 24]),
        ] {
            all.push(tensor(&format!("model.layers.{i}.{name}.weight"), shape));
        }
    }
    all.push(tensor("model.norm.weight", &[8]));
    all.push(tensor("lm_head.weight", &[32, 8]));
    all
}

fn bytes(tensor: &Tensor) -> u64 {
    tensor.3.iter().product::<u64>() * tensor.2 / 8
}

/// A whole safetensors file.
fn file(tensors: &[Tensor]) -> Vec<u8> {
    let mut at = 0;
    let entries = tensors.iter().map(|tensor| {
        let end = at + bytes(tensor);
        let (name, dtype, _, shape) = tensor;
        let entry = format!(
            "{}: {{\"dtype\": \"{dtype}\", \"shape\": {shape:?}, \"data_offsets\": [{at}, {end}]}}",
            serde_json::to_string(name).unwrap()
        );
        at = end;
        entry
    });
    let entries: Vec<_> = entries.collect();
    raw(&format!("{{\"__metadata__\": {{\"format\": \"pt\"}}, {}}}", entries.join(", ")), at)
}

/// A header as it stands, and so many bytes of data.
fn raw(header: &str, data: u64) -> Vec<u8> {
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.resize(out.len() + data as usize, 0);
    out
}
