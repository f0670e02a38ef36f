//! A model that was imported before and edited since, brought up to its config.
//!
//! In: the file as it is, and what import writes now. Out: the file with its hand edits, and what
//! changed. A value whose comment says `config.json: …` follows the config; every other line stays as
//! it is. So a value is kept by changing its comment, or leaving it out.

use std::fmt::Write as _;

use crate::source::FileId;

/// A file brought up to date.
#[derive(Clone, Debug, PartialEq)]
pub struct Updated {
    /// The whole text, formatted.
    pub text: String,
    /// What changed, and what was kept against the config: one line each.
    pub changes: Vec<String>,
}

/// A line `name: value,  // comment` or `name = value  // comment`.
#[derive(Clone, Debug, PartialEq)]
struct Setting<'t> {
    /// The names around it and its own: `vision.depth`.
    path: String,
    value: String,
    comment: &'t str,
    /// Its first line, and how many it has: a long list has several.
    line: usize,
    count: usize,
}

impl Setting<'_> {
    fn follows_config(&self) -> bool {
        self.comment.contains(".json: ")
    }
}

/// Brings `old` up to `new`, the text that import writes for the same config now. `None` where the
/// file holds no such model.
#[must_use]
pub fn update(old: &str, new: &str) -> Option<Updated> {
    let (first, last) = model_in(old)?;
    let (new_first, new_last) = model_in(new)?;
    let mut lines: Vec<String> = old.lines().map(str::to_owned).collect();
    let before = settings(old, first, last);
    let after = settings(new, new_first, new_last);
    let find = |all: &[Setting<'_>], path: &str| all.iter().position(|s| s.path == path);
    let mut changes = Vec::new();
    let mut gone = Vec::new();
    for setting in &before {
        let now = find(&after, &setting.path).and_then(|i| after.get(i));
        let path = &setting.path;
        match now {
            Some(now) if now.value == setting.value => {}
            Some(now) if setting.follows_config() => {
                if let Some(line) = lines.get_mut(setting.line) {
                    *line = match setting.count {
                        1 => line.replacen(&setting.value, &now.value, 1),
                        _ => line.replacen('[', &format!("{},", now.value), 1),
                    };
                }
                gone.extend(setting.line + 1..setting.line + setting.count);
                changes.push(format!("{path}: {} is now {}", setting.value, now.value));
            }
            Some(now) => {
                changes.push(format!("{path}: {} kept; import says {}", setting.value, now.value));
            }
            None if setting.follows_config() => {
                gone.extend(setting.line..setting.line + setting.count);
                changes.push(format!("{path}: {} is no longer said", setting.value));
            }
            None => {}
        }
    }
    // What is new goes behind what stands before it in the new text.
    let new_lines: Vec<&str> = new.lines().collect();
    let mut added: Vec<(usize, String)> = Vec::new();
    for (i, setting) in after.iter().enumerate() {
        if find(&before, &setting.path).is_some() || !setting.follows_config() {
            continue;
        }
        let parent = setting.path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let is_sibling =
            |s: &&Setting<'_>| s.path.rsplit_once('.').map_or("", |(parent, _)| parent) == parent;
        let sibling = after
            .iter()
            .take(i)
            .rev()
            .filter(is_sibling)
            .find_map(|s| find(&before, &s.path).and_then(|i| before.get(i)).map(|s| s.line));
        let place =
            sibling.or_else(|| before.iter().find(is_sibling).map(|s| s.line.saturating_sub(1)));
        let last = setting.line + setting.count;
        let (Some(place), Some(all)) = (place, new_lines.get(setting.line..last)) else {
            changes.push(format!("{}: {} has no place here", setting.path, setting.value));
            continue;
        };
        added.push((place, all.join("\n")));
        changes.push(format!("{}: {} is new", setting.path, setting.value));
    }
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        if !gone.contains(&i) {
            let _ = writeln!(text, "{line}");
        }
        for (_, line) in added.iter().filter(|(place, _)| *place == i) {
            let _ = writeln!(text, "{line}");
        }
    }
    let text = crate::syntax::format::format(&text, FileId(0)).unwrap_or(text);
    Some(Updated { text, changes })
}

/// The lines of the first model of a text, from its head to its end.
fn model_in(text: &str) -> Option<(usize, usize)> {
    let first = text.lines().position(|line| line.starts_with("model "))?;
    let rest = text.lines().enumerate().skip(first + 1);
    let starts_item =
        |line: &str| line.starts_with(|c: char| c.is_ascii_alphabetic()) || line.starts_with("///");
    let last = rest.clone().find(|(_, line)| starts_item(line)).map(|(i, _)| i);
    Some((first, last.unwrap_or(text.lines().count())))
}

/// Its settings, with the names around them.
fn settings(text: &str, first: usize, last: usize) -> Vec<Setting<'_>> {
    let mut around: Vec<&str> = Vec::new();
    let mut found: Vec<Setting<'_>> = Vec::new();
    let mut list = false;
    let mut above = "";
    for (line, whole) in text.lines().enumerate().take(last).skip(first + 1) {
        let (code, comment) = whole.split_once("//").unwrap_or((whole, ""));
        let (code, comment) = (code.trim(), comment.trim());
        // The lines of a list belong to its head.
        if let (true, Some(setting)) = (list, found.last_mut()) {
            list = !code.starts_with(']');
            setting.count += 1;
            setting.value += if list { code } else { "]" };
            if !list {
                setting.value =
                    setting.value.replace(",]", "]").replace(",", ", ").replace("  ", " ");
            }
            continue;
        }
        if code.starts_with([')', '}']) {
            around.pop();
            // `) {` closes the arguments and opens the body.
            if code.ends_with('{') && !around.is_empty() {
                around.push("");
            }
            continue;
        }
        let named = code.split_once(": ").or_else(|| code.split_once(" = "));
        let opens = code.ends_with(['(', '{']);
        let name = named.map_or(code.trim_end_matches(['(', '{']).trim(), |(name, _)| name.trim());
        if opens {
            around.push(name);
        } else if let Some((_, value)) = named {
            let names = around.iter().copied().filter(|n| !n.is_empty()).chain([name]);
            list = value.trim() == "[";
            found.push(Setting {
                path: names.collect::<Vec<_>>().join("."),
                value: value.trim().trim_end_matches(',').to_owned(),
                comment: if list { above } else { comment },
                line,
                count: 1,
            });
        }
        above = if code.is_empty() { comment } else { "" };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "\
//! Mine.

use std.layers.Llama

/// A model.
model M = Llama(
  layers: 32,     // config.json: num_hidden_layers
  hidden: 4096,   // config.json: hidden_size
  heads: 16,      // we try half of them
  kv_heads: 8,    // config.json: num_key_value_heads
  ffn: 14336,     // config.json: intermediate_size
  vocab: 128256,  // config.json: vocab_size
) {
  source = \"x, config.json\"
  // Ours.
  precision {
    weights     = fp8
    activations = bf16
  }
  expect parameters.total < 9_000_000_000
}

const more = 3
";

    #[test]
    fn what_follows_the_config_changes_and_the_rest_stays() {
        let new = OLD
            .replace("layers: 32", "layers: 40")
            .replace(
                "heads: 16,      // we try half of them",
                "heads: 32,  // config.json: num_attention_heads",
            )
            .replace("  kv_heads: 8,    // config.json: num_key_value_heads\n", "")
            .replace("weights     = fp8", "weights     = bf16  // config.json: torch_dtype")
            .replace(
                "  ffn: 14336,",
                "  window: 4096,  // config.json: sliding_window\n  ffn: 14336,",
            );
        let updated = update(OLD, &new).unwrap();
        assert_eq!(
            updated.changes,
            [
                "layers: 32 is now 40",
                "heads: 16 kept; import says 32",
                "kv_heads: 8 is no longer said",
                "precision.weights: fp8 kept; import says bf16",
                "window: 4096 is new",
            ]
        );
        assert!(updated.text.contains("layers: 40"), "{}", updated.text);
        assert!(updated.text.contains("we try half of them"), "{}", updated.text);
        assert!(updated.text.contains("window: 4096"), "{}", updated.text);
        assert!(!updated.text.contains("kv_heads"), "{}", updated.text);
        assert!(updated.text.contains("// Ours.") && updated.text.contains("const more = 3"));
        // Once more changes nothing.
        let again = update(&updated.text, &new).unwrap();
        assert_eq!(again.text, updated.text);
    }

    #[test]
    fn a_list_of_several_lines_is_one_value() {
        let list = |layers: &str| {
            OLD.replace(
                "  ffn: 14336,",
                &format!(
                    "  // config.json: layer_types\n  full: [\n    {layers},\n  ],\n  ffn: 14336,"
                ),
            )
        };
        let updated = update(&list("1, 3, 5,\n    7, 9"), &list("1, 3, 5,\n    7, 11")).unwrap();
        assert_eq!(updated.changes, ["full: [1, 3, 5, 7, 9] is now [1, 3, 5, 7, 11]"]);
        assert!(updated.text.contains("full: [1, 3, 5, 7, 11],"), "{}", updated.text);
    }

    #[test]
    fn a_file_without_a_model_is_not_touched() {
        assert_eq!(update("const x = 3\n", OLD), None);
        assert_eq!(update(OLD, OLD).unwrap().changes, Vec::<String>::new());
        assert_eq!(update(OLD, OLD).unwrap().text, OLD);
    }
}
