//! Which tensors are alive together: the order of a pass as events that read and make versions.
//!
//! In: laid-out steps. Out: the sets of versions alive at each event, each set once. A repeated
//! body stands once: its carried value is alive from the start of a round to its last use, the
//! value that it becomes to the end of the round.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::{Kind, LaidOp, LaidStep, Version};
use crate::ir::{Model, Role, TensorId};

/// One kernel or collective.
#[derive(Default)]
struct Event {
    reads: Vec<Version>,
    makes: Vec<Version>,
    /// The result takes the place of what is read for the last time.
    in_place: bool,
}

/// A span of events: a repeated body.
struct Round {
    first: usize,
    end: usize,
}

#[derive(Default)]
struct Order {
    events: Vec<Event>,
    rounds: Vec<Round>,
    /// Versions that must live until an event although nothing reads them there.
    until: Vec<(Version, usize)>,
}

/// The sets of activations that are alive together at some event of a pass.
pub fn alive_together(
    steps: &[LaidStep],
    model: &Model,
    escaping: &FxHashSet<TensorId>,
) -> Vec<Vec<Version>> {
    let mut order = Order::default();
    let inputs = model.inputs.iter().map(|t| original(*t)).collect();
    order.events.push(Event { makes: inputs, ..Event::default() });
    order.add(steps, model, escaping);
    let last = order.events.len().saturating_sub(1);
    // In training the loss reads the outputs, and nothing else does.
    for output in model.outputs.iter().filter(|_| model.forward_steps.is_none()) {
        order.until.push((original(*output), last));
    }
    order.sets(model)
}

fn original(tensor: TensorId) -> Version {
    Version { tensor, index: 0 }
}

impl Order {
    fn add(&mut self, steps: &[LaidStep], model: &Model, escaping: &FxHashSet<TensorId>) {
        for step in steps {
            match step {
                LaidStep::Op(op) => self.kernel(std::slice::from_ref(op), model, escaping),
                LaidStep::Fuse(_, ops) => self.kernel(ops, model, escaping),
                LaidStep::Convert(c) => self.events.push(Event {
                    reads: vec![Version { tensor: c.tensor, index: c.from }],
                    makes: vec![Version { tensor: c.tensor, index: c.to }],
                    in_place: c.kind == Kind::AllReduce,
                }),
                LaidStep::Some { body, .. } => self.add(body, model, escaping),
                LaidStep::Join { arms, result } => self.events.push(Event {
                    reads: arms.clone(),
                    makes: vec![original(*result)],
                    in_place: true,
                }),
                LaidStep::Repeat { repeat, body, ends, .. } => {
                    // What enters becomes the value at the start of a round, in place.
                    self.events.push(Event {
                        reads: ends.iter().map(|(before, _)| *before).collect(),
                        makes: repeat.carried.iter().map(|c| original(c.start)).collect(),
                        in_place: true,
                    });
                    let first = self.events.len();
                    self.add(body, model, escaping);
                    self.rounds.push(Round { first, end: self.events.len() });
                    self.events.push(Event {
                        reads: ends.iter().map(|(_, end)| *end).collect(),
                        makes: repeat.carried.iter().map(|c| original(c.after)).collect(),
                        in_place: true,
                    });
                }
            }
        }
    }

    fn kernel(&mut self, ops: &[LaidOp], model: &Model, escaping: &FxHashSet<TensorId>) {
        let inside = |t: TensorId| ops.iter().any(|o| model.ops[o.op].result == t);
        let mut event = Event::default();
        for op in ops {
            event.reads.extend(op.reads.iter().filter(|v| !inside(v.tensor)));
            let result = model.ops[op.op].result;
            if escaping.contains(&result) {
                event.makes.push(original(result));
            }
        }
        self.events.push(event);
    }

    fn sets(&self, model: &Model) -> Vec<Vec<Version>> {
        let mut made: FxHashMap<Version, usize> = FxHashMap::default();
        let mut last: FxHashMap<Version, usize> = FxHashMap::default();
        for (i, event) in self.events.iter().enumerate() {
            for version in &event.makes {
                made.entry(*version).or_insert(i);
                last.entry(*version).or_insert(i);
            }
            for version in &event.reads {
                last.insert(*version, i);
            }
        }
        for (version, until) in &self.until {
            let entry = last.entry(*version).or_insert(*until);
            *entry = (*entry).max(*until);
        }
        // What comes from outside of a round is needed in the next one too.
        for round in &self.rounds {
            for (version, used) in &mut last {
                let outside = made.get(version).is_some_and(|m| *m < round.first);
                let start = made.get(version) == round.first.checked_sub(1).as_ref();
                if outside && !start && (round.first..round.end).contains(used) {
                    *used = round.end;
                }
            }
        }
        let mut versions: Vec<Version> = made.keys().copied().collect();
        versions.retain(|v| model.tensors[v.tensor].role == Role::Activations);
        versions.sort_unstable_by_key(|v| (made.get(v).copied(), v.tensor, v.index));
        let span = |v: &Version| Some((*v, *made.get(v)?, last.get(v).copied().unwrap_or(0)));
        let spans: Vec<(Version, usize, usize)> = versions.iter().filter_map(span).collect();
        let mut sets: Vec<Vec<Version>> = Vec::new();
        for (i, event) in self.events.iter().enumerate() {
            let alive = |(v, from, to): &&(Version, usize, usize)| {
                let given_up = || event.in_place && *to == i && event.reads.contains(v);
                *from <= i && i <= *to && !given_up()
            };
            let set: Vec<Version> = spans.iter().filter(alive).map(|(v, ..)| *v).collect();
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets
    }
}
