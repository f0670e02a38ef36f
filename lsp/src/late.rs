//! Edits that come in another order than they were made in.
//!
//! In: an edit, the text and the version that it found. Out: the text after it. Versions say the
//! order; Helix 25.01 does not keep it when keys follow each other fast. An edit that was overtaken
//! is made where it belongs, and those that overtook it are made again after it.

use std::collections::{BTreeMap, HashMap};

use mesa::ide::document::Text;
use mesa::ide::{Change, Encoding};

/// Edits that are kept while one may be missing, at most. Some clients leave numbers out, and
/// nothing is missing.
const MOST: usize = 32;

/// The edits since one that may be missing, by version.
struct Gap {
    before: Text,
    version: i32,
    edits: BTreeMap<i32, Vec<Change>>,
}

impl Gap {
    /// Whether nothing is missing any more.
    fn is_filled(&self) -> bool {
        let wanted = self.version.saturating_add(1)..;
        self.edits.keys().zip(wanted).all(|(version, wanted)| *version == wanted)
    }
}

/// The gaps of documents, by name.
#[derive(Default)]
pub(crate) struct Late {
    gaps: HashMap<String, Gap>,
}

impl Late {
    /// Makes an edit; the text and the version of the document then.
    pub(crate) fn edit(
        &mut self,
        (now, known): (&Text, i32),
        (version, changes): (i32, Vec<Change>),
        encoding: Encoding,
    ) -> (String, i32) {
        let name = now.file.name.to_string();
        if version > known {
            let text = now.changed(&changes, encoding);
            if version > known.saturating_add(1) && !self.gaps.contains_key(&name) {
                let gap = Gap { before: now.clone(), version: known, edits: BTreeMap::new() };
                self.gaps.insert(name.clone(), gap);
            }
            if let Some(gap) = self.gaps.get_mut(&name) {
                gap.edits.insert(version, changes);
                if gap.edits.len() > MOST {
                    self.gaps.remove(&name);
                }
            }
            return (text, version);
        }
        let gap = self.gaps.get_mut(&name);
        let gap = gap.filter(|gap| version > gap.version && !gap.edits.contains_key(&version));
        let Some(gap) = gap else {
            // It counts anew, or does not count.
            self.gaps.remove(&name);
            return (now.changed(&changes, encoding), version);
        };
        gap.edits.insert(version, changes);
        let (mut before, mut text) = (gap.before.clone(), String::new());
        for changes in gap.edits.values() {
            text = before.changed(changes, encoding);
            before = before.with(&text);
        }
        if gap.is_filled() {
            self.gaps.remove(&name);
        }
        (text, known)
    }

    /// A document was opened anew or closed.
    pub(crate) fn forget(&mut self, name: &str) {
        self.gaps.remove(name);
    }
}
