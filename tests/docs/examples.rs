//! Every example of the documents is a file that a person can copy.
//!
//! A block fenced as `mesa` is a whole file, laid out as `mesa fmt` does, in which nothing is found.
//! `mesa error=E0301` must give exactly that code. `mesa file=chips.mesa` is a further file of the
//! block before it. `mesa fragment of stdlib/x.mesa` must stand in that file, line by
//! line, comments and alignment aside.

use mesa::Program;
use mesa::check::Loader;
use mesa::source::{FileId, Origin, SourceFile, Sources};

use crate::bless::read;
use crate::fences::{Fence, fences};

/// Further files of an example.
struct Beside(Vec<(String, String)>);

impl Loader for Beside {
    fn load(&self, _: &str, path: &str) -> Result<(String, String), String> {
        let name = path.trim_start_matches("./");
        let found = self.0.iter().find(|(n, _)| n == name);
        found.cloned().ok_or_else(|| format!("the example has no file `{name}`"))
    }
}

/// The codes found in a text, in order.
fn codes(text: &str, files: Vec<(String, String)>) -> Vec<String> {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new("main.mesa", text, Origin::User));
    let program = Program::load(sources, &[file], &Beside(files));
    let found = mesa::check(&program);
    found.iter().map(|d| format!("{}: {}", d.code.id(), d.title)).collect()
}

fn is_formatted(text: &str) -> bool {
    mesa::syntax::format::format(text, FileId(0)).is_ok_and(|formatted| formatted == text)
}

/// A text without comments and alignment.
fn plain(text: &str) -> String {
    let lines = text.lines().map(|l| l.split("//").next().unwrap_or_default());
    let words = lines.map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|l| !l.is_empty()).map(|l| l + "\n").collect()
}

/// What is wrong with the examples of a document.
fn complaints(path: &str) -> Vec<String> {
    let text = read(path);
    let blocks = fences(&text);
    let mut complaints = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        let mut complain = |what: String| complaints.push(format!("{path}:{}: {what}", block.line));
        let Some(kind) = block.info.strip_prefix("mesa").map(str::trim) else { continue };
        if let Some(of) = kind.strip_prefix("fragment of ") {
            if !plain(&read(of)).contains(&plain(&block.text)) {
                complain(format!("these lines do not stand in {of}"));
            }
            continue;
        }
        if kind.starts_with("file=") {
            continue;
        }
        let further = blocks[i + 1..].iter().map_while(|b| {
            let name = b.info.strip_prefix("mesa file=")?;
            Some((name.to_owned(), b.text.clone()))
        });
        let found = codes(&block.text, further.collect());
        match kind.strip_prefix("error=") {
            Some(code) if found.len() == 1 && found[0].starts_with(code) => {}
            Some(code) => complain(format!("wants only {code}, and has {found:#?}")),
            None if !kind.is_empty() => complain(format!("`{kind}` is no kind of example")),
            None if !found.is_empty() => complain(format!("has {found:#?}")),
            None if !is_formatted(&block.text) => complain("`mesa fmt` would change this".into()),
            None => {}
        }
    }
    complaints
}

fn hold(path: &str) {
    let complaints = complaints(path);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn examples_of_the_language_hold() {
    hold("docs/language.md");
}

#[test]
fn examples_of_the_readme_hold() {
    hold("README.md");
}

#[test]
fn examples_of_the_contributors_guide_hold() {
    hold("CONTRIBUTING.md");
}

#[test]
fn a_wrong_example_is_noticed() {
    assert_eq!(codes("const a = 1 s\n", Vec::new()), Vec::<String>::new());
    let found = codes("const a = 1 s + 1 B\n", Vec::new());
    assert!(found.len() == 1 && found[0].starts_with("E0301"), "{found:?}");
    let used = "use \"./b.mesa\".{B}\n\nconst a = B\n";
    assert_eq!(codes(used, vec![("b.mesa".into(), "const B = 1\n".into())]).len(), 0);
    let block = Fence { info: "mesa".into(), text: "const a = 1\n".into(), line: 2 };
    assert_eq!(fences("x\n```mesa\nconst a = 1\n```\n"), [block]);
}
