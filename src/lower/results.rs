//! The tree of results of a scenario: dotted paths to nodes of the expression graph.

use crate::arena::Ordered;
use crate::check::{Checker, Value};
use crate::expr::{ExprId, Graph, Origin};
use crate::name::Name;
use crate::source::Place;

/// A result.
#[derive(Clone, PartialEq, Debug)]
pub enum Leaf {
    /// A quantity.
    Number(ExprId),
    /// A condition.
    Flag(ExprId),
    /// A word: what binds a time.
    Text(String),
    /// Something whose formula is wrong (already reported).
    Error,
}

/// Results by path, in the order of the report.
#[derive(Clone, Default, Debug)]
pub struct Results {
    /// Leaves by dotted path.
    pub leaves: Ordered<String, Leaf>,
    /// Whether values are not known: what depends on the model may have any path.
    pub open: bool,
    /// Why nothing is generated, where that is so: [`crate::ir::encodes`].
    pub encodes: Option<String>,
    /// What a metric that is left out reads although it is not there, by the metric's path.
    pub left_out: Ordered<String, String>,
}

impl Results {
    /// Adds a number that follows from others by a rule; the node that has its path as a name.
    pub(crate) fn put(
        &mut self,
        graph: &mut Graph,
        path: &str,
        id: ExprId,
        place: Place,
        rule: &'static str,
    ) -> ExprId {
        let id = graph.named(id, Origin::inferred(Name::new(path), place, rule));
        self.number(path, id);
        id
    }
    /// Adds a number.
    pub fn number(&mut self, path: impl Into<String>, id: ExprId) {
        self.leaves.insert(path.into(), Leaf::Number(id));
    }
    /// The leaf at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Leaf> {
        self.leaves.get(path)
    }
    /// Whether results stand below a path.
    #[must_use]
    pub fn is_group(&self, path: &str) -> bool {
        // The point first: few paths have one there.
        let below =
            |key: &String| key.as_bytes().get(path.len()) == Some(&b'.') && key.starts_with(path);
        self.leaves.keys().any(below)
    }
    /// Why there is nothing at a path, where that is known: what it would follow from is not there.
    #[must_use]
    pub fn why_absent(&self, path: &str) -> Option<String> {
        let mut root = path;
        for _ in 0..=self.left_out.len() {
            let Some(reads) = self.left_out.get(root) else { break };
            root = reads;
        }
        let lacks = |what: &str| Some(format!("the machine does not state its {what}"));
        match root.split('.').next() {
            Some("decode") => {
                let why = self.encodes.as_ref()?;
                let instead = "`latency` is that of its one pass";
                Some(format!("the model generates nothing: {why}; {instead}"))
            }
            Some("machine") if root == "machine.price" => lacks(super::power::PRICE),
            Some("machine") => lacks(super::power::POWER),
            _ => None,
        }
    }
    /// The names directly below a path (`""` for the roots).
    #[must_use]
    pub fn children(&self, path: &str) -> Vec<Name> {
        let mut names = Vec::new();
        for key in self.leaves.keys() {
            let rest = if path.is_empty() {
                Some(key.as_str())
            } else {
                key.strip_prefix(path).and_then(|r| r.strip_prefix('.'))
            };
            if let Some(first) = rest.and_then(|r| r.split('.').next()) {
                let name = Name::new(first);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

impl<'p> Checker<'p> {
    /// The result at a path, while an `expect` or a `metric` is evaluated.
    pub fn result_value(&mut self, path: &str) -> Option<Value<'p>> {
        let results = self.results.as_ref()?;
        match results.get(path) {
            Some(Leaf::Number(id)) => Some(Value::Num(*id)),
            Some(Leaf::Flag(id)) => Some(Value::Bool(*id)),
            Some(Leaf::Text(text)) => Some(Value::Word(Name::new(text))),
            Some(Leaf::Error) => Some(Value::Error),
            None if results.open && ["layers", "collectives"].contains(&path) => Some(Value::Error),
            None if results.is_group(path) => Some(Value::Results(path.into())),
            None => None,
        }
    }
    /// The roots of the tree of results.
    pub fn result_roots(&self) -> Vec<Name> {
        self.results.as_ref().map(|r| r.children("")).unwrap_or_default()
    }
    /// The names below a result.
    pub fn result_children(&self, path: &str) -> Vec<Name> {
        self.results.as_ref().map(|r| r.children(path)).unwrap_or_default()
    }
}
