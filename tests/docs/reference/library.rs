//! One page for each file or folder of the library.

use mesa::check::library::FILES;
use mesa::check::{Checker, ModuleId};
use mesa::syntax::ast::{BinaryOp, ExprKind, ItemKind, StmtKind};
use mesa::{Program, expr::ExprId};

use super::hardware;
use super::items::{Entry, all_stmts, clauses};
use super::markdown::{block, code, table};

/// The page of `std/NAME.mesa` or of the files in `std/NAME/`.
pub(super) fn page(program: &Program, name: &str) -> String {
    let files = FILES.iter().filter(|(path, _)| path.split('/').next() == Some(name));
    let mut out = String::new();
    if hardware::KINDS.iter().any(|(page, _)| *page == name) {
        out += &hardware::overview(program, name);
    }
    for (path, text) in files {
        let module = program.std_module(path).unwrap();
        let link = format!("[std/{path}.mesa](../../stdlib/{path}.mesa)");
        if path.contains('/') {
            out += &format!("## {path}\n\n");
        }
        out += &format!("{link}\n\n{}\n\n", file_docs(text));
        out += &sections(program, module);
    }
    out
}

/// The `//!` lines of a file.
fn file_docs(text: &str) -> String {
    let lines = text.lines().map_while(|l| l.strip_prefix("//!"));
    lines.map(str::trim).collect::<Vec<_>>().join("\n")
}

/// The items of a module, kind by kind.
fn sections(program: &Program, module: ModuleId) -> String {
    let mut out = String::new();
    for kind in ItemKind::ALL {
        let items = program.items_of_kind(module, kind).into_iter();
        let items: Vec<Entry<'_>> = items.map(|item| Entry { program, item }).collect();
        if items.is_empty() {
            continue;
        }
        out += &match kind {
            ItemKind::Use => String::new(),
            ItemKind::Dimension => dimensions(&items),
            ItemKind::Unit => units(&items),
            ItemKind::Axis => axes(&items),
            ItemKind::Dtype => dtypes(&items),
            ItemKind::Assume => assumptions(&items),
            ItemKind::Model => models(&items),
            ItemKind::Block => items.iter().map(block_section).collect(),
            ItemKind::Chip | ItemKind::Link | ItemKind::System | ItemKind::Runtime => {
                items.iter().map(hardware::section).collect()
            }
            _ => items.iter().map(shown_whole).collect(),
        };
    }
    out
}

/// An item whose declaration says it best.
fn shown_whole(entry: &Entry<'_>) -> String {
    format!("### {}\n\n{}\n\n{}", entry.name(), entry.docs(), block(entry.source()))
}

fn dimensions(items: &[Entry<'_>]) -> String {
    let rows = items
        .iter()
        .map(|e| vec![code(e.name()), code(&e.expr(e.item.item.value.as_ref())), e.docs()]);
    table(&["Dimension", "Made of", "What it measures"], rows.collect())
}

fn units(items: &[Entry<'_>]) -> String {
    let rows = items.iter().map(|e| {
        let base =
            e.item.item.result.as_ref().map(|ty| format!("base unit of {}", e.text(ty.span)));
        let made = base.unwrap_or_else(|| code(&e.expr(e.item.item.value.as_ref())));
        vec![code(e.name()), made, e.docs()]
    });
    let percent = vec!["`%`".into(), "`0.01`".into(), "A hundredth, glued to its number.".into()];
    table(&["Unit", "Is", "Meaning"], rows.chain([percent]).collect())
}

fn axes(items: &[Entry<'_>]) -> String {
    let rows = items.iter().map(|e| vec![code(e.name()), e.docs()]);
    table(&["Axis", "Meaning"], rows.collect())
}

fn dtypes(items: &[Entry<'_>]) -> String {
    let program = items[0].program;
    let mut checker = Checker::new(program);
    let rows = items.iter().map(|e| {
        let dtype = checker.dtype_named(e.name()).unwrap();
        let value = |id: ExprId| checker.graph.value(id) * 8.0;
        let stored = mesa::check::show_number(value(dtype.width));
        let setting = |name: &str| {
            let found = e.stmts().iter().find_map(|s| match &s.kind {
                StmtKind::Set { path, value, .. } if path[0].name == name => Some(value),
                _ => None,
            });
            code(&e.expr(found))
        };
        vec![code(e.name()), setting("bits"), setting("scale"), setting("zero"), stored, e.docs()]
    });
    let heads = ["Dtype", "Bits", "Scale", "Zero point", "Bits stored per element", "Meaning"];
    table(&heads, rows.collect())
}

fn assumptions(items: &[Entry<'_>]) -> String {
    let rows = items.iter().map(|e| {
        let [range, because, source] = clauses(e, &e.item.item.clauses);
        let value = code(&e.expr(e.item.item.value.as_ref()));
        let meaning = e.docs();
        vec![code(e.name()), value, code(&range), meaning, because, source]
    });
    table(&["Assumption", "Default", "Range", "Meaning", "Because", "Source"], rows.collect())
}

fn models(items: &[Entry<'_>]) -> String {
    let rows = items.iter().map(|e| {
        let call = code(&e.expr(e.item.item.value.as_ref()));
        vec![code(e.name()), e.docs(), expected_parameters(e), call, e.stated_source()]
    });
    table(&["Model", "What it is", "Parameters", "Made of", "Source"], rows.collect())
}

/// What the model expects of `parameters.total`, which the checker holds it to.
fn expected_parameters(entry: &Entry<'_>) -> String {
    let expected = entry.stmts().iter().find_map(|s| match &s.kind {
        StmtKind::Expect { cond, .. } => match &cond.kind {
            ExprKind::Binary(BinaryOp::Eq, a, b) => {
                (entry.text(a.span) == "parameters.total").then(|| entry.text(b.span))
            }
            _ => None,
        },
        _ => None,
    });
    expected.unwrap_or_default().replace('_', ",")
}

fn block_section(entry: &Entry<'_>) -> String {
    let mut out = format!("### {}\n\n{}\n\n", entry.name(), entry.docs());
    out += &entry.params_table();
    let mut stmts = Vec::new();
    all_stmts(entry.stmts(), &mut stmts);
    stmts.sort_by_key(|s| s.span.start);
    let rows = stmts.iter().filter_map(|s| {
        let (what, name, axes, clauses) = match &s.kind {
            StmtKind::Input { name, axes, clauses } => ("input", name, axes, clauses),
            StmtKind::Weight { name, axes, clauses } => ("weight", name, axes, clauses),
            _ => return None,
        };
        let from = clauses.from.as_ref().map_or(String::new(), |t| t.plain());
        Some(vec![code(name.name.text()), what.into(), entry.axes(axes), code(&from)])
    });
    out += &table(&["Tensor", "Role", "Axes", "In a checkpoint"], rows.collect());
    let body = block(entry.source());
    out + &format!("<details><summary>Source</summary>\n\n{body}</details>\n\n")
}
