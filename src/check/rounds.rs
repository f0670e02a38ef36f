//! Layers that differ: in which rounds of a `repeat` each arm of an `if` on its index runs.
//!
//! In: the conditions of the arms, over the index. Out: how many rounds each of them has, in closed
//! form where there is one, and which rounds these are where all numbers are known.

use super::value::{Env, Value};
use super::{Checker, Guard, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Op, Origin};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};

impl<'p> Checker<'p> {
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
            let origin = |name: &str, rule| Origin::inferred(Name::new(name), place, rule);
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
        let which = self.arms_by_round(conditions, index, rounds, env)?.0;
        let all: Vec<u32> = (0u32..).zip(&which).map(|(round, _)| round).collect();
        Some(self.rounds_of_arms(&which, &all, conditions, env))
    }

    /// For each round which condition is the first that holds (or their number where none does),
    /// where all numbers are known; and what that hangs on, where nothing has relied on it yet.
    pub(super) fn arms_by_round(
        &mut self,
        conditions: &[&'p Expr],
        index: Name,
        rounds: ExprId,
        env: &Env<'p>,
    ) -> Option<(Vec<usize>, Vec<Guard>)> {
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
        let unused = if closed { self.guards.split_off(guards) } else { Vec::new() };
        Some((arms, unused))
    }

    /// In how many of some rounds each arm runs: of all, or of those that another `if` leaves.
    pub(super) fn rounds_of_arms(
        &mut self,
        which: &[usize],
        only: &[u32],
        conditions: &[&'p Expr],
        env: &Env<'p>,
    ) -> Vec<ExprId> {
        let Some(last) = conditions.last() else { return Vec::new() };
        let place = env.site().place(last.span);
        let arms = 0..=conditions.len();
        arms.map(|arm| {
            let runs = |round: &&u32| which.get(**round as usize) == Some(&arm);
            let count = only.iter().filter(runs).count() as f64;
            self.counted(count, "layers_where", place, "rounds in which this arm runs")
        })
        .collect()
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

    fn bad_layer_condition(&mut self, place: Place) -> Option<ExprId> {
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
