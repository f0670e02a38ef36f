//! Applying fixes: `--fix` and the editor's "fix all".
//!
//! In: findings. Out: new texts for the files that change. Only [`Safety::Safe`] fixes of users'
//! files are taken; of two fixes that touch the same bytes the later one waits for the next round
//! (repeating until nothing changes is the caller's business).

use std::collections::BTreeMap;

use super::{Diagnostic, Edit, Fix, Safety};
use crate::source::{FileId, Origin, SourceFile, Sources, Span};

/// What [`apply`] made.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fixed {
    /// The new text of every file that changed.
    pub texts: BTreeMap<FileId, String>,
    /// How many findings were mended.
    pub applied: usize,
    /// How many safe fixes had to wait, because an earlier one touches the same place.
    pub skipped: usize,
}

/// The accepted edits of one file by where they start; none overlaps another.
type Accepted<'a> = BTreeMap<Span, &'a str>;

/// Applies the first safe fix of each finding, in the order given.
#[must_use]
pub fn apply(sources: &Sources, diagnostics: &[Diagnostic]) -> Fixed {
    let mut accepted: BTreeMap<FileId, Accepted<'_>> = BTreeMap::new();
    let mut fixed = Fixed::default();
    for fix in diagnostics.iter().filter_map(safe) {
        if fix.edits.is_empty() || !fix.edits.iter().all(|e| is_possible(sources, e)) {
            continue;
        }
        if take(&mut accepted, fix) {
            fixed.applied += 1;
        } else {
            fixed.skipped += 1;
        }
    }
    fixed.texts = accepted
        .into_iter()
        .map(|(id, edits)| (id, rewrite(sources.file(id), &edits)))
        .filter(|(id, text)| **text != *sources.file(*id).text)
        .collect();
    fixed
}

fn safe(diagnostic: &Diagnostic) -> Option<&Fix> {
    diagnostic.fixes.iter().find(|f| f.safety == Safety::Safe)
}

/// Whether the edit lies inside a user's text, on character boundaries.
fn is_possible(sources: &Sources, edit: &Edit) -> bool {
    let file = sources.file(edit.place.file);
    let Span { start, end } = edit.place.span;
    file.origin == Origin::User && file.text.get(start as usize..end as usize).is_some()
}

/// Accepts all edits of a fix or none. The same edit wanted by two findings counts for both.
fn take<'a>(accepted: &mut BTreeMap<FileId, Accepted<'a>>, fix: &'a Fix) -> bool {
    let mut trial = Vec::new();
    for edit in &fix.edits {
        let edits = accepted.entry(edit.place.file).or_default();
        let same = edits.get(&edit.place.span).is_some_and(|text| *text == edit.text);
        if same {
            continue;
        }
        let earlier = edits.range(..=edit.place.span).next_back();
        let later = edits.range(edit.place.span..).next();
        let clash = [earlier, later].into_iter().flatten().any(|(s, _)| clash(*s, edit.place.span));
        if clash {
            for (file, span) in trial {
                accepted.entry(file).or_default().remove(&span);
            }
            return false;
        }
        edits.insert(edit.place.span, &edit.text);
        trial.push((edit.place.file, edit.place.span));
    }
    true
}

/// Whether two edits meet: they share a byte, or one is an insertion at the other's border, where
/// the order would be a guess.
fn clash(a: Span, b: Span) -> bool {
    let insertion = a.start == a.end || b.start == b.end;
    if insertion {
        a.start <= b.end && b.start <= a.end
    } else {
        a.start < b.end && b.start < a.end
    }
}

fn rewrite(file: &SourceFile, edits: &Accepted<'_>) -> String {
    let mut out = String::with_capacity(file.text.len());
    let mut at = 0;
    for (span, text) in edits {
        out.push_str(file.slice(Span::new(at, span.start)));
        out.push_str(text);
        at = span.end;
    }
    out.push_str(file.text.get(at as usize..).unwrap_or(""));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;
    use crate::source::Place;

    fn finding(file: FileId, start: u32, end: u32, text: &str, safety: Safety) -> Diagnostic {
        let place = Place { file, span: Span::new(start, end) };
        Diagnostic::new(codes::UNKNOWN_NAME, "t", place, "l").fix("do", place, text, safety)
    }

    fn one(text: &str) -> (Sources, FileId) {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.mesa", text, Origin::User));
        (sources, id)
    }

    #[test]
    fn applies_several_edits_whatever_their_order() {
        let (sources, id) = one("abc def ghi");
        let findings = [
            finding(id, 8, 11, "GHI!", Safety::Safe),
            finding(id, 0, 3, "", Safety::Safe),
            finding(id, 4, 4, "~", Safety::Safe),
        ];
        let fixed = apply(&sources, &findings);
        assert_eq!(fixed.texts[&id], " ~def GHI!");
        assert_eq!((fixed.applied, fixed.skipped), (3, 0));
    }

    #[test]
    fn suggestions_and_library_files_are_left_alone() {
        let (mut sources, id) = one("abc");
        let std = sources.add(SourceFile::new("std/a.mesa", "abc", Origin::Std));
        let findings =
            [finding(id, 0, 1, "x", Safety::Review), finding(std, 0, 1, "x", Safety::Safe)];
        assert_eq!(apply(&sources, &findings), Fixed::default());
    }

    #[test]
    fn the_later_of_two_conflicting_fixes_waits() {
        let (sources, id) = one("abcdef");
        let findings = [
            finding(id, 1, 4, "X", Safety::Safe),
            finding(id, 3, 5, "Y", Safety::Safe),
            finding(id, 4, 4, "insertion at the border", Safety::Safe),
            finding(id, 0, 6, "all of it", Safety::Safe),
            finding(id, 4, 5, "touching is fine ", Safety::Safe),
        ];
        let fixed = apply(&sources, &findings);
        assert_eq!(fixed.texts[&id], "aXtouching is fine f");
        assert_eq!((fixed.applied, fixed.skipped), (2, 3));
    }

    #[test]
    fn a_fix_is_taken_whole_or_not_at_all() {
        let (sources, id) = one("abcdef");
        let mut both = finding(id, 5, 6, "F", Safety::Safe);
        both.fixes[0]
            .edits
            .push(Edit { place: Place { file: id, span: Span::new(0, 2) }, text: "clash".into() });
        let fixed = apply(&sources, &[finding(id, 1, 2, "B", Safety::Safe), both]);
        assert_eq!(fixed.texts[&id], "aBcdef");
    }

    #[test]
    fn the_same_edit_wanted_twice_is_made_once() {
        let (sources, id) = one("abc");
        let edit = || finding(id, 3, 3, "!", Safety::Safe);
        let fixed = apply(&sources, &[edit(), edit()]);
        assert_eq!((fixed.texts[&id].as_str(), fixed.applied), ("abc!", 2));
    }

    #[test]
    fn edits_that_split_a_character_or_leave_the_text_are_ignored() {
        let (sources, id) = one("é");
        let wild = [finding(id, 1, 2, "x", Safety::Safe), finding(id, 2, 9, "x", Safety::Safe)];
        assert_eq!(apply(&sources, &wild), Fixed::default());
    }
}
