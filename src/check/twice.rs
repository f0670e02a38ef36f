//! What one body says twice: of two settings of a field, the first would be lost.
//!
//! In: an item, as it is written. Out: a finding at the second of two, which names the first.

use rustc_hash::FxHashMap;

use super::lint::each_expr;
use super::program::ItemRef;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::{Body, ExprKind, Ident, Item, ItemKind, Stmt, StmtKind};

impl<'p> Checker<'p> {
    /// Reports what a body of an item, or of a `with` in it, says twice.
    pub(super) fn check_twice(&mut self, item: ItemRef<'p>) {
        for Twice { title, first, second } in said_twice(item.item) {
            let (second, label) = (item.place(second), "again here");
            let finding = Diagnostic::new(codes::DUPLICATE_NAME, title, second, label);
            self.report(finding.and(item.place(first), "here first"));
        }
    }
}

/// What a body of an item, or of a `with` in it, says twice.
fn said_twice(item: &Item) -> Vec<Twice> {
    let mut found = Vec::new();
    if let Some(body) = &item.body {
        declared(&body.stmts, &mut FxHashMap::default(), &mut found);
        // A block may bind a name again: `h = norm(h)`.
        if item.kind != ItemKind::Block {
            Fields::default().read(&mut Vec::new(), body, &mut found);
        }
    }
    each_expr(item, &mut |expr| {
        if let ExprKind::With(_, body) = &expr.kind {
            Fields::default().read(&mut Vec::new(), body, &mut found);
        }
    });
    found
}

/// Whether an item says something twice.
pub(super) fn says_twice(item: &Item) -> bool {
    !said_twice(item).is_empty()
}

/// Something said twice.
struct Twice {
    title: String,
    first: Span,
    second: Span,
}

/// The fields that a body has set so far.
#[derive(Default)]
struct Fields {
    /// By path, and by the blocks that a rule holds in.
    set: FxHashMap<(Vec<Name>, Vec<Vec<Name>>), Span>,
    /// For each path with something set in it, the first such setting.
    inside: FxHashMap<Vec<Name>, (Vec<Name>, Span)>,
}

impl Fields {
    /// Reads a body whose fields begin with `prefix`.
    fn read(&mut self, prefix: &mut Vec<Name>, body: &Body, found: &mut Vec<Twice>) {
        for stmt in &body.stmts {
            let depth = prefix.len();
            match &stmt.kind {
                StmtKind::Set { path, within, axes: None, .. } => {
                    prefix.extend(path.iter().map(|part| part.name));
                    let within = within.iter().map(|path| path.iter().map(|i| i.name).collect());
                    let parts = path.iter().map(|part| part.span);
                    let span = parts.reduce(|a, b| a.to(b)).unwrap_or(stmt.span);
                    self.set(prefix, within.collect(), span, found);
                }
                StmtKind::Section { name, label, body, .. } => {
                    prefix.push(name.name);
                    prefix.extend(label.map(|label| label.name));
                    self.read(prefix, body, found);
                }
                _ => {}
            }
            prefix.truncate(depth);
        }
    }

    fn set(&mut self, path: &[Name], within: Vec<Vec<Name>>, second: Span, found: &mut Vec<Twice>) {
        let rule = !within.is_empty();
        let shown = dotted(path);
        let before = self.set.insert((path.to_vec(), within), second);
        if let Some(first) = before {
            found.push(Twice { title: format!("`{shown}` is set twice"), first, second });
        }
        if rule {
            return;
        }
        if let Some((part, first)) = self.inside.remove(path) {
            let title = format!("`{}` is set, and then `{shown}` as a whole", dotted(&part));
            found.push(Twice { title, first, second });
        }
        for end in 1..path.len() {
            let outer = path.get(..end).unwrap_or_default().to_vec();
            self.inside.entry(outer).or_insert_with(|| (path.to_vec(), second));
        }
    }
}

fn dotted(path: &[Name]) -> String {
    let parts: Vec<&str> = path.iter().map(|part| part.text()).collect();
    parts.join(".")
}

/// Names that statements declare: tensors and axes of a block, chips and levels of a system, mesh
/// axes of a plan, gradients of an op.
fn declared(stmts: &[Stmt], seen: &mut FxHashMap<Name, Span>, found: &mut Vec<Twice>) {
    let mut mesh: Option<Span> = None;
    for stmt in stmts {
        let name: &Ident = match &stmt.kind {
            StmtKind::Input { name, .. }
            | StmtKind::Weight { name, .. }
            | StmtKind::Axis { name, .. }
            | StmtKind::Chip { name, .. }
            | StmtKind::Level { name, .. }
            | StmtKind::Fold { name, .. }
            | StmtKind::Grad { of: name, .. } => name,
            StmtKind::Mesh(axes) => {
                if let Some(first) = mesh.replace(stmt.span) {
                    let title = "the plan has two meshes".to_owned();
                    found.push(Twice { title, first, second: stmt.span });
                }
                // Two of one name in one mesh are told where it is built.
                seen.extend(axes.iter().map(|axis| (axis.name.name, axis.name.span)));
                continue;
            }
            StmtKind::Fuse { body, .. } => {
                declared(&body.stmts, seen, found);
                continue;
            }
            StmtKind::Repeat { body, .. } | StmtKind::Backward { body, .. } => {
                declared(&body.stmts, &mut FxHashMap::default(), found);
                continue;
            }
            StmtKind::If { arms, otherwise } => {
                for body in arms.iter().map(|(_, body)| body).chain(otherwise) {
                    declared(&body.stmts, &mut FxHashMap::default(), found);
                }
                continue;
            }
            _ => continue,
        };
        if let Some(first) = seen.insert(name.name, name.span) {
            let title = format!("`{}` is declared twice", name.name);
            found.push(Twice { title, first, second: name.span });
        }
    }
}
