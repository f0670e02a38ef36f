//! What runs, drawn: the dataflow of a pass with its layouts, collectives and times.
//!
//! In: a lowered scenario. Out: a [`Drawing`], made once, and one file for each way to write it:
//! [`svg`], [`dot`], [`mermaid`], [`json`]. Positions are computed here ([`arrange`]), so that a
//! picture needs no other program.

pub mod arrange;
mod build;
pub mod dot;
pub mod json;
mod merge;
pub mod mermaid;
mod page;
mod paths;
pub mod placement;
pub mod svg;
pub mod timeline;

pub use build::draw;

use crate::arena::{Arena, Id};
use crate::lower::Lowered;
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;

/// A node of a [`Drawing`].
pub type NodeId = Id<Node>;

/// How much of the model a node stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Level {
    /// What comes before the layers, the layers, and what comes after.
    Model,
    /// A kind of layer; collectives by themselves.
    Layer,
    /// A kernel.
    Op,
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What enters the pass.
    Input,
    /// Kernels.
    Kernel,
    /// Devices exchange something.
    Collective,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Kernel => "kernel",
            Self::Collective => "collective",
        }
    }
}

/// Something that runs.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// What it is called: the op, or what is exchanged.
    pub name: String,
    /// The kind of layer that it belongs to.
    pub layer: String,
    /// The repeat that it stands in: a position among [`Drawing::groups`].
    pub group: Option<usize>,
    /// How often it runs in the pass.
    pub times: f64,
    /// Seconds of one run.
    pub time: f64,
    /// Seconds of all of its runs.
    pub total: f64,
    /// Of these, collectives that were drawn into it.
    pub communication: f64,
    /// Work of the fullest device in one run.
    pub flops: f64,
    /// Bytes: what the fullest device moves at its memory, or sends.
    pub bytes: f64,
    /// How its result lies on the mesh: `batch × seq × heads/tp`.
    pub layout: String,
    /// Weights that it reads, with their layouts.
    pub weights: Vec<String>,
    /// For a collective: mesh axes, devices, link and algorithm.
    pub exchange: Option<Exchange>,
    /// Whether it lies on the longest way through the pass.
    pub critical: bool,
    /// Whether everything else runs before or after it.
    pub alone: bool,
    /// What may run at the same time: nothing flows from one to the other.
    pub beside: Vec<NodeId>,
}

/// Where a collective runs.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// `all-reduce` …
    pub kind: String,
    /// The mesh axes.
    pub axis: String,
    /// How many devices.
    pub devices: f64,
    /// Bytes of the whole message.
    pub message: f64,
    /// The slowest link.
    pub link: String,
    /// The algorithm.
    pub algorithm: String,
}

/// A tensor that flows from one node to another.
#[derive(Clone, Debug)]
pub struct Edge {
    /// From here.
    pub from: NodeId,
    /// To there.
    pub to: NodeId,
    /// The tensor.
    pub tensor: String,
    /// How it lies on the mesh.
    pub layout: String,
    /// Whether it lies on the longest way.
    pub critical: bool,
}

/// Repeated nodes, shown once.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How often they run.
    pub times: f64,
    /// Over how many stages of a pipeline the rounds are dealt, along which mesh axes.
    pub stages: Option<(f64, String)>,
}

/// A mesh axis on the machine.
#[derive(Clone, Debug)]
pub struct MeshPlace {
    /// The axis.
    pub name: String,
    /// How many devices.
    pub size: f64,
    /// How far apart its neighbours are.
    pub stride: f64,
    /// The level of the machine that holds all of it.
    pub level: String,
    /// The axes of the model that it cuts.
    pub cuts: Vec<String>,
}

/// A level of the machine.
#[derive(Clone, Debug)]
pub struct LevelPlace {
    /// Its name.
    pub name: String,
    /// How many of the level below.
    pub count: f64,
    /// Devices in it.
    pub devices: f64,
}

/// What a picture is of.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The scenario.
    pub scenario: String,
    /// The model.
    pub model: String,
    /// The machine.
    pub system: String,
    /// The plan with its mesh.
    pub plan: String,
}

impl Subject {
    fn of(lowered: &Lowered) -> Self {
        Self {
            scenario: lowered.name.to_string(),
            model: lowered.model.to_string(),
            system: lowered.system.to_string(),
            plan: lowered.plan.clone(),
        }
    }
}

/// The dataflow of one pass.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// What is drawn.
    pub about: Subject,
    /// The pass.
    pub phase: String,
    /// How much a node stands for.
    pub level: Level,
    /// Mesh axes, outermost first.
    pub mesh: Vec<MeshPlace>,
    /// Levels of the machine, innermost first.
    pub machine: Vec<LevelPlace>,
    /// Repeats.
    pub groups: Vec<Group>,
    /// What runs, in order.
    pub nodes: Arena<Node>,
    /// What flows.
    pub edges: Vec<Edge>,
    /// Seconds of all nodes, one after another.
    pub total: f64,
    /// Seconds of the longest way.
    pub longest: f64,
}

/// Seconds for people.
#[must_use]
pub fn seconds(value: f64) -> String {
    Figure::number("", value, Dimension::TIME).human()
}

/// Bytes for people.
#[must_use]
pub fn bytes(value: f64) -> String {
    Figure::number("", value, Dimension::BYTES).human()
}

/// Work for people.
#[must_use]
pub fn flops(value: f64) -> String {
    Figure::number("", value, Dimension::FLOP).human()
}

/// What stands on a node, line by line: the first is its name.
#[must_use]
pub fn lines(node: &Node) -> Vec<String> {
    let mut out = vec![node.name.clone()];
    if let Some(e) = &node.exchange {
        let devices = crate::check::show_number(e.devices);
        out.push(format!("over {} ({devices}) · {}", e.axis, e.link));
        out.push(format!("{} · {}", bytes(e.message), e.algorithm));
    } else if node.layer != node.name && node.kind == Kind::Kernel {
        out.push(node.layer.clone());
    }
    if node.kind != Kind::Input {
        let mut time = seconds(node.time);
        if node.times > 1.0 {
            let times = crate::check::show_number(node.times);
            time = format!("{time} × {times} = {}", seconds(node.total));
        }
        out.push(time);
    }
    if node.kind == Kind::Kernel && (node.flops > 0.0 || node.bytes > 0.0) {
        let moved = bytes(node.bytes);
        out.push(match node.flops > 0.0 {
            true => format!("{} · {moved}", flops(node.flops)),
            false => moved,
        });
    }
    if node.communication > 0.0 {
        out.push(format!("of it communication {}", seconds(node.communication)));
    }
    if !node.layout.is_empty() {
        out.push(node.layout.clone());
    }
    out
}
