//! Every relative link in the documents leads to a file, and to a heading of it where it names one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

use std::path::{Path, PathBuf};

fn documents(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let passed = name.starts_with('.') || ["target", "node_modules"].contains(&&*name);
        if path.is_dir() && !passed {
            documents(&path, out);
        } else if name.ends_with(".md") {
            out.push(path);
        }
    }
}

/// Lines outside of fenced code, and of those what is not inline code.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        let parts = line.split('`').step_by(2).collect::<Vec<_>>();
        out += &(parts.join("``") + "\n");
    }
    out
}

/// The targets of `[text](target)`, `![text](target)` and `src="target"`.
fn targets(text: &str) -> Vec<String> {
    let text = prose(text);
    let mut out = Vec::new();
    for (open, close) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
        for part in text.split(open).skip(1) {
            out.extend(part.split_once(close).map(|(target, _)| target.trim().to_owned()));
        }
    }
    out.retain(|t| !t.contains("://") && !t.starts_with("mailto:") && !t.is_empty());
    out
}

/// The name that a page gives to a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    heading.to_lowercase().chars().filter(kept).collect::<String>().trim().replace(' ', "-")
}

fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut out = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) {
            out.push(anchor(heading.trim_start_matches('#')));
        }
    }
    out
}

#[test]
fn every_relative_link_of_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    documents(root, &mut all);
    let (mut count, mut broken) = (0, Vec::new());
    for document in &all {
        let text = std::fs::read_to_string(document).unwrap();
        for target in targets(&text) {
            count += 1;
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let file = match path {
                "" => document.clone(),
                _ => document.parent().unwrap().join(path),
            };
            let there = file.exists()
                && (heading.is_empty()
                    || file.extension().is_none_or(|e| e != "md")
                    || anchors(&std::fs::read_to_string(&file).unwrap())
                        .contains(&heading.to_owned()));
            if !there {
                broken
                    .push(format!("{}: {target}", document.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(count > 20, "only {count} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}
