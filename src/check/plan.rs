//! Plans: from an object to a mesh and shard rules.

use std::rc::Rc;

use super::object::Object;
use super::value::Value;
use super::{Checker, Machine, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Origin, OriginKind};
use crate::ir::{MeshAxis, Plan, ShardRule};
use crate::name::Name;
use crate::syntax::ast::{ExprKind, Ident, StmtKind};

impl<'p> Checker<'p> {
    /// The mesh and the rules of a plan on a machine (`rest` needs one).
    pub fn plan(
        &mut self,
        object: &Rc<Object<'p>>,
        machine: Option<&Machine<'p>>,
    ) -> Option<Plan> {
        let mut plan = Plan { name: Some(object.name), ..Plan::default() };
        let mut good = true;
        for statement in object.stmts.clone() {
            let outer = statement.outer.clone();
            let site = outer.site();
            let env = self.fields_env(object, &outer);
            match &statement.stmt.kind {
                StmtKind::Mesh(axes) => {
                    good &= self.mesh(axes, object, machine, &env, &mut plan);
                }
                StmtKind::Shard { axes, over, within, schedule: _ } => {
                    let mut group = Vec::new();
                    for ident in over {
                        match plan.mesh.iter().find(|(_, m)| m.name == ident.name) {
                            Some((id, _)) => group.push(id),
                            None => {
                                good = false;
                                self.unknown_mesh_axis(ident, &plan, site);
                            }
                        }
                    }
                    let group: Rc<[_]> = group.into();
                    for axis in axes {
                        let span = axis.iter().map(|i| i.span).reduce(|a, b| a.to(b));
                        let place = site.place(span.unwrap_or(statement.stmt.span));
                        let within: Vec<Vec<Name>> =
                            within.iter().map(|w| w.iter().map(|i| i.name).collect()).collect();
                        let name: Vec<Name> = axis.iter().map(|i| i.name).collect();
                        let before = plan.rules.iter().find(|r| {
                            r.axis == name
                                && (r.within == within
                                    || (r.within.is_empty() && within.is_empty()))
                        });
                        if let Some(before) = before {
                            good = false;
                            self.report(
                                Diagnostic::new(
                                    codes::SHARD_TWICE,
                                    format!("`{}` is sharded twice", show_path(&name)),
                                    place,
                                    "again here",
                                )
                                .and(before.place, "sharded here first")
                                .note(
                                    "name all mesh axes in one rule (`over cp, tp`), or say \
                                     `within` where the second one holds",
                                ),
                            );
                            continue;
                        }
                        plan.rules.push(ShardRule {
                            axis: name,
                            over: group.clone(),
                            within,
                            place,
                            scope_place: site.place(statement.stmt.span),
                        });
                    }
                }
                StmtKind::Require { cond, clauses } => self.require(cond, clauses, &env),
                StmtKind::Zero { over, .. } => {
                    for ident in over {
                        if !plan.mesh.iter().any(|(_, m)| m.name == ident.name) {
                            good = false;
                            self.unknown_mesh_axis(ident, &plan, site);
                        }
                    }
                }
                StmtKind::Overlap(_) | StmtKind::Fold { .. } | StmtKind::Section { .. } => {}
                _ => self.report_misplaced(statement.stmt, "a plan", &outer),
            }
        }
        good.then_some(plan)
    }

    fn mesh(
        &mut self,
        axes: &'p [crate::syntax::ast::MeshAxis],
        object: &Rc<Object<'p>>,
        machine: Option<&Machine<'p>>,
        env: &super::Env<'p>,
        plan: &mut Plan,
    ) -> bool {
        let site = env.site();
        let mut sizes: Vec<Option<ExprId>> = Vec::new();
        let mut good = true;
        for (i, axis) in axes.iter().enumerate() {
            let place = site.place(axis.name.span);
            if axes.iter().take(i).any(|a| a.name.name == axis.name.name) {
                good = false;
                self.report(Diagnostic::new(
                    codes::DUPLICATE_NAME,
                    format!("the mesh has `{}` twice", axis.name.name),
                    place,
                    "again here",
                ));
            }
            let value = match &axis.size {
                Some(expr) if matches!(expr.kind, ExprKind::Name(n) if n == "rest") => {
                    sizes.push(None);
                    continue;
                }
                Some(expr) => self.eval(expr, env),
                None => match self.field(object, axis.name.name) {
                    Some(value) => value,
                    None => {
                        good = false;
                        self.report(
                            Diagnostic::new(
                                codes::UNKNOWN_NAME,
                                format!("mesh axis `{}` has no size", axis.name.name),
                                place,
                                "no parameter or setting of the plan has this name",
                            )
                            .note(format!(
                                "add a parameter `{0}: Count`, or write `{0} = 8`",
                                axis.name.name
                            )),
                        );
                        continue;
                    }
                },
            };
            let what = format!("mesh axis `{}`", axis.name.name);
            let value = self.expect_type(value, super::types::Ty::Count, place, &what);
            match value {
                Value::Num(id) => {
                    self.guards.push(super::Guard::AtLeastOne(id));
                    if self.graph.known(id).is_some_and(|v| v < 1.0) {
                        good = false;
                        let at = self.graph.origin_of(id).map_or(place, |o| o.place);
                        self.report(
                            Diagnostic::new(
                                codes::OUT_OF_RANGE,
                                format!("{what} needs at least one device"),
                                at,
                                "less than 1",
                            )
                            .and(place, "the mesh axis"),
                        );
                    }
                    sizes.push(Some(id));
                }
                _ => {
                    good = false;
                    sizes.push(None);
                }
            }
        }
        if !good || sizes.len() != axes.len() {
            return false;
        }
        // `rest` takes what the other axes leave of the machine.
        let fixed = self.graph.product(sizes.iter().flatten().copied());
        for (axis, size) in axes.iter().zip(sizes.iter_mut()) {
            if size.is_none() {
                let Some(machine) = machine else { return false };
                let place = site.place(axis.name.span);
                let origin = Origin {
                    name: axis.name.name,
                    kind: OriginKind::Inferred,
                    place,
                    rule: Some("the devices of the machine over the other mesh axes"),
                };
                let rest = match fixed {
                    Some(fixed) => {
                        let share = self.graph.div(machine.devices, fixed);
                        self.graph.unary(crate::expr::Op::Floor, share)
                    }
                    None => machine.devices,
                };
                *size = Some(self.graph.named(rest, origin));
            }
        }
        let mut stride: Option<ExprId> = None;
        let mut strides = Vec::new();
        for size in sizes.iter().rev().flatten() {
            strides.push(stride);
            stride = Some(stride.map_or(*size, |s| self.graph.mul(s, *size)));
        }
        strides.reverse();
        let place = axes.first().map(|a| site.place(a.name.span));
        let (Some(place), Some(devices)) = (place, stride) else { return true };
        let one = self.counted(1.0, "1", place, "the innermost mesh axis has neighbours beside it");
        for ((axis, size), stride) in axes.iter().zip(sizes).zip(strides) {
            let Some(size) = size else { continue };
            let place = site.place(axis.name.span);
            let kind = self.graph.origin_of(size).map_or(OriginKind::Literal, |o| o.kind);
            let _ = kind;
            plan.mesh.push(MeshAxis {
                name: axis.name.name,
                size,
                stride: stride.unwrap_or(one),
                place,
                across: axis.across.map(|a| a.name),
            });
        }
        let origin = Origin {
            name: Name::new("plan.devices"),
            kind: OriginKind::Inferred,
            place,
            rule: Some("the product of the mesh axes"),
        };
        plan.devices = Some(self.graph.named(devices, origin));
        true
    }

    pub(super) fn unknown_mesh_axis(&mut self, ident: &Ident, plan: &Plan, site: super::Site) {
        let known: Vec<&str> = plan.mesh.iter().map(|(_, m)| m.name.text()).collect();
        let mut diagnostic = Diagnostic::new(
            codes::UNKNOWN_MESH_AXIS,
            format!("the mesh has no axis `{}`", ident.name),
            site.place(ident.span),
            "not a mesh axis",
        );
        if let Some(best) = super::closest(ident.name.text(), known.iter().copied()) {
            diagnostic = diagnostic.note(format!("did you mean `{best}`?")).fix(
                format!("write `{best}`"),
                site.place(ident.span),
                best,
                crate::diagnostic::Safety::Review,
            );
        } else if known.is_empty() {
            diagnostic = diagnostic.note("declare it before the rule: `mesh tp`");
        } else {
            diagnostic = diagnostic.note(format!("the mesh has: {}", known.join(", ")));
        }
        self.report(diagnostic);
    }
}

/// `a.b` of a path of names.
#[must_use]
pub fn show_path(path: &[Name]) -> String {
    path.iter().map(|n| n.text()).collect::<Vec<_>>().join(".")
}
