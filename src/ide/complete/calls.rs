//! Completions between the parentheses of a call or of an item's parameters.

use super::{Kind, Offer};
use crate::check::ItemRef;
use crate::ide::context::call;
use crate::ide::describe::builtin;
use crate::name::Name;
use crate::syntax::ast::{ItemKind, Param, StmtKind};

impl<'p> Offer<'p> {
    /// Between the parentheses of a call, or of an item's parameters.
    pub(super) fn arguments(&mut self) {
        let c = self.context.clone();
        let Some((path, open)) = call(&c) else { return self.names(1) };
        let declares = c.open.len() == 1
            && open.head.len() == 2
            && open.head.first().is_some_and(|w| ItemKind::from_keyword(w).is_some());
        if declares {
            match (c.has(":"), c.has("=")) {
                (_, true) => self.numbers(1),
                (true, false) => self.types(),
                _ => {} // a name that is new
            }
            return;
        }
        let Some(item) = self.callee(&path) else { return self.names(2) };
        let params = item.item.params.as_deref().unwrap_or_default();
        if c.has(":") {
            let name = c.statement.first().cloned();
            let param = params.iter().find(|p| name.as_deref() == Some(p.name.name.text()));
            let ty = param.and_then(|p| p.ty.as_ref()).and_then(|t| t.parts.first());
            return match ty {
                Some((ty, _)) => self.of_type(ty.name),
                None => self.names(1),
            };
        }
        if !c.starts() {
            return self.names(2);
        }
        // Tensors come without names, before everything else.
        let takes = |word: &str| {
            let is = |p: &&Param| {
                p.ty.iter().any(|t| t.parts.first().is_some_and(|(n, _)| n.name == word))
            };
            params.iter().filter(is).count()
        };
        let inputs = item.item.body.iter().flat_map(|b| &b.stmts);
        let inputs = inputs.filter(|s| matches!(s.kind, StmtKind::Input { .. })).count();
        let tensors = if item.item.kind == ItemKind::Block { inputs } else { takes("Tensor") };
        let plain = open.commas.saturating_sub(open.given.len());
        let tensor_next = plain < tensors && open.given.is_empty() && self.is_block();
        let scope: Vec<Name> = self.in_scope();
        let left = params.iter().enumerate().filter(|(at, p)| {
            let given = open.given.iter().any(|g| *g == p.name.name.text());
            let placed = item.item.kind != ItemKind::Block && *at < plain;
            !given && !placed
        });
        for (_, param) in left {
            let head = self.view.program.sources.text(item.place(param.span)).trim().to_owned();
            let docs = param.docs.as_ref().map(|d| d.to_string());
            let label = format!("{}:", param.name.name);
            let rank = u8::from(param.default.is_some()) + u8::from(tensor_next);
            let passes = scope.contains(&param.name.name);
            let new = self.add(&label, Kind::Param, head, rank);
            new.docs = docs;
            new.insert = if passes { label } else { format!("{label} ") };
        }
        let objects = [ItemKind::Plan, ItemKind::System, ItemKind::Model, ItemKind::Chip];
        let made = objects.contains(&item.item.kind)
            || (item.item.kind == ItemKind::Block && self.context.kind != Some(ItemKind::Block));
        match (made, tensor_next) {
            (true, _) => {} // everything by name
            (_, true) => {
                self.tensors(0);
                self.names(3);
            }
            _ => self.names(3),
        }
    }

    /// Names that `name:` alone passes on.
    fn in_scope(&self) -> Vec<Name> {
        let item = self.context.item.and_then(|n| self.view.program.item(self.view.module, n));
        let Some(item) = item else { return Vec::new() };
        let params = item.item.params.iter().flatten().map(|p| p.name.name);
        let bound = crate::ide::resolve::locals(item).into_iter().map(|(name, ..)| name);
        params.chain(bound).collect()
    }

    pub(super) fn callee(&mut self, path: &[Name]) -> Option<ItemRef<'p>> {
        crate::ide::signature::callee(&mut self.checker, &self.view, self.context.item, path)
    }

    pub(super) fn types(&mut self) {
        for word in [
            "Count", "Number", "Bool", "Text", "Dtype", "Axis", "Tensor", "Chip", "Link", "System",
            "Model", "Plan",
        ] {
            self.add(word, Kind::Word, builtin(word), 0);
        }
        let program = self.view.program;
        if let Some(units) = program.std_module("units") {
            for item in program.items_of_kind(units, ItemKind::Dimension) {
                self.item(item, 1);
            }
        }
    }

    pub(super) fn of_type(&mut self, ty: Name) {
        match ty.text() {
            "Bool" => self.words(&["true", "false"], "", 0),
            "Dtype" => self.of_kind(ItemKind::Dtype, 0),
            "Axis" => {
                self.axes();
                self.of_kind(ItemKind::Axis, 1);
            }
            "Op" => {
                self.words(&["none"], "", 0);
                self.of_kind(ItemKind::Op, 0);
            }
            "Tensor" => self.tensors(0),
            "Text" | "Word" => {}
            word => match ItemKind::from_keyword(&word.to_lowercase()) {
                Some(kind) => self.of_kind(kind, 0),
                None => self.numbers(1),
            },
        }
    }
}
