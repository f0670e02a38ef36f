//! Values for the parameters of a block: keys, arithmetic over keys, lists of layers, blocks.
//!
//! In: the rules of a family. Out: arguments, or findings where a key is missing or wrong.

use std::collections::BTreeMap;

use super::family::{Family, Rule};
use super::json::{Kind, Member, Node};
use super::read::{Argument, Parameter, Reader, declared, is_set};
use super::{first, sum};
use crate::diagnostic::{Diagnostic, codes};
use crate::name::Name;
use crate::source::Span;

/// The largest count that is exact.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// A value for a parameter, or why there is none.
pub(super) enum Found {
    Value { text: String, number: Option<f64>, why: String, span: Option<Span> },
    Block { block: String, inner: Vec<Argument> },
    Default,
    Wrong,
}

/// The numbers that arithmetic is over, by name, and where the first of them that is a key stands.
struct Terms {
    numbers: BTreeMap<String, f64>,
    span: Option<Span>,
}

impl<'c> Reader<'c> {
    /// The arguments of the block of the family.
    pub fn arguments(&mut self) -> Vec<Argument> {
        let library = self.library;
        let block = library.std_item("layers", Name::new(&self.family.block));
        let parameters = block.map(|b| declared(b, library)).unwrap_or_default();
        parameters.iter().filter_map(|p| self.argument(p)).collect()
    }

    /// The value of one parameter, unless it is what the block has by itself.
    fn argument(&mut self, parameter: &Parameter<'_>) -> Option<Argument> {
        let name = parameter.name;
        let rules = self.family.rules(name);
        let rule = rules.iter().find(|rule| self.holds(rule)).cloned();
        let said = rule.as_ref().is_some_and(|r| r.said);
        let found = match rule {
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
            Found::Block { block, inner } => {
                let (name, inner) = (name.to_owned(), Some(inner));
                Some(Argument { name, value: block, inner, why: String::new(), span: None })
            }
            Found::Value { text, number, why, span } => {
                let same = match number {
                    Some(number) => default == Some(number),
                    None => parameter.default.as_deref() == Some(text.as_str()),
                };
                self.numbers.extend(number.map(|n| (name.to_owned(), n)));
                let argument = Argument { name: name.into(), value: text, inner: None, why, span };
                (said || !same).then_some(argument)
            }
        }
    }

    /// Whether a rule is for this config: its `when` is empty or holds.
    fn holds(&mut self, rule: &Rule) -> bool {
        let Some(when) = &rule.when else { return true };
        all_hold(when, |key| self.first_of(&[key.to_owned()]).map(|(_, member)| &member.value))
    }

    fn found(&mut self, parameter: &Parameter<'_>, rule: &Rule) -> Found {
        if let Some(family) = &rule.family {
            return self.block(family, rule);
        }
        if let Some(value) = &rule.value {
            let value = self.filled(value);
            let number = value.parse().ok();
            let why = rule.comment.clone().unwrap_or_default();
            return Found::Value { text: value, number, why, span: None };
        }
        if let Some([first, distance]) = &rule.every {
            return self.every(first, distance, rule);
        }
        if let Some(path) = &rule.of_each {
            return self.of_each(parameter, rule, path);
        }
        if let Some(from) = &rule.from {
            let found = self.worked_out(parameter, from);
            return match (found, rule.comment.clone()) {
                (Found::Value { text, number, span, .. }, Some(why)) => {
                    Found::Value { text, number, why, span }
                }
                (found, _) => found,
            };
        }
        match self.first_of(&rule.key.0) {
            Some((key, member)) => self.converted(parameter, rule, &key, member),
            None => self.null(rule).unwrap_or_else(|| self.absent(rule)),
        }
    }

    /// What a key means that is there and null, for rules that say so.
    fn null(&mut self, rule: &Rule) -> Option<Found> {
        let null = rule.null.clone()?;
        let (key, member) = rule.key.0.iter().find_map(|key| Some((key, self.stated(key)?)))?;
        if null.is_empty() {
            return Some(Found::Default);
        }
        let why = format!("config.json: {}", self.full_path(key));
        let number = null.parse().ok();
        Some(Found::Value { text: null, number, why, span: Some(member.span) })
    }

    /// A text with what its holes are worked out to: `"layers.{layers + 1}.norm"`.
    fn filled(&self, value: &str) -> String {
        if !value.starts_with('"') {
            return value.to_owned();
        }
        let known = |n: &str| self.numbers.get(n).copied();
        let mut parts = value.split('{');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let hole = part.split_once('}');
            match hole.and_then(|(hole, rest)| Some((sum::value(hole, &known)?, rest))) {
                Some((number, rest)) => out += &format!("{number}{rest}"),
                None => out += &format!("{{{part}"),
            }
        }
        out
    }

    /// A block with values for its parameters, read from an object of the config or from the same
    /// keys.
    fn block(&mut self, usual: &str, rule: &Rule) -> Found {
        let mut family: Option<&'static Family> = self.table.named(usual);
        let mut within = self.within.clone();
        if let Some(path) = &rule.within {
            let Some((_, member)) = self.first_of(std::slice::from_ref(path)) else {
                return self.absent(rule);
            };
            if let Some(Kind::Text(kind)) = member.value.member("model_type").map(|m| &m.value.kind)
            {
                // One of another kind is the whole model's own name again; one on which the usual
                // family builds says less than that.
                let better = |s: &&Family, f: &Family| {
                    let builds = f.model_types.is_empty() && f.bases.contains(&s.name);
                    f.block == s.block && !builds
                };
                let said = self.table.family(kind, false);
                family = said.filter(|s| family.is_none_or(|f| better(s, f))).or(family);
            }
            if !matches!(member.value.kind, Kind::Object(_)) {
                let title = format!("`{path}` is {}", member.value.shown());
                let at = member.value.span;
                self.report(codes::CONFIG_KEY_WRONG, title, at, "an object is wanted");
                return Found::Wrong;
            }
            let joined =
                |w: &String| if w.is_empty() { path.clone() } else { format!("{w}.{path}") };
            within = self.within.iter().map(joined).collect();
            within.retain(|p| self.root.at(p).is_some());
        }
        let Some(family) = family else { return Found::Wrong };
        let ignored = family.ignored.iter().cloned();
        if rule.within.is_some() {
            let ignored: Vec<String> = ignored.collect();
            self.opened.extend(within.iter().map(|w| (w.clone(), ignored.clone())));
        } else {
            for (_, all) in &mut self.opened {
                all.extend(ignored.clone());
            }
        }
        let outer = std::mem::replace(&mut self.family, family.with(rule));
        let outer_within = std::mem::replace(&mut self.within, within);
        let outer_defaults = match rule.within {
            Some(_) => std::mem::replace(&mut self.defaults, vec![family]),
            None => self.defaults.clone(),
        };
        if rule.within.is_none() {
            self.defaults.push(family);
        }
        let outer_nested = self.nested;
        self.nested |= rule.within.is_some();
        let outer_numbers = self.numbers.clone();
        let inner = self.arguments();
        self.only();
        self.numbers = outer_numbers;
        self.nested = outer_nested;
        self.defaults = outer_defaults;
        self.within = outer_within;
        self.family = outer;
        self.blocks.insert(family.block.clone());
        let named = inner.iter().filter(|a| a.inner.is_none() && family.names_block(&a.value));
        self.blocks.extend(named.map(|a| a.value.clone()));
        Found::Block { block: family.block.clone(), inner }
    }

    /// What the family is called whose part is read.
    fn known_as(&self) -> &str {
        let named = self.defaults.iter().find(|f| !f.model_types.is_empty());
        match self.family.model_types.as_slice() {
            [] => named.map_or(&self.family.name, |f| &f.name),
            _ => &self.family.name,
        }
    }

    /// What a key that is not there means.
    pub(super) fn absent(&mut self, rule: &Rule) -> Found {
        let key = rule.key.0.first().or(rule.within.as_ref()).cloned().unwrap_or_default();
        let whole = first(self.root.span);
        if let Some(assumed) = &rule.assumed {
            let place = self.place(whole);
            self.findings.push(Diagnostic::new(
                codes::CONFIG_DEFAULT,
                format!("the config has no `{key}`"),
                place,
                format!("taken as usual for {}: {assumed}", self.known_as()),
            ));
        }
        if let Some(default) = &rule.default {
            let known = |n: &str| self.numbers.get(n).copied();
            let worked_out = sum::value(default, &known);
            let default = worked_out.map_or(default.clone(), |v| v.to_string());
            let why = format!("config.json: no {key}, as usual for {}", self.known_as());
            return Found::Value { text: default, number: worked_out, why, span: None };
        }
        if !rule.optional {
            let keys = if rule.key.0.is_empty() { key } else { rule.key.0.join("` or `") };
            let title = format!("the config has no `{keys}`");
            self.report(codes::CONFIG_KEY_MISSING, title, whole, "a key is missing");
            return Found::Wrong;
        }
        Found::Default
    }

    /// What arithmetic is over; else the first name without a number, and its key if that is there.
    fn terms(&mut self, from: &str) -> Result<Terms, (String, Option<&'c Member>)> {
        let mut terms = Terms { numbers: BTreeMap::new(), span: None };
        for name in sum::names(from) {
            let number = match self.numbers.get(&name) {
                Some(number) => *number,
                None => match self.key(&name).map(|member| (member, one_of_all(&member.value))) {
                    Some((member, Kind::Number(n))) => {
                        terms.span = terms.span.or(Some(member.span));
                        *n
                    }
                    // A null is as good as no key.
                    other => {
                        let there = other.filter(|(_, kind)| **kind != Kind::Null);
                        return Err((name, there.map(|(member, _)| member)));
                    }
                },
            };
            terms.numbers.insert(name, number);
        }
        Ok(terms)
    }

    /// Arithmetic over keys and parameters, where all of them are there.
    pub(super) fn sum_of(&mut self, from: &str) -> Option<f64> {
        let terms = self.terms(from).ok()?;
        sum::value(from, &|name| terms.numbers.get(name).copied())
    }

    /// A parameter that is worked out from keys and parameters.
    pub(super) fn worked_out(&mut self, parameter: &Parameter<'_>, from: &str) -> Found {
        let Terms { numbers, span } = match self.terms(from) {
            Ok(terms) => terms,
            Err((name, Some(member))) => {
                let title = format!("`{name}` is {}", member.value.shown());
                let at = member.value.span;
                self.report(codes::CONFIG_KEY_WRONG, title, at, "a number is wanted");
                return Found::Wrong;
            }
            // A parameter that was wrong itself is reported already.
            Err((name, None)) if !self.family.rules(&name).is_empty() => return Found::Wrong,
            Err((name, None)) => {
                let title = format!("the config has no `{name}`");
                let whole = first(self.root.span);
                self.report(codes::CONFIG_KEY_MISSING, title, whole, "a key is missing");
                return Found::Wrong;
            }
        };
        let value = sum::value(from, &|name| numbers.get(name).copied());
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
        let defaulted = self.defaulted.contains_key(key);
        let why = match defaulted {
            true => format!("config.json: no {key}"),
            false => format!("config.json: {}", self.full_path(key)),
        };
        let span = (!defaulted).then_some(member.span);
        if rule.set {
            let text = is_set(&member.value).to_string();
            return Found::Value { text, number: None, why, span };
        }
        if let Some(text) = rule.map.get(&plain(&member.value)) {
            let number = text.parse().ok();
            return Found::Value { text: text.clone(), number, why, span };
        }
        let length = match &member.value.kind {
            Kind::List(items) => Some(items.len()),
            Kind::Text(text) => Some(text.chars().count()),
            Kind::Object(members) => Some(members.len()),
            _ => None,
        };
        let length = length.map(|n| n.saturating_add(rule.plus));
        if let (true, Some(length)) = (rule.length, length) {
            let (text, number) = (length.to_string(), Some(length as f64));
            return match length {
                0 => Found::Default,
                _ => Found::Value { text, number, why, span },
            };
        }
        if let (Some(of), Kind::List(items)) = (&rule.of, &member.value.kind) {
            return self.of_some_layers(parameter, key, member, items, of);
        }
        if let (Some(word), Kind::List(items)) = (&rule.leading, &member.value.kind) {
            return self.leading(key, member, items, word);
        }
        if let Some(word) = &rule.indices {
            return self.indices(key, member, word, rule);
        }
        let kind = match (rule.period.is_some(), rule.element, &member.value.kind) {
            (_, Some(at), Kind::List(items)) => items.get(at).map_or(&Kind::Null, |n| &n.kind),
            (true, ..) => &member.value.kind,
            (false, ..) => one_of_all(&member.value),
        };
        let result = match (kind, parameter.ty, &rule.period) {
            (Kind::List(items), _, Some(_)) => return self.period(key, member, items, rule),
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
        let other = rule.unless.as_ref().and_then(|name| self.numbers.get(name));
        match result {
            Ok((_, Some(number))) if other == Some(&number) => Found::Default,
            Ok((text, number)) => Found::Value { text, number, why, span },
            Err(wanted) => {
                let title = format!("`{key}` is {}", member.value.shown());
                let at = member.value.span;
                self.report(codes::CONFIG_KEY_WRONG, title, at, format!("{wanted} is wanted"));
                Found::Wrong
            }
        }
    }

    /// A key with the object that it stands in, where that is one for this block alone.
    fn full_path(&self, key: &str) -> String {
        let inner = |at: &&String| self.family.wraps.as_ref().is_none_or(|w| w != *at);
        let nested = self.within.first().filter(|at| !at.is_empty() && self.nested).filter(inner);
        match (key.strip_prefix('/'), nested) {
            (Some(key), _) => key.to_owned(),
            (None, Some(at)) => format!("{at}.{key}"),
            (None, None) => key.to_owned(),
        }
    }
}

/// A value, or that of each element of a list in which all are the same: one for each layer.
fn one_of_all(node: &Node) -> &Kind {
    match &node.kind {
        Kind::List(items) => match items.as_slice() {
            [first, rest @ ..] if rest.iter().all(|n| n.kind == first.kind) => &first.kind,
            _ => &node.kind,
        },
        kind => kind,
    }
}

/// Whether conditions hold of what keys say: `key`, `!key`, `key=value` or `key=[]` (a list),
/// joined by `&`.
pub(super) fn all_hold<'n>(when: &str, mut value_of: impl FnMut(&str) -> Option<&'n Node>) -> bool {
    when.split('&').map(str::trim).all(|when| {
        let (negated, when) = match when.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, when),
        };
        let (key, wanted) = match when.split_once('=') {
            Some((key, wanted)) => (key, Some(wanted)),
            None => (when, None),
        };
        let value = value_of(key);
        let holds = match wanted {
            Some("[]") => value.is_some_and(|v| matches!(v.kind, Kind::List(_))),
            Some(wanted) => value.is_some_and(|v| match &v.kind {
                Kind::List(items) => items.iter().any(|item| is_like(&plain(item), wanted)),
                _ => is_like(&plain(v), wanted),
            }),
            None => value.is_some_and(is_set),
        };
        holds != negated
    })
}

/// Whether a text is another, ends in what follows a star, or has what stands between two.
fn is_like(text: &str, wanted: &str) -> bool {
    match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(wanted.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        _ => text == wanted,
    }
}

/// A scalar as it stands in the table.
pub(super) fn plain(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) => text.clone(),
        _ => node.shown(),
    }
}

/// A number as the type of a parameter wants it, or what that type wants.
pub(super) fn number_text(number: f64, ty: &str) -> Result<String, &'static str> {
    let is_count = (1.0..=LARGEST).contains(&number) && libm::floor(number) == number;
    match ty {
        "Count" if is_count => Ok(format!("{number:.0}")),
        "Number" if number.is_finite() => Ok(number.to_string()),
        _ => Err(wanted(ty)),
    }
}

/// What a type wants, with its article.
pub(super) fn wanted(ty: &str) -> &'static str {
    match ty {
        "Count" => "a whole number of at least 1",
        "Number" => "a number",
        "Bool" => "true or false",
        _ => "a text",
    }
}
