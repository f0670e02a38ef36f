//! Sweeps against evaluation: at every point the same results, or the same error.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers are tests

#[path = "common/sweeps.rs"]
mod sweeps;

use std::collections::BTreeMap;

use mesa::Program;
use mesa::diagnostic::Severity;
use mesa::evaluation::{Changes, evaluate};
use mesa::lower::Leaf;
use mesa::sweep::{
    Block, Compiler, Made, Options, Points, Sample, Space, Stop, Variants, Worker, define, run,
};
use sweeps::{SMALL, example};

fn compiler(text: &str) -> (Compiler, Space) {
    let program = Program::of_text("sweep.mesa", text);
    let module = program.roots[0];
    // The last one: examples have sweeps of their own.
    let name = text.rsplit("\nsweep ").next().and_then(|rest| rest.split(' ').next());
    let definition = define(&program, module, name).unwrap_or_else(|found| {
        panic!("{:#?}", found.iter().map(|d| (&d.title, &d.notes)).collect::<Vec<_>>())
    });
    let space = Space::new(&definition);
    (Compiler::new(program, module, definition, Vec::new()), space)
}

/// Results of some points, by the path of the result; or the code of what is wrong.
fn swept(
    compiler: &mut Compiler,
    space: &Space,
    points: &[u64],
) -> Vec<Result<Vec<f64>, &'static str>> {
    let mut families: BTreeMap<u64, Variants> = BTreeMap::new();
    let mut worker = Worker::default();
    let outputs = 1
        + compiler.definition().conditions.len()
        + compiler.definition().goals.len()
        + compiler.definition().columns.len();
    let mut all = Vec::new();
    let mut rest = points;
    while let Some(&first) = rest.first() {
        let end = space.family_end(first);
        let (own, others) = rest.split_at(rest.partition_point(|p| *p < end));
        rest = others;
        let mut columns = vec![Vec::new(); space.columns() - space.outer().columns];
        let mut combinations = Vec::new();
        own.iter().for_each(|p| space.split(*p, &mut combinations, &mut columns));
        let outer = Some((space.outer().as_ref(), combinations.as_slice()));
        let outer = outer.filter(|(outer, _)| outer.columns > 0);
        let points = Points { count: own.len(), outer, columns: &columns };
        let variants = families.entry(space.family(first)).or_default().clone();
        let mut block = Block::default();
        let mut missing = |at: usize, _| match compiler.make(space, own[at]) {
            Made::Variant(variant) => {
                variants.write().unwrap().push(variant.into());
                true
            }
            Made::Wrong(found) => panic!("{found:#?}"),
        };
        let whole = worker.evaluate(&variants, points, outputs, &mut block, &mut missing);
        assert!(whole, "no variant holds at its own point");
        let reasons = compiler.reasons();
        for at in 0..own.len() {
            all.push(match block.broken[at] {
                0 => Ok(block.values.iter().map(|c| c[at]).collect()),
                n => Err(reasons[n as usize - 1].code.id()),
            });
        }
    }
    all
}

/// Compares a sweep with `mesa eval` at random points.
fn agrees(text: &str, count: u64) {
    let (mut compiler, space) = compiler(text);
    let sample = Sample { count, seed: 42 };
    let mut points: Vec<u64> = (0..count).map(|i| space.sampled(sample, i)).collect();
    points.sort_unstable();
    let results = swept(&mut compiler, &space, &points);
    let definition = compiler.definition().clone();
    let conditions = definition.conditions.len();
    let (mut sound, mut broken, mut unfit) = (0, BTreeMap::new(), 0);
    for (point, result) in points.iter().zip(&results) {
        let mut program = Program::of_text("sweep.mesa", text);
        let module = program.roots[0];
        let settings = compiler.changes(&space, *point);
        let changes = Changes::add(&mut program, settings.clone());
        let scenario = definition.scenario.to_string();
        let evaluation = evaluate(&program, module, &[scenario], &changes);
        let said: Vec<&str> = evaluation
            .findings
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .map(|d| d.code.id())
            .collect();
        let where_ = || format!("{settings:#?}\n{said:?}");
        match (result, &evaluation.scenarios[0].lowered) {
            (Err(code), _) => {
                assert!(said.contains(code), "sweep says {code} at {}", where_());
                *broken.entry(*code).or_insert(0) += 1;
            }
            (Ok(_), None) => panic!("a sweep has results where there are none: {}", where_()),
            (Ok(values), Some(lowered)) => {
                let graph = &evaluation.checker.graph;
                let fits = values[0] != 0.0;
                assert_eq!(!fits, said.contains(&"E0507"), "{}", where_());
                unfit += usize::from(!fits);
                for (i, name) in
                    definition.goals.iter().map(|g| &g.text).chain(&definition.columns).enumerate()
                {
                    let value = values[1 + conditions + i];
                    match lowered.results.get(name) {
                        Some(Leaf::Number(id) | Leaf::Flag(id)) => {
                            let known = graph.value(*id);
                            let same = known.to_bits() == value.to_bits()
                                || known.is_nan() && value.is_nan();
                            assert!(same, "{name}: {value} swept, {known} at {}", where_());
                        }
                        _ => assert!(value.is_nan(), "{name} is {value} at {}", where_()),
                    }
                }
                sound += 1;
            }
        }
    }
    println!("{sound} sound ({unfit} too large), {broken:?}, {} variants", compiler.made());
    assert!(sound > 5 && !broken.is_empty(), "{sound} sound, {broken:?}");
}

#[test]
fn training_agrees_with_evaluation_at_random_points() {
    let text = example("gpt3-175b-training")
        + "
sweep space of full_recompute {
  vary plan.recompute    in [none, full]
  vary precision.weights in [bf16, fp32]
  vary plan.tp           in [1, 2, 3, 4, 8, 16]
  vary plan.pp           in [1, 2, 4, 5, 8, 16]
  vary plan.dp           in [1, 2, 4, 8]
  vary plan.micro_batch  in 1 .. 4
  vary train.batch       in [8, 16, 64, 100, 512, 1536]
  vary train.seq         in [512, 2048, 8192]
  vary system.nodes      in [1, 2, 8, 16, 64]
  minimize step.time
  maximize mfu
}
";
    agrees(&text, 300);
}

#[test]
fn serving_agrees_with_evaluation_at_random_points() {
    let text = example("chat-70b")
        + "
sweep space of chat {
  vary precision.weights in [bf16, fp8]
  vary plan.tp           in 1 .. 10
  vary serve.batch       in [1, 2, 7, 64, 512, 4096]
  vary serve.prompt      in linear(1 .. 32768, 7)
  vary serve.output      in [1, 2, 100, 4096]
  vary system.gpu.memory.hbm.bandwidth in [1 TB/s, 3.35 TB/s, 8 TB/s]
  vary gemm_efficiency   in [0.6, 0.75, 0.9]
  minimize tpot, ttft
}
";
    agrees(&text, 200);
}

/// Goals of every point of a small space by the scalar readings, one evaluation for each.
fn by_hand(text: &str) -> (Vec<(u64, Vec<f64>)>, u64) {
    let (compiler, space) = compiler(text);
    let definition = compiler.definition().clone();
    let mut points = Vec::new();
    for point in 0..space.points() {
        let mut program = Program::of_text("sweep.mesa", text);
        let module = program.roots[0];
        let changes = Changes::add(&mut program, compiler.changes(&space, point));
        let evaluation =
            mesa::evaluation::evaluate_one(&program, module, definition.scenario, &changes);
        let errors = evaluation.checker.diagnostics.iter();
        if errors.filter(|d| d.severity == Severity::Error && d.code.id() != "E0602").count() > 0 {
            continue;
        }
        let lowered = evaluation.scenarios[0].lowered.as_ref().unwrap();
        let goals = definition.goals.iter().map(|goal| match lowered.results.get(&goal.text) {
            Some(Leaf::Number(id)) => {
                let value = evaluation.checker.graph.value(*id);
                if goal.maximize { -value } else { value }
            }
            other => panic!("{} is {other:?}", goal.text),
        });
        points.push((point, goals.collect()));
    }
    (points, space.points())
}

/// What nothing beats, the slow way: the first of equals.
fn brute_force(points: &[(u64, Vec<f64>)]) -> Vec<u64> {
    let beats = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).all(|(x, y)| x <= y) && a.iter().zip(b).any(|(x, y)| x < y)
    };
    let best = points.iter().filter(|(point, goals)| {
        points
            .iter()
            .all(|(other, theirs)| !beats(theirs, goals) && (theirs != goals || other >= point))
    });
    best.map(|(point, _)| *point).collect()
}

fn go(text: &str, options: &Options) -> mesa::sweep::Ran {
    let (mut compiler, space) = compiler(text);
    let stop = Stop::default();
    let mut emit = |_: &[u8]| Ok(());
    run(&mut compiler, &space, options, &stop, None, &mut emit, &mut |_| {}).unwrap()
}

fn points_of(ran: &mesa::sweep::Ran) -> Vec<u64> {
    let mut points: Vec<u64> = ran.answer.front.sorted().iter().map(|r| r.point).collect();
    points.sort_unstable();
    points
}

#[test]
fn a_front_is_what_brute_force_finds() {
    let text = example("chat-70b") + SMALL;
    let (points, all) = by_hand(&text);
    let wanted = brute_force(&points);
    let ran = go(&text, &Options::default());
    assert_eq!(points_of(&ran), wanted);
    assert_eq!((ran.answer.points, ran.answer.kept), (all, points.len() as u64));
    assert!(wanted.len() > 3 && wanted.len() < points.len(), "{wanted:?}");
}

/// 5,000 random points through the scalar tape of each structure against the front of the sweep.
#[test]
fn a_front_of_thousands_of_points_is_what_brute_force_finds() {
    let text = example("chat-70b")
        + "
sweep many of chat {
  vary plan.tp      in [1, 2, 4, 8]
  vary serve.batch  in random(1 .. 300, 5000)
  vary serve.prompt in random(1 .. 3000, 5000, seed: 2)
  where memory.fits
  minimize tpot, ttft
  maximize throughput.device
}
";
    let (mut compiler, space) = compiler(&text);
    let sample = Sample { count: 5000, seed: 9 };
    let mut points: Vec<u64> = (0..5000).map(|i| space.sampled(sample, i)).collect();
    points.sort_unstable();
    points.dedup();
    let results = swept(&mut compiler, &space, &points);
    let goals: Vec<(u64, Vec<f64>)> = points
        .iter()
        .zip(&results)
        .filter_map(|(p, r)| Some((*p, r.as_ref().ok()?)))
        .filter(|(_, r)| r[0] != 0.0)
        .map(|(p, r)| (p, vec![r[2], r[3], -r[4]]))
        .collect();
    let options = Options { sample: Some(sample), ..Options::default() };
    let ran = go(&text, &options);
    assert_eq!(points_of(&ran), brute_force(&goals));
    assert!(goals.len() > 150, "{}", goals.len());
}

#[test]
fn shards_and_threads_give_what_one_run_gives() {
    let text = example("chat-70b") + SMALL;
    let (mut compiler, space) = compiler(&text);
    let mut summary = |part, threads| {
        let options = Options { part, threads, ..Options::default() };
        let mut emit = |_: &[u8]| Ok(());
        let stop = Stop::default();
        let ran = run(&mut compiler, &space, &options, &stop, None, &mut emit, &mut |_| {});
        mesa::report::sweep::Summary::new(&mut compiler, &space, &ran.unwrap(), None)
    };
    let whole = summary(mesa::sweep::Part { index: 0, count: 1 }, 1);
    assert_eq!(whole, summary(mesa::sweep::Part { index: 0, count: 1 }, 2));
    let parts = (0..3).map(|index| {
        let text = summary(mesa::sweep::Part { index, count: 3 }, 2).json();
        mesa::report::sweep::read(&text).unwrap()
    });
    let merged = mesa::report::sweep::merge(parts.collect()).unwrap();
    assert_eq!(merged.json(), whole.json());
    let twice = mesa::report::sweep::merge(vec![whole.clone(), whole]);
    assert!(twice.unwrap_err().contains("two parts"));
}

#[test]
fn what_cannot_be_tried_is_said_before_anything_runs() {
    let base = example("chat-70b");
    for (line, code, title) in [
        ("vary serve.batch in []", "E0901", "there is nothing to try"),
        ("vary serve.batch in 8 .. 1", "E0901", "`8 .. 1` is empty: it ends before it starts"),
        ("vary serve.batch in every(1 .. 8, 0)", "E0901", "a step of 0 leads nowhere"),
        ("vary serve.batch in 1 .. 1e9", "E0901", "values are too many for one axis"),
        ("vary serve.bach in [1, 2]", "E0702", "`chat` has no input `serve.bach`"),
        ("vary serve.batch in 1 .. 8 GB", "E0302", "starts at Number and ends at Bytes"),
        ("vary system.gpu.memory.hbm.bandwidth in [1 GB]", "E0302", "bandwidth"),
        ("vary serve.batch in [1.5]", "E0303", "whole numbers are wanted"),
        ("vary serve.batch in log(0 .. 8, 4)", "E0901", "a logarithmic range starts above 0"),
        ("vary serve.batch in linear(1 .. 8)", "E0901", "`linear` wants a number of points"),
        (
            "vary serve.batch in 1 .. 100000\n  vary serve.prompt in 1 .. 100000\n  \
             vary serve.output in 1 .. 100000",
            "E0902",
            "has 1.0e15 points",
        ),
        (
            "vary serve.batch in random(1 .. 9, 10)\n  vary serve.prompt in random(1 .. 9, 11)",
            "E0901",
            "10 draws of one axis and 11 of another make no points",
        ),
    ] {
        let text = format!("{base}\nsweep s of chat {{\n  {line}\n  minimize tpot\n}}\n");
        let program = Program::of_text("sweep.mesa", &text);
        let found = define(&program, program.roots[0], Some("s")).unwrap_err();
        let said: Vec<String> =
            found.iter().map(|d| format!("{} {}", d.code.id(), d.title)).collect();
        let is = |d: &mesa::Diagnostic| d.code.id() == code && d.title.contains(title);
        assert!(found.iter().any(is), "{line}: {said:?}");
    }
}

#[test]
fn where_that_nothing_holds_and_ties_are_said_in_words() {
    let look = mesa::report::Look::default();
    let text = |sweep: &str| {
        let (mut compiler, space) = compiler(&(example("chat-70b") + sweep));
        let options = Options { threads: 1, ..Options::default() };
        let mut emit = |_: &[u8]| Ok(());
        let stop = Stop::default();
        let ran = run(&mut compiler, &space, &options, &stop, None, &mut emit, &mut |_| {});
        let summary = mesa::report::sweep::Summary::new(&mut compiler, &space, &ran.unwrap(), None);
        mesa::report::sweep::text(&summary, look, 100)
    };
    let none = text(
        "sweep s of chat {\n vary serve.batch in [1, 8]\n where tpot < 1 us\n minimize tpot\n}",
    );
    insta::assert_snapshot!("nothing_holds", none);
    let tie = text("sweep s of chat {\n vary serve.batch in [1, 8]\n minimize devices\n}");
    insta::assert_snapshot!("a_tie", tie);
    let broken = text("sweep s of chat {\n vary plan.tp in [1, 3, 8]\n minimize tpot, devices\n}");
    insta::assert_snapshot!("points_that_cannot_be", broken);
}
