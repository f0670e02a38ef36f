//! Rows for programs: CSV with a head, or one JSON object on each line.

use std::io::Write;

use super::{Column, SummaryRow};

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rows {
    /// RFC 4180, in base units.
    Csv,
    /// One object on each line.
    JsonLines,
}

/// The head of a table; nothing where rows name their own fields.
#[must_use]
pub fn head(rows: Rows, axes: &[String], columns: &[String], reason: bool) -> String {
    if rows == Rows::JsonLines {
        return String::new();
    }
    let mut cells = vec!["point".to_owned()];
    cells.extend(axes.iter().chain(columns).map(|c| quoted(c)));
    cells.push(if reason { "left_out" } else { "equal" }.to_owned());
    cells.join(",") + "\n"
}

/// The rows of a summary.
#[must_use]
pub fn summary_rows(
    rows: Rows,
    axes: &[String],
    columns: &[Column],
    list: &[SummaryRow],
) -> String {
    let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
    let mut out = head(rows, axes, &names, false).into_bytes();
    for row in list {
        let values: Vec<f64> = row.values.iter().map(|v| v.unwrap_or(f64::NAN)).collect();
        let equal = row.equal.to_string();
        write_row(
            rows,
            &mut out,
            (axes, &names),
            row.point,
            &row.settings,
            &values,
            ("equal", &equal),
        );
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Appends one row.
pub fn write_row(
    rows: Rows,
    out: &mut Vec<u8>,
    (axes, columns): (&[String], &[String]),
    point: u64,
    settings: &[String],
    values: &[f64],
    (last, text): (&str, &str),
) {
    // Writing to memory does not fail.
    match rows {
        Rows::Csv => {
            let _ = write!(out, "{point}");
            for setting in settings {
                let _ = write!(out, ",{}", quoted(setting));
            }
            for value in values {
                out.push(b',');
                if value.is_finite() {
                    let _ = write!(out, "{value}");
                }
            }
            let _ = writeln!(out, ",{}", quoted(text));
        }
        Rows::JsonLines => {
            let _ = write!(out, "{{\"point\":{point}");
            for (axis, setting) in axes.iter().zip(settings) {
                // Plain numbers stay numbers.
                let plain = setting.parse::<f64>().is_ok_and(f64::is_finite);
                let value = if plain { setting.clone() } else { json(setting) };
                let _ = write!(out, ",{}:{value}", json(axis));
            }
            for (column, value) in columns.iter().zip(values) {
                let _ = if value.is_finite() {
                    write!(out, ",{}:{value}", json(column))
                } else {
                    write!(out, ",{}:null", json(column))
                };
            }
            let plain = text.parse::<u64>().is_ok();
            let text = match text {
                "" => "null".to_owned(),
                text if plain => text.to_owned(),
                text => json(text),
            };
            let _ = writeln!(out, ",\"{last}\":{text}}}");
        }
    }
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Quoted where a comma, a quote or a line's end needs it (RFC 4180).
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
