//! The tape against the graph, on every example.

use mesa::Program;
use mesa::evaluation::{Changes, evaluate};
use mesa::expr::ExprId;
use mesa::lower::Leaf;
use mesa::reading::number::Tape;

#[test]
fn a_tape_equals_the_graph_of_every_example_bit_by_bit() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let program = Program::of_text(path.to_str().unwrap(), &text);
        let evaluation = evaluate(&program, program.roots[0], &[], &Changes::default());
        let graph = &evaluation.checker.graph;
        for scenario in &evaluation.scenarios {
            let Some(lowered) = &scenario.lowered else { continue };
            let roots: Vec<ExprId> = lowered
                .results
                .leaves
                .values()
                .filter_map(|leaf| match leaf {
                    Leaf::Number(id) | Leaf::Flag(id) => Some(*id),
                    Leaf::Text(_) | Leaf::Error => None,
                })
                .collect();
            let tape = Tape::compile(graph, &roots);
            assert!(tape.len() < graph.len());
            for (id, value) in roots.iter().zip(tape.run(&[])) {
                let known = graph.value(*id);
                assert!(known.to_bits() == value.to_bits(), "{known} and {value}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "{compared}");
}
