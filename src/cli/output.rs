//! Writing files: whole or not at all.
//!
//! In: a path and a text. Out: the file with that text, or an error and the file as it was.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::input::shown;
use crate::diagnostic::miette::Outer;

/// Replaces the content of the file at `path`. The text goes to a temporary file beside it, which
/// then takes its place with its permissions; links stay links.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Outer> {
    try_replace(path, text)
        .map_err(|error| Outer::new(format!("`{}` cannot be written", shown(path))).cause(error))
}

fn try_replace(path: &Path, text: &str) -> io::Result<()> {
    let target = fs::canonicalize(path)?;
    let permissions = fs::metadata(&target)?.permissions();
    if permissions.readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
    }
    let (temporary, file) = create_beside(&target)?;
    let written = fill(file, text, permissions).and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        // the first error is the one worth telling
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file in the same directory, so that renaming it stays on one disk.
fn create_beside(target: &Path) -> io::Result<(PathBuf, File)> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    let mut last = io::Error::other("no free name for a temporary file");
    for attempt in 0..64 {
        let temporary = target.with_file_name(format!(".{name}.{process}.{attempt}.tmp"));
        match File::create_new(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn fill(mut file: File, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions)?;
    file.sync_all()
}
