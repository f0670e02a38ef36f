//! Sweeps: the scenario, the inputs that vary and the values that are tried.
//!
//! In: the item. Out: a [`SweepItem`], and what is wrong with its names, dimensions and ranges,
//! although nothing is lowered.

use std::rc::Rc;

use super::object::Object;
use super::program::ItemRef;
use super::ranges::{Setting, Values};
use super::schema::Field;
use super::types::Ty;
use super::value::{Env, Scope, Value, with_article};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Expr, ExprKind, Ident, ItemKind, StmtKind};

/// A sweep as far as it can be said without its scenario's results.
#[derive(Clone, Debug)]
pub struct SweepItem {
    /// Its name.
    pub name: Name,
    /// The scenario that it varies.
    pub scenario: Name,
    /// What it varies, in order.
    pub axes: Vec<SweepAxis>,
    /// Whether the scenario trains.
    pub trains: bool,
}

/// One `vary`.
#[derive(Clone, Debug)]
pub struct SweepAxis {
    /// What varies.
    pub path: String,
    /// What it tries.
    pub values: Values,
    /// Where it says so.
    pub place: Place,
}

fn names_of(path: &[Ident]) -> Vec<Name> {
    path.iter().map(|i| i.name).collect()
}

impl<'p> Checker<'p> {
    /// A sweep names a scenario, inputs of it, and results.
    pub fn check_sweep(&mut self, item: ItemRef<'p>) -> Option<SweepItem> {
        let Some(of) = item.item.of else {
            self.report(Diagnostic::new(
                codes::MISSING_FIELD,
                format!("sweep `{}` does not say of which scenario it is", item.item.name.name),
                item.name_place(),
                "write `of SCENARIO` after the name",
            ));
            return None;
        };
        let env = self.item_env(item);
        let scenario = self.swept(item, &of, &env);
        let outline = self.outline_of(item.module);
        let saved = self.results.replace(outline);
        let results = scenario.as_ref().map(|s| self.fields_env(s, &env).inner(Scope::Results));
        let mut varied: Vec<(Vec<Name>, Place)> = Vec::new();
        let mut axes = Vec::new();
        for stmt in item.item.body.iter().flat_map(|b| &b.stmts) {
            match &stmt.kind {
                StmtKind::Vary { path, values } => {
                    let names: Vec<Name> = path.iter().map(|i| i.name).collect();
                    let span = path.iter().map(|i| i.span).reduce(|a, b| a.to(b));
                    let place = item.place(span.unwrap_or(stmt.span));
                    if let Some((_, first)) = varied.iter().find(|(p, _)| *p == names) {
                        let shown = super::plan::show_path(&names);
                        self.report(
                            Diagnostic::new(
                                codes::DUPLICATE_NAME,
                                format!("`{shown}` is varied twice"),
                                place,
                                "again here",
                            )
                            .and(*first, "varied here first"),
                        );
                    }
                    varied.push((names, place));
                    let shown = super::plan::show_path(&names_of(path));
                    let values = self.check_vary(scenario.as_ref(), path, values, place, &env);
                    axes.extend(values.map(|values| SweepAxis { path: shown, values, place }));
                }
                StmtKind::Where(cond) => {
                    if let Some(env) = &results {
                        self.check_condition(cond, env);
                    }
                }
                StmtKind::Objective { exprs, .. } => {
                    for expr in exprs {
                        let Some(env) = &results else { continue };
                        let value = self.eval(expr, env);
                        self.as_number(&value, env.site().place(expr.span));
                    }
                }
                StmtKind::Error => {}
                _ => self.report_misplaced(stmt, "a sweep", &env),
            }
        }
        if varied.is_empty() && item.item.body.as_ref().is_none_or(|b| b.closed) {
            self.report(Diagnostic::new(
                codes::MISSING_FIELD,
                format!("sweep `{}` varies nothing", item.item.name.name),
                item.name_place(),
                "write `vary PATH in [a, b]` into its body",
            ));
        }
        self.results = saved;
        self.drawn_together(&axes);
        let scenario = scenario?;
        let trains = scenario.has(&[Name::new("train")]);
        Some(SweepItem { name: item.item.name.name, scenario: scenario.name, axes, trains })
    }

    /// Axes that are drawn at random are drawn together: each has as many draws as the others.
    fn drawn_together(&mut self, axes: &[SweepAxis]) {
        let drawn = |a: &SweepAxis| match &a.values {
            Values::Drawn(drawn) => Some((drawn.count, a.place)),
            Values::List(_) => None,
        };
        let mut all = axes.iter().filter_map(drawn);
        let Some((count, first)) = all.next() else { return };
        for (other, place) in all.filter(|(c, _)| *c != count) {
            let title = format!("{count} draws of one axis and {other} of another make no points");
            self.report(
                Diagnostic::new(codes::BAD_RANGE, title, place, format!("{other} draws"))
                    .and(first, format!("{count} draws"))
                    .note("random axes are drawn together: give all of them the same number"),
            );
        }
    }

    fn swept(&mut self, item: ItemRef<'p>, of: &Ident, env: &Env<'p>) -> Option<Rc<Object<'p>>> {
        let place = item.place(of.span);
        let Some(found) = self.find_item(of.name, env) else {
            let scenarios = self.program.names(item.module);
            let scenarios: Vec<&str> = scenarios
                .filter(|(_, k)| *k == ItemKind::Scenario)
                .map(|(n, _)| n.text())
                .collect();
            let diagnostic = Diagnostic::new(
                codes::UNKNOWN_SCENARIO,
                format!("there is no scenario `{}`", of.name),
                place,
                "not a scenario",
            );
            let best = closest(of.name.text(), scenarios.iter().copied());
            let otherwise = match scenarios.is_empty() {
                true => "this file declares none".to_owned(),
                false => listed("this file has", &scenarios),
            };
            self.report(diagnostic.meant(best, place, otherwise));
            return None;
        };
        if found.item.kind != ItemKind::Scenario {
            let what = with_article(found.item.kind);
            self.report(
                Diagnostic::new(
                    codes::WRONG_KIND,
                    format!("`{}` is {what}, not a scenario", of.name),
                    place,
                    "a scenario is wanted here",
                )
                .and(found.name_place(), "declared here"),
            );
            return None;
        }
        match self.item_value(found, place) {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    fn check_vary(
        &mut self,
        scenario: Option<&Rc<Object<'p>>>,
        path: &[Ident],
        values: &'p Expr,
        place: Place,
        env: &Env<'p>,
    ) -> Option<Values> {
        let (Some(scenario), Some((last, before))) = (scenario, path.split_last()) else {
            return self.swept_values(values, false, env);
        };
        let names = names_of(path);
        let shown = super::plan::show_path(&names);
        // The object that the last name is a field of, and the path of it there.
        let mut owner = scenario.clone();
        let mut inside: Vec<Name> = Vec::new();
        for part in before {
            let found = match self.field(&owner, part.name) {
                None if owner.kind == ItemKind::System => self.part_of_system(&owner, part.name),
                found => found,
            };
            let found = match found {
                Some(Value::On(both)) => Some(both.0.clone()),
                found => found,
            };
            match found {
                Some(Value::Object(object)) if object.owner.is_none() => {
                    owner = object;
                    inside.clear();
                }
                Some(Value::Object(object)) => {
                    owner = object;
                    inside.push(part.name);
                }
                Some(Value::Error) => return None,
                _ => inside.push(part.name),
            }
        }
        inside.push(last.name);
        let slot = owner.slots.iter().find(|s| *s.param.name.name.text() == *last.name.text());
        let slot = slot.filter(|_| inside.len() == 1).cloned();
        let field = super::schema::field(owner.kind, &inside);
        let is_value = matches!(field, Some(Field::Is(_) | Field::AtLeastOne | Field::OneOf(_)));
        let assumed = match names.as_slice() {
            [name] => self.is_assumption(*name),
            [part, name] => *part == "runtime" && self.is_assumption(*name),
            _ => false,
        };
        if slot.is_none() && !is_value && !assumed {
            let names = owner.field_names(&[]);
            let diagnostic = Diagnostic::new(
                codes::UNKNOWN_PATH,
                format!("`{}` has no input `{shown}`", scenario.name),
                place,
                "nothing to vary",
            );
            let best = closest(last.name.text(), names.iter().map(|n| n.text()));
            self.report(diagnostic.meant(best, env.site().place(last.span), ""));
            return None;
        }
        let ty = match &slot {
            Some(slot) => slot.param.ty.as_ref().and_then(|ty| self.resolve_type(ty, &slot.site)),
            None => super::schema::schema_type(owner.kind, &inside),
        };
        let whole = ty == Some(Ty::Count) || matches!(field, Some(Field::AtLeastOne));
        if slot.is_none() && super::schema::wants_word(owner.kind, &inside) {
            return self.swept_words(values, owner.kind, &inside, env);
        }
        let tried = self.swept_values(values, whole, env);
        for (value, at) in self.written_values(values, env) {
            match &slot {
                Some(slot) => self.check_param_type(slot.param, &slot.site, value, at),
                None if assumed => continue,
                None => super::schema::check_field(self, owner.kind, &inside, value, at),
            };
        }
        tried
    }

    /// Bare words: `vary plan.recompute in [none, full]`.
    fn swept_words(
        &mut self,
        values: &'p Expr,
        kind: ItemKind,
        path: &[Name],
        env: &Env<'p>,
    ) -> Option<Values> {
        let ExprKind::List(items) = &values.kind else {
            return self.swept_values(values, false, env);
        };
        let mut list = Vec::new();
        for item in items {
            let place = env.site().place(item.span);
            let value = match &item.kind {
                ExprKind::Name(word) => Value::Word(*word),
                ExprKind::None => Value::Word(Name::new("none")),
                _ => self.eval(item, env),
            };
            match super::schema::check_field(self, kind, path, value, place) {
                Value::Error => return None,
                _ => list.push(Setting {
                    text: self.program.sources.text(place).to_owned(),
                    number: None,
                }),
            }
        }
        Some(Values::List(list))
    }

    /// A chip under its name in a system, or the link of a level.
    fn part_of_system(&mut self, system: &Rc<Object<'p>>, name: Name) -> Option<Value<'p>> {
        for statement in system.stmts.clone() {
            let (found, value) = match &statement.stmt.kind {
                StmtKind::Chip { name, value } => (name.name, value),
                StmtKind::Level { name, via: Some(via), .. } => (name.name, via),
                _ => continue,
            };
            if found == name {
                let env = self.fields_env(system, &statement.outer);
                return Some(self.eval(value, &env));
            }
        }
        None
    }

    /// Whether a name is that of an assumption.
    fn is_assumption(&self, name: Name) -> bool {
        let program = self.program;
        let mut names = program.modules().flat_map(|(id, _)| program.names(id));
        names.any(|(n, kind)| n == name && kind == ItemKind::Assume)
    }

    /// What is written among the values of `vary … in`: elements of a list, bounds of a range.
    fn written_values(&mut self, values: &'p Expr, env: &Env<'p>) -> Vec<(Value<'p>, Place)> {
        let site = env.site();
        let exprs: Vec<&'p Expr> = match &values.kind {
            ExprKind::List(items) => items.iter().collect(),
            ExprKind::Range(a, b) => vec![a, b],
            ExprKind::Call { args, .. } => {
                let ranges = args.iter().filter_map(|a| a.value.as_ref());
                let ranges = ranges.filter(|e| matches!(e.kind, ExprKind::Range(..)));
                return ranges.flat_map(|a| self.written_values(a, env)).collect();
            }
            _ => Vec::new(),
        };
        exprs.into_iter().map(|e| (self.eval(e, env), site.place(e.span))).collect()
    }
}
