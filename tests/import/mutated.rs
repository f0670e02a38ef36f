//! Configs changed at random: a sound model or an error at a place, never anything between.

use super::codes;
use super::common::{corpus, imported, shared, weights};
use super::configs::{FALCON, GEMMA, HYBRID, LLAMA, VISION};
use super::dice::Dice;

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
    let mut dice = Dice(0x5eed_cafe);
    for round in 0..400 {
        let mut text = [LLAMA, GEMMA, FALCON, VISION, HYBRID][round % 5].to_owned();
        for _ in 0..=dice.below(3) {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let line = dice.below(lines.len());
            match dice.below(6) {
                0 => _ = lines.remove(line),
                1 => {
                    let (from, to) = (lines[line].clone(), dice.below(lines.len()));
                    lines.insert(to, from);
                }
                2 => {
                    let cut = dice.below(text.len());
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
                        let value = values[dice.below(values.len())];
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
    let mut dice = Dice(0xfeed_f00d);
    for (name, text) in corpus(&shared) {
        for _ in 0..4 {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let line = dice.below(lines.len());
            if let Some((key, _)) = lines[line].clone().split_once(':') {
                lines[line] = format!("{key}: {},", values[dice.below(values.len())]);
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
