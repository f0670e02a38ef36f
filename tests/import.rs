//! `mesa import`: configs of all architectures it knows, broken ones, and a corpus of real ones.
//!
//! The corpus is not part of the repository: a folder with `hf-configs`, `hf-index` and
//! `measured/params.csv`, named by MESA_SHARED_DATA. Tests over it say that they were skipped
//! where the variable is not set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use mesa::import::Imported;
use mesa::source::{Origin, SourceFile, Sources};

#[path = "common/weights.rs"]
mod common;

use common::{corpus, imported, shared, total, weights};

/// Codes of the findings, each once, in order.
fn codes(imported: &Imported) -> Vec<&'static str> {
    let mut codes: Vec<_> = imported.findings.iter().map(|d| d.code.id()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

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
         Made by `tests/import.rs` from a corpus of `config.json` files; do not edit. *Exact* means \
         that the\ncount equals a published total, or what the size of a checkpoint says; *counted* that \
         it equals the\nparameters of the class of Transformers 5.23, built on the meta \
         device. Codes are those of\n`mesa help CODE`.\n\n",
    );
    let counted = include_str!("counted/corpus.csv").lines();
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

/// `8,030,261,248`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let parts: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap()).collect();
    parts.join(",")
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

/// Configs of `tests/configs` with the totals that go with them. Those of `NOT_COUNTED` are from model
/// cards, exactly or in billions; all others were counted from the classes of Transformers 5.23 on the
/// meta device, with buffers that a checkpoint holds (routing biases).
const KIN: &[(&str, f64, f64)] = &[
    ("afm-4.5b", 4_619_184_640.0, 0.0),
    ("albert-base-v2", 11_221_680.0, 0.0),
    ("all-mpnet-base", 109_516_991.0, 0.0),
    ("apertus-8b", 8_053_338_176.0, 0.0),
    ("aya-vision-8b", 8_631_842_032.0, 0.0),
    ("baichuan2-13b", 13.9e9, 0.01e9),
    ("bamba-9b", 9_780_235_392.0, 0.0),
    ("bart-base", 139_420_416.0, 0.0),
    ("bert-large-ner", 332_538_889.0, 0.0),
    ("bge-m3", 567_754_752.0, 0.0),
    ("bge-reranker-v2-m3", 567_755_777.0, 0.0),
    ("bloom-3b", 3_002_557_440.0, 0.0),
    ("command-a", 111_057_580_032.0, 0.0),
    ("command-a-vision", 111_867_525_360.0, 0.0),
    ("command-r-plus", 103_810_674_688.0, 0.0),
    ("command-r7b", 8_028_033_024.0, 0.0),
    ("dbrx", 131_596_523_520.0, 0.0),
    ("deberta-v3-base-nli", 184_424_451.0, 0.0),
    ("deepseek-ocr", 3_336_106_240.0, 0.0),
    ("deepseek-vl2-small", 16.1e9, 0.1e9),
    ("devstral-2-123b", 125_025_988_608.0, 0.0),
    ("distilbert-sst2", 66_955_010.0, 0.0),
    ("electra-small", 13_549_057.0, 0.0),
    ("ernie-0.3b", 360_748_032.0, 0.0),
    ("ernie-4.5-21b-a3b", 21_825_437_888.0, 0.0),
    ("ernie-4.5-vl-28b", 29_399_294_336.0, 0.0),
    ("exaone4-1.2b", 1_279_391_488.0, 0.0),
    ("exaone4-32b", 32_003_216_384.0, 0.0),
    ("falcon-180b", 179_522_565_120.0, 0.0),
    ("falcon-h1-0.5b", 521_411_104.0, 0.0),
    ("falcon-h1-7b", 7_585_648_736.0, 0.0),
    ("falcon-rw-1b", 1_311_625_216.0, 0.0),
    ("flan-t5-small", 76_961_152.0, 0.0),
    ("gemma-2-9b", 9_241_705_984.0, 0.0),
    ("gemma-2b-v1", 2_506_172_416.0, 0.0),
    ("gemma-3-12b", 12_187_325_040.0, 0.0),
    ("gemma-3-270m", 268_098_176.0, 0.0),
    ("gemma-3-4b", 4_300_079_472.0, 0.0),
    ("gemma-3n-e4b", 7_849_978_192.0, 0.0),
    ("gemma-4-31b", 31_273_088_876.0, 0.0),
    // Of Transformers' 5,104,297,504 with a scalar for each of 35 layers, which it calls a buffer.
    ("gemma-4-e2b", 5_104_297_539.0, 0.0),
    ("glm-4-9b-chat", 9_399_951_360.0, 0.0),
    ("glm-4.1v-9b", 10_292_777_472.0, 0.0),
    ("glm-4.7-flash", 29_943_393_920.0, 0.0),
    ("glm-4v-9b", 10_292_777_472.0, 0.0),
    ("glm4-9b-0414", 9_400_279_040.0, 0.0),
    ("gpt-neo-1.3b", 1_315_575_808.0, 0.0),
    ("gpt-oss-20b", 20_914_757_184.0, 0.0),
    ("granite-3.1-1b-a400m", 1_334_628_352.0, 0.0),
    ("granite-3.1-3b-a800m", 3_298_793_472.0, 0.0),
    ("granite-3.3-8b", 8_170_864_640.0, 0.0),
    ("granite-4.0-h-micro", 3_191_396_096.0, 0.0),
    ("granite-4.0-h-small", 32_207_337_984.0, 0.0),
    ("granite-4.0-h-tiny", 6_939_037_248.0, 0.0),
    ("granite-4.0-micro", 3.40e9, 0.01e9),
    ("gte-reranker-modernbert", 149_605_633.0, 0.0),
    ("hunyuan-a13b", 80.39e9, 0.06e9),
    ("idefics2-8b", 8_402_768_112.0, 0.0),
    ("internlm2-20b", 19_861_149_696.0, 0.0),
    ("internlm2-7b-reward", 7_358_652_416.0, 0.0),
    ("internlm3-8b", 8_804_241_408.0, 0.0),
    ("internvl2.5-8b", 8.08e9, 0.01e9),
    ("internvl3-8b-hf", 7.94e9, 0.01e9),
    ("jamba-1.5-large", 398_555_145_696.0, 0.0),
    ("jamba-3b", 3_029_337_472.0, 0.0),
    ("jetmoe-8b", 8_522_237_952.0, 0.0),
    ("kimi-k2-thinking", 1_026_408_232_448.0, 0.0),
    ("kimi-linear-48b", 49_122_681_728.0, 0.0),
    ("kimi-vl-a3b", 16.4e9, 0.05e9),
    ("laguna-s", 117_561_977_600.0, 0.0),
    ("laguna-xs.2", 33_442_617_088.0, 0.0),
    ("lfm2-350m", 354_483_968.0, 0.0),
    ("lfm2-8b-a1b", 8_339_930_560.0, 0.0),
    ("lfm2.5-vl-1.6b", 1_596_625_904.0, 0.0),
    ("ling-mini-2.0", 16.26e9, 0.01e9),
    ("llama-3.2-90b-vision", 88_593_355_323.0, 0.0),
    ("llama-4-maverick", 401_583_781_376.0, 0.0),
    ("llama3.1-8b-w8a8", 8_030_261_248.0, 0.0),
    ("llava-1.5-hf", 7_063_427_072.0, 0.0),
    ("llava-next-mistral", 7_566_747_648.0, 0.0),
    ("llava-next-video-mistral-7b", 7_566_747_648.0, 0.0),
    ("llava-onevision-7b", 8_029_890_080.0, 0.0),
    ("llava-v1.6-mistral-7b", 7_566_223_360.0, 0.0),
    ("longcat-flash", 560e9, 1e9),
    ("mamba2-2.7b", 2_702_599_680.0, 0.0),
    ("mbart-large-50", 610_879_488.0, 0.0),
    ("minicpm-moe-8x2b", 13.88e9, 0.01e9),
    ("minicpm-v-2.6", 8_099_175_152.0, 0.0),
    ("minicpm3-4b", 4_073_875_968.0, 0.0),
    ("minimax-m1", 456e9, 1e9),
    ("minimax-m2", 228_689_764_864.0, 0.0),
    ("minimax-m3", 427_040_140_160.0, 0.0),
    ("ministral-3-8b", 8.92e9, 0.01e9),
    ("mistral-large-3", 675e9, 1e9),
    ("mixtral-8x22b", 140_630_071_296.0, 0.0),
    ("modernbert-base", 149_655_232.0, 0.0),
    ("molmo-72b", 73.31e9, 0.06e9),
    ("molmo-7b-o", 7.67e9, 0.01e9),
    ("nemotron-3-nano-30b", 31_577_940_288.0, 0.0),
    ("nemotron-h-8b", 8_100_852_736.0, 0.0),
    ("nemotron-minitron-4b", 4_190_509_056.0, 0.0),
    ("nemotron-nano-9b-v2", 8_888_227_328.0, 0.0),
    ("nemotron-nas-six-layers", 4_769_013_760.0, 0.0),
    ("nllb-200-600m", 615_073_792.0, 0.0),
    ("oasst-rm-pythia-1.4b", 1_311_594_497.0, 0.0),
    ("olmo-1b", 1_176_764_416.0, 0.0),
    ("olmo-7b", 6_888_095_744.0, 0.0),
    ("olmo3-7b", 7_298_011_136.0, 0.0),
    ("olmoe", 6_919_161_856.0, 0.0),
    ("opt-1.3b", 1_315_758_080.0, 0.0),
    ("opt-350m", 331_196_416.0, 0.0),
    ("opus-mt-en-de", 74_410_496.0, 0.0),
    ("paddleocr-vl", 905_601_648.0, 0.0),
    ("paligemma-3b", 2_923_466_480.0, 0.0),
    ("pegasus-xsum", 569_748_480.0, 0.0),
    ("phi-2", 2_779_683_840.0, 0.0),
    ("phi-3-medium", 13_960_238_080.0, 0.0),
    ("pixtral-12b", 12_682_739_712.0, 0.0),
    ("pythia-6.9b", 6_857_302_016.0, 0.0),
    ("qwen2-57b-a14b", 57_408_658_944.0, 0.0),
    ("qwen2-audio-7b", 8_397_094_912.0, 0.0),
    ("qwen2-vl-2b", 2_208_985_600.0, 0.0),
    // What thinks: what speaks is left out.
    ("qwen2.5-omni-7b", 8_931_813_888.0, 0.0),
    ("qwen2.5-vl-3b", 3_754_622_976.0, 0.0),
    ("qwen3-0.6b", 596_049_920.0, 0.0),
    ("qwen3-8b-fp8", 8_190_735_360.0, 0.0),
    ("qwen3-omni-30b-a3b", 31_719_205_488.0, 0.0),
    ("qwen3-vl-30b-a3b", 31_070_754_032.0, 0.0),
    ("qwen3-vl-4b", 4_437_815_808.0, 0.0),
    ("qwen3.5-18b-reap-a3b", 18_543_997_568.0, 0.0),
    ("qwen3.5-9b-mlx-8bit", 9_409_813_744.0, 0.0),
    ("qwen3.6-35b-a3b", 35_107_181_936.0, 0.0),
    ("recurrentgemma-2b", 2_682_862_080.0, 0.0),
    ("rwkv6-world-7b", 7_635_746_816.0, 0.0),
    ("seed-oss-36b", 36_151_104_512.0, 0.0),
    ("skywork-reward-8b", 7_504_928_768.0, 0.0),
    ("smolvlm-500m", 507_482_304.0, 0.0),
    ("stablelm-2-1.6b", 1_644_515_328.0, 0.0),
    ("starcoder2-15b", 15_957_889_024.0, 0.0),
    ("starcoder2-7b", 7_173_923_840.0, 0.0),
    ("starcoderbase", 15_517_456_384.0, 0.0),
    ("t5-small", 60_506_624.0, 0.0),
    ("umt5-small", 175_333_376.0, 0.0),
    ("videollama3-7b", 8_044_744_944.0, 0.0),
    ("vip-llava-7b", 7_080_214_528.0, 0.0),
    ("voxtral-mini-3b", 4_676_271_104.0, 0.0),
    ("whisper-large-v3", 1_543_490_560.0, 0.0),
    ("zamba2-1.2b", 1_215_064_704.0, 0.0),
];

/// Configs of `KIN` that Transformers 5.23 does not build as their checkpoints are, and why.
const NOT_COUNTED: &[(&str, &str)] = &[
    ("baichuan2-13b", "no class"),
    ("deepseek-ocr", "no class"),
    ("deepseek-vl2-small", "no class"),
    (
        "falcon-180b",
        "the class ties the output layer where the config is silent; the checkpoint stores one",
    ),
    ("flan-t5-small", "the class ties the output layer, the config says that it is not"),
    (
        "gemma-3n-e4b",
        "the class leaves out keys and values of layers that take them from another; the checkpoint has them",
    ),
    ("glm-4-9b-chat", "no class"),
    (
        "granite-4.0-micro",
        "the class refuses the config, whose heads of Mamba layers that it does not have do not fit",
    ),
    ("hunyuan-a13b", "the class cannot read how the config scales positions"),
    ("internlm2-20b", "no class"),
    ("internlm2-7b-reward", "no class"),
    ("internvl2.5-8b", "no class"),
    (
        "internvl3-8b-hf",
        "the class ties the output layer where the config is silent; the checkpoint stores one",
    ),
    ("kimi-vl-a3b", "no class"),
    ("ling-mini-2.0", "no class"),
    ("llava-v1.6-mistral-7b", "no class"),
    (
        "longcat-flash",
        "the class makes room for experts that do nothing; the checkpoint holds none",
    ),
    ("minicpm-moe-8x2b", "no class"),
    ("minicpm-v-2.6", "no class"),
    ("minimax-m1", "the class reads layer_types, which the config calls attn_type_list"),
    (
        "ministral-3-8b",
        "the class ties the output layer where the config is silent; the checkpoint stores one",
    ),
    (
        "mistral-large-3",
        "the class ties the output layer where the config is silent; the checkpoint stores one",
    ),
    ("molmo-72b", "no class"),
    ("molmo-7b-o", "no class"),
    ("nemotron-nas-six-layers", "no class; made up, and counted by hand"),
    ("oasst-rm-pythia-1.4b", "no class"),
    ("rwkv6-world-7b", "no class"),
];

#[test]
fn close_kin_of_known_architectures_have_their_published_totals() {
    let mut wrong = Vec::new();
    for (name, published, within) in KIN {
        let is_counted = NOT_COUNTED.iter().all(|(n, _)| n != name);
        assert!(!is_counted || *within == 0.0, "{name} was counted: its total is exact");
        let path = format!("{}/tests/configs/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let (imported, _) = imported(name, &fs::read_to_string(path).unwrap());
        let unknown: Vec<_> = imported.findings.iter().filter(|d| d.code.id() == "W0801").collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
        let total = total(&weights(imported.text.as_deref().unwrap()));
        if (total - published).abs() > *within {
            wrong.push(format!(
                "{name}: {} is published as {}",
                grouped(total),
                grouped(*published)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

const LLAMA: &str = r#"{
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

const GEMMA: &str = r#"{
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

const VISION: &str = r#"{
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

const HYBRID: &str = r#"{
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

const FALCON: &str = r#"{
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

/// What a person sees: the findings, then the model.
fn seen(title: &str, text: &str) -> String {
    use mesa::diagnostic::render::{Format, Options, render};
    let (imported, sources) = imported(title, text);
    let options = Options { color: false, width: 100 };
    let findings = render(Format::Text, &sources, &imported.findings, &options);
    format!("{findings}{}", imported.text.unwrap_or_else(|| "(no model)\n".into()))
}

#[test]
fn a_model_reads_as_if_a_person_had_written_it() {
    insta::assert_snapshot!("llama", seen("Meta-Llama-3.1-8B", LLAMA));
    insta::assert_snapshot!("gemma", seen("config", GEMMA));
    insta::assert_snapshot!("falcon", seen("falcon-40b", FALCON));
    insta::assert_snapshot!("vision", seen("tiny-mistral3", VISION));
    insta::assert_snapshot!("hybrid", seen("tiny-jamba", HYBRID));
    assert_eq!(total(&weights(&imported("x", LLAMA).0.text.unwrap())), 8_030_261_248.0);
}

#[test]
fn each_problem_of_a_config_is_said_at_its_key() {
    let edit = |edits: &[(&str, &str)]| {
        let mut text = LLAMA.to_owned();
        for (from, to) in edits {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        seen("tiny", &text)
    };
    let cases =
        [("not JSON", "{'model_type': 'llama'}".to_owned()), ("no object", "[1, 2]".to_owned())];
    let mut all = String::new();
    for (what, text) in cases {
        write!(all, "--- {what}\n{}", seen("tiny", &text)).unwrap();
    }
    let cases = [
        ("unknown architecture", edit(&[("\"llama\"", "\"lama\"")])),
        ("no architecture", edit(&[("  \"model_type\": \"llama\",\n", "")])),
        (
            "several at once",
            edit(&[
                ("  \"intermediate_size\": 14336,\n", ""),
                ("\"num_hidden_layers\": 32", "\"num_hidden_layers\": \"32\""),
                ("\"vocab_size\": 128256", "\"vocab_size\": 0"),
                ("\"silu\"", "\"mish\""),
                ("\"bfloat16\"", "\"int3\""),
            ]),
        ),
        ("heads that do not divide", edit(&[("heads\": 8", "heads\": 5")])),
        ("a head that is not whole", edit(&[("4096", "4100")])),
        ("experts", edit(&[("\"vocab", "\"num_local_experts\": 8,\n  \"vocab")])),
        ("another head", edit(&[("LlamaForCausalLM", "LlamaForQuestionAnswering")])),
        ("a key that nobody knows", edit(&[("\"vocab", "\"skip_layers\": [3, 5],\n  \"vocab")])),
        (
            "a quantized model",
            edit(&[("\"vocab", "\"quantization_config\": {\"bits\": 4},\n  \"vocab")]),
        ),
        (
            "modules in formats of their own",
            edit(&[(
                "\"vocab",
                "\"quantization\": {\"bits\": 4, \"group_size\": 64, \"lm_head\": {\"bits\": 8, \
                 \"group_size\": 64}, \"model.layers.0.mlp.down_proj\": {\"bits\": 6, \
                 \"group_size\": 64}},\n  \"vocab",
            )]),
        ),
        ("a list for other layers", seen("tiny", &GEMMA.replace("layers\": 4", "layers\": 5"))),
    ];
    for (what, text) in cases {
        write!(all, "--- {what}\n{text}").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn layers_that_see_everything_come_at_any_distances() {
    let at = |last: &str| {
        let config = GEMMA.replace("\"sliding_attention\"]", last);
        let text = imported("tiny", &config).0.text.unwrap();
        let line = |name: &str| {
            let found = text.lines().find(|l| l.trim_start().starts_with(name));
            found.map(|l| l.split(" //").next().unwrap().trim().to_owned())
        };
        (line("global_every"), line("global_layers"))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(at("\"sliding_attention\"]"), (some("global_every: 3,"), None));
    assert_eq!(at("\"full_attention\"]"), (None, some("global_layers: [2, 3],")));
}

#[test]
fn importing_and_formatting_again_changes_nothing() {
    for text in [LLAMA, GEMMA, FALCON, VISION, HYBRID] {
        let (first, _) = imported("model", text);
        let (second, sources) = imported("model", text);
        assert_eq!(first.text, second.text);
        let model = first.text.unwrap();
        let file = sources.iter().next().unwrap().0;
        assert_eq!(mesa::syntax::format::format(&model, file).unwrap(), model);
        assert!(model.lines().all(|l| l.chars().count() <= 120), "{model}");
    }
}

#[test]
fn every_kind_of_model_is_written_in_the_one_layout() {
    for (name, ..) in KIN {
        let path = format!("{}/tests/configs/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let (imported, sources) = imported(name, &fs::read_to_string(path).unwrap());
        let model = imported.text.unwrap();
        let file = sources.iter().next().unwrap().0;
        assert_eq!(mesa::syntax::format::format(&model, file).unwrap(), model, "{name}");
    }
}

#[test]
fn names_and_texts_of_a_config_cannot_break_the_model() {
    for title in ["", "7b", "a\"} {x}\n", "Llama", "ünï-1", "..", "a//b"] {
        let (imported, _) = imported(title, LLAMA);
        let model = imported.text.unwrap_or_else(|| panic!("{title}: {:?}", imported.findings));
        weights(&model);
    }
    let hostile = LLAMA.replace("LlamaForCausalLM", "x\\n}\\nmodel Y {forCausalLMForCausalLM");
    weights(&imported("x", &hostile).0.text.unwrap());
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[test]
fn mutated_configs_are_imported_soundly_or_refused_with_a_place() {
    let values = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "7",
        "0.5",
        "1e300",
        "9007199254740993",
        "NaN",
        "-Infinity",
        "\"\"",
        "\"32\"",
        "\"silu\"",
        "[]",
        "{}",
        "[[[[]]]]",
        "{\"a\": {\"b\": 1}}",
        "[\"full_attention\"]",
        "1e-320",
        "\"\\ud800\"",
    ];
    let mut rng = Rng(0x5eed_cafe);
    for round in 0..400 {
        let mut text = [LLAMA, GEMMA, FALCON, VISION, HYBRID][round % 5].to_owned();
        for _ in 0..=rng.below(3) {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let line = rng.below(lines.len());
            match rng.below(6) {
                0 => _ = lines.remove(line),
                1 => {
                    let (from, to) = (lines[line].clone(), rng.below(lines.len()));
                    lines.insert(to, from);
                }
                2 => {
                    let cut = rng.below(text.len());
                    lines = text
                        .chars()
                        .take(cut)
                        .collect::<String>()
                        .lines()
                        .map(str::to_owned)
                        .collect();
                }
                _ => {
                    if let Some((key, _)) = lines[line].clone().split_once(':') {
                        let value = values[rng.below(values.len())];
                        lines[line] = format!("{key}: {value},");
                    }
                }
            }
            text = lines.join("\n");
            if text.is_empty() {
                break;
            }
        }
        let (imported, sources) = imported("mutated", &text);
        match &imported.text {
            Some(model) => _ = weights(model),
            None => assert!(codes(&imported).iter().any(|c| c.starts_with('E')), "{text}"),
        }
        for finding in &imported.findings {
            assert!(
                !finding.title.contains('\n') && finding.title.len() < 200,
                "{}",
                finding.title
            );
            let place = finding.place().unwrap();
            let length = sources.file(place.file).text.len() as u32;
            assert!(place.span.start <= place.span.end && place.span.end <= length, "{text}");
        }
    }
}

#[test]
fn real_configs_with_a_key_changed_are_imported_soundly_or_refused() {
    let Some(shared) = shared() else { return };
    let values = ["null", "0", "-1", "1e300", "\"32\"", "[]", "{}", "true", "0.5", "NaN"];
    let mut rng = Rng(0xfeed_f00d);
    for (name, text) in corpus(&shared) {
        for _ in 0..4 {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let line = rng.below(lines.len());
            if let Some((key, _)) = lines[line].clone().split_once(':') {
                lines[line] = format!("{key}: {},", values[rng.below(values.len())]);
            } else {
                lines.remove(line);
            }
            let (imported, _) = imported(&name, &lines.join("\n"));
            let errors = codes(&imported).iter().any(|c| c.starts_with('E'));
            assert_ne!(imported.text.is_some(), errors, "{name}, line {line}");
            if let Some(model) = &imported.text {
                weights(model);
            }
        }
    }
}

#[test]
fn marks_and_ends_of_lines_say_nothing_and_keys_written_twice_do() {
    let (plain, _) = imported("tiny", LLAMA);
    for text in [format!("\u{feff}{LLAMA}"), LLAMA.replace('\n', "\r\n"), LLAMA.replace('\n', "\r")]
    {
        assert_eq!(imported("tiny", &text).0.text, plain.text);
    }
    let twice = LLAMA.replacen('{', "{\"hidden_size\": 512,", 1);
    let (twice, _) = imported("tiny", &twice);
    assert_eq!(codes(&twice), ["W0802"]);
    assert_eq!(twice.text, plain.text, "the last one counts, as Python has it");
}

#[test]
fn large_configs_are_read_in_a_moment() {
    let started = std::time::Instant::now();
    let noise = format!("{{\"noise\": \"{}\",", "x".repeat(5_000_000));
    let keys: String = (0..100_000).map(|i| format!("\"key_{i}\": null,")).collect();
    let text = LLAMA.replacen('{', &(noise + &keys), 1);
    let (imported, _) = imported("large", &text);
    assert_eq!(codes(&imported), ["W0801"], "the noise is not understood, nulls say nothing");
    assert!(imported.text.is_some());
    let deep = format!("{{\"model_type\": {}", "[".repeat(1_000_000));
    assert_eq!(codes(&self::imported("deep", &deep).0), ["E0801"]);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

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
