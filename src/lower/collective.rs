//! Collectives: message sizes, the devices that take part, and the library's formulas for both.

use std::rc::Rc;

use super::frame::{Frame, View};
use crate::arena::Ordered;
use crate::check::{Checker, Machine, Object, Record, Value};
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::graph::{Conversion, Kind};
use crate::ir::{AxisId, MeshId, Model, Pass, Plan, TensorId};
use crate::name::Name;
use crate::source::Place;

/// A collective in one phase, as the report shows it.
#[derive(Clone, Debug)]
pub struct CollectiveUse {
    /// `all-reduce` …
    pub kind: &'static str,
    /// The mesh axes, joined by `,`.
    pub axis: String,
    /// The tensor.
    pub tensor: String,
    /// Devices that take part.
    pub devices: ExprId,
    /// How often in the phase.
    pub count: ExprId,
    /// Bytes of the whole message.
    pub message: ExprId,
    /// Logical bytes sent by each device, once.
    pub bytes: ExprId,
    /// Time of one.
    pub time: ExprId,
    /// Time of all in the phase.
    pub total: ExprId,
    /// The part of a step of training that needs it.
    pub pass: Pass,
    /// What it moves: the word that `overlap` has for it.
    pub moves: &'static str,
    /// The slowest link that it crosses.
    pub link: String,
    /// The algorithm that the library chose.
    pub algorithm: String,
    /// Where the model needs it.
    pub model_place: Place,
    /// Where the plan causes it.
    pub plan_place: Place,
}

/// The devices of a collective, level by level.
pub struct Group<'p> {
    /// The record that formulas read.
    pub value: Value<'p>,
    /// Sizes and links, innermost first.
    pub levels: Vec<(ExprId, Rc<Object<'p>>)>,
}

impl<'p> Checker<'p> {
    /// `n` devices along mesh axes as nested groups: how many inside of each level, over its link.
    pub(crate) fn group(
        &mut self,
        plan: &Plan,
        machine: &Machine<'p>,
        mesh: &[MeshId],
        n: ExprId,
    ) -> Option<Rc<Group<'p>>> {
        let key = (mesh.to_vec(), n);
        if let Some(group) = self.groups.get(&key) {
            return Some(group.clone());
        }
        let place = plan.mesh[*mesh.last()?].place;
        let one = self.counted(1.0, "1", place, "at least one device");
        let mut inside = one;
        let mut levels = Vec::new();
        let last = machine.links.len().saturating_sub(1);
        for (i, (level, link)) in machine.system.levels.iter().zip(&machine.links).enumerate() {
            let reach = if i == last {
                n
            } else {
                // Neighbours on a mesh axis are its stride apart: of a level's devices every
                // stride-th takes part.
                let mut reach = one;
                for id in mesh {
                    let axis = &plan.mesh[*id];
                    let share = self.graph.div(level.devices, axis.stride);
                    let share = self.graph.binary(Op::Min, axis.size, share);
                    let share = self.graph.binary(Op::Max, one, share);
                    reach = if reach == one { share } else { self.graph.mul(reach, share) };
                }
                self.graph.binary(Op::Min, n, reach)
            };
            let here = self.graph.div(reach, inside);
            let origin = Origin {
                name: Name::new(&format!("devices_per_{}", level.name)),
                kind: OriginKind::Inferred,
                place,
                rule: Some(
                    "max(1, min(size, devices of the level / stride)) per mesh axis, over the level inside",
                ),
            };
            let here = self.graph.named(here, origin);
            levels.push((here, link.clone()));
            inside = reach;
        }
        // Formulas take equal groups for the same one, also in the next scenario.
        let parts = levels.iter().map(|(count, link)| (*count, Rc::as_ptr(link).addr()));
        let parts: Vec<(ExprId, usize)> = parts.collect();
        if let Some(group) = self.group_records.get(&parts) {
            let group = group.clone();
            self.groups.insert(key, group.clone());
            return Some(group);
        }
        let mut value = Value::None;
        let mut outer = None;
        for (count, link) in levels.iter().rev() {
            let total = match outer {
                None => *count,
                Some(outer) => self.graph.mul(outer, *count),
            };
            let mut fields = Ordered::default();
            fields.insert(Name::new("n"), Value::Num(total));
            fields.insert(Name::new("here"), Value::Num(*count));
            fields.insert(Name::new("link"), Value::Object(link.clone()));
            fields.insert(Name::new("across"), value);
            value = Value::Record(Rc::new(Record { what: "group of devices", fields }));
            outer = Some(total);
        }
        let group = Rc::new(Group { value, levels });
        self.groups.insert(key, group.clone());
        self.group_records.insert(parts, group.clone());
        Some(group)
    }

    /// A conversion in one phase, run `count` times.
    pub(crate) fn collective(
        &mut self,
        conversion: &Conversion,
        plan: &Plan,
        machine: &Machine<'p>,
        frame: &Frame,
        count: ExprId,
    ) -> Option<CollectiveUse> {
        let shards = &conversion.message.shards;
        let mut message = self.tensor_bytes(frame, conversion.tensor, shards, View::Local)?;
        if let Some(rows) = rows_combined(&frame.model, conversion) {
            // A greatest value and a sum go along for every row.
            let outer = self.frame.replace(frame.with(shards, View::Local, None));
            let size = self.frame_size(&rows, false, frame.place);
            self.frame = outer;
            if let Value::Num(rows) = size {
                let width = frame.model.tensors[conversion.tensor].dtype.width;
                let bytes = self.graph.mul(rows, width);
                message = self.graph.add(message, bytes);
                message = self.graph.add(message, bytes);
            }
        }
        let group = self.group(plan, machine, &conversion.group, conversion.count)?;
        let tensor = frame.model.tensors[conversion.tensor].path();
        let mesh: Vec<&str> = conversion.group.iter().map(|m| plan.mesh[*m].name.text()).collect();
        let rule = plan.rules.get(conversion.rule)?;
        let kind = conversion.kind;
        let mut args = vec![("bytes", Value::Num(message)), ("over", group.value.clone())];
        let mut function = kind.function();
        let axes = &frame.model.tensors[conversion.tensor].axes;
        if let Some(sparse) = axes.iter().find_map(|a| frame.model.axes[*a].sparse.clone())
            && kind == Kind::AllToAll
        {
            // What is sent are copies: one for each pick, or fewer.
            function = "exchange";
            args.push(("picks", Value::Num(sparse.present)));
            args.extend(sparse.reach.map(|reach| ("reach", Value::Num(reach))));
        }
        let mut word = kind.word();
        let mut of_volume = kind.function();
        let volume_args = [("bytes", Value::Num(message)), ("n", Value::Num(conversion.count))];
        let mut volume_args = volume_args.to_vec();
        if let Some(share) = self.halo(conversion, plan, frame) {
            (word, function, of_volume) = ("halo", "halo", "halo");
            args.push(("share", Value::Num(share)));
            volume_args.push(("share", Value::Num(share)));
        }
        let time = self.library_number(function, &args)?;
        let volume = self.library_number(&format!("{of_volume}_volume"), &volume_args)?;
        let axis = mesh.join(",");
        let origin = |what: &str, rule_text| {
            Origin::inferred(
                Name::new(&format!("{word} of {tensor} over {axis}{what}")),
                conversion.model_place,
                rule_text,
            )
        };
        let time = self.graph.named(time, origin("", "the library's formula for it"));
        let bytes = self.graph.named(volume, origin(": bytes", "logical bytes sent by a device"));
        let total = self.graph.mul(time, count);
        Some(CollectiveUse {
            kind: word,
            axis,
            tensor,
            devices: conversion.count,
            count,
            message,
            bytes,
            time,
            total,
            pass: conversion.pass,
            moves: if conversion.context { "context" } else { "activations" },
            link: self.link_crossed(&group),
            algorithm: self.chosen(time),
            model_place: conversion.model_place,
            plan_place: rule.place,
        })
    }

    /// The share of a sequence that devices need of each other where keys and values are cut along
    /// it and queries look back over a window alone.
    fn halo(&mut self, conversion: &Conversion, plan: &Plan, frame: &Frame) -> Option<ExprId> {
        let brings = matches!(conversion.kind, Kind::AllGather | Kind::ReduceScatter);
        if !conversion.context || !brings {
            return None;
        }
        let window = window_of(&frame.model, conversion.tensor)?;
        let seq = *frame.phase.get(&Name::new("seq"))?;
        let chunks = if plan.contiguous { 1.0 } else { 2.0 };
        let chunks = self.counted(chunks, "chunks", conversion.model_place, "of each device");
        let args = [("seq", seq), ("window", window), ("n", conversion.count), ("chunks", chunks)];
        let args = args.map(|(name, id)| (name, Value::Num(id)));
        self.library_number("halo_share", &args)
    }

    /// The outermost link that more than one device shares.
    pub(crate) fn link_crossed(&self, group: &Group<'p>) -> String {
        let crossed = group.levels.iter().rev().find(|(n, _)| self.graph.value(*n) > 1.0);
        crossed.or(group.levels.first()).map_or(String::new(), |(_, l)| l.name.to_string())
    }

    /// The name of the alternative that a `best(a: …, b: …)` below a node took at the spec's point.
    pub(crate) fn chosen(&self, id: ExprId) -> String {
        let mut names = Vec::new();
        self.find_chosen(id, 0, &mut names);
        names.dedup();
        names.join(" + ")
    }

    fn find_chosen(&self, id: ExprId, depth: usize, out: &mut Vec<&'static str>) {
        if depth > 24 || self.graph.value(id) == 0.0 {
            return;
        }
        let node = self.graph.node(id);
        let mut operands = node.operands();
        match (node.op, [operands.next(), operands.next(), operands.next()]) {
            (Op::Named, [Some(inner), ..]) => self.find_chosen(inner, depth + 1, out),
            (Op::Add, [Some(a), Some(b), _]) => {
                self.find_chosen(a, depth + 1, out);
                self.find_chosen(b, depth + 1, out);
            }
            (Op::Mul | Op::Div, [Some(a), ..]) => self.find_chosen(a, depth + 1, out),
            (Op::Select, [Some(c), Some(a), Some(b)]) => {
                let taken = if self.graph.value(c) == 0.0 { b } else { a };
                self.find_chosen(taken, depth + 1, out);
            }
            (Op::Min, _) => {
                let mut best = id;
                while let Some((a, b)) = self.graph.operands_of(best, Op::Min) {
                    best = if self.graph.value(b) < self.graph.value(a) { b } else { a };
                }
                if let Some(origin) = self.graph.origin_of(best)
                    && self.graph.named_operand(best).is_some()
                {
                    out.push(origin.name.text());
                }
            }
            _ => {}
        }
    }
}

/// The window of keys and values, or of what they are a view of.
fn window_of(model: &Model, tensor: TensorId) -> Option<ExprId> {
    let own = |t: TensorId| model.tensors[t].axes.iter().find_map(|a| model.axes[*a].window);
    if let Some(window) = own(tensor) {
        return Some(window);
    }
    let producer = model.tensors[tensor].producer.map(|p| &model.ops[p]);
    if let Some(viewed) = producer.filter(|op| op.view).and_then(|op| op.operands.first()) {
        return window_of(model, viewed.1);
    }
    let views = model.ops.iter().filter(|(_, op)| op.view);
    let mut views = views.filter(|(_, op)| op.operands.first().is_some_and(|o| o.1 == tensor));
    views.find_map(|(_, op)| own(op.result))
}

/// The rows of a softmax over cut keys whose weighted sums a reduction puts together.
fn rows_combined(model: &Model, conversion: &Conversion) -> Option<Vec<AxisId>> {
    if !matches!(conversion.kind, Kind::AllReduce | Kind::ReduceScatter) {
        return None;
    }
    let sum = &model.ops[model.tensors[conversion.tensor].producer?];
    sum.operands.iter().find_map(|(_, factor)| {
        let op = &model.ops[model.tensors[*factor].producer?];
        let over = op.whole.iter().any(|axis| sum.sums.contains(axis));
        (op.combines && over).then(|| op.keeps.clone()).flatten()
    })
}
