//! Chips, links, systems and runtimes: every figure with its unit, range and source.

use mesa::Program;
use mesa::check::library::FILES;
use mesa::check::{Checker, Object, Value};
use mesa::name::Name;
use mesa::syntax::ast::{ExprKind, ItemKind, StmtKind};

use super::items::{Entry, clauses};
use super::markdown::{code, here, one_line, table};

/// The pages that begin with a table of all items, and of which kind these are.
pub(super) const KINDS: &[(&str, ItemKind)] = &[
    ("chips", ItemKind::Chip),
    ("links", ItemKind::Link),
    ("systems", ItemKind::System),
    ("runtimes", ItemKind::Runtime),
];

/// A figure as it is in force.
struct Figure {
    path: String,
    value: String,
    clauses: [String; 3],
    /// Whether the item itself says it.
    own: bool,
}

/// The table of all items of a page.
pub(super) fn overview(program: &Program, page: &str) -> String {
    let kind = KINDS.iter().find(|(name, _)| *name == page).unwrap().1;
    let files = FILES.iter().filter(|(path, _)| path.split('/').next() == Some(page));
    let items = files.flat_map(|(path, _)| {
        let module = program.std_module(path).unwrap();
        program.items_of_kind(module, kind)
    });
    let items: Vec<Entry<'_>> = items.map(|item| Entry { program, item }).collect();
    match kind {
        ItemKind::Chip => table(
            &["Chip", "Memory", "Bandwidth", "16 bit", "8 bit", "4 bit", "Power", "Price"],
            items.iter().map(chip_row).collect(),
        ),
        ItemKind::Link => table(
            &["Link", "Bandwidth", "Latency", "Launch", "Efficiency", "Topology"],
            items.iter().map(link_row).collect(),
        ),
        ItemKind::System => table(
            &["System", "Parameters", "Chip", "Levels, innermost first"],
            items.iter().map(system_row).collect(),
        ),
        _ => table(
            &["Runtime", "For"],
            items.iter().map(|e| vec![here(e.name()), e.docs()]).collect(),
        ),
    }
}

/// One item with all its figures.
pub(super) fn section(entry: &Entry<'_>) -> String {
    let mut out = format!("### {}\n\n{}\n\n", entry.name(), entry.docs());
    let mut stated = "Source, where none is named below";
    if let Some(ExprKind::With(base, _)) = entry.item.item.value.as_ref().map(|v| &v.kind) {
        let base = entry.text(base.span);
        out += &format!("As {}, but for the figures marked with a star.\n\n", here(base));
        stated = "Source of the marked figures, where none is named below";
    }
    let source = entry.stated_source();
    if !source.is_empty() {
        out += &format!("{stated}: {source}.\n\n");
    }
    out += &entry.params_table();
    if entry.item.item.kind == ItemKind::System {
        let [_, _, chip, levels] = system_row(entry).try_into().unwrap();
        out += &format!("- chip: {chip}\n- levels: {levels}\n\n");
    }
    let amended = entry.item.item.value.is_some();
    let rows: Vec<Vec<String>> = figures(entry)
        .into_iter()
        .filter(|f| f.path != "source")
        .map(|f| {
            let [range, because, source] = f.clauses;
            let star = if amended && f.own { " *" } else { "" };
            vec![code(&f.path) + star, f.value, range, because, source]
        })
        .collect();
    if !rows.is_empty() {
        out += &table(&["Figure", "Value", "Range", "Because", "Source"], rows);
    }
    out
}

/// The object that an item declares.
fn object<'p>(checker: &mut Checker<'p>, entry: &Entry<'p>) -> std::rc::Rc<Object<'p>> {
    match checker.object_item(entry.item) {
        Value::Object(object) => object,
        other => panic!("`{}` is {}", entry.name(), other.describe()),
    }
}

/// The figures in force, in the order in which they were first said.
fn figures(entry: &Entry<'_>) -> Vec<Figure> {
    let mut checker = Checker::new(entry.program);
    let object = object(&mut checker, entry);
    let whole = entry.item.place(entry.item.item.span);
    let mut figures: Vec<Figure> = Vec::new();
    for setting in &object.entries {
        let (Some(value), Some(after)) = (setting.value, setting.clauses) else { continue };
        let site = setting.outer.site();
        let text = |span| one_line(entry.program.sources.text(site.place(span)));
        let path: Vec<&str> = setting.path.iter().map(|n| n.text()).collect();
        let path = path.join(".");
        let at = setting.place;
        let own = at.file == whole.file
            && whole.span.start <= at.span.start
            && at.span.end <= whole.span.end;
        let [range, because, source] = clauses(entry, after);
        // the range may stand in another item
        let range = after.range.as_ref().map_or(range, |r| text(r.span));
        let figure = Figure {
            path: path.clone(),
            value: text(value.span),
            clauses: [range, because, source],
            own,
        };
        match figures.iter_mut().find(|f| f.path == path) {
            Some(known) => *known = figure,
            None => figures.push(figure),
        }
    }
    figures
}

fn value_of(figures: &[Figure], path: &str) -> String {
    figures.iter().find(|f| f.path == path).map_or(String::new(), |f| f.value.clone())
}

fn chip_row(entry: &Entry<'_>) -> Vec<String> {
    let figures = figures(entry);
    let memory = main_memory(entry);
    let rate = |formats: &[&str]| {
        let known = formats.iter().find_map(|f| {
            let value = value_of(&figures, &format!("compute.matrix.{f}"));
            (!value.is_empty()).then_some((*f, value))
        });
        match known {
            None => String::new(),
            Some((format, value)) if Some(&format) == formats.first() => value,
            Some((format, value)) => format!("{value} ({format})"),
        }
    };
    vec![
        here(entry.name()),
        value_of(&figures, &format!("memory.{memory}.capacity")),
        value_of(&figures, &format!("memory.{memory}.bandwidth")),
        rate(&["bf16", "fp16"]),
        rate(&["fp8", "int8"]),
        rate(&["fp4", "nvfp4", "mxfp4", "int4"]),
        value_of(&figures, "power.tdp"),
        value_of(&figures, "price"),
    ]
}

/// The main memory of a chip: the last one that it lists with capacity and bandwidth.
fn main_memory(entry: &Entry<'_>) -> &'static str {
    let mut checker = Checker::new(entry.program);
    let object = object(&mut checker, entry);
    let names = object.field_names(&[Name::new("memory")]);
    let mut known = |name: &Name, field| {
        let value = checker.field_path(&object, &["memory", name.text(), field]);
        matches!(value, Some(Value::Num(_)))
    };
    let main = names.iter().rev().find(|n| known(n, "capacity") && known(n, "bandwidth"));
    main.map_or("", |name| name.text())
}

fn link_row(entry: &Entry<'_>) -> Vec<String> {
    let figures = figures(entry);
    let mut row = vec![here(entry.name())];
    let paths = ["bandwidth", "latency", "launch", "efficiency", "topology"];
    row.extend(paths.map(|path| value_of(&figures, path)));
    row
}

fn system_row(entry: &Entry<'_>) -> Vec<String> {
    let mut checker = Checker::new(entry.program);
    let object = object(&mut checker, entry);
    let (mut chips, mut levels) = (Vec::new(), Vec::new());
    for statement in &object.stmts {
        let site = statement.outer.site();
        let text = |span| one_line(entry.program.sources.text(site.place(span)));
        match &statement.stmt.kind {
            StmtKind::Chip { name, value } => {
                let chip = text(value.span);
                let link = chip.to_lowercase();
                chips.push(format!("{} = [{chip}](chips.md#{link})", name.name));
            }
            StmtKind::Level { name, parts, via } => {
                let parts: Vec<String> =
                    parts.iter().map(|(n, of)| format!("{} {}", text(n.span), of.name)).collect();
                let via = via.as_ref().map_or(String::new(), |via| {
                    let link = text(via.span);
                    format!(" via [{link}](links.md#{})", link.to_lowercase())
                });
                levels.push(format!("{} = {}{via}", name.name, parts.join(" + ")));
            }
            _ => {}
        }
    }
    vec![here(entry.name()), code(&entry.params()), chips.join(", "), levels.join("; ")]
}
