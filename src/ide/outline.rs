//! What the layout of a file says: what can be folded, what selecting grows to, what is a link.
//!
//! In: a view. Out: spans.

use super::mentions::file_of;
use super::resolve::View;
use crate::check::{ItemRef, each_expr};
use crate::source::{Place, Span};
use crate::syntax::ast::{Body, ItemKind, Stmt};
use crate::syntax::token::{Kind, tokens};

/// What a fold is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Fold {
    Region,
    Comment,
    Imports,
}

/// Spans that can be folded, by their first and last byte.
#[must_use]
pub fn folds(view: &View<'_>) -> Vec<(Span, Fold)> {
    let mut out = Vec::new();
    let mut open: Vec<u32> = Vec::new();
    let mut comment: Option<Span> = None;
    let mut line_has_code = false;
    for token in tokens(view.text) {
        let span = Span::new(token.start as u32, token.end as u32);
        let text = token.text(view.text);
        match token.kind {
            Kind::Line => {
                line_has_code = false;
                continue;
            }
            Kind::Comment if !line_has_code => {
                comment = Some(comment.map_or(span, |c: Span| {
                    let between = view.text.get(c.end as usize..span.start as usize).unwrap_or("");
                    if between.matches('\n').count() <= 1 {
                        c.to(span)
                    } else {
                        flush(c, view, &mut out);
                        span
                    }
                }));
                continue;
            }
            _ => {}
        }
        line_has_code = true;
        if let Some(c) = comment.take() {
            flush(c, view, &mut out);
        }
        match text {
            "{" | "(" | "[" if token.kind == Kind::Symbol => open.push(span.start),
            "}" | ")" | "]" if token.kind == Kind::Symbol => {
                if let Some(start) = open.pop() {
                    let whole = Span::new(start, span.end);
                    if several_lines(view, whole) {
                        out.push((whole, Fold::Region));
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(c) = comment {
        flush(c, view, &mut out);
    }
    let uses = view.program.items_of_kind(view.module, ItemKind::Use);
    let spans = uses.iter().map(|i| i.place(i.item.span).span);
    if let Some(all) = spans.reduce(Span::to).filter(|all| several_lines(view, *all)) {
        out.push((all, Fold::Imports));
    }
    out.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
    out
}

fn flush(comment: Span, view: &View<'_>, out: &mut Vec<(Span, Fold)>) {
    if several_lines(view, comment) {
        out.push((comment, Fold::Comment));
    }
}

fn several_lines(view: &View<'_>, span: Span) -> bool {
    view.text.get(span.start as usize..span.end as usize).is_some_and(|t| t.contains('\n'))
}

/// What selecting grows to from a byte: spans, each inside of the next.
#[must_use]
pub fn selections(view: &View<'_>, byte: u32) -> Vec<Span> {
    let mut out = vec![Span::new(0, view.text.len() as u32)];
    if let Some(item) = view.item_at(byte) {
        let at = byte.saturating_sub(item.offset);
        let mut spans = vec![item.item.span];
        spans.extend(item.item.params.iter().flatten().map(|p| p.span));
        if let Some(body) = &item.item.body {
            in_body(body, &mut spans);
        }
        each_expr(item.item, &mut |expr| spans.push(expr.span));
        spans.extend(super::mentions::mentions(item.item).into_iter().map(|m| m.span));
        out.extend(
            spans.into_iter().filter(|s| s.start <= at && at <= s.end).map(|s| item.place(s).span),
        );
    }
    // Names that nothing could be made of, in broken text, are still words.
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let before = view.text.get(..byte as usize).unwrap_or("");
    let after = view.text.get(byte as usize..).unwrap_or("");
    let start = before.trim_end_matches(is_part).len() as u32;
    let end = byte + after.find(|c| !is_part(c)).unwrap_or(after.len()) as u32;
    if start < end {
        out.push(Span::new(start, end));
    }
    out.sort_by_key(|s| (std::cmp::Reverse(s.end - s.start), s.start));
    out.dedup();
    // Spans that cross others are left out.
    let mut nested: Vec<Span> = Vec::new();
    for span in out {
        if nested.last().is_none_or(|l| l.start <= span.start && span.end <= l.end) {
            nested.push(span);
        }
    }
    nested.reverse();
    nested
}

fn in_body(body: &Body, spans: &mut Vec<Span>) {
    spans.push(body.span);
    for stmt in &body.stmts {
        spans.push(stmt.span);
        in_stmt(stmt, spans);
    }
}

fn in_stmt(stmt: &Stmt, spans: &mut Vec<Span>) {
    stmt.each_body(&mut |body| in_body(body, spans));
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq)]
pub enum Link {
    /// To a file, by what the engine calls it.
    File(String),
    /// To a page of the web.
    Web(String),
}

/// The links of a file: imported files and modules, addresses in texts.
#[must_use]
pub fn links(view: &View<'_>) -> Vec<(Place, Link)> {
    let mut out = Vec::new();
    for item in view.program.items_of_kind(view.module, ItemKind::Use) {
        if let Some(file) = file_of(item.item)
            && let Some(module) = view.program.imported(view.module, &file.path)
        {
            let name = &view.program.sources.file(view.program.module(module).file).name;
            out.push((item.place(file.span), Link::File(name.to_string())));
        }
    }
    for item in view.program.items(view.module) {
        addresses(view, item, &mut out);
    }
    out.sort_by_key(|(place, _)| *place);
    out
}

/// Addresses of the web in the texts and comments of an item.
fn addresses(view: &View<'_>, item: ItemRef<'_>, out: &mut Vec<(Place, Link)>) {
    let cut = view.program.module(view.module).cut();
    let Some(part) = cut.piece_at(item.offset).and_then(|i| cut.pieces.get(i)) else { return };
    let text = part.piece.text(view.text);
    for (at, _) in text.match_indices("https://") {
        let rest = text.get(at..).unwrap_or("");
        let end = rest.find(|c: char| c.is_whitespace() || "\"<>)]}`".contains(c));
        let address = rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest);
        let address = address.trim_end_matches(['.', ',', ';', ':']);
        let start = part.piece.start + at as u32;
        let span = Span::new(start, start + address.len() as u32);
        out.push((Place { file: view.file, span }, Link::Web(address.to_owned())));
    }
}
