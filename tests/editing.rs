//! Typing into files, as an editor does: what was kept from before never shows.
//!
//! Set `MESA_EDITS` to how many edits each file gets (the default is small), `MESA_SEED` to a
//! number for others than last time, and `MESA_FILES` to a part of the names of the files wanted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // tests

use std::sync::Arc;

use mesa::check::library;
use mesa::diagnostic::{Diagnostic, Label};
use mesa::ide::facts::{Facts, facts};
use mesa::ide::shelf::Shelf;
use mesa::ide::workspace::Found;
use mesa::ide::{View, Workspace};
use mesa::source::Span;

/// Numbers without a pattern that matters, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// What people type, whole or in part.
const TYPED: &[&str] = &[
    "expect ttft < 1 s\n",
    "  shard heads over tp\n",
    "const x = 3 GB\n",
    "use std.chips.B200\n",
    "scenario again = chat with { serve.batch = 64 }\n",
    "}",
    "{",
    "(",
    ")",
    "\"",
    "// note\n",
    "\n",
    "plan Tp2(tp: Count = 4) {\n  mesh tp\n}\n",
    "precision.weights = fp8",
    "é",
    "\u{1F600}",
    " with { ",
    "block B(n: Count) {\n  input x[batch, seq, n]\n  output x\n}\n",
    "80 GB + 3 ms",
    ".",
    "=",
    "0",
    "\r\n",
    "unit foo = 3 GB\n",
    "metric mine for serve = tpot * 2\n",
    "assume a: Number = 0.5 in 0.1 .. 0.9\n",
];

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The next text: a character typed, a range deleted, a line moved; at times all of it is undone,
/// so that what is edited is not rubble in the end.
struct Typist {
    dice: Dice,
    original: String,
    /// The text before the last edit that was not typed: what "undo" brings back.
    before: String,
    /// Where the next character goes, and what is left to type.
    at: usize,
    left: Vec<char>,
}

impl Typist {
    fn new(number: usize, original: &str) -> Self {
        let original = original.to_owned();
        let dice = Dice(number as u64 + seed().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { dice, before: original.clone(), original, at: 0, left: Vec::new() }
    }

    fn next(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(c) = self.left.pop() {
            let at = boundary(&text, self.at.min(text.len()));
            text.insert(at, c);
            self.at = at + c.len_utf8();
            return text;
        }
        match self.dice.below(24) {
            0..=1 => return self.original.clone(),
            2 => return std::mem::replace(&mut self.before, text),
            _ => self.before.clone_from(&text),
        }
        let at = boundary(&text, self.dice.below(text.len() + 1));
        match self.dice.below(14) {
            10.. => {
                // Another number: what was found out about items of the same shape may hold.
                let digit = |(_, c): &(usize, char)| c.is_ascii_digit();
                let digits: Vec<usize> =
                    text.char_indices().filter(digit).map(|(i, _)| i).collect();
                let Some(&at) = digits.get(self.dice.below(digits.len())) else { return text };
                let new = ["0", "1", "2", "4", "7", "8", "16", "."][self.dice.below(8)];
                text.replace_range(at..=at, new);
                text
            }
            0..=5 => {
                let snippet = TYPED[self.dice.below(TYPED.len())];
                self.left = snippet.chars().rev().collect();
                self.at = match self.dice.below(2) {
                    0 => at,
                    _ => text[..at].rfind('\n').map_or(0, |i| i + 1),
                };
                self.next(&text)
            }
            6 => {
                text.insert_str(at, TYPED[self.dice.below(TYPED.len())]);
                text
            }
            7 => {
                let end = boundary(&text, (at + self.dice.below(12)).min(text.len()));
                text.replace_range(at.min(end)..end, "");
                text
            }
            8 => {
                let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
                let end = text[at..].find('\n').map_or(text.len(), |i| at + i + 1);
                let line = text[start..end].to_owned();
                text.replace_range(start..end, "");
                let to = boundary(&text, self.dice.below(text.len() + 1));
                let to = text[..to].rfind('\n').map_or(0, |i| i + 1);
                text.insert_str(to, &line);
                text
            }
            _ => {
                let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
                let end = text[at..].find('\n').map_or(text.len(), |i| at + i + 1);
                let line = text[start..end].to_owned();
                text.insert_str(start, &line);
                text
            }
        }
    }
}

fn edits() -> usize {
    std::env::var("MESA_EDITS").ok().and_then(|n| n.parse().ok()).unwrap_or(8)
}

fn seed() -> u64 {
    std::env::var("MESA_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn files() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "mesa") {
            let text = std::fs::read_to_string(&path).unwrap();
            all.push((path.display().to_string(), text));
        }
    }
    let library = library::FILES.iter();
    all.extend(library.map(|(path, text)| (format!("/copy/{path}.mesa"), (*text).to_owned())));
    all.sort();
    all
}

/// Whether `MESA_FILES` lets a file in.
fn is_wanted(name: &str) -> bool {
    std::env::var("MESA_FILES").map_or(true, |part| name.contains(&part))
}

/// Everything that an editor may ask at a byte, as text.
fn asked(workspace: &mut Workspace, name: &str, byte: u32, which: usize) -> String {
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

fn fresh(name: &str, text: &str) -> Workspace {
    let mut workspace = Workspace::default();
    workspace.open(name, 1, text);
    workspace
}

fn shown(found: &[Diagnostic]) -> Vec<String> {
    found.iter().map(|d| format!("{d:?}")).collect()
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

/// Everything that facts say, in an order that hangs on nothing.
fn told(facts: &Facts) -> String {
    let values: std::collections::BTreeMap<_, _> = facts.values.iter().collect();
    let tensors: std::collections::BTreeMap<_, _> = facts.tensors.iter().collect();
    let rest = (&facts.collectives, &facts.expectations, &facts.findings);
    format!("{}{}{values:?}{tensors:?}{rest:?}", facts.text(), facts.json())
}

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
    own += include_str!("../examples/chat-70b.mesa");
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

const PARTS: &str = "/// How many.
const users = 32

fn scale(x: Number) -> Number = x * 2

plan Tp(tp: Count = 4) {
  mesh tp
  shard heads, ffn, vocab over tp
}

block Small(hidden: Count, ffn: Count) {
  input x[batch, seq, hidden]
  weight up[hidden, ffn]
  weight down[ffn, hidden]
  wide[batch, seq, ffn] = x * up
  output y[batch, seq, hidden] = gelu(wide) * down
}
";

const MAIN: &str = "use \"./parts.mesa\".{users, Tp}
use \"./parts.mesa\" as parts
use std.models.Llama3_8B
use std.systems.DGX_H100

const twice = parts.scale(2) * users

scenario chat {
  model  = Llama3_8B
  system = DGX_H100
  plan   = Tp(tp: 8)
  serve { batch = users, prompt = 2048, output = 256 }
  expect ttft < 4 s
}

scenario other = chat with { plan = parts.Tp(tp: 8), serve.batch = twice }
";

/// Typing into two files, one of which imports the other.
#[test]
fn a_file_shows_what_is_typed_into_the_file_that_it_imports() {
    let names = ["/w/parts.mesa", "/w/main.mesa"];
    let both = |texts: &[String; 2]| {
        let mut workspace = Workspace::default();
        workspace.open(names[0], 1, &texts[0]);
        workspace.open(names[1], 1, &texts[1]);
        workspace
    };
    let mut texts = [PARTS.to_owned(), MAIN.to_owned()];
    let mut typists = [Typist::new(3, PARTS), Typist::new(4, MAIN)];
    let mut workspace = both(&texts);
    assert_eq!(shown(&workspace.findings(names[1])), Vec::<String>::new());
    let mut shelf = Shelf::default();
    let mut dice = Dice(seed() + 5);
    for step in 0..edits() * 5 {
        // Mostly the one that is imported.
        let which = usize::from(dice.below(4) == 0);
        texts[which] = typists[which].next(&texts[which]);
        workspace.change(names[which], step as i32 + 2, &texts[which]);
        let mut fresh = both(&texts);
        let shows = format!("after {step} edits:\n{}\n---\n{}", texts[0], texts[1]);
        let asked_of = dice.below(2);
        for name in [names[asked_of], names[1]] {
            let (kept, new) = (workspace.findings(name), fresh.findings(name));
            assert_eq!(shown(&kept), shown(&new), "{name} {shows}");
        }
        let (name, question) = (names[asked_of], dice.below(12));
        let byte = boundary(&texts[asked_of], dice.below(texts[asked_of].len() + 1)) as u32;
        let kept = asked(&mut workspace, name, byte, question);
        let new = asked(&mut fresh, name, byte, question);
        assert_eq!(kept, new, "question {question} at {byte} of {name} {shows}");
        let (program, module) = workspace.program(names[1]).unwrap();
        shelf.renew(program, module);
        for scenario in ["chat", "other"] {
            let kept = shelf.facts(program, module, scenario);
            let new = facts(program, module, scenario);
            assert_eq!(kept.as_deref().map(told), new.as_ref().map(told), "{scenario} {shows}");
        }
    }
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

const MACHINES: &str = "\
use std.chips.H100_SXM
use std.links.NVLink4

const most = 512

chip Mine = H100_SXM with { memory.hbm.capacity = 80 GB }
chip Other = H100_SXM with { memory.hbm.capacity = 94 GB }

system Box {
  source = \"made up\"
  chip gpu = Mine
  level node = 8 of gpu via NVLink4
}

plan Tp(tp: Count = 8) {
  mesh tp
  shard heads, ffn, vocab over tp
}
";

const USERS: &str = "\
use std.models.Llama3_8B
use \"./parts.mesa\".{Box, most}
use \"./parts.mesa\".{Tp as Spread}
use \"./parts.mesa\" as parts

scenario chat {
  model  = Llama3_8B
  system = Box
  plan   = Spread(tp: 8)
  serve { batch = 32, prompt = most, output = 16 }
  expect memory.headroom > 1%
}

scenario more = chat with { serve.batch = 64 }
scenario direct = chat with { system = parts.Box }
";

#[test]
fn edits_of_imported_files_and_of_imports_are_seen_like_by_a_fresh_start() {
    let changes = [
        ("8 of", "4 of"),
        ("8 of", "0 of"),
        ("80 GB", "1 GB"),
        ("80 GB", "96 GB"),
        ("512", "4096"),
        ("512", "0"),
        ("Mine", "Other"),
        ("chip gpu = Mine", "chip gpu = Other"),
        ("tp: Count = 8", "tp: Count = 4"),
        ("over tp", "over tq"),
        ("{Box, most}", "{Box}"),
        ("{Box, most}", "{most}"),
        ("Tp as Spread", "Tp as Sp"),
        ("Tp as Spread", "Box as Spread"),
        ("as parts", "as part"),
        ("parts.mesa\" as", "missing.mesa\" as"),
        ("std.models.Llama3_8B", "std.models.Llama3_70B"),
        ("Llama3_8B\n", "Llama3_8C\n"),
        ("batch = 32", "batch = 64"),
        ("const most", "\n// above\nconst most"),
        ("const most", "unit foo = 3 GB\nconst most"),
        ("const most", "const top = most\nconst most"),
    ];
    let names = ["/w/parts.mesa", "/w/main.mesa"];
    let mut workspace = Workspace::default();
    let mut texts = [MACHINES.to_owned(), USERS.to_owned()];
    for (name, text) in names.iter().zip(&texts) {
        workspace.open(name, 1, text);
    }
    assert_eq!(shown(&workspace.findings(names[1])), Vec::<String>::new());
    let mut dice = Dice(5);
    for step in 0..12 * edits() {
        let (from, to) = changes[dice.below(changes.len())];
        let which = usize::from(USERS.contains(from));
        let back = dice.below(3) == 0;
        texts[which] = match back {
            true => [MACHINES, USERS][which].to_owned(),
            false => texts[which].replacen(from, to, 1),
        };
        workspace.change(names[which], step as i32 + 2, &texts[which]);
        if dice.below(4) == 0 {
            continue;
        }
        let mut other = Workspace::default();
        for (name, text) in names.iter().zip(&texts) {
            other.open(name, 1, text);
        }
        for name in names {
            let (kept, new) = (workspace.findings(name), other.findings(name));
            assert_eq!(shown(&kept), shown(&new), "{name} after {step}: {texts:#?}");
        }
    }
}

#[test]
fn a_file_that_is_imported_is_seen_with_its_unsaved_changes() {
    let mut workspace = Workspace::default();
    workspace.open("/w/parts.mesa", 1, "const size = 3\n");
    workspace.open("/w/main.mesa", 1, "use \"./parts.mesa\".size\nconst twice = size * 2\n");
    assert_eq!(shown(&workspace.findings("/w/main.mesa")), Vec::<String>::new());
    workspace.change("/w/parts.mesa", 2, "const other = 3\n");
    assert_eq!(workspace.findings("/w/main.mesa")[0].code.id(), "E0201");
    workspace.change("/w/parts.mesa", 3, "const size = 3\n");
    assert_eq!(shown(&workspace.findings("/w/main.mesa")), Vec::<String>::new());
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
