//! The `mesa-lsp` binary.

fn main() {}
