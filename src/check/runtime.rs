//! Runtimes: what a runtime or the command line says of assumptions, held against their declarations.

use super::object::Entry;
use super::program::ItemRef;
use super::value::Value;
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest};
use crate::expr::{ExprId, Op};
use crate::source::{Origin, Place};
use crate::syntax::ast::ItemKind;

impl<'p> Checker<'p> {
    /// A runtime sets assumptions that are declared somewhere, and says values of their types.
    pub(super) fn check_runtime_names(&mut self, entries: &[Entry<'p>]) {
        for entry in entries {
            let [name] = &*entry.path else { continue };
            if *name == "source" {
                continue;
            }
            if let Some(assumed) = self.assumed_by(entry) {
                let env = entry.outer.clone();
                let site = self.item_env(assumed);
                let ty = assumed.item.result.as_ref().and_then(|t| self.resolve_type(t, &site));
                if let (Some(ty), Some(expr)) = (ty, entry.value) {
                    let value = self.eval(expr, &env);
                    let place = env.site().place(expr.span);
                    let value = self.expect_type(value, ty, place, &format!("`{name}`"));
                    self.check_assumed(assumed, &value, entry, place);
                }
            } else {
                let all: Vec<&str> = self
                    .program
                    .std_modules("cost")
                    .flat_map(|m| self.program.names(m))
                    .filter(|(_, kind)| *kind == ItemKind::Assume)
                    .map(|(n, _)| n.text())
                    .collect();
                let diagnostic = Diagnostic::new(
                    codes::UNKNOWN_FIELD,
                    format!("there is no assumption `{name}`"),
                    entry.place,
                    "not declared with `assume`",
                );
                let best = closest(name.text(), all);
                self.report(diagnostic.meant(best, entry.name_place(), ""));
            }
        }
    }

    /// Holds what a scenario or the command line sets in the runtime in force against the ranges
    /// that the assumptions state. The library's own runtimes are checked as files.
    pub(crate) fn check_runtime(&mut self) {
        let Some(runtime) = self.runtime.clone() else { return };
        for entry in &runtime.entries {
            let [name] = &*entry.path else { continue };
            let theirs = self.program.sources.file(entry.place.file).origin != Origin::Std;
            let (true, Some(expr)) = (theirs, entry.value) else { continue };
            let Some(assumed) = self.assumed_by(entry) else { continue };
            let place = entry.outer.site().place(expr.span);
            if let Some(value) = self.field(&runtime, *name) {
                self.check_assumed(assumed, &value, entry, place);
            }
        }
    }

    /// The assumption that a setting of a runtime is about.
    fn assumed_by(&mut self, entry: &Entry<'p>) -> Option<ItemRef<'p>> {
        let name = *entry.path.first()?;
        let own = self.find_item(name, &entry.outer).filter(|i| i.item.kind == ItemKind::Assume);
        own.or_else(|| self.program.std_item("cost", name))
    }

    /// A value outside of the range that the assumption states is a doubt, unless the setting
    /// states a range of its own.
    fn check_assumed(
        &mut self,
        assumed: ItemRef<'p>,
        value: &Value<'p>,
        entry: &Entry<'p>,
        place: Place,
    ) {
        let Some(range) = &assumed.item.clauses.range else { return };
        let env = self.item_env(assumed);
        let Value::Num(value) = *value else { return };
        let Value::Range(low, high) = self.eval(range, &env) else { return };
        if self.graph.dimension(value) != self.graph.dimension(low) {
            return;
        }
        // Where the range leaves out 0, or all below it, that is no doubt but a mistake.
        let least = self.graph.value(low);
        if least >= 0.0 {
            let name = assumed.item.name.name.text();
            if self.above_zero(value, least > 0.0, name, place).is_none() {
                return;
            }
        }
        if entry.clauses.is_some_and(|c| c.range.is_some()) {
            return;
        }
        let mut inside = |low: ExprId, high: ExprId| {
            let holds = self.graph.binary(Op::Le, low, high);
            self.decide(holds) != Some(false)
        };
        if inside(low, value) && inside(value, high) {
            return;
        }
        let name = assumed.item.name.name;
        let [x, from, to] = [value, low, high].map(|id| self.graph.value(id));
        let percent = from <= x / 100.0 && x / 100.0 <= to;
        let [value, low, high] = [value, low, high].map(|id| self.show_quantity(id));
        let mut diagnostic = Diagnostic::new(
            codes::ASSUMPTION_STRETCHED,
            format!("`{name}` is set to {value}, and its range is {low} to {high}"),
            place,
            "outside of the range",
        )
        .and(assumed.place(range.span), "the range that the assumption states");
        if percent {
            diagnostic = diagnostic.note(format!("in percent it is `{value}%`"));
        }
        if let Some(because) = &assumed.item.clauses.because {
            diagnostic = diagnostic.note(format!("it says: {}", self.eval_text(because, &env)));
        }
        self.report(diagnostic);
    }
}
