//! Scenarios evaluated for tests: text in, numbers and findings out.
#![allow(dead_code)] // each test binary uses its own part

pub mod training;

use std::collections::BTreeMap;

use mesa::diagnostic::Severity;
use mesa::lower::Leaf;
use mesa::{Checker, Program};

/// One collective as plain numbers.
#[derive(Clone, Debug)]
pub struct Collective {
    pub kind: &'static str,
    pub axis: String,
    pub tensor: String,
    pub devices: f64,
    pub count: f64,
    pub message: f64,
    pub bytes: f64,
    pub time: f64,
    pub link: String,
    pub algorithm: String,
}

/// What came of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub numbers: BTreeMap<String, f64>,
    pub words: BTreeMap<String, String>,
    pub collectives: BTreeMap<String, Vec<Collective>>,
}

impl Outcome {
    #[track_caller]
    pub fn get(&self, path: &str) -> f64 {
        match self.numbers.get(path) {
            Some(v) => *v,
            None => panic!("no result `{path}`; there are {:#?}", self.numbers.keys()),
        }
    }
    /// Collectives of more than one device in a phase.
    pub fn real(&self, phase: &str) -> Vec<&Collective> {
        let all = self.collectives.get(phase).into_iter().flatten();
        all.filter(|c| c.devices > 1.0 && c.count > 0.0).collect()
    }
    /// How many of a kind run in a phase, and the bytes that a device sends for each of them.
    pub fn of_kind(&self, phase: &str, kind: &str) -> Vec<(f64, f64)> {
        let real = self.real(phase);
        real.iter().filter(|c| c.kind == kind).map(|c| (c.count, c.bytes)).collect()
    }
    pub fn count_of(&self, phase: &str, kind: &str) -> f64 {
        self.of_kind(phase, kind).iter().map(|c| c.0).sum()
    }
    pub fn volume_of(&self, phase: &str, kind: &str) -> f64 {
        self.of_kind(phase, kind).iter().map(|c| c.0 * c.1).sum()
    }
}

/// A finding as a person sees it in short: code, title, labelled texts, notes, edits.
#[derive(Clone, Debug)]
pub struct Finding {
    pub code: &'static str,
    pub error: bool,
    pub title: String,
    /// Every labelled piece of source.
    pub places: Vec<String>,
    /// File of every label.
    pub files: Vec<String>,
    pub notes: Vec<String>,
    /// Texts that the offered edits put in.
    pub edits: Vec<String>,
}

/// All scenarios of a text, by name, and what was found on the way.
pub struct Run {
    pub scenarios: BTreeMap<String, Outcome>,
    pub findings: Vec<Finding>,
}

impl Run {
    #[track_caller]
    pub fn of(text: &str) -> Self {
        let program = Program::of_text("test.mesa", text);
        let mut scenarios = BTreeMap::new();
        let mut findings = Vec::new();
        for &module in &program.roots {
            let syntax = program.syntax_diagnostics(module);
            let titles: Vec<_> = syntax.iter().map(|d| &d.title).collect();
            assert!(titles.is_empty(), "{titles:#?}");
            for item in mesa::scenarios(&program, module) {
                let mut checker = Checker::new(&program);
                let lowered = mesa::evaluate(&mut checker, item);
                let broken = &checker.broken_library;
                assert!(broken.is_empty(), "the library lacks {broken:?}");
                for d in &checker.diagnostics {
                    findings.push(finding(&program, d));
                }
                if let Some(lowered) = lowered {
                    let name = lowered.name.to_string();
                    scenarios.insert(name, outcome(&checker, &lowered));
                }
            }
        }
        Self { scenarios, findings }
    }
    /// The only scenario, without errors.
    #[track_caller]
    pub fn one(text: &str) -> Outcome {
        let run = Self::of(text);
        let errors: Vec<_> = run.findings.iter().filter(|f| f.error).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        assert_eq!(run.scenarios.len(), 1, "{:#?}", run.findings);
        run.scenarios.into_values().next().unwrap()
    }
    #[track_caller]
    pub fn finding(&self, code: &str) -> &Finding {
        let mut found = self.findings.iter().filter(|f| f.code == code);
        let first = found.next();
        first.unwrap_or_else(|| panic!("no {code} in {:#?}", self.findings))
    }
}

fn finding(program: &Program, d: &mesa::Diagnostic) -> Finding {
    let places = d.labels.iter().map(|l| l.place);
    let text = |p| program.sources.text(p).to_owned();
    let file = |p: mesa::source::Place| program.sources.file(p.file).name.to_string();
    Finding {
        code: d.code.id(),
        error: d.severity == Severity::Error,
        title: d.title.clone(),
        places: places.clone().map(text).collect(),
        files: places.map(file).collect(),
        notes: d.notes.clone(),
        edits: d.fixes.iter().flat_map(|f| f.edits.iter().map(|e| e.text.clone())).collect(),
    }
}

fn outcome(checker: &Checker<'_>, lowered: &mesa::Lowered) -> Outcome {
    let value = |id| checker.graph.value(id);
    let mut out = Outcome::default();
    for (path, leaf) in &lowered.results.leaves {
        match leaf {
            Leaf::Number(id) | Leaf::Flag(id) => {
                out.numbers.insert(path.clone(), value(*id));
            }
            Leaf::Text(text) => {
                out.words.insert(path.clone(), text.clone());
            }
            Leaf::Error => {}
        }
    }
    for (phase, list) in &lowered.collectives {
        let list = list.iter().map(|c| Collective {
            kind: c.kind,
            axis: c.axis.clone(),
            tensor: c.tensor.clone(),
            devices: value(c.devices),
            count: value(c.count),
            message: value(c.message),
            bytes: value(c.bytes),
            time: value(c.time),
            link: c.link.clone(),
            algorithm: c.algorithm.clone(),
        });
        out.collectives.insert(phase.clone(), list.collect());
    }
    out
}
