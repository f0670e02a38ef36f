//! What a person meant: from a name that is not known and those that are, the likely one, as a note
//! with its edit.

use super::{Diagnostic, Safety};
use crate::source::Place;

impl Diagnostic {
    /// Asks for `best` and, where the finding stands in a file, offers to write it at `place`.
    /// Without a guess, `otherwise` says what there is (nothing if it is empty).
    #[must_use]
    pub fn meant(
        self,
        best: Option<&str>,
        place: impl Into<Option<Place>>,
        otherwise: impl Into<String>,
    ) -> Self {
        let otherwise = otherwise.into();
        match best {
            Some(best) => {
                let asked = self.note(format!("did you mean `{best}`?"));
                match place.into() {
                    Some(at) => asked.fix(format!("write `{best}`"), at, best, Safety::Review),
                    None => asked,
                }
            }
            None if otherwise.is_empty() => self,
            None => self.note(otherwise),
        }
    }
}

/// `its levels: node, cluster`; nothing where there are none.
#[must_use]
pub fn listed(what: &str, names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!("{what}: {}", names.join(", ")) }
}

/// Longer names are no misspelling of anything.
const LONGEST_NAME: usize = 100;

/// The candidate most like `name`, if one is like it at all.
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST_NAME {
        return None;
    }
    let mut distance = Distance::new(name);
    let limit = (distance.name.len() / 3).max(1);
    let lower = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    let mut others: Vec<&'a str> = Vec::new();
    for candidate in candidates {
        if candidate == name {
            continue;
        }
        others.push(candidate);
        let found = if candidate.eq_ignore_ascii_case(name)
            || !candidate.is_ascii() && candidate.to_lowercase() == lower
        {
            Some(0)
        } else {
            distance.within(candidate, limit)
        };
        if let Some(distance) = found
            && best.is_none_or(|(d, b)| (distance, candidate) < (d, b))
        {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate).or_else(|| same_start(name, &others))
}

/// How many letters of a name differ from candidates; its rows are used again for each of them.
struct Distance {
    name: Vec<char>,
    /// How often the name has each letter of ASCII.
    letters: [u8; 128],
    candidate: Vec<char>,
    rows: [Vec<usize>; 3],
}

impl Distance {
    fn new(name: &str) -> Self {
        let name: Vec<char> = name.chars().collect();
        let mut letters = [0; 128];
        for letter in &name {
            if let Some(slot) = letters.get_mut(*letter as usize) {
                *slot += 1;
            }
        }
        Self { name, letters, candidate: Vec::new(), rows: Default::default() }
    }

    /// How many letters differ, are missing, too many or swapped, if no more than `limit`.
    fn within(&mut self, candidate: &str, limit: usize) -> Option<usize> {
        let Self { name, letters, candidate: other, rows: [before, last, row] } = self;
        other.clear();
        other.extend(candidate.chars());
        let longest = other.len().max(name.len());
        if other.len().abs_diff(name.len()) > limit {
            return None;
        }
        // Letters that both have, in whatever order: most candidates have too few.
        let mut left = *letters;
        let shared = other.iter().filter(|c| match left.get_mut(**c as usize) {
            Some(0) => false,
            Some(count) => {
                *count -= 1;
                true
            }
            None => true,
        });
        if longest - shared.count().min(longest) > limit {
            return None;
        }
        for row in [&mut *before, &mut *row] {
            row.clear();
            row.resize(other.len() + 1, 0);
        }
        last.clear();
        last.extend(0..=other.len());
        let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
        for (i, a) in name.iter().enumerate() {
            let mut least = i + 1;
            if let Some(first) = row.first_mut() {
                *first = least;
            }
            for (j, b) in other.iter().enumerate() {
                let mut cost = (at(last, j + 1) + 1)
                    .min(at(row, j) + 1)
                    .min(at(last, j) + usize::from(a != b));
                let swapped =
                    i > 0 && j > 0 && name.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
                if swapped {
                    cost = cost.min(at(before, j - 1) + 1);
                }
                if let Some(slot) = row.get_mut(j + 1) {
                    *slot = cost;
                }
                least = least.min(cost);
            }
            if least > limit {
                return None;
            }
            std::mem::swap(before, last);
            std::mem::swap(last, row);
        }
        Some(at(last, other.len())).filter(|distance| *distance <= limit)
    }
}

/// The first candidate that starts like `name`: `H100` is short for `H100_SXM`.
fn same_start<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let common = |candidate: &str| {
        let pairs = name.chars().zip(candidate.chars());
        pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
    };
    let length = name.chars().count();
    let needed = (length * 3).div_ceil(5).max(4.min(length.max(3)));
    // `MI300X_Platform` is one of those whose first word is `MI300X`.
    let first = |name: &str| name.split('_').next().map(str::to_lowercase);
    let (word, words) = (first(name), name.contains('_'));
    let begins = |c: &str| words && word.as_ref().is_some_and(|w| w.len() > 3) && first(c) == word;
    let likely = candidates.iter().filter(|c| common(c) >= needed || begins(c));
    likely.max_by_key(|c| (common(c), std::cmp::Reverse((c.len(), **c)))).copied()
}
