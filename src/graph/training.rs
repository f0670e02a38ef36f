//! The layouts of a step of training: forward, backward, and the gradients brought together.
//!
//! In: a model with a backward pass. Out: the laid-out steps of both, and what it takes for each
//! gradient to lie as its weight does. What forward converted is not there any more on the way
//! back: a tensor is kept in the first layout in which it is whole.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::convert::Need;
use super::layout::{Conversion, Kind, Laid, LaidStep, Layout, Reduction, Version};
use super::walk::Walk;
use crate::ir::{MeshId, Model, Pass, Role, TensorId};
use crate::name::Name;

impl Walk<'_> {
    /// Lays out both passes: the first so many steps are forward.
    pub(super) fn training(&mut self, forward: usize, out: &mut Vec<LaidStep>) {
        let steps = &self.model.steps;
        self.steps(steps.get(..forward).unwrap_or_default(), out);
        self.laid.forward_steps = Some(out.len());
        self.available = self.kept();
        self.steps(steps.get(forward..).unwrap_or_default(), out);
        for (weight, gradient) in self.model.gradients.clone() {
            let conversions = self.reduction(weight, gradient);
            self.laid.reductions.push(Reduction { weight, gradient, conversions });
        }
    }

    /// The conversions of forward that are kept: what ends partial sums.
    fn kept(&self) -> FxHashMap<TensorId, Vec<usize>> {
        let mut kept = FxHashMap::default();
        for (tensor, layouts) in &self.laid.converted {
            let made = self.laid.layouts.get(tensor);
            if made.is_none_or(|l| l.partial.is_empty()) {
                continue;
            }
            let whole = layouts.iter().position(|l| l.partial.is_empty());
            kept.extend(whole.map(|i| (*tensor, vec![i + 1])));
        }
        kept
    }

    /// What brings a gradient to where its weight lies; with `zero optimizer` scattered for the
    /// update, and the updated weight gathered again.
    fn reduction(&mut self, weight: TensorId, gradient: TensorId) -> Vec<Conversion> {
        self.pass = Pass::Backward;
        let layout = self.laid.layouts.get(&weight).cloned().unwrap_or_default();
        let t = &self.model.tensors[weight];
        let scope = t.scope.clone();
        let zero = self.rules.plan.zero.iter().find(|z| z.what == Name::new("optimizer"));
        let mut after = Vec::new();
        if let Some(over) = zero.map(|z| z.over.clone()) {
            after = self.scattered(weight, gradient, &over);
        }
        let mut steps = Vec::new();
        let need = Need { place: t.place, scope: &scope, residual: false };
        self.convert(gradient, &layout.shards, &need, &mut steps);
        let mut conversions: Vec<Conversion> = steps
            .into_iter()
            .filter_map(|step| match step {
                LaidStep::Convert(c) => Some(c),
                _ => None,
            })
            .collect();
        conversions.extend(after);
        conversions
    }

    /// The mesh axes over which an update is shared take no part in the all-reduce: they scatter
    /// the sums, and gather the weight when it is updated. The update is cut flat, not by axes.
    fn scattered(
        &mut self,
        weight: TensorId,
        gradient: TensorId,
        over: &Rc<[MeshId]>,
    ) -> Vec<Conversion> {
        let Some(layout) = self.laid.layouts.get_mut(&gradient) else { return Vec::new() };
        let (shared, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut layout.partial)
            .into_iter()
            .partition(|p| p.group.iter().all(|m| over.contains(m)));
        layout.partial = rest;
        let message = Layout { shards: layout.shards.clone(), partial: Vec::new() };
        let Some(first) = shared.first() else { return Vec::new() };
        let mut group: Vec<MeshId> = shared.iter().flat_map(|p| p.group.iter().copied()).collect();
        group.sort_unstable();
        let Some(count) = self.graph.product(shared.iter().map(|p| p.count)) else {
            return Vec::new();
        };
        let t = &self.model.tensors[weight];
        let whole = self.laid.layouts.get(&weight).cloned().unwrap_or_default();
        let conversion = |kind, tensor, message| Conversion {
            kind,
            tensor,
            from: 0,
            to: 0,
            group: group.clone().into(),
            count,
            message,
            model_place: t.place,
            scope: t.scope.clone(),
            residual: false,
            pass: Pass::Backward,
            rule: first.rule,
        };
        vec![
            conversion(Kind::ReduceScatter, gradient, message),
            conversion(Kind::AllGather, weight, whole),
        ]
    }
}

/// Versions of activations that forward makes and backward reads: what must be kept between them.
#[must_use]
pub fn saved(laid: &Laid, model: &Model) -> Vec<Version> {
    let forward = laid.forward_steps.unwrap_or(laid.steps.len());
    let mut read = Vec::new();
    reads(laid.steps.get(forward..).unwrap_or_default(), &mut read);
    let mut made = Vec::new();
    makes(laid.steps.get(forward..).unwrap_or_default(), model, &mut made);
    let made: FxHashSet<Version> = made.into_iter().collect();
    let new = |v: &Version| made.contains(v) || made.contains(&Version { index: 0, ..*v });
    read.retain(|v| {
        let role = model.tensors[v.tensor].role;
        role == Role::Activations && !new(v)
    });
    read.sort_unstable();
    read.dedup();
    read
}

fn reads(steps: &[LaidStep], out: &mut Vec<Version>) {
    for step in steps {
        match step {
            LaidStep::Op(op) => out.extend(&op.reads),
            LaidStep::Fuse(_, ops) => out.extend(ops.iter().flat_map(|o| o.reads.iter().copied())),
            LaidStep::Convert(c) => out.push(Version { tensor: c.tensor, index: c.from }),
            LaidStep::Repeat { body, .. } | LaidStep::Some { body, .. } => reads(body, out),
            LaidStep::Join { .. } => {}
        }
    }
}

/// Versions that steps make.
fn makes(steps: &[LaidStep], model: &Model, out: &mut Vec<Version>) {
    let original = |tensor| Version { tensor, index: 0 };
    for step in steps {
        match step {
            LaidStep::Op(op) => out.push(original(model.ops[op.op].result)),
            LaidStep::Fuse(_, ops) => {
                out.extend(ops.iter().map(|o| original(model.ops[o.op].result)));
            }
            LaidStep::Convert(c) => out.push(Version { tensor: c.tensor, index: c.to }),
            LaidStep::Repeat { repeat, body, .. } => {
                out.extend(repeat.carried.iter().flat_map(|c| [c.start, c.after]).map(original));
                makes(body, model, out);
            }
            LaidStep::Some { body, .. } => makes(body, model, out),
            LaidStep::Join { result, .. } => out.push(original(*result)),
        }
    }
}
