//! A model's tensors held against those of a checkpoint.
//!
//! In: what the model wants, and what is stored. Out: which tensor is which, and what does not fit.

use std::collections::{HashMap, HashSet};

use super::checkpoint::{About, Checkpoint};
use super::names::{Holds, Names, Part};
use super::packed::{self, Held, is_container};
use super::shape::Shape;
use super::wanted::{Wanted, Wants, Weight, joined};

/// What a tensor of a checkpoint is for the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// It holds this wanted tensor.
    Weight(usize),
    /// It holds the packed elements of this wanted tensor.
    Elements(usize),
    /// It is needed to read this wanted tensor: scales, zeros.
    Part(usize),
    /// A table that a framework computes and stores: what it is.
    Buffer(String),
    /// The output layer once more, which is the embedding table.
    Tied,
    /// It is of a layer that proposes further tokens, which the model leaves out.
    Left,
    /// The model does not know it.
    Surplus,
}

/// How a tensor differs from what the model wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Difference {
    /// No tensor has its name.
    Missing,
    /// It has other dimensions than these; whether they are the same, turned round.
    Shape {
        /// What was wanted.
        wanted: String,
        /// What is there.
        found: String,
        /// Whether one is the other, turned.
        turned: bool,
    },
    /// It is stored in another format.
    Dtype {
        /// The format of the weight, and how that is stored.
        wanted: String,
        /// How the tensor is stored.
        found: String,
    },
    /// A part of it has another format than the others of its name.
    PartFormat {
        /// The format of the others.
        wanted: String,
        /// How this one is stored.
        found: String,
    },
    /// It is quantized, and something that its format says is not there.
    Lacks {
        /// What: "scales".
        what: &'static str,
    },
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Different {
    /// The wanted tensor that it is about.
    pub wanted: usize,
    /// The tensor of the checkpoint, or the one that is not there.
    pub name: String,
    /// Which part of a quantized weight it is: `scales`.
    pub part: Option<String>,
    /// How it differs.
    pub what: Difference,
}

/// Names that the checkpoint starts otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// What the names of the model start with.
    pub from: String,
    /// What they have instead.
    pub to: String,
    /// How many of them.
    pub count: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    /// For each tensor of the checkpoint what it is.
    pub uses: Vec<Use>,
    /// For each wanted tensor the position of the one that holds it.
    pub found: Vec<Option<usize>>,
    /// What does not fit.
    pub differences: Vec<Different>,
    /// Prefixes that differ.
    pub renamed: Vec<Renamed>,
}

/// Matches all tensors. What the checkpoint stores side by side, or apart, is then wanted so.
#[must_use]
pub fn matched(wants: &mut Wants, checkpoint: &Checkpoint) -> Matched {
    let matched = Matching::new(wants, checkpoint).run();
    if !matched.found.contains(&None) {
        return matched;
    }
    let names = Names::get();
    let mut there: HashSet<String> = HashSet::new();
    for (tensor, used) in checkpoint.tensors.iter().zip(&matched.uses) {
        if *used == Use::Surplus {
            there.insert(tensor.name.clone());
            let wholes = names.whole(&tensor.name).into_iter();
            there.extend(wholes.filter(|(_, p)| p.holds == Holds::Elements).map(|(n, _)| n));
        }
    }
    let is_missing = |i: usize| matched.found.get(i) == Some(&None);
    let is_there = |name: &str| {
        let renamed = matched.renamed.iter();
        let other = |r: &Renamed| Some(format!("{}{}", r.to, name.strip_prefix(&r.from)?));
        there.contains(name) || renamed.filter_map(other).any(|n| there.contains(&n))
    };
    if !there.is_empty() && super::other::rewrite(wants, &names.other, &is_missing, &is_there) {
        return Matching::new(wants, checkpoint).run();
    }
    matched
}

struct Matching<'m> {
    wants: &'m Wants,
    checkpoint: &'m Checkpoint,
    names: &'static Names,
    by_name: HashMap<&'m str, usize>,
    /// Tensors that may be parts of a weight, by the names that it may have.
    parts: HashMap<String, Vec<(usize, &'static Part)>>,
    /// Which part of which wanted tensor each tensor of the checkpoint is.
    part_of: Vec<(usize, usize, &'static Part)>,
    /// The name under which each wanted tensor was found, where it is another.
    called: Vec<Option<String>>,
    matched: Matched,
}

impl<'m> Matching<'m> {
    fn new(wants: &'m Wants, checkpoint: &'m Checkpoint) -> Self {
        let named = checkpoint.tensors.iter().enumerate();
        Self {
            wants,
            checkpoint,
            names: Names::get(),
            by_name: named.map(|(i, t)| (t.name.as_str(), i)).collect(),
            parts: HashMap::new(),
            part_of: Vec::new(),
            called: vec![None; wants.tensors.len()],
            matched: Matched {
                uses: vec![Use::Surplus; checkpoint.tensors.len()],
                found: vec![None; wants.tensors.len()],
                ..Matched::default()
            },
        }
    }

    fn run(mut self) -> Matched {
        self.by_names();
        self.collect_parts();
        self.by_parts();
        self.by_prefixes();
        self.table_as_head();
        self.take_parts();
        self.leftovers();
        let wants = self.wants;
        for (i, wanted) in wants.tensors.iter().enumerate() {
            self.compare(i, wanted);
        }
        let differences = packed::differences(&self.held());
        self.matched.differences.extend(differences);
        self.matched.differences.sort_by_key(|d| d.wanted);
        self.matched
    }

    fn by_names(&mut self) {
        for (i, wanted) in self.wants.tensors.iter().enumerate() {
            if let Some(&at) = self.by_name.get(wanted.name.as_str()) {
                self.take(i, at, Use::Weight(i));
            }
        }
    }

    fn take(&mut self, wanted: usize, at: usize, as_what: Use) {
        if let (Some(found), Some(used)) =
            (self.matched.found.get_mut(wanted), self.matched.uses.get_mut(at))
        {
            *found = Some(at);
            *used = as_what;
        }
    }

    fn is_free(&self, at: usize) -> bool {
        self.matched.uses.get(at) == Some(&Use::Surplus)
    }

    fn collect_parts(&mut self) {
        for (at, tensor) in self.checkpoint.tensors.iter().enumerate() {
            if self.is_free(at) {
                for (whole, part) in self.names.whole(&tensor.name) {
                    self.parts.entry(whole).or_default().push((at, part));
                }
            }
        }
    }

    /// The tensor that holds a weight of this name, whole or packed.
    fn holder(&self, name: &str) -> Option<(usize, bool)> {
        if let Some(&at) = self.by_name.get(name).filter(|at| self.is_free(**at)) {
            return Some((at, false));
        }
        let parts = self.parts.get(name)?;
        let elements = parts.iter().find(|(at, p)| p.holds == Holds::Elements && self.is_free(*at));
        elements.map(|(at, _)| (*at, true))
    }

    fn hold(&mut self, i: usize, name: &str) -> bool {
        let Some((at, packed)) = self.holder(name) else { return false };
        self.take(i, at, if packed { Use::Elements(i) } else { Use::Weight(i) });
        true
    }

    fn by_parts(&mut self) {
        for i in self.missing() {
            if let Some(wanted) = self.wants.tensors.get(i) {
                self.hold(i, &wanted.name);
            }
        }
    }

    fn missing(&self) -> Vec<usize> {
        let found = self.matched.found.iter().enumerate();
        found.filter(|(_, f)| f.is_none()).map(|(i, _)| i).collect()
    }

    /// Names that the checkpoint starts otherwise. One of each pattern tells which start helps most.
    fn by_prefixes(&mut self) {
        loop {
            let missing = self.missing();
            let mut seen = HashSet::new();
            let first =
                |i: &&usize| self.wants.tensors.get(**i).is_some_and(|w| seen.insert(&w.weights));
            let samples: Vec<usize> = missing.iter().filter(first).copied().collect();
            let Some((from, to)) = self.best_prefix(&samples) else { return };
            let mut count = 0;
            for i in missing {
                let Some(wanted) = self.wants.tensors.get(i) else { continue };
                let Some(rest) = wanted.name.strip_prefix(from) else { continue };
                let name = format!("{to}{rest}");
                if self.hold(i, &name) {
                    count += 1;
                    if let Some(called) = self.called.get_mut(i) {
                        *called = Some(name);
                    }
                }
            }
            if count == 0 {
                return;
            }
            self.matched.renamed.push(Renamed { from: from.into(), to: to.into(), count });
        }
    }

    fn best_prefix(&self, samples: &[usize]) -> Option<(&'static str, &'static str)> {
        let prefixes = || [""].into_iter().chain(self.names.prefixes.iter().map(String::as_str));
        let mut best = (0, None);
        for from in prefixes() {
            let rests: Vec<&str> = samples
                .iter()
                .filter_map(|i| self.wants.tensors.get(*i)?.name.strip_prefix(from))
                .collect();
            for to in prefixes().filter(|to| *to != from) {
                let holds = rests.iter().filter(|r| self.holder(&format!("{to}{r}")).is_some());
                let count = holds.count();
                if count > best.0 {
                    best = (count, Some((from, to)));
                }
            }
        }
        best.1
    }

    /// An embedding table that is stored as the output layer to which it is tied.
    fn table_as_head(&mut self) {
        let wants = self.wants;
        let is_head = |w: &Wanted| self.names.heads.contains(&w.name);
        if wants.tensors.iter().any(is_head) {
            return;
        }
        let Some(table) = self.table().filter(|t| self.matched.found.get(*t) == Some(&None)) else {
            return;
        };
        for head in &self.names.heads {
            if self.hold(table, head) {
                if let Some(called) = self.called.get_mut(table) {
                    *called = Some(head.clone());
                }
                return;
            }
        }
    }

    /// The first wanted tensor whose rows are looked up.
    fn table(&self) -> Option<usize> {
        self.wants.tensors.iter().position(|wanted| {
            let first = wanted.weights.first().and_then(|w| self.wants.weights.get(*w));
            first.is_some_and(|w| !w.shape.matrix && w.shape.rest.len() == 2)
        })
    }

    /// Scales and zeros go to their weights, if those are quantized.
    fn take_parts(&mut self) {
        for i in 0..self.wants.tensors.len() {
            let Some(wanted) = self.wants.tensors.get(i) else { continue };
            let Some(at) = self.matched.found.get(i).copied().flatten() else { continue };
            let called = self.called.get(i).and_then(Option::as_deref);
            let Some(parts) = self.parts.get(called.unwrap_or(&wanted.name)) else { continue };
            let packed = self.matched.uses.get(at) == Some(&Use::Elements(i));
            if !self.is_narrow(wanted, at, packed) {
                continue;
            }
            for &(at, part) in &parts.clone() {
                let tensor = self.checkpoint.tensors.get(at);
                let is_bias = tensor.is_some_and(|t| t.name.ends_with("bias"));
                if part.holds != Holds::Elements && self.is_free(at) && (packed || !is_bias) {
                    self.set(at, Use::Part(i));
                    self.part_of.push((i, at, part));
                }
            }
        }
    }

    /// Whether a wanted tensor is stored in few bits, so that it has scales.
    fn is_narrow(&self, wanted: &Wanted, at: usize, packed: bool) -> bool {
        let about = self.checkpoint.tensors.get(at).and_then(|t| t.about.as_ref());
        let weight = wanted.weights.first().and_then(|w| self.wants.weights.get(*w));
        let narrow = about.map(|a| a.bits <= 8 || is_container(a));
        packed || narrow.unwrap_or_else(|| weight.is_some_and(|w| w.bits <= 8.0))
    }

    /// The wanted tensors that are quantized, with all that belongs to each.
    fn held(&self) -> Vec<Held<'m>> {
        let (wants, checkpoint) = (self.wants, self.checkpoint);
        let mut parts: HashMap<usize, Vec<_>> = HashMap::new();
        for (wanted, at, part) in &self.part_of {
            let stored = checkpoint.tensors.get(*at);
            parts.entry(*wanted).or_default().extend(stored.map(|s| (s, *part)));
        }
        let held = wants.tensors.iter().enumerate().filter_map(|(i, wanted)| {
            let at = self.matched.found.get(i).copied().flatten()?;
            let packed = self.matched.uses.get(at) == Some(&Use::Elements(i));
            let weights = wanted.weights.iter().filter_map(|w| wants.weights.get(*w)).collect();
            let called = self.called.get(i).and_then(Option::as_deref);
            let name = called.unwrap_or(&wanted.name);
            let elements = checkpoint.tensors.get(at)?;
            let by_name = self.parts.get(name).into_iter().flatten();
            let part = by_name.filter(|_| packed).find(|(a, _)| *a == at).map(|(_, p)| *p);
            let narrow = self.is_narrow(wanted, at, packed);
            let parts = parts.remove(&i).unwrap_or_default();
            let name = name.to_owned();
            let first = wanted.weights.first().and_then(|w| wants.weights.get(*w))?;
            let plain = self.names.formats(&first.dtype).is_some();
            let held = Held { wanted: i, weights, name, elements, packed: part, plain, parts };
            narrow.then_some(held)
        });
        held.collect()
    }

    fn set(&mut self, at: usize, as_what: Use) {
        if let Some(used) = self.matched.uses.get_mut(at) {
            *used = as_what;
        }
    }

    fn leftovers(&mut self) {
        let has_head = self.wants.tensors.iter().any(|w| self.names.heads.contains(&w.name));
        let table = self.table().and_then(|t| self.matched.found.get(t).copied().flatten());
        let table = table.and_then(|at| self.checkpoint.tensors.get(at));
        for (at, tensor) in self.checkpoint.tensors.iter().enumerate() {
            if !self.is_free(at) {
                continue;
            }
            let dimensions = tensor.about.as_ref().map(|a| a.shape.len());
            if let Some(what) = self.names.buffer(&tensor.name, dimensions) {
                self.set(at, Use::Buffer(what.to_owned()));
            } else if self.names.is_copy(&tensor.name)
                || !has_head && self.names.heads.contains(&tensor.name)
            {
                let shape =
                    |t: &super::checkpoint::Stored| t.about.as_ref().map(|a| a.shape.clone());
                if table.is_some_and(|t| shape(t) == shape(tensor)) {
                    self.set(at, Use::Tied);
                }
            }
        }
    }

    fn compare(&mut self, i: usize, wanted: &Wanted) {
        let Some(at) = self.matched.found.get(i).copied().flatten() else {
            let name = wanted.name.clone();
            let what = Difference::Missing;
            self.matched.differences.push(Different { wanted: i, name, part: None, what });
            return;
        };
        let Some(stored) = self.checkpoint.tensors.get(at) else { return };
        let Some(about) = &stored.about else { return };
        let packed = self.matched.uses.get(at) == Some(&Use::Elements(i));
        if let Some(what) = self.difference(wanted, about, packed) {
            let name = stored.name.clone();
            self.matched.differences.push(Different { wanted: i, name, part: None, what });
        }
    }

    fn difference(&self, wanted: &Wanted, about: &About, packed: bool) -> Option<Difference> {
        let weights: Vec<&Weight> =
            wanted.weights.iter().filter_map(|w| self.wants.weights.get(*w)).collect();
        let first = weights.first()?;
        let shapes: Vec<Shape> = weights.iter().map(|w| w.shape.clone()).collect();
        let plain = self.names.formats(&first.dtype);
        let fits = match plain {
            Some(plain) => {
                let wide = about.dtype == "F32" && self.names.is_wide(&wanted.name);
                !packed && (wide || plain.iter().any(|p| p == about.dtype))
            }
            None => is_container(about),
        };
        if !fits {
            let wanted = match plain {
                Some([one]) => format!("`{}` ({one})", first.dtype),
                _ => format!("`{}`", first.dtype),
            };
            return Some(Difference::Dtype { wanted, found: stored_as(about, packed) });
        }
        if plain.is_some() {
            let joined = joined(&weights);
            if joined.iter().any(|s| s.is(&about.shape)) {
                return None;
            }
            let turned = joined.iter().any(|s| s.is_turned(&about.shape));
            let wanted = joined.first().map_or(String::new(), Shape::to_string);
            let found = super::header::shown_shape(&about.shape);
            return Some(Difference::Shape { wanted, found, turned });
        }
        // Rows of a matrix are looked at in `packed`; here whether all elements are there.
        let elements: Option<u64> = shapes.iter().map(Shape::elements).sum();
        let held = (about.bytes as f64 * 8.0 / first.bits).floor();
        let whole = about.bits as f64 / first.bits;
        let fits = |n: u64| (n as f64) <= held && held - (n as f64) < whole.max(1.0);
        if shapes.iter().all(|s| s.rest.len() == 2) || elements.is_some_and(fits) {
            return None;
        }
        let found = format!("{} for {held} elements", super::header::shown_shape(&about.shape));
        let wanted = match elements {
            Some(n) => format!("{n} elements of {} bits", first.bits),
            None => "more elements than can be counted".to_owned(),
        };
        Some(Difference::Shape { wanted, found, turned: false })
    }
}

fn stored_as(about: &About, packed: bool) -> String {
    if packed { format!("packed {}", about.dtype) } else { about.dtype.to_owned() }
}
