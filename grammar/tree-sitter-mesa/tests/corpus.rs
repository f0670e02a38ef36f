//! The trees of `test/corpus`, in the format of `tree-sitter test`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::path::Path;

use tree_sitter::Parser;

struct Case {
    name: String,
    source: String,
    expected: String,
}

/// Cuts a file at its `====` rulers.
fn cases(text: &str) -> Vec<Case> {
    let ruler = "=".repeat(20);
    let ruler = format!("{ruler}\n");
    let mut parts = text.split(ruler.as_str());
    assert_eq!(parts.next(), Some(""), "a corpus file starts with a ruler");
    let parts: Vec<&str> = parts.collect();
    parts
        .chunks(2)
        .map(|pair| {
            let (source, expected) = pair[1].split_once("\n---\n").unwrap();
            Case {
                name: pair[0].trim().to_owned(),
                source: format!("{source}\n"),
                expected: expected.trim().to_owned(),
            }
        })
        .collect()
}

/// One node on each line, children further in.
fn pretty(tree: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut label = "";
    for word in tree.split(' ') {
        if word.ends_with(':') {
            label = word;
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        let space = if label.is_empty() { "" } else { " " };
        let _ = write!(out, "{:1$}{label}{space}{word}", "", depth * 2);
        label = "";
        depth += word.matches('(').count();
        depth = depth.saturating_sub(word.matches(')').count());
    }
    out
}

fn words(tree: &str) -> Vec<&str> {
    tree.split_whitespace().collect()
}

/// `MESA_BLESS=1` writes the trees.
#[test]
fn texts_give_the_trees_below_them() {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_mesa::LANGUAGE.into()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut blessed = String::new();
        for case in cases(&std::fs::read_to_string(&path).unwrap()) {
            let tree = parser.parse(&case.source, None).unwrap().root_node().to_sexp();
            let ruler = "=".repeat(20);
            let Case { name, source, expected } = case;
            let tree = pretty(&tree);
            let _ = write!(blessed, "{ruler}\n{name}\n{ruler}\n{source}---\n\n{tree}\n\n");
            if std::env::var_os("MESA_BLESS").is_none() {
                assert_eq!(words(&tree), words(&expected), "{name}:\n{source}\n{tree}");
            }
            count += 1;
        }
        if std::env::var_os("MESA_BLESS").is_some() {
            std::fs::write(&path, blessed.trim_end().to_owned() + "\n").unwrap();
        }
    }
    assert!(count > 20, "{count} cases");
}
