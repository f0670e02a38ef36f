//! Where a name is declared, where it is used, and renaming it everywhere at once.
//!
//! In: a view and a byte. Out: places; for a new name, edits in every file of the program, or why
//! the name cannot be changed.

use std::sync::Arc;

use super::describe::about;
use super::document::Text;
use super::mentions::{What, mentions};
use super::resolve::{Found, Target, View, name_of, named, resolve};
use crate::check::Checked;
use crate::check::{Checker, ItemRef, ModuleId};
use crate::diagnostic::{Edit, Severity};
use crate::name::Name;
use crate::quantity::Dimension;
use crate::source::{Origin, Place, SourceFile, Span, unchanged};
use crate::syntax::ast::ItemKind;

/// What the name at a byte means, with where it stands.
#[must_use]
pub fn target_at<'p>(view: &View<'p>, byte: u32) -> Option<(Found<'p>, Target)> {
    let found = view.mention_at(byte)?;
    let target = resolve(&mut Checker::new(view.program), found.item, &found.mention)?;
    Some((found, target))
}

/// Where a name is declared, with the span that is asked about. The path of a `use` leads to its
/// file; a setting to where it is declared; a sharded axis to where models have it from.
#[must_use]
pub fn definition(view: &View<'_>, byte: u32) -> Option<(Span, Vec<Place>)> {
    if let Some(found) = file_at(view, byte) {
        return Some(found);
    }
    let (found, target) = target_at(view, byte)?;
    let mut places: Vec<Place> = about(view, &target).place.into_iter().collect();
    if let Target::Axis(name) = target {
        places = super::reach::axis_places(view, name);
    }
    (!places.is_empty()).then_some((found.place.span, places))
}

/// The file that the text of a `use` at a byte reads.
fn file_at(view: &View<'_>, byte: u32) -> Option<(Span, Vec<Place>)> {
    let item = view.item_at(byte)?;
    let file = super::mentions::file_of(item.item)?;
    let place = item.place(file.span);
    if !(place.span.start <= byte && byte <= place.span.end) {
        return None;
    }
    let module = view.program.imported(view.module, &file.path)?;
    let start = Place { file: view.program.module(module).file, span: Span::default() };
    Some((place.span, vec![start]))
}

/// Parameters and axes called so in blocks of this file and of those that it uses.
fn axes_named(view: &View<'_>, name: Name) -> Vec<Place> {
    let mut places = Vec::new();
    let program = view.program;
    for (module, info) in program.modules() {
        if info.std_path.is_some_and(|p| !p.starts_with("layers") && p != "axes") {
            continue;
        }
        for kind in [ItemKind::Block, ItemKind::Axis] {
            for item in program.items_of_kind(module, kind) {
                if kind == ItemKind::Axis {
                    places.extend((item.item.name.name == name).then(|| item.name_place()));
                    continue;
                }
                let params = item.item.params.iter().flatten();
                let param = params.filter(|p| p.name.name == name).map(|p| item.place(p.name.span));
                places.extend(param);
                let bound = super::resolve::locals(item).into_iter();
                let axes =
                    bound.filter(|(n, l, _)| *n == name && *l == super::mentions::Local::Axis);
                places.extend(axes.map(|(_, _, span)| item.place(span)));
            }
        }
    }
    places
}

/// Where the kind of a thing is declared: the block of a model, what an item amends, the type of a
/// parameter, the dimension of a value or a result.
#[must_use]
pub fn type_definition(view: &View<'_>, byte: u32) -> Option<Vec<Place>> {
    let (_, target) = target_at(view, byte)?;
    let mut checker = Checker::new(view.program);
    let found = match target {
        Target::Item(module, name, _) => {
            let item = view.program.item(module, name)?;
            let ty = item.item.result.as_ref().and_then(|t| t.parts.first()).map(|(n, _)| n.name);
            let base = item.item.value.as_ref().and_then(super::mentions::base_of);
            let base = base.and_then(|path| path.first().copied());
            let written = base.or(ty).and_then(|name| {
                named(&mut checker, module, name).or_else(|| dimension(view, name))
            });
            written.or_else(|| measured(view, &mut checker, item))?
        }
        Target::Result(path) => {
            let outline = checker.outline_for(view.module);
            let Some(crate::lower::Leaf::Number(id)) = outline.get(&path) else { return None };
            of_dimension(view, checker.graph.dimension(*id))?
        }
        Target::Param(module, name, param) => {
            let item = view.program.item(module, name)?;
            let params = item.item.params.as_deref().unwrap_or_default();
            let param = params.iter().find(|p| p.name.name == param)?;
            let ty = param.ty.as_ref()?.parts.first()?.0.name;
            dimension(view, ty).or_else(|| named(&mut checker, module, ty))?
        }
        _ => return None,
    };
    Some(vec![found.name_place()])
}

/// The dimension of a constant or an assumption that does not write it.
fn measured<'p>(
    view: &View<'p>,
    checker: &mut Checker<'p>,
    item: ItemRef<'p>,
) -> Option<ItemRef<'p>> {
    if !matches!(item.item.kind, ItemKind::Const | ItemKind::Assume) {
        return None;
    }
    match checker.item_value(item, item.name_place()) {
        crate::check::Value::Num(id) => of_dimension(view, checker.graph.dimension(id)),
        _ => None,
    }
}

fn of_dimension<'p>(view: &View<'p>, measured: Dimension) -> Option<ItemRef<'p>> {
    let units = view.program.std_module("units")?;
    let mut all = view.program.items_of_kind(units, ItemKind::Dimension).into_iter();
    let is = |i: &ItemRef<'_>| view.program.dimension_named(i.item.name.name, 0) == Some(measured);
    all.find(is)
}

fn dimension<'p>(view: &View<'p>, name: Name) -> Option<ItemRef<'p>> {
    let units = view.program.std_module("units")?;
    view.program.item(units, name).filter(|i| i.item.kind == ItemKind::Dimension)
}

/// Everywhere that a target is named, in the files of the user (and in the library, if it is asked
/// for there); with what the name is used for.
#[must_use]
pub fn references(view: &View<'_>, target: &Target) -> Vec<(Place, What)> {
    let Some(name) = name_of(target).or_else(|| last_of(target)) else {
        return imported_as(view, target);
    };
    let program = view.program;
    let mut places = Vec::new();
    let mut checker = Checker::new(program);
    for (module, info) in program.modules() {
        let theirs =
            info.std_path.is_none() || module == view.module || Some(module) == home(target);
        if !theirs {
            continue;
        }
        let text = &program.sources.file(info.file).text;
        for (index, part) in info.cut().pieces.iter().enumerate() {
            let alias = part.piece.kind == Some(ItemKind::Use);
            if !alias && !part.words(text).contains(&name) && !renamed(program, module) {
                continue;
            }
            for item in program.items_of_piece(module, index) {
                if !matches!(target, Target::Local(m, i, _) if *m != module || *i != item.item.name.name)
                {
                    let unread = super::broken::mentions_of(&view.of(module), item, name);
                    for mention in mentions(item.item).into_iter().chain(unread) {
                        if resolve(&mut checker, item, &mention).as_ref() == Some(target) {
                            places.push((item.place(mention.span), mention.what));
                        }
                    }
                }
            }
        }
    }
    places.sort_by_key(|(place, _)| *place);
    places.dedup_by_key(|(place, _)| *place);
    places
}

/// Where a file names a module or a file that it imports: in the `use` and by the name that this
/// gives it.
fn imported_as(view: &View<'_>, target: &Target) -> Vec<(Place, What)> {
    let program = view.program;
    let mut checker = Checker::new(program);
    let mut names: Vec<Name> = Vec::new();
    for item in program.items_of_kind(view.module, ItemKind::Use) {
        for mention in mentions(item.item) {
            let own = matches!(mention.what, What::Alias | What::Import | What::Module(_));
            if own && resolve(&mut checker, item, &mention).as_ref() == Some(target) {
                names.push(mention.name);
            }
        }
    }
    let mut places = Vec::new();
    for (index, part) in program.module(view.module).cut().pieces.iter().enumerate() {
        let words = part.words(view.text);
        if !names.iter().any(|name| words.contains(name)) {
            continue;
        }
        for item in program.items_of_piece(view.module, index) {
            for mention in mentions(item.item).into_iter().filter(|m| names.contains(&m.name)) {
                if resolve(&mut checker, item, &mention).as_ref() == Some(target) {
                    places.push((item.place(mention.span), mention.what));
                }
            }
        }
    }
    places
}

/// Whether a file calls something so by itself: `lib` after `use "./parts.mesa" as lib`.
#[must_use]
pub fn is_alias(view: &View<'_>, name: Name) -> bool {
    let uses = view.program.items_of_kind(view.module, ItemKind::Use);
    uses.iter().filter_map(|i| i.item.import.as_ref()).any(|import| {
        let named = import.names.iter().flatten().filter_map(|(_, alias)| alias.as_ref());
        named.chain(&import.alias).any(|alias| alias.name == name)
    })
}

fn renamed(program: &crate::check::Program, module: ModuleId) -> bool {
    let uses = program.items_of_kind(module, ItemKind::Use);
    uses.iter().filter_map(|i| i.item.import.as_ref()).any(|import| {
        import.alias.is_some() || import.names.iter().flatten().any(|(_, alias)| alias.is_some())
    })
}

fn home(target: &Target) -> Option<ModuleId> {
    match target {
        Target::Item(m, ..) | Target::Param(m, ..) | Target::Local(m, ..) => Some(*m),
        _ => None,
    }
}

fn last_of(target: &Target) -> Option<Name> {
    match target {
        Target::Field(_, path) => path.last().copied(),
        Target::Result(path) => path.rsplit('.').next().map(Name::new),
        _ => None,
    }
}

/// Whether a use of a name writes it.
#[must_use]
pub fn writes(what: &What) -> bool {
    matches!(
        what,
        What::Item | What::Param | What::Binds(_) | What::Setting(..) | What::Alias | What::Import
    )
}

/// The span and the text that a rename would change.
///
/// # Errors
/// Why it cannot be renamed.
pub fn prepare_rename(view: &View<'_>, byte: u32) -> Result<(Span, String), String> {
    let Some((found, target)) = target_at(view, byte) else {
        return Err("there is no name here".into());
    };
    let name = found.mention.name;
    let program = view.program;
    let fixed = match &target {
        Target::Item(..) | Target::Module(_) | Target::File(_) if is_alias(view, name) => None,
        Target::Item(m, ..) | Target::Param(m, ..) | Target::Local(m, ..) => {
            let file = program.module(*m).file;
            (program.sources.file(file).origin == Origin::Std)
                .then(|| format!("`{name}` is declared in the library, which is never edited"))
        }
        Target::Field(kind, _) => {
            Some(format!("`{name}` is a field that every {} may have", kind.keyword()))
        }
        Target::Result(_) => Some(format!("`{name}` is a result of the language")),
        Target::Module(_) | Target::File(_) => Some(format!("`{name}` is a file")),
        Target::Builtin(_) => Some(format!("`{name}` is a word of the language")),
        Target::Axis(_) => Some(format!("`{name}` is declared in a block: rename it there")),
    };
    match fixed {
        Some(reason) => Err(reason),
        None => Ok((found.place.span, name.to_string())),
    }
}

/// The edits that rename what stands at a byte, in every file.
///
/// # Errors
/// Why it cannot be renamed so.
pub fn rename(view: &View<'_>, byte: u32, new: &str) -> Result<Vec<Edit>, String> {
    let (_, old) = prepare_rename(view, byte)?;
    let is_name = new.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && new.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(format!("`{new}` is not a name: letters, digits and `_`, no digit first"));
    }
    if new == old {
        return Ok(Vec::new());
    }
    let (_, target) = target_at(view, byte).ok_or("there is no name here")?;
    if is_alias(view, Name::new(&old)) {
        let imports = Checker::new(view.program).imports_of(view.module);
        let known = view.program.declares(view.module, Name::new(new));
        if known || imports.contains_key(&Name::new(new)) {
            return Err(format!("`{new}` is taken here"));
        }
    } else {
        taken(view, &target, Name::new(new))?;
    }
    let mut edits = Vec::new();
    let references = references(view, &target);
    for (place, what) in &references {
        let file = view.program.sources.file(place.file);
        let elsewhere = place.file != view.file && is_alias(view, Name::new(&old));
        if file.slice(place.span) != old || elsewhere {
            continue; // it goes by another name here
        }
        let text = match what {
            // `heads:` alone passes the name in scope: the parameter's name changes, not that one.
            What::Argument(_, true) => format!("{new}: {old}"),
            _ => new.to_owned(),
        };
        let span = match what {
            What::Argument(_, true) => with_colon(file.text.as_ref(), place.span),
            _ => place.span,
        };
        edits.push(Edit { place: Place { file: place.file, span }, text });
    }
    edits.extend(shorthands(view, &target, &old, new));
    edits.extend(sharded(view, &target, &old, new));
    edits.sort_by_key(|e| e.place);
    edits.dedup_by_key(|e| e.place);
    checked(view, &edits)?;
    Ok(edits)
}

fn with_colon(text: &str, span: Span) -> Span {
    let rest = text.get(span.end as usize..).unwrap_or("");
    let colon = rest.find(':').map_or(0, |i| i as u32 + 1);
    Span::new(span.start, span.end + colon)
}

/// Whether another thing has the new name already where the old one is known.
fn taken(view: &View<'_>, target: &Target, new: Name) -> Result<(), String> {
    let program = view.program;
    let clash = match target {
        Target::Item(module, _, false) => program.declares(*module, new),
        Target::Item(module, _, true) => program.unit_item(*module, new).is_some(),
        Target::Param(module, item, _) | Target::Local(module, item, _) => {
            program.item(*module, *item).is_some_and(|item| {
                mentions(item.item).iter().any(|m| {
                    m.name == new
                        && !matches!(
                            m.what,
                            What::Field(_) | What::Argument(..) | What::Setting(..)
                        )
                })
            })
        }
        _ => false,
    };
    if clash { Err(format!("`{new}` is taken here")) } else { Ok(()) }
}

/// `name:` alone, where the name in scope is the one that changes: it needs its value written.
fn shorthands(view: &View<'_>, target: &Target, old: &str, new: &str) -> Vec<Edit> {
    let (Target::Param(module, item, name) | Target::Local(module, item, name)) = target else {
        return Vec::new();
    };
    let Some(item) = view.program.item(*module, *item) else { return Vec::new() };
    let mut checker = Checker::new(view.program);
    let mut edits = Vec::new();
    for mention in mentions(item.item) {
        if mention.name != *name || !matches!(mention.what, What::Argument(_, true)) {
            continue;
        }
        if resolve(&mut checker, item, &mention).as_ref() == Some(target) {
            continue; // the block calls itself; handled as a reference
        }
        let place = item.place(mention.span);
        let text = view.program.sources.file(place.file).text.clone();
        let span = with_colon(&text, place.span);
        edits.push(Edit { place: Place { file: place.file, span }, text: format!("{old}: {new}") });
    }
    edits
}

/// A parameter or an axis of a block is also the axis that plans of the user's files shard.
fn sharded(view: &View<'_>, target: &Target, old: &str, new: &str) -> Vec<Edit> {
    let (Target::Param(module, item, name) | Target::Local(module, item, name)) = target else {
        return Vec::new();
    };
    let is_block =
        view.program.item(*module, *item).is_some_and(|i| i.item.kind == ItemKind::Block);
    let elsewhere = axes_named(view, *name).len() > 1;
    if !is_block || elsewhere {
        return Vec::new();
    }
    let uses = references(view, &Target::Axis(*name));
    let uses = uses.into_iter().filter(|(place, _)| view.program.sources.text(*place) == old);
    uses.map(|(place, _)| Edit { place, text: new.to_owned() }).collect()
}

/// Whether the files are as sound after the edits as before. `edits` are sorted.
fn checked(view: &View<'_>, edits: &[Edit]) -> Result<(), String> {
    let program = view.program;
    let mut texts = super::workspace::Texts::default();
    for (_, module) in program.modules().filter(|(_, m)| m.std_path.is_none()) {
        let file = program.sources.file(module.file);
        let own = edits.iter().filter(|e| e.place.file == module.file);
        let text = edited(&file.text, own);
        // Pieces without an edit are not read again.
        let alike = unchanged(&file.text, &text);
        let cut = Arc::new(module.cut().again(&file.text, &text, alike));
        let file = SourceFile::new(&file.name, &text, Origin::User);
        texts.put(Text { file, cut, raw: None });
    }
    let root = &program.sources.file(program.module(view.module).file).name;
    let Some((after, module)) = texts.program(root) else { return Ok(()) };
    let errors = |program: &crate::check::Program, module: ModuleId| {
        let mut kept = crate::check::Kept::default();
        let prints = crate::check::Prints::of(program);
        let (Checked::Whole(found) | Checked::Part(found)) =
            crate::check::check_again(program, module, &prints, &mut kept, &|_| false);
        found.into_iter().filter(|d| d.severity == Severity::Error).collect::<Vec<_>>()
    };
    let after = errors(&after, module);
    if after.is_empty() {
        return Ok(());
    }
    let before = errors(program, view.module);
    match after.iter().find(|d| !before.iter().any(|b| b.code == d.code)) {
        Some(new) if after.len() > before.len() => {
            Err(format!("that would be wrong elsewhere: {}", new.title))
        }
        _ => Ok(()),
    }
}

/// A text after edits that are in order and apart from each other.
fn edited<'a>(text: &str, edits: impl Iterator<Item = &'a Edit>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        let (start, end) = (edit.place.span.start as usize, edit.place.span.end as usize);
        let Some(kept) = text.get(done..start).filter(|_| end >= start) else { continue };
        out.push_str(kept);
        out.push_str(&edit.text);
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or(""));
    out
}
