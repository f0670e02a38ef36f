//! What came of all points: counted, none dropped silently, and the best of them.

use super::define::Definition;
use super::front::Front;
pub use super::front::Row;
use super::worker::Block;

/// Points that cannot be, for one reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Broken {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: u64,
}

impl Broken {
    fn add(&mut self, count: u64, first: u64) {
        self.first = if self.count == 0 { first } else { self.first.min(first) };
        self.count += count;
    }
}

/// What came of the points that were looked at.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// Points looked at.
    pub points: u64,
    /// Points that cannot be, by the number of the reason.
    pub broken: Vec<Broken>,
    /// Points that do not fit into memory.
    pub unfit: Broken,
    /// The least memory that one of these takes, and which.
    pub least: Option<(f64, u64)>,
    /// Points that a condition leaves out, by condition; the first one that does counts.
    pub left_out: Vec<Broken>,
    /// Points with a goal that is no number.
    pub unknown: Broken,
    /// Points that hold everything.
    pub kept: u64,
    /// Of these, how many miss each expectation of the scenario.
    pub missed: Vec<u64>,
    /// The best of these.
    pub front: Front,
    /// Points for a picture: those with the smallest hashes, so that order does not matter.
    cloud: Vec<CloudPoint>,
    /// How many of them are kept.
    room: usize,
}

/// A hash of the point's number, the number, how it stands, and its results.
type CloudPoint = (u64, u64, Standing, Vec<f64>);

/// How a point stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It holds everything.
    Kept,
    /// It cannot be: the number of the reason.
    Broken(u32),
    /// It does not fit into memory.
    Unfit,
    /// A condition leaves it out.
    LeftOut(usize),
    /// A goal is no number there.
    Unknown,
}

/// How a point of a block stands.
#[must_use]
pub fn standing(definition: &Definition, block: &Block, point: usize) -> Standing {
    Judge::new(definition, block).standing(point)
}

/// The columns that decide how points stand.
struct Judge<'a> {
    broken: &'a [u32],
    fits: &'a [f64],
    conditions: Vec<&'a [f64]>,
    goals: Vec<&'a [f64]>,
    signs: Vec<f64>,
}

impl<'a> Judge<'a> {
    fn new(definition: &Definition, block: &'a Block) -> Self {
        let columns = |from: usize, count: usize| {
            let own = block.values.iter().skip(from).take(count);
            own.map(Vec::as_slice).collect()
        };
        let conditions = definition.conditions.len();
        let sign = |goal: &super::define::Goal| if goal.maximize { -1.0 } else { 1.0 };
        Self {
            broken: &block.broken,
            fits: block.values.first().map_or(&[], Vec::as_slice),
            conditions: columns(1, conditions),
            goals: columns(1 + conditions, definition.goals.len()),
            signs: definition.goals.iter().map(sign).collect(),
        }
    }

    #[inline]
    fn standing(&self, point: usize) -> Standing {
        let value = |column: &[f64]| column.get(point).copied().unwrap_or(f64::NAN);
        let broken = self.broken.get(point).copied().unwrap_or_default();
        if broken > 0 {
            return Standing::Broken(broken - 1);
        }
        if value(self.fits) == 0.0 {
            return Standing::Unfit;
        }
        for (condition, column) in self.conditions.iter().enumerate() {
            // What is unknown does not hold.
            let holds = value(column);
            if holds.is_nan() || holds == 0.0 {
                return Standing::LeftOut(condition);
            }
        }
        if self.goals.iter().any(|column| value(column).is_nan()) {
            return Standing::Unknown;
        }
        Standing::Kept
    }

    /// The goals of a point, each the less the better.
    #[inline]
    fn goals(&self, point: usize, goals: &mut [f64]) {
        for ((column, sign), goal) in self.goals.iter().zip(&self.signs).zip(goals) {
            let value = column.get(point).copied().unwrap_or(f64::NAN);
            *goal = if *sign < 0.0 { -value } else { value };
        }
    }
}

impl Answer {
    /// Nothing so far.
    #[must_use]
    pub fn new(definition: &Definition, top: Option<usize>, room: usize) -> Self {
        Self {
            points: 0,
            broken: Vec::new(),
            unfit: Broken::default(),
            least: None,
            left_out: vec![Broken::default(); definition.conditions.len()],
            unknown: Broken::default(),
            kept: 0,
            missed: Vec::new(),
            front: Front::new(top),
            cloud: Vec::new(),
            room,
        }
    }

    /// Adds the points of a block; `beaten` has points that may beat them already.
    pub fn add(
        &mut self,
        definition: &Definition,
        block: &Block,
        numbers: &[u64],
        beaten: Option<&Front>,
    ) {
        let first_goal = 1 + definition.conditions.len();
        let first_expected = first_goal + definition.goals.len() + definition.columns.len();
        let mut goals = vec![0.0; definition.goals.len()];
        let judge = Judge::new(definition, block);
        let memory = definition.columns.iter().position(|c| c == "memory.total");
        let memory = memory.and_then(|c| block.values.get(first_goal + definition.goals.len() + c));
        let expected = block.values.iter().skip(first_expected);
        let expected: Vec<&Vec<f64>> = expected.take_while(|c| !c.is_empty()).collect();
        self.missed.resize(self.missed.len().max(expected.len()), 0);
        for (at, &number) in numbers.iter().enumerate() {
            self.points += 1;
            let stands = judge.standing(at);
            if self.room > 0 && !matches!(stands, Standing::Broken(_)) {
                let values = block.values.iter();
                let value = |c: &Vec<f64>| c.get(at).copied().unwrap_or(f64::NAN);
                self.cloud.push((hashed(number), number, stands, values.map(value).collect()));
                self.thin(4);
            }
            match stands {
                Standing::Kept => {}
                Standing::Broken(reason) => {
                    self.broken_by(reason as usize).add(1, number);
                    continue;
                }
                Standing::Unfit => {
                    self.unfit.add(1, number);
                    self.takes(memory.and_then(|c| c.get(at)).copied(), number);
                    continue;
                }
                Standing::LeftOut(condition) => {
                    if let Some(broken) = self.left_out.get_mut(condition) {
                        broken.add(1, number);
                    }
                    continue;
                }
                Standing::Unknown => {
                    self.unknown.add(1, number);
                    continue;
                }
            }
            self.kept += 1;
            let value = |column: &Vec<f64>| column.get(at).copied().unwrap_or(f64::NAN);
            for (column, missed) in expected.iter().zip(&mut self.missed) {
                *missed += u64::from(value(column) == 0.0);
            }
            judge.goals(at, &mut goals);
            if !goals.is_empty() && beaten.is_some_and(|front| front.surely_beats(&goals)) {
                continue;
            }
            self.front.offer(number, 1, &goals, || block.values.iter().map(value).collect());
        }
    }

    /// The points for a picture, in order.
    #[must_use]
    pub fn cloud(&self) -> Vec<(u64, Standing, Vec<f64>)> {
        let mut points: Vec<_> = self.cloud.clone();
        points.sort_by_key(|(hash, point, ..)| (*hash, *point));
        points.truncate(self.room);
        points.sort_by_key(|(_, point, ..)| *point);
        points.into_iter().map(|(_, point, standing, values)| (point, standing, values)).collect()
    }

    /// Forgets points of the picture when there are some times too many.
    fn thin(&mut self, times: usize) {
        if self.cloud.len() > self.room * times {
            self.cloud.sort_by_key(|(hash, point, ..)| (*hash, *point));
            self.cloud.truncate(self.room);
        }
    }

    /// Notes what a point takes that does not fit; of equal ones the first counts.
    fn takes(&mut self, memory: Option<f64>, point: u64) {
        let Some(memory) = memory.filter(|m| !m.is_nan()) else { return };
        if self.least.is_none_or(|(least, of)| memory < least || memory == least && point < of) {
            self.least = Some((memory, point));
        }
    }

    fn broken_by(&mut self, reason: usize) -> &mut Broken {
        if self.broken.len() <= reason {
            self.broken.resize(reason + 1, Broken::default());
        }
        let last = self.broken.len() - 1;
        // The list is as long as the reason is high.
        let at = reason.min(last);
        self.broken.split_at_mut(at).1.iter_mut().next().unwrap_or(&mut self.unknown)
    }

    /// Takes in what came of other points.
    pub fn merge(&mut self, other: Self) {
        self.points += other.points;
        self.kept += other.kept;
        self.unfit.add_all(other.unfit);
        if let Some((memory, point)) = other.least {
            self.takes(Some(memory), point);
        }
        self.unknown.add_all(other.unknown);
        for (reason, broken) in other.broken.into_iter().enumerate() {
            if broken.count > 0 {
                self.broken_by(reason).add_all(broken);
            }
        }
        for (mine, theirs) in self.left_out.iter_mut().zip(other.left_out) {
            mine.add_all(theirs);
        }
        if self.missed.len() < other.missed.len() {
            self.missed.resize(other.missed.len(), 0);
        }
        for (mine, theirs) in self.missed.iter_mut().zip(other.missed) {
            *mine += theirs;
        }
        self.front.merge(other.front);
        self.cloud.extend(other.cloud);
        self.thin(4);
    }
}

fn hashed(point: u64) -> u64 {
    let mut z = point.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Broken {
    /// Takes in other points with this reason.
    pub fn add_all(&mut self, other: Self) {
        if other.count > 0 {
            self.add(other.count, other.first);
        }
    }
}
