//! From a graph to code over columns: dead code, equal code and names are left out.
//!
//! Code may be split: what depends on outer columns alone is one batch, computed once for every
//! combination of their values; the rest is another, whose further columns are what the first gives.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Batch, Segment, Slot, Split, Step};
use crate::expr::{ExprId, Graph, Op};

/// What a node of the graph is here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Value {
    /// A constant, by its bits.
    Known(u64),
    /// A column.
    Column(u32),
    /// A line of the code.
    Line(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Line {
    op: Op,
    operands: [Value; 3],
}

/// The code before slots are dealt out.
#[derive(Default)]
struct Code {
    lines: Vec<Line>,
    /// The columns that a line depends on.
    depends: Vec<u64>,
    known: FxHashMap<Line, Value>,
}

impl Code {
    fn columns(&self, value: Value) -> u64 {
        match value {
            Value::Known(_) => 0,
            Value::Column(column) => bit(column),
            Value::Line(line) => self.depends.get(line as usize).copied().unwrap_or_default(),
        }
    }

    fn push(&mut self, op: Op, operands: [Value; 3]) -> Value {
        let number = |value: Value| match value {
            Value::Known(bits) => Some(f64::from_bits(bits)),
            _ => None,
        };
        let [a, b, c] = operands;
        if let (Some(x), Some(y), Some(z)) = (number(a), number(b), number(c)) {
            return Value::Known(op.apply(x, y, z).to_bits());
        }
        // Only what is exact for every operand, bit by bit.
        match (op, number(a), number(b)) {
            (Op::Mul, _, Some(1.0)) | (Op::Div, _, Some(1.0)) | (Op::Pow, _, Some(1.0)) => {
                return a;
            }
            (Op::Mul, Some(1.0), _) => return b,
            (Op::Select, Some(condition), _) if !condition.is_nan() => {
                return if condition == 0.0 { c } else { b };
            }
            (Op::And, Some(0.0), _) | (Op::And, _, Some(0.0)) => {
                return Value::Known(0.0_f64.to_bits());
            }
            _ => {}
        }
        let line = Line { op, operands };
        if let Some(value) = self.known.get(&line) {
            return *value;
        }
        let columns = operands.iter().fold(0, |all, o| all | self.columns(*o));
        let value = Value::Line(self.lines.len() as u32);
        self.lines.push(line);
        self.depends.push(columns);
        self.known.insert(line, value);
        value
    }
}

/// The bit of a column in masks; those beyond share the last one.
fn bit(column: u32) -> u64 {
    1 << column.min(63)
}

pub(super) fn compile(
    graph: &Graph,
    roots: &[ExprId],
    columns: usize,
    column: &dyn Fn(ExprId) -> Option<u32>,
    uniform: u64,
) -> Batch {
    let (code, roots) = simplified(graph, roots, column);
    finish(&code, &roots, (0..columns as u32).map(bit).collect(), uniform)
}

/// Code with dead lines left out and places dealt out. `masks` has the bit of every column.
fn finish(code: &Code, roots: &[Value], masks: Vec<u64>, uniform: u64) -> Batch {
    let needed = needed(code, roots);
    let order = ordered(code, &needed, uniform);
    allocate(code, &order, roots, masks, uniform)
}

/// Code in two parts; the first `outer` columns are the outer ones.
pub(super) fn split(
    graph: &Graph,
    roots: &[ExprId],
    columns: usize,
    column: &dyn Fn(ExprId) -> Option<u32>,
    outer: usize,
) -> Split {
    let (code, roots) = simplified(graph, roots, column);
    let masks: Vec<u64> = (0..columns as u32).map(bit).collect();
    let outers: u64 = masks.iter().take(outer).fold(0, |all, mask| all | mask);
    let needed = needed(&code, &roots);
    let mut cut = Cut { code: &code, outers, given: Vec::new(), at: FxHashMap::default() };
    let (inner, inner_roots) = cut.inner(&needed, &roots, outer, columns);
    let given = cut.given;
    let of_inner = columns - outer;
    let masks_inner: Vec<u64> =
        (0..of_inner as u32).map(|c| 1 << c.min(62)).chain(given.iter().map(|_| GIVEN)).collect();
    Split {
        outer: Arc::new(finish(&code, &given, masks.clone(), 0)),
        last: Arc::new(finish(&inner, &inner_roots, masks_inner.clone(), GIVEN)),
        mixed: Arc::new(finish(&inner, &inner_roots, masks_inner, 0)),
        each: Arc::new(finish(&code, &roots, masks, 0)),
        columns: outer,
    }
}

/// The bit of all that the outer part gives.
const GIVEN: u64 = 1 << 63;

/// Cuts code where lines that depend on outer columns alone are read by others.
struct Cut<'a> {
    code: &'a Code,
    outers: u64,
    /// What the outer part gives.
    given: Vec<Value>,
    at: FxHashMap<Value, u32>,
}

impl Cut<'_> {
    fn inner(
        &mut self,
        needed: &[bool],
        roots: &[Value],
        outer: usize,
        columns: usize,
    ) -> (Code, Vec<Value>) {
        let first = (columns - outer) as u32;
        let mut inner = Code::default();
        let mut lines = vec![Value::Line(u32::MAX); self.code.lines.len()];
        for (at, line) in self.code.lines.iter().enumerate() {
            let of_inner = self.code.depends.get(at).is_some_and(|d| d & !self.outers != 0);
            if !of_inner || needed.get(at) != Some(&true) {
                continue;
            }
            let operands = line.operands.map(|o| self.moved(o, &lines, first, outer));
            let depends = operands.iter().fold(0, |all, o| {
                all | match o {
                    Value::Column(column) if *column >= first => GIVEN,
                    Value::Column(column) => 1 << (*column).min(62),
                    other => inner.columns(*other),
                }
            });
            if let Some(cell) = lines.get_mut(at) {
                *cell = Value::Line(inner.lines.len() as u32);
            }
            inner.lines.push(Line { op: line.op, operands });
            inner.depends.push(depends);
        }
        let roots = roots.iter().map(|r| self.moved(*r, &lines, first, outer)).collect();
        (inner, roots)
    }

    /// A value in terms of the inner part.
    fn moved(&mut self, value: Value, lines: &[Value], first: u32, outer: usize) -> Value {
        match value {
            Value::Known(_) => value,
            Value::Column(column) if column as usize >= outer => {
                Value::Column(column - outer as u32)
            }
            Value::Line(line) if self.code.columns(value) & !self.outers != 0 => {
                lines.get(line as usize).copied().unwrap_or(value)
            }
            _ => {
                let next = self.given.len() as u32;
                let at = *self.at.entry(value).or_insert(next);
                if at == next {
                    self.given.push(value);
                }
                Value::Column(first + at)
            }
        }
    }
}

/// The graph below the roots without names, constants folded and equal operations joined.
fn simplified(
    graph: &Graph,
    roots: &[ExprId],
    column: &dyn Fn(ExprId) -> Option<u32>,
) -> (Code, Vec<Value>) {
    let mut code = Code::default();
    let unknown = Value::Known(f64::NAN.to_bits());
    let mut values = vec![unknown; graph.len()];
    for id in graph.below(roots) {
        let node = graph.node(id);
        let value = match node.op {
            Op::Const | Op::Param => match column(id) {
                Some(column) => Value::Column(column),
                None => Value::Known(graph.value(id).to_bits()),
            },
            op => {
                let of = |o: ExprId| values.get(o.index()).copied().unwrap_or(unknown);
                let mut operands = node.operands().map(of);
                let a = operands.next().unwrap_or(unknown);
                // Operands beyond the arity are ignored; the last one stands for them.
                let b = operands.next().unwrap_or(a);
                let c = operands.next().unwrap_or(b);
                if op == Op::Named { a } else { code.push(op, [a, b, c]) }
            }
        };
        if let Some(slot) = values.get_mut(id.index()) {
            *slot = value;
        }
    }
    let roots = roots.iter().map(|r| values.get(r.index()).copied().unwrap_or(unknown)).collect();
    (code, roots)
}

/// Which lines the roots need.
fn needed(code: &Code, roots: &[Value]) -> Vec<bool> {
    let mut needed = vec![false; code.lines.len()];
    let mark = |value: &Value, needed: &mut Vec<bool>| {
        if let Value::Line(line) = value
            && let Some(flag) = needed.get_mut(*line as usize)
        {
            *flag = true;
        }
    };
    roots.iter().for_each(|r| mark(r, &mut needed));
    for (at, line) in code.lines.iter().enumerate().rev() {
        if needed.get(at) == Some(&true) {
            line.operands.iter().for_each(|o| mark(o, &mut needed));
        }
    }
    needed
}

/// Lines by segment: scalars first; with uniform columns, by what they depend on, fewest first.
/// An operand depends on no more columns than its user, so every operand comes first.
fn ordered(code: &Code, needed: &[bool], uniform: u64) -> Vec<(u64, bool, Vec<u32>)> {
    let mut segments: Vec<(u64, bool, Vec<u32>)> = Vec::new();
    let mut at: FxHashMap<u64, usize> = FxHashMap::default();
    for (line, columns) in code.depends.iter().enumerate() {
        if needed.get(line) != Some(&true) {
            continue;
        }
        let scalar = columns & !uniform == 0;
        // Where nothing is uniform every block is new: one segment, in the order of the graph.
        let key = if uniform == 0 { u64::MAX } else { *columns };
        let index = *at.entry(key).or_insert_with(|| {
            segments.push((0, scalar, Vec::new()));
            segments.len() - 1
        });
        if let Some((all, _, lines)) = segments.get_mut(index) {
            *all |= columns;
            lines.push(line as u32);
        }
    }
    segments.sort_by_key(|(columns, scalar, _)| (!*scalar, columns.count_ones(), *columns));
    segments
}

/// Deals out slots. A register is free again after its last use, unless another segment reads it.
fn allocate(
    code: &Code,
    order: &[(u64, bool, Vec<u32>)],
    roots: &[Value],
    masks: Vec<u64>,
    uniform: u64,
) -> Batch {
    let mut segment_of = vec![u32::MAX; code.lines.len()];
    for (segment, (_, _, lines)) in order.iter().enumerate() {
        for line in lines {
            if let Some(cell) = segment_of.get_mut(*line as usize) {
                *cell = segment as u32;
            }
        }
    }
    // Uses within the own segment; what others read, or is a root, stays.
    let mut uses = vec![0_u32; code.lines.len()];
    let mut stays = vec![false; code.lines.len()];
    let index = |value: &Value| match value {
        Value::Line(line) => Some(*line as usize),
        _ => None,
    };
    for (segment, (_, _, lines)) in order.iter().enumerate() {
        for line in lines.iter().filter_map(|l| code.lines.get(*l as usize)) {
            for operand in line.operands.iter().filter_map(index) {
                let own = segment_of.get(operand) == Some(&(segment as u32));
                if let (Some(count), Some(stay)) = (uses.get_mut(operand), stays.get_mut(operand)) {
                    *count += 1;
                    *stay |= !own;
                }
            }
        }
    }
    for root in roots.iter().filter_map(index) {
        if let Some(stay) = stays.get_mut(root) {
            *stay = true;
        }
    }
    let loads = vec![None; masks.len()];
    let mut batch = Batch { masks, uniform, loads, ..Batch::default() };
    let mut constants: FxHashMap<u64, u32> = FxHashMap::default();
    let mut slots = vec![Slot::Scalar(0); code.lines.len()];
    let mut free: Vec<u32> = Vec::new();
    for (mask, scalar, lines) in order {
        let mut steps = Vec::with_capacity(lines.len());
        for &at in lines {
            let Some(line) = code.lines.get(at as usize) else { continue };
            let operands = line.operands.map(|o| slot(&mut batch, &mut constants, &slots, o));
            let to = if *scalar {
                batch.scalars.push(0.0);
                Slot::Scalar(batch.scalars.len() as u32 - 1)
            } else {
                Slot::Vector(free.pop().unwrap_or_else(|| {
                    batch.registers += 1;
                    batch.registers as u32 - 1
                }))
            };
            if let Some(cell) = slots.get_mut(at as usize) {
                *cell = to;
            }
            // Only now, so that a result never lies where an operand does.
            for operand in line.operands.iter().filter_map(index) {
                let Some(count) = uses.get_mut(operand) else { continue };
                *count = count.saturating_sub(1);
                if let (0, Some(false), Some(Slot::Vector(register))) =
                    (*count, stays.get(operand), slots.get(operand))
                {
                    free.push(*register);
                }
            }
            let (Slot::Scalar(to) | Slot::Vector(to)) = to;
            steps.push(Step { op: line.op, to, operands });
        }
        batch.segments.push(Segment { columns: *mask, scalar: *scalar, steps });
    }
    batch.roots = roots.iter().map(|r| slot(&mut batch, &mut constants, &slots, *r)).collect();
    batch
}

/// Where a value lies; constants and columns get their place when they are first read.
fn slot(
    batch: &mut Batch,
    constants: &mut FxHashMap<u64, u32>,
    slots: &[Slot],
    value: Value,
) -> Slot {
    match value {
        Value::Known(bits) => Slot::Scalar(*constants.entry(bits).or_insert_with(|| {
            batch.scalars.push(f64::from_bits(bits));
            batch.scalars.len() as u32 - 1
        })),
        Value::Column(column) => {
            let Some(cell) = batch.loads.get_mut(column as usize) else { return Slot::Scalar(0) };
            *cell.get_or_insert_with(|| {
                if batch.masks.get(column as usize).is_none_or(|m| m & batch.uniform == 0) {
                    // Columns are never freed: they are compared with those of the next block.
                    batch.registers += 1;
                    Slot::Vector(batch.registers as u32 - 1)
                } else {
                    batch.scalars.push(0.0);
                    Slot::Scalar(batch.scalars.len() as u32 - 1)
                }
            })
        }
        Value::Line(line) => slots.get(line as usize).copied().unwrap_or(Slot::Scalar(0)),
    }
}
