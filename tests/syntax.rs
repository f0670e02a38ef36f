//! The syntax as a whole: what parses, what is said about what does not, and the layout.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::path::Path;

use mesa::check::library;
use mesa::diagnostic::{Diagnostic, sort};
use mesa::source::{FileId, Origin, Place, SourceFile};
use mesa::syntax::format::format;
use mesa::syntax::packed::{self, Names};
use mesa::syntax::parse::{decode, parse_file, parse_piece, split};

const FILE: FileId = FileId(0);

fn read(path: &Path) -> String {
    decode(&std::fs::read(path).unwrap()).unwrap()
}

fn corpus(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syntax").join(folder);
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "mesa"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Every finding below its line, with a mark under the place.
fn annotated(text: &str) -> String {
    let mut found = parse_file(text, FILE).diagnostics;
    sort(&mut found);
    let source = SourceFile::new("file", text, Origin::User);
    let mut out = String::new();
    for (index, line) in text.split('\n').enumerate() {
        let _ = writeln!(out, "{}", line.trim_end());
        for diagnostic in &found {
            let at = source.line_column(diagnostic.place().unwrap().span.start);
            if at.line as usize == index + 1 {
                explain(&mut out, &source, diagnostic, at.column as usize - 1);
            }
        }
    }
    out
}

fn explain(out: &mut String, source: &SourceFile, diagnostic: &Diagnostic, column: usize) {
    let place = diagnostic.place().unwrap();
    let marks = source.slice(place.span).lines().next().unwrap_or("").chars().count().max(1);
    let label = &diagnostic.labels[0].text;
    let _ = writeln!(out, "{:column$}{} {label}", "", "^".repeat(marks));
    let _ = writeln!(out, "    | {} {}", diagnostic.code.id(), diagnostic.title);
    for label in diagnostic.labels.iter().skip(1) {
        let line = source.line_column(label.place.span.start).line;
        let _ = writeln!(out, "    | line {line}: {}", label.text);
    }
    for note in &diagnostic.notes {
        let _ = writeln!(out, "    | note: {note}");
    }
    for fix in &diagnostic.fixes {
        let text = &fix.edits[0].text;
        let _ = writeln!(out, "    | {:?} fix: {} ({text:?})", fix.safety, fix.title);
    }
}

/// The tree without its spans.
fn tree(text: &str) -> String {
    let items: Vec<_> = parse_file(text, FILE).items.into_iter().map(|(_, item)| item).collect();
    let shown = format!("{items:?}");
    let mut parts = shown.split("Span {");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str(part.split_once('}').unwrap().1);
    }
    out
}

#[test]
fn what_is_right_parses_without_findings() {
    for text in corpus("good") {
        assert_eq!(parse_file(&text, FILE).diagnostics, []);
    }
}

#[test]
fn trees_of_small_items() {
    for (name, text) in [
        ("precedence", "const a = 1 + 2 * -b ^ 2 / 3 - not c or d and e < f | g"),
        ("postfix", "const a = f(x, over: y, z:).g with { b = 1 } on h"),
        ("literals", "const a = [1_000, 3.35 TB/s, 10%, 2 m^2/s, \"a {b} {{c}}\\n\", none, true]"),
        ("item", "/// Doc.\nop f(a: Tensor[..A], n: Count? = none) -> Bytes / Time { x[a] = 1 }"),
        ("import", "use \"./x.mesa\".sub.{A, B as C}"),
    ] {
        insta::assert_snapshot!(format!("tree_{name}"), format!("{text}\n\n{}", tree(text)));
    }
}

#[test]
fn findings_are_stated_below_their_lines() {
    insta::glob!("syntax/bad/*.mesa", |path| {
        insta::assert_snapshot!(annotated(&read(path)));
    });
}

#[test]
fn the_layout_of_the_corpus() {
    insta::glob!("syntax/good/*.mesa", |path| {
        insta::assert_snapshot!(format(&read(path), FILE).unwrap());
    });
}

#[test]
fn safe_fixes_leave_nothing_to_fix() {
    let text = corpus("bad").concat();
    let mut edits: Vec<(Place, String)> = Vec::new();
    for diagnostic in parse_file(&text, FILE).diagnostics {
        let safe =
            diagnostic.fixes.into_iter().find(|f| f.safety == mesa::diagnostic::Safety::Safe);
        edits.extend(safe.into_iter().flat_map(|f| f.edits).map(|e| (e.place, e.text)));
    }
    edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.span.start));
    let mut mended = text;
    for (place, write) in edits {
        mended.replace_range(place.span.start as usize..place.span.end as usize, &write);
    }
    let left = parse_file(&mended, FILE).diagnostics;
    let safe = |d: &Diagnostic| d.fixes.iter().any(|f| f.safety == mesa::diagnostic::Safety::Safe);
    assert_eq!(left.iter().filter(|d| safe(d)).count(), 0, "{left:#?}");
}

#[test]
fn a_layout_is_stable_and_keeps_the_tree() {
    for text in corpus("good") {
        stable(&text);
        stable(&text.replace(" = ", "=").replace(", ", ","));
        stable(&text.replace("\n  ", "\n      "));
        stable(&text.replace('\n', "\n\n"));
        stable(&text.replace(" {", "  {").replace("  ", "\t"));
    }
}

fn stable(text: &str) {
    let once = format(text, FILE).unwrap_or_else(|found| panic!("{text}\n{found:#?}"));
    let twice = format(&once, FILE).unwrap_or_else(|found| panic!("{once}\n{found:#?}"));
    assert_eq!(once, twice);
    assert_eq!(tree(text), tree(&once), "{text}\n{once}");
}

#[test]
fn a_minus_between_values_keeps_its_blanks_whatever_word_stands_before_it() {
    let text = "fn left(output: Count, of: Count) -> Number = (output - 1) * (of - 1) - 1\n\n\
                assume shift: Number = -1 in -2 .. -1\n";
    assert_eq!(format(text, FileId(0)).unwrap(), text);
}

#[test]
fn a_layout_keeps_the_line_ends_of_a_file() {
    let text = "const  a=1\r\nconst bc = 2\n";
    assert_eq!(format(text, FILE).unwrap(), "const a  = 1\r\nconst bc = 2\r\n");
    stable(text);
}

#[test]
fn what_has_errors_is_not_laid_out() {
    assert!(format("chip X {", FILE).is_err());
}

#[test]
fn spans_count_from_the_piece_and_findings_from_the_file() {
    let text = "axis a\n\nconst b = c\nconst d = = 3\n";
    let pieces = split(text);
    let piece = pieces[1];
    let item = parse_piece(piece.text(text), FILE, piece.start).items.remove(0);
    let name = item.name.span;
    assert_eq!(&piece.text(text)[name.start as usize..name.end as usize], "b");
    let found = parse_file(text, FILE).diagnostics;
    let span = found[0].place().unwrap().span;
    assert_eq!((found.len(), &text[span.start as usize..span.end as usize]), (1, "="));
}

#[test]
fn bytes_that_are_no_text_are_refused_and_a_mark_is_dropped() {
    assert_eq!(decode(b"\xef\xbb\xbfaxis a"), Ok("axis a".to_owned()));
    assert_eq!(decode(b"ab\xff"), Err(2));
}

#[test]
fn time_grows_with_length_even_where_everything_is_wrong() {
    for line in [
        "chip X {\nx = 1\n}\n",
        "  x = (\n",
        "}\n",
        "a {\n",
        "chip X {\n",
        "  x { \n",
        "\"\n",
        "x = 1, ",
        "chip X { f( } ",
        "  if a { b = 1 } else junk\n",
        "x = [(",
        "// c\n",
        "  x = 1 +\n",
        "use a.{",
    ] {
        let time = |n: usize| {
            let text = format!("scenario s {{\n{}", line.repeat(n));
            let start = std::time::Instant::now();
            let _ = parse_file(&text, FILE);
            start.elapsed().as_secs_f64()
        };
        let (small, large) = (time(500), time(4_000));
        assert!(large < small * 8.0 * 4.0 + 0.05, "{line:?}: {small} s, then {large} s");
    }
}

/// A small generator (xorshift), so that every run sees the same mutations.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    /// One edit of `text` at a random place.
    fn edit(&mut self, text: &str) -> String {
        const BITS: [&str; 24] = [
            "{", "}", "(", ")", "[", "]", "=", ":", ",", "\"", "\n", " ", ".", "..", "->", "3",
            "x", "if ", "with ", "//", "-", "%", "é", "\r\n",
        ];
        let chars: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
        let from = self.below(chars.len());
        let to = (from + self.below(6)).min(chars.len() - 1);
        let (head, tail) = (&text[..chars[from]], &text[chars[to]..]);
        match self.below(3) {
            0 => format!("{head}{tail}"),
            1 => format!("{head}{}{}", BITS[self.below(BITS.len())], &text[chars[from]..]),
            _ => format!("{head}{}{tail}", BITS[self.below(BITS.len())]),
        }
    }

    /// The first part of `text`.
    fn cut(&mut self, text: &str) -> String {
        let at = self.below(text.len() + 1);
        text[..SourceFile::new("", text, Origin::User).clamp(at as u32) as usize].to_owned()
    }
}

/// Each piece of the corpus alone, so that one mutation costs little time.
fn samples() -> Vec<String> {
    let texts: Vec<String> = corpus("good").into_iter().chain(corpus("bad")).collect();
    let cut = |text: &String| -> Vec<String> {
        split(text).iter().map(|piece| piece.text(text).to_owned()).collect()
    };
    texts.iter().flat_map(cut).collect()
}

#[test]
fn no_edit_makes_the_parser_panic_and_formatted_text_stays_stable() {
    let samples = samples();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let mut text = samples[dice.below(samples.len())].clone();
        if dice.below(4) == 0 {
            text = dice.cut(&text);
        }
        for _ in 0..=dice.below(3) {
            text = dice.edit(&text);
        }
        let parsed = parse_file(&text, FILE);
        let pieces: String = parsed.pieces.iter().map(|piece| piece.text(&text)).collect();
        assert_eq!(pieces, text);
        for diagnostic in &parsed.diagnostics {
            for label in &diagnostic.labels {
                let span = label.place.span;
                assert!(text.get(span.start as usize..span.end as usize).is_some(), "{text}");
            }
        }
        if parsed.diagnostics.is_empty() {
            stable(&text);
        }
    }
}

#[test]
fn one_edit_costs_at_most_one_finding_in_most_cases() {
    let files = corpus("good");
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let rounds = 2_000;
    let few = (0..rounds)
        .filter(|_| {
            let file = dice.below(files.len());
            let text = dice.edit(&files[file]);
            parse_file(&text, FILE).diagnostics.len() <= 1
        })
        .count();
    assert!(few * 100 >= rounds * 88, "only {few} of {rounds}");
}

#[test]
fn the_library_is_packed_whole_and_reads_as_it_would_be_parsed() {
    let names = Names::new(library::NAMES);
    for (file, (path, text)) in library::FILES.iter().enumerate() {
        let pieces = packed::library::pieces(library::PACKED, file, &names).unwrap();
        let cut: Vec<_> = pieces.iter().map(|(piece, _)| *piece).collect();
        assert_eq!(cut, split(text), "{path}");
        for (piece, tree) in pieces {
            let items = packed::library::items(library::PACKED, &tree, &names);
            let parsed = parse_piece(piece.text(text), FILE, piece.start);
            assert_eq!(format!("{items:?}"), format!("{:?}", Some(parsed.items)), "{path}");
        }
    }
}

#[test]
fn bytes_that_are_no_tree_are_refused() {
    let names = Names::new(library::NAMES);
    let (_, tree) = packed::library::pieces(library::PACKED, 0, &names).unwrap().swap_remove(0);
    assert!(packed::library::items(library::PACKED, &tree, &names).is_some());
    for end in tree.start..tree.end {
        assert!(packed::library::items(library::PACKED, &(tree.start..end), &names).is_none());
    }
    assert!(packed::library::pieces(&[], 0, &names).is_none());
}
