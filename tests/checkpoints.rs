//! Faults of checkpoints: in every weight map of a corpus each kind of fault is put, at many
//! tensors, and has to be found. Names are those of the maps; shapes and formats are those that the
//! imported model says, or that the tools which quantize write.
//!
//! Then folders as tools write them, imported and bound as a user does it, and headers of all kinds.
//!
//! The maps are not part of the repository: `hf-index` in the folder that MESA_SHARED_DATA names.
//! The test over them says that it was skipped where that is not set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use std::fs;
use std::path::Path;

use mesa::bind::checkpoint::{About, Checkpoint, Stored};
use mesa::bind::matching::Use;
use mesa::bind::{Bound, bind};
use mesa::check::{BuiltModel, Checker, Program};
use mesa::source::{FileId, Place, Span};
use mesa::syntax::ast::ItemKind;

#[path = "common/folders/mod.rs"]
mod folders;
#[path = "common/maps.rs"]
mod maps;

use maps::{Map, maps};

/// Where nothing stands.
fn nowhere() -> Place {
    Place { file: FileId(0), span: Span::default() }
}

/// A model by its text, built, with what reads it.
fn with_model<T>(text: &str, then: impl FnOnce(&BuiltModel<'_>, &mesa::expr::Graph) -> T) -> T {
    let program = Program::of_text("model.mesa", text);
    let mut checker = Checker::new(&program);
    let item = program.items_of_kind(program.roots[0], ItemKind::Model)[0];
    let object = checker.check_object(item).unwrap();
    let precision = checker.precision_of(None, &object);
    let built = checker.build_model(&object, precision).unwrap();
    then(&built, &checker.graph)
}

/// The names of a map, each with the number of its file.
fn map(path: &Path) -> (Vec<(String, usize)>, usize) {
    let json = fs::read(path).unwrap();
    let index = mesa::bind::index::parse(&json).unwrap();
    (index.tensors, index.shards.len())
}

fn about(dtype: &'static str, bits: u64, shape: Vec<u64>) -> Option<About> {
    let bytes = shape.iter().product::<u64>() * bits / 8;
    Some(About { dtype, bits, shape, bytes })
}

/// What a tensor of the map holds, by what it is for the model.
fn described(bound: &Bound, at: usize) -> Option<About> {
    let name = &bound.checkpoint.tensors[at].name;
    let (i, part) = match &bound.matched.uses[at] {
        Use::Weight(i) | Use::Elements(i) => (*i, false),
        Use::Part(i) => (*i, true),
        Use::Buffer(_) => return about("F32", 32, vec![1, 1, 4, 4]),
        Use::Tied | Use::Left | Use::Surplus => return None,
    };
    let wanted = &bound.wants.tensors[i];
    let weights: Vec<_> = wanted.weights.iter().map(|w| &bound.wants.weights[*w]).collect();
    let joined = mesa::bind::wanted::joined(&weights).remove(0);
    let dims: Vec<u64> = joined.each.iter().chain(&joined.rest).copied().collect();
    let n: u64 = dims.iter().product();
    let first = weights[0];
    let is_mlx = first.dtype.starts_with("int4_affine");
    let (outputs, inputs) = (dims[0], dims[dims.len() - 1]);
    let end = name.rsplit('.').next().unwrap();
    match (end, part) {
        ("absmax", _) if first.dtype == "nf4_double" => about("U8", 8, vec![n / 64]),
        ("absmax", _) => about("F32", 32, vec![n / 64]),
        ("nested_absmax", _) => about("F32", 32, vec![n / 16384]),
        ("quant_map", _) => about("F32", 32, vec![16]),
        ("nested_quant_map", _) => about("F32", 32, vec![256]),
        (end, _) if end.starts_with("bitsandbytes__") => about("U8", 8, vec![80]),
        ("SCB", _) => about("F32", 32, vec![outputs]),
        ("weight_format", _) => about("U8", 8, vec![]),
        ("scales" | "biases", true) => about("BF16", 16, vec![outputs, inputs / 64]),
        (_, true) => panic!("no rule for the part {name}"),
        _ if is_mlx => about("U32", 32, vec![outputs, inputs / 8]),
        _ => match first.dtype.as_str() {
            "bf16" => about("BF16", 16, dims),
            "fp16" => about("F16", 16, dims),
            "fp32" => about("F32", 32, dims),
            "int8" => about("I8", 8, dims),
            "nf4" | "nf4_double" => about("U8", 8, vec![n / 2, 1]),
            other => panic!("no rule for {other} of {name}"),
        },
    }
}

/// Every nth of the positions, so that there are about so many.
fn some(positions: &[usize], about: usize) -> impl Iterator<Item = usize> + '_ {
    positions.iter().copied().step_by((positions.len() / about).max(1))
}

#[test]
fn every_fault_in_every_weight_map_is_found() {
    let Some(shared) = std::env::var_os("MESA_SHARED_DATA").map(std::path::PathBuf::from) else {
        eprintln!("skipped: MESA_SHARED_DATA names no folder with hf-index");
        return;
    };
    let (mut count, mut faults) = (0, 0);
    for Map { name, file, model, .. } in maps(&shared) {
        let (names, shards) = map(&file);
        with_model(&model, |built, graph| {
            faults += faults_of(&name, built, graph, &names, shards);
        });
        count += 1;
    }
    println!("{faults} faults in {count} maps");
    assert!(count == 25 && faults > 900, "{faults} faults in {count} maps");
}

/// Puts faults into a checkpoint and returns how many; each has to be found.
fn faults_of(
    stem: &str,
    built: &BuiltModel<'_>,
    graph: &mesa::expr::Graph,
    names: &[(String, usize)],
    shards: usize,
) -> usize {
    let stored = |about: &dyn Fn(usize) -> Option<About>| -> Checkpoint {
        let tensors = names.iter().enumerate().map(|(i, (name, shard))| Stored {
            name: name.clone(),
            shard: *shard,
            about: about(i),
            lost: false,
        });
        let shards = (0..shards).map(|s| s.to_string()).collect();
        Checkpoint { shards, tensors: tensors.collect(), ..Checkpoint::default() }
    };
    let held = |checkpoint: Checkpoint| bind(&built.model, graph, nowhere(), checkpoint);
    let by_name = held(stored(&|_| None));
    let whole = stored(&|at| described(&by_name, at));
    let sound = held(whole.clone());
    let said = |bound: &Bound| -> Vec<String> {
        bound.findings.iter().map(|d| format!("{}: {}", d.code.id(), d.title)).collect()
    };
    assert!(sound.findings.is_empty(), "{stem}: {:#?}", said(&sound));
    let of = |wanted: &dyn Fn(&Use) -> bool| -> Vec<usize> {
        let uses = sound.matched.uses.iter().enumerate();
        uses.filter(|(_, u)| wanted(u)).map(|(at, _)| at).collect()
    };
    let weights = of(&|u| matches!(u, Use::Weight(_) | Use::Elements(_)));
    let parts = of(&|u| matches!(u, Use::Part(_)));
    let mut count = 0;
    let mut fault = |what: &str, at: usize, code: &str, change: &dyn Fn(&mut Checkpoint)| {
        let mut changed = whole.clone();
        change(&mut changed);
        let bound = held(changed);
        let name = &whole.tensors[at].name;
        assert!(!bound.is_fine(), "{stem}: {what} `{name}` is not found");
        let found = said(&bound);
        assert!(found.iter().any(|f| f.starts_with(code)), "{stem}: {what} `{name}`: {found:#?}");
        count += 1;
    };
    for at in some(&weights, 8).chain(some(&parts, 8)) {
        fault("without", at, "E0830", &|c| _ = c.tensors.remove(at));
    }
    let turned = |at: &usize| {
        let about = whole.tensors[*at].about.as_ref().unwrap();
        let sides: Vec<u64> = about.shape.iter().copied().filter(|d| *d != 1).collect();
        sides.len() == 2 && sides[0] != sides[1]
    };
    let matrices: Vec<usize> = weights.iter().chain(&parts).copied().filter(turned).collect();
    for at in some(&matrices, 8) {
        let reverse = |c: &mut Checkpoint| c.tensors[at].about.as_mut().unwrap().shape.reverse();
        fault("turned", at, "E0832", &reverse);
    }
    for at in some(&weights, 8).chain(some(&parts, 8)) {
        let was = whole.tensors[at].about.as_ref().unwrap();
        let (dtype, bits) = if was.dtype == "F32" { ("F16", 16) } else { ("F32", 32) };
        let other = about(dtype, bits, was.shape.clone());
        fault("in another format", at, "E0833", &|c| c.tensors[at].about = other.clone());
    }
    for at in some(&weights, 4) {
        let name = format!("{}.unknown", names[at].0);
        let extra = || Stored {
            name: name.clone(),
            shard: 0,
            about: about("BF16", 16, vec![8]),
            lost: false,
        };
        fault("an extra beside", at, "E0831", &|c| c.tensors.push(extra()));
    }
    for shard in some(&(0..shards).collect::<Vec<_>>(), 4) {
        let mut changed = whole.clone();
        for tensor in changed.tensors.iter_mut().filter(|t| t.shard == shard) {
            (tensor.about, tensor.lost) = (None, true);
        }
        let in_it = weights.iter().filter(|at| names[**at].1 == shard).count();
        let (there, all) = held(changed).counts();
        assert_eq!(there, all - in_it, "{stem}: without file {shard}");
        count += 1;
    }
    count
}

#[test]
fn headers_of_all_kinds_are_read_or_refused() {
    let sound = r#"{"__metadata__": {"format": "pt"}, "a.weight": {"dtype": "BF16", "shape": [4, 8],
        "data_offsets": [0, 64]}, "b": {"dtype": "F32", "shape": [], "data_offsets": [64, 68]}}"#;
    assert_eq!(mesa::bind::header::parse(sound.as_bytes(), 68).unwrap().len(), 2);
    let pieces: [&[u8]; 16] = [
        b"9223372036854775808",
        b"18446744073709551616",
        b"-1",
        b"1e400",
        b"null",
        b"[[[[",
        b"}}",
        b"\"",
        b"\\u0000",
        b"\xff\xfe",
        b"\"a.weight\": ",
        b"0.5",
        b"F4",
        b", ",
        b"[0, 0]",
        b"\x1b[2J",
    ];
    let mut state = 7_u64;
    let mut below = |n: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..30_000 {
        let mut bytes = sound.as_bytes().to_vec();
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            match below(4) {
                0 => bytes.truncate(at.max(1)),
                1 => _ = bytes.splice(at..at, pieces[below(pieces.len())].iter().copied()),
                2 => {
                    let end = (at + 1 + below(6)).min(bytes.len());
                    _ = bytes.splice(at..end, pieces[below(pieces.len())].iter().copied());
                }
                _ => bytes[at] = below(256) as u8,
            }
        }
        let data = if below(4) == 0 { below(200) as u64 } else { 68 };
        match mesa::bind::header::parse(&bytes, data) {
            Ok(entries) => {
                // What is read fills the data, and each tensor has the bytes of its shape.
                assert_eq!(entries.iter().map(|e| e.bytes).sum::<u64>(), data);
                for e in &entries {
                    let elements: u64 = e.shape.iter().product();
                    assert_eq!(elements * e.bits, e.bytes * 8, "{e:?}");
                }
                read += 1;
            }
            Err(broken) => {
                assert!(broken.code.id().starts_with("E082"), "{broken:?}");
                let said = format!("{}{}", broken.what, broken.note);
                assert!(!said.is_empty() && said.len() < 2000, "{said}");
                assert!(!said.contains(['\u{1b}', '\n']), "{said:?}");
                refused += 1;
            }
        }
    }
    assert!(read > 200 && refused > 10_000, "{read} read, {refused} refused");
}

#[test]
fn folders_as_tools_write_them_are_imported_and_bound() {
    let mut all = String::new();
    for folder in folders::all() {
        all += &format!("--- {}\n{}", folder.name, folder.imported_and_bound());
    }
    insta::assert_snapshot!("folders", all);
}
