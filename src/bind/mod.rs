//! Models held against checkpoints: which tensor is which weight.
//!
//! In: a built model and the path of a checkpoint. Out: a [`Bound`] with findings. The steps:
//!
//! 1. [`checkpoint`]: a folder, an index or a file to tensors; [`header`] and [`index`] read one
//!    file each, and believe nothing
//! 2. [`wanted`]: the weights of the model to the names and shapes that they have in a checkpoint
//! 3. [`matching`]: one held against the other; what the names of checkpoints mean stands in the
//!    table `names.toml`; `packed` looks at quantized weights, their scales and zeros
//! 4. [`findings`], [`report`]: what does not fit, and what there is
//!
//! Only headers of safetensors are read, never the data, and nothing of a repository is run.

pub mod checkpoint;
pub mod findings;
pub mod header;
pub mod index;
pub mod matching;
mod names;
mod other;
mod packed;
pub mod report;
pub mod shape;
pub mod wanted;

use checkpoint::Checkpoint;
use matching::Matched;
use wanted::Wants;

use crate::diagnostic::{Diagnostic, Severity};
use crate::expr::Graph;
use crate::ir::Model;
use crate::source::Place;

/// A model held against a checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// The name of the model.
    pub model: String,
    /// What the model wants.
    pub wants: Wants,
    /// What is there.
    pub checkpoint: Checkpoint,
    /// Which is which.
    pub matched: Matched,
    /// What does not fit.
    pub findings: Vec<Diagnostic>,
}

impl Bound {
    /// Whether everything fits.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.findings.iter().all(|d| d.severity != Severity::Error)
    }
}

/// Holds a model, which stands at `place`, against a checkpoint.
#[must_use]
pub fn bind(model: &Model, graph: &Graph, place: Place, mut checkpoint: Checkpoint) -> Bound {
    let mut wants = wanted::wants(model, graph);
    let matched = matching::matched(&mut wants, &checkpoint);
    let mut found = std::mem::take(&mut checkpoint.findings);
    found.extend(findings::findings(&wants, &checkpoint, &matched, place));
    let model = model.name.map_or_else(String::new, |n| n.to_string());
    Bound { model, wants, checkpoint, matched, findings: found }
}
