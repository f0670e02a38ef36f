//! What scenarios came to, kept from one version of a document to the next.
//!
//! In: the versions of a program, one after another. Out: [`Facts`], equal to those that a new
//! evaluation would give. Those of a scenario hold as long as nothing that it uses was edited;
//! where text before it was, the places in them are moved along.

use std::cell::OnceCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::evaluated::{derivation, lens};
use super::facts::{Facts, evaluated, explain, facts_and, scenario, scenarios_using};
use super::lenses::{Formula, Lenses, alike, shape_of};
use super::resolve::View;
use crate::check::{Content, Context, ItemRef, Key, ModuleId, Prints, Program, Shape, Shapes};
use crate::name::Name;
use crate::source::{FileId, Origin, Place, Span, Spot};

/// Scenarios that are remembered, at most.
const MOST: usize = 128;

/// Scenarios that are evaluated at the same time, at most.
const MOST_BESIDE: usize = 8;
/// How many after one that is asked for are looked at, to find some of other shapes.
const MOST_AHEAD: usize = 64;
/// Deep texts need deep stacks.
const STACK: usize = 64 * 1024 * 1024;

/// The facts of the scenarios of one document.
#[derive(Default)]
pub struct Shelf {
    now: Option<Now>,
    kept: FxHashMap<Name, Kept>,
    lenses: Lenses,
    /// Counts questions, to know what was asked for last.
    clock: u64,
}

/// What is known of the version that is looked at.
struct Now {
    prints: Arc<Prints>,
    context: Context,
    stands: OnceCell<FxHashMap<usize, Stand>>,
}

/// Where a piece stands: its file, its first byte, its first line.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stand {
    file: FileId,
    start: u32,
    line: u32,
}

/// A piece that facts speak of.
struct Anchor {
    /// Keeps the address that it is found by.
    content: Arc<Content>,
    /// Where it stood.
    stand: Stand,
    end: u32,
    last_line: u32,
    file: String,
}

struct Kept {
    key: u64,
    facts: Option<Arc<Facts>>,
    /// In the order of places.
    anchors: Vec<Anchor>,
    /// How results came about, by path, in words for hovers.
    derivations: FxHashMap<String, Arc<str>>,
    asked: u64,
}

fn address(content: &Arc<Content>) -> usize {
    Arc::as_ptr(content) as usize
}

fn wanted(facts: Option<&Facts>, key: Key) -> u64 {
    // What is wrong is said in words that may name anything.
    if facts.is_some_and(|f| f.findings.is_empty()) { key.sound } else { key.unsound }
}

impl Shelf {
    /// Looks at another version of the document.
    pub fn renew(&mut self, program: &Program, module: ModuleId) {
        let old = self.now.as_ref().map(|now| &*now.prints);
        let prints = Arc::new(Prints::again(program, old));
        self.renew_with(program, module, prints);
    }

    /// The same, with what its pieces depend on.
    pub fn renew_with(&mut self, program: &Program, module: ModuleId, prints: Arc<Prints>) {
        let context = prints.context(program, module);
        self.now = Some(Now { prints, context, stands: OnceCell::new() });
        if self.kept.len() > MOST {
            let mut times: Vec<u64> = self.kept.values().map(|k| k.asked).collect();
            times.sort_unstable();
            let least = times.get(times.len() - MOST).copied().unwrap_or(0);
            self.kept.retain(|_, kept| kept.asked >= least);
        }
    }

    /// What a scenario comes to.
    pub fn facts(&mut self, program: &Program, module: ModuleId, name: &str) -> Option<Arc<Facts>> {
        self.clock += 1;
        let clock = self.clock;
        let found = self.looked_up(program, module, Name::new(name));
        if let Some(kept) = self.kept.get_mut(&Name::new(name)) {
            kept.asked = clock;
        }
        found
    }

    /// What the lens of a scenario says: the same as of its facts, from those of another that
    /// differs in numbers alone where there is one.
    pub fn lens(&mut self, program: &Program, module: ModuleId, name: &str) -> Option<String> {
        let item = scenario(program, module, name)?;
        if self.now.is_none() {
            self.renew(program, module);
        }
        if !self.is_known(program, module, Name::new(name)) {
            let now = self.now.as_ref()?;
            let mut shapes = Shapes::across(&now.prints, &now.context);
            let base = alike(program, item);
            let shape = shape_of(program, &mut shapes, base);
            if let Some(lens) = shape.and_then(|shape| self.lenses.of(&shape)) {
                return Some(lens);
            }
            let rest = self.to_come(program, item);
            if base != item && base.module == module {
                let facts = self.facts_beside(program, base, &rest)?;
                if facts.report().is_some() {
                    return Some(lens(&facts));
                }
            }
            return self.facts_beside(program, item, &rest).map(|facts| lens(&facts));
        }
        self.facts(program, module, name).map(|facts| lens(&facts))
    }

    /// The scenarios after one whose lenses are likely to be asked for next and follow from none
    /// that is known: as many as there are processors to evaluate them at the same time.
    fn to_come<'p>(&self, program: &'p Program, item: ItemRef<'p>) -> Vec<(ItemRef<'p>, Shape)> {
        let most = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_BESIDE);
        let Some(now) = self.now.as_ref().filter(|_| most > 1) else { return Vec::new() };
        let all = crate::scenarios(program, item.module);
        let after = all.into_iter().skip_while(|other| *other != item);
        let mut shapes = Shapes::across(&now.prints, &now.context);
        let mut out: Vec<(ItemRef<'p>, Shape)> = Vec::new();
        for next in after.take(MOST_AHEAD) {
            let base = alike(program, next);
            let Some(shape) = shape_of(program, &mut shapes, base) else { continue };
            if !self.lenses.has(&shape) && out.iter().all(|(_, other)| other.key != shape.key) {
                out.push((base, shape));
            }
            if out.len() == most {
                break;
            }
        }
        // The first is the one that was asked for.
        out.drain(..1.min(out.len()));
        out
    }

    /// What a scenario comes to, while the lenses of others are found out beside it.
    fn facts_beside<'p>(
        &mut self,
        program: &'p Program,
        item: ItemRef<'p>,
        others: &[(ItemRef<'p>, Shape)],
    ) -> Option<Arc<Facts>> {
        std::thread::scope(|scope| {
            let mut running = Vec::new();
            for (other, shape) in others {
                let learn = || Formula::new(&evaluated(program, *other), shape);
                let thread = std::thread::Builder::new().stack_size(STACK);
                running.extend(thread.spawn_scoped(scope, learn).map(|thread| (thread, shape)));
            }
            let facts = self.facts(program, item.module, item.item.name.name.text());
            for (thread, shape) in running {
                // One that failed is looked at again when it is asked for.
                if let Ok(Some(formula)) = thread.join() {
                    self.lenses.add(formula, shape);
                }
            }
            facts
        })
    }

    /// How a result of a scenario came about, in Markdown.
    pub fn derivation(
        &mut self,
        program: &Program,
        module: ModuleId,
        scenario: &str,
        path: &str,
    ) -> Arc<str> {
        let name = Name::new(scenario);
        let _ = self.looked_up(program, module, name);
        let Some(kept) = self.kept.get_mut(&name) else { return "".into() };
        let make = || {
            let path = format!("{scenario}.{path}");
            let found = explain(program, module, &path, Some(1));
            found.map_or_else(|_| "".into(), |d| derivation(scenario, &d).into())
        };
        kept.derivations.entry(path.to_owned()).or_insert_with(make).clone()
    }

    /// Evaluates a scenario without being asked.
    pub fn again(&mut self, program: &Program, module: ModuleId, name: Name) {
        let _ = self.looked_up(program, module, name);
    }

    fn looked_up(&mut self, program: &Program, module: ModuleId, name: Name) -> Option<Arc<Facts>> {
        if self.now.is_none() {
            self.renew(program, module);
        }
        let now = self.now.as_ref()?;
        let Some(key) = now.key(program, module, name) else {
            self.kept.remove(&name);
            return None;
        };
        let old = self.kept.remove(&name);
        let asked = old.as_ref().map_or(0, |k| k.asked);
        let held = old
            .filter(|kept| kept.key == wanted(kept.facts.as_deref(), key))
            .and_then(|kept| now.moved(program, kept));
        let kept = held.unwrap_or_else(|| {
            let lenses = &mut self.lenses;
            let facts = facts_and(program, module, name.text(), |evaluation, item| {
                let mut shapes = Shapes::across(&now.prints, &now.context);
                if let Some(shape) = shape_of(program, &mut shapes, item) {
                    lenses.learn(evaluation, &shape);
                }
            });
            let facts = facts.map(Arc::new);
            let key = wanted(facts.as_deref(), key);
            let own = scenario(program, module, name.text()).map(|i| i.name_place());
            let anchors = facts.as_ref().map_or_else(Vec::new, |f| now.anchors(program, f, own));
            Kept { key, facts, anchors, derivations: FxHashMap::default(), asked }
        });
        let facts = kept.facts.clone();
        self.kept.insert(name, kept);
        facts
    }

    /// Whether a scenario was evaluated already, as it is now.
    #[must_use]
    pub fn is_known(&self, program: &Program, module: ModuleId, name: Name) -> bool {
        let key = self.now.as_ref().and_then(|now| now.key(program, module, name));
        let kept = self.kept.get(&name);
        kept.zip(key).is_some_and(|(kept, key)| kept.key == wanted(kept.facts.as_deref(), key))
    }

    /// A scenario that was asked for in an earlier version and that has to be evaluated again; the
    /// one that was asked for last comes first.
    #[must_use]
    pub fn outdated(&self, program: &Program, module: ModuleId) -> Option<Name> {
        let now = self.now.as_ref()?;
        let old = self.kept.iter().filter(|(name, kept)| {
            let key = now.key(program, module, **name);
            key.is_some_and(|key| kept.key != wanted(kept.facts.as_deref(), key))
        });
        old.max_by_key(|(_, kept)| kept.asked).map(|(name, _)| *name)
    }

    /// The scenarios and measurements that what stands at a byte matters to.
    #[must_use]
    pub fn using(&self, view: &View<'_>, byte: u32) -> Vec<Name> {
        let prints = self.now.as_ref().map(|now| &*now.prints);
        prints.map_or_else(Vec::new, |prints| scenarios_using(view, prints, byte))
    }
}

impl Now {
    fn key(&self, program: &Program, module: ModuleId, name: Name) -> Option<Key> {
        let cut = program.module(module).cut();
        let piece = *cut.names.get(&name)?;
        let kind = cut.pieces.get(piece)?.piece.kind?;
        Some(self.prints.key(module, piece, kind, &self.context))
    }

    fn stands(&self, program: &Program) -> &FxHashMap<usize, Stand> {
        self.stands.get_or_init(|| {
            let mut stands = FxHashMap::default();
            for (_, module) in program.modules().filter(|(_, m)| m.std_path.is_none()) {
                // Both go up: no search for each piece.
                let lines = program.sources.file(module.file).line_starts();
                let mut line = 0;
                for part in &module.cut().pieces {
                    let start = part.piece.start;
                    while lines.get(line + 1).is_some_and(|next| *next <= start) {
                        line += 1;
                    }
                    let stand = Stand { file: module.file, start, line: line as u32 };
                    stands.insert(address(&part.content), stand);
                }
            }
            stands
        })
    }

    /// The pieces of the user's files that facts speak of.
    fn anchors(&self, program: &Program, facts: &Facts, own: Option<Place>) -> Vec<Anchor> {
        let mut places: Vec<Place> = own.into_iter().collect();
        let mut copy = facts.clone();
        each_place(&mut copy, &mut |place| places.push(*place));
        let mut anchors: Vec<Anchor> = Vec::new();
        places.sort_unstable();
        for place in places {
            let file = program.sources.file(place.file);
            let covers = |a: &Anchor| {
                a.stand.file == place.file
                    && a.stand.start <= place.span.start
                    && place.span.start < a.end
            };
            if file.origin != Origin::User || anchors.last().is_some_and(covers) {
                continue;
            }
            let module = program.modules().find(|(_, m)| m.file == place.file);
            let Some((_, module)) = module else { continue };
            let cut = module.cut();
            let part = cut.piece_at(place.span.start).and_then(|i| cut.pieces.get(i));
            let Some(part) = part else { continue };
            let Some(stand) = self.stands(program).get(&address(&part.content)) else { continue };
            anchors.push(Anchor {
                content: part.content.clone(),
                stand: *stand,
                end: part.piece.end.max(part.piece.start + 1),
                last_line: file.line_index(part.piece.end.saturating_sub(1)) as u32,
                file: file.name.to_string(),
            });
        }
        anchors
    }

    /// Facts where their pieces stand now; `None` where one is gone.
    fn moved(&self, program: &Program, mut kept: Kept) -> Option<Kept> {
        let stands = self.stands(program);
        let now: Option<Vec<Stand>> =
            kept.anchors.iter().map(|a| stands.get(&address(&a.content)).copied()).collect();
        let now = now?;
        if kept.anchors.iter().zip(&now).all(|(anchor, now)| anchor.stand == *now) {
            return Some(kept);
        }
        let moved = kept.facts.as_deref().map(|facts| {
            let mut facts = facts.clone();
            each_place(&mut facts, &mut |place| move_place(&kept.anchors, &now, place));
            each_spot(&mut facts, &mut |spot| move_spot(&kept.anchors, &now, spot));
            Arc::new(facts)
        });
        for (anchor, now) in kept.anchors.iter_mut().zip(now) {
            anchor.end = anchor.end - anchor.stand.start + now.start;
            anchor.last_line = anchor.last_line - anchor.stand.line + now.line;
            anchor.stand = now;
        }
        kept.facts = moved;
        Some(kept)
    }
}

fn move_place(anchors: &[Anchor], now: &[Stand], place: &mut Place) {
    let inside = |a: &Anchor| {
        let stand = a.stand;
        stand.file == place.file && stand.start <= place.span.start && place.span.start < a.end
    };
    let Some((anchor, now)) = anchors.iter().zip(now).find(|(a, _)| inside(a)) else { return };
    let shift = |byte: u32| (byte + now.start).saturating_sub(anchor.stand.start);
    place.file = now.file;
    place.span = Span::new(shift(place.span.start), shift(place.span.end));
}

fn move_spot(anchors: &[Anchor], now: &[Stand], spot: &mut Spot) {
    // Lines of spots count from 1.
    let inside = |a: &Anchor| {
        a.file == spot.file && a.stand.line < spot.line && spot.line <= a.last_line + 1
    };
    let Some((anchor, now)) = anchors.iter().zip(now).find(|(a, _)| inside(a)) else { return };
    spot.line = (spot.line + now.line).saturating_sub(anchor.stand.line);
}

/// Every place in facts, to be changed.
fn each_place(facts: &mut Facts, change: &mut dyn FnMut(&mut Place)) {
    let keyed = |place: &Place, change: &mut dyn FnMut(&mut Place)| {
        let mut place = *place;
        change(&mut place);
        place
    };
    let values = std::mem::take(&mut facts.values).into_iter();
    facts.values = values.map(|(place, value)| (keyed(&place, change), value)).collect();
    let tensors = std::mem::take(&mut facts.tensors).into_iter();
    facts.tensors = tensors.map(|(place, tensor)| (keyed(&place, change), tensor)).collect();
    for collective in &mut facts.collectives {
        change(&mut collective.model);
        change(&mut collective.plan);
    }
    facts.expectations.iter_mut().for_each(|e| change(&mut e.place));
    for place in facts.findings.iter_mut().flat_map(crate::diagnostic::Diagnostic::places_mut) {
        change(place);
    }
}

/// Every line in the report of facts, to be changed.
fn each_spot(facts: &mut Facts, change: &mut dyn FnMut(&mut Spot)) {
    for scenario in &mut facts.whole.scenarios {
        for collective in &mut scenario.collectives {
            change(&mut collective.model);
            change(&mut collective.plan);
        }
        scenario.expectations.iter_mut().for_each(|e| change(&mut e.at));
        scenario.measurements.iter_mut().for_each(|m| change(&mut m.at));
    }
}
