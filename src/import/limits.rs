//! What a config asks for and the library cannot give, and keys that nothing looked at.
//!
//! In: a config whose parameters have been read. Out: findings.

use std::collections::BTreeSet;

use super::family::{Only, Scalar};
use super::first;
use super::json::{Kind, Member, Node};
use super::read::{Reader, is_set};
use crate::diagnostic::{Diagnostic, codes};

impl Reader<'_> {
    /// Keys that may have certain values only, and keys that mean layers which do not exist.
    pub fn restrictions(&mut self) {
        self.only();
        for (key, because) in &self.table.refused {
            let path =
                |at: &String| if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            let is_known = self.within.iter().any(|at| self.looked_into(&path(at)))
                || self.family.assumed.contains_key(key)
                || self.family.ignored.contains(key);
            if let Some(member) = self.key(key).filter(|m| !is_known && is_set(&m.value)) {
                self.unsupported(key, member, because);
            }
        }
        for (key, meaning) in self.family.assumed.clone() {
            let Some(member) = self.key(&key).filter(|m| is_set(&m.value)) else { continue };
            let title = format!("`{key}` has no part in the model");
            let label = format!("assumed: {meaning}");
            self.report(codes::CONFIG_ASSUMED, title, member.span, label);
        }
        for key in &self.table.agreeing {
            self.agreement(key);
        }
    }

    /// Says where the objects in which keys are looked up differ over one.
    fn agreement(&mut self, key: &str) {
        let path = |at: &String| if at.is_empty() { key.into() } else { format!("{at}.{key}") };
        let root = self.root;
        let members = self.within.iter().filter_map(|at| root.at(&path(at)));
        let mut said = members.filter(|m| m.value.kind != Kind::Null);
        let Some(first) = said.next() else { return };
        if let Some(other) = said.find(|m| m.value.kind != first.value.kind) {
            let title = format!("`{key}` is said twice, and differently");
            let label = format!("this one counts: {}", first.value.shown());
            let finding =
                Diagnostic::new(codes::CONFIG_ASSUMED, title, self.place(first.span), label);
            let other = (self.place(other.span), format!("not this one: {}", other.value.shown()));
            self.findings.push(finding.and(other.0, other.1));
        }
    }

    /// Whether something read this key, or one inside of it.
    fn looked_into(&self, path: &str) -> bool {
        let inside = format!("{path}.");
        let mut after = self.used.range(inside.clone()..);
        self.used.contains(path) || after.next().is_some_and(|used| used.starts_with(&inside))
    }

    /// Keys of the family that may have certain values only.
    pub fn only(&mut self) {
        for (key, only) in self.family.only.clone() {
            let member = self.key(&key).filter(|m| m.value.kind != Kind::Null);
            let Some(member) = member else {
                if only.required {
                    let title = format!("the config has no `{key}`");
                    let label = format!("without it there would be {}", only.because);
                    let whole = first(self.root.span);
                    self.report(codes::CONFIG_KEY_MISSING, title, whole, label);
                }
                continue;
            };
            if !self.allows(&only, &member.value) {
                self.unsupported(&key, member, &only.because);
            }
        }
    }

    fn unsupported(&mut self, key: &str, member: &Member, because: &str) {
        let title = format!("the library has no block for {because}");
        let label = format!("`{key}` is {}", member.value.shown());
        self.report(codes::CONFIG_UNSUPPORTED, title, member.span, label);
    }

    fn allows(&mut self, only: &Only, value: &Node) -> bool {
        if let Some(each) = &only.each {
            let is_it = |n: &Node| matches!(&n.kind, Kind::Text(t) if t == each);
            return matches!(&value.kind, Kind::List(items) if items.iter().all(is_it));
        }
        if only.uniform {
            return match &value.kind {
                Kind::List(items) => {
                    items.iter().all(|n| Some(&n.kind) == items.first().map(|f| &f.kind))
                }
                _ => false,
            };
        }
        if let Some(other) = &only.same {
            return match (self.key(other), self.numbers.get(other), &value.kind) {
                (Some(member), ..) => member.value.kind == value.kind,
                // A parameter of this block, or of one around it.
                (None, Some(number), Kind::Number(n)) => number == n,
                _ => true,
            };
        }
        if let Some(from) = &only.from {
            let Kind::Number(n) = value.kind else { return false };
            return self.sum_of(from).is_none_or(|wanted| wanted == n);
        }
        if let Some((list, word)) = only.positions.as_deref().and_then(|p| p.split_once('=')) {
            return self.stands_at(list, word, value);
        }
        // Of a list, each element by itself.
        if let Kind::List(items) = &value.kind {
            return items.iter().all(|item| self.allows(only, item));
        }
        let is_it = |scalar: &Scalar| match (scalar, &value.kind) {
            (Scalar::Bool(a), Kind::Bool(b)) => a == b,
            (Scalar::Number(a), Kind::Number(b)) => a == b,
            (Scalar::Text(a), Kind::Text(b)) => a == b,
            _ => false,
        };
        if !only.except.is_empty() {
            return !only.except.iter().any(is_it);
        }
        only.values.iter().any(is_it)
    }

    /// Whether a value lists the positions of a word in a list, or is no more than there are of
    /// them, where there is such a list.
    fn stands_at(&mut self, list: &str, word: &str, value: &Node) -> bool {
        let Some(Kind::List(items)) = self.key(list).map(|m| &m.value.kind) else { return true };
        let is_word = |node: &Node| matches!(&node.kind, Kind::Text(text) if text == word);
        let places = items.iter().enumerate().filter(|(_, n)| is_word(n)).map(|(at, _)| at as f64);
        let said = match &value.kind {
            Kind::List(said) => said,
            Kind::Number(n) => return *n <= places.count() as f64,
            _ => return false,
        };
        let said = said.iter().map(|n| match n.kind {
            Kind::Number(n) => n,
            _ => -1.0,
        });
        places.eq(said)
    }

    /// Keys that nothing looked at, in the config and in the objects that were read.
    pub fn leftovers(&mut self) {
        let opened = std::mem::take(&mut self.opened);
        let paths: BTreeSet<&String> = opened.iter().map(|(path, _)| path).collect();
        let mut said = BTreeSet::new();
        for path in paths {
            let node = if path.is_empty() {
                Some(self.root)
            } else {
                self.root.at(path).map(|m| &m.value)
            };
            let Some(Kind::Object(members)) = node.map(|n| &n.kind) else { continue };
            for member in members {
                let key = &member.key;
                let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let is_token = self.table.token_ends.iter().any(|end| key.ends_with(end.as_str()));
                let is_known = self.looked_into(&full)
                    || is_token
                    || self.table.ignored.contains(key)
                    || opened.iter().any(|(p, ignored)| p == path && ignored.contains(key));
                if is_known || !is_set(&member.value) || !said.insert(full.clone()) {
                    continue;
                }
                let shown: String = full.chars().take(60).collect();
                let title = format!("the importer does not understand `{shown}`");
                let label = format!(
                    "it is {}; the model is written as if it were not there",
                    member.value.shown()
                );
                self.report(codes::CONFIG_KEY_UNKNOWN, title, member.span, label);
            }
        }
    }
}
