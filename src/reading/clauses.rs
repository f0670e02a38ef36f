//! What is said beside a value where it stands: its range, its reason, its source.

use crate::check::{ItemRef, Program};
use crate::expr::{Origin, OriginKind};
use crate::name::Name;
use crate::source::{Place, Span};
use crate::syntax::ast::{self, Body, ItemKind, StmtKind};

/// Range, reason and source as text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Clauses {
    pub range: Option<String>,
    pub because: Option<String>,
    pub source: Option<String>,
}

/// What is said beside the value that an origin points to.
pub(super) fn clauses(program: &Program, origin: &Origin) -> Clauses {
    let mut out = Clauses::default();
    if let Some(item) = item_at(program, origin.place) {
        if item.item.kind == ItemKind::Assume {
            out.fill(program, item, &item.item.clauses);
        }
        if let Some(body) = &item.item.body {
            let inside = relative(item, origin.place);
            if let Some(clauses) = inside.and_then(|span| setting_at(body, span)) {
                out.fill(program, item, clauses);
            }
            if out.source.is_none() {
                out.source = own_source(body);
            }
        }
    }
    // A runtime or an override gives a value; the range and the reason are the declaration's.
    let missing = out.because.is_none() || out.range.is_none();
    if missing
        && matches!(origin.kind, OriginKind::Assumption | OriginKind::Override)
        && let Some(item) = assumption(program, origin.name)
    {
        out.fill(program, item, &item.item.clauses);
    }
    out
}

impl Clauses {
    /// Adds what is not known yet.
    fn fill(&mut self, program: &Program, item: ItemRef<'_>, from: &ast::Clauses) {
        let text = |span: Span| {
            let text = program.sources.text(item.place(span));
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let plain = |t: &Option<ast::Text>| t.as_ref().map(ast::Text::plain);
        self.range = self.range.take().or_else(|| from.range.as_ref().map(|r| text(r.span)));
        self.because = self.because.take().or_else(|| plain(&from.because));
        self.source = self.source.take().or_else(|| plain(&from.source));
    }
}

/// The item whose text holds a place.
pub(super) fn item_at(program: &Program, place: Place) -> Option<ItemRef<'_>> {
    let (module, _) = program.modules().find(|(_, m)| m.file == place.file)?;
    let holds = |item: &ItemRef<'_>| {
        let span = item.place(item.item.span).span;
        span.start <= place.span.start && place.span.end <= span.end
    };
    program.items(module).find(holds)
}

fn relative(item: ItemRef<'_>, place: Place) -> Option<Span> {
    let start = place.span.start.checked_sub(item.offset)?;
    let end = place.span.end.checked_sub(item.offset)?;
    Some(Span::new(start, end))
}

/// The clauses of the setting that holds a span.
fn setting_at(body: &Body, span: Span) -> Option<&ast::Clauses> {
    let stmt = body.stmts.iter().find(|s| s.span.start <= span.start && span.end <= s.span.end)?;
    match &stmt.kind {
        StmtKind::Set { clauses, .. } => Some(clauses),
        StmtKind::Section { body, .. } => setting_at(body, span),
        _ => None,
    }
}

/// `source = "…"` of a body.
fn own_source(body: &Body) -> Option<String> {
    body.stmts.iter().find_map(|s| {
        let StmtKind::Set { path, value, .. } = &s.kind else { return None };
        match (path.as_slice(), &value.kind) {
            ([name], ast::ExprKind::Text(text)) if name.name == "source" => Some(text.plain()),
            _ => None,
        }
    })
}

/// The declaration of an assumption.
fn assumption(program: &Program, name: Name) -> Option<ItemRef<'_>> {
    let last = Name::new(name.text().rsplit('.').next().unwrap_or_default());
    let item = program.modules().find_map(|(id, _)| {
        let declared = program.names(id).any(|(n, k)| n == last && k == ItemKind::Assume);
        if declared { program.item(id, last) } else { None }
    });
    item.filter(|i| i.item.kind == ItemKind::Assume)
}
