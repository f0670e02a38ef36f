//! For spreadsheets: `scenario,path,value,unit`, one line for each figure, in base units.

use super::Report;
use crate::quantity::figure::Figure;

/// The lines, with a head.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut out = String::from("scenario,path,value,unit\n");
    for scenario in &report.scenarios {
        for (path, figure) in scenario.inputs.iter().chain(&scenario.results) {
            let cells = [&scenario.name, path, &value(figure), &figure.unit()];
            out += &cells.map(|c| quoted(c)).join(",");
            out.push('\n');
        }
    }
    out
}

/// In full precision; empty where there is no finite number.
fn value(figure: &Figure) -> String {
    match figure {
        Figure::Number { value, .. } if value.is_finite() => value.to_string(),
        Figure::Number { .. } | Figure::Missing => String::new(),
        Figure::Flag(flag) => flag.to_string(),
        Figure::Text(text) => text.clone(),
    }
}

/// Quoted where a comma, a quote or a line's end needs it (RFC 4180).
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
