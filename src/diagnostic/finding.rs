//! A finding as data: its code, what it says, where, and how to mend it.
//!
//! In: what the compiler's folders know of a mistake. Out: a [`Diagnostic`].

use super::codes::Code;
use crate::source::Place;

/// How many findings of one file are told; more say that it is no spec.
pub const MOST_FINDINGS: usize = 10_000;

/// How grave a finding is. `check` exits with 1 where there is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The spec has no meaning, or one that cannot hold.
    Error,
    /// The spec has a meaning, with a price or a doubt that should be known.
    Warning,
    /// Something worth knowing.
    Note,
}

impl Severity {
    /// The word for it, as every format writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A place and what is said about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// A clause: what stands there, or what it causes.
    pub text: String,
}

/// Whether an edit may be applied without being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Safety {
    /// Keeps the meaning, or restores the only possible one: `--fix` applies it.
    Safe,
    /// A suggestion that a person should choose.
    Review,
}

impl Safety {
    /// The word for it, as every format writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Review => "review",
        }
    }
}

/// A replacement of one place by a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// What is replaced (empty: an insertion).
    pub place: Place,
    /// The new text.
    pub text: String,
}

/// A way to mend the finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fix {
    /// What it does, as an imperative: "write `fp8`".
    pub title: String,
    /// The edits, none overlapping.
    pub edits: Vec<Edit>,
    /// Whether `--fix` may apply it.
    pub safety: Safety,
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// One sentence that states the fact, without a full stop.
    pub title: String,
    /// The place it is about, then every other place involved, in any number of files.
    pub labels: Vec<Label>,
    /// Reasons, figures, what to do: one paragraph each.
    pub notes: Vec<String>,
    /// Ways to mend it.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// An error (or what severity the code is declared with) at `place`.
    #[must_use]
    pub fn new(
        code: Code,
        title: impl Into<String>,
        place: Place,
        label: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: code.severity(),
            title: bearable(title.into()),
            labels: vec![Label { place, text: bearable(label.into()) }],
            notes: Vec::new(),
            fixes: Vec::new(),
        }
    }
    /// Adds another place involved.
    #[must_use]
    pub fn and(mut self, place: Place, label: impl Into<String>) -> Self {
        self.labels.push(Label { place, text: bearable(label.into()) });
        self
    }
    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(bearable(note.into()));
        self
    }
    /// Adds a fix that replaces `place` by `text`.
    #[must_use]
    pub fn fix(
        mut self,
        title: impl Into<String>,
        place: Place,
        text: impl Into<String>,
        safety: Safety,
    ) -> Self {
        let edits = vec![Edit { place, text: text.into() }];
        self.fixes.push(Fix { title: bearable(title.into()), edits, safety });
        self
    }
    /// Every place that it speaks of, to be changed.
    pub fn places_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        let labels = self.labels.iter_mut().map(|l| &mut l.place);
        let edits = self.fixes.iter_mut().flat_map(|f| &mut f.edits);
        labels.chain(edits.map(|e| &mut e.place))
    }
    /// The finding about a text that stands in `file`, from `offset` on.
    #[must_use]
    pub fn moved(mut self, file: crate::source::FileId, offset: u32) -> Self {
        for place in self.places_mut() {
            *place = Place { file, span: place.span.shifted(offset) };
        }
        self
    }
    /// The place it is about.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.labels.first().map(|l| l.place)
    }
}

/// The longest word that a finding repeats as it was written.
const LONGEST_WORD: usize = 200;

/// A text about something absurdly long, with the long words cut.
fn bearable(text: String) -> String {
    let is_long = |word: &str| word.len() > LONGEST_WORD;
    if !is_long(&text) || !text.split(' ').any(is_long) {
        return text;
    }
    let cut = |word: &str| match word.char_indices().nth(60) {
        Some((at, _)) if is_long(word) => {
            let quote = if word.starts_with('`') { "`" } else { "" };
            format!("{}…{quote}", word.get(..at).unwrap_or_default())
        }
        _ => word.to_owned(),
    };
    text.split(' ').map(cut).collect::<Vec<_>>().join(" ")
}

/// Source order: file, then position, then code; equal findings are kept once.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.place(), d.severity, d.code);
        key(a).cmp(&key(b)).then_with(|| a.title.cmp(&b.title))
    });
    diagnostics.dedup_by(|a, b| a.code == b.code && a.place() == b.place() && a.title == b.title);
}
