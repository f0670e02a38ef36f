//! Axes and tensors of a model being built: made, sized, unified by name, shown.

use std::rc::Rc;

use super::program::ItemRef;
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest};
use crate::expr::{ExprId, Op};
use crate::ir::{Axis, AxisId, AxisSize, Role, Tensor, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::AxisRef;

impl<'p> Checker<'p> {
    /// A model whose input has an axis that nothing measures.
    pub(super) fn report_open_axis(&mut self, axis: &AxisRef, env: &Env<'p>) {
        let name = axis.name.name;
        self.report(
            Diagnostic::new(
                codes::UNKNOWN_AXIS,
                format!("nothing says how long axis `{name}` of this model is"),
                self.builder.here.scope.place,
                "a block as a whole model",
            )
            .and(env.site().place(axis.name.span), "an axis of the caller, and there is none")
            .note(format!(
                "add a parameter `{name}: Count` to the block, or call it inside of another block"
            )),
        );
    }

    pub(super) fn unify_size(&mut self, axis: &AxisRef, id: AxisId, size: ExprId, env: &Env<'p>) {
        let Some(have) = self.axis_size(id) else { return };
        let equal = self.graph.binary(Op::Eq, have, size);
        self.decide(equal);
        let (x, y) = (self.graph.value(have), self.graph.value(size));
        if !x.is_nan() && !y.is_nan() && x != y {
            let at = env.site().place(axis.name.span);
            let made = self.builder.built.model.axes[id].place;
            let given = self.graph.origin_of(size).map(|o| o.place);
            let mut diagnostic = Diagnostic::new(
                codes::AXIS_MISMATCH,
                format!(
                    "axis `{}` is {} in the tensor and {} as a parameter",
                    axis.name.name,
                    super::show_number(x),
                    super::show_number(y)
                ),
                at,
                "the two sizes meet here",
            )
            .and(made, format!("{} comes from this axis", super::show_number(x)));
            if let Some(given) = given {
                diagnostic =
                    diagnostic.and(given, format!("{} comes from here", super::show_number(y)));
            }
            self.report(diagnostic);
        }
    }

    /// The axis of the library's prelude (`batch`, `seq`, `ctx`): one per model.
    pub(super) fn prelude_axis(&mut self, item: ItemRef<'p>) -> Value<'p> {
        let name = item.item.name.name;
        if !self.builder.active {
            return Value::Word(name);
        }
        // A windowed cache in this block renames to an axis of its own.
        let key = (name, self.builder.here.scope.path.clone());
        if let Some(axis) = self.builder.windowed.get(&key) {
            return Value::Axis(*axis);
        }
        Value::Axis(self.phase_axis(name, item.name_place()))
    }

    pub(super) fn phase_axis(&mut self, name: Name, place: Place) -> AxisId {
        if let Some(axis) = self.builder.axes.get(&name) {
            return *axis;
        }
        let axis = self.new_axis(name, AxisSize::Phase(name), place);
        self.builder.built.model.axes[axis].path = Rc::new([]);
        self.builder.axes.insert(name, axis);
        axis
    }

    pub(super) fn new_axis(&mut self, name: Name, size: AxisSize, place: Place) -> AxisId {
        let path = self.builder.here.scope.path.clone();
        if let AxisSize::Fixed(id) = size {
            self.guards.push(super::Guard::AtLeastOne(id));
        }
        if let AxisSize::Fixed(id) = size
            && let Some(v) = self.graph.known(id)
            && v < 1.0
        {
            let at = self.graph.origin_of(id).map_or(place, |o| o.place);
            self.report(
                Diagnostic::new(
                    codes::ZERO_AXIS,
                    format!("axis `{name}` has {} elements", super::show_number(v)),
                    place,
                    "used as an axis here",
                )
                .and(at, "its size"),
            );
        }
        self.builder.built.model.axes.push(Axis {
            name,
            aliases: vec![(name, path.clone())],
            path,
            size,
            parts: Vec::new(),
            whole: Vec::new(),
            renamed_from: None,
            window: None,
            stride: None,
            sparse: None,
            repeats: false,
            place,
        })
    }

    pub(super) fn new_tensor(
        &mut self,
        name: Name,
        written: Vec<AxisId>,
        role: Role,
        dtype: Rc<crate::ir::Dtype>,
        place: Place,
    ) -> TensorId {
        let axes = self.atoms(&written);
        let scope = self.builder.here.scope.clone();
        let only = self.builder.only.clone();
        let indices = self.builder.indices.clone();
        self.builder.built.model.tensors.push(Tensor {
            name,
            named: false,
            axes,
            written,
            role,
            dtype,
            density: None,
            producer: None,
            place,
            from: None,
            scope,
            only,
            indices,
            tied: false,
        })
    }

    pub(super) fn copy_tensor(&mut self, of: TensorId, name: Name, place: Place) -> TensorId {
        let mut copy = self.builder.built.model.tensors[of].clone();
        copy.name = name;
        copy.named = true;
        copy.producer = None;
        copy.place = place;
        self.builder.built.model.tensors.push(copy)
    }

    /// How many rounds of repeats surround what is built now.
    pub(super) fn rounds(&self) -> Option<ExprId> {
        self.builder.rounds
    }

    /// Composite axes replaced by their parts.
    pub fn atoms(&self, axes: &[AxisId]) -> Vec<AxisId> {
        let mut out = Vec::new();
        for &axis in axes {
            let parts = &self.builder.built.model.axes[axis].parts;
            if parts.is_empty() {
                out.push(axis);
            } else {
                out.extend(parts.iter().copied());
            }
        }
        out
    }

    /// The length of an axis, where the model alone decides it.
    pub fn axis_size(&self, axis: AxisId) -> Option<ExprId> {
        if !self.builder.active {
            return None;
        }
        let a = &self.builder.built.model.axes[axis];
        match a.size {
            AxisSize::Fixed(id) => Some(id),
            AxisSize::Phase(_) => None,
            AxisSize::Composite(id) => Some(id),
        }
    }

    /// An axis of the model being built.
    pub(crate) fn built_axis(&self, axis: AxisId) -> Option<&Axis> {
        self.builder.active.then(|| &self.builder.built.model.axes[axis])
    }

    /// `batch, seq, hidden = 8192`, for messages.
    pub(super) fn show_axes(&self, axes: &[AxisId]) -> String {
        let shown: Vec<String> = axes
            .iter()
            .map(|axis| {
                let a = &self.builder.built.model.axes[*axis];
                match self.axis_size(*axis).and_then(|id| self.graph.known(id)) {
                    Some(v) => format!("{} = {}", a.name, super::show_number(v)),
                    None => a.name.to_string(),
                }
            })
            .collect();
        shown.join(", ")
    }

    pub(super) fn report_not_tensor(&mut self, value: &Value<'p>, place: Place) {
        if matches!(value, Value::Error) {
            return;
        }
        let what = value.describe();
        self.report(Diagnostic::new(
            codes::NOT_A_TENSOR,
            format!("{what} is not a tensor"),
            place,
            "a tensor is wanted here",
        ));
    }

    /// The axis that a name in brackets means.
    pub(super) fn axis_named(&mut self, axis: &AxisRef, env: &Env<'p>) -> Option<AxisId> {
        let place = env.site().place(axis.name.span);
        match self.find_name(axis.name.name, place, env) {
            Some(Value::Axis(id)) => Some(id),
            Some(Value::Num(size)) => {
                let value = self.expect_type(
                    Value::Num(size),
                    super::types::Ty::Count,
                    place,
                    &format!("axis `{}`", axis.name.name),
                );
                let Value::Num(size) = value else { return None };
                let id = self.new_axis(axis.name.name, AxisSize::Fixed(size), place);
                env.rebind(axis.name.name, Value::Axis(id));
                Some(id)
            }
            Some(Value::Error) => None,
            Some(other) => {
                let what = other.describe();
                self.report(Diagnostic::new(
                    codes::UNKNOWN_AXIS,
                    format!("{what} is not an axis"),
                    place,
                    "an axis is wanted here",
                ));
                None
            }
            None => {
                self.report_unknown_axis(axis.name.name, place, env);
                None
            }
        }
    }

    pub(super) fn report_unknown_axis(&mut self, name: Name, place: Place, env: &Env<'p>) {
        let names = self.visible_names(env);
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_AXIS,
            format!("there is no axis `{name}` here"),
            place,
            "not an axis",
        );
        let best = closest(name.text(), names.iter().map(|n| n.text()));
        let otherwise = "an axis is a `Count` parameter, an axis of an input, one declared with \
                         `axis`, or `batch`, `seq`, `ctx`";
        self.report(diagnostic.meant(best, place, otherwise));
    }

    pub(super) fn times(&mut self, a: Option<ExprId>, b: Option<ExprId>) -> Option<ExprId> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.mul(a, b)),
            (None, b) => b,
            (a, None) => a,
        }
    }
}
