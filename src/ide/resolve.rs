//! What a name means: from a place in a file to what is declared.
//!
//! In: a program, a file, a byte. Out: the mention that stands there and its [`Target`].

use std::rc::Rc;

use super::mentions::{Local, Mention, What, base_of, mentions};
use crate::check::{Checker, Imported, ItemRef, ModuleId, Program, Ty, schema_type};
use crate::name::Name;
use crate::source::{FileId, Place, Span};
use crate::syntax::ast::{ItemKind, StmtKind};

/// What a name means.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Target {
    /// An item of a module; units have names of their own.
    Item(ModuleId, Name, bool),
    /// A parameter of an item.
    Param(ModuleId, Name, Name),
    /// A name inside of an item.
    Local(ModuleId, Name, Name),
    /// A field of a kind of item.
    Field(ItemKind, Vec<Name>),
    /// A result of scenarios, by path.
    Result(String),
    /// A module or folder of the library.
    Module(String),
    /// A file of the user.
    File(ModuleId),
    /// A function, type or word of the language.
    Builtin(Name),
    /// An axis of models, by the name that a plan calls it.
    Axis(Name),
}

/// A file of a program as an editor looks at it.
#[derive(Clone, Copy)]
pub struct View<'p> {
    /// The program.
    pub program: &'p Program,
    /// The module.
    pub module: ModuleId,
    /// Its file.
    pub file: FileId,
    /// Its text.
    pub text: &'p str,
}

/// A mention in its item.
#[derive(Clone)]
pub struct Found<'p> {
    /// The item.
    pub item: ItemRef<'p>,
    /// The mention, its span relative to the piece.
    pub mention: Mention,
    /// Where it stands.
    pub place: Place,
}

impl<'p> View<'p> {
    /// A module of a program.
    #[must_use]
    pub fn new(program: &'p Program, module: ModuleId) -> Self {
        let file = program.module(module).file;
        Self { program, module, file, text: &program.sources.file(file).text }
    }
    /// The same program seen from another of its modules.
    #[must_use]
    pub fn of(self, module: ModuleId) -> Self {
        Self::new(self.program, module)
    }
    /// The item that stands at a byte, its comments included.
    #[must_use]
    pub fn item_at(&self, byte: u32) -> Option<ItemRef<'p>> {
        let piece = self.program.module(self.module).cut().piece_at(byte)?;
        self.program.items_of_piece(self.module, piece).next()
    }
    /// The mention that a cursor at a byte touches, also in what cannot be read.
    #[must_use]
    pub fn mention_at(&self, byte: u32) -> Option<Found<'p>> {
        self.read_at(byte).or_else(|| super::broken::mention_at(self, byte))
    }
    fn read_at(&self, byte: u32) -> Option<Found<'p>> {
        let item = self.item_at(byte)?;
        let at = byte.checked_sub(item.offset)?;
        let touched =
            mentions(item.item).into_iter().filter(|m| m.span.start <= at && at <= m.span.end);
        // Of two names that touch, the one that starts here.
        let mention = touched.max_by_key(|m| m.span.start)?;
        let place = item.place(mention.span);
        Some(Found { item, mention, place })
    }
}

/// What a mention in an item means.
pub fn resolve<'p>(
    checker: &mut Checker<'p>,
    item: ItemRef<'p>,
    mention: &Mention,
) -> Option<Target> {
    Resolver { checker, item }.target(mention)
}

/// The item that a field of an item is set to, there or in what it amends: the plan of a scenario.
pub fn set_in<'p>(
    checker: &mut Checker<'p>,
    item: ItemRef<'p>,
    field: Name,
) -> Option<ItemRef<'p>> {
    Resolver { checker, item }.set_in(item, field, 0)
}

/// What an item is an instance of: the block of a model, the plan that another amends.
pub fn instantiated<'p>(checker: &mut Checker<'p>, item: ItemRef<'p>) -> Option<ItemRef<'p>> {
    Resolver { checker, item }.instantiated(item)
}

/// What a path written in an item means.
pub fn resolve_path<'p>(
    checker: &mut Checker<'p>,
    item: ItemRef<'p>,
    path: &[Name],
) -> Option<Target> {
    Resolver { checker, item }.field(path)
}

struct Resolver<'a, 'p> {
    checker: &'a mut Checker<'p>,
    item: ItemRef<'p>,
}

/// The item that a module calls `name`.
pub fn named<'p>(checker: &mut Checker<'p>, module: ModuleId, name: Name) -> Option<ItemRef<'p>> {
    match checker.module_name(module, name)? {
        Imported::Parsed(item) => Some(item),
        Imported::Item(module, name) => checker.program.item(module, name),
        _ => None,
    }
}

/// The target that is an item.
#[must_use]
pub fn target_of(item: ItemRef<'_>) -> Target {
    Target::Item(item.module, item.item.name.name, item.item.kind == ItemKind::Unit)
}

/// The local names of an item with what binds them.
#[must_use]
pub fn locals(item: ItemRef<'_>) -> Vec<(Name, Local, Span)> {
    let binds = mentions(item.item).into_iter().filter_map(|m| match m.what {
        What::Binds(local) => Some((m.name, local, m.span)),
        _ => None,
    });
    binds.collect()
}

impl<'p> Resolver<'_, 'p> {
    fn target(&mut self, mention: &Mention) -> Option<Target> {
        let (module, own) = (self.item.module, self.item.item.name.name);
        let name = mention.name;
        match &mention.what {
            What::Item => Some(target_of(self.item)),
            What::Param => Some(Target::Param(module, own, name)),
            What::Binds(_) => Some(self.local(name).unwrap_or(Target::Local(module, own, name))),
            What::Value | What::Callee | What::Axis => self.value(name),
            What::Field(path) => self.field(path),
            What::Setting(path, of) => self.setting(path, of),
            What::Argument(callee, _) => self.argument(callee, name),
            What::Type => self.module_name(name).or(Some(Target::Builtin(name))),
            What::Unit => self.unit(name),
            What::Mesh => self.local(name),
            What::Sharded => Some(Target::Axis(name)),
            What::Scope => self.module_name(name),
            What::Role => Some(Target::Builtin(name)),
            What::Module(path) => self.import_path(path),
            What::Import => self.imported(name),
            What::Alias => self.module_name(name),
            What::Of => self.module_name(name).or(Some(Target::Builtin(name))),
        }
    }

    fn unit(&self, name: Name) -> Option<Target> {
        let program = self.checker.program;
        let std = program.std_module("units").into_iter();
        let users = program.modules().filter(|(_, m)| m.std_path.is_none()).map(|(id, _)| id);
        let mut modules = std.chain(users);
        let module = modules.find(|m| program.unit_item(*m, name).is_some())?;
        Some(Target::Item(module, name, true))
    }

    /// A parameter or a name that the item binds.
    fn local(&self, name: Name) -> Option<Target> {
        let (module, own) = (self.item.module, self.item.item.name.name);
        let params = self.item.item.params.as_deref().unwrap_or_default();
        if params.iter().any(|p| p.name.name == name) {
            return Some(Target::Param(module, own, name));
        }
        let bound = mentions(self.item.item);
        let bound = bound.iter().any(|m| m.name == name && matches!(m.what, What::Binds(_)));
        bound.then_some(Target::Local(module, own, name))
    }

    fn value(&mut self, name: Name) -> Option<Target> {
        if let Some(local) = self.local(name) {
            return Some(local);
        }
        // Axes of the inputs of a block are the caller's: they have a name here and no more.
        let kind = self.item.item.kind;
        let is_axis = matches!(kind, ItemKind::Block | ItemKind::Op) && self.is_free_axis(name);
        if let Some(item) = self.module_name(name) {
            return Some(item);
        }
        if is_axis {
            return Some(Target::Local(self.item.module, self.item.item.name.name, name));
        }
        if self.checker.is_result_root(name, self.item.module) {
            return Some(Target::Result(name.text().to_owned()));
        }
        // What is computed from results may be computed from inputs too.
        let computes = matches!(kind, ItemKind::Sweep | ItemKind::Metric);
        let inputs = || crate::check::names_below(ItemKind::Scenario, &[]);
        if computes && inputs().contains(&name) {
            return Some(Target::Field(ItemKind::Scenario, vec![name]));
        }
        let path = [name];
        let field = schema_type(kind, &path).is_some();
        if field {
            return Some(Target::Field(kind, path.to_vec()));
        }
        let known = match kind {
            ItemKind::Sweep => crate::check::RANGES.contains(&name.text()),
            ItemKind::Plan => crate::check::SCHEDULES.contains(&name.text()),
            _ => false,
        };
        let known = known || crate::check::BUILTINS.contains(&name.text());
        known.then_some(Target::Builtin(name))
    }

    fn is_free_axis(&self, name: Name) -> bool {
        mentions(self.item.item).iter().any(|m| m.name == name && m.what == What::Axis)
    }

    fn module_name(&mut self, name: Name) -> Option<Target> {
        match self.checker.module_name(self.item.module, name)? {
            Imported::Parsed(item) => Some(target_of(item)),
            Imported::Item(module, name) => Some(Target::Item(module, name, false)),
            Imported::Module(path) => Some(self.module_target(&path)),
            Imported::Unit => self.unit(name),
            Imported::Error => None,
        }
    }

    fn module_target(&self, path: &str) -> Target {
        match path.strip_prefix('#').and_then(|id| id.parse().ok()) {
            Some(id) => Target::File(ModuleId(id)),
            None => Target::Module(path.to_owned()),
        }
    }

    /// The items below a module or folder.
    fn inside(&self, module: &Target, name: Name) -> Option<Target> {
        let program = self.checker.program;
        match module {
            Target::File(id) => {
                program.declares(*id, name).then_some(Target::Item(*id, name, false))
            }
            Target::Module(path) => {
                let found = program.std_modules(path).find(|m| program.declares(*m, name));
                let item = found.map(|m| Target::Item(m, name, false));
                item.or_else(|| {
                    let below = format!("{path}/{name}");
                    let exists = program.std_modules(&below).next().is_some();
                    exists.then_some(Target::Module(below))
                })
            }
            _ => None,
        }
    }

    fn field(&mut self, path: &[Name]) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = self.value(*first)?;
        for name in rest {
            target = self.below(target, *name)?;
        }
        Some(target)
    }

    fn below(&mut self, target: Target, name: Name) -> Option<Target> {
        match target {
            Target::Result(path) => Some(Target::Result(format!("{path}.{name}"))),
            Target::Module(_) | Target::File(_) => self.inside(&target, name),
            Target::Item(module, item, false) => {
                let item = self.checker.program.item(module, item)?;
                self.field_of(item, &[name])
            }
            Target::Field(kind, mut path) => {
                if let Some(Ty::Kind(inner)) = schema_type(kind, &path) {
                    return Some(Target::Field(inner, vec![name]));
                }
                path.push(name);
                Some(Target::Field(kind, path))
            }
            Target::Param(module, item, param) => {
                let item = self.checker.program.item(module, item)?;
                let params = item.item.params.as_deref().unwrap_or_default();
                let param = params.iter().find(|p| p.name.name == param)?;
                let word = param.ty.as_ref()?.parts.first()?.0.name.text().to_lowercase();
                Some(Target::Field(ItemKind::from_keyword(&word)?, vec![name]))
            }
            Target::Local(module, item, local) => {
                let item = self.checker.program.item(module, item)?;
                let is_chip = locals(item).iter().any(|(n, l, _)| *n == local && *l == Local::Chip);
                is_chip.then(|| Target::Field(ItemKind::Chip, vec![name]))
            }
            _ => None,
        }
    }

    /// A field of an item: a parameter, or a setting of its kind.
    fn field_of(&mut self, item: ItemRef<'p>, path: &[Name]) -> Option<Target> {
        let base = self.instantiated(item);
        for item in std::iter::once(item).chain(base) {
            let params = item.item.params.as_deref().unwrap_or_default();
            if let [name] = path
                && params.iter().any(|p| p.name.name == *name)
            {
                return Some(Target::Param(item.module, item.item.name.name, *name));
            }
        }
        let scenario = [ItemKind::Scenario, ItemKind::Measured].contains(&item.item.kind);
        let kind = if scenario { ItemKind::Scenario } else { item.item.kind };
        if let Some((first, rest)) = path.split_first()
            && !rest.is_empty()
            && let Some(Ty::Kind(inner)) = schema_type(kind, &[*first])
        {
            return match self.set_in(item, *first, 0) {
                Some(item) => self.field_of(item, rest),
                None => Some(Target::Field(inner, rest.to_vec())),
            };
        }
        let [first, ..] = path else { return None };
        let result = scenario && schema_type(kind, path).is_none();
        if result && self.checker.is_result_root(*first, item.module) {
            let path: Vec<&str> = path.iter().map(|n| n.text()).collect();
            return Some(Target::Result(path.join(".")));
        }
        Some(Target::Field(kind, path.to_vec()))
    }

    /// What `name = Tp(…) { … }` makes an instance of.
    fn instantiated(&mut self, item: ItemRef<'p>) -> Option<ItemRef<'p>> {
        let path = base_of(item.item.value.as_ref()?)?;
        let target = Resolver { checker: self.checker, item }.field(&path)?;
        self.item_of(&target)
    }

    fn item_of(&self, target: &Target) -> Option<ItemRef<'p>> {
        match target {
            Target::Item(module, name, false) => self.checker.program.item(*module, *name),
            _ => None,
        }
    }

    /// The item that the field `name` of an object is set to, here or in what it amends.
    fn set_in(&mut self, item: ItemRef<'p>, name: Name, depth: usize) -> Option<ItemRef<'p>> {
        if depth > 20 {
            return None;
        }
        let with = match item.item.value.as_ref().map(|v| &v.kind) {
            Some(crate::syntax::ast::ExprKind::With(_, body)) => Some(body),
            _ => None,
        };
        let stmts = item.item.body.iter().chain(with).flat_map(|b| &b.stmts);
        let mut value = stmts.filter_map(|stmt| match &stmt.kind {
            StmtKind::Set { path, value, .. } => match path.as_slice() {
                [only] if only.name == name => Some(value),
                _ => None,
            },
            _ => None,
        });
        match value.next_back() {
            Some(value) => {
                let path = base_of(value)?;
                let target = Resolver { checker: self.checker, item }.field(&path)?;
                self.item_of(&target)
            }
            None => {
                let base = self.instantiated(item)?;
                self.set_in(base, name, depth + 1)
            }
        }
    }

    fn setting(&mut self, path: &[Name], of: &[Name]) -> Option<Target> {
        let item = match of {
            [] => self.item,
            _ => {
                let target = self.field(of)?;
                match self.item_of(&target) {
                    Some(item) => item,
                    None => {
                        let mut target = target;
                        for name in path {
                            target = self.below(target, *name)?;
                        }
                        return Some(target);
                    }
                }
            }
        };
        if item.item.kind == ItemKind::Runtime {
            let [name] = path else { return None };
            let own = self.module_name(*name);
            let assumed = self.checker.program.std_item("cost", *name).map(target_of);
            return own.or(assumed).or_else(|| Some(Target::Field(item.item.kind, path.to_vec())));
        }
        if item.item.kind == ItemKind::Measured && path.first().is_some_and(|n| *n != "source") {
            let path: Vec<&str> = path.iter().map(|n| n.text()).collect();
            return Some(Target::Result(path.join(".")));
        }
        self.field_of(item, path)
    }

    fn argument(&mut self, callee: &[Name], name: Name) -> Option<Target> {
        let target = self.field(callee)?;
        let item = self.item_of(&target);
        // `Sum(model: …)` of a model passes the arguments of its block.
        let mut next = item;
        for _ in 0..20 {
            let item = next?;
            let params = item.item.params.as_deref().unwrap_or_default();
            if params.iter().any(|p| p.name.name == name) {
                return Some(Target::Param(item.module, item.item.name.name, name));
            }
            next = self.instantiated(item);
        }
        None
    }

    fn import_path(&mut self, path: &[Name]) -> Option<Target> {
        let names: Vec<&str> = path.iter().skip(1).map(|n| n.text()).collect();
        let path = names.join("/");
        if self.checker.program.std_modules(&path).next().is_some() {
            return Some(Target::Module(path));
        }
        let (folder, name) = path.rsplit_once('/')?;
        self.inside(&Target::Module(folder.to_owned()), Name::new(name))
    }

    fn imported(&mut self, name: Name) -> Option<Target> {
        use crate::syntax::ast::ImportSource;
        let import = self.item.item.import.as_ref()?;
        let program = self.checker.program;
        match &import.from {
            ImportSource::File(text, _) => {
                let module = program.imported(self.item.module, &text.plain())?;
                program.declares(module, name).then_some(Target::Item(module, name, false))
            }
            ImportSource::Path(parts) => {
                let mut names: Vec<&str> = parts.iter().skip(1).map(|p| p.name.text()).collect();
                if import.names.is_none() {
                    names.pop();
                }
                let folder = Target::Module(names.join("/"));
                let found = self.inside(&folder, name);
                found.or_else(|| {
                    let all: Vec<Name> = parts.iter().map(|p| p.name).collect();
                    self.import_path(&all)
                })
            }
        }
    }
}

/// The name under which a target is declared.
#[must_use]
pub fn name_of(target: &Target) -> Option<Name> {
    match target {
        Target::Item(_, name, _) | Target::Param(_, _, name) | Target::Local(_, _, name) => {
            Some(*name)
        }
        Target::Axis(name) | Target::Builtin(name) => Some(*name),
        _ => None,
    }
}

/// A path as it is written.
#[must_use]
pub fn dotted(path: &[Name]) -> Rc<str> {
    let names: Vec<&str> = path.iter().map(|n| n.text()).collect();
    names.join(".").into()
}
