//! The weight maps of real checkpoints.

use std::fs;
use std::path::PathBuf;

use super::maps::{Map, maps};
use super::{folder, mesa};

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
        "# Weight maps that `mesa bind` was tried on\n\nMade by `tests/bind/corpus.rs` from a corpus of \
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
