//! From tokens to lines with their indentation.
//!
//! In: a text. Out: its [`Line`]s as the author broke them, spaced and indented, with what
//! [`super::align`] needs to know about each.

use super::spacing::{Spaced, blank, clings, joins};
use crate::syntax::token::{Kind, Token, tokens};

/// A line of the output.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    /// Blanks at its start.
    pub(super) indent: usize,
    /// The code on it, spaced.
    pub(super) code: String,
    /// The comment at its end, or all of it.
    pub(super) comment: Option<&'a str>,
    /// Whether an empty line stands before it.
    pub(super) blank_before: bool,
    /// Whether it is a whole statement.
    pub(super) whole: bool,
    /// The word that tells which statements align with it.
    pub(super) key: &'a str,
    /// Where in `code` its `=` (or `over`, `in`) stands.
    pub(super) mark: Option<usize>,
    /// Where in `code` its `from` or `source` clause begins.
    pub(super) clause: Option<usize>,
    /// Blanks between code and comment.
    pub(super) gap: usize,
    /// Whether an item starts here.
    starts_item: bool,
}

impl Line<'_> {
    /// Appends the line with its line end.
    pub(super) fn write(&self, out: &mut String) {
        let blanks = |out: &mut String, n: usize| out.extend(std::iter::repeat_n(' ', n));
        blanks(out, self.indent);
        out.push_str(&self.code);
        if let Some(comment) = self.comment {
            if !self.code.is_empty() {
                blanks(out, self.gap);
            }
            out.push_str(comment);
        }
        out.push('\n');
    }
}

/// The lines of `text`.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut layout = Layout::of(text, &tokens(text));
    layout.place_comments(0);
    let mut lines = layout.lines;
    separate_items(&mut lines);
    lines
}

/// How far a line that follows `before` is indented; `None` where nothing is known of it.
pub(super) fn indentation(before: &str, line: &str) -> Option<usize> {
    let text = [before, line].concat();
    let all = tokens(&text);
    let (first, rest) = all.split_at(all.partition_point(|t| t.start < before.len()));
    let layout = Layout::of(&text, first);
    let end = rest.iter().position(|t| matches!(t.kind, Kind::Line | Kind::Comment));
    let code = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    let open = layout.top();
    let starts = code.first().map(|t| (t.kind, t.text(&text)));
    if matches!(starts, Some((_, ")" | "]" | "}"))) {
        return Some(open.outer);
    }
    let item = layout.open.len() == 1 && matches!(starts, Some((_, "dtype")));
    let on = layout.wants_more() || layout.is_clause(code) && !item;
    if layout.open.len() > 1 {
        let on = on || !code.is_empty() && layout.goes_on(code);
        return Some(open.inner + if on { 2 } else { 0 });
    }
    let operator = matches!(starts, Some((Kind::Symbol, _)));
    if on || operator && layout.before.is_some() {
        return Some(2);
    }
    // After `because …` both another clause and an item may come.
    let last = layout.last_code.and_then(|at| layout.lines.get(at));
    last.is_none_or(|line| line.starts_item).then_some(0)
}

/// An open bracket, or the file, with the statement being read in it.
#[derive(Clone, Copy, Default)]
struct Open<'a> {
    /// The bracket; empty for the file.
    bracket: &'a str,
    /// Indentation of the line it opens on.
    outer: usize,
    /// Indentation of what stands in it.
    inner: usize,
    /// Whether it holds elements that commas separate.
    list: bool,
    /// Whether nothing follows it on its line.
    last: bool,
    /// The first word of the current statement.
    first: &'a str,
    /// Whether a comma continues the statement.
    commas: bool,
    /// Whether its `=` was seen.
    assigned: bool,
}

impl Open<'_> {
    fn statements(&self) -> bool {
        matches!(self.bracket, "" | "{") && !self.list
    }
}

struct Layout<'a> {
    text: &'a str,
    lines: Vec<Line<'a>>,
    open: Vec<Open<'a>>,
    /// The token before.
    before: Option<Spaced<'a>>,
    /// Empty lines since the last line.
    blanks: usize,
    /// Comment lines that wait for the indentation of what follows: with their blank before.
    comments: Vec<(&'a str, bool)>,
    /// The last line with code.
    last_code: Option<usize>,
}

impl<'a> Layout<'a> {
    fn of(text: &'a str, tokens: &[Token]) -> Self {
        let mut layout = Self {
            text,
            lines: Vec::with_capacity(text.len() / 24),
            open: vec![Open::default()],
            before: None,
            blanks: 0,
            comments: Vec::new(),
            last_code: None,
        };
        for line in tokens.split_inclusive(|t| t.kind == Kind::Line) {
            layout.line(line);
        }
        layout
    }

    /// Whether what stands before ends in the middle of something.
    fn wants_more(&self) -> bool {
        let Some(before) = self.before else { return false };
        match before.kind {
            Kind::Symbol if before.text == "," => self.top().statements() && self.top().commas,
            Kind::Symbol => !matches!(before.text, "(" | "[" | "{" | ")" | "]" | "}" | "?"),
            Kind::Word => joins(before.text),
            _ => false,
        }
    }

    fn line(&mut self, tokens: &[Token]) {
        let (code, comment) = self.cut(tokens);
        let Some(first) = code.first() else {
            match comment {
                Some(comment) => {
                    self.comments.push((comment, self.blanks > 0));
                    self.blanks = 0;
                }
                None => self.blanks += 1,
            }
            return;
        };
        let closes = matches!(first.text(self.text), ")" | "]" | "}");
        let goes_on = !closes && self.goes_on(code);
        let open = self.top();
        let indent = match (closes, goes_on) {
            (true, _) => open.outer,
            (false, true) => open.inner + 2,
            (false, false) => open.inner,
        };
        self.place_comments(if closes { open.inner } else { indent });
        let starts = !closes && !goes_on && open.statements();
        let after_opener = self.before.is_some_and(|b| matches!(b.text, "{" | "(" | "["));
        let has_comments = self.lines.len() > self.last_code.map_or(0, |at| at + 1);
        let mut line = Line {
            indent,
            comment,
            blank_before: self.blanks > 0 && !closes && (!after_opener || has_comments),
            starts_item: starts && self.open.len() == 1,
            gap: 2,
            ..Line::default()
        };
        self.blanks = 0;
        if closes {
            self.last_comma();
        }
        if goes_on && let Some(last) = self.last_code.and_then(|at| self.lines.get_mut(at)) {
            last.whole = false;
        }
        let depth = self.open.len();
        self.write_code(code, indent, starts, &mut line);
        line.whole = starts && self.open.len() == depth;
        self.last_code = Some(self.lines.len());
        self.lines.push(line);
    }

    /// The code of a line and the comment at its end.
    fn cut<'t>(&self, tokens: &'t [Token]) -> (&'t [Token], Option<&'a str>) {
        let tokens = match tokens {
            [code @ .., end] if end.kind == Kind::Line => code,
            all => all,
        };
        match tokens {
            [code @ .., last] if last.kind == Kind::Comment => (code, Some(last.text(self.text))),
            code => (code, None),
        }
    }

    fn top(&self) -> Open<'a> {
        self.open.last().copied().unwrap_or_default()
    }

    /// Whether a line continues what stands before it.
    fn goes_on(&self, code: &[Token]) -> bool {
        let (Some(first), Some(before)) = (code.first(), self.before) else { return false };
        let open = self.top();
        if self.open.len() == 1 {
            return !self.column_zero(first);
        }
        if !open.statements() {
            return !matches!(before.text, "," | "(" | "[" | "{");
        }
        match before.text {
            "{" | "}" => self.is_clause(code),
            "," => open.commas,
            ")" | "]" | "?" => self.is_clause(code),
            _ if before.kind == Kind::Symbol => true,
            word if before.kind == Kind::Word && joins(word) => true,
            _ => self.is_clause(code),
        }
    }

    fn column_zero(&self, token: &Token) -> bool {
        let before = token.start.checked_sub(1).and_then(|at| self.text.as_bytes().get(at));
        before.is_none_or(|byte| *byte == b'\n')
    }

    /// Whether a line starts with a clause rather than with a statement.
    fn is_clause(&self, code: &[Token]) -> bool {
        let [first, second, ..] = code else { return false };
        let next = second.text(self.text);
        match first.text(self.text) {
            "else" if next == "{" || next == "if" => {
                next == "if" && self.before.is_none_or(|b| b.text != "}")
            }
            "because" | "source" | "from" => second.kind == Kind::Text,
            "else" | "then" => next != "=",
            "in" | "dtype" | "density" | "carry" => !matches!(next, "=" | "." | "[" | "{" | ":"),
            _ => false,
        }
    }

    /// Writes the comment lines that wait.
    fn place_comments(&mut self, indent: usize) {
        let first = self.last_code.map_or(0, |at| at + 1);
        let after_opener = self.before.is_some_and(|b| matches!(b.text, "{" | "(" | "["));
        for (comment, blank) in std::mem::take(&mut self.comments) {
            let blank_before = blank && !(after_opener && self.lines.len() == first);
            self.lines.push(Line {
                indent,
                comment: Some(comment),
                blank_before,
                ..Line::default()
            });
        }
    }

    /// A list with lines of its own ends with a comma.
    fn last_comma(&mut self) {
        let open = self.top();
        let ends = self.before.is_none_or(|b| matches!(b.text, "," | "(" | "[" | "{"));
        if open.list
            && open.last
            && !ends
            && let Some(line) = self.last_code.and_then(|at| self.lines.get_mut(at))
        {
            line.code.push(',');
        }
    }

    fn write_code(&mut self, code: &[Token], indent: usize, starts: bool, line: &mut Line<'a>) {
        let depth = self.open.len();
        let mut commas = false;
        for (index, token) in code.iter().enumerate() {
            let text = token.text(self.text);
            let next = code.get(index + 1).map(|t| t.text(self.text));
            if text == "," && self.drops_comma(next) {
                continue;
            }
            let first = index == 0 && starts || self.begins_after_brace();
            let before = self.before.filter(|_| index > 0);
            let spaced = Spaced {
                kind: token.kind,
                text,
                clings: matches!(text, "-" | "..") && clings(text, before),
                first,
                list_brace: match text {
                    "{" => self.before.is_some_and(|b| b.text == "."),
                    "}" => self.top().list,
                    _ => false,
                },
            };
            let apart =
                index.checked_sub(1).and_then(|i| code.get(i)).is_some_and(|b| b.end < token.start);
            let is_gap = before.is_some_and(|b| blank(b, spaced, apart));
            if self.open.len() == depth && starts {
                commas |= text == "," && line.mark.is_some() && !self.top().commas;
                self.mark(code, index, line, usize::from(is_gap));
            }
            if is_gap {
                line.code.push(' ');
            }
            line.code.push_str(text);
            self.follow(spaced, indent, next);
        }
        if commas {
            (line.mark, line.clause) = (None, None);
        }
    }

    /// Whether a statement starts after the token before: `{ a = 1, b = 2 }`.
    fn begins_after_brace(&self) -> bool {
        let open = self.top();
        open.bracket == "{"
            && !open.list
            && self.before.is_some_and(|b| b.text == "{" || b.text == "," && !open.commas)
    }

    /// A comma before a bracket on its line is not needed, nor one that ends a setting's line.
    fn drops_comma(&self, next: Option<&str>) -> bool {
        let open = self.top();
        match next {
            Some(")" | "]" | "}") => true,
            None => open.bracket == "{" && !open.list && !open.commas && open.assigned,
            _ => false,
        }
    }

    /// Notes what lines are aligned by.
    fn mark(&self, code: &[Token], index: usize, line: &mut Line<'a>, gap: usize) {
        let word = |i: usize| code.get(i).map_or("", |t| t.text(self.text));
        let at = line.code.len() + gap;
        let text = word(index);
        if index == 0 {
            let leads = code.get(1).is_some_and(|t| t.kind == Kind::Word && word(1) != "within");
            line.key = if leads || self.open.len() == 1 { text } else { "" };
            return;
        }
        let marks = match line.key {
            "shard" | "zero" => text == "over",
            "vary" => text == "in",
            "if" => false,
            "" => text == "=",
            _ => text == "=" || text == "{" && word(index - 1) != ".",
        };
        if marks && line.mark.is_none() {
            line.mark = Some(at);
        }
        let is_text = code.get(index + 1).is_some_and(|t| t.kind == Kind::Text);
        if matches!(text, "from" | "source") && is_text && line.clause.is_none() {
            line.clause = Some(at);
        }
    }

    /// Keeps track of brackets and statements.
    fn follow(&mut self, token: Spaced<'a>, indent: usize, next: Option<&str>) {
        match token.text {
            "(" | "[" | "{" => {
                let called = self.before.is_some_and(|b| match b.kind {
                    Kind::Word => !(joins(b.text) || b.first && is_condition(b.text)),
                    _ => matches!(b.text, ")" | "]"),
                });
                self.open.push(Open {
                    bracket: token.text,
                    outer: indent,
                    inner: indent + 2,
                    list: match token.text {
                        "(" => called,
                        "[" => true,
                        _ => token.list_brace,
                    },
                    last: next.is_none(),
                    ..Open::default()
                });
            }
            ")" | "]" | "}" if self.open.len() > 1 => {
                self.open.pop();
            }
            _ => {
                if let Some(open) = self.open.last_mut() {
                    if token.first {
                        open.first = token.text;
                        open.assigned = false;
                        open.commas = matches!(
                            token.text,
                            "mesh"
                                | "shard"
                                | "zero"
                                | "overlap"
                                | "minimize"
                                | "maximize"
                                | "repeat"
                        ) && !matches!(next, Some("=" | "." | "["));
                    }
                    open.assigned |= token.text == "=";
                }
            }
        }
        self.before = Some(token);
    }
}

fn is_condition(word: &str) -> bool {
    matches!(word, "require" | "expect" | "where" | "output" | "minimize" | "maximize")
}

/// One empty line between items of several lines; between others the author's choice.
fn separate_items(lines: &mut [Line<'_>]) {
    let mut lead: Option<usize> = None; // the first comment line of the item to come
    let mut seen = false;
    let mut long_before = false;
    let mut index = 0;
    while index < lines.len() {
        let Some(line) = lines.get(index) else { break };
        if line.code.is_empty() {
            lead = lead.or(Some(index));
            index += 1;
            continue;
        }
        if line.starts_item {
            let length = item_length(lines.get(index..).unwrap_or_default());
            let start = lead.unwrap_or(index);
            if seen
                && (long_before || length > 1)
                && let Some(line) = lines.get_mut(start)
            {
                line.blank_before = true;
            }
            seen = true;
            long_before = length > 1;
            index += length;
        } else {
            index += 1;
        }
        lead = None;
    }
}

/// How many lines an item has, up to its last line with code.
fn item_length(lines: &[Line<'_>]) -> usize {
    let mut length = 1;
    for (index, line) in lines.iter().enumerate().skip(1) {
        if line.starts_item {
            break;
        }
        if !line.code.is_empty() {
            length = index + 1;
        }
    }
    length
}
