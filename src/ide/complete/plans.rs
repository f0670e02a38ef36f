//! Completions of axes: those that a plan shards, of meshes, of a tensor; and scopes.

use super::{Kind, Offer};
use crate::check::ModuleId;
use crate::ide::describe::local_word;
use crate::ide::mentions::Local;
use crate::ide::resolve::locals;
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    pub(super) fn shard(&mut self) {
        let c = self.context.clone();
        if c.last() == "schedule" {
            for (word, insert) in [
                ("gpipe", "gpipe"),
                ("one_f_one_b", "one_f_one_b"),
                ("interleaved", "interleaved(chunks: ${1:2})"),
            ] {
                let new = self.add(word, Kind::Word, "a pipeline schedule", 0);
                new.insert = insert.to_owned();
                new.snippet = true;
            }
        } else if c.has("within") {
            self.scopes();
        } else if c.has("over") {
            self.mesh();
            if !matches!(c.last(), "over" | ",") {
                self.words(&["within", "schedule"], "", 2);
            }
        } else {
            self.sharded();
            if !matches!(c.last(), "shard" | ",") {
                self.words(&["over"], "then the mesh axes", 0);
            }
        }
    }

    pub(super) fn bound(&mut self, kinds: &[Local]) {
        let Some(name) = self.context.item else { return };
        let Some(item) = self.view.program.item(self.view.module, name) else { return };
        for (name, local, _) in locals(item) {
            if kinds.contains(&local) {
                self.add(name.text(), Kind::Axis, local_word(local), 0);
            }
        }
    }

    pub(super) fn mesh(&mut self) {
        self.bound(&[Local::Mesh]);
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
        self.out.retain(|one| !used.contains(&one.label));
    }

    /// Blocks and the names that their instances have, and the weights of them.
    pub(super) fn scopes(&mut self) {
        self.words(&["residual"], "definitions of carried values", 0);
        let program = self.view.program;
        let modules =
            program.modules().filter(|(_, m)| m.std_path.is_none_or(|p| p.starts_with("layers")));
        let modules: Vec<ModuleId> = modules.map(|(id, _)| id).collect();
        for module in modules {
            for block in program.items_of_kind(module, ItemKind::Block) {
                self.item(block, 0);
            }
        }
    }

    pub(super) fn axes(&mut self) {
        for name in ["batch", "seq", "ctx", "positions"] {
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
            let declared = mention.what == crate::ide::mentions::What::Binds(Local::Axis);
            if declared || mention.what == crate::ide::mentions::What::Axis {
                self.add(mention.name.text(), Kind::Axis, "an axis", 0);
            }
        }
    }
}
