//! Texts with anything in them: no panic, no hang, every place inside of its file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers are tests

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use mesa::check::{NoFiles, Program};
use mesa::diagnostic::{Diagnostic, codes};
use mesa::source::{Origin, Place, SourceFile, Sources};

#[path = "common/dice.rs"]
mod dice;

use dice::Dice;

/// Pieces of the language, and things that break it.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "=",
    ":",
    ",",
    "..",
    ".",
    "->",
    "\"",
    "{x}",
    "//",
    "\n",
    "\r\n",
    "\t",
    " ",
    "if ",
    "else ",
    "with { }",
    "within ",
    "over ",
    "from ",
    "repeat i in 3 ",
    "fuse ",
    "none",
    "true",
    "0",
    "-1",
    "1e400",
    "0.5",
    "99999999999999999999",
    "3 GB",
    "2 s",
    "%",
    "^",
    " / 0",
    "| ",
    "& ",
    "not ",
    "and ",
    "const a = a\n",
    "fn f(n: Count) -> Count = f(n)\n",
    "block B() { input x[batch] y = B(x) output y }\n",
    "use std.ops\n",
    "scenario s = s\n",
    "x",
    "heads",
    "batch",
    "model",
    "tp",
    "é",
    "\u{feff}",
    "😀",
    "\0",
    "_",
    "in ",
    "rest",
    "Count?",
    "Tensor[..A]",
    "softmax(x, over: x)",
    " * x",
    "[batch, batch]",
    "for serve",
];

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A text after up to four edits: cut, double, splice, insert, exchange.
fn mutate(text: &str, other: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.below(4) {
        let a = boundary(&text, dice.below(text.len() + 1));
        let b = boundary(&text, dice.below(text.len() + 1));
        let near = boundary(&text, (a + dice.below(12)).min(text.len()));
        let (from, to) = (a.min(b), a.max(b));
        match dice.below(8) {
            0 => text.truncate(a),
            1 => text.replace_range(a..near, ""),
            2 => text.replace_range(from..to, ""),
            3 => text.insert_str(a, dice.pick(PIECES)),
            4 => text.replace_range(a..near, dice.pick(PIECES)),
            5 => {
                let cut = boundary(other, dice.below(other.len() + 1));
                text.insert_str(a, &other[cut..boundary(other, (cut + 80).min(other.len()))]);
            }
            6 => {
                let copy = text[from..boundary(&text, (from + 60).min(to))].to_owned();
                text.insert_str(a, &copy);
            }
            _ => {
                // one word for another of the same text
                let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
                let (one, two) = (dice.pick(&words).to_owned(), dice.pick(&words).to_owned());
                if !one.is_empty() {
                    text = text.replacen(&one, &two, 1);
                }
            }
        }
    }
    text
}

fn inside(sources: &Sources, place: Place) -> bool {
    let text = &sources.file(place.file).text;
    let (start, end) = (place.span.start as usize, place.span.end as usize);
    start <= end && text.is_char_boundary(start) && text.is_char_boundary(end)
}

fn places(diagnostic: &Diagnostic) -> impl Iterator<Item = Place> + '_ {
    let labels = diagnostic.labels.iter().map(|l| l.place);
    labels.chain(diagnostic.fixes.iter().flat_map(|f| f.edits.iter().map(|e| e.place)))
}

/// Checks texts as files of one program, which costs the library only once.
fn check(texts: &[String]) {
    let mut sources = Sources::default();
    let mut roots = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        roots.push(sources.add(SourceFile::new(&format!("{i}.mesa"), text, Origin::User)));
    }
    let program = Program::load(sources, &roots, &NoFiles);
    for diagnostic in mesa::check(&program) {
        for place in places(&diagnostic) {
            assert!(inside(&program.sources, place), "{diagnostic:#?} in {texts:#?}");
        }
        let home = diagnostic.place().map(|p| program.sources.file(p.file).origin);
        assert_ne!(home, Some(Origin::Std), "{diagnostic:#?} in {texts:#?}");
    }
}

/// Checks a batch in another thread, so that one that hangs is named.
fn check_in_time(texts: Vec<String>, limit: Duration) {
    let (done, wait) = mpsc::channel();
    let batch = texts.clone();
    std::thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| check(&batch)));
        let _ = done.send(result.is_ok());
    });
    match wait.recv_timeout(limit) {
        Ok(true) => {}
        Ok(false) if texts.len() > 1 => {
            let half = texts.len() / 2;
            check_in_time(texts[..half].to_vec(), limit);
            check_in_time(texts[half..].to_vec(), limit);
            panic!("these fail only together: {texts:#?}");
        }
        Ok(false) => panic!("this fails: {:?}", texts[0]),
        Err(_) if texts.len() > 1 => {
            for text in texts {
                check_in_time(vec![text], limit / 10);
            }
            panic!("these hang only together");
        }
        Err(_) => panic!("this takes longer than {limit:?}: {:?}", texts[0]),
    }
}

fn examples_of_pages(scenarios: bool) -> Vec<String> {
    let pages = codes::ALL.iter().flat_map(|(code, _)| code.examples());
    let texts = pages.filter(|e| !e.is_command).map(|e| e.text);
    texts.filter(|t| t.contains("scenario ") == scenarios).collect()
}

fn run(corpus: &[String], count: usize, batch: usize, seed: u64) {
    let mut dice = Dice(seed);
    let mut texts = Vec::with_capacity(batch);
    for _ in 0..count.div_ceil(batch) {
        for _ in 0..batch {
            let text = &corpus[dice.below(corpus.len())];
            let other = &corpus[dice.below(corpus.len())];
            texts.push(mutate(text, other, &mut dice));
        }
        check_in_time(std::mem::take(&mut texts), Duration::from_secs(60));
    }
}

// Each of them goes through the whole checker; more would cost more than it finds here. The fuzz
// target in fuzz/ goes on without an end.
const ITEMS: usize = 40_000;
const LIBRARY: usize = 18_500;
const SCENARIOS: usize = 1_500;
const _: () = assert!(2 * ITEMS + LIBRARY + SCENARIOS >= 100_000);

/// Items of every kind, small ones.
fn items() -> Vec<String> {
    let mut corpus = examples_of_pages(false);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syntax/good");
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path());
        corpus.extend(text.ok().filter(|t| t.len() < 2000 && !t.contains("scenario ")));
    }
    corpus.sort();
    corpus
}

#[test]
fn mutated_items_of_every_kind() {
    run(&items(), ITEMS, 500, 1);
}

#[test]
fn mutated_items_of_every_kind_from_another_start() {
    run(&items(), ITEMS, 500, 4);
}

#[test]
fn mutated_files_of_the_library() {
    // One item at a time: what it names is then unknown, or of the prelude.
    let files = mesa::check::library::FILES.iter().map(|(_, text)| *text);
    let items = files.flat_map(|text| text.split("\n\n")).filter(|t| t.len() < 1500);
    let corpus: Vec<String> = items.map(|t| format!("{t}\n")).collect();
    run(&corpus, LIBRARY, 500, 2);
}

#[test]
fn mutated_scenarios() {
    let mut corpus = examples_of_pages(true);
    corpus.push(include_str!("../examples/chat-70b.mesa").to_owned());
    corpus.push(include_str!("check/readers.mesa").to_owned());
    run(&corpus, SCENARIOS, 100, 3);
}
