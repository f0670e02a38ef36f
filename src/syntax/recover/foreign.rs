//! Spellings of other languages in an unreadable slice.
//!
//! In: the slice and the token where reading stopped. Out: what Mesa says instead, if it is known.

use super::super::token::{Kind, Token};
use super::broken::Broken;
use crate::diagnostic::{Diagnostic, Safety, codes};

impl Broken<'_> {
    /// Spellings of other languages, at or before the token where reading stopped.
    pub(super) fn foreign(&self, index: usize) -> Option<Diagnostic> {
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
                let title = format!("`{before}=` changes a value, and values never change");
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
}
