//! An unreadable slice: what stands where reading stopped, and what was expected there.
//!
//! In: the slice with pest's error. Out: the diagnostic.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::super::grammar::Rule;
use super::super::lower::Lower;
use super::super::token::{Kind, Token};
use super::{TEXT_ENDS, unclosed};
use crate::diagnostic::{Diagnostic, Safety, codes};
use crate::source::Place;

/// An unreadable slice with its tokens.
pub(super) struct Broken<'a> {
    pub(super) lower: &'a Lower<'a>,
    pub(super) slice: &'a str,
    /// Where the slice starts in the text of `lower`.
    pub(super) base: usize,
    /// How much of the slice was unreadable; the rest of its line only helps to explain.
    pub(super) own: usize,
    pub(super) tokens: Vec<Token>,
    pub(super) is_item: bool,
}

impl Broken<'_> {
    pub(super) fn place(&self, token: &Token) -> Place {
        self.lower.place(self.lower.bytes(self.base + token.start, self.base + token.end))
    }

    pub(super) fn text(&self, token: &Token) -> &str {
        token.text(self.slice)
    }

    pub(super) fn text_at(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |t| self.text(t))
    }

    pub(super) fn explain(&self, error: Option<Error<Rule>>) -> Diagnostic {
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
        Some(Diagnostic::new(codes::UNTERMINATED_TEXT, title, place, "starts here").note(TEXT_ENDS))
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
    fn end(&self, index: usize) -> Place {
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
        match self.by_statement(index, wanted) {
            Wanted::This(what) => Some(what.to_owned()),
            Wanted::Nothing => open.last().map(|&what| what.to_owned()),
        }
    }
}

impl Broken<'_> {
    /// What the first word says better than the rule at which reading stopped.
    fn by_statement(&self, index: usize, wanted: Wanted) -> Wanted {
        let Wanted::This(what) = wanted else { return wanted };
        let text = |at: usize| self.tokens.get(at).map_or("", |t| self.text(t));
        let before = index.checked_sub(1).map_or("", text);
        Wanted::This(match (self.is_item, text(0), what) {
            (true, "use", _) if index == 1 => "`std.` and a name, or a file in double quotes,",
            (true, "use", _) if before == "." => "a name or `{`",
            (true, "const" | "assume" | "fn" | "metric" | "unit" | "dimension", "`{`") => {
                return Wanted::Nothing;
            }
            (false, first, "`=`") if index == 1 && NAMED.contains(&first) => "a name",
            _ => what,
        })
    }
}

/// Statements that go on with a name.
const NAMED: [&str; 9] =
    ["mesh", "shard", "zero", "overlap", "fold", "level", "weight", "input", "vary"];

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
