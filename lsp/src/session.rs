//! The state of a session: what the client can do, its documents and its wishes.

use std::collections::HashMap;

use mesa::ide::Workspace;
use mesa::ide::hints::Wanted;
use serde_json::Value;

use crate::capabilities::Peer;
use crate::client::Outbox;
use crate::late::Late;
use crate::uris::{Uris, name_of};

/// What a user may set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) commands: Vec<String>,
    pub(crate) hints: Wanted,
    pub(crate) lenses: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { commands: Vec::new(), hints: Wanted::default(), lenses: true }
    }
}

impl Settings {
    /// Takes over what is set; what is not stays as it is.
    pub(crate) fn read(&mut self, value: &Value) {
        let flag = |path: &str, slot: &mut bool| {
            if let Some(set) = value.pointer(path).and_then(Value::as_bool) {
                *slot = set;
            }
        };
        flag("/hints/shapes", &mut self.hints.shapes);
        flag("/hints/shards", &mut self.hints.shards);
        flag("/hints/collectives", &mut self.hints.collectives);
        flag("/hints/expectations", &mut self.hints.expectations);
        flag("/lenses", &mut self.lenses);
        if let Some(all) = value.get("commands").and_then(Value::as_array) {
            let all = all.iter().filter_map(Value::as_str).map(str::to_owned);
            self.commands = all.collect();
        }
    }
}

/// A session.
pub(crate) struct Session {
    pub(crate) workspace: Workspace,
    pub(crate) peer: Peer,
    pub(crate) settings: Settings,
    pub(crate) outbox: Outbox,
    /// Folders of the workspace, as paths.
    pub(crate) folders: Vec<String>,
    pub(crate) uris: Uris,
    /// Edits that may have been overtaken.
    pub(crate) late: Late,
    /// Semantic tokens as they were sent last, by document: for answers that say what changed.
    pub(crate) tokens: HashMap<String, (u64, Vec<u32>)>,
    pub(crate) sent: u64,
}

impl Session {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self {
            workspace: Workspace::default(),
            peer: Peer::default(),
            settings: Settings::default(),
            outbox,
            folders: Vec::new(),
            uris: Uris::default(),
            late: Late::default(),
            tokens: HashMap::new(),
            sent: 0,
        }
    }
    /// The name of the document that a request is about.
    pub(crate) fn name(&self, params: &Value) -> Option<String> {
        let uri = params.pointer("/textDocument/uri").or_else(|| params.get("uri"))?;
        Some(name_of(uri.as_str()?))
    }
    /// What another thread needs to answer about a document.
    pub(crate) fn copy(&self) -> Copy {
        Copy { peer: self.peer.clone(), settings: self.settings.clone(), uris: self.uris.clone() }
    }
}

/// What answers are written by.
#[derive(Clone)]
pub(crate) struct Copy {
    pub(crate) peer: Peer,
    pub(crate) settings: Settings,
    pub(crate) uris: Uris,
}
