//! What follows from results: metrics of the library and of the file, and what was expected.

use std::rc::Rc;

use super::results::Leaf;
use super::scenario::{Expectation, Lowered};
use super::workload::Workload;
use crate::check::{Checker, Env, ItemRef, ModuleId, Object, Scope, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{Origin, OriginKind};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::syntax::ast::{Expr, ItemKind, StmtKind};

impl<'p> Checker<'p> {
    /// Metrics: of the library, then of the scenario's own file.
    pub(super) fn metrics(
        &mut self,
        scenario: &Rc<Object<'p>>,
        item: ItemRef<'p>,
        lowered: &mut Lowered,
    ) {
        let program = self.program;
        let mut items = Vec::new();
        if let Some(module) = program.std_module("metrics") {
            items.extend(program.items_of_kind(module, ItemKind::Metric));
        }
        items.extend(program.items_of_kind(item.module, ItemKind::Metric));
        let mut known = lowered.results.clone();
        // A plan that offloads nothing waits for no transfer, one for both phases hands nothing over.
        let none: &[&str] = match lowered.workload() {
            Workload::Generate => &["decode.mid.offload.exposed", "handover.time"],
            Workload::Encode => &["prefill.offload.exposed"],
            Workload::Train => &[],
        };
        for path in none.iter().copied() {
            if known.get(path).is_none() {
                let none = self.zero(Dimension::TIME, lowered.place, "nothing lies elsewhere");
                known.number(path, none);
            }
        }
        self.results = Some(known);
        let workload = lowered.workload();
        for metric in items {
            let word = metric.item.of.map(|of| of.name);
            let meant = word.is_none_or(|word| workload.is(word));
            // What only generation has is left out for a reason.
            let left_out = workload == Workload::Encode && word.is_some_and(|w| w == "generate");
            if !meant && !left_out {
                continue;
            }
            let outer = self.item_env(metric);
            let env = self.fields_env(scenario, &outer).inner(Scope::Results);
            let name = metric.item.name.name;
            let mut found = Vec::new();
            if let Some(value) = &metric.item.value {
                found.push((name.to_string(), value));
            }
            for stmt in metric.item.body.iter().flat_map(|b| &b.stmts) {
                match &stmt.kind {
                    StmtKind::Set { path, value, .. } => {
                        let path: Vec<&str> = path.iter().map(|i| i.name.text()).collect();
                        found.push((format!("{name}.{}", path.join(".")), value));
                    }
                    StmtKind::Error => {}
                    _ => self.report_misplaced(stmt, "a metric", &outer),
                }
            }
            for (path, expr) in found {
                let lacks = match meant {
                    true => self.reads_what_is_not_known(expr, item.module),
                    false => Some("decode".to_owned()),
                };
                if let Some(lacks) = lacks {
                    lowered.results.left_out.insert(path, lacks);
                    continue;
                }
                let value = self.eval(expr, &env);
                let place = metric.place(expr.span);
                let kind = OriginKind::Formula;
                let origin = Origin { name: Name::new(&path), kind, place, rule: None };
                let leaf = match self.named_value(value, origin) {
                    Value::Num(id) => Leaf::Number(id),
                    Value::Bool(id) => Leaf::Flag(id),
                    _ => continue,
                };
                lowered.results.leaves.insert(path.clone(), leaf.clone());
                if let Some(results) = self.results.as_mut() {
                    results.leaves.insert(path, leaf);
                }
            }
        }
    }

    /// A result that an expression reads and this scenario does not have although others do: a
    /// price that nobody stated. What follows from it is left out, too.
    fn reads_what_is_not_known(&mut self, expr: &'p Expr, module: ModuleId) -> Option<String> {
        let mut names = Vec::new();
        super::expect::dotted_names(expr, &mut names);
        let results = self.results.as_ref()?;
        names.retain(|name| {
            let root = Name::new(name.split('.').next().unwrap_or(name));
            results.get(name).is_none()
                && !results.is_group(name)
                && self.is_result_root(root, module)
        });
        if names.is_empty() {
            return None;
        }
        let outline = self.outline_of(module);
        names.into_iter().find(|name| outline.get(name).is_some())
    }

    /// `expect` statements of the scenario and of its model.
    pub(super) fn expectations(&mut self, scenario: &Rc<Object<'p>>, lowered: &mut Lowered) {
        self.results = Some(lowered.results.clone());
        for statement in scenario.stmts.clone() {
            let outer = statement.outer.clone();
            match &statement.stmt.kind {
                StmtKind::Expect { cond, clauses } => {
                    let env = self.fields_env(scenario, &outer).inner(Scope::Results);
                    self.expectation(cond, clauses, &env, lowered);
                }
                StmtKind::Require { cond, clauses } => {
                    let env = self.fields_env(scenario, &outer);
                    self.require(cond, clauses, &env);
                }
                StmtKind::Section { .. } => {}
                _ => self.report_misplaced(statement.stmt, "a scenario", &outer),
            }
        }
    }

    /// What was measured of a scenario that has no such result.
    pub(super) fn figures_to_compare(&mut self, scenario: &Rc<Object<'p>>, lowered: &Lowered) {
        for entry in &scenario.measurements {
            let path: Vec<&str> = entry.path.iter().map(|n| n.text()).collect();
            let path = path.join(".");
            let there = path == "source" || lowered.results.get(&path).is_some();
            let Some(why) = lowered.results.why_absent(&path).filter(|_| !there) else { continue };
            let title = format!("this scenario has no result `{path}`");
            let label = "nothing to hold it against";
            let finding = Diagnostic::new(codes::UNKNOWN_RESULT, title, entry.place, label);
            self.report(finding.note(why));
        }
    }

    fn expectation(
        &mut self,
        cond: &'p crate::syntax::ast::Expr,
        clauses: &'p crate::syntax::ast::Clauses,
        env: &Env<'p>,
        lowered: &mut Lowered,
    ) {
        let place = env.site().place(cond.span);
        let holds = match self.eval(cond, env) {
            Value::Bool(id) => id,
            Value::Truth(b) => {
                let v = if b { 1.0 } else { 0.0 };
                self.counted(v, "expect", place, "decided without numbers")
            }
            other => {
                self.not_a_condition(other, place);
                return;
            }
        };
        let text = self.program.sources.text(place).to_owned();
        // What does not fit is said already.
        let does_not_fit =
            |d: &Diagnostic| d.code == codes::OUT_OF_MEMORY && d.place() == Some(lowered.place);
        let said =
            self.diagnostics.iter().any(does_not_fit) && super::expect::reads(cond, "memory");
        if self.notice(holds) == Some(false) && !said {
            self.report_expectation(cond, clauses, env, &text, lowered);
        }
        lowered.expectations.push(Expectation { text, holds, place });
    }
}
