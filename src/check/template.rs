//! What the check of a sound item relied on, small enough to be kept.
//!
//! In: the graph that the item was lowered on, its [`Guard`]s and its [`Shape`]. Out: a
//! [`Template`] that says of an item of the same shape, from its numbers alone, whether it is as
//! sound. It holds what hangs on those numbers and nothing else, so that it outlives the program.

use rustc_hash::{FxHashMap, FxHashSet};

use super::shape::Shape;
use super::twins::Guard;
use crate::expr::{ExprId, Graph, Op};
use crate::source::Place;

/// A computation: an operator and the slots of its operands.
#[derive(Clone, Copy)]
struct Step {
    op: Op,
    operands: [u32; 3],
    to: u32,
}

/// An item that was lowered without findings: others of its shape are tried against it.
pub struct Template {
    /// The values of all slots as they were.
    values: Vec<f64>,
    /// Slots that hold a number of the item, with its position.
    inputs: Vec<(u32, u32)>,
    /// What follows from them, operands first.
    steps: Vec<Step>,
    /// What must stay as it was.
    guards: Vec<(Guard, u32)>,
    /// The slots of what was asked for.
    asked: Vec<u32>,
    scratch: Vec<f64>,
}

impl Template {
    /// A template of what `graph` holds after an item of this shape was lowered on it; `None`
    /// where a number became something else than it says. It also tells what becomes of `asked`.
    #[must_use]
    pub fn new(graph: &Graph, guards: &[Guard], shape: &Shape, asked: &[ExprId]) -> Option<Self> {
        let mut wanted = vec![false; graph.len()];
        let mut stack: Vec<ExprId> = guards.iter().map(|g| g.node()).collect();
        stack.extend(asked);
        while let Some(id) = stack.pop() {
            match wanted.get_mut(id.index()) {
                Some(flag) if !*flag => *flag = true,
                _ => continue,
            }
            stack.extend(graph.node(id).operands());
        }
        let numbers = shape.numbers.iter().enumerate();
        let positions: FxHashMap<Place, usize> = numbers.map(|(i, n)| (n.place, i)).collect();
        let mut out = Self {
            values: Vec::new(),
            inputs: Vec::new(),
            steps: Vec::new(),
            guards: Vec::new(),
            asked: Vec::new(),
            scratch: Vec::new(),
        };
        let mut slots: FxHashMap<ExprId, u32> = FxHashMap::default();
        // Nodes that hang on a number.
        let mut moves = vec![false; graph.len()];
        for id in graph.ids().filter(|id| wanted.get(id.index()) == Some(&true)) {
            let node = graph.node(id);
            let written = graph.origin_of(id).filter(|o| node.op == Op::Const && o.rule.is_none());
            if let Some(at) = written.and_then(|origin| positions.get(&origin.place)) {
                let number = shape.numbers.get(*at)?;
                if number.value.to_bits() != graph.value(id).to_bits() {
                    return None;
                }
                let slot = out.slot(&mut slots, graph, id);
                out.inputs.push((slot, *at as u32));
            } else if node.operands().any(|o| moves.get(o.index()) == Some(&true)) {
                let mut operands = [0; 3];
                for (operand, of) in operands.iter_mut().zip(node.operands()) {
                    *operand = out.slot(&mut slots, graph, of);
                }
                let to = out.slot(&mut slots, graph, id);
                out.steps.push(Step { op: node.op, operands, to });
            } else {
                continue;
            }
            if let Some(flag) = moves.get_mut(id.index()) {
                *flag = true;
            }
        }
        let mut seen = FxHashSet::default();
        for guard in guards {
            let node = guard.node();
            let moving = moves.get(node.index()) == Some(&true);
            if moving && seen.insert((std::mem::discriminant(guard), node)) {
                let slot = out.slot(&mut slots, graph, node);
                out.guards.push((*guard, slot));
            }
        }
        out.asked = asked.iter().map(|id| out.slot(&mut slots, graph, *id)).collect();
        Some(out)
    }

    fn slot(&mut self, slots: &mut FxHashMap<ExprId, u32>, graph: &Graph, id: ExprId) -> u32 {
        *slots.entry(id).or_insert_with(|| {
            self.values.push(graph.value(id));
            self.values.len() as u32 - 1
        })
    }

    /// How much it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.values.len() + self.guards.len()
    }

    /// What becomes of what was asked for, where an item with these numbers is as sound.
    #[must_use]
    pub fn read(&mut self, shape: &Shape) -> Option<Vec<f64>> {
        let sound = self.accepts(shape);
        let value = |slot: &u32| self.scratch.get(*slot as usize).copied();
        sound.then(|| self.asked.iter().map(value).collect()).flatten()
    }

    /// Whether an item with these numbers is as sound as the template.
    #[must_use]
    pub fn accepts(&mut self, shape: &Shape) -> bool {
        let mut values = std::mem::take(&mut self.scratch);
        values.clone_from(&self.values);
        let mut known = true;
        for (slot, position) in &self.inputs {
            let number = shape.numbers.get(*position as usize);
            match (values.get_mut(*slot as usize), number) {
                (Some(value), Some(number)) => *value = number.value,
                _ => known = false,
            }
        }
        for step in &self.steps {
            let [a, b, c] = step.operands.map(|o| values.get(o as usize).copied());
            let or_none = |value: Option<f64>| value.unwrap_or(f64::NAN);
            let value = step.op.apply(or_none(a), or_none(b), or_none(c));
            if let Some(slot) = values.get_mut(step.to as usize) {
                *slot = value;
            }
        }
        let holds = self.guards.iter().all(|(guard, slot)| {
            let slot = *slot as usize;
            match (values.get(slot), self.values.get(slot)) {
                (Some(new), Some(old)) => guard.holds(*new, *old),
                _ => false,
            }
        });
        self.scratch = values;
        known && holds
    }
}

/// Templates by shape, those that were of use last; they may be kept from one version of a program
/// to the next.
#[derive(Default)]
pub struct Templates {
    known: FxHashMap<Box<[u64]>, Vec<(u64, Template)>>,
    /// How much all of them hold.
    size: usize,
    clock: u64,
}

/// Templates of one shape: other numbers may make other structures.
const MOST_ALIKE: usize = 4;
/// How much all templates may hold.
const MOST: usize = 1 << 20;

impl Templates {
    /// Whether an item of this shape is known to be sound.
    pub fn accepts(&mut self, shape: &Shape) -> bool {
        self.clock += 1;
        let clock = self.clock;
        let alike = self.known.get_mut(&*shape.key).into_iter().flatten();
        for (used, template) in alike {
            if template.accepts(shape) {
                *used = clock;
                return true;
            }
        }
        false
    }

    /// Keeps what an item relied on that was found sound.
    pub fn learn(&mut self, shape: &Shape, template: Template) {
        self.clock += 1;
        self.size += template.size();
        let alike = self.known.entry(shape.key.clone()).or_default();
        alike.push((self.clock, template));
        alike.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        for (_, gone) in alike.drain(MOST_ALIKE.min(alike.len())..) {
            self.size -= gone.size();
        }
        if self.size > MOST {
            self.forget();
        }
    }

    /// Forgets the half that was not of use for longest.
    fn forget(&mut self) {
        let mut times: Vec<u64> = self.known.values().flatten().map(|(used, _)| *used).collect();
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or(0);
        for alike in self.known.values_mut() {
            alike.retain(|(used, _)| *used > middle);
        }
        self.known.retain(|_, alike| !alike.is_empty());
        self.size = self.known.values().flatten().map(|(_, template)| template.size()).sum();
    }
}
