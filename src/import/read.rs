//! A config and its family: where keys are looked up, and what became of them.
//!
//! In: the values of a config and the table of families. Out: arguments in the order in which the
//! block declares them, each with the key it is from, and findings.

use std::collections::{BTreeMap, BTreeSet};

use super::family::Family;
use super::first;
use super::json::{Kind, Member, Node};
use super::quantization::Format;
use super::table::Table;
use crate::check::{ItemRef, Program, closest};
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::name::Name;
use crate::source::{FileId, Place, Span};

/// What a config says.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// How it is read.
    pub family: Family,
    /// The value of `model_type`.
    pub model_type: String,
    /// The first of `architectures`.
    pub architecture: Option<String>,
    /// Arguments of the block, without those that have its defaults.
    pub arguments: Vec<Argument>,
    /// Other blocks that the arguments name.
    pub blocks: BTreeSet<String>,
    /// The number format and where it is from.
    pub dtype: (String, String),
    /// The formats of a quantization.
    pub format: Option<Format>,
}

/// An argument of the block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument {
    /// The parameter.
    pub name: String,
    /// Its value, as written in `.mesa`; for a block its name.
    pub value: String,
    /// For a block: the values of its parameters.
    pub inner: Option<Vec<Argument>>,
    /// Where it is from, for a comment; empty for what the whole family has.
    pub why: String,
    /// Where the key stands.
    pub span: Option<Span>,
}

impl Reading {
    /// The first argument that fulfils a condition, those of inner blocks too.
    pub fn argument(&self, is_it: impl Fn(&Argument) -> bool) -> Option<&Argument> {
        let mut left: Vec<&Argument> = self.arguments.iter().collect();
        while let Some(argument) = left.pop() {
            if is_it(argument) {
                return Some(argument);
            }
            left.extend(argument.inner.iter().flatten());
        }
        None
    }
}

/// A parameter of a block as it is declared.
pub(super) struct Parameter<'p> {
    pub name: &'p str,
    pub ty: &'p str,
    pub default: Option<String>,
}

pub(super) struct Reader<'c> {
    pub root: &'c Node,
    pub file: FileId,
    /// What stands in the `hf_quant_config.json` beside the config.
    pub beside: Option<(&'c Node, FileId)>,
    pub table: &'static Table,
    pub library: &'c Program,
    pub family: Family,
    /// Objects in which keys are looked up, in order; the empty path is the config itself.
    pub within: Vec<String>,
    /// Whether a block reads an object of its own.
    pub nested: bool,
    /// Whether a family wraps the one that says the sizes.
    pub wrapped: bool,
    /// Families whose defaults hold, in order.
    pub defaults: Vec<&'static Family>,
    pub used: BTreeSet<String>,
    /// Objects of which every key should be understood, with keys that cost nothing in them.
    pub opened: Vec<(String, Vec<String>)>,
    pub numbers: BTreeMap<String, f64>,
    /// Keys that were left to their defaults, with these.
    pub defaulted: BTreeMap<String, String>,
    pub blocks: BTreeSet<String>,
    pub findings: Vec<Diagnostic>,
}

/// Reads a config; `None` where its architecture is not known.
pub(super) fn read(
    root: &Node,
    file: FileId,
    beside: Option<(&Node, FileId)>,
    library: &Program,
) -> (Option<Reading>, Vec<Diagnostic>) {
    let table = Table::get();
    let (model_type, families) = match families_of(root, file, table) {
        Ok(found) => found,
        Err(finding) => return (None, vec![finding]),
    };
    let Some(family) = families.iter().copied().cloned().reduce(Family::over) else {
        return (None, Vec::new());
    };
    let mut within = family.within.clone();
    within.extend(families.iter().filter_map(|f| f.wraps.clone()));
    within.retain(|path| root.at(path).is_some_and(|m| matches!(m.value.kind, Kind::Object(_))));
    let ignored = &family.ignored;
    within.push(String::new());
    let opened = within.iter().map(|w| (w.clone(), ignored.clone())).collect();
    let mut reader = Reader {
        root,
        file,
        beside,
        table,
        library,
        family,
        within,
        nested: false,
        wrapped: families.len() > 1,
        defaults: families,
        used: BTreeSet::new(),
        opened,
        numbers: BTreeMap::new(),
        defaulted: BTreeMap::new(),
        blocks: BTreeSet::new(),
        findings: Vec::new(),
    };
    for (member, before) in root.twice().into_iter().take(5) {
        let title = format!("`{}` is written twice", member.key);
        let at = reader.place(member.span);
        let finding = Diagnostic::new(codes::CONFIG_ASSUMED, title, at, "this one counts");
        let before = reader.place(before);
        reader.findings.push(finding.and(before, "not this one".to_owned()));
    }
    let architecture = reader.architecture();
    let arguments = reader.arguments();
    let dtype = reader.dtype();
    let format = reader.quantization();
    reader.restrictions();
    reader.leftovers();
    reader.say_defaults();
    let Reader { family, findings, blocks, .. } = reader;
    let reading = Reading { family, model_type, architecture, arguments, blocks, dtype, format };
    (Some(reading), findings)
}

/// The family of a config, and of the model that it is around.
fn families_of(
    root: &Node,
    file: FileId,
    table: &'static Table,
) -> Result<(String, Vec<&'static Family>), Diagnostic> {
    let place = |span| Place { file, span };
    let Some(member) = root.member("model_type") else {
        let finding = Diagnostic::new(
            codes::CONFIG_KEY_MISSING,
            "the config has no `model_type`",
            place(first(root.span)),
            "which architecture it is, is not said",
        );
        return Err(match root.member("quantization") {
            Some(_) => finding.note(
                "this says how weights are quantized: import the config.json beside it, which is \
                 read with this file",
            ),
            None => finding,
        });
    };
    let around = root.members().iter().any(|m| {
        let families = table.wrapping().filter(|f| f.wraps.as_deref() == Some(m.key.as_str()));
        families.count() > 0
    });
    let (model_type, family) = family_named(member, file, table, around)?;
    let family = table.instead(family, root);
    let mut families = vec![family];
    if let Some(path) = &family.wraps {
        let Some(inner) = root.at(path) else {
            return Err(Diagnostic::new(
                codes::CONFIG_KEY_MISSING,
                format!("the config has no `{path}`"),
                place(first(root.span)),
                "the sizes of the language model should stand there",
            ));
        };
        let usual = family.wraps_usually.as_deref().and_then(|name| table.named(name));
        let inner_family = match (inner.value.member("model_type"), usual) {
            (Some(member), _) => family_named(member, file, table, false)?.1,
            (None, Some(usual)) => usual,
            (None, None) => {
                return Err(Diagnostic::new(
                    codes::CONFIG_KEY_MISSING,
                    format!("the config has no `{path}.model_type`"),
                    place(first(inner.value.span)),
                    "which architecture the language model is, is not said",
                ));
            }
        };
        families.push(table.instead(inner_family, &inner.value));
    }
    Ok((model_type, families))
}

/// The family that a `model_type` says.
fn family_named(
    member: &Member,
    file: FileId,
    table: &'static Table,
    around: bool,
) -> Result<(String, &'static Family), Diagnostic> {
    let place = Place { file, span: member.value.span };
    let Kind::Text(model_type) = &member.value.kind else {
        let shown = member.value.shown();
        return Err(Diagnostic::new(
            codes::CONFIG_KEY_WRONG,
            format!("`model_type` is {shown}"),
            place,
            "a text is wanted",
        ));
    };
    if let Some(family) = table.family(model_type, around) {
        return Ok((model_type.clone(), family));
    }
    let shown: String = model_type.chars().take(60).collect();
    let mut finding = Diagnostic::new(
        codes::UNKNOWN_ARCHITECTURE,
        format!("the importer does not know the architecture `{shown}`"),
        place,
        "not known",
    );
    if let Some(best) = closest(model_type, table.model_types()) {
        finding = finding.note(format!("it knows `{best}`, which may or may not be alike"));
    }
    Err(finding.note("the model can be written by hand from the blocks of `std.layers`"))
}

/// The parameters of a block of the library.
pub(super) fn declared<'p>(block: ItemRef<'p>, library: &Program) -> Vec<Parameter<'p>> {
    let params = block.item.params.as_deref().unwrap_or_default();
    params
        .iter()
        .map(|param| {
            let ty = param.ty.as_ref().and_then(|t| t.parts.first());
            let default = param.default.as_ref();
            Parameter {
                name: param.name.name.text(),
                ty: ty.map_or("", |(ident, _)| ident.name.text()),
                default: default.map(|d| library.sources.text(block.place(d.span)).to_owned()),
            }
        })
        .collect()
}

/// Whether a value says anything: not null, false, 0 or empty.
pub(super) fn is_set(node: &Node) -> bool {
    match &node.kind {
        Kind::Null | Kind::Bool(false) => false,
        Kind::Number(n) => *n != 0.0,
        Kind::Text(text) => !text.is_empty(),
        Kind::List(items) => !items.is_empty(),
        Kind::Object(members) => !members.is_empty(),
        Kind::Bool(true) => true,
    }
}

impl<'c> Reader<'c> {
    pub fn place(&self, span: Span) -> Place {
        Place { file: self.file, span }
    }
    pub fn report(&mut self, code: Code, title: String, span: Span, label: impl Into<String>) {
        let place = self.place(span);
        self.findings.push(Diagnostic::new(code, title, place, label));
    }
    /// A key, noted as used: of the objects in which keys are looked up, else its default.
    pub fn key(&mut self, key: &str) -> Option<&'c Member> {
        self.stated(key).or_else(|| self.default(key))
    }
    /// A key that is there, noted as used.
    pub(super) fn stated(&mut self, key: &str) -> Option<&'c Member> {
        let path = |at: &String| if at.is_empty() { key.into() } else { format!("{at}.{key}") };
        let paths: Vec<String> = match key.strip_prefix('/') {
            Some(key) => vec![key.to_owned()],
            None => self.within.iter().map(path).collect(),
        };
        let found = paths.iter().find_map(|path| self.root.at(path));
        self.used.extend(paths);
        found
    }
    /// What a key means that is not there.
    fn default(&mut self, key: &str) -> Option<&'c Member> {
        let default = self.defaults.iter().find_map(|f| match self.wrapped {
            true => f.wrapped_default(key),
            false => f.default(key),
        })?;
        self.defaulted.insert(key.to_owned(), default.value.shown());
        Some(default)
    }
    /// The first of several keys that has a value.
    pub fn first_of(&mut self, keys: &[String]) -> Option<(String, &'c Member)> {
        let found: Vec<_> =
            keys.iter().filter_map(|key| Some((key.clone(), self.stated(key)?))).collect();
        let stated = found.into_iter().find(|(_, member)| member.value.kind != Kind::Null);
        stated.or_else(|| keys.iter().find_map(|key| Some((key.clone(), self.default(key)?))))
    }

    /// The first of `architectures`; reports one that does not end in logits.
    fn architecture(&mut self) -> Option<String> {
        let member = self.key("architectures")?;
        let Kind::List(items) = &member.value.kind else { return None };
        let item = items.first()?;
        let Kind::Text(name) = &item.kind else { return None };
        let ends_in = |ends: &[String]| ends.iter().any(|end| name.ends_with(end.as_str()));
        let heads = &self.table.heads;
        let block = self.library.std_item("layers", Name::new(&self.family.block));
        let has: Vec<&str> = block.map_or_else(Vec::new, |b| {
            declared(b, self.library).into_iter().map(|p| p.name).collect()
        });
        let other = heads.others.iter().any(|(p, ends)| has.contains(&p.as_str()) && ends_in(ends));
        if !ends_in(&heads.causal) && !ends_in(&self.family.heads) && !other {
            let shown: String = name.chars().take(60).collect();
            let title = format!("`{shown}` does not end in logits of the next token");
            let note = "the block of this family ends in logits only";
            let place = self.place(item.span);
            let code = codes::CONFIG_UNSUPPORTED;
            self.findings.push(Diagnostic::new(code, title, place, "another head").note(note));
        }
        Some(name.clone())
    }

    /// What was left to defaults, in one note.
    fn say_defaults(&mut self) {
        if self.defaulted.is_empty() {
            return;
        }
        let shown: Vec<String> =
            self.defaulted.iter().map(|(key, value)| format!("`{key}` is {value}")).collect();
        let label = format!("as {} has it: {}", self.family.name, shown.join(", "));
        let place = self.place(first(self.root.span));
        let title = match shown.len() {
            1 => "the config leaves a key to its default".to_owned(),
            n => format!("the config leaves {n} keys to their defaults"),
        };
        self.findings.push(Diagnostic::new(codes::CONFIG_DEFAULT, title, place, label));
    }

    /// The format of weights that are not quantized.
    fn dtype(&mut self) -> (String, String) {
        let keys = ["torch_dtype".to_owned(), "dtype".to_owned()];
        let Some((key, member)) = self.first_of(&keys) else {
            let place = self.place(first(self.root.span));
            self.findings.push(Diagnostic::new(
                codes::CONFIG_DEFAULT,
                "the config has no `torch_dtype`",
                place,
                "taken as bf16",
            ));
            return ("bf16".into(), "config.json: no torch_dtype".into());
        };
        let why = format!("config.json: {key}");
        let known = match &member.value.kind {
            Kind::Text(t) => self.table.dtypes.get(t.trim_start_matches("torch.")).cloned(),
            _ => None,
        };
        // Some tools say what they quantize to; what they leave as it was is said nowhere.
        let quantized = ["quantization_config", "compression_config", "quantization"];
        let is_quantized =
            quantized.iter().any(|k| self.root.member(k).is_some_and(|m| is_set(&m.value)));
        if known.as_deref() == Some("fp8") && (is_quantized || self.beside.is_some()) {
            let title =
                format!("`{key}` is {}, as the quantized weights are", member.value.shown());
            self.report(
                codes::CONFIG_DEFAULT,
                title,
                member.value.span,
                "taken as bf16 for activations and for weights that are not quantized",
            );
            return ("bf16".into(), format!("{why} says fp8: what is not quantized"));
        }
        if known.is_none() {
            let mut known: Vec<&str> = self.table.dtypes.keys().map(String::as_str).collect();
            known.sort_unstable();
            let title = format!("`{key}` is {}", member.value.shown());
            let label = format!("one of these is wanted: {}", known.join(", "));
            self.report(codes::CONFIG_KEY_WRONG, title, member.value.span, label);
        }
        (known.unwrap_or_default(), why)
    }
}
