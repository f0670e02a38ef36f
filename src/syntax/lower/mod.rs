//! From pest's pairs to the syntax tree, reporting what the grammar accepted but Mesa does not.
//!
//! In: the pairs of one piece. Out: items with spans relative to the piece, and diagnostics. One
//! file for each level: items, statements, expressions, literals.

mod expr;
mod item;
mod literal;
mod stmt;

pub use literal::{NO_THOUSANDS, THOUSANDS, WITHOUT_THOUSANDS};

use std::sync::Arc;

use pest::iterators::{Pair, Pairs};

use super::ast::{Clauses, Ident};
use super::grammar::Rule;
use super::recover;
use crate::diagnostic::{Code, Diagnostic, MOST_FINDINGS, Safety, codes};
use crate::name::Name;
use crate::source::{FileId, Place, Span};

/// The children of a pair in order, without comments.
pub(super) struct Parts<'i> {
    pairs: Pairs<'i, Rule>,
    peeked: Option<Pair<'i, Rule>>,
}

impl<'i> Parts<'i> {
    fn of(pair: Pair<'i, Rule>) -> Self {
        Self::new(pair.into_inner())
    }
    fn new(pairs: Pairs<'i, Rule>) -> Self {
        Self { pairs, peeked: None }
    }
    fn next(&mut self) -> Option<Pair<'i, Rule>> {
        match self.peeked.take() {
            Some(pair) => Some(pair),
            None => self.pairs.find(|p| p.as_rule() != Rule::comment),
        }
    }
    /// The rule of the next child.
    fn rule(&mut self) -> Option<Rule> {
        if self.peeked.is_none() {
            self.peeked = self.next();
        }
        self.peeked.as_ref().map(Pair::as_rule)
    }
    /// The next child if it is of this rule.
    fn eat(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        if self.rule() == Some(rule) { self.next() } else { None }
    }
}

/// Builds the tree of one piece.
pub(super) struct Lower<'a> {
    /// The text being lowered: the piece, or a hole of a text literal in it.
    pub(super) text: &'a str,
    /// Where `text` starts in the piece.
    shift: u32,
    file: FileId,
    /// Where the piece starts in the file.
    offset: u32,
    diagnostics: Vec<Diagnostic>,
    /// End of the last unreadable statement, so that its remains are not reported again.
    last_bad: Option<Span>,
    /// Whether a brace is never closed.
    open: bool,
}

impl<'a> Lower<'a> {
    pub(super) fn new(text: &'a str, file: FileId, offset: u32) -> Self {
        Self { text, shift: 0, file, offset, diagnostics: Vec::new(), last_bad: None, open: false }
    }

    /// What was found.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// The absolute place of a span of the piece.
    pub(super) fn place(&self, span: Span) -> Place {
        Place { file: self.file, span: span.shifted(self.offset) }
    }

    /// The span in the piece of bytes of [`Self::text`].
    pub(super) fn bytes(&self, start: usize, end: usize) -> Span {
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX).saturating_add(self.shift);
        Span::new(at(start), at(end))
    }

    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        self.bytes(span.start(), span.end())
    }

    fn ident(&self, pair: &Pair<'_, Rule>) -> Ident {
        Ident { name: Name::new(pair.as_str()), span: self.span(pair) }
    }

    /// The next child, a name; an empty one where the grammar promised more than it holds.
    fn name(&self, parts: &mut Parts<'_>) -> Ident {
        parts.eat(Rule::name).map_or_else(
            || Ident { name: Name::new(""), span: Span::default() },
            |p| self.ident(&p),
        )
    }

    /// All names that follow.
    fn names(&self, parts: &mut Parts<'_>) -> Vec<Ident> {
        std::iter::from_fn(|| parts.eat(Rule::name)).map(|p| self.ident(&p)).collect()
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() <= MOST_FINDINGS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports a foreign spelling at `span` with the edit that mends it.
    fn instead(&mut self, code: Code, span: Span, title: String, label: &str, write: &str) {
        let fix = if write.trim().is_empty() {
            "remove it".to_owned()
        } else {
            format!("write `{}`", write.trim())
        };
        let diagnostic = Diagnostic::new(code, title, self.place(span), label).fix(
            fix,
            self.place(span),
            write,
            Safety::Safe,
        );
        self.report(diagnostic);
    }

    fn clauses(&mut self, parts: &mut Parts<'_>) -> Clauses {
        let mut clauses = Clauses::default();
        while let Some(Rule::text_clause | Rule::expr_clause) = parts.rule() {
            let Some(pair) = parts.next() else { break };
            let is_text = pair.as_rule() == Rule::text_clause;
            let mut inner = Parts::of(pair);
            let (Some(word), Some(value)) = (inner.next(), inner.next()) else { continue };
            let twice = if is_text {
                let text = self.text_literal(&value);
                let slot = match word.as_str() {
                    "because" => &mut clauses.because,
                    "source" => &mut clauses.source,
                    "from" => &mut clauses.from,
                    _ => &mut clauses.otherwise,
                };
                slot.replace(text).map(|old| old.span)
            } else {
                let expr = self.expr(value);
                let slot = match word.as_str() {
                    "in" => &mut clauses.range,
                    "dtype" => &mut clauses.dtype,
                    _ => &mut clauses.density,
                };
                slot.replace(expr).map(|old| old.span)
            };
            if let Some(first) = twice {
                self.clause_twice(&word, first);
            }
        }
        clauses
    }

    fn clause_twice(&mut self, word: &Pair<'_, Rule>, first: Span) {
        let title = format!("`{}` is given twice", word.as_str());
        let place = self.place(self.span(word));
        let diagnostic = Diagnostic::new(codes::CLAUSE_TWICE, title, place, "given again here")
            .and(self.place(first), "first given here")
            .note("each clause stands at most once after a value; remove one of the two");
        self.report(diagnostic);
    }

    /// Reports a statement that could not be read, unless it is the rest of one already reported.
    fn bad_stmt(&mut self, pair: &Pair<'_, Rule>) -> Span {
        let span = self.span(pair);
        match self.last_bad.filter(|last| recover::goes_on(self.text, *last, span)) {
            Some(last) => self.last_bad = Some(last.to(span)),
            None if self.diagnostics.len() > MOST_FINDINGS => {}
            None => {
                let diagnostic = recover::bad_stmt(self, pair.as_str(), span);
                self.report(diagnostic);
                self.last_bad = Some(span);
            }
        }
        span
    }
}

/// A documentation line without its marker: one leading blank and trailing ones go.
pub(super) fn clean_doc(line: &str) -> &str {
    let line = line.trim_end();
    line.strip_prefix(' ').unwrap_or(line)
}

/// Collects `///` lines until what they document comes.
#[derive(Default)]
struct Docs<'i>(Vec<&'i str>);

impl<'i> Docs<'i> {
    fn push(&mut self, pair: &Pair<'i, Rule>) {
        self.0.push(clean_doc(pair.as_str().trim_start_matches("///")));
    }
    fn take(&mut self) -> Option<Arc<str>> {
        let lines = std::mem::take(&mut self.0);
        (!lines.is_empty()).then(|| lines.join("\n").into())
    }
}
