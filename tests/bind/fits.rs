//! Checkpoints of one file that fit their model, as they are spelled, or fit it no more.

use std::fs;
use std::process::Output;

use super::{TINY, Tensor, file, folder, mesa, said, tensors};

/// Binds the model to a file of these tensors.
fn bound(name: &str, tensors: &[Tensor]) -> Output {
    let folder = folder(name);
    fs::write(folder.join("model.safetensors"), file(tensors)).unwrap();
    mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"])
}

#[test]
fn a_whole_checkpoint_fits_to_the_byte() {
    let output = bound("whole", &tensors());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    insta::assert_snapshot!("whole", said(&output));
}

#[test]
fn each_change_of_a_checkpoint_is_found() {
    let find = |all: &[Tensor], name: &str| all.iter().position(|t| t.0 == name).unwrap();
    let mut all = String::new();
    let mut case = |what: &str, change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut changed = tensors();
        change(&mut changed);
        let output = bound("changed", &changed);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        all += &format!("--- {what}\n{}", said(&output));
    };
    case("a tensor removed", &|t| _ = t.remove(find(t, "model.layers.1.mlp.up_proj.weight")));
    case("a matrix of every layer removed", &|t| t.retain(|t| !t.0.contains("k_proj")));
    case("a shape turned round", &|t| {
        let i = find(t, "model.layers.0.mlp.gate_proj.weight");
        t[i].3.reverse();
    });
    case("other sizes", &|t| {
        let i = find(t, "lm_head.weight");
        t[i].3 = vec![40, 8];
    });
    case("another format", &|t| {
        let i = find(t, "model.norm.weight");
        (t[i].1, t[i].2) = ("F32", 32);
    });
    case("every format", &|t| t.iter_mut().for_each(|t| (t.1, t.2) = ("F16", 16)));
    case("unknown tensors", &|t| {
        t.push(("model.layers.0.self_attn.q_proj.bias".into(), "BF16", 16, vec![8]));
        t.push(("model.layers.1.self_attn.q_proj.bias".into(), "BF16", 16, vec![8]));
    });
    insta::assert_snapshot!("changes", all);
}

#[test]
fn other_spellings_of_the_same_checkpoint_fit() {
    let fine = |what: &str, tensors: &[Tensor], wanted: &str| {
        let output = bound("spellings", tensors);
        assert_eq!(output.status.code(), Some(0), "{what}: {}", said(&output));
        assert!(said(&output).contains(wanted), "{what}: {}", said(&output));
    };
    let renamed = |rename: &dyn Fn(&str) -> String| -> Vec<Tensor> {
        tensors().into_iter().map(|t| (rename(&t.0), t.1, t.2, t.3)).collect()
    };
    let bare = renamed(&|n| n.trim_start_matches("model.").to_owned());
    fine("without the start", &bare, "names lack `model.`");
    let inner = renamed(&|n| format!("language_model.{n}"));
    fine("inside of another model", &inner, "names start with `language_model.`");
    let mut buffers = tensors();
    buffers.push(("model.layers.0.self_attn.rotary_emb.inv_freq".into(), "F32", 32, vec![1]));
    fine("with buffers", &buffers, "rotary frequencies");
    let mut fused = tensors();
    fused.retain(|t| !["q_proj", "k_proj", "v_proj"].iter().any(|n| t.0.contains(n)));
    for i in 0..2 {
        let name = format!("model.layers.{i}.self_attn.qkv_proj.weight");
        fused.push((name, "BF16", 16, vec![16, 8]));
    }
    fine("fused", &fused, "17 of 17 tensors");
}

#[test]
fn quantized_weights_are_their_parts() {
    let folder = folder("quantized");
    let model = "precision { weights within wq = int4_g128 }";
    let text = format!("{} {{\n  {model}\n}}\n", TINY.trim_end());
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let mut all = tensors();
    all.retain(|t| !t.0.contains("q_proj"));
    for i in 0..2 {
        let name = |end: &str| format!("model.layers.{i}.self_attn.q_proj.{end}");
        all.push((name("qweight"), "I32", 32, vec![1, 8]));
        all.push((name("qzeros"), "I32", 32, vec![1, 1]));
        all.push((name("scales"), "F16", 16, vec![1, 8]));
        all.push((name("g_idx"), "I32", 32, vec![8]));
    }
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    insta::assert_snapshot!("quantized", said(&output));
    // The same in 8 bits holds half as many elements.
    let i = all.iter().position(|t| t.0.ends_with("qweight")).unwrap();
    all[i].3 = vec![2, 8];
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
    assert!(said(&output).contains("E0832"), "{}", said(&output));
}

#[test]
fn a_tied_output_layer_may_be_stored_once_more() {
    let folder = folder("tied");
    let text = TINY.replace("vocab: 32", "vocab: 32, tied: true");
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let mut all = tensors();
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("the embedding table"), "{}", said(&output));
    all.pop();
    fs::write(folder.join("model.safetensors"), file(&all)).unwrap();
    let output = mesa(&folder, &["bind", "tiny.mesa", "."]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn matrices_with_inputs_first_are_told_from_those_turned_round() {
    let folder = folder("turned");
    let text = "use std.layers.Gpt\n\nmodel Tiny = Gpt(layers: 1, hidden: 8, heads: 2, vocab: 16, \
                context: 4, matrix: \"weight^T\")\n";
    fs::write(folder.join("tiny.mesa"), text).unwrap();
    let shapes: [(&str, &[u64]); 18] = [
        ("wte.weight", &[16, 8]),
        ("wpe.weight", &[4, 8]),
        ("h.0.ln_1.weight", &[8]),
        ("h.0.ln_1.bias", &[8]),
        ("h.0.attn.c_attn.weight", &[8, 24]),
        ("h.0.attn.c_attn.bias", &[24]),
        ("h.0.attn.c_proj.weight", &[8, 8]),
        ("h.0.attn.c_proj.bias", &[8]),
        ("h.0.attn.bias", &[1, 1, 4, 4]),
        ("h.0.attn.masked_bias", &[]),
        ("h.0.ln_2.weight", &[8]),
        ("h.0.ln_2.bias", &[8]),
        ("h.0.mlp.c_fc.weight", &[8, 32]),
        ("h.0.mlp.c_fc.bias", &[32]),
        ("h.0.mlp.c_proj.weight", &[32, 8]),
        ("h.0.mlp.c_proj.bias", &[8]),
        ("ln_f.weight", &[8]),
        ("ln_f.bias", &[8]),
    ];
    let all =
        shapes.map(|(name, shape)| (format!("transformer.{name}"), "BF16", 16, shape.to_vec()));
    let bind = |tensors: &[Tensor]| {
        fs::write(folder.join("model.safetensors"), file(tensors)).unwrap();
        mesa(&folder, &["bind", "tiny.mesa", "model.safetensors"])
    };
    let output = bind(&all);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("causal masks"), "{}", said(&output));
    let mut turned = all;
    turned[12].3.reverse();
    let output = bind(&turned);
    assert!(said(&output).contains("error[E0832]"), "{}", said(&output));
}
