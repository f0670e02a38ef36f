//! `mesa bind`: models held against checkpoints, whole ones, changed ones, broken ones, and the
//! weight maps of a corpus (a folder named by MESA_SHARED_DATA; skipped where that is not set).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "common/library.rs"]
mod library;
#[path = "common/maps.rs"]
mod maps;

use maps::{Map, maps};

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

/// Binds the model to a file of these tensors.
fn bound(name: &str, tensors: &[Tensor]) -> Output {
    let folder = folder(name);
    fs::write(folder.join("model.safetensors"), file(tensors)).unwrap();
    mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"])
}

#[test]
fn a_whole_checkpoint_fits_to_the_byte() {
    let output = bound("whole", &tensors());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    insta::assert_snapshot!("whole", said(&output));
}

#[test]
fn each_change_of_a_checkpoint_is_found() {
    let find = |all: &[Tensor], name: &str| all.iter().position(|t| t.0 == name).unwrap();
    let mut all = String::new();
    let mut case = |what: &str, change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut changed = tensors();
        change(&mut changed);
        let output = bound("changed", &changed);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        all += &format!("--- {what}\n{}", said(&output));
    };
    case("a tensor removed", &|t| _ = t.remove(find(t, "model.layers.1.mlp.up_proj.weight")));
    case("a matrix of every layer removed", &|t| t.retain(|t| !t.0.contains("k_proj")));
    case("a shape turned round", &|t| {
        let i = find(t, "model.layers.0.mlp.gate_proj.weight");
        t[i].3.reverse();
    });
    case("other sizes", &|t| {
        let i = find(t, "lm_head.weight");
        t[i].3 = vec![40, 8];
    });
    case("another format", &|t| {
        let i = find(t, "model.norm.weight");
        (t[i].1, t[i].2) = ("F32", 32);
    });
    case("every format", &|t| t.iter_mut().for_each(|t| (t.1, t.2) = ("F16", 16)));
    case("unknown tensors", &|t| {
        t.push(("model.layers.0.self_attn.q_proj.bias".into(), "BF16", 16, vec![8]));
        t.push(("model.layers.1.self_attn.q_proj.bias".into(), "BF16", 16, vec![8]));
    });
    insta::assert_snapshot!("changes", all);
}

#[test]
fn other_spellings_of_the_same_checkpoint_fit() {
    let fine = |what: &str, tensors: &[Tensor], wanted: &str| {
        let output = bound("spellings", tensors);
        assert_eq!(output.status.code(), Some(0), "{what}: {}", said(&output));
        assert!(said(&output).contains(wanted), "{what}: {}", said(&output));
    };
    let renamed = |rename: &dyn Fn(&str) -> String| -> Vec<Tensor> {
        tensors().into_iter().map(|t| (rename(&t.0), t.1, t.2, t.3)).collect()
    };
    let bare = renamed(&|n| n.trim_start_matches("model.").to_owned());
    fine("without the start", &bare, "names lack `model.`");
    let inner = renamed(&|n| format!("language_model.{n}"));
    fine("inside of another model", &inner, "names start with `language_model.`");
    let mut buffers = tensors();
    buffers.push(("model.layers.0.self_attn.rotary_emb.inv_freq".into(), "F32", 32, vec![1]));
    fine("with buffers", &buffers, "rotary frequencies");
    let mut fused = tensors();
    fused.retain(|t| !["q_proj", "k_proj", "v_proj"].iter().any(|n| t.0.contains(n)));
    for i in 0..2 {
        let name = format!("model.layers.{i}.self_attn.qkv_proj.weight");
        fused.push((name, "BF16", 16, vec![16, 8]));
    }
    fine("fused", &fused, "17 of 17 tensors");
}

#[test]
fn quantized_weights_are_their_parts() {
    let folder = folder("quantized");
    let model = "precision { weights within wq = int4_g128 }";
    let text = format!("{} {{\n  {model}\n}}\n", TINY.trim_end());
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let mut all = tensors();
    all.retain(|t| !t.0.contains("q_proj"));
    for i in 0..2 {
        let name = |end: &str| format!("model.layers.{i}.self_attn.q_proj.{end}");
        all.push((name("qweight"), "I32", 32, vec![1, 8]));
        all.push((name("qzeros"), "I32", 32, vec![1, 1]));
        all.push((name("scales"), "F16", 16, vec![1, 8]));
        all.push((name("g_idx"), "I32", 32, vec![8]));
    }
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    insta::assert_snapshot!("quantized", said(&output));
    // The same in 8 bits holds half as many elements.
    let i = all.iter().position(|t| t.0.ends_with("qweight")).unwrap();
    all[i].3 = vec![2, 8];
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
    assert!(said(&output).contains("E0832"), "{}", said(&output));
}

#[test]
fn a_tied_output_layer_may_be_stored_once_more() {
    let folder = folder("tied");
    let text = TINY.replace("vocab: 32", "vocab: 32, tied: true");
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let mut all = tensors();
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("the embedding table"), "{}", said(&output));
    all.pop();
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn files_of_an_index_are_there_and_hold_what_it_says() {
    let folder = folder("shards");
    let all = tensors();
    let (first, second) = all.split_at(10);
    let name = |n: usize| format!("model-{n:05}-of-00002.safetensors");
    let index = |wrong: usize| {
        let entry = |(i, t): (usize, &Tensor)| {
            let shard = if (i < 10) == (i != wrong) { 1 } else { 2 };
            format!("{:?}: {:?}", t.0, name(shard))
        };
        let map: Vec<_> = all.iter().enumerate().map(entry).collect();
        format!("{{\"metadata\": {{\"total_size\": 1}}, \"weight_map\": {{{}}}}}", map.join(", "))
    };
    let write = |wrong| {
        fs::write(folder.join("model.safetensors.index.json"), index(wrong)).unwrap();
        fs::write(folder.join(name(1)), file(first)).unwrap();
        fs::write(folder.join(name(2)), file(second)).unwrap();
    };
    write(usize::MAX);
    let bind = |path: &str| mesa(&folder, &["bind", "tiny.mesa", path]);
    assert_eq!(bind(".").status.code(), Some(0), "{}", said(&bind(".")));
    let mut said_all = String::new();
    fs::write(folder.join("consolidated.safetensors"), file(&all)).unwrap();
    said_all += &format!("--- one more file\n{}", said(&bind(".")));
    fs::remove_file(folder.join("consolidated.safetensors")).unwrap();
    fs::remove_file(folder.join(name(2))).unwrap();
    for path in [".", "model.safetensors.index.json"] {
        assert_eq!(bind(path).status.code(), Some(1));
    }
    said_all += &format!("--- a file missing\n{}", said(&bind(".")));
    write(3);
    said_all += &format!("--- a tensor in another file\n{}", said(&bind(".")));
    insta::assert_snapshot!("shards", said_all);
    for n in [1, 2] {
        fs::remove_file(folder.join(name(n))).unwrap();
    }
    let names_only = bind("model.safetensors.index.json");
    assert_eq!(names_only.status.code(), Some(0), "{}", said(&names_only));
    let json =
        mesa(&folder, &["bind", "tiny.mesa", "model.safetensors.index.json", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["matches"], &json["names_only"]), (&true.into(), &true.into()));
}

#[test]
fn broken_and_hostile_files_are_refused() {
    let folder = folder("broken");
    let entry = |name: &str, shape: &str, offsets: &str| {
        format!(
            "\"{name}\": {{\"dtype\": \"F32\", \"shape\": {shape}, \"data_offsets\": {offsets}}}"
        )
    };
    let header = |entries: &[String]| format!("{{{}}}", entries.join(", "));
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let mut long = u64::MAX.to_le_bytes().to_vec();
    long.extend(b"{}");
    let one = || entry("a", "[2]", "[0, 8]");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no bytes", Vec::new()),
        ("five bytes", vec![0; 5]),
        ("a length beyond the file", long),
        ("a pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec()),
        ("no header", raw("", 0)),
        ("another kind", raw("PK\u{3}\u{4}", 0)),
        ("half of a header", raw("{\"a\": {\"dtype\": \"F3", 8)),
        ("not text", [&[2, 0, 0, 0, 0, 0, 0, 0, b'{', 0xff][..], &[0; 8]].concat()),
        ("nested", raw(&deep, 0)),
        ("no shape", raw("{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 8]}}", 8)),
        ("negative", raw(&header(&[entry("a", "[-2]", "[0, 8]")]), 8)),
        ("huge numbers", raw(&header(&[entry("a", "[1e999]", "[0, 8]")]), 8)),
        ("twice", raw(&header(&[one(), entry("a", "[2]", "[8, 16]")]), 16)),
        ("end before begin", raw(&header(&[entry("a", "[2]", "[8, 0]")]), 8)),
        ("beyond the data", raw(&header(&[entry("a", "[2]", "[0, 8]")]), 4)),
        ("shared bytes", raw(&header(&[one(), entry("b", "[2]", "[4, 12]")]), 12)),
        ("a gap", raw(&header(&[one(), entry("b", "[2]", "[12, 20]")]), 20)),
        ("bytes left over", raw(&header(&[one()]), 12)),
        ("other bytes", raw(&header(&[entry("a", "[3]", "[0, 8]")]), 8)),
        ("overflow", raw(&header(&[entry("a", "[4294967296, 4294967296]", "[0, 8]")]), 8)),
        ("a format of its own", raw(&header(&[one().replace("F32", "Q4\u{1b}[2J")]), 8)),
    ];
    let mut all = String::new();
    for (what, bytes) in cases {
        fs::write(folder.join("model.safetensors"), bytes).unwrap();
        let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{what}");
        all += &format!("--- {what}\n{}", said(&output));
    }
    for (what, text) in [
        ("an index that is no JSON", "weights"),
        ("an index without a map", "{\"metadata\": {}}"),
        ("an index that leads elsewhere", "{\"weight_map\": {\"a\": \"../../x.safetensors\"}}"),
        ("an index with a name twice", "{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}"),
    ] {
        fs::write(folder.join("model.safetensors.index.json"), text).unwrap();
        let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors.index.json"]);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        all += &format!("--- {what}\n{}", said(&output));
    }
    assert!(!all.contains('\u{1b}'), "what a file says is not sent to the terminal as it is");
    insta::assert_snapshot!("broken", all);
}

#[test]
fn a_large_checkpoint_is_bound_in_a_moment() {
    let folder = folder("large");
    let text = "use std.models.Llama2_70B\n\nmodel Large = Llama2_70B\n";
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let names = (0..80).flat_map(|i| {
        let parts = [
            "input_layernorm",
            "post_attention_layernorm",
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "mlp.gate_proj",
            "mlp.up_proj",
            "mlp.down_proj",
        ];
        parts.map(|p| format!("model.layers.{i}.{p}.weight"))
    });
    let others = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"];
    let names = names.chain(others.map(str::to_owned)).enumerate();
    let map: Vec<_> = names
        .map(|(i, n)| format!("{n:?}: \"model-{:05}-of-00400.safetensors\"", i % 400 + 1))
        .collect();
    let index = format!("{{\"weight_map\": {{{}}}}}", map.join(","));
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    let started = std::time::Instant::now();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors.index.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn every_weight_map_of_the_corpus_is_bound() {
    let Some(shared) = std::env::var_os("MESA_SHARED_DATA").map(PathBuf::from) else {
        eprintln!("skipped: MESA_SHARED_DATA names no folder with hf-index");
        return;
    };
    let folder = folder("corpus");
    let mut rows = Vec::new();
    for Map { name, file, model, from } in maps(&shared) {
        fs::write(folder.join("m.mesa"), model).unwrap();
        let args = ["bind", "m.mesa", file.to_str().unwrap(), "--format", "json"];
        let output = mesa(&folder, &args);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let tensors: u64 = json["kinds"]
            .as_object()
            .unwrap()
            .values()
            .map(|k| k["tensors"].as_u64().unwrap())
            .sum();
        let surplus = json["surplus"].as_array().unwrap().len() as u64;
        let missing = json["missing"].as_array().unwrap().len();
        let name = name.replace("__", "/");
        rows.push(format!("| {name} | {from} | {} of {tensors} | {missing} |", tensors - surplus));
    }
    let fine = rows.iter().filter(|r| {
        let cells: Vec<_> = r.split(" | ").collect();
        let (have, all) = cells[2].split_once(" of ").unwrap_or(("", "-"));
        have == all && cells[3].starts_with("0 ")
    });
    let count = fine.count();
    assert_eq!(count, rows.len(), "{count} maps fit\n{}", rows.join("\n"));
    assert_eq!(count, 25, "{}", rows.join("\n"));
    let table = format!(
        "# Weight maps that `mesa bind` was tried on\n\nMade by `tests/bind.rs` from a corpus of \
         indexes of Hugging Face; do not edit. The model is\nimported from the config of the same \
         repository (where that is not at hand, from \
         that of another size with its numbers changed),\nor is the one of the library that has its \
         shape.\n\n| checkpoint | model | \
         tensors known | missing |\n|---|---|--:|--:|\n{}\n",
        rows.join("\n")
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/weight-maps.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        fs::write(path, &table).unwrap();
    }
    let current = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        current, table,
        "run this test with INSTA_UPDATE=always to bring the table up to date"
    );
}

#[test]
fn matrices_with_inputs_first_are_told_from_those_turned_round() {
    let folder = folder("turned");
    let text = "use std.layers.Gpt\n\nmodel Tiny = Gpt(layers: 1, hidden: 8, heads: 2, vocab: 16, \
                context: 4, matrix: \"weight^T\")\n";
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let shapes: [(&str, &[u64]); 18] = [
        ("wte.weight", &[16, 8]),
        ("wpe.weight", &[4, 8]),
        ("h.0.ln_1.weight", &[8]),
        ("h.0.ln_1.bias", &[8]),
        ("h.0.attn.c_attn.weight", &[8, 24]),
        ("h.0.attn.c_attn.bias", &[24]),
        ("h.0.attn.c_proj.weight", &[8, 8]),
        ("h.0.attn.c_proj.bias", &[8]),
        ("h.0.attn.bias", &[1, 1, 4, 4]),
        ("h.0.attn.masked_bias", &[]),
        ("h.0.ln_2.weight", &[8]),
        ("h.0.ln_2.bias", &[8]),
        ("h.0.mlp.c_fc.weight", &[8, 32]),
        ("h.0.mlp.c_fc.bias", &[32]),
        ("h.0.mlp.c_proj.weight", &[32, 8]),
        ("h.0.mlp.c_proj.bias", &[8]),
        ("ln_f.weight", &[8]),
        ("ln_f.bias", &[8]),
    ];
    let all =
        shapes.map(|(name, shape)| (format!("transformer.{name}"), "BF16", 16, shape.to_vec()));
    let bind = |tensors: &[Tensor]| {
        fs::write(folder.join("model.safetensors"), file(tensors)).unwrap();
        mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"])
    };
    let output = bind(&all);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("causal masks"), "{}", said(&output));
    let mut turned = all;
    turned[12].3.reverse();
    let output = bind(&turned);
    assert!(said(&output).contains("error[E0832]"), "{}", said(&output));
}

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
