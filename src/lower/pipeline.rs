//! A pipeline as its schedule sees it: what each pass takes on each kind of stage.

use crate::expr::ExprId;
use crate::name::Name;

/// Micro-batches that go through stages, each a part of the layers.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// In which order stages work: the schedule of the plan; `prefill` and `decode` in serving.
    pub schedule: Name,
    /// How many stages.
    pub stages: ExprId,
    /// How many micro-batches of each replica; in serving, groups of requests.
    pub micro_batches: ExprId,
    /// How many chunks of layers each device has.
    pub chunks: ExprId,
    /// What one micro-batch takes on the first stage, on one between, and on the last: forward,
    /// backward, and of the latter what makes gradients of weights.
    pub passes: [[ExprId; 3]; 3],
    /// What a send between stages takes.
    pub send: Option<ExprId>,
    /// How long all passes take by the library's formula, sends included.
    pub time: ExprId,
    /// The shares of all layers that the first stage, one between and the last have, where the
    /// stages differ.
    pub shares: Option<[ExprId; 3]>,
    /// All layers.
    pub layers: Option<ExprId>,
}
