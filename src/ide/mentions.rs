//! Every name in an item with what it is used for, from the syntax alone.
//!
//! In: an item. Out: [`Mention`]s in source order, spans relative to the item's piece. What a
//! mention means is found by `resolve`.

use std::rc::Rc;

use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::{
    Arg, AxisRef, Body, Clauses, Expr, ExprKind, Ident, ImportSource, Item, ItemKind, Stmt,
    StmtKind, Text, TextPart, Type, UnitExpr,
};

/// A name where it is written.
#[derive(Clone, Debug)]
pub struct Mention {
    /// The name.
    pub name: Name,
    /// Where it stands.
    pub span: Span,
    /// What it is used for.
    pub what: What,
}

/// What a local name is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the statements that bind
pub enum Local {
    Weight,
    Input,
    Value,
    Index,
    Axis,
    Mesh,
    Level,
    Chip,
    Kernel,
    Gradient,
}

/// What a name is used for.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// The name of the item itself.
    Item,
    /// A parameter of the item.
    Param,
    /// Binds a local name.
    Binds(Local),
    /// A value: a local name, an item, a result.
    Value,
    /// Called.
    Callee,
    /// An axis in brackets, or where an axis is meant.
    Axis,
    /// `b` in `a.b`: the names from the root up to it.
    Field(Rc<[Name]>),
    /// A setting: the whole path, and what it is set in (nothing: the item itself).
    Setting(Rc<[Name]>, Rc<[Name]>),
    /// An argument's name; what is called; whether it passes the name in scope.
    Argument(Rc<[Name]>, bool),
    /// A type or a dimension.
    Type,
    /// A unit.
    Unit,
    /// A mesh axis after `over`.
    Mesh,
    /// An axis of the model that a plan shards.
    Sharded,
    /// A block, an instance or a weight after `within`.
    Scope,
    /// What `zero` and `overlap` are about, a role.
    Role,
    /// A part of a path of a `use`: the parts up to it.
    Module(Rc<[Name]>),
    /// A name that a `use` brings in.
    Import,
    /// What an import is called here.
    Alias,
    /// The workload of a metric, the scenario of a sweep.
    Of,
}

/// A file named by a `use`, with where its name stands.
#[derive(Clone, Debug)]
pub struct FileMention {
    /// The path as written.
    pub path: String,
    /// Where it stands.
    pub span: Span,
}

/// Every name in an item.
#[must_use]
pub fn mentions(item: &Item) -> Vec<Mention> {
    let mut walk = Walk { item, out: Vec::new() };
    walk.item();
    walk.out.sort_by_key(|m| (m.span.start, m.span.end));
    walk.out
}

/// The file that a `use` reads.
#[must_use]
pub fn file_of(item: &Item) -> Option<FileMention> {
    match &item.import.as_ref()?.from {
        ImportSource::File(text, _) => Some(FileMention { path: text.plain(), span: text.span }),
        ImportSource::Path(_) => None,
    }
}

/// The names of a path such as `a.b.c`; nothing for other expressions.
#[must_use]
pub fn path_of(expr: &Expr) -> Option<Vec<Name>> {
    match &expr.kind {
        ExprKind::Name(name) => Some(vec![*name]),
        ExprKind::Field(base, field) => {
            let mut path = path_of(base)?;
            path.push(field.name);
            Some(path)
        }
        ExprKind::Paren(inner) => path_of(inner),
        _ => None,
    }
}

/// What an expression is an instance of, by name: `Tp` for `Tp(tp: 8) on gpu`.
#[must_use]
pub fn base_of(expr: &Expr) -> Option<Vec<Name>> {
    match &expr.kind {
        ExprKind::Call { callee, .. } => path_of(callee),
        ExprKind::With(base, _) | ExprKind::On(base, _) | ExprKind::Paren(base) => base_of(base),
        _ => path_of(expr),
    }
}

struct Walk<'a> {
    item: &'a Item,
    out: Vec<Mention>,
}

impl Walk<'_> {
    fn add(&mut self, ident: Ident, what: What) {
        self.out.push(Mention { name: ident.name, span: ident.span, what });
    }

    fn item(&mut self) {
        let item = self.item;
        if item.kind == ItemKind::Use {
            self.import();
            return;
        }
        self.add(item.name, What::Item);
        for param in item.params.iter().flatten() {
            self.add(param.name, What::Param);
            param.ty.iter().for_each(|ty| self.ty(ty));
            param.default.iter().for_each(|e| self.expr(e));
        }
        item.result.iter().for_each(|ty| self.ty(ty));
        item.of.iter().for_each(|of| self.add(*of, What::Of));
        item.value.iter().for_each(|e| self.expr(e));
        self.clauses(&item.clauses);
        // `model M = Llama(…) { … }` sets fields of the model itself.
        item.body.iter().for_each(|body| self.body(body, &[], &[]));
    }

    fn import(&mut self) {
        let Some(import) = &self.item.import else { return };
        let (ImportSource::Path(parts) | ImportSource::File(_, parts)) = &import.from;
        let path: Vec<Name> = parts.iter().map(|p| p.name).collect();
        let single = import.names.is_none();
        for (i, part) in parts.iter().enumerate() {
            let upto: Rc<[Name]> = path.get(..=i).unwrap_or_default().into();
            let last = single && i + 1 == parts.len();
            self.add(*part, if last { What::Import } else { What::Module(upto) });
        }
        for (name, alias) in import.names.iter().flatten() {
            self.add(*name, What::Import);
            alias.iter().for_each(|alias| self.add(*alias, What::Alias));
        }
        import.alias.iter().for_each(|alias| self.add(*alias, What::Alias));
    }

    fn ty(&mut self, ty: &Type) {
        for (part, _) in &ty.parts {
            self.add(*part, What::Type);
        }
        ty.axes.iter().for_each(|axes| self.axes(axes));
    }

    fn axes(&mut self, axes: &[AxisRef]) {
        for axis in axes {
            self.add(axis.name, What::Axis);
        }
    }

    fn unit(&mut self, unit: &UnitExpr) {
        for (part, _) in &unit.parts {
            self.add(*part, What::Unit);
        }
    }

    fn text(&mut self, text: &Text) {
        for part in &text.parts {
            if let TextPart::Hole(expr) = part {
                self.expr(expr);
            }
        }
    }

    fn clauses(&mut self, clauses: &Clauses) {
        let exprs = [&clauses.range, &clauses.dtype, &clauses.density];
        exprs.into_iter().flatten().for_each(|e| self.expr(e));
        let texts = [&clauses.because, &clauses.source, &clauses.from, &clauses.otherwise];
        texts.into_iter().flatten().for_each(|t| self.text(t));
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number { unit, .. } => unit.iter().for_each(|unit| self.unit(unit)),
            ExprKind::Text(text) => self.text(text),
            ExprKind::Bool(_) | ExprKind::None | ExprKind::Error => {}
            ExprKind::Name(name) => {
                self.add(Ident { name: *name, span: expr.span }, What::Value);
            }
            ExprKind::Field(base, field) => {
                self.expr(base);
                let path = path_of(expr).unwrap_or_default();
                self.add(*field, What::Field(path.into()));
            }
            ExprKind::Call { callee, args, .. } => self.call(callee, args),
            ExprKind::Unary(_, a) | ExprKind::Paren(a) => self.expr(a),
            ExprKind::Binary(_, a, b) | ExprKind::Range(a, b) | ExprKind::Per(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Arrow(a, b) => {
                self.expr(a);
                match &b.kind {
                    ExprKind::Name(name) => {
                        self.add(Ident { name: *name, span: b.span }, What::Axis);
                    }
                    _ => self.expr(b),
                }
            }
            ExprKind::If(c, a, b) => [c, a, b].into_iter().for_each(|e| self.expr(e)),
            ExprKind::List(items) => items.iter().for_each(|e| self.expr(e)),
            ExprKind::With(base, body) => {
                self.expr(base);
                let of = base_of(base).unwrap_or_default();
                self.body(body, &[], &of);
            }
            ExprKind::On(base, chip) => {
                self.expr(base);
                self.add(*chip, What::Value);
            }
        }
    }

    fn call(&mut self, callee: &Expr, args: &[Arg]) {
        let from = self.out.len();
        self.expr(callee);
        if let (ExprKind::Name(_), Some(last)) = (&callee.kind, self.out.get_mut(from)) {
            last.what = What::Callee;
        }
        let path: Rc<[Name]> = path_of(callee).unwrap_or_default().into();
        for arg in args {
            if let Some(name) = arg.name {
                self.add(name, What::Argument(path.clone(), arg.value.is_none()));
            }
            arg.value.iter().for_each(|e| self.expr(e));
        }
    }

    /// `of` is what the settings belong to; nothing for the item itself.
    fn body(&mut self, body: &Body, prefix: &[Name], of: &[Name]) {
        body.stmts.iter().for_each(|stmt| self.stmt(stmt, prefix, of));
    }

    fn setting(&mut self, path: &[Ident], prefix: &[Name], of: &[Name]) {
        let mut full = prefix.to_vec();
        for part in path {
            full.push(part.name);
            self.add(*part, What::Setting(full.as_slice().into(), of.into()));
        }
    }

    fn stmt(&mut self, stmt: &Stmt, prefix: &[Name], of: &[Name]) {
        let blocks = [ItemKind::Block, ItemKind::Op];
        let is_block = blocks.contains(&self.item.kind) && of.is_empty() && prefix.is_empty();
        match &stmt.kind {
            StmtKind::Set { path, axes, within, value, clauses } => {
                match path.as_slice() {
                    [name] if self.item.kind == ItemKind::Block && is_block => {
                        self.add(*name, What::Binds(Local::Value));
                    }
                    _ => self.setting(path, prefix, of),
                }
                axes.iter().for_each(|a| self.axes(a));
                within.iter().flatten().for_each(|i| self.add(*i, What::Scope));
                self.expr(value);
                self.clauses(clauses);
            }
            StmtKind::Section { name, label, at, via, body } => {
                let path: Vec<Ident> = [Some(*name), *label].into_iter().flatten().collect();
                self.setting(&path, prefix, of);
                at.iter().for_each(|at| self.add(*at, What::Value));
                via.iter().for_each(|e| self.expr(e));
                let inner: Vec<Name> =
                    prefix.iter().copied().chain(path.iter().map(|i| i.name)).collect();
                self.body(body, &inner, of);
            }
            StmtKind::Input { name, axes, clauses } => {
                self.tensor(*name, Local::Input, axes, clauses);
            }
            StmtKind::Weight { name, axes, clauses } => {
                self.tensor(*name, Local::Weight, axes, clauses);
            }
            StmtKind::Output(e) | StmtKind::Where(e) => self.expr(e),
            StmtKind::Axis { name, value } => self.bind(*name, Local::Axis, value),
            StmtKind::Require { cond, clauses } | StmtKind::Expect { cond, clauses } => {
                self.expr(cond);
                self.clauses(clauses);
            }
            StmtKind::Fuse { name, body } => {
                name.iter().for_each(|n| self.add(*n, What::Binds(Local::Kernel)));
                self.body(body, &[], &[]);
            }
            StmtKind::Repeat { index, count, carry, clauses, body } => {
                self.bind(*index, Local::Index, count);
                carry.iter().for_each(|i| self.add(*i, What::Value));
                self.clauses(clauses);
                self.body(body, &[], &[]);
            }
            StmtKind::If { arms, otherwise } => {
                for (condition, body) in arms {
                    self.expr(condition);
                    self.body(body, prefix, of);
                }
                otherwise.iter().for_each(|body| self.body(body, prefix, of));
            }
            StmtKind::Backward { name, body } => {
                self.add(*name, What::Binds(Local::Gradient));
                self.body(body, &[], &[]);
            }
            StmtKind::Grad { of, value } => {
                self.add(*of, What::Value);
                self.expr(value);
            }
            StmtKind::Vary { path, values } => {
                self.setting(path, &[], &self.item.of.map(|of| vec![of.name]).unwrap_or_default());
                self.expr(values);
            }
            StmtKind::Objective { exprs, .. } => exprs.iter().for_each(|e| self.expr(e)),
            StmtKind::Error => {}
            _ => self.machine(stmt),
        }
    }

    /// Statements of plans and systems.
    fn machine(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Mesh(axes) => {
                for axis in axes {
                    self.add(axis.name, What::Binds(Local::Mesh));
                    axis.size.iter().for_each(|e| self.expr(e));
                    axis.across.iter().for_each(|i| self.add(*i, What::Value));
                }
            }
            StmtKind::Shard { axes, over, within, schedule } => {
                axes.iter().flatten().for_each(|i| self.add(*i, What::Sharded));
                over.iter().for_each(|i| self.add(*i, What::Mesh));
                within.iter().flatten().for_each(|i| self.add(*i, What::Scope));
                schedule.iter().for_each(|e| self.expr(e));
            }
            StmtKind::Zero { what, over } => {
                self.add(*what, What::Role);
                over.iter().for_each(|i| self.add(*i, What::Mesh));
            }
            StmtKind::Overlap(names) => names.iter().for_each(|i| self.add(*i, What::Role)),
            StmtKind::Fold { name, value } => self.bind(*name, Local::Mesh, value),
            StmtKind::Chip { name, value } => self.bind(*name, Local::Chip, value),
            StmtKind::Level { name, parts, via } => {
                self.add(*name, What::Binds(Local::Level));
                for (count, of) in parts {
                    self.expr(count);
                    self.add(*of, What::Value);
                }
                via.iter().for_each(|e| self.expr(e));
            }
            _ => {}
        }
    }

    fn tensor(&mut self, name: Ident, local: Local, axes: &[AxisRef], clauses: &Clauses) {
        self.add(name, What::Binds(local));
        self.axes(axes);
        self.clauses(clauses);
    }

    fn bind(&mut self, name: Ident, local: Local, value: &Expr) {
        self.add(name, What::Binds(local));
        self.expr(value);
    }
}
