//! What a machine draws and what it costs, as far as its chip and its system say.
//!
//! In: a machine. Out: `machine.*`, for the metrics of power and price in the library. What nobody
//! knows is left out, and so is whatever would follow from it.

use super::phase::Setting;
use super::results::Results;
use crate::check::{Checker, Machine, Value};
use crate::expr::{ExprId, Origin};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::syntax::ast::StmtKind;

/// The price of a machine, and how to state it.
pub(super) const PRICE: &str = "`price` (`system.price = 2.5 USD/h`)";
/// What it draws.
pub(super) const POWER: &str = "`power { tdp = … }` of its chip";

/// What a machine does not state although results could follow from it.
#[must_use]
pub fn unstated(results: &Results) -> Option<String> {
    let lacks =
        |path: &str| results.get(path).is_none() && results.get("machine.devices").is_some();
    let price = lacks("machine.price").then_some(PRICE);
    let power = lacks("machine.tdp").then_some(POWER);
    let all: Vec<&str> = [price, power].into_iter().flatten().collect();
    (!all.is_empty()).then(|| format!("the machine does not state its {}", all.join(" and its ")))
}

impl<'p> Checker<'p> {
    /// `machine.tdp`, `machine.idle`, `machine.host`, `machine.pue`, `machine.price`.
    pub(super) fn machine_figures(
        &mut self,
        setting: &Setting<'_, 'p>,
        machine: &Machine<'p>,
        results: &mut Results,
    ) -> Option<()> {
        let place = setting.place;
        let mut put = |checker: &mut Self, path: &str, id: ExprId, rule: &'static str| {
            results.put(&mut checker.graph, path, id, place, rule);
        };
        let chip = machine.chip.clone();
        let system = machine.object.clone();
        let origin = Origin::inferred(Name::new("devices"), place, "all devices of the machine");
        let devices = self.graph.cast(machine.devices, Dimension::NONE, origin);
        let origin =
            Origin::inferred(Name::new("machine.devices"), place, "all devices of the machine");
        let all = self.graph.cast(machine.devices, Dimension::DEVICES, origin);
        put(self, "machine.devices", all, "all devices of the machine");
        let price = match self.field(&system, Name::new("price")) {
            Some(Value::Num(whole)) => Some(whole),
            _ => match self.field(&chip, Name::new("price")) {
                Some(Value::Num(each)) => Some(self.graph.mul(each, devices)),
                _ => None,
            },
        };
        if let Some(price) = price {
            put(self, "machine.price", price, "the price of the system, or of all its chips");
        }
        let known = |value: Option<Value<'p>>| match value {
            Some(Value::Num(id)) => Some(id),
            _ => None,
        };
        let tdp = known(self.field_path(&chip, &["power", "tdp"]));
        let Some(tdp) = tdp else { return Some(()) };
        put(self, "machine.tdp", tdp, "the largest draw of a chip");
        let mut args = vec![("tdp", Value::Num(tdp))];
        if let Some(idle) = known(self.field_path(&chip, &["power", "idle"])) {
            args.push(("idle", Value::Num(idle)));
        }
        let idle = self.library_number("idle_draw", &args)?;
        put(self, "machine.idle", idle, "the draw of a chip that does nothing");
        let mut args = vec![("tdp", Value::Num(tdp))];
        if let Some(host) = known(self.field_path(&system, &["power", "host"])) {
            let chips = self.devices_of_host(setting, machine, devices);
            args.push(("host", Value::Num(self.graph.div(host, chips))));
        }
        let host = self.library_number("host_draw", &args)?;
        put(self, "machine.host", host, "what is around each chip: host, switches, fans");
        let own = known(self.field_path(&system, &["power", "pue"]));
        let args: Vec<_> = own.map(|id| ("own", Value::Num(id))).into_iter().collect();
        let pue = self.library_number("building", &args)?;
        put(self, "machine.pue", pue, "power of the building over power of the machines");
        Some(())
    }

    /// How many chips stand around what `power at LEVEL` describes.
    fn devices_of_host(
        &mut self,
        setting: &Setting<'_, 'p>,
        machine: &Machine<'p>,
        all: ExprId,
    ) -> ExprId {
        let level = machine.object.stmts.iter().rev().find_map(|s| match &s.stmt.kind {
            StmtKind::Section { name, at, .. } if name.name == "power" => at.map(|at| at.name),
            _ => None,
        });
        let found = machine.system.levels.iter().find(|l| level == Some(l.name));
        let Some(found) = found.map(|l| l.devices) else { return all };
        let origin =
            Origin::inferred(Name::new("devices"), setting.place, "the devices around one host");
        self.graph.cast(found, Dimension::NONE, origin)
    }
}
