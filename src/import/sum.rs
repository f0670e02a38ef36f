//! The arithmetic that the table and the defaults of blocks are written in: `4 * hidden`.
//!
//! In: a text of names, numbers and `+ - * /`. Out: its value; `None` where a name has none.

/// The value of `text`, with names looked up by `known`.
#[must_use]
pub fn value(text: &str, known: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let mut sum = 0.0;
    let mut product: Option<f64> = None;
    let (mut sign, mut divide) = (1.0, false);
    for word in text.split_whitespace() {
        match (word, product) {
            ("*", Some(_)) => divide = false,
            ("/", Some(_)) => divide = true,
            ("+" | "-", Some(value)) => {
                sum += sign * value;
                sign = if word == "-" { -1.0 } else { 1.0 };
                (product, divide) = (None, false);
            }
            _ => {
                let number = word.replace('_', "").parse().ok();
                let number = number.filter(|_| word.starts_with(|c: char| c.is_ascii_digit()));
                let next = number.or_else(|| known(word))?;
                product = Some(match product {
                    None => next,
                    Some(before) if divide => before / next,
                    Some(before) => before * next,
                });
            }
        }
    }
    Some(sum + sign * product?)
}

/// The names in `text`.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|w| w.starts_with(|c: char| c.is_alphabetic() || c == '_'))
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
        assert_eq!(value("hidden / heads", &known), None);
        assert_eq!(value("none", &known), None);
        assert_eq!(value("", &known), None);
        assert_eq!(names("a.b * 2 + c").collect::<Vec<_>>(), ["a.b", "c"]);
    }
}
