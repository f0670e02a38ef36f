//! What is said about text that the grammar cannot read.
//!
//! In: the unreadable slice, which is parsed again to learn how far it made sense. Out: one
//! diagnostic in words that a person uses; rule names never leave this file.

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};

use super::ast::ItemKind;
use super::grammar::{Grammar, Rule};
use super::lower::Lower;
use super::pieces::Piece;
use super::token::{Kind, Token, tokens};
use super::words;
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::source::Span;

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

/// The braces of a piece that are never closed. A closing brace that starts its line belongs to
/// a line indented like it, so an inner brace is found rather than the outermost one.
pub(super) fn unclosed_braces(text: &str) -> Vec<usize> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut lost = Vec::new();
    let mut line_start = true;
    for token in tokens(text) {
        match token.text(text) {
            "{" => open.push((token.start, indent(text, token.start))),
            "}" => {
                let own = indent(text, token.start);
                while line_start
                    && open.len() > 1
                    && open.last().is_some_and(|(_, column)| *column > own)
                {
                    lost.extend(open.pop().map(|(at, _)| at));
                }
                open.pop();
            }
            _ => {}
        }
        line_start = token.kind == Kind::Line;
    }
    lost.extend(open.into_iter().map(|(at, _)| at));
    lost.sort_unstable();
    lost
}

/// An opening bracket without its partner. `open` counts bytes in the text of `lower`.
pub(super) fn unclosed(lower: &Lower<'_>, open: usize, bracket: char) -> Diagnostic {
    let close = match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    let place = lower.place(lower.bytes(open, open + 1));
    let title = format!("this `{bracket}` is never closed");
    let mut diagnostic =
        Diagnostic::new(codes::UNCLOSED, title, place, format!("its `{close}` is missing"));
    if bracket == '{' {
        let (at, text) = missing_brace(lower.text, open);
        let at = lower.place(lower.bytes(at, at));
        diagnostic = diagnostic.fix("close the body", at, text, Safety::Review);
    }
    diagnostic
}

/// Where the closing brace of the body opened at `open` belongs, and how it is written there.
fn missing_brace(text: &str, open: usize) -> (usize, String) {
    let column = indent(text, open);
    let mut at = open;
    let mut last = open + 1;
    for (number, line) in text.get(open..).unwrap_or("").split_inclusive('\n').enumerate() {
        let content = line.trim();
        let width = line.len() - line.trim_start_matches([' ', '\t']).len();
        if number > 0 && !content.is_empty() && width <= column {
            break;
        }
        if !content.is_empty() {
            last = at + line.trim_end().len();
        }
        at += line.len();
    }
    let one_line = !text.get(open..last).unwrap_or("").contains('\n');
    let write = if one_line { " }".to_owned() } else { format!("\n{}}}", " ".repeat(column)) };
    (last, write)
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

/// An expression given alone that could not be read.
pub(super) fn bad_expr(lower: &Lower<'_>, error: Error<Rule>) -> Diagnostic {
    let slice = lower.text.trim_end();
    let broken =
        Broken { lower, slice, base: 0, own: slice.len(), tokens: tokens(slice), is_item: false };
    broken.explain(Some(error))
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

/// An unreadable slice with its tokens.
struct Broken<'a> {
    lower: &'a Lower<'a>,
    slice: &'a str,
    /// Where the slice starts in the text of `lower`.
    base: usize,
    /// How much of the slice was unreadable; the rest of its line only helps to explain.
    own: usize,
    tokens: Vec<Token>,
    is_item: bool,
}

impl Broken<'_> {
    fn place(&self, token: &Token) -> crate::source::Place {
        self.lower.place(self.lower.bytes(self.base + token.start, self.base + token.end))
    }

    fn text(&self, token: &Token) -> &str {
        token.text(self.slice)
    }

    fn text_at(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |t| self.text(t))
    }

    fn explain(&self, error: Option<Error<Rule>>) -> Diagnostic {
        let at = error.as_ref().map_or(0, |e| match e.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        });
        let after_blanks = self.slice.get(at..).unwrap_or("");
        let at = at + after_blanks.len() - after_blanks.trim_start_matches([' ', '\t', '\r']).len();
        let index = self.tokens.iter().position(|t| t.end > at).unwrap_or(self.tokens.len());
        self.unfinished_text()
            .or_else(|| self.brackets(at))
            .or_else(|| self.foreign(index))
            .unwrap_or_else(|| self.unexpected(index, Wanted::of(error.as_ref())))
    }

    fn unfinished_text(&self) -> Option<Diagnostic> {
        let ends = |t: &str| t.len() > 1 && t.ends_with('"') && !t.ends_with("\\\"");
        let token = self.tokens.iter().find(|t| t.kind == Kind::Text && !ends(self.text(t)))?;
        let title = "this text does not end on its line";
        let place = self.place(token);
        let note = "a text ends with `\"` on the line where it starts; a quote inside it is written `\\\"`";
        Some(Diagnostic::new(codes::UNTERMINATED_TEXT, title, place, "starts here").note(note))
    }

    /// A bracket without its partner.
    fn brackets(&self, at: usize) -> Option<Diagnostic> {
        let mut open: Vec<&Token> = Vec::new();
        let line = self.slice.get(at..).and_then(|s| s.find('\n')).unwrap_or(self.slice.len());
        let symbols = self.tokens.iter().filter(|t| t.kind == Kind::Symbol);
        for token in symbols {
            let partner = match self.text(token) {
                "(" | "[" | "{" => {
                    open.push(token);
                    continue;
                }
                ")" => "(",
                "]" => "[",
                "}" => "{",
                _ => continue,
            };
            match open.pop() {
                Some(last) if self.text(last) == partner => {}
                Some(last) => {
                    let close = self.text(token);
                    let said = self.unclosed(last);
                    return Some(said.and(self.place(token), format!("`{close}` comes first")));
                }
                None if token.end > self.own => break,
                None if self.is_item && token.start > at.saturating_add(line) => break,
                None => {
                    let close = self.text(token);
                    let title = format!("`{close}` closes nothing");
                    let place = self.place(token);
                    let label = "no bracket is open here";
                    return Some(Diagnostic::new(codes::UNEXPECTED, title, place, label).fix(
                        "remove it",
                        place,
                        "",
                        Safety::Review,
                    ));
                }
            }
        }
        let last = if self.is_item {
            open.into_iter().find(|t| self.text(t) != "{")
        } else {
            open.into_iter().rfind(|t| t.end <= self.own)
        };
        last.map(|token| self.unclosed(token))
    }

    fn unclosed(&self, token: &Token) -> Diagnostic {
        let bracket = self.text(token).chars().next().unwrap_or('(');
        unclosed(self.lower, self.base + token.start, bracket)
    }

    /// Spellings of other languages, at or before the token where reading stopped.
    fn foreign(&self, index: usize) -> Option<Diagnostic> {
        self.odd_character(index)
            .or_else(|| self.lone_percent(index))
            .or_else(|| self.statement_word())
            .or_else(|| self.foreign_word(index))
    }

    pub(super) fn odd_character(&self, index: usize) -> Option<Diagnostic> {
        let token = self.tokens.get(index)?;
        let (write, what) = match self.text(token) {
            "#" => ("//", "a comment starts with `//`"),
            "\u{201c}" | "\u{201d}" | "\u{201e}" => ("\"", "a text stands in plain double quotes"),
            "\u{d7}" | "\u{b7}" => ("*", "a product is written with `*`"),
            "\u{f7}" => ("/", "a quotient is written with `/`"),
            "\u{2264}" => ("<=", "less or equal is written `<=`"),
            "\u{2265}" => (">=", "greater or equal is written `>=`"),
            "\u{2260}" => ("!=", "not equal is written `!=`"),
            "\u{2192}" => ("->", "an arrow is written `->`"),
            "\u{2013}" | "\u{2212}" => ("-", "minus is written `-`"),
            "\u{2026}" => ("..", "a range is written `..`"),
            odd if !odd.is_ascii() => {
                let title = format!("`{odd}` is no part of a name or an operator");
                let place = self.place(token);
                let label = "not used in Mesa";
                let note = "names are made of the letters a to z and A to Z, digits and `_`";
                return Some(Diagnostic::new(codes::UNEXPECTED, title, place, label).note(note));
            }
            _ => return None,
        };
        Some(self.instead(token, what.to_owned(), write, Safety::Review))
    }

    fn instead(&self, token: &Token, title: String, write: &str, safety: Safety) -> Diagnostic {
        let place = self.place(token);
        Diagnostic::new(codes::WRONG_WORD, title, place, "a spelling of other languages").fix(
            format!("write `{write}`"),
            place,
            write,
            safety,
        )
    }

    /// `5 %` at the end of a value.
    fn lone_percent(&self, index: usize) -> Option<Diagnostic> {
        let number = self.tokens.get(index.checked_sub(2)?)?;
        let percent = self.tokens.get(index.checked_sub(1)?)?;
        if self.text(percent) != "%" || number.kind != Kind::Number {
            return None;
        }
        let title = "a percent sign stands at its number without a blank";
        let write = format!("{}%", self.text(number));
        let both = Token { end: percent.end, ..*number };
        let place = self.place(&both);
        let label = "with a blank, `%` is the remainder of a division";
        Some(Diagnostic::new(codes::BAD_NUMBER, title, place, label).fix(
            format!("write `{write}`"),
            place,
            write,
            Safety::Safe,
        ))
    }

    /// A statement of another language, known by its first word.
    fn statement_word(&self) -> Option<Diagnostic> {
        if self.is_item {
            return None;
        }
        let token = self.tokens.first()?;
        let word = self.text(token);
        let what = match word {
            "for" | "while" | "loop" | "foreach" => "a body is repeated with `repeat i in n { … }`",
            "return" | "yield" => "a block gives its result with `output y`",
            "assert" | "check" | "ensure" => "a condition is demanded with `require` or `expect`",
            "else" | "elif" | "elsif" => "`else` stands on the line where the body before it ends",
            "import" | "use" | "include" => "`use` stands in column 0, outside of items",
            "func" | "def" | "function" | "fn" => "functions are items: `fn` stands in column 0",
            "switch" | "match" | "case" => "a choice is written `if c then a else b`",
            _ => return None,
        };
        let title = format!("`{word}` starts no statement");
        let place = self.place(token);
        Some(Diagnostic::new(codes::WRONG_WORD, title, place, "not a word of Mesa here").note(what))
    }

    fn foreign_word(&self, index: usize) -> Option<Diagnostic> {
        let token = self.tokens.get(index)?;
        let before = index.checked_sub(1).map_or("", |i| self.text_at(i));
        match (self.text(token), before) {
            ("=", "=" | "!" | "<" | ">") => None,
            ("+" | "-" | "*" | "/", _) if index > 0 && self.text_at(index + 1) == "=" => {
                let before = self.text(token);
                let title = format!("`{before}=` changes a value, and values in Mesa never change");
                let place = self.place(token);
                let label = "give the result a name of its own";
                Some(Diagnostic::new(codes::WRONG_WORD, title, place, label))
            }
            ("=", _) if index > 1 && !self.is_item => {
                let title = "`=` gives a name its value; `==` compares".to_owned();
                Some(self.instead(token, title, "==", Safety::Review))
            }
            ("?", _) => {
                let title = "a choice is written `if c then a else b`".to_owned();
                let place = self.place(token);
                let label = "an operator of other languages";
                Some(Diagnostic::new(codes::WRONG_WORD, title, place, label))
            }
            ("elif", _) => {
                let title = "`elif` is written `else if`".to_owned();
                Some(self.instead(token, title, "else if", Safety::Safe))
            }
            ("xor" | "is" | "&" | "~" | "@" | "$" | "`" | "\\", _) => {
                let title = format!("`{}` is no operator of Mesa", self.text(token));
                let place = self.place(token);
                Some(Diagnostic::new(codes::WRONG_WORD, title, place, "not known"))
            }
            _ => None,
        }
    }

    /// Nothing special: what stands here, and what was expected.
    fn unexpected(&self, index: usize, wanted: Wanted) -> Diagnostic {
        let before = index.checked_sub(1).and_then(|i| self.tokens.get(i));
        let before = before.filter(|t| t.kind != Kind::Line).map(|t| shorten(self.text(t)));
        let wanted = self.wanted_here(index, wanted);
        let found = self.tokens.get(index).filter(|t| t.kind != Kind::Line);
        let (title, place) = match (found, &wanted) {
            (None, Some(w)) => (format!("the line ends where {w} is expected"), self.end(index)),
            (None, None) => ("the line ends too early".to_owned(), self.end(index)),
            (Some(token), Some(w)) => {
                let shown = shorten(self.text(token));
                (format!("`{shown}` stands where {w} is expected"), self.place(token))
            }
            (Some(token), None) => {
                let shown = shorten(self.text(token));
                let title = if index == 0 {
                    format!("`{shown}` starts no statement")
                } else {
                    format!("`{shown}` does not belong here")
                };
                (title, self.place(token))
            }
        };
        let label = match (&wanted, before) {
            (Some(w), Some(before)) => format!("expected {w} after `{before}`"),
            (Some(w), None) => format!("expected {w}"),
            (None, Some(_)) => "the statement is complete before this".to_owned(),
            (None, None) => "a statement starts with a name or a word".to_owned(),
        };
        let diagnostic = Diagnostic::new(codes::UNEXPECTED, title, place, label);
        match wanted {
            None if index > 0 => diagnostic
                .note("a statement ends with its line; two values on it are joined by an operator"),
            _ => diagnostic,
        }
    }

    /// The end of what was read before token `index`.
    fn end(&self, index: usize) -> crate::source::Place {
        let before = index.checked_sub(1).and_then(|i| self.tokens.get(i));
        let end = self.base + before.map_or(0, |t| t.end);
        self.lower.place(self.lower.bytes(end, end))
    }

    /// Between open brackets a complete value wants a comma or the closing bracket.
    fn wanted_here(&self, index: usize, wanted: Wanted) -> Option<String> {
        let mut open = Vec::new();
        for token in self.tokens.iter().take(index) {
            match self.text(token) {
                "(" => open.push("`,` or `)`"),
                "[" => open.push("`,` or `]`"),
                "{" => open.push("`,` or `}`"),
                ")" | "]" | "}" => {
                    open.pop();
                }
                _ => {}
            }
        }
        match wanted {
            Wanted::This(what) => Some(what.to_owned()),
            Wanted::Nothing => open.last().map(|&what| what.to_owned()),
        }
    }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 24 {
        return text.to_owned();
    }
    text.chars().take(23).chain(['…']).collect()
}

/// What would have made sense where reading stopped.
enum Wanted {
    This(&'static str),
    /// Only what is optional, such as an operator.
    Nothing,
}

impl Wanted {
    fn of(error: Option<&Error<Rule>>) -> Self {
        let Some(Error { variant: ErrorVariant::ParsingError { positives, .. }, .. }) = error
        else {
            return Self::Nothing;
        };
        let has = |rules: &[Rule]| rules.iter().any(|rule| positives.contains(rule));
        let by_rule: [(&[Rule], &'static str); 16] = [
            (
                &[Rule::expr, Rule::wexpr, Rule::cond, Rule::number, Rule::paren, Rule::list],
                "a value",
            ),
            (&[Rule::level_part, Rule::level_list], "a number of devices, as in `8 of gpu`,"),
            (&[Rule::arg, Rule::call], "an argument"),
            (&[Rule::type_expr, Rule::one], "a type"),
            (&[Rule::then_word], "`then`"),
            (&[Rule::else_word], "`else`"),
            (&[Rule::in_word], "`in`"),
            (&[Rule::over], "`over`"),
            (&[Rule::part_of], "`of`"),
            (&[Rule::params, Rule::result, Rule::item_assign], "`=`, `(` or `{`"),
            (&[Rule::assign], "`=`"),
            (&[Rule::text, Rule::unterminated], "a text in double quotes"),
            (&[Rule::name, Rule::vpath, Rule::mesh_axis, Rule::param, Rule::axis_ref], "a name"),
            (&[Rule::use_name], "a name"),
            (&[Rule::block], "`{`"),
            (&[Rule::use_list, Rule::use_as], "`as` or the end of the line"),
        ];
        by_rule.iter().find(|(rules, _)| has(rules)).map_or(Self::Nothing, |(_, s)| Self::This(s))
    }
}

/// How many lines in column 0 are looked at for the end of a body.
const MOST_LINES: usize = 100;

/// A body with lines in column 0 falls into pieces: that is said once, at the first such line.
pub(super) fn merge_unindented(text: &str, pieces: &[Piece], found: &mut Vec<Diagnostic>) {
    if !found.iter().any(|d| d.code == codes::UNCLOSED) {
        return;
    }
    for (index, piece) in pieces.iter().enumerate() {
        let rest = pieces.get(index + 1..).unwrap_or_default();
        let inside = |d: &Diagnostic, from: u32, to: u32| {
            d.place().is_some_and(|p| p.span.start >= from && p.span.start < to)
        };
        let opens = |d: &Diagnostic| d.code == codes::UNCLOSED && inside(d, piece.start, piece.end);
        if piece.kind.is_none() || !found.iter().any(opens) {
            continue;
        }
        let balanced = |last: &&Piece| {
            let whole = text.get(piece.start as usize..last.end as usize).unwrap_or("");
            unclosed_braces(whole).is_empty()
        };
        let lines = rest.iter().take_while(|p| p.kind.is_none()).take(MOST_LINES);
        let (Some(first), Some(last)) = (rest.first(), lines.into_iter().find(balanced)) else {
            continue;
        };
        found.retain(|d| !opens(d));
        let Some(at) = found.iter().position(|d| inside(d, first.start, last.end)) else {
            continue;
        };
        if let Some(diagnostic) = found.get_mut(at)
            && piece.text(text).trim_end().ends_with('{')
        {
            *diagnostic = not_indented(diagnostic, first, text);
        }
        let mut position = 0;
        found.retain(|d| {
            position += 1;
            position == at + 1 || !inside(d, first.start, last.end)
        });
    }
}

fn not_indented(found: &Diagnostic, first: &Piece, text: &str) -> Diagnostic {
    let line = first.text(text).trim_start();
    let start = first.end.saturating_sub(u32::try_from(line.len()).unwrap_or(0));
    let width = line.lines().next().map_or(0, |line| line.trim_end().len());
    let span = Span::new(start, start + u32::try_from(width).unwrap_or(0));
    let file = found.place().map_or(crate::source::FileId(0), |p| p.file);
    let place = crate::source::Place { file, span };
    let title = "the body of this item is not indented";
    Diagnostic::new(codes::UNEXPECTED, title, place, "stands in column 0")
        .note("what stands in column 0 starts an item; indent the body by two blanks")
}
