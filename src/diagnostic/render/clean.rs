//! Text that is safe to print: no control characters, no invisible reordering.
//!
//! In: any text, perhaps from a hostile or binary file. Out: the same text as a person would see
//! it, unable to steer a terminal or to show code in another order than it has.

use std::borrow::Cow;

/// `text` without characters that a terminal would act on. Newlines stay, tabs become a blank.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| c == '\n' || !is_hidden(c)) {
        return Cow::Borrowed(text);
    }
    let visible = |c: char| match c {
        '\n' => Some('\n'),
        '\t' => Some(' '),
        c if is_hidden(c) => None,
        c => Some(c),
    };
    Cow::Owned(text.chars().filter_map(visible).collect())
}

/// `text` on one line: every run of blanks that holds a newline becomes one blank.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    let text = clean(text);
    if text.contains('\n') {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        return Cow::Owned(lines.join(" "));
    }
    text
}

/// Control characters, and the marks of Unicode that reorder or hide what stands beside them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
