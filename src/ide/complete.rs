//! What could be typed at the cursor.
//!
//! In: a view and a byte. Out: [`Completion`]s, those that fit best first. What is offered follows
//! from where the cursor stands: axes after `shard`, mesh axes after `over`, fields in a body, units
//! after a number, results after `expect`, and names of the library with the `use` that they need.

use super::context::{Context, call, context};
use super::describe::{about, builtin, local_word};
use super::mentions::Local;
use super::resolve::{Target, View, dotted, locals, named};
use super::words::{self, CONTINUE};
use crate::check::{
    BUILTINS, Checker, ItemRef, ModuleId, Ty, field_words, names_below, schema_type,
};
use crate::diagnostic::Edit;
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::ItemKind;

/// What a completion is, for its icon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Kind {
    Keyword,
    Field,
    Item(ItemKind),
    Param,
    Local,
    Axis,
    Unit,
    Result,
    Module,
    File,
    Function,
    Word,
    Snippet,
}

/// Something that could be typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What is shown and matched.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// A line about it.
    pub detail: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// What is inserted, with `$1` and `${1:x}` as places to go on.
    pub insert: String,
    /// Whether `insert` has such places.
    pub snippet: bool,
    /// What is replaced.
    pub span: Span,
    /// Edits elsewhere: the `use` that it needs.
    pub edits: Vec<Edit>,
    /// How well it fits: 0 is best.
    pub rank: u8,
}

/// What could be typed at a byte.
#[must_use]
pub fn complete(view: &View<'_>, byte: u32) -> Vec<Completion> {
    let context = context(view, byte);
    let checker = Checker::new(view.program);
    let mut offer = Offer { view: *view, checker, context, out: Vec::new() };
    offer.run();
    let mut out = offer.out;
    let mut seen = rustc_hash::FxHashSet::default();
    out.sort_by(|a, b| (a.rank, &a.label).cmp(&(b.rank, &b.label)));
    out.retain(|c| seen.insert(c.label.clone()));
    out
}

struct Offer<'p> {
    view: View<'p>,
    checker: Checker<'p>,
    context: Context,
    out: Vec<Completion>,
}

impl<'p> Offer<'p> {
    fn add(
        &mut self,
        label: &str,
        kind: Kind,
        detail: impl Into<String>,
        rank: u8,
    ) -> &mut Completion {
        let span = self.context.span;
        self.out.push(Completion {
            label: label.to_owned(),
            kind,
            detail: detail.into(),
            docs: None,
            insert: label.to_owned(),
            snippet: false,
            span,
            edits: Vec::new(),
            rank,
        });
        let last = self.out.len() - 1;
        #[allow(clippy::indexing_slicing)] // just pushed
        &mut self.out[last]
    }

    fn words(&mut self, words: &[&str], detail: &str, rank: u8) {
        for word in words {
            self.add(word, Kind::Word, detail, rank);
        }
    }

    fn run(&mut self) {
        let c = self.context.clone();
        if c.comment {
            return;
        }
        if let Some(text) = &c.text {
            if c.first() == "use" {
                self.files(text);
            }
            return;
        }
        if c.open.is_empty() && c.starts() {
            return self.items_of_files();
        }
        if c.first() == "use"
            || c.open.first().is_some_and(|o| o.head.first().is_some_and(|w| w == "use"))
        {
            return self.imports();
        }
        if c.after_number {
            return self.units();
        }
        if !c.path.is_empty() {
            return self.below();
        }
        match c.first() {
            "shard" => return self.shard(),
            "zero" if c.has("over") => return self.mesh(),
            "zero" | "overlap" => {
                return self.words(&["weights", "gradients", "optimizer"], "a role of tensors", 0);
            }
            "mesh" if c.last() == "across" => return self.bound(&[Local::Level]),
            _ => {}
        }
        if c.last() == "within" || (c.has("within") && c.last() == ",") {
            return self.scopes();
        }
        if matches!(c.last(), "dtype") {
            return self.of_kind(ItemKind::Dtype, 0);
        }
        if c.last() == "via" {
            return self.of_kind(ItemKind::Link, 0);
        }
        if c.open.last().is_some_and(|o| o.bracket == '(') {
            return self.arguments();
        }
        if c.open.last().is_some_and(|o| o.bracket == '[') && self.is_block() && !c.has("=") {
            return self.axes();
        }
        if c.starts() {
            return self.statements();
        }
        if matches!(c.first(), "expect" | "where" | "minimize" | "maximize")
            || c.kind == Some(ItemKind::Metric)
        {
            self.results("", 0);
        }
        if c.last() == "=" || c.has("=") {
            self.value();
        } else {
            self.names(1);
        }
        self.clauses();
    }

    fn is_block(&self) -> bool {
        matches!(self.context.kind, Some(ItemKind::Block | ItemKind::Op))
    }

    /// In column 0: kinds of items, as snippets.
    fn items_of_files(&mut self) {
        for (keyword, detail, insert) in words::ITEMS {
            let new = self.add(keyword, Kind::Keyword, *detail, 0);
            new.insert = (*insert).to_owned();
            new.snippet = true;
        }
    }

    /// Paths of files beside this one.
    fn files(&mut self, typed: &str) {
        let name = self.view.program.sources.file(self.view.file).name.to_string();
        let folder = typed.rfind('/').map_or("", |i| typed.get(..=i).unwrap_or(""));
        let looked = if folder.is_empty() { "./" } else { folder };
        let Some(path) = super::workspace::beside(&name, looked) else { return };
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
    fn imports(&mut self) {
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

    fn item(&mut self, item: ItemRef<'p>, rank: u8) {
        let name = item.item.name.name;
        let detail = super::describe::headline(self.view.program, item);
        let detail: String = detail.lines().next().unwrap_or("").chars().take(80).collect();
        let docs = item.item.docs.as_ref().map(|d| d.to_string());
        let new = self.add(name.text(), Kind::Item(item.item.kind), detail, rank);
        new.docs = docs;
    }

    /// Units after a number; with them what else may follow.
    fn units(&mut self) {
        let program = self.view.program;
        let mut modules: Vec<ModuleId> = program.std_module("units").into_iter().collect();
        modules.extend(program.modules().filter(|(_, m)| m.std_path.is_none()).map(|(id, _)| id));
        let wanted = self.wanted_dimension();
        for module in modules {
            for item in program.items_of_kind(module, ItemKind::Unit) {
                let name = item.item.name.name;
                let unit = program.unit(name);
                let detail = unit.map_or(String::new(), |u| u.dimension.to_string());
                let fits = wanted.is_some() && unit.map(|u| u.dimension) == wanted;
                let docs = item.item.docs.as_ref().map(|d| d.to_string());
                let new = self.add(name.text(), Kind::Unit, detail, u8::from(!fits));
                new.docs = docs;
            }
        }
        if wanted.is_some() {
            for joined in ["TB/s", "GB/s", "TFLOP/s", "PFLOP/s", "USD/h", "tok/s"] {
                let mut parts = joined.split('/').map(|p| program.unit(Name::new(p)));
                let both = parts.next().flatten().zip(parts.next().flatten());
                let dimension = both.map(|(a, b)| a.dimension.over(b.dimension));
                if dimension == wanted {
                    self.add(joined, Kind::Unit, "", 0);
                }
            }
        }
        self.words(&CONTINUE, "", 3);
    }

    /// What the value being written should measure.
    fn wanted_dimension(&mut self) -> Option<crate::quantity::Dimension> {
        match self.wanted() {
            Some(Ty::Quantity(dimension)) => Some(dimension),
            Some(_) => None,
            None => self.compared(),
        }
    }

    /// What the left side of a comparison measures: `expect ttft < 4 |`.
    fn compared(&mut self) -> Option<crate::quantity::Dimension> {
        let statement = self.context.statement.clone();
        let sign = |t: &String| matches!(t.as_str(), "<" | ">" | "<=" | ">=" | "==" | "!=");
        let at = statement.iter().rposition(sign)?;
        let before = statement.get(..at)?.iter().rev();
        let is_path = |t: &&String| {
            *t == "." || t.starts_with(|c: char| c.is_ascii_alphabetic()) && *t != "expect"
        };
        let mut path: Vec<&str> = before.take_while(is_path).map(String::as_str).collect();
        path.reverse();
        let outline = self.checker.outline_for(self.view.module);
        match outline.get(&path.concat())? {
            crate::lower::Leaf::Number(id) => Some(self.checker.graph.dimension(*id)),
            _ => None,
        }
    }

    fn kind(&self) -> Option<ItemKind> {
        let kind = self.context.kind?;
        Some(if kind == ItemKind::Measured { ItemKind::Scenario } else { kind })
    }

    /// The whole path of the setting that is being written.
    fn setting(&self) -> Option<Vec<Name>> {
        let at = self.context.statement.iter().position(|t| t == "=")?;
        let left = self.context.statement.get(..at)?.iter();
        let left = left.filter(|t| *t != ".").map(|t| Name::new(t));
        Some(self.context.sections().into_iter().chain(left).collect())
    }

    fn wanted(&self) -> Option<Ty> {
        if self.context.open.is_empty() {
            return None;
        }
        schema_type(self.kind()?, &self.setting()?)
    }

    /// After a dot.
    fn below(&mut self) {
        let c = self.context.clone();
        let path = c.path.clone();
        let Some((first, rest)) = path.split_first() else { return };
        let at_start = c.statement.len() <= path.len() * 2;
        let left = at_start && c.open.last().is_some_and(|o| o.bracket == '{');
        if left {
            let mut full = c.sections();
            full.extend(&path);
            if self.fields(&full) {
                return;
            }
        }
        let text: Vec<&str> = path.iter().map(|n| n.text()).collect();
        let results = text.join(".");
        if self.results(&results, 0) {
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

    fn param_kind(&self, name: Name) -> Option<ItemKind> {
        let item = self.view.program.item(self.view.module, self.context.item?)?;
        let params = item.item.params.as_deref().unwrap_or_default();
        let ty = params.iter().find(|p| p.name.name == name)?.ty.as_ref()?;
        ItemKind::from_keyword(&ty.parts.first()?.0.name.text().to_lowercase())
    }

    fn fields_of(&mut self, item: ItemRef<'p>, path: &[Name]) {
        let scenario = matches!(item.item.kind, ItemKind::Scenario | ItemKind::Measured);
        let kind = if scenario { ItemKind::Scenario } else { item.item.kind };
        for name in names_below(kind, path) {
            self.field(kind, path, name);
        }
        if path.is_empty() {
            for param in item.item.params.iter().flatten() {
                self.add(param.name.name.text(), Kind::Param, "a parameter", 0);
            }
        }
        if scenario {
            let text: Vec<&str> = path.iter().map(|n| n.text()).collect();
            self.results(&text.join("."), 1);
        }
    }

    fn field(&mut self, kind: ItemKind, path: &[Name], name: Name) {
        let full: Vec<Name> = path.iter().copied().chain([name]).collect();
        let detail = schema_type(kind, &full).map_or("settings".into(), Ty::describe);
        let docs = field_words(kind, &full).map(|w| format!("One of: {}", w.join(", ")));
        let section = schema_type(kind, &full).is_none();
        let left = self.context.starts();
        let snippets = left && !section;
        let new = self.add(name.text(), Kind::Field, detail, 0);
        new.docs = docs;
        if snippets {
            new.insert = format!("{name} = $0");
            new.snippet = true;
        } else if left {
            new.insert = format!("{name} {{\n  $0\n}}");
            new.snippet = true;
        }
    }

    /// The fields below a path of what the cursor stands in; what is amended counts too.
    fn fields(&mut self, path: &[Name]) -> bool {
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
        self.out.len() > before
    }

    /// The plan, model or system of the scenario that the cursor stands in.
    fn part_of_scenario(&mut self, name: Name) -> Option<ItemRef<'p>> {
        let own = self.context.item?;
        let item = self.view.program.item(self.view.module, own)?;
        super::resolve::set_in(&mut self.checker, item, name)
    }

    /// Results below a path; whether there are any.
    fn results(&mut self, path: &str, rank: u8) -> bool {
        let outline = self.checker.outline_for(self.view.module);
        let children = outline.children(path);
        for name in &children {
            let full = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            let about = about(&self.view, &Target::Result(full.clone()));
            let measures = match outline.get(&full) {
                Some(crate::lower::Leaf::Number(id)) => {
                    self.checker.graph.dimension(*id).to_string()
                }
                Some(_) => "a result".into(),
                None => "results".into(),
            };
            let new = self.add(name.text(), Kind::Result, measures, rank);
            new.docs = about.docs;
        }
        !children.is_empty()
    }

    fn shard(&mut self) {
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

    fn bound(&mut self, kinds: &[Local]) {
        let Some(name) = self.context.item else { return };
        let Some(item) = self.view.program.item(self.view.module, name) else { return };
        for (name, local, _) in locals(item) {
            if kinds.contains(&local) {
                self.add(name.text(), Kind::Axis, local_word(local), 0);
            }
        }
    }

    fn mesh(&mut self) {
        self.bound(&[Local::Mesh]);
    }

    /// Axes that a plan can shard: of models in this file, else of every block of the library.
    fn sharded(&mut self) {
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
            let axes = super::mentions::mentions(block.item);
            for mention in axes.iter().filter(|m| m.what == super::mentions::What::Axis) {
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
    fn scopes(&mut self) {
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

    fn axes(&mut self) {
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
        for mention in super::mentions::mentions(item.item) {
            let declared = mention.what == super::mentions::What::Binds(Local::Axis);
            if declared || mention.what == super::mentions::What::Axis {
                self.add(mention.name.text(), Kind::Axis, "an axis", 0);
            }
        }
    }

    /// Between the parentheses of a call, or of an item's parameters.
    fn arguments(&mut self) {
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

    fn callee(&mut self, path: &[Name]) -> Option<ItemRef<'p>> {
        super::signature::callee(&mut self.checker, &self.view, self.context.item, path)
    }

    fn types(&mut self) {
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

    fn of_type(&mut self, ty: Name) {
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

    /// At the start of a statement of a body.
    fn statements(&mut self) {
        let c = self.context.clone();
        let Some(kind) = self.kind() else { return };
        let sections = c.sections();
        let amends = c.open.last().is_some_and(|o| o.head.iter().any(|t| t == "with"));
        self.fields(&sections);
        if amends && kind == ItemKind::Scenario && sections.is_empty() {
            for path in [
                "precision.weights",
                "precision.cache",
                "serve.batch",
                "serve.prompt",
                "serve.output",
            ] {
                let new = self.add(path, Kind::Field, "a setting of the scenario", 1);
                new.insert = format!("{path} = $0");
                new.snippet = true;
            }
            return;
        }
        if sections.is_empty() && kind == ItemKind::Runtime {
            let program = self.view.program;
            let modules: Vec<ModuleId> = program.std_modules("cost").collect();
            for module in modules {
                for item in program.items_of_kind(module, ItemKind::Assume) {
                    self.item(item, 0);
                    if let Some(last) = self.out.last_mut() {
                        last.insert = format!("{} = $0", last.label);
                        last.snippet = true;
                    }
                }
            }
        }
        for (word, detail, insert) in words::statements(kind, !sections.is_empty()) {
            let new = self.add(word, Kind::Keyword, *detail, 1);
            new.insert = (*insert).to_owned();
            new.snippet = insert.contains('$');
        }
        if self.is_block() {
            self.names(2);
        }
    }

    /// After `=`.
    fn value(&mut self) {
        let setting = self.setting();
        let kind = self.kind();
        if let (Some(kind), Some(path)) = (kind, &setting)
            && !self.context.open.is_empty()
        {
            if let Some(words) = field_words(kind, path) {
                return self.words(words, "", 0);
            }
            match schema_type(kind, path) {
                Some(Ty::Dtype) => return self.of_kind(ItemKind::Dtype, 0),
                Some(Ty::Kind(kind)) => return self.of_kind(kind, 0),
                Some(Ty::Word) if dotted(path).ends_with("optimizer") => {
                    return self.words(&["adam", "sgd"], "an optimizer", 0);
                }
                Some(Ty::Bool) => self.words(&["true", "false"], "", 0),
                _ => {}
            }
        }
        if self.context.open.is_empty() {
            match kind {
                Some(ItemKind::Scenario | ItemKind::Measured) => {
                    self.of_kind(ItemKind::Scenario, 0)
                }
                Some(ItemKind::Model) => self.of_kind(ItemKind::Block, 0),
                Some(ItemKind::Chip) => self.of_kind(ItemKind::Chip, 0),
                Some(ItemKind::Link) => self.of_kind(ItemKind::Link, 0),
                Some(ItemKind::System) => self.of_kind(ItemKind::System, 0),
                Some(ItemKind::Plan) => self.of_kind(ItemKind::Plan, 0),
                Some(ItemKind::Runtime) => self.of_kind(ItemKind::Runtime, 0),
                _ => {}
            }
        }
        if self.context.first() == "chip" {
            self.of_kind(ItemKind::Chip, 0);
        }
        self.names(1);
        if self.is_block() {
            self.ops();
        }
    }

    fn ops(&mut self) {
        let program = self.view.program;
        if let Some(ops) = program.std_module("ops") {
            for item in program.items_of_kind(ops, ItemKind::Op) {
                self.item(item, 1);
            }
        }
        self.of_kind(ItemKind::Block, 1);
    }

    /// Items of a kind: of the file, imported, of the prelude, and of the library with their `use`.
    fn of_kind(&mut self, kind: ItemKind, rank: u8) {
        let program = self.view.program;
        let module = self.view.module;
        for item in program.items_of_kind(module, kind) {
            if Some(item.item.name.name) != self.context.item {
                self.item(item, rank);
            }
        }
        if kind == ItemKind::Scenario {
            for item in program.items_of_kind(module, ItemKind::Measured) {
                self.item(item, rank);
            }
        }
        let imports = self.checker.imports_of(module);
        for name in imports.keys() {
            if let Some(item) = named(&mut self.checker, module, *name)
                && item.item.kind == kind
            {
                self.item(item, rank);
                if let Some(last) = self.out.last_mut() {
                    last.label = name.to_string();
                    last.insert = name.to_string();
                }
            }
        }
        for (path, _) in crate::check::library::FILES {
            let Some(id) = program.std_module(path).filter(|id| *id != module) else { continue };
            let prelude = crate::check::library::PRELUDE.contains(path);
            let top = path.split('/').next().unwrap_or(path);
            let names: Vec<Name> =
                program.names(id).filter(|(_, k)| *k == kind).map(|(n, _)| n).collect();
            for name in names {
                let known = imports.contains_key(&name) || program.declares(module, name);
                let Some(item) = program.item(id, name).filter(|_| !known) else { continue };
                self.item(item, if prelude { rank } else { rank + 1 });
                if !prelude {
                    let (place, text) =
                        self.checker.import_line(module, &format!("std.{top}.{name}"));
                    if let Some(last) = self.out.last_mut() {
                        last.edits = vec![Edit { place, text }];
                        last.detail = format!("use std.{top}.{name}");
                    }
                }
            }
        }
    }

    /// Names that may stand in an expression.
    fn names(&mut self, rank: u8) {
        let program = self.view.program;
        let module = self.view.module;
        if let Some(item) = self.context.item.and_then(|n| program.item(module, n)) {
            for param in item.item.params.iter().flatten() {
                let head = program.sources.text(item.place(param.span)).trim().to_owned();
                let new =
                    self.add(param.name.name.text(), Kind::Param, head, rank.saturating_sub(1));
                new.docs = param.docs.as_ref().map(|d| d.to_string());
            }
            for (name, local, _) in locals(item) {
                self.add(name.text(), Kind::Local, local_word(local), rank.saturating_sub(1));
            }
        }
        let values = [
            ItemKind::Const,
            ItemKind::Assume,
            ItemKind::Fn,
            ItemKind::Model,
            ItemKind::Chip,
            ItemKind::Link,
            ItemKind::System,
            ItemKind::Plan,
            ItemKind::Dtype,
        ];
        let own: Vec<ItemRef<'p>> =
            program.items(module).filter(|i| values.contains(&i.item.kind)).collect();
        for item in own {
            if Some(item.item.name.name) != self.context.item {
                self.item(item, rank);
            }
        }
        let imports = self.checker.imports_of(module);
        for name in imports.keys() {
            match named(&mut self.checker, module, *name) {
                Some(item) => {
                    self.item(item, rank);
                    if let Some(last) = self.out.last_mut() {
                        last.label = name.to_string();
                        last.insert = name.to_string();
                    }
                }
                None => {
                    self.add(name.text(), Kind::Module, "part of the library", rank);
                }
            }
        }
        for word in BUILTINS {
            let new = self.add(word, Kind::Function, builtin(word), rank + 1);
            new.insert = format!("{word}($0)");
            new.snippet = true;
        }
        self.words(&["if", "then", "else", "true", "false", "none"], "", rank + 2);
    }

    /// Words that go on after a value.
    fn clauses(&mut self) {
        if self.context.last() != "=" {
            self.words(
                &["with", "in", "because", "source", "from", "dtype", "on", "and", "or"],
                "",
                4,
            );
        }
    }
}
