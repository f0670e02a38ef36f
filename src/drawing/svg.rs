//! The drawing as a picture that stands for itself: no script, no font, no other file.

use super::arrange::{Area, LINE, PAD, place, width};
use super::page::{LEFT, Page, below, escaped, line_of};
use super::{Drawing, Kind, Node, NodeId, lines};

/// How wide the legend is.
const LEGEND: f64 = 560.0;

const LIGHT: &str = "\
.box{stroke-width:1}.input{fill:#f3f4f6;stroke:#9ca3af}.kernel{fill:#e8f0fe;stroke:#6b8fd6}\
.collective{fill:#fef3e2;stroke:#d9a14e}.critical{stroke:#c2410c;stroke-width:2}\
.edge{fill:none;stroke:#9ca3af;stroke-width:1.2}.way{stroke:#c2410c;stroke-width:2}\
.frame{fill:#fafafa;stroke:#9ca3af;stroke-dasharray:5 4}.alone{fill:#374151}.tip{fill:#6b7280}";
const DARK: &str = "\
.input{fill:#1f2937;stroke:#6b7280}.kernel{fill:#1c2f52;stroke:#6b8fd6}\
.collective{fill:#46310f;stroke:#d9a14e}.critical{stroke:#fb923c}.edge{stroke:#6b7280}\
.way{stroke:#fb923c}.frame{fill:#18202d;stroke:#6b7280}.alone{fill:#d1d5db}.tip{fill:#9ca3af}";

/// An SVG document.
#[must_use]
pub fn text(drawing: &Drawing) -> String {
    let picture = place(drawing);
    let head = head(drawing);
    let widest =
        head.iter().map(|l| width(l)).fold(width(&drawing.title()) * 1.6, f64::max).max(LEGEND);
    let top = below(head.len()) + 28.0;
    let (w, h) = (picture.size.0.max(widest + 80.0), picture.size.1 + top);
    let page =
        Page { size: [w, h], title: &drawing.title(), notes: &head, light: LIGHT, dark: DARK };
    let mut out = page.opened()
        + "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
           markerHeight=\"7\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
           <path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n";
    out += &legend(below(head.len()) + 4.0);
    let dx = (w - picture.size.0) / 2.0;
    out += &format!("<g transform=\"translate({dx:.1} {top:.1})\">\n");
    for (group, area) in &picture.frames {
        let label = drawing.groups.get(*group).map(super::Group::label).unwrap_or_default();
        out += &rect(area, "frame", 10.0);
        out += &line_of(area.x + 8.0, area.y + 13.0, "name", &label);
    }
    for (edge, line) in drawing.edges.iter().zip(&picture.lines) {
        let class = if edge.critical { "edge way" } else { "edge" };
        let tip = format!("{} [{}]", edge.tensor, edge.layout);
        out += &format!(
            "<path class=\"{class}\" d=\"{}\" marker-end=\"url(#tip)\"><title>{}</title></path>\n",
            curve(line),
            escaped(&tip)
        );
    }
    for (id, area) in &picture.boxes {
        out += &boxed(drawing, *id, area);
    }
    out + "</g>\n</svg>\n"
}

fn head(drawing: &Drawing) -> Vec<String> {
    let mut head = vec![drawing.subtitle()];
    let levels: Vec<String> = drawing
        .machine
        .iter()
        .rev()
        .map(|l| format!("{} of {} devices", l.name, crate::check::show_number(l.devices)))
        .collect();
    if !levels.is_empty() {
        head.push(format!("machine: {}", levels.join(" · ")));
    }
    head.extend(drawing.placement().into_iter().map(|l| format!("mesh: {l}")));
    head
}

fn legend(y: f64) -> String {
    let mut out = String::new();
    let mut x = LEFT;
    for (class, word) in [
        ("box kernel", "kernel"),
        ("box collective", "collective"),
        ("box kernel critical", "on the longest way"),
    ] {
        out += &rect(&Area { x, y, w: 14.0, h: 11.0 }, class, 3.0);
        out += &line_of(x + 20.0, y + 10.0, "dim", word);
        x += 40.0 + width(word);
    }
    out += &format!("<circle class=\"alone\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>\n", x, y + 5.5);
    out + &line_of(x + 10.0, y + 10.0, "dim", "nothing else can run at the same time")
}

fn boxed(drawing: &Drawing, id: NodeId, area: &Area) -> String {
    let node = &drawing.nodes[id];
    let critical = if node.critical { " critical" } else { "" };
    let mut out = format!("<g><title>{}</title>\n", escaped(&tip(drawing, node)));
    out += &rect(area, &format!("box {}{critical}", node.kind.word()), 6.0);
    if node.alone {
        let (x, y) = (area.x + area.w - 9.0, area.y + 9.0);
        out += &format!("<circle class=\"alone\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n");
    }
    let mut y = area.y + PAD + 11.0;
    for (i, line) in lines(node).iter().enumerate() {
        out += &line_of(area.x + PAD, y, if i == 0 { "name" } else { "dim" }, line);
        y += LINE;
    }
    out + "</g>\n"
}

/// What a browser shows on a node.
fn tip(drawing: &Drawing, node: &Node) -> String {
    let mut out = lines(node);
    out.extend(node.weights.iter().map(|w| format!("reads {w}")));
    let beside: Vec<&str> = node.beside.iter().map(|b| drawing.nodes[*b].name.as_str()).collect();
    match node.kind {
        Kind::Input => {}
        _ if beside.is_empty() => out.push("everything else waits for it".to_owned()),
        _ => out.push(format!("can run beside {}", beside.join(", "))),
    }
    out.join("\n")
}

fn rect(area: &Area, class: &str, round: f64) -> String {
    let Area { x, y, w, h } = area;
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" \
         rx=\"{round}\"/>\n"
    )
}

/// Straight where it goes down, bent between rows.
fn curve(points: &[(f64, f64)]) -> String {
    let Some((x, y)) = points.first() else { return String::new() };
    let mut out = format!("M{x:.1} {y:.1}");
    let (mut px, mut py) = (*x, *y);
    for (x, y) in points.iter().skip(1) {
        if (x - px).abs() < 0.05 {
            out += &format!("L{x:.1} {y:.1}");
        } else {
            let mid = f64::midpoint(py, *y);
            out += &format!("C{px:.1} {mid:.1} {x:.1} {mid:.1} {x:.1} {y:.1}");
        }
        (px, py) = (*x, *y);
    }
    out
}
