//! Tables: columns aligned for a terminal, or with bars for Markdown.

use unicode_width::UnicodeWidthStr;

/// How a cell is shown where there are colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tint {
    /// As it is.
    #[default]
    Plain,
    /// Beside the point.
    Dim,
    /// What one looks for.
    Strong,
    /// As wanted.
    Good,
    /// Not as wanted.
    Bad,
}

impl Tint {
    /// `text` with the escape sequences of this tint.
    #[must_use]
    pub fn paint(self, text: &str, color: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Dim => "2",
            Self::Strong => "1",
            Self::Good => "32",
            Self::Bad => "1;31",
        };
        if color && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// One cell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// How it is shown.
    pub tint: Tint,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, tint: Tint::Plain }
    }
}
impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}
impl Cell {
    /// A cell in a tint.
    #[must_use]
    pub fn tinted(text: impl Into<String>, tint: Tint) -> Self {
        Self { text: text.into(), tint }
    }
}

/// A titled table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    /// What it is about.
    pub title: String,
    /// A remark on the title.
    pub remark: String,
    /// Heads; `>` before one sets the column to the right.
    pub heads: Vec<&'static str>,
    /// The rows; each has as many cells as there are heads.
    pub rows: Vec<Vec<Cell>>,
}

/// The head without its mark, and whether the column is set to the right.
fn head(head: &str) -> (&str, bool) {
    head.strip_prefix('>').map_or((head, false), |h| (h, true))
}

impl Table {
    /// For a terminal: the title, then aligned columns.
    #[must_use]
    pub fn text(&self, color: bool) -> String {
        let mut out = Tint::Strong.paint(&self.title, color);
        if !self.remark.is_empty() {
            out += "  ";
            out += &Tint::Dim.paint(&self.remark, color);
        }
        out.push('\n');
        let widths: Vec<usize> = (0..self.heads.len()).map(|i| self.width(i)).collect();
        if self.heads.iter().any(|h| !head(h).0.is_empty()) {
            let cells = self.heads.iter().map(|h| Cell::tinted(head(h).0, Tint::Dim));
            out += &self.line(&cells.collect::<Vec<_>>(), &widths, color);
        }
        for row in &self.rows {
            out += &self.line(row, &widths, color);
        }
        out
    }

    /// Without the columns that would make lines longer than `most`, of those at `optional`; and the
    /// names of these, in order.
    #[must_use]
    pub fn narrowed(
        mut self,
        optional: std::ops::Range<usize>,
        most: usize,
    ) -> (Self, Vec<&'static str>) {
        let width = |table: &Self, at| table.width(at) + 2;
        let fixed = (0..self.heads.len()).filter(|at| !optional.contains(at));
        let mut total: usize = fixed.map(|at| width(&self, at)).sum();
        let mut dropped = Vec::new();
        for at in optional {
            total = total.saturating_add(width(&self, at));
            if total > most {
                dropped.push(at);
            }
        }
        let names = dropped.iter().filter_map(|at| self.heads.get(*at)).map(|h| head(h).0);
        let names = names.collect();
        for at in dropped.into_iter().rev() {
            if at < self.heads.len() {
                self.heads.remove(at);
            }
            for row in self.rows.iter_mut().filter(|row| at < row.len()) {
                row.remove(at);
            }
        }
        (self, names)
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|r| r.get(column)).map(|c| c.text.width());
        let own = self.heads.get(column).map_or(0, |h| head(h).0.width());
        cells.max().unwrap_or(0).max(own)
    }

    fn line(&self, cells: &[Cell], widths: &[usize], color: bool) -> String {
        let mut out = String::new();
        let mut blanks = 2;
        for ((cell, width), name) in cells.iter().zip(widths).zip(&self.heads) {
            let pad = width.saturating_sub(cell.text.width());
            let right = head(name).1;
            if !cell.text.is_empty() {
                out += &" ".repeat(blanks + if right { pad } else { 0 });
                out += &cell.tint.paint(&cell.text, color);
                blanks = if right { 2 } else { pad + 2 };
            } else {
                blanks += width + 2;
            }
        }
        out + "\n"
    }

    /// For documents.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", escaped(&self.title));
        if !self.remark.is_empty() {
            out += &format!("{}\n\n", escaped(&self.remark));
        }
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        out += &row(self.heads.iter().map(|h| escaped(head(h).0)).collect());
        let rule = |h: &&str| if head(h).1 { "---:" } else { "---" }.to_owned();
        out += &row(self.heads.iter().map(rule).collect());
        for cells in &self.rows {
            out += &row(cells.iter().map(|c| escaped(&c.text)).collect());
        }
        out
    }
}

/// Text that Markdown takes as it is.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '*' | '_' | '<' | '>' | '`' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
