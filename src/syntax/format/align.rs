//! Aligns what stands in the same place on lines that follow each other.
//!
//! In: spaced lines. Out: the same lines, padded: first `=`, then clauses, then comments. A run
//! ends at an empty line, at a comment of its own, and at a statement of another kind.

use super::lines::Line;

/// A left side longer than this does not push the others away.
const WIDEST_LEFT: usize = 40;
/// Nor does a line of code longer than this.
const WIDEST_CODE: usize = 80;

/// Aligns all runs.
pub(super) fn align(lines: &mut [Line<'_>]) {
    let same = |a: &Line<'_>, b: &Line<'_>| {
        a.whole && b.whole && !b.blank_before && a.indent == b.indent && a.key == b.key
    };
    runs(lines, same, |run| column(run, |line| line.mark, WIDEST_LEFT, pad_mark));
    runs(lines, same, |run| column(run, |line| line.clause, WIDEST_CODE, pad_clause));
    let commented =
        |a: &Line<'_>, b: &Line<'_>| !b.blank_before && is_trailing(a) && is_trailing(b);
    runs(lines, commented, comments);
}

fn is_trailing(line: &Line<'_>) -> bool {
    line.comment.is_some() && !line.code.is_empty()
}

/// Calls `act` on every maximal run of lines that belong together.
fn runs<'a>(
    lines: &mut [Line<'a>],
    same: impl Fn(&Line<'a>, &Line<'a>) -> bool,
    act: impl Fn(&mut [Line<'a>]),
) {
    for run in lines.chunk_by_mut(same) {
        if run.len() > 1 {
            act(run);
        }
    }
}

/// Brings a column of the lines of a run to one place.
fn column(
    run: &mut [Line<'_>],
    at: impl Fn(&Line<'_>) -> Option<usize>,
    widest: usize,
    pad: impl Fn(&mut Line<'_>, usize, usize),
) {
    for part in run.chunk_by_mut(|a, b| at(a).is_some() == at(b).is_some()) {
        let width = |line: &Line<'_>| at(line).map(|at| columns(&line.code, at));
        let target = part.iter().filter_map(width).filter(|w| *w <= widest).max().unwrap_or(0);
        for line in part {
            if let (Some(byte), Some(width)) = (at(line), width(line))
                && width < target
            {
                pad(line, byte, target - width);
            }
        }
    }
}

/// The width of the first `bytes` of `code`.
fn columns(code: &str, bytes: usize) -> usize {
    code.get(..bytes).map_or(bytes, |s| s.chars().count())
}

fn pad_mark(line: &mut Line<'_>, at: usize, by: usize) {
    line.code.insert_str(at, &" ".repeat(by));
    line.clause = line.clause.map(|clause| if clause > at { clause + by } else { clause });
}

fn pad_clause(line: &mut Line<'_>, at: usize, by: usize) {
    line.code.insert_str(at, &" ".repeat(by));
}

fn comments(run: &mut [Line<'_>]) {
    let width = |line: &Line<'_>| line.indent + columns(&line.code, line.code.len());
    let target = run.iter().map(width).filter(|w| *w <= WIDEST_CODE).max().unwrap_or(0);
    for line in run {
        line.gap = 2 + target.saturating_sub(width(line));
    }
}
