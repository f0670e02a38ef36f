//! What a name means where it stands: local names, fields, results, items of the module, imports,
//! the prelude.

use super::imports::Imported;
use super::program::ItemRef;
use super::value::{Env, Scope, Value, with_article};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, Safety, closest, listed};
use crate::expr::OriginKind;
use crate::name::Name;
use crate::source::{Origin, Place};
use crate::syntax::ast::ItemKind;

impl<'p> Checker<'p> {
    /// The value of a name; reports an unknown one.
    pub fn eval_name(&mut self, name: Name, place: Place, env: &Env<'p>) -> Value<'p> {
        match self.find_name(name, place, env) {
            // `batch` is an axis everywhere, but hardly what `serve.batch = batch * 2` means.
            Some(Value::Word(word)) if word == name && set_here(name, env).is_some() => {
                self.report_unknown(name, place, env);
                Value::Error
            }
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
        let set = env.site().kind == OriginKind::Override;
        if !set && !self.is_typed(env) {
            return None;
        }
        let program = self.program;
        // Results are those of a scenario.
        let files = super::library::FILES.iter().filter(|(path, _)| set || *path != "metrics");
        let mut modules = files.filter_map(|(path, _)| program.std_module(path));
        modules.find_map(|module| program.item(module, name))
    }

    /// Whether a scope is that of an expression on the command line.
    fn is_typed(&self, env: &Env<'p>) -> bool {
        self.program.sources.file(env.site().file).origin == Origin::Command
    }

    /// The value of a name, if it is known.
    pub fn find_name(&mut self, name: Name, place: Place, env: &Env<'p>) -> Option<Value<'p>> {
        let mut current = Some(env);
        while let Some(env) = current {
            match env.scope() {
                Scope::Names(_) => {
                    if let Some(value) = env.own(name) {
                        return Some(self.joined(value, name, place, env));
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
                        // `std.chips.H100_SXM`: a path of the library, as `use` has it.
                        if name == "std" && self.is_typed(env) {
                            return Some(Value::Module("".into()));
                        }
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

    /// A local name as it is read. What arms of an `if` left with different axes is said once.
    fn joined(&mut self, value: Value<'p>, name: Name, place: Place, env: &Env<'p>) -> Value<'p> {
        let Value::Parted(finding) = value else { return value };
        self.report((*finding).clone().and(place, "read here"));
        env.bind(name, Value::Error);
        Value::Error
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
        if let Some(field) = set_here(name, env) {
            let title = format!("`{field}` is set here, so it has no other value");
            self.report(
                Diagnostic::new(codes::CYCLE, title, place, "the same field")
                    .note("write the value out, or set only a part of it by its path"),
            );
            return;
        }
        if self.is_result_root(name, env.site().module) && is_among_fields(env) {
            let title = format!("`{name}` is a result, and only inputs are known here");
            self.report(
                Diagnostic::new(codes::RESULT_NOT_YET, title, place, "known only at the end")
                    .note("`expect` what it should be, or let a `sweep` try several inputs"),
            );
            return;
        }
        let mut candidates = self.visible_names(env);
        if self.is_typed(env) {
            let library = self.program.std_modules("");
            candidates.extend(library.flat_map(|m| self.program.names(m).map(|(name, _)| name)));
        }
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
        let results = self.results.as_ref().filter(|_| sees_results(env));
        let why = results.and_then(|r| r.why_absent(name.text()));
        let of_library = elsewhere.is_some_and(|path| path == "metrics");
        if results.is_some() && (of_library || why.is_some()) {
            // A result of other scenarios: what it follows from is not stated in this one.
            let title = format!("this scenario has no result `{name}`");
            diagnostic = Diagnostic::new(codes::UNKNOWN_RESULT, title, place, "not known here");
            let unstated = || results.and_then(crate::lower::unstated);
            diagnostic.notes.extend(why.or_else(unstated));
        } else if of_library && self.is_typed(env) {
            diagnostic = diagnostic.note("it is a result: name the file of a scenario, and which");
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

/// The field that is being set, if its last name is this one.
fn set_here(name: Name, env: &Env<'_>) -> Option<String> {
    let mut current = Some(env);
    while let Some(env) = current {
        if let Scope::Fields { path, .. } = env.scope()
            && path.last() == Some(&name)
        {
            let parts: Vec<&str> = path.iter().map(|part| part.text()).collect();
            return Some(parts.join("."));
        }
        current = env.parent();
    }
    None
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
