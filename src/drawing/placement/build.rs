//! Where everything lies, from the plan, the layouts and the stages.

use super::{Axis, Cut, Level, Placement, Stage};
use crate::drawing::Subject;
use crate::expr::{ExprId, Graph};
use crate::graph::{LaidStep, Shard};
use crate::ir::{AxisSize, Kept, MeshId, OpId, TensorId};
use crate::lower::{Leaf, Lowered, Stage as Part};
use crate::pipeline::Schedule;

/// What runs and lies where.
#[must_use]
pub fn placed(graph: &Graph, lowered: &Lowered) -> Placement {
    let count = |id: ExprId| graph.value(id).max(1.0) as usize;
    let machine = &lowered.machine;
    let levels: Vec<Level> = machine
        .levels
        .iter()
        .map(|l| Level {
            name: l.name.to_string(),
            devices: count(l.devices),
            link: l.link.to_string(),
        })
        .collect();
    let plan = &lowered.mapping;
    let mesh: Vec<Axis> = super::super::build::mesh(graph, lowered)
        .into_iter()
        .map(|m| {
            let level = levels.iter().find(|l| l.name == m.level);
            Axis {
                name: m.name,
                size: m.size.max(1.0) as usize,
                stride: m.stride.max(1.0) as usize,
                link: level.map(|l| l.link.clone()).unwrap_or_default(),
                level: m.level,
                cuts: m.cuts,
            }
        })
        .collect();
    let devices = plan.devices.map_or(1, count);
    let along = pipeline_shard(&lowered.laid.steps).map(|s| indices(&s.group));
    let cuts = |tensors: &mut dyn Iterator<Item = TensorId>| cuts(graph, lowered, tensors);
    let kept = plan.zero.iter().map(|zero| Cut {
        axis: match zero.what {
            Kept::Optimizer => "optimizer".to_owned(),
            Kept::Gradients => "gradients and optimizer".to_owned(),
            Kept::Weights => "weights, gradients and optimizer".to_owned(),
        },
        size: None,
        parts: zero.over.iter().map(|m| count(plan.mesh[*m].size)).product(),
        over: indices(&zero.over),
    });
    Placement {
        about: Subject::of(lowered),
        phase: lowered.mapped,
        weights: cuts(&mut lowered.ir.weights.iter().map(|w| w.0)),
        cache: cuts(&mut lowered.ir.stored.iter().map(|w| w.0)),
        tokens: along_each(cuts(&mut lowered.ir.inputs.iter().copied())),
        kept: kept.filter(|cut| cut.parts > 1).collect(),
        stages: stages(graph, lowered),
        along: along.unwrap_or_default(),
        machine: levels.last().map_or(1, |l| l.devices).max(devices),
        mesh,
        levels,
        devices,
    }
}

/// One axis for all that are cut alike: positions go with the sequence.
fn along_each(cuts: Vec<Cut>) -> Vec<Cut> {
    let mut out: Vec<Cut> = Vec::new();
    for cut in cuts {
        if !out.iter().any(|c| c.over == cut.over) {
            out.push(cut);
        }
    }
    out
}

fn indices(group: &[MeshId]) -> Vec<usize> {
    group.iter().map(|m| m.index()).collect()
}

/// How a pipeline cuts the layers.
fn pipeline_shard(steps: &[LaidStep]) -> Option<&Shard> {
    steps.iter().find_map(|step| match step {
        LaidStep::Repeat { stages: Some(shard), .. } => Some(shard),
        LaidStep::Repeat { body, .. } | LaidStep::Some { body, .. } => pipeline_shard(body),
        _ => None,
    })
}

/// The ways in which some tensors are cut, each once.
fn cuts(graph: &Graph, lowered: &Lowered, tensors: &mut dyn Iterator<Item = TensorId>) -> Vec<Cut> {
    let mut out: Vec<Cut> = Vec::new();
    for tensor in tensors {
        let Some(layout) = lowered.laid.layouts.get(&tensor) else { continue };
        for shard in &layout.shards {
            let axis = &lowered.ir.axes[shard.axis];
            let size = match axis.size {
                AxisSize::Fixed(id) | AxisSize::Composite(id) => Some(graph.value(id) as usize),
                AxisSize::Phase(_) => None,
            };
            let parts = graph.value(shard.count).max(1.0) as usize;
            let cut = Cut { axis: axis.name.to_string(), size, parts, over: indices(&shard.group) };
            let same = |c: &Cut| {
                (&c.axis, c.size, c.parts, &c.over) == (&cut.axis, cut.size, cut.parts, &cut.over)
            };
            if parts > 1 && !out.iter().any(same) {
                out.push(cut);
            }
        }
    }
    out
}

/// The layers of each stage, with what comes before and after them, and the memory of its devices.
fn stages(graph: &Graph, lowered: &Lowered) -> Vec<Stage> {
    let before = beside(lowered, Part::First);
    let after = beside(lowered, Part::Last);
    let memory = |path: &str| match lowered.results.get(path) {
        Some(Leaf::Number(id)) => Some(graph.value(*id)),
        _ => None,
    };
    let total = memory("memory.total");
    let of_stage = |kind: &str| memory(&format!("memory.stages.{kind}.total")).or(total);
    let pipeline = pipeline_shard(&lowered.laid.steps).and(lowered.pipelines.last());
    let Some((_, pipeline)) = pipeline else {
        let beside = before.into_iter().chain(after).collect();
        return vec![Stage { layers: all_layers(graph, lowered), beside, memory: total }];
    };
    let count = |id: ExprId| graph.value(id).max(1.0) as usize;
    let (p, v) = (count(pipeline.stages), count(pipeline.chunks));
    let layers = pipeline.layers.map_or(0, count);
    let each = |share: Option<ExprId>| match share {
        Some(share) => libm::round(graph.value(share) * layers as f64) as usize,
        None => layers.div_ceil(p),
    };
    let [first, between, last] = match pipeline.shares {
        Some([a, b, c]) => [each(Some(a)), each(Some(b)), each(Some(c))],
        None => [each(None); 3],
    };
    // Chunks are alike, but for the very first and the very last one.
    let chunk = between / v;
    let mut sizes = vec![chunk; p * v];
    for (at, own) in [(0, first), (p * v - 1, last)] {
        let rest = own.saturating_sub((v - 1) * chunk);
        sizes.get_mut(at).into_iter().for_each(|n| *n = rest);
    }
    if p == 1 {
        sizes = vec![layers];
    }
    let mut from = 0;
    let ranges: Vec<[usize; 2]> = sizes
        .into_iter()
        .map(|n| {
            let until = (from + n).min(layers);
            [std::mem::replace(&mut from, until), until]
        })
        .collect();
    let both = Schedule::named(pipeline.schedule.text()) == Some(Schedule::DualPipe) && p > 1;
    (0..p)
        .map(|d| {
            let mut own: Vec<[usize; 2]> = ranges.iter().skip(d).step_by(p).copied().collect();
            if both {
                own.extend(ranges.get(p - 1 - d));
            }
            let ends = [d == 0 || both && d == p - 1, d == p - 1 || both && d == 0];
            let mut beside = Vec::new();
            for (is_end, names) in ends.into_iter().zip([&before, &after]) {
                beside.extend(names.iter().filter(|_| is_end).cloned());
            }
            let kind = match d {
                0 => "first",
                d if d == p - 1 => "last",
                _ => "between",
            };
            Stage { layers: own, beside, memory: of_stage(kind) }
        })
        .collect()
}

/// Without a pipeline: all rounds of the repeats.
fn all_layers(graph: &Graph, lowered: &Lowered) -> Vec<[usize; 2]> {
    let layers: f64 = lowered
        .laid
        .steps
        .iter()
        .take(lowered.laid.forward_steps.unwrap_or(usize::MAX))
        .map(|step| match step {
            LaidStep::Repeat { repeat, .. } => graph.value(repeat.count),
            _ => 0.0,
        })
        .sum();
    if layers > 0.0 { vec![[0, layers as usize]] } else { Vec::new() }
}

/// What has weights and runs before or after the layers.
fn beside(lowered: &Lowered, part: Part) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let kernels = lowered.costs.first().into_iter().flat_map(|(_, cost)| &cost.kernels);
    for kernel in kernels.filter(|k| k.stage == part && k.weights.is_some()) {
        let name = weight_of(lowered, kernel.first).unwrap_or_else(|| kernel.op.to_string());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The weight that an op reads.
fn weight_of(lowered: &Lowered, op: Option<OpId>) -> Option<String> {
    let op = &lowered.ir.ops[op?];
    let mut operands = op.operands.iter().map(|(_, tensor)| *tensor);
    let weight = operands.find(|t| lowered.ir.weights.iter().any(|(w, _)| w == t))?;
    Some(lowered.ir.tensors[weight].path())
}
