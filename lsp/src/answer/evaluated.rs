//! What needs scenarios evaluated: values in hovers, hints, lenses, reports, derivations.

use std::collections::HashMap;
use std::sync::Arc;

use mesa::ide::evaluated as ide;
use mesa::ide::facts::{Facts, explain as derive, no_scenario, scenario};
use mesa::ide::{Target, View, hints as shown_hints, hover as names, what_if};
use mesa::name::Name;
use mesa::quantity::figure::Figure;
use mesa::reading::explain::Derivation;
use mesa::report::leaf;
use mesa::source::Span;
use mesa::syntax::ast::ItemKind;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use super::{Answer, aside, at, place, refused};
use crate::aside::Scenarios;
use crate::convert::span;
use crate::session::Session;
use crate::uris::Uris;

/// Scenarios whose values are shown in one hover.
const MOST: usize = 6;
/// Scenarios that the hints of one screen speak of.
const MOST_HINTS: usize = 12;

pub(super) fn hover(session: &mut Session, params: &Value) -> Answer {
    let markdown = session.peer.markdown;
    let shown = move |at: &super::At<'_>, span: Span, text: &str| {
        let kind = if markdown { "markdown" } else { "plaintext" };
        let text = if markdown { text.to_owned() } else { plain(text) };
        json!({ "contents": { "kind": kind, "value": text }, "range": at.range(span) })
    };
    // What is known without evaluation: nothing, or a word of the library.
    let mut found = false;
    let now = at(session, params, |at| {
        let hover = names::hover(&at.view, at.byte);
        found = hover.is_some();
        let user = at.view.program.sources.file(at.view.file).origin == mesa::source::Origin::User;
        found &= user && has_scenarios(&at.view);
        Ok(hover.map_or(Value::Null, |h| shown(at, h.span, &h.text)))
    });
    if !found {
        return Answer::Now(now);
    }
    let params_too = params.clone();
    aside(
        session,
        params,
        Box::new(move |scenarios| {
            let view = scenarios.view();
            let uris = scenarios.copy.uris.clone();
            let encoding = scenarios.copy.peer.encoding;
            let at = place(scenarios.program, scenarios.module, &params_too, encoding, &uris);
            let Some(hover) = names::hover(&view, at.byte) else { return Ok(Value::Null) };
            // The name of a scenario is about that one, not about those that amend it.
            let own = match &hover.target {
                Some(Target::Item(module, name, false)) if *module == scenarios.module => {
                    scenarios.of(name.text())
                }
                _ => None,
            };
            // What a sweep names is as its scenario has it.
            let swept = view.item_at(at.byte).filter(|i| i.item.kind == ItemKind::Sweep);
            let swept = swept.and_then(|i| i.item.of).and_then(|of| scenarios.of(of.name.text()));
            let own = own.or(swept);
            let facts = own.map_or_else(|| scenarios.using(at.byte, MOST), |own| vec![own]);
            let facts: Vec<&Facts> = facts.iter().map(Arc::as_ref).collect();
            let mut text = hover.text.clone() + &ide::values(&view, &hover, &facts);
            if let (Some(Target::Result(path)), Some(first)) = (&hover.target, facts.first()) {
                text += &scenarios.derivation(&first.name, path);
            }
            Ok(shown(&at, hover.span, &text))
        }),
    )
}

/// Whether there is anything to evaluate.
fn has_scenarios(view: &View<'_>) -> bool {
    let kinds = [Some(ItemKind::Scenario), Some(ItemKind::Measured)];
    let mut pieces = view.program.module(view.module).cut().pieces.iter();
    pieces.any(|part| kinds.contains(&part.piece.kind))
}

/// Markdown without its marks.
fn plain(text: &str) -> String {
    let lines = text.lines().filter(|l| !l.starts_with("```"));
    lines.collect::<Vec<_>>().join("\n").replace("**", "").replace('`', "")
}

pub(super) fn hints(session: &mut Session, params: &Value) -> Answer {
    let params_too = params.clone();
    aside(
        session,
        params,
        Box::new(move |scenarios| {
            let view = scenarios.view();
            let uris = scenarios.copy.uris.clone();
            let encoding = scenarios.copy.peer.encoding;
            let at = place(scenarios.program, scenarios.module, &params_too, encoding, &uris);
            let file = view.program.sources.file(view.file);
            let whole = Span::new(0, file.text.len() as u32);
            let range = params_too.get("range").map_or(whole, |r| span(file, r, encoding));
            let wanted = scenarios.copy.settings.hints;
            let names = in_range(scenarios, range);
            let aside = std::cell::RefCell::new(scenarios);
            let using = |byte: u32| aside.borrow().names_using(byte);
            let mut known: HashMap<Name, Option<Arc<Facts>>> = HashMap::new();
            let mut evaluate = |name: Name| {
                let facts = known.entry(name).or_insert_with(|| aside.borrow_mut().soon(name));
                facts.clone()
            };
            let hints = shown_hints::hints(&view, range, &names, &using, &mut evaluate, wanted);
            let hints = hints.into_iter().map(|hint| {
                json!({
                    "position": at.writer.at(file, hint.at),
                    "label": hint.label,
                    "paddingLeft": true,
                    "tooltip": { "kind": "markdown", "value": hint.more },
                })
            });
            Ok(hints.collect())
        }),
    )
}

/// The scenarios that the items of a range matter to, in the order of the text.
fn in_range(scenarios: &Scenarios<'_>, range: Span) -> Vec<Name> {
    let view = scenarios.view();
    let pieces = view.program.module(view.module).cut().pieces.iter();
    let pieces = pieces.map(|part| (part.piece.start, part.piece.end));
    let inside = pieces.filter(|(start, end)| *end >= range.start && *start <= range.end);
    let mut names: Vec<Name> = Vec::new();
    for (start, _) in inside {
        for name in scenarios.names_using(start).into_iter().take(MOST_HINTS) {
            if names.len() < MOST_HINTS && !names.contains(&name) {
                names.push(name);
            }
        }
        if names.len() == MOST_HINTS {
            break;
        }
    }
    names.sort_by_key(|name| scenario(view.program, view.module, name.text()).map(|i| i.offset));
    names
}

pub(super) fn lenses(session: &mut Session, params: &Value) -> Result<Value> {
    if !session.settings.lenses {
        return Ok(json!([]));
    }
    let commands = session.settings.commands.clone();
    let uri = params.pointer("/textDocument/uri").cloned().unwrap_or(Value::Null);
    let stamp =
        session.name(params).and_then(|n| session.workspace.document(&n).map(|d| d.version));
    at(session, params, |at| {
        let mut out = Vec::new();
        for (name, span) in ide::lens_places(&at.view) {
            let data = json!({ "uri": uri, "scenario": name, "version": stamp });
            out.push(json!({ "range": at.range(span), "data": data }));
            if commands.iter().any(|c| c == "mesa.whatIf") {
                let command = json!({
                    "title": "what if …", "command": "mesa.whatIf", "arguments": [uri, name],
                });
                out.push(json!({ "range": at.range(span), "command": command }));
            }
        }
        Ok(Value::Array(out))
    })
}

/// The figures of one scenario, when its lens comes into view.
pub(super) fn lens(session: &mut Session, lens: &Value) -> Answer {
    let lens = lens.clone();
    let data = lens.get("data").cloned().unwrap_or(Value::Null);
    let shows = session.settings.commands.iter().any(|c| c == "mesa.showReport");
    let params = json!({ "uri": data.get("uri") });
    aside(
        session,
        &params,
        Box::new(move |scenarios| {
            let name = data.get("scenario").and_then(Value::as_str).unwrap_or("");
            let title = scenarios.lens(name).unwrap_or_else(|| "no longer here".to_owned());
            let command = if shows { "mesa.showReport" } else { "" };
            let mut lens = lens;
            if let Value::Object(map) = &mut lens {
                let arguments = json!([data.get("uri"), name]);
                let command = json!({ "title": title, "command": command, "arguments": arguments });
                map.insert("command".into(), command);
            }
            Ok(lens)
        }),
    )
}

pub(super) fn scenarios(session: &mut Session, params: &Value) -> Result<Value> {
    at(session, params, |at| {
        let all = mesa::scenarios(at.view.program, at.view.module);
        let all = all.iter().map(|item| {
            json!({
                "name": item.item.name.name.text(),
                "kind": item.item.kind.keyword(),
                "range": at.writer.range_of(item.place(item.item.span)),
                "selectionRange": at.writer.range_of(item.name_place()),
            })
        });
        Ok(all.collect())
    })
}

pub(super) fn report(session: &mut Session, params: &Value) -> Answer {
    let version =
        session.name(params).and_then(|n| session.workspace.document(&n).map(|d| d.version));
    let params_too = params.clone();
    aside(
        session,
        params,
        Box::new(move |scenarios| {
            let uris = scenarios.copy.uris.clone();
            let encoding = scenarios.copy.peer.encoding;
            let at = place(scenarios.program, scenarios.module, &params_too, encoding, &uris);
            let named = params_too.get("scenario").and_then(Value::as_str).map(str::to_owned);
            let facts = match named {
                Some(name) => Some(existing(scenarios, &name)?),
                None => {
                    let here = at.view.item_at(at.byte).map(|i| i.item.name.name.to_string());
                    let own = here.and_then(|name| scenarios.of(&name));
                    own.or_else(|| scenarios.using(at.byte, 1).into_iter().next())
                }
            };
            let Some(facts) = facts else { return Ok(Value::Null) };
            let Some(item) = scenario(scenarios.program, scenarios.module, &facts.name) else {
                return Ok(Value::Null);
            };
            let findings = facts.findings.iter().map(|d| at.writer.diagnostic(d, true));
            Ok(json!({
                "uri": params_too.get("uri").or(params_too.pointer("/textDocument/uri")),
                "version": version,
                "scenario": facts.name,
                "range": at.writer.range_of(item.name_place()),
                "report": facts.json(),
                "text": facts.text(),
                "findings": findings.collect::<Vec<_>>(),
            }))
        }),
    )
}

pub(super) fn explain(session: &mut Session, params: &Value) -> Answer {
    let version =
        session.name(params).and_then(|n| session.workspace.document(&n).map(|d| d.version));
    let Some(path) = params.get("path").and_then(Value::as_str).map(str::to_owned) else {
        return Answer::Now(Err(Error::invalid_params("`path` is missing")));
    };
    let depth = params.get("depth").and_then(Value::as_u64).map(|d| d as usize);
    aside(
        session,
        params,
        Box::new(move |scenarios| {
            let derivation = derive(scenarios.program, scenarios.module, &path, depth);
            let derivation = derivation.map_err(refused)?;
            let uris = &scenarios.copy.uris;
            Ok(json!({ "version": version, "derivation": step(&derivation, uris) }))
        }),
    )
}

/// What the scenario of a name comes to, or that there is none.
fn existing(scenarios: &mut Scenarios<'_>, name: &str) -> Result<Arc<Facts>> {
    let (program, module) = (scenarios.program, scenarios.module);
    scenarios.of(name).ok_or_else(|| refused(no_scenario(program, module, name)))
}

fn step(d: &Derivation, uris: &Uris) -> Value {
    let mut out = json!({ "name": d.name, "human": d.figure.human() });
    let Value::Object(map) = &mut out else { return out };
    if let Value::Object(figure) = leaf(&d.figure) {
        map.extend(figure);
    }
    let uri = uris.of(&d.at.file);
    let optional = [
        ("alias", d.alias.as_ref().map(|v| json!(v))),
        ("share", d.share.map(|v| json!(v))),
        ("taken", d.taken.map(|v| json!(v))),
        ("range", d.range.as_ref().map(|v| json!(v))),
        ("because", d.because.as_ref().map(|v| json!(v))),
        ("source", d.source.as_ref().map(|v| json!(v))),
        ("above", d.above.then(|| json!(true))),
        ("more", (d.more > 0).then(|| json!(d.more))),
    ];
    map.insert("formula".into(), json!(d.formula));
    map.insert("kind".into(), json!(d.kind));
    map.insert("uri".into(), json!(uri));
    map.insert("line".into(), json!(d.at.line.saturating_sub(1)));
    map.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    map.insert("steps".into(), d.steps.iter().map(|s| step(s, uris)).collect());
    out
}

pub(super) fn choices(session: &mut Session, params: &Value) -> Answer {
    let name = params.get("scenario").and_then(Value::as_str).unwrap_or("").to_owned();
    aside(
        session,
        params,
        Box::new(move |scenarios| {
            let view = scenarios.view();
            let facts = existing(scenarios, &name)?;
            let Some(item) = scenario(scenarios.program, scenarios.module, &name) else {
                return Ok(Value::Null);
            };
            let inputs = facts.report().map_or_else(|| what_if::written(&view, item), inputs);
            let all = what_if::choices(&view, item, &inputs).into_iter().map(|c| {
            json!({ "path": c.path, "title": c.title, "current": c.current, "values": c.values })
        });
            Ok(all.collect())
        }),
    )
}

/// What a scenario is evaluated with, whoever set it: itself, its plan or the library.
fn inputs(report: &mesa::report::Scenario) -> Vec<(String, String)> {
    let set = report.inputs.iter().map(|(path, figure)| (path.clone(), exact(figure)));
    let mut all: Vec<(String, String)> = set.collect();
    let formats = report.formats.iter();
    all.extend(formats.map(|(role, names)| (format!("precision.{role}"), names.join(", "))));
    // `Tp(tp: 8)`
    let arguments = report.plan.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let arguments = arguments.split(',').filter_map(|pair| pair.split_once(':'));
    let plan = |(name, value): (&str, &str)| (format!("plan.{}", name.trim()), value.trim().into());
    all.extend(arguments.map(plan));
    all
}

/// As it would be written in a spec.
fn exact(figure: &Figure) -> String {
    match figure {
        Figure::Number { .. } => figure.exact(),
        other => other.human(),
    }
}
