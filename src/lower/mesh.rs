//! A plan's mesh against the machine: too large, idle devices, axes that straddle a level.

use crate::check::{Checker, Machine, Value, show_number};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op};
use crate::ir::{MeshAxis, Plan};
use crate::name::Name;
use crate::quantity::format::{HumanUnit, human};
use crate::source::Place;

impl<'p> Checker<'p> {
    pub(super) fn check_mesh(
        &mut self,
        plan: &Plan,
        machine: &Machine<'p>,
        place: Place,
        constraints: &mut Vec<(String, ExprId)>,
    ) {
        let have = self.graph.value(machine.devices);
        let Some(devices) = plan.devices else {
            let one = self.counted(1.0, "1", place, "a plan without a mesh is one device");
            let full = self.graph.binary(Op::Le, machine.devices, one);
            self.notice(full);
            if have > 1.0 {
                self.report_idle(machine, place, place, 1.0, have);
            }
            return;
        };
        let fits = self.graph.binary(Op::Le, devices, machine.devices);
        let full = self.graph.binary(Op::Eq, devices, machine.devices);
        self.decide(fits);
        self.notice(full);
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
            for (_, axis) in plan.mesh.iter() {
                if let Some(at) = self.literal_place(axis.size) {
                    let size = show_number(self.graph.value(axis.size));
                    diagnostic = diagnostic.and(at, format!("{} is {size}", axis.name));
                }
            }
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

    /// Whether a mesh axis lies inside of a level, fills it evenly, or is spread beyond it.
    fn lies_evenly(&mut self, axis: &MeshAxis, devices: ExprId) -> ExprId {
        let (n, stride) = (axis.size, axis.stride);
        let one = self.counted(1.0, "1", axis.place, "one device");
        let zero = self.counted(0.0, "0", axis.place, "no remainder");
        let graph = &mut self.graph;
        let span = graph.mul(n, stride);
        let single = graph.binary(Op::Le, n, one);
        let beyond = graph.binary(Op::Le, devices, stride);
        let within = graph.binary(Op::Le, span, devices);
        let inside = graph.div(devices, stride);
        let rounded = graph.unary(Op::Floor, inside);
        let whole = graph.binary(Op::Eq, rounded, inside);
        let rest = graph.binary(Op::Mod, n, inside);
        let none_left = graph.binary(Op::Eq, rest, zero);
        let fills = graph.binary(Op::And, whole, none_left);
        [beyond, within, fills].into_iter().fold(single, |any, c| graph.binary(Op::Or, any, c))
    }

    /// A mesh axis must lie evenly on every level, unless it says `across`.
    pub(super) fn check_straddling(&mut self, plan: &Plan, machine: &Machine<'p>) {
        for (_, axis) in plan.mesh.iter() {
            let (n, stride) = (self.graph.value(axis.size), self.graph.value(axis.stride));
            for level in &machine.system.levels {
                if axis.across == Some(level.name) {
                    continue;
                }
                let even = self.lies_evenly(axis, level.devices);
                if self.decide(even) != Some(false) {
                    continue;
                }
                let devices = self.graph.value(level.devices);
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
