//! Configs imported and their weights counted, for tests over many of them.

#![allow(dead_code)] // each test uses some of it

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mesa::import::{Imported, import};
use mesa::ir::AxisSize;
use mesa::source::{Origin, SourceFile, Sources};
use mesa::syntax::ast::ItemKind;
use mesa::{Checker, Program};

/// A config imported under a name.
pub fn imported(title: &str, text: &str) -> (Imported, Sources) {
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new("config.json", text, Origin::User));
    (import(text, file, title), sources)
}

/// A weight of a model: its name in the checkpoint, its elements, and in how many layers it is.
pub struct Weight {
    pub from: String,
    pub elements: f64,
    pub layers: Option<f64>,
    pub only: Option<Vec<u32>>,
    /// Its axes by name, with their lengths.
    pub axes: BTreeMap<String, f64>,
    /// Bytes of an element.
    pub width: f64,
}

impl Weight {
    /// Its names in the checkpoint: one for each layer and expert that has it.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.from.clone()];
        while let Some((before, rest)) = names[0].clone().split_once('{') {
            let (hole, _) = rest.split_once('}').unwrap();
            // `{i + 1}`: names that count from one.
            let (name, plus) = hole.split_once(" + ").unwrap_or((hole, "0"));
            let plus: u32 = plus.parse().unwrap();
            let of_axis = self.axes.get(name).map(|n| (0..*n as u32).collect());
            let rounds = || (0..self.layers.unwrap_or(1.0) as u32).collect();
            let numbers: Vec<u32> = of_axis.or(self.only.clone()).unwrap_or_else(rounds);
            assert!(before.len() < names[0].len());
            let hole = format!("{{{hole}}}");
            let filled = |name: &String| -> Vec<String> {
                numbers.iter().map(|n| name.replacen(&hole, &(n + plus).to_string(), 1)).collect()
            };
            names = names.iter().flat_map(filled).collect();
            if names.is_empty() {
                break;
            }
        }
        names
    }
}

/// The weights of the only model in `text`, which must be without findings.
pub fn weights(text: &str) -> Vec<Weight> {
    let program = Program::of_text("model.mesa", text);
    let found: Vec<_> = mesa::check(&program).iter().map(|d| d.title.clone()).collect();
    assert!(found.is_empty(), "{found:?}\n{text}");
    let mut checker = Checker::new(&program);
    let item = program.items_of_kind(program.roots[0], ItemKind::Model)[0];
    let object = checker.check_object(item).unwrap();
    let precision = checker.precision_of(None, &object);
    let built = checker.build_model(&object, precision).unwrap();
    let size = |axis| match built.model.axes[axis].size {
        AxisSize::Fixed(id) | AxisSize::Composite(id) => checker.graph.value(id),
        AxisSize::Phase(name) => panic!("a weight has the axis {name}"),
    };
    let weights = built.model.weights.iter().map(|(id, rounds)| {
        let tensor = &built.model.tensors[*id];
        Weight {
            // `^T`: stored the other way round.
            from: tensor.from.clone().unwrap().trim_end_matches("^T").to_owned(),
            elements: tensor.axes.iter().map(|a| size(*a)).product(),
            layers: rounds.map(|r| checker.graph.value(r)),
            only: tensor.only.as_ref().map(|o| o.to_vec()),
            axes: tensor
                .axes
                .iter()
                .map(|a| (built.model.axes[*a].name.to_string(), size(*a)))
                .collect(),
            width: checker.graph.value(tensor.dtype.width)
                * tensor.density.map_or(1.0, |d| checker.graph.value(d)),
        }
    });
    weights.collect()
}

/// All elements of weights, in all of their layers.
pub fn total(weights: &[Weight]) -> f64 {
    weights.iter().map(|w| w.elements * w.layers.unwrap_or(1.0)).sum()
}

/// The folder of corpora, where one is named.
pub fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("MESA_SHARED_DATA").map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: MESA_SHARED_DATA names no folder with hf-configs");
    }
    path
}

/// Every config of the corpus by name.
pub fn corpus(shared: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(shared.join("hf-configs")).unwrap().map(|f| f.unwrap().path());
    let configs = files.filter(|f| f.extension().is_some_and(|e| e == "json"));
    configs
        .map(|f| {
            let name = f.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&f).unwrap())
        })
        .collect()
}
