//! Systems: from an object to levels, chip and memory.

use std::rc::Rc;

use super::object::Object;
use super::value::Value;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::expr::{ExprId, Origin, OriginKind};
use crate::ir::{Level, System};
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::StmtKind;

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
    /// Where it is chosen or declared.
    pub place: Place,
}

impl<'p> Checker<'p> {
    /// The levels of a system over its chip. `None` where something is missing (reported).
    pub fn machine(&mut self, object: &Rc<Object<'p>>) -> Option<Machine<'p>> {
        let item = object.item?;
        let place = item.name_place();
        let mut chips: Vec<(Name, Rc<Object<'p>>)> = Vec::new();
        let mut levels: Vec<(Level, Rc<Object<'p>>, Vec<Name>)> = Vec::new();
        for statement in object.stmts.clone() {
            let outer = statement.outer.clone();
            let env = self.fields_env(object, &outer);
            let at = outer.site().place(statement.stmt.span);
            match &statement.stmt.kind {
                StmtKind::Chip { name, value } => {
                    let place = outer.site().place(value.span);
                    let value = self.eval(value, &env);
                    let ty = super::types::Ty::Kind(crate::syntax::ast::ItemKind::Chip);
                    let value = self.expect_type(value, ty, place, &format!("`{}`", name.name));
                    // `with { gpu = … }` puts another chip in its place.
                    let value = match object.entry(&[name.name]) {
                        Some(_) => self.field(object, name.name).unwrap_or(Value::Error),
                        None => value,
                    };
                    if let Value::Object(chip) = value {
                        let chip = self.amended_part(object, name.name, chip);
                        chips.push((name.name, chip));
                    }
                }
                StmtKind::Level { name, parts, via } => {
                    let mut count: Option<ExprId> = None;
                    let mut devices: Option<ExprId> = None;
                    let mut below = Vec::new();
                    for (expr, of) in parts {
                        let value = self.eval(expr, &env);
                        let expr_place = outer.site().place(expr.span);
                        let what = format!("level `{}`", name.name);
                        let value =
                            self.expect_type(value, super::types::Ty::Count, expr_place, &what);
                        let n = match value {
                            Value::Num(n) => n,
                            _ => return None,
                        };
                        let origin = Origin {
                            name: Name::new(&format!("{}.{}", object.name, name.name)),
                            kind: OriginKind::Datasheet,
                            place: at,
                            rule: None,
                        };
                        let n = self.graph.named(n, origin);
                        let inside = if chips.iter().any(|(c, _)| *c == of.name) {
                            None
                        } else if let Some((level, ..)) =
                            levels.iter().find(|(l, ..)| l.name == of.name)
                        {
                            Some(level.devices)
                        } else {
                            let known = chips.iter().map(|(c, _)| c.text());
                            let known = known.chain(levels.iter().map(|(l, ..)| l.name.text()));
                            let known: Vec<&str> = known.collect();
                            let of_place = outer.site().place(of.span);
                            let mut diagnostic = Diagnostic::new(
                                codes::NO_SUCH_LEVEL,
                                format!("there is no chip or level `{}` below this one", of.name),
                                of_place,
                                "not declared before",
                            );
                            if let Some(best) =
                                super::closest(of.name.text(), known.iter().copied())
                            {
                                diagnostic = diagnostic.note(format!("did you mean `{best}`?"));
                            } else if !known.is_empty() {
                                diagnostic =
                                    diagnostic.note(format!("declared: {}", known.join(", ")));
                            }
                            self.report(diagnostic);
                            return None;
                        };
                        below.push(of.name);
                        let here = match inside {
                            None => n,
                            Some(inside) => self.graph.mul(n, inside),
                        };
                        count = Some(count.map_or(n, |c| self.graph.add(c, n)));
                        devices = Some(devices.map_or(here, |d| self.graph.add(d, here)));
                    }
                    let (Some(count), Some(devices)) = (count, devices) else { continue };
                    let link = match via {
                        Some(via) => {
                            let via_place = outer.site().place(via.span);
                            let value = self.eval(via, &env);
                            let ty = super::types::Ty::Kind(crate::syntax::ast::ItemKind::Link);
                            match self.expect_type(value, ty, via_place, "`via`") {
                                Value::Object(link) => link,
                                _ => return None,
                            }
                        }
                        None => {
                            self.report(Diagnostic::new(
                                codes::MISSING_FIELD,
                                format!("level `{}` has no link", name.name),
                                at,
                                "write `via LINK` after it",
                            ));
                            return None;
                        }
                    };
                    let name = name.name;
                    let link = self.amended_part(object, name, link);
                    levels.push((Level { name, count, devices, place: at }, link, below));
                }
                StmtKind::Section { .. } => {}
                _ => self.report_misplaced(statement.stmt, "a system", &outer),
            }
        }
        let Some((chip_name, chip)) = chips.first().cloned() else {
            self.report(Diagnostic::new(
                codes::MISSING_FIELD,
                format!("system `{}` has no chip", object.name),
                place,
                "write `chip NAME = CHIP` into its body",
            ));
            return None;
        };
        let _ = chip_name;
        let devices = match levels.last() {
            Some((level, ..)) => level.devices,
            None => {
                self.report(Diagnostic::new(
                    codes::MISSING_FIELD,
                    format!("system `{}` has no level", object.name),
                    place,
                    "write `level NAME = COUNT of CHIP via LINK` into its body",
                ));
                return None;
            }
        };
        let origin = Origin {
            name: Name::new(&format!("{}.devices", object.name)),
            kind: OriginKind::Inferred,
            place,
            rule: Some("the product of the counts of its levels"),
        };
        let devices = self.graph.named(devices, origin);
        let system = System {
            name: Some(object.name),
            chip: Some(chip.name),
            levels: levels.iter().map(|(l, ..)| l.clone()).collect(),
        };
        let links = levels.into_iter().map(|(_, link, _)| link).collect();
        Some(Machine { system, chip, links, devices, object: object.clone(), place })
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
            .map(|e| super::object::Entry {
                path: e.path.get(1..).unwrap_or_default().into(),
                ..e.clone()
            })
            .collect();
        self.check_amended(&part, &below);
        if below.is_empty() { part } else { Rc::new(part.amended(below)) }
    }
}
