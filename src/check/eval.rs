//! Expressions to values: arithmetic on the expression graph, fields, lists, texts, amending.

use std::rc::Rc;
use std::sync::LazyLock;

use super::object::Object;
use super::value::{Env, Scope, Value};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::expr::{Op, Origin};
use crate::ir::AxisId;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::{Expr, ExprKind, Text, TextPart, UnaryOp, UnitExpr};
use crate::syntax::{NO_THOUSANDS, THOUSANDS, WITHOUT_THOUSANDS};

/// What a number is called that has no other name.
static VALUE: LazyLock<Name> = LazyLock::new(|| Name::new("value"));

impl<'p> Checker<'p> {
    /// The value of an expression.
    pub fn eval(&mut self, expr: &'p Expr, env: &Env<'p>) -> Value<'p> {
        self.eval_for(expr, env, None)
    }

    /// The value of a setting's right side, where a bare word may be meant.
    pub fn eval_setting(&mut self, expr: &'p Expr, env: &Env<'p>, word: bool) -> Value<'p> {
        if let (true, ExprKind::Name(name)) = (word, &expr.kind) {
            return Value::Word(*name);
        }
        if word && matches!(expr.kind, ExprKind::None) {
            return Value::Word(Name::new("none"));
        }
        self.eval(expr, env)
    }

    /// The value of an expression; `expected` are the axes that a tensor should have.
    pub fn eval_for(
        &mut self,
        expr: &'p Expr,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        let place = env.site().place(expr.span);
        self.deeper(place, |checker| checker.eval_kind(expr, place, env, expected))
    }

    fn eval_kind(
        &mut self,
        expr: &'p Expr,
        place: Place,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        match &expr.kind {
            ExprKind::Number { value, unit, .. } => {
                self.eval_number(*value, unit.as_ref(), place, env)
            }
            ExprKind::Text(text) => Value::Text(self.eval_text(text, env).into()),
            ExprKind::Bool(b) => Value::Truth(*b),
            ExprKind::None => Value::None,
            ExprKind::Name(name) => self.eval_name(*name, place, env),
            ExprKind::Paren(inner) => self.eval_for(inner, env, expected),
            ExprKind::Field(base, field) => {
                let base_value = self.eval(base, env);
                self.eval_field(base_value, field.name, env.site().place(field.span))
            }
            ExprKind::Call { callee, args, .. } => {
                self.eval_call(callee, args, place, env, expected)
            }
            ExprKind::Unary(UnaryOp::Neg, inner) => match self.eval(inner, env) {
                Value::Num(id) => Value::Num(self.graph.unary(Op::Neg, id)),
                other => self.not_a_number(other, env.site().place(inner.span)),
            },
            ExprKind::Unary(UnaryOp::Not, inner) => match self.eval(inner, env) {
                Value::Truth(b) => Value::Truth(!b),
                Value::Bool(id) => Value::Bool(self.graph.unary(Op::Not, id)),
                other => self.not_a_condition(other, env.site().place(inner.span)),
            },
            ExprKind::Binary(op, a, b) => self.eval_binary(*op, a, b, place, env, expected),
            ExprKind::If(condition, a, b) => self.eval_if(condition, a, b, env, expected),
            ExprKind::Range(a, b) => match (self.eval(a, env), self.eval(b, env)) {
                (Value::Num(a), Value::Num(b)) => {
                    if !self.same_dimension(a, b, place, env, expr) {
                        return Value::Error;
                    }
                    Value::Range(a, b)
                }
                (Value::Num(_), other) | (other, _) => self.not_a_number(other, place),
            },
            ExprKind::List(items) => {
                Value::List(items.iter().map(|item| self.eval(item, env)).collect())
            }
            ExprKind::Arrow(a, b) => {
                let from = self.eval(a, env);
                match &b.kind {
                    ExprKind::Name(name) => Value::Arrow(Rc::new((from, *name))),
                    _ => {
                        self.report(Diagnostic::new(
                            codes::WRONG_TYPE,
                            "a renaming ends in the name of an axis",
                            env.site().place(b.span),
                            "not a name",
                        ));
                        Value::Error
                    }
                }
            }
            ExprKind::With(base, body) => {
                // `X with { … }` amends the item X, called without arguments.
                let base = self.eval(base, env);
                self.eval_with(base, body, place, env)
            }
            ExprKind::On(base, chip) => match self.eval(base, env) {
                Value::Error => Value::Error,
                base => Value::On(Rc::new((base, chip.name))),
            },
            ExprKind::Per(a, b) => {
                let a = self.eval(a, env);
                match self.eval(b, env) {
                    Value::Num(n) => Value::Per(Rc::new((a, n))),
                    other => self.not_a_number(other, env.site().place(b.span)),
                }
            }
            ExprKind::Error => Value::Error,
        }
    }

    fn eval_number(
        &mut self,
        value: f64,
        unit: Option<&UnitExpr>,
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        let (value, dimension) = match unit {
            None => (value, Dimension::NONE),
            Some(unit) => match self.program.unit_expr(unit) {
                Ok(unit) => (unit.scale(value), unit.dimension),
                Err(part) => {
                    // A unit that means nothing is reported where it is declared.
                    let declared = unit.parts.get(part).map(|(part, _)| part.name);
                    if declared.is_none_or(|name| self.program.any_unit(name).is_none()) {
                        self.report_unit(unit, part, env);
                    }
                    return Value::Error;
                }
            },
        };
        if !value.is_finite() {
            // A number that is too large as written was reported when it was read.
            if unit.is_some() {
                self.report(Diagnostic::new(
                    codes::NOT_FINITE,
                    "this number is larger than can be represented",
                    place,
                    "not finite in base units",
                ));
            }
            return Value::Error;
        }
        let origin = Origin { name: *VALUE, kind: env.site().kind, place, rule: None };
        Value::Num(self.graph.constant(value, dimension, origin))
    }

    pub(super) fn report_unit(&mut self, unit: &UnitExpr, part: usize, env: &Env<'p>) {
        let Some((ident, _)) = unit.parts.get(part) else { return };
        let place = env.site().place(ident.span);
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_UNIT,
            format!("there is no unit `{}`", ident.name),
            place,
            "not a unit",
        );
        if THOUSANDS.contains(&ident.name.text()) {
            self.report(diagnostic.note(format!("{NO_THOUSANDS}: {WITHOUT_THOUSANDS}")));
            return;
        }
        let names = self.program.unit_names();
        let same = names.iter().find(|n| n.text().eq_ignore_ascii_case(ident.name.text()));
        let best = super::units::meant_by(ident.name.text())
            .or(same.map(|n| n.text()))
            .or_else(|| closest(ident.name.text(), names.iter().map(|n| n.text())));
        let declared = "units are declared in std/units.mesa; declare your own with `unit X = …`";
        self.report(diagnostic.meant(best, place, declared));
    }

    /// A text with its holes filled.
    pub fn eval_text(&mut self, text: &'p Text, env: &Env<'p>) -> String {
        let mut out = String::new();
        for part in &text.parts {
            match part {
                TextPart::Plain(plain) => out.push_str(plain),
                TextPart::Hole(expr) => {
                    let value = self.eval(expr, env);
                    out.push_str(&self.show_value(&value));
                }
            }
        }
        out
    }

    /// A value as it stands in a sentence.
    pub fn show_value(&self, value: &Value<'p>) -> String {
        match value {
            Value::Num(id) => {
                let number = super::show_number(self.graph.value(*id));
                let unit = self.graph.dimension(*id).unit();
                if unit.is_empty() { number } else { format!("{number} {unit}") }
            }
            Value::Truth(b) => b.to_string(),
            Value::Text(t) => t.to_string(),
            Value::Word(w) => w.to_string(),
            Value::Object(o) => o.name.to_string(),
            Value::Item(item) => item.item.name.name.to_string(),
            Value::Axis(axis) => match self.axis_size(*axis) {
                Some(size) => super::show_number(self.graph.value(size)),
                None => "?".into(),
            },
            Value::None => "none".into(),
            _ => "?".into(),
        }
    }

    /// `base.field`.
    pub fn eval_field(&mut self, base: Value<'p>, field: Name, place: Place) -> Value<'p> {
        match &base {
            Value::Error => Value::Error,
            Value::Object(object) => {
                if let Some(value) = self.field(&object.clone(), field) {
                    return value;
                }
                // A field that the kind has and this one does not say.
                match super::schema::field(object.kind, &[field]) {
                    Some(super::schema::Field::Is(super::Ty::Bool)) => return Value::Truth(false),
                    Some(super::schema::Field::Is(_) | super::schema::Field::OneOf(_))
                        if object.owner.is_none() =>
                    {
                        return Value::None;
                    }
                    _ => {}
                }
                let names = object.field_names(&[]);
                self.unknown_field(field, place, &base.describe(), &names)
            }
            Value::Record(record) => match record.fields.get(&field) {
                Some(value) => value.clone(),
                None => {
                    let names: Vec<Name> = record.fields.keys().copied().collect();
                    self.unknown_field(field, place, &base.describe(), &names)
                }
            },
            Value::Results(path) => {
                let full = format!("{path}.{field}");
                match self.result_value(&full) {
                    Some(value) => value,
                    None => match self.results.as_ref().and_then(|r| r.why_absent(&full)) {
                        Some(why) => self.absent_result(&full, place, why),
                        None => {
                            let names = self.result_children(path);
                            self.unknown_field(field, place, &format!("`{path}`"), &names)
                        }
                    },
                }
            }
            Value::Module(path) => {
                let modules = self.program.modules_at(path);
                let program = self.program;
                // `std.chips`: a folder of the library, where nothing is declared by that name.
                let below = format!("{path}/{field}");
                let below = below.trim_start_matches('/');
                match modules.iter().find_map(|m| program.item(*m, field)) {
                    Some(item) => self.item_value(item, place),
                    None if !program.modules_at(below).is_empty() => Value::Module(below.into()),
                    None => {
                        let whence = match (path.strip_prefix('#'), modules.first()) {
                            (Some(_), Some(m)) => {
                                format!("`{}`", program.sources.file(program.module(*m).file).name)
                            }
                            _ => format!("std.{}", path.replace('/', ".")),
                        };
                        self.item_in(&modules, field, place, whence.trim_end_matches('.'));
                        Value::Error
                    }
                }
            }
            Value::Unknown(kind, path) => self.field_of_unknown(*kind, path, field, place),
            other => {
                let what = other.describe();
                self.unknown_field(field, place, &what, &[])
            }
        }
    }

    /// A result that other scenarios have, and why this one does not.
    fn absent_result(&mut self, path: &str, place: Place, why: String) -> Value<'p> {
        let title = format!("this scenario has no result `{path}`");
        let finding = Diagnostic::new(codes::UNKNOWN_RESULT, title, place, "not known here");
        self.report(finding.note(why));
        Value::Error
    }

    pub(super) fn unknown_field(
        &mut self,
        field: Name,
        place: Place,
        what: &str,
        names: &[Name],
    ) -> Value<'p> {
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_FIELD,
            format!("{what} has no field `{field}`"),
            place,
            "not a field",
        );
        let names: Vec<&str> = names.iter().map(|n| n.text()).collect();
        let best = closest(field.text(), names.iter().copied());
        let first = names.get(..12).unwrap_or(&names);
        self.report(diagnostic.meant(best, place, listed("it has", first)));
        Value::Error
    }

    fn eval_with(
        &mut self,
        base: Value<'p>,
        body: &'p crate::syntax::ast::Body,
        place: Place,
        env: &Env<'p>,
    ) -> Value<'p> {
        match base {
            Value::Object(object) => {
                let mut shell = Object::empty(object.kind, object.name, object.item);
                shell.extend(body, env, true);
                for statement in &shell.stmts {
                    if !matches!(statement.stmt.kind, crate::syntax::ast::StmtKind::Section { .. })
                    {
                        self.report(
                            Diagnostic::new(
                                codes::STATEMENT_NOT_HERE,
                                "only settings can be amended",
                                env.site().place(statement.stmt.span),
                                "this is not a setting",
                            )
                            .note("put it into the body after `with { … }`, or declare a new item"),
                        );
                    }
                }
                self.check_amended(&object, &shell.entries);
                Value::Object(Rc::new(object.amended(shell.entries)))
            }
            Value::Error | Value::Unknown(..) => base,
            other => {
                let what = other.describe();
                self.report(Diagnostic::new(
                    codes::WRONG_KIND,
                    format!("{what} cannot be amended"),
                    place,
                    "`with` amends an item that has fields",
                ));
                Value::Error
            }
        }
    }

    fn eval_if(
        &mut self,
        condition: &'p Expr,
        a: &'p Expr,
        b: &'p Expr,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        match self.eval(condition, env) {
            Value::Truth(true) => self.eval_for(a, env, expected),
            Value::Truth(false) => self.eval_for(b, env, expected),
            Value::Bool(c) => {
                let (va, vb) = (self.eval_for(a, env, expected), self.eval_for(b, env, expected));
                match (va, vb) {
                    (Value::Num(x), Value::Num(y)) => {
                        let place = env.site().place(b.span);
                        if !self.same_dimension(x, y, place, env, b) {
                            return Value::Error;
                        }
                        Value::Num(self.graph.select(c, x, y))
                    }
                    (Value::Bool(x), Value::Bool(y)) => Value::Bool(self.graph.select(c, x, y)),
                    (Value::Error, _) | (_, Value::Error) => Value::Error,
                    (x, y) => match self.decide(c) {
                        Some(false) => y,
                        _ => x,
                    },
                }
            }
            Value::Error => {
                // Either might be meant: both are looked at, and neither is the value.
                self.eval_for(a, env, expected);
                self.eval_for(b, env, expected);
                Value::Error
            }
            other => self.not_a_condition(other, env.site().place(condition.span)),
        }
    }

    /// Evaluates settings as if they stood in the fields of an object.
    pub fn fields_env(&self, object: &Rc<Object<'p>>, outer: &Env<'p>) -> Env<'p> {
        let path: Rc<[Name]> = [Name::new("")].into();
        outer.inner(Scope::Fields { object: object.clone(), path })
    }
}
