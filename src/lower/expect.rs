//! What was expected of results and does not hold, and memory against capacity.

use std::rc::Rc;

use super::phase::Setting;
use super::results::Results;
use super::scenario::Lowered;
use crate::check::{BuiltModel, Checker, Env, Object, Scope, Value, show_number};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op};
use crate::quantity::figure::{human_unit, unit_of};
use crate::quantity::format::{HumanUnit, human};
use crate::source::Place;
use crate::syntax::ast::{BinaryOp, Clauses, Expr, ExprKind, StmtKind};

/// Evaluates the `expect` statements of a model over its parameters.
pub fn check_model_expectations<'p>(
    checker: &mut Checker<'p>,
    model: &Rc<Object<'p>>,
    built: &BuiltModel<'p>,
) {
    let Some(item) = model.item else { return };
    let mut results = Results::default();
    checker.parameters(built, &mut results, item.name_place());
    checker.results = Some(results);
    for statement in model.stmts.clone() {
        let outer = statement.outer.clone();
        match &statement.stmt.kind {
            StmtKind::Expect { cond, clauses } => {
                let env = checker.fields_env(model, &outer).inner(Scope::Results);
                checker.model_expectation(cond, clauses, &env);
            }
            StmtKind::Section { .. } | StmtKind::Require { .. } => {}
            _ => checker.report_misplaced(statement.stmt, "a model", &outer),
        }
    }
    checker.results = None;
}

/// Parts of the memory of a device, as result paths below `memory`.
pub const MEMORY_PARTS: [&str; 9] = [
    "weights",
    "cache",
    "activations",
    "gradients",
    "optimizer",
    "activations.saved",
    "activations.working",
    "buffers",
    "reserve",
];

/// Parts of a memory outside of the devices.
pub const STORED_PARTS: [&str; 6] =
    ["weights", "cache", "state", "gradients", "optimizer", "activations"];

impl<'p> Checker<'p> {
    fn model_expectation(&mut self, cond: &'p Expr, clauses: &'p Clauses, env: &Env<'p>) {
        let place = env.site().place(cond.span);
        match self.eval(cond, env) {
            Value::Bool(id) if self.notice(id) == Some(false) => {
                let diagnostic = self.failed(cond, clauses, env, place);
                self.report(diagnostic);
            }
            Value::Bool(_) | Value::Truth(true) | Value::Error => {}
            Value::Truth(false) => {
                let diagnostic = self.failed(cond, clauses, env, place);
                self.report(diagnostic);
            }
            other => {
                self.not_a_condition(other, place);
            }
        }
    }

    /// A failed condition with the value of both sides.
    pub(super) fn failed(
        &mut self,
        cond: &'p Expr,
        clauses: &'p Clauses,
        env: &Env<'p>,
        place: Place,
    ) -> Diagnostic {
        let text = self.program.sources.text(place).to_owned();
        let title = match &clauses.otherwise {
            Some(otherwise) => self.eval_text(otherwise, env),
            None => format!("expected `{text}`, and it does not hold"),
        };
        let mut diagnostic = Diagnostic::new(codes::EXPECT_FAILED, title, place, "does not hold");
        if let ExprKind::Binary(op, a, b) = &cond.kind
            && !matches!(op, BinaryOp::And | BinaryOp::Or)
        {
            let (x, y) = (self.eval(a, env), self.eval(b, env));
            if let (Value::Num(x), Value::Num(y)) = (&x, &y) {
                let text = |e: &Expr| self.program.sources.text(env.site().place(e.span));
                let dimension = self.graph.dimension(*x);
                let units = [text(a), text(b)].map(|path| unit_of(path, dimension));
                // A share is compared with a share.
                let unit = units.into_iter().find(|unit| *unit == HumanUnit::Percent);
                let unit = unit.unwrap_or(human_unit(dimension));
                let show = |id: ExprId| human(self.graph.value(id), unit);
                let note = format!("`{}` is {}, and the bound is {}", text(a), show(*x), show(*y));
                diagnostic = diagnostic.note(note);
            }
        }
        diagnostic
    }

    pub(crate) fn report_expectation(
        &mut self,
        cond: &'p Expr,
        clauses: &'p Clauses,
        env: &Env<'p>,
        _text: &str,
        lowered: &Lowered,
    ) {
        let place = env.site().place(cond.span);
        let mut diagnostic = self.failed(cond, clauses, env, place);
        let mut names = Vec::new();
        dotted_names(cond, &mut names);
        for name in names {
            let phase = match name.as_str() {
                "ttft" => "prefill",
                "tpot" => "decode.mid",
                other => other.rsplit_once('.').map_or(other, |(p, _)| p),
            };
            let bound = lowered.results.get(&format!("{phase}.bound"));
            if let Some(super::Leaf::Text(bound)) = bound {
                diagnostic = diagnostic.note(format!("{phase} is bound by {bound}"));
            }
            if name.starts_with("memory") {
                diagnostic = diagnostic.note(self.memory_parts("memory", lowered));
            }
        }
        diagnostic = diagnostic.and(lowered.place, "in this scenario");
        self.report(diagnostic);
    }

    /// A quantity for people.
    #[must_use]
    pub fn show_quantity(&self, id: ExprId) -> String {
        let unit = crate::quantity::figure::human_unit(self.graph.dimension(id));
        human(self.graph.value(id), unit)
    }

    fn memory_parts(&self, root: &str, lowered: &Lowered) -> String {
        let mut parts = Vec::new();
        for name in MEMORY_PARTS {
            if let Some(super::Leaf::Number(id)) = lowered.results.get(&format!("{root}.{name}")) {
                let v = self.graph.value(*id);
                if v > 0.0 {
                    parts.push((name, v));
                }
            }
        }
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        let parts: Vec<String> =
            parts.iter().map(|(n, v)| format!("{n} {}", human(*v, HumanUnit::Bytes))).collect();
        format!("each device holds {}", parts.join(", "))
    }

    /// Memories outside of the devices against their capacity.
    fn fit_elsewhere(&mut self, root: &str, setting: &Setting<'_, 'p>, lowered: &mut Lowered) {
        for store in setting.machine.stores.clone() {
            let number =
                |part: &str| match lowered.results.get(&format!("memory.{}.{part}", store.name)) {
                    Some(super::Leaf::Number(id)) => Some(*id),
                    _ => None,
                };
            let (Some(total), Some(capacity)) = (number("total"), number("capacity")) else {
                continue;
            };
            let parts: Vec<(&str, ExprId)> =
                STORED_PARTS.into_iter().filter_map(|p| Some((p, number(p)?))).collect();
            let fits = self.graph.binary(Op::Le, total, capacity);
            self.notice(fits);
            lowered.constraints.push((format!("{root}.{}", store.name), fits));
            let (have, need) = (self.graph.value(capacity), self.graph.value(total));
            if need <= have {
                continue;
            }
            let bytes = |v: f64| human(v, HumanUnit::Bytes);
            let title = format!(
                "`{}` needs {} in the `{}` of a {}, {} more than its {}",
                lowered.name,
                bytes(need),
                store.name,
                store.level,
                bytes(need - have),
                bytes(have),
            );
            let mut diagnostic =
                Diagnostic::new(codes::OUT_OF_MEMORY, title, lowered.place, "does not fit");
            if let Some(rule) = setting.plan.offload.first() {
                diagnostic = diagnostic.and(rule.place, "put there by the plan");
            }
            let at = self.graph.origin_of(capacity).map_or(store.place, |o| o.place);
            diagnostic = diagnostic.and(at, "the capacity");
            let parts: Vec<String> = parts
                .into_iter()
                .map(|(part, id)| format!("{part} {}", bytes(self.graph.value(id))))
                .collect();
            let note = format!("the devices that share it hold {} there", parts.join(", "));
            self.report(diagnostic.note(note));
        }
    }

    /// Memory against capacity: an error that says how much is missing and what would do.
    pub(crate) fn fit(&mut self, root: &str, setting: &Setting<'_, 'p>, lowered: &mut Lowered) {
        self.fit_elsewhere(root, setting, lowered);
        let number = |name: &str| match lowered.results.get(&format!("{root}.{name}")) {
            Some(super::Leaf::Number(id)) => Some(*id),
            _ => None,
        };
        let (Some(total), Some(capacity)) = (number("total"), number("capacity")) else { return };
        let fits = self.graph.binary(Op::Le, total, capacity);
        self.notice(fits);
        lowered.constraints.push((root.to_owned(), fits));
        let (have, need) = (self.graph.value(capacity), self.graph.value(total));
        if need <= have {
            return;
        }
        let chip = setting.machine.chip.name;
        let missing = human(need - have, HumanUnit::Bytes);
        let item = setting.machine.chip.item;
        let place = setting.plan.mesh.iter().next().map_or(lowered.place, |(_, m)| m.place);
        let mut diagnostic = Diagnostic::new(
            codes::OUT_OF_MEMORY,
            format!(
                "`{}` needs {} on each device, {missing} more than the {} of {chip}",
                lowered.name,
                human(need, HumanUnit::Bytes),
                human(have, HumanUnit::Bytes),
            ),
            lowered.place,
            "does not fit",
        );
        if place != lowered.place {
            diagnostic = diagnostic.and(place, "the mesh that it is spread over");
        }
        if let Some(item) = item {
            let at = self.graph.origin_of(capacity).map_or(item.name_place(), |o| o.place);
            diagnostic = diagnostic.and(at, "the capacity");
        }
        diagnostic = diagnostic.note(self.memory_parts(root, lowered));
        // What every device has whatever the plan, and what is spread.
        let value = |name: &str| number(name).map_or(0.0, |id| self.graph.value(id));
        let fixed = value("buffers") + value("reserve");
        let devices = setting.plan.devices.map_or(1.0, |d| self.graph.value(d));
        let spread = (MEMORY_PARTS.iter().map(|p| value(p)).sum::<f64>() - fixed) * devices;
        if have > fixed {
            let wanted = libm::ceil(spread / (have - fixed));
            let mut power = 1.0;
            while power < wanted {
                power *= 2.0;
            }
            let together = human(spread, HumanUnit::Bytes);
            diagnostic = diagnostic.note(format!(
                "all devices together hold {together}: {} such devices would do if it is spread \
                 evenly{}",
                show_number(wanted),
                if power > wanted {
                    format!(" ({power} as a power of two)")
                } else {
                    String::new()
                },
            ));
        } else {
            diagnostic =
                diagnostic.note("what every device keeps for itself is more than its capacity");
        }
        self.report(diagnostic);
    }
}

/// Whether an expression reads results below a root.
pub(super) fn reads(expr: &Expr, root: &str) -> bool {
    let mut names = Vec::new();
    dotted_names(expr, &mut names);
    names.iter().any(|n| n.split('.').next() == Some(root))
}

/// The names that an expression reads, with the fields after them: `memory.total`.
pub(super) fn dotted_names(expr: &Expr, out: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Name(name) => out.push(name.to_string()),
        ExprKind::Field(..) => {
            let mut parts = Vec::new();
            let mut at = expr;
            while let ExprKind::Field(base, field) = &at.kind {
                parts.push(field.name.text());
                at = base;
            }
            if let ExprKind::Name(name) = &at.kind {
                parts.push(name.text());
            }
            parts.reverse();
            out.push(parts.join("."));
        }
        ExprKind::Binary(_, a, b) => {
            dotted_names(a, out);
            dotted_names(b, out);
        }
        ExprKind::Paren(a) | ExprKind::Unary(_, a) => dotted_names(a, out),
        ExprKind::Call { args, .. } => {
            args.iter().filter_map(|a| a.value.as_ref()).for_each(|a| dotted_names(a, out));
        }
        _ => {}
    }
}
