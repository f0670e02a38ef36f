//! Compiles the generated parser and the scanner beside it.

fn main() {
    println!("cargo::rerun-if-changed=src");
    cc::Build::new()
        .include("src")
        .std("c11")
        .flag_if_supported("-Wno-unused")
        .files(["src/parser.c", "src/scanner.c"])
        .compile("tree-sitter-mesa");
}
