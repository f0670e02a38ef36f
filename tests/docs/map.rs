//! The maps of the repository show it as it is.

use std::fs;
use std::path::Path;

use crate::bless::{read, root};

#[test]
fn the_architecture_names_every_folder_and_no_other() {
    let text = read("ARCHITECTURE.md");
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            assert!(text.contains(&format!("`src/{name}/`")), "src/{name}/ is not described");
        }
    }
    let quoted = text.split('`').skip(1).step_by(2);
    let paths = quoted.filter(|q| q.contains('/') && !q.contains(' '));
    let missing: Vec<&str> = paths.filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "{missing:?} do not exist");
}

/// Calls `with` for each file of Rust below a folder.
fn each_rust_file(folder: &Path, with: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            each_rust_file(&path, with);
        } else if path.extension().is_some_and(|e| e == "rs") {
            with(&path);
        }
    }
}

#[test]
fn every_file_of_rust_says_what_it_is_for_and_is_short() {
    let mut files = 0;
    for folder in ["src", "lsp", "tests", "benches", "python", "grammar"] {
        each_rust_file(&root().join(folder), &mut |path| {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.starts_with("//! "), "{} does not say what it is for", path.display());
            let lines = text.lines().count();
            assert!(lines <= 500, "{} has {lines} lines", path.display());
            files += 1;
        });
    }
    assert!(files > 300, "{files} files");
}

#[test]
fn the_test_command_of_the_readme_is_what_runs_before_a_merge() {
    let command = "cargo test --workspace";
    assert!(read("README.md").contains(&format!("$ {command}\n")));
    assert!(read(".ci/run").contains(&format!("step {command}\n")));
}

#[test]
fn documents_link_to_files_that_exist() {
    for (document, folder) in [
        ("README.md", ""),
        ("CONTRIBUTING.md", ""),
        ("ARCHITECTURE.md", ""),
        ("CHANGELOG.md", ""),
        ("docs/language.md", "docs"),
    ] {
        let text = read(document);
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap();
            if target.is_empty() || target.starts_with("http") {
                continue;
            }
            let path = root().join(folder).join(target);
            assert!(path.exists(), "{document} links to {target}");
        }
    }
}

#[test]
fn links_inside_of_the_guide_lead_to_its_headings() {
    let text = read("docs/language.md");
    let anchors: Vec<String> = text
        .lines()
        .filter(|l| l.starts_with('#'))
        .map(|l| crate::reference::anchor(l.trim_start_matches('#').trim()))
        .collect();
    for part in text.split("](#").skip(1) {
        let target = part.split(')').next().unwrap();
        assert!(anchors.iter().any(|a| a == target), "there is no heading #{target}");
    }
}
