//! What is said about text that the grammar cannot read.
//!
//! In: the unreadable slice, which is parsed again to learn how far it made sense. Out: one
//! diagnostic in words that a person uses; rule names never leave this folder.

mod braces;
mod broken;
mod foreign;

use pest::Parser;
use pest::error::Error;

pub(super) use self::braces::{merge_unindented, unclosed, unclosed_braces};
use self::broken::Broken;
use super::ast::ItemKind;
use super::grammar::{Grammar, Rule};
use super::lower::Lower;
use super::token::tokens;
use super::words;
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::source::Span;

/// How a text ends.
pub(super) const TEXT_ENDS: &str =
    "a text ends with `\"` on the line where it starts; a quote inside it is written `\\\"`";

/// Whether an unreadable statement at `span` is only the rest of the one at `last`.
pub(super) fn goes_on(text: &str, last: Span, span: Span) -> bool {
    let between = text.get(last.end as usize..span.start as usize).unwrap_or("");
    if !between.contains('\n') {
        return true;
    }
    let is_gap = |line: &str| line.trim().is_empty() || line.trim_start().starts_with("//");
    let closes = text.get(span.start as usize..).is_some_and(|s| s.starts_with([')', ']']));
    between.lines().skip(1).all(is_gap)
        && (closes || indent(text, span.start as usize) > indent(text, last.start as usize))
}

/// The blanks before the first character of the line that holds `at`.
fn indent(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let line = text.get(start..).unwrap_or("");
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// A statement that could not be read.
pub(super) fn bad_stmt(lower: &Lower<'_>, slice: &str, span: Span) -> Diagnostic {
    let base = lower.text.len().min(span.start as usize);
    let own = slice.trim_end().len();
    // A slice ends at a comma; what follows on the line tells more about what was meant.
    let rest = lower.text.get(base + own..).unwrap_or("");
    let line = own + rest.find('\n').unwrap_or(rest.len());
    let slice = lower.text.get(base..base + line).unwrap_or(slice).trim_end();
    let error = reparse(Rule::only_stmt, slice);
    Broken { lower, slice, base, own, tokens: tokens(slice), is_item: false }.explain(error)
}

/// Where reading `slice` as `rule` fails. The blank after it lets a last word be complete.
fn reparse(rule: Rule, slice: &str) -> Option<Error<Rule>> {
    Grammar::parse(rule, &format!("{slice} ")).err()
}

/// An item that could not be read, from its first word on.
pub(super) fn bad_item(lower: &Lower<'_>, slice: &str, start: u32) -> Diagnostic {
    let slice = slice.trim_end();
    let tokens = tokens(slice);
    let word = tokens.first().map_or("", |t| t.text(slice));
    let span = Span::new(start, start + u32::try_from(word.len()).unwrap_or(0));
    if word == "{" {
        let place = lower.place(span);
        let title = "a body starts on the line of its item";
        return Diagnostic::new(codes::UNEXPECTED, title, place, "starts a line of its own")
            .note("`{` stands at the end of the line it belongs to");
    }
    let known = ItemKind::from_keyword(word).is_some() || words::foreign_item(word).is_some();
    if !known {
        let nearest = words::nearest_item(word);
        let broken =
            Broken { lower, slice, base: start as usize, own: slice.len(), tokens, is_item: true };
        if let Some(odd) = broken.odd_character(0) {
            return odd;
        }
        let follows = broken.tokens.get(1).map_or("", |t| t.text(slice));
        if matches!(follows, "=" | ":" | "." | "[" | "{") && nearest.is_none() {
            return line_of_a_body(lower, word, span, follows);
        }
        return unknown_item(lower, word, span, nearest);
    }
    let rule =
        if matches!(word, "use" | "import" | "include") { Rule::only_use } else { Rule::only_item };
    let error = reparse(rule, slice);
    Broken { lower, slice, base: start as usize, own: slice.len(), tokens, is_item: true }
        .explain(error)
}

/// `x = 3` in column 0.
fn line_of_a_body(lower: &Lower<'_>, word: &str, span: Span, follows: &str) -> Diagnostic {
    let place = lower.place(span);
    let title = format!("`{word}` stands in column 0 and starts no item");
    let diagnostic = Diagnostic::new(codes::UNKNOWN_ITEM, title, place, "not an item keyword");
    let before = lower.place(Span::new(span.start, span.start));
    if follows == "=" {
        diagnostic
            .note("what belongs to a body is indented; a value of its own is a `const`")
            .fix("indent it", before, "  ", Safety::Review)
            .fix("declare a constant", before, "const ", Safety::Review)
    } else {
        diagnostic.note("what belongs to a body is indented").fix(
            "indent it",
            before,
            "  ",
            Safety::Review,
        )
    }
}

/// A first word that names no kind of item.
pub(super) fn unknown_item(
    lower: &Lower<'_>,
    word: &str,
    span: Span,
    nearest: Option<ItemKind>,
) -> Diagnostic {
    let place = lower.place(span);
    let title = format!("`{word}` starts no item");
    let diagnostic = Diagnostic::new(codes::UNKNOWN_ITEM, title, place, "not an item keyword");
    match nearest {
        Some(kind) => {
            let keyword = kind.keyword();
            diagnostic.fix(format!("write `{keyword}`"), place, keyword, Safety::Review)
        }
        None => {
            let all: Vec<&str> = ItemKind::ALL.iter().map(|k| k.keyword()).collect();
            diagnostic.note(format!("a line in column 0 starts with one of: {}", all.join(" ")))
        }
    }
}
