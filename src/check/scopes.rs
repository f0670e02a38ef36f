//! `within`: whether what a rule is for is in the model.
//!
//! In: the rules of a scenario, a model or a plan, and the built model. Out: a finding for each name
//! that means no block, instance or weight of it; such a rule would hold nowhere.

use std::rc::Rc;

use super::object::Entry;
use super::rematerialize::own_names;
use super::{Checker, Object, closest, codes, scope_matches, show_rule};
use crate::diagnostic::Diagnostic;
use crate::graph::op_matches;
use crate::ir::{Model, Plan, Step};
use crate::name::Name;
use crate::syntax::ast::Ident;

/// Settings that may hold for a kernel, or for what one op makes.
const OF_KERNELS: [&str; 3] = ["recompute", "compute", "saved"];

impl<'p> Checker<'p> {
    /// The rules `weights within … = …` and `adapter within … = …` of a scenario or a model.
    pub(crate) fn check_precision(&mut self, model: &Model, object: &Rc<Object<'p>>) -> Option<()> {
        let of_precision = |e: &&Entry<'p>| {
            !e.within.is_empty()
                && e.path.first().is_some_and(|n| *n == "precision" || *n == "adapter")
        };
        let rules: Vec<_> = object.entries.iter().filter(of_precision).cloned().collect();
        if rules.is_empty() {
            return Some(());
        }
        // A model may say what a part of it has that its own arguments leave out: `drafters: 0`.
        let left_out = |entry: &Entry<'p>| {
            let is_out = |path: &Vec<Ident>| match path.as_slice() {
                [one] => model.left_out.contains(&one.name),
                _ => false,
            };
            object.block.is_some() && entry.within.iter().any(is_out)
        };
        let rules = rules.into_iter().filter(|e| !left_out(e)).collect();
        self.check_scopes(model, rules)
    }

    /// A name in the list of a shard rule that is nearly one of the model. Plans are written for
    /// many models, so that one which is like no other says nothing here.
    pub(crate) fn check_shard_scopes(&mut self, model: &Model, plan: &Plan) {
        let mut known: Option<Vec<&str>> = None;
        for rule in plan.rules.iter().filter(|r| r.within.len() > 1) {
            for path in rule.within.iter().filter(|path| !is_in(model, path)) {
                let known = known.get_or_insert_with(|| self::known(model));
                let Some(last) = path.last().map(|n| n.text()).filter(|n| n.len() > 3) else {
                    continue;
                };
                if let Some(best) = closest(last, known.iter().copied().filter(|n| *n != last)) {
                    let title = format!("nothing in the model is `{}`", show_rule(path));
                    let (code, place) = (codes::SHARD_MATCHES_NOTHING, rule.scope_place);
                    let finding = Diagnostic::new(code, title, place, "holds nowhere");
                    self.report(finding.meant(Some(best), None, ""));
                }
            }
        }
    }

    /// Reports what rules name and the model does not have.
    pub(super) fn check_scopes(&mut self, model: &Model, rules: Vec<Entry<'p>>) -> Option<()> {
        let mut good = Some(());
        for entry in rules {
            for path in entry.within {
                let names: Vec<Name> = path.iter().map(|i| i.name).collect();
                let of_kernels = entry.path.iter().any(|w| OF_KERNELS.contains(&w.text()));
                let is_kernel = || names_a_step(&model.steps, model, &names);
                if is_in(model, &names) || (of_kernels && is_kernel()) {
                    continue;
                }
                good = None;
                let span = path.iter().map(|i| i.span).reduce(|a, b| a.to(b));
                let place = span.map_or(entry.place, |s| entry.outer.site().place(s));
                let title = format!("nothing in the model is `{}`", show_rule(&names));
                let finding =
                    Diagnostic::new(codes::SHARD_MATCHES_NOTHING, title, place, "holds nowhere");
                let known = known(model);
                let last = names.last().map_or("", |n| n.text());
                // A weight by its name in another block; or a name that is nearly this one.
                let finding = match holders(model, last) {
                    Some(best) => finding.meant(Some(&best), place, ""),
                    None => {
                        let best = closest(last, known.iter().copied());
                        let last = path.last().map(|i| entry.outer.site().place(i.span));
                        finding.meant(best, last, format!("there are: {}", known.join(", ")))
                    }
                };
                self.report(finding);
            }
        }
        good
    }
}

/// Whether a path names a block, an instance or a weight.
fn is_in(model: &Model, path: &[Name]) -> bool {
    let of_op = model.ops.iter().any(|(_, op)| {
        scope_matches(&op.scope, path, None)
            || crate::graph::scope_matches(&op.scope, path, op.residual)
    });
    of_op
        || model.weights.iter().any(|(t, _)| {
            let tensor = &model.tensors[*t];
            scope_matches(&tensor.scope, path, Some(tensor.name))
        })
}

/// `attention.wq` for `wq`: where the weight of this name is.
fn holders(model: &Model, weight: &str) -> Option<String> {
    let mut weights = model.weights.iter().map(|(t, _)| &model.tensors[*t]);
    let found = weights.find(|t| t.name == weight)?;
    let instance = found.scope.path.last()?;
    Some(format!("{instance}.{weight}"))
}

/// Every name that a path may end in.
fn known(model: &Model) -> Vec<&'static str> {
    let ops =
        model.ops.iter().flat_map(|(_, op)| op.scope.blocks.iter().chain(op.scope.path.iter()));
    let weights = model.weights.iter().map(|(t, _)| &model.tensors[*t].name);
    let mut known: Vec<&str> = ops.chain(weights).map(|n| n.text()).collect();
    known.sort_unstable();
    known.dedup();
    known
}

/// Whether a rule names a kernel, or what an op makes.
fn names_a_step(steps: &[Step], model: &Model, names: &[Name]) -> bool {
    steps.iter().any(|step| {
        let first = match step {
            Step::Op(op) => Some(op),
            Step::Fuse(fuse) => fuse.ops.first(),
            Step::Repeat(repeat) => return names_a_step(&repeat.body, model, names),
            Step::Some { body, .. } => return names_a_step(body, model, names),
            Step::Join { .. } => None,
        };
        let own = own_names(step, model);
        first.is_some_and(|op| op_matches(&model.ops[*op].scope, names, false, &own))
    })
}
