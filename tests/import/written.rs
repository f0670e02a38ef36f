//! How an imported model reads: what a person sees of it, and its layout.

use std::fs;

use super::common::{imported, total, weights};
use super::configs::{FALCON, GEMMA, HYBRID, LLAMA, VISION};
use super::kin::KIN;

/// What a person sees: the findings, then the model.
pub fn seen(title: &str, text: &str) -> String {
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
