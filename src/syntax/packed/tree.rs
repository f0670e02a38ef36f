//! Which bytes each kind of node of the syntax tree is.
//!
//! In: nodes, or their bytes. Out: the other. A node is its fields in order, and a choice is the
//! number that stands before it here; what is missing here does not compile.

use super::{Packed, Reader, Writer};
use crate::syntax::ast::{
    Arg, AxisRef, BinaryOp, Body, Clauses, Expr, ExprKind, Ident, Import, ImportSource, Item,
    ItemKind, MeshAxis, Param, Stmt, StmtKind, Text, TextPart, Type, UnaryOp, UnitExpr,
};

macro_rules! nodes {
    ($($node:ident { $($field:ident)* })*) => {$(
        impl Packed for $node {
            fn write(&self, to: &mut Writer) {
                let Self { $($field),* } = self;
                $($field.write(to);)*
            }
            fn read(from: &mut Reader<'_>) -> Option<Self> {
                $(let $field = Packed::read(from)?;)*
                Some(Self { $($field),* })
            }
        }
    )*};
}

macro_rules! choices {
    ($($choice:ident {
        $($number:literal $variant:ident $(($($part:ident)*))? $({ $($field:ident)* })?)*
    })*) => {$(
        impl Packed for $choice {
            fn write(&self, to: &mut Writer) {
                match self {
                    $(Self::$variant $(($($part),*))? $({ $($field),* })? => {
                        to.byte($number);
                        $($($part.write(to);)*)?
                        $($($field.write(to);)*)?
                    })*
                }
            }
            fn read(from: &mut Reader<'_>) -> Option<Self> {
                Some(match from.byte()? {
                    $($number => {
                        $($(let $part = Packed::read(from)?;)*)?
                        $($(let $field = Packed::read(from)?;)*)?
                        Self::$variant $(($($part),*))? $({ $($field),* })?
                    })*
                    _ => return None,
                })
            }
        }
    )*};
}

nodes! {
    Arg { name value span }
    AxisRef { name spread }
    Body { span stmts closed }
    Expr { span kind }
    Ident { name span }
    Import { from names alias }
    Item { span kind name label docs params result of value clauses body import broken }
    MeshAxis { name size across }
    Param { name ty default docs span }
    Stmt { span docs kind }
    Text { span parts }
    Type { parts axes optional span }
    UnitExpr { span parts }
}

choices! {
    ExprKind {
        0 Number { value integer unit }
        1 Text(text)
        2 Bool(value)
        3 None
        4 Name(name)
        5 Field(base name)
        6 Call { callee args close }
        7 Unary(op value)
        8 Binary(op left right)
        9 If(condition yes no)
        10 Range(start end)
        11 List(values)
        12 Arrow(old new)
        13 With(base body)
        14 On(plan level)
        15 Per(dtype group)
        16 Paren(value)
        17 Error
    }
    ImportSource {
        0 Path(parts)
        1 File(file parts)
    }
    StmtKind {
        0 Set { path axes within value clauses }
        1 Section { name label at via body }
        2 Input { name axes clauses }
        3 Weight { name axes clauses }
        4 Output(value)
        5 Axis { name value }
        6 Require { cond clauses }
        7 Expect { cond clauses }
        8 Fuse { name body }
        9 Repeat { index count carry clauses body }
        10 If { arms otherwise }
        11 Mesh(axes)
        12 Shard { axes over within schedule }
        13 Zero { what over }
        14 Overlap(names)
        15 Fold { name value }
        16 Chip { name value }
        17 Level { name parts via }
        18 Backward { name body }
        19 Grad { of value }
        20 Vary { path values }
        21 Where(condition)
        22 Objective { maximize exprs }
        23 Error
    }
    TextPart {
        0 Plain(text)
        1 Hole(value)
    }
    UnaryOp { 0 Neg 1 Not }
    BinaryOp {
        0 Or 1 And 2 Eq 3 Ne 4 Lt 5 Le 6 Gt 7 Ge 8 Union 9 Intersect 10 Add 11 Sub 12 Mul 13 Div
        14 Mod 15 Pow
    }
    ItemKind {
        0 Use 1 Const 2 Fn 3 Assume 4 Dimension 5 Unit 6 Dtype 7 Axis 8 Op 9 Block 10 Model 11 Chip
        12 Link 13 System 14 Plan 15 Runtime 16 Scenario 17 Metric 18 Measured 19 Sweep
    }
}

/// Clauses are rare: one byte says which there are.
macro_rules! rare {
    ($node:ident { $($bit:literal $field:ident)* }) => {
        impl Packed for $node {
            fn write(&self, to: &mut Writer) {
                let Self { $($field),* } = self;
                to.byte(0 $(| (u8::from($field.is_some()) << $bit))*);
                $(if let Some(value) = $field {
                    value.write(to);
                })*
            }
            fn read(from: &mut Reader<'_>) -> Option<Self> {
                let mut node = Self::default();
                let which = from.byte()?;
                if which != 0 {
                    $(if which & (1 << $bit) != 0 {
                        node.$field = Some(Packed::read(from)?);
                    })*
                }
                Some(node)
            }
        }
    };
}

rare! {
    Clauses { 0 range 1 because 2 source 3 from 4 otherwise 5 dtype 6 density }
}
