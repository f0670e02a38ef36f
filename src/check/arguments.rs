//! Arguments: which parameter each of them is for, and what it is worth there.

use super::object::{Given, Slot};
use super::program::ItemRef;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::expr::{Origin, OriginKind};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Arg, Expr, ExprKind, ItemKind, Param};

impl<'p> Checker<'p> {
    /// Arguments to parameters, in the order of the parameters.
    pub fn bind(
        &mut self,
        item: ItemRef<'p>,
        args: &'p [Arg],
        env: &Env<'p>,
        place: Place,
    ) -> Option<Vec<Slot<'p>>> {
        let args: Vec<&Arg> = args.iter().collect();
        let (slots, sound) = self.matched(item, &args, env);
        let mut good = sound;
        for slot in slots.iter().filter(|s| s.is_missing()) {
            good = false;
            // After a misspelt argument nothing is missing.
            if sound {
                self.report_missing_argument(item, slot.param, place);
            }
        }
        good.then_some(slots)
    }

    /// Each parameter with the argument that it got, and whether all arguments found a parameter.
    pub(super) fn matched(
        &mut self,
        item: ItemRef<'p>,
        args: &[&'p Arg],
        env: &Env<'p>,
    ) -> (Vec<Slot<'p>>, bool) {
        let params = item.item.params.as_deref().unwrap_or_default();
        let site = self.item_env(item);
        let mut slots: Vec<Slot<'p>> = params
            .iter()
            .map(|param| Slot { param, site: site.clone(), given: None, open: false })
            .collect();
        let mut good = true;
        for (i, arg) in args.iter().enumerate() {
            let place = env.site().place(arg.span);
            let slot = match arg.name {
                None => slots.get_mut(i),
                Some(name) => slots.iter_mut().find(|s| s.param.name.name == name.name),
            };
            match (slot, arg.name) {
                (Some(slot), _) if slot.given.is_none() => {
                    let name = slot.param.name.name;
                    let expr = arg.value.as_ref();
                    slot.given = Some(Given { expr, name, place, env: env.clone() });
                    continue;
                }
                (Some(slot), _) => {
                    let title = format!("`{}` is given twice", slot.param.name.name);
                    let label = "given again here";
                    self.report(Diagnostic::new(codes::DUPLICATE_ARGUMENT, title, place, label));
                }
                (None, Some(name)) => {
                    let given = |p: Name| args.iter().any(|a| a.name.is_some_and(|n| n.name == p));
                    let names = params.iter().map(|p| p.name.name).filter(|p| !given(*p));
                    let names: Vec<&str> = names.map(Name::text).collect();
                    let place = env.site().place(name.span);
                    self.report_unknown_argument(item, name.name, place, &names);
                }
                (None, None) => {
                    let plural = if params.len() == 1 { "" } else { "s" };
                    let name = item.item.name.name;
                    let title = format!("`{name}` takes {} argument{plural}", params.len());
                    self.report(
                        Diagnostic::new(codes::TOO_MANY_ARGUMENTS, title, place, "one too many")
                            .and(item.name_place(), "declared here"),
                    );
                }
            }
            good = false;
        }
        (slots, good)
    }

    pub(super) fn report_missing_argument(
        &mut self,
        item: ItemRef<'p>,
        param: &Param,
        place: Place,
    ) {
        self.report(
            Diagnostic::new(
                codes::MISSING_ARGUMENT,
                format!("`{}` needs a value for `{}`", item.item.name.name, param.name.name),
                place,
                format!("`{}:` is missing", param.name.name),
            )
            .and(item.place(param.span), "this parameter has no default"),
        );
    }

    pub(super) fn report_unknown_argument(
        &mut self,
        item: ItemRef<'p>,
        name: Name,
        place: Place,
        names: &[&str],
    ) {
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_ARGUMENT,
            format!("`{}` has no parameter `{name}`", item.item.name.name),
            place,
            "not a parameter",
        )
        .and(item.name_place(), "declared here");
        let best = closest(name.text(), names.iter().copied());
        self.report(diagnostic.meant(best, place, listed("it also takes", names)));
    }

    /// The value of a slot, evaluated in the caller's scope or (defaults) in `inner`.
    pub fn slot_argument(&mut self, slot: &Slot<'p>, inner: &Env<'p>) -> Value<'p> {
        let name = slot.param.name.name;
        let (value, place, kind) = match &slot.given {
            Some(given) => {
                let value = match given.expr {
                    Some(expr) if wants(slot.param, "Axis") => self.eval_axis(expr, &given.env),
                    Some(expr) => self.eval_argument(slot.param, expr, &given.env),
                    None => self.eval_name(given.name, given.place, &given.env),
                };
                let at = given.expr.map_or(given.place, |e| given.env.site().place(e.span));
                (value, at, given.env.site().kind)
            }
            None => match &slot.param.default {
                Some(default) => {
                    let place = inner.site().place(default.span);
                    (self.eval(default, inner), place, OriginKind::Default)
                }
                None => return Value::None,
            },
        };
        let value = self.check_param_type(slot.param, &slot.site, value, place);
        self.under_name(value, name, kind, place)
    }

    /// An argument; where a block is wanted, a call of one gives values to its parameters:
    /// `vision: VisionTower(layers: 27)`.
    pub(super) fn eval_argument(
        &mut self,
        param: &Param,
        expr: &'p Expr,
        env: &Env<'p>,
    ) -> Value<'p> {
        let outer = std::mem::replace(&mut self.wants_block, wants(param, "Block"));
        let value = self.eval(expr, env);
        self.wants_block = outer;
        value
    }

    /// A block by its name, with default values, or as it is called: `Lora(rank: 16)`.
    pub(super) fn block_value(&mut self, expr: &'p Expr, env: &Env<'p>) -> Value<'p> {
        let outer = std::mem::replace(&mut self.wants_block, true);
        let value = self.eval(expr, env);
        self.wants_block = outer;
        match value {
            Value::Item(item) if item.item.kind == ItemKind::Block => {
                self.block_with_values(item, &[], item.name_place(), env)
            }
            value => value,
        }
    }

    /// An argument where an axis is wanted: a name that is none is an unknown axis.
    fn eval_axis(&mut self, expr: &'p Expr, env: &Env<'p>) -> Value<'p> {
        let ExprKind::Name(name) = &expr.kind else { return self.eval(expr, env) };
        let place = env.site().place(expr.span);
        match self.find_name(*name, place, env) {
            Some(Value::Num(_)) => {
                let ident = crate::syntax::ast::Ident { name: *name, span: expr.span };
                let axis = crate::syntax::ast::AxisRef { name: ident, spread: false };
                self.axis_named(&axis, env).map_or(Value::Error, Value::Axis)
            }
            Some(value) => value,
            None => {
                self.report_unknown_axis(*name, place, env);
                Value::Error
            }
        }
    }

    /// A number under a name, unless it already goes by it.
    pub fn under_name(
        &mut self,
        value: Value<'p>,
        name: Name,
        kind: OriginKind,
        place: Place,
    ) -> Value<'p> {
        if let Value::Num(id) = &value
            && let Some(origin) = self.graph.origin_of(*id)
            && self.graph.named_operand(*id).is_some()
            && (origin.name == name || is_last_part(origin.name.text(), name.text()))
        {
            return value;
        }
        self.named_value(value, Origin { name, kind, place, rule: None })
    }
}

/// Whether `name` is what follows the last point of `path`.
fn is_last_part(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')) && !name.contains('.')
}

/// Whether a parameter is declared with this type.
pub(super) fn wants(param: &Param, ty: &str) -> bool {
    let parts = param.ty.as_ref().map(|ty| ty.parts.as_slice()).unwrap_or_default();
    matches!(parts, [(name, 1)] if name.name == ty)
}
