//! Names of weights in a checkpoint: `"layers.{i + 1}.{up}.weight"`.
//!
//! In: the text behind `from`. Out: the name with its holes filled, save for those that stand for
//! many: the index of a repeat, or an axis, with what is added to it or multiplied with it.

use super::Checker;
use super::value::{Env, Value};
use crate::name::Name;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Text, TextPart};

/// `times * name + plus`, of the elements of an axis or the rounds of a repeat; a plain number
/// where there is no name.
struct Numbered {
    name: Option<Name>,
    times: f64,
    plus: f64,
}

impl Numbered {
    /// As a hole that is filled for each tensor: `{i}`, `{2 * i + 1}`.
    fn hole(&self, name: Name) -> String {
        let times = if self.times == 1.0 { String::new() } else { format!("{} * ", self.times) };
        match self.plus {
            0.0 => format!("{{{times}{name}}}"),
            n if n < 0.0 => format!("{{{times}{name} - {}}}", -n),
            n => format!("{{{times}{name} + {n}}}"),
        }
    }
}

impl<'p> Checker<'p> {
    /// `"layers.{i}.{up}.weight"`: holes are filled, save for indices and axes, which stay.
    pub(super) fn checkpoint_name(&mut self, text: &'p Text, env: &Env<'p>) -> String {
        let mut out = String::new();
        for part in &text.parts {
            match part {
                TextPart::Plain(plain) => out.push_str(plain),
                TextPart::Hole(expr) => match self.numbered(expr, env) {
                    Some(numbered) => match numbered.name {
                        Some(name) => out.push_str(&numbered.hole(name)),
                        None => out.push_str(&numbered.plus.to_string()),
                    },
                    None => {
                        let value = self.eval(expr, env);
                        out.push_str(&self.show_value(&value));
                    }
                },
            }
        }
        out
    }

    /// An expression over one index or axis and numbers; `None` where it has neither index nor axis,
    /// or is none that a name can hold.
    fn numbered(&mut self, expr: &'p Expr, env: &Env<'p>) -> Option<Numbered> {
        if !self.has_index(expr, env) {
            return None;
        }
        match &expr.kind {
            ExprKind::Paren(inner) => self.numbered(inner, env),
            ExprKind::Name(_) => {
                let name = match self.eval(expr, env) {
                    Value::Word(index) => index,
                    // One tensor for each element of an axis.
                    Value::Axis(axis) => self.builder.built.model.axes[axis].name,
                    _ => return None,
                };
                Some(Numbered { name: Some(name), times: 1.0, plus: 0.0 })
            }
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.side(a, env)?, self.side(b, env)?);
                let (with, number, first) = match (a.name, b.name) {
                    (Some(_), None) => (a, b.plus, true),
                    (None, Some(_)) => (b, a.plus, false),
                    _ => return None,
                };
                let Numbered { name, times, plus } = with;
                let (times, plus) = match (op, first) {
                    (BinaryOp::Add, _) => (times, plus + number),
                    (BinaryOp::Sub, true) => (times, plus - number),
                    (BinaryOp::Mul, _) => (times * number, plus * number),
                    _ => return None,
                };
                Some(Numbered { name, times, plus })
            }
            _ => None,
        }
    }

    fn side(&mut self, expr: &'p Expr, env: &Env<'p>) -> Option<Numbered> {
        if self.has_index(expr, env) {
            return self.numbered(expr, env);
        }
        match self.eval(expr, env) {
            Value::Num(number) => {
                Some(Numbered { name: None, times: 0.0, plus: self.rely(number) })
            }
            _ => None,
        }
    }

    /// Whether an index of a repeat or an axis stands in an expression.
    fn has_index(&mut self, expr: &'p Expr, env: &Env<'p>) -> bool {
        match &expr.kind {
            ExprKind::Paren(inner) => self.has_index(inner, env),
            ExprKind::Binary(_, a, b) => self.has_index(a, env) || self.has_index(b, env),
            ExprKind::Name(name) => {
                matches!(env.local(*name), Some(Value::Word(_) | Value::Axis(_)))
            }
            _ => false,
        }
    }
}
