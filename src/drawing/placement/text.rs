//! The placement for a terminal: mesh axes, stages, and devices in tables.

use super::{Placement, shares};
use crate::drawing::bytes;

/// What a device has of one kind of thing.
type Shares = fn(&super::Device) -> &Vec<super::Share>;

/// The placement as text.
#[must_use]
pub fn text(placement: &Placement) -> String {
    let mut out = format!("{}\n  {}\n", placement.title(), placement.note());
    if !placement.mesh.is_empty() {
        let head = ["mesh axis", "size", "apart", "joined by", "cuts"].map(str::to_owned);
        let mut rows = vec![head.to_vec()];
        for axis in &placement.mesh {
            let joined = match (axis.level.is_empty(), axis.size) {
                (_, 1) => "one device".to_owned(),
                (true, _) => String::new(),
                (false, _) => format!("{} ({})", axis.link, axis.level),
            };
            rows.push(vec![
                axis.name.clone(),
                axis.size.to_string(),
                axis.stride.to_string(),
                joined,
                axis.cuts.join(", "),
            ]);
        }
        out += &format!("\n{}", table(&rows));
    }
    let mut head: Vec<String> = vec!["device".into()];
    let node = placement.levels.first().filter(|_| placement.levels.len() > 1);
    head.extend(node.map(|n| n.name.clone()));
    head.extend(placement.mesh.iter().map(|a| a.name.clone()));
    let devices: Vec<_> = placement.listed().into_iter().map(|d| placement.device(d)).collect();
    let any = |list: Shares| devices.iter().any(|d| !list(d).is_empty());
    let columns: [(&str, Shares); 4] = [
        ("weights", |d| &d.weights),
        ("cache", |d| &d.cache),
        ("tokens", |d| &d.tokens),
        ("keeps alone", |d| &d.kept),
    ];
    let columns: Vec<_> = columns.into_iter().filter(|(_, list)| any(*list)).collect();
    head.push("runs".into());
    head.extend(columns.iter().map(|(name, _)| (*name).to_owned()));
    head.push("memory".into());
    let width = head.len();
    let mut rows = vec![head];
    let mut before = None;
    let mut gaps = 0;
    for (i, device) in devices.iter().enumerate() {
        // After the devices of the first node, and before the last one.
        if before.is_some_and(|b| b + 1 != device.number) {
            gaps += 1;
            if gaps == 1 || i + 1 == devices.len() {
                rows.push(vec!["…".to_owned(); width]);
            }
        }
        before = Some(device.number);
        let stage = placement.stages.get(device.stage).cloned().unwrap_or_default();
        let mut row = vec![device.number.to_string()];
        row.extend(node.map(|_| device.node.to_string()));
        row.extend(device.at.iter().map(usize::to_string));
        row.push(stage.text());
        row.extend(columns.iter().map(|(_, list)| shares(list(device))));
        row.push(stage.memory.map(bytes).unwrap_or_default());
        rows.push(row);
    }
    out += &format!("\n{}", table(&rows));
    let left = placement.devices - devices.len();
    if left > 0 {
        out += &format!("… {left} more devices in the same way; --format json lists all\n");
    }
    if placement.machine > placement.devices {
        let idle = placement.machine - placement.devices;
        out += &format!("{idle} devices of the machine are idle\n");
    }
    out
}

/// Columns as wide as their longest cell, two blanks between.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|r| r.get(i));
        cells.map(|c| c.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let line: Vec<String> =
            row.iter().zip(&widths).map(|(cell, w)| format!("{cell:w$}")).collect();
        out += line.join("  ").trim_end();
        out.push('\n');
    }
    out
}
