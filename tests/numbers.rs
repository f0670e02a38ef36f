//! Numbers against hand calculations: every expected value is written out here.

mod common;

use common::Run;

#[test]
fn look() {
    let text = std::env::var("LOOK").map(|f| std::fs::read_to_string(f).unwrap()).unwrap_or_default();
    let run = Run::of(&text);
    for (name, o) in &run.scenarios {
        println!("== {name}");
        for (k, v) in &o.numbers { println!("{k} = {v}"); }
        for (k, v) in &o.words { println!("{k} = {v}"); }
        for phase in o.collectives.keys() {
            for c in o.real(phase) { println!("{phase}: {c:?}"); }
        }
    }
    println!("{:#?}", run.findings);
}
