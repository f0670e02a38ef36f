//! Names of documents: what the client calls them, and what the engine calls them.
//!
//! In: URIs, and which documents of the server the client can show. Out: names, and URIs again. A
//! client that cannot show the library is sent to a copy of it on disk.

use std::collections::HashMap;
use std::sync::Arc;

use mesa::diagnostic::Code;
use serde_json::Value;
use tower_lsp::lsp_types::Url;

use crate::copies;

/// The scheme of documents of the library.
const LIBRARY: &str = "mesa-std";
/// The scheme of the pages of codes.
const HELP: &str = "mesa-help";

/// What the engine calls the document at a URI.
pub(crate) fn name_of(uri: &str) -> String {
    if let Some(path) = uri.strip_prefix(LIBRARY).and_then(|rest| rest.strip_prefix(":/")) {
        return format!("std/{}", path.trim_start_matches('/'));
    }
    let path = Url::parse(uri).ok().filter(|u| u.scheme() == "file");
    match path.and_then(|url| url.to_file_path().ok()) {
        Some(path) => copies::original(&path).unwrap_or_else(|| path.display().to_string()),
        None => uri.to_owned(),
    }
}

/// The code whose page is at a URI.
pub(crate) fn code_of(uri: &str) -> Option<&str> {
    uri.strip_prefix(HELP)?.strip_prefix(":/")?.strip_suffix(".md")
}

/// The URIs of documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uris {
    /// As the client spells them, by name.
    spelled: HashMap<String, String>,
    /// Schemes of the server's documents that the client shows.
    shown: Arc<[String]>,
}

impl Uris {
    /// For a client that says in `initializationOptions` which documents it shows.
    pub(crate) fn new(options: Option<&Value>) -> Self {
        let shown = options.and_then(|o| o.get("documents")).and_then(Value::as_array);
        let shown = shown.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Self { spelled: HashMap::new(), shown: shown.collect() }
    }

    fn shows(&self, scheme: &str) -> bool {
        self.shown.iter().any(|s| s == scheme)
    }

    /// The client has opened a document.
    pub(crate) fn insert(&mut self, name: String, uri: &str) {
        self.spelled.insert(name, uri.to_owned());
    }

    /// The client has closed a document; what it was called.
    pub(crate) fn remove(&mut self, name: &str) -> String {
        self.spelled.remove(name).unwrap_or_else(|| self.of(name))
    }

    /// The URI of what the engine calls so.
    pub(crate) fn of(&self, name: &str) -> String {
        if let Some(uri) = self.spelled.get(name) {
            return uri.clone();
        }
        if let Some(path) = name.strip_prefix("std/") {
            let copy = (!self.shows(LIBRARY)).then(|| copies::library(name)).flatten();
            return copy.unwrap_or_else(|| format!("{LIBRARY}:/{path}"));
        }
        Url::from_file_path(name).map_or_else(|()| name.to_owned(), |url| url.to_string())
    }

    /// Where the page of a code is read.
    pub(crate) fn page(&self, code: Code) -> String {
        let copy = (!self.shows(HELP)).then(|| copies::page(code)).flatten();
        copy.unwrap_or_else(|| format!("{HELP}:/{}.md", code.id()))
    }
}
