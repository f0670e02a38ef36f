//! The shape of a document: outline, folds, selections, links, colours, layout.

use std::path::Path;

use mesa::check::NoFiles;
use mesa::ide::outline::{self, Fold, Link};
use mesa::ide::symbols::{self, Kind, Symbol};
use mesa::ide::tokens::{self as ide, Token};
use mesa::ide::{Encoding, View, layout};
use mesa::source::{SourceFile, Sources, Span};
use mesa::syntax::ast::ItemKind;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;

use super::{At, at, named};
use crate::convert::{byte, span};
use crate::session::Session;
use crate::uris::Uris;

/// The number of an icon in the protocol.
pub(super) fn icon(kind: ItemKind) -> u32 {
    match kind {
        ItemKind::Use => 2,
        ItemKind::Const | ItemKind::Assume => 14,
        ItemKind::Fn | ItemKind::Op => 12,
        ItemKind::Block | ItemKind::Model => 5,
        ItemKind::Metric => 16,
        ItemKind::Scenario | ItemKind::Measured | ItemKind::Sweep => 24,
        ItemKind::Dtype | ItemKind::Dimension | ItemKind::Unit => 26,
        _ => 23,
    }
}

fn kind(kind: Kind) -> u32 {
    match kind {
        Kind::Item(item) => icon(item),
        Kind::Param => 13,
        Kind::Field => 8,
        Kind::Section => 3,
        Kind::Weight => 14,
        Kind::Tensor => 13,
        Kind::Axis => 22,
    }
}

fn symbol(at: &At<'_>, s: &Symbol) -> Value {
    json!({
        "name": s.name,
        "detail": s.detail,
        "kind": kind(s.kind),
        "range": at.writer.range_of(s.whole),
        "selectionRange": at.writer.range_of(s.place),
        "children": s.inside.iter().map(|i| symbol(at, i)).collect::<Vec<_>>(),
    })
}

pub(super) fn symbols(session: &mut Session, params: &Value) -> Result<Value> {
    let hierarchical = session.peer.hierarchical;
    at(session, params, |at| {
        let all = symbols::symbols(&at.view);
        if hierarchical {
            return Ok(all.iter().map(|s| symbol(at, s)).collect());
        }
        Ok(all
            .iter()
            .map(|s| json!({ "name": s.name, "kind": kind(s.kind), "location": at.writer.location(s.whole) }))
            .collect())
    })
}

/// Items of open documents and of the files of the workspace.
pub(super) fn workspace_symbols(session: &mut Session, params: &Value) -> Result<Value> {
    let query = params.get("query").and_then(Value::as_str).unwrap_or("").to_owned();
    let mut names = session.workspace.names();
    for folder in session.folders.clone() {
        super::findings::files(Path::new(&folder), &mut names);
    }
    names.sort();
    names.dedup();
    let (encoding, uris) = (session.peer.encoding, session.uris.clone());
    let mut out = Vec::new();
    for name in names {
        let open = session.workspace.is_open(&name);
        if !open && !session.workspace.visit(&name) {
            continue;
        }
        if let Some((program, module)) = session.workspace.program(&name) {
            let at = super::place(program, module, &Value::Null, encoding, &uris);
            for s in symbols::symbols(&at.view) {
                if symbols::fits(&s.name, &query) {
                    out.push(json!({
                        "name": s.name,
                        "kind": kind(s.kind),
                        "containerName": mesa::ide::hover::short(&name),
                        "location": at.writer.location(s.place),
                    }));
                }
            }
        }
        if !open {
            session.workspace.leave(&name);
        }
    }
    if query.len() >= LIBRARY_FROM {
        library_symbols(&query, &session.uris, &mut out);
    }
    Ok(Value::Array(out))
}

/// Letters of a query from which on the library is searched too, and how many are named then.
const LIBRARY_FROM: usize = 3;
const LIBRARY_MOST: usize = 100;

/// What the library declares that fits a query: those that begin so first.
fn library_symbols(query: &str, uris: &Uris, out: &mut Vec<Value>) {
    let program = mesa::Program::load(Sources::default(), &[], &NoFiles);
    let mut found = Vec::new();
    for (path, _) in mesa::check::library::FILES {
        let Some(module) = program.std_module(path) else { continue };
        let names = program.names(module).filter(|(n, _)| symbols::fits(n.text(), query));
        found.extend(names.map(|(name, kind)| (module, name, kind)));
    }
    let begins =
        |name: &str| name.get(..query.len()).is_some_and(|start| start.eq_ignore_ascii_case(query));
    found.sort_by_key(|(_, name, _)| (!begins(name.text()), name.text().len(), name.text()));
    for (module, name, kind) in found.into_iter().take(LIBRARY_MOST) {
        let at = super::place(&program, module, &Value::Null, Encoding::Utf16, uris);
        let Some(item) = program.item(module, name) else { continue };
        out.push(json!({
            "name": name.text(),
            "kind": icon(kind),
            "containerName": at.writer.sources.file(at.view.file).name.to_string(),
            "location": at.writer.location(item.name_place()),
        }));
    }
}

pub(super) fn folding(at: &At<'_>) -> Result<Value> {
    let file = at.view.program.sources.file(at.view.file);
    let all = outline::folds(&at.view).into_iter().map(|(span, fold)| {
        let (first, last) = (file.line_index(span.start), file.line_index(span.end));
        // The line of a closing bracket stays to be seen.
        let closes = fold == Fold::Region && last > first + 1;
        let last = if closes { last - 1 } else { last };
        let mut out = json!({ "startLine": first, "endLine": last });
        let word = match fold {
            Fold::Region => None,
            Fold::Comment => Some("comment"),
            Fold::Imports => Some("imports"),
        };
        if let (Some(word), Value::Object(map)) = (word, &mut out) {
            map.insert("kind".into(), json!(word));
        }
        out
    });
    Ok(all.collect())
}

pub(super) fn selection(at: &At<'_>, params: &Value) -> Result<Value> {
    let file = at.view.program.sources.file(at.view.file);
    let positions = params.get("positions").and_then(Value::as_array).into_iter().flatten();
    let all = positions.map(|p| {
        let here = byte(file, p, at.writer.encoding);
        let spans = outline::selections(&at.view, here);
        let mut out = Value::Null;
        for span in spans.iter().rev() {
            let range = at.range(*span);
            out = match out {
                Value::Null => json!({ "range": range }),
                parent => json!({ "range": range, "parent": parent }),
            };
        }
        out
    });
    Ok(all.collect())
}

pub(super) fn links(at: &At<'_>) -> Result<Value> {
    let all = outline::links(&at.view).into_iter().map(|(place, link)| {
        let target = match link {
            Link::File(name) => at.writer.uri(&name),
            Link::Web(address) => address,
        };
        json!({ "range": at.writer.range_of(place), "target": target })
    });
    Ok(all.collect())
}

/// Tokens as the protocol packs them: each relative to the one before.
fn packed(view: &View<'_>, tokens: &[Token], encoding: Encoding) -> Vec<u32> {
    let file = view.program.sources.file(view.file);
    let starts = file.line_starts();
    let mut out = Vec::with_capacity(tokens.len() * 5);
    let (mut line, mut line_start, mut line_end) =
        (0usize, 0u32, starts.get(1).copied().unwrap_or(u32::MAX));
    let (mut last_line, mut last_column) = (0, 0);
    let units = |span: Span| {
        let text = file.slice(span);
        match encoding {
            Encoding::Utf8 => text.len() as u32,
            Encoding::Utf16 if text.is_ascii() => text.len() as u32,
            Encoding::Utf16 => text.encode_utf16().count() as u32,
        }
    };
    for token in tokens {
        while token.span.start >= line_end {
            line += 1;
            line_start = line_end;
            line_end = starts.get(line + 1).copied().unwrap_or(u32::MAX);
        }
        let column = units(Span::new(line_start, token.span.start));
        let same = line == last_line;
        let delta = if same { column - last_column } else { column };
        out.extend([
            (line - last_line) as u32,
            delta,
            units(token.span),
            token.kind as u32,
            token.flags,
        ]);
        (last_line, last_column) = (line, column);
    }
    out
}

fn whole(file: &SourceFile) -> Span {
    Span::new(0, file.text.len() as u32)
}

fn all_tokens(session: &mut Session, params: &Value) -> Result<(String, Vec<u32>)> {
    let name = named(session, params)?;
    let encoding = session.peer.encoding;
    let Some((program, module)) = session.workspace.program(&name) else {
        return Ok((name, Vec::new()));
    };
    let view = View::new(program, module);
    let tokens = ide::tokens(&view, whole(program.sources.file(view.file)));
    Ok((name, packed(&view, &tokens, encoding)))
}

/// Numbers as JSON.
fn listed(numbers: &[u32]) -> String {
    let mut out = String::with_capacity(numbers.len() * 3 + 2);
    out.push('[');
    for (i, number) in numbers.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        match number {
            // Most of them: distances within a line, kinds.
            0..=9 => out.push(char::from(b'0' + *number as u8)),
            _ => out += &number.to_string(),
        }
    }
    out.push(']');
    out
}

fn all(id: u64, data: &[u32]) -> String {
    format!("{{\"resultId\":\"{id}\",\"data\":{}}}", listed(data))
}

pub(super) fn tokens(session: &mut Session, params: &Value) -> Result<String> {
    let (name, data) = all_tokens(session, params)?;
    session.sent += 1;
    let out = all(session.sent, &data);
    session.tokens.insert(name, (session.sent, data));
    Ok(out)
}

/// What changed since the tokens that the client has: one edit between what is the same.
pub(super) fn tokens_delta(session: &mut Session, params: &Value) -> Result<String> {
    let previous = params.get("previousResultId").and_then(Value::as_str).unwrap_or("").to_owned();
    let (name, data) = all_tokens(session, params)?;
    session.sent += 1;
    let id = session.sent;
    let old = session.tokens.remove(&name).filter(|(known, _)| known.to_string() == previous);
    let out = match old {
        None => all(id, &data),
        Some((_, old)) => {
            let front = old.iter().zip(&data).take_while(|(a, b)| a == b).count();
            let left = old.len().min(data.len()) - front;
            let ends = old.iter().rev().zip(data.iter().rev()).take(left);
            let back = ends.take_while(|(a, b)| a == b).count();
            let new = data.get(front..data.len() - back).unwrap_or_default();
            let gone = old.len() - back - front;
            let edit =
                format!("{{\"start\":{front},\"deleteCount\":{gone},\"data\":{}}}", listed(new));
            let edits = if gone == 0 && new.is_empty() { String::new() } else { edit };
            format!("{{\"resultId\":\"{id}\",\"edits\":[{edits}]}}")
        }
    };
    session.tokens.insert(name, (id, data));
    Ok(out)
}

pub(super) fn some_tokens(at: &At<'_>, params: &Value) -> Result<Value> {
    let file = at.view.program.sources.file(at.view.file);
    let range = params.get("range").map_or(whole(file), |r| span(file, r, at.writer.encoding));
    let tokens = ide::tokens(&at.view, range);
    Ok(json!({ "data": packed(&at.view, &tokens, at.writer.encoding) }))
}

/// Edits that lay the document out, or the items that a range touches.
pub(super) fn format(at: &At<'_>, range: Option<&Value>) -> Result<Value> {
    let file = at.view.program.sources.file(at.view.file);
    let range = range.map_or(whole(file), |r| span(file, r, at.writer.encoding));
    let edits = layout::edits(&at.view, range).into_iter();
    Ok(edits.map(|(span, text)| json!({ "range": at.range(span), "newText": text })).collect())
}

pub(super) fn format_typed(at: &At<'_>, params: &Value) -> Result<Value> {
    let typed = params.get("ch").and_then(Value::as_str).unwrap_or("");
    let edits = layout::typed(&at.view, at.byte, typed).into_iter();
    Ok(edits.map(|(span, text)| json!({ "range": at.range(span), "newText": text })).collect())
}
