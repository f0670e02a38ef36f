//! How checkpoints name things: the table `names.toml`, read once.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The table.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    /// What names may start with, or lack.
    pub prefixes: Vec<String>,
    /// Output layers.
    pub heads: Vec<String>,
    buffer: Vec<Buffer>,
    parts: Parts,
    /// Weights that some checkpoints store otherwise.
    pub other: Vec<Other>,
    formats: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Buffer {
    names: Vec<String>,
    #[serde(default)]
    dimensions: Vec<usize>,
    what: String,
}

/// Names that stand for others: those of the spec, and those of a checkpoint.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Other {
    pub spec: Vec<String>,
    pub stored: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    elements: Vec<String>,
    others: Vec<String>,
}

/// What a tensor is of a weight that is stored in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Its elements, packed.
    Elements,
    /// Scales, zeros and the like.
    Other,
}

impl Names {
    pub fn get() -> &'static Self {
        static NAMES: OnceLock<Names> = OnceLock::new();
        NAMES.get_or_init(|| {
            let read: Result<Self, _> = toml::from_str(include_str!("names.toml"));
            debug_assert!(read.is_ok(), "names.toml: {:?}", read.as_ref().err());
            read.unwrap_or_default()
        })
    }

    /// What a tensor is that a framework computes, if it is one.
    pub fn buffer(&self, name: &str, dimensions: Option<usize>) -> Option<&str> {
        let is = |b: &&Buffer| {
            let fits =
                b.dimensions.is_empty() || dimensions.is_none_or(|d| b.dimensions.contains(&d));
            fits && b.names.iter().any(|end| ends_in(name, end))
        };
        self.buffer.iter().find(is).map(|b| b.what.as_str())
    }

    /// The names that the weight may have of which `name` is a part, and which part that is.
    pub fn whole(&self, name: &str) -> Vec<(String, Part)> {
        let mut found = Vec::new();
        let groups = [(&self.parts.elements, Part::Elements), (&self.parts.others, Part::Other)];
        for (parts, part) in groups {
            for end in parts {
                let Some(before) = without(name, end) else { continue };
                if let Some(stem) = before.strip_suffix('.') {
                    found.push((format!("{stem}.weight"), part));
                    found.push((stem.to_owned(), part));
                } else if let Some(stem) = before.strip_suffix('_') {
                    found.push((stem.to_owned(), part));
                }
            }
        }
        found
    }

    /// The formats of safetensors that hold elements of this one as they are; none where several
    /// are packed into a whole number.
    pub fn formats(&self, dtype: &str) -> Option<&[String]> {
        self.formats.get(dtype).map(Vec::as_slice)
    }
}

/// Whether `name` is `end`, or ends with it as a part of its own.
fn ends_in(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// What stands before `end`, which may close with `*`: anything without another dot.
fn without<'n>(name: &'n str, end: &str) -> Option<&'n str> {
    match end.strip_suffix('*') {
        None => name.strip_suffix(end),
        Some(start) => {
            let at = name.rfind(start)?;
            let rest = name.get(at + start.len()..)?;
            (!rest.contains('.')).then(|| name.get(..at))?
        }
    }
}
