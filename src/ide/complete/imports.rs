//! Completions after `use`: files, folders of the library and what they declare.

use super::{Kind, Offer};
use crate::check::ModuleId;
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    /// Paths of files beside this one.
    pub(super) fn files(&mut self, typed: &str) {
        let name = self.view.program.sources.file(self.view.file).name.to_string();
        let folder = typed.rfind('/').map_or("", |i| typed.get(..=i).unwrap_or(""));
        let looked = if folder.is_empty() { "./" } else { folder };
        let Some(path) = crate::ide::workspace::beside(&name, looked) else { return };
        let Ok(entries) = std::fs::read_dir(path) else { return };
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .filter_map(|e| {
                let name = e.file_name().to_string_lossy().into_owned();
                let folder = e.file_type().is_ok_and(|t| t.is_dir());
                let shown = folder && !name.starts_with('.');
                (shown || name.ends_with(".mesa")).then(|| if folder { name + "/" } else { name })
            })
            .collect();
        names.sort();
        let own = name.rsplit('/').next().unwrap_or("").to_owned();
        for name in names.iter().filter(|n| **n != own) {
            let before = if folder.is_empty() { "./" } else { "" };
            let typed_here = typed.len() - folder.len();
            let insert = format!("{before}{name}");
            let at = self.context.span;
            let span = Span::new(at.start.saturating_sub(typed_here as u32), at.end);
            let new = self.add(&insert, Kind::File, "a file", 0);
            new.span = span;
        }
    }

    /// After `use "./parts.mesa".`: what the file declares. A `use` that is not finished reads no
    /// file yet: then it is looked at here.
    fn names_of_file(&mut self, path: &str) {
        let program = self.view.program;
        if let Some(module) = program.imported(self.view.module, path) {
            for item in program.items(module).filter(|i| i.item.kind != ItemKind::Use) {
                self.item(item, 0);
            }
            return;
        }
        let name = &program.sources.file(self.view.file).name;
        let text = crate::ide::workspace::beside(name, path)
            .and_then(|path| std::fs::read_to_string(path).ok());
        let Some(text) = text else { return };
        for part in &crate::check::Cut::new(&text).pieces {
            if let (Some(kind), Some(name)) = (part.piece.kind, part.piece.name)
                && kind != ItemKind::Use
            {
                self.add(name.text(), Kind::Item(kind), kind.keyword(), 0);
            }
        }
    }

    /// After `use`.
    pub(super) fn imports(&mut self) {
        let c = self.context.clone();
        let top = c.open.is_empty();
        match c.last() {
            "as" => return, // a name that is new
            last if top && c.path.is_empty() && !matches!(last, "use" | ".") => {
                return self.words(&["as"], "then another name for it", 0);
            }
            _ => {}
        }
        let mut tokens = c.open.iter().flat_map(|o| &o.head).chain(&c.statement);
        if let Some(file) = tokens.find(|t| t.starts_with('"')) {
            return self.names_of_file(file.trim_matches('"'));
        }
        let mut path = c.path.clone();
        // `use std.chips.{A, |`
        if let Some(open) = c.open.last() {
            path = open
                .head
                .iter()
                .filter(|t| *t != "use" && *t != ".")
                .map(|t| Name::new(t))
                .collect();
        }
        let Some((root, rest)) = path.split_first() else {
            self.add("std", Kind::Module, "the library", 0);
            return;
        };
        if *root != "std" {
            return;
        }
        let folder = rest.iter().map(|n| n.text()).collect::<Vec<_>>().join("/");
        let program = self.view.program;
        let mut below: Vec<String> = Vec::new();
        for (path, _) in crate::check::library::FILES {
            let inside = if folder.is_empty() {
                Some(*path)
            } else {
                path.strip_prefix(&folder).and_then(|r| r.strip_prefix('/'))
            };
            if let Some(next) = inside.and_then(|p| p.split('/').next())
                && !below.iter().any(|b| b == next)
            {
                below.push(next.to_owned());
            }
        }
        for name in below {
            self.add(&name, Kind::Module, "part of the library", u8::from(!top));
        }
        if folder.is_empty() {
            return;
        }
        let modules: Vec<ModuleId> = program.std_modules(&folder).collect();
        for module in modules {
            for item in program.items(module) {
                if item.item.kind != ItemKind::Use {
                    self.item(item, u8::from(top));
                }
            }
        }
        let listed = c.statement.clone();
        self.leave_out(|one| listed.contains(&one.label));
    }
}
