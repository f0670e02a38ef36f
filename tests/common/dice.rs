//! Numbers without a pattern that matters, the same in every run of a seed.

#![allow(dead_code)] // each test uses some of it

/// A seed, and then what follows from it.
pub struct Dice(pub u64);

impl Dice {
    /// A number below another one; 0 below 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
    /// One of several.
    pub fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}
