//! What can be set in a scenario, as a table.

use super::table::{Cell, Table, Tint};
use crate::evaluation::Settable;
use crate::source::Sources;

/// What can be set in a scenario.
#[must_use]
pub fn settable(scenario: &str, rows: &[Settable], sources: &Sources) -> Table {
    let rows = rows.iter().map(|r| {
        let value = if r.value.is_empty() { "—" } else { r.value.as_str() };
        let place = r.place.map_or(String::new(), |p| sources.line_of(p));
        vec![
            r.path.as_str().into(),
            Cell::tinted(value, Tint::Strong),
            r.holds.as_str().into(),
            if r.structural { "structural" } else { "" }.into(),
            Cell::tinted(place, Tint::Dim),
        ]
    });
    let heads = vec!["path", "value", "holds", "", "set at"];
    let remark = "what --set may change".into();
    Table { title: scenario.to_owned(), remark, heads, rows: rows.collect() }
}
