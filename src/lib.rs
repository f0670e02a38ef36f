//! Mesa: a declarative language for what large language models run on.
//!
//! The whole pipeline, each step one folder that knows only those before it:
//!
//! 1. [`source`]: texts, places, lines
//! 2. [`syntax`]: text to items, with recovery; the formatter
//! 3. [`mod@check`]: names, types, dimensions, shapes: items to values and to [`ir`]
//! 4. [`graph`]: model and plan to a dataflow with layouts and collectives
//! 5. [`lower`]: dataflow, machine and workload to one [`expr`] graph, by the library's formulas
//! 6. [`evaluation`]: scenarios of a file on one graph, with what the command line changes
//! 7. [`reading`], [`report`]: what that graph says, to people and to programs
//! 8. [`sweep`]: scenarios at many points, fronts, plans and sizes
//!
//! [`ide`] answers what an editor asks, one question a file. [`drawing`] shows what runs, and
//! [`pipeline`] plays a schedule through, by no formula of the library.
//! [`import`] writes models from the configs of Hugging Face; [`bind`] holds a model against the
//! tensors of a checkpoint. [`diagnostic`] is what all of them say of a mistake; [`cli`] is the
//! command. Below all of them lie [`arena`], [`name`] and [`quantity`].

pub mod arena;
pub mod bind;
pub mod check;
pub mod cli;
pub mod diagnostic;
pub mod drawing;
pub mod evaluation;
pub mod expr;
pub mod graph;
pub mod ide;
pub mod import;
pub mod ir;
pub mod lower;
pub mod name;
pub mod pipeline;
pub mod quantity;
pub mod reading;
pub mod report;
pub mod source;
pub mod sweep;
pub mod syntax;

pub use check::{Checker, Program};
pub use diagnostic::Diagnostic;
pub use lower::Lowered;

use syntax::ast::ItemKind;

/// Everything that is wrong with the root files of a program, in source order.
#[must_use]
pub fn check(program: &Program) -> Vec<Diagnostic> {
    let mut found = program.load_diagnostics.clone();
    let roots: Vec<_> = program.roots.clone();
    for &module in &roots {
        found.extend(program.syntax_diagnostics(module));
        let mut checker = Checker::new(program);
        check::check_module(&mut checker, module);
        check::check_scenarios(program, module, &mut checker);
        found.append(&mut checker.diagnostics);
    }
    diagnostic::sort(&mut found);
    found
}

/// The scenarios that a module declares, in order.
#[must_use]
pub fn scenarios(program: &Program, module: check::ModuleId) -> Vec<check::ItemRef<'_>> {
    let kinds = [ItemKind::Scenario, ItemKind::Measured];
    let mut items = program.items_of_kinds(module, &kinds);
    items.retain(|i| !i.item.broken);
    items
}

/// Lowers one scenario on the graph of `checker`; `None` where it has errors (reported there).
pub fn evaluate<'p>(checker: &mut Checker<'p>, scenario: check::ItemRef<'p>) -> Option<Lowered> {
    checker.led_by(scenario.name_place(), |checker| evaluate_object(checker, scenario))
}

fn evaluate_object<'p>(checker: &mut Checker<'p>, scenario: check::ItemRef<'p>) -> Option<Lowered> {
    let before = checker.errors();
    let object = checker.check_object(scenario)?;
    checker.baseline = Some(before);
    let lowered = lower::lower(checker, &object, None);
    if lowered.is_none() {
        checker.check_expectations(&object);
    }
    lowered
}
