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
    wide: Vec<String>,
    copies: Vec<String>,
    buffer: Vec<Buffer>,
    part: Vec<PartRule>,
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

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PartRule {
    names: Vec<String>,
    holds: Holds,
    #[serde(default)]
    inputs_first: bool,
    #[serde(default)]
    flat: bool,
}

/// A part of a weight that is stored in several tensors.
#[derive(Debug)]
pub(super) struct Part {
    /// What stands in the place of `weight` in its name.
    pub suffix: String,
    /// What it is.
    pub holds: Holds,
    /// Whether packed elements, and their scales, lie with the inputs of the matrix first.
    pub inputs_first: bool,
    /// Whether it goes through the elements in one row.
    pub flat: bool,
}

/// What a part of a weight holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Holds {
    /// Its elements, packed.
    Elements,
    /// What elements are multiplied with.
    Scale,
    /// What is taken from elements, or added.
    Zero,
    /// Scales of the scales.
    Super,
    /// A number for the whole weight.
    One,
    /// A number for each input of the matrix.
    Inputs,
    /// A number for each output.
    Outputs,
    /// The shape.
    Dimensions,
    /// Something whose size the format does not say.
    Any,
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

    /// Whether checkpoints keep a weight of this name in fp32 whatever the others have.
    pub fn is_wide(&self, name: &str) -> bool {
        self.wide.iter().any(|end| ends_in(name, end))
    }

    /// Whether a tensor of this name is a copy of the embedding table or the output layer.
    pub fn is_copy(&self, name: &str) -> bool {
        self.copies.iter().any(|end| ends_in(name, end))
    }

    /// The names that the weight may have of which `name` is a part, and which part that is.
    pub fn whole(&self, name: &str) -> Vec<(String, &'static Part)> {
        let mut found: Vec<(String, &'static Part)> = Vec::new();
        let mut add = |stem: String, part| {
            if found.iter().all(|(s, _)| *s != stem) {
                found.push((stem, part));
            }
        };
        for part in parts() {
            let Some(before) = without(name, &part.suffix) else { continue };
            if let Some(stem) = before.strip_suffix('.') {
                add(format!("{stem}.weight"), part);
                add(stem.to_owned(), part);
            } else if let Some(stem) = before.strip_suffix('_') {
                add(stem.to_owned(), part);
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

/// The parts of the table, longer names first.
fn parts() -> &'static [Part] {
    static PARTS: OnceLock<Vec<Part>> = OnceLock::new();
    PARTS.get_or_init(|| {
        let rules = Names::get().part.iter();
        let mut parts: Vec<Part> = rules
            .flat_map(|rule| {
                rule.names.iter().map(|suffix| Part {
                    suffix: suffix.clone(),
                    holds: rule.holds,
                    inputs_first: rule.inputs_first,
                    flat: rule.flat,
                })
            })
            .collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.suffix.len()));
        parts
    })
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
