//! For documents: Markdown with a table for each part.

use super::Report;
use super::sections::{formats, headline, parameters, tables, workload};
use super::table::escaped;

/// The document.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    for scenario in &report.scenarios {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &format!("## {}\n\n", escaped(&scenario.name));
        let lines =
            [headline(scenario), parameters(scenario), workload(scenario), formats(scenario)];
        let lines = lines.iter().filter(|l| !l.is_empty()).map(|l| escaped(l));
        out += &(lines.collect::<Vec<_>>().join("; ") + "\n");
        for change in &scenario.overrides {
            out += &format!("\n`{} {}={}`\n", change.option, change.path, change.value);
        }
        for table in tables(scenario) {
            out.push('\n');
            out += &table.markdown();
        }
    }
    out
}
