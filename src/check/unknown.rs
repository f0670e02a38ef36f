//! Values that are not known while something is checked by itself: parameters and their fields.
//!
//! In: a type. Out: a value of it that has its dimension or kind, and no number, so that names,
//! dimensions and shapes are checked although nothing is computed.

use std::rc::Rc;

use super::object::Slot;
use super::types::Ty;
use super::value::Value;
use super::{Checker, codes, schema};
use crate::diagnostic::{Diagnostic, Safety};
use crate::expr::{ExprId, Origin};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::{Place, Span};
use crate::syntax::ast::{ItemKind, Param};

use super::program::ItemRef;
use super::value::Env;

impl<'p> Checker<'p> {
    /// A number that is not known, under a name.
    pub(super) fn unknown_number(
        &mut self,
        name: Name,
        dimension: Dimension,
        place: Place,
        rule: &'static str,
    ) -> ExprId {
        let origin = Origin::inferred(name, place, rule);
        self.graph.constant(f64::NAN, dimension, origin)
    }

    /// A value of a type of which nothing else is known.
    pub(super) fn unknown_of(&mut self, ty: Ty, name: Name, place: Place) -> Value<'p> {
        let rule = "a parameter";
        match ty {
            Ty::Quantity(dimension) => {
                Value::Num(self.unknown_number(name, dimension, place, rule))
            }
            Ty::Count => Value::Num(self.unknown_number(name, Dimension::NONE, place, rule)),
            Ty::Bool => Value::Bool(self.unknown_number(name, Dimension::NONE, place, rule)),
            Ty::Kind(kind) => Value::Unknown(kind, Rc::new([])),
            Ty::Counts => Value::List(Rc::new([])),
            _ => Value::Error,
        }
    }

    /// The value of a parameter that nobody gave one, while its item is checked by itself.
    pub(super) fn unknown_param(&mut self, item: ItemRef<'p>, param: &'p Param) -> Value<'p> {
        let env = self.item_env(item);
        let Some(written) = &param.ty else { return Value::Error };
        let Some(ty) = self.resolve_type(written, &env) else { return Value::Error };
        // What is called in the body must be something; what is given later has the same shape.
        if let (Ty::Kind(ItemKind::Op | ItemKind::Block), Some(default)) = (ty, &param.default) {
            return self.eval(default, &env);
        }
        self.unknown_of(ty, param.name.name, item.place(param.span))
    }

    /// The slots of an item that is checked by itself: values are still to come.
    pub(super) fn open_slots(&mut self, item: ItemRef<'p>) -> Vec<Slot<'p>> {
        let site = self.item_env(item);
        let params = item.item.params.as_deref().unwrap_or_default();
        let slot = |param| Slot { param, site: site.clone(), given: None, open: true };
        params.iter().map(slot).collect()
    }

    /// What is wrong with the parameters of an item, whether or not they are used.
    pub(super) fn check_params(&mut self, item: ItemRef<'p>) {
        let params = item.item.params.as_deref().unwrap_or_default();
        if params.is_empty() {
            return;
        }
        let env: Env<'p> = self.item_env(item);
        let inner = env.names();
        for (i, param) in params.iter().enumerate() {
            let place = item.place(param.name.span);
            let before = params.iter().take(i).find(|p| p.name.name == param.name.name);
            if let Some(before) = before {
                self.report(
                    Diagnostic::new(
                        codes::DUPLICATE_NAME,
                        format!(
                            "`{}` has two parameters `{}`",
                            item.item.name.name, param.name.name
                        ),
                        place,
                        "again here",
                    )
                    .and(item.place(before.name.span), "declared here first"),
                );
            }
            match &param.ty {
                Some(ty) => {
                    let value = match self.resolve_type(ty, &env) {
                        Some(ty) => self.unknown_of(ty, param.name.name, place),
                        None => Value::Error,
                    };
                    inner.bind(param.name.name, value);
                }
                None => self.report(
                    Diagnostic::new(
                        codes::UNKNOWN_TYPE,
                        format!("parameter `{}` has no type", param.name.name),
                        place,
                        "no type is written",
                    )
                    .note(format!("write one after the name: `{}: Count`", param.name.name))
                    .fix(
                        "say that it is a count",
                        Place { file: place.file, span: Span::new(place.span.end, place.span.end) },
                        ": Count",
                        Safety::Review,
                    ),
                ),
            }
        }
        for param in params {
            let Some(default) = &param.default else { continue };
            let value = self.eval(default, &inner);
            self.check_param_type(param, &env, value, item.place(default.span));
        }
    }

    /// A field of something of which only the kind is known.
    pub(super) fn field_of_unknown(
        &mut self,
        kind: ItemKind,
        path: &Rc<[Name]>,
        field: Name,
        place: Place,
    ) -> Value<'p> {
        let full: Rc<[Name]> = path.iter().copied().chain([field]).collect();
        match schema::field(kind, &full) {
            Some(schema::Field::Section) => Value::Unknown(kind, full),
            Some(schema::Field::Is(ty)) => self.unknown_of(ty, field, place),
            Some(schema::Field::OneOf(_)) => self.unknown_of(Ty::Word, field, place),
            Some(schema::Field::AtLeastOne) => self.unknown_of(Ty::Count, field, place),
            // Models, plans, systems and runtimes have what their own declarations say.
            None if !matches!(
                kind,
                ItemKind::Chip | ItemKind::Link | ItemKind::Dtype | ItemKind::Scenario
            ) =>
            {
                Value::Error
            }
            None => {
                let names = schema::names_below(kind, path);
                let what = Value::Unknown(kind, path.clone()).describe();
                self.unknown_field(field, place, &what, &names)
            }
        }
    }
}
