//! The nodes and edges of a pass: one step after another, each with its cost.
//!
//! In: laid-out steps and what each costs. Out: a [`Drawing`]. A step that does nothing in this pass
//! (a view, a collective of one device) is no node: what it makes is what it was given.

use rustc_hash::FxHashMap;

use super::{
    Drawing, Edge, Exchange, Group, Kind, Level, LevelPlace, MeshPlace, Node, NodeId, Subject,
};
use crate::arena::Arena;
use crate::check::show_number;
use crate::expr::Graph;
use crate::graph::{Conversion, LaidOp, LaidStep, Layout, Version};
use crate::ir::{Model, OpId, Plan, Role, TensorId};
use crate::lower::{KernelCost, LayerCollective, Lowered, PhaseCost};

/// Draws a pass (`prefill`, `decode.mid`, `forward` …); `None` where the scenario has none such.
#[must_use]
pub fn draw(graph: &Graph, lowered: &Lowered, phase: &str, level: Level) -> Option<Drawing> {
    let flow = lowered;
    let cost = &lowered.costs.iter().find(|(name, _)| *name == phase)?.1;
    let steps = &flow.laid.steps;
    let forward = flow.laid.forward_steps.unwrap_or(steps.len());
    let (before, after) = steps.split_at_checked(forward)?;
    let steps = if phase == "backward" { after } else { before };
    let mut builder = Builder {
        graph,
        flow,
        kernels: kernels(cost),
        collectives: collectives(cost),
        made: FxHashMap::default(),
        groups: Vec::new(),
        group: None,
        nodes: Arena::new(),
        edges: Vec::new(),
    };
    builder.steps(steps, None);
    let mut drawing = Drawing {
        about: Subject::of(lowered),
        phase: phase.to_owned(),
        level,
        mesh: mesh(graph, flow),
        machine: machine(graph, flow),
        groups: builder.groups,
        nodes: builder.nodes,
        edges: builder.edges,
        total: 0.0,
        longest: 0.0,
    };
    super::merge::merge(&mut drawing);
    super::paths::mark(&mut drawing);
    Some(drawing)
}

fn kernels(cost: &PhaseCost) -> FxHashMap<OpId, &KernelCost> {
    cost.kernels.iter().filter_map(|k| Some((k.first?, k))).collect()
}

fn collectives(cost: &PhaseCost) -> FxHashMap<Version, &LayerCollective> {
    cost.collectives.iter().filter_map(|c| Some((c.makes?, c))).collect()
}

struct Builder<'a> {
    graph: &'a Graph,
    flow: &'a Lowered,
    kernels: FxHashMap<OpId, &'a KernelCost>,
    collectives: FxHashMap<Version, &'a LayerCollective>,
    /// The nodes that make a version of a tensor.
    made: FxHashMap<Version, Vec<NodeId>>,
    groups: Vec<Group>,
    /// The repeat of the step at hand.
    group: Option<usize>,
    nodes: Arena<Node>,
    edges: Vec<Edge>,
}

impl Builder<'_> {
    fn steps(&mut self, steps: &[LaidStep], group: Option<usize>) {
        for step in steps {
            self.group = group;
            match step {
                LaidStep::Op(op) => self.kernel(std::slice::from_ref(op), group),
                LaidStep::Fuse(_, ops) => self.kernel(ops, group),
                LaidStep::Convert(conversion) => self.collective(conversion, group),
                LaidStep::Repeat { repeat, body, stages, ends } => {
                    let stages = stages.as_ref().map(|shard| {
                        let over = over(&self.flow.mapping, &shard.group);
                        (self.graph.value(shard.count), over)
                    });
                    self.groups.push(Group { times: self.graph.value(repeat.count), stages });
                    let inner = self.groups.len() - 1;
                    for (carried, (enters, _)) in repeat.carried.iter().zip(ends) {
                        self.same(Version { tensor: carried.start, index: 0 }, *enters);
                    }
                    self.steps(body, Some(group.unwrap_or(inner)));
                    for (carried, (_, leaves)) in repeat.carried.iter().zip(ends) {
                        self.same(Version { tensor: carried.after, index: 0 }, *leaves);
                    }
                }
                LaidStep::Some { body, .. } => self.steps(body, group),
                LaidStep::Join { arms, result } => {
                    let mut all: Vec<NodeId> = Vec::new();
                    for arm in arms {
                        all.extend(self.made.get(arm).into_iter().flatten());
                    }
                    self.made.insert(Version { tensor: *result, index: 0 }, all);
                }
            }
        }
    }

    /// One version is made by what makes another.
    fn same(&mut self, new: Version, old: Version) {
        let makers = self.makers(old);
        self.made.insert(new, makers);
    }

    /// What makes a version: an input of the pass if nothing in it does.
    fn makers(&mut self, version: Version) -> Vec<NodeId> {
        if let Some(made) = self.made.get(&version) {
            return made.clone();
        }
        let tensor = &self.flow.ir.tensors[version.tensor];
        if tensor.role != Role::Activations && tensor.producer.is_none() {
            return Vec::new();
        }
        let node = Node {
            kind: Kind::Input,
            group: self.group,
            layout: self.layout(version),
            ..plain(tensor.path(), tensor.name.text().to_owned())
        };
        let id = self.nodes.push(node);
        self.made.insert(version, vec![id]);
        vec![id]
    }

    fn value(&self, id: Option<crate::expr::ExprId>) -> f64 {
        id.map_or(0.0, |id| self.graph.value(id))
    }

    fn kernel(&mut self, ops: &[LaidOp], group: Option<usize>) {
        let Some(first) = ops.first() else { return };
        let model = &self.flow.ir;
        let results: Vec<TensorId> = ops.iter().map(|o| model.ops[o.op].result).collect();
        let mut reads: Vec<Version> = Vec::new();
        for version in ops.iter().flat_map(|o| &o.reads) {
            if !results.contains(&version.tensor) && !reads.contains(version) {
                reads.push(*version);
            }
        }
        let cost = self.kernels.get(&first.op).copied();
        let times = cost.map_or(0.0, |k| k.rounds.map_or(1.0, |r| self.graph.value(r)));
        let moves = |k: &&KernelCost| times > 0.0 && self.graph.value(k.time) > 0.0;
        let Some(cost) = cost.filter(moves) else {
            // Nothing runs: what it makes is what it was given.
            let all: Vec<NodeId> = reads.into_iter().flat_map(|v| self.known(v)).collect();
            for tensor in results {
                self.made.insert(Version { tensor, index: 0 }, all.clone());
            }
            return;
        };
        let weights = reads.iter().filter(|v| model.tensors[v.tensor].role == Role::Weights);
        let weights: Vec<String> = weights
            .map(|v| {
                let name = model.tensors[v.tensor].path();
                format!("{name} [{}]", self.layout(*v))
            })
            .collect();
        let layout = results.last().map(|t| self.layout(Version { tensor: *t, index: 0 }));
        let (time, layer) = (self.graph.value(cost.time), cost.layer.text().to_owned());
        let [matrix, vector, bytes] = cost.local.map(|id| self.value(id));
        let node = Node {
            kind: Kind::Kernel,
            group,
            times,
            time,
            total: time * times,
            flops: matrix + vector,
            bytes,
            layout: layout.unwrap_or_default(),
            weights,
            ..plain(cost.op.text().to_owned(), layer)
        };
        let sources: Vec<(Version, Vec<NodeId>)> =
            reads.into_iter().map(|v| (v, self.makers(v))).collect();
        let id = self.nodes.push(node);
        for (version, from) in sources {
            self.flows(version, &from, id);
        }
        for tensor in results {
            self.made.insert(Version { tensor, index: 0 }, vec![id]);
        }
    }

    fn known(&self, version: Version) -> Vec<NodeId> {
        self.made.get(&version).cloned().unwrap_or_default()
    }

    fn flows(&mut self, version: Version, from: &[NodeId], to: NodeId) {
        let tensor = self.flow.ir.tensors[version.tensor].path();
        let layout = self.layout(version);
        self.edges.extend(from.iter().map(|from| Edge {
            from: *from,
            to,
            tensor: tensor.clone(),
            layout: layout.clone(),
            critical: false,
        }));
    }

    fn collective(&mut self, conversion: &Conversion, group: Option<usize>) {
        let from = Version { tensor: conversion.tensor, index: conversion.from };
        let makes = Version { tensor: conversion.tensor, index: conversion.to };
        let used = self.collectives.get(&makes).copied();
        let value = |id| self.graph.value(id);
        let real =
            used.filter(|u| value(u.collective.devices) > 1.0 && value(u.collective.count) > 0.0);
        let Some(used) = real else {
            self.same(makes, from);
            return;
        };
        let c = &used.collective;
        let exchange = Exchange {
            kind: c.kind.to_owned(),
            axis: c.axis.clone(),
            devices: value(c.devices),
            message: value(c.message),
            link: c.link.clone(),
            algorithm: c.algorithm.replace('_', "-"),
        };
        let node = Node {
            kind: Kind::Collective,
            group,
            times: value(c.count),
            time: value(c.time),
            total: value(c.total),
            bytes: value(c.bytes),
            layout: self.layout(makes),
            exchange: Some(exchange),
            ..plain(format!("{} of {}", c.kind, c.tensor), used.layer.text().to_owned())
        };
        let sources = self.makers(from);
        let id = self.nodes.push(node);
        self.flows(from, &sources, id);
        self.made.insert(makes, vec![id]);
    }

    /// The axes of a tensor, each with the mesh axes that cut it.
    fn layout(&self, version: Version) -> String {
        let empty = Layout::default();
        let layout = self.flow.laid.layout(version).unwrap_or(&empty);
        written(&self.flow.ir, &self.flow.mapping, version.tensor, layout)
    }
}

fn plain(name: String, layer: String) -> Node {
    Node {
        kind: Kind::Kernel,
        name,
        layer,
        group: None,
        times: 1.0,
        time: 0.0,
        total: 0.0,
        communication: 0.0,
        flops: 0.0,
        bytes: 0.0,
        layout: String::new(),
        weights: Vec::new(),
        exchange: None,
        critical: false,
        alone: false,
        beside: Vec::new(),
    }
}

fn over(plan: &Plan, group: &[crate::ir::MeshId]) -> String {
    group.iter().map(|m| plan.mesh[*m].name.text()).collect::<Vec<_>>().join(",")
}

fn written(model: &Model, plan: &Plan, tensor: TensorId, layout: &Layout) -> String {
    let axes = model.tensors[tensor].axes.iter().map(|axis| {
        let name = model.axes[*axis].name;
        match layout.mesh_of(*axis) {
            [] => name.to_string(),
            group => format!("{name}/{}", over(plan, group)),
        }
    });
    let mut out = axes.collect::<Vec<_>>().join(" × ");
    for partial in &layout.partial {
        out += &format!(" (partial over {})", over(plan, &partial.group));
    }
    out
}

pub(super) fn mesh(graph: &Graph, flow: &Lowered) -> Vec<MeshPlace> {
    let cuts = |name: &str| -> Vec<String> {
        let rules = flow.mapping.rules.iter();
        let mut names: Vec<String> = rules
            .filter(|r| r.over.iter().any(|m| flow.mapping.mesh[*m].name == name))
            .map(|r| r.axis.iter().map(|n| n.text()).collect::<Vec<_>>().join("."))
            .collect();
        names.dedup();
        names
    };
    let place = |axis: &crate::ir::MeshAxis| {
        let (size, stride) = (graph.value(axis.size), graph.value(axis.stride));
        let holds = flow.machine.levels.iter().find(|l| graph.value(l.devices) >= size * stride);
        let level = holds.map_or("", |l| l.name.text()).to_owned();
        MeshPlace { name: axis.name.to_string(), size, stride, level, cuts: cuts(axis.name.text()) }
    };
    flow.mapping.mesh.iter().map(|(_, axis)| place(axis)).collect()
}

fn machine(graph: &Graph, flow: &Lowered) -> Vec<LevelPlace> {
    let levels = flow.machine.levels.iter();
    levels
        .map(|l| LevelPlace {
            name: l.name.to_string(),
            count: graph.value(l.count),
            devices: graph.value(l.devices),
        })
        .collect()
}

impl Drawing {
    /// What stands above the picture.
    #[must_use]
    pub fn title(&self) -> String {
        format!(
            "{}: {} of {} on {}",
            self.about.scenario, self.phase, self.about.model, self.about.system
        )
    }
    /// The line below it.
    #[must_use]
    pub fn subtitle(&self) -> String {
        format!(
            "plan {} · {} in all, one after another; the longest way takes {}",
            self.about.plan,
            super::seconds(self.total),
            super::seconds(self.longest)
        )
    }
    /// The mesh on the machine, a line for each axis.
    #[must_use]
    pub fn placement(&self) -> Vec<String> {
        let axis = |m: &MeshPlace| {
            let mut line = format!("{} = {}", m.name, show_number(m.size));
            if !m.level.is_empty() {
                line += &format!(", inside one {}", m.level);
            }
            if m.stride > 1.0 {
                line += &format!(", neighbours {} apart", show_number(m.stride));
            }
            if !m.cuts.is_empty() {
                line += &format!("; cuts {}", m.cuts.join(", "));
            }
            line
        };
        self.mesh.iter().map(axis).collect()
    }
}

impl Group {
    /// What stands on its frame.
    #[must_use]
    pub fn label(&self) -> String {
        let times = format!("×{}", show_number(self.times));
        match &self.stages {
            Some((n, over)) => {
                let each = show_number(libm::ceil(self.times / n));
                format!("{times}, {each} on each of {} stages along {over}", show_number(*n))
            }
            None => times,
        }
    }
}
