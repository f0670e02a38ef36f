//! One file, edited at random: findings and answers are those of a fresh start on the same text.

use std::sync::Arc;

use mesa::diagnostic::{Diagnostic, Label};
use mesa::ide::facts::facts;
use mesa::ide::workspace::Found;
use mesa::ide::{View, Workspace};
use mesa::source::Span;

use super::typist::{Typist, boundary};
use super::{edits, files, fresh, is_wanted, shown};

/// Everything that an editor may ask at a byte, as text.
pub fn asked(workspace: &mut Workspace, name: &str, byte: u32, which: usize) -> String {
    // Only those who ask for findings have them looked for.
    let found = if which == 8 { workspace.findings(name) } else { Arc::default() };
    let (program, module) = workspace.program(name).unwrap();
    let view = View::new(program, module);
    let whole = Span::new(0, view.text.len() as u32);
    use mesa::ide::{
        actions, calls, complete, hover, layout, outline, references, signature, symbols, tokens,
    };
    match which {
        0 => format!("{:?}", hover::hover(&view, byte)),
        1 => format!("{:?}", complete::complete(&view, byte)),
        2 => format!("{:?}", references::definition(&view, byte)),
        3 => format!(
            "{:?}",
            references::target_at(&view, byte).map(|(_, t)| references::references(&view, &t))
        ),
        4 => format!("{:?}", symbols::symbols(&view)),
        5 => format!("{:?}", tokens::tokens(&view, whole)),
        6 => format!(
            "{:?}",
            (outline::folds(&view), outline::selections(&view, byte), outline::links(&view))
        ),
        7 => format!("{:?}", signature::signature(&view, byte)),
        8 => format!("{:?}", actions::actions(&view, Span::new(byte, byte), &found)),
        9 => format!("{:?}", (layout::edits(&view, whole), layout::typed(&view, byte, "\n"))),
        10 => format!("{:?}", (calls::outgoing(&view, byte), calls::incoming(&view, byte))),
        11 => format!("{:?}", references::rename(&view, byte, "renamed")),
        _ => {
            let names = mesa::scenarios(program, module);
            let first = names.first().map(|i| i.item.name.name.text().to_owned());
            let facts = first.and_then(|name| facts(program, module, &name));
            facts.map_or(String::new(), |f| format!("{}{:?}", f.text(), f.findings))
        }
    }
}

/// Edits one file, and says where an answer was not that of a fresh start.
fn typed_into(number: usize, name: &str, original: &str) {
    let mut typist = Typist::new(number + 7, original);
    let mut workspace = fresh(name, original);
    let mut text = original.to_owned();
    for step in 0..edits() {
        text = typist.next(&text);
        workspace.change(name, step as i32 + 2, &text);
        let byte = boundary(&text, typist.dice.below(text.len() + 1)) as u32;
        let which = typist.dice.below(13);
        // Findings are asked for after every third edit: what is kept may be older than one.
        let asks = typist.dice.below(12);
        let both = asks < 4;
        let mut other = fresh(name, &text);
        // At times somebody is in a hurry: what is certain then stays certain.
        let hurry = typist.dice.below(3);
        let looks = std::cell::Cell::new(0);
        let stop = |_: std::time::Duration| {
            looks.set(looks.get() + 1);
            looks.get() > hurry
        };
        if asks < 2
            && let Some(Found::Part(found)) = workspace.findings_unless(name, &stop)
        {
            // Where several items find the same, whichever was looked at first says it: one of the
            // places is that which they share.
            let all = other.findings(name);
            let same = |a: &Diagnostic, b: &Diagnostic| {
                let place = |l: &Label| b.labels.iter().any(|m| m.place == l.place);
                (a.code, a.severity, &a.title) == (b.code, b.severity, &b.title)
                    && a.labels.iter().any(place)
            };
            let wrong = found.iter().find(|found| !all.iter().any(|d| same(d, found)));
            assert!(wrong.is_none(), "{wrong:?} of {name} after {step} edits:\n{text}");
        }
        if both {
            let (kept, new) = (workspace.findings(name), other.findings(name));
            assert_eq!(shown(&kept), shown(&new), "{name} after {step} edits:\n{text}");
        }
        let kept = asked(&mut workspace, name, byte, which);
        let new = asked(&mut other, name, byte, which);
        assert_eq!(kept, new, "question {which} at {byte} of {name} after {step} edits:\n{text}");
    }
}

#[test]
fn answers_after_any_edits_are_those_of_a_fresh_start_on_the_same_text() {
    let mut wrong = Vec::new();
    for (number, (name, text)) in files().into_iter().enumerate() {
        if !is_wanted(&name) {
            continue;
        }
        let begun = std::time::Instant::now();
        // The others are tried as well: one mistake must not hide the next.
        if std::panic::catch_unwind(|| typed_into(number, &name, &text)).is_err() {
            wrong.push(name.clone());
        }
        let seconds = begun.elapsed().as_secs_f64();
        eprintln!("{number} {name}: {} edits in {seconds:.1} s", edits());
    }
    assert!(wrong.is_empty(), "wrong after edits of {wrong:#?}");
}

/// The same findings as the command line, apart from how often one mistake is said.
#[test]
fn an_editor_shows_what_the_command_line_says() {
    let mut corpus = files();
    corpus.truncate(12);
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "mesa") {
            corpus.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    for (name, text) in corpus {
        let mut workspace = fresh(&name, &text);
        let found = workspace.findings(&name);
        let (program, _) = workspace.program(&name).unwrap();
        let line = |d: &Diagnostic| format!("{} {:?} {}", d.code.id(), d.place(), d.title);
        let editor: Vec<String> = found.iter().map(line).collect();
        let command: Vec<String> = mesa::check(program).iter().map(line).collect();
        let missing: Vec<&String> = command.iter().filter(|l| !editor.contains(l)).collect();
        let extra: Vec<&String> = editor.iter().filter(|l| !command.contains(l)).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{name}\nmissing {missing:#?}\nextra {extra:#?}"
        );
    }
}

#[test]
fn a_mistake_in_one_item_leaves_the_others_as_they_are() {
    let text =
        "use std.chips.B200\n\nplan P {\n  mesh =\n\nconst size = 3 GB\n\nconst twice = size * 2\n";
    let mut workspace = fresh("/w/a.mesa", text);
    let at = text.find("size * 2").unwrap() as u32;
    let (program, module) = workspace.program("/w/a.mesa").unwrap();
    let hover = mesa::ide::hover::hover(&View::new(program, module), at).unwrap();
    assert!(hover.text.contains("**3 GB**"), "{}", hover.text);
}
