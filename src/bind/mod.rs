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
use matching::{Matched, Use};
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
    /// Whether the checkpoint has tensors that the model does not know.
    #[must_use]
    pub fn has_surplus(&self) -> bool {
        self.matched.uses.contains(&Use::Surplus)
    }

    /// Whether everything fits.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.findings.iter().all(|d| d.severity != Severity::Error)
    }
}

/// Holds a model, which stands at `place`, against a checkpoint.
#[must_use]
pub fn bind(model: &Model, graph: &Graph, place: Place, checkpoint: Checkpoint) -> Bound {
    bind_beside(model, graph, place, checkpoint, None)
}

/// The same for a model that leaves out layers which propose further tokens: what the checkpoint
/// has of them is what the `whole` model knows and this one does not.
#[must_use]
pub fn bind_beside(
    model: &Model,
    graph: &Graph,
    place: Place,
    mut checkpoint: Checkpoint,
    whole: Option<&Matched>,
) -> Bound {
    let mut wants = wanted::wants(model, graph);
    let mut matched = matching::matched(&mut wants, &checkpoint);
    if let Some(whole) = whole {
        for (used, there) in matched.uses.iter_mut().zip(&whole.uses) {
            if *used == Use::Surplus && *there != Use::Surplus {
                *used = Use::Left;
            }
        }
    }
    let mut found = std::mem::take(&mut checkpoint.findings);
    found.extend(findings::findings(&wants, &checkpoint, &matched, place));
    let model = model.name.map_or_else(String::new, |n| n.to_string());
    Bound { model, wants, checkpoint, matched, findings: found }
}
