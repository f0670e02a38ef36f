//! The results that the language guide names are there.

use mesa::check::Checker;
use mesa::{Program, scenarios};

use crate::bless::read;

/// The paths in the first column of the table below `| Path |`.
fn named_paths(markdown: &str) -> Vec<String> {
    let table = markdown.lines().skip_while(|l| !l.starts_with("| Path |")).skip(2);
    let rows = table.take_while(|l| l.starts_with('|'));
    let firsts = rows.filter_map(|l| l.split('|').nth(1));
    firsts.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

#[test]
fn results_that_the_guide_names_exist() {
    let program = Program::of_text("chat-70b.mesa", &read("examples/chat-70b.mesa"));
    let scenario = scenarios(&program, program.roots[0])[0];
    let lowered = mesa::evaluate(&mut Checker::new(&program), scenario).unwrap();
    let paths = named_paths(&read("docs/language.md"));
    assert!(paths.len() > 30, "{paths:?}");
    let missing: Vec<_> = paths.iter().filter(|p| lowered.results.get(p).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for phase in ["decode.first", "decode.mid", "decode.last"] {
        for path in paths.iter().filter_map(|p| p.strip_prefix("prefill.")) {
            assert!(lowered.results.get(&format!("{phase}.{path}")).is_some(), "{phase}.{path}");
        }
    }
}
