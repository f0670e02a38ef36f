//! The functions of the language itself, as they are called.
//!
//! In: a name. Out: its [`Function`]: the parameters with what each is, and what it gives.

use crate::source::Span;

/// A function of the language.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its parameters as they are shown, each with what it is; the last may come again where it
    /// is `…`.
    pub params: &'static [(&'static str, &'static str)],
    /// Its type, where it does not hang on the arguments.
    pub result: &'static str,
}

const NUMBERS: (&str, &str) = ("…", "any number of them, all of one dimension");
const RANGE: (&str, &str) = ("range", "the first and the last value: `1 .. 512`");
const POINTS: (&str, &str) = ("points: Count", "how many values");
const SEED: (&str, &str) = ("seed: Count = 1", "another seed gives other values");

/// Functions of expressions, those of ops, those of `vary`, schedules.
const FUNCTIONS: &[Function] = &[
    function("min", &[("a", "a value"), ("b", "another"), NUMBERS], ""),
    function("max", &[("a", "a value"), ("b", "another"), NUMBERS], ""),
    function(
        "best",
        &[
            ("one: a", "a value under a name that reports show"),
            ("other: b", "another way to do the same"),
            NUMBERS,
        ],
        "",
    ),
    function("ceil", &[("x", "a value")], ""),
    function("floor", &[("x", "a value")], ""),
    function("sqrt", &[("x", "a value whose dimension has a root")], ""),
    function("log2", &[("x: Number", "a number above 0")], "Number"),
    function("gcd", &[("a: Count", "a count"), ("b: Count", "another")], "Count"),
    function(
        "among",
        &[("one: Count", "a count"), ("list", "counts: `[1, 2, 4]`, or `none` for no count")],
        "Bool",
    ),
    function("size", &[("axes", "a tensor, an axis, or a set of axes such as `A | B`")], "Count"),
    function("bytes", &[("tensor", "an operand or the `result` of the op")], "Bytes"),
    function("extent", &[("axes", "an axis, or a set of axes")], "Count"),
    function("window", &[("axis", "an axis")], "Count?"),
    function("origin", &[("axis", "an axis")], "Axis?"),
    function("every", &[RANGE, ("step", "from one value to the next")], "values"),
    function("pow2", &[RANGE], "values"),
    function(
        "powers",
        &[RANGE, ("base: Number", "each value is so many times the last")],
        "values",
    ),
    function("linear", &[RANGE, POINTS], "values"),
    function("log", &[RANGE, POINTS], "values"),
    function("random", &[RANGE, POINTS, SEED], "values"),
    function("latin", &[RANGE, POINTS, SEED], "values"),
    function(
        "interleaved",
        &[("chunks: Count", "how many parts of the layers each stage has")],
        "",
    ),
];

const fn function(
    name: &'static str,
    params: &'static [(&'static str, &'static str)],
    result: &'static str,
) -> Function {
    Function { name, params, result }
}

/// The function of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|f| f.name == name)
}

impl Function {
    /// `gcd(a: Count, b: Count) -> Count`, with where each parameter stands in it.
    #[must_use]
    pub fn label(&self) -> (String, Vec<Span>) {
        let mut label = format!("{}(", self.name);
        let mut spans = Vec::new();
        for (i, (param, _)) in self.params.iter().enumerate() {
            if i > 0 {
                label += ", ";
            }
            let start = label.len() as u32;
            label += param;
            spans.push(Span::new(start, label.len() as u32));
        }
        label.push(')');
        if !self.result.is_empty() {
            label += " -> ";
            label += self.result;
        }
        (label, spans)
    }
    /// The parameter that is being given after so many commas, or under a name.
    #[must_use]
    pub fn active(&self, commas: usize, name: Option<&str>) -> Option<usize> {
        let last = self.params.len().checked_sub(1)?;
        let named = |(param, _): &(&str, &str)| param.split(':').next() == name;
        let again = self.params.last().is_some_and(|(param, _)| *param == "…");
        let by_name = name.and_then(|_| self.params.iter().position(named));
        by_name.or((commas <= last || again).then_some(commas.min(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_language_is_described() {
        for name in crate::check::BUILTINS.iter().chain(&crate::check::RANGES) {
            assert!(find(name).is_some(), "{name}");
            let what = crate::ide::describe::builtin(name);
            assert_ne!(what, crate::ide::describe::builtin("nothing"), "{name}");
        }
    }
}
