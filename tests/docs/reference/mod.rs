//! `docs/reference/`: made from the declarations and doc comments of the library, the pages of the
//! codes and the help of the commands.

mod hardware;
mod items;
mod library;
mod markdown;
mod program;

pub(crate) use markdown::anchor;

use std::collections::BTreeSet;
use std::fs;

use mesa::Program;

use crate::bless::{blessing, current, root};

/// The pages of the library: what each is made of, its title, and what it is about.
const PAGES: &[(&str, &str, &str)] = &[
    ("units", "Dimensions and units", "What follows a number. They need no `use`."),
    ("dtypes", "Number formats", "How numbers are stored. They need no `use`."),
    ("axes", "Axes", "The axes that every model knows. They need no `use`."),
    ("ops", "Ops", "What models are made of. They need no `use`."),
    ("cost", "The cost model", "Assumptions and formulas. Use them from `std.cost`."),
    ("metrics", "Metrics", "Results that follow from the phases of a workload."),
    ("layers", "Layers", "Blocks to build models of. Use them from `std.layers`."),
    ("models", "Models", "Use them from `std.models`."),
    ("chips", "Chips", "Use them from `std.chips`. Rates are dense and per device."),
    ("links", "Links", "Use them from `std.links`. Per direction and device."),
    ("systems", "Systems", "Use them from `std.systems`."),
    ("runtimes", "Runtimes", "Use them from `std.runtimes`."),
    ("plans", "Plans", "What `mesa plan` tries. Use them from `std.plans`."),
];

/// Every page by its path.
fn pages() -> Vec<(String, String)> {
    let program = Program::of_text("reference.mesa", "");
    let mut pages: Vec<(String, String)> = PAGES
        .iter()
        .map(|(name, title, about)| {
            let text = format!("# {title}\n\n{about}\n\n{}", library::page(&program, name));
            (name.to_string(), text)
        })
        .collect();
    pages.push(("diagnostics".into(), program::diagnostics()));
    pages.push(("cli".into(), program::commands()));
    pages.push(("README".into(), index()));
    for (name, text) in &mut pages {
        *text = format!("{}\n", text.trim_end());
        *name = format!("docs/reference/{name}.md");
    }
    pages
}

fn index() -> String {
    let mut out = String::from(
        "# Reference\n\nMade from the library and the program; `MESA_BLESS=1 cargo test --test \
         docs` makes it again.\nThe language itself is in [language.md](../language.md).\n\n",
    );
    let rows = PAGES.iter().map(|(name, title, about)| {
        vec![format!("[{title}]({name}.md)"), (*about).to_owned(), format!("`std.{name}`")]
    });
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.push(vec![
        "[Diagnostics](diagnostics.md)".into(),
        "Every code, with a wrong and a right example.".into(),
        String::new(),
    ]);
    rows.push(vec![
        "[Commands](cli.md)".into(),
        "What `mesa` can be asked to do.".into(),
        String::new(),
    ]);
    out += &markdown::table(&["Page", "About", "In the library"], rows);
    out
}

#[test]
fn the_reference_is_current() {
    for (path, text) in pages() {
        current(&path, &text);
    }
}

#[test]
fn the_reference_has_no_other_pages() {
    let wanted: BTreeSet<String> = pages().into_iter().map(|(path, _)| path).collect();
    for entry in fs::read_dir(root().join("docs/reference")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("docs/reference/{}", path.file_name().unwrap().to_str().unwrap());
        if !wanted.contains(&name) {
            assert!(blessing(), "{name} is not made by the generator");
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn every_file_of_the_library_is_on_a_page() {
    for (path, _) in mesa::check::library::FILES {
        let top = path.split('/').next().unwrap();
        assert!(PAGES.iter().any(|(name, ..)| *name == top), "std/{path}.mesa is on no page");
    }
}

#[test]
fn every_item_of_the_library_is_documented() {
    let program = Program::of_text("reference.mesa", "");
    for (path, _) in mesa::check::library::FILES {
        let module = program.std_module(path).unwrap();
        for item in program.items(module).filter(|i| i.item.import.is_none()) {
            assert!(item.item.docs.is_some(), "`{}` in std/{path}.mesa", item.item.name.name);
        }
    }
}

#[test]
fn links_inside_of_the_reference_lead_somewhere() {
    let pages = pages();
    let anchors = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter_map(|l| Some(l.strip_prefix('#')?.trim_start_matches('#')))
            .map(|title| markdown::anchor(title.trim()))
            .collect()
    };
    for (path, text) in &pages {
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file =
                if file.is_empty() { path.clone() } else { format!("docs/reference/{file}") };
            if let Some((_, text)) = pages.iter().find(|(p, _)| *p == file) {
                let found = anchor.is_empty() || anchors(text).contains(anchor);
                assert!(found, "{path}: {target} has no such heading");
            } else {
                assert!(root().join(&file).exists(), "{path}: {target} does not exist");
            }
        }
    }
}
