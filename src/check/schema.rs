//! Which fields each kind of object has, and what they hold.

use super::object::{Entry, Object};
use super::types::Ty;
use super::value::Value;
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::{Origin as Source, Place, Span};
use crate::syntax::ast::{ItemKind, StmtKind};

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Field {
    /// A value of this type.
    Is(Ty),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A count of at least one.
    AtLeastOne,
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
    ("processors", Field::AtLeastOne),
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
    ("start", Field::Is(TIME)),
    ("efficiency", Field::Is(NUMBER)),
    ("topology", Field::OneOf(&["switch", "mesh", "torus", "tree"])),
    ("reduction", Field::Is(Ty::Bool)),
    ("reduction_efficiency", Field::Is(NUMBER)),
    ("links", Field::AtLeastOne),
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
    ("micro_batch", Field::AtLeastOne),
    ("keep_gathered", Field::Is(Ty::Bool)),
    ("first_stage", Field::Is(Ty::Count)),
    ("last_stage", Field::Is(Ty::Count)),
    ("context", Field::OneOf(&["gather", "ring"])),
    ("sequence", Field::OneOf(&["zigzag", "contiguous"])),
    ("recompute", Field::OneOf(&["none", "selective", "full", "discard"])),
    ("prefill", Field::Is(Ty::Any)),
    ("decode", Field::Is(Ty::Any)),
    ("offload", Field::Section),
    ("offload.weights", Field::Is(Ty::Word)),
    ("offload.cache", Field::Is(Ty::Word)),
    ("offload.state", Field::Is(Ty::Word)),
    ("offload.activations", Field::Is(Ty::Word)),
    ("offload.gradients", Field::Is(Ty::Word)),
    ("offload.optimizer", Field::Is(Ty::Word)),
    ("offload.share", Field::Is(NUMBER)),
    ("source", Field::Is(Ty::Text)),
];
const MODEL: &[(&str, Field)] = &[
    ("adapter", Field::Is(Ty::Kind(ItemKind::Block))),
    ("source", Field::Is(Ty::Text)),
    ("precision", Field::Section),
    ("precision.weights", Field::Is(Ty::Dtype)),
    ("precision.activations", Field::Is(Ty::Dtype)),
    ("precision.cache", Field::Is(Ty::Dtype)),
    ("precision.state", Field::Is(Ty::Dtype)),
    ("precision.gradients", Field::Is(Ty::Dtype)),
    ("precision.optimizer", Field::Is(Ty::Dtype)),
    ("precision.compute", Field::Is(Ty::Dtype)),
];
const DTYPE: &[(&str, Field)] = &[
    ("bits", Field::Is(NUMBER)),
    ("scale", Field::Is(Ty::Any)),
    ("zero", Field::Is(Ty::Any)),
    ("super", Field::Is(Ty::Any)),
    ("block", Field::Is(Ty::Any)),
    ("density", Field::Is(NUMBER)),
    ("index", Field::Is(NUMBER)),
    ("format", Field::Is(Ty::Dtype)),
    ("source", Field::Is(Ty::Text)),
];
const SCENARIO: &[(&str, Field)] = &[
    ("model", Field::Is(Ty::Kind(ItemKind::Model))),
    ("system", Field::Is(Ty::Kind(ItemKind::System))),
    ("plan", Field::Is(Ty::Kind(ItemKind::Plan))),
    ("adapter", Field::Is(Ty::Kind(ItemKind::Block))),
    ("runtime", Field::Is(Ty::Kind(ItemKind::Runtime))),
    ("precision", Field::Section),
    ("precision.weights", Field::Is(Ty::Dtype)),
    ("precision.activations", Field::Is(Ty::Dtype)),
    ("precision.cache", Field::Is(Ty::Dtype)),
    ("precision.state", Field::Is(Ty::Dtype)),
    ("precision.gradients", Field::Is(Ty::Dtype)),
    ("precision.optimizer", Field::Is(Ty::Dtype)),
    ("precision.compute", Field::Is(Ty::Dtype)),
    ("precision.saved", Field::Is(Ty::Dtype)),
    ("serve", Field::Section),
    ("serve.batch", Field::AtLeastOne),
    ("serve.prompt", Field::AtLeastOne),
    ("serve.output", Field::AtLeastOne),
    ("serve.images", Field::Is(Ty::Count)),
    ("serve.sources", Field::Is(Ty::Count)),
    ("serve.clips", Field::Is(Ty::Count)),
    ("train", Field::Section),
    ("train.batch", Field::AtLeastOne),
    ("train.seq", Field::AtLeastOne),
    ("train.tokens", Field::AtLeastOne),
    ("train.optimizer", Field::Is(Ty::Word)),
    ("train.frozen", Field::Is(Ty::Bool)),
    ("train.clip", Field::Is(NUMBER)),
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
        let mut parts = pattern.split('.');
        let mut is_next = |n: &Name| parts.next().is_some_and(|p| *n == p || (wild && p == "*"));
        path.iter().all(&mut is_next) && parts.next().is_none()
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
        Field::OneOf(_) => (*path, Some(Ty::Word)),
        Field::AtLeastOne => (*path, Some(Ty::Count)),
        Field::Section => (*path, None),
    })
}

/// What the declared field at a path holds; `None` for sections and where there is none.
#[must_use]
pub fn schema_type(kind: ItemKind, path: &[Name]) -> Option<Ty> {
    match field(kind, path)? {
        Field::Is(ty) => Some(ty),
        Field::OneOf(_) => Some(Ty::Word),
        Field::AtLeastOne => Some(Ty::Count),
        Field::Section => None,
    }
}

/// The words that a field may be, if it is one of some.
#[must_use]
pub fn field_words(kind: ItemKind, path: &[Name]) -> Option<&'static [&'static str]> {
    match field(kind, path)? {
        Field::OneOf(words) => Some(words),
        _ => None,
    }
}

/// Whether a bare word is wanted at a path, so that an unknown name is no mistake.
#[must_use]
pub fn wants_word(kind: ItemKind, path: &[Name]) -> bool {
    matches!(field(kind, path), Some(Field::Is(Ty::Word) | Field::OneOf(_)))
}

/// Checks a value against the declared field, if there is one.
pub fn check_field<'p>(
    checker: &mut Checker<'p>,
    kind: ItemKind,
    path: &[Name],
    value: Value<'p>,
    place: Place,
) -> Value<'p> {
    let value = of_declared_type(checker, kind, path, value, place);
    // The figures of the library are held to this by its tests.
    let theirs = checker.program.sources.file(place.file).origin != Source::Std;
    match (kind, &value) {
        (ItemKind::Chip | ItemKind::Link | ItemKind::System, Value::Num(id)) if theirs => {
            checker.within_bounds(*id, path, place).map_or(Value::Error, |()| value)
        }
        _ => value,
    }
}

fn of_declared_type<'p>(
    checker: &mut Checker<'p>,
    kind: ItemKind,
    path: &[Name],
    value: Value<'p>,
    place: Place,
) -> Value<'p> {
    // A chip is checked where the system reads it; what is no part is told by its name.
    if let (ItemKind::System, [name]) = (kind, path)
        && !of_any_system(*name)
    {
        return value;
    }
    let declared = field(kind, path);
    if let Some(Field::Is(ty)) = declared
        && ty != Ty::Count
        && checker.is_of(&value, ty)
    {
        return value;
    }
    let name: Vec<_> = path.iter().map(|n| n.text()).collect();
    let name = format!("`{}`", name.join("."));
    match declared {
        Some(Field::Is(ty)) => checker.expect_type(value, ty, place, &name),
        Some(Field::AtLeastOne) => {
            let value = checker.expect_type(value, Ty::Count, place, &name);
            checker.at_least_one(value, place, &name)
        }
        Some(Field::OneOf(words)) => {
            let value = checker.expect_type(value, Ty::Word, place, &name);
            let Value::Word(word) = value else { return value };
            if words.iter().any(|w| word == *w) {
                return value;
            }
            let title = format!("{name} cannot be `{word}`");
            let label = "not one of the words that are known here";
            let best = closest(word.text(), words.iter().copied());
            checker.report(
                Diagnostic::new(codes::OUT_OF_RANGE, title, place, label)
                    .note(listed("it is one of", words))
                    .meant(best, place, ""),
            );
            Value::Error
        }
        Some(Field::Section) => match value {
            Value::Object(ref object) if object.owner.is_some() => value,
            Value::Error | Value::Unknown(..) => value,
            other => {
                let names = names_below(kind, path);
                let what = other.describe();
                let mut diagnostic = Diagnostic::new(
                    codes::WRONG_TYPE,
                    format!("{name} holds settings of its own, and this is {what}"),
                    place,
                    "not settings",
                );
                if let Some(first) = names.first() {
                    let path = name.trim_matches('`');
                    diagnostic =
                        diagnostic.note(format!("set what is in it: `{path}.{first} = …`"));
                }
                checker.report(diagnostic);
                Value::Error
            }
        },
        None => value,
    }
}

/// Reports settings that a kind does not have; of an unknown section only the section.
pub fn check_names(checker: &mut Checker<'_>, object: &Object<'_>) {
    check_settings(checker, object, &object.entries);
}

/// Whether a setting takes a block, with values for its parameters or without.
#[must_use]
pub fn wants_block(kind: ItemKind, path: &[Name]) -> bool {
    matches!(field(kind, path), Some(Field::Is(Ty::Kind(ItemKind::Block))))
}

/// Reports settings for an object that its kind does not have.
pub fn check_settings(checker: &mut Checker<'_>, object: &Object<'_>, entries: &[Entry<'_>]) {
    for entry in unknown_settings(object, entries) {
        let first = entry.path.first();
        if object.kind == ItemKind::System && first.is_some_and(|n| !of_any_system(*n)) {
            report_unknown_part(checker, object, entry);
        } else if is_known(object, &entry.path) {
            report_stray(checker, object, entry);
        } else {
            report_unknown(checker, object, entry);
        }
    }
}

/// Settings for an object that its kind does not have; of an unknown section only the section.
fn unknown_settings<'e, 'p>(object: &Object<'_>, entries: &'e [Entry<'p>]) -> Vec<&'e Entry<'p>> {
    // A block with values for its parameters has these and no other fields.
    let has_fields = fields(object.kind).is_some() || object.kind == ItemKind::Block;
    let mut unknown: Vec<&Entry<'p>> = Vec::new();
    for entry in entries.iter().filter(|_| has_fields && object.owner.is_none()) {
        let inside = |u: &&Entry<'p>| entry.path.starts_with(&u.path);
        let known = || is_known(object, &entry.path) && !is_stray(object, entries, entry);
        if !unknown.iter().any(inside) && !known() {
            unknown.push(entry);
        }
    }
    unknown
}

fn is_known(object: &Object<'_>, path: &[Name]) -> bool {
    let Some(first) = path.first() else { return true };
    // What is inside of another item is checked against that.
    let other = |name: Name| {
        let kind = field(object.kind, &[name]);
        let phase = object.kind == ItemKind::Plan && (name == "prefill" || name == "decode");
        phase || matches!(kind, Some(Field::Is(Ty::Kind(_))))
    };
    let slot = object.slots.iter().any(|s| s.param.name.name == *first);
    if object.kind == ItemKind::System && !slot && !of_any_system(*first) {
        return parts_of_system(object, path.len() == 1).contains(first);
    }
    slot || field(object.kind, path).is_some() || (path.len() > 1 && other(*first))
}

/// Whether a figure is amended in a memory or an engine that is not there: it would have no effect.
/// A memory that is given both its figures is a new one.
pub(super) fn is_stray(object: &Object<'_>, entries: &[Entry<'_>], entry: &Entry<'_>) -> bool {
    let [section, name, ..] = &*entry.path else { return false };
    let machine = matches!(object.kind, ItemKind::Chip | ItemKind::System);
    if !machine || !entry.amends || names_in(object, *section).contains(name) {
        return false;
    }
    if *section == "compute" {
        return *name != "matrix" && *name != "vector";
    }
    let has = |figure: &str| {
        let path = [*section, *name, Name::new(figure)];
        entries.iter().any(|e| *e.path == path)
    };
    *section == "memory" && !(object.kind == ItemKind::Chip && has("capacity") && has("bandwidth"))
}

/// The memories or engines that an object was declared with.
fn names_in(object: &Object<'_>, section: Name) -> Vec<Name> {
    let declared = object.entries.iter().filter(|e| !e.amends);
    let mut names: Vec<Name> = declared
        .filter(|e| e.path.first() == Some(&section))
        .filter_map(|e| e.path.get(1).copied())
        .collect();
    names.dedup();
    names
}

fn report_stray(checker: &mut Checker<'_>, object: &Object<'_>, entry: &Entry<'_>) {
    let [section, name, ..] = &*entry.path else { return };
    let what = if *section == "memory" { "memory" } else { "engine" };
    let title = format!("{} has no {what} `{name}`", super::value::with_article(object.kind));
    let names = names_in(object, *section);
    let names: Vec<&str> = names.iter().map(|n| n.text()).collect();
    let best = closest(name.text(), names.iter().copied());
    checker.report(
        Diagnostic::new(codes::UNKNOWN_FIELD, title, entry.place, "would have no effect").meant(
            best,
            None,
            listed("it has", &names),
        ),
    );
}

/// Whether every system has a field of this name.
fn of_any_system(name: Name) -> bool {
    SYSTEM.iter().any(|(path, _)| name == *path)
}

/// The chips of a system and, unless these alone are meant, its levels.
fn parts_of_system(system: &Object<'_>, chips_alone: bool) -> Vec<Name> {
    let parts = system.stmts.iter().filter_map(|s| match &s.stmt.kind {
        StmtKind::Chip { name, .. } => Some(name.name),
        StmtKind::Level { name, .. } if !chips_alone => Some(name.name),
        _ => None,
    });
    parts.collect()
}

/// A part that a system does not have: `gpu.memory.hbm.capacity`, `gpu = …`.
fn report_unknown_part(checker: &mut Checker<'_>, system: &Object<'_>, entry: &Entry<'_>) {
    let Some(first) = entry.path.first() else { return };
    let alone = entry.path.len() == 1;
    let parts = parts_of_system(system, alone);
    let list: Vec<&str> = parts.iter().map(|n| n.text()).collect();
    let note = format!("its {}: {}", if alone { "chips" } else { "parts" }, list.join(", "));
    let others = if alone { names_below(ItemKind::System, &[]) } else { Vec::new() };
    let best = closest(first.text(), parts.iter().chain(&others).map(|n| n.text()));
    let title = format!("the system has no part `{first}`");
    let mut diagnostic = Diagnostic::new(codes::UNKNOWN_FIELD, title, entry.place, "not a part");
    // The same words wherever the parts are declared: a system and its copies are told once.
    let declared = system.stmts.iter().find_map(|s| match &s.stmt.kind {
        StmtKind::Chip { name, .. } => Some(s.outer.site().place(name.span)),
        _ => None,
    });
    if let Some(place) = declared {
        diagnostic = diagnostic.and(place, "a part that it has");
    }
    let span = entry.place.span;
    let end = span.start + first.text().len() as u32;
    let place = Place { span: Span::new(span.start, end.min(span.end)), ..entry.place };
    checker.report(diagnostic.note(note).meant(best, place, ""));
}

fn report_unknown(checker: &mut Checker<'_>, object: &Object<'_>, entry: &Entry<'_>) {
    let Some((last, before)) = entry.path.split_last() else { return };
    let mut names = names_below(object.kind, before);
    if before.is_empty() {
        names.extend(object.slots.iter().map(|s| s.param.name.name));
    }
    let shown: Vec<_> = entry.path.iter().map(|n| n.text()).collect();
    let role = matches!(before, [only] if *only == "precision");
    let diagnostic = if role {
        let title = format!("`{last}` is no role of tensors");
        Diagnostic::new(codes::UNKNOWN_ROLE, title, entry.place, "not a role")
    } else {
        let what = super::value::with_article(object.kind);
        let title = format!("{what} has no field `{}`", shown.join("."));
        Diagnostic::new(codes::UNKNOWN_FIELD, title, entry.place, "not a field")
    };
    let names: Vec<&str> = names.iter().map(|n| n.text()).collect();
    let best = closest(last.text(), names.iter().copied());
    checker.report(diagnostic.meant(best, entry.name_place(), listed("it may hold", &names)));
}
