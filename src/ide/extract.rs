//! Rewrites that give a name, or a range, to what is written in place.
//!
//! In: a view and a range. Out: actions: an expression as a `const`, a literal as an `assume`, a
//! range for a figure of a runtime.

use super::actions::{Action, Kind};
use super::mentions::{What, mentions};
use super::naming::{is_formula, name_for};
use super::resolve::View;
use crate::check::{Checker, ItemRef, each_expr, each_inside, show_number};
use crate::diagnostic::Edit;
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::{Place, Span};
use crate::syntax::ast::{Body, Expr, ExprKind, ItemKind, Stmt, StmtKind};

/// The expression that a range covers, but for blanks and parentheses round it, and what stands in
/// its place: the parentheses too.
fn selected<'p>(view: &View<'p>, range: Span) -> Option<(ItemRef<'p>, &'p Expr, Span)> {
    let text = view.text.get(range.start as usize..range.end as usize)?;
    let start = range.start + (text.len() - text.trim_start().len()) as u32;
    let wanted = Span::new(start, start + text.trim().len() as u32);
    if wanted.start >= wanted.end {
        return None;
    }
    let item = view.item_at(wanted.start)?;
    let mut found = None;
    each_expr(item.item, &mut |expr| match &expr.kind {
        ExprKind::Paren(inner) => {
            let spans = [expr.span, inner.span].map(|span| item.place(span).span);
            if spans.contains(&wanted) {
                found = Some((&**inner, expr.span));
            }
        }
        _ if item.place(expr.span).span == wanted => found = found.or(Some((expr, expr.span))),
        _ => {}
    });
    found.map(|(expr, whole)| (item, expr, whole))
}

/// Where a new item goes: before the comments of another.
fn before(view: &View<'_>, item: ItemRef<'_>) -> Place {
    let text = view.text;
    let mut at = item.place(item.item.span).span.start as usize;
    while let Some(line) = text.get(..at).and_then(|t| t.strip_suffix('\n')) {
        let start = line.rfind('\n').map_or(0, |i| i + 1);
        let is_its = |l: &str| l.starts_with("//") && !l.starts_with("//!");
        if !line.get(start..).is_some_and(is_its) {
            break;
        }
        at = start;
    }
    Place { file: view.file, span: Span::new(at as u32, at as u32) }
}

/// The selected expression as a constant.
pub(super) fn extract(view: &View<'_>, range: Span, out: &mut Vec<Action>) {
    let Some((item, expr, whole)) = selected(view, range) else { return };
    let locals: Vec<Name> = mentions(item.item)
        .iter()
        .filter(|m| matches!(m.what, What::Param | What::Binds(_)))
        .map(|m| m.name)
        .collect();
    let mut stays = item.item.kind == ItemKind::Const;
    each_inside(expr, &mut |e| {
        stays |= match &e.kind {
            ExprKind::Name(name) => locals.contains(name),
            ExprKind::With(..) | ExprKind::On(..) | ExprKind::Arrow(..) | ExprKind::Error => true,
            _ => false,
        };
    });
    let is_value = matches!(
        expr.kind,
        ExprKind::Number { .. }
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::If(..)
            | ExprKind::List(_)
            | ExprKind::Range(..)
            | ExprKind::Call { .. }
    );
    if stays || !is_value || !means_the_same(view, expr) {
        return;
    }
    let name = name_for(view, item, expr.span, &kind_of(view, expr));
    let text = view.program.sources.text(item.place(expr.span));
    let edits = vec![
        Edit { place: before(view, item), text: format!("const {name} = {text}\n\n") },
        Edit { place: item.place(whole), text: name.clone() },
    ];
    let title = format!("Give it a name: `const {name}`");
    out.push(Action { title, kind: Kind::Extract, edits, mends: None, preferred: false });
}

/// Whether every name in an expression is one of the file, not of what it is a setting of: results,
/// roles, words such as `switch`.
fn means_the_same(view: &View<'_>, expr: &Expr) -> bool {
    let mut checker = Checker::new(view.program);
    let mut sound = true;
    each_inside(expr, &mut |e| {
        if let ExprKind::Name(name) = e.kind {
            let known = checker.module_name(view.module, name).is_some();
            sound &= known || crate::check::BUILTINS.contains(&name.text());
        }
    });
    sound
}

/// What an expression is, by the units in it: `time`.
fn kind_of(view: &View<'_>, expr: &Expr) -> String {
    let literal = match &expr.kind {
        ExprKind::Binary(op, a, _) if matches!(op.symbol(), "+" | "-") => a,
        _ => expr,
    };
    let ExprKind::Number { unit: Some(unit), .. } = &literal.kind else { return "value".into() };
    let dimension = view.program.unit_expr(unit).map(|u| u.dimension);
    match dimension {
        Ok(dimension) if !dimension.is_none() => {
            let name = dimension_name(view, dimension);
            if name == "Number" { "value".into() } else { name }
        }
        Ok(_) => "share".into(),
        Err(_) => "value".into(),
    }
}

/// A number at the cursor.
struct Literal<'p> {
    item: ItemRef<'p>,
    expr: &'p Expr,
    value: f64,
    /// Its unit as written, with the blank before it.
    suffix: String,
    dimension: Option<Dimension>,
    whole: bool,
}

fn literal<'p>(view: &View<'p>, range: Span) -> Option<Literal<'p>> {
    let item = view.item_at(range.start)?;
    let mut found = None;
    each_expr(item.item, &mut |expr| {
        let span = item.place(expr.span).span;
        if let ExprKind::Number { value, unit, integer } = &expr.kind
            && span.start <= range.start
            && range.end <= span.end
        {
            found = Some((expr, *value, unit.as_ref(), *integer));
        }
    });
    let (expr, value, unit, integer) = found?;
    let number = unit.map_or("", |u| {
        view.program.sources.text(item.place(Span::new(expr.span.start, u.span.start)))
    });
    let text = view.program.sources.text(item.place(expr.span));
    let unit_text = unit.and_then(|_| text.get(number.len()..)).unwrap_or("");
    let blank = if number.ends_with(' ') { " " } else { "" };
    Some(Literal {
        item,
        expr,
        value,
        suffix: format!("{blank}{unit_text}"),
        dimension: unit.and_then(|u| view.program.unit_expr(u).ok()).map(|u| u.dimension),
        whole: integer && unit.is_none(),
    })
}

impl Literal<'_> {
    /// `in 0.9 .. 1.1`, a tenth down and up.
    fn range(&self, whole: bool) -> String {
        let (mut low, mut high) = (self.value * 9.0 / 10.0, self.value * 11.0 / 10.0);
        if whole {
            low = libm::floor(low).max(1.0);
            high = libm::ceil(high);
        }
        let show = |value: f64| match show_number(value).split_once('e') {
            Some((digits, power)) => {
                let digits = digits.trim_end_matches('0').trim_end_matches('.');
                format!("{digits}e{power}")
            }
            None => show_number(value),
        };
        format!("in {}{1} .. {2}{1}", show(low), self.suffix, show(high))
    }
}

/// The number at the cursor as an assumption with a range.
pub(super) fn assume(view: &View<'_>, range: Span, out: &mut Vec<Action>) {
    let Some(literal) = literal(view, range) else { return };
    let Literal { item, expr, .. } = literal;
    let kind = item.item.kind;
    let objects = [ItemKind::Chip, ItemKind::Link, ItemKind::System];
    if !(is_formula(kind) || objects.contains(&kind)) || literal.value == 0.0 {
        return;
    }
    // How many of what make a level is no figure that may be off.
    let counts = item.item.body.iter().any(|body| is_counted(body, expr.span));
    let ranged = item.item.clauses.range.as_ref().is_some_and(|r| holds(r.span, expr.span));
    if counts || ranged {
        return;
    }
    let whole = literal.whole && !is_formula(kind);
    let ty = match literal.dimension {
        Some(dimension) if !dimension.is_none() => dimension_name(view, dimension),
        _ if whole => "Count".to_owned(),
        _ => "Number".to_owned(),
    };
    let text = view.program.sources.text(item.place(expr.span));
    let name = name_for(view, item, expr.span, &kind_of(view, expr));
    let range = literal.range(whole);
    let item_text = format!("assume {name}: {ty} = {text} {range}\n  because \"\"\n\n");
    let title = format!("Make it an assumption with a range: `assume {name}`");
    let edits = vec![
        Edit { place: before(view, item), text: item_text },
        Edit { place: item.place(expr.span), text: name },
    ];
    out.push(Action { title, kind: Kind::Extract, edits, mends: None, preferred: false });
}

/// A figure of a runtime, which is an assumption already, with a range.
pub(super) fn give_range(view: &View<'_>, range: Span, out: &mut Vec<Action>) {
    let Some(literal) = literal(view, range) else { return };
    let Literal { item, expr, .. } = literal;
    if item.item.kind != ItemKind::Runtime || literal.value == 0.0 {
        return;
    }
    let mut stmts = item.item.body.iter().flat_map(|body| &body.stmts);
    let bare = |stmt: &Stmt| match &stmt.kind {
        StmtKind::Set { value, clauses, .. } => value.span == expr.span && clauses.range.is_none(),
        _ => false,
    };
    if !stmts.any(bare) {
        return;
    }
    let whole = literal.whole && literal.value > 2.0;
    let at = item.place(Span::new(expr.span.end, expr.span.end));
    let edits = vec![Edit { place: at, text: format!(" {}", literal.range(whole)) }];
    let title = "Give it a range".to_owned();
    out.push(Action { title, kind: Kind::Rewrite, edits, mends: None, preferred: false });
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Whether a number says how many make a level.
fn is_counted(body: &Body, span: Span) -> bool {
    body.stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Level { parts, .. } => parts.iter().any(|(count, _)| holds(count.span, span)),
        _ => false,
    })
}

/// The name of a dimension, as types are written.
fn dimension_name(view: &View<'_>, dimension: Dimension) -> String {
    let units = view.program.std_module("units");
    let items = units.into_iter().flat_map(|m| view.program.items_of_kind(m, ItemKind::Dimension));
    let mut named =
        items.filter(|i| view.program.dimension_named(i.item.name.name, 0) == Some(dimension));
    named.next().map_or_else(|| "Number".to_owned(), |i| i.item.name.name.to_string())
}
