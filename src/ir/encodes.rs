//! Models that generate nothing: they read a text, or look at a picture, once.
//!
//! In: a model. Out: why no token can follow what it makes, as far as its dataflow says.

use super::model::{Axis, AxisId, AxisSize, Model, OpInstance, Tensor, TensorId};
use crate::name::Name;
use crate::source::Place;

/// Why a model generates nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Encodes {
    /// In words that go on from "it generates nothing: ".
    pub why: String,
    /// What in the model says so.
    pub place: Place,
    /// Whether it reads a text: pictures alone are no tokens.
    pub reads: bool,
}

impl Model {
    /// Why a model generates nothing; `None` if tokens follow each other.
    ///
    /// A next token needs what was there before: positions that look at each other without any of
    /// them being kept all have to be there at once. And it needs an output that is not a score or
    /// an embedding of the whole text.
    #[must_use]
    pub fn encodes(&self) -> Option<Encodes> {
        self.without_text().or_else(|| self.without_memory()).or_else(|| self.concluded())
    }

    /// No text goes through it.
    fn without_text(&self) -> Option<Encodes> {
        let text = self.phase_axes(&["seq", "batch"]);
        let mut axes = self.tensors.iter().flat_map(|(_, t)| &t.axes);
        if axes.any(|axis| text.contains(axis)) {
            return None;
        }
        let place = self.outputs.first().map(|output| self.tensors[*output].place)?;
        Some(Encodes { why: "no text goes through it".to_owned(), place, reads: false })
    }

    /// Positions look at others that nothing keeps.
    fn without_memory(&self) -> Option<Encodes> {
        let positions = self.phase_axes(&["seq"]);
        let of_keys = |(id, axis): (AxisId, &Axis)| {
            let from = axis.renamed_from.filter(|from| positions.contains(from))?;
            let kept = self.stored.iter().any(|(t, _)| self.tensors[*t].axes.contains(&id));
            (!kept).then_some((id, from))
        };
        let keys: Vec<(AxisId, AxisId)> = self.axes.iter().filter_map(of_keys).collect();
        let looks = |t: &Tensor| {
            keys.iter().any(|(keys, from)| t.axes.contains(keys) && t.axes.contains(from))
        };
        let (_, found) = self.tensors.iter().find(|(_, t)| looks(t))?;
        let layer = found.scope.path.last().map_or("it".to_owned(), |name| format!("`{name}`"));
        let why = format!("{layer} looks at all of a text at once, and keeps nothing of it");
        Some(Encodes { why, place: found.place, reads: true })
    }

    /// All that it puts out is said of a whole text.
    fn concluded(&self) -> Option<Encodes> {
        let last: Vec<&OpInstance> =
            self.ops.iter().map(|(_, op)| op).filter(|op| op.concludes).collect();
        let place = last.first()?.place;
        let axes = last.iter().flat_map(|op| &self.tensors[op.result].axes);
        let ends: Vec<AxisId> =
            axes.copied().filter(|a| self.axes[*a].renamed_from.is_some()).collect();
        let said = |t: &TensorId| self.tensors[*t].axes.iter().any(|a| ends.contains(a));
        let why = "it ends in a score or an embedding of the whole text".to_owned();
        self.outputs.iter().all(said).then_some(Encodes { why, place, reads: true })
    }

    fn phase_axes(&self, names: &[&str]) -> Vec<AxisId> {
        let names: Vec<Name> = names.iter().map(|name| Name::new(name)).collect();
        let is_one = |axis: &Axis| match axis.size {
            AxisSize::Phase(name) => names.contains(&name),
            _ => false,
        };
        self.axes.iter().filter(|(_, axis)| is_one(axis)).map(|(id, _)| id).collect()
    }
}
