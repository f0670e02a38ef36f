//! What the checker says, file by file: `tests/check/*.mesa` with everything that is found in them.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

#[path = "common/library.rs"]
mod library;

use std::path::{Path, PathBuf};

use library::without_lines_of_the_library;
use mesa::check::{Loader, Program};
use mesa::diagnostic::render::{Format, Options, render};
use mesa::diagnostic::{Diagnostic, Severity};
use mesa::source::{FileId, Origin, SourceFile, Sources};
use mesa::syntax::format::format;

/// Files beside the one that imports them.
struct Beside(PathBuf);

impl Loader for Beside {
    fn load(&self, _: &str, path: &str) -> Result<(String, String), String> {
        let name = path.trim_start_matches("./");
        let text = std::fs::read_to_string(self.0.join(name));
        Ok((name.to_owned(), text.map_err(|_| "there is no such file".to_owned())?))
    }
}

fn check(name: &str, text: &str) -> (Program, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let root = sources.add(SourceFile::new(name, text, Origin::User));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/parts");
    let program = Program::load(sources, &[root], &Beside(folder));
    let found = mesa::check(&program);
    (program, found)
}

#[test]
fn mistakes_of_every_kind() {
    insta::glob!("check/*.mesa", |path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let (program, found) = check(name, &text);
        let shown = render(Format::Text, &program.sources, &found, &Options::default());
        let shown = without_lines_of_the_library(&shown);
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => true }, {
            insta::assert_snapshot!(format!("SOURCE\n{text}\nFOUND {}\n{shown}", found.len()));
        });
    });
}

#[test]
fn twelve_independent_mistakes_are_twelve_findings_in_source_order() {
    let text = include_str!("check/twelve.mesa");
    let (_, found) = check("twelve.mesa", text);
    assert_eq!(found.len(), 12, "{:#?}", found.iter().map(|d| &d.title).collect::<Vec<_>>());
    assert!(found.iter().all(|d| d.severity == Severity::Error));
    let lines = text.lines().enumerate().filter(|(_, l)| l.contains("// mistake"));
    let lines: Vec<usize> = lines.map(|(i, _)| i).collect();
    let line = |d: &Diagnostic| {
        let start = d.place().unwrap().span.start as usize;
        text[..start].matches('\n').count()
    };
    assert_eq!(found.iter().map(line).collect::<Vec<_>>(), lines);
}

#[test]
fn the_library_has_no_findings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
    let mut sources = Sources::default();
    let mut roots = Vec::new();
    for (path, text) in mesa::check::library::FILES {
        let name = folder.join(format!("{path}.mesa"));
        roots.push(sources.add(SourceFile::new(&name.to_string_lossy(), text, Origin::User)));
    }
    let program = Program::load(sources, &roots, &mesa::check::NoFiles);
    let found = mesa::check(&program);
    let shown = render(Format::Text, &program.sources, &found, &Options::default());
    assert!(found.is_empty(), "{shown}");
}

#[test]
fn the_library_and_the_examples_are_formatted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = mesa::check::library::FILES
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect::<Vec<_>>();
    for entry in std::fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "mesa") {
            files.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    for (name, text) in files {
        let formatted = format(&text, FileId(0));
        assert!(formatted.as_deref() == Ok(text.as_str()), "`mesa fmt` changes {name}");
    }
}

/// A line more in the library must not change snapshots of other things.
#[test]
fn no_snapshot_hangs_on_a_line_of_the_library() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for folder in ["snapshots", "report/snapshots"] {
        for entry in std::fs::read_dir(tests.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(without_lines_of_the_library(&text), text, "{}", path.display());
        }
    }
}
