//! Items that read results: metrics, measurements, and expectations without a result.
//!
//! In: the items, and the outline of the tree of results. Out: what is wrong with their names and
//! dimensions, although nothing is lowered.

use std::rc::Rc;

use super::object::Object;
use super::program::{ItemRef, ModuleId};
use super::types::Ty;
use super::value::{Env, Scope, Value};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::lower::{Leaf, Results, Workload};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Expr, ItemKind, StmtKind};

/// Inputs of a scenario that are items of their own.
const PARTS: [(&str, ItemKind); 4] = [
    ("model", ItemKind::Model),
    ("system", ItemKind::System),
    ("plan", ItemKind::Plan),
    ("runtime", ItemKind::Runtime),
];

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
        for (path, expr) in Self::metric_parts(metric) {
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
    pub(crate) fn metric_parts(metric: ItemRef<'p>) -> Vec<(String, &'p Expr)> {
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
            Some(of) if Workload::WORDS.iter().any(|w| of.name == *w) => {}
            Some(of) => {
                let diagnostic = Diagnostic::new(
                    codes::UNKNOWN_NAME,
                    format!("there is no workload `{}`", of.name),
                    item.place(of.span),
                    "not a workload",
                );
                let note = format!("a metric is for one of: {}", Workload::WORDS.join(", "));
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

    pub(super) fn check_condition(&mut self, cond: &'p Expr, env: &Env<'p>) {
        match self.eval(cond, env) {
            Value::Bool(_) | Value::Truth(_) => {}
            other => {
                self.not_a_condition(other, env.site().place(cond.span));
            }
        }
    }
}
