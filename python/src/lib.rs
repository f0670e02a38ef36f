//! Mesa for Python: the part that is compiled.
//!
//! In: a file and columns of settings. Out: reports, and columns of results. `mesa/__init__.py`
//! makes of it what people use; this module takes and fills plain buffers.

mod buffer;
mod points;
mod spec;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesa::Program;
use mesa::check::{Checker, ModuleId, Object, Ty, Value, schema_type};
use mesa::diagnostic::{Diagnostic, Severity, codes, render};
use mesa::evaluation::{self, Change, ChangeKind, Changes};
use mesa::lower::{Lowered, Workload};
use mesa::name::Name;
use mesa::source::Sources;
use mesa::sweep::headline;
use mesa::syntax::ast::ItemKind;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use buffer::{Column, Target};
use points::{Cells, Ended, Plan};
use spec::{Imports, Spec};

create_exception!(
    mesa,
    MesaError,
    PyException,
    "What is wrong with a file or a question, as `mesa check` says it."
);

/// An exception that says what was found; `diagnostics` has the same as dicts.
fn error(py: Python<'_>, sources: &Sources, found: &[Diagnostic]) -> PyErr {
    let options = render::Options::default();
    let text = render::render(render::Format::Text, sources, found, &options);
    let error = MesaError::new_err(text.trim_end().to_owned());
    let listed = || -> PyResult<()> {
        let json = render::render(render::Format::Json, sources, found, &options);
        let document = parsed(py, &json)?;
        error.value(py).setattr("diagnostics", document.get_item("diagnostics")?)
    };
    listed().err().unwrap_or(error)
}

fn parsed<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (json,))
}

fn has_errors(found: &[Diagnostic]) -> bool {
    found.iter().any(|d| d.severity == Severity::Error)
}

/// An import as Python holds it: from, path, name, text.
type Import = (String, String, String, String);

/// A file with what it imports.
#[pyclass(frozen, module = "mesa._mesa", name = "Spec")]
struct PySpec(Arc<Spec>);

#[pymethods]
impl PySpec {
    /// Reads a file, or takes a text; `imports` are `(from, path, name, text)`.
    #[new]
    #[pyo3(signature = (name, text=None, imports=Vec::new()))]
    fn new(
        py: Python<'_>,
        name: String,
        text: Option<String>,
        imports: Vec<Import>,
    ) -> PyResult<Self> {
        let on_disk = text.is_none();
        let text = match text {
            Some(text) => text,
            None => std::fs::read_to_string(&name).map_err(|e| match e.raw_os_error() {
                Some(code) => PyOSError::new_err((code, "cannot be read", name.clone())),
                None => MesaError::new_err(format!("`{name}` cannot be read: {e}")),
            })?,
        };
        let known: Imports = imports.into_iter().map(|(f, p, n, t)| ((f, p), (n, t))).collect();
        let spec = Spec::new(name, text, on_disk, known);
        let program = spec.program();
        let Some(&module) = program.roots.first() else {
            return Err(error(py, &program.sources, &program.load_diagnostics));
        };
        let mut found = program.load_diagnostics.clone();
        found.extend(program.syntax_diagnostics(module));
        let mut checker = Checker::new(&program);
        mesa::check::check_module(&mut checker, module);
        found.append(&mut checker.diagnostics);
        mesa::diagnostic::sort(&mut found);
        if has_errors(&found) {
            return Err(error(py, &program.sources, &found));
        }
        Ok(Self(Arc::new(spec)))
    }

    /// What makes the same again, without any file.
    fn parts(&self) -> (String, String, Vec<Import>) {
        let imports = self.0.imports().into_iter().map(|((f, p), (n, t))| (f, p, n, t)).collect();
        (self.0.name.clone(), self.0.text.clone(), imports)
    }

    /// The names of the scenarios, in order.
    fn scenarios(&self) -> Vec<String> {
        let program = self.0.program();
        let module = program.roots.first().copied();
        let all = module.map(|m| mesa::scenarios(&program, m)).unwrap_or_default();
        all.iter().map(|i| i.item.name.name.to_string()).collect()
    }

    /// What is found in it, as dicts: what `mesa check --format json` prints.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let json = py.detach(|| {
            let program = self.0.program();
            let found = mesa::check(&program);
            let options = render::Options::default();
            render::render(render::Format::Json, &program.sources, &found, &options)
        });
        parsed(py, &json)?.get_item("diagnostics")
    }
}

/// Plans by the columns and results of a table.
type Plans = BTreeMap<(Vec<String>, Vec<String>), Arc<Plan>>;

/// A scenario of a file.
#[pyclass(frozen, module = "mesa._mesa", name = "Scenario")]
struct PyScenario {
    spec: Arc<Spec>,
    name: String,
    headline: Vec<String>,
    plans: Mutex<Plans>,
}

fn root(py: Python<'_>, program: &Program) -> PyResult<ModuleId> {
    let root = program.roots.first().copied();
    root.ok_or_else(|| error(py, &program.sources, &program.load_diagnostics))
}

#[pymethods]
impl PyScenario {
    #[new]
    fn new(py: Python<'_>, spec: &PySpec, name: String) -> PyResult<Self> {
        let program = spec.0.program();
        let module = root(py, &program)?;
        let wanted = [name.clone()];
        let opened = evaluation::open(&program, module, &wanted, &Changes::default());
        let object = opened.scenarios.first().and_then(|s| s.object.clone());
        let (false, Some(object)) = (opened.has_errors(), object) else {
            return Err(error(py, &program.sources, &opened.findings));
        };
        let once =
            evaluation::evaluate_one(&program, module, Name::new(&name), &Changes::default());
        let lowered = once.scenarios.first().and_then(|s| s.lowered.as_ref());
        // One that has no results as it stands is taken for what most are.
        let workload = lowered.map(Lowered::workload).unwrap_or_else(|| {
            let trains = object.has(&[Name::new("train")]);
            if trains { Workload::Train } else { Workload::Generate }
        });
        let headline = headline(&program, module, &[workload]);
        Ok(Self { spec: spec.0.clone(), name, headline, plans: Mutex::default() })
    }

    /// Results that a table gets when nobody says.
    fn headline(&self) -> Vec<String> {
        self.headline.clone()
    }

    /// The report as JSON, with some settings changed.
    fn result<'py>(
        &self,
        py: Python<'py>,
        settings: Vec<(String, String)>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let done = py.detach(|| {
            let mut program = self.spec.program();
            let Some(&module) = program.roots.first() else {
                return Err(Box::new((program, Vec::new())));
            };
            let changes = settings.into_iter().map(|(path, value)| Change {
                kind: ChangeKind::Override,
                path,
                value,
            });
            let changes = Changes::add(&mut program, changes.collect());
            let wanted = [self.name.clone()];
            let mut evaluated = evaluation::evaluate(&program, module, &wanted, &changes);
            if evaluated.scenarios.iter().all(|s| s.lowered.is_some()) {
                let report = mesa::report::build(&mut evaluated);
                return Ok(mesa::report::json(&report));
            }
            let found = std::mem::take(&mut evaluated.findings);
            drop(evaluated);
            Err(Box::new((program, found)))
        });
        match done {
            Ok(json) => parsed(py, &json)?.get_item("scenarios")?.get_item(self.name.as_str()),
            Err(wrong) => Err(error(py, &wrong.0.sources, &wrong.1)),
        }
    }

    /// What can be set, as dicts.
    fn settable<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let program = self.spec.program();
        let module = root(py, &program)?;
        let wanted = [self.name.clone()];
        let mut opened = evaluation::open(&program, module, &wanted, &Changes::default());
        let Some(object) = opened.scenarios.first().and_then(|s| s.object.clone()) else {
            return Err(error(py, &program.sources, &opened.findings));
        };
        let rows = evaluation::settable(&mut opened.checker, &object).into_iter().map(|row| {
            let dict = PyDict::new(py);
            dict.set_item("path", &row.path)?;
            dict.set_item("value", (!row.value.is_empty()).then_some(&row.value))?;
            dict.set_item("holds", &row.holds)?;
            dict.set_item("structural", row.structural)?;
            dict.set_item("unit", unit(&mut opened.checker, &object, &row.path))?;
            Ok(dict)
        });
        rows.collect()
    }

    /// Fills columns of results; `reasons` gets 0 where a row has them, else the number of a text
    /// in the list that is returned, from 1.
    ///
    /// A column is a buffer of doubles, or numbers of texts with the texts.
    fn evaluate(
        &self,
        py: Python<'_>,
        columns: Vec<(String, Bound<'_, PyAny>, Option<Vec<String>>)>,
        rows: usize,
        results: Vec<(String, Bound<'_, PyAny>)>,
        reasons: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<String>> {
        let (mut paths, mut held) = (Vec::new(), Vec::new());
        for (path, values, texts) in columns {
            held.push(Held::of(&values, texts)?);
            paths.push(path);
        }
        let names: Vec<String> = results.iter().map(|(name, _)| name.clone()).collect();
        let mut targets =
            results.iter().map(|(_, c)| Target::<f64>::of(c)).collect::<PyResult<Vec<_>>>()?;
        let mut reasons = Target::<i32>::of(reasons)?;
        let plan = self.plan(py, paths, names)?;
        let done = py.detach(|| {
            let columns: Vec<Cells<'_>> = held.iter().map(Held::cells).collect();
            let mut slices: Vec<&mut [f64]> = targets.iter_mut().map(Target::slice).collect();
            let even = columns.iter().all(|c| c.len() == rows)
                && slices.iter().all(|s| s.len() == rows)
                && reasons.slice().len() == rows;
            if !even {
                let wrong = PyValueError::new_err("columns have different lengths");
                return Err(Ended::Asked(wrong));
            }
            let mut chunks = 0_u32;
            let mut alive = || {
                chunks += 1;
                // Ctrl-C ends a long table; asking for the lock of Python costs a little.
                if chunks.is_multiple_of(64) {
                    Python::attach(|py| py.check_signals())
                } else {
                    Ok(())
                }
            };
            plan.evaluate(&columns, rows, &mut slices, reasons.slice(), &mut alive)
        });
        match done {
            Ok(texts) => {
                self.must_be_known(py, &plan)?;
                Ok(texts)
            }
            Err(Ended::Asked(error)) => Err(error),
            Err(Ended::Wrong(found)) => Err(plan.with_sources(|s| error(py, s, &found))),
        }
    }
}

/// The unit of the number at a path; nothing where there is no number.
fn unit<'p>(checker: &mut Checker<'p>, object: &std::rc::Rc<Object<'p>>, path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match checker.field_path(object, &parts) {
        Some(Value::Num(id)) => checker.graph.dimension(id).unit(),
        _ => declared_unit(&parts),
    }
}

/// The unit that the schema has for a path: of figures of chips and links, and of what is not set.
fn declared_unit(parts: &[&str]) -> String {
    let names: Vec<Name> = parts.iter().map(|p| Name::new(p)).collect();
    let inside = |from: usize| names.get(from..).unwrap_or_default();
    let places = [
        (ItemKind::Scenario, inside(0)),
        (ItemKind::System, inside(1)),
        (ItemKind::Chip, inside(2)),
        (ItemKind::Link, inside(2)),
    ];
    let found = places.into_iter().find_map(|(kind, path)| match schema_type(kind, path) {
        Some(Ty::Quantity(dimension)) => Some(dimension.unit()),
        _ => None,
    });
    found.unwrap_or_default()
}

impl PyScenario {
    /// The plan for tables with these columns and results, made once.
    fn plan(&self, py: Python<'_>, paths: Vec<String>, names: Vec<String>) -> PyResult<Arc<Plan>> {
        let key = (paths, names);
        let lock = || self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = lock().get(&key) {
            return Ok(plan.clone());
        }
        let program = self.spec.program();
        let module = root(py, &program)?;
        let wanted = [self.name.clone()];
        let mut opened = evaluation::open(&program, module, &wanted, &Changes::default());
        let object = opened.scenarios.first().and_then(|s| s.object.clone());
        let units = key.0.iter().map(|path| match &object {
            Some(object) => unit(&mut opened.checker, object, path),
            None => String::new(),
        });
        let units = units.collect();
        drop(object);
        drop(opened);
        let (paths, names) = key.clone();
        let scenario = Name::new(&self.name);
        let plan = Arc::new(Plan::new(program, module, scenario, paths, units, names));
        Ok(lock().entry(key).or_insert(plan).clone())
    }

    /// A result that no row has is a mistake, unless the scenario as written has it.
    fn must_be_known(&self, py: Python<'_>, plan: &Plan) -> PyResult<()> {
        let Some(missing) = plan.never_seen() else { return Ok(()) };
        let program = self.spec.program();
        let module = root(py, &program)?;
        let wanted = [self.name.clone()];
        let mut evaluated = evaluation::evaluate(&program, module, &wanted, &Changes::default());
        let found: Vec<Diagnostic> = missing
            .iter()
            .filter_map(|path| {
                let full = format!("{}.{path}", self.name);
                match evaluation::find(&mut evaluated, &full) {
                    Err(found) => Some(*found),
                    Ok(_) => {
                        let place = evaluated.scenarios.first()?.place;
                        let title = format!("`{path}` is no number");
                        let label = "of this scenario";
                        Some(Diagnostic::new(codes::UNKNOWN_RESULT, title, place, label))
                    }
                }
            })
            .collect();
        if found.is_empty() { Ok(()) } else { Err(error(py, &program.sources, &found)) }
    }
}

/// A column of Python that is held.
enum Held {
    Numbers(Column<f64>),
    Choices(Column<i32>, Vec<String>),
}

impl Held {
    fn of(values: &Bound<'_, PyAny>, texts: Option<Vec<String>>) -> PyResult<Self> {
        Ok(match texts {
            None => Self::Numbers(Column::of(values)?),
            Some(texts) => Self::Choices(Column::of(values)?, texts),
        })
    }

    fn cells(&self) -> Cells<'_> {
        match self {
            Self::Numbers(column) => Cells::Numbers(column.slice()),
            Self::Choices(codes, texts) => Cells::Choices { codes: codes.slice(), texts },
        }
    }
}

/// The compiled part of `mesa`.
#[pymodule]
fn _mesa(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySpec>()?;
    module.add_class::<PyScenario>()?;
    module.add("MesaError", module.py().get_type::<MesaError>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
