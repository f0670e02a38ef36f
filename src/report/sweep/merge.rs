//! Summaries of parts, joined to what one run would have given.

use super::{CloudRow, LeftOut, Missed, Summary};
use crate::sweep::Front;

/// Reads what [`Summary::json`] wrote.
///
/// # Errors
/// Where the text is something else, in words.
pub fn read(text: &str) -> Result<Summary, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Joins parts of one sweep.
///
/// # Errors
/// Why they are not parts of one, or that they overlap.
pub fn merge(parts: Vec<Summary>) -> Result<Summary, String> {
    let mut parts = parts.into_iter();
    let mut all = parts.next().ok_or("there is nothing to merge")?;
    let mut front = Front::new(all.top);
    offer(&mut front, &all);
    let mut ties: Vec<(u64, super::SummaryRow)> = Vec::new();
    remember(&mut ties, &all);
    for part in parts {
        if (&part.sweep, &part.scenario, &part.axes, &part.goals, part.points)
            != (&all.sweep, &all.scenario, &all.axes, &all.goals, all.points)
            || part.conditions != all.conditions
            || part.top != all.top
        {
            return Err(format!(
                "`{}` of {} points and `{}` of {} points are not parts of one sweep",
                all.sweep, all.points, part.sweep, part.points
            ));
        }
        for (from, to) in &part.ranges {
            if all.ranges.iter().any(|(a, b)| from < b && a < to) {
                return Err(format!("points {from} to {to} are in two parts"));
            }
        }
        if all.outputs.is_empty() {
            all.outputs.clone_from(&part.outputs);
        }
        offer(&mut front, &part);
        remember(&mut ties, &part);
        all.ranges.extend(&part.ranges);
        all.kept += part.kept;
        part.left_out.into_iter().for_each(|l| add(&mut all.left_out, l));
        part.missed.into_iter().for_each(|m| miss(&mut all.missed, m));
        all.cloud.extend(part.cloud);
    }
    all.ranges.sort_unstable();
    all.ranges = joined(&all.ranges);
    all.left_out.sort_by(|a, b| b.count.cmp(&a.count).then(a.reason.cmp(&b.reason)));
    let sorted = front.sorted();
    all.rows = sorted
        .iter()
        .filter_map(|kept| {
            let (_, row) = ties.iter().find(|(point, _)| *point == kept.point)?;
            Some(super::SummaryRow { equal: kept.equal, ..row.clone() })
        })
        .collect();
    let best: Vec<u64> = all.rows.iter().map(|r| r.point).collect();
    all.cloud.retain(|c: &CloudRow| !best.contains(&c.row.point));
    Ok(all)
}

fn offer(front: &mut Front, part: &Summary) {
    for row in &part.rows {
        let goals: Vec<f64> = part
            .goals
            .iter()
            .zip(&row.values)
            .map(|(goal, value)| {
                let value = value.unwrap_or(f64::INFINITY);
                if goal.maximize { -value } else { value }
            })
            .collect();
        front.offer(row.point, row.equal, &goals, Vec::new);
    }
}

fn remember(ties: &mut Vec<(u64, super::SummaryRow)>, part: &Summary) {
    ties.extend(part.rows.iter().map(|row| (row.point, row.clone())));
}

fn add(all: &mut Vec<LeftOut>, more: LeftOut) {
    match all.iter_mut().find(|l| l.code == more.code && l.reason == more.reason) {
        None => all.push(more),
        Some(same) => {
            same.count += more.count;
            if more.first < same.first {
                same.first = more.first;
                same.settings = more.settings;
                same.example = more.example;
            }
        }
    }
}

fn miss(all: &mut Vec<Missed>, more: Missed) {
    match all.iter_mut().find(|m| m.text == more.text) {
        None => all.push(more),
        Some(same) => same.count += more.count,
    }
}

/// Ranges that touch are one.
fn joined(ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut out: Vec<(u64, u64)> = Vec::new();
    for &(from, to) in ranges.iter().filter(|(from, to)| from < to) {
        match out.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => out.push((from, to)),
        }
    }
    out
}
