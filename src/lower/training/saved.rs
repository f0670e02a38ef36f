//! The format in which training keeps activations from the forward pass to the backward pass.
//!
//! In: the laid-out backward pass and the scenario's `saved` rules. Out: a narrower format for a
//! tensor, where a rule states one, or where only products in 8 bits read it: their kernels are
//! given what was narrowed for the forward pass already.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::check::Checker;
use crate::graph::{LaidOp, LaidStep, Version};
use crate::ir::{Dtype, OpId, Role, Step};
use crate::lower::phase::Setting;
use crate::lower::rates::computed_in;
use crate::name::Name;

/// What reads a version in the backward pass: products in one narrow format, or other ops too.
pub(in crate::lower) type Readers = FxHashMap<Version, Option<Rc<Dtype>>>;

impl<'p> Checker<'p> {
    /// The readers of each version in the backward pass.
    pub(in crate::lower) fn readers(&mut self, setting: &Setting<'_, 'p>) -> Readers {
        let mut readers = Readers::default();
        if let (false, Some(forward)) = (setting.compute.is_empty(), setting.laid.forward_steps) {
            let backward = setting.laid.steps.get(forward..).unwrap_or_default();
            self.note_readers(backward, setting, &mut readers);
        }
        readers
    }

    fn note_readers(&mut self, steps: &[LaidStep], setting: &Setting<'_, 'p>, out: &mut Readers) {
        for step in steps {
            match step {
                LaidStep::Op(op) => self.note_reads(op, setting, out),
                LaidStep::Fuse(_, ops) => {
                    ops.iter().for_each(|op| self.note_reads(op, setting, out));
                }
                LaidStep::Convert(c) => {
                    out.insert(Version { tensor: c.tensor, index: c.from }, None);
                }
                LaidStep::Repeat { body, .. } | LaidStep::Some { body, .. } => {
                    self.note_readers(body, setting, out);
                }
                LaidStep::Join { .. } => {}
            }
        }
    }

    fn note_reads(&mut self, op: &LaidOp, setting: &Setting<'_, 'p>, out: &mut Readers) {
        let matrix = self.engine(setting, op.op) == "matrix";
        let format = computed_in(setting, op.op).filter(|_| matrix).map(|(dtype, _)| dtype);
        let format = format.filter(|dtype| dtype.bits <= 8.0);
        for version in &op.reads {
            let seen = out.entry(*version).or_insert_with(|| format.clone());
            let name = |format: &Option<Rc<Dtype>>| format.as_ref().map(|d| d.name);
            if name(seen) != name(&format) {
                *seen = None;
            }
        }
    }

    /// The format in which a version is kept, where it is narrower than its own.
    pub(in crate::lower) fn saved_format(
        setting: &Setting<'_, 'p>,
        readers: &Readers,
        version: Version,
    ) -> Option<Rc<Dtype>> {
        let tensor = &setting.model.tensors[version.tensor];
        if tensor.role != Role::Activations {
            return None;
        }
        let mut own = vec![tensor.name];
        if !setting.saved.scoped.is_empty() {
            own.extend(tensor.producer.and_then(|op| kernel_of(op, &setting.model.steps)));
        }
        let rule = setting.saved.scoped(&tensor.scope, &own).or(setting.saved.general.as_ref());
        let format = rule.or_else(|| readers.get(&version)?.as_ref())?;
        (format.bits < tensor.dtype.bits).then(|| format.clone())
    }
}

/// The name of the kernel that an op is a part of.
pub(in crate::lower) fn kernel_of(op: OpId, steps: &[Step]) -> Option<Name> {
    steps.iter().find_map(|step| match step {
        Step::Fuse(fuse) => fuse.ops.contains(&op).then_some(fuse.name),
        Step::Repeat(repeat) => kernel_of(op, &repeat.body),
        Step::Some { body, .. } => kernel_of(op, body),
        Step::Op(_) | Step::Join { .. } => None,
    })
}
