//! Parameters as others count them: default configs of all model types that have a class in
//! Transformers, as it writes them, with one key changed or left out, and real configs. The counts
//! are those of the classes of Transformers 5.23, built on the meta device.
//!
//! A class keeps some weights as buffers (routing biases); a count here holds all of them or none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use serde_json::Value;

#[path = "common/weights.rs"]
mod common;

use common::{corpus, imported, shared, total, weights};

/// A class of Transformers: its `model_type`, the config that it writes by default, and its row.
struct Family {
    name: String,
    config: Value,
    row: Value,
}

fn families() -> impl Iterator<Item = Family> {
    include_str!("counted/defaults.jsonl").lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = row["model_type"].as_str().unwrap().to_owned();
        Family { name, config: row["config"].clone(), row }
    })
}

impl Family {
    /// The changes of a kind, each with what it is and the config that it makes.
    fn changed(&self, kind: &str) -> impl Iterator<Item = (String, Value, &Value)> {
        self.row[kind].as_array().into_iter().flatten().map(|change| {
            let key = change["key"].as_str().unwrap();
            let mut config = self.config.as_object().unwrap().clone();
            let what = match change.get("value") {
                Some(value) => {
                    config.insert(key.into(), value.clone());
                    format!("{} with {key} {value}", self.name)
                }
                None => {
                    config.remove(key);
                    format!("{} without {key}", self.name)
                }
            };
            (what, Value::Object(config), change)
        })
    }
}

/// What the model here has, or why there is none.
fn counted(name: &str, config: &Value) -> Result<f64, Vec<String>> {
    let (imported, _) = imported(name, &config.to_string());
    match imported.text {
        Some(text) => Ok(total(&weights(&text))),
        None => Err(imported.findings.iter().map(|d| d.title.clone()).collect()),
    }
}

/// Compares what is here with what the class has.
fn compare(name: &str, config: &Value, truth: &Value, wrong: &mut Vec<String>) {
    let number = |key: &str| truth[key].as_f64().unwrap();
    let (parameters, buffers) = (number("parameters"), number("buffers"));
    match counted(name, config) {
        Ok(n) if n == parameters || n == parameters + buffers => {}
        other => wrong.push(format!("{name}: {other:?}, the class has {parameters} + {buffers}")),
    }
}

#[test]
fn default_configs_with_a_key_changed_have_the_counts_of_their_classes() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for family in families() {
        compare(&family.name, &family.config, &family.row, &mut wrong);
        for (what, config, change) in family.changed("changes") {
            compare(&what, &config, change, &mut wrong);
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 400, "{compared} compared");
}

#[test]
fn configs_that_contradict_themselves_are_refused() {
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for family in families() {
        for (what, config, _) in family.changed("refused") {
            tried += 1;
            let (imported, _) = imported(&family.name, &config.to_string());
            let reasons: Vec<_> = imported.findings.iter().map(|d| d.code.id()).collect();
            if imported.text.is_some() || reasons.iter().all(|code| *code != "E0806") {
                wrong.push(format!("{what}: {reasons:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 10, "{tried} tried");
}

#[test]
fn real_configs_have_the_counts_of_their_classes() {
    let Some(shared) = shared() else { return };
    let configs = corpus(&shared);
    let rows = include_str!("counted/corpus.csv").lines().filter(|l| !l.starts_with('#')).skip(1);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let config: Value = match configs.get(cells[0]) {
            Some(text) => match serde_json::from_str(text) {
                Ok(config) => config,
                // `Infinity` is no JSON, and is read all the same.
                Err(_) => serde_json::from_str(&text.replace("Infinity", "1e9")).unwrap(),
            },
            None => continue,
        };
        let wanted: f64 = cells[1].parse().unwrap();
        match counted(cells[0], &config) {
            Ok(n) if n == wanted => {}
            other => wrong.push(format!("{}: {other:?}, the class has {wanted}", cells[0])),
        }
        compared += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 80, "{compared} compared");
}
