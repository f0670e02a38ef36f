//! What the keys of a config mean, by architecture: the table in `families/`, read once.
//!
//! In: nothing but the files of that folder. Out: [`Family`], with what it inherits filled in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json::{Kind, Member, Node};
use super::values::all_hold;
use crate::source::Span;

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
    /// Every family that says a part of it.
    #[serde(skip)]
    pub bases: Vec<String>,
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
    /// What keys mean that are not there: the defaults of the class that reads the config.
    #[serde(default)]
    pub defaults: BTreeMap<String, Scalar>,
    /// The same where another family wraps this one: such configs leave out what the class has.
    #[serde(default)]
    pub wrapped: BTreeMap<String, Scalar>,
    /// Objects of the config in which keys are looked up, before the config itself.
    #[serde(default)]
    pub within: Vec<String>,
    /// For a family around another: the object that the other reads, whose `model_type` says which.
    pub wraps: Option<String>,
    /// The family of that object where it has no `model_type`.
    pub wraps_usually: Option<String>,
    /// Other families that read the config where a key says so.
    #[serde(default)]
    pub instead: Vec<Instead>,
    /// How the names of its architectures end, beside those of every family.
    #[serde(default)]
    pub heads: Vec<String>,
    /// Formats of some weights in a quantized model that keys say by themselves.
    #[serde(default)]
    pub formats: BTreeMap<String, OwnFormat>,
    /// `defaults` as if they stood in the config.
    #[serde(skip)]
    members: Vec<Member>,
    #[serde(skip)]
    wrapped_members: Vec<Member>,
    /// Blocks of the library by the names of modules that a quantization leaves out.
    #[serde(default)]
    pub modules: BTreeMap<String, Vec<String>>,
}

/// A parameter as the table writes it: only a key, or more, or several of which one holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Key(String),
    Rule(Box<Rule>),
    Cases(Vec<Rule>),
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
    /// This where the key is there and null, as written in `.mesa`; empty for the block's default.
    pub null: Option<String>,
    /// The block's own default where no key is there.
    #[serde(default)]
    pub optional: bool,
    /// True where the key is there and neither null, 0 nor false.
    #[serde(default)]
    pub set: bool,
    /// The block's own default where the value is that of this parameter.
    pub unless: Option<String>,
    /// The distance of this word in a list, or a number; empty for a list of numbers of layers.
    pub period: Option<String>,
    /// With `period`: nothing, where the word comes at no one distance.
    #[serde(default)]
    pub if_regular: bool,
    /// With `indices`: nothing, where the word comes at one distance.
    #[serde(default)]
    pub if_irregular: bool,
    /// The positions of this word in a list, or of this letter in a text.
    pub indices: Option<String>,
    /// How many elements at the start of a list are this word; no other may be.
    pub leading: Option<String>,
    /// Of a list of numbers, that of the layers for which another list has a word
    /// (`layer_types=full_attention`); it must be one number.
    pub of: Option<String>,
    /// Of a list, the element at this place.
    pub element: Option<usize>,
    /// Of a list of objects: what stands at this path in each.
    pub of_each: Option<String>,
    /// With `of_each`: which of the different numbers, in the order in which they occur.
    pub nth: Option<usize>,
    /// With `nth`: as many different numbers as there may be.
    pub most: Option<usize>,
    /// With `indices`: the positions of everything else.
    #[serde(default)]
    pub others: bool,
    /// With `indices`: the list may go on behind the last layer.
    #[serde(default)]
    pub longer: bool,
    /// With `indices`: the list is gone through again and again, up to the last layer.
    #[serde(default)]
    pub cycled: bool,
    /// With `indices`: layers count from 1.
    #[serde(default)]
    pub from_one: bool,
    /// `[first, distance]`: every so many layers, as arithmetic.
    pub every: Option<[String; 2]>,
    /// With `every`: the last layer too.
    #[serde(default)]
    pub last: bool,
    /// A block with the parameters of this family.
    pub family: Option<String>,
    /// With `family`: parameters in place of those of the family.
    #[serde(default)]
    with: BTreeMap<String, Entry>,
    /// How many elements the list has.
    #[serde(default)]
    pub length: bool,
    /// With `length`: as many more.
    #[serde(default)]
    pub plus: usize,
    /// With `family`: the object that it reads; with its `model_type` it says the family.
    pub within: Option<String>,
    /// Only where this key is true (`key`), is not (`!key`), or has this value (`key=value`) or not
    /// (`!key=value`).
    pub when: Option<String>,
    /// Said behind the value, where it is no key.
    pub comment: Option<String>,
    /// Written even where it is the block's own default.
    #[serde(default)]
    pub said: bool,
    /// Values of the key by what they mean, as written in `.mesa`.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
}

/// A format that a key says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnFormat {
    /// Blocks or weights of the library.
    pub names: Vec<String>,
    /// Values of the key by formats of the library.
    pub map: BTreeMap<String, String>,
}

/// Another family for some configs of a `model_type`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    /// As of a rule.
    pub when: String,
    /// Its name.
    pub family: String,
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
    /// A list in which all elements are the same.
    #[serde(default)]
    pub uniform: bool,
    /// The value of this other key.
    pub same: Option<String>,
    /// The number that is worked out from other keys and parameters.
    pub from: Option<String>,
    /// The positions at which a list has a word (`layer_types=full_attention`), or a number of no
    /// more than those.
    pub positions: Option<String>,
    /// Anything but these.
    #[serde(default)]
    pub except: Vec<Scalar>,
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
    List(Vec<f64>),
}

impl Family {
    /// The rules of a parameter, of which the first that holds counts; none if the family has none.
    #[must_use]
    pub fn rules(&self, parameter: &str) -> Vec<Rule> {
        match self.parameters.get(parameter) {
            None => Vec::new(),
            Some(Entry::Key(key)) => {
                vec![Rule { key: Keys(vec![key.clone()]), ..Rule::default() }]
            }
            Some(Entry::Rule(rule)) => vec![Rule::clone(rule)],
            Some(Entry::Cases(rules)) => rules.clone(),
        }
    }
    /// What a key means that is not there.
    #[must_use]
    pub fn default(&self, key: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.key == key)
    }
    /// The same where another family wraps this one.
    #[must_use]
    pub fn wrapped_default(&self, key: &str) -> Option<&Member> {
        self.default(key).or_else(|| self.wrapped_members.iter().find(|m| m.key == key))
    }
    /// This family with the parameters that a rule puts in their place.
    #[must_use]
    pub fn with(&self, rule: &Rule) -> Self {
        let mut family = self.clone();
        family.parameters.extend(rule.with.clone());
        family
    }
    /// Blocks that its parameters may name.
    #[must_use]
    pub fn names_block(&self, name: &str) -> bool {
        name == self.block || self.imports.iter().any(|i| i == name)
    }
    /// The names of all parameters that it has rules for.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str)
    }

    /// This family with what `base` says where it is silent.
    #[must_use]
    pub fn over(mut self, base: Self) -> Self {
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
        for (key, value) in base.defaults {
            self.defaults.entry(key).or_insert(value);
        }
        for (key, value) in base.wrapped {
            self.wrapped.entry(key).or_insert(value);
        }
        for (key, own) in base.formats {
            self.formats.entry(key).or_insert(own);
        }
        for (key, names) in base.modules {
            self.modules.entry(key).or_insert(names);
        }
        self.within.extend(base.within);
        self.heads.extend(base.heads);
        self.names = self.names.or(base.names);
        self
    }
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
        let member = |(key, value): (&String, &Scalar)| {
            let span = Span::new(0, 1);
            let kind = match value {
                Scalar::Bool(b) => Kind::Bool(*b),
                Scalar::Number(n) => Kind::Number(*n),
                Scalar::Text(text) => Kind::Text(text.clone()),
                Scalar::List(items) => {
                    let node = |n: &f64| Node { span, kind: Kind::Number(*n) };
                    Kind::List(items.iter().map(node).collect())
                }
            };
            Member { key: key.clone(), span, value: Node { span, kind } }
        };
        for (name, entry) in &self.shared {
            family.parameters.entry(name.clone()).or_insert_with(|| entry.clone());
        }
        family.members = family.defaults.iter().map(member).collect();
        family.wrapped_members = family.wrapped.iter().map(member).collect();
        Some(family)
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
