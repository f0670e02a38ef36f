//! Code actions and commands.

use std::collections::HashMap;

use mesa::diagnostic::Edit;
use mesa::ide::actions::{self as ide, Kind};
use mesa::ide::{View, what_if};
use serde_json::{Map, Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use super::{named, refused};
use crate::client::Out;
use crate::convert::{Writer, span};
use crate::session::Session;
use crate::uris::name_of;

/// Edits by file, as the client can take them.
fn workspace_edit(
    writer: &Writer<'_>,
    edits: &[Edit],
    versions: &HashMap<String, i32>,
    versioned: bool,
) -> Value {
    let mut changes: Map<String, Value> = Map::new();
    let mut named: Vec<(String, String)> = Vec::new();
    for edit in edits {
        let file = writer.sources.file(edit.place.file);
        let name = file.name.to_string();
        let uri = writer.uri(&name);
        let text = mesa::ide::document::with_ends_of(file, &edit.text);
        let one = json!({ "range": writer.range_of(edit.place), "newText": text });
        if let Value::Array(list) = changes.entry(uri.clone()).or_insert_with(|| json!([])) {
            list.push(one);
        }
        named.push((uri, name));
    }
    if !versioned {
        return json!({ "changes": changes });
    }
    let all = changes.into_iter().map(|(uri, edits)| {
        let name = named.iter().find(|(u, _)| *u == uri).map(|(_, name)| name.clone());
        let version = name.and_then(|name| versions.get(&name).copied());
        json!({ "textDocument": { "uri": uri, "version": version }, "edits": edits })
    });
    json!({ "documentChanges": all.collect::<Vec<_>>() })
}

fn versions(session: &Session) -> HashMap<String, i32> {
    let names = session.workspace.names().into_iter();
    names.filter_map(|n| session.workspace.document(&n).map(|d| (n, d.version))).collect()
}

pub(super) fn actions(session: &mut Session, params: &Value) -> Result<Value> {
    let name = named(session, params)?;
    let found = session.workspace.findings(&name);
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let (versions, versioned) = (versions(session), session.peer.document_changes);
    let literal = session.peer.literal_actions;
    let only = params.pointer("/context/only").and_then(Value::as_array).cloned();
    let Some((program, module)) = session.workspace.program(&name) else { return Ok(Value::Null) };
    let view = View::new(program, module);
    let writer = Writer { sources: &program.sources, encoding, uris: &uris };
    let file = program.sources.file(view.file);
    let range = params.get("range").map(|r| span(file, r, encoding)).unwrap_or_default();
    let wanted = |kind: &str| {
        only.as_ref().is_none_or(|only| {
            only.iter().filter_map(Value::as_str).any(|o| {
                kind == o || kind.strip_prefix(o).is_some_and(|rest| rest.starts_with('.'))
            })
        })
    };
    let mut out = Vec::new();
    for action in ide::actions(&view, range, &found) {
        let kind = match action.kind {
            Kind::Fix => "quickfix",
            Kind::Extract => "refactor.extract",
            Kind::Rewrite => "refactor.rewrite",
        };
        if !wanted(kind) || !literal {
            continue;
        }
        let mut one = json!({
            "title": action.title,
            "kind": kind,
            "edit": workspace_edit(&writer, &action.edits, &versions, versioned),
        });
        let Value::Object(map) = &mut one else { continue };
        if let Some(finding) = action.mends.and_then(|i| found.get(i)) {
            map.insert("diagnostics".into(), json!([writer.diagnostic(finding, true)]));
        }
        if action.preferred {
            map.insert("isPreferred".into(), json!(true));
        }
        out.push(one);
    }
    if wanted("source.fixAll") && literal && only.is_some() {
        let fixed = mesa::diagnostic::fix::apply(&program.sources, &found);
        if let Some(text) = fixed.texts.get(&view.file) {
            let whole = mesa::source::Span::new(0, file.text.len() as u32);
            let place = mesa::source::Place { file: view.file, span: whole };
            let edits = [Edit { place, text: text.clone() }];
            out.push(json!({
                "title": "Apply all safe fixes",
                "kind": "source.fixAll",
                "edit": workspace_edit(&writer, &edits, &versions, versioned),
            }));
        }
    }
    Ok(Value::Array(out))
}

/// `mesa.amend`: the only command of the server.
pub(super) fn execute(session: &mut Session, params: &Value) -> Result<Value> {
    let command = params.get("command").and_then(Value::as_str).unwrap_or("");
    if command != "mesa.amend" {
        return Err(Error::invalid_params(format!("there is no command `{command}`")));
    }
    let text = |i: usize| params.pointer(&format!("/arguments/{i}")).and_then(Value::as_str);
    let (Some(uri), Some(scenario), Some(path), Some(value)) = (text(0), text(1), text(2), text(3))
    else {
        return Err(Error::invalid_params(
            "`mesa.amend` takes a URI, a scenario, a path and a value",
        ));
    };
    let name = name_of(uri);
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let (versions, versioned) = (versions(session), session.peer.document_changes);
    let Some((program, module)) = session.workspace.program(&name) else {
        return Err(refused("the document is not open"));
    };
    let Some(item) = mesa::ide::facts::scenario(program, module, scenario) else {
        return Err(refused(mesa::ide::facts::no_scenario(program, module, scenario)));
    };
    let view = View::new(program, module);
    let edit = what_if::amended(&view, item, path, value);
    if let Some(why) = what_if::refusal(&view, &edit) {
        return Err(refused(why));
    }
    let writer = Writer { sources: &program.sources, encoding, uris: &uris };
    let edit = workspace_edit(&writer, &[edit], &versions, versioned);
    let label = format!("what if {path} = {value}");
    let _ = session.outbox.send(Out::ApplyEdit(json!({ "label": label, "edit": edit })));
    Ok(Value::Null)
}
