//! Headers of safetensors files.
//!
//! In: a file, of which only the first bytes are read: eight for a length, then so many of JSON.
//! Out: name, format, shape and bytes of every tensor, or what is wrong with the file. Nothing in
//! a header is believed: lengths are compared with the file, offsets with each other, and shapes
//! with offsets.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::diagnostic::{Code, codes};

/// The longest header that is read, as in the format's own library: 100 MB.
const LONGEST: u64 = 100_000_000;

/// One tensor as a header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// How its elements are stored: `BF16`.
    pub dtype: &'static str,
    /// Bits of one element.
    pub bits: u64,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// The bytes that it takes in the file.
    pub bytes: u64,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The code of the finding.
    pub code: Code,
    /// What is so, after the name of the file: "says that its header has …".
    pub what: String,
    /// What it means, or what to do.
    pub note: String,
}

impl Broken {
    pub(super) fn new(code: Code, what: impl Into<String>, note: impl Into<String>) -> Self {
        Self { code, what: what.into(), note: note.into() }
    }
}

/// The formats of the standard with the bits of an element.
const DTYPES: [(&str, u64); 22] = [
    ("BOOL", 8),
    ("F4", 4),
    ("F6_E2M3", 6),
    ("F6_E3M2", 6),
    ("U8", 8),
    ("I8", 8),
    ("F8_E5M2", 8),
    ("F8_E4M3", 8),
    ("F8_E8M0", 8),
    ("F8_E4M3FNUZ", 8),
    ("F8_E5M2FNUZ", 8),
    ("I16", 16),
    ("U16", 16),
    ("F16", 16),
    ("BF16", 16),
    ("I32", 32),
    ("U32", 32),
    ("F32", 32),
    ("C64", 64),
    ("F64", 64),
    ("I64", 64),
    ("U64", 64),
];

/// A failed read of a file, or what is wrong with it.
#[derive(Debug)]
pub enum Failure {
    /// It cannot be read.
    Io(io::Error),
    /// It is not what it should be.
    Broken(Broken),
}

/// The tensors of the file at `path`, in the order of their bytes. Its data is never read.
///
/// # Errors
/// That it cannot be read, or is not what a file of safetensors should be.
pub fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let (mut file, length) = open(path)?;
    let start = match length {
        0..8 => Vec::new(),
        _ => first(&mut file, 8)?,
    };
    let header = header_length(&start, length).map_err(Failure::Broken)?;
    let json = first(&mut file, header)?;
    parse(&json, length - 8 - header).map_err(Failure::Broken)
}

/// A regular file and its length; pipes and devices might never end.
pub(super) fn open(path: &Path) -> Result<(File, u64), Failure> {
    let about = std::fs::metadata(path).map_err(Failure::Io)?;
    if !about.is_file() {
        return Err(Failure::Io(io::Error::other("it is not a file")));
    }
    Ok((File::open(path).map_err(Failure::Io)?, about.len()))
}

/// The next `count` bytes.
fn first(file: &mut File, count: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes).map_err(Failure::Io)?;
    if bytes.len() as u64 == count {
        return Ok(bytes);
    }
    Err(Failure::Io(io::Error::from(io::ErrorKind::UnexpectedEof)))
}

/// How long the header is, from the first eight bytes of a file of `length` bytes.
fn header_length(start: &[u8], length: u64) -> Result<u64, Broken> {
    let code = codes::NOT_SAFETENSORS;
    let Some(start) = start.first_chunk::<8>() else {
        let what =
            format!("has {length} bytes, fewer than the eight that a safetensors file needs");
        return Err(Broken::new(code, what, "it was cut off, or it is a file of another kind"));
    };
    let header = u64::from_le_bytes(*start);
    let rest = length - 8;
    if header > rest {
        let what = format!("says that its header has {header} bytes, and only {rest} follow");
        let note = if start.first() == Some(&b'{') {
            "it starts like JSON: an index, or a header without its length"
        } else {
            "it was cut off, or it is a file of another kind"
        };
        return Err(Broken::new(code, what, note));
    }
    if header > LONGEST {
        let what = format!("says that its header has {header} bytes");
        return Err(Broken::new(code, what, "headers of more than 100 MB are not read"));
    }
    Ok(header)
}

/// Reads a header that is followed by `data` bytes.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(json: &[u8], data: u64) -> Result<Vec<Entry>, Broken> {
    if json.first() != Some(&b'{') {
        let what = "has a header that does not start with `{`";
        return Err(Broken::new(codes::BAD_HEADER, what, "it is a file of another kind"));
    }
    let raw: RawHeader = serde_json::from_slice(json).map_err(|error| not_json(&error))?;
    let mut names = HashSet::new();
    let mut found = Vec::with_capacity(raw.0.len());
    for (name, entry) in raw.0 {
        if !names.insert(name.clone()) {
            let what = format!("names the tensor `{}` twice", plain(&name));
            let note = "which of the two is meant cannot be told";
            return Err(Broken::new(codes::TENSOR_TWICE, what, note));
        }
        let [begin, end] = entry.data_offsets;
        found.push((begin, end, checked(name, &entry, data)?));
    }
    found.sort_by_key(|(begin, end, _)| (*begin, *end));
    let mut position = 0;
    for (begin, end, entry) in &found {
        if *begin != position {
            return Err(misplaced(&entry.name, *begin, position));
        }
        position = *end;
    }
    if position != data {
        let what = format!("has {data} bytes of data, of which tensors take {position}");
        let note =
            "the standard leaves no bytes over; the header and the data do not belong together";
        return Err(Broken::new(codes::BAD_OFFSETS, what, note));
    }
    Ok(found.into_iter().map(|(_, _, entry)| entry).collect())
}

fn checked(name: String, raw: &RawEntry, data: u64) -> Result<Entry, Broken> {
    let shown = plain(&name);
    let Some(&(dtype, bits)) = DTYPES.iter().find(|(d, _)| *d == raw.dtype) else {
        let what = format!("stores `{shown}` as `{}`", plain(&raw.dtype));
        let note = "the standard has no such format, so the bytes of the tensor cannot be checked";
        return Err(Broken::new(codes::BAD_SIZE, what, note));
    };
    let [begin, end] = raw.data_offsets;
    if begin > end {
        let what = format!("lets `{shown}` end at byte {end}, before it begins at {begin}");
        return Err(Broken::new(codes::BAD_OFFSETS, what, "offsets are [begin, end]"));
    }
    if end > data {
        let what = format!("lets `{shown}` end at byte {end} of its data, which has {data}");
        return Err(Broken::new(
            codes::BAD_OFFSETS,
            what,
            "the file was cut off; download it again",
        ));
    }
    let elements = raw.shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d));
    let wanted = elements.and_then(|n| n.checked_mul(bits));
    let bytes = end - begin;
    if wanted != bytes.checked_mul(8) {
        let shape = shown_shape(&raw.shape);
        let needs = match wanted {
            Some(bits) if bits % 8 == 0 => format!("needs {} bytes", bits / 8),
            Some(bits) => format!("needs {bits} bits"),
            None => "has more elements than can be counted".to_owned(),
        };
        let what =
            format!("gives `{shown}` {bytes} bytes, and a {dtype} tensor of shape {shape} {needs}");
        return Err(Broken::new(codes::BAD_SIZE, what, "the header contradicts itself"));
    }
    Ok(Entry { name, dtype, bits, shape: raw.shape.clone(), bytes })
}

fn misplaced(name: &str, begin: u64, position: u64) -> Broken {
    let name = plain(name);
    let (what, note) = if begin < position {
        let what = format!("lets `{name}` begin at byte {begin}, inside of another tensor");
        (what, format!("the tensor before it ends at byte {position}"))
    } else {
        let what = format!("has bytes before `{name}` that belong to no tensor");
        (what, format!("they are bytes {position} to {begin} of the data"))
    };
    Broken::new(codes::BAD_OFFSETS, what, note)
}

fn not_json(error: &serde_json::Error) -> Broken {
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let what = format!("has a header that cannot be read: {}", plain(said));
    let note = format!("found at byte {} of the header", error.column());
    Broken::new(codes::BAD_HEADER, what, note)
}

/// A text from a file as it may be shown: on one line, of a length to read.
pub(super) fn plain(text: &str) -> String {
    let mut shown: String = text.chars().take(160).flat_map(safe).collect();
    if text.chars().nth(160).is_some() {
        shown.push('…');
    }
    shown
}

fn safe(c: char) -> Vec<char> {
    let hidden =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || hidden { c.escape_unicode().collect() } else { vec![c] }
}

/// `[4096, 14336]`.
pub(super) fn shown_shape(shape: &[u64]) -> String {
    let shown: Vec<String> = shape.iter().take(12).map(u64::to_string).collect();
    let more = if shape.len() > 12 { ", …" } else { "" };
    format!("[{}{more}]", shown.join(", "))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The entries of a header in their order, duplicates included.
struct RawHeader(Vec<(String, RawEntry)>);

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = RawHeader;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut entries = Vec::new();
                let mut described = false;
                while let Some(name) = map.next_key::<String>()? {
                    if name != "__metadata__" {
                        entries.push((name, map.next_value()?));
                        continue;
                    }
                    let _: BTreeMap<String, String> = map.next_value()?;
                    if std::mem::replace(&mut described, true) {
                        return Err(A::Error::custom("`__metadata__` stands there twice"));
                    }
                }
                Ok(RawHeader(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
