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
    let limit = (name.chars().count() / 3).max(1);
    let lower = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    let mut others: Vec<&'a str> = Vec::new();
    for candidate in candidates {
        if candidate == name {
            continue;
        }
        others.push(candidate);
        let distance = if candidate.to_lowercase() == lower {
            0
        } else {
            strsim::damerau_levenshtein(name, candidate)
        };
        if distance <= limit && best.is_none_or(|(d, b)| (distance, candidate) < (d, b)) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate).or_else(|| same_start(name, &others))
}

/// The first candidate that starts like `name`: `H100` is short for `H100_SXM`.
fn same_start<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let common = |candidate: &str| {
        let pairs = name.chars().zip(candidate.chars());
        pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
    };
    let length = name.chars().count();
    let needed = (length * 3).div_ceil(5).max(4.min(length.max(3)));
    let likely = candidates.iter().filter(|c| common(c) >= needed);
    likely.max_by_key(|c| (common(c), std::cmp::Reverse((c.len(), **c)))).copied()
}
