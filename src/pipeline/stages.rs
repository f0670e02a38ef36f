//! Stages from what is known of them: the first, those between, the last.

use super::{Pipeline, Schedule};
use crate::expr::Graph;
use crate::lower;

/// Seconds of one micro-batch on the first stage, on one between and on the last: forward, gradients
/// of input, gradients of weights.
pub type Ends = [[f64; 3]; 3];

impl Pipeline {
    /// A pipeline whose first and last stage may differ from those between. Chunks of all devices
    /// are alike, but for the very first and the very last one, which have what an end has more or
    /// less.
    #[must_use]
    pub fn with_ends(
        schedule: Schedule,
        devices: usize,
        chunks: usize,
        micro_batches: usize,
        ends: Ends,
        send: f64,
    ) -> Self {
        let (devices, chunks) = (devices.max(1), chunks.max(1));
        let [first, mut between, last] = ends;
        if devices < 3 {
            // There is none: chunks are as long as they are on both.
            for (t, (a, b)) in between.iter_mut().zip(first.into_iter().zip(last)) {
                *t = a.min(b);
            }
        }
        let parts = chunks as f64;
        let mut times = vec![between.map(|t| t / parts); devices * chunks];
        let own = |end: [f64; 3]| {
            let mut rest = end;
            for (t, chunk) in rest.iter_mut().zip(between) {
                *t -= chunk * (parts - 1.0) / parts;
            }
            // An end with less than that has even chunks.
            rest.iter().all(|t| *t >= 0.0).then_some(rest)
        };
        for (device, end, at) in [(0, first, 0), (devices - 1, last, devices * chunks - 1)] {
            match own(end) {
                Some(rest) => times.get_mut(at).into_iter().for_each(|t| *t = rest),
                None => {
                    for t in times.iter_mut().skip(device).step_by(devices) {
                        *t = end.map(|t| t / parts);
                    }
                }
            }
        }
        if devices == 1 {
            times = vec![first.map(|t| t / parts); chunks];
        }
        Self { schedule, devices, chunks, micro_batches, times, send }
    }
}

/// Passes that are played at most: beyond that nobody could look at them.
pub const MOST: f64 = 2e6;

/// How many micro-batches go through how many stages.
#[must_use]
pub fn passes(graph: &Graph, pipeline: &lower::Pipeline) -> f64 {
    let counts = [pipeline.stages, pipeline.chunks, pipeline.micro_batches];
    counts.map(|id| graph.value(id)).into_iter().product()
}

/// The pipeline of a scenario at its own point; `None` where it has too many passes.
#[must_use]
pub fn of_lowered(graph: &Graph, pipeline: &lower::Pipeline) -> Option<Pipeline> {
    let schedule = Schedule::named(pipeline.schedule.text())?;
    let count = |id| Some(graph.value(id)).filter(|n| *n >= 1.0).map(|n| n as usize);
    if passes(graph, pipeline) > MOST {
        return None;
    }
    let [forward, backward, weights] = pipeline.passes.map(|row| row.map(|id| graph.value(id)));
    let mut ends: Ends = [[0.0; 3]; 3];
    for (((end, f), b), w) in ends.iter_mut().zip(forward).zip(backward).zip(weights) {
        *end = [f, b - w, w];
    }
    let send = pipeline.send.map_or(0.0, |id| graph.value(id));
    Some(Pipeline::with_ends(
        schedule,
        count(pipeline.stages)?,
        count(pipeline.chunks)?,
        count(pipeline.micro_batches)?,
        ends,
        send,
    ))
}
