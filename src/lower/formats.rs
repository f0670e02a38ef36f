//! The number formats in force, for people: what each role is kept in, and what is computed in.
//!
//! In: a model with formats chosen, and its costed kernels. Out: names of formats by role. What a
//! scenario leaves open is then said as plainly as what it sets.

use super::phase::PhaseCost;
use crate::expr::Graph;
use crate::ir::{Model, Role};
use crate::name::Name;

/// Formats by role, the general one first: `weights`, `activations`, `cache`, …, `compute`.
pub type Formats = Vec<(&'static str, Vec<Name>)>;

/// What the tensors of each role are kept in. `general` is what a role has unless a rule says more.
#[must_use]
pub fn kept(model: &Model, general: &[(Role, Name)]) -> Formats {
    let mut formats = Formats::new();
    for &(role, name) in general {
        let mut names: Vec<Name> = Vec::new();
        // What passes by has formats of its own here and there: masks of a byte, sums in fp32.
        if matches!(role, Role::Activations | Role::Gradients) {
            if model.tensors.iter().any(|(_, t)| t.role == role) {
                formats.push((role.word(), vec![name]));
            }
            continue;
        }
        for (_, tensor) in model.tensors.iter().filter(|(_, t)| t.role == role) {
            if !names.contains(&tensor.dtype.name) {
                names.push(tensor.dtype.name);
            }
        }
        names.sort_by_key(|n| *n != name);
        if !names.is_empty() {
            formats.push((role.word(), names));
        }
    }
    formats
}

/// Adds what the products of a phase are computed in, the most work first.
pub fn computed(formats: &mut Formats, graph: &Graph, cost: &PhaseCost) {
    let mut work: Vec<(Name, f64)> = Vec::new();
    for kernel in &cost.kernels {
        let Some(format) = kernel.format else { continue };
        let flops = kernel.local.first().copied().flatten().map_or(0.0, |id| graph.value(id));
        let flops = flops * kernel.rounds.map_or(1.0, |id| graph.value(id));
        match work.iter_mut().find(|(name, _)| *name == format) {
            Some((_, sum)) => *sum += flops,
            None => work.push((format, flops)),
        }
    }
    work.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (name, _) in work {
        match formats.iter_mut().find(|(role, _)| *role == "compute") {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => formats.push(("compute", vec![name])),
        }
    }
}
