//! Bodies and statements.

use pest::iterators::Pair;

use super::{Docs, Lower, Parts, Rule};
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::source::Span;
use crate::syntax::ast::{AxisRef, Body, Clauses, Expr, Ident, MeshAxis, Stmt, StmtKind};
use crate::syntax::recover;

impl Lower<'_> {
    /// `{ … }`.
    pub(super) fn body(&mut self, pair: Pair<'_, Rule>) -> Body {
        let mut span = self.span(&pair);
        let mut body = Body { span, stmts: Vec::new(), closed: true };
        let mut docs = Docs::default();
        let mut parts = Parts::of(pair);
        while let Some(pair) = parts.next() {
            match pair.as_rule() {
                Rule::doc => docs.push(&pair),
                Rule::comma | Rule::close => {}
                Rule::semicolon => self.semicolon(&pair),
                Rule::unclosed => {
                    body.closed = false;
                    self.open = true;
                    span.end = span.end.max(span.start + 1);
                }
                Rule::bad_stmt => {
                    let span = self.bad_stmt(&pair);
                    body.stmts.push(Stmt { span, docs: docs.take(), kind: StmtKind::Error });
                }
                _ => {
                    let span = self.span(&pair);
                    let kind = self.stmt(pair);
                    body.stmts.push(Stmt { span, docs: docs.take(), kind });
                }
            }
        }
        body.span = span;
        body
    }

    fn semicolon(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.span(pair);
        let title = "a statement ends where its line ends".to_owned();
        let after = self.text.get(pair.as_span().end()..).unwrap_or("");
        let line = after.trim_start_matches([' ', '\t', '\r']);
        let alone = line.is_empty() || line.starts_with(['\n', '/', '}']);
        let (write, label) =
            if alone { ("", "not needed") } else { ("\n", "start a new line instead") };
        let place = self.place(span);
        let safety = if alone { Safety::Safe } else { Safety::Review };
        let diagnostic = Diagnostic::new(codes::WRONG_WORD, title, place, label).fix(
            if alone { "remove the `;`" } else { "start a new line" },
            place,
            write,
            safety,
        );
        self.report(diagnostic);
    }

    fn stmt(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let rule = pair.as_rule();
        let mut parts = Parts::of(pair);
        let p = &mut parts;
        match rule {
            Rule::set => self.set(p),
            Rule::section => self.section(p),
            Rule::foreign_let => self.foreign_let(p),
            Rule::input => {
                let (name, axes, clauses) = self.tensor(p);
                StmtKind::Input { name, axes, clauses }
            }
            Rule::weight => {
                let (name, axes, clauses) = self.tensor(p);
                StmtKind::Weight { name, axes, clauses }
            }
            Rule::output => StmtKind::Output(self.next_expr(p)),
            Rule::where_stmt => StmtKind::Where(self.next_expr(p)),
            Rule::require => {
                StmtKind::Require { cond: self.next_expr(p), clauses: self.clauses(p) }
            }
            Rule::expect => StmtKind::Expect { cond: self.next_expr(p), clauses: self.clauses(p) },
            Rule::fuse => {
                let name = p.eat(Rule::name).map(|p| self.ident(&p));
                StmtKind::Fuse { name, body: self.next_body(p) }
            }
            Rule::backward => StmtKind::Backward { name: self.name(p), body: self.next_body(p) },
            Rule::repeat => self.repeat(p),
            Rule::if_stmt => self.if_stmt(p),
            Rule::axis_def | Rule::fold | Rule::chip_def | Rule::grad => self.definition(rule, p),
            Rule::level => self.level(p),
            Rule::vary => self.vary(p),
            Rule::objective => {
                let goal = p.next();
                let maximize = goal.is_some_and(|g| g.as_str() == "maximize");
                let exprs = std::iter::from_fn(|| p.next()).map(|e| self.expr(e)).collect();
                StmtKind::Objective { maximize, exprs }
            }
            _ => self.plan_stmt(rule, p),
        }
    }

    /// The statements of a plan.
    fn plan_stmt(&mut self, rule: Rule, p: &mut Parts<'_>) -> StmtKind {
        match rule {
            Rule::mesh => {
                let axes = std::iter::from_fn(|| p.next()).map(|a| self.mesh_axis(a)).collect();
                StmtKind::Mesh(axes)
            }
            Rule::shard => self.shard(p),
            Rule::zero => {
                let what = self.name(p);
                StmtKind::Zero { what, over: self.over(p) }
            }
            Rule::overlap => StmtKind::Overlap(self.names(p)),
            _ => StmtKind::Error,
        }
    }

    fn next_body(&mut self, parts: &mut Parts<'_>) -> Body {
        match parts.eat(Rule::block) {
            Some(block) => self.body(block),
            None => Body { span: Span::default(), stmts: Vec::new(), closed: false },
        }
    }

    fn set(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let path = self.names(p);
        let axes = p.eat(Rule::axes).map(|a| self.axes(a));
        let within = self.within(p);
        self.assign(p, path.first().copied());
        let value = self.next_expr(p);
        StmtKind::Set { path, axes, within, value, clauses: self.clauses(p) }
    }

    /// `=`, or one of the spellings that are foreign here.
    fn assign(&mut self, p: &mut Parts<'_>, name: Option<Ident>) {
        let Some(pair) = p.eat(Rule::assign) else { return };
        let span = self.span(&pair);
        match pair.as_str() {
            ":" => {
                let bytes = pair.as_span();
                let after = self.text.get(bytes.end()..bytes.end() + 1);
                let write = if after.is_some_and(|c| c.trim().is_empty()) { " =" } else { " = " };
                let word = name.map_or("name", |n| n.name.text());
                let diagnostic = Diagnostic::new(
                    codes::COLON_IN_BRACES,
                    "between braces a value is given with `name = value`",
                    self.place(span),
                    "`:` names an argument between parentheses",
                )
                .fix(
                    format!("write `{word} =`"),
                    self.place(span),
                    write,
                    Safety::Safe,
                );
                self.report(diagnostic);
            }
            "==" => {
                let title = "`==` compares; `=` gives a name its value".to_owned();
                self.instead(codes::WRONG_WORD, span, title, "a value is given here", "=");
            }
            ":=" => {
                let title = "`:=` is written `=`".to_owned();
                self.instead(codes::WRONG_WORD, span, title, "a value is given here", "=");
            }
            _ => {}
        }
    }

    fn foreign_let(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let (Some(word), Some(set)) = (p.next(), p.next()) else { return StmtKind::Error };
        let start = self.span(&word).start;
        let span = Span::new(start, self.span(&set).start);
        let title = format!("`{}` is not needed: `name = value` defines a name", word.as_str());
        self.instead(codes::WRONG_WORD, span, title, "a word of other languages", "");
        self.stmt(set)
    }

    pub(super) fn axes(&mut self, pair: Pair<'_, Rule>) -> Vec<AxisRef> {
        let mut parts = Parts::of(pair);
        let mut axes = Vec::new();
        while let Some(pair) = parts.next() {
            let mut name = self.span(&pair);
            let spread = pair.as_str().starts_with("..");
            if spread {
                name.start += 2;
            }
            let text = pair.as_str().trim_start_matches('.');
            axes.push(AxisRef { name: Ident { name: text.into(), span: name }, spread });
        }
        axes
    }

    fn tensor(&mut self, p: &mut Parts<'_>) -> (Ident, Vec<AxisRef>, Clauses) {
        let name = self.name(p);
        let axes = p.eat(Rule::axes).map(|a| self.axes(a)).unwrap_or_default();
        (name, axes, self.clauses(p))
    }

    fn vpath(&self, pair: Pair<'_, Rule>) -> Vec<Ident> {
        self.names(&mut Parts::of(pair))
    }

    fn vpaths(&self, p: &mut Parts<'_>) -> Vec<Vec<Ident>> {
        std::iter::from_fn(|| p.eat(Rule::vpath)).map(|path| self.vpath(path)).collect()
    }

    fn within(&self, p: &mut Parts<'_>) -> Vec<Vec<Ident>> {
        p.eat(Rule::within).map(|w| self.vpaths(&mut Parts::of(w))).unwrap_or_default()
    }

    fn over(&self, p: &mut Parts<'_>) -> Vec<Ident> {
        p.eat(Rule::over).map(|o| self.names(&mut Parts::of(o))).unwrap_or_default()
    }

    /// The name in a small wrapper such as `at level`.
    fn wrapped_name(&self, p: &mut Parts<'_>, rule: Rule) -> Option<Ident> {
        p.eat(rule).map(|inner| self.name(&mut Parts::of(inner)))
    }

    fn via(&mut self, p: &mut Parts<'_>) -> Option<Expr> {
        p.eat(Rule::via).map(|via| self.next_expr(&mut Parts::of(via)))
    }

    fn section(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let name = self.name(p);
        let label = p.eat(Rule::name).map(|l| self.ident(&l));
        let at = self.wrapped_name(p, Rule::at);
        let via = self.via(p);
        StmtKind::Section { name, label, at, via, body: self.next_body(p) }
    }

    fn repeat(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let index = self.name(p);
        p.eat(Rule::in_word);
        let count = self.next_expr(p);
        let carry = p.eat(Rule::carry).map(|c| self.names(&mut Parts::of(c))).unwrap_or_default();
        let clauses = self.clauses(p);
        StmtKind::Repeat { index, count, carry, clauses, body: self.next_body(p) }
    }

    fn if_stmt(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let mut arms = vec![(self.next_expr(p), self.next_body(p))];
        while let Some(word) = p.eat(Rule::else_if) {
            if !word.as_str().starts_with("else ") {
                let title = format!("`{}` is written `else if`", word.as_str());
                let span = self.span(&word);
                let label = "a word of other languages";
                self.instead(codes::WRONG_WORD, span, title, label, "else if");
            }
            arms.push((self.next_expr(p), self.next_body(p)));
        }
        let otherwise = p.eat(Rule::block).map(|block| self.body(block));
        StmtKind::If { arms, otherwise }
    }

    fn definition(&mut self, rule: Rule, p: &mut Parts<'_>) -> StmtKind {
        let name = self.name(p);
        self.assign(p, Some(name));
        let value = self.next_expr(p);
        match rule {
            Rule::axis_def => StmtKind::Axis { name, value },
            Rule::fold => StmtKind::Fold { name, value },
            Rule::chip_def => StmtKind::Chip { name, value },
            _ => StmtKind::Grad { of: name, value },
        }
    }

    fn level(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let name = self.name(p);
        self.assign(p, Some(name));
        let parts = match p.eat(Rule::level_list) {
            Some(list) => {
                let mut list = Parts::of(list);
                std::iter::from_fn(|| list.next()).map(|part| self.level_part(part)).collect()
            }
            None => p.eat(Rule::level_part).map(|part| self.level_part(part)).into_iter().collect(),
        };
        StmtKind::Level { name, parts, via: self.via(p) }
    }

    fn level_part(&mut self, pair: Pair<'_, Rule>) -> (Expr, Ident) {
        let mut parts = Parts::of(pair);
        let count = self.next_expr(&mut parts);
        parts.eat(Rule::part_of);
        (count, self.name(&mut parts))
    }

    fn vary(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let path = p.eat(Rule::vpath).map(|path| self.vpath(path)).unwrap_or_default();
        p.eat(Rule::in_word);
        StmtKind::Vary { path, values: self.next_expr(p) }
    }

    fn mesh_axis(&mut self, pair: Pair<'_, Rule>) -> MeshAxis {
        let mut parts = Parts::of(pair);
        let name = self.name(&mut parts);
        let size = parts.eat(Rule::expr).map(|size| self.expr(size));
        MeshAxis { name, size, across: self.wrapped_name(&mut parts, Rule::across) }
    }

    fn shard(&mut self, p: &mut Parts<'_>) -> StmtKind {
        let axes = self.vpaths(p);
        let over = self.over(p);
        let (mut within, mut schedule) = (Vec::new(), None);
        while let Some(rule) = p.rule() {
            match rule {
                Rule::within => within.extend(self.within(p)),
                Rule::schedule => {
                    let Some(pair) = p.next() else { break };
                    let span = self.span(&pair);
                    let value = self.next_expr(&mut Parts::of(pair));
                    if schedule.is_some() {
                        let place = self.place(span);
                        let title = "`schedule` is given twice";
                        let label = "given again here";
                        self.report(Diagnostic::new(codes::CLAUSE_TWICE, title, place, label));
                    }
                    schedule = Some(value);
                }
                _ => break,
            }
        }
        StmtKind::Shard { axes, over, within, schedule }
    }

    /// Reports the braces of the piece that are never closed, all at once.
    pub(super) fn unclosed(&mut self) {
        if self.diagnostics.iter().any(|d| d.code == codes::UNTERMINATED_TEXT) {
            return; // the text swallowed the brace
        }
        let lost = recover::unclosed_braces(self.text);
        let Some((&innermost, others)) = lost.split_last() else { return };
        let brace = self.place(self.bytes(innermost, innermost + 1));
        if self.diagnostics.iter().any(|d| d.place() == Some(brace)) {
            return; // it is wrong where it stands
        }
        let mut diagnostic = recover::unclosed(self, innermost, '{');
        for &open in others.iter().rev().take(3) {
            let place = self.place(self.bytes(open, open + 1));
            diagnostic = diagnostic.and(place, "nor is this one");
        }
        self.report(diagnostic);
    }
}
