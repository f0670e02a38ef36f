//! Typing into files, as an editor does: what was kept from before never shows.
//!
//! Set `MESA_EDITS` to how many edits each file gets (the default is small), `MESA_SEED` to a
//! number for others than last time, and `MESA_FILES` to a part of the names of the files wanted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // tests

#[path = "../common/dice.rs"]
mod dice;
mod imports;
mod questions;
mod scenarios;
mod typist;

use mesa::check::library;
use mesa::diagnostic::Diagnostic;
use mesa::ide::Workspace;
use mesa::ide::facts::Facts;

fn edits() -> usize {
    std::env::var("MESA_EDITS").ok().and_then(|n| n.parse().ok()).unwrap_or(8)
}

fn seed() -> u64 {
    std::env::var("MESA_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn files() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "mesa") {
            let text = std::fs::read_to_string(&path).unwrap();
            all.push((path.display().to_string(), text));
        }
    }
    let library = library::FILES.iter();
    all.extend(library.map(|(path, text)| (format!("/copy/{path}.mesa"), (*text).to_owned())));
    all.sort();
    all
}

/// Whether `MESA_FILES` lets a file in.
fn is_wanted(name: &str) -> bool {
    std::env::var("MESA_FILES").map_or(true, |part| name.contains(&part))
}

fn fresh(name: &str, text: &str) -> Workspace {
    let mut workspace = Workspace::default();
    workspace.open(name, 1, text);
    workspace
}

fn shown(found: &[Diagnostic]) -> Vec<String> {
    found.iter().map(|d| format!("{d:?}")).collect()
}

/// Everything that facts say, in an order that hangs on nothing.
fn told(facts: &Facts) -> String {
    let values: std::collections::BTreeMap<_, _> = facts.values.iter().collect();
    let tensors: std::collections::BTreeMap<_, _> = facts.tensors.iter().collect();
    let rest = (&facts.collectives, &facts.expectations, &facts.findings);
    format!("{}{}{values:?}{tensors:?}{rest:?}", facts.text(), facts.json())
}
