//! Somebody who types, deletes, moves lines and undoes, the same in every run of a seed.

use super::dice::Dice;
use super::seed;

/// What people type, whole or in part.
const TYPED: &[&str] = &[
    "expect ttft < 1 s\n",
    "  shard heads over tp\n",
    "const x = 3 GB\n",
    "use std.chips.B200\n",
    "scenario again = chat with { serve.batch = 64 }\n",
    "}",
    "{",
    "(",
    ")",
    "\"",
    "// note\n",
    "\n",
    "plan Tp2(tp: Count = 4) {\n  mesh tp\n}\n",
    "precision.weights = fp8",
    "é",
    "\u{1F600}",
    " with { ",
    "block B(n: Count) {\n  input x[batch, seq, n]\n  output x\n}\n",
    "80 GB + 3 ms",
    ".",
    "=",
    "0",
    "\r\n",
    "unit foo = 3 GB\n",
    "metric mine for serve = tpot * 2\n",
    "assume a: Number = 0.5 in 0.1 .. 0.9\n",
];

pub fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The next text: a character typed, a range deleted, a line moved; at times all of it is undone,
/// so that what is edited is not rubble in the end.
pub struct Typist {
    pub dice: Dice,
    original: String,
    /// The text before the last edit that was not typed: what "undo" brings back.
    before: String,
    /// Where the next character goes, and what is left to type.
    at: usize,
    left: Vec<char>,
}

impl Typist {
    pub fn new(number: usize, original: &str) -> Self {
        let original = original.to_owned();
        let dice = Dice(number as u64 + seed().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { dice, before: original.clone(), original, at: 0, left: Vec::new() }
    }

    pub fn next(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(c) = self.left.pop() {
            let at = boundary(&text, self.at.min(text.len()));
            text.insert(at, c);
            self.at = at + c.len_utf8();
            return text;
        }
        match self.dice.below(24) {
            0..=1 => return self.original.clone(),
            2 => return std::mem::replace(&mut self.before, text),
            _ => self.before.clone_from(&text),
        }
        let at = boundary(&text, self.dice.below(text.len() + 1));
        match self.dice.below(14) {
            10.. => {
                // Another number: what was found out about items of the same shape may hold.
                let digit = |(_, c): &(usize, char)| c.is_ascii_digit();
                let digits: Vec<usize> =
                    text.char_indices().filter(digit).map(|(i, _)| i).collect();
                let Some(&at) = digits.get(self.dice.below(digits.len())) else { return text };
                let new = ["0", "1", "2", "4", "7", "8", "16", "."][self.dice.below(8)];
                text.replace_range(at..=at, new);
                text
            }
            0..=5 => {
                let snippet = TYPED[self.dice.below(TYPED.len())];
                self.left = snippet.chars().rev().collect();
                self.at = match self.dice.below(2) {
                    0 => at,
                    _ => text[..at].rfind('\n').map_or(0, |i| i + 1),
                };
                self.next(&text)
            }
            6 => {
                text.insert_str(at, TYPED[self.dice.below(TYPED.len())]);
                text
            }
            7 => {
                let end = boundary(&text, (at + self.dice.below(12)).min(text.len()));
                text.replace_range(at.min(end)..end, "");
                text
            }
            8 => {
                let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
                let end = text[at..].find('\n').map_or(text.len(), |i| at + i + 1);
                let line = text[start..end].to_owned();
                text.replace_range(start..end, "");
                let to = boundary(&text, self.dice.below(text.len() + 1));
                let to = text[..to].rfind('\n').map_or(0, |i| i + 1);
                text.insert_str(to, &line);
                text
            }
            _ => {
                let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
                let end = text[at..].find('\n').map_or(text.len(), |i| at + i + 1);
                let line = text[start..end].to_owned();
                text.insert_str(start, &line);
                text
            }
        }
    }
}
