//! A growable table addressed by small typed ids: how graphs and tables are stored everywhere.
//!
//! An id is only ever made by the arena it belongs to, so looking one up cannot fail.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A map that keeps the order in which keys came.
pub type Ordered<K, V> = indexmap::IndexMap<K, V, rustc_hash::FxBuildHasher>;

/// A `u32` that names one element of an [`Arena`].
pub struct Id<T> {
    raw: u32,
    marker: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The id with this position; meant for tables kept in step with an arena.
    #[must_use]
    pub fn from_index(index: usize) -> Self {
        Self { raw: u32::try_from(index).unwrap_or(u32::MAX), marker: PhantomData }
    }
    /// The position of the element in its arena.
    #[must_use]
    pub fn index(self) -> usize {
        self.raw as usize
    }
    /// The position as the 32 bits that are stored.
    #[must_use]
    pub fn raw(self) -> u32 {
        self.raw
    }
    /// The id stored as these 32 bits.
    #[must_use]
    pub fn from_raw(raw: u32) -> Self {
        Self { raw, marker: PhantomData }
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.raw.cmp(&other.raw)
    }
}
impl<T> std::hash::Hash for Id<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}
impl<T> std::fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", self.raw)
    }
}

/// A table of `T` addressed by [`Id<T>`].
#[derive(Debug, Clone)]
pub struct Arena<T> {
    items: Vec<T>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T> Arena<T> {
    /// An empty arena.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds an element and returns its id.
    pub fn push(&mut self, item: T) -> Id<T> {
        let id = Id::from_index(self.items.len());
        self.items.push(item);
        id
    }
    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }
    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
    /// All elements with their ids, in the order they were added.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id<T>, &T)> + ExactSizeIterator {
        self.items.iter().enumerate().map(|(i, item)| (Id::from_index(i), item))
    }
    /// All elements, in the order they were added, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut()
    }
    /// The elements as a slice, in the order they were added.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }
}

#[allow(clippy::indexing_slicing)] // an id comes from its own arena
impl<T> Index<Id<T>> for Arena<T> {
    type Output = T;
    fn index(&self, id: Id<T>) -> &T {
        &self.items[id.index()]
    }
}
#[allow(clippy::indexing_slicing)] // an id comes from its own arena
impl<T> IndexMut<Id<T>> for Arena<T> {
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        &mut self.items[id.index()]
    }
}
