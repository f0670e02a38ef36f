//! The files of an editor: open documents, files on disk that they import, and what was found out
//! about each.
//!
//! In: documents opened, edited and closed. Out: a [`Program`] for each, and its findings. A file
//! that is not open is read once and again when the editor says that it changed.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::document::Text;
use crate::check::{Checked, Cut, Kept, Loader, ModuleId, NoFiles, Prints, Program, check_again};
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, SourceFile, Sources};

/// The texts of open documents and of files that were read, by name.
#[derive(Default, Clone)]
pub struct Texts {
    open: FxHashMap<String, Text>,
    disk: RefCell<FxHashMap<String, Result<Text, String>>>,
}

impl Loader for Texts {
    fn load(&self, from: &str, path: &str) -> Result<(String, String), String> {
        self.open(from, path).map(|(file, _)| (file.name.to_string(), file.text.to_string()))
    }
    fn open(&self, from: &str, path: &str) -> Result<(SourceFile, Arc<Cut>), String> {
        let name = beside(from, path).ok_or("a document that is not saved has no folder")?;
        self.text(&name).map(|text| (text.file, text.cut))
    }
}

/// The name of the file that `path` means in the file `from`.
#[must_use]
pub fn beside(from: &str, path: &str) -> Option<String> {
    if Path::new(path).is_absolute() {
        return Some(path.to_owned());
    }
    let folder = Path::new(from).parent().filter(|_| Path::new(from).is_absolute())?;
    let mut clean = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    Some(clean.display().to_string())
}

impl Texts {
    /// A document as it is edited, else the file on disk.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn text(&self, name: &str) -> Result<Text, String> {
        if let Some(text) = self.open.get(name) {
            return Ok(text.clone());
        }
        let known = self.disk.borrow().get(name).cloned();
        known.unwrap_or_else(|| {
            let read = std::fs::read(name).map_err(|e| e.to_string()).and_then(|bytes| {
                let text = crate::syntax::parse::decode(&bytes);
                text.map_err(|_| "it is not UTF-8 text".to_owned())
            });
            let read = read.map(|text| Text::new(name, &text));
            self.disk.borrow_mut().insert(name.to_owned(), read.clone());
            read
        })
    }
    /// Puts a text in the place of whatever has its name.
    pub fn put(&mut self, text: Text) {
        self.open.insert(text.file.name.to_string(), text);
    }
    /// The program of a document with what it imports; of a library file, the library.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<(Program, ModuleId)> {
        if let Some(path) = library_path(name) {
            let program = Program::load(Sources::default(), &[], &NoFiles);
            let module = program.std_module(path)?;
            return Some((program, module));
        }
        let text = self.text(name).ok()?;
        let program = Program::of_root(text.file, text.cut, self);
        let module = *program.roots.first()?;
        Some((program, module))
    }
}

/// The path in the library of a name such as `std/ops.mesa`.
#[must_use]
pub fn library_path(name: &str) -> Option<&str> {
    name.strip_prefix("std/")?.strip_suffix(".mesa")
}

/// The program of a document, and which of its modules is the document.
pub struct Loaded {
    /// The program.
    pub program: Program,
    /// The module.
    pub module: ModuleId,
    prints: OnceLock<Arc<Prints>>,
    /// Those of an earlier version.
    earlier: Option<Arc<Prints>>,
}

impl Loaded {
    /// What its pieces depend on; found out when it is first asked for, by whatever thread.
    #[must_use]
    pub fn prints(&self) -> &Arc<Prints> {
        let earlier = self.earlier.as_deref();
        self.prints.get_or_init(|| Arc::new(Prints::again(&self.program, earlier)))
    }
}

/// The findings of a document.
pub enum Found {
    /// All of them.
    Whole(Arc<Vec<Diagnostic>>),
    /// Those that are certain already.
    Part(Arc<Vec<Diagnostic>>),
}

/// How much of the findings of a document was handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// What was certain at the time.
    Part,
    /// Everything.
    Whole,
}

/// An open document.
pub struct Document {
    /// The version that the editor gave it.
    pub version: i32,
    /// How often anything that it consists of has changed.
    pub stamp: u64,
    /// The stamp of its own last edit.
    edited: u64,
    kept: Kept,
    program: Option<Arc<Loaded>>,
    /// What the pieces of its last version that was looked at depended on.
    prints: Option<Arc<Prints>>,
    found: Option<Arc<Vec<Diagnostic>>>,
    /// How much of its findings, as they are now, was handed out: see [`Workspace::tell`].
    pub told: Told,
    /// Names of the files of its program.
    files: Vec<String>,
}

/// Everything an editor has open.
#[derive(Default)]
pub struct Workspace {
    /// All texts.
    pub texts: Texts,
    documents: FxHashMap<String, Document>,
    stamps: u64,
}

impl Workspace {
    /// Opens a document.
    pub fn open(&mut self, name: &str, version: i32, text: &str) {
        self.texts.open.insert(name.to_owned(), Text::new(name, text));
        self.documents.insert(name.to_owned(), Document::new(version));
        self.touch(name);
    }
    /// Gives a document another text.
    pub fn change(&mut self, name: &str, version: i32, text: &str) {
        if let Some(old) = self.texts.open.get_mut(name) {
            *old = old.with(text);
        }
        if let Some(document) = self.documents.get_mut(name) {
            document.version = version;
        }
        self.touch(name);
    }
    /// Closes a document: its file on disk counts again.
    pub fn close(&mut self, name: &str) {
        self.texts.open.remove(name);
        self.documents.remove(name);
        self.forget(name);
    }
    /// Reads a file again when it is next needed.
    pub fn forget(&mut self, name: &str) {
        self.texts.disk.borrow_mut().remove(name);
        self.touch(name);
    }
    /// Reads the files below a folder again when they are next needed.
    pub fn forget_below(&mut self, folder: &str) {
        let disk = self.texts.disk.borrow();
        let below = disk.keys().filter(|name| Path::new(name).starts_with(folder));
        let below: Vec<String> = below.cloned().collect();
        drop(disk);
        for name in below {
            if !self.is_open(&name) {
                self.forget(&name);
            }
        }
    }
    /// Looks at a file that is not open, until [`Workspace::leave`]; whether it can be read.
    pub fn visit(&mut self, name: &str) -> bool {
        let readable = self.texts.text(name).is_ok();
        if readable {
            self.documents.insert(name.to_owned(), Document::new(0));
        }
        readable
    }
    /// Ends a visit.
    pub fn leave(&mut self, name: &str) {
        self.documents.remove(name);
    }
    /// Whether a document is open.
    #[must_use]
    pub fn is_open(&self, name: &str) -> bool {
        self.documents.contains_key(name)
    }
    /// The text of an open document.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&Text> {
        self.texts.open.get(name)
    }
    /// An open document.
    #[must_use]
    pub fn document(&self, name: &str) -> Option<&Document> {
        self.documents.get(name)
    }
    /// The names of open documents, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.documents.keys().cloned().collect();
        names.sort();
        names
    }
    /// A document whose findings were not all handed out: the one that was edited last comes
    /// first.
    #[must_use]
    pub fn news(&self) -> Option<String> {
        let changed = self.documents.iter().filter(|(_, d)| d.told != Told::Whole);
        // What is certain of all comes before what takes long of one.
        let key = |name: &String, d: &Document| {
            (d.told == Told::Part, std::cmp::Reverse(d.edited), name.clone())
        };
        changed.min_by_key(|(name, d)| key(name, d)).map(|(name, _)| name.clone())
    }
    /// Findings of a document, as they are now, were handed out.
    pub fn tell(&mut self, name: &str, told: Told) {
        if let Some(document) = self.documents.get_mut(name) {
            document.told = told;
        }
    }

    /// Every document that consists of `name` among others is another one now.
    fn touch(&mut self, name: &str) {
        self.stamps += 1;
        for (own, document) in &mut self.documents {
            let holds = document.files.iter().any(|f| f == name);
            if own == name || holds || document.program.is_none() {
                document.stamp = self.stamps;
                if own == name {
                    document.edited = self.stamps;
                }
                if let Some(loaded) = document.program.take() {
                    let prints = loaded.prints.get().or(loaded.earlier.as_ref());
                    document.prints = prints.cloned();
                }
                document.found = None;
                document.told = Told::Nothing;
            }
        }
    }

    /// The program of a document; made when it is first needed after an edit.
    pub fn program(&mut self, name: &str) -> Option<(&Program, ModuleId)> {
        self.load(name)?;
        let loaded = self.documents.get(name)?.program.as_deref()?;
        Some((&loaded.program, loaded.module))
    }

    /// The same to keep, whatever is edited next.
    pub fn load(&mut self, name: &str) -> Option<Arc<Loaded>> {
        let document = self.documents.get_mut(name)?;
        if document.program.is_none() {
            let (program, module) = self.texts.program(name)?;
            let files = program.sources.iter().map(|(_, f)| f.name.to_string());
            document.files = files.filter(|f| library_path(f).is_none()).collect();
            // A file that could not be read may appear.
            for path in program.wanted_files() {
                document.files.extend(beside(&path.0, &path.1));
            }
            let (prints, earlier) = (OnceLock::new(), document.prints.take());
            document.program = Some(Arc::new(Loaded { program, module, prints, earlier }));
        }
        document.program.clone()
    }

    /// Says nothing of a document until it is edited again: checking it failed.
    pub fn give_up(&mut self, name: &str) {
        if let Some(document) = self.documents.get_mut(name) {
            document.found = Some(Arc::default());
            document.kept = Kept::default();
        }
    }

    /// The findings in a document.
    pub fn findings(&mut self, name: &str) -> Arc<Vec<Diagnostic>> {
        match self.findings_unless(name, &|_| false) {
            Some(Found::Whole(found) | Found::Part(found)) => found,
            None => Arc::default(),
        }
    }

    /// The same, or what is certain already as soon as `stop` says that there is no time for what
    /// may take so long: to be asked again. `None` where the document is not open.
    pub fn findings_unless(
        &mut self,
        name: &str,
        stop: &dyn Fn(Duration) -> bool,
    ) -> Option<Found> {
        if let Some(found) = self.documents.get(name)?.found.clone() {
            return Some(Found::Whole(found));
        }
        let loaded = self.load(name);
        let document = self.documents.get_mut(name)?;
        let found = match loaded.as_deref() {
            Some(loaded) if loaded.program.roots.contains(&loaded.module) => {
                let Loaded { program, module, .. } = loaded;
                match check_again(program, *module, loaded.prints(), &mut document.kept, stop) {
                    Checked::Whole(found) => Arc::new(found),
                    Checked::Part(found) => return Some(Found::Part(Arc::new(found))),
                }
            }
            _ => Arc::default(),
        };
        document.found = Some(found.clone());
        Some(Found::Whole(found))
    }
    /// Whether the findings of a document are known already.
    #[must_use]
    pub fn is_checked(&self, name: &str) -> bool {
        self.documents.get(name).is_none_or(|d| d.found.is_some())
    }
}

impl Document {
    fn new(version: i32) -> Self {
        Self {
            version,
            stamp: 0,
            edited: 0,
            kept: Kept::default(),
            program: None,
            prints: None,
            found: None,
            told: Told::Nothing,
            files: Vec::new(),
        }
    }
}

/// A file of a program by name.
#[must_use]
pub fn file_named(program: &Program, name: &str) -> Option<FileId> {
    program.sources.find(name)
}
