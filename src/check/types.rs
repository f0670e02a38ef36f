//! Types as they are written, and whether a value is of one.

use super::value::{Value, with_article};
use super::{AUTO, Checker, codes};
use crate::diagnostic::{Diagnostic, closest};
use crate::expr::Op;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::{ItemKind, Param, Type};

use super::value::Env;

/// What a parameter or a field may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    /// A number with a dimension.
    Quantity(Dimension),
    /// A non-negative whole number.
    Count,
    /// A list of whole numbers.
    Counts,
    /// A condition.
    Bool,
    /// A text.
    Text,
    /// A bare word.
    Word,
    /// A number format.
    Dtype,
    /// A tensor.
    Tensor,
    /// An axis, or a list of them.
    Axis,
    /// `seq -> ctx`.
    Rename,
    /// An object of a kind.
    Kind(ItemKind),
    /// Anything.
    Any,
}

impl Ty {
    /// The type with its article, for messages.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Quantity(Dimension::NONE) => "a number".into(),
            Self::Quantity(d) => format!("a quantity of {d} ({})", d.unit()),
            Self::Count => "a count".into(),
            Self::Counts => "a list of counts".into(),
            Self::Bool => "a condition".into(),
            Self::Text => "a text".into(),
            Self::Word => "a word".into(),
            Self::Dtype => "a dtype".into(),
            Self::Tensor => "a tensor".into(),
            Self::Axis => "an axis".into(),
            Self::Rename => "a renaming `a -> b`".into(),
            Self::Kind(kind) => with_article(kind),
            Self::Any => "a value".into(),
        }
    }
}

impl<'p> Checker<'p> {
    /// The type that is written; `None` (reported) where there is no such type.
    pub fn resolve_type(&mut self, ty: &Type, env: &Env<'p>) -> Option<Ty> {
        let key = std::ptr::from_ref(ty) as usize;
        if let Some(known) = self.types.get(&key) {
            return Some(*known);
        }
        let resolved = self.resolve_new_type(ty, env)?;
        self.types.insert(key, resolved);
        Some(resolved)
    }

    fn resolve_new_type(&mut self, ty: &Type, env: &Env<'p>) -> Option<Ty> {
        if let [(name, 1)] = ty.parts.as_slice() {
            let plain = match name.name.text() {
                "Count" => Some(Ty::Count),
                "Counts" => Some(Ty::Counts),
                "Bool" => Some(Ty::Bool),
                "Text" => Some(Ty::Text),
                "Word" => Some(Ty::Word),
                "Dtype" => Some(Ty::Dtype),
                "Tensor" => Some(Ty::Tensor),
                "Axis" => Some(Ty::Axis),
                "Rename" => Some(Ty::Rename),
                "Chip" => Some(Ty::Kind(ItemKind::Chip)),
                "Link" => Some(Ty::Kind(ItemKind::Link)),
                "System" => Some(Ty::Kind(ItemKind::System)),
                "Plan" => Some(Ty::Kind(ItemKind::Plan)),
                "Model" => Some(Ty::Kind(ItemKind::Model)),
                "Runtime" => Some(Ty::Kind(ItemKind::Runtime)),
                "Scenario" => Some(Ty::Kind(ItemKind::Scenario)),
                "Op" => Some(Ty::Kind(ItemKind::Op)),
                "Block" => Some(Ty::Kind(ItemKind::Block)),
                "Group" | "Any" => Some(Ty::Any),
                _ => None,
            };
            if plain.is_some() {
                return plain;
            }
        }
        if let Some(dimension) = self.program.dimension(ty) {
            return Some(Ty::Quantity(dimension));
        }
        // A dimension that means nothing is reported where it is declared.
        let unknown = ty.parts.iter().find(|(part, _)| !self.program.names_dimension(part.name));
        if let Some((part, _)) = unknown {
            let place = env.site().place(part.span);
            self.report_unknown_type(part.name.text(), place);
        }
        None
    }

    pub(super) fn report_unknown_type(&mut self, name: &str, place: Place) {
        let known = [
            "Count",
            "Number",
            "Bool",
            "Text",
            "Dtype",
            "Tensor",
            "Axis",
            "Link",
            "Chip",
            "Bytes",
            "Time",
            "Flop",
            "Energy",
            "Money",
            "Tokens",
            "Devices",
            "Bandwidth",
            "Power",
            "Op",
            "Block",
        ];
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_TYPE,
            format!("there is no type `{name}`"),
            place,
            "not a type",
        );
        let best = closest(name, known.iter().copied());
        self.report(diagnostic.meant(best, place, ""));
    }

    /// Checks an argument against the declared type of its parameter.
    pub fn check_param_type(
        &mut self,
        param: &Param,
        site: &Env<'p>,
        value: Value<'p>,
        place: Place,
    ) -> Value<'p> {
        let Some(ty) = &param.ty else { return value };
        if matches!(value, Value::None) && ty.optional {
            return value;
        }
        let Some(resolved) = self.resolve_type(ty, site) else { return value };
        if self.is_of(&value, resolved) {
            if let (Value::Num(id), Ty::Count) = (&value, resolved) {
                self.guards.push(super::Guard::Whole(*id));
            }
            return value;
        }
        self.expect_type(value, resolved, place, &format!("`{}`", param.name.name))
    }

    /// Whether a value is of a type as it stands: the common case, without words for an error.
    pub(super) fn is_of(&self, value: &Value<'p>, ty: Ty) -> bool {
        match (value, ty) {
            (Value::Num(id), Ty::Quantity(wanted)) => self.graph.dimension(*id) == wanted,
            (Value::Num(id), Ty::Count) => {
                let v = self.graph.value(*id);
                let whole = v.is_nan() || (v >= 0.0 && libm::floor(v) == v);
                whole && self.graph.dimension(*id).is_none()
            }
            (Value::Object(o), Ty::Kind(kind)) => o.kind == kind && o.owner.is_none(),
            (Value::Item(i), Ty::Kind(kind)) => i.item.kind == kind,
            (Value::Bool(_) | Value::Truth(_), Ty::Bool) | (Value::Tensor(_), Ty::Tensor) => true,
            (Value::List(items), Ty::Counts) => items.iter().all(|i| self.is_of(i, Ty::Count)),
            (_, Ty::Any) => true,
            _ => false,
        }
    }

    /// The value, if it is of this type; otherwise an error is reported at `place`.
    pub fn expect_type(&mut self, value: Value<'p>, ty: Ty, place: Place, what: &str) -> Value<'p> {
        match (&value, ty) {
            (Value::Error, _) | (_, Ty::Any) => value,
            // A plan or a degree that is left open.
            (Value::Word(name), Ty::Count | Ty::Kind(ItemKind::Plan)) if *name == AUTO => value,
            (Value::Num(id), Ty::Quantity(wanted)) => {
                let got = self.graph.dimension(*id);
                if got == wanted {
                    return value;
                }
                self.report(dimension_error(what, wanted, got, place));
                Value::Error
            }
            (Value::Axis(axis), Ty::Quantity(Dimension::NONE) | Ty::Count) => {
                match self.axis_size(*axis) {
                    Some(id) => Value::Num(id),
                    None => value,
                }
            }
            (Value::Num(id), Ty::Count) => {
                let (id, got) = (*id, self.graph.dimension(*id));
                if !got.is_none() {
                    self.report(dimension_error(what, Dimension::NONE, got, place));
                    return Value::Error;
                }
                self.guards.push(super::Guard::Whole(id));
                if let Some(v) = self.graph.known(id)
                    && (v < 0.0 || libm::floor(v) != v)
                {
                    self.report_not_count(id, v, place, what);
                    return Value::Error;
                }
                value
            }
            (Value::Bool(_) | Value::Truth(_), Ty::Bool)
            | (Value::Text(_), Ty::Text)
            | (Value::Word(_), Ty::Word)
            | (Value::Tensor(_), Ty::Tensor)
            | (Value::Axis(_) | Value::Axes(_) | Value::List(_), Ty::Axis)
            | (Value::Arrow(_), Ty::Rename) => value,
            (Value::Object(o), Ty::Dtype) if o.kind == ItemKind::Dtype => value,
            (Value::Unknown(kind, path), Ty::Kind(wanted))
                if *kind == wanted && path.is_empty() =>
            {
                value
            }
            (Value::Item(i), Ty::Kind(kind)) if i.item.kind == kind => value,
            (Value::Object(o), Ty::Kind(kind))
                if (o.kind == kind
                    || (o.kind == ItemKind::Measured && kind == ItemKind::Scenario))
                    && o.owner.is_none() =>
            {
                value
            }
            // A phase-wise plan is a section; `plan` settings check it themselves.
            (Value::Object(o), Ty::Kind(ItemKind::Plan)) if o.owner.is_some() => value,
            (Value::Record(_), Ty::Kind(_)) => value,
            (_, Ty::Kind(_) | Ty::Dtype) if value.declaration().is_some() => {
                self.report_kind(&value, ty, place, what);
                Value::Error
            }
            _ => {
                let got = value.describe();
                let wanted = ty.describe();
                self.report(Diagnostic::new(
                    codes::WRONG_TYPE,
                    format!("{what} wants {wanted}, and this is {got}"),
                    place,
                    format!("{wanted} is wanted here"),
                ));
                Value::Error
            }
        }
    }

    /// A count that must not be 0.
    pub(super) fn at_least_one(&mut self, value: Value<'p>, place: Place, what: &str) -> Value<'p> {
        let Value::Num(id) = value else { return value };
        self.guards.push(super::Guard::AtLeastOne(id));
        if self.graph.known(id).is_none_or(|v| v >= 1.0) {
            return value;
        }
        let shown = super::show_number(self.graph.value(id));
        self.report(Diagnostic::new(
            codes::OUT_OF_RANGE,
            format!("{what} must be at least 1, and this is {shown}"),
            place,
            "less than 1",
        ));
        Value::Error
    }

    /// A thing with a name, of another kind than is wanted.
    fn report_kind(&mut self, value: &Value<'p>, ty: Ty, place: Place, what: &str) {
        let Some(item) = value.declaration() else { return };
        let (wanted, got) = (ty.describe(), value.describe());
        let mut diagnostic = Diagnostic::new(
            codes::WRONG_KIND,
            format!("{what} wants {wanted}, and `{}` is {got}", item.item.name.name),
            place,
            format!("{wanted} is wanted here"),
        )
        .and(item.name_place(), "declared here");
        if matches!(value, Value::Item(_)) {
            diagnostic = diagnostic.note(format!("call it: `{}(…)`", item.item.name.name));
        }
        self.report(diagnostic);
    }

    fn report_not_count(&mut self, id: crate::expr::ExprId, v: f64, place: Place, what: &str) {
        let shown = crate::check::show_number(v);
        let wanted = if v < 0.0 { "cannot be negative" } else { "must be a whole number" };
        let mut diagnostic = Diagnostic::new(
            codes::NOT_A_COUNT,
            format!("{what} {wanted}, and this is {shown}"),
            place,
            "not a count",
        );
        let inner = self.graph.unnamed(id);
        let node = self.graph.node(inner);
        let operands: Vec<_> = node.operands().collect();
        if let (Op::Div, [a, b]) = (node.op, operands.as_slice())
            && let (Some(a), Some(b)) = (self.graph.known(*a), self.graph.known(*b))
            && a > 0.0
            && a < 1e9
        {
            let divisors = divisors(a as u64);
            let list: Vec<_> = divisors.iter().take(16).map(u64::to_string).collect();
            for operand in &operands {
                if let Some(origin) = self.graph.origin_of(*operand)
                    && self.graph.named_operand(*operand).is_some()
                {
                    let v = crate::check::show_number(self.graph.value(*operand));
                    diagnostic = diagnostic.and(origin.place, format!("`{}` is {v}", origin.name));
                }
            }
            diagnostic = diagnostic.note(format!(
                "{} is not divisible by {}, but by {}",
                crate::check::show_number(a),
                crate::check::show_number(b),
                list.join(" "),
            ));
        }
        self.report(diagnostic);
    }
}

/// All divisors, ascending.
#[must_use]
pub fn divisors(n: u64) -> Vec<u64> {
    let mut low = Vec::new();
    let mut high = Vec::new();
    let mut d = 1;
    while d * d <= n {
        if n.is_multiple_of(d) {
            low.push(d);
            if d * d != n {
                high.push(n / d);
            }
        }
        d += 1;
    }
    low.extend(high.into_iter().rev());
    low
}

fn dimension_error(what: &str, wanted: Dimension, got: Dimension, place: Place) -> Diagnostic {
    if got.is_none() {
        return Diagnostic::new(
            codes::MISSING_UNIT,
            format!("{what} needs a unit"),
            place,
            format!("a plain number, where {wanted} is wanted"),
        )
        .note(format!("write the unit after the number, for example in {}", wanted.unit()));
    }
    let wanted_text = if wanted.is_none() {
        "a plain number".to_owned()
    } else {
        format!("{wanted} ({})", wanted.unit())
    };
    Diagnostic::new(
        codes::WRONG_DIMENSION,
        format!("{what} wants {wanted_text}, and this is {got}"),
        place,
        format!("this is {got} ({})", got.unit()),
    )
}
