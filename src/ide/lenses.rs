//! What the lenses of scenarios say that differ in numbers alone: computed from the first of them.
//!
//! In: evaluated scenarios, each with its shape. Out: the lens of any other of that shape, as long
//! as everything that the first one relied on holds of its numbers.

use rustc_hash::FxHashMap;

use super::evaluated::{FIGURES, lens_of};
use crate::check::{Checker, ItemRef, Program, Shape, Shapes, Template, measured_of};
use crate::evaluation::Evaluation;
use crate::expr::ExprId;
use crate::lower::{Bound, Leaf, Lowered};
use crate::quantity::Dimension;
use crate::quantity::figure::Figure;
use crate::syntax::ast::ItemKind;

/// Scenarios of one shape that are remembered: other numbers may make other structures.
const MOST_ALIKE: usize = 4;
/// How much all may hold, in numbers.
const MOST: usize = 1 << 20;

/// The lenses of scenarios by their shapes.
#[derive(Default)]
pub(super) struct Lenses {
    known: FxHashMap<Box<[u64]>, Vec<Formula>>,
    size: usize,
}

/// How the figures of a lens follow from the numbers of a scenario.
pub(super) struct Formula {
    template: Template,
    /// Where the value of a node stands among those that are read.
    at: FxHashMap<ExprId, usize>,
    figures: Vec<(&'static str, Part)>,
}

enum Part {
    Number(ExprId, Dimension),
    Flag(ExprId),
    Bound(Bound),
    Missing,
}

impl Part {
    fn of(evaluation: &Evaluation<'_>, lowered: &Lowered, path: &str, leaf: &Leaf) -> Option<Self> {
        Some(match leaf {
            Leaf::Number(id) => Self::Number(*id, evaluation.checker.graph.dimension(*id)),
            Leaf::Flag(id) => Self::Flag(*id),
            Leaf::Error => Self::Missing,
            Leaf::Text(_) => {
                let phase = path.strip_suffix(".bound")?;
                let (_, bound) = lowered.bounds.iter().find(|(name, _)| *name == phase)?;
                Self::Bound(bound.clone())
            }
        })
    }
    fn nodes(&self, out: &mut Vec<ExprId>) {
        match self {
            Self::Number(id, _) | Self::Flag(id) => out.push(*id),
            Self::Bound(bound) => out.extend(bound.nodes()),
            Self::Missing => {}
        }
    }
    fn figure(&self, path: &str, value: impl Fn(ExprId) -> f64) -> Figure {
        match self {
            Self::Number(id, dimension) => Figure::number(path, value(*id), *dimension),
            Self::Flag(id) => Figure::Flag(value(*id) != 0.0),
            Self::Bound(bound) => Figure::Text(bound.most(value).to_owned()),
            Self::Missing => Figure::Missing,
        }
    }
}

impl Formula {
    pub(super) fn new(evaluation: &Evaluation<'_>, shape: &Shape) -> Option<Self> {
        let lowered = evaluation.scenarios.first()?.lowered.as_ref()?;
        let checker = &evaluation.checker;
        if checker.stopped.is_some() {
            return None;
        }
        let mut figures = Vec::new();
        for path in FIGURES {
            if let Some(leaf) = lowered.results.get(path) {
                figures.push((path, Part::of(evaluation, lowered, path, leaf)?));
            }
        }
        let mut asked = Vec::new();
        figures.iter().for_each(|(_, part)| part.nodes(&mut asked));
        asked.sort_unstable();
        asked.dedup();
        let template = Template::new(&checker.graph, &checker.guards, shape, &asked)?;
        let at = asked.into_iter().enumerate().map(|(at, id)| (id, at)).collect();
        Some(Self { template, at, figures })
    }

    fn lens(&mut self, shape: &Shape) -> Option<String> {
        let values = self.template.read(shape)?;
        let value = |id: ExprId| {
            let at = self.at.get(&id).and_then(|at| values.get(*at));
            at.copied().unwrap_or(f64::NAN)
        };
        Some(lens_of(|path| {
            let (_, part) = self.figures.iter().find(|(name, _)| *name == path)?;
            Some(part.figure(path, value))
        }))
    }

    fn size(&self) -> usize {
        self.template.size() + self.at.len()
    }
}

impl Lenses {
    /// The lens of a scenario of a shape, if it follows from one of this shape.
    pub(super) fn of(&mut self, shape: &Shape) -> Option<String> {
        self.known.get_mut(&shape.key)?.iter_mut().find_map(|formula| formula.lens(shape))
    }

    /// Whether scenarios of this shape were evaluated.
    pub(super) fn has(&self, shape: &Shape) -> bool {
        self.known.contains_key(&shape.key)
    }

    /// Learns from a scenario that was evaluated.
    pub(super) fn learn(&mut self, evaluation: &Evaluation<'_>, shape: &Shape) {
        if let Some(formula) = Formula::new(evaluation, shape) {
            self.add(formula, shape);
        }
    }

    /// Keeps how the figures of scenarios of a shape follow from their numbers.
    pub(super) fn add(&mut self, formula: Formula, shape: &Shape) {
        if self.size > MOST {
            (self.known, self.size) = Default::default();
        }
        self.size += formula.size();
        let alike = self.known.entry(shape.key.clone()).or_default();
        if alike.len() == MOST_ALIKE {
            let gone = alike.remove(0);
            self.size = self.size.saturating_sub(gone.size());
        }
        alike.push(formula);
    }
}

/// What a scenario comes to the same as: a measurement, as long as it can be read, to what it is a
/// measurement of.
pub(super) fn alike<'p>(program: &'p Program, item: ItemRef<'p>) -> ItemRef<'p> {
    if item.item.kind != ItemKind::Measured {
        return item;
    }
    let mut checker = Checker::new(program);
    let Some(base) = measured_of(&mut checker, item) else { return item };
    let _ = checker.check_object(item);
    if checker.diagnostics.is_empty() { base } else { item }
}

/// The shape of a scenario; `None` where something is wrong with imports, which its shape does not
/// say.
pub(super) fn shape_of<'p>(
    program: &'p Program,
    shapes: &mut Shapes<'p, '_>,
    item: ItemRef<'p>,
) -> Option<Shape> {
    let mut checker = Checker::new(program);
    let shape = shapes.of(&mut checker, item);
    checker.diagnostics.is_empty().then_some(shape)
}
