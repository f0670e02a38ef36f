//! The sizes that an op's formulas see: of one device's shard, or of the whole.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::check::{Checker, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin};
use crate::graph::Shard;
use crate::ir::model::Sparse;
use crate::ir::{AxisId, AxisSize, Model, Tensor, TensorId};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::Place;

/// How the shards of an axis enter its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// The whole axis: useful work.
    Whole,
    /// Divided exactly: what a device would do without padding.
    Even,
    /// Divided and rounded up: what the fullest device does.
    Local,
}

/// Sizes while one op or tensor is costed.
#[derive(Clone)]
pub struct Frame {
    /// Lengths of the axes that a phase sets.
    pub phase: Rc<FxHashMap<Name, ExprId>>,
    /// How shards enter.
    pub view: View,
    /// The shards in force.
    pub shards: Vec<Shard>,
    /// Keys that a query sees, for the pair of axes (queries, keys) of a masked kernel.
    pub seen: Option<(AxisId, AxisId, ExprId)>,
    /// The axes of the op at hand. A sparse axis beside its tokens counts those that are picked.
    pub around: Rc<[AxisId]>,
    /// Axes of the tensors by id, and axis data: the model under cost.
    pub model: Rc<Model>,
    /// Where sizes are said to come from.
    pub place: Place,
}

impl Frame {
    /// Sizes of a model on one device, with nothing cut and nothing masked.
    pub(crate) fn new(phase: FxHashMap<Name, ExprId>, model: Rc<Model>, place: Place) -> Self {
        Self {
            phase: Rc::new(phase),
            view: View::Local,
            shards: Vec::new(),
            seen: None,
            around: Rc::new([]),
            model,
            place,
        }
    }
    /// Sizes of a whole model, in no phase.
    pub(crate) fn whole(model: &Model, place: Place) -> Self {
        let model = Rc::new(model.clone());
        Self { view: View::Whole, ..Self::new(FxHashMap::default(), model, place) }
    }
    /// The same sizes under other shards.
    pub(crate) fn with(
        &self,
        shards: &[Shard],
        view: View,
        seen: Option<(AxisId, AxisId, ExprId)>,
    ) -> Self {
        Self {
            phase: self.phase.clone(),
            view,
            shards: shards.to_vec(),
            seen,
            around: self.around.clone(),
            model: self.model.clone(),
            place: self.place,
        }
    }
}

impl<'p> Checker<'p> {
    /// `bytes(attention.wq)`, made once for each tensor.
    fn bytes_of(&mut self, tensor: &Tensor) -> Name {
        let key = (tensor.scope.path.clone(), tensor.name);
        let make = || Name::new(&format!("bytes({})", tensor.path()));
        *self.byte_names.entry(key).or_insert_with(make)
    }

    pub(crate) fn axis_info(&self, axis: AxisId) -> Option<&crate::ir::Axis> {
        match &self.frame {
            Some(frame) => Some(&frame.model.axes[axis]),
            None => self.built_axis(axis),
        }
    }
    pub(crate) fn tensor_axes(&self, tensor: TensorId) -> Vec<AxisId> {
        match &self.frame {
            Some(frame) => frame.model.tensors[tensor].axes.clone(),
            None => Vec::new(),
        }
    }

    /// The whole length of an axis in the phase of the frame.
    pub(crate) fn axis_length(&mut self, axis: AxisId) -> Option<ExprId> {
        let frame = self.frame.as_ref()?;
        let a = &frame.model.axes[axis];
        match a.size {
            AxisSize::Fixed(id) => Some(id),
            AxisSize::Composite(id) => Some(id),
            AxisSize::Phase(name) => {
                let length = *frame.phase.get(&name)?;
                if let Some(stride) = a.stride {
                    let args = [("keys", Value::Num(length)), ("stride", Value::Num(stride))];
                    return self.library_number("keys_condensed", &args);
                }
                let Some(window) = a.window else { return Some(length) };
                // A window keeps what its queries can still see.
                let queries = a.renamed_from.and_then(|q| match frame.model.axes[q].size {
                    AxisSize::Phase(n) => frame.phase.get(&n).copied(),
                    _ => None,
                })?;
                self.library_number(
                    "keys_in_window",
                    &[
                        ("keys", Value::Num(length)),
                        ("queries", Value::Num(queries)),
                        ("window", Value::Num(window)),
                    ],
                )
            }
        }
    }

    /// Whether a tensor is empty in this phase: it has an axis (pictures) of which there are none.
    pub(crate) fn is_empty(&mut self, frame: &Frame, tensor: TensorId) -> bool {
        frame.model.tensors[tensor].axes.iter().any(|axis| {
            let AxisSize::Phase(name) = frame.model.axes[*axis].size else { return false };
            let Some(length) = frame.phase.get(&name) else { return false };
            if self.graph.known(*length) != Some(0.0) {
                return false;
            }
            self.rely(*length);
            true
        })
    }

    fn axis_view(&mut self, axis: AxisId) -> Option<ExprId> {
        let length = self.axis_length(axis)?;
        let frame = self.frame.as_ref()?;
        let view = frame.view;
        if view == View::Whole {
            return Some(length);
        }
        let shards = frame.shards.iter().filter(|s| s.axis == axis).map(|s| s.count);
        let Some(count) = self.graph.product(shards) else { return Some(length) };
        let share = self.graph.div(length, count);
        Some(if view == View::Local { self.graph.unary(Op::Ceil, share) } else { share })
    }

    /// How much of a sparse axis is there: beside its tokens what each picks, alone in an op on
    /// tokens what any of them picks, else all of it. The library knows how uneven that is.
    fn sparse_view(
        &mut self,
        axis: AxisId,
        sparse: &Sparse,
        atoms: &[AxisId],
        frame: &Frame,
    ) -> Option<ExprId> {
        let paired = sparse.along.iter().any(|a| atoms.contains(a));
        let touched = sparse.along.iter().any(|a| frame.around.contains(a));
        if !paired && !touched {
            return self.axis_view(axis);
        }
        let extent = self.axis_length(axis)?;
        let shards = frame.shards.iter().filter(|s| s.axis == axis).map(|s| s.count);
        let devices = self.graph.product(shards.collect::<Vec<_>>());
        let devices = devices.filter(|_| frame.view != View::Whole);
        let mut picks = sparse.present;
        if let Some(keys) = sparse.keys
            && let Some(queries) = frame.model.axes[keys].renamed_from
        {
            let stride = frame.model.axes[keys].stride;
            let (keys, mut queries) = (self.axis_length(keys)?, self.axis_length(queries)?);
            if let Some(stride) = stride {
                queries = self.graph.div(queries, stride);
            }
            let args = [("keys", keys), ("queries", queries), ("picks", picks)];
            picks = self.library_number("keys_picked", &args.map(|(n, v)| (n, Value::Num(v))))?;
        }
        let mut args = vec![("picks", Value::Num(picks))];
        let in_op = !frame.around.is_empty();
        let busiest = in_op && devices.is_some() && frame.view == View::Local;
        args.extend(devices.filter(|_| busiest).map(|n| ("devices", Value::Num(n))));
        let size = if paired {
            self.library_number(if busiest { "picks_of_busiest" } else { "picks_of_token" }, &args)?
        } else {
            let mut tokens = None;
            for along in sparse.along.iter() {
                let size = self.axis_view(*along)?;
                tokens = Some(tokens.map_or(size, |t| self.graph.mul(t, size)));
            }
            args.extend([("experts", Value::Num(extent)), ("tokens", Value::Num(tokens?))]);
            let name = if busiest { "experts_touched_by_busiest" } else { "experts_touched" };
            self.library_number(name, &args)?
        };
        match devices {
            Some(devices) if !busiest => Some(self.graph.div(size, devices)),
            _ => Some(size),
        }
    }

    /// The number of elements over axes, with a mask where both of its axes are among them.
    pub(crate) fn frame_size(&mut self, axes: &[AxisId], extent: bool, place: Place) -> Value<'p> {
        let Some((model, seen)) = self.frame.as_ref().map(|f| (f.model.clone(), f.seen)) else {
            self.report(Diagnostic::new(
                codes::STATEMENT_NOT_HERE,
                "sizes are known only where an op is costed",
                place,
                "outside of the formulas of an op",
            ));
            return Value::Error;
        };
        let mut atoms: Vec<AxisId> = Vec::new();
        for axis in axes {
            let parts = &model.axes[*axis].parts;
            if parts.is_empty() { atoms.push(*axis) } else { atoms.extend(parts) }
        }
        let mut product: Option<ExprId> = None;
        for &axis in &atoms {
            let size = match (&model.axes[axis].sparse, &self.frame) {
                _ if extent => self.axis_length(axis),
                (Some(sparse), Some(frame)) => {
                    self.sparse_view(axis, sparse, &atoms, &frame.clone())
                }
                _ => self.axis_view(axis),
            };
            let Some(mut size) = size else { return Value::Error };
            if let Some((queries, keys, seen)) = seen
                && !extent
                && axis == keys
                && atoms.contains(&queries)
            {
                let whole = self.axis_length(axis);
                let Some(whole) = whole else { return Value::Error };
                let share = self.graph.div(seen, whole);
                size = if size == whole { seen } else { self.graph.mul(size, share) };
            }
            product = Some(product.map_or(size, |p| self.graph.mul(p, size)));
        }
        match product {
            Some(id) => Value::Num(id),
            None => {
                let origin = Origin::inferred(Name::new("1"), place, "no axes: one element");
                Value::Num(self.graph.constant(1.0, Dimension::NONE, origin))
            }
        }
    }

    /// The bytes of a tensor at its stored width.
    pub(crate) fn frame_bytes(&mut self, tensor: TensorId, place: Place) -> Value<'p> {
        let Some(model) = self.frame.as_ref().map(|f| f.model.clone()) else {
            return self.frame_size(&[], false, place);
        };
        let t = &model.tensors[tensor];
        let saved = self.frame.as_mut().and_then(|f| f.seen.take());
        let elements = self.frame_size(&t.axes, false, place);
        if let Some(f) = self.frame.as_mut() {
            f.seen = saved;
        }
        let Value::Num(elements) = elements else { return Value::Error };
        let mut bytes = self.graph.mul(elements, t.dtype.width);
        if let Some(density) = t.density {
            bytes = self.graph.mul(bytes, density);
        }
        let origin =
            Origin::inferred(self.bytes_of(t), t.place, "elements times bytes per element");
        Value::Num(self.graph.named(bytes, origin))
    }

    /// The bytes of a tensor under shards, in a view.
    pub(crate) fn tensor_bytes(
        &mut self,
        frame: &Frame,
        tensor: TensorId,
        shards: &[Shard],
        view: View,
    ) -> Option<ExprId> {
        let place = frame.model.tensors[tensor].place;
        let inner = frame.with(shards, view, None);
        let saved = self.frame.replace(inner);
        let value = self.frame_bytes(tensor, place);
        self.frame = saved;
        match value {
            Value::Num(id) => Some(id),
            _ => None,
        }
    }
}
