//! Completions below a dot and fields of a body: settings, results, names of a module.

use super::{Kind, Offer};
use crate::check::{ItemRef, ModuleId, Ty, names_below, schema_type};
use crate::ide::complete::values::block_of;
use crate::ide::describe::{field_docs, result_docs};
use crate::name::Name;
use crate::syntax::ast::ItemKind;

impl<'p> Offer<'p> {
    /// After a dot.
    pub(super) fn below(&mut self) {
        let c = self.context.clone();
        let path = c.path.clone();
        let Some((first, rest)) = path.split_first() else { return };
        let at_start = c.statement.len() <= path.len() * 2;
        let left = at_start && c.open.last().is_some_and(|o| o.bracket == '{');
        if left {
            let mut full = c.sections();
            full.extend(&path);
            let may_be_result = c.kind == Some(ItemKind::Measured);
            if self.fields(&full) || !may_be_result {
                return;
            }
        }
        let text: Vec<&str> = path.iter().map(|n| n.text()).collect();
        let results = text.join(".");
        if self.has_results() && self.results(&results, 0) {
            return;
        }
        // A module, an item, a parameter.
        let module = self.view.module;
        match self.checker.module_name(module, *first) {
            Some(crate::check::Imported::Module(folder)) => {
                let program = self.view.program;
                let folder = rest.iter().fold(folder.to_string(), |f, n| format!("{f}/{n}"));
                let modules: Vec<ModuleId> =
                    match folder.strip_prefix('#').and_then(|i| i.parse().ok()) {
                        Some(id) => vec![ModuleId(id)],
                        None => program.std_modules(&folder).collect(),
                    };
                for module in modules {
                    for item in program.items(module).filter(|i| i.item.kind != ItemKind::Use) {
                        self.item(item, 0);
                    }
                }
            }
            Some(crate::check::Imported::Parsed(item)) => self.fields_of(item, rest),
            _ => {
                if let Some(kind) = self.param_kind(*first) {
                    for name in names_below(kind, rest) {
                        self.add(name.text(), Kind::Field, "", 0);
                    }
                }
            }
        }
    }

    pub(super) fn param_kind(&self, name: Name) -> Option<ItemKind> {
        let item = self.view.program.item(self.view.module, self.context.item?)?;
        let params = item.item.params.as_deref().unwrap_or_default();
        let ty = params.iter().find(|p| p.name.name == name).and_then(|p| p.ty.as_ref());
        let word = ty.and_then(|t| t.parts.first()).map(|(part, _)| part.name.text().to_owned());
        // What is being typed may have no tree yet.
        let word = word.or_else(|| self.type_written(name))?;
        ItemKind::from_keyword(&word.to_lowercase())
    }

    /// The type that the text of the item gives to a name: `Link` of `link: Link`.
    fn type_written(&self, name: Name) -> Option<String> {
        let cut = self.view.program.module(self.view.module).cut();
        let at = self.context.span.start;
        let part = cut.piece_at(at).and_then(|i| cut.pieces.get(i))?;
        let text = part.piece.text(self.view.text);
        let all = crate::syntax::token::tokens(text);
        all.windows(3).find_map(|three| match three {
            [a, b, c] if a.text(text) == name.text() && b.text(text) == ":" => {
                Some(c.text(text).to_owned())
            }
            _ => None,
        })
    }

    pub(super) fn fields_of(&mut self, item: ItemRef<'p>, path: &[Name]) {
        let scenario = matches!(item.item.kind, ItemKind::Scenario | ItemKind::Measured);
        let kind = if scenario { ItemKind::Scenario } else { item.item.kind };
        for name in names_below(kind, path) {
            self.field(kind, path, name);
        }
        for name in self.open_names(item, path) {
            self.add(name.text(), Kind::Field, "", 0);
        }
        if path.is_empty()
            && let Some(own) = block_of(&mut self.checker, item)
        {
            let left = self.context.starts();
            for param in own.item.params.iter().flatten() {
                let name = param.name.name;
                let head = self.view.program.sources.text(own.place(param.span)).trim().to_owned();
                let new = self.add(name.text(), Kind::Param, head, 0);
                new.docs = param.docs.as_ref().map(|d| d.to_string());
                if left {
                    new.insert = format!("{name} = $0");
                    new.snippet = true;
                }
            }
        }
        if scenario {
            let text: Vec<&str> = path.iter().map(|n| n.text()).collect();
            self.results(&text.join("."), 1);
        }
    }

    pub(super) fn field(&mut self, kind: ItemKind, path: &[Name], name: Name) {
        let full: Vec<Name> = path.iter().copied().chain([name]).collect();
        let detail = schema_type(kind, &full).map_or("settings".into(), Ty::describe);
        let docs = field_docs(kind, &full);
        let section = schema_type(kind, &full).is_none();
        let left = self.context.starts();
        let amends = self.context.open.iter().any(|o| o.head.iter().any(|t| t == "with"));
        let labelled = section && names_below(kind, &full).is_empty();
        let snippets = left && !section;
        let new = self.add(name.text(), Kind::Field, detail, 0);
        new.docs = docs;
        if snippets {
            new.insert = format!("{name} = $0");
            new.snippet = true;
        } else if left && amends && labelled {
            new.insert = format!("{name}.");
        } else if left {
            new.insert = format!("{name} {{\n  $0\n}}");
            new.snippet = true;
        }
    }

    /// The fields below a path of what the cursor stands in; what is amended counts too.
    pub(super) fn fields(&mut self, path: &[Name]) -> bool {
        let Some(kind) = self.kind() else { return false };
        let before = self.out.len();
        if let Some((first, rest)) = path.split_first()
            && let Some(Ty::Kind(inner)) = schema_type(kind, &[*first])
        {
            // `plan.tp` of a scenario: what its plan has.
            if let Some(item) = self.part_of_scenario(*first) {
                self.fields_of(item, rest);
            } else {
                for name in names_below(inner, rest) {
                    self.field(inner, rest, name);
                }
            }
            return self.out.len() > before;
        }
        for name in names_below(kind, path) {
            self.field(kind, path, name);
        }
        if let Some(item) = self.amended() {
            for name in self.open_names(item, path) {
                self.add(name.text(), Kind::Field, "", 0);
            }
        }
        self.out.len() > before
    }

    /// What the cursor stands in the differences to: `H100_SXM` in `H100_SXM with { … }`.
    fn amended(&mut self) -> Option<ItemRef<'p>> {
        let open = self.context.open.iter().find(|o| o.bracket == '{')?;
        let at = open.head.iter().position(|t| t == "with")?;
        let base = Name::new(open.head.get(at.checked_sub(1)?)?);
        crate::ide::signature::callee(&mut self.checker, &self.view, self.context.item, &[base])
    }

    /// Whether results can be meant where the cursor stands.
    fn has_results(&self) -> bool {
        let c = &self.context;
        matches!(c.kind, Some(ItemKind::Sweep | ItemKind::Metric | ItemKind::Measured))
            || c.first() == "expect"
    }

    /// The plan, model or system of the scenario that the cursor stands in.
    pub(super) fn part_of_scenario(&mut self, name: Name) -> Option<ItemRef<'p>> {
        let own = self.context.item?;
        let item = self.view.program.item(self.view.module, own)?;
        crate::ide::resolve::set_in(&mut self.checker, item, name)
    }

    /// Results below a path that its scenario has; whether there are any.
    pub(super) fn results(&mut self, path: &str, rank: u8) -> bool {
        let outline = self.checker.outline_for(self.view.module);
        let mut children = outline.children(path);
        if path.is_empty() {
            let workload = self.workload();
            let model = self.context.kind == Some(ItemKind::Model);
            children.retain(|name| match model {
                true => *name == "parameters",
                false => self.is_of(*name, workload),
            });
        }
        for name in &children {
            let full = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            let docs = result_docs(&self.view, &full);
            let measures = match outline.get(&full) {
                Some(crate::lower::Leaf::Number(id)) => {
                    self.checker.graph.dimension(*id).to_string()
                }
                Some(crate::lower::Leaf::Flag(_)) => "a condition".into(),
                Some(_) => "a result".into(),
                None => "results".into(),
            };
            let new = self.add(name.text(), Kind::Result, measures, rank);
            new.docs = docs;
        }
        !children.is_empty()
    }
}
