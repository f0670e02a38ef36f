//! Snapshots of every renderer over the same findings, and what must hold for any text.

use super::*;
use crate::diagnostic::{Edit, Safety, codes};
use crate::source::{FileId, Origin, Place, SourceFile, Span};

const PLAN: &str = "\
use std.models.Llama3_70B

plan Tp(tp: Count = 3) {
  mesh tp
  shard heads, ffn over tp
}

scenario chat {
  model = Llama3_70B
  precision { weigths = fp8 }
}
";

const MODEL: &str = "\
/// Llama 3.3 70B.
model Llama3_70B = Llama(
  layers: 80, hidden: 8192, heads: 64, kv_heads: 8,
)
";

struct Case {
    sources: Sources,
    findings: Vec<Diagnostic>,
}

impl Case {
    fn show(&self, format: Format) -> String {
        render(format, &self.sources, &self.findings, &Options::default())
    }
}

/// The place of the `nth` occurrence of `needle`, from 0.
fn find(sources: &Sources, file: FileId, needle: &str, nth: usize) -> Place {
    let text = &sources.file(file).text;
    let (start, found) = text.match_indices(needle).nth(nth).unwrap();
    let start = start as u32;
    Place { file, span: Span::new(start, start + found.len() as u32) }
}

/// Two files, fixes of both safeties, notes, a warning and a note without a place.
fn typical() -> Case {
    let mut sources = Sources::default();
    let plan = sources.add(SourceFile::new("specs/chat, 70%.mesa", PLAN, Origin::User));
    let model = sources.add(SourceFile::new("std/models.mesa", MODEL, Origin::Std));
    let tp = find(&sources, plan, "3", 1);
    let mut divides = Diagnostic::new(
        codes::DOES_NOT_DIVIDE,
        "3 devices cannot share 64 heads evenly",
        find(&sources, plan, "heads", 0),
        "sharded over `tp`",
    )
    .and(tp, "`tp` is 3")
    .and(find(&sources, model, "heads: 64", 0), "64 heads here")
    .note("`heads` would divide over 1, 2, 4, 8, 16, 32 or 64 devices")
    .note(
        "Every device gets the same number of heads; with 3 devices one of them would get a head \
           more than the others, and the rest would wait for it at every layer.",
    )
    .fix("use 4 devices", tp, "4", Safety::Review);
    divides.fixes[0].edits.push(Edit {
        place: find(&sources, plan, "mesh tp\n", 0),
        text: "mesh tp across node\n".into(),
    });
    let role = find(&sources, plan, "weigths", 0);
    let unknown =
        Diagnostic::new(codes::UNKNOWN_ROLE, "`weigths` is no role", role, "no such role")
            .note("roles are:\n  weights      what a model learned\n  activations  what flows")
            .fix("write `weights`", role, "weights", Safety::Safe);
    let unused = find(&sources, plan, "use std.models.Llama3_70B\n", 0);
    let import = Diagnostic::new(codes::UNUSED_IMPORT, "`Llama3_70B` is unused", unused, "").fix(
        "remove the line",
        unused,
        "",
        Safety::Safe,
    );
    let mut nowhere = import.clone();
    nowhere.labels.clear();
    nowhere.fixes.clear();
    nowhere.severity = crate::diagnostic::Severity::Note;
    nowhere.title = "nothing was\nchecked: 100 %".into();
    Case { sources, findings: vec![divides, unknown, import, nowhere] }
}

/// One finding with one label, in a file of its own.
fn single(text: &str, start: u32, end: u32) -> Case {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new("a.mesa", text, Origin::User));
    let place = Place { file, span: Span::new(start, end) };
    Case { sources, findings: vec![Diagnostic::new(codes::UNEXPECTED, "title", place, "here")] }
}

#[test]
fn text() {
    insta::assert_snapshot!(typical().show(Format::Text));
}
#[test]
fn text_in_colour() {
    let case = typical();
    let options = Options { color: true, width: 60 };
    let text = render(Format::Text, &case.sources, &case.findings[..2], &options);
    insta::assert_snapshot!(text.replace('\x1b', "␛"));
}
#[test]
fn short() {
    insta::assert_snapshot!(typical().show(Format::Short));
}
#[test]
fn json() {
    insta::assert_snapshot!(typical().show(Format::Json));
}
#[test]
fn github() {
    insta::assert_snapshot!(typical().show(Format::Github));
}
#[test]
fn sarif() {
    let text = typical().show(Format::Sarif);
    let mut log: serde_json::Value = serde_json::from_str(&text).unwrap();
    for rule in log["runs"][0]["tool"]["driver"]["rules"].as_array_mut().unwrap() {
        assert!(rule["help"]["markdown"].as_str().unwrap().starts_with("# "));
        rule["help"] = "the page".into();
    }
    insta::assert_snapshot!(format!("{log:#}"));
}
#[test]
fn narrated() {
    let case = typical();
    insta::assert_snapshot!(crate::diagnostic::miette::narrate(&case.sources, &case.findings));
}
#[test]
fn miette_graphical() {
    use crate::diagnostic::miette::{Finding, Style, report};
    let case = typical();
    let style = Style { color: false, width: 80, narrate: false };
    let finding = Finding::new(&case.findings[0], &case.sources);
    insta::assert_snapshot!(report(&finding, style));
}

#[test]
fn awkward_texts() {
    let long = format!("const x = {}!{}\nconst y = 2\n", "a + ".repeat(500), " + é".repeat(500));
    let many = format!("plan P {{\n{}", "  mesh tp\n".repeat(40));
    let cases = [
        ("tabs", "\tmesh\ttp\n\tshard\theads\n", 6, 8),
        ("multi-byte", "const größe = 3 µs + \"日本語\" * é\n", 23, 36),
        ("crlf", "plan P {\r\n  mesh tq\r\n}\r\n", 17, 19),
        ("the break of a crlf line", "plan P {\r\n  mesh tq\r\n}\r\n", 20, 21),
        ("over a crlf line", "plan P {\r\n  mesh tq\r\n}\r\n", 10, 21),
        ("end of file after a newline", "plan P {\n", 9, 9),
        ("end of file without a newline", "plan P {", 8, 8),
        ("beyond the end", "plan P {\n  mesh tp\n", 500, 600),
        ("backwards", "plan P {\n", 5, 2),
        ("inside a character", "é = 日\n", 1, 6),
        ("empty file", "", 0, 0),
        ("only newlines", "\n\n\n", 1, 2),
        ("control characters", "const \x1b[31mx\x07 = \u{202e}3\u{feff} @\n", 22, 23),
        ("several lines", "plan P {\n  mesh tp\n  shard x over tp\n", 5, 37),
        ("very many lines", &many, 7, many.len() as u32),
        ("a very long line", &long, 2010, 2011),
        ("a label over very long lines", &long, 0, long.len() as u32),
    ];
    let mut out = String::new();
    for (name, text, start, end) in cases {
        let case = single(text, start, end);
        out += &format!("---- {name}\n{}{}", case.show(Format::Short), case.show(Format::Text));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn fixes_are_shown_as_the_lines_they_change() {
    let text = "plan P {\n\tmesh: tp\n  shard heads\n}\n";
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new("a.mesa", text, Origin::User));
    let at = |start, end| Place { file, span: Span::new(start, end) };
    let edit = |start, end, text: &str| Edit { place: at(start, end), text: text.into() };
    let finding = |edits| {
        let mut d = Diagnostic::new(codes::UNEXPECTED, "title", at(10, 14), "here");
        d = d.fix("mend it", at(0, 0), "", Safety::Safe);
        d.fixes[0].edits = edits;
        d
    };
    let findings = [
        finding(vec![edit(14, 16, " ")]),
        finding(vec![edit(31, 31, " over tp"), edit(14, 15, "")]),
        finding(vec![edit(9, 19, "")]),
        finding(vec![edit(33, 33, "}\n")]),
        finding(vec![edit(8, 8, "\n  one\n  two")]),
        finding(vec![edit(0, 0, &"x\n".repeat(20))]),
    ];
    insta::assert_snapshot!(render(Format::Text, &sources, &findings, &Options::default()));
}

#[test]
fn no_finding_renders_as_nothing() {
    let sources = Sources::default();
    for format in [Format::Text, Format::Short, Format::Github] {
        assert_eq!(render(format, &sources, &[], &Options::default()), "");
    }
    let json = render(Format::Json, &sources, &[], &Options::default());
    assert_eq!(json, "{\n  \"version\": 1,\n  \"diagnostics\": []\n}\n");
}

proptest::proptest! {
    #[test]
    fn no_text_and_no_span_stops_a_renderer(
        text in "[a-z é日\t\r\n\\x00\u{202e}{}]{0,60}",
        spans in proptest::collection::vec((0u32..80, 0u32..80), 1..4),
        color: bool,
    ) {
        let mut case = single(&text, 0, 0);
        let file = FileId(0);
        let other = case.sources.add(SourceFile::new("b.mesa", &text, Origin::Std));
        for (index, (start, end)) in spans.into_iter().enumerate() {
            let file = if index % 2 == 0 { file } else { other };
            let place = Place { file, span: Span::new(start, end) };
            let finding = case.findings.pop().unwrap();
            case.findings.push(finding.and(place, "x").fix("y", place, "z\nz", Safety::Safe));
        }
        for format in
            [Format::Text, Format::Short, Format::Json, Format::Sarif, Format::Github]
        {
            let options = Options { color, width: 40 };
            let text = render(format, &case.sources, &case.findings, &options);
            proptest::prop_assert!(text.contains("E0101"));
            let hidden = text.contains(['\x00', '\u{202e}']);
            proptest::prop_assert!(!hidden, "nothing hidden is printed");
        }
        let narrated = crate::diagnostic::miette::narrate(&case.sources, &case.findings);
        proptest::prop_assert!(narrated.contains("E0101"));
    }
}
