//! For programs: one JSON document. Its schema is `docs/report.schema.json`.
//!
//! Leaves are `{"value", "unit"}` in base units. What is no finite number is `null` with a note.

use serde_json::{Map, Value, json};

use super::{Collective, Expectation, Measurement, Report, Scenario};
use crate::quantity::figure::Figure;
use crate::source::Spot;

/// The document, with an end of line.
#[must_use]
pub fn json(report: &Report) -> String {
    let scenarios: Map<String, Value> =
        report.scenarios.iter().map(|s| (s.name.clone(), scenario(s))).collect();
    let document = json!({ "mesa": env!("CARGO_PKG_VERSION"), "scenarios": scenarios });
    // plain texts and finite numbers: serialisation has nothing to fail on
    serde_json::to_string_pretty(&document).map_or_else(|_| String::new(), |text| text + "\n")
}

fn scenario(scenario: &Scenario) -> Value {
    let mut out = Map::new();
    out.insert("model".into(), json!(scenario.model));
    out.insert("system".into(), json!(scenario.system));
    out.insert("plan".into(), json!(scenario.plan));
    let mut inputs = Map::new();
    for (path, figure) in &scenario.inputs {
        insert(&mut inputs, path, leaf(figure));
    }
    out.insert("inputs".into(), Value::Object(inputs));
    out.insert("formats".into(), json!(scenario.formats));
    let mut results = Map::new();
    for (path, figure) in &scenario.results {
        insert(&mut results, path, leaf(figure));
    }
    let collectives = scenario.collectives.iter().map(collective).collect();
    results.insert("collectives".into(), Value::Array(collectives));
    out.insert("results".into(), Value::Object(results));
    let expectations = scenario.expectations.iter().map(expectation).collect();
    out.insert("expectations".into(), Value::Array(expectations));
    if let Some(method) = &scenario.method {
        out.insert("method".into(), json!(method));
    }
    if !scenario.measurements.is_empty() {
        out.insert("measurements".into(), scenario.measurements.iter().map(measurement).collect());
    }
    if !scenario.overrides.is_empty() {
        let rows = scenario.overrides.iter();
        let rows = rows.map(|o| json!({ "option": o.option, "path": o.path, "value": o.value }));
        out.insert("overrides".into(), rows.collect());
    }
    Value::Object(out)
}

/// Puts a leaf at a dotted path. A figure may stand where a group does: they share the object.
fn insert(map: &mut Map<String, Value>, path: &str, value: Value) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(f, r)| (f, Some(r)));
    let slot = map.entry(first).or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(inner) = slot else { return };
    match (rest, value) {
        (Some(rest), value) => insert(inner, rest, value),
        (None, Value::Object(leaf)) => inner.extend(leaf),
        (None, _) => {}
    }
}

/// `{"value", "unit"}`.
#[must_use]
pub fn leaf(figure: &Figure) -> Value {
    match figure {
        Figure::Number { value, dimension, .. } => {
            let mut out = json!({ "value": number(*value), "unit": dimension.unit() });
            if !value.is_finite()
                && let Value::Object(out) = &mut out
            {
                out.insert("note".into(), json!("not a finite number"));
            }
            out
        }
        Figure::Flag(flag) => json!({ "value": flag, "unit": "" }),
        Figure::Text(text) => json!({ "value": text, "unit": "" }),
        Figure::Missing => {
            json!({ "value": null, "unit": "", "note": "its formula has errors" })
        }
    }
}

/// Whole numbers without a point, as far as they are exact.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT { json!(value as i64) } else { json!(value) }
}

fn spot(spot: &Spot) -> Value {
    json!({ "file": spot.file, "line": spot.line })
}

fn collective(c: &Collective) -> Value {
    let quantity = |value: f64, unit: &str| json!({ "value": number(value), "unit": unit });
    json!({
        "phase": c.phase,
        "kind": c.kind,
        "axis": c.axis,
        "tensor": c.tensor,
        "size": quantity(c.size, ""),
        "count": quantity(c.count, ""),
        "bytes": quantity(c.bytes, "B"),
        "message": quantity(c.message, "B"),
        "link": c.link,
        "algorithm": c.algorithm,
        "time": quantity(c.time, "s"),
        "total": quantity(c.total, "s"),
        "model": spot(&c.model),
        "plan": spot(&c.plan),
    })
}

fn measurement(m: &Measurement) -> Value {
    json!({
        "path": m.path,
        "measured": leaf(&m.measured),
        "predicted": leaf(&m.predicted),
        "error": leaf(&m.error),
        "convention": m.convention,
        "source": m.source,
        "file": m.at.file,
        "line": m.at.line,
    })
}

fn expectation(e: &Expectation) -> Value {
    let mut out = Map::new();
    out.insert("text".into(), json!(e.text));
    out.insert("holds".into(), json!(e.holds));
    for (name, figure) in [("figure", &e.figure), ("bound", &e.bound)] {
        if let Some(figure) = figure {
            out.insert(name.into(), leaf(figure));
        }
    }
    out.insert("file".into(), json!(e.at.file));
    out.insert("line".into(), json!(e.at.line));
    Value::Object(out)
}
