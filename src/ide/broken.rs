//! Names in text that cannot be read: what each is used for, from the tokens around it.
//!
//! In: a view and a byte, or an item. Out: mentions as `mentions` has them of what can be read.

use super::context::{Context, call, context};
use super::mentions::{Mention, What, mentions};
use super::resolve::{Found, View};
use crate::check::ItemRef;
use crate::diagnostic::Severity;
use crate::name::Name;
use crate::source::{Place, Span};
use crate::syntax::ast::ItemKind;
use crate::syntax::token::{Kind, Token, tokens};

/// Unread uses of a name that are looked at in one item: each is a walk through its text.
const MOST: usize = 100;

/// Words of statements that name nothing.
const WORDS: [&str; 39] = [
    "use", "mesh", "shard", "over", "within", "schedule", "zero", "overlap", "fold", "across",
    "expect", "require", "else", "if", "then", "and", "or", "not", "with", "on", "of", "via", "at",
    "as", "in", "from", "because", "source", "per", "vary", "where", "minimize", "maximize",
    "input", "weight", "output", "repeat", "carry", "level",
];

/// The name at a byte, if it stands in something that cannot be read.
#[must_use]
pub fn mention_at<'p>(view: &View<'p>, byte: u32) -> Option<Found<'p>> {
    let cut = view.program.module(view.module).cut();
    let index = cut.piece_at(byte)?;
    let part = cut.pieces.get(index)?;
    let unread = part.parsed(view.text).1.iter().any(|d| d.severity == Severity::Error);
    if !unread {
        return None;
    }
    let (start, text) = (part.piece.start, part.piece.text(view.text));
    let at = byte.saturating_sub(start) as usize;
    let all = tokens(text);
    let touched = all.iter().filter(|t| t.start <= at && at <= t.end);
    let token = touched.rev().find(|t| matches!(t.kind, Kind::Word | Kind::Unit))?;
    // What cannot be read at all stands for itself: any item will do to look up names from.
    let item = view.program.items_of_piece(view.module, index).next();
    let item = item.or_else(|| stand_in(view))?;
    let mention = mention(view, item, (start, text), token, Some(at))?;
    let place = Place { file: view.file, span: mention.span.shifted(start) };
    Some(Found { item, mention, place })
}

/// Where `name` stands in what cannot be read of a piece, as mentions whose spans count from the
/// start of the piece.
#[must_use]
pub fn mentions_of(view: &View<'_>, item: ItemRef<'_>, name: Name) -> Vec<Mention> {
    let cut = view.program.module(view.module).cut();
    let part = cut.piece_at(item.offset).and_then(|i| cut.pieces.get(i));
    let errors = part.map(|p| &p.parsed(view.text).1).into_iter().flatten();
    let (Some(part), true) = (part, errors.into_iter().any(|d| d.severity == Severity::Error))
    else {
        return Vec::new();
    };
    let (start, text) = (part.piece.start, part.piece.text(view.text));
    let read = mentions(item.item);
    let known = |t: &Token| read.iter().any(|m| m.span.start as usize == t.start);
    let all = tokens(text);
    let named = all.iter().filter(|t| t.kind == Kind::Word && name == t.text(text) && !known(t));
    let named = named.take(MOST);
    named.filter_map(|token| mention(view, item, (start, text), token, None)).collect()
}

/// The parameters that the header of an item declares, as written, where it cannot be read.
#[must_use]
pub fn params(view: &View<'_>, byte: u32) -> Vec<(Name, String)> {
    let cut = view.program.module(view.module).cut();
    let Some(part) = cut.piece_at(byte).and_then(|i| cut.pieces.get(i)) else { return Vec::new() };
    let text = part.piece.text(view.text);
    let all = tokens(text);
    // `plan Name(`: anything else has no parameters.
    let header = all.iter().filter(|t| !matches!(t.kind, Kind::Comment | Kind::Line));
    if header.clone().nth(2).is_none_or(|t| t.text(text) != "(") {
        return Vec::new();
    }
    let (mut depth, mut out) = (0, Vec::new());
    let mut begun: Option<&Token> = None;
    for token in header.skip(2) {
        match token.text(text) {
            "(" | "[" | "{" if token.kind == Kind::Symbol => depth += 1,
            close @ (")" | "]" | "}" | ",") if token.kind == Kind::Symbol => {
                let ends = depth == 1 && matches!(close, ")" | ",");
                if let Some(first) = begun.take_if(|_| ends) {
                    let head = text.get(first.start..token.start).unwrap_or("").trim();
                    if head.contains(':') {
                        out.push((Name::new(first.text(text)), super::describe::one_line(head)));
                    }
                }
                depth -= i32::from(close != ",");
                if depth == 0 {
                    break;
                }
            }
            _ if depth == 1 && begun.is_none() && token.kind == Kind::Word => begun = Some(token),
            _ => {}
        }
    }
    out
}

/// An item of the file that has no names of its own.
fn stand_in<'p>(view: &View<'p>) -> Option<ItemRef<'p>> {
    let program = view.program;
    let kinds = [ItemKind::Use, ItemKind::Const, ItemKind::Scenario];
    let own = program.items_of_kinds(view.module, &kinds).into_iter().next();
    let units = program.std_module("units")?;
    own.or_else(|| program.items_of_kind(units, ItemKind::Dimension).into_iter().next())
}

/// What a token of a piece is used for; of a unit the part at a byte.
fn mention(
    view: &View<'_>,
    item: ItemRef<'_>,
    (start, text): (u32, &str),
    token: &Token,
    at: Option<usize>,
) -> Option<Mention> {
    let span = |from: usize, to: usize| Span::new(from as u32, to as u32);
    if token.kind == Kind::Unit {
        let (from, to) = unit_part(text, token, at?)?;
        let name = Name::new(text.get(from..to)?);
        return Some(Mention { name, span: span(from, to), what: What::Unit });
    }
    let word = token.text(text);
    let context = context(view, start + token.end as u32);
    if context.comment || context.text.is_some() {
        return None;
    }
    let rest = text.get(token.end..).unwrap_or("").trim_start_matches([' ', '\t']);
    let what = used_for(&context, item, word, rest)?;
    Some(Mention { name: Name::new(word), span: span(token.start, token.end), what })
}

/// The name in a unit that a byte touches: `GB` or `s` of `GB/s`.
fn unit_part(text: &str, token: &Token, at: usize) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_ascii_alphabetic();
    let before = text.get(token.start..at)?.trim_end_matches(is_part).len() + token.start;
    let after = text.get(before..token.end)?;
    let end = after.find(|c| !is_part(c)).map_or(token.end, |i| before + i);
    (before < end).then_some((before, end))
}

fn used_for(c: &Context, item: ItemRef<'_>, word: &str, rest: &str) -> Option<What> {
    let name = Name::new(word);
    let path: Vec<Name> = c.path.iter().copied().chain([name]).collect();
    let imports = c.first() == "use"
        || c.open.first().is_some_and(|o| o.head.first().is_some_and(|w| w == "use"));
    if imports {
        return import(c, path);
    }
    if c.path.is_empty() && WORDS.contains(&word) {
        return None;
    }
    let settings = c.open.last().is_some_and(|o| o.bracket == '{')
        && !matches!(item.item.kind, ItemKind::Block | ItemKind::Op | ItemKind::Fn);
    if c.first() == "vary" && !c.has("in") {
        let of: Vec<Name> = item.item.of.iter().map(|of| of.name).collect();
        return Some(What::Setting(path.into(), of.as_slice().into()));
    }
    let sets = rest.is_empty() || rest.starts_with(['=', '{', '.', '\n', '\r', '}', ',']);
    let begins = c.statement.len() <= 2 * c.path.len();
    if settings && begins && sets && !rest.starts_with("==") {
        let full: Vec<Name> = c.sections().into_iter().chain(path).collect();
        return Some(What::Setting(full.into(), [].into()));
    }
    if !c.path.is_empty() {
        return Some(What::Field(path.into()));
    }
    Some(match c.open.last().map(|o| o.bracket) {
        Some('(') if c.starts() && rest.starts_with(':') => {
            let (callee, _) = call(c)?;
            if c.item.is_some() && c.open.len() == 1 && callee.last().copied() == c.item {
                What::Param
            } else {
                What::Argument(callee.into(), false)
            }
        }
        Some('(') if c.open.len() == 1 && c.last() == ":" => What::Type,
        Some('[') if !settings && c.open.len() > 1 => What::Axis,
        _ => statement(c, rest),
    })
}

/// What a bare name in a statement is used for.
fn statement(c: &Context, rest: &str) -> What {
    match c.first() {
        "shard" | "zero" | "overlap" if c.has("within") => What::Scope,
        "shard" if c.has("schedule") => What::Value,
        "shard" | "zero" if c.has("over") => What::Mesh,
        "shard" => What::Sharded,
        "zero" | "overlap" => What::Role,
        _ if c.last() == "within" => What::Scope,
        _ if rest.starts_with('(') => What::Callee,
        _ => What::Value,
    }
}

/// A name after `use`, by the path to it.
fn import(c: &Context, path: Vec<Name>) -> Option<What> {
    let before: Vec<&String> = c.open.iter().flat_map(|o| &o.head).collect();
    if before.iter().copied().chain(&c.statement).any(|t| t.starts_with('"')) {
        return None;
    }
    let names = before.into_iter().filter(|t| *t != "use" && *t != ".");
    let full: Vec<Name> = names.map(|t| Name::new(t)).chain(path).collect();
    Some(What::Module(full.into()))
}
