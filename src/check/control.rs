//! `repeat` and `if` in a block: rounds, layers that differ by index, arms that join.

use rustc_hash::FxHashSet;

use super::value::{Env, Value};
use super::weights::join;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::ir::model::{Branch, Carried};
use crate::ir::{AxisSize, Repeat, Step, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{BinaryOp, Body, Clauses, Expr, ExprKind, Ident, Stmt, StmtKind};

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
        self.builder.steps.push(Vec::new());
        let mut outputs = Vec::new();
        self.block_stmts(&body.stmts, &inner, &mut outputs);
        let steps = self.builder.steps.pop().unwrap_or_default();
        self.builder.here.index = saved_index;
        self.builder.indices = saved_indices;
        self.builder.only = saved_only;
        self.builder.rounds = saved_rounds;
        self.builder.here.carry = saved_carry;
        self.builder.here.prefix = saved_prefix;
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
        let Some(counts) = self.layer_counts(&conditions, index, rounds, env) else { return };
        let outer_only = self.builder.only.clone();
        let which = self.arms_by_round(&conditions, index, rounds, env);
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
                self.builder.push_step(Step::Some { count, body: steps, branch });
            }
            results.push((body, inner));
        }
        self.builder.rounds = outer_rounds;
        self.builder.only = outer_only;
        self.join_arms(&results, env);
    }

    /// Names that every arm binds (or has from before) to tensors of equal axes.
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

    /// Names that several arms bind and nothing reads afterwards do not leave them.
    pub(super) fn drop_unread_joins(&mut self) {
        let model = &self.builder.built.model;
        let operands = model.ops.iter().flat_map(|(_, op)| op.operands.iter().map(|(_, t)| *t));
        let mut read: FxHashSet<TensorId> = operands.chain(model.outputs.iter().copied()).collect();
        for steps in &mut self.builder.steps {
            drop_unread(steps, &mut read);
        }
    }

    /// In how many rounds each condition is the first that holds, and in how many none does.
    pub(super) fn layer_counts(
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
        if self.graph.known(rounds).is_none() {
            // A block that is checked by itself: how often each arm runs is not known.
            let place = conditions.first().map(|c| env.site().place(c.span))?;
            let unknown = self.counted(f64::NAN, "layers_where", place, "rounds are not known");
            return Some(vec![unknown; conditions.len() + 1]);
        }
        self.rely(rounds);
        let mut counts = vec![0.0; conditions.len() + 1];
        for arm in self.arms_by_round(conditions, index, rounds, env)? {
            if let Some(count) = counts.get_mut(arm) {
                *count += 1.0;
            }
        }
        let last = conditions.last()?;
        let place = env.site().place(last.span);
        let rule = "rounds in which this arm runs";
        Some(counts.into_iter().map(|c| self.counted(c, "layers_where", place, rule)).collect())
    }

    /// For each round which condition is the first that holds (or their number where none does),
    /// where all numbers are known.
    fn arms_by_round(
        &mut self,
        conditions: &[&'p Expr],
        index: Name,
        rounds: ExprId,
        env: &Env<'p>,
    ) -> Option<Vec<usize>> {
        let total = self.graph.known(rounds)? as u64;
        let place = conditions.first().map(|c| env.site().place(c.span))?;
        // What a chain relies on it says itself; a closed form stays one.
        let closed = conditions.len() == 1;
        let guards = self.guards.len();
        let mut arms = Vec::new();
        for i in 0..total.min(100_000) {
            let inner = env.names();
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
            arms.push(which);
        }
        if closed {
            self.guards.truncate(guards);
        }
        Some(arms)
    }

    pub(super) fn layer_count(
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
        if let Some(list) = among(condition, index) {
            let value = self.eval(list, env);
            let mut items = self.counts(&value, env.site().place(list.span))?;
            items.sort_by(f64::total_cmp);
            items.dedup();
            let total = self.graph.known(rounds);
            if total.is_some() {
                self.rely(rounds);
            }
            items.retain(|i| total.is_none_or(|t| *i < t));
            return Some(self.counted(items.len() as f64, "layers_where", place, "rounds listed"));
        }
        self.bad_layer_condition(place)
    }

    pub(super) fn bad_layer_condition(&mut self, place: Place) -> Option<ExprId> {
        self.report(
            Diagnostic::new(
                codes::BAD_LAYER_CONDITION,
                "this condition on the layer cannot be counted in closed form",
                place,
                "not one of the known forms",
            )
            .note(
                "write `i < n`, `i >= n`, `i == n`, `i % m == r` or `among(i, [1, 5])`, or a chain \
                 of `else if`",
            ),
        );
        None
    }
}

/// The list in `among(i, list)`.
fn among(condition: &Expr, index: Name) -> Option<&Expr> {
    let ExprKind::Call { callee, args, .. } = &condition.kind else { return None };
    let is_name = |e: &Expr, name: Name| matches!(&e.kind, ExprKind::Name(n) if *n == name);
    let [one, list] = args.as_slice() else { return None };
    let one = one.value.as_ref().filter(|v| is_name(v, index));
    if !is_name(callee, Name::new("among")) || one.is_none() {
        return None;
    }
    list.value.as_ref()
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
