//! Syntax trees as bytes, so that the library is parsed when Mesa is built and never again.
//!
//! In: the files of the library. Out: one packed text of all of them: the pieces of each file, and
//! the tree of each piece; [`library`] writes it, and [`Reader`] gives back what was written, item
//! by item. A piece with findings has no tree and is parsed like any other text.

pub mod library;
mod tree;

use std::sync::Arc;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::name::Name;
use crate::source::Span;

/// What can be written as bytes and read again.
pub trait Packed: Sized {
    /// Appends the bytes of the value.
    fn write(&self, to: &mut Writer);
    /// The value that was written here; nothing where the bytes are no such value.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// Bytes being written, with the names that they refer to.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    names: Vec<Name>,
    positions: FxHashMap<Name, u64>,
    /// Where the last span started: the next one lies near it.
    last: u32,
}

impl Writer {
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }
    /// Seven bits a byte, the lowest first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte((number as u8) | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }
    fn length(&mut self, length: usize) {
        self.number(length as u64);
    }
}

/// The names of packed trees, each interned when it is first met.
pub struct Names {
    texts: &'static [&'static str],
    known: Vec<OnceLock<Name>>,
}

impl Names {
    /// The names with these texts.
    #[must_use]
    pub fn new(texts: &'static [&'static str]) -> Self {
        Self { texts, known: texts.iter().map(|_| OnceLock::new()).collect() }
    }
    fn get(&self, position: usize) -> Option<Name> {
        let known = self.known.get(position)?;
        let text = self.texts.get(position)?;
        Some(*known.get_or_init(|| Name::of_static(text)))
    }
}

/// Bytes being read.
pub struct Reader<'a> {
    bytes: &'a [u8],
    names: &'a Names,
    last: u32,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[must_use]
    pub fn new(bytes: &'a [u8], names: &'a Names) -> Self {
        Self { bytes, names, last: 0 }
    }
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(byte)
    }
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }
}

impl Packed for bool {
    fn write(&self, to: &mut Writer) {
        to.byte(u8::from(*self));
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(from.byte()? != 0)
    }
}

impl Packed for i8 {
    fn write(&self, to: &mut Writer) {
        to.byte(self.cast_unsigned());
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(from.byte()?.cast_signed())
    }
}

impl Packed for f64 {
    fn write(&self, to: &mut Writer) {
        to.bytes.extend(self.to_bits().to_le_bytes());
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let bytes = from.take(8)?.first_chunk()?;
        Some(Self::from_bits(u64::from_le_bytes(*bytes)))
    }
}

impl Packed for Span {
    fn write(&self, to: &mut Writer) {
        // The sign goes to the lowest bit, so that a small step back is a small number.
        let step = i64::from(self.start) - i64::from(to.last);
        to.number(((step << 1) ^ (step >> 63)).cast_unsigned());
        to.number(u64::from(self.end.saturating_sub(self.start)));
        to.last = self.start;
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let step = from.number()?;
        let step = (step >> 1).cast_signed() ^ -(step & 1).cast_signed();
        let start = u32::try_from(i64::from(from.last).checked_add(step)?).ok()?;
        let end = start.checked_add(u32::try_from(from.number()?).ok()?)?;
        from.last = start;
        Some(Self { start, end })
    }
}

impl Packed for Name {
    fn write(&self, to: &mut Writer) {
        let next = to.names.len() as u64;
        let position = *to.positions.entry(*self).or_insert(next);
        if position == next {
            to.names.push(*self);
        }
        to.number(position);
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let position = from.length()?;
        from.names.get(position)
    }
}

impl Packed for Arc<str> {
    fn write(&self, to: &mut Writer) {
        to.length(self.len());
        to.bytes.extend(self.as_bytes());
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let length = from.length()?;
        Some(std::str::from_utf8(from.take(length)?).ok()?.into())
    }
}

impl<T: Packed> Packed for Box<T> {
    fn write(&self, to: &mut Writer) {
        (**self).write(to);
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        T::read(from).map(Self::new)
    }
}

impl<T: Packed> Packed for Option<T> {
    fn write(&self, to: &mut Writer) {
        self.is_some().write(to);
        if let Some(value) = self {
            value.write(to);
        }
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        if bool::read(from)? { T::read(from).map(Some) } else { Some(None) }
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn write(&self, to: &mut Writer) {
        to.length(self.len());
        for value in self {
            value.write(to);
        }
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let length = from.length()?;
        // Each value takes a byte at least, so that no length asks for more than there can be.
        let mut values = Self::with_capacity(length.min(from.bytes.len()));
        for _ in 0..length {
            values.push(T::read(from)?);
        }
        Some(values)
    }
}

impl<A: Packed, B: Packed> Packed for (A, B) {
    fn write(&self, to: &mut Writer) {
        self.0.write(to);
        self.1.write(to);
    }
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some((A::read(from)?, B::read(from)?))
    }
}
