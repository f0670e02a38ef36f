//! Indexes of checkpoints that lie in several files: `model.safetensors.index.json`.
//!
//! In: the bytes of one. Out: which file each tensor is in, or what is wrong.

use std::collections::HashSet;
use std::fmt;

use indexmap::IndexSet;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::header::{Broken, plain};
use crate::diagnostic::codes;

/// What an index says.
#[derive(Debug, Default)]
pub struct Index {
    /// The files, each once, in the order of their names.
    pub shards: Vec<String>,
    /// Each tensor with the position of its file.
    pub tensors: Vec<(String, usize)>,
    /// The bytes of all tensors, as far as it says.
    pub total_size: Option<u64>,
    /// Whether something follows behind the end of the JSON.
    pub trailing: bool,
}

/// Reads an index.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(json: &[u8]) -> Result<Index, Broken> {
    let broken = |what: String, note: &str| Broken::new(codes::BAD_INDEX, what, note);
    let mut values = serde_json::Deserializer::from_slice(json).into_iter::<RawIndex>();
    let raw = match values.next() {
        Some(Ok(raw)) => raw,
        Some(Err(error)) => {
            let what = format!("cannot be read: {}", plain(&error.to_string()));
            return Err(broken(what, "an index is JSON with a `weight_map`"));
        }
        None => return Err(broken("is empty".into(), "an index is JSON with a `weight_map`")),
    };
    let rest = json.get(values.byte_offset()..).unwrap_or_default();
    let trailing = rest.iter().any(|b| !b.is_ascii_whitespace());
    let mut shards: IndexSet<String> = raw.weight_map.0.iter().map(|(_, s)| s.clone()).collect();
    shards.sort_unstable();
    if let Some(name) = shards.iter().find(|name| !is_file_name(name)) {
        let what = format!("puts tensors into `{}`", plain(name));
        return Err(broken(what, "files of a checkpoint lie beside its index, under plain names"));
    }
    let mut names = HashSet::new();
    let mut tensors = Vec::with_capacity(raw.weight_map.0.len());
    for (name, shard) in raw.weight_map.0 {
        if !names.insert(name.clone()) {
            let what = format!("names the tensor `{}` twice", plain(&name));
            let note = "which of the two is meant cannot be told";
            return Err(Broken::new(codes::TENSOR_TWICE, what, note));
        }
        tensors.push((name, shards.get_index_of(&shard).unwrap_or_default()));
    }
    let size = raw.metadata.as_ref().and_then(|m| m.get("total_size"));
    let total_size = size.and_then(|size| {
        // Some tools write it as a float.
        let float = size.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0);
        size.as_u64().or(float.map(|n| n as u64))
    });
    Ok(Index { shards: shards.into_iter().collect(), tensors, total_size, trailing })
}

fn is_file_name(name: &str) -> bool {
    let plain = !name.is_empty() && name != "." && name != "..";
    plain && !name.contains(['/', '\\', ':', '\0'])
}

#[derive(serde::Deserialize)]
struct RawIndex {
    #[serde(default)]
    metadata: Option<serde_json::Value>,
    weight_map: Map,
}

/// Pairs of names, duplicates included.
struct Map(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Map;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("names of tensors with the files that they are in")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Map, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Map(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}
