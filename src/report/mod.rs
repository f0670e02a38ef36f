//! Results for people and for programs.
//!
//! In: an [`Evaluation`](crate::evaluation::Evaluation). Out: a [`Report`], plain data without the graph, and its formats.

mod build;
mod csv;
mod derivation;
mod json;
mod markdown;
mod measured;
mod power;
mod sections;
mod settable;
pub mod sweep;
mod table;
mod text;
mod training;

pub use build::{build, figure};
pub use csv::csv;
pub use derivation::{derivation_json, derivation_text};
pub use json::{json, leaf};
pub use markdown::markdown;
pub use settable::settable;
pub use table::{Cell, Table, Tint};
pub use text::{Look, ascii, text};

use crate::arena::Ordered;
use crate::quantity::figure::Figure;
use crate::source::Spot;

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
    pub inputs: Ordered<String, Figure>,
    /// The number formats in force by role, and what is computed in: `weights`, `compute`.
    pub formats: Ordered<String, Vec<String>>,
    /// Results by dotted path.
    pub results: Ordered<String, Figure>,
    /// Collectives of more than one device, phase by phase.
    pub collectives: Vec<Collective>,
    /// What was expected.
    pub expectations: Vec<Expectation>,
    /// How a `measured` item was measured.
    pub method: Option<String>,
    /// What was measured, beside its prediction.
    pub measurements: Vec<Measurement>,
    /// What was changed on the command line.
    pub overrides: Vec<Override>,
}

/// Something measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Measurement {
    /// The result.
    pub path: String,
    /// What was measured.
    pub measured: Figure,
    /// What is predicted.
    pub predicted: Figure,
    /// Predicted over measured, less one.
    pub error: Figure,
    /// What the figure counts.
    pub convention: Option<String>,
    /// Where the measurement comes from.
    pub source: Option<String>,
    /// Where it stands.
    pub at: Spot,
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
