//! `mesa explain`.

use mesa::Program;
use mesa::evaluation::{Changes, evaluate};
use mesa::reading::explain::{Derivation, Extent, explain};
use serde_json::Value;

use super::{CHAT, mesa, without_lines_of_the_library};

#[test]
fn derivations_as_trees() {
    let mut all = String::new();
    for path in [
        "chat.tpot",
        "chat.memory.weights",
        "chat.memory.headroom",
        "chat.layers.attention.decode.mid.time",
        "chat.prefill.communication.exposed",
        "chat.parameters.total",
        "chat.decode.mid.bound",
    ] {
        let args = ["explain", CHAT, path];
        let run = mesa(&args);
        for line in run.out.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        all += &run.log(&args);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_depth_is_as_asked() {
    let lines =
        |depth: &str| mesa(&["explain", CHAT, "chat.tpot", "--depth", depth]).out.lines().count();
    assert_eq!(lines("0"), 1);
    assert!(lines("1") < lines("2") && lines("2") < lines("3") && lines("3") < lines("all"));
    assert_eq!(mesa(&["explain", CHAT, "chat.tpot", "--depth", "deep"]).code, Some(2));
    let unknown = mesa(&["explain", CHAT, "chat.tpott"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("did you mean `tpot`?"), "{}", unknown.err);
}

#[test]
fn a_derivation_as_json_has_the_value_of_the_report() {
    let run = mesa(&["explain", CHAT, "chat.memory.reserve", "--format", "json"]);
    let json: Value = serde_json::from_str(&run.out).unwrap();
    let value = json["derivation"]["value"].as_f64().unwrap();
    assert_eq!(value, mesa(&["eval", CHAT, "--get", "chat.memory.reserve"]).number());
    insta::assert_snapshot!(without_lines_of_the_library(&run.out));
}

/// The ends of a derivation that are neither a line of a spec nor a figure with a reason.
fn loose_ends(d: &Derivation, path: &str, out: &mut Vec<String>) {
    d.steps.iter().for_each(|step| loose_ends(step, path, out));
    if !d.steps.is_empty() || d.above {
        return;
    }
    let good = match d.kind {
        "spec" | "override" | "default" | "imported" => d.at.line > 0,
        "assumption" => d.range.is_some() && d.because.is_some(),
        "datasheet" => d.source.is_some(),
        "inferred" => !d.formula.is_empty(),
        // a formula of literals alone
        _ => !d.formula.is_empty() && d.at.line > 0,
    };
    if !good || d.more > 0 {
        out.push(format!("{path}: {} = {} {} {:?}", d.name, d.figure.human(), d.kind, d.at));
    }
}

#[test]
fn every_derivation_ends_at_lines_that_a_person_can_open() {
    let text = std::fs::read_to_string(CHAT).unwrap();
    let program = Program::of_text(CHAT, &text);
    let module = program.roots[0];
    let evaluation = evaluate(&program, module, &[], &Changes::default());
    let graph = &evaluation.checker.graph;
    let all = Extent { depth: None, width: None };
    let mut ends = Vec::new();
    for scenario in &evaluation.scenarios {
        let lowered = scenario.lowered.as_ref().unwrap();
        for (path, leaf) in &lowered.results.leaves {
            let derivation = explain(graph, &program, (path, leaf), lowered.place, all);
            loose_ends(&derivation, path, &mut ends);
        }
    }
    ends.sort();
    ends.dedup();
    assert!(ends.is_empty(), "{}", ends.join("\n"));
}
