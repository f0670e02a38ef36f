//! Pieces and items.

use pest::iterators::Pair;

use super::{Docs, Lower, Parts, Rule};
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::source::Span;
use crate::syntax::ast::{Clauses, Ident, Import, ImportSource, Item, ItemKind, Param, Text, Type};
use crate::syntax::{recover, words};

/// The selective part of a `use`: names with what they are called here.
type UsedNames = Vec<(Ident, Option<Ident>)>;

impl Lower<'_> {
    /// All that one piece holds.
    pub(in crate::syntax) fn piece(&mut self, pair: Pair<'_, Rule>) -> Vec<Item> {
        let mut parts = Parts::of(pair);
        let mut docs = Docs::default();
        let mut items = Vec::new();
        while let Some(pair) = parts.next() {
            match pair.as_rule() {
                Rule::doc => docs.push(&pair),
                Rule::item => items.extend(self.item(pair, &mut docs)),
                Rule::use_item => items.push(self.import(pair, &mut docs)),
                Rule::broken => items.extend(self.broken(pair, &mut docs)),
                Rule::bad_item => self.bad_item(&pair),
                Rule::rest => self.rest(&pair, items.last()),
                _ => {}
            }
        }
        if self.open {
            self.unclosed();
        }
        items
    }

    /// The kind that the first word names, or nearly names, which is reported.
    fn kind(&mut self, word: &Pair<'_, Rule>) -> Option<ItemKind> {
        let text = word.as_str();
        if let Some(kind) = ItemKind::from_keyword(text) {
            return Some(kind);
        }
        let span = self.span(word);
        if let Some(kind) = words::foreign_item(text) {
            let title = format!("`{text}` is written `{}`", kind.keyword());
            let label = "a word of other languages";
            self.instead(codes::WRONG_WORD, span, title, label, kind.keyword());
            return Some(kind);
        }
        let nearest = words::nearest_item(text)?;
        let diagnostic = recover::unknown_item(self, text, span, Some(nearest));
        self.report(diagnostic);
        Some(nearest)
    }

    fn item(&mut self, pair: Pair<'_, Rule>, docs: &mut Docs<'_>) -> Option<Item> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let p = &mut parts;
        let word = p.eat(Rule::word)?;
        let Some(kind) = self.kind(&word) else {
            let at = self.span(&word);
            let diagnostic = recover::unknown_item(self, word.as_str(), at, None);
            self.report(diagnostic);
            return None;
        };
        let mut item = blank(kind, self.name(p), span);
        item.docs = docs.take();
        item.label = self.label(p);
        if p.eat(Rule::of_word).is_some() {
            item.of = Some(self.name(p));
        }
        item.params = p.eat(Rule::params).map(|params| self.params(params));
        item.result = p.eat(Rule::result).and_then(|result| {
            let ty = Parts::of(result).next()?;
            Some(self.type_expr(ty))
        });
        if let Some(assign) = p.eat(Rule::item_assign) {
            if assign.as_str() == ":=" {
                let span = self.span(&assign);
                let title = "`:=` is written `=`".to_owned();
                self.instead(codes::WRONG_WORD, span, title, "a value is given here", "=");
            }
            item.value = Some(self.next_expr(p));
        }
        item.clauses = self.clauses(p);
        item.body = p.eat(Rule::block).map(|block| self.body(block));
        if let Some(body) = &item.body {
            item.span.end = item.span.end.max(body.span.end);
        }
        Some(item)
    }

    fn label(&mut self, p: &mut Parts<'_>) -> Option<Text> {
        match p.rule() {
            Some(Rule::text | Rule::unterminated | Rule::quoted) => {
                p.next().map(|text| self.text_literal(&text))
            }
            _ => None,
        }
    }

    fn params(&mut self, pair: Pair<'_, Rule>) -> Vec<Param> {
        let mut parts = Parts::of(pair);
        let mut docs = Docs::default();
        let mut params = Vec::new();
        while let Some(pair) = parts.next() {
            if pair.as_rule() == Rule::doc {
                docs.push(&pair);
                continue;
            }
            let span = self.span(&pair);
            let mut inner = Parts::of(pair);
            let name = self.name(&mut inner);
            let ty = inner.eat(Rule::type_expr).map(|ty| self.type_expr(ty));
            let default = inner.next().map(|value| self.expr(value));
            params.push(Param { name, ty, default, docs: docs.take(), span });
        }
        params
    }

    fn type_expr(&mut self, pair: Pair<'_, Rule>) -> Type {
        let mut ty =
            Type { parts: Vec::new(), axes: None, optional: false, span: self.span(&pair) };
        let mut sign = 1_i8;
        let mut parts = Parts::of(pair);
        while let Some(pair) = parts.next() {
            match pair.as_rule() {
                Rule::name => ty.parts.push((self.ident(&pair), sign)),
                Rule::type_op => sign = if pair.as_str() == "/" { -1 } else { 1 },
                Rule::axes => ty.axes = Some(self.axes(pair)),
                Rule::optional => ty.optional = true,
                Rule::power => {
                    let span = self.span(&pair);
                    let power = self.power(pair.as_str().trim_start_matches('^'), span);
                    if let Some((_, exponent)) = ty.parts.last_mut() {
                        *exponent = exponent.saturating_mul(power);
                    }
                }
                _ => {}
            }
        }
        ty
    }

    fn import(&mut self, pair: Pair<'_, Rule>, docs: &mut Docs<'_>) -> Item {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let p = &mut parts;
        if let Some(word) = p.eat(Rule::use_word).filter(|word| word.as_str() != "use") {
            let title = format!("`{}` is written `use`", word.as_str());
            let at = self.span(&word);
            self.instead(codes::WRONG_WORD, at, title, "a word of other languages", "use");
        }
        let file = self.label(p);
        let path = self.names(p);
        let names = p.eat(Rule::use_list).map(|list| self.used_names(list));
        let alias = p.eat(Rule::use_as).map(|alias| self.name(&mut Parts::of(alias)));
        let name = path.last().copied().unwrap_or_else(|| match &file {
            Some(text) => Ident { name: text.plain().as_str().into(), span: text.span },
            None => Ident { name: "".into(), span },
        });
        let from = match file {
            Some(text) => ImportSource::File(text, path),
            None => ImportSource::Path(path),
        };
        let mut item = blank(ItemKind::Use, name, span);
        item.docs = docs.take();
        item.import = Some(Import { from, names, alias });
        item
    }

    fn used_names(&self, pair: Pair<'_, Rule>) -> UsedNames {
        let mut parts = Parts::of(pair);
        std::iter::from_fn(|| parts.next())
            .map(|one| {
                let mut inner = Parts::of(one);
                (self.name(&mut inner), inner.eat(Rule::name).map(|p| self.ident(&p)))
            })
            .collect()
    }

    /// An item whose header cannot be read: what it declares, and its body, are kept.
    fn broken(&mut self, pair: Pair<'_, Rule>, docs: &mut Docs<'_>) -> Option<Item> {
        let (span, bytes) = (self.span(&pair), pair.as_span());
        let mut parts = Parts::of(pair);
        let word = parts.eat(Rule::word)?;
        let before = self.diagnostics.len();
        let kind = self.kind(&word);
        let name = parts.eat(Rule::name).map(|name| self.ident(&name));
        if self.diagnostics.len() == before {
            let slice = self.text.get(bytes.start()..).unwrap_or("");
            let diagnostic = recover::bad_item(self, slice, span.start);
            self.report(diagnostic);
        }
        let kind = kind?;
        parts.eat(Rule::bad_header);
        let mut item = blank(kind, name?, span);
        item.docs = docs.take();
        item.broken = true;
        item.body = parts.eat(Rule::block).map(|block| self.body(block));
        Some(item)
    }

    fn bad_item(&mut self, pair: &Pair<'_, Rule>) {
        let span = self.span(pair);
        let diagnostic = recover::bad_item(self, pair.as_str(), span.start);
        self.report(diagnostic);
    }

    /// What stands after the end of the item.
    fn rest(&mut self, pair: &Pair<'_, Rule>, item: Option<&Item>) {
        if item.is_some_and(|item| item.broken) || item.is_none() && !self.diagnostics.is_empty() {
            return; // already reported
        }
        let start = self.span(pair).start;
        let line = pair.as_str().lines().next().unwrap_or("").trim_end();
        let end = start + u32::try_from(line.len()).unwrap_or(1);
        let body = item.and_then(|item| item.body.as_ref());
        let place = self.place(Span::new(start, end));
        let diagnostic = match body {
            Some(body) => {
                let close = Span::new(body.span.end.saturating_sub(1), body.span.end);
                let extra =
                    if line.starts_with('}') { "one `}` too many" } else { "belongs to nothing" };
                Diagnostic::new(
                    codes::UNEXPECTED,
                    "this stands after the end of its item",
                    place,
                    extra,
                )
                .and(self.place(close), "the item ends here")
            }
            None if line.starts_with(['}', ')', ']']) => {
                let bracket = line.get(..1).unwrap_or("");
                let title = format!("`{bracket}` closes nothing");
                let at = self.place(Span::new(start, start + 1));
                Diagnostic::new(codes::UNEXPECTED, title, at, "no bracket is open here").fix(
                    "remove it",
                    at,
                    "",
                    Safety::Review,
                )
            }
            None => Diagnostic::new(
                codes::UNEXPECTED,
                "this line belongs to nothing",
                place,
                "the item before it has no body",
            )
            .note("an item's statements stand between `{` at the end of its first line and `}`"),
        };
        self.report(diagnostic);
    }
}

/// An item of which nothing is known but its kind and name.
fn blank(kind: ItemKind, name: Ident, span: Span) -> Item {
    Item {
        span,
        kind,
        name,
        label: None,
        docs: None,
        params: None,
        result: None,
        of: None,
        value: None,
        clauses: Clauses::default(),
        body: None,
        import: None,
        broken: false,
    }
}
