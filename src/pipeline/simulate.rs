//! Each pass starts as soon as its device is free and what it needs has come.

use super::order::order;
use super::{Block, Kind, Pass, Pipeline, Schedule, Slot, Timeline};

/// When each pass ended: by what it does, direction, stage and micro-batch.
struct Ended {
    ends: Vec<f64>,
    stages: usize,
    micro_batches: usize,
}

impl Ended {
    fn at(&self, backward: bool, pass: Pass) -> usize {
        let kind = usize::from(backward) * 2 + pass.direction;
        (kind * self.stages + pass.stage) * self.micro_batches + pass.micro_batch
    }

    fn get(&self, backward: bool, pass: Pass) -> Option<f64> {
        self.ends.get(self.at(backward, pass)).copied().filter(|t| !t.is_nan())
    }

    fn set(&mut self, pass: Pass, end: f64) {
        let at = match pass.kind {
            Kind::Forward => self.at(false, pass),
            Kind::Backward | Kind::Input => self.at(true, pass),
            Kind::Weights => return,
        };
        if let Some(cell) = self.ends.get_mut(at) {
            *cell = end;
        }
    }
}

/// Plays a pipeline through; `None` where its schedule has no order for its numbers.
#[must_use]
pub fn simulate(pipeline: &Pipeline) -> Option<Timeline> {
    let orders = order(pipeline)?;
    let steps = if pipeline.schedule == Schedule::Decode { super::order::DECODE_STEPS } else { 1 };
    let (stages, micro_batches) = (pipeline.times.len(), pipeline.micro_batches * steps);
    let ends = vec![f64::NAN; 4 * stages * micro_batches];
    let mut ended = Ended { ends, stages, micro_batches };
    let mut waiting: Vec<_> = orders.into_iter().map(|o| o.into_iter().peekable()).collect();
    let mut timeline = Timeline { devices: vec![Vec::new(); pipeline.devices] };
    loop {
        let mut moved = false;
        for (device, slots) in waiting.iter_mut().zip(&mut timeline.devices) {
            while let Some(block) = device.peek() {
                let Some(ready) = ready(block, pipeline, &ended) else { break };
                let free = slots.last().map_or(0.0, |s: &Slot| s.end);
                let start = ready.max(free);
                let end = start + block.iter().map(|p| takes(*p, pipeline)).sum::<f64>();
                for pass in block {
                    ended.set(*pass, end);
                }
                slots.extend(device.next().map(|passes| Slot { passes, start, end }));
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    waiting.iter_mut().all(|w| w.peek().is_none()).then_some(timeline)
}

/// When all that the passes need has come; `None` while something has not been made.
fn ready(block: &Block, pipeline: &Pipeline, ended: &Ended) -> Option<f64> {
    let mut ready: f64 = 0.0;
    for pass in block {
        ready = ready.max(needs(*pass, pipeline, ended)?);
    }
    Some(ready)
}

fn needs(pass: Pass, pipeline: &Pipeline, ended: &Ended) -> Option<f64> {
    let sent = |backward: bool, from: Pass| {
        let devices = [from, pass].map(|x| pipeline.device(x.stage, x.direction));
        let same = matches!(devices, [a, b] if a == b);
        Some(ended.get(backward, from)? + if same { 0.0 } else { pipeline.send })
    };
    let last = pipeline.times.len().saturating_sub(1);
    match pass.kind {
        Kind::Forward => match pass.stage.checked_sub(1) {
            Some(before) => sent(false, Pass { stage: before, ..pass }),
            // A step of decoding follows the one before, whose token comes from the last stage.
            None if pipeline.schedule == Schedule::Decode => {
                match pass.micro_batch.checked_sub(pipeline.micro_batches) {
                    Some(before) => {
                        ended.get(false, Pass { stage: last, micro_batch: before, ..pass })
                    }
                    None => Some(0.0),
                }
            }
            None => Some(0.0),
        },
        Kind::Backward | Kind::Input if pass.stage == last => ended.get(false, pass),
        Kind::Backward | Kind::Input => sent(true, Pass { stage: pass.stage + 1, ..pass }),
        Kind::Weights => ended.get(true, pass),
    }
}

/// Seconds of a pass.
fn takes(pass: Pass, pipeline: &Pipeline) -> f64 {
    let [forward, input, weights] = pipeline.times.get(pass.stage).copied().unwrap_or_default();
    match pass.kind {
        Kind::Forward => forward,
        Kind::Backward => input + weights,
        Kind::Input => input,
        Kind::Weights => weights,
    }
}
