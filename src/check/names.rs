//! What a name means: local names, fields, results, items of the module, imports, the prelude.

use std::rc::Rc;

use super::program::{ItemRef, ModuleId};
use super::value::{Env, Scope, Value, with_article};
use super::{Checker, codes};
use crate::arena::Ordered;
use crate::diagnostic::{Diagnostic, Safety, closest, listed};
use crate::expr::OriginKind;
use crate::name::Name;
use crate::source::Place;
use crate::syntax::ast::{ImportSource, ItemKind};

/// What an import brings into a module.
#[derive(Clone)]
pub enum Imported<'p> {
    /// An item, parsed when it is first looked at.
    Item(ModuleId, Name),
    /// What it became.
    Parsed(ItemRef<'p>),
    /// A module or folder: its path below `std/`, or the module's number for a file.
    Module(Rc<str>),
    /// A unit, which is known without being imported.
    Unit,
    /// Something already reported.
    Error,
}

impl<'p> Checker<'p> {
    /// The item that `name` means in a module: declared there, imported, or of the prelude.
    pub fn module_name(&mut self, module: ModuleId, name: Name) -> Option<Imported<'p>> {
        let program = self.program;
        if let Some(item) = program.item(module, name) {
            return Some(Imported::Parsed(item));
        }
        let imports = self.imports_of(module);
        if let Some(import) = imports.get(&name) {
            return Some(match import {
                Imported::Unit => return program.prelude_item(name).map(Imported::Parsed),
                Imported::Item(module, name) => Imported::Parsed(program.item(*module, *name)?),
                other => other.clone(),
            });
        }
        program.prelude_item(name).map(Imported::Parsed)
    }

    /// Everything that the `use` lines of a module bring in, resolved once.
    pub fn imports_of(&mut self, module: ModuleId) -> Rc<Ordered<Name, Imported<'p>>> {
        if let Some(imports) = self.imports.get(&module) {
            return imports.clone();
        }
        let mut map = Ordered::default();
        for item in self.program.items_of_kind(module, ItemKind::Use) {
            self.resolve_use(item, &mut map);
        }
        let map = Rc::new(map);
        self.imports.insert(module, map.clone());
        map
    }

    fn resolve_use(&mut self, item: ItemRef<'p>, map: &mut Ordered<Name, Imported<'p>>) {
        let Some(import) = &item.item.import else { return };
        let program = self.program;
        match &import.from {
            ImportSource::File(text, rest) => {
                let Some(target) = program.imported(item.module, &text.plain()) else {
                    // Already reported when loading; its names are known to be unknown.
                    for (name, alias) in import.names.iter().flatten() {
                        map.insert(alias.unwrap_or(*name).name, Imported::Error);
                    }
                    if let Some(last) = import.alias.or(rest.last().copied()) {
                        map.insert(last.name, Imported::Error);
                    }
                    return;
                };
                let single = rest.last().map(|last| (*last, import.alias));
                let names = import.names.iter().flatten().copied().chain(single);
                let mut any = false;
                for (name, alias) in names {
                    any = true;
                    let file = program.sources.file(program.module(target).file).name.to_string();
                    let whence = format!("`{file}`");
                    let found = self.item_in(&[target], name.name, item.place(name.span), &whence);
                    map.insert(alias.unwrap_or(name).name, found);
                }
                if !any && let Some(alias) = import.alias {
                    let path = format!("#{}", target.0);
                    map.insert(alias.name, Imported::Module(path.into()));
                }
            }
            ImportSource::Path(parts) => self.resolve_std(item, parts, map),
        }
    }

    fn resolve_std(
        &mut self,
        item: ItemRef<'p>,
        parts: &'p [crate::syntax::ast::Ident],
        map: &mut Ordered<Name, Imported<'p>>,
    ) {
        let Some(import) = &item.item.import else { return };
        let program = self.program;
        let Some((root, rest)) = parts.split_first() else { return };
        if root.name != "std" {
            self.report(
                Diagnostic::new(
                    codes::UNKNOWN_MODULE,
                    format!("there is no module `{}`", root.name),
                    item.place(root.span),
                    "not a module",
                )
                .note(
                    "the library is `std`; a file is imported by its path: `use \"./mine.mesa\"`",
                ),
            );
            for (name, alias) in import.names.iter().flatten() {
                map.insert(alias.unwrap_or(*name).name, Imported::Error);
            }
            if let Some(last) = import.alias.or(rest.last().copied()) {
                map.insert(last.name, Imported::Error);
            }
            return;
        }
        // The longest prefix that is a file or a folder of the library.
        let mut depth = rest.len();
        let (path, modules) = loop {
            let names: Vec<_> = rest.iter().take(depth).map(|i| i.name.text()).collect();
            let path = names.join("/");
            let modules: Vec<_> = program.std_modules(&path).collect();
            if !modules.is_empty() {
                break (path, modules);
            }
            depth -= 1;
        };
        let remaining = rest.get(depth..).unwrap_or_default();
        let whole = |name: Name, map: &mut Ordered<Name, Imported<'p>>| {
            map.insert(name, Imported::Module(path.as_str().into()));
        };
        let listed = import.names.as_deref();
        let whence = format!("std.{}", path.replace('/', "."));
        match (remaining, listed) {
            ([], None) => {
                if let Some(name) = import.alias.or(rest.last().copied()) {
                    whole(name.name, map);
                }
            }
            ([], Some(names)) => {
                for (name, alias) in names {
                    let place = item.place(name.span);
                    let found = self.item_in(&modules, name.name, place, &whence);
                    map.insert(alias.unwrap_or(*name).name, found);
                }
            }
            ([name], None) => {
                let place = item.place(name.span);
                let found = self.item_in(&modules, name.name, place, &whence);
                map.insert(import.alias.unwrap_or(*name).name, found);
            }
            ([unknown, ..], _) => {
                let known = super::library::FILES.iter().map(|(p, _)| *p);
                let known: Vec<&str> = known.flat_map(|p| p.split('/')).collect();
                let diagnostic = Diagnostic::new(
                    codes::UNKNOWN_MODULE,
                    format!("the library has no module `{}`", unknown.name),
                    item.place(unknown.span),
                    "not a module of `std`",
                );
                let best = closest(unknown.name.text(), known);
                self.report(diagnostic.meant(best, item.place(unknown.span), ""));
                for (name, alias) in import.names.iter().flatten() {
                    map.insert(alias.unwrap_or(*name).name, Imported::Error);
                }
                if let Some(last) = import.alias.or(rest.last().copied()) {
                    map.insert(last.name, Imported::Error);
                }
            }
        }
    }

    pub(super) fn item_in(
        &mut self,
        modules: &[ModuleId],
        name: Name,
        place: Place,
        whence: &str,
    ) -> Imported<'p> {
        let program = self.program;
        if let Some(module) = modules.iter().find(|m| program.declares(**m, name)) {
            return Imported::Item(*module, name);
        }
        // Units are known everywhere; importing one says where it comes from.
        if modules.iter().any(|m| program.unit_item(*m, name).is_some()) {
            return Imported::Unit;
        }
        let known = modules.iter().flat_map(|m| program.names(*m)).map(|(n, _)| n.text());
        let known: Vec<&str> = known.collect();
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_NAME,
            format!("`{name}` is not declared in {whence}"),
            place,
            "not known",
        );
        self.report(diagnostic.meant(closest(name.text(), known), place, ""));
        Imported::Error
    }

    /// The value of a name; reports an unknown one.
    pub fn eval_name(&mut self, name: Name, place: Place, env: &Env<'p>) -> Value<'p> {
        match self.find_name(name, place, env) {
            Some(value) => value,
            None if name == AUTO && is_in_plan(env) => Value::Word(name),
            None => {
                self.report_unknown(name, place, env);
                Value::Error
            }
        }
    }

    /// What a command line may name without a `use`: what the library declares.
    fn library_item(&self, name: Name, env: &Env<'p>) -> Option<ItemRef<'p>> {
        if env.site().kind != OriginKind::Override {
            return None;
        }
        let program = self.program;
        let mut modules = super::library::FILES.iter().filter_map(|(p, _)| program.std_module(p));
        modules.find_map(|module| program.item(module, name))
    }

    /// The value of a name, if it is known.
    pub fn find_name(&mut self, name: Name, place: Place, env: &Env<'p>) -> Option<Value<'p>> {
        let mut current = Some(env);
        while let Some(env) = current {
            match env.scope() {
                Scope::Names(_) => {
                    if let Some(value) = env.own(name) {
                        return Some(value);
                    }
                }
                Scope::Fields { object, path } => {
                    for depth in (0..path.len()).rev() {
                        let prefix = path.get(..depth).unwrap_or_default();
                        let full: Vec<Name> = prefix.iter().copied().chain([name]).collect();
                        if full == **path || !object.has(&full) {
                            continue;
                        }
                        let mut value = Value::Object(object.clone());
                        for part in full {
                            let Value::Object(o) = &value else { return Some(Value::Error) };
                            value = self.field(&o.clone(), part)?;
                        }
                        return Some(value);
                    }
                }
                Scope::Results => {
                    if let Some(value) = self.result_value(name.text()) {
                        return Some(value);
                    }
                }
                Scope::Module => {
                    let Some(found) = self.module_name(env.site().module, name) else {
                        let item = self.library_item(name, env)?;
                        return Some(self.item_value(item, place));
                    };
                    return match found {
                        Imported::Parsed(item) => Some(self.item_value(item, place)),
                        Imported::Item(..) | Imported::Unit => None,
                        Imported::Module(path) => Some(Value::Module(path)),
                        Imported::Error => Some(Value::Error),
                    };
                }
            }
            current = env.parent();
        }
        None
    }

    /// The item that a callee names, without instantiating it.
    pub fn find_item(&mut self, name: Name, env: &Env<'p>) -> Option<ItemRef<'p>> {
        let mut current = Some(env);
        while let Some(env) = current {
            match env.scope() {
                Scope::Names(_) if env.own(name).is_some() => return None,
                Scope::Module => {
                    let Some(found) = self.module_name(env.site().module, name) else {
                        return self.library_item(name, env);
                    };
                    return match found {
                        Imported::Parsed(item) => Some(item),
                        _ => None,
                    };
                }
                _ => {}
            }
            current = env.parent();
        }
        None
    }

    /// Whether an item that is named without arguments needs some; reported where it is named.
    fn lacks_arguments(&mut self, item: ItemRef<'p>, place: Place) -> bool {
        let callable = [ItemKind::Fn, ItemKind::Op, ItemKind::Block];
        let params = item.item.params.as_deref().unwrap_or_default();
        let needed = params
            .iter()
            .filter(|p| p.default.is_none() && !super::object::is_optional(p))
            .collect::<Vec<_>>();
        if needed.is_empty() || callable.contains(&item.item.kind) {
            return false;
        }
        let name = item.item.name.name;
        let list: Vec<String> = needed.iter().map(|p| format!("`{}`", p.name.name)).collect();
        let call: Vec<String> = needed.iter().map(|p| format!("{}: …", p.name.name)).collect();
        let mut diagnostic = Diagnostic::new(
            codes::MISSING_ARGUMENT,
            format!("`{name}` needs a value for {}", list.join(" and ")),
            place,
            "named without arguments",
        );
        for param in needed {
            diagnostic = diagnostic.and(item.place(param.span), "this parameter has no default");
        }
        self.report(diagnostic.note(format!("call it: `{name}({})`", call.join(", "))));
        true
    }

    /// What an item is as a value.
    pub fn item_value(&mut self, item: ItemRef<'p>, place: Place) -> Value<'p> {
        if item.item.broken || self.lacks_arguments(item, place) {
            return Value::Error;
        }
        match item.item.kind {
            ItemKind::Const | ItemKind::Assume => self.constant_item(item),
            ItemKind::Fn | ItemKind::Op | ItemKind::Block => Value::Item(item),
            ItemKind::Axis => self.prelude_axis(item),
            ItemKind::Dtype
            | ItemKind::Model
            | ItemKind::Chip
            | ItemKind::Link
            | ItemKind::System
            | ItemKind::Plan
            | ItemKind::Runtime
            | ItemKind::Scenario
            | ItemKind::Measured => self.object_item(item),
            ItemKind::Use
            | ItemKind::Dimension
            | ItemKind::Unit
            | ItemKind::Metric
            | ItemKind::Sweep => {
                self.report(
                    Diagnostic::new(
                        codes::WRONG_KIND,
                        format!("{} has no value", with_article(item.item.kind)),
                        place,
                        format!("`{}` is {}", item.item.name.name, with_article(item.item.kind)),
                    )
                    .and(item.name_place(), "declared here"),
                );
                Value::Error
            }
        }
    }

    fn report_unknown(&mut self, name: Name, place: Place, env: &Env<'p>) {
        if self.is_result_root(name, env.site().module) && is_among_fields(env) {
            let title = format!("`{name}` is a result, and only inputs are known here");
            self.report(
                Diagnostic::new(codes::RESULT_NOT_YET, title, place, "known only at the end")
                    .note("`expect` what it should be, or let a `sweep` try several inputs"),
            );
            return;
        }
        let candidates = self.visible_names(env);
        let mut diagnostic = Diagnostic::new(
            codes::UNKNOWN_NAME,
            format!("`{name}` is not known here"),
            place,
            "not known",
        );
        let candidates: Vec<&str> = candidates.iter().map(|n| n.text()).collect();
        let elsewhere = super::library::FILES.iter().find_map(|(path, _)| {
            let module = self.program.std_module(path)?;
            self.program.item(module, name).map(|_| *path)
        });
        if elsewhere.is_some_and(|path| path == "metrics") && sees_results(env) {
            // A result of other scenarios: what it follows from is not stated in this one.
            let title = format!("this scenario has no result `{name}`");
            diagnostic = Diagnostic::new(codes::UNKNOWN_RESULT, title, place, "not known here");
            if let Some(note) = self.results.as_ref().and_then(crate::lower::unstated) {
                diagnostic = diagnostic.note(note);
            }
        } else if let Some(path) = elsewhere {
            let top = path.split('/').next().unwrap_or(path);
            diagnostic = diagnostic.note(format!("the library has it: add `use std.{top}.{name}`"));
            let (at, text) = self.import_line(env.site().module, &format!("std.{top}.{name}"));
            diagnostic = diagnostic.fix(format!("import `{name}`"), at, text, Safety::Safe);
        } else {
            let roots = if sees_results(env) { self.result_roots() } else { Vec::new() };
            let roots: Vec<&str> = roots.iter().map(|n| n.text()).collect();
            let best = closest(name.text(), candidates);
            diagnostic = diagnostic.meant(best, place, listed("results start with", &roots));
            if best.is_none() {
                diagnostic.notes.extend(self.spoken_of(name));
            }
        }
        self.report(diagnostic);
    }

    /// Where a module takes another `use` line, and the line: after the last one it has, else
    /// after what the file says of itself.
    pub(crate) fn import_line(&self, module: ModuleId, path: &str) -> (Place, String) {
        let file = self.program.module(module).file;
        let text = &self.program.sources.file(file).text;
        let uses = self.program.items_of_kind(module, ItemKind::Use);
        let last = uses.last().map(|item| item.place(item.item.span).span.end as usize);
        let line_end = |at: usize| {
            let rest = text.get(at..).unwrap_or_default();
            at + rest.find('\n').map_or(rest.len(), |n| n + 1)
        };
        let (at, after) = match last {
            Some(end) => (line_end(end), ""),
            None => {
                let mut at = 0;
                while text.get(at..).is_some_and(|rest| rest.starts_with("//!")) {
                    at = line_end(at);
                }
                let blank = text.get(at..).is_some_and(|rest| rest.starts_with('\n'));
                (if blank { line_end(at) } else { at }, "\n")
            }
        };
        let before =
            if at > 0 && text.get(..at).is_some_and(|t| !t.ends_with('\n')) { "\n" } else { "" };
        let span = crate::source::Span::new(at as u32, at as u32);
        (Place { file, span }, format!("{before}use {path}\n{after}"))
    }

    /// Every name that could be written in a scope.
    pub fn visible_names(&mut self, env: &Env<'p>) -> Vec<Name> {
        let mut names = env.local_names();
        let mut current = Some(env);
        while let Some(e) = current {
            match e.scope() {
                Scope::Fields { object, path } => {
                    for depth in 0..path.len() {
                        names.extend(object.field_names(path.get(..depth).unwrap_or_default()));
                    }
                }
                Scope::Results => names.extend(self.result_roots()),
                Scope::Module => {
                    let module = e.site().module;
                    names.extend(self.program.names(module).map(|(n, _)| n));
                    names.extend(self.imports_of(module).keys().copied());
                    for path in super::library::PRELUDE.iter().filter(|p| **p != "units") {
                        if let Some(m) = self.program.std_module(path) {
                            // Axes and ops mean something inside of blocks alone.
                            let outside = [ItemKind::Axis, ItemKind::Op];
                            let inside = self.builder.active;
                            let known = self.program.names(m);
                            let known = known.filter(|(_, k)| inside || !outside.contains(k));
                            names.extend(known.map(|(n, _)| n));
                        }
                    }
                    names.extend(super::call::BUILTINS.iter().map(|b| Name::new(b)));
                }
                Scope::Names(_) => {}
            }
            current = e.parent();
        }
        names
    }
}

/// Whether results are in scope.
fn sees_results(env: &Env<'_>) -> bool {
    let mut current = Some(env);
    while let Some(env) = current {
        if matches!(env.scope(), Scope::Results) {
            return true;
        }
        current = env.parent();
    }
    false
}

/// Whether a scope stands in the fields of an object and sees no results.
fn is_among_fields(env: &Env<'_>) -> bool {
    let mut current = Some(env);
    let mut fields = false;
    while let Some(env) = current {
        match env.scope() {
            Scope::Results => return false,
            Scope::Fields { .. } => fields = true,
            _ => {}
        }
        current = env.parent();
    }
    fields
}

/// What stands for a plan or a degree of it that is left open.
pub(crate) const AUTO: &str = "auto";

/// Whether a value is one of a scenario's `plan`.
fn is_in_plan(env: &Env<'_>) -> bool {
    let mut current = Some(env);
    while let Some(env) = current {
        if let Scope::Fields { object, path } = env.scope()
            && [ItemKind::Scenario, ItemKind::Measured].contains(&object.kind)
        {
            return path.first().is_some_and(|name| *name == "plan");
        }
        current = env.parent();
    }
    false
}
