//! Items that read results: metrics, measurements, sweeps, and expectations without a result.
//!
//! In: the items, and the outline of the tree of results. Out: what is wrong with their names and
//! dimensions, although nothing is lowered.

use std::rc::Rc;

use super::object::Object;
use super::program::{ItemRef, ModuleId};
use super::ranges::{Setting, Values};
use super::schema::Field;
use super::types::Ty;
use super::value::{Env, Scope, Value, with_article};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::lower::{Leaf, Results};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Expr, ExprKind, Ident, ItemKind, StmtKind};

/// Inputs of a scenario that are items of their own.
const PARTS: [(&str, ItemKind); 4] = [
    ("model", ItemKind::Model),
    ("system", ItemKind::System),
    ("plan", ItemKind::Plan),
    ("runtime", ItemKind::Runtime),
];
/// Workloads that a metric may be for.
const WORKLOADS: [&str; 2] = ["serve", "train"];

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
    /// The outline with every metric that holds in a module; made once.
    pub(crate) fn outline_of(&mut self, module: ModuleId) -> Results {
        if let Some((of, outline)) = &self.outline
            && *of == module
        {
            return outline.clone();
        }
        let saved = self.results.take();
        self.results = Some(self.outline(module));
        let program = self.program;
        let library = program.std_module("metrics").filter(|m| *m != module);
        for module in library.into_iter().chain([module]) {
            for metric in program.items_of_kind(module, ItemKind::Metric) {
                self.outline_metric(metric);
            }
        }
        let outline = std::mem::replace(&mut self.results, saved).unwrap_or_default();
        self.outline = Some((module, outline.clone()));
        outline
    }

    /// The paths that results of scenarios have, without values.
    pub fn outline_for(&mut self, module: ModuleId) -> Results {
        self.outline_of(module)
    }

    fn outline_metric(&mut self, metric: ItemRef<'p>) {
        if metric.item.broken {
            return;
        }
        let env = self.item_env(metric).names();
        for (name, kind) in PARTS {
            env.bind(Name::new(name), Value::Unknown(kind, Rc::new([])));
        }
        for name in ["serve", "precision", "train"] {
            let name = Name::new(name);
            let path: Rc<[Name]> = [name].into();
            let known = super::schema::field(ItemKind::Scenario, &path).is_some();
            let section =
                if known { Value::Unknown(ItemKind::Scenario, path) } else { Value::Error };
            env.bind(name, section);
        }
        let env = env.inner(Scope::Results);
        for (path, expr) in self.metric_parts(metric) {
            let value = self.eval(expr, &env);
            let leaf = match value {
                Value::Num(id) => Leaf::Number(id),
                Value::Bool(id) => Leaf::Flag(id),
                Value::Error => Leaf::Error,
                other => {
                    let what = match other {
                        Value::Word(_) => "a word".to_owned(),
                        other => other.describe(),
                    };
                    self.report(Diagnostic::new(
                        codes::WRONG_TYPE,
                        format!("a metric is a number or a condition, and `{path}` is {what}"),
                        metric.place(expr.span),
                        "a number is wanted here",
                    ));
                    Leaf::Error
                }
            };
            if let Some(results) = self.results.as_mut() {
                results.leaves.insert(path, leaf);
            }
        }
    }

    /// The results that a metric defines: itself, or one for each setting of its body.
    fn metric_parts(&mut self, metric: ItemRef<'p>) -> Vec<(String, &'p Expr)> {
        let name = metric.item.name.name;
        let value = metric.item.value.iter().map(|value| (name.to_string(), value));
        let stmts = metric.item.body.iter().flat_map(|b| &b.stmts);
        let settings = stmts.filter_map(|stmt| match &stmt.kind {
            StmtKind::Set { path, value, .. } => {
                let path: Vec<&str> = path.iter().map(|i| i.name.text()).collect();
                Some((format!("{name}.{}", path.join(".")), value))
            }
            _ => None,
        });
        value.chain(settings).collect()
    }

    pub(super) fn check_metric(&mut self, item: ItemRef<'p>) {
        match item.item.of {
            Some(of) if WORKLOADS.iter().any(|w| of.name == *w) => {}
            Some(of) => {
                let diagnostic = Diagnostic::new(
                    codes::UNKNOWN_NAME,
                    format!("there is no workload `{}`", of.name),
                    item.place(of.span),
                    "not a workload",
                );
                let note = format!("a metric is for one of: {}", WORKLOADS.join(", "));
                self.report(diagnostic.note(note));
            }
            None => self.report(Diagnostic::new(
                codes::MISSING_FIELD,
                format!("metric `{}` does not say for which workload it is", item.item.name.name),
                item.name_place(),
                "write `for serve` after the name",
            )),
        }
        if item.item.value.is_none() && item.item.body.is_none() {
            self.report(Diagnostic::new(
                codes::MISSING_VALUE,
                format!("metric `{}` has no value", item.item.name.name),
                item.name_place(),
                "write `= …` after it",
            ));
        }
        let env = self.item_env(item);
        for stmt in item.item.body.iter().flat_map(|b| &b.stmts) {
            if !matches!(stmt.kind, StmtKind::Set { .. } | StmtKind::Error) {
                self.report_misplaced(stmt, "a metric", &env);
            }
        }
        self.outline_of(item.module);
    }

    /// The figures of a measurement name results and have their dimensions.
    pub(super) fn check_measured(&mut self, item: ItemRef<'p>) {
        let Value::Object(object) = self.object_item(item) else { return };
        let outline = self.outline_of(item.module);
        let saved = self.results.replace(outline);
        let all = object.measurements.iter().any(|e| matches!(&*e.path, [n] if *n == "source"));
        for entry in object.measurements.clone() {
            let Some(expr) = entry.value else { continue };
            let value = self.eval(expr, &entry.outer);
            if matches!(&*entry.path, [name] if *name == "source") {
                let place = entry.outer.site().place(expr.span);
                self.expect_type(value, Ty::Text, place, "`source`");
                continue;
            }
            let path: Vec<&str> = entry.path.iter().map(|n| n.text()).collect();
            let path = path.join(".");
            let place = entry.outer.site().place(expr.span);
            match self.result_value(&path) {
                Some(Value::Num(id)) => {
                    let wanted = Ty::Quantity(self.graph.dimension(id));
                    self.expect_type(value, wanted, place, &format!("`{path}`"));
                }
                Some(Value::Error) => {}
                Some(other) => {
                    let what = other.describe();
                    self.report(Diagnostic::new(
                        codes::WRONG_TYPE,
                        format!("only numbers are measured, and `{path}` is {what}"),
                        entry.place,
                        "not a number",
                    ));
                }
                None => self.report_unknown_result(&path, entry.place),
            }
            if !all && entry.clauses.is_none_or(|c| c.source.is_none()) {
                self.report(
                    Diagnostic::new(
                        codes::NO_SOURCE,
                        format!("the measured `{path}` does not say where it comes from"),
                        entry.place,
                        "no `source`",
                    )
                    .note("write `source \"…\"` after the figure, or `source = \"…\"` for all"),
                );
            }
        }
        self.results = saved;
    }

    fn report_unknown_result(&mut self, path: &str, place: Place) {
        let known: Vec<String> =
            self.results.iter().flat_map(|r| r.leaves.keys().cloned()).collect();
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_RESULT,
            format!("there is no result `{path}`"),
            place,
            "not a result",
        );
        let best = closest(path, known.iter().map(String::as_str));
        let roots = self.result_roots();
        let roots: Vec<&str> = roots.iter().map(|n| n.text()).collect();
        self.report(diagnostic.meant(best, place, listed("results start with", &roots)));
    }

    /// Expectations of a scenario that could not be lowered: their names and dimensions.
    pub fn check_expectations(&mut self, scenario: &Rc<Object<'p>>) {
        let Some(item) = scenario.item else { return };
        let outline = self.outline_of(item.module);
        let saved = self.results.replace(outline);
        for statement in scenario.stmts.clone() {
            let outer = statement.outer.clone();
            match &statement.stmt.kind {
                StmtKind::Expect { cond, clauses } => {
                    let env = self.fields_env(scenario, &outer).inner(Scope::Results);
                    self.check_condition(cond, &env);
                    if let Some(text) = &clauses.otherwise {
                        self.eval_text(text, &env);
                    }
                }
                StmtKind::Require { cond, .. } => {
                    let env = self.fields_env(scenario, &outer);
                    self.check_condition(cond, &env);
                }
                StmtKind::Section { .. } => {}
                _ => self.report_misplaced(statement.stmt, "a scenario", &outer),
            }
        }
        self.results = saved;
    }

    fn check_condition(&mut self, cond: &'p Expr, env: &Env<'p>) {
        match self.eval(cond, env) {
            Value::Bool(_) | Value::Truth(_) => {}
            other => {
                self.not_a_condition(other, env.site().place(cond.span));
            }
        }
    }

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
