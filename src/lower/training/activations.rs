//! Activations of a step: saved are those that the backward pass reads and the forward pass made,
//! working is the largest set alive at once beside them.
//!
//! In: a laid-out model with its backward pass. Out: bytes on each kind of stage.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Workload;
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op};
use crate::graph::{LaidStep, Version, saved};
use crate::ir::{Model, Pass, Role};
use crate::lower::frame::{Frame, View};
use crate::lower::liveness::alive_together;
use crate::lower::phase::Setting;
use crate::quantity::Dimension;

/// Saved activations in a memory outside of the devices: of one micro-batch before, in and after
/// the layers, and of all in flight on each kind of stage.
pub(in crate::lower) type SavedAway = (usize, [Option<ExprId>; 3], [ExprId; 3]);

/// Where the forward pass makes a version: the stage, and in how many rounds.
type Made = (usize, Option<ExprId>);

impl<'p> Checker<'p> {
    /// What is kept from forward to backward, on each kind of stage.
    pub(in crate::lower) fn saved_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
    ) -> Option<([ExprId; 3], Vec<SavedAway>)> {
        let place = setting.place;
        let mut away: Vec<(usize, [Option<ExprId>; 3])> = Vec::new();
        let mut made = FxHashMap::default();
        let forward = setting.laid.steps.get(..setting.laid.forward_steps?)?;
        note_made(forward, &setting.model, self, &mut 0, [None; 2], &mut made);
        let mut sums = [None; 3];
        let mut seen: FxHashSet<Version> = FxHashSet::default();
        let readers = self.readers(setting);
        for version in saved(setting.laid, &setting.model) {
            let version = root(version, &setting.model);
            if !seen.insert(version) {
                continue;
            }
            let (stage, rounds) = made.get(&version).copied().unwrap_or((0, None));
            let shards = setting.laid.layout(version).map(|l| l.shards.clone());
            let shards = shards.unwrap_or_default();
            let bytes = self.tensor_bytes(frame, version.tensor, &shards, View::Local);
            let Some(mut bytes) = bytes else { continue };
            if let Some(narrow) = Self::saved_format(setting, &readers, version) {
                let own = setting.model.tensors[version.tensor].dtype.width;
                let share = self.graph.div(narrow.width, own);
                bytes = self.graph.mul(bytes, share);
            }
            let (bytes, elsewhere) = self.parted(setting, Role::Activations, version.tensor, bytes);
            self.add_rounds(&mut sums, stage, Some(bytes), rounds);
            let Some((store, bytes)) = elsewhere else { continue };
            if away.iter().all(|(at, _)| *at != store) {
                away.push((store, [None; 3]));
            }
            if let Some((_, sums)) = away.iter_mut().find(|(at, _)| *at == store) {
                self.add_rounds(sums, stage, Some(bytes), rounds);
            }
        }
        let backward = setting.laid.steps.get(setting.laid.forward_steps?..)?;
        self.statistics(backward, setting, work, frame, None, &mut sums);
        let kept = self.on_stages(sums, work, Dimension::BYTES, place);
        let kept = self.in_flight(work, kept, place)?;
        let mut elsewhere = Vec::new();
        for (store, parts) in away {
            let stages = self.on_stages(parts, work, Dimension::BYTES, place);
            elsewhere.push((store, parts, self.in_flight(work, stages, place)?));
        }
        Some((kept, elsewhere))
    }

    fn add_rounds(
        &mut self,
        sums: &mut [Option<ExprId>; 3],
        stage: usize,
        bytes: Option<ExprId>,
        rounds: Option<ExprId>,
    ) {
        let bytes = match (bytes, rounds) {
            (Some(bytes), Some(rounds)) => Some(self.graph.mul(bytes, rounds)),
            (bytes, _) => bytes,
        };
        if let Some(cell) = sums.get_mut(stage) {
            *cell = self.plus(*cell, bytes);
        }
    }

    /// What fused kernels keep to make an op again: the log-sum-exp of every row of attention.
    fn statistics(
        &mut self,
        steps: &[LaidStep],
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        rounds: Option<ExprId>,
        sums: &mut [Option<ExprId>; 3],
    ) {
        for step in steps {
            match step {
                LaidStep::Repeat { repeat, body, .. } => {
                    let rounds = match rounds {
                        Some(outer) => self.graph.mul(outer, repeat.count),
                        None => repeat.count,
                    };
                    self.statistics(body, setting, work, frame, Some(rounds), sums);
                }
                LaidStep::Fuse(_, ops) => {
                    for laid in ops {
                        let op = &setting.model.ops[laid.op];
                        let Some(axes) = op.keeps.as_ref().filter(|_| op.pass == Pass::Recompute)
                        else {
                            continue;
                        };
                        let Some(wide) = work.formats.wide.as_ref() else { continue };
                        let shards = laid.shards.clone();
                        let inner =
                            Frame { shards, view: View::Local, seen: None, ..frame.clone() };
                        let outer = self.frame.replace(inner);
                        let size = self.frame_size(axes, false, op.place);
                        self.frame = outer;
                        let Value::Num(size) = size else { continue };
                        let bytes = self.graph.mul(size, wide.width);
                        let stage = if rounds.is_some() { 1 } else { 2 };
                        self.add_rounds(sums, stage, Some(bytes), rounds);
                    }
                }
                _ => {}
            }
        }
    }

    /// The greatest sum of activations alive at once that are not saved, on each kind of stage.
    pub(in crate::lower) fn working_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
    ) -> [ExprId; 3] {
        let all = &setting.laid.steps;
        let is_repeat = |s: &LaidStep| matches!(s, LaidStep::Repeat { .. });
        let (first, last) = (all.iter().position(is_repeat), all.iter().rposition(is_repeat));
        let one = self.counted(1.0, "1", setting.place, "no pipeline, one stage");
        let single = self.graph.binary(Op::Eq, work.stages, one);
        let single = self.decide(single) == Some(true);
        let (Some(first), Some(last), false) = (first, last, single) else {
            let bytes = self.working_of(all, setting, frame);
            return [bytes; 3];
        };
        let before = all.get(..=first).unwrap_or_default();
        let after = all.get(last..).unwrap_or_default();
        let own: Vec<LaidStep> = before.iter().chain(after).cloned().collect();
        let a = self.working_of(&own, setting, frame);
        let b = self.working_of(all.get(first..=last).unwrap_or_default(), setting, frame);
        let middle: Vec<LaidStep> =
            [first, last].iter().filter_map(|i| all.get(*i)).cloned().collect();
        let c = self.working_of(&middle, setting, frame);
        [a, c, b]
    }

    fn working_of(
        &mut self,
        steps: &[LaidStep],
        setting: &Setting<'_, 'p>,
        frame: &Frame,
    ) -> ExprId {
        let model = &setting.model;
        let kept: FxHashSet<Version> =
            saved(setting.laid, model).into_iter().map(|v| root(v, model)).collect();
        let mut peaks = Vec::new();
        let mut known = FxHashMap::default();
        for set in alive_together(steps, model, &setting.escaping) {
            let mut sum = None;
            let mut seen: FxHashSet<Version> = FxHashSet::default();
            for version in set {
                let version = root(version, model);
                if kept.contains(&version) || !seen.insert(version) {
                    continue;
                }
                let bytes = self.version_bytes(setting, frame, version, &mut known);
                sum = self.plus(sum, bytes);
            }
            peaks.extend(sum);
        }
        let none = self.zero(Dimension::BYTES, setting.place, "nothing beside what is saved");
        self.graph.greatest(peaks).unwrap_or(none)
    }
}

/// A view is what it views.
fn root(version: Version, model: &Model) -> Version {
    let mut version = version;
    while version.index == 0
        && let Some(producer) = model.tensors[version.tensor].producer
        && model.ops[producer].view
        && let Some((_, operand)) = model.ops[producer].operands.first()
    {
        version.tensor = *operand;
    }
    version
}

/// Where every version is made, by the order of forward steps.
fn note_made(
    steps: &[LaidStep],
    model: &Model,
    checker: &mut Checker<'_>,
    stage: &mut usize,
    [outer, rounds]: [Option<ExprId>; 2],
    out: &mut FxHashMap<Version, Made>,
) {
    let original = |tensor| Version { tensor, index: 0 };
    for step in steps {
        let here = (*stage, rounds);
        match step {
            LaidStep::Op(op) => {
                out.insert(original(model.ops[op.op].result), here);
            }
            LaidStep::Fuse(_, ops) => {
                out.extend(ops.iter().map(|o| (original(model.ops[o.op].result), here)));
            }
            LaidStep::Convert(c) => {
                out.insert(Version { tensor: c.tensor, index: c.to }, here);
            }
            LaidStep::Join { result, .. } => {
                out.insert(original(*result), here);
            }
            LaidStep::Some { count, body, .. } => {
                let some = match outer {
                    Some(outer) => checker.graph.mul(outer, *count),
                    None => *count,
                };
                note_made(body, model, checker, stage, [outer, Some(some)], out);
            }
            LaidStep::Repeat { repeat, body, .. } => {
                let inner = match rounds {
                    Some(outer) => checker.graph.mul(outer, repeat.count),
                    None => repeat.count,
                };
                out.extend(repeat.carried.iter().map(|c| (original(c.start), (1, Some(inner)))));
                note_made(body, model, checker, &mut 1, [rounds, Some(inner)], out);
                if rounds.is_none() {
                    *stage = 2;
                }
                out.extend(repeat.carried.iter().map(|c| (original(c.after), (*stage, rounds))));
            }
        }
    }
    let targets = model.inputs.iter().filter(|t| model.tensors[**t].name == "targets");
    out.extend(targets.map(|t| (original(*t), (2, None))));
}
