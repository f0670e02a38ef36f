//! Completion and signature help.

use mesa::ide::complete::{Kind, complete};
use mesa::ide::signature::signature as find;
use mesa::syntax::ast::ItemKind;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::Result;

use super::At;

pub(super) fn completion(at: &At<'_>, snippets: bool) -> Result<Value> {
    let found = complete(&at.view, at.byte);
    let items: Vec<Value> = found
        .items
        .into_iter()
        .map(|c| {
            // A client that knows no places to go on gets the word alone.
            let insert = if c.snippet && !snippets { &c.label } else { &c.insert };
            let mut out = json!({
                "label": c.label,
                "kind": icon(c.kind),
                "sortText": format!("{}{}", c.rank, c.label),
                "textEdit": { "range": at.range(c.span), "newText": insert },
            });
            let Value::Object(map) = &mut out else { return out };
            if !c.detail.is_empty() {
                map.insert("detail".into(), json!(c.detail));
            }
            if let Some(docs) = c.docs {
                map.insert("documentation".into(), json!({ "kind": "markdown", "value": docs }));
            }
            if c.snippet && snippets {
                map.insert("insertTextFormat".into(), json!(2));
            }
            if !c.edits.is_empty() {
                let edits = c
                    .edits
                    .iter()
                    .map(|e| json!({ "range": at.writer.range_of(e.place), "newText": e.text }));
                map.insert("additionalTextEdits".into(), edits.collect());
            }
            out
        })
        .collect();
    Ok(json!({ "isIncomplete": found.more, "items": items }))
}

/// The number of an icon in the protocol.
fn icon(kind: Kind) -> u32 {
    match kind {
        Kind::Keyword => 14,
        Kind::Snippet => 15,
        Kind::Field | Kind::Param => 5,
        Kind::Item(ItemKind::Fn | ItemKind::Op) | Kind::Function => 3,
        Kind::Item(ItemKind::Const | ItemKind::Assume) => 21,
        Kind::Item(ItemKind::Block | ItemKind::Model) => 7,
        Kind::Item(_) => 22,
        Kind::Local | Kind::Axis => 6,
        Kind::Unit => 11,
        Kind::Result => 10,
        Kind::Module => 9,
        Kind::File => 17,
        Kind::Word => 12,
    }
}

pub(super) fn signature(at: &At<'_>) -> Result<Value> {
    let Some(found) = find(&at.view, at.byte) else { return Ok(Value::Null) };
    let params: Vec<Value> = found
        .params
        .iter()
        .map(|(span, docs)| {
            let label = found.label.get(span.start as usize..span.end as usize).unwrap_or("");
            match docs {
                Some(docs) => json!({ "label": label, "documentation": docs }),
                None => json!({ "label": label }),
            }
        })
        .collect();
    let mut signature = json!({ "label": found.label, "parameters": params });
    if let (Some(docs), Value::Object(map)) = (found.docs, &mut signature) {
        map.insert("documentation".into(), json!({ "kind": "markdown", "value": docs }));
    }
    Ok(json!({
        "signatures": [signature],
        "activeSignature": 0,
        "activeParameter": found.active,
    }))
}
