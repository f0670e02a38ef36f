//! Columns of Python as slices, without a copy.
//!
//! In: objects with the buffer protocol (NumPy arrays). Out: slices that live as long as the buffer
//! is held. The only unsafe code of the crate.

#![allow(unsafe_code)]

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A column that is only read.
pub struct Column<T: Element>(PyBuffer<T>);

/// A column that is written.
pub struct Target<T: Element>(PyBuffer<T>);

fn held<T: Element>(object: &Bound<'_, PyAny>) -> PyResult<PyBuffer<T>> {
    let buffer = PyBuffer::<T>::get(object)?;
    if buffer.dimensions() != 1 || !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("a column is one row of numbers without gaps"));
    }
    Ok(buffer)
}

impl<T: Element> Column<T> {
    /// Holds on to a column.
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        held(object).map(Self)
    }

    /// The numbers.
    pub fn slice(&self) -> &[T] {
        if self.0.item_count() == 0 {
            return &[];
        }
        // SAFETY: the buffer is held, contiguous, aligned and of this type (`held`). Whoever writes
        // into an array while it is evaluated in another thread gets what NumPy gives: any of
        // both values, as every pattern of bits is a number.
        unsafe { std::slice::from_raw_parts(self.0.buf_ptr().cast(), self.0.item_count()) }
    }
}

impl<T: Element> Target<T> {
    /// Holds on to a column that nobody else has yet.
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let buffer = held(object)?;
        if buffer.readonly() {
            return Err(PyValueError::new_err("results need a column that can be written"));
        }
        Ok(Self(buffer))
    }

    /// The numbers.
    pub fn slice(&mut self) -> &mut [T] {
        if self.0.item_count() == 0 {
            return &mut [];
        }
        // SAFETY: as above; the array was made for these results and is not handed out before.
        unsafe { std::slice::from_raw_parts_mut(self.0.buf_ptr().cast(), self.0.item_count()) }
    }
}
