//! Completions of axes: those that a plan shards, of meshes, of a tensor; and scopes.

use super::{Kind, Offer};
use crate::check::ModuleId;
use crate::ide::describe::{builtin, local_word};
use crate::ide::mentions::{Local, What};
use crate::ide::resolve::locals;
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    pub(super) fn shard(&mut self) {
        let c = self.context.clone();
        if c.last() == "schedule" {
            for word in crate::check::SCHEDULES {
                let new = self.add(word, Kind::Word, builtin(word), 0);
                if word == "interleaved" {
                    new.insert = format!("{word}(chunks: ${{1:2}})");
                    new.snippet = true;
                }
            }
        } else if c.has("within") {
            self.scopes();
        } else if c.has("over") {
            if matches!(c.last(), "over" | ",") {
                self.mesh();
            } else {
                self.words(&["within"], "only in some blocks", 0);
                self.words(&["schedule"], "the order of a pipeline", 0);
            }
        } else {
            if matches!(c.last(), "shard" | ",") {
                self.sharded();
            } else {
                self.words(&["over"], "then the mesh axes", 0);
            }
        }
    }

    pub(super) fn bound(&mut self, kinds: &[Local]) {
        let Some(name) = self.context.item else { return };
        let Some(item) = self.view.program.item(self.view.module, name) else { return };
        for (name, local, span) in locals(item) {
            let here = item.place(span).span == self.context.span;
            let used = self.context.statement.iter().any(|t| name == t.as_str());
            if kinds.contains(&local) && !here && !used {
                self.add(name.text(), Kind::Axis, local_word(local), 0);
            }
        }
    }

    pub(super) fn mesh(&mut self) {
        self.bound(&[Local::Mesh]);
    }

    /// After `zero`.
    pub(super) fn zero(&mut self) {
        let c = self.context.clone();
        match c.last() {
            "zero" => self.words(&crate::check::ZERO, "what is kept only once", 0),
            "over" | "," if c.has("over") => self.mesh(),
            _ if c.has("over") => {}
            _ => self.words(&["over"], "then the mesh axes", 0),
        }
    }

    /// After `mesh`: parameters of the plan that are none of its axes yet, and their sizes.
    pub(super) fn mesh_axes(&mut self) {
        let c = self.context.clone();
        match c.last() {
            "mesh" | "," => {
                let program = self.view.program;
                let item = c.item.and_then(|n| program.item(self.view.module, n));
                let Some(item) = item else { return };
                let taken = locals(item).into_iter().filter(|(_, local, span)| {
                    *local == Local::Mesh && item.place(*span).span != c.span
                });
                let taken: Vec<Name> = taken.map(|(name, ..)| name).collect();
                for param in item.item.params.iter().flatten() {
                    let name = param.name.name;
                    if !taken.contains(&name) && !c.has(name.text()) {
                        let head = program.sources.text(item.place(param.span)).trim().to_owned();
                        self.add(name.text(), Kind::Param, head, 0);
                    }
                }
            }
            "across" => self.levels(),
            "=" => {
                self.numbers(1);
                self.words(&["rest"], "as many devices as are left", 0);
            }
            _ => self.words(&["across"], "then the level of the machine", 0),
        }
    }

    /// Axes that a plan can shard: those of models in this file first, then of every other block.
    pub(super) fn sharded(&mut self) {
        let program = self.view.program;
        let mut found: Vec<(Name, Name, u8)> = Vec::new();
        for name in ["batch", "seq", "layers"] {
            self.add(name, Kind::Axis, "an axis of every model", 0);
        }
        let modules =
            program.modules().filter(|(_, m)| m.std_path.is_none_or(|p| p.starts_with("layers")));
        let all = modules.flat_map(|(id, _)| program.items_of_kind(id, ItemKind::Block));
        let view = self.view;
        let near = crate::ide::reach::blocks(&mut self.checker, &view);
        let blocks =
            near.iter().copied().map(|block| (block, 1)).chain(all.map(|block| (block, 2)));
        for (block, rank) in blocks {
            let own = block.item.name.name;
            let axes = crate::ide::mentions::mentions(block.item);
            for mention in axes.iter().filter(|m| m.what == crate::ide::mentions::What::Axis) {
                if !found.iter().any(|(name, ..)| *name == mention.name) {
                    found.push((mention.name, own, rank));
                }
            }
        }
        let used: Vec<String> = self.context.statement.clone();
        for (name, block, rank) in found {
            self.add(name.text(), Kind::Axis, format!("an axis of `{block}`"), rank);
        }
        self.leave_out(|one| used.contains(&one.label));
    }

    /// Blocks, the names that their instances have, and their weights: those of the models of this
    /// file before every other block.
    pub(super) fn scopes(&mut self) {
        self.words(&["residual"], "definitions of carried values", 0);
        let program = self.view.program;
        let view = self.view;
        let near = crate::ide::reach::blocks(&mut self.checker, &view);
        for block in &near {
            self.item(*block, 0);
        }
        for block in near {
            let own = block.item.name.name;
            for mention in crate::ide::mentions::mentions(block.item) {
                if matches!(mention.what, What::Binds(Local::Weight | Local::Value)) {
                    let what = format!("in `{own}`");
                    self.add(mention.name.text(), Kind::Local, what, 1);
                }
            }
        }
        let modules =
            program.modules().filter(|(_, m)| m.std_path.is_none_or(|p| p.starts_with("layers")));
        let modules: Vec<ModuleId> = modules.map(|(id, _)| id).collect();
        for module in modules {
            for block in program.items_of_kind(module, ItemKind::Block) {
                self.item(block, 2);
            }
        }
    }

    /// Axes in the brackets of a tensor; weights have none of the workload.
    pub(super) fn axes(&mut self) {
        let weight =
            self.context.open.iter().any(|o| o.head.first().is_some_and(|w| w == "weight"));
        let phases = ["batch", "seq", "ctx", "positions"];
        for name in phases.iter().filter(|_| !weight) {
            self.add(name, Kind::Axis, "an axis of every model", 1);
        }
        let Some(item) =
            self.context.item.and_then(|n| self.view.program.item(self.view.module, n))
        else {
            return;
        };
        for param in item.item.params.iter().flatten() {
            let count =
                param.ty.as_ref().is_some_and(|t| t.parts.iter().any(|(n, _)| n.name == "Count"));
            if count {
                self.add(param.name.name.text(), Kind::Axis, "a parameter", 0);
            }
        }
        for mention in crate::ide::mentions::mentions(item.item) {
            let here = item.place(mention.span).span == self.context.span;
            let phase = phases.contains(&mention.name.text());
            let axis = matches!(mention.what, What::Binds(Local::Axis) | What::Axis);
            if axis && !here && !phase {
                self.add(mention.name.text(), Kind::Axis, "an axis", 0);
            }
        }
        let used = self.context.statement.clone();
        self.leave_out(|one| used.contains(&one.label));
    }
}
