//! The outline of a file, and names in all files.
//!
//! In: a view. Out: [`Symbol`]s, items with what they declare inside.

use super::resolve::View;
use crate::check::ItemRef;
use crate::source::Place;
use crate::syntax::ast::{Body, ItemKind, StmtKind};

/// What a symbol is, for its icon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Item(ItemKind),
    Param,
    Field,
    Section,
    Weight,
    Tensor,
    Axis,
}

/// A name in an outline.
#[derive(Clone, Debug, PartialEq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// More about it.
    pub detail: String,
    /// What it is.
    pub kind: Kind,
    /// All of it.
    pub whole: Place,
    /// Its name.
    pub place: Place,
    /// What is declared inside.
    pub inside: Vec<Symbol>,
}

/// The outline of a file.
#[must_use]
pub fn symbols(view: &View<'_>) -> Vec<Symbol> {
    let items = view.program.items(view.module).filter(|i| i.item.kind != ItemKind::Use);
    items.map(|item| symbol(view, item)).collect()
}

fn symbol(view: &View<'_>, item: ItemRef<'_>) -> Symbol {
    let params = item.item.params.iter().flatten().map(|param| Symbol {
        name: param.name.name.to_string(),
        detail: param
            .ty
            .as_ref()
            .map_or(String::new(), |ty| view.program.sources.text(item.place(ty.span)).to_owned()),
        kind: Kind::Param,
        whole: item.place(param.span),
        place: item.place(param.name.span),
        inside: Vec::new(),
    });
    let mut inside: Vec<Symbol> = params.collect();
    if let Some(body) = &item.item.body {
        in_body(item, body, &mut inside);
    }
    let head = super::describe::headline(view.program, item);
    let name = item.item.name.name.to_string();
    let detail = &super::describe::one_line(&head);
    Symbol {
        detail: format!("{} {}", item.item.kind.keyword(), after(detail, &name)).trim().to_owned(),
        name: if name.is_empty() { item.item.kind.keyword().to_owned() } else { name },
        kind: Kind::Item(item.item.kind),
        whole: item.place(item.item.span),
        place: item.name_place(),
        inside,
    }
}

/// What stands after the name in a headline, shortened.
fn after<'a>(head: &'a str, name: &str) -> &'a str {
    let rest = head.split_once(name).map_or("", |(_, rest)| rest).trim();
    let end = rest.char_indices().nth(60).map_or(rest.len(), |(i, _)| i);
    rest.get(..end).unwrap_or(rest)
}

fn in_body(item: ItemRef<'_>, body: &Body, out: &mut Vec<Symbol>) {
    for stmt in &body.stmts {
        let name = match &stmt.kind {
            StmtKind::Section { name, label, .. } => {
                let text =
                    label.map_or(name.name.to_string(), |l| format!("{} {}", name.name, l.name));
                Some((text, name.span, Kind::Section))
            }
            StmtKind::Weight { name, .. } => Some((name.name.to_string(), name.span, Kind::Weight)),
            StmtKind::Input { name, .. } => Some((name.name.to_string(), name.span, Kind::Tensor)),
            StmtKind::Axis { name, .. } => Some((name.name.to_string(), name.span, Kind::Axis)),
            StmtKind::Level { name, .. } | StmtKind::Chip { name, .. } => {
                Some((name.name.to_string(), name.span, Kind::Field))
            }
            StmtKind::Set { path, axes, .. } => path.first().map(|first| {
                let names: Vec<&str> = path.iter().map(|p| p.name.text()).collect();
                let block = item.item.kind == ItemKind::Block && path.len() == 1;
                let kind = if axes.is_some() || block { Kind::Tensor } else { Kind::Field };
                (names.join("."), first.span, kind)
            }),
            _ => None,
        };
        let mut inside = Vec::new();
        stmt.each_body(&mut |body| in_body(item, body, &mut inside));
        match name {
            Some((name, span, kind)) => out.push(Symbol {
                name,
                detail: String::new(),
                kind,
                whole: item.place(stmt.span),
                place: item.place(span),
                inside,
            }),
            None => out.extend(inside),
        }
    }
}

/// Whether a name is what was typed: its letters in order, whatever their case.
#[must_use]
pub fn fits(name: &str, query: &str) -> bool {
    let mut letters = name.chars().map(|c| c.to_ascii_lowercase());
    query.chars().all(|q| letters.any(|c| c == q.to_ascii_lowercase()))
}
