//! The placement as a picture: nodes with their devices, coloured by stage.

use super::{Device, Placement, Share};
use crate::drawing::bytes;
use crate::drawing::page::{LEFT, Page, below, escaped, line_of};

const CHAR: f64 = 6.1;
const LINE: f64 = 14.0;
/// Devices side by side in a node.
const ACROSS: usize = 4;
/// Nodes before some are left out.
const NODES: usize = 6;

const LIGHT: &str = "\
.node{fill:#f7f8fa;stroke:#9ca3af}.device{stroke:#6b7280;stroke-width:0.7}\
.s0{fill:#d6e4fb}.s1{fill:#fbe3cc}.s2{fill:#d8eed5}.s3{fill:#eadcf6}.s4{fill:#fbd9de}\
.s5{fill:#d3eef0}";
const DARK: &str = "\
.node{fill:#18202d;stroke:#6b7280}\
.s0{fill:#1f3a63}.s1{fill:#5a3b1a}.s2{fill:#264a23}.s3{fill:#432a5c}.s4{fill:#5c2730}\
.s5{fill:#1f4a4d}";

/// An SVG document.
#[must_use]
pub fn text(placement: &Placement) -> String {
    let node = placement.node();
    let nodes = placement.drawn(NODES);
    let cells: Vec<Vec<(Device, Vec<String>)>> =
        nodes.iter().map(|n| cells(placement, n * node)).collect();
    let all = cells.iter().flatten();
    let lines = all.clone().map(|(_, l)| l.len()).max().unwrap_or(1);
    let widest = all.flat_map(|(_, l)| l).map(|l| l.chars().count()).max().unwrap_or(8);
    let cell = [(widest as f64 * CHAR + 18.0).max(96.0), lines as f64 * LINE + 14.0];
    let per_node = cells.iter().map(Vec::len).max().unwrap_or(1);
    let across = per_node.min(ACROSS);
    let node_size = [
        across as f64 * (cell[0] + 6.0) + 14.0,
        per_node.div_ceil(ACROSS) as f64 * (cell[1] + 6.0) + 34.0,
    ];
    let columns = if node_size[0] > 560.0 { 1 } else { 2 }.min(nodes.len().max(1));
    let head = head(placement);
    let top = below(head.len()) + 16.0;
    let rows = nodes.len().div_ceil(columns);
    let text_width = head.iter().map(|l| l.chars().count()).max().unwrap_or(0) as f64 * CHAR;
    let w = (columns as f64 * (node_size[0] + 14.0) + 34.0).max(text_width + 48.0);
    let h = top + rows as f64 * (node_size[1] + 14.0) + 30.0;
    let page =
        Page { size: [w, h], title: &placement.title(), notes: &head, light: LIGHT, dark: DARK };
    let mut out = page.opened();
    let level = placement.levels.first().map_or("machine", |l| l.name.as_str());
    for (i, (number, cells)) in nodes.iter().zip(&cells).enumerate() {
        let x = LEFT + (i % columns) as f64 * (node_size[0] + 14.0);
        let y = top + (i / columns) as f64 * (node_size[1] + 14.0);
        let skipped = i > 0 && nodes.get(i - 1).is_some_and(|n| n + 1 != *number);
        let mut name = format!("{level} {number}");
        if skipped {
            let left = number - nodes.get(i - 1).copied().unwrap_or_default() - 1;
            name = format!("… {left} more in the same way, then {name}");
        }
        out += &format!(
            "<rect class=\"node\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             rx=\"6\"/>\n",
            node_size[0], node_size[1],
        );
        out += &line_of(x + 10.0, y + 18.0, "name", &name);
        for (k, (device, lines)) in cells.iter().enumerate() {
            let x = x + 10.0 + (k % ACROSS) as f64 * (cell[0] + 6.0);
            let y = y + 28.0 + (k / ACROSS) as f64 * (cell[1] + 6.0);
            out += &boxed(placement, device, lines, [x, y, cell[0], cell[1]]);
        }
    }
    out + "</svg>\n"
}

fn head(placement: &Placement) -> Vec<String> {
    let mut head = vec![placement.note()];
    for axis in &placement.mesh {
        let cuts = if axis.cuts.is_empty() {
            "cuts nothing".to_owned()
        } else {
            format!("cuts {}", axis.cuts.join(", "))
        };
        let joined = match (axis.size, axis.level.is_empty()) {
            (1, _) | (_, true) => String::new(),
            _ => format!(", over {} ({})", axis.link, axis.level),
        };
        let apart = if axis.size > 1 { format!(", {} apart", axis.stride) } else { String::new() };
        head.push(format!("{}: {}{apart}{joined}; {cuts}", axis.name, axis.size));
    }
    head
}

/// The devices of a node, with what stands on each.
fn cells(placement: &Placement, from: usize) -> Vec<(Device, Vec<String>)> {
    let until = (from + placement.node()).min(placement.devices);
    // A level of very many devices shows the first ones.
    let shown = until.min(from + 32);
    (from..shown)
        .map(|number| {
            let device = placement.device(number);
            let lines = lines(placement, &device);
            (device, lines)
        })
        .collect()
}

fn lines(placement: &Placement, device: &Device) -> Vec<String> {
    let mut lines = vec![format!("device {}", device.number)];
    let at: Vec<String> = placement
        .mesh
        .iter()
        .zip(&device.at)
        .filter(|(axis, _)| axis.size > 1)
        .map(|(axis, at)| format!("{} {at}", axis.name))
        .collect();
    lines.extend((!at.is_empty()).then(|| at.join(" · ")));
    let stage = placement.stages.get(device.stage).cloned().unwrap_or_default();
    lines.extend(wrapped(&stage.text()));
    let mut seen: Vec<&Share> = Vec::new();
    for share in device.weights.iter().chain(&device.tokens) {
        if !seen.contains(&share) {
            seen.push(share);
            lines.push(share.text());
        }
    }
    let cache: Vec<String> = device.cache.iter().map(Share::text).collect();
    if !cache.is_empty() {
        lines.extend(wrapped(&format!("cache: {}", cache.join(", "))));
    }
    lines.extend(device.kept.iter().map(Share::text));
    lines.extend(stage.memory.map(|m| format!("{} of memory", bytes(m))));
    lines
}

/// Broken at blanks to lines that fit a box.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < 30 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn boxed(
    placement: &Placement,
    device: &Device,
    lines: &[String],
    [x, y, w, h]: [f64; 4],
) -> String {
    let colour = device.stage % 6;
    let mut tip = lines.to_vec();
    if placement.stages.len() > 1 {
        tip.insert(1, format!("stage {} of {}", device.stage, placement.stages.len()));
    }
    let mut out = format!(
        "<g><title>{}</title><rect class=\"device s{colour}\" x=\"{x:.1}\" y=\"{y:.1}\" \
         width=\"{w:.1}\" height=\"{h:.1}\" rx=\"4\"/>\n",
        escaped(&tip.join("\n"))
    );
    for (i, line) in lines.iter().enumerate() {
        let class = if i == 0 { "name" } else { "dim" };
        let y = y + 15.0 + LINE * i as f64;
        out += &line_of(x + 7.0, y, class, line);
    }
    out + "</g>\n"
}
