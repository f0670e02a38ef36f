//! How every picture begins: its size, its colours by day and by night, its title and what is said
//! below it.
//!
//! In: what stands at the head of a picture. Out: the beginning of an SVG document.

/// Where lines begin.
pub(super) const LEFT: f64 = 24.0;
/// Between lines of the head.
const STEP: f64 = 17.0;

const LIGHT: &str = "\
text{font:11px ui-sans-serif,system-ui,Helvetica,Arial,sans-serif;fill:#1f2937}\
.title{font-size:17px;font-weight:600}.dim{fill:#6b7280}.name{font-weight:600}.page{fill:#ffffff}";
const DARK: &str = "text{fill:#e5e7eb}.dim{fill:#b4bac6}.page{fill:#111827}";

/// The head of a picture.
pub(super) struct Page<'a> {
    /// How wide and how high.
    pub(super) size: [f64; 2],
    pub(super) title: &'a str,
    /// What is said below the title.
    pub(super) notes: &'a [String],
    /// Its own classes, and those that look otherwise where people prefer a dark page.
    pub(super) light: &'static str,
    pub(super) dark: &'static str,
}

impl Page<'_> {
    /// The beginning of the document.
    pub(super) fn opened(&self) -> String {
        let ([w, h], title) = (self.size, escaped(self.title));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w:.0}\" height=\"{h:.0}\" \
             viewBox=\"0 0 {w:.0} {h:.0}\" role=\"img\">\n<title>{title}</title>\n\
             <style>{LIGHT}{}\n@media(prefers-color-scheme:dark){{{DARK}{}}}</style>\n\
             <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
            self.light, self.dark
        );
        out += &line_of(LEFT, 34.0, "title", self.title);
        for (i, note) in self.notes.iter().enumerate() {
            out += &line_of(LEFT, below(i) + 10.0, "dim", note);
        }
        out
    }
}

/// Where the head ends that has so many notes.
pub(super) fn below(notes: usize) -> f64 {
    44.0 + STEP * notes as f64
}

/// A line of text.
pub(super) fn line_of(x: f64, y: f64, class: &str, text: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(text))
}

/// Text of an XML document; characters that it may not have become spaces.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' => out.push('\n'),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
