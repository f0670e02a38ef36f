//! What the keys of a config mean, by architecture: the table `families.toml`, read once.
//!
//! In: nothing but that file. Out: [`Family`], with what it inherits filled in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The whole table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Keys that say nothing about cost, in every family.
    pub ignored: Vec<String>,
    /// Keys that, when set, mean layers which the library does not have.
    pub refused: BTreeMap<String, String>,
    /// Activations of configs by the ops of the library.
    pub activations: BTreeMap<String, String>,
    /// `torch_dtype` by the formats of the library.
    pub dtypes: BTreeMap<String, String>,
    /// How the names of architectures end.
    pub heads: Heads,
    /// The families.
    family: Vec<Family>,
}

/// How the names of architectures end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heads {
    /// Those whose output is logits of the next token.
    pub causal: Vec<String>,
}

/// Architectures whose configs have the same keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// What it is called in this table.
    pub name: String,
    /// Values of `model_type`.
    pub model_types: Vec<String>,
    /// The block of the library; inherited.
    #[serde(default)]
    pub block: String,
    /// The family that says the rest.
    #[serde(default)]
    inherits: Option<String>,
    /// Further blocks that its parameters name.
    #[serde(default)]
    pub imports: Vec<String>,
    /// How the names of its weights differ from those of the block.
    #[serde(default)]
    pub names: Option<String>,
    /// Keys that say nothing about cost here.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// The parameters of the block.
    #[serde(default)]
    parameters: BTreeMap<String, Entry>,
    /// Keys that may have certain values only.
    #[serde(default)]
    pub only: BTreeMap<String, Only>,
    /// Keys that are imported as if they were not set, with what that means.
    #[serde(default)]
    pub assumed: BTreeMap<String, String>,
}

/// A parameter as the table writes it: only a key, or more.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Key(String),
    Rule(Rule),
}

/// Where a parameter comes from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Keys, the first that is there counts.
    #[serde(default)]
    pub key: Keys,
    /// Arithmetic over keys and earlier parameters.
    pub from: Option<String>,
    /// The same for the whole family, as written in `.mesa`.
    pub value: Option<String>,
    /// This where no key is there, as written in `.mesa`.
    pub default: Option<String>,
    /// Said where no key is there.
    pub assumed: Option<String>,
    /// The block's own default where no key is there.
    #[serde(default)]
    pub optional: bool,
    /// True where the key is there and neither null, 0 nor false.
    #[serde(default)]
    pub set: bool,
    /// The distance of this word in a list, or a number.
    pub period: Option<String>,
}

/// One key or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Keys(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Keys {
    fn from(keys: OneOrMany) -> Self {
        match keys {
            OneOrMany::One(key) => Self(vec![key]),
            OneOrMany::Many(keys) => Self(keys),
        }
    }
}

/// What a key may be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// One of these.
    #[serde(default)]
    pub values: Vec<Scalar>,
    /// A list in which every element is this word.
    pub each: Option<String>,
    /// The value of this other key.
    pub same: Option<String>,
    /// Whether it must be there.
    #[serde(default)]
    pub required: bool,
    /// What any other value would mean.
    pub because: String,
}

/// A value in the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)] // the kinds of value
pub enum Scalar {
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Family {
    /// The rule of a parameter, if the family has one.
    #[must_use]
    pub fn rule(&self, parameter: &str) -> Option<Rule> {
        Some(match self.parameters.get(parameter)? {
            Entry::Key(key) => Rule { key: Keys(vec![key.clone()]), ..Rule::default() },
            Entry::Rule(rule) => rule.clone(),
        })
    }
    /// The names of all parameters that it has rules for.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str)
    }

    /// This family with what `base` says where it is silent.
    fn over(mut self, base: Self) -> Self {
        if self.block.is_empty() {
            self.block = base.block;
        }
        self.imports.extend(base.imports);
        self.ignored.extend(base.ignored);
        for (name, entry) in base.parameters {
            self.parameters.entry(name).or_insert(entry);
        }
        for (key, only) in base.only {
            self.only.entry(key).or_insert(only);
        }
        for (key, text) in base.assumed {
            self.assumed.entry(key).or_insert(text);
        }
        self
    }
}

impl Table {
    /// The table that is part of the program.
    pub fn get() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| {
            let read = toml::from_str(include_str!("families.toml"));
            debug_assert!(read.is_ok(), "{read:?}");
            read.unwrap_or_default()
        });
        &TABLE
    }

    /// The family with this `model_type`.
    #[must_use]
    pub fn family(&self, model_type: &str) -> Option<Family> {
        let is_it = |f: &&Family| f.model_types.iter().any(|t| t == model_type);
        let mut family = self.family.iter().find(is_it)?.clone();
        // A base must be another family; the bound ends a circle in a broken table.
        for _ in 0..self.family.len() {
            let Some(base) = family.inherits.take() else { break };
            let base = self.family.iter().find(|f| f.name == base)?.clone();
            family.inherits.clone_from(&base.inherits);
            family = family.over(base);
        }
        Some(family)
    }

    /// Every `model_type` that is known.
    pub fn model_types(&self) -> impl Iterator<Item = &str> {
        self.family.iter().flat_map(|f| &f.model_types).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_can_be_found_and_names_a_block() {
        let table = Table::get();
        let types: Vec<&str> = table.model_types().collect();
        assert!(types.len() > 30, "{types:?}");
        for model_type in types {
            let family = table.family(model_type).unwrap();
            assert!(!family.block.is_empty(), "{model_type}");
            assert!(family.parameters().any(|p| p == "layers"), "{model_type}");
        }
    }

    #[test]
    fn a_family_inherits_what_it_does_not_say() {
        let gemma = Table::get().family("gemma3_text").unwrap();
        assert_eq!(gemma.block, "Llama");
        assert_eq!(gemma.rule("hidden").unwrap().key.0, ["hidden_size"]);
        assert_eq!(gemma.rule("norm_after").unwrap().value.as_deref(), Some("true"));
        assert_eq!(gemma.rule("global_every").unwrap().default.as_deref(), Some("6"));
        assert!(gemma.rule("context").is_none());
    }
}
