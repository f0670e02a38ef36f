//! For people: one screen for each scenario.

use super::Report;
use super::sections::{formats, headline, parameters, tables, workload};
use super::table::Tint;

/// How the report looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// With colours.
    pub color: bool,
    /// In ASCII only, for terminals that have nothing else.
    pub ascii: bool,
}

/// The report of every scenario.
#[must_use]
pub fn text(report: &Report, look: Look) -> String {
    let mut out = String::new();
    for scenario in &report.scenarios {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &Tint::Strong.paint(&scenario.name, look.color);
        out += &format!("  {}\n", headline(scenario));
        for line in [parameters(scenario), workload(scenario), formats(scenario)] {
            if !line.is_empty() {
                out += &format!("  {line}\n");
            }
        }
        for change in &scenario.overrides {
            let line = format!("  {} {}={}", change.option, change.path, change.value);
            out += &(Tint::Dim.paint(&line, look.color) + "\n");
        }
        for table in tables(scenario) {
            out.push('\n');
            out += &table.text(look.color);
        }
    }
    if look.ascii { ascii(&out) } else { out }
}

/// The nearest ASCII, character by character, so that columns stay where they are.
#[must_use]
pub fn ascii(text: &str) -> String {
    let nearest = |c: char| match c {
        '█' => '#',
        '▉' | '▊' | '▋' | '▌' => '#',
        '▍' | '▎' | '▏' => '|',
        '✓' => '+',
        '✗' => '!',
        '×' => 'x',
        'µ' => 'u',
        '—' | '─' => '-',
        '←' => '<',
        '│' => '|',
        '├' | '└' => '`',
        c => c,
    };
    text.chars().map(nearest).collect::<String>().replace('…', "...").replace('∞', "inf")
}
