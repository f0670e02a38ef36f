//! The points of a sweep by number.
//!
//! A number is read as digits, the first axis first. What is no number comes before what is, so
//! that points of one structure lie together; of the numbers the widest comes last, so that it
//! fills the lanes. Axes that are drawn at random share one digit.
//!
//! The columns before the last are the outer ones if they have few combinations of values: what
//! depends on them alone is then computed once for each.

use std::sync::Arc;

use super::define::{Axis, Definition};
use crate::check::{Drawn, Values};

/// The most combinations of outer columns.
const MOST_COMBINATIONS: u64 = 16_384;
/// The same for all choices together, so that tables stay small.
const MOST_IN_ALL: u64 = 131_072;

/// The outer columns.
#[derive(Debug, Default)]
pub struct Outer {
    /// How many columns they are: the first of all.
    pub columns: usize,
    /// Their values, column by column, at every combination.
    pub values: Vec<Vec<f64>>,
    /// The same, combination by combination.
    pub rows: Vec<f64>,
}

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
    /// The outer ones.
    outer: Arc<Outer>,
    /// Points of one combination of the outer columns, draws aside.
    each: u64,
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
        let outers = outermost(&mut columns, &axes, draws);
        let inner = columns.iter().map(listed).product::<u64>() * draws.unwrap_or(1);
        let families: u64 = choices.iter().map(listed).product();
        let lists = columns.iter().map(|at| match axes.get(*at).map(|a| &a.values) {
            Some(Values::List(list)) => list.iter().map(|s| s.number.unwrap_or(f64::NAN)).collect(),
            _ => Vec::new(),
        });
        let lists: Vec<Vec<f64>> = lists.collect();
        let mut found =
            Self { axes, choices, columns, inner, families, draws, lists, ..Self::none() };
        found.cut(outers);
        found
    }

    /// Nothing at all.
    fn none() -> Self {
        Self {
            axes: Vec::new(),
            choices: Vec::new(),
            columns: Vec::new(),
            inner: 1,
            families: 1,
            draws: None,
            lists: Vec::new(),
            outer: Arc::default(),
            each: 1,
        }
    }

    /// Takes the first so many columns for outer ones, if that is worth it.
    fn cut(&mut self, outers: usize) {
        let size = |l: &Vec<f64>| l.len().max(1) as u64;
        let combinations: u64 = self.lists.iter().take(outers).map(size).product();
        let whole = self.inner / self.draws.unwrap_or(1).max(1);
        self.each = (whole / combinations.max(1)).max(1);
        let too_few = self.inner / combinations.max(1) < 8;
        let too_many = combinations.saturating_mul(self.families) > MOST_IN_ALL;
        if combinations <= 1 || too_few || too_many {
            return;
        }
        let mut values = vec![Vec::new(); self.columns.len()];
        (0..combinations).for_each(|at| self.numbers(at * self.each, &mut values));
        values.truncate(outers);
        let row = |at: usize| values.iter().filter_map(move |c| c.get(at).copied());
        let rows = (0..combinations as usize).flat_map(row).collect();
        self.outer = Arc::new(Outer { columns: outers, values, rows });
    }

    /// The outer columns; none where that is not worth it.
    #[must_use]
    pub fn outer(&self) -> &Arc<Outer> {
        &self.outer
    }

    /// Appends which combination of the outer columns a point has, and its other numbers.
    pub fn split(&self, point: u64, combinations: &mut Vec<u32>, out: &mut [Vec<f64>]) {
        let rest = point % self.inner.max(1);
        let whole = self.inner / self.draws.unwrap_or(1).max(1);
        let combination = (rest % whole.max(1)) / self.each;
        combinations.push(combination as u32);
        match (self.lists.split_last(), self.outer.columns + 1 == self.columns.len()) {
            (Some((list, _)), true) if !list.is_empty() => {
                let digit = (rest % self.each) as usize;
                let value = list.get(digit).copied().unwrap_or(f64::NAN);
                out.iter_mut().for_each(|out| out.push(value));
            }
            _ => self.numbers_from(self.outer.columns, point, out),
        }
    }

    /// Appends `count` points that follow each other, as [`Space::split`] does.
    pub fn fill_split(
        &self,
        from: u64,
        count: u64,
        combinations: &mut Vec<u32>,
        out: &mut [Vec<f64>],
    ) {
        let one = self.outer.columns + 1 == self.columns.len();
        let (Some(list), true, None, [out]) = (self.lists.last(), one, self.draws, &mut *out)
        else {
            (from..from + count).for_each(|point| self.split(point, combinations, out));
            return;
        };
        let mut rest = from % self.inner.max(1);
        let mut left = count;
        while left > 0 {
            let start = rest % self.each;
            let run = (self.each - start).min(left);
            let values = list.get(start as usize..(start + run) as usize);
            out.extend_from_slice(values.unwrap_or_default());
            let combination = (rest / self.each) as u32;
            combinations.resize(combinations.len() + run as usize, combination);
            rest += run;
            left -= run;
        }
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
        self.numbers_from(0, point, out);
    }

    /// The same without the first columns.
    fn numbers_from(&self, first: usize, point: u64, out: &mut [Vec<f64>]) {
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
        let columns = self.lists.iter().zip(&self.columns).skip(first).zip(out).rev();
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

/// Puts columns in order, outer ones first, and says how many those are: all that are listed but
/// the last, as long as they have few combinations.
fn outermost(columns: &mut Vec<usize>, axes: &[Axis], draws: Option<u64>) -> usize {
    let size = |at: &usize| match axes.get(*at).map(|a| &a.values) {
        Some(Values::List(list)) => list.len() as u64,
        _ => u64::MAX,
    };
    let Some(&last) = columns.last() else { return 0 };
    let mut outer: Vec<usize> = columns.iter().copied().filter(|at| size(at) < u64::MAX).collect();
    if draws.is_none() {
        outer.retain(|at| *at != last);
    }
    while outer.iter().map(size).fold(1, u64::saturating_mul) > MOST_COMBINATIONS {
        let widest = outer.iter().copied().max_by_key(size);
        outer.retain(|at| Some(*at) != widest);
    }
    let inner: Vec<usize> = columns.iter().copied().filter(|at| !outer.contains(at)).collect();
    *columns = outer.iter().copied().chain(inner).collect();
    outer.len()
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
