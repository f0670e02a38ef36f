//! Pipelines played through: against the formulas of the library, the literature's closed forms, and
//! the rules of a pipeline; drawn as timelines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use common::Run;
use common::training::*;
use mesa::Program;
use mesa::evaluation::{Changes, evaluate};
use mesa::pipeline::{Ends, Kind, Pipeline, Schedule, of_lowered, simulate};

const SCHEDULES: [(&str, Schedule); 6] = [
    ("gpipe", Schedule::Gpipe),
    ("one_f_one_b", Schedule::OneFOneB),
    ("interleaved", Schedule::Interleaved),
    ("zero_bubble_h1", Schedule::ZeroBubbleH1),
    ("zero_bubble_h2", Schedule::ZeroBubbleH2),
    ("dual_pipe", Schedule::DualPipe),
];

struct Random(u64);

impl Random {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((self.0 >> 33) as f64 / f64::from(1_u32 << 31))
    }

    fn count(&mut self, low: usize, high: usize) -> usize {
        self.between(low as f64, high as f64 + 1.0).floor() as usize
    }
}

/// A pipeline whose ends take up to `spread` more or less than what is between, with sends of up to
/// `send` times a forward pass.
fn pipeline(random: &mut Random, schedule: Schedule, spread: f64, send: f64) -> (Pipeline, Ends) {
    let chunks = if schedule == Schedule::Interleaved { random.count(2, 4) } else { 1 };
    let mut devices = random.count(2, 12);
    let mut micro_batches = random.count(2 * devices, 6 * devices);
    match schedule {
        Schedule::Interleaved => micro_batches = devices * random.count(2, 6),
        Schedule::DualPipe => {
            devices += devices % 2;
            micro_batches = 2 * random.count(devices, 3 * devices);
        }
        _ => {}
    }
    // Gradients of inputs take at least as long as the forward pass: recomputed or not.
    let between = [1.0, random.between(1.0, 2.2), random.between(0.5, 1.0)];
    let mut end = || {
        let scale = random.between(1.0 - spread, 1.0 + spread);
        between.map(|t| t * scale)
    };
    let ends = [end(), between, end()];
    let send = random.between(0.0, send);
    (Pipeline::with_ends(schedule, devices, chunks, micro_batches, ends, send), ends)
}

/// The same for the library.
fn formula(name: &str, pipeline: &Pipeline, ends: &Ends) -> String {
    let mut args: Vec<String> = Vec::new();
    for [f, b, w] in ends {
        args.extend([format!("{f} s"), format!("{} s", b + w)]);
    }
    args.push(pipeline.devices.to_string());
    args.push(pipeline.micro_batches.to_string());
    for (place, [.., w]) in ["first", "between", "last"].iter().zip(ends) {
        args.push(format!("of_weights_{place}: {w} s"));
    }
    args.push(format!("send: {} s", pipeline.send));
    args.push(format!("chunks: {}", pipeline.chunks));
    format!("{name}_time({})", args.join(", "))
}

fn played(pipeline: &Pipeline) -> f64 {
    pipeline.time(&simulate(pipeline).unwrap())
}

/// The errors of the library's formulas against the simulation.
fn errors(seed: u64, rounds: usize, spread: f64, send: f64) -> Vec<(f64, String)> {
    let mut random = Random(seed);
    let names = SCHEDULES.map(|(name, _)| format!("{name}_time"));
    let mut text = scenario(&llama(2), TP, "dp: 8", 1, TRAIN, "");
    let mut cases = Vec::new();
    for (name, schedule) in SCHEDULES {
        for _ in 0..rounds {
            let (pipeline, ends) = pipeline(&mut random, schedule, spread, send);
            let formula = formula(name, &pipeline, &ends);
            text = format!("{text}metric case_{} for train = {formula}\n", cases.len());
            cases.push((played(&pipeline), formula));
        }
    }
    let o = Run::one(&format!("use std.cost.training.{{{}}}\n{text}", names.join(", ")));
    let error = |(i, (time, formula)): (usize, (f64, String))| {
        (o.get(&format!("case_{i}")) / time - 1.0, formula)
    };
    cases.into_iter().enumerate().map(error).collect()
}

#[test]
fn formulas_of_equal_stages_are_exact() {
    for (error, formula) in errors(3, 12, 0.0, 0.0) {
        assert!(error.abs() < 1e-12, "{formula}: {error}");
    }
}

#[test]
fn formulas_of_unequal_stages_are_within_a_percent_of_the_simulation() {
    for (error, formula) in errors(5, 30, 0.25, 0.0) {
        assert!(error.abs() < 0.01, "{formula}: {error}");
    }
    for (error, formula) in errors(9, 20, 0.2, 0.01) {
        assert!(error.abs() < 0.01, "{formula}: {error}");
    }
}

#[test]
fn equal_stages_take_what_the_literature_says() {
    let mut random = Random(11);
    for (name, schedule) in SCHEDULES {
        for _ in 0..40 {
            let (pipeline, [[f, b, w], ..]) = pipeline(&mut random, schedule, 0.0, 0.0);
            let (p, m) = (pipeline.devices as f64, pipeline.micro_batches as f64);
            // F forward, B both gradients.
            let both = b + w;
            let bubble = match schedule {
                Schedule::Interleaved => (p - 1.0) * (f + both) / pipeline.chunks as f64,
                Schedule::ZeroBubbleH1 => (p - 1.0) * (f + both - 2.0 * w),
                Schedule::ZeroBubbleH2 => (p - 1.0) * f64::max(0.0, f + both - 3.0 * w),
                Schedule::DualPipe => (p / 2.0 - 1.0) * (f + both + both - 3.0 * w),
                _ => (p - 1.0) * (f + both),
            };
            let closed = m * (f + both) + bubble;
            assert!((played(&pipeline) / closed - 1.0).abs() < 1e-12, "{name} {pipeline:?}");
        }
    }
}

/// What holds of every pipeline, whatever its order: each pass runs once, a device does one thing at
/// a time, nothing starts before what it needs has come.
#[test]
fn no_pass_starts_before_what_it_needs() {
    let mut random = Random(17);
    for (name, schedule) in SCHEDULES {
        for _ in 0..25 {
            let (pipeline, _) = pipeline(&mut random, schedule, 0.4, 0.3);
            let timeline = simulate(&pipeline).unwrap();
            let (mut start, mut end) = (BTreeMap::new(), BTreeMap::new());
            for (device, slots) in timeline.devices.iter().enumerate() {
                for pair in slots.windows(2) {
                    assert!(pair[0].end <= pair[1].start, "{name}: two things at a time");
                }
                for slot in slots {
                    for pass in &slot.passes {
                        assert_eq!(pipeline.device(pass.stage, pass.direction), device);
                        let key = (pass.kind, pass.stage, pass.micro_batch);
                        assert!(start.insert(key, slot.start).is_none(), "{name}: twice");
                        end.insert(key, slot.end);
                        if pass.kind == Kind::Backward {
                            // Both gradients at once.
                            for kind in [Kind::Input, Kind::Weights] {
                                let key = (kind, pass.stage, pass.micro_batch);
                                assert!(start.insert(key, slot.start).is_none(), "{name}: twice");
                                end.insert(key, slot.end);
                            }
                        }
                    }
                }
            }
            let stages = pipeline.times.len();
            for k in 0..pipeline.micro_batches {
                for s in 0..stages {
                    let [f, b, w] = [Kind::Forward, Kind::Input, Kind::Weights]
                        .map(|kind| start[&(kind, s, k)]);
                    if s > 0 {
                        let came = end[&(Kind::Forward, s - 1, k)] + pipeline.send;
                        assert!(f >= came - 1e-9, "{name}");
                    }
                    if s + 1 < stages {
                        let came = end[&(Kind::Input, s + 1, k)] + pipeline.send;
                        let same = pipeline.devices == 1;
                        assert!(same || b >= came - 1e-9, "{name}: {b} before {came}");
                    }
                    assert!(b >= end[&(Kind::Forward, s, k)] - 1e-9, "{name}");
                    assert!(w >= b, "{name}");
                }
            }
        }
    }
}

/// Activations are kept from a forward pass to the gradients of weights: as many micro-batches at
/// once as memory is reckoned for.
#[test]
fn no_more_micro_batches_are_under_way_than_memory_is_reckoned_for() {
    let mut random = Random(23);
    for (name, schedule) in SCHEDULES {
        for _ in 0..10 {
            let (pipeline, _) = pipeline(&mut random, schedule, 0.0, 0.0);
            let (p, m, v) = (pipeline.devices, pipeline.micro_batches, pipeline.chunks);
            for (device, slots) in simulate(&pipeline).unwrap().devices.iter().enumerate() {
                let (mut held, mut most) = (0_usize, 0);
                for slot in slots {
                    for pass in &slot.passes {
                        match pass.kind {
                            Kind::Forward => held += 1,
                            // Of what the input's gradient needed most is let go with it.
                            Kind::Backward | Kind::Input => held -= 1,
                            Kind::Weights => {}
                        }
                        most = most.max(held);
                    }
                }
                let behind = p - 1 - device;
                let allowed = match schedule {
                    Schedule::Gpipe => m,
                    Schedule::Interleaved => (m * v).min(2 * behind + (v - 1) * p + 1),
                    Schedule::ZeroBubbleH2 => m.min(2 * behind + 1),
                    Schedule::DualPipe => p + 1,
                    _ => m.min(behind + 1),
                };
                assert!(most <= allowed, "{name}: {most} on device {device}, {pipeline:?}");
                if schedule != Schedule::DualPipe {
                    assert_eq!(most, allowed, "{name} on device {device}");
                }
            }
        }
    }
}

/// The pipelines of a scenario, played, with what the library says of each: a path, and both times.
fn of_scenario(path: &str, text: &str, scenario: &str) -> Vec<(&'static str, f64, f64, Pipeline)> {
    let program = Program::of_text(path, text);
    let wanted = [scenario.to_owned()];
    let evaluation = evaluate(&program, program.roots[0], &wanted, &Changes::default());
    let lowered = evaluation.scenarios[0].lowered.as_ref().unwrap();
    let graph = &evaluation.checker.graph;
    let each = lowered.pipelines.iter().map(|(phase, pipeline)| {
        let played_pipeline = of_lowered(graph, pipeline).unwrap();
        (*phase, graph.value(pipeline.time), played(&played_pipeline), played_pipeline)
    });
    each.collect()
}

#[test]
fn examples_take_as_long_as_their_timelines() {
    let mut compared = 0;
    for (file, scenarios) in [
        ("gpt3-175b-training", &["full_recompute"][..]),
        ("llama3-405b-training", &["devices_8192", "long_sequences"][..]),
        ("deepseek-v3-training", &["pretrain"][..]),
        ("two-nodes-70b", &["staged"][..]),
    ] {
        let path = format!("examples/{file}.mesa");
        let text = std::fs::read_to_string(&path).unwrap();
        for scenario in scenarios {
            for (phase, formula, played, pipeline) in of_scenario(&path, &text, scenario) {
                let error = formula / played - 1.0;
                let size = (pipeline.devices, pipeline.micro_batches, pipeline.chunks);
                assert!(error.abs() < 0.01, "{file} {scenario} {phase} {size:?}: {error}");
                compared += 1;
            }
        }
    }
    assert!(compared >= 3, "{compared}");
}

fn mesa(args: &[&str]) -> (Option<i32>, String, String) {
    mesa_of("", args)
}

/// The command with a text at its standard input.
fn mesa_of(text: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mesa"));
    command.arg("graph").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// A file with a plan for each schedule.
fn of_schedule(schedule: &str) -> String {
    format!(
        "use std.layers.Llama\nuse std.systems.DGX_A100\n\
         model M = Llama(layers: 16, hidden: 2048, heads: 16, ffn: 8192, vocab: 32000)\n\
         plan P(dp: Count = 2, pp: Count = 4) {{\n  mesh dp, pp\n  shard batch over dp\n  \
         shard layers over pp schedule {schedule}\n  zero optimizer over dp\n}}\n\
         scenario s {{\n  model = M\n  system = DGX_A100\n  plan = P\n  \
         train {{ batch = 24, seq = 1024, tokens = 1e9, optimizer = adam }}\n}}\n"
    )
}

#[test]
fn timelines_for_a_terminal() {
    for schedule in [
        "gpipe",
        "one_f_one_b",
        "interleaved(chunks: 2)",
        "zero_bubble_h1",
        "zero_bubble_h2",
        "dual_pipe",
    ] {
        let file = of_schedule(schedule);
        let (code, text, said) = mesa_of(&file, &["-", "s", "--timeline"]);
        assert_eq!(code, Some(0), "{said}");
        let name = schedule.split('(').next().unwrap();
        insta::assert_snapshot!(name, text);
        let (_, svg, _) = mesa_of(&file, &["-", "s", "--timeline", "--format", "svg"]);
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "svg");
        assert!(!svg.contains("<script") && !svg.contains("href"));
        // Every pass of the document for programs is there once.
        let (_, json, _) = mesa_of(&file, &["-", "s", "--timeline", "--format", "json"]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let devices = value["devices"].as_array().unwrap();
        let passes = devices.iter().flat_map(|d| d["passes"].as_array().unwrap());
        let forward = passes.clone().filter(|p| p["kind"] == "forward").count();
        let chunks = value["chunks"].as_u64().unwrap() as usize;
        assert_eq!(forward, 4 * chunks * 12, "{schedule}");
        let last = passes.map(|p| p["end"].as_f64().unwrap()).fold(0.0, f64::max);
        let time = &value["time"];
        assert_eq!(time["end"].as_f64().unwrap(), last);
        let error = time["formula"].as_f64().unwrap() / time["played"].as_f64().unwrap() - 1.0;
        assert!(error.abs() < 0.01, "{schedule}: {error}");
    }
}

/// The step is its passes, what it does once, and nothing else.
#[test]
fn the_timeline_ends_when_the_passes_of_the_step_do() {
    for schedule in ["gpipe", "one_f_one_b", "interleaved(chunks: 2)", "dual_pipe"] {
        let text = of_schedule(schedule);
        let program = Program::of_text("s.mesa", &text);
        let wanted = ["s".to_owned()];
        let evaluation = evaluate(&program, program.roots[0], &wanted, &Changes::default());
        let lowered = evaluation.scenarios[0].lowered.as_ref().unwrap();
        let graph = &evaluation.checker.graph;
        let get = |path: &str| match lowered.results.get(path) {
            Some(mesa::lower::Leaf::Number(id)) => graph.value(*id),
            _ => panic!("no {path}"),
        };
        let (_, pipeline) = &lowered.pipelines[0];
        let played = played(&of_lowered(graph, pipeline).unwrap());
        let once: f64 = lowered
            .collectives
            .iter()
            .filter(|(phase, _)| phase == "step")
            .flat_map(|(_, all)| all)
            .map(|c| graph.value(c.total))
            .sum();
        let passes = get("step.time") - get("step.optimizer") - once;
        assert!((passes / played - 1.0).abs() < 0.01, "{schedule}: {passes} {played}");
    }
}

#[test]
fn placements_of_the_examples() {
    for (file, scenario) in [
        ("chat-70b", "chat"),
        ("two-nodes-70b", "staged"),
        ("mixtral", "cut"),
        ("one-4090-8b", "desktop"),
        ("llama3-405b-training", "devices_8192"),
        ("deepseek-v3", "deepseek"),
        ("deepseek-v3-training", "pretrain"),
    ] {
        let path = format!("examples/{file}.mesa");
        let (code, text, said) = mesa(&[&path, scenario, "--placement"]);
        assert_eq!(code, Some(0), "{file}: {said}");
        insta::assert_snapshot!(format!("placement-{file}"), text);
        let (_, svg, _) = mesa(&[&path, scenario, "--placement", "--format", "svg"]);
        roxmltree::Document::parse(&svg).unwrap();
        assert!(svg.len() < 200_000, "{file}: {}", svg.len());
    }
}

/// All parts of an axis are there, and together they are all of it; every layer runs somewhere.
#[test]
fn devices_have_all_of_the_model_between_them() {
    for (file, scenario) in [
        ("two-nodes-70b", "staged"),
        ("gpt3-175b-training", "full_recompute"),
        ("llama3-405b-training", "devices_8192"),
        ("deepseek-v3-training", "pretrain"),
    ] {
        let path = format!("examples/{file}.mesa");
        let (_, json, _) = mesa(&[&path, scenario, "--placement", "--format", "json"]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let mut ranges: BTreeMap<(String, u64, u64), [u64; 2]> = BTreeMap::new();
        let mut places = std::collections::BTreeSet::new();
        for device in value["devices"].as_array().unwrap() {
            assert!(places.insert(device["at"].to_string()), "two devices at one place");
            for share in device["weights"].as_array().unwrap() {
                let n = |i: usize| share["range"][i].as_u64().unwrap();
                let key = (share["axis"].to_string(), n(2), share["part"].as_u64().unwrap());
                ranges.insert(key, [n(0), n(1)]);
            }
        }
        let mut reached: BTreeMap<(String, u64), u64> = BTreeMap::new();
        for ((axis, of, _), [from, until]) in ranges {
            let so_far = reached.entry((axis.clone(), of)).or_default();
            assert_eq!(*so_far, from, "{file}: a gap in {axis}");
            *so_far = until;
        }
        assert!(reached.iter().all(|((_, of), until)| of == until), "{file}: {reached:?}");
        let mut layers: Vec<[u64; 2]> = value["stages"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|s| s["layers"].as_array().unwrap())
            .map(|l| [l[0].as_u64().unwrap(), l[1].as_u64().unwrap()])
            .collect();
        layers.sort_unstable();
        // Where micro-batches come from both ends, two devices have each layer.
        layers.dedup();
        layers.retain(|[from, until]| from < until);
        assert_eq!(layers[0][0], 0);
        assert!(layers.windows(2).all(|w| w[0][1] == w[1][0]), "{file}: {layers:?}");
    }
}

#[test]
fn what_cannot_be_shown_is_said() {
    let chat = "examples/chat-70b.mesa";
    let (code, _, said) = mesa(&[chat, "chat", "--timeline"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("has no pipeline") && said.contains("shard layers over pp"), "{said}");
    let staged = "examples/two-nodes-70b.mesa";
    let (code, _, said) = mesa(&[staged, "staged", "--timeline", "--phase", "forward"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("decode.mid"), "{said}");
    for (format, what) in [("dot", "--timeline"), ("mermaid", "--placement")] {
        let (code, _, said) = mesa(&[staged, "staged", what, "--format", format]);
        assert_eq!(code, Some(2));
        assert!(said.contains("text, svg or json"), "{said}");
    }
    let (code, _, said) = mesa(&[chat, "chat", "--format", "text"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("not drawn as text"), "{said}");
    let file = of_schedule("dual_pipe");
    let (code, _, said) = mesa_of(&file, &["-", "s", "--timeline", "--set", "train.batch=8"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no published order"), "{said}");
}

#[test]
fn the_timeline_of_the_guide_is_current() {
    let path = "examples/gpt3-175b-training.mesa";
    let (_, svg, _) = mesa(&[path, "full_recompute", "--timeline", "--format", "svg"]);
    let stored = std::path::Path::new("docs/timeline.svg");
    if std::env::var_os("MESA_BLESS").is_some() {
        std::fs::write(stored, &svg).unwrap();
    }
    let text = std::fs::read_to_string(stored).unwrap_or_default();
    assert!(text == svg, "write it with MESA_BLESS=1 cargo test --test timeline");
}

/// Where each phase has its own devices, those that decode are shown.
#[test]
fn phases_of_their_own_show_the_devices_of_decode() {
    let text = "use std.models.Llama3_8B\nuse std.systems.DGX_H100\n\
                plan Tp(tp: Count) {\n  mesh tp\n  shard heads, ffn, vocab over tp\n}\n\
                plan Staged(pp: Count) {\n  mesh pp\n  shard layers over pp\n}\n\
                scenario s {\n  model = Llama3_8B\n  system = DGX_H100\n  \
                plan { prefill = Staged(pp: 2), decode = Tp(tp: 4) }\n  \
                serve { batch = 8, prompt = 1024, output = 64 }\n}\n";
    let (code, shown, said) = mesa_of(text, &["-", "s", "--placement"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.contains("here the devices of decode: 4 of 8 devices"), "{shown}");
    assert!(shown.contains("layers 0–31") && !shown.contains("layers 0–15"), "{shown}");
    let (code, shown, said) = mesa_of(text, &["-", "s", "--timeline"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.contains("2 stages"), "{shown}");
}
