//! The files that a command is given.
//!
//! In: paths (directories are walked for `*.mesa` in sorted order, `-` is standard input). Out:
//! [`Loaded`] sources. A file that cannot be opened stops the command; one that is no text, or far
//! too large, is a finding about that file.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::check::{Loader, Program};
use crate::diagnostic::miette::Outer;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{FileId, Origin, Place, SourceFile, Sources, Span};
use crate::syntax::parse::decode;

/// The largest file that is read: 64 MB.
const LARGEST: u64 = 64_000_000;

/// What standard input is called in findings.
pub(super) const STDIN: &str = "<stdin>";

/// A file that was read.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its text in the sources.
    pub id: FileId,
    /// Where it lies; `None` for standard input.
    pub path: Option<PathBuf>,
}

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Loaded {
    /// The texts.
    pub sources: Sources,
    /// The files, in the order given.
    pub files: Vec<Entry>,
    /// How many files were read, specs or not.
    pub count: usize,
    /// Files that are no specs: not text, or too large.
    pub findings: Vec<Diagnostic>,
}

/// Reads all files that `args` mean.
pub(super) fn load(args: &[PathBuf]) -> Result<Loaded, Outer> {
    let mut loaded = Loaded::default();
    for path in paths(args)? {
        loaded.read(path)?;
    }
    Ok(loaded)
}

/// Reads files imported by others, relative to them.
struct Disk;

impl Loader for Disk {
    fn load(&self, from: &str, path: &str) -> Result<(String, String), String> {
        if from == STDIN {
            return Err("standard input has no folder to import from".to_owned());
        }
        let folder = Path::new(from).parent().unwrap_or(Path::new(""));
        let path = folder.join(path);
        // `a/./b` and `a/x/../b` are the same module as `a/b`.
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir
                    if matches!(clean.components().next_back(), Some(Component::Normal(_))) =>
                {
                    clean.pop();
                }
                other => clean.push(other),
            }
        }
        let file = fs::File::open(&clean).and_then(read_bounded).map_err(|e| e.to_string())?;
        let text = decode(&file).map_err(|_| "it is not UTF-8 text".to_owned())?;
        Ok((shown(&clean), text))
    }
}

impl Loaded {
    /// The program of all files, with what they import.
    pub fn program(&self) -> Program {
        let roots: Vec<FileId> = self.files.iter().map(|f| f.id).collect();
        Program::load(self.sources.clone(), &roots, &Disk)
    }

    fn read(&mut self, path: Option<PathBuf>) -> Result<(), Outer> {
        let name = path.as_deref().map_or_else(|| STDIN.to_owned(), shown);
        let bytes = match &path {
            Some(path) => fs::File::open(path).and_then(read_bounded),
            None => read_bounded(io::stdin().lock()),
        };
        let bytes = bytes.map_err(|error| cannot_read(&name, error))?;
        self.count += 1;
        let mut add = |text: &str| self.sources.add(SourceFile::new(&name, text, Origin::User));
        if bytes.len() as u64 > LARGEST {
            let id = add("");
            self.findings.push(too_large(id, &name));
            return Ok(());
        }
        match decode(&bytes) {
            Ok(text) => {
                let id = add(&text);
                self.files.push(Entry { id, path });
            }
            Err(at) => {
                let id = add("");
                self.findings.push(not_text(id, &name, &bytes, at));
            }
        }
        Ok(())
    }
}

/// The files that `args` mean, each once; `None` is standard input.
fn paths(args: &[PathBuf]) -> Result<Vec<Option<PathBuf>>, Outer> {
    let mut paths = indexmap::IndexSet::new();
    for arg in args {
        if arg.as_os_str() == "-" {
            paths.insert(None);
        } else if arg.is_dir() {
            let before = paths.len();
            let mut found = Vec::new();
            walk(arg, &mut found)?;
            let none = found.is_empty();
            paths.extend(found.into_iter().map(Some));
            if none && paths.len() == before {
                let title = format!("there is no `.mesa` file in `{}`", shown(arg));
                return Err(Outer::new(title).help("`mesa new DIR` writes a starter spec"));
            }
        } else {
            paths.insert(Some(arg.clone()));
        }
    }
    Ok(paths.into_iter().collect())
}

/// Adds the `*.mesa` files below `dir`, sorted; hidden directories and links to directories are
/// passed over.
fn walk(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), Outer> {
    let list = || -> io::Result<Vec<fs::DirEntry>> { fs::read_dir(dir)?.collect() };
    let mut entries = list().map_err(|error| cannot_read(&shown(dir), error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_dir = entry.file_type().is_ok_and(|t| t.is_dir());
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if is_dir && !is_hidden {
            walk(&path, found)?;
        } else if !is_hidden && path.extension().is_some_and(|e| e == "mesa") && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// At most one byte more than is allowed, so that an endless file ends.
fn read_bounded(file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The path as a person typed it.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn cannot_read(name: &str, error: io::Error) -> Outer {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "look at the spelling; paths count from the current directory",
        io::ErrorKind::PermissionDenied => "look at the permissions of the file",
        _ => "`mesa help E0004` says more",
    };
    Outer::new(format!("`{name}` cannot be read")).code(codes::CANNOT_READ).help(help).cause(error)
}

fn too_large(id: FileId, name: &str) -> Diagnostic {
    let place = Place { file: id, span: Span::default() };
    Diagnostic::new(
        codes::TOO_LARGE,
        format!("`{name}` is larger than Mesa reads"),
        place,
        "more than 64 MB",
    )
}

fn not_text(id: FileId, name: &str, bytes: &[u8], at: usize) -> Diagnostic {
    let place = Place { file: id, span: Span::default() };
    let before = bytes.get(..at).unwrap_or_default();
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let byte = bytes.get(at).copied().unwrap_or_default();
    let label = format!("byte {at}, in line {line}, is 0x{byte:02X}, which is no UTF-8 here");
    Diagnostic::new(codes::NOT_TEXT, format!("`{name}` is not UTF-8 text"), place, label)
}
