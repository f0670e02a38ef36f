//! `repeat` and `if` in a block: bodies that run in rounds, arms, and the names that leave them.

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::block::Arm;
use super::value::{Env, Value};
use super::weights::join;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::ir::model::{Branch, Carried};
use crate::ir::{AxisSize, Repeat, Step, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Body, Clauses, Expr, ExprKind, Ident, Stmt, StmtKind};

/// The condition of an `if` whose arms are two ways to the same values.
const CHEAPER: &str = "cheaper";

impl<'p> Checker<'p> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn repeat(
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
        let prefix = join(&self.builder.here.prefix, from.as_deref());
        let saved_prefix = std::mem::replace(&mut self.builder.here.prefix, prefix);
        let names = carry.iter().map(|i| i.name).collect();
        let saved_carry = std::mem::replace(&mut self.builder.here.carry, names);
        let all = self.times(self.builder.rounds, Some(rounds));
        let saved_rounds = std::mem::replace(&mut self.builder.rounds, all);
        let saved_index = self.builder.here.index.replace((index.name, rounds));
        let indices = self.builder.indices.iter().copied().chain([(index.name, rounds)]).collect();
        let saved_indices = std::mem::replace(&mut self.builder.indices, indices);
        let saved_only = self.builder.only.take();
        let saved_arm = self.builder.arm.take();
        self.builder.steps.push(Vec::new());
        let mut outputs = Vec::new();
        self.block_stmts(&body.stmts, &inner, &mut outputs);
        let steps = self.builder.steps.pop().unwrap_or_default();
        self.builder.here.index = saved_index;
        self.builder.indices = saved_indices;
        self.builder.only = saved_only;
        self.builder.arm = saved_arm;
        self.builder.rounds = saved_rounds;
        self.builder.here.carry = saved_carry;
        self.builder.here.prefix = saved_prefix;
        let mut carried = Vec::new();
        for (ident, before, start) in starts {
            let at = env.site().place(ident.span);
            let end = match self.find_name(ident.name, at, &inner) {
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

    pub(super) fn if_statement(
        &mut self,
        arms: &'p [(Expr, Body)],
        otherwise: Option<&'p Body>,
        env: &Env<'p>,
        outputs: &mut Vec<TensorId>,
    ) {
        let by_layer = self.builder.here.index.is_some_and(|(index, _)| {
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
        let cheaper =
            |(c, _): &&(Expr, Body)| matches!(&c.kind, ExprKind::Name(n) if *n == CHEAPER);
        if let Some((condition, body)) = arms.iter().find(cheaper) {
            let place = env.site().place(condition.span);
            match (arms, otherwise) {
                ([_], Some(other)) => self.if_cheaper([body, other], place, env, outputs),
                _ => {
                    self.report(
                        Diagnostic::new(
                            codes::STATEMENT_NOT_HERE,
                            "`if cheaper` holds two ways to the same values",
                            place,
                            "cheaper than what is not said",
                        )
                        .note("write `if cheaper { … } else { … }`"),
                    );
                    self.block_stmts(&body.stmts, env, outputs);
                }
            }
            return;
        }
        // In a block that is checked without values several arms may be meant: all are looked at.
        let mut possible = Vec::new();
        let mut certain = false;
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
            if holds != Some(false) && !certain {
                possible.push(Some(body));
                certain = holds == Some(true);
            }
        }
        if !certain {
            possible.push(otherwise);
        }
        for body in arms.iter().map(|(_, b)| b).chain(otherwise) {
            if !possible.iter().flatten().any(|p| std::ptr::eq(*p, body)) {
                let names = body.stmts.iter().filter_map(bound);
                self.builder.built.model.left_out.extend(names);
            }
        }
        if let [only] = &*possible {
            if let Some(body) = only {
                self.block_stmts(&body.stmts, env, outputs);
            }
            return;
        }
        let mut results = Vec::new();
        for body in possible {
            let inner = env.names();
            if let Some(body) = body {
                self.block_stmts(&body.stmts, &inner, outputs);
            }
            results.push((body, inner));
        }
        self.join_arms(&results, env);
    }

    /// `if cheaper { … } else { … }`: two ways to the same values. Each phase takes the one that
    /// takes less time; training takes the second.
    fn if_cheaper(
        &mut self,
        bodies: [&'p Body; 2],
        place: Place,
        env: &Env<'p>,
        outputs: &mut Vec<TensorId>,
    ) {
        if self.builder.training {
            let [_, last] = bodies;
            self.block_stmts(&last.stmts, env, outputs);
            return;
        }
        let once = self.counted(1.0, "once", place, "runs once in a round");
        let choice = self.builder.built.model.ops.len();
        let mut results = Vec::new();
        for (arm, body) in bodies.into_iter().enumerate() {
            let branch = Branch { choice, arm, arms: 2, cheapest: true };
            let inner = env.names();
            self.builder.steps.push(Vec::new());
            self.block_stmts(&body.stmts, &inner, outputs);
            let steps = self.builder.steps.pop().unwrap_or_default();
            self.builder.push_step(Step::Some { count: once, body: steps, branch });
            results.push((Some(body), inner));
        }
        self.join_arms(&results, env);
    }

    pub(super) fn if_by_layer(
        &mut self,
        arms: &'p [(Expr, Body)],
        otherwise: Option<&'p Body>,
        env: &Env<'p>,
        outputs: &mut Vec<TensorId>,
    ) {
        let Some((index, rounds)) = self.builder.here.index else { return };
        let outer_rounds = self.builder.rounds;
        let conditions: Vec<&'p Expr> = arms.iter().map(|(c, _)| c).collect();
        let Some(mut counts) = self.layer_counts(&conditions, index, rounds, env) else { return };
        let outer_only = self.builder.only.clone();
        let outer_arm = self.builder.arm.clone();
        let (which, mut guards) = self.arms_by_round(&conditions, index, rounds, env).unzip();
        if let (Some(outer), Some(only), Some(which)) = (&outer_arm, &outer_only, &which) {
            // In an arm of another `if` by layer: the rounds that are in both.
            let own = guards.get_or_insert_default();
            own.extend(outer.guards.iter().copied());
            self.guards.extend(own.iter().copied());
            self.rely(rounds);
            counts = self.rounds_of_arms(which, only, &conditions, env);
        }
        let beside = outer_arm.as_ref().map_or(outer_rounds, |arm| arm.beside);
        self.builder.arm = Some(Arm { beside, guards: guards.unwrap_or_default().into() });
        let bodies = arms.iter().map(|(_, b)| Some(b)).chain([otherwise]);
        let mut results = Vec::new();
        let (choice, all) = (self.builder.built.model.ops.len(), arms.len() + 1);
        for (arm, (body, count)) in bodies.zip(counts).enumerate() {
            let branch = Branch { choice, arm, arms: all, cheapest: false };
            let inner = env.names();
            self.builder.only = which.as_ref().map(|which| {
                let rounds = (0u32..).zip(which).filter(|(_, a)| **a == arm).map(|(i, _)| i);
                rounds.filter(|i| outer_only.as_ref().is_none_or(|o| o.contains(i))).collect()
            });
            self.builder.steps.push(Vec::new());
            self.builder.rounds = match (beside, body) {
                (Some(beside), Some(_)) => {
                    let share = self.graph.div(count, rounds);
                    Some(self.graph.mul(beside, share))
                }
                _ => outer_rounds,
            };
            if let Some(body) = body {
                self.block_stmts(&body.stmts, &inner, outputs);
            }
            let steps = self.builder.steps.pop().unwrap_or_default();
            if !steps.is_empty() {
                self.builder.push_step(Step::Some { count, body: steps, branch });
            }
            results.push((body, inner));
        }
        self.builder.rounds = outer_rounds;
        self.builder.only = outer_only;
        self.builder.arm = outer_arm;
        self.join_arms(&results, env);
    }

    /// Names that every arm binds (or has from before) to tensors of equal axes. Those of different
    /// axes are a mistake only where something reads them.
    pub(super) fn join_arms(&mut self, arms: &[(Option<&'p Body>, Env<'p>)], env: &Env<'p>) {
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
            let parted = bound.iter().find(|v| matches!(v, Value::Parted(_)));
            if let Some(parted) = parted {
                env.bind(name, parted.clone());
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
                env.bind(name, Value::Parted(Rc::new(diagnostic)));
                continue;
            }
            let place = model.tensors[first].place;
            let result = self.copy_tensor(first, name, place);
            self.builder.push_step(Step::Join { arms: tensors, result });
            env.bind(name, Value::Tensor(result));
        }
    }

    /// Names that several arms bind and nothing reads afterwards do not leave them.
    pub(super) fn drop_unread_joins(&mut self) {
        let model = &self.builder.built.model;
        let operands = model.ops.iter().flat_map(|(_, op)| op.operands.iter().map(|(_, t)| *t));
        let mut read: FxHashSet<TensorId> = operands.chain(model.outputs.iter().copied()).collect();
        for steps in &mut self.builder.steps {
            drop_unread(steps, &mut read);
        }
    }
}

/// From the last step to the first, so that what only unread joins read is unread too.
fn drop_unread(steps: &mut Vec<Step>, read: &mut FxHashSet<TensorId>) {
    let mut kept = Vec::with_capacity(steps.len());
    for mut step in std::mem::take(steps).into_iter().rev() {
        match &mut step {
            Step::Join { arms, result } => {
                if !read.contains(result) {
                    continue;
                }
                read.extend(arms.iter());
            }
            Step::Repeat(repeat) => {
                read.extend(repeat.carried.iter().flat_map(|c| [c.before, c.end]));
                drop_unread(&mut repeat.body, read);
            }
            Step::Some { body, .. } => drop_unread(body, read),
            Step::Op(_) | Step::Fuse(_) => {}
        }
        kept.push(step);
    }
    kept.reverse();
    *steps = kept;
}

/// Where a name is bound last among statements.
pub(super) fn binding_span(stmts: &[Stmt], wanted: Name) -> Option<crate::source::Span> {
    stmts.iter().rev().find_map(|stmt| match &stmt.kind {
        StmtKind::Set { path, .. } => match path.as_slice() {
            [name] if name.name == wanted => Some(name.span),
            _ => None,
        },
        StmtKind::Fuse { body, .. } => binding_span(&body.stmts, wanted),
        _ => None,
    })
}

/// The name that a statement gives to a value.
fn bound(stmt: &Stmt) -> Option<Name> {
    match &stmt.kind {
        StmtKind::Set { path, .. } => match path.as_slice() {
            [one] => Some(one.name),
            _ => None,
        },
        _ => None,
    }
}
