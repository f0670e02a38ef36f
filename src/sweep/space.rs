//! The points of a sweep by number.
//!
//! A number is read as digits, the first axis first. What is no number comes before what is, so
//! that points of one structure lie together; of the numbers the widest comes last, so that it
//! fills the lanes. Axes that are drawn at random share one digit.

use super::define::{Axis, Definition};
use crate::check::{Drawn, Values};

/// Points in their order, and how to get from a number to settings.
#[derive(Clone, Debug)]
pub struct Space {
    /// All axes, as declared.
    pub axes: Vec<Axis>,
    /// Positions of those that are tried one after the other.
    choices: Vec<usize>,
    /// Positions of those that are columns, in the order of the columns.
    columns: Vec<usize>,
    /// How many points one combination of choices has.
    inner: u64,
    /// How many combinations there are.
    families: u64,
    /// Draws of the random axes.
    draws: Option<u64>,
    /// Values of the columns that are listed; nothing for those that are drawn.
    lists: Vec<Vec<f64>>,
}

/// Points taken from all at random.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// How many.
    pub count: u64,
    /// What decides which.
    pub seed: u64,
}

impl Space {
    /// The points of a sweep.
    #[must_use]
    pub fn new(definition: &Definition) -> Self {
        let axes = definition.axes.clone();
        let (mut choices, mut columns) = (Vec::new(), Vec::new());
        for (at, axis) in axes.iter().enumerate() {
            // A mask has 64 bits; nobody varies that many numbers, but nothing breaks.
            if axis.is_numeric() && columns.len() < 63 { &mut columns } else { &mut choices }
                .push(at);
        }
        let listed = |at: &usize| match axes.get(*at).map(|a| &a.values) {
            Some(Values::List(list)) => list.len() as u64,
            _ => 1,
        };
        let widest = columns.iter().enumerate().rev().max_by_key(|(_, at)| listed(at));
        if let Some((at, _)) = widest.filter(|(_, axis)| listed(axis) > 1) {
            let last = columns.remove(at);
            columns.push(last);
        }
        let draws = axes.iter().find_map(|a| match &a.values {
            Values::Drawn(drawn) => Some(drawn.count),
            Values::List(_) => None,
        });
        let inner = columns.iter().map(listed).product::<u64>() * draws.unwrap_or(1);
        let families = choices.iter().map(listed).product();
        let lists = columns.iter().map(|at| match axes.get(*at).map(|a| &a.values) {
            Some(Values::List(list)) => list.iter().map(|s| s.number.unwrap_or(f64::NAN)).collect(),
            _ => Vec::new(),
        });
        let lists = lists.collect();
        Self { axes, choices, columns, inner, families, draws, lists }
    }

    /// How many points there are.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.inner.saturating_mul(self.families)
    }

    /// How many combinations of choices there are.
    #[must_use]
    pub fn families(&self) -> u64 {
        self.families
    }

    /// How many columns of numbers a point has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The combination of choices that a point belongs to.
    #[must_use]
    pub fn family(&self, point: u64) -> u64 {
        point / self.inner.max(1)
    }

    /// The first point after `point` that belongs to another combination of choices.
    #[must_use]
    pub fn family_end(&self, point: u64) -> u64 {
        (self.family(point) + 1).saturating_mul(self.inner)
    }

    /// Appends the numbers of a point to the columns.
    pub fn numbers(&self, point: u64, out: &mut [Vec<f64>]) {
        let mut rest = point % self.inner.max(1);
        let draw = match self.draws {
            Some(draws) => {
                // Draws are the slowest digit.
                let each = (self.inner / draws).max(1);
                let draw = rest / each;
                rest %= each;
                draw
            }
            None => 0,
        };
        let columns = self.lists.iter().zip(&self.columns).zip(out).rev();
        for ((list, at), out) in columns {
            let value = match (list.len() as u64, self.axes.get(*at).map(|a| &a.values)) {
                (0, Some(Values::Drawn(drawn))) => {
                    drawn.scale.scale(literal(drawn, *at as u64, draw))
                }
                (size, _) => {
                    let size = size.max(1);
                    // Most spaces are small enough for the faster division.
                    let digit = match (u32::try_from(rest), u32::try_from(size)) {
                        (Ok(few), Ok(size)) => {
                            rest = u64::from(few / size);
                            few % size
                        }
                        _ => {
                            let digit = rest % size;
                            rest /= size;
                            digit as u32
                        }
                    };
                    list.get(digit as usize).copied().unwrap_or(f64::NAN)
                }
            };
            out.push(value);
        }
    }

    /// Appends `count` points that follow each other to the columns.
    pub fn fill(&self, from: u64, count: u64, out: &mut [Vec<f64>]) {
        if self.draws.is_some() {
            (from..from + count).for_each(|point| self.numbers(point, out));
            return;
        }
        let mut rest = from % self.inner.max(1);
        let mut digits = vec![0_usize; self.columns.len()];
        let lists = &self.lists;
        for (digit, list) in digits.iter_mut().zip(lists).rev() {
            let size = (list.len() as u64).max(1);
            *digit = (rest % size) as usize;
            rest /= size;
        }
        let value = |list: &[f64], digit: usize| list.get(digit).copied().unwrap_or(f64::NAN);
        let mut left = count;
        while left > 0 {
            // As far as the last digit goes, the others stay.
            let last = lists.last().map_or(1, |l| l.len().max(1));
            let start = digits.last().copied().unwrap_or_default();
            let run = ((last - start) as u64).min(left) as usize;
            for (column, (list, digit)) in lists.iter().zip(&digits).enumerate() {
                let Some(out) = out.get_mut(column) else { continue };
                if column + 1 == lists.len() {
                    let values = list.get(start..start + run).unwrap_or_default();
                    out.extend_from_slice(values);
                } else {
                    out.resize(out.len() + run, value(list, *digit));
                }
            }
            left -= run as u64;
            let mut carry = run;
            for (digit, list) in digits.iter_mut().zip(lists).rev() {
                *digit += carry;
                carry = 0;
                if *digit >= list.len() {
                    *digit = 0;
                    carry = 1;
                }
                if carry == 0 {
                    break;
                }
            }
        }
    }

    /// The settings of a point as text, in the order of the axes.
    #[must_use]
    pub fn settings(&self, point: u64) -> Vec<String> {
        let mut texts = vec![String::new(); self.axes.len()];
        let mut rest = point / self.inner.max(1);
        for at in self.choices.iter().rev() {
            let Some(Values::List(list)) = self.axes.get(*at).map(|a| &a.values) else { continue };
            let size = (list.len() as u64).max(1);
            let setting = list.get((rest % size) as usize);
            rest /= size;
            if let (Some(slot), Some(setting)) = (texts.get_mut(*at), setting) {
                slot.clone_from(&setting.text);
            }
        }
        let mut rest = point % self.inner.max(1);
        let each = self.draws.map_or(1, |draws| (self.inner / draws).max(1));
        let draw = rest / each;
        if self.draws.is_some() {
            rest %= each;
        }
        for at in self.columns.iter().rev() {
            let text = match self.axes.get(*at).map(|a| &a.values) {
                Some(Values::List(list)) => {
                    let size = (list.len() as u64).max(1);
                    let text = list.get((rest % size) as usize).map(|s| s.text.clone());
                    rest /= size;
                    text.unwrap_or_default()
                }
                Some(Values::Drawn(drawn)) => {
                    let literal = literal(drawn, *at as u64, draw);
                    let text = format!("{literal} {}", drawn.unit);
                    text.trim_end().to_owned()
                }
                None => String::new(),
            };
            if let Some(slot) = texts.get_mut(*at) {
                *slot = text;
            }
        }
        texts
    }

    /// The axes that are columns, in the order of the columns.
    #[must_use]
    pub fn column_axes(&self) -> &[usize] {
        &self.columns
    }

    /// A point taken at random.
    #[must_use]
    pub fn sampled(&self, sample: Sample, index: u64) -> u64 {
        let hash = mixed(sample.seed, 0x5EED, index);
        ((u128::from(hash) * u128::from(self.points())) >> 64) as u64
    }
}

/// The draw of an axis, in its unit.
fn literal(drawn: &Drawn, axis: u64, draw: u64) -> f64 {
    let hash = mixed(drawn.seed, axis, draw);
    let mut share = (hash >> 11) as f64 / (1_u64 << 53) as f64;
    if drawn.latin {
        let part = permuted(draw, drawn.count, drawn.seed ^ (axis << 32));
        share = (part as f64 + share) / drawn.count as f64;
    }
    if drawn.whole {
        let (low, high) = (libm::ceil(drawn.low), libm::floor(drawn.high));
        return (low + libm::floor(share * (high - low + 1.0))).min(high);
    }
    drawn.low + (drawn.high - drawn.low) * share
}

/// A hash of three numbers (splitmix64), the same everywhere.
fn mixed(a: u64, b: u64, c: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xD1B5_4A32_D192_ED03);
    z = z.wrapping_add(c.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A permutation of `0..count`, without a table: rounds of mixing, again while it leaves the range.
fn permuted(index: u64, count: u64, seed: u64) -> u64 {
    let bits = (64 - count.saturating_sub(1).leading_zeros()).max(2).next_multiple_of(2);
    let half = bits / 2;
    let mask = (1_u64 << half) - 1;
    let mut value = index;
    loop {
        let (mut left, mut right) = (value >> half, value & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (mixed(seed, round, right) & mask));
        }
        value = (left << half) | right;
        if value < count {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latin_square_has_one_draw_in_every_part() {
        for count in [1, 2, 3, 10, 1000, 4097] {
            let mut seen: Vec<u64> = (0..count).map(|i| permuted(i, count, 7)).collect();
            seen.sort_unstable();
            assert!(seen.iter().copied().eq(0..count), "{count}");
        }
    }
}
