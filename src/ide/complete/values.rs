//! Completions of statements and values: names of the file, imported, of the library.

use super::{Kind, Offer};
use crate::check::{BUILTINS, Checker, Imported, ItemRef, ModuleId, Ty, field_words, schema_type};
use crate::ide::describe::{builtin, local_word};
use crate::ide::mentions::Local;
use crate::ide::resolve::{dotted, instantiated, locals, named};
use crate::ide::words;
use crate::name::Name;
use crate::syntax::ast::{ItemKind, StmtKind};

/// Functions of the tensors of an op.
const OF_OPS: [&str; 5] = ["size", "bytes", "extent", "window", "origin"];

/// The item that has the parameters of a model or a plan: what it is made of, however indirectly.
pub(super) fn block_of<'p>(checker: &mut Checker<'p>, item: ItemRef<'p>) -> Option<ItemRef<'p>> {
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
        // Differences set what is there already.
        let statements = words::statements(kind, amends || !sections.is_empty());
        // What has a form of its own is not set: `memory host at node …`.
        let first = |word: &str| word.split(' ').next().map(str::to_owned);
        self.leave_out(|one| {
            one.kind == Kind::Field
                && statements.iter().any(|(w, ..)| first(w).as_deref() == Some(&one.label))
        });
        for (word, detail, insert) in statements {
            let new = self.add(word, Kind::Keyword, *detail, 1);
            new.insert = (*insert).to_owned();
            new.snippet = insert.contains('$');
        }
        if self.is_block() {
            self.own(2);
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

    /// After `=`.
    pub(super) fn value(&mut self) {
        let setting = self.setting();
        let kind = self.kind();
        if let (Some(kind), Some(path)) = (kind, &setting)
            && !self.context.open.is_empty()
            && !self.is_block()
        {
            if let Some(words) = field_words(kind, path) {
                return self.words(words, "", 0);
            }
            let plan = kind == ItemKind::Plan;
            match schema_type(kind, path) {
                Some(Ty::Text) => return,
                Some(Ty::Dtype) => return self.of_kind(ItemKind::Dtype, 0),
                Some(Ty::Kind(kind)) => return self.of_kind(kind, 0),
                Some(Ty::Any) if plan => return self.of_kind(ItemKind::Plan, 0),
                Some(Ty::Word) if plan => return self.memories(),
                Some(Ty::Word) => return self.optimizers(),
                Some(Ty::Bool) => return self.words(&["true", "false"], "", 0),
                Some(Ty::Quantity(_) | Ty::Count) => return self.numbers(1),
                _ => {}
            }
            if matches!(kind, ItemKind::Scenario | ItemKind::Plan | ItemKind::Model) {
                return self.numbers(1);
            }
        }
        if self.context.kind == Some(ItemKind::Op)
            && let Some(words) = crate::check::op_words(self.context.first())
        {
            return self.words(words, "", 0);
        }
        if self.context.open.is_empty() {
            let of = match kind {
                Some(ItemKind::Measured) => Some(ItemKind::Scenario),
                Some(ItemKind::Model) => {
                    self.of_kind(ItemKind::Model, 0);
                    return self.models();
                }
                Some(
                    kind @ (ItemKind::Scenario
                    | ItemKind::Chip
                    | ItemKind::Link
                    | ItemKind::System
                    | ItemKind::Plan
                    | ItemKind::Runtime),
                ) => Some(kind),
                _ => None,
            };
            if let Some(kind) = of {
                return self.of_kind(kind, 0);
            }
        }
        self.names(1);
        if self.context.kind == Some(ItemKind::Block) {
            self.ops();
        }
    }

    /// Blocks that a model may be made of: whole ones, which repeat their layers, first.
    fn models(&mut self) {
        let from = self.out.len();
        self.of_kind(ItemKind::Block, 1);
        let program = self.view.program;
        let late = self.late.iter().filter(|(at, _)| *at >= from);
        let whole = |item: ItemRef<'_>| {
            let stmts = item.item.body.iter().flat_map(|b| &b.stmts);
            stmts.into_iter().any(|s| matches!(s.kind, StmtKind::Repeat { .. }))
        };
        let own = |item: ItemRef<'_>| program.module(item.module).std_path.is_none();
        let parts = late.filter(|(_, l)| !whole(l.item) && !own(l.item));
        let parts: Vec<usize> = parts.map(|(at, _)| *at).collect();
        for at in parts {
            if let Some(one) = self.out.get_mut(at) {
                one.rank += 1;
            }
        }
    }

    /// Optimizers: the library has a formula for the state of each.
    fn optimizers(&mut self) {
        let program = self.view.program;
        let modules: Vec<ModuleId> = program.std_modules("cost").collect();
        let fns = modules.iter().flat_map(|m| program.items_of_kind(*m, ItemKind::Fn));
        for item in fns {
            if let Some(name) = item.item.name.name.text().strip_suffix("_state_bytes") {
                let docs = item.item.docs.as_ref().map(|d| d.to_string());
                self.add(name, Kind::Word, "an optimizer", 0).docs = docs;
            }
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
                if Some(item.item.name.name) != self.context.item {
                    self.item(item, rank);
                }
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
        let numbers = self.is_block()
            || matches!(self.context.kind, Some(k) if k != ItemKind::Const)
            || matches!(self.wanted(), Some(Ty::Quantity(_) | Ty::Count));
        self.values(rank, numbers);
    }

    /// Names that may stand where a number is wanted.
    pub(super) fn numbers(&mut self, rank: u8) {
        self.values(rank, true);
    }

    /// Parameters and names that the item binds, other than where the cursor stands.
    pub(super) fn own(&mut self, rank: u8) {
        self.own_of(rank, |_| true);
    }

    /// Tensors of the block.
    pub(super) fn tensors(&mut self, rank: u8) {
        let from = self.out.len();
        self.own_of(rank, |local| matches!(local, Local::Input | Local::Weight | Local::Value));
        let mut at = 0..;
        self.leave_out(|one| at.next() >= Some(from) && one.kind == Kind::Param);
    }

    fn own_of(&mut self, rank: u8, wanted: impl Fn(Local) -> bool) {
        let program = self.view.program;
        let module = self.view.module;
        let item = self.context.item.and_then(|n| program.item(module, n));
        let Some(item) = item.filter(|i| i.item.params.is_some() || !i.item.broken) else {
            for (name, head) in crate::ide::broken::params(&self.view, self.byte) {
                self.add(name.text(), Kind::Param, head, rank);
            }
            return;
        };
        let all = locals(item);
        let unread = item.item.params.is_none();
        let written = unread.then(|| crate::ide::broken::params(&self.view, self.byte));
        for (name, head) in written.into_iter().flatten() {
            self.add(name.text(), Kind::Param, head, rank);
        }
        for param in item.item.params.iter().flatten() {
            let head = program.sources.text(item.place(param.span)).trim().to_owned();
            let new = self.add(param.name.name.text(), Kind::Param, head, rank);
            new.docs = param.docs.as_ref().map(|d| d.to_string());
        }
        // What the statement itself binds is not there yet, unless it was bound before.
        let begun = self.context.begun();
        let sets = self.is_block() && begun.iter().any(|t| t == "=");
        let binds = begun.first().filter(|_| sets).map(|name| Name::new(name));
        let once = |name: &Name| all.iter().filter(|(n, ..)| n == name).count() == 1;
        let new = binds.filter(once);
        for (name, local, span) in &all {
            let here = item.place(*span).span == self.context.span;
            if !here && *local != Local::Kernel && Some(*name) != new && wanted(*local) {
                let (name, local) = (*name, *local);
                self.add(name.text(), Kind::Local, local_word(local), rank);
            }
        }
    }

    fn values(&mut self, rank: u8, numbers: bool) {
        let program = self.view.program;
        let module = self.view.module;
        self.own(rank.saturating_sub(1));
        let objects = [
            ItemKind::Model,
            ItemKind::Chip,
            ItemKind::Link,
            ItemKind::System,
            ItemKind::Plan,
            ItemKind::Dtype,
        ];
        let mut kinds = vec![ItemKind::Const, ItemKind::Assume, ItemKind::Fn];
        if !numbers {
            kinds.extend(objects);
        }
        if self.context.kind == Some(ItemKind::Block) {
            kinds.extend([ItemKind::Block, ItemKind::Op]);
        }
        let own = program.items_of_kinds(module, &kinds);
        for item in self.nearest(own) {
            if Some(item.item.name.name) != self.context.item {
                self.item(item, rank);
            }
        }
        let imports = self.checker.imports_of(module);
        for name in imports.keys() {
            match named(&mut self.checker, module, *name) {
                Some(item) if !kinds.contains(&item.item.kind) => {}
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
        let in_op = self.context.kind == Some(ItemKind::Op);
        for word in BUILTINS.iter().filter(|w| in_op || !OF_OPS.contains(w)) {
            let new = self.add(word, Kind::Function, builtin(word), rank + 1);
            new.insert = format!("{word}($0)");
            new.snippet = true;
        }
        self.words(&["if", "then", "else", "true", "false", "none"], "", rank + 2);
    }
}
