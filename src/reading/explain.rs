//! Derivations: the part of the graph under a result, cut at named nodes, down to source lines.
//!
//! In: a graph, the program whose texts its origins point to, and a node. Out: [`Derivation`], a
//! tree of plain data: name, formula, figure, place and kind of every step. Chains of names for
//! one value are one step; what was shown before is referred to.

use rustc_hash::FxHashSet;

use super::clauses::{Clauses, clauses};
use crate::check::Program;
use crate::expr::{ExprId, Graph, Op, Origin, OriginKind};
use crate::lower::Leaf;
use crate::quantity::figure::Figure;
use crate::source::{Place, Spot};
use crate::syntax::ast::ItemKind;

/// One step of a derivation.
#[derive(Clone, PartialEq, Debug)]
pub struct Derivation {
    /// What it is called where it is used.
    pub name: String,
    /// What it is called where it stands, if that is something else: `tp` for an argument `n`.
    pub alias: Option<String>,
    /// How it is computed: source text, or the compiler's rule in words; empty for plain values.
    pub formula: String,
    /// Its value.
    pub figure: Figure,
    /// Where it stands.
    pub at: Spot,
    /// For a formula of the library that a step of a model calls: where the model has that step.
    pub model: Option<Spot>,
    /// `spec`, `default`, `override`, `assumption`, `datasheet`, `imported`, `inferred`, `formula`.
    pub kind: &'static str,
    /// Its share, where it is a term of a sum.
    pub share: Option<f64>,
    /// Whether it decided, where it is an alternative of a `max`, `min` or `best`.
    pub taken: Option<bool>,
    /// The range of an assumption, as written.
    pub range: Option<String>,
    /// The reason of an assumption.
    pub because: Option<String>,
    /// Where a figure comes from.
    pub source: Option<String>,
    /// Whether its own steps are shown elsewhere above.
    pub above: bool,
    /// What it is computed from.
    pub steps: Vec<Derivation>,
    /// How many more there are, beyond the width or the depth.
    pub more: usize,
}

impl Derivation {
    /// What is nothing but a figure and a place.
    fn leaf(name: &str, figure: Figure, at: Spot) -> Self {
        Self {
            name: name.to_owned(),
            alias: None,
            formula: String::new(),
            figure,
            at,
            model: None,
            kind: OriginKind::Inferred.word(),
            share: None,
            taken: None,
            range: None,
            because: None,
            source: None,
            above: false,
            steps: Vec::new(),
            more: 0,
        }
    }
}

/// How much is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Levels below the result; `None` is all.
    pub depth: Option<usize>,
    /// Terms of a sum; `None` is all.
    pub width: Option<usize>,
}

/// The derivation of a result under a path. A word has no steps; `place` is that of its scenario.
#[must_use]
pub fn explain(
    graph: &Graph,
    program: &Program,
    (path, leaf): (&str, &Leaf),
    place: Place,
    extent: Extent,
) -> Derivation {
    let mut reader = Reader { graph, program, extent, shown: FxHashSet::default() };
    match leaf {
        Leaf::Number(id) => reader.derive(Part::of(*id), Some(path), 0),
        Leaf::Flag(id) => {
            let derivation = reader.derive(Part::of(*id), Some(path), 0);
            Derivation { figure: Figure::Flag(graph.value(*id) != 0.0), ..derivation }
        }
        Leaf::Text(word) => reader.word(path, Figure::Text(word.clone()), place),
        Leaf::Error => reader.word(path, Figure::Missing, place),
    }
}

struct Reader<'a> {
    graph: &'a Graph,
    program: &'a Program,
    extent: Extent,
    shown: FxHashSet<ExprId>,
}

/// A node as part of an expression.
#[derive(Clone, Debug)]
struct Part {
    id: ExprId,
    taken: Option<bool>,
    /// For a term of a sum: the term itself, and what `id` is multiplied by in it.
    term: Option<(ExprId, Vec<ExprId>)>,
    share: Option<f64>,
}

impl Part {
    fn of(id: ExprId) -> Self {
        Self { id, taken: None, term: None, share: None }
    }
}

impl Reader<'_> {
    fn derive(&mut self, part: Part, path: Option<&str>, depth: usize) -> Derivation {
        let outer = self.graph.origin_of(part.id);
        let content = self.content(part.id);
        let origin = self.graph.origin_of(content).or(outer);
        let name = path.unwrap_or_else(|| outer.map_or("value", |o| o.name.text()));
        let value_of = part.term.as_ref().map_or(part.id, |(term, _)| *term);
        let figure = self.figure(value_of, name, path.is_none().then_some(outer).flatten());
        let nowhere = || Spot { file: String::new(), line: 0 };
        let at = origin.map_or_else(nowhere, |o| self.program.sources.spot(o.place));
        let mut out = Derivation {
            alias: origin.and_then(|o| alias(name, o)),
            formula: origin.map_or_else(String::new, |o| self.formula(o)),
            model: outer.and_then(|outer| self.model_place(outer, origin)),
            kind: origin.map_or("formula", |o| o.kind.word()),
            share: part.share,
            taken: part.taken,
            ..Derivation::leaf(name, figure, at)
        };
        if let Some((_, factors)) = &part.term {
            out.formula = self.repeated(part.id, factors, &out.formula);
        }
        if let Some(origin) = origin {
            self.note(origin, &mut out);
        }
        let steps = self.steps(content);
        if steps.is_empty() {
            return out;
        }
        // What did not decide is not worth a screen.
        let idle = part.taken == Some(false) && self.extent.width.is_some();
        if idle || self.extent.depth.is_some_and(|most| depth >= most) {
            out.more = steps.len();
            return out;
        }
        if !self.shown.insert(content) {
            out.above = true;
            return out;
        }
        let width = self.extent.width.unwrap_or(usize::MAX);
        out.more = steps.len().saturating_sub(width);
        out.steps =
            steps.into_iter().take(width).map(|s| self.derive(s, None, depth + 1)).collect();
        out
    }

    /// Of the names of one value the one that says how it is computed: the innermost, but a bare
    /// literal is said by the setting that holds it.
    fn content(&self, id: ExprId) -> ExprId {
        let mut content = id;
        while let Some(inner) = self.graph.named_operand(content) {
            if self.graph.named_operand(inner).is_none() && !self.says_itself(inner) {
                break;
            }
            content = inner;
        }
        content
    }

    /// Where the block stands that a kernel or a collective computes a step of, if the formula
    /// stands elsewhere.
    fn model_place(&self, outer: &Origin, shown: Option<&Origin>) -> Option<Spot> {
        let elsewhere = shown.is_some_and(|origin| origin.place != outer.place);
        let item = super::clauses::item_at(self.program, outer.place).filter(|_| elsewhere)?;
        let is_model = matches!(item.item.kind, ItemKind::Block | ItemKind::Op);
        (is_model && outer.rule.is_some()).then(|| self.program.sources.spot(outer.place))
    }

    /// Whether a leaf says more than its digits: what the compiler counted, a parameter.
    fn says_itself(&self, id: ExprId) -> bool {
        let origin = self.graph.origin_of(id);
        origin.is_some_and(|o| o.rule.is_some()) || self.graph.node(id).op == Op::Param
    }

    /// What has no derivation: what takes most of a phase, the name of a part, or nothing at all.
    fn word(&self, path: &str, figure: Figure, place: Place) -> Derivation {
        let rule = match path.rsplit_once('.') {
            Some((phase, "bound")) => format!("what takes most of `{phase}.time`"),
            _ => String::new(),
        };
        let at = self.program.sources.spot(place);
        Derivation { formula: rule, ..Derivation::leaf(path, figure, at) }
    }

    fn figure(&self, id: ExprId, name: &str, outer: Option<&Origin>) -> Figure {
        let path = outer.map_or(name, |o| o.name.text());
        Figure::number(path, self.graph.value(id), self.graph.dimension(id))
    }

    /// `80 × 1.549 ms`, then what one of them is.
    fn repeated(&self, id: ExprId, factors: &[ExprId], formula: &str) -> String {
        let show =
            |id: ExprId| Figure::number("", self.graph.value(id), self.graph.dimension(id)).human();
        let real = factors.iter().filter(|f| self.graph.value(**f) != 1.0);
        let mut parts: Vec<String> = real.map(|f| show(*f)).collect();
        if parts.is_empty() {
            return formula.to_owned();
        }
        parts.push(show(id));
        let product = parts.join(" × ");
        if formula.is_empty() { product } else { format!("{product}, each: {formula}") }
    }

    /// What a person can read of an origin: the compiler's rule, or the text after the name.
    fn formula(&self, origin: &Origin) -> String {
        if let Some(rule) = origin.rule {
            return rule.to_owned();
        }
        if origin.kind == OriginKind::Inferred {
            // An argument made by the compiler: the text there is its declaration.
            return String::new();
        }
        let text = after_name(self.program.sources.text(origin.place));
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.replace("( ", "(").replace(", )", ")")
    }

    /// Range, reason and source, where there are some.
    fn note(&self, origin: &Origin, out: &mut Derivation) {
        let wanted = [OriginKind::Assumption, OriginKind::Datasheet, OriginKind::Default];
        if !wanted.contains(&origin.kind) && !self.is_hardware(origin.place) {
            return;
        }
        let Clauses { range, because, source } = clauses(self.program, origin);
        out.range = range;
        out.because = because;
        out.source = source;
    }

    fn is_hardware(&self, place: Place) -> bool {
        let name = &self.program.sources.file(place.file).name;
        ["std/chips/", "std/links/", "std/systems/"].iter().any(|p| name.starts_with(p))
    }

    /// What a named node is computed from.
    fn steps(&self, content: ExprId) -> Vec<Part> {
        let Some(inner) = self.graph.named_operand(content) else { return Vec::new() };
        let by_rule = self.graph.origin_of(content).is_some_and(|o| o.kind == OriginKind::Inferred);
        // Of many sets of terms only the one that decided: the rule says that it is the largest.
        let inner = if by_rule { self.decided(inner) } else { inner };
        let terms = self.flat(inner, Op::Add);
        if by_rule && terms.len() > 1 {
            return self.terms(&terms);
        }
        let mut parts = Vec::new();
        self.walk(inner, None, &mut parts);
        parts
    }

    /// The alternative that an unnamed `max` of sums took; anything else as it is.
    fn decided(&self, id: ExprId) -> ExprId {
        let value = self.graph.value(id);
        let sums = self.flat(id, Op::Max);
        let is_sum = |id: &ExprId| self.graph.node(*id).op == Op::Add;
        if sums.len() < 2 || !sums.iter().any(is_sum) {
            return id;
        }
        sums.into_iter().find(|s| self.graph.value(*s) == value).unwrap_or(id)
    }

    /// The operands of a chain of one operator, in order.
    fn flat(&self, id: ExprId, op: Op) -> Vec<ExprId> {
        let mut out = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let node = self.graph.node(id);
            if node.op == op {
                let mut operands: Vec<ExprId> = node.operands().collect();
                operands.reverse();
                stack.extend(operands);
            } else {
                out.push(id);
            }
        }
        out
    }

    /// The terms of a sum, the largest first, each by its main factor.
    fn terms(&self, terms: &[ExprId]) -> Vec<Part> {
        let total: f64 = terms.iter().map(|t| self.graph.value(*t)).sum();
        let mut parts: Vec<Part> = Vec::new();
        for &term in terms {
            let share = Some(self.graph.value(term) / total).filter(|s| s.is_finite());
            let factors = self.flat(term, Op::Mul);
            let dimension = self.graph.dimension(term);
            let is_main = |f: &ExprId| {
                self.graph.dimension(*f) == dimension && self.graph.named_operand(*f).is_some()
            };
            match factors.iter().position(is_main) {
                Some(main) => {
                    let mut rest = factors.clone();
                    let id = rest.remove(main);
                    parts.push(Part { id, taken: None, term: Some((term, rest)), share });
                }
                None => self.walk(term, None, &mut parts),
            }
        }
        let weight = |p: &Part| self.graph.value(p.term.as_ref().map_or(p.id, |(term, _)| *term));
        parts.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        parts
    }

    /// The named nodes that an expression mentions, in order, each once.
    fn walk(&self, id: ExprId, taken: Option<bool>, out: &mut Vec<Part>) {
        let node = self.graph.node(id);
        let operands: Vec<ExprId> = node.operands().collect();
        match (node.op, operands.as_slice()) {
            (Op::Named | Op::Const | Op::Param, _) => {
                if self.is_worth_a_line(id) && !out.iter().any(|p| p.id == id) {
                    out.push(Part { taken, ..Part::of(id) });
                }
            }
            (op @ (Op::Max | Op::Min), _) => {
                let value = self.graph.value(id);
                let mut found = false;
                for alternative in self.flat(id, op) {
                    let wins = !found && self.graph.value(alternative) == value;
                    found |= wins;
                    let named = self.graph.named_operand(alternative).is_some();
                    self.walk(alternative, named.then_some(wins), out);
                }
            }
            (Op::Select, [condition, a, b]) => {
                let chosen = if self.graph.value(*condition) == 0.0 { *b } else { *a };
                self.walk(chosen, taken, out);
                self.walk(*condition, None, out);
            }
            _ => operands.iter().for_each(|o| self.walk(*o, taken, out)),
        }
    }

    /// Literals stand in the formula already; a nothing of the compiler explains nothing.
    fn is_worth_a_line(&self, id: ExprId) -> bool {
        let Some(origin) = self.graph.origin_of(id) else { return false };
        if self.graph.node(id).op == Op::Param {
            return true;
        }
        let inner = self.graph.unnamed(id);
        let bare = self.graph.origin_of(inner);
        let nothing = bare.is_some_and(|o| {
            o.rule.is_some() && matches!(o.name.text(), "none" | "1" | "one" | "once" | "0")
        });
        match self.graph.node(id).op {
            Op::Const => !nothing && origin.rule.is_some(),
            _ => !nothing,
        }
    }
}

/// The name of an origin where it says more than that of the step: another word for a value of the
/// spec or of the results, not the function that made it.
fn alias(name: &str, origin: &Origin) -> Option<String> {
    let last = |text: &'static str| text.rsplit('.').next().unwrap_or(text);
    let other = origin.name.text();
    let says = origin.kind != OriginKind::Formula || other.contains('.');
    let same = name.rsplit('.').next() == Some(last(other)) || name.ends_with(other);
    (says && !same && other != "value").then(|| other.to_owned())
}

/// The text after `name: Type =`, `fn name(…) -> Type =` or `name:`.
fn after_name(text: &str) -> &str {
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    let byte = |i: usize| bytes.get(i).copied().unwrap_or_default();
    let starts_with_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_with_name {
        return text;
    }
    let mut colon = None;
    for i in 0..bytes.len() {
        match byte(i) {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => break,
            b':' if depth == 0 && colon.is_none() => {
                let head = text.get(..i).unwrap_or_default();
                colon =
                    head.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(i + 1);
            }
            b'=' if depth == 0 => {
                let part = matches!(byte(i + 1), b'=')
                    || matches!(i.checked_sub(1).map(byte), Some(b'=' | b'<' | b'>' | b'!'));
                if !part {
                    return text.get(i + 1..).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    colon.and_then(|at| text.get(at..)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::after_name;

    #[test]
    fn a_formula_is_what_stands_after_the_name() {
        for (text, formula) in [
            ("batch = 32", " 32"),
            ("tp: 8", " 8"),
            ("gemm_efficiency: Number = 0.75", " 0.75"),
            ("ring(bytes: Bytes, n: Number = 2) -> Time =\n  2 * n", "\n  2 * n"),
            ("a + b", "a + b"),
            ("if a == b then c else d", "if a == b then c else d"),
            ("max(compute: a, memory: b)", "max(compute: a, memory: b)"),
            ("2 * pass(n: 3)", "2 * pass(n: 3)"),
        ] {
            assert_eq!(after_name(text), formula, "{text}");
        }
    }
}
