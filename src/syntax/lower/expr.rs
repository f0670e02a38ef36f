//! Expressions: the flat run of operands and operators becomes a tree.

use pest::iterators::Pair;

use super::{Lower, Parts, Rule};
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::{Arg, BinaryOp, Expr, ExprKind, UnaryOp};
use crate::syntax::words;

/// How tightly prefix operators bind; see [`Joint::of`] for the infix ones.
const NOT: u8 = 9;
const NEG: u8 = 23;

/// What an infix operator makes of its operands.
enum Joint {
    Binary(BinaryOp),
    Range,
    Arrow,
    Per,
}

impl Joint {
    /// The operator with the strength of its left and right hand.
    fn of(symbol: &str) -> (Self, u8, u8) {
        use BinaryOp as B;
        let (op, left) = match symbol {
            "->" => return (Self::Arrow, 1, 2),
            ".." => return (Self::Range, 3, 4),
            "per" => return (Self::Per, 21, 22),
            "^" | "**" => return (Self::Binary(B::Pow), 26, 25),
            "or" | "||" => (B::Or, 5),
            "and" | "&&" => (B::And, 7),
            "==" | "=" => (B::Eq, 11),
            "!=" => (B::Ne, 11),
            "<" => (B::Lt, 11),
            "<=" => (B::Le, 11),
            ">" => (B::Gt, 11),
            ">=" => (B::Ge, 11),
            "|" => (B::Union, 13),
            "&" => (B::Intersect, 15),
            "+" => (B::Add, 17),
            "-" => (B::Sub, 17),
            "*" => (B::Mul, 19),
            "/" => (B::Div, 19),
            _ => (B::Mod, 19),
        };
        (Self::Binary(op), left, left + 1)
    }

    fn join(self, left: Expr, right: Expr) -> Expr {
        let span = left.span.to(right.span);
        let (left, right) = (Box::new(left), Box::new(right));
        let kind = match self {
            Self::Binary(op) => ExprKind::Binary(op, left, right),
            Self::Range => ExprKind::Range(left, right),
            Self::Arrow => ExprKind::Arrow(left, right),
            Self::Per => ExprKind::Per(left, right),
        };
        Expr { span, kind }
    }
}

impl Lower<'_> {
    /// Any of the expression rules.
    pub(super) fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let expr = self.climb(&mut parts, 0);
        expr.unwrap_or(Expr { span, kind: ExprKind::Error })
    }

    /// The next child, an expression.
    pub(super) fn next_expr(&mut self, parts: &mut Parts<'_>) -> Expr {
        match parts.next() {
            Some(pair) => self.expr(pair),
            None => Expr { span: Span::default(), kind: ExprKind::Error },
        }
    }

    fn climb(&mut self, parts: &mut Parts<'_>, weakest: u8) -> Option<Expr> {
        let mut left = self.operand(parts)?;
        while let Some(Rule::op | Rule::foreign_eq) = parts.rule() {
            let Some(pair) = parts.peeked.as_ref() else { break };
            let (joint, at_left, at_right) = Joint::of(pair.as_str());
            if at_left < weakest {
                break;
            }
            let pair = parts.next()?;
            self.foreign_operator(&pair);
            let right = self.climb(parts, at_right)?;
            left = joint.join(left, right);
        }
        Some(left)
    }

    fn foreign_operator(&mut self, pair: &Pair<'_, Rule>) {
        let symbol = pair.as_str();
        let span = self.span(pair);
        if pair.as_rule() == Rule::foreign_eq {
            let title = "`=` gives a name its value; `==` compares".to_owned();
            self.instead(codes::WRONG_WORD, span, title, "compares nothing", "==");
        } else if let Some(write) = words::foreign_operator(symbol) {
            let title = format!("`{symbol}` is written `{write}`");
            let label = "an operator of other languages";
            self.instead(codes::WRONG_WORD, span, title, label, write);
        }
    }

    /// An operand with its prefixes, calls, fields and `with`.
    fn operand(&mut self, parts: &mut Parts<'_>) -> Option<Expr> {
        let pair = parts.next()?;
        if pair.as_rule() == Rule::prefix {
            return self.prefixed(&pair, parts);
        }
        let mut expr = self.atom(pair);
        while let Some(Rule::field | Rule::call | Rule::with | Rule::on) = parts.rule() {
            let pair = parts.next()?;
            let span = expr.span.to(self.span(&pair));
            let inner = Box::new(expr);
            let kind = match pair.as_rule() {
                Rule::call => self.call(inner, pair),
                Rule::with => match Parts::of(pair).next() {
                    Some(block) => ExprKind::With(inner, self.body(block)),
                    None => ExprKind::Error,
                },
                rule => {
                    let name = self.name(&mut Parts::of(pair));
                    if rule == Rule::on {
                        ExprKind::On(inner, name)
                    } else {
                        ExprKind::Field(inner, name)
                    }
                }
            };
            expr = Expr { span, kind };
        }
        Some(expr)
    }

    fn prefixed(&mut self, pair: &Pair<'_, Rule>, parts: &mut Parts<'_>) -> Option<Expr> {
        let span = self.span(pair);
        let (op, strength) = match pair.as_str() {
            "-" => (UnaryOp::Neg, NEG),
            _ => (UnaryOp::Not, NOT),
        };
        if pair.as_str() == "!" {
            let title = "`!` is written `not`".to_owned();
            let label = "an operator of other languages";
            self.instead(codes::WRONG_WORD, span, title, label, "not ");
        }
        let operand = self.climb(parts, strength)?;
        let span = span.to(operand.span);
        Some(Expr { span, kind: ExprKind::Unary(op, Box::new(operand)) })
    }

    fn atom(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::name => self.word(pair.as_str(), span),
            Rule::number | Rule::thousands => self.number(&pair),
            Rule::text | Rule::unterminated | Rule::quoted => {
                ExprKind::Text(self.text_literal(&pair))
            }
            Rule::paren => {
                let inner = self.next_expr(&mut Parts::of(pair));
                ExprKind::Paren(Box::new(inner))
            }
            Rule::list => {
                let mut parts = Parts::of(pair);
                let items = std::iter::from_fn(|| parts.next()).map(|p| self.expr(p)).collect();
                ExprKind::List(items)
            }
            Rule::if_expr | Rule::wif_expr => self.if_expr(pair),
            _ => ExprKind::Error,
        };
        Expr { span, kind }
    }

    fn word(&mut self, word: &str, span: Span) -> ExprKind {
        match word {
            "true" => return ExprKind::Bool(true),
            "false" => return ExprKind::Bool(false),
            "none" => return ExprKind::None,
            "and" | "or" | "not" | "then" | "else" | "per" => {
                let title = format!("`{word}` stands where a value is expected");
                let place = self.place(span);
                let label = "this word joins values; it is none itself";
                self.report(Diagnostic::new(codes::UNEXPECTED, title, place, label));
                return ExprKind::Error;
            }
            _ => {}
        }
        let Some(write) = words::foreign_value(word) else {
            return ExprKind::Name(Name::new(word));
        };
        let title = format!("`{word}` is written `{write}`");
        self.instead(codes::WRONG_WORD, span, title, "a word of other languages", write);
        match write {
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            _ => ExprKind::None,
        }
    }

    fn if_expr(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut parts = Parts::of(pair);
        let cond = self.next_expr(&mut parts);
        parts.eat(Rule::then_word);
        let then = self.next_expr(&mut parts);
        parts.eat(Rule::else_word);
        let otherwise = self.next_expr(&mut parts);
        ExprKind::If(Box::new(cond), Box::new(then), Box::new(otherwise))
    }

    fn call(&mut self, callee: Box<Expr>, pair: Pair<'_, Rule>) -> ExprKind {
        let end = self.span(&pair).end;
        let mut parts = Parts::of(pair);
        let mut args = Vec::new();
        while let Some(arg) = parts.next() {
            args.push(self.arg(arg));
        }
        ExprKind::Call { callee, args, close: Span::new(end.saturating_sub(1), end) }
    }

    fn arg(&mut self, pair: Pair<'_, Rule>) -> Arg {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = parts.eat(Rule::name).map(|p| self.ident(&p));
        if let Some(sep) = parts.eat(Rule::arg_sep)
            && sep.as_str() == "="
        {
            let at = self.span(&sep);
            let gap = at.start.saturating_sub(name.map_or(at.start, |n| n.span.end));
            let place = self.place(Span::new(at.start - gap, at.end));
            let word = name.map_or("name", |n| n.name.text());
            let diagnostic = Diagnostic::new(
                codes::EQUALS_IN_PARENS,
                "between parentheses an argument is written `name: value`",
                self.place(at),
                "`=` gives values between braces",
            )
            .fix(format!("write `{word}:`"), place, ":", Safety::Safe);
            self.report(diagnostic);
        }
        let value = parts.next().map(|p| self.expr(p));
        Arg { name, value, span }
    }
}
