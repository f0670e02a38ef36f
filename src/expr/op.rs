//! The operators of the expression graph and what they compute.

/// An operator. Booleans are 0 and 1; NaN is "unknown" and spreads, except where the other
/// operand decides (`false and unknown` is false).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)] // the usual meanings
pub enum Op {
    Const,
    Param,
    /// Its operand, under a name.
    Named,
    Neg,
    Ceil,
    Floor,
    Sqrt,
    Log2,
    Not,
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Mod,
    Gcd,
    Pow,
    Lt,
    Le,
    Eq,
    Ne,
    And,
    Or,
    /// `a` where the condition is not 0, else `b`.
    Select,
}

impl Op {
    /// How many operands it has.
    #[must_use]
    pub fn arity(self) -> usize {
        match self {
            Self::Const | Self::Param => 0,
            Self::Named
            | Self::Neg
            | Self::Ceil
            | Self::Floor
            | Self::Sqrt
            | Self::Log2
            | Self::Not => 1,
            Self::Select => 3,
            _ => 2,
        }
    }
    /// The result for these operands (those beyond the arity are ignored).
    #[inline]
    #[must_use]
    pub fn apply(self, a: f64, b: f64, c: f64) -> f64 {
        match self {
            Self::Const | Self::Param => f64::NAN,
            Self::Named => a,
            Self::Neg => -a,
            Self::Ceil => libm::ceil(a),
            Self::Floor => libm::floor(a),
            Self::Sqrt => a.sqrt(),
            Self::Log2 => libm::log2(a),
            Self::Not => truth(a == 0.0, a, a),
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Min => least(a, b),
            Self::Max => most(a, b),
            Self::Mod => modulo(a, b),
            Self::Gcd => gcd(a, b),
            Self::Pow => power(a, b),
            Self::Lt => truth(a < b, a, b),
            Self::Le => truth(a <= b, a, b),
            Self::Eq => truth(a == b, a, b),
            Self::Ne => truth(a != b, a, b),
            Self::And => and(a, b),
            Self::Or => or(a, b),
            Self::Select => select(a, b, c),
        }
    }
}

fn truth(holds: bool, a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if holds {
        1.0
    } else {
        0.0
    }
}
fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if b < a {
        b
    } else {
        a
    }
}
fn most(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if b > a {
        b
    } else {
        a
    }
}
/// The remainder with the sign of the divisor; 0 for a divisor of 0.
fn modulo(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a - b * libm::floor(a / b) }
}
/// Greatest common divisor of two whole numbers (rounded towards zero), by Euclid.
fn gcd(a: f64, b: f64) -> f64 {
    if !a.is_finite() || !b.is_finite() {
        return f64::NAN;
    }
    let (mut a, mut b) = (a.abs() as u64, b.abs() as u64);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as f64
}
/// Small whole powers by multiplication, the rest by `libm`, so that every platform agrees.
fn power(a: f64, b: f64) -> f64 {
    match b {
        0.0 => 1.0,
        1.0 => a,
        2.0 => a * a,
        0.5 => a.sqrt(),
        -1.0 => 1.0 / a,
        _ => libm::pow(a, b),
    }
}
fn and(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { truth(true, a, b) }
}
fn or(a: f64, b: f64) -> f64 {
    let yes = |v: f64| !v.is_nan() && v != 0.0;
    if yes(a) || yes(b) { 1.0 } else { truth(false, a, b) }
}
fn select(condition: f64, a: f64, b: f64) -> f64 {
    if condition.is_nan() {
        f64::NAN
    } else if condition != 0.0 {
        a
    } else {
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_spreads_unless_the_other_side_decides() {
        assert!(Op::Add.apply(f64::NAN, 1.0, 0.0).is_nan());
        assert_eq!(Op::And.apply(0.0, f64::NAN, 0.0), 0.0);
        assert_eq!(Op::Or.apply(f64::NAN, 1.0, 0.0), 1.0);
        assert!(Op::Lt.apply(f64::NAN, 1.0, 0.0).is_nan());
        assert_eq!(Op::Select.apply(1.0, 3.0, f64::NAN), 3.0);
    }

    #[test]
    fn gcd_and_modulo_agree_with_arithmetic() {
        assert_eq!(Op::Gcd.apply(16.0, 24.0, 0.0), 8.0);
        assert_eq!(Op::Gcd.apply(7.0, 0.0, 0.0), 7.0);
        assert_eq!(Op::Mod.apply(64.0, 7.0, 0.0), 1.0);
        assert_eq!(Op::Mod.apply(5.0, 0.0, 0.0), 0.0);
    }
}
