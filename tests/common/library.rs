//! Places in the library as snapshots keep them: the file without the line, so that a line more in
//! the library changes no snapshot but those that show it.

/// The text with `#` for lines and columns of the library.
pub fn without_lines_of_the_library(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut shown, mut listed) = (false, false);
    for line in text.split_inclusive('\n') {
        if let Some((_, file)) = line.split_once("┌─ ") {
            shown = is_library(file.split(':').next().unwrap_or_default());
        }
        // A line of the file: its number stands before the bar, and all bars in a row.
        let numbered = line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        if let Some((gutter, rest)) = line.split_once('│').filter(|_| shown && numbered) {
            out.extend(gutter.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }));
            out.push('│');
            out += rest;
            continue;
        }
        // JSON has the line below the file.
        match line.trim_start() {
            rest if rest.starts_with("\"file\": ") => listed = rest.contains("\"std/"),
            rest if listed && rest.starts_with("\"line\": ") => {
                out += &masked(line);
                continue;
            }
            _ => {}
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once(".mesa:") {
            let end = after.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(after.len());
            let (numbers, more) = after.split_at(end);
            let start = before.rfind([' ', '(', '`']).map_or(0, |at| at + 1);
            let (before, file) = before.split_at(start);
            if is_library(&format!("{file}.mesa")) {
                let masked = masked(numbers);
                // At the right edge of a page it ends there, however long its number.
                let edge = line.trim_end().chars().count() == 100;
                let pad = if edge { numbers.len() - masked.len() } else { 0 };
                out += &format!("{before}{}{file}.mesa:{masked}", " ".repeat(pad));
            } else {
                out += &format!("{before}{file}.mesa:{numbers}");
            }
            rest = more;
        }
        out += rest;
    }
    out
}

/// Whether a file is one of the library, by its path or by its name alone.
fn is_library(file: &str) -> bool {
    let name = file.trim_end_matches(".mesa");
    let last = |path: &str| path.rsplit('/').next() == Some(name);
    file.starts_with("std/") || mesa::check::library::FILES.iter().any(|(path, _)| last(path))
}

/// One `#` for each number.
fn masked(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if !c.is_ascii_digit() => out.push(c),
            _ if out.ends_with('#') => {}
            _ => out.push('#'),
        }
    }
    out
}
