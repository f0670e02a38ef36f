//! Imports: what the `use` lines of a module bring into it, and the line that would bring more.

use std::rc::Rc;

use super::program::{ItemRef, ModuleId};
use super::{Checker, codes};
use crate::arena::Ordered;
use crate::diagnostic::{Diagnostic, closest};
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
}
