//! One page that needs nothing else: the points of a sweep, with axes to choose, and what each
//! point is where the mouse is.

use serde_json::{Value, json};

use super::chart::escaped;
use super::{Summary, SummaryRow};

/// The page as HTML.
#[must_use]
pub fn page(summary: &Summary) -> String {
    let point = |row: &SummaryRow, reason: Option<&str>, best: bool| {
        let shown: Vec<String> =
            summary.outputs.iter().zip(&row.values).map(|(c, v)| c.human(*v)).collect();
        json!({
            "s": row.settings, "v": row.values, "h": shown, "r": reason, "b": best,
            "e": row.equal,
        })
    };
    let cloud = summary.cloud.iter().map(|c| point(&c.row, c.reason.as_deref(), false));
    let best = summary.rows.iter().map(|r| point(r, None, true));
    let points: Vec<Value> = cloud.chain(best).collect();
    let outputs: Vec<Value> =
        summary.outputs.iter().map(|c| json!({ "name": c.name, "unit": c.unit })).collect();
    let data = json!({ "axes": summary.axes, "outputs": outputs, "points": points });
    // Nothing in a script may end it.
    let data = data.to_string().replace("</", "<\\/");
    let title = escaped(&format!("{}: sweep of {}", summary.sweep, summary.scenario));
    let text = crate::report::sweep::text(summary, crate::report::Look::default(), usize::MAX);
    PAGE.replace("{{title}}", &title)
        .replace("{{summary}}", &escaped(&text))
        .replace("{{data}}", &data)
}

const PAGE: &str = include_str!("page.html");
