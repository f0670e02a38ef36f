//! What the queries for editors see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tree_sitter::{Parser, Query, QueryCursor, StreamingIterator as _, Tree};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn parse(text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_mesa::LANGUAGE.into()).unwrap();
    parser.parse(text, None).unwrap()
}

fn query(text: &str) -> Query {
    Query::new(&tree_sitter_mesa::LANGUAGE.into(), text).unwrap_or_else(|e| panic!("{e}"))
}

/// For each byte range the names of its captures in order.
fn captures(text: &str, source: &str) -> BTreeMap<(usize, usize), Vec<String>> {
    let (tree, query) = (parse(source), query(text));
    let mut cursor = QueryCursor::new();
    let mut found = cursor.captures(&query, tree.root_node(), source.as_bytes());
    let mut out: BTreeMap<_, Vec<(usize, String)>> = BTreeMap::new();
    while let Some((matched, index)) = found.next() {
        let capture = matched.captures()[*index];
        let name = query.capture_names()[capture.index as usize].to_owned();
        let range = (capture.node.start_byte(), capture.node.end_byte());
        out.entry(range).or_default().push((matched.pattern_index, name));
    }
    out.into_iter()
        .map(|(range, mut names)| {
            names.sort();
            (range, names.into_iter().map(|(_, name)| name).collect())
        })
        .collect()
}

const TASTE: &str = r#"//! A file.
use std.models.Llama3_70B

/// A plan.
plan Tp(tp: Count = 8) {
  mesh tp                      // one axis
  shard heads, ffn over tp within RmsNorm
}

scenario chat {
  model = Llama3_70B
  plan  = Tp(tp: 8)
  serve { batch = 32, prompt = 2048 }
  expect ttft < 2 s and memory.headroom > 10%
    else "{ttft} is \"late\""
}
"#;

#[test]
fn colours_of_a_small_file() {
    let mut shown = String::new();
    for (range, names) in captures(tree_sitter_mesa::HIGHLIGHTS_QUERY, TASTE) {
        let text = &TASTE[range.0..range.1];
        let _ = writeln!(shown, "{:<28} {}", format!("{text:?}"), names.last().unwrap());
    }
    insta::assert_snapshot!(shown);
}

/// Every file of Mesa below a folder.
fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "mesa") {
            out.push(path);
        }
    }
}

/// Versions of Helix differ in which pattern wins.
#[test]
fn helix_has_one_colour_for_each_word() {
    let helix = read("lsp/editors/helix/queries/mesa/highlights.scm");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = Vec::new();
    for folder in ["examples", "stdlib", "tests/syntax/good"] {
        files(&root.join(folder), &mut all);
    }
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        for ((start, end), mut names) in captures(&helix, &text) {
            names.dedup();
            assert_eq!(names.len(), 1, "{}: {} is {names:?}", path.display(), &text[start..end]);
        }
    }
}

/// Helix and Zed have names of their own; see `lsp/editors`.
#[test]
fn every_word_sign_and_number_of_the_examples_has_a_colour() {
    let helix = read("lsp/editors/helix/queries/mesa/highlights.scm");
    let zed = read("lsp/editors/zed/languages/mesa/highlights.scm");
    for query in [tree_sitter_mesa::HIGHLIGHTS_QUERY, &helix, &zed] {
        for file in ["examples/chat-70b.mesa", "stdlib/ops.mesa", "tests/syntax/good/block.mesa"] {
            let source = read(file);
            let mut bare = source.clone().into_bytes();
            for (start, end) in captures(query, &source).into_keys() {
                bare[start..end].fill(b' ');
            }
            let left = String::from_utf8_lossy(&bare).into_owned();
            let is_plain = |word: &str| {
                query == helix && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            let left: Vec<_> = left.split_whitespace().filter(|word| !is_plain(word)).collect();
            assert!(left.is_empty(), "{file}: {left:?}");
        }
    }
}

#[test]
fn bodies_brackets_and_comments_fold() {
    let source = read("tests/syntax/good/block.mesa");
    let folds = captures(tree_sitter_mesa::FOLDS_QUERY, &source);
    let lines = |at: usize| source[..at].matches('\n').count() + 1;
    let shown: String = folds
        .keys()
        .filter(|(start, end)| lines(*start) < lines(*end))
        .map(|(start, end)| {
            let first = source[*start..].lines().next().unwrap();
            format!("{} to {}: {first}\n", lines(*start), lines(*end))
        })
        .collect();
    insta::assert_snapshot!(shown);
}

#[test]
fn definitions_are_found_where_they_stand() {
    let mut shown = String::new();
    for (range, names) in captures(tree_sitter_mesa::LOCALS_QUERY, TASTE) {
        for name in names.iter().filter(|name| name.contains("definition")) {
            let _ = writeln!(shown, "{} {name}", &TASTE[range.0..range.1]);
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn every_query_names_only_what_the_grammar_has() {
    for text in [
        tree_sitter_mesa::HIGHLIGHTS_QUERY,
        tree_sitter_mesa::FOLDS_QUERY,
        tree_sitter_mesa::INDENTS_QUERY,
        tree_sitter_mesa::LOCALS_QUERY,
        &read("lsp/editors/helix/queries/mesa/highlights.scm"),
        &read("lsp/editors/helix/queries/mesa/indents.scm"),
        &read("lsp/editors/helix/queries/mesa/textobjects.scm"),
        &read("lsp/editors/zed/languages/mesa/brackets.scm"),
        &read("lsp/editors/zed/languages/mesa/indents.scm"),
        &read("lsp/editors/zed/languages/mesa/outline.scm"),
    ] {
        assert!(query(text).pattern_count() > 0);
    }
}

#[test]
fn the_outline_of_zed_has_the_items() {
    let outline = read("lsp/editors/zed/languages/mesa/outline.scm");
    let found = captures(&outline, TASTE);
    let named = found.iter().filter(|(_, names)| names.iter().any(|name| name == "name"));
    let names: Vec<&str> = named.map(|((start, end), _)| &TASTE[*start..*end]).collect();
    assert_eq!(names, ["Tp", "chat", "serve"]);
}
