//! Where a cursor stands, from the tokens before it: this works in text that cannot be read.
//!
//! In: a view and a byte. Out: [`Context`]: the brackets that are open, the statement so far, and
//! the word being typed.

use super::resolve::View;
use crate::name::Name;
use crate::source::Span;
use crate::syntax::ast::ItemKind;
use crate::syntax::token::{Kind, Token, tokens};

/// A bracket that is open at the cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// `(`, `[` or `{`.
    pub bracket: char,
    /// The tokens of the statement before it.
    pub head: Vec<String>,
    /// The names of arguments that were given in it so far, in parentheses.
    pub given: Vec<String>,
    /// How many commas stand in it.
    pub commas: usize,
}

/// Where a cursor stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The kind of the item, as its first word says.
    pub kind: Option<ItemKind>,
    /// The name of the item.
    pub item: Option<Name>,
    /// Brackets that are open, outermost first.
    pub open: Vec<Open>,
    /// The tokens of the statement before the word being typed.
    pub statement: Vec<String>,
    /// The word being typed.
    pub word: String,
    /// Where it stands, the rest of it after the cursor included.
    pub span: Span,
    /// Whether the token before is a number, with blanks or without.
    pub after_number: bool,
    /// Whether the word goes on a unit: `s` in `3 TB/s`.
    pub joins: bool,
    /// The path before the word and a dot: `std.systems` in `std.systems.DG`.
    pub path: Vec<Name>,
    /// The text literal that the cursor stands in.
    pub text: Option<String>,
    /// Whether the cursor stands in a comment.
    pub comment: bool,
}

impl Context {
    /// Whether nothing stands before the word in its statement.
    #[must_use]
    pub fn starts(&self) -> bool {
        self.statement.is_empty()
    }
    /// The first word of the statement.
    #[must_use]
    pub fn first(&self) -> &str {
        self.statement.first().map_or("", String::as_str)
    }
    /// The token before the word.
    #[must_use]
    pub fn last(&self) -> &str {
        self.statement.last().map_or("", String::as_str)
    }
    /// Whether a word stands in the statement.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.statement.iter().any(|t| t == word)
    }
    /// Whether a value ends before the word, so that no other value can begin: only an operator or
    /// a clause goes on.
    #[must_use]
    pub fn after_operand(&self) -> bool {
        let words = [
            "with", "in", "because", "source", "and", "or", "not", "if", "then", "else", "on",
            "from", "dtype", "expect", "where", "minimize", "maximize", "for", "per",
        ];
        let last = self.last();
        let value = last.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            || matches!(last, ")" | "]" | "%");
        let expects = matches!(self.first(), "expect" | "where" | "minimize" | "maximize");
        let assigned = self.statement.iter().position(|t| t == "=");
        let begun = assigned.is_some_and(|at| at + 1 < self.statement.len());
        value && (expects || begun) && !words.contains(&last)
    }
    /// The sections that the cursor stands in, by name: `serve`, `compute.matrix`.
    #[must_use]
    pub fn sections(&self) -> Vec<Name> {
        let bodies = self.open.iter().filter(|o| o.bracket == '{').skip(1);
        let mut path = Vec::new();
        for body in bodies {
            if body.head.iter().any(|t| t == "with" || t == "=") {
                let set = body.head.split(|t| t == "=").next().unwrap_or_default();
                path.extend(set.iter().filter(|t| *t != ".").map(|t| Name::new(t)));
                continue;
            }
            let words = body
                .head
                .iter()
                .filter(|t| t.starts_with(|c: char| c.is_ascii_alphabetic()) && *t != "with");
            path.extend(words.take(2).map(|t| Name::new(t)));
        }
        path
    }
}

impl Context {
    /// The input whose values the cursor stands among: `serve.batch` in `vary serve.batch in [|`.
    #[must_use]
    pub fn varied(&self) -> Option<Vec<Name>> {
        let heads = self.open.iter().map(|o| &o.head).chain([&self.statement]);
        let mut all = heads.flatten().skip_while(|t| *t != "vary").skip(1);
        let mut path = Vec::new();
        loop {
            match all.next()?.as_str() {
                "." => {}
                "in" => return Some(path),
                word => path.push(Name::new(word)),
            }
        }
    }
    /// The tokens of the statement up to the parentheses that the cursor stands in.
    #[must_use]
    pub fn begun(&self) -> &[String] {
        let body = self.open.iter().rposition(|o| o.bracket == '{').map_or(0, |at| at + 1);
        self.open.get(body).map_or(&self.statement, |open| &open.head)
    }
    /// The whole path of the setting that is being written: `memory.hbm.capacity`.
    #[must_use]
    pub fn setting(&self) -> Option<Vec<Name>> {
        let at = self.statement.iter().position(|t| t == "=")?;
        let left = self.statement.get(..at)?.iter();
        let left = left.filter(|t| *t != ".").map(|t| Name::new(t));
        Some(self.sections().into_iter().chain(left).collect())
    }
}

/// Where a byte of a file stands.
#[must_use]
pub fn context(view: &View<'_>, byte: u32) -> Context {
    let cut = view.program.module(view.module).cut();
    let Some(part) = cut.piece_at(byte).and_then(|i| cut.pieces.get(i)) else {
        return Context { span: Span::new(byte, byte), ..Context::default() };
    };
    let piece = part.piece.text(view.text);
    let at = (byte.saturating_sub(part.piece.start) as usize).min(piece.len());
    let mut out = scan(piece, at);
    out.span = out.span.shifted(part.piece.start);
    out.kind = out.kind.or(part.piece.kind);
    out.item = out.item.or(part.piece.name);
    if out.starts() && out.open.is_empty() {
        out.item = None;
    } else if out.item.is_none() && out.open.is_empty() {
        out.item = out.statement.get(1).map(|name| Name::new(name));
    }
    out
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn scan(piece: &str, at: usize) -> Context {
    let before = piece.get(..at).unwrap_or("");
    let word_start = before.trim_end_matches(is_part).len();
    let rest = piece.get(at..).unwrap_or("");
    let word_end = at + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let mut out = Context {
        word: before.get(word_start..).unwrap_or("").to_owned(),
        span: Span::new(word_start as u32, word_end as u32),
        ..Context::default()
    };
    let all = tokens(before);
    if let Some(last) = all.last() {
        inside(&mut out, last, before);
    }
    if out.comment || out.text.is_some() {
        out.span = Span::new(at as u32, at as u32);
    }
    let mut before_last: Option<Kind> = None;
    let mut seen: Vec<(Kind, &str)> = Vec::new();
    // Where the line began in the statement, between parentheses.
    let mut line: Option<usize> = None;
    for token in &all {
        let text = token.text(before);
        if token.end > word_start && token.kind == Kind::Word && token.start >= word_start {
            break;
        }
        if token.kind == Kind::Unit && token.end > word_start && !out.word.is_empty() {
            out.joins = token.start < word_start;
            break;
        }
        if token.kind == Kind::Comment {
            continue;
        }
        seen.push((token.kind, text));
        if let Some(at) = line.filter(|at| begins_statement(&out, *at, token.kind, text)) {
            leave(&mut out, at);
        }
        step(&mut out, token.kind, text);
        match token.kind {
            Kind::Line => line = Some(out.statement.len()),
            Kind::Symbol if text != "." => line = None,
            _ => {}
        }
        if token.kind != Kind::Line {
            before_last = Some(token.kind);
        }
    }
    let rest = piece.get(word_end..).unwrap_or("").trim_start_matches([' ', '\t']);
    let sets = rest.starts_with('{') || (rest.starts_with('=') && !rest.starts_with("=="));
    if let Some(at) = line.filter(|at| begins_statement(&out, *at, Kind::Word, "")) {
        leave(&mut out, at);
        line = None;
    }
    if let Some(at) = line.filter(|_| sets && (!out.word.is_empty() || out.last() == ".")) {
        leave(&mut out, at);
    }
    out.after_number =
        before_last == Some(Kind::Number) && seen.last().is_some_and(|t| t.0 == Kind::Number);
    if let [.., (Kind::Unit, _), (Kind::Symbol, "/")] = seen.as_slice()
        && out.word.is_empty()
        && before.ends_with('/')
        && !before.ends_with(" /")
    {
        out.joins = true;
    }
    out.path = path_before(&seen);
    out
}

/// Whether a token shows that the line it stands in is a statement of the body, so that a
/// parenthesis before it was never closed: `serve {`, `serve.batch =`, `expect ttft`.
fn begins_statement(out: &Context, at: usize, kind: Kind, text: &str) -> bool {
    let Some([first, path @ ..]) = out.statement.get(at..) else { return false };
    let goes_on = matches!(first.as_str(), "with" | "then" | "else");
    if goes_on || !first.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return false;
    }
    let begins = [
        "expect", "mesh", "shard", "zero", "fold", "overlap", "vary", "where", "minimize",
        "maximize", "level", "weight", "input", "output",
    ];
    match kind {
        Kind::Symbol if text == "{" => path.is_empty(),
        Kind::Symbol if text == "=" => {
            path.chunks(2).all(|pair| matches!(pair, [dot, _] if dot == "."))
        }
        Kind::Word => path.is_empty() && begins.contains(&first.as_str()),
        _ => false,
    }
}

/// Leaves parentheses that were never closed, for a statement that begins `at` the given token.
fn leave(out: &mut Context, at: usize) {
    let unclosed = out.open.iter().rev().take_while(|open| open.bracket != '{').count();
    if unclosed > 0 && unclosed < out.open.len() {
        out.open.truncate(out.open.len() - unclosed);
        out.statement.drain(..at.min(out.statement.len()));
    }
}

fn inside(out: &mut Context, last: &Token, before: &str) {
    let text = last.text(before);
    match last.kind {
        Kind::Comment if !before.ends_with('\n') => out.comment = true,
        Kind::Text if text.len() == 1 || !text.ends_with('"') => {
            out.text = Some(text.trim_start_matches('"').to_owned());
        }
        _ => {}
    }
}

fn step(out: &mut Context, kind: Kind, text: &str) {
    match (kind, text) {
        (Kind::Line, _) => {
            let depth = out.open.last().map(|o| o.bracket);
            let goes_on = matches!(depth, Some('(' | '['))
                || matches!(
                    out.last(),
                    "=" | ","
                        | "+"
                        | "*"
                        | "/"
                        | "-"
                        | "and"
                        | "or"
                        | "else"
                        | "then"
                        | "|"
                        | "&"
                        | "<"
                        | ">"
                        | "<="
                        | ">="
                        | "=="
                );
            if !goes_on {
                out.statement.clear();
            }
        }
        (Kind::Symbol, "(" | "[" | "{") => {
            let head = std::mem::take(&mut out.statement);
            if out.open.is_empty() && out.kind.is_none() {
                out.kind = head.first().and_then(|w| ItemKind::from_keyword(w));
                out.item = head.get(1).map(|w| Name::new(w));
            }
            let bracket = text.chars().next().unwrap_or('{');
            out.open.push(Open { bracket, head, given: Vec::new(), commas: 0 });
        }
        (Kind::Symbol, ")" | "]" | "}") => {
            if let Some(open) = out.open.pop() {
                out.statement = open.head;
                out.statement.push(text.to_owned());
                if text == "}" {
                    out.statement.clear();
                }
            }
        }
        (Kind::Symbol, ",") => {
            if let Some(open) = out.open.last_mut() {
                open.commas += 1;
                if open.bracket == '{'
                    && matches!(out.statement.get(1).map(String::as_str), Some("=" | "."))
                {
                    out.statement.clear();
                    return;
                }
                if open.bracket == '(' {
                    out.statement.clear();
                    return;
                }
            }
            out.statement.push(",".into());
        }
        (Kind::Symbol, ":") => {
            let name = out.statement.last().cloned().unwrap_or_default();
            if let Some(open) = out.open.last_mut().filter(|o| o.bracket == '(') {
                open.given.push(name);
            }
            out.statement.push(":".into());
        }
        _ => out.statement.push(text.to_owned()),
    }
}

/// The dotted path that ends in a dot before the cursor.
fn path_before(seen: &[(Kind, &str)]) -> Vec<Name> {
    let mut rest = seen;
    let mut path = Vec::new();
    loop {
        match rest {
            [before @ .., (Kind::Word, name), (Kind::Symbol, ".")] => {
                path.push(Name::new(name));
                rest = before;
            }
            [.., (Kind::Text, _), (Kind::Symbol, ".")] => break,
            _ => break,
        }
    }
    path.reverse();
    path
}

/// The call that the cursor stands in: its callee, and which argument.
#[must_use]
pub fn call(context: &Context) -> Option<(Vec<Name>, &Open)> {
    let open = context.open.last().filter(|o| o.bracket == '(')?;
    let mut path = Vec::new();
    let mut tokens = open.head.iter().rev();
    loop {
        let word = tokens.next()?;
        if !word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return None;
        }
        path.push(Name::new(word));
        match tokens.next().map(String::as_str) {
            Some(".") => {}
            _ => break,
        }
    }
    path.reverse();
    Some((path, open))
}
