//! Markdown of generated pages.

/// A table; columns that are empty in every row are left out.
pub(super) fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let used: Vec<usize> =
        (0..heads.len()).filter(|i| *i == 0 || rows.iter().any(|r| !r[*i].is_empty())).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = line(used.iter().map(|i| heads[*i].to_owned()).collect());
    out += &line(used.iter().map(|_| "---".to_owned()).collect());
    for row in rows {
        out += &line(used.iter().map(|i| cell(&row[*i])).collect());
    }
    out.push('\n');
    out
}

/// A text as a cell: one line, bars escaped.
fn cell(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// A text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text` as code, or nothing.
pub(super) fn code(text: &str) -> String {
    let text = one_line(text).replace("( ", "(").replace(", )", ")");
    if text.is_empty() { text } else { format!("`{text}`") }
}

/// A fenced block of Mesa.
pub(super) fn block(text: &str) -> String {
    format!("```mesa\n{}\n```\n\n", text.trim_end())
}

/// What a heading is called in a link.
pub(crate) fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// A link to the section of a name on the same page.
pub(super) fn here(name: &str) -> String {
    format!("[{name}](#{})", anchor(name))
}

#[test]
fn empty_columns_are_left_out() {
    let rows = vec![vec!["a".into(), String::new(), "b|\nc".into()]];
    assert_eq!(table(&["X", "Y", "Z"], rows), "| X | Z |\n| --- | --- |\n| a | b\\| c |\n\n");
}

#[test]
fn anchors_are_those_of_headings() {
    assert_eq!(anchor("H100_SXM"), "h100_sxm");
    assert_eq!(anchor("E0301: two quantities"), "e0301-two-quantities");
}
