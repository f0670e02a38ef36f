//! Files that are no specs, whatever they are called: more mistakes or items than anybody reads.
//!
//! In: a module whose text is large. Out: its first findings and one that says where reading
//! stopped; the module then holds nothing, so that no command works on what is left of it.

use std::sync::Arc;

use super::cut::Cut;
use super::program::{Held, ModuleId, Program};
use crate::diagnostic::{Diagnostic, MOST_FINDINGS, Severity, codes};
use crate::source::{FileId, Place, Span};

/// Shorter texts cannot have many more mistakes than that: they are parsed as they are needed.
const LARGE: usize = 200_000;
/// How many items a file may have.
const MOST_ITEMS: usize = 1_000_000;

impl Program {
    /// Puts a module that has too many mistakes in its syntax aside.
    pub(super) fn give_up_on(&mut self, id: ModuleId) {
        let module = self.module(id);
        let (file, text) = (module.file, &self.sources.file(module.file).text);
        if text.len() < LARGE {
            return;
        }
        let items = module.cut().pieces.len();
        if items > MOST_ITEMS {
            let at = module.cut().pieces.get(MOST_ITEMS).map_or(0, |part| part.piece.start);
            let title = format!("the file has {items} items, more than Mesa reads");
            let place = Place { file, span: Span::new(at, at) };
            let label = format!("at most {MOST_ITEMS} are read");
            let finding = Diagnostic::new(codes::TOO_LARGE, title, place, label);
            return self.put_aside(id, vec![finding]);
        }
        let mut found: Vec<_> = self.syntax_findings(id).take(MOST_FINDINGS + 1).collect();
        if found.len() > MOST_FINDINGS {
            found.truncate(MOST_FINDINGS);
            let last = found.iter().rev().find_map(Diagnostic::place);
            found.extend(last.map(|place| too_many(place.file, place.span.end)));
            self.put_aside(id, found);
        }
    }

    /// Leaves a module with nothing but what is said of it.
    fn put_aside(&mut self, id: ModuleId, mut findings: Vec<Diagnostic>) {
        self.load_diagnostics.append(&mut findings);
        self.hold(id, Held::Own(Arc::new(Cut::default())));
    }
}

/// Says that what follows byte `at` of a file is not told.
pub(super) fn too_many(file: FileId, at: u32) -> Diagnostic {
    Diagnostic::new(
        codes::TOO_MANY_FINDINGS,
        format!("there are more than {MOST_FINDINGS} findings"),
        Place { file, span: Span::new(at, at) },
        "what follows was not looked at",
    )
}

impl super::Checker<'_> {
    /// Whether a finding is one too many; the first that is says so itself.
    pub(super) fn is_too_many(&mut self, finding: &Diagnostic) -> bool {
        let have = self.diagnostics.len();
        if have == MOST_FINDINGS && finding.severity == Severity::Error {
            let place = finding.place();
            self.diagnostics.extend(place.map(|p| too_many(p.file, p.span.start)));
        }
        have >= MOST_FINDINGS
    }
}
