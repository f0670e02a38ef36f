//! What does not fit, as findings: one for each weight, not one for each layer.
//!
//! In: what was matched. Out: diagnostics at the lines that declare the weights.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::checkpoint::Checkpoint;
use super::header::plain;
use super::matching::{Difference, Different, Matched, Use};
use super::wanted::Wants;
use crate::diagnostic::{Diagnostic, closest, codes};
use crate::source::Place;

/// Names that are listed in full.
const LISTED: usize = 4;

/// Names with numbers left out that are listed.
const PATTERNS: usize = 12;

/// The findings. `model` is where the model stands.
#[must_use]
pub fn findings(
    wants: &Wants,
    checkpoint: &Checkpoint,
    matched: &Matched,
    model: Place,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (path, place) in &wants.nameless {
        let title = format!("`{path}` has no name in a checkpoint");
        let label = "declared without `from`";
        found.push(Diagnostic::new(codes::NO_TENSOR_NAME, title, *place, label));
    }
    let surplus = surplus(checkpoint, matched);
    differences(&mut found, wants, matched, model, &surplus);
    let unknown = unknown(&surplus, model);
    found.extend(match (unknown, behind(wants, &surplus)) {
        (Some(finding), Some(layer)) => Some(finding.note(format!(
            "all of them stand in `{}`, behind the last layer of the model: a layer that proposes \
             further tokens; many blocks hold it with `drafters: 1`",
            plain(&layer)
        ))),
        (unknown, _) => unknown,
    });
    found
}

/// `model.layers.61`, where all unknown tensors are in it and the model's layers end at 60.
fn behind(wants: &Wants, surplus: &BTreeMap<String, Vec<&str>>) -> Option<String> {
    let first = surplus.values().flatten().next()?;
    let mut at = 0;
    let (layer, before) = first.split('.').find_map(|part| {
        let start = at;
        at += part.len() + 1;
        let number: u64 = part.parse().ok()?;
        let stem = first.get(..start)?;
        Some((format!("{stem}{number}."), format!("{stem}{}.", number.checked_sub(1)?)))
    })?;
    let mut all = surplus.values().flatten();
    let has = |start: &str| wants.tensors.iter().any(|t| t.name.starts_with(start));
    let is_it = all.all(|name| name.starts_with(&layer)) && has(&before) && !has(&layer);
    is_it.then(|| layer.trim_end_matches('.').to_owned())
}

/// One finding for all tensors that the model does not know.
fn unknown(surplus: &BTreeMap<String, Vec<&str>>, model: Place) -> Option<Diagnostic> {
    let count: usize = surplus.values().map(Vec::len).sum();
    let title = match surplus.iter().next()? {
        (_, names) if count == 1 => {
            format!("the model does not know `{}`", plain(names.first().unwrap_or(&"")))
        }
        (pattern, _) if surplus.len() == 1 => {
            format!("the model does not know {count} tensors `{}`", plain(pattern))
        }
        _ => format!("the model does not know {count} tensors of the checkpoint"),
    };
    let label = "no weight of this model is stored there";
    let mut finding = Diagnostic::new(codes::TENSOR_SURPLUS, title, model, label);
    if surplus.len() == 1 {
        return Some(finding);
    }
    for (pattern, names) in surplus.iter().take(PATTERNS) {
        let count =
            if names.len() == 1 { String::new() } else { format!(", {} times", names.len()) };
        finding = finding.note(format!("`{}`{count}", plain(pattern)));
    }
    let more = surplus.len().saturating_sub(PATTERNS);
    Some(if more > 0 { finding.note(format!("and {more} more names")) } else { finding })
}

/// Differences of the same kind and weight together.
fn differences(
    found: &mut Vec<Diagnostic>,
    wants: &Wants,
    matched: &Matched,
    model: Place,
    surplus: &BTreeMap<String, Vec<&str>>,
) {
    type Kind = (usize, Option<String>, Difference);
    let mut groups: IndexMap<Kind, Vec<&str>> = IndexMap::new();
    let whole = one_format(matched);
    if let Some((wanted, stored, count)) = &whole {
        let title = format!("{count} tensors are stored as {stored}, and the spec says {wanted}");
        let label = "no weight has the format of the spec";
        let note = "say it in the model: `precision { weights = … }`";
        found.push(Diagnostic::new(codes::TENSOR_DTYPE, title, model, label).note(note));
    }
    for Different { wanted, name, part, what } in &matched.differences {
        if whole.is_some() && matches!(what, Difference::Dtype { .. }) {
            continue;
        }
        let Some(wanted) = wants.tensors.get(*wanted) else { continue };
        let Some(weight) = wanted.weights.first() else { continue };
        groups.entry((*weight, part.clone(), what.clone())).or_default().push(name);
    }
    for ((weight, part, difference), names) in groups {
        let Some(weight) = wants.weights.get(weight) else { continue };
        let label = format!("the weight `{}[{}]`", weight.path, weight.axes);
        let subject = match names.as_slice() {
            [name] => format!("`{}`", plain(name)),
            names => {
                let (count, all) = (names.len(), weight.tensors);
                let of = if count as u64 == all { String::new() } else { format!(" of {all}") };
                let name = match part {
                    Some(_) => names.first().map_or(String::new(), |n| pattern(n)),
                    None => weight.pattern.clone(),
                };
                format!("{count}{of} tensors `{}`", plain(&name))
            }
        };
        let many = names.len() > 1;
        let (are, have) = if many { ("are", "have") } else { ("is", "has") };
        let mut finding = match &difference {
            Difference::Missing => {
                let title = format!("{subject} {are} not in the checkpoint");
                let finding = Diagnostic::new(codes::TENSOR_MISSING, title, weight.place, label);
                let known = surplus.values().filter_map(|names| names.first().copied());
                match names.first().and_then(|name| closest(name, known)) {
                    Some(near) => finding.note(format!("it has `{}`", plain(near))),
                    None => finding,
                }
            }
            Difference::Shape { wanted, found, turned } => {
                let title = format!("{subject} {have} the shape {found}, and {wanted} is wanted");
                let finding = Diagnostic::new(codes::TENSOR_SHAPE, title, weight.place, label);
                let note = "it is the matrix turned round; a name that ends in `^T` says that a \
                            checkpoint stores it so";
                match (*turned, &part) {
                    (true, None) => finding.note(note),
                    (true, Some(_)) => finding.note("it is the other way round"),
                    (false, _) => finding,
                }
            }
            Difference::PartFormat { wanted, found } => {
                let title = format!("{subject} {are} stored as {found}, and not as {wanted}");
                Diagnostic::new(codes::TENSOR_DTYPE, title, weight.place, label)
            }
            Difference::Lacks { what } => {
                let title = format!("{subject} {have} no {what} in the checkpoint");
                let note = format!("its format `{}` cannot be read without them", weight.dtype);
                Diagnostic::new(codes::TENSOR_MISSING, title, weight.place, label).note(note)
            }
            Difference::Dtype { wanted, found } => {
                let title =
                    format!("{subject} {are} stored as {found}, and the spec says {wanted}");
                Diagnostic::new(codes::TENSOR_DTYPE, title, weight.place, label)
            }
        };
        if many {
            finding = finding.note(listed(&names));
        }
        found.push(finding.and(model, "in this model"));
    }
}

/// Where every tensor that was found has one other format than the spec says: what was wanted, what
/// is there, and how many.
fn one_format(matched: &Matched) -> Option<(&str, &str, usize)> {
    let mut formats = matched.differences.iter().filter_map(|d| match &d.what {
        Difference::Dtype { wanted, found } => Some((wanted.as_str(), found.as_str())),
        _ => None,
    });
    let first = formats.next()?;
    let mut count = 1;
    for format in formats {
        if format != first {
            return None;
        }
        count += 1;
    }
    let all = matched.found.iter().flatten().count();
    (count > 1 && count == all).then_some((first.0, first.1, count))
}

/// `a`, `b`, `c` and 12 others.
fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(|n| format!("`{}`", plain(n))).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        1 => format!("{} and one more", shown.join(", ")),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Tensors that the model does not know, by their names with numbers left out.
fn surplus<'c>(checkpoint: &'c Checkpoint, matched: &Matched) -> BTreeMap<String, Vec<&'c str>> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (tensor, used) in checkpoint.tensors.iter().zip(&matched.uses) {
        if *used == Use::Surplus {
            groups.entry(pattern(&tensor.name)).or_default().push(&tensor.name);
        }
    }
    groups
}

/// `model.layers.*.mlp.bias`.
fn pattern(name: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts = name.split('.').map(|part| if is_number(part) { "*" } else { part });
    parts.collect::<Vec<_>>().join(".")
}
