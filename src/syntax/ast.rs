//! The abstract syntax of `.mesa`: plain data, spans relative to the item they stand in.
//!
//! One shape serves every kind of item and of body: which statements an item may hold, and what
//! they mean, is decided by `check`. Comments are not kept here; the formatter works on tokens.

mod expr;

use std::sync::Arc;

pub use expr::{Arg, BinaryOp, Expr, ExprKind, UnaryOp, UnitExpr};

use crate::name::Name;
use crate::source::Span;

/// A name where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub name: Name,
    /// Where it stands.
    pub span: Span,
}

/// What an item declares; each is the keyword that starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each variant is its keyword
pub enum ItemKind {
    Use,
    Const,
    Fn,
    Assume,
    Dimension,
    Unit,
    Dtype,
    Axis,
    Op,
    Block,
    Model,
    Chip,
    Link,
    System,
    Plan,
    Runtime,
    Scenario,
    Metric,
    Measured,
    Sweep,
}

impl ItemKind {
    /// Every kind, in the order of the reference.
    pub const ALL: [Self; 20] = [
        Self::Use,
        Self::Const,
        Self::Fn,
        Self::Assume,
        Self::Dimension,
        Self::Unit,
        Self::Dtype,
        Self::Axis,
        Self::Op,
        Self::Block,
        Self::Model,
        Self::Chip,
        Self::Link,
        Self::System,
        Self::Plan,
        Self::Runtime,
        Self::Scenario,
        Self::Metric,
        Self::Measured,
        Self::Sweep,
    ];
    /// The keyword as written.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Const => "const",
            Self::Fn => "fn",
            Self::Assume => "assume",
            Self::Dimension => "dimension",
            Self::Unit => "unit",
            Self::Dtype => "dtype",
            Self::Axis => "axis",
            Self::Op => "op",
            Self::Block => "block",
            Self::Model => "model",
            Self::Chip => "chip",
            Self::Link => "link",
            Self::System => "system",
            Self::Plan => "plan",
            Self::Runtime => "runtime",
            Self::Scenario => "scenario",
            Self::Metric => "metric",
            Self::Measured => "measured",
            Self::Sweep => "sweep",
        }
    }
    /// The kind that `keyword` starts.
    #[must_use]
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.keyword() == keyword)
    }
}

/// `[kind] Name(params) -> Type = value { body }` with its trailing clauses: any item.
#[derive(Clone, Debug)]
pub struct Item {
    /// The whole item without its doc comment.
    pub span: Span,
    /// What it declares.
    pub kind: ItemKind,
    /// Its name (for `use`, the last part of the path).
    pub name: Ident,
    /// `measured name "label"`.
    pub label: Option<Text>,
    /// The `///` lines before it, joined by newlines, markers removed.
    pub docs: Option<Arc<str>>,
    /// `(…)`; `None` where there are no parentheses.
    pub params: Option<Vec<Param>>,
    /// `: Type` of a const or an assume, `-> Type` of a fn or an op.
    pub result: Option<Type>,
    /// `metric x for serve`, `sweep x of chat`: the name after the word.
    pub of: Option<Ident>,
    /// `= value`.
    pub value: Option<Expr>,
    /// `in …`, `because …`, `source …` and the like after the value.
    pub clauses: Clauses,
    /// `{ … }`.
    pub body: Option<Body>,
    /// For `use` only.
    pub import: Option<Import>,
    /// Whether the header could not be read (already reported): parameters, type and value are
    /// then missing, name and body may be there.
    pub broken: bool,
}

/// `use std.a.B`, `use "./x.mesa".{A, B as C}`, `use std.chips as c`.
#[derive(Clone, Debug)]
pub struct Import {
    /// Where from.
    pub from: ImportSource,
    /// `{A, B as C}`; for `use std.a.B` the parser puts `B` here alone when capitalised or
    /// leaves the list out and keeps the whole path (resolution decides what it names).
    pub names: Option<Vec<(Ident, Option<Ident>)>>,
    /// `as name` on the whole.
    pub alias: Option<Ident>,
}

/// The place an import reads.
#[derive(Clone, Debug)]
pub enum ImportSource {
    /// `std.systems.DGX_H100`: all the dotted parts.
    Path(Vec<Ident>),
    /// `"./mine.mesa"`, and the dotted parts after it.
    File(Text, Vec<Ident>),
}

/// `name: Type = default` between parentheses.
#[derive(Clone, Debug)]
pub struct Param {
    /// The name.
    pub name: Ident,
    /// `: Type`.
    pub ty: Option<Type>,
    /// `= default`.
    pub default: Option<Expr>,
    /// `///` lines before it.
    pub docs: Option<Arc<str>>,
    /// The whole parameter.
    pub span: Span,
}

/// A type as written: a product of named types, `Tensor[..A]`, `?` for optional.
#[derive(Clone, Debug)]
pub struct Type {
    /// `Bytes / Time` is `[(Bytes, 1), (Time, -1)]`; a plain name has one part.
    pub parts: Vec<(Ident, i8)>,
    /// `Tensor[..A]`, `Tensor[batch, seq]`.
    pub axes: Option<Vec<AxisRef>>,
    /// A trailing `?`.
    pub optional: bool,
    /// The whole type.
    pub span: Span,
}

/// An axis in brackets: `batch`, or `..A` for a whole set.
#[derive(Clone, Copy, Debug)]
pub struct AxisRef {
    /// The name.
    pub name: Ident,
    /// Whether `..` stands before it.
    pub spread: bool,
}

/// A text literal; `{expr}` inside is interpolated (`{{` and `}}` are braces).
#[derive(Clone, Debug)]
pub struct Text {
    /// With the quotes.
    pub span: Span,
    /// Literal and interpolated parts in order.
    pub parts: Vec<TextPart>,
}

/// A part of a text literal.
#[derive(Clone, Debug)]
pub enum TextPart {
    /// Characters, escapes resolved.
    Plain(Arc<str>),
    /// `{expr}`.
    Hole(Expr),
}

impl Text {
    /// The text where nothing is interpolated (holes are dropped).
    #[must_use]
    pub fn plain(&self) -> String {
        self.parts
            .iter()
            .filter_map(|p| match p {
                TextPart::Plain(s) => Some(&**s),
                TextPart::Hole(_) => None,
            })
            .collect()
    }
}

/// What may follow a value, in any order, each at most once.
#[derive(Clone, Debug, Default)]
pub struct Clauses {
    /// `in 0.6 .. 0.9`.
    pub range: Option<Expr>,
    /// `because "…"`.
    pub because: Option<Text>,
    /// `source "…"`.
    pub source: Option<Text>,
    /// `from "…"`: names of weights in a checkpoint.
    pub from: Option<Text>,
    /// `else "…"`.
    pub otherwise: Option<Text>,
    /// `dtype fp8`.
    pub dtype: Option<Expr>,
    /// `density 0.5`.
    pub density: Option<Expr>,
}

/// `{ … }`.
#[derive(Clone, Debug)]
pub struct Body {
    /// From brace to brace.
    pub span: Span,
    /// Its statements.
    pub stmts: Vec<Stmt>,
    /// False where the closing brace is missing (already reported).
    pub closed: bool,
}

/// One statement of a body.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// The whole statement.
    pub span: Span,
    /// `///` lines before it.
    pub docs: Option<Arc<str>>,
    /// What it is.
    pub kind: StmtKind,
}

impl Stmt {
    /// Visits the bodies inside of it.
    pub fn each_body<'a>(&'a self, visit: &mut dyn FnMut(&'a Body)) {
        match &self.kind {
            StmtKind::Section { body, .. }
            | StmtKind::Fuse { body, .. }
            | StmtKind::Repeat { body, .. }
            | StmtKind::Backward { body, .. } => visit(body),
            StmtKind::If { arms, otherwise } => {
                arms.iter().map(|(_, b)| b).chain(otherwise).for_each(visit);
            }
            _ => {}
        }
    }
}

/// A statement. Leading words are contextual: `fuse = 3` is still a setting.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `a = v`, `a.b = v`, `y[batch, seq] = v`, `weights within Router = v`, with clauses.
    Set {
        /// The dotted path on the left.
        path: Vec<Ident>,
        /// `[axes]`.
        axes: Option<Vec<AxisRef>>,
        /// `within A, b.c`: each a dotted path.
        within: Vec<Vec<Ident>>,
        /// The right side.
        value: Expr,
        /// What follows it.
        clauses: Clauses,
    },
    /// `compute matrix { … }`, `serve { … }`, `memory host at node via PCIe5 { … }`.
    Section {
        /// First word.
        name: Ident,
        /// Second word, if any.
        label: Option<Ident>,
        /// `at level`.
        at: Option<Ident>,
        /// `via link`.
        via: Option<Expr>,
        /// What is inside.
        body: Body,
    },
    /// `input x[batch, seq, hidden]`.
    Input {
        /// The tensor.
        name: Ident,
        /// Its axes.
        axes: Vec<AxisRef>,
        /// `dtype …`.
        clauses: Clauses,
    },
    /// `weight w[hidden, ffn] dtype fp8 density 0.5 from "…"`.
    Weight {
        /// The tensor.
        name: Ident,
        /// Its axes.
        axes: Vec<AxisRef>,
        /// `dtype`, `density`, `from`.
        clauses: Clauses,
    },
    /// `output y`.
    Output(Expr),
    /// `axis heads = kv_heads * group`, `axis hidden_out = hidden`.
    Axis {
        /// The new axis.
        name: Ident,
        /// What it is made of.
        value: Expr,
    },
    /// `require cond else "…"`.
    Require {
        /// The condition.
        cond: Expr,
        /// `else "…"`.
        clauses: Clauses,
    },
    /// `expect cond`.
    Expect {
        /// The condition.
        cond: Expr,
        /// `because`, `source`, `else`.
        clauses: Clauses,
    },
    /// `fuse flash_attention { … }`.
    Fuse {
        /// The name of the kernel.
        name: Option<Ident>,
        /// Its statements.
        body: Body,
    },
    /// `repeat i in layers carry x, y from "model.layers.{i}" { … }`.
    Repeat {
        /// The index name.
        index: Ident,
        /// How many times: a `Count` name (which names the axis) or an expression.
        count: Expr,
        /// The carried names.
        carry: Vec<Ident>,
        /// `from "…"`.
        clauses: Clauses,
        /// The body.
        body: Body,
    },
    /// `if c { … } else if d { … } else { … }`.
    If {
        /// Conditions with their bodies.
        arms: Vec<(Expr, Body)>,
        /// The last `else`.
        otherwise: Option<Body>,
    },
    /// `mesh dp = rest, tp across node`.
    Mesh(Vec<MeshAxis>),
    /// `shard heads, ffn over tp within A, b schedule interleaved(chunks: 2)`.
    Shard {
        /// Dotted axis names.
        axes: Vec<Vec<Ident>>,
        /// Mesh axes, outermost first.
        over: Vec<Ident>,
        /// Where the rule holds.
        within: Vec<Vec<Ident>>,
        /// `schedule …`.
        schedule: Option<Expr>,
    },
    /// `zero optimizer over dp`.
    Zero {
        /// What is kept once.
        what: Ident,
        /// Over which mesh axes.
        over: Vec<Ident>,
    },
    /// `overlap gradients, weights`.
    Overlap(Vec<Ident>),
    /// `fold ep = dp * tp`.
    Fold {
        /// The new mesh axis.
        name: Ident,
        /// The product.
        value: Expr,
    },
    /// `chip gpu = H100_SXM`.
    Chip {
        /// The local name.
        name: Ident,
        /// The chip.
        value: Expr,
    },
    /// `level node = 8 of gpu via NVLink4`, `level pair = [1 of spark, 1 of mac] via E10G`.
    Level {
        /// The level's name.
        name: Ident,
        /// How many of what.
        parts: Vec<(Expr, Ident)>,
        /// The link that joins them.
        via: Option<Expr>,
    },
    /// `backward dy { … }`.
    Backward {
        /// The name of the incoming gradient.
        name: Ident,
        /// Its `grad` statements.
        body: Body,
    },
    /// `grad a = contract(dy, b)`.
    Grad {
        /// Of which operand.
        of: Ident,
        /// The gradient.
        value: Expr,
    },
    /// `vary plan.tp in [1, 2, 4]`.
    Vary {
        /// The path that varies.
        path: Vec<Ident>,
        /// Its values.
        values: Expr,
    },
    /// `where memory.fits and tpot < 50 ms`.
    Where(Expr),
    /// `minimize a, b` / `maximize a`.
    Objective {
        /// `maximize`.
        maximize: bool,
        /// What is optimised.
        exprs: Vec<Expr>,
    },
    /// A statement that could not be read (already reported).
    Error,
}

/// One axis of a `mesh` statement.
#[derive(Clone, Debug)]
pub struct MeshAxis {
    /// Its name.
    pub name: Ident,
    /// `= size`; `rest` fills the machine.
    pub size: Option<Expr>,
    /// `across level`.
    pub across: Option<Ident>,
}
