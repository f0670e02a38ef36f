//! What a user copies first: every file in `examples/` is sound and tidy.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::fs;
use std::path::{Path, PathBuf};

use mesa::check::Loader;
use mesa::diagnostic::Severity;
use mesa::source::{FileId, Origin, SourceFile, Sources};
use mesa::{Diagnostic, Program};

/// Reads what an example imports, relative to it.
struct Files;

impl Loader for Files {
    fn load(&self, from: &str, path: &str) -> Result<(String, String), String> {
        let file = Path::new(from).parent().unwrap().join(path);
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok((file.to_str().unwrap().to_owned(), text))
    }
}

fn examples(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(examples(&path));
        } else if path.extension().is_some_and(|e| e == "mesa") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn each(mut complain: impl FnMut(&Path, &str) -> Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = examples(&root);
    assert!(!files.is_empty(), "there are examples");
    let complaints: Vec<String> =
        files.iter().flat_map(|f| complain(f, &fs::read_to_string(f).unwrap())).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn findings(path: &Path, text: &str) -> Vec<Diagnostic> {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new(path.to_str().unwrap(), text, Origin::User));
    mesa::check(&Program::load(sources, &[file], &Files))
}

/// A warning is fine where the file announces it in a comment: `// warns W0501`.
#[test]
fn examples_have_no_findings_but_announced_warnings() {
    each(|path, text| {
        let found = findings(path, text);
        let expected = |code: &str| text.lines().any(|l| l.trim() == format!("// warns {code}"));
        found
            .iter()
            .filter(|d| d.severity == Severity::Error || !expected(d.code.id()))
            .map(|d| format!("{}: {}: {}", path.display(), d.code.id(), d.title))
            .collect()
    });
}

#[test]
fn examples_announce_no_warning_in_vain() {
    each(|path, text| {
        let found: Vec<&str> = findings(path, text).iter().map(|d| d.code.id()).collect();
        let announced = text.lines().filter_map(|l| l.trim().strip_prefix("// warns "));
        announced
            .filter(|code| !found.contains(code))
            .map(|code| format!("{}: announces {code} in vain", path.display()))
            .collect()
    });
}

#[test]
fn examples_are_formatted() {
    each(|path, text| match mesa::syntax::format::format(text, FileId(0)) {
        Ok(formatted) if formatted == text => Vec::new(),
        _ => vec![format!("{}: `mesa fmt` would change it", path.display())],
    });
}
