//! Texts that are checked in and can be made again.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.replace("\r\n", "\n")
}

/// Whether differences are to be written instead of reported.
pub(crate) fn blessing() -> bool {
    std::env::var_os("MESA_BLESS").is_some_and(|v| v == "1")
}

/// Fails unless the file holds this text; writes it when blessing.
pub(crate) fn current(path: &str, text: &str) {
    let file: PathBuf = root().join(path);
    let have = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    if have == text {
        return;
    }
    if blessing() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        return;
    }
    let different = have.lines().zip(text.lines()).position(|(a, b)| a != b);
    let line = different.unwrap_or(have.lines().count().min(text.lines().count()));
    panic!(
        "{path} is not current, first at line {}:\n  have: {}\n  want: {}\n\
         run `MESA_BLESS=1 cargo test --test docs` and read what changed",
        line + 1,
        have.lines().nth(line).unwrap_or("(end of file)"),
        text.lines().nth(line).unwrap_or("(end of file)"),
    );
}
