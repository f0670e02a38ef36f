//! The table of what draws and what costs.
//!
//! In: a report's scenario. Out: a row for each figure that is known, with what it is of: where nothing
//! is generated, of what is read.

use super::Scenario;
use super::sections::{encodes, shown};
use super::table::{Cell, Table, Tint};

/// What draws and costs: a path, what it is, and what it is where nothing is generated.
const POWER: [(&str, &str, &str); 9] = [
    ("power.device", "of a chip while decoding", "of a chip at work"),
    ("power.system", "of all chips with their hosts", ""),
    ("power.total", "with the building", ""),
    ("energy.per_token", "of an output token while decoding", "of a token that is read"),
    ("tokens_per_joule", "output tokens while decoding", "tokens that are read"),
    ("cost.per_hour", "of the whole machine", ""),
    ("cost.per_million_input", "tokens of the prompt", ""),
    ("cost.per_million_output", "tokens of the output, while decoding", ""),
    ("cost.per_million_tokens", "tokens of the output, with prefill", ""),
];

/// Power and price, as far as they are known.
pub(super) fn table(scenario: &Scenario) -> Table {
    let known = POWER.into_iter().filter(|(path, ..)| scenario.results.contains_key(*path));
    let rows = known.map(|(path, decoding, encoding)| {
        let what = if encodes(scenario) && !encoding.is_empty() { encoding } else { decoding };
        let figure = Cell::tinted(shown(scenario, path), Tint::Strong);
        vec![path.into(), figure, Cell::tinted(what, Tint::Dim)]
    });
    let heads = vec!["", ">", ""];
    Table { title: "Power and price".into(), heads, rows: rows.collect(), ..Table::default() }
}
