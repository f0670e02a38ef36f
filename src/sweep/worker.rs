//! Columns in, columns out: the results of points of one structure or of many.

use std::sync::{Arc, RwLock};

use rustc_hash::FxHashMap;

use super::variant::{Outcome, Variant};
use crate::reading::batch::Runner;

/// Points that share all columns but the last are computed together from so many on.
const SHORTEST_RUN: usize = 16;
/// The mark of a point whose variant is not known yet.
const OPEN: u32 = u32::MAX;

/// Results of some points, column by column.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Why a point cannot be: the number of the reason plus one; 0 where there are results.
    pub broken: Vec<u32>,
    /// Results, in the order of the outputs; NaN where there are none.
    pub values: Vec<Vec<f64>>,
}

/// The variants of one combination of choices, shared by all threads.
pub type Variants = Arc<RwLock<Vec<Arc<Variant>>>>;

/// Computes points; one for each thread.
#[derive(Default)]
pub struct Worker {
    runners: FxHashMap<(usize, Kind), Runner>,
    gathered: Vec<Vec<f64>>,
    results: Vec<Vec<f64>>,
    held: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Holds,
    Each,
    Last,
}

impl Worker {
    /// Results of the points in `columns`, all of one combination of choices, into `block`.
    /// `missing` is told of a point that no variant is for, and adds one; false ends it.
    pub fn evaluate<C: AsRef<[f64]>>(
        &mut self,
        variants: &Variants,
        columns: &[C],
        points: usize,
        outputs: usize,
        block: &mut Block,
        missing: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        block.broken.clear();
        block.broken.resize(points, OPEN);
        block.values.resize(outputs, Vec::new());
        for column in &mut block.values {
            column.clear();
            column.resize(points, f64::NAN);
        }
        let mut open: Vec<u32> = (0..points as u32).collect();
        let mut next = 0;
        while !open.is_empty() {
            let known: Vec<Arc<Variant>> = match variants.read() {
                Ok(list) => list.get(next..).unwrap_or_default().to_vec(),
                Err(_) => return false,
            };
            next += known.len();
            for variant in &known {
                if open.is_empty() {
                    break;
                }
                let mine = self.take(variant, columns, points, &mut open);
                match &variant.outcome {
                    Outcome::Broken(reason) => {
                        for point in mine {
                            if let Some(cell) = block.broken.get_mut(point as usize) {
                                *cell = reason + 1;
                            }
                        }
                    }
                    Outcome::Results { .. } => self.compute(variant, columns, &mine, block),
                }
            }
            if let Some(first) = open.first() {
                let before = variants.read().map_or(0, |list| list.len());
                if before > next {
                    continue;
                }
                if !missing(*first as usize) {
                    return false;
                }
                let after = variants.read().map_or(0, |list| list.len());
                if after == before {
                    return false;
                }
            }
        }
        true
    }

    /// The open points that a variant is for; they are open no more.
    fn take<C: AsRef<[f64]>>(
        &mut self,
        variant: &Arc<Variant>,
        columns: &[C],
        points: usize,
        open: &mut Vec<u32>,
    ) -> Vec<u32> {
        let mut held = std::mem::take(&mut self.held);
        held.clear();
        let mut out = [held];
        if columns.is_empty() {
            let runner = self.runner(variant, Kind::Holds);
            runner.run(&[], &mut out);
        } else if open.len() == points {
            let slices: Vec<&[f64]> = columns.iter().map(AsRef::as_ref).collect();
            self.runner(variant, Kind::Holds).run(&slices, &mut out);
        } else {
            let gathered = self.gather(columns, open);
            let slices: Vec<&[f64]> = gathered.iter().map(Vec::as_slice).collect();
            self.runner(variant, Kind::Holds).run(&slices, &mut out);
            self.gathered = gathered;
        }
        let [held] = out;
        let mut mine = Vec::new();
        let mut lanes = held.iter();
        open.retain(|point| {
            let holds = lanes.next().is_some_and(|v| *v == 1.0);
            if holds {
                mine.push(*point);
            }
            !holds
        });
        self.held = held;
        mine
    }

    fn gather<C: AsRef<[f64]>>(&mut self, columns: &[C], points: &[u32]) -> Vec<Vec<f64>> {
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.resize(columns.len(), Vec::new());
        for (to, from) in gathered.iter_mut().zip(columns.iter().map(AsRef::as_ref)) {
            to.clear();
            to.extend(points.iter().map(|p| from.get(*p as usize).copied().unwrap_or(f64::NAN)));
        }
        gathered
    }

    fn runner(&mut self, variant: &Arc<Variant>, kind: Kind) -> &mut Runner {
        let key = (Arc::as_ptr(variant) as usize, kind);
        self.runners.entry(key).or_insert_with(|| {
            let batch = match (&variant.outcome, kind) {
                (Outcome::Results { each, .. }, Kind::Each) => each,
                (Outcome::Results { last, .. }, Kind::Last) => last,
                _ => &variant.holds,
            };
            Runner::new(batch.clone())
        })
    }

    fn compute<C: AsRef<[f64]>>(
        &mut self,
        variant: &Arc<Variant>,
        columns: &[C],
        points: &[u32],
        block: &mut Block,
    ) {
        let gathered = self.gather(columns, points);
        let mut loose: Vec<u32> = Vec::new();
        let mut start = 0;
        while start < points.len() {
            let end = run_end(&gathered, start, points.len());
            if end - start >= SHORTEST_RUN {
                let slices: Vec<&[f64]> =
                    gathered.iter().map(|c| c.get(start..end).unwrap_or_default()).collect();
                let own = points.get(start..end).unwrap_or_default();
                self.scatter(variant, Kind::Last, &slices, own, block);
            } else {
                loose.extend(start as u32..end as u32);
            }
            start = end;
        }
        if loose.len() == points.len() {
            let slices: Vec<&[f64]> = gathered.iter().map(Vec::as_slice).collect();
            self.scatter(variant, Kind::Each, &slices, points, block);
        } else if !loose.is_empty() {
            let own: Vec<Vec<f64>> = gathered
                .iter()
                .map(|c| loose.iter().filter_map(|p| c.get(*p as usize).copied()).collect())
                .collect();
            let slices: Vec<&[f64]> = own.iter().map(Vec::as_slice).collect();
            let points: Vec<u32> =
                loose.iter().filter_map(|p| points.get(*p as usize).copied()).collect();
            self.scatter(variant, Kind::Each, &slices, &points, block);
        }
        self.gathered = gathered;
    }

    fn scatter(
        &mut self,
        variant: &Arc<Variant>,
        kind: Kind,
        columns: &[&[f64]],
        points: &[u32],
        block: &mut Block,
    ) {
        let mut results = std::mem::take(&mut self.results);
        results.resize(block.values.len(), Vec::new());
        results.iter_mut().for_each(Vec::clear);
        let runner = self.runner(variant, kind);
        if columns.is_empty() {
            // Nothing varies but choices: one result for all points.
            runner.run(&[], &mut results);
        } else {
            runner.run(columns, &mut results);
        }
        for (column, values) in block.values.iter_mut().zip(&results) {
            for (point, value) in points.iter().zip(values) {
                if let Some(cell) = column.get_mut(*point as usize) {
                    *cell = *value;
                }
            }
        }
        for point in points {
            if let Some(cell) = block.broken.get_mut(*point as usize) {
                *cell = 0;
            }
        }
        self.results = results;
    }
}

/// Where the points end that share all columns but the last.
fn run_end(columns: &[Vec<f64>], start: usize, points: usize) -> usize {
    let Some((_, outer)) = columns.split_last() else { return points };
    let mut end = points;
    for column in outer {
        let Some(values) = column.get(start..end) else { continue };
        let Some(first) = values.first() else { continue };
        let same = values.iter().take_while(|v| v.to_bits() == first.to_bits()).count();
        end = start + same.max(1);
    }
    end
}
