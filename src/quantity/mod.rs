//! Dimensions and how quantities are shown. Units themselves are declared in `stdlib/units.mesa`.

pub mod dimension;
pub mod figure;
pub mod format;

pub use dimension::Dimension;
