//! Functions that the language itself has.

use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Op, Origin, OriginKind};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::Arg;

impl<'p> Checker<'p> {
    pub(super) fn eval_builtin(
        &mut self,
        builtin: &'static str,
        args: &'p [Arg],
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        let mut values = Vec::new();
        for arg in args {
            let arg_place = env.site().place(arg.span);
            let value = match (&arg.value, arg.name) {
                (Some(expr), _) => self.eval(expr, env),
                (None, Some(name)) => self.eval_name(name.name, arg_place, env),
                (None, None) => Value::Error,
            };
            if matches!(value, Value::Error) {
                return Value::Error;
            }
            values.push((arg.name.map(|n| n.name), value, arg_place));
        }
        match builtin {
            "min" | "max" | "best" => self.extreme(builtin, values, place),
            "ceil" | "floor" | "sqrt" | "log2" => {
                let op = match builtin {
                    "ceil" => Op::Ceil,
                    "floor" => Op::Floor,
                    "sqrt" => Op::Sqrt,
                    _ => Op::Log2,
                };
                let Some(x) = self.only_number(builtin, &values, place) else {
                    return Value::Error;
                };
                if op == Op::Sqrt && self.graph.dimension(x).root().is_none() {
                    let dimension = self.graph.dimension(x);
                    self.report(Diagnostic::new(
                        codes::WRONG_DIMENSION,
                        format!("{dimension} has no square root"),
                        place,
                        format!("the operand is {dimension}"),
                    ));
                    return Value::Error;
                }
                let value = self.graph.unary(op, x);
                // Rounding what is finite stays finite.
                if matches!(op, Op::Sqrt | Op::Log2) {
                    self.guards.push(super::Guard::Finite(value));
                }
                if self.graph.known(x).is_some_and(f64::is_finite)
                    && self.graph.known(value).is_none_or(f64::is_infinite)
                {
                    let shown = super::show_number(self.graph.value(x));
                    self.report(Diagnostic::new(
                        codes::NOT_FINITE,
                        format!("`{builtin}` of {shown} is no number"),
                        place,
                        "not finite",
                    ));
                    return Value::Error;
                }
                Value::Num(value)
            }
            "gcd" => match values.as_slice() {
                [(_, a, pa), (_, b, pb)] => {
                    let (Some(a), Some(b)) = (self.as_number(a, *pa), self.as_number(b, *pb))
                    else {
                        return Value::Error;
                    };
                    Value::Num(self.graph.binary(Op::Gcd, a, b))
                }
                _ => self.wrong_arity(builtin, 2, values.len(), place),
            },
            "among" => match values.as_slice() {
                [(_, one, at), (_, list, list_at)] => {
                    let Some(one) = self.as_number(one, *at) else { return Value::Error };
                    let Some(items) = self.counts(list, *list_at) else { return Value::Error };
                    let one = self.rely(one);
                    Value::Truth(items.contains(&one))
                }
                _ => self.wrong_arity(builtin, 2, values.len(), place),
            },
            _ => self.tensor_builtin(builtin, &values, place),
        }
    }

    /// The numbers of a list, which are relied on; `none` is an empty one.
    pub(super) fn counts(&mut self, list: &Value<'p>, place: Place) -> Option<Vec<f64>> {
        match list {
            Value::None => Some(Vec::new()),
            Value::List(items) => items
                .iter()
                .map(|item| self.as_number(item, place).map(|id| self.rely(id)))
                .collect(),
            other => {
                self.expect_type(other.clone(), super::types::Ty::Counts, place, "`among`");
                None
            }
        }
    }

    pub(super) fn only_number(
        &mut self,
        builtin: &str,
        values: &[(Option<Name>, Value<'p>, Place)],
        place: Place,
    ) -> Option<ExprId> {
        match values {
            [(_, value, at)] => self.as_number(value, *at),
            _ => {
                self.wrong_arity(builtin, 1, values.len(), place);
                None
            }
        }
    }

    pub(super) fn wrong_arity(
        &mut self,
        builtin: &str,
        wanted: usize,
        got: usize,
        place: Place,
    ) -> Value<'p> {
        let code = if got > wanted { codes::TOO_MANY_ARGUMENTS } else { codes::MISSING_ARGUMENT };
        self.report(Diagnostic::new(
            code,
            format!("`{builtin}` takes {wanted} argument{}", if wanted == 1 { "" } else { "s" }),
            place,
            format!("{got} given"),
        ));
        Value::Error
    }

    /// `min`, `max`, and `best(ring: a, tree: b)`, which remembers the names.
    pub(super) fn extreme(
        &mut self,
        builtin: &str,
        values: Vec<(Option<Name>, Value<'p>, Place)>,
        place: Place,
    ) -> Value<'p> {
        let op = if builtin == "max" { Op::Max } else { Op::Min };
        let mut result: Option<ExprId> = None;
        for (name, value, at) in values {
            let Some(mut id) = self.as_number(&value, at) else { return Value::Error };
            if let Some(name) = name {
                let origin = Origin { name, kind: OriginKind::Formula, place: at, rule: None };
                id = self.graph.named(id, origin);
            }
            result = match result {
                None => Some(id),
                Some(sofar) => {
                    let (da, db) = (self.graph.dimension(sofar), self.graph.dimension(id));
                    if da != db {
                        self.report(Diagnostic::new(
                            codes::DIMENSION_MISMATCH,
                            format!("{da} and {db} cannot be compared"),
                            at,
                            format!("this is {db}, the others are {da}"),
                        ));
                        return Value::Error;
                    }
                    Some(self.graph.binary(op, sofar, id))
                }
            };
        }
        match result {
            Some(id) => Value::Num(id),
            None => self.wrong_arity(builtin, 1, 0, place),
        }
    }

    /// Nothing of a quantity, and why.
    pub fn zero(&mut self, dimension: Dimension, place: Place, rule: &'static str) -> ExprId {
        let origin = Origin::inferred(Name::new("none"), place, rule);
        self.graph.constant(0.0, dimension, origin)
    }

    /// A plain number as a node, for values that the compiler counts.
    pub fn counted(&mut self, value: f64, name: &str, place: Place, rule: &'static str) -> ExprId {
        let origin = Origin::inferred(Name::new(name), place, rule);
        self.graph.constant(value, Dimension::NONE, origin)
    }
}
