//! Formats of quantized weights: `quantization_config` and its kin.
//!
//! In: what a config says of its quantization, in the words of eight tools. Out: a [`Format`]: which
//! weights have which format of the library (or of one that is declared beside the model), and
//! which were left out.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Kind, Member, Node};
use super::read::{Reader, is_set};
use crate::diagnostic::{Diagnostic, codes};

/// The formats of a quantized model.
#[derive(Clone, Debug, Default)]
pub(super) struct Format {
    /// Formats that the library does not have, as text.
    pub items: Vec<String>,
    /// What has which format, with where it is from: names of blocks or weights.
    pub rules: Vec<(Vec<String>, String, String)>,
    /// The format of the cache.
    pub cache: Option<(String, String)>,
}

/// Weights of products, which all of these tools mean by `Linear`.
const LINEAR: [&str; 20] = [
    "wq", "wk", "wv", "wo", "wg", "w_gate", "w_up", "w_down", "w_in", "w_out", "w_x", "w_z", "w_b",
    "w_c", "w_dt", "w_step", "w_q", "w_k", "w_v", "w_a",
];

/// A number format to be: bits of an element, and of its scales and zeros.
struct Shape {
    name: String,
    bits: f64,
    scale: Option<(&'static str, f64)>,
    zero: Option<(String, f64)>,
}

impl Shape {
    fn plain(name: &str) -> Self {
        Self { name: name.into(), bits: 0.0, scale: None, zero: None }
    }
    /// The format as an item, unless the library has it.
    fn item(&self) -> Option<String> {
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
        Some(text + "}\n")
    }
}

impl Reader<'_> {
    /// How the weights are quantized, if they are.
    pub fn quantization(&mut self) -> Option<Format> {
        let keys = ["quantization_config", "compression_config", "quantization"];
        let found = keys.iter().filter_map(|key| Some((*key, self.key(key)?)));
        let found: Vec<_> = found.filter(|(_, m)| is_set(&m.value)).collect();
        let (key, member) = *found.first()?;
        let config = &member.value;
        let text = |path: &str| match config.at(path).map(|m| &m.value.kind) {
            Some(Kind::Text(text)) => Some(text.to_lowercase()),
            _ => None,
        };
        let method = text("quant_method").or_else(|| {
            text("quant_algo").or(text("quantization.quant_algo")).map(|_| "modelopt".to_owned())
        });
        let mlx = config.member("mode").is_some() || key == "quantization";
        let method = method.unwrap_or_else(|| if mlx { "mlx".into() } else { String::new() });
        let number = |path: &str| match config.at(path).map(|m| &m.value.kind) {
            Some(Kind::Number(n)) => Some(*n),
            _ => None,
        };
        let truth = |path: &str| config.at(path).is_some_and(|m| is_set(&m.value));
        let mut names: Vec<&str> = LINEAR.to_vec();
        let shape = match method.as_str() {
            "awq" | "gptq" | "gptq_marlin" | "awq_marlin" => {
                let bits = number("bits").or(number("w_bit")).unwrap_or(4.0);
                let group = number("group_size").or(number("q_group_size")).unwrap_or(128.0);
                Some(grouped(bits, group, true))
            }
            "fp8" => Some(match config.member("weight_block_size").map(|m| &m.value.kind) {
                Some(Kind::List(_)) => blocks(config, "weight_block_size"),
                _ => Shape::plain("fp8"),
            }),
            "fbgemm_fp8" => Some(Shape::plain("fp8")),
            "mxfp4" => Some(Shape::plain("mxfp4")),
            "bitnet" => Some(Shape::plain("ternary")),
            "bitsandbytes" if truth("load_in_4bit") || truth("_load_in_4bit") => {
                Some(Shape::plain(match truth("bnb_4bit_use_double_quant") {
                    true => "nf4_double",
                    false => "nf4",
                }))
            }
            "bitsandbytes" => Some(Shape::plain("int8")),
            "mlx" => {
                names.extend(["table", "head"]);
                let bits = number("bits").unwrap_or(4.0);
                let group = number("group_size").unwrap_or(64.0);
                Some(affine(bits, group))
            }
            "compressed-tensors" => compressed(config),
            "modelopt" => {
                let algorithm = text("quant_algo").or(text("quantization.quant_algo"));
                let group = number("group_size").or(number("quantization.group_size"));
                modelopt(algorithm.as_deref().unwrap_or(""), group)
            }
            _ => None,
        };
        let Some(shape) = shape else {
            self.not_read(key, member, &method);
            return None;
        };
        let mut format = Format::default();
        let why = format!("config.json: {key}");
        format.items.extend(shape.item());
        let names = names.into_iter().map(str::to_owned).collect();
        format.rules.push((names, shape.name.clone(), why.clone()));
        let cache = text("kv_cache_quant_algo").or(text("quantization.kv_cache_quant_algo"));
        let scheme = config.at("kv_cache_scheme").filter(|m| is_set(&m.value));
        if cache.as_deref() == Some("fp8") || scheme.is_some() {
            format.cache = Some(("fp8".into(), why));
        }
        self.left_out(config, key, &mut format);
        Some(format)
    }

    fn not_read(&mut self, key: &str, member: &Member, method: &str) {
        let place = self.place(member.span);
        let method: String = method.chars().take(40).collect();
        let title = match method.as_str() {
            "" => format!("`{key}` does not say by which tool, and none of the known forms fits"),
            method => format!("the importer does not know the quantization `{method}`"),
        };
        self.findings.push(
            Diagnostic::new(
                codes::CONFIG_ASSUMED,
                title,
                place,
                "every weight is assumed to be stored in `torch_dtype`",
            )
            .note(
                "the counts of parameters hold; bytes of weights do not. Say the format in the \
                 scenario: `precision { weights within w_up = fp8 }`",
            ),
        );
    }

    /// Modules that keep their format.
    fn left_out(&mut self, config: &Node, key: &str, format: &mut Format) {
        let lists = [
            "modules_to_not_convert",
            "ignore",
            "ignored_layers",
            "exclude_modules",
            "quantization.exclude_modules",
            "llm_int8_skip_modules",
        ];
        let mut layers: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        let mut whole: BTreeSet<String> = BTreeSet::new();
        let mut unknown: Vec<String> = Vec::new();
        let mut span = None;
        for list in lists {
            let Some(member) = config.at(list) else { continue };
            let Kind::List(items) = &member.value.kind else { continue };
            span = span.or(Some(member.span));
            for item in items {
                let Kind::Text(pattern) = &item.kind else { continue };
                let (names, layer) = self.meant(pattern);
                match layer {
                    _ if names.is_empty() => unknown.push(pattern.chars().take(40).collect()),
                    Some(layer) => {
                        for name in names {
                            layers.entry(name).or_default().insert(layer);
                        }
                    }
                    None => whole.extend(names),
                }
            }
        }
        let count = self.numbers.get("layers").copied().unwrap_or_default();
        let mut some = Vec::new();
        for (name, in_layers) in layers {
            // A module that only some layers have is left out wherever it is.
            let special = ["vision", "router", "shared_gate", "mtp"].contains(&name.as_str());
            if special || in_layers.len() as f64 >= count {
                whole.insert(name);
            } else if !whole.contains(&name) {
                some.push(format!("`{name}` in {} of {count} layers", in_layers.len()));
            }
        }
        // What is never quantized needs no rule.
        let quantized = |name: &String| {
            let never = ["table", "router", "shared_gate", "norm"].contains(&name.as_str());
            let head = name == "head" && !format.rules.iter().any(|r| r.0.contains(name));
            !never && !head
        };
        let names: Vec<String> = whole.into_iter().filter(quantized).collect();
        if !names.is_empty() {
            format.rules.push((names, String::new(), format!("config.json: left out by {key}")));
        }
        let place = self.place(span.unwrap_or_default());
        if !some.is_empty() {
            let label = format!("taken as quantized in all layers: {}", some.join(", "));
            self.findings.push(Diagnostic::new(
                codes::CONFIG_ASSUMED,
                "some layers keep modules that others have quantized",
                place,
                label,
            ));
        }
        if let Some(first) = unknown.first() {
            let title = format!("`{first}` names no module that the importer knows");
            let label = format!("{} such; taken as quantized like the rest", unknown.len());
            self.findings.push(Diagnostic::new(codes::CONFIG_ASSUMED, title, place, label));
        }
    }

    /// The blocks or weights that a name or pattern of modules means, and the layer if it says one.
    fn meant(&self, pattern: &str) -> (Vec<String>, Option<u32>) {
        let part = |c: char| !(c.is_alphanumeric() || c == '_');
        let parts: Vec<&str> = pattern.split(part).filter(|p| !p.is_empty()).collect();
        let of = |part: &&str| {
            let own = self.family.modules.get(*part);
            own.or_else(|| self.table.modules.get(*part)).cloned()
        };
        let layer = parts.iter().find_map(|p| p.parse().ok());
        let towers = ["vision", "mtp"];
        let tower = parts.iter().filter_map(of).find(|n| n.iter().any(|n| towers.contains(&&**n)));
        (tower.or_else(|| parts.iter().rev().find_map(of)).unwrap_or_default(), layer)
    }
}

/// Integers with a scale, and with a zero point, for so many elements of a row.
fn grouped(bits: f64, group: f64, zeros: bool) -> Shape {
    let whole = |n: f64| (1.0..=16.0).contains(&n) && n.fract() == 0.0;
    if !whole(bits) || group < 1.0 {
        return Shape::plain(if bits == 4.0 { "int4" } else { "int8" });
    }
    let shape = if zeros { "" } else { "_symmetric" };
    let name = format!("int{bits}_g{group}{shape}");
    if name == "int4_g128" {
        return Shape::plain(&name);
    }
    let format = match bits {
        4.0 => "int4".to_owned(),
        8.0 => "int8".to_owned(),
        _ => "int4".to_owned(),
    };
    let zero = zeros.then_some((format, group * if bits < 4.0 { 4.0 / bits } else { 1.0 }));
    Shape { name, bits, scale: Some(("fp16", group)), zero }
}

/// Integers with a scale and a bias in 16 bits each (MLX).
fn affine(bits: f64, group: f64) -> Shape {
    let name = format!("int{bits}_affine_g{group}");
    Shape { name, bits, scale: Some(("fp16", group)), zero: Some(("fp16".into(), group)) }
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
            Shape { name, bits: 8.0, scale: Some(("fp32", all)), zero: None }
        }
    }
}

/// compressed-tensors: the first group of weights.
fn compressed(config: &Node) -> Option<Shape> {
    let Kind::Object(groups) = &config.member("config_groups")?.value.kind else { return None };
    let group = &groups.first()?.value;
    let weights = &group.at("weights").or_else(|| group.member("weights"))?.value;
    let number = |key: &str| match weights.member(key).map(|m| &m.value.kind) {
        Some(Kind::Number(n)) => Some(*n),
        _ => None,
    };
    let text = |key: &str| match weights.member(key).map(|m| &m.value.kind) {
        Some(Kind::Text(text)) => text.as_str(),
        _ => "",
    };
    let bits = number("num_bits")?;
    let size = number("group_size");
    Some(match (text("type"), bits, size) {
        ("float", 8.0, _) if text("strategy") == "block" => blocks(weights, "block_structure"),
        ("float", 8.0, _) => Shape::plain("fp8"),
        ("float", 4.0, Some(32.0)) => Shape::plain("mxfp4"),
        ("float", 4.0, _) => Shape::plain("nvfp4"),
        (_, 8.0, None) => Shape::plain("int8"),
        (_, bits, Some(size)) => {
            let symmetric = weights.member("symmetric").is_none_or(|m| is_set(&m.value));
            grouped(bits, size, !symmetric)
        }
        (_, 4.0, None) => Shape::plain("int4"),
        _ => return None,
    })
}

/// NVIDIA ModelOpt's algorithms.
fn modelopt(algorithm: &str, group: Option<f64>) -> Option<Shape> {
    Some(match algorithm {
        "fp8" | "fp8_per_channel_per_token" => Shape::plain("fp8"),
        "fp8_pb_wo" | "fp8_block" => Shape::plain("fp8_block"),
        "nvfp4" | "w4a16_nvfp4" => Shape::plain("nvfp4"),
        "mxfp4" | "w4a8_mxfp4_fp8" => Shape::plain("mxfp4"),
        "mxfp8" => Shape::plain("mxfp8"),
        "int8" | "w8a16" | "w8a8_sq_per_channel" => Shape::plain("int8"),
        "w4a16_awq" | "w4a8_awq" => grouped(4.0, group.unwrap_or(128.0), false),
        _ => return None,
    })
}
