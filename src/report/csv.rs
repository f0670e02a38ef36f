//! For spreadsheets: `scenario,path,value,unit`, one line for each figure, in base units.

use super::Report;
use crate::quantity::figure::Figure;

/// The lines, with a head.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut out = String::from("scenario,path,value,unit\n");
    for scenario in &report.scenarios {
        let mut line = |path: &str, figure: &Figure| {
            let cells = [&scenario.name, path, &value(figure), &figure.unit()];
            out += &cells.map(quoted).join(",");
            out.push('\n');
        };
        for (path, figure) in scenario.inputs.iter().chain(&scenario.results) {
            line(path, figure);
        }
        for m in &scenario.measurements {
            line(&format!("measured.{}", m.path), &m.measured);
            line(&format!("measured.{}.error", m.path), &m.error);
            for (name, text) in [("convention", &m.convention), ("source", &m.source)] {
                if let Some(text) = text {
                    let figure = Figure::Text(text.clone());
                    line(&format!("measured.{}.{name}", m.path), &figure);
                }
            }
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
