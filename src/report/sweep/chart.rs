//! A picture of a sweep: the first two goals of its points, the best ones joined.

use std::fmt::Write;

use super::{Column, Summary, SummaryRow};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 90.0;
const BOTTOM: f64 = 60.0;
const TOP: f64 = 50.0;
const RIGHT: f64 = 30.0;

/// An axis of the picture.
struct Scale<'a> {
    column: &'a Column,
    at: usize,
    low: f64,
    high: f64,
    log: bool,
}

impl Scale<'_> {
    /// 0 at the lower end, 1 at the upper.
    fn share(&self, value: f64) -> f64 {
        let f = |v: f64| if self.log { libm::log10(v) } else { v };
        let (low, high) = (f(self.low), f(self.high));
        if high > low { (f(value) - low) / (high - low) } else { 0.5 }
    }
    fn of(&self, row: &SummaryRow) -> Option<f64> {
        row.values.get(self.at).copied().flatten().map(|v| self.share(v))
    }
    fn ticks(&self) -> Vec<f64> {
        (0..=4)
            .map(|i| {
                let share = f64::from(i) / 4.0;
                if self.log {
                    self.low * libm::pow(self.high / self.low, share)
                } else {
                    self.low + (self.high - self.low) * share
                }
            })
            .collect()
    }
}

/// The picture as SVG.
#[must_use]
pub fn chart(summary: &Summary) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let title = format!("{}: sweep of {}", summary.sweep, summary.scenario);
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"26\" font-size=\"15\" font-weight=\"600\">{}</text>",
        escaped(&title)
    );
    let rows: Vec<&SummaryRow> =
        summary.cloud.iter().map(|c| &c.row).chain(&summary.rows).collect();
    let (Some(x), Some(y)) = (scale(summary, 0, &rows), scale(summary, 1, &rows)) else {
        let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"80\">no point to draw</text>\n</svg>");
        return out;
    };
    let place = |row: &SummaryRow| {
        let (x, y) = (x.of(row)?, y.of(row)?);
        let left = LEFT + x * (WIDTH - LEFT - RIGHT);
        Some((left, HEIGHT - BOTTOM - y * (HEIGHT - BOTTOM - TOP)))
    };
    axes(&mut out, &x, &y);
    for point in &summary.cloud {
        let Some((left, top)) = place(&point.row) else { continue };
        let color = if point.reason.is_some() { "#d0d0d0" } else { "#9bbce0" };
        let _ = writeln!(
            out,
            "<circle cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"2.5\" fill=\"{color}\"><title>{}</title>\
             </circle>",
            escaped(&tip(summary, &point.row, point.reason.as_deref()))
        );
    }
    if summary.goals.len() > 1 && summary.top.is_none() {
        let line: Vec<String> = summary
            .rows
            .iter()
            .filter_map(place)
            .map(|(left, top)| format!("{left:.1},{top:.1}"))
            .collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#c2410c\" stroke-opacity=\"0.5\"/>",
            line.join(" ")
        );
    }
    for row in &summary.rows {
        let Some((left, top)) = place(row) else { continue };
        let _ = writeln!(
            out,
            "<circle cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"4\" fill=\"#c2410c\"><title>{}</title>\
             </circle>",
            escaped(&tip(summary, row, None))
        );
    }
    out += "</svg>\n";
    out
}

fn scale<'a>(summary: &'a Summary, at: usize, rows: &[&SummaryRow]) -> Option<Scale<'a>> {
    let column = summary.outputs.get(at)?;
    let values = rows.iter().filter_map(|r| r.values.get(at).copied().flatten());
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        (low, high) = (low.min(value), high.max(value));
    }
    let log = low > 0.0 && high / low > 30.0;
    low.is_finite().then_some(Scale { column, at, low, high, log })
}

fn axes(out: &mut String, x: &Scale<'_>, y: &Scale<'_>) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    let _ =
        writeln!(out, "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#444\"/>");
    for tick in x.ticks() {
        let left = LEFT + x.share(tick) * (right - LEFT);
        let _ = writeln!(
            out,
            "<text x=\"{left:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#444\">{}</text>",
            bottom + 18.0,
            escaped(&x.column.human(Some(tick)))
        );
    }
    for tick in y.ticks() {
        let top = bottom - y.share(tick) * (bottom - TOP);
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#444\">{}</text>",
            LEFT - 8.0,
            top + 4.0,
            escaped(&y.column.human(Some(tick)))
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-weight=\"600\">{}</text>",
        LEFT + (right - LEFT) / 2.0,
        HEIGHT - 16.0,
        escaped(&x.column.name)
    );
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"600\">{}</text>",
        TOP - 8.0,
        escaped(&y.column.name)
    );
}

/// What is said of a point: its settings, its results, why it is left out.
fn tip(summary: &Summary, row: &SummaryRow, reason: Option<&str>) -> String {
    let settings = summary.axes.iter().zip(&row.settings).map(|(a, s)| format!("{a} = {s}"));
    let results = summary.outputs.iter().zip(&row.values);
    let results = results.map(|(c, v)| format!("{}: {}", c.name, c.human(*v)));
    let reason = reason.map(|r| format!("left out: {r}"));
    settings.chain(results).chain(reason).collect::<Vec<_>>().join("\n")
}

/// For XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
