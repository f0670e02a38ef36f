//! Places in the library as snapshots keep them: the file without the line, so that a line more in
//! the library changes no snapshot but those that show it.

/// The text with `#` for each digit of a line or column of the library.
pub fn without_lines_of_the_library(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut shown, mut listed) = (false, false);
    for line in text.split_inclusive('\n') {
        if let Some((_, file)) = line.split_once("┌─ ") {
            shown = file.starts_with("std/");
        }
        // A line of the file: its number stands before the bar.
        let numbered = line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        if let Some((gutter, rest)) = line.split_once('│').filter(|_| shown && numbered) {
            out += &masked(gutter);
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
            out += before;
            out += ".mesa:";
            let end = after.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(after.len());
            let (numbers, more) = after.split_at(end);
            let file = before.rsplit([' ', '(', '`']).next().unwrap_or_default();
            out += &if file.starts_with("std/") { masked(numbers) } else { numbers.to_owned() };
            rest = more;
        }
        out += rest;
    }
    out
}

fn masked(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect()
}
