//! Adapters: blocks beside the matrices of a model, `adapter within wq, wv = Lora(rank: 16)`.
//!
//! In: a product with a weight that a rule names. Out: what the adapter's block makes of the product
//! and of what entered it. The block knows nothing of the layer: its axes `requests`, `tokens`,
//! `inputs` and `outputs` stand for as many axes as the product has.

use std::rc::Rc;

use super::object::{Entry, Object};
use super::value::Value;
use super::weights::join;
use super::{Checker, codes, scope_matches};
use crate::diagnostic::Diagnostic;
use crate::ir::{AxisId, Role, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{AxisRef, ItemKind, StmtKind};

/// Which weights have an adapter beside them: all, where nothing is named.
#[derive(Clone)]
pub struct AdapterRule<'p> {
    within: Vec<Vec<Name>>,
    block: Rc<Object<'p>>,
}

/// The inputs of a block that can be an adapter.
const INPUTS: [(&str, [&str; 3]); 2] =
    [("x", ["requests", "tokens", "inputs"]), ("y", ["requests", "tokens", "outputs"])];

impl<'p> Checker<'p> {
    /// The rules `adapter within … = Block(…)` of a model or a scenario.
    pub(super) fn adapter_rules(&mut self, object: &Rc<Object<'p>>) -> Vec<AdapterRule<'p>> {
        let of_adapters = |e: &&Entry<'p>| matches!(&*e.path, [only] if *only == "adapter");
        let entries: Vec<_> = object.entries.iter().filter(of_adapters).cloned().collect();
        let mut rules = Vec::new();
        for entry in entries {
            let Some(expr) = entry.value else { continue };
            let place = entry.outer.site().place(expr.span);
            let value = self.block_value(expr, &entry.outer);
            let block = match value {
                Value::Object(block) if block.kind == ItemKind::Block => block,
                Value::None | Value::Error => continue,
                other => {
                    let what = other.describe();
                    let title = format!("{what} is no block of an adapter");
                    let finding = Diagnostic::new(codes::WRONG_TYPE, title, place, "not a block");
                    self.report(finding.note("write one as it is called: `Lora(rank: 16)`"));
                    continue;
                }
            };
            if self.is_adapter(&block, place) {
                let within = entry.within.iter().map(|w| w.iter().map(|i| i.name).collect());
                rules.push(AdapterRule { within: within.collect(), block });
            }
        }
        rules
    }

    /// Whether a block takes what enters a product and what comes out of it.
    fn is_adapter(&mut self, block: &Rc<Object<'p>>, place: Place) -> bool {
        let Some(item) = block.block else { return false };
        let stmts = item.item.body.as_ref().map_or(&[][..], |b| &b.stmts);
        let has = |(name, axes): (&str, [&str; 3])| {
            stmts.iter().any(|s| match &s.kind {
                StmtKind::Input { name: n, axes: a, .. } => {
                    n.name == name && a.iter().map(|a| a.name.name.text()).eq(axes)
                }
                _ => false,
            })
        };
        if INPUTS.into_iter().all(has) {
            return true;
        }
        let title = format!("`{}` cannot stand beside a matrix", block.name);
        let label =
            "an adapter takes `x[requests, tokens, inputs]` and `y[requests, tokens, outputs]`";
        let finding = Diagnostic::new(codes::WRONG_KIND, title, place, label);
        self.report(finding.and(item.name_place(), "its inputs are others"));
        false
    }

    /// What becomes of `made`, the product of `x` and `y`, where a rule puts an adapter beside it.
    pub(super) fn adapted(
        &mut self,
        x: TensorId,
        y: TensorId,
        made: TensorId,
        place: Place,
    ) -> Option<Value<'p>> {
        if self.builder.precision.adapters.is_empty() || self.builder.adapter.is_some() {
            return None;
        }
        let tensors = &self.builder.built.model.tensors;
        let (weight, input) = match (tensors[x].role, tensors[y].role) {
            (Role::Activations, Role::Weights) => (y, x),
            (Role::Weights, Role::Activations) => (x, y),
            _ => return None,
        };
        let tensor = &tensors[weight];
        let mut rules = self.builder.precision.adapters.iter().rev();
        let rule = rules.find(|rule| {
            let named = |w: &Vec<Name>| scope_matches(&tensor.scope, w, Some(tensor.name));
            rule.within.is_empty() || rule.within.iter().any(named)
        })?;
        let block = rule.block.clone();
        Some(self.beside(&block, weight, input, made, place))
    }

    fn beside(
        &mut self,
        block: &Rc<Object<'p>>,
        weight: TensorId,
        x: TensorId,
        made: TensorId,
        place: Place,
    ) -> Value<'p> {
        let Some(item) = block.block else { return Value::Error };
        let inner = self.item_env(item).names();
        let outer = inner.clone();
        let slots = self.amended_slots(block);
        if !self.bind_block_params(item, (&[], &slots), place, &outer, &inner) {
            return Value::Error;
        }
        let tensors = &self.builder.built.model.tensors;
        let (of_weight, of_x, of_made) =
            (&tensors[weight].axes, &tensors[x].axes, &tensors[made].axes);
        let both = |a: &[AxisId], b: &[AxisId]| -> Rc<[AxisId]> {
            a.iter().filter(|a| b.contains(a)).copied().collect()
        };
        let through = both(of_x, of_made);
        // Axes of the weight that stay, such as experts, are those of its inputs and outputs both.
        let own = through.iter().position(|a| !of_weight.contains(a));
        let (first, rest): (Vec<AxisId>, Vec<AxisId>) =
            through.iter().partition(|a| own.and_then(|at| through.get(at)) == Some(a));
        let axes = [
            ("requests", Rc::from(first)),
            ("tokens", Rc::from(rest)),
            ("inputs", both(of_weight, of_x)),
            ("outputs", both(of_weight, of_made)),
        ];
        for (name, axes) in axes {
            inner.bind(Name::new(name), Value::Axes(axes));
        }
        inner.bind(Name::new("x"), Value::Tensor(x));
        inner.bind(Name::new("y"), Value::Tensor(made));
        let (name, from) = (tensors[weight].name, tensors[weight].from.clone());
        let block_name = item.item.name.name;
        let binding = Name::new(&format!("{name}_{}", block_name.text().to_lowercase()));
        let from = from.as_deref().map(|f| f.trim_end_matches("^T").trim_end_matches(".weight"));
        let prefix = match from {
            Some(from) => from.to_owned(),
            None => join(&self.builder.here.prefix, Some(name.text())),
        };
        self.builder.adapter = Some(self.builder.blocks.len() + 1);
        let outputs = self.build_within(item, (binding, prefix), &inner, place);
        self.builder.adapter = None;
        outputs.first().map_or(Value::Error, |t| Value::Tensor(*t))
    }

    /// The axes that names in brackets mean: each one, or all that a name of an adapter stands for.
    pub(super) fn axes_named(
        &mut self,
        axes: &[AxisRef],
        env: &super::value::Env<'p>,
    ) -> Option<Vec<AxisId>> {
        let mut found: Vec<AxisId> = Vec::new();
        for axis in axes {
            match env.local(axis.name.name) {
                Some(Value::Axes(all)) => {
                    let new: Vec<_> = all.iter().filter(|a| !found.contains(a)).copied().collect();
                    found.extend(new);
                }
                _ => found.push(self.axis_named(axis, env)?),
            }
        }
        Some(found)
    }
}
