//! The grammar for editors and the grammar of Mesa say yes and no to the same texts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use mesa::diagnostic::{Severity, codes};
use mesa::source::FileId;
use mesa::syntax::parse::{decode, parse_file, split};
use tree_sitter::{Node, Parser};

/// What no grammar sees: how often a clause stands, how deep things nest, which item a misspelled
/// word stands for.
const BEYOND: [mesa::diagnostic::Code; 2] = [codes::CLAUSE_TWICE, codes::TOO_NESTED];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn files(folder: &str, out: &mut Vec<(String, String)>) {
    let mut paths: Vec<_> = std::fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            files(&name, out);
        } else if name.ends_with(".mesa") {
            out.push((name, decode(&std::fs::read(path).unwrap()).unwrap()));
        }
    }
}

fn corpus() -> Vec<(String, String)> {
    let mut out = Vec::new();
    for folder in ["stdlib", "examples", "docs", "tests"] {
        files(folder, &mut out);
    }
    out
}

fn parser() -> Parser {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_mesa::LANGUAGE.into()).unwrap();
    parser
}

/// Whether Mesa reads the text without a finding of its grammar.
fn pest_accepts(text: &str) -> bool {
    parse_file(text, FileId(0))
        .diagnostics
        .iter()
        .all(|d| d.code.severity() != Severity::Error || BEYOND.contains(&d.code))
}

fn first_error(node: Node<'_>) -> Option<Node<'_>> {
    if node.is_error() || node.is_missing() {
        return Some(node);
    }
    let mut walker = node.walk();
    node.children(&mut walker).filter(|child| child.has_error()).find_map(first_error)
}

fn complaint(parser: &mut Parser, text: &str) -> Option<String> {
    let tree = parser.parse(text, None).unwrap();
    if !tree.root_node().has_error() {
        return None;
    }
    let line = first_error(tree.root_node()).map_or(1, |error| error.start_position().row + 1);
    Some(format!("line {line}: {:?}", text.lines().nth(line - 1).unwrap_or("")))
}

#[test]
fn both_read_the_library_the_examples_and_the_tests_alike() {
    let mut parser = parser();
    let mut apart = Vec::new();
    let (mut right, mut wrong) = (0, 0);
    for (name, text) in corpus() {
        let accepts = pest_accepts(&text);
        *if accepts { &mut right } else { &mut wrong } += 1;
        match (accepts, complaint(&mut parser, &text)) {
            (true, Some(complaint)) => apart.push(format!("{name} is right, but {complaint}")),
            (false, None) => apart.push(format!("{name} is wrong")),
            _ => {}
        }
    }
    assert!(apart.is_empty(), "tree-sitter differs:\n{}", apart.join("\n"));
    assert!(right > 50 && wrong > 5, "{right} right and {wrong} wrong files are no corpus");
}

/// One mistake must not hide another, so each item of the broken files is held up by itself.
#[test]
fn both_read_every_item_of_broken_files_alike() {
    let mut parser = parser();
    let mut apart = Vec::new();
    for (name, text) in corpus() {
        if pest_accepts(&text) {
            continue;
        }
        for piece in split(&text) {
            let piece = piece.text(&text);
            let accepts = pest_accepts(piece);
            let complaint = complaint(&mut parser, piece);
            if accepts == complaint.is_some() {
                apart.push(format!("{name}, accepted by Mesa: {accepts}, {complaint:?}\n{piece}"));
            }
        }
    }
    assert!(apart.is_empty(), "tree-sitter differs:\n{}", apart.join("\n----\n"));
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

const TYPED: [&str; 30] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "=",
    ":",
    ",",
    ".",
    "..",
    "\"",
    "//",
    "\n",
    " ",
    "  ",
    "->",
    "3",
    "x",
    "if ",
    "else ",
    "with { }",
    " within A ",
    " over tp",
    "from \"a\"",
    "%",
    "and",
    "not ",
    "^",
    "\n  ",
];

/// One slip of the hand: something typed, or a few characters lost.
fn slip(text: &str, random: &mut Random) -> String {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let start = random.below(places.len());
    let mut out = text.to_owned();
    if random.below(2) == 0 {
        out.insert_str(places[start], TYPED[random.below(TYPED.len())]);
    } else {
        let end = places.get(start + 1 + random.below(4)).copied().unwrap_or(text.len());
        out.replace_range(places[start]..end, "");
    }
    out
}

/// The two need not agree on everything that nobody would write; nearly always they must.
#[test]
fn both_read_texts_with_slips_alike() {
    let mut parser = parser();
    let mut random = Random(6);
    let (mut tried, mut broken, mut apart) = (0, 0, Vec::new());
    for (name, text) in corpus() {
        for piece in split(&text) {
            let piece = piece.text(&text);
            for _ in 0..2 {
                let slipped = format!("const before = 1\n{}", slip(piece, &mut random));
                let accepts = pest_accepts(&slipped);
                let complaint = complaint(&mut parser, &slipped);
                tried += 1;
                broken += usize::from(!accepts);
                if accepts == complaint.is_some() {
                    apart.push(format!("{name}, Mesa: {accepts}, {complaint:?}\n{slipped}"));
                }
            }
        }
    }
    let shown = apart.join("\n----\n");
    assert!(apart.len() * 200 <= tried, "{} of {tried} differ:\n{shown}", apart.len());
    assert!(broken * 4 > tried, "only {broken} of {tried} slips broke anything");
}

/// `${1:name}` and `$1` as they are typed when nothing is changed.
fn expanded(body: &str) -> String {
    let mut out = String::new();
    let mut defaults: Vec<(String, String)> = Vec::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some((number, tail)) = after.strip_prefix('{').and_then(|a| a.split_once(':')) {
            let (text, tail) = tail.split_once('}').unwrap();
            out.push_str(text);
            defaults.push((number.to_owned(), text.to_owned()));
            rest = tail;
        } else {
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let known = defaults.iter().find(|(number, _)| number == &after[..end]);
            out.push_str(known.map_or("", |(_, text)| text));
            rest = &after[end..];
        }
    }
    out + rest
}

#[test]
fn every_snippet_of_the_extension_is_mesa() {
    let path = root().join("lsp/editors/vscode/snippets/mesa.json");
    let snippets: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (name, snippet) in snippets.as_object().unwrap() {
        let lines: Vec<&str> =
            snippet["body"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let mut text = expanded(&lines.join("\n"));
        if text.starts_with("expect") || text.starts_with("train") {
            text = format!("scenario s {{\n  {text}\n}}");
        }
        assert!(pest_accepts(&text) && complaint(&mut parser(), &text).is_none(), "{name}: {text}");
    }
}
