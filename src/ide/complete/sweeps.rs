//! Completions in sweeps: what is varied, and the values that are tried.

use super::{Kind, Offer};
use crate::check::{RANGES, Ty, names_below, schema_type};
use crate::ide::complete::values::block_of;
use crate::ide::describe::{builtin, words_at};
use crate::ide::resolve::{dotted, named, set_in};
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    /// After `vary`: inputs of the scenario that is swept.
    pub(super) fn inputs(&mut self) {
        let c = self.context.clone();
        let sweep = c.item.and_then(|name| self.view.program.item(self.view.module, name));
        let swept = sweep.and_then(|item| item.item.of);
        let scenario = swept.and_then(|of| named(&mut self.checker, self.view.module, of.name));
        let plan = Name::new("plan");
        let spread = scenario.and_then(|s| set_in(&mut self.checker, s, plan));
        let mut params: Vec<Name> = Vec::new();
        if let Some(spread) = spread {
            let own = block_of(&mut self.checker, spread).unwrap_or(spread);
            params.extend(own.item.params.iter().flatten().map(|p| p.name.name));
        }
        let rest = self.view.text.get(c.span.end as usize..).unwrap_or("");
        let goes_on = rest.trim_start_matches([' ', '\t']).starts_with("in ");
        let workload = ["precision", "serve", "train"];
        let inputs = workload.iter().flat_map(|section| {
            let section = Name::new(section);
            let below = names_below(ItemKind::Scenario, &[section]).into_iter();
            below.map(move |name| vec![section, name])
        });
        let inputs = params.into_iter().map(|name| vec![plan, name]).chain(inputs);
        for path in inputs.collect::<Vec<_>>() {
            let Some(rest) = path.strip_prefix(c.path.as_slice()).filter(|r| !r.is_empty()) else {
                continue;
            };
            let kind =
                if *path.first().unwrap_or(&plan) == plan { Kind::Param } else { Kind::Field };
            let detail = match kind {
                Kind::Param => "a parameter of the plan".to_owned(),
                _ => schema_type(ItemKind::Scenario, &path).map_or(String::new(), Ty::describe),
            };
            let label = dotted(rest).to_string();
            let new = self.add(&label, kind, detail, 0);
            if !goes_on {
                new.insert = format!("{label} in [$0]");
                new.snippet = true;
            }
        }
    }

    /// Values that an input may have.
    pub(super) fn tried(&mut self, path: &[Name]) {
        let listed = self.context.open.last().is_some_and(|o| o.bracket == '[');
        if listed && matches!(self.context.last(), "" | "[" | ",") {
            if let Some(words) = words_at(ItemKind::Scenario, path) {
                return self.words(words, "", 0);
            }
            match schema_type(ItemKind::Scenario, path) {
                Some(Ty::Dtype) => self.of_kind(ItemKind::Dtype, 0),
                Some(Ty::Kind(kind)) => self.of_kind(kind, 0),
                Some(Ty::Bool) => self.words(&["true", "false"], "", 0),
                _ => {}
            }
        }
        if self.context.last() != "in" {
            return;
        }
        let listable = matches!(
            schema_type(ItemKind::Scenario, path),
            Some(Ty::Dtype | Ty::Kind(_) | Ty::Bool | Ty::Word)
        ) || words_at(ItemKind::Scenario, path).is_some();
        let list = self.add("[]", Kind::Snippet, "a list of values", 0);
        list.insert = "[$0]".to_owned();
        list.snippet = true;
        if listable {
            return;
        }
        for name in RANGES {
            let rest = match name {
                "pow2" => "",
                "powers" => ", base: ${3:10}",
                "every" => ", step: ${3:8}",
                _ => ", points: ${3:8}",
            };
            let new = self.add(name, Kind::Function, builtin(name), 1);
            new.insert = format!("{name}(${{1:1}} .. ${{2:512}}{rest})");
            new.snippet = true;
        }
    }
}
