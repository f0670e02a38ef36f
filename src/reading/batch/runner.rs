//! Runs a batch over columns, block by block, and remembers what need not be computed again.

use std::sync::Arc;

use super::lanes::{Lane, Width, run};
use super::{Batch, LANES, Segment, Slot};

/// A batch with its registers: one for each thread.
pub struct Runner {
    batch: Arc<Batch>,
    width: Width,
    scalars: Vec<f64>,
    lanes: Vec<Lane>,
    /// Whether registers hold a block.
    warm: bool,
}

impl Runner {
    /// A runner with the widest vectors of this processor.
    #[must_use]
    pub fn new(batch: Arc<Batch>) -> Self {
        Self::with_width(batch, Width::best())
    }

    /// A runner with vectors of a width; one that the processor lacks is as good as the next.
    #[must_use]
    pub fn with_width(batch: Arc<Batch>, width: Width) -> Self {
        let scalars = batch.scalars.clone();
        let lanes = vec![Lane([0.0; LANES]); batch.registers];
        Self { batch, width, scalars, lanes, warm: false }
    }

    /// Appends the values of the roots to `out`, one column each, for the points whose values
    /// stand in `columns`. All columns have the same length; a column that is missing is NaN.
    pub fn run(&mut self, columns: &[&[f64]], out: &mut [Vec<f64>]) {
        let points = columns.iter().map(|c| c.len()).max().unwrap_or(1);
        let source =
            |column: usize| columns.get(column).map_or(Source::UNKNOWN, |c| Source::List(c));
        self.run_from(points, &source, out);
    }

    /// The same with columns that stand elsewhere.
    pub fn run_from<'a>(
        &mut self,
        points: usize,
        source: &dyn Fn(usize) -> Source<'a>,
        out: &mut [Vec<f64>],
    ) {
        let mut start = 0;
        while start < points {
            let count = LANES.min(points - start);
            self.block(start, count, source);
            self.read(count, out);
            start += count;
        }
    }

    /// Computes the block of `count` points from `start` on.
    fn block<'a>(&mut self, start: usize, count: usize, source: &dyn Fn(usize) -> Source<'a>) {
        let Self { batch, scalars, lanes, warm, width } = self;
        let mut changed = if *warm { 0 } else { u64::MAX };
        *warm = true;
        // Where nothing stays, every block is new.
        let all_new = batch.uniform == 0;
        for (index, load) in batch.loads.iter().enumerate() {
            let Some(slot) = load else { continue };
            let source = source(index);
            let mask = batch.masks.get(index).copied().unwrap_or(u64::MAX);
            match slot {
                Slot::Scalar(at) => {
                    let value = source.last(start, count);
                    if let Some(cell) = scalars.get_mut(*at as usize)
                        && cell.to_bits() != value.to_bits()
                    {
                        *cell = value;
                        changed |= mask;
                    }
                }
                Slot::Vector(at) => {
                    let Some(lane) = lanes.get_mut(*at as usize) else { continue };
                    if source.fill(start, count, lane, all_new) {
                        changed |= mask;
                    }
                }
            }
        }
        for segment in &batch.segments {
            if segment.columns & changed == 0 && !all_new {
                continue;
            }
            if segment.scalar {
                run_scalars(segment, scalars);
            } else {
                run(*width, &segment.steps, scalars, lanes);
            }
        }
    }

    /// Appends the first `count` lanes of every root.
    fn read(&self, count: usize, out: &mut [Vec<f64>]) {
        for (root, out) in self.batch.roots.iter().zip(out) {
            match root {
                Slot::Scalar(at) => {
                    let value = self.scalars.get(*at as usize).copied().unwrap_or(f64::NAN);
                    out.resize(out.len() + count, value);
                }
                Slot::Vector(at) => {
                    let lanes = self.lanes.get(*at as usize).and_then(|l| l.0.get(..count));
                    out.extend_from_slice(lanes.unwrap_or_default());
                }
            }
        }
    }
}

fn run_scalars(segment: &Segment, scalars: &mut [f64]) {
    for step in &segment.steps {
        let [a, b, c] = step.operands.map(|slot| match slot {
            Slot::Scalar(at) => scalars.get(at as usize).copied(),
            Slot::Vector(_) => None,
        });
        let value = |v: Option<f64>| v.unwrap_or(f64::NAN);
        let result = step.op.apply(value(a), value(b), value(c));
        if let Some(cell) = scalars.get_mut(step.to as usize) {
            *cell = result;
        }
    }
}

/// Where the values of a column stand.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// One for each point.
    List(&'a [f64]),
    /// The same for all points.
    Same(f64),
    /// In a table of rows of `width`, at `at` of the row that each point names.
    Table {
        /// The rows, one after the other.
        table: &'a [f64],
        /// Values of a row.
        width: usize,
        /// Which of them.
        at: usize,
        /// The row of every point.
        rows: &'a [u32],
    },
}

impl Source<'_> {
    /// A column that nobody gives.
    pub const UNKNOWN: Self = Self::Same(f64::NAN);

    /// The value of the last of some points.
    fn last(&self, start: usize, count: usize) -> f64 {
        let last = start + count - 1;
        let value = match *self {
            Self::List(list) => list.get(last).or(list.last()).copied(),
            Self::Same(value) => Some(value),
            Self::Table { table, width, at, rows } => {
                rows.get(last).and_then(|row| table.get(*row as usize * width + at)).copied()
            }
        };
        value.unwrap_or(f64::NAN)
    }

    /// Fills a register; lanes beyond the end repeat the last value. Says whether it is another
    /// one than before, or yes where nobody wants to know.
    fn fill(&self, start: usize, count: usize, lane: &mut Lane, all_new: bool) -> bool {
        let last = self.last(start, count);
        let (front, rest) = lane.0.split_at_mut(count.min(LANES));
        match *self {
            Self::List(list) => {
                let values = list.get(start..start + front.len()).unwrap_or_default();
                let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
                if !all_new
                    && front.len() == values.len()
                    && front.iter().zip(values).all(same)
                    && rest.iter().all(|a| same((a, &last)))
                {
                    return false;
                }
                if front.len() == values.len() {
                    front.copy_from_slice(values);
                } else {
                    front.fill(f64::NAN);
                }
            }
            Self::Same(value) => front.fill(value),
            Self::Table { table, width, at, rows } => {
                let rows = rows.get(start..).unwrap_or_default();
                for (to, row) in front.iter_mut().zip(rows) {
                    let value = table.get(*row as usize * width + at);
                    *to = value.copied().unwrap_or(f64::NAN);
                }
            }
        }
        rest.fill(last);
        true
    }
}
