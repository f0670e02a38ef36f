//! Completions of machines: the parts of systems and chips, and where they are meant elsewhere.

use super::{Kind, Offer};
use crate::check::ItemRef;
use crate::ide::describe::local_word;
use crate::ide::mentions::Local;
use crate::ide::resolve::{instantiated, locals, named};
use crate::name::Name;
use crate::syntax::ast::{ItemKind, StmtKind};

impl<'p> Offer<'p> {
    /// After the first word of a part of a system or a chip; whether it says what comes.
    pub(super) fn section_or_level(&mut self) -> bool {
        let c = self.context.clone();
        let system = c.kind == Some(ItemKind::System) && c.open.len() == 1;
        let chip = c.kind == Some(ItemKind::Chip) && c.open.len() == 1;
        let parts = [Local::Chip, Local::Level];
        match (c.first(), c.last()) {
            ("level", "of") if system => self.bound(&parts),
            ("level", _) if system && c.has("via") => {}
            ("level", _) if system && c.has("of") => {
                self.words(&["via"], "then what joins them", 0);
            }
            ("level", "=") if system => self.names(1),
            ("level", _) if system => {}
            ("chip", "=") if system => self.of_kind(ItemKind::Chip, 0),
            ("memory", "at") if system => self.bound(&parts),
            ("memory", _) if system && c.has("via") => {}
            ("memory", _) if system && c.has("at") => {
                self.words(&["via"], "then what joins it", 0);
            }
            ("memory", "memory") if system => {}
            ("memory", _) if system => self.words(&["at"], "then the level that has it", 0),
            ("memory" | "compute", first @ ("memory" | "compute")) if chip => self.labels(first),
            ("memory" | "compute", _) if chip && !c.has("=") && !c.has(".") => {}
            _ => return false,
        }
        true
    }

    /// What chips call their sections: `matrix` and `vector`, `hbm` and `l2`.
    fn labels(&mut self, section: &str) {
        let program = self.view.program;
        let modules: Vec<_> = program.modules().map(|(id, _)| id).collect();
        let chips = modules.iter().flat_map(|m| program.items_of_kind(*m, ItemKind::Chip));
        let mut found: Vec<Name> = Vec::new();
        for chip in chips {
            for label in own_names(chip, &[Name::new(section)]) {
                if !found.contains(&label) {
                    found.push(label);
                }
            }
        }
        for label in found {
            let what = if section == "memory" { "a memory of chips" } else { "rates of chips" };
            let new = self.add(label.text(), Kind::Field, what, 0);
            new.insert = format!("{label} {{ $0 }}");
            new.snippet = true;
        }
    }

    /// The systems that a place may mean: that of its scenario, else all of the file.
    fn systems(&mut self) -> Vec<ItemRef<'p>> {
        if let Some(own) = self.part_of_scenario(Name::new("system")) {
            return vec![own];
        }
        let module = self.view.module;
        let mut all = self.view.program.items_of_kind(module, ItemKind::System);
        let imports = self.checker.imports_of(module);
        for name in imports.keys() {
            let item = named(&mut self.checker, module, *name);
            all.extend(item.filter(|i| i.item.kind == ItemKind::System));
        }
        all
    }

    /// What systems call their parts.
    fn parts(&mut self, kind: Local) {
        for system in self.systems() {
            let mut next = Some(system);
            for _ in 0..20 {
                let Some(item) = next else { break };
                for (name, local, _) in locals(item) {
                    if local == kind {
                        let what = format!("{} of `{}`", local_word(kind), system.item.name.name);
                        self.add(name.text(), Kind::Field, what, 0);
                    }
                }
                next = instantiated(&mut self.checker, item);
            }
        }
    }

    /// Chips of systems: after `on`.
    pub(super) fn chips(&mut self) {
        self.parts(Local::Chip);
    }

    /// Levels of systems: after `across`.
    pub(super) fn levels(&mut self) {
        self.parts(Local::Level);
    }

    /// Memories outside of the chips.
    pub(super) fn memories(&mut self) {
        for system in self.systems() {
            for name in own_names(system, &[Name::new("memory")]) {
                let what = format!("a memory of `{}`", system.item.name.name);
                self.add(name.text(), Kind::Field, what, 0);
            }
        }
    }

    /// Names that an item has below a path, where its kind leaves them open: `hbm` below `memory`.
    pub(super) fn open_names(&mut self, item: ItemRef<'p>, path: &[Name]) -> Vec<Name> {
        let mut found: Vec<Name> = Vec::new();
        let mut next = Some(item);
        for _ in 0..20 {
            let Some(item) = next else { break };
            for name in own_names(item, path) {
                if !found.contains(&name) {
                    found.push(name);
                }
            }
            next = instantiated(&mut self.checker, item);
        }
        found
    }
}

/// The names that the body of an item has directly below a path.
fn own_names(item: ItemRef<'_>, path: &[Name]) -> Vec<Name> {
    let mut found = Vec::new();
    for stmt in item.item.body.iter().flat_map(|b| &b.stmts) {
        let StmtKind::Section { name, label: Some(label), body, .. } = &stmt.kind else { continue };
        match path {
            [section] if name.name == *section => found.push(label.name),
            [section, own] if name.name == *section && label.name == *own => {
                found.extend(body.stmts.iter().filter_map(|inner| match &inner.kind {
                    StmtKind::Set { path, .. } => path.first().map(|p| p.name),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    found
}
