//! `mesa graph`: drawings of the examples in every format.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::path::Path;
use std::process::{Command, Stdio};

use mesa::Program;
use mesa::drawing::{Drawing, Kind, Level, arrange, dot, draw, json, mermaid, svg};
use mesa::evaluation::{Changes, evaluate};
use mesa::lower::Leaf;

const EXAMPLES: [(&str, &str, &[&str]); 4] = [
    ("chat-70b", "chat", &["prefill", "decode.mid"]),
    ("sequence-parallel-70b", "long_prompts", &["prefill"]),
    ("gpt3-175b-training", "full_recompute", &["forward", "backward"]),
    ("mixtral", "cut", &["prefill", "decode.mid"]),
];
const LEVELS: [Level; 3] = [Level::Model, Level::Layer, Level::Op];

/// A drawing, with the time of its pass and of the overhead in it.
fn drawn(file: &str, scenario: &str, phase: &str, level: Level) -> (Drawing, Option<[f64; 2]>) {
    let path = format!("examples/{file}.mesa");
    let text = std::fs::read_to_string(&path).unwrap();
    let program = Program::of_text(&path, &text);
    let wanted = [scenario.to_owned()];
    let evaluation = evaluate(&program, program.roots[0], &wanted, &Changes::default());
    let lowered = evaluation.scenarios[0].lowered.as_ref().unwrap();
    let graph = &evaluation.checker.graph;
    let get = |name: &str| match lowered.results.get(&format!("{phase}.{name}")) {
        Some(Leaf::Number(id)) => Some(graph.value(*id)),
        _ => None,
    };
    let times = get("time").zip(get("overhead")).map(|(a, b)| [a, b]);
    (draw(graph, lowered, phase, level).unwrap(), times)
}

fn all() -> Vec<(String, Drawing, Option<[f64; 2]>)> {
    let mut out = Vec::new();
    for (file, scenario, phases) in EXAMPLES {
        for phase in phases {
            for level in LEVELS {
                let (drawing, times) = drawn(file, scenario, phase, level);
                out.push((format!("{file} {phase} {level:?}"), drawing, times));
            }
        }
    }
    out
}

#[test]
fn every_example_in_every_format() {
    for (file, scenario, phases) in EXAMPLES {
        let (layers, _) = drawn(file, scenario, phases[0], Level::Layer);
        insta::assert_snapshot!(format!("{file}.mermaid"), mermaid::text(&layers));
        insta::assert_snapshot!(format!("{file}.dot"), dot::text(&layers));
        insta::assert_snapshot!(format!("{file}.json"), json::text(&layers));
        let (model, _) = drawn(file, scenario, phases[0], Level::Model);
        insta::assert_snapshot!(format!("{file}.svg"), svg::text(&model));
    }
}

#[test]
fn times_of_nodes_and_overhead_are_the_time_of_the_pass() {
    let mut compared = 0;
    for (name, drawing, times) in all() {
        assert!(drawing.longest <= drawing.total * (1.0 + 1e-12), "{name}");
        assert!(drawing.longest > 0.0, "{name}");
        let Some([time, overhead]) = times else { continue };
        let error = (drawing.total + overhead) / time - 1.0;
        assert!(error.abs() < 1e-9, "{name}: {} + {overhead} is not {time}", drawing.total);
        compared += 1;
    }
    assert!(compared >= 12, "{compared}");
}

#[test]
fn the_longest_way_is_a_chain_of_edges() {
    for (name, drawing, _) in all() {
        let way: Vec<_> = drawing.nodes.iter().filter(|(_, n)| n.critical).collect();
        let sum: f64 = way.iter().map(|(_, n)| n.total).sum();
        assert!((sum / drawing.longest - 1.0).abs() < 1e-9, "{name}");
        let mut steps: Vec<_> =
            drawing.edges.iter().filter(|e| e.critical).map(|e| (e.from, e.to)).collect();
        steps.sort();
        steps.dedup();
        assert_eq!(steps.len() + 1, way.len(), "{name}");
    }
}

#[test]
fn boxes_do_not_overlap_and_frames_hold_their_repeat_and_nothing_else() {
    let apart = |a: &arrange::Area, b: &arrange::Area| {
        a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
    };
    for (name, drawing, _) in all() {
        let picture = arrange::place(&drawing);
        assert_eq!(picture.boxes.len(), drawing.nodes.len());
        for (i, (id, a)) in picture.boxes.iter().enumerate() {
            assert!(a.x >= 0.0 && a.y >= 0.0, "{name}");
            assert!(a.x + a.w <= picture.size.0 && a.y + a.h <= picture.size.1, "{name}");
            for (other, b) in picture.boxes.iter().skip(i + 1) {
                assert!(apart(a, b), "{name}: {id:?} {other:?}");
            }
            for (group, frame) in &picture.frames {
                let inside = drawing.nodes[*id].group == Some(*group);
                assert_eq!(!apart(a, frame), inside, "{name}: {id:?} and frame {group}");
            }
        }
        for edge in &drawing.edges {
            let top = |id| picture.boxes.iter().find(|(at, _)| *at == id).unwrap().1.y;
            assert!(top(edge.from) < top(edge.to), "{name}: an edge goes up");
        }
    }
}

/// Names that mean something in one of the formats.
fn odd() -> Drawing {
    let (mut drawing, _) = drawn("chat-70b", "chat", "prefill", Level::Op);
    let name = "a\"b]<i>&amp;\\n#;`--> end\u{1}\u{ffff}|{x}".to_owned();
    drawing.about.scenario = name.clone();
    drawing.about.plan = name.clone();
    for node in drawing.nodes.iter_mut() {
        node.name = name.clone();
        node.layout = name.clone();
        node.weights = vec![name.clone()];
    }
    for edge in &mut drawing.edges {
        edge.tensor = name.clone();
    }
    drawing
}

#[test]
fn svg_is_well_formed_whatever_things_are_called() {
    let pictures = all().into_iter().map(|(name, drawing, _)| (name, drawing));
    for (name, drawing) in pictures.chain([("odd".to_owned(), odd())]) {
        let text = svg::text(&drawing);
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "svg");
        let boxes = document.descendants().filter(|n| {
            n.has_tag_name(("http://www.w3.org/2000/svg", "g"))
                && n.first_element_child().is_some_and(|c| c.tag_name().name() == "title")
        });
        assert_eq!(boxes.count(), drawing.nodes.len(), "{name}");
        assert!(!text.contains("<script") && !text.contains("href"), "{name}");
    }
}

#[test]
fn dot_and_mermaid_keep_odd_names_within_their_quotes() {
    let drawing = odd();
    for line in mermaid::text(&drawing).lines().filter(|l| l.contains("[\"")) {
        let label = line.split_once("[\"").unwrap().1.rsplit_once("\"]").unwrap().0;
        assert!(!label.contains(['"', '`', '\\']), "{line}");
        assert!(!label.replace("<br/>", "").contains(['<', '>', '&']), "{line}");
    }
    for line in dot::text(&drawing).lines() {
        let plain = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(plain.matches('"').count() % 2, 0, "{line}");
    }
}

#[test]
fn graphviz_reads_the_dot() {
    let dot = |text: &str| {
        let mut child = Command::new("dot")
            .args(["-Tplain", "-o", "/dev/null"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        std::io::Write::write_all(child.stdin.as_mut()?, text.as_bytes()).ok()?;
        child.wait_with_output().ok()
    };
    for drawing in all().into_iter().map(|d| d.1).chain([odd()]) {
        let Some(output) = dot(&dot::text(&drawing)) else {
            eprintln!("skipped: Graphviz is not installed");
            return;
        };
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !complaint.contains("syntax"), "{complaint}");
    }
}

#[test]
fn collectives_are_those_of_the_plan() {
    let (drawing, _) = drawn("chat-70b", "chat", "prefill", Level::Op);
    let found: Vec<(&str, f64)> = drawing
        .nodes
        .iter()
        .filter(|(_, n)| n.kind == Kind::Collective)
        .map(|(_, n)| (n.name.as_str(), n.times))
        .collect();
    let expected = [
        ("all-reduce of embedding", 1.0),
        ("all-reduce of attention.y", 80.0),
        ("all-reduce of mlp.y", 80.0),
        ("all-gather of logits", 1.0),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_picture_of_the_guide_is_current() {
    let (drawing, _) = drawn("chat-70b", "chat", "prefill", Level::Layer);
    let path = Path::new("docs/graph.svg");
    let text = svg::text(&drawing);
    if std::env::var_os("MESA_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(stored, text, "write it with MESA_BLESS=1 cargo test --test graph");
}

#[test]
fn wrong_scenarios_and_passes_are_said() {
    let mesa = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesa"));
        command.arg("graph").args(args).output().unwrap()
    };
    let out = mesa(&["examples/chat-70b.mesa", "chat", "--phase", "forward"]);
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("has no pass `forward`") && said.contains("decode.mid"), "{said}");
    let out = mesa(&["examples/chat-70b.mesa", "chta"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("chta"));
    let out = mesa(&["examples/chat-70b.mesa", "chat", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(value["phase"], "prefill");
}
