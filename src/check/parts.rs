//! A part of a machine: the chips of one kind, or what is below a level.
//!
//! In: a machine and a name, from `Tp(tp: 4) on spark`. Out: a machine of that part alone; a finding
//! where the machine has nothing of the name.

use super::{Checker, Machine, codes};
use crate::diagnostic::{Diagnostic, closest, listed};
use crate::expr::ExprId;
use crate::ir::System;
use crate::name::Name;
use crate::source::Place;

impl<'p> Checker<'p> {
    /// The part of a machine that a name stands for.
    pub(crate) fn part_of_machine(
        &mut self,
        machine: &Machine<'p>,
        name: Name,
        place: Place,
    ) -> Option<Machine<'p>> {
        let levels = &machine.system.levels;
        let top = levels.iter().position(|l| l.name == name);
        let chip = machine.chips.iter().find(|(own, _)| *own == name);
        if top.is_none() && chip.is_none() {
            let known = machine.chips.iter().map(|(n, _)| *n);
            let known: Vec<Name> = known.chain(levels.iter().map(|l| l.name)).collect();
            let known: Vec<&str> = known.iter().map(|n| n.text()).collect();
            let title = format!("`{}` has no part `{name}`", machine.object.name);
            let finding = Diagnostic::new(codes::PHASE_PLANS, title, place, "no chip, no level")
                .and(machine.place, "the machine");
            let best = closest(name.text(), known.iter().copied());
            let known = listed("its parts", &known);
            let note = best.map_or(known, |best| format!("did you mean `{best}`?"));
            self.report(finding.note(note));
            return None;
        }
        // What a level holds that is below the top, or a chip of the kind.
        let last = top.map_or(levels.len(), |top| top + 1);
        let below = below(machine, top);
        let chip = match chip {
            Some((_, chip)) => chip.clone(),
            None => machine.chips.iter().find(|(own, _)| below.contains(own))?.1.clone(),
        };
        let counted = |own: &Name| match top {
            None => *own == name,
            Some(_) => machine.chips.iter().any(|(n, _)| n == own),
        };
        let mut devices: Vec<(Name, ExprId)> = Vec::new();
        let mut part = System { levels: Vec::new(), ..machine.system.clone() };
        let mut links = Vec::new();
        let all = levels.iter().zip(&machine.made_of).zip(&machine.links).take(last);
        for ((level, made_of), link) in all {
            if top.is_some() && !below.contains(&level.name) {
                continue;
            }
            let (mut count, mut sum) = (None, None);
            for (n, of) in made_of {
                let inside = devices.iter().find(|(own, _)| own == of).map(|(_, d)| *d);
                let own = match inside {
                    Some(each) => self.graph.mul(*n, each),
                    None if counted(of) => *n,
                    None => continue,
                };
                count = self.plus(count, Some(*n));
                sum = self.plus(sum, Some(own));
            }
            let (Some(count), Some(sum)) = (count, sum) else { continue };
            devices.push((level.name, sum));
            part.levels.push(crate::ir::Level { count, devices: sum, ..level.clone() });
            links.push(link.clone());
        }
        let (_, all) = devices.last()?;
        part.chip = Some(chip.name);
        Some(Machine {
            devices: *all,
            system: part,
            chip,
            links,
            other_chip: None,
            ..machine.clone()
        })
    }
}

/// The names of a level, of the levels below it, and of their chips.
fn below(machine: &Machine<'_>, top: Option<usize>) -> Vec<Name> {
    let levels = &machine.system.levels;
    let Some(top) = top.and_then(|t| levels.get(t)) else { return Vec::new() };
    let mut names = vec![top.name];
    for (level, made_of) in levels.iter().zip(&machine.made_of).rev() {
        if names.contains(&level.name) {
            names.extend(made_of.iter().map(|(_, of)| *of));
        }
    }
    names
}
