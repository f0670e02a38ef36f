//! Which fields each kind of object has, and what they hold.

use super::types::Ty;
use super::value::Value;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::ItemKind;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Field {
    /// A value of this type.
    Is(Ty),
    /// A section; its fields are listed with longer paths.
    Section,
}

const FLOP_RATE: Ty = Ty::Quantity(Dimension::FLOP_RATE);
const BANDWIDTH: Ty = Ty::Quantity(Dimension::BANDWIDTH);
const BYTES: Ty = Ty::Quantity(Dimension::BYTES);
const TIME: Ty = Ty::Quantity(Dimension::TIME);
const POWER: Ty = Ty::Quantity(Dimension::POWER);
const PRICE: Ty = Ty::Quantity(Dimension::PRICE_RATE);
const NUMBER: Ty = Ty::Quantity(Dimension::NONE);

/// `*` in a path stands for any name.
const CHIP: &[(&str, Field)] = &[
    ("source", Field::Is(Ty::Text)),
    ("runtime", Field::Is(Ty::Kind(ItemKind::Runtime))),
    ("compute", Field::Section),
    ("compute.*", Field::Section),
    ("compute.*.*", Field::Is(FLOP_RATE)),
    ("processors", Field::Is(Ty::Count)),
    ("memory", Field::Section),
    ("memory.*", Field::Section),
    ("memory.*.capacity", Field::Is(BYTES)),
    ("memory.*.bandwidth", Field::Is(BANDWIDTH)),
    ("memory.*.latency", Field::Is(TIME)),
    ("power", Field::Section),
    ("power.tdp", Field::Is(POWER)),
    ("power.idle", Field::Is(POWER)),
    ("price", Field::Is(PRICE)),
    ("list_price", Field::Is(Ty::Quantity(Dimension::MONEY))),
];
const LINK: &[(&str, Field)] = &[
    ("source", Field::Is(Ty::Text)),
    ("bandwidth", Field::Is(BANDWIDTH)),
    ("latency", Field::Is(TIME)),
    ("launch", Field::Is(TIME)),
    ("efficiency", Field::Is(NUMBER)),
    ("topology", Field::Is(Ty::Word)),
    ("reduction", Field::Is(Ty::Bool)),
    ("reduction_efficiency", Field::Is(NUMBER)),
    ("links", Field::Is(Ty::Count)),
];
const SYSTEM: &[(&str, Field)] = &[
    ("source", Field::Is(Ty::Text)),
    ("memory", Field::Section),
    ("memory.*", Field::Section),
    ("memory.*.capacity", Field::Is(BYTES)),
    ("memory.*.bandwidth", Field::Is(BANDWIDTH)),
    ("power", Field::Section),
    ("power.host", Field::Is(POWER)),
    ("power.pue", Field::Is(NUMBER)),
    ("price", Field::Is(PRICE)),
    ("*", Field::Is(Ty::Kind(ItemKind::Chip))),
];
const PLAN: &[(&str, Field)] = &[
    ("micro_batch", Field::Is(Ty::Count)),
    ("recompute", Field::Is(Ty::Word)),
    ("source", Field::Is(Ty::Text)),
];
const MODEL: &[(&str, Field)] = &[
    ("source", Field::Is(Ty::Text)),
    ("precision", Field::Section),
    ("precision.*", Field::Is(Ty::Dtype)),
];
const DTYPE: &[(&str, Field)] = &[
    ("bits", Field::Is(NUMBER)),
    ("scale", Field::Is(Ty::Any)),
    ("zero", Field::Is(Ty::Any)),
    ("source", Field::Is(Ty::Text)),
];
const SCENARIO: &[(&str, Field)] = &[
    ("model", Field::Is(Ty::Kind(ItemKind::Model))),
    ("system", Field::Is(Ty::Kind(ItemKind::System))),
    ("plan", Field::Is(Ty::Kind(ItemKind::Plan))),
    ("runtime", Field::Is(Ty::Kind(ItemKind::Runtime))),
    ("precision", Field::Section),
    ("precision.weights", Field::Is(Ty::Dtype)),
    ("precision.activations", Field::Is(Ty::Dtype)),
    ("precision.cache", Field::Is(Ty::Dtype)),
    ("precision.state", Field::Is(Ty::Dtype)),
    ("precision.gradients", Field::Is(Ty::Dtype)),
    ("precision.optimizer", Field::Is(Ty::Dtype)),
    ("precision.compute", Field::Is(Ty::Dtype)),
    ("serve", Field::Section),
    ("serve.batch", Field::Is(Ty::Count)),
    ("serve.prompt", Field::Is(Ty::Count)),
    ("serve.output", Field::Is(Ty::Count)),
    ("source", Field::Is(Ty::Text)),
];

/// The fields of a kind; `None` where any field may stand.
#[must_use]
pub fn fields(kind: ItemKind) -> Option<&'static [(&'static str, Field)]> {
    Some(match kind {
        ItemKind::Chip => CHIP,
        ItemKind::Link => LINK,
        ItemKind::System => SYSTEM,
        ItemKind::Plan => PLAN,
        ItemKind::Model => MODEL,
        ItemKind::Dtype => DTYPE,
        ItemKind::Scenario | ItemKind::Measured => SCENARIO,
        _ => return None,
    })
}

/// The declared field at a path. Literal names win over `*`.
#[must_use]
pub fn field(kind: ItemKind, path: &[Name]) -> Option<Field> {
    let matches = |pattern: &str, wild: bool| {
        let parts = pattern.split('.');
        parts.clone().count() == path.len()
            && parts.zip(path).all(|(p, n)| *n == p || (wild && p == "*"))
    };
    let fields = fields(kind)?;
    let find = |wild| fields.iter().find(|(p, _)| matches(p, wild)).map(|(_, f)| *f);
    find(false).or_else(|| find(true))
}

/// The names of fields that a kind has directly below a path.
#[must_use]
pub fn names_below(kind: ItemKind, path: &[Name]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    for (pattern, _) in fields(kind).unwrap_or_default() {
        let parts: Vec<&str> = pattern.split('.').collect();
        let inside = parts.len() == path.len() + 1
            && parts.iter().zip(path).all(|(p, n)| *p == "*" || *n == *p);
        if let (true, Some(last)) = (inside, parts.last())
            && *last != "*"
            && !names.iter().any(|n| *n == *last)
        {
            names.push(Name::new(last));
        }
    }
    names
}

/// The paths of a kind with what they hold; `None` for sections.
pub fn schema_fields(kind: ItemKind) -> impl Iterator<Item = (&'static str, Option<Ty>)> {
    fields(kind).unwrap_or_default().iter().map(|(path, field)| match field {
        Field::Is(ty) => (*path, Some(*ty)),
        Field::Section => (*path, None),
    })
}

/// What the declared field at a path holds; `None` for sections and where there is none.
#[must_use]
pub fn schema_type(kind: ItemKind, path: &[Name]) -> Option<Ty> {
    match field(kind, path)? {
        Field::Is(ty) => Some(ty),
        Field::Section => None,
    }
}

/// Whether a bare word is wanted at a path, so that an unknown name is no mistake.
#[must_use]
pub fn wants_word(kind: ItemKind, path: &[Name]) -> bool {
    matches!(field(kind, path), Some(Field::Is(Ty::Word)))
}

/// Checks a value against the declared field, if there is one.
pub fn check_field<'p>(
    checker: &mut Checker<'p>,
    kind: ItemKind,
    path: &[Name],
    value: Value<'p>,
    place: Place,
) -> Value<'p> {
    match field(kind, path) {
        Some(Field::Is(ty)) => {
            let name: Vec<_> = path.iter().map(|n| n.text()).collect();
            checker.expect_type(value, ty, place, &format!("`{}`", name.join(".")))
        }
        _ => value,
    }
}

/// Reports settings that a kind does not have.
pub fn check_names(checker: &mut Checker<'_>, object: &super::object::Object<'_>) {
    let Some(known) = fields(object.kind) else { return };
    for entry in &object.entries {
        let path = &entry.path;
        let declared = field(object.kind, path).is_some();
        let is_slot = path.first().is_some_and(|n| object.slots.iter().any(|s| s.param.name.name == *n));
        let inside = matches!(&**path, [first, _, ..] if matches!(
            field(object.kind, &[*first]), Some(Field::Is(Ty::Kind(_)))));
        let amends_other = object.kind == ItemKind::Measured && path.len() >= 1;
        if declared || is_slot || inside || amends_other {
            continue;
        }
        let depth = path.len();
        let siblings = known.iter().filter_map(|(p, _)| {
            let parts: Vec<_> = p.split('.').collect();
            let same = parts.len() == depth
                && parts.iter().zip(path.iter()).take(depth - 1).all(|(a, b)| *a == "*" || *b == *a);
            parts.last().copied().filter(|last| same && *last != "*")
        });
        let siblings: Vec<&str> = siblings.collect();
        let name = path.last().map_or("", |n| n.text());
        let mut diagnostic = Diagnostic::new(
            codes::UNKNOWN_FIELD,
            format!("{} has no field `{}`", super::value::with_article(object.kind),
                path.iter().map(|n| n.text()).collect::<Vec<_>>().join(".")),
            entry.place,
            "not a field",
        );
        if let Some(best) = super::names::closest(name, siblings.iter().copied()) {
            diagnostic = diagnostic.note(format!("did you mean `{best}`?"));
        } else if !siblings.is_empty() {
            diagnostic = diagnostic.note(format!("it may hold: {}", siblings.join(", ")));
        }
        checker.report(diagnostic);
    }
}
