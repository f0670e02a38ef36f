//! Arithmetic and logic on values: dimensions agree, numbers become nodes.

use std::rc::Rc;

use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Op};
use crate::ir::AxisId;
use crate::quantity::Dimension;
use crate::source::{Origin, Place};
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};

impl<'p> Checker<'p> {
    pub(super) fn eval_binary(
        &mut self,
        op: BinaryOp,
        a: &'p Expr,
        b: &'p Expr,
        place: Place,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            return self.eval_logic(op, a, b, env);
        }
        let left = self.eval_operand(op, a, env, expected);
        let right = match (&left, &b.kind) {
            (Value::Word(_), ExprKind::Name(name)) => Value::Word(*name),
            // What a bare word means cannot be told beside something unknown.
            (Value::Error, ExprKind::Name(_)) if matches!(op, BinaryOp::Eq | BinaryOp::Ne) => {
                Value::Error
            }
            _ => self.eval_operand(op, b, env, expected),
        };
        let (pa, pb) = (env.site().place(a.span), env.site().place(b.span));
        match (&left, &right) {
            (Value::Error, _) | (_, Value::Error) => return Value::Error,
            (Value::Tensor(_), _) | (_, Value::Tensor(_)) => {
                return self.tensor_binary(op, (left, a), (right, b), place, env, expected);
            }
            (Value::Axis(_) | Value::Axes(_), Value::Axis(_) | Value::Axes(_))
                if matches!(op, BinaryOp::Union | BinaryOp::Intersect | BinaryOp::Sub) =>
            {
                return self.axis_set(op, &left, &right);
            }
            _ => {}
        }
        if matches!(op, BinaryOp::Eq | BinaryOp::Ne)
            && let Some(equal) = same_thing(&left, &right)
        {
            return Value::Truth(equal == (op == BinaryOp::Eq));
        }
        let Some(x) = self.as_number(&left, pa) else { return Value::Error };
        let Some(y) = self.as_number(&right, pb) else { return Value::Error };
        self.arithmetic(op, (x, a), (y, b), place, env)
    }

    pub(super) fn eval_operand(
        &mut self,
        op: BinaryOp,
        expr: &'p Expr,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        // Axes pass through sums; factors of a product have axes of their own.
        let expected = match op {
            BinaryOp::Add | BinaryOp::Sub => expected,
            _ => None,
        };
        self.eval_for(expr, env, expected)
    }

    pub(super) fn arithmetic(
        &mut self,
        op: BinaryOp,
        (x, a): (ExprId, &Expr),
        (y, b): (ExprId, &Expr),
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        let needs_same = !matches!(op, BinaryOp::Mul | BinaryOp::Div | BinaryOp::Pow);
        if needs_same && self.graph.dimension(x) != self.graph.dimension(y) {
            let site = env.site();
            self.report_dimensions(op, (x, site.place(a.span)), (y, site.place(b.span)));
            return Value::Error;
        }
        if op == BinaryOp::Pow && !self.graph.dimension(y).is_none() {
            let got = self.graph.dimension(y);
            self.report(Diagnostic::new(
                codes::WRONG_DIMENSION,
                format!("an exponent is a plain number, and this is {got}"),
                env.site().place(b.span),
                "the exponent",
            ));
            return Value::Error;
        }
        if op == BinaryOp::Pow && !self.graph.dimension(x).is_none() {
            // The exponent decides the dimension: it is known and whole.
            let exponent = self.graph.known(y).filter(|e| libm::floor(*e) == *e);
            if exponent.is_none_or(|e| e.abs() > 16.0) {
                let got = self.graph.dimension(x);
                self.report(Diagnostic::new(
                    codes::WRONG_DIMENSION,
                    format!("{got} can be raised to a known, small whole number only"),
                    env.site().place(b.span),
                    "the exponent",
                ));
                return Value::Error;
            }
            self.rely(y);
        }
        if matches!(op, BinaryOp::Div | BinaryOp::Mod)
            && self.graph.node(self.graph.unnamed(y)).op == Op::Const
        {
            self.guards.push(super::Guard::NotZero(y));
        }
        if matches!(op, BinaryOp::Div | BinaryOp::Mod)
            && self.graph.node(self.graph.unnamed(y)).op == Op::Const
            && self.graph.known(y) == Some(0.0)
        {
            let known = self.graph.origin_of(y).is_some();
            if known && self.graph.known(x).is_some() {
                let place = env.site().place(b.span);
                let mut diagnostic =
                    Diagnostic::new(codes::NOT_FINITE, "division by zero", place, "this is 0");
                if let Some(origin) = self.graph.origin_of(y).filter(|o| o.place != place)
                    && self.graph.named_operand(y).is_some()
                {
                    diagnostic = diagnostic.and(origin.place, format!("`{}` is 0", origin.name));
                }
                self.report(diagnostic);
                return Value::Error;
            }
        }
        let value = self.combined(op, x, y, place);
        match value {
            Value::Num(id) => self.finite(op, (x, y), id, place),
            other => other,
        }
    }

    /// A number that follows from two, unless they are finite and it is not: a finding, then. A
    /// quotient by 0 is looked at before.
    fn finite(
        &mut self,
        op: BinaryOp,
        (x, y): (ExprId, ExprId),
        value: ExprId,
        place: Place,
    ) -> Value<'p> {
        let (a, b, got) = (self.graph.value(x), self.graph.value(y), self.graph.value(value));
        // A power is the one operator that leaves the numbers soon.
        if op == BinaryOp::Pow || got.abs() > 1e100 {
            self.guards.push(super::Guard::Finite(value));
        }
        let is_library = self.program.sources.file(place.file).origin == Origin::Std;
        let by_zero = matches!(op, BinaryOp::Div | BinaryOp::Mod) && b == 0.0;
        if got.is_finite() || !a.is_finite() || !b.is_finite() || by_zero || is_library {
            return Value::Num(value);
        }
        let show = |id: ExprId| self.show_value(&Value::Num(id));
        let written = format!("{} {} {}", show(x), op.symbol(), show(y));
        let (title, label) = match (got.is_nan(), a == 0.0) {
            (true, _) => (format!("`{written}` is no number"), "a root of a negative number"),
            (_, true) => (format!("`{written}` divides by zero"), "the base is 0"),
            _ => (
                format!("`{written}` is beyond any number Mesa computes with"),
                "its magnitude is above 1.8e308",
            ),
        };
        self.report(Diagnostic::new(codes::NOT_FINITE, title, place, label));
        Value::Error
    }

    fn combined(&mut self, op: BinaryOp, x: ExprId, y: ExprId, place: Place) -> Value<'p> {
        let graph = &mut self.graph;
        match op {
            BinaryOp::Add => Value::Num(graph.binary(Op::Add, x, y)),
            BinaryOp::Sub => Value::Num(graph.binary(Op::Sub, x, y)),
            BinaryOp::Mul => Value::Num(graph.binary(Op::Mul, x, y)),
            BinaryOp::Div => Value::Num(graph.binary(Op::Div, x, y)),
            BinaryOp::Mod => Value::Num(graph.binary(Op::Mod, x, y)),
            BinaryOp::Pow => Value::Num(graph.binary(Op::Pow, x, y)),
            BinaryOp::Lt => Value::Bool(graph.binary(Op::Lt, x, y)),
            BinaryOp::Le => Value::Bool(graph.binary(Op::Le, x, y)),
            BinaryOp::Gt => Value::Bool(graph.binary(Op::Lt, y, x)),
            BinaryOp::Ge => Value::Bool(graph.binary(Op::Le, y, x)),
            BinaryOp::Eq => Value::Bool(graph.binary(Op::Eq, x, y)),
            BinaryOp::Ne => Value::Bool(graph.binary(Op::Ne, x, y)),
            _ => self.not_a_number(Value::Num(x), place),
        }
    }

    pub(super) fn report_dimensions(
        &mut self,
        op: BinaryOp,
        (x, pa): (ExprId, Place),
        (y, pb): (ExprId, Place),
    ) {
        let (da, db) = (self.graph.dimension(x), self.graph.dimension(y));
        let unit =
            |d: Dimension| if d.is_none() { String::new() } else { format!(" ({})", d.unit()) };
        let verb = match op {
            BinaryOp::Add => "added",
            BinaryOp::Sub => "subtracted",
            _ => "compared",
        };
        let mut diagnostic = Diagnostic::new(
            codes::DIMENSION_MISMATCH,
            format!("{da} and {db} cannot be {verb}"),
            pa,
            format!("this is {da}{}", unit(da)),
        )
        .and(pb, format!("this is {db}{}", unit(db)));
        let factor = da.over(db);
        if !da.is_none() && !db.is_none() {
            diagnostic = diagnostic.note(format!(
                "they differ by a factor of {} ({})",
                factor.words(),
                factor.unit()
            ));
        } else {
            let wanted = if da.is_none() { db } else { da };
            diagnostic = diagnostic
                .note(format!("give the plain number a unit, for example {}", wanted.unit()));
        }
        self.report(diagnostic);
    }

    /// Whether two numbers may be alternatives of each other; reports if not.
    pub(super) fn same_dimension(
        &mut self,
        x: ExprId,
        y: ExprId,
        place: Place,
        _env: &Env<'p>,
        _expr: &Expr,
    ) -> bool {
        if self.graph.dimension(x) == self.graph.dimension(y) {
            return true;
        }
        let (da, db) = (self.graph.dimension(x), self.graph.dimension(y));
        self.report(Diagnostic::new(
            codes::DIMENSION_MISMATCH,
            format!("{da} and {db} cannot stand for each other"),
            place,
            format!("{db} ({}), and the other is {da} ({})", db.unit(), da.unit()),
        ));
        false
    }

    pub(super) fn eval_logic(
        &mut self,
        op: BinaryOp,
        a: &'p Expr,
        b: &'p Expr,
        env: &Env<'p>,
    ) -> Value<'p> {
        let decides = op == BinaryOp::Or;
        let left = self.eval(a, env);
        if let Value::Truth(v) = left
            && v == decides
        {
            return left;
        }
        let right = self.eval(b, env);
        match (left, right) {
            (Value::Error, _) | (_, Value::Error) => Value::Error,
            (Value::Truth(_), v @ (Value::Truth(_) | Value::Bool(_))) => v,
            (v @ Value::Bool(_), Value::Truth(t)) => {
                if t == decides {
                    Value::Truth(t)
                } else {
                    v
                }
            }
            (Value::Bool(x), Value::Bool(y)) => {
                let op = if decides { Op::Or } else { Op::And };
                Value::Bool(self.graph.binary(op, x, y))
            }
            (Value::Truth(_) | Value::Bool(_), other) => {
                self.not_a_condition(other, env.site().place(b.span))
            }
            (other, _) => self.not_a_condition(other, env.site().place(a.span)),
        }
    }

    /// The number that a value is; an axis counts as its length.
    pub fn as_number(&mut self, value: &Value<'p>, place: Place) -> Option<ExprId> {
        match value {
            Value::Num(id) => Some(*id),
            Value::Axis(axis) => {
                let size = self.axis_size(*axis);
                if size.is_none() {
                    self.report(Diagnostic::new(
                        codes::NOT_A_NUMBER,
                        "this axis has no length of its own; it depends on the phase",
                        place,
                        "a phase decides how long it is",
                    ));
                }
                size
            }
            other => {
                self.not_a_number(other.clone(), place);
                None
            }
        }
    }

    pub(super) fn not_a_number(&mut self, value: Value<'p>, place: Place) -> Value<'p> {
        if !matches!(value, Value::Error) {
            let what = value.describe();
            self.report(Diagnostic::new(
                codes::NOT_A_NUMBER,
                format!("{what} is not a number"),
                place,
                "a number is wanted here",
            ));
        }
        Value::Error
    }

    pub(crate) fn not_a_condition(&mut self, value: Value<'p>, place: Place) -> Value<'p> {
        if !matches!(value, Value::Error) {
            let what = value.describe();
            self.report(
                Diagnostic::new(
                    codes::NOT_A_CONDITION,
                    format!("{what} is not a condition"),
                    place,
                    "a condition is wanted here",
                )
                .note("a condition compares: `a == b`, `a < b`, `a % b == 0`"),
            );
        }
        Value::Error
    }
}

/// Equality that needs no numbers; `None` where numbers decide.
pub(super) fn same_thing<'p>(a: &Value<'p>, b: &Value<'p>) -> Option<bool> {
    Some(match (a, b) {
        (Value::None, Value::None) => true,
        (Value::None, _) | (_, Value::None) => false,
        (Value::Word(a), Value::Word(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Truth(a), Value::Truth(b)) => a == b,
        (Value::Axis(a), Value::Axis(b)) => a == b,
        (Value::Object(a), Value::Object(b)) => {
            Rc::ptr_eq(a, b) || (a.item == b.item && a.name == b.name)
        }
        _ => return None,
    })
}
