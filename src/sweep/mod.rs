//! Sweeps: a scenario at many points.
//!
//! In: a program, the name of a sweep in it, and changes that hold at every point. Out: results by
//! the column, and the points that answer the sweep's question.
//!
//! 1. [`Definition`]: what is varied, over which values, and what is asked
//! 2. [`Space`]: the points by number; numbers that vary become columns, everything else is tried
//!    one after the other
//! 3. [`Compiler`]: the scenario lowered at one point becomes a [`Variant`], code that holds at
//!    every point where all that was relied on is the same
//! 4. [`Worker`]: columns in, columns out; asks for another variant where none holds
//! 5. [`run()`]: all points on all cores, into an [`Answer`]
//!
//! At every point the results are those of `mesa eval` with the same settings, bit by bit.

mod answer;
mod auto;
mod code;
mod compile;
mod define;
mod front;
mod plans;
mod run;
mod search;
mod space;
mod thread;
mod variant;
mod worker;

pub use answer::{Answer, Broken, Row, Standing, standing};
pub use auto::{Filled, fill_in};
pub use code::{Code, Points};
pub use compile::{Compiler, Made, Reason, Reasons};
pub use define::{Asked, Axis, Definition, Goal, define, define_item, headline};
pub use front::Front;
pub use plans::{Layout, Layouts, Wanted, layouts};
pub use run::{Options, Part, Progress, Ran, Stop, Writer, run};
pub use search::{Nearest, Planned, Refused, Searched, search};
pub use space::{Outer, Sample, Space};
pub use variant::{Outcome, Output, Variant};
pub use worker::{Block, Variants, Worker};
