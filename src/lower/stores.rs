//! Memories beside the devices: what each of them holds, and how many requests that leaves room for.
//!
//! In: a setting whose plan has an `offload`. Out: `memory.MEMORY.…`.

use super::memory::ByStage;
use super::offload::OnStages;
use super::phase::Setting;
use super::results::Results;
use super::training::Cut;
use crate::check::{Checker, Value};
use crate::diagnostic::{Diagnostic, codes};
use crate::expr::{ExprId, Op, Origin};
use crate::ir::{Role, TensorId};
use crate::name::Name;

/// What a memory holds, by part.
pub(super) type Held = Vec<(usize, &'static str, OnStages)>;

/// A state in a memory: all of it, and with the largest of what stands beside the layers.
pub(super) struct InStore {
    pub(super) store: usize,
    pub(super) all: ByStage,
    pub(super) largest: ByStage,
}

/// The figures of a memory, for one device.
pub(super) struct Shelf<'p> {
    pub(super) bandwidth: ExprId,
    pub(super) capacity: ExprId,
    pub(super) sharers: ExprId,
    pub(super) link: Value<'p>,
}

impl<'p> Checker<'p> {
    /// The figures of a memory that a plan uses.
    pub(super) fn shelf(&mut self, setting: &Setting<'_, 'p>, at: usize) -> Option<Shelf<'p>> {
        let store = setting.machine.stores.get(at)?.clone();
        let object = setting.machine.object.clone();
        let mut figure = |field: &str| {
            let path = ["memory", store.name.text(), field];
            if let Some(Value::Num(id)) = self.field_path(&object, &path) {
                return Some(id);
            }
            let title = format!("memory `{}` has no `{field}`", store.name);
            let label = format!("write `{field} = …` into its body");
            self.report(Diagnostic::new(codes::MISSING_FIELD, title, store.place, label));
            None
        };
        let (capacity, bandwidth) = (figure("capacity"), figure("bandwidth"));
        let (capacity, bandwidth) = (capacity?, bandwidth?);
        let place = setting.place;
        let one = self.counted(1.0, "1", place, "a plan without a mesh is one device");
        let devices = setting.plan.devices.unwrap_or(one);
        let sharers = self.graph.binary(Op::Min, devices, store.devices);
        let name = format!("devices on one {}", store.name);
        let origin =
            Origin::inferred(Name::new(&name), place, "of the mesh, at most those that share it");
        let sharers = self.graph.named(sharers, origin);
        Some(Shelf { bandwidth, capacity, sharers, link: Value::Object(store.link) })
    }

    /// A figure of a state in each memory that holds some of it.
    pub(super) fn in_stores(
        &mut self,
        setting: &Setting<'_, 'p>,
        role: Role,
        bytes_of: &mut dyn FnMut(&mut Self, TensorId) -> Option<ExprId>,
    ) -> Vec<InStore> {
        let mut out = Vec::new();
        for store in self.stores_used(setting) {
            let mut largest = ByStage::default();
            let mut all = ByStage::default();
            for (op, sums) in [(Op::Add, &mut all), (Op::Max, &mut largest)] {
                *sums = self.by_stage_with(setting, op, &mut |checker, tensor| {
                    let bytes = bytes_of(checker, tensor)?;
                    let (_, away) = checker.parted(setting, role, tensor, bytes);
                    away.filter(|(at, _)| *at == store).map(|(_, bytes)| bytes)
                });
            }
            if all.first.or(all.layers).or(all.last).is_some() {
                out.push(InStore { store, all, largest });
            }
        }
        out
    }

    /// `memory.MEMORY.…`, and whether all of it fits. Each device of the fullest kind of stage has
    /// as much; those that share a memory have it together.
    pub(super) fn store_results(
        &mut self,
        root: &str,
        setting: &Setting<'_, 'p>,
        held: &Held,
        cut: Option<Cut>,
        results: &mut Results,
    ) -> Option<Option<ExprId>> {
        let place = setting.place;
        let mut fits = None;
        for at in self.stores_used(setting) {
            let parts: Vec<_> = held.iter().filter(|(store, ..)| *store == at).collect();
            let shelf = self.shelf(setting, at)?;
            let store = setting.machine.stores.get(at)?.name;
            let mut totals: Option<OnStages> = None;
            for (_, _, bytes) in &parts {
                totals = Some(match totals {
                    None => *bytes,
                    Some(sum) => self.add_stages(sum, *bytes),
                });
            }
            let Some(totals) = totals else { continue };
            let fullest = cut.map(|_| self.most(totals));
            let mut sum = None;
            let mut put = |checker: &mut Self, part: &str, id: ExprId, rule: &'static str| {
                let path = format!("{root}.{store}.{part}");
                results.put(&mut checker.graph, &path, id, place, rule)
            };
            for (_, part, bytes) in &parts {
                let each = match fullest {
                    Some(fullest) => self.there(fullest, *bytes),
                    None => bytes.first().copied()?,
                };
                let all = self.graph.mul(each, shelf.sharers);
                let rule = "of all devices that share the memory, each with the most";
                let all = put(self, part, all, rule);
                sum = self.plus(sum, Some(all));
            }
            let total = put(self, "total", sum?, "the sum of all parts");
            let left = self.graph.sub(shelf.capacity, total);
            let headroom = self.graph.div(left, shelf.capacity);
            put(self, "headroom", headroom, "what is left of the capacity, as a share of it");
            results.number(format!("{root}.{store}.capacity"), shelf.capacity);
            let own = self.graph.binary(Op::Le, total, shelf.capacity);
            fits = Some(match fits {
                None => own,
                Some(all) => self.graph.binary(Op::And, all, own),
            });
        }
        Some(fits)
    }

    /// A memory outside of the devices limits the batch too.
    pub(super) fn limit_batch(
        &mut self,
        setting: &Setting<'_, 'p>,
        batch: ExprId,
        results: &mut Results,
    ) {
        let number = |results: &Results, path: &str| match results.get(path) {
            Some(super::Leaf::Number(id)) => Some(*id),
            _ => None,
        };
        for at in self.stores_used(setting) {
            let Some(store) = setting.machine.stores.get(at).map(|s| s.name) else { continue };
            let of = |part: &str| number(results, &format!("memory.{store}.{part}"));
            let (Some(cache), Some(total), Some(capacity), Some(most)) =
                (of("cache"), of("total"), of("capacity"), number(results, "largest_batch"))
            else {
                continue;
            };
            let other = self.graph.sub(total, cache);
            let args = [("capacity", capacity), ("other", other), ("cache", cache)];
            let args = args.into_iter().chain([("batch", batch)]);
            let args: Vec<_> = args.map(|(name, id)| (name, Value::Num(id))).collect();
            let Some(own) = self.library_number("batches_beside", &args) else { continue };
            let least = self.graph.binary(Op::Min, most, own);
            let rule = "what fits on the devices, and outside of them";
            results.put(&mut self.graph, "largest_batch", least, setting.place, rule);
        }
    }
}
