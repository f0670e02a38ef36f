//! Completions of axes: those that a plan shards, of meshes, of a tensor; and scopes.

use super::{Kind, Offer};
use crate::check::{ItemRef, ModuleId};
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
            self.words(&["within", "schedule"], "", 2);
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

    /// Axes that a plan can shard: of models in this file, else of every block of the library.
    pub(super) fn sharded(&mut self) {
        let program = self.view.program;
        let mut blocks: Vec<ItemRef<'p>> = Vec::new();
        let mut found: Vec<(Name, Name)> = Vec::new();
        for name in ["batch", "seq", "layers"] {
            self.add(name, Kind::Axis, "an axis of every model", 0);
        }
        let modules =
            program.modules().filter(|(_, m)| m.std_path.is_none_or(|p| p.starts_with("layers")));
        for (id, _) in modules {
            blocks.extend(program.items_of_kind(id, ItemKind::Block));
        }
        for block in blocks {
            let own = block.item.name.name;
            let axes = crate::ide::mentions::mentions(block.item);
            for mention in axes.iter().filter(|m| m.what == crate::ide::mentions::What::Axis) {
                if !found.iter().any(|(n, _)| *n == mention.name) {
                    found.push((mention.name, own));
                }
            }
        }
        for (name, block) in found {
            self.add(name.text(), Kind::Axis, format!("an axis of `{block}`"), 1);
        }
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
