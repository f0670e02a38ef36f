//! The values that `vary PATH in …` tries.
//!
//! In: an expression: a list, a range, or one of the functions below. Out: [`Values`], or what is
//! wrong with it: empty, reversed, without steps, of two dimensions, more than anybody can try.
//!
//! `[1, 2, 4]`, `1 .. 8`, `every(8 .. 64, 8)`, `pow2(1 .. 512)`, `powers(1 .. 1000, 10)`,
//! `linear(a .. b, n)`, `log(a .. b, n)`, `random(a .. b, n)`, `latin(a .. b, n)`.

use super::units::Unit;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::quantity::Dimension;
use crate::source::Place;
use crate::syntax::ast::{Arg, Expr, ExprKind};

/// The most values of one axis that are listed; random ones are not.
pub const MOST_LISTED: f64 = 100_000.0;
/// The most draws of a random axis.
pub const MOST_DRAWN: f64 = 1e12;

/// One value to try.
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    /// As it would be written: `4 TB/s`, `fp8`, `Tp(tp: 4)`.
    pub text: String,
    /// In base units, if it is a number.
    pub number: Option<f64>,
}

/// Values drawn at random from an interval.
#[derive(Clone, PartialEq, Debug)]
pub struct Drawn {
    /// The bounds, in `unit`.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// The unit, as written after a number.
    pub unit: String,
    /// What one of the unit is in base units.
    pub scale: Unit,
    /// Whether only whole numbers are drawn.
    pub whole: bool,
    /// How many are drawn.
    pub count: u64,
    /// What decides the draw.
    pub seed: u64,
    /// Whether each of `count` equal parts of the interval gets one draw.
    pub latin: bool,
}

/// What an axis of a sweep tries.
#[derive(Clone, PartialEq, Debug)]
pub enum Values {
    /// One after the other.
    List(Vec<Setting>),
    /// At random.
    Drawn(Drawn),
}

impl Values {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::List(list) => list.len() as u64,
            Self::Drawn(drawn) => drawn.count,
        }
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An interval as written.
struct Span {
    low: f64,
    high: f64,
    unit: String,
    scale: Unit,
    dimension: Dimension,
}

/// Functions that give values to try.
pub const FUNCTIONS: [&str; 7] = ["every", "pow2", "powers", "linear", "log", "random", "latin"];

impl<'p> Checker<'p> {
    /// The values that an axis tries; `whole` where it takes whole numbers only. Nothing where
    /// something is wrong (reported).
    pub(super) fn swept_values(
        &mut self,
        values: &'p Expr,
        whole: bool,
        env: &Env<'p>,
    ) -> Option<Values> {
        let place = env.site().place(values.span);
        let values = match &values.kind {
            ExprKind::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    let value = self.eval(item, env);
                    // Numbers that are computed are written out, so that they can be set.
                    let plain = matches!(item.kind, ExprKind::Number { .. });
                    let written = plain || !matches!(value, Value::Num(_));
                    let at = env.site().place(item.span);
                    list.push(self.setting(&value, written.then_some(at))?);
                }
                Values::List(list)
            }
            ExprKind::Range(..) => {
                let span = self.span_of(values, env)?;
                Values::List(self.steps(&span, 1.0, place)?)
            }
            ExprKind::Call { callee, args, .. } if matches!(&callee.kind, ExprKind::Name(n) if FUNCTIONS.contains(&n.text())) =>
            {
                let ExprKind::Name(name) = &callee.kind else { return None };
                self.generated(name.text(), args, whole, place, env)?
            }
            ExprKind::Error => return None,
            _ => {
                let value = self.eval(values, env);
                match &value {
                    Value::List(items) => {
                        let list = items.iter().map(|v| self.setting(v, None));
                        Values::List(list.collect::<Option<_>>()?)
                    }
                    Value::Error => return None,
                    other => {
                        let what = other.describe();
                        let title = format!("`vary` wants the values to try, and this is {what}");
                        let label = "a list or a range is wanted here";
                        let note = "write `[1, 2, 4]`, `1 .. 8` or `pow2(1 .. 512)`";
                        let diagnostic = Diagnostic::new(codes::WRONG_TYPE, title, place, label);
                        self.report(diagnostic.note(note));
                        return None;
                    }
                }
            }
        };
        if let (true, Values::List(list)) = (whole, &values)
            && let Some(wrong) = list.iter().find(|s| s.number.is_some_and(|v| libm::floor(v) != v))
        {
            let title = format!("whole numbers are wanted, and `{}` is among these", wrong.text);
            self.report(Diagnostic::new(codes::NOT_A_COUNT, title, place, "not all whole"));
            return None;
        }
        if values.is_empty() {
            self.bad_range("there is nothing to try", place, "no value", "name at least one");
            return None;
        }
        Some(values)
    }

    fn setting(&mut self, value: &Value<'p>, place: Option<Place>) -> Option<Setting> {
        let source = place.map(|p| self.program.sources.text(p).to_owned());
        Some(match value {
            Value::Error => return None,
            Value::Num(id) => {
                let number = self.graph.value(*id);
                let unit = self.graph.dimension(*id).unit();
                let text =
                    if unit.is_empty() { number.to_string() } else { format!("{number} {unit}") };
                Setting { text: source.unwrap_or(text), number: Some(number) }
            }
            other => {
                let text = source.unwrap_or_else(|| self.show_value(other));
                Setting { text, number: None }
            }
        })
    }

    /// `a .. b` with the unit of its lower bound.
    fn span_of(&mut self, expr: &'p Expr, env: &Env<'p>) -> Option<Span> {
        let place = env.site().place(expr.span);
        let ExprKind::Range(a, b) = &expr.kind else {
            let note = "write `1 .. 512`";
            self.bad_range("a range is wanted here", place, "not `a .. b`", note);
            return None;
        };
        let (low, high) = match (self.eval(a, env), self.eval(b, env)) {
            (Value::Num(low), Value::Num(high)) => (low, high),
            (Value::Error, _) | (_, Value::Error) => return None,
            _ => {
                let note = "the bounds are quantities of one dimension";
                self.bad_range(
                    "a range goes from a number to a number",
                    place,
                    "not numbers",
                    note,
                );
                return None;
            }
        };
        let (x, y) = (self.graph.dimension(low), self.graph.dimension(high));
        if x != y {
            let title = format!("the range starts at {x} and ends at {y}");
            self.report(Diagnostic::new(codes::WRONG_DIMENSION, title, place, "two dimensions"));
            return None;
        }
        let unit = match &a.kind {
            ExprKind::Number { unit: Some(unit), .. } => Some(unit),
            _ => None,
        };
        let scale = unit.and_then(|u| self.program.unit_expr(u).ok());
        let (text, scale) = match (unit, scale) {
            (Some(unit), Some(scale)) => {
                let text = self.program.sources.text(env.site().place(unit.span));
                (text.to_owned(), scale)
            }
            _ => (x.unit(), Unit { factor: 1.0, dimension: x }),
        };
        let literal = |expr: &Expr, value: f64| match &expr.kind {
            ExprKind::Number { value, unit: None, .. } => *value,
            ExprKind::Number { value, unit: Some(u), .. } => {
                let same = self.program.sources.text(env.site().place(u.span)) == text;
                if same { *value } else { self.graph.value(high) / scale.scale(1.0) }
            }
            _ => value / scale.scale(1.0),
        };
        let (first, last) = (literal(a, self.graph.value(low)), literal(b, self.graph.value(high)));
        if !first.is_finite() || !last.is_finite() {
            let note = "both bounds are known when a sweep starts";
            self.bad_range("the bounds of this range are not known", place, "no numbers", note);
            return None;
        }
        if first > last {
            let shown = self.program.sources.text(place).to_owned();
            let title = format!("`{shown}` is empty: it ends before it starts");
            self.bad_range(&title, place, "reversed", "write the smaller bound first");
            return None;
        }
        Some(Span { low: first, high: last, unit: text, scale, dimension: x })
    }

    fn generated(
        &mut self,
        function: &str,
        args: &'p [Arg],
        whole: bool,
        place: Place,
        env: &Env<'p>,
    ) -> Option<Values> {
        let (ranges, named): (Vec<&Arg>, Vec<&Arg>) = args.iter().partition(|a| {
            a.name.is_none() && matches!(&a.value, Some(e) if matches!(e.kind, ExprKind::Range(..)))
        });
        let Some(range) = ranges.first().and_then(|a| a.value.as_ref()) else {
            let note = format!(
                "write `{function}(1 .. 512{})`",
                if function == "pow2" { "" } else { ", 8" }
            );
            self.bad_range(&format!("`{function}` wants a range"), place, "no range", &note);
            return None;
        };
        let span = self.span_of(range, env)?;
        let mut given: [Option<(f64, Dimension, Place)>; 2] = [None, None];
        let mut next = 0;
        for arg in named {
            let at = env.site().place(arg.span);
            let position = match arg.name.map(|n| n.name) {
                None => next,
                Some(name) if name == "seed" => 1,
                Some(name) if ["points", "step", "base"].contains(&name.text()) => 0,
                Some(name) => {
                    let title = format!("`{function}` takes no `{name}`");
                    let note = "a range, then a number: of points, a step or a base";
                    self.bad_range(&title, at, "not known", note);
                    return None;
                }
            };
            next = position + 1;
            match arg.value.as_ref().map(|v| self.eval(v, env)) {
                Some(Value::Num(id)) => {
                    let (value, dimension) = (self.graph.value(id), self.graph.dimension(id));
                    if let Some(slot) = given.get_mut(position) {
                        *slot = Some((value, dimension, at));
                    }
                }
                Some(Value::Error) => return None,
                _ => {
                    let title = format!("`{function}` wants a number here");
                    self.bad_range(&title, at, "not a number", "write `seed: 1`");
                    return None;
                }
            }
        }
        let [number, seed] = given;
        let seed = seed.map_or(1, |(v, ..)| v as u64);
        match function {
            "pow2" => self.powers(&span, 2.0, place),
            "powers" => {
                let (base, ..) = self.wanted(number, function, "a base", place)?;
                self.powers(&span, base, place)
            }
            "every" => {
                let (step, dimension, at) = self.wanted(number, function, "a step", place)?;
                if dimension != span.dimension {
                    let title =
                        format!("the range is {}, and its step {dimension}", span.dimension);
                    self.report(Diagnostic::new(codes::WRONG_DIMENSION, title, at, "the step"));
                    return None;
                }
                self.steps(&span, step / span.scale.scale(1.0), at).map(Values::List)
            }
            "linear" | "log" => {
                let (points, _, at) = self.wanted(number, function, "a number of points", place)?;
                self.spread(&span, points, function == "log", whole, (place, at))
            }
            _ => {
                let (count, _, at) = self.wanted(number, function, "a number of draws", place)?;
                if !(1.0..=MOST_DRAWN).contains(&count) || libm::floor(count) != count {
                    let title = format!("{} draws cannot be made", super::show_number(count));
                    self.bad_range(&title, at, "how many", "take 1 to 10^12");
                    return None;
                }
                let Span { low, high, unit, scale, .. } = span;
                let (count, latin) = (count as u64, function == "latin");
                Some(Values::Drawn(Drawn { low, high, unit, scale, whole, count, seed, latin }))
            }
        }
    }

    fn wanted(
        &mut self,
        given: Option<(f64, Dimension, Place)>,
        function: &str,
        what: &str,
        place: Place,
    ) -> Option<(f64, Dimension, Place)> {
        if given.is_none() {
            let title = format!("`{function}` wants {what} after its range");
            let note = format!("write `{function}(1 .. 512, 8)`");
            self.bad_range(&title, place, "only a range", &note);
        }
        given
    }

    /// Every `step` from the lower bound on.
    fn steps(&mut self, span: &Span, step: f64, place: Place) -> Option<Vec<Setting>> {
        if step <= 0.0 || !step.is_finite() {
            let title = format!("a step of {} leads nowhere", super::show_number(step));
            self.bad_range(&title, place, "the step", "take a step above 0");
            return None;
        }
        let count = libm::floor((span.high - span.low) / step + 1e-9) + 1.0;
        self.few_enough(count, place)?;
        let at = |i: u64| span.low + i as f64 * step;
        Some((0..count as u64).map(|i| span.setting(at(i))).collect())
    }

    fn powers(&mut self, span: &Span, base: f64, place: Place) -> Option<Values> {
        if span.low <= 0.0 || base <= 1.0 || !base.is_finite() {
            let (low, base) = (super::show_number(span.low), super::show_number(base));
            let title = format!("there are no powers of {base} from {low} on");
            let note = "start above 0, and take a base above 1";
            self.bad_range(&title, place, "powers", note);
            return None;
        }
        // Powers inside of the range: 2^0, 2^1, …, not multiples of the lower bound.
        let mut power = 1.0;
        while power > span.low {
            power /= base;
        }
        while power < span.low {
            power *= base;
        }
        let mut list = Vec::new();
        while power <= span.high && list.len() < 2000 {
            list.push(span.setting(power));
            power *= base;
        }
        Some(Values::List(list))
    }

    fn spread(
        &mut self,
        span: &Span,
        points: f64,
        log: bool,
        whole: bool,
        (place, at): (Place, Place),
    ) -> Option<Values> {
        if points < 1.0 || libm::floor(points) != points {
            let title = format!("a range has no {} points", super::show_number(points));
            self.bad_range(&title, at, "how many", "take a whole number from 1 on");
            return None;
        }
        self.few_enough(points, at)?;
        if log && span.low <= 0.0 {
            let title = "a logarithmic range starts above 0";
            self.bad_range(title, place, "starts at 0 or below", "start at 1, or use `linear`");
            return None;
        }
        let mut list: Vec<Setting> = Vec::new();
        for i in 0..points as u64 {
            let share = if points > 1.0 { i as f64 / (points - 1.0) } else { 0.0 };
            let mut value = if log {
                span.low * libm::pow(span.high / span.low, share)
            } else {
                span.low + (span.high - span.low) * share
            };
            // The ends are exact.
            if i > 0 && i as f64 == points - 1.0 {
                value = span.high;
            }
            let setting = span.setting(if whole { libm::round(value) } else { value });
            if list.last().is_none_or(|l| *l != setting) {
                list.push(setting);
            }
        }
        Some(Values::List(list))
    }

    fn few_enough(&mut self, count: f64, place: Place) -> Option<()> {
        if count <= MOST_LISTED {
            return Some(());
        }
        let title = format!("{} values are too many for one axis", super::show_number(count));
        let note = "take a larger step, or draw some: `random(1 .. 1e9, 100000)`";
        self.bad_range(&title, place, "at most 100,000", note);
        None
    }

    fn bad_range(&mut self, title: &str, place: Place, label: &str, note: &str) {
        self.report(Diagnostic::new(codes::BAD_RANGE, title, place, label).note(note));
    }
}

impl Span {
    fn setting(&self, literal: f64) -> Setting {
        let text = if self.unit.is_empty() {
            literal.to_string()
        } else {
            format!("{literal} {}", self.unit)
        };
        Setting { text, number: Some(self.scale.scale(literal)) }
    }
}
