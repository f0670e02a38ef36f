//! For people: each finding with the lines in question, every place involved drawn, reasons, fixes.
//!
//! In: findings. Out: codespan-reporting's rich style, several files in one report. Colours are
//! plain ANSI escapes, written only when asked for; whatever the sources hold, nothing else that a
//! terminal would act on comes out.

use std::io;

use codespan_reporting::diagnostic::{self as codespan, LabelStyle};
use codespan_reporting::term::{Config, WriteStyle, emit_to_write_style};
use unicode_width::UnicodeWidthStr;

use super::clean::{clean, one_line};
use super::view::View;
use super::{Options, edits, short};
use crate::diagnostic::{Diagnostic, Fix, Severity};
use crate::source::{FileId, Sources};

/// Columns that codespan puts before a note, for files of up to 999 lines.
const GUTTER: usize = 6;

pub(super) fn render(sources: &Sources, diagnostics: &[Diagnostic], options: &Options) -> String {
    let config = Config::default();
    let mut writer = Ansi { out: Vec::new(), color: options.color };
    for diagnostic in diagnostics {
        let mut view = View::new(sources);
        let drawn = draw(&mut view, sources, diagnostic, options);
        if emit_to_write_style(&mut writer, &config, &view, &drawn).is_err() {
            // cannot happen with clamped spans; a finding is never lost all the same
            writer.out.extend_from_slice(short::line(sources, diagnostic).as_bytes());
        }
    }
    String::from_utf8_lossy(&writer.out).into_owned()
}

fn draw(
    view: &mut View<'_>,
    sources: &Sources,
    diagnostic: &Diagnostic,
    options: &Options,
) -> codespan::Diagnostic<FileId> {
    let mut notes = Vec::new();
    let mut labels = Vec::new();
    for (index, label) in diagnostic.labels.iter().enumerate() {
        let text = one_line(&label.text);
        let file = sources.file(label.place.file);
        if file.text.is_empty() {
            notes.push(format!("{}: {text}", file.name));
            continue;
        }
        let style = if index == 0 { LabelStyle::Primary } else { LabelStyle::Secondary };
        let range = view.range(label.place);
        labels.push(codespan::Label::new(style, label.place.file, range).with_message(text));
    }
    if view.cuts() {
        notes.push("a line is too long to be shown whole".to_owned());
    }
    notes.extend(diagnostic.notes.iter().cloned());
    let mut notes: Vec<String> = notes.iter().map(|n| wrap(&clean(n), options.width)).collect();
    let home = diagnostic.place().map(|p| p.file);
    notes.extend(diagnostic.fixes.iter().map(|fix| help(sources, fix, home, options)));
    codespan::Diagnostic::new(severity(diagnostic.severity))
        .with_code(diagnostic.code.id())
        .with_message(one_line(&diagnostic.title))
        .with_labels(labels)
        .with_notes(notes)
}

/// `help: write …` and the lines that change.
fn help(sources: &Sources, fix: &Fix, home: Option<FileId>, options: &Options) -> String {
    let title = wrap(&format!("help: {}", one_line(&fix.title)), options.width);
    let preview = edits::preview(sources, fix, home);
    let lines: String = preview.lines().map(|line| format!("\n  {line}")).collect();
    title + &lines
}

fn severity(severity: Severity) -> codespan::Severity {
    match severity {
        Severity::Error => codespan::Severity::Error,
        Severity::Warning => codespan::Severity::Warning,
        Severity::Note => codespan::Severity::Note,
    }
}

/// Breaks lines at blanks so that a note fits. Indented lines are tables and stay as they are.
fn wrap(text: &str, width: usize) -> String {
    if width == 0 {
        return text.to_owned();
    }
    let room = width.saturating_sub(GUTTER).max(20);
    let wrapped: Vec<String> = text.lines().map(|line| wrap_line(line, room)).collect();
    wrapped.join("\n")
}

fn wrap_line(line: &str, room: usize) -> String {
    if line.starts_with(' ') || line.width() <= room {
        return line.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for word in line.split(' ') {
        let width = word.width();
        if used > 0 && used + 1 + width > room {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += width;
    }
    out
}

/// Collects what codespan writes: cleaned, and coloured if asked.
struct Ansi {
    out: Vec<u8>,
    color: bool,
}

impl Ansi {
    #[allow(clippy::unnecessary_wraps)] // the trait's methods return results
    fn set(&mut self, escape: &str) -> io::Result<()> {
        if self.color {
            self.out.extend_from_slice(escape.as_bytes());
        }
        Ok(())
    }
}

impl io::Write for Ansi {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.out.extend_from_slice(clean(&text).as_bytes());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bold(severity: codespan::Severity) -> &'static str {
    match severity {
        codespan::Severity::Bug | codespan::Severity::Error => "\x1b[1;31m",
        codespan::Severity::Warning => "\x1b[1;33m",
        codespan::Severity::Note | codespan::Severity::Help => "\x1b[1;36m",
    }
}

impl WriteStyle for Ansi {
    fn set_header(&mut self, severity: codespan::Severity) -> io::Result<()> {
        self.set(bold(severity))
    }
    fn set_header_message(&mut self) -> io::Result<()> {
        self.set("\x1b[1m")
    }
    fn set_line_number(&mut self) -> io::Result<()> {
        self.set("\x1b[34m")
    }
    fn set_note_bullet(&mut self) -> io::Result<()> {
        self.set("\x1b[34m")
    }
    fn set_source_border(&mut self) -> io::Result<()> {
        self.set("\x1b[34m")
    }
    fn set_label(&mut self, severity: codespan::Severity, style: LabelStyle) -> io::Result<()> {
        match style {
            LabelStyle::Primary => self.set(bold(severity)),
            LabelStyle::Secondary => self.set("\x1b[1;34m"),
        }
    }
    fn reset(&mut self) -> io::Result<()> {
        self.set("\x1b[0m")
    }
}
