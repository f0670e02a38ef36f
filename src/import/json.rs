//! JSON with places: every value knows where it stands, so that a finding can point at it.
//!
//! In: the text of a `config.json`. Out: a [`Node`] tree, or what is wrong and where. Beyond the
//! standard it takes `NaN` and `Infinity`, which Python writes; nothing else.

use std::collections::HashMap;

use crate::source::Span;

/// Objects and lists inside of each other, at most.
const DEEPEST: usize = 64;

/// A value where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The bytes of the value.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number; `NaN` and infinities too.
    Number(f64),
    /// A text, escapes resolved.
    Text(String),
    /// `[…]`.
    List(Vec<Node>),
    /// `{…}`, in order.
    Object(Vec<Member>),
}

/// One `"key": value` of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The key.
    pub key: String,
    /// The bytes of the key with its quotes.
    pub span: Span,
    /// The value.
    pub value: Node,
}

/// What is wrong with a text that is not JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// Where.
    pub span: Span,
    /// What was expected there.
    pub expected: &'static str,
}

impl Node {
    /// The members of an object; none of anything else.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }
    /// The member called `key` of an object; the last one where it is written twice.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Object(members) => members.iter().rev().find(|m| m.key == key),
            _ => None,
        }
    }
    /// The member at a dotted path.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Member> {
        if let Some((objects, key)) = path.split_once(".*.") {
            let each = &self.at(objects)?.value;
            let mut values = each.members().iter().map(|m| m.value.at(key));
            let first = values.next()??;
            let same = |m: Option<&Member>| m.is_some_and(|m| m.value.kind == first.value.kind);
            return values.all(same).then_some(first);
        }
        let (mut node, mut found) = (self, None);
        for part in path.split('.') {
            let member = node.member(part)?;
            (node, found) = (&member.value, Some(member));
        }
        found
    }
    /// Keys that are written more than once, each with the place before.
    #[must_use]
    pub fn twice(&self) -> Vec<(&Member, Span)> {
        let (mut found, mut open) = (Vec::new(), vec![self]);
        while let Some(node) = open.pop() {
            if let Kind::List(items) = &node.kind {
                open.extend(items);
            }
            let mut seen: HashMap<&str, Span> = HashMap::new();
            for member in node.members() {
                let before = seen.insert(&member.key, member.span);
                found.extend(before.map(|before| (member, before)));
                open.push(&member.value);
            }
        }
        found
    }
    /// Whether it is a single value.
    fn is_plain(&self) -> bool {
        !matches!(self.kind, Kind::List(_) | Kind::Object(_))
    }
    /// The value as it stands in a sentence.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.kind {
            Kind::Null => "null".into(),
            Kind::Bool(b) => b.to_string(),
            Kind::Number(n) if n.is_nan() => "NaN".into(),
            Kind::Number(n) if n.is_infinite() => "infinite".into(),
            Kind::Number(n) => crate::check::show_number(*n),
            Kind::Text(t) => format!("\"{}\"", t.chars().take(40).collect::<String>()),
            Kind::List(items) if items.len() <= 4 && items.iter().all(Self::is_plain) => {
                let items: Vec<String> = items.iter().map(Self::shown).collect();
                format!("[{}]", items.join(", "))
            }
            Kind::List(_) => "a list".into(),
            Kind::Object(_) => "an object".into(),
        }
    }
}

/// Reads a whole text.
///
/// # Errors
/// The first place at which it is not JSON.
pub fn read(text: &str) -> Result<Node, Broken> {
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    let node = reader.value(0)?;
    reader.blanks();
    if reader.peek().is_some() {
        return Err(reader.broken("the end of the file"));
    }
    Ok(node)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
    fn broken(&self, expected: &'static str) -> Broken {
        let rest = self.rest();
        let is_comment = ["//", "/*", "#"].iter().any(|mark| rest.starts_with(mark));
        let expected = if is_comment { "JSON without comments" } else { expected };
        let width = rest.chars().next().map_or(0, char::len_utf8);
        Broken { span: span(self.at, self.at + width), expected }
    }
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }
    fn word(&mut self, word: &str) -> bool {
        let is_next = self.rest().starts_with(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<Node, Broken> {
        if depth > DEEPEST {
            return Err(self.broken("fewer brackets inside of each other"));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Kind::Text(self.string()?),
            _ if self.word("null") => Kind::Null,
            _ if self.word("true") => Kind::Bool(true),
            _ if self.word("false") => Kind::Bool(false),
            _ if self.word("NaN") => Kind::Number(f64::NAN),
            _ if self.word("Infinity") => Kind::Number(f64::INFINITY),
            _ if self.word("-Infinity") => Kind::Number(f64::NEG_INFINITY),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'\'') => return Err(self.broken("a text between double quotes")),
            Some(b'T' | b'F') => return Err(self.broken("`true` or `false`")),
            Some(b'N' | b'u') => return Err(self.broken("`null`")),
            _ => return Err(self.broken("a value")),
        };
        Ok(Node { span: span(start, self.at), kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, Broken> {
        let mut members = Vec::new();
        self.at += 1;
        self.blanks();
        if self.eat(b'}') {
            return Ok(Kind::Object(members));
        }
        loop {
            self.blanks();
            let start = self.at;
            if self.peek() == Some(b'}') {
                return Err(self.broken("another key, or no comma before this brace,"));
            }
            if self.peek() != Some(b'"') {
                return Err(self.broken("a key between double quotes"));
            }
            let key = self.string()?;
            let key_span = span(start, self.at);
            self.blanks();
            if !self.eat(b':') {
                return Err(self.broken("a colon"));
            }
            self.blanks();
            let value = self.value(depth + 1)?;
            members.push(Member { key, span: key_span, value });
            self.blanks();
            if self.eat(b'}') {
                return Ok(Kind::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.broken("a comma or a closing brace"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Kind, Broken> {
        let mut items = Vec::new();
        self.at += 1;
        self.blanks();
        if self.eat(b']') {
            return Ok(Kind::List(items));
        }
        loop {
            self.blanks();
            if self.peek() == Some(b']') {
                return Err(self.broken("another value, or no comma before this bracket,"));
            }
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat(b']') {
                return Ok(Kind::List(items));
            }
            if !self.eat(b',') {
                return Err(self.broken("a comma or a closing bracket"));
            }
        }
    }

    fn number(&mut self) -> Result<Kind, Broken> {
        let part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let rest = self.rest();
        let text = rest.get(..rest.find(|c| !part(c)).unwrap_or(rest.len())).unwrap_or("");
        match text.parse::<f64>() {
            Ok(number) => {
                self.at += text.len();
                Ok(Kind::Number(number))
            }
            Err(_) => Err(self.broken("a number")),
        }
    }

    fn string(&mut self) -> Result<String, Broken> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                let expected = "a closing quote for this text";
                return Err(Broken { span: span(start, start + 1), expected });
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                '\n' => {
                    self.at -= 1;
                    return Err(self.broken("a closing quote on this line"));
                }
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Broken> {
        let Some(byte) = self.peek() else { return Err(self.broken("an escape")) };
        let plain = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let digits = self.text.get(self.at + 1..self.at + 5);
                let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
                let Some(code) = code else { return Err(self.broken("four hex digits")) };
                self.at += 5;
                // Halves of a pair stand for nothing by themselves; no key is written with them.
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => return Err(self.broken("an escape that JSON has")),
        };
        self.at += 1;
        Ok(plain)
    }
}

fn span(start: usize, end: usize) -> Span {
    Span::new(u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let text = r#"{"a": {"b": [1, -2.5e3, null]}, "c": "x\u00e9\n", "d": Infinity}"#;
        let node = read(text).unwrap();
        let b = node.at("a.b").unwrap();
        assert_eq!(
            &text[b.value.span.start as usize..b.value.span.end as usize],
            "[1, -2.5e3, null]"
        );
        assert_eq!(node.at("c").unwrap().value.kind, Kind::Text("x\u{e9}\n".into()));
        assert_eq!(node.at("d").unwrap().value.kind, Kind::Number(f64::INFINITY));
        assert_eq!(node.at("a.x"), None);
        assert_eq!(node.at("c.b"), None);
    }

    #[test]
    fn keys_that_are_written_twice_are_found_with_both_places() {
        let node = read(r#"{"a": 1, "b": [{"c": 1, "c": 2}], "a": {"a": 3}}"#).unwrap();
        let found: Vec<_> = node.twice().iter().map(|(m, at)| (&*m.key, at.start)).collect();
        assert_eq!(found, [("a", 1), ("c", 16)]);
    }

    #[test]
    fn broken_texts_say_where_and_what_was_expected() {
        let said = |text| read(text).map_err(|b| (b.span.start, b.expected)).unwrap_err();
        assert_eq!(said(""), (0, "a value"));
        assert_eq!(said("{'a': 1}"), (1, "a key between double quotes"));
        assert_eq!(said(r#"{"a": 1,}"#), (8, "another key, or no comma before this brace,"));
        assert_eq!(said("[1, ]"), (4, "another value, or no comma before this bracket,"));
        assert_eq!(said("{// a\n\"a\": 1}"), (1, "JSON without comments"));
        assert_eq!(said(r#"{"a": True}"#), (6, "`true` or `false`"));
        assert_eq!(said(r#"{"a": None}"#), (6, "`null`"));
        assert_eq!(said(r#"{"a": 1} x"#), (9, "the end of the file"));
        assert_eq!(said(r#"{"a": 1.2.3}"#), (6, "a number"));
        assert_eq!(said(r#"{"a": "b"#), (6, "a closing quote for this text"));
        assert_eq!(said(&"[".repeat(100_000)), (65, "fewer brackets inside of each other"));
    }
}
