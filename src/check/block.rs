//! Blocks to dataflow: statements of a block, instance by instance, into one [`Model`].
//!
//! In: a model object (a block with values for its parameters) and the formats of a scenario.
//! Out: axes, tensors, ops and steps, with symbolic sizes.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::object::Object;
use super::precision::Precision;
use super::program::ItemRef;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::ir::model::{Carried, Instance};
use crate::ir::{Axis, AxisId, AxisSize, Fuse, Model, Repeat, Role, Step, Tensor, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{
    Arg, AxisRef, BinaryOp, Body, Clauses, Expr, ExprKind, Ident, Stmt, StmtKind, Text, TextPart,
};

/// A built model with what its ops need when they are costed.
#[derive(Clone, Default)]
pub struct BuiltModel<'p> {
    /// The dataflow.
    pub model: Model,
    /// Declarations of the ops used.
    pub declarations: Vec<ItemRef<'p>>,
    /// For each op: its arguments that are no tensors.
    pub arguments: Vec<Vec<(Name, Value<'p>)>>,
}

/// The state of building; inert until a model is being built.
pub(super) struct Builder<'p> {
    pub(super) active: bool,
    pub(super) built: BuiltModel<'p>,
    pub(super) steps: Vec<Vec<Step>>,
    pub(super) scope: Rc<Instance>,
    pub(super) prefix: String,
    pub(super) from: Option<String>,
    pub(super) binding: Option<Name>,
    pub(super) residual: bool,
    pub(super) products: FxHashSet<TensorId>,
    pub(super) precision: Precision<'p>,
    /// Whether the model is built to be trained.
    pub(super) training: bool,
    /// Whether gradients are being built.
    pub(super) backward: bool,
    carry: Vec<Name>,
    rounds: Option<ExprId>,
    index: Option<(Name, ExprId)>,
    axes: FxHashMap<Name, AxisId>,
    pub(super) windowed: FxHashMap<(Name, Rc<[Name]>), AxisId>,
    pub(super) blocks: Vec<ItemRef<'p>>,
    /// How many blocks were called so far.
    pub(super) instances: usize,
    inputs_done: bool,
    /// Whether a requirement of the block being built does not hold.
    failed: bool,
}

impl Builder<'_> {
    pub(super) fn new() -> Self {
        let place = Place { file: crate::source::FileId(0), span: crate::source::Span::default() };
        Self {
            active: false,
            built: BuiltModel::default(),
            steps: Vec::new(),
            scope: Rc::new(Instance { path: Rc::new([]), blocks: Rc::new([]), place }),
            prefix: String::new(),
            from: None,
            binding: None,
            residual: false,
            products: FxHashSet::default(),
            precision: Precision::default(),
            training: false,
            backward: false,
            carry: Vec::new(),
            rounds: None,
            index: None,
            axes: FxHashMap::default(),
            windowed: FxHashMap::default(),
            blocks: Vec::new(),
            instances: 0,
            inputs_done: false,
            failed: false,
        }
    }
    pub(super) fn push_step(&mut self, step: Step) {
        if let Some(steps) = self.steps.last_mut() {
            steps.push(step);
        }
    }
}

impl<'p> Checker<'p> {
    /// Builds the dataflow of a model object in the formats of `precision`.
    pub fn build_model(
        &mut self,
        object: &Rc<Object<'p>>,
        precision: Precision<'p>,
    ) -> Option<BuiltModel<'p>> {
        self.build_for(object, precision, None)
    }

    /// The same with the loss and the backward pass, where something is recomputed or not.
    pub fn build_for(
        &mut self,
        object: &Rc<Object<'p>>,
        precision: Precision<'p>,
        training: Option<crate::ir::Recompute>,
    ) -> Option<BuiltModel<'p>> {
        let block = object.block?;
        let mut builder = Builder::new();
        builder.active = true;
        builder.precision = precision;
        builder.training = training.is_some();
        builder.steps.push(Vec::new());
        builder.built.model.name = Some(object.name);
        let place = object.item.map_or(block.name_place(), |i| i.name_place());
        builder.scope =
            Rc::new(Instance { path: Rc::new([]), blocks: Rc::new([block.item.name.name]), place });
        let outer = std::mem::replace(&mut self.builder, builder);
        let env = self.item_env(block).names();
        let before = self.errors();
        for slot in &object.slots {
            let name = slot.param.name.name;
            let value = self.field(object, name).unwrap_or(Value::None);
            env.bind(name, value);
        }
        if let Some(body) = &block.item.body {
            self.builder.blocks.push(block);
            let outputs = self.block_body(body, &env);
            self.builder.built.model.outputs = outputs;
        }
        let differentiated = match training {
            Some(recompute) if self.errors() == before => self.build_backward(recompute).is_some(),
            _ => true,
        };
        let mut builder = std::mem::replace(&mut self.builder, outer);
        builder.built.model.steps = builder.steps.pop().unwrap_or_default();
        differentiated.then_some(builder.built)
    }

    /// `Attention(x, heads:)` inside of a block, or a model outside of one.
    pub(super) fn call_block(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        if !self.builder.active {
            return self.model_of_block(item, args, place, env);
        }
        if let Some(start) = self.builder.blocks.iter().position(|b| *b == item) {
            self.report_block_circle(item, start, place);
            return Value::Error;
        }
        if self.too_large(item, place) {
            return Value::Error;
        }
        let Some(inputs) = self.block_inputs(item, args, place, env) else { return Value::Error };
        let named: Vec<&'p Arg> = inputs.named;
        let inner = self.item_env(item).names();
        if !self.bind_block_params(item, &named, place, env, &inner) {
            return Value::Error;
        }
        for (ident, tensor) in &inputs.tensors {
            inner.bind(ident.name, Value::Tensor(*tensor));
        }
        let binding = self.builder.binding.unwrap_or(item.item.name.name);
        let scope = &self.builder.scope;
        let instance = Instance {
            path: scope.path.iter().copied().chain([binding]).collect(),
            blocks: scope.blocks.iter().copied().chain([item.item.name.name]).collect(),
            place,
        };
        let from = self.builder.from.take();
        let prefix = join(&self.builder.prefix, from.as_deref());
        let saved_scope = std::mem::replace(&mut self.builder.scope, Rc::new(instance));
        let saved_prefix = std::mem::replace(&mut self.builder.prefix, prefix);
        let saved_carry = std::mem::take(&mut self.builder.carry);
        let saved_residual = std::mem::replace(&mut self.builder.residual, false);
        let saved_binding = self.builder.binding.take();
        let saved_index = self.builder.index.take();
        self.builder.blocks.push(item);
        let mut outputs = Vec::new();
        if let Some(body) = &item.item.body {
            self.block_inputs_bound = inputs.tensors;
            outputs = self.block_body(body, &inner);
        }
        self.builder.blocks.pop();
        self.builder.scope = saved_scope;
        self.builder.prefix = saved_prefix;
        self.builder.carry = saved_carry;
        self.builder.residual = saved_residual;
        self.builder.binding = saved_binding;
        self.builder.index = saved_index;
        self.builder.from = from;
        match outputs.as_slice() {
            [] => Value::Error,
            [one] => Value::Tensor(*one),
            many => Value::List(many.iter().map(|t| Value::Tensor(*t)).collect()),
        }
    }

    /// A block inside of itself: said once of all blocks of the circle.
    fn report_block_circle(&mut self, item: ItemRef<'p>, start: usize, place: Place) {
        let circle = self.builder.blocks.get(start..).unwrap_or_default().to_vec();
        let keys: Vec<usize> = circle.iter().map(|b| super::limits::key(*b)).collect();
        let known = keys.iter().any(|key| self.limits.reported.contains(key));
        self.limits.reported.extend(keys);
        if known {
            return;
        }
        let name = item.item.name.name;
        let mut path: Vec<&str> = circle.iter().map(|b| b.item.name.name.text()).collect();
        path.push(name.text());
        let mut diagnostic = Diagnostic::new(
            codes::CYCLE,
            format!("block `{name}` contains itself"),
            place,
            "called here, inside of itself",
        );
        for block in circle {
            diagnostic = diagnostic.and(block.name_place(), "this block");
        }
        self.report(diagnostic.note(path.join(" -> ")).note("what repeats is a `repeat`"));
    }

    /// A block of the library on tensors at hand, under the name of its instance.
    pub(super) fn library_block(
        &mut self,
        item: ItemRef<'p>,
        tensors: &[TensorId],
        name: Name,
        place: Place,
    ) -> Option<TensorId> {
        let body = item.item.body.as_ref()?;
        let wanted = body.stmts.iter().filter_map(|s| match &s.kind {
            StmtKind::Input { name, .. } => Some(*name),
            _ => None,
        });
        self.block_inputs_bound = wanted.zip(tensors.iter().copied()).collect();
        let instance =
            Instance { path: Rc::new([name]), blocks: Rc::new([item.item.name.name]), place };
        let saved = std::mem::replace(&mut self.builder.scope, Rc::new(instance));
        let inner = self.item_env(item).names();
        self.builder.blocks.push(item);
        let outputs = self.block_body(body, &inner);
        self.builder.blocks.pop();
        self.builder.scope = saved;
        outputs.first().copied()
    }

    fn block_inputs(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Option<BlockInputs<'p>> {
        let stmts = item.item.body.as_ref().map_or(&[][..], |b| &b.stmts);
        let wanted: Vec<Ident> = stmts
            .iter()
            .filter_map(|s| match &s.kind {
                StmtKind::Input { name, .. } => Some(*name),
                _ => None,
            })
            .collect();
        let mut tensors = Vec::new();
        let mut named = Vec::new();
        let mut next = 0;
        let mut good = true;
        for arg in args {
            let ident = match arg.name {
                None => {
                    next += 1;
                    wanted.get(next - 1).copied()
                }
                Some(name) => match wanted.iter().find(|w| w.name == name.name) {
                    Some(found) => Some(*found),
                    None => {
                        named.push(arg);
                        continue;
                    }
                },
            };
            let arg_place = env.site().place(arg.span);
            let Some(ident) = ident else {
                good = false;
                self.report(
                    Diagnostic::new(
                        codes::TOO_MANY_ARGUMENTS,
                        format!(
                            "`{}` takes {} tensor{}",
                            item.item.name.name,
                            wanted.len(),
                            if wanted.len() == 1 { "" } else { "s" }
                        ),
                        arg_place,
                        "one too many",
                    )
                    .note("parameters of a block are given by name: `heads: 32`"),
                );
                continue;
            };
            let value = match (&arg.value, arg.name) {
                (Some(expr), _) => self.eval(expr, env),
                (None, Some(name)) => self.eval_name(name.name, arg_place, env),
                (None, None) => Value::Error,
            };
            match value {
                Value::Tensor(tensor) => tensors.push((ident, tensor)),
                Value::Error => good = false,
                other => {
                    good = false;
                    self.report_not_tensor(&other, arg_place);
                }
            }
        }
        for ident in &wanted {
            if good && !tensors.iter().any(|(i, _)| i == ident) {
                good = false;
                self.report(
                    Diagnostic::new(
                        codes::MISSING_ARGUMENT,
                        format!("`{}` needs the tensor `{}`", item.item.name.name, ident.name),
                        place,
                        "an input is missing",
                    )
                    .and(item.place(ident.span), "this input"),
                );
            }
        }
        good.then_some(BlockInputs { tensors, named })
    }

    fn bind_block_params(
        &mut self,
        item: ItemRef<'p>,
        named: &[&'p Arg],
        place: Place,
        env: &Env<'p>,
        inner: &Env<'p>,
    ) -> bool {
        let params = item.item.params.as_deref().unwrap_or_default();
        let mut good = true;
        for arg in named {
            let Some(name) = arg.name else { continue };
            if !params.iter().any(|p| p.name.name == name.name) {
                good = false;
                let given = |p: Name| named.iter().any(|a| a.name.is_some_and(|n| n.name == p));
                let names = params.iter().map(|p| p.name.name).filter(|p| !given(*p));
                let names: Vec<&str> = names.map(Name::text).collect();
                self.report_unknown_argument(item, name.name, env.site().place(name.span), &names);
            }
        }
        for param in params {
            let arg = named.iter().find(|a| a.name.is_some_and(|n| n.name == param.name.name));
            let given = arg.map(|arg| super::object::Given {
                expr: arg.value.as_ref(),
                name: param.name.name,
                place: env.site().place(arg.span),
                env: env.clone(),
            });
            let site = self.item_env(item);
            let slot = super::object::Slot { param, site, given, open: false };
            if slot.given.is_none() && param.default.is_none() && !super::object::is_optional(param)
            {
                inner.bind(param.name.name, Value::Error);
                // After a misspelt argument nothing is missing.
                if !std::mem::replace(&mut good, false) {
                    continue;
                }
                self.report_missing_argument(item, param, place);
                continue;
            }
            let value = self.slot_argument(&slot, inner);
            good &= !matches!(value, Value::Error);
            inner.bind(param.name.name, value);
        }
        good
    }

    fn block_body(&mut self, body: &'p Body, env: &Env<'p>) -> Vec<TensorId> {
        let mut outputs = Vec::new();
        let outer = std::mem::replace(&mut self.builder.failed, false);
        self.block_stmts(&body.stmts, env, &mut outputs);
        if std::mem::replace(&mut self.builder.failed, outer) {
            return Vec::new();
        }
        let explicit = has_output(&body.stmts);
        if !explicit && body.closed {
            let place = env.site().place(body.span);
            let open = Place {
                file: place.file,
                span: crate::source::Span::new(place.span.start, place.span.start + 1),
            };
            self.report(Diagnostic::new(
                codes::NO_OUTPUT,
                "this block has no output",
                open,
                "write `output NAME` at its end",
            ));
        }
        outputs
    }

    fn block_stmts(&mut self, stmts: &'p [Stmt], env: &Env<'p>, outputs: &mut Vec<TensorId>) {
        for stmt in stmts {
            if self.builder.failed {
                return;
            }
            self.block_stmt(stmt, env, outputs);
        }
    }

    fn block_stmt(&mut self, stmt: &'p Stmt, env: &Env<'p>, outputs: &mut Vec<TensorId>) {
        let place = env.site().place(stmt.span);
        match &stmt.kind {
            StmtKind::Input { name, axes, .. } => self.input(*name, axes, env),
            StmtKind::Weight { name, axes, clauses } => {
                self.weight(*name, axes, clauses, place, env);
            }
            StmtKind::Axis { name, value } => self.axis_statement(*name, value, env),
            // What does not hold makes the rest meaningless: it is not built.
            StmtKind::Require { cond, clauses } => {
                self.builder.failed |= !self.require(cond, clauses, env);
            }
            StmtKind::Output(expr) => match self.eval(expr, env) {
                Value::Tensor(tensor) => outputs.push(tensor),
                Value::Error => {}
                other => self.report_not_tensor(&other, env.site().place(expr.span)),
            },
            StmtKind::Set { path, axes, value, clauses, .. } => {
                self.definition(path, axes.as_deref(), value, clauses, place, env);
            }
            StmtKind::Fuse { name, body } => {
                self.builder.steps.push(Vec::new());
                self.block_stmts(&body.stmts, env, outputs);
                let steps = self.builder.steps.pop().unwrap_or_default();
                // A fused kernel of a block that is called inside becomes part of this one.
                let ops = steps.into_iter().flat_map(|s| match s {
                    Step::Op(op) => vec![op],
                    Step::Fuse(inner) => inner.ops,
                    _ => Vec::new(),
                });
                let fuse = Fuse {
                    name: name.map_or(Name::new("fused"), |n| n.name),
                    ops: ops.collect(),
                    scope: self.builder.scope.clone(),
                    place,
                };
                self.builder.push_step(Step::Fuse(fuse));
            }
            StmtKind::Repeat { index, count, carry, clauses, body } => {
                self.repeat(*index, count, carry, clauses, body, place, env);
            }
            StmtKind::If { arms, otherwise } => {
                self.if_statement(arms, otherwise.as_ref(), env, outputs);
            }
            StmtKind::Error => {}
            _ => self.report_misplaced(stmt, "a block", env),
        }
    }

    fn input(&mut self, name: Ident, axes: &[AxisRef], env: &Env<'p>) {
        if self.builder.inputs_done && self.builder.blocks.len() == 1 {
            return;
        }
        let place = env.site().place(name.span);
        let bound = self.block_inputs_bound.iter().find(|(i, _)| *i == name).map(|(_, t)| *t);
        let Some(tensor) = bound else {
            // An input of the whole model.
            let unknown = axes.iter().find(|a| {
                let at = env.site().place(a.name.span);
                self.find_name(a.name.name, at, env).is_none()
            });
            if let Some(axis) = unknown {
                self.report_open_axis(axis, env);
                self.bind_errors(name, axes, env);
                return;
            }
            let axes: Vec<AxisId> = axes.iter().filter_map(|a| self.axis_named(a, env)).collect();
            let dtype = self.builder.precision.default_dtype();
            let Some(dtype) = dtype else { return };
            let id = self.new_tensor(name.name, axes, Role::Activations, dtype, place);
            self.builder.built.model.inputs.push(id);
            env.bind(name.name, Value::Tensor(id));
            return;
        };
        let have = self.builder.built.model.tensors[tensor].written.clone();
        if have.len() != axes.len() {
            let made = self.builder.built.model.tensors[tensor].place;
            let shown = self.show_axes(&have);
            self.report(
                Diagnostic::new(
                    codes::RANK_MISMATCH,
                    format!(
                        "`{}` has {} axes, and {} were given",
                        name.name,
                        axes.len(),
                        have.len()
                    ),
                    place,
                    format!("wants {} axes", axes.len()),
                )
                .and(made, format!("this tensor is [{shown}]"))
                .and(self.builder.scope.place, "passed in here"),
            );
            self.bind_errors(name, axes, env);
            return;
        }
        for (axis, id) in axes.iter().zip(&have) {
            let local = env.local(axis.name.name);
            match local {
                Some(Value::Num(size)) => self.unify_size(axis, *id, size, env),
                Some(Value::Axis(other)) if other != *id => {
                    let (a, b) = (self.axis_size(other), self.axis_size(*id));
                    let other_place = self.builder.built.model.axes[other].place;
                    if a != b {
                        let at = env.site().place(axis.name.span);
                        let shown = self.show_axes(&[*id]);
                        self.report(
                            Diagnostic::new(
                                codes::AXIS_MISMATCH,
                                format!("`{}` stands for two different axes", axis.name.name),
                                at,
                                format!("here it is `{shown}`"),
                            )
                            .and(other_place, "and before it was this one"),
                        );
                    }
                }
                _ => {}
            }
            env.bind(axis.name.name, Value::Axis(*id));
            let path = self.builder.scope.path.clone();
            let aliases = &mut self.builder.built.model.axes[*id].aliases;
            // Aliases of one instance stand together at the end.
            let mut own = aliases.iter().rev().take_while(|(_, p)| *p == path);
            if !own.any(|(n, _)| *n == axis.name.name) {
                aliases.push((axis.name.name, path));
            }
        }
        env.bind(name.name, Value::Tensor(tensor));
    }

    /// A model whose input has an axis that nothing measures.
    fn report_open_axis(&mut self, axis: &AxisRef, env: &Env<'p>) {
        let name = axis.name.name;
        self.report(
            Diagnostic::new(
                codes::UNKNOWN_AXIS,
                format!("nothing says how long axis `{name}` of this model is"),
                self.builder.scope.place,
                "a block as a whole model",
            )
            .and(env.site().place(axis.name.span), "an axis of the caller, and there is none")
            .note(format!(
                "add a parameter `{name}: Count` to the block, or call it inside of another block"
            )),
        );
    }

    /// An input that is wrong, and axes that only it could tell.
    fn bind_errors(&mut self, name: Ident, axes: &[AxisRef], env: &Env<'p>) {
        env.bind(name.name, Value::Error);
        for axis in axes {
            let known = env.local(axis.name.name).is_some()
                || self.program.prelude_item(axis.name.name).is_some();
            if !known {
                env.bind(axis.name.name, Value::Error);
            }
        }
    }

    fn unify_size(&mut self, axis: &AxisRef, id: AxisId, size: ExprId, env: &Env<'p>) {
        let Some(have) = self.axis_size(id) else { return };
        let equal = self.graph.binary(Op::Eq, have, size);
        self.decide(equal);
        let (x, y) = (self.graph.value(have), self.graph.value(size));
        if !x.is_nan() && !y.is_nan() && x != y {
            let at = env.site().place(axis.name.span);
            let made = self.builder.built.model.axes[id].place;
            let given = self.graph.origin_of(size).map(|o| o.place);
            let mut diagnostic = Diagnostic::new(
                codes::AXIS_MISMATCH,
                format!(
                    "axis `{}` is {} in the tensor and {} as a parameter",
                    axis.name.name,
                    super::show_number(x),
                    super::show_number(y)
                ),
                at,
                "the two sizes meet here",
            )
            .and(made, format!("{} comes from this axis", super::show_number(x)));
            if let Some(given) = given {
                diagnostic =
                    diagnostic.and(given, format!("{} comes from here", super::show_number(y)));
            }
            self.report(diagnostic);
        }
    }

    fn weight(
        &mut self,
        name: Ident,
        axes: &[AxisRef],
        clauses: &'p Clauses,
        place: Place,
        env: &Env<'p>,
    ) {
        let ids: Vec<AxisId> = axes.iter().filter_map(|a| self.axis_named(a, env)).collect();
        if ids.len() != axes.len() {
            env.bind(name.name, Value::Error);
            return;
        }
        if let Some(i) = (1..ids.len())
            .find(|i| ids.get(..*i).is_some_and(|s| ids.get(*i).is_some_and(|x| s.contains(x))))
            && let Some(axis) = axes.get(i)
        {
            self.report(
                Diagnostic::new(
                    codes::AXIS_TWICE,
                    format!("`{}` has the axis `{}` twice", name.name, axis.name.name),
                    env.site().place(axis.name.span),
                    "again here",
                )
                .note(format!(
                    "give the second one a name of its own: `axis {0}_out = {0}`",
                    axis.name.name
                )),
            );
            env.bind(name.name, Value::Error);
            return;
        }
        let stated = match &clauses.dtype {
            Some(expr) => match self.eval(expr, env) {
                Value::Object(o) => Some((o, env.site().place(expr.span))),
                _ => None,
            },
            None => None,
        };
        let Some(dtype) = self.weight_dtype(stated, name.name) else {
            env.bind(name.name, Value::Error);
            return;
        };
        let id = self.new_tensor(name.name, ids, Role::Weights, dtype, place);
        if let Some(expr) = &clauses.density
            && let Value::Num(density) = self.eval(expr, env)
        {
            let v = self.graph.value(density);
            if v <= 0.0 || v > 1.0 {
                self.report(Diagnostic::new(
                    codes::OUT_OF_RANGE,
                    "a density lies between 0 and 1",
                    env.site().place(expr.span),
                    "outside of that",
                ));
            }
            self.builder.built.model.tensors[id].density = Some(density);
        }
        let from = clauses.from.as_ref().map(|t| self.checkpoint_name(t, env));
        let tensor = &mut self.builder.built.model.tensors[id];
        tensor.from = from.map(|f| join(&self.builder.prefix, Some(&f)));
        let rounds = self.builder.rounds;
        self.builder.built.model.weights.push((id, rounds));
        env.bind(name.name, Value::Tensor(id));
    }

    /// `"layers.{i}.{up}.weight"`: holes are filled, save for the index of a repeat, which stays.
    fn checkpoint_name(&mut self, text: &'p Text, env: &Env<'p>) -> String {
        let mut out = String::new();
        for part in &text.parts {
            match part {
                TextPart::Plain(plain) => out.push_str(plain),
                TextPart::Hole(expr) => match self.eval(expr, env) {
                    Value::Word(index) => out.push_str(&format!("{{{index}}}")),
                    value => out.push_str(&self.show_value(&value)),
                },
            }
        }
        out
    }

    /// `axis heads = kv_heads * group`, `axis hidden_out = hidden`.
    fn axis_statement(&mut self, name: Ident, value: &'p Expr, env: &Env<'p>) {
        let place = env.site().place(name.span);
        let mut factors = Vec::new();
        flatten_product(value, &mut factors);
        if factors.len() == 1 {
            let value = self.eval(value, env);
            let Some(size) = self.as_number(&value, place) else {
                env.bind(name.name, Value::Error);
                return;
            };
            let id = self.new_axis(name.name, AxisSize::Fixed(size), place);
            env.bind(name.name, Value::Axis(id));
            return;
        }
        // The whole is known; one factor that is no name yet is the quotient.
        let whole = env.local(name.name);
        let whole_size = match &whole {
            Some(Value::Num(id)) => Some(*id),
            Some(Value::Axis(axis)) => self.axis_size(*axis),
            _ => None,
        };
        let mut parts = Vec::new();
        let mut unknown = None;
        let mut product: Option<ExprId> = None;
        for (i, factor) in factors.iter().enumerate() {
            let ExprKind::Name(factor_name) = &factor.kind else {
                self.report(Diagnostic::new(
                    codes::UNKNOWN_AXIS,
                    "a composite axis is a product of names",
                    env.site().place(factor.span),
                    "not a name",
                ));
                return;
            };
            let at = env.site().place(factor.span);
            match env.local(*factor_name) {
                Some(Value::Axis(axis)) => {
                    parts.push(Some(axis));
                    let size = self.axis_size(axis);
                    product = self.times(product, size);
                }
                Some(Value::Num(size)) => {
                    let axis = self.new_axis(*factor_name, AxisSize::Fixed(size), at);
                    env.bind(*factor_name, Value::Axis(axis));
                    parts.push(Some(axis));
                    product = self.times(product, Some(size));
                }
                Some(Value::Error) => return,
                _ if unknown.is_none() => {
                    unknown = Some((i, *factor_name, at));
                    parts.push(None);
                }
                _ => {
                    self.report(Diagnostic::new(
                        codes::UNKNOWN_AXIS,
                        "only one part of a composite axis may be left to be found",
                        at,
                        "this one is unknown too",
                    ));
                    return;
                }
            }
        }
        if let Some((i, factor_name, at)) = unknown {
            let (Some(whole), Some(product)) = (whole_size, product) else {
                self.report(Diagnostic::new(
                    codes::UNKNOWN_AXIS,
                    format!("`{factor_name}` has no size"),
                    at,
                    "neither a parameter, nor an axis, nor what is left of a known whole",
                ));
                return;
            };
            let size = self.graph.div(whole, product);
            self.guards.push(super::Guard::Whole(size));
            if let Some(v) = self.graph.known(size)
                && libm::floor(v) != v
            {
                let (x, y) = (self.graph.value(whole), self.graph.value(product));
                let mut diagnostic = Diagnostic::new(
                    codes::COMPOSITE_MISMATCH,
                    format!(
                        "`{}` is {}, and {} does not divide it",
                        name.name,
                        super::show_number(x),
                        super::show_number(y)
                    ),
                    place,
                    format!("`{factor_name}` would be {}", super::show_number(v)),
                );
                for (label, at) in self.origins_in(value, env) {
                    diagnostic = diagnostic.and(at, label);
                }
                if let Some(origin) = self.graph.origin_of(whole) {
                    let label = format!("`{}` is {}", name.name, super::show_number(x));
                    diagnostic = diagnostic.and(origin.place, label);
                }
                self.report(diagnostic);
                env.bind(name.name, Value::Error);
                env.bind(factor_name, Value::Error);
                return;
            }
            let origin = Origin {
                name: factor_name,
                kind: OriginKind::Inferred,
                place: env.site().place(value.span),
                rule: Some("the whole divided by its other parts"),
            };
            let size = self.graph.named(size, origin);
            let axis = self.new_axis(factor_name, AxisSize::Fixed(size), at);
            env.bind(factor_name, Value::Axis(axis));
            if let Some(slot) = parts.get_mut(i) {
                *slot = Some(axis);
            }
        } else if let (Some(whole), Some(product)) = (whole_size, product) {
            let equal = self.graph.binary(Op::Eq, whole, product);
            self.decide(equal);
            let (x, y) = (self.graph.value(whole), self.graph.value(product));
            if !x.is_nan() && !y.is_nan() && x != y {
                self.report(Diagnostic::new(
                    codes::COMPOSITE_MISMATCH,
                    format!(
                        "`{}` is {}, and the product of its parts is {}",
                        name.name,
                        super::show_number(x),
                        super::show_number(y)
                    ),
                    place,
                    "the sizes disagree",
                ));
            }
        }
        let parts: Vec<AxisId> =
            parts.into_iter().flatten().flat_map(|p| self.atoms(&[p])).collect();
        let sizes: Vec<ExprId> = parts.iter().filter_map(|p| self.axis_size(*p)).collect();
        let Some(size) = whole_size.or_else(|| self.graph.product(sizes)) else { return };
        let id = self.new_axis(name.name, AxisSize::Composite(size), place);
        self.builder.built.model.axes[id].parts.clone_from(&parts);
        for part in parts {
            self.builder.built.model.axes[part].whole.push(id);
        }
        env.bind(name.name, Value::Axis(id));
    }

    fn times(&mut self, a: Option<ExprId>, b: Option<ExprId>) -> Option<ExprId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.mul(a, b)),
            (None, b) => b,
            (a, None) => a,
        }
    }

    /// `require cond else "…"`; false where it does not hold.
    pub(crate) fn require(&mut self, cond: &'p Expr, clauses: &'p Clauses, env: &Env<'p>) -> bool {
        let place = env.site().place(cond.span);
        // The text is looked at although it may never be shown.
        let text = clauses.otherwise.as_ref().map(|text| self.eval_text(text, env));
        let holds = match self.eval(cond, env) {
            Value::Truth(b) => Some(b),
            Value::Bool(id) => self.decide(id),
            other => {
                self.not_a_condition(other, place);
                // In a model what follows would only repeat the mistake; alone it is looked at.
                return !self.builder.active || self.builder.inputs_done;
            }
        };
        if holds == Some(false) {
            let title = text
                .unwrap_or_else(|| format!("`{}` does not hold", self.program.sources.text(place)));
            let mut diagnostic =
                Diagnostic::new(codes::REQUIRE_FAILED, title, place, "required here");
            for (label, at) in self.origins_in(cond, env) {
                diagnostic = diagnostic.and(at, label);
            }
            if self.builder.active {
                diagnostic = diagnostic.and(self.builder.scope.place, "in this use of the block");
            }
            self.report(diagnostic);
        }
        holds != Some(false)
    }

    /// Where the names of a condition got their values.
    pub(super) fn origins_in(&mut self, expr: &'p Expr, env: &Env<'p>) -> Vec<(String, Place)> {
        let mut names = Vec::new();
        super::lint::names_in(expr, &mut names);
        let mut out: Vec<(String, Place)> = Vec::new();
        for name in names {
            let value = match self.find_name(name, env.site().place(expr.span), env) {
                Some(Value::Num(id)) => Some(id),
                Some(Value::Axis(axis)) => self.axis_size(axis),
                _ => None,
            };
            if let Some(id) = value
                && let Some(origin) = self.graph.origin_of(id)
                && !out.iter().any(|(_, p)| *p == origin.place)
            {
                let shown = super::show_number(self.graph.value(id));
                out.push((format!("`{name}` is {shown}"), origin.place));
            }
        }
        out
    }

    /// `name = expr`, `name[axes] = expr`.
    fn definition(
        &mut self,
        path: &'p [Ident],
        axes: Option<&'p [AxisRef]>,
        value: &'p Expr,
        clauses: &'p Clauses,
        place: Place,
        env: &Env<'p>,
    ) {
        let [name] = path else {
            self.report(Diagnostic::new(
                codes::STATEMENT_NOT_HERE,
                "a definition in a block has a plain name",
                place,
                "a dotted name",
            ));
            return;
        };
        let expected: Option<Vec<AxisId>> = match axes {
            None => None,
            Some(axes) => {
                let ids: Vec<_> = axes.iter().filter_map(|a| self.axis_named(a, env)).collect();
                if ids.len() != axes.len() {
                    env.bind(name.name, Value::Error);
                    return;
                }
                Some(ids)
            }
        };
        let expanded = expected.as_ref().map(|e| self.atoms(e));
        self.builder.from = clauses.from.as_ref().map(|t| self.checkpoint_name(t, env));
        self.builder.binding = Some(name.name);
        let is_carried = self.builder.carry.contains(&name.name);
        let saved = std::mem::replace(&mut self.builder.residual, is_carried);
        let result = self.eval_for(value, env, expanded.as_deref());
        self.builder.residual = saved;
        self.builder.binding = None;
        self.builder.from = None;
        let result = match (result, expected) {
            (Value::Tensor(tensor), expected) => {
                self.builder.products.remove(&tensor);
                self.state_dtype(tensor, clauses, env);
                self.finish_tensor(tensor, name, expected, env)
            }
            (Value::Error, _) => Value::Error,
            (other, Some(_)) => {
                self.report_not_tensor(&other, env.site().place(value.span));
                Value::Error
            }
            (Value::Num(id), None) => {
                let kind = OriginKind::Formula;
                let origin = Origin { name: name.name, kind, place, rule: None };
                Value::Num(self.graph.named(id, origin))
            }
            (other, None) => other,
        };
        env.bind(name.name, result);
    }

    /// `name = expr dtype fp32`: what an op makes is kept in this format.
    fn state_dtype(&mut self, tensor: TensorId, clauses: &'p Clauses, env: &Env<'p>) {
        let Some(expr) = &clauses.dtype else { return };
        let value = self.eval(expr, env);
        let place = env.site().place(expr.span);
        let value = self.expect_type(value, super::types::Ty::Dtype, place, "`dtype`");
        let Value::Object(object) = value else { return };
        let Some(dtype) = self.dtype(&object) else { return };
        self.builder.built.model.tensors[tensor].dtype = dtype;
    }

    fn finish_tensor(
        &mut self,
        tensor: TensorId,
        name: &Ident,
        expected: Option<Vec<AxisId>>,
        env: &Env<'p>,
    ) -> Value<'p> {
        if let Some(expected) = expected {
            let wanted = self.atoms(&expected);
            let have = self.builder.built.model.tensors[tensor].axes.clone();
            let same = wanted.len() == have.len() && wanted.iter().all(|a| have.contains(a));
            if !same {
                let at = env.site().place(name.span);
                let made = self.builder.built.model.tensors[tensor].place;
                self.report_shape(name.name, &wanted, &have, at, made);
                return Value::Error;
            }
            self.builder.built.model.tensors[tensor].written = expected;
        }
        let at = env.site().place(name.span);
        let model = &mut self.builder.built.model;
        if model.tensors[tensor].producer.is_some() && !model.tensors[tensor].named {
            model.tensors[tensor].named = true;
            model.tensors[tensor].name = name.name;
            model.tensors[tensor].place = at;
        }
        Value::Tensor(tensor)
    }

    fn report_shape(
        &mut self,
        name: Name,
        wanted: &[AxisId],
        have: &[AxisId],
        at: Place,
        made: Place,
    ) {
        let missing: Vec<AxisId> = wanted.iter().filter(|a| !have.contains(a)).copied().collect();
        let surplus: Vec<AxisId> = have.iter().filter(|a| !wanted.contains(a)).copied().collect();
        let code = if surplus.is_empty() { codes::MISSING_AXIS } else { codes::AXIS_MISMATCH };
        let mut diagnostic = Diagnostic::new(
            code,
            format!("`{name}` does not have the axes that its left side says"),
            at,
            format!("declared as [{}]", self.show_axes(wanted)),
        )
        .and(made, format!("this is [{}]", self.show_axes(have)));
        if !missing.is_empty() {
            diagnostic = diagnostic.note(format!("no operand has: {}", self.show_axes(&missing)));
        }
        if !surplus.is_empty() {
            diagnostic =
                diagnostic.note(format!("the right side also has: {}", self.show_axes(&surplus)));
        }
        self.report(diagnostic);
    }

    #[allow(clippy::too_many_arguments)]
    fn repeat(
        &mut self,
        index: Ident,
        count: &'p Expr,
        carry: &'p [Ident],
        clauses: &'p Clauses,
        body: &'p Body,
        place: Place,
        env: &Env<'p>,
    ) {
        let count_place = env.site().place(count.span);
        let value = self.eval(count, env);
        let Some(rounds) = self.as_number(&value, count_place) else { return };
        if !self.graph.dimension(rounds).is_none() {
            self.expect_type(Value::Num(rounds), super::types::Ty::Count, count_place, "`repeat`");
            return;
        }
        let axis = match (&value, &count.kind) {
            (Value::Axis(axis), _) => *axis,
            (_, ExprKind::Name(name)) => {
                let axis = self.new_axis(*name, AxisSize::Fixed(rounds), count_place);
                env.bind(*name, Value::Axis(axis));
                axis
            }
            _ => self.new_axis(index.name, AxisSize::Fixed(rounds), count_place),
        };
        self.builder.built.model.axes[axis].repeats = true;
        let inner = env.names();
        inner.bind(index.name, Value::Word(index.name));
        let mut starts = Vec::new();
        for ident in carry {
            let at = env.site().place(ident.span);
            match self.eval_name(ident.name, at, env) {
                Value::Tensor(before) => {
                    let start = self.copy_tensor(before, ident.name, at);
                    inner.bind(ident.name, Value::Tensor(start));
                    starts.push((ident, before, start));
                }
                Value::Error => inner.bind(ident.name, Value::Error),
                other => self.report_not_tensor(&other, at),
            }
        }
        let from = clauses.from.as_ref().map(|t| self.checkpoint_name(t, &inner));
        let prefix = join(&self.builder.prefix, from.as_deref());
        let saved_prefix = std::mem::replace(&mut self.builder.prefix, prefix);
        let names = carry.iter().map(|i| i.name).collect();
        let saved_carry = std::mem::replace(&mut self.builder.carry, names);
        let all = self.times(self.builder.rounds, Some(rounds));
        let saved_rounds = std::mem::replace(&mut self.builder.rounds, all);
        let saved_index = self.builder.index.replace((index.name, rounds));
        self.builder.steps.push(Vec::new());
        let mut outputs = Vec::new();
        self.block_stmts(&body.stmts, &inner, &mut outputs);
        let steps = self.builder.steps.pop().unwrap_or_default();
        self.builder.index = saved_index;
        self.builder.rounds = saved_rounds;
        self.builder.carry = saved_carry;
        self.builder.prefix = saved_prefix;
        let mut carried = Vec::new();
        for (ident, before, start) in starts {
            let end = match inner.local(ident.name) {
                Some(Value::Tensor(end)) => end,
                _ => {
                    env.bind(ident.name, Value::Error);
                    continue;
                }
            };
            let tensors = &self.builder.built.model.tensors;
            let (a, b) = (tensors[start].axes.clone(), tensors[end].axes.clone());
            if a.len() != b.len() || !a.iter().all(|x| b.contains(x)) {
                let (made, at) = (tensors[end].place, env.site().place(ident.span));
                self.report(
                    Diagnostic::new(
                        codes::CARRY_CHANGED,
                        format!("`{}` changes its axes from round to round", ident.name),
                        at,
                        format!("carried as [{}]", self.show_axes(&a)),
                    )
                    .and(made, format!("but leaves the round as [{}]", self.show_axes(&b))),
                );
                env.bind(ident.name, Value::Error);
                continue;
            }
            let after = self.copy_tensor(end, ident.name, env.site().place(ident.span));
            env.bind(ident.name, Value::Tensor(after));
            carried.push(Carried { before, start, end, after });
        }
        let repeat = Repeat { axis, count: rounds, carried, body: steps, place };
        self.builder.push_step(Step::Repeat(repeat));
    }

    fn if_statement(
        &mut self,
        arms: &'p [(Expr, Body)],
        otherwise: Option<&'p Body>,
        env: &Env<'p>,
        outputs: &mut Vec<TensorId>,
    ) {
        let by_layer = self.builder.index.is_some_and(|(index, _)| {
            arms.iter().any(|(c, _)| {
                let mut names = Vec::new();
                super::lint::names_in(c, &mut names);
                names.contains(&index)
            })
        });
        if by_layer {
            self.if_by_layer(arms, otherwise, env, outputs);
            return;
        }
        let mut decided = None;
        let mut unknown = false;
        for (condition, body) in arms {
            let place = env.site().place(condition.span);
            let holds = match self.eval(condition, env) {
                Value::Truth(b) => Some(b),
                Value::Bool(id) => self.decide(id),
                other => {
                    self.not_a_condition(other, place);
                    None
                }
            };
            unknown |= holds.is_none();
            if holds == Some(true) {
                decided = decided.or(Some(body));
            }
        }
        if unknown {
            // A block that is checked without values: any arm may be meant, all are looked at.
            let bodies = arms.iter().map(|(_, body)| Some(body)).chain([otherwise]);
            let mut results = Vec::new();
            for body in bodies {
                let inner = env.names();
                if let Some(body) = body {
                    self.block_stmts(&body.stmts, &inner, outputs);
                }
                results.push((body, inner));
            }
            self.join_arms(&results, env);
        } else if let Some(body) = decided.or(otherwise) {
            self.block_stmts(&body.stmts, env, outputs);
        }
    }

    fn if_by_layer(
        &mut self,
        arms: &'p [(Expr, Body)],
        otherwise: Option<&'p Body>,
        env: &Env<'p>,
        outputs: &mut Vec<TensorId>,
    ) {
        let Some((index, rounds)) = self.builder.index else { return };
        let outer_rounds = self.builder.rounds;
        let conditions: Vec<&'p Expr> = arms.iter().map(|(c, _)| c).collect();
        let Some(counts) = self.layer_counts(&conditions, index, rounds, env) else { return };
        let bodies = arms.iter().map(|(_, b)| Some(b)).chain([otherwise]);
        let mut results = Vec::new();
        for (body, count) in bodies.zip(counts) {
            let inner = env.names();
            self.builder.steps.push(Vec::new());
            self.builder.rounds = match (outer_rounds, body) {
                (Some(outer), Some(_)) => {
                    let share = self.graph.div(count, rounds);
                    Some(self.graph.mul(outer, share))
                }
                (outer, _) => outer,
            };
            if let Some(body) = body {
                self.block_stmts(&body.stmts, &inner, outputs);
            }
            let steps = self.builder.steps.pop().unwrap_or_default();
            if !steps.is_empty() {
                self.builder.push_step(Step::Some { count, body: steps });
            }
            results.push((body, inner));
        }
        self.builder.rounds = outer_rounds;
        self.join_arms(&results, env);
    }

    /// Names that every arm binds (or has from before) to tensors of equal axes.
    fn join_arms(&mut self, arms: &[(Option<&'p Body>, Env<'p>)], env: &Env<'p>) {
        let mut names: Vec<Name> = Vec::new();
        for (_, arm) in arms {
            names.extend(arm.own_names());
        }
        names.sort_by_key(|n| n.text());
        names.dedup();
        for name in names {
            let bound: Vec<Value<'p>> = arms.iter().filter_map(|(_, e)| e.local(name)).collect();
            if bound.iter().any(|v| matches!(v, Value::Error)) {
                env.bind(name, Value::Error);
                continue;
            }
            let tensors: Vec<TensorId> = bound
                .iter()
                .filter_map(|value| match value {
                    Value::Tensor(t) => Some(*t),
                    _ => None,
                })
                .collect();
            if tensors.len() != arms.len() {
                continue;
            }
            let Some(&first) = tensors.first() else { continue };
            let model = &self.builder.built.model;
            let axes = &model.tensors[first].axes;
            let differing = tensors.iter().position(|t| {
                let other = &model.tensors[*t].axes;
                other.len() != axes.len() || !other.iter().all(|a| axes.contains(a))
            });
            if let Some(other) = differing {
                let place_of = |i: usize| {
                    let (body, _) = arms.get(i)?;
                    let span = binding_span(&body.as_ref()?.stmts, name)?;
                    Some(env.site().place(span))
                };
                let other_tensor = tensors.get(other).copied().unwrap_or(first);
                let pa = place_of(0).unwrap_or(model.tensors[first].place);
                let pb = place_of(other).unwrap_or(model.tensors[other_tensor].place);
                let shown = |t: TensorId| self.show_axes(&model.tensors[t].axes);
                let diagnostic = Diagnostic::new(
                    codes::ARMS_DIFFER,
                    format!("`{name}` has different axes in the arms of this `if`"),
                    pa,
                    format!("here it is [{}]", shown(first)),
                )
                .and(pb, format!("and here [{}]", shown(other_tensor)));
                self.report(diagnostic);
                env.bind(name, Value::Error);
                continue;
            }
            let place = model.tensors[first].place;
            let result = self.copy_tensor(first, name, place);
            self.builder.push_step(Step::Join { arms: tensors, result });
            env.bind(name, Value::Tensor(result));
        }
    }

    /// In how many rounds each condition is the first that holds, and in how many none does.
    fn layer_counts(
        &mut self,
        conditions: &[&'p Expr],
        index: Name,
        rounds: ExprId,
        env: &Env<'p>,
    ) -> Option<Vec<ExprId>> {
        if let [condition] = conditions {
            let place = env.site().place(condition.span);
            let yes = self.layer_count(condition, index, rounds, env)?;
            let no = self.graph.sub(rounds, yes);
            let origin = |name: &str, rule| Origin {
                name: Name::new(name),
                kind: OriginKind::Inferred,
                place,
                rule: Some(rule),
            };
            let yes = self.graph.named(yes, origin("layers_where", "rounds that fulfil this"));
            let no = self.graph.named(no, origin("other_layers", "rounds that do not"));
            return Some(vec![yes, no]);
        }
        // A chain: counted round by round, where all numbers are known.
        let total = self.graph.known(rounds)?;
        self.rely(rounds);
        let mut counts = vec![0.0; conditions.len() + 1];
        for i in 0..(total as u64).min(100_000) {
            let inner = env.names();
            let place = conditions.first().map(|c| env.site().place(c.span))?;
            let position = self.counted(i as f64, "i", place, "the round");
            inner.bind(index, Value::Num(position));
            let mut which = conditions.len();
            for (k, condition) in conditions.iter().enumerate() {
                let holds = match self.eval(condition, &inner) {
                    Value::Truth(b) => b,
                    Value::Bool(id) => self.decide(id)?,
                    _ => return None,
                };
                if holds {
                    which = k;
                    break;
                }
            }
            if let Some(count) = counts.get_mut(which) {
                *count += 1.0;
            }
        }
        let last = conditions.last()?;
        let place = env.site().place(last.span);
        let rule = "rounds in which this arm runs";
        Some(counts.into_iter().map(|c| self.counted(c, "layers_where", place, rule)).collect())
    }

    fn layer_count(
        &mut self,
        condition: &'p Expr,
        index: Name,
        rounds: ExprId,
        env: &Env<'p>,
    ) -> Option<ExprId> {
        let place = env.site().place(condition.span);
        let is_index = |e: &Expr| matches!(&e.kind, ExprKind::Name(n) if *n == index);
        if let ExprKind::Paren(inner) = &condition.kind {
            return self.layer_count(inner, index, rounds, env);
        }
        if let ExprKind::Binary(op, a, b) = &condition.kind {
            if is_index(a) {
                let value = self.eval(b, env);
                let n = self.as_number(&value, env.site().place(b.span))?;
                let one = self.counted(1.0, "one", place, "rounds count from 0");
                let zero = self.counted(0.0, "none", place, "no round");
                let after = self.graph.add(n, one);
                let clamp = |g: &mut crate::expr::Graph, x| {
                    let low = g.binary(Op::Max, x, zero);
                    g.binary(Op::Min, low, rounds)
                };
                let below = clamp(&mut self.graph, n);
                let through = clamp(&mut self.graph, after);
                let equal = self.graph.sub(through, below);
                return Some(match op {
                    BinaryOp::Lt => below,
                    BinaryOp::Le => through,
                    BinaryOp::Ge => self.graph.sub(rounds, below),
                    BinaryOp::Gt => self.graph.sub(rounds, through),
                    BinaryOp::Eq => equal,
                    BinaryOp::Ne => self.graph.sub(rounds, equal),
                    _ => return self.bad_layer_condition(place),
                });
            }
            if let (BinaryOp::Eq | BinaryOp::Ne, ExprKind::Binary(BinaryOp::Mod, i, m)) =
                (op, &a.kind)
                && is_index(i)
            {
                let (m_value, r_value) = (self.eval(m, env), self.eval(b, env));
                let m = self.as_number(&m_value, env.site().place(m.span))?;
                let r = self.as_number(&r_value, env.site().place(b.span))?;
                let zero = self.counted(0.0, "none", place, "no round");
                let left = self.graph.sub(rounds, r);
                let steps = self.graph.div(left, m);
                let steps = self.graph.unary(Op::Ceil, steps);
                let steps = self.graph.binary(Op::Max, steps, zero);
                // A remainder as large as the divisor never occurs.
                let possible = self.graph.binary(Op::Lt, r, m);
                let equal = self.graph.select(possible, steps, zero);
                return Some(match op {
                    BinaryOp::Eq => equal,
                    _ => self.graph.sub(rounds, equal),
                });
            }
        }
        // Anything else over the index is counted round by round, where numbers are known.
        self.bad_layer_condition(place)
    }

    fn bad_layer_condition(&mut self, place: Place) -> Option<ExprId> {
        self.report(
            Diagnostic::new(
                codes::BAD_LAYER_CONDITION,
                "this condition on the layer cannot be counted in closed form",
                place,
                "not one of the known forms",
            )
            .note("write `i < n`, `i >= n`, `i == n` or `i % m == r`, or a chain of `else if`"),
        );
        None
    }

    /// The axis of the library's prelude (`batch`, `seq`, `ctx`): one per model.
    pub(super) fn prelude_axis(&mut self, item: ItemRef<'p>) -> Value<'p> {
        let name = item.item.name.name;
        if !self.builder.active {
            return Value::Word(name);
        }
        // A windowed cache in this block renames to an axis of its own.
        let key = (name, self.builder.scope.path.clone());
        if let Some(axis) = self.builder.windowed.get(&key) {
            return Value::Axis(*axis);
        }
        Value::Axis(self.phase_axis(name, item.name_place()))
    }

    pub(super) fn phase_axis(&mut self, name: Name, place: Place) -> AxisId {
        if let Some(axis) = self.builder.axes.get(&name) {
            return *axis;
        }
        let axis = self.new_axis(name, AxisSize::Phase(name), place);
        self.builder.built.model.axes[axis].path = Rc::new([]);
        self.builder.axes.insert(name, axis);
        axis
    }

    pub(super) fn new_axis(&mut self, name: Name, size: AxisSize, place: Place) -> AxisId {
        let path = self.builder.scope.path.clone();
        if let AxisSize::Fixed(id) = size {
            self.guards.push(super::Guard::AtLeastOne(id));
        }
        if let AxisSize::Fixed(id) = size
            && let Some(v) = self.graph.known(id)
            && v < 1.0
        {
            let at = self.graph.origin_of(id).map_or(place, |o| o.place);
            self.report(
                Diagnostic::new(
                    codes::ZERO_AXIS,
                    format!("axis `{name}` has {} elements", super::show_number(v)),
                    place,
                    "used as an axis here",
                )
                .and(at, "its size"),
            );
        }
        self.builder.built.model.axes.push(Axis {
            name,
            aliases: vec![(name, path.clone())],
            path,
            size,
            parts: Vec::new(),
            whole: Vec::new(),
            renamed_from: None,
            window: None,
            repeats: false,
            place,
        })
    }

    pub(super) fn new_tensor(
        &mut self,
        name: Name,
        written: Vec<AxisId>,
        role: Role,
        dtype: Rc<crate::ir::Dtype>,
        place: Place,
    ) -> TensorId {
        let axes = self.atoms(&written);
        let scope = self.builder.scope.clone();
        self.builder.built.model.tensors.push(Tensor {
            name,
            named: false,
            axes,
            written,
            role,
            dtype,
            density: None,
            producer: None,
            place,
            from: None,
            scope,
            tied: false,
        })
    }

    pub(super) fn copy_tensor(&mut self, of: TensorId, name: Name, place: Place) -> TensorId {
        let mut copy = self.builder.built.model.tensors[of].clone();
        copy.name = name;
        copy.named = true;
        copy.producer = None;
        copy.place = place;
        self.builder.built.model.tensors.push(copy)
    }

    /// How many rounds of repeats surround what is built now.
    pub(super) fn rounds(&self) -> Option<ExprId> {
        self.builder.rounds
    }

    /// Composite axes replaced by their parts.
    pub fn atoms(&self, axes: &[AxisId]) -> Vec<AxisId> {
        let mut out = Vec::new();
        for &axis in axes {
            let parts = &self.builder.built.model.axes[axis].parts;
            if parts.is_empty() {
                out.push(axis);
            } else {
                out.extend(parts.iter().copied());
            }
        }
        out
    }

    /// The length of an axis, where the model alone decides it.
    pub fn axis_size(&self, axis: AxisId) -> Option<ExprId> {
        if !self.builder.active {
            return None;
        }
        let a = &self.builder.built.model.axes[axis];
        match a.size {
            AxisSize::Fixed(id) => Some(id),
            AxisSize::Phase(_) => None,
            AxisSize::Composite(id) => Some(id),
        }
    }

    /// An axis of the model being built.
    pub(crate) fn built_axis(&self, axis: AxisId) -> Option<Axis> {
        self.builder.active.then(|| self.builder.built.model.axes[axis].clone())
    }

    /// Builds a block whose parameters have no known values, to check what it says.
    pub(super) fn build_unknown(&mut self, object: &Rc<Object<'p>>, precision: Precision<'p>) {
        let Some(block) = object.block else { return };
        let mut builder = Builder::new();
        builder.active = true;
        builder.precision = precision;
        builder.steps.push(Vec::new());
        builder.scope = Rc::new(Instance {
            path: Rc::new([]),
            blocks: Rc::new([block.item.name.name]),
            place: block.name_place(),
        });
        let outer = std::mem::replace(&mut self.builder, builder);
        let env = self.item_env(block).names();
        for param in block.item.params.as_deref().unwrap_or_default() {
            let value = self.block_param(block, param, &env);
            env.bind(param.name.name, value);
        }
        if let Some(body) = &block.item.body {
            self.builder.blocks.push(block);
            self.declare_inputs(body, &env);
            self.block_body(body, &env);
        } else {
            self.report(Diagnostic::new(
                codes::MISSING_VALUE,
                format!("block `{}` has no body", block.item.name.name),
                block.name_place(),
                "write `{ … }` after it",
            ));
        }
        self.builder = outer;
    }

    /// A value for a parameter of a block that is checked by itself.
    fn block_param(
        &mut self,
        block: ItemRef<'p>,
        param: &'p crate::syntax::ast::Param,
        env: &Env<'p>,
    ) -> Value<'p> {
        if super::object::is_optional(param) {
            return Value::None;
        }
        match (self.unknown_param(block, param), &param.default) {
            (Value::Error, Some(default)) => self.eval(default, env),
            (value, _) => value,
        }
    }

    /// Inputs of a block that is checked by itself have axes of unknown length.
    fn declare_inputs(&mut self, body: &'p Body, env: &Env<'p>) {
        for stmt in &body.stmts {
            let StmtKind::Input { name, axes, .. } = &stmt.kind else { continue };
            let mut ids = Vec::new();
            for axis in axes {
                let place = env.site().place(axis.name.span);
                let known = env.local(axis.name.name).is_some()
                    || self.program.prelude_item(axis.name.name).is_some();
                if known {
                    ids.extend(self.axis_named(axis, env));
                    continue;
                }
                let origin = Origin {
                    name: axis.name.name,
                    kind: OriginKind::Inferred,
                    place,
                    rule: Some("an axis of the caller"),
                };
                let size = self.graph.constant(f64::NAN, crate::quantity::Dimension::NONE, origin);
                let id = self.new_axis(axis.name.name, AxisSize::Fixed(size), place);
                env.bind(axis.name.name, Value::Axis(id));
                ids.push(id);
            }
            let place = env.site().place(name.span);
            if let Some(dtype) = self.builder.precision.default_dtype() {
                let id = self.new_tensor(name.name, ids, Role::Activations, dtype, place);
                env.bind(name.name, Value::Tensor(id));
            }
        }
        self.builder.inputs_done = true;
    }

    /// `batch, seq, hidden = 8192`, for messages.
    pub(super) fn show_axes(&self, axes: &[AxisId]) -> String {
        let shown: Vec<String> = axes
            .iter()
            .map(|axis| {
                let a = &self.builder.built.model.axes[*axis];
                match self.axis_size(*axis).and_then(|id| self.graph.known(id)) {
                    Some(v) => format!("{} = {}", a.name, super::show_number(v)),
                    None => a.name.to_string(),
                }
            })
            .collect();
        shown.join(", ")
    }

    pub(super) fn report_not_tensor(&mut self, value: &Value<'p>, place: Place) {
        if matches!(value, Value::Error) {
            return;
        }
        let what = value.describe();
        self.report(Diagnostic::new(
            codes::NOT_A_TENSOR,
            format!("{what} is not a tensor"),
            place,
            "a tensor is wanted here",
        ));
    }

    /// The axis that a name in brackets means.
    pub(super) fn axis_named(&mut self, axis: &AxisRef, env: &Env<'p>) -> Option<AxisId> {
        let place = env.site().place(axis.name.span);
        match self.find_name(axis.name.name, place, env) {
            Some(Value::Axis(id)) => Some(id),
            Some(Value::Num(size)) => {
                let value = self.expect_type(
                    Value::Num(size),
                    super::types::Ty::Count,
                    place,
                    &format!("axis `{}`", axis.name.name),
                );
                let Value::Num(size) = value else { return None };
                let id = self.new_axis(axis.name.name, AxisSize::Fixed(size), place);
                env.rebind(axis.name.name, Value::Axis(id));
                Some(id)
            }
            Some(Value::Error) => None,
            Some(other) => {
                let what = other.describe();
                self.report(Diagnostic::new(
                    codes::UNKNOWN_AXIS,
                    format!("{what} is not an axis"),
                    place,
                    "an axis is wanted here",
                ));
                None
            }
            None => {
                self.report_unknown_axis(axis.name.name, place, env);
                None
            }
        }
    }

    pub(super) fn report_unknown_axis(&mut self, name: Name, place: Place, env: &Env<'p>) {
        let names = self.visible_names(env);
        let mut diagnostic = Diagnostic::new(
            codes::UNKNOWN_AXIS,
            format!("there is no axis `{name}` here"),
            place,
            "not an axis",
        );
        diagnostic = match super::names::closest(name.text(), names.iter().map(|n| n.text())) {
            Some(best) => diagnostic.note(format!("did you mean `{best}`?")).fix(
                format!("write `{best}`"),
                place,
                best,
                crate::diagnostic::Safety::Review,
            ),
            None => diagnostic.note(
                "an axis is a `Count` parameter, an axis of an input, one declared with `axis`, \
                 or `batch`, `seq`, `ctx`",
            ),
        };
        self.report(diagnostic);
    }
}

struct BlockInputs<'p> {
    tensors: Vec<(Ident, TensorId)>,
    named: Vec<&'p Arg>,
}

/// Where a name is bound last among statements.
fn binding_span(stmts: &[Stmt], wanted: Name) -> Option<crate::source::Span> {
    stmts.iter().rev().find_map(|stmt| match &stmt.kind {
        StmtKind::Set { path, .. } => match path.as_slice() {
            [name] if name.name == wanted => Some(name.span),
            _ => None,
        },
        StmtKind::Fuse { body, .. } => binding_span(&body.stmts, wanted),
        _ => None,
    })
}

/// Whether some arm of the statements has an `output`.
pub(super) fn has_output(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|s| match &s.kind {
        StmtKind::Output(_) => true,
        StmtKind::If { arms, otherwise } => {
            arms.iter().map(|(_, b)| b).chain(otherwise).any(|b| has_output(&b.stmts))
        }
        StmtKind::Error => true,
        _ => false,
    })
}

/// `a` and `b` joined by a dot.
fn join(a: &str, b: Option<&str>) -> String {
    match b {
        None | Some("") => a.to_owned(),
        Some(b) if a.is_empty() => b.to_owned(),
        Some(b) => format!("{a}.{b}"),
    }
}

fn flatten_product<'e>(expr: &'e Expr, out: &mut Vec<&'e Expr>) {
    match &expr.kind {
        ExprKind::Binary(BinaryOp::Mul, a, b) => {
            flatten_product(a, out);
            flatten_product(b, out);
        }
        ExprKind::Paren(inner) => flatten_product(inner, out),
        _ => out.push(expr),
    }
}
