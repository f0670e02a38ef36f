//! Imported models held against the tensors that frameworks store: names and shapes counted from the
//! classes of Transformers 5.23 and timm 1.0.31, under the names of published checkpoints.
//!
//! A line of `stored/*.tsv` is a name, a shape, and for each `{}` the numbers that stand for it:
//! `0-8,10-36/2`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use std::fs;
use std::path::{Path, PathBuf};

use mesa::bind::checkpoint::{About, Checkpoint, Stored};
use mesa::bind::matching::Use;
use mesa::bind::{Bound, bind};
use mesa::check::{Checker, Program};
use mesa::source::{FileId, Origin, Place, SourceFile, Sources, Span};
use mesa::syntax::ast::ItemKind;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The numbers of `0-8,10-36/2`.
fn numbers(text: &str) -> Vec<u32> {
    let part = |part: &str| -> Vec<u32> {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        (first.parse().unwrap()..=last.parse().unwrap()).step_by(step.parse().unwrap()).collect()
    };
    text.split(',').flat_map(part).collect()
}

/// The tensors of a checkpoint.
fn stored(name: &str) -> Vec<Stored> {
    let text = fs::read_to_string(tests().join(format!("stored/{name}.tsv"))).unwrap();
    let mut all = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (name, shape) = (fields.next().unwrap(), fields.next().unwrap());
        let dims = shape.split(',').filter(|d| !d.is_empty());
        let shape: Vec<u64> = dims.map(|d| d.parse().unwrap()).collect();
        let bytes = 2 * shape.iter().product::<u64>();
        let about = About { dtype: "BF16", bits: 16, shape, bytes };
        let tensor = |name| Stored { name, shard: 0, about: Some(about.clone()), lost: false };
        // One field of numbers for each `{}`.
        let filled = fields.fold(vec![name.to_owned()], |names, of| {
            let each = |name: &String| -> Vec<String> {
                numbers(of).iter().map(|n| name.replacen("{}", &n.to_string(), 1)).collect()
            };
            names.iter().flat_map(each).collect()
        });
        all.extend(filled.into_iter().map(tensor));
    }
    all
}

/// A model, imported from its config, held against tensors.
fn held(name: &str, tensors: Vec<Stored>) -> Bound {
    let config = fs::read_to_string(tests().join(format!("configs/{name}.json"))).unwrap();
    let mut sources = Sources::default();
    let file = sources.add(SourceFile::new("config.json", config.as_str(), Origin::User));
    let text = mesa::import::import(&config, file, name).text.unwrap();
    let program = Program::of_text("model.mesa", &text);
    let mut checker = Checker::new(&program);
    let item = program.items_of_kind(program.roots[0], ItemKind::Model)[0];
    let object = checker.check_object(item).unwrap();
    let precision = checker.precision_of(None, &object);
    let built = checker.build_model(&object, precision).unwrap();
    let nowhere = Place { file: FileId(0), span: Span::default() };
    let checkpoint =
        Checkpoint { shards: vec!["model.safetensors".into()], tensors, ..Checkpoint::default() };
    bind(&built.model, &checker.graph, nowhere, checkpoint)
}

fn said(bound: &Bound) -> Vec<String> {
    bound.findings.iter().map(|d| format!("{}: {}", d.code.id(), d.title)).collect()
}

#[test]
fn models_bind_to_all_that_their_checkpoints_store() {
    let mut names: Vec<String> = Vec::new();
    for file in fs::read_dir(tests().join("stored")).unwrap() {
        let path = file.unwrap().path();
        names.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let bound = held(&name, stored(&name));
        assert!(bound.findings.is_empty(), "{name}: {:#?}", said(&bound));
        let weights = bound.matched.uses.iter().filter(|u| !matches!(u, Use::Buffer(_))).count();
        assert_eq!(bound.counts(), (weights, weights), "{name}");
    }
}

#[test]
fn a_convolution_with_other_channels_or_taps_is_found() {
    let tower = "model.vision_tower.timm_model.blocks";
    for (name, shape) in [
        (format!("{tower}.0.1.conv_exp.weight"), vec![128, 512, 3, 3]),
        (format!("{tower}.0.1.conv_exp.weight"), vec![512, 128, 5, 5]),
        (format!("{tower}.2.3.dw_start.conv.weight"), vec![640, 1, 3, 3]),
        (format!("{tower}.2.9.attn.key.proj.weight"), vec![640, 64, 1, 1]),
        ("model.audio_tower.conformer.3.lconv1d.depthwise_conv1d.weight".into(), vec![5, 1, 1536]),
    ] {
        let mut tensors = stored("gemma-3n-e4b");
        let tensor = tensors.iter_mut().find(|t| t.name == name).unwrap();
        let about = tensor.about.as_mut().unwrap();
        about.bytes = 2 * shape.iter().product::<u64>();
        about.shape = shape;
        let found = said(&held("gemma-3n-e4b", tensors));
        assert!(found.len() == 1 && found[0].starts_with("E0832"), "{name}: {found:#?}");
    }
}
