//! Checks every item of a module for itself, whether or not a scenario uses it.

use std::rc::Rc;

use super::object::Object;
use super::program::{ItemRef, ModuleId};
use super::value::{Env, Value};
use super::{Checker, codes};
use crate::diagnostic::{Diagnostic, MOST_FINDINGS};
use crate::lower::Workload;
use crate::quantity::Dimension;
use crate::syntax::ast::{ItemKind, Stmt, StmtKind};

/// Checks the items of one module; scenarios are lowered elsewhere.
pub fn check_module<'p>(checker: &mut Checker<'p>, module: ModuleId) {
    let program = checker.program;
    let mut seen: rustc_hash::FxHashMap<crate::name::Name, ItemRef<'p>> = Default::default();
    let _ = checker.imports_of(module);
    check_imports(checker, module);
    let mut twins = super::twins::Twins::default();
    let shapes = super::shape::Shapes::new(None);
    let mut models = super::twins::Looks::new(shapes, super::template::Templates::default());
    let mut sound: rustc_hash::FxHashSet<super::twins::Identity> = Default::default();
    for item in program.items(module) {
        if checker.diagnostics.len() > MOST_FINDINGS {
            break;
        }
        if item.item.kind == ItemKind::Use {
            continue;
        }
        let name = item.item.name.name;
        let units = item.item.kind == ItemKind::Unit;
        if let Some(first) = seen.get(&name) {
            let first = match item.item.kind {
                ItemKind::Metric => same_metric(program, item, *first),
                _ => Some(*first),
            };
            if let Some(first) = first.filter(|f| units == (f.item.kind == ItemKind::Unit)) {
                checker.report(declared_twice(item, first));
                continue;
            }
        } else {
            seen.insert(name, item);
        }
        if item.item.broken {
            continue;
        }
        checker.check_twice(item);
        if item.item.kind == ItemKind::Scenario {
            continue;
        }
        // What was found sound once is sound wherever it is said again.
        let identity = twins.identity(checker, item);
        if sound.contains(&identity) {
            continue;
        }
        let before = checker.diagnostics.len();
        if item.item.kind == ItemKind::Model {
            models.check(checker, item);
        } else {
            checker.led_by(item.name_place(), |checker| checker.check_item(item));
        }
        if checker.diagnostics.len() == before {
            sound.insert(identity);
        }
    }
    checker.lint_imports(module);
}

/// What was declared before a metric and cannot stand beside it: metrics of one name are for
/// workloads that differ, or define nothing twice.
fn same_metric<'p>(
    program: &'p super::Program,
    item: ItemRef<'p>,
    first: ItemRef<'p>,
) -> Option<ItemRef<'p>> {
    if first.item.kind != ItemKind::Metric {
        return Some(first);
    }
    let all = program.items_of_kind(item.module, ItemKind::Metric);
    let before = all.into_iter().take_while(|other| *other != item);
    let mut same = before.filter(|other| other.item.name.name == item.item.name.name);
    same.find(|other| {
        let meant = |i: &ItemRef<'_>, w: Workload| i.item.of.is_none_or(|of| w.is(of.name));
        let meet = Workload::ALL.iter().any(|w| meant(&item, *w) && meant(other, *w));
        let parts = Checker::metric_parts(*other);
        let own = Checker::metric_parts(item);
        let shared = own.iter().any(|(path, _)| parts.iter().any(|(p, _)| p == path));
        let alike = other.item.of.map(|of| of.name) == item.item.of.map(|of| of.name);
        alike || (meet && shared)
    })
}

/// A finding about a name that is taken.
pub(super) fn declared_twice(item: ItemRef<'_>, first: ItemRef<'_>) -> Diagnostic {
    let title = format!("`{}` is declared twice", item.item.name.name);
    Diagnostic::new(codes::DUPLICATE_NAME, title, item.name_place(), "declared again here")
        .and(first.name_place(), "declared here first")
}

/// Whether a file imports itself, which is reported when it is loaded.
fn imports_itself(program: &super::Program, item: &ItemRef<'_>) -> bool {
    let Some(import) = &item.item.import else { return false };
    let crate::syntax::ast::ImportSource::File(text, _) = &import.from else { return false };
    program.imported(item.module, &text.plain()) == Some(item.module)
}

/// Names that a module imports twice, or imports and declares.
pub(super) fn check_imports(checker: &mut Checker<'_>, module: ModuleId) {
    let program = checker.program;
    let mut seen: Vec<(crate::name::Name, crate::source::Place)> = Vec::new();
    for item in program.items_of_kind(module, ItemKind::Use) {
        for ident in super::lint::imported(&item) {
            let place = item.place(ident.span);
            let before = seen.iter().find(|(name, _)| *name == ident.name).map(|(_, p)| *p);
            seen.push((ident.name, place));
            let declared = program.item(module, ident.name).map(|i| i.name_place());
            let declared = declared.filter(|_| !imports_itself(program, &item));
            let (title, other) = match (before, declared) {
                (Some(before), _) => (format!("`{}` is imported twice", ident.name), before),
                (_, Some(at)) => (format!("`{}` is imported and declared", ident.name), at),
                _ => continue,
            };
            checker.report(
                Diagnostic::new(codes::DUPLICATE_NAME, title, place, "imported here")
                    .and(other, "the same name")
                    .note(format!("import it under another name: `{} as …`", ident.name)),
            );
        }
    }
}

impl<'p> Checker<'p> {
    pub(super) fn check_item(&mut self, item: ItemRef<'p>) {
        self.check_params(item);
        match item.item.kind {
            ItemKind::Const => {
                self.constant_item(item);
            }
            ItemKind::Assume => self.check_assume(item),
            ItemKind::Fn => self.check_fn(item),
            ItemKind::Unit => self.check_unit(item),
            ItemKind::Dimension => {
                if item.item.value.is_none()
                    && Dimension::base(item.item.name.name.text()).is_none()
                {
                    self.report(
                        Diagnostic::new(
                            codes::MISSING_VALUE,
                            format!("`{}` is no base dimension", item.item.name.name),
                            item.name_place(),
                            "write what it is made of: `= Bytes / Time`",
                        )
                        .note("base dimensions are those of the language"),
                    );
                }
                self.check_dimension(item);
            }
            ItemKind::Chip | ItemKind::Link | ItemKind::Runtime | ItemKind::Dtype => {
                self.check_object(item);
            }
            ItemKind::System => {
                if let Some(object) = self.check_object(item) {
                    self.machine(&object);
                }
            }
            ItemKind::Plan => {
                if let Some(object) = self.check_object(item) {
                    self.plan(&object, None);
                }
            }
            ItemKind::Model => {
                if let Some(object) = self.check_object(item) {
                    self.check_model(item, &object);
                }
            }
            ItemKind::Block => {
                self.lint_block(item);
                self.check_block(item);
            }
            ItemKind::Op => self.check_op(item),
            ItemKind::Metric => self.check_metric(item),
            ItemKind::Measured => self.check_measured(item),
            ItemKind::Sweep => {
                self.check_sweep(item);
            }
            ItemKind::Use | ItemKind::Axis | ItemKind::Scenario => {}
        }
    }

    /// Makes an item's object, evaluates every field, and checks the names of its settings.
    pub fn check_object(&mut self, item: ItemRef<'p>) -> Option<Rc<Object<'p>>> {
        // Parameters without a default have unknown values here.
        let params = item.item.params.as_deref().unwrap_or_default();
        let open = params.iter().any(|p| p.default.is_none() && !super::object::is_optional(p));
        let value = if open {
            let slots = self.open_slots(item);
            self.instantiate(item, Some(slots))
        } else {
            self.object_item(item)
        };
        let Value::Object(object) = value else { return None };
        if item.item.value.is_none() && item.item.body.is_none() {
            self.report(Diagnostic::new(
                codes::MISSING_VALUE,
                format!("{} `{}` is empty", item.item.kind.keyword(), item.item.name.name),
                item.name_place(),
                "write a body `{ … }` or a value `= …` after it",
            ));
            return None;
        }
        super::schema::check_names(self, &object);
        self.check_entries(&object);
        self.check_needed(item, &object);
        Some(object)
    }

    fn check_entries(&mut self, object: &Rc<Object<'p>>) {
        let mut done: rustc_hash::FxHashSet<Rc<[crate::name::Name]>> = Default::default();
        // Later settings win: only the last of a path is in force.
        for entry in object.entries.clone().into_iter().rev() {
            if entry.value.is_none() || !entry.within.is_empty() || !done.insert(entry.path.clone())
            {
                continue;
            }
            let mut value = Some(Value::Object(object.clone()));
            for part in entry.path.iter() {
                value = match value {
                    Some(Value::Object(o)) => self.field(&o, *part),
                    _ => None,
                };
            }
            if let (Some(Value::Num(v)), Some(clauses)) = (value, entry.clauses)
                && let Some(range) = &clauses.range
            {
                self.check_range(v, range, &entry);
            }
        }
        if object.kind == ItemKind::Runtime {
            self.check_runtime_names(&object.entries);
        }
    }

    fn check_range(
        &mut self,
        value: crate::expr::ExprId,
        range: &'p crate::syntax::ast::Expr,
        entry: &super::object::Entry<'p>,
    ) {
        let place = entry.outer.site().place(range.span);
        let Value::Range(low, high) = self.eval(range, &entry.outer) else { return };
        let (da, db) = (self.graph.dimension(value), self.graph.dimension(low));
        if da != db {
            self.report(Diagnostic::new(
                codes::DIMENSION_MISMATCH,
                format!("the value is {da} and its range {db}"),
                place,
                format!("this is {db}"),
            ));
            return;
        }
        let path: Vec<_> = entry.path.iter().map(|n| n.text()).collect();
        let what = format!("`{}`", path.join("."));
        self.check_within(value, (low, high), place, entry.place, &what);
    }

    fn check_needed(&mut self, item: ItemRef<'p>, object: &Rc<Object<'p>>) {
        let needed: &[&str] = match item.item.kind {
            ItemKind::Link if meshed(object) => &["bandwidth", "latency", "links"],
            ItemKind::Link => &["bandwidth", "latency", "topology"],
            ItemKind::Chip => &["compute.matrix", "memory"],
            ItemKind::Dtype => &["bits"],
            _ => &[],
        };
        for path in needed {
            let names: Vec<_> = path.split('.').map(crate::name::Name::new).collect();
            if !object.has(&names) {
                self.report(Diagnostic::new(
                    codes::MISSING_FIELD,
                    format!("{} `{}` has no `{path}`", item.item.kind.keyword(), object.name),
                    item.name_place(),
                    format!("`{path}` is needed"),
                ));
            }
        }
        let hardware = matches!(item.item.kind, ItemKind::Chip | ItemKind::Link | ItemKind::System);
        let own = item.item.body.as_ref().is_some_and(|b| {
            b.stmts.iter().any(|s| match &s.kind {
                StmtKind::Set { path, clauses, .. } => {
                    path.first().is_some_and(|p| p.name == "source") || clauses.source.is_some()
                }
                _ => false,
            })
        });
        let figures = object
            .entries
            .iter()
            .any(|e| e.value.is_some() && e.path.first().is_none_or(|n| *n != "source"));
        if hardware && figures && !own {
            self.report(
                Diagnostic::new(
                    codes::NO_SOURCE,
                    format!(
                        "{} `{}` does not say where its figures come from",
                        item.item.kind.keyword(),
                        object.name
                    ),
                    item.name_place(),
                    "no `source`",
                )
                .note("write `source = \"…\"` into its body, or `source \"…\"` after a figure"),
            );
        }
    }

    fn check_model(&mut self, item: ItemRef<'p>, object: &Rc<Object<'p>>) {
        if object.block.is_none() {
            self.report(Diagnostic::new(
                codes::MISSING_VALUE,
                format!("model `{}` names no block", object.name),
                item.name_place(),
                "write `= Block(…)` after its name",
            ));
            return;
        }
        let precision = self.precision_of(None, object);
        if let Some(built) = self.build_model(object, precision) {
            let _ = self.check_precision(&built.model, object);
            if !self.rests_on_unread(item) {
                crate::lower::check_model_expectations(self, object, &built);
            }
        }
    }

    /// Builds a block by itself, with sizes that are not known.
    fn check_block(&mut self, item: ItemRef<'p>) {
        if self.limits.reported.contains(&super::limits::key(item)) {
            return;
        }
        let mut object = Object::empty(ItemKind::Model, item.item.name.name, Some(item));
        object.slots = self.open_slots(item);
        object.block = Some(item);
        let object = Rc::new(object);
        let precision = self.precision_of(None, &object);
        self.build_unknown(&object, precision);
    }

    /// `sentence` for a statement that has no meaning where it stands.
    pub(crate) fn report_misplaced(&mut self, stmt: &Stmt, where_: &str, env: &Env<'p>) {
        let word = statement_word(&stmt.kind);
        let place = env.site().place(stmt.span);
        let head = crate::source::Place {
            file: place.file,
            span: crate::source::Span::new(
                place.span.start,
                place.span.start + (word.len() as u32).min(place.span.end - place.span.start),
            ),
        };
        self.report(Diagnostic::new(
            codes::STATEMENT_NOT_HERE,
            format!("`{word}` has no meaning in {where_}"),
            head,
            format!("not a statement of {where_}"),
        ));
    }

    /// Amending settings that the object cannot have.
    pub(super) fn check_amended(
        &mut self,
        object: &Object<'p>,
        entries: &[super::object::Entry<'p>],
    ) {
        super::schema::check_settings(self, object, entries);
        if object.kind == ItemKind::Runtime && object.owner.is_none() {
            self.check_runtime_names(entries);
        }
    }
}

/// Whether a link says that it is a mesh: a peer is then one of its links.
fn meshed(link: &Object<'_>) -> bool {
    let value = link.entry(&[crate::name::Name::new("topology")]).and_then(|e| e.value);
    matches!(value.map(|v| &v.kind),
        Some(crate::syntax::ast::ExprKind::Name(word)) if *word == "mesh")
}

/// The word that a statement starts with.
fn statement_word(kind: &StmtKind) -> &'static str {
    match kind {
        StmtKind::Set { .. } => "=",
        StmtKind::Section { .. } => "{ }",
        StmtKind::Input { .. } => "input",
        StmtKind::Weight { .. } => "weight",
        StmtKind::Output(_) => "output",
        StmtKind::Axis { .. } => "axis",
        StmtKind::Require { .. } => "require",
        StmtKind::Expect { .. } => "expect",
        StmtKind::Fuse { .. } => "fuse",
        StmtKind::Repeat { .. } => "repeat",
        StmtKind::If { .. } => "if",
        StmtKind::Mesh(_) => "mesh",
        StmtKind::Shard { .. } => "shard",
        StmtKind::Zero { .. } => "zero",
        StmtKind::Overlap(_) => "overlap",
        StmtKind::Fold { .. } => "fold",
        StmtKind::Chip { .. } => "chip",
        StmtKind::Level { .. } => "level",
        StmtKind::Backward { .. } => "backward",
        StmtKind::Grad { .. } => "grad",
        StmtKind::Vary { .. } => "vary",
        StmtKind::Where(_) => "where",
        StmtKind::Objective { .. } => "minimize",
        StmtKind::Error => "",
    }
}
