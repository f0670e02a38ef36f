//! The layouts of a step of training: forward, backward, and the gradients brought together.
//!
//! In: a model with a backward pass. Out: the laid-out steps of both, and what it takes for each
//! gradient to lie as its weight does. What forward converted is not there any more on the way
//! back: a tensor is kept in the first layout in which it is whole, or where an all-to-all has
//! brought it: it takes as much memory there.

use rustc_hash::{FxHashMap, FxHashSet};

use super::convert::Need;
use super::layout::{Conversion, Kind, Laid, LaidStep, Layout, Partial, Reduction, Version};
use super::walk::Walk;
use crate::ir::{Kept, MeshId, Model, Pass, Role, TensorId, Zero};

impl Walk<'_> {
    /// Lays out both passes: the first so many steps are forward.
    pub(super) fn training(&mut self, forward: usize, out: &mut Vec<LaidStep>) {
        let steps = &self.model.steps;
        self.steps(steps.get(..forward).unwrap_or_default(), out);
        self.laid.forward_steps = Some(out.len());
        self.available = self.kept();
        self.steps(steps.get(forward..).unwrap_or_default(), out);
        for (weight, gradient) in self.model.gradients.clone() {
            let reduction = self.reduction(weight, gradient);
            self.laid.reductions.push(reduction);
        }
    }

    /// The conversions of forward that are kept: what ends partial sums, and what went elsewhere
    /// without getting larger.
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
        for (tensor, versions) in &self.moved {
            kept.entry(*tensor).or_insert_with(Vec::new).extend(versions);
        }
        kept
    }

    /// What brings a gradient to where its weight lies. Where replicas share the update, sums are
    /// scattered and updated weights gathered: once in a step, or in each micro-batch.
    fn reduction(&mut self, weight: TensorId, gradient: TensorId) -> Reduction {
        self.pass = Pass::Backward;
        let layout = self.laid.layouts.get(&weight).cloned().unwrap_or_default();
        let t = &self.model.tensors[weight];
        let scope = t.scope.clone();
        let zero = self.rules.plan.zero.iter().max_by_key(|z| z.what).cloned();
        let mut reduction =
            Reduction { weight, gradient, conversions: Vec::new(), each: Vec::new(), shared: None };
        if let Some(zero) = zero {
            self.share(&zero, &mut reduction);
        }
        let mut steps = Vec::new();
        let need = Need { place: t.place, scope: &scope, residual: false };
        self.convert(gradient, &layout.shards, &need, &mut steps);
        let rest = steps.into_iter().filter_map(|step| match step {
            LaidStep::Convert(c) => Some(c),
            _ => None,
        });
        reduction.conversions.extend(rest);
        reduction
    }

    /// The mesh axes over which an update is shared take no part in the all-reduce: they scatter
    /// the sums and gather the weight. It is cut flat, not by axes.
    fn share(&mut self, zero: &Zero, out: &mut Reduction) {
        let Some(layout) = self.laid.layouts.get_mut(&out.gradient) else { return };
        let message = Layout { shards: layout.shards.clone(), partial: Vec::new() };
        let (mut shared, mut rest) = (Vec::new(), Vec::new());
        for partial in std::mem::take(&mut layout.partial) {
            let (own, others): (Vec<MeshId>, Vec<MeshId>) =
                partial.group.iter().partition(|m| zero.over.contains(m));
            if own.is_empty() || others.is_empty() {
                let list = if own.is_empty() { &mut rest } else { &mut shared };
                list.push(partial);
                continue;
            }
            // Shared among some of those that sum, replicated over the others.
            let (Some(n), Some(m)) = (self.devices(&own), self.devices(&others)) else { return };
            rest.push(Partial { group: others.into(), count: m, ..partial.clone() });
            shared.push(Partial { group: own.into(), count: n, ..partial });
        }
        if let Some(layout) = self.laid.layouts.get_mut(&out.gradient) {
            layout.partial = rest;
        }
        let Some(first) = shared.first() else { return };
        let mut group: Vec<MeshId> = shared.iter().flat_map(|p| p.group.iter().copied()).collect();
        group.sort_unstable();
        let Some(count) = self.graph.product(shared.iter().map(|p| p.count)) else { return };
        let t = &self.model.tensors[out.weight];
        let whole = self.laid.layouts.get(&out.weight).cloned().unwrap_or_default();
        let conversion = |kind, tensor, message, pass| Conversion {
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
            pass,
            context: false,
            rule: first.rule,
        };
        let scatter = conversion(Kind::ReduceScatter, out.gradient, message, Pass::Backward);
        let gather = |pass| conversion(Kind::AllGather, out.weight, whole.clone(), pass);
        match zero.what {
            Kept::Optimizer => out.conversions.extend([scatter, gather(Pass::Backward)]),
            Kept::Gradients => {
                out.conversions.push(gather(Pass::Backward));
                out.each.push(scatter);
            }
            Kept::Weights => {
                out.each.push(gather(Pass::Forward));
                if !self.rules.plan.keep_gathered {
                    out.each.push(gather(Pass::Backward));
                }
                out.each.push(scatter);
            }
        }
        out.shared = Some((zero.what, count));
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
