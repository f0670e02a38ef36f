//! Where names are declared and used; renaming; what depends on what.

use std::collections::HashSet;

use mesa::ide::calls::{self, Item};
use mesa::ide::describe::about;
use mesa::ide::moved::{self, Renaming};
use mesa::ide::references as ide;
use mesa::source::{Origin, Place, Span};
use serde_json::{Map, Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use super::{At, at, named, refused};
use crate::convert::Writer;
use crate::session::Session;
use crate::uris::name_of;

pub(super) fn definition(at: &At<'_>, links: bool) -> Result<Value> {
    let Some((span, places)) = ide::definition(&at.view, at.byte) else { return Ok(Value::Null) };
    let all = places.iter().map(|place| {
        if !links {
            return at.writer.location(*place);
        }
        let file = at.writer.sources.file(place.file);
        json!({
            "originSelectionRange": at.range(span),
            "targetUri": at.writer.uri(&file.name),
            "targetRange": at.writer.range_of(whole(at, *place)),
            "targetSelectionRange": at.writer.range_of(*place),
        })
    });
    Ok(all.collect())
}

/// The item that a place is in, for a peek at it.
fn whole(at: &At<'_>, place: Place) -> Place {
    let module = at.view.program.modules().find(|(_, m)| m.file == place.file).map(|(id, _)| id);
    let item = module.and_then(|m| at.view.of(m).item_at(place.span.start));
    let item = item.filter(|i| i.name_place() == place);
    item.map_or(place, |i| i.place(i.item.span))
}

pub(super) fn type_definition(at: &At<'_>) -> Result<Value> {
    let places = ide::type_definition(&at.view, at.byte);
    Ok(places.map_or(Value::Null, |all| all.iter().map(|p| at.writer.location(*p)).collect()))
}

/// Uses in the program of the document, and in every file that imports the one where the name is
/// declared.
pub(super) fn references(session: &mut Session, params: &Value) -> Result<Value> {
    let wanted = params.pointer("/context/includeDeclaration").and_then(Value::as_bool);
    let mut all: Vec<Value> = Vec::new();
    let mut seen: HashSet<(String, Span)> = HashSet::new();
    let mut home = None;
    let own = at(session, params, |at| {
        let Some((_, target)) = ide::target_at(&at.view, at.byte) else { return Ok(Value::Null) };
        let declared = about(&at.view, &target).place;
        let mut places: Vec<Place> =
            ide::references(&at.view, &target).into_iter().map(|(place, _)| place).collect();
        if wanted == Some(false) {
            places.retain(|p| Some(*p) != declared);
        } else {
            places.extend(declared.filter(|d| !places.contains(d)));
        }
        home = home_of(at);
        let name = |p: &Place| (at.writer.sources.file(p.file).name.to_string(), p.span);
        seen.extend(places.iter().map(name));
        all = places.iter().map(|p| at.writer.location(*p)).collect();
        Ok(json!(true))
    })?;
    if let (Some(home), Some(name)) = (&home, session.name(params)) {
        importing(session, &name, home, &mut |at| {
            let Some((_, target)) = ide::target_at(&at.view, at.byte) else { return Ok(()) };
            let declared = about(&at.view, &target).place.filter(|_| wanted == Some(false));
            for (place, _) in ide::references(&at.view, &target) {
                let file = at.writer.sources.file(place.file).name.to_string();
                if Some(place) != declared && seen.insert((file, place.span)) {
                    all.push(at.writer.location(place));
                }
            }
            Ok(())
        })?;
    }
    Ok(if own.is_null() { own } else { Value::Array(all) })
}

/// The file where what stands at a place is declared, and the byte there; of files of the user.
fn home_of(at: &At<'_>) -> Option<(String, u32)> {
    let (_, target) = ide::target_at(&at.view, at.byte)?;
    let place = about(&at.view, &target).place?;
    let file = at.writer.sources.file(place.file);
    (file.origin == Origin::User).then(|| (file.name.to_string(), place.span.start))
}

/// Looks at `home`, a place in a file, from every other document and every file of the workspace
/// that imports it.
fn importing(
    session: &mut Session,
    name: &str,
    home: &(String, u32),
    look: &mut dyn FnMut(&At<'_>) -> Result<()>,
) -> Result<()> {
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let mut names = session.workspace.names();
    for folder in session.folders.clone() {
        super::findings::files(std::path::Path::new(&folder), &mut names);
    }
    names.sort();
    names.dedup();
    let (file, byte) = home;
    for other in names.iter().filter(|other| *other != name) {
        let open = session.workspace.is_open(other);
        if !open && !session.workspace.visit(other) {
            continue;
        }
        let mut looked = Ok(());
        if let Some((program, _)) = session.workspace.program(other)
            && let Some(id) = program.sources.find(file)
            && let Some((home, _)) = program.modules().find(|(_, m)| m.file == id)
        {
            let place = super::place(program, home, &Value::Null, encoding, &uris);
            looked = look(&At { byte: *byte, ..place });
        }
        if !open {
            session.workspace.leave(other);
        }
        looked?;
    }
    Ok(())
}

pub(super) fn highlight(at: &At<'_>) -> Result<Value> {
    let Some((_, target)) = ide::target_at(&at.view, at.byte) else { return Ok(Value::Null) };
    let all = ide::references(&at.view, &target).into_iter();
    let here = all.filter(|(place, _)| place.file == at.view.file).map(|(place, what)| {
        let kind = if ide::writes(&what) { 3 } else { 2 };
        json!({ "range": at.range(place.span), "kind": kind })
    });
    Ok(here.collect())
}

pub(super) fn prepare_rename(at: &At<'_>) -> Result<Value> {
    match ide::prepare_rename(&at.view, at.byte) {
        Ok((span, name)) => Ok(json!({ "range": at.range(span), "placeholder": name })),
        Err(reason) => Err(refused(reason)),
    }
}

/// Every open document is looked at, since any may use the name.
pub(super) fn rename(session: &mut Session, params: &Value) -> Result<Value> {
    let name = named(session, params)?;
    let new = params.get("newName").and_then(Value::as_str).unwrap_or("").to_owned();
    let mut changes: Map<String, Value> = Map::new();
    // Several documents may see the same file.
    let mut seen: HashSet<(String, Span)> = HashSet::new();
    let mut change = |at: &At<'_>| {
        for edit in ide::rename(&at.view, at.byte, &new).map_err(refused)? {
            let file = at.writer.sources.file(edit.place.file);
            if !seen.insert((file.name.to_string(), edit.place.span)) {
                continue;
            }
            let edit = json!({ "range": at.writer.range_of(edit.place), "newText": edit.text });
            let list = changes.entry(at.writer.uri(&file.name)).or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(edit);
            }
        }
        Ok(())
    };
    let mut home = None;
    let own = at(session, params, |at| {
        change(at)?;
        // What only this file calls so is renamed nowhere else.
        let old = ide::prepare_rename(&at.view, at.byte).map_err(refused)?.1;
        if !ide::is_alias(&at.view, mesa::name::Name::new(&old)) {
            home = home_of(at);
        }
        Ok(json!(true))
    })?;
    if own.is_null() {
        return Ok(own);
    }
    if let Some(home) = &home {
        importing(session, &name, home, &mut change)?;
    }
    Ok(edit(session, changes))
}

/// Edits of documents, by URI, as the client takes them.
fn edit(session: &Session, changes: Map<String, Value>) -> Value {
    if session.peer.document_changes {
        let all = changes.into_iter().map(|(uri, edits)| {
            let version = session.workspace.document(&name_of(&uri)).map(|d| d.version);
            json!({ "textDocument": { "uri": uri, "version": version }, "edits": edits })
        });
        return json!({ "documentChanges": all.collect::<Vec<_>>() });
    }
    json!({ "changes": changes })
}

/// The `use` lines that have to be written anew as files or folders are renamed: of documents as
/// they are edited, else as they are on disk.
pub(super) fn will_rename(session: &mut Session, params: &Value) -> Result<Value> {
    let files = params.get("files").and_then(Value::as_array);
    let name = |f: &Value, key: &str| {
        let name = name_of(f.get(key)?.as_str()?);
        Some(if name.len() > 1 { name.trim_end_matches('/').to_owned() } else { name })
    };
    let renamed = |f: &Value| Some(Renaming { old: name(f, "oldUri")?, new: name(f, "newUri")? });
    let all: Vec<Renaming> = files.into_iter().flatten().filter_map(renamed).collect();
    let mut names = session.workspace.names();
    let renamed = all.iter().map(|one| &one.old);
    for place in session.folders.iter().chain(renamed) {
        if std::path::Path::new(place).is_dir() {
            super::findings::files(std::path::Path::new(place), &mut names);
        } else if place.ends_with(".mesa") {
            names.push(place.clone());
        }
    }
    names.sort();
    names.dedup();
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let mut changes: Map<String, Value> = Map::new();
    for name in names {
        let Ok(text) = session.workspace.texts.text(&name) else { continue };
        let edits = moved::edits(&text, &all);
        if edits.is_empty() {
            continue;
        }
        let sources = mesa::source::Sources::default();
        let writer = Writer { sources: &sources, encoding, uris: &uris };
        let edits = edits
            .into_iter()
            .map(|(span, new)| json!({ "range": writer.range(&text.file, span), "newText": new }));
        changes.insert(writer.uri(&name), edits.collect());
    }
    Ok(if changes.is_empty() { Value::Null } else { edit(session, changes) })
}

fn item(at: &At<'_>, item: &Item) -> Value {
    let file = at.writer.sources.file(item.name.file);
    json!({
        "name": item.label,
        "detail": item.detail,
        "kind": super::shape::icon(item.kind),
        "uri": at.writer.uri(&file.name),
        "range": at.writer.range_of(item.whole),
        "selectionRange": at.writer.range_of(item.name),
    })
}

fn file_of(at: &At<'_>, item: &Item) -> String {
    at.writer.sources.file(item.name.file).name.to_string()
}

pub(super) fn prepare_calls(at: &At<'_>) -> Result<Value> {
    let found = calls::prepare(&at.view, at.byte);
    Ok(found.map_or(Value::Null, |found| json!([item(at, &found)])))
}

/// What the item of a request depends on, or what depends on it.
pub(super) fn calls(session: &mut Session, params: &Value, incoming: bool) -> Result<Value> {
    let Some(asked) = params.get("item") else {
        return Err(Error::invalid_params("`item` is missing"));
    };
    let uri = asked.get("uri").and_then(Value::as_str).unwrap_or("");
    let file = name_of(uri);
    // A file of the library is looked at through a document that is open.
    let documents = session.workspace.names();
    let own = session.workspace.is_open(&file).then(|| file.clone());
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let mut out: Vec<Value> = Vec::new();
    let mut seen: HashSet<(String, Span)> = HashSet::new();
    let looked: Vec<String> =
        if incoming { documents } else { own.into_iter().chain(documents).take(1).collect() };
    for document in looked {
        let Some((program, _)) = session.workspace.program(&document) else { continue };
        let Some(id) = program.sources.find(&file) else { continue };
        let Some((module, _)) = program.modules().find(|(_, m)| m.file == id) else { continue };
        let position = json!({ "position": asked.pointer("/selectionRange/start") });
        let at = super::place(program, module, &position, encoding, &uris);
        let found = if incoming {
            calls::incoming(&at.view, at.byte)
        } else {
            calls::outgoing(&at.view, at.byte)
        };
        for (other, places) in found {
            let key = if incoming { "from" } else { "to" };
            let ranges: Vec<Value> = places.iter().map(|p| at.writer.range_of(*p)).collect();
            if seen.insert((at.writer.uri(&file_of(&at, &other)), other.name.span)) {
                out.push(json!({ key: item(&at, &other), "fromRanges": ranges }));
            }
        }
    }
    Ok(Value::Array(out))
}
