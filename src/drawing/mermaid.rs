//! The drawing for Mermaid, which many Markdown viewers show.

use super::json::name;
use super::{Drawing, Kind, NodeId, lines};

/// A Mermaid flowchart.
#[must_use]
pub fn text(drawing: &Drawing) -> String {
    let mut out = String::from("flowchart TB\n");
    let node = |id: NodeId| {
        let node = &drawing.nodes[id];
        let label: Vec<String> = lines(node).iter().map(|l| escaped(l)).collect();
        let class = match node.kind {
            Kind::Input => "input",
            Kind::Kernel => "kernel",
            Kind::Collective => "collective",
        };
        format!("{}[\"{}\"]:::{class}\n", name(id), label.join("<br/>"))
    };
    for (id, _) in drawing.nodes.iter().filter(|(_, n)| n.group.is_none()) {
        out += &format!("  {}", node(id));
    }
    for (i, group) in drawing.groups.iter().enumerate() {
        let inside: Vec<NodeId> =
            drawing.nodes.iter().filter(|(_, n)| n.group == Some(i)).map(|(id, _)| id).collect();
        if inside.is_empty() {
            continue;
        }
        out += &format!("  subgraph g{i}[\"{}\"]\n", escaped(&group.label()));
        for id in inside {
            out += &format!("    {}", node(id));
        }
        out += "  end\n";
    }
    let mut thick = Vec::new();
    for (i, edge) in drawing.edges.iter().enumerate() {
        out += &format!("  {} --> {}\n", name(edge.from), name(edge.to));
        if edge.critical {
            thick.push(i.to_string());
        }
    }
    out += "  classDef input fill:#f3f4f6,stroke:#9ca3af,color:#111827\n";
    out += "  classDef kernel fill:#e8f0fe,stroke:#6b8fd6,color:#111827\n";
    out += "  classDef collective fill:#fef3e2,stroke:#d9a14e,color:#111827\n";
    let critical: Vec<String> =
        drawing.nodes.iter().filter(|(_, n)| n.critical).map(|(id, _)| name(id)).collect();
    if !critical.is_empty() {
        out += "  classDef critical stroke:#c2410c,stroke-width:2px\n";
        out += &format!("  class {} critical\n", critical.join(","));
    }
    if !thick.is_empty() {
        out += &format!("  linkStyle {} stroke:#c2410c,stroke-width:2px\n", thick.join(","));
    }
    out
}

/// Text between quotes: whatever has a meaning there becomes an entity.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | ';' | '\\' => {
                out += &format!("#{};", u32::from(c));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
