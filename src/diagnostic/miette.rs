//! The outer edge: findings and errors as `miette` sees them.
//!
//! In: findings with their sources, or what went wrong around the compiler (files, arguments).
//! Out: [`Finding`] and [`Outer`], which implement `miette::Diagnostic` for embedders, and their
//! rendering for `main`: graphical, or narrated in plain sentences for screen readers.

use std::error::Error;
use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, NarratableReportHandler,
    SourceCode, SourceSpan, SpanContents,
};

use super::render::shown_span;
use super::{Code, Diagnostic, Severity};
use crate::source::{FileId, SourceFile, Sources};

/// A finding that carries its texts, for use outside a compilation. Miette labels one file in a
/// report, so places in other files follow as related reports.
#[derive(Clone, Debug)]
pub struct Finding {
    diagnostic: Diagnostic,
    excerpt: Option<Excerpt>,
    elsewhere: Vec<Elsewhere>,
}

/// Labels of one file.
#[derive(Clone, Debug)]
struct Excerpt {
    id: FileId,
    file: SourceFile,
    labels: Vec<LabeledSpan>,
}

/// The other places involved, in one other file.
#[derive(Clone, Debug)]
struct Elsewhere(Excerpt);

impl Finding {
    /// `diagnostic` with the texts it speaks of.
    #[must_use]
    pub fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let mut excerpts: Vec<Excerpt> = Vec::new();
        for (index, label) in diagnostic.labels.iter().enumerate() {
            let file = sources.file(label.place.file);
            let shown = shown_span(file, label.place.span);
            let length = (shown.end - shown.start) as usize;
            let text = Some(label.text.clone());
            let span = SourceSpan::from((shown.start as usize, length));
            let labelled = if index == 0 {
                LabeledSpan::new_primary_with_span(text, span)
            } else {
                LabeledSpan::new_with_span(text, span)
            };
            match excerpts.iter_mut().find(|e| e.id == label.place.file) {
                Some(excerpt) => excerpt.labels.push(labelled),
                None => excerpts.push(Excerpt {
                    id: label.place.file,
                    file: file.clone(),
                    labels: vec![labelled],
                }),
            }
        }
        let mut excerpts = excerpts.into_iter();
        let excerpt = excerpts.next();
        let elsewhere = excerpts.map(Elsewhere).collect();
        Self { diagnostic: diagnostic.clone(), excerpt, elsewhere }
    }
}

impl SourceCode for SourceFile {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = (*self.text).read_span(span, before, after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.to_string(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

fn severity(severity: Severity) -> miette::Severity {
    match severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
        Severity::Note => miette::Severity::Advice,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.title)
    }
}
impl Error for Finding {}

impl miette::Diagnostic for Finding {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code.id()))
    }
    fn severity(&self) -> Option<miette::Severity> {
        Some(severity(self.diagnostic.severity))
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let notes = self.diagnostic.notes.iter().cloned();
        let fixes = self.diagnostic.fixes.iter().map(|fix| format!("to mend it: {}", fix.title));
        let lines: Vec<String> = notes.chain(fixes).collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|e| &e.file as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let excerpt = self.excerpt.as_ref()?;
        Some(Box::new(excerpt.labels.iter().cloned()))
    }
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let related = self.elsewhere.iter().map(|e| e as &dyn miette::Diagnostic);
        (!self.elsewhere.is_empty()).then(|| Box::new(related) as Box<_>)
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "involved in {}", self.0.file.name)
    }
}
impl Error for Elsewhere {}

impl miette::Diagnostic for Elsewhere {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.0.file)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.0.labels.iter().cloned()))
    }
}

/// What went wrong outside any spec: a file that cannot be read, an argument that makes no sense.
#[derive(Debug)]
pub struct Outer {
    title: String,
    code: Option<Code>,
    help: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Outer {
    /// An error whose `title` states the fact, without a full stop.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), code: None, help: None, cause: None }
    }
    /// Adds the code whose page says more.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }
    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// Adds what the system said.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl miette::Diagnostic for Outer {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code.id()) as Box<dyn fmt::Display>)
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
}

/// How reports at the outer edge look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Whether to colour.
    pub color: bool,
    /// Columns to wrap to.
    pub width: usize,
    /// Plain sentences, for screen readers, instead of drawings.
    pub narrate: bool,
}

/// Renders a report; ends with a newline.
#[must_use]
pub fn report(diagnostic: &dyn miette::Diagnostic, style: Style) -> String {
    let mut out = String::new();
    let rendered = if style.narrate {
        NarratableReportHandler::new().render_report(&mut out, diagnostic)
    } else {
        let theme =
            if style.color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        GraphicalReportHandler::new_themed(theme)
            .with_width(style.width)
            .with_links(false)
            .render_report(&mut out, diagnostic)
    };
    if rendered.is_err() {
        // a renderer that fails must not hide what happened
        return format!("error: {diagnostic}\n");
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// All findings in plain sentences, for screen readers.
#[must_use]
pub fn narrate(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let style = Style { color: false, width: 0, narrate: true };
    diagnostics.iter().map(|d| report(&Finding::new(d, sources), style) + "\n").collect()
}
