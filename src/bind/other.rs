//! Weights that a checkpoint stores otherwise than the spec names them: side by side in one tensor,
//! or each by itself.
//!
//! In: wanted tensors that were not found. Out: the tensors to want in their place, where the
//! table `names.toml` has a rule and the checkpoint has all that the rule says.

use indexmap::IndexMap;

use super::names::Other;
use super::wanted::{Wanted, Wants};

/// Rewrites what `is_missing` (by position) with the rules, where `is_there` says so of the new
/// names. Returns whether anything changed.
pub(super) fn rewrite(
    wants: &mut Wants,
    rules: &[Other],
    is_missing: &dyn Fn(usize) -> bool,
    is_there: &dyn Fn(&str) -> bool,
) -> bool {
    let mut changed = false;
    let mut gone = vec![false; wants.tensors.len()];
    let mut new = Vec::new();
    for rule in rules {
        // By what stands around the part that the rule replaces: the tensors that belong together.
        let mut groups: IndexMap<(String, String), Vec<(usize, usize)>> = IndexMap::new();
        for (i, wanted) in wants.tensors.iter().enumerate() {
            if !is_missing(i) || gone.get(i) != Some(&false) {
                continue;
            }
            let found = rule.spec.iter().enumerate();
            let mut found = found.filter_map(|(at, part)| Some((at, around(&wanted.name, part)?)));
            if let Some((at, around)) = found.next() {
                groups.entry(around).or_default().push((at, i));
            }
        }
        for ((before, after), members) in groups {
            let all = (0..rule.spec.len()).all(|at| members.iter().any(|(a, _)| *a == at));
            let ends = [after.as_str(), after.strip_suffix(".weight").unwrap_or(&after)];
            let end = ends.into_iter().find(|end| {
                rule.stored.iter().all(|part| is_there(&format!("{before}{part}{end}")))
            });
            let (true, Some(end)) = (all, end) else { continue };
            let weights: Vec<usize> = members
                .iter()
                .filter_map(|(_, i)| wants.tensors.get(*i))
                .flat_map(|w| w.weights.iter().copied())
                .collect();
            let names = rule.stored.iter().map(|part| format!("{before}{part}{end}"));
            let added: Vec<Wanted> = match rule.stored.len() {
                1 => names.map(|name| Wanted { name, weights: weights.clone() }).collect(),
                n if n == weights.len() => names
                    .zip(&weights)
                    .map(|(name, w)| Wanted { name, weights: vec![*w] })
                    .collect(),
                _ => continue,
            };
            for (_, i) in &members {
                if let Some(gone) = gone.get_mut(*i) {
                    *gone = true;
                }
            }
            new.extend(added);
            changed = true;
        }
    }
    let mut kept = gone.iter();
    wants.tensors.retain(|_| kept.next() != Some(&true));
    wants.tensors.extend(new);
    changed
}

/// What stands before and behind a part of a name; `*` in the part is any number.
fn around(name: &str, part: &str) -> Option<(String, String)> {
    let (start, end) = part.split_once('*').unwrap_or((part, ""));
    let mut from = 0;
    while let Some(found) = name.get(from..)?.find(start) {
        let at = from + found;
        from = at + 1;
        let before = name.get(..at)?;
        let mut rest = name.get(at + start.len()..)?;
        if part.contains('*') {
            let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let is_number = digits.len() < rest.len();
            match digits.strip_prefix(end).filter(|_| is_number) {
                Some(behind) => rest = behind,
                None => continue,
            }
        }
        let whole = (before.is_empty() || before.ends_with('.'))
            && (rest.is_empty() || rest.starts_with('.'));
        if whole {
            return Some((before.to_owned(), rest.to_owned()));
        }
    }
    None
}
