//! What is kept of scenarios while a file is edited is what evaluating them anew says.

use std::sync::Arc;

use mesa::diagnostic::Diagnostic;
use mesa::ide::facts::{Facts, facts};
use mesa::ide::shelf::Shelf;

use super::dice::Dice;
use super::typist::Typist;
use super::{edits, files, fresh, seed, told};

#[test]
fn what_is_kept_of_scenarios_is_what_a_new_evaluation_says() {
    let mut corpus = files();
    corpus.retain(|(_, text)| text.contains("\nscenario "));
    assert!(corpus.len() > 10);
    let (mut compared, mut held) = (0, 0);
    for (number, (name, text)) in corpus.into_iter().enumerate() {
        let mut typist = Typist::new(number + 99, &text);
        let mut workspace = fresh(&name, &text);
        let mut shelf = Shelf::default();
        let mut text = text;
        let mut last: Option<Arc<Facts>> = None;
        for step in 0..edits() {
            // Above everything first: all places move, and nothing else does.
            text = if step < 2 { format!("// above\n{text}") } else { typist.next(&text) };
            workspace.change(&name, step as i32 + 2, &text);
            let (program, module) = workspace.program(&name).unwrap();
            shelf.renew(program, module);
            let Some(first) = mesa::scenarios(program, module).first().copied() else { continue };
            let scenario = first.item.name.name.text();
            let (kept, new) =
                (shelf.facts(program, module, scenario), facts(program, module, scenario));
            assert_eq!(
                kept.as_deref().map(told),
                new.as_ref().map(told),
                "{scenario} of {name} after {step} edits:\n{text}"
            );
            compared += 1;
            // Facts that were moved are others, those that stayed are the same.
            held += usize::from(
                kept.as_ref().zip(last.as_ref()).is_some_and(|(a, b)| Arc::ptr_eq(a, b)),
            );
            last = kept;
        }
    }
    assert!(compared > 50, "only {compared} were compared");
    assert!(held > 0, "nothing was kept");
}

/// Whatever numbers are typed, a lens that follows from another scenario of the same shape says
/// what an evaluation of its own scenario says.
#[test]
fn a_lens_says_what_its_own_scenario_comes_to() {
    let mut corpus = files();
    corpus.retain(|(_, text)| text.contains("\nscenario "));
    let (mut compared, mut followed) = (0, 0);
    for (number, (name, original)) in corpus.into_iter().enumerate() {
        let mut dice = Dice(number as u64 + 17 + seed());
        let mut workspace = fresh(&name, &original);
        let mut shelf = Shelf::default();
        let digits: Vec<usize> =
            original.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(i, _)| i).collect();
        for step in 0..edits() {
            let mut text = original.clone();
            for _ in 0..dice.below(3) {
                let at = digits[dice.below(digits.len())];
                let new = ["0", "1", "2", "3", "4", "6", "7", "8", "9"][dice.below(9)];
                text.replace_range(at..=at, new);
            }
            workspace.change(&name, step as i32 + 2, &text);
            let (program, module) = workspace.program(&name).unwrap();
            shelf.renew(program, module);
            let all = mesa::scenarios(program, module);
            for _ in 0..4 {
                let Some(one) = all.get(dice.below(all.len())) else { continue };
                let scenario = one.item.name.name;
                let told = shelf.lens(program, module, scenario.text());
                followed += usize::from(!shelf.is_known(program, module, scenario));
                let own = facts(program, module, scenario.text());
                let own = own.as_ref().map(mesa::ide::evaluated::lens);
                assert_eq!(told, own, "{scenario} of {name} after {step} edits:\n{text}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "only {compared} were compared");
    assert!(followed * 4 > compared, "only {followed} of {compared} followed from others");
}

/// Scenarios of one shape are looked at once, across edits too: whatever numbers come, nothing
/// that an evaluation of a scenario by itself finds is missing.
#[test]
fn other_numbers_hide_no_finding_of_a_scenario() {
    let mut corpus = files();
    corpus.retain(|(_, text)| text.contains("\nscenario "));
    // One file more, in which everything is the user's own.
    let parts = ["/copy/links.mesa", "/copy/chips/nvidia.mesa", "/copy/systems/nvidia.mesa"];
    let parts = parts.map(|name| files().into_iter().find(|(n, _)| n == name));
    let mut own: String = parts.into_iter().flatten().map(|(_, text)| text).collect();
    own += include_str!("../../examples/chat-70b.mesa");
    corpus.push(("/copy/own.mesa".to_owned(), own));
    let (mut compared, mut faulty) = (0, 0);
    for (number, (name, original)) in corpus.into_iter().enumerate() {
        let mut dice = Dice(number as u64 + 3);
        let mut workspace = fresh(&name, &original);
        let _ = workspace.findings(&name);
        let digits: Vec<usize> =
            original.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(i, _)| i).collect();
        for step in 0..edits() {
            let mut text = original.clone();
            let at = digits[dice.below(digits.len())];
            let new = ["0", "1", "2", "3", "7", "8", "16", "96", "1e9"][dice.below(9)];
            text.replace_range(at..=at, new);
            workspace.change(&name, step as i32 + 2, &text);
            let found = workspace.findings(&name);
            let (program, module) = workspace.program(&name).unwrap();
            let all = mesa::scenarios(program, module);
            let Some(one) = all.get(dice.below(all.len())) else { continue };
            let scenario = one.item.name.name.text();
            let alone = facts(program, module, scenario).unwrap();
            for finding in &alone.findings {
                // What two scenarios share is said once.
                let same = |d: &Diagnostic| d.code == finding.code && d.place() == finding.place();
                assert!(
                    found.iter().any(same),
                    "{name} {scenario}: {finding:?}\n{found:#?}\n{text}"
                );
                faulty += 1;
            }
            compared += 1;
        }
    }
    assert!(compared > 50 && faulty > 10, "{compared} compared, {faulty} findings");
}
