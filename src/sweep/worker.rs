//! Columns in, columns out: the results of points of one structure or of many.

use std::sync::{Arc, RwLock};

use rustc_hash::FxHashMap;

use super::code::{Points, Running};
use super::variant::{Outcome, Variant};

/// The mark of a point whose variant is not known yet.
const OPEN: u32 = u32::MAX;

/// Results of some points, column by column.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Why a point cannot be: the number of the reason plus one; 0 where there are results.
    pub broken: Vec<u32>,
    /// Results, in the order of the outputs; NaN where there are none. A column that no point
    /// has may be empty.
    pub values: Vec<Vec<f64>>,
}

/// The variants of one combination of choices, shared by all threads.
pub type Variants = Arc<RwLock<Vec<Arc<Variant>>>>;

/// Computes points; one for each thread.
#[derive(Default)]
pub struct Worker {
    running: FxHashMap<usize, Started>,
    results: Vec<Vec<f64>>,
    held: Vec<f64>,
    some: Taken,
}

/// A variant with the registers of its two codes.
struct Started {
    holds: Running,
    results: Option<Running>,
    /// So that no other variant gets the same address.
    _variant: Arc<Variant>,
}

/// Points taken out of many.
#[derive(Default)]
struct Taken {
    combinations: Vec<u32>,
    columns: Vec<Vec<f64>>,
}

impl Taken {
    fn take<C: AsRef<[f64]>>(&mut self, points: Points<'_, C>, which: &[u32]) {
        self.combinations.clear();
        if let Some((_, all)) = points.outer {
            let taken = which.iter().filter_map(|p| all.get(*p as usize).copied());
            self.combinations.extend(taken);
        }
        self.columns.resize(points.columns.len(), Vec::new());
        for (to, from) in self.columns.iter_mut().zip(points.columns.iter().map(AsRef::as_ref)) {
            to.clear();
            to.extend(which.iter().map(|p| from.get(*p as usize).copied().unwrap_or(f64::NAN)));
        }
    }

    fn points<'a>(&'a self, like: Points<'a, impl Sized>, count: usize) -> Points<'a, Vec<f64>> {
        let outer = like.outer.map(|(outer, _)| (outer, self.combinations.as_slice()));
        Points { count, outer, columns: &self.columns }
    }
}

/// How often a point is asked a variant for; other threads may have made theirs in between.
const MOST_TRIES: usize = 1_000;

impl Worker {
    /// Results of points, all of one combination of choices, into `block`. `missing` is told of a
    /// point that no variant is for and of how many were tried, and adds one; false ends it.
    pub fn evaluate<C: AsRef<[f64]>>(
        &mut self,
        variants: &Variants,
        points: Points<'_, C>,
        outputs: usize,
        block: &mut Block,
        missing: &mut dyn FnMut(usize, usize) -> bool,
    ) -> bool {
        block.broken.clear();
        block.broken.resize(points.count, OPEN);
        block.values.resize(outputs, Vec::new());
        block.values.iter_mut().for_each(Vec::clear);
        let mut open: Vec<u32> = (0..points.count as u32).collect();
        let mut next = 0;
        let mut asked = (u32::MAX, 0);
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
                let mine = self.take(variant, points, &mut open);
                if mine.is_empty() {
                    continue;
                }
                let broken = match &variant.outcome {
                    Outcome::Broken(reason) => reason + 1,
                    Outcome::Results { .. } => {
                        self.compute(variant, points, &mine, block);
                        0
                    }
                };
                for point in mine {
                    if let Some(cell) = block.broken.get_mut(point as usize) {
                        *cell = broken;
                    }
                }
            }
            if let Some(first) = open.first() {
                let before = variants.read().map_or(0, |list| list.len());
                if before > next {
                    continue;
                }
                // A point for which no variant can be made would be asked for again and again.
                asked = if asked.0 == *first { (*first, asked.1 + 1) } else { (*first, 0) };
                if asked.1 > MOST_TRIES || !missing(*first as usize, next) {
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
        points: Points<'_, C>,
        open: &mut Vec<u32>,
    ) -> Vec<u32> {
        let Self { running, held, some, .. } = self;
        let running = &mut started(running, variant).holds;
        held.clear();
        let out = std::slice::from_mut(held);
        if open.len() == points.count {
            variant.holds.run(running, points, out);
        } else {
            some.take(points, open);
            variant.holds.run(running, some.points(points, open.len()), out);
        }
        if held.iter().all(|v| *v == 1.0) && held.len() == open.len() {
            return std::mem::take(open);
        }
        let mut mine = Vec::new();
        let mut lanes = held.iter();
        open.retain(|point| {
            let holds = lanes.next().is_some_and(|v| *v == 1.0);
            if holds {
                mine.push(*point);
            }
            !holds
        });
        mine
    }

    /// The results of points into their places.
    fn compute<C: AsRef<[f64]>>(
        &mut self,
        variant: &Arc<Variant>,
        points: Points<'_, C>,
        mine: &[u32],
        block: &mut Block,
    ) {
        let Outcome::Results { code, .. } = &variant.outcome else { return };
        let Self { running, results, some, .. } = self;
        let Some(running) = &mut started(running, variant).results else { return };
        let roots = code.each().roots().min(block.values.len());
        if mine.len() == points.count {
            let out = block.values.split_at_mut(roots).0;
            out.iter_mut().for_each(Vec::clear);
            code.run(running, points, out);
            return;
        }
        results.resize(roots, Vec::new());
        results.iter_mut().for_each(Vec::clear);
        some.take(points, mine);
        code.run(running, some.points(points, mine.len()), results);
        for (column, values) in block.values.iter_mut().zip(&*results) {
            if column.len() < points.count {
                column.resize(points.count, f64::NAN);
            }
            scatter(mine, values, column);
        }
    }
}

/// The registers of a variant; an address stands for it as long as it is kept.
fn started<'a>(
    running: &'a mut FxHashMap<usize, Started>,
    variant: &Arc<Variant>,
) -> &'a mut Started {
    running.entry(Arc::as_ptr(variant) as usize).or_insert_with(|| Started {
        holds: variant.holds.start(),
        results: match &variant.outcome {
            Outcome::Results { code, .. } => Some(code.start()),
            Outcome::Broken(_) => None,
        },
        _variant: variant.clone(),
    })
}

/// Puts values where they belong; points that follow each other at once.
fn scatter(points: &[u32], values: &[f64], column: &mut [f64]) {
    let mut from = 0;
    while let Some(&first) = points.get(from) {
        let rest = points.get(from..).unwrap_or_default();
        let follow = rest.iter().zip(first..).take_while(|(p, expected)| **p == *expected);
        let to = from + follow.count();
        let place = column.get_mut(first as usize..first as usize + (to - from));
        if let (Some(place), Some(values)) = (place, values.get(from..to)) {
            place.copy_from_slice(values);
        }
        from = to;
    }
}
