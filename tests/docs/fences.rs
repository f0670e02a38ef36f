//! Fenced blocks of Markdown.

/// A fenced block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fence {
    /// What follows the opening fence.
    pub info: String,
    /// The text inside, each line with its end.
    pub text: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
}

/// The fenced blocks of a text, in order.
pub(crate) fn fences(markdown: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut open: Option<Fence> = None;
    for (i, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(info), None) => {
                let info = info.trim().to_owned();
                open = Some(Fence { info, text: String::new(), line: i + 1 });
            }
            (None, Some(fence)) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert_eq!(open, None, "a fence is never closed");
    found
}
