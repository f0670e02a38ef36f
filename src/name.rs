//! Interned names: equal text is one `u32`, so scopes and fields compare and hash in a nanosecond.

use std::fmt;
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};

use rustc_hash::FxHashMap;

/// Texts to names.
static NAMES: LazyLock<RwLock<FxHashMap<&'static str, Name>>> = LazyLock::new(RwLock::default);

type Chunk = OnceLock<Box<[OnceLock<&'static str>]>>;

/// Names to texts, read without a lock: each chunk is twice as long as the one before it.
static TEXTS: [Chunk; 32] = [const { OnceLock::new() }; 32];

/// The chunk of a name, how long that is, and where in it the name stands.
fn slot(name: u32) -> (usize, usize, usize) {
    let chunk = (u64::from(name) + 1).ilog2();
    let length = 1_usize << chunk;
    (chunk as usize, length, name as usize + 1 - length)
}

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
        let known = NAMES.read().unwrap_or_else(PoisonError::into_inner).get(text).copied();
        if let Some(name) = known {
            return name;
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(text) {
            return *name;
        }
        let (text, name) = (kept(), Self(u32::try_from(names.len()).unwrap_or(u32::MAX)));
        let (chunk, length, at) = slot(name.0);
        let texts = TEXTS.get(chunk).map(|chunk| {
            chunk.get_or_init(|| std::iter::repeat_with(OnceLock::new).take(length).collect())
        });
        // Each place is set once: only the holder of the lock hands out new names.
        let _ = texts.and_then(|texts| texts.get(at)).map(|place| place.set(text));
        names.insert(text, name);
        name
    }
    /// The name as a number, for hashing.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
    /// The text of the name.
    #[must_use]
    pub fn text(self) -> &'static str {
        let (chunk, _, at) = slot(self.0);
        let text = TEXTS.get(chunk).and_then(|chunk| chunk.get()?.get(at)?.get());
        text.copied().unwrap_or("")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_texts_however_many_there_are() {
        let text = |i: usize| format!("a name of its own {i}");
        let names: Vec<Name> = (0..5000).map(|i| Name::new(&text(i))).collect();
        for (i, name) in names.iter().enumerate() {
            assert_eq!(name.text(), text(i));
            assert_eq!(*name, Name::new(&text(i)));
        }
    }

    #[test]
    fn every_name_has_a_place_of_its_own() {
        let mut next = (0, 0);
        for name in 0..10_000 {
            let (chunk, length, at) = slot(name);
            assert_eq!((chunk, at), next);
            next = if at + 1 == length { (chunk + 1, 0) } else { (chunk, at + 1) };
        }
        assert_eq!(slot(u32::MAX - 1).0, 31);
    }
}
