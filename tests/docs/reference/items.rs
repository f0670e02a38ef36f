//! What an item of the library says, as texts.

use mesa::Program;
use mesa::check::ItemRef;
use mesa::source::Span;
use mesa::syntax::ast::{AxisRef, Body, Clauses, Expr, Stmt, StmtKind, Text};

use super::markdown::{code, one_line, table};

/// An item with the program it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Entry<'p> {
    pub(super) program: &'p Program,
    pub(super) item: ItemRef<'p>,
}

impl<'p> Entry<'p> {
    pub(super) fn name(&self) -> &'static str {
        self.item.item.name.name.text()
    }
    /// The source at a span of the item.
    pub(super) fn text(&self, span: Span) -> &'p str {
        self.program.sources.text(self.item.place(span))
    }
    /// The whole item, without its doc comment.
    pub(super) fn source(&self) -> &'p str {
        self.text(self.item.item.span)
    }
    pub(super) fn expr(&self, expr: Option<&Expr>) -> String {
        expr.map_or(String::new(), |e| one_line(self.text(e.span)))
    }
    /// The doc comment, as paragraphs.
    pub(super) fn docs(&self) -> String {
        let docs = self.item.item.docs.as_deref().unwrap_or_default();
        docs.lines().map(str::trim).collect::<Vec<_>>().join("\n")
    }
    pub(super) fn stmts(&self) -> &'p [Stmt] {
        self.item.item.body.as_ref().map_or(&[], |b| &b.stmts)
    }
    /// `source = "…"` of its body.
    pub(super) fn stated_source(&self) -> String {
        let found = self.stmts().iter().find_map(|s| match &s.kind {
            StmtKind::Set { path, value, .. } if path.len() == 1 && path[0].name == "source" => {
                Some(self.text(value.span).trim_matches('"').to_owned())
            }
            _ => None,
        });
        found.unwrap_or_default()
    }
    /// `(tp: Count = 8)`.
    pub(super) fn params(&self) -> String {
        let params = self.item.item.params.iter().flatten();
        let params: Vec<&str> = params.map(|p| self.text(p.span)).collect();
        if params.is_empty() { String::new() } else { format!("({})", params.join(", ")) }
    }
    /// A table of its parameters, or nothing.
    pub(super) fn params_table(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .item
            .item
            .params
            .iter()
            .flatten()
            .map(|p| {
                let ty = p.ty.as_ref().map_or("", |t| self.text(t.span));
                let docs = p.docs.as_deref().unwrap_or_default().to_owned();
                let default = code(&self.expr(p.default.as_ref()));
                vec![code(p.name.name.text()), code(ty), default, docs]
            })
            .collect();
        if rows.is_empty() {
            return String::new();
        }
        table(&["Parameter", "Type", "Default", "Meaning"], rows)
    }
    pub(super) fn axes(&self, axes: &[AxisRef]) -> String {
        let axes: Vec<&str> = axes.iter().map(|a| a.name.name.text()).collect();
        axes.join(", ")
    }
}

/// What follows a value: its range, reason and source.
pub(super) fn clauses(entry: &Entry<'_>, clauses: &Clauses) -> [String; 3] {
    let text = |t: &Option<Text>| t.as_ref().map_or(String::new(), Text::plain);
    [entry.expr(clauses.range.as_ref()), text(&clauses.because), text(&clauses.source)]
}

/// Every statement of a body, those of nested bodies after the one that holds them.
pub(super) fn all_stmts<'p>(stmts: &'p [Stmt], out: &mut Vec<&'p Stmt>) {
    let mut inside = |body: &'p Body| all_stmts(&body.stmts, out);
    for stmt in stmts {
        match &stmt.kind {
            StmtKind::Fuse { body, .. } | StmtKind::Repeat { body, .. } => inside(body),
            StmtKind::If { arms, otherwise } => {
                arms.iter().map(|(_, b)| b).chain(otherwise).for_each(&mut inside);
            }
            _ => {}
        }
    }
    out.extend(stmts);
}
