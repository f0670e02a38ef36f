//! Numbers as people read them.
//!
//! In: a value in base units and what it measures. Out: four significant digits at most with an SI
//! prefix (`23.46 ms`, `141.1 GB`), counts in full (`70,553,706,496`). Never `-0`, never `NaN`:
//! what is no number is a dash. `GB` is 10⁹ bytes, as everywhere in Mesa.

/// What a number measures, for [`human`]. Values are in base units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HumanUnit {
    /// Time, shown from `ns` to `d`.
    Seconds,
    /// Data, `B` to `YB`.
    Bytes,
    /// Work, `FLOP` to `YFLOP`.
    Flop,
    /// Speed of work.
    FlopPerSecond,
    /// Speed of transport.
    BytesPerSecond,
    /// Power.
    Watts,
    /// Energy.
    Joules,
    /// Money.
    Dollars,
    /// Money over time, from dollars per second, shown per hour.
    DollarsPerSecond,
    /// Price of tokens, from dollars per token, shown per million.
    DollarsPerToken,
    /// How many tokens.
    Tokens,
    /// Speed of tokens.
    TokensPerSecond,
    /// Tokens for energy.
    TokensPerJoule,
    /// Energy of a token.
    JoulesPerToken,
    /// Data of a token, such as its share of the cache.
    BytesPerToken,
    /// Work for data: arithmetic intensity.
    FlopPerByte,
    /// A share, from 0 to 1, shown as percent.
    Percent,
    /// How many devices.
    Devices,
    /// A bare number.
    Plain,
}

/// Shown where there is no number.
const NOTHING: &str = "—";
/// Whole numbers are shown in full below this: 15 digits, all exact in an `f64`.
const FULL: f64 = 1e15;
/// Significant digits of a measured quantity.
const DIGITS: i32 = 4;

const ENERGY: &[(i32, &str)] =
    &[(-9, "n"), (-6, "µ"), (-3, "m"), (0, ""), (3, "k"), (6, "M"), (9, "G"), (12, "T")];
const AMOUNT: &[(i32, &str)] =
    &[(0, ""), (3, "k"), (6, "M"), (9, "G"), (12, "T"), (15, "P"), (18, "E"), (21, "Z"), (24, "Y")];
const SHORT_TIMES: &[(i32, &str)] = &[(-9, "n"), (-6, "µ"), (-3, "m"), (0, "")];
const LONG_TIMES: &[(f64, &str)] = &[(60.0, "min"), (3600.0, "h"), (86_400.0, "d")];

/// `value`, in base units, as a person reads it.
#[must_use]
pub fn human(value: f64, unit: HumanUnit) -> String {
    if value.is_nan() {
        return NOTHING.to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞".to_owned() } else { "-∞".to_owned() };
    }
    let text = positive(value.abs(), unit);
    let is_zero = !text.bytes().any(|b| matches!(b, b'1'..=b'9'));
    if value < 0.0 && !is_zero { format!("-{text}") } else { text }
}

fn positive(value: f64, unit: HumanUnit) -> String {
    match unit {
        HumanUnit::Seconds => time(value),
        HumanUnit::Bytes => prefixed(value, AMOUNT, "B"),
        HumanUnit::Flop => prefixed(value, AMOUNT, "FLOP"),
        HumanUnit::FlopPerSecond => prefixed(value, AMOUNT, "FLOP/s"),
        HumanUnit::BytesPerSecond => prefixed(value, AMOUNT, "B/s"),
        HumanUnit::Watts => prefixed(value, ENERGY, "W"),
        HumanUnit::Joules => prefixed(value, ENERGY, "J"),
        HumanUnit::JoulesPerToken => prefixed(value, ENERGY, "J/tok"),
        HumanUnit::BytesPerToken => prefixed(value, AMOUNT, "B/tok"),
        HumanUnit::Dollars => money(value) + " USD",
        HumanUnit::DollarsPerSecond => money(value * 3600.0) + " USD/h",
        HumanUnit::DollarsPerToken => money(value * 1e6) + " USD/Mtok",
        HumanUnit::Tokens => plain(value) + " tok",
        HumanUnit::TokensPerSecond => plain(value) + " tok/s",
        HumanUnit::TokensPerJoule => plain(value) + " tok/J",
        HumanUnit::FlopPerByte => plain(value) + " FLOP/B",
        HumanUnit::Percent => percent(value),
        HumanUnit::Devices if value == 1.0 => "1 device".to_owned(),
        HumanUnit::Devices => plain(value) + " devices",
        HumanUnit::Plain => plain(value),
    }
}

/// A quantity with the largest prefix that leaves at least 1 before the point.
fn prefixed(value: f64, prefixes: &[(i32, &str)], unit: &str) -> String {
    if value == 0.0 {
        return format!("0 {unit}");
    }
    let rounded = round(value);
    let fits = |(power, _): &&(i32, &str)| rounded.exponent >= *power;
    let smallest = prefixes.first();
    let (power, prefix) = prefixes.iter().rev().find(fits).or(smallest).copied().unwrap_or((0, ""));
    let shift = rounded.exponent - power;
    if !(-3..6).contains(&shift) {
        return format!("{} {prefix}{unit}", rounded.scientific(power));
    }
    format!("{} {prefix}{unit}", rounded.fixed(power))
}

fn time(value: f64) -> String {
    if value < 59.995 {
        return prefixed(value, SHORT_TIMES, "s");
    }
    // rounding must not give 60 min or 24 h
    let fits = |(size, _): &&(f64, &str)| value >= size * 0.999_95;
    let (size, unit) = LONG_TIMES.iter().rev().find(fits).copied().unwrap_or((60.0, "min"));
    format!("{} {unit}", plain(value / size))
}

/// Whole numbers in full, others with four significant digits or all those before the point.
fn plain(value: f64) -> String {
    if value < FULL && value.fract() == 0.0 {
        return grouped(&format!("{value:.0}"));
    }
    let rounded = round(value);
    if value < FULL && rounded.exponent >= 3 {
        return grouped(&format!("{value:.0}"));
    }
    if (-4..15).contains(&rounded.exponent) { rounded.fixed(0) } else { rounded.scientific(0) }
}

/// Cents where they matter, whole dollars from a thousand on, four digits below one.
fn money(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value >= FULL {
        return round(value).scientific(0);
    }
    if value >= 999.995 {
        return grouped(&format!("{value:.0}"));
    }
    if value >= 0.9995 { format!("{value:.2}") } else { plain(value) }
}

fn percent(share: f64) -> String {
    let value = share * 100.0;
    let digits = if value >= 9.995 { 1 } else { 2 };
    if value > 0.0 && value < 0.01 {
        return format!("{}%", plain(value));
    }
    if value >= FULL {
        return format!("{}%", round(value).scientific(0));
    }
    format!("{}%", grouped(&trimmed(format!("{value:.digits$}"))))
}

/// A positive number rounded to [`DIGITS`] significant decimal digits: `d.ddd · 10^exponent`.
struct Rounded {
    digits: String,
    exponent: i32,
}

/// Rounds exactly, by Rust's own decimal printing, so that every platform agrees.
fn round(value: f64) -> Rounded {
    let text = format!("{value:.*e}", DIGITS as usize - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    Rounded { digits: digits.replace('.', ""), exponent: exponent.parse().unwrap_or(0) }
}

impl Rounded {
    /// As a decimal number of 10^`power`.
    fn fixed(&self, power: i32) -> String {
        let shift = self.exponent - power;
        let text = if shift < 0 {
            let zeros = "0".repeat((-shift - 1).unsigned_abs() as usize);
            format!("0.{zeros}{}", self.digits)
        } else {
            let whole = shift.unsigned_abs() as usize + 1;
            let padded = format!("{:0<whole$}", self.digits);
            let (before, after) = padded.split_at(whole.min(padded.len()));
            format!("{before}.{after}")
        };
        grouped(&trimmed(text))
    }

    /// As `1.234e-7` of 10^`power`.
    fn scientific(&self, power: i32) -> String {
        let (first, rest) = self.digits.split_at(1.min(self.digits.len()));
        let mantissa = trimmed(format!("{first}.{rest}"));
        format!("{mantissa}e{}", self.exponent - power)
    }
}

/// Without zeros at the end of the fraction, and without a point at the very end.
fn trimmed(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// With commas between groups of three digits before the point.
pub(crate) fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::with_capacity(text.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::HumanUnit::*;
    use super::*;

    fn check(unit: HumanUnit, cases: &[(f64, &str)]) {
        for (value, expected) in cases {
            assert_eq!(human(*value, unit), *expected, "{value:e} as {unit:?}");
        }
    }

    #[test]
    fn times() {
        check(
            Seconds,
            &[
                (0.0, "0 s"),
                (1e-12, "0.001 ns"),
                (1e-14, "1e-5 ns"),
                (4.2e-9, "4.2 ns"),
                (51e-6, "51 µs"),
                (0.023_456_7, "23.46 ms"),
                (0.999_96, "1 s"),
                (0.999_94, "999.9 ms"),
                (2.0, "2 s"),
                (59.99, "59.99 s"),
                (59.999, "1 min"),
                (90.0, "1.5 min"),
                (3599.9, "1 h"),
                (5400.0, "1.5 h"),
                (86_399.9, "1 d"),
                (54.0 * 86_400.0, "54 d"),
                (1e9, "11,574 d"),
                (1e25, "1.157e20 d"),
            ],
        );
    }

    #[test]
    fn amounts_with_prefixes() {
        check(
            Bytes,
            &[
                (0.0, "0 B"),
                (0.5, "0.5 B"),
                (999.0, "999 B"),
                (999.96, "1 kB"),
                (1000.0, "1 kB"),
                (141_107_412_992.0, "141.1 GB"),
                (80e9, "80 GB"),
                (1e30, "1e6 YB"),
                (1e27, "1,000 YB"),
                (1e-5, "1e-5 B"),
            ],
        );
        check(BytesPerSecond, &[(3.35e12, "3.35 TB/s"), (450e9, "450 GB/s")]);
        check(Flop, &[(280_375_465_082_880.0, "280.4 TFLOP"), (3.8e25, "38 YFLOP")]);
        check(FlopPerSecond, &[(989.4e12, "989.4 TFLOP/s"), (1.9789e15, "1.979 PFLOP/s")]);
        check(Watts, &[(700.0, "700 W"), (10_200.0, "10.2 kW"), (0.25, "250 mW")]);
        check(Joules, &[(0.000_012, "12 µJ"), (3.6e6, "3.6 MJ")]);
        check(BytesPerToken, &[(327_680.0, "327.7 kB/tok")]);
        check(JoulesPerToken, &[(0.39, "390 mJ/tok")]);
    }

    #[test]
    fn counts_are_exact() {
        check(
            Plain,
            &[
                (0.0, "0"),
                (1234.0, "1,234"),
                (70_553_706_496.0, "70,553,706,496"),
                (999_999_999_999_999.0, "999,999,999,999,999"),
                (1e15, "1e15"),
                (1.2346e18, "1.235e18"),
                (0.75, "0.75"),
                (1234.56, "1,235"),
                (0.000_123_46, "0.0001235"),
                (0.000_012_345, "1.234e-5"),
                (5e-324, "4.941e-324"),
                (f64::MAX, "1.798e308"),
            ],
        );
        check(Tokens, &[(131_072.0, "131,072 tok"), (15.6e12, "15,600,000,000,000 tok")]);
        check(TokensPerSecond, &[(42.372, "42.37 tok/s"), (12_345.6, "12,346 tok/s")]);
        check(Devices, &[(1.0, "1 device"), (8.0, "8 devices"), (16_384.0, "16,384 devices")]);
        check(TokensPerJoule, &[(2.5, "2.5 tok/J")]);
        check(FlopPerByte, &[(295.3, "295.3 FLOP/B")]);
    }

    #[test]
    fn money_and_shares() {
        check(
            Dollars,
            &[
                (0.0, "0 USD"),
                (2.5, "2.50 USD"),
                (0.9999, "1.00 USD"),
                (999.996, "1,000 USD"),
                (5_576_123.4, "5,576,123 USD"),
                (0.012_34, "0.01234 USD"),
                (1e20, "1e20 USD"),
            ],
        );
        check(DollarsPerSecond, &[(20.0 / 3600.0, "20.00 USD/h")]);
        check(DollarsPerToken, &[(0.42e-6, "0.42 USD/Mtok"), (15e-6, "15.00 USD/Mtok")]);
        check(
            Percent,
            &[
                (0.0, "0%"),
                (0.1, "10%"),
                (0.4321, "43.2%"),
                (0.056_78, "5.68%"),
                (0.099_96, "10%"),
                (1.0, "100%"),
                (12.345, "1,234.5%"),
                (0.000_01, "0.001%"),
                (1e30, "1e32%"),
            ],
        );
    }

    #[test]
    fn signs_and_what_is_no_number() {
        check(Seconds, &[(-0.0, "0 s"), (-0.25, "-250 ms"), (f64::NAN, "—")]);
        check(Percent, &[(-0.0, "0%"), (-0.000_000_000_1, "-1e-8%"), (-0.5, "-50%")]);
        check(Bytes, &[(-2e9, "-2 GB"), (f64::INFINITY, "∞"), (f64::NEG_INFINITY, "-∞")]);
        check(Plain, &[(-1234.0, "-1,234"), (-0.0, "0")]);
        check(Dollars, &[(-3.0, "-3.00 USD")]);
    }

    #[test]
    fn every_unit_survives_every_magnitude() {
        let units = [
            Seconds,
            Bytes,
            Flop,
            FlopPerSecond,
            BytesPerSecond,
            Watts,
            Joules,
            Dollars,
            DollarsPerSecond,
            DollarsPerToken,
            Tokens,
            TokensPerSecond,
            TokensPerJoule,
            JoulesPerToken,
            BytesPerToken,
            FlopPerByte,
            Percent,
            Devices,
            Plain,
        ];
        for unit in units {
            for exponent in -323..=308 {
                let value: f64 = format!("9.99996e{exponent}").parse().unwrap();
                let text = human(value, unit);
                assert!(text.chars().count() <= 36, "{text}");
                assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            }
        }
    }
}
