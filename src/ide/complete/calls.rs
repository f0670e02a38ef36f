//! Completions between the parentheses of a call or of an item's parameters.

use super::{Kind, Offer};
use crate::check::ItemRef;
use crate::ide::context::call;
use crate::ide::describe::builtin;
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    /// Between the parentheses of a call, or of an item's parameters.
    pub(super) fn arguments(&mut self) {
        let c = self.context.clone();
        let Some((path, open)) = call(&c) else { return self.names(1) };
        let declares = c.open.len() == 1
            && open.head.len() == 2
            && open.head.first().is_some_and(|w| ItemKind::from_keyword(w).is_some());
        if declares {
            if c.has(":") && !c.has("=") {
                self.types();
            } else {
                self.names(1);
            }
            return;
        }
        let callee = self.callee(&path);
        let typed = c.has(":");
        let name = c.statement.first().cloned();
        if let Some(item) = callee {
            let params = item.item.params.as_deref().unwrap_or_default();
            if typed {
                let param = params.iter().find(|p| name.as_deref() == Some(p.name.name.text()));
                let ty = param.and_then(|p| p.ty.as_ref()).and_then(|t| t.parts.first());
                if let Some((ty, _)) = ty {
                    self.of_type(ty.name);
                }
            } else if c.starts() {
                let given = open.given.clone();
                for param in
                    params.iter().filter(|p| !given.iter().any(|g| *g == p.name.name.text()))
                {
                    let head =
                        self.view.program.sources.text(item.place(param.span)).trim().to_owned();
                    let docs = param.docs.as_ref().map(|d| d.to_string());
                    let label = format!("{}:", param.name.name);
                    let needed = param.default.is_none();
                    let new = self.add(&label, Kind::Param, head, u8::from(!needed));
                    new.docs = docs;
                    new.insert = format!("{label} ");
                }
            }
        }
        self.names(2);
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
            word => {
                if let Some(kind) = ItemKind::from_keyword(&word.to_lowercase()) {
                    self.of_kind(kind, 0);
                }
            }
        }
    }
}
