//! Items that say the same: what was checked once need not be checked again.
//!
//! In: items. Out: an identity for each, equal exactly when two items have the same text after
//! their names and every name in them means the same. Models and scenarios that differ in numbers
//! alone, be they their own or of what they use, are checked once: see [`super::shape`].

use rustc_hash::{FxHashMap, FxHashSet};

use super::Checker;
use super::imports::Imported;
use super::lint;
use super::program::{ItemRef, ModuleId, Program};
use super::shape::{Shape, Shapes, spelled};
use super::template::{Template, Templates};
use crate::expr::ExprId;
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
    /// Whether a condition holds was not known.
    Unknown(ExprId),
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
            | Self::Unknown(id)
            | Self::Same(id) => id,
        }
    }
    /// Whether it holds of a new value, where it held of the old one.
    #[must_use]
    pub fn holds(self, new: f64, old: f64) -> bool {
        match self {
            Self::Holds(_, wanted) | Self::Noticed(_, wanted) => {
                !new.is_nan() && (new != 0.0) == wanted
            }
            Self::NotZero(_) => new != 0.0,
            Self::Finite(_) => new.is_finite(),
            Self::Unknown(_) => new.is_nan(),
            Self::Whole(_) => new >= 0.0 && libm::floor(new) == new,
            Self::AtLeastOne(_) => new >= 1.0,
            Self::Same(_) => new == old,
        }
    }
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
        let text = super::limits::on_stack(|| self.spelling(checker, item));
        self.open.remove(&address);
        let identity = self.intern((item.item.kind, text));
        self.identities.insert(address, identity);
        identity
    }

    /// The text of an item after its name, with what names mean instead of the names.
    fn spelling<'p>(&mut self, checker: &mut Checker<'p>, item: ItemRef<'p>) -> String {
        let mut parts: Vec<(Span, Name)> = Vec::new();
        lint::each_expr(item.item, &mut |expr| {
            if let ExprKind::Name(name) = &expr.kind {
                parts.push((expr.span, *name));
            }
        });
        let program = checker.program;
        spelled(program, item, parts, |span, name, out| {
            match self.meaning(checker, item, name) {
                Some(identity) => {
                    out.push('@');
                    out.push_str(&identity.to_string());
                }
                None => out.push_str(name.text()),
            }
            span.end
        })
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

/// How large a graph may be that another scenario is lowered on.
const ROOMY: usize = 1 << 16;

/// A checker that has looked at an item.
struct Looked<'p> {
    checker: Checker<'p>,
    /// Whether the item came to something.
    whole: bool,
}

/// Checks models and scenarios, those of one shape once.
pub struct Looks<'p, 'k> {
    shapes: Shapes<'p, 'k>,
    /// What sound ones relied on.
    pub templates: Templates,
    /// The checker that looked at the last scenario and found nothing yet: it looks at the next
    /// one too.
    last: Option<Checker<'p>>,
    /// The shapes of those that were not sound: others of them are not likely to be.
    faulty: FxHashSet<Box<[u64]>>,
    /// The checker that looked at the last scenario that cannot have results.
    bare: Option<Checker<'p>>,
}

impl<'p, 'k> Looks<'p, 'k> {
    /// With what is known already.
    #[must_use]
    pub fn new(shapes: Shapes<'p, 'k>, templates: Templates) -> Self {
        Self { shapes, templates, last: None, faulty: FxHashSet::default(), bare: None }
    }

    /// Whether an item is sound because one of its shape was that relied on nothing that differs.
    pub fn is_known(&mut self, checker: &mut Checker<'p>, item: ItemRef<'p>) -> bool {
        if checker.rests_on_unread(item) {
            return false;
        }
        let shape = self.shapes.of(checker, item);
        self.templates.accepts(&shape)
    }

    /// Checks an item, unless one of its shape was sound and relied on nothing that differs.
    pub fn check(&mut self, checker: &mut Checker<'p>, item: ItemRef<'p>) {
        let scenario = matches!(item.item.kind, ItemKind::Scenario | ItemKind::Measured);
        if scenario && checker.rests_on_unread(item) {
            return self.check_bare(checker, item);
        }
        let shape = self.shapes.of(checker, item);
        if self.templates.accepts(&shape) {
            return;
        }
        if let Some(base) = measured_of(checker, item)
            && self.is_known(checker, base)
        {
            // What it adds is held against the results elsewhere.
            let mut own = Checker::new(checker.program);
            own.led_by(item.name_place(), |own| own.check_object(item));
            if own.diagnostics.is_empty() {
                return;
            }
        }
        let look = |mut own: Checker<'p>, brief: bool| {
            own.brief = brief;
            let mut whole = true;
            if scenario {
                whole = crate::evaluate(&mut own, item).is_some();
            } else {
                own.led_by(item.name_place(), |own| own.check_item(item));
            }
            // One that comes to nothing and finds nothing uses what was found faulty elsewhere.
            Looked { checker: own, whole }
        };
        if self.faulty.contains(&shape.key) {
            // A brief look would be followed by a whole one.
            let own = look(Checker::new(checker.program), false);
            return self.looked(checker, own, &shape);
        }
        // What a scenario computed that was sound, the next one need not compute again. What that
        // relied on, the next one relies on too.
        let last = if scenario { self.last.take() } else { None };
        let mut own = last.unwrap_or_else(|| Checker::new(checker.program));
        own.stopped = None;
        // Whatever a brief look finds may be due to its brevity: look again.
        let own = look(own, true);
        if own.checker.diagnostics.is_empty() {
            self.learn(&own, &shape);
            if scenario && own.whole && own.checker.graph.len() < ROOMY {
                self.last = Some(own.checker);
            }
            return;
        }
        let again = look(Checker::new(checker.program), false);
        self.looked(checker, again, &shape);
    }

    /// Checks a scenario that cannot have results: what it says itself.
    fn check_bare(&mut self, checker: &mut Checker<'p>, item: ItemRef<'p>) {
        let mut own = self.bare.take().unwrap_or_else(|| Checker::new(checker.program));
        let _ = crate::evaluate(&mut own, item);
        if own.diagnostics.is_empty() {
            self.bare = Some(own);
            return;
        }
        // What an earlier one led to as well was not found again.
        let mut own = Checker::new(checker.program);
        let _ = crate::evaluate(&mut own, item);
        checker.diagnostics.append(&mut own.diagnostics);
    }

    /// Takes over what a whole look found.
    fn looked(&mut self, checker: &mut Checker<'p>, mut own: Looked<'p>, shape: &Shape) {
        if own.checker.diagnostics.is_empty() {
            self.learn(&own, shape);
        } else {
            self.faulty.insert(shape.key.clone());
            checker.diagnostics.append(&mut own.checker.diagnostics);
        }
    }

    fn learn(&mut self, looked: &Looked<'p>, shape: &Shape) {
        let Looked { checker, whole } = looked;
        if *whole && let Some(template) = Template::new(&checker.graph, &checker.guards, shape, &[])
        {
            self.templates.learn(shape, template);
        }
    }
}

/// The scenario that a measurement is of: it comes to the same.
pub fn measured_of<'p>(checker: &mut Checker<'p>, item: ItemRef<'p>) -> Option<ItemRef<'p>> {
    let (ItemKind::Measured, Some(value)) = (item.item.kind, &item.item.value) else { return None };
    let ExprKind::Name(name) = value.kind else { return None };
    match checker.module_name(item.module, name)? {
        Imported::Parsed(base) if base.item.kind == ItemKind::Scenario && !base.item.broken => {
            Some(base)
        }
        _ => None,
    }
}

/// Lowers the scenarios of a module; those that differ from a sound one in numbers alone, and that
/// keep everything it relied on, are sound too.
pub fn check_scenarios<'p>(program: &'p Program, module: ModuleId, checker: &mut Checker<'p>) {
    let mut looks = Looks::new(Shapes::new(None), Templates::default());
    for scenario in crate::scenarios(program, module) {
        looks.check(checker, scenario);
    }
}
