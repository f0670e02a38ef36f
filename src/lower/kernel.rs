//! One kernel in one phase: its work, its bytes and its time, by the library's formulas.
//!
//! In: an op, or the ops that a `fuse` keeps together, with the layout that they run in. Out: a
//! [`KernelCost`] for one run.

use super::frame::{Frame, View};
use super::offload::Transfer;
use super::phase::{At, KernelCost, PhaseCost, Setting};
use super::rates::Traffic;
use crate::check::{Checker, Env, Value};
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::graph::LaidOp;
use crate::ir::{AxisId, OpId, Pass, Role, Tensor, TensorId};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::Expr;

impl<'p> Checker<'p> {
    /// The scope of an op's formulas.
    fn formula_env(&mut self, setting: &Setting<'_, 'p>, op: OpId) -> Option<Env<'p>> {
        let instance = &setting.model.ops[op];
        let item = *setting.built.declarations.get(instance.declaration)?;
        let env = self.item_env(item).names();
        for (name, axes) in &instance.axes {
            env.bind(*name, Value::Axes(axes.clone()));
        }
        if let Some(arguments) = setting.built.arguments.get(op.index()) {
            for (name, value) in arguments {
                env.bind(*name, value.clone());
            }
        }
        for (name, tensor) in &instance.operands {
            env.bind(*name, Value::Tensor(*tensor));
        }
        env.bind(Name::new("result"), Value::Tensor(instance.result));
        Some(env)
    }

    pub(super) fn formula(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        name: &'static str,
        env: &Env<'p>,
    ) -> Option<ExprId> {
        let instance = &setting.model.ops[op];
        let item = *setting.built.declarations.get(instance.declaration)?;
        let expr: &'p Expr = Self::op_expr(item, name)?;
        match self.eval(expr, env) {
            Value::Num(id) => {
                let place = item.place(expr.span);
                let name_of = self.dotted(instance.op, name);
                let origin = Origin { name: name_of, kind: OriginKind::Formula, place, rule: None };
                let dimension = match name {
                    "flops" => Dimension::FLOP,
                    _ => self.graph.dimension(id),
                };
                Some(self.graph.cast(id, dimension, origin))
            }
            _ => None,
        }
    }

    pub(super) fn engine(&self, setting: &Setting<'_, 'p>, op: OpId) -> Name {
        let instance = &setting.model.ops[op];
        let item = setting.built.declarations.get(instance.declaration);
        let expr = item.and_then(|i| Self::op_expr(*i, "engine"));
        match expr.map(|e| &e.kind) {
            Some(crate::syntax::ast::ExprKind::Name(name)) => *name,
            _ => Name::new("vector"),
        }
    }

    /// One kernel: a single op, or the ops that a `fuse` keeps together.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn kernel(
        &mut self,
        ops: &[LaidOp],
        layer: Name,
        name: Name,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        at: At,
        cost: &mut PhaseCost,
    ) {
        let empty = |checker: &mut Self, laid: &LaidOp| {
            let op = &setting.model.ops[laid.op];
            let mut tensors = op.operands.iter().map(|(_, t)| *t).chain([op.result]);
            tensors.any(|t| checker.is_empty(frame, t))
        };
        let busy: Vec<LaidOp> = ops.iter().filter(|o| !empty(self, o)).cloned().collect();
        let ops = busy.as_slice();
        let Some(first) = ops.first() else { return };
        let place = setting.model.ops[first.op].place;
        let mask = if ops.len() > 1 { self.mask(ops, setting, frame) } else { None };
        let done = self.done_by(ops, mask, setting, frame);
        let Done { work: [useful, even, local], model, traffic, peak, format, .. } = done;
        let matrix = self.graph.sum(done.matrix_times);
        let vector = self.graph.sum(done.vector_times);
        let compute = match (matrix, vector) {
            (Some(m), Some(v)) => Some(self.graph.binary(Op::Max, m, v)),
            (m, v) => m.or(v),
        };
        let memory = self.memory_time(setting, &traffic, matrix.is_some());
        let mut args = Vec::new();
        args.extend(compute.map(|c| ("compute", Value::Num(c))));
        args.extend(memory.map(|m| ("memory", Value::Num(m))));
        let time = match (compute, memory) {
            (Some(_), Some(_)) => self.library_number("kernel_time", &args),
            (c, m) => c.or(m),
        };
        let Some(time) = time else { return };
        let full = if layer == name { name } else { Name::new(&format!("{layer}.{name}")) };
        let rule = "time of this kernel on the fullest device, once";
        let time = self.graph.named(time, Origin::inferred(full, place, rule));
        // The share of the products in it that make gradients of weights.
        let of_weight = match (self.graph.sum(done.of_weights), matrix) {
            (Some(own), Some(all)) => {
                let share = self.graph.div(own, all);
                Some(self.graph.mul(time, share))
            }
            _ => None,
        };
        cost.kernels.push(KernelCost {
            layer,
            op: name,
            stage: at.stage,
            rounds: at.rounds,
            useful,
            even,
            local,
            weights: traffic.weights,
            compute,
            memory,
            time,
            peak,
            format,
            masked: mask.is_some(),
            of_weight,
            pass: ops.last().map_or(Pass::Forward, |o| setting.model.ops[o.op].pass),
            first: ops.first().map(|o| o.op),
            moved: traffic.moved,
            model,
        });
    }

    /// What the ops of a kernel do and move, in each view.
    fn done_by(
        &mut self,
        ops: &[LaidOp],
        mask: Option<Mask>,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
    ) -> Done {
        let mut done = Done::default();
        for view in [View::Whole, View::Even, View::Local] {
            if self.brief && view != View::Local {
                continue;
            }
            let mut entered: Vec<TensorId> = Vec::new();
            for laid in ops {
                let Some(env) = self.formula_env(setting, laid.op) else { continue };
                let seen = match view {
                    View::Local => self.seen_by_slowest(mask, laid, setting),
                    _ => mask,
                };
                let mut inner = frame.with(&laid.shards, view, seen);
                inner.around = setting.model.axes_of(laid.op).into();
                let saved = self.frame.replace(inner);
                self.op_work(setting, laid.op, ops, &env, view, &mut done);
                let moved = &mut Moved { view, entered: &mut entered, traffic: &mut done.traffic };
                let bytes = self.op_bytes(setting, laid.op, ops, &env, moved);
                let row = done.work.get_mut(view as usize);
                if let Some(cell) = row.and_then(|row| row.get_mut(2)) {
                    *cell = self.plus(*cell, bytes);
                }
                self.frame = saved;
            }
        }
        done
    }

    /// The work of one op of a kernel in a view; what one device does takes time.
    fn op_work(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        ops: &[LaidOp],
        env: &Env<'p>,
        view: View,
        done: &mut Done,
    ) {
        let instance = &setting.model.ops[op];
        let flops = self.formula(setting, op, "flops", env);
        let matrix = self.engine(setting, op) == "matrix";
        if view == View::Whole && matrix && setting.model.forward_steps.is_some() {
            let full = self.unmasked(setting, op, flops, env);
            let once = instance.pass != Pass::Recompute;
            let parts = [flops.filter(|_| once), full.filter(|_| once), full];
            for (cell, part) in done.model.iter_mut().zip(parts) {
                *cell = self.plus(*cell, part);
            }
        }
        let row = done.work.get_mut(view as usize);
        if let Some(cell) = row.and_then(|row| row.get_mut(usize::from(!matrix))) {
            *cell = self.plus(*cell, flops);
        }
        let Some(flops) = flops.filter(|_| view == View::Local) else { return };
        if !matrix {
            done.vector_times.extend(self.vector_time(setting, flops));
            return;
        }
        let (time, at_peak) = self.matrix_time(setting, op, flops, ops.len() > 1, env);
        done.peak = done.peak.or(at_peak.map(|(id, _)| id));
        done.format = done.format.or(at_peak.map(|(_, name)| name));
        done.matrix_times.extend(time);
        if setting.model.tensors[instance.result].role == Role::Gradients {
            done.of_weights.extend(time);
        }
    }

    /// `matmul.flops`, made once.
    fn dotted(&mut self, op: Name, name: &'static str) -> Name {
        let make = || Name::new(&format!("{op}.{name}"));
        *self.formula_names.entry((op, name)).or_insert_with(make)
    }

    /// Keys that the queries of the slowest device see. A causal sequence that is cut into one chunk
    /// for each device gives the last of them most to do; cut into twice as many, the first and the
    /// last go together, and all do the same.
    fn seen_by_slowest(
        &mut self,
        mask: Option<Mask>,
        laid: &LaidOp,
        setting: &Setting<'_, 'p>,
    ) -> Option<Mask> {
        let (queries, keys, seen) = mask?;
        let cut = laid.shards.iter().find(|s| s.axis == queries);
        let (Some(cut), true) = (cut, setting.plan.contiguous) else { return mask };
        let args = [("chunks", Value::Num(cut.count))];
        let share = self.library_number("slowest_chunk", &args)?;
        Some((queries, keys, self.graph.mul(seen, share)))
    }

    /// The work of an op if a mask were not skipped.
    fn unmasked(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        masked: Option<ExprId>,
        env: &Env<'p>,
    ) -> Option<ExprId> {
        let seen = self.frame.as_mut().and_then(|f| f.seen.take());
        let Some(seen) = seen else { return masked };
        let full = self.formula(setting, op, "flops", env);
        if let Some(frame) = self.frame.as_mut() {
            frame.seen = Some(seen);
        }
        full
    }

    pub(crate) fn plus(&mut self, a: Option<ExprId>, b: Option<ExprId>) -> Option<ExprId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.add(a, b)),
            (a, b) => a.or(b),
        }
    }

    /// What a masked op in the group says of the keys that a query sees.
    fn mask(&mut self, ops: &[LaidOp], setting: &Setting<'_, 'p>, frame: &Frame) -> Option<Mask> {
        for laid in ops {
            let instance = &setting.model.ops[laid.op];
            let Some((_, over)) = instance.axes.iter().find(|(n, _)| *n == "over") else {
                continue;
            };
            let Some(&keys) = over.first() else { continue };
            let Some(queries) = setting.model.axes[keys].renamed_from else { continue };
            let Some(env) = self.formula_env(setting, laid.op) else { continue };
            let inner = frame.with(&frame.shards, View::Whole, None);
            let saved = self.frame.replace(inner);
            let seen = self.formula(setting, laid.op, "seen", &env);
            self.frame = saved;
            if let Some(seen) = seen {
                return Some((queries, keys, seen));
            }
        }
        None
    }

    /// Bytes that an op moves: what its declaration says, but inside of a fused kernel only what
    /// enters it (once) and leaves it. What is kept between steps lies in memory: it enters too.
    fn op_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        ops: &[LaidOp],
        env: &Env<'p>,
        moved: &mut Moved<'_>,
    ) -> Option<ExprId> {
        let instance = &setting.model.ops[op];
        let made_here = |tensor: TensorId| {
            let producer = setting.model.tensors[tensor].producer;
            let kept = |p: OpId| setting.model.ops[p].stores.is_some();
            producer.is_some_and(|p| !kept(p) && ops.iter().any(|o| o.op == p))
        };
        let new = |t: &TensorId| !made_here(*t) && !moved.entered.contains(t);
        let mut entering: Vec<TensorId> = Vec::new();
        let read = instance.operands.iter().filter(|(_, t)| !instance.unread.contains(t));
        for (_, tensor) in read.clone() {
            if new(tensor) && !entering.contains(tensor) {
                entering.push(*tensor);
            }
        }
        let leaves = ops.len() == 1 || setting.escaping.contains(&instance.result);
        // The declaration knows more than the sizes: rows of a table, what is added to a cache.
        let reads = if entering.len() == read.count() {
            self.formula(setting, op, "reads", env)
        } else {
            let mut sum = None;
            for tensor in &entering {
                let bytes = self.frame_number(*tensor, instance.place);
                sum = self.plus(sum, bytes);
            }
            sum
        };
        let writes = if leaves { self.formula(setting, op, "writes", env) } else { None };
        let all = self.plus(reads, writes);
        // What is only kept for later steps is not read by that.
        if instance.stores.is_none() {
            moved.entered.extend(&entering);
        }
        if moved.view == View::Whole {
            let mut weights = None;
            for tensor in &entering {
                if setting.model.tensors[*tensor].role == Role::Weights {
                    let bytes = self.frame_number(*tensor, instance.place);
                    weights = self.plus(weights, bytes);
                }
            }
            // A table is read where it is looked up.
            if let (Some(all), Some(read)) = (weights, reads) {
                weights = Some(self.graph.binary(Op::Min, all, read));
            }
            moved.traffic.weights = self.plus(moved.traffic.weights, weights);
        }
        let trains = setting.model.forward_steps.is_some();
        if moved.view == View::Local && !setting.plan.offload.is_empty() && !trains {
            let from_elsewhere = self.brought(setting, op, &entering, [reads, writes]);
            moved.traffic.moved.extend(from_elsewhere);
        }
        if moved.view == View::Local {
            // Weights of few bits and what was cached are read at rates of their own.
            let find = |wanted: &dyn Fn(&Tensor) -> bool| {
                entering.iter().copied().find(|t| wanted(&setting.model.tensors[*t]))
            };
            let cached = find(&|t| t.role == Role::Cache).filter(|_| instance.stores.is_none());
            let narrow = find(&|t| t.role == Role::Weights && t.dtype.bits < 8.0);
            let narrow = narrow.filter(|_| self.engine(setting, op) == "matrix");
            // An op that looks for rows in it says itself what it reads.
            let only = entering.iter().all(|t| setting.model.tensors[*t].role == Role::Cache);
            let cached = match cached {
                Some(_) if only => reads,
                _ => cached.and_then(|t| self.frame_number(t, instance.place)),
            };
            let narrow = narrow.and_then(|t| self.frame_number(t, instance.place));
            let mut rest = all;
            for part in [cached, narrow].into_iter().flatten() {
                rest = rest.map(|r| self.graph.sub(r, part));
            }
            let traffic = &mut *moved.traffic;
            traffic.plain = self.plus(traffic.plain, rest);
            traffic.cached = self.plus(traffic.cached, cached);
            traffic.narrow = self.plus(traffic.narrow, narrow);
        }
        all
    }

    /// What an op needs of states that lie outside of the devices, and what it leaves there. Of a
    /// cache it needs what was there before this step: the rest has just been made.
    fn brought(
        &mut self,
        setting: &Setting<'_, 'p>,
        op: OpId,
        entering: &[TensorId],
        [reads, writes]: [Option<ExprId>; 2],
    ) -> Vec<Transfer> {
        let model = setting.model.clone();
        let instance = &model.ops[op];
        let mut out = Vec::new();
        for tensor in entering {
            let t = &model.tensors[*tensor];
            let Some(store) = setting.lies_at(t.role, *tensor) else { continue };
            let Some(mut up) = self.frame_number(*tensor, instance.place) else { continue };
            let mut down = None;
            match t.role {
                // A table is read where it is looked up.
                Role::Weights => {
                    if let Some(reads) = reads {
                        up = self.graph.binary(Op::Min, up, reads);
                    }
                }
                Role::State => down = Some(up),
                Role::Cache if instance.stores.is_some() => continue,
                Role::Cache => {
                    let made = t.producer.and_then(|p| model.ops[p].operands.first());
                    if let Some((_, made)) = made
                        && let Some(made) = self.frame_number(*made, instance.place)
                    {
                        let rule = "all of it has just been made";
                        let origin = Origin::inferred(Name::new("nothing"), instance.place, rule);
                        let none = self.graph.constant(0.0, Dimension::BYTES, origin);
                        let before = self.graph.sub(up, made);
                        up = self.graph.binary(Op::Max, none, before);
                    }
                }
                _ => continue,
            }
            let up = self.away(setting, up);
            let down = down.map(|d| self.away(setting, d));
            out.push(Transfer { store, up: Some(up), down });
        }
        if model.tensors[instance.result].role == Role::Cache
            && instance.stores.is_some()
            && let Some(store) = setting.lies_at(Role::Cache, instance.result)
        {
            let down = writes.map(|w| self.away(setting, w));
            out.push(Transfer { store, up: None, down });
        }
        out
    }

    fn frame_number(&mut self, tensor: TensorId, place: Place) -> Option<ExprId> {
        match self.frame_bytes(tensor, place) {
            Value::Num(id) => Some(id),
            _ => None,
        }
    }
}

/// Queries, keys, and how many of them a query sees.
type Mask = (AxisId, AxisId, ExprId);

/// What the ops of a kernel have done so far.
#[derive(Default)]
struct Done {
    /// Matrix work, vector work and bytes: of the whole, of an even share, of one device.
    work: [[Option<ExprId>; 3]; 3],
    /// Matrix work of training: of the model with its masks and without, and with what is made again.
    model: [Option<ExprId>; 3],
    traffic: Traffic,
    /// Times of one device, and of those at its matrix units what makes gradients of weights.
    matrix_times: Vec<ExprId>,
    vector_times: Vec<ExprId>,
    of_weights: Vec<ExprId>,
    /// What its matrix units could do, and in which format.
    peak: Option<ExprId>,
    format: Option<Name>,
}

/// What the ops of a kernel have moved so far, in one view.
struct Moved<'a> {
    view: View,
    /// Tensors that have entered: the next op finds them there.
    entered: &'a mut Vec<TensorId>,
    traffic: &'a mut Traffic,
}
