//! Rows of a table as points of a sweep.
//!
//! In: columns of settings. Out: columns of results, and why a row has none. Rows that agree in all
//! that is no number are one family; its code is kept, so that the next table finds it compiled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesa::check::{ModuleId, Setting, Values};
use mesa::diagnostic::codes;
use mesa::name::Name;
use mesa::source::Sources;
use mesa::sweep::{
    Axis, Block, Compiler, Definition, Made, Outcome, Points, Space, Variants, Worker,
};
use mesa::{Diagnostic, Program};
use rustc_hash::FxHashMap;

/// Rows that are computed at a time: what fits a processor's cache.
const CHUNK: usize = 16_384;
/// As many numbers may vary together as a sweep has columns.
const MOST_COLUMNS: usize = 63;
/// The cell of a number that is a column.
const NUMBER: u64 = u64::MAX;

/// A column of settings.
pub enum Cells<'a> {
    /// Numbers, in base units.
    Numbers(&'a [f64]),
    /// One of some texts, as `--set` takes them.
    Choices {
        /// Which text; negative where there is none.
        codes: &'a [i32],
        /// The texts.
        texts: &'a [String],
    },
}

impl Cells<'_> {
    /// How many rows it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Choices { codes, .. } => codes.len(),
        }
    }
}

/// What ended an evaluation.
pub enum Ended<E> {
    /// Something is wrong with the question itself.
    Wrong(Vec<Diagnostic>),
    /// The caller asked for it.
    Asked(E),
}

/// What all rows of one family share: a text for each column that is no number.
type Family = Vec<Option<String>>;

/// Code for tables with these columns and these results.
pub struct Plan {
    compiler: Mutex<Compiler>,
    families: Mutex<FxHashMap<Family, Variants>>,
    paths: Vec<String>,
    units: Vec<String>,
    definition: Definition,
    /// Which results some row had.
    known: Mutex<Option<Vec<bool>>>,
}

/// Reasons of one table by number, from 1.
#[derive(Default)]
struct Reasons {
    texts: Vec<String>,
    /// Those of the compiler, by its number.
    compiled: FxHashMap<u32, i32>,
}

impl Reasons {
    fn number(&mut self, text: &str) -> i32 {
        let known = self.texts.iter().position(|t| t == text);
        let at = known.unwrap_or_else(|| {
            self.texts.push(text.to_owned());
            self.texts.len() - 1
        });
        at as i32 + 1
    }
}

/// Rows of a family.
enum Rows {
    /// All of them, in order: columns are taken as they are.
    All(usize),
    /// Some of them.
    Some(Vec<u32>),
}

/// A lock is good even where another thread failed: what it guards is only ever added to.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plan {
    /// A plan for columns of these paths; `units` are those of their numbers.
    pub fn new(
        program: Program,
        module: ModuleId,
        scenario: Name,
        paths: Vec<String>,
        units: Vec<String>,
        results: Vec<String>,
    ) -> Self {
        let known = Mutex::default();
        let definition = Definition {
            name: String::new(),
            scenario,
            axes: Vec::new(),
            conditions: Vec::new(),
            goals: Vec::new(),
            columns: results,
        };
        let compiler = Mutex::new(Compiler::new(program, module, definition.clone(), Vec::new()));
        Self { compiler, families: Mutex::default(), paths, units, definition, known }
    }

    /// Results that no row had so far, if any row had some.
    pub fn never_seen(&self) -> Option<Vec<String>> {
        let known = locked(&self.known);
        let known = known.as_ref()?;
        let names = self.definition.columns.iter().zip(known);
        let missing: Vec<String> =
            names.filter(|(_, known)| !**known).map(|(name, _)| name.clone()).collect();
        (!missing.is_empty()).then_some(missing)
    }

    /// The texts that findings are about.
    pub fn with_sources<T>(&self, f: impl FnOnce(&Sources) -> T) -> T {
        f(&locked(&self.compiler).program().sources)
    }

    /// Fills `results` and `reasons` (0 where there is none); gives the texts of the reasons.
    /// `alive` is asked now and then whether to go on.
    pub fn evaluate<E>(
        &self,
        columns: &[Cells<'_>],
        rows: usize,
        results: &mut [&mut [f64]],
        reasons: &mut [i32],
        alive: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Vec<String>, Ended<E>> {
        let mut said = Reasons::default();
        let mut worker = Worker::default();
        for (cells, rows) in families(columns, rows) {
            match self.family(columns, &cells) {
                Ok(family) => {
                    let cells = (columns, &family, &rows);
                    self.run(cells, &mut worker, results, reasons, &mut said, alive)?;
                }
                Err(reason) => {
                    let number = said.number(&reason);
                    each(&rows, |row| {
                        results.iter_mut().for_each(|c| put(c, row, f64::NAN));
                        put(reasons, row, number);
                    });
                }
            }
        }
        Ok(said.texts)
    }

    /// The texts of a family, or why its rows cannot be.
    fn family(&self, columns: &[Cells<'_>], cells: &[u64]) -> Result<Family, String> {
        let texts = columns.iter().zip(cells).enumerate().map(|(at, (column, cell))| {
            let path = self.paths.get(at).map_or("", String::as_str);
            match column {
                Cells::Numbers(_) if *cell == NUMBER => Ok(None),
                Cells::Numbers(_) => {
                    let value = f64::from_bits(*cell);
                    let finite = value.is_finite();
                    finite
                        .then(|| Some(self.text(at, value)))
                        .ok_or(format!("no number at `{path}`"))
                }
                Cells::Choices { texts, .. } => {
                    let text = usize::try_from(*cell).ok().and_then(|at| texts.get(at));
                    text.map(|t| Some(t.clone())).ok_or(format!("nothing at `{path}`"))
                }
            }
        });
        texts.collect()
    }

    /// A number as it would be typed.
    fn text(&self, column: usize, value: f64) -> String {
        let unit = self.units.get(column).map_or("", String::as_str);
        format!("{value} {unit}").trim_end().to_owned()
    }

    /// All rows of one family.
    fn run<E>(
        &self,
        (columns, family, rows): (&[Cells<'_>], &Family, &Rows),
        worker: &mut Worker,
        results: &mut [&mut [f64]],
        reasons: &mut [i32],
        said: &mut Reasons,
        alive: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<(), Ended<E>> {
        let variants = locked(&self.families).entry(family.clone()).or_default().clone();
        let numbers: Vec<&[f64]> = columns
            .iter()
            .zip(family)
            .filter_map(|(column, text)| match (column, text) {
                (Cells::Numbers(values), None) => Some(*values),
                _ => None,
            })
            .collect();
        let mut block = Block::default();
        let mut gathered: Vec<Vec<f64>> = vec![Vec::new(); numbers.len()];
        let count = match rows {
            Rows::All(count) => *count,
            Rows::Some(list) => list.len(),
        };
        // Rows without numbers are all the same point.
        let alike = numbers.is_empty();
        let mut from = 0;
        while from < count {
            alive().map_err(Ended::Asked)?;
            let to = if alike { count } else { (from + CHUNK).min(count) };
            let points = if alike { 1 } else { to - from };
            let chunk: Vec<&[f64]> = match rows {
                Rows::All(_) => {
                    numbers.iter().map(|c| c.get(from..to).unwrap_or_default()).collect()
                }
                Rows::Some(list) => {
                    let list = list.get(from..to).unwrap_or_default();
                    for (out, column) in gathered.iter_mut().zip(&numbers) {
                        out.clear();
                        out.extend(list.iter().filter_map(|r| column.get(*r as usize)));
                    }
                    gathered.iter().map(Vec::as_slice).collect()
                }
            };
            let mut wrong = None;
            let mut missing = |at: usize, _: usize| match self.make(family, &chunk, at, &variants) {
                Ok(()) => true,
                Err(found) => {
                    wrong = Some(found);
                    false
                }
            };
            let outputs = 1 + self.definition.columns.len();
            let points_of = Points { count: points, outer: None, columns: &chunk };
            let whole = worker.evaluate(&variants, points_of, outputs, &mut block, &mut missing);
            if !whole {
                return Err(Ended::Wrong(wrong.unwrap_or_default()));
            }
            let unfit = said.number_of_unfit(&block);
            for at in 0..to - from {
                let row = match rows {
                    Rows::All(_) => from + at,
                    Rows::Some(list) => list.get(from + at).map_or(usize::MAX, |r| *r as usize),
                };
                let at = if alike { 0 } else { at };
                let broken = block.broken.get(at).copied().unwrap_or_default();
                let number = match broken {
                    0 => unfit.filter(|_| first(&block, at) == 0.0).unwrap_or(0),
                    n => self.reason(said, n - 1),
                };
                put(reasons, row, number);
                for (column, values) in results.iter_mut().zip(block.values.iter().skip(1)) {
                    put(column, row, values.get(at).copied().unwrap_or(f64::NAN));
                }
            }
            from = to;
        }
        Ok(())
    }

    /// The number of one of the compiler's reasons in this table.
    fn reason(&self, said: &mut Reasons, compiled: u32) -> i32 {
        if let Some(number) = said.compiled.get(&compiled) {
            return *number;
        }
        let all = locked(&self.compiler).reasons();
        let reason = all.get(compiled as usize);
        let text = reason.map(|r| format!("{}: {}", r.code.id(), r.pattern));
        let number = said.number(&text.unwrap_or_else(|| "cannot be".to_owned()));
        said.compiled.insert(compiled, number);
        number
    }

    /// Code for a row, and for all that are like it.
    fn make(
        &self,
        family: &Family,
        chunk: &[&[f64]],
        row: usize,
        variants: &Variants,
    ) -> Result<(), Vec<Diagnostic>> {
        let count = || variants.read().map_or(0, |list| list.len());
        let before = count();
        let mut compiler = locked(&self.compiler);
        if count() > before {
            // Another thread made some while this one waited: perhaps what is missing.
            return Ok(());
        }
        let mut numbers = chunk.iter();
        let axes = family.iter().enumerate().map(|(at, text)| {
            let (text, number) = match text {
                Some(text) => (text.clone(), None),
                None => {
                    let column = numbers.next().and_then(|c| c.get(row));
                    let value = column.copied().unwrap_or(f64::NAN);
                    (self.text(at, value), Some(value))
                }
            };
            let path = self.paths.get(at).cloned().unwrap_or_default();
            Axis { path, values: Values::List(vec![Setting { text, number }]) }
        });
        let definition = Definition { axes: axes.collect(), ..self.definition.clone() };
        let space = Space::new(&definition);
        let variant = match compiler.make(&space, 0) {
            Made::Variant(variant) => variant,
            Made::Wrong(found) => return Err(found),
        };
        match &variant.outcome {
            Outcome::Results { outputs, .. } => {
                let outputs = outputs.iter().skip(1);
                let mut known = locked(&self.known);
                let known = known.get_or_insert(vec![false; self.definition.columns.len()]);
                for (known, output) in known.iter_mut().zip(outputs) {
                    *known |= output.known;
                }
            }
            Outcome::Broken(reason) => {
                // A column that nothing reads is a mistake in the table, not in its rows.
                let reasons = compiler.reasons();
                let code = reasons.get(*reason as usize).map(|r| r.code);
                if code == Some(codes::UNKNOWN_PATH) {
                    return Err(compiler.told_of(&space, 0).into_iter().collect());
                }
            }
        }
        if let Ok(mut list) = variants.write() {
            list.push(Arc::new(variant));
        }
        Ok(())
    }
}

impl Reasons {
    fn number_of_unfit(&mut self, block: &Block) -> Option<i32> {
        let fits = block.values.first()?;
        let unfit = fits.iter().zip(&block.broken).any(|(fits, b)| *b == 0 && *fits == 0.0);
        unfit.then(|| self.number("does not fit into memory"))
    }
}

/// Whether a point fits into memory.
fn first(block: &Block, at: usize) -> f64 {
    block.values.first().and_then(|c| c.get(at)).copied().unwrap_or(f64::NAN)
}

fn put<T>(column: &mut [T], row: usize, value: T) {
    if let Some(cell) = column.get_mut(row) {
        *cell = value;
    }
}

fn each(rows: &Rows, mut f: impl FnMut(usize)) {
    match rows {
        Rows::All(count) => (0..*count).for_each(f),
        Rows::Some(list) => list.iter().for_each(|r| f(*r as usize)),
    }
}

/// Whether a number can be a column: the others are written with a sign, which is no number of
/// the language but an expression.
fn is_plain(value: f64) -> bool {
    value.is_finite() && value.is_sign_positive()
}

/// Rows by what they have in common, in the order in which families turn up.
fn families(columns: &[Cells<'_>], rows: usize) -> Vec<(Vec<u64>, Rows)> {
    let mut of_row: Vec<u32> = Vec::new();
    let mut cells: Vec<Vec<u64>> = vec![Vec::new()];
    let mut numbers = 0;
    for column in columns {
        let over = numbers >= MOST_COLUMNS;
        if let Cells::Numbers(values) = column
            && !over
        {
            numbers += 1;
            if values.iter().all(|v| is_plain(*v)) {
                cells.iter_mut().for_each(|c| c.push(NUMBER));
                continue;
            }
        }
        let cell = |row: usize| match column {
            Cells::Numbers(values) => match values.get(row).copied().unwrap_or(f64::NAN) {
                value if is_plain(value) && !over => NUMBER,
                value if value.is_nan() => f64::NAN.to_bits(),
                value => value.to_bits(),
            },
            Cells::Choices { codes, .. } => {
                codes.get(row).and_then(|c| u64::try_from(*c).ok()).unwrap_or(NUMBER)
            }
        };
        of_row.resize(rows, 0);
        let mut split: FxHashMap<(u32, u64), u32> = FxHashMap::default();
        let mut next: Vec<Vec<u64>> = Vec::new();
        for (row, family) in of_row.iter_mut().enumerate() {
            let cell = cell(row);
            let old = *family;
            *family = *split.entry((old, cell)).or_insert_with(|| {
                let mut key = cells.get(old as usize).cloned().unwrap_or_default();
                key.push(cell);
                next.push(key);
                next.len() as u32 - 1
            });
        }
        cells = next;
    }
    if let [only] = cells.as_slice() {
        return vec![(only.clone(), Rows::All(rows))];
    }
    let mut lists: Vec<Vec<u32>> = vec![Vec::new(); cells.len()];
    for (row, family) in of_row.iter().enumerate() {
        if let Some(list) = lists.get_mut(*family as usize) {
            list.push(row as u32);
        }
    }
    cells.into_iter().zip(lists.into_iter().map(Rows::Some)).collect()
}
