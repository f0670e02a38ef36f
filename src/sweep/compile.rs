//! Lowers a scenario at one point and keeps what holds at others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::define::{Asked, Definition, asked, find};
use super::space::Space;
use super::variant::{Columns, Outcome, Output, Variant};
use crate::check::{Checker, Guard, ItemRef, ModuleId, Program, Scope, Value};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::evaluation::{Change, ChangeKind, Changes, Evaluated, evaluate_one};
use crate::expr::{ExprId, Graph, Op};
use crate::lower::{Leaf, Lowered};
use crate::quantity::Dimension;
use crate::source::FileId;

/// Why points cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The code of what `mesa eval` says there.
    pub code: Code,
    /// The same for all such points: the title without its numbers.
    pub pattern: String,
    /// What is said at one of them.
    pub example: String,
}

/// Makes variants. Every point is a change to a copy of the program. A copy of a compiler may work
/// in another thread: reasons have the same numbers for all copies.
#[derive(Clone)]
pub struct Compiler {
    program: Arc<Program>,
    /// The program with what was changed last, where findings are about that.
    changed: Option<Arc<Program>>,
    module: ModuleId,
    definition: Definition,
    base: Vec<Change>,
    reasons: Reasons,
    made: Arc<AtomicUsize>,
}

/// Reasons as all threads see them.
pub type Reasons = Arc<RwLock<Vec<Reason>>>;

/// What was said at a point, in full.
#[derive(Clone, Debug)]
pub enum Made {
    /// Code.
    Variant(Variant),
    /// Something is wrong with the sweep at every point alike.
    Wrong(Vec<Diagnostic>),
}

impl Compiler {
    /// A compiler for a sweep of a module; `base` is set at every point.
    #[must_use]
    pub fn new(
        program: Program,
        module: ModuleId,
        definition: Definition,
        base: Vec<Change>,
    ) -> Self {
        Self {
            program: Arc::new(program),
            changed: None,
            module,
            definition,
            base,
            reasons: Reasons::default(),
            made: Arc::default(),
        }
    }

    /// The program, with what was added to it for the latest findings.
    #[must_use]
    pub fn program(&self) -> &Program {
        self.changed.as_ref().unwrap_or(&self.program)
    }

    /// What is varied and asked.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Why points cannot be, by number.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        self.reasons.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same list, which grows while variants are made.
    #[must_use]
    pub fn told(&self) -> Reasons {
        self.reasons.clone()
    }

    /// The number of what is said at a point.
    fn reason(&self, mut said: Diagnostic) -> u32 {
        // Why a result is not there stands beside the fact; how to mend that would be too long.
        if let (true, Some(why)) = (said.code == codes::UNKNOWN_RESULT, said.notes.first()) {
            let why = why.split([';', '(']).next().unwrap_or(why).trim_end();
            said.title = format!("{}: {why}", said.title);
        }
        let pattern = without_numbers(&said.title);
        let mut reasons = self.reasons.write().unwrap_or_else(PoisonError::into_inner);
        let same = reasons.iter().position(|r| r.code == said.code && r.pattern == pattern);
        let number = same.unwrap_or(reasons.len());
        if same.is_none() {
            reasons.push(Reason { code: said.code, pattern, example: said.title });
        }
        number as u32
    }

    /// Looks at the first point: what is wrong with the sweep at every point is said before
    /// anything runs.
    ///
    /// # Errors
    /// What is wrong there, unless it hangs on what varies.
    pub fn try_out(&mut self, space: &Space) -> Result<(), Vec<Diagnostic>> {
        match self.make(space, 0) {
            Made::Variant(_) => Ok(()),
            Made::Wrong(found) => Err(found),
        }
    }

    /// How many variants were made.
    #[must_use]
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// The changes that make a point, as `mesa eval` would be told.
    #[must_use]
    pub fn changes(&self, space: &Space, point: u64) -> Vec<Change> {
        let settings = space.settings(point);
        let varied = space.axes.iter().zip(settings).map(|(axis, value)| Change {
            kind: ChangeKind::Override,
            path: axis.path.clone(),
            value,
        });
        self.base.iter().cloned().chain(varied).collect()
    }

    /// What `mesa eval` says of a point: the first error that leaves it without results.
    #[must_use]
    pub fn said(&self, space: &Space, point: u64) -> Option<Diagnostic> {
        self.errors(space, point).1.find(stops)
    }

    /// The same, with the texts that it is about kept in [`Self::program`].
    pub fn told_of(&mut self, space: &Space, point: u64) -> Option<Diagnostic> {
        let (program, mut errors) = self.errors(space, point);
        self.changed = Some(Arc::new(program));
        errors.find(stops)
    }

    /// What `mesa eval` says of a point that does not fit into memory.
    #[must_use]
    pub fn too_large(&self, space: &Space, point: u64) -> Option<Diagnostic> {
        self.errors(space, point).1.find(|d| d.code == codes::OUT_OF_MEMORY)
    }

    /// The errors of `mesa eval` at a point, and the program that they are about.
    fn errors(
        &self,
        space: &Space,
        point: u64,
    ) -> (Program, impl Iterator<Item = Diagnostic> + use<>) {
        let mut program = Program::clone(&self.program);
        let changes = Changes::add(&mut program, self.changes(space, point));
        let (module, scenario) = (self.module, self.definition.scenario);
        let found = evaluate_one(&program, module, scenario, &changes).checker.diagnostics;
        (program, found.into_iter().filter(|d| d.severity == Severity::Error))
    }

    /// The code for a point, and for all that are like it.
    pub fn make(&mut self, space: &Space, point: u64) -> Made {
        let mut program = Program::clone(&self.program);
        let made = self.make_in(&mut program, space, point);
        if let Made::Wrong(_) = made {
            self.changed = Some(Arc::new(program));
        }
        made
    }

    fn make_in(&self, program: &mut Program, space: &Space, point: u64) -> Made {
        self.made.fetch_add(1, Ordering::Relaxed);
        let base = self.base.len();
        let changes = self.changes(space, point);
        let changes = Changes::add(program, changes);
        let program = &*program;
        let mut numbers = vec![Vec::new(); space.columns()];
        space.numbers(point, &mut numbers);
        // The file of each column's number, and the number.
        let files = changes.files(program);
        let columns: Vec<(FileId, f64)> = space
            .column_axes()
            .iter()
            .zip(&numbers)
            .filter_map(|(at, n)| Some((*files.get(base + at)?, *n.first()?)))
            .collect();
        let mut evaluation = evaluate_one(program, self.module, self.definition.scenario, &changes);
        let checker = &mut evaluation.checker;
        let Some(scenario) = evaluation.scenarios.first() else {
            return Made::Wrong(std::mem::take(&mut checker.diagnostics));
        };
        let item = find(program, self.module, &self.definition.name);
        let asked = match (&scenario.lowered, checker.stopped) {
            (Some(lowered), None) => {
                let before = checker.diagnostics.len();
                let asked = roots(checker, scenario, lowered, item, &self.definition);
                let new = checker.diagnostics.get(before..).unwrap_or_default();
                let first = new.iter().find(|d| d.severity == Severity::Error);
                match (checker.stopped, first) {
                    (None, _) => Some(asked),
                    // Other points may have what this one lacks, such as a price.
                    (_, Some(first)) if first.code == codes::UNKNOWN_RESULT => None,
                    _ => return Made::Wrong(std::mem::take(&mut checker.diagnostics)),
                }
            }
            _ => None,
        };
        let column = |graph: &Graph, id: ExprId| {
            if graph.node(id).op != Op::Const {
                return None;
            }
            let file = graph.origin_of(id)?.place.file;
            let (at, (_, value)) = columns.iter().enumerate().find(|(_, (f, _))| *f == file)?;
            (graph.value(id).to_bits() == value.to_bits()).then_some(at as u32)
        };
        let place = scenario.place;
        let stopped = checker.stopped;
        let mut guards: Vec<Guard> = checker.guards.clone();
        if let Some(stopped) = stopped {
            // Nothing after the first error matters: it is there, whatever else is.
            guards.truncate(stopped);
        }
        // A number of the point that is not a column decides by itself.
        for id in checker.graph.ids() {
            let graph = &checker.graph;
            let of_column = graph.origin_of(id).is_some_and(|o| {
                graph.node(id).op == Op::Const && columns.iter().any(|(f, _)| *f == o.place.file)
            });
            if of_column && column(graph, id).is_none() {
                guards.push(Guard::Same(id));
            }
        }
        let broken = asked.is_none().then(|| {
            let found = checker.diagnostics.iter();
            let mut found = found.filter(|d| d.severity == Severity::Error);
            found.find(|d| stops(d)).or(checker.diagnostics.first()).cloned()
        });
        let mut columns = Columns {
            graph: &mut checker.graph,
            column: &column,
            count: space.columns(),
            outer: space.outer().columns,
            place,
        };
        let holds = columns.holds(&guards);
        let outcome = match (asked, broken.flatten()) {
            (Some((roots, outputs)), _) => columns.results(&roots, outputs),
            (None, Some(said)) => Outcome::Broken(self.reason(said)),
            (None, None) => return Made::Wrong(Vec::new()),
        };
        Made::Variant(Variant { holds, outcome })
    }
}

/// Whether a finding leaves a scenario without results.
fn stops(diagnostic: &Diagnostic) -> bool {
    ![codes::OUT_OF_MEMORY, codes::EXPECT_FAILED].contains(&diagnostic.code)
}

/// The nodes that are asked for, in this order: whether it fits into memory, the conditions, the
/// goals, the columns, and what the scenario expects.
fn roots<'p>(
    checker: &mut Checker<'p>,
    scenario: &Evaluated<'p>,
    lowered: &Lowered,
    sweep: Option<ItemRef<'p>>,
    definition: &Definition,
) -> (Vec<ExprId>, Vec<Output>) {
    let mut ids = Vec::new();
    let mut outputs = Vec::new();
    let unknown = {
        let place = scenario.place;
        let origin = crate::expr::Origin {
            name: scenario.name,
            kind: crate::expr::OriginKind::Inferred,
            place,
            rule: Some("no such result"),
        };
        checker.graph.constant(f64::NAN, Dimension::NONE, origin)
    };
    let mut push = |checker: &Checker<'p>, name: &str, leaf: Option<&Leaf>| {
        let (id, flag, known) = match leaf {
            Some(Leaf::Number(id)) => (*id, false, true),
            Some(Leaf::Flag(id)) => (*id, true, true),
            _ => (unknown, false, false),
        };
        let dimension = checker.graph.dimension(id);
        ids.push(id);
        outputs.push(Output { name: name.to_owned(), dimension, flag, known });
    };
    let fits = lowered.results.get("memory.fits").cloned();
    push(checker, "memory.fits", fits.as_ref());
    let mut conditions = Vec::new();
    let mut goals = Vec::new();
    if let (Some(sweep), Some(object)) = (sweep, &scenario.object) {
        let saved = checker.results.replace(lowered.results.clone());
        let outer = checker.item_env(sweep);
        let env = checker.fields_env(object, &outer).inner(Scope::Results);
        for asked in asked(sweep) {
            let (expr, list) = match asked {
                Asked::Condition(e) => (e, &mut conditions),
                Asked::Goal(e, _) => (e, &mut goals),
            };
            list.push(match checker.eval(expr, &env) {
                Value::Num(id) => Some(Leaf::Number(id)),
                Value::Bool(id) => Some(Leaf::Flag(id)),
                Value::Truth(flag) => {
                    let value = if flag { 1.0 } else { 0.0 };
                    let origin = crate::expr::Origin {
                        name: scenario.name,
                        kind: crate::expr::OriginKind::Inferred,
                        place: scenario.place,
                        rule: Some("decided without numbers"),
                    };
                    Some(Leaf::Flag(checker.graph.constant(value, Dimension::NONE, origin)))
                }
                _ => None,
            });
        }
        checker.results = saved;
    }
    for (name, leaf) in definition.conditions.iter().zip(&conditions) {
        push(checker, name, leaf.as_ref());
    }
    for (at, goal) in definition.goals.iter().enumerate() {
        let given = goals.get(at).and_then(Option::as_ref);
        push(checker, &goal.text, given.or(lowered.results.get(&goal.text)));
    }
    for name in &definition.columns {
        push(checker, name, lowered.results.get(name));
    }
    for expectation in &lowered.expectations {
        push(checker, &expectation.text, Some(&Leaf::Flag(expectation.holds)));
    }
    (ids, outputs)
}

/// `96 layers over pp = 5` as `… layers over pp = …`.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut word = false;
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() && !word {
            while chars.next_if(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '_')).is_some() {}
            out.push('…');
        } else {
            // Digits of a name belong to it: `H100`.
            word = c.is_alphanumeric() || c == '_';
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn a_pattern_keeps_words_and_drops_numbers() {
        let text = "96 `layers` of H100 cannot be split evenly over pp = 5";
        assert_eq!(without_numbers(text), "… `layers` of H100 cannot be split evenly over pp = …");
    }
}
