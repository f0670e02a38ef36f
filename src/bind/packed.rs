//! Weights that are stored packed, with what is needed to read them: scales, zeros, group indices.
//!
//! In: the tensors that hold each quantized weight. Out: what is missing or has another shape or
//! format than the weight's number format says. What a tensor of some name holds stands in
//! `names.toml`, how many elements share a scale in the declaration of the format.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::checkpoint::Stored;
use super::header::shown_shape;
use super::matching::{Difference, Different};
use super::names::{Holds, Part};
use super::shape::Shape;
use super::wanted::{Weight, joined};
use crate::ir::Sharing;

/// A wanted tensor that is stored with parts.
pub(super) struct Held<'m> {
    /// Its position among the wanted ones.
    pub wanted: usize,
    /// The weights in it.
    pub weights: Vec<&'m Weight>,
    /// Its name in this checkpoint if it were not packed.
    pub name: String,
    /// What holds its elements.
    pub elements: &'m Stored,
    /// What the name of that says, where it is not that of a plain weight.
    pub packed: Option<&'static Part>,
    /// Whether its format is stored as it is, one element in each of the tensor.
    pub plain: bool,
    /// What else belongs to it.
    pub parts: Vec<(&'m Stored, &'static Part)>,
}

/// Along which side of the matrix elements are packed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Along {
    Inputs,
    Outputs,
    Neither,
}

/// The sides of a matrix, and how many there are of it.
#[derive(Clone)]
struct Sides {
    each: Vec<u64>,
    outputs: u64,
    inputs: u64,
    /// Whether the inputs come first.
    turned: bool,
}

impl Sides {
    fn shape(&self, outputs: u64, inputs: u64) -> Shape {
        let rest = if self.turned { vec![inputs, outputs] } else { vec![outputs, inputs] };
        Shape { each: self.each.clone(), rest, matrix: true }
    }
    fn elements(&self) -> Option<u64> {
        self.shape(self.outputs, self.inputs).elements()
    }
}

/// What is wrong with all of them.
pub(super) fn differences(held: &[Held<'_>]) -> Vec<Different> {
    let mut found = Vec::new();
    packing(held, &mut found);
    missing(held, &mut found);
    formats(held, &mut found);
    for one in held {
        for (stored, part) in &one.parts {
            if let Some(difference) = one.part_differs(stored, part) {
                found.push(one.different(stored, part, difference));
            }
        }
    }
    found
}

/// Elements that are not there, or lie otherwise than those of most weights of the same kind.
fn packing(held: &[Held<'_>], found: &mut Vec<Different>) {
    let ways: Vec<Option<Vec<Along>>> = held.iter().map(Held::ways).collect();
    let mut votes: HashMap<&str, BTreeMap<Along, usize>> = HashMap::new();
    for (one, ways) in held.iter().zip(&ways) {
        for way in ways.iter().flatten() {
            *votes.entry(one.suffix()).or_default().entry(*way).or_default() += 1;
        }
    }
    for (one, ways) in held.iter().zip(ways) {
        let Some(ways) = ways else { continue };
        let most = votes.get(one.suffix()).and_then(|v| v.iter().max_by_key(|(_, n)| **n));
        let way = most.map_or(Along::Inputs, |(way, _)| *way);
        if ways.contains(&way) {
            continue;
        }
        let Some(about) = &one.elements.about else { continue };
        let wanted = one.packed_shapes().into_iter().find(|(w, _)| *w == way);
        let turned: Vec<u64> = about.shape.iter().rev().copied().collect();
        let turned = wanted.as_ref().is_some_and(|(_, s)| s.is(&turned));
        let wanted = wanted.map_or(String::new(), |(_, s)| s.to_string());
        let found_is = shown_shape(&about.shape);
        let what = Difference::Shape { wanted, found: found_is, turned };
        let name = one.elements.name.clone();
        found.push(Different { wanted: one.wanted, name, part: None, what });
    }
}

/// Parts that the other layers of a weight have, or that its format says.
fn missing(held: &[Held<'_>], found: &mut Vec<Different>) {
    let mut counts: HashMap<&str, (usize, BTreeMap<&str, usize>)> = HashMap::new();
    for one in held {
        let (all, parts) = counts.entry(one.kind()).or_default();
        *all += 1;
        for suffix in one.suffixes() {
            *parts.entry(suffix).or_default() += 1;
        }
    }
    for one in held {
        let own = one.suffixes();
        let mut complete = true;
        if let Some((all, parts)) = counts.get(one.kind()) {
            for (suffix, count) in parts {
                if count * 2 > *all && !own.contains(suffix) {
                    complete = false;
                    let name = one.part_name(suffix, held);
                    let (what, part) = (Difference::Missing, Some((*suffix).to_owned()));
                    found.push(Different { wanted: one.wanted, name, part, what });
                }
            }
        }
        if complete && let Some(lacks) = one.lacks() {
            let name = one.elements.name.clone();
            let what = Difference::Lacks { what: lacks };
            found.push(Different { wanted: one.wanted, name, part: None, what });
        }
    }
}

/// Parts in another format than nearly all of their name.
fn formats(held: &[Held<'_>], found: &mut Vec<Different>) {
    let mut votes: HashMap<&str, BTreeMap<&str, usize>> = HashMap::new();
    let parts = || held.iter().flat_map(|h| h.parts.iter().map(move |p| (h, p)));
    for (_, (stored, part)) in parts() {
        if let Some(about) = &stored.about {
            *votes.entry(&part.suffix).or_default().entry(about.dtype).or_default() += 1;
        }
    }
    for (one, (stored, part)) in parts() {
        let Some(about) = &stored.about else { continue };
        let formats = votes.get(part.suffix.as_str());
        let most = formats.and_then(|f| f.iter().max_by_key(|(_, count)| **count));
        let Some((most, count)) = most.filter(|(d, count)| **d != about.dtype && **count > 1)
        else {
            continue;
        };
        let wanted = format!("{most}, as {count} others");
        let what = Difference::PartFormat { wanted, found: about.dtype.to_owned() };
        found.push(one.different(stored, part, what));
    }
}

impl<'m> Held<'m> {
    fn different(&self, stored: &Stored, part: &Part, what: Difference) -> Different {
        let (name, part) = (stored.name.clone(), Some(part.suffix.clone()));
        Different { wanted: self.wanted, name, part, what }
    }

    fn suffix(&self) -> &'static str {
        self.packed.map_or("weight", |p| p.suffix.as_str())
    }

    /// What its weights are called: the same for all layers.
    fn kind(&self) -> &'m str {
        self.weights.first().map_or("", |w| w.pattern.as_str())
    }

    fn suffixes(&self) -> BTreeSet<&'static str> {
        self.parts.iter().map(|(_, p)| p.suffix.as_str()).collect()
    }

    /// The name of a part that is not there, as others of its kind have it.
    fn part_name(&self, suffix: &str, held: &[Self]) -> String {
        let other = held.iter().filter(|h| h.kind() == self.kind()).find_map(|h| {
            let part = h.parts.iter().find(|(_, p)| p.suffix == suffix)?;
            Some((h, &part.0.name))
        });
        let stem = |name: &'_ str| name.strip_suffix("weight").map(str::to_owned);
        let ways = |name: &str| {
            let plain = stem(name).map(|s| format!("{s}{suffix}"));
            [plain, Some(format!("{name}.{suffix}")), Some(format!("{name}_{suffix}"))]
        };
        let way = other.and_then(|(h, name)| {
            ways(&h.name).iter().position(|w| w.as_deref() == Some(name.as_str()))
        });
        let own = ways(&self.name).into_iter().nth(way.unwrap_or(0)).flatten();
        own.unwrap_or_else(|| format!("{}.{suffix}", self.name))
    }

    /// What its format says, and nothing holds.
    fn lacks(&self) -> Option<&'static str> {
        let first = self.weights.first()?;
        let has = |holds| self.parts.iter().any(|(_, p)| p.holds == holds);
        let kinds = [("scale", Holds::Scale, "scales"), ("zero", Holds::Zero, "zero points")];
        let lacks = |(field, holds, _): &(&str, Holds, &str)| {
            first.shared.iter().any(|s| s.what == *field) && !has(*holds)
        };
        kinds.into_iter().find(lacks).map(|(_, _, what)| what)
    }

    /// The matrices that it may be: weights side by side may lie along either side.
    fn sides(&self) -> Vec<Sides> {
        let Some(first) = self.weights.first() else { return Vec::new() };
        let turned = match self.packed {
            Some(part) => part.inputs_first,
            None => first.turned && self.plain,
        };
        let sides = |s: &Shape| match s.rest.as_slice() {
            [a, b] => {
                let (outputs, inputs) = if first.turned { (*b, *a) } else { (*a, *b) };
                Some(Sides { each: s.each.clone(), outputs, inputs, turned })
            }
            _ => None,
        };
        joined(&self.weights).iter().filter_map(sides).collect()
    }

    /// Every way to pack its elements, with the shape that it gives; nothing where they are not
    /// packed, or in an order of their own.
    fn packed_shapes(&self) -> Vec<(Along, Shape)> {
        let (Some(first), Some(about)) = (self.weights.first(), &self.elements.about) else {
            return Vec::new();
        };
        let words = |n: u64| packed(n, first.bits, about.bits);
        let mut found = Vec::new();
        for sides in self.sides() {
            let (outputs, inputs) = (sides.outputs, sides.inputs);
            found.push((Along::Inputs, sides.shape(outputs, words(inputs))));
            found.push((Along::Outputs, sides.shape(words(outputs), inputs)));
            if self.parts.iter().any(|(_, p)| p.flat)
                && let Some(all) = sides.elements()
            {
                found.push((Along::Neither, row(words(all))));
            }
        }
        found
    }

    /// The ways of packing that its shape allows.
    fn ways(&self) -> Option<Vec<Along>> {
        let about = self.elements.about.as_ref()?;
        if self.plain || !is_container(about) || self.sides().is_empty() {
            return None;
        }
        let shapes = self.packed_shapes().into_iter();
        Some(shapes.filter(|(_, s)| s.is(&about.shape)).map(|(way, _)| way).collect())
    }

    /// How a part differs from what the format says.
    fn part_differs(&self, stored: &Stored, part: &Part) -> Option<Difference> {
        let (first, about) = (self.weights.first()?, stored.about.as_ref()?);
        let sharing = |what: &str| first.shared.iter().find(|s| s.what == what);
        let words = |n: u64, bits: f64| packed(n, bits, about.bits);
        let mut shapes = Vec::new();
        for sides in self.sides() {
            let (outputs, inputs) = (sides.outputs, sides.inputs);
            match part.holds {
                Holds::Elements | Holds::Any => return None,
                Holds::Inputs => shapes.push(sides.shape(1, inputs)),
                Holds::Outputs => shapes.push(sides.shape(outputs, 1)),
                Holds::Dimensions => {
                    shapes.push(Shape { each: sides.each.clone(), ..row(2) });
                    shapes.push(row(2 + sides.each.len() as u64));
                }
                Holds::Super => {
                    let per = sharing("super").map(|s| s.per);
                    shapes.extend(per.and_then(|per| Some(row(groups(sides.elements()?, per)))));
                }
                Holds::One => shapes.extend(self.few(&sides)),
                Holds::Scale | Holds::Zero => {
                    let what = if part.holds == Holds::Scale { "scale" } else { "zero" };
                    let Some(sharing) = sharing(what) else {
                        shapes.extend(self.few(&sides));
                        shapes.push(sides.shape(outputs, 1));
                        if is_container(about) {
                            shapes.push(sides.shape(words(outputs, first.bits), 1));
                        }
                        continue;
                    };
                    if part.flat {
                        shapes.extend(sides.elements().map(|n| row(groups(n, sharing.per))));
                        continue;
                    }
                    let (rows, columns) = grid(sharing, outputs, inputs);
                    shapes.push(sides.shape(rows, columns));
                    if is_container(about) && part.holds == Holds::Zero {
                        shapes.push(sides.shape(words(rows, first.bits), columns));
                    }
                }
            }
        }
        let wanted = shapes.first()?;
        if shapes.iter().any(|s| s.is(&about.shape)) {
            return None;
        }
        let reversed: Vec<u64> = about.shape.iter().rev().copied().collect();
        let turned = shapes.iter().any(|s| s.is(&reversed));
        let (wanted, found) = (wanted.to_string(), shown_shape(&about.shape));
        Some(Difference::Shape { wanted, found, turned })
    }

    /// One number for a tensor, or for each of those that are stored in it.
    fn few(&self, sides: &Sides) -> Vec<Shape> {
        let one = Shape { each: sides.each.clone(), ..row(1) };
        vec![row(1), row(self.weights.len() as u64), one]
    }
}

/// How many rows and columns of scales a matrix has.
pub(super) fn grid(sharing: &Sharing, outputs: u64, inputs: u64) -> (u64, u64) {
    match sharing.block {
        Some([rows, columns]) => (groups(outputs, rows), groups(inputs, columns)),
        None => (outputs, groups(inputs, sharing.per)),
    }
}

fn row(n: u64) -> Shape {
    Shape { each: Vec::new(), rest: vec![n], matrix: false }
}

/// In how many groups so many elements fall.
pub(super) fn groups(elements: u64, per: f64) -> u64 {
    if per >= 1.0 { elements.div_ceil(per as u64) } else { elements }
}

/// How many words so many elements of some bits take.
fn packed(elements: u64, bits: f64, word: u64) -> u64 {
    ((elements as f64 * bits) / word as f64).ceil() as u64
}

/// Whether several elements may be packed into one of this format.
pub(super) fn is_container(about: &super::checkpoint::About) -> bool {
    let kinds = ["U8", "I8", "I16", "U16", "I32", "U32", "I64", "U64", "F4", "F6_E2M3", "F6_E3M2"];
    kinds.contains(&about.dtype)
}
