//! What can be said from the text alone: names bound and never used, imports never used.

use super::Checker;
use super::codes;
use super::imports::Imported;
use super::program::{ItemRef, ModuleId};
use crate::diagnostic::Diagnostic;
use crate::name::Name;
use rustc_hash::FxHashSet;

use crate::syntax::ast::{
    Body, Clauses, Expr, ExprKind, Item, ItemKind, Stmt, StmtKind, Text, TextPart,
};

/// A set of names, in order or not.
pub trait Names: Extend<Name> {
    /// Adds a name.
    fn add(&mut self, name: Name);
}

impl Names for Vec<Name> {
    fn add(&mut self, name: Name) {
        if !self.contains(&name) {
            self.push(name);
        }
    }
}

impl Names for FxHashSet<Name> {
    fn add(&mut self, name: Name) {
        self.insert(name);
    }
}

/// All names that an item mentions.
pub fn names_of_item(item: &Item, out: &mut FxHashSet<Name>) {
    for param in item.params.iter().flatten() {
        param.default.iter().for_each(|e| names_in(e, out));
        out.extend(param.ty.iter().flat_map(|t| t.parts.iter().map(|(n, _)| n.name)));
    }
    out.extend(item.result.iter().flat_map(|t| t.parts.iter().map(|(n, _)| n.name)));
    out.extend(item.of.iter().map(|n| n.name));
    item.value.iter().chain(&item.clauses.range).for_each(|e| names_in(e, out));
    item.body.iter().for_each(|b| names_in_body(b, out));
}

/// Visits every expression of an item, and those inside of them.
pub fn each_expr<'a>(item: &'a Item, visit: &mut dyn FnMut(&'a Expr)) {
    item.value.iter().chain(&item.clauses.range).for_each(|e| each_inside(e, visit));
    for param in item.params.iter().flatten() {
        param.default.iter().for_each(|e| each_inside(e, visit));
    }
    item.body.iter().for_each(|b| each_in_body(b, visit));
}

fn each_in_body<'a>(body: &'a Body, visit: &mut dyn FnMut(&'a Expr)) {
    for stmt in &body.stmts {
        match &stmt.kind {
            StmtKind::Set { value, clauses, .. } => {
                each_inside(value, visit);
                each_in_clauses(clauses, visit);
            }
            StmtKind::Section { body, via, .. } => {
                via.iter().for_each(|e| each_inside(e, visit));
                each_in_body(body, visit);
            }
            StmtKind::Require { cond, clauses } | StmtKind::Expect { cond, clauses } => {
                each_inside(cond, visit);
                each_in_clauses(clauses, visit);
            }
            StmtKind::Input { clauses, .. } | StmtKind::Weight { clauses, .. } => {
                each_in_clauses(clauses, visit);
            }
            StmtKind::Mesh(axes) => {
                axes.iter().filter_map(|a| a.size.as_ref()).for_each(|e| each_inside(e, visit));
            }
            StmtKind::Output(e) | StmtKind::Where(e) => each_inside(e, visit),
            StmtKind::Axis { value, .. }
            | StmtKind::Fold { value, .. }
            | StmtKind::Chip { value, .. }
            | StmtKind::Grad { value, .. }
            | StmtKind::Vary { values: value, .. } => each_inside(value, visit),
            StmtKind::Fuse { body, .. } | StmtKind::Backward { body, .. } => {
                each_in_body(body, visit);
            }
            StmtKind::Repeat { count, clauses, body, .. } => {
                each_inside(count, visit);
                each_in_clauses(clauses, visit);
                each_in_body(body, visit);
            }
            StmtKind::If { arms, otherwise } => {
                for (condition, body) in arms {
                    each_inside(condition, visit);
                    each_in_body(body, visit);
                }
                otherwise.iter().for_each(|b| each_in_body(b, visit));
            }
            StmtKind::Shard { schedule, .. } => {
                schedule.iter().for_each(|e| each_inside(e, visit));
            }
            StmtKind::Level { parts, via, .. } => {
                parts.iter().map(|(e, _)| e).chain(via).for_each(|e| each_inside(e, visit));
            }
            StmtKind::Objective { exprs, .. } => exprs.iter().for_each(|e| each_inside(e, visit)),
            StmtKind::Zero { .. } | StmtKind::Overlap(_) | StmtKind::Error => {}
        }
    }
}

fn each_in_clauses<'a>(clauses: &'a Clauses, visit: &mut dyn FnMut(&'a Expr)) {
    let exprs = clauses.range.iter().chain(&clauses.dtype).chain(&clauses.density);
    exprs.for_each(|e| each_inside(e, visit));
    let texts = [&clauses.because, &clauses.source, &clauses.from, &clauses.otherwise];
    for part in texts.into_iter().flatten().flat_map(|t| &t.parts) {
        if let TextPart::Hole(expr) = part {
            each_inside(expr, visit);
        }
    }
}

/// Visits an expression and those inside of it.
pub fn each_inside<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Expr)) {
    visit(expr);
    match &expr.kind {
        ExprKind::Field(a, _) | ExprKind::Unary(_, a) | ExprKind::Paren(a) | ExprKind::On(a, _) => {
            each_inside(a, visit)
        }
        ExprKind::Call { callee, args, .. } => {
            each_inside(callee, visit);
            args.iter().filter_map(|a| a.value.as_ref()).for_each(|e| each_inside(e, visit));
        }
        ExprKind::Text(text) => {
            for part in &text.parts {
                if let TextPart::Hole(expr) = part {
                    each_inside(expr, visit);
                }
            }
        }
        ExprKind::Binary(_, a, b)
        | ExprKind::Range(a, b)
        | ExprKind::Arrow(a, b)
        | ExprKind::Per(a, b) => {
            each_inside(a, visit);
            each_inside(b, visit);
        }
        ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|e| each_inside(e, visit)),
        ExprKind::List(items) => items.iter().for_each(|e| each_inside(e, visit)),
        ExprKind::With(base, body) => {
            each_inside(base, visit);
            each_in_body(body, visit);
        }
        _ => {}
    }
}

/// All names that an expression mentions, each once, in order.
pub fn names_in(expr: &Expr, out: &mut impl Names) {
    match &expr.kind {
        ExprKind::Name(name) => out.add(*name),
        ExprKind::Field(base, _) => names_in(base, out),
        ExprKind::Call { callee, args, .. } => {
            names_in(callee, out);
            for arg in args {
                match (&arg.value, arg.name) {
                    (Some(value), _) => names_in(value, out),
                    (None, Some(name)) => out.add(name.name),
                    (None, None) => {}
                }
            }
        }
        ExprKind::Unary(_, a) | ExprKind::Paren(a) | ExprKind::On(a, _) => names_in(a, out),
        ExprKind::Binary(_, a, b)
        | ExprKind::Range(a, b)
        | ExprKind::Arrow(a, b)
        | ExprKind::Per(a, b) => {
            names_in(a, out);
            names_in(b, out);
        }
        ExprKind::If(a, b, c) => {
            names_in(a, out);
            names_in(b, out);
            names_in(c, out);
        }
        ExprKind::List(items) => items.iter().for_each(|e| names_in(e, out)),
        ExprKind::With(base, body) => {
            names_in(base, out);
            names_in_body(body, out);
        }
        ExprKind::Text(text) => names_in_text(text, out),
        ExprKind::Number { unit: Some(unit), .. } => {
            unit.parts.iter().for_each(|(part, _)| out.add(part.name));
        }
        _ => {}
    }
}

fn names_in_text(text: &Text, out: &mut impl Names) {
    for part in &text.parts {
        if let TextPart::Hole(expr) = part {
            names_in(expr, out);
        }
    }
}

fn names_in_body(body: &Body, out: &mut impl Names) {
    body.stmts.iter().for_each(|s| names_in_stmt(s, out));
}

fn names_in_stmt(stmt: &Stmt, out: &mut impl Names) {
    fn axes(axes: &[crate::syntax::ast::AxisRef], out: &mut impl Names) {
        out.extend(axes.iter().map(|a| a.name.name));
    }
    match &stmt.kind {
        StmtKind::Set { axes: a, value, clauses, .. } => {
            axes(a.as_deref().unwrap_or_default(), out);
            names_in(value, out);
            clauses.from.iter().for_each(|t| names_in_text(t, out));
        }
        StmtKind::Section { body, via, .. } => {
            via.iter().for_each(|e| names_in(e, out));
            names_in_body(body, out);
        }
        StmtKind::Input { axes: a, .. } => axes(a, out),
        StmtKind::Weight { axes: a, clauses, .. } => {
            axes(a, out);
            clauses.dtype.iter().chain(&clauses.density).for_each(|e| names_in(e, out));
            clauses.from.iter().for_each(|t| names_in_text(t, out));
        }
        StmtKind::Output(e) | StmtKind::Where(e) => names_in(e, out),
        StmtKind::Axis { value, .. } | StmtKind::Fold { value, .. } => names_in(value, out),
        StmtKind::Chip { value, .. } | StmtKind::Grad { value, .. } => names_in(value, out),
        StmtKind::Require { cond, clauses } | StmtKind::Expect { cond, clauses } => {
            names_in(cond, out);
            clauses.otherwise.iter().for_each(|t| names_in_text(t, out));
        }
        StmtKind::Fuse { body, .. } | StmtKind::Backward { body, .. } => names_in_body(body, out),
        StmtKind::Repeat { count, carry, clauses, body, .. } => {
            names_in(count, out);
            out.extend(carry.iter().map(|i| i.name));
            clauses.from.iter().for_each(|t| names_in_text(t, out));
            names_in_body(body, out);
        }
        StmtKind::If { arms, otherwise } => {
            for (condition, body) in arms {
                names_in(condition, out);
                names_in_body(body, out);
            }
            otherwise.iter().for_each(|b| names_in_body(b, out));
        }
        StmtKind::Mesh(axes) => {
            axes.iter().filter_map(|a| a.size.as_ref()).for_each(|e| names_in(e, out));
        }
        StmtKind::Shard { schedule, .. } => schedule.iter().for_each(|e| names_in(e, out)),
        StmtKind::Level { parts, via, .. } => {
            parts.iter().for_each(|(e, _)| names_in(e, out));
            via.iter().for_each(|e| names_in(e, out));
        }
        StmtKind::Vary { values, .. } => names_in(values, out),
        StmtKind::Objective { exprs, .. } => exprs.iter().for_each(|e| names_in(e, out)),
        StmtKind::Zero { .. } | StmtKind::Overlap(_) | StmtKind::Error => {}
    }
}

/// The names that a `use` brings in.
pub(super) fn imported(item: &ItemRef<'_>) -> Vec<crate::syntax::ast::Ident> {
    let Some(import) = &item.item.import else { return Vec::new() };
    let listed = import.names.iter().flatten().map(|(name, alias)| alias.unwrap_or(*name));
    let path = match &import.from {
        crate::syntax::ast::ImportSource::Path(parts) => parts.last().copied(),
        crate::syntax::ast::ImportSource::File(_, parts) => parts.last().copied(),
    };
    let single = import.alias.or(path).filter(|_| import.names.is_none());
    listed.chain(single).collect()
}

/// A finding about an import that nothing needs.
pub(super) fn unused_import(item: ItemRef<'_>, ident: crate::syntax::ast::Ident) -> Diagnostic {
    let title = format!("`{}` is imported and never used", ident.name);
    let place = item.place(ident.span);
    Diagnostic::new(codes::UNUSED_IMPORT, title, place, "not used in this file")
}

impl Checker<'_> {
    /// Names of a block that are bound and never looked at.
    pub(super) fn lint_block(&mut self, item: ItemRef<'_>) {
        let Some(body) = &item.item.body else { return };
        // Without an output nothing is used, and that is said already.
        if !super::block::has_output(&body.stmts) {
            return;
        }
        let mut mentioned = FxHashSet::default();
        names_in_body(body, &mut mentioned);
        let mut bound = Vec::new();
        bindings(body, &mut Vec::new(), &mut bound);
        for (name, span) in bound {
            if !mentioned.contains(&name) {
                self.report(
                    Diagnostic::new(
                        codes::UNUSED_BINDING,
                        format!("`{name}` is never used"),
                        item.place(span),
                        "bound here",
                    )
                    .note("remove it, or use it in an `output`"),
                );
            }
        }
    }

    /// Imports of a user's file that nothing in it mentions.
    pub(super) fn lint_imports(&mut self, module: ModuleId) {
        let program = self.program;
        let held = program.module(module);
        let text = &program.sources.file(held.file).text;
        let pieces = held.cut().pieces.iter();
        let mentioned: FxHashSet<&Name> = pieces.flat_map(|p| p.mentioned(text)).collect();
        for item in program.items_of_kind(module, ItemKind::Use) {
            let imports = self.imports_of(module);
            let part = held.cut().piece_at(item.offset);
            let part = part.and_then(|at| held.cut().pieces.get(at));
            // What is wrong with the line is said already.
            if part.is_some_and(|part| part.is_broken(text)) {
                continue;
            }
            for ident in imported(&item) {
                // What could not be imported is reported already.
                let found = !matches!(imports.get(&ident.name), Some(Imported::Error) | None);
                // A name that is declared too is reported as such.
                let found = found && self.program.item(module, ident.name).is_none();
                if found && !mentioned.contains(&ident.name) {
                    self.report(unused_import(item, ident));
                }
            }
        }
    }
}

fn bindings(body: &Body, carry: &mut Vec<Name>, out: &mut Vec<(Name, crate::source::Span)>) {
    for stmt in &body.stmts {
        match &stmt.kind {
            StmtKind::Set { path, .. } => {
                if let [name] = path.as_slice()
                    && !carry.contains(&name.name)
                {
                    out.push((name.name, name.span));
                }
            }
            StmtKind::Weight { name, .. } | StmtKind::Input { name, .. } => {
                out.push((name.name, name.span));
            }
            StmtKind::Fuse { body, .. } => bindings(body, carry, out),
            StmtKind::Repeat { carry: names, body, .. } => {
                let depth = carry.len();
                carry.extend(names.iter().map(|i| i.name));
                bindings(body, carry, out);
                carry.truncate(depth);
            }
            StmtKind::If { arms, otherwise } => {
                for body in arms.iter().map(|(_, b)| b).chain(otherwise) {
                    bindings(body, carry, out);
                }
            }
            _ => {}
        }
    }
}
