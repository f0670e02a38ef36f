//! Expressions of the abstract syntax: what stands on the right of `=` and between parentheses.

use super::{Body, Ident, Text};
use crate::name::Name;
use crate::source::Span;

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// A unit as written after a number: `TB/s` is `[(TB, 1), (s, -1)]`, `%` is one part.
#[derive(Clone, Debug)]
pub struct UnitExpr {
    /// Where it stands.
    pub span: Span,
    /// Names with their exponents.
    pub parts: Vec<(Ident, i8)>,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `3.35 TB/s`, `70_553_706_496`, `10%`.
    Number {
        /// The value before its unit.
        value: f64,
        /// Whether it was written without a point or an exponent.
        integer: bool,
        /// The unit.
        unit: Option<UnitExpr>,
    },
    /// `"…"`.
    Text(Text),
    /// `true`, `false`.
    Bool(bool),
    /// `none`.
    None,
    /// A name.
    Name(Name),
    /// `a.b`.
    Field(Box<Expr>, Ident),
    /// `f(x, over: ctx, causal:)`.
    Call {
        /// What is called.
        callee: Box<Expr>,
        /// The arguments in order.
        args: Vec<Arg>,
        /// `from "self_attn"` after a block call is a clause of the statement, not of this.
        close: Span,
    },
    /// `-a`, `not a`.
    Unary(UnaryOp, Box<Expr>),
    /// `a op b`.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `if c then a else b`.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a .. b`.
    Range(Box<Expr>, Box<Expr>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `a -> b` (an axis renamed).
    Arrow(Box<Expr>, Box<Expr>),
    /// `base with { … }`.
    With(Box<Expr>, Body),
    /// `Tp(tp: 4) on spark`.
    On(Box<Expr>, Ident),
    /// `fp16 per 128`.
    Per(Box<Expr>, Box<Expr>),
    /// `(a)`; kept so that formulas print as written.
    Paren(Box<Expr>),
    /// An expression that could not be read (already reported).
    Error,
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Arg {
    /// `name:`.
    pub name: Option<Ident>,
    /// The value; `None` for `name:` alone, which passes the name in scope.
    pub value: Option<Expr>,
    /// The whole argument.
    pub span: Span,
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UnaryOp {
    Neg,
    Not,
}

/// Infix operators, loosest first: `or`, `and`, comparisons, `|`, `&`, `+ -`, `* / %`, `^`.
/// (`..`, `->`, `per`, `on`, `with` have forms of their own.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Union,
    Intersect,
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

impl BinaryOp {
    /// The operator as written.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Union => "|",
            Self::Intersect => "&",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
        }
    }
}
