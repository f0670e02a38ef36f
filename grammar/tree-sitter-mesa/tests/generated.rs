//! The checked-in parser is the one that `grammar.js` gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use tree_sitter_generate::{OptLevel, generate_parser_in_directory};

/// The newest table that Neovim 0.7 and everything since reads.
const ABI: usize = 14;

const GENERATED: [&str; 3] = ["grammar.json", "node-types.json", "parser.c"];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn generate(into: &Path) {
    std::fs::create_dir_all(into).unwrap();
    let mut warnings = Vec::new();
    let made = generate_parser_in_directory(
        here(),
        Some(into.to_owned()),
        None::<PathBuf>,
        ABI,
        None,
        None,
        true,
        OptLevel::default(),
        &mut warnings,
    );
    made.unwrap_or_else(|error| panic!("{error}"));
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{}", warnings.join("\n"));
}

/// `MESA_BLESS=1` writes what is checked in.
#[test]
fn the_parser_is_what_the_grammar_gives() {
    if Command::new("node").arg("--version").output().is_err() {
        eprintln!("skipped: the grammar is JavaScript, and there is no `node`");
        return;
    }
    if std::env::var_os("MESA_BLESS").is_some() {
        generate(&here().join("src"));
        return;
    }
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    generate(&fresh);
    for file in GENERATED {
        let made = std::fs::read_to_string(fresh.join(file)).unwrap();
        let kept = std::fs::read_to_string(here().join("src").join(file)).unwrap();
        assert!(made == kept, "src/{file} is not what grammar.js gives; MESA_BLESS=1 writes it");
    }
}
