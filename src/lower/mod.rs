//! Scenarios to expressions: dataflow, machine and workload, through the formulas of the library.
//!
//! In: objects checked by `check`. Out: one tree of results per scenario, whose leaves are nodes of
//! the expression graph. No efficiency, bandwidth or collective algorithm is known here: they are
//! formulas in `stdlib/cost/`.

mod bound;
mod checks;
mod collective;
mod disaggregated;
mod effect;
mod expect;
mod formats;
mod frame;
mod kernel;
mod liveness;
mod memory;
mod mesh;
mod metrics;
mod offload;
mod phase;
mod pipeline;
mod power;
mod prepared;
mod rates;
mod results;
mod scenario;
mod serving;
mod stores;
mod sums;
mod totals;
mod training;
mod workload;

pub use bound::Bound;
pub use collective::{CollectiveUse, Group};
pub use expect::{MEMORY_PARTS, STORED_PARTS, check_model_expectations};
pub use formats::Formats;
pub use frame::{Frame, View};
pub use offload::Transfer;
pub use phase::{KernelCost, LayerCollective, PhaseCost, Stage};
pub use pipeline::Pipeline;
pub use power::unstated;
pub use results::{Leaf, Results};
pub use scenario::{Expectation, Lowered, lower, model_alone};
pub use workload::Workload;
