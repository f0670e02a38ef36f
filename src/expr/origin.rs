//! Where a node of the expression graph comes from.

use super::index::{mix, pair};
use crate::name::Name;
use crate::source::{Place, Span};

/// An interned [`Origin`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OriginId(pub(super) u32);

/// What kind of statement a node is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OriginKind {
    /// Written by the user in the spec.
    Literal,
    /// The default of a parameter.
    Default,
    /// Given by `with`, `--set` or `--override`.
    Override,
    /// A declared assumption.
    Assumption,
    /// A figure of a chip, link or system, with its source.
    Datasheet,
    /// Read from a model's configuration file.
    Imported,
    /// Found by the compiler: a layout, a size, a count.
    Inferred,
    /// Computed by a formula.
    Formula,
}

impl OriginKind {
    /// The word that reports use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Literal => "spec",
            Self::Default => "default",
            Self::Override => "override",
            Self::Assumption => "assumption",
            Self::Datasheet => "datasheet",
            Self::Imported => "imported",
            Self::Inferred => "inferred",
            Self::Formula => "formula",
        }
    }
}

/// A name, a kind and a place. The formula shown is the source text at the place, unless the
/// compiler made the node itself: then `rule` says how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// What a person calls it: `tp`, `ring_all_reduce`, `chat.memory.weights`.
    pub name: Name,
    /// What kind of statement it is.
    pub kind: OriginKind,
    /// Where it stands.
    pub place: Place,
    /// For nodes made by the compiler: the rule in words or as a formula.
    pub rule: Option<&'static str>,
}

impl Origin {
    /// What the compiler found by a rule, which says in words how.
    #[must_use]
    pub fn inferred(name: Name, place: Place, rule: &'static str) -> Self {
        Self { name, kind: OriginKind::Inferred, place, rule: Some(rule) }
    }
    /// A hash: name and span tell nearly all origins apart.
    pub(super) fn hash(&self) -> u64 {
        let Span { start, end } = self.place.span;
        mix([pair(self.name.number(), self.place.file.0), pair(start, end)])
    }
}
