//! Every example swept over its own inputs: at random points what `mesa eval` says there, bit by
//! bit. A few points of each by default; `MESA_FULL=1` takes thousands.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers are tests

use std::sync::Mutex;

use mesa::Program;
use mesa::diagnostic::Severity;
use mesa::evaluation::{Changes, evaluate, open, settable};
use mesa::lower::Leaf;
use mesa::sweep::{Block, Compiler, Options, Sample, Space, Standing, Stop};
use mesa::sweep::{define, run, standing};

/// What is tried at an input, if anything.
fn values(path: &str) -> Option<&'static str> {
    match path {
        "serve.batch" => Some("[1, 2, 8, 24, 64, 256]"),
        "serve.prompt" | "serve.output" => Some("[1, 16, 100, 512, 2048]"),
        "train.batch" => Some("[1, 8, 64, 96, 512]"),
        "train.seq" => Some("[512, 1024, 2048]"),
        path if path.starts_with("plan.") => Some("[1, 2, 3, 4, 8, 16]"),
        _ => None,
    }
}

/// The sweep of a scenario over all inputs that it has and that are tried.
fn sweep(program: &Program, scenario: &str) -> Option<String> {
    let module = program.roots[0];
    let mut opened = open(program, module, &[scenario.to_owned()], &Changes::default());
    let object = opened.scenarios.first()?.object.clone()?;
    let rows = settable(&mut opened.checker, &object);
    // Not what is a word: `plan.recompute`.
    let number = |value: &str| value.starts_with(|c: char| c.is_ascii_digit());
    let axes: String = rows
        .iter()
        .filter(|row| number(&row.value.to_string()))
        .filter_map(|row| Some(format!("  vary {} in {}\n", row.path, values(&row.path)?)))
        .collect();
    let goal = if axes.contains("train.") { "step.time" } else { "latency" };
    (!axes.is_empty())
        .then(|| format!("\nsweep of_all of {scenario} {{\n{axes}  minimize {goal}, devices\n}}\n"))
}

/// How many points agreed, and how many of them have results.
fn agree(text: &str, scenario: &str, count: u64) -> (usize, usize) {
    let program = Program::of_text("example.mesa", text);
    let module = program.roots[0];
    let definition = define(&program, module, Some("of_all")).unwrap();
    let space = Space::new(&definition);
    let mut compiler = Compiler::new(program, module, definition.clone(), Vec::new());
    let found = Mutex::new(Vec::new());
    let write = |numbers: &[u64], block: &Block, _: &mut Vec<u8>| {
        for (at, point) in numbers.iter().enumerate() {
            let values: Vec<f64> =
                block.values.iter().map(|c| c.get(at).copied().unwrap_or(f64::NAN)).collect();
            found.lock().unwrap().push((*point, standing(&definition, block, at), values));
        }
    };
    let options = Options { sample: Some(Sample { count, seed: 7 }), ..Options::default() };
    let stop = Stop::default();
    let ran =
        run(&mut compiler, &space, &options, &stop, Some(&write), &mut |_| Ok(()), &mut |_| {});
    assert_eq!(ran.unwrap().answer.points, count);
    let reasons = compiler.reasons();
    let found = found.into_inner().unwrap();
    let mut sound = 0;
    for (point, stands, values) in &found {
        let mut program = Program::of_text("example.mesa", text);
        let settings = compiler.changes(&space, *point);
        let changes = Changes::add(&mut program, settings.clone());
        let evaluation = evaluate(&program, module, &[scenario.to_owned()], &changes);
        let errors = evaluation.findings.iter().filter(|d| d.severity == Severity::Error);
        let said: Vec<&str> = errors.map(|d| d.code.id()).collect();
        let lowered = evaluation.scenarios[0].lowered.as_ref();
        if let Standing::Broken(reason) = stands {
            let code = reasons[*reason as usize].code.id();
            assert!(lowered.is_none() && said.contains(&code), "{settings:?}: {code}, {said:?}");
            continue;
        }
        let lowered = lowered.unwrap();
        assert_eq!(*stands == Standing::Unfit, said.contains(&"E0507"), "{settings:?}");
        let names = definition.goals.iter().map(|g| &g.text).chain(&definition.columns);
        for (name, value) in names.zip(&values[1 + definition.conditions.len()..]) {
            let known = match lowered.results.get(name) {
                Some(Leaf::Number(id) | Leaf::Flag(id)) => evaluation.checker.graph.value(*id),
                _ => f64::NAN,
            };
            let same = known.to_bits() == value.to_bits() || known.is_nan() && value.is_nan();
            assert!(same, "{name}: {value} swept, {known} at {settings:?}");
        }
        sound += 1;
    }
    (found.len(), sound)
}

#[test]
fn every_example_agrees_with_evaluation_at_random_points() {
    let full = std::env::var_os("MESA_FULL").is_some();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let (mut points, mut results, mut files) = (0, 0, 0);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "mesa")) {
        let text = std::fs::read_to_string(path).unwrap();
        let program = Program::of_text("example.mesa", &text);
        let scenarios = mesa::scenarios(&program, program.roots[0]);
        // Of many alike the first few; all when there is time.
        let few = if full { scenarios.len() } else { 1 };
        for scenario in scenarios.iter().take(few).map(|s| s.item.name.name.to_string()) {
            let Some(sweep) = sweep(&program, &scenario) else { continue };
            let count = if full { 2000 } else { 8 };
            let (all, sound) = agree(&format!("{text}{sweep}"), &scenario, count);
            points += all;
            results += sound;
            files += 1;
        }
    }
    println!("{points} points of {files} sweeps, {results} with results");
    assert!(files >= 10 && results * 10 > points, "{results} of {points} points have results");
}
