//! Results for people and for programs.

use crate::quantity::Dimension;
use crate::quantity::format::HumanUnit;

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
