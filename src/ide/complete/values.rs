//! Completions of statements and values: names of the file, imported, of the library.

use super::{Kind, Offer};
use crate::check::{BUILTINS, ItemRef, ModuleId, Ty, field_words, schema_type};
use crate::diagnostic::Edit;
use crate::ide::describe::{builtin, local_word};
use crate::ide::resolve::{dotted, locals, named};
use crate::ide::words;
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    /// At the start of a statement of a body.
    pub(super) fn statements(&mut self) {
        let c = self.context.clone();
        let Some(kind) = self.kind() else { return };
        let sections = c.sections();
        let amends = c.open.last().is_some_and(|o| o.head.iter().any(|t| t == "with"));
        self.fields(&sections);
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
                    self.of_kind(ItemKind::Scenario, 0)
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
                self.item(item, if prelude { rank } else { rank + 1 });
                if !prelude {
                    let (place, text) =
                        self.checker.import_line(module, &format!("std.{top}.{name}"));
                    if let Some(last) = self.out.last_mut() {
                        last.edits = vec![Edit { place, text }];
                        last.detail = format!("use std.{top}.{name}");
                    }
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
        let own: Vec<ItemRef<'p>> =
            program.items(module).filter(|i| values.contains(&i.item.kind)).collect();
        for item in own {
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
                    self.add(name.text(), Kind::Module, "part of the library", rank);
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
        if self.context.last() != "=" {
            self.words(
                &["with", "in", "because", "source", "from", "dtype", "on", "and", "or"],
                "",
                4,
            );
        }
    }
}
