//! Two files, of which one imports the other: what is typed into either shows in both.

use mesa::ide::Workspace;
use mesa::ide::facts::facts;
use mesa::ide::shelf::Shelf;

use super::dice::Dice;
use super::questions::asked;
use super::typist::{Typist, boundary};
use super::{edits, seed, shown, told};

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
