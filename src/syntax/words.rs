//! Spellings that people bring from other languages, and what Mesa says instead.
//!
//! In: a word. Out: the item kind or the word that is meant.

use super::ast::ItemKind;

/// The kind that a foreign item keyword stands for.
pub(super) fn foreign_item(word: &str) -> Option<ItemKind> {
    Some(match word {
        "func" | "def" | "function" | "fun" | "define" => ItemKind::Fn,
        "import" | "include" => ItemKind::Use,
        "let" | "var" | "val" | "constant" | "static" => ItemKind::Const,
        "layer" | "module" | "class" => ItemKind::Block,
        "gpu" | "device" | "accelerator" => ItemKind::Chip,
        "machine" | "cluster" | "hardware" => ItemKind::System,
        "datatype" => ItemKind::Dtype,
        "operator" => ItemKind::Op,
        "interconnect" | "network" => ItemKind::Link,
        "assumption" => ItemKind::Assume,
        "measurement" => ItemKind::Measured,
        "experiment" | "workload" => ItemKind::Scenario,
        _ => return None,
    })
}

/// What a foreign operator is written as.
pub(super) fn foreign_operator(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "&&" => "and",
        "||" => "or",
        "**" => "^",
        "!" => "not",
        _ => return None,
    })
}

/// What a foreign constant is written as.
pub(super) fn foreign_value(word: &str) -> Option<&'static str> {
    Some(match word {
        "None" | "null" | "nil" | "undefined" => "none",
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        _ => return None,
    })
}

/// The item keyword that `word` was probably meant to be.
pub(super) fn nearest_item(word: &str) -> Option<ItemKind> {
    if word.len() > 20 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let distance = |kind: ItemKind| strsim::damerau_levenshtein(&lower, kind.keyword());
    let limit = if lower.len() <= 4 { 1 } else { 2 };
    ItemKind::ALL
        .into_iter()
        .map(|kind| (distance(kind), kind))
        .filter(|(d, kind)| *d <= limit && *d < kind.keyword().len())
        .min_by_key(|(d, _)| *d)
        .map(|(_, kind)| kind)
        .or_else(|| {
            let starts = |kind: &ItemKind| kind.keyword().starts_with(&lower);
            ItemKind::ALL.into_iter().find(starts).filter(|_| lower.len() >= 3)
        })
}
