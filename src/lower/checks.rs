//! What a plan may ask of a model and a machine, and what does not hold.

use std::rc::Rc;

use super::phase::Setting;
use super::results::Results;
use super::scenario::Lowered;
use crate::check::{
    BuiltModel, Checker, Env, Machine, Object, Scope, Value, divisors, show_number,
};
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::expr::{ExprId, Op};
use crate::graph::Laid;
use crate::ir::{AxisId, AxisSize, Plan};
use crate::name::Name;
use crate::quantity::format::{HumanUnit, human};
use crate::source::Place;
use crate::syntax::ast::{BinaryOp, Clauses, Expr, ExprKind, StmtKind};

/// Evaluates the `expect` statements of a model over its parameters.
pub fn check_model_expectations<'p>(
    checker: &mut Checker<'p>,
    model: &Rc<Object<'p>>,
    built: &BuiltModel<'p>,
) {
    let Some(item) = model.item else { return };
    let mut results = Results::default();
    checker.parameters(built, &mut results, item.name_place());
    checker.results = Some(results);
    for statement in model.stmts.clone() {
        let outer = statement.outer.clone();
        match &statement.stmt.kind {
            StmtKind::Expect { cond, clauses } => {
                let env = checker.fields_env(model, &outer).inner(Scope::Results);
                checker.model_expectation(cond, clauses, &env);
            }
            StmtKind::Section { .. } | StmtKind::Require { .. } => {}
            _ => checker.report_misplaced(statement.stmt, "a model", &outer),
        }
    }
    checker.results = None;
}

impl<'p> Checker<'p> {
    fn model_expectation(&mut self, cond: &'p Expr, clauses: &'p Clauses, env: &Env<'p>) {
        let place = env.site().place(cond.span);
        match self.eval(cond, env) {
            Value::Bool(id) if self.decide(id) == Some(false) => {
                let diagnostic = self.failed(cond, clauses, env, place);
                self.report(diagnostic);
            }
            Value::Bool(_) | Value::Truth(true) | Value::Error => {}
            Value::Truth(false) => {
                let diagnostic = self.failed(cond, clauses, env, place);
                self.report(diagnostic);
            }
            other => {
                self.not_a_condition(other, place);
            }
        }
    }

    /// A failed condition with the value of both sides.
    fn failed(
        &mut self,
        cond: &'p Expr,
        clauses: &'p Clauses,
        env: &Env<'p>,
        place: Place,
    ) -> Diagnostic {
        let text = self.program.sources.text(place).to_owned();
        let title = match &clauses.otherwise {
            Some(otherwise) => self.eval_text(otherwise, env),
            None => format!("expected `{text}`, and it does not hold"),
        };
        let mut diagnostic = Diagnostic::new(codes::EXPECT_FAILED, title, place, "does not hold");
        if let ExprKind::Binary(op, a, b) = &cond.kind
            && !matches!(op, BinaryOp::And | BinaryOp::Or)
        {
            let (x, y) = (self.eval(a, env), self.eval(b, env));
            if let (Value::Num(x), Value::Num(y)) = (&x, &y) {
                let left = self.program.sources.text(env.site().place(a.span)).to_owned();
                diagnostic = diagnostic.note(format!(
                    "`{left}` is {}, and the bound is {}",
                    self.show_quantity(*x),
                    self.show_quantity(*y)
                ));
            }
        }
        diagnostic
    }

    pub(crate) fn report_expectation(
        &mut self,
        cond: &'p Expr,
        clauses: &'p Clauses,
        env: &Env<'p>,
        _text: &str,
        lowered: &Lowered,
    ) {
        let place = env.site().place(cond.span);
        let mut diagnostic = self.failed(cond, clauses, env, place);
        let mut names = Vec::new();
        dotted_names(cond, &mut names);
        for name in names {
            let phase = match name.as_str() {
                "ttft" => "prefill",
                "tpot" => "decode.mid",
                other => other.rsplit_once('.').map_or(other, |(p, _)| p),
            };
            let bound = lowered.results.get(&format!("{phase}.bound"));
            if let Some(super::Leaf::Text(bound)) = bound {
                diagnostic = diagnostic.note(format!("{phase} is bound by {bound}"));
            }
            if name.starts_with("memory") {
                diagnostic = diagnostic.note(self.memory_parts(lowered));
            }
        }
        diagnostic = diagnostic.and(lowered.place, "in this scenario");
        self.report(diagnostic);
    }

    /// A quantity for people.
    #[must_use]
    pub fn show_quantity(&self, id: ExprId) -> String {
        let unit = crate::quantity::figure::human_unit(self.graph.dimension(id));
        human(self.graph.value(id), unit)
    }

    fn memory_parts(&self, lowered: &Lowered) -> String {
        let mut parts = Vec::new();
        for name in ["weights", "cache", "activations", "buffers", "reserve"] {
            if let Some(super::Leaf::Number(id)) = lowered.results.get(&format!("memory.{name}")) {
                let v = self.graph.value(*id);
                if v > 0.0 {
                    parts.push((name, v));
                }
            }
        }
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        let parts: Vec<String> =
            parts.iter().map(|(n, v)| format!("{n} {}", human(*v, HumanUnit::Bytes))).collect();
        format!("each device holds {}", parts.join(", "))
    }

    /// Memory against capacity: an error that says how much is missing and what would do.
    pub(crate) fn fit(&mut self, setting: &Setting<'_, 'p>, lowered: &mut Lowered) {
        let number = |name: &str| match lowered.results.get(&format!("memory.{name}")) {
            Some(super::Leaf::Number(id)) => Some(*id),
            _ => None,
        };
        let (Some(total), Some(capacity)) = (number("total"), number("capacity")) else { return };
        let fits = self.graph.binary(Op::Le, total, capacity);
        self.decide(fits);
        lowered.constraints.push(("memory".into(), fits));
        let (have, need) = (self.graph.value(capacity), self.graph.value(total));
        if need <= have {
            return;
        }
        let chip = setting.machine.chip.name;
        let missing = human(need - have, HumanUnit::Bytes);
        let item = setting.machine.chip.item;
        let place = setting.plan.mesh.iter().next().map_or(lowered.place, |(_, m)| m.place);
        let mut diagnostic = Diagnostic::new(
            codes::OUT_OF_MEMORY,
            format!(
                "`{}` needs {} on each device, {missing} more than the {} of {chip}",
                lowered.name,
                human(need, HumanUnit::Bytes),
                human(have, HumanUnit::Bytes),
            ),
            lowered.place,
            "does not fit",
        );
        if place != lowered.place {
            diagnostic = diagnostic.and(place, "the mesh that it is spread over");
        }
        if let Some(item) = item {
            let at = self.graph.origin_of(capacity).map_or(item.name_place(), |o| o.place);
            diagnostic = diagnostic.and(at, "the capacity");
        }
        diagnostic = diagnostic.note(self.memory_parts(lowered));
        // What every device has whatever the plan, and what is spread.
        let value = |name: &str| number(name).map_or(0.0, |id| self.graph.value(id));
        let fixed = value("buffers") + value("reserve");
        let devices = setting.plan.devices.map_or(1.0, |d| self.graph.value(d));
        let spread = (value("weights") + value("cache") + value("activations")) * devices;
        if have > fixed {
            let wanted = libm::ceil(spread / (have - fixed));
            let mut power = 1.0;
            while power < wanted {
                power *= 2.0;
            }
            let together = human(spread, HumanUnit::Bytes);
            diagnostic = diagnostic.note(format!(
                "all devices together hold {together}: {} such devices would do if it is spread \
                 evenly{}",
                show_number(wanted),
                if power > wanted {
                    format!(" ({power} as a power of two)")
                } else {
                    String::new()
                },
            ));
        } else {
            diagnostic =
                diagnostic.note("what every device keeps for itself is more than its capacity");
        }
        self.report(diagnostic);
    }

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
        let before = self.errors();
        self.check_rules(built, plan, laid);
        self.check_divisors(built, plan, laid, machine, constraints);
        self.check_mesh(plan, machine, place, constraints);
        self.errors() == before
    }

    fn check_rules(&mut self, built: &BuiltModel<'p>, plan: &Plan, laid: &Laid) {
        let model = &built.model;
        for &rule in &laid.unmatched {
            let Some(rule) = plan.rules.get(rule) else { continue };
            let name = crate::check::show_rule(&rule.axis);
            let known: Vec<&str> = model
                .axes
                .iter()
                .flat_map(|(_, a)| a.aliases.iter().map(|(n, _)| n.text()))
                .collect();
            let mut diagnostic = Diagnostic::new(
                codes::SHARD_MATCHES_NOTHING,
                format!("the model has no axis `{name}`"),
                rule.place,
                "matches nothing",
            );
            let last = rule.axis.last().map_or("", |n| n.text());
            if let Some(best) = crate::check::closest(last, known.iter().copied()) {
                diagnostic = diagnostic.note(format!("did you mean `{best}`?")).fix(
                    format!("write `{best}`"),
                    rule.place,
                    best,
                    Safety::Review,
                );
            } else {
                let mut names: Vec<&str> = known;
                names.sort_unstable();
                names.dedup();
                diagnostic = diagnostic.note(format!("its axes: {}", names.join(", ")));
            }
            self.report(diagnostic);
        }
        for &rule in &laid.unscoped {
            let Some(rule) = plan.rules.get(rule) else { continue };
            self.report_scope(built, rule);
        }
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
            let rest = self.graph.binary(Op::Mod, size, divisor.parts);
            let zero = self.counted(0.0, "0", rule.place, "no remainder");
            let even = self.graph.binary(Op::Eq, rest, zero);
            self.decide(even);
            constraints.push((format!("{} % {}", axis.name, mesh_names(plan, divisor.rule)), even));
            let (s, n) = (self.graph.value(size), self.graph.value(divisor.parts));
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
                    self.report_divisor(axis, plan, divisor.rule, (s, n), size_place, machine);
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
        if self.decide(even) != Some(false) {
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

    fn report_divisor(
        &mut self,
        axis: &crate::ir::Axis,
        plan: &Plan,
        rule_index: usize,
        (s, n): (f64, f64),
        size_place: Place,
        machine: &Machine<'p>,
    ) {
        let Some(rule) = plan.rules.get(rule_index) else { return };
        let mesh = mesh_names(plan, rule_index);
        let all = divisors(s as u64);
        let most = self.graph.value(machine.devices);
        let work: Vec<u64> = all.iter().copied().filter(|d| *d <= 4096).collect();
        let shown: Vec<String> = work.iter().map(u64::to_string).collect();
        let mut diagnostic = Diagnostic::new(
            codes::DOES_NOT_DIVIDE,
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
        // The edit: the nearest value that works and fits the machine.
        if let [only] = &*rule.over {
            let size = plan.mesh[*only].size;
            let near = work
                .iter()
                .filter(|d| **d as f64 <= most)
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
    fn literal_place(&self, id: ExprId) -> Option<Place> {
        let inner = self.graph.unnamed(id);
        let node = self.graph.node(inner);
        (node.op == Op::Const).then(|| self.graph.origin_of(inner).map(|o| o.place))?
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
        self.decide(all);
        let m = self.graph.value(size);
        let shards = Op::Gcd.apply(n, m, 0.0);
        let copies = n / shards;
        if copies <= 1.0 {
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

    fn check_mesh(
        &mut self,
        plan: &Plan,
        machine: &Machine<'p>,
        place: Place,
        constraints: &mut Vec<(String, ExprId)>,
    ) {
        let have = self.graph.value(machine.devices);
        let Some(devices) = plan.devices else {
            self.rely(machine.devices);
            if have > 1.0 {
                self.report_idle(machine, place, place, 1.0, have);
            }
            return;
        };
        let fits = self.graph.binary(Op::Le, devices, machine.devices);
        let full = self.graph.binary(Op::Eq, devices, machine.devices);
        self.decide(full);
        constraints.push(("mesh".into(), fits));
        let wanted = self.graph.value(devices);
        let mesh_place = plan.mesh.iter().next().map_or(place, |(_, m)| m.place);
        if wanted > have {
            let mesh: Vec<String> = plan
                .mesh
                .iter()
                .map(|(_, m)| format!("{} = {}", m.name, show_number(self.graph.value(m.size))))
                .collect();
            let mut diagnostic = Diagnostic::new(
                codes::MESH_TOO_LARGE,
                format!(
                    "the mesh has {} devices, and {} has {}",
                    show_number(wanted),
                    machine.object.name,
                    show_number(have)
                ),
                mesh_place,
                mesh.join(", "),
            )
            .and(machine.place, format!("{} devices", show_number(have)))
            .and(place, "in this scenario");
            if let Some(param) = machine.object.slots.iter().find(|s| s.param.default.is_some()) {
                let per = have.max(1.0);
                let need = libm::ceil(wanted / per);
                diagnostic = diagnostic.note(format!(
                    "write `{}({}: {})`, or a smaller mesh",
                    machine.object.name,
                    param.param.name.name,
                    show_number(need)
                ));
            }
            self.report(diagnostic);
            return;
        }
        if wanted < have {
            self.report_idle(machine, mesh_place, place, wanted, have);
        }
        self.check_straddling(plan, machine);
    }

    fn report_idle(
        &mut self,
        machine: &Machine<'p>,
        at: Place,
        scenario: Place,
        used: f64,
        have: f64,
    ) {
        let chip = machine.chip.clone();
        let idle = have - used;
        let mut price = String::new();
        if let Some(Value::Num(id)) = self.field(&chip, Name::new("price")) {
            let cost = self.graph.value(id) * idle;
            price = format!(", which cost {}", human(cost, HumanUnit::DollarsPerSecond));
        }
        let mut diagnostic = Diagnostic::new(
            codes::IDLE_DEVICES,
            format!("{} of {} devices are idle{price}", show_number(idle), show_number(have)),
            at,
            format!("the plan uses {}", show_number(used)),
        )
        .and(machine.place, format!("{} devices", show_number(have)));
        if at != scenario {
            diagnostic = diagnostic.and(scenario, "in this scenario");
        }
        self.report(diagnostic);
    }

    /// A mesh axis must lie evenly on every level, unless it says `across`.
    fn check_straddling(&mut self, plan: &Plan, machine: &Machine<'p>) {
        for (_, axis) in plan.mesh.iter() {
            let (n, stride) = (self.graph.value(axis.size), self.graph.value(axis.stride));
            for level in &machine.system.levels {
                let span = self.graph.mul(axis.size, axis.stride);
                let inside = self.graph.binary(Op::Le, span, level.devices);
                if self.decide(inside) == Some(false) {
                    self.rely(axis.size);
                    self.rely(axis.stride);
                    self.rely(level.devices);
                }
                let devices = self.graph.value(level.devices);
                if n <= 1.0 || stride >= devices || n * stride <= devices {
                    continue;
                }
                let inside = devices / stride;
                let even = libm::floor(inside) == inside && libm::floor(n / inside) * inside == n;
                if even || axis.across == Some(level.name) {
                    continue;
                }
                self.report(
                    Diagnostic::new(
                        codes::STRADDLES_LEVEL,
                        format!("mesh axis `{}` lies unevenly across `{}`", axis.name, level.name),
                        axis.place,
                        format!("{} devices, {} apart", show_number(n), show_number(stride)),
                    )
                    .and(level.place, format!("{} devices", show_number(devices)))
                    .note(format!(
                        "choose sizes that fill a {0} evenly, or write `{1} across {0}`",
                        level.name, axis.name
                    )),
                );
                break;
            }
        }
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

fn dotted_names(expr: &Expr, out: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Name(name) => out.push(name.to_string()),
        ExprKind::Field(..) => {
            let mut parts = Vec::new();
            let mut at = expr;
            while let ExprKind::Field(base, field) = &at.kind {
                parts.push(field.name.text());
                at = base;
            }
            if let ExprKind::Name(name) = &at.kind {
                parts.push(name.text());
            }
            parts.reverse();
            out.push(parts.join("."));
        }
        ExprKind::Binary(_, a, b) => {
            dotted_names(a, out);
            dotted_names(b, out);
        }
        ExprKind::Paren(a) | ExprKind::Unary(_, a) => dotted_names(a, out),
        _ => {}
    }
}
