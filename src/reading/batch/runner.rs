//! Runs a batch over columns, block by block, and remembers what need not be computed again.

use std::sync::Arc;

use super::lanes::{Lane, Width, run};
use super::{Batch, LANES, Slot};

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
        let mut start = 0;
        while start < points {
            let count = LANES.min(points - start);
            self.block(&|column| columns.get(column).and_then(|c| c.get(start..start + count)));
            self.read(count, out);
            start += count;
        }
    }

    /// Computes one block. `column` gives up to 64 values of a column.
    fn block<'a>(&mut self, column: &dyn Fn(usize) -> Option<&'a [f64]>) {
        let batch = self.batch.clone();
        let mut changed = if self.warm { 0 } else { u64::MAX };
        self.warm = true;
        for (index, load) in batch.loads.iter().enumerate() {
            let Some(slot) = load else { continue };
            let values = column(index).unwrap_or(&[]);
            let last = values.last().copied().unwrap_or(f64::NAN);
            match slot {
                Slot::Scalar(at) => {
                    if let Some(cell) = self.scalars.get_mut(*at as usize)
                        && cell.to_bits() != last.to_bits()
                    {
                        *cell = last;
                        changed |= 1 << index;
                    }
                }
                Slot::Vector(at) => {
                    let Some(lane) = self.lanes.get_mut(*at as usize) else { continue };
                    // Lanes beyond the end repeat the last value.
                    let (front, rest) = lane.0.split_at_mut(values.len().min(LANES));
                    let same = front.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits())
                        && rest.iter().all(|a| a.to_bits() == last.to_bits());
                    if !same {
                        front.copy_from_slice(values.get(..front.len()).unwrap_or_default());
                        rest.fill(last);
                        changed |= 1 << index;
                    }
                }
            }
        }
        for segment in &batch.segments {
            if segment.columns & changed == 0 {
                continue;
            }
            if segment.scalar {
                for step in &segment.steps {
                    let [a, b, c] = step.operands.map(|slot| match slot {
                        Slot::Scalar(at) => self.scalars.get(at as usize).copied(),
                        Slot::Vector(_) => None,
                    });
                    let value = |v: Option<f64>| v.unwrap_or(f64::NAN);
                    let result = step.op.apply(value(a), value(b), value(c));
                    if let Some(cell) = self.scalars.get_mut(step.to as usize) {
                        *cell = result;
                    }
                }
            } else {
                run(self.width, &segment.steps, &self.scalars, &mut self.lanes);
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
