//! Limits that no honest file meets, so that every file gets an answer in time.
//!
//! In: how deep and how much is being computed. Out: a finding instead of an overflow or a hang.

use super::program::ItemRef;
use super::value::Value;
use super::{Checker, codes};
use crate::diagnostic::Diagnostic;
use crate::name::Name;
use crate::source::Place;

/// How deep values may depend on values.
const MAX_DEPTH: usize = 20_000;
/// How many functions one expression may call, all together.
const MAX_CALLS: usize = 20_000;
/// How often a function may be inside of itself.
const MAX_RECURSION: usize = 64;
/// How many ops a model may have, and how many blocks.
const MAX_OPS: usize = 20_000;
/// Stack that must be left, and how much is added when it is not.
const RED_ZONE: usize = 256 * 1024;
const SEGMENT: usize = 4 * 1024 * 1024;

/// What was used up so far.
#[derive(Default)]
pub(super) struct Limits {
    depth: usize,
    calls: usize,
    /// Set where a limit was met, until the outermost expression ends.
    spent: bool,
    /// Functions being called, outermost first.
    functions: Vec<(usize, Name)>,
    /// Whether a function is checked by itself: what it calls is taken at its word.
    pub(super) alone: bool,
    /// Functions that were reported to call themselves, and blocks that were too large.
    pub(super) reported: rustc_hash::FxHashSet<usize>,
}

/// Runs `f`, on more stack where little is left.
pub(super) fn on_stack<T>(f: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, SEGMENT, f)
}

/// An item as a key.
pub(super) fn key(item: ItemRef<'_>) -> usize {
    std::ptr::from_ref(item.item) as usize
}

impl<'p> Checker<'p> {
    /// Evaluates one level deeper, as long as that is bearable.
    pub(super) fn deeper(
        &mut self,
        place: Place,
        f: impl FnOnce(&mut Self) -> Value<'p>,
    ) -> Value<'p> {
        if self.limits.spent {
            return Value::Error;
        }
        if self.limits.depth >= MAX_DEPTH {
            self.limits.spent = true;
            self.report(
                Diagnostic::new(
                    codes::TOO_NESTED,
                    format!("values depend on each other more than {MAX_DEPTH} deep"),
                    place,
                    "not followed any further",
                )
                .note("declare what others need before them"),
            );
            return Value::Error;
        }
        self.limits.depth += 1;
        let value = on_stack(|| f(self));
        self.limits.depth -= 1;
        if self.limits.depth == 0 {
            self.limits.calls = 0;
            self.limits.spent = false;
        }
        value
    }

    /// Runs the body of a function. It may call itself as long as its conditions are decided
    /// without numbers: both arms of any other `if` are formulas.
    pub(super) fn calling(
        &mut self,
        item: ItemRef<'p>,
        f: impl FnOnce(&mut Self) -> Value<'p>,
    ) -> Value<'p> {
        let key = key(item);
        if self.limits.reported.contains(&key) {
            return Value::Error;
        }
        let inside = self.limits.functions.iter().filter(|(k, _)| *k == key).count();
        if inside > MAX_RECURSION {
            self.limits.spent = true;
            self.report_recursion(item);
            return Value::Error;
        }
        self.limits.calls += 1;
        if self.limits.calls > MAX_CALLS {
            self.limits.spent = true;
            let outermost = self.limits.functions.first().copied();
            let (key, name) = outermost.unwrap_or((key, item.item.name.name));
            if self.limits.reported.insert(key) {
                let place = self.led_here.last().copied().unwrap_or(item.name_place());
                self.report(
                    Diagnostic::new(
                        codes::TOO_NESTED,
                        format!("`{name}` needs more than {MAX_CALLS} calls of functions"),
                        place,
                        "given up here",
                    )
                    .note("each function calls others more than once; name what they share"),
                );
            }
            return Value::Error;
        }
        self.limits.functions.push((key, item.item.name.name));
        let value = f(self);
        self.limits.functions.pop();
        value
    }

    fn report_recursion(&mut self, item: ItemRef<'p>) {
        let key = key(item);
        let last = self.limits.functions.iter().rposition(|(k, _)| *k == key).unwrap_or(0);
        let circle = self.limits.functions.get(last..).unwrap_or_default().to_vec();
        let known = circle.iter().any(|(key, _)| self.limits.reported.contains(key));
        self.limits.reported.extend(circle.iter().map(|(key, _)| *key));
        if known {
            return;
        }
        let name = item.item.name.name;
        let mut path: Vec<&str> = circle.iter().map(|(_, name)| name.text()).collect();
        path.push(name.text());
        let mut diagnostic = Diagnostic::new(
            codes::CYCLE,
            format!("function `{name}` calls itself without end"),
            item.name_place(),
            "this function",
        );
        if let Some(call) = self.led_here.last() {
            diagnostic = diagnostic.and(*call, "called here, inside of itself");
        }
        self.report(
            diagnostic
                .note(path.join(" -> "))
                .note("both arms of an `if` over numbers are formulas: neither ends the calls"),
        );
    }

    /// Whether a model has become too large to be built; said once of each block.
    pub(super) fn too_large(&mut self, item: ItemRef<'p>, place: Place) -> bool {
        if self.limits.reported.contains(&key(item)) {
            return true;
        }
        self.builder.instances += 1;
        if self.builder.built.model.ops.len().max(self.builder.instances) <= MAX_OPS {
            return false;
        }
        // Said once of all blocks that lead here.
        let keys: Vec<usize> = self.builder.blocks.iter().map(|b| key(*b)).collect();
        let known = keys.iter().any(|key| self.limits.reported.contains(key));
        self.limits.reported.extend(keys);
        if let Some(outermost) = self.builder.blocks.first().copied()
            && !known
        {
            self.report(
                Diagnostic::new(
                    codes::TOO_NESTED,
                    format!(
                        "`{}` has more than {MAX_OPS} ops and blocks",
                        outermost.item.name.name
                    ),
                    outermost.name_place(),
                    "too large to be built",
                )
                .and(place, "given up here")
                .note("write layers that are the same once, inside of a `repeat`"),
            );
        }
        true
    }
}
