//! What ends a line: `\n`, `\r\n`, and a `\r` alone, as editors and the language server protocol
//! have it.
//!
//! In: a text as it was read. Out: the same text, as long as before, with `\n` for every `\r` that
//! stands alone, so that nothing else has to know of it.

use std::borrow::Cow;

/// The text with `\n` in the place of every `\r` that no `\n` follows.
#[must_use]
pub fn line_ends(text: &str) -> Cow<'_, str> {
    let alone = |(at, _): &(usize, &str)| text.as_bytes().get(at + 1) != Some(&b'\n');
    let mut out: Option<String> = None;
    let mut done = 0;
    for (at, _) in text.match_indices('\r').filter(alone) {
        let out = out.get_or_insert_with(|| String::with_capacity(text.len()));
        out.push_str(text.get(done..at).unwrap_or(""));
        out.push('\n');
        done = at + 1;
    }
    match out {
        Some(out) => Cow::Owned(out + text.get(done..).unwrap_or("")),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_alone_ends_a_line() {
        assert_eq!(line_ends("a\rb\r\nc\r\r\n\r"), "a\nb\r\nc\n\r\n\n");
        assert!(matches!(line_ends("a\r\nb\n"), Cow::Borrowed(_)));
    }
}
