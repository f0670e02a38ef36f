//! Plans: from an object to a mesh and shard rules.

use std::rc::Rc;

use super::object::Object;
use super::value::Value;
use super::{Checker, Machine, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::expr::{ExprId, Origin};
use crate::ir::{Kept, MeshAxis, MeshId, Plan, Schedule, ShardRule, Zero};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Ident, StmtKind};

/// What `zero … over` may keep once.
pub const ZERO: [&str; 3] = ["optimizer", "gradients", "weights"];
const KEPT: [Kept; 3] = [Kept::Optimizer, Kept::Gradients, Kept::Weights];
/// Orders in which the stages of a pipeline may work.
pub const SCHEDULES: [&str; 6] =
    ["one_f_one_b", "gpipe", "interleaved", "zero_bubble_h1", "zero_bubble_h2", "dual_pipe"];
/// What `overlap` may hide behind compute.
pub const OVERLAP: [&str; 4] = ["gradients", "weights", "activations", "offload"];

impl<'p> Checker<'p> {
    /// The mesh and the rules of a plan on a machine (`rest` needs one).
    pub fn plan(&mut self, object: &Rc<Object<'p>>, machine: Option<&Machine<'p>>) -> Option<Plan> {
        let mut plan = Plan { name: Some(object.name), ..Plan::default() };
        let mut folds: Vec<(Name, Vec<MeshId>)> = Vec::new();
        let mut good = true;
        for statement in object.stmts.clone() {
            let outer = statement.outer.clone();
            let site = outer.site();
            let env = self.fields_env(object, &outer);
            match &statement.stmt.kind {
                StmtKind::Mesh(axes) => {
                    good &= self.mesh(axes, object, machine, &env, &mut plan);
                }
                StmtKind::Shard { axes, over, within, schedule } => {
                    if let Some(expr) = schedule {
                        plan.schedule = self.schedule(expr, &env);
                        good &= plan.schedule.is_some();
                    }
                    let Some(group) = self.mesh_group(over, &plan, &folds, site) else {
                        good = false;
                        continue;
                    };
                    for axis in axes {
                        let within: Vec<Vec<Name>> =
                            within.iter().map(|w| w.iter().map(|i| i.name).collect()).collect();
                        let span = axis.iter().map(|i| i.span).reduce(|a, b| a.to(b));
                        let rule = ShardRule {
                            axis: axis.iter().map(|i| i.name).collect(),
                            over: group.clone(),
                            within,
                            place: site.place(span.unwrap_or(statement.stmt.span)),
                            scope_place: site.place(statement.stmt.span),
                        };
                        good &= self.shard(rule, &mut plan);
                    }
                }
                StmtKind::Require { cond, clauses } => good &= self.require(cond, clauses, &env),
                StmtKind::Zero { what, over } => {
                    good &= self.known_role(what, &ZERO, site);
                    match self.mesh_group(over, &plan, &folds, site) {
                        Some(over) => {
                            let place = site.place(statement.stmt.span);
                            let level = ZERO.iter().position(|z| what.name == *z);
                            let level = level.and_then(|i| KEPT.get(i).copied());
                            let zero = level.map(|what| Zero { what, over, place });
                            plan.zero.extend(zero);
                        }
                        None => good = false,
                    }
                }
                StmtKind::Overlap(what) => {
                    for ident in what {
                        good &= self.known_role(ident, &OVERLAP, site);
                        plan.overlap.push((ident.name, site.place(ident.span)));
                    }
                }
                StmtKind::Fold { name, value } => match self.fold(value, &plan, site) {
                    Some(axes) => {
                        self.unused_fold(*name, object, site);
                        folds.push((name.name, axes));
                    }
                    None => good = false,
                },
                StmtKind::Section { .. } => {}
                _ => self.report_misplaced(statement.stmt, "a plan", &outer),
            }
        }
        let kept = self.field(object, Name::new("keep_gathered"));
        plan.keep_gathered = matches!(kept, Some(Value::Truth(true)));
        let is = |value: Option<Value<'p>>, word: &str| matches!(value, Some(Value::Word(w)) if w == word);
        plan.ring = is(self.field(object, Name::new("context")), "ring");
        plan.contiguous = is(self.field(object, Name::new("sequence")), "contiguous");
        plan.ends =
            ["first_stage", "last_stage"].map(|name| match self.field(object, Name::new(name)) {
                Some(Value::Num(id)) => Some(id),
                _ => None,
            });
        if let Some(machine) = machine {
            good &= self.offloads(object, machine, &mut plan);
        }
        good.then_some(plan)
    }

    /// Adds a rule, unless there is one for the same axis in the same scope.
    fn shard(&mut self, rule: ShardRule, plan: &mut Plan) -> bool {
        let same = |r: &&ShardRule| r.axis == rule.axis && r.within == rule.within;
        if let Some(before) = plan.rules.iter().find(same) {
            let title = format!("`{}` is sharded twice", show_path(&rule.axis));
            self.report(
                Diagnostic::new(codes::SHARD_TWICE, title, rule.place, "again here")
                    .and(before.place, "sharded here first")
                    .note(
                        "name all mesh axes in one rule (`over cp, tp`), or say `within` where \
                         the second one holds",
                    ),
            );
            return false;
        }
        plan.rules.push(rule);
        true
    }

    /// `one_f_one_b`, `gpipe`, `interleaved(chunks: 2)`.
    fn schedule(&mut self, expr: &'p Expr, env: &super::Env<'p>) -> Option<Schedule> {
        let place = env.site().place(expr.span);
        let (name, args) = match &expr.kind {
            ExprKind::Name(name) => (Some(*name), &[][..]),
            ExprKind::Call { callee, args, .. } => match &callee.kind {
                ExprKind::Name(name) => (Some(*name), args.as_slice()),
                _ => (None, &[][..]),
            },
            ExprKind::Error => return None,
            _ => (None, &[][..]),
        };
        let known = name.filter(|n| SCHEDULES.iter().any(|s| *n == *s));
        let mut chunks = None;
        for arg in args {
            let at = env.site().place(arg.span);
            let wanted = known.is_some_and(|n| n == "interleaved")
                && arg.name.is_some_and(|n| n.name == "chunks");
            let value = match (&arg.value, arg.name) {
                (Some(value), _) => self.eval(value, env),
                (None, Some(name)) => self.eval_name(name.name, at, env),
                (None, None) => Value::Error,
            };
            let value = self.expect_type(value, super::types::Ty::Count, at, "`chunks`");
            match (wanted, value) {
                (true, Value::Num(id)) => chunks = Some(id),
                (true, _) => return None,
                (false, _) => {
                    let title = "a schedule takes no such argument";
                    let diagnostic = Diagnostic::new(codes::BAD_SCHEDULE, title, at, "not known");
                    self.report(diagnostic.note("only `interleaved` takes one: `chunks`"));
                    return None;
                }
            }
        }
        let missing = known.is_some_and(|n| n == "interleaved") && chunks.is_none();
        match known {
            Some(name) if !missing => Some(Schedule { name, chunks, place }),
            _ => {
                let title = if missing {
                    "`interleaved` needs to know how many chunks each device has"
                } else {
                    "there is no such pipeline schedule"
                };
                let diagnostic =
                    Diagnostic::new(codes::BAD_SCHEDULE, title, place, "not a schedule");
                let known = "`one_f_one_b`, `gpipe`, `interleaved(chunks: 2)`, `zero_bubble_h1`, \
                             `zero_bubble_h2` or `dual_pipe`";
                self.report(diagnostic.note(format!("write {known}")));
                None
            }
        }
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
        // Sizes in order; `None` takes what is left. A wrong one is unknown, and its axis is there.
        let mut sizes: Vec<Option<ExprId>> = Vec::new();
        let mut good = true;
        for (i, axis) in axes.iter().enumerate() {
            let place = site.place(axis.name.span);
            if let Some(first) = axes.iter().take(i).find(|a| a.name.name == axis.name.name) {
                good = false;
                self.report(
                    Diagnostic::new(
                        codes::DUPLICATE_NAME,
                        format!("the mesh has `{}` twice", axis.name.name),
                        place,
                        "again here",
                    )
                    .and(site.place(first.name.span), "here first"),
                );
            }
            if let (Some(level), Some(machine)) = (&axis.across, machine) {
                good &= self.known_level(level, machine, site);
            }
            if matches!(&axis.size, Some(e) if matches!(e.kind, ExprKind::Name(n) if n == "rest")) {
                sizes.push(None);
                continue;
            }
            let size = self.mesh_size(axis, object, env);
            plan.wrong_sizes |= size.is_none();
            let name = axis.name.name;
            sizes.push(size.or_else(|| {
                Some(self.unknown_number(name, Dimension::NONE, place, "a size that is wrong"))
            }));
        }
        // `rest` takes what the other axes leave of the machine.
        let fixed = self.graph.product(sizes.iter().flatten().copied());
        for (axis, size) in axes.iter().zip(sizes.iter_mut()) {
            if size.is_none() {
                let place = site.place(axis.name.span);
                let Some(machine) = machine else {
                    let rule = "the machine decides";
                    let name = axis.name.name;
                    *size = Some(self.unknown_number(name, Dimension::NONE, place, rule));
                    continue;
                };
                let origin = Origin::inferred(
                    axis.name.name,
                    place,
                    "the devices of the machine over the other mesh axes",
                );
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
            plan.mesh.push(MeshAxis {
                name: axis.name.name,
                size,
                stride: stride.unwrap_or(one),
                place,
                across: axis.across.map(|a| a.name),
            });
        }
        let origin =
            Origin::inferred(Name::new("plan.devices"), place, "the product of the mesh axes");
        plan.devices = Some(self.graph.named(devices, origin));
        good
    }

    /// The size of one mesh axis: what is written, or the parameter or setting of its name.
    fn mesh_size(
        &mut self,
        axis: &'p crate::syntax::ast::MeshAxis,
        object: &Rc<Object<'p>>,
        env: &super::Env<'p>,
    ) -> Option<ExprId> {
        let place = env.site().place(axis.name.span);
        let name = axis.name.name;
        let value = match &axis.size {
            Some(expr) => self.eval(expr, env),
            None => match self.field(object, name) {
                Some(value) => value,
                None => {
                    self.report(
                        Diagnostic::new(
                            codes::UNKNOWN_NAME,
                            format!("mesh axis `{name}` has no size"),
                            place,
                            "no parameter or setting of the plan has this name",
                        )
                        .note(format!("add a parameter `{name}: Count`, or write `{name} = 8`")),
                    );
                    return None;
                }
            },
        };
        let what = format!("mesh axis `{name}`");
        let value_place = axis.size.as_ref().map_or(place, |e| env.site().place(e.span));
        let value = self.expect_type(value, super::types::Ty::Count, value_place, &what);
        let Value::Num(id) = value else { return None };
        self.guards.push(super::Guard::AtLeastOne(id));
        if self.graph.known(id).is_some_and(|v| v < 1.0) {
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
            return None;
        }
        Some(id)
    }

    /// Whether `across LEVEL` names a level of the machine.
    fn known_level(&mut self, level: &Ident, machine: &Machine<'p>, site: super::Site) -> bool {
        let levels: Vec<&str> = machine.system.levels.iter().map(|l| l.name.text()).collect();
        if levels.contains(&level.name.text()) {
            return true;
        }
        let diagnostic = Diagnostic::new(
            codes::NO_SUCH_LEVEL,
            format!("`{}` has no level `{}`", machine.object.name, level.name),
            site.place(level.span),
            "not a level of this machine",
        )
        .and(machine.place, "declared here");
        let best = closest(level.name.text(), levels.iter().copied());
        let place = site.place(level.span);
        self.report(diagnostic.meant(best, place, listed("its levels", &levels)));
        false
    }

    /// Mesh axes by name, products of them included; unknown ones are reported.
    fn mesh_group(
        &mut self,
        over: &[Ident],
        plan: &Plan,
        folds: &[(Name, Vec<MeshId>)],
        site: super::Site,
    ) -> Option<Rc<[MeshId]>> {
        let mut group: Vec<MeshId> = Vec::new();
        let mut good = true;
        for ident in over {
            let before = group.len();
            if let Some((id, _)) = plan.mesh.iter().find(|(_, m)| m.name == ident.name) {
                group.push(id);
            } else if let Some((_, fold)) = folds.iter().find(|(n, _)| *n == ident.name) {
                group.extend(fold);
            } else {
                good = false;
                self.unknown_mesh_axis(ident, plan, site);
            }
            let (old, new) = group.split_at(before.min(group.len()));
            if let Some(twice) = new.iter().find(|id| old.contains(id)) {
                good = false;
                let name = plan.mesh[*twice].name;
                let title = format!("the rule names mesh axis `{name}` twice");
                let place = site.place(ident.span);
                let finding = Diagnostic::new(codes::MESH_AXIS_TWICE, title, place, "again here");
                let label = format!("`{name}` is this one");
                self.report(finding.and(plan.mesh[*twice].place, label));
            }
        }
        good.then(|| group.into())
    }

    /// A product of mesh axes that no rule is over.
    fn unused_fold(&mut self, fold: Ident, object: &Object<'p>, site: super::Site) {
        let used = object.stmts.iter().any(|s| match &s.stmt.kind {
            StmtKind::Shard { over, .. } | StmtKind::Zero { over, .. } => {
                over.iter().any(|axis| axis.name == fold.name)
            }
            _ => false,
        });
        if !used {
            let title = format!("`fold {}` has no effect", fold.name);
            let place = site.place(fold.span);
            let finding = Diagnostic::new(codes::NO_EFFECT, title, place, "no rule is over it");
            self.report(finding.note("cut something over it, or leave it out"));
        }
    }

    /// `fold ep = dp * tp`: the mesh axes of the product.
    fn fold(&mut self, value: &Expr, plan: &Plan, site: super::Site) -> Option<Vec<MeshId>> {
        match &value.kind {
            ExprKind::Binary(BinaryOp::Mul, a, b) => {
                let mut axes = self.fold(a, plan, site)?;
                axes.extend(self.fold(b, plan, site)?);
                Some(axes)
            }
            ExprKind::Paren(inner) => self.fold(inner, plan, site),
            ExprKind::Name(name) => {
                let ident = Ident { name: *name, span: value.span };
                let group = self.mesh_group(&[ident], plan, &[], site)?;
                Some(group.to_vec())
            }
            ExprKind::Error => None,
            _ => {
                self.report(
                    Diagnostic::new(
                        codes::UNKNOWN_MESH_AXIS,
                        "a fold is a product of mesh axes",
                        site.place(value.span),
                        "not a mesh axis",
                    )
                    .note("write the names of mesh axes: `fold ep = dp * tp`"),
                );
                None
            }
        }
    }

    /// Whether a word names something that a plan can keep once (or overlap).
    fn known_role(&mut self, ident: &Ident, known: &[&str], site: super::Site) -> bool {
        if known.iter().any(|k| ident.name == *k) {
            return true;
        }
        let place = site.place(ident.span);
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_ROLE,
            format!("`{}` is no role of tensors that fits here", ident.name),
            place,
            "not one of them",
        );
        let best = closest(ident.name.text(), known.iter().copied());
        self.report(diagnostic.meant(best, place, listed("it may be", known)));
        false
    }

    pub(super) fn unknown_mesh_axis(&mut self, ident: &Ident, plan: &Plan, site: super::Site) {
        let known: Vec<&str> = plan.mesh.iter().map(|(_, m)| m.name.text()).collect();
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_MESH_AXIS,
            format!("the mesh has no axis `{}`", ident.name),
            site.place(ident.span),
            "not a mesh axis",
        );
        let best = closest(ident.name.text(), known.iter().copied());
        let otherwise = match known.is_empty() {
            true => "declare it before the rule: `mesh tp`".to_owned(),
            false => listed("the mesh has", &known),
        };
        self.report(diagnostic.meant(best, site.place(ident.span), otherwise));
    }
}

/// `a.b` of a path of names.
#[must_use]
pub fn show_path(path: &[Name]) -> String {
    path.iter().map(|n| n.text()).collect::<Vec<_>>().join(".")
}
