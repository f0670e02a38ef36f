//! What a block declares: weights with their checkpoint names, requirements, defined tensors.

use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{Origin, OriginKind};
use crate::ir::{AxisId, Role, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{AxisRef, Clauses, Expr, Ident};

impl<'p> Checker<'p> {
    pub(super) fn weight(
        &mut self,
        name: Ident,
        axes: &[AxisRef],
        clauses: &'p Clauses,
        place: Place,
        env: &Env<'p>,
    ) {
        let Some(ids) = self.axes_named(axes, env) else {
            env.bind(name.name, Value::Error);
            return;
        };
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
            let v = self.rely(density);
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
        tensor.from = from.map(|f| join(&self.builder.here.prefix, Some(&f)));
        let rounds = self.builder.rounds;
        self.builder.built.model.weights.push((id, rounds));
        env.bind(name.name, Value::Tensor(id));
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
                diagnostic =
                    diagnostic.and(self.builder.here.scope.place, "in this use of the block");
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
    pub(super) fn definition(
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
            Some(axes) => match self.axes_named(axes, env) {
                Some(ids) => Some(ids),
                None => {
                    env.bind(name.name, Value::Error);
                    return;
                }
            },
        };
        let expanded = expected.as_ref().map(|e| self.atoms(e));
        self.builder.here.from = clauses.from.as_ref().map(|t| self.checkpoint_name(t, env));
        self.builder.here.binding = Some(name.name);
        let is_carried = self.builder.here.carry.contains(&name.name);
        let saved = std::mem::replace(&mut self.builder.here.residual, is_carried);
        let result = self.eval_for(value, env, expanded.as_deref());
        self.builder.here.residual = saved;
        self.builder.here.binding = None;
        self.builder.here.from = None;
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
    pub(super) fn state_dtype(&mut self, tensor: TensorId, clauses: &'p Clauses, env: &Env<'p>) {
        let Some(expr) = &clauses.dtype else { return };
        let value = self.eval(expr, env);
        let place = env.site().place(expr.span);
        let value = self.expect_type(value, super::types::Ty::Dtype, place, "`dtype`");
        let Value::Object(object) = value else { return };
        let Some(dtype) = self.dtype(&object) else { return };
        self.builder.built.model.tensors[tensor].dtype = dtype;
    }

    pub(super) fn finish_tensor(
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

    pub(super) fn report_shape(
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
}

/// `a` and `b` joined by a dot.
pub(super) fn join(a: &str, b: Option<&str>) -> String {
    match b {
        None | Some("") => a.to_owned(),
        Some(b) if a.is_empty() => b.to_owned(),
        Some(b) => format!("{a}.{b}"),
    }
}
