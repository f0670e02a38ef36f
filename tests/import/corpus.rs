//! Real configs: published totals, and the names of weights in their checkpoints.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use super::common::{corpus, imported, shared, total, weights};
use super::{codes, grouped};

/// Totals that were published, or follow from the size of a checkpoint.
const PUBLISHED: &[(&str, f64)] = &[
    ("01-ai__Yi-34B", 34_388_917_248.0),
    ("MiniMaxAI__MiniMax-M2.5", 228_689_764_864.0),
    ("Qwen__Qwen1.5-MoE-A2.7B", 14_315_784_192.0),
    ("Qwen__Qwen3-235B-A22B", 235_093_634_560.0),
    ("Qwen__Qwen3-Coder-480B-A35B-Instruct", 480_154_875_392.0),
    // What the index of the checkpoint says.
    ("mistralai__Mistral-Small-3.x-24B", 118_972_826_624.0),
    // Half of the bytes of the checkpoint.
    ("alpindale__WizardLM-2-8x22B", 140_620_634_112.0),
    ("mistralai__Mixtral-8x7B-v0.1", 46_702_792_704.0),
    ("moonshotai__Kimi-K2-Instruct", 1_026_408_232_448.0),
    ("openai__gpt-oss-120b", 116_829_156_672.0),
    ("zai-org__GLM-5", 743_911_218_432.0),
    ("HuggingFaceTB__SmolLM3-3B", 3_075_098_624.0),
    ("Qwen__Qwen2-7B", 7_615_616_512.0),
    ("Qwen__Qwen2.5-0.5B", 494_032_768.0),
    ("Qwen__Qwen2.5-3B", 3_085_938_688.0),
    ("Qwen__Qwen3-14B", 14_768_307_200.0),
    ("Qwen__Qwen3-32B", 32_762_123_264.0),
    ("Qwen__Qwen3-4B", 4_022_468_096.0),
    ("TinyLlama__TinyLlama-1.1B-Chat-v1.0", 1_100_048_384.0),
    ("bigscience__bloom", 176_247_271_424.0),
    ("elyza__ELYZA-japanese-Llama-2-13b-instruct", 13_015_864_320.0),
    ("google__gemma-2-27b-it", 27_227_128_320.0),
    ("google__gemma-2-2b", 2_614_341_888.0),
    ("google__gemma-3-1b-it", 999_885_952.0),
    ("google__gemma-7b", 8_537_680_896.0),
    ("internlm__internlm-20b", 20_088_714_240.0),
    ("jpacifico__Chocolatine-3B-Instruct-DPO-Revised-slerp", 3_821_079_552.0),
    ("meta-llama__Llama-2-13b-chat-hf", 13_015_864_320.0),
    ("meta-llama__Llama-2-7b-hf", 6_738_415_616.0),
    ("meta-llama__Llama-3.1-70B-Instruct", 70_553_706_496.0),
    ("meta-llama__Llama-3.1-8B-Instruct", 8_030_261_248.0),
    ("meta-llama__Llama-3.2-1B-Instruct", 1_235_814_400.0),
    ("meta-llama__Llama-3.2-3B-Instruct", 3_212_749_824.0),
    ("microsoft__phi-2-mixformer", 2_779_683_840.0),
    ("mistralai__Mistral-7B-v0.1", 7_241_732_096.0),
    ("mosaicml__mpt-7b-instruct", 6_649_286_656.0),
    ("LiquidAI__LFM2-1.2B", 1_170_340_608.0),
    ("XiaomiMiMo__MiMo-7B-RL", 7_833_409_536.0),
    ("allenai__Molmo-7B-D-0924-nf4", 8_021_025_280.0),
    ("google-bert__bert-base-uncased", 109_514_298.0),
    ("meta-llama__Llama-3.2-11B-Vision-Instruct", 10_670_220_835.0),
    ("microsoft__Phi-3-vision-128k-instruct", 4_146_621_440.0),
    ("microsoft__bitnet-b1.58-2B-4T", 2_412_820_480.0),
    ("Qwen__Qwen2-VL-7B-Instruct", 8_291_375_616.0),
    ("Qwen__Qwen2.5-VL-7B-Instruct", 8_292_166_656.0),
    ("Qwen__Qwen3-VL-8B-Instruct", 8_767_123_696.0),
    ("google__medgemma-27b-it", 27_432_406_640.0),
    ("liuhaotian__llava-v1.5-7b", 7_062_902_784.0),
    ("mistralai__Mamba-Codestral-7B-v0.1", 7_285_403_648.0),
    ("nvidia__Qwen3.6-27B-NVFP4", 27_356_728_560.0),
    ("tiiuae__falcon-mamba-7b", 7_272_665_088.0),
    ("openai-community__gpt2", 124_439_808.0),
    ("tiiuae__falcon-40b", 41_835_970_560.0),
    ("tiiuae__falcon-40b-native", 41_835_970_560.0),
    // Half of the bytes of the checkpoint, less its 34 rotary tables of 64 fp32 numbers.
    ("unknown__openPangu-Embedded-7B", 8_030_892_288.0 - 34.0 * 64.0 * 2.0),
];

/// `docs/imports.md` as the corpus makes it.
fn table(rows: &[Row]) -> String {
    let good = rows.iter().filter(|r| r.total.is_some()).count();
    let mut out = String::from(
        "# What `mesa import` makes of real configs\n\n\
         Made by `tests/import/corpus.rs` from a corpus of `config.json` files; do not edit. *Exact* means \
         that the\ncount equals a published total, or what the size of a checkpoint says; *counted* that \
         it equals the\nparameters of the class of Transformers 5.23, built on the meta \
         device. Codes are those of\n`mesa help CODE`.\n\n",
    );
    let counted = include_str!("../counted/corpus.csv").lines();
    let counted: BTreeSet<&str> = counted.filter_map(|row| row.split(',').next()).collect();
    writeln!(out, "{} configs: {good} imported, {} refused.\n", rows.len(), rows.len() - good)
        .unwrap();
    out += "| model_type | config | parameters | | findings |\n|---|---|--:|---|---|\n";
    for Row { model_type, name, total, exact, codes } in rows {
        let total = total.map_or("refused".into(), grouped);
        let counted = counted.contains(name.replace('/', "__").as_str());
        let exact = match (exact, counted) {
            (true, _) => "exact",
            (false, true) => "counted",
            (false, false) => "",
        };
        writeln!(out, "| {model_type} | {name} | {total} | {exact} | {codes} |").unwrap();
    }
    out
}

struct Row {
    model_type: String,
    name: String,
    total: Option<f64>,
    exact: bool,
    codes: String,
}

#[test]
fn the_corpus_is_imported_exactly_or_refused_with_a_reason() {
    let Some(shared) = shared() else { return };
    let mut rows = Vec::new();
    for (name, text) in corpus(&shared) {
        let (imported, _) = imported(&name, &text);
        let total = imported.text.as_deref().map(|model| total(&weights(model)));
        let published = PUBLISHED.iter().find(|(n, _)| *n == name).map(|(_, p)| *p);
        if published.is_some() {
            assert_eq!(total, published, "{name}: {:?}", imported.findings);
        }
        let errors = imported.findings.iter().filter(|d| d.code.id().starts_with('E'));
        let reasons: BTreeSet<_> = errors.map(|d| d.title.as_str()).collect();
        assert_eq!(total.is_none(), !reasons.is_empty(), "{name}: {reasons:?}");
        let config = mesa::import::json::read(&text).unwrap();
        let model_type = match config.member("model_type").map(|m| &m.value.kind) {
            Some(mesa::import::json::Kind::Text(t)) => t.clone(),
            _ => String::new(),
        };
        let codes = codes(&imported).join(" ");
        let name = name.replace("__", "/");
        rows.push(Row { model_type, name, total, exact: published.is_some(), codes });
    }
    rows.sort_by(|a, b| (&a.model_type, &a.name).cmp(&(&b.model_type, &b.name)));
    let table = table(&rows);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/imports.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        fs::write(path, &table).unwrap();
    }
    let current = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        current, table,
        "run this test with INSTA_UPDATE=always to bring the table up to date"
    );
}

/// Tensors of checkpoints that are no weights: tables that a framework computes and stores.
fn is_buffer(tensor: &str) -> bool {
    let tables = [".inv_freq", ".attention.bias", ".masked_bias"];
    // Scales and codes of a quantized weight: `x.weight.absmax`.
    tables.iter().any(|end| tensor.ends_with(end)) || tensor.contains(".weight.")
}

#[test]
fn weights_have_the_names_of_the_checkpoint() {
    let Some(shared) = shared() else { return };
    let configs = corpus(&shared);
    let mut compared = 0;
    for file in fs::read_dir(shared.join("hf-index")).unwrap().map(|f| f.unwrap().path()) {
        let file_name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let Some((name, _)) =
            file_name.split_once(".safetensors.").or(file_name.split_once(".bin."))
        else {
            continue;
        };
        let Some(model) = configs.get(name).and_then(|c| imported(name, c).0.text) else {
            continue;
        };
        // MLX writes tensors in a layout of its own.
        let is_mlx = name == "mistralai__Mistral-Small-3.x-24B";
        if model.contains("// In the checkpoint ") || is_mlx {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let index = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
        let index = index.map(Result::unwrap).next().unwrap();
        let map = index["weight_map"].as_object().unwrap();
        let stored: BTreeSet<String> = map.keys().filter(|t| !is_buffer(t)).cloned().collect();
        let mut named = BTreeSet::new();
        for weight in weights(&model) {
            named.extend(weight.names());
        }
        let missing: Vec<_> = named.difference(&stored).take(5).collect();
        assert!(missing.is_empty(), "{name}: not in the checkpoint: {missing:?}");
        let surplus: Vec<_> = stored.difference(&named).take(5).collect();
        assert!(surplus.is_empty(), "{name}: not in the model: {surplus:?}");
        compared += 1;
        println!("{name}: {} tensors", stored.len());
    }
    assert!(compared >= 10, "{compared} compared");
}
