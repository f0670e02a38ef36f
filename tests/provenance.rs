//! Every number comes from a line that a person can open.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use mesa::expr::{Op, OriginKind};
use mesa::lower::Leaf;
use mesa::{Checker, Program};

const TEXT: &str = "
use std.models.{Gpt2, Llama3_70B, Mistral_7B}
use std.systems.DGX_H100
plan Mix(dp: Count = 1, pp: Count = 2, tp: Count = 4) {
  mesh dp, pp, tp
  shard batch over dp
  shard layers over pp
  shard heads, ffn, vocab over tp
  shard seq over tp within RmsNorm, residual
}
scenario big {
  model = Llama3_70B
  system = DGX_H100
  plan = Mix
  precision { weights = q4_0 }
  serve { batch = 7, prompt = 333, output = 20 }
  expect tpot < 1 s
}
scenario small = big with { model = Gpt2 }
scenario window = big with { model = Mistral_7B }
";

#[test]
fn no_constant_stands_in_the_graph_without_an_origin() {
    let program = Program::of_text("test.mesa", TEXT);
    let module = program.roots[0];
    let mut constants = 0;
    for item in mesa::scenarios(&program, module) {
        let mut checker = Checker::new(&program);
        assert!(mesa::evaluate(&mut checker, item).is_some(), "{:#?}", checker.diagnostics);
        for node in checker.graph.nodes() {
            let Some(id) = node.origin() else {
                assert!(!matches!(node.op, Op::Const | Op::Param), "no origin: {node:?}");
                continue;
            };
            let origin = checker.graph.origin(id);
            let place = origin.place;
            let file = program.sources.file(place.file);
            let text = program.sources.text(place);
            assert!(!text.trim().is_empty(), "{origin:?} stands nowhere in {}", file.name);
            assert!(!origin.name.text().is_empty(), "{origin:?} has no name");
            let known = file.name.starts_with("std/") || &*file.name == "test.mesa";
            assert!(known, "{}", file.name);
            // What the compiler makes says by which rule; the rest is what the line says.
            let made = origin.kind == OriginKind::Inferred;
            if node.op == Op::Const {
                assert!(!made || origin.rule.is_some(), "{origin:?} has no rule");
                constants += 1;
                let value = node.constant().unwrap();
                let digits = text.chars().any(|c| c.is_ascii_digit());
                let word = text.contains("true") || text.contains("false");
                assert!(made || digits || word, "{value} is not in `{text}`: {origin:?}");
            }
        }
    }
    assert!(constants > 100, "only {constants}");
}

#[test]
fn every_result_ends_at_lines_of_the_spec_or_the_library() {
    let program = Program::of_text("test.mesa", TEXT);
    let module = program.roots[0];
    let item = mesa::scenarios(&program, module)[0];
    let mut checker = Checker::new(&program);
    let lowered = mesa::evaluate(&mut checker, item).unwrap();
    let mut ends = 0;
    for (path, leaf) in &lowered.results.leaves {
        let (Leaf::Number(id) | Leaf::Flag(id)) = leaf else { continue };
        let mut open = vec![*id];
        let mut seen = std::collections::BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let node = checker.graph.node(id);
            let before = open.len();
            open.extend(node.operands());
            if open.len() == before {
                let origin = checker.graph.origin_of(id);
                assert!(origin.is_some(), "{path} ends at {node:?}");
                ends += 1;
            }
        }
        assert!(!checker.graph.value(*id).is_nan(), "{path}");
    }
    assert!(ends > 1000, "only {ends}");
}
