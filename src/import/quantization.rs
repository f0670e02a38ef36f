//! Formats of quantized weights: `quantization_config` and its kin.
//!
//! In: what a config says of its quantization, in the words of eight tools. Out: [`Format`], which
//! weights have which format of the library (or of one that is declared beside the model), and
//! which were left out.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Kind, Member, Node};
use super::read::{Reader, is_set};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::{Place, Span};

/// The formats of a quantized model.
#[derive(Clone, Debug, Default)]
pub(super) struct Format {
    /// Formats that the library does not have, as text.
    pub items: Vec<String>,
    /// What has which format, with where it is from: names of blocks or weights.
    pub rules: Vec<(Vec<String>, String, String)>,
    /// What products with these weights are computed in, where activations are quantized too.
    pub compute: Vec<(Vec<String>, String, String)>,
    /// The format of the cache.
    pub cache: Option<(String, String)>,
    /// What some layers leave out: a name, in how many of them, and where that stands.
    partial: Vec<(String, usize, Place)>,
}

impl Format {
    /// Only what the model has, in so many layers: rules about anything else say nothing. What is
    /// left out in all layers that have it gets the format of everything else; where only some
    /// leave it out, a finding says so.
    pub fn keep(&mut self, layers: &BTreeMap<String, f64>) -> Option<Diagnostic> {
        let (mut whole, mut some, mut at) = (Vec::new(), Vec::new(), None);
        for (name, count, place) in std::mem::take(&mut self.partial) {
            match layers.get(&name) {
                None => {}
                Some(all) if count as f64 >= *all => whole.push(name),
                Some(all) => {
                    some.push(format!("`{name}` in {count} of {all}"));
                    at = at.or(Some(place));
                }
            }
        }
        let why = self.rules.first().map(|(.., why)| format!("left out, {why}"));
        self.rules.push((whole, String::new(), why.unwrap_or_default()));
        for (within, ..) in &mut self.rules {
            within.retain(|name| layers.contains_key(name));
        }
        self.rules.retain(|(within, ..)| !within.is_empty());
        let kept: Vec<&String> =
            self.rules.iter().filter(|r| r.1.is_empty()).flat_map(|r| &r.0).collect();
        for (within, ..) in &mut self.compute {
            within.retain(|name| layers.contains_key(name) && !kept.contains(&name));
        }
        self.compute.retain(|(within, ..)| !within.is_empty());
        let title = "some layers keep modules that others have quantized";
        let label = format!("taken as quantized in all layers: {}", some.join(", "));
        Some(Diagnostic::new(codes::CONFIG_ASSUMED, title, at?, label))
    }
}

/// Weights of products, which all of these tools mean by `Linear`.
const LINEAR: [&str; 29] = [
    "wq", "wk", "wv", "wo", "wg", "w_gate", "w_up", "w_down", "w_in", "w_out", "w_x", "w_z", "w_b",
    "w_c", "w_dt", "w_step", "w_q", "w_k", "w_v", "w_a", "w_q_a", "w_q_pe", "w_kv_a", "w_k_pe",
    "w_uk", "w_uv", "wq_a", "w_kv", "wo_a",
];

/// The same as texts.
fn linear() -> Vec<String> {
    LINEAR.iter().map(|name| (*name).to_owned()).collect()
}

/// A number format to be: bits of an element, and of its scales and zeros.
struct Shape {
    name: String,
    bits: f64,
    scale: Option<(&'static str, f64)>,
    zero: Option<(String, f64)>,
    /// Rows and columns that a scale is for.
    block: Option<[f64; 2]>,
    /// What activations become before they meet it.
    compute: Option<&'static str>,
}

impl Shape {
    fn plain(name: &str) -> Self {
        Self { name: name.into(), bits: 0.0, scale: None, zero: None, block: None, compute: None }
    }
    fn computed(self, format: &'static str) -> Self {
        Self { compute: Some(format), ..self }
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
        if let Some([rows, columns]) = self.block {
            text += &format!("  block = [{rows}, {columns}]\n");
        }
        Some(text + "}\n")
    }
}

impl Reader<'_> {
    /// How the weights are quantized, if they are: by the config, or by the file beside it.
    pub fn quantization(&mut self) -> Option<Format> {
        let keys = ["quantization_config", "compression_config", "quantization"];
        let found = keys.iter().filter_map(|key| Some((*key, self.key(key)?)));
        let found: Vec<_> = found.filter(|(_, m)| is_set(&m.value)).collect();
        if let Some((key, member)) = found.first() {
            return self.formats(key, "config.json", member.span, &member.value);
        }
        let (beside, file) = self.beside?;
        let config = std::mem::replace(&mut self.file, file);
        let span = super::first(beside.span);
        let format = self.formats("quantization", "hf_quant_config.json", span, beside);
        self.file = config;
        format
    }

    fn formats(&mut self, key: &str, file: &str, at: Span, config: &Node) -> Option<Format> {
        let method = method(config);
        let mut format = Format::default();
        let why = format!("{file}: {key}");
        let groups = groups(config);
        // Some layers in another format than that of the tool: what they leave out has that one.
        let base = match (groups.is_empty(), method.as_str()) {
            (false, "fp8") => shape(&method, config),
            _ => None,
        };
        let is_mixed = base.is_some();
        if let Some(base) = base {
            format.rules.push((linear(), base.name, why.clone()));
        }
        if groups.is_empty() {
            let mut names = linear();
            if method == "mlx" {
                names.extend(["table".to_owned(), "head".to_owned()]);
            }
            let Some(shape) = shape(&method, config) else {
                self.not_read(key, at, &method);
                return None;
            };
            format.items.extend(shape.item());
            let compute = shape.compute.map(|c| (names.clone(), c.to_owned(), why.clone()));
            format.compute.extend(compute);
            format.rules.push((names, shape.name, why.clone()));
            self.own_formats(&mut format);
        } else {
            self.grouped(&groups, &mut format, &why);
        }
        let cache = [
            "kv_cache_quant_algo",
            "quantization.kv_cache_quant_algo",
            "kv_cache_scheme",
            "kv_cache_quant_method",
        ];
        let is_fp8 = |m: &Member| match &m.value.kind {
            Kind::Text(text) => text.eq_ignore_ascii_case("fp8"),
            Kind::Object(_) => number(&m.value, "num_bits") == Some(8.0),
            _ => false,
        };
        if cache.iter().filter_map(|path| config.at(path)).any(is_fp8) {
            format.cache = Some(("fp8".into(), why));
        }
        if !is_mixed {
            self.left_out(config, key, &mut format);
        }
        Some(format)
    }

    /// Formats that keys of the family say for some of the weights.
    fn own_formats(&mut self, format: &mut Format) {
        for (key, own) in self.family.formats.clone() {
            let Some((_, member)) = self.first_of(std::slice::from_ref(&key)) else { continue };
            if let Some(name) = said(&member.value).and_then(|word| own.map.get(&word).cloned()) {
                format.rules.push((own.names, name, format!("config.json: {key}")));
            }
        }
    }

    /// Groups of modules, each with a format of its own: what most layers of a module have counts.
    fn grouped(&mut self, groups: &[(Vec<String>, Shape)], format: &mut Format, why: &str) {
        let mut votes: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
        for (targets, shape) in groups {
            for target in targets {
                let names = match target.as_str() {
                    "Linear" => linear(),
                    target => self.meant(target).0,
                };
                for name in names {
                    *votes.entry(name).or_default().entry(&shape.name).or_default() += 1;
                }
            }
        }
        let mut chosen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut mixed = Vec::new();
        for (name, formats) in votes {
            let Some((most, _)) = formats.iter().max_by_key(|(_, votes)| **votes) else { continue };
            if formats.len() > 1 {
                mixed.push(format!("`{name}`"));
            }
            chosen.entry(most).or_default().push(name);
        }
        for (_, shape) in groups {
            if let Some(names) = chosen.remove(shape.name.as_str()) {
                format.items.extend(shape.item());
                let compute = shape.compute.map(|c| (names.clone(), c.to_owned(), why.to_owned()));
                format.compute.extend(compute);
                format.rules.push((names, shape.name.clone(), why.to_owned()));
            }
        }
        if !mixed.is_empty() {
            let place = self.place(super::first(self.root.span));
            self.findings.push(Diagnostic::new(
                codes::CONFIG_ASSUMED,
                "modules of one name have different formats in different layers",
                place,
                format!("taken as in most layers: {}", mixed.join(", ")),
            ));
        }
    }

    fn not_read(&mut self, key: &str, at: Span, method: &str) {
        let place = self.place(at);
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
            "skip_modules",
            "exclude",
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
        let place = self.place(span.unwrap_or(super::first(config.span)));
        for (name, in_layers) in layers {
            // A tower and what routes tokens are left out wherever they are.
            let special = ["VisionTower", "Router", "w_shared", "draft"].contains(&name.as_str());
            if special {
                whole.insert(name);
            } else if !whole.contains(&name) && name != "norm" {
                format.partial.push((name, in_layers.len(), place));
            }
        }
        // What is never quantized needs no rule.
        let quantized = |name: &String| {
            let never = ["table", "Router", "w_shared", "norm"].contains(&name.as_str());
            let head = name == "head" && !format.rules.iter().any(|r| r.0.contains(name));
            !never && !head
        };
        let names: Vec<String> = whole.into_iter().filter(quantized).collect();
        if !names.is_empty() {
            format.rules.push((names, String::new(), format!("left out by {key}")));
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
        // Matrices of these are left out with what they are in, not by their own names.
        let wholes = ["VisionTower", "draft", "shared"];
        let tower = parts.iter().filter_map(of).find(|n| n.iter().any(|n| wholes.contains(&&**n)));
        let pairs = parts.windows(2).rev().map(|pair| pair.join("."));
        let pair = pairs.filter_map(|pair| self.family.modules.get(&pair).cloned()).next();
        let named = tower.or(pair).or_else(|| parts.iter().rev().find_map(of));
        (named.unwrap_or_default(), layer)
    }
}

/// The tool that a config names, or shows by its form.
fn method(config: &Node) -> String {
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
fn shape(method: &str, config: &Node) -> Option<Shape> {
    let set = |path: &str| config.at(path).is_some_and(|m| is_set(&m.value));
    Some(match method {
        "awq" | "gptq" | "gptq_marlin" | "awq_marlin" | "auto-round" | "intel/auto-round" => {
            let bits = number(config, "bits").or(number(config, "w_bit")).unwrap_or(4.0);
            let group = number(config, "group_size").or(number(config, "q_group_size"));
            grouped(bits, group.unwrap_or(128.0), true)
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
            affine(set("nbits").unwrap_or(4.0), set("group_size").unwrap_or(64.0))
        }
        "torchao" => {
            let kind = text(config, "quant_type").unwrap_or_default();
            let group = number(config, "group_size").unwrap_or(128.0);
            match kind.as_str() {
                kind if kind.contains("int4") => grouped(4.0, group, true),
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
                "int4" | "uint4" => grouped(4.0, group.unwrap_or(128.0), true),
                _ => return None,
            }
        }
        "eetq" | "quanto" => Shape::plain("int8"),
        "mlx" => affine(
            number(config, "bits").unwrap_or(4.0),
            number(config, "group_size").unwrap_or(64.0),
        ),
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
fn groups(config: &Node) -> Vec<(Vec<String>, Shape)> {
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

fn said(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn text(node: &Node, path: &str) -> Option<String> {
    said(&node.at(path)?.value).map(|t| t.to_lowercase())
}

fn number(node: &Node, path: &str) -> Option<f64> {
    match node.at(path)?.value.kind {
        Kind::Number(n) => Some(n),
        _ => None,
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
    if ["int4_g128", "int4_g64", "int4_g32", "int8_g128"].contains(&name.as_str()) {
        return Shape::plain(&name);
    }
    let format = match bits {
        4.0 => "int4".to_owned(),
        8.0 => "int8".to_owned(),
        _ => "int4".to_owned(),
    };
    let zero = zeros.then_some((format, group * if bits < 4.0 { 4.0 / bits } else { 1.0 }));
    Shape { name, bits, scale: Some(("fp16", group)), zero, block: None, compute: None }
}

/// Integers with a scale and a bias in 16 bits each (MLX).
fn affine(bits: f64, group: f64) -> Shape {
    let name = format!("int{bits}_affine_g{group}");
    let (scale, zero) = (Some(("fp16", group)), Some(("fp16".into(), group)));
    Shape { name, bits, scale, zero, block: None, compute: None }
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
            grouped(bits, size, !symmetric)
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
        "w4a16_awq" => grouped(4.0, group.unwrap_or(128.0), false),
        "w4a8_awq" => grouped(4.0, group.unwrap_or(128.0), false).computed("fp8"),
        _ => return None,
    })
}
