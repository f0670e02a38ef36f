//! The arithmetic that the table and the defaults of blocks are written in: `4 * hidden`.
//!
//! In: a text of names (`/name` for a key of the config itself), numbers, `+ - * / %`, parentheses,
//! `ceil`, `floor`, `min` and `max`. Out: its value; `None` where a name has none or the text is
//! something else.

/// The value of `text`, with names looked up by `known`.
#[must_use]
pub fn value(text: &str, known: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let words = words(text)?;
    let mut reader = Reader { words: &words, at: 0, known, depth: 0 };
    let value = reader.sum()?;
    reader.peek().is_none().then_some(value)
}

/// The names in `text`.
pub fn names(text: &str) -> impl Iterator<Item = String> {
    let words = words(text).unwrap_or_default();
    words.into_iter().filter(|w| is_name(w) && !FUNCTIONS.contains(&w.as_str()))
}

const FUNCTIONS: [&str; 4] = ["ceil", "floor", "min", "max"];

fn is_name(word: &str) -> bool {
    let word = word.strip_prefix('/').unwrap_or(word);
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names with their dots, numbers, and signs.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // `/name` is a key of the config itself; `a / b` divides.
        if c == '/' && rest.peek().is_some_and(|n| n.is_alphabetic()) {
            words.push(c.to_string());
            open = true;
            continue;
        }
        let part = c.is_alphanumeric() || matches!(c, '_' | '.');
        match words.last_mut() {
            Some(word) if part && open => word.push(c),
            _ if c.is_whitespace() => {}
            _ if part || "+-*/%(),".contains(c) => words.push(c.to_string()),
            _ => return None,
        }
        open = part;
    }
    Some(words)
}

struct Reader<'t> {
    words: &'t [String],
    at: usize,
    known: &'t dyn Fn(&str) -> Option<f64>,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }
    fn eat(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        self.at += usize::from(is_next);
        is_next
    }
    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product()?;
        loop {
            value = if self.eat("+") {
                value + self.product()?
            } else if self.eat("-") {
                value - self.product()?
            } else {
                return Some(value);
            };
        }
    }
    fn product(&mut self) -> Option<f64> {
        let mut value = self.factor()?;
        loop {
            value = if self.eat("*") {
                value * self.factor()?
            } else if self.eat("/") {
                value / self.factor()?
            } else if self.eat("%") {
                value % self.factor()?
            } else {
                return Some(value);
            };
        }
    }
    fn factor(&mut self) -> Option<f64> {
        self.depth += 1;
        let value = if self.depth > 32 { None } else { self.atom() };
        self.depth -= 1;
        value
    }
    fn atom(&mut self) -> Option<f64> {
        let word = self.peek()?.to_owned();
        self.at += 1;
        if word == "(" {
            let value = self.sum()?;
            return self.eat(")").then_some(value);
        }
        if FUNCTIONS.contains(&word.as_str()) && self.eat("(") {
            let mut arguments = vec![self.sum()?];
            while self.eat(",") {
                arguments.push(self.sum()?);
            }
            let first = *arguments.first()?;
            let value = match word.as_str() {
                "ceil" => libm::ceil(first),
                "floor" => libm::floor(first),
                "min" => arguments.iter().copied().fold(first, f64::min),
                _ => arguments.iter().copied().fold(first, f64::max),
            };
            return self.eat(")").then_some(value);
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.replace('_', "").parse().ok();
        }
        if is_name(&word) { (self.known)(&word) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_bind_before_sums() {
        let known = |name: &str| (name == "hidden").then_some(64.0);
        assert_eq!(value("4 * hidden", &known), Some(256.0));
        assert_eq!(value("hidden / 4 + 2 * 3", &known), Some(22.0));
        assert_eq!(value("2 - hidden", &known), Some(-62.0));
        assert_eq!(value("(2 + hidden) * 2", &known), Some(132.0));
        assert_eq!(value("64 * ceil(hidden / 60)", &known), Some(128.0));
        assert_eq!(value("min(hidden, 3) + max(1, 2)", &known), Some(5.0));
        assert_eq!(value("hidden / heads", &known), None);
        for wrong in ["none", "", "1 +", "(1", "1 2", "true ? 1", "\"x\""] {
            assert_eq!(value(wrong, &known), None, "{wrong}");
        }
        assert_eq!(names("a.b * 2 + ceil(c)").collect::<Vec<_>>(), ["a.b", "c"]);
    }
}
