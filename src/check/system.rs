//! Systems: from an object to levels, chip and memory.

use std::rc::Rc;

use super::object::{Entry, Object};
use super::offload::Store;
use super::types::Ty;
use super::value::{Env, Scope, Value};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::expr::{ExprId, Origin, OriginKind};
use crate::ir::{Level, System};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{Expr, Ident, ItemKind, StmtKind};

/// A system with the objects that formulas read.
#[derive(Clone)]
pub struct Machine<'p> {
    /// Levels and counts.
    pub system: System,
    /// The chip.
    pub chip: Rc<Object<'p>>,
    /// The link of each level, innermost first.
    pub links: Vec<Rc<Object<'p>>>,
    /// All devices.
    pub devices: ExprId,
    /// The system itself.
    pub object: Rc<Object<'p>>,
    /// Memories outside of the chips.
    pub stores: Vec<Store<'p>>,
    /// All chips under their names in the system.
    pub chips: Vec<(Name, Rc<Object<'p>>)>,
    /// What each level is made of: how many of which chip or level.
    pub made_of: Vec<Vec<(ExprId, Name)>>,
    /// A chip of another kind beside the first: its name in the system, and its own.
    pub other_chip: Option<(Name, Name)>,
    /// Where it is chosen or declared.
    pub place: Place,
}

/// A level and the link that joins its parts.
type Joined<'p> = (Level, Rc<Object<'p>>);

impl<'p> Checker<'p> {
    /// The levels of a system over its chip. `None` where something is missing (reported).
    pub fn machine(&mut self, object: &Rc<Object<'p>>) -> Option<Machine<'p>> {
        let item = object.item?;
        let place = item.name_place();
        let mut parts = Parts::default();
        let mut memories = Vec::new();
        for statement in object.stmts.clone() {
            let outer = statement.outer.clone();
            match &statement.stmt.kind {
                StmtKind::Chip { name, value } => {
                    self.system_chip(object, *name, value, &outer, &mut parts);
                }
                StmtKind::Level { name, parts: of, via } => {
                    let at = outer.site().place(statement.stmt.span);
                    let level = self.level(object, *name, of, via.as_ref(), (&outer, at), &parts);
                    parts.good &= level.is_some();
                    let (level, made_of) = level.unzip();
                    parts.made_of.extend(made_of);
                    parts.levels.extend(level);
                    parts.names.push(name.name);
                }
                StmtKind::Section { name, .. } if name.name == "memory" => {
                    memories.push(statement.clone());
                }
                StmtKind::Section { .. } => {}
                _ => self.report_misplaced(statement.stmt, "a system", &outer),
            }
        }
        let missing = match (parts.chips.first(), parts.names.last()) {
            _ if !parts.good => return None,
            (None, _) => ("chip", "write `chip NAME = CHIP` into its body"),
            (_, None) => ("level", "write `level NAME = COUNT of CHIP via LINK` into its body"),
            (Some((_, chip)), Some(_)) => {
                let chip = chip.clone();
                let others = parts.chips.iter().skip(1).filter(|(_, c)| c.name != chip.name);
                let other = others.map(|(name, other)| (*name, other.name)).next();
                let chips = parts.names_of_chips;
                let mut machine = self.assemble(object, chip, parts.levels, place)?;
                machine.other_chip = other;
                machine.chips = parts.chips;
                machine.made_of = parts.made_of;
                machine.stores = self.stores(object, memories, &chips, &machine)?;
                return Some(machine);
            }
        };
        self.report(Diagnostic::new(
            codes::MISSING_FIELD,
            format!("system `{}` has no {}", object.name, missing.0),
            place,
            missing.1,
        ));
        None
    }

    /// Costs are those of the first chip: a scenario on a machine with others is told so.
    pub(crate) fn warn_of_other_chips(&mut self, machine: &Machine<'p>, scenario: Place) {
        let Some((name, other)) = machine.other_chip else { return };
        let mut places = machine.object.stmts.iter().filter_map(|s| match &s.stmt.kind {
            StmtKind::Chip { name, .. } => Some((name.name, s.outer.site().place(name.span))),
            _ => None,
        });
        let (system, first) = (machine.object.name, machine.chip.name);
        let title =
            format!("`{system}` holds {first} and {other}, and is costed as if all were {first}");
        let label = "runs on it";
        let mut diagnostic = Diagnostic::new(codes::MIXED_CHIPS, title, scenario, label);
        if let Some((_, place)) = places.find(|(n, _)| *n == name) {
            diagnostic = diagnostic.and(place, "counts like the first chip");
        }
        let note = "give each phase its chip: `plan { prefill = … on …, decode = … on … }`, or declare a \
                    system for each kind of chip";
        self.report(diagnostic.note(note));
    }

    fn assemble(
        &mut self,
        object: &Rc<Object<'p>>,
        chip: Rc<Object<'p>>,
        levels: Vec<(Level, Rc<Object<'p>>)>,
        place: Place,
    ) -> Option<Machine<'p>> {
        let devices = levels.last().map(|(level, _)| level.devices)?;
        let origin = Origin::inferred(
            Name::new(&format!("{}.devices", object.name)),
            place,
            "the product of the counts of its levels",
        );
        let devices = self.graph.named(devices, origin);
        let system = System {
            name: Some(object.name),
            chip: Some(chip.name),
            levels: levels.iter().map(|(l, _)| l.clone()).collect(),
        };
        let links = levels.into_iter().map(|(_, link)| link).collect();
        Some(Machine {
            system,
            chip,
            links,
            devices,
            object: object.clone(),
            stores: Vec::new(),
            chips: Vec::new(),
            made_of: Vec::new(),
            other_chip: None,
            place,
        })
    }

    /// `chip gpu = H100_SXM`; a wrong one is known by name all the same.
    fn system_chip(
        &mut self,
        object: &Rc<Object<'p>>,
        name: Ident,
        value: &'p Expr,
        outer: &Env<'p>,
        parts: &mut Parts<'p>,
    ) {
        let env = self.fields_env(object, outer);
        let place = outer.site().place(value.span);
        let value = self.eval(value, &env);
        let ty = Ty::Kind(ItemKind::Chip);
        let value = self.expect_type(value, ty, place, &format!("`{}`", name.name));
        parts.names_of_chips.push(name.name);
        // `with { gpu = … }` puts another chip in its place.
        let value = match object.entry(&[name.name]) {
            Some(entry) => {
                let place = entry.value.map_or(place, |v| entry.outer.site().place(v.span));
                let other = self.field(object, name.name).unwrap_or(Value::Error);
                self.expect_type(other, ty, place, &format!("`{}`", name.name))
            }
            None => value,
        };
        match value {
            Value::Object(chip) => {
                let chip = self.amended_part(object, name.name, chip);
                parts.chips.push((name.name, chip));
            }
            _ => parts.good = false,
        }
    }

    /// `level node = 8 of gpu via NVLink4`, over the chips and levels declared before.
    fn level(
        &mut self,
        object: &Rc<Object<'p>>,
        name: Ident,
        of: &'p [(Expr, Ident)],
        via: Option<&'p Expr>,
        (outer, at): (&Env<'p>, Place),
        parts: &Parts<'p>,
    ) -> Option<(Joined<'p>, Vec<(ExprId, Name)>)> {
        let env = self.fields_env(object, outer);
        let site = outer.site();
        let what = format!("level `{}`", name.name);
        let (mut count, mut devices) = (None, None);
        let mut made_of = Vec::new();
        let mut good = true;
        for (expr, below) in of {
            let place = site.place(expr.span);
            let value = self.eval(expr, &env);
            let value = self.expect_type(value, Ty::Count, place, &what);
            let value = self.at_least_one(value, place, &what);
            let known = self.known_below(*below, site, parts);
            let (Value::Num(n), true) = (value, known) else {
                good = false;
                continue;
            };
            let origin = Origin {
                name: Name::new(&format!("{}.{}", object.name, name.name)),
                kind: OriginKind::Datasheet,
                place: at,
                rule: None,
            };
            let n = self.graph.named(n, origin);
            made_of.push((n, below.name));
            let inside = parts.levels.iter().find(|(l, _)| l.name == below.name);
            let here = match inside {
                None => n,
                Some((level, _)) => self.graph.mul(n, level.devices),
            };
            count = Some(count.map_or(n, |c| self.graph.add(c, n)));
            devices = Some(devices.map_or(here, |d| self.graph.add(d, here)));
        }
        let link = match via {
            Some(via) => {
                let value = self.eval(via, &env);
                let ty = Ty::Kind(ItemKind::Link);
                match self.expect_type(value, ty, site.place(via.span), "`via`") {
                    Value::Object(link) => Some(link),
                    _ => None,
                }
            }
            None => {
                self.report(
                    Diagnostic::new(
                        codes::MISSING_FIELD,
                        format!("{what} has no link"),
                        site.place(name.span),
                        "nothing joins its parts",
                    )
                    .note("write `via LINK` after what it is made of"),
                );
                None
            }
        };
        let name = name.name;
        let link = link.map(|link| self.amended_part(object, name, link));
        let link = link.filter(|_| good)?;
        let level = Level { name, count: count?, devices: devices?, link: link.name, place: at };
        Some(((level, link), made_of))
    }

    /// Whether a chip or a level of this name was declared before.
    fn known_below(&mut self, below: Ident, site: super::Site, parts: &Parts<'p>) -> bool {
        let known = parts.names_of_chips.iter().chain(&parts.names).map(|n| n.text());
        let known: Vec<&str> = known.collect();
        if known.contains(&below.name.text()) {
            return true;
        }
        let place = site.place(below.span);
        let diagnostic = Diagnostic::new(
            codes::NO_SUCH_LEVEL,
            format!("there is no chip or level `{}` below this one", below.name),
            place,
            "not declared before",
        );
        let best = closest(below.name.text(), known.iter().copied());
        self.report(diagnostic.meant(best, place, listed("declared", &known)));
        false
    }

    /// A chip, or the link of a level, with what the system (or an override) changes in it:
    /// `gpu.memory.hbm.capacity = …`.
    fn amended_part(
        &mut self,
        system: &Rc<Object<'p>>,
        name: Name,
        part: Rc<Object<'p>>,
    ) -> Rc<Object<'p>> {
        let below: Vec<_> = system
            .entries
            .iter()
            .filter(|e| e.path.len() > 1 && e.path.first() == Some(&name))
            .map(|e| Entry {
                path: e.path.get(1..).unwrap_or_default().into(),
                outer: e.outer.inner(Scope::Fields { object: system.clone(), path: [name].into() }),
                ..e.clone()
            })
            .collect();
        self.check_amended(&part, &below);
        if below.is_empty() { part } else { Rc::new(part.amended(below)) }
    }
}

/// What was read of a system so far.
struct Parts<'p> {
    chips: Vec<(Name, Rc<Object<'p>>)>,
    names_of_chips: Vec<Name>,
    levels: Vec<(Level, Rc<Object<'p>>)>,
    made_of: Vec<Vec<(ExprId, Name)>>,
    /// Names of all levels, wrong ones too.
    names: Vec<Name>,
    good: bool,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self {
            chips: Vec::new(),
            names_of_chips: Vec::new(),
            levels: Vec::new(),
            made_of: Vec::new(),
            names: Vec::new(),
            good: true,
        }
    }
}
