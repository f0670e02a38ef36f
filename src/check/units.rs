//! Units and dimensions by name, resolved from `unit` and `dimension` items on first use.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::program::{ItemRef, Program};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, ItemKind, Type, UnitExpr};

/// A unit: how many base units it is, and what it measures.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Unit {
    /// Base units per unit.
    pub factor: f64,
    /// What it measures.
    pub dimension: Dimension,
}

impl Unit {
    /// `value` of this unit in base units, rounded once: 7 % is 7 ÷ 100, not 7 × 0.01.
    #[must_use]
    pub fn scale(self, value: f64) -> f64 {
        let inverse = 1.0 / self.factor;
        if self.factor < 1.0 && libm::round(inverse) / inverse == 1.0 {
            value / libm::round(inverse)
        } else {
            value * self.factor
        }
    }
}

/// Units already looked up.
#[derive(Default)]
pub struct Units {
    known: RwLock<FxHashMap<Name, Option<Unit>>>,
}

impl Units {
    fn note(&self, name: Name, unit: Option<Unit>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, unit);
    }
}

thread_local! {
    /// Units that this thread is looking up, each with the address of those of its program. Other
    /// threads may share the program: to them a unit that is not known yet is not a circle.
    static LOOKING: RefCell<Vec<(usize, Name)>> = const { RefCell::new(Vec::new()) };
}

/// A unit that is being looked up, as long as this lives.
struct Open;

impl Open {
    /// Nothing if it is being looked up already: a circle ends here.
    fn new(key: (usize, Name)) -> Option<Self> {
        LOOKING.with_borrow_mut(|looking| {
            let circle = looking.contains(&key);
            (!circle).then(|| {
                looking.push(key);
                Self
            })
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        LOOKING.with_borrow_mut(|looking| looking.pop());
    }
}

const NUMBER: Unit = Unit { factor: 1.0, dimension: Dimension::NONE };

impl Program {
    /// The unit called `name`: the library's, or one that a user's file declares.
    #[must_use]
    pub fn unit(&self, name: Name) -> Option<Unit> {
        if name == "%" {
            return Some(Unit { factor: 0.01, dimension: Dimension::NONE });
        }
        let units = self.units.get_or_init(Arc::default);
        let known = units.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&name) {
            return *known;
        }
        drop(known);
        let _open = Open::new((Arc::as_ptr(units) as usize, name))?;
        let unit = super::limits::on_stack(|| {
            self.any_unit(name).and_then(|item| self.declared_unit(item))
        });
        units.note(name, unit);
        unit
    }
    /// The names from a unit back to itself, if it depends on itself.
    #[must_use]
    pub fn unit_circle(&self, name: Name) -> Option<Vec<Name>> {
        let mut path = vec![name];
        loop {
            let item = self.any_unit(*path.last()?)?;
            let mut parts = Vec::new();
            crate::check::lint::each_expr(item.item, &mut |expr| match &expr.kind {
                ExprKind::Number { unit: Some(unit), .. } => {
                    parts.extend(unit.parts.iter().map(|(part, _)| part.name));
                }
                ExprKind::Name(name) => parts.push(*name),
                _ => {}
            });
            let next = parts.into_iter().find(|part| self.unit(*part).is_none())?;
            if next == name {
                return Some(path);
            }
            if path.contains(&next) {
                return None;
            }
            path.push(next);
        }
    }
    pub(super) fn any_unit(&self, name: Name) -> Option<ItemRef<'_>> {
        let std = self.std_module("units").into_iter();
        let users = self.modules().filter(|(_, m)| m.std_path.is_none()).map(|(id, _)| id);
        let mut modules = std.chain(users);
        modules.find_map(|m| self.unit_item(m, name))
    }
    fn declared_unit(&self, item: ItemRef<'_>) -> Option<Unit> {
        if let Some(value) = &item.item.value {
            return self.unit_of(value);
        }
        let dimension = self.dimension(item.item.result.as_ref()?)?;
        Some(Unit { factor: 1.0, dimension })
    }
    /// The quantity that an expression of numbers and units is: `1024 MiB`, `J / s`.
    #[must_use]
    pub fn unit_of(&self, expr: &Expr) -> Option<Unit> {
        match &expr.kind {
            ExprKind::Number { value, unit, .. } => {
                let unit = unit.as_ref().map_or(Some(NUMBER), |u| self.unit_expr(u).ok())?;
                Some(Unit { factor: unit.scale(*value), dimension: unit.dimension })
            }
            ExprKind::Name(name) => self.unit(*name),
            ExprKind::Paren(inner) => self.unit_of(inner),
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.unit_of(a)?, self.unit_of(b)?);
                match op {
                    BinaryOp::Mul => Some(a.times(b, 1)),
                    BinaryOp::Div => Some(a.times(b, -1)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
    /// The unit written after a number.
    ///
    /// # Errors
    /// The position of the part that is not a unit.
    pub fn unit_expr(&self, unit: &UnitExpr) -> Result<Unit, usize> {
        let mut product = NUMBER;
        for (i, (part, exponent)) in unit.parts.iter().enumerate() {
            let part = self.unit(part.name).ok_or(i)?;
            product = product.times(part, *exponent);
        }
        Ok(product)
    }
    /// All unit names, for suggestions.
    pub fn unit_names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        for (id, module) in self.modules() {
            if module.std_path.is_none_or(|p| p == "units") {
                let units = self.names(id).filter(|(_, kind)| *kind == ItemKind::Unit);
                names.extend(units.map(|(name, _)| name));
            }
        }
        names
    }
    /// The dimension that a type names, if it is one: `Bytes`, `Bytes / Time`.
    #[must_use]
    pub fn dimension(&self, ty: &Type) -> Option<Dimension> {
        let mut product = Dimension::NONE;
        for (part, exponent) in &ty.parts {
            product = product.times(self.dimension_named(part.name, 0)?.power(*exponent));
        }
        Some(product)
    }
    /// Whether a name is that of a dimension, sound or not.
    pub(super) fn names_dimension(&self, name: Name) -> bool {
        name == "Number"
            || name == "Count"
            || Dimension::base(name.text()).is_some()
            || self.dimension_item(name).is_some()
    }
    /// The dimension that keeps another one from having a meaning.
    pub(super) fn unresolved_part(&self, item: ItemRef<'_>) -> Option<ItemRef<'_>> {
        let mut found = None;
        crate::check::lint::each_expr(item.item, &mut |expr| {
            if let ExprKind::Name(name) = &expr.kind
                && found.is_none()
                && self.dimension_named(*name, 0).is_none()
            {
                found = self.dimension_item(*name);
            }
        });
        found
    }
    fn dimension_item(&self, name: Name) -> Option<ItemRef<'_>> {
        let item = self.std_module("units").and_then(|m| self.item(m, name)).or_else(|| {
            let mut users = self.modules().filter(|(_, m)| m.std_path.is_none());
            users.find_map(|(id, _)| self.item(id, name))
        })?;
        (item.item.kind == ItemKind::Dimension).then_some(item)
    }
    pub(crate) fn dimension_named(&self, name: Name, depth: u8) -> Option<Dimension> {
        if name == "Number" || name == "Count" {
            return Some(Dimension::NONE);
        }
        if let Some(base) = Dimension::base(name.text()) {
            return Some(base);
        }
        let item = self.dimension_item(name)?;
        if depth > 16 {
            return None;
        }
        self.dimension_of(item.item.value.as_ref()?, depth + 1)
    }
    fn dimension_of(&self, expr: &Expr, depth: u8) -> Option<Dimension> {
        match &expr.kind {
            ExprKind::Name(name) => self.dimension_named(*name, depth),
            ExprKind::Number { value: 1.0, .. } => Some(Dimension::NONE),
            ExprKind::Paren(inner) => self.dimension_of(inner, depth),
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.dimension_of(a, depth)?, self.dimension_of(b, depth)?);
                match op {
                    BinaryOp::Mul => Some(a.times(b)),
                    BinaryOp::Div => Some(a.over(b)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl Unit {
    fn times(self, other: Self, exponent: i8) -> Self {
        let mut factor = self.factor;
        for _ in 0..exponent.unsigned_abs() {
            factor = if exponent > 0 { factor * other.factor } else { factor / other.factor };
        }
        let dimension = self.dimension.times(other.dimension.power(exponent));
        Self { factor, dimension }
    }
}

/// The unit that a spelling of other places means.
#[must_use]
pub fn meant_by(spelling: &str) -> Option<&'static str> {
    // A small b is a bit, an eighth of a byte.
    let bits = match spelling {
        "b" | "bits" => Some("bit"),
        "kb" | "Kb" | "Kbit" => Some("kbit"),
        "Mb" | "mbit" => Some("Mbit"),
        "Gb" | "gbit" => Some("Gbit"),
        "Tb" | "tbit" => Some("Tbit"),
        "bps" => Some("bit/s"),
        "kbps" | "Kbps" => Some("kbit/s"),
        "Mbps" | "mbps" => Some("Mbit/s"),
        "Gbps" | "gbps" => Some("Gbit/s"),
        "Tbps" | "tbps" => Some("Tbit/s"),
        _ => None,
    };
    bits.or_else(|| meant_by_word(spelling))
}

fn meant_by_word(spelling: &str) -> Option<&'static str> {
    Some(match spelling.to_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "msec" | "millisecond" | "milliseconds" => "ms",
        "usec" | "µs" | "microsecond" | "microseconds" => "us",
        "mins" | "minute" | "minutes" => "min",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "days" => "day",
        "byte" | "bytes" => "B",
        "flop" | "flops" => "FLOP/s",
        "gflops" => "GFLOP/s",
        "tflops" | "tops" => "TFLOP/s",
        "pflops" => "PFLOP/s",
        "kbps" => "kB/s",
        "mbps" => "MB/s",
        "gbps" => "GB/s",
        "tbps" => "TB/s",
        "token" | "tokens" | "toks" => "tok",
        "watt" | "watts" => "W",
        "joule" | "joules" => "J",
        "dollar" | "dollars" | "$" => "USD",
        "devices" | "gpu" | "gpus" => "device",
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn threads_that_share_a_program_know_the_same_units() {
        for _ in 0..50 {
            let program = Program::of_text("a.mesa", "");
            let name = Name::new("TB");
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                let look = || {
                    start.wait();
                    program.unit(name).is_some()
                };
                let all: Vec<_> = (0..4).map(|_| scope.spawn(look)).collect();
                assert!(all.into_iter().all(|thread| thread.join().unwrap()));
            });
        }
    }
}
