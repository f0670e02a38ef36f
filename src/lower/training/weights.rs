//! What each weight takes on a device in training: itself, its gradient, what the optimizer keeps,
//! the work of its update, and what is gathered of shared weights for a while.

use super::Workload;
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Op};
use crate::ir::{Kept as Shares, TensorId};
use crate::lower::frame::{Frame, View};
use crate::lower::phase::Setting;
use crate::quantity::Dimension;

impl<'p> Checker<'p> {
    /// A gradient lies as its weight does.
    pub(in crate::lower) fn gradient_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        weight: TensorId,
    ) -> Option<ExprId> {
        let (_, gradient) = setting.model.gradients.iter().find(|(w, _)| *w == weight)?;
        let shards = setting.laid.layouts.get(&weight).map(|l| l.shards.clone());
        self.tensor_bytes(frame, *gradient, &shards.unwrap_or_default(), View::Local)
    }

    /// Elements of a weight on one device, and rows of it: its first axis.
    fn extent_of(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        weight: TensorId,
    ) -> Option<[ExprId; 2]> {
        let shards = setting.laid.layouts.get(&weight).map(|l| l.shards.clone());
        let shards = shards.unwrap_or_default();
        let t = &setting.model.tensors[weight];
        let inner = Frame { shards, view: View::Local, seen: None, ..frame.clone() };
        let saved = self.frame.replace(inner);
        let sizes = [t.axes.as_slice(), t.axes.get(..1).unwrap_or_default()]
            .map(|axes| self.frame_size(axes, false, t.place));
        self.frame = saved;
        match sizes {
            [Value::Num(elements), Value::Num(rows)] => Some([elements, rows]),
            _ => None,
        }
    }

    /// 1 for matrices of the layers, 0 for all else.
    fn is_inner(&mut self, setting: &Setting<'_, 'p>, weight: TensorId) -> ExprId {
        let t = &setting.model.tensors[weight];
        let rounds = setting.model.weights.iter().find(|(w, _)| *w == weight).and_then(|w| w.1);
        let inner = f64::from(u8::from(rounds.is_some() && t.axes.len() > 1));
        self.counted(inner, "inner", t.place, "1 for matrices of the layers")
    }

    /// Of a weight that is trained: its elements, its rows, and 1 for matrices of the layers.
    fn trained(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        weight: TensorId,
    ) -> Option<[ExprId; 3]> {
        setting.model.gradients.iter().find(|(w, _)| *w == weight)?;
        let [elements, rows] = self.extent_of(setting, frame, weight)?;
        Some([elements, rows, self.is_inner(setting, weight)])
    }

    pub(in crate::lower) fn state_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        weight: TensorId,
    ) -> Option<ExprId> {
        let [elements, rows, inner] = self.trained(setting, frame, weight)?;
        let moment = work.formats.optimizer.as_ref()?.width;
        let args = [
            ("weight", Value::Num(setting.model.tensors[weight].dtype.width)),
            ("moment", Value::Num(moment)),
            ("elements", Value::Num(elements)),
            ("rows", Value::Num(rows)),
            ("inner", Value::Num(inner)),
        ];
        let each = self.library_number(&format!("{}_state_bytes", work.optimizer), &args)?;
        Some(self.graph.mul(elements, each))
    }

    pub(in crate::lower) fn update_flops(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
        weight: TensorId,
    ) -> Option<ExprId> {
        let [elements, rows, inner] = self.trained(setting, frame, weight)?;
        let columns = self.graph.div(elements, rows);
        let args = [("rows", rows), ("columns", columns), ("inner", inner)];
        let args = args.map(|(name, id)| (name, Value::Num(id)));
        self.library_number(&format!("{}_update_flops", work.optimizer), &args)
    }

    pub(in crate::lower) fn weight_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        frame: &Frame,
        weight: TensorId,
    ) -> Option<ExprId> {
        let shards = setting.laid.layouts.get(&weight).map(|l| l.shards.clone());
        self.tensor_bytes(frame, weight, &shards.unwrap_or_default(), View::Local)
    }

    /// The share of one of the devices that keep something of a weight only once.
    pub(in crate::lower) fn share_of(
        &mut self,
        setting: &Setting<'_, 'p>,
        weight: TensorId,
        bytes: ExprId,
        what: Shares,
    ) -> ExprId {
        let reduction = setting.laid.reductions.iter().find(|r| r.weight == weight);
        match reduction.and_then(|r| r.shared) {
            Some((level, n)) if level >= what => self.graph.div(bytes, n),
            _ => bytes,
        }
    }

    /// What devices that share weights or gradients hold beside their own share: layers gathered
    /// ahead, what is gathered beside the layers, and one gradient before it is scattered.
    pub(in crate::lower) fn unshared_bytes(
        &mut self,
        setting: &Setting<'_, 'p>,
        work: &Workload,
        frame: &Frame,
    ) -> Option<Option<ExprId>> {
        let (mut layer, mut beside, mut gradient) = (None, None, None);
        let mut rounds = None;
        for reduction in &setting.laid.reductions {
            let Some((level, n)) = reduction.shared else { continue };
            if level < Shares::Gradients {
                continue;
            }
            let weight = reduction.weight;
            let own = setting.model.weights.iter().find(|(w, _)| *w == weight).and_then(|w| w.1);
            let one = self.counted(1.0, "1", setting.place, "with one device all is its share");
            let alone = self.graph.binary(Op::Eq, n, one);
            let none = self.zero(Dimension::BYTES, setting.place, "all is its share");
            let unless_alone = |checker: &mut Self, bytes: Option<ExprId>| {
                bytes.map(|b| checker.graph.select(alone, none, b))
            };
            if own.is_some() {
                let bytes = self.gradient_bytes(setting, frame, weight);
                let bytes = unless_alone(self, bytes);
                gradient = self.plus(gradient, bytes);
            }
            if level == Shares::Weights {
                let bytes = self.weight_bytes(setting, frame, weight);
                let bytes = unless_alone(self, bytes);
                rounds = rounds.or(own);
                let sum = if own.is_some() { &mut layer } else { &mut beside };
                *sum = self.plus(*sum, bytes);
            }
        }
        let mut all = beside;
        if let (Some(layer), Some(rounds)) = (layer, rounds) {
            let mut own = rounds;
            if let Some([first, ..]) = work.shares {
                own = self.graph.mul(rounds, first);
            }
            let args = [("layer", Value::Num(layer)), ("layers", Value::Num(own))];
            let held = if setting.plan.keep_gathered { "kept_bytes" } else { "gathered_bytes" };
            let held = self.library_number(held, &args)?;
            all = self.plus(all, Some(held));
        }
        Some(self.plus(all, gradient))
    }
}
