//! Items that say the same: what was checked once need not be checked again.
//!
//! In: items. Out: an identity for each, equal exactly when two items have the same text after
//! their names and every name in them means the same; for scenarios also a shape, equal when they
//! differ in numbers alone.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use super::lint;
use super::names::Imported;
use super::program::{ItemRef, ModuleId, Program};
use crate::expr::{ExprId, Graph, Op};
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::{ExprKind, ItemKind};

/// What an item says, as a number: equal for items that say the same.
pub type Identity = u32;

/// Something that checking relied on. While all of them hold, other numbers change nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guard {
    /// A condition was found true or false.
    Holds(ExprId, bool),
    /// A value was found to be a count.
    Whole(ExprId),
    /// A value was found to be at least 1.
    AtLeastOne(ExprId),
    /// A value decided the structure.
    Same(ExprId),
    /// A condition was found true or false, and only a warning or a wish hangs on it: nothing is
    /// computed otherwise.
    Noticed(ExprId, bool),
    /// A value was found to be other than 0.
    NotZero(ExprId),
    /// A value was found to be finite.
    Finite(ExprId),
}

impl Guard {
    /// The node that is looked at.
    #[must_use]
    pub fn node(self) -> ExprId {
        match self {
            Self::Holds(id, _)
            | Self::Noticed(id, _)
            | Self::Whole(id)
            | Self::AtLeastOne(id)
            | Self::NotZero(id)
            | Self::Finite(id)
            | Self::Same(id) => id,
        }
    }
    fn holds(self, new: f64, old: f64) -> bool {
        match self {
            Self::Holds(_, wanted) | Self::Noticed(_, wanted) => {
                !new.is_nan() && (new != 0.0) == wanted
            }
            Self::NotZero(_) => new != 0.0,
            Self::Finite(_) => new.is_finite(),
            Self::Whole(_) => new >= 0.0 && libm::floor(new) == new,
            Self::AtLeastOne(_) => new >= 1.0,
            Self::Same(_) => new == old,
        }
    }
}

/// A scenario that was lowered without findings: others of its shape are tried against it.
pub struct Template {
    /// What must stay as it was.
    guards: Vec<Guard>,
    /// Nodes that the guards need, operands first.
    needed: Vec<ExprId>,
    /// Constants of the scenario's own text by position among its numbers.
    inputs: FxHashMap<ExprId, usize>,
    /// Scratch values by node.
    values: Vec<f64>,
}

impl Template {
    /// A template of what `graph` holds after the scenario at `item` was lowered on it.
    #[must_use]
    pub fn new(graph: &Graph, guards: &[Guard], item: ItemRef<'_>, numbers: &[Literal]) -> Self {
        let mut wanted = vec![false; graph.len()];
        let mut stack: Vec<ExprId> = guards.iter().map(|g| g.node()).collect();
        while let Some(id) = stack.pop() {
            match wanted.get_mut(id.index()) {
                Some(flag) if !*flag => *flag = true,
                _ => continue,
            }
            stack.extend(graph.node(id).operands());
        }
        let needed: Vec<ExprId> =
            graph.ids().filter(|id| wanted.get(id.index()) == Some(&true)).collect();
        let mut inputs = FxHashMap::default();
        for &id in &needed {
            if graph.node(id).op != Op::Const {
                continue;
            }
            let Some(origin) = graph.origin_of(id).filter(|o| o.rule.is_none()) else { continue };
            let at = numbers.iter().position(|n| item.place(n.span) == origin.place);
            if let Some(position) = at {
                inputs.insert(id, position);
            }
        }
        let mut seen = FxHashSet::default();
        let new = |g: &&Guard| seen.insert((std::mem::discriminant(*g), g.node()));
        let unique: Vec<Guard> = guards.iter().filter(new).copied().collect();
        let values = graph.ids().map(|id| graph.value(id)).collect();
        Self { guards: unique, needed, inputs, values }
    }

    /// Whether a scenario with these numbers is as sound as the template.
    #[must_use]
    pub fn accepts(&mut self, graph: &Graph, numbers: &[Literal]) -> bool {
        for &id in &self.needed {
            let node = graph.node(id);
            let mut operands = node.operands().map(|o| self.values.get(o.index()).copied());
            let value = match (node.op, self.inputs.get(&id)) {
                (Op::Const, Some(position)) => numbers.get(*position).map(|n| n.value),
                (Op::Const | Op::Param, _) => Some(graph.value(id)),
                _ => {
                    let mut next = || operands.next().flatten().unwrap_or(f64::NAN);
                    let (a, b, c) = (next(), next(), next());
                    Some(node.op.apply(a, b, c))
                }
            };
            if let (Some(slot), Some(value)) = (self.values.get_mut(id.index()), value) {
                *slot = value;
            }
        }
        self.guards.iter().all(|guard| {
            let new = self.values.get(guard.node().index()).copied().unwrap_or(f64::NAN);
            guard.holds(new, graph.value(guard.node()))
        })
    }
}

/// A number in the text of an item.
#[derive(Clone, Copy, Debug)]
pub struct Literal {
    /// Where it stands, with its unit.
    pub span: Span,
    /// Its value in base units.
    pub value: f64,
}

/// Identities of the items of a program, each found once.
#[derive(Default)]
pub struct Twins {
    identities: FxHashMap<usize, Identity>,
    keys: FxHashMap<Key, Identity>,
    open: FxHashSet<usize>,
}

/// The text of an item, with what its names mean.
type Key = (ItemKind, String);

impl Twins {
    fn intern(&mut self, key: Key) -> Identity {
        let next = self.keys.len() as Identity;
        *self.keys.entry(key).or_insert(next)
    }

    /// The identity of an item.
    pub fn identity<'p>(&mut self, checker: &mut Checker<'p>, item: ItemRef<'p>) -> Identity {
        let address = std::ptr::from_ref(item.item) as usize;
        if let Some(identity) = self.identities.get(&address) {
            return *identity;
        }
        let alone = |address: usize| (item.item.kind, format!("#{address}"));
        // Library items are themselves; a circle of items is one item each.
        let library = checker.program.module(item.module).std_path.is_some();
        if library || !self.open.insert(address) {
            return self.intern(alone(address));
        }
        let (text, _) = super::limits::on_stack(|| self.spelling(checker, item, false));
        self.open.remove(&address);
        let identity = self.intern((item.item.kind, text));
        self.identities.insert(address, identity);
        identity
    }

    /// The shape of an item: what it says but for its numbers, and the numbers.
    pub fn shape<'p>(
        &mut self,
        checker: &mut Checker<'p>,
        item: ItemRef<'p>,
    ) -> (Identity, Vec<Literal>) {
        let (text, numbers) = self.spelling(checker, item, true);
        (self.intern((item.item.kind, text)), numbers)
    }

    /// The text of an item after its name, with what names mean instead of the names; with
    /// `blank`, numbers are left out and given apart.
    fn spelling<'p>(
        &mut self,
        checker: &mut Checker<'p>,
        item: ItemRef<'p>,
        blank: bool,
    ) -> (String, Vec<Literal>) {
        let mut parts: Vec<(Span, Part)> = Vec::new();
        lint::each_expr(item.item, &mut |expr| match &expr.kind {
            ExprKind::Name(name) => parts.push((expr.span, Part::Name(*name))),
            ExprKind::Number { value, unit, .. } if blank => {
                let scaled = match unit {
                    None => Some(*value),
                    Some(u) => checker.program.unit_expr(u).ok().map(|u| u.scale(*value)),
                };
                let value = scaled.unwrap_or(f64::NAN);
                let end = unit.as_ref().map_or(expr.span.end, |u| u.span.start);
                parts.push((expr.span, Part::Number { value, end }));
            }
            _ => {}
        });
        parts.sort_by_key(|(span, _)| span.start);
        parts.dedup_by_key(|(span, _)| span.start);
        let text = text_after_name(checker.program, item);
        let base = item.item.name.span.end;
        let mut spelled = String::with_capacity(text.len());
        let mut numbers = Vec::new();
        let mut at = 0;
        for (span, part) in parts {
            let from = span.start.saturating_sub(base) as usize;
            if span.start < base || from < at {
                continue;
            }
            spelled.push_str(text.get(at..from).unwrap_or_default());
            let end = match part {
                Part::Number { value, end } => {
                    numbers.push(Literal { span, value });
                    spelled.push('#');
                    end
                }
                Part::Name(name) => {
                    match self.meaning(checker, item, name) {
                        Some(identity) => {
                            spelled.push('@');
                            spelled.push_str(&identity.to_string());
                        }
                        None => spelled.push_str(name.text()),
                    }
                    span.end
                }
            };
            at = end.saturating_sub(base) as usize;
        }
        spelled.push_str(text.get(at..).unwrap_or_default());
        (spelled, numbers)
    }

    /// What a name of the module means in an item; nothing for local names.
    fn meaning<'p>(
        &mut self,
        checker: &mut Checker<'p>,
        item: ItemRef<'p>,
        name: Name,
    ) -> Option<Identity> {
        if name == item.item.name.name {
            return None;
        }
        match checker.module_name(item.module, name)? {
            Imported::Parsed(target) => Some(self.identity(checker, target)),
            Imported::Module(path) => Some(self.intern((ItemKind::Use, path.to_string()))),
            _ => None,
        }
    }
}

/// A part of an item's text that is not compared as it stands.
enum Part {
    Name(Name),
    Number { value: f64, end: u32 },
}

fn text_after_name<'a>(program: &'a Program, item: ItemRef<'_>) -> &'a str {
    let span = Span::new(item.item.name.span.end, item.item.span.end);
    program.sources.text(item.place(span))
}

/// An item that was sound.
struct Sound<'p> {
    item: ItemRef<'p>,
    numbers: Vec<Literal>,
    /// The position of the checker that looked at it.
    checker: usize,
    /// What the look relied on.
    guards: Vec<Guard>,
    /// Made when another item of the shape comes.
    template: Option<Template>,
}

/// Items that were sound, by shape.
#[derive(Default)]
pub struct Templates<'p> {
    known: FxHashMap<Identity, Sound<'p>>,
    /// The checkers that looked at them.
    checkers: Vec<Checker<'p>>,
    /// Whether the last of them, which found nothing yet, looks at the next scenario too.
    open: bool,
}

/// How large a graph may be that another scenario is lowered on.
const ROOMY: usize = 1 << 16;

impl<'p> Templates<'p> {
    /// Checks an item, unless one of its shape was sound and relied on nothing that changes.
    pub fn check(&mut self, checker: &mut Checker<'p>, twins: &mut Twins, item: ItemRef<'p>) {
        let (shape, numbers) = twins.shape(checker, item);
        if let Some(like) = self.known.get_mut(&shape)
            && let Some(looked) = self.checkers.get(like.checker)
        {
            let graph = &looked.graph;
            let make = || Template::new(graph, &like.guards, like.item, &like.numbers);
            if like.template.get_or_insert_with(make).accepts(graph, &numbers) {
                return;
            }
        }
        let scenario = matches!(item.item.kind, ItemKind::Scenario | ItemKind::Measured);
        let look = |mut own: Checker<'p>, brief: bool| {
            own.brief = brief;
            if scenario {
                let _ = crate::evaluate(&mut own, item);
            } else {
                own.led_by(item.name_place(), |own| own.check_item(item));
            }
            own
        };
        // What a scenario computed that was sound, the next one need not compute again. A twin of
        // it has other numbers of its own alone, and on those nothing hangs that was there before.
        let open = std::mem::take(&mut self.open) && scenario;
        let last = if open { self.checkers.pop() } else { None };
        let at = self.checkers.len();
        let shared = last.is_some();
        let mut own = last.unwrap_or_else(|| Checker::new(checker.program));
        own.guards.clear();
        own.stopped = None;
        // Whatever a brief look finds may be due to its brevity: look again.
        let mut own = look(own, true);
        if own.diagnostics.is_empty() {
            let guards = std::mem::take(&mut own.guards);
            self.open = scenario && own.graph.len() < ROOMY;
            self.known.entry(shape).or_insert(Sound {
                item,
                numbers,
                checker: at,
                guards,
                template: None,
            });
            self.checkers.push(own);
            return;
        }
        let mut again = look(Checker::new(checker.program), false);
        if shared {
            // Its graph is that of others.
            own.diagnostics.clear();
            self.checkers.push(own);
        }
        if again.diagnostics.is_empty() {
            let checker = self.checkers.len();
            let guards = std::mem::take(&mut again.guards);
            let sound = || Sound { item, numbers, checker, guards, template: None };
            self.known.entry(shape).or_insert_with(sound);
            self.checkers.push(again);
        } else {
            checker.diagnostics.append(&mut again.diagnostics);
        }
    }
}

/// Lowers the scenarios of a module; those that differ from a sound one in numbers alone, and that
/// keep everything it relied on, are sound too.
pub fn check_scenarios<'p>(program: &'p Program, module: ModuleId, checker: &mut Checker<'p>) {
    let mut twins = Twins::default();
    let mut templates = Templates::default();
    for scenario in crate::scenarios(program, module) {
        templates.check(checker, &mut twins, scenario);
    }
}
