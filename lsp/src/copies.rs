//! Copies on disk of the library and of the pages of codes, for clients that show files only.
//!
//! In: a name such as `std/models/llama.mesa`. Out: the URI of a file that can be read and not
//! written, in the user's folder for caches. Each is written when a client is first sent to it.

use std::collections::HashSet;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use mesa::check::library::FILES;
use mesa::diagnostic::Code;
use mesa::ide::workspace::library_path;
use tower_lsp::lsp_types::Url;

/// The text of a file of the library, such as `std/models/llama.mesa`.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    let path = library_path(name)?;
    FILES.iter().find(|(p, _)| *p == path).map(|(_, text)| *text)
}

/// The URI of the copy of a file of the library; none where it cannot be written.
pub(crate) fn library(name: &str) -> Option<String> {
    folder()?.copy(name, text(name)?)
}

/// The URI of the copy of a page; none where it cannot be written.
pub(crate) fn page(code: Code) -> Option<String> {
    folder()?.copy(&format!("help/{}.md", code.id()), code.page())
}

/// The name of the file of the library that a file is a copy of.
pub(crate) fn original(path: &Path) -> Option<String> {
    // Most files are none.
    path.to_str()?.contains(env!("CARGO_PKG_VERSION")).then_some(())?;
    let folder = folder()?;
    let below = path.strip_prefix(&folder.path).ok();
    let below = below.or_else(|| path.strip_prefix(folder.real()?).ok())?;
    let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
    Some(parts?.join("/")).filter(|name| text(name).is_some())
}

/// The folder of the copies.
struct Folder {
    path: PathBuf,
    /// The same without links: some clients send such names back.
    real: OnceLock<PathBuf>,
    /// What is known to be there.
    written: Mutex<HashSet<String>>,
}

fn folder() -> Option<&'static Folder> {
    static FOLDER: OnceLock<Option<Folder>> = OnceLock::new();
    let found = FOLDER.get_or_init(|| {
        let path = caches()?.join("mesa").join(env!("CARGO_PKG_VERSION"));
        Some(Folder { path, real: OnceLock::new(), written: Mutex::default() })
    });
    found.as_ref()
}

/// Where the system keeps what can be made again.
fn caches() -> Option<PathBuf> {
    let set = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    if cfg!(windows) {
        return set("LOCALAPPDATA");
    }
    let home = || {
        let below = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        set("HOME").map(|home| home.join(below))
    };
    set("XDG_CACHE_HOME").or_else(home)
}

impl Folder {
    fn real(&self) -> Option<&PathBuf> {
        if self.real.get().is_none() {
            let _ = self.real.set(fs::canonicalize(&self.path).ok()?);
        }
        self.real.get()
    }

    fn copy(&self, name: &str, text: &str) -> Option<String> {
        let path = self.path.join(name);
        let mut written = self.written.lock().ok()?;
        if !written.contains(name) {
            if !fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
                put(&path, text).ok()?;
            }
            written.insert(name.to_owned());
        }
        Url::from_file_path(path).ok().map(|url| url.to_string())
    }
}

/// Writes a file that cannot be written again; who reads it sees the old one or the new one.
fn put(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&new, text)?;
    let mut may = fs::metadata(&new)?.permissions();
    may.set_readonly(true);
    fs::set_permissions(&new, may)?;
    fs::rename(&new, path)
}
