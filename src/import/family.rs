//! What a family of configs says, as it stands in a file of `families/`.
//!
//! In: an entry of the table. Out: [`Family`], with what it inherits, and its rules.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json::{Kind, Member, Node};
use crate::source::Span;

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
    pub(super) inherits: Option<String>,
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
pub(super) enum Entry {
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

    /// This family with the rules of any block for parameters that have none, and its defaults as
    /// members of a config.
    pub(super) fn completed(mut self, shared: &BTreeMap<String, Entry>) -> Self {
        for (name, entry) in shared {
            self.parameters.entry(name.clone()).or_insert_with(|| entry.clone());
        }
        self.members = self.defaults.iter().map(member).collect();
        self.wrapped_members = self.wrapped.iter().map(member).collect();
        self
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

/// A default as if it stood in a config.
fn member((key, value): (&String, &Scalar)) -> Member {
    let span = Span::new(0, 1);
    let node = |kind| Node { span, kind };
    let value = match value {
        Scalar::Bool(b) => Kind::Bool(*b),
        Scalar::Number(n) => Kind::Number(*n),
        Scalar::Text(text) => Kind::Text(text.clone()),
        Scalar::List(items) => Kind::List(items.iter().map(|n| node(Kind::Number(*n))).collect()),
    };
    Member { key: key.clone(), span, value: node(value) }
}
