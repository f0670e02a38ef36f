//! Blocks to dataflow: statements of a block, instance by instance, into one [`Model`].
//!
//! In: a model object (a block with values for its parameters) and the formats of a scenario.
//! Out: axes, tensors, ops and steps, with symbolic sizes.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::object::{Object, Slot};
use super::precision::Precision;
use super::program::ItemRef;
use super::value::{Env, Value};
use super::weights::join;
use super::{Checker, Guard, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::ExprId;
use crate::ir::model::Instance;
use crate::ir::{AxisId, Fuse, Model, Step, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Arg, Body, Stmt, StmtKind};

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
    pub(super) here: Here,
    pub(super) products: FxHashSet<TensorId>,
    pub(super) precision: Precision<'p>,
    /// Whether the model is built to be trained.
    pub(super) training: bool,
    /// Whether gradients are being built.
    pub(super) backward: bool,
    pub(super) rounds: Option<ExprId>,
    /// The indices of all repeats around what is built, outermost first, with their rounds.
    pub(super) indices: Rc<[(Name, ExprId)]>,
    /// The rounds of the innermost repeat that what is built belongs to, where not all.
    pub(super) only: Option<Rc<[u32]>>,
    /// The arm of an `if` by layer that is being built, if any.
    pub(super) arm: Option<Arm>,
    pub(super) axes: FxHashMap<Name, AxisId>,
    pub(super) windowed: FxHashMap<(Name, Rc<[Name]>), AxisId>,
    pub(super) blocks: Vec<ItemRef<'p>>,
    /// How many blocks were called so far.
    pub(super) instances: usize,
    pub(super) inputs_done: bool,
    /// How deep in blocks the adapter is that is being built.
    pub(super) adapter: Option<usize>,
    /// Whether a requirement of the block being built does not hold.
    pub(super) failed: bool,
}

/// What holds for the statements of one instance of a block; each block within has its own.
pub(super) struct Here {
    /// The instance being built.
    pub(super) scope: Rc<Instance>,
    /// How the names of its weights begin in a checkpoint.
    pub(super) prefix: String,
    /// What the definition at hand is called in a checkpoint.
    pub(super) from: Option<String>,
    /// The name that the definition at hand binds.
    pub(super) binding: Option<Name>,
    /// Whether that name is carried from round to round.
    pub(super) residual: bool,
    /// The names that the repeat around carries from round to round.
    pub(super) carry: Vec<Name>,
    /// The index of the repeat around, with its rounds.
    pub(super) index: Option<(Name, ExprId)>,
}

/// An arm of an `if` that chooses by layer.
#[derive(Clone)]
pub(super) struct Arm {
    /// How often what stands beside the `if` runs.
    pub(super) beside: Option<ExprId>,
    /// What the rounds of the arm hang on.
    pub(super) guards: Rc<[Guard]>,
}

impl Here {
    fn new(instance: Instance, prefix: String) -> Self {
        Self {
            scope: Rc::new(instance),
            prefix,
            from: None,
            binding: None,
            residual: false,
            carry: Vec::new(),
            index: None,
        }
    }
}

impl Builder<'_> {
    pub(super) fn new() -> Self {
        let place = Place { file: crate::source::FileId(0), span: crate::source::Span::default() };
        let nowhere = Instance { path: Rc::new([]), blocks: Rc::new([]), place };
        Self {
            active: false,
            built: BuiltModel::default(),
            steps: Vec::new(),
            here: Here::new(nowhere, String::new()),
            products: FxHashSet::default(),
            precision: Precision::default(),
            training: false,
            backward: false,
            rounds: None,
            indices: Rc::new([]),
            only: None,
            arm: None,
            axes: FxHashMap::default(),
            windowed: FxHashMap::default(),
            blocks: Vec::new(),
            instances: 0,
            inputs_done: false,
            adapter: None,
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
        training: Option<&crate::ir::Training>,
    ) -> Option<BuiltModel<'p>> {
        let block = object.block?;
        let mut builder = Builder::new();
        builder.active = true;
        builder.precision = precision;
        builder.training = training.is_some();
        builder.steps.push(Vec::new());
        builder.built.model.name = Some(object.name);
        let place = object.item.map_or(block.name_place(), |i| i.name_place());
        builder.here.scope =
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
            self.drop_unread_joins();
        }
        let differentiated = match training {
            Some(training) if self.errors() == before => self.build_backward(training).is_some(),
            _ => true,
        };
        let mut builder = std::mem::replace(&mut self.builder, outer);
        builder.built.model.steps = builder.steps.pop().unwrap_or_default();
        differentiated.then_some(builder.built)
    }

    /// `Attention(x, heads:)` inside of a block, or a model outside of one. `slots` are values that
    /// the block already has.
    pub(super) fn call_block(
        &mut self,
        item: ItemRef<'p>,
        slots: &[Slot<'p>],
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        if std::mem::take(&mut self.wants_block) {
            return self.block_with_values(item, args, place, env);
        }
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
        if !self.bind_block_params(item, (&named, slots), place, env, &inner) {
            return Value::Error;
        }
        for (ident, tensor) in &inputs.tensors {
            inner.bind(ident.name, Value::Tensor(*tensor));
        }
        let binding = self.builder.here.binding.unwrap_or(item.item.name.name);
        let prefix = join(&self.builder.here.prefix, self.builder.here.from.as_deref());
        self.block_inputs_bound = inputs.tensors;
        let outputs = self.build_within(item, (binding, prefix), &inner, place);
        match outputs.as_slice() {
            [] => Value::Error,
            [one] => Value::Tensor(*one),
            many => Value::List(many.iter().map(|t| Value::Tensor(*t)).collect()),
        }
    }

    /// Builds a block as an instance called `binding` of the block around it, whose weights in a
    /// checkpoint begin with `prefix`.
    pub(super) fn build_within(
        &mut self,
        item: ItemRef<'p>,
        (binding, prefix): (Name, String),
        env: &Env<'p>,
        place: Place,
    ) -> Vec<TensorId> {
        let Some(body) = &item.item.body else { return Vec::new() };
        let scope = &self.builder.here.scope;
        let instance = Instance {
            path: scope.path.iter().copied().chain([binding]).collect(),
            blocks: scope.blocks.iter().copied().chain([item.item.name.name]).collect(),
            place,
        };
        let around = std::mem::replace(&mut self.builder.here, Here::new(instance, prefix));
        self.builder.blocks.push(item);
        let outputs = self.block_body(body, env);
        self.builder.blocks.pop();
        self.builder.here = around;
        outputs
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
        let saved = std::mem::replace(&mut self.builder.here.scope, Rc::new(instance));
        let inner = self.item_env(item).names();
        self.builder.blocks.push(item);
        let outputs = self.block_body(body, &inner);
        self.builder.blocks.pop();
        self.builder.here.scope = saved;
        outputs.first().copied()
    }

    pub(super) fn block_body(&mut self, body: &'p Body, env: &Env<'p>) -> Vec<TensorId> {
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

    pub(super) fn block_stmts(
        &mut self,
        stmts: &'p [Stmt],
        env: &Env<'p>,
        outputs: &mut Vec<TensorId>,
    ) {
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
            StmtKind::Input { name, axes, clauses } => self.input(*name, axes, clauses, env),
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
                    scope: self.builder.here.scope.clone(),
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
            StmtKind::Error => self.poison(stmt, env),
            _ => self.report_misplaced(stmt, "a block", env),
        }
    }

    /// Builds a block whose parameters have no known values, to check what it says.
    pub(super) fn build_unknown(&mut self, object: &Rc<Object<'p>>, precision: Precision<'p>) {
        let Some(block) = object.block else { return };
        let mut builder = Builder::new();
        builder.active = true;
        builder.precision = precision;
        builder.steps.push(Vec::new());
        builder.here.scope = Rc::new(Instance {
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
