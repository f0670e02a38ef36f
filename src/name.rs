//! Interned names: equal text is one `u32`, so scopes and fields compare and hash in a nanosecond.

use std::fmt;
use std::sync::{LazyLock, RwLock};

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

static NAMES: LazyLock<RwLock<IndexSet<&'static str, FxBuildHasher>>> =
    LazyLock::new(|| RwLock::new(IndexSet::default()));

/// An interned identifier. Two names are equal exactly when their texts are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u32);

impl Name {
    /// Interns `text`. The text of a name lives as long as the process; the set of identifiers
    /// that a person writes is small, so it is never freed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::interned(text, || Box::leak(text.to_owned().into_boxed_str()))
    }
    /// Interns a text that lives as long as the process anyway.
    #[must_use]
    pub fn of_static(text: &'static str) -> Self {
        Self::interned(text, || text)
    }
    fn interned(text: &str, kept: impl FnOnce() -> &'static str) -> Self {
        let position = |set: &IndexSet<&'static str, FxBuildHasher>| {
            set.get_index_of(text).map(|i| Self(u32::try_from(i).unwrap_or(u32::MAX)))
        };
        {
            let set = NAMES.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(name) = position(&set) {
                return name;
            }
        }
        let mut set = NAMES.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(name) = position(&set) {
            return name;
        }
        let (index, _) = set.insert_full(kept());
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }
    /// The text of the name.
    #[must_use]
    pub fn text(self) -> &'static str {
        let set = NAMES.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        set.get_index(self.0 as usize).copied().unwrap_or("")
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}
impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.text() == other
    }
}
impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.text() == *other
    }
}
