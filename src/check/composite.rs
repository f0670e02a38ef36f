//! `axis heads = kv_heads * group`: axes that are like others, have a size, or are made of others.
//!
//! In: the statement. Out: the axis under its name, and of a product those of its parts that had no
//! size before: a known whole divided by the others.

use super::value::{Env, Value};
use super::{Checker, codes, show_number};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Op, Origin};
use crate::ir::{AxisId, AxisSize};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Ident};

/// The parts of a composite axis, in order.
#[derive(Default)]
struct Parts {
    /// Nothing where the one stands that is to be found.
    axes: Vec<Option<AxisId>>,
    /// The product of those that are known.
    product: Option<ExprId>,
    /// The one that is to be found.
    unknown: Option<(usize, Name, Place)>,
}

impl<'p> Checker<'p> {
    /// `axis heads = kv_heads * group`, `axis hidden_out = hidden`.
    pub(super) fn axis_statement(&mut self, name: Ident, value: &'p Expr, env: &Env<'p>) {
        let mut factors = Vec::new();
        flatten_product(value, &mut factors);
        if factors.len() == 1 {
            let axis = self.simple_axis(name, value, env).map_or(Value::Error, Value::Axis);
            env.bind(name.name, axis);
        } else if let Some(axis) = self.composite_axis(name, value, &factors, env) {
            env.bind(name.name, Value::Axis(axis));
        }
    }

    /// An axis that is like another one, or has a size.
    fn simple_axis(&mut self, name: Ident, value: &'p Expr, env: &Env<'p>) -> Option<AxisId> {
        let place = env.site().place(name.span);
        let value = self.eval(value, env);
        if let Value::Axis(like) = value
            && let AxisSize::Phase(phase) = self.builder.built.model.axes[like].size
        {
            return Some(self.new_axis(name.name, AxisSize::Phase(phase), place));
        }
        let size = self.as_number(&value, place)?;
        Some(self.new_axis(name.name, AxisSize::Fixed(size), place))
    }

    /// An axis that is made of others. Where its whole is known, one factor that is no name yet is
    /// the quotient.
    fn composite_axis(
        &mut self,
        name: Ident,
        value: &'p Expr,
        factors: &[&'p Expr],
        env: &Env<'p>,
    ) -> Option<AxisId> {
        let place = env.site().place(name.span);
        let whole = match env.local(name.name) {
            Some(Value::Num(id)) => Some(id),
            Some(Value::Axis(axis)) => self.axis_size(axis),
            _ => None,
        };
        let mut parts = self.parts_of_axis(factors, env)?;
        if let Some((at, ..)) = parts.unknown {
            let found = self.found_part(name, value, whole, &parts, env)?;
            if let Some(slot) = parts.axes.get_mut(at) {
                *slot = Some(found);
            }
        } else if let (Some(whole), Some(product)) = (whole, parts.product) {
            self.same_whole(name.name, whole, product, place);
        }
        let parts: Vec<AxisId> =
            parts.axes.into_iter().flatten().flat_map(|p| self.atoms(&[p])).collect();
        let sizes: Vec<ExprId> = parts.iter().filter_map(|p| self.axis_size(*p)).collect();
        let size = whole.or_else(|| self.graph.product(sizes))?;
        let id = self.new_axis(name.name, AxisSize::Composite(size), place);
        self.builder.built.model.axes[id].parts.clone_from(&parts);
        for part in parts {
            self.builder.built.model.axes[part].whole.push(id);
        }
        Some(id)
    }

    fn parts_of_axis(&mut self, factors: &[&'p Expr], env: &Env<'p>) -> Option<Parts> {
        let mut parts = Parts::default();
        for (i, factor) in factors.iter().enumerate() {
            let at = env.site().place(factor.span);
            let ExprKind::Name(name) = &factor.kind else {
                let title = "a composite axis is a product of names";
                self.report(Diagnostic::new(codes::UNKNOWN_AXIS, title, at, "not a name"));
                return None;
            };
            match env.local(*name) {
                Some(Value::Axis(axis)) => {
                    parts.axes.push(Some(axis));
                    let size = self.axis_size(axis);
                    parts.product = self.times(parts.product, size);
                }
                Some(Value::Num(size)) => {
                    let axis = self.new_axis(*name, AxisSize::Fixed(size), at);
                    env.bind(*name, Value::Axis(axis));
                    parts.axes.push(Some(axis));
                    parts.product = self.times(parts.product, Some(size));
                }
                Some(Value::Error) => return None,
                _ if parts.unknown.is_none() => {
                    parts.unknown = Some((i, *name, at));
                    parts.axes.push(None);
                }
                _ => {
                    self.report(Diagnostic::new(
                        codes::UNKNOWN_AXIS,
                        "only one part of a composite axis may be left to be found",
                        at,
                        "this one is unknown too",
                    ));
                    return None;
                }
            }
        }
        Some(parts)
    }

    /// The part that has no size yet: the whole divided by the others.
    fn found_part(
        &mut self,
        name: Ident,
        value: &'p Expr,
        whole: Option<ExprId>,
        parts: &Parts,
        env: &Env<'p>,
    ) -> Option<AxisId> {
        let (_, part, at) = parts.unknown?;
        let (Some(whole), Some(product)) = (whole, parts.product) else {
            self.report(Diagnostic::new(
                codes::UNKNOWN_AXIS,
                format!("`{part}` has no size"),
                at,
                "neither a parameter, nor an axis, nor what is left of a known whole",
            ));
            return None;
        };
        let size = self.graph.div(whole, product);
        self.guards.push(super::Guard::Whole(size));
        if let Some(v) = self.graph.known(size)
            && libm::floor(v) != v
        {
            let (x, y) = (self.graph.value(whole), self.graph.value(product));
            let (x, y, v) = (show_number(x), show_number(y), show_number(v));
            let mut diagnostic = Diagnostic::new(
                codes::COMPOSITE_MISMATCH,
                format!("`{}` is {x}, and {y} does not divide it", name.name),
                env.site().place(name.span),
                format!("`{part}` would be {v}"),
            );
            for (label, at) in self.origins_in(value, env) {
                diagnostic = diagnostic.and(at, label);
            }
            if let Some(origin) = self.graph.origin_of(whole) {
                diagnostic = diagnostic.and(origin.place, format!("`{}` is {x}", name.name));
            }
            self.report(diagnostic);
            env.bind(name.name, Value::Error);
            env.bind(part, Value::Error);
            return None;
        }
        let rule = "the whole divided by its other parts";
        let origin = Origin::inferred(part, env.site().place(value.span), rule);
        let size = self.graph.named(size, origin);
        let axis = self.new_axis(part, AxisSize::Fixed(size), at);
        env.bind(part, Value::Axis(axis));
        Some(axis)
    }

    /// A known whole is the product of parts that are all known.
    fn same_whole(&mut self, name: Name, whole: ExprId, product: ExprId, place: Place) {
        let equal = self.graph.binary(Op::Eq, whole, product);
        self.decide(equal);
        let (x, y) = (self.graph.value(whole), self.graph.value(product));
        if !x.is_nan() && !y.is_nan() && x != y {
            let (x, y) = (show_number(x), show_number(y));
            self.report(Diagnostic::new(
                codes::COMPOSITE_MISMATCH,
                format!("`{name}` is {x}, and the product of its parts is {y}"),
                place,
                "the sizes disagree",
            ));
        }
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
