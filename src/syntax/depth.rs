//! How deep a text nests, found before anything recursive sees it.
//!
//! In: a text. Out: the byte at which it nests deeper than [`MAX_DEPTH`], if it does. What counts
//! is whatever becomes a level of the syntax tree: open brackets, and the operators that are
//! chained in one expression, so that neither parsing nor dropping the tree can overflow.

/// The deepest nesting of brackets.
pub const MAX_DEPTH: usize = 128;
/// The deepest syntax tree: brackets and chained operators together.
const MAX_LEVELS: usize = 512;

/// The first byte that is nested too deeply.
pub(super) fn too_deep(text: &str) -> Option<u32> {
    Scan { bytes: text.as_bytes(), at: 0, open: vec![(0, true)], levels: 1, joins: true }.run()
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// For each open bracket how many operators were chained in it, and whether line ends count.
    open: Vec<(usize, bool)>,
    levels: usize,
    /// Whether what was read last makes the statement go on at the next line.
    joins: bool,
}

impl Scan<'_> {
    fn run(mut self) -> Option<u32> {
        while let Some(&byte) = self.bytes.get(self.at) {
            let start = self.at;
            self.at += 1;
            match byte {
                b' ' | b'\t' | b'\r' => {}
                b'\n' => self.line_end(),
                b'/' if self.next() == Some(b'/') => self.skip_line(),
                b'"' => self.skip_text(),
                b'(' | b'[' | b'{' => {
                    self.open.push((0, byte == b'{'));
                    self.levels += 1;
                    self.joins = true;
                }
                b')' | b']' | b'}' => self.close(),
                b',' | b';' => {
                    self.reset();
                    self.joins = true;
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(start),
                b'0'..=b'9' => {
                    self.joins = false;
                    self.skip_number();
                }
                // No operator: the parser says so.
                0x80.. => {}
                _ => self.chain(),
            }
            if self.open.len() > MAX_DEPTH || self.levels > MAX_LEVELS {
                return Some(u32::try_from(start).unwrap_or(u32::MAX));
            }
        }
        None
    }

    fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn chain(&mut self) {
        self.joins = true;
        if let Some((count, _)) = self.open.last_mut() {
            *count += 1;
            self.levels += 1;
        }
    }

    fn close(&mut self) {
        if self.open.len() > 1
            && let Some((count, _)) = self.open.pop()
        {
            self.levels -= count + 1;
        }
        self.chain();
        self.joins = false;
    }

    /// A new operand begins: what was chained before is no longer around it.
    fn reset(&mut self) {
        if let Some((count, _)) = self.open.last_mut() {
            self.levels -= *count;
            *count = 0;
        }
    }

    fn word(&mut self, start: usize) {
        while self.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            self.at += 1;
        }
        match self.bytes.get(start..self.at) {
            Some(
                b"if" | b"not" | b"and" | b"or" | b"per" | b"then" | b"else" | b"with" | b"on",
            ) => {
                self.chain();
            }
            _ => self.joins = false,
        }
    }

    fn skip_number(&mut self) {
        while self.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_') {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
    }

    fn skip_text(&mut self) {
        while let Some(byte) = self.next() {
            match byte {
                b'\n' => break,
                b'\\' => self.at += 1,
                _ => {}
            }
            self.at += 1;
            if byte == b'"' {
                break;
            }
        }
        self.joins = false;
    }

    /// A line end ends the statement unless the line, or the next one, says that it goes on.
    fn line_end(&mut self) {
        if self.joins || !self.open.last().is_some_and(|(_, ends)| *ends) {
            return;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        let skip = rest.iter().take_while(|b| blank(b)).count();
        let line = rest.get(skip..).unwrap_or_default();
        let goes_on = [&b"else"[..], b"then", b"//"].iter().any(|word| line.starts_with(word));
        if !goes_on {
            self.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::too_deep;

    #[test]
    fn brackets_count_up_to_the_limit() {
        assert_eq!(too_deep(&"(".repeat(127)), None);
        assert_eq!(too_deep(&"(".repeat(128)), Some(127));
        assert_eq!(too_deep(&"()".repeat(300)), None);
    }

    #[test]
    fn chains_count_within_one_statement_only() {
        assert!(too_deep(&format!("x = {}1", "1 + ".repeat(600))).is_some());
        assert!(too_deep(&format!("x = {}1", "- ".repeat(600))).is_some());
        assert!(too_deep(&"if a\nthen b else ".repeat(600)).is_some());
        assert!(too_deep(&format!("x{}", "()".repeat(600))).is_some());
        assert!(too_deep(&format!("x = [{}]", "1 + 2, ".repeat(600))).is_none());
        assert!(too_deep(&format!("x {{\n{}}}", "  a = 1 + 2\n".repeat(600))).is_none());
        assert!(too_deep(&format!("x {{\n{}}}", "  a { b = 1 }\n".repeat(600))).is_none());
    }
}
