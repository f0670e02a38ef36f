//! The mesh placed on the machine: what runs and lies on each device.
//!
//! In: a lowered scenario. Out: a [`Placement`], and one file for each way to write it: [`text`],
//! [`svg`], [`json`]. A device is its place along each mesh axis, counted from the innermost; what
//! it holds follows from the layouts of the tensors, and which layers it runs from the stages.

mod build;
pub mod json;
pub mod svg;
pub mod text;

pub use build::placed;

use super::Subject;

/// A mesh axis on the machine.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// How many devices.
    pub size: usize,
    /// How far apart neighbours are.
    pub stride: usize,
    /// The level of the machine that holds all of it.
    pub level: String,
    /// What joins the parts of that level.
    pub link: String,
    /// The axes of the model that it cuts.
    pub cuts: Vec<String>,
}

/// A level of the machine.
#[derive(Clone, Debug)]
pub struct Level {
    /// Its name.
    pub name: String,
    /// Devices in it.
    pub devices: usize,
    /// What joins its parts.
    pub link: String,
}

/// What of an axis a device has.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The axis of the model.
    pub axis: String,
    /// Its part, and of how many.
    pub part: usize,
    /// How many parts there are.
    pub parts: usize,
    /// From and until (exclusive), and how long the axis is, where that is part of the model.
    pub range: Option<[usize; 3]>,
}

/// Something that devices hold parts of.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The axis of the model.
    axis: String,
    /// How long it is, where that is part of the model.
    size: Option<usize>,
    /// Into how many parts.
    parts: usize,
    /// Along which mesh axes, outermost first.
    over: Vec<usize>,
}

/// The layers of a stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stage {
    /// Ranges of layers, each from and until (exclusive): one for each chunk.
    pub layers: Vec<[usize; 2]>,
    /// What it runs beside layers: what comes before and after them.
    pub beside: Vec<String>,
    /// Bytes on each of its devices.
    pub memory: Option<f64>,
}

/// What runs and lies where.
#[derive(Clone, Debug)]
pub struct Placement {
    /// What is drawn.
    pub about: Subject,
    /// The phase whose devices these are, where each has its own.
    pub phase: Option<&'static str>,
    /// Mesh axes, outermost first.
    pub mesh: Vec<Axis>,
    /// Levels of the machine, innermost first.
    pub levels: Vec<Level>,
    /// Stages; one where there is no pipeline.
    pub stages: Vec<Stage>,
    /// The mesh axes of the pipeline.
    along: Vec<usize>,
    /// Cuts of weights.
    weights: Vec<Cut>,
    /// Cuts of the cache.
    cache: Vec<Cut>,
    /// Cuts of what goes in: sequences and their positions.
    tokens: Vec<Cut>,
    /// What replicas keep only once.
    kept: Vec<Cut>,
    /// Devices of the mesh, and of the machine.
    pub devices: usize,
    /// Devices of the machine.
    pub machine: usize,
}

/// What one device runs and holds.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its number: neighbours along the innermost mesh axis follow each other.
    pub number: usize,
    /// Its place along each mesh axis.
    pub at: Vec<usize>,
    /// Which of the innermost level it is on.
    pub node: usize,
    /// Its stage of the pipeline.
    pub stage: usize,
    /// Of the weights.
    pub weights: Vec<Share>,
    /// Of the cache.
    pub cache: Vec<Share>,
    /// Of what goes in.
    pub tokens: Vec<Share>,
    /// Of what replicas keep only once.
    pub kept: Vec<Share>,
}

impl Placement {
    /// What a device runs and holds.
    #[must_use]
    pub fn device(&self, number: usize) -> Device {
        let at: Vec<usize> =
            self.mesh.iter().map(|a| number / a.stride.max(1) % a.size.max(1)).collect();
        let stage = self.index(&self.along, &at);
        let of = |cuts: &[Cut]| cuts.iter().map(|cut| self.share(cut, &at)).collect();
        Device {
            number,
            node: number / self.node(),
            stage,
            weights: of(&self.weights),
            cache: of(&self.cache),
            tokens: of(&self.tokens),
            kept: of(&self.kept),
            at,
        }
    }

    /// Devices of the innermost level.
    #[must_use]
    pub fn node(&self) -> usize {
        self.levels.first().map_or(self.machine, |l| l.devices).max(1)
    }

    /// What stands above the picture.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}: {} on {}", self.about.scenario, self.about.model, self.about.system)
    }

    /// The plan and the devices it uses.
    #[must_use]
    pub fn note(&self) -> String {
        let machine = if self.machine > self.devices {
            format!("{} of {} devices", self.devices, self.machine)
        } else if self.devices == 1 {
            "one device".to_owned()
        } else {
            format!("{} devices", self.devices)
        };
        match self.phase {
            Some(phase) => format!("{}; here the devices of {phase}: {machine}", self.about.plan),
            None => format!("{} on {machine}", self.about.plan),
        }
    }

    /// Devices that are listed: all of few; of many those of the first node, the first of some more
    /// nodes and of each stage, and the last.
    #[must_use]
    pub fn listed(&self) -> Vec<usize> {
        if self.devices <= 32 {
            return (0..self.devices).collect();
        }
        let node = self.node().min(16);
        let more = (1..4).map(|n| n * self.node()).chain(self.first_of_stages(16));
        let mut listed: Vec<usize> = (0..node).chain(more).chain([self.devices - 1]).collect();
        listed.retain(|d| *d < self.devices);
        listed.sort_unstable();
        listed.dedup();
        listed
    }

    /// The first device of each stage, of so many stages from the first on.
    fn first_of_stages(&self, most: usize) -> Vec<usize> {
        let stride = match self.along.as_slice() {
            [axis] => self.mesh.get(*axis).map_or(0, |a| a.stride),
            _ => 0,
        };
        (0..self.stages.len().min(most)).map(|stage| stage * stride).collect()
    }

    /// Of the innermost level those that are drawn: all of few; of many the first two, those where
    /// a stage starts, and the last.
    #[must_use]
    pub fn drawn(&self, most: usize) -> Vec<usize> {
        let node = self.node();
        let used = self.devices.div_ceil(node);
        if used <= most {
            return (0..used).collect();
        }
        let starts = self.first_of_stages(usize::MAX).into_iter().map(|d| d / node);
        let mut nodes: Vec<usize> = [0, 1].into_iter().chain(starts).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes.truncate(most - 1);
        let more = (2..used).filter(|n| !nodes.contains(n)).take(most - 1 - nodes.len());
        let mut nodes: Vec<usize> = more.chain(nodes.iter().copied()).chain([used - 1]).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// A place along some mesh axes, as one number.
    fn index(&self, over: &[usize], at: &[usize]) -> usize {
        over.iter().fold(0, |index, axis| {
            let size = self.mesh.get(*axis).map_or(1, |a| a.size);
            index * size + at.get(*axis).copied().unwrap_or_default()
        })
    }

    fn share(&self, cut: &Cut, at: &[usize]) -> Share {
        let group: usize =
            cut.over.iter().map(|a| self.mesh.get(*a).map_or(1, |a| a.size)).product();
        // Where there are more devices than parts, neighbours have the same one.
        let part = self.index(&cut.over, at) * cut.parts / group.max(1);
        let range = cut.size.map(|size| {
            let each = size.div_ceil(cut.parts.max(1));
            [(part * each).min(size), ((part + 1) * each).min(size), size]
        });
        Share { axis: cut.axis.clone(), part, parts: cut.parts, range }
    }
}

impl Share {
    /// `ffn 0–3583`; `batch 2 of 16`.
    #[must_use]
    pub fn text(&self) -> String {
        match self.range {
            Some([from, until, _]) => format!("{} {}", self.axis, range(from, until)),
            None => format!("{} part {} of {}", self.axis, self.part, self.parts),
        }
    }
}

impl Stage {
    /// `layers 0–39`, with what comes before and after.
    #[must_use]
    pub fn text(&self) -> String {
        let some = self.layers.iter().filter(|[a, b]| a < b);
        let mut ranges = some.map(|[a, b]| range(*a, *b));
        let mut shown: Vec<String> = ranges.by_ref().take(4).collect();
        if let n @ 1.. = ranges.count() {
            shown.push(format!("and {n} more"));
        }
        let mut text =
            if shown.is_empty() { String::new() } else { format!("layers {}", shown.join(", ")) };
        for name in &self.beside {
            text += if text.is_empty() { "" } else { ", " };
            text += name;
        }
        text
    }
}

/// `0–39`; `7` where it is but one.
fn range(from: usize, until: usize) -> String {
    match until.saturating_sub(from) {
        0 => "none".to_owned(),
        1 => from.to_string(),
        _ => format!("{from}–{}", until - 1),
    }
}

/// Shares in a line.
fn shares(shares: &[Share]) -> String {
    shares.iter().map(Share::text).collect::<Vec<_>>().join(", ")
}
