//! For people at a terminal: the best points, then what became of the others.

use super::Summary;
use crate::name::Name;
use crate::report::derivation::wrapped;
use crate::report::{Cell, Look, Table, Tint};

/// Rows that are shown at most.
const ROWS: usize = 40;

/// The summary as text. Results that are no goals are shown as far as lines of `most` characters
/// have room for them.
#[must_use]
pub fn text(summary: &Summary, look: Look, most: usize) -> String {
    let first = summary.axes.len() + summary.goals.len();
    let last = summary.axes.len() + summary.outputs.len();
    let table = table(summary);
    let shown = if table.heads.is_empty() { 0..0 } else { first..last };
    let (table, left) = table.narrowed(shown, most);
    let mut out = table.text(look.color);
    if !left.is_empty() {
        let names = left.join(", ");
        let line = format!("more with --columns, all with --format csv: {names}");
        for line in wrapped(&line, most.saturating_sub(2)) {
            out += &format!("  {}\n", Tint::Dim.paint(&line, look.color));
        }
    }
    if summary.rows.len() > ROWS {
        let more = summary.rows.len() - ROWS;
        out += &format!("  … and {}; --format csv lists all\n", counted(more as u64, "more"));
    }
    out.push('\n');
    out += &others(summary).text(look.color);
    if !summary.missed.is_empty() {
        out.push('\n');
        out += &missed(summary).text(look.color);
    }
    if look.ascii { crate::report::ascii(&out) } else { out }
}

/// `1,024`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn counted(count: u64, word: &str) -> String {
    format!("{} {word}", grouped(count))
}

fn points(count: u64) -> String {
    format!("{} point{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// What the rows are, in words.
fn answer(summary: &Summary) -> String {
    let rows = summary.rows.len() as u64;
    let goals: Vec<String> = summary
        .goals
        .iter()
        .map(|g| format!("{} {}", if g.maximize { "most" } else { "least" }, g.text))
        .collect();
    match (summary.kept, goals.as_slice(), summary.top) {
        (0, ..) => "no point holds everything that is asked".to_owned(),
        (kept, [], _) if rows < kept => {
            format!("the first {} of {} that hold everything", grouped(rows), grouped(kept))
        }
        (_, [], _) => "all points that hold everything".to_owned(),
        (_, _, Some(_)) => format!("the best {}: {}", grouped(rows), goals.join(", then ")),
        (_, [only], None) => {
            let equal = summary.rows.first().map_or(1, |r| r.equal);
            match equal {
                1 => format!("the point with the {only}"),
                _ => format!("the {only}: the first of {} that are equal", points(equal)),
            }
        }
        (_, _, None) => {
            format!("the {} that no other beats: {}", points(rows), goals.join(", "))
        }
    }
}

fn table(summary: &Summary) -> Table {
    let mut heads: Vec<&'static str> =
        summary.axes.iter().map(|a| Name::new(&format!(">{a}")).text()).collect();
    let columns = summary.outputs.iter().map(|c| Name::new(&format!(">{}", c.name)).text());
    heads.extend(columns);
    let ties = summary.rows.iter().any(|r| r.equal > 1);
    if ties {
        heads.push(">equal");
    }
    let goals = summary.goals.len();
    let rows = summary.rows.iter().take(ROWS).map(|row| {
        let mut cells: Vec<Cell> = row.settings.iter().map(|s| s.as_str().into()).collect();
        for (at, (column, value)) in summary.outputs.iter().zip(&row.values).enumerate() {
            let tint = if at < goals { Tint::Strong } else { Tint::Plain };
            cells.push(Cell::tinted(column.human(*value), tint));
        }
        if ties {
            cells.push(if row.equal > 1 { grouped(row.equal) } else { String::new() }.into());
        }
        cells
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let heads = if rows.is_empty() { Vec::new() } else { heads };
    Table { title: summary.sweep.clone(), remark: answer(summary), heads, rows }
}

fn others(summary: &Summary) -> Table {
    let looked: u64 = summary.ranges.iter().map(|(from, to)| to - from).sum();
    let of = if looked < summary.points {
        format!(" of {}", grouped(summary.points))
    } else {
        String::new()
    };
    let row = |count: u64, code: &str, text: String, example: String| {
        vec![
            Cell::tinted(grouped(count), Tint::Plain),
            Cell::tinted(code, Tint::Dim),
            text.into(),
            Cell::tinted(example, Tint::Dim),
        ]
    };
    let mut rows = vec![row(summary.kept, "", "hold everything".to_owned(), String::new())];
    for left in &summary.left_out {
        let settings: Vec<String> = summary
            .axes
            .iter()
            .zip(&left.settings)
            .map(|(axis, value)| format!("{} = {value}", axis.rsplit('.').next().unwrap_or(axis)))
            .collect();
        let example = format!("such as {}", settings.join(", "));
        let code = left.code.as_deref().unwrap_or_default();
        let text = left.example.clone().unwrap_or_else(|| left.reason.clone());
        let many = left.count > 1 && left.example.as_ref().is_some_and(|e| *e != left.reason);
        let text = if many { format!("for example: {text}") } else { text };
        rows.push(row(left.count, code, text, example));
    }
    Table {
        title: format!("{}{of}", points(looked)),
        remark: format!("scenario {}", summary.scenario),
        heads: vec![">", "", "", ""],
        rows,
    }
}

fn missed(summary: &Summary) -> Table {
    let rows = summary.missed.iter().map(|m| vec![grouped(m.count).into(), m.text.clone().into()]);
    Table {
        title: "Expectations".to_owned(),
        remark: "points that hold everything else and miss what the scenario expects".to_owned(),
        heads: vec![">", ""],
        rows: rows.collect(),
    }
}
