//! Which node is which: from what a node or an origin is to where it stands, for hash-consing.
//!
//! In: hashes, and what stands at a position. Out: positions of what is equal. A table of positions alone,
//! with linear probing; the nodes themselves stay where they are.

use super::Node;
use crate::quantity::Dimension;

/// Positions of nodes by what they are.
#[derive(Clone, Default)]
pub(super) struct Index {
    /// Positions plus one; 0 is free. As many as a power of two, half of them free at least.
    slots: Vec<u32>,
    used: usize,
}

/// Where a node stands, or the free slot for it.
pub(super) enum Found {
    At(u32),
    Free(usize),
}

impl Index {
    /// Looks a node up; `same` tells whether the one at a position is equal to it.
    pub(super) fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Found {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = start(hash, mask);
        loop {
            match self.slots.get(at) {
                Some(&slot) if slot != 0 => {
                    if same(slot - 1) {
                        return Found::At(slot - 1);
                    }
                }
                _ => return Found::Free(at),
            }
            at = (at + 1) & mask;
        }
    }
    /// Puts a new position into the slot that [`Index::find`] gave; `hash` is that of any other.
    pub(super) fn put(&mut self, slot: usize, position: u32, hash: impl Fn(u32) -> u64) {
        self.used += 1;
        if self.used * 2 <= self.slots.len()
            && let Some(slot) = self.slots.get_mut(slot)
        {
            *slot = position + 1;
            return;
        }
        let length = (self.slots.len() * 2).max(4096);
        let old = std::mem::replace(&mut self.slots, vec![0; length]);
        for slot in old.into_iter().filter(|slot| *slot != 0).chain([position + 1]) {
            self.place(hash(slot - 1), slot);
        }
    }
    fn place(&mut self, hash: u64, slot: u32) {
        let mask = self.slots.len() - 1;
        let mut at = start(hash, mask);
        while let Some(there) = self.slots.get_mut(at) {
            if *there == 0 {
                *there = slot;
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

/// Where the search for a hash starts: its high bits are the well-mixed ones.
fn start(hash: u64, mask: usize) -> usize {
    (hash >> 32) as usize & mask
}

/// The hash of a node.
pub(super) fn hash(node: Node, dimension: Dimension) -> u64 {
    mix([pair(node.op as u32, node.a), pair(node.b, node.c), dimension.bits()])
}

/// Two numbers as one.
pub(super) fn pair(a: u32, b: u32) -> u64 {
    u64::from(a) << 32 | u64::from(b)
}

/// A hash of numbers whose high bits depend on all of them.
pub(super) fn mix(parts: impl IntoIterator<Item = u64>) -> u64 {
    const ODD: u64 = 0xf135_7aea_2e62_a9c5;
    let step = |hash: u64, part: u64| (hash ^ part).wrapping_mul(ODD).rotate_left(26);
    parts.into_iter().fold(0, step).wrapping_mul(ODD)
}
