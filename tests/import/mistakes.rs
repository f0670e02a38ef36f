//! Configs with mistakes, hostile texts, large ones: what is said of them, and where.

use std::fmt::Write as _;

use super::codes;
use super::common::{imported, weights};
use super::configs::{GEMMA, LLAMA};
use super::written::seen;

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
fn names_and_texts_of_a_config_cannot_break_the_model() {
    for title in ["", "7b", "a\"} {x}\n", "Llama", "ünï-1", "..", "a//b"] {
        let (imported, _) = imported(title, LLAMA);
        let model = imported.text.unwrap_or_else(|| panic!("{title}: {:?}", imported.findings));
        weights(&model);
    }
    let hostile = LLAMA.replace("LlamaForCausalLM", "x\\n}\\nmodel Y {forCausalLMForCausalLM");
    weights(&imported("x", &hostile).0.text.unwrap());
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
