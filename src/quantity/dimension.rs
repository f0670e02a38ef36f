//! What a quantity measures: a product of powers of the base dimensions.

use std::fmt;

/// The base dimensions, with the name of the dimension and the symbol of its base unit.
pub const BASES: [(&str, &str); 7] = [
    ("Bytes", "B"),
    ("Flop", "FLOP"),
    ("Time", "s"),
    ("Energy", "J"),
    ("Money", "USD"),
    ("Tokens", "tok"),
    ("Devices", "device"),
];

/// Exponents of the base dimensions; all zero is a plain number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Dimension([i8; BASES.len()]);

impl Dimension {
    /// A plain number.
    pub const NONE: Self = Self([0; BASES.len()]);
    /// Bytes.
    pub const BYTES: Self = Self([1, 0, 0, 0, 0, 0, 0]);
    /// Floating-point operations.
    pub const FLOP: Self = Self([0, 1, 0, 0, 0, 0, 0]);
    /// Seconds.
    pub const TIME: Self = Self([0, 0, 1, 0, 0, 0, 0]);
    /// Joules.
    pub const ENERGY: Self = Self([0, 0, 0, 1, 0, 0, 0]);
    /// US dollars.
    pub const MONEY: Self = Self([0, 0, 0, 0, 1, 0, 0]);
    /// Tokens.
    pub const TOKENS: Self = Self([0, 0, 0, 0, 0, 1, 0]);
    /// Devices.
    pub const DEVICES: Self = Self([0, 0, 0, 0, 0, 0, 1]);
    /// Bytes per second.
    pub const BANDWIDTH: Self = Self([1, 0, -1, 0, 0, 0, 0]);
    /// Floating-point operations per second.
    pub const FLOP_RATE: Self = Self([0, 1, -1, 0, 0, 0, 0]);
    /// Watts.
    pub const POWER: Self = Self([0, 0, -1, 1, 0, 0, 0]);
    /// Dollars per second.
    pub const PRICE_RATE: Self = Self([0, 0, -1, 0, 1, 0, 0]);
    /// Tokens per second.
    pub const TOKEN_RATE: Self = Self([0, 0, -1, 0, 0, 1, 0]);

    /// The base dimension called `name`.
    #[must_use]
    pub fn base(name: &str) -> Option<Self> {
        let position = BASES.iter().position(|(dimension, _)| *dimension == name)?;
        let mut exponents = [0; BASES.len()];
        *exponents.get_mut(position)? = 1;
        Some(Self(exponents))
    }
    /// All exponents as bits, for hashing.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0.iter().fold(0, |bits, e| (bits << 8) | u64::from(e.cast_unsigned()))
    }
    /// The exponents of the base dimensions, in the order of [`BASES`].
    #[must_use]
    pub fn exponents(self) -> [i8; BASES.len()] {
        self.0
    }
    /// The dimension with these exponents; those that are missing are 0.
    #[must_use]
    pub fn from_exponents(given: &[i8]) -> Self {
        let mut exponents = [0; BASES.len()];
        exponents.iter_mut().zip(given).for_each(|(to, from)| *to = *from);
        Self(exponents)
    }
    /// Whether this is a plain number.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
    /// The dimension of a product.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        self.zip(other, i8::saturating_add)
    }
    /// The dimension of a quotient.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        self.zip(other, i8::saturating_sub)
    }
    /// The dimension of a power.
    #[must_use]
    pub fn power(self, exponent: i8) -> Self {
        Self(self.0.map(|e| e.saturating_mul(exponent)))
    }
    /// The dimension of a square root, where there is one.
    #[must_use]
    pub fn root(self) -> Option<Self> {
        self.0.iter().all(|e| e % 2 == 0).then(|| Self(self.0.map(|e| e / 2)))
    }
    fn zip(self, other: Self, f: impl Fn(i8, i8) -> i8) -> Self {
        let mut out = self.0;
        for (a, b) in out.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        Self(out)
    }
    /// The base unit: `B/s`, `W`, `USD`; empty for a plain number.
    #[must_use]
    pub fn unit(self) -> String {
        if self == Self::POWER {
            return "W".into();
        }
        self.spell(|(_, symbol)| symbol, "1", "/", "*")
    }
    /// The dimension in words: `Bytes / Time`; `Number` for a plain number.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::NONE => "Number".into(),
            Self::POWER => "Power".into(),
            _ => self.spell(|(name, _)| name, "1", " / ", " * "),
        }
    }
    fn spell(
        self,
        pick: fn((&'static str, &'static str)) -> &'static str,
        one: &str,
        slash: &str,
        star: &str,
    ) -> String {
        let part = |sign: i8| {
            let mut out = Vec::new();
            for (base, e) in BASES.iter().zip(self.0) {
                let e = e.saturating_mul(sign);
                if e == 1 {
                    out.push(pick(*base).to_owned());
                } else if e > 1 {
                    out.push(format!("{}^{e}", pick(*base)));
                }
            }
            out
        };
        let (above, below) = (part(1), part(-1));
        match (above.is_empty(), below.is_empty()) {
            (true, true) => String::new(),
            (false, true) => above.join(star),
            (true, false) => format!("{one}{slash}{}", below.join(slash)),
            (false, false) => format!("{}{slash}{}", above.join(star), below.join(slash)),
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}
impl fmt::Debug for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_quotients_cancel() {
        let rate = Dimension::BYTES.over(Dimension::TIME);
        assert_eq!(rate, Dimension::BANDWIDTH);
        assert_eq!(rate.times(Dimension::TIME), Dimension::BYTES);
        assert_eq!(Dimension::BYTES.over(Dimension::BYTES), Dimension::NONE);
    }

    #[test]
    fn a_dimension_is_spelled_in_units_and_in_words() {
        assert_eq!(Dimension::BANDWIDTH.unit(), "B/s");
        assert_eq!(Dimension::BANDWIDTH.words(), "Bytes / Time");
        assert_eq!(Dimension::POWER.unit(), "W");
        assert_eq!(Dimension::TIME.power(-1).unit(), "1/s");
        assert_eq!(Dimension::NONE.words(), "Number");
    }
}
