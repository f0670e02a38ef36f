//! Names, types, dimensions, shapes and constraints: from syntax to the checked program.
//!
//! In: a [`Program`]. Out: values on the expression graph, models, systems and plans as plain data,
//! and every finding, none of which is caused by another.

mod adapters;
mod arguments;
mod arithmetic;
mod arms;
mod axes;
mod backward;
mod block;
mod bounds;
mod builtins;
mod call;
mod composite;
mod constants;
mod control;
mod cut;
mod declaration;
mod definitions;
mod discard;
mod earlier;
mod eval;
mod fields;
mod forward;
mod hopeless;
mod imports;
mod inputs;
mod instance;
mod items;
mod kept;
pub mod library;
mod limits;
pub(crate) mod lint;
mod loader;
mod names;
mod naming;
mod object;
mod offload;
mod op;
mod operators;
mod outline;
mod parts;
mod plan;
mod precision;
mod prints;
mod program;
mod ranges;
mod readers;
mod recompute;
mod rematerialize;
mod rounds;
mod runtime;
mod said;
mod schema;
mod scopes;
mod shape;
mod spoken;
mod sweeps;
mod system;
mod template;
mod tensor;
mod twice;
mod twins;
mod types;
mod unify;
pub mod units;
mod unknown;
mod unread;
mod value;
mod weights;

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::arena::Ordered;
pub use crate::diagnostic::closest;
pub use block::BuiltModel;
pub use call::BUILTINS;
pub use cut::{Content, Cut, Part};
pub use imports::Imported;
pub use items::check_module;
pub use kept::{Checked, Kept, check_again};
pub use lint::{each_expr, each_inside};
pub use loader::{Loader, NoFiles};
pub(crate) use names::AUTO;
pub use object::{Entry, Object, Statement};
pub use offload::Store;
pub use op::op_words;
pub use plan::{OVERLAP, SCHEDULES, ZERO, show_path as show_rule};
pub use precision::{Computing, FormatRules, Precision};
pub use prints::{Context, Key, Prints};
pub use program::{ItemRef, ModuleId, Program};
pub use ranges::{Drawn, FUNCTIONS as RANGES, Setting, Values};
pub use schema::{check_names, field_words, names_below, schema_fields, schema_type, wants_word};
pub(crate) use shape::{Shape, Shapes};
pub use sweeps::{SweepAxis, SweepItem};
pub use system::Machine;
pub(crate) use template::Template;
pub(crate) use twins::measured_of;
pub use twins::{Guard, check_scenarios};
pub use types::{Ty, divisors};
pub use value::{Env, Record, Scope, Site, Value, with_article};

pub(crate) use crate::diagnostic::codes;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::expr::{ExprId, Graph};
use crate::ir::model::Instance;
use crate::lower::{Frame, Group, Results};
use crate::name::Name;
use crate::source::{Origin, Place};

/// What is said of a text that leads to a finding in the library.
const LEADS: &str = "this leads to it";

type Circle = ((usize, Rc<[Name]>), Option<Place>);

/// The state of checking and lowering: one expression graph, everything evaluated on it, and what
/// was found.
pub struct Checker<'p> {
    /// What is checked.
    pub program: &'p Program,
    /// All scalars.
    pub graph: Graph,
    /// Findings so far, unsorted.
    pub diagnostics: Vec<Diagnostic>,
    /// The runtime whose assumptions hold, with the chip's own below it.
    pub runtime: Option<Rc<Object<'p>>>,
    /// Results of the scenario being lowered, for `expect` and `metric`.
    pub results: Option<Results>,
    /// Sizes of the op being costed.
    pub frame: Option<Frame>,
    /// Library formulas that were asked for and are not there: a broken library.
    pub broken_library: Vec<Name>,
    /// Whether only what checks and expectations usually need is computed: no tallies of useful,
    /// padded and replicated work, no results by layer.
    pub brief: bool,
    /// What was relied on so far.
    pub guards: Vec<Guard>,
    /// How much had been relied on when the first error came up that leaves no results.
    pub stopped: Option<usize>,
    /// Items and calls that led to what is being looked at, innermost last.
    led_here: Vec<Place>,
    evaluating: Vec<Circle>,
    constants: FxHashMap<usize, Value<'p>>,
    library_fns: FxHashMap<Name, ItemRef<'p>>,
    imports: FxHashMap<ModuleId, Rc<Ordered<Name, imports::Imported<'p>>>>,
    /// Results of library functions by function and arguments.
    calls: call::Calls<'p>,
    /// The same for what the compiler asked, by what it gave.
    asked: call::Calls<'p>,
    kept: Vec<Value<'p>>,
    /// What the last scenario computed under its runtime, for the next one with the same.
    earlier: Option<earlier::Computed<'p>>,
    /// How many findings there were when the runtime was set.
    found_before: usize,
    /// Groups of devices by mesh axes and size, of the scenario being lowered.
    pub(crate) groups: FxHashMap<(Vec<crate::ir::MeshId>, ExprId), Rc<Group<'p>>>,
    /// Groups by what they are made of: devices at each level, and its link. They keep the links.
    pub(crate) group_records: FxHashMap<Vec<(ExprId, usize)>, Rc<Group<'p>>>,
    types: FxHashMap<usize, Ty>,
    /// Scopes of modules as items see them.
    envs: RefCell<FxHashMap<usize, Env<'p>>>,
    /// Names of what is computed for tensors and ops, each made once.
    pub(crate) byte_names: FxHashMap<(Rc<[Name]>, Name), Name>,
    pub(crate) formula_names: FxHashMap<(Name, &'static str), Name>,
    dtypes: FxHashMap<usize, (Rc<Object<'p>>, Rc<crate::ir::Dtype>)>,
    limits: limits::Limits,
    /// How many errors there were before the scenario that is being lowered was looked at.
    pub(crate) baseline: Option<usize>,
    /// Results without values, of the module that asked last.
    outline: Option<(ModuleId, Results)>,
    owners: object::Owners<'p>,
    builder: block::Builder<'p>,
    block_inputs_bound: Vec<(crate::syntax::ast::Ident, crate::ir::TensorId)>,
    /// Whether items rest on one of which a part cannot be read.
    resting: FxHashMap<usize, bool>,
    /// Whether a block is wanted where an argument is evaluated: a call then only gives values to
    /// its parameters.
    wants_block: bool,
}

impl<'p> Checker<'p> {
    /// A checker with an empty graph.
    #[must_use]
    pub fn new(program: &'p Program) -> Self {
        Self {
            program,
            graph: Graph::new(),
            diagnostics: Vec::new(),
            runtime: None,
            results: None,
            frame: None,
            broken_library: Vec::new(),
            brief: false,
            guards: Vec::new(),
            stopped: None,
            led_here: Vec::new(),
            evaluating: Vec::new(),
            constants: FxHashMap::default(),
            library_fns: FxHashMap::default(),
            imports: FxHashMap::default(),
            calls: FxHashMap::default(),
            asked: FxHashMap::default(),
            kept: Vec::new(),
            earlier: None,
            found_before: 0,
            groups: FxHashMap::default(),
            group_records: FxHashMap::default(),
            types: FxHashMap::default(),
            envs: RefCell::default(),
            byte_names: FxHashMap::default(),
            formula_names: FxHashMap::default(),
            dtypes: FxHashMap::default(),
            limits: limits::Limits::default(),
            baseline: None,
            outline: None,
            owners: object::Owners::default(),
            builder: block::Builder::new(),
            block_inputs_bound: Vec::new(),
            resting: FxHashMap::default(),
            wants_block: false,
        }
    }
    /// Adds a finding. One that stands in the library is about the user's text that led there.
    pub fn report(&mut self, mut diagnostic: Diagnostic) {
        let leaves_results = [codes::OUT_OF_MEMORY, codes::EXPECT_FAILED];
        if diagnostic.severity == Severity::Error && !leaves_results.contains(&diagnostic.code) {
            self.stopped.get_or_insert(self.guards.len());
        }
        let sources = &self.program.sources;
        let is_theirs = |place: Place| sources.file(place.file).origin != Origin::Std;
        if diagnostic.place().is_some_and(|place| !is_theirs(place)) {
            match diagnostic.labels.iter().position(|l| is_theirs(l.place)) {
                Some(at) => diagnostic.labels.swap(0, at),
                None => {
                    let place = self.led_here.iter().rev().find(|p| is_theirs(**p));
                    let text = LEADS.to_owned();
                    let label = place.map(|place| Label { place: *place, text });
                    diagnostic.labels.splice(0..0, label);
                }
            }
        }
        if !self.is_echo(&diagnostic) && !self.is_too_many(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }
    /// What `f` gives, with `place` as what led to anything that it reports.
    pub(crate) fn led_by<T>(&mut self, place: Place, f: impl FnOnce(&mut Self) -> T) -> T {
        self.led_here.push(place);
        let value = f(self);
        self.led_here.pop();
        value
    }
    /// Whether a condition holds at the spec's own point, if that is known; it is relied on.
    pub fn decide(&mut self, condition: ExprId) -> Option<bool> {
        let holds = self.holds(condition)?;
        self.guards.push(Guard::Holds(condition, holds));
        Some(holds)
    }
    /// As [`Self::decide`], for what changes no result: a warning, or a wish that is reported.
    pub fn notice(&mut self, condition: ExprId) -> Option<bool> {
        let holds = self.holds(condition)?;
        self.guards.push(Guard::Noticed(condition, holds));
        Some(holds)
    }
    /// Whether a condition holds; that it is not known is relied on too.
    fn holds(&mut self, condition: ExprId) -> Option<bool> {
        let known = self.graph.known(condition);
        if known.is_none() {
            self.guards.push(Guard::Unknown(condition));
        }
        Some(known? != 0.0)
    }
    /// A value that is relied on to stay as it is.
    pub fn rely(&mut self, id: ExprId) -> f64 {
        self.guards.push(Guard::Same(id));
        self.graph.value(id)
    }
    /// How many errors were found so far.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }
}

/// Whether a `within` path means this scope, or a weight in it: `wq`, `attention.wq`.
pub(crate) fn scope_matches(scope: &Instance, within: &[Name], name: Option<Name>) -> bool {
    crate::graph::scope_matches(scope, within, false)
        || match (within.split_last(), name) {
            (Some((last, instance)), Some(name)) if *last == name => scope.path.ends_with(instance),
            _ => false,
        }
}

/// A number as it stands in a sentence: whole numbers exactly, others to six digits.
#[must_use]
pub fn show_number(value: f64) -> String {
    if value.is_nan() {
        return "?".into();
    }
    if libm::floor(value) == value && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    if value.abs() >= 1e-3 && value.abs() < 1e9 {
        let digits = (5.0 - libm::floor(libm::log10(value.abs()))).clamp(0.0, 8.0) as usize;
        let text = format!("{value:.digits$}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return text.to_owned();
    }
    format!("{value:.4e}")
}
