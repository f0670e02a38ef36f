//! Pipelines played through: which device runs which pass of which micro-batch, and when.
//!
//! In: what each pass takes on each stage, and a schedule. Out: a [`Timeline`]. `order` says in
//! which order a device works, as the schedules were published; [`simulate`] starts each pass as
//! soon as its device is free and what it needs has come. No formula of the library is used here, so
//! that one can be held against the other.

mod order;
mod simulate;
mod stages;

pub use simulate::simulate;
pub use stages::{Ends, MOST, of_lowered, passes};

/// In which order devices work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    /// All forward passes, then all backward passes.
    Gpipe,
    /// One forward, one backward (PipeDream-Flush).
    OneFOneB,
    /// The same with several chunks of layers on each device.
    Interleaved,
    /// Gradients of weights are made later (ZB-H1).
    ZeroBubbleH1,
    /// The same with more micro-batches in flight (ZB-H2).
    ZeroBubbleH2,
    /// Micro-batches come from both ends (DualPipe).
    DualPipe,
    /// Serving: one pass through all stages.
    Prefill,
    /// Serving: steps, each of which follows the one before.
    Decode,
}

impl Schedule {
    /// The schedule of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gpipe" => Self::Gpipe,
            "one_f_one_b" => Self::OneFOneB,
            "interleaved" => Self::Interleaved,
            "zero_bubble_h1" => Self::ZeroBubbleH1,
            "zero_bubble_h2" => Self::ZeroBubbleH2,
            "dual_pipe" => Self::DualPipe,
            "prefill" => Self::Prefill,
            "decode" => Self::Decode,
            _ => return None,
        })
    }

    /// What the field calls it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Gpipe => "GPipe",
            Self::OneFOneB => "1F1B",
            Self::Interleaved => "interleaved 1F1B",
            Self::ZeroBubbleH1 => "ZB-H1",
            Self::ZeroBubbleH2 => "ZB-H2",
            Self::DualPipe => "DualPipe",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }

    /// Whether gradients of weights are passes of their own.
    #[must_use]
    pub fn splits(self) -> bool {
        matches!(self, Self::ZeroBubbleH1 | Self::ZeroBubbleH2 | Self::DualPipe)
    }
}

/// What a pass does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Kind {
    /// Forward.
    Forward,
    /// Backward: both gradients.
    Backward,
    /// Backward: gradients of what the stage was given.
    Input,
    /// Backward: gradients of weights.
    Weights,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
            Self::Input => "backward_input",
            Self::Weights => "backward_weights",
        }
    }
}

/// One pass of one micro-batch through one stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pass {
    /// What it does.
    pub kind: Kind,
    /// The part of the model: devices times chunks of them, from the input to the output.
    pub stage: usize,
    /// The micro-batch; in decoding its step counts on: step times micro-batches, plus it.
    pub micro_batch: usize,
    /// Which end it comes from: 1 for those that start at the last device.
    pub direction: usize,
}

/// Passes that run together: one, or a forward and a backward pass.
pub type Block = Vec<Pass>;

/// A pipeline with its numbers.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The order.
    pub schedule: Schedule,
    /// Devices along the pipeline.
    pub devices: usize,
    /// Chunks of layers on each.
    pub chunks: usize,
    /// Micro-batches.
    pub micro_batches: usize,
    /// Seconds of each stage, from the input to the output: forward, gradients of its input,
    /// gradients of its weights.
    pub times: Vec<[f64; 3]>,
    /// Seconds of a send.
    pub send: f64,
}

/// Passes that run together, with when.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// What runs.
    pub passes: Block,
    /// From.
    pub start: f64,
    /// Until.
    pub end: f64,
}

/// Who works when.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// The slots of each device, in order.
    pub devices: Vec<Vec<Slot>>,
}

impl Timeline {
    /// When the last pass ends.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.devices.iter().flatten().map(|s| s.end).fold(0.0, f64::max)
    }

    /// From its first pass to its last, on the device where that takes longest: where each device
    /// goes on to the next step on its own, that is how long a step takes.
    #[must_use]
    pub fn longest(&self) -> f64 {
        let spans = self.devices.iter().filter_map(|slots| {
            let (first, last) = (slots.first()?, slots.last()?);
            Some(last.end - first.start)
        });
        spans.fold(0.0, f64::max)
    }

    /// Seconds in which a device works.
    #[must_use]
    pub fn busy(&self, device: usize) -> f64 {
        self.devices.get(device).into_iter().flatten().map(|s| s.end - s.start).sum()
    }
}

impl Pipeline {
    /// The device of a stage.
    #[must_use]
    pub fn device(&self, stage: usize, direction: usize) -> usize {
        let device = stage % self.devices.max(1);
        if direction == 0 { device } else { self.devices - 1 - device }
    }

    /// The time that a timeline stands for: a step of training, a prefill, or in decoding the time
    /// from one step to the next when all are under way.
    #[must_use]
    pub fn time(&self, timeline: &Timeline) -> f64 {
        match self.schedule {
            Schedule::ZeroBubbleH1 | Schedule::ZeroBubbleH2 => timeline.longest(),
            Schedule::Decode => {
                let first = timeline.devices.first().map(Vec::as_slice).unwrap_or_default();
                let start = |step: usize| first.get(step * self.micro_batches).map(|s| s.start);
                let steps = first.len() / self.micro_batches.max(1);
                match (steps.checked_sub(2).and_then(start), steps.checked_sub(1).and_then(start)) {
                    (Some(a), Some(b)) => b - a,
                    _ => timeline.end(),
                }
            }
            _ => timeline.end(),
        }
    }
}
