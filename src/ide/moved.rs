//! Files that are about to be renamed or moved: what has to be written in `use` lines then.
//!
//! In: the texts of files as they are now, and which names change into which. Out: edits of those
//! texts, for the files that import a renamed file and for renamed files that import others.

use std::path::{Component, Path, PathBuf};

use super::document::Text;
use super::workspace::beside;
use crate::source::Span;
use crate::syntax::ast::ItemKind;
use crate::syntax::token::{Kind, tokens};

/// A file or a folder that gets another name.
#[derive(Clone, Debug, PartialEq)]
pub struct Renaming {
    /// Its name now.
    pub old: String,
    /// Its name then.
    pub new: String,
}

/// The name that a file has after renamings, of itself or of a folder that it is in.
#[must_use]
pub fn moved(name: &str, all: &[Renaming]) -> String {
    let below = |one: &&Renaming| Path::new(name).starts_with(&one.old);
    // Of a folder and a file in it, the file's own counts.
    let Some(one) = all.iter().filter(below).max_by_key(|one| one.old.len()) else {
        return name.to_owned();
    };
    let Ok(rest) = Path::new(name).strip_prefix(&one.old) else { return name.to_owned() };
    if rest.as_os_str().is_empty() {
        return one.new.clone();
    }
    Path::new(&one.new).join(rest).display().to_string()
}

/// The edits of a file that keep its imports what they are: what is replaced, and by what.
#[must_use]
pub fn edits(text: &Text, all: &[Renaming]) -> Vec<(Span, String)> {
    let name = &*text.file.name;
    let then = moved(name, all);
    let mut edits = Vec::new();
    for part in text.cut.pieces.iter().filter(|p| p.piece.kind == Some(ItemKind::Use)) {
        let line = part.piece.text(&text.file.text);
        // Tokens, so that a `use` that is not finished is kept in step too.
        let mut words =
            tokens(line).into_iter().filter(|t| !matches!(t.kind, Kind::Comment | Kind::Line));
        let (Some(_), Some(path)) = (words.next(), words.next()) else { continue };
        let Some(written) = written(path.text(line)) else { continue };
        let Some(target) = beside(name, &written) else { continue };
        let target_then = moved(&target, all);
        if target == target_then && then == name {
            continue;
        }
        let Some(new) = path_to(&then, &target_then, &written) else { continue };
        if new != written && beside(&then, &written).as_ref() != Some(&target_then) {
            let span = Span::new(path.start as u32, path.end as u32).shifted(part.piece.start);
            edits.push((span, quoted(&new)));
        }
    }
    edits
}

/// What a text literal says, where it is a plain one.
fn written(literal: &str) -> Option<String> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next()?),
            '{' | '}' => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}

fn quoted(path: &str) -> String {
    let mut out = String::from("\"");
    for c in path.chars() {
        if matches!(c, '"' | '\\' | '{' | '}') {
            out.push('\\');
        }
        out.push(c);
    }
    out + "\""
}

/// How a file names another: as it did before, from its folder or from the root.
fn path_to(from: &str, to: &str, before: &str) -> Option<String> {
    if Path::new(before).is_absolute() {
        return Some(to.to_owned());
    }
    let folder: Vec<Component<'_>> = Path::new(from).parent()?.components().collect();
    let target: Vec<Component<'_>> = Path::new(to).components().collect();
    let shared = folder.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let mut path = PathBuf::new();
    for _ in folder.get(shared..)? {
        path.push("..");
    }
    path.extend(target.get(shared..)?);
    let path = path.display().to_string();
    let bare = path.starts_with("..") || !before.starts_with('.');
    Some(if bare { path } else { format!("./{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(name: &str, text: &str, all: &[(&str, &str)]) -> String {
        let all: Vec<Renaming> = all
            .iter()
            .map(|(old, new)| Renaming { old: (*old).to_owned(), new: (*new).to_owned() })
            .collect();
        let mut out = text.to_owned();
        for (span, new) in edits(&Text::new(name, text), &all).into_iter().rev() {
            out.replace_range(span.start as usize..span.end as usize, &new);
        }
        out
    }

    #[test]
    fn imports_follow_files_and_folders() {
        let text =
            "use \"./parts.mesa\".size\nuse \"lib/chips.mesa\" as chips\nuse std.chips.B200\n";
        let cases: [&[(&str, &str)]; 6] = [
            &[("/w/parts.mesa", "/w/pieces.mesa")],
            &[("/w/parts.mesa", "/w/deep/parts.mesa")],
            &[("/w/lib", "/w/library")],
            &[("/w/main.mesa", "/w/deep/main.mesa")],
            &[("/w/main.mesa", "/w/a.mesa"), ("/w/parts.mesa", "/w/b.mesa")],
            &[("/w/lib", "/w/l"), ("/w/lib/chips.mesa", "/w/c.mesa")],
        ];
        let all: Vec<String> = cases
            .iter()
            .map(|case| format!("{case:?}\n{}", after("/w/main.mesa", text, case)))
            .collect();
        insta::assert_snapshot!(all.join("\n"));
        assert_eq!(after("/w/main.mesa", text, &[("/w", "/v")]), text, "all of them move together");
        assert_eq!(after("/w/main.mesa", text, &[("/w/part", "/w/x")]), text, "another name");
    }

    #[test]
    fn an_import_that_is_being_typed_follows_too() {
        let renamed = [("/w/parts.mesa", "/w/pieces.mesa")];
        let text = "use \"./parts.mesa\".{size, \n\nconst a = 1\n";
        assert!(after("/w/main.mesa", text, &renamed).starts_with("use \"./pieces.mesa\".{size,"));
        let open = "use \"./parts.mesa\n";
        assert_eq!(after("/w/main.mesa", open, &renamed), open, "a text that does not end");
    }
}
