//! Figures: values with what they measure, and how people read them.
//!
//! In: a value in base units, its dimension, and the path it goes by. Out: [`Figure`], for people
//! and exactly.

use super::Dimension;
use super::format::{HumanUnit, human};

/// One figure.
#[derive(Clone, PartialEq, Debug)]
pub enum Figure {
    /// A quantity in base units, and how people read it.
    Number {
        /// In base units; may be no number.
        value: f64,
        /// What it measures.
        dimension: Dimension,
        /// For people.
        shown: HumanUnit,
    },
    /// A condition.
    Flag(bool),
    /// A word.
    Text(String),
    /// Nothing: its formula is wrong.
    Missing,
}

impl Figure {
    /// A quantity; `path` decides how plain numbers are shown.
    #[must_use]
    pub fn number(path: &str, value: f64, dimension: Dimension) -> Self {
        Self::Number { value, dimension, shown: unit_of(path, dimension) }
    }
    /// As a person reads it.
    #[must_use]
    pub fn human(&self) -> String {
        match self {
            Self::Number { value, shown, .. } => human(*value, *shown),
            Self::Flag(true) => "yes".into(),
            Self::Flag(false) => "no".into(),
            Self::Text(text) => text.clone(),
            Self::Missing => "—".into(),
        }
    }
    /// In full precision and without its unit; `null` for what is no finite number.
    #[must_use]
    pub fn exact(&self) -> String {
        match self {
            Self::Number { value, .. } if value.is_finite() => value.to_string(),
            Self::Number { .. } | Self::Missing => "null".into(),
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
    /// The value of a quantity.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Number { value, .. } => Some(*value),
            _ => None,
        }
    }
    /// The base unit: `s`, `B/s`; empty for what has none.
    #[must_use]
    pub fn unit(&self) -> String {
        match self {
            Self::Number { dimension, .. } => dimension.unit(),
            _ => String::new(),
        }
    }
}

/// How a quantity at a path is shown: shares of a whole as percent.
#[must_use]
pub fn unit_of(path: &str, dimension: Dimension) -> HumanUnit {
    let last = path.rsplit('.').next().unwrap_or(path);
    let is_share = matches!(last, "mfu" | "mfu_causal" | "hfu" | "mbu" | "headroom" | "error")
        || last.ends_with("share");
    if dimension.is_none() && is_share { HumanUnit::Percent } else { human_unit(dimension) }
}

/// How a quantity of this dimension is shown.
#[must_use]
pub fn human_unit(dimension: Dimension) -> HumanUnit {
    match dimension {
        Dimension::TIME => HumanUnit::Seconds,
        Dimension::BYTES => HumanUnit::Bytes,
        Dimension::FLOP => HumanUnit::Flop,
        Dimension::FLOP_RATE => HumanUnit::FlopPerSecond,
        Dimension::BANDWIDTH => HumanUnit::BytesPerSecond,
        Dimension::POWER => HumanUnit::Watts,
        Dimension::ENERGY => HumanUnit::Joules,
        Dimension::MONEY => HumanUnit::Dollars,
        Dimension::PRICE_RATE => HumanUnit::DollarsPerSecond,
        Dimension::TOKENS => HumanUnit::Tokens,
        Dimension::TOKEN_RATE => HumanUnit::TokensPerSecond,
        Dimension::DEVICES => HumanUnit::Devices,
        _ if dimension == Dimension::MONEY.over(Dimension::TOKENS) => HumanUnit::DollarsPerToken,
        _ if dimension == Dimension::TOKENS.over(Dimension::ENERGY) => HumanUnit::TokensPerJoule,
        _ if dimension == Dimension::ENERGY.over(Dimension::TOKENS) => HumanUnit::JoulesPerToken,
        _ if dimension == Dimension::BYTES.over(Dimension::TOKENS) => HumanUnit::BytesPerToken,
        _ if dimension == Dimension::FLOP.over(Dimension::BYTES) => HumanUnit::FlopPerByte,
        _ => HumanUnit::Plain,
    }
}
