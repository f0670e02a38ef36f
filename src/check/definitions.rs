//! Items that say what words mean: assumptions, functions, dimensions, units.

use super::program::ItemRef;
use super::value::Value;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::{Expr, ExprKind};

impl<'p> Checker<'p> {
    pub(super) fn check_assume(&mut self, item: ItemRef<'p>) {
        let value = self.constant_item(item);
        let env = self.item_env(item);
        let Some(range) = &item.item.clauses.range else { return };
        let range_value = self.eval(range, &env);
        let (Value::Num(value), Value::Range(low, high)) = (value, range_value) else { return };
        let place = item.place(range.span);
        if self.graph.dimension(value) != self.graph.dimension(low) {
            let (a, b) = (self.graph.dimension(value), self.graph.dimension(low));
            self.report(Diagnostic::new(
                codes::DIMENSION_MISMATCH,
                format!("the value is {a} and its range {b}"),
                place,
                format!("this is {b}"),
            ));
            return;
        }
        let what = format!("`{}`", item.item.name.name);
        self.check_within(value, (low, high), place, item.name_place(), &what);
    }

    /// A value inside of the range that is stated for it.
    pub(super) fn check_within(
        &mut self,
        value: crate::expr::ExprId,
        (low, high): (crate::expr::ExprId, crate::expr::ExprId),
        place: crate::source::Place,
        name: crate::source::Place,
        what: &str,
    ) {
        let at = |id| self.graph.value(id);
        if at(value) >= at(low) && at(value) <= at(high) || at(value).is_nan() {
            return;
        }
        let (value, low, high) =
            (self.show_quantity(value), self.show_quantity(low), self.show_quantity(high));
        self.report(
            Diagnostic::new(
                codes::ASSUME_OUT_OF_RANGE,
                format!("{what} lies outside its own range"),
                place,
                format!("{low} to {high}"),
            )
            .and(name, format!("it is {value}")),
        );
    }

    /// Evaluates the body of a function with parameters of unknown value.
    pub(super) fn check_fn(&mut self, item: ItemRef<'p>) {
        let env = self.item_env(item).names();
        for param in item.item.params.as_deref().unwrap_or_default() {
            let optional = super::object::is_optional(param);
            let value = if optional { Value::Error } else { self.unknown_param(item, param) };
            env.bind(param.name.name, value);
        }
        let result = item.item.result.as_ref().and_then(|ty| self.resolve_type(ty, &env));
        let Some(body) = &item.item.value else {
            self.report(Diagnostic::new(
                codes::MISSING_VALUE,
                format!("function `{}` has no body", item.item.name.name),
                item.name_place(),
                "write `= …` after it",
            ));
            return;
        };
        self.limits.alone = true;
        let value = self.eval(body, &env);
        self.limits.alone = false;
        if let Some(ty) = result {
            let what = format!("the result of `{}`", item.item.name.name);
            self.expect_type(value, ty, item.place(body.span), &what);
        }
    }

    /// A dimension is made of dimensions that exist, and not of itself.
    pub(super) fn check_dimension(&mut self, item: ItemRef<'p>) {
        let Some(value) = &item.item.value else { return };
        let mut unknown = false;
        let env = self.item_env(item);
        super::lint::each_inside(value, &mut |expr| {
            if let ExprKind::Name(name) = &expr.kind
                && !self.program.names_dimension(*name)
            {
                unknown = true;
                self.report_unknown_type(name.text(), env.site().place(expr.span));
            }
        });
        let name = item.item.name.name;
        if unknown || self.program.dimension_named(name, 0).is_some() {
            return;
        }
        if !self.limits.reported.insert(super::limits::key(item)) {
            return;
        }
        // The others of the circle are not said again.
        let mut at = item;
        let mut path = vec![name];
        let mut places = Vec::new();
        while let Some(next) = self.program.unresolved_part(at) {
            if next.item.name.name == name || !self.limits.reported.insert(super::limits::key(next))
            {
                break;
            }
            path.push(next.item.name.name);
            places.push(next.name_place());
            at = next;
        }
        let mut diagnostic = Diagnostic::new(
            codes::CYCLE,
            format!("dimension `{name}` depends on itself"),
            item.name_place(),
            "the circle starts here",
        );
        for (part, place) in path.iter().skip(1).zip(places) {
            diagnostic = diagnostic.and(place, format!("which needs `{part}`"));
        }
        path.push(name);
        let shown: Vec<&str> = path.iter().map(|n| n.text()).collect();
        self.report(diagnostic.note(shown.join(" -> ")));
    }

    pub(super) fn check_unit(&mut self, item: ItemRef<'p>) {
        if self.program.unit(item.item.name.name).is_some() {
            return;
        }
        let place = item.item.value.as_ref().map_or(item.name_place(), |v| item.place(v.span));
        if let Some(value) = &item.item.value
            && self.report_parts(value, item)
        {
            return;
        }
        let Some(circle) = self.program.unit_circle(item.item.name.name) else {
            self.report(Diagnostic::new(
                codes::UNKNOWN_UNIT,
                format!("`{}` does not resolve to a unit", item.item.name.name),
                place,
                "a number of known units is wanted, such as `1024 MiB` or `J / s`",
            ));
            return;
        };
        let places = circle.iter().filter_map(|n| Some(self.program.any_unit(*n)?.name_place()));
        let places: Vec<_> = places.collect();
        // One circle, one finding: at the unit that stands first.
        if places.iter().min() != places.first() {
            return;
        }
        let name = item.item.name.name;
        let mut diagnostic = Diagnostic::new(
            codes::CYCLE,
            format!("unit `{name}` depends on itself"),
            item.name_place(),
            "the circle starts here",
        );
        for (unit, place) in circle.iter().zip(&places).skip(1) {
            diagnostic = diagnostic.and(*place, format!("which needs `{unit}`"));
        }
        let shown: Vec<&str> = circle.iter().chain([&name]).map(|n| n.text()).collect();
        self.report(diagnostic.note(shown.join(" -> ")));
    }

    /// Units in the value of a unit that are not known; whether there were any.
    pub(super) fn report_parts(&mut self, value: &'p Expr, item: ItemRef<'p>) -> bool {
        let mut found = false;
        let env = self.item_env(item);
        super::lint::each_inside(value, &mut |expr| match &expr.kind {
            ExprKind::Number { unit: Some(unit), .. } => {
                let unknown = unit.parts.iter().position(|(part, _)| {
                    part.name != "%" && self.program.any_unit(part.name).is_none()
                });
                if let Some(part) = unknown {
                    found = true;
                    self.report_unit(unit, part, &env);
                }
            }
            ExprKind::Name(name) if self.program.any_unit(*name).is_none() => {
                found = true;
                let ident = crate::syntax::ast::Ident { name: *name, span: expr.span };
                let unit =
                    crate::syntax::ast::UnitExpr { span: expr.span, parts: vec![(ident, 1)] };
                self.report_unit(&unit, 0, &env);
            }
            _ => {}
        });
        found
    }
}
