//! What lies outside of the devices: the memories of a machine, and what a plan puts there.
//!
//! In: `memory host at node via PCIe5 { … }` of a system, `offload { cache = host }` of a plan. Out:
//! [`Store`]s of a [`Machine`], and the [`Offload`]s of a [`Plan`]; findings where a level, a link
//! or a memory is not there.

use std::rc::Rc;

use super::object::{Object, Statement};
use super::recompute::scoped;
use super::types::Ty;
use super::value::Value;
use super::{Checker, Machine, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::expr::ExprId;
use crate::ir::{Offload, Plan, Role};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{ExprKind, StmtKind};

/// A memory of a machine that several devices share.
#[derive(Clone)]
pub struct Store<'p> {
    /// Its name: `host`.
    pub name: Name,
    /// What each device reaches it over.
    pub link: Rc<Object<'p>>,
    /// Devices that share one.
    pub devices: ExprId,
    /// What one of them belongs to, for people: `node`.
    pub level: Name,
    /// Where it is declared.
    pub place: Place,
}

impl<'p> Checker<'p> {
    /// The memories that a system declares beside those of its chips; `None` where one is wrong.
    pub(super) fn stores(
        &mut self,
        object: &Rc<Object<'p>>,
        sections: Vec<Statement<'p>>,
        chips: &[Name],
        machine: &Machine<'p>,
    ) -> Option<Vec<Store<'p>>> {
        let mut stores = Vec::new();
        let mut good = Some(());
        for section in sections {
            let StmtKind::Section { name, label, at, via, .. } = &section.stmt.kind else {
                continue;
            };
            let Some(label) = label else { continue };
            let site = section.outer.site();
            let place = site.place(name.span.to(label.span));
            // One that an amended system describes again keeps what was said of it before.
            if at.is_none() && via.is_none() {
                continue;
            }
            let devices = match at {
                None => Some((machine.devices, machine.object.name)),
                Some(at) if chips.contains(&at.name) => {
                    let rule = "each device has a memory of its own";
                    Some((self.counted(1.0, "1", place, rule), at.name))
                }
                Some(at) => {
                    let level = machine.system.levels.iter().find(|l| l.name == at.name);
                    if level.is_none() {
                        let levels: Vec<&str> =
                            machine.system.levels.iter().map(|l| l.name.text()).collect();
                        let title = format!("`{}` has no level `{}`", object.name, at.name);
                        let label = "not a level of this machine";
                        let here = site.place(at.span);
                        let finding = Diagnostic::new(codes::NO_SUCH_LEVEL, title, here, label);
                        let best = closest(at.name.text(), levels.iter().copied());
                        self.report(finding.meant(best, here, listed("its levels", &levels)));
                    }
                    level.map(|l| (l.devices, l.name))
                }
            };
            let link = match via {
                None => {
                    let title = format!("memory `{}` has no link", label.name);
                    let finding = Diagnostic::new(
                        codes::MISSING_FIELD,
                        title,
                        place,
                        "nothing joins it to the devices",
                    );
                    self.report(finding.note("write `via LINK` before its body"));
                    None
                }
                Some(via) => {
                    let env = self.fields_env(object, &section.outer);
                    let value = self.eval(via, &env);
                    let at = site.place(via.span);
                    let ty = Ty::Kind(crate::syntax::ast::ItemKind::Link);
                    match self.expect_type(value, ty, at, "`via`") {
                        Value::Object(link) => Some(link),
                        _ => None,
                    }
                }
            };
            let (Some((devices, level)), Some(link)) = (devices, link) else {
                good = None;
                continue;
            };
            stores.retain(|s: &Store<'p>| s.name != label.name);
            stores.push(Store { name: label.name, link, devices, level, place });
        }
        good.map(|()| stores)
    }

    /// `offload { … }` of a plan.
    pub(super) fn offloads(
        &mut self,
        object: &Rc<Object<'p>>,
        machine: &Machine<'p>,
        plan: &mut Plan,
    ) -> bool {
        let mut good = true;
        for role in Role::ALL {
            let path = ["offload", role.word()];
            let names = path.map(Name::new);
            let general = object
                .has(&names)
                .then(|| self.field_path(object, &path))
                .flatten()
                .map(|value| (value, object.place_of(&names), Vec::new()));
            let mut rules = Vec::from_iter(general);
            for entry in scoped(object, &path) {
                let Some(expr) = entry.value else { continue };
                let value = match &expr.kind {
                    ExprKind::Name(word) => Value::Word(*word),
                    ExprKind::None => Value::Word(Name::new("none")),
                    _ => self.eval(expr, &entry.outer),
                };
                let within = entry.within.iter().map(|w| w.iter().map(|i| i.name).collect());
                rules.push((value, Some(entry.outer.site().place(expr.span)), within.collect()));
            }
            for (value, place, within) in rules {
                let place = place.unwrap_or(machine.place);
                let value = self.expect_type(value, Ty::Word, place, "the memory");
                let Value::Word(word) = value else {
                    good &= !matches!(value, Value::Error);
                    continue;
                };
                let to = machine.stores.iter().position(|s| s.name == word);
                if to.is_none() && word != "none" {
                    good = false;
                    self.no_such_memory(word, place, machine);
                    continue;
                }
                plan.offload.push(Offload { role, within, to, place });
            }
        }
        if let Some(Value::Num(share)) = self.field_path(object, &["offload", "share"]) {
            let zero = self.counted(
                0.0,
                "0",
                object.item.map_or(machine.place, |i| i.name_place()),
                "at least nothing",
            );
            let one = self.counted(1.0, "1", machine.place, "at most everything");
            let graph = &mut self.graph;
            let (a, b) = (
                graph.binary(crate::expr::Op::Le, zero, share),
                graph.binary(crate::expr::Op::Le, share, one),
            );
            let inside = graph.binary(crate::expr::Op::And, a, b);
            if self.decide(inside) == Some(false) {
                good = false;
                let names = ["offload", "share"].map(Name::new);
                let at = object.place_of(&names).unwrap_or(machine.place);
                let title = "`offload.share` lies between 0 and 1";
                self.report(Diagnostic::new(codes::OUT_OF_RANGE, title, at, "no share"));
            }
            plan.offload_share = Some(share);
        }
        good
    }

    fn no_such_memory(&mut self, word: Name, place: Place, machine: &Machine<'p>) {
        let known: Vec<&str> = machine.stores.iter().map(|s| s.name.text()).collect();
        let title = format!("`{}` has no memory `{word}` beside its chips", machine.object.name);
        let label = "not a memory of this machine";
        let diagnostic = Diagnostic::new(codes::NO_SUCH_MEMORY, title, place, label)
            .and(machine.place, "the machine");
        let best = closest(word.text(), known.iter().copied());
        let otherwise = match known.is_empty() {
            true => "declare it in the system: `memory host at LEVEL via LINK { capacity = …, \
                     bandwidth = … }`"
                .to_owned(),
            false => listed("it has", &known),
        };
        self.report(diagnostic.meant(best, place, otherwise));
    }
}
