//! Completions after a value: how its statement may go on.

use super::Offer;
use crate::ide::resolve::{instantiated, named};
use crate::lower::Workload;
use crate::name::Name;
use crate::syntax::ast::{ItemKind, StmtKind};

const COMPARISONS: [&str; 6] = ["<", "<=", ">", ">=", "==", "!="];

impl Offer<'_> {
    /// Words that go on after a value.
    pub(super) fn continued(&mut self, rank: u8) {
        let c = self.context.clone();
        if c.open.last().is_some_and(|o| o.bracket != '{') {
            return;
        }
        let has = |word: &str| c.has(word);
        let compared = c.statement.iter().any(|t| COMPARISONS.contains(&t.as_str()));
        match c.first() {
            "minimize" | "maximize" | "vary" | "shard" | "mesh" | "fold" => return,
            "expect" | "where" | "require" if !compared => {
                return self.words(&COMPARISONS, "", rank);
            }
            "expect" | "where" => return self.words(&["and", "or"], "", rank),
            "require" => {
                self.words(&["and", "or"], "", rank);
                return self.words(&["else"], "then what is said", rank);
            }
            _ => {}
        }
        if has("if") && !has("else") {
            let word = if has("then") { "else" } else { "then" };
            return self.words(&[word], "", rank);
        }
        let figures: &[&str] = &["source", "because"];
        let ranged: &[&str] = &["in", "because", "source"];
        let words: &[&str] = match (c.kind, c.open.is_empty()) {
            (Some(ItemKind::Assume), true) | (Some(ItemKind::Runtime), false) => ranged,
            (Some(ItemKind::Const), true) => figures,
            (Some(ItemKind::Fn | ItemKind::Metric | ItemKind::Unit | ItemKind::Dimension), _)
            | (Some(ItemKind::Sweep), _) => &[],
            (_, true) => &["with"],
            (Some(ItemKind::Block), false) => match c.first() {
                "weight" => &["from", "dtype", "density"],
                "input" => &["dtype"],
                _ => &["from", "dtype"],
            },
            (Some(ItemKind::Op), false) => &[],
            (Some(ItemKind::Scenario), false) if self.wants_item() => match c.first() {
                "plan" => &["with", "on"],
                _ => &["with"],
            },
            (Some(ItemKind::System), false) if c.first() == "chip" => &["with"],
            (Some(ItemKind::Plan), false) => &["on"],
            (Some(ItemKind::Scenario), false) => &["because"],
            (_, false) => figures,
        };
        let detail = |word: &str| match word {
            "with" => "the same with differences",
            "on" => "on chips of this kind",
            "in" => "the range that it may have",
            "because" => "why",
            "source" => "where it comes from",
            "from" => "what checkpoints call it",
            "dtype" => "its number format",
            "density" => "which share of it is not zero",
            _ => "",
        };
        for word in words.iter().filter(|w| !has(w)) {
            self.words(&[word], detail(word), rank);
        }
    }

    /// What stands in an expectation, a condition, an objective or a metric: results, those first
    /// that measure what they are compared with.
    pub(super) fn compared_with(&mut self) {
        let from = self.out.len();
        self.results("", 0);
        let other = self.compared().map(|dimension| dimension.to_string());
        if let Some(other) = other {
            for one in self.out.iter_mut().skip(from) {
                one.rank = match one.detail.as_str() {
                    "results" => 1,
                    detail if detail == other => 0,
                    _ => 2,
                };
            }
        }
        self.names(3);
    }

    fn wants_item(&self) -> bool {
        matches!(self.wanted(), Some(crate::check::Ty::Kind(_)))
    }

    /// The workload of the scenario that the cursor stands in, or of the one that a sweep tries.
    pub(super) fn workload(&mut self) -> Option<Name> {
        let (program, module) = (self.view.program, self.view.module);
        if self.context.kind == Some(ItemKind::Metric) {
            let of = self.context.statement.iter().position(|t| t == "for")?;
            return self.context.statement.get(of + 1).map(|w| Name::new(w));
        }
        let item = self.context.item.and_then(|name| program.item(module, name))?;
        let mut next = match item.item.of {
            Some(of) => named(&mut self.checker, module, of.name),
            None => Some(item),
        };
        for _ in 0..20 {
            let item = next?;
            for stmt in item.item.body.iter().flat_map(|b| &b.stmts) {
                let first = match &stmt.kind {
                    StmtKind::Section { name, .. } => Some(name.name),
                    StmtKind::Set { path, .. } => path.first().map(|p| p.name),
                    _ => None,
                };
                if let Some(name) = first.filter(|n| *n == "serve" || *n == "train") {
                    return Some(name);
                }
            }
            next = instantiated(&mut self.checker, item);
        }
        None
    }

    /// Whether scenarios of a workload have a result; of an unknown one all have all.
    pub(super) fn is_of(&self, root: Name, workload: Option<Name>) -> bool {
        let Some(workload) = workload else { return true };
        // A scenario that serves may have what a model that generates has, or one that does not.
        let meets = |of: Name| Workload::ALL.iter().any(|w| w.is(of) && w.is(workload));
        let program = self.view.program;
        let library = program.std_module("metrics").into_iter();
        let mut modules = std::iter::once(self.view.module).chain(library);
        let metrics: Vec<Option<Name>> = modules
            .by_ref()
            .flat_map(|m| program.items_of_kind(m, ItemKind::Metric))
            .filter(|i| i.item.name.name == root)
            .map(|i| i.item.of.map(|of| of.name))
            .collect();
        if !metrics.is_empty() {
            return metrics.iter().any(|of| of.is_none_or(meets));
        }
        match root.text() {
            "prefill" => meets(Name::new("serve")),
            "decode" | "handover" => meets(Name::new("generate")),
            "step" | "run" | "mfu" | "mfu_causal" | "hfu" => meets(Name::new("train")),
            _ => true,
        }
    }
}
