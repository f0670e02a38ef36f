//! What became of a binding, for people and for programs.
//!
//! In: a [`Bound`]. Out: a text of a few lines, or JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::matching::{Difference, Different, Use};
use super::{Bound, header::plain};
use crate::quantity::format::grouped;

/// Tensors of one kind with their bytes; bytes are not known where only an index is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many tensors.
    pub tensors: u64,
    /// How many bytes, as far as headers say.
    pub bytes: u64,
}

impl Bound {
    /// Tensors by what they are, in the order of the report.
    #[must_use]
    pub fn tallies(&self) -> Vec<(&'static str, Tally)> {
        let kinds = [
            "weights",
            "parts of quantized weights",
            "buffers",
            "tied",
            "left out",
            "surplus",
            "in missing files",
        ];
        let mut tallies = kinds.map(|kind| (kind, Tally::default()));
        for (tensor, used) in self.checkpoint.tensors.iter().zip(&self.matched.uses) {
            let kind = match used {
                _ if tensor.lost => 6,
                Use::Weight(_) | Use::Elements(_) => 0,
                Use::Part(_) => 1,
                Use::Buffer(_) => 2,
                Use::Tied => 3,
                Use::Left => 4,
                Use::Surplus => 5,
            };
            if let Some((_, tally)) = tallies.get_mut(kind) {
                tally.tensors += 1;
                tally.bytes += tensor.about.as_ref().map_or(0, |a| a.bytes);
            }
        }
        tallies.into_iter().filter(|(_, t)| t.tensors > 0).collect()
    }

    /// Bytes of the weights by the spec, scales included.
    #[must_use]
    pub fn spec_bytes(&self) -> f64 {
        self.wants.weights.iter().map(|w| w.bytes() * w.tensors as f64).sum()
    }

    /// Wanted tensors that were found in files that are there, and all of them.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let there = |at: &&usize| self.checkpoint.tensors.get(**at).is_some_and(|t| !t.lost);
        (self.matched.found.iter().flatten().filter(there).count(), self.wants.tensors.len())
    }

    /// What buffers there are, with how many.
    fn buffers(&self) -> String {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for used in &self.matched.uses {
            if let Use::Buffer(what) = used {
                *kinds.entry(what).or_default() += 1;
            }
        }
        kinds.into_keys().collect::<Vec<_>>().join(", ")
    }

    /// The report for people.
    #[must_use]
    pub fn text(&self) -> String {
        let (found, all) = self.counts();
        let known = !self.checkpoint.names_only;
        let files = match self.checkpoint.shards.len() {
            1 => "1 file".to_owned(),
            n => format!("{n} files"),
        };
        let mut out = format!(
            "{} in {}: {} of {} tensors of the model found, in {files}\n\n",
            self.model,
            self.checkpoint.name,
            grouped(&found.to_string()),
            grouped(&all.to_string())
        );
        let mut rows: Vec<[String; 4]> = Vec::new();
        let bytes = |n: u64| if known { grouped(&n.to_string()) } else { String::new() };
        let mut total = Tally::default();
        for (kind, tally) in self.tallies() {
            let what = match kind {
                "buffers" => self.buffers(),
                "tied" => "the embedding table or the output layer once more".into(),
                "left out" => {
                    "of a layer that proposes tokens: `drafters` of the model is 0".into()
                }
                _ => String::new(),
            };
            let count = grouped(&tally.tensors.to_string());
            let size = if kind == "in missing files" { String::new() } else { bytes(tally.bytes) };
            rows.push([kind.into(), count, size, what]);
            total.tensors += tally.tensors;
            total.bytes += tally.bytes;
        }
        let count = grouped(&total.tensors.to_string());
        rows.push(["together".into(), count, bytes(total.bytes), String::new()]);
        if let Some(size) = self.checkpoint.total_size {
            let row =
                ["by the index".into(), String::new(), grouped(&size.to_string()), String::new()];
            rows.push(row);
        }
        let spec = grouped(&format!("{:.0}", self.spec_bytes()));
        rows.push(["by the spec".into(), grouped(&all.to_string()), spec, String::new()]);
        let width = |i: usize| {
            let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count());
            cells.max().unwrap_or(0)
        };
        let (a, b, c) = (width(0), width(1), width(2));
        for [kind, count, bytes, what] in &rows {
            let unit = if bytes.is_empty() { "     " } else { "bytes" };
            let line = format!("  {kind:a$}  {count:>b$}  {bytes:>c$} {unit}   {what}");
            let _ = writeln!(out, "{}", line.trim_end());
        }
        for renamed in &self.matched.renamed {
            let count = grouped(&renamed.count.to_string());
            let _ = match (renamed.from.as_str(), renamed.to.as_str()) {
                ("", to) => writeln!(out, "\n{count} names start with `{to}` in the checkpoint"),
                (from, "") => writeln!(out, "\n{count} names lack `{from}` in the checkpoint"),
                (from, to) => {
                    writeln!(out, "\n{count} names start with `{to}` there, not `{from}`")
                }
            };
        }
        if !known {
            out += "\nNone of the files of the index is here: names were compared, and no shapes or \
                    formats.\n";
        }
        out
    }

    /// The report for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let (found, all) = self.counts();
        let known = !self.checkpoint.names_only;
        let tallies: serde_json::Map<String, Value> = self
            .tallies()
            .into_iter()
            .map(|(kind, t)| {
                let kind = match kind {
                    "parts of quantized weights" => "parts",
                    "left out" => "left_out",
                    "in missing files" => "in_missing_files",
                    kind => kind,
                };
                let known = known && kind != "in_missing_files";
                let bytes = if known { json!(t.bytes) } else { Value::Null };
                (kind.to_owned(), json!({ "tensors": t.tensors, "bytes": bytes }))
            })
            .collect();
        let names = |wanted: &dyn Fn(&Use) -> bool| -> Vec<&str> {
            let tensors = self.checkpoint.tensors.iter().zip(&self.matched.uses);
            tensors.filter(|(_, u)| wanted(u)).map(|(t, _)| t.name.as_str()).collect()
        };
        let lost: Vec<&str> =
            self.checkpoint.tensors.iter().filter(|t| t.lost).map(|t| t.name.as_str()).collect();
        let renamed = self.matched.renamed.iter();
        let spec_bytes = self.spec_bytes();
        json!({
            "version": 1,
            "model": self.model,
            "checkpoint": self.checkpoint.name,
            "matches": self.is_fine(),
            "names_only": self.checkpoint.names_only,
            "files": self.checkpoint.shards,
            "wanted": all,
            "found": found,
            "bytes": {
                "checkpoint": if known { json!(self.checkpoint.bytes()) } else { Value::Null },
                "index": self.checkpoint.total_size,
                "spec": if spec_bytes.fract() == 0.0 { json!(spec_bytes as u64) } else { json!(spec_bytes) },
            },
            "kinds": tallies,
            "missing": self.named(|d| matches!(d, Difference::Missing)),
            "without_scales": self.named(|d| matches!(d, Difference::Lacks { .. })),
            "wrong_shape": self.compared(|d| match d {
                Difference::Shape { wanted, found, turned } => {
                    Some(json!({ "wanted": wanted, "found": found, "transposed": turned }))
                }
                _ => None,
            }),
            "wrong_dtype": self.compared(|d| match d {
                Difference::Dtype { wanted, found } => {
                    Some(json!({ "wanted": wanted.replace('`', ""), "found": found }))
                }
                Difference::PartFormat { wanted, found } => {
                    Some(json!({ "wanted": wanted, "found": found }))
                }
                _ => None,
            }),
            "in_missing_files": lost,
            "surplus": names(&|u| *u == Use::Surplus),
            "tied": names(&|u| *u == Use::Tied),
            "left_out": names(&|u| *u == Use::Left),
            "buffers": names(&|u| matches!(u, Use::Buffer(_))),
            "renamed": renamed
                .map(|r| json!({ "from": r.from, "to": r.to, "tensors": r.count }))
                .collect::<Vec<_>>(),
        })
    }

    fn named(&self, wanted: impl Fn(&Difference) -> bool) -> Vec<&str> {
        let differences = self.matched.differences.iter().filter(|d| wanted(&d.what));
        differences.map(|d| d.name.as_str()).collect()
    }

    fn compared(&self, about: impl Fn(&Difference) -> Option<Value>) -> Vec<Value> {
        let compared =
            self.matched.differences.iter().filter_map(|Different { name, what, .. }| {
                let mut value = about(what)?;
                let fields = value.as_object_mut()?;
                fields.insert("name".into(), json!(plain(name)));
                Some(value)
            });
        compared.collect()
    }
}
