//! What the keys of a config mean, by architecture: the table in `families/`, read once.
//!
//! In: nothing but the files of that folder. Out: [`Table`], with each [`Family`] whole.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::family::{Entry, Family, Instead};
use super::json::Node;
use super::values::all_hold;

/// The families, by kind of model. A name stands in one of these files, whichever inherits it.
const FAMILIES: [(&str, &str); 16] = [
    ("dense.toml", include_str!("families/dense.toml")),
    ("dense_norms.toml", include_str!("families/dense_norms.toml")),
    ("gemma.toml", include_str!("families/gemma.toml")),
    ("gpt.toml", include_str!("families/gpt.toml")),
    ("moe.toml", include_str!("families/moe.toml")),
    ("moe_shared.toml", include_str!("families/moe_shared.toml")),
    ("latent.toml", include_str!("families/latent.toml")),
    ("state_space.toml", include_str!("families/state_space.toml")),
    ("linear_attention.toml", include_str!("families/linear_attention.toml")),
    ("encoders.toml", include_str!("families/encoders.toml")),
    ("encoder_decoders.toml", include_str!("families/encoder_decoders.toml")),
    ("audio.toml", include_str!("families/audio.toml")),
    ("vision_qwen.toml", include_str!("families/vision_qwen.toml")),
    ("vision_any_size.toml", include_str!("families/vision_any_size.toml")),
    ("vision_llava.toml", include_str!("families/vision_llava.toml")),
    ("vision_tiles.toml", include_str!("families/vision_tiles.toml")),
];

/// One file of families.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    family: Vec<Family>,
}

/// The whole table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Keys that say nothing about cost, in every family.
    pub ignored: Vec<String>,
    /// How the names of keys end that say which token means something: they cost nothing.
    pub token_ends: Vec<String>,
    /// Keys that, when set, mean layers which the library does not have.
    pub refused: BTreeMap<String, String>,
    /// Keys over which the objects of a config should not differ.
    pub agreeing: Vec<String>,
    /// Activations of configs by the ops of the library.
    pub activations: BTreeMap<String, String>,
    /// `torch_dtype` by the formats of the library.
    pub dtypes: BTreeMap<String, String>,
    /// How the names of architectures end.
    pub heads: Heads,
    /// Rules of parameters of any block, for families that have none of their own.
    #[serde(default)]
    shared: BTreeMap<String, Entry>,
    /// Blocks or weights of the library by the names of modules in checkpoints.
    pub modules: BTreeMap<String, Vec<String>>,
    /// The families as they are written.
    #[serde(skip)]
    family: Vec<Family>,
    /// The families with what they inherit.
    #[serde(skip)]
    whole: Vec<Family>,
}

/// How the names of architectures end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heads {
    /// Those whose output is logits of the next token.
    pub causal: Vec<String>,
    /// Other ends, by the parameter that a block must have to end so.
    pub others: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// The table that is part of the program.
    pub fn get() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| {
            let mut table: Table = read(("common.toml", include_str!("families/common.toml")));
            table.family =
                FAMILIES.into_iter().flat_map(|file| read::<File>(file).family).collect();
            table.whole = table.family.iter().filter_map(|f| table.whole(f)).collect();
            table
        });
        &TABLE
    }

    /// The family with this `model_type`: one around another where `around`, else another.
    #[must_use]
    pub fn family(&self, model_type: &str, around: bool) -> Option<&Family> {
        let is_it = |f: &&Family| f.model_types.iter().any(|t| t == model_type);
        let mut all = self.whole.iter().filter(is_it);
        all.clone().find(|f| f.wraps.is_some() == around).or_else(|| all.next())
    }

    /// The family of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Family> {
        self.whole.iter().find(|f| f.name == name)
    }

    /// A family with what it inherits.
    fn whole(&self, family: &Family) -> Option<Family> {
        let mut family = family.clone();
        // A base must be another family; the bound ends a circle in a broken table.
        for _ in 0..self.family.len() {
            let Some(base) = family.inherits.take() else { break };
            let base = self.family.iter().find(|f| f.name == base)?.clone();
            family.bases.push(base.name.clone());
            family.inherits.clone_from(&base.inherits);
            family = family.over(base);
        }
        Some(family.completed(&self.shared))
    }

    /// The family that reads a config in place of the one that its `model_type` says.
    #[must_use]
    pub fn instead<'t>(&'t self, family: &'t Family, config: &Node) -> &'t Family {
        let holds = |i: &&Instead| all_hold(&i.when, |key| config.at(key).map(|m| &m.value));
        let other = family.instead.iter().find(holds);
        other.and_then(|i| self.named(&i.family)).unwrap_or(family)
    }

    /// Families around others.
    pub fn wrapping(&self) -> impl Iterator<Item = &Family> {
        self.whole.iter().filter(|f| f.wraps.is_some())
    }

    /// Every `model_type` that is known.
    pub fn model_types(&self) -> impl Iterator<Item = &str> {
        self.family.iter().flat_map(|f| &f.model_types).map(String::as_str)
    }
}

/// What stands in a file of the table: its tests see to it that this can be read.
fn read<T: Default + DeserializeOwned>((name, text): (&str, &str)) -> T {
    let read = toml::from_str(text);
    debug_assert!(read.is_ok(), "{name}: {:?}", read.err());
    read.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/import/families");
        let files = fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name());
        let there: BTreeSet<String> = files.map(|f| f.into_string().unwrap()).collect();
        let others = ["README.md", "common.toml"];
        let read = FAMILIES.iter().map(|(name, _)| *name).chain(others).map(str::to_owned);
        assert_eq!(there, read.collect());
    }

    #[test]
    fn a_family_and_what_it_reads_stand_in_one_place() {
        let table = Table::get();
        let mut names = BTreeSet::new();
        let mut types = BTreeSet::new();
        for family in &table.family {
            assert!(names.insert(&family.name), "`{}` stands twice", family.name);
            for model_type in &family.model_types {
                let first = types.insert((model_type, family.wraps.is_some()));
                assert!(first, "two families read `{model_type}`");
            }
        }
    }

    #[test]
    fn what_a_family_names_is_there() {
        let table = Table::get();
        for family in &table.family {
            let whole = table.named(&family.name);
            assert!(whole.is_some(), "`{}` inherits what is not there", family.name);
            let usually = family.wraps_usually.iter();
            for other in usually.chain(family.instead.iter().map(|i| &i.family)) {
                assert!(table.named(other).is_some(), "`{}` names `{other}`", family.name);
            }
        }
    }

    #[test]
    fn every_family_can_be_found_and_names_a_block() {
        let table = Table::get();
        let types: Vec<&str> = table.model_types().collect();
        assert!(types.len() > 30, "{types:?}");
        for model_type in types {
            let family = table.family(model_type, false).unwrap();
            assert!(!family.block.is_empty() || family.wraps.is_some(), "{model_type}");
            // A family that wraps another has that one's sizes.
            let sized = family.parameters().any(|p| ["layers", "depth"].contains(&p));
            assert!(sized || family.wraps.is_some(), "{model_type}");
        }
    }

    #[test]
    fn a_family_inherits_what_it_does_not_say() {
        let gemma = Table::get().family("gemma3_text", false).unwrap();
        assert_eq!(gemma.block, "Llama");
        assert_eq!(gemma.rules("hidden")[0].key.0, ["hidden_size"]);
        assert_eq!(gemma.rules("norm_after")[0].value.as_deref(), Some("true"));
        assert_eq!(gemma.rules("global_every")[0].default.as_deref(), Some("6"));
        assert!(gemma.rules("context").is_empty());
    }
}
