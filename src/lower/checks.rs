//! What a plan may ask of a model and a machine, and what does not hold.

use super::phase::Setting;
use crate::check::{BuiltModel, Checker, Machine, divisors, show_number};
use crate::diagnostic::{Diagnostic, Safety, Severity, closest, codes, listed};
use crate::expr::{ExprId, Op};
use crate::graph::Laid;
use crate::ir::{AxisId, AxisSize, Plan};
use crate::name::Name;
use crate::quantity::format::{HumanUnit, human};
use crate::source::Place;
use crate::syntax::ast::ExprKind;

impl<'p> Checker<'p> {
    /// Everything that a plan asks of the model and the machine. False where costs make no sense.
    pub(crate) fn check_plan(
        &mut self,
        built: &BuiltModel<'p>,
        plan: &Plan,
        laid: &Laid,
        machine: &Machine<'p>,
        place: Place,
        constraints: &mut Vec<(String, ExprId)>,
    ) -> bool {
        let (before, found) = (self.errors(), self.diagnostics.len());
        self.check_rules(built, plan, laid);
        self.check_divisors(built, plan, laid, machine, constraints);
        self.check_mesh(plan, machine, place, constraints);
        let sound = self.errors() == before;
        if !sound {
            // Idle devices and padding of a plan that cannot be are no news.
            let mut kept = 0;
            self.diagnostics.retain(|d| {
                kept += 1;
                kept <= found || d.severity == Severity::Error
            });
        }
        sound
    }

    fn check_rules(&mut self, built: &BuiltModel<'p>, plan: &Plan, laid: &Laid) {
        let model = &built.model;
        for &rule in &laid.unmatched {
            let Some(rule) = plan.rules.get(rule) else { continue };
            let name = crate::check::show_rule(&rule.axis);
            let mut known: Vec<&str> = model
                .axes
                .iter()
                .flat_map(|(_, a)| a.aliases.iter().map(|(n, _)| n.text()))
                .collect();
            let diagnostic = Diagnostic::new(
                codes::SHARD_MATCHES_NOTHING,
                format!("the model has no axis `{name}`"),
                rule.place,
                "matches nothing",
            );
            let last = rule.axis.last().map_or("", |n| n.text());
            let best = closest(last, known.iter().copied());
            known.sort_unstable();
            known.dedup();
            let diagnostic = diagnostic.meant(best, rule.place, listed("its axes", &known));
            self.report(diagnostic);
        }
        for &rule in &laid.unscoped {
            let Some(rule) = plan.rules.get(rule) else { continue };
            self.report_scope(built, rule);
        }
        self.check_shard_scopes(model, plan);
        let mut seen: Vec<[usize; 2]> = Vec::new();
        for conflict in &laid.conflicts {
            let [(a, ra), (b, rb)] = conflict.axes;
            let pair = [ra.min(rb), ra.max(rb)];
            if seen.contains(&pair) {
                continue;
            }
            seen.push(pair);
            let (Some(first), Some(second)) = (plan.rules.get(ra), plan.rules.get(rb)) else {
                continue;
            };
            let mesh = plan.mesh[conflict.mesh].name;
            self.report(
                Diagnostic::new(
                    codes::SHARD_CONFLICT,
                    format!(
                        "`{}` has two axes on mesh axis `{mesh}`: `{}` and `{}`",
                        conflict.tensor, model.axes[a].name, model.axes[b].name
                    ),
                    second.place,
                    format!("`{}` over `{mesh}`", model.axes[b].name),
                )
                .and(first.place, format!("`{}` over `{mesh}` too", model.axes[a].name))
                .and(conflict.tensor_place, "the tensor that has both")
                .note("say `within` where each rule holds, or use another mesh axis"),
            );
        }
        let mut seen: Vec<(AxisId, usize)> = Vec::new();
        for &(op, axis, rule_index) in &laid.whole {
            if seen.contains(&(axis, rule_index)) {
                continue;
            }
            seen.push((axis, rule_index));
            let Some(rule) = plan.rules.get(rule_index) else { continue };
            let instance = &model.ops[op];
            self.report(
                Diagnostic::new(
                    codes::SHARD_WHOLE,
                    format!("`{}` needs axis `{}` whole", instance.op, model.axes[axis].name),
                    rule.place,
                    "sharded here",
                )
                .and(instance.place, "needed whole here")
                .note("leave this axis out of the plan, or say `within` where the rule holds"),
            );
        }
    }

    /// A scoped rule that holds nowhere: no such block, or nothing in it has the axis.
    fn report_scope(&mut self, built: &BuiltModel<'p>, rule: &crate::ir::ShardRule) {
        let axis = crate::check::show_rule(&rule.axis);
        let within: Vec<String> = rule.within.iter().map(|w| crate::check::show_rule(w)).collect();
        let title = format!("nothing within {} has axis `{axis}`", within.join(", "));
        let mut diagnostic =
            Diagnostic::new(codes::SHARD_MATCHES_NOTHING, title, rule.place, "holds nowhere");
        let mut known: Vec<&str> = vec!["residual"];
        for (_, op) in built.model.ops.iter() {
            known.extend(op.scope.blocks.iter().chain(op.scope.path.iter()).map(|n| n.text()));
        }
        known.sort_unstable();
        known.dedup();
        let single = rule.within.iter().filter_map(|w| match w.as_slice() {
            [only] if !known.contains(&only.text()) => Some(only.text()),
            _ => None,
        });
        for name in single.collect::<Vec<_>>() {
            if let Some(best) = crate::check::closest(name, known.iter().copied()) {
                diagnostic =
                    diagnostic.note(format!("there is no `{name}`; did you mean `{best}`?"));
            } else {
                let list = known.join(", ");
                diagnostic = diagnostic.note(format!("there is no `{name}`; there are {list}"));
            }
        }
        self.report(diagnostic);
    }

    fn check_divisors(
        &mut self,
        built: &BuiltModel<'p>,
        plan: &Plan,
        laid: &Laid,
        machine: &Machine<'p>,
        constraints: &mut Vec<(String, ExprId)>,
    ) {
        let model = &built.model;
        let mut done: Vec<(usize, Place, u64)> = Vec::new();
        for divisor in &laid.divisors {
            let axis = &model.axes[divisor.axis];
            let Some(rule) = plan.rules.get(divisor.rule) else { continue };
            let size = match axis.size {
                AxisSize::Fixed(id) | AxisSize::Composite(id) => id,
                AxisSize::Phase(_) => continue,
            };
            let whole = size;
            let (mut size, mut parts) = (size, divisor.parts);
            for own in plan.ends.into_iter().flatten().filter(|_| axis.repeats) {
                // What the first stage or the last has of its own is not dealt out.
                size = self.graph.sub(size, own);
                let one = self.counted(1.0, "1", rule.place, "a stage with layers of its own");
                let others = self.graph.sub(parts, one);
                parts = self.graph.binary(Op::Max, one, others);
            }
            let rest = self.graph.binary(Op::Mod, size, parts);
            let zero = self.counted(0.0, "0", rule.place, "no remainder");
            let even = self.graph.binary(Op::Eq, rest, zero);
            // Where padding is customary an uneven split is a warning, not an error.
            let repeats = axis.repeats;
            if !repeats && self.pads(model, divisor.axis, built) {
                self.notice(even);
            } else {
                self.decide(even);
                let name = format!("{} % {}", axis.name, mesh_names(plan, divisor.rule));
                constraints.push((name, even));
            }
            let (s, n) = (self.graph.value(size), self.graph.value(parts));
            if size != whole && s < n {
                // Training says so, with the stages that were given layers.
                continue;
            }
            let size_place = self.graph.origin_of(size).map_or(axis.place, |o| o.place);
            if done.contains(&(divisor.rule, size_place, s as u64)) {
                continue;
            }
            done.push((divisor.rule, size_place, s as u64));
            if axis.repeats && n > s {
                self.report(
                    Diagnostic::new(
                        codes::STAGES_EXCEED_LAYERS,
                        format!("{} stages for {} layers", show_number(n), show_number(s)),
                        rule.place,
                        format!("{} stages", show_number(n)),
                    )
                    .and(size_place, format!("{} layers", show_number(s))),
                );
                continue;
            }
            if self.graph.value(even) == 0.0 {
                if self.pads(model, divisor.axis, built) {
                    self.report_padding(model, divisor.axis, plan, divisor.rule, s, n, size_place);
                } else {
                    let others = self.cut_alike(built, plan, laid, divisor.rule);
                    let wanted = (others.as_slice(), self.graph.value(machine.devices));
                    self.report_divisor(axis, plan, divisor.rule, (s, n), size_place, wanted);
                }
                continue;
            }
            if !axis.parts.is_empty() {
                let parts = divisor.parts;
                self.check_parts(built, plan, divisor.rule, divisor.axis, parts, size_place);
            }
        }
    }

    /// Requests that the groups of devices cannot share evenly.
    pub(crate) fn check_batch(&mut self, setting: &Setting<'_, 'p>, batch: ExprId) {
        let Some(input) = setting.model.inputs.first() else { return };
        let Some(layout) = setting.laid.layouts.get(input) else { return };
        let name = Name::new("batch");
        let size = |a: AxisId| setting.model.axes[a].size;
        let shard = layout.shards.iter().find(|s| size(s.axis) == AxisSize::Phase(name));
        let Some((n, rule)) = shard.map(|s| (s.count, s.rule)) else { return };
        let rest = self.graph.binary(Op::Mod, batch, n);
        let zero = self.counted(0.0, "0", setting.place, "no remainder");
        let even = self.graph.binary(Op::Eq, rest, zero);
        if self.notice(even) != Some(false) {
            return;
        }
        let (s, n) = (self.graph.value(batch), self.graph.value(n));
        let Some(rule) = setting.plan.rules.get(rule) else { return };
        let at = self.graph.origin_of(batch).map_or(setting.place, |o| o.place);
        let padded = libm::ceil(s / n) * n;
        self.report(
            Diagnostic::new(
                codes::PADDED_AXIS,
                format!(
                    "`batch` is padded from {} to {}: some groups of devices have less to do",
                    show_number(s),
                    show_number(padded),
                ),
                rule.place,
                format!("{} shards", show_number(n)),
            )
            .and(at, format!("{} is not divisible by {}", show_number(s), show_number(n))),
        );
    }

    /// Whether padding is customary for an axis: an op says `pads` of it.
    fn pads(&mut self, model: &crate::ir::Model, axis: AxisId, built: &BuiltModel<'p>) -> bool {
        model.ops.iter().any(|(_, op)| {
            let Some(item) = built.declarations.get(op.declaration) else { return false };
            let Some(expr) = Self::op_expr(*item, "pads") else { return false };
            let ExprKind::Name(name) = &expr.kind else { return false };
            op.axes.iter().any(|(n, axes)| n == name && axes.contains(&axis))
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn report_padding(
        &mut self,
        model: &crate::ir::Model,
        axis: AxisId,
        plan: &Plan,
        rule_index: usize,
        s: f64,
        n: f64,
        size_place: Place,
    ) {
        let Some(rule) = plan.rules.get(rule_index) else { return };
        let padded = libm::ceil(s / n) * n;
        let share = (padded - s) / s * 100.0;
        let name = model.axes[axis].name;
        self.report(
            Diagnostic::new(
                codes::PADDED_AXIS,
                format!(
                    "`{name}` is padded from {} to {} ({} % more work on it)",
                    show_number(s),
                    show_number(padded),
                    show_number((share * 1000.0).round() / 1000.0),
                ),
                rule.place,
                format!("{} shards", show_number(n)),
            )
            .and(size_place, format!("{} is not divisible by {}", show_number(s), show_number(n))),
        );
    }

    /// The sizes of all axes that the mesh axes of a rule cut evenly.
    fn cut_alike(
        &mut self,
        built: &BuiltModel<'p>,
        plan: &Plan,
        laid: &Laid,
        rule: usize,
    ) -> Vec<u64> {
        let over = |rule: usize| plan.rules.get(rule).map(|rule| &rule.over);
        let mut sizes = Vec::new();
        for divisor in laid.divisors.iter().filter(|d| over(d.rule) == over(rule)) {
            let axis = &built.model.axes[divisor.axis];
            if let AxisSize::Fixed(size) | AxisSize::Composite(size) = axis.size
                && !axis.repeats
                && !self.pads(&built.model, divisor.axis, built)
            {
                sizes.push(self.graph.value(size) as u64);
            }
        }
        sizes
    }

    fn report_divisor(
        &mut self,
        axis: &crate::ir::Axis,
        plan: &Plan,
        rule_index: usize,
        (s, n): (f64, f64),
        size_place: Place,
        (others, most): (&[u64], f64),
    ) {
        let Some(rule) = plan.rules.get(rule_index) else { return };
        let mesh = mesh_names(plan, rule_index);
        let work: Vec<u64> = divisors(s as u64).into_iter().filter(|d| *d <= 4096).collect();
        let shown: Vec<String> = work.iter().map(u64::to_string).collect();
        let experts = axis.sparse.is_some();
        let code = if experts { codes::EXPERTS_DO_NOT_DIVIDE } else { codes::DOES_NOT_DIVIDE };
        let mut diagnostic = Diagnostic::new(
            code,
            format!(
                "{} `{}` cannot be split evenly over {mesh} = {}",
                show_number(s),
                axis.name,
                show_number(n)
            ),
            rule.place,
            format!("`{}` is cut into {}", axis.name, show_number(n)),
        )
        .and(size_place, format!("`{}` is {}", axis.name, show_number(s)))
        .note(format!("values that work for {mesh}: {}", shown.join(" ")));
        // The edit: the nearest value that works for every axis and fits the machine.
        if let [only] = &*rule.over {
            let size = plan.mesh[*only].size;
            let near = work
                .iter()
                .filter(|d| **d as f64 <= most && others.iter().all(|s| s % **d == 0))
                .min_by_key(|d| (d.abs_diff(n as u64), u64::MAX - **d));
            if let (Some(near), Some(at)) = (near, self.literal_place(size)) {
                diagnostic = diagnostic.and(at, format!("{mesh} is {}", show_number(n))).fix(
                    format!("write {near}"),
                    at,
                    near.to_string(),
                    Safety::Review,
                );
            }
        }
        self.report(diagnostic);
    }

    /// Where the number itself stands that a value is.
    pub(super) fn literal_place(&self, id: ExprId) -> Option<Place> {
        let inner = self.graph.unnamed(id);
        let node = self.graph.node(inner);
        (node.op == Op::Const).then(|| self.graph.origin_of(inner).map(|o| o.place))?
    }

    /// Relies on whether the copies of replicated heads can share what belongs to each head.
    fn copies_share(
        &mut self,
        place: Place,
        parts: ExprId,
        common: ExprId,
        minors: &[AxisId],
        model: &crate::ir::Model,
    ) {
        let sizes = minors.iter().filter_map(|p| match model.axes[*p].size {
            AxisSize::Fixed(id) => Some(id),
            _ => None,
        });
        let sizes: Vec<ExprId> = sizes.collect();
        let Some(each) = self.graph.product(sizes) else { return };
        let zero = self.counted(0.0, "0", place, "no remainder");
        let copies = self.graph.div(parts, common);
        let rest = self.graph.binary(Op::Mod, each, copies);
        let even = self.graph.binary(Op::Eq, rest, zero);
        self.decide(even);
    }

    /// Key/value heads against the mesh: more shards than heads replicate them.
    fn check_parts(
        &mut self,
        built: &BuiltModel<'p>,
        plan: &Plan,
        rule_index: usize,
        whole: AxisId,
        divisor_parts: ExprId,
        size_place: Place,
    ) {
        let n = self.graph.value(divisor_parts);
        let model = &built.model;
        let Some(rule) = plan.rules.get(rule_index) else { return };
        let axis = &model.axes[whole];
        let Some((&major, minors)) = axis.parts.split_first() else { return };
        let AxisSize::Fixed(size) = model.axes[major].size else { return };
        let parts = divisor_parts;
        let common = self.graph.binary(Op::Gcd, parts, size);
        let all = self.graph.binary(Op::Eq, common, parts);
        self.notice(all);
        let m = self.graph.value(size);
        let shards = Op::Gcd.apply(n, m, 0.0);
        let copies = n / shards;
        self.copies_share(rule.place, divisor_parts, common, minors, model);
        // Into how many pieces is not known where that is a mistake of its own.
        if copies.is_nan() || copies <= 1.0 {
            return;
        }
        let rest: f64 = minors
            .iter()
            .map(|p| match model.axes[*p].size {
                AxisSize::Fixed(id) => self.graph.value(id),
                _ => 1.0,
            })
            .product();
        if libm::floor(rest / copies) * copies != rest {
            let place = self.graph.origin_of(size).map_or(size_place, |o| o.place);
            let name = model.axes[major].name;
            self.report(
                Diagnostic::new(
                    codes::DOES_NOT_DIVIDE,
                    format!(
                        "{} `{name}` and their groups of {} cannot be split over {}",
                        show_number(m),
                        show_number(rest),
                        show_number(n)
                    ),
                    rule.place,
                    format!("{} shards", show_number(n)),
                )
                .and(place, format!("`{name}` is {}", show_number(m))),
            );
            return;
        }
        // The price: weights with this axis and no other part of the composite.
        let mut bytes = 0.0;
        for (tensor, rounds) in &model.weights {
            let t = &model.tensors[*tensor];
            if t.axes.contains(&major) && !minors.iter().any(|p| t.axes.contains(p)) {
                let elements: f64 = t
                    .axes
                    .iter()
                    .map(|a| match model.axes[*a].size {
                        AxisSize::Fixed(id) => self.graph.value(id),
                        _ => 1.0,
                    })
                    .product();
                let width = self.graph.value(t.dtype.width);
                bytes += elements * width * rounds.map_or(1.0, |r| self.graph.value(r));
            }
        }
        let per_device = bytes * (1.0 / shards - 1.0 / n);
        let name = model.axes[major].name;
        let place = self.graph.origin_of(size).map_or(size_place, |o| o.place);
        self.report(
            Diagnostic::new(
                codes::KV_REPLICATED,
                format!(
                    "{} `{name}` over {} devices: each is kept {} times",
                    show_number(m),
                    show_number(n),
                    show_number(copies)
                ),
                rule.place,
                format!("{} shards", show_number(n)),
            )
            .and(place, format!("`{name}` is {}", show_number(m)))
            .note(format!(
                "the price: {} more weights on each device, and its cache {} times as large as \
                 an even share",
                human(per_device, HumanUnit::Bytes),
                show_number(copies)
            )),
        );
    }
}

fn mesh_names(plan: &Plan, rule: usize) -> String {
    let names: Vec<&str> = plan
        .rules
        .get(rule)
        .map(|r| r.over.iter().map(|m| plan.mesh[*m].name.text()).collect())
        .unwrap_or_default();
    names.join(" * ")
}
