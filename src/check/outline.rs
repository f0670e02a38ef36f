//! The tree of results before there is one: which paths it has and what they measure.
//!
//! In: nothing but the library's metrics and the user's. Out: results whose values are not known,
//! so that metrics, measurements, sweeps and expectations are checked although nothing is lowered.

use super::Checker;
use super::program::ModuleId;
use crate::lower::{Leaf, Results};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::{Place, Span};
use crate::syntax::ast::ItemKind;

/// What a result holds.
#[derive(Clone, Copy)]
enum Holds {
    Quantity(Dimension),
    Flag,
    Word,
}

use Holds::{Flag, Quantity, Word};

const NUMBER: Holds = Quantity(Dimension::NONE);
const BYTES: Holds = Quantity(Dimension::BYTES);
const TIME: Holds = Quantity(Dimension::TIME);
const FLOP: Holds = Quantity(Dimension::FLOP);
const DEVICES: Holds = Quantity(Dimension::DEVICES);

const PHASES: [&str; 4] = ["prefill", "decode.first", "decode.mid", "decode.last"];

/// What each phase has.
const PHASE: &[(&str, Holds)] = &[
    ("time", TIME),
    ("flops.matrix", FLOP),
    ("flops.vector", FLOP),
    ("bytes", BYTES),
    ("communication.bytes", BYTES),
    ("communication.exposed", TIME),
    ("communication.hidden", TIME),
    ("communication.count", NUMBER),
    ("compute_time", TIME),
    ("memory_time", TIME),
    ("overhead", TIME),
    ("offload.exposed", TIME),
    ("offload.hidden", TIME),
    ("offload.bytes", BYTES),
    ("padded.flops.matrix", FLOP),
    ("padded.flops.vector", FLOP),
    ("padded.bytes", BYTES),
    ("replicated.flops.matrix", FLOP),
    ("replicated.flops.vector", FLOP),
    ("replicated.bytes", BYTES),
    ("device.flops.matrix", FLOP),
    ("device.flops.vector", FLOP),
    ("device.bytes", BYTES),
    ("bound", Word),
    ("mfu", NUMBER),
    ("mbu", NUMBER),
];

/// What a scenario has beside its phases and metrics.
const WHOLE: &[(&str, Holds)] = &[
    ("prefill.tokens", Quantity(Dimension::TOKENS)),
    ("parameters.total", NUMBER),
    ("parameters.active", NUMBER),
    ("memory.weights", BYTES),
    ("memory.cache", BYTES),
    ("memory.activations", BYTES),
    ("memory.gradients", BYTES),
    ("memory.optimizer", BYTES),
    ("memory.buffers", BYTES),
    ("memory.reserve", BYTES),
    ("memory.total", BYTES),
    ("memory.capacity", BYTES),
    ("memory.headroom", NUMBER),
    ("memory.fits", Flag),
    ("step.time", TIME),
    ("step.forward", TIME),
    ("step.backward", TIME),
    ("step.recompute", TIME),
    ("step.optimizer", TIME),
    ("step.bubble", TIME),
    ("step.busy_share", NUMBER),
    ("step.bubble_overhead", NUMBER),
    ("step.bubble_share", NUMBER),
    ("step.micro_batches", NUMBER),
    ("step.communication.exposed", TIME),
    ("step.communication.hidden", TIME),
    ("step.communication.bytes", BYTES),
    ("step.offload.exposed", TIME),
    ("step.offload.hidden", TIME),
    ("step.offload.bytes", BYTES),
    ("step.flops.model", FLOP),
    ("step.flops.causal", FLOP),
    ("step.flops.hardware", FLOP),
    ("step.flops.per_token", FLOP),
    ("mfu", NUMBER),
    ("mfu_causal", NUMBER),
    ("hfu", NUMBER),
    ("run.steps", NUMBER),
    ("run.time", TIME),
    ("handover.time", TIME),
    ("handover.bytes", BYTES),
    ("devices", DEVICES),
    ("machine.devices", DEVICES),
    ("machine.tdp", Quantity(Dimension::POWER)),
    ("machine.idle", Quantity(Dimension::POWER)),
    ("machine.host", Quantity(Dimension::POWER)),
    ("machine.pue", NUMBER),
    ("machine.price", Quantity(Dimension::PRICE_RATE)),
];

/// Roots whose names depend on the model.
pub(super) const OPEN_ROOTS: [&str; 2] = ["layers", "collectives"];

impl<'p> Checker<'p> {
    /// Results without values, metrics of the library and of a module included.
    pub(super) fn outline(&mut self, module: ModuleId) -> Results {
        let mut results = Results { open: true, ..Results::default() };
        let place = Place { file: self.program.module(module).file, span: Span::default() };
        for phase in PHASES {
            for (name, holds) in PHASE {
                self.outline_leaf(&mut results, format!("{phase}.{name}"), *holds, place);
            }
        }
        for (path, holds) in WHOLE {
            self.outline_leaf(&mut results, (*path).to_owned(), *holds, place);
        }
        results
    }

    fn outline_leaf(&mut self, results: &mut Results, path: String, holds: Holds, place: Place) {
        let name = Name::new(&path);
        let mut number =
            |dimension| self.unknown_number(name, dimension, place, "a result that is not known");
        let leaf = match holds {
            Quantity(dimension) => Leaf::Number(number(dimension)),
            Flag => Leaf::Flag(number(Dimension::NONE)),
            Word => Leaf::Text(String::new()),
        };
        results.leaves.insert(path, leaf);
    }

    /// Whether a name is the root of a result of scenarios: of the outline, or a metric.
    pub(crate) fn is_result_root(&self, name: Name, module: ModuleId) -> bool {
        let first = |path: &str| path.split('.').next().is_some_and(|root| name == root);
        let metric = |module: ModuleId| {
            self.program.names(module).any(|(n, k)| n == name && k == ItemKind::Metric)
        };
        PHASES.iter().copied().chain(WHOLE.iter().map(|(path, _)| *path)).any(first)
            || OPEN_ROOTS.iter().any(|root| name == *root)
            || self.program.std_module("metrics").is_some_and(metric)
            || metric(module)
    }
}
