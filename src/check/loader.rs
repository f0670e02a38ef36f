//! How the texts of imported files are come by.
//!
//! In: the file that imports, and a path as it is written there. Out: the name and the text of the
//! file that is meant, or why it cannot be read.

use std::sync::Arc;

use super::cut::Cut;
use crate::source::{Origin, SourceFile};

/// Reads the text of an imported file: the name as shown, and the text.
pub trait Loader {
    /// The file that `path`, written in the file called `from`, means.
    ///
    /// # Errors
    /// A sentence that says why it cannot be read.
    fn load(&self, from: &str, path: &str) -> Result<(String, String), String>;

    /// The same as a text that is cut already, for loaders that keep what they cut.
    ///
    /// # Errors
    /// A sentence that says why it cannot be read.
    fn open(&self, from: &str, path: &str) -> Result<(SourceFile, Arc<Cut>), String> {
        let (name, text) = self.load(from, path)?;
        let file = SourceFile::new(&name, &text, Origin::User);
        let cut = Arc::new(Cut::new(&file.text));
        Ok((file, cut))
    }
}

/// A loader for texts that stand alone: every import of a file fails.
pub struct NoFiles;

impl Loader for NoFiles {
    fn load(&self, _: &str, path: &str) -> Result<(String, String), String> {
        Err(format!("`{path}` cannot be read from here"))
    }
}
