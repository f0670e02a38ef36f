//! Numbers with their units, and texts with their holes.

use std::sync::Arc;

use pest::Parser;
use pest::iterators::Pair;

use super::{Lower, Parts, Rule};
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Ident, Text, TextPart, UnitExpr};
use crate::syntax::depth;
use crate::syntax::grammar::Grammar;
use crate::syntax::recover;

/// What stands for thousands elsewhere: no unit, so that a blank before it would not help.
pub const THOUSANDS: [&str; 5] = ["k", "K", "M", "G", "T"];
/// What is said of them.
pub const NO_THOUSANDS: &str = "a number has no suffix for thousands";
/// What to write instead of them.
pub const WITHOUT_THOUSANDS: &str = "write the digits (`32_000`), or a product (`32 * 1024`)";

impl Lower<'_> {
    /// `3.35 TB/s`, `70_553_706_496`, `10%`, and the foreign `.5`, `1.`, `80GB`, `1,000`.
    pub(super) fn number(&mut self, pair: &Pair<'_, Rule>) -> ExprKind {
        let (text, start) = (pair.as_str(), pair.as_span().start());
        let end = literal_end(text);
        let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let span = self.bytes(start, start + end);
        self.check_spelling(digits, span);
        let (value, integer) = value_of(digits);
        if !value.is_finite() {
            let title = format!("`{digits}` is larger than any number Mesa computes with");
            let place = self.place(span);
            self.report(Diagnostic::new(codes::BAD_NUMBER, title, place, "at most 1.8e308"));
        }
        let unit = self.unit(rest, start + end);
        ExprKind::Number { value, integer, unit }
    }

    fn check_spelling(&mut self, digits: &str, span: Span) {
        let (title, label, write) = if digits.starts_with('.') {
            ("a number has a digit before its point", "the digit is missing", format!("0{digits}"))
        } else if digits.ends_with('.') {
            ("a number has a digit after its point", "the digit is missing", format!("{digits}0"))
        } else if digits.contains(',') {
            let write = digits.replace(',', "_");
            ("thousands are grouped with `_`, not with a comma", "a comma separates values", write)
        } else {
            return;
        };
        self.instead(codes::BAD_NUMBER, span, title.to_owned(), label, &write);
    }

    fn unit(&mut self, rest: &str, start: usize) -> Option<UnitExpr> {
        let text = rest.trim_start_matches([' ', '\t', '\r']);
        if text.is_empty() {
            return None;
        }
        let start = start + rest.len() - text.len();
        let span = self.bytes(start, start + text.len());
        if text == "%" {
            let name = Ident { name: Name::new("%"), span };
            return Some(UnitExpr { span, parts: vec![(name, 1)] });
        }
        if text.len() == rest.len() && THOUSANDS.contains(&text) {
            let (place, label) = (self.place(span), "neither digit nor unit");
            let finding = Diagnostic::new(codes::BAD_NUMBER, NO_THOUSANDS, place, label);
            self.report(finding.note(WITHOUT_THOUSANDS));
            return None;
        }
        if text.len() == rest.len() {
            let title = "a blank stands between a number and its unit";
            let gap = self.place(Span::new(span.start, span.start));
            let diagnostic = Diagnostic::new(
                codes::BAD_NUMBER,
                title,
                self.place(span),
                "the unit",
            )
            .fix("insert a blank", gap, " ", Safety::Safe);
            self.report(diagnostic);
        }
        let mut parts = Vec::new();
        let mut at = start;
        for (index, part) in text.split('/').enumerate() {
            let (name, power) = part.split_once('^').unwrap_or((part, "1"));
            let sign = if index == 0 { 1 } else { -1 };
            let ident = Ident { name: Name::new(name), span: self.bytes(at, at + name.len()) };
            parts.push((ident, self.power(power, span).saturating_mul(sign)));
            at += part.len() + 1;
        }
        Some(UnitExpr { span, parts })
    }

    /// An exponent after `^`.
    pub(super) fn power(&mut self, digits: &str, span: Span) -> i8 {
        match digits.parse::<i8>() {
            Ok(power) if power.unsigned_abs() <= 9 => power,
            _ => {
                let title = format!("`{digits}` is no exponent of a unit");
                let place = self.place(span);
                let label = "an exponent lies between -9 and 9";
                self.report(Diagnostic::new(codes::BAD_NUMBER, title, place, label));
                1
            }
        }
    }

    /// A text, also one in the spellings that are foreign.
    pub(super) fn text_literal(&mut self, pair: &Pair<'_, Rule>) -> Text {
        let span = self.span(pair);
        let raw = pair.as_str().trim_end_matches('\r');
        let inner = match pair.as_rule() {
            Rule::unterminated => {
                self.unterminated(span, raw);
                raw.get(1..).unwrap_or("")
            }
            rule => {
                let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or("");
                if rule == Rule::quoted {
                    let title = "a text stands in double quotes".to_owned();
                    let write = format!("\"{}\"", inner.replace('"', "\\\""));
                    self.instead(codes::WRONG_WORD, span, title, "in single quotes", &write);
                }
                inner
            }
        };
        let parts = if inner.contains(['\\', '{', '}']) {
            self.text_parts(inner, pair.as_span().start() + 1)
        } else if inner.is_empty() {
            Vec::new()
        } else {
            vec![TextPart::Plain(inner.into())]
        };
        Text { span, parts }
    }

    fn unterminated(&mut self, span: Span, raw: &str) {
        let at = Span::new(span.start, span.start + 1);
        let code = raw.find(" //").unwrap_or(raw.len());
        let end = raw.get(..code).unwrap_or(raw).trim_end_matches([' ', '\t', ',', '}', ')', ']']);
        let close = span.start + u32::try_from(end.len()).unwrap_or(1).max(1);
        let place = self.place(Span::new(close, close));
        let diagnostic = Diagnostic::new(
            codes::UNTERMINATED_TEXT,
            "this text does not end on its line",
            self.place(at),
            "the text starts here",
        )
        .note(recover::TEXT_ENDS)
        .fix("close the text", place, "\"", Safety::Review);
        self.report(diagnostic);
    }

    fn text_parts(&mut self, inner: &str, start: usize) -> Vec<TextPart> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut chars = inner.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => {
                    if let Some((_, escaped)) = chars.next() {
                        self.escape(escaped, start + at, &mut plain);
                    }
                }
                '{' if chars.next_if(|(_, c)| *c == '{').is_some() => plain.push('{'),
                '}' if chars.next_if(|(_, c)| *c == '}').is_some() => plain.push('}'),
                '{' => {
                    let rest = inner.get(at + 1..).unwrap_or("");
                    let Some(length) = rest.find('}') else {
                        self.bad_brace(start + at, "{");
                        plain.push('{');
                        continue;
                    };
                    if !plain.is_empty() {
                        parts.push(TextPart::Plain(Arc::from(plain.as_str())));
                        plain.clear();
                    }
                    let hole = rest.get(..length).unwrap_or("");
                    parts.push(TextPart::Hole(self.hole(hole, start + at + 1)));
                    while chars.next_if(|(i, _)| *i <= at + 1 + length).is_some() {}
                }
                '}' => {
                    self.bad_brace(start + at, "}");
                    plain.push('}');
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            parts.push(TextPart::Plain(plain.into()));
        }
        parts
    }

    fn escape(&mut self, escaped: char, at: usize, plain: &mut String) {
        match escaped {
            'n' => plain.push('\n'),
            't' => plain.push('\t'),
            '"' | '\\' => plain.push(escaped),
            other => {
                plain.push(other);
                let place = self.place(self.bytes(at, at + 1 + other.len_utf8()));
                let title = format!("`\\{other}` stands for nothing in a text");
                let label = "known are `\\\"`, `\\\\`, `\\n` and `\\t`";
                self.report(Diagnostic::new(codes::UNEXPECTED, title, place, label));
            }
        }
    }

    fn bad_brace(&mut self, at: usize, brace: &str) {
        let place = self.place(self.bytes(at, at + 1));
        let title = format!("a lone `{brace}` stands in a text");
        let diagnostic = Diagnostic::new(codes::UNEXPECTED, title, place, "has no partner")
            .note("`{…}` in a text shows a value")
            .fix("write a plain brace", place, brace.repeat(2), Safety::Review);
        self.report(diagnostic);
    }

    /// The expression between `{` and `}` of a text.
    fn hole(&mut self, hole: &str, start: usize) -> Expr {
        let span = self.bytes(start, start + hole.len());
        let pairs = match depth::too_deep(hole) {
            None => Grammar::parse(Rule::only_expr, hole).ok(),
            Some(_) => None,
        };
        let Some(pairs) = pairs else {
            let place = self.place(span);
            let title = "between the braces of a text stands no value";
            let brace = self.place(Span::new(span.start - 1, span.start));
            let diagnostic = Diagnostic::new(codes::UNEXPECTED, title, place, "not a value")
                .note("`{name}` in a text shows a value; a plain brace is written `{{` or `}}`")
                .fix("write a plain brace", brace, "{{", Safety::Review);
            self.report(diagnostic);
            return Expr { span, kind: ExprKind::Error };
        };
        let mut inner = Lower::new(hole, self.file, self.offset);
        inner.shift = span.start;
        let expr = inner.only_expr(pairs);
        self.diagnostics.append(&mut inner.diagnostics);
        expr
    }

    /// The one expression of `only_expr`.
    fn only_expr(&mut self, mut pairs: pest::iterators::Pairs<'_, Rule>) -> Expr {
        let first = pairs.next().and_then(|only| Parts::of(only).next());
        let nothing = Expr { span: Span::default(), kind: ExprKind::Error };
        first.map_or(nothing, |expr| self.expr(expr))
    }
}

/// Where the unit begins in the text of a number.
fn literal_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    while let Some(&byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' | b'_' | b'.' | b',' => end += 1,
            b'e' | b'E' => match bytes.get(end + 1..) {
                Some([b'0'..=b'9', ..] | [b'+' | b'-', b'0'..=b'9', ..]) => end += 2,
                _ => break,
            },
            _ => break,
        }
    }
    end
}

fn value_of(digits: &str) -> (f64, bool) {
    let integer = digits.bytes().all(|b| b.is_ascii_digit() || b == b'_' || b == b',');
    let value = if digits.contains(['_', ',']) {
        digits.replace(['_', ','], "").parse()
    } else {
        digits.parse()
    };
    (value.unwrap_or(f64::NAN), integer)
}
