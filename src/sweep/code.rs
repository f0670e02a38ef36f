//! Roots as code for the points of a space: what outer columns decide, once for each combination.

use std::sync::{Arc, OnceLock};

use super::space::Outer;
use crate::reading::batch::{Batch, Runner, Source, Split};

/// A value taken from a table costs about as much as so many operations.
const GATHERED: usize = 3;
/// Points of one combination are computed as such from so many on.
const LONG: usize = 40;

/// Code for the points of one structure.
#[derive(Clone, Debug)]
pub enum Code {
    /// Every column differs from point to point.
    Each(Arc<Batch>),
    /// Some columns are outer ones; with what their part gives at every combination, once known.
    Split(Split, Arc<OnceLock<Vec<f64>>>),
}

/// Which points.
pub struct Points<'a, C> {
    /// How many.
    pub count: usize,
    /// The outer columns and the combination of them that each point has, if there are any.
    pub outer: Option<(&'a Outer, &'a [u32])>,
    /// The other columns.
    pub columns: &'a [C],
}

impl<C> Copy for Points<'_, C> {}

impl<C> Clone for Points<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Code with its registers: one for each thread.
pub(super) enum Running {
    Each(Runner),
    Split { mixed: Runner, last: Runner, each: Runner, gathers: bool },
}

impl Code {
    /// The code where nothing is known beforehand.
    #[must_use]
    pub fn each(&self) -> &Batch {
        match self {
            Self::Each(batch) => batch,
            Self::Split(split, _) => &split.each,
        }
    }

    pub(super) fn start(&self) -> Running {
        match self {
            Self::Each(batch) => Running::Each(Runner::new(batch.clone())),
            Self::Split(split, _) => Running::Split {
                mixed: Runner::new(split.mixed.clone()),
                last: Runner::new(split.last.clone()),
                each: Runner::new(split.each.clone()),
                gathers: split.outer.roots() * GATHERED + split.mixed.len() < split.each.len(),
            },
        }
    }

    /// Appends the values of the roots at the points, in their order.
    pub(super) fn run<C: AsRef<[f64]>>(
        &self,
        running: &mut Running,
        points: Points<'_, C>,
        out: &mut [Vec<f64>],
    ) {
        let (runner, (outer, combinations)) = match (running, points.outer) {
            (Running::Each(runner) | Running::Split { each: runner, .. }, None) => {
                let column = |at: usize| points.columns.get(at).map(AsRef::as_ref);
                let source = |at| column(at).map_or(Source::UNKNOWN, Source::List);
                return runner.run_from(points.count, &source, out);
            }
            (running, Some(outer)) => (running, outer),
        };
        let mut from = 0;
        while from < points.count {
            let (to, long) = stretch(combinations, from, points.count);
            let rows = combinations.get(from..to).unwrap_or_default();
            let column = |at: usize| {
                let values = points.columns.get(at).and_then(|c| c.as_ref().get(from..to));
                values.map_or(Source::UNKNOWN, Source::List)
            };
            match (self, &mut *runner) {
                (Self::Split(split, kept), Running::Split { mixed, last, gathers, .. })
                    if long || *gathers =>
                {
                    let table = kept.get_or_init(|| table(split, outer)).as_slice();
                    let width = split.outer.roots();
                    let inner = points.columns.len();
                    let row = rows.first().map_or(0, |r| *r as usize) * width;
                    let given = |at: usize| match long {
                        true => table.get(row + at).map_or(Source::UNKNOWN, |v| Source::Same(*v)),
                        false => Source::Table { table, width, at, rows },
                    };
                    let source = |at| if at < inner { column(at) } else { given(at - inner) };
                    let runner = if long { last } else { mixed };
                    runner.run_from(to - from, &source, out);
                }
                (_, Running::Each(runner) | Running::Split { each: runner, .. }) => {
                    let (table, width) = (outer.rows.as_slice(), outer.columns);
                    let source = |at| match at {
                        at if at < width => Source::Table { table, width, at, rows },
                        at => column(at - width),
                    };
                    runner.run_from(to - from, &source, out);
                }
            }
            from = to;
        }
    }
}

/// What the outer part gives, combination by combination.
fn table(split: &Split, outer: &Outer) -> Vec<f64> {
    let mut columns = vec![Vec::new(); split.outer.roots()];
    let values: Vec<&[f64]> = outer.values.iter().map(Vec::as_slice).collect();
    Runner::new(split.outer.clone()).run(&values, &mut columns);
    let combinations = columns.first().map_or(0, Vec::len);
    let row = |at: usize| columns.iter().filter_map(move |c| c.get(at).copied());
    (0..combinations).flat_map(row).collect()
}

/// Where a stretch of points ends that are computed alike, and whether all of it has one
/// combination.
fn stretch(combinations: &[u32], from: usize, count: usize) -> (usize, bool) {
    let run = |start: usize| {
        let rest = combinations.get(start..count).unwrap_or_default();
        let Some(first) = rest.first() else { return count };
        start + rest.iter().take_while(|c| *c == first).count()
    };
    let mut end = run(from);
    if end - from >= LONG {
        return (end, true);
    }
    while end < count {
        let next = run(end);
        if next - end >= LONG {
            break;
        }
        end = next;
    }
    (end, false)
}
