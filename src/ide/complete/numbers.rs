//! Completions after a number: units, those first that measure what is wanted.

use super::{Kind, Offer};
use crate::check::{ModuleId, Ty, schema_type};
use crate::ide::words::CONTINUE;
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    /// Units after a number; with them what else may follow.
    pub(super) fn units(&mut self) {
        let program = self.view.program;
        let mut modules: Vec<ModuleId> = program.std_module("units").into_iter().collect();
        modules.extend(program.modules().filter(|(_, m)| m.std_path.is_none()).map(|(id, _)| id));
        let wanted = self.wanted_dimension();
        for module in modules {
            for item in program.items_of_kind(module, ItemKind::Unit) {
                let name = item.item.name.name;
                let unit = program.unit(name);
                let detail = unit.map_or(String::new(), |u| u.dimension.to_string());
                let fits = wanted.is_some() && unit.map(|u| u.dimension) == wanted;
                let docs = item.item.docs.as_ref().map(|d| d.to_string());
                let new = self.add(name.text(), Kind::Unit, detail, u8::from(!fits));
                new.docs = docs;
            }
        }
        if wanted.is_some() {
            for joined in ["TB/s", "GB/s", "TFLOP/s", "PFLOP/s", "USD/h", "tok/s"] {
                let mut parts = joined.split('/').map(|p| program.unit(Name::new(p)));
                let both = parts.next().flatten().zip(parts.next().flatten());
                let dimension = both.map(|(a, b)| a.dimension.over(b.dimension));
                if dimension == wanted {
                    self.add(joined, Kind::Unit, "", 0);
                }
            }
        }
        self.words(&CONTINUE, "", 3);
    }

    /// What the value being written should measure.
    pub(super) fn wanted_dimension(&mut self) -> Option<crate::quantity::Dimension> {
        match self.wanted() {
            Some(Ty::Quantity(dimension)) => Some(dimension),
            Some(_) => None,
            None => self.compared(),
        }
    }

    /// What the left side of a comparison measures: `expect ttft < 4 |`.
    pub(super) fn compared(&mut self) -> Option<crate::quantity::Dimension> {
        let statement = self.context.statement.clone();
        let sign = |t: &String| matches!(t.as_str(), "<" | ">" | "<=" | ">=" | "==" | "!=");
        let at = statement.iter().rposition(sign)?;
        let before = statement.get(..at)?.iter().rev();
        let is_path = |t: &&String| {
            *t == "." || t.starts_with(|c: char| c.is_ascii_alphabetic()) && *t != "expect"
        };
        let mut path: Vec<&str> = before.take_while(is_path).map(String::as_str).collect();
        path.reverse();
        let outline = self.checker.outline_for(self.view.module);
        match outline.get(&path.concat())? {
            crate::lower::Leaf::Number(id) => Some(self.checker.graph.dimension(*id)),
            _ => None,
        }
    }

    pub(super) fn wanted(&self) -> Option<Ty> {
        if self.context.open.is_empty() {
            return None;
        }
        schema_type(self.kind()?, &self.setting()?)
    }
}
