//! The best of many points: a Pareto front, or the first few.
//!
//! What is kept does not depend on the order in which points are offered, so that threads and
//! shards agree with a single run. Of points that are equal in every goal the first one stands for
//! all, with their number.

/// A point that is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Its number.
    pub point: u64,
    /// How many points are equal to it in every goal, itself included.
    pub equal: u64,
    /// The goals, each the less the better.
    pub goals: Vec<f64>,
    /// All outputs.
    pub values: Vec<f64>,
}

/// What is kept.
#[derive(Clone, PartialEq, Debug)]
pub struct Front {
    rows: Vec<Row>,
    /// With this many, the best in order; without, every point that no other beats.
    top: Option<usize>,
}

/// How two points compare.
#[derive(PartialEq, Eq)]
enum Order {
    Better,
    Worse,
    Equal,
    Neither,
}

fn compare(a: &[f64], b: &[f64]) -> Order {
    let (mut better, mut worse) = (false, false);
    for (a, b) in a.iter().zip(b) {
        better |= a < b;
        worse |= a > b;
    }
    match (better, worse) {
        (true, false) => Order::Better,
        (false, true) => Order::Worse,
        (false, false) => Order::Equal,
        (true, true) => Order::Neither,
    }
}

impl Front {
    /// Keeps the front, or the `top` best (by the first goal, then the next ones).
    #[must_use]
    pub fn new(top: Option<usize>) -> Self {
        Self { rows: Vec::new(), top }
    }

    /// Offers a point. `values` is asked only if it is kept.
    pub fn offer(
        &mut self,
        point: u64,
        equal: u64,
        goals: &[f64],
        values: impl FnOnce() -> Vec<f64>,
    ) {
        match self.top {
            Some(top) => self.offer_top(top, point, equal, goals, values),
            None => self.offer_front(point, equal, goals, values),
        }
    }

    fn offer_front(
        &mut self,
        point: u64,
        equal: u64,
        goals: &[f64],
        values: impl FnOnce() -> Vec<f64>,
    ) {
        for at in 0..self.rows.len() {
            let Some(row) = self.rows.get_mut(at) else { break };
            match compare(&row.goals, goals) {
                Order::Better => {
                    // What beats one point often beats the next.
                    self.rows.swap(0, at);
                    return;
                }
                Order::Equal => {
                    row.equal += equal;
                    if point < row.point {
                        row.point = point;
                        row.values = values();
                    }
                    return;
                }
                Order::Worse | Order::Neither => {}
            }
        }
        self.rows.retain(|row| compare(goals, &row.goals) != Order::Better);
        self.rows.push(Row { point, equal, goals: goals.to_vec(), values: values() });
    }

    fn offer_top(
        &mut self,
        top: usize,
        point: u64,
        equal: u64,
        goals: &[f64],
        values: impl FnOnce() -> Vec<f64>,
    ) {
        let key = |row: &Row| order(&row.goals, row.point, goals, point);
        if self.rows.len() >= top && self.rows.last().is_none_or(|r| key(r).is_lt()) {
            return;
        }
        let at = self.rows.partition_point(|r| key(r).is_lt());
        self.rows.insert(at, Row { point, equal, goals: goals.to_vec(), values: values() });
        self.rows.truncate(top);
    }

    /// Takes in what another kept.
    pub fn merge(&mut self, other: Self) {
        for row in other.rows {
            let Row { point, equal, goals, values } = row;
            self.offer(point, equal, &goals, || values);
        }
    }

    /// Whether a point with these goals is beaten by one that is kept. Cheap and incomplete: only
    /// the rows that beat the most are looked at.
    #[must_use]
    pub fn surely_beats(&self, goals: &[f64]) -> bool {
        self.top.is_none()
            && self.rows.iter().take(4).any(|r| compare(&r.goals, goals) == Order::Better)
    }

    /// The few rows that beat the most.
    #[must_use]
    pub fn leaders(&self) -> Self {
        Self { rows: self.rows.iter().take(4).cloned().collect(), top: self.top }
    }

    /// The kept points, best first by the first goal, then the next, then the number.
    #[must_use]
    pub fn sorted(&self) -> Vec<Row> {
        let mut rows = self.rows.clone();
        rows.sort_by(|a, b| order(&a.goals, a.point, &b.goals, b.point));
        rows
    }

    /// How many points are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn order(a: &[f64], i: u64, b: &[f64], j: u64) -> std::cmp::Ordering {
    let goals = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    goals.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then(i.cmp(&j))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(points: &[[f64; 2]]) -> Vec<(u64, u64)> {
        let mut front = Front::new(None);
        for (i, goals) in points.iter().enumerate() {
            front.offer(i as u64, 1, goals, Vec::new);
        }
        front.sorted().iter().map(|r| (r.point, r.equal)).collect()
    }

    #[test]
    fn the_front_is_what_nothing_beats_and_equals_are_counted() {
        assert_eq!(front(&[]), []);
        let points = [[3.0, 1.0], [1.0, 3.0], [2.0, 2.0], [2.0, 2.0], [3.0, 3.0], [1.0, 3.5]];
        assert_eq!(front(&points), [(1, 1), (2, 2), (0, 1)]);
    }

    #[test]
    fn the_top_is_in_order_and_equals_go_by_their_number() {
        let mut top = Front::new(Some(2));
        for (i, goal) in [3.0, 1.0, 2.0, 1.0].iter().enumerate() {
            top.offer(i as u64, 1, &[*goal], Vec::new);
        }
        assert_eq!(top.sorted().iter().map(|r| r.point).collect::<Vec<_>>(), [1, 3]);
    }
}
