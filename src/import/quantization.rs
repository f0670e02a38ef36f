//! Formats of quantized weights: `quantization_config` and its kin.
//!
//! In: what a config says of its quantization, in the words of eight tools. Out: [`Format`], which
//! weights have which format of the library (or of one that is declared beside the model), and
//! which were left out.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Kind, Member, Node};
use super::read::{Reader, is_set};
use super::schemes::{Shape, groups, method, modules, number, said, shape};
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
    /// What some layers leave out, or have in a format of their own.
    partial: Vec<Partial>,
}

/// What a module has in some layers.
#[derive(Clone, Debug)]
struct Partial {
    /// The block or weight, and in how many layers.
    name: String,
    count: usize,
    /// Its format there, with the item that declares it; none where it is left out.
    format: Option<(String, Option<String>)>,
    place: Place,
}

impl Format {
    /// One weight in a format of its own.
    fn give(&mut self, name: String, format: String, item: Option<String>, why: &str) {
        self.items.extend(item.filter(|i| !self.items.contains(i)));
        for (within, ..) in &mut self.rules {
            within.retain(|n| *n != name);
        }
        let same = |r: &&mut (Vec<String>, String, String)| r.1 == format && r.2 == why;
        match self.rules.iter_mut().skip(1).find(same) {
            Some((within, ..)) => within.push(name),
            None => self.rules.push((vec![name], format, why.to_owned())),
        }
    }

    /// Only what the model has, in so many layers: rules about anything else say nothing. What is
    /// left out in all layers that have it gets the format of everything else; where only some
    /// leave it out, a finding says so.
    pub fn keep(&mut self, layers: &BTreeMap<String, f64>) -> Option<Diagnostic> {
        let (mut whole, mut some, mut others, mut at) = (Vec::new(), Vec::new(), Vec::new(), None);
        let source = self.rules.first().map(|(.., why)| why.clone()).unwrap_or_default();
        for Partial { name, count, format, place } in std::mem::take(&mut self.partial) {
            let Some(all) = layers.get(&name) else { continue };
            let is_whole = count as f64 >= *all;
            if !is_whole {
                at = at.or(Some(place));
            }
            match format {
                None if is_whole => whole.push(name),
                None => some.push(format!("`{name}` in {count} of {all}")),
                Some((own, item)) => {
                    if !is_whole {
                        others.push(format!("`{name}` in {count} of {all}"));
                    }
                    if count as f64 > all / 2.0 {
                        self.give(name, own, item, &source);
                    }
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
        let (title, label) = match others.as_slice() {
            [] => (
                "some layers keep modules that others have quantized",
                format!("taken as quantized in all layers: {}", some.join(", ")),
            ),
            others => (
                "some layers have modules in another format than others",
                format!("taken as in most layers: {}", others.join(", ")),
            ),
        };
        Some(Diagnostic::new(codes::CONFIG_ASSUMED, title, at?, label))
    }
}

/// Weights of products, which all of these tools mean by `Linear`.
const LINEAR: [&str; 31] = [
    "wq", "wk", "wv", "wo", "wg", "w_gate", "w_up", "w_down", "w_in", "w_out", "w_x", "w_z", "w_b",
    "w_c", "w_dt", "w_step", "w_q", "w_k", "w_v", "w_a", "w_q_a", "w_q_pe", "w_kv_a", "w_k_pe",
    "w_uk", "w_uv", "wq_a", "w_kv", "wo_a", "w_linear", "w_y",
];

/// The same as texts.
fn linear() -> Vec<String> {
    LINEAR.iter().map(|name| (*name).to_owned()).collect()
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
            if method == "mlx" {
                // mlx-vlm quantizes no tower.
                let left = format!("left out by MLX, {why}");
                format.rules.push((vec!["VisionTower".to_owned()], String::new(), left));
                self.own_modules(config, &mut format, &why, at);
            }
        } else {
            self.grouped(&groups, &mut format, &why);
        }
        let cache = [
            "kv_cache_quant_algo",
            "quantization.kv_cache_quant_algo",
            "kv_cache_scheme",
            "kv_cache_quant_method",
            "kv_cache_quant_type",
        ];
        let is_fp8 = |m: &Member| match &m.value.kind {
            Kind::Text(text) => {
                text.eq_ignore_ascii_case("fp8") || text.to_lowercase().starts_with("float8")
            }
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

    /// Modules whose format the config says one by one, beside that of everything else.
    fn own_modules(&self, config: &Node, format: &mut Format, why: &str, at: Span) {
        let place = self.place(at);
        for (module, own) in modules(config) {
            let own = own.map(|shape| (shape.name.clone(), shape.item()));
            let (names, layer) = self.meant(module);
            for name in names {
                let same = |p: &&mut Partial| {
                    p.name == name && p.format.as_ref().map(|f| &f.0) == own.as_ref().map(|f| &f.0)
                };
                match (layer, &own) {
                    (Some(_), _) => match format.partial.iter_mut().find(same) {
                        Some(partial) => partial.count += 1,
                        None => {
                            let format_of = own.clone();
                            format.partial.push(Partial {
                                name,
                                count: 1,
                                format: format_of,
                                place,
                            });
                        }
                    },
                    (None, Some((own, item))) => {
                        format.give(name, own.clone(), item.clone(), why);
                    }
                    (None, None) => format.give(name, String::new(), None, why),
                }
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
                // Layers behind the last are those that predict further tokens.
                let behind =
                    layer.is_some_and(|l| self.layers().is_some_and(|n| f64::from(l) >= n));
                if behind {
                    whole.insert("draft".to_owned());
                    continue;
                }
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
                let count = in_layers.len();
                format.partial.push(Partial { name, count, format: None, place });
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
        let paired = |pair: String| {
            let own = self.family.modules.get(&pair);
            own.or_else(|| self.table.modules.get(&pair)).cloned()
        };
        let pair = pairs.filter_map(paired).next();
        let named = tower.or(pair).or_else(|| parts.iter().rev().find_map(of));
        // A layer and nothing in it: all of its parts.
        let whole = ["attention", "linear", "shared", "w_gate", "w_up", "w_down"];
        let is_layer = parts.last().is_some_and(|p| p.parse::<u32>().is_ok());
        match named {
            None if is_layer => (whole.map(str::to_owned).into(), layer),
            named => (named.unwrap_or_default(), layer),
        }
    }
}
