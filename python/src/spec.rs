//! A file and what it imports, read once.
//!
//! In: a path or a text. Out: programs of it, as many as are needed; the texts travel with the
//! object, so that another machine needs none of the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use mesa::Program;
use mesa::check::Loader;
use mesa::source::{Origin, SourceFile, Sources};

/// An import as it was answered, by the importing file and the path written there.
pub type Imports = BTreeMap<(String, String), (String, String)>;

/// A file with its imports.
pub struct Spec {
    /// What it is called in findings.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Whether imports may be looked up on disk.
    pub on_disk: bool,
    imports: Mutex<Imports>,
}

/// The path without `.` and `x/..`: the same module under the same name.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        let last = clean.components().next_back();
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(last, Some(Component::Normal(_))) => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

impl Loader for Spec {
    fn load(&self, from: &str, path: &str) -> Result<(String, String), String> {
        let key = (from.to_owned(), path.to_owned());
        let mut imports = self.imports.lock().map_err(|e| e.to_string())?;
        if let Some(known) = imports.get(&key) {
            return Ok(known.clone());
        }
        if !self.on_disk {
            return Err("a text has no folder to import from".to_owned());
        }
        let folder = Path::new(from).parent().unwrap_or(Path::new(""));
        let file = cleaned(&folder.join(path));
        let text = fs::read_to_string(&file).map_err(|e| e.to_string())?;
        let found = (file.display().to_string(), text);
        imports.insert(key, found.clone());
        Ok(found)
    }
}

impl Spec {
    /// A spec of a text; `imports` are those that are known already.
    pub fn new(name: String, text: String, on_disk: bool, imports: Imports) -> Self {
        Self { name, text, on_disk, imports: Mutex::new(imports) }
    }

    /// A program of it.
    pub fn program(&self) -> Program {
        let mut sources = Sources::default();
        let root = sources.add(SourceFile::new(&self.name, &self.text, Origin::User));
        Program::load(sources, &[root], self)
    }

    /// What was imported.
    pub fn imports(&self) -> Imports {
        self.imports.lock().map(|i| i.clone()).unwrap_or_default()
    }
}
