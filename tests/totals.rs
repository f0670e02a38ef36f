//! Published counts of parameters, to the unit: every exact row of a table of figures, and active
//! ones where they are given.
//!
//! The figures are not part of the repository: `measured/params.csv` in the folder that
//! MESA_SHARED_DATA names. The test says that it was skipped where that is not set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use mesa::check::Program;

/// The model of each row: one of the library, one of it with other numbers, or a block called with
/// the numbers of its config. Where two frameworks count the same model, it says what differs.
const MODELS: &[(&str, &str)] = &[
    ("BLOOM-176B", "Bloom_176B"),
    ("BLOOM-3B", "Bloom_3B"),
    ("Devstral-Small-2507 / Mistral-Small-3.x text (24B)", "Mistral_Small"),
    ("Falcon-40B", "Falcon_40B"),
    ("Falcon-RW-1B", "Falcon_RW_1B"),
    ("Gemma-2-27B", "Gemma2_27B"),
    ("Gemma-2-2B", "Gemma2_2B"),
    ("Gemma-2-9B", "Gemma2_9B"),
    (
        "Gemma-2B (v1)",
        "Llama(layers: 18, hidden: 2048, heads: 8, kv_heads: 1, head_dim: 256, ffn: 16384, \
         vocab: 256000, tied: true, activation: gelu)",
    ),
    // Counted with the 262,144 rows that the tokenizer has; the checkpoint has 64 more.
    (
        "Gemma-3-12B (with vision)",
        "Gemma3_4B_Vision with { layers = 48, hidden = 3840, heads = 16, kv_heads = 8, \
         ffn = 15360, vocab = 262144 }",
    ),
    ("Gemma-3-4B (with vision)", "Gemma3_4B_Vision with { vocab = 262144 }"),
    ("Gemma-3-27B (with vision)", "Gemma3_27B_Vision with { vocab = 262144 }"),
    ("MedGemma-27B (Gemma-3-27B + vision)", "Gemma3_27B_Vision"),
    ("Gemma-3-27B (text only)", "Gemma3_27B"),
    ("Gemma-3-1B", "Gemma3_1B"),
    ("Gemma-3-270M", "Gemma3_1B with { layers = 18, hidden = 640, ffn = 2048 }"),
    (
        "Gemma-7B (v1)",
        "Llama(layers: 28, hidden: 3072, heads: 16, head_dim: 256, ffn: 24576, vocab: 256000, \
         tied: true, activation: gelu)",
    ),
    // Counted with a bias for each convolution of a residual block, which Keras Hub adds as zeros; the
    // checkpoint has none.
    ("Gemma-3n-E2B", "Gemma3n_E2B with { vision.biases = true }"),
    ("Gemma-3n-E4B", "Gemma3n_E4B with { vision.biases = true }"),
    ("GLM-5", "GLM_5"),
    ("GPT-2 small", "Gpt2"),
    ("GPT-2 XL", "Gpt2_XL"),
    ("gpt-oss-120b", "GptOss_120B"),
    ("gpt-oss-20b", "GptOss_20B"),
    ("InternLM-20B", "Llama(layers: 60, hidden: 5120, heads: 40, ffn: 13824, vocab: 103168)"),
    ("Kimi-K2-Instruct", "Kimi_K2"),
    ("Llama-2-13B", "Llama2_13B"),
    ("Llama-2-70B", "Llama2_70B"),
    ("Llama-2-7B", "Llama2_7B"),
    ("Llama-3.1-70B", "Llama3_70B"),
    ("Llama-3.1-8B", "Llama3_8B"),
    ("Llama-3.2-1B", "Llama3_1B"),
    ("Llama-3.2-3B", "Llama3_3B"),
    ("MiMo-7B", "MiMo_7B"),
    ("MiniMax-M2.5", "MiniMax_M2_5"),
    ("Mistral-7B-v0.1", "Mistral_7B"),
    ("Mixtral-8x7B-v0.1", "Mixtral_8x7B"),
    // The benchmark's MPT has learned positions, and biases everywhere.
    (
        "MPT-125m (seq 2048, learned positions)",
        "Gpt(layers: 12, hidden: 768, heads: 12, vocab: 50368, context: 2048)",
    ),
    (
        "MPT-350m (seq 2048, learned positions)",
        "Gpt(layers: 24, hidden: 1024, heads: 16, vocab: 50368, context: 2048)",
    ),
    (
        "MPT-760m (seq 2048, learned positions)",
        "Gpt(layers: 24, hidden: 1536, heads: 12, vocab: 50368, context: 2048)",
    ),
    (
        "MPT-1b (seq 2048, learned positions)",
        "Gpt(layers: 24, hidden: 2048, heads: 16, vocab: 50368, context: 2048)",
    ),
    (
        "MPT-3b (seq 2048, learned positions)",
        "Gpt(layers: 32, hidden: 2560, heads: 20, vocab: 50368, context: 2048)",
    ),
    (
        "MPT-7b (seq 2048, learned positions)",
        "Gpt(layers: 32, hidden: 4096, heads: 32, vocab: 50368, context: 2048)",
    ),
    (
        "MPT-70b (seq 2048, learned positions)",
        "Gpt(layers: 80, hidden: 8192, heads: 64, vocab: 50368, context: 2048)",
    ),
    ("MPT-7B", "Mpt_7B"),
    // Counted without the two rows of positions that the checkpoint has and nothing reads.
    ("OPT-1.3B", "Opt_1_3B with { context = 2048 }"),
    ("Phi-2", "Phi2"),
    (
        "Qwen-72B",
        "Llama(layers: 80, hidden: 8192, heads: 64, ffn: 24576, vocab: 152064, qkv_bias: true)",
    ),
    ("Qwen1.5-MoE-A2.7B", "Qwen1_5_MoE_A2_7B"),
    ("Qwen2.5-0.5B", "Qwen2_5_0_5B"),
    ("Qwen2.5-3B", "Qwen2_5_3B"),
    ("Qwen3-0.6B", "Qwen3_0_6B"),
    ("Qwen3-14B", "Qwen3_14B"),
    ("Qwen3-235B-A22B", "Qwen3_235B_A22B"),
    ("Qwen3-32B", "Qwen3_32B"),
    ("Qwen3-4B", "Qwen3_4B"),
    ("Qwen3-Coder-480B-A35B", "Qwen3_Coder_480B_A35B"),
    ("Qwen3.5-27B", "Qwen3_6_27B"),
    (
        "SmolLM3-3B",
        "Llama(layers: 36, hidden: 2048, heads: 16, kv_heads: 4, ffn: 11008, vocab: 128256, \
         tied: true)",
    ),
];

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(String::new()),
            c => all.last_mut().unwrap().push(c),
        }
    }
    all
}

#[test]
fn every_exact_count_is_met_to_the_unit() {
    let Some(shared) = std::env::var_os("MESA_SHARED_DATA").map(std::path::PathBuf::from) else {
        eprintln!("skipped: MESA_SHARED_DATA names no folder with measured/params.csv");
        return;
    };
    let text = std::fs::read_to_string(shared.join("measured/params.csv")).unwrap();
    let (mut met, mut wrong) = (0, Vec::new());
    for line in text.lines().skip(1) {
        let row = fields(line);
        let [name, total, active, exact, ..] = row.as_slice() else { panic!("{line}") };
        if exact == "no" {
            continue;
        }
        let found = MODELS.iter().find(|(n, _)| n == name);
        let Some((_, model)) = found else { panic!("no model for the row {name}") };
        let item = model.split([' ', '(']).next().unwrap();
        let folder = if ["Llama", "Gpt"].contains(&item) { "layers" } else { "models" };
        let mut expect = format!("  expect parameters.total == {total}\n");
        if !active.is_empty() {
            expect += &format!("  expect parameters.active == {active}\n");
        }
        let text = format!(
            "use std.{folder}.{item}\n\nmodel Here = {model} {{\n  source = \"a test\"\n{expect}}}\n"
        );
        let program = Program::of_text("model.mesa", &text);
        for finding in mesa::check(&program) {
            let notes = finding.notes.join("; ");
            wrong.push(format!("{name}: {} {notes}", finding.title));
        }
        met += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(met, 59);
}
