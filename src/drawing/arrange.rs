//! Where everything stands: a layered layout, from top to bottom.
//!
//! In: a drawing. Out: [`Picture`]: boxes that do not overlap, lines that go through free lanes,
//! frames around what is repeated. A node stands below all that it reads. What comes before a repeat,
//! the repeat, and what comes after it have rows of their own, so that a frame holds nothing else.

use rustc_hash::FxHashMap;

use super::{Drawing, NodeId, lines};
use crate::arena::{Arena, Id};

/// A rectangle.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Area {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

/// A drawing with positions.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The box of each node.
    pub boxes: Vec<(NodeId, Area)>,
    /// The corners of each edge, in the order of the drawing's edges.
    pub lines: Vec<Vec<(f64, f64)>>,
    /// The frames of repeats: positions among the drawing's groups.
    pub frames: Vec<(usize, Area)>,
    /// How wide and high all of it is.
    pub size: (f64, f64),
}

/// A node, or the place in a row where an edge passes.
struct Spot {
    node: Option<NodeId>,
    row: usize,
    w: f64,
    h: f64,
    x: f64,
    up: Vec<Id<Spot>>,
    down: Vec<Id<Spot>>,
}

/// Height of a line of text.
pub const LINE: f64 = 15.0;
/// Room within a box.
pub const PAD: f64 = 10.0;
const LETTER: f64 = 6.7;
const GAP: f64 = 28.0;
const ROW: f64 = 44.0;
const LANE: f64 = 14.0;
const EDGE: f64 = 40.0;

/// How wide a text is, about.
#[must_use]
pub fn width(text: &str) -> f64 {
    unicode_width::UnicodeWidthStr::width(text) as f64 * LETTER
}

/// Places everything.
#[must_use]
pub fn place(drawing: &Drawing) -> Picture {
    let rows = rows(drawing);
    let mut spots: Arena<Spot> = Arena::new();
    let mut of: FxHashMap<NodeId, Id<Spot>> = FxHashMap::default();
    for (id, node) in drawing.nodes.iter() {
        let texts = lines(node);
        let widest = texts.iter().map(|t| width(t)).fold(120.0, f64::max);
        let spot = Spot {
            node: Some(id),
            row: rows.get(&id).copied().unwrap_or_default(),
            w: widest + 2.0 * PAD,
            h: texts.len() as f64 * LINE + 2.0 * PAD,
            x: 0.0,
            up: Vec::new(),
            down: Vec::new(),
        };
        of.insert(id, spots.push(spot));
    }
    let mut ways: Vec<Vec<Id<Spot>>> = Vec::new();
    for edge in &drawing.edges {
        let (Some(&from), Some(&to)) = (of.get(&edge.from), of.get(&edge.to)) else {
            ways.push(Vec::new());
            continue;
        };
        let mut way = vec![from];
        for row in spots[from].row + 1..spots[to].row {
            let lane =
                Spot { node: None, row, w: LANE, h: 0.0, x: 0.0, up: Vec::new(), down: Vec::new() };
            way.push(spots.push(lane));
        }
        way.push(to);
        for (a, b) in way.iter().zip(way.iter().skip(1)) {
            spots[*a].down.push(*b);
            spots[*b].up.push(*a);
        }
        ways.push(way);
    }
    let mut table: Vec<Vec<Id<Spot>>> = Vec::new();
    for (id, spot) in spots.iter() {
        while table.len() <= spot.row {
            table.push(Vec::new());
        }
        if let Some(row) = table.get_mut(spot.row) {
            row.push(id);
        }
    }
    arrange(&mut spots, &mut table);
    drawn(drawing, &spots, &table, &ways)
}

/// The row of each node.
fn rows(drawing: &Drawing) -> FxHashMap<NodeId, usize> {
    let mut rows: FxHashMap<NodeId, usize> = FxHashMap::default();
    let (mut base, mut end) = (0, 0);
    let mut group = None;
    for (id, node) in drawing.nodes.iter() {
        if node.group != group {
            (group, base) = (node.group, end);
        }
        let before = drawing.edges.iter().filter(|e| e.to == id);
        let below = before.filter_map(|e| rows.get(&e.from)).map(|r| r + 1).max();
        let row = below.unwrap_or(base).max(base);
        end = end.max(row + 1);
        rows.insert(id, row);
    }
    rows
}

/// Orders each row by its neighbours, then moves boxes to them as far as there is room.
fn arrange(spots: &mut Arena<Spot>, table: &mut [Vec<Id<Spot>>]) {
    for row in table.iter() {
        spread(spots, row);
    }
    for round in 0..12 {
        let down = round % 2 == 0;
        let count = table.len();
        for i in 0..count {
            let at = if down { i } else { count - 1 - i };
            let Some(row) = table.get_mut(at) else { continue };
            let wish = |s: &Spot| {
                let near = if down { &s.up } else { &s.down };
                let sum: f64 = near.iter().map(|n| spots[*n].x).sum();
                if near.is_empty() { s.x } else { sum / near.len() as f64 }
            };
            let mut wishes: Vec<(Id<Spot>, f64)> =
                row.iter().map(|id| (*id, wish(&spots[*id]))).collect();
            wishes.sort_by(|a, b| a.1.total_cmp(&b.1));
            *row = wishes.iter().map(|w| w.0).collect();
            for (id, x) in wishes {
                spots[id].x = x;
            }
            spread(spots, row);
        }
    }
}

/// Moves the boxes of a row apart, as little as it takes, around where they want to be.
fn spread(spots: &mut Arena<Spot>, row: &[Id<Spot>]) {
    let wanted: f64 = row.iter().map(|id| spots[*id].x).sum();
    let mut last: Option<f64> = None;
    for id in row {
        let half = spots[*id].w / 2.0;
        if let Some(right) = last {
            spots[*id].x = spots[*id].x.max(right + GAP + half);
        }
        last = Some(spots[*id].x + half);
    }
    let have: f64 = row.iter().map(|id| spots[*id].x).sum();
    let shift = (have - wanted) / row.len().max(1) as f64;
    for id in row {
        spots[*id].x -= shift;
    }
}

fn drawn(
    drawing: &Drawing,
    spots: &Arena<Spot>,
    table: &[Vec<Id<Spot>>],
    ways: &[Vec<Id<Spot>>],
) -> Picture {
    let left = spots.iter().map(|(_, s)| s.x - s.w / 2.0).fold(f64::INFINITY, f64::min);
    let right = spots.iter().map(|(_, s)| s.x + s.w / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let shift = if left.is_finite() { EDGE - left } else { 0.0 };
    let (mut tops, mut y) = (Vec::new(), EDGE);
    for row in table {
        let high = row.iter().map(|id| spots[*id].h).fold(0.0, f64::max);
        tops.push((y, high));
        y += high + ROW;
    }
    let top = |s: &Spot| tops.get(s.row).copied().unwrap_or_default();
    let mut boxes = Vec::new();
    for (_, spot) in spots.iter() {
        let Some(node) = spot.node else { continue };
        let x = spot.x + shift - spot.w / 2.0;
        boxes.push((node, Area { x, y: top(spot).0, w: spot.w, h: spot.h }));
    }
    let lines = ways.iter().map(|way| {
        let mut line = Vec::new();
        for (i, id) in way.iter().enumerate() {
            let spot = &spots[*id];
            let (y, high) = top(spot);
            let x = spot.x + shift;
            // Beside a box, straight down; from the lower edge of one to the upper of the next.
            if i > 0 {
                line.push((x, y));
            }
            if i + 1 < way.len() {
                if spot.node.is_none() {
                    line.push((x, y + high));
                } else {
                    line.push((x, y + spot.h));
                    line.push((x, y + high));
                }
            }
        }
        line
    });
    let lines: Vec<Vec<(f64, f64)>> = lines.collect();
    let mut frames = Vec::new();
    for group in 0..drawing.groups.len() {
        let inside: Vec<Area> = boxes
            .iter()
            .filter(|(id, _)| drawing.nodes[*id].group == Some(group))
            .map(|b| b.1)
            .collect();
        if inside.is_empty() {
            continue;
        }
        // The lanes of edges within the repeat are in its frame too.
        let is_inside = |id: NodeId| drawing.nodes[id].group == Some(group);
        let edges = drawing.edges.iter().zip(&lines);
        let own = edges.filter(|(e, _)| is_inside(e.from) && is_inside(e.to));
        let lanes: Vec<f64> = own.flat_map(|(_, line)| line.iter().map(|p| p.0)).collect();
        let x = inside.iter().map(|a| a.x).chain(lanes.iter().copied());
        let x = x.fold(f64::INFINITY, f64::min) - 16.0;
        let y = inside.iter().map(|a| a.y).fold(f64::INFINITY, f64::min) - 20.0;
        let r = inside.iter().map(|a| a.x + a.w).chain(lanes);
        let r = r.fold(0.0, f64::max) + 16.0;
        let b = inside.iter().map(|a| a.y + a.h).fold(0.0, f64::max) + 12.0;
        frames.push((group, Area { x, y, w: r - x, h: b - y }));
    }
    let size = ((right - left).max(0.0) + 2.0 * EDGE, (y - ROW).max(0.0) + EDGE);
    Picture { boxes, lines, frames, size }
}
