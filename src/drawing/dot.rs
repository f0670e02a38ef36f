//! The drawing for Graphviz.

use super::json::name;
use super::{Drawing, Kind, lines};

/// A DOT file.
#[must_use]
pub fn text(drawing: &Drawing) -> String {
    let mut out = format!(
        "digraph {} {{\n  rankdir=TB;\n  label={};\n  labelloc=t;\n  \
         node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=10];\n",
        quoted(&drawing.about.scenario),
        quoted(&format!("{}\n{}", drawing.title(), drawing.subtitle()))
    );
    for (i, group) in drawing.groups.iter().enumerate() {
        let inside: Vec<_> = drawing.nodes.iter().filter(|(_, n)| n.group == Some(i)).collect();
        if inside.is_empty() {
            continue;
        }
        out += &format!("  subgraph cluster_{i} {{\n    label={};\n", quoted(&group.label()));
        for (id, _) in inside {
            out += &format!("    {};\n", name(id));
        }
        out += "  }\n";
    }
    for (id, node) in drawing.nodes.iter() {
        let fill = match node.kind {
            Kind::Input => "#f3f4f6",
            Kind::Kernel => "#e8f0fe",
            Kind::Collective => "#fef3e2",
        };
        let pen = if node.critical { ", color=\"#c2410c\", penwidth=2" } else { "" };
        let label = quoted(&lines(node).join("\n"));
        out += &format!("  {} [label={label}, fillcolor=\"{fill}\"{pen}];\n", name(id));
    }
    for edge in &drawing.edges {
        let pen = if edge.critical { ", color=\"#c2410c\", penwidth=2" } else { "" };
        let tip = quoted(&format!("{} [{}]", edge.tensor, edge.layout));
        out += &format!("  {} -> {} [tooltip={tip}{pen}];\n", name(edge.from), name(edge.to));
    }
    out + "}\n"
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out + "\""
}
