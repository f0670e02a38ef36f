//! Embeds the library: the text of every file of `stdlib/`, and their syntax trees as bytes.
//!
//! The parser is that of Mesa itself, so that what is read at run time is what would be parsed.

#![allow(dead_code, unused_imports)] // the modules below hold more than is needed here

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/diagnostic"]
mod diagnostic {
    pub mod codes;
    pub mod finding;
    pub use codes::Code;
    pub use finding::{Diagnostic, MOST_FINDINGS, Safety, Severity};
}
#[path = "src/name.rs"]
mod name;
#[path = "src/source/mod.rs"]
mod source;
#[path = "src/syntax/mod.rs"]
mod syntax;

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=stdlib");
    for path in ["build.rs", "grammar", "src/name.rs", "src/source", "src/syntax"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("stdlib");
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    files.sort();
    let mut list = String::new();
    let mut texts = Vec::new();
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let name = name.trim_end_matches(".mesa");
        let _ = writeln!(list, "({name:?}, include_str!({:?})),", file.display().to_string());
        texts.push(fs::read_to_string(&file)?);
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (bytes, names) = syntax::packed::library::pack(&texts);
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("library.rs"), format!("[\n{list}]\n"))?;
    fs::write(out.join("names.rs"), format!("{names:?}\n"))?;
    fs::write(out.join("library.bin"), bytes)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            println!("cargo:rerun-if-changed={}", path.display());
            walk(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "mesa") {
            files.push(path);
        }
    }
    Ok(())
}
