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

    /// After `use`.
    pub(super) fn imports(&mut self) {
        let c = self.context.clone();
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
            self.add(&name, Kind::Module, "part of the library", 0);
        }
        if folder.is_empty() {
            return;
        }
        let modules: Vec<ModuleId> = program.std_modules(&folder).collect();
        for module in modules {
            for item in program.items(module) {
                if item.item.kind != ItemKind::Use {
                    self.item(item, 1);
                }
            }
        }
    }
}
