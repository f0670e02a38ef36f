//! What a checkpoint is made of: several files and their index, broken ones, large ones.

use std::fs;

use super::{Tensor, file, folder, mesa, raw, said, tensors};

#[test]
fn files_of_an_index_are_there_and_hold_what_it_says() {
    let folder = folder("shards");
    let all = tensors();
    let (first, second) = all.split_at(10);
    let name = |n: usize| format!("model-{n:05}-of-00002.safetensors");
    let index = |wrong: usize| {
        let entry = |(i, t): (usize, &Tensor)| {
            let shard = if (i < 10) == (i != wrong) { 1 } else { 2 };
            format!("{:?}: {:?}", t.0, name(shard))
        };
        let map: Vec<_> = all.iter().enumerate().map(entry).collect();
        format!("{{\"metadata\": {{\"total_size\": 1}}, \"weight_map\": {{{}}}}}", map.join(", "))
    };
    let write = |wrong| {
        fs::write(folder.join("model.safetensors.index.json"), index(wrong)).unwrap();
        fs::write(folder.join(name(1)), file(first)).unwrap();
        fs::write(folder.join(name(2)), file(second)).unwrap();
    };
    write(usize::MAX);
    let bind = |path: &str| mesa(&folder, &["bind", "tiny.mesa", path]);
    assert_eq!(bind(".").status.code(), Some(0), "{}", said(&bind(".")));
    let mut said_all = String::new();
    fs::write(folder.join("consolidated.safetensors"), file(&all)).unwrap();
    said_all += &format!("--- one more file\n{}", said(&bind(".")));
    fs::remove_file(folder.join("consolidated.safetensors")).unwrap();
    fs::remove_file(folder.join(name(2))).unwrap();
    for path in [".", "model.safetensors.index.json"] {
        assert_eq!(bind(path).status.code(), Some(1));
    }
    said_all += &format!("--- a file missing\n{}", said(&bind(".")));
    write(3);
    said_all += &format!("--- a tensor in another file\n{}", said(&bind(".")));
    insta::assert_snapshot!("shards", said_all);
    for n in [1, 2] {
        fs::remove_file(folder.join(name(n))).unwrap();
    }
    let names_only = bind("model.safetensors.index.json");
    assert_eq!(names_only.status.code(), Some(0), "{}", said(&names_only));
    let json =
        mesa(&folder, &["bind", "tiny.mesa", "model.safetensors.index.json", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["matches"], &json["names_only"]), (&true.into(), &true.into()));
}

#[test]
fn broken_and_hostile_files_are_refused() {
    let folder = folder("broken");
    let entry = |name: &str, shape: &str, offsets: &str| {
        format!(
            "\"{name}\": {{\"dtype\": \"F32\", \"shape\": {shape}, \"data_offsets\": {offsets}}}"
        )
    };
    let header = |entries: &[String]| format!("{{{}}}", entries.join(", "));
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let mut long = u64::MAX.to_le_bytes().to_vec();
    long.extend(b"{}");
    let one = || entry("a", "[2]", "[0, 8]");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no bytes", Vec::new()),
        ("five bytes", vec![0; 5]),
        ("a length beyond the file", long),
        ("a pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec()),
        ("no header", raw("", 0)),
        ("another kind", raw("PK\u{3}\u{4}", 0)),
        ("half of a header", raw("{\"a\": {\"dtype\": \"F3", 8)),
        ("not text", [&[2, 0, 0, 0, 0, 0, 0, 0, b'{', 0xff][..], &[0; 8]].concat()),
        ("nested", raw(&deep, 0)),
        ("no shape", raw("{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 8]}}", 8)),
        ("negative", raw(&header(&[entry("a", "[-2]", "[0, 8]")]), 8)),
        ("huge numbers", raw(&header(&[entry("a", "[1e999]", "[0, 8]")]), 8)),
        ("twice", raw(&header(&[one(), entry("a", "[2]", "[8, 16]")]), 16)),
        ("end before begin", raw(&header(&[entry("a", "[2]", "[8, 0]")]), 8)),
        ("beyond the data", raw(&header(&[entry("a", "[2]", "[0, 8]")]), 4)),
        ("shared bytes", raw(&header(&[one(), entry("b", "[2]", "[4, 12]")]), 12)),
        ("a gap", raw(&header(&[one(), entry("b", "[2]", "[12, 20]")]), 20)),
        ("bytes left over", raw(&header(&[one()]), 12)),
        ("other bytes", raw(&header(&[entry("a", "[3]", "[0, 8]")]), 8)),
        ("overflow", raw(&header(&[entry("a", "[4294967296, 4294967296]", "[0, 8]")]), 8)),
        ("a format of its own", raw(&header(&[one().replace("F32", "Q4\u{1b}[2J")]), 8)),
    ];
    let mut all = String::new();
    for (what, bytes) in cases {
        fs::write(folder.join("model.safetensors"), bytes).unwrap();
        let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{what}");
        all += &format!("--- {what}\n{}", said(&output));
    }
    for (what, text) in [
        ("an index that is no JSON", "weights"),
        ("an index without a map", "{\"metadata\": {}}"),
        ("an index that leads elsewhere", "{\"weight_map\": {\"a\": \"../../x.safetensors\"}}"),
        ("an index with a name twice", "{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}"),
    ] {
        fs::write(folder.join("model.safetensors.index.json"), text).unwrap();
        let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors.index.json"]);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        all += &format!("--- {what}\n{}", said(&output));
    }
    assert!(!all.contains('\u{1b}'), "what a file says is not sent to the terminal as it is");
    insta::assert_snapshot!("broken", all);
}

#[test]
fn a_large_checkpoint_is_bound_in_a_moment() {
    let folder = folder("large");
    let text = "use std.models.Llama2_70B\n\nmodel Large = Llama2_70B\n";
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let names = (0..80).flat_map(|i| {
        let parts = [
            "input_layernorm",
            "post_attention_layernorm",
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
            "mlp.gate_proj",
            "mlp.up_proj",
            "mlp.down_proj",
        ];
        parts.map(|p| format!("model.layers.{i}.{p}.weight"))
    });
    let others = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"];
    let names = names.chain(others.map(str::to_owned)).enumerate();
    let map: Vec<_> = names
        .map(|(i, n)| format!("{n:?}: \"model-{:05}-of-00400.safetensors\"", i % 400 + 1))
        .collect();
    let index = format!("{{\"weight_map\": {{{}}}}}", map.join(","));
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    let started = std::time::Instant::now();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors.index.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}
