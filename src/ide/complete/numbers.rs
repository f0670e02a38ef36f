//! Completions after a number: units, those first that measure what is wanted.

use super::{Kind, Offer};
use crate::check::{ModuleId, Ty, schema_type};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::syntax::ast::ItemKind;

/// Units that are written together.
const JOINED: [&str; 8] =
    ["TB/s", "GB/s", "MB/s", "TFLOP/s", "PFLOP/s", "GFLOP/s", "USD/h", "tok/s"];

/// What is done with a unit: its name, what it measures, its documentation.
type EachUnit<'a, 'p> = dyn FnMut(&mut Offer<'p>, Name, Option<Dimension>, Option<String>) + 'a;

impl<'p> Offer<'p> {
    /// Units after a number, those that measure what is wanted first; with them what else may
    /// follow.
    pub(super) fn units(&mut self) {
        if self.context.first() == "level" && !self.context.has("of") {
            return self.words(&["of"], "then what there are so many of", 0);
        }
        let wanted = self.wanted_dimension();
        if wanted == Some(Dimension::NONE) {
            if self.wanted() != Some(Ty::Count) {
                self.add("%", Kind::Unit, "a hundredth", 0);
            }
            return self.continued(1);
        }
        self.each_unit(&mut |offer, name, dimension, docs| {
            let fits = wanted.is_some() && dimension == wanted;
            let rank = if fits { 0 } else { 1 + u8::from(wanted.is_some()) };
            let detail = dimension.map_or(String::new(), |d| d.to_string());
            offer.add(name.text(), Kind::Unit, detail, rank).docs = docs;
        });
        let program = self.view.program;
        if let Some(dimension) = wanted {
            for joined in JOINED {
                let mut parts = joined.split('/').map(|p| program.unit(Name::new(p)));
                let both = parts.next().flatten().zip(parts.next().flatten());
                if both.map(|(a, b)| a.dimension.over(b.dimension)) == wanted {
                    self.add(joined, Kind::Unit, dimension.to_string(), 0);
                }
            }
        }
        self.continued(1);
    }

    /// After `80 GB/`: what the unit is counted per.
    pub(super) fn denominators(&mut self) {
        let program = self.view.program;
        let wanted = self.wanted_dimension();
        let before = self.view.text.get(..self.context.span.start as usize).unwrap_or("");
        let before = before.strip_suffix('/').unwrap_or(before);
        let above = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        let above = program.unit(Name::new(above)).map(|u| u.dimension);
        self.each_unit(&mut |offer, name, dimension, docs| {
            let both = above.zip(dimension).map(|(a, b)| a.over(b));
            let fits = both.is_some() && both == wanted;
            let detail = dimension.map_or(String::new(), |d| d.to_string());
            offer.add(name.text(), Kind::Unit, detail, u8::from(!fits)).docs = docs;
        });
    }

    fn each_unit(&mut self, each: &mut EachUnit<'_, 'p>) {
        let program = self.view.program;
        let mut modules: Vec<ModuleId> = program.std_module("units").into_iter().collect();
        modules.extend(program.modules().filter(|(_, m)| m.std_path.is_none()).map(|(id, _)| id));
        for module in modules {
            for item in program.items_of_kind(module, ItemKind::Unit) {
                let name = item.item.name.name;
                let docs = item.item.docs.as_ref().map(|d| d.to_string());
                each(self, name, program.unit(name).map(|u| u.dimension), docs);
            }
        }
    }

    /// What the value being written should measure.
    pub(super) fn wanted_dimension(&mut self) -> Option<Dimension> {
        match self.wanted() {
            Some(Ty::Quantity(dimension)) => Some(dimension),
            Some(Ty::Count) => Some(Dimension::NONE),
            Some(_) => None,
            None => self.compared().or_else(|| self.declared()),
        }
    }

    /// The dimension that an item gives to its value: `assume wait: Time = 3 |`.
    fn declared(&self) -> Option<Dimension> {
        let c = &self.context;
        let constant = matches!(c.kind, Some(ItemKind::Assume | ItemKind::Const));
        let [_, _, colon, ty, equals, ..] = c.statement.as_slice() else { return None };
        if !constant || !c.open.is_empty() || colon != ":" || equals != "=" {
            return None;
        }
        match ty.as_str() {
            "Number" | "Count" => Some(Dimension::NONE),
            ty => self.view.program.dimension_named(Name::new(ty), 0),
        }
    }

    /// What the left side of a comparison measures: `expect ttft < 4 |`.
    pub(super) fn compared(&mut self) -> Option<Dimension> {
        let mut statement = self.context.statement.clone();
        let joined = |t: &String| matches!(t.as_str(), "and" | "or");
        let from = statement.iter().rposition(joined).map_or(0, |at| at + 1);
        statement.drain(..from);
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
