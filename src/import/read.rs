//! Keys of a config to arguments of a block.
//!
//! In: the values of a config and the table of families. Out: arguments in the order in which the
//! block declares them, each with the key it is from, and findings.

use std::collections::{BTreeMap, BTreeSet};

use super::family::{Family, Rule, Table};
use super::json::{Kind, Member, Node};
use super::{first, sum};
use crate::check::{ItemRef, Program, closest};
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::name::Name;
use crate::source::{FileId, Place, Span};

/// The largest count that is exact.
const LARGEST: f64 = 9_007_199_254_740_992.0;

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
    /// The number format and where it is from.
    pub dtype: (String, String),
}

/// An argument of the block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Argument {
    /// The parameter.
    pub name: String,
    /// Its value, as written in `.mesa`.
    pub value: String,
    /// Where it is from, for a comment; empty for what the whole family has.
    pub why: String,
    /// Where the key stands.
    pub span: Option<Span>,
}

/// A parameter of a block as it is declared.
struct Parameter<'p> {
    name: &'p str,
    ty: &'p str,
    default: Option<String>,
}

/// A value for a parameter, or why there is none.
enum Found {
    Value { text: String, number: Option<f64>, why: String, span: Option<Span> },
    Default,
    Wrong,
}

pub(super) struct Reader<'c> {
    pub root: &'c Node,
    file: FileId,
    pub table: &'static Table,
    pub family: Family,
    pub used: BTreeSet<String>,
    numbers: BTreeMap<String, f64>,
    pub findings: Vec<Diagnostic>,
}

/// Reads a config; `None` where its architecture is not known.
pub(super) fn read(
    root: &Node,
    file: FileId,
    library: &Program,
) -> (Option<Reading>, Vec<Diagnostic>) {
    let table = Table::get();
    let (model_type, family) = match family_of(root, file, table) {
        Ok(found) => found,
        Err(finding) => return (None, vec![finding]),
    };
    let mut reader = Reader {
        root,
        file,
        table,
        family,
        used: BTreeSet::new(),
        numbers: BTreeMap::new(),
        findings: Vec::new(),
    };
    let architecture = reader.architecture();
    let block = library.std_item("layers", Name::new(&reader.family.block));
    let parameters = block.map(|b| declared(b, library)).unwrap_or_default();
    let arguments = parameters.iter().filter_map(|p| reader.argument(p)).collect();
    let dtype = reader.dtype();
    reader.quantization();
    reader.restrictions();
    reader.leftovers();
    let reading = Reading { family: reader.family, model_type, architecture, arguments, dtype };
    (Some(reading), reader.findings)
}

fn family_of(root: &Node, file: FileId, table: &Table) -> Result<(String, Family), Diagnostic> {
    let Some(member) = root.member("model_type") else {
        let place = Place { file, span: first(root.span) };
        return Err(Diagnostic::new(
            codes::CONFIG_KEY_MISSING,
            "the config has no `model_type`",
            place,
            "which architecture it is, is not said",
        ));
    };
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
    if let Some(family) = table.family(model_type) {
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
fn declared<'p>(block: ItemRef<'p>, library: &Program) -> Vec<Parameter<'p>> {
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
    /// A key, noted as used.
    pub fn key(&mut self, key: &str) -> Option<&'c Member> {
        self.used.insert(key.to_owned());
        self.root.at(key)
    }
    /// The first of several keys that has a value.
    fn first_of(&mut self, keys: &[String]) -> Option<(String, &'c Member)> {
        let found: Vec<_> =
            keys.iter().filter_map(|key| Some((key.clone(), self.key(key)?))).collect();
        found.into_iter().find(|(_, member)| member.value.kind != Kind::Null)
    }

    /// The first of `architectures`; reports one that does not end in logits.
    fn architecture(&mut self) -> Option<String> {
        let member = self.key("architectures")?;
        let Kind::List(items) = &member.value.kind else { return None };
        let item = items.first()?;
        let Kind::Text(name) = &item.kind else { return None };
        if !self.table.heads.causal.iter().any(|end| name.ends_with(end.as_str())) {
            let shown: String = name.chars().take(60).collect();
            let title = format!("`{shown}` does not end in logits of the next token");
            let note = "the library has decoders with an output layer over the vocabulary only";
            let place = self.place(item.span);
            let code = codes::CONFIG_UNSUPPORTED;
            self.findings.push(Diagnostic::new(code, title, place, "another head").note(note));
        }
        Some(name.clone())
    }

    /// The value of one parameter, unless it is what the block has by itself.
    fn argument(&mut self, parameter: &Parameter<'_>) -> Option<Argument> {
        let name = parameter.name;
        let found = match self.family.rule(name) {
            Some(rule) => self.found(parameter, &rule),
            None => Found::Default,
        };
        let known = |n: &str| self.numbers.get(n).copied();
        let default = parameter.default.as_deref().and_then(|d| sum::value(d, &known));
        match found {
            Found::Wrong => None,
            Found::Default => {
                self.numbers.extend(default.map(|d| (name.to_owned(), d)));
                None
            }
            Found::Value { text, number, why, span } => {
                let same = match number {
                    Some(number) => default == Some(number),
                    None => parameter.default.as_deref() == Some(text.as_str()),
                };
                self.numbers.extend(number.map(|n| (name.to_owned(), n)));
                (!same).then(|| Argument { name: name.to_owned(), value: text, why, span })
            }
        }
    }

    fn found(&mut self, parameter: &Parameter<'_>, rule: &Rule) -> Found {
        if let Some(value) = &rule.value {
            let number = value.parse().ok();
            return Found::Value { text: value.clone(), number, why: String::new(), span: None };
        }
        if let Some(from) = &rule.from {
            return self.worked_out(parameter, from);
        }
        match self.first_of(&rule.key.0) {
            Some((key, member)) => self.converted(parameter, rule, &key, member),
            None => self.absent(rule),
        }
    }

    /// What a key that is not there means.
    fn absent(&mut self, rule: &Rule) -> Found {
        let key = rule.key.0.first().cloned().unwrap_or_default();
        let whole = first(self.root.span);
        if let Some(assumed) = &rule.assumed {
            let place = self.place(whole);
            self.findings.push(Diagnostic::new(
                codes::CONFIG_DEFAULT,
                format!("the config has no `{key}`"),
                place,
                format!("taken as usual for {}: {assumed}", self.family.name),
            ));
        }
        if let Some(default) = &rule.default {
            let why = format!("config.json: no {key}, as usual for {}", self.family.name);
            let number = default.parse().ok();
            return Found::Value { text: default.clone(), number, why, span: None };
        }
        if !rule.optional {
            let title = format!("the config has no `{}`", rule.key.0.join("` or `"));
            self.report(codes::CONFIG_KEY_MISSING, title, whole, "a key is missing");
            return Found::Wrong;
        }
        Found::Default
    }

    /// Arithmetic over keys and parameters.
    fn worked_out(&mut self, parameter: &Parameter<'_>, from: &str) -> Found {
        let mut values = BTreeMap::new();
        let mut span = None;
        for name in sum::names(from) {
            if let Some(number) = self.numbers.get(name) {
                values.insert(name, *number);
                continue;
            }
            match self.key(name) {
                Some(Member { value: Node { kind: Kind::Number(n), .. }, span: at, .. }) => {
                    values.insert(name, *n);
                    span = span.or(Some(*at));
                }
                Some(member) => {
                    let title = format!("`{name}` is {}", member.value.shown());
                    let at = member.value.span;
                    self.report(codes::CONFIG_KEY_WRONG, title, at, "a number is wanted");
                    return Found::Wrong;
                }
                // A parameter that was wrong itself is reported already.
                None if self.family.rule(name).is_some() => return Found::Wrong,
                None => {
                    let title = format!("the config has no `{name}`");
                    let whole = first(self.root.span);
                    self.report(codes::CONFIG_KEY_MISSING, title, whole, "a key is missing");
                    return Found::Wrong;
                }
            }
        }
        let value = sum::value(from, &|name| values.get(name).copied());
        let at = span.unwrap_or(first(self.root.span));
        match value.and_then(|v| number_text(v, parameter.ty).ok()) {
            Some(text) => {
                Found::Value { text, number: value, why: format!("config.json: {from}"), span }
            }
            None => {
                let title = format!("`{from}` does not give {}", wanted(parameter.ty));
                self.report(codes::CONFIG_KEY_WRONG, title, at, "from here");
                Found::Wrong
            }
        }
    }

    /// The value of a key as the type of its parameter wants it.
    fn converted(
        &mut self,
        parameter: &Parameter<'_>,
        rule: &Rule,
        key: &str,
        member: &Member,
    ) -> Found {
        let why = format!("config.json: {key}");
        let span = Some(member.span);
        if rule.set {
            let text = is_set(&member.value).to_string();
            return Found::Value { text, number: None, why, span };
        }
        let result = match (&member.value.kind, parameter.ty, &rule.period) {
            (Kind::List(items), _, Some(word)) => return self.period(key, member, items, word),
            (Kind::Number(n), "Count" | "Number", _) => {
                number_text(*n, parameter.ty).map(|text| (text, Some(*n)))
            }
            (Kind::Bool(b), "Bool", _) => Ok((b.to_string(), None)),
            (Kind::Text(word), "Op", _) => match self.table.activations.get(word) {
                Some(op) => Ok((op.clone(), None)),
                None => {
                    let title = format!("the library has no activation {}", member.value.shown());
                    let at = member.value.span;
                    self.report(codes::CONFIG_UNSUPPORTED, title, at, "not among `std.ops`");
                    return Found::Wrong;
                }
            },
            (_, ty, _) => Err(wanted(ty)),
        };
        match result {
            Ok((text, number)) => Found::Value { text, number, why, span },
            Err(wanted) => {
                let title = format!("`{key}` is {}", member.value.shown());
                let at = member.value.span;
                self.report(codes::CONFIG_KEY_WRONG, title, at, format!("{wanted} is wanted"));
                Found::Wrong
            }
        }
    }

    /// How often a word occurs in a list with one element for each layer.
    fn period(&mut self, key: &str, member: &Member, items: &[Node], word: &str) -> Found {
        let at = member.value.span;
        let is_word = |n: &Node| matches!(&n.kind, Kind::Text(t) if t == word);
        if let Some(layers) = self.numbers.get("layers")
            && *layers != items.len() as f64
        {
            let title = format!(
                "`{key}` has {} elements for {} layers",
                items.len(),
                crate::check::show_number(*layers)
            );
            self.report(codes::CONFIG_CONTRADICTS, title, at, "one for each layer is wanted");
            return Found::Wrong;
        }
        let period = items.iter().position(is_word).map(|p| p + 1);
        let periodic =
            |p: usize| items.iter().enumerate().all(|(i, n)| is_word(n) == ((i + 1) % p == 0));
        match period.filter(|p| periodic(*p)) {
            Some(period) => Found::Value {
                text: period.to_string(),
                number: Some(period as f64),
                why: format!("config.json: every {word} of {key}"),
                span: Some(member.span),
            },
            None => {
                let title = format!("`{word}` does not come at regular distances in `{key}`");
                self.report(codes::CONFIG_UNSUPPORTED, title, at, "no period");
                Found::Wrong
            }
        }
    }

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

/// A number as the type of a parameter wants it, or what that type wants.
fn number_text(number: f64, ty: &str) -> Result<String, &'static str> {
    let is_count = (1.0..=LARGEST).contains(&number) && libm::floor(number) == number;
    match ty {
        "Count" if is_count => Ok(format!("{number:.0}")),
        "Number" if number.is_finite() => Ok(number.to_string()),
        _ => Err(wanted(ty)),
    }
}

/// What a type wants, with its article.
fn wanted(ty: &str) -> &'static str {
    match ty {
        "Count" => "a whole number of at least 1",
        "Number" => "a number",
        "Bool" => "true or false",
        _ => "a text",
    }
}
