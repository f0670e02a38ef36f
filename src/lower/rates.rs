//! How fast a chip works: what it computes in and at what rate, and how fast its memory is read.
//!
//! In: an op with its work, or the bytes of a kernel. Out: times by the library's formulas, and the
//! rates of the chip that they follow from.

use std::rc::Rc;

use super::offload::Transfer;
use super::phase::Setting;
use super::training::kernel_of;
use crate::check::{Checker, Computing, Env, Object, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin};
use crate::ir::{Dtype, Model, OpId, Pass, Role};
use crate::name::Name;
use crate::quantity::Dimension;

/// Bytes of a kernel by the rate at which they are read.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) plain: Option<ExprId>,
    pub(super) cached: Option<ExprId>,
    pub(super) narrow: Option<ExprId>,
    /// Weights of the whole system, counted apart.
    pub(super) weights: Option<ExprId>,
    /// What lies outside of the devices.
    pub(super) moved: Vec<Transfer>,
}

impl<'p> Checker<'p> {
    pub(super) fn matrix_time(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        flops: ExprId,
        fused: bool,
        env: &Env<'p>,
    ) -> (Option<ExprId>, Option<(ExprId, Name)>) {
        let Some((peak, bits, format)) = self.matrix_peak(setting, op) else {
            return (None, None);
        };
        let mut args = vec![
            ("flops", Value::Num(flops)),
            ("peak", Value::Num(peak)),
            ("bits", Value::Num(bits)),
        ];
        if setting.model.forward_steps.is_some() {
            let rule = "1 in training, whose steps last for long";
            let trains = self.counted(1.0, "trains", setting.place, rule);
            args.push(("trains", Value::Num(trains)));
        }
        // Inside of a kernel such as flash attention both factors are made on the way; an op that is
        // such a kernel by itself, as scans are, is no product of a shape.
        let k = self.formula(setting, op, "k", env);
        if k.is_none() || fused && !has_weight(&setting.model, op) {
            let back = f64::from(u8::from(setting.model.ops[op].pass != Pass::Forward));
            let rule = "1 in the backward pass of a fused kernel";
            let back = self.counted(back, "backward", setting.place, rule);
            args.push(("backward", Value::Num(back)));
            return (self.library_number("fused_matrix_time", &args), Some((peak, format)));
        }
        args.extend(k.map(|k| ("k", Value::Num(k))));
        for name in ["m", "n", "batches"] {
            if let Some(id) = self.formula(setting, op, name, env) {
                args.push((name, Value::Num(id)));
            }
        }
        if let Some(processors) = self.field(&setting.machine.chip, Name::new("processors")) {
            args.push(("processors", processors));
        }
        (self.library_number("matrix_time", &args), Some((peak, format)))
    }

    pub(super) fn vector_time(
        &mut self,
        setting: &Setting<'_, 'p>,
        flops: ExprId,
    ) -> Option<ExprId> {
        let peak = self.vector_peak(&setting.machine.chip)?;
        let args = [("flops", Value::Num(flops)), ("peak", Value::Num(peak))];
        self.library_number("vector_time", &args)
    }

    /// The vector rate: fp32 if the chip lists it, else the first that it lists.
    fn vector_peak(&mut self, chip: &Rc<Object<'p>>) -> Option<ExprId> {
        let Some(Value::Object(section)) = self.field_path(chip, &["compute", "vector"]) else {
            return None;
        };
        let names = section.field_names(&[]);
        let fp32 = Name::new("fp32");
        let name = if names.contains(&fp32) { fp32 } else { *names.first()? };
        match self.field(&section, name)? {
            Value::Num(id) => Some(id),
            _ => None,
        }
    }

    /// The matrix rate for the widest operand: its own row of the chip, or the next wider one.
    fn matrix_peak(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
    ) -> Option<(ExprId, ExprId, Name)> {
        let (said, forced) = computed_in(setting, op)?;
        let chip = &setting.machine.chip;
        let Some(Value::Object(section)) = self.field_path(chip, &["compute", "matrix"]) else {
            return None;
        };
        let names = section.field_names(&[]);
        // What a model says is taken where the chip has it; what a scenario says must be there.
        let taken = forced || names.contains(&said.name);
        let wanted = if taken { said } else { widest(&setting.model, op)? };
        let mut best: Option<(f64, Name)> = None;
        if names.contains(&wanted.name) {
            best = Some((wanted.bits, wanted.name));
        } else if !forced {
            let whole = |name: Name| name.text().starts_with("int");
            for name in &names {
                let Some(dtype) = self.dtype_named(name.text()) else { continue };
                // A format as wide as the operands holds them; tf32 drops bits of 32, and integers
                // hold integers only.
                let holds = dtype.bits >= wanted.bits
                    && *name != "tf32"
                    && (whole(wanted.name) || !whole(*name));
                if holds && best.is_none_or(|(bits, _)| dtype.bits < bits) {
                    best = Some((dtype.bits, *name));
                }
            }
        }
        let Some((_, name)) = best else {
            let listed: Vec<&str> = names.iter().map(|n| n.text()).collect();
            let at = setting.place;
            self.report(
                Diagnostic::new(
                    codes::UNSUPPORTED_DTYPE,
                    format!("{} cannot compute in {}", chip.name, wanted.name),
                    at,
                    "this format is wanted",
                )
                .note(format!("its matrix units list: {}", listed.join(", "))),
            );
            return None;
        };
        let peak = match self.field(&section, name)? {
            Value::Num(id) => id,
            _ => return None,
        };
        let dtype = self.dtype_named(name.text())?;
        let bits = self.counted(dtype.bits, "bits", dtype.place, "bits of the format computed in");
        Some((peak, bits, name))
    }

    pub(super) fn memory_time(
        &mut self,
        setting: &Setting<'_, 'p>,
        traffic: &Traffic,
        product: bool,
    ) -> Option<ExprId> {
        let (_, bandwidth) = self.main_memory(&setting.machine.chip)?;
        let place = setting.place;
        let none = || Origin::inferred(Name::new("none"), place, "nothing of this kind is moved");
        let mut args = vec![("bandwidth", Value::Num(bandwidth))];
        let (plain, elementwise) =
            if product { (traffic.plain, None) } else { (None, traffic.plain) };
        let parts = [
            ("plain", plain),
            ("elementwise", elementwise),
            ("cached", traffic.cached),
            ("narrow", traffic.narrow),
        ];
        for (name, part) in parts {
            let part = part.unwrap_or_else(|| self.graph.constant(0.0, Dimension::BYTES, none()));
            args.push((name, Value::Num(part)));
        }
        self.library_number("memory_time", &args)
    }

    /// Capacity and bandwidth of a chip's main memory: the largest that it lists with both.
    pub(crate) fn main_memory(&mut self, chip: &Rc<Object<'p>>) -> Option<(ExprId, ExprId)> {
        let Some(Value::Object(section)) = self.field_path(chip, &["memory"]) else {
            return None;
        };
        let mut largest: Option<(ExprId, ExprId)> = None;
        for name in section.field_names(&[]) {
            let Some(Value::Object(memory)) = self.field(&section, name) else { continue };
            let capacity = self.field(&memory, Name::new("capacity"));
            let bandwidth = self.field(&memory, Name::new("bandwidth"));
            let (Some(Value::Num(c)), Some(Value::Num(b))) = (capacity, bandwidth) else {
                continue;
            };
            largest = match largest {
                None => Some((c, b)),
                Some(before) => {
                    let larger = self.graph.binary(Op::Lt, before.0, c);
                    if self.decide(larger) == Some(true) { Some((c, b)) } else { Some(before) }
                }
            };
        }
        largest
    }
}

/// Whether an op is the product of a weight, or makes the gradient of one.
fn has_weight(model: &Model, op: OpId) -> bool {
    let op = &model.ops[op];
    model.tensors[op.result].role == Role::Gradients
        || op.operands.iter().any(|(_, t)| model.tensors[*t].role == Role::Weights)
}

/// What an op is to compute in, and whether the scenario says so. A rule for its block or kernel
/// wins; a general one narrower than the operands is for products of weights, as recipes for
/// 8 bits have it.
pub(super) fn computed_in(setting: &Setting<'_, '_>, op: OpId) -> Option<(Rc<Dtype>, bool)> {
    let model = &setting.model;
    let instance = &model.ops[op];
    let widest = widest(model, op)?;
    let Computing { scenario, model: stated } = &setting.compute;
    let mut own = Vec::new();
    if !scenario.scoped.is_empty() || !stated.scoped.is_empty() {
        // A gradient goes by the name of what it is the gradient of, a kernel of gradients too.
        let result = model.tensors[instance.result].name;
        own.push(result);
        own.extend(result.text().strip_prefix("d_").map(Name::new));
        let kernel = kernel_of(op, &model.steps);
        own.extend(kernel.map(|k| Name::new(k.text().trim_end_matches("_backward"))));
        let factors = instance.operands.iter().map(|(_, t)| &model.tensors[*t]);
        own.extend(factors.filter(|t| t.role == Role::Weights).map(|t| t.name));
    }
    for (rules, forced) in [(scenario, true), (stated, false)] {
        if let Some(dtype) = rules.scoped(&instance.scope, &own) {
            return Some((dtype.clone(), forced));
        }
        if let Some(dtype) = &rules.general
            && (dtype.bits >= widest.bits || has_weight(model, op))
        {
            return Some((dtype.clone(), forced));
        }
    }
    Some((widest, false))
}

/// The widest format of an op's operands.
fn widest(model: &Model, op: OpId) -> Option<Rc<Dtype>> {
    let operands = model.ops[op].operands.iter().map(|(_, t)| &model.tensors[*t].dtype);
    operands.max_by(|a, b| a.bits.total_cmp(&b.bits)).cloned()
}
