//! Tokens, for what the grammar does not serve: messages about broken text, and the formatter.
//!
//! In: any text. Out: its tokens in order; what lies between them is blanks. The cuts agree with
//! the grammar: a unit is one token, and `//` starts a comment wherever it is not in a text.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a word.
    Word,
    /// The digits of a number, without its unit.
    Number,
    /// `TB/s`, `%`.
    Unit,
    /// `"…"`, also one that does not end.
    Text,
    /// An operator, a bracket, anything else.
    Symbol,
    /// `// …`, `/// …`, `//! …`, to the end of the line.
    Comment,
    /// A line end.
    Line,
}

/// A token: what it is and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Token {
    /// The token as written.
    pub(crate) fn text<'a>(&self, source: &'a str) -> &'a str {
        source.get(self.start..self.end).unwrap_or("")
    }
}

/// Words that follow a number without being its unit.
const NOT_UNITS: [&str; 22] = [
    "in", "of", "per", "and", "or", "then", "else", "because", "source", "from", "dtype",
    "density", "on", "with", "via", "at", "over", "within", "schedule", "across", "as", "carry",
];

/// The tokens of `text`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut scan = Scan { text, bytes: text.as_bytes(), at: 0 };
    let mut tokens = Vec::with_capacity(text.len() / 4);
    while let Some(token) = scan.token() {
        tokens.push(token);
        if token.kind == Kind::Number
            && let Some(unit) = scan.unit()
        {
            tokens.push(unit);
        }
    }
    tokens
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip(&mut self, mut more: impl FnMut(u8) -> bool) {
        while self.at < self.bytes.len() && more(self.peek(0)) {
            self.at += 1;
        }
    }

    fn token(&mut self) -> Option<Token> {
        self.skip(|b| matches!(b, b' ' | b'\t' | b'\r'));
        let start = self.at;
        let first = *self.bytes.get(start)?;
        let kind = match first {
            b'\n' => {
                self.at += 1;
                Kind::Line
            }
            b'/' if self.peek(1) == b'/' => {
                self.skip(|b| b != b'\n');
                Kind::Comment
            }
            b'"' => {
                self.text_literal();
                Kind::Text
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                self.skip(is_part);
                Kind::Word
            }
            b'0'..=b'9' => {
                self.number();
                Kind::Number
            }
            _ => {
                self.symbol(first);
                Kind::Symbol
            }
        };
        let mut end = self.at;
        if kind == Kind::Comment || kind == Kind::Text {
            let written = self.text.get(start..end).unwrap_or("");
            end = start + written.trim_end_matches(['\r', ' ', '\t']).len();
        }
        Some(Token { kind, start, end })
    }

    fn text_literal(&mut self) {
        self.at += 1;
        loop {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' if !matches!(self.peek(1), b'\n' | 0) => self.at += 2,
                b'\n' => return,
                _ if self.at >= self.bytes.len() => {
                    self.at = self.bytes.len();
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    fn number(&mut self) {
        let digit = |b: u8| b.is_ascii_digit() || b == b'_';
        self.skip(digit);
        if self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
            self.at += 1;
            self.skip(digit);
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            let mut end = 1 + sign;
            while self.peek(end).is_ascii_digit() {
                end += 1;
            }
            if end > 1 + sign && !is_part(self.peek(end)) {
                self.at += end;
            }
        }
    }

    /// The unit of the number just read.
    fn unit(&mut self) -> Option<Token> {
        let before = self.at;
        if self.peek(0) == b'%' {
            self.at += 1;
            return Some(Token { kind: Kind::Unit, start: before, end: self.at });
        }
        self.skip(|b| matches!(b, b' ' | b'\t' | b'\r'));
        let start = self.at;
        self.skip(is_part);
        let word = self.text.get(start..self.at).unwrap_or("");
        if !word.starts_with(|c: char| c.is_ascii_alphabetic()) || NOT_UNITS.contains(&word) {
            self.at = before;
            return None;
        }
        self.exponent();
        while self.peek(0) == b'/' && self.peek(1).is_ascii_alphabetic() {
            self.at += 1;
            self.skip(is_part);
            self.exponent();
        }
        Some(Token { kind: Kind::Unit, start, end: self.at })
    }

    fn exponent(&mut self) {
        let sign = usize::from(self.peek(1) == b'-');
        if self.peek(0) == b'^' && self.peek(1 + sign).is_ascii_digit() {
            self.at += 1 + sign;
            self.skip(|b| b.is_ascii_digit());
        }
    }

    fn symbol(&mut self, first: u8) {
        let pair = [first, self.peek(1)];
        let two = [b"->", b"..", b"==", b"!=", b"<=", b">=", b"&&", b"||", b"**", b":="];
        self.at += if two.contains(&&pair) { 2 } else { 1 };
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
    }
}
