//! All modules of one compilation: the user's files, what they import, and the library.
//!
//! In: root texts and a way to read files. Out: a [`Program`]: modules cut into pieces, each piece
//! parsed when something asks for it, so that a library of any size costs only what is used.

use std::sync::{Arc, LazyLock, OnceLock};

use rustc_hash::FxHashMap;

use super::cut::Cut;
use super::library;
use super::loader::{Loader, NoFiles};
use crate::diagnostic::{Diagnostic, codes};
use crate::name::Name;
use crate::source::{FileId, Origin, Place, SourceFile, Sources, Span};
use crate::syntax::ast::{ImportSource, Item, ItemKind};

/// Which module of a [`Program`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ModuleId(pub u32);

/// An item of a program: its module and piece.
#[derive(Clone, Copy, Debug)]
pub struct ItemRef<'p> {
    /// The module.
    pub module: ModuleId,
    /// Where the piece starts in its file.
    pub offset: u32,
    /// The file.
    pub file: FileId,
    /// The item itself.
    pub item: &'p Item,
}

impl PartialEq for ItemRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.item, other.item)
    }
}
impl Eq for ItemRef<'_> {}

impl ItemRef<'_> {
    /// The absolute place of a span inside the item.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        Place { file: self.file, span: span.shifted(self.offset) }
    }
    /// The absolute place of its name.
    #[must_use]
    pub fn name_place(&self) -> Place {
        self.place(self.item.name.span)
    }
}

/// One file as a module.
#[derive(Clone)]
pub struct Module {
    /// Its file.
    pub file: FileId,
    /// `std/…` without extension for library modules.
    pub std_path: Option<&'static str>,
    held: Held,
    /// Imported files: the text of the import to the module.
    imports: FxHashMap<String, ModuleId>,
}

/// Where the pieces of a module are.
#[derive(Clone)]
pub(super) enum Held {
    /// Its own.
    Own(Arc<Cut>),
    /// Those of the library file at this position, the same for every program of the process.
    Library(usize),
}

/// The library in pieces: each file is cut when it is first looked at.
static LIBRARY: LazyLock<Vec<OnceLock<Cut>>> =
    LazyLock::new(|| library::FILES.iter().map(|_| OnceLock::new()).collect());
static NOTHING: LazyLock<Cut> = LazyLock::new(Cut::default);

impl Module {
    /// Its text in pieces.
    #[must_use]
    pub fn cut(&self) -> &Cut {
        match &self.held {
            Held::Own(cut) => cut,
            Held::Library(position) => {
                let cut = LIBRARY.get(*position);
                cut.map_or(&NOTHING, |cut| cut.get_or_init(|| Cut::of_library(*position)))
            }
        }
    }
}

/// Gives the files that a program has imported already.
struct Again<'a>(&'a Program);

impl Loader for Again<'_> {
    fn load(&self, from: &str, path: &str) -> Result<(String, String), String> {
        let program = self.0;
        let name = |id: ModuleId| &*program.sources.file(program.module(id).file).name;
        let own = program.modules.iter().filter(|m| *program.sources.file(m.file).name == *from);
        let target = own.filter_map(|m| m.imports.get(path)).next();
        let target = *target.ok_or_else(|| "it could not be read before".to_owned())?;
        let text = &program.sources.file(program.module(target).file).text;
        Ok((name(target).to_owned(), text.to_string()))
    }
}

/// Everything that can be named. A copy is cheap: texts and pieces are shared.
#[derive(Clone)]
pub struct Program {
    /// All texts.
    pub sources: Sources,
    modules: Vec<Module>,
    /// Modules that were asked for, in order.
    pub roots: Vec<ModuleId>,
    std_index: FxHashMap<&'static str, ModuleId>,
    /// What went wrong while loading: unreadable imports.
    pub load_diagnostics: Vec<Diagnostic>,
    pub(super) units: OnceLock<Arc<super::units::Units>>,
    pub(super) prelude: OnceLock<Arc<FxHashMap<Name, (ModuleId, usize)>>>,
}

impl Program {
    /// Loads root files, already among `sources`, with everything they import.
    pub fn load(sources: Sources, roots: &[FileId], loader: &dyn Loader) -> Self {
        let cut = |file: &FileId| (*file, Arc::new(Cut::new(&sources.file(*file).text)));
        let roots: Vec<(FileId, Arc<Cut>)> = roots.iter().map(cut).collect();
        Self::assemble(sources, roots, loader)
    }

    /// Loads one root file that is cut already, with everything it imports.
    #[must_use]
    pub fn of_root(root: SourceFile, cut: Arc<Cut>, loader: &dyn Loader) -> Self {
        let mut sources = Sources::default();
        let file = sources.add(root);
        Self::assemble(sources, vec![(file, cut)], loader)
    }

    /// The program of the first root with something added at its end.
    #[must_use]
    pub fn with_added(&self, added: &str) -> Self {
        let Some(&root) = self.roots.first() else { return self.clone() };
        let file = self.sources.file(self.module(root).file);
        let mut sources = Sources::default();
        let text = format!("{}\n{added}", &*file.text);
        let id = sources.add(SourceFile::new(&file.name, &text, Origin::User));
        Self::load(sources, &[id], &Again(self))
    }

    fn assemble(sources: Sources, roots: Vec<(FileId, Arc<Cut>)>, loader: &dyn Loader) -> Self {
        let mut program = Self {
            sources,
            modules: Vec::new(),
            roots: Vec::new(),
            std_index: FxHashMap::default(),
            load_diagnostics: Vec::new(),
            units: OnceLock::new(),
            prelude: OnceLock::new(),
        };
        for (position, &(path, text)) in library::FILES.iter().enumerate() {
            let file = program.sources.add(SourceFile::of_library(path, text));
            let id = program.add(file, Some(path), Held::Library(position));
            program.std_index.insert(path, id);
        }
        let mut by_name = FxHashMap::default();
        for (file, cut) in roots {
            let name = program.sources.file(file).name.to_string();
            let id = program.add(file, None, Held::Own(cut));
            by_name.insert(name, id);
            program.roots.push(id);
            program.give_up_on(id);
        }
        let mut queue: Vec<ModuleId> = program.roots.clone();
        while let Some(id) = queue.pop() {
            program.load_imports(id, loader, &mut by_name, &mut queue);
        }
        program.find_circles();
        crate::diagnostic::sort(&mut program.load_diagnostics);
        program
    }

    /// Reports files that import each other, each circle once, with every `use` in it.
    fn find_circles(&mut self) {
        let mut walk =
            Circles { program: self, done: Vec::new(), open: Vec::new(), found: Vec::new() };
        for module in walk.program.roots.clone() {
            walk.visit(module);
        }
        let found = walk.found;
        self.load_diagnostics.extend(found);
    }

    /// Every import of a file in a module that could be read: where it stands, what it reads.
    fn file_imports(&self, id: ModuleId) -> Vec<(Place, ModuleId)> {
        let mut imports = Vec::new();
        for item in self.items_of_kind(id, ItemKind::Use) {
            if let Some(import) = &item.item.import
                && let ImportSource::File(text, _) = &import.from
                && let Some(target) = self.imported(id, &text.plain())
            {
                imports.push((item.place(text.span), target));
            }
        }
        imports
    }

    /// A program of one text that stands alone.
    #[must_use]
    pub fn of_text(name: &str, text: &str) -> Self {
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new(name, text, Origin::User));
        Self::load(sources, &[file], &NoFiles)
    }

    /// Adds a text given on the command line, as a module of its own.
    pub fn add_command(&mut self, name: &str, text: &str) -> ModuleId {
        let file = self.sources.add(SourceFile::new(name, text, Origin::Command));
        self.add(file, None, Held::Own(Arc::new(Cut::new(text))))
    }

    fn add(&mut self, file: FileId, std_path: Option<&'static str>, held: Held) -> ModuleId {
        let id = ModuleId(self.modules.len() as u32);
        self.modules.push(Module { file, std_path, held, imports: FxHashMap::default() });
        id
    }

    /// What a module holds from now on.
    pub(super) fn hold(&mut self, id: ModuleId, held: Held) {
        if let Some(module) = self.modules.get_mut(id.0 as usize) {
            module.held = held;
        }
    }

    fn load_imports(
        &mut self,
        id: ModuleId,
        loader: &dyn Loader,
        by_name: &mut FxHashMap<String, ModuleId>,
        queue: &mut Vec<ModuleId>,
    ) {
        let file_name = self.sources.file(self.module(id).file).name.to_string();
        let mut wanted = Vec::new();
        for item in self.items_of_kind(id, ItemKind::Use) {
            if let Some(import) = &item.item.import
                && let ImportSource::File(text, _) = &import.from
            {
                wanted.push((text.plain(), item.place(text.span)));
            }
        }
        for (path, place) in wanted {
            match loader.open(&file_name, &path) {
                Ok((file, cut)) => {
                    let name = file.name.to_string();
                    let target = by_name.get(&name).copied().unwrap_or_else(|| {
                        let file = self.sources.add(file);
                        let target = self.add(file, None, Held::Own(cut));
                        queue.push(target);
                        target
                    });
                    by_name.insert(name, target);
                    if let Some(module) = self.modules.get_mut(id.0 as usize) {
                        module.imports.insert(path, target);
                    }
                }
                Err(reason) => self.load_diagnostics.push(
                    Diagnostic::new(
                        codes::UNKNOWN_MODULE,
                        format!("cannot import `{path}`"),
                        place,
                        reason,
                    )
                    .note("paths in `use \"…\"` are relative to the file they stand in"),
                ),
            }
        }
    }

    /// Every file that a `use` of a user's file asks for, read or not: from which, and its path.
    #[must_use]
    pub fn wanted_files(&self) -> Vec<(String, String)> {
        let mut wanted = Vec::new();
        for (id, module) in self.modules().filter(|(_, m)| m.std_path.is_none()) {
            for item in self.items_of_kind(id, ItemKind::Use) {
                if let Some(import) = &item.item.import
                    && let ImportSource::File(text, _) = &import.from
                {
                    let from = self.sources.file(module.file).name.to_string();
                    wanted.push((from, text.plain()));
                }
            }
        }
        wanted
    }
    /// The module with this id.
    #[must_use]
    #[allow(clippy::indexing_slicing)] // ids are made by `add` alone
    pub fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0 as usize]
    }
    /// All modules.
    pub fn modules(&self) -> impl Iterator<Item = (ModuleId, &Module)> {
        self.modules.iter().enumerate().map(|(i, m)| (ModuleId(i as u32), m))
    }
    /// The library module at `path` (`systems/nvidia`).
    #[must_use]
    pub fn std_module(&self, path: &str) -> Option<ModuleId> {
        self.std_index.get(path).copied()
    }
    /// The modules that a path of names means: the file that a `use` reads (`#` and its number), or
    /// those of a folder of the library.
    #[must_use]
    pub fn modules_at(&self, path: &str) -> Vec<ModuleId> {
        match path.strip_prefix('#') {
            Some(number) => number.parse().ok().map(ModuleId).into_iter().collect(),
            None => self.std_modules(path).collect(),
        }
    }
    /// The module that `use "path"` in `module` reads.
    #[must_use]
    pub fn imported(&self, module: ModuleId, path: &str) -> Option<ModuleId> {
        self.module(module).imports.get(path).copied()
    }

    /// What a piece of a module holds.
    fn parsed(&self, id: ModuleId, piece: usize) -> Option<&(Vec<Item>, Vec<Diagnostic>)> {
        let module = self.module(id);
        let text = &self.sources.file(module.file).text;
        module.cut().pieces.get(piece).map(|part| part.parsed(text))
    }
    fn refs(&self, id: ModuleId, piece: usize) -> impl Iterator<Item = ItemRef<'_>> {
        let module = self.module(id);
        let offset = module.cut().pieces.get(piece).map_or(0, |p| p.piece.start);
        let file = module.file;
        let items = self.parsed(id, piece).into_iter().flat_map(|(items, _)| items);
        items.map(move |item| ItemRef { module: id, offset, file, item })
    }
    /// The items of one piece of a module: one, or none.
    pub fn items_of_piece(&self, id: ModuleId, piece: usize) -> impl Iterator<Item = ItemRef<'_>> {
        self.refs(id, piece)
    }
    /// The unit called `name` declared in a module.
    #[must_use]
    pub fn unit_item(&self, id: ModuleId, name: Name) -> Option<ItemRef<'_>> {
        let piece = *self.module(id).cut().units.get(&name)?;
        self.refs(id, piece).find(|i| i.item.name.name == name)
    }
    /// The item called `name` declared in a module (units are apart).
    #[must_use]
    pub fn item(&self, id: ModuleId, name: Name) -> Option<ItemRef<'_>> {
        let piece = *self.module(id).cut().names.get(&name)?;
        self.refs(id, piece).find(|i| i.item.name.name == name)
    }
    /// Whether a module declares `name`, without parsing it.
    #[must_use]
    pub fn declares(&self, id: ModuleId, name: Name) -> bool {
        self.module(id).cut().names.contains_key(&name)
    }
    /// All items of a module, parsed, in source order.
    pub fn items(&self, id: ModuleId) -> impl Iterator<Item = ItemRef<'_>> {
        (0..self.module(id).cut().pieces.len()).flat_map(move |piece| self.refs(id, piece))
    }
    /// The items of one kind, parsing no other piece.
    pub fn items_of_kind(&self, id: ModuleId, kind: ItemKind) -> Vec<ItemRef<'_>> {
        self.items_of_kinds(id, &[kind])
    }
    /// The items of some kinds in source order, parsing no other piece.
    #[must_use]
    pub fn items_of_kinds(&self, id: ModuleId, kinds: &[ItemKind]) -> Vec<ItemRef<'_>> {
        let pieces = self.module(id).cut().pieces.iter().enumerate();
        let wanted = pieces.filter(|(_, p)| p.piece.kind.is_some_and(|k| kinds.contains(&k)));
        let items = wanted.flat_map(|(piece, _)| self.refs(id, piece));
        items.filter(|i| kinds.contains(&i.item.kind)).collect()
    }
    /// Names declared in a module, without parsing it.
    pub fn names(&self, id: ModuleId) -> impl Iterator<Item = (Name, ItemKind)> + '_ {
        let pieces = self.module(id).cut().pieces.iter();
        pieces.filter_map(|p| {
            let kind = p.piece.kind.filter(|k| *k != ItemKind::Use)?;
            Some((p.piece.name?, kind))
        })
    }
    pub(super) fn prelude_item(&self, name: Name) -> Option<ItemRef<'_>> {
        let index = self.prelude.get_or_init(|| {
            let mut index = FxHashMap::default();
            for module in library::PRELUDE.iter().filter_map(|path| self.std_module(path)) {
                for (&name, &piece) in self.module(module).cut().names.iter() {
                    index.entry(name).or_insert((module, piece));
                }
            }
            Arc::new(index)
        });
        let (module, piece) = *index.get(&name)?;
        self.refs(module, piece).find(|i| i.item.name.name == name)
    }
    /// The library item called `name` anywhere below `folder` (`cost`, `layers`).
    #[must_use]
    pub fn std_item(&self, folder: &str, name: Name) -> Option<ItemRef<'_>> {
        self.std_modules(folder).find_map(|m| self.item(m, name))
    }
    /// The library modules at `path` or below it.
    pub fn std_modules<'a>(&'a self, path: &'a str) -> impl Iterator<Item = ModuleId> + 'a {
        library::FILES.iter().filter_map(move |(p, _)| {
            let inside = p.strip_prefix(path).is_some_and(|r| r.is_empty() || r.starts_with('/'));
            if path.is_empty() || inside { self.std_module(p) } else { None }
        })
    }
}

/// A walk along imports of files, for circles.
struct Circles<'a> {
    program: &'a Program,
    done: Vec<ModuleId>,
    /// The files from the root to here, each with the `use` that leads on.
    open: Vec<(ModuleId, Place)>,
    found: Vec<Diagnostic>,
}

impl Circles<'_> {
    fn visit(&mut self, module: ModuleId) {
        if self.done.contains(&module) {
            return;
        }
        self.done.push(module);
        for (place, target) in self.program.file_imports(module) {
            self.open.push((module, place));
            match self.open.iter().position(|(m, _)| *m == target) {
                Some(start) => self.report(start),
                None => self.visit(target),
            }
            self.open.pop();
        }
    }
    fn report(&mut self, start: usize) {
        let circle = self.open.get(start..).unwrap_or_default();
        let sources = &self.program.sources;
        let name = |id: ModuleId| sources.file(self.program.module(id).file).name.to_string();
        let Some(((first, place), rest)) = circle.split_first() else { return };
        let title = match rest {
            [] => format!("`{}` imports itself", name(*first)),
            _ => format!("`{}` is imported by what it imports", name(*first)),
        };
        let mut names: Vec<String> = circle.iter().map(|(id, _)| name(*id)).collect();
        names.push(name(*first));
        let label =
            if rest.is_empty() { "this is the same file" } else { "the circle starts here" };
        let mut diagnostic = Diagnostic::new(codes::CYCLIC_IMPORT, title, *place, label);
        for (_, place) in rest {
            diagnostic = diagnostic.and(*place, "and goes on here");
        }
        self.found.push(diagnostic.note(names.join(" -> ")));
    }
}
