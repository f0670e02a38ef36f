//! Completions of statements and values: names of the file, imported, of the library.

use super::{Kind, Offer};
use crate::check::{
    BUILTINS, Checker, Imported, ItemRef, ModuleId, Ty, field_words, names_below, schema_type,
};
use crate::ide::describe::{builtin, local_word};
use crate::ide::resolve::{dotted, instantiated, locals, named, set_in};
use crate::ide::words;
use crate::name::Name;
use crate::syntax::ast::ItemKind;

const COMPARISONS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];

/// The item that has the parameters of a model or a plan: what it is made of, however indirectly.
fn block_of<'p>(checker: &mut Checker<'p>, item: ItemRef<'p>) -> Option<ItemRef<'p>> {
    let mut item = item;
    for _ in 0..20 {
        if item.item.params.is_some() {
            return Some(item);
        }
        item = instantiated(checker, item)?;
    }
    None
}

impl<'p> Offer<'p> {
    /// At the start of a statement of a body.
    pub(super) fn statements(&mut self) {
        let c = self.context.clone();
        let Some(kind) = self.kind() else { return };
        let sections = c.sections();
        let amends = c.open.last().is_some_and(|o| o.head.iter().any(|t| t == "with"));
        self.fields(&sections);
        if amends && kind == ItemKind::Model && sections.is_empty() {
            self.sizes();
        }
        if c.kind == Some(ItemKind::Measured) && !amends {
            return self.measurable(&sections);
        }
        let rates = sections.first().is_some_and(|s| *s == "compute") && sections.len() == 2;
        if kind == ItemKind::Chip && rates {
            return self.rates();
        }
        if amends && kind == ItemKind::Scenario && sections.is_empty() {
            for path in [
                "precision.weights",
                "precision.cache",
                "serve.batch",
                "serve.prompt",
                "serve.output",
            ] {
                let new = self.add(path, Kind::Field, "a setting of the scenario", 1);
                new.insert = format!("{path} = $0");
                new.snippet = true;
            }
            return;
        }
        if sections.is_empty() && kind == ItemKind::Runtime {
            let program = self.view.program;
            let modules: Vec<ModuleId> = program.std_modules("cost").collect();
            for module in modules {
                for item in program.items_of_kind(module, ItemKind::Assume) {
                    self.item(item, 0);
                    if let Some(last) = self.out.last_mut() {
                        last.insert = format!("{} = $0", last.label);
                        last.snippet = true;
                    }
                }
            }
        }
        for (word, detail, insert) in words::statements(kind, !sections.is_empty()) {
            let new = self.add(word, Kind::Keyword, *detail, 1);
            new.insert = (*insert).to_owned();
            new.snippet = insert.contains('$');
        }
        if self.is_block() {
            self.names(2);
        }
    }

    /// Results that can be measured, before the name of the last part of each.
    fn measurable(&mut self, sections: &[Name]) {
        let from = self.out.len();
        self.results(&dotted(sections), 0);
        for one in self.out.iter_mut().skip(from) {
            let leaf = one.detail != "results";
            one.insert = format!("{}{}", one.label, if leaf { " = $0 source \"\"" } else { "." });
            one.snippet = leaf;
        }
    }

    /// Rates by number format, in `compute matrix { … }`.
    fn rates(&mut self) {
        let from = self.out.len();
        self.of_kind(ItemKind::Dtype, 0);
        for one in self.out.iter_mut().skip(from) {
            one.insert = format!("{} = $0", one.label);
            one.snippet = true;
        }
    }

    /// The sizes of the model that is amended.
    fn sizes(&mut self) {
        let head = self.context.open.last().map(|o| o.head.clone()).unwrap_or_default();
        let base = head.iter().position(|t| t == "with").and_then(|at| head.get(at - 1));
        let Some(base) = base.map(|name| Name::new(name)) else { return };
        let found = named(&mut self.checker, self.view.module, base);
        let Some(block) = found.and_then(|i| block_of(&mut self.checker, i)) else { return };
        for param in block.item.params.iter().flatten() {
            let head = self.view.program.sources.text(block.place(param.span)).trim().to_owned();
            let name = param.name.name;
            let new = self.add(name.text(), Kind::Param, head, 0);
            new.docs = param.docs.as_ref().map(|d| d.to_string());
            new.insert = format!("{name} = $0");
            new.snippet = true;
        }
    }

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

    /// After `=`.
    pub(super) fn value(&mut self) {
        let setting = self.setting();
        let kind = self.kind();
        if let (Some(kind), Some(path)) = (kind, &setting)
            && !self.context.open.is_empty()
        {
            if let Some(words) = field_words(kind, path) {
                return self.words(words, "", 0);
            }
            match schema_type(kind, path) {
                Some(Ty::Dtype) => return self.of_kind(ItemKind::Dtype, 0),
                Some(Ty::Kind(kind)) => return self.of_kind(kind, 0),
                Some(Ty::Word) if dotted(path).ends_with("optimizer") => {
                    return self.words(&["adam", "sgd"], "an optimizer", 0);
                }
                Some(Ty::Bool) => self.words(&["true", "false"], "", 0),
                _ => {}
            }
        }
        if self.context.open.is_empty() {
            match kind {
                Some(ItemKind::Scenario | ItemKind::Measured) => {
                    return self.of_kind(ItemKind::Scenario, 0);
                }
                Some(ItemKind::Model) => self.of_kind(ItemKind::Block, 0),
                Some(ItemKind::Chip) => self.of_kind(ItemKind::Chip, 0),
                Some(ItemKind::Link) => self.of_kind(ItemKind::Link, 0),
                Some(ItemKind::System) => self.of_kind(ItemKind::System, 0),
                Some(ItemKind::Plan) => self.of_kind(ItemKind::Plan, 0),
                Some(ItemKind::Runtime) => self.of_kind(ItemKind::Runtime, 0),
                _ => {}
            }
        }
        if self.context.first() == "chip" {
            self.of_kind(ItemKind::Chip, 0);
        }
        self.names(1);
        if self.is_block() {
            self.ops();
        }
    }

    pub(super) fn ops(&mut self) {
        let program = self.view.program;
        if let Some(ops) = program.std_module("ops") {
            for item in program.items_of_kind(ops, ItemKind::Op) {
                self.item(item, 1);
            }
        }
        self.of_kind(ItemKind::Block, 1);
    }

    /// Items of a kind: of the file, imported, of the prelude, and of the library with their `use`.
    pub(super) fn of_kind(&mut self, kind: ItemKind, rank: u8) {
        let program = self.view.program;
        let module = self.view.module;
        for item in program.items_of_kind(module, kind) {
            if Some(item.item.name.name) != self.context.item {
                self.item(item, rank);
            }
        }
        if kind == ItemKind::Scenario {
            for item in program.items_of_kind(module, ItemKind::Measured) {
                self.item(item, rank);
            }
        }
        let imports = self.checker.imports_of(module);
        for name in imports.keys() {
            if let Some(item) = named(&mut self.checker, module, *name)
                && item.item.kind == kind
            {
                self.item(item, rank);
                if let Some(last) = self.out.last_mut() {
                    last.label = name.to_string();
                    last.insert = name.to_string();
                }
            }
        }
        for (path, _) in crate::check::library::FILES {
            let Some(id) = program.std_module(path).filter(|id| *id != module) else { continue };
            let prelude = crate::check::library::PRELUDE.contains(path);
            let top = path.split('/').next().unwrap_or(path);
            let names: Vec<Name> =
                program.names(id).filter(|(_, k)| *k == kind).map(|(n, _)| n).collect();
            for name in names {
                let known = imports.contains_key(&name) || program.declares(module, name);
                let Some(item) = program.item(id, name).filter(|_| !known) else { continue };
                if prelude {
                    self.item(item, rank);
                } else {
                    self.imported(item, rank + 1, format!("std.{top}.{name}"));
                }
            }
        }
    }

    /// Names that may stand in an expression.
    pub(super) fn names(&mut self, rank: u8) {
        let program = self.view.program;
        let module = self.view.module;
        if let Some(item) = self.context.item.and_then(|n| program.item(module, n)) {
            for param in item.item.params.iter().flatten() {
                let head = program.sources.text(item.place(param.span)).trim().to_owned();
                let new =
                    self.add(param.name.name.text(), Kind::Param, head, rank.saturating_sub(1));
                new.docs = param.docs.as_ref().map(|d| d.to_string());
            }
            for (name, local, _) in locals(item) {
                self.add(name.text(), Kind::Local, local_word(local), rank.saturating_sub(1));
            }
        }
        let values = [
            ItemKind::Const,
            ItemKind::Assume,
            ItemKind::Fn,
            ItemKind::Model,
            ItemKind::Chip,
            ItemKind::Link,
            ItemKind::System,
            ItemKind::Plan,
            ItemKind::Dtype,
        ];
        let own = program.items_of_kinds(module, &values);
        for item in self.nearest(own) {
            if Some(item.item.name.name) != self.context.item {
                self.item(item, rank);
            }
        }
        let imports = self.checker.imports_of(module);
        for name in imports.keys() {
            match named(&mut self.checker, module, *name) {
                Some(item) => {
                    self.item(item, rank);
                    if let Some(last) = self.out.last_mut() {
                        last.label = name.to_string();
                        last.insert = name.to_string();
                    }
                }
                None => {
                    let found = self.checker.module_name(module, *name);
                    let what = match found {
                        Some(Imported::Module(folder)) if folder.starts_with('#') => "a file",
                        Some(Imported::Module(_)) => "part of the library",
                        _ => continue, // what it imports is not there
                    };
                    self.add(name.text(), Kind::Module, what, rank);
                }
            }
        }
        for word in BUILTINS {
            let new = self.add(word, Kind::Function, builtin(word), rank + 1);
            new.insert = format!("{word}($0)");
            new.snippet = true;
        }
        self.words(&["if", "then", "else", "true", "false", "none"], "", rank + 2);
    }

    /// Words that go on after a value.
    pub(super) fn clauses(&mut self) {
        if matches!(self.context.first(), "expect" | "where") {
            let compared = self.context.statement.iter().any(|t| COMPARISONS.contains(&t.as_str()));
            let more: &[&str] = if compared { &["and", "or"] } else { &COMPARISONS };
            return self.words(more, "", 0);
        }
        if self.context.last() != "=" {
            self.words(
                &["with", "in", "because", "source", "from", "dtype", "on", "and", "or"],
                "",
                4,
            );
        }
    }
}
