//! The formats that the words of eight tools of quantization mean.
//!
//! In: what a config says of its quantization. Out: [`Shape`], a format of the library or one that is
//! to be declared beside the model, for all weights or for groups of modules.

use super::json::{Kind, Node};
use super::read::is_set;

/// Elements of a group, at most.
const MOST: f64 = 1_048_576.0;

/// A number format to be: bits of an element, and of its scales and zeros.
pub(super) struct Shape {
    pub name: String,
    bits: f64,
    scale: Option<(&'static str, f64)>,
    zero: Option<(String, f64)>,
    /// Rows and columns that a scale is for.
    block: Option<[f64; 2]>,
    /// What activations become before they meet it.
    pub compute: Option<&'static str>,
}

impl Shape {
    fn plain(name: &str) -> Self {
        Self { name: name.into(), bits: 0.0, scale: None, zero: None, block: None, compute: None }
    }
    fn computed(self, format: &'static str) -> Self {
        Self { compute: Some(format), ..self }
    }
    /// The format as an item, unless the library has it.
    pub fn item(&self) -> Option<String> {
        let bits = (self.bits > 0.0).then_some(self.bits)?;
        let mut text = format!("dtype {} {{\n  bits = {bits}\n", self.name);
        for (field, part) in [
            ("scale", self.scale.as_ref().map(|(f, n)| (f.to_string(), *n))),
            ("zero", self.zero.clone()),
        ] {
            if let Some((format, per)) = part {
                text += &format!("  {field} = {format} per {per}\n");
            }
        }
        if let Some([rows, columns]) = self.block {
            text += &format!("  block = [{rows}, {columns}]\n");
        }
        Some(text + "}\n")
    }
}

/// The tool that a config names, or shows by its form.
pub(super) fn method(config: &Node) -> String {
    let said = text(config, "quant_method").filter(|m| !m.is_empty());
    let algorithm = text(config, "quant_algo").or_else(|| text(config, "quantization.quant_algo"));
    // MLX says bits and a group size, and no tool, under either key.
    let is_mlx = number(config, "bits").is_some() && number(config, "group_size").is_some();
    said.unwrap_or_else(|| match (algorithm, config.member("mode")) {
        (Some(_), _) => "modelopt".into(),
        (_, Some(_)) => "mlx".into(),
        _ if is_mlx => "mlx".into(),
        _ => String::new(),
    })
}

/// The one format of all quantized weights.
pub(super) fn shape(method: &str, config: &Node) -> Option<Shape> {
    let set = |path: &str| config.at(path).is_some_and(|m| is_set(&m.value));
    Some(match method {
        "awq" | "gptq" | "gptq_marlin" | "awq_marlin" | "auto-round" | "intel/auto-round" => {
            let bits = number(config, "bits").or(number(config, "w_bit")).unwrap_or(4.0);
            let group = number(config, "group_size").or(number(config, "q_group_size"));
            grouped(bits, group.unwrap_or(128.0), true)?
        }
        "fp8" => match config.member("weight_block_size").map(|m| &m.value.kind) {
            Some(Kind::List(_)) => blocks(config, "weight_block_size").computed("fp8"),
            _ => Shape::plain("fp8").computed("fp8"),
        },
        "fbgemm_fp8" => Shape::plain("fp8").computed("fp8"),
        "mxfp4" => Shape::plain("mxfp4"),
        "bitnet" => Shape::plain("ternary").computed("int8"),
        "bitsandbytes" if set("load_in_4bit") || set("_load_in_4bit") => {
            Shape::plain(match set("bnb_4bit_use_double_quant") {
                true => "nf4_double",
                false => "nf4",
            })
        }
        "bitsandbytes" => Shape::plain("int8"),
        "hqq" => {
            let set = |key: &str| {
                let inner = format!("quant_config.weight_quant_params.{key}");
                number(config, key).or(number(config, &inner))
            };
            affine(set("nbits").unwrap_or(4.0), set("group_size").unwrap_or(64.0))?
        }
        "torchao" => {
            let kind = text(config, "quant_type").unwrap_or_default();
            let group = number(config, "group_size").unwrap_or(128.0);
            match kind.as_str() {
                kind if kind.contains("int4") => grouped(4.0, group, true)?,
                kind if kind.contains("int8") => Shape::plain("int8"),
                kind if kind.contains("float8") || kind.contains("fp8") => Shape::plain("fp8"),
                _ => return None,
            }
        }
        "quark" => {
            let of = |key: &str| format!("global_quant_config.weight.{key}");
            let group = number(config, &of("group_size"));
            match text(config, &of("dtype"))?.as_str() {
                "fp8_e4m3" => Shape::plain("fp8"),
                "fp4" => Shape::plain("mxfp4"),
                "int8" => Shape::plain("int8"),
                "int4" | "uint4" => grouped(4.0, group.unwrap_or(128.0), true)?,
                _ => return None,
            }
        }
        "eetq" | "quanto" => Shape::plain("int8"),
        "mlx" => affine(
            number(config, "bits").unwrap_or(4.0),
            number(config, "group_size").unwrap_or(64.0),
        )?,
        "modelopt" => {
            let algorithm =
                text(config, "quant_algo").or_else(|| text(config, "quantization.quant_algo"));
            let group = number(config, "group_size").or(number(config, "quantization.group_size"));
            modelopt(algorithm.as_deref().unwrap_or(""), group)?
        }
        _ => return None,
    })
}

/// Groups of modules with their formats: compressed-tensors, and ModelOpt's mixes.
pub(super) fn groups(config: &Node) -> Vec<(Vec<String>, Shape)> {
    let mut groups: Vec<(Vec<String>, Shape)> = Vec::new();
    // Where layers are listed one by one, a group of all of them says nothing.
    let listed = |path: &&str| config.at(path).is_some_and(|m| is_set(&m.value));
    let is_listed = ["quantized_layers", "quantization.quantized_layers"].iter().any(listed);
    if let Some(list) = config.member("config_groups").filter(|_| !is_listed) {
        for group in list.value.members() {
            let weights = group.value.member("weights");
            let Some(mut shape) = weights.and_then(|w| compressed(&w.value)) else { continue };
            let input = group.value.member("input_activations").map(|m| &m.value);
            shape.compute = input.and_then(activations);
            let targets = match group.value.member("targets").map(|m| &m.value.kind) {
                Some(Kind::List(items)) => items.iter().filter_map(said).collect(),
                _ => vec!["Linear".to_owned()],
            };
            groups.push((targets, shape));
        }
    }
    // PaddlePaddle's words for dense layers and for experts.
    for (key, target) in [("dense_quant_type", "Linear"), ("moe_quant_type", "experts")] {
        let shape = match text(config, key).as_deref() {
            Some("block_wise_fp8") => Shape::plain("fp8_block").computed("fp8"),
            Some("wint8" | "weight_only_int8") => Shape::plain("int8"),
            Some("wint4" | "weight_only_int4") => Shape::plain("int4"),
            _ => continue,
        };
        groups.push((vec![target.to_owned()], shape));
    }
    for path in ["quantized_layers", "quantization.quantized_layers"] {
        for layer in config.at(path).map(|m| m.value.members()).unwrap_or_default() {
            let algorithm = text(&layer.value, "quant_algo").unwrap_or_default();
            let Some(shape) = modelopt(&algorithm, number(&layer.value, "group_size")) else {
                continue;
            };
            match groups.iter_mut().find(|(_, s)| s.name == shape.name) {
                Some((targets, _)) => targets.push(layer.key.clone()),
                None => groups.push((vec![layer.key.clone()], shape)),
            }
        }
    }
    groups
}

pub(super) fn said(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn text(node: &Node, path: &str) -> Option<String> {
    said(&node.at(path)?.value).map(|t| t.to_lowercase())
}

pub(super) fn number(node: &Node, path: &str) -> Option<f64> {
    match node.at(path)?.value.kind {
        Kind::Number(n) => Some(n),
        _ => None,
    }
}

/// A count that formats can have: bits of an element, elements of a group.
fn is_count(n: f64, most: f64) -> bool {
    (1.0..=most).contains(&n) && n.fract() == 0.0
}

/// Integers with a scale, and with a zero point, for so many elements of a row; with one for a
/// whole row where there are no groups.
fn grouped(bits: f64, group: f64, zeros: bool) -> Option<Shape> {
    if !is_count(bits, 16.0) || group > MOST {
        return None;
    }
    if !is_count(group, MOST) {
        return Some(Shape::plain(if bits <= 4.0 { "int4" } else { "int8" }));
    }
    let shape = if zeros { "" } else { "_symmetric" };
    let name = format!("int{bits}_g{group}{shape}");
    if ["int4_g128", "int4_g64", "int4_g32", "int8_g128"].contains(&name.as_str()) {
        return Some(Shape::plain(&name));
    }
    let format = if bits == 8.0 { "int8" } else { "int4" };
    let per = group * if bits < 4.0 { 4.0 / bits } else { 1.0 };
    let zero = zeros.then(|| (format.to_owned(), per));
    let scale = Some(("fp16", group));
    Some(Shape { name, bits, scale, zero, block: None, compute: None })
}

/// Integers with a scale and a bias in 16 bits each (MLX).
fn affine(bits: f64, group: f64) -> Option<Shape> {
    if !is_count(bits, 16.0) || !is_count(group, MOST) {
        return None;
    }
    let name = format!("int{bits}_affine_g{group}");
    let (scale, zero) = (Some(("fp16", group)), Some(("fp16".into(), group)));
    Some(Shape { name, bits, scale, zero, block: None, compute: None })
}

/// fp8 with one scale for each block.
fn blocks(config: &Node, key: &str) -> Shape {
    let sizes: Vec<f64> = match config.at(key).map(|m| &m.value.kind) {
        Some(Kind::List(items)) => items
            .iter()
            .filter_map(|n| match n.kind {
                Kind::Number(n) if n >= 1.0 => Some(n),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    match sizes.as_slice() {
        [128.0, 128.0] | [] => Shape::plain("fp8_block"),
        sizes => {
            let all: f64 = sizes.iter().product();
            let name = format!("fp8_block_{all}");
            let block = <[f64; 2]>::try_from(sizes).ok();
            let scale = Some(("fp32", all));
            Shape { name, bits: 8.0, scale, zero: None, block, compute: None }
        }
    }
}

/// The weights of a group of compressed-tensors.
fn compressed(weights: &Node) -> Option<Shape> {
    let bits = number(weights, "num_bits")?;
    let size = number(weights, "group_size");
    let kind = text(weights, "type").unwrap_or_default();
    let strategy = text(weights, "strategy").unwrap_or_default();
    Some(match (kind.as_str(), bits, size) {
        ("float", 8.0, _) if strategy == "block" => blocks(weights, "block_structure"),
        ("float", 8.0, _) => Shape::plain("fp8"),
        ("float", 4.0, Some(32.0)) => Shape::plain("mxfp4"),
        ("float", 4.0, _) => Shape::plain("nvfp4"),
        (_, 8.0, None) => Shape::plain("int8"),
        (_, bits, Some(size)) => {
            let symmetric = weights.member("symmetric").is_none_or(|m| is_set(&m.value));
            grouped(bits, size, !symmetric)?
        }
        (_, 4.0, None) => Shape::plain("int4"),
        _ => return None,
    })
}

/// What the activations of a group become, if they are quantized.
fn activations(input: &Node) -> Option<&'static str> {
    let kind = text(input, "type").unwrap_or_default();
    match (kind.as_str(), number(input, "num_bits")?) {
        ("float", 8.0) => Some("fp8"),
        ("float", 4.0) => Some("fp4"),
        (_, 8.0) => Some("int8"),
        _ => None,
    }
}

/// NVIDIA ModelOpt's algorithms.
fn modelopt(algorithm: &str, group: Option<f64>) -> Option<Shape> {
    Some(match algorithm {
        "fp8" | "fp8_per_channel_per_token" => Shape::plain("fp8").computed("fp8"),
        "fp8_pb_wo" | "fp8_pb_real" | "fp8_block" => Shape::plain("fp8_block").computed("fp8"),
        "nvfp4" => Shape::plain("nvfp4").computed("fp4"),
        "w4a16_nvfp4" => Shape::plain("nvfp4"),
        "mxfp4" => Shape::plain("mxfp4"),
        "w4a8_mxfp4_fp8" => Shape::plain("mxfp4").computed("fp8"),
        "mxfp8" => Shape::plain("mxfp8").computed("fp8"),
        "int8" | "w8a16" => Shape::plain("int8"),
        "w8a8_sq_per_channel" => Shape::plain("int8").computed("int8"),
        "w4a16_awq" => grouped(4.0, group.unwrap_or(128.0), false)?,
        "w4a8_awq" => grouped(4.0, group.unwrap_or(128.0), false)?.computed("fp8"),
        _ => return None,
    })
}

/// Modules with formats of their own beside that of everything else (MLX); `None` where one is not
/// quantized.
pub(super) fn modules(config: &Node) -> Vec<(&str, Option<Shape>)> {
    let own = |node: &Node| match &node.kind {
        Kind::Bool(false) => Some(None),
        Kind::Object(_) => {
            let bits = number(node, "bits")?;
            Some(Some(match text(node, "mode").as_deref() {
                Some("mxfp4") => Shape::plain("mxfp4"),
                Some("nvfp4") => Shape::plain("nvfp4"),
                Some("mxfp8") => Shape::plain("mxfp8"),
                _ => affine(bits, number(node, "group_size").unwrap_or(64.0))?,
            }))
        }
        _ => None,
    };
    let is_module = |key: &str| key.contains('.') || key == "lm_head";
    let members = config.members().iter().filter(|m| is_module(&m.key));
    members.filter_map(|m| Some((m.key.as_str(), own(&m.value)?))).collect()
}
