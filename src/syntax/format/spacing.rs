//! Whether a blank stands between two tokens of a line.
//!
//! In: a token with what stands before it. Out: yes or no. Where a blank has a meaning (`3 GB / n`
//! divides, `3 GB/n` is a unit) the tokens already differ, so no answer here changes a meaning.

use crate::syntax::token::Kind;

/// A token with what decides its blanks.
#[derive(Clone, Copy)]
pub(super) struct Spaced<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Whether it is a sign or a spread, which clings to what follows.
    pub(super) clings: bool,
    /// Whether it is the first token of a statement.
    pub(super) first: bool,
    /// Whether it is a brace of `use x.{A, B}`.
    pub(super) list_brace: bool,
}

/// Words that no name can be where they stand before an operand.
pub(super) fn joins(word: &str) -> bool {
    matches!(word, "and" | "or" | "not" | "if" | "then" | "else" | "per")
}

/// Words before which and after which a value begins.
fn leads(word: &str) -> bool {
    joins(word)
        || matches!(
            word,
            "in" | "dtype"
                | "density"
                | "via"
                | "schedule"
                | "output"
                | "require"
                | "expect"
                | "where"
                | "minimize"
                | "maximize"
                | "of"
        )
}

/// Whether `-` after `before` is a sign, and `..` a spread.
pub(super) fn clings(text: &str, before: Option<Spaced<'_>>) -> bool {
    let Some(before) = before else { return true };
    match text {
        "-" => match before.kind {
            Kind::Symbol => !matches!(before.text, ")" | "]" | "}" | "?"),
            // `output` begins a statement, and elsewhere is a name: `serve.output - 1`
            Kind::Word => before.first || joins(before.text) || before.text == "in",
            _ => false,
        },
        ".." => matches!(before.text, "[" | ","),
        _ => false,
    }
}

/// Whether a blank stands between `before` and `token`; `apart` tells whether one was written.
pub(super) fn blank(before: Spaced<'_>, token: Spaced<'_>, apart: bool) -> bool {
    if before.clings {
        return false;
    }
    match (before.text, token.text) {
        (_, "%") if token.kind == Kind::Unit => false,
        (_, "," | ";" | ")" | "]" | ":" | "." | "?") | ("(" | "[" | ".", _) => false,
        (_, "}") if token.list_brace => false,
        ("{", _) if before.list_brace => false,
        ("{", "}") => false,
        (_, "^") => before.kind == Kind::Unit,
        ("^", _) => before.first,
        (_, "(") => match before.kind {
            Kind::Word => {
                joins(before.text)
                    || (before.first && matches!(before.text, "require" | "expect" | "where"))
                    || (apart && leads(before.text))
            }
            Kind::Symbol => !matches!(before.text, ")" | "]"),
            _ => true,
        },
        (_, "[") => match before.kind {
            Kind::Word => apart && leads(before.text),
            _ => true,
        },
        _ => true,
    }
}
