//! Operators between tensors and axes: sums, products by name, axis sets.

use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::ir::{AxisId, TensorId};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{BinaryOp, Expr};

impl<'p> Checker<'p> {
    /// An operator between tensors, or a tensor and a number.
    pub(super) fn tensor_binary(
        &mut self,
        op: BinaryOp,
        (left, a): (Value<'p>, &'p Expr),
        (right, b): (Value<'p>, &'p Expr),
        place: Place,
        env: &Env<'p>,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        let (pa, pb) = (env.site().place(a.span), env.site().place(b.span));
        let scales = matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div);
        let (x, y) = match (&left, &right) {
            (Value::Tensor(x), Value::Tensor(y)) => (*x, *y),
            (Value::Tensor(_), Value::Num(_) | Value::Axis(_))
            | (Value::Num(_) | Value::Axis(_), Value::Tensor(_))
                if !scales =>
            {
                return self.wrong_operator(op, place);
            }
            (Value::Tensor(_), Value::Num(_) | Value::Axis(_)) => {
                return self.operator_op("scale", vec![(left, pa)], place, expected);
            }
            (Value::Num(_) | Value::Axis(_), Value::Tensor(_)) => {
                return self.operator_op("scale", vec![(right, pb)], place, expected);
            }
            (Value::Tensor(_), other) => {
                self.report_not_tensor(&other.clone(), pb);
                return Value::Error;
            }
            (other, _) => {
                self.report_not_tensor(&other.clone(), pa);
                return Value::Error;
            }
        };
        match op {
            BinaryOp::Mul => {
                for (tensor, at) in [(x, pa), (y, pb)] {
                    if self.builder.products.contains(&tensor) {
                        self.report_nested_product(tensor, at);
                        return Value::Error;
                    }
                }
                let all = {
                    let tensors = &self.builder.built.model.tensors;
                    let mut all = tensors[x].axes.clone();
                    all.extend(tensors[y].axes.iter().filter(|a| !tensors[x].axes.contains(a)));
                    all
                };
                let sums = expected.is_some_and(|e| all.iter().any(|a| !e.contains(a)));
                let lacking = expected.is_some_and(|e| e.iter().any(|a| !all.contains(a)));
                let name = if sums || lacking { "contract" } else { "multiply" };
                let value = self.operator_op(name, vec![(left, pa), (right, pb)], place, expected);
                if let Value::Tensor(t) = value {
                    if name == "contract"
                        && let Some(adapted) = self.adapted(x, y, t, place)
                    {
                        return adapted;
                    }
                    self.builder.products.insert(t);
                }
                value
            }
            BinaryOp::Add => {
                self.operator_op("add", vec![(left, pa), (right, pb)], place, expected)
            }
            BinaryOp::Sub => {
                self.operator_op("subtract", vec![(left, pa), (right, pb)], place, expected)
            }
            BinaryOp::Div => {
                self.operator_op("divide", vec![(left, pa), (right, pb)], place, expected)
            }
            _ => self.wrong_operator(op, place),
        }
    }

    pub(super) fn wrong_operator(&mut self, op: BinaryOp, place: Place) -> Value<'p> {
        self.report(
            Diagnostic::new(
                codes::WRONG_TYPE,
                format!("`{}` does not work on tensors", op.symbol()),
                place,
                "an operand is a tensor",
            )
            .note("tensors know `+ - * /` and the ops that are declared with `op`"),
        );
        Value::Error
    }

    pub(super) fn report_nested_product(&mut self, tensor: TensorId, at: Place) {
        let axes = self.builder.built.model.tensors[tensor].axes.clone();
        let shown: Vec<String> =
            axes.iter().map(|a| self.builder.built.model.axes[*a].name.to_string()).collect();
        self.report(
            Diagnostic::new(
                codes::NESTED_PRODUCT,
                "a product inside of a product leaves open which axes it sums",
                at,
                "this product needs a name and axes of its own",
            )
            .note(format!("define it first: `part[{}] = …`", shown.join(", "))),
        );
    }

    /// An op of the prelude, by name, on operands already evaluated.
    pub(super) fn operator_op(
        &mut self,
        name: &str,
        operands: Vec<(Value<'p>, Place)>,
        place: Place,
        expected: Option<&[AxisId]>,
    ) -> Value<'p> {
        let Some(item) = self.program.prelude_item(Name::new(name)) else {
            self.broken_library.push(Name::new(name));
            return Value::Error;
        };
        let params = item.item.params.as_deref().unwrap_or_default();
        let values =
            params.iter().zip(operands).map(|(param, (value, at))| (param, value, at)).collect();
        self.apply_op(item, values, place, expected)
    }

    /// The axes that a value names: a composite axis is its parts.
    fn axes_in<'v>(&'v self, value: &'v Value<'p>) -> &'v [AxisId] {
        match value {
            Value::Axis(axis) => match self.axis_info(*axis) {
                Some(a) if !a.parts.is_empty() => &a.parts,
                _ => std::slice::from_ref(axis),
            },
            Value::Axes(axes) => axes,
            _ => &[],
        }
    }

    /// `A | B`, `A & B`, `A - B`.
    pub(super) fn axis_set(&self, op: BinaryOp, a: &Value<'p>, b: &Value<'p>) -> Value<'p> {
        let (a, b) = (self.axes_in(a), self.axes_in(b));
        let out: Vec<AxisId> = match op {
            BinaryOp::Union => {
                let new = b.iter().filter(|x| !a.contains(x));
                a.iter().chain(new).copied().collect()
            }
            BinaryOp::Intersect => a.iter().filter(|x| b.contains(x)).copied().collect(),
            _ => a.iter().filter(|x| !b.contains(x)).copied().collect(),
        };
        Value::Axes(out.into())
    }

    /// `size(A | B)`, `bytes(a)`, `extent(over)`: known where an op is costed.
    pub(super) fn tensor_builtin(
        &mut self,
        builtin: &str,
        values: &[(Option<Name>, Value<'p>, Place)],
        place: Place,
    ) -> Value<'p> {
        let [(_, value, at)] = values else {
            return self.wrong_arity(builtin, 1, values.len(), place);
        };
        match (builtin, value) {
            ("origin", Value::Axis(axis)) => {
                let from = self.axis_info(*axis).and_then(|a| a.renamed_from);
                from.map_or(Value::None, Value::Axis)
            }
            ("origin", Value::Axes(axes)) => match axes.first().copied() {
                Some(axis) => {
                    let from = self.axis_info(axis).and_then(|a| a.renamed_from);
                    from.map_or(Value::None, Value::Axis)
                }
                None => Value::None,
            },
            ("window", Value::Axis(axis)) => {
                let window = self.axis_info(*axis).and_then(|a| a.window);
                window.map_or(Value::None, Value::Num)
            }
            ("window", Value::Axes(axes)) => {
                let window = axes.first().and_then(|a| self.axis_info(*a)?.window);
                window.map_or(Value::None, Value::Num)
            }
            ("size", Value::Axis(axis)) => self.frame_size(&[*axis], false, place),
            ("size", Value::Axes(axes)) => self.frame_size(axes, false, place),
            ("size", Value::Tensor(t)) => {
                let axes = self.tensor_axes(*t);
                self.frame_size(&axes, false, place)
            }
            ("extent", Value::Axis(axis)) => self.frame_size(&[*axis], true, place),
            ("extent", Value::Axes(axes)) => self.frame_size(axes, true, place),
            ("bytes", Value::Tensor(t)) => self.frame_bytes(*t, place),
            (_, Value::Error) => Value::Error,
            (_, other) => {
                let what = other.describe();
                self.report(Diagnostic::new(
                    codes::WRONG_TYPE,
                    format!("`{builtin}` does not take {what}"),
                    *at,
                    "an axis, a set of axes or a tensor of the op is wanted",
                ));
                Value::Error
            }
        }
    }
}
