//! In which order each device works, as the schedules were published.

use super::{Block, Kind, Pass, Pipeline, Schedule};

/// Steps of decoding that are played: the last two are under way like all later ones.
pub(super) const DECODE_STEPS: usize = 4;

/// What each device runs, in order; `None` where the schedule has no order for these numbers.
pub(super) fn order(pipeline: &Pipeline) -> Option<Vec<Vec<Block>>> {
    let devices = 0..pipeline.devices;
    let m = pipeline.micro_batches;
    Some(match pipeline.schedule {
        Schedule::Gpipe => {
            devices.map(|d| all(d, m, Kind::Forward, Some(Kind::Backward))).collect()
        }
        Schedule::Prefill => devices.map(|d| all(d, m, Kind::Forward, None)).collect(),
        Schedule::Decode => {
            devices.map(|d| all(d, m * DECODE_STEPS, Kind::Forward, None)).collect()
        }
        Schedule::OneFOneB => devices.map(|d| turns(d, pipeline, 1, false)).collect(),
        Schedule::ZeroBubbleH1 => devices.map(|d| turns(d, pipeline, 1, true)).collect(),
        Schedule::ZeroBubbleH2 => devices.map(|d| turns(d, pipeline, 2, true)).collect(),
        Schedule::Interleaved => {
            if !m.is_multiple_of(pipeline.devices) {
                return None;
            }
            devices.map(|d| chunks(d, pipeline)).collect()
        }
        Schedule::DualPipe => {
            let p = pipeline.devices;
            if !p.is_multiple_of(2) || !m.is_multiple_of(2) || m < 2 * p {
                return None;
            }
            devices.map(|d| both_ends(d, pipeline)).collect()
        }
    })
}

fn one(kind: Kind, stage: usize, micro_batch: usize) -> Block {
    vec![Pass { kind, stage, micro_batch, direction: 0 }]
}

/// All passes of one kind, then all of another.
fn all(device: usize, micro_batches: usize, kind: Kind, then: Option<Kind>) -> Vec<Block> {
    let kinds = [Some(kind), then];
    let each = |kind| (0..micro_batches).map(move |k| one(kind, device, k));
    kinds.into_iter().flatten().flat_map(each).collect()
}

/// One forward, one backward, with so many more micro-batches ahead as stages behind, times `ahead`;
/// gradients of weights, if they are passes of their own, as much later as stages before.
fn turns(device: usize, pipeline: &Pipeline, ahead: usize, split: bool) -> Vec<Block> {
    let m = pipeline.micro_batches;
    let first = m.min(ahead * (pipeline.devices - 1 - device));
    let later = ahead * device;
    let backward = if split { Kind::Input } else { Kind::Backward };
    let mut out: Vec<Block> = (0..first).map(|k| one(Kind::Forward, device, k)).collect();
    for k in 0..m {
        if first + k < m {
            out.push(one(Kind::Forward, device, first + k));
        }
        out.push(one(backward, device, k));
        if split && k >= later {
            out.push(one(Kind::Weights, device, k - later));
        }
    }
    if split {
        out.extend((m.saturating_sub(later)..m).map(|k| one(Kind::Weights, device, k)));
    }
    out
}

/// The same with chunks: rounds of as many micro-batches as devices through one chunk after another.
fn chunks(device: usize, pipeline: &Pipeline) -> Vec<Block> {
    let (p, v) = (pipeline.devices, pipeline.chunks);
    let all = pipeline.micro_batches * v;
    let first = all.min(2 * (p - 1 - device) + (v - 1) * p);
    let micro_batch = |k: usize| k / (p * v) * p + k % p;
    let forward = |k: usize| one(Kind::Forward, k / p % v * p + device, micro_batch(k));
    let backward = |k: usize| one(Kind::Backward, (v - 1 - k / p % v) * p + device, micro_batch(k));
    let mut out: Vec<Block> = (0..first).map(forward).collect();
    for k in 0..all {
        if first + k < all {
            out.push(forward(first + k));
        }
        out.push(backward(k));
    }
    out
}

/// A device that takes micro-batches from its own end (0) and from the other one (1).
struct Both {
    device: usize,
    devices: usize,
    forward: [usize; 2],
    backward: [usize; 2],
    /// Gradients of weights that are still to be made.
    weights: std::collections::VecDeque<Pass>,
    out: Vec<Block>,
}

impl Both {
    fn stage(&self, side: usize) -> (usize, usize) {
        let direction = side ^ usize::from(self.device >= self.devices / 2);
        let stage = if direction == 0 { self.device } else { self.devices - 1 - self.device };
        (stage, direction)
    }

    fn forward(&mut self, side: usize) -> Pass {
        let (stage, direction) = self.stage(side);
        let count = self.forward.get_mut(side).map_or(0, |n| std::mem::replace(n, *n + 1));
        let micro_batch = 2 * count + direction;
        Pass { kind: Kind::Forward, stage, micro_batch, direction }
    }

    fn backward(&mut self, side: usize, split: bool) -> Pass {
        let (stage, direction) = self.stage(side);
        let count = self.backward.get_mut(side).map_or(0, |n| std::mem::replace(n, *n + 1));
        let micro_batch = 2 * count + direction;
        if split {
            self.weights.push_back(Pass { kind: Kind::Weights, stage, micro_batch, direction });
        }
        let kind = if split { Kind::Input } else { Kind::Backward };
        Pass { kind, stage, micro_batch, direction }
    }

    fn run(&mut self, pass: Pass) {
        self.out.push(vec![pass]);
    }

    fn weights(&mut self) {
        if let Some(pass) = self.weights.pop_front() {
            self.run(pass);
        }
    }

    fn together(&mut self, forward: usize, backward: usize) {
        let passes = vec![self.forward(forward), self.backward(backward, false)];
        self.out.push(passes);
    }
}

/// The order of DeepSeek's published `DualPipe`, in its eight steps.
fn both_ends(device: usize, pipeline: &Pipeline) -> Vec<Block> {
    let p = pipeline.devices;
    let from_end = device.min(p - 1 - device);
    let to_middle = p / 2 - 1 - from_end;
    let weights = std::collections::VecDeque::new();
    let mut both =
        Both { device, devices: p, forward: [0; 2], backward: [0; 2], weights, out: Vec::new() };
    let b = &mut both;
    for _ in 0..2 * to_middle {
        let pass = b.forward(0);
        b.run(pass);
    }
    for _ in 0..=from_end {
        for side in [0, 1] {
            let pass = b.forward(side);
            b.run(pass);
        }
    }
    for _ in 0..to_middle {
        let pass = b.backward(1, true);
        b.run(pass);
        b.weights();
        let pass = b.forward(1);
        b.run(pass);
    }
    for _ in 0..(pipeline.micro_batches / 2 + from_end + 1).saturating_sub(p) {
        b.together(0, 1);
        b.together(1, 0);
    }
    for _ in 0..to_middle {
        let pass = b.backward(1, false);
        b.run(pass);
        b.together(1, 0);
    }
    // The second half of these leaves gradients of weights for later.
    for i in 0..2 * (from_end + 1) {
        let split = i > from_end;
        let pass = b.backward(1 - i % 2, split);
        b.run(pass);
    }
    for _ in 0..to_middle {
        b.weights();
        let pass = b.backward(0, true);
        b.run(pass);
    }
    while !b.weights.is_empty() {
        b.weights();
    }
    both.out
}
