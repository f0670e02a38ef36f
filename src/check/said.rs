//! Texts that are there for people alone: sources, reasons, labels of measurements.
//!
//! In: an item. Out: their spans. Nothing is found or computed otherwise for what they say, as
//! long as they say something and compute nothing themselves.

use super::lint::each_expr;
use crate::source::Span;
use crate::syntax::ast::{Body, Clauses, ExprKind, Item, Stmt, StmtKind, Text, TextPart};

/// The texts of an item that only people read.
pub(super) fn said(item: &Item) -> Vec<Span> {
    let mut spans = Vec::new();
    spans.extend(item.label.as_ref().and_then(plain));
    in_clauses(&item.clauses, &mut spans);
    item.body.iter().for_each(|body| in_body(body, &mut spans));
    each_expr(item, &mut |expr| {
        if let ExprKind::With(_, body) = &expr.kind {
            in_body(body, &mut spans);
        }
    });
    spans
}

/// Where a text stands that says something and computes nothing.
fn plain(text: &Text) -> Option<Span> {
    let holes = text.parts.iter().any(|part| matches!(part, TextPart::Hole(_)));
    (!holes && !text.plain().trim().is_empty()).then_some(text.span)
}

fn in_clauses(clauses: &Clauses, spans: &mut Vec<Span>) {
    let texts = [&clauses.because, &clauses.source].into_iter().flatten();
    spans.extend(texts.filter_map(plain));
}

fn in_body(body: &Body, spans: &mut Vec<Span>) {
    body.stmts.iter().for_each(|stmt| in_stmt(stmt, spans));
}

fn in_stmt(stmt: &Stmt, spans: &mut Vec<Span>) {
    match &stmt.kind {
        StmtKind::Set { path, value, clauses, .. } => {
            in_clauses(clauses, spans);
            let source = matches!(path.as_slice(), [only] if only.name == "source");
            if let ExprKind::Text(text) = &value.kind
                && source
            {
                spans.extend(plain(text));
            }
        }
        StmtKind::Section { body, .. } => in_body(body, spans),
        _ => {}
    }
}
