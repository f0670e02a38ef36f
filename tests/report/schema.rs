//! The published schema against what is printed, by a validator of the keywords that it uses.

use mesa::quantity::Dimension;
use mesa::quantity::figure::Figure;
use mesa::report::{Report, Scenario, json};
use serde_json::Value;

use super::{CHAT, mesa};

/// The keywords that [`mismatch`] knows, beside those that only describe.
const KNOWN: [&str; 14] = [
    "$schema",
    "title",
    "description",
    "$defs",
    "$ref",
    "type",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "anyOf",
    "enum",
    "minimum",
    "default",
];

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Why a value does not match a schema, if it does not.
fn mismatch(value: &Value, schema: &Value, root: &Value, at: &str) -> Option<String> {
    if let Value::Bool(allowed) = schema {
        return (!allowed).then(|| format!("{at} is not allowed"));
    }
    for key in schema.as_object()?.keys() {
        assert!(KNOWN.contains(&key.as_str()), "the validator does not know `{key}`");
    }
    if let Some(target) = schema.get("$ref") {
        let target = target.as_str()?.strip_prefix('#')?;
        let found = mismatch(value, root.pointer(target).expect(target), root, at);
        if found.is_some() {
            return found;
        }
    }
    if let Some(wanted) = schema.get("type") {
        let wanted: Vec<&str> = match wanted {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            one => vec![one.as_str()?],
        };
        let is = |word: &&str| match *word {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            other => panic!("no type {other}"),
        };
        if !wanted.iter().any(is) {
            return Some(format!("{at} is {value}, not {wanted:?}"));
        }
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array)
        && !list.contains(value)
    {
        return Some(format!("{at} is {value}"));
    }
    if let Some(least) = schema.get("minimum").and_then(Value::as_f64)
        && value.as_f64().is_some_and(|v| v < least)
    {
        return Some(format!("{at} is {value}, less than {least}"));
    }
    if let Some(list) = schema.get("anyOf").and_then(Value::as_array) {
        let reasons: Vec<_> = list.iter().map(|s| mismatch(value, s, root, at)).collect();
        if reasons.iter().all(Option::is_some) {
            return reasons.into_iter().flatten().next();
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (i, item) in list.iter().enumerate() {
            let found = mismatch(item, items, root, &format!("{at}[{i}]"));
            if found.is_some() {
                return found;
            }
        }
    }
    let map = value.as_object()?;
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !map.contains_key(name.as_str()?) {
            return Some(format!("{at} has no {name}"));
        }
    }
    for (name, inner) in map {
        let own = schema.get("properties").and_then(|p| p.get(name));
        if let Some(schema) = own.or_else(|| schema.get("additionalProperties")) {
            let found = mismatch(inner, schema, root, &format!("{at}.{name}"));
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

#[track_caller]
pub(super) fn check(report: &Value) {
    let schema = schema();
    assert_eq!(mismatch(report, &schema, &schema, "report"), None);
}

fn report_of(args: &[&str]) -> Value {
    let args = [&["eval", CHAT, "--format", "json"], args].concat();
    serde_json::from_str(&mesa(&args).out).unwrap()
}

#[test]
fn the_report_matches_its_published_schema() {
    check(&report_of(&[]));
    check(&report_of(&["--set", "serve.batch=8", "--override", "gemm_efficiency=0.8"]));
}

#[test]
fn the_schema_refuses_what_is_no_report() {
    let schema = schema();
    let good = report_of(&["chat"]);
    let chat = "/scenarios/chat";
    let changes: [(&str, Value); 6] = [
        ("/mesa", Value::Null),
        ("/scenarios/chat/model", Value::from(3)),
        ("/scenarios/chat/results/ttft", Value::from(2.5)),
        ("/scenarios/chat/results/ttft/value", Value::Array(Vec::new())),
        ("/scenarios/chat/results/collectives/0/kind", Value::from("gossip")),
        ("/scenarios/chat/expectations/0/line", Value::from(0)),
    ];
    for (pointer, wrong) in changes {
        let mut report = good.clone();
        *report.pointer_mut(pointer).expect(pointer) = wrong;
        assert!(mismatch(&report, &schema, &schema, "report").is_some(), "{pointer}");
    }
    let mut report = good.clone();
    report.pointer_mut(chat).unwrap().as_object_mut().unwrap().remove("results");
    assert!(mismatch(&report, &schema, &schema, "report").is_some());
}

#[test]
fn what_is_no_finite_number_is_null_with_a_note() {
    let results = [("nan", f64::NAN), ("infinite", f64::INFINITY), ("less", f64::NEG_INFINITY)];
    let results = results
        .map(|(name, value)| (name.to_owned(), Figure::number(name, value, Dimension::TIME)));
    let scenario = Scenario {
        name: "odd".into(),
        model: "M".into(),
        system: "S".into(),
        plan: "one device".into(),
        inputs: Default::default(),
        formats: Default::default(),
        results: results.into_iter().chain([("wrong".to_owned(), Figure::Missing)]).collect(),
        collectives: Vec::new(),
        expectations: Vec::new(),
        method: None,
        measurements: Vec::new(),
        overrides: Vec::new(),
    };
    let report: Value = serde_json::from_str(&json(&Report { scenarios: vec![scenario] })).unwrap();
    check(&report);
    for name in ["nan", "infinite", "less", "wrong"] {
        let leaf = &report["scenarios"]["odd"]["results"][name];
        assert!(leaf["value"].is_null() && leaf["note"].is_string(), "{leaf}");
    }
}
