//! What was computed under a runtime: forgotten when another comes into force, and remembered for
//! the next scenario that has the same one.
//!
//! In: the runtime of a scenario. Out: a checker whose constants and results of functions are
//! those under it. Nodes are hash-consed, so what is remembered is what would be computed again.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::Checker;
use super::call::Calls;
use super::object::{Entry, Object};
use super::value::{Env, Value};

/// Constants and results of functions under a runtime.
pub(super) struct Computed<'p> {
    runtime: Rc<Object<'p>>,
    constants: FxHashMap<usize, Value<'p>>,
    calls: Calls<'p>,
    asked: Calls<'p>,
    kept: Vec<Value<'p>>,
}

impl<'p> Checker<'p> {
    /// Forgets assumptions and constants that depend on the runtime, before another scenario.
    pub fn set_runtime(&mut self, runtime: Option<Rc<Object<'p>>>) {
        let number = |value: &Value<'p>| matches!(value, Value::Num(_) | Value::Bool(_));
        let mut constants = FxHashMap::default();
        self.constants.retain(|key, value| {
            let depends = number(value);
            if depends {
                constants.insert(*key, value.clone());
            }
            !depends
        });
        let calls = std::mem::take(&mut self.calls);
        let asked = std::mem::take(&mut self.asked);
        let kept = std::mem::take(&mut self.kept);
        self.groups.clear();
        if let Some(runtime) = self.runtime.take() {
            // What was found on the way would not be found again.
            let sound = self.diagnostics.len() == self.found_before;
            let computed = Computed { runtime, constants, calls, asked, kept };
            self.earlier = sound.then_some(computed);
        }
        self.found_before = self.diagnostics.len();
        if let Some(new) = &runtime
            && let Some(earlier) = self.earlier.take_if(|earlier| same(&earlier.runtime, new))
        {
            self.constants.extend(earlier.constants);
            self.calls = earlier.calls;
            self.asked = earlier.asked;
            self.kept = earlier.kept;
        }
        self.runtime = runtime;
    }
}

/// Whether two runtimes say the same, in the same scopes.
fn same<'p>(a: &Object<'p>, b: &Object<'p>) -> bool {
    let address = |o: &Object<'p>| o.item.map(|i| std::ptr::from_ref(i.item));
    let plain = a.slots.is_empty() && b.slots.is_empty();
    let entry = |a: &Entry<'p>, b: &Entry<'p>| {
        a.path == b.path
            && a.place == b.place
            && a.value.map(std::ptr::from_ref) == b.value.map(std::ptr::from_ref)
            && Env::same(&a.outer, &b.outer)
    };
    plain
        && address(a) == address(b)
        && a.entries.len() == b.entries.len()
        && a.entries.iter().zip(&b.entries).all(|(a, b)| entry(a, b))
}
