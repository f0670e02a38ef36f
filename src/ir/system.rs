//! A machine: levels of links over one kind of chip.

use crate::expr::ExprId;
use crate::name::Name;
use crate::source::Place;

/// One level: so many of the level below, joined by a link.
#[derive(Clone, Debug)]
pub struct Level {
    /// Its name: `node`, `rack`.
    pub name: Name,
    /// How many of the level below.
    pub count: ExprId,
    /// Devices below and including this level.
    pub devices: ExprId,
    /// What joins its parts.
    pub link: Name,
    /// Where it is declared.
    pub place: Place,
}

/// A machine. The chip and the links stay objects of the language; formulas read their fields.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// Its name.
    pub name: Option<Name>,
    /// The name of its chip.
    pub chip: Option<Name>,
    /// Levels, innermost first.
    pub levels: Vec<Level>,
}
