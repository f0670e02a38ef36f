//! Results for people and for programs.
//!
//! In: an [`Evaluation`]. Out: a [`Report`], plain data without the graph, and its formats.

mod build;
mod csv;
mod derivation;
mod json;
mod markdown;
mod sections;
mod table;
mod text;

use indexmap::IndexMap;

pub use build::{build, figure, spot};
pub use csv::csv;
pub use derivation::{derivation_json, derivation_text};
pub use json::{json, leaf};
pub use markdown::markdown;
pub use sections::settable;
pub use table::{Cell, Table, Tint};
pub use text::{Look, ascii, text};

use crate::quantity::Dimension;
use crate::quantity::format::{HumanUnit, human};

/// What was evaluated.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// The scenarios that have results, in order.
    pub scenarios: Vec<Scenario>,
}

/// The report of one scenario.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The model's name.
    pub model: String,
    /// The system's name.
    pub system: String,
    /// The plan with its mesh: `Tp(tp: 8)`.
    pub plan: String,
    /// The workload and the formats: `serve.batch`, `precision.weights`.
    pub inputs: IndexMap<String, Figure>,
    /// Results by dotted path.
    pub results: IndexMap<String, Figure>,
    /// Collectives of more than one device, phase by phase.
    pub collectives: Vec<Collective>,
    /// What was expected.
    pub expectations: Vec<Expectation>,
    /// What was changed on the command line.
    pub overrides: Vec<Override>,
}

/// One figure.
#[derive(Clone, PartialEq, Debug)]
pub enum Figure {
    /// A quantity in base units, and how people read it.
    Number {
        /// In base units; may be no number.
        value: f64,
        /// What it measures.
        dimension: Dimension,
        /// For people.
        shown: HumanUnit,
    },
    /// A condition.
    Flag(bool),
    /// A word.
    Text(String),
    /// Nothing: its formula is wrong.
    Missing,
}

impl Figure {
    /// A quantity; `path` decides how plain numbers are shown.
    #[must_use]
    pub fn number(path: &str, value: f64, dimension: Dimension) -> Self {
        Self::Number { value, dimension, shown: unit_of(path, dimension) }
    }
    /// As a person reads it.
    #[must_use]
    pub fn human(&self) -> String {
        match self {
            Self::Number { value, shown, .. } => human(*value, *shown),
            Self::Flag(true) => "yes".into(),
            Self::Flag(false) => "no".into(),
            Self::Text(text) => text.clone(),
            Self::Missing => "—".into(),
        }
    }
    /// In full precision and without its unit; `null` for what is no finite number.
    #[must_use]
    pub fn exact(&self) -> String {
        match self {
            Self::Number { value, .. } if value.is_finite() => value.to_string(),
            Self::Number { .. } | Self::Missing => "null".into(),
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
    /// The value of a quantity.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Number { value, .. } => Some(*value),
            _ => None,
        }
    }
    /// The base unit: `s`, `B/s`; empty for what has none.
    #[must_use]
    pub fn unit(&self) -> String {
        match self {
            Self::Number { dimension, .. } => dimension.unit(),
            _ => String::new(),
        }
    }
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The file as a person calls it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// A collective in one phase.
#[derive(Clone, PartialEq, Debug)]
pub struct Collective {
    /// `prefill`, `decode.mid` …
    pub phase: String,
    /// `all-reduce` …
    pub kind: String,
    /// The mesh axes, joined by `,`.
    pub axis: String,
    /// The tensor.
    pub tensor: String,
    /// Devices that take part.
    pub size: f64,
    /// How often in the phase.
    pub count: f64,
    /// Logical bytes that a device sends, once.
    pub bytes: f64,
    /// Bytes of the whole message.
    pub message: f64,
    /// The slowest link that it crosses.
    pub link: String,
    /// The algorithm chosen.
    pub algorithm: String,
    /// Seconds of one.
    pub time: f64,
    /// Seconds of all in the phase.
    pub total: f64,
    /// Where the model needs it.
    pub model: Spot,
    /// Where the plan causes it.
    pub plan: Spot,
}

/// Something expected.
#[derive(Clone, PartialEq, Debug)]
pub struct Expectation {
    /// As written.
    pub text: String,
    /// Whether it holds.
    pub holds: bool,
    /// What is compared, where it is a comparison of two figures.
    pub figure: Option<Figure>,
    /// With what.
    pub bound: Option<Figure>,
    /// Where it stands.
    pub at: Spot,
}

/// A change made on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Override {
    /// `--set` or `--override`.
    pub option: String,
    /// The path.
    pub path: String,
    /// The value as written.
    pub value: String,
}

/// How a quantity at a path is shown: shares of a whole as percent.
#[must_use]
pub fn unit_of(path: &str, dimension: Dimension) -> HumanUnit {
    let last = path.rsplit('.').next().unwrap_or(path);
    let is_share = matches!(last, "mfu" | "mbu" | "headroom") || last.ends_with("share");
    if dimension.is_none() && is_share { HumanUnit::Percent } else { human_unit(dimension) }
}

/// How a quantity of this dimension is shown.
#[must_use]
pub fn human_unit(dimension: Dimension) -> HumanUnit {
    match dimension {
        Dimension::TIME => HumanUnit::Seconds,
        Dimension::BYTES => HumanUnit::Bytes,
        Dimension::FLOP => HumanUnit::Flop,
        Dimension::FLOP_RATE => HumanUnit::FlopPerSecond,
        Dimension::BANDWIDTH => HumanUnit::BytesPerSecond,
        Dimension::POWER => HumanUnit::Watts,
        Dimension::ENERGY => HumanUnit::Joules,
        Dimension::MONEY => HumanUnit::Dollars,
        Dimension::PRICE_RATE => HumanUnit::DollarsPerSecond,
        Dimension::TOKENS => HumanUnit::Tokens,
        Dimension::TOKEN_RATE => HumanUnit::TokensPerSecond,
        Dimension::DEVICES => HumanUnit::Devices,
        _ if dimension == Dimension::MONEY.over(Dimension::TOKENS) => HumanUnit::DollarsPerToken,
        _ if dimension == Dimension::TOKENS.over(Dimension::ENERGY) => HumanUnit::TokensPerJoule,
        _ if dimension == Dimension::ENERGY.over(Dimension::TOKENS) => HumanUnit::JoulesPerToken,
        _ if dimension == Dimension::BYTES.over(Dimension::TOKENS) => HumanUnit::BytesPerToken,
        _ if dimension == Dimension::FLOP.over(Dimension::BYTES) => HumanUnit::FlopPerByte,
        _ => HumanUnit::Plain,
    }
}
