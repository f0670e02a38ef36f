//! What to call something that gets a name of its own: after the place where it stands.
//!
//! In: an item and an expression in it. Out: a name such as `foo_matrix_bf16` or `max_ttft` that
//! means nothing else in the file.

use super::resolve::View;
use crate::check::{BUILTINS, Checker, ItemRef, each_expr};
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::{
    BinaryOp, Body, Expr, ExprKind, Ident, Item, ItemKind, MeshAxis, Stmt, StmtKind,
};

/// What holds the settings of a scenario.
const ROOTS: [&str; 6] = ["plan", "precision", "runtime", "serve", "system", "train"];

/// A name for the expression at `span` of an item (counted as the item counts). `kind` is what it
/// is where nothing else is known: `time`, `value`.
pub(super) fn name_for(view: &View<'_>, item: ItemRef<'_>, span: Span, kind: &str) -> String {
    let mut words = Words { span, found: Vec::new(), own: true, role: None };
    words.item(item.item);
    if words.found.is_empty() {
        words.found.push(words.role.filter(|_| kind == "value").unwrap_or(kind).to_owned());
    }
    // What a setting is in matters where it is not the one place for it.
    let known = |word: &&String| !words.own || !ROOTS.contains(&word.as_str());
    let parts: Vec<&String> = words.found.iter().filter(known).collect();
    let last = if words.own { parts.len().saturating_sub(2) } else { 0 };
    let parts = parts.get(last..).unwrap_or_default();
    let own = Some(item.item.name.name.text()).filter(|_| words.own);
    let mut name: Vec<String> = Vec::new();
    for part in own.into_iter().chain(parts.iter().map(|part| part.as_str())) {
        name.extend(snake(part));
    }
    name.dedup();
    free(view, &name.join("_"))
}

/// A name that means nothing in the file yet, neither by itself nor within an item.
pub(super) fn free(view: &View<'_>, wanted: &str) -> String {
    let cut = view.program.module(view.module).cut();
    let taken = |text: &str| {
        let name = Name::new(text);
        super::tokens::is_keyword(text)
            || BUILTINS.contains(&text)
            || Checker::new(view.program).module_name(view.module, name).is_some()
            || cut.pieces.iter().any(|part| part.words(view.text).contains(&name))
    };
    let numbered = (2..1000).map(|n| format!("{wanted}_{n}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|n| !taken(n)).unwrap_or_default()
}

/// The words of a name in small letters: `TensorRtLlm` is `tensor rt llm`, `H100_SXM` is `h100 sxm`.
fn snake(name: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()) {
        let mut word = String::new();
        let mut small = false;
        for c in part.chars() {
            if c.is_ascii_uppercase() && small {
                out.push(std::mem::take(&mut word));
            }
            small = c.is_ascii_lowercase();
            word.push(c.to_ascii_lowercase());
        }
        out.push(word);
    }
    out
}

/// What says where an expression stands, from the outside in.
struct Words {
    span: Span,
    /// A path of settings, the name of an argument.
    found: Vec<String>,
    /// Whether the name of the item goes before it.
    own: bool,
    /// What it does in a formula.
    role: Option<&'static str>,
}

impl Words {
    fn holds(&self, span: Span) -> bool {
        span.start <= self.span.start && self.span.end <= span.end
    }

    fn set(&mut self, found: Vec<String>, own: bool) {
        (self.found, self.own, self.role) = (found, own, None);
    }

    fn item(&mut self, item: &Item) {
        for param in item.params.iter().flatten() {
            if param.default.as_ref().is_some_and(|value| self.holds(value.span)) {
                self.set(vec!["default".into(), param.name.name.to_string()], false);
                return;
            }
        }
        item.body.iter().for_each(|body| self.body(body, &[]));
        // Each visited before those inside of it.
        let mut around = Vec::new();
        each_expr(item, &mut |expr| {
            if self.holds(expr.span) {
                around.push(expr);
            }
        });
        around.into_iter().for_each(|expr| self.expr(expr));
    }

    fn body(&mut self, body: &Body, path: &[String]) {
        if let Some(stmt) = body.stmts.iter().find(|stmt| self.holds(stmt.span)) {
            self.stmt(stmt, path);
        }
    }

    fn stmt(&mut self, stmt: &Stmt, before: &[String]) {
        let joined = |names: &[Ident]| {
            let names = names.iter().map(|n| n.name.to_string());
            before.iter().cloned().chain(names).collect::<Vec<_>>()
        };
        match &stmt.kind {
            StmtKind::Set { path, .. } | StmtKind::Vary { path, .. } => {
                self.set(joined(path), true);
            }
            StmtKind::Mesh(axes) => {
                let sized = |a: &&MeshAxis| a.size.as_ref().is_some_and(|e| self.holds(e.span));
                if let Some(axis) = axes.iter().find(sized) {
                    self.set(vec![axis.name.name.to_string()], true);
                }
            }
            StmtKind::Section { name, label, body, .. } => {
                let names: Vec<Ident> = [Some(*name), *label].into_iter().flatten().collect();
                self.body(body, &joined(&names));
            }
            StmtKind::Level { name, .. }
            | StmtKind::Axis { name, .. }
            | StmtKind::Fold { name, .. } => self.set(vec![name.name.to_string()], true),
            StmtKind::Repeat { count, .. } if self.holds(count.span) => {
                self.set(vec!["count".into()], true);
            }
            _ => stmt.each_body(&mut |body| self.body(body, &[])),
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Call { args, .. } => {
                let here =
                    args.iter().find(|a| a.value.as_ref().is_some_and(|v| self.holds(v.span)));
                if let Some(name) = here.and_then(|arg| arg.name) {
                    self.set(vec![name.name.to_string()], true);
                }
            }
            ExprKind::With(_, body) => self.body(body, &[]),
            ExprKind::Binary(op, a, b) => self.operand(*op, a, b),
            _ => {}
        }
    }

    fn operand(&mut self, op: BinaryOp, a: &Expr, b: &Expr) {
        let right = self.holds(b.span);
        let other = if right { a } else { b };
        let bound = match (op, right) {
            (BinaryOp::Lt | BinaryOp::Le, true) | (BinaryOp::Gt | BinaryOp::Ge, false) => "max",
            (BinaryOp::Gt | BinaryOp::Ge, true) | (BinaryOp::Lt | BinaryOp::Le, false) => "min",
            (BinaryOp::Eq | BinaryOp::Ne, _) => "expected",
            (BinaryOp::Pow, true) => return self.role = Some("exponent"),
            (BinaryOp::Div, true) => return self.role = Some("divisor"),
            (BinaryOp::Mul, _) => return self.role = Some("factor"),
            (BinaryOp::Add | BinaryOp::Sub, true) => return self.role = Some("offset"),
            _ => return,
        };
        if let Some(path) = super::mentions::path_of(other) {
            let last = path.iter().skip(path.len().saturating_sub(2)).map(|n| n.to_string());
            self.set(std::iter::once(bound.to_owned()).chain(last).collect(), false);
        }
    }
}

/// Whether an item is a formula, in which a whole number may be any number.
pub(super) fn is_formula(kind: ItemKind) -> bool {
    matches!(kind, ItemKind::Fn | ItemKind::Metric | ItemKind::Const | ItemKind::Op)
}
