//! Sweeps against evaluation: at every point the same results, or the same error.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers are tests

use std::collections::BTreeMap;

use mesa::Program;
use mesa::diagnostic::Severity;
use mesa::evaluation::{Changes, evaluate};
use mesa::lower::Leaf;
use mesa::sweep::{
    Block, Compiler, Made, Options, Sample, Space, Stop, Variants, Worker, define, run,
};

fn example(name: &str) -> String {
    let path = format!("{}/examples/{name}.mesa", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn compiler(text: &str) -> (Compiler, Space) {
    let program = Program::of_text("sweep.mesa", text);
    let module = program.roots[0];
    let definition = define(&program, module, None).unwrap_or_else(|found| {
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
        let mut columns = vec![Vec::new(); space.columns()];
        own.iter().for_each(|p| space.numbers(*p, &mut columns));
        let variants = families.entry(space.family(first)).or_default().clone();
        let mut block = Block::default();
        let mut missing = |at: usize| match compiler.make(space, own[at]) {
            Made::Variant(variant) => {
                variants.write().unwrap().push(variant.into());
                true
            }
            Made::Wrong(found) => panic!("{found:#?}"),
        };
        let whole =
            worker.evaluate(&variants, &columns, own.len(), outputs, &mut block, &mut missing);
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
