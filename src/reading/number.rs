//! Numbers: a flat tape over the part of the graph that wanted results need.
//!
//! In: a graph and roots. Out: a [`Tape`], plain data without names, which computes the roots for
//! any values of the parameters, bit by bit as the graph itself does. Operations of one kind that
//! can be done at the same time stand in rows.

use rustc_hash::FxHashMap;

use crate::expr::{ExprId, Graph, Op};

/// Operations of one kind that do not need each other: the processor guesses one jump for all.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Row {
    op: Op,
    count: u32,
}

/// A parameter that is read.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Input {
    /// Its position among the values given.
    position: u32,
    /// Its value where none is given.
    base: f64,
}

/// Results as straight-line code. Slots: first the constants, then the inputs, then the steps.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tape {
    constants: Vec<f64>,
    inputs: Vec<Input>,
    rows: Vec<Row>,
    /// The slots of each step's operands, in the order of the rows.
    operands: Vec<[u32; 3]>,
    roots: Vec<u32>,
}

impl Tape {
    /// The code for `roots`: nothing that they do not need, nothing twice, and no names.
    #[must_use]
    pub fn compile(graph: &Graph, roots: &[ExprId]) -> Self {
        let order = graph.below(roots);
        let mut tape = Self::default();
        // Leaves first; steps are numbered from `leaves` on in the order of the graph.
        let mut values = vec![u32::MAX; graph.len()];
        for &id in &order {
            if let Some(value) = graph.node(id).constant() {
                set(&mut values, id, tape.constants.len() as u32);
                tape.constants.push(value);
            }
        }
        for &id in &order {
            if let Some(position) = graph.node(id).param() {
                let slot = tape.constants.len() + tape.inputs.len();
                set(&mut values, id, slot as u32);
                tape.inputs.push(Input { position, base: graph.value(id) });
            }
        }
        let leaves = tape.constants.len() + tape.inputs.len();
        let mut steps: Vec<(Op, [u32; 3])> = Vec::new();
        let mut known: FxHashMap<(Op, [u32; 3]), u32> = FxHashMap::default();
        for id in order {
            let node = graph.node(id);
            let slot = |o: ExprId| values.get(o.index()).copied().unwrap_or(u32::MAX);
            let mut ids = node.operands().map(slot);
            let first = ids.next().unwrap_or_default();
            // Operands beyond the arity are ignored; any slot will do.
            let second = ids.next().unwrap_or(first);
            let third = ids.next().unwrap_or(second);
            let value = match node.op {
                Op::Const | Op::Param => continue,
                Op::Named => first,
                op => *known.entry((op, [first, second, third])).or_insert_with(|| {
                    steps.push((op, [first, second, third]));
                    (leaves + steps.len() - 1) as u32
                }),
            };
            set(&mut values, id, value);
        }
        let places = tape.schedule(leaves, &steps);
        let place = |value: u32| match (value as usize).checked_sub(leaves) {
            Some(step) => places.get(step).copied().unwrap_or(u32::MAX),
            None => value,
        };
        tape.operands.iter_mut().flatten().for_each(|o| *o = place(*o));
        let root = |r: &ExprId| values.get(r.index()).map_or(u32::MAX, |v| place(*v));
        tape.roots = roots.iter().map(root).collect();
        tape
    }

    /// Puts steps into rows, always the longest that can be next; gives the slot of each.
    fn schedule(&mut self, leaves: usize, steps: &[(Op, [u32; 3])]) -> Vec<u32> {
        let of = |operands: &[u32; 3]| {
            let mut needs: Vec<usize> =
                operands.iter().filter_map(|o| (*o as usize).checked_sub(leaves)).collect();
            needs.sort_unstable();
            needs.dedup();
            needs.retain(|step| *step < steps.len());
            needs
        };
        let mut waits = vec![0_usize; steps.len()];
        let mut users: Vec<Vec<u32>> = vec![Vec::new(); steps.len()];
        let mut ready: FxHashMap<Op, Vec<u32>> = FxHashMap::default();
        for (step, (op, operands)) in steps.iter().enumerate() {
            let needs = of(operands);
            if let Some(cell) = waits.get_mut(step) {
                *cell = needs.len();
            }
            if needs.is_empty() {
                ready.entry(*op).or_default().push(step as u32);
            }
            for need in needs {
                users.get_mut(need).into_iter().for_each(|list| list.push(step as u32));
            }
        }
        let mut places = vec![u32::MAX; steps.len()];
        loop {
            // Of rows of the same length the one that starts first, so that every run is the same.
            let longest = ready
                .iter()
                .filter(|(_, list)| !list.is_empty())
                .max_by_key(|(_, list)| (list.len(), list.first().map(|s| u32::MAX - s)));
            let Some(op) = longest.map(|(op, _)| *op) else { return places };
            let row = ready.remove(&op).unwrap_or_default();
            self.rows.push(Row { op, count: row.len() as u32 });
            for &step in &row {
                let slot = leaves + self.operands.len();
                if let (Some(cell), Some((_, operands))) =
                    (places.get_mut(step as usize), steps.get(step as usize))
                {
                    *cell = slot as u32;
                    self.operands.push(*operands);
                }
            }
            for user in row.iter().filter_map(|step| users.get(*step as usize)).flatten() {
                let Some(wait) = waits.get_mut(*user as usize) else { continue };
                *wait -= 1;
                if *wait == 0
                    && let Some((op, _)) = steps.get(*user as usize)
                {
                    ready.entry(*op).or_default().push(*user);
                }
            }
        }
    }

    /// The values of the roots, in their order. A parameter without a value here has that of the
    /// graph.
    #[must_use]
    pub fn run(&self, params: &[f64]) -> Vec<f64> {
        let leaves = self.constants.len() + self.inputs.len();
        let mut values = Vec::with_capacity(leaves + self.operands.len());
        values.extend_from_slice(&self.constants);
        for input in &self.inputs {
            values.push(params.get(input.position as usize).copied().unwrap_or(input.base));
        }
        values.resize(leaves + self.operands.len(), 0.0);
        let (mut start, mut operands) = (leaves, self.operands.as_slice());
        for row in &self.rows {
            let (own, rest) = operands.split_at(row.count as usize);
            let (known, to) = values.split_at_mut(start);
            run_row(row.op, own, known, to);
            start += own.len();
            operands = rest;
        }
        self.roots.iter().map(|slot| at(&values, *slot)).collect()
    }

    /// How many operations a run takes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operands.len()
    }

    /// Whether a run takes no operation at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operands.is_empty()
    }
}

/// One row: the kind of operation is looked at once.
fn run_row(op: Op, operands: &[[u32; 3]], known: &[f64], to: &mut [f64]) {
    /// The loop for one kind of operation with the operation written into it.
    macro_rules! rows {
        ($($op:ident)*) => {
            match op {
                $(Op::$op => {
                    for (to, [a, b, c]) in to.iter_mut().zip(operands) {
                        *to = Op::$op.apply(at(known, *a), at(known, *b), at(known, *c));
                    }
                })*
                op => {
                    for (to, [a, b, c]) in to.iter_mut().zip(operands) {
                        *to = op.apply(at(known, *a), at(known, *b), at(known, *c));
                    }
                }
            }
        };
    }
    rows!(Add Sub Mul Div Min Max Lt Le Eq Ne And Or Not Neg Ceil Floor Select Mod);
}

#[inline]
fn at(values: &[f64], slot: u32) -> f64 {
    values.get(slot as usize).copied().unwrap_or(f64::NAN)
}

fn set(slots: &mut [u32], id: ExprId, slot: u32) {
    if let Some(cell) = slots.get_mut(id.index()) {
        *cell = slot;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expr::{Origin, OriginKind};
    use crate::name::Name;
    use crate::quantity::Dimension;
    use crate::source::{FileId, Place, Span};

    const UNARY: [Op; 6] = [Op::Neg, Op::Ceil, Op::Floor, Op::Sqrt, Op::Log2, Op::Not];
    const BINARY: [Op; 15] = [
        Op::Add,
        Op::Sub,
        Op::Mul,
        Op::Div,
        Op::Min,
        Op::Max,
        Op::Mod,
        Op::Gcd,
        Op::Pow,
        Op::Lt,
        Op::Le,
        Op::Eq,
        Op::Ne,
        Op::And,
        Op::Or,
    ];

    pub(in crate::reading) fn origin(name: &str) -> Origin {
        let place = Place { file: FileId(0), span: Span::default() };
        Origin { name: Name::new(name), kind: OriginKind::Literal, place, rule: None }
    }

    /// Bit for bit, but every NaN is the same "unknown".
    pub(in crate::reading) fn same(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
    }

    /// What to add to a graph; operands count back from its end.
    #[derive(Clone, Debug)]
    pub(in crate::reading) enum Add {
        Constant(f64),
        Param(f64),
        Named(usize),
        Unary(usize, usize),
        Binary(usize, usize, usize),
        Select(usize, usize, usize),
    }

    pub(in crate::reading) fn number() -> impl Strategy<Value = f64> {
        let special = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e300, f64::INFINITY, f64::NAN];
        prop_oneof![
            proptest::sample::select(special.to_vec()),
            -1e6..1e6,
            (0..4096).prop_map(f64::from)
        ]
    }

    pub(in crate::reading) fn add() -> impl Strategy<Value = Add> {
        let at = || 0..24_usize;
        prop_oneof![
            number().prop_map(Add::Constant),
            number().prop_map(Add::Param),
            at().prop_map(Add::Named),
            (0..UNARY.len(), at()).prop_map(|(o, a)| Add::Unary(o, a)),
            (0..BINARY.len(), at(), at()).prop_map(|(o, a, b)| Add::Binary(o, a, b)),
            (0..BINARY.len(), at(), at()).prop_map(|(o, a, b)| Add::Binary(o, a, b)),
            (at(), at(), at()).prop_map(|(c, a, b)| Add::Select(c, a, b)),
        ]
    }

    /// The graph, every node of it, and the values of its parameters.
    pub(in crate::reading) fn graph_of(list: &[Add]) -> (Graph, Vec<ExprId>, Vec<f64>) {
        let mut graph = Graph::new();
        let mut ids = vec![graph.constant(3.0, Dimension::NONE, origin("three"))];
        let mut params = Vec::new();
        for add in list {
            let back = |n: &usize| ids[ids.len() - 1 - n % ids.len()];
            let id = match add {
                Add::Constant(v) => graph.constant(*v, Dimension::NONE, origin("value")),
                Add::Param(v) => {
                    params.push(*v);
                    let position = params.len() as u32 - 1;
                    graph.param(position, *v, Dimension::NONE, origin("param"))
                }
                Add::Named(a) => graph.named(back(a), origin("name")),
                Add::Unary(op, a) => graph.unary(UNARY[*op], back(a)),
                Add::Binary(op, a, b) => graph.binary(BINARY[*op], back(a), back(b)),
                Add::Select(c, a, b) => graph.select(back(c), back(a), back(b)),
            };
            ids.push(id);
        }
        (graph, ids, params)
    }

    fn config() -> ProptestConfig {
        ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn a_tape_equals_its_random_graph_bit_by_bit(
            list in proptest::collection::vec(add(), 1..60),
        ) {
            let (graph, ids, params) = graph_of(&list);
            let values = Tape::compile(&graph, &ids).run(&params);
            for (id, value) in ids.iter().zip(&values) {
                prop_assert!(same(*value, graph.value(*id)), "{value} and {}", graph.value(*id));
            }
        }

        #[test]
        fn a_tape_follows_its_parameters(
            list in proptest::collection::vec(add(), 1..60), other in number(),
        ) {
            let (graph, ids, params) = graph_of(&list);
            // The same graph made at another point has the values that the tape has there.
            let moved: Vec<Add> = list.iter().map(|add| match add {
                Add::Param(_) => Add::Param(other),
                add => add.clone(),
            }).collect();
            let (at, there, _) = graph_of(&moved);
            let point = vec![other; params.len()];
            let values = Tape::compile(&graph, &ids).run(&point);
            for (id, value) in there.iter().zip(&values) {
                prop_assert!(same(*value, at.value(*id)));
            }
        }
    }

    #[test]
    fn what_no_root_needs_and_names_are_not_on_the_tape() {
        let mut graph = Graph::new();
        let a = graph.constant(2.0, Dimension::NONE, origin("a"));
        let b = graph.param(0, 3.0, Dimension::NONE, origin("b"));
        let wanted = graph.mul(a, b);
        let wanted = graph.named(wanted, origin("wanted"));
        let unused = graph.add(a, b);
        let _ = graph.unary(Op::Sqrt, unused);
        let tape = Tape::compile(&graph, &[wanted]);
        assert_eq!(tape.len(), 1);
        assert_eq!(tape.run(&[]), [6.0]);
        assert_eq!(tape.run(&[5.0]), [10.0]);
    }

    #[test]
    fn a_tape_may_go_to_another_thread() {
        fn sendable<T: Send + Sync + 'static>() {}
        sendable::<Tape>();
    }
}
